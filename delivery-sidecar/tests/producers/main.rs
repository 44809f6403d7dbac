//! The programs of `docs/producing-events.md` against the real sidecar, with a gateway in between that fails first: they
//! send again as told, what they sent twice is kept once, and what is refused they do not send again.
//!
//! A program whose tool is not on this machine is left out, which is printed; with `CI=true` that fails.

mod gateway;
mod sidecar;

#[path = "../../../examples/producers/producer.rs"]
mod producer;

use std::{fs, path::PathBuf, process::Stdio, time::Duration};

use tokio::{process::Command, time::timeout};

use gateway::{Gateway, Step};
use sidecar::{KEY, Sidecar};

/// A program that takes longer has failed. The first build of the Go program takes most of it.
const PATIENCE: Duration = Duration::from_secs(300);
/// What the gateway asks for, in whole seconds, which no program's own first wait is as long as.
const RETRY_AFTER: u64 = 2;

/// How a program ended: what it printed, or what it said was wrong.
type Ended = Result<String, String>;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../examples/producers")
}

/// Runs a program of the folder; `None` when its tool is not here.
async fn run(command: &[&str], url: &str) -> Option<Ended> {
    let (tool, arguments) = command.split_first().expect("a tool");
    let mut program = Command::new(tool);
    program.args(arguments).current_dir(folder()).env("POSTHASTE_URL", url).env("POSTHASTE_KEY", KEY);
    // Nothing but what is on this machine.
    program.env("GOPROXY", "off").env("GOTOOLCHAIN", "local").env("NO_PROXY", "127.0.0.1");
    program.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let child = match program.spawn() {
        Ok(child) => child,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
        Err(error) => panic!("{tool}: {error}"),
    };
    let output = timeout(PATIENCE, child.wait_with_output()).await.expect("the program ends").unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Some(if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) })
}

/// What a program must do. `post` runs it with a URL.
async fn story(name: &str, post: impl AsyncFn(&str) -> Option<Ended>) {
    let sidecar = Sidecar::start().await;
    let refusing = Gateway::start(sidecar.address(), vec![Step::Answer(422, None)]).await;
    let Some(refused) = post(&refusing.url()).await else {
        assert!(!std::env::var("CI").is_ok_and(|ci| ci == "true"), "the tool for {name} is not on this machine");
        println!("left out: {name}, because its tool is not on this machine");
        return;
    };
    let failure = refused.expect_err("it must tell that the event was refused");
    assert!(failure.contains("refused with 422"), "{failure}");
    assert_eq!(refusing.requests().len(), 1, "what is refused must not be sent again");

    let steps =
        vec![Step::Answer(503, Some(RETRY_AFTER)), Step::ForwardAndHangUp, Step::Answer(429, None), Step::Forward];
    let failing = Gateway::start(sidecar.address(), steps).await;
    let printed =
        post(&failing.url()).await.expect("the tool is there").expect("it must go on until the event is kept");
    assert!(printed.contains("order-4711-paid") && printed.contains("duplicate"), "{printed}");
    let requests = failing.requests();
    assert_eq!(requests.len(), 4, "{requests:?}");
    assert!(requests.iter().all(|request| request.body == requests[0].body), "the same is sent again: {requests:?}");
    let waited = requests[1].at - requests[0].at;
    assert!(waited >= Duration::from_secs(RETRY_AFTER), "Retry-After must be honoured, not {waited:?}");
    assert_eq!(failing.forwarded(), [202, 200], "kept once, and known when it came again");
    assert_eq!(sidecar.delivered().await, ["order-4711-paid"]);
}

#[tokio::test]
async fn curl_sends_again_until_the_event_is_kept_once() {
    story("curl", async |url| match Command::new("curl").arg("--version").output().await {
        Ok(_) => run(&["sh", "curl.sh"], url).await,
        Err(_) => None,
    })
    .await;
}

#[tokio::test]
async fn node_sends_again_until_the_event_is_kept_once() {
    story("node", async |url| run(&["node", "node.mjs"], url).await).await;
}

#[tokio::test]
async fn python_sends_again_until_the_event_is_kept_once() {
    story("python3", async |url| run(&["python3", "producer.py"], url).await).await;
}

#[tokio::test]
async fn go_sends_again_until_the_event_is_kept_once() {
    story("go", async |url| run(&["go", "run", "producer.go"], url).await).await;
}

#[tokio::test]
async fn rust_sends_again_until_the_event_is_kept_once() {
    const EVENT: &str = r#"{"id": "order-4711-paid", "type": "order.paid", "data": {"order": 4711, "total": 99.5}}"#;
    // What reqwest does by itself with its default features.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    story("rust", async |url| Some(producer::post(&client, url, KEY, EVENT).await)).await;
}

#[test]
fn the_page_shows_the_programs_that_are_tested() {
    let page = fs::read_to_string(folder().join("../../docs/producing-events.md")).unwrap();
    for (name, language) in [
        ("curl.sh", "sh"),
        ("node.mjs", "js"),
        ("producer.py", "python"),
        ("producer.go", "go"),
        ("producer.rs", "rust"),
    ] {
        let text = fs::read_to_string(folder().join(name)).unwrap();
        assert!(page.contains(&format!("```{language}\n{text}```")), "the page has another text than {name}");
    }
}
