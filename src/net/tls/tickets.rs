//! Session tickets (RFC 5077, RFC 8446 section 4.6.1): what a session needs to resume, encrypted
//! under a key that only this server has.
//!
//! A ticket is a key's name (16 bytes), a nonce (12 bytes), and the session under
//! ChaCha20-Poly1305.

use std::sync::Arc;

use ring::aead::{Aad, NONCE_LEN, Nonce};
use ring::rand::{SecureRandom, SystemRandom};
use rustls::server::ProducesTickets;

use super::ticket_keys::TicketKeys;

const NAME: usize = 16;
const TAG: usize = 16;

/// The longest ticket. A session with a client's certificate chain takes some kilobytes.
const MAX_TICKET: usize = 32 << 10;

/// The tickets of one configuration.
#[derive(Debug)]
pub(super) struct Tickets {
    keys: Arc<TicketKeys>,
    /// What a client had to prove for the session. A ticket holds the client's certificates, and
    /// resuming does not check them again, so a ticket is good only where the terms are the same.
    terms: [u8; 32],
}

impl Tickets {
    pub(super) fn new(keys: Arc<TicketKeys>, terms: [u8; 32]) -> Tickets {
        Tickets { keys, terms }
    }

    fn bound(&self, name: &[u8; NAME]) -> Aad<[u8; 48]> {
        let mut bound = [0; 48];
        bound[..NAME].copy_from_slice(name);
        bound[NAME..].copy_from_slice(&self.terms);
        Aad::from(bound)
    }
}

impl ProducesTickets for Tickets {
    fn enabled(&self) -> bool {
        true
    }

    fn lifetime(&self) -> u32 {
        self.keys.lifetime()
    }

    fn encrypt(&self, session: &[u8]) -> Option<Vec<u8>> {
        let length = NAME + NONCE_LEN + session.len() + TAG;
        if length > MAX_TICKET {
            return None;
        }
        let key = self.keys.current()?;
        // Random, since several processes encrypt under one key.
        let mut nonce = [0; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce).ok()?;
        let mut ticket = Vec::with_capacity(length);
        ticket.extend_from_slice(&key.seed.name);
        ticket.extend_from_slice(&nonce);
        ticket.extend_from_slice(session);
        let (nonce, bound) = (Nonce::assume_unique_for_key(nonce), self.bound(&key.seed.name));
        let sealed = &mut ticket[NAME + NONCE_LEN..];
        let tag = key.key.seal_in_place_separate_tag(nonce, bound, sealed).ok()?;
        ticket.extend_from_slice(tag.as_ref());
        Some(ticket)
    }

    fn decrypt(&self, ticket: &[u8]) -> Option<Vec<u8>> {
        if ticket.len() > MAX_TICKET {
            return None;
        }
        let (name, ticket) = ticket.split_first_chunk::<NAME>()?;
        let (nonce, sealed) = ticket.split_first_chunk::<NONCE_LEN>()?;
        let key = self.keys.named(name)?;
        let mut session = sealed.to_vec();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let length = key.key.open_in_place(nonce, self.bound(name), &mut session).ok()?.len();
        session.truncate(length);
        Some(session)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::{Path, PathBuf};
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Duration;
    use std::{fs, io};

    use rustls::pki_types::UnixTime;
    use rustls::time_provider::TimeProvider;

    use super::*;

    const PERIOD: u64 = 6 * 60 * 60;
    const START: u64 = 500_000 * PERIOD;

    /// Wall time, moved by hand.
    #[derive(Debug)]
    struct Clock(AtomicU64);

    impl TimeProvider for Clock {
        fn current_time(&self) -> Option<UnixTime> {
            Some(UnixTime::since_unix_epoch(Duration::from_secs(self.0.load(Ordering::Relaxed))))
        }
    }

    /// One process: its tickets and its clock.
    struct Process {
        tickets: Tickets,
        clock: Arc<Clock>,
    }

    impl Process {
        fn start(file: Option<&Path>, now: u64) -> io::Result<Process> {
            let clock = Arc::new(Clock(AtomicU64::new(now)));
            let keys = TicketKeys::open(file.map(PathBuf::from), Arc::clone(&clock) as _)?;
            Ok(Process { tickets: Tickets::new(Arc::new(keys), [0; 32]), clock })
        }

        fn ticket(&self, now: u64) -> Vec<u8> {
            self.clock.0.store(now, Ordering::Relaxed);
            self.tickets.encrypt(b"a session").unwrap()
        }

        fn takes(&self, ticket: &[u8], now: u64) -> bool {
            self.clock.0.store(now, Ordering::Relaxed);
            let session = self.tickets.decrypt(ticket);
            assert!(session.as_deref().is_none_or(|session| session == b"a session"));
            session.is_some()
        }
    }

    /// A folder of one test, removed at its end.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Folder {
            let name = format!("switchboard-tickets-{name}-{}", std::process::id());
            let folder = std::env::temp_dir().join(name);
            fs::create_dir_all(&folder).unwrap();
            Folder(folder)
        }

        fn file(&self) -> PathBuf {
            self.0.join("tickets")
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn tickets_are_taken_for_two_periods() {
        let process = Process::start(None, START).unwrap();
        let ticket = process.ticket(START + PERIOD - 1);
        for (now, taken) in [
            (START + PERIOD - 1, true),
            (START + PERIOD, true),
            (START + 2 * PERIOD - 1, true),
            (START + 2 * PERIOD, false),
            (START + 900 * PERIOD, false),
        ] {
            assert_eq!(process.takes(&ticket, now), taken, "{now}");
        }
        for (now, hint) in [(START, 2 * PERIOD), (START + PERIOD - 1, PERIOD + 1)] {
            process.clock.0.store(now, Ordering::Relaxed);
            assert_eq!(u64::from(process.tickets.lifetime()), hint);
        }
    }

    #[test]
    fn tickets_survive_a_clock_that_moves_back() {
        let process = Process::start(None, START).unwrap();
        let ticket = process.ticket(START + 2 * PERIOD);
        assert!(process.takes(&ticket, START + PERIOD));
        let ticket = process.ticket(START - 100 * PERIOD);
        assert!(process.takes(&ticket, START - 99 * PERIOD));
        assert!(!process.takes(&ticket, START - 98 * PERIOD));
    }

    #[test]
    fn tickets_are_taken_after_a_restart_and_by_other_processes() {
        let folder = Folder::new("shared");
        let file = folder.file();
        let first = Process::start(Some(&file), START).unwrap();
        let second = Process::start(Some(&file), START + 1).unwrap();
        // Each period, the processes change keys at different moments.
        for period in 0..6 {
            let now = START + period * PERIOD + 10;
            let (one, two) = (first.ticket(now + period), second.ticket(now + 5));
            assert!(second.takes(&one, now + 10) && first.takes(&two, now + 10), "{period}");
            let third = Process::start(Some(&file), now + PERIOD).unwrap();
            assert!(third.takes(&one, now + PERIOD) && third.takes(&two, now + PERIOD), "{period}");
        }
        let left = fs::read_dir(&folder.0).unwrap().count();
        assert_eq!(left, 1, "no file stays beside");
    }

    #[test]
    fn tickets_agree_though_processes_write_in_one_moment() {
        let folder = Folder::new("race");
        let file = folder.file();
        let first = Process::start(Some(&file), START).unwrap();
        let second = Process::start(Some(&file), START).unwrap();
        // The second process reads before the first has written, and then writes too.
        let race = |now: u64| {
            let former = fs::read(&file).unwrap();
            let one = first.ticket(now);
            fs::write(&file, former).unwrap();
            (one, second.ticket(now))
        };
        for (now, agree_at_once) in [
            (START + 3, true),
            (START + PERIOD, true), // the key of this period was made in the last one
            (START + 2 * PERIOD, true),
            (START + 100 * PERIOD, false), // both were idle for long
            (START + 101 * PERIOD, true),
        ] {
            let (one, two) = race(now);
            assert_eq!(second.takes(&one, now), agree_at_once, "{now}");
            assert_eq!(first.takes(&two, now), agree_at_once, "{now}");
            let now = now + 3; // the file has decided
            assert!(second.takes(&first.ticket(now), now) && first.takes(&two, now), "{now}");
            assert!(first.takes(&second.ticket(now), now), "{now}");
        }
    }

    #[test]
    fn tickets_write_no_file_in_turns_where_clocks_disagree() {
        let folder = Folder::new("clocks");
        let (file, ahead) = (folder.file(), 100 * PERIOD);
        let first = Process::start(Some(&file), START).unwrap();
        let second = Process::start(Some(&file), START + ahead).unwrap();
        let mut contents = BTreeSet::from([fs::read(&file).unwrap()]);
        for now in START..START + 60 {
            first.ticket(now);
            contents.insert(fs::read(&file).unwrap());
            second.ticket(now + ahead);
            contents.insert(fs::read(&file).unwrap());
        }
        assert_eq!(contents.len(), 1);
    }

    #[test]
    fn tickets_need_the_terms_that_they_were_made_under() {
        let clock: Arc<dyn TimeProvider> = Arc::new(Clock(AtomicU64::new(START)));
        let keys = Arc::new(TicketKeys::open(None, clock).unwrap());
        let without = Tickets::new(Arc::clone(&keys), [0; 32]);
        let with = Tickets::new(keys, [1; 32]);
        let ticket = without.encrypt(b"no certificate was shown").unwrap();
        assert!(without.decrypt(&ticket).is_some());
        assert_eq!(with.decrypt(&ticket), None);
    }

    #[test]
    fn tickets_that_were_changed_are_refused() {
        let process = Process::start(None, START).unwrap();
        let ticket = process.ticket(START);
        for at in 0..ticket.len() {
            let mut changed = ticket.clone();
            changed[at] ^= 1;
            assert!(!process.takes(&changed, START), "byte {at}");
            assert!(!process.takes(&ticket[..at], START), "{at} bytes");
        }
        assert!(!process.takes(&[&ticket[..], &[0; MAX_TICKET]].concat(), START));
        assert_eq!(process.tickets.encrypt(&[0; MAX_TICKET]), None);
        assert_ne!(process.ticket(START), ticket, "each ticket has a nonce of its own");
    }

    #[test]
    fn tickets_outlive_a_file_that_breaks() {
        let folder = Folder::new("broken");
        let file = folder.file();
        let process = Process::start(Some(&file), START).unwrap();
        let ticket = process.ticket(START);
        fs::write(&file, "a list of guests").unwrap();
        assert!(process.takes(&ticket, START + PERIOD));
        let ticket = process.ticket(START + 2 * PERIOD);
        assert!(process.takes(&ticket, START + 3 * PERIOD));
        assert_eq!(fs::read(&file).unwrap(), b"a list of guests");
        // Once the file is gone, the keys go into a new one within a minute.
        fs::remove_file(&file).unwrap();
        assert!(process.takes(&ticket, START + 3 * PERIOD + 61));
        let other = Process::start(Some(&file), START + 3 * PERIOD + 61).unwrap();
        assert!(other.takes(&ticket, START + 3 * PERIOD + 61));
    }
}
