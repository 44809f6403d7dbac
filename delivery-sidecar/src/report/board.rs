//! Where the engine leaves what it knows and the reporter takes it from.
//!
//! One view per endpoint, the latest wins: however often the engine calls and however slow the API server is, the
//! board holds no more than the endpoints that there are. Every call is one short critical section.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;

use super::view::{EndpointView, WebhookView};

/// Views that are handed over in one critical section, so that the engine never waits long for the reporter.
const CHUNK: usize = 256;

/// What the engine knows, for the reporter.
///
/// The board holds the endpoints that the loaded configuration names, and no others: the operator writes the status
/// of the rest. So an endpoint that is deleted or parked is removed, and one that comes back is looked at anew.
#[derive(Debug, Default)]
pub struct Board {
    inner: Mutex<Inner>,
    wake: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    endpoints: HashMap<Arc<str>, Slot>,
    webhook: Option<WebhookView>,
    /// UIDs of the slots that are marked as changed, each once.
    changed: Vec<Arc<str>>,
    webhook_changed: bool,
    removed: Vec<Arc<str>>,
    ready: bool,
}

#[derive(Debug)]
struct Slot {
    view: EndpointView,
    changed: bool,
}

impl Board {
    /// An empty board.
    pub fn new() -> Self {
        Self::default()
    }

    /// Replaces an endpoint's view, or adds it.
    pub fn endpoint(&self, view: EndpointView) {
        self.change(|inner| {
            let Some(slot) = inner.endpoints.get_mut(&view.uid) else {
                inner.changed.push(Arc::clone(&view.uid));
                inner.endpoints.insert(Arc::clone(&view.uid), Slot { view, changed: true });
                return;
            };
            slot.view = view;
            if !std::mem::replace(&mut slot.changed, true) {
                inner.changed.push(Arc::clone(&slot.view.uid));
            }
        });
    }

    /// Changes an endpoint's view in place: the cheap way after an outcome. `change` should only assign. Says whether
    /// there is such an endpoint. Its `uid` and `name` must stay.
    pub fn update(&self, uid: &str, change: impl FnOnce(&mut EndpointView)) -> bool {
        self.change(|inner| {
            let Some(slot) = inner.endpoints.get_mut(uid) else { return false };
            change(&mut slot.view);
            if !std::mem::replace(&mut slot.changed, true) {
                inner.changed.push(Arc::clone(&slot.view.uid));
            }
            true
        })
    }

    /// Removes an endpoint: it was deleted, or is not in the loaded configuration any more.
    pub fn remove_endpoint(&self, uid: &str) {
        self.change(|inner| {
            if let Some((uid, _)) = inner.endpoints.remove_entry(uid) {
                inner.removed.push(uid);
            }
        });
    }

    /// Replaces the Webhook's view.
    pub fn webhook(&self, view: WebhookView) {
        self.change(|inner| {
            inner.webhook = Some(view);
            inner.webhook_changed = true;
        });
    }

    /// Says that the journal's lock is held, and that the Webhook and all endpoints are on the board with the counts
    /// that were recovered. Nothing is written before: it would show counts of 0.
    pub fn ready(&self) {
        self.change(|inner| inner.ready = true);
    }

    /// Waits until there is something to take. Cancel safe; for one waiter.
    pub(super) async fn changed(&self) {
        while !self.lock().has_news() {
            self.wake.notified().await;
        }
    }

    /// Hands over what has changed since the last call: first what was removed, then the rest.
    pub(super) fn take(&self, taker: &mut impl Taker) {
        let mut inner = self.lock();
        if !inner.ready {
            return;
        }
        let removed = std::mem::take(&mut inner.removed);
        let mut changed = std::mem::take(&mut inner.changed);
        if std::mem::take(&mut inner.webhook_changed)
            && let Some(view) = &inner.webhook
        {
            taker.webhook(view);
        }
        drop(inner);
        for uid in &removed {
            taker.removed(uid);
        }
        for chunk in changed.chunks(CHUNK) {
            let mut inner = self.lock();
            for uid in chunk {
                // Removed after it changed: nothing to see.
                if let Some(slot) = inner.endpoints.get_mut(uid) {
                    slot.changed = false;
                    taker.endpoint(&slot.view);
                }
            }
        }
        // The list's memory is used again.
        changed.clear();
        let mut inner = self.lock();
        if inner.changed.is_empty() && inner.changed.capacity() < changed.capacity() {
            inner.changed = changed;
        }
    }

    /// Looks at an endpoint's latest view.
    pub(super) fn with_endpoint<T>(&self, uid: &str, look: impl FnOnce(&EndpointView) -> T) -> Option<T> {
        self.lock().endpoints.get(uid).map(|slot| look(&slot.view))
    }

    /// The Webhook's latest view.
    pub(super) fn webhook_view(&self) -> Option<WebhookView> {
        self.lock().webhook.clone()
    }

    fn change<T>(&self, change: impl FnOnce(&mut Inner) -> T) -> T {
        let mut inner = self.lock();
        let had_news = inner.has_news();
        let result = change(&mut inner);
        let wake = !had_news && inner.has_news();
        drop(inner);
        if wake {
            self.wake.notify_one();
        }
        result
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic in a closure leaves at worst a half-assigned view, which the next outcome replaces.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn has_news(&self) -> bool {
        self.ready && (self.webhook_changed || !self.changed.is_empty() || !self.removed.is_empty())
    }
}

/// Takes what has changed on a [`Board`].
pub(super) trait Taker {
    /// An endpoint is not there any more.
    fn removed(&mut self, uid: &str);
    /// The Webhook's latest view.
    fn webhook(&mut self, view: &WebhookView);
    /// An endpoint's latest view. Called within the critical section: should be quick.
    fn endpoint(&mut self, view: &EndpointView);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing::{view, webhook};

    #[derive(Default)]
    struct Notes(Vec<String>);

    impl Taker for Notes {
        fn removed(&mut self, uid: &str) {
            self.0.push(format!("-{uid}"));
        }
        fn webhook(&mut self, view: &WebhookView) {
            self.0.push(format!("webhook {}", view.generation));
        }
        fn endpoint(&mut self, view: &EndpointView) {
            self.0.push(format!("{} {}", view.uid, view.pending));
        }
    }

    fn taken(board: &Board) -> Vec<String> {
        let mut notes = Notes::default();
        board.take(&mut notes);
        notes.0
    }

    #[test]
    fn the_latest_view_wins_and_is_handed_over_once() {
        let board = Board::new();
        board.ready();
        board.endpoint(view("a"));
        board.endpoint(view("b"));
        for pending in 1..=5 {
            assert!(board.update("a", |view| view.pending = pending));
        }
        assert_eq!(taken(&board), ["a 5", "b 0"]);
        assert_eq!(taken(&board), [""; 0]);
        board.endpoint(EndpointView { pending: 9, ..view("a") });
        assert_eq!(taken(&board), ["a 9"]);
    }

    #[test]
    fn it_holds_one_view_and_one_mark_for_each_endpoint_however_often_they_change() {
        let board = Board::new();
        board.ready();
        for round in 0..100 {
            for number in 0..50 {
                let uid = number.to_string();
                board.endpoint(EndpointView { pending: round, ..view(&uid) });
                board.update(&uid, |view| view.pending += 1);
            }
        }
        let inner = board.lock();
        assert_eq!((inner.endpoints.len(), inner.changed.len(), inner.removed.len()), (50, 50, 0));
    }

    #[test]
    fn nothing_is_handed_over_before_it_is_ready() {
        let board = Board::new();
        board.endpoint(view("a"));
        board.webhook(webhook());
        assert_eq!(taken(&board), [""; 0]);
        board.ready();
        assert_eq!(taken(&board), ["webhook 1", "a 0"]);
    }

    #[test]
    fn an_endpoint_that_left_and_came_back_is_both_removed_and_there() {
        let board = Board::new();
        board.ready();
        board.endpoint(view("a"));
        taken(&board);
        board.remove_endpoint("a");
        assert!(!board.update("a", |_| unreachable!()));
        board.endpoint(view("a"));
        assert_eq!(taken(&board), ["-a", "a 0"]);
        board.remove_endpoint("a");
        board.remove_endpoint("nobody");
        assert_eq!(taken(&board), ["-a"]);
    }

    #[tokio::test]
    async fn a_change_wakes_the_waiter() {
        let board = Arc::new(Board::new());
        let waiter = tokio::spawn({
            let board = Arc::clone(&board);
            async move { board.changed().await }
        });
        tokio::task::yield_now().await;
        board.endpoint(view("a"));
        tokio::task::yield_now().await;
        assert!(!waiter.is_finished());
        board.ready();
        waiter.await.unwrap();
    }
}
