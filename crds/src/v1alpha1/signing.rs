//! How deliveries are signed.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::SecretKeyRef;

/// The keys that sign deliveries, by the Standard Webhooks scheme (`webhook-id`, `webhook-timestamp` and
/// `webhook-signature` headers, HMAC-SHA256, version `v1`).
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Signing {
    /// One to four keys. All that have not expired sign at once, so that receivers can change over. When left out,
    /// the operator generates one and keeps it in the Secret that `status.signing.secretName` names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4))]
    #[x_kube(merge_strategy = kube::core::ListMerge::Map(vec!["id".into()]))]
    #[x_kube(validation = Rule::new("self.exists(key, !has(key.notAfter))").message("at least one key must have no notAfter: when all have expired, nothing could be signed"))]
    pub keys: Option<Vec<SigningKey>>,
}

/// One signing key.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct SigningKey {
    /// Name of the key in status and messages; not sent to receivers.
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub id: String,
    /// How the Secret's value is written. Default `Whsec`.
    #[serde(default)]
    pub encoding: KeyEncoding,
    /// Where the key is kept.
    pub secret_key_ref: SecretKeyRef,
    /// From this time on the key no longer signs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_after: Option<Time>,
}

/// How a key is written in its Secret.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema)]
pub enum KeyEncoding {
    /// `whsec_` and the key in base64, as Standard Webhooks writes it.
    #[default]
    Whsec,
    /// The key in base64.
    Base64,
    /// The bytes of the value are the key.
    Raw,
}
