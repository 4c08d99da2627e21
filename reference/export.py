"""Writes the golden values of crates/gaitgl/tests/fixtures.

    python reference/export.py            # PyTorch 2.x, numpy

Everything is seeded: a second run on the same machine writes the same bytes. Every axis has a different
size, and batch-norm statistics are not trivial, so that no test passes by symmetry.
"""
import json
import pathlib

import numpy as np
import torch
import torch.nn.functional as F

import gaitgl_torch as gl

OUT = pathlib.Path(__file__).parent.parent / "crates/gaitgl/tests/fixtures"
HEIGHT, WIDTH, CLASSES = 16, 20, 5


def write(name, tensors, texts=None):
    """Writes a safetensors file: length of the header, header with `texts`, raw tensors in order."""
    kinds = {np.dtype("float32"): "F32", np.dtype("int64"): "I64", np.dtype("uint8"): "U8"}
    header, blobs, offset = {"__metadata__": texts} if texts else {}, [], 0
    for key, value in tensors.items():
        array = np.ascontiguousarray(torch.as_tensor(value).detach().numpy())
        blob = array.tobytes()
        span = [offset, offset + len(blob)]
        header[key] = {"dtype": kinds[array.dtype], "shape": list(array.shape), "data_offsets": span}
        blobs.append(blob)
        offset = span[1]
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path = OUT / f"{name}.safetensors"
    path.write_bytes(len(text).to_bytes(8, "little") + text + b"".join(blobs))
    print(f"{path.name}: {path.stat().st_size / 1024:.0f} KiB, {len(tensors)} tensors")


def with_gradients(prefix, inputs, outputs):
    """Inputs, outputs, a random gradient for each output, and the gradients of the inputs."""
    by_output = {f"{name}": torch.randn_like(value) for name, value in outputs.items()}
    sum((outputs[name] * by_output[name]).sum() for name in outputs).backward()
    tensors = {f"{prefix}.{name}": value for name, value in (inputs | outputs).items()}
    tensors |= {f"{prefix}.by_{name}": value for name, value in by_output.items()}
    leaves = {name: value for name, value in inputs.items() if value.requires_grad}
    return tensors | {f"{prefix}.by_{name}": value.grad for name, value in leaves.items()}


def leaf(*shape, scale=1.0):
    return (torch.randn(*shape) * scale).requires_grad_()


def layers():
    tensors = {}
    n, ci, co, t, h, w = 2, 3, 4, 4, 7, 6
    generator = torch.Generator().manual_seed(5)
    maps = {s: gl.mask(s, h, w, 0.4, generator) for s in ("part-h", "part-v", "strip-h", "strip-v", "pixel")}
    maps |= {"whole": torch.zeros(h, w, dtype=torch.long), "bands": gl.bands(h, w, 3)}
    for name, labels in maps.items():
        x, weight = leaf(n, ci, t, h, w), leaf(co, ci, 3, 3, 3, scale=0.2)
        case = {"x": x, "weight": weight, "labels": labels}
        tensors |= with_gradients(f"region.{name}", case, {"y": gl.region_conv3d(x, weight, labels)})
    for name, kernel, padding in (("thin", (3, 1, 1), (0, 0, 0)), ("thick", (3, 3, 3), (0, 1, 1))):
        x, weight = leaf(n, ci, 7, h, w), leaf(co, ci, *kernel, scale=0.2)
        y = F.leaky_relu(F.conv3d(x, weight, stride=(3, 1, 1), padding=padding))
        tensors |= with_gradients(f"lta.{name}", {"x": x, "weight": weight}, {"y": y})
    for name, stacked in (("sum", False), ("stack", True)):
        x, g, l = leaf(n, ci, t, h, w), leaf(co, ci, 3, 3, 3, scale=0.2), leaf(co, ci, 3, 3, 3, scale=0.2)
        labels = maps["strip-v"]
        y = gl.global_local(x, g, l, labels, stacked)
        case = {"x": x, "global": g, "local": l, "labels": labels}
        tensors |= with_gradients(f"global_local.{name}", case, {"y": y})
    x, l = leaf(n, ci, t, h, w), leaf(co, ci, 3, 3, 3, scale=0.2)
    case = {"x": x, "local": l, "labels": maps["pixel"]}
    tensors |= with_gradients("activate", case, {"y": gl.activated_conv3d(x, l, maps["pixel"])})
    x = leaf(n, ci, t, h, w)
    tensors |= with_gradients("spatial_pool", {"x": x}, {"y": F.max_pool3d(x, (1, 2, 2))})
    row = torch.randn(n, ci, h, w)
    row[0, 1, 2] = 0.0
    for name, pool in (("max", lambda x: x.max(3)[0]), ("mean", lambda x: x.mean(3)), ("both", lambda x: x.max(3)[0] + x.mean(3))):
        x = row.clone().requires_grad_()
        tensors |= with_gradients(f"pooling.{name}", {"x": x}, {"y": pool(x)})
    x, p = row.clone().requires_grad_(), torch.tensor([5.5], requires_grad=True)
    tensors |= with_gradients("pooling.gem", {"x": x, "exponent": p}, {"y": gl.gem(x, p, h)})
    x, weight = leaf(n, ci, 5), leaf(5, ci, co)
    tensors |= with_gradients("separate_fc", {"x": x, "weight": weight}, {"y": gl.separate_fc(x, weight)})
    x, weight = leaf(n, ci, 5), leaf(5, ci, co)
    y = gl.separate_fc(F.normalize(x, dim=1), F.normalize(weight, dim=1))
    tensors |= with_gradients("cosine_fc", {"x": x, "weight": weight}, {"y": y})
    norm = torch.nn.BatchNorm1d(ci)
    randomise(norm)
    before = {f"before.{k}": v.clone() for k, v in norm.state_dict().items()}
    x = leaf(4, ci, 5)
    case = {"x": x, "scale": norm.weight, "shift": norm.bias}
    tensors |= with_gradients("batch_norm", case, {"y": norm(x)})
    tensors |= {f"batch_norm.{k}": v for k, v in before.items()}
    tensors |= {f"batch_norm.after.{k}": v for k, v in norm.state_dict().items()}
    tensors["batch_norm.test"] = norm.eval()(x)
    write("layers", tensors)


def losses():
    tensors = {}
    labels = torch.tensor([0, 2, 0, 1, 2, 1, 0])
    embedding = leaf(7, 4, 3)
    for name, margin in (("triplet", 0.2), ("triplet_wide", 1.5)):
        embedding.grad = None
        loss = gl.triplet(embedding, labels, margin)
        loss.backward()
        tensors |= {f"{name}.loss": loss, f"{name}.by_embedding": embedding.grad.clone()}
    tensors |= {"embedding": embedding, "labels": labels}
    logits = leaf(7, 3, 4)
    tensors["logits"] = logits
    for name, scale, smoothing in (("plain", 1.0, 0.0), ("smooth", 1.0, 0.1), ("scaled", 16.0, 0.1)):
        logits.grad = None
        loss = gl.cross_entropy(logits, labels, scale, smoothing)
        loss.backward()
        tensors |= {f"{name}.loss": loss, f"{name}.by_logits": logits.grad.clone()}
    distances = gl.strip_distances(embedding, embedding)
    tensors |= {"distances": distances, "distance": distances.mean(0)}
    write("losses", tensors)


def randomise(module):
    """Moves parameters and statistics away from their initial values. Weights keep the published scale."""
    for name, value in list(module.named_parameters()) + list(module.named_buffers()):
        with torch.no_grad():
            if name.endswith("running_var"):
                value.uniform_(0.5, 2.0)
            elif name.endswith(("running_mean", "bias")):
                value.normal_(0.0, 0.3)
            elif name == "p" or name.endswith((".p", "exponent")):
                value.fill_(5.5)
            elif value.dim() >= 3:
                torch.nn.init.xavier_uniform_(value)
            elif value.dim() == 1:
                value.normal_(1.0, 0.1)


def network(name, net, masks=None, scale=1.0, smoothing=0.0, height=HEIGHT, classify=False):
    """One training step's outputs and gradients, then embeddings at test of several lengths; with `classify` also
    the logits at test."""
    randomise(net)
    n, t = 4, 7
    clips = torch.rand(n, 1, t, height, WIDTH)
    clips = ((clips > 0.4) * clips * 255).to(torch.uint8)
    tensors = {f"net.{key}": value.clone() for key, value in net.state_dict().items()}
    tensors["clips"] = clips
    labels = torch.tensor([0, 3, 3, 0])
    embedding, logits = net(clips / 255, masks)
    loss = gl.triplet(embedding, labels)
    if logits is not None:
        loss = loss + gl.cross_entropy(logits, labels, scale, smoothing)
        tensors["logits"] = logits
    loss.backward()
    tensors |= {"embedding": embedding, "labels": labels, "loss": loss}
    tensors |= {f"grad.{key}": value.grad for key, value in net.named_parameters()}
    tensors |= {f"after.{key}": value for key, value in net.named_buffers()}
    for i, labels in enumerate(masks or []):
        tensors[f"mask.{i}"] = labels
    net.eval()
    for frames in (1, 2, 3, 4, 7, 17):
        order = torch.arange(frames) % t
        with torch.no_grad():
            tensors[f"test.{frames}"] = net(clips[:1, :, order] / 255)[0]
    if classify:
        with torch.no_grad():
            tensors["test.logits"] = net(clips / 255)[1]
    write(name, tensors)


def networks():
    small, large = (3, 4, 5), (3, 4, 5, 6)
    strips = HEIGHT
    network("parts-small", gl.Parts(small, 8, strips, CLASSES))
    network("parts-large", gl.Parts(large, 2, strips, CLASSES), smoothing=0.1)
    bnneck = gl.Parts(large, 2, strips, CLASSES, "bnneck")
    network("parts-large-bnneck", bnneck, scale=16.0, smoothing=0.1)
    network("hid-2020", gl.Hid2020(large, strips))
    generator = torch.Generator().manual_seed(9)
    draw = lambda h, w: gl.mask("strip-v", h, w, 0.3, generator)
    full, half, quarter = (HEIGHT, WIDTH), (HEIGHT // 2, WIDTH // 2), (HEIGHT // 4, WIDTH // 4)
    net = gl.Paper(small, (1, 1, 2), ("lta", "sp", "none"), strips, CLASSES)
    network("paper-small", net, [draw(*full), draw(*full), draw(*half), draw(*half)])
    net = gl.Paper(large, (2, 2, 2, 4), ("sp", "lta", "sp", "none"), strips // 2, CLASSES)
    sizes = [full] * 2 + [half] * 4 + [quarter] * 4
    network("paper-large", net, [draw(*size) for size in sizes])
    # Twice the rows with the same strips: each strip pools two rows of the final map.
    network("parts-small-tall", gl.Parts(small, 8, strips, CLASSES), height=2 * HEIGHT)
    stages = (1, 1, 2), ("lta", "sp", "none")
    for neck in ("batch-norm", "bnneck", "linear", "none"):
        net = gl.Paper(small, *stages, strips, CLASSES + 1, neck=neck)
        scale = 16.0 if neck == "bnneck" else 1.0
        masks = [draw(*full), draw(*full), draw(*half), draw(*half)]
        network(f"paper-small-{neck}", net, masks, scale, classify=neck != "none")
    net = gl.Paper(small, *stages, strips // 2, CLASSES + 1, last_join="sum")
    network("paper-small-sum", net, [draw(*full), draw(*full), draw(*half), draw(*half)])
    for strategy in ("part-h", "part-v"):
        part = lambda h, w: gl.mask(strategy, h, w, 0.3, generator)
        net = gl.Paper(small, *stages, strips, CLASSES + 1, strategy=strategy)
        masks = [part(*full), part(*full), part(*half), part(*half)]
        network(f"paper-small-{strategy}", net, masks)


if __name__ == "__main__":
    torch.manual_seed(20)
    OUT.mkdir(parents=True, exist_ok=True)
    layers()
    losses()
    networks()
