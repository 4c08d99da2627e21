//! `gaitgl completions`: the completions of a shell.

use clap::Args;
use clap_complete::{Shell, generate};

use crate::Outcome;

/// Print the completions of a shell
///
/// Put them where your shell looks for them.
#[derive(Args)]
pub struct Completions {
    /// The shell
    shell: Shell,
}

impl Completions {
    pub fn run(self, program: &mut clap::Command) -> anyhow::Result<Outcome> {
        let mut script = Vec::new();
        generate(self.shell, program, "gaitgl", &mut script);
        super::say(String::from_utf8_lossy(&script).trim_end());
        Ok(Outcome::Done)
    }
}
