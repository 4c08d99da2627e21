//! One function per reader of the program. It calls the reader on bytes and panics if the reader panics or
//! takes more memory or time than it may. The fuzz targets call these functions, and so does
//! `crates/gaitgl-cli/tests/readers.rs`, which includes the files below.

mod bounded;
pub mod data;
#[cfg(feature = "network")]
pub mod network;
