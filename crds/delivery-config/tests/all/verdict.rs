//! What is said of one endpoint.

use crate::fixtures::{KEY, PLAIN, endpoint, lookup, webhook};
use k8s_openapi::api::core::v1;
use posthaste_crds::v1alpha1::Webhook;
use posthaste_delivery_config::{
    Endpoint, TargetKind,
    resolve::{self, GENERATED_KEY, GENERATED_KEY_ID, Lookup, Outcome, Parent, Service, references, verdict},
};

fn resolved(webhook: &Webhook, settings: &str, lookup: &Lookup) -> Endpoint {
    let verdict = verdict(Parent::Accepted(webhook), &endpoint("oak", settings), lookup);
    assert!(verdict.accepted.is_true() && verdict.resolved_refs.is_true(), "{verdict:?}");
    verdict.endpoint.unwrap()
}

fn accepted(webhook: &Webhook, settings: &str) -> Outcome {
    verdict(Parent::Accepted(webhook), &endpoint("oak", settings), &lookup()).accepted
}

fn resolved_refs(settings: &str, lookup: &Lookup) -> Outcome {
    let verdict = verdict(Parent::Accepted(&webhook("{}")), &endpoint("oak", settings), lookup);
    assert!(verdict.endpoint.is_none() || verdict.resolved_refs.is_true());
    verdict.resolved_refs
}

fn with_secret(key: &str, value: &[u8]) -> Lookup {
    let mut lookup = lookup();
    lookup.insert_secret("acme", [(key.to_owned(), value.to_vec())]);
    lookup
}

fn assert_refused(outcome: &Outcome, reason: &str, message: &str) {
    assert_eq!((outcome.status.as_str(), outcome.reason), ("False", reason), "{outcome:?}");
    assert!(outcome.message.contains(message), "{} does not contain {message}", outcome.message);
}

#[test]
fn without_its_webhook_an_endpoint_is_not_accepted_but_its_references_are_judged() {
    let verdict = verdict(Parent::Missing, &endpoint("oak", PLAIN), &lookup());
    assert_refused(&verdict.accepted, "WebhookNotFound", "\"trees\"");
    assert!(verdict.resolved_refs.is_true());
    assert_eq!(verdict.endpoint, None);
}

#[test]
fn a_refused_webhook_refuses_its_endpoints() {
    let webhook = webhook("{}");
    let verdict = verdict(Parent::Refused(&webhook), &endpoint("oak", PLAIN), &lookup());
    assert_refused(&verdict.accepted, "WebhookNotAccepted", "\"trees\"");
    assert_eq!(verdict.endpoint, None);
}

#[test]
fn http_needs_both_sides() {
    let settings = |allow: bool| {
        PLAIN.replace("https://receiver.example/'", &format!("http://receiver.example/', allowHTTP: {allow}"))
    };
    let (open, closed) = (webhook("{limits: {allowHTTP: true}}"), webhook("{}"));
    assert_refused(&accepted(&open, &settings(false)), "Invalid", "allowHTTP must be true here");
    assert_refused(&accepted(&closed, &settings(true)), "Invalid", "limits.allowHTTP: true");
    assert_eq!(resolved(&open, &settings(true), &lookup()).target.url.expose(), "http://receiver.example/");
}

#[test]
fn two_headers_that_differ_in_case_are_refused() {
    let settings = format!("{PLAIN}\n    headers: [{{name: X-Tree, value: a}}, {{name: x-tree, value: b}}]");
    assert_refused(
        &accepted(&webhook("{}"), &settings),
        "Invalid",
        "headers[1] (\"x-tree\") is the same header as headers[0]",
    );
}

#[test]
fn a_template_that_does_not_compile_is_refused_with_its_position() {
    let settings = format!("{PLAIN}\n    headers: [{{name: X-Tree, value: 'a ${{event.kind}}'}}]");
    assert_refused(
        &accepted(&webhook("{}"), &settings),
        "InvalidTemplate",
        "headers[0] (\"X-Tree\").value, at character 5: \"event.kind\"",
    );
}

#[test]
fn a_filter_is_checked_and_handed_on() {
    let with_filter = |filter: &str| format!("{PLAIN}\n    filter: {filter:?}");
    assert_refused(
        &accepted(&webhook("{}"), &with_filter("event.data.total >= 10 &&\n  event.kind == 'x'")),
        "InvalidFilter",
        "filter, line 2, column 9: event has no field \"kind\"; it has id, type, source",
    );
    assert_refused(
        &accepted(&webhook("{}"), &with_filter("event.data.total + 1")),
        "InvalidFilter",
        "is true or false",
    );
    let resolved = resolved(&webhook("{}"), &with_filter("event.data.total > 10"), &lookup());
    assert_eq!(resolved.filter.as_deref(), Some("event.data.total > 10"));
}

#[test]
fn event_types_outside_the_catalogue_are_accepted_with_a_word_about_it() {
    let webhook = webhook("{eventTypes: [{name: tree.planted}]}");
    let outcome = accepted(&webhook, &format!("{PLAIN}\n    eventTypes: ['tree.*', 'shrub.*', tree.cut]"));
    assert!(outcome.is_true());
    assert!(outcome.message.contains("\"shrub.*\", \"tree.cut\" in its eventTypes"), "{}", outcome.message);
}

#[test]
fn headers_of_the_webhook_are_overridden_by_name_in_any_case() {
    let webhook =
        webhook("{defaults: {headers: [{name: X-Tree, value: default}, {name: X-Park, value: '${webhook.name}'}]}}");
    let mut lookup = with_secret("token", b"s3cret\n");
    lookup.insert_secret("keys", [("key".to_owned(), KEY.as_bytes().to_vec())]);
    let settings = format!(
        "{PLAIN}\n    headers: [{{name: x-tree, value: own $${{}}}}, {{name: X-Token, valueFrom: {{secretKeyRef: {{name: acme, key: token}}}}}}]"
    );
    let headers = resolved(&webhook, &settings.replace("own $${}", "'own $${}'"), &lookup).headers;
    let headers: Vec<_> =
        headers.iter().map(|header| (header.name.as_str(), header.value.expose(), header.template)).collect();
    assert_eq!(
        headers,
        [("X-Park", "${webhook.name}", true), ("x-tree", "own ${}", false), ("X-Token", "s3cret", false)]
    );
}

#[test]
fn a_header_from_a_secret_must_be_a_header_value_and_is_not_shown() {
    let settings =
        format!("{PLAIN}\n    headers: [{{name: X-Token, valueFrom: {{secretKeyRef: {{name: acme, key: token}}}}}}]");
    for value in [b"hidden\r\nX-Evil: 1".as_slice(), "hidden\u{fc}".as_bytes(), b"hidden\xff", &[b'h'; 4097]] {
        let outcome = resolved_refs(&settings, &with_secret("token", value));
        assert_refused(
            &outcome,
            "InvalidValue",
            "headers[0] (\"X-Token\").valueFrom: the value of key \"token\" in Secret \"acme\" must be",
        );
        assert!(!outcome.message.contains("hidden"));
    }
    assert_refused(
        &resolved_refs(&settings, &with_secret("other", b"x")),
        "SecretNotFound",
        "Secret \"acme\" has no key \"token\"",
    );
}

#[test]
fn everything_that_is_missing_is_named_at_once() {
    let settings = "
        target: {urlFrom: {secretKeyRef: {name: url, key: url}}}
        headers: [{name: X-Token, valueFrom: {secretKeyRef: {name: acme, key: token}}}]
        signing: {keys: [{id: k1, secretKeyRef: {name: signing, key: k}}]}";
    let outcome = resolved_refs(settings, &Lookup::default());
    for name in [
        "target.urlFrom: there is no Secret \"url\"",
        "there is no Secret \"acme\"",
        "signing.keys (\"k1\"): there is no Secret \"signing\"",
    ] {
        assert_refused(&outcome, "SecretNotFound", name);
    }
}

#[test]
fn a_url_from_a_secret_obeys_the_rules_of_urls_and_nothing_of_it_is_shown() {
    let settings = PLAIN.replace("url: 'https://receiver.example/'", "urlFrom: {secretKeyRef: {name: acme, key: url}}");
    let target =
        resolved(&webhook("{}"), &settings, &with_secret("url", b"https://receiver.example/hidden\r\n")).target;
    assert_eq!(
        (target.url.expose(), target.display_url, target.kind),
        ("https://receiver.example/hidden", None, TargetKind::Url)
    );
    for (value, must) in [
        ("http://receiver.example/hidden", "must begin with https://"),
        ("https://user:hidden@receiver.example", "user name or password"),
        ("hidden", "absolute https:// URL"),
        ("https://receiver.example/hid den", "spaces"),
    ] {
        let outcome = resolved_refs(&settings, &with_secret("url", value.as_bytes()));
        assert_refused(&outcome, "InvalidValue", must);
        assert!(!outcome.message.contains("hid"), "{}", outcome.message);
    }
}

#[test]
fn only_the_origin_of_a_url_is_shown() {
    let settings = PLAIN.replace("receiver.example/", "receiver.example:8443/hook?token=hidden");
    let target = resolved(&webhook("{}"), &settings, &lookup()).target;
    assert_eq!(target.display_url.as_deref(), Some("https://receiver.example:8443"));
    assert_eq!(target.url.expose(), "https://receiver.example:8443/hook?token=hidden");
}

#[test]
fn a_service_is_reached_by_its_name_and_port() {
    let settings =
        PLAIN.replace("url: 'https://receiver.example/'", "serviceRef: {name: sink, port: 8080, path: /in?x=1}");
    let service = |yaml: &str| {
        let mut lookup = lookup();
        let service: v1::Service = serde_yaml::from_str(yaml).unwrap();
        lookup.insert_service_object(&service);
        lookup
    };
    let url = |lookup: &Lookup| resolved(&webhook("{}"), &settings, lookup).target.url.expose().to_owned();
    let virtual_ip = "{metadata: {name: sink}, spec: {clusterIP: 10.0.0.9, ports: [{port: 8080, targetPort: http}]}}";
    assert_eq!(url(&service(virtual_ip)), "http://sink.garden.svc:8080/in?x=1");
    let headless = "{metadata: {name: sink}, spec: {clusterIP: None, ports: [{port: 8080, targetPort: 9000}]}}";
    assert_eq!(url(&service(headless)), "http://sink.garden.svc:9000/in?x=1");
    let mut local = lookup();
    local.insert_service("sink", Service::At("127.0.0.1:4000".to_owned()));
    assert_eq!(url(&local), "http://127.0.0.1:4000/in?x=1");

    let refused = |lookup: &Lookup, reason, message| assert_refused(&resolved_refs(&settings, lookup), reason, message);
    refused(&lookup(), "ServiceNotFound", "there is no Service \"sink\"");
    let other_ports = "{metadata: {name: sink}, spec: {ports: [{port: 80}, {port: 8080, protocol: UDP}]}}";
    refused(&service(other_ports), "ServiceNotFound", "Service \"sink\" has no TCP port 8080");
    let external = "{metadata: {name: sink}, spec: {type: ExternalName, externalName: evil.example}}";
    refused(&service(external), "InvalidValue", "ExternalName");
    let named = "{metadata: {name: sink}, spec: {clusterIP: None, ports: [{port: 8080, targetPort: http}]}}";
    refused(&service(named), "InvalidValue", "headless");
}

#[test]
fn keys_are_decoded_by_their_encoding() {
    for (encoding, value) in [
        ("Whsec", "whsec_MDEyMzQ1Njc4OWFiY2RlZg=="),
        ("Whsec", "whsec_MDEyMzQ1Njc4OWFiY2RlZg\n"),
        ("Base64", "MDEyMzQ1Njc4OWFiY2RlZg=="),
        ("Raw", "0123456789abcdef"),
    ] {
        let settings = format!(
            "{{target: {{url: 'https://receiver.example/'}}, signing: {{keys: [{{id: k1, encoding: {encoding}, secretKeyRef: {{name: acme, key: k}}, notAfter: '2027-01-01T00:00:00Z'}}]}}}}"
        );
        let keys = resolved(&webhook("{}"), &settings, &with_secret("k", value.as_bytes())).signing_keys;
        assert_eq!((keys[0].id.as_str(), keys[0].key.expose()), ("k1", "MDEyMzQ1Njc4OWFiY2RlZg=="), "{encoding}");
        assert_eq!(keys[0].not_after.unwrap().to_string(), "2027-01-01T00:00:00Z");
    }
}

#[test]
fn a_key_that_cannot_be_used_is_refused_without_showing_it() {
    for (encoding, value, must) in [
        ("Whsec", "aGlkZGVuaGlkZGVuaGlkZGVuaGlkZGVu", "must begin with whsec_"),
        ("Whsec", "whsec_aGlkZGVu!", "must be whsec_ and then base64"),
        ("Whsec", "whsec_aGlkZGVu", "must be a key of 16 to 512 bytes"),
        ("Base64", "hidden!", "must be base64"),
        ("Raw", "hidden", "must be a key of 16 to 512 bytes"),
        ("Raw", &"hidden".repeat(100), "must be a key of 16 to 512 bytes"),
    ] {
        let settings = format!(
            "{{target: {{url: 'https://receiver.example/'}}, signing: {{keys: [{{id: k1, encoding: {encoding}, secretKeyRef: {{name: acme, key: k}}}}]}}}}"
        );
        let outcome = resolved_refs(&settings, &with_secret("k", value.as_bytes()));
        assert_refused(&outcome, "InvalidValue", must);
        assert!(!outcome.message.contains("hidden") && !outcome.message.contains("aGlkZGVu"), "{}", outcome.message);
    }
}

#[test]
fn without_keys_the_generated_one_signs() {
    let endpoint = endpoint("oak", "{target: {url: 'https://receiver.example/'}}");
    let generated = resolve::generated_key(&endpoint).unwrap();
    assert_eq!((generated.name.as_str(), generated.key.as_str()), ("oak-signing", GENERATED_KEY));
    assert!(references(&webhook("{}"), &endpoint).secrets.contains(&generated));
    let mut lookup = Lookup::default();
    lookup.insert_secret(generated.name, [(generated.key, KEY.as_bytes().to_vec())]);
    let verdict = verdict(Parent::Accepted(&webhook("{}")), &endpoint, &lookup);
    assert_eq!(verdict.endpoint.unwrap().signing_keys[0].id, GENERATED_KEY_ID);
}

#[test]
fn references_are_what_a_lookup_must_hold() {
    let webhook = webhook(
        "{defaults: {headers: [{name: A, valueFrom: {secretKeyRef: {name: a, key: a}}}, {name: B, valueFrom: {secretKeyRef: {name: b, key: b}}}]}}",
    );
    let endpoint = endpoint(
        "oak",
        "{target: {serviceRef: {name: sink}}, headers: [{name: a, valueFrom: {secretKeyRef: {name: own, key: own}}}], signing: {keys: [{id: k, secretKeyRef: {name: keys, key: k}}]}}",
    );
    let references = references(&webhook, &endpoint);
    assert_eq!(references.secret_names().into_iter().collect::<Vec<_>>(), ["b", "keys", "own"]);
    assert_eq!(references.service_names().into_iter().collect::<Vec<_>>(), ["sink"]);
    assert_eq!(references.services.first().unwrap().port, 80);
    assert_eq!(resolve::default_references(&webhook).secret_names().into_iter().collect::<Vec<_>>(), ["a", "b"]);
}

#[test]
fn nothing_secret_is_in_debug_output() {
    let settings =
        format!("{PLAIN}\n    headers: [{{name: X-Token, valueFrom: {{secretKeyRef: {{name: acme, key: token}}}}}}]");
    let lookup = with_secret("token", b"hidden");
    let text = format!("{:?} {lookup:?}", resolved(&webhook("{}"), &settings, &lookup));
    assert!(!text.contains("hidden") && !text.contains("MDEyMzQ1"), "{text}");
}
