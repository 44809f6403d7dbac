//! How the process is asked to stop. Whoever works holds a [`Shutdown`] and stops by itself; nothing is aborted here.

use std::io;

use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};

/// Makes a connected pair.
pub fn channel() -> (Trigger, Shutdown) {
    let (sender, receiver) = watch::channel(false);
    (Trigger(sender), Shutdown(receiver))
}

/// Asks the process to stop. Dropping it asks too: nobody is left who could.
#[derive(Debug)]
pub struct Trigger(watch::Sender<bool>);

impl Trigger {
    /// Asks. Asking again changes nothing.
    pub fn start(&self) {
        self.0.send_replace(true);
    }
}

/// Tells whether the process was asked to stop. Clones tell the same.
#[derive(Clone, Debug)]
pub struct Shutdown(watch::Receiver<bool>);

impl Shutdown {
    /// True from the moment that the process was asked to stop.
    pub fn requested(&self) -> bool {
        *self.0.borrow() || self.0.has_changed().is_err()
    }

    /// Waits until the process is asked to stop.
    pub async fn wait(&self) {
        // An error means that the trigger was dropped, which asks too.
        let _ = self.0.clone().wait_for(|requested| *requested).await;
    }
}

/// Waits for SIGTERM or SIGINT and returns its name.
///
/// # Errors
/// When the signals cannot be listened to.
pub async fn on_signal() -> io::Result<&'static str> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn all_who_wait_are_woken_and_latecomers_do_not_wait() {
        let (trigger, shutdown) = channel();
        let waiting = tokio::spawn({
            let shutdown = shutdown.clone();
            async move { shutdown.wait().await }
        });
        assert!(!shutdown.requested());
        trigger.start();
        waiting.await.unwrap();
        shutdown.wait().await;
        assert!(shutdown.requested());
    }

    #[tokio::test]
    async fn dropping_the_trigger_asks_too() {
        let (trigger, shutdown) = channel();
        drop(trigger);
        shutdown.wait().await;
        assert!(shutdown.requested());
    }
}
