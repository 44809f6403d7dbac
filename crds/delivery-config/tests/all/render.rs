//! What is written into the configuration Secrets.

use std::collections::BTreeSet;

use crate::fixtures::{PLAIN, Render, UID, endpoint, lookup, read_back, webhook};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{OwnerReference, Time};
use posthaste_crds::v1alpha1::{Webhook, WebhookEndpoint};
use posthaste_delivery_config::{
    Index, Interest, Rendered, Tombstone, Waiting,
    contract::{self, MAX_CHUNK_BYTES, MAX_ENDPOINT_BYTES, MAX_INDEX_BYTES},
    render::{MAX_LISTED, chunk_number},
    schema::MAX_SCHEMAS_BYTES,
};
use proptest::prelude::*;

fn plain(names: impl IntoIterator<Item = impl ToString>) -> Vec<WebhookEndpoint> {
    names.into_iter().map(|name| endpoint(&name.to_string(), PLAIN)).collect()
}

fn accepted_reasons(rendered: &Rendered) -> Vec<&'static str> {
    rendered.endpoints.iter().map(|endpoint| endpoint.accepted.reason).collect()
}

#[test]
fn what_was_written_is_read_back_with_all_defaults_filled_in() {
    let webhook = webhook("{eventTypes: [{name: tree.planted}]}");
    let endpoints = plain(["oak", "ash"]);
    let configuration = Render::new(&webhook, &endpoints, &lookup()).configuration();
    let names: BTreeSet<_> = read_back(&configuration).into_iter().map(|endpoint| endpoint.name).collect();
    assert_eq!(names, BTreeSet::from(["ash".to_owned(), "oak".to_owned()]));
    let config = &configuration.index.webhook;
    assert_eq!(
        (config.name.as_str(), config.namespace.as_str(), config.uid.as_str(), config.generation),
        ("trees", "garden", UID, 3)
    );
    assert_eq!(config.event_types.as_deref().unwrap(), ["tree.planted"]);
    assert_eq!(
        (config.max_payload_bytes, config.idempotency_window_ms, config.limits.in_flight),
        (262_144, 86_400_000, 1024)
    );
    assert_eq!(config.journal_max_bytes, 8 << 30);
    assert_eq!(config.journal_max_bytes_per_endpoint, 1 << 30);
    assert_eq!((config.dead_letter.retention_ms, config.dead_letter.max_bytes), (604_800_000, 1 << 30));
    assert_eq!(config.history_retention_ms, 259_200_000);
}

#[test]
fn schemas_are_rendered_as_they_were_written() {
    let spec = "{eventTypes: [{name: a, schema: {const: null, multipleOf: 2.0}}, {name: b}]}";
    let configuration = Render::new(&webhook(spec), &[], &lookup()).configuration();
    let index = contract::read_index(configuration.index_json().as_bytes()).unwrap();
    let expected = serde_json::json!({"a": {"const": null, "multipleOf": 2.0}});
    assert_eq!(serde_json::to_value(&index.webhook.event_schemas).unwrap(), expected);
    // Another schema is another revision.
    let other = Render::new(&webhook(&spec.replace("null", "1")), &[], &lookup()).configuration();
    assert_ne!(other.index.revision, index.revision);
    // An index without schemas is as it was before there were any.
    let none = Render::new(&webhook("{eventTypes: [{name: b}]}"), &[], &lookup()).configuration();
    assert!(!none.index_json().contains("eventSchemas"));
}

#[test]
fn schemas_that_are_too_large_together_are_refused() {
    let schema = format!("{{description: {}}}", "x".repeat(32_000));
    let spec = |count: usize| {
        let types: Vec<String> = (0..count).map(|number| format!("{{name: t{number}, schema: {schema}}}")).collect();
        webhook(&format!("{{eventTypes: [{}]}}", types.join(",")))
    };
    let refused = Render::new(&spec(5), &[], &lookup()).run().webhook;
    assert_eq!(refused.reason, "TooLarge");
    assert!(refused.message.contains("eventTypes[].schema: all schemas together"), "{}", refused.message);
    assert!(Render::new(&spec(4), &[], &lookup()).run().webhook.is_true());
}

#[test]
fn parts_of_a_journal_are_as_written_or_an_eighth_of_a_small_one() {
    let config = |spec| Render::new(&webhook(spec), &[], &lookup()).configuration().index.webhook;
    let small = config("{journal: {maxBytes: 64Mi}, deadLetter: {retention: 2h}}");
    assert_eq!((small.dead_letter.retention_ms, small.dead_letter.max_bytes), (7_200_000, 8 << 20));
    let written = config("{journal: {maxBytes: 64Mi}, deadLetter: {maxBytes: 32Mi}}");
    assert_eq!(written.dead_letter.max_bytes, 32 << 20);
    assert_eq!(small.journal_max_bytes_per_endpoint, 8 << 20);
    let written = config("{journal: {maxBytes: 64Mi, maxBytesPerEndpoint: 64Mi}}");
    assert_eq!(written.journal_max_bytes_per_endpoint, 64 << 20);
}

#[test]
fn history_is_kept_as_long_as_written_or_not_at_all() {
    let retention =
        |spec| Render::new(&webhook(spec), &[], &lookup()).configuration().index.webhook.history_retention_ms;
    assert_eq!(retention("{history: {retention: 2h}}"), 7_200_000);
    assert_eq!(retention("{history: {retention: 0s}}"), 0);
    assert_eq!(retention("{history: {}}"), 259_200_000);
}

#[test]
fn a_change_of_one_endpoint_changes_one_chunk_and_the_revision() {
    let webhook = webhook("{}");
    let mut endpoints = plain(0..200);
    let before = Render::new(&webhook, &endpoints, &lookup()).configuration();
    endpoints[7].spec.settings.suspend = Some(true);
    let after = Render::new(&webhook, &endpoints, &lookup()).configuration();
    let changed: Vec<_> =
        before.chunks.iter().filter(|(number, chunk)| after.chunks[number] != **chunk).map(|(n, _)| *n).collect();
    assert_eq!(changed, [chunk_number("7")]);
    assert_ne!(before.index.revision, after.index.revision);
    assert_eq!(before.index.revision.len(), 16);
}

#[test]
fn a_rotated_secret_changes_the_revision_and_another_webhook_has_another_one() {
    let endpoints = plain(["oak"]);
    let mut trees = webhook("{}");
    let before = Render::new(&trees, &endpoints, &lookup()).configuration();
    let mut rotated = lookup();
    rotated.insert_secret("keys", [("key".to_owned(), b"whsec_ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA=".to_vec())]);
    assert_ne!(Render::new(&trees, &endpoints, &rotated).configuration().index.revision, before.index.revision);
    trees.metadata.uid = Some("another".to_owned());
    let other = Render::new(&trees, &endpoints, &lookup()).configuration();
    assert_eq!(other.chunks, before.chunks);
    assert_ne!(other.index.revision, before.index.revision);
}

#[test]
fn endpoints_are_spread_over_all_chunks() {
    let mut counts = [0_u32; 64];
    for number in 0..64 * 100 {
        counts[usize::from(chunk_number(&format!("uid-{number}")))] += 1;
    }
    assert!(counts.iter().all(|count| (50..200).contains(count)), "{counts:?}");
    // Must never change: chunks of a running installation depend on it.
    assert_eq!([chunk_number(UID), chunk_number("oak")], [33, 11]);
}

#[test]
fn an_endpoint_that_waits_is_parked_and_one_that_went_gets_a_tombstone_until_the_sidecar_knows() {
    let (trees, lookup) = (webhook("{}"), lookup());
    let mut endpoints = plain(["ash", "elm", "oak"]);
    let first = Render::new(&trees, &endpoints, &lookup).configuration().index;
    assert!(first.parked.is_empty() && first.tombstones.is_empty());

    endpoints.remove(0);
    endpoints[0].spec.settings.signing.as_mut().unwrap().keys.as_mut().unwrap()[0].secret_key_ref.name =
        "none".to_owned();
    let mut render = Render::new(&trees, &endpoints, &lookup);
    (render.previous, render.acknowledged) = (Some(&first), Some(first.revision.as_str()));
    let second = render.configuration().index;
    let time = render.now.parse().unwrap();
    assert_eq!(second.parked, ["elm"]);
    assert_eq!(second.tombstones, [Tombstone { uid: "ash".to_owned(), time }]);

    // The sidecar still runs the first one: the tombstone stays, and nothing depends on the time any more.
    (render.previous, render.now) = (Some(&second), "2026-03-01T13:00:00Z");
    assert_eq!(render.configuration().index, second);

    render.acknowledged = Some(&second.revision);
    let third = render.configuration().index;
    assert!(third.tombstones.is_empty());
    (render.previous, render.acknowledged) = (Some(&third), Some(third.revision.as_str()));
    assert_eq!(render.configuration().index, third);

    // A parked endpoint that goes leaves deliveries too.
    endpoints.remove(0);
    let mut render = Render::new(&trees, &endpoints, &lookup);
    render.previous = Some(&third);
    assert_eq!(render.configuration().index.tombstones[0].uid, "elm");
}

#[test]
fn an_index_of_a_former_webhook_of_the_same_name_leaves_no_tombstones() {
    let (trees, lookup) = (webhook("{}"), lookup());
    let mut previous = Render::new(&trees, &plain(["ash"]), &lookup).configuration().index;
    previous.webhook.uid = "former".to_owned();
    let mut render = Render::new(&trees, &[], &lookup);
    render.previous = Some(&previous);
    assert!(render.configuration().index.tombstones.is_empty());
}

#[test]
fn the_earliest_created_keep_their_places_and_the_next_follows_when_one_goes() {
    let (trees, lookup) = (webhook("{limits: {endpoints: 3, endpointsPerTenant: 1}}"), lookup());
    let at = |name: &str, minute: u8, tenant: Option<&str>| {
        let mut endpoint = endpoint(name, PLAIN);
        endpoint.metadata.creation_timestamp = Some(Time(format!("2026-01-01T00:{minute:02}:00Z").parse().unwrap()));
        endpoint.spec.settings.tenant = tenant.map(str::to_owned);
        endpoint
    };
    let mut endpoints = vec![
        at("latest", 9, None),
        at("a2", 2, Some("a")),
        at("a1", 1, Some("a")),
        at("b1", 2, Some("b")),
        at("c", 3, None),
    ];
    let rendered = Render::new(&trees, &endpoints, &lookup).run();
    assert_eq!(accepted_reasons(&rendered), ["LimitExceeded", "LimitExceeded", "Accepted", "Accepted", "Accepted"]);
    assert!(rendered.endpoints[0].accepted.message.contains("limits.endpoints"));
    assert!(rendered.endpoints[1].accepted.message.contains("limits.endpointsPerTenant"));
    assert_eq!(rendered.attached(), 3);

    endpoints.remove(2);
    let rendered = Render::new(&trees, &endpoints, &lookup).run();
    assert_eq!(accepted_reasons(&rendered), ["LimitExceeded", "Accepted", "Accepted", "Accepted"]);
}

#[test]
fn of_endpoints_of_one_second_those_with_the_first_names_keep_their_places_in_whatever_order_they_come() {
    let (trees, lookup) = (webhook("{limits: {endpoints: 2}}"), lookup());
    let mut endpoints = plain(["elm", "ash", "oak"]);
    // UIDs are random.
    for (endpoint, uid) in endpoints.iter_mut().zip(["1", "3", "2"]) {
        endpoint.metadata.uid = Some(uid.to_owned());
    }
    for _ in 0..endpoints.len() {
        endpoints.rotate_left(1);
        let rendered = Render::new(&trees, &endpoints, &lookup).run();
        let attached: BTreeSet<_> =
            rendered.endpoints.iter().filter(|one| one.attached).map(|one| &*one.name).collect();
        assert_eq!(attached, BTreeSet::from(["ash", "elm"]));
    }
}

#[test]
fn an_endpoint_over_a_limit_is_not_rendered_and_gets_no_events_until_the_limit_is_raised() {
    let (strict, lookup) = (webhook("{limits: {endpoints: 1}}"), lookup());
    let endpoints = plain(["ash", "oak"]);
    let rendered = Render::new(&strict, &endpoints, &lookup).run();
    let configuration = rendered.configuration.unwrap();
    assert_eq!(read_back(&configuration).len(), 1);
    // It may have deliveries from before, which wait; it is not among those that events are kept for.
    assert_eq!(configuration.index.parked, ["oak"]);
    assert_eq!(configuration.index.waiting, Some(Vec::new()));
    let raised = webhook("{limits: {endpoints: 2}}");
    let mut render = Render::new(&raised, &endpoints, &lookup);
    render.previous = Some(&configuration.index);
    assert_eq!(accepted_reasons(&render.run()), ["Accepted", "Accepted"]);
    assert_eq!(read_back(&render.configuration()).len(), 2);
}

#[test]
fn an_endpoint_that_is_not_accepted_takes_no_place() {
    let (trees, lookup) = (webhook("{limits: {endpoints: 1}}"), lookup());
    let mut endpoints = plain(["ash", "oak"]);
    endpoints[0].spec.settings.target.url = Some("http://receiver.example/".to_owned());
    let rendered = Render::new(&trees, &endpoints, &lookup).run();
    assert_eq!(accepted_reasons(&rendered), ["Invalid", "Accepted"]);
}

#[test]
fn a_webhook_that_is_not_accepted_gets_no_configuration() {
    let lookup = lookup();
    for (spec, reason, message) in [
        (
            "{eventTypes: [{name: a, schema: {}}, {name: b, schema: {properties: {x: {$ref: 'https://x.example/'}}}}]}",
            "InvalidSchema",
            "eventTypes[1].schema (\"b\"): at \"/properties/x/$ref\": refers to \"https://x.example/\", outside of this schema",
        ),
        (
            "{eventTypes: [{name: a, schema: {type: objet}}]}",
            "InvalidSchema",
            "eventTypes[0].schema (\"a\"): at \"/type\": ",
        ),
        ("{journal: {maxBytes: 20Gi}}", "Invalid", "journal.maxBytes (20Gi) must be at most the default volume"),
        (
            "{journal: {maxBytes: 2Gi, storage: {emptyDir: {sizeLimit: 1Gi}}}}",
            "Invalid",
            "journal.storage.emptyDir.sizeLimit",
        ),
        (
            "{journal: {maxBytes: 1Gi, storage: {volumeClaim: {size: much}}}}",
            "Invalid",
            "journal.storage.volumeClaim.size: \"much\" is not",
        ),
        (
            "{journal: {maxBytes: 64Mi, maxBytesPerEndpoint: 65Mi}}",
            "Invalid",
            "journal.maxBytesPerEndpoint (65Mi) must be at most journal.maxBytes (67108864 bytes)",
        ),
        (
            "{journal: {maxBytes: 64Mi}, deadLetter: {maxBytes: 33Mi}}",
            "Invalid",
            "deadLetter.maxBytes (33Mi) must be at most half of journal.maxBytes (33554432 bytes)",
        ),
        ("{defaults: {headers: [{name: A, value: x}, {name: a, value: y}]}}", "Invalid", "defaults.headers[1]"),
        (
            "{defaults: {headers: [{name: A, value: '${x}'}]}}",
            "InvalidTemplate",
            "defaults.headers[0] (\"A\").value, at character 3",
        ),
        (
            "{endpoints: [{name: oak, target: {url: 'https://receiver.example/'}}]}",
            "NameConflict",
            "\"trees-oak\" exists",
        ),
    ] {
        let endpoints = plain(["trees-oak"]);
        let rendered = Render::new(&webhook(spec), &endpoints, &lookup).run();
        assert_eq!((rendered.webhook.status.as_str(), rendered.webhook.reason), ("False", reason), "{spec}");
        assert!(rendered.webhook.message.contains(message), "{}", rendered.webhook.message);
        assert_eq!(rendered.configuration, None);
        assert_eq!(accepted_reasons(&rendered), ["WebhookNotAccepted"]);
    }
}

#[test]
fn inline_endpoints_that_belong_to_the_webhook_are_no_conflict() {
    let mut endpoints = plain(["trees-oak"]);
    endpoints[0].metadata.owner_references = Some(vec![OwnerReference {
        api_version: "posthaste.dev/v1alpha1".to_owned(),
        kind: "Webhook".to_owned(),
        name: "trees".to_owned(),
        uid: UID.to_owned(),
        controller: Some(true),
        block_owner_deletion: Some(true),
    }]);
    let trees = webhook("{endpoints: [{name: oak, target: {url: 'https://receiver.example/'}}]}");
    assert!(Render::new(&trees, &endpoints, &lookup()).run().webhook.is_true());
}

#[test]
fn an_endpoint_that_is_too_large_is_turned_down_and_the_others_stay() {
    let (trees, lookup) = (webhook("{}"), lookup());
    let mut endpoints = plain(["ash", "oak"]);
    let value = "x".repeat(MAX_ENDPOINT_BYTES);
    endpoints[0].spec.settings.parameters = Some([("large".to_owned(), value)].into());
    let rendered = Render::new(&trees, &endpoints, &lookup).run();
    assert_eq!(accepted_reasons(&rendered), ["TooLarge", "Accepted"]);
    assert_eq!(rendered.configuration.unwrap().index.parked, ["ash"]);
}

#[test]
fn a_full_chunk_turns_down_the_latest() {
    let (trees, lookup) = (webhook("{}"), lookup());
    // Names whose hash is the same chunk, each with 100 KiB: seven fit into 768 KiB.
    let names = (0..).map(|n| format!("e{n}")).filter(|name| chunk_number(name) == 5).take(9);
    let mut endpoints = plain(names);
    for (age, endpoint) in endpoints.iter_mut().enumerate() {
        endpoint.metadata.creation_timestamp = Some(Time(format!("2026-01-01T00:0{}:00Z", 9 - age).parse().unwrap()));
        endpoint.spec.settings.parameters = Some([("large".to_owned(), "x".repeat(100 * 1024))].into());
    }
    let rendered = Render::new(&trees, &endpoints, &lookup).run();
    let reasons = accepted_reasons(&rendered);
    assert_eq!(reasons[..2], ["TooLarge", "TooLarge"]);
    assert!(reasons[2..].iter().all(|reason| *reason == "Accepted"));
    let configuration = rendered.configuration.unwrap();
    assert!(configuration.chunks[&5].json.expose().len() <= MAX_CHUNK_BYTES);
    assert_eq!(configuration.index.parked.len(), 2);
}

/// Its key is missing.
const WAITING: &str = "
    target: {url: 'https://receiver.example/'}
    signing: {keys: [{id: k1, secretKeyRef: {name: none, key: key}}]}
";

fn long_uid(n: usize) -> String {
    format!("{n:08x}-0000-4000-8000-000000000000")
}

/// Each with a UID of its own.
fn with_long_uids(endpoints: Vec<WebhookEndpoint>) -> impl Iterator<Item = WebhookEndpoint> {
    endpoints.into_iter().enumerate().map(|(n, mut endpoint)| {
        endpoint.metadata.uid = Some(long_uid(n));
        endpoint
    })
}

/// A Webhook with the longest catalogue.
fn large_webhook() -> Webhook {
    let types: Vec<String> = (0..512).map(|n| format!("{{name: '{n:0128}'}}")).collect();
    webhook(&format!("{{eventTypes: [{}]}}", types.join(",")))
}

#[test]
fn what_an_endpoint_wants_is_listed_while_it_waits_and_not_when_it_is_refused() {
    let (trees, lookup) = (webhook("{limits: {endpoints: 5}}"), lookup());
    let with = |name: &str, more: &str| endpoint(name, &format!("{WAITING}\n    {more}"));
    let mut endpoints = vec![
        endpoint("ash", PLAIN),
        with("elm", "tenant: acme"),
        with("fir", "eventTypes: [a.*]"),
        with("oak", "tenant: acme"),
        with("pine", "enabled: false"),
        // Over the limit.
        with("yew", "tenant: acme"),
    ];
    let index = Render::new(&trees, &endpoints, &lookup).configuration().index;
    assert_eq!(index.parked, ["elm", "fir", "oak", "pine", "yew"]);
    let acme = Interest { tenant: Some("acme".to_owned()), event_types: None, filter: None };
    let a = Interest { tenant: None, event_types: Some(vec!["a.*".to_owned()]), filter: None };
    let waiting = |interest, parked: &[u32]| Waiting { interest: Some(interest), parked: parked.to_vec() };
    assert_eq!(index.waiting, Some(vec![waiting(acme.clone(), &[0, 2]), waiting(a, &[1])]));

    // What is not accepted gets nothing, whatever it lacks besides.
    endpoints[1].spec.settings.target.url = Some("http://receiver.example/".to_owned());
    let index = Render::new(&trees, &endpoints, &lookup).configuration().index;
    assert_eq!(
        index.waiting.unwrap().iter().find(|waiting| waiting.interest.as_ref() == Some(&acme)).unwrap().parked,
        [2, 4]
    );
    // And nobody waits when nothing is missing.
    assert_eq!(Render::new(&trees, &plain(["ash"]), &lookup).configuration().index.waiting, Some(Vec::new()));
}

#[test]
fn all_endpoints_of_a_webhook_may_lose_a_common_secret() {
    let (trees, lookup) = (large_webhook(), lookup());
    let endpoints = with_long_uids(vec![endpoint("elm", WAITING); 10_000]);
    let endpoints = endpoints.enumerate().map(|(n, mut endpoint)| {
        endpoint.spec.settings.tenant = Some(format!("tenant-{}", n % 500));
        endpoint
    });
    let endpoints: Vec<_> = endpoints.collect();
    let configuration = Render::new(&trees, &endpoints, &lookup).configuration();
    assert_eq!(configuration.index.parked.len(), 10_000);
    let waiting = configuration.index.waiting.as_ref().unwrap();
    assert_eq!(waiting.iter().filter(|waiting| waiting.interest.is_some()).count(), 500);
    assert_eq!(waiting.iter().map(|waiting| waiting.parked.len()).sum::<usize>(), 10_000);
    assert!(configuration.index_json().len() <= MAX_INDEX_BYTES);
}

#[test]
fn the_largest_schemas_leave_room_in_the_largest_index() {
    let (mut trees, lookup) = (large_webhook(), lookup());
    let schema = serde_json::json!({"description": "x".repeat(MAX_SCHEMAS_BYTES / 512 - 152)});
    trees.spec.event_types.iter_mut().flatten().for_each(|known| known.schema = Some(schema.clone()));
    assert_eq!(trees.spec.event_types.as_ref().unwrap().len(), 512);
    let endpoints: Vec<_> = with_long_uids(vec![endpoint("elm", WAITING); MAX_LISTED]).collect();
    let mut previous: Index = Render::new(&webhook("{}"), &[], &lookup).configuration().index;
    previous.parked = (100_000..110_000).map(long_uid).collect();
    let mut render = Render::new(&trees, &endpoints, &lookup);
    render.previous = Some(&previous);
    let configuration = render.configuration();
    assert_eq!(configuration.index.parked.len(), MAX_LISTED);
    assert!(configuration.index.tombstones.len() >= 100, "{}", configuration.index.tombstones.len());
    assert!(configuration.index_json().len() <= MAX_INDEX_BYTES);
}

#[test]
fn the_largest_index_has_room() {
    let (trees, lookup) = (large_webhook(), lookup());
    // Interests of some of those that wait are as long as may be, and no two the same.
    let types = |n: usize| (0..64).map(|t| format!("{n:08}{t:0120}")).collect();
    let waiting = vec![endpoint("elm", WAITING); MAX_LISTED].into_iter().enumerate().map(|(n, mut endpoint)| {
        endpoint.spec.settings.event_types = n.is_multiple_of(100).then(|| types(n));
        endpoint
    });
    // By its name it comes before those that wait, so that all places are its.
    let endpoints = vec![endpoint("ash", PLAIN); 10_001].into_iter().chain(waiting).collect();
    let endpoints: Vec<_> = with_long_uids(endpoints).collect();
    // More than the limit's ten thousand are accepted only of those that wait behind none.
    for (n, attached) in [(10_001, 10_000), (5_000, 5_000), (0, 0)] {
        let endpoints = &endpoints[10_001 - n..];
        let mut previous: Index = Render::new(&trees, &[], &lookup).configuration().index;
        previous.parked = (100_000..120_000).map(long_uid).collect();
        let mut render = Render::new(&trees, endpoints, &lookup);
        render.previous = Some(&previous);
        let configuration = render.configuration();
        let Index { chunks, parked, waiting, tombstones, .. } = &configuration.index;
        assert_eq!(chunks.iter().map(|chunk| chunk.endpoints.len()).sum::<usize>(), attached);
        assert_eq!(attached + parked.len(), MAX_LISTED.min(endpoints.len()));
        assert!(tombstones.len() >= 2_000, "{}", tombstones.len());
        let size = configuration.index_json().len();
        assert!(size <= MAX_INDEX_BYTES, "{size}");
        assert!(size > MAX_INDEX_BYTES - 90_000, "what there is room for is used: {size}");
        if attached == 0 {
            assert!(waiting.as_ref().unwrap().iter().any(|waiting| waiting.interest.is_none()));
        }
    }
}

proptest! {
    #[test]
    fn equal_input_in_any_order_gives_equal_bytes(order in Just((0..40_usize).collect::<Vec<_>>()).prop_shuffle(), suspended in 0..40_usize) {
        let (trees, lookup) = (webhook("{limits: {endpoints: 30}}"), lookup());
        let mut endpoints = plain(0..40);
        endpoints[suspended].spec.settings.suspend = Some(true);
        let sorted = Render::new(&trees, &endpoints, &lookup).configuration();
        let shuffled: Vec<_> = order.iter().map(|position| endpoints[*position].clone()).collect();
        let other = Render::new(&trees, &shuffled, &lookup).configuration();
        prop_assert_eq!(sorted.index_json(), other.index_json());
        prop_assert_eq!(&sorted.chunks, &other.chunks);
        // Every endpoint is either in a chunk or parked, never both.
        prop_assert_eq!(read_back(&sorted).len() + sorted.index.parked.len(), 40);
    }
}
