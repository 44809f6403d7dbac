//! Who may do what.

use std::future::ready;

use axum::http::{HeaderMap, Method};
use futures::future::BoxFuture;

use crate::ingest::{
    Authorizer,
    auth::{Caller, Denied, OPERATE, READ_DELIVERIES, Right, bearer},
    problem::Problem,
};

/// The right that a request with this method needs. An unknown method does nothing, and needs the lesser one.
pub fn right(method: &Method) -> Right {
    if *method == Method::POST { OPERATE } else { READ_DELIVERIES }
}

/// Lets a caller in or says why not.
pub async fn check(authorizer: &dyn Authorizer, headers: &HeaderMap, right: Right) -> Result<(), Problem> {
    authorizer.authorize(bearer(headers), right).await?;
    Ok(())
}

/// For a process that can be reached from this machine only, and has no API server to ask.
#[derive(Clone, Copy, Debug)]
pub struct Everyone;

impl Authorizer for Everyone {
    fn authorize<'a>(&'a self, _: Option<&'a str>, _: Right) -> BoxFuture<'a, Result<Caller, Denied>> {
        Box::pin(ready(Ok(Caller { user: "anybody on this machine".into() })))
    }
}
