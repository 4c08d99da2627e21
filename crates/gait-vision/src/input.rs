//! How a frame becomes the input of a network.

use std::path::Path;

use serde::Deserialize;

use crate::description::check_range;
use crate::{Frame, ModelError};

/// The table `[input]` of a description.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Input {
    pub(crate) width: usize,
    pub(crate) height: usize,
    #[serde(default)]
    fit: Fit,
    /// Grey level of what a letterbox leaves over.
    #[serde(default)]
    padding: u8,
    #[serde(default)]
    channels: Channels,
    #[serde(default)]
    layout: Layout,
    /// What level 0 becomes.
    black: Level,
    /// What level 255 becomes.
    white: Level,
}

/// How a frame of another shape fits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Fit {
    /// Width and height are scaled separately.
    #[default]
    Stretch,
    /// Both are scaled alike, and what is left over at the right or below is padded.
    Letterbox,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Channels {
    #[default]
    Rgb,
    Bgr,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Layout {
    /// `[n, 3, height, width]`
    #[default]
    ChannelsFirst,
    /// `[n, height, width, 3]`
    ChannelsLast,
}

/// One number for all channels, or one for each in the network's order.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(untagged)]
enum Level {
    Same(f32),
    Each([f32; 3]),
}

impl Level {
    fn of(self, channel: usize) -> f32 {
        match self {
            Level::Same(level) => level,
            Level::Each(levels) => levels[channel],
        }
    }
}

/// A frame of the input's size.
pub(crate) struct Fitted {
    pub(crate) frame: Frame,
    /// Input pixels per pixel of the frame, in x and y.
    pub(crate) ratio: [f32; 2],
}

impl Input {
    /// The longest side of an input.
    const LONGEST_SIDE: usize = 4096;

    pub(crate) fn check(&self, path: &Path) -> Result<(), ModelError> {
        let longest = Self::LONGEST_SIDE as f64;
        check_range(path, "input.width", self.width as f64, 1.0, longest)?;
        check_range(path, "input.height", self.height as f64, 1.0, longest)
    }

    /// Shape of one image.
    pub(crate) fn shape(&self) -> [usize; 4] {
        match self.layout {
            Layout::ChannelsFirst => [1, 3, self.height, self.width],
            Layout::ChannelsLast => [1, self.height, self.width, 3],
        }
    }

    /// Fits a frame into the input.
    pub(crate) fn fitted(&self, frame: &Frame) -> Fitted {
        let frame_size = [frame.width() as f32, frame.height() as f32];
        let filled = self.filled(frame_size);
        let [width, height] = filled;
        let ratio = [width as f32 / frame_size[0], height as f32 / frame_size[1]];
        let resized = frame.resized(width, height);
        if filled == [self.width, self.height] {
            return Fitted { frame: resized, ratio };
        }
        let mut padded = Frame::grey(self.width, self.height, self.padding);
        padded.place(&resized, 0, 0);
        Fitted { frame: padded, ratio }
    }

    /// Width and height of a frame in the input.
    fn filled(&self, [width, height]: [f32; 2]) -> [usize; 2] {
        if self.fit == Fit::Stretch {
            return [self.width, self.height];
        }
        let ratio = (self.width as f32 / width).min(self.height as f32 / height);
        let side = |length: f32, most: usize| ((length * ratio).round() as usize).clamp(1, most);
        [side(width, self.width), side(height, self.height)]
    }

    /// Appends the values of a frame that has the input's size.
    pub(crate) fn append(&self, frame: &Frame, values: &mut Vec<f32>) {
        let order = match self.channels {
            Channels::Rgb => [0, 1, 2],
            Channels::Bgr => [2, 1, 0],
        };
        let tables = [0, 1, 2].map(|channel| self.table(channel));
        let (pixels, _) = frame.pixels().as_chunks::<3>();
        match self.layout {
            Layout::ChannelsFirst => {
                for (table, source) in tables.iter().zip(order) {
                    values.extend(pixels.iter().map(|pixel| table[usize::from(pixel[source])]));
                }
            }
            Layout::ChannelsLast => values.extend(pixels.iter().flat_map(|pixel| {
                [0, 1, 2].map(|channel| tables[channel][usize::from(pixel[order[channel]])])
            })),
        }
    }

    /// The value of each grey level in a channel.
    fn table(&self, channel: usize) -> [f32; 256] {
        let black = self.black.of(channel);
        let white = self.white.of(channel);
        std::array::from_fn(|level| black + (white - black) * (level as f32 / 255.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(text: &str) -> Input {
        let sizes = "width = 8\nheight = 6\nblack = -1.0\nwhite = 1.0\n";
        toml::from_str(&format!("{sizes}{text}")).unwrap()
    }

    /// Red, green and blue differ, and so do the pixels.
    fn frame(width: usize, height: usize) -> Frame {
        let pixel = |i: usize| [i as u8, 100 + i as u8, 200 + i as u8];
        Frame::new(width, height, (0..width * height).flat_map(pixel).collect()).unwrap()
    }

    fn values(input: &Input, frame: &Frame) -> Vec<f32> {
        let mut values = Vec::new();
        input.append(frame, &mut values);
        values
    }

    /// The value of a level with -1 for black and 1 for white.
    fn value(level: usize) -> f32 {
        level as f32 / 127.5 - 1.0
    }

    fn check(found: &[f32], levels: [usize; 6]) {
        let close = |(found, level): (&f32, usize)| (found - value(level)).abs() < 1e-6;
        assert!(found.iter().zip(levels).all(close), "{found:?} {levels:?}");
    }

    #[test]
    fn channels_and_layout_are_those_of_the_network() {
        let frame = frame(2, 1);
        check(&values(&input(""), &frame), [0, 1, 100, 101, 200, 201]);
        check(&values(&input("channels = 'bgr'"), &frame), [200, 201, 100, 101, 0, 1]);
        let last = "layout = 'channels-last'\n";
        check(&values(&input(last), &frame), [0, 100, 200, 1, 101, 201]);
        let both = format!("{last}channels = 'bgr'");
        check(&values(&input(&both), &frame), [200, 100, 0, 201, 101, 1]);
    }

    #[test]
    fn each_channel_can_have_its_own_levels() {
        let text =
            "width = 2\nheight = 1\nblack = [0.0, -1.0, -2.0]\nwhite = [255.0, 254.0, 253.0]";
        let found = values(&toml::from_str(text).unwrap(), &frame(2, 1));
        for (found, expected) in found.iter().zip([0.0, 1.0, 99.0, 100.0, 198.0, 199.0]) {
            assert!((found - expected).abs() < 1e-4, "{found} {expected}");
        }
    }

    #[test]
    fn a_letterbox_keeps_the_shape_and_pads_behind() {
        let input = input("fit = 'letterbox'\npadding = 114");
        // 32 x 12 becomes 8 x 3, 8 x 12 becomes 4 x 6.
        let wide = input.fitted(&Frame::grey(32, 12, 9));
        assert_eq!(wide.ratio, [0.25, 0.25]);
        let levels =
            |frame: &Frame| frame.pixels().as_chunks::<3>().0.iter().map(|p| p[0]).collect();
        let found: Vec<u8> = levels(&wide.frame);
        assert_eq!(found, [[9; 24], [114; 24]].concat());
        let high: Vec<u8> = levels(&input.fitted(&Frame::grey(8, 12, 9)).frame);
        assert_eq!(high, [[9, 9, 9, 9, 114, 114, 114, 114]; 6].concat());
    }

    #[test]
    fn stretching_scales_the_sides_separately() {
        let fitted = input("").fitted(&Frame::grey(32, 12, 9));
        assert_eq!(fitted.ratio, [0.25, 0.5]);
        assert_eq!(fitted.frame, Frame::grey(8, 6, 9));
    }

    #[test]
    fn sizes_are_bounded() {
        for size in [0, 4097] {
            let text = format!("width = {size}\nheight = 1\nblack = 0\nwhite = 1");
            let input: Input = toml::from_str(&text).unwrap();
            let error = input.check(Path::new("a.toml")).unwrap_err();
            assert_eq!(error.to_string(), "a.toml: input.width must be between 1 and 4096");
        }
    }
}
