//! How the cost of a network grows with each of its sizes, one at a time.

use anyhow::Context;
use burn::tensor::Device;
use gaitgl::net::describe;

use super::{Bench, Kind, Network};
use crate::commands::say;

/// Frames and clips of the network that the others are compared with.
const FRAMES: usize = 30;
const TRAINED_CLIPS: usize = 8;
const CLASSES: usize = 74;

/// One measured size: everything else is as in the preset.
struct Size {
    axis: &'static str,
    value: String,
    network: Network,
    threads: usize,
}

/// Times one preset at test (one clip) and in training (eight clips) with one size changed at a
/// time, and prints how the time grows beside how the multiply-adds of the definition do.
pub fn run(bench: &Bench, preset: &str, device: &Device) -> anyhow::Result<()> {
    for (kind, clips) in [(Kind::Test, 1), (Kind::Train, TRAINED_CLIPS)] {
        let settings = bench.settings(preset)?;
        let base = Network { settings, kind, clips, frames: FRAMES, classes: CLASSES };
        let threads = rayon::current_num_threads();
        // The first network of a process pays for the allocator's pages.
        measure(bench, &base, threads, device)?;
        let seconds = measure(bench, &base, threads, device)?;
        say(format!("\n{preset}/{kind}/{clips}x{FRAMES}: {seconds:.3} s, {threads} threads"));
        say(format!("{:10} {:>8} {:>9} {:>7} {:>14}", "", "", "seconds", "times", "multiply-adds"));
        for size in sizes(&base, threads)? {
            let Size { axis, value, network, threads } = &size;
            let grown = measure(bench, network, *threads, device)?;
            let work = multiply_adds(network) / multiply_adds(&base);
            let times = grown / seconds;
            say(format!("{axis:10} {value:>8} {grown:>9.3} {times:>7.2} {work:>14.2}"));
        }
    }
    Ok(())
}

fn sizes(base: &Network, threads: usize) -> anyhow::Result<Vec<Size>> {
    let with = |axis, value: String, change: &dyn Fn(&mut Network)| {
        let mut network = Network { settings: base.settings.clone(), ..*base };
        change(&mut network);
        Size { axis, value, network, threads }
    };
    let mut sizes = Vec::new();
    for frames in [15, 60, 120] {
        sizes.push(with("frames", frames.to_string(), &|network| network.frames = frames));
    }
    for (height, width) in [(32, 22), (128, 88)] {
        sizes.push(with("map", format!("{height}x{width}"), &|network| {
            let model = &mut network.settings.model;
            (model.height, model.width) = (height, width);
        }));
    }
    for (numerator, denominator, name) in [(1, 4, "1/4"), (1, 2, "1/2"), (2, 1, "2")] {
        sizes.push(with("channels", format!("x {name}"), &|network| {
            let channels = network.settings.model.channels.iter_mut();
            channels.for_each(|count| *count = *count * numerator / denominator);
        }));
    }
    let clips: &[usize] = match base.kind {
        Kind::Test => &[2, 4, 8],
        Kind::Train => &[4, 16, 32],
    };
    for &clips in clips {
        sizes.push(with("clips", clips.to_string(), &|network| network.clips = clips));
    }
    let doublings = std::iter::successors(Some(1), |threads| Some(2 * threads));
    for fewer in doublings.take_while(|&fewer| fewer < threads) {
        sizes.push(Size { threads: fewer, ..with("threads", fewer.to_string(), &|_| ()) });
    }
    for Size { axis, value, network, .. } in &sizes {
        network.settings.check().with_context(|| format!("{axis} {value}"))?;
    }
    Ok(sizes)
}

fn measure(
    bench: &Bench,
    network: &Network,
    threads: usize,
    device: &Device,
) -> anyhow::Result<f64> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
    pool.install(|| bench.median(&mut *network.work(device)?, device))
}

/// Multiply-adds of all clips by the definition of the convolution.
fn multiply_adds(network: &Network) -> f64 {
    let layers = describe(&network.settings.model, network.classes, network.frames);
    let one: usize = layers.iter().map(|layer| layer.multiply_adds).sum();
    (one * network.clips) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use gaitgl::settings::Settings;
    use gaitgl::settings::presets;

    #[test]
    fn every_preset_can_be_measured_at_every_size() {
        for preset in presets::NAMES {
            let settings = Settings::preset(preset).unwrap();
            let base = Network { settings, kind: Kind::Test, clips: 1, frames: 30, classes: 7 };
            let sizes = sizes(&base, 4).unwrap();
            let threads = sizes.iter().filter(|size| size.axis == "threads");
            assert_eq!(threads.map(|size| size.threads).collect::<Vec<_>>(), [1, 2], "{preset}");
        }
    }
}
