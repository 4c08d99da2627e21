//! No bytes make the import panic, hang or take more memory than they hold.

use std::io::Cursor;

use gaitgl::checkpoint::Checkpoint;
use gaitgl::exchange::{ImportOptions, export, import};
use gaitgl::net::GaitGl;
use gaitgl::settings::Settings;
use proptest::prelude::*;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use crate::fixture;

const FILES: [&str; 4] =
    ["parts-small.pt", "parts-small-legacy.pt", "parts-small-adam.pt", "hid-2020.ptm"];

/// The message of a failed import of these bytes; `None` if they could be used.
fn message(bytes: &[u8]) -> Option<String> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    let error = import(file.path(), &ImportOptions::default()).err()?.to_string();
    assert!(error.contains(file.path().to_str().unwrap()) && !error.contains('\n'), "{error}");
    Some(error)
}

#[test]
fn every_truncation_is_an_error() {
    for name in FILES {
        let whole = std::fs::read(fixture(name)).unwrap();
        for length in (0..whole.len()).step_by(499).chain([1, 2, 3, whole.len() - 1]) {
            assert!(message(&whole[..length]).is_some(), "{name} of {length} bytes");
        }
    }
}

#[test]
fn what_would_be_executed_is_refused_by_name() {
    let pickle = b"\x80\x02cos\nsystem\nX\x02\x00\x00\x00ls\x85R.";
    let legacy = std::fs::read(fixture("parts-small-legacy.pt")).unwrap();
    // After the magic number and the version.
    let head = &legacy[..15 + 6];
    let facts = b"\x80\x02}.";
    let bytes = [head, facts, pickle].concat();
    let message = message(&bytes).unwrap();
    assert!(message.contains("os.system") && message.contains("refused"), "{message}");
}

#[test]
fn packed_zeros_that_would_outgrow_their_file_are_refused() {
    let set = ["model.channels=[24,24,24]", "model.height=16", "model.width=11"].map(String::from);
    let settings = Settings::assemble(Some("parts-small"), None, &set).unwrap();
    let network = GaitGl::new(&settings.model, 1, 1, &gaitgl::cpu()).unwrap();
    let mut weights = network.tensors();
    weights.values_mut().for_each(|weight| weight.values.fill(0.0));
    let (subjects, score, optimizer) = (vec!["0".into()], None, None);
    let checkpoint = Checkpoint { settings, subjects, iteration: 1, score, weights, optimizer };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.pt");
    export(&checkpoint, &path).unwrap();
    import(&path, &ImportOptions::default()).unwrap();
    let mut stored = ZipArchive::new(std::fs::File::open(&path).unwrap()).unwrap();
    let mut packed = ZipWriter::new(Cursor::new(Vec::new()));
    for index in 0..stored.len() {
        let mut file = stored.by_index(index).unwrap();
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
        packed.start_file(file.name().unwrap(), options).unwrap();
        std::io::copy(&mut file, &mut packed).unwrap();
    }
    let message = message(&packed.finish().unwrap().into_inner()).unwrap();
    assert!(message.contains("more values than a file of its size holds"), "{message}");
}

#[test]
fn other_files_are_named_as_such() {
    for bytes in [&b""[..], b"PK\x03\x04", b"\x80\x02K\x01.", b"hello", b"\x80"] {
        assert!(message(bytes).is_some());
    }
}

proptest! {
    #[test]
    fn changed_bytes_never_panic(
        file in 0..FILES.len(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        near_the_start in any::<bool>(),
    ) {
        let mut bytes = std::fs::read(fixture(FILES[file])).unwrap();
        let range = if near_the_start { bytes.len().min(4000) } else { bytes.len() };
        for (place, value) in changes {
            bytes[place.index(range)] = value;
        }
        message(&bytes);
    }
}
