//! The report of a benchmark, which can be saved and compared with another one.

use std::path::Path;

use anyhow::{Context, bail};
use gait_support::FileError;
use serde::{Deserialize, Serialize};

use crate::commands::print_line;

/// What `bench` writes and reads. A report of another program needs only the cases.
#[derive(Serialize, Deserialize)]
pub struct Report {
    pub cases: Vec<Case>,
    /// The peak memory of the process, if the system reports it.
    pub peak_bytes: Option<u64>,
    /// The GPU memory that the process held at the end, including freed pages.
    #[serde(default)]
    pub device_bytes: Option<u64>,
    /// The number of CPU threads, if the program reports it.
    pub threads: Option<usize>,
    #[serde(default = "cpu")]
    pub device: String,
    #[serde(default = "f32")]
    pub precision: String,
}

fn cpu() -> String {
    "cpu".into()
}

fn f32() -> String {
    "f32".into()
}

/// The median time of a case.
#[derive(Serialize, Deserialize)]
pub struct Case {
    pub name: String,
    pub seconds: f64,
}

impl Report {
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|e| FileError::io("read", path, e))?;
        serde_json::from_str(&text)
            .with_context(|| format!("{} is not a report of a benchmark", path.display()))
    }

    /// The time of a case, if the report has it.
    pub fn seconds(&self, name: &str) -> Option<f64> {
        self.cases.iter().find(|case| case.name == name).map(|case| case.seconds)
    }

    /// Refuses a report that was made with another number of threads. One that does not give the
    /// number is compared as it is.
    pub fn check_threads(&self, ours: usize) -> anyhow::Result<()> {
        match self.threads {
            None => {
                print_line(format!(
                    "the other report does not give its number of threads; ours is {ours}"
                ));
            }
            Some(theirs) if theirs != ours => bail!(
                "the other report was made with {theirs} threads, ours would use {ours}; \
                 give --threads {theirs}"
            ),
            Some(_) => {}
        }
        Ok(())
    }

    /// Prints how much memory was used, beside another report's.
    pub fn print_memory(&self, threads: usize, other: Option<&Report>) {
        if let Some(bytes) = self.peak_bytes {
            let theirs = other.and_then(|other| other.peak_bytes);
            let theirs = theirs.map_or(String::new(), |bytes| format!(", theirs {}", mega(bytes)));
            print_line(format!("peak memory {}{theirs}; {threads} threads", mega(bytes)));
        }
        if let Some(bytes) = self.device_bytes {
            print_line(format!("memory of {} {}", self.device, mega(bytes)));
        }
    }
}

/// Bytes as megabytes.
pub fn mega(bytes: u64) -> String {
    format!("{:.0} MB", bytes as f64 / 1e6)
}

/// The peak resident size of this process. Only Linux reports it.
pub fn peak_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
}
