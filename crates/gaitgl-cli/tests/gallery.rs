//! The commands that manage and calibrate galleries.

#![allow(clippy::unwrap_used, reason = "a test that cannot continue fails")]

#[path = "gallery/calibrate.rs"]
mod calibrate;
#[path = "gallery/commands.rs"]
mod commands;
mod common;
#[path = "gallery/encryption.rs"]
mod encryption;
#[path = "gallery/mistakes.rs"]
mod mistakes;
#[path = "gallery/people.rs"]
mod people;
#[path = "gallery/writers.rs"]
mod writers;
