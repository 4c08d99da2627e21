"""Prints the tables of gpu.sh: times from the JSON of `gaitgl bench` and bench_torch.py, kernels from CubeCL's log.

    python gpu_report.py times bench-*.json
    python gpu_report.py kernels kernels.log
"""
import collections
import json
import pathlib
import re
import sys

UNITS = {"ns": 1e-6, "µs": 1e-3, "ms": 1.0, "s": 1e3}


def times(paths):
    """One row per case, program, device and precision. A ratio above 1 means faster than PyTorch."""
    rows, torch = [], {}
    for path in map(pathlib.Path, paths):
        report = json.loads(path.read_text())
        program = path.name.split("-")[1]
        card = path.with_suffix(".mib")
        for case in report["cases"]:
            rows.append((case["name"], report["precision"], program, report, case["seconds"], card))
            if program == "pytorch":
                torch[case["name"], report["precision"]] = case["seconds"]
    print("| case | precision | program, device | s | PyTorch's time / this | its device memory | the card's, in use | its host memory |")
    print("|---|---|---|---|---|---|---|---|")
    for name, precision, program, report, seconds, card in sorted(rows, key=lambda row: row[:3]):
        theirs = torch.get((name, precision))
        cells = [
            name,
            precision,
            f"{program}, {report['device']}",
            f"{seconds:.4f}",
            f"{theirs / seconds:.2f}" if theirs else "",
            mega(report.get("device_bytes")),
            f"{card.read_text().split()[-1]} MiB" if card.exists() else "",
            mega(report.get("peak_bytes")),
        ]
        print("| " + " | ".join(cells) + " |")


def mega(size):
    return f"{size / 1e6:.0f} MB" if size else ""


def kernels(path, count=12):
    """Sums the lines `| 12.3µs | name` by name. CubeCL's own summaries have more columns."""
    spent, runs = collections.Counter(), collections.Counter()
    for line in open(path, errors="replace"):
        found = re.search(r"\| ([\d.]+)(ns|µs|ms|s) *\| ([^|]+)$", line.rstrip("\n"))
        if found:
            name = found[3].strip()
            spent[name] += float(found[1]) * UNITS[found[2]]
            runs[name] += 1
    total = sum(spent.values()) or 1.0
    print("| kernel | runs | ms | share |\n|---|---|---|---|")
    for name, ms in spent.most_common(count):
        print(f"| `{name[:90]}` | {runs[name]} | {ms:.3f} | {100 * ms / total:.1f}% |")


if __name__ == "__main__":
    command, arguments = sys.argv[1], sys.argv[2:]
    times(arguments) if command == "times" else kernels(arguments[0])
