//! Posting events from inside a cluster, where the ingest Service can be reached.

use std::time::Duration;

use axum::{Json, response::IntoResponse, response::Response};
use futures::{StreamExt, stream};
use http::{StatusCode, header};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{plain_client, trusting_client};

/// A request to relay.
#[derive(Serialize, Deserialize, Clone, Debug)]
#[serde(rename_all = "camelCase")]
pub struct Publish {
    /// Where to post.
    pub url: String,
    /// Bearer token.
    #[serde(default)]
    pub token: Option<String>,
    /// `Content-Type`.
    pub content_type: String,
    /// The body.
    pub body: String,
    /// The only certificate that is trusted, in PEM.
    #[serde(default)]
    pub trust: Option<String>,
}

/// The answer to a relayed request; status 0 when there was none.
#[derive(Serialize, Deserialize, Clone, Debug)]
#[serde(rename_all = "camelCase")]
pub struct Published {
    /// HTTP status.
    pub status: u16,
    /// The body.
    pub body: String,
    /// `Content-Type` of the answer.
    #[serde(default)]
    pub content_type: String,
    /// `Retry-After` of the answer.
    #[serde(default)]
    pub retry_after: Option<String>,
}

/// Many events to post, each until it is accepted.
#[derive(Serialize, Deserialize, Clone, Debug)]
#[serde(rename_all = "camelCase")]
pub struct Flood {
    /// Where to post.
    pub url: String,
    /// Bearer token.
    #[serde(default)]
    pub token: Option<String>,
    /// Type of the events.
    pub event_type: String,
    /// Ids are `<prefix>-<n>`.
    pub prefix: String,
    /// How many.
    pub count: u32,
    /// Requests in flight.
    pub concurrency: usize,
    /// Tries of each event, a second apart.
    pub tries: u32,
}

/// What came of a flood.
#[derive(Serialize, Deserialize, Clone, Debug, Default)]
#[serde(rename_all = "camelCase")]
pub struct FloodResult {
    /// Events that were answered 200 or 202.
    pub accepted: u32,
    /// Tries that were not.
    pub refused: u32,
    /// Events given up.
    pub failed: u32,
}

/// Relays one request and gives back the answer.
pub(super) async fn publish(Json(request): Json<Publish>) -> Response {
    let client = match &request.trust {
        None => Ok(plain_client()),
        Some(certificate) => trusting_client(certificate),
    };
    let answer = match client {
        Ok(client) => post(&client, &request).await,
        Err(error) => Err(error),
    };
    match answer {
        Ok(published) => Json(published).into_response(),
        Err(error) => {
            Json(Published { status: 0, body: format!("{error:?}"), content_type: String::new(), retry_after: None })
                .into_response()
        }
    }
}

/// Posts many events, each with the same id until it is accepted.
pub(super) async fn flood(Json(request): Json<Flood>) -> Response {
    let client = plain_client();
    let result = stream::iter(0..request.count)
        .map(|number| one(&client, &request, number))
        .buffer_unordered(request.concurrency.clamp(1, 256))
        .fold(FloodResult::default(), |mut sum, (accepted, refused)| async move {
            sum.accepted += u32::from(accepted);
            sum.failed += u32::from(!accepted);
            sum.refused += refused;
            sum
        })
        .await;
    (StatusCode::OK, Json(result)).into_response()
}

async fn one(client: &reqwest::Client, flood: &Flood, number: u32) -> (bool, u32) {
    let id = format!("{}-{number}", flood.prefix);
    let body = json!({"id": id, "type": flood.event_type, "data": {"number": number}}).to_string();
    let request = Publish {
        url: flood.url.clone(),
        token: flood.token.clone(),
        content_type: "application/json".to_owned(),
        body,
        trust: None,
    };
    for tried in 0..flood.tries.max(1) {
        match post(client, &request).await {
            Ok(answer) if matches!(answer.status, 200 | 202) => return (true, tried),
            _ => tokio::time::sleep(Duration::from_secs(1)).await,
        }
    }
    (false, flood.tries)
}

async fn post(client: &reqwest::Client, request: &Publish) -> reqwest::Result<Published> {
    let mut builder = client
        .post(&request.url)
        .header(header::CONTENT_TYPE, &request.content_type)
        .timeout(Duration::from_secs(10))
        .body(request.body.clone());
    if let Some(token) = &request.token {
        builder = builder.bearer_auth(token);
    }
    let response = builder.send().await?;
    let status = response.status().as_u16();
    let text = |name| {
        response.headers().get(name).and_then(|value: &http::HeaderValue| value.to_str().ok()).map(str::to_owned)
    };
    let (content_type, retry_after) = (text(header::CONTENT_TYPE).unwrap_or_default(), text(header::RETRY_AFTER));
    Ok(Published { status, body: response.text().await?, content_type, retry_after })
}
