"""Writes the PyTorch files that crates/gaitgl/tests/exchange reads, and PyTorch's embeddings.

    python reference/export_exchange.py            # PyTorch 2.x, numpy
    python reference/export_exchange.py --seeds    # fuzz/seeds from other programs; pyarrow, polars

Together the files cover every form in which such weights occur: zip (stored and deflated) and legacy;
a state dict alone, under `model`, with the prefix `module.`; float32, float64, float16 and bfloat16;
tensors that are views; optimiser, scheduler and other values beside them; the prefix that torch.compile
adds.
"""
import collections
import pathlib
import sys
import zipfile

import numpy as np
import torch

import export
import gaitgl_torch as gl

OUT = pathlib.Path(__file__).parent.parent / "crates/gaitgl/tests/exchange/fixtures"
HEIGHT, WIDTH, CLASSES = 16, 11, 5
FRAMES = (1, 2, 3, 17, 30)


def clips(height=HEIGHT, width=WIDTH):
    """30 frames. The shorter clips are its first frames."""
    clip = torch.rand(1, 1, 30, height, width)
    return ((clip > 0.4) * clip * 255).to(torch.uint8)


def golden(net, clip):
    net.eval()
    with torch.no_grad():
        return {f"test.{t}": net(clip[:, :, :t] / 255)[0].float() for t in FRAMES}


def deflate(path):
    """The same zip file, compressed as common zip programs do it."""
    with zipfile.ZipFile(path) as file:
        entries = [(info.filename, file.read(info)) for info in file.infolist()]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in entries:
            file.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)


def fresh(net):
    export.randomise(net)
    for name, value in net.named_buffers():
        if name.endswith("num_batches_tracked"):
            value.fill_(1234)
    return net


def trained(net, optimizer, scheduler=None, steps=3):
    """Takes some steps on random clips, so that there is an optimiser state."""
    net.train()
    for _ in range(steps):
        embedding, logits = net(torch.rand(4, 1, 4, HEIGHT, WIDTH))
        labels = torch.tensor([0, 0, 1, 1])
        loss = gl.triplet(embedding, labels) + gl.cross_entropy(logits, labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if scheduler:
            scheduler.step()


def training_state(net, optimizer, scheduler, iteration):
    state = {"model": net.state_dict(), "optimizer": optimizer.state_dict()}
    return state | {"scheduler": scheduler.state_dict(), "iteration": iteration}


def main():
    small, large = (3, 4, 5), (3, 4, 5, 6)
    clip = clips()
    tensors = {"clip": clip}

    net = fresh(gl.Parts(small, 8, HEIGHT, CLASSES))
    tensors |= {f"parts-small.{k}": v for k, v in golden(net, clip).items()}
    torch.save(net.state_dict(), OUT / "parts-small.pt")
    torch.save({"model": net.state_dict()}, OUT / "parts-small-legacy.pt", _use_new_zipfile_serialization=False)

    # Adam with weight decay and a scheduler; names as DataParallel writes them.
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3, weight_decay=5e-4)
    scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, [2, 70, 70], 0.5)
    trained(net, optimizer, scheduler)
    state = training_state(net, optimizer, scheduler, 3)
    parallel = collections.OrderedDict((f"module.{k}", v) for k, v in state["model"].items())
    torch.save(state | {"model": parallel}, OUT / "parts-small-adam.pt")
    deflate(OUT / "parts-small-adam.pt")
    tensors |= {f"parts-small-adam.{k}": v for k, v in golden(net, clip).items()}
    # The weights after one more step with a gradient of ones. A resumed optimiser must give the same.
    for value in net.parameters():
        value.grad = torch.ones_like(value)
    optimizer.step()
    tensors |= {f"parts-small-adam.after.{k}": v.clone() for k, v in net.named_parameters()}

    # Views: transposed, part of a larger tensor, all in one storage.
    net = fresh(gl.Parts(large, 2, HEIGHT, CLASSES))
    state, flat, at = collections.OrderedDict(), torch.zeros(60_000), 7
    for name, value in net.state_dict().items():
        if value.dim() == 0:
            state[name] = value
            continue
        turned = flat[at : at + value.numel()].view(value.shape[::-1]).permute(*reversed(range(value.dim())))
        turned.copy_(value)
        state[name], at = turned, at + value.numel()
    flat = flat[:at]
    state = collections.OrderedDict((k, v if v.dim() == 0 else flat.as_strided(v.shape, v.stride(), v.storage_offset())) for k, v in state.items())
    torch.save(state, OUT / "parts-large.pt")
    deflate(OUT / "parts-large.pt")
    tensors |= {f"parts-large.{k}": v for k, v in golden(net, clip).items()}

    # SGD with momentum; weights in half precision.
    net = fresh(gl.Parts(large, 2, HEIGHT, CLASSES, "bnneck"))
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-3, momentum=0.9, weight_decay=5e-4)
    scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, [150], 0.1)
    trained(net, optimizer, scheduler)
    net.bfloat16().float()
    torch.save(training_state(net.bfloat16(), optimizer, scheduler, 3), OUT / "parts-large-bnneck.pt", _use_new_zipfile_serialization=False)
    tensors |= {f"parts-large-bnneck.{k}": v for k, v in golden(net.float(), clip).items()}

    net = fresh(gl.Hid2020(large, HEIGHT)).half()
    torch.save(collections.OrderedDict((f"module.{k}", v) for k, v in net.state_dict().items()), OUT / "hid-2020.ptm")
    tensors |= {f"hid-2020.{k}": v for k, v in golden(net.float(), clip).items()}

    net = fresh(gl.Parts(small, 8, HEIGHT, CLASSES)).double()
    torch.save(net.state_dict(), OUT / "parts-small-double.pt")
    deflate(OUT / "parts-small-double.pt")
    tensors |= {f"parts-small-double.{k}": v for k, v in golden(net.float(), clip).items()}

    export.write("golden", tensors)


def compiled():
    """A compiled and parallel network for silhouettes with twice the rows, with a scheduler without milestones
    and the values that training code saves beside the network."""
    net = fresh(gl.Parts((3, 4, 5), 8, HEIGHT, CLASSES))
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-3, momentum=0.9)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 2, 0.5)
    trained(net, optimizer, scheduler)
    state = training_state(net, optimizer, scheduler, 3)
    names = net.state_dict()
    state["model"] = collections.OrderedDict((f"_orig_mod.module.{k}", v) for k, v in names.items())
    state["model"]._metadata = names._metadata
    state["best"] = {"rank1": np.float64(97.4), "at": np.int64(2), "clip": torch.Size([30, HEIGHT, WIDTH])}
    state["history"] = collections.defaultdict(list, loss=[0.5, np.float32(0.25)])
    state["seen"] = collections.Counter({"001": 2})
    torch.save(state, OUT / "parts-small-compiled.pt")
    deflate(OUT / "parts-small-compiled.pt")
    clip = clips(2 * HEIGHT, 2 * WIDTH)
    export.write("golden-tall", {"clip": clip} | golden(net, clip))


def seeds():
    """Tiny files for the fuzz targets: optimiser states, and embeddings from other programs."""
    out = pathlib.Path(__file__).parent.parent / "fuzz/seeds"
    for name, widths, bands, kind, legacy in [
        ("adam", (1, 1, 1), 8, torch.optim.Adam, False),
        ("adam.legacy", (1, 1, 1), 8, torch.optim.Adam, True),
        ("sgd", (1, 1, 1), 8, torch.optim.SGD, False),
        ("sgd.legacy", (1, 1, 1), 8, torch.optim.SGD, True),
    ]:
        net = fresh(gl.Parts(widths, bands, HEIGHT, 2))
        extra = {"momentum": 0.9} if kind is torch.optim.SGD else {}
        optimizer = kind(net.parameters(), lr=1e-3, weight_decay=5e-4, **extra)
        scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, [2, 70], 0.5)
        trained(net, optimizer, scheduler, steps=1)
        state = training_state(net, optimizer, scheduler, 1)
        torch.save(state, out / "torch" / name, _use_new_zipfile_serialization=not legacy)

    import polars
    import pyarrow.parquet

    embeddings = np.arange(3 * 2 * 5, dtype="float32").reshape(3, 2, 5)
    names = {"subject": [7, 8, 9], "condition": ["nm-01", "nm-05", "nm-05"], "view": ["0", "18", "18"]}
    with open(out / "npz/others", "wb") as file:
        arrays = {"subject": np.array(names["subject"]), "condition": np.array(names["condition"], "S")}
        np.savez(file, embeddings=embeddings.astype("float16"), view=np.array(names["view"]), **arrays)
    polars.DataFrame({**names, "embeddings": embeddings}).write_parquet(out / "parquet/polars")
    # Large content from few bytes: many rows, and long ones, of one value that is stored once.
    for name, rows, width in [("rows", 690, 1), ("wide", 2, 1350)]:
        columns = {key: ["x"] * rows for key in names} | {"embeddings": [[[0.5] * width]] * rows}
        table = pyarrow.table(columns)
        pyarrow.parquet.write_table(table, out / "parquet" / name, write_statistics=False, store_schema=False)


if __name__ == "__main__":
    export.OUT = OUT
    torch.manual_seed(21)
    if "--seeds" in sys.argv:
        seeds()
    else:
        OUT.mkdir(parents=True, exist_ok=True)
        main()
        torch.manual_seed(23)
        compiled()
        print(sum(path.stat().st_size for path in OUT.iterdir()), "bytes")
