//! Ranks a million templates in memory, and says how long it takes and what it costs.
//!
//! ```text
//! cargo run --release -p gait-gallery --example million -- TEMPLATES THREADS
//! ```
//!
//! The templates are those of a compact network, 64 channels and 16 strips, four for each subject. A
//! store that draws them by chance stands in for a file of the same size.

use std::collections::BTreeMap;
use std::time::Instant;

use gait_eval::{Distance, Embeddings};
use gait_gallery::{
    AuditEntry, AuditQuery, By, Event, Gallery, GalleryError, Network, Records, Store, StoreError,
    TemplateRecord, Timestamp, Visit,
};

const CHANNELS: usize = 64;
const STRIPS: usize = 16;
const TEMPLATES_OF_A_SUBJECT: usize = 4;
const QUERIES: usize = 9;
const GIBIBYTE: f64 = (1 << 30) as f64;

#[allow(clippy::print_stdout, reason = "an example prints its result")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [templates, threads] = arguments.as_slice() else {
        return Err("give TEMPLATES THREADS, for instance 1000000 2".into());
    };
    let templates: usize = templates.parse()?;
    rayon::ThreadPoolBuilder::new().num_threads(threads.parse()?).build_global()?;

    let by = By::now("example");
    let gallery = Gallery::open(Drawn { templates }, None, &by)?;
    let network = Drawn::network();
    let began = Instant::now();
    let index = gallery.index(&network, Distance::Strips, by.at)?;
    println!(
        "{} templates of {} subjects, {CHANNELS} x {STRIPS} floats: {:.2} GiB; made in {:.1?}",
        index.templates(),
        index.subjects(),
        (templates * network.width() * size_of::<f32>()) as f64 / GIBIBYTE,
        began.elapsed(),
    );
    for windows in [1, 8] {
        let mut times = Vec::new();
        for query in 0..QUERIES {
            let values = noise(windows * network.width(), u32::MAX - query as u32);
            let names = (0..windows).map(|_| Default::default());
            let windows = Embeddings::new(CHANNELS, STRIPS, values, names)?;
            let began = Instant::now();
            index.rank(&windows, by.at, 10)?;
            times.push(began.elapsed());
        }
        times.sort_unstable();
        let [best, median] = [times[0], times[QUERIES / 2]];
        println!(
            "{windows} window(s), {threads} threads: ranked in {best:.0?} (best of {QUERIES}), \
             {median:.0?} (median)"
        );
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find(|line| line.starts_with("VmHWM:"));
    println!("{}", peak.unwrap_or("peak memory: unknown on this system"));
    Ok(())
}

/// Reproducible noise in [-1, 1).
fn noise(count: usize, seed: u32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(2_654_435_761);
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

/// A store that cannot be changed, with templates drawn by chance.
struct Drawn {
    templates: usize,
}

impl Drawn {
    fn network() -> Network {
        Network { fingerprint: "drawn".to_owned(), channels: CHANNELS, strips: STRIPS }
    }

    fn owner(template: usize) -> i64 {
        i64::try_from(template / TEMPLATES_OF_A_SUBJECT).unwrap_or(i64::MAX)
    }
}

impl Store for Drawn {
    fn read<T>(
        &self,
        work: impl FnOnce(&dyn Records) -> Result<T, GalleryError>,
    ) -> Result<T, GalleryError> {
        work(self)
    }

    fn write<T>(
        &mut self,
        work: impl FnOnce(&dyn Records) -> Result<T, GalleryError>,
    ) -> Result<T, GalleryError> {
        work(self)
    }

    fn erase(&mut self) -> Result<(), StoreError> {
        Ok(())
    }

    fn check(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

impl Records for Drawn {
    fn setting(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(match name {
            "gallery" => Some(Vec::new()),
            "network" => serde_json::to_vec(&Self::network()).ok(),
            _ => None,
        })
    }

    fn set_setting(&self, _: &str, _: &[u8]) -> Result<(), StoreError> {
        Ok(())
    }

    fn subjects(&self) -> Result<Vec<(i64, Vec<u8>)>, StoreError> {
        let subject = |id: i64| {
            let consent = r#"{"who":"w","when":"2026-01-01T00:00:00Z","purpose":"p",
                "until":"9000-01-01T00:00:00Z"}"#;
            let text = format!(
                r#"{{"name":"subject {id}","created":"2026-01-01T00:00:00Z","consent":{consent}}}"#
            );
            (id, text.into_bytes())
        };
        Ok((0..=Self::owner(self.templates.saturating_sub(1))).map(subject).collect())
    }

    fn add_subject(&self) -> Result<i64, StoreError> {
        Ok(0)
    }

    fn set_subject(&self, _: i64, _: &[u8]) -> Result<(), StoreError> {
        Ok(())
    }

    fn remove_subject(&self, _: i64) -> Result<(), StoreError> {
        Ok(())
    }

    fn add_template(&self, _: i64, _: &[u8], _: &[u8]) -> Result<i64, StoreError> {
        Ok(0)
    }

    fn set_template(&self, _: i64, _: &[u8], _: &[u8]) -> Result<(), StoreError> {
        Ok(())
    }

    fn add_silhouettes(&self, _: i64, _: &[u8]) -> Result<(), StoreError> {
        Ok(())
    }

    fn silhouettes(&self, _: i64) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(None)
    }

    fn templates(&self, _: Option<i64>, visit: Visit) -> Result<(), GalleryError> {
        let details = format!(
            r#"{{"network":"drawn","source":"chance","date":"{}","frames":30}}"#,
            Timestamp::UNIX_EPOCH
        );
        (0..self.templates).zip(0..).try_for_each(|(template, id)| {
            let values = noise(Self::network().width(), template as u32);
            visit(TemplateRecord {
                id,
                subject: Self::owner(template),
                details: details.clone().into_bytes(),
                embedding: values.iter().flat_map(|value| value.to_le_bytes()).collect(),
            })
        })
    }

    fn template_counts(&self) -> Result<BTreeMap<i64, u64>, StoreError> {
        let owners = 0..=Self::owner(self.templates.saturating_sub(1));
        Ok(owners.map(|id| (id, TEMPLATES_OF_A_SUBJECT as u64)).collect())
    }

    fn append_audit(&self, _: &By, _: &Event) -> Result<(), StoreError> {
        Ok(())
    }

    fn audit(&self, _: &AuditQuery) -> Result<Vec<AuditEntry>, StoreError> {
        Ok(Vec::new())
    }
}
