//! Leaves secrets out of what is kept. Pure.
//!
//! What is secret is known from where it comes: values of headers that the configuration took from a Secret are marked so.
//! Headers that carry credentials by their meaning are left out whoever set them. A receiver may send back what it got, so
//! what is secret in a request is looked for in the answer, too.

use std::borrow::Cow;

use http::{HeaderMap, HeaderName, HeaderValue, header};
use url::Url;

/// Stands where something was left out.
pub const REDACTED: &str = "[redacted]";
/// What is shorter is not looked for in answers: it would be found where it is not meant, and it is no secret to rely on.
const LEAST_SECRET: usize = 6;
/// Headers whose values are credentials.
const CREDENTIALS: [HeaderName; 5] = [
    header::AUTHORIZATION,
    header::PROXY_AUTHORIZATION,
    header::COOKIE,
    header::SET_COOKIE,
    HeaderName::from_static("x-api-key"),
];

/// Whether a header's value is left out.
fn is_secret(name: &HeaderName, value: &HeaderValue) -> bool {
    value.is_sensitive() || CREDENTIALS.contains(name)
}

/// Values that a request held and that must not come back in an answer.
pub fn secrets(request: &HeaderMap) -> Vec<&[u8]> {
    let secret = request.iter().filter(|(name, value)| is_secret(name, value));
    let values = secret.flat_map(|(_, value)| {
        let whole = value.as_bytes();
        // `Bearer abc` may come back without the scheme.
        let token = whole.iter().position(|byte| *byte == b' ').map(|space| &whole[space + 1..]);
        [Some(whole), token].into_iter().flatten()
    });
    values.filter(|value| value.len() >= LEAST_SECRET).collect()
}

/// Headers as they may be shown.
pub fn headers<'a>(headers: &'a HeaderMap, secrets: &'a [&'a [u8]]) -> impl Iterator<Item = (&'a str, Cow<'a, [u8]>)> {
    headers.iter().map(|(name, value)| {
        let shown = if is_secret(name, value) {
            Cow::Borrowed(REDACTED.as_bytes())
        } else {
            without(value.as_bytes(), secrets)
        };
        (name.as_str(), shown)
    })
}

/// A text without these secrets. One that is cut off at the end of the text is found as far as it is there.
pub fn without<'a>(text: &'a [u8], secrets: &[&[u8]]) -> Cow<'a, [u8]> {
    let mut shown = Cow::Borrowed(text);
    for secret in secrets {
        let mut at = 0;
        while let Some(found) = find(&shown[at..], secret) {
            let (begin, end) = (at + found, (at + found + secret.len()).min(shown.len()));
            shown.to_mut().splice(begin..end, REDACTED.bytes());
            at = begin + REDACTED.len();
        }
    }
    shown
}

fn find(text: &[u8], secret: &[u8]) -> Option<usize> {
    (0..text.len()).find(|at| {
        let rest = &text[*at..];
        rest.starts_with(secret)
            || (rest.len() >= LEAST_SECRET && rest.len() < secret.len() && secret.starts_with(rest))
    })
}

/// Where a request goes, as far as it may be shown: without its query, which may hold a token.
pub fn url(url: &Url) -> String {
    format!("{}{}", url.origin().ascii_serialization(), url.path())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(headers: &[(&'static str, &str, bool)]) -> HeaderMap {
        let header = |(name, value, sensitive): &(&'static str, &str, bool)| {
            let mut value = HeaderValue::from_str(value).unwrap();
            value.set_sensitive(*sensitive);
            (HeaderName::from_static(name), value)
        };
        headers.iter().map(header).collect()
    }

    fn shown(map: &HeaderMap, secrets: &[&[u8]]) -> Vec<(String, String)> {
        headers(map, secrets)
            .map(|(name, value)| (name.to_owned(), String::from_utf8(value.into_owned()).unwrap()))
            .collect()
    }

    #[test]
    fn what_comes_from_a_secret_or_is_a_credential_by_its_name_is_left_out() {
        let request = map(&[
            ("x-region", "eu", false),
            ("x-shared", "s3cret-value", true),
            ("authorization", "Bearer abcdefgh", false),
            ("webhook-signature", "v1,abc", false),
        ]);
        let pairs = shown(&request, &[]);
        let pairs: Vec<_> = pairs.iter().map(|(name, value)| (&**name, &**value)).collect();
        assert_eq!(
            pairs,
            [("x-region", "eu"), ("x-shared", REDACTED), ("authorization", REDACTED), ("webhook-signature", "v1,abc")]
        );
        assert_eq!(secrets(&request), [b"s3cret-value".as_slice(), b"Bearer abcdefgh", b"abcdefgh"]);
    }

    #[test]
    fn an_answer_that_repeats_a_secret_is_shown_without_it_wherever_it_is_and_however_much_of_it() {
        let secrets: [&[u8]; 2] = [b"Bearer abcdefgh", b"abcdefgh"];
        for (text, expected) in [
            ("nothing", "nothing"),
            ("you sent abcdefgh and abcdefgh", "you sent [redacted] and [redacted]"),
            ("Bearer abcdefgh", "[redacted]"),
            ("cut off: abcdef", "cut off: [redacted]"),
            ("cut off: abcde", "cut off: abcde"),
        ] {
            assert_eq!(&*without(text.as_bytes(), &secrets), expected.as_bytes(), "{text}");
        }
        let answer = map(&[("x-echo", "abcdefgh", false), ("set-cookie", "a=b", false)]);
        let pairs = shown(&answer, &secrets);
        assert_eq!(pairs.iter().map(|(_, value)| &**value).collect::<Vec<_>>(), [REDACTED, REDACTED]);
    }

    #[test]
    fn a_url_is_shown_without_its_query() {
        let full = Url::parse("https://hooks.acme.example:8443/v1/orders?token=s3cret#x").unwrap();
        assert_eq!(url(&full), "https://hooks.acme.example:8443/v1/orders");
    }
}
