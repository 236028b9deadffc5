//! Opens connections at a rate, with a bound on attempts in flight, and gives up where attempt
//! after attempt fails. This file does not know what becomes of open connections.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use switchboard::{Close, CloseCode, ConnId, Connect, Context, Options};

use crate::answers::Answer;
use crate::clock::{Pace, SECOND};
use crate::failure::Failure;
use crate::latency::Latencies;
use crate::plan::elsewhere;
use crate::talk::{Assignment, Failures, add_failures};

/// Failures of one route in a row, without a success in between, after which the route is given up.
const IN_A_ROW: u32 = 32;

/// The weight of a timeout: it says more than a refusal.
const WEIGHT_OF_TIMEOUT: u32 = 4;

/// Failures for every ten connections, beyond the first hundred, after which all routes are given
/// up even if successes come in between.
const PER_TEN: u64 = 1;

/// Source addresses that are tried for a route whose ports are taken.
const MOVES: u32 = 32;

/// The time that the rate may lag behind and be made up for.
const ARREARS: u64 = SECOND / 50;

/// Begins one attempt, for the handler that the connection is to have.
pub type Open = Box<dyn Fn(&mut Context, Connect) -> ConnId>;

pub struct Dialling {
    open: Open,
    routes: Vec<Route>,
    /// The route whose turn it is.
    next: usize,
    attempts: HashMap<ConnId, Attempt>,
    /// Connections to be opened, without failed ones.
    until: u64,
    pub opened: u64,
    in_flight: usize,
    may_move: bool,
    pace: Option<Pace>,
    rate: f64,
    pub failed: u64,
    failures: Vec<Failures>,
    pub handshakes: Latencies,
}

struct Route {
    connect: Connect,
    source: Option<IpAddr>,
    target: usize,
    /// Connections that the route is still to open.
    left: u64,
    in_a_row: u32,
    has_opened: bool,
    given_up: bool,
    /// The number of times that the route changed its source address.
    moves: u32,
}

struct Attempt {
    begun: u64,
    route: usize,
    moves: u32,
}

impl Dialling {
    pub fn new(open: Open, assignment: &Assignment, cx: &mut Context) -> Dialling {
        // The connections are to be idle: the server may ping, this client does not. Output that
        // the server does not read in time does not matter either.
        let options =
            cx.add_options(Options::new().idle_timeout(Duration::MAX).max_buffered(usize::MAX));
        let routes = assignment.routes.iter().map(|route| {
            let connect = Connect::to(&assignment.urls[route.target]);
            let connect = assignment.asked.hand_to(connect);
            let connect = connect
                .options(options)
                .addresses(assignment.addresses.iter().copied())
                .timeout(Duration::from_secs_f64(assignment.timeout));
            Route {
                connect: route.source.map_or(connect.clone(), |source| connect.source(source)),
                source: route.source,
                moves: 0,
                target: route.target,
                left: route.connections,
                in_a_row: 0,
                has_opened: false,
                given_up: false,
            }
        });
        Dialling {
            open,
            routes: routes.collect(),
            next: 0,
            attempts: HashMap::new(),
            until: 0,
            opened: 0,
            in_flight: assignment.in_flight,
            may_move: assignment.may_move,
            pace: None,
            rate: assignment.rate,
            failed: 0,
            failures: Vec::new(),
            handshakes: Latencies::settled(),
        }
    }

    /// Opens until this many connections have been opened.
    pub fn order(&mut self, until: u64, now: u64) {
        self.until = until;
        self.pace = Some(Pace::new(now, self.rate));
    }

    /// Stops: attempts in flight are abandoned.
    pub fn stop(&mut self, cx: &mut Context) {
        self.until = 0;
        for (id, _) in self.attempts.drain() {
            if let Some(mut conn) = cx.conn(id) {
                conn.close(CloseCode::GOING_AWAY, "");
            }
        }
    }

    /// Begins the attempts that are due. Returns when the next one is due; `None` if that depends
    /// on others.
    pub fn dial(&mut self, cx: &mut Context, now: u64) -> Option<u64> {
        let mut pace = self.pace?;
        pace.forgive(now, ARREARS);
        while self.wants() {
            let Some(route) = self.route() else { break };
            if pace.take(now).is_none() {
                self.pace = Some(pace);
                return Some(pace.next());
            }
            self.begin(route, cx, now);
        }
        self.pace = Some(pace);
        None
    }

    /// Begins one attempt at once, whatever the rate.
    pub fn dial_one(&mut self, cx: &mut Context, now: u64) {
        self.until += 1;
        if let Some(route) = self.route() {
            self.begin(route, cx, now);
        }
    }

    /// Makes room for a connection in place of one that has ended.
    pub fn make_room(&mut self) {
        // The route of the ended connection is not kept: the next route serves as well, since all
        // have their share replaced.
        let count = self.routes.len();
        if let Some(route) = self.routes.get_mut(self.next % count.max(1)) {
            route.left += 1;
        }
    }

    fn begin(&mut self, route: usize, cx: &mut Context, now: u64) {
        self.routes[route].left -= 1;
        let id = (self.open)(cx, self.routes[route].connect.clone());
        self.attempts.insert(id, Attempt { begun: now, route, moves: self.routes[route].moves });
    }

    /// Whether there is an attempt to begin, apart from the rate.
    fn wants(&self) -> bool {
        self.attempts.len() < self.in_flight
            && self.opened + (self.attempts.len() as u64) < self.until
    }

    /// Whether no more connections will be opened, for whatever reason.
    pub fn is_done(&self) -> bool {
        self.opened >= self.until
            || (self.attempts.is_empty() && self.routes.iter().all(Route::is_spent))
    }

    /// Whether an attempt is in flight.
    pub fn is_dialling(&self) -> bool {
        !self.attempts.is_empty()
    }

    /// The next route with connections to open, each in its turn.
    fn route(&mut self) -> Option<usize> {
        let count = self.routes.len();
        let found = (self.next..self.next + count)
            .map(|at| at % count)
            .find(|&at| !self.routes[at].is_spent())?;
        self.next = found + 1;
        Some(found)
    }

    /// Records that an attempt has succeeded, and its duration.
    pub fn succeeded(&mut self, id: ConnId, now: u64) {
        let Some(attempt) = self.attempts.remove(&id) else { return };
        self.routes[attempt.route].in_a_row = 0;
        self.routes[attempt.route].has_opened = true;
        self.opened += 1;
        self.handshakes.record(now - attempt.begun);
        if self.attempts.is_empty() {
            // Memory of a rush is given back, so that idle connections cost nothing but themselves.
            self.attempts = HashMap::new();
        }
    }

    /// Records that a connection has failed if it was an attempt, and returns whether it was.
    pub fn failed(&mut self, id: ConnId, close: &Close<'_>) -> bool {
        let Some(attempt) = self.attempts.remove(&id) else { return false };
        let (reason, answer) = (close.reason, Answer::of_close(close));
        let (status, headers) =
            answer.map_or((None, Vec::new()), |answer| (Some(answer.status), answer.headers));
        let kind = Failure::of(reason);
        let route = &mut self.routes[attempt.route];
        let target = route.target;
        route.left += 1;
        if kind == Failure::Ports && self.may_move && route.moves < MOVES {
            route.leave(attempt.moves);
            return true;
        }
        route.in_a_row += if kind == Failure::Timeout { WEIGHT_OF_TIMEOUT } else { 1 };
        let is_final = !route.has_opened && kind.is_final(status);
        route.given_up |= route.in_a_row >= IN_A_ROW || kind.is_our_own() || is_final;
        self.failed += 1;
        if self.failed > 100 + self.until / 10 * PER_TEN {
            self.routes.iter_mut().for_each(|route| route.given_up = true);
        }
        let reason = reason.to_owned();
        let one = Failures { kind, count: 1, reason, status, headers, target };
        add_failures(&mut self.failures, vec![one]);
        true
    }

    pub fn failures(&self) -> Vec<Failures> {
        self.failures.clone()
    }
}

impl Route {
    /// Changes the source address, unless another attempt of that time has changed it already.
    fn leave(&mut self, moves: u32) {
        if self.moves == moves {
            let source = elsewhere(self.source);
            self.connect = self.connect.clone().source(source);
            self.source = Some(source);
            self.moves += 1;
        }
    }

    fn is_spent(&self) -> bool {
        self.left == 0 || self.given_up
    }
}
