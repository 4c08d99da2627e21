//! Maps of embeddings by t-SNE, one panel per network, as in the paper's Fig. 5.

use anyhow::{Context, bail};
use bhtsne::{Neighbor, tSNE};
use gait_eval::{Distance, Embeddings, Watch, distance_matrix};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::ThreadPoolBuilder;

use super::legend::{Legend, Symbol, draw_class};
use super::{FAINT, MARGIN, MARK, Picture, Surface, TEXT, TITLE, grid, px, text};

/// Side of a panel.
const PANEL: i32 = 560;
/// Most panels side by side.
const MOST_PANELS: usize = 3;
/// Height of a panel's title.
const HEAD: i32 = 2 * TITLE;
/// Space for marks at the edge of a panel.
const RIM: i32 = 2 * MARK;
/// Steps of the descent.
const STEPS: usize = 1000;
/// Fewest samples that have neighbours enough.
const FEWEST: usize = 4;
/// Accuracy of the repulsion of distant points; smaller is more accurate and slower.
const THETA: f32 = 0.2;
/// Extent of the random start.
const START: f32 = 1e-4;

/// Points of one network.
pub struct Map {
    /// The network.
    pub title: String,
    /// The points, as many as samples.
    pub points: Vec<[f32; 2]>,
}

/// Maps of the same samples by several networks.
pub struct Maps {
    pub maps: Vec<Map>,
    /// Names of the people.
    pub people: Vec<String>,
    /// The number of each sample's person.
    pub classes: Vec<usize>,
}

/// Maps embeddings to points in the plane so that near ones stay near. `perplexity`, about the number
/// of neighbours that count, is reduced to what so few samples allow.
///
/// # Errors
/// Fewer than four samples, distances that exceed single precision, a thread that the system refuses,
/// a stop.
pub fn map(
    e: &Embeddings,
    distance: Distance,
    perplexity: f32,
    seed: u64,
    watch: &Watch,
) -> anyhow::Result<Vec<[f32; 2]>> {
    watch.check()?;
    let all: Vec<usize> = (0..e.len()).collect();
    if all.len() < FEWEST {
        bail!("a map needs {FEWEST} samples or more, not {}", all.len());
    }
    let perplexity = perplexity.clamp(1.0, (all.len() - 1) as f32 / 3.0);
    let count = (3.0 * perplexity).ceil() as usize;
    let distances = distance_matrix(e, distance, &all, &all)?;
    let rows = distances.chunks_exact(all.len()).enumerate();
    // Searching the neighbours is left to us: the crate's own search draws from an unseeded generator.
    let neighbours: Vec<Vec<Neighbor<f32>>> =
        rows.map(|(sample, row)| nearest(row, sample, count.min(all.len() - 1))).collect();
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let start: Vec<f32> = (0..2 * e.len()).map(|_| rng.random_range(-START..START)).collect();
    // The sums of several threads would depend on how they share the work.
    let pool = ThreadPoolBuilder::new().num_threads(1).build().context("t-SNE needs a thread")?;
    let points = pool.install(|| {
        let mut descent: tSNE<f32, usize> = tSNE::new(&all);
        descent.perplexity(perplexity).epochs(STEPS).initial_embedding(start);
        descent.epoch_callback(|step, _| watch.report(step as u64 + 1, STEPS as u64));
        descent.barnes_hut_with_neighbors(THETA, &neighbours).embedding()
    });
    Ok(points.chunks_exact(2).map(|point| [point[0], point[1]]).collect())
}

/// The nearest samples of one, by its distances to all of them.
fn nearest(row: &[f32], sample: usize, count: usize) -> Vec<Neighbor<f32>> {
    let others = row.iter().enumerate().filter(|(index, _)| *index != sample);
    // Cosine distances of equal embeddings may be below 0 by rounding.
    let mut others: Vec<Neighbor<f32>> =
        others.map(|(index, d)| Neighbor { index, distance: d.max(0.0) }).collect();
    others.sort_by(|a, b| a.distance.total_cmp(&b.distance));
    others.truncate(count);
    others
}

impl Maps {
    fn legend(&self) -> Legend {
        let people = self.people.iter().enumerate();
        Legend::new(people.map(|(class, name)| (Symbol::Class(class), name.clone())))
    }

    fn width(&self) -> i32 {
        let [_, across] = grid(self.maps.len(), MOST_PANELS);
        px(across) * (PANEL + MARGIN) + MARGIN
    }
}

impl Picture for Maps {
    fn size(&self) -> [u32; 2] {
        let [lines, _] = grid(self.maps.len(), MOST_PANELS);
        let panels = px(lines) * (HEAD + PANEL);
        let legend = self.legend().height(self.width() - 2 * MARGIN);
        [self.width() as u32, (panels + 2 * MARGIN + legend + MARGIN) as u32]
    }

    fn draw<S: Surface>(&self, root: &DrawingArea<S, Shift>) -> anyhow::Result<()> {
        let [lines, across] = grid(self.maps.len(), MOST_PANELS);
        for (at, map) in self.maps.iter().enumerate() {
            let left = MARGIN + px(at % across) * (PANEL + MARGIN);
            let top = px(at / across) * (HEAD + PANEL);
            draw_map(root, (left, top), map, &self.classes)?;
        }
        let below = px(lines) * (HEAD + PANEL) + 2 * MARGIN;
        let inner = root.margin(0, 0, 0, MARGIN);
        self.legend().draw(&inner, (MARGIN, below))
    }
}

fn draw_map<S: Surface>(
    area: &DrawingArea<S, Shift>,
    (left, top): (i32, i32),
    map: &Map,
    classes: &[usize],
) -> anyhow::Result<()> {
    let middle = (left + PANEL / 2, top + HEAD / 2);
    let style = text(TEXT, HPos::Center, VPos::Center);
    area.draw(&Text::new(map.title.clone(), middle, style))?;
    let corners = [(left, top + HEAD), (left + PANEL, top + HEAD + PANEL)];
    area.draw(&Rectangle::new(corners, FAINT.stroke_width(2)))?;
    let places = places(&map.points, PANEL - 2 * RIM);
    for ((x, y), class) in places.into_iter().zip(classes) {
        draw_class(area, *class, (left + RIM + x, top + HEAD + RIM + y), MARK)?;
    }
    Ok(())
}

/// Places of points in a square of `side` pixels: both axes have the same scale, since only
/// distances have a meaning.
fn places(points: &[[f32; 2]], side: i32) -> Vec<(i32, i32)> {
    let extent = |axis: usize| {
        let values = || points.iter().map(|point| point[axis]);
        [values().fold(f32::INFINITY, f32::min), values().fold(f32::NEG_INFINITY, f32::max)]
    };
    let extents = [extent(0), extent(1)];
    let span = extents.iter().map(|[low, high]| high - low).fold(f32::MIN_POSITIVE, f32::max);
    let place = |value: f32, [low, high]: [f32; 2]| {
        let centred = (value - (low + high) / 2.0) / span;
        ((centred + 0.5) * side as f32).round() as i32
    };
    points.iter().map(|[x, y]| (place(*x, extents[0]), place(*y, extents[1]))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::{png, svg};

    /// Two people with ten samples each, far apart.
    fn embeddings() -> Embeddings {
        let value = |i: usize| if i < 10 { i as f32 * 0.01 } else { 5.0 + i as f32 * 0.01 };
        let names = (0..20).map(|i| ((i / 10).to_string(), i.to_string(), "90".to_owned()));
        Embeddings::new(1, 1, (0..20).map(value).collect(), names).unwrap()
    }

    fn mapped(seed: u64, threads: usize) -> Vec<[f32; 2]> {
        let pool = ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| map(&embeddings(), Distance::Strips, 30.0, seed, &Watch::silent())).unwrap()
    }

    #[test]
    fn people_stay_together_and_apart_from_others() {
        let points = mapped(1, 2);
        let distance =
            |a: usize, b: usize| (points[a][0] - points[b][0]).hypot(points[a][1] - points[b][1]);
        let pairs = || (0..20).flat_map(|a| (0..20).map(move |b| (a, b)));
        let within = pairs().filter(|(a, b)| a / 10 == b / 10).map(|(a, b)| distance(a, b));
        let between = pairs().filter(|(a, b)| a / 10 != b / 10).map(|(a, b)| distance(a, b));
        let within = within.fold(0.0, f32::max);
        let between = between.fold(f32::INFINITY, f32::min);
        assert!(within < between, "{within} within, {between} between");
    }

    #[test]
    fn a_map_depends_on_the_seed_and_not_on_the_threads() {
        let points = mapped(1, 1);
        assert_eq!(points, mapped(1, 4));
        assert_ne!(points, mapped(2, 1));
    }

    #[test]
    fn few_samples_have_a_smaller_perplexity_and_too_few_are_refused() {
        let samples = |count: u8| {
            let names = (0..count).map(|i| (i.to_string(), "1".to_owned(), "90".to_owned()));
            Embeddings::new(1, 1, (0..count).map(f32::from).collect(), names).unwrap()
        };
        let points = map(&samples(4), Distance::Strips, 30.0, 1, &Watch::silent()).unwrap();
        assert!(points.iter().flatten().all(|value| value.is_finite()), "{points:?}");
        assert!(map(&samples(3), Distance::Strips, 30.0, 1, &Watch::silent()).is_err());
    }

    #[test]
    fn axes_have_one_scale_and_the_map_is_centred() {
        let points = [[0.0, 0.0], [10.0, 5.0]];
        assert_eq!(places(&points, 100), [(0, 25), (100, 75)]);
        assert_eq!(places(&[[3.0, 3.0]], 100), [(50, 50)]);
    }

    #[test]
    fn titles_and_people_are_named() {
        let map = |title: &str| Map { title: title.into(), points: vec![[0.0, 1.0], [2.0, 3.0]] };
        let maps = vec![map("global"), map("local"), map("both"), map("more")];
        let people = vec!["001".to_owned(), "002".to_owned()];
        let maps = Maps { maps, people, classes: vec![0, 1] };
        let text = svg(&maps).unwrap();
        for part in ["global", "local", "both", "more", "001", "002"] {
            assert!(text.contains(part), "no {part}");
        }
        png(&maps).unwrap();
    }
}
