//! Limits of a Webhook: which endpoints receive events, what its catalogue takes, and how many events.

use jiff::{SignedDuration, Timestamp};
use posthaste_e2e::cluster::{
    Chart, Namespace, ReceiverPod, eventually, in_namespace,
    manifests::{SECRET_1, endpoint},
};
use serde_json::{Value, json};

const JSON: &str = "application/json";

#[tokio::test]
async fn the_earliest_endpoints_keep_their_places_and_the_next_follows_when_one_goes_or_the_limit_is_raised() {
    Chart::ensure().await;
    in_namespace("places", async |namespace| {
        let receiver = ReceiverPod::start(namespace).await;
        let endpoints = format!("{}{}", endpoint("shop", "first", ""), endpoint("shop", "second", ""));
        for name in ["first", "second", "a-late"] {
            receiver.secrets(name, &[SECRET_1]).await;
        }
        namespace.start_webhook("shop", &endpoints).await;
        namespace.patch("wh/shop", &json!({"spec": {"limits": {"endpoints": 2}}})).await;
        namespace.wait_for("whe/first", "Ready").await;
        namespace.wait_for("whe/second", "Ready").await;
        a_second_after_its_creation(namespace, "whe/second").await;
        let token = namespace.publisher("backend", "shop").await;

        // By its name it would be the first.
        namespace.apply(&endpoint("shop", "a-late", "")).await;
        let message = namespace.wait_for_reason("whe/a-late", "Accepted", "False", "LimitExceeded").await;
        assert!(message.contains("limits.endpoints"), "{message}");
        assert_eq!(namespace.get("wh/shop").await.unwrap()["status"]["attachedEndpoints"], 2);
        receiver.publish("shop", &token, &json!({"id": "one", "type": "a", "data": {}})).await;
        receiver.wait_for("first", 1).await;
        receiver.wait_for("second", 1).await;

        namespace.kubectl(&["delete", "whe", "first"]).await.ok();
        namespace.wait_for("whe/a-late", "Ready").await;
        receiver.publish("shop", &token, &json!({"id": "two", "type": "a", "data": {}})).await;
        receiver.wait_for("second", 2).await;
        receiver.wait_for("a-late", 1).await;
        let received = receiver.received("a-late").await.deliveries;
        assert_eq!(received.iter().map(|delivery| &*delivery.id).collect::<Vec<_>>(), ["two"], "nothing from before");

        let of_acme = |name| endpoint("shop", name, "  tenant: acme\n");
        namespace.patch("wh/shop", &json!({"spec": {"limits": {"endpoints": 10, "endpointsPerTenant": 1}}})).await;
        namespace.apply(&of_acme("acme-first")).await;
        namespace.wait_for("whe/acme-first", "Ready").await;
        a_second_after_its_creation(namespace, "whe/acme-first").await;
        namespace.apply(&of_acme("a-acme-late")).await;
        let message = namespace.wait_for_reason("whe/a-acme-late", "Accepted", "False", "LimitExceeded").await;
        assert!(message.contains("limits.endpointsPerTenant"), "{message}");
        namespace.patch("wh/shop", &json!({"spec": {"limits": {"endpointsPerTenant": 2}}})).await;
        namespace.wait_for("whe/a-acme-late", "Ready").await;
    })
    .await;
}

#[tokio::test]
async fn data_is_checked_by_the_schema_of_its_type_and_a_bad_schema_leaves_the_last_good_one() {
    Chart::ensure().await;
    in_namespace("schemas", async |namespace| {
        let receiver = ReceiverPod::start(namespace).await;
        receiver.secrets("acme", &[SECRET_1]).await;
        namespace.start_webhook("shop", &endpoint("shop", "acme", "")).await;
        let catalogue = |schema: Value| json!({"spec": {"eventTypes": [{"name": "order.created", "schema": schema}]}});
        let schema = json!({
            "type": "object",
            "required": ["id"],
            "properties": {"total": {"minimum": 0}, "buyer": {"$ref": "#/$defs/person"}},
            "$defs": {"person": {"anyOf": [{"type": "null"}, {"type": "string"}]}},
        });
        namespace.patch("wh/shop", &catalogue(schema.clone())).await;
        namespace.wait_for("wh/shop", "Ready").await;
        namespace.wait_for("whe/acme", "Ready").await;
        // The API server keeps a schema as it is.
        let kept = namespace.get("wh/shop").await.unwrap();
        assert_eq!(kept["spec"]["eventTypes"][0]["schema"], schema);
        let token = namespace.publisher("backend", "shop").await;
        let post = async |data: Value| {
            let event = json!({"type": "order.created", "data": data});
            let answer = receiver.post("shop", Some(&token), JSON, &event.to_string()).await;
            (answer.status, serde_json::from_str::<Value>(&answer.body).unwrap_or_default())
        };
        assert_eq!(post(json!({"id": 1, "total": 2, "buyer": null})).await.0, 202);
        let (status, problem) = post(json!({"total": -1, "buyer": 7})).await;
        assert_eq!(status, 422, "{problem}");
        let errors = problem["errors"].as_array().unwrap();
        let mut pointers: Vec<_> = errors.iter().map(|error| error["pointer"].as_str().unwrap()).collect();
        pointers.sort_unstable();
        assert_eq!(pointers, ["/data", "/data/buyer", "/data/total"], "{problem}");
        let batch = json!([
            {"type": "order.created", "data": {"id": 1}},
            {"type": "order.created", "data": {}},
            {"type": "order.paid", "data": {}},
        ]);
        let answer = receiver.post("shop", Some(&token), JSON, &batch.to_string()).await;
        let results = serde_json::from_str::<Value>(&answer.body).unwrap()["results"].take();
        let statuses: Vec<_> = results.as_array().unwrap().iter().map(|result| result["status"].clone()).collect();
        assert_eq!((answer.status, statuses), (207, vec![json!(202), json!(422), json!(422)]));

        let remote = json!({"properties": {"buyer": {"$ref": "https://shop.example/person.json"}}});
        namespace.patch("wh/shop", &catalogue(remote)).await;
        let message = namespace.wait_for_reason("wh/shop", "Accepted", "False", "InvalidSchema").await;
        for part in ["eventTypes[0].schema", "/properties/buyer/$ref", "https://shop.example/person.json"] {
            assert!(message.contains(part), "{message}");
        }
        assert_eq!(post(json!({"total": 1})).await.0, 422, "the last good schema is in force");
        assert_eq!(post(json!({"id": 1})).await.0, 202);

        namespace.patch("wh/shop", &catalogue(json!({}))).await;
        namespace.wait_for("wh/shop", "Ready").await;
        eventually("any data is taken", async || {
            let (status, answer) = post(json!({"total": -1})).await;
            if status == 202 { Ok(()) } else { Err(answer.to_string()) }
        })
        .await;
        assert_eq!(receiver.wait_for("acme", 4).await.invalid, 0);
    })
    .await;
}

#[tokio::test]
async fn over_the_event_rate_a_request_is_answered_429_until_the_limit_is_raised() {
    Chart::ensure().await;
    in_namespace("rate", async |namespace| {
        let receiver = ReceiverPod::start(namespace).await;
        namespace.start_webhook("shop", "").await;
        let rate = |limit: u32| json!({"spec": {"limits": {"eventRate": {"limit": limit, "per": "1h"}}}});
        namespace.patch("wh/shop", &rate(2)).await;
        namespace.wait_for("wh/shop", "Ready").await;
        let token = namespace.publisher("backend", "shop").await;
        let event = json!({"type": "a", "data": 1});
        let post = async |events: usize| {
            let body = if events == 1 { event.clone() } else { json!(vec![&event; events]) };
            receiver.post("shop", Some(&token), JSON, &body.to_string()).await
        };
        // All of a request or nothing, and what can never pass says so.
        assert_eq!(post(3).await.status, 413);
        assert_eq!(post(1).await.status, 202);
        let refused = post(2).await;
        assert_eq!((refused.status, &*refused.content_type), (429, "application/problem+json"), "{}", refused.body);
        let wait: u64 = refused.retry_after.as_deref().unwrap_or_default().parse().unwrap();
        assert!((1..=3600).contains(&wait), "{wait}");
        assert!(refused.body.contains("spec.limits.eventRate"), "{}", refused.body);
        assert_eq!(post(1).await.status, 202, "nothing of the refused request was counted");

        namespace.patch("wh/shop", &rate(1000)).await;
        eventually("events are taken again", async || {
            let answer = post(1).await;
            if answer.status == 202 { Ok(()) } else { Err(answer.body) }
        })
        .await;
    })
    .await;
}

/// Waits until whatever is created now is created in a later second than an object.
async fn a_second_after_its_creation(namespace: &Namespace, object: &str) {
    let found = namespace.get(object).await.unwrap_or_else(|| panic!("there is no {object}"));
    let created: Timestamp = found["metadata"]["creationTimestamp"].as_str().unwrap().parse().unwrap();
    eventually("a second has passed", async || {
        let age = Timestamp::now().duration_since(created);
        if age >= SignedDuration::from_secs(2) { Ok(()) } else { Err(format!("{age}")) }
    })
    .await;
}
