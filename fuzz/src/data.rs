//! The readers of silhouettes and protocols, which do not need Burn.

use std::collections::BTreeSet;
use std::path::Path;

use gait_data::{
    Dropped, FORM, PartitionFile, PrepareSettings, PreparedSet, SetCounts, SetDescription, WIDEST,
    align, decode_grey, decode_pickled, partition_subjects,
};
use gait_eval::{Distance, Embeddings, Protocol, Watch, evaluate, submission, verify};
use gait_gallery::{By, Gallery, MemoryStore, Timestamp};

use crate::bounded::{Bound, bounded};

/// The file's name in messages.
const NAME: &str = "fuzzed";

/// A sequence pickled by OpenGait. One byte can make a value of 64 bytes, in a list that grows by
/// doubling.
pub fn pickle(bytes: &[u8]) {
    bounded(Bound { each: 256, fixed: 64 << 10 }.for_input(bytes), || {
        if let Ok(([rows, columns], pixels)) = decode_pickled(bytes, 5) {
            assert_eq!(rows, 5);
            assert_eq!(pixels.len() % (rows * columns).max(1), 0);
            assert!(pixels.len() <= bytes.len());
        }
    });
}

/// One image, decoded and aligned as in preparing a set. Each pixel that the file declares takes up to
/// eight bytes decoded, and 24 with the decoder's own planes. No more than 2^27 pixels are ever decoded,
/// and no scaled frame has more columns than [`WIDEST`].
pub fn image(bytes: &[u8]) {
    let pixels = declared_pixels(bytes).min(128 << 20);
    let grey = bounded(24 * pixels + 64 * bytes.len() + (2 << 20), || decode_grey(bytes));
    let Ok(grey) = grey else { return };
    assert_eq!(grey.pixels.len(), grey.height * grey.width);
    let scaled = (64 * grey.width).min(WIDEST);
    bounded(1024 * scaled + 64 * grey.width + (1 << 20), || {
        if let Ok(frame) = align(&grey, 64) {
            assert_eq!(frame.len(), 64 * 64);
        }
    });
}

/// The number of pixels that an image declares; for a JPEG, the largest number of its frame headers.
fn declared_pixels(bytes: &[u8]) -> usize {
    let big = |at: usize, size: usize| {
        let number = bytes.get(at..at + size).unwrap_or_default();
        number.iter().fold(0usize, |number, byte| number << 8 | usize::from(*byte))
    };
    let little = |at: usize, size: usize| {
        let number = bytes.get(at..at + size).unwrap_or_default();
        number.iter().rev().fold(0usize, |number, byte| number << 8 | usize::from(*byte))
    };
    let sides = |a: usize, b: usize| a.saturating_mul(b);
    match bytes {
        [0x89, b'P', ..] => sides(big(16, 4), big(20, 4)),
        [b'B', b'M', ..] if little(14, 4) == 12 => sides(little(18, 2), little(20, 2)),
        // A negative height counts from the top.
        [b'B', b'M', ..] => {
            let height = (little(22, 4) as u32).cast_signed();
            sides(little(18, 4), height.unsigned_abs() as usize)
        }
        _ => {
            let frame = |at: &usize| bytes[*at] == 0xFF && (0xC0..=0xCF).contains(&bytes[at + 1]);
            let frames = (0..bytes.len().saturating_sub(1)).filter(frame);
            frames.map(|at| sides(big(at + 5, 2), big(at + 7, 2))).max().unwrap_or(0)
        }
    }
}

/// `clips.arrow`, after one byte with the number of sequences in its description. Each clip is
/// decompressed: zstd makes at most 2^15 bytes of one.
pub fn clips(bytes: &[u8]) {
    let Some((&sequences, clips)) = bytes.split_first() else { return };
    bounded(Bound { each: 1 << 15, fixed: 512 << 10 }.for_input(bytes), || {
        let subjects = ["001", "002"].map(String::from).into();
        let Ok(partition) = partition_subjects(&subjects, None, false) else { return };
        let about = SetDescription {
            form: FORM,
            source: NAME.into(),
            settings: PrepareSettings { height: 64, ..Default::default() },
            counts: SetCounts { subjects: 1, sequences: sequences.into(), frames: 1 },
            partition,
            dropped: Dropped::default(),
            bytes: clips.len() as u64,
            fingerprint: String::new(),
            contents: None,
        };
        let Ok(set) = PreparedSet::decode(Path::new(NAME), about, clips.to_vec()) else { return };
        assert!(set.train().len() + set.test().len() <= set.len());
        for index in 0..set.len() {
            if let Ok(clip) = set.clip(index) {
                assert_eq!(clip.pixels.len(), clip.frames * clip.height * clip.width);
            }
        }
    });
}

/// `prepared.json`: a JSON value takes 72 bytes, in lists that grow by doubling.
pub fn about(bytes: &[u8]) {
    bounded(Bound { each: 256, fixed: 16 << 10 }.for_input(bytes), || {
        if let Ok(about) = SetDescription::decode(Path::new(NAME), bytes) {
            assert!((1..=FORM).contains(&about.form));
        }
    });
}

/// A partition file in OpenGait's format.
pub fn partition(bytes: &[u8]) {
    bounded(Bound { each: 256, fixed: 16 << 10 }.for_input(bytes), || {
        let Ok(file) = PartitionFile::decode(Path::new(NAME), bytes) else { return };
        let subjects: BTreeSet<String> = ["001", "002", "Åse"].map(String::from).into();
        if let Ok(partition) = partition_subjects(&subjects, Some(file), true) {
            let sides = [partition.train, partition.test, partition.left_out];
            assert_eq!(sides.iter().map(Vec::len).sum::<usize>(), subjects.len());
        }
    });
}

/// An exported gallery, imported into an empty one. All of it is there then, or nothing.
pub fn gallery(bytes: &[u8]) {
    let by = By { who: NAME.to_owned(), at: Timestamp::UNIX_EPOCH };
    let Ok(mut gallery) = Gallery::open(MemoryStore::default(), None, &by) else { return };
    bounded(Bound { each: 256, fixed: 64 << 10 }.for_input(bytes), || {
        let imported = gallery.import(&mut &*bytes, &by).unwrap_or_default();
        let Ok(subjects) = gallery.subjects() else { return };
        assert_eq!(subjects.len(), imported.subjects);
        let templates: u64 = subjects.iter().map(|subject| subject.templates).sum();
        assert_eq!(templates, imported.templates as u64);
        assert!(gallery.check().is_ok());
    });
}

/// A protocol file. A valid one is also run on a few embeddings.
pub fn protocol(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    let bound = Bound { each: 1024, fixed: 64 << 10 };
    let protocol = bounded(bound.for_input(bytes), || Protocol::from_toml(NAME, text));
    let Ok(protocol) = protocol else { return };
    let names = (0..12).map(|i| {
        let condition = ["nm-01", "nm-05", "bg-01", "cl-02"][i % 4];
        (format!("{:03}", i / 4), condition.to_owned(), format!("{:03}", 18 * (i % 3)))
    });
    let values = (0..24).map(|i| (i * i % 7) as f32).collect();
    let Ok(embeddings) = Embeddings::new(1, 2, values, names) else { return };
    let watch = Watch::silent();
    if let Ok(evaluation) = evaluate(&embeddings, &protocol, Distance::Strips, &watch) {
        let _ = evaluation.to_string();
    }
    let _ = verify(&embeddings, &protocol, Distance::Cosine, &watch);
    let _ = submission(&embeddings, &protocol, Distance::Flat, &watch);
}
