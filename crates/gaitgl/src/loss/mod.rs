//! The losses (section 3.5 of the paper): batch-all triplet loss and cross-entropy, per strip.

mod cross_entropy;
mod triplet;

pub use cross_entropy::{accuracy, cross_entropy};
pub use triplet::{Triplet, strip_distances, triplet_batch_all};

/// A loss that cannot be computed.
#[derive(Debug, thiserror::Error)]
pub enum LossError {
    /// Another number of labels than of sequences.
    #[error("{labels} labels for {sequences} sequences")]
    Count {
        /// Labels.
        labels: usize,
        /// Sequences.
        sequences: usize,
    },
    /// The device did not return the distances of a batch as numbers.
    #[error("the distances of a batch cannot be read from the device")]
    Distances,
    /// A class that the classifier does not have: the network was built for other training
    /// subjects.
    #[error("class {class} is beyond the classifier's {classes} classes")]
    Class {
        /// The class.
        class: usize,
        /// Classes of the classifier.
        classes: usize,
    },
}

fn check_count(labels: &[usize], sequences: usize) -> Result<(), LossError> {
    if labels.len() == sequences {
        return Ok(());
    }
    Err(LossError::Count { labels: labels.len(), sequences })
}
