//! Evaluates a few embeddings with a built-in protocol and prints the table.
//!
//! ```text
//! cargo run --release -p gait-eval --example rank_one
//! ```

use gait_eval::{Distance, Embeddings, Protocol, Watch, evaluate};

/// Subject, condition, view, and the embedding: two channels of one strip.
const SEQUENCES: [(&str, &str, &str, [f32; 2]); 12] = [
    // The gallery of CASIA-B: normal walking.
    ("anna", "nm-01", "000", [0.1, 1.0]),
    ("anna", "nm-01", "090", [0.2, 1.1]),
    ("ben", "nm-01", "000", [2.0, 0.1]),
    ("ben", "nm-01", "090", [2.1, 0.3]),
    // The probes: normal walking again, and with a coat.
    ("anna", "nm-05", "000", [0.1, 0.9]),
    ("anna", "nm-05", "090", [0.3, 1.0]),
    ("ben", "nm-05", "000", [1.9, 0.2]),
    ("ben", "nm-05", "090", [2.2, 0.2]),
    ("anna", "cl-01", "000", [0.8, 0.9]),
    ("anna", "cl-01", "090", [1.4, 0.6]),
    ("ben", "cl-01", "000", [1.6, 0.3]),
    ("ben", "cl-01", "090", [1.7, 0.4]),
];

#[allow(clippy::print_stdout, reason = "an example prints its result")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let values = SEQUENCES.iter().flat_map(|(_, _, _, values)| *values).collect();
    let names = SEQUENCES.map(|(subject, condition, view, _)| {
        (subject.to_owned(), condition.to_owned(), view.to_owned())
    });
    let embeddings = Embeddings::new(2, 1, values, names)?;
    let protocol = Protocol::builtin("casia-b")?;
    let evaluation = evaluate(&embeddings, &protocol, Distance::Strips, &Watch::silent())?;
    print!("{evaluation}");
    assert_eq!(evaluation.groups[0].values, [Some(100.0)], "rank-1 of normal walking (NM)");
    Ok(())
}
