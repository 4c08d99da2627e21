"""Times `gaitgl prepare` against the same work with OpenCV in Python, on synthetic walkers.

    python reference/bench_prepare.py GAITGL FOLDER [--make]

The script creates three trees in FOLDER if they are missing (with --make it then stops): `cut`,
silhouettes cut to the body; `filmed`, the same in images of 240 x 320; `opengait`, 2,000 sequences of 60
frames in OpenGait's format. The first two are prepared with `gaitgl prepare`, and with a pool of two
processes that read, align and pickle as published scripts do. The third is prepared with `gaitgl
prepare`, while `cat` only reads it. The two sides alternate, five times each, on a warm cache. Medians
are printed.
"""

import argparse
import json
import multiprocessing
import os
import pathlib
import pickle
import shutil
import statistics
import subprocess
import sys
import time

import cv2
import numpy as np

from export_alignment import align

RUNS = 5
WALKERS = {
    "cut": "--subjects 12 --views 0,18,...,180 --frames 11",
    "many": "--subjects 20 --views 0,18,...,162 --frames 60",
}


def make(gaitgl, folder):
    """Creates the trees that are missing."""
    run = lambda *words: subprocess.run([gaitgl, *map(str, words)], check=True, stdout=2)
    cut, filmed, opengait = (folder / name for name in ("cut", "filmed", "opengait"))
    if not cut.exists():
        run("synth", cut, *WALKERS["cut"].split())
    if not filmed.exists():
        for source in cut.rglob("*.png"):
            image = cv2.imread(str(source), cv2.IMREAD_GRAYSCALE)[:240]
            top, left = (240 - image.shape[0]) // 2, (320 - image.shape[1]) // 2
            frame = np.zeros((240, 320), np.uint8)
            frame[top : top + image.shape[0], left : left + image.shape[1]] = image
            target = filmed / source.relative_to(cut)
            target.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(target), frame)
    if not opengait.exists():
        run("synth", folder / "many", *WALKERS["many"].split())
        run("prepare", folder / "many", folder / "many-prepared")
        run("convert", folder / "many-prepared", opengait)


def prepare_sequence(job):
    """Aligns the images of a folder and pickles them. Returns their number."""
    source, target = job
    cv2.setNumThreads(1)
    images = [os.path.join(source, name) for name in sorted(os.listdir(source))]
    frames = [align(cv2.imread(image, cv2.IMREAD_GRAYSCALE), 64) for image in images]
    frames = [frame for frame in frames if frame is not None]
    os.makedirs(target)
    with open(os.path.join(target, "sequence.pkl"), "wb") as file:
        pickle.dump(np.asarray(frames), file)
    return len(frames)


def by_opencv(raw, out):
    """The OpenCV side, as a separate command. Prints the frames, and the seconds without Python's start."""
    start = time.perf_counter()
    folders = [path for path in pathlib.Path(raw).glob("*/*/*")]
    jobs = [(str(folder), str(pathlib.Path(out) / folder.relative_to(raw))) for folder in folders]
    with multiprocessing.Pool(2) as pool:
        frames = sum(pool.imap_unordered(prepare_sequence, jobs, chunksize=8))
    print(frames, time.perf_counter() - start)


def timed(command):
    """Runs a command. Returns the seconds it takes and its output."""
    start = time.perf_counter()
    out = subprocess.run(list(map(str, command)), check=True, capture_output=True, text=True).stdout
    return time.perf_counter() - start, out


def compare(gaitgl, tree, folder):
    ours, theirs, without_start = [], [], []
    for _ in range(RUNS):
        for name in ("ours", "theirs"):
            shutil.rmtree(folder / name, ignore_errors=True)
        ours.append(timed([gaitgl, "prepare", tree, folder / "ours"])[0])
        seconds, out = timed([sys.executable, __file__, "--opencv", tree, folder / "theirs"])
        frames, work = out.split()
        theirs.append(seconds)
        without_start.append(float(work))
        counts = json.loads((folder / "ours/prepared.json").read_text())["counts"]
        assert counts["frames"] == int(frames), "the two sides kept different frames"
    ours, theirs, work = map(statistics.median, (ours, theirs, without_start))
    print(
        f"{tree.name}: {frames} silhouettes: OpenCV {theirs:.2f} s (without Python's start {work:.2f}),"
        f" gaitgl {ours:.2f} s = {theirs / ours:.1f} ({work / ours:.1f})"
    )


def compare_reading(gaitgl, tree, folder):
    ours, read = [], []
    for _ in range(RUNS):
        shutil.rmtree(folder / "ours", ignore_errors=True)
        command = f"find '{tree}' -name '*.pkl' -print0 | xargs -0 cat > '{os.devnull}'"
        read.append(timed(["sh", "-c", command])[0])
        ours.append(timed([gaitgl, "prepare", tree, folder / "ours", "--layout", "opengait"])[0])
    ours, read = map(statistics.median, (ours, read))
    files = list(tree.rglob("*.pkl"))
    size = sum(file.stat().st_size for file in files) / 1e6
    print(
        f"{tree.name}: {len(files)} sequences, {size:.0f} MB: cat {read:.2f} s ({size / read:.0f} MB/s),"
        f" gaitgl {ours:.2f} s ({size / ours:.0f} MB/s)"
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--opencv"]:
        by_opencv(*sys.argv[2:])
        sys.exit()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("gaitgl", type=pathlib.Path)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--make", action="store_true")
    arguments = parser.parse_args()
    gaitgl, folder = arguments.gaitgl.resolve(), arguments.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    make(gaitgl, folder)
    if not arguments.make:
        for name in ("cut", "filmed"):
            compare(gaitgl, folder / name, folder)
        compare_reading(gaitgl, folder / "opengait", folder)
