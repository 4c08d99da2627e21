"""Writes the golden values of the test protocols, computed with numpy from random embeddings.

    python reference/export_protocol.py

writes crates/gait-eval/tests/fixtures/*.json. The protocols are defined again here, not read from their
files, and everything is computed in the plainest way: full distance matrices in double precision, stable
sorting, loops. Embeddings have a different size on every axis, ties between people (copied embeddings),
missing views, and missing gallery identities.
"""

import json
from pathlib import Path

import numpy as np

FIXTURES = Path(__file__).parent.parent / "crates/gait-eval/tests/fixtures"
CASIA_GALLERY = ["nm-01", "nm-02", "nm-03", "nm-04"]
CASIA_PROBES = {
    "NM": ["nm-05", "nm-06"],
    "BG": ["bg-01", "bg-02"],
    "CL": ["cl-01", "cl-02"],
}
CASIA = CASIA_GALLERY + sum(CASIA_PROBES.values(), [])


# ---- data -------------------------------------------------------------------------------------


def walkers(rng, subjects, conditions, views, channels, strips, keep=1.0, noise=1.0, ties=0):
    """Noisy people, with a share `keep` of their sequences and `ties` copied embeddings."""
    who = [(s, c, v) for s in subjects for c in conditions for v in views if rng.random() < keep]
    rng.shuffle(who)
    shape = (channels, strips)
    person = {s: rng.normal(size=shape) for s in subjects}
    seen = {v: rng.normal(size=shape) * 0.5 * noise for v in views}
    x = np.stack([person[s] + seen[v] + noise * rng.normal(size=shape) for s, _, v in who])
    x = np.round(x, 2).astype(np.float32)
    for _ in range(ties):
        a, b = rng.integers(len(who), size=2)
        x[a] = x[b]
    s, c, v = (list(column) for column in zip(*who))
    return dict(x=x, subjects=s, conditions=c, views=v)


def without(data, drop):
    """The data without the sequences for which drop(subject, condition, view) is true."""
    names = zip(data["subjects"], data["conditions"], data["views"])
    kept = [i for i, name in enumerate(names) if not drop(*name)]
    lists = {k: [data[k][i] for i in kept] for k in ("subjects", "conditions", "views")}
    return dict(x=data["x"][kept], **lists)


# ---- distances --------------------------------------------------------------------------------


def distances(x, y, distance, resolved=2e-6):
    """[n, c, p] and [m, c, p] -> [n, m]; rounded, so that equal embeddings tie exactly.

    Single precision must resolve every difference in a row except the intended ties.
    """
    x, y = x.astype(np.float64)[:, None], y.astype(np.float64)[None]
    if distance == "strips":
        d = np.sqrt(((x - y) ** 2).sum(2)).mean(2)
    elif distance == "flat":
        d = np.sqrt(((x - y) ** 2).sum((2, 3)))
    else:
        length = lambda z: np.maximum(np.sqrt((z**2).sum(2)), 1e-12)
        d = 1 - ((x * y).sum(2) / (length(x) * length(y))).mean(2)
    d = np.round(d, 9)
    gaps = np.diff(np.sort(d, axis=1), axis=1)
    assert not ((gaps > 0) & (gaps < resolved)).any(), "choose another seed"
    return d


# ---- metrics ----------------------------------------------------------------------------------


def score(d, right, metric):
    """The score of one probe, from the distances and matches of its gallery, in gallery order."""
    ranked = right[np.argsort(d, kind="stable")]
    if metric.startswith("rank-"):
        return float(ranked[: int(metric[5:])].any())
    if not ranked.any():
        return None
    places = np.flatnonzero(ranked) + 1.0
    if metric == "mAP":
        return float(np.mean(np.arange(1, len(places) + 1) / places))
    return float(len(places) / places[-1])


def mean(values):
    values = [v for v in values if v is not None]
    return float(np.mean(values)) if values else None


def percent(value):
    return None if value is None else 100 * value


def rounded(value):
    """A share, rounded to two decimals of a percent."""
    return None if value is None else np.round(100 * value, 2) / 100


# ---- protocols --------------------------------------------------------------------------------


def chosen(data, conditions):
    return [i for i, c in enumerate(data["conditions"]) if conditions is None or c in conditions]


def group_scores(data, distance, metrics, probes, gallery, compared, skip_unmatched=False):
    """The score of each probe and metric against the gallery sequences that `compared` allows."""
    d = distances(data["x"][probes], data["x"][gallery], distance)
    subjects = np.array(data["subjects"])
    scores = []
    for row, i in zip(d, probes):
        allowed = [k for k, j in enumerate(gallery) if i != j and compared(i, j)]
        right = subjects[np.array(gallery)[allowed]] == subjects[i] if allowed else np.array([])
        if not allowed or (skip_unmatched and not right.any()):
            scores.append([None] * len(metrics))
        else:
            scores.append([score(row[allowed], right, m) for m in metrics])
    return scores


def by_view_pairs(data, distance, metrics, groups, exclude, skip_unmatched=False, cell=rounded):
    """groups: name -> (probe indices, gallery indices). Scores each probe view against each gallery view and
    applies `cell` to each figure."""
    views = np.array(data["views"])
    result = {}
    for name, (probes, gallery) in groups.items():
        cells = {}
        for pv in sorted(set(views[probes])):
            for gv in sorted(set(views[gallery])):
                if pv == gv and exclude:
                    continue
                p = [i for i in probes if views[i] == pv]
                g = [i for i in gallery if views[i] == gv]
                scores = group_scores(
                    data, distance, metrics, p, g, lambda i, j: True, skip_unmatched
                )
                cells[pv, gv] = [cell(mean(column)) for column in zip(*scores)]
        rows = {}
        for pv in sorted({pv for pv, _ in cells}):
            of = [figures for (v, _), figures in cells.items() if v == pv]
            rows[pv] = [mean(column) for column in zip(*of)]
        result[name] = dict(
            values=[percent(mean(row[m] for row in rows.values())) for m in range(len(metrics))],
            views={v: [percent(x) for x in row] for v, row in rows.items()},
            pairs=[[pv, gv, *map(percent, figures)] for (pv, gv), figures in cells.items()],
        )
    return result


def by_view(data, distance, metrics, groups):
    """Scores each probe view against everyone except the probe's own subject in the probe's own view."""
    views, subjects = data["views"], data["subjects"]
    result = {}
    for name, (probes, gallery) in groups.items():
        compared = lambda i, j: views[i] != views[j] or subjects[i] != subjects[j]
        scores = group_scores(data, distance, metrics, probes, gallery, compared)
        rows = {}
        for v in sorted({views[i] for i in probes}):
            of = [s for s, i in zip(scores, probes) if views[i] == v]
            rows[v] = [rounded(mean(column)) for column in zip(*of)]
        result[name] = dict(
            values=[percent(mean(row[m] for row in rows.values())) for m in range(len(metrics))],
            views={v: [percent(x) for x in row] for v, row in rows.items()},
        )
    return result


def by_probe(data, distance, metrics, groups, compared, skip_unmatched, cell=lambda share: share):
    result = {}
    for name, (probes, gallery) in groups.items():
        scores = group_scores(data, distance, metrics, probes, gallery, compared, skip_unmatched)
        result[name] = dict(
            values=[percent(cell(mean(column))) for column in zip(*scores)], views={}
        )
    return result


# ---- cases ------------------------------------------------------------------------------------


def case(protocol, distance, data, metrics, groups, **more):
    counted = [g for name, g in groups.items() if name != "Overall"]
    return dict(
        protocol=protocol,
        distance=distance,
        **columns(data),
        metrics=metrics,
        groups=groups,
        mean=[mean(g["values"][m] for g in counted) for m in range(len(metrics))],
        **more,
    )


def columns(data):
    names = {k: data[k] for k in ("subjects", "conditions", "views")}
    values = [round(float(v), 4) for v in data["x"].ravel()]
    return dict(shape=list(data["x"].shape), values=values, **names)


def casia_groups(data):
    gallery = chosen(data, CASIA_GALLERY)
    return {name: (chosen(data, conditions), gallery) for name, conditions in CASIA_PROBES.items()}


def casia_b(seed):
    rng = np.random.default_rng(seed)
    cases = []
    people = [f"{s:03}" for s in range(75, 80)]
    whole = walkers(rng, people, CASIA, ["000", "090", "126"], 3, 4, noise=1.6, ties=30)
    gaps = walkers(
        rng, people, CASIA, ["000", "018", "090", "180"], 2, 7, keep=0.6, noise=1.3, ties=25
    )
    # Subject 077 has no gallery, bags were never seen from 018, and the gallery has no view 180.
    gaps = without(
        gaps,
        lambda s, c, v: (s == "077" and c in CASIA_GALLERY)
        or (c.startswith("bg") and v == "018")
        or (v == "180" and c in CASIA_GALLERY),
    )
    one_view = walkers(rng, people, CASIA, ["090"], 4, 3, noise=1.5, ties=6)
    for distance in ["strips", "flat", "cosine"]:
        for data in [whole, gaps]:
            groups = by_view_pairs(data, distance, ["rank-1"], casia_groups(data), exclude=True)
            cases.append(case("casia-b", distance, data, ["rank-1"], groups))
    groups = by_view_pairs(one_view, "strips", ["rank-1"], casia_groups(one_view), exclude=False)
    cases.append(case("casia-b", "strips", one_view, ["rank-1"], groups))
    for data in [whole, gaps]:
        gallery = chosen(data, ["nm-02", "bg-02", "cl-02"])
        metrics = ["rank-1", "mAP"]
        groups = {g: (chosen(data, [f"{g.lower()}-01"]), gallery) for g in CASIA_PROBES}
        groups = by_view(data, "strips", metrics, groups)
        cases.append(case("casia-b-cross-view", "strips", data, metrics, groups))
    return cases


def leave_one_out(seed):
    rng = np.random.default_rng(seed)
    data = walkers(rng, list("abcdefg"), ["walk", "run"], ["x", "y"], 5, 2, 0.7, 0.9, ties=5)
    everyone = list(range(len(data["views"])))
    metrics = ["rank-1", "rank-5", "mAP"]
    groups = by_probe(
        data, "strips", metrics, {"ALL": (everyone, everyone)}, lambda i, j: True, True
    )
    return [case("leave-one-out", "strips", data, metrics, groups)]


def ou_mvlp(seed):
    rng = np.random.default_rng(seed)
    people = [f"{s:05}" for s in range(2, 18, 2)]
    data = walkers(rng, people, ["00", "01"], ["000", "015", "270"], 4, 3, 0.8, 0.9, ties=6)
    groups = {"00": (chosen(data, ["00"]), chosen(data, ["01"]))}
    cases = []
    exact = lambda share: share
    for name, skip, cell in [("ou-mvlp", False, rounded), ("ou-mvlp-valid", True, exact)]:
        results = by_view_pairs(data, "strips", ["rank-1"], groups, True, skip, cell)
        cases.append(case(name, "strips", data, ["rank-1"], results))
    return cases


def grew(seed):
    rng = np.random.default_rng(seed)
    people = [f"{s:05}" for s in range(1, 31)]
    data = walkers(rng, people, ["01", "02", "03"], ["video"], 2, 5, 0.8, 1.1, ties=8)
    data["views"] = [f"v{i:04}" for i in range(len(data["views"]))]
    metrics = ["rank-1", "rank-5", "rank-10", "rank-20"]
    groups = {"02": (chosen(data, ["02"]), chosen(data, ["01"]))}
    results = by_probe(data, "strips", metrics, groups, lambda i, j: True, False, rounded)
    return [case("grew", "strips", data, metrics, results)]


def gait3d(seed):
    rng = np.random.default_rng(seed)
    people = [f"{s:04}" for s in range(12)]
    data = walkers(rng, people, [f"camid{i}" for i in range(4)], ["s0", "s1"], 3, 2, 0.5, 1.2, 6)
    names = ["-".join(name) for name in zip(data["subjects"], data["conditions"], data["views"])]
    probes = sorted(rng.choice(len(names), size=14, replace=False).tolist())
    gallery = [i for i in range(len(names)) if i not in probes]
    metrics = ["rank-1", "rank-5", "rank-10", "mAP", "mINP"]
    cases = []
    for distance in ["strips", "cosine"]:
        results = by_probe(
            data, distance, metrics, {"ALL": (probes, gallery)}, lambda i, j: True, True
        )
        listed = [names[i] for i in probes]
        cases.append(case("gait3d", distance, data, metrics, results, listed=listed))
    return cases


def casia_e(seed):
    rng = np.random.default_rng(seed)
    kinds = [
        f"{height}-{scene}-{walk}-{number}"
        for height in ("H", "L")
        for scene in ("scene1", "scene2", "scene3", "scene3_s")
        for walk in ("nm", "bg", "cl")
        for number in (1, 2)
    ]
    data = walkers(rng, list("pqr"), kinds, ["000", "090", "270"], 2, 3, 0.5, 1.2, 10)
    tested = [i for i, v in enumerate(data["views"]) if v != "270"]
    parts = [c.split("-") for c in data["conditions"]]
    gallery = [i for i in tested if parts[i][1:3] == ["scene1", "nm"]]
    groups = {
        walk.upper(): (
            [i for i in tested if parts[i][1] != "scene1" and parts[i][2] == walk],
            gallery,
        )
        for walk in ("nm", "bg", "cl")
    }
    results = by_view_pairs(data, "strips", ["rank-1"], groups, exclude=True)
    return [case("casia-e", "strips", data, ["rank-1"], results)]


def sustech1k(seed):
    rng = np.random.default_rng(seed)
    kinds = ["00-nm", "01-nm", "01-bg", "02-cl", "01-cr-nt", "01-ub", "01-uf", "01-oc", "03-bg-oc"]
    kinds += ["00-nm-nt"]
    views = ["000", "045-far", "180"]
    data = walkers(rng, list("abcdefgh"), kinds, views, 2, 4, 0.9, 1.3, 20)
    gallery = [i for i, c in enumerate(data["conditions"]) if "00-nm" in c]
    marks = dict(Normal="01-nm", Bag="bg", Clothing="cl", Carrying="cr", Umbrella="ub")
    marks |= dict(Uniform="uf", Occlusion="oc", Night="nt")
    groups = {
        name: ([i for i, c in enumerate(data["conditions"]) if mark in c], gallery)
        for name, mark in marks.items()
    }
    overall = ("01", "02", "03", "04")
    probes = [i for i, c in enumerate(data["conditions"]) if any(mark in c for mark in overall)]
    groups["Overall"] = (probes, gallery)
    metrics = ["rank-1", "rank-5"]
    results = by_view_pairs(data, "strips", metrics, groups, exclude=True)
    return [case("sustech1k", "strips", data, metrics, results)]


def ccpg(seed):
    rng = np.random.default_rng(seed)
    kinds = ["U0_D0", "U0_D0_BG", "U0_D3", "U1_D0", "U1_D1", "U2_D2", "U3_D3"]
    views = ["01_0", "01_1", "04_0", "07_2"]
    data = walkers(rng, list("kmnop"), kinds, views, 3, 2, 0.7, 1.0, 15)
    cameras = dict(data, views=[v.split("_")[0] for v in data["views"]])
    pick = lambda *conditions: chosen(data, conditions)
    groups = {
        "CL": (pick("U0_D0_BG", "U0_D0"), pick("U1_D1", "U2_D2", "U3_D3")),
        "UP": (pick("U3_D3"), pick("U0_D3")),
        "DN": (pick("U1_D0"), pick("U1_D1")),
        "BG": (pick("U0_D0_BG"), pick("U0_D0")),
    }
    pairs = by_view_pairs(cameras, "strips", ["rank-1"], groups, exclude=True)
    metrics = ["rank-1", "mAP", "mINP"]
    others = lambda i, j: (
        cameras["views"][i] != cameras["views"][j] or data["subjects"][i] != data["subjects"][j]
    )
    people = by_probe(data, "strips", metrics, groups, others, True)
    return [
        case("ccpg", "strips", data, ["rank-1"], pairs),
        case("ccpg-reid", "strips", data, metrics, people),
    ]


# ---- verification -----------------------------------------------------------------------------


def verified(data, distance, groups, compared):
    """Equal error rate and true accept rates from all pairs, threshold by threshold."""
    subjects = np.array(data["subjects"])
    result = {}
    for name, (probes, gallery) in groups.items():
        d = distances(data["x"][probes], data["x"][gallery], distance, resolved=0)
        pairs = [
            (d[a, b], subjects[i] == subjects[j])
            for a, i in enumerate(probes)
            for b, j in enumerate(gallery)
            if i != j and compared(i, j)
        ]
        d = np.array([pair[0] for pair in pairs])
        same = np.array([pair[1] for pair in pairs])
        gaps = np.abs(d[same][:, None] - d[~same][None])
        assert not ((gaps > 0) & (gaps < 1e-6)).any(), "choose another seed"
        thresholds = np.unique(d)
        far = np.array([0.0] + [np.mean(d[~same] <= t) for t in thresholds])
        tar = np.array([0.0] + [np.mean(d[same] <= t) for t in thresholds])
        excess = far - (1 - tar)
        k = int(np.argmax(excess >= 0))
        part = -excess[k - 1] / (excess[k] - excess[k - 1])
        eer = far[k - 1] + part * (far[k] - far[k - 1])
        rates = []
        for rate in (1e-2, 1e-3, 1e-4):
            enough = 1 / (~same).sum() <= rate
            rates.append(100 * float(tar[far <= rate].max()) if enough else None)
        result[name] = dict(
            genuine=int(same.sum()), impostors=int((~same).sum()), eer=100 * float(eer), tar=rates
        )
    return result


def verification(seed):
    rng = np.random.default_rng(seed)
    people = [f"{s:03}" for s in range(75, 80)]
    data = walkers(rng, people, CASIA, ["000", "090", "126"], 3, 5, 0.5, 0.45, ties=4)
    views = data["views"]
    cases = []
    for distance in ["strips", "flat"]:
        groups = verified(data, distance, casia_groups(data), lambda i, j: views[i] != views[j])
        cases.append(dict(protocol="casia-b", distance=distance, **columns(data), groups=groups))
    everyone = list(range(len(views)))
    groups = verified(data, "flat", {"ALL": (everyone, everyone)}, lambda i, j: True)
    cases.append(dict(protocol="leave-one-out", distance="flat", **columns(data), groups=groups))
    return cases


# ---- k-reciprocal re-ranking ------------------------------------------------------------------


def reranked(d, probes, k1, k2, share):
    """Zhong et al., CVPR 2017, section 3, from the full matrix of probes and gallery together."""
    n = len(d)
    d = d / d.max(axis=1, keepdims=True)
    order = np.argsort(d, axis=1, kind="stable")

    def reciprocal(i, k):
        return {int(j) for j in order[i, :k] if i in order[j, :k]}

    half = int(np.around(k1 / 2))
    weights = np.zeros((n, n))
    for i in range(n):
        members = set(reciprocal(i, k1 + 1))
        for j in reciprocal(i, k1 + 1):
            others = reciprocal(j, half + 1)
            if len(others & reciprocal(i, k1 + 1)) > 2 / 3 * len(others):
                members |= others
        members = sorted(members)
        weights[i, members] = np.exp(-d[i, members])
        weights[i] /= weights[i].sum()
    weights = np.stack([weights[order[i, :k2]].mean(0) for i in range(n)])
    result = np.zeros((probes, n - probes))
    for i in range(probes):
        for j in range(probes, n):
            low = np.minimum(weights[i], weights[j]).sum()
            high = np.maximum(weights[i], weights[j]).sum()
            result[i, j - probes] = (1 - share) * (1 - low / high) + share * d[i, j]
    return result


def rerank(seed):
    rng = np.random.default_rng(seed)
    cases = []
    for k1, k2, share, distance in [(6, 6, 0.3, "strips"), (5, 1, 0.0, "cosine"), (20, 3, 0.7, "flat")]:
        people = [f"{s:03}" for s in range(9)]
        data = walkers(rng, people, ["a", "b", "c", "d"], ["default"], 3, 2, 0.8, 0.9, ties=4)
        n = len(data["views"])
        probes = sorted(rng.choice(n, size=11, replace=False).tolist())
        data["subjects"] = ["probe" if i in probes else s for i, s in enumerate(data["subjects"])]
        data["conditions"] = [f"video-{i}" for i in range(n)]
        gallery = [i for i in range(n) if i not in probes]
        x = data["x"][probes + gallery]
        d = reranked(distances(x, x, distance), len(probes), k1, k2, share)
        nearest = [data["subjects"][gallery[j]] for j in np.argmin(d, axis=1)]
        ranked = np.sort(d, axis=1)
        assert (ranked[:, 1] - ranked[:, 0] > 1e-6).all() or k1 != 6, "choose another seed"
        cases.append(
            dict(
                k1=k1, k2=k2, **{"lambda": share}, protocol="hid", distance=distance,
                **columns(data), probes=probes, gallery=gallery,
                distances=[[round(v, 9) for v in row] for row in d.tolist()],
                nearest=[[data["conditions"][i], s] for i, s in zip(probes, nearest)],
            )
        )
    return cases


def write(name, cases):
    FIXTURES.mkdir(parents=True, exist_ok=True)
    lines = ",\n".join(json.dumps(c, separators=(",", ":")) for c in cases)
    (FIXTURES / f"{name}.json").write_text(f"[\n{lines}\n]\n")
    for c in cases:
        about = c.get("groups", c.get("nearest"))
        figures = [g.get("values", g) for g in about.values()] if isinstance(about, dict) else about
        print(c["protocol"], c["distance"], c["shape"], figures)


if __name__ == "__main__":
    write("casia_b", casia_b(seed=1))
    write("leave_one_out", leave_one_out(seed=2))
    write("ou_mvlp", ou_mvlp(seed=3))
    write("grew", grew(seed=4))
    write("gait3d", gait3d(seed=5))
    write("casia_e", casia_e(seed=6))
    write("sustech1k", sustech1k(seed=7))
    write("ccpg", ccpg(seed=8))
    write("verification", verification(seed=9))
    write("rerank", rerank(seed=10))
