//! Whole trainings against PyTorch's: the same start, batches and masks, step by step.

use gait_data::Batch;
use gaitgl::mask::Regions;
use gaitgl::settings::{Precision, Settings};
use gaitgl::train::{StepReport, Trainer};
use gaitgl::weights::Weights;

use crate::fixture::Fixture;
use crate::names::weights;

/// Largest difference of a loss relative to PyTorch's, of a tensor after the last step relative to
/// the largest value of PyTorch's, and of a tensor relative to its largest change since the start.
/// The last is the strict one: a training that did nothing would have an error of 1.
const TOLERANCE: f64 = 1e-3;
/// The least change, relative to the largest value, that a difference is compared with: where a
/// tensor moved less in 20 steps, its own rounding (6e-8 a step) is not small beside its change.
const LEAST_CHANGE: f64 = 1e-3;

/// Repeats the training `kind` of a fixture through [`Trainer`].
fn check(name: &str, kind: &str) {
    let golden = Fixture::open(&format!("training-{name}"));
    let batches = batches();
    let mut trainer = trainer(&golden, kind, Precision::F32);
    let preset = golden.text("preset");
    let (losses, rates) =
        (golden.floats(&format!("{kind}.losses")), golden.floats(&format!("{kind}.rates")));
    assert_eq!((losses.len(), rates.len()), (3 * batches.len(), batches.len()));
    let mut furthest_loss = 0.0f64;
    for (step, batch) in batches.iter().enumerate() {
        let report = step_of(&mut trainer, &golden, step, batch);
        let rate = f64::from(rates[step]);
        assert!((report.learning_rate - rate).abs() < 1e-6 * rate, "{name} {kind} step {step}");
        let ours = [report.loss, report.triplet, report.cross_entropy];
        for (ours, &theirs) in ours.into_iter().zip(&losses[3 * step..]) {
            let theirs = f64::from(theirs);
            let apart = (ours - theirs).abs() / theirs;
            assert!(apart <= TOLERANCE, "{name} {kind} step {step}: {ours}, PyTorch {theirs}");
            furthest_loss = furthest_loss.max(apart);
        }
    }
    let start = weights(&golden, &preset, "net");
    let theirs = weights(&golden, &preset, &format!("{kind}.after"));
    let ours = trainer.checkpoint(None).unwrap().weights;
    println!("{name} {kind}: losses {furthest_loss:.1e}");
    let kinds = ["value", "change"];
    for (what, (error, tensor)) in kinds.iter().zip(furthest(&ours, &theirs, &start)) {
        println!("{name} {kind}: largest error of a {what} {error:.1e}, in {tensor}");
        assert!(error <= TOLERANCE, "{name} {kind}: the {what} of {tensor} is {error:e} apart");
    }
}

/// One step with the masks of the fixture.
fn step_of(trainer: &mut Trainer, golden: &Fixture, step: usize, batch: &Batch) -> StepReport {
    let masks = masks(golden, step);
    let report = match masks.len() {
        0 => trainer.step(batch),
        _ => trainer.step_with_masks(batch, &masks),
    };
    report.unwrap()
}

/// The distance of the losses of a training in bf16 from those of PyTorch under autocast, relative to
/// that of PyTorch in f32.
fn distance_in_bf16(name: &str, kind: &str) -> f64 {
    let golden = Fixture::open(&format!("training-{name}"));
    let f32_losses = golden.floats(&format!("{kind}.losses"));
    let half_losses = Fixture::open("training-bf16").floats(&format!("{name}.{kind}.losses"));
    let mut trainer = trainer(&golden, kind, Precision::Bf16);
    let mut apart = [0.0; 2];
    for (step, batch) in batches().iter().enumerate() {
        let ours = step_of(&mut trainer, &golden, step, batch).loss;
        let exact = f64::from(f32_losses[3 * step]);
        let half = f64::from(half_losses[3 * step]);
        for (sum, loss) in apart.iter_mut().zip([ours, exact]) {
            *sum += ((loss - half) / half).powi(2);
        }
    }
    let [ours, exact] = apart.map(f64::sqrt);
    println!("{name} {kind}: {ours:.1e} from autocast, f32 {exact:.1e}");
    ours / exact
}

/// Two trainings whose roundings are as large and independent are a root of two times as far from each
/// other as from f32. In networks this small single roundings decide much, so that the mean over the
/// trainings is compared; it was 1.2.
#[test]
fn trainings_in_bf16_round_no_more_than_those_under_autocast() {
    let trainings = [
        ("parts-small", "adam"),
        ("parts-small", "sgd"),
        ("parts-large-bnneck", "adam"),
        ("parts-large-bnneck", "sgd"),
        ("paper-small", "adam"),
        ("paper-small", "sgd"),
        ("paper-small-wide", "sgd"),
    ];
    let sum: f64 = trainings.iter().map(|(name, kind)| distance_in_bf16(name, kind).ln()).sum();
    let mean = (sum / trainings.len() as f64).exp();
    assert!(mean <= 2f64.sqrt(), "{mean} times as far from autocast as f32");
}

fn trainer(golden: &Fixture, kind: &str, precision: Precision) -> Trainer {
    let preset = golden.text("preset");
    let mut assignments: Vec<String> = golden.text(kind).lines().map(String::from).collect();
    assignments.push(format!("train.precision={precision}"));
    let settings = Settings::assemble(Some(&preset), None, &assignments).unwrap();
    let start = weights(golden, &preset, "net");
    let classes = start["head.classifier.weight"].shape[2];
    let subjects = (0..classes).map(|class| class.to_string()).collect();
    Trainer::new(settings, subjects, &gaitgl::cpu()).unwrap().with_weights(&start).unwrap()
}

/// Largest error of a tensor by its value and by its change since `start`, each with the tensor's
/// name. Batch-norm statistics are among the tensors.
fn furthest(ours: &Weights, theirs: &Weights, start: &Weights) -> [(f64, String); 2] {
    assert!(ours.keys().eq(theirs.keys()));
    let largest_apart = |a: &[f32], b: &[f32]| {
        a.iter().zip(b).fold(0.0f64, |m, (a, b)| m.max((f64::from(*a) - f64::from(*b)).abs()))
    };
    let mut furthest = [(0.0, String::new()), (0.0, String::new())];
    for (name, theirs) in theirs {
        let zeros = vec![0.0; theirs.values.len()];
        assert_eq!(ours[name].shape, theirs.shape, "{name}");
        let apart = largest_apart(&ours[name].values, &theirs.values);
        let largest = largest_apart(&theirs.values, &zeros);
        let moved = largest_apart(&theirs.values, &start[name].values).max(LEAST_CHANGE * largest);
        for (furthest, error) in furthest.iter_mut().zip([apart / largest, apart / moved]) {
            if error > furthest.0 || error.is_nan() {
                *furthest = (error, name.clone());
            }
        }
    }
    furthest
}

/// The batches of all steps: windows of the fixture's sequences.
fn batches() -> Vec<Batch> {
    let golden = Fixture::open("training-batches");
    let integers = |name: &str| golden.labels(name);
    let shape = golden.shape("pool");
    let (frames, height, width) = (integers("frames")[0], shape[2], shape[3]);
    let pool: Vec<u8> = golden.floats("pool").into_iter().map(|v| v as u8).collect();
    let (sequences, starts) = (integers("sequences"), integers("starts"));
    let subjects = integers("subjects");
    let clips = golden.shape("sequences")[1];
    let pixels = |place: usize| {
        let from = (sequences[place] * shape[1] + starts[place]) * height * width;
        &pool[from..from + frames * height * width]
    };
    let batch = |step: usize| {
        let places = step * clips..(step + 1) * clips;
        let subjects = subjects[places.clone()].to_vec();
        let pixels = places.flat_map(pixels).copied().collect();
        Batch { subjects, frames, height, width, pixels }
    };
    (0..golden.shape("sequences")[0]).map(batch).collect()
}

/// The regions of each masked layer in one step; none where the network cuts bands.
fn masks(golden: &Fixture, step: usize) -> Vec<Option<Regions>> {
    let names = golden.names().into_iter().filter(|name| name.starts_with("mask."));
    let regions = |name: String| {
        let [_, height, width]: [usize; 3] = golden.shape(&name).try_into().unwrap();
        let labels = golden.floats(&name);
        let labels = labels.chunks(height * width).nth(step).unwrap();
        Regions::new(height, width, labels.iter().map(|&label| label as i32).collect())
    };
    names.map(|name| Some(regions(name).unwrap())).collect()
}

#[test]
fn parts_small_by_adam() {
    check("parts-small", "adam");
}

#[test]
fn parts_small_by_sgd() {
    check("parts-small", "sgd");
}

#[test]
fn bnneck_by_adam() {
    check("parts-large-bnneck", "adam");
}

#[test]
fn bnneck_by_sgd() {
    check("parts-large-bnneck", "sgd");
}

#[test]
fn paper_small_by_adam() {
    check("paper-small", "adam");
}

#[test]
fn paper_small_by_sgd() {
    check("paper-small", "sgd");
}

#[test]
fn paper_small_through_winograd() {
    check("paper-small-wide", "sgd");
}
