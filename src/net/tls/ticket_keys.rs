//! The keys of session tickets, one for each period of 6 hours of wall time. The key of the next
//! period exists ahead, so processes that share a file change keys without a word.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, TryLockError};

use ring::aead::{CHACHA20_POLY1305, LessSafeKey, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};
use rustls::time_provider::TimeProvider;

use super::swap::Swap;
use super::ticket_file::{self, KeySeed};

/// Seconds for which one key encrypts tickets. The key decrypts for one period more.
pub(super) const PERIOD: u64 = 6 * 60 * 60;

/// Seconds after which a file that was written is read once more: another process may have written
/// it in the same moment, and what the file holds is what counts.
const SETTLED: u64 = 2;

/// Seconds until a file that could not be read or written is tried again.
const RETRY: u64 = 60;

/// A key in use.
pub(super) struct TicketKey {
    pub(super) seed: KeySeed,
    pub(super) key: LessSafeKey,
}

/// The keys that are known at one time.
struct Ring {
    keys: Vec<Arc<TicketKey>>,
    /// Unix seconds from which, and before which, the ring may be used without a look at the file.
    from: u64,
    due: u64,
    /// Whether the file is to be read once more, and then not written.
    settling: bool,
}

/// The keys of one or several listeners, with their file if there is one.
pub(super) struct TicketKeys {
    ring: Swap<Ring>,
    /// Held by the thread that makes the next ring. No other thread waits for it.
    turning: Mutex<()>,
    file: Option<PathBuf>,
    time: Arc<dyn TimeProvider>,
}

impl TicketKeys {
    /// Makes keys, or reads them from a file. The file is written at once, so that a folder that
    /// cannot be written is an error now rather than in 6 hours.
    pub(super) fn open(
        file: Option<PathBuf>,
        time: Arc<dyn TimeProvider>,
    ) -> io::Result<TicketKeys> {
        let empty = Ring { keys: Vec::new(), from: 0, due: 0, settling: false };
        let keys = TicketKeys { ring: Swap::new(empty), turning: Mutex::new(()), file, time };
        let (ring, outcome) = keys.next_ring(keys.now(), Write::Always);
        outcome.map(|()| {
            keys.ring.store(ring);
            keys
        })
    }

    /// Reads the file anew.
    pub(super) fn reload(&self) -> io::Result<()> {
        let _turning = self.turning.lock().unwrap_or_else(PoisonError::into_inner);
        let (ring, outcome) = self.next_ring(self.now(), Write::Missing);
        outcome.map(|()| self.ring.store(ring))
    }

    /// The key that encrypts now.
    pub(super) fn current(&self) -> Option<Arc<TicketKey>> {
        let now = self.now();
        let period = now / PERIOD;
        self.ring(now).keys.iter().find(|key| key.seed.period == period).cloned()
    }

    /// The key of this name, while tickets of its period are accepted.
    pub(super) fn named(&self, name: &[u8]) -> Option<Arc<TicketKey>> {
        let now = self.now();
        let oldest = (now / PERIOD).saturating_sub(1);
        let ring = self.ring(now);
        let mut keys = ring.keys.iter();
        keys.find(|key| key.seed.name == name && key.seed.period >= oldest).cloned()
    }

    /// Seconds for which a ticket of now is accepted: 6 to 12 hours.
    pub(super) fn lifetime(&self) -> u32 {
        let left = 2 * PERIOD - self.now() % PERIOD;
        u32::try_from(left).unwrap_or(u32::MAX)
    }

    fn now(&self) -> u64 {
        self.time.current_time().map_or(0, |time| time.as_secs())
    }

    /// The ring of now. At most one thread makes the next ring; others use the last one meanwhile.
    fn ring(&self, now: u64) -> Arc<Ring> {
        let ring = self.ring.load();
        if (ring.from..ring.due).contains(&now) {
            return ring;
        }
        let _turning = match self.turning.try_lock() {
            Ok(turning) => turning,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return ring,
        };
        // A failure leaves the keys in memory; `reload` reports it.
        let (next, _) = self.next_ring(now, Write::Missing);
        self.ring.store(next);
        self.ring.load()
    }

    /// The keys of this period and the next one, with the last. Of two keys of one period, that of
    /// the file counts.
    fn next_ring(&self, now: u64, write: Write) -> (Ring, io::Result<()>) {
        let (period, held) = (now / PERIOD, self.ring.load());
        let (stored, mut outcome) = match self.file.as_deref().map(ticket_file::read) {
            None => (Vec::new(), Ok(())),
            Some(Ok(seeds)) => (seeds, Ok(())),
            Some(Err(error)) => (Vec::new(), Err(error)),
        };
        let mut seeds: Vec<KeySeed> = Vec::new();
        for seed in stored.iter().chain(held.keys.iter().map(|key| &key.seed)) {
            let is_near = (period.saturating_sub(1)..=period + 2).contains(&seed.period);
            if is_near && seeds.iter().all(|known| known.period != seed.period) {
                seeds.push(seed.clone());
            }
        }
        for wanted in [period, period + 1] {
            if seeds.iter().all(|seed| seed.period != wanted) {
                seeds.extend(random(wanted));
            }
        }
        seeds.sort_by_key(|seed| seed.period);
        let lacks = [period, period + 1]
            .iter()
            .any(|wanted| stored.iter().all(|seed| seed.period != *wanted));
        let writes = lacks && !held.settling || write == Write::Always;
        let mut settling = false;
        if let (Some(file), Ok(()), true) = (&self.file, &outcome, writes) {
            outcome = ticket_file::write(file, &seeds);
            settling = true;
        }
        let next_period = (period + 1) * PERIOD;
        let due = match outcome {
            Err(_) => next_period.min(now + RETRY),
            Ok(()) if settling => next_period.min(now + SETTLED),
            Ok(()) => next_period,
        };
        let keys = seeds.into_iter().filter_map(in_use).collect();
        (Ring { keys, from: period * PERIOD, due, settling }, outcome)
    }
}

/// When the file is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Write {
    Always,
    /// When it lacks a key that is needed.
    Missing,
}

fn random(period: u64) -> Option<KeySeed> {
    let mut seed = KeySeed { period, name: [0; 16], secret: [0; 32] };
    let random = SystemRandom::new();
    random.fill(&mut seed.name).and_then(|()| random.fill(&mut seed.secret)).ok()?;
    Some(seed)
}

fn in_use(seed: KeySeed) -> Option<Arc<TicketKey>> {
    let key = UnboundKey::new(&CHACHA20_POLY1305, &seed.secret).ok()?;
    Some(Arc::new(TicketKey { seed, key: LessSafeKey::new(key) }))
}

impl fmt::Debug for TicketKeys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("TicketKeys").field("file", &self.file).finish_non_exhaustive()
    }
}
