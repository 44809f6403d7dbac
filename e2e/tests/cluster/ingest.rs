//! Posting events: who may, and what is answered.

use posthaste_e2e::cluster::{
    Chart, ReceiverPod, eventually, in_namespace,
    manifests::{SECRET_1, endpoint},
};
use serde_json::{Value, json};

const JSON: &str = "application/json";

#[tokio::test]
async fn only_who_is_bound_to_the_publisher_role_may_publish() {
    Chart::ensure().await;
    in_namespace("publish", async |namespace| {
        let receiver = ReceiverPod::start(namespace).await;
        namespace.start_webhook("shop", "").await;
        let event = json!({"type": "a", "data": {}}).to_string();
        let publisher = namespace.publisher("backend", "shop").await;
        namespace.kubectl(&["create", "serviceaccount", "stranger"]).await.ok();
        let stranger = namespace.token("stranger", posthaste_crds::TOKEN_AUDIENCE).await;
        let other_audience = namespace.token("backend", "https://kubernetes.default.svc").await;

        for (who, token, status) in [
            ("without a token", None, 401),
            ("with nonsense", Some("nonsense"), 401),
            ("with a token for another audience", Some(other_audience.as_str()), 401),
            ("without the Role", Some(stranger.as_str()), 403),
            ("with the Role", Some(publisher.as_str()), 202),
        ] {
            let answer = receiver.post("shop", token, JSON, &event).await;
            assert_eq!(answer.status, status, "{who}: {}", answer.body);
            if status != 202 {
                assert_eq!(answer.content_type, "application/problem+json", "{who}");
            }
        }
        let answer = receiver.post("shop", Some(&stranger), JSON, &event).await;
        assert!(answer.body.contains("shop-publisher"), "it says what to bind: {}", answer.body);

        // What Kubernetes itself says about the same right agrees.
        let account = format!("--as=system:serviceaccount:{}:backend", namespace.name);
        let ask = ["auth", "can-i", "create", "webhooks.posthaste.dev/shop", "--subresource=events", &account];
        assert_eq!(namespace.kubectl(&ask).await.ok().trim(), "yes");

        namespace.patch("wh/shop", &json!({"spec": {"ingest": {"authentication": "None"}}})).await;
        eventually("everyone may publish", async || {
            let answer = receiver.post("shop", None, JSON, &event).await;
            if answer.status == 202 { Ok(()) } else { Err(answer.body) }
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn batches_repetitions_and_mistakes_are_answered_item_by_item() {
    Chart::ensure().await;
    in_namespace("batches", async |namespace| {
        let receiver = ReceiverPod::start(namespace).await;
        receiver.secrets("acme", &[SECRET_1]).await;
        namespace.start_webhook("shop", &endpoint("shop", "acme", "")).await;
        namespace.patch("wh/shop", &json!({"spec": {"eventTypes": [{"name": "order.created"}]}})).await;
        namespace.wait_for("webhook/shop", "Ready").await;
        namespace.wait_for("whe/acme", "Ready").await;
        let token = namespace.publisher("backend", "shop").await;
        let post = async |content_type: &str, body: &str| {
            let answer = receiver.post("shop", Some(&token), content_type, body).await;
            let json: Value = serde_json::from_str(&answer.body).unwrap_or_else(|_| panic!("{}", answer.body));
            (answer.status, json)
        };

        let event = json!({"id": "one", "type": "order.created", "data": {"n": 1}});
        assert_eq!(post(JSON, &event.to_string()).await.0, 202);
        let (status, repeated) = post(JSON, &event.to_string()).await;
        assert_eq!((status, &repeated["duplicate"]), (200, &json!(true)), "{repeated}");
        let changed = json!({"id": "one", "type": "order.created", "data": {"n": 2}});
        assert_eq!(post(JSON, &changed.to_string()).await.0, 409);

        let (status, problem) = post(JSON, &json!({"type": "order.creatd", "data": {}}).to_string()).await;
        assert_eq!(status, 422, "{problem}");
        assert_eq!(problem["errors"][0]["pointer"], "/type", "{problem}");
        assert!(problem.to_string().contains("order.created"), "it says what would be right: {problem}");

        let batch = json!([
            {"id": "two", "type": "order.created", "data": {}},
            {"id": "three", "typo": "order.created", "data": {}},
            {"id": "one", "type": "order.created", "data": {"n": 1}},
        ]);
        let (status, answer) = post(JSON, &batch.to_string()).await;
        assert_eq!(status, 207, "{answer}");
        assert_eq!(answer["results"].as_array().map(Vec::len), Some(3), "{answer}");
        assert_eq!(answer["results"][0]["status"], 202, "{answer}");
        assert_eq!(answer["results"][1]["status"], 422, "{answer}");
        assert_eq!(answer["results"][2]["duplicate"], true, "{answer}");

        let lines = "{\"id\":\"four\",\"type\":\"order.created\",\"data\":1}\n{\"id\":\"five\",\"type\":\"order.created\",\"data\":[]}\n";
        let (status, answer) = post("application/x-ndjson", lines).await;
        assert_eq!(status, 202, "{answer}");
        let large = json!({"type": "order.created", "data": "x".repeat(300_000)});
        assert_eq!(post(JSON, &large.to_string()).await.0, 413);
        assert_eq!(post("text/plain", "hello").await.0, 415);

        let summary = receiver.wait_for("acme", 4).await;
        assert_eq!((summary.unique, summary.duplicates), (4, 0), "one, two, four and five, each once");
    })
    .await;
}
