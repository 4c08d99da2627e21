//! One walker's aligned silhouettes, without files.

use super::error::SynthError;
use super::film::Film;
use super::options::SynthOptions;
use super::walk::{Person, Walk};
use crate::align;
use crate::image_file::Grey;
use crate::sequence::Clip;

/// The first recording of the first person from the first view, as preparing the tree of
/// [`write_tree`](super::write_tree) gives it: aligned to `height` x `height` pixels, without the
/// frames that the segmenter lost.
///
/// # Errors
/// Options that [`SynthOptions::check`] refuses.
pub fn aligned_clip(options: &SynthOptions, height: usize) -> Result<Clip, SynthError> {
    options.check()?;
    let recording = options.recordings()[0];
    let person = Person::draw(options, 0);
    let walk = Walk::record(options, 0, &person, recording);
    let mut film = Film::new(options, 0, recording, &walk, options.views[0]);
    let masks = (0..options.frames).filter_map(|frame| film.frame(frame));
    let grey =
        masks.map(|mask| Grey { width: mask.width, height: mask.height, pixels: mask.pixels });
    let frames: Vec<Vec<u8>> = grey.filter_map(|grey| align(&grey, height).ok()).collect();
    Ok(Clip { frames: frames.len(), height, width: height, pixels: frames.concat() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synth::write_tree;
    use crate::{Layout, PrepareOptions, PreparedSet, Watch, prepare};

    #[test]
    fn the_clip_is_that_of_the_prepared_tree() {
        let folder = tempfile::tempdir().unwrap();
        let raw = folder.path().join("raw");
        let prepared = folder.path().join("prepared");
        let options = SynthOptions {
            subjects: 2,
            views: vec![72.0],
            frames: 16,
            normal: 1,
            bags: 0,
            coats: 0,
            ..SynthOptions::default()
        };
        write_tree(&raw, &options, &Watch::silent()).unwrap();
        prepare(&raw, &prepared, &PrepareOptions::new(Layout::CasiaB), &Watch::silent()).unwrap();
        let set = PreparedSet::open(&prepared).unwrap();
        assert_eq!(set.entry(0).key.subject, "001");
        let clip = aligned_clip(&options, 64).unwrap();
        assert!(clip.frames > 10);
        assert!(clip == set.clip(0).unwrap(), "the pixels differ");
        assert!(aligned_clip(&SynthOptions { frames: 1, ..options }, 64).is_err());
    }
}
