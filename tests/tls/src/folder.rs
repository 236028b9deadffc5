//! A folder of files for one test.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::Issued;

static COUNT: AtomicU32 = AtomicU32::new(0);

/// A new folder, removed at its end.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Folder {
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("switchboard-tls-{}-{count}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        Folder(folder)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Writes a chain and its key, and returns their paths.
    pub fn put(&self, name: &str, issued: &Issued) -> (PathBuf, PathBuf) {
        let chain = self.write(&format!("{name}.pem"), &issued.chain);
        (chain, self.write(&format!("{name}.key"), &issued.key))
    }
}

impl Default for Folder {
    fn default() -> Folder {
        Folder::new()
    }
}

impl AsRef<Path> for Folder {
    fn as_ref(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
