//! The reference pages say everything, and nothing that would be refused.

use std::{fs, path::Path};

use posthaste_crds::{crds, offline};
use serde_json::Value;

/// Described elsewhere: settings of inline endpoints on the endpoint's page, Kubernetes' own types in Kubernetes' pages.
const ELSEWHERE: [&str; 6] = [
    "endpoints[].",
    "template.resources.",
    "template.affinity.",
    "template.tolerations[].",
    "template.imagePullSecrets[].",
    "conditions[].",
];

fn page(kind: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../docs/reference/{}.md", kind.to_lowercase()));
    fs::read_to_string(path).unwrap()
}

fn paths(schema: &Value, path: &str, found: &mut Vec<String>) {
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        found.push(path.clone());
        paths(property, &path, found);
        if let Some(items) = property.get("items") {
            paths(items, &format!("{path}[]"), found);
        }
    }
}

#[test]
fn every_field_is_on_its_kinds_page() {
    for crd in crds() {
        let kind = crd.spec.names.kind.clone();
        let page = page(&kind);
        let (spec, status) = page.split_once("\n## Status\n").unwrap();
        let value = serde_json::to_value(crd).unwrap();
        let root = &value["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"];
        for (part, text) in [("spec", spec), ("status", status)] {
            let mut found = Vec::new();
            paths(&root[part], "", &mut found);
            for path in found {
                let elsewhere = ELSEWHERE.iter().any(|prefix| path.starts_with(prefix)) && path != "endpoints[].name";
                assert!(elsewhere || text.contains(&format!("`{path}`")), "{kind}: {part}.{path} is not on its page");
            }
        }
    }
}

#[test]
fn every_example_is_accepted() {
    for kind in ["Webhook", "WebhookEndpoint"] {
        let page = page(kind);
        let examples: Vec<&str> =
            page.split("```yaml\n").skip(1).map(|rest| rest.split("```").next().unwrap_or_default()).collect();
        assert!(!examples.is_empty());
        for example in examples {
            let manifest: Value = serde_yaml::from_str(example).unwrap();
            assert_eq!(offline::validate(&manifest), Ok(()), "{example}");
        }
    }
}
