//! Synthetic walkers: people with their own build and gait, filmed as CASIA-B's are.
//!
//! Benchmarks need a signed form each, so the program makes its own data for a first run and for
//! its tests. A subject has bones and girths (`body`), a manner of walking (`gait`,
//! `curves`), a coat and a bag (`clothing`). Each recording varies the gait a little; all
//! cameras (`walk`) film the same recording; a segmenter (`faults`) spoils the silhouettes.
//!
//! Identity lies in proportions, posture and movement together: stature disappears when
//! silhouettes are brought to one height, and no single other number tells people apart.

mod body;
mod camera;
mod chance;
mod clothing;
mod curves;
mod faults;
mod film;
mod flesh;
mod gait;
mod pose;
mod preview;
mod raster;
#[cfg(test)]
mod recognition;
mod solids;
mod tree;
mod vector;
mod walk;

pub use preview::contact_sheet;
pub use tree::{SynthReport, write_tree};

use crate::DataError;
use walk::{Condition, Recording};

/// CASIA-B's views: 0 is walked towards, 90 sees the walker's side, 180 is walked away from.
pub const CASIA_B_VIEWS: [f64; 11] =
    [0.0, 18.0, 36.0, 54.0, 72.0, 90.0, 108.0, 126.0, 144.0, 162.0, 180.0];

/// How many walkers to make, and how to film them.
#[derive(Clone, Debug, PartialEq)]
pub struct SynthOptions {
    /// Number of people; they are named 001, 002, ...
    pub subjects: usize,
    /// View angles in degrees, 0 up to but not including 360; named 000, 018, ...
    pub views: Vec<f64>,
    /// Frames of each clip at 25 a second, before the segmenter loses some.
    pub frames: usize,
    /// The same seed makes the same bytes. Subject 001 is the same person however many follow.
    pub seed: u64,
    /// Recordings nm-01, nm-02, ... of each person in everyday clothes.
    pub normal: usize,
    /// Recordings bg-01, ... with a bag.
    pub bags: usize,
    /// Recordings cl-01, ... in a coat.
    pub coats: usize,
}

impl Default for SynthOptions {
    /// CASIA-B's views and recordings of 40 people, 60 frames each.
    fn default() -> SynthOptions {
        SynthOptions {
            subjects: 40,
            views: CASIA_B_VIEWS.to_vec(),
            frames: 60,
            seed: 1,
            normal: 6,
            bags: 2,
            coats: 2,
        }
    }
}

/// Fewer frames than this hold no step.
const FEWEST_FRAMES: usize = 10;

/// More would need folder names and patience beyond reason; a typing error is likelier.
const MOST: usize = 100_000;

impl SynthOptions {
    /// Refuses what cannot be filmed.
    ///
    /// # Errors
    /// [`DataError::Setting`] that names the option and the mend.
    pub fn check(&self) -> Result<(), DataError> {
        let refuse = |setting, what: String, mend: &str| {
            Err(DataError::Setting { setting, what, mend: mend.into() })
        };
        let counts = [
            ("subjects", self.subjects, 1),
            ("frames", self.frames, FEWEST_FRAMES),
            ("recordings (normal, bags, coats)", self.recordings().len(), 1),
        ];
        for (setting, count, fewest) in counts {
            if !(fewest..=MOST).contains(&count) {
                let mend = format!("give {fewest} to {MOST}");
                return refuse(setting, format!("{count} is out of range"), &mend);
            }
        }
        if self.views.is_empty() {
            return refuse("views", "none given".into(), "give angles such as 0,90,180");
        }
        for (i, view) in self.views.iter().enumerate() {
            if !(0.0..360.0).contains(view) {
                let mend = "give angles from 0 up to, not including, 360";
                return refuse("views", format!("{view} is no view angle"), mend);
            }
            let name = view_name(*view);
            if self.views[..i].iter().any(|earlier| view_name(*earlier) == name) {
                return refuse("views", format!("{name} occurs twice"), "give each angle once");
            }
        }
        Ok(())
    }

    /// Every recording of a subject, in the order of their names' conditions: nm, bg, cl.
    fn recordings(&self) -> Vec<Recording> {
        let of = |condition, count| {
            (1..=count).map(move |repetition| Recording { condition, repetition })
        };
        of(Condition::Normal, self.normal)
            .chain(of(Condition::Bag, self.bags))
            .chain(of(Condition::Coat, self.coats))
            .collect()
    }
}

/// A view's folder name: three digits, and one decimal where the angle is no whole number.
fn view_name(view: f64) -> String {
    let tenths = (view * 10.0).round();
    if tenths % 10.0 == 0.0 {
        format!("{:03}", tenths / 10.0)
    } else {
        format!("{:05.1}", tenths / 10.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_refused(options: &SynthOptions, words: &[&str]) {
        let message = options.check().expect_err("accepted").to_string();
        for word in words {
            assert!(message.contains(word), "`{message}` does not say `{word}`");
        }
        assert!(!message.contains('\n'));
    }

    #[test]
    fn wrong_options_are_named_with_their_mend() {
        let good = SynthOptions::default();
        assert!(good.check().is_ok());
        check_refused(&SynthOptions { subjects: 0, ..good.clone() }, &["subjects", "0", "give 1"]);
        check_refused(&SynthOptions { frames: 9, ..good.clone() }, &["frames", "9", "10"]);
        check_refused(&SynthOptions { views: vec![], ..good.clone() }, &["views", "0,90,180"]);
        check_refused(&SynthOptions { views: vec![360.0], ..good.clone() }, &["views", "360"]);
        check_refused(&SynthOptions { views: vec![-1.0], ..good.clone() }, &["views", "-1"]);
        check_refused(&SynthOptions { views: vec![f64::NAN], ..good.clone() }, &["views", "NaN"]);
        check_refused(
            &SynthOptions { views: vec![18.0, 18.01], ..good.clone() },
            &["018", "twice"],
        );
        let none = SynthOptions { normal: 0, bags: 0, coats: 0, ..good };
        check_refused(&none, &["recordings"]);
    }

    #[test]
    fn views_are_named_as_casia_b_names_them() {
        let names: Vec<String> = [0.0, 18.0, 180.0, 22.5].map(view_name).to_vec();
        assert_eq!(names, ["000", "018", "180", "022.5"]);
    }
}
