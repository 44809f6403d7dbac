//! A resolver that answers what a test wants, a different answer each time if need be.

use std::{
    collections::VecDeque,
    net::IpAddr,
    sync::{Arc, Mutex},
};

use futures::{FutureExt, future::BoxFuture};

use crate::send::resolve::{Resolve, ResolveError};

type Answer = Result<Vec<IpAddr>, ResolveError>;

/// Answers in order; the last again and again. Remembers what was asked for.
#[derive(Clone)]
pub struct Names {
    answers: Arc<Mutex<VecDeque<Answer>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Names {
    /// No name exists.
    pub fn none() -> Self {
        Self::failing(ResolveError::NotFound)
    }

    /// Each question is answered with this error.
    pub fn failing(error: ResolveError) -> Self {
        Self::new([Err(error)].into())
    }

    /// Every name has these addresses, the first time the first of them, then the second.
    pub fn answering(answers: &[&[&str]]) -> Self {
        let addresses = |list: &&[&str]| Ok(list.iter().map(|address| address.parse().unwrap()).collect());
        Self::new(answers.iter().map(addresses).collect())
    }

    fn new(answers: VecDeque<Answer>) -> Self {
        Self { answers: Arc::new(Mutex::new(answers)), asked: Arc::default() }
    }

    /// The names that were asked for.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

impl Resolve for Names {
    fn resolve<'a>(&'a self, host: &'a str) -> BoxFuture<'a, Answer> {
        self.asked.lock().unwrap().push(host.to_owned());
        let mut answers = self.answers.lock().unwrap();
        let answer = if answers.len() > 1 { answers.pop_front() } else { answers.front().cloned() };
        std::future::ready(answer.expect("there is an answer")).boxed()
    }
}
