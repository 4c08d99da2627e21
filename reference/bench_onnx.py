"""Times the ONNX files that `gaitgl export` writes in OpenVINO or ONNX Runtime on the CPU, case by case as
`gaitgl bench` does, and writes the same JSON.

    python bench_onnx.py GAITGL --engine openvino --precision bf16 --threads 2 --json theirs.json

GAITGL is the binary, which exports the networks of bench_torch.py with random weights. Needs torch, and openvino or
onnxruntime. OpenVINO compiles a network for the frames of the case and decides itself what runs in bf16. ONNX
Runtime has no bf16 convolutions on a CPU.
"""
import argparse
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np
import torch

import bench_report
import bench_torch
import gaitgl_torch


def exported(gaitgl, preset, folder):
    """The ONNX file of a preset."""
    weights, checkpoint, network = (folder / f"{preset}.{end}" for end in ("pt", "safetensors", "onnx"))
    if not network.exists():
        torch.save(gaitgl_torch.state_of(bench_torch.build(preset)), weights)
        for command in (["import", weights, checkpoint, "--preset", preset], ["export", checkpoint, network]):
            subprocess.run([gaitgl, *map(str, command)], check=True, stdout=subprocess.DEVNULL)
    return network


def openvino_case(network, clips, threads, precision):
    import openvino

    model = openvino.Core().read_model(network)
    model.reshape(list(clips.shape))
    options = {
        "INFERENCE_PRECISION_HINT": precision,
        "INFERENCE_NUM_THREADS": threads,
        "PERFORMANCE_HINT": "LATENCY",
    }
    compiled = openvino.Core().compile_model(model, "CPU", options)
    request = compiled.create_infer_request()
    return lambda: request.infer([clips])


def onnxruntime_case(network, clips, threads, _precision):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(network, options, providers=["CPUExecutionProvider"])
    return lambda: session.run(None, {"silhouettes": clips})


ENGINES = {"openvino": openvino_case, "onnxruntime": onnxruntime_case}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("gaitgl")
    parser.add_argument("--engine", choices=list(ENGINES), required=True)
    parser.add_argument("--precision", choices=["f32", "bf16"], default="f32")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--case", action="append", help="part of a case's name; all by default")
    parser.add_argument("--json")
    arguments = parser.parse_args()
    if arguments.engine == "onnxruntime" and arguments.precision == "bf16":
        parser.error("ONNX Runtime has no bf16 convolutions on a CPU")
    torch.manual_seed(1)
    results = []
    with tempfile.TemporaryDirectory() as folder:
        for case in bench_torch.CASES:
            if "/test/" not in case or not bench_torch.wanted(case, arguments.case, "cpu"):
                continue
            preset, _, size = case.split("/")
            count, frames = map(int, size.split("x"))
            network = exported(arguments.gaitgl, preset, pathlib.Path(folder))
            clips = np.random.default_rng(1).random((count, 1, frames, 64, 44), dtype=np.float32)
            run = ENGINES[arguments.engine](str(network), clips, arguments.threads, arguments.precision)
            run()
            seconds = []
            for _ in range(arguments.repeats):
                began = time.perf_counter()
                run()
                seconds.append(time.perf_counter() - began)
            results.append({"name": case, "seconds": statistics.median(seconds)})
            print(f"{case:26} {results[-1]['seconds']:8.3f} s", file=sys.stderr)
    bench_report.write(arguments, results)


if __name__ == "__main__":
    main()
