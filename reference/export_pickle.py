"""Writes the golden pickles of gait-data: numpy arrays, pickled by numpy itself.

    python reference/export_pickle.py crates/gait-data/tests/fixtures

Needs numpy only. Run it once with numpy 1 and once with numpy 2 (made with 1.26.4 and 2.4.6,
Python 3.11). The two versions write different module names, and each run writes its own files.

opengait/ (written with numpy 2): a tree in OpenGait's format with valid and invalid sequences. Their
elements follow the rule below.

pickles/KIND.pPROTOCOL.npMAJOR.pkl: the array of every kind except the last ones is uint8 [3, 5, 4] with
element [t, h, w] = (t * 101 + h * 17 + w * 5 + 3) mod 256, so that the lengths differ and some values are
above 127.
"""

import pathlib
import pickle
import sys

import numpy as np


def silhouettes(shape=(3, 5, 4)):
    t, h, w = np.ogrid[tuple(slice(n) for n in shape)]
    return ((t * 101 + h * 17 + w * 5 + 3) % 256).astype(np.uint8)


def kinds():
    array = silhouettes()
    yield "plain", array
    yield "fortran", np.asfortranarray(array)
    # Rows and frames are swapped in memory: neither C nor Fortran order.
    yield "transposed", np.ascontiguousarray(array.transpose(1, 0, 2)).transpose(1, 0, 2)
    yield "sliced", np.repeat(array, 2, axis=2)[:, :, ::2]
    read_only = array.copy()
    read_only.flags.writeable = False
    yield "read-only", read_only
    yield "list", [frame.copy() for frame in array]
    yield "empty", array[:0]
    yield "float", array.astype(np.float32) / 255
    yield "boolean", array > 127
    yield "object", np.array([array[0], None], dtype=object)
    yield "text", "silhouettes"


def tree():
    plain = silhouettes((3, 64, 64))
    yield "001/nm-01/000/000.pkl", plain, 4
    yield "001/nm-02/000/000.pkl", silhouettes((2, 64, 44)), 2
    yield "002/nm-01/000/000-aligned-sils.pkl", plain, 5
    yield "002/nm-01/000/000-ratios.pkl", np.ones(3), 4
    yield "002/nm-01/000/000-sils.pkl", 255 - plain, 4
    yield "002/nm-02/000/000.pkl", list(silhouettes((2, 64, 64))), 3
    yield "003/nm-01/000/000.pkl", silhouettes((1, 64, 64)).astype(np.float32), 4
    yield "003/nm-02/000/000.pkl", silhouettes((1, 64, 50)), 4
    yield "003/nm-03/000/000.pkl", silhouettes((1, 128, 128)), 4
    yield "003/nm-04/000/000.pkl", plain[0], 4
    yield "003/nm-05/000/000.pkl", plain[:0], 4


def main():
    root = pathlib.Path(sys.argv[1])
    out = root / "pickles"
    out.mkdir(parents=True, exist_ok=True)
    major = np.__version__.split(".")[0]
    if major == "2":
        for name, value, protocol in tree():
            path = root / "opengait" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(pickle.dumps(value, protocol))
    for kind, value in kinds():
        for protocol in range(2, 6):
            path = out / f"{kind}.p{protocol}.np{major}.pkl"
            path.write_bytes(pickle.dumps(value, protocol))


if __name__ == "__main__":
    main()
