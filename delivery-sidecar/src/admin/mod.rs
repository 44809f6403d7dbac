//! The listener for those who run the process: `/healthz`, `/readyz` and `/metrics`. It is a port of its own, so that
//! producers reach none of it and a burst of events does not delay a probe.

mod readiness;

pub use readiness::{Latch, Readiness};

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};

use crate::telemetry::Metrics;

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// - `/healthz`: 200 as long as the process can answer.
/// - `/readyz`: 200 when every latch is set, else 503 and one line for each that is not, with the reason.
/// - `/metrics`: OpenMetrics text.
pub fn router(readiness: Readiness, metrics: Metrics) -> Router {
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(readyz).with_state(readiness))
        .route("/metrics", get(render).with_state(metrics))
}

async fn readyz(State(readiness): State<Readiness>) -> Response {
    let missing = readiness.missing();
    if missing.is_empty() {
        return "ready\n".into_response();
    }
    let lines =
        missing.iter().fold("not ready\n".to_owned(), |text, (name, reason)| text + name + ": " + reason + "\n");
    (StatusCode::SERVICE_UNAVAILABLE, lines).into_response()
}

async fn render(State(metrics): State<Metrics>) -> Response {
    ([(header::CONTENT_TYPE, OPEN_METRICS)], metrics.render()).into_response()
}

#[cfg(test)]
mod tests {
    use axum::{body::Body, http::Request};
    use http_body_util::BodyExt;
    use tower::ServiceExt;

    use super::*;

    async fn get(router: &Router, path: &str) -> (StatusCode, String, String) {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = router.clone().oneshot(request).await.unwrap();
        let content_type = response.headers()[header::CONTENT_TYPE].to_str().unwrap().to_owned();
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, content_type, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn readyz_lists_what_is_missing_until_nothing_is() {
        let readiness = Readiness::new();
        let journal = readiness.latch("journal", "not opened yet");
        let configuration = readiness.latch("configuration", "not read yet");
        let router = router(readiness, Metrics::new());

        journal.set();
        let (status, _, body) = get(&router, "/readyz").await;
        assert_eq!(
            (status, body.as_str()),
            (StatusCode::SERVICE_UNAVAILABLE, "not ready\nconfiguration: not read yet\n")
        );

        configuration.set();
        let (status, _, body) = get(&router, "/readyz").await;
        assert_eq!((status, body.as_str()), (StatusCode::OK, "ready\n"));

        journal.unset("full");
        let (status, _, body) = get(&router, "/readyz").await;
        assert_eq!((status, body.as_str()), (StatusCode::SERVICE_UNAVAILABLE, "not ready\njournal: full\n"));
    }

    #[tokio::test]
    async fn healthz_is_fine_while_the_process_is_not_ready() {
        let readiness = Readiness::new();
        let _journal = readiness.latch("journal", "not opened yet");
        let (status, _, body) = get(&router(readiness, Metrics::new()), "/healthz").await;
        assert_eq!((status, body.as_str()), (StatusCode::OK, "ok\n"));
    }

    #[tokio::test]
    async fn metrics_are_open_metrics_text() {
        let (status, content_type, body) = get(&router(Readiness::new(), Metrics::new()), "/metrics").await;
        assert_eq!((status, content_type.as_str()), (StatusCode::OK, OPEN_METRICS));
        assert!(body.ends_with("# EOF\n"), "{body}");
    }
}
