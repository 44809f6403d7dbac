//! Who may do what. Whether a request needs authorization at all is the settings' business, not this module's.

mod bearer_keys;
mod cache;
mod review;
mod service_account;

use std::sync::Arc;

use axum::http::{HeaderMap, header};
use futures::future::BoxFuture;

use super::{
    limits::RETRY_AUTHORIZATION,
    problem::{Kind, Problem},
};

pub use bearer_keys::BearerKeys;
pub use service_account::ServiceAccountAuthorizer;

/// Something that a caller may do with a Webhook: a verb on a subresource, which are virtual and exist only for this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Right {
    /// The verb.
    pub verb: &'static str,
    /// The subresource of `webhooks`.
    pub subresource: &'static str,
}

/// Posting events: `create webhooks/events`.
pub const PUBLISH: Right = Right { verb: "create", subresource: "events" };

/// Finds out whether the bearer of a token has a right.
pub trait Authorizer: Send + Sync + 'static {
    /// Asks. `token` is `None` when the request has no bearer token.
    fn authorize<'a>(&'a self, token: Option<&'a str>, right: Right) -> BoxFuture<'a, Result<Caller, Denied>>;
}

/// A caller who has the right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The user name, such as `system:serviceaccount:shop:checkout`.
    pub user: Arc<str>,
}

/// Why a caller is not let in. The texts are for the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Denied {
    /// There is no token, or it is not valid here.
    Unauthenticated(Arc<str>),
    /// The caller is known and lacks the right.
    Forbidden(Arc<str>),
    /// It could not be found out.
    Unavailable(Arc<str>),
}

impl From<Denied> for Problem {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::Unauthenticated(detail) => {
                Problem::new(Kind::Unauthenticated, detail.to_string()).header(header::WWW_AUTHENTICATE, "Bearer")
            }
            Denied::Forbidden(detail) => Problem::new(Kind::Forbidden, detail.to_string()),
            Denied::Unavailable(detail) => {
                Problem::new(Kind::AuthorizationUnavailable, detail.to_string()).retry_after(RETRY_AUTHORIZATION)
            }
        }
    }
}

/// The token of `Authorization: Bearer <token>`; `None` when there is no such header or another scheme.
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("Bearer").then(|| token.trim())
}

/// For a process without an API server: refuses everyone, because nobody can be asked.
#[derive(Clone, Copy, Debug)]
pub struct NoApiServer;

impl Authorizer for NoApiServer {
    fn authorize<'a>(&'a self, _: Option<&'a str>, _: Right) -> BoxFuture<'a, Result<Caller, Denied>> {
        let denied = Denied::Unavailable("This process has no API server that could review tokens.".into());
        Box::pin(std::future::ready(Err(denied)))
    }
}

#[cfg(test)]
mod tests;
