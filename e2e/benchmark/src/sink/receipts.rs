//! What receivers got: a count, a sample whose signatures are verified afterwards, and times while someone wants them.

use std::sync::{
    Arc, Mutex, PoisonError, RwLock,
    atomic::{AtomicU64, Ordering},
};

use anyhow::{Context, ensure};
use bytes::Bytes;
use http::HeaderMap;

use crate::{event::number_of, load::Times};

/// Each so many-th delivery is kept for verification. No multiple of a number of endpoints.
const EACH: u64 = 997;
const MOST_SAMPLES: usize = 200;

/// See the module.
#[derive(Debug, Default)]
pub struct Receipts {
    count: AtomicU64,
    times: RwLock<Option<Arc<Times>>>,
    samples: Mutex<Vec<Sample>>,
}

#[derive(Debug)]
struct Sample {
    headers: HeaderMap,
    body: Bytes,
}

impl Receipts {
    /// How many deliveries have arrived.
    pub fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// Keeps times from now on, or no more.
    pub fn keep_times(&self, times: Option<Arc<Times>>) {
        *self.times.write().unwrap_or_else(PoisonError::into_inner) = times;
    }

    /// A delivery has arrived.
    pub fn add(&self, headers: &HeaderMap, body: &Bytes) {
        if let Some(times) = &*self.times.read().unwrap_or_else(PoisonError::into_inner)
            && let Some(number) = number_of(body)
        {
            times.received(number);
        }
        if self.count.fetch_add(1, Ordering::Relaxed).is_multiple_of(EACH) {
            let mut samples = self.samples.lock().unwrap_or_else(PoisonError::into_inner);
            if samples.len() < MOST_SAMPLES {
                samples.push(Sample { headers: headers.clone(), body: body.clone() });
            }
        }
    }

    /// Forgets the sample, which the bare loop has put unsigned requests into.
    pub fn forget_samples(&self) {
        self.samples.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Verifies the sample with an independent library. Returns its size.
    ///
    /// # Errors
    /// When a signature is wrong, or nothing was sampled.
    pub fn verify(&self, key: &str) -> anyhow::Result<usize> {
        let webhook = standardwebhooks::Webhook::new(key).context("the key")?;
        let samples = self.samples.lock().unwrap_or_else(PoisonError::into_inner);
        ensure!(!samples.is_empty(), "no delivery was sampled");
        for sample in &*samples {
            webhook.verify(&sample.body, &sample.headers).context("a delivery's signature")?;
        }
        Ok(samples.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "whsec_v66DgDACyLuzGNVT85yArBxvQav/aVXn";

    #[test]
    fn a_wrong_signature_in_the_sample_is_an_error() {
        let receipts = Receipts::default();
        assert!(receipts.verify(KEY).is_err());
        let body = Bytes::from_static(b"{}");
        let now = jiff::Timestamp::now().as_second();
        let signature = standardwebhooks::Webhook::new(KEY).unwrap().sign("a", now, &body).unwrap();
        let headers = |signature: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("webhook-id", "a".parse().unwrap());
            headers.insert("webhook-timestamp", now.into());
            headers.insert("webhook-signature", signature.parse().unwrap());
            headers
        };
        receipts.add(&headers(&signature), &body);
        assert_eq!(receipts.verify(KEY).unwrap(), 1);
        receipts.forget_samples();
        receipts.count.store(0, Ordering::Relaxed);
        receipts.add(&headers("v1,AAAA"), &body);
        assert!(receipts.verify(KEY).is_err());
    }
}
