//! The demo: a receiver, a delivery sidecar in standalone mode, events, a failure and a recovery, the outcome.

mod progress;
mod sidecar;

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use serde::Deserialize;

use crate::receiver::{Behaviour, Control, Receiver, Summary};
use progress::Progress;
use sidecar::Sidecar;

/// The streams of the quickstart and the part of the events that each gets, of [`EVENT_TYPES`].
const STREAMS: [(&str, u64); 3] = [("audit", 3), ("billing", 1), ("shipping", 2)];
/// Types of the events, in turn.
const EVENT_TYPES: [&str; 3] = ["order.created", "order.shipped", "invoice.paid"];
/// Events of one request.
const BATCH: u64 = 25;
/// Longest wait for the last delivery.
const PATIENCE: Duration = Duration::from_secs(120);

/// What to run.
pub struct Settings {
    /// The delivery sidecar's program.
    pub sidecar: PathBuf,
    /// The folder with the manifests.
    pub manifests: PathBuf,
    /// How many events are posted.
    pub events: u64,
}

/// The demo.
pub struct Demo {
    settings: Settings,
    receiver: Receiver,
    progress: Progress,
}

#[derive(Deserialize)]
struct Document {
    kind: String,
    #[serde(default, rename = "stringData")]
    string_data: std::collections::BTreeMap<String, String>,
}

impl Demo {
    /// Runs it from beginning to end.
    pub async fn run(settings: Settings) -> anyhow::Result<()> {
        let demo = Self { settings, receiver: Receiver::new(true), progress: Progress::new() };

        step(1, "A receiver starts. It verifies signatures with the published standardwebhooks library.");
        let address = demo.start_receiver().await?;
        println!("      listening on http://{address}/hooks/{{audit,billing,shipping}}");

        step(2, "Posthaste starts without a cluster, from the very manifests that a cluster would get.");
        let sidecar = Sidecar::start(&demo.settings, address).await?;
        println!("      {}", sidecar.command());
        println!("      taking events at {}", sidecar.url());

        step(3, "Events are posted. Half way, the receiver of \"shipping\" begins to answer 500.");
        let started = Instant::now();
        demo.post_events(&sidecar).await?;
        demo.wait_a_moment().await;

        step(4, "The receiver recovers. What waited is delivered; nobody has to do anything.");
        demo.behave("shipping", 200);
        demo.wait_for_all().await?;
        let elapsed = started.elapsed();

        step(5, "Posthaste stops. This is what kubectl would show:");
        println!();
        print!("{}", sidecar.stop().await?);
        demo.check(elapsed)
    }

    async fn start_receiver(&self) -> anyhow::Result<std::net::SocketAddr> {
        let path = self.settings.manifests.join("webhook.yaml");
        let text = std::fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
        for document in serde_yaml::Deserializer::from_str(&text) {
            let document = Document::deserialize(document).with_context(|| format!("read {}", path.display()))?;
            for (stream, secret) in document.string_data {
                ensure!(document.kind == "Secret", "only a Secret has stringData");
                self.receiver.control(&stream, Control { secrets: Some(vec![secret]), behaviour: None });
            }
        }
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let router = self.receiver.clone().router();
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(address)
    }

    async fn post_events(&self, sidecar: &Sidecar) -> anyhow::Result<()> {
        let client = crate::plain_client();
        let mut posted = 0;
        while posted < self.settings.events {
            let count = BATCH.min(self.settings.events - posted);
            let batch: Vec<_> = (posted..posted + count).map(event).collect();
            let response = client.post(sidecar.url()).json_body(&batch).send().await?;
            let status = response.status();
            if status != http::StatusCode::ACCEPTED {
                bail!("an event was refused: {status} {}", response.text().await?);
            }
            if posted < self.settings.events / 2 && posted + count >= self.settings.events / 2 {
                self.behave("shipping", 500);
            }
            posted += count;
            self.show(posted);
            // Slow enough to watch.
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
        Ok(())
    }

    fn behave(&self, stream: &str, status: u16) {
        self.receiver.control(stream, Control { secrets: None, behaviour: Some(Behaviour::status(status)) });
    }

    /// Lets the failing receiver fail for a while, so that there is something to see.
    async fn wait_a_moment(&self) {
        for _ in 0..20 {
            self.show(self.settings.events);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        self.progress.end();
    }

    async fn wait_for_all(&self) -> anyhow::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while STREAMS.iter().any(|(stream, _)| self.receiver.summary(stream).acknowledged < self.expected(stream)) {
            self.show(self.settings.events);
            ensure!(Instant::now() < deadline, "not all events had arrived after {PATIENCE:?}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        self.show(self.settings.events);
        self.progress.end();
        Ok(())
    }

    /// How many events a stream gets of all.
    fn expected(&self, stream: &str) -> u64 {
        let wants = |event_type: &str| match stream {
            "audit" => true,
            "billing" => event_type == "invoice.paid",
            _ => event_type.starts_with("order."),
        };
        (0..self.settings.events).filter(|&number| wants(event_type(number))).count() as u64
    }

    fn show(&self, posted: u64) {
        let counts: Vec<_> = STREAMS
            .iter()
            .map(|(stream, _)| (*stream, self.receiver.summary(stream).acknowledged, self.expected(stream)))
            .collect();
        self.progress.show(posted, self.settings.events, &counts);
    }

    fn check(&self, elapsed: Duration) -> anyhow::Result<()> {
        let mut total = Summary::default();
        for (stream, _) in STREAMS {
            let summary = self.receiver.summary(stream);
            ensure!(summary.acknowledged == self.expected(stream), "{stream}: {summary:?}");
            total.acknowledged += summary.acknowledged;
            total.requests += summary.requests;
            total.verified += summary.verified;
            total.invalid += summary.invalid;
            total.duplicates += summary.duplicates;
        }
        ensure!(total.invalid == 0, "signatures were not right: {total:?}");
        println!(
            "
{} events became {} deliveries in {:.1} s. {} requests, every signature verified, {} duplicates; the attempts
that the failing receiver refused were made again until it took them.

What to try next:
  examples/quickstart/run      the same, to play with: a receiver that prints what it gets, and an address to post to
  and on a cluster: README.md, \"On a cluster\".",
            self.settings.events,
            total.acknowledged,
            elapsed.as_secs_f64(),
            total.requests,
            total.duplicates,
        );
        Ok(())
    }
}

fn step(number: u8, text: &str) {
    println!("\n[{number}/5] {text}");
}

fn event_type(number: u64) -> &'static str {
    EVENT_TYPES[usize::try_from(number % 3).expect("a number below 3")]
}

fn event(number: u64) -> serde_json::Value {
    serde_json::json!({
        "id": format!("evt-{number}"),
        "type": event_type(number),
        "data": {"number": number, "currency": "EUR"},
    })
}

/// `reqwest` is built without its `json` feature.
trait JsonBody {
    fn json_body(self, value: &impl serde::Serialize) -> Self;
}

impl JsonBody for reqwest::RequestBuilder {
    fn json_body(self, value: &impl serde::Serialize) -> Self {
        self.header(http::header::CONTENT_TYPE, "application/json")
            .body(serde_json::to_vec(value).expect("JSON can be written"))
    }
}
