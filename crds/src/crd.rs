//! The CustomResourceDefinitions: generated from the types, then made to read and behave as users of Kubernetes expect.

mod schema;
mod yaml;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{CustomResourceExt, ResourceExt};
use serde_json::Value;

use crate::{
    labels,
    v1alpha1::{Webhook, WebhookEndpoint},
};

/// Helm's annotation for what `helm uninstall` leaves in place: a removed definition takes all its resources with it.
const KEEP_ANNOTATION: (&str, &str) = ("helm.sh/resource-policy", "keep");

/// The definitions as they are installed, one for each kind.
pub fn crds() -> Vec<CustomResourceDefinition> {
    vec![tidy(Webhook::crd()), tidy(WebhookEndpoint::crd())]
}

fn tidy(generated: CustomResourceDefinition) -> CustomResourceDefinition {
    let mut value = serde_json::to_value(generated).expect("a definition is expressible in JSON");
    for schema in value.pointer_mut("/spec/versions").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(schema) = schema.pointer_mut("/schema/openAPIV3Schema") {
            schema::tidy(schema);
            schema::name_metadata(schema);
        }
    }
    let mut crd: CustomResourceDefinition =
        serde_json::from_value(value).expect("a definition stays one when its schema is tidied");
    crd.labels_mut().insert(labels::APP_NAME.to_owned(), labels::APP_NAME_VALUE.to_owned());
    crd
}

/// Who a file with a definition is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// `kubectl apply`.
    Kubectl,
    /// The chart, which leaves definitions in place when it is uninstalled.
    Chart,
}

/// A file with one definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Such as `webhooks.yaml`.
    pub name: String,
    /// YAML, the same for the same types.
    pub content: String,
}

/// The definitions as files.
pub fn files(audience: Audience) -> Vec<File> {
    let file = |mut crd: CustomResourceDefinition| {
        if audience == Audience::Chart {
            let (key, value) = KEEP_ANNOTATION;
            crd.annotations_mut().insert(key.to_owned(), value.to_owned());
        }
        File { name: format!("{}.yaml", crd.spec.names.plural), content: yaml::write(&crd) }
    };
    crds().into_iter().map(file).collect()
}
