"""GaitGL in plain PyTorch: the oracle of the golden values in crates/gaitgl/tests/fixtures.

Clarity comes before speed. Shapes: clips [n, 1, t, h, w] in 0..1, maps [n, c, t, h, w], embeddings
[n, c, p], logits [n, classes, p]. Parameters of the fixed-partition networks have the names of the
published checkpoints. The paper's network has no published checkpoint, so its parameters have our names.

`python gaitgl_torch.py` checks the identities that the local branch must satisfy.
"""
import torch
import torch.nn as nn
import torch.nn.functional as F

# ------------------------------------------------------------------- the local branch


def region_conv3d(x, weight, labels, stride=1, padding=None):
    """y[q] = sum over taps d of W[d] x[q + d] where labels[q + d] == labels[q].

    x [n, ci, t, h, w], weight [co, ci, kt, kh, kw] with odd kh and kw, labels [h, w].
    For each region, everything else is set to zero before the convolution, and only the outputs inside the
    region are kept.
    """
    kt, kh, kw = weight.shape[2:]
    pad = (kt // 2 if padding is None else padding, kh // 2, kw // 2)
    y = 0
    for region in labels.unique():
        here = (labels == region).to(x.dtype)
        y = y + here * F.conv3d(here * x, weight, stride=(stride, 1, 1), padding=pad)
    return y


def activated_conv3d(x, weight, labels):
    """The reading `activate`: leaky ReLU on the convolution of each masked input, then the sum."""
    masks = [(labels == region).to(x.dtype) for region in labels.unique()]
    return sum(F.leaky_relu(F.conv3d(x * mask, weight, padding=1)) for mask in masks)


def bands(h, w, parts):
    """Rows cut into bands of h // parts rows. A remainder makes one more, shorter band."""
    return (torch.arange(h) // max(h // parts, 1))[:, None].expand(h, w).contiguous()


def mask(strategy, h, w, ratio, generator):
    """Labels 0 and 1 of a random pair of complementary masks. A part r, ..., r + floor(ratio * length) includes
    both of its ends."""
    labels = torch.zeros(h, w, dtype=torch.long)
    length = {"h": h, "v": w, "l": h * w}[strategy[-1]]
    size = int(ratio * length)
    if strategy.startswith("part"):
        size += 1
        start = int(torch.randint(0, length - size + 1, (1,), generator=generator))
        chosen = torch.arange(start, start + size)
    else:
        chosen = torch.randperm(length, generator=generator)[:size]
    if strategy == "pixel":
        labels.view(-1)[chosen] = 1
    elif strategy.endswith("h"):
        labels[chosen] = 1
    else:
        labels[:, chosen] = 1
    return labels


def expected_taps(strategy, h, w, ratio):
    """The probability that a pixel and its neighbour at each tap of a 3x3 kernel share a label."""
    length = {"h": h, "v": w, "l": h * w}[strategy[-1]]
    m, l = int(ratio * length), length
    if strategy.startswith("part"):
        # The mean over all places of the part and all pairs of neighbours.
        places = [torch.arange(l)[None].eq(r + torch.arange(m + 1)[:, None]).any(0) for r in range(l - m)]
        p = torch.stack([part[1:] == part[:-1] for part in places]).double().mean().item()
    else:
        p = (m * (m - 1) + (l - m) * (l - m - 1)) / (l * (l - 1))
    taps = {"h": [[p] * 3, [1.0] * 3, [p] * 3], "v": [[p, 1.0, p]] * 3, "l": [[p] * 3, [p, 1.0, p], [p] * 3]}
    return torch.tensor(taps[strategy[-1]])


# ------------------------------------------------------------------------------ layers


class Conv(nn.Module):
    """A convolution without bias, named `conv3d` in the checkpoints."""

    def __init__(self, ci, co, kernel=(3, 3, 3), stride=(1, 1, 1), padding=(1, 1, 1)):
        super().__init__()
        self.conv3d = nn.Conv3d(ci, co, kernel, stride, padding, bias=False)

    def forward(self, x):
        return self.conv3d(x)


def global_local(x, global_weight, local_weight, labels, stacked):
    """Eqn. 2, or Eqn. 3 with `stacked`."""
    g = F.leaky_relu(F.conv3d(x, global_weight, padding=1))
    l = F.leaky_relu(region_conv3d(x, local_weight, labels))
    return torch.cat([g, l], 3) if stacked else g + l


class GlobalLocal(nn.Module):
    def __init__(self, ci, co, parts, stacked=False):
        super().__init__()
        self.global_conv3d, self.local_conv3d = Conv(ci, co), Conv(ci, co)
        self.parts, self.stacked = parts, stacked

    def forward(self, x):
        weights = self.global_conv3d.conv3d.weight, self.local_conv3d.conv3d.weight
        return global_local(x, *weights, bands(*x.shape[3:], self.parts), self.stacked)


def gem(x, p, strips, eps=1e-6):
    """Eqn. 10 over the pixels of each strip of h / strips rows: [n, c, h, w] -> [n, c, strips]."""
    x = x.reshape(*x.shape[:2], strips, -1)
    return x.clamp(min=eps).pow(p).mean(-1).pow(1 / p)


def pooled(x, kind, strips, p=None):
    """Table 6: [n, c, h, w] -> [n, c, strips] by "gem", "max", "mean" or "both"."""
    if kind == "gem":
        return gem(x, p, strips)
    x = x.reshape(*x.shape[:2], strips, -1)
    return {"max": x.amax(-1), "mean": x.mean(-1), "both": x.amax(-1) + x.mean(-1)}[kind]


class Gem(nn.Module):
    def __init__(self, strips):
        super().__init__()
        self.p = nn.Parameter(torch.tensor([6.5]))
        self.strips = strips

    def forward(self, x):
        return gem(x, self.p, self.strips)


def separate_fc(x, weight):
    """x [n, ci, p], weight [p, ci, co] -> [n, co, p]."""
    return torch.einsum("ncp,pco->nop", x, weight)


class SeparateFc(nn.Module):
    def __init__(self, p, ci, co):
        super().__init__()
        self.fc_bin = nn.Parameter(nn.init.xavier_uniform_(torch.zeros(p, ci, co)))

    def forward(self, x):
        return separate_fc(x, self.fc_bin)


class BnNeck(nn.Module):
    """Batch norm over channels x strips, then cosines with the class vectors."""

    def __init__(self, p, c, classes):
        super().__init__()
        self.bn1d = nn.BatchNorm1d(c * p)
        self.fc_bin = nn.Parameter(nn.init.xavier_uniform_(torch.zeros(p, c, classes)))

    def forward(self, x):
        normed = self.bn1d(x.flatten(1)).view(x.shape)
        return separate_fc(F.normalize(normed, dim=1), F.normalize(self.fc_bin, dim=1))


def lengthened(x, four=False):
    """The published rule for sequences shorter than the temporal kernel."""
    t = x.shape[2]
    if t == 1:
        return x.repeat(1, 1, 3, 1, 1)
    if t == 2:
        return x.repeat(1, 1, 2, 1, 1)
    if t == 3 and four:
        return x[:, :, [0, 1, 2, 0]]
    return x


# ---------------------------------------------------------------------------- networks


class Parts(nn.Module):
    """parts-small with three channels, parts-large with four; `neck` is "batch-norm" or "bnneck"."""

    def __init__(self, channels, parts, strips, classes, neck="batch-norm"):
        super().__init__()
        c, last, leaky = channels, channels[-1], nn.LeakyReLU()
        glcl = lambda ci, co, stacked=False: GlobalLocal(ci, co, parts, stacked)
        if len(c) == 3:
            self.conv3d = nn.Sequential(Conv(1, c[0]), leaky)
            self.GLConvA0 = glcl(c[0], c[1])
            self.GLConvA1 = glcl(c[1], c[2])
            self.GLConvB2 = glcl(c[2], c[2], True)
        else:
            self.conv3d = nn.Sequential(Conv(1, c[0]), leaky, Conv(c[0], c[0]), leaky)
            self.GLConvA0 = nn.Sequential(glcl(c[0], c[1]), glcl(c[1], c[1]))
            self.GLConvA1 = nn.Sequential(glcl(c[1], c[2]), glcl(c[2], c[2]))
            self.GLConvB2 = nn.Sequential(glcl(c[2], c[3]), glcl(c[3], c[3], True))
        self.LTA = nn.Sequential(Conv(c[0], c[0], (3, 1, 1), (3, 1, 1), (0, 0, 0)), leaky)
        self.HPP = Gem(strips)
        self.Head0 = SeparateFc(strips, last, last)
        if neck == "batch-norm":
            self.Bn = nn.BatchNorm1d(last)
            self.Head1 = SeparateFc(strips, last, classes)
        else:
            self.BNNecks = BnNeck(strips, last, classes)

    def forward(self, x, masks=None):
        x = self.LTA(self.conv3d(lengthened(x)))
        x = F.max_pool3d(self.GLConvA0(x), (1, 2, 2))
        x = self.GLConvB2(self.GLConvA1(x))
        features = self.Head0(self.HPP(x.max(2)[0]))
        if hasattr(self, "Bn"):
            embedding = self.Bn(features)
            return embedding, self.Head1(embedding)
        return features, self.BNNecks(features)


class HidLayer(nn.Module):
    def __init__(self, ci, co, stacked=False):
        super().__init__()
        self.convdl = nn.Conv3d(ci, co, 3, padding=1, bias=False)
        self.convdg = nn.Conv3d(ci, co, 3, padding=1, bias=False)
        self.stacked = stacked

    def forward(self, x):
        labels = bands(*x.shape[3:], 2)
        return global_local(x, self.convdg.weight, self.convdl.weight, labels, self.stacked)


class Hid2020(nn.Module):
    """The authors' own network with their names. No batch norm, no classifier."""

    def __init__(self, channels, strips):
        super().__init__()
        c = channels
        plain = lambda ci, co, kernel, stride, pad: nn.ModuleDict(
            {"conv1": nn.Conv3d(ci, co, kernel, stride, pad, bias=False)}
        )
        self.conv2dlayer1a = plain(1, c[0], 3, 1, 1)
        self.pool2d1 = plain(c[0], c[0], (3, 1, 1), (3, 1, 1), 0)
        self.conv2dlayer2a = HidLayer(c[0], c[1])
        self.conv2dlayer25a_3d = HidLayer(c[1], c[2])
        self.conv2dlayer25b_3d = HidLayer(c[2], c[2])
        self.conv2dlayer3a_3d = HidLayer(c[2], c[3])
        self.conv2dlayer3b_3d = HidLayer(c[3], c[3], True)
        self.Gem = Gem(strips)
        weight = nn.init.xavier_uniform_(torch.zeros(strips, c[3], c[3]))
        self.fc_bin = nn.ParameterList([nn.Parameter(weight)])

    def forward(self, x, masks=None):
        x = F.leaky_relu(self.conv2dlayer1a["conv1"](lengthened(x, four=True)))
        x = F.leaky_relu(self.pool2d1["conv1"](x))
        x = F.max_pool3d(self.conv2dlayer2a(x), (1, 2, 2))
        x = self.conv2dlayer25b_3d(self.conv2dlayer25a_3d(x))
        x = self.conv2dlayer3b_3d(self.conv2dlayer3a_3d(x))
        return separate_fc(self.Gem(x.max(2)[0]), self.fc_bin[0]), None


class Paper(nn.Module):
    """The paper's network. `pools` gives the pooling at the end of each stage: "lta", "sp" or "none". In
    training, `masks` are the labels of each global-local layer. At test time there are none, and the taps
    are weighted by `expected_taps` of the strategy. The last layer stacks its branches (Eqn. 3) or, with
    `last_join="sum"`, adds them (Eqn. 2).

    `neck` says what follows the separate FC:
    - "batch-norm": a batch norm over channels, which gives the embedding, and a classifier of it;
    - "bnneck": the embedding is before a batch norm over channels x strips; cosines with the class vectors;
    - "bnneck-plain": the same with a plain classifier;
    - "linear": a plain classifier of the embedding, and no norm;
    - "none": neither."""

    def __init__(
        self, channels, layers, pools, strips, classes, ratio=0.3, pooling="gem", strategy="strip-v",
        neck="bnneck-plain", last_join="stack",
    ):
        super().__init__()
        self.pools, self.ratio, self.kind, self.strategy = pools, ratio, pooling, strategy
        self.neck, self.stack_last = neck, last_join == "stack"
        self.stages, ci = nn.ModuleList(), 1
        for c, count, pool in zip(channels, layers, pools):
            stage = nn.ModuleDict({"layers": nn.ModuleList()})
            for _ in range(count):
                pair = {name: nn.Parameter(torch.empty(c, ci, 3, 3, 3)) for name in ("global", "local")}
                stage["layers"].append(nn.ParameterDict(pair))
                ci = c
            if pool == "lta":
                stage["lta"] = nn.ParameterDict({"weight": nn.Parameter(torch.empty(c, c, 3, 3, 3))})
            self.stages.append(stage)
        learnt = {"exponent": nn.Parameter(torch.tensor([6.5]))} if pooling == "gem" else {}
        self.pooling = nn.ParameterDict(learnt)
        self.fc = SeparateFc(strips, ci, ci)
        if neck == "batch-norm":
            self.norm = nn.BatchNorm1d(ci)
        elif neck in ("bnneck", "bnneck-plain"):
            self.norm = nn.BatchNorm1d(ci * strips)
        if neck != "none":
            self.classifier = SeparateFc(strips, ci, classes)

    def head(self, features):
        """Embedding and logits from the output of the separate FC."""
        if self.neck == "batch-norm":
            embedding = self.norm(features)
            return embedding, self.classifier(embedding)
        if self.neck == "bnneck":
            normed = self.norm(features.flatten(1)).view(features.shape)
            cosines = separate_fc(F.normalize(normed, dim=1), F.normalize(self.classifier.fc_bin, dim=1))
            return features, cosines
        if self.neck == "bnneck-plain":
            normed = self.norm(features.flatten(1)).view(features.shape)
            return features, self.classifier(normed)
        return features, self.classifier(features) if self.neck == "linear" else None

    def forward(self, x, masks=None):
        x, masks = lengthened(x), iter(masks or [])
        for s, (stage, pool) in enumerate(zip(self.stages, self.pools)):
            for i, layer in enumerate(stage["layers"]):
                last = s + 1 == len(self.pools) and i + 1 == len(stage["layers"])
                local, labels = layer["local"], next(masks, None)
                if labels is None:
                    local = local * expected_taps(self.strategy, *x.shape[3:], self.ratio)
                    labels = torch.zeros(x.shape[3:], dtype=torch.long)
                x = global_local(x, layer["global"], local, labels, last and self.stack_last)
            if pool == "lta":
                x = F.leaky_relu(F.conv3d(x, stage["lta"]["weight"], stride=(3, 1, 1), padding=(0, 1, 1)))
            elif pool == "sp":
                x = F.max_pool3d(x, (1, 2, 2))
        exponent = self.pooling["exponent"] if self.kind == "gem" else None
        strips = pooled(x.max(2)[0], self.kind, len(self.fc.fc_bin), exponent)
        return self.head(self.fc(strips))


# -------------------------------------------------------------------- losses, distance


def strip_distances(a, b):
    """Euclidean distances [p, na, nb] of embeddings [na, c, p] and [nb, c, p]."""
    return (a.permute(2, 0, 1)[:, :, None] - b.permute(2, 0, 1)[:, None]).norm(dim=3)


def triplet(embedding, labels, margin=0.2):
    """Batch-all triplet loss: mean over active triplets per strip, then over strips. The pair of an anchor with
    itself counts as a positive pair."""
    same = labels[:, None] == labels[None]
    allowed = same[:, :, None] & ~same[:, None, :]
    # The norm has no gradient at 0. A tiny shift of the squares gives 0, which is used as the gradient.
    e = embedding.permute(2, 0, 1)
    squares = (e[:, :, None] - e[:, None]).square().sum(3)
    distance = torch.where(squares > 0, squares, torch.ones_like(squares)).sqrt() * (squares > 0)
    loss = F.relu(distance[:, :, :, None] - distance[:, :, None, :] + margin)[:, allowed]
    active = (loss > 0).sum(1)
    mean = torch.where(active > 0, loss.sum(1) / active.clamp(min=1), loss.new_zeros(()))
    return mean.mean()


def cross_entropy(logits, labels, scale=1.0, smoothing=0.0):
    """Mean over sequences and strips."""
    p = logits.shape[2]
    return F.cross_entropy(logits * scale, labels[:, None].expand(-1, p), label_smoothing=smoothing)


# --------------------------------------------------------------------------- self-test


def selftest():
    torch.manual_seed(0)
    x, weight = torch.randn(2, 3, 4, 8, 6), torch.randn(5, 3, 3, 3, 3)
    plain = F.conv3d(x, weight, padding=1)
    close = lambda a, b: torch.allclose(a, b, atol=1e-4)
    assert close(region_conv3d(x, weight, torch.zeros(8, 6)), plain)
    for parts in (3, 4):
        cut = torch.cat([F.conv3d(b, weight, padding=1) for b in x.split(8 // parts, 3)], 3)
        assert close(region_conv3d(x, weight, bands(8, 6, parts)), cut)
    generator = torch.Generator().manual_seed(1)
    for strategy in ("part-h", "part-v", "strip-h", "strip-v", "pixel"):
        labels = mask(strategy, 8, 6, 0.5, generator)
        p, q = labels.float(), 1 - labels.float()
        pair = sum(m * F.conv3d(m * x, weight, padding=1) for m in (p, q))
        assert close(region_conv3d(x, weight, labels), pair), strategy
        assert not torch.allclose(pair, plain, atol=1e-2), strategy
        literal = sum(F.conv3d(m * x, weight, padding=1) for m in (p, q))
        assert close(literal, plain), strategy
    for strategy in ("part-h", "part-v", "strip-h", "strip-v", "pixel"):
        drawn = torch.stack([mask(strategy, 8, 6, 0.4, generator) for _ in range(4000)])
        same_below = (drawn[:, 1:] == drawn[:, :-1]).float().mean()
        same_beside = (drawn[:, :, 1:] == drawn[:, :, :-1]).float().mean()
        taps = expected_taps(strategy, 8, 6, 0.4)
        assert taps[1, 1] == 1 and abs(taps[2, 1] - same_below) < 0.02, strategy
        assert abs(taps[1, 2] - same_beside) < 0.02, strategy
    e, labels = torch.randn(6, 4, 3, requires_grad=True), torch.tensor([0, 0, 1, 1, 2, 2])
    triplet(e, labels).backward()
    assert e.grad.isfinite().all()
    print("ok")


if __name__ == "__main__":
    selftest()


# The tensor names of the paper's network here, if they differ from those in the files of gaitgl.
OURS = {
    "fc.fc_bin": "head.fc.weight",
    "norm.weight": "head.norm.scale",
    "norm.bias": "head.norm.shift",
    "norm.running_mean": "head.norm.running_mean",
    "norm.running_var": "head.norm.running_variance",
    "norm.num_batches_tracked": None,
    "classifier.fc_bin": "head.classifier.weight",
}


def state_of(net):
    """The tensors of a network by the names that `gaitgl import` knows."""
    state = net.state_dict()
    if not isinstance(net, Paper):
        return state
    return {OURS.get(name, name): value for name, value in state.items() if OURS.get(name, name)}
