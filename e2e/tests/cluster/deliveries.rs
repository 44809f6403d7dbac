//! Looking at deliveries and having them made again, by people with and without the right.

use http::Method;
use posthaste_e2e::{
    cluster::{
        Chart, Namespace, ReceiverPod, eventually, in_namespace,
        manifests::{SECRET_1, endpoint},
    },
    receiver::Behaviour,
};
use serde_json::{Value, json};

/// Asks as the bearer of a token.
struct Caller<'a> {
    receiver: &'a ReceiverPod<'a>,
    token: Option<String>,
}

impl Caller<'_> {
    async fn call(&self, method: Method, path: &str, body: &str) -> (u16, Value) {
        let answer = self.receiver.api("shop", self.token.as_deref(), &method, path, body).await;
        (answer.status, serde_json::from_str(&answer.body).unwrap_or_else(|_| panic!("{}", answer.body)))
    }

    async fn get(&self, path: &str) -> Value {
        let (status, body) = self.call(Method::GET, path, "").await;
        assert_eq!(status, 200, "{path}: {body}");
        body
    }
}

async fn caller<'a>(namespace: &Namespace, receiver: &'a ReceiverPod<'a>, role: &str) -> Caller<'a> {
    Caller { receiver, token: Some(namespace.account(role, &format!("shop-deliveries-{role}")).await) }
}

#[tokio::test]
async fn who_has_the_right_sees_deliveries_and_has_them_made_again_and_nobody_else() {
    Chart::ensure().await;
    in_namespace("deliveries", async |namespace| {
        let receiver = ReceiverPod::start(namespace).await;
        receiver.secrets("acme", &[SECRET_1]).await;
        receiver.behave("acme", Behaviour::status(500)).await;
        let once = "  delivery: {retry: {schedule: [1s]}}";
        namespace.start_webhook("shop", &endpoint("shop", "acme", once)).await;
        namespace.wait_for("whe/acme", "Ready").await;
        let publisher = namespace.publisher("backend", "shop").await;
        let (reader, operator) =
            (caller(namespace, &receiver, "reader").await, caller(namespace, &receiver, "operator").await);
        receiver.publish("shop", &publisher, &json!({"id": "lost", "type": "order.created", "data": {}})).await;

        let id = eventually("the delivery is given up", async || {
            let page = reader.get("/v1/deliveries?event=lost&status=deadLettered").await;
            page["items"][0]["id"].as_str().map(str::to_owned).ok_or_else(|| page.to_string())
        })
        .await;
        let detail = reader.get(&format!("/v1/deliveries/{id}")).await;
        assert_eq!(detail["endpoint"]["name"], "acme");
        let attempts = detail["attempts"].as_array().expect("it has attempts");
        assert_eq!(attempts.len(), 2, "{detail}");
        assert_eq!(
            (&attempts[0]["response"]["status"], &attempts[0]["error"]["reason"]),
            (&json!(500), &json!("ServerError"))
        );

        let again = format!("/v1/deliveries/{id}/redeliver");
        let stranger = Caller { receiver: &receiver, token: Some(publisher) };
        let nobody = Caller { receiver: &receiver, token: None };
        for (who, caller, method, path, status) in [
            ("nobody", &nobody, Method::GET, "/v1/deliveries", 401),
            ("a publisher", &stranger, Method::GET, "/v1/deliveries", 403),
            ("a publisher", &stranger, Method::POST, &*again, 403),
            ("a reader", &reader, Method::POST, &*again, 403),
            ("a reader", &reader, Method::POST, "/v1/endpoints/acme/test", 403),
        ] {
            let (found, body) = caller.call(method, path, "").await;
            assert_eq!(found, status, "{who}: {path}: {body}");
        }
        let (_, refused) = reader.call(Method::POST, &again, "").await;
        assert!(refused.to_string().contains("shop-deliveries-operator"), "it says what to bind: {refused}");

        receiver.behave("acme", Behaviour::default()).await;
        let (status, test) = operator.call(Method::POST, "/v1/endpoints/acme/test", r#"{"data": {"a": 1}}"#).await;
        assert_eq!((status, &test["delivered"]), (200, &json!(true)), "{test}");
        let (status, body) = operator.call(Method::POST, &again, "").await;
        assert_eq!(status, 202, "{body}");
        eventually("it is delivered", async || {
            let delivery = operator.get(&format!("/v1/deliveries/{id}")).await;
            if delivery["status"] == "succeeded" { Ok(()) } else { Err(delivery.to_string()) }
        })
        .await;

        let (status, replay) = operator.call(Method::POST, "/v1/endpoints/acme/replay", r#"{"mode": "All"}"#).await;
        assert_eq!(status, 202, "{replay}");
        let path = format!("/v1/replays/{}", replay["id"].as_str().expect("it has an id"));
        eventually("the replay has ended", async || {
            let replay = reader.get(&path).await;
            if replay["state"] == "completed" && replay["scheduled"] == 1 { Ok(()) } else { Err(replay.to_string()) }
        })
        .await;
        eventually("it is delivered once more", async || {
            let delivery = reader.get(&format!("/v1/deliveries/{id}")).await;
            if delivery["attemptCount"] == 4 { Ok(()) } else { Err(delivery.to_string()) }
        })
        .await;
    })
    .await;
}
