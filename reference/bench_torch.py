"""Times GaitGL in PyTorch on the CPU, case by case as `gaitgl bench` does, and writes the same JSON.

    python bench_torch.py --threads 2 --json theirs.json

Bands are convolved one by one and joined, as the published code does; a mask pair is two
convolutions. Training is forward, both losses, backward and Adam on 8 clips of 30 frames. Distances
are those of 5,000 embeddings to 5,000 others.
"""
import argparse
import json
import resource
import statistics
import sys
import time

import torch
import torch.nn as nn
import torch.nn.functional as F

import gaitgl_torch as net

PRESETS = {
    "parts-small": lambda: net.Parts((32, 64, 128), 8, 64, 74),
    "parts-large": lambda: net.Parts((32, 64, 128, 256), 2, 64, 5153),
    "paper-small": lambda: net.Paper((64, 128, 128), (1, 1, 2), ("lta", "sp", "none"), 64, 74),
    "paper-large": lambda: net.Paper(
        (64, 128, 256, 512), (2, 2, 2, 4), ("sp", "lta", "sp", "none"), 32, 5153
    ),
}
CASES = [
    "parts-small/test/1x30",
    "parts-small/test/1x90",
    "paper-small/test/1x30",
    "paper-small/test/1x90",
    "parts-large/test/1x30",
    "paper-large/test/1x30",
    "parts-small/train/8x30",
    "paper-small/train/8x30",
    "distances/5000x5000",
]


def banded_forward(self, x):
    """A layer of the fixed-partition network at its published cost: each band on its own."""
    rows = max(x.shape[3] // self.parts, 1)
    weight = self.local_conv3d.conv3d.weight
    local = torch.cat([F.conv3d(band, weight, padding=1) for band in x.split(rows, 3)], 3)
    g, l = F.leaky_relu(self.global_conv3d(x)), F.leaky_relu(local)
    return torch.cat([g, l], 3) if self.stacked else g + l


net.GlobalLocal.forward = banded_forward


def build(preset):
    model = PRESETS[preset]()
    for name, parameter in model.named_parameters():
        if parameter.dim() == 5:
            nn.init.xavier_uniform_(parameter)
    return model


def draw_masks(model, generator):
    """A fresh mask pair for each global-local layer of the paper's network."""
    if not isinstance(model, net.Paper):
        return None
    (h, w), masks = (64, 44), []
    for stage, pool in zip(model.stages, model.pools):
        masks += [net.mask("strip-v", h, w, 0.3, generator) for _ in stage["layers"]]
        if pool == "sp":
            h, w = h // 2, w // 2
    return masks


def test_case(model, clips, frames):
    model.eval()
    x = torch.rand(clips, 1, frames, 64, 44)
    masks = draw_masks(model, torch.Generator().manual_seed(1))

    def run():
        with torch.inference_mode():
            model(x, masks)[0]

    return run


def train_case(model, clips, frames):
    model.train()
    x = torch.rand(clips, 1, frames, 64, 44)
    labels = torch.arange(clips) // 2
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)
    generator = torch.Generator().manual_seed(1)

    def run():
        embedding, logits = model(x, draw_masks(model, generator))
        loss = net.triplet(embedding, labels) + net.cross_entropy(logits, labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return run


def distance_case(probes, gallery):
    """Mean over 64 strips of the Euclidean distance, as published code has it: a matrix product a strip."""
    x, y = torch.rand(64, probes, 256) * 2 - 1, torch.rand(64, gallery, 256) * 2 - 1

    def run():
        total = torch.zeros(probes, gallery)
        for a, b in zip(x, y):
            squared = a.square().sum(1)[:, None] + b.square().sum(1)[None] - 2 * a @ b.T
            total += squared.clamp(min=0).sqrt()
        (total / len(x)).min(1)

    return run


def make_case(name):
    """The work of a case by its name, for instance `parts-small/test/1x30`."""
    *what, size = name.split("/")
    first, second = map(int, size.split("x"))
    if what == ["distances"]:
        return distance_case(first, second)
    preset, kind = what
    return (test_case if kind == "test" else train_case)(build(preset), first, second)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--case", action="append", help="part of a case's name; all by default")
    parser.add_argument("--json")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(1)
    wanted = arguments.case or [""]
    results = []
    for case in CASES:
        if not any(part in case for part in wanted):
            continue
        run = make_case(case)
        run()
        seconds = []
        for _ in range(arguments.repeats):
            began = time.perf_counter()
            run()
            seconds.append(time.perf_counter() - began)
        results.append({"name": case, "seconds": statistics.median(seconds)})
        print(f"{case:26} {results[-1]['seconds']:8.3f} s", file=sys.stderr)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    report = {"cases": results, "peak_bytes": peak, "threads": arguments.threads}
    text = json.dumps(report, indent=2)
    if arguments.json:
        open(arguments.json, "w").write(text + "\n")
    else:
        print(text)


if __name__ == "__main__":
    main()
