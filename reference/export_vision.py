"""Draws a walking figure, and writes what the two networks in crates/gait-vision/models find in it:
golden values for crates/gait-vision/tests/. Boxes are decoded here once more, in numpy. A tiny network with
the outputs of YOLOX stands for a user's own detector.

    python reference/export_vision.py      # numpy, onnx, onnxruntime, opencv-python-headless
"""

import json
import pathlib

import cv2
import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

CRATE = pathlib.Path(__file__).resolve().parent.parent / "crates/gait-vision"
SIZE = 300
# Drawn this much larger, then shrunk.
FINE = 4
PERSON = 4
# The square of the body mask and a box from which it follows: 1.25 * 204.8 = 256.
CENTRE, SQUARE = (150, 150), 256
BOX = (90, CENTRE[1] - SQUARE / 2.5, 210, CENTRE[1] + SQUARE / 2.5)

SKIN, HAIR = (0.85, 0.65, 0.53), (0.2, 0.13, 0.08)
SHIRT, TROUSERS, SHOES = (0.7, 0.15, 0.15), (0.15, 0.2, 0.4), (0.1, 0.1, 0.1)


def figure():
    """[300, 300, 3] RGB: a person in a red shirt who walks to the right."""
    height = np.linspace(0, 1, SIZE * FINE, dtype=np.float32)[:, None]
    image = np.stack([0.75 - 0.2 * height, 0.8 - 0.25 * height, 0.9 - 0.35 * height], -1)
    image = np.repeat(image, SIZE * FINE, 1)
    image[int(0.62 * SIZE * FINE) :] = (0.42, 0.45, 0.38)

    def fine(*values):
        return tuple(FINE * value for value in values)

    def limb(points, width, colour, shade=1.0):
        for start, end in zip(points, points[1:]):
            cv2.line(image, fine(*start), fine(*end), [shade * c for c in colour], FINE * width, cv2.LINE_AA)

    def oval(centre, radii, colour):
        cv2.ellipse(image, fine(*centre), fine(*radii), 0, 0, 360, colour, -1, cv2.LINE_AA)

    oval((150, 252), (45, 6), (0.3, 0.33, 0.28))
    limb([(146, 155), (128, 200)], 20, TROUSERS, 0.8)
    limb([(128, 200), (116, 243)], 15, TROUSERS, 0.8)
    limb([(112, 247), (128, 249)], 10, SHOES)
    limb([(150, 95), (166, 128)], 13, SHIRT, 0.8)
    limb([(166, 128), (176, 150)], 9, SKIN)
    limb([(154, 155), (170, 200)], 20, TROUSERS)
    limb([(170, 200), (182, 243)], 15, TROUSERS)
    limb([(180, 248), (198, 249)], 10, SHOES)
    oval((150, 122), (21, 40), SHIRT)
    oval((150, 92), (22, 12), SHIRT)
    limb([(148, 95), (132, 130)], 14, SHIRT, 1.1)
    limb([(132, 130), (128, 156)], 10, SKIN)
    limb([(150, 82), (150, 72)], 12, SKIN)
    oval((151, 62), (13, 16), SKIN)
    oval((149, 55), (14, 11), HAIR)
    image = cv2.resize(image, (SIZE, SIZE), interpolation=cv2.INTER_AREA)
    return (image.clip(0, 1) * 255 + 0.5).astype(np.uint8)


def run(name, image, low, high):
    session = onnxruntime.InferenceSession(CRATE / "models" / name, providers=["CPUExecutionProvider"])
    values = low + (high - low) * image.astype(np.float32) / 255
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, {"image": values.transpose(2, 0, 1)[None]})))


def anchors():
    """Centre x, centre y, width and height of SSD MobileNetV2's 1917 anchors."""
    cells = (19, 10, 5, 3, 2, 1)
    scales = [*np.linspace(0.2, 0.95, 6), 1.0]
    for layer, n in enumerate(cells):
        scale, next_scale = scales[layer : layer + 2]
        shapes = [(scale, ratio) for ratio in (1, 2, 1 / 2, 3, 0.3333)] + [((scale * next_scale) ** 0.5, 1)]
        if layer == 0:
            shapes = [(0.1, 1), (0.2, 2), (0.2, 1 / 2)]
        for y in range(n):
            for x in range(n):
                yield from (((x + 0.5) / n, (y + 0.5) / n, s * r**0.5, s / r**0.5) for s, r in shapes)


def best_boxes(image, count):
    """The boxes with the highest scores before any selection, as rows of left, top, right, bottom, score."""
    outputs = run("ssd-mobilenet-v2.onnx", image, -1, 1)
    ax, ay, aw, ah = np.array(list(anchors())).T
    y, x, h, w = outputs["boxes"][0].T
    x, y = x / 10 * aw + ax, y / 10 * ah + ay
    w, h = np.exp(w / 5) * aw, np.exp(h / 5) * ah
    score = 1 / (1 + np.exp(-outputs["logits"][0, :, PERSON]))
    rows = np.stack([x - w / 2, y - h / 2, x + w / 2, y + h / 2, score / SIZE], -1) * SIZE
    return rows[np.argsort(-score)[:count]]


def floats(rows):
    return [[float(value) for value in row] for row in rows]


def mask_facts(image):
    left, top = (c - SQUARE // 2 for c in CENTRE)
    outputs = run("blazepose-lite.onnx", image[top : top + SQUARE, left : left + SQUARE], 0, 1)
    # At 50 the logistic function is 1 in f32.
    mask = 1 / (1 + np.exp(-outputs["mask"][0, 0].clip(-50, 50)))
    rows, columns = np.nonzero(mask > 0.5)
    return {
        "presence": float(outputs["presence"][0, 0]),
        "sum": float(mask.sum()),
        "rows": [int(rows.min()), int(rows.max())],
        "columns": [int(columns.min()), int(columns.max())],
        "centre": [float(columns.mean()), float(rows.mean())],
        "row_sums": [float(v) for v in mask.sum(1)[::16]],
    }


def tiny_yolox(path):
    """A network of random weights: [1, 3, 32, 40] to [1, 5 * 4 + 2 * 2, 7], with strides 8 and 16."""
    rng = np.random.default_rng(3)
    nodes, weights, parts = [], [], []

    def node(operator, inputs, output, **attributes):
        nodes.append(helper.make_node(operator, inputs, [output], **attributes))
        return output

    def constant(values, name):
        weights.append(numpy_helper.from_array(values, name))
        return name

    for stride in (8, 16):
        # With every attribute, as PyTorch writes them.
        attributes = {"kernel_shape": [stride] * 2, "strides": [stride] * 2, "dilations": [1, 1], "pads": [0] * 4}
        kernel = rng.normal(size=(7, 3, stride, stride)).astype(np.float32) / (stride * 200)
        x = node("Conv", ["images", constant(kernel, f"w{stride}")], f"c{stride}", **attributes)
        x = node("Reshape", [x, constant(np.array([0, 7, -1]), f"s{stride}")], f"r{stride}")
        parts.append(node("Transpose", [x], f"t{stride}", perm=[0, 2, 1]))
    x = node("Concat", parts, "cells", axis=1)
    begin, middle, end, axis = (constant(np.array([i]), f"i{i}") for i in (0, 4, 7, 2))
    box = node("Slice", [x, begin, middle, axis], "box")
    scores = node("Slice", [x, middle, end, axis], "scores")
    node("Concat", [box, node("Sigmoid", [scores], "probabilities")], "output", axis=2)
    images = helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, 32, 40])
    output = helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, 24, 7])
    graph = helper.make_graph(nodes, "tiny", [images], [output], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    path.write_bytes(model.SerializeToString(deterministic=True))


def yolox_boxes(path, image):
    """Boxes of class 1 in a [24, 40, 3] picture, padded below by grey 114, the highest score first."""
    padded = np.full((32, 40, 3), 114, np.float32)
    padded[:24] = image[:, :, ::-1]
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    output, = session.run(None, {"images": padded.transpose(2, 0, 1)[None]})
    grids = [(x, y, stride) for stride in (8, 16) for y in range(32 // stride) for x in range(40 // stride)]
    x, y, stride = np.array(grids).T
    row = output[0].T
    x, y = (row[0] + x) * stride, (row[1] + y) * stride
    w, h = np.exp(row[2]) * stride, np.exp(row[3]) * stride
    rows = np.stack([x - w / 2, y - h / 2, x + w / 2, y + h / 2, row[4] * row[6]], -1)
    return rows[np.argsort(-rows[:, 4])]


def main():
    image = figure()
    fixtures = CRATE / "tests/fixtures"
    fixtures.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(fixtures / "figure.png"), cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_PNG_COMPRESSION, 9])
    tiny_yolox(fixtures / "tiny-yolox.onnx")
    golden = {
        "boxes": floats(best_boxes(image, 8)),
        "mask_box": BOX,
        "mask": mask_facts(image),
        # A part of the figure with its head.
        "yolox": floats(yolox_boxes(fixtures / "tiny-yolox.onnx", image[40:64, 130:170])),
    }
    (fixtures / "figure.json").write_text(json.dumps(golden, indent=2) + "\n")


if __name__ == "__main__":
    main()
