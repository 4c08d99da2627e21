"""The evaluators' half of compare_opengait.py: both programs score random embeddings.

Figures are compared digit by digit, as OpenGait prints them; ours are formatted with as many digits.
Figures that OpenGait returns without printing (Gait3D) are compared to four decimals.
"""

import contextlib
import csv
import json
import pathlib
import re
import sys

import numpy as np

CASIA_B = [f"nm-{i:02}" for i in range(1, 7)] + ["bg-01", "bg-02", "cl-01", "cl-02"]
ELEVEN = [f"{v:03}" for v in range(0, 181, 18)]
FOURTEEN = [f"{v:03}" for v in (*range(0, 91, 15), *range(180, 271, 15))]
CASIA_E = [
    f"{height}-{scene}-{walk}-{number}"
    for height in "HL"
    for scene in ("scene1", "scene2", "scene3", "scene3_s")
    for walk in ("nm", "bg", "cl")
    for number in (1, 2)
]
SUSTECH = ["00-nm", "01-nm", "01-bg", "02-cl", "01-cr-nt", "01-ub", "01-uf", "01-oc", "03-bg-oc"]
CCPG = ["U0_D0", "U0_D0_BG", "U0_D3", "U1_D0", "U1_D1", "U2_D2", "U3_D3"]


def people(seed, subjects, conditions, views, noise, keep=1.0, ties=0, shape=(16, 8)):
    """Noisy people, with a share `keep` of their sequences, sorted by name as in a DataSet and a prepared set.
    `ties` embeddings are copies of others."""
    rng = np.random.default_rng(seed)
    names = [(s, c, v) for s in sorted(subjects) for c in sorted(conditions) for v in sorted(views)]
    names = [name for name in names if rng.random() < keep]
    person = {s: rng.normal(size=shape) for s in subjects}
    seen = {v: 0.7 * noise * rng.normal(size=shape) for v in views}
    worn = {c: 0.3 * noise * rng.normal(size=shape) for c in conditions}
    x = [person[s] + seen[v] + worn[c] + noise * rng.normal(size=shape) for s, c, v in names]
    x = np.stack(x).astype(np.float32)
    for _ in range(ties):
        a, b = rng.integers(len(names), size=2)
        x[a] = x[b]
    return x, names


def without(data, drop):
    x, names = data
    kept = [i for i, name in enumerate(names) if not drop(*name)]
    return x[kept], [names[i] for i in kept]


def numbered(count, digits):
    return [f"{i:0{digits}}" for i in range(1, count + 1)]


def cases(seed):
    """Name, protocol, distance, data, OpenGait's function and its arguments."""
    casia = people(seed + 1, numbered(50, 3), CASIA_B, ELEVEN, 1.3)
    yield "CASIA-B, complete", "casia-b", "strips", casia, "evaluate_indoor_dataset", "CASIA-B", {}
    gaps = people(seed + 2, numbered(50, 3), CASIA_B, ELEVEN, 1.3, keep=0.93)
    gallery = CASIA_B[:4]
    gaps = without(gaps, lambda s, c, v: s in ("007", "021") and c in gallery)
    yield "CASIA-B, gaps", "casia-b", "strips", gaps, "evaluate_indoor_dataset", "CASIA-B", {}
    cosine = dict(metric="cos")
    yield "CASIA-B, gaps", "casia-b", "cosine", gaps, "evaluate_indoor_dataset", "CASIA-B", cosine
    cross = dict(cross_view_gallery=True)
    for name, data in ("complete", casia), ("gaps", gaps):
        name = f"CASIA-B cross-view, {name}"
        evaluate = "evaluate_indoor_dataset"
        yield name, "casia-b-cross-view", "strips", data, evaluate, "CASIA-B", cross
    ou = people(seed + 3, numbered(300, 5), ["00", "01"], FOURTEEN, 1.3, keep=0.92)
    yield "OU-MVLP, gaps", "ou-mvlp", "strips", ou, "evaluate_indoor_dataset", "OUMVLP", {}
    data = people(seed + 4, numbered(30, 3), CASIA_E, ["000", "045", "090", "270"], 1.3, keep=0.8)
    yield "CASIA-E, gaps", "casia-e", "strips", data, "evaluate_indoor_dataset", "CASIA-E", {}
    data = people(seed + 5, numbered(90, 4), SUSTECH, ["000", "045-far", "180"], 1.3, keep=0.95)
    yield "SUSTech1K, gaps", "sustech1k", "strips", data, "evaluate_indoor_dataset", "SUSTech1K", {}
    videos = ["a", "b"]
    data = people(seed + 6, numbered(300, 5), ["01", "02"], videos, 1.3, keep=0.7)
    yield "GREW, 02 against 01", "grew", "strips", data, "evaluate_real_scene", "GREW", {}
    data = people(
        seed + 7, numbered(200, 4), ["camid0_videoid1", "camid2_videoid2"], videos, 1.3, keep=0.8
    )
    for distance, metric in ("strips", "euc"), ("cosine", "cos"):
        yield "Gait3D", "gait3d", distance, data, "evaluate_Gait3D", "Gait3D", dict(metric=metric)
    data = people(seed + 8, numbered(60, 3), CCPG, ["01_0", "01_1", "04_0", "07_2"], 1.3, keep=0.8)
    for protocol in ("ccpg", "ccpg-reid"):
        yield "CCPG, gaps", protocol, "strips", data, "evaluate_CCPG", "CCPG", {}
    ties = people(seed + 9, numbered(50, 3), CASIA_B, ELEVEN, 1.3, ties=400)
    yield "CASIA-B, exact ties", "casia-b", "strips", ties, "evaluate_indoor_dataset", "CASIA-B", {}


# ---- OpenGait's half --------------------------------------------------------------------------


class Recorder:
    """Replaces the message manager and keeps the log."""

    def __init__(self):
        self.lines = []

    def log_info(self, line):
        self.lines.append(str(line))


def call(evaluator, function, data, dataset, options):
    """Calls an evaluator. Returns its log and its result."""
    recorder = Recorder()
    evaluator.get_msg_mgr = lambda: recorder
    x, names = data
    labels, kinds, views = (list(column) for column in zip(*names))
    given = dict(embeddings=x.copy(), labels=labels, types=kinds, views=views)
    returned = getattr(evaluator, function)(given, dataset, **options)
    return "\n".join(recorder.lines), returned


NUMBER = r"nan|-?\d+\.\d+"


def printed(text, returned, protocol):
    """Figures by (metric, group, view or None), as strings with the printed digits."""
    figures = {}
    if protocol in ("casia-b", "ou-mvlp", "casia-e", "sustech1k"):
        for group, rank, row in re.findall(r"(\w+)(?:@R(\d))?:\s*\[([^\]]*)\]", text):
            for at, value in enumerate(re.findall(NUMBER, row)):
                figures[f"rank{rank or 1}", group, at] = value
        for group, rank, value in re.findall(rf"(\w+)(?:@R(\d))?:\s*({NUMBER})%", text):
            figures[f"rank{rank or 1}", group, None] = value
    elif protocol == "casia-b-cross-view":
        tables = re.split(r"=+ (?:Rank@1 Acc|mAP) =+", text)[1:]
        for metric, table in zip(("rank1", "mAP"), tables):
            for group, row, mean in re.findall(rf"(\w+):\s*\[([^\]]*)\], mean: ({NUMBER})%", table):
                figures[metric, group, None] = mean
                for at, value in enumerate(re.findall(NUMBER, row) if metric == "rank1" else []):
                    figures[metric, group, at] = value
    elif protocol == "grew":
        for rank, value in re.findall(rf"==Rank-(\d+)==\s*({NUMBER})", text):
            figures[f"rank{rank}", "02", None] = value
    elif protocol == "gait3d":
        for key, value in returned.items():
            metric = key.split("/")[-1].replace("Rank-", "rank")
            figures[metric, "ALL", None] = f"{value:.4f}"
    else:
        parts = re.split(r"===(.*?)===", text)[1:]
        for title, body in zip(parts[::2], parts[1::2]):
            reid, of_views = "Re-Identification" in title, "each angle" in title
            if reid != (protocol == "ccpg-reid") or title.startswith("Rank-1 (Include"):
                continue
            metric = title.split(" ")[0].replace("Rank-", "rank")
            if of_views:
                for group, row in re.findall(r"(\w+): \[([^\]]*)\]", body):
                    for at, value in enumerate(re.findall(NUMBER, row)):
                        figures[metric, group, at] = value
            else:
                for group, value in re.findall(rf"(\w+): ({NUMBER})", body):
                    figures[metric, group, None] = value
    names = {"Umberalla": "Umbrella"}
    if protocol == "ou-mvlp":
        names["NM"] = "00"
    return {(m, names.get(g, g), at): value for (m, g, at), value in figures.items()}


# ---- our half ---------------------------------------------------------------------------------


def write(folder, data):
    x, names = data
    file = folder / "embeddings.npz"
    subject, condition, view = (np.array(column) for column in zip(*names))
    np.savez(file, embeddings=x, subject=subject, condition=condition, view=view)
    return file


def score(program, folder, data, protocol, distance, more=()):
    out = folder / "result.json"
    named = ["--protocol", protocol, "--distance", distance, "--json", out]
    program("test", "--embeddings", write(folder, data), *named, *more)
    return json.loads(out.read_text())


def figure(result, metric, group, view):
    if view is None:
        return result[metric][group]
    rows = result["views"][group]
    return rows[sorted(rows)[view]]


def compare_case(program, evaluator, folder, case, listed):
    name, protocol, distance, data, function, dataset, options = case
    text, returned = call(evaluator, function, data, dataset, options)
    theirs = printed(text, returned, protocol)
    ours = score(program, folder, data, protocol, distance, listed)
    metrics = [key for key in ours if key.startswith("rank") or key in ("mAP", "mINP")]
    theirs = {key: value for key, value in theirs.items() if key[0] in metrics}
    if not theirs:
        sys.exit(f"{name}: nothing is recognised in what OpenGait printed:\n{text}")
    equal, largest = 0, 0.0
    for (metric, group, view), value in theirs.items():
        found = figure(ours, metric, group, view)
        if found is None or value == "nan":
            equal += found is None and value == "nan"
            continue
        equal += f"{found:.{len(value.split('.')[1])}f}" == value
        largest = max(largest, abs(found - float(value)))
    heads = [float(v) for (m, _, at), v in theirs.items() if m == "rank1" and at is None]
    span = f"rank-1 {min(heads):.0f} to {max(heads):.0f}%"
    title = f"{name} ({protocol}, {distance})"
    print(f"  {title:56} {equal:4} of {len(theirs):4}  largest gap {largest:.4f}  {span}")
    return equal == len(theirs)


def submissions(program, evaluator, folder, seed):
    """Compares the rows of the competition files."""
    grew = people(seed + 10, numbered(120, 5), ["01", "02"], ["a"], 2.0)
    probes = people(seed + 11, ["probe"], ["03"], numbered(80, 4), 2.0)
    rng = np.random.default_rng(seed + 12)
    who = rng.integers(len(grew[0]), size=len(probes[0]))
    near = (grew[0][who] + 2.0 * rng.normal(size=probes[0].shape)).astype(np.float32)
    grew = (np.concatenate([grew[0], near]), grew[1] + probes[1])
    hid = people(seed + 13, numbered(150, 4), ["g"], ["default"], 1.0)
    who = rng.integers(len(hid[0]), size=120)
    near = (hid[0][who] + 1.5 * rng.normal(size=(120, *hid[0].shape[1:]))).astype(np.float32)
    # OpenGait expects HID's videos in the place of the views.
    hid = (np.concatenate([hid[0], near]), hid[1] + [("probe", "p", v) for v in numbered(120, 4)])
    ok = True
    for name, protocol, data in ("GREW", "grew", grew), ("HID", "hid", hid):
        with contextlib.redirect_stdout(None):
            call(evaluator, f"{name}_submission", data, name, {})
        theirs = max(pathlib.Path(f"{name}_result").glob("*.csv"), key=lambda f: f.stat().st_mtime)
        out = folder / f"{name}.csv"
        program(
            "test", "--embeddings", write(folder, data), "--protocol", protocol, "--submission", out
        )
        rows = [list(csv.reader(file.open())) for file in (out, theirs)]
        equal = sum(a == b for a, b in zip(*rows)) if len(rows[0]) == len(rows[1]) else -1
        print(f"  {name + ' submission':56} {equal:4} of {len(rows[1]):4}  rows, heading included")
        ok &= equal == len(rows[1])
    return ok


def compare(program, evaluator, folder, seed):
    """Runs all cases. Ties are shown but not counted, because OpenGait ranks them at random."""
    ok = True
    for case in cases(seed):
        name, protocol, data = case[0], case[1], case[3]
        listed = []
        if protocol == "gait3d":
            listed = ["--data", with_probes(program, folder, data[1])]
        same = compare_case(program, evaluator, folder, case, listed)
        ok &= same or name.endswith("ties")
    return submissions(program, evaluator, folder, seed) and ok


def with_probes(program, folder, names):
    """A prepared set whose partition lists one sequence of each subject as a probe."""
    probes = ["-".join(name) for name in {name[0]: name for name in names}.values()]
    partition = folder / "datasets/Gait3D/Gait3D.json"
    partition.parent.mkdir(parents=True, exist_ok=True)
    lists = {"TRAIN_SET": ["001"], "TEST_SET": ["002"], "PROBE_SET": probes}
    partition.write_text(json.dumps(lists))
    raw, prepared = folder / "two-people", folder / "two-people-prepared"
    if not raw.exists():
        program("synth", raw, "--subjects", 2, "--views", "90", "--frames", 10)
        program("prepare", raw, prepared, "--layout", "casia-b", "--partition", partition)
    return prepared
