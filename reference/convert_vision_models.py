"""Makes the two ONNX files in crates/gait-vision/models from the TensorFlow Lite files that MediaPipe's npm
packages contain (Apache-2.0): SSD MobileNetV2, trained on Open Images, and the lite network of BlazePose.

    python reference/convert_vision_models.py OUT [--images FOLDER]

Needs npm, and from PyPI: ai-edge-litert, numpy, onnx, onnxruntime, opencv-python-headless, tflite.

The weights stay the 16-bit floats that they are in the originals; a Cast before each use makes them f32, so
that no engine has to know them. Images enter as [n, 3, height, width] with any number n. The script prints
the largest differences between the original in LiteRT and the result in ONNX Runtime, on noise and on the
pictures in FOLDER, and fails if they are large. The same versions of onnx and numpy write the same bytes.
"""

import argparse
import hashlib
import json
import pathlib
import re
import subprocess
import tarfile
import tempfile

import cv2
import numpy as np
import onnx
import onnxruntime
import tflite
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from onnx import TensorProto, helper, numpy_helper

DETECTOR = {
    "file": "ssd-mobilenet-v2.onnx",
    "package": "@mediapipe/objectron@0.4.1675468480",
    "member": "object_detection_ssd_mobilenetv2_oidv4_fp16.tflite",
    "sha256": "d0a5255bf8c4f5a0bc4240741a76c41d5e939f7655078f945f50ab53a9375da6",
    # Boxes relative to their anchors, and a logit per class.
    "outputs": {0: "boxes", 1: "logits"},
    "range": (-1.0, 1.0),
}
BODY_MASK = {
    "file": "blazepose-lite.onnx",
    "package": "@mediapipe/pose@0.5.1675469404",
    "member": "pose_landmark_lite.tflite",
    "sha256": "f17bfbecadb61c3be1baa8b8d851cc6619c870a87167b32848ad20db306b9d61",
    # The heat maps and the landmarks in metres are left out, with the layers that only they need.
    "outputs": {0: "landmarks", 1: "presence", 2: "mask"},
    "range": (0.0, 1.0),
}
# Differences allowed, relative to the largest value of an output. BlazePose amplifies the order of f32 sums:
# the masks of LiteRT's own sets of kernels differ by up to 8e-4.
TOLERANCE = 1e-3

OPERATORS = {value: name for name, value in vars(tflite.BuiltinOperator).items() if isinstance(value, int)}
TYPES = {
    tflite.TensorType.FLOAT32: np.float32,
    tflite.TensorType.FLOAT16: np.float16,
    tflite.TensorType.INT32: np.int32,
}


class Converter:
    """One TensorFlow Lite graph on its way to ONNX. Maps of features are [n, c, h, w] inside."""

    def __init__(self, data):
        self.model = tflite.Model.GetRootAsModel(data, 0)
        self.graph = self.model.Subgraphs(0)
        self.tensors = [self.graph.Tensors(i) for i in range(self.graph.TensorsLength())]
        self.constants = {i: value for i, t in enumerate(self.tensors) if (value := self.constant(t)) is not None}
        self.nodes = []
        self.initializers = []
        # The ONNX name of each tensor so far.
        self.names = {}

    def constant(self, tensor):
        buffer = self.model.Buffers(tensor.Buffer())
        if not buffer.DataLength():
            return None
        values = np.frombuffer(buffer.DataAsNumpy().tobytes(), TYPES[tensor.Type()])
        return values.reshape(tensor.ShapeAsNumpy())

    def shape(self, index):
        return [int(size) for size in self.tensors[index].ShapeAsNumpy()]

    def node(self, operator, inputs, output, **attributes):
        self.nodes.append(helper.make_node(operator, inputs, [output], **attributes))
        return output

    def initializer(self, values, name):
        self.initializers.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def weights(self, values, name):
        assert values.dtype == np.float16, name
        return self.node("Cast", [self.initializer(values, f"{name}.f16")], name, to=TensorProto.FLOAT)

    def activation(self, kind, x, output):
        if kind == tflite.ActivationFunctionType.RELU:
            return self.node("Relu", [x], output)
        assert kind == tflite.ActivationFunctionType.RELU6, kind
        bounds = [self.initializer(np.float32(b), f"{output}.{b}") for b in (0, 6)]
        return self.node("Clip", [x, *bounds], output)

    def with_activation(self, operator, inputs, output, kind, **attributes):
        if kind == tflite.ActivationFunctionType.NONE:
            return self.node(operator, inputs, output, **attributes)
        x = self.node(operator, inputs, f"{output}.sum", **attributes)
        return self.activation(kind, x, output)

    def convert(self, outputs):
        """The model with these outputs, a dict from number to name."""
        source = int(self.graph.InputsAsNumpy()[0])
        _, height, width, channels = self.shape(source)
        self.names[source] = "image"
        for number in range(self.graph.OperatorsLength()):
            self.operator(self.graph.Operators(number), f"t{number}")
        results = []
        for number, name in outputs.items():
            index = int(self.graph.OutputsAsNumpy()[number])
            self.node("Identity", [self.names[index]], name)
            results.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", *channels_first(self.shape(index))[1:]]))
        image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", channels, height, width])
        return self.model_of(image, results)

    def model_of(self, image, results):
        wanted = {result.name for result in results}
        kept = []
        for node in reversed(self.nodes):
            if wanted.intersection(node.output):
                kept.insert(0, node)
                wanted.update(node.input)
        weights = [values for values in self.initializers if values.name in wanted]
        graph = helper.make_graph(kept, "graph", [image], results, weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], producer_name="", ir_version=8)
        onnx.checker.check_model(model, full_check=True)
        return model.SerializeToString(deterministic=True)

    def operator(self, operator, output):
        code = self.model.OperatorCodes(operator.OpcodeIndex())
        name = OPERATORS[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())]
        inputs = [int(i) for i in operator.InputsAsNumpy()]
        result = int(operator.OutputsAsNumpy()[0])

        def options(kind):
            value = kind()
            value.Init(operator.BuiltinOptions().Bytes, operator.BuiltinOptions().Pos)
            return value

        if name == "DEQUANTIZE":
            self.constants[result] = self.constants[inputs[0]]
            return
        convert = getattr(self, f"op_{name.lower()}")
        self.names[result] = convert(inputs, result, output, options)

    def op_conv_2d(self, inputs, _, output, options):
        weights = self.constants[inputs[1]].transpose(0, 3, 1, 2)
        return self.convolution(inputs, weights, 1, output, options(tflite.Conv2DOptions))

    def op_depthwise_conv_2d(self, inputs, _, output, options):
        weights = self.constants[inputs[1]].transpose(3, 0, 1, 2)
        return self.convolution(inputs, weights, weights.shape[0], output, options(tflite.DepthwiseConv2DOptions))

    def convolution(self, inputs, weights, group, output, options):
        strides = [options.StrideH(), options.StrideW()]
        dilations = [options.DilationHFactor(), options.DilationWFactor()]
        kernel = list(weights.shape[2:])
        return self.with_activation(
            "Conv",
            [
                self.names[inputs[0]],
                self.weights(weights, f"{output}.weight"),
                self.weights(self.constants[inputs[2]], f"{output}.bias"),
            ],
            output,
            options.FusedActivationFunction(),
            kernel_shape=kernel,
            strides=strides,
            dilations=dilations,
            group=group,
            pads=self.pads(inputs[0], kernel, strides, dilations, options.Padding()),
        )

    def pads(self, source, kernel, strides, dilations, padding):
        """TensorFlow's padding as ONNX has it: more of it at the end, where it is odd."""
        if padding != tflite.Padding.SAME:
            return [0, 0, 0, 0]
        before, after = [], []
        for size, k, stride, dilation in zip(self.shape(source)[1:3], kernel, strides, dilations):
            positions = -(-size // stride)
            total = max(0, (positions - 1) * stride + (k - 1) * dilation + 1 - size)
            before.append(total // 2)
            after.append(total - total // 2)
        return before + after

    def op_add(self, inputs, _, output, options):
        kind = options(tflite.AddOptions).FusedActivationFunction()
        return self.with_activation("Add", [self.names[i] for i in inputs], output, kind)

    def op_pad(self, inputs, _, output, options):
        amounts = self.constants[inputs[1]][[0, 3, 1, 2]].T.astype(np.int64)
        return self.node("Pad", [self.names[inputs[0]], self.initializer(amounts.ravel(), f"{output}.pads")], output)

    def op_max_pool_2d(self, inputs, _, output, options):
        pool = options(tflite.Pool2DOptions)
        kernel = [pool.FilterHeight(), pool.FilterWidth()]
        strides = [pool.StrideH(), pool.StrideW()]
        pads = self.pads(inputs[0], kernel, strides, [1, 1], pool.Padding())
        return self.node("MaxPool", [self.names[inputs[0]]], output, kernel_shape=kernel, strides=strides, pads=pads)

    def op_resize_bilinear(self, inputs, result, output, options):
        resize = options(tflite.ResizeBilinearOptions)
        assert resize.HalfPixelCenters() and not resize.AlignCorners()
        before, after = self.shape(inputs[0]), self.shape(result)
        scales = np.array([1, 1, after[1] / before[1], after[2] / before[2]], np.float32)
        scales = self.initializer(scales, f"{output}.scales")
        inputs = [self.names[inputs[0]], "", scales]
        return self.node("Resize", inputs, output, mode="linear", coordinate_transformation_mode="half_pixel")

    def op_logistic(self, inputs, _, output, options):
        return self.node("Sigmoid", [self.names[inputs[0]]], output)

    def op_reshape(self, inputs, result, output, options):
        x = self.names[inputs[0]]
        if len(self.shape(inputs[0])) == 4:
            x = self.node("Transpose", [x], f"{output}.channels_last", perm=[0, 2, 3, 1])
        shape = self.shape(result)
        assert shape[0] == 1
        # 0 keeps the number of images.
        flat = [0, *shape[1:]]
        if len(shape) < 4:
            return self.node("Reshape", [x, self.initializer(np.array(flat), f"{output}.shape")], output)
        x = self.node("Reshape", [x, self.initializer(np.array(flat), f"{output}.shape")], f"{output}.reshaped")
        return self.node("Transpose", [x], output, perm=[0, 3, 1, 2])

    def op_concatenation(self, inputs, result, output, options):
        rank = len(self.shape(result))
        axis = options(tflite.ConcatenationOptions).Axis() % rank
        if rank == 4:
            axis = [0, 2, 3, 1][axis]
        return self.node("Concat", [self.names[i] for i in inputs], output, axis=axis)


def channels_first(shape):
    return [shape[i] for i in (0, 3, 1, 2)] if len(shape) == 4 else shape


def fetch(model, folder):
    """The TensorFlow Lite file, out of its npm package."""
    npm = ["npm", "pack", "--silent", model["package"]]
    archive = subprocess.run(npm, cwd=folder, check=True, capture_output=True, text=True).stdout.split()[-1]
    with tarfile.open(folder / archive) as files:
        contents = {pathlib.Path(f.name).name: files.extractfile(f).read() for f in files if f.isfile()}
    data = contents.get(model["member"]) or unpack(contents, model["member"])
    found = hashlib.sha256(data).hexdigest()
    assert found == model["sha256"], f"{model['package']} has another {model['member']}: {found}"
    return data


def unpack(contents, member):
    """A member of the package's .data file, whose table is in the JavaScript that loads it."""
    loader, = (name for name in contents if name.endswith("packed_assets_loader.js"))
    table = re.search(rb'"files": (\[.*?\])', contents[loader]).group(1)
    place, = (file for file in json.loads(table) if file["filename"].endswith("/" + member))
    return contents[loader.replace("_loader.js", ".data")][place["start"] : place["end"]]


def images(folder, size):
    """Noise of three kinds, then the pictures in a folder, as [h, w, 3] between 0 and 1."""
    rng = np.random.default_rng(1)
    yield "noise", rng.random((*size, 3), np.float32)
    yield "noise", cv2.resize(rng.random((9, 7, 3), np.float32), size[::-1], interpolation=cv2.INTER_CUBIC).clip(0, 1)
    yield "noise", np.broadcast_to(np.linspace(0, 1, size[1], dtype=np.float32)[:, None], (*size, 3))
    for path in sorted(folder.iterdir()) if folder else []:
        picture = cv2.imread(str(path))
        if picture is not None:
            yield "pictures", cv2.cvtColor(cv2.resize(picture, size[::-1]), cv2.COLOR_BGR2RGB).astype(np.float32) / 255


def check(model, original, converted, folder):
    """Compares each output in LiteRT and in ONNX Runtime."""
    # Without XNNPACK: the plain kernels are closer to LiteRT's reference.
    plain = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    lite = Interpreter(model_content=original, experimental_op_resolver_type=plain)
    lite.allocate_tensors()
    source = lite.get_input_details()[0]
    session = onnxruntime.InferenceSession(converted, providers=["CPUExecutionProvider"])
    low, high = model["range"]
    worst = {}
    for kind, image in images(folder, source["shape"][1:3]):
        image = (low + (high - low) * image)[None].astype(np.float32)
        lite.set_tensor(source["index"], image)
        lite.invoke()
        results = session.run(list(model["outputs"].values()), {"image": image.transpose(0, 3, 1, 2)})
        for (number, name), ours in zip(model["outputs"].items(), results):
            theirs = lite.get_tensor(lite.get_output_details()[number]["index"]).reshape(ours.shape)
            difference, size = worst.get((name, kind), (0, 0))
            worst[name, kind] = max(difference, np.abs(ours - theirs).max()), max(size, np.abs(theirs).max())
    for (name, kind), (difference, size) in worst.items():
        print(f"  {name:9} {kind:8} differs by {difference:.1e} at most, of {size:.4g}")
        assert difference <= TOLERANCE * size, name


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--images", type=pathlib.Path)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    for model in (DETECTOR, BODY_MASK):
        with tempfile.TemporaryDirectory() as folder:
            original = fetch(model, pathlib.Path(folder))
        converted = Converter(original).convert(model["outputs"])
        print(f"{model['file']}: {len(converted)} bytes, sha256 {hashlib.sha256(converted).hexdigest()}")
        check(model, original, converted, arguments.images)
        (arguments.out / model["file"]).write_bytes(converted)


if __name__ == "__main__":
    main()
