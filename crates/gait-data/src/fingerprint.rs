//! Hashes by which a rerun knows its own work.

use std::fmt;
use std::fs;
use std::path::Path;
use std::time::UNIX_EPOCH;

/// FNV-1a of what it is fed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fingerprint(u64);

impl Default for Fingerprint {
    fn default() -> Self {
        Fingerprint(0xcbf2_9ce4_8422_2325)
    }
}

impl Fingerprint {
    /// Adds `bytes` and their end.
    pub fn feed(&mut self, bytes: &[u8]) {
        for byte in bytes.iter().chain(&[0]) {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    /// Adds another fingerprint.
    pub fn feed_other(&mut self, other: Fingerprint) {
        self.feed(&other.0.to_le_bytes());
    }

    /// Adds size and time of change of what lies at `path`, as far as the system says them.
    pub fn feed_state(&mut self, path: &Path) {
        let Ok(known) = fs::metadata(path) else { return self.feed(b"unknown") };
        let changed = known.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        // The size of a folder says nothing and differs between file systems.
        let size = if known.is_dir() { 0 } else { known.len() };
        self.feed(&size.to_le_bytes());
        self.feed(&changed.map_or(0, |age| age.as_nanos()).to_le_bytes());
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}
