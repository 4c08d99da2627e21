//! Silhouettes in folders that follow no layout: one walk per folder.

use std::path::{Path, PathBuf};

use gait_support::{NaturalOrder, full_message};

use crate::align::align;
use crate::doubt::Doubts;
use crate::folder::{EntryKind, entries, list_frames};
use crate::image_file::{Grey, read_grey};
use crate::pattern::PathPattern;
use crate::{Clip, DataError, Tally};

/// The folders that hold images, `root` among them, in natural order. Folders in an unreadable place
/// are an error, links to folders are followed as far as no path leads through itself.
///
/// # Errors
/// A folder that cannot be read.
pub fn image_folders(root: &Path) -> Result<Vec<PathBuf>, DataError> {
    let mut found = Vec::new();
    find(root, 0, &mut found)?;
    Ok(found)
}

/// Levels of folders below the root. No data set has as many; a link to a folder above it has more.
const DEEPEST: usize = 8;

fn find(folder: &Path, level: usize, found: &mut Vec<PathBuf>) -> Result<(), DataError> {
    let mut entries = entries(folder).map_err(|e| DataError::io("read", folder, e))?;
    if entries.iter().any(|entry| entry.kind == EntryKind::Image) {
        found.push(folder.to_path_buf());
    }
    if level == DEEPEST {
        return Ok(());
    }
    entries.retain(|entry| entry.kind == EntryKind::Folder);
    entries.sort_by_cached_key(|entry| NaturalOrder(entry.name.to_string_lossy().into_owned()));
    entries.iter().try_for_each(|entry| find(&folder.join(&entry.name), level + 1, found))
}

/// Whether the images in a folder are silhouettes, aligned or not, and not pictures of a camera. A few
/// of them are looked at: those of a silhouette's pixels that are neither black nor white are at its
/// edge. False if no image can be read.
///
/// # Errors
/// A folder that cannot be read.
pub fn holds_silhouettes(folder: &Path) -> Result<bool, DataError> {
    let images = images(folder)?;
    let step = images.len().div_ceil(LOOKED_AT).max(1);
    let looked_at: Vec<Grey> =
        images.iter().step_by(step).filter_map(|image| read_grey(image).ok()).collect();
    let pixels = || looked_at.iter().flat_map(|grey| &grey.pixels);
    let between = pixels().filter(|level| (32..224).contains(*level)).count();
    let all = pixels().count();
    Ok(all > 0 && (between as f64) < MOST_BETWEEN * all as f64)
}

/// Images of a folder that tell what the others are.
const LOOKED_AT: usize = 5;
/// Share of pixels between black and white from which an image is no silhouette. In aligned silhouettes
/// it is up to 0.1, in pictures of cameras over 0.6.
const MOST_BETWEEN: f64 = 0.3;

/// The silhouettes of a folder, aligned.
#[derive(Clone, Debug, PartialEq)]
pub struct FolderClip {
    /// The aligned silhouettes, `[t, h, h]`; t is 0 if none could be used.
    pub clip: Clip,
    /// Images that are not in the clip, each with the reason.
    pub left_out: Tally,
}

/// Reads the images of a folder in natural order and aligns them to `height` rows.
///
/// # Errors
/// A folder that cannot be read. Images that cannot be used are left out and named.
pub fn read_folder(folder: &Path, height: usize) -> Result<FolderClip, DataError> {
    let mut doubts = Doubts::default();
    let mut pixels = Vec::new();
    let mut left_out = Tally::default();
    for path in images(folder)? {
        let aligned = read_grey(&path).map_err(|error| full_message(&error)).and_then(|grey| {
            doubts.add(&grey.pixels, grey.width);
            align(&grey, height).map_err(|error| error.to_string())
        });
        match aligned {
            Ok(frame) => pixels.extend(frame),
            Err(reason) => left_out.add(|| format!("{}: {reason}", path.display())),
        }
    }
    if let Some(doubt) = doubts.refusal() {
        pixels.clear();
        left_out.add(|| format!("{}: {doubt}", folder.display()));
    }
    let frames = pixels.len() / (height * height).max(1);
    Ok(FolderClip { clip: Clip { frames, height, width: height, pixels }, left_out })
}

fn images(folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    let frames = list_frames(folder, &PathPattern::arranged());
    let frames = frames.map_err(|e| DataError::io("read", folder, e))?;
    Ok(frames.images.iter().map(|name| folder.join(name)).collect())
}

#[cfg(test)]
mod tests {
    use image::{GrayImage, Luma};

    use super::*;

    fn save(path: &Path, level: impl Fn(u32, u32) -> u8) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        GrayImage::from_fn(40, 80, |x, y| Luma([level(x, y)])).save(path).unwrap();
    }

    /// A walker 60 rows high, `shift` columns from the left.
    fn save_walker(path: &Path, shift: u32) {
        save(path, |x, y| {
            let inside = (shift..shift + 15).contains(&x) && (10..70).contains(&y);
            if inside { 255 } else { 0 }
        });
    }

    #[test]
    fn folders_are_found_at_any_depth_and_in_natural_order() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["10/1.png", "2/b/1.png", "2/1.png"] {
            save_walker(&folder.path().join(name), 5);
        }
        std::fs::create_dir(folder.path().join("empty")).unwrap();
        let found = image_folders(folder.path()).unwrap();
        let expected = ["2", "2/b", "10"].map(|name| folder.path().join(name));
        assert_eq!(found, expected);
        assert!(image_folders(&folder.path().join("none")).is_err());
    }

    #[test]
    fn silhouettes_are_told_from_pictures() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        assert!(!holds_silhouettes(folder.path()).unwrap());
        (0..20).for_each(|n| save_walker(&at(&format!("walk/{n}.png")), n));
        assert!(holds_silhouettes(&at("walk")).unwrap());
        save(&at("camera/1.png"), |x, y| (x * 5 + y) as u8);
        assert!(!holds_silhouettes(&at("camera")).unwrap());
    }

    #[test]
    fn a_folder_is_aligned_and_what_is_unusable_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for (name, shift) in [("10.png", 20), ("9.png", 3)] {
            save_walker(&at(name), shift);
        }
        save(&at("11.png"), |_, _| 0);
        std::fs::write(at("12.png"), "no image").unwrap();
        let FolderClip { clip, left_out } = read_folder(folder.path(), 64).unwrap();
        let first = align(&read_grey(&at("9.png")).unwrap(), 64).unwrap();
        assert_eq!((clip.frames, clip.height, clip.width), (2, 64, 64));
        assert_eq!(clip.pixels[..64 * 64], first);
        assert_eq!(left_out.count, 2);
        assert!(left_out.first[0].ends_with("11.png: empty"), "{left_out:?}");
    }

    #[test]
    fn black_on_white_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        save(&folder.path().join("1.png"), |x, y| {
            if (10..20).contains(&x) && (10..70).contains(&y) { 0 } else { 255 }
        });
        let FolderClip { clip, left_out } = read_folder(folder.path(), 64).unwrap();
        assert_eq!(clip.frames, 0);
        assert!(left_out.first[0].contains("black on white"), "{left_out:?}");
    }
}
