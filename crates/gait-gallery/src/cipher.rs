//! Keys, and what is sealed with them.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use chacha20poly1305::aead::{Aead, Generate, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use gait_support::FileError;
use gait_support::files::create_private;
use zeroize::Zeroizing;

use crate::store::StoreProblem;

/// Bytes of a key.
const KEY: usize = 32;
/// Bytes of the random number that each sealed text begins with.
const NONCE: usize = 24;

/// A key that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The key file cannot be read or made.
    #[error(transparent)]
    File(#[from] FileError),
    /// The file is no key.
    #[error("{} is not a key: it must have {KEY} bytes", path.display())]
    NotAKey {
        /// The file.
        path: PathBuf,
    },
    /// The gallery was encrypted with another key.
    #[error("the key {} is not that of the gallery", path.display())]
    Wrong {
        /// The file of the key.
        path: PathBuf,
    },
    /// The gallery is encrypted, and no key was given.
    #[error("the gallery is encrypted")]
    Needed,
    /// A key was given, and the gallery is not encrypted.
    #[error("the gallery is not encrypted")]
    NotEncrypted,
    /// The file of the subjects' keys, which belongs beside the key file, is missing.
    #[error("the keys of the subjects, {}, are missing", path.display())]
    SubjectKeysMissing {
        /// The file that is missing.
        path: PathBuf,
    },
    /// In the place of the file of the subjects' keys is another file, which was left as it is.
    #[error("{} holds no keys of subjects", path.display())]
    NotSubjectKeys {
        /// The file.
        path: PathBuf,
    },
    /// The file of the subjects' keys cannot be used.
    #[error("the keys of the subjects, {}", path.display())]
    SubjectKeys {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        problem: StoreProblem,
    },
    /// The operating system gives no random numbers.
    #[error("the system gives no random numbers")]
    NoRandomness,
}

/// A key of 256 bits; it is overwritten when it is dropped.
pub(crate) struct SecretKey(Zeroizing<[u8; KEY]>);

impl SecretKey {
    /// A new random key.
    pub fn random() -> Result<Self, KeyError> {
        let key: Key = Key::try_generate().map_err(|_| KeyError::NoRandomness)?;
        Ok(Self(Zeroizing::new(key.into())))
    }

    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Some(Self(Zeroizing::new(bytes.try_into().ok()?)))
    }

    pub fn bytes(&self) -> &[u8] {
        &*self.0
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(&Key::from(*self.0))
    }

    /// Encrypts a text: a random nonce, then the text with its tag. `place` is not in the result, but
    /// must be the same to open it, so that a text cannot be moved to another place.
    pub fn seal(&self, place: &str, text: &[u8]) -> Result<Vec<u8>, KeyError> {
        let nonce = XNonce::try_generate().map_err(|_| KeyError::NoRandomness)?;
        let payload = Payload { msg: text, aad: place.as_bytes() };
        // Fails for texts of more than 256 GiB alone.
        let sealed = self.cipher().encrypt(&nonce, payload).map_err(|_| KeyError::NoRandomness)?;
        Ok([&nonce[..], &sealed].concat())
    }

    /// Decrypts what was sealed with this key for this place; `None` if it was not, or was changed.
    pub fn open(&self, place: &str, sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, text) = sealed.split_at_checked(NONCE)?;
        let nonce = XNonce::try_from(nonce).ok()?;
        self.cipher().decrypt(&nonce, Payload { msg: text, aad: place.as_bytes() }).ok()
    }
}

/// Makes a key file: 32 random bytes that only the owner may read.
///
/// # Errors
/// A file that is there already, or a place where no file can be made.
pub fn create_key_file(path: &Path) -> Result<(), KeyError> {
    let key = SecretKey::random()?;
    Ok(create_private(path, key.bytes()).map_err(|e| FileError::io("write", path, e))?)
}

/// Reads a key file.
pub(crate) fn read_key_file(path: &Path) -> Result<SecretKey, KeyError> {
    let failed = |e: io::Error| FileError::io("read", path, e);
    let file = File::open(path).map_err(failed)?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(KEY + 1));
    file.take(KEY as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
    SecretKey::from_bytes(&bytes).ok_or_else(|| KeyError::NotAKey { path: path.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_with_the_same_key_and_place_alone() {
        let key = SecretKey::random().unwrap();
        let mut sealed = key.seal("here", b"secret").unwrap();
        assert_eq!(sealed.len(), NONCE + 6 + 16);
        assert_ne!(sealed, key.seal("here", b"secret").unwrap(), "another nonce");
        assert_eq!(key.open("here", &sealed).unwrap(), b"secret");
        assert_eq!(key.open("there", &sealed), None);
        assert_eq!(SecretKey::random().unwrap().open("here", &sealed), None);
        assert_eq!(key.open("here", &sealed[..10]), None);
        sealed[30] ^= 1;
        assert_eq!(key.open("here", &sealed), None);
    }

    #[test]
    fn the_cipher_is_xchacha20_poly1305() {
        // draft-irtf-cfrg-xchacha-03, appendix A.3.1: key 80..9f, nonce 40..57.
        let key: Vec<u8> = (0x80..0xa0).collect();
        let nonce: [u8; NONCE] = std::array::from_fn(|i| 0x40 + i as u8);
        let aad = [0x50, 0x51, 0x52, 0x53, 0xc0, 0xc1, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7];
        let text = b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip \
                     for the future, sunscreen would be it.";
        let key = SecretKey::from_bytes(&key).unwrap();
        let payload = Payload { msg: text.as_slice(), aad: &aad };
        let sealed = key.cipher().encrypt(&XNonce::from(nonce), payload).unwrap();
        let tag = "c0875924c1c7987947deafd8780acf49";
        let hex: String = sealed[text.len()..].iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(hex, tag);
        assert_eq!(sealed[..4], [0xbd, 0x6d, 0x17, 0x9d]);
    }

    #[test]
    fn a_key_file_is_made_once_and_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("people.key");
        create_key_file(&path).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!(read_key_file(&path).unwrap().bytes(), bytes);
        assert!(matches!(create_key_file(&path), Err(KeyError::File(_))));
        assert_eq!(std::fs::read(&path).unwrap(), bytes);
        for wrong in [&bytes[1..], &[&bytes[..], b"\n"].concat()] {
            std::fs::write(&path, wrong).unwrap();
            assert!(matches!(read_key_file(&path), Err(KeyError::NotAKey { .. })));
        }
    }
}
