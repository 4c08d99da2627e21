//! How many walkers to make, and how to film them.

use super::error::SynthError;
use super::walk::{Condition, Recording};
use super::world::World;

/// CASIA-B's views: at 0 the subject walks towards the camera, at 90 the camera sees the subject
/// from the side, at 180 the subject walks away.
const CASIA_B_VIEWS: [f64; 11] =
    [0.0, 18.0, 36.0, 54.0, 72.0, 90.0, 108.0, 126.0, 144.0, 162.0, 180.0];

/// How many walkers to make, and how to film them.
#[derive(Clone, Debug, PartialEq)]
pub struct SynthOptions {
    /// Number of people, named 001, 002, ...
    pub subjects: usize,
    /// View angles in degrees, from 0 up to but not including 360, named 000, 018, ...
    pub views: Vec<f64>,
    /// Frames of each clip, before the segmenter loses some; 25 per second if the world has no other
    /// rates.
    pub frames: usize,
    /// The same seed gives the same bytes. Subject 001 does not depend on the number of subjects.
    pub seed: u64,
    /// Recordings nm-01, nm-02, ... of each person in everyday clothes.
    pub normal: usize,
    /// Recordings bg-01, ... with a bag.
    pub bags: usize,
    /// Recordings cl-01, ... in a coat.
    pub coats: usize,
    /// Where they walk, and what varies there.
    pub world: World,
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
            world: World::default(),
        }
    }
}

/// A shorter clip holds no complete step.
const FEWEST_FRAMES: usize = 10;

/// A larger number is more likely a typing error than a wish.
const MOST: usize = 100_000;

impl SynthOptions {
    /// Checks that the walkers can be filmed.
    ///
    /// # Errors
    /// A count, a view or a value of the world out of range, no view, or a view that occurs twice.
    pub fn check(&self) -> Result<(), SynthError> {
        check_count("subjects", self.subjects, 1)?;
        check_count("frames", self.frames, FEWEST_FRAMES)?;
        // Saturating: the sum of absurd counts must be refused, not wrap around.
        let recordings = self.normal.saturating_add(self.bags).saturating_add(self.coats);
        check_count("normal + bags + coats", recordings, 1)?;
        self.check_views()?;
        self.world.check()
    }

    fn check_views(&self) -> Result<(), SynthError> {
        if self.views.is_empty() {
            return Err(SynthError::NoViews);
        }
        for (index, &view) in self.views.iter().enumerate() {
            if !(0.0..360.0).contains(&view) {
                return Err(SynthError::View { view });
            }
            let name = view_name(view);
            if self.views[..index].iter().any(|&earlier| view_name(earlier) == name) {
                return Err(SynthError::DuplicateView { name });
            }
        }
        Ok(())
    }

    /// Every recording of a subject, in the order of their conditions' names: nm, bg, cl.
    pub(super) fn recordings(&self) -> Vec<Recording> {
        let counts = [
            (Condition::Normal, self.normal),
            (Condition::Bag, self.bags),
            (Condition::Coat, self.coats),
        ];
        let repeated = |(condition, count)| {
            (1..=count).map(move |repetition| Recording { condition, repetition })
        };
        counts.into_iter().flat_map(repeated).collect()
    }
}

fn check_count(option: &'static str, count: usize, fewest: usize) -> Result<(), SynthError> {
    if (fewest..=MOST).contains(&count) {
        Ok(())
    } else {
        Err(SynthError::Count { option, count, fewest, most: MOST })
    }
}

/// A view's folder name: three digits, and one decimal if the angle is not a whole number.
pub(super) fn view_name(view: f64) -> String {
    // Adding zero turns -0 into 0, which has no sign to print.
    let tenths = (view * 10.0).round() + 0.0;
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
            assert!(message.contains(word), "`{message}` does not contain `{word}`");
        }
        assert!(!message.contains('\n'));
    }

    #[test]
    fn wrong_options_are_named_with_what_is_expected() {
        let good = SynthOptions::default();
        assert!(good.check().is_ok());
        let nobody = SynthOptions { subjects: 0, ..good.clone() };
        check_refused(&nobody, &["subjects", "0", "expected 1"]);
        check_refused(&SynthOptions { frames: 9, ..good.clone() }, &["frames", "9", "10"]);
        check_refused(&SynthOptions { views: vec![], ..good.clone() }, &["views", "at least one"]);
        check_refused(&SynthOptions { views: vec![360.0], ..good.clone() }, &["views", "360"]);
        check_refused(&SynthOptions { views: vec![-1.0], ..good.clone() }, &["views", "-1"]);
        check_refused(&SynthOptions { views: vec![f64::NAN], ..good.clone() }, &["views", "NaN"]);
        let near = SynthOptions { views: vec![18.0, 18.01], ..good.clone() };
        check_refused(&near, &["018", "twice"]);
        let zeros = SynthOptions { views: vec![0.0, -0.0], ..good.clone() };
        check_refused(&zeros, &["000", "twice"]);
        let none = SynthOptions { normal: 0, bags: 0, coats: 0, ..good.clone() };
        check_refused(&none, &["normal + bags + coats"]);
        let absurd = SynthOptions { normal: usize::MAX, ..good };
        check_refused(&absurd, &["normal + bags + coats", "out of range"]);
    }

    #[test]
    fn views_are_named_as_casia_b_names_them() {
        let names: Vec<String> = [0.0, 18.0, 180.0, 22.5].map(view_name).to_vec();
        assert_eq!(names, ["000", "018", "180", "022.5"]);
    }
}
