//! The losses (section 3.4 of the paper): batch-all triplet loss and cross-entropy, per strip.

mod cross_entropy;
mod triplet;

pub use cross_entropy::{accuracy, cross_entropy};
pub use triplet::{
    StripTriplets, Triplet, active_triplets, non_zero_mean, strip_distances, triplet_batch_all,
};

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
    /// The distances did not come from the device as numbers.
    #[error("the distances of a batch cannot be read from the device; try another --device")]
    Distances,
    /// A class that the classifier does not have.
    #[error(
        "class {class} is beyond the classifier's {classes} classes; the network was made for other training subjects"
    )]
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
