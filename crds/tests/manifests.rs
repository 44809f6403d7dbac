//! The table of good and bad manifests, checked as far as that is possible without an API server.
//!
//! A bad one begins with `# refused: <field>: <part of the message>`; a file with two documents is an update from the
//! first, which must be good, to the second. What is said of a manifest must hold for the API server's message too: the
//! cluster tests check the same files there.

use std::{fs, path::PathBuf};

use posthaste_crds::offline::{Problem, admit, validate, validate_update};
use serde_json::Value;

struct Manifest {
    name: String,
    text: String,
    documents: Vec<Value>,
}

impl Manifest {
    fn check(&self) -> Result<(), Vec<Problem>> {
        match self.documents.as_slice() {
            [one] => validate(one),
            [old, new] => {
                validate(old)
                    .map_err(|problems| panic!("{}: the old one is refused: {problems:?}", self.name))
                    .unwrap();
                validate_update(old, new)
            }
            other => panic!("{} has {} documents", self.name, other.len()),
        }
    }

    /// Field and message of the first line.
    fn expectation(&self) -> (&str, &str) {
        let line = self.text.lines().next().and_then(|line| line.strip_prefix("# refused: "));
        line.and_then(|line| line.split_once(": ")).unwrap_or_else(|| panic!("{} says not what is refused", self.name))
    }
}

fn manifests(folder: &str) -> Vec<Manifest> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/manifests").join(folder);
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
        .into_iter()
        .map(|path| {
            let text = fs::read_to_string(&path).unwrap();
            let documents = text.split("\n---\n").map(|document| serde_yaml::from_str(document).unwrap()).collect();
            Manifest { name: path.file_name().unwrap().to_string_lossy().into_owned(), text, documents }
        })
        .collect()
}

#[test]
fn every_good_manifest_is_accepted_and_read_by_the_types() {
    for manifest in manifests("good") {
        assert_eq!(manifest.check(), Ok(()), "{}", manifest.name);
        for document in manifest.documents.iter().map(|document| admit(document).unwrap()) {
            let read = match document["kind"].as_str() {
                Some("Webhook") => serde_json::from_value::<posthaste_crds::v1alpha1::Webhook>(document).map(drop),
                _ => serde_json::from_value::<posthaste_crds::v1alpha1::WebhookEndpoint>(document).map(drop),
            };
            assert!(read.is_ok(), "{}: {read:?}", manifest.name);
        }
    }
}

#[test]
fn every_bad_manifest_is_refused_with_the_field_and_what_would_be_right() {
    let mut wrong = Vec::new();
    for manifest in manifests("bad") {
        let (field, message) = manifest.expectation();
        let problems = manifest.check().err().unwrap_or_default();
        if !problems.iter().any(|problem| problem.field == field && problem.message.contains(message)) {
            wrong.push(format!("{}: {field}: {message}\n  but: {problems:?}", manifest.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_table_shows_every_rule_at_work() {
    let said: String = manifests("bad").iter().map(|manifest| manifest.text.clone()).collect();
    for crd in posthaste_crds::crds() {
        for message in messages(&serde_json::to_value(crd).unwrap()) {
            let begin: String = message.chars().take(40).collect();
            assert!(said.contains(&begin), "no bad manifest for the rule {message:?}");
        }
    }
}

/// Messages of all rules in a definition.
fn messages(value: &Value) -> Vec<String> {
    let rules = value.get("x-kubernetes-validations").and_then(Value::as_array);
    let own = rules.into_iter().flatten().filter_map(|rule| rule["message"].as_str()).map(str::to_owned);
    let inner = match value {
        Value::Object(members) => members.values().flat_map(messages).collect(),
        Value::Array(items) => items.iter().flat_map(messages).collect(),
        _ => Vec::new(),
    };
    own.chain(inner).collect()
}
