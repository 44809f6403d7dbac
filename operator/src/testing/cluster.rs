//! A small cluster in memory: lists, watches, server-side apply and deletion, enough for whole reconciles.
//!
//! Simpler than the real one: selectors are ignored, and an apply replaces all of an object but its status.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures::stream;
use http::{Request, Response, Uri};
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::{Bytes, Frame};
use kube::{Client, client::Body};
use serde_json::{Value, json};
use tokio::sync::{Notify, mpsc};

use super::Seen;

/// A body: whole, or a stream of watch events.
type Answer = UnsyncBoxBody<Bytes, Infallible>;

/// The cluster. Clones are the same one.
#[derive(Clone, Default)]
pub struct Cluster(Arc<Inner>);

#[derive(Default)]
struct Inner {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    /// By path.
    objects: BTreeMap<String, Value>,
    /// Status by path and manager.
    statuses: BTreeMap<(String, String), Value>,
    version: u64,
    /// Everything that happened: version, path, watch event.
    history: Vec<(u64, String, Value)>,
    /// Collections that are watched.
    watches: Vec<(String, mpsc::UnboundedSender<Value>)>,
    requests: Vec<Seen>,
}

impl Cluster {
    /// A client of it.
    pub fn client(&self) -> Client {
        let cluster = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let cluster = cluster.clone();
            async move {
                let (parts, stream) = request.into_parts();
                let bytes = stream.collect().await?.to_bytes();
                let body = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes)? };
                Ok::<_, tower::BoxError>(cluster.answer(parts.method.as_str(), &parts.uri, body))
            }
        });
        Client::new(service, "default")
    }

    /// Puts an object there, as a user would.
    pub fn put(&self, path: &str, mut object: Value) {
        let mut state = self.state();
        let name = path.rsplit('/').next().unwrap_or_default();
        let namespace = path.split('/').skip_while(|part| *part != "namespaces").nth(1);
        object["metadata"]["name"] = json!(name);
        object["metadata"]["namespace"] = json!(namespace);
        state.store(path, object);
        drop(state);
        self.0.changed.notify_waiters();
    }

    /// Changes an object, as somebody else would.
    pub fn edit(&self, path: &str, edit: impl FnOnce(&mut Value)) {
        let mut state = self.state();
        let mut object = state.objects.get(path).cloned().unwrap_or_else(|| panic!("there is no {path}"));
        edit(&mut object);
        state.store(path, object);
        drop(state);
        self.0.changed.notify_waiters();
    }

    /// Removes an object.
    pub fn delete(&self, path: &str) {
        self.state().remove(path);
        self.0.changed.notify_waiters();
    }

    /// Applies a status in a manager's name.
    pub fn apply_status(&self, path: &str, manager: &str, status: Value) {
        self.state().apply_status(path, manager, status);
        self.0.changed.notify_waiters();
    }

    /// An object.
    pub fn get(&self, path: &str) -> Option<Value> {
        self.state().objects.get(path).cloned()
    }

    /// All objects whose path contains `part`.
    pub fn objects(&self, part: &str) -> Vec<Value> {
        let state = self.state();
        state.objects.iter().filter(|(path, _)| path.contains(part)).map(|(_, object)| object.clone()).collect()
    }

    /// A condition of an object, as `status/reason`.
    pub fn condition(&self, path: &str, type_: &str) -> Option<String> {
        let object = self.get(path)?;
        let condition = object["status"]["conditions"].as_array()?.iter().find(|found| found["type"] == type_)?.clone();
        Some(format!("{}/{}", condition["status"].as_str()?, condition["reason"].as_str()?))
    }

    /// The requests since the last call.
    pub fn requests(&self) -> Vec<Seen> {
        std::mem::take(&mut self.state().requests)
    }

    /// The requests since the last call, as method and path, without those that open a watch again.
    pub fn asked(&self) -> Vec<String> {
        let requests = self.requests().into_iter().filter(|request| !request.query.contains("watch=true"));
        requests.map(|request| request.line).collect()
    }

    /// Waits until something is so. Needs a paused clock, which stands for as long as there is something to do.
    pub async fn until(&self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let wait = async {
            loop {
                let changed = self.0.changed.notified();
                if is_so(self) {
                    return;
                }
                changed.await;
            }
        };
        let came = tokio::time::timeout(Duration::from_hours(1), wait).await;
        assert!(came.is_ok(), "not in an hour: {what}; objects: {:#?}", self.state().objects);
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.state.lock().expect("the small cluster panicked")
    }

    fn answer(&self, method: &str, uri: &Uri, body: Value) -> Response<Answer> {
        let (path, query) = (uri.path().to_owned(), uri.query().unwrap_or_default().to_owned());
        let mut state = self.state();
        state.requests.push(Seen { line: format!("{method} {path}"), query: query.clone(), body: body.clone() });
        let response = match method {
            "GET" if query.contains("watch=true") => state.watch(&path, &query),
            "GET" if state.objects.contains_key(&path) => answer(200, &state.objects[&path]),
            "GET" if is_collection(&path) => answer(200, &state.list(&path)),
            "PATCH" => match path.strip_suffix("/status") {
                Some(path) if state.objects.contains_key(path) => {
                    let manager = query.split('&').find_map(|part| part.strip_prefix("fieldManager="));
                    state.apply_status(path, manager.unwrap_or_default(), body["status"].clone());
                    answer(200, &state.objects[path])
                }
                Some(_) => missing(),
                None => answer(200, &state.apply(&path, body)),
            },
            "POST" => answer(201, &body),
            "DELETE" if state.objects.contains_key(&path) => {
                state.remove(&path);
                answer(200, &json!({"kind": "Status", "apiVersion": "v1", "status": "Success"}))
            }
            _ => missing(),
        };
        drop(state);
        self.0.changed.notify_waiters();
        response
    }
}

impl State {
    fn apply(&mut self, path: &str, mut object: Value) -> Value {
        match self.objects.get(path) {
            None => object["metadata"]["uid"] = json!(format!("uid of {path}")),
            Some(before) => {
                for field in ["uid", "generation", "resourceVersion"] {
                    object["metadata"][field] = before["metadata"][field].clone();
                }
                object["status"] = before["status"].clone();
            }
        }
        self.store(path, object)
    }

    fn apply_status(&mut self, path: &str, manager: &str, status: Value) {
        self.statuses.insert((path.to_owned(), manager.to_owned()), status);
        let parts = self.statuses.iter().filter(|((of, _), _)| of == path).map(|(_, status)| status);
        let merged = parts.fold(Value::Null, |merged, part| merge(merged, part.clone()));
        let mut object = self.objects[path].clone();
        object["status"] = merged;
        self.store(path, object);
    }

    /// Keeps an object and tells those who watch, unless it is the same as before.
    fn store(&mut self, path: &str, mut object: Value) -> Value {
        let before = self.objects.get(path).cloned();
        if before.as_ref() == Some(&object) {
            return object;
        }
        self.version += 1;
        let metadata = &mut object["metadata"];
        metadata["resourceVersion"] = json!(self.version.to_string());
        if path.contains("posthaste.dev") || path.contains("/deployments/") {
            let generation = before.as_ref().and_then(|before| before["metadata"]["generation"].as_i64()).unwrap_or(0);
            let same = before.as_ref().is_some_and(|before| before["spec"] == object["spec"]);
            object["metadata"]["generation"] = json!(generation + i64::from(!same));
        }
        let kind = if before.is_none() { "ADDED" } else { "MODIFIED" };
        self.objects.insert(path.to_owned(), object.clone());
        self.tell(path, json!({"type": kind, "object": object}));
        object
    }

    fn remove(&mut self, path: &str) {
        if let Some(mut object) = self.objects.remove(path) {
            self.version += 1;
            self.statuses.retain(|(of, _), _| of != path);
            object["metadata"]["resourceVersion"] = json!(self.version.to_string());
            self.tell(path, json!({"type": "DELETED", "object": object}));
        }
    }

    fn tell(&mut self, path: &str, event: Value) {
        let (collection, _) = path.rsplit_once('/').expect("a path of an object");
        self.watches.retain(|(watched, send)| watched != collection || send.send(event.clone()).is_ok());
        self.history.push((self.version, path.to_owned(), event));
    }

    fn list(&self, collection: &str) -> Value {
        let of = |path: &str| path.rsplit_once('/').is_some_and(|(parent, _)| parent == collection);
        let items: Vec<_> = self.objects.iter().filter(|(path, _)| of(path)).map(|(_, object)| object).collect();
        json!({"kind": "List", "apiVersion": "v1", "metadata": {"resourceVersion": self.version.to_string()}, "items": items})
    }

    fn watch(&mut self, collection: &str, query: &str) -> Response<Answer> {
        let since = query.split('&').find_map(|part| part.strip_prefix("resourceVersion="));
        let since: u64 = since.and_then(|version| version.parse().ok()).unwrap_or(0);
        let (send, receive) = mpsc::unbounded_channel();
        for (version, path, event) in &self.history {
            if *version > since && path.rsplit_once('/').is_some_and(|(parent, _)| parent == collection) {
                let _ = send.send(event.clone());
            }
        }
        self.watches.push((collection.to_owned(), send));
        let events = stream::unfold(receive, async |mut receive| {
            let event: Value = receive.recv().await?;
            let line = format!("{event}\n").into_bytes();
            Some((Ok::<_, Infallible>(Frame::data(line.into())), receive))
        });
        Response::new(StreamBody::new(events).boxed_unsync())
    }
}

/// Fields of both, lists joined.
fn merge(a: Value, b: Value) -> Value {
    match (a, b) {
        (Value::Object(mut a), Value::Object(b)) => {
            for (name, value) in b {
                let before = a.remove(&name).unwrap_or_default();
                a.insert(name, merge(before, value));
            }
            Value::Object(a)
        }
        (Value::Array(mut a), Value::Array(b)) => {
            a.extend(b);
            Value::Array(a)
        }
        (_, b) => b,
    }
}

/// Paths of collections end in a plural, which in every group of ours follows `namespaces/<namespace>`.
fn is_collection(path: &str) -> bool {
    path.split('/').skip_while(|part| *part != "namespaces").count() == 3
}

fn answer(status: u16, body: &Value) -> Response<Answer> {
    let response = Response::builder().status(status).body(Full::from(body.to_string()).boxed_unsync());
    response.expect("a valid response")
}

fn missing() -> Response<Answer> {
    answer(
        404,
        &json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 404, "reason": "NotFound", "message": "not found"}),
    )
}
