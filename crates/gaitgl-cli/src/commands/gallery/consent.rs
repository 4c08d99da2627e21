//! `gaitgl gallery consent` and `policy`.

use clap::Args;
use gait_gallery::Consent;

use super::described;
use crate::commands::print_line;
use crate::gallery_file::GalleryFile;

/// Give a person a consent of their own, or renew it
///
/// A consent says who agreed (or where the signed form is kept), when, to what purpose, and until
/// when. It ends with its last day, in UTC; after that the person is not named any more.
#[derive(Args)]
#[command(arg_required_else_help = true)]
pub struct SetConsent {
    /// The person
    name: String,
    /// For example "signed form 12, 2026-11-02, door camera, 2027-11-01"
    #[arg(value_name = "WHO, WHEN, PURPOSE, UNTIL")]
    consent: String,
    #[command(flatten)]
    file: GalleryFile,
}

impl SetConsent {
    pub fn run(self) -> anyhow::Result<()> {
        let consent: Consent = self.consent.parse()?;
        let (mut gallery, by) = self.file.open()?;
        gallery.set_consent(&self.name, &consent, &by)?;
        print_line(format!("{}: {}", self.name, described(&consent, by.at)));
        Ok(())
    }
}

/// Set or print the consent of everybody who has none of their own
///
/// With a policy, people can be enrolled without a consent of their own, for example under a works
/// agreement. When it ends, everybody who depends on it is not named any more.
#[derive(Args)]
#[command(arg_required_else_help = true)]
pub struct Policy {
    /// For example "works agreement 3, 2026-11-02, gates of hall 2, 2027-11-01" [default: print it]
    #[arg(value_name = "WHO, WHEN, PURPOSE, UNTIL")]
    policy: Option<String>,
    #[command(flatten)]
    file: GalleryFile,
}

impl Policy {
    pub fn run(self) -> anyhow::Result<()> {
        let policy: Option<Consent> = self.policy.map(|text| text.parse()).transpose()?;
        let (mut gallery, by) = self.file.open()?;
        if let Some(policy) = &policy {
            gallery.set_policy(policy, &by)?;
        }
        let policy = gallery.policy()?.map(|policy| described(&policy, by.at));
        print_line(policy.as_deref().unwrap_or("there is none: each person needs a consent"));
        Ok(())
    }
}
