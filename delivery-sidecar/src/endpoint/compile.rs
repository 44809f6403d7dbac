//! From the configuration to an [`Endpoint`]: parses what can be parsed once. Pure. An error names the field and what
//! would be right; it never contains a URL, a header's value or a key, which may be secrets.

use std::{sync::Arc, time::Duration};

use http::{HeaderName, HeaderValue, header};
use posthaste_delivery_config::{self as config, Redacted, template::Template};
use posthaste_expressions::Filter;
use posthaste_signing::{SymmetricKey, standard_webhooks};
use sha2::{Digest, Sha256};
use url::Url;

use super::{Endpoint, HeaderSource, Key};
use crate::render::{MAX_HEADER_BYTES, header_value};

/// Headers that a user cannot set, as the resource's schema says too: they are the sender's own, or belong to the
/// connection and its framing.
const RESERVED: [HeaderName; 15] = [
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::CONTENT_TYPE,
    header::EXPECT,
    header::HOST,
    HeaderName::from_static("keep-alive"),
    header::PROXY_AUTHORIZATION,
    HeaderName::from_static("proxy-connection"),
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HeaderName::from_static(standard_webhooks::ID_HEADER),
    HeaderName::from_static(standard_webhooks::TIMESTAMP_HEADER),
    HeaderName::from_static(standard_webhooks::SIGNATURE_HEADER),
];

impl Endpoint {
    /// Compiles what the operator wrote.
    ///
    /// # Errors
    /// A message for people that begins with the field's path in the configuration.
    pub fn compile(endpoint: &config::Endpoint) -> Result<Self, String> {
        let timeout = Duration::from_millis(endpoint.delivery.timeout_ms);
        if timeout.is_zero() {
            return Err("delivery.timeoutMs: must be at least 1".to_owned());
        }
        if endpoint.signing_keys.is_empty() {
            return Err("signingKeys: at least one key is needed".to_owned());
        }
        if let Some(filter) = &endpoint.filter {
            Filter::compile(filter).map_err(|error| format!("filter: {error}"))?;
        }
        Ok(Self {
            uid: Arc::from(endpoint.uid.as_str()),
            name: Arc::from(endpoint.name.as_str()),
            generation: endpoint.generation,
            display_name: endpoint.display_name.clone(),
            parameters: endpoint.parameters.clone(),
            tenant: endpoint.tenant.clone(),
            event_types: endpoint.event_types.clone(),
            url: url(&endpoint.target.url).map_err(|problem| format!("target.url: {problem}"))?,
            display_url: endpoint.target.display_url.clone(),
            kind: endpoint.target.kind,
            headers: endpoint.headers.iter().enumerate().map(header).collect::<Result<_, _>>()?,
            keys: endpoint.signing_keys.iter().enumerate().map(key).collect::<Result<_, _>>()?,
            timeout,
            delivery: endpoint.delivery.clone(),
            enabled: endpoint.enabled,
            suspend: endpoint.suspend,
            url_fingerprint: fingerprint(&endpoint.target.url),
        })
    }
}

fn url(text: &Redacted) -> Result<Url, String> {
    let url = Url::parse(text.expose()).map_err(|error| format!("is not a URL: {error}"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("must begin with https:// or http://".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must have no user name or password in it; send credentials in a header".to_owned());
    }
    // What the client sends is an http::Uri, which knows fewer characters than a URL.
    http::Uri::try_from(url.as_str()).map_err(|error| format!("cannot be requested: {error}"))?;
    Ok(url)
}

fn header((index, header): (usize, &config::HeaderValue)) -> Result<(HeaderName, HeaderSource), String> {
    let field = || format!("headers[{index}] ({})", header.name);
    let name = HeaderName::from_bytes(header.name.as_bytes())
        .map_err(|_| format!("headers[{index}].name: is not the name of an HTTP header"))?;
    if RESERVED.contains(&name) {
        return Err(format!("{}: this header is set by Posthaste or belongs to the connection", field()));
    }
    let value = header.value.expose();
    if value.len() > MAX_HEADER_BYTES {
        return Err(format!("{}: the value is longer than {MAX_HEADER_BYTES} bytes", field()));
    }
    if header.template {
        let template = Template::parse(value).map_err(|error| format!("{}: {error}", field()))?;
        let source = match template.literal() {
            Some(text) => HeaderSource::Literal(literal(text).map_err(|problem| format!("{}: {problem}", field()))?),
            None => HeaderSource::Template(template),
        };
        return Ok((name, source));
    }
    let mut value = literal(value).map_err(|problem| format!("{}: {problem}", field()))?;
    // It came from a Secret: kept out of Debug, and out of the compression table of an HTTP/2 connection.
    value.set_sensitive(true);
    Ok((name, HeaderSource::Literal(value)))
}

fn literal(text: &str) -> Result<HeaderValue, String> {
    header_value(text).map_err(|problem| problem.to_string())
}

fn key((index, key): (usize, &config::SigningKey)) -> Result<Key, String> {
    Ok(Key {
        id: key.id.clone(),
        key: SymmetricKey::from_base64(key.key.expose())
            .map_err(|error| format!("signingKeys[{index}] ({}): {error}", key.id))?,
        not_after_ms: key.not_after.map(jiff::Timestamp::as_millisecond),
    })
}

/// The same for the same URL in every build and process, since it outlives both in the journal.
fn fingerprint(url: &Redacted) -> u64 {
    let hash = Sha256::digest(url.expose());
    u64::from_be_bytes(hash[..8].try_into().expect("SHA-256 has more than 8 bytes"))
}

#[cfg(test)]
mod tests {
    use posthaste_delivery_config::SigningKey;

    use super::*;
    use crate::endpoint::fixture::{endpoint, header, signing_key};

    fn with_header(name: &str, value: &str, template: bool) -> config::Endpoint {
        config::Endpoint { headers: vec![header(name, value, template)], ..endpoint() }
    }

    fn with_url(url: &str) -> config::Endpoint {
        let mut endpoint = endpoint();
        endpoint.target.url = Redacted::new(url);
        endpoint
    }

    #[test]
    fn a_good_endpoint_compiles() {
        let compiled = Endpoint::compile(&endpoint()).unwrap();
        assert_eq!(&*compiled.uid, "3f1c");
        assert_eq!(compiled.timeout, Duration::from_secs(15));
        assert_eq!(compiled.keys.len(), 1);
        assert_eq!(compiled.url.host_str(), Some("hooks.acme.example"));
    }

    #[test]
    fn a_template_that_replaces_nothing_is_a_literal() {
        let compiled = Endpoint::compile(&with_header("X-Cost", "$${5}", true)).unwrap();
        let (name, HeaderSource::Literal(value)) = &compiled.headers[0] else { panic!("not a literal") };
        assert_eq!((name.as_str(), value.to_str().unwrap(), value.is_sensitive()), ("x-cost", "${5}", false));

        let compiled = Endpoint::compile(&with_header("X-Type", "${event.type}", true)).unwrap();
        assert!(matches!(compiled.headers[0].1, HeaderSource::Template(_)));
    }

    #[test]
    fn a_value_from_a_secret_is_taken_as_it_is_and_marked_as_sensitive() {
        let compiled = Endpoint::compile(&with_header("X-Api-Key", "a${event.type}", false)).unwrap();
        let HeaderSource::Literal(value) = &compiled.headers[0].1 else { panic!("not a literal") };
        assert_eq!(value.to_str().unwrap(), "a${event.type}");
        assert!(value.is_sensitive());
    }

    #[test]
    fn errors_name_the_field_and_not_the_secret() {
        let mut no_key = endpoint();
        no_key.signing_keys.clear();
        let mut bad_key = endpoint();
        bad_key.signing_keys.push(SigningKey { key: Redacted::new("s3cret!"), ..signing_key("k2", None) });
        let mut no_time = endpoint();
        no_time.delivery.timeout_ms = 0;
        let long = "s3cret".repeat(1000);
        for (endpoint, field) in [
            (no_key, "signingKeys: "),
            (bad_key, "signingKeys[1] (k2): the key is not base64"),
            (no_time, "delivery.timeoutMs: "),
            (with_url("hooks.acme.example/s3cret"), "target.url: is not a URL"),
            (with_url("https://acme.example:s3cret/"), "target.url: is not a URL: invalid port number"),
            (with_url("ftp://acme.example/s3cret"), "target.url: must begin with https://"),
            (with_url("https://user:s3cret@acme.example/"), "target.url: must have no user name"),
            (with_url("https://s3cret@acme.example/"), "target.url: must have no user name"),
            (with_url(&format!("https://acme.example/{}", "s3cret".repeat(20_000))), "target.url: cannot be requested"),
            (with_header("X Y", "s3cret", false), "headers[0].name: "),
            (with_header("Webhook-Signature", "s3cret", false), "headers[0] (Webhook-Signature): this header"),
            (with_header("Content-Length", "s3cret", true), "headers[0] (Content-Length): this header"),
            (with_header("X-Api-Key", "s3cret\n", false), "headers[0] (X-Api-Key): the value contains a line break"),
            (with_header("X-Api-Key", "s3cret\r\nhost: x", true), "headers[0] (X-Api-Key): the value contains a line"),
            (with_header("X-Api-Key", "s3cret\0", false), "headers[0] (X-Api-Key): the value contains a control"),
            (with_header("X-Api-Key", &long, true), "headers[0] (X-Api-Key): the value is longer than 4096 bytes"),
            (with_header("X-Type", "s3cret${event.nope}", true), "headers[0] (X-Type): at character 9: "),
            (
                config::Endpoint { filter: Some("event.data.total >".to_owned()), ..endpoint() },
                "filter: line 1, column 19: expected a value",
            ),
        ] {
            let error = Endpoint::compile(&endpoint).unwrap_err();
            assert!(error.starts_with(field), "{error}");
            assert!(!error.contains("s3cret"), "{error}");
        }
    }

    #[test]
    fn debug_shows_no_secret() {
        let compiled = Endpoint::compile(&with_header("X-Api-Key", "s3cret", true)).unwrap();
        let shown = format!("{compiled:?}");
        assert!(shown.contains("acme") && !shown.contains("s3cret"), "{shown}");
    }

    #[test]
    fn a_key_signs_until_the_moment_of_its_end() {
        let end = "2027-01-01T00:00:00Z";
        let end_ms = end.parse::<jiff::Timestamp>().unwrap().as_millisecond();
        let keys = vec![signing_key("new", None), signing_key("old", Some(end))];
        let compiled = Endpoint::compile(&config::Endpoint { signing_keys: keys, ..endpoint() }).unwrap();
        let active = |now_ms| compiled.active_keys(now_ms).map(|key| key.id.as_str()).collect::<Vec<_>>();
        assert_eq!(active(end_ms - 1), ["new", "old"]);
        assert_eq!(active(end_ms), ["new"]);
    }

    #[test]
    fn the_fingerprint_tells_urls_apart_and_stays_the_same_over_builds() {
        let of = |url| Endpoint::compile(&with_url(url)).unwrap().url_fingerprint;
        assert_ne!(of("https://acme.example/a"), of("https://acme.example/b"));
        // The first 8 bytes of the URL's SHA-256.
        assert_eq!(of("https://acme.example/a"), 0xc3d6_b0e6_68c8_8d26);
    }
}
