//! A checkpoint as small as it can be: what a program ships to embed silhouettes and to fine-tune.

use std::path::Path;

use safetensors::tensor::Dtype;

use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::net::plan::shapes;
use crate::weights::Weight;

impl Checkpoint {
    /// The network alone: no state of the optimiser, and one class that belongs to no subject, since
    /// embeddings need no classifier.
    pub fn compact(&self) -> Checkpoint {
        let mut compact =
            Checkpoint { subjects: vec![String::new()], optimizer: None, ..self.clone() };
        for (name, shape) in shapes(&self.settings.model, compact.subjects.len()) {
            let count = shape.iter().product();
            match compact.weights.get(&name) {
                Some(weight) if weight.shape != shape => {
                    compact.weights.insert(name, Weight { shape, values: vec![0.0; count] });
                }
                _ => {}
            }
        }
        compact
    }

    /// Writes [`Checkpoint::compact`] with 16-bit weights. Tensors of one axis, such as the
    /// statistics of a batch norm, stay f32, as do those that f16 cannot hold.
    ///
    /// # Errors
    /// A folder that cannot be written to, a full disk.
    pub fn save_compact(&self, path: &Path) -> Result<(), CheckpointError> {
        self.compact().save_as(path, |weight| {
            let small = weight.values.iter().all(|value| value.abs() < 65_504.0);
            if weight.shape.len() > 1 && small { Dtype::F16 } else { Dtype::F32 }
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::Embedder;
    use crate::train::Trainer;
    use crate::train::tests::tiny;
    use gait_data::synth::{SynthOptions, aligned_clip};

    use super::*;

    #[test]
    fn a_compact_network_is_small_and_embeds_the_same() {
        let subjects: Vec<String> = (0..50).map(|i| i.to_string()).collect();
        let trainer = Trainer::new(tiny(), subjects, &crate::cpu()).unwrap();
        let whole = trainer.checkpoint(None).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        whole.save(&path("whole")).unwrap();
        whole.save_compact(&path("compact")).unwrap();
        let size = |name: &str| std::fs::metadata(path(name)).unwrap().len();
        assert!(size("compact") * 5 < size("whole"), "{} {}", size("compact"), size("whole"));
        let compact = Checkpoint::load(&path("compact")).unwrap();
        assert_eq!(
            (compact.subjects.as_slice(), compact.optimizer.as_ref()),
            (&[String::new()][..], None)
        );
        let options =
            SynthOptions { subjects: 1, views: vec![90.0], frames: 12, ..SynthOptions::default() };
        let clip = aligned_clip(&options, 64).unwrap();
        let [expected, found] = [&whole, &compact].map(|checkpoint| {
            let embedder = Embedder::new(checkpoint, &crate::cpu()).unwrap();
            embedder.embed(&clip).unwrap().values().to_vec()
        });
        let largest = expected.iter().fold(0.0f32, |largest, value| largest.max(value.abs()));
        for (want, got) in expected.iter().zip(&found) {
            assert!((want - got).abs() < 0.01 * largest, "{want} {got}");
        }
    }
}
