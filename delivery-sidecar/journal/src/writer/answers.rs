//! Gives the answers of a commit. Each wakes who asked, and waking a task from a thread outside of its runtime costs a
//! system call where nobody is awake; so all answers of a commit go to the runtime together, as a task of their own, whose
//! wake-ups stay inside.

use tokio::runtime::Handle;

use super::Pending;
use crate::Error;
use crate::store::Applied;

/// Where answers are given: in this runtime, or at once when there is none.
pub(crate) struct Answers(Option<Handle>);

impl Answers {
    /// In the runtime that is entered here, if there is one.
    pub(crate) fn here() -> Self {
        Self(Handle::try_current().ok())
    }

    /// At once, by the thread that writes.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn at_once() -> Self {
        Self(None)
    }

    /// Gives the answers that waited for this commit. A runtime that ends meanwhile drops them, and who asked hears that
    /// the journal is closed.
    pub(crate) fn give(&self, pending: Vec<Pending>, written: Result<Applied, Error>) {
        let give = move || {
            for answer in pending {
                answer(written.as_ref());
            }
        };
        match &self.0 {
            Some(runtime) => drop(runtime.spawn(async { give() })),
            None => give(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn pending(count: usize) -> (Vec<Pending>, Arc<AtomicUsize>) {
        let given = Arc::new(AtomicUsize::new(0));
        let answer = |_| {
            let given = Arc::clone(&given);
            Box::new(move |written: Result<&Applied, &Error>| {
                assert!(matches!(written, Err(Error::Full)));
                given.fetch_add(1, Ordering::Relaxed);
            }) as Pending
        };
        ((0..count).map(answer).collect(), given)
    }

    #[test]
    fn without_a_runtime_answers_are_given_at_once() {
        for answers in [Answers::here(), Answers::at_once()] {
            let (pending, given) = pending(3);
            answers.give(pending, Err(Error::Full));
            assert_eq!(given.load(Ordering::Relaxed), 3);
        }
    }

    #[tokio::test]
    async fn in_a_runtime_the_answers_of_a_commit_are_given_by_one_task() {
        let (pending, given) = pending(3);
        let answers = Answers::here();
        std::thread::spawn(move || answers.give(pending, Err(Error::Full))).join().unwrap();
        assert_eq!(given.load(Ordering::Relaxed), 0, "the thread that writes wakes nobody itself");
        tokio::task::yield_now().await;
        assert_eq!(given.load(Ordering::Relaxed), 3);
    }
}
