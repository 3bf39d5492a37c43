"""toolkit.runtimes: What is said of a GPU is what LiteRT's own accelerator does, and never more than that."""

import os
import subprocess
import sys
from ctypes.util import find_library
from pathlib import Path

import pytest
import tensorflow as tf

from tests.toolkit import tiny_pairs
from toolkit.runtimes.gpu_delegate import obstacles
from toolkit.runtimes.tflite_file import read_tflite
from toolkit.runtimes.tflite_operations import named

# A Vulkan driver on the processor, which comes with Debian's Chromium.
SWIFTSHADER = Path("/usr/lib/chromium/vk_swiftshader_icd.json")
ACCELERATED = """
import sys
from ai_edge_litert.compiled_model import CompiledModel
from ai_edge_litert.hardware_accelerator import HardwareAccelerator
model = CompiledModel.from_file(sys.argv[1], hardware_accel=HardwareAccelerator.GPU)
print("all of it" if model.is_fully_accelerated() else "a part")
"""
FUNCTIONS = {
    "sums": lambda x: tf.cumsum(tf.sin(x), 1) + tf.reduce_mean(x, (1, 2), keepdims=True),
    "shuffled": lambda x: tf.nn.depth_to_space(tf.nn.space_to_depth(x, 2)[:, :, 1:], 2),
    "largest": lambda x: tf.math.top_k(x, 2)[0],
    "five": lambda x: tf.reduce_sum(tf.reshape(x, (1, 2, 4, 8, 3)), 2),
    "spectrum": lambda x: tf.abs(tf.signal.rfft2d(x[..., 0])),
}


def converted(path, function, shape=(1, 8, 8, 3)):
    traced = tf.function(function, [tf.TensorSpec(shape)])
    converter = tf.lite.TFLiteConverter.from_concrete_functions([traced.get_concrete_function()], traced)
    path.write_bytes(converter.convert())
    return path


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("networks")
    made = {name: converted(folder / f"{name}.tflite", function) for name, function in FUNCTIONS.items()}
    made["any"] = converted(folder / "any.tflite", tf.nn.relu, (1, None, None, 3))
    tiny_pairs.write(folder / "pair.tflite", [tiny_pairs.transformer(16)])
    return {**made, "pair": folder / "pair.tflite"}


def found(path):
    file = read_tflite(path)
    return obstacles(file, named(file.operations))


@pytest.mark.parametrize("name", ["sums", "shuffled", "pair"])
def test_networks_of_operations_that_it_has_meet_no_obstacle(files, name):
    assert found(files[name]) == []


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("any", ["its sizes vary, and a GPU needs them in advance"]),
        ("largest", ["the delegate does not support TOPK_V2"]),
        ("five", ["a tensor has 5 dimensions, and the delegate takes at most 4"]),
        (
            "spectrum",
            ["the delegate does not support RFFT2D, COMPLEX_ABS", "the delegate does not support the type complex64"],
        ),
    ],
)
def test_what_is_in_the_way_is_named(files, name, told):
    assert found(files[name]) == told


@pytest.mark.parametrize("mode", ["float32", "float16", "dynamic", "int8"])
def test_pairs_of_a_fixed_size_are_taken_and_those_of_any_size_are_not(bundle, mode):
    for file in ("predictor.tflite", "transformer.tflite"):
        assert found(bundle / f"tflite/{mode}_384" / file) == []
        assert found(bundle / f"tflite/{mode}_any" / file)[0] == "its sizes vary, and a GPU needs them in advance"


def on_a_gpu(path):
    """How much of a network LiteRT's WebGPU accelerator takes; in a process of its own, which it may abort."""
    if not SWIFTSHADER.is_file() or find_library("vulkan") is None:
        pytest.skip("no Vulkan on the processor: install Debian's packages chromium and libvulkan1")
    environment = {**os.environ, "VK_DRIVER_FILES": str(SWIFTSHADER)}
    done = subprocess.run(
        [sys.executable, "-c", ACCELERATED, str(path)], env=environment, capture_output=True, text=True, timeout=300
    )
    return next(iter(done.stdout.splitlines()[-1:]), "nothing")


@pytest.mark.parametrize("name", ["sums", "shuffled", "pair"])
def test_what_meets_no_obstacle_is_accelerated_by_litert_as_a_whole(files, name):
    assert on_a_gpu(files[name]) == "all of it"


@pytest.mark.parametrize("name", ["largest", "five", "spectrum"])
def test_what_meets_one_is_not(files, name):
    assert on_a_gpu(files[name]) != "all of it"


@pytest.mark.parametrize("mode", ["float16", "int8"])
def test_the_transformer_is_accelerated_by_litert(bundle, mode):
    assert on_a_gpu(bundle / f"tflite/{mode}_384/transformer.tflite") == "all of it"
