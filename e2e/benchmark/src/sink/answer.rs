//! Connections of receivers that do something with them.

use std::{convert::Infallible, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Empty};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpStream},
    time::sleep,
};

use super::{Behaviour, Receipts};

/// Accepts connections until the task is aborted.
pub async fn accept(listener: TcpListener, behaviour: Behaviour) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Out of descriptors; the delivery sees a receiver that is slow.
            sleep(Duration::from_millis(10)).await;
            continue;
        };
        match &behaviour {
            Behaviour::Answer(receipts) => drop(tokio::spawn(answer(stream, Some(Arc::clone(receipts)), None))),
            Behaviour::AnswerAfter(wait) => drop(tokio::spawn(answer(stream, None, Some(*wait)))),
            Behaviour::Reset => drop(stream.set_zero_linger()),
            // These have no task that accepts.
            Behaviour::Hang | Behaviour::Refuse => {}
        }
    }
}

async fn answer(stream: TcpStream, receipts: Option<Arc<Receipts>>, wait: Option<Duration>) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request: Request<Incoming>| {
        let receipts = receipts.clone();
        async move {
            let (parts, body) = request.into_parts();
            // A body that breaks off is none that was received.
            if let (Ok(body), Some(receipts)) = (body.collect().await, receipts) {
                receipts.add(&parts.headers, &body.to_bytes());
            }
            if let Some(wait) = wait {
                sleep(wait).await;
            }
            Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))
        }
    });
    // Ends when the other end closes it, however that looks.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}
