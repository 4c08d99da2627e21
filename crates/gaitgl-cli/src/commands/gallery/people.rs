//! `gaitgl gallery list` and `show`: who is in a gallery.

use clap::Args;
use gait_gallery::{Calibration, Subject, TemplateInfo, Timestamp};
use serde_json::{Value, json};

use super::{day, described, end, people, second, templates};
use crate::commands::print_line;
use crate::files::JsonTarget;
use crate::gallery_file::GalleryFile;
use crate::table::Column::{Left, Right};
use crate::table::Table;

/// List the people of a gallery and when their consents end
///
/// People whose consents have ended are marked. They are never named; `gaitgl gallery purge` erases
/// them.
#[derive(Args)]
pub struct List {
    #[command(flatten)]
    file: GalleryFile,
    /// Write the list as JSON; `-` is standard output
    #[arg(long, value_name = "FILE")]
    json: Option<JsonTarget>,
}

impl List {
    pub fn run(self) -> anyhow::Result<()> {
        self.json.as_ref().map_or(Ok(()), JsonTarget::prepare)?;
        let (gallery, by) = self.file.open()?;
        let subjects = gallery.subjects()?;
        let network = gallery.network()?;
        let calibration = gallery.calibration()?;
        let lost = gallery.lost()?;
        print_line(table(&subjects, by.at));
        let all: u64 = subjects.iter().map(|subject| subject.templates).sum();
        print_line(format!("{}, {}", people(subjects.len()), templates(all)));
        if let Some(network) = &network {
            print_line(format!("network {}", network.fingerprint));
        }
        print_line(threshold(calibration.as_ref()));
        if !lost.is_empty() {
            print_line(format!(
                "{} whose keys are gone; `gaitgl gallery purge --lost` erases them",
                people(lost.len())
            ));
        }
        if let Some(target) = &self.json {
            let people: Vec<Value> = subjects.iter().map(|s| in_json(s, by.at)).collect();
            target.write(&json!({
                "network": network,
                "policy": gallery.policy()?,
                "calibration": calibration,
                "people": people,
                "lost": lost,
            }))?;
        }
        Ok(())
    }
}

fn table(subjects: &[Subject], now: Timestamp) -> Table<4> {
    let mut table =
        Table::new([Left("name"), Right("templates"), Left("enrolled"), Left("consent until")]);
    for subject in subjects {
        table.row([
            subject.name.clone(),
            subject.templates.to_string(),
            day(subject.created),
            end(&subject.consent, now),
        ]);
    }
    table
}

fn threshold(calibration: Option<&Calibration>) -> String {
    let Some(calibration) = calibration else {
        return "not calibrated; `gaitgl calibrate` sets the threshold".to_owned();
    };
    format!(
        "threshold {:.4} of the distance `{}`, for a false accept rate of {}",
        calibration.rule.threshold, calibration.distance, calibration.false_accept_rate
    )
}

/// Show what a gallery holds about a person
///
/// Prints the number by which the audit names the person, the consent, and where each template comes
/// from: the source, the day, the number of frames, the angle of view and the quality, if known.
#[derive(Args)]
#[command(arg_required_else_help = true)]
pub struct Show {
    /// The person
    name: String,
    #[command(flatten)]
    file: GalleryFile,
    /// Write it as JSON; `-` is standard output
    #[arg(long, value_name = "FILE")]
    json: Option<JsonTarget>,
}

impl Show {
    pub fn run(self) -> anyhow::Result<()> {
        self.json.as_ref().map_or(Ok(()), JsonTarget::prepare)?;
        let (gallery, by) = self.file.open()?;
        let subject = gallery.subject(&self.name)?;
        let templates = gallery.templates(&self.name)?;
        let whose = if subject.own_consent { "" } else { " (of the whole gallery)" };
        print_line(format!("{}, number {}", subject.name, subject.id));
        print_line(format!("enrolled {}", second(subject.created)));
        print_line(format!("consent  {}{whose}", described(&subject.consent, by.at)));
        print_line(table_of_templates(&templates));
        if let Some(target) = &self.json {
            let mut json = in_json(&subject, by.at);
            json["templates"] = json!(templates);
            target.write(&json)?;
        }
        Ok(())
    }
}

fn table_of_templates(templates: &[TemplateInfo]) -> Table<6> {
    let mut table = Table::new([
        Right("template"),
        Left("date"),
        Right("frames"),
        Right("view"),
        Right("quality"),
        Left("source"),
    ]);
    let unknown = || "-".to_owned();
    for TemplateInfo { id, origin, .. } in templates {
        table.row([
            id.to_string(),
            day(origin.date),
            origin.frames.to_string(),
            origin.view.clone().unwrap_or_else(unknown),
            origin.quality.map_or_else(unknown, |quality| format!("{quality:.2}")),
            origin.source.clone(),
        ]);
    }
    table
}

fn in_json(subject: &Subject, now: Timestamp) -> Value {
    let mut json = json!(subject);
    json["ended"] = subject.consent.has_ended(now).into();
    json
}
