//! Where deliveries go.

use posthaste_crds::{
    conditions::{accepted, resolved_refs},
    v1alpha1::{self, ServiceRef, Webhook},
};

use super::{Lookup, Refusal, Service, lookup::invalid_secret, url};
use crate::{Redacted, Target, TargetKind};

/// Whether `http://` is allowed: both the endpoint and its Webhook's limits must say so. The error says who does not.
fn check_http(url: &::url::Url, target: &v1alpha1::Target, webhook: &Webhook) -> Result<(), &'static str> {
    if url.scheme() == "https" {
        return Ok(());
    }
    if target.allow_http != Some(true) {
        return Err("must begin with https://, or allowHTTP must be true here and in the Webhook's limits");
    }
    if webhook.spec.limits.as_ref().and_then(|limits| limits.allow_http) != Some(true) {
        return Err("begins with http://, which its Webhook allows only with limits.allowHTTP: true");
    }
    Ok(())
}

/// Refuses a `url` that cannot be delivered to.
pub(super) fn accept(target: &v1alpha1::Target, webhook: &Webhook) -> Result<(), Refusal> {
    let Some(text) = &target.url else { return Ok(()) };
    url::check(text)
        .and_then(|url| check_http(&url, target, webhook))
        .map_err(|must| Refusal::new(accepted::INVALID, format!("target.url {must}")))
}

/// Follows what a target refers to. Without a Webhook, of which only limits matter here, nothing is said about them.
pub(super) fn resolve(
    target: &v1alpha1::Target,
    webhook: Option<&Webhook>,
    namespace: &str,
    lookup: &Lookup,
) -> Result<Target, Refusal> {
    if let Some(source) = &target.url_from {
        let (field, reference) = ("target.urlFrom", &source.secret_key_ref);
        let text = lookup.secret_text(field, reference)?;
        url::check(text)
            .and_then(|url| webhook.map_or(Ok(()), |webhook| check_http(&url, target, webhook)))
            .map_err(|must| invalid_secret(field, reference, must))?;
        return Ok(Target { url: Redacted::new(text), display_url: None, kind: TargetKind::Url });
    }
    if let Some(service) = &target.service_ref {
        let text = service_url(service, namespace, lookup)?;
        let url = url::check(&text).map_err(|must| {
            Refusal::new(resolved_refs::INVALID_VALUE, format!("target.serviceRef: the URL made of it {must}"))
        })?;
        let display_url = Some(url::origin(&url));
        return Ok(Target { url: Redacted::new(text), display_url, kind: TargetKind::Service });
    }
    let text = target.url.as_deref().unwrap_or_default();
    let display_url = url::check(text).ok().as_ref().map(url::origin);
    Ok(Target { url: Redacted::new(text), display_url, kind: TargetKind::Url })
}

fn service_url(reference: &ServiceRef, namespace: &str, lookup: &Lookup) -> Result<String, Refusal> {
    let ServiceRef { name, port, path } = reference;
    let missing = |what: String| Refusal::new(resolved_refs::SERVICE_NOT_FOUND, format!("target.serviceRef: {what}"));
    let invalid = |what: String| Refusal::new(resolved_refs::INVALID_VALUE, format!("target.serviceRef: {what}"));
    let service = lookup.service(name).ok_or_else(|| missing(format!("there is no Service {name:?}")))?;
    let no_port = || missing(format!("Service {name:?} has no TCP port {port}"));
    let port = match service {
        Service::At(authority) => return Ok(format!("http://{authority}{path}")),
        Service::External => {
            return Err(invalid(format!("Service {name:?} is of type ExternalName; write what it stands for as target.url")));
        }
        Service::Virtual(ports) => *ports.get(port).ok_or_else(no_port)?,
        Service::Headless(ports) => ports.get(port).ok_or_else(no_port)?.ok_or_else(|| {
            invalid(format!(
                "Service {name:?} is headless and its port {port} has a named target port; give the target port as a number"
            ))
        })?,
    };
    Ok(format!("http://{name}.{namespace}.svc:{port}{path}"))
}
