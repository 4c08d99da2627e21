"""Writes the golden values of gait-data: silhouettes aligned and images decoded by OpenCV.

    python reference/export_alignment.py crates/gait-data/tests/fixtures

Needs numpy, pyarrow and opencv-python-headless (made with 5.0.0 on x86-64). The seed is fixed.

alignment.zst contains little-endian records, compressed with zstd: u32 size, height, width, status (0
aligned, 1 too faint); the image [height, width]; and if the status is 0, two images [size, size]: aligned
with OpenCV as its wheel is, and with its optimised paths (Intel's library) switched off.

resized.zst and halved.zst have the same form for images that are already aligned: resized from any size
with cubic interpolation, and halved with OpenCV's default, linear interpolation.

images/ holds small files of every kind. Next to each is what OpenCV reads from it: u32 height, width,
then the grey values.
"""

import pathlib
import struct
import sys

import cv2
import numpy as np

FAINTEST_SUM = 10_000


def align(image, size):
    """Aligns one silhouette as OpenGait's preparation does, step by step. None if it is too faint."""
    if image.sum() <= FAINTEST_SUM:
        return None
    rows = np.flatnonzero(image.sum(axis=1))
    image = image[rows[0] : rows[-1] + 1]
    width = int(size * (image.shape[1] / image.shape[0]))
    image = cv2.resize(image, (width, size), interpolation=cv2.INTER_CUBIC)
    passed = image.sum(axis=0, dtype=np.int64).cumsum()
    centre = int(np.flatnonzero(passed > image.sum() / 2)[0])
    left, right = centre - size // 2, centre + size // 2
    if left <= 0 or right >= width:
        image = np.pad(image, ((0, 0), (size // 2, size // 2)))
        left, right = left + size // 2, right + size // 2
    return image[:, left:right]


def walker(rng, height, width, centre):
    """A blob of ellipses, head above trunk above legs, around a centre column."""
    image = np.zeros((height, width), np.uint8)
    top = int(rng.integers(0, height // 4 + 1))
    tall = int(rng.integers(height // 2, height - top + 1))
    parts = [(0.08, 0.07, 0.08), (0.35, 0.12, 0.24), (0.75, 0.06, 0.26), (0.78, 0.05, 0.24)]
    for down, wide, high in parts:
        x = centre + int(rng.normal(0, 0.05) * tall)
        axes = (max(1, int(wide * tall)), max(1, int(high * tall)))
        cv2.ellipse(image, (x, top + int(down * tall)), axes, rng.uniform(-15, 15), 0, 360, 255, -1)
    ragged = rng.random(image.shape) < 0.02
    image[ragged & (cv2.dilate(image, np.ones((3, 3), np.uint8)) > 0)] ^= 255
    return image


def frames(rng):
    """(size, image) of every case."""
    for _ in range(30):  # odd sizes, anywhere in the frame
        height, width = (int(n) * 2 + 1 for n in rng.integers(20, 130, 2))
        yield 64, walker(rng, height, width, int(rng.integers(0, width)))
    for at in (0.0, 0.02, 0.1, 0.5, 0.9, 0.98, 1.0):  # a CASIA-B frame, up to its edges
        yield 64, walker(rng, 240, 320, int(at * 319))
    for height, width in ((200, 33), (151, 21), (90, 45), (64, 64), (301, 17)):  # padded
        yield 64, walker(rng, height, width, width // 2)
    for height, width in ((41, 300), (60, 401), (33, 97)):  # wide
        yield 64, walker(rng, height, width, int(rng.integers(0, width)))
    for height, width in ((20, 31), (25, 19), (64, 44)):  # enlarged
        yield 64, np.full((height, width), 255, np.uint8)
    for height, width in ((71, 53), (130, 77), (48, 48), (64, 61), (37, 90)):  # grey
        yield 64, rng.integers(0, 256, (height, width)).astype(np.uint8)
    for height, width in ((150, 121), (260, 181), (77, 90)):  # Gait3D's size
        yield 128, walker(rng, height, width, int(rng.integers(0, width)))
    speck = np.zeros((50, 40), np.uint8)
    speck[10, :39] = 255  # 9945
    yield 64, speck.copy()
    speck[9, 0] = 55  # exactly 10000
    yield 64, speck.copy()
    speck[9, 1] = 1
    yield 64, speck
    yield 64, np.zeros((30, 20), np.uint8)


def aligned_frames(rng):
    """(size, image) of frames that are already aligned, of any size."""
    for height, width in ((64, 64), (128, 128), (96, 96), (63, 65), (200, 150), (31, 47)):
        yield 64, walker(rng, height, width, width // 2)
    for height, width in ((128, 128), (77, 90)):  # grey
        yield 64, rng.integers(0, 256, (height, width)).astype(np.uint8)
    yield 128, walker(rng, 201, 201, 100)


def twice_as_large(rng):
    """(size, image) of frames of twice the size."""
    yield 64, walker(rng, 128, 128, 64)
    yield 64, rng.integers(0, 256, (128, 128)).astype(np.uint8)


def resize(image, size):
    return cv2.resize(image, (size, size), interpolation=cv2.INTER_CUBIC)


def halve(image, size):
    return cv2.resize(image, (size, size))


def write_records(path, frames, align):
    import pyarrow  # Not at the top, because bench_prepare.py does not need it.

    records = b""
    for size, image in frames:
        wheel = align(image, size)
        records += struct.pack("<4I", size, *image.shape, 0 if wheel is not None else 1)
        records += image.tobytes()
        if wheel is not None:
            cv2.setUseOptimized(False)
            plain = align(image, size)
            cv2.setUseOptimized(True)
            records += wheel.tobytes() + plain.tobytes()
    codec = pyarrow.Codec("zstd", 19)
    path.write_bytes(codec.compress(records, asbytes=True))


def bitmap(image, bits):
    """A palette BMP of 1 or 8 bits per pixel; the palette of 1 bit is grey 0 and 255."""
    height, width = image.shape
    if bits == 1:
        packed = np.packbits(image > 127, axis=1)
        palette = bytes([0, 0, 0, 0, 255, 255, 255, 0])
    else:
        packed, palette = image, bytes(b for v in range(256) for b in (v, 255 - v, v // 2, 0))
    packed = np.pad(packed, ((0, 0), (0, -packed.shape[1] % 4)))[::-1]
    start = 54 + len(palette)
    head = struct.pack("<2sIHHI", b"BM", start + packed.size, 0, 0, start)
    info = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, 0, packed.size, 0, 0, 2**bits, 0)
    return head + info + palette + packed.tobytes()


def write_images(folder, rng):
    folder.mkdir(exist_ok=True)
    grey = rng.integers(0, 256, (21, 34)).astype(np.uint8)
    colour = rng.integers(0, 256, (21, 34, 3)).astype(np.uint8)
    alpha = rng.integers(0, 256, (21, 34, 4)).astype(np.uint8)
    deep = rng.integers(0, 65536, (21, 34, 3)).astype(np.uint16)
    smooth = cv2.GaussianBlur(colour, (0, 0), 3)
    files = {
        "grey.png": cv2.imencode(".png", grey)[1],
        "one-bit.png": cv2.imencode(".png", grey, [cv2.IMWRITE_PNG_BILEVEL, 1])[1],
        "colour.png": cv2.imencode(".png", colour)[1],
        "alpha.png": cv2.imencode(".png", alpha)[1],
        "deep-grey.png": cv2.imencode(".png", deep[..., 0])[1],
        "deep-colour.png": cv2.imencode(".png", deep)[1],
        "one-bit.bmp": np.frombuffer(bitmap(grey, 1), np.uint8),
        "palette.bmp": np.frombuffer(bitmap(grey, 8), np.uint8),
        "colour.bmp": cv2.imencode(".bmp", colour)[1],
        "grey.jpg": cv2.imencode(".jpg", smooth[..., 0])[1],
        "colour.JPEG": cv2.imencode(".jpg", smooth)[1],
    }
    for name, data in files.items():
        (folder / name).write_bytes(data.tobytes())
        read = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE)
        (folder / (name + ".grey")).write_bytes(struct.pack("<2I", *read.shape) + read.tobytes())


if __name__ == "__main__":
    out = pathlib.Path(sys.argv[1])
    write_records(out / "alignment.zst", frames(np.random.default_rng(7)), align)
    write_records(out / "resized.zst", aligned_frames(np.random.default_rng(9)), resize)
    write_records(out / "halved.zst", twice_as_large(np.random.default_rng(10)), halve)
    write_images(out / "images", np.random.default_rng(8))
