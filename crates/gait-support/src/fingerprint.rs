//! A small hash by which a program recognises its own work.

use std::fmt;

/// FNV-1a of 64 bits over a sequence of byte strings.
///
/// Equal on every machine and in every version, so it may be stored. It guards against mistakes,
/// not against an attacker.
///
/// ```
/// use gait_support::Fingerprint;
///
/// let mut fingerprint = Fingerprint::default();
/// fingerprint.feed(b"001/nm-01/090");
/// fingerprint.feed(&30_u32.to_le_bytes());
/// assert_eq!(fingerprint.to_string().len(), 16);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint(u64);

impl Default for Fingerprint {
    fn default() -> Self {
        // The offset basis of FNV-1a.
        Fingerprint(0xcbf2_9ce4_8422_2325)
    }
}

impl Fingerprint {
    /// The fingerprint of one byte string.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let mut fingerprint = Fingerprint::default();
        fingerprint.feed(bytes);
        fingerprint
    }

    /// Adds a byte string. A zero byte ends it, so that `ab`, `c` differs from `a`, `bc`.
    pub fn feed(&mut self, bytes: &[u8]) {
        for byte in bytes.iter().chain(&[0]) {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    /// Adds another fingerprint.
    pub fn feed_other(&mut self, other: Fingerprint) {
        self.feed(&other.0.to_le_bytes());
    }
}

/// Sixteen hexadecimal digits.
impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_fnv_1a_and_byte_strings_do_not_run_together() {
        // FNV-1a of the single byte 0, which ends an empty string.
        assert_eq!(Fingerprint::from_bytes(b"").to_string(), "af63bd4c8601b7df");
        let [mut one, mut two] = [Fingerprint::default(); 2];
        one.feed(b"ab");
        one.feed(b"c");
        two.feed(b"a");
        two.feed(b"bc");
        assert_ne!(one, two);
    }
}
