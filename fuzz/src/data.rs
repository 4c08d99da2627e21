//! The readers of silhouettes and protocols, none of which needs Burn.

use std::collections::BTreeSet;
use std::path::Path;

use gait_data::{
    About, Counts, Dropped, FORM, PartitionFile, PrepareSettings, PreparedSet, align, decode_grey,
    decode_pickled, partition_subjects,
};
use gait_eval::{Distance, Embeddings, Protocol, Watch, evaluate, submission, verify};

use crate::bounded::{Bound, bounded};

/// The file's name in messages.
const NAME: &str = "fuzzed";

/// A sequence as OpenGait pickles it. A byte can make a value of 64 bytes, in a list that grows by
/// doubling.
pub fn pickle(bytes: &[u8]) {
    bounded(bytes, Bound { each: 256, fixed: 64 << 10 }, || {
        if let Ok(([rows, columns], pixels)) = decode_pickled(bytes, 5) {
            assert_eq!(rows, 5);
            assert_eq!(pixels.len() % (rows * columns).max(1), 0);
            assert!(pixels.len() <= bytes.len());
        }
    });
}

/// One image, decoded and aligned as `prepare` does it. Decoded bytes, grey pixels and what the
/// decoder keeps of them; at last a frame of the widest kind.
pub fn image(bytes: &[u8]) {
    bounded(bytes, Bound { each: 4 << 16, fixed: 128 << 20 }, || {
        if let Ok(grey) = decode_grey(bytes) {
            assert_eq!(grey.pixels.len(), grey.height * grey.width);
            if let Ok(frame) = align(&grey, 64) {
                assert_eq!(frame.len(), 64 * 64);
            }
        }
    });
}

/// `clips.arrow`, after one byte that says how many sequences its description counts. Each clip is
/// unpacked: zstd makes 2^15 bytes of one at most.
pub fn clips(bytes: &[u8]) {
    let Some((&sequences, clips)) = bytes.split_first() else { return };
    bounded(bytes, Bound { each: 1 << 15, fixed: 512 << 10 }, || {
        let subjects = ["001", "002"].map(String::from).into();
        let Ok(partition) = partition_subjects(&subjects, None, false) else { return };
        let about = About {
            form: FORM,
            source: NAME.into(),
            settings: PrepareSettings { height: 64, ..Default::default() },
            counts: Counts { subjects: 1, sequences: sequences.into(), frames: 1 },
            partition,
            dropped: Dropped::default(),
            bytes: clips.len() as u64,
            fingerprint: String::new(),
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

/// `prepared.json`: a value of JSON takes 72 bytes, in lists that grow by doubling.
pub fn about(bytes: &[u8]) {
    bounded(bytes, Bound { each: 256, fixed: 16 << 10 }, || {
        if let Ok(about) = About::decode(Path::new(NAME), bytes) {
            assert_eq!(about.form, FORM);
        }
    });
}

/// A partition file of OpenGait's form.
pub fn partition(bytes: &[u8]) {
    bounded(bytes, Bound { each: 256, fixed: 16 << 10 }, || {
        let Ok(file) = PartitionFile::decode(Path::new(NAME), bytes) else { return };
        let subjects: BTreeSet<String> = ["001", "002", "Åse"].map(String::from).into();
        if let Ok(partition) = partition_subjects(&subjects, Some(file), true) {
            let sides = [partition.train, partition.test, partition.left_out];
            assert_eq!(sides.iter().map(Vec::len).sum::<usize>(), subjects.len());
        }
    });
}

/// A protocol file. What can be read is run on a few embeddings too.
pub fn protocol(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    let protocol =
        bounded(bytes, Bound { each: 1024, fixed: 64 << 10 }, || Protocol::from_toml(NAME, text));
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
