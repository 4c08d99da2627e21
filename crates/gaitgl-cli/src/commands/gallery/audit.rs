//! `gaitgl gallery audit`: who did what.

use std::collections::BTreeMap;
use std::time::Duration;

use clap::Args;
use gait_gallery::{
    AuditEntry, AuditQuery, Event, Gallery, GalleryError, NotATime, Removal, Timestamp,
    first_second, last_second,
};
use serde_json::json;

use super::{people, second, templates};
use crate::commands::print_line;
use crate::files::JsonTarget;
use crate::gallery_file::GalleryFile;
use crate::table::{Column, Table};

/// Print who changed the gallery or identified people, and when
///
/// The audit is never changed. It names people by their numbers, so that it tells nothing about those
/// who were removed; the names of those who are still there are added when it is printed. Times are
/// in UTC.
#[derive(Args)]
pub struct Audit {
    #[command(flatten)]
    file: GalleryFile,
    /// First day, or time such as 2026-11-02T08:00:00Z
    #[arg(long, value_name = "DATE", value_parser = first_second)]
    from: Option<Timestamp>,
    /// Last day, or time
    #[arg(long, value_name = "DATE", value_parser = to_the_end)]
    to: Option<Timestamp>,
    /// Only what is about this person: a name, or the number of somebody who may be removed
    #[arg(long, value_name = "NAME|NUMBER")]
    subject: Option<String>,
    /// Write the entries as JSON; `-` is standard output
    #[arg(long, value_name = "FILE")]
    json: Option<JsonTarget>,
}

impl Audit {
    pub fn run(self) -> anyhow::Result<()> {
        self.json.as_ref().map_or(Ok(()), JsonTarget::prepare)?;
        let (gallery, _) = self.file.open()?;
        let subject = self.subject.map(|who| number(&gallery, &who)).transpose()?;
        let query = AuditQuery { from: self.from, to: self.to, subject };
        let entries = gallery.audit(&query)?;
        let subjects = gallery.subjects()?;
        let names = subjects.into_iter().map(|subject| (subject.id, subject.name)).collect();
        print_line(table(&entries, &names));
        if let Some(target) = &self.json {
            target.write(&json!({ "entries": entries }))?;
        }
        Ok(())
    }
}

/// The last moment of a day, or of the second that is given. The audit keeps milliseconds.
fn to_the_end(text: &str) -> Result<Timestamp, NotATime> {
    let last = last_second(text)?;
    Ok(last.checked_add(Duration::from_millis(999)).unwrap_or(last))
}

/// The number of a person who is given by name or, if nobody has this name, by number.
fn number(gallery: &Gallery, who: &str) -> Result<i64, GalleryError> {
    match (gallery.subject(who), who.parse()) {
        (Ok(subject), _) => Ok(subject.id),
        (Err(GalleryError::UnknownSubject { .. }), Ok(number)) => Ok(number),
        (Err(error), _) => Err(error),
    }
}

fn table(entries: &[AuditEntry], names: &BTreeMap<i64, String>) -> Table<3> {
    let mut table = Table::new(["time", "who", "what"].map(Column::Left));
    for AuditEntry { at, who, event, .. } in entries {
        table.row([second(*at), who.clone(), sentence(event, names)]);
    }
    table
}

/// What happened, in words.
fn sentence(event: &Event, names: &BTreeMap<i64, String>) -> String {
    let who = |id: &i64| match names.get(id) {
        Some(name) => format!("{name} (number {id})"),
        None => format!("number {id}"),
    };
    match event {
        Event::Created { encrypted: false } => "made the gallery".to_owned(),
        Event::Created { encrypted: true } => "made the gallery, encrypted".to_owned(),
        Event::PolicySet => "set the policy".to_owned(),
        Event::Enrolled { subject, templates: all } => {
            format!("enrolled {}, {}", who(subject), templates(*all))
        }
        Event::ConsentSet { subject } => format!("set the consent of {}", who(subject)),
        Event::Renamed { subject } => format!("renamed {}", who(subject)),
        Event::Merged { subject, from } => format!("merged {} into {}", who(from), who(subject)),
        Event::Removed { subject, templates: all, reason } => {
            let why = why(*reason);
            format!("erased {}, {}{why}", who(subject), templates(*all))
        }
        Event::Calibrated { threshold, false_accept_rate, pairs } => format!(
            "set the threshold to {threshold:.4}, for a false accept rate of {false_accept_rate} on \
             {pairs} pairs"
        ),
        Event::Identified { source, subject, distance } => {
            let found = subject.as_ref().map_or_else(|| "nobody".to_owned(), who);
            let at = distance.map_or_else(String::new, |d| format!(", nearest at {d:.4}"));
            format!("identified {found} in {source}{at}")
        }
        Event::Rebuilt { network, templates: all } => {
            format!("made {} anew by network {network}", templates(*all))
        }
        Event::Exported { subjects, templates: all } => {
            format!("exported {} with {}", people(*subjects), templates(*all))
        }
        Event::Imported { subjects, templates: all } => {
            format!("imported {} with {}", people(*subjects), templates(*all))
        }
        other => format!("{other:?}"),
    }
}

fn why(reason: Removal) -> &'static str {
    match reason {
        Removal::Expired => ", whose consent had ended",
        Removal::KeyLost => ", whose key was gone",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_who_are_gone_have_numbers_alone() {
        let names = BTreeMap::from([(1, "anna".to_owned())]);
        let merged = Event::Merged { subject: 1, from: 2 };
        assert_eq!(sentence(&merged, &names), "merged number 2 into anna (number 1)");
        let unknown =
            Event::Identified { source: "door".to_owned(), subject: None, distance: Some(0.25) };
        assert_eq!(sentence(&unknown, &names), "identified nobody in door, nearest at 0.2500");
    }

    #[test]
    fn the_last_day_is_whole() {
        assert_eq!(to_the_end("2026-11-02").unwrap().to_string(), "2026-11-02T23:59:59.999Z");
    }
}
