//! The readers of networks and embeddings.

use std::path::Path;

use gait_embeddings::{Format, decode};
use gaitgl::ablation::Sweep;
use gaitgl::checkpoint::Checkpoint;
use gaitgl::exchange::{ImportOptions, import_bytes};
use gaitgl::net::describe;
use gaitgl::settings::{Precision, Settings};
use gaitgl::train::Trainer;

use crate::bounded::{Bound, bounded};

/// The file's name in messages.
const NAME: &str = "fuzzed";

/// A settings file, and its lines as single settings `KEY=VALUE`; then the description of the network.
pub fn settings(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    bounded(Bound { each: 4096, fixed: 1 << 20 }.for_input(bytes), || {
        let lines: Vec<String> = text.lines().take(8).map(String::from).collect();
        let read = [Settings::from_partial(text, NAME), Settings::assemble(None, None, &lines)];
        for settings in read.into_iter().flatten() {
            assert!(!describe(&settings.model, 74, 30).is_empty());
            assert_eq!(
                Settings::from_toml(&settings.to_toml().unwrap_or_default(), NAME).ok(),
                Some(settings)
            );
        }
    });
}

/// A sweep file of an ablation, and the settings of its rows.
pub fn sweep(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    bounded(Bound { each: 1024, fixed: 1 << 20 }.for_input(bytes), || {
        let Ok(sweep) = Sweep::from_toml(NAME, text) else { return };
        let Ok(base) = Settings::preset("paper-small") else { return };
        for row in sweep.rows.iter().take(8) {
            let _ = sweep.settings(row, &base);
        }
    });
}

/// A checkpoint, then its network for evaluation and for training.
pub fn checkpoint(bytes: &[u8]) {
    bounded(Bound { each: 512, fixed: 4 << 20 }.for_input(bytes), || {
        let Ok(checkpoint) = Checkpoint::decode(Path::new(NAME), bytes) else { return };
        let device = gaitgl::cpu();
        let _ = checkpoint.evaluator(&device, Precision::F32);
        let settings = checkpoint.settings.clone();
        let _ = Trainer::resume(checkpoint, settings, &device);
    });
}

/// A PyTorch file, recognised and imported. Deflate makes up to 1032 bytes of one. A storage is held as
/// bytes and as numbers; the traversal of shared values is bounded by their count.
pub fn torch(bytes: &[u8]) {
    bounded(Bound { each: 4096, fixed: 64 << 20 }.for_input(bytes), || {
        if let Ok(imported) =
            import_bytes(Path::new(NAME), bytes.to_vec(), &ImportOptions::default())
        {
            let values: usize =
                imported.checkpoint.weights.values().map(|weight| weight.values.len()).sum();
            assert!(values <= 16 * bytes.len());
        }
    });
}

/// Embeddings as an archive of numpy, in which four arrays may share the same bytes.
pub fn npz(bytes: &[u8]) {
    bounded(Bound { each: 256, fixed: 256 << 10 }.for_input(bytes), || {
        embeddings(Format::Npz, bytes);
    });
}

/// Embeddings as Parquet, which may hold four values, three names and 16 bytes of text per byte.
pub fn parquet(bytes: &[u8]) {
    bounded(Bound { each: 512, fixed: 1 << 20 }.for_input(bytes), || {
        embeddings(Format::Parquet, bytes);
    });
}

fn embeddings(format: Format, bytes: &[u8]) {
    if let Ok(embeddings) = decode(format, bytes.to_vec()) {
        assert!(embeddings.values().iter().all(|value| value.is_finite()));
    }
}
