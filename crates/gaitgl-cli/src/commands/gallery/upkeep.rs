//! `gaitgl gallery purge` and `check`.

use clap::Args;
use gait_gallery::AuditQuery;

use super::{count, people, templates};
use crate::commands::print_line;
use crate::gallery_file::GalleryFile;

/// Erase everybody whose consent has ended
///
/// Each of them is erased as by `gaitgl gallery remove`. Run it once a day. It also overwrites what an
/// earlier removal had to leave because another program was reading.
#[derive(Args)]
#[command(arg_required_else_help = true)]
pub struct Purge {
    #[command(flatten)]
    file: GalleryFile,
    /// Erase instead what is left of people whose keys are gone: those who were removed after a
    /// backup that you have restored
    #[arg(long)]
    lost: bool,
}

impl Purge {
    pub fn run(self) -> anyhow::Result<()> {
        let (mut gallery, by) = self.file.open()?;
        let expired = gallery.expired(by.at)?;
        let purged = if self.lost { gallery.purge_lost(&by)? } else { gallery.purge(&by)? };
        for id in &purged {
            let known = expired.iter().find(|subject| subject.id == *id);
            let name = known.map_or("somebody", |subject| &subject.name);
            print_line(format!("{name} (number {id}) is erased"));
        }
        print_line(format!("{} erased", people(purged.len())));
        if !purged.is_empty() {
            print_line(self.file.about_backups());
        }
        Ok(())
    }
}

/// Check every record of a gallery
///
/// Reads everything, and opens every record of an encrypted gallery. Nothing is changed. Run it on a
/// backup before you need it.
#[derive(Args)]
#[command(arg_required_else_help = true)]
pub struct Check {
    #[command(flatten)]
    file: GalleryFile,
}

impl Check {
    pub fn run(self) -> anyhow::Result<()> {
        let (gallery, by) = self.file.open()?;
        gallery.check()?;
        let subjects = gallery.subjects()?;
        let all: u64 = subjects.iter().map(|subject| subject.templates).sum();
        let entries = gallery.audit(&AuditQuery::default())?.len();
        print_line(format!(
            "{}: sound, with {}, {} and {} in the audit",
            self.file.path().display(),
            people(subjects.len()),
            templates(all),
            count(entries, "entry", "entries")
        ));
        let ended = subjects.iter().filter(|subject| subject.consent.has_ended(by.at)).count();
        for (number, what, flag) in [
            (ended, "consents have ended", ""),
            (gallery.lost()?.len(), "keys are gone", " --lost"),
        ] {
            if number > 0 {
                print_line(format!(
                    "{} whose {what}; `gaitgl gallery purge{flag}` erases them",
                    people(number)
                ));
            }
        }
        Ok(())
    }
}
