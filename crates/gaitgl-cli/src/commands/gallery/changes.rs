//! `gaitgl gallery rename`, `merge` and `remove`.

use clap::Args;

use super::templates;
use crate::commands::print_line;
use crate::gallery_file::GalleryFile;

/// Give a person another name
#[derive(Args)]
#[command(arg_required_else_help = true)]
pub struct Rename {
    /// The name now
    old: String,
    /// The name from now on, which nobody in the gallery has
    new: String,
    #[command(flatten)]
    file: GalleryFile,
}

impl Rename {
    pub fn run(self) -> anyhow::Result<()> {
        let (mut gallery, by) = self.file.open()?;
        gallery.rename(&self.old, &self.new, &by)?;
        print_line(format!("{} is now {}", self.old, self.new));
        Ok(())
    }
}

/// Join two names of one person
///
/// The templates of the first name go to the second one, and the first name is erased. Of the two
/// consents, the one that ends first holds.
#[derive(Args)]
#[command(arg_required_else_help = true)]
pub struct Merge {
    /// The name that goes
    from: String,
    /// The name that stays
    into: String,
    #[command(flatten)]
    file: GalleryFile,
}

impl Merge {
    pub fn run(self) -> anyhow::Result<()> {
        let (mut gallery, by) = self.file.open()?;
        gallery.merge(&self.from, &self.into, &by)?;
        let joined = gallery.subject(&self.into)?;
        print_line(format!(
            "{} is now a part of {}, who has {}",
            self.from,
            self.into,
            templates(joined.templates)
        ));
        Ok(())
    }
}

/// Erase a person
///
/// Erases the name, the consent, the templates and the key, at once and without asking. Their bytes
/// are overwritten in the file. The audit keeps that a person of this number was enrolled and removed,
/// without the name.
///
/// Backups are yours to care for: those of a gallery that is not encrypted still hold the person. Of
/// an encrypted one, replace the backup of the subjects' keys; older backups of the gallery itself can
/// then no longer be read for this person.
#[derive(Args)]
#[command(arg_required_else_help = true)]
pub struct Remove {
    /// The person
    name: String,
    #[command(flatten)]
    file: GalleryFile,
}

impl Remove {
    pub fn run(self) -> anyhow::Result<()> {
        let (mut gallery, by) = self.file.open()?;
        let subject = gallery.subject(&self.name)?;
        gallery.remove(&self.name, &by)?;
        print_line(format!(
            "{} (number {}) is erased, with {} and the consent",
            self.name,
            subject.id,
            templates(subject.templates)
        ));
        print_line(self.file.about_backups());
        Ok(())
    }
}
