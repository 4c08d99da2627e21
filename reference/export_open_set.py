"""Writes open-set error rates, computed with plain loops, to compare gait-eval with.

    python reference/export_open_set.py > crates/gait-eval/tests/fixtures/open_set.json
"""

import json
import math

import numpy as np

CHANNELS, STRIPS = 3, 2
SEQUENCES = [4, 3, 3, 2, 1, 1]


def distance(a, b):
    """Mean over strips of the Euclidean distance, of embeddings [c, p]."""
    return float(np.mean(np.sqrt(((a - b) ** 2).sum(axis=0))))


def main():
    generator = np.random.default_rng(7)
    subjects, rows = [], []
    for subject, count in enumerate(SEQUENCES):
        centre = generator.normal(size=(CHANNELS, STRIPS))
        for _ in range(count):
            subjects.append(str(subject))
            rows.append((centre + 0.6 * generator.normal(size=(CHANNELS, STRIPS))).astype(np.float32))

    def score(probe, subject):
        others = [i for i in range(len(rows)) if i != probe and subjects[i] == subject]
        return min((distance(rows[probe], rows[i]) for i in others), default=None)

    table = [{s: score(p, s) for s in sorted(set(subjects))} for p in range(len(rows))]
    genuine = [t[s] for t, s in zip(table, subjects) if t[s] is not None]
    impostors = [d for t, s in zip(table, subjects) for other, d in t.items() if other != s and d is not None]

    def named(scores, threshold, margin):
        """Who is named, given the score of each enrolled person."""
        ranked = sorted((d, s) for s, d in scores.items() if d is not None)
        best, second = ranked[0][0], ranked[1][0]
        clear = best < second and second - best >= margin * second
        return ranked[0][1] if best <= threshold and clear else None

    cases = []
    for threshold in [0.9, 1.2, 1.5, 1.8, 3.0]:
        for margin in [0.0, 0.2, 0.5]:
            strangers = [named({o: d for o, d in t.items() if o != s}, threshold, margin) for t, s in zip(table, subjects)]
            enrolled = [(named(t, threshold, margin), s) for t, s in zip(table, subjects) if t[s] is not None]
            cases.append({
                "threshold": threshold,
                "margin": margin,
                "far": sum(d <= threshold for d in impostors) / len(impostors),
                "frr": sum(d > threshold for d in genuine) / len(genuine),
                "fpir": sum(n is not None for n in strangers) / len(strangers),
                "fnir": sum(n != s for n, s in enrolled) / len(enrolled),
            })
    # At a rate the threshold lies just below the first distance that must be refused.
    thresholds = [
        {"far": far, "refused": sorted(impostors)[math.floor(far * len(impostors) + 1e-9)]}
        for far in [0.05, 0.1, 0.5]
    ]
    print(json.dumps({
        "channels": CHANNELS,
        "strips": STRIPS,
        "subjects": subjects,
        "values": [float(v) for row in rows for v in row.reshape(-1)],
        "genuine": len(genuine),
        "impostors": len(impostors),
        "rates": cases,
        "thresholds": thresholds,
    }, indent=1))


if __name__ == "__main__":
    main()
