//! The gallery that a command works on, and who works on it.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::Args;
use gait_gallery::{By, Gallery, SqliteStore, create_key_file, subject_keys_path};

use crate::output::print_line;

/// A gallery file and its key.
#[derive(Args)]
pub struct GalleryFile {
    /// File of the gallery
    #[arg(long, value_name = "FILE")]
    gallery: PathBuf,
    /// File of its key, if the gallery is encrypted; a new gallery with a key file is encrypted, and
    /// a missing key file is made for it
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
}

impl GalleryFile {
    /// The file of the gallery.
    pub fn path(&self) -> &Path {
        &self.gallery
    }

    /// Whether a path is one of the files that the gallery consists of.
    pub fn is_made_of(&self, path: &Path) -> bool {
        let keys = self.key_file.as_deref().map(subject_keys_path);
        let files = [Some(&self.gallery), self.key_file.as_ref(), keys.as_ref()];
        let same = |file: &Path| match (file.canonicalize(), path.canonicalize()) {
            (Ok(file), Ok(path)) => file == path,
            _ => false,
        };
        files.into_iter().flatten().any(|file| same(file))
    }

    /// What a removal leaves to the operator.
    pub fn about_backups(&self) -> String {
        match &self.key_file {
            Some(key_file) => format!(
                "replace the backups of {}: older ones still open what was erased",
                subject_keys_path(key_file).display()
            ),
            None => format!("backups of {} still hold what was erased", self.gallery.display()),
        }
    }

    /// Opens the gallery, and says who acts now.
    ///
    /// # Errors
    /// A missing file, which is not made, or one that cannot be used.
    pub fn open(&self) -> anyhow::Result<(Gallery, By)> {
        self.gallery_in(SqliteStore::open(&self.gallery)?)
    }

    /// Opens the gallery, or makes an empty one, with a new key if the key file is missing; says who
    /// acts now.
    ///
    /// # Errors
    /// A file that cannot be used, or a place where none can be made.
    pub fn create_or_open(&self) -> anyhow::Result<(Gallery, By)> {
        let new_key = self.key_file.as_deref().filter(|key| !key.exists());
        // The key comes first: a gallery that is interrupted in between has none, and is still new.
        if let Some(key_file) = new_key.filter(|_| !self.gallery.exists()) {
            match create_key_file(key_file) {
                // Another program was first.
                Err(_) if key_file.exists() => {}
                made => {
                    made?;
                    print_line(format!(
                        "{}: a new key; without it and {}, nobody can read the gallery",
                        key_file.display(),
                        subject_keys_path(key_file).display()
                    ));
                }
            }
        }
        self.gallery_in(SqliteStore::open_or_create(&self.gallery)?)
    }

    fn gallery_in(&self, store: SqliteStore) -> anyhow::Result<(Gallery, By)> {
        let by = By::now(who());
        Ok((Gallery::open(store, self.key_file.as_deref(), &by)?, by))
    }
}

/// The user and the machine, as the audit names them: `anna@door-3`.
fn who() -> String {
    let user = named(&["USER", "LOGNAME", "USERNAME"], "whoami");
    let machine = named(&["HOSTNAME", "COMPUTERNAME"], "hostname");
    format!("{user}@{machine}")
}

/// The first of the environment's `variables` that says something, or else what the system's
/// `command` prints: a service or a container often has neither variable.
fn named(variables: &[&str], command: &str) -> String {
    let known = variables.iter().find_map(|name| word(&env::var(name).ok()?));
    known.or_else(|| said(command)).unwrap_or_else(|| "unknown".to_owned())
}

fn said(command: &str) -> Option<String> {
    let output = Command::new(command).stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    word(&String::from_utf8_lossy(&output.stdout))
}

/// The first word of a text, without control characters.
fn word(text: &str) -> Option<String> {
    let word = text.split_whitespace().next()?;
    Some(word.replace(char::is_control, "")).filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_actor_is_a_user_at_a_machine() {
        let actor = who();
        let (user, machine) = actor.split_once('@').unwrap();
        assert!(!user.is_empty() && !machine.is_empty(), "{actor}");
        assert_eq!(word(" door-3\n"), Some("door-3".to_owned()));
        assert_eq!(word(" \n"), None);
        assert_eq!(word("a\u{1b}b c"), Some("ab".to_owned()));
        assert_eq!(named(&["GAITGL_NO_SUCH_VARIABLE"], "gaitgl-no-such-command"), "unknown");
    }
}
