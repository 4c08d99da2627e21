"""Trains GaitGL in PyTorch on a prepared set and tests it, for comparison with `gaitgl train`.

    python train_torch.py PREPARED --channels 8 16 32 --iterations 300 --batch 8 4 20 --rate 1e-3

Trains the paper's network with strip-v masks and a neck by choice or, with --parts, the fixed-partition
network. Batches are drawn in the same way as ours, but they are not the same batches. Needs pyarrow and
zstandard.
"""
import argparse
import json
import random
import time

import numpy as np
import pyarrow as pa
import torch
import torch.nn as nn
import zstandard

import gaitgl_torch as net


def load(folder):
    """{subject: {(condition, view): uint8 [t, 64, 44]}}, the training subjects and the test subjects."""
    with pa.memory_map(f"{folder}/clips.arrow") as source:
        table = pa.ipc.open_file(source).read_all().to_pylist()
    about = json.load(open(f"{folder}/prepared.json"))["partition"]
    people = {}
    for row in table:
        shape = row["frames"], row["height"], row["width"]
        pixels = zstandard.ZstdDecompressor().decompress(row["clip"], int(np.prod(shape)))
        cut = shape[2] // 64 * 10
        clip = np.frombuffer(pixels, np.uint8).reshape(shape)[:, :, cut : shape[2] - cut]
        people.setdefault(row["subject"], {})[row["condition"], row["view"]] = clip
    return people, about["train"], about["test"]


def draw(people, subjects, p, k, frames):
    """Draws one batch: clips [p * k, 1, frames, 64, 44] in 0..1, and their classes."""
    clips, labels = [], []
    for label in random.sample(range(len(subjects)), p):
        sequences = list(people[subjects[label]].values())
        chosen = random.sample(sequences, k) if len(sequences) >= k else random.choices(sequences, k=k)
        for sequence in chosen:
            while len(sequence) < frames:
                sequence = np.concatenate([sequence, sequence])
            start = random.randint(0, len(sequence) - frames)
            clips.append(sequence[start : start + frames])
            labels.append(label)
    clips = torch.from_numpy(np.stack(clips)).float() / 255
    return clips[:, None], torch.tensor(labels)


def rank1(people, subjects, model):
    """CASIA-B's protocol: mean over pairs of different views, per condition."""
    model.eval()
    rows = [(s, c, v) for s in subjects for (c, v) in people[s]]
    with torch.inference_mode():
        values = [
            model(torch.from_numpy(people[s][c, v].copy()).float()[None, None] / 255)[0][0]
            for s, c, v in rows
        ]
    values = torch.stack(values)
    views = sorted({v for _, _, v in rows})
    gallery_names = {"nm-01", "nm-02", "nm-03", "nm-04"}
    groups = {"NM": ("nm-05", "nm-06"), "BG": ("bg-01", "bg-02"), "CL": ("cl-01", "cl-02")}
    for name, conditions in groups.items():
        cells = []
        for pv in views:
            probe = [i for i, (_, c, v) in enumerate(rows) if c in conditions and v == pv]
            for gv in views:
                gallery = [i for i, (_, c, v) in enumerate(rows) if c in gallery_names and v == gv]
                if pv == gv or not probe or not gallery:
                    continue
                d = net.strip_distances(values[probe], values[gallery]).mean(0)
                nearest = d.argmin(1)
                hits = [rows[p][0] == rows[gallery[n]][0] for p, n in zip(probe, nearest)]
                cells.append(100 * np.mean(hits))
        print(f"{name} {np.mean(cells):.1f}" if cells else f"{name} -")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("prepared")
    parser.add_argument("--channels", type=int, nargs=3, default=[64, 128, 128])
    parser.add_argument("--parts", action="store_true")
    necks = ("batch-norm", "bnneck", "bnneck-plain", "linear")
    parser.add_argument("--neck", choices=necks, default="bnneck-plain")
    parser.add_argument("--logit-scale", type=float, default=1)
    parser.add_argument("--iterations", type=int, default=300)
    parser.add_argument("--batch", type=int, nargs=3, default=[8, 4, 20], help="P K frames")
    parser.add_argument("--rate", type=float, default=1e-4)
    parser.add_argument("--milestones", type=int, nargs="*", default=[])
    parser.add_argument("--weight-decay", type=float, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--log", type=int, default=10)
    arguments = parser.parse_args()
    torch.manual_seed(arguments.seed)
    random.seed(arguments.seed)
    people, train, test = load(arguments.prepared)
    if arguments.parts:
        model = net.Parts(arguments.channels, 8, 64, len(train))
    else:
        stages = (1, 1, 2), ("lta", "sp", "none")
        model = net.Paper(arguments.channels, *stages, 64, len(train), neck=arguments.neck)
    for name, parameter in model.named_parameters():
        if parameter.dim() == 5:
            nn.init.xavier_uniform_(parameter)
        elif name in ("norm.weight", "Bn.weight"):
            nn.init.normal_(parameter, 1, 0.02)
    optimizer = torch.optim.Adam(
        model.parameters(), arguments.rate, weight_decay=arguments.weight_decay
    )
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, arguments.milestones)
    generator = torch.Generator().manual_seed(arguments.seed)
    sums, began = np.zeros(3), time.time()
    for iteration in range(1, arguments.iterations + 1):
        x, labels = draw(people, train, *arguments.batch)
        masks = [net.mask("strip-v", *size, 0.3, generator) for size in ((64, 44), (64, 44), (32, 22), (32, 22))]
        embedding, logits = model(x, masks)
        triplet = net.triplet(embedding, labels)
        classes = net.cross_entropy(logits, labels, arguments.logit_scale)
        optimizer.zero_grad()
        (triplet + classes).backward()
        optimizer.step()
        schedule.step()
        right = (logits.argmax(1) == labels[:, None]).float().mean()
        sums += [triplet.item(), classes.item(), 100 * right.item()]
        if iteration % arguments.log == 0:
            t, c, r = sums / arguments.log
            print(f"iteration {iteration} triplet {t:.4f} classes {c:.4f} ({r:.1f}% right) {time.time() - began:.0f} s", flush=True)
            sums[:] = 0
    rank1(people, test, model)


if __name__ == "__main__":
    main()
