"""Compares gaitgl with a checkout of OpenGait: alignment, weights, embeddings, evaluators.

    python reference/compare_opengait.py --opengait DIR GAITGL [--only data|weights|tests]

DIR is your own checkout of OpenGait with its requirements installed (nothing of it is part of this
project). GAITGL is the binary. Everything runs on the CPU with synthetic data, in a temporary folder;
`--folder` sets and keeps it. OpenGait's own classes do its half: pretreatment.py, DataSet, CollateFn,
GaitGL, the losses, save_ckpt, inference, the evaluators. Three things are replaced: `.cuda()` does
nothing, one gloo process takes the place of the GPUs, and packages whose `__init__` imports every
model are empty.

The script fails if more aligned pixels differ than between versions of OpenCV, if embeddings differ by
more than 1e-4 relative on the same pixels, or if a figure differs in a digit that OpenGait prints. A
near tie can cause the latter: OpenGait's distances have an error of about 2e-6.
"""

import argparse
import copy
import importlib
import json
import os
import pathlib
import pickle
import subprocess
import sys
import tempfile
import types

import numpy as np
import torch
import yaml

import opengait_figures

TOLERANCE = 1e-4
# Share of the pixels of a raw tree that may differ. OpenCV's cubic resizing is not the same on all
# machines, and if a frame's centre lies between two columns, one grey level decides.
PIXELS = 1e-3
FRAMES = (1, 2, 3, 17, 30, 100)
TRAIN, TEST = ("001", "002"), ("003",)


# ---- OpenGait on the CPU ----------------------------------------------------------------------


def opengait(checkout, folder):
    """Makes OpenGait's modules importable without CUDA. Returns the three that are used here."""
    source = checkout / "opengait"
    sys.path.insert(0, str(source))
    for package in ("modeling", "modeling.models", "modeling.backbones"):
        module = types.ModuleType(package)
        module.__path__ = [str(source / package.replace(".", "/"))]
        sys.modules[package] = module
    torch.Tensor.cuda = lambda self, *args, **kwargs: self
    torch.nn.Module.cuda = lambda self, *args, **kwargs: self
    store = f"file://{folder / 'gloo'}"
    torch.distributed.init_process_group("gloo", init_method=store, rank=0, world_size=1)
    try:
        network = importlib.import_module("modeling.models.gaitgl")
        losses = importlib.import_module("modeling.loss_aggregator")
        evaluator = importlib.import_module("evaluation.evaluator")
    except ModuleNotFoundError as error:
        sys.exit(f"{checkout}: {error}; install OpenGait's requirements or give another --opengait")
    for module in list(sys.modules.values()):
        if hasattr(module, "get_msg_mgr"):
            module.get_msg_mgr = Silent
    return network.GaitGL, losses.LossAggregator, evaluator


class Silent:
    """Replaces the message manager, which needs a log file."""

    def __getattr__(self, name):
        return lambda *args, **kwargs: None


def on_cpu(network, losses):
    """OpenGait's GaitGL with a constructor that does not need a GPU."""

    class OnCpu(network):
        def __init__(self, cfgs):
            torch.nn.Module.__init__(self)
            self.cfgs, self.iteration, self.msg_mgr = cfgs, 0, Silent()
            self.build_network(cfgs["model_cfg"])
            self.init_parameters()

        def few_steps(self, steps):
            """Trains with OpenGait's loader, losses and optimiser. Returns the path of the checkpoint."""
            transform = sys.modules["data.transform"].get_transform
            self.engine_cfg = self.cfgs["trainer_cfg"]
            self.trainer_trfs = transform(self.engine_cfg["transform"])
            self.optimizer = self.get_optimizer(self.cfgs["optimizer_cfg"])
            self.scheduler = self.get_scheduler(self.cfgs["scheduler_cfg"])
            loss_of = losses(self.cfgs["loss_cfg"])
            self.train()
            loader = iter(self.get_loader(self.cfgs["data_cfg"], train=True))
            for _ in range(steps):
                loss, _ = loss_of(self(self.inputs_pretreament(next(loader)))["training_feat"])
                self.train_step(loss)
            self.save_ckpt(self.iteration)
            return next(pathlib.Path(self.save_path, "checkpoints").iterdir())

        def embed(self):
            """Embeddings of the test subjects by (subject, condition, view)."""
            transform = sys.modules["data.transform"].get_transform
            self.engine_cfg = self.cfgs["evaluator_cfg"]
            self.evaluator_trfs = transform(self.engine_cfg["transform"])
            self.test_loader = self.get_loader(self.cfgs["data_cfg"], train=False)
            self.eval()
            with torch.no_grad():
                found = self.inference(0)["embeddings"]
            of = self.test_loader.dataset
            return dict(zip(zip(of.label_list, of.types_list, of.views_list), found))

    return OnCpu


def merged(default, own):
    """Merges a configuration into OpenGait's default one, as its loader does."""
    out = copy.deepcopy(default)
    for key, value in own.items():
        both = isinstance(value, dict) and isinstance(out.get(key), dict)
        out[key] = merged(out[key], value) if both else value
    return out


def config(checkout, name, batch, data):
    """A published configuration, adapted to this machine and the synthetic people."""
    read = lambda file: yaml.safe_load((checkout / "configs" / file).read_text())
    cfgs = merged(read("default.yaml"), read(f"gaitgl/{name}.yaml"))
    cfgs["data_cfg"].update(data, num_workers=0)
    model, trainer = cfgs["model_cfg"], cfgs["trainer_cfg"]
    model["class_num"] = len(TRAIN)
    if "SeparateBNNecks" in model:
        model["SeparateBNNecks"]["class_num"] = len(TRAIN)
    trainer["enable_float16"] = False
    trainer["sampler"].update(batch_size=[len(TRAIN), batch], frames_num_fixed=12)
    cfgs["evaluator_cfg"]["sampler"]["batch_size"] = 1
    return cfgs


# ---- gaitgl -----------------------------------------------------------------------------------


class Program:
    def __init__(self, path):
        self.path = str(pathlib.Path(path).resolve())

    def __call__(self, *arguments):
        """Runs a command and returns its output. Exits with its message if it fails."""
        command = [self.path, *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode not in (0, 1):  # 1: done, but inputs were skipped.
            sys.exit(f"{' '.join(command)}: exit code {done.returncode}\n{done.stderr}")
        return done.stdout

    def embed(self, checkpoint, data, out):
        self(
            "embed", "--checkpoint", checkpoint, "--data", data, "--subjects", "test", "--out", out
        )
        file = np.load(out)
        names = zip(file["subject"], file["condition"], file["view"])
        return {tuple(map(str, name)): x for name, x in zip(names, file["embeddings"])}


# ---- data -------------------------------------------------------------------------------------


def make_tree(program, folder):
    """Writes walkers whose test sequences have FRAMES frames in turn, and a partition file."""
    raw = folder / "raw"
    program("synth", raw, "--subjects", 3, "--views", "0,90", "--frames", 100, "--seed", 3)
    sequences = sorted(d for s in TEST for d in raw.glob(f"{s}/*/*") if d.is_dir())
    for at, sequence in enumerate(sequences):
        for image in sorted(sequence.iterdir())[FRAMES[at % len(FRAMES)] :]:
            image.unlink()
    partition = folder / "partition.json"
    partition.write_text(json.dumps({"TRAIN_SET": TRAIN, "TEST_SET": TEST}))
    return raw, partition


def pretreat(checkout, raw, out, folder):
    script = checkout / "datasets/pretreatment.py"
    command = [sys.executable, script, "-i", raw, "-o", out, "-n", "1"]
    subprocess.run(command, check=True, cwd=folder, capture_output=True)


def frames_of(tree):
    return {
        p.relative_to(tree).parts[:3]: pickle.loads(p.read_bytes()) for p in tree.rglob("*.pkl")
    }


def compare_data(program, folder, raw, partition, theirs):
    """Compares both preparations of one raw tree, pixel by pixel. `convert` exports gaitgl's."""
    options = ["--partition", partition]
    program("prepare", raw, folder / "ours", "--layout", "casia-b", *options)
    program("prepare", theirs, folder / "theirs", "--layout", "opengait", *options)
    ok = True
    for name, source, allowed in (
        ("theirs", "prepare OpenGait's .pkl tree", 0),
        ("ours", "prepare the raw tree", PIXELS),
    ):
        program("convert", folder / name, folder / f"{name}-pkl")
        a, b = frames_of(folder / f"{name}-pkl"), frames_of(theirs)
        if a.keys() != b.keys() or any(a[k].shape != b[k].shape for k in a):
            print(f"  {source:30} NOT the same sequences and frames")
            ok = False
            continue
        gaps = [np.abs(a[k].astype(int) - b[k]).reshape(len(a[k]), -1) for k in b]
        differ, pixels = sum(int((g > 0).sum()) for g in gaps), sum(g.size for g in gaps)
        largest = np.concatenate([g.max(1) for g in gaps])
        print(
            f"  {source:30} {len(b)} sequences, {len(largest)} frames: {differ} of {pixels} pixels "
            f"differ; {(largest == 1).sum()} frames by one grey level, {(largest > 1).sum()} by more"
        )
        ok &= differ <= allowed * pixels
    return ok


# ---- weights ----------------------------------------------------------------------------------


def relative(ours, theirs):
    return float(np.abs(ours - theirs).max() / np.abs(theirs).max())


def compare_weights(program, folder, model, preset, lengths):
    """Trains, imports, embeds and exports. Prints the largest relative difference by number of frames."""
    work = folder / preset
    work.mkdir()
    model.save_path = str(work)
    file, ours = model.few_steps(3), work / "ours.safetensors"
    said = program("import", file, ours, "--data", folder / "theirs")
    if preset + " with" not in said or "with the optimiser's state" not in said:
        print(f"  {preset}: NOT recognised: {said}")
        return False
    expected = model.embed()
    ok = True
    for name, tree in ("theirs", "its .pkl tree"), ("ours", "the raw tree"):
        found = program.embed(ours, folder / name, work / f"{name}.npz")
        if found.keys() != expected.keys():
            print(f"  {preset}, {tree}: NOT the same sequences")
            return False
        worst = dict.fromkeys(sorted(set(lengths[name] for name in expected)), 0.0)
        for key, theirs in expected.items():
            worst[lengths[key]] = max(worst[lengths[key]], relative(found[key], theirs))
        by_length = "  ".join(f"{t}: {d:.1e}" for t, d in worst.items())
        print(f"  {preset + ', ' + tree:34} {by_length}")
        ok &= name == "ours" or max(worst.values()) <= TOLERANCE
    program("export", ours, work / "back.pt")
    before = {k: v.clone() for k, v in model.state_dict().items()}
    back = torch.load(work / "back.pt", weights_only=True)["model"]
    model.load_state_dict(back, strict=True)
    equal = sum(torch.equal(v, back[k]) for k, v in before.items())
    print(
        f"  {preset + ', exported':34} loads strictly, {equal} of {len(before)} tensors are equal"
    )
    return ok and equal == len(before)


FORMS = [
    ("parts-small", "gaitgl", 4),
    ("parts-large", "gaitgl_OUMVLP", 2),
    ("parts-large-bnneck", "gaitgl_GREW_BNNeck", 2),
]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("program", metavar="GAITGL")
    parser.add_argument("--opengait", metavar="DIR", type=pathlib.Path, required=True)
    parser.add_argument("--folder", type=pathlib.Path, help="work here and keep everything")
    parser.add_argument("--only", choices=["data", "weights", "tests"])
    parser.add_argument("--seed", type=int, default=0, help="of the random embeddings")
    options = parser.parse_args()
    wanted = lambda part: options.only in (None, part)
    checkout, program = options.opengait.resolve(), Program(options.program)
    with tempfile.TemporaryDirectory() as temporary:
        folder = (options.folder or pathlib.Path(temporary)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        network, losses, evaluator = opengait(checkout, folder)
        os.chdir(folder)  # Submissions are written to the working folder.
        ok = True
        if wanted("data") or wanted("weights"):
            raw, partition = make_tree(program, folder)
            theirs = folder / "pkl"
            pretreat(checkout, raw, theirs, folder)
            print("Alignment:")
            ok &= compare_data(program, folder, raw, partition, theirs)
        if wanted("weights"):
            lengths = {k: len(x) for k, x in frames_of(theirs).items()}
            data = dict(dataset_root=str(theirs), dataset_partition=str(partition))
            print("Embeddings, largest relative difference by number of frames:")
            for preset, name, batch in FORMS:
                torch.manual_seed(7)
                np.random.seed(7)
                model = on_cpu(network, losses)(config(checkout, name, batch, data))
                ok &= compare_weights(program, folder, model, preset, lengths)
        if wanted("tests"):
            print("Figures that are equal to the last digit that OpenGait prints:")
            ok &= opengait_figures.compare(program, evaluator, folder, options.seed)
        torch.distributed.destroy_process_group()
    sys.exit(0 if ok else 1)


if __name__ == "__main__":
    main()
