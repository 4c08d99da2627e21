//! Progress bars and Ctrl-C for work that takes more than a moment.

use std::io::IsTerminal;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context;
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

/// A callback that shows (done, total) on a bar.
pub fn shown(bar: &ProgressBar) -> impl Fn(u64, u64) + Sync + use<> {
    let bar = bar.clone();
    move |done, total| {
        bar.set_length(total);
        bar.set_position(done);
    }
}
