//! `gaitgl completions`: a completion script for a shell.

use clap::Args;
use clap_complete::{Shell, generate};

use super::print_line;
use crate::ExitStatus;

/// Print a completion script for a shell
///
/// bash: gaitgl completions bash > ~/.local/share/bash-completion/completions/gaitgl
///
/// zsh: gaitgl completions zsh > ~/.zfunc/_gaitgl, with `fpath+=~/.zfunc` before `compinit` in
/// ~/.zshrc
#[derive(Args)]
pub struct Completions {
    /// Shell to print the script for
    shell: Shell,
}

impl Completions {
    pub fn run(self, program: &mut clap::Command) -> anyhow::Result<ExitStatus> {
        let mut script = Vec::new();
        generate(self.shell, program, "gaitgl", &mut script);
        print_line(String::from_utf8_lossy(&script).trim_end());
        Ok(ExitStatus::Done)
    }
}
