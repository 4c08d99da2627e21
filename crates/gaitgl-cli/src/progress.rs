//! Progress bars and Ctrl-C for long work: [`watched`].

use std::io::IsTerminal;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, bail};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::threads;

static STOP: AtomicBool = AtomicBool::new(false);

/// Turns Ctrl-C into a flag that long work checks between two steps. A second Ctrl-C ends the program
/// at once, and so does the first one where the system refuses the thread that would wait for it.
///
/// # Errors
/// The system refuses a signal handler.
pub fn watch_interrupts() -> anyhow::Result<&'static AtomicBool> {
    static HANDLER: Once = Once::new();
    let mut result = Ok(());
    HANDLER.call_once(|| {
        // A handler whose thread is missing would swallow Ctrl-C.
        if threads::can_start_one() {
            result = ctrlc::set_handler(on_interrupt);
        }
    });
    result.context("cannot watch for Ctrl-C")?;
    Ok(&STOP)
}

fn on_interrupt() {
    if STOP.swap(true, Ordering::SeqCst) {
        std::process::exit(2);
    }
}

/// A progress bar on standard error, hidden if that is not a terminal. It redraws when the work
/// reports progress: a timer of its own would need a thread.
pub fn bar(label: &'static str, unit: &str) -> ProgressBar {
    let target = if std::io::stderr().is_terminal() {
        ProgressDrawTarget::stderr_with_hz(5)
    } else {
        ProgressDrawTarget::hidden()
    };
    let bar = ProgressBar::with_draw_target(None, target);
    let bar = bar.with_style(style(unit)).with_prefix(label);
    bar.tick();
    bar
}

fn style(unit: &str) -> ProgressStyle {
    let template = format!("{{prefix}} {{wide_bar}} {{pos}}/{{len}} {unit}  {{eta}} left {{msg}}");
    ProgressStyle::with_template(&template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("=> ")
}

/// Runs work that reports its progress as (done, total), with 0 for an unknown total, and ends soon after its flag is set. A bar
/// shows the progress, and Ctrl-C sets the flag.
///
/// # Errors
/// Those of the work, and an interrupt.
pub fn watched<T, E: Into<anyhow::Error>>(
    label: &'static str,
    unit: &str,
    work: impl FnOnce(&(dyn Fn(u64, u64) + Sync), &AtomicBool) -> Result<T, E>,
) -> anyhow::Result<T> {
    let stop = watch_interrupts()?;
    let bar = bar(label, unit);
    let counter = ProgressStyle::with_template(&format!("{{prefix}}  {{pos}} {unit}"));
    let show = |done, total| {
        match &counter {
            Ok(counter) if total == 0 => bar.set_style(counter.clone()),
            _ => bar.set_length(total),
        }
        bar.set_position(done);
    };
    let result = work(&show, stop);
    bar.finish_and_clear();
    match result {
        Err(_) if stop.load(Ordering::Relaxed) => {
            bail!("interrupted; run the same command again")
        }
        result => result.map_err(Into::into),
    }
}
