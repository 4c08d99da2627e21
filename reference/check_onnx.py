"""Checks what `gaitgl export` writes: ONNX files in onnxruntime and .pt files in PyTorch, against
the networks of gaitgl_torch.py, at 1e-4 relative.

    python reference/check_onnx.py GAITGL            # PyTorch 2.x, numpy, onnx, onnxruntime

GAITGL is the program. The weights are those of reference/export_exchange.py.
"""
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime
import torch

import export
import gaitgl_torch as gl

FRAMES = (1, 2, 3, 17, 30, 100)


def networks():
    """Name, network, rows, columns: small widths, and one at its published size."""
    small, large = (3, 4, 5), (3, 4, 5, 6)
    yield "parts-small", gl.Parts(small, 8, 16, 5), 16, 11
    yield "parts-large", gl.Parts(large, 2, 16, 5), 16, 11
    yield "parts-large-bnneck", gl.Parts(large, 2, 16, 5, "bnneck"), 16, 11
    yield "hid-2020", gl.Hid2020(large, 16), 16, 11
    net = gl.Paper(small, (1, 1, 2), ("lta", "sp", "none"), 16, 5)
    yield "paper-small", net, 16, 11
    net = gl.Paper(large, (2, 2, 2, 4), ("sp", "lta", "sp", "none"), 16, 5)
    yield "paper-large", net, 32, 22
    yield "parts-small", gl.Parts((32, 64, 128), 8, 64, 74), 64, 44


# The oracle's names of the paper's network, where they differ from those of our files.
PAPER = {
    "fc.fc_bin": "head.fc.weight",
    "norm.weight": "head.norm.scale",
    "norm.bias": "head.norm.shift",
    "norm.running_mean": "head.norm.running_mean",
    "norm.running_var": "head.norm.running_variance",
    "norm.num_batches_tracked": None,
    "classifier.fc_bin": "head.classifier.weight",
}


def state_of(name, net):
    state = net.state_dict()
    if not name.startswith("paper"):
        return state
    return {PAPER.get(k, k): v for k, v in state.items() if PAPER.get(k, k)}


def check(program, folder, name, net, height, width):
    export.randomise(net)
    net.eval()
    source, checkpoint = folder / "source.pt", folder / "ours.safetensors"
    torch.save(state_of(name, net), source)
    run = lambda *arguments: subprocess.run([program, *map(str, arguments)], check=True, stdout=subprocess.DEVNULL)
    run("import", source, checkpoint)
    run("export", checkpoint, folder / "net.onnx")
    run("export", checkpoint, folder / "net.pt")

    saved = torch.load(folder / "net.pt", weights_only=True)["model"]
    if not name.startswith("paper"):
        net.load_state_dict(saved, strict=True)
        assert all(torch.equal(saved[k], v) for k, v in net.state_dict().items() if v.dim())

    onnx.checker.check_model(onnx.load(folder / "net.onnx"), full_check=True)
    session = onnxruntime.InferenceSession(folder / "net.onnx", providers=["CPUExecutionProvider"])
    worst = 0.0
    for n in (1, 3):
        for frames in FRAMES:
            if n * frames * height > 3000:
                continue
            clip = torch.rand(n, 1, frames, height, width)
            clip = (clip > 0.4) * clip
            clip[0, :, :, height // 2] = 0
            with torch.no_grad():
                want = net(clip)[0].numpy()
            (got,) = session.run(None, {"silhouettes": clip.numpy()})
            assert got.shape == want.shape, (got.shape, want.shape)
            worst = max(worst, float(np.abs(got - want).max() / np.abs(want).max()))
    print(f"{name:20} {height}x{width}  largest relative difference {worst:.1e}")
    assert worst <= 1e-4


if __name__ == "__main__":
    torch.manual_seed(22)
    for case in networks():
        with tempfile.TemporaryDirectory() as folder:
            check(sys.argv[1], pathlib.Path(folder), *case)
