//! What people have asked for: a Webhook and its endpoints, how they are changed, and their form for the sidecar.

use std::{collections::BTreeMap, sync::Arc};

use posthaste_delivery_config::{
    CircuitBreaker, DeliveryOrdering, DeliveryPolicy, DeliveryRate, Endpoint, Limits, Redacted, Tombstone,
    WebhookConfig,
};
use rand::{RngExt, rngs::SmallRng};

use crate::{
    config::{Keeps, Loaded, LoadedEndpoint, ParkedEndpoint, load::loaded_endpoint, testing},
    event::Event,
};

/// An endpoint in this simulation: the number in its name.
pub type Number = usize;

/// See the module.
#[derive(Clone, Debug)]
pub struct Configuration {
    /// Its revision.
    pub revision: i64,
    /// `limits.inFlight`.
    pub in_flight: u32,
    /// All deliveries wait.
    pub suspend: bool,
    /// All endpoints that there ever were.
    pub endpoints: BTreeMap<Number, Wanted>,
}

/// An endpoint and where it is.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// What is asked for.
    pub endpoint: Endpoint,
    /// Whether it is in the configuration.
    pub presence: Presence,
}

/// Whether an endpoint is in the configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Presence {
    /// It is.
    Present,
    /// Not now: its deliveries are kept.
    #[default]
    Parked,
    /// It was deleted.
    Deleted,
}

/// Compiled endpoints, so that one that did not change is not compiled again.
pub type Compiled = BTreeMap<Number, (Endpoint, Arc<LoadedEndpoint>)>;

/// The number of the endpoint with that UID.
pub fn number(uid: &str) -> Option<Number> {
    uid.strip_prefix("uid-e")?.parse().ok()
}

/// Whether an endpoint is to get an event, by what its fields are documented to mean.
pub fn wants(endpoint: &Endpoint, event: &Event) -> bool {
    let tenant_fits = endpoint.tenant.is_none() || endpoint.tenant == event.tenant;
    let type_fits = |pattern: &String| match pattern.strip_suffix('*') {
        Some(beginning) => event.event_type.starts_with(beginning),
        None => event.event_type == *pattern,
    };
    endpoint.enabled
        && tenant_fits
        && endpoint.event_types.as_ref().is_none_or(|patterns| patterns.iter().any(type_fits))
}

impl Configuration {
    /// A configuration with some endpoints.
    pub fn draw(random: &mut SmallRng) -> Self {
        let in_flight = [1, 2, 3, 5, 64][random.random_range(0..5_usize)];
        let mut configuration = Self { revision: 1, in_flight, suspend: false, endpoints: BTreeMap::new() };
        for _ in 0..random.random_range(1..=4) {
            configuration.add(random);
        }
        configuration
    }

    fn add(&mut self, random: &mut SmallRng) {
        let number = self.endpoints.len();
        let mut endpoint = testing::endpoint(&format!("e{number}"));
        endpoint.tenant = draw_tenant(random);
        endpoint.event_types = draw_types(random);
        draw_policy(&mut endpoint.delivery, random);
        self.endpoints.insert(number, Wanted { endpoint, presence: Presence::Present });
    }

    /// Changes something, as a person or the operator would.
    pub fn edit(&mut self, random: &mut SmallRng) {
        self.revision += 1;
        let number = random.random_range(0..self.endpoints.len());
        let edit = random.random_range(0..16);
        match edit {
            0 if self.endpoints.len() < 6 => return self.add(random),
            1 => return self.suspend = !self.suspend,
            2 => return self.in_flight = random.random_range(1..6),
            _ => {}
        }
        let Some(Wanted { endpoint, presence }) = self.endpoints.get_mut(&number) else { return };
        match (edit, *presence) {
            (_, Presence::Deleted) => {}
            (3, _) => *presence = Presence::Deleted,
            (4 | 5, Presence::Present) => *presence = Presence::Parked,
            (4..=8, Presence::Parked) => *presence = Presence::Present,
            // A Secret behind the URL changed: another URL of the same generation.
            (6, _) => endpoint.target.url = Redacted::new(format!("https://e{number}.example/{}", self.revision)),
            _ => {
                endpoint.generation += 1;
                match edit {
                    7..=9 => endpoint.suspend = !endpoint.suspend,
                    10 => endpoint.enabled = !endpoint.enabled,
                    11 => endpoint.event_types = draw_types(random),
                    12 => endpoint.tenant = draw_tenant(random),
                    _ => draw_policy(&mut endpoint.delivery, random),
                }
            }
        }
    }

    /// Everything that holds deliveries back is lifted, by a new generation of each endpoint.
    pub fn release(&mut self) {
        self.revision += 1;
        self.suspend = false;
        for Wanted { endpoint, presence } in self.endpoints.values_mut() {
            endpoint.generation += 1;
            endpoint.suspend = false;
            if *presence == Presence::Parked {
                *presence = Presence::Present;
            }
        }
    }

    /// Endpoints that are there and not parked.
    pub fn present(&self) -> impl Iterator<Item = (Number, &Endpoint)> {
        self.endpoints
            .iter()
            .filter(|(_, wanted)| wanted.presence == Presence::Present)
            .map(|(number, wanted)| (*number, &wanted.endpoint))
    }

    /// As the sidecar reads it. `change` is for what is to be built in wrongly.
    pub fn load(&self, compiled: &mut Compiled, change: impl Fn(&mut Endpoint)) -> Loaded {
        let index = testing::index(self.revision);
        let mut endpoints = Vec::new();
        for (number, endpoint) in self.present() {
            let mut endpoint = endpoint.clone();
            change(&mut endpoint);
            if compiled.get(&number).is_none_or(|(known, _)| *known != endpoint) {
                let loaded = Arc::new(loaded_endpoint(&index, &endpoint));
                compiled.insert(number, (endpoint, loaded));
            }
            endpoints.extend(compiled.get(&number).map(|(_, loaded)| Arc::clone(loaded)));
        }
        let having = |presence| self.endpoints.values().filter(move |wanted| wanted.presence == presence);
        let parked =
            |wanted: &Wanted| ParkedEndpoint { uid: wanted.endpoint.uid.as_str().into(), keeps: Keeps::AsBefore };
        let tombstone =
            |wanted: &Wanted| Tombstone { uid: wanted.endpoint.uid.clone(), time: jiff::Timestamp::UNIX_EPOCH };
        let webhook = testing::webhook(self.revision);
        Loaded {
            webhook: Arc::new(WebhookConfig {
                limits: Limits { in_flight: self.in_flight, ..webhook.limits.clone() },
                suspend: self.suspend,
                ..webhook
            }),
            schemas: Arc::default(),
            revision: Arc::from(index.revision),
            endpoints,
            parked: having(Presence::Parked).map(parked).collect(),
            tombstones: having(Presence::Deleted).map(tombstone).collect(),
        }
    }
}

fn draw_tenant(random: &mut SmallRng) -> Option<String> {
    random.random_bool(0.2).then(|| "acme".to_owned())
}

fn draw_types(random: &mut SmallRng) -> Option<Vec<String>> {
    let types: &[&str] = match random.random_range(0..6) {
        0 => &["order.*"],
        1 => &["order.created", "invoice.*"],
        2 => &["invoice.paid"],
        3 => &["*", "order.paid"],
        _ => return None,
    };
    Some(types.iter().map(|&text| text.to_owned()).collect())
}

fn draw_policy(policy: &mut DeliveryPolicy, random: &mut SmallRng) {
    let schedules: [&[u64]; 5] = [&[1_000, 10_000], &[500, 500, 2_000, 8_000], &[5_000], &[], &[200; 8]];
    policy.timeout_ms = [1_000, 3_000, 15_000][random.random_range(0..3_usize)];
    policy.retry.schedule_ms = schedules[random.random_range(0..5_usize)].to_vec();
    policy.retry.jitter_percent = [0, 10, 100][random.random_range(0..3_usize)];
    policy.retry_after_max_ms = [0, 1_500, 86_400_000][random.random_range(0..3_usize)];
    policy.concurrency = [1, 2, 4, 8][random.random_range(0..4_usize)];
    policy.ordering = match random.random_range(0..4) {
        0 => DeliveryOrdering::PerEndpoint,
        1 => DeliveryOrdering::PerSubject,
        _ => DeliveryOrdering::None,
    };
    policy.circuit_breaker = random.random_bool(0.5).then(|| CircuitBreaker {
        failures: random.random_range(1..5),
        open_for_ms: random.random_range(500..5_000),
        open_for_max_ms: 12_000,
    });
    policy.rate_limit = random.random_bool(0.4).then(|| DeliveryRate {
        limit: random.random_range(1..5),
        per_ms: [1_000, 7_000, 30_000][random.random_range(0..3_usize)],
        burst: random.random_bool(0.5).then(|| random.random_range(1..4)),
    });
}
