"""Golden values of the test protocols, computed with numpy from random embeddings.

    python reference/export_protocol.py

writes crates/gait-eval/tests/fixtures/*.json. Protocols are restated here, not read from
protocols/, and everything is done the plain way: full distance matrices in double precision,
stable sorting, loops. Embeddings have another size on every axis, ties between people (copied
embeddings), missing views, missing gallery identities.
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
    """Noisy people, of whom a share `keep` of the sequences is left; `ties` copied embeddings."""
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
    """The data less the sequences for which drop(subject, condition, view)."""
    names = zip(data["subjects"], data["conditions"], data["views"])
    kept = [i for i, name in enumerate(names) if not drop(*name)]
    lists = {k: [data[k][i] for i in kept] for k in ("subjects", "conditions", "views")}
    return dict(x=data["x"][kept], **lists)


# ---- distances --------------------------------------------------------------------------------


def distances(x, y, distance):
    """[n, c, p] and [m, c, p] -> [n, m]; rounded, so that equal embeddings tie exactly."""
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
    # Single precision must be able to see every difference that is none of the intended ties.
    assert not ((gaps > 0) & (gaps < 2e-6)).any(), "choose another seed"
    return d


# ---- metrics ----------------------------------------------------------------------------------


def score(d, right, metric):
    """Of one probe: distances and correctness of what it is compared with, in gallery order."""
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


# ---- protocols --------------------------------------------------------------------------------


def chosen(data, conditions):
    return [i for i, c in enumerate(data["conditions"]) if conditions is None or c in conditions]


def group_scores(data, distance, metrics, probes, gallery, compared, skip_unmatched=False):
    """Per probe and metric the score against those of the gallery that `compared` allows."""
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


def by_view_pairs(data, distance, metrics, groups, exclude, skip_unmatched=False):
    """groups: name -> (probe indices, gallery indices). Each probe view against each gallery view."""
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
                cells[pv, gv] = [mean(column) for column in zip(*scores)]
        rows = {}
        for pv in sorted({pv for pv, _ in cells}):
            of = [cell for (v, _), cell in cells.items() if v == pv]
            rows[pv] = [mean(column) for column in zip(*of)]
        result[name] = dict(
            values=[percent(mean(row[m] for row in rows.values())) for m in range(len(metrics))],
            views={v: [percent(x) for x in row] for v, row in rows.items()},
            pairs=[[pv, gv, *map(percent, cell)] for (pv, gv), cell in cells.items()],
        )
    return result


def by_view(data, distance, metrics, groups):
    """Each probe view against everyone, less the probe's own subject in the probe's own view."""
    views, subjects = data["views"], data["subjects"]
    result = {}
    for name, (probes, gallery) in groups.items():
        compared = lambda i, j: views[i] != views[j] or subjects[i] != subjects[j]
        scores = group_scores(data, distance, metrics, probes, gallery, compared)
        rows = {}
        for v in sorted({views[i] for i in probes}):
            of = [s for s, i in zip(scores, probes) if views[i] == v]
            rows[v] = [mean(column) for column in zip(*of)]
        result[name] = dict(
            values=[percent(mean(row[m] for row in rows.values())) for m in range(len(metrics))],
            views={v: [percent(x) for x in row] for v, row in rows.items()},
        )
    return result


def by_probe(data, distance, metrics, groups, compared, skip_unmatched):
    result = {}
    for name, (probes, gallery) in groups.items():
        scores = group_scores(data, distance, metrics, probes, gallery, compared, skip_unmatched)
        result[name] = dict(values=[percent(mean(column)) for column in zip(*scores)], views={})
    return result


# ---- cases ------------------------------------------------------------------------------------


def case(protocol, distance, data, metrics, groups, **more):
    n, c, p = data["x"].shape
    columns = {k: data[k] for k in ("subjects", "conditions", "views")}
    return dict(
        protocol=protocol,
        distance=distance,
        shape=[n, c, p],
        values=[round(float(v), 4) for v in data["x"].ravel()],
        **columns,
        metrics=metrics,
        groups=groups,
        mean=[mean(g["values"][m] for g in groups.values()) for m in range(len(metrics))],
        **more,
    )


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
    # Subject 077 has no gallery, bags were never seen from 018, nothing in the gallery from 180.
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


def write(name, cases):
    FIXTURES.mkdir(parents=True, exist_ok=True)
    lines = ",\n".join(json.dumps(c, separators=(",", ":")) for c in cases)
    (FIXTURES / f"{name}.json").write_text(f"[\n{lines}\n]\n")
    for c in cases:
        print(c["protocol"], c["distance"], c["shape"], [g["values"] for g in c["groups"].values()])


if __name__ == "__main__":
    write("casia_b", casia_b(seed=1))
    write("leave_one_out", leave_one_out(seed=2))
