//! How the time of a network grows with each of its sizes, one size at a time.

use anyhow::Context;
use burn::tensor::Device;
use gaitgl::net::describe;

use super::{Bench, Kind, Network};
use crate::commands::print_line;

/// Frames, clips and classes of the network that the others are compared with.
const FRAMES: usize = 30;
const TEST_CLIPS: usize = 1;
const TRAIN_CLIPS: usize = 8;
const CLASSES: usize = 74;

/// A network that differs from the base in one size.
struct Variant {
    /// The size that differs, and its value.
    axis: &'static str,
    value: String,
    network: Network,
    threads: usize,
}

/// Times one preset at test and in training with one size changed at a time. Prints how the time
/// grows, and beside it how the multiply-adds grow according to the definition of the convolution.
pub fn run(bench: &Bench, preset: &str, device: &Device) -> anyhow::Result<()> {
    for (kind, clips) in [(Kind::Test, TEST_CLIPS), (Kind::Train, TRAIN_CLIPS)] {
        let settings = bench.settings(preset)?;
        let base = Network { settings, kind, clips, frames: FRAMES, classes: CLASSES };
        let threads = rayon::current_num_threads();
        // The first network of a process pays for the allocator's pages.
        measure(bench, &base, threads, device)?;
        let seconds = measure(bench, &base, threads, device)?;
        print_line(format!(
            "\n{preset}/{kind}/{clips}x{FRAMES}: {seconds:.3} s, {threads} threads"
        ));
        print_line(format!(
            "{:10} {:>8} {:>9} {:>7} {:>14}",
            "", "", "seconds", "times", "multiply-adds"
        ));
        for variant in variants(&base, threads)? {
            let Variant { axis, value, network, threads } = &variant;
            let grown = measure(bench, network, *threads, device)?;
            let work = multiply_adds(network) / multiply_adds(&base);
            let times = grown / seconds;
            print_line(format!("{axis:10} {value:>8} {grown:>9.3} {times:>7.2} {work:>14.2}"));
        }
    }
    Ok(())
}

fn variants(base: &Network, threads: usize) -> anyhow::Result<Vec<Variant>> {
    let with = |axis, value: String, change: &dyn Fn(&mut Network)| {
        let mut network = Network { settings: base.settings.clone(), ..*base };
        change(&mut network);
        Variant { axis, value, network, threads }
    };
    let mut variants = Vec::new();
    for frames in [15, 60, 120] {
        variants.push(with("frames", frames.to_string(), &|network| network.frames = frames));
    }
    for (height, width) in [(32, 22), (128, 88)] {
        variants.push(with("map", format!("{height}x{width}"), &|network| {
            network.settings.model.height = height;
            network.settings.model.width = width;
        }));
    }
    for (numerator, denominator, name) in [(1, 4, "1/4"), (1, 2, "1/2"), (2, 1, "2")] {
        variants.push(with("channels", format!("x {name}"), &|network| {
            for count in &mut network.settings.model.channels {
                *count = *count * numerator / denominator;
            }
        }));
    }
    let clips: &[usize] = match base.kind {
        Kind::Test => &[2, 4, 8],
        Kind::Train => &[4, 16, 32],
    };
    for &clips in clips {
        variants.push(with("clips", clips.to_string(), &|network| network.clips = clips));
    }
    let powers_of_two = std::iter::successors(Some(1), |threads| Some(2 * threads));
    for fewer in powers_of_two.take_while(|&fewer| fewer < threads) {
        variants.push(Variant { threads: fewer, ..with("threads", fewer.to_string(), &|_| ()) });
    }
    for Variant { axis, value, network, .. } in &variants {
        network.settings.check().with_context(|| format!("{axis} {value}"))?;
    }
    Ok(variants)
}

/// The median time of a network on a pool of `threads` threads, in seconds.
fn measure(
    bench: &Bench,
    network: &Network,
    threads: usize,
    device: &Device,
) -> anyhow::Result<f64> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
    pool.install(|| bench.median(&mut *network.work(device)?, device))
}

/// The multiply-adds of all clips, by the definition of the convolution.
fn multiply_adds(network: &Network) -> f64 {
    let layers = describe(&network.settings.model, network.classes, network.frames);
    let one_clip: usize = layers.iter().map(|layer| layer.multiply_adds).sum();
    (one_clip * network.clips) as f64
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
            let variants = variants(&base, 4).unwrap();
            let threads = variants.iter().filter(|variant| variant.axis == "threads");
            let threads: Vec<usize> = threads.map(|variant| variant.threads).collect();
            assert_eq!(threads, [1, 2], "{preset}");
        }
    }
}
