//! Replays that were asked for. They are in memory only: what a replay has made pending stays pending, and one that is cut
//! off by the end of the process can be asked for again.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp;
use tokio::sync::watch;

use super::model::{Replay, ReplayRequest, ReplayState};
use crate::run::Progress;

/// Most replays that go on at a time.
pub const MOST_RUNNING: usize = 4;
/// Most that are known.
const MOST_KNOWN: usize = 64;

/// A replay.
#[derive(Clone, Debug)]
pub struct Job {
    pub id: String,
    pub endpoint: String,
    pub request: ReplayRequest,
    pub started_at: Timestamp,
    pub progress: watch::Receiver<Progress>,
}

impl Job {
    /// How it stands.
    pub fn now(&self) -> Replay {
        // Who does the work has ended without a word only when it failed.
        let is_gone = self.progress.has_changed().is_err();
        let Progress { matched, scheduled, done, error } = self.progress.borrow().clone();
        let error = error.or_else(|| (is_gone && !done).then(|| "the replay has failed".to_owned()));
        let state = match (&error, done) {
            (Some(_), _) => ReplayState::Failed,
            (None, true) => ReplayState::Completed,
            (None, false) => ReplayState::Running,
        };
        let Self { id, endpoint, request, started_at, .. } = self.clone();
        Replay { id, endpoint, request, state, matched, scheduled, started_at, error }
    }
}

/// See the module.
#[derive(Debug, Default)]
pub struct Jobs(Mutex<VecDeque<Job>>);

impl Jobs {
    /// Begins one if there is room for it.
    pub fn begin(&self, begin: impl FnOnce() -> Job) -> Option<Replay> {
        let mut jobs = self.lock();
        let is_running = |job: &&Job| job.now().state == ReplayState::Running;
        if jobs.iter().filter(is_running).count() >= MOST_RUNNING {
            return None;
        }
        if jobs.len() >= MOST_KNOWN
            && let Some(oldest) = jobs.iter().position(|job| !is_running(&job))
        {
            jobs.remove(oldest);
        }
        let job = begin();
        let now = job.now();
        jobs.push_back(job);
        Some(now)
    }

    /// One by its id.
    pub fn get(&self, id: &str) -> Option<Replay> {
        self.lock().iter().find(|job| job.id == id).map(Job::now)
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Job>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::model::ReplayMode;

    fn job(id: &str, progress: &watch::Sender<Progress>) -> Job {
        let request = ReplayRequest { mode: ReplayMode::All, since: None, until: None, event_type: None, status: None };
        Job {
            id: id.to_owned(),
            endpoint: "acme".to_owned(),
            request,
            started_at: Timestamp::UNIX_EPOCH,
            progress: progress.subscribe(),
        }
    }

    #[test]
    fn only_a_few_go_on_at_a_time_and_only_so_many_are_known() {
        let (jobs, running) = (Jobs::default(), watch::Sender::new(Progress::default()));
        for id in 0..MOST_RUNNING {
            assert!(jobs.begin(|| job(&id.to_string(), &running)).is_some());
        }
        assert!(jobs.begin(|| job("more", &running)).is_none());
        running.send_modify(|progress| progress.done = true);
        for id in MOST_RUNNING..100 {
            let done = watch::Sender::new(Progress { done: true, ..Progress::default() });
            assert!(jobs.begin(|| job(&id.to_string(), &done)).is_some(), "{id}");
        }
        assert!(jobs.get("99").is_some() && jobs.get("36").is_some() && jobs.get("35").is_none());
    }

    #[test]
    fn one_that_ended_without_a_word_has_failed() {
        let running = watch::Sender::new(Progress::default());
        let job = job("a", &running);
        assert_eq!(job.now().state, ReplayState::Running);
        drop(running);
        assert_eq!(job.now().state, ReplayState::Failed);
    }
}
