//! One function for each reader of the program, which calls it on bytes and panics where the reader
//! panics or takes more memory or time than it may. The fuzz targets call these functions, and so
//! does `crates/gaitgl-cli/tests/readers.rs`, which includes the files below.

mod bounded;
pub mod data;
#[cfg(feature = "network")]
pub mod network;
