//! Event files of TensorBoard, which shows every folder that has some as a run.
//!
//! A file is a series of records (TFRecord: the length, its checksum, the bytes, their checksum),
//! and each record is a protocol buffer of the type `tensorflow.Event`. Every session writes a file
//! of its own. TensorBoard reads the files of a folder in the order of their names; where a session
//! starts, it drops the events of this step and later ones, which the session writes again.

use std::fs;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use gait_support::FileError;

use super::{LogLine, RunError, RunFolder, append};
use crate::protobuf::Message;
use crate::train::TestReport;

/// How the names of event files begin; a number follows.
const PREFIX: &str = "events.out.tfevents.";

/// The version of the format, which the first event of a file gives.
const VERSION: &str = "brain.Event:2";

/// Fields of `tensorflow.Event`, and of the messages in it.
mod field {
    pub const WALL_TIME: u32 = 1;
    pub const STEP: u32 = 2;
    pub const FILE_VERSION: u32 = 3;
    pub const SUMMARY: u32 = 5;
    pub const SESSION_LOG: u32 = 7;
    /// Of a session log.
    pub const STATUS: u32 = 1;
    /// Of a summary.
    pub const VALUE: u32 = 1;
    /// Of a value of a summary.
    pub const TAG: u32 = 1;
    /// Of a value of a summary.
    pub const SIMPLE_VALUE: u32 = 2;
}

/// `SessionLog.START`.
const START: u64 = 1;

/// The event file of a session.
#[derive(Debug)]
pub(crate) struct EventFile {
    path: PathBuf,
}

impl RunFolder {
    /// Begins the event file of a session that continues after an iteration.
    ///
    /// # Errors
    /// A folder that cannot be read or written to.
    pub(crate) fn begin_events(&self, iteration: u64) -> Result<EventFile, RunError> {
        let number = self.last_event_file()? + 1;
        let file = EventFile { path: self.path().join(format!("{PREFIX}{number:010}")) };
        let start = Message::default().integer(field::STATUS, START);
        file.append(&[
            event(0).text(field::FILE_VERSION, VERSION),
            event(iteration + 1).message(field::SESSION_LOG, &start),
        ])?;
        Ok(file)
    }

    /// The largest number of an event file; 0 if there is none.
    fn last_event_file(&self) -> Result<u64, RunError> {
        let failed = |e| FileError::io("read", self.path(), e);
        let mut last = 0;
        for entry in fs::read_dir(self.path()).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            let number = name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.parse().ok());
            last = last.max(number.unwrap_or(0));
        }
        Ok(last)
    }
}

impl EventFile {
    /// Writes a line of the log.
    ///
    /// # Errors
    /// A full disk or a folder that cannot be written to.
    pub(crate) fn log(&self, LogLine { step, pace }: &LogLine) -> Result<(), RunError> {
        self.scalars(
            step.iteration,
            &[
                ("loss/combined", step.loss),
                ("loss/triplet", step.triplet),
                ("loss/cross-entropy", step.cross_entropy),
                ("train/active triplets (%)", step.active),
                ("train/accuracy (%)", step.accuracy),
                ("train/learning rate", step.learning_rate),
                ("speed/frames per second", pace.frames_per_second),
            ],
        )
    }

    /// Writes the score of a test, if it has one.
    ///
    /// # Errors
    /// As [`EventFile::log`].
    pub(crate) fn test(&self, report: &TestReport) -> Result<(), RunError> {
        let tag = format!("test/{} (%)", report.metric);
        report.score.map_or(Ok(()), |score| self.scalars(report.iteration, &[(&tag, score)]))
    }

    fn scalars(&self, iteration: u64, values: &[(&str, f64)]) -> Result<(), RunError> {
        let summary = values.iter().fold(Message::default(), |summary, (tag, value)| {
            let value =
                Message::default().text(field::TAG, tag).float(field::SIMPLE_VALUE, *value as f32);
            summary.message(field::VALUE, &value)
        });
        self.append(&[event(iteration).message(field::SUMMARY, &summary)])
    }

    fn append(&self, events: &[Message]) -> Result<(), RunError> {
        let records: Vec<u8> = events.iter().flat_map(|event| record(event.as_bytes())).collect();
        append(&self.path, &records)
    }
}

/// An event of now.
fn event(step: u64) -> Message {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Message::default().double(field::WALL_TIME, now.as_secs_f64()).integer(field::STEP, step)
}

/// A record of a TFRecord file.
fn record(bytes: &[u8]) -> Vec<u8> {
    let length = (bytes.len() as u64).to_le_bytes();
    [&length[..], &checksum(&length), bytes, &checksum(bytes)].concat()
}

/// CRC-32C, masked as TFRecord files have it: rotated and moved by a constant.
fn checksum(bytes: &[u8]) -> [u8; 4] {
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::metrics::tests::{line, test};

    /// The bytes of the records of a file, their checksums compared.
    fn records(mut file: &[u8]) -> Vec<Vec<u8>> {
        let mut records = Vec::new();
        while !file.is_empty() {
            let (length, rest) = file.split_first_chunk::<8>().unwrap();
            let (length_sum, rest) = rest.split_first_chunk::<4>().unwrap();
            let (bytes, rest) = rest.split_at(u64::from_le_bytes(*length) as usize);
            let (sum, rest) = rest.split_first_chunk::<4>().unwrap();
            assert_eq!((*length_sum, *sum), (checksum(length), checksum(bytes)));
            records.push(bytes.to_vec());
            file = rest;
        }
        records
    }

    /// The fields of a message: number and bytes, varints as bytes too. Field numbers are below 16
    /// and lengths below 128 here.
    fn fields(mut message: &[u8]) -> Vec<(u8, Vec<u8>)> {
        let mut fields = Vec::new();
        while let Some((tag, rest)) = message.split_first() {
            let (skipped, length) = match tag & 7 {
                0 => (0, 1 + rest.iter().take_while(|byte| **byte >= 0x80).count()),
                1 => (0, 8),
                5 => (0, 4),
                _ if rest[0] < 0x80 => (1, usize::from(rest[0])),
                _ => (2, usize::from(rest[0] & 0x7f) | usize::from(rest[1]) << 7),
            };
            fields.push((tag >> 3, rest[skipped..skipped + length].to_vec()));
            message = &rest[skipped + length..];
        }
        fields
    }

    /// Step and values of a summary.
    fn summary(event: &[u8]) -> (u8, Vec<(String, f32)>) {
        let event = fields(event);
        assert_eq!((event[0].0, event[1].0, event[2].0), (1, 2, 5), "time, step, summary");
        let value = |(_, bytes): &(u8, Vec<u8>)| {
            let value = fields(bytes);
            let number = value[1].1[..].try_into().unwrap();
            (String::from_utf8(value[0].1.clone()).unwrap(), f32::from_le_bytes(number))
        };
        (event[1].1[0], fields(&event[2].1).iter().map(value).collect())
    }

    /// The example of RFC 3720 for the checksum itself, and its mask computed by hand.
    #[test]
    fn checksums_are_masked_crc_32c() {
        assert_eq!(crc32c::crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(checksum(&[0; 32]), 0x0fd7_fffa_u32.to_le_bytes());
    }

    #[test]
    fn every_value_of_the_log_and_of_a_test_is_an_event() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunFolder::new(folder.path());
        let file = run.begin_events(4).unwrap();
        file.log(&line(10)).unwrap();
        file.test(&test(10)).unwrap();
        file.test(&TestReport { score: None, ..test(20) }).unwrap();
        let records = records(&fs::read(&file.path).unwrap());
        assert_eq!(records.len(), 4);
        assert_eq!(fields(&records[0])[2], (3, b"brain.Event:2".to_vec()));
        let start = fields(&records[1]);
        assert_eq!((start[1].1[0], start[2].0, fields(&start[2].1)), (5, 7, vec![(1, vec![1])]));
        let (step, values) = summary(&records[2]);
        let expected = [3.5, 0.25, 3.25, 60.0, 12.5, 1e-4, 280.0];
        assert_eq!(step, 10);
        assert_eq!(values.iter().map(|(_, value)| *value).collect::<Vec<_>>(), expected);
        assert_eq!(values[2].0, "loss/cross-entropy");
        assert_eq!(summary(&records[3]), (10, vec![("test/rank-1 (%)".to_owned(), 87.5)]));
    }

    #[test]
    fn every_session_has_a_file_after_the_earlier_ones() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunFolder::new(folder.path());
        let names = [0, 10].map(|iteration| {
            let path = run.begin_events(iteration).unwrap().path;
            path.file_name().unwrap().to_str().unwrap().to_owned()
        });
        assert_eq!(names, ["events.out.tfevents.0000000001", "events.out.tfevents.0000000002"]);
    }
}
