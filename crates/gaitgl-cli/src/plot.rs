//! Pictures. Each module draws one kind; here is what they share.
//!
//! The same code draws an SVG and a PNG. The text of the PNG is set in a font that comes with the
//! program, because a bare machine has none; the SVG uses the reader's fonts.

pub mod ablation;
mod axes;
pub mod errors;
mod legend;
pub mod masks;
pub mod open_set;
pub mod overlay;
pub mod roc;
pub mod sheet;
pub mod silhouette;
pub mod training;
pub mod tsne;

use std::path::Path;

use anyhow::{Context, anyhow, bail};
use image::RgbImage;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{FontTransform, register_font};

use crate::files::write;

const FONT: &str = "sans-serif";
/// Height of letters in pixels.
const TEXT: i32 = 24;
const TITLE: i32 = 30;
const WIDTH: u32 = 1600;
const MARGIN: i32 = 20;
/// Radius of a mark.
const MARK: i32 = 8;

const INK: RGBColor = RGBColor(40, 40, 40);
const FAINT: RGBColor = RGBColor(222, 222, 222);
/// Colours that people with red-green blindness can tell apart. The first four are close to those of
/// the paper's Fig. 4.
const COLOURS: [RGBColor; 6] = [
    RGBColor(213, 60, 40),
    RGBColor(128, 62, 160),
    RGBColor(20, 165, 200),
    RGBColor(20, 60, 160),
    RGBColor(230, 159, 0),
    RGBColor(0, 130, 90),
];

/// The colour of the series with this number.
fn colour(series: usize) -> RGBColor {
    COLOURS[series % COLOURS.len()]
}

/// What can be drawn in both formats.
pub trait Picture {
    /// Width and height in pixels.
    fn size(&self) -> [u32; 2];

    /// Draws everything on a white area of that size.
    fn draw<S: Surface>(&self, root: &DrawingArea<S, Shift>) -> anyhow::Result<()>;
}

/// What can be drawn on: the backends of SVG and of bitmaps.
pub trait Surface: DrawingBackend<ErrorType: 'static> {}

impl<B: DrawingBackend<ErrorType: 'static>> Surface for B {}

/// The format of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Png,
    Svg,
}

impl Format {
    /// The format that the extension of a file names.
    pub fn of(path: &Path) -> anyhow::Result<Self> {
        let extension =
            path.extension().map(|extension| extension.to_string_lossy().to_lowercase());
        match extension.as_deref() {
            Some("png") => Ok(Self::Png),
            Some("svg") => Ok(Self::Svg),
            _ => bail!("{}: a picture must be a .png or a .svg file", path.display()),
        }
    }

    /// Writes a picture to a file in this format.
    pub fn write(self, path: &Path, picture: &impl Picture) -> anyhow::Result<()> {
        let bytes = match self {
            Self::Png => png(picture)?,
            Self::Svg => svg(picture)?.into_bytes(),
        };
        Ok(write(path, &bytes)?)
    }
}

/// A picture as the text of an SVG file.
fn svg(picture: &impl Picture) -> anyhow::Result<String> {
    use_own_font()?;
    let [width, height] = picture.size();
    let mut svg = String::new();
    draw_on(&SVGBackend::with_string(&mut svg, (width, height)).into_drawing_area(), picture)?;
    Ok(svg)
}

/// A picture as the bytes of a PNG file.
fn png(picture: &impl Picture) -> anyhow::Result<Vec<u8>> {
    use_own_font()?;
    let [width, height] = picture.size();
    let mut pixels = vec![255; (width * height * 3) as usize];
    let surface = BitMapBackend::with_buffer(&mut pixels, (width, height));
    draw_on(&surface.into_drawing_area(), picture)?;
    let image = RgbImage::from_raw(width, height, pixels).context("the plot has no pixels")?;
    let mut png = Vec::new();
    // Even areas of few colours pack best without a filter.
    let encoder =
        PngEncoder::new_with_quality(&mut png, CompressionType::Best, FilterType::NoFilter);
    image.write_with_encoder(encoder).context("the plot cannot be encoded as PNG")?;
    Ok(png)
}

fn draw_on<S: Surface>(root: &DrawingArea<S, Shift>, picture: &impl Picture) -> anyhow::Result<()> {
    root.fill(&WHITE)?;
    picture.draw(root)?;
    root.present()?;
    Ok(())
}

fn use_own_font() -> anyhow::Result<()> {
    register_font(FONT, FontStyle::Normal, dejavu::sans::regular())
        .map_err(|_| anyhow!("the font of the plots cannot be used"))
}

/// Rows and columns of a grid of panels with at most `most` columns.
fn grid(panels: usize, most: usize) -> [usize; 2] {
    let rows = panels.div_ceil(most).max(1);
    [rows, panels.div_ceil(rows).max(1)]
}

/// A number of pixels as plotters counts them.
fn px(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

fn text(size: i32, horizontal: HPos, vertical: VPos) -> TextStyle<'static> {
    (FONT, size).into_font().color(&INK).pos(Pos::new(horizontal, vertical))
}

/// Width of a text in pixels.
fn text_width(label: &str, size: i32) -> i32 {
    let font = (FONT, size).into_font().transform(FontTransform::None);
    font.box_size(label).map_or(0, |(width, _)| i32::try_from(width).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_extension_selects_the_format() {
        assert_eq!(Format::of(Path::new("a/b.PNG")).unwrap(), Format::Png);
        assert_eq!(Format::of(Path::new("b.svg")).unwrap(), Format::Svg);
        for name in ["b", "b.jpg", "png"] {
            let message = Format::of(Path::new(name)).unwrap_err().to_string();
            assert!(message.contains(name) && message.contains(".svg"), "{message}");
        }
    }
}
