//! Progress bars and Ctrl-C for work that takes more than a moment: [`watched`].

use std::io::IsTerminal;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, bail};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

static STOP: AtomicBool = AtomicBool::new(false);

/// Turns Ctrl-C into a flag that work looks at between two steps. A second Ctrl-C ends at once.
///
/// # Errors
/// The system refuses a signal handler.
pub fn watch_interrupts() -> anyhow::Result<&'static AtomicBool> {
    static HANDLER: Once = Once::new();
    let mut result = Ok(());
    HANDLER.call_once(|| {
        result = ctrlc::set_handler(|| {
            if STOP.swap(true, Ordering::SeqCst) {
                std::process::exit(2);
            }
        });
    });
    result.context("cannot watch for Ctrl-C")?;
    Ok(&STOP)
}

/// A bar on standard error; nothing at all where that is not a terminal.
pub fn bar(label: &'static str, unit: &str) -> ProgressBar {
    let target = if std::io::stderr().is_terminal() {
        ProgressDrawTarget::stderr_with_hz(5)
    } else {
        ProgressDrawTarget::hidden()
    };
    let template = format!("{{prefix}} {{wide_bar}} {{pos}}/{{len}} {unit}  {{eta}} left {{msg}}");
    let style = ProgressStyle::with_template(&template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("=> ");
    let bar = ProgressBar::with_draw_target(None, target).with_style(style).with_prefix(label);
    bar.enable_steady_tick(Duration::from_millis(500));
    bar
}

/// Does work that tells how far it is, as (done, total), and ends soon when its flag is set: a bar
/// shows the one, Ctrl-C sets the other.
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
    let show = |done, total| {
        bar.set_length(total);
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
