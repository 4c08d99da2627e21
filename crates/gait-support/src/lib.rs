//! Small tools that every gait crate needs. Knows nothing of silhouettes, networks or protocols.
//!
//! - [`files`]: files and folders that are either complete or absent, and locks on folders;
//! - [`Watch`]: progress and cancellation of long work;
//! - [`start_pool`]: a thread pool of the size that the system grants;
//! - [`caught`]: a decoder that panics is a damaged file;
//! - [`nearest()`] and [`did_you_mean`]: suggestions for a mistyped name;
//! - [`NaturalOrder`]: `2.png` before `10.png`;
//! - [`Fingerprint`]: a hash by which a program recognises its own work;
//! - [`csv_line`]: one line of comma-separated values;
//! - [`full_message`] and [`io_reason`]: an error and its causes as one line.
//!
//! ```
//! use gait_support::files::write_atomic;
//!
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("results/table.csv");
//! write_atomic(&path, gait_support::csv_line(["subject", "rank-1"]).as_bytes())?;
//! assert_eq!(std::fs::read_to_string(path)?, "subject,rank-1\n");
//! # Ok::<(), std::io::Error>(())
//! ```

mod caught;
mod csv;
mod error;
pub mod files;
mod fingerprint;
mod natural;
mod nearest;
mod threads;
mod watch;

pub use caught::{caught, keep_caught_panics_quiet};
pub use csv::csv_line;
pub use error::{FileError, escape_controls, full_message, io_reason};
pub use fingerprint::Fingerprint;
pub use natural::NaturalOrder;
pub use nearest::{did_you_mean, nearest};
pub use threads::{start_pool, usual_threads};
pub use watch::{Stopped, Watch};
