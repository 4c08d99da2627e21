//! `gaitgl gallery`: manages known people. One file per group of commands.

mod audit;
mod changes;
mod consent;
mod people;
mod portable;
mod rebuild;
mod upkeep;

use clap::{Args, Subcommand};
use gait_gallery::{Consent, Timestamp};

use crate::ExitStatus;

/// Manage a gallery of known people
///
/// A gallery is one file. It holds people's names, their consents, and templates: embeddings of their
/// walks. `gaitgl enrol` adds people to it, `gaitgl identify` compares walks with it. Every change is
/// written to its audit, with the user and the machine.
#[derive(Args)]
#[command(arg_required_else_help = true)]
pub struct Gallery {
    #[command(subcommand)]
    action: Action,
}

/// What is done. The help texts are in their own files.
#[derive(Subcommand)]
enum Action {
    List(people::List),
    Show(people::Show),
    Rename(changes::Rename),
    Merge(changes::Merge),
    Remove(changes::Remove),
    Consent(consent::SetConsent),
    Policy(consent::Policy),
    Purge(upkeep::Purge),
    Check(upkeep::Check),
    Rebuild(rebuild::Rebuild),
    Audit(audit::Audit),
    Export(portable::Export),
    Import(portable::Import),
}

impl Gallery {
    pub fn run(self) -> anyhow::Result<ExitStatus> {
        match self.action {
            Action::List(command) => command.run(),
            Action::Show(command) => command.run(),
            Action::Rename(command) => command.run(),
            Action::Merge(command) => command.run(),
            Action::Remove(command) => command.run(),
            Action::Consent(command) => command.run(),
            Action::Policy(command) => command.run(),
            Action::Purge(command) => command.run(),
            Action::Check(command) => command.run(),
            Action::Rebuild(command) => command.run(),
            Action::Audit(command) => command.run(),
            Action::Export(command) => command.run(),
            Action::Import(command) => command.run(),
        }?;
        Ok(ExitStatus::Done)
    }
}

/// The day of a moment, in UTC.
fn day(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d").to_string()
}

/// A moment to the second, in UTC.
fn second(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// When a consent ends: a day, and how that day ends early or whether it is over.
fn end(consent: &Consent, now: Timestamp) -> String {
    let whole_day = at_end_of_day(consent.until);
    let until = if whole_day { day(consent.until) } else { second(consent.until) };
    if consent.has_ended(now) { format!("{until} (ended)") } else { until }
}

fn at_end_of_day(at: Timestamp) -> bool {
    at.strftime("%H:%M:%S").to_string() == "23:59:59"
}

/// A consent as it is given, with its end in words.
fn described(consent: &Consent, now: Timestamp) -> String {
    let Consent { who, when, purpose, .. } = consent;
    format!("{who}, {}, {purpose}, until {}", day(*when), end(consent, now))
}

/// `1 template`, `2 templates`.
fn count(number: impl TryInto<u64>, one: &str, many: &str) -> String {
    let number = number.try_into().unwrap_or(u64::MAX);
    format!("{number} {}", if number == 1 { one } else { many })
}

/// `1 person`, `2 people`.
pub fn people(number: usize) -> String {
    count(number, "person", "people")
}

fn templates(number: impl TryInto<u64>) -> String {
    count(number, "template", "templates")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_consent_ends_with_a_day_or_at_a_second() {
        let now = "2027-01-01T00:00:00Z".parse().unwrap();
        let ends = |until: &str| {
            let consent: Consent = format!("form 7, 2026-01-05, a, b, {until}").parse().unwrap();
            described(&consent, now)
        };
        assert_eq!(ends("2027-03-31"), "form 7, 2026-01-05, a, b, until 2027-03-31");
        assert_eq!(
            ends("2026-03-31T10:00:00Z"),
            "form 7, 2026-01-05, a, b, until 2026-03-31 10:00:00 (ended)"
        );
    }

    #[test]
    fn numbers_agree_with_their_nouns() {
        assert_eq!(
            [templates(1u64), templates(2u64), people(0)].join(", "),
            "1 template, 2 templates, 0 people"
        );
    }
}
