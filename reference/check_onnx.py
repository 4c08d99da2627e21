"""Checks the files that `gaitgl export` writes: ONNX files in ONNX Runtime and .pt files in PyTorch,
against the networks of gaitgl_torch.py. The tolerance is 1e-4 relative. The cases cover clips of 1 to 100
frames, every preset, every pooling and drawn masks.

    python reference/check_onnx.py GAITGL            # PyTorch 2.x, numpy, onnx, onnxruntime

GAITGL is the binary. The weights are those of reference/export_exchange.py.
"""
import pathlib
import pickle
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import numpy_helper

import export
import gaitgl_torch as gl

TOLERANCE = 1e-4
FRAMES = (1, 2, 3, 17, 30, 100)
SMALL, LARGE = (3, 4, 5), (3, 4, 5, 6)
STAGES = (1, 1, 2), ("lta", "sp", "none")


def networks():
    """(preset, network, rows, settings): small widths, two rows per strip, one network at its published size."""
    yield "parts-small", gl.Parts(SMALL, 8, 16, 5), 16, []
    yield "parts-large", gl.Parts(LARGE, 2, 16, 5), 16, []
    yield "parts-large-bnneck", gl.Parts(LARGE, 2, 16, 5, "bnneck"), 16, []
    yield "hid-2020", gl.Hid2020(LARGE, 16), 16, []
    yield "paper-small", gl.Paper(SMALL, *STAGES, 16, 5), 16, []
    net = gl.Paper(LARGE, (2, 2, 2, 4), ("sp", "lta", "sp", "none"), 16, 5)
    yield "paper-large", net, 32, []
    yield "parts-small", gl.Parts(SMALL, 8, 16, 5), 32, []
    for pooling in ("max", "mean", "both"):
        net = gl.Paper(SMALL, *STAGES, 16, 5, pooling=pooling)
        yield "paper-small", net, 16, [f"model.spatial_pooling={pooling}"]
    for neck in ("batch-norm", "bnneck", "linear", "none"):
        yield "paper-small", gl.Paper(SMALL, *STAGES, 16, 5, neck=neck), 16, [f"model.neck={neck}"]
    yield "paper-small", gl.Paper(SMALL, *STAGES, 8, 5, last_join="sum"), 16, ["model.last_join=sum"]
    yield "paper-small", gl.Paper(SMALL, *STAGES, 16, 5), 16, ["model.mirrored=true"]
    for partition in ("part-h", "part-v", "strip-h", "pixel"):
        net = gl.Paper(SMALL, *STAGES, 16, 5, strategy=partition)
        yield "paper-small", net, 16, [f"model.local.partition={partition}"]
    for partition in ("part-h", "part-v", "strip-h", "strip-v", "pixel"):
        drawn = ["model.local.at_test=seeded", f"model.local.partition={partition}"]
        yield "paper-small", gl.Paper(SMALL, *STAGES, 16, 5), 16, drawn
    yield "parts-small", gl.Parts((32, 64, 128), 8, 64, 74), 64, []


def drawn_masks(model, sizes):
    """The label maps in an exported network, one for each global-local layer: stored as regions, or as bands
    of rows if the map is cut into bands only."""
    labels = {}
    for tensor in model.graph.initializer:
        layer, _, kind = tensor.name.partition(".region.")
        value = torch.from_numpy(numpy_helper.to_array(tensor).copy())
        if kind:
            map = labels.setdefault(layer, torch.zeros(value.shape[3:], dtype=torch.long))
            map[value[0, 0, 0] == 1] = int(kind)
        elif tensor.name.endswith(".bands"):
            layer = tensor.name.removesuffix(".bands")
            labels[layer] = torch.arange(len(value)).repeat_interleave(value)[:, None]
    return [labels[layer].expand(size) for layer, size in zip(sorted(labels), sizes, strict=True)]


def run(program, *arguments):
    subprocess.run([program, *map(str, arguments)], check=True, stdout=subprocess.DEVNULL)


def exported(program, folder, preset, net, height, settings):
    """Exports the network with gaitgl and opens the ONNX file in a session; also checks the .pt file."""
    export.randomise(net)
    net.eval()
    source, checkpoint = folder / "source.pt", folder / "ours.safetensors"
    torch.save(gl.state_of(net), source)
    assigned = [part for setting in settings for part in ("--set", setting)]
    run(program, "import", source, checkpoint, "--preset", preset, "--height", height, *assigned)
    run(program, "export", checkpoint, folder / "net.onnx")
    run(program, "export", checkpoint, folder / "net.pt")
    if not preset.startswith("paper"):
        saved = torch.load(folder / "net.pt", weights_only=True)["model"]
        net.load_state_dict(saved, strict=True)
        assert all(torch.equal(saved[k], v) for k, v in net.state_dict().items() if v.dim())
    model = onnx.load(folder / "net.onnx")
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(folder / "net.onnx", providers=["CPUExecutionProvider"])
    return model, session


def apart(got, want):
    assert got.shape == want.shape, (got.shape, want.shape)
    return float(np.abs(got - want).max() / np.abs(want).max())


def check(program, folder, preset, net, height, settings):
    model, session = exported(program, folder, preset, net, height, settings)
    width, worst, masks = height * 11 // 16, 0.0, None
    if any("seeded" in setting for setting in settings):
        full, half = (height, width), (height // 2, width // 2)
        masks = drawn_masks(model, [full, full, half, half])
    for n in (1, 3) if height < 64 else (1,):
        for frames in FRAMES:
            clip = torch.rand(n, 1, frames, height, width)
            clip = (clip > 0.4) * clip
            clip[0, :, :, height // 2] = 0
            with torch.no_grad():
                want = net(clip, masks)[0]
                if "model.mirrored=true" in settings:
                    want = torch.cat([want, net(clip.flip(4), masks)[0]], 1)
                want = want.numpy()
            (got,) = session.run(None, {"silhouettes": clip.numpy()})
            worst = max(worst, apart(got, want))
    told = " ".join([preset, f"{height}x{width}", *settings])
    print(f"{told:84} largest relative difference {worst:.1e}")
    assert worst <= TOLERANCE, told


def check_draws(program, folder):
    """Only gaitgl draws seeded masks, so this compares its own embeddings with the exported network."""
    net = gl.Paper(SMALL, *STAGES, 64, 5)
    _, session = exported(program, folder, "paper-small", net, 64, ["model.local.at_test=seeded"])
    run(program, "synth", folder / "raw", "--subjects", 2, "--views", 90, "--frames", 12)
    run(program, "prepare", folder / "raw", folder / "set", "--layout", "casia-b")
    run(program, "convert", folder / "set", folder / "tree")
    run(program, "embed", "--checkpoint", folder / "ours.safetensors", "--data", folder / "set", "--out", folder / "e.npz")
    embedded, worst = np.load(folder / "e.npz"), 0.0
    keys = zip(*(embedded[key] for key in ("subject", "condition", "view")), strict=True)
    for want, key in zip(embedded["embeddings"], keys, strict=True):
        (path,) = (folder / "tree").joinpath(*map(str, key)).glob("*.pkl")
        clip = pickle.loads(path.read_bytes())[:, :, 10:-10].astype("float32") / 255
        (got,) = session.run(None, {"silhouettes": clip[None, None]})
        worst = max(worst, apart(got[0], want))
    told = f"paper-small 64x44 model.local.at_test=seeded, {len(embedded['embeddings'])} walkers by `embed`"
    print(f"{told:84} largest relative difference {worst:.1e}")
    assert worst <= TOLERANCE, told


if __name__ == "__main__":
    torch.manual_seed(22)
    for case in networks():
        with tempfile.TemporaryDirectory() as folder:
            check(sys.argv[1], pathlib.Path(folder), *case)
    with tempfile.TemporaryDirectory() as folder:
        check_draws(sys.argv[1], pathlib.Path(folder))
