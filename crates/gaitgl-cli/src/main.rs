//! `gaitgl`: prepare silhouettes, train, test and embed by the way people walk.
//!
//! Arguments become checked settings, settings become work, work becomes output: one file per
//! command under `commands`. Exit codes: 0 done, 1 done but inputs were skipped, 2 failed.

mod commands;
mod files;
mod hints;
mod plot;
mod progress;

use std::io::Write;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};

use commands::Command;
use gait_support::full_message;

/// Feature maps of the same sizes come and go with every layer. This allocator keeps their pages,
/// where the system's gives them back and has to clear them again: 4 to 5% of a training step and
/// 4% of its memory, measured on parts-small and paper-small.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Who is this, by the way they walk: gait recognition from silhouettes.
#[derive(Parser)]
#[command(name = "gaitgl", version, max_term_width = 100, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

/// How a command that did not fail ended.
pub enum Outcome {
    /// All inputs were used.
    Done,
    /// Some inputs were skipped; the report named them.
    Skipped,
}

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return refuse(&error),
    };
    start_log();
    gait_support::keep_caught_panics_quiet();
    let ended = arguments.command.run(&mut Arguments::command());
    match ended.and_then(|outcome| commands::all_said().map(|()| outcome)) {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::Skipped) => ExitCode::from(1),
        Err(error) => {
            report(&describe(&error));
            ExitCode::from(2)
        }
    }
}

/// Warnings of the libraries go to standard error as they are; `RUST_LOG` is not consulted, so
/// that a run says the same in every shell.
fn start_log() {
    let log = tracing_subscriber::fmt().with_writer(std::io::stderr).without_time();
    log.with_target(false).with_max_level(tracing::Level::WARN).compact().init();
}

/// Help and version go to standard output; a usage error is one line with the way to the help.
fn refuse(error: &clap::Error) -> ExitCode {
    match error.kind() {
        ErrorKind::DisplayHelp
        | ErrorKind::DisplayVersion
        | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            let _ = error.print();
            ExitCode::from(u8::from(error.use_stderr()) * 2)
        }
        _ => {
            let text = error.to_string();
            let told = text.lines().map(str::trim).take_while(|line| !line.starts_with("Usage:"));
            let told: Vec<&str> = told.filter(|line| !line.is_empty()).collect();
            let told = told.join(" ");
            report(
                told.trim_start_matches("error: ")
                    .trim_end_matches("For more information, try '--help'.")
                    .trim(),
            );
            ExitCode::from(2)
        }
    }
}

/// An error with its causes and the hint for it, in one line.
fn describe(error: &anyhow::Error) -> String {
    let message = full_message(error.as_ref());
    match hints::hint(error) {
        Some(hint) => format!("{message}; {hint}"),
        None => message,
    }
}

/// Errors reach the user here. That nobody reads them (`2>&1 | head`) is no reason to panic.
fn report(message: &str) {
    let line: Vec<&str> = message.lines().map(str::trim).filter(|l| !l.is_empty()).collect();
    let _ = writeln!(std::io::stderr(), "gaitgl: {}", line.join("; "));
}
