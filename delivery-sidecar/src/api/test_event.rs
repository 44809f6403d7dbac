//! `POST /v1/endpoints/{name}/test`: one attempt with an event that is made for it, past catalogue, filter, journal and
//! schedule. It is signed and sent as any other, and leaves no trace but its answer.

use std::sync::Arc;

use axum::{
    extract::{Path, Request, State},
    http::StatusCode,
    response::Response,
};
use bytes::Bytes;
use posthaste_crds::conditions::healthy;

use super::{
    Shared, body, json,
    model::{Attempt, TestResult},
};
use crate::{
    event::Event,
    history::attempt_record,
    ingest::problem::{Kind, Problem},
    render,
    send::Verdict,
};

pub async fn test(
    State(shared): State<Arc<Shared>>,
    Path(name): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let wanted = body::read(&parts.headers, body).await?.test()?;
    let ordinal = shared.ordinal(&name)?;
    let snapshot = shared.api.snapshot.load_full();
    let endpoint = snapshot.by_ordinal(ordinal).filter(|entry| !entry.parked).and_then(|entry| entry.running.clone());
    let endpoint = endpoint.ok_or_else(|| {
        let detail = format!("The endpoint \"{name}\" is not programmed; its conditions say why.");
        Problem::new(Kind::EndpointNotReady, detail)
    })?;
    let now = (shared.api.clock)();
    let event = Event {
        id: format!("test-{}", (shared.api.new_id)(now)),
        event_type: wanted.event_type.unwrap_or_else(|| "posthaste.test".to_owned()),
        source: None,
        subject: None,
        tenant: endpoint.tenant.clone(),
        time: format!("{now:.3}"),
        data: wanted.data.map_or(Bytes::from_static(br#"{"test": true}"#), |data| Bytes::from(data.into_string())),
        metadata: None,
    };
    let attempt = render::Attempt {
        endpoint: &endpoint,
        event: &event,
        webhook_name: &snapshot.webhook.name,
        webhook_namespace: &snapshot.webhook.namespace,
        number: 1,
        now,
    };
    let report = shared.api.sender.load_full().attempt(attempt).await;
    let delivered = matches!(report.verdict, Verdict::Succeeded { .. });
    let record = attempt_record(&endpoint, 1, now.as_millisecond(), &report);
    let attempt = record.read().map(Attempt::from).ok_or_else(|| {
        let detail = format!("What came of the attempt cannot be told ({}).", healthy::RENDER_ERROR);
        Problem::new(Kind::HistoryUnavailable, detail)
    })?;
    Ok(json(StatusCode::OK, &TestResult { delivered, event_id: event.id, attempt }))
}
