//! Takes the time of opening connections, for the attempt that needs one.

use std::{
    task::{Context, Poll},
    time::Instant,
};

use futures::{FutureExt, future::BoxFuture};
use tower::{Layer, Service};

use super::exchange::Stopwatch;

/// Puts a [`Timed`] around the client's connector.
#[derive(Clone, Copy, Debug)]
pub struct TimedLayer;

impl<S> Layer<S> for TimedLayer {
    type Service = Timed<S>;

    fn layer(&self, connector: S) -> Timed<S> {
        Timed(connector)
    }
}

/// A connector whose time is taken.
#[derive(Clone, Debug)]
pub struct Timed<S>(S);

impl<S, R> Service<R> for Timed<S>
where
    S: Service<R>,
    S::Future: Send + 'static,
    S::Response: 'static,
    S::Error: 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<S::Response, S::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, target: R) -> Self::Future {
        let (stopwatch, begun) = (Stopwatch::current(), Instant::now());
        let connected = self.0.call(target).inspect(move |connected| {
            if let (Some(stopwatch), Ok(_)) = (stopwatch, connected) {
                stopwatch.connected(begun);
            }
        });
        Box::pin(connected)
    }
}
