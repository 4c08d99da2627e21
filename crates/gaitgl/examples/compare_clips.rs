//! Embeds two sequences of a prepared set and prints how far apart they are:
//!
//! ```text
//! cargo run --release --example compare_clips CHECKPOINT PREPARED_SET FIRST SECOND
//! ```
//!
//! FIRST and SECOND are indices of sequences, counted from 0.

use std::error::Error;
use std::path::Path;

use gait_data::PreparedSet;
use gait_eval::Distance;
use gaitgl::Embedder;

#[expect(clippy::print_stdout, reason = "an example shows its result")]
fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [checkpoint, set, first, second] = arguments.as_slice() else {
        return Err("usage: compare_clips CHECKPOINT PREPARED_SET FIRST SECOND".into());
    };
    let set = PreparedSet::open(Path::new(set))?;
    let pair = [first.parse()?, second.parse()?];
    let distance = compare(Path::new(checkpoint), &set, pair)?;
    println!("distance {distance:.4}");
    Ok(())
}

/// The distance of two sequences of a set by the network of a checkpoint.
pub fn compare(
    checkpoint: &Path,
    set: &PreparedSet,
    [first, second]: [usize; 2],
) -> Result<f32, Box<dyn Error>> {
    let embedder = Embedder::from_checkpoint(checkpoint, &gaitgl::cpu())?;
    let first = embedder.embed(&set.clip(first)?)?;
    let second = embedder.embed(&set.clip(second)?)?;
    Ok(first.distance(&second, Distance::Strips)?)
}
