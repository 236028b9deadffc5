//! The file of ticket keys: a first line with a version, the keys, and a digest of both. A file of
//! any other content is an error, and is left as it is.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom, SystemRandom};

use super::pem::fault;

const KIND: &[u8] = b"switchboard tickets ";
const FIRST_LINE: &[u8] = b"switchboard tickets 1\n";
const PERIOD: usize = 8;
const NAME: usize = 16;
const SEED: usize = PERIOD + NAME + 32;
const DIGEST: usize = 32;

/// The most keys in a file: the last, this, the next, and one more of a clock ahead.
const MAX_SEEDS: usize = 4;

/// The longest file.
const MAX_FILE: usize = FIRST_LINE.len() + MAX_SEEDS * SEED + DIGEST;

/// What makes one key: the number of its period since 1970, its name on the wire, and its secret.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct KeySeed {
    pub(super) period: u64,
    pub(super) name: [u8; 16],
    pub(super) secret: [u8; 32],
}

/// Reads the keys. No file is no keys.
///
/// # Errors
/// When the file may be read by others, is damaged, is of another kind or version, or cannot be
/// read.
pub(super) fn read(path: &Path) -> io::Result<Vec<KeySeed>> {
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(path, "read", &error)),
    };
    if !metadata.is_file() {
        return Err(fault(path, "is not a file; give a path at which the server makes its own"));
    }
    let (mut bytes, mode) = (Vec::new(), metadata.permissions().mode() & 0o777);
    if mode & 0o077 != 0 {
        let remedy = "remove it, and the server makes a new one with mode 0600";
        let text = format!(
            "{} holds keys that others may read (mode {mode:04o}); {remedy}",
            path.display()
        );
        return Err(io::Error::new(ErrorKind::PermissionDenied, text));
    }
    File::open(path)
        .and_then(|file| file.take(MAX_FILE as u64 + 1).read_to_end(&mut bytes))
        .map_err(|error| failed(path, "read", &error))?;
    decode(&bytes).map_err(|text| fault(path, text))
}

/// Writes the keys into a new file with mode 0600 that takes the place of the former one.
///
/// # Errors
/// When the folder cannot be written.
pub(super) fn write(path: &Path, seeds: &[KeySeed]) -> io::Result<()> {
    let beside = beside(path)?;
    let written = write_new(&beside, &encode(seeds)).and_then(|()| fs::rename(&beside, path));
    written.map_err(|error| {
        let _ = fs::remove_file(&beside);
        failed(path, "written", &error)
    })
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    // After a crash, a name without content would be a damaged file.
    file.sync_all()
}

/// A name in the same folder that no other process takes.
fn beside(path: &Path) -> io::Result<PathBuf> {
    let mut random = [0; 8];
    SystemRandom::new().fill(&mut random).map_err(|_| io::Error::other("no random numbers"))?;
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{:016x}", u64::from_be_bytes(random)));
    Ok(path.with_file_name(name))
}

fn encode(seeds: &[KeySeed]) -> Vec<u8> {
    let mut bytes = FIRST_LINE.to_vec();
    for seed in seeds {
        bytes.extend_from_slice(&seed.period.to_be_bytes());
        bytes.extend_from_slice(&seed.name);
        bytes.extend_from_slice(&seed.secret);
    }
    let digest = digest(&SHA256, &bytes);
    bytes.extend_from_slice(digest.as_ref());
    bytes
}

const FOREIGN: &str = "is not a file of ticket keys, and is left as it is; give another path";
const OTHER_VERSION: &str = "is of another version of switchboard, and is left as it is; give \
                             another path, or remove it once no server uses it";
const DAMAGED: &str = "is damaged, and is left as it is; remove it, and the server makes a new one";

fn decode(bytes: &[u8]) -> Result<Vec<KeySeed>, &'static str> {
    let Some(rest) = bytes.strip_prefix(FIRST_LINE) else {
        return Err(match bytes {
            [] => DAMAGED,
            _ if bytes.starts_with(KIND) => OTHER_VERSION,
            _ if KIND.starts_with(bytes) => DAMAGED,
            _ => FOREIGN,
        });
    };
    let Some((seeds, sum)) = rest.split_last_chunk::<DIGEST>() else { return Err(DAMAGED) };
    let (seeds, left) = seeds.as_chunks::<SEED>();
    let expected = digest(&SHA256, &bytes[..bytes.len() - DIGEST]);
    if !left.is_empty() || seeds.len() > MAX_SEEDS || expected.as_ref() != sum {
        return Err(DAMAGED);
    }
    Ok(seeds.iter().map(seed).collect())
}

fn seed(bytes: &[u8; SEED]) -> KeySeed {
    let mut seed = KeySeed { period: 0, name: [0; NAME], secret: [0; 32] };
    let mut period = [0; PERIOD];
    period.copy_from_slice(&bytes[..PERIOD]);
    seed.period = u64::from_be_bytes(period);
    seed.name.copy_from_slice(&bytes[PERIOD..PERIOD + NAME]);
    seed.secret.copy_from_slice(&bytes[PERIOD + NAME..]);
    seed
}

fn failed(path: &Path, what: &str, error: &io::Error) -> io::Error {
    let remedy = "give the keys a folder that this user owns, such as /var/lib/NAME";
    let text = format!("{} cannot be {what} ({error}); {remedy}", path.display());
    io::Error::new(error.kind(), text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seeds(count: u8) -> Vec<KeySeed> {
        let seed = |n| KeySeed { period: u64::from(n) + 1, name: [n; 16], secret: [n ^ 0xFF; 32] };
        (0..count).map(seed).collect()
    }

    #[test]
    fn ticket_file_is_read_as_it_was_written() {
        for count in 0..=4 {
            let bytes = encode(&seeds(count));
            assert!(bytes.len() <= MAX_FILE);
            assert!(decode(&bytes).is_ok_and(|read| read == seeds(count)));
        }
        assert_eq!(decode(&encode(&seeds(5))).err(), Some(DAMAGED));
    }

    #[test]
    fn ticket_file_tells_damage_from_other_content() {
        let whole = encode(&seeds(3));
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            let expected = match at {
                0..20 => FOREIGN,
                20..22 => OTHER_VERSION,
                _ => DAMAGED,
            };
            assert_eq!(decode(&bytes).err(), Some(expected), "byte {at}");
            let expected = if at == 20 || at == 21 { OTHER_VERSION } else { DAMAGED };
            assert_eq!(decode(&whole[..at]).err(), Some(expected), "{at} bytes");
        }
        assert_eq!(decode(&[&whole[..], b"\n"].concat()).err(), Some(DAMAGED));
        assert_eq!(decode(b"switchboard tickets 2\n").err(), Some(OTHER_VERSION));
    }

    #[test]
    fn ticket_file_is_private_and_replaced_as_a_whole() {
        let name = format!("switchboard-ticket-file-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("tickets");
        assert!(read(&path).is_ok_and(|seeds| seeds.is_empty()));
        write(&path, &seeds(2)).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
        assert_eq!(mode(&path), 0o600);
        let former = File::open(&path).unwrap();
        write(&path, &seeds(3)).unwrap();
        assert!(read(&path).is_ok_and(|read| read == seeds(3)));
        let mut bytes = Vec::new();
        (&former).read_to_end(&mut bytes).unwrap();
        assert!(bytes == encode(&seeds(2)), "a reader of the former file is undisturbed");
        for open in [0o640, 0o604, 0o620, 0o601, 0o666] {
            fs::set_permissions(&path, fs::Permissions::from_mode(open)).unwrap();
            let error = read(&path).err().unwrap();
            assert_eq!(error.kind(), ErrorKind::PermissionDenied);
            assert!(error.to_string().contains(&format!("(mode 0{open:o}); remove it")), "{error}");
        }
        let error = read(&folder).err().unwrap();
        assert!(error.to_string().contains("is not a file"), "{error}");
        let error = write(&folder.join("absent/tickets"), &seeds(1)).unwrap_err();
        assert!(error.to_string().contains("absent/tickets cannot be written"), "{error}");
        fs::remove_dir_all(folder).unwrap();
    }
}
