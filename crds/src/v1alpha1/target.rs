//! Where an endpoint's deliveries go.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::SecretKeyRef;

/// Where deliveries go: exactly one of `url`, `urlFrom` and `serviceRef`.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("(has(self.url) ? 1 : 0) + (has(self.urlFrom) ? 1 : 0) + (has(self.serviceRef) ? 1 : 0) == 1").message("set exactly one of url, urlFrom and serviceRef"))]
#[x_kube(validation = Rule::new("!has(self.url) || self.url.startsWith('https://') || (has(self.allowHTTP) && self.allowHTTP)").message("url must begin with https://, or allowHTTP must be true here and in the Webhook's limits").field_path(".url"))]
pub struct Target {
    /// The receiver's URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 2048))]
    #[x_kube(validation = Rule::new("isURL(self) && (self.startsWith('https://') || self.startsWith('http://'))").message("url must be an absolute https:// URL, such as https://hooks.example.com/orders"))]
    #[x_kube(validation = Rule::new("!self.matches('^https?://([/?#:]|$)')").message("url must name a host"))]
    #[x_kube(validation = Rule::new("!self.matches('^[a-z]+://[^/?#]*@')").message("url must not contain a user name or password; use a header with a value from a Secret"))]
    #[x_kube(validation = Rule::new("!self.contains('#')").message("url must not have a fragment"))]
    #[x_kube(validation = Rule::new(r"!self.matches('[\\s\\\\]')").message("url must not contain spaces or backslashes"))]
    pub url: Option<String>,
    /// Takes the URL from a Secret, for URLs that are secrets themselves. Nothing of it is shown in status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url_from: Option<UrlSource>,
    /// A Service in the same namespace, reached over plain HTTP inside the cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_ref: Option<ServiceRef>,
    /// Allows `http://` URLs for this endpoint, if the Webhook's `limits.allowHTTP` does too.
    #[serde(default, skip_serializing_if = "Option::is_none", rename = "allowHTTP")]
    pub allow_http: Option<bool>,
}

/// Where a URL comes from.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UrlSource {
    /// A key of a Secret that holds the URL.
    pub secret_key_ref: SecretKeyRef,
}

/// A Service in the same namespace.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceRef {
    /// Name of the Service.
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[a-z]([-a-z0-9]*[a-z0-9])?$"))]
    pub name: String,
    /// Number of the Service's port. Default 80.
    #[serde(default = "default_port")]
    #[schemars(range(min = 1, max = 65535))]
    pub port: u16,
    /// Path and query of the request. Default `/`.
    #[serde(default = "default_path")]
    #[schemars(length(min = 1, max = 1024), regex(pattern = r"^/[^#\s]*$"))]
    pub path: String,
}

fn default_port() -> u16 {
    80
}

fn default_path() -> String {
    "/".to_owned()
}
