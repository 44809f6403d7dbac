//! Posts an event, again and again until it is kept.

use std::time::Duration;

use reqwest::{StatusCode, header};
use tokio::time::sleep;

/// What became of one try.
enum Tried {
    Kept(String),
    Refused(String),
    /// It makes sense to send again, after this time at least.
    Again(String, Duration),
}

async fn send(client: &reqwest::Client, url: &str, key: &str, body: &str) -> reqwest::Result<Tried> {
    let request = client.post(url).bearer_auth(key).header(header::CONTENT_TYPE, "application/json");
    let response = request.timeout(Duration::from_secs(30)).body(body.to_owned()).send().await?;
    let status = response.status();
    let after = response.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    let text = response.text().await?;
    let failure = format!("refused with {status}: {text}");
    Ok(match status {
        StatusCode::OK | StatusCode::ACCEPTED => Tried::Kept(text),
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => Tried::Again(failure, seconds(after)),
        status if status.is_server_error() => Tried::Again(failure, seconds(after)),
        _ => Tried::Refused(failure),
    })
}

fn seconds(after: Option<u64>) -> Duration {
    Duration::from_secs(after.unwrap_or(0))
}

/// Posts an event, written as JSON with an id that names what happened: whoever sends it however often, it is kept once.
pub async fn post(client: &reqwest::Client, url: &str, key: &str, event: &str) -> Result<String, String> {
    const ATTEMPTS: u32 = 8;
    let mut backoff = Duration::from_millis(500);
    let mut attempt = 1;
    loop {
        let (failure, after) = match send(client, url, key, event).await {
            Ok(Tried::Kept(answer)) => return Ok(answer),
            Ok(Tried::Refused(failure)) => return Err(failure),
            Ok(Tried::Again(failure, after)) => (failure, after),
            // No answer: it may be kept or not, and sending it again is right in both cases.
            Err(error) => (error.to_string(), Duration::ZERO),
        };
        if attempt == ATTEMPTS {
            return Err(failure);
        }
        // 0.5 s, 1 s, 2 s, ... at most 30 s; a random part keeps producers from coming all at once.
        sleep(after.max(backoff.mul_f64(rand::random_range(0.5..1.0)))).await;
        backoff = (2 * backoff).min(Duration::from_secs(30));
        attempt += 1;
    }
}
