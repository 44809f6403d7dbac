//! Which URLs can be delivered to.

use url::Url;

/// Longest URL in bytes, as in the schema.
const MAX_URL_BYTES: usize = 2048;

/// Checks a URL by the rules that the schema has for `target.url`, and for those that it cannot express, by parsing.
///
/// # Errors
/// What a URL must be, as the end of a sentence that begins with where it is from. Never shows the URL.
pub(super) fn check(text: &str) -> Result<Url, &'static str> {
    if text.len() > MAX_URL_BYTES {
        return Err("must be at most 2048 characters");
    }
    // The parser would quietly repair all of these, each time to something that looks different from what is written.
    if text.contains(|c: char| c.is_whitespace() || c.is_control() || c == '\\') {
        return Err("must not contain spaces, line ends, control characters or \\");
    }
    let rest = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"))
        .ok_or("must be an absolute https:// URL, such as https://hooks.example.com/orders")?;
    if text.contains('#') {
        return Err("must not have a fragment");
    }
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    if authority.contains('@') {
        return Err("must not contain a user name or password; use a header with a value from a Secret");
    }
    if authority.is_empty() || authority.starts_with(':') {
        return Err("must name a host");
    }
    Url::parse(text).map_err(|_| "must be a well-formed URL, such as https://hooks.example.com/orders")
}

/// The part of a URL that may be shown: scheme, host and port.
pub(super) fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_urls_of_receivers_and_shows_their_origin() {
        for (url, shown) in [
            ("https://hooks.example.com", "https://hooks.example.com"),
            ("https://hooks.example.com:8443/a/b?token=x", "https://hooks.example.com:8443"),
            ("http://10.0.0.1:8080/", "http://10.0.0.1:8080"),
            ("https://[2001:db8::1]/hook", "https://[2001:db8::1]"),
            ("https://example.com/@user", "https://example.com"),
        ] {
            assert_eq!(origin(&check(url).unwrap()), shown, "{url}");
        }
    }

    #[test]
    fn refuses_other_texts_and_says_what_would_be_right() {
        for (url, must) in [
            ("", "absolute https:// URL"),
            ("hooks.example.com", "absolute https:// URL"),
            ("ftp://example.com/", "absolute https:// URL"),
            ("HTTPS://example.com/", "absolute https:// URL"),
            ("https:/example.com", "absolute https:// URL"),
            ("https:///path", "name a host"),
            ("https://:443/", "name a host"),
            ("https://user:password@example.com/", "user name or password"),
            ("https://good.example\\@evil.example/", "\\"),
            ("https://example.com/#top", "fragment"),
            ("https://example.com/a b", "spaces"),
            ("https://exam\nple.com/", "line ends"),
            ("https://example.com:70000/", "well-formed"),
            ("https://[::1/", "well-formed"),
            (&format!("https://example.com/{}", "a".repeat(2048)), "2048"),
        ] {
            let message = check(url).unwrap_err();
            assert!(message.contains(must), "{url}: {message}");
        }
    }
}
