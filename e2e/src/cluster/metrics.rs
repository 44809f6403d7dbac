//! Requests as the API server itself counts them.

use std::collections::BTreeMap;

use http::Request;
use kube::Client;

/// Number of requests by (verb, resource, subresource).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Requests(BTreeMap<(String, String, String), u64>);

/// Reads `apiserver_request_total`.
pub async fn requests(client: &Client) -> Requests {
    let request = Request::get("/metrics").body(Vec::new()).expect("the request is well-formed");
    let text = client.request_text(request).await.expect("the API server shows its metrics");
    let mut requests = Requests::default();
    for line in text.lines().filter_map(|line| line.strip_prefix("apiserver_request_total{")) {
        let (labels, value) = line.rsplit_once("} ").expect("a sample is labels and a value");
        let label = |name: &str| {
            let start = labels.find(&format!("{name}=\"")).map(|at| at + name.len() + 2)?;
            Some(labels[start..].split('"').next()?.to_owned())
        };
        // A dry run changes nothing.
        if label("dry_run").is_some_and(|dry_run| !dry_run.is_empty()) {
            continue;
        }
        let key = (
            label("verb").unwrap_or_default(),
            label("resource").unwrap_or_default(),
            label("subresource").unwrap_or_default(),
        );
        let value: f64 = value.parse().expect("a sample's value is a number");
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
        let value = value as u64;
        *requests.0.entry(key).or_default() += value;
    }
    requests
}

impl Requests {
    /// Requests since `before` that change something, by `VERB resource/subresource`.
    pub fn writes_since(&self, before: &Self) -> BTreeMap<String, u64> {
        let writes = ["POST", "PUT", "PATCH", "APPLY", "DELETE", "DELETECOLLECTION"];
        self.0
            .iter()
            .filter(|((verb, _, _), _)| writes.contains(&verb.as_str()))
            .map(|(key, count)| (key, count - before.0.get(key).copied().unwrap_or_default()))
            .filter(|(_, count)| *count > 0)
            .map(|((verb, resource, subresource), count)| (format!("{verb} {resource}/{subresource}"), count))
            .collect()
    }
}
