//! What a stream remembers.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
};

use http::HeaderMap;
use serde::{Deserialize, Serialize};
use standardwebhooks::Webhook;

use super::{Behaviour, Control};

/// Most deliveries whose content is remembered; ids are remembered of all.
const KEPT: usize = 1000;

/// One receiver: its secrets, its behaviour and what it got.
#[derive(Default)]
pub(super) struct Stream {
    secrets: Vec<String>,
    behaviour: Behaviour,
    summary: Summary,
    seen: HashMap<String, u32>,
    deliveries: VecDeque<Delivery>,
}

/// Counts of what was received.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// Requests.
    pub requests: u64,
    /// Different webhook ids among them.
    pub unique: u64,
    /// Different webhook ids that were answered with success.
    pub acknowledged: u64,
    /// Requests with an id that was answered with success before.
    pub duplicates: u64,
    /// Requests whose signature was right.
    pub verified: u64,
    /// Requests whose signature was not.
    pub invalid: u64,
}

/// Everything that was received.
#[derive(Serialize, Deserialize, Clone, Debug, Default)]
#[serde(rename_all = "camelCase")]
pub struct Received {
    /// Counts.
    pub summary: Summary,
    /// The last deliveries, the oldest first.
    pub deliveries: Vec<Delivery>,
}

/// One request.
#[derive(Serialize, Deserialize, Clone, Debug)]
#[serde(rename_all = "camelCase")]
pub struct Delivery {
    /// `webhook-id`.
    pub id: String,
    /// Headers, names in lower case.
    pub headers: HashMap<String, String>,
    /// The body, if it is UTF-8.
    pub body: String,
    /// Which secrets the signature was right for, by position.
    pub verified_by: Vec<usize>,
    /// Why it was right for none.
    pub error: Option<String>,
}

impl Stream {
    pub(super) fn control(&mut self, control: Control) {
        if let Some(secrets) = control.secrets {
            self.secrets = secrets;
        }
        if let Some(behaviour) = control.behaviour {
            self.behaviour = behaviour;
        }
    }

    pub(super) fn behaviour(&self) -> Behaviour {
        self.behaviour.clone()
    }

    pub(super) fn summary(&self) -> Summary {
        self.summary.clone()
    }

    pub(super) fn received(&self) -> Received {
        Received { summary: self.summary(), deliveries: self.deliveries.iter().cloned().collect() }
    }

    /// Verifies and remembers a request.
    pub(super) fn receive(&mut self, headers: &HeaderMap, body: &[u8]) -> Delivery {
        let delivery = self.verify(headers, body);
        self.summary.requests += 1;
        let acknowledged = self.seen.entry(delivery.id.clone()).or_insert_with(|| {
            self.summary.unique += 1;
            0
        });
        if *acknowledged > 0 {
            self.summary.duplicates += 1;
        }
        if (200..300).contains(&self.behaviour.status) {
            self.summary.acknowledged += u64::from(*acknowledged == 0);
            *acknowledged += 1;
        }
        if delivery.verified_by.is_empty() {
            self.summary.invalid += 1;
        } else {
            self.summary.verified += 1;
        }
        if self.deliveries.len() == KEPT {
            self.deliveries.pop_front();
        }
        self.deliveries.push_back(delivery.clone());
        delivery
    }

    fn verify(&self, headers: &HeaderMap, body: &[u8]) -> Delivery {
        let mut error = (self.secrets.is_empty()).then(|| "no secrets are set".to_owned());
        let mut verified_by = Vec::new();
        for (position, secret) in self.secrets.iter().enumerate() {
            match Webhook::new(secret).and_then(|webhook| webhook.verify(body, headers)) {
                Ok(()) => verified_by.push(position),
                Err(problem) => error = Some(problem.to_string()),
            }
        }
        Delivery {
            id: headers.get("webhook-id").and_then(|id| id.to_str().ok()).unwrap_or_default().to_owned(),
            headers: headers
                .iter()
                .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
                .collect(),
            body: String::from_utf8_lossy(body).into_owned(),
            error: error.filter(|_| verified_by.is_empty()),
            verified_by,
        }
    }
}

impl fmt::Display for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let body: serde_json::Value = serde_json::from_str(&self.body).unwrap_or_default();
        let event_type = body["type"].as_str().unwrap_or("?");
        match &self.error {
            None => write!(f, "verified {event_type} {}", self.id),
            Some(error) => write!(f, "NOT VERIFIED ({error}) {event_type} {}", self.id),
        }
    }
}
