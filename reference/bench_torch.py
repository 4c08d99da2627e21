"""Times GaitGL in PyTorch, case by case as `gaitgl bench` does, and writes the same JSON.

    python bench_torch.py --threads 2 --json theirs.json
    python bench_torch.py --threads 2 --precision bf16 --json theirs.json
    python bench_torch.py --device cuda --precision f16 --case train/64x30 --json theirs.json

With --precision f16 or bf16, PyTorch's autocast chooses what runs in it. Bands are convolved one by one
and joined, as in the published code. A mask pair takes two convolutions. A training step is forward, both losses, backward and Adam. On a GPU, cuDNN selects its
algorithms by timing them and computes f32 convolutions as TF32, which is PyTorch's default. Distances
are those between 5,000 embeddings and 5,000 others, on the CPU.
"""
import argparse
import statistics
import sys
from contextlib import nullcontext
import time

import torch
import torch.nn as nn
import torch.nn.functional as F

import bench_report
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
    # On the CPU, only if named in full. The last two have the batches of published code, 8 subjects x 8 clips.
    "parts-large/train/8x30",
    "paper-large/train/8x30",
    "parts-small/train/64x30",
    "paper-small/train/64x30",
]
HALF = {"f16": torch.float16, "bf16": torch.bfloat16}


def banded_forward(self, x):
    """A layer of the fixed-partition network at its published cost: each band is convolved separately."""
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


def draw_masks(model, generator, device):
    """Draws a new mask pair for each global-local layer of the paper's network."""
    if not isinstance(model, net.Paper):
        return None
    (h, w), masks = (64, 44), []
    for stage, pool in zip(model.stages, model.pools):
        masks += [net.mask("strip-v", h, w, 0.3, generator).to(device) for _ in stage["layers"]]
        if pool == "sp":
            h, w = h // 2, w // 2
    return masks


def autocast(device, precision):
    return torch.autocast(device, dtype=HALF[precision]) if precision in HALF else nullcontext()


def test_case(model, clips, frames, device, precision):
    model.eval()
    # Classes are not needed when testing.
    for classifier in ("Head1", "classifier"):
        if hasattr(model, classifier):
            setattr(model, classifier, nn.Identity())
    x = torch.rand(clips, 1, frames, 64, 44, device=device)
    masks = draw_masks(model, torch.Generator().manual_seed(1), device)

    def run():
        with torch.inference_mode(), autocast(device, precision):
            model(x, masks)[0]

    return run


def train_case(model, clips, frames, device, precision):
    model.train()
    x = torch.rand(clips, 1, frames, 64, 44, device=device)
    labels = torch.arange(clips, device=device) // (8 if clips >= 64 else 2)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)
    generator = torch.Generator().manual_seed(1)
    # bf16 has the range of f32, so only f16 scales its loss.
    scaler = torch.amp.GradScaler(device, enabled=precision == "f16")

    def run():
        with autocast(device, precision):
            embedding, logits = model(x, draw_masks(model, generator, device))
            loss = net.triplet(embedding.float(), labels) + net.cross_entropy(logits.float(), labels)
        optimizer.zero_grad()
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()

    return run


def distance_case(probes, gallery):
    """Mean over 64 strips of the Euclidean distance, as in published code: one matrix product per strip."""
    x, y = torch.rand(64, probes, 256) * 2 - 1, torch.rand(64, gallery, 256) * 2 - 1

    def run():
        total = torch.zeros(probes, gallery)
        for a, b in zip(x, y):
            squared = a.square().sum(1)[:, None] + b.square().sum(1)[None] - 2 * a @ b.T
            total += squared.clamp(min=0).sqrt()
        (total / len(x)).min(1)

    return run


def make_case(name, device, precision):
    """Returns the function to time for a case name such as `parts-small/test/1x30`."""
    *what, size = name.split("/")
    first, second = map(int, size.split("x"))
    if what == ["distances"]:
        return distance_case(first, second)
    preset, kind = what
    make = test_case if kind == "test" else train_case
    return make(build(preset).to(device), first, second, device, precision)


def synchronise(device):
    if device == "cuda":
        torch.cuda.synchronize()


def kernels(run, device, count=12):
    """The kernels (on the CPU: operations) that take most of the time of one run: [(name, ms, share)]."""
    activities = [torch.profiler.ProfilerActivity.CPU]
    if device == "cuda":
        activities.append(torch.profiler.ProfilerActivity.CUDA)
    with torch.profiler.profile(activities=activities) as profile:
        run()
        synchronise(device)
    if device == "cuda":
        on_gpu = torch.autograd.DeviceType.CUDA
        rows = [
            (e.key, e.self_device_time_total / 1e3)
            for e in profile.key_averages()
            if e.device_type == on_gpu
        ]
    else:
        rows = [(e.key, e.self_cpu_time_total / 1e3) for e in profile.key_averages()]
    total = sum(ms for _, ms in rows) or 1.0
    rows.sort(key=lambda row: -row[1])
    return [(name, ms, ms / total) for name, ms in rows[:count]]


def write_kernels(path, tables):
    with open(path, "w") as file:
        for case, rows in tables.items():
            file.write(f"{case}\n\n| kernel | ms | share |\n|---|---|---|\n")
            for name, ms, share in rows:
                file.write(f"| `{name[:90]}` | {ms:.3f} | {100 * share:.1f}% |\n")
            file.write("\n")


def wanted(case, parts, device):
    if device == "cpu" and ("64x" in case or "large/train" in case):
        return case in (parts or [])
    return not parts or any(part in case for part in parts)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--case", action="append", help="part of a case's name; all by default")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--precision", choices=["f32", *HALF], default="f32", help="mixed, if not f32")
    parser.add_argument("--json")
    parser.add_argument("--kernels", help="write what takes most of a run of each case")
    arguments = parser.parse_args()
    device, precision = arguments.device, arguments.precision
    torch.set_num_threads(arguments.threads)
    torch.backends.cudnn.benchmark = True
    torch.manual_seed(1)
    results, tables = [], {}
    for case in CASES:
        if not wanted(case, arguments.case, device):
            continue
        run = make_case(case, device, precision)
        for _ in range(3 if device == "cuda" else 1):
            run()
        seconds = []
        for _ in range(arguments.repeats):
            synchronise(device)
            began = time.perf_counter()
            run()
            synchronise(device)
            seconds.append(time.perf_counter() - began)
        results.append({"name": case, "seconds": statistics.median(seconds)})
        print(f"{case:26} {results[-1]['seconds']:8.3f} s", file=sys.stderr)
        if arguments.kernels:
            tables[case] = kernels(run, device)
    if arguments.kernels:
        write_kernels(arguments.kernels, tables)
    name, held = "cpu", None
    if device == "cuda":
        name, held = f"cuda ({torch.cuda.get_device_name()})", torch.cuda.max_memory_reserved()
    bench_report.write(arguments, results, name, held)


if __name__ == "__main__":
    main()
