//! Makes the saved inputs of the fuzz targets, from nothing but this program and its fixtures:
//! `cargo test --release -p gaitgl-cli --test readers -- --ignored`
//!
//! Files that only other programs write come from `python reference/export_exchange.py --seeds`.

use std::fs;
use std::io::{Cursor, Read};
use std::path::Path;
use std::process::Command;

use gait_data::Batch;
use gait_eval::{Distance, Embeddings, OpenSetRule};
use gait_gallery::{
    By, Calibration, Enrolment, Gallery, MemoryStore, Network, Origin, Template, Timestamp,
};
use gaitgl::settings::Settings;
use gaitgl::train::Trainer;

use image::{DynamicImage, GrayImage, ImageFormat};

use super::folder;

fn save(target: &str, name: &str, bytes: &[u8]) {
    fs::create_dir_all(folder(target)).unwrap();
    fs::write(folder(target).join(name), bytes).unwrap();
}

/// Copies those files of a folder of the repository whose names are wanted.
fn copy(target: &str, from: &str, wanted: impl Fn(&str) -> bool) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(from);
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if wanted(name) {
            save(target, name, &fs::read(&path).unwrap());
        }
    }
}

#[test]
#[ignore = "writes fuzz/seeds"]
fn write_seeds() {
    copy("pickle", "crates/gait-data/tests/fixtures/pickles", |name| {
        let kinds = ["plain", "fortran", "transposed", "list", "object", "empty"];
        let forms = ["p2.np1", "p4.np2", "p5.np2"];
        kinds.iter().any(|kind| name.starts_with(kind)) && forms.iter().any(|f| name.contains(f))
    });
    copy("protocol", "crates/gait-eval/protocols", |name| name.ends_with(".toml"));
    copy("sweep", "crates/gaitgl/ablations", |name| name.ends_with(".toml"));
    copy("settings", "crates/gaitgl/configs", |name| name.ends_with(".toml"));
    let lines = "model.channels=[4,8,16]\nmodel.local.partition=strip-h\nmodel.local.ratio=0.5\n\
                 model.lta_kernel=[3,1,1]\ntrain.milestones=[5,7]\ntrain.optimizer=\"sgd\"";
    save("settings", "assignments", lines.as_bytes());
    let partition = r#"{"TRAIN_SET": ["001"], "TEST_SET": ["002", "\u00c5se"], "PROBE_SET": ["002-bg-01-090"],
                        "GALLERY_SET": [], "NOTE": {"a": [1.5e3, null, true]}}"#;
    save("partition", "all", partition.as_bytes());
    save("partition", "short", br#"{"TEST_SET":[]}"#);
    galleries();
    images();
    prepared();
    networks();
    embeddings();
}

/// Two people, with all that can be exported, and an empty gallery.
fn galleries() {
    let by = By { who: "anna@door".to_owned(), at: Timestamp::UNIX_EPOCH };
    let consent = || "form 7, 1970-01-01, door, lift, 2999-12-31".parse().unwrap();
    let network = Network { fingerprint: "6f12".to_owned(), channels: 2, strips: 1 };
    let exported = |gallery: &mut Gallery<MemoryStore>| {
        let mut bytes = Vec::new();
        gallery.export(&mut bytes, &by).unwrap();
        bytes
    };
    let mut gallery = Gallery::open(MemoryStore::default(), None, &by).unwrap();
    save("gallery", "empty.jsonl", &exported(&mut gallery));
    gallery.set_policy(&consent(), &by).unwrap();
    for (name, consent) in [("anna", Some(consent())), ("Åse", None)] {
        let origin = Origin {
            source: "door.mp4".to_owned(),
            date: by.at,
            frames: 64,
            view: consent.as_ref().map(|_| "090".to_owned()),
            quality: consent.as_ref().map(|_| 0.9),
        };
        let templates = vec![Template { origin, values: vec![0.5, -1e-30], silhouettes: None }; 2];
        let enrolment = Enrolment { consent, network: network.clone(), templates };
        gallery.enrol(name, &enrolment, &by).unwrap();
    }
    let calibration = Calibration {
        rule: OpenSetRule { threshold: 0.25, margin: 0.125 },
        distance: Distance::Strips,
        false_accept_rate: 0.01,
        pairs: 1000,
        network: network.fingerprint.clone(),
        source: "the gallery".to_owned(),
        at: by.at,
    };
    gallery.set_calibration(&calibration, &by).unwrap();
    save("gallery", "two.jsonl", &exported(&mut gallery));
}

/// A box that stands for a person.
fn walker(shift: u32) -> DynamicImage {
    let inside = |x, y| (4 + shift..12 + shift).contains(&x) && (3..21).contains(&y);
    DynamicImage::from(GrayImage::from_fn(24, 26, |x, y| {
        image::Luma([if inside(x, y) { 255 - (x % 3) as u8 } else { 0 }])
    }))
}

fn encoded(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn images() {
    let image = walker(3);
    save("image", "grey.png", &encoded(&image, ImageFormat::Png));
    save("image", "alpha.png", &encoded(&image.to_luma_alpha8().into(), ImageFormat::Png));
    save("image", "colour.png", &encoded(&image.to_rgb8().into(), ImageFormat::Png));
    save("image", "deep.png", &encoded(&image.to_rgba16().into(), ImageFormat::Png));
    save("image", "grey.bmp", &encoded(&image, ImageFormat::Bmp));
    save("image", "colour.bmp", &encoded(&image.to_rgba8().into(), ImageFormat::Bmp));
    save("image", "grey.jpg", &encoded(&image, ImageFormat::Jpeg));
    save("image", "colour.jpg", &encoded(&image.to_rgb8().into(), ImageFormat::Jpeg));
}

fn prepared() {
    let place = tempfile::tempdir().unwrap();
    let (raw, out) = (place.path().join("raw"), place.path().join("out"));
    for subject in ["001", "002"] {
        let folder = raw.join(subject).join("nm-01/090");
        fs::create_dir_all(&folder).unwrap();
        for frame in 0..2 {
            fs::write(
                folder.join(format!("{frame}.png")),
                encoded(&walker(frame), ImageFormat::Png),
            )
            .unwrap();
        }
    }
    let program = Command::new(env!("CARGO_BIN_EXE_gaitgl"))
        .args(["prepare", raw.to_str().unwrap(), out.to_str().unwrap(), "--layout", "casia-b"])
        .output()
        .unwrap();
    assert!(program.status.success(), "{}", String::from_utf8_lossy(&program.stderr));
    let clips = fs::read(out.join(gait_data::CLIPS_FILE)).unwrap();
    save("clips", "two", &[&[2], clips.as_slice()].concat());
    let text = fs::read_to_string(out.join(gait_data::ABOUT_FILE)).unwrap();
    let about = text.replace(raw.to_str().unwrap(), "raw");
    save("about", "prepared.json", about.as_bytes());
}

/// Tiny networks, one after an iteration of Adam, one of SGD.
fn networks() {
    let place = tempfile::tempdir().unwrap();
    for (preset, optimizer) in [("parts-small", "adam"), ("paper-small", "sgd")] {
        let set = ["model.channels=[1,1,1]", "model.height=16", "model.width=11"].map(String::from);
        let set = [set.to_vec(), vec![format!("train.optimizer={optimizer}")]].concat();
        let settings = Settings::assemble(Some(preset), None, &set).unwrap();
        let subjects = vec!["001".into(), "002".into()];
        let mut trainer = Trainer::new(settings, subjects, &gaitgl::cpu()).unwrap();
        let batch = Batch {
            pixels: (0..4 * 3 * 16 * 11).map(|i| (i * i % 251) as u8).collect(),
            frames: 3,
            height: 16,
            width: 11,
            subjects: vec![0, 0, 1, 1],
        };
        trainer.step(&batch).unwrap();
        let checkpoint = trainer.checkpoint(None).unwrap();
        let path = place.path().join("a.safetensors");
        checkpoint.save(&path).unwrap();
        save("checkpoint", preset, &fs::read(&path).unwrap());
        let path = place.path().join("a.pt");
        gaitgl::exchange::export(&checkpoint, &path).unwrap();
        let zipped = fs::read(&path).unwrap();
        save("torch", &format!("{preset}.legacy"), &legacy(&zipped));
        save("torch", preset, &zipped);
    }
}

/// The form of PyTorch before 1.6 of a file in the form after it.
fn legacy(zipped: &[u8]) -> Vec<u8> {
    let mut archive = zip::ZipArchive::new(Cursor::new(zipped)).unwrap();
    let names: Vec<String> = archive.file_names().flatten().map(|name| name.into_owned()).collect();
    let mut file = |name: &str| {
        let mut bytes = Vec::new();
        archive.by_name(name).unwrap().read_to_end(&mut bytes).unwrap();
        bytes
    };
    let pickle = names.iter().find(|name| name.ends_with("/data.pkl")).unwrap();
    let keys: Vec<(&str, Vec<u8>)> =
        names.iter().filter_map(|name| Some((name.split_once("/data/")?.1, file(name)))).collect();
    let mut bytes = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.".to_vec();
    bytes.extend(b"\x80\x02M\xe9\x03.\x80\x02}X\x0d\0\0\0little_endian\x88s.");
    bytes.extend(file(pickle));
    bytes.extend(b"\x80\x02](");
    for (key, _) in &keys {
        bytes.extend([b'X', u8::try_from(key.len()).unwrap(), 0, 0, 0]);
        bytes.extend(key.as_bytes());
    }
    bytes.extend(b"e.");
    for (_, storage) in &keys {
        // Batch counters have elements of eight bytes, all other storages of four.
        let size = if storage.len() == 8 { 8 } else { 4 };
        bytes.extend((storage.len() as u64 / size).to_le_bytes());
        bytes.extend(storage);
    }
    bytes
}

fn embeddings() {
    let place = tempfile::tempdir().unwrap();
    let values = (0..3 * 2 * 5).map(|i| i as f32 * 0.25 - 3.0).collect();
    let names = [("007", "nm-01", "018"), ("8", "Mantel lang", "90"), ("李", "", "left é")];
    let names = names.map(|(s, c, v)| (s.to_owned(), c.to_owned(), v.to_owned()));
    let embeddings = Embeddings::new(2, 5, values, names).unwrap();
    for target in ["npz", "parquet"] {
        let path = place.path().join("a").with_extension(target);
        gait_embeddings::write(&path, &embeddings).unwrap();
        save(target, "three", &fs::read(&path).unwrap());
    }
}
