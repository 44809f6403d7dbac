//! Waiting for what a cluster does in its own time.

use std::time::{Duration, Instant};

/// Longest wait of [`eventually`].
const PATIENCE: Duration = Duration::from_secs(60);

/// Asks again until the answer is `Ok`, for at most a minute; then fails with the last answer.
pub async fn eventually<T>(what: &str, ask: impl AsyncFnMut() -> Result<T, String>) -> T {
    eventually_for(PATIENCE, what, ask).await
}

/// The same with another patience.
pub async fn eventually_for<T>(patience: Duration, what: &str, mut ask: impl AsyncFnMut() -> Result<T, String>) -> T {
    let deadline = Instant::now() + patience;
    loop {
        match ask().await {
            Ok(answer) => return answer,
            Err(last) => {
                assert!(Instant::now() < deadline, "waited {patience:?} in vain: {what}; last seen: {last}");
            }
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}
