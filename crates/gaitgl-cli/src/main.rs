//! `gaitgl`: prepares silhouettes, and trains, tests and uses networks that recognise people by the
//! way they walk.
//!
//! Arguments become checked settings, the libraries do the work, and the result is printed. There is
//! one file per command under `commands`. Exit codes: 0 done, 1 done but some inputs were skipped,
//! 2 failed.

mod commands;
mod files;
mod gallery_file;
mod hints;
mod input;
mod memory;
mod output;
mod plot;
mod progress;
mod recognizer;
mod source;
mod table;
mod threads;

use std::panic;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};

use commands::Command;
use gait_support::full_message;
use output::report;

/// Recognise people by the way they walk
///
/// Finds people who walk in videos and names those who are enrolled in a gallery. Prepares
/// silhouettes, trains networks of the GaitGL family on them, tests the networks by the protocols of
/// the public benchmarks, and writes embeddings for other programs.
///
/// Exit codes: 0 done, 1 done but some inputs were skipped (each is named), 2 failed.
#[derive(Parser)]
#[command(name = "gaitgl", version, max_term_width = 100, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

/// How a command that did not fail ended.
pub enum ExitStatus {
    /// All inputs were used.
    Done,
    /// Some inputs were skipped; the report named them.
    Skipped,
}

fn main() -> ExitCode {
    memory::keep_unused_memory();
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return refuse(&error),
    };
    start_log();
    exit_on_panic();
    match run(arguments.command) {
        Ok(ExitStatus::Done) => ExitCode::SUCCESS,
        Ok(ExitStatus::Skipped) => ExitCode::from(1),
        Err(error) => {
            report(&describe(&error));
            ExitCode::from(2)
        }
    }
}

fn run(command: Command) -> anyhow::Result<ExitStatus> {
    let threads = match &command {
        Command::Bench(bench) => bench.threads(),
        _ => 0,
    };
    threads::start(threads);
    let outcome = command.run(&mut Arguments::command())?;
    output::check_printed()?;
    Ok(outcome)
}

/// Sends warnings of the libraries to standard error. `RUST_LOG` is ignored, so that a command prints
/// the same in every shell.
fn start_log() {
    let log = tracing_subscriber::fmt().with_writer(std::io::stderr).without_time();
    log.with_target(false).with_max_level(tracing::Level::WARN).compact().init();
}

/// Makes a panic of any thread one line and exit code 2. This is a safety net: every panic that is
/// not a decoder's is a bug.
fn exit_on_panic() {
    panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let message = panic.payload_as_str().unwrap_or("no message");
        report(&format!("internal error at {place}: {message}; this is a bug, please report it"));
        std::process::exit(2);
    }));
    gait_support::keep_caught_panics_quiet();
}

/// Prints help and version to standard output, and a usage error as one line.
fn refuse(error: &clap::Error) -> ExitCode {
    match error.kind() {
        ErrorKind::DisplayHelp
        | ErrorKind::DisplayVersion
        | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            let _ = error.print();
            ExitCode::from(u8::from(error.use_stderr()) * 2)
        }
        _ => {
            report(&usage_error(&error.to_string()));
            ExitCode::from(2)
        }
    }
}

/// The part of clap's message that says what is wrong, as one line.
fn usage_error(text: &str) -> String {
    let lines = text.lines().map(str::trim).take_while(|line| !line.starts_with("Usage:"));
    let lines: Vec<&str> = lines.filter(|line| !line.is_empty()).collect();
    let line = lines.join(" ");
    let line = line.trim_start_matches("error: ");
    line.trim_end_matches("For more information, try '--help'.").trim().to_owned()
}

/// An error with its causes and the hint for it, as one line.
fn describe(error: &anyhow::Error) -> String {
    let message = full_message(error.as_ref());
    match hints::hint(error) {
        Some(hint) => format!("{message}; {hint}"),
        None => message,
    }
}
