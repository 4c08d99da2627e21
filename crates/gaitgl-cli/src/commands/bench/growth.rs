//! How the cost of a network grows with each of its sizes, one at a time.

use anyhow::Context;
use gaitgl::net::describe;
use gaitgl::settings::Settings;

use super::{Bench, Kind, network_case};
use crate::commands::say;

/// Frames and clips of the network that the others are compared with.
const FRAMES: usize = 30;
const TRAINED_CLIPS: usize = 8;
const CLASSES: usize = 74;

/// One measured size: everything else is as in the preset.
struct Size {
    axis: &'static str,
    value: String,
    settings: Settings,
    clips: usize,
    frames: usize,
    threads: usize,
}

/// Times one preset at test (one clip) and in training (eight clips) with one size changed at a
/// time, and prints how the time grows beside how the multiply-adds of the definition do.
pub fn run(bench: &Bench, preset: &str) -> anyhow::Result<()> {
    for (kind, clips) in [(Kind::Test, 1), (Kind::Train, TRAINED_CLIPS)] {
        let base = Size {
            axis: "",
            value: String::new(),
            settings: Settings::preset(preset)?,
            clips,
            frames: FRAMES,
            threads: rayon::current_num_threads(),
        };
        let seconds = measure(bench, kind, &base)?;
        say(format!(
            "\n{preset}/{kind}/{clips}x{FRAMES}: {seconds:.3} s, {} threads",
            base.threads
        ));
        say(format!("{:10} {:>8} {:>9} {:>7} {:>14}", "", "", "seconds", "times", "multiply-adds"));
        for size in sizes(&base, kind)? {
            let grown = measure(bench, kind, &size)?;
            let work = multiply_adds(&size) / multiply_adds(&base);
            let Size { axis, value, .. } = &size;
            let times = grown / seconds;
            say(format!("{axis:10} {value:>8} {grown:>9.3} {times:>7.2} {work:>14.2}"));
        }
    }
    Ok(())
}

fn sizes(base: &Size, kind: Kind) -> anyhow::Result<Vec<Size>> {
    let with = |axis, value: String, change: &dyn Fn(&mut Size)| {
        let mut size = Size { axis, value, settings: base.settings.clone(), ..*base };
        change(&mut size);
        size
    };
    let mut sizes = Vec::new();
    for frames in [15, 60, 120] {
        sizes.push(with("frames", frames.to_string(), &|size| size.frames = frames));
    }
    for (height, width) in [(32, 22), (128, 88)] {
        sizes.push(with("map", format!("{height}x{width}"), &|size| {
            (size.settings.model.height, size.settings.model.width) = (height, width);
        }));
    }
    for (numerator, denominator, name) in [(1, 4, "1/4"), (1, 2, "1/2"), (2, 1, "2")] {
        sizes.push(with("channels", format!("x {name}"), &|size| {
            let channels = size.settings.model.channels.iter_mut();
            channels.for_each(|count| *count = *count * numerator / denominator);
        }));
    }
    let clips: &[usize] = match kind {
        Kind::Test => &[2, 4, 8],
        Kind::Train => &[4, 16, 32],
    };
    for &clips in clips {
        sizes.push(with("clips", clips.to_string(), &|size| size.clips = clips));
    }
    let doublings = std::iter::successors(Some(1), |threads| Some(2 * threads));
    for threads in doublings.take_while(|&threads| threads < base.threads) {
        sizes.push(with("threads", threads.to_string(), &|size| size.threads = threads));
    }
    for size in &sizes {
        size.settings.check().with_context(|| format!("{} {}", size.axis, size.value))?;
    }
    Ok(sizes)
}

fn measure(bench: &Bench, kind: Kind, size: &Size) -> anyhow::Result<f64> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(size.threads).build()?;
    pool.install(|| {
        let Size { settings, clips, frames, .. } = size;
        let mut work = network_case(settings.clone(), kind, *clips, *frames, CLASSES)?;
        bench.median(&mut *work)
    })
}

/// Multiply-adds of all clips by the definition of the convolution.
fn multiply_adds(size: &Size) -> f64 {
    let layers = describe(&size.settings.model, CLASSES, size.frames);
    let one: usize = layers.iter().map(|layer| layer.multiply_adds).sum();
    (one * size.clips) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use gaitgl::presets;

    #[test]
    fn every_preset_can_be_measured_at_every_size() {
        for preset in presets::NAMES {
            let settings = Settings::preset(preset).unwrap();
            let base =
                Size { axis: "", value: String::new(), settings, clips: 1, frames: 30, threads: 4 };
            let sizes = sizes(&base, Kind::Test).unwrap();
            let threads = sizes.iter().filter(|size| size.axis == "threads");
            assert_eq!(threads.map(|size| size.threads).collect::<Vec<_>>(), [1, 2], "{preset}");
        }
    }
}
