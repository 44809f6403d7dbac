//! Asks the API server about a token: TokenReview says whose it is, LocalSubjectAccessReview whether they have the right.

use std::sync::Arc;

use k8s_openapi::api::{
    authentication::v1::{TokenReview, TokenReviewSpec, UserInfo},
    authorization::v1::{LocalSubjectAccessReview, ResourceAttributes, SubjectAccessReviewSpec},
};
use kube::{
    Client,
    api::{Api, ObjectMeta, PostParams},
};
use posthaste_crds::names;

use super::{Caller, Denied, OPERATE, READ_DELIVERIES, Right, cache::Decision};
use crate::telemetry::{Metrics, events::ReviewFinished, labels::ReviewResult};

/// The audience that tokens must be made for.
pub(super) const AUDIENCE: &str = "posthaste.dev";
/// The API group of the resource that rights are on.
const GROUP: &str = "posthaste.dev";

/// Asks about tokens for one Webhook.
#[derive(Clone)]
pub(super) struct Reviewer {
    pub client: Client,
    pub namespace: Arc<str>,
    pub webhook: Arc<str>,
    pub metrics: Metrics,
}

impl Reviewer {
    /// Two requests to the API server: whose token it is and, if it is anyone's, whether they have the right.
    pub(super) async fn review(&self, token: String, right: Right) -> Decision {
        let asked = match self.authenticate(token).await {
            Ok(Ok(user)) => self.access(user, right).await,
            Ok(Err(denied)) => Ok(Err(denied)),
            Err(error) => Err(error),
        };
        let (decision, error) = match asked {
            Ok(decision) => (decision, None),
            // What the API server said is for the log: it may be about the sidecar's own rights.
            Err(error) => (Err(unavailable()), Some(error.to_string())),
        };
        let (result, user) = match &decision {
            Ok(caller) => (ReviewResult::Allowed, Some(&*caller.user)),
            Err(Denied::Unauthenticated(_)) => (ReviewResult::Unauthenticated, None),
            Err(Denied::Forbidden(_)) => (ReviewResult::Forbidden, None),
            Err(Denied::Unavailable(_)) => (ReviewResult::Error, None),
        };
        ReviewFinished { result, user, error: error.as_deref() }.emit(&self.metrics);
        decision
    }

    async fn authenticate(&self, token: String) -> kube::Result<Result<UserInfo, Denied>> {
        let spec = TokenReviewSpec { token: Some(token), audiences: Some(vec![AUDIENCE.into()]) };
        let review = TokenReview { spec, ..TokenReview::default() };
        let answer = Api::<TokenReview>::all(self.client.clone()).create(&PostParams::default(), &review).await?;

        let status = answer.status.unwrap_or_default();
        // An authenticator that knows no audiences leaves them out, and the token is then one for the API server itself.
        let ours = status.audiences.iter().flatten().any(|audience| audience == AUDIENCE);
        let user = status.user.filter(|user| user.username.as_ref().is_some_and(|name| !name.is_empty()));
        Ok(match user {
            Some(user) if status.authenticated == Some(true) && ours => Ok(user),
            _ => Err(Denied::Unauthenticated(
                format!("The token is not valid for the audience \"{AUDIENCE}\", or has expired.").into(),
            )),
        })
    }

    async fn access(&self, user: UserInfo, right: Right) -> kube::Result<Decision> {
        let UserInfo { username, uid, groups, extra } = user;
        let review = LocalSubjectAccessReview {
            metadata: ObjectMeta { namespace: Some(self.namespace.to_string()), ..ObjectMeta::default() },
            spec: SubjectAccessReviewSpec {
                user: username.clone(),
                uid,
                groups,
                extra,
                resource_attributes: Some(ResourceAttributes {
                    namespace: Some(self.namespace.to_string()),
                    verb: Some(right.verb.into()),
                    group: Some(GROUP.into()),
                    resource: Some("webhooks".into()),
                    subresource: Some(right.subresource.into()),
                    name: Some(self.webhook.to_string()),
                    ..ResourceAttributes::default()
                }),
                non_resource_attributes: None,
            },
            status: None,
        };
        let api = Api::<LocalSubjectAccessReview>::namespaced(self.client.clone(), &self.namespace);
        let answer = api.create(&PostParams::default(), &review).await?;

        let user = username.unwrap_or_default();
        Ok(if answer.status.is_some_and(|status| status.allowed) {
            Ok(Caller { user: user.into() })
        } else {
            Err(Denied::Forbidden(self.forbidden(&user, right).into()))
        })
    }

    fn forbidden(&self, user: &str, right: Right) -> String {
        let Self { namespace, webhook, .. } = self;
        let Right { verb, subresource } = right;
        let role = match right {
            READ_DELIVERIES => names::deliveries_reader(webhook),
            OPERATE => names::deliveries_operator(webhook),
            _ => names::publisher(webhook),
        };
        format!(
            "User \"{user}\" may not {verb} webhooks/{subresource} of the Webhook \"{webhook}\" in namespace \
             \"{namespace}\". A RoleBinding to the Role \"{role}\" there gives this right."
        )
    }
}

/// No answer that could be used.
pub(super) fn unavailable() -> Denied {
    Denied::Unavailable("The API server could not be asked who may post events. Nothing was kept; try again.".into())
}
