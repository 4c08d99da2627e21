//! The keys of the subjects of encrypted galleries.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension, params};

use zeroize::Zeroizing;

use crate::cipher::{KeyError, SecretKey, read_key_file};
use crate::error::Record;
use crate::store::StoreProblem;
use crate::{GalleryError, database};

/// Marks the file as keys of subjects: "GAIK".
const APPLICATION: i64 = 0x4741_494b;
/// One file beside the key file, for all galleries of this key.
const MIGRATIONS: [&str; 1] = ["CREATE TABLE subject_key (
    gallery BLOB NOT NULL,
    subject INTEGER NOT NULL,
    wrapped BLOB NOT NULL,
    PRIMARY KEY (gallery, subject)
) WITHOUT ROWID"];

/// The keys of one gallery's subjects, each wrapped (sealed) with the key of the key file.
///
/// A key is made before its subject is committed, and erased after the removal is: whatever is
/// interrupted, no subject loses its key. Changes happen within the gallery's transactions, so that two
/// programs never change the keys of one gallery at once.
pub(crate) struct SubjectKeys {
    main: SecretKey,
    main_path: PathBuf,
    connection: Connection,
    path: PathBuf,
    gallery: Vec<u8>,
}

/// The file of the subjects' keys: the name of the key file with `.subjects` behind it.
pub fn subject_keys_path(key_file: &Path) -> PathBuf {
    let mut path = key_file.as_os_str().to_owned();
    path.push(".subjects");
    path.into()
}

fn connect(path: &Path) -> Result<Connection, StoreProblem> {
    database::create_if_missing(path)?;
    let mut connection = database::connect(path, APPLICATION, &MIGRATIONS)?;
    // A journal that is emptied, not a log in which erased keys stay.
    connection.pragma_update(None, "journal_mode", "TRUNCATE")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "secure_delete", true)?;
    database::migrate(&mut connection, APPLICATION, &MIGRATIONS)?;
    Ok(connection)
}

impl SubjectKeys {
    /// Reads the key file; `gallery` is the random number of a gallery. A missing file of subjects'
    /// keys is made for a `new` gallery alone.
    pub fn open(key_file: &Path, gallery: &[u8], new: bool) -> Result<Self, GalleryError> {
        let main = read_key_file(key_file)?;
        let path = subject_keys_path(key_file);
        if !new && !path.exists() {
            return Err(KeyError::SubjectKeysMissing { path }.into());
        }
        let connection = connect(&path).map_err(|problem| {
            let path = path.clone();
            match problem {
                StoreProblem::NotAGallery => KeyError::NotSubjectKeys { path },
                problem => KeyError::SubjectKeys { path, problem },
            }
        })?;
        let main_path = key_file.to_owned();
        Ok(Self { main, main_path, connection, path, gallery: gallery.to_owned() })
    }

    fn failed(&self, error: rusqlite::Error) -> KeyError {
        KeyError::SubjectKeys { path: self.path.clone(), problem: error.into() }
    }

    /// A text that only this key opens.
    pub fn proof(&self) -> Result<Vec<u8>, GalleryError> {
        Ok(self.main.seal("gallery", &self.gallery)?)
    }

    /// Checks that [`proof`](Self::proof) was made with this key.
    pub fn check(&self, proof: &[u8]) -> Result<(), KeyError> {
        match self.main.open("gallery", proof) {
            Some(gallery) if gallery == self.gallery => Ok(()),
            _ => Err(KeyError::Wrong { path: self.main_path.clone() }),
        }
    }

    /// Makes the key of a subject; false if there already is a key for this number. It is then that of
    /// a subject whose creation was interrupted, or who came after a backup that was restored, so it is
    /// left alone.
    pub fn create(&self, subject: i64) -> Result<bool, GalleryError> {
        let key = SecretKey::random()?;
        let wrapped = self.main.seal(&self.place(subject), key.bytes())?;
        let sql =
            "INSERT OR IGNORE INTO subject_key (gallery, subject, wrapped) VALUES (?1, ?2, ?3)";
        let values = params![self.gallery, subject, wrapped];
        let made = self.connection.execute(sql, values).map_err(|e| self.failed(e))?;
        Ok(made == 1)
    }

    /// The key of a subject; `None` if it is gone.
    pub fn get(&self, subject: i64) -> Result<Option<SecretKey>, GalleryError> {
        let sql = "SELECT wrapped FROM subject_key WHERE gallery = ?1 AND subject = ?2";
        let mut statement = self.connection.prepare_cached(sql).map_err(|e| self.failed(e))?;
        let wrapped =
            statement.query_row(params![self.gallery, subject], |row| row.get::<_, Vec<u8>>(0));
        let wrapped = wrapped.optional().map_err(|e| self.failed(e))?;
        let Some(wrapped) = wrapped else { return Ok(None) };
        let key = self.main.open(&self.place(subject), &wrapped).map(Zeroizing::new);
        let key = key.and_then(|key| SecretKey::from_bytes(&key));
        let record = Record::SubjectKey(subject);
        key.map(Some).ok_or(GalleryError::DamagedRecord { record })
    }

    /// Erases the key of a subject.
    pub fn remove(&self, subject: i64) -> Result<(), GalleryError> {
        let sql = "DELETE FROM subject_key WHERE gallery = ?1 AND subject = ?2";
        let removed = self.connection.execute(sql, params![self.gallery, subject]);
        removed.map_err(|e| self.failed(e))?;
        Ok(())
    }

    fn place(&self, subject: i64) -> String {
        let gallery: String = self.gallery.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("key of subject {subject} of gallery {gallery}")
    }
}
