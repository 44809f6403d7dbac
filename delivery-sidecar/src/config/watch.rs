//! Follows the index: loads what it names, again and again until it fits.

use std::{sync::Arc, time::Duration};

use futures::{Stream, StreamExt};
use kube::runtime::{WatchStreamExt, watcher};
use posthaste_delivery_config::contract::INDEX_KEY;
use tokio::{sync::watch, time::Instant};

use super::{KubeSource, LoadError, Loaded, Loader, Source, source::document};
use crate::telemetry::{Metrics, events::ConfigurationRefused};

const FIRST_RETRY: Duration = Duration::from_millis(250);
const LAST_RETRY: Duration = Duration::from_secs(30);
/// From this retry on, what does not fit is told.
const PATIENCE: Duration = Duration::from_secs(2);

/// What is known of the configuration. The latest state wins.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// The last good configuration.
    pub loaded: Option<Arc<Loaded>>,
    /// Why the newest one is not it, if it is not.
    pub error: Option<String>,
}

/// The index as it changes: `None` when it does not exist. Errors are logged and tried again with back-off.
pub fn watch_index(source: &KubeSource) -> impl Stream<Item = Option<Vec<u8>>> + Send + use<> {
    let name = source.index_name();
    watcher::watch_object(source.secrets().clone(), &name).default_backoff().filter_map(move |secret| {
        let index = match secret {
            Ok(secret) => Some(secret.and_then(|secret| document(secret, INDEX_KEY))),
            Err(error) => {
                tracing::warn!(secret = name, %error, "cannot watch the configuration; trying again");
                None
            }
        };
        std::future::ready(index)
    })
}

/// Loads each index of `indexes` into `state`; ends when `indexes` ends.
///
/// A configuration that cannot be loaded leaves the last good one in `state`, besides the reason. When reading again
/// may help, it is read again after 250 ms, 500 ms, ... 30 s, and the reason is told only when that has not helped for
/// some seconds: while the operator writes, index and chunks differ for a moment.
pub async fn follow(
    indexes: impl Stream<Item = Option<Vec<u8>>>,
    source: &dyn Source,
    state: &watch::Sender<State>,
    metrics: &Metrics,
) {
    let mut indexes = std::pin::pin!(indexes);
    let mut reader = Loader::default();
    let mut again: Option<(Instant, Duration)> = None;
    loop {
        let retry = async {
            match again {
                Some((at, _)) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        let index = tokio::select! {
            index = indexes.next() => match index {
                Some(index) => Ok(index),
                None => return,
            },
            () = retry => source.index().await,
        };
        let loaded = match index {
            Ok(Some(index)) => reader.load(&index, source).await,
            Ok(None) => Err(LoadError::Invalid("the configuration has not been written yet".to_owned())),
            Err(error) => Err(LoadError::Read(error)),
        };
        again = match loaded {
            Ok(loaded) => {
                state.send_replace(State { loaded: Some(Arc::new(loaded)), error: None });
                None
            }
            Err(error) => {
                let delay = again.map_or(FIRST_RETRY, |(_, delay)| (delay * 2).min(LAST_RETRY));
                let transient = error.is_transient();
                // Before the first configuration, whoever looks at readiness wants to know at once.
                if !transient || delay >= PATIENCE || state.borrow().loaded.is_none() {
                    let error = error.to_string();
                    ConfigurationRefused { error: &error, runs: state.borrow().loaded.is_some() }.emit(metrics);
                    state.send_if_modified(|state| {
                        let changed = state.error.as_ref() != Some(&error);
                        state.error = Some(error);
                        changed
                    });
                } else {
                    tracing::debug!(%error, "the configuration does not fit yet; reading it again");
                }
                transient.then(|| (Instant::now() + delay, delay))
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use futures::channel::mpsc;

    use super::*;
    use crate::config::testing::{Written, endpoint};

    struct Followed {
        written: Arc<Written>,
        indexes: mpsc::UnboundedSender<Option<Vec<u8>>>,
        state: watch::Receiver<State>,
    }

    impl Followed {
        fn start() -> Self {
            let written = Arc::new(Written::default());
            let (indexes, receiver) = mpsc::unbounded();
            let (sender, state) = watch::channel(State::default());
            let source = Arc::clone(&written);
            tokio::spawn(async move { follow(receiver, &*source, &sender, &Metrics::new()).await });
            Self { written, indexes, state }
        }

        fn announce(&self) {
            self.indexes.unbounded_send(Some(self.written.current_index())).unwrap();
        }

        async fn until(&mut self, holds: impl FnMut(&State) -> bool) -> State {
            self.state.wait_for(holds).await.unwrap().clone()
        }
    }

    fn generation(state: &State) -> Option<i64> {
        state.loaded.as_ref().map(|loaded| loaded.webhook.generation)
    }

    #[tokio::test(start_paused = true)]
    async fn a_mismatch_keeps_the_last_good_configuration_and_is_read_again_until_it_fits() {
        let mut followed = Followed::start();
        followed.written.write(1, &[(0, vec![endpoint("a")])]);
        followed.announce();
        followed.until(|state| generation(state) == Some(1)).await;

        followed.written.write(2, &[(0, vec![endpoint("b")])]);
        followed.written.remove_chunk(0);
        followed.announce();
        let state = followed.until(|state| state.error.is_some()).await;
        assert_eq!(generation(&state), Some(1));
        assert!(state.error.unwrap().contains("chunk 0"));

        followed.written.write(2, &[(0, vec![endpoint("b")])]);
        let state = followed.until(|state| state.error.is_none()).await;
        assert_eq!(generation(&state), Some(2));
    }

    #[tokio::test(start_paused = true)]
    async fn waits_for_a_configuration_that_is_not_there_yet_and_keeps_one_that_was_deleted() {
        let mut followed = Followed::start();
        followed.indexes.unbounded_send(None).unwrap();
        let state = followed.until(|state| state.error.is_some()).await;
        assert!(state.loaded.is_none() && state.error.unwrap().contains("not been written"));
        followed.written.write(1, &[]);
        followed.announce();
        followed.until(|state| generation(state) == Some(1) && state.error.is_none()).await;
        followed.indexes.unbounded_send(None).unwrap();
        let state = followed.until(|state| state.error.is_some()).await;
        assert_eq!(generation(&state), Some(1));
    }
}
