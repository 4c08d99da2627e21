"""Writes the trainings that crates/gaitgl/tests/golden/training.rs repeats step by step.

    python reference/export_training.py           # PyTorch 2.x, numpy; minutes
    python reference/export_training.py --bf16    # the same trainings under autocast; seconds

There is one file per network. It holds the initial weights, and for each recipe the masks, the losses and
learning rates of all steps, and all tensors after the last one. The recipes are written in the syntax of
`gaitgl --set`, so that both sides read the same text. Batches are windows of a few shared sequences.

Rounding decides a maximum between two almost equal values, a leaky ReLU near 0 or a triplet near the
margin, and in networks this small one such decision affects everything after it. Initial weights are
therefore drawn until every training from them is stable: in float64, from weights disturbed by more than
rounding error, it ends where it ends in float32. The script prints the largest differences, which justify
the tolerances in training.rs.
"""
import copy
import itertools
import json
import sys

import numpy as np
import torch

import gaitgl_torch as gl
from export import HEIGHT, OUT, WIDTH, randomise, write

STEPS, FRAMES = 20, 9
SUBJECTS, PER_SUBJECT, LENGTH = 7, 2, 11
P, K = 4, 2
# How often the weights are disturbed, and how much the results may change.
TIMES, STEADY = 3, 3e-4
# Relative disturbances: five roundings of float32, and the error that transforms add.
ROUNDING, WINOGRAD = 3e-7, 1e-6
FULL, HALF = (HEIGHT, WIDTH), (HEIGHT // 2, WIDTH // 2)

# Every key has the prefix "train.".
ADAM = {
    "optimizer": "adam", "learning_rate": 2e-3, "weight_decay": 5e-3, "milestones": [8, 15],
    "decay": 0.3, "loss.margin": 0.3, "loss.logit_scale": 1.0, "loss.label_smoothing": 0.0,
}
SGD = ADAM | {
    "optimizer": "sgd", "learning_rate": 5e-3, "momentum": 0.9, "milestones": [12], "decay": 0.1,
}
SLOW = {"learning_rate": 1e-3}
SMOOTH = {"loss.logit_scale": 2.0, "loss.label_smoothing": 0.1}
NECK = {"loss.logit_scale": 8.0, "loss.label_smoothing": 0.1, "learning_rate": 3e-4}


def parts_small():
    return gl.Parts((3, 4, 5), 8, HEIGHT, SUBJECTS)


def bnneck():
    return gl.Parts((3, 4, 5, 6), 2, HEIGHT, SUBJECTS, "bnneck")


def paper_small():
    return gl.Paper((3, 4, 5), (1, 1, 2), ("lta", "sp", "none"), HEIGHT, SUBJECTS)


def paper_wide():
    """Wide enough for our Winograd kernels in its last layer, with as few layers as possible."""
    return gl.Paper((3, 16, 17), (1, 1, 1), ("lta", "sp", "none"), HEIGHT, SUBJECTS)


def shape(channels, layers):
    size = {"model.height": HEIGHT, "model.width": WIDTH}
    return size | {"model.channels": list(channels), "model.layers": list(layers)}


# Name: preset, network, size of the map of each masked layer, settings of the network, disturbance,
# recipes.
TRAININGS = {
    "parts-small": (
        "parts-small", parts_small, [], shape((3, 4, 5), (1, 1, 2)), ROUNDING,
        {"adam": ADAM, "sgd": SGD | SMOOTH},
    ),
    "parts-large-bnneck": (
        "parts-large-bnneck", bnneck, [], shape((3, 4, 5, 6), (2, 2, 2, 2)), ROUNDING,
        {"adam": ADAM | NECK, "sgd": SGD | NECK},
    ),
    "paper-small": (
        "paper-small", paper_small, [FULL, FULL, HALF, HALF], shape((3, 4, 5), (1, 1, 2)), ROUNDING,
        {"adam": ADAM | SMOOTH | SLOW, "sgd": SGD | SLOW},
    ),
    "paper-small-wide": (
        "paper-small", paper_wide, [FULL, FULL, HALF], shape((3, 16, 17), (1, 1, 1)), WINOGRAD,
        {"sgd": SGD | SMOOTH | SLOW | {"loss.margin": 2.0}},
    ),
}


def people():
    """uint8 [sequences, t, h, w]: one figure per subject, with rows of different brightness so that strips
    distinguish people, under noise that changes from frame to frame."""
    figure = torch.rand(SUBJECTS, 1, HEIGHT, 1) * (torch.rand(SUBJECTS, 1, HEIGHT, WIDTH) > 0.3)
    figure = figure.repeat_interleave(PER_SUBJECT, 0)
    clips = 0.8 * figure + 0.2 * torch.rand(len(figure), LENGTH, HEIGHT, WIDTH)
    return ((clips > 0.1) * clips * 255).to(torch.uint8)


def batches():
    """The sequence and the first frame of every clip, each int64 [steps, P * K]."""
    subjects = torch.stack([torch.randperm(SUBJECTS)[:P] for _ in range(STEPS)])
    sequences = (subjects[:, :, None] * PER_SUBJECT + torch.arange(K)).flatten(1)
    return sequences, torch.randint(0, LENGTH - FRAMES + 1, sequences.shape)


def train(net, recipe, pool, batches, masks, dtype=torch.float32, autocast=False):
    """Losses [steps, 3] (total, triplet, cross-entropy), learning rates [steps], and the trained network.
    With `autocast` PyTorch computes in bf16 what it computes in it by default; losses are f32."""
    net, pool = copy.deepcopy(net).to(dtype), pool.to(dtype) / 255
    rate, decay = recipe["learning_rate"], recipe["weight_decay"]
    if recipe["optimizer"] == "adam":
        optimizer = torch.optim.Adam(net.parameters(), rate, weight_decay=decay)
    else:
        momentum = recipe["momentum"]
        optimizer = torch.optim.SGD(net.parameters(), rate, momentum, weight_decay=decay)
    milestones, gamma = recipe["milestones"], recipe["decay"]
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, milestones, gamma)
    losses, rates = [], []
    for step, (sequences, starts) in enumerate(zip(*batches)):
        clips = torch.stack([pool[q, s : s + FRAMES] for q, s in zip(sequences, starts)])
        labels = sequences // PER_SUBJECT
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            embedding, logits = net(clips[:, None], [layer[step] for layer in masks])
        if autocast:
            embedding, logits = embedding.float(), logits.float()
        triplet = gl.triplet(embedding, labels, recipe["loss.margin"])
        scale, smoothing = recipe["loss.logit_scale"], recipe["loss.label_smoothing"]
        classes = gl.cross_entropy(logits, labels, scale, smoothing)
        optimizer.zero_grad()
        (triplet + classes).backward()
        losses.append(torch.stack([triplet + classes, triplet, classes]).detach())
        rates.append(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()
    return torch.stack(losses), torch.tensor(rates), net.state_dict()


def furthest(got, want, starts):
    """The largest differences: of the losses relative to them, of a tensor relative to its largest value, and
    of its change relative to its largest change (at least a thousandth of the value, because smaller
    changes are lost in the rounding of the value)."""
    (losses, _, got), (exact, _, want) = got, want
    value = change = torch.zeros(())
    for name in (name for name, tensor in want.items() if tensor.is_floating_point()):
        size, moved = want[name].abs().max(), want[name] - starts[1][name]
        apart = (got[name] - starts[0][name] - moved).abs().max()
        value = value.maximum((got[name] - want[name]).abs().max() / size)
        change = change.maximum(apart / moved.abs().max().maximum(size / 1000))
    return torch.stack([((losses - exact) / exact).abs().max(), value, change])


def disturbed(net, disturbance):
    net = copy.deepcopy(net).double()
    with torch.no_grad():
        for value in net.parameters():
            value *= 1 + disturbance * torch.randn_like(value)
    return net


def state(net):
    return {key: value.clone() for key, value in net.state_dict().items()}


def steady(net, disturbance, recipe, *data):
    """The training in float32, and how far disturbed trainings are from it. None if they are too far."""
    run, apart = train(net, recipe, *data), torch.zeros(3)
    for _ in range(TIMES):
        other = disturbed(net, disturbance)
        again = train(other, recipe, *data, torch.float64)
        apart = apart.maximum(furthest(run, again, (state(net), state(other))))
        if not apart.max() <= STEADY:
            return None
    return run, apart


def trainings(network, sizes, disturbance, recipes, pool, batches):
    """The first initial weights with which all recipes are stable, their masks, and the trainings."""
    for seed in itertools.count():
        torch.manual_seed(seed)
        net = network()
        randomise(net)
        for name, value in net.named_buffers():
            # As small as the variances of the batches, which would otherwise have no visible effect.
            if name.endswith("running_var"):
                value *= 1e-3
        generator = torch.Generator().manual_seed(seed)
        draw = lambda size: gl.mask("strip-v", *size, 0.3, generator)
        masks = [torch.stack([draw(size) for _ in range(STEPS)]) for size in sizes]
        runs = {}
        for kind, recipe in recipes.items():
            run = steady(net, disturbance, recipe, pool, batches, masks)
            if run is None:
                break
            runs[kind] = run
        else:
            return seed, net, masks, runs


def main():
    # The maps are too small to split between cores.
    torch.set_num_threads(1)
    torch.manual_seed(21)
    pool, (sequences, starts) = people(), batches()
    about = {"frames": torch.tensor([FRAMES]), "sequences": sequences, "starts": starts}
    write("training-batches", {"pool": pool, "subjects": sequences // PER_SUBJECT} | about)
    for name, (preset, network, sizes, shape, disturbance, recipes) in TRAININGS.items():
        drawn = pool, (sequences, starts)
        seed, net, masks, runs = trainings(network, sizes, disturbance, recipes, *drawn)
        tensors = {f"net.{key}": value for key, value in net.state_dict().items()}
        tensors |= {f"mask.{i}": layer.to(torch.uint8) for i, layer in enumerate(masks)}
        texts = {"preset": preset}
        for kind, ((losses, rates, after), apart) in runs.items():
            recipe = {f"train.{key}": value for key, value in recipes[kind].items()}
            texts[kind] = "\n".join(f"{key}={value}" for key, value in (shape | recipe).items())
            tensors |= {f"{kind}.losses": losses, f"{kind}.rates": rates}
            tensors |= {f"{kind}.after.{key}": value for key, value in after.items()}
            first, last = losses[0, 0], losses[-1, 0]
            apart = "losses {:.0e}, tensors {:.0e}, changes {:.0e}".format(*apart.tolist())
            print(f"{name} {kind}: start {seed}, loss {first:.3f} to {last:.3f}; {apart}")
        write(f"training-{name}", tensors, texts)


def read(name):
    """The tensors of a file that `write` wrote."""
    data = (OUT / f"{name}.safetensors").read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    tensors = {}
    for key, about in json.loads(data[8:start]).items():
        if key != "__metadata__":
            first, end = (start + offset for offset in about["data_offsets"])
            kind = {"F32": np.float32, "I64": np.int64, "U8": np.uint8}[about["dtype"]]
            array = np.frombuffer(data[first:end], kind).reshape(about["shape"])
            tensors[key] = torch.from_numpy(array.copy())
    return tensors


def half():
    """Repeats the trainings of the files under autocast, from the same start, and writes their losses."""
    torch.set_num_threads(1)
    shared = read("training-batches")
    drawn = shared["pool"], (shared["sequences"], shared["starts"])
    losses = {}
    for name, (_, network, sizes, _, _, recipes) in TRAININGS.items():
        tensors = read(f"training-{name}")
        net = network()
        net.load_state_dict({key[4:]: tensors[key] for key in tensors if key.startswith("net.")})
        masks = [tensors[f"mask.{i}"].long() for i in range(len(sizes))]
        for kind, recipe in recipes.items():
            run = train(net, recipe, *drawn, masks, autocast=True)[0]
            f32 = tensors[f"{kind}.losses"]
            print(f"{name} {kind}: f32 {((f32 - run) / run)[:, 0].square().mean().sqrt():.1e} away")
            losses[f"{name}.{kind}.losses"] = run
    write("training-bf16", losses)


if __name__ == "__main__":
    half() if sys.argv[1:] == ["--bf16"] else main()
