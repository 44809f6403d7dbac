//! What the `ingest` of a Webhook refers to.

use crate::fixtures::{PLAIN, Render, endpoint, lookup, webhook};
use posthaste_delivery_config::{
    Authentication, Redacted, Rendered,
    resolve::{self, Lookup, MAX_BEARER_KEYS},
};

const KEYS: &str = "{ingest: {authentication: BearerKeys, bearerKeys: {secretRef: {name: producers}}}}";
/// 16 characters, the shortest.
const KEY: &str = "0123456789abcdef";

fn with_producers<const N: usize>(entries: [(&str, &[u8]); N]) -> Lookup {
    let mut lookup = lookup();
    lookup.insert_secret("producers", entries.map(|(name, value)| (name.to_owned(), value.to_vec())));
    lookup
}

fn render(spec: &str, lookup: &Lookup) -> Rendered {
    Render::new(&webhook(spec), &[endpoint("oak", PLAIN)], lookup).run()
}

fn hashes(rendered: &Rendered) -> Vec<&str> {
    let webhook = &rendered.configuration.as_ref().unwrap().index.webhook;
    assert_eq!(webhook.authentication, Authentication::BearerKeys);
    webhook.bearer_keys.iter().map(Redacted::expose).collect()
}

#[test]
fn every_entry_of_the_secret_is_a_key_and_only_its_hash_is_written() {
    let rendered = render(KEYS, &with_producers([("old", KEY.as_bytes()), ("new", b"fedcba9876543210\n")]));
    assert!(rendered.resolved_refs.is_true(), "{:?}", rendered.resolved_refs);
    // As sha256sum prints them, without the line end.
    assert_eq!(
        hashes(&rendered),
        [
            "3465f6e6975baa864ca957f0914ecda9bf7eb601ac31ac20a5dc3d329279a843",
            "9f9f5111f7b27a781f1f1ddde5ebc2dd2b796bfc7365c9c28b548e564176929f"
        ]
    );
    let written = rendered.configuration.unwrap().index_json();
    assert!(!written.contains(KEY) && !written.contains("fedcba9876543210"));
}

#[test]
fn without_its_secret_no_key_is_valid_and_the_rest_goes_on() {
    let rendered = render(KEYS, &lookup());
    assert_eq!(rendered.resolved_refs.reason, "SecretNotFound");
    assert_eq!(rendered.resolved_refs.message, "ingest.bearerKeys.secretRef: there is no Secret \"producers\"");
    assert!(hashes(&rendered).is_empty());
    assert!(rendered.webhook.is_true());
    assert_eq!(rendered.attached(), 1);
}

#[test]
fn keys_that_cannot_be_used_are_named_without_showing_them_and_the_others_are_valid() {
    let lookup = with_producers([
        ("good", KEY.as_bytes()),
        ("short", &KEY.as_bytes()[1..]),
        ("spaced", b"0123456789 abcdef"),
        ("binary", &[0xff; 32]),
    ]);
    let rendered = render(KEYS, &lookup);
    assert_eq!(rendered.resolved_refs.reason, "InvalidValue");
    let message = &rendered.resolved_refs.message;
    for name in ["short", "spaced", "binary"] {
        assert!(
            message.contains(&format!("key \"{name}\" in Secret \"producers\" must be 16 to 512 visible")),
            "{message}"
        );
    }
    assert!(!message.contains("\"good\"") && !message.contains("123456789abcdef"), "{message}");
    assert_eq!(hashes(&rendered).len(), 1);
}

#[test]
fn an_empty_secret_and_one_with_too_many_entries_are_told() {
    let rendered = render(KEYS, &with_producers([]));
    assert!(rendered.resolved_refs.message.contains("is empty"), "{:?}", rendered.resolved_refs);
    let mut many = lookup();
    let entries = (0..=MAX_BEARER_KEYS).map(|number| (format!("k{number:03}"), format!("{KEY}{number}").into_bytes()));
    many.insert_secret("producers", entries);
    let rendered = render(KEYS, &many);
    assert!(rendered.resolved_refs.message.contains("only the first 64"), "{:?}", rendered.resolved_refs);
    assert_eq!(hashes(&rendered).len(), MAX_BEARER_KEYS);
}

#[test]
fn a_rotated_key_is_another_revision_of_the_webhook_and_of_no_endpoint() {
    let revision = |key: &[u8]| {
        let rendered = render(KEYS, &with_producers([("k", key)]));
        let index = rendered.configuration.unwrap().index;
        (index.revision, index.chunks)
    };
    let (old, new) = (revision(KEY.as_bytes()), revision(b"fedcba9876543210"));
    assert_ne!(old.0, new.0);
    assert_eq!(old.1, new.1);
}

const TLS: &str = "{ingest: {tls: {secretRef: {name: trees-tls}}}}";

/// A certificate and its key in PEM.
fn pair() -> (String, String) {
    let made = rcgen::generate_simple_self_signed(["trees-ingest.garden.svc".to_owned()]).unwrap();
    (made.cert.pem(), made.signing_key.serialize_pem())
}

fn with_tls(certificate: &str, key: &str) -> Lookup {
    let mut lookup = lookup();
    let entries = [("tls.crt", certificate), ("tls.key", key)];
    lookup.insert_secret("trees-tls", entries.map(|(name, text)| (name.to_owned(), text.as_bytes().to_vec())));
    lookup
}

#[test]
fn a_pair_is_written_and_its_key_is_not_shown() {
    let (certificate, key) = pair();
    let rendered = render(TLS, &with_tls(&certificate, &key));
    assert!(rendered.resolved_refs.is_true(), "{:?}", rendered.resolved_refs);
    let index = rendered.configuration.unwrap().index;
    let written = index.webhook.tls.as_ref().unwrap().pair.as_ref().unwrap();
    assert_eq!(written.certificates.trim(), certificate.trim());
    assert_eq!(written.private_key.expose().trim(), key.trim());
    assert!(!format!("{index:?}").contains("PRIVATE KEY"));
}

#[test]
fn a_pair_that_cannot_be_used_is_told_and_the_last_good_one_stays() {
    let (certificate, key) = pair();
    let webhook = webhook(TLS);
    let good = with_tls(&certificate, &key);
    let before = Render::new(&webhook, &[], &good).configuration().index;
    let (other_certificate, other_key) = pair();
    let long = format!("{certificate}{}", "#".repeat(70_000));
    for (lookup, reason, message) in [
        (lookup(), "SecretNotFound", "no Secret \"trees-tls\""),
        (with_tls(&certificate, &other_key), "InvalidValue", "tls.key is not the key of the first certificate"),
        (with_tls(&other_certificate, &key), "InvalidValue", "tls.key is not the key of the first certificate"),
        (with_tls("", &key), "InvalidValue", "tls.crt must hold certificates"),
        (with_tls(&key, &key), "InvalidValue", "tls.crt must hold certificates"),
        (with_tls("-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----", &key), "InvalidValue", "tls.crt must"),
        (with_tls(&certificate, &certificate), "InvalidValue", "tls.key must hold a private key"),
        (with_tls(&long, &key), "InvalidValue", "at most 65536 bytes"),
    ] {
        let rendered = Render { previous: Some(&before), ..Render::new(&webhook, &[], &lookup) }.run();
        let outcome = &rendered.resolved_refs;
        assert_eq!(outcome.reason, reason, "{outcome:?}");
        assert!(outcome.message.contains(message) && outcome.message.contains("stays in use"), "{outcome:?}");
        assert!(rendered.webhook.is_true());
        assert_eq!(rendered.configuration.unwrap().index.webhook.tls, before.webhook.tls, "{message}");
    }
}

#[test]
fn tls_without_a_pair_is_not_plain_http() {
    let rendered = render(TLS, &lookup());
    let tls = rendered.configuration.unwrap().index.webhook.tls.unwrap();
    assert_eq!(tls.pair, None);
    assert_eq!(render("{}", &lookup()).configuration.unwrap().index.webhook.tls, None);
}

#[test]
fn the_pair_of_another_webhook_of_the_same_name_is_not_taken_over() {
    let (certificate, key) = pair();
    let webhook = webhook(TLS);
    let mut before = Render::new(&webhook, &[], &with_tls(&certificate, &key)).configuration().index;
    before.webhook.uid = "another".to_owned();
    let lookup = lookup();
    let rendered = Render { previous: Some(&before), ..Render::new(&webhook, &[], &lookup) }.run();
    assert_eq!(rendered.configuration.unwrap().index.webhook.tls.unwrap().pair, None);
}

#[test]
fn the_secret_is_among_the_references() {
    let references = resolve::ingest_references(&webhook(KEYS));
    assert_eq!(references.secret_names().into_iter().collect::<Vec<_>>(), ["producers"]);
    let references = resolve::ingest_references(&webhook(TLS));
    assert_eq!(references.secret_names().into_iter().collect::<Vec<_>>(), ["trees-tls"]);
    assert!(resolve::ingest_references(&webhook("{}")).secret_names().is_empty());
}

#[test]
fn a_webhook_that_is_open_to_everyone_says_so() {
    let rendered = render("{ingest: {authentication: None}}", &lookup());
    assert!(rendered.webhook.is_true() && rendered.resolved_refs.is_true());
    assert!(rendered.webhook.message.contains("everyone who can reach"), "{:?}", rendered.webhook);
}
