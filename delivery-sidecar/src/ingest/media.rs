//! Content negotiation: what a request's body is, and whether its client takes JSON answers.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

use super::{
    expand::Coding,
    problem::{Kind, Problem},
};

const ACCEPTED: &str = "application/json, application/x-ndjson";

/// What a body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// One event or an array of events.
    Json,
    /// One event a line.
    Ndjson,
}

/// What the headers say that the body is.
pub(super) fn format(headers: &HeaderMap) -> Result<Format, Problem> {
    let Some(value) = headers.get(header::CONTENT_TYPE) else {
        return Err(unsupported(format!("The request has no Content-Type; it must be one of {ACCEPTED}.")));
    };
    let text = value.to_str().unwrap_or_default();
    let (essence, parameters) = text.split_once(';').unwrap_or((text, ""));
    let format = match essence.trim() {
        json if json.eq_ignore_ascii_case("application/json") => Format::Json,
        ndjson if ndjson.eq_ignore_ascii_case("application/x-ndjson") => Format::Ndjson,
        _ => {
            let detail = format!("Content-Type {} is not supported; it must be one of {ACCEPTED}.", shown(value));
            return Err(unsupported(detail));
        }
    };
    match charset(parameters) {
        Some(other) if !other.eq_ignore_ascii_case("utf-8") => Err(unsupported("JSON must be sent as UTF-8.".into())),
        _ => Ok(format),
    }
}

/// How the headers say that the body is compressed; `None` for not at all.
pub(super) fn coding(headers: &HeaderMap) -> Result<Option<Coding>, Problem> {
    let mut values = headers.get_all(header::CONTENT_ENCODING).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let coding = [("identity", None), ("gzip", Some(Coding::Gzip)), ("x-gzip", Some(Coding::Gzip))];
    let coding = coding.into_iter().chain([("zstd", Some(Coding::Zstd))]).find(|(name, _)| is(value, name));
    match (coding, values.next()) {
        (Some((_, coding)), None) => Ok(coding),
        (None, None) => Err(unsupported_coding(&format!("Content-Encoding {} is not supported", shown(value)))),
        // Nothing is gained by compressing twice.
        (_, Some(_)) => Err(unsupported_coding("The request has more than one Content-Encoding")),
    }
}

fn unsupported_coding(what: &str) -> Problem {
    let detail = format!("{what}; send the body as it is, or compressed once with gzip or zstd.");
    Problem::new(Kind::UnsupportedMediaType, detail).header(header::ACCEPT_ENCODING, "gzip, zstd, identity")
}

fn charset(parameters: &str) -> Option<&str> {
    parameters
        .split(';')
        .filter_map(|parameter| parameter.split_once('='))
        .find_map(|(name, value)| name.trim().eq_ignore_ascii_case("charset").then(|| value.trim().trim_matches('"')))
}

fn unsupported(detail: String) -> Problem {
    Problem::new(Kind::UnsupportedMediaType, detail).header(ACCEPT_POST, ACCEPTED)
}

/// `Accept-Post` (W3C Linked Data Platform): the media types that a resource takes.
const ACCEPT_POST: HeaderName = HeaderName::from_static("accept-post");

/// Refuses clients that rule out JSON answers.
pub(super) fn check_accept(headers: &HeaderMap) -> Result<(), Problem> {
    let mut ranges = headers.get_all(header::ACCEPT).iter().flat_map(|v| v.to_str().unwrap_or_default().split(','));
    let asked = headers.contains_key(header::ACCEPT);
    if !asked || ranges.any(takes_json) {
        return Ok(());
    }
    Err(Problem::new(
        Kind::NotAcceptable,
        "Answers are application/json and application/problem+json; the Accept header allows neither.",
    ))
}

fn takes_json(range: &str) -> bool {
    const RANGES: [&str; 4] = ["*/*", "application/*", "application/json", "application/problem+json"];
    let mut parts = range.split(';').map(str::trim);
    let essence = parts.next().unwrap_or_default();
    let refused = parts.any(|parameter| {
        let weight = parameter.strip_prefix("q=").or_else(|| parameter.strip_prefix("Q="));
        weight.and_then(|q| q.parse::<f32>().ok()).is_some_and(|q| q <= 0.0)
    });
    !refused && RANGES.iter().any(|known| known.eq_ignore_ascii_case(essence))
}

fn is(value: &HeaderValue, text: &str) -> bool {
    value.as_bytes().trim_ascii().eq_ignore_ascii_case(text.as_bytes())
}

/// A header's value for an error's text: short, and without what a terminal would not show.
fn shown(value: &HeaderValue) -> String {
    let text = String::from_utf8_lossy(value.as_bytes());
    let short: String = text.chars().filter(|c| !c.is_control()).take(80).collect();
    format!("\"{short}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_str(value).unwrap())])
    }

    #[test]
    fn json_and_ndjson_are_known_with_and_without_parameters() {
        for (value, expected) in [
            ("application/json", Format::Json),
            ("Application/JSON; charset=UTF-8", Format::Json),
            ("application/json; charset=\"utf-8\"; x=y", Format::Json),
            ("application/x-ndjson", Format::Ndjson),
        ] {
            assert_eq!(format(&headers(header::CONTENT_TYPE, value)), Ok(expected), "{value}");
        }
    }

    #[test]
    fn other_types_are_refused_and_the_known_ones_listed() {
        for value in ["text/plain", "application/x-www-form-urlencoded", "application/json5", ""] {
            let problem = format(&headers(header::CONTENT_TYPE, value)).unwrap_err();
            assert_eq!(problem.kind, Kind::UnsupportedMediaType, "{value}");
            assert!(problem.detail.contains(ACCEPTED), "{}", problem.detail);
        }
        assert!(format(&HeaderMap::new()).unwrap_err().detail.contains("no Content-Type"));
        let latin = headers(header::CONTENT_TYPE, "application/json; charset=latin1");
        assert!(format(&latin).unwrap_err().detail.contains("UTF-8"));
    }

    #[test]
    fn gzip_and_zstd_are_known_and_nothing_else() {
        assert_eq!(coding(&HeaderMap::new()), Ok(None));
        for (value, expected) in [
            ("identity", None),
            ("gzip", Some(Coding::Gzip)),
            (" GZip ", Some(Coding::Gzip)),
            ("x-gzip", Some(Coding::Gzip)),
            ("zstd", Some(Coding::Zstd)),
        ] {
            assert_eq!(coding(&headers(header::CONTENT_ENCODING, value)), Ok(expected), "{value}");
        }
        for value in ["br", "deflate", "gzip, zstd", "gzip;q=1", ""] {
            let problem = coding(&headers(header::CONTENT_ENCODING, value)).unwrap_err();
            assert_eq!(problem.kind, Kind::UnsupportedMediaType, "{value}");
            assert_eq!(problem.header.unwrap().1, "gzip, zstd, identity", "{value}");
        }
        let mut twice = headers(header::CONTENT_ENCODING, "gzip");
        twice.append(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        assert!(coding(&twice).unwrap_err().detail.contains("more than one"));
    }

    #[test]
    fn only_a_client_that_rules_json_out_is_refused() {
        for fine in
            ["*/*", "application/json", "text/html, application/*;q=0.8", "application/problem+json", "*/*; q=0.1"]
        {
            assert_eq!(check_accept(&headers(header::ACCEPT, fine)), Ok(()), "{fine}");
        }
        assert_eq!(check_accept(&HeaderMap::new()), Ok(()));
        for refused in ["text/html", "application/json;q=0", "image/*, text/*"] {
            assert!(check_accept(&headers(header::ACCEPT, refused)).is_err(), "{refused}");
        }
    }
}
