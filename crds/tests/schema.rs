//! Properties of the definitions as a whole.

use std::{fs, path::Path};

use posthaste_crds::{
    crd::{Audience, files},
    crds,
};
use serde_json::Value;

/// Subtrees that are Kubernetes' own types: their descriptions and bounds are Kubernetes'.
const CORE_TYPES: [&str; 6] = [
    "spec.template.affinity",
    "spec.template.resources",
    "spec.template.tolerations[]",
    "spec.template.imagePullSecrets[]",
    "status.conditions[].type",
    "metadata",
];

/// Calls `visit` with the path of every schema in a definition.
fn each(mut visit: impl FnMut(&str, &Value)) {
    fn walk(path: &str, schema: &Value, visit: &mut dyn FnMut(&str, &Value)) {
        if CORE_TYPES.contains(&path) {
            return;
        }
        visit(path, schema);
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            let separator = if path.is_empty() { "" } else { "." };
            walk(&format!("{path}{separator}{name}"), property, visit);
        }
        for (child, suffix) in [("items", "[]"), ("additionalProperties", "{}")] {
            if let Some(child) = schema.get(child) {
                walk(&format!("{path}{suffix}"), child, visit);
            }
        }
    }
    for crd in crds() {
        let crd = serde_json::to_value(crd).unwrap();
        walk("", &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"], &mut visit);
    }
}

#[test]
fn the_committed_files_are_what_the_types_generate() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for (folder, audience) in [("crds/yaml", Audience::Kubectl), ("charts/posthaste-crds/templates", Audience::Chart)] {
        for file in files(audience) {
            let found = fs::read_to_string(root.join(folder).join(&file.name)).unwrap_or_default();
            assert!(
                found == file.content,
                "{folder}/{} is out of date: cargo run -p posthaste-crds --bin crdgen crds/yaml charts/posthaste-crds/templates",
                file.name
            );
        }
    }
}

#[test]
fn the_chart_keeps_the_definitions_and_holds_no_template_by_accident() {
    for file in files(Audience::Chart) {
        assert!(file.content.contains("helm.sh/resource-policy: keep"));
        assert!(!file.content.contains("{{"), "{}", file.name);
    }
    assert!(files(Audience::Kubectl).iter().all(|file| !file.content.contains("helm.sh")));
}

#[test]
fn every_field_has_a_sentence_for_kubectl_explain() {
    each(|path, schema| {
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            if path.is_empty() && (name == "spec" || name == "status" || name == "metadata") {
                continue;
            }
            let text = property["description"].as_str().unwrap_or_default();
            assert!(text.ends_with(['.', ')']) && text.len() > 3, "{path}.{name} has no sentence: {text:?}");
        }
    });
}

#[test]
fn every_string_list_and_map_is_bounded() {
    each(|path, schema| {
        let bound = |name: &str| schema.get(name).is_some();
        match schema["type"].as_str() {
            Some("string") => {
                let closed = bound("maxLength") || bound("enum") || schema["format"] == "date-time";
                assert!(closed, "{path} has no maxLength");
            }
            Some("array") => assert!(bound("maxItems"), "{path} has no maxItems"),
            Some("object") if bound("additionalProperties") => {
                assert!(bound("maxProperties"), "{path} has no maxProperties");
            }
            // Bounded by size when it is judged.
            Some("object") if path == "spec.eventTypes[].schema" => {
                assert_eq!(schema["x-kubernetes-preserve-unknown-fields"], true);
            }
            Some("object") => assert!(bound("properties") || path.ends_with("emptyDir"), "{path} takes anything"),
            Some("integer" | "boolean") => {}
            _ => assert_eq!(schema["x-kubernetes-int-or-string"], true, "{path} has no type"),
        }
    });
}

#[test]
fn numbers_that_users_write_are_bounded() {
    each(|path, schema| {
        if path.starts_with("spec") && schema["type"] == "integer" {
            assert!(schema.get("minimum").is_some() && schema.get("maximum").is_some(), "{path} has no bounds");
        }
    });
}

#[test]
fn the_schema_is_structural_and_in_words_that_kubernetes_knows() {
    each(|path, schema| {
        for keyword in ["oneOf", "anyOf", "allOf", "not", "$ref", "nullable", "title"] {
            assert!(schema.get(keyword).is_none(), "{path} has {keyword}");
        }
        let format = schema.get("format").and_then(Value::as_str).unwrap_or("int32");
        assert!(["int32", "int64", "date-time"].contains(&format), "{path} has format {format}");
    });
}

#[test]
fn every_rule_says_what_would_be_right() {
    each(|path, schema| {
        for rule in schema["x-kubernetes-validations"].as_array().into_iter().flatten() {
            assert!(rule["message"].as_str().is_some_and(|message| !message.is_empty()), "{path}: {rule}");
        }
    });
}

#[test]
fn fields_that_can_be_inherited_have_no_default() {
    each(|path, schema| {
        let inherited = path.contains("delivery") && !path.ends_with("backoff.factor");
        assert!(!(inherited && schema.get("default").is_some()), "{path} has a default, which hides the inheritance");
    });
}

#[test]
fn webhooks_scale_and_endpoints_are_selected_by_webhook() {
    let all: Vec<Value> = crds().iter().map(|crd| serde_json::to_value(crd).unwrap()).collect();
    let version = |index: usize| &all[index]["spec"]["versions"][0];
    assert_eq!(version(0)["subresources"]["scale"]["specReplicasPath"], ".spec.replicas");
    assert_eq!(version(0)["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["replicas"]["default"], 1);
    assert_eq!(version(1)["selectableFields"][0]["jsonPath"], ".spec.webhookRef.name");
    for crd in &all {
        assert_eq!(crd["spec"]["names"]["categories"][0], "posthaste");
        assert_eq!(crd["metadata"]["labels"]["app.kubernetes.io/name"], "posthaste");
    }
}
