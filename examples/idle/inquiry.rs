//! Asks once more where a server refused with an HTTP status that is not known: one further request
//! for each kind of refusal. This file knows no connection of a run.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use switchboard::proto::websocket::Url;

use crate::answers::{Answer, ask};
use crate::failure::Failure;
use crate::options::Options;
use crate::talk::Failures;

/// Refusals that are asked about, and the longest wait for each answer, in seconds.
const MOST: usize = 4;
const PATIENCE: f64 = 5.0;

#[derive(Default)]
pub struct Inquiry {
    /// What servers answered, by target and the client role's words.
    answers: HashMap<(usize, String), Option<Answer>>,
    /// Whether an answer explained a failure.
    pub has_explained: bool,
}

impl Inquiry {
    /// Adds status and headers to refusals that have none.
    pub fn explain(&mut self, failures: &mut [Failures], options: &Options, addresses: &[IpAddr]) {
        let unknown = |one: &&mut Failures| one.kind == Failure::Status && one.status.is_none();
        for failures in failures.iter_mut().filter(unknown) {
            let key = (failures.target, failures.reason.clone());
            if !self.answers.contains_key(&key) {
                if self.answers.len() >= MOST {
                    continue;
                }
                let answer = ask_target(options, failures.target, addresses);
                self.answers.insert(key.clone(), answer);
            }
            let answer = self.answers.get(&key).and_then(Option::as_ref);
            if let Some(answer) = answer.filter(|answer| answer.fits(&failures.reason)) {
                failures.status = Some(answer.status);
                failures.headers.clone_from(&answer.headers);
                self.has_explained = true;
            }
        }
    }
}

fn ask_target(options: &Options, target: usize, addresses: &[IpAddr]) -> Option<Answer> {
    let target = options.targets.get(target)?;
    let request = options.asked.request(Url::parse(&target.url).ok()?)?;
    let patience = Duration::from_secs_f64(options.timeout.min(PATIENCE));
    addresses.iter().find_map(|&ip| ask(SocketAddr::new(ip, target.port), &request, patience))
}
