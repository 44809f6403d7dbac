//! What is sent is what the endpoint asks for; a template that cannot be used says where.

use posthaste_e2e::cluster::{
    Chart, ReceiverPod, in_namespace,
    manifests::{SECRET_1, endpoint},
};
use serde_json::{Value, json};

#[tokio::test]
async fn each_endpoint_gets_its_own_format_and_a_wrong_template_says_where() {
    Chart::ensure().await;
    in_namespace("payload", async |namespace| {
        let receiver = ReceiverPod::start(namespace).await;
        for stream in ["own", "events", "plain"] {
            receiver.secrets(stream, &[SECRET_1]).await;
        }
        let wrong =
            "  parameters: {region: eu}\n  payload: {format: Template, template: '{\"id\": \"${event.ident}\"}'}";
        let plain = "  payload: {format: Raw}";
        let endpoints =
            endpoint("shop", "own", wrong) + &endpoint("shop", "events", "") + &endpoint("shop", "plain", plain);
        namespace.start_webhook("shop", &endpoints).await;
        let defaults = json!({"spec": {"defaults": {"payload": {"format": "CloudEvents", "mode": "Binary"}}}});
        namespace.patch("wh/shop", &defaults).await;
        namespace.wait_for("webhook/shop", "Programmed").await;
        let message = namespace.wait_for_reason("whe/own", "Accepted", "False", "InvalidTemplate").await;
        assert!(message.starts_with("payload.template, line 1, column 17: event has no field \"ident\""), "{message}");

        let template =
            r#"{"to": "${endpoint.parameters.region}", "total": "${event.data.total}", "note": "${event.data.note}"}"#;
        namespace.patch("whe/own", &json!({"spec": {"payload": {"template": template}}})).await;
        for endpoint in ["whe/own", "whe/events", "whe/plain"] {
            namespace.wait_for(endpoint, "Ready").await;
        }
        let token = namespace.publisher("backend", "shop").await;
        receiver
            .publish_text("shop", &token, r#"{"id": "one", "type": "order.created", "data": {"total": 120.50}}"#)
            .await;
        for stream in ["own", "events", "plain"] {
            let summary = receiver.wait_for(stream, 1).await;
            assert_eq!(summary.invalid, 0, "the signature covers what is sent");
        }
        let body = async |stream: &str| receiver.received(stream).await.deliveries[0].body.clone();
        assert_eq!(body("own").await, r#"{"to":"eu","total":120.50}"#);
        assert_eq!(body("plain").await, r#"{"total": 120.50}"#);
        assert_eq!(body("events").await, r#"{"total": 120.50}"#);
        let headers = &receiver.received("events").await.deliveries[0].headers;
        assert_eq!((&headers["ce-id"], &headers["ce-type"]), (&"one".to_owned(), &"order.created".to_owned()));
        let source: &str = &headers["ce-source"];
        assert!(source.ends_with("/webhooks/shop"), "{source}");

        // What cannot be rendered is given up at once and told.
        let broken = json!({"spec": {"payload": {"template": "[\"${event.data.total + 'x'}\"]"}}});
        namespace.patch("whe/own", &broken).await;
        namespace.wait_for("whe/own", "Programmed").await;
        // One alone might be due to that event.
        for id in ["two", "three", "four"] {
            receiver.publish("shop", &token, &json!({"id": id, "type": "order.created", "data": {"total": 1}})).await;
        }
        namespace.wait_for_reason("whe/own", "Healthy", "False", "RenderError").await;
        let status: Value = namespace.get("whe/own").await.expect("it is there");
        let failure = status["status"]["delivery"]["lastFailure"]["message"].to_string();
        assert!(failure.contains("payload.template, line 1, column 22"), "{failure}");
    })
    .await;
}
