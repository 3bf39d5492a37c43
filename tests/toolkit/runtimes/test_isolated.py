"""toolkit.runtimes: An isolated .tflite file paints as it does in the caller's process, and may die or hang without
harm to that."""

import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.fuzzing.mutations import Mutator
from tests.toolkit import tiny_pairs
from tests.toolkit.made_pictures import light, noise
from toolkit import cli
from toolkit.errors import InputError, StyleportError, WorkError
from toolkit.inference.model_loader import open_model
from toolkit.runtimes import pipe_frames
from toolkit.runtimes.isolated import IsolatedNetwork
from toolkit.runtimes.litert import open_network
from toolkit.runtimes.tflite_network import TFLiteNetwork

# Of the fuzzer.
SEED, MUTATIONS = 20, 120


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    return tiny_pairs.write_pair(tmp_path_factory.mktemp("pair"), None)


@pytest.fixture(scope="module")
def transformer(pair):
    return pair / "transformer.tflite"


@pytest.fixture
def isolated(transformer):
    network = IsolatedNetwork(transformer)
    yield network
    network.close()


@pytest.fixture(scope="module")
def bundle(pair, tmp_path_factory):
    """A bundle of the pair, as somebody else may have written it."""
    folder = tmp_path_factory.mktemp("bundle")
    (folder / "tflite" / "float32_any").mkdir(parents=True)
    files = []
    for file in pair.iterdir():
        content, path = file.read_bytes(), f"tflite/float32_any/{file.name}"
        (folder / path).write_bytes(content)
        files.append({"path": path, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()})
    artifacts = [{"path": "tflite/float32_any", "files": files}]
    (folder / "manifest.json").write_text(json.dumps({"schema_version": 1, "artifacts": artifacts}))
    return folder


def inputs(seed=0):
    return {"content_image": noise(20, 24, seed)[None], "style_bottleneck": noise(1, 1, seed + 1)[None]}


def test_it_tells_of_itself_and_computes_as_in_the_callers_process(isolated, transformer):
    here = TFLiteNetwork(transformer)
    assert isolated.signature == here.signature
    for name in here.inputs:
        assert isolated.input_shape(name) == here.input_shape(name)
    for seed in range(3):
        np.testing.assert_array_equal(isolated(**inputs(seed)), here(**inputs(seed)))


def test_a_bundle_is_painted_with_isolated(bundle):
    content, style = noise(20, 24)[None], noise(16, 18, 1)[None]
    painted = open_model(bundle, "tflite/float32_any", isolated=True)(content, style)
    np.testing.assert_array_equal(painted, open_model(bundle, "tflite/float32_any")(content, style))


def test_the_command_takes_it_for_tflite_artifacts_alone(bundle, pictures, tmp_path, capfd):
    arguments = ["stylize", str(pictures / "cat.png"), str(pictures / "starry_night.png"), "--isolated"]
    arguments += ["-o", str(tmp_path / "out.png")]
    assert cli.run([*arguments, "--model", str(bundle), "--artifact", "tflite/float32_any"]) == 0
    assert Image.open(tmp_path / "out.png").size == (70, 50)
    capfd.readouterr()
    assert cli.run([*arguments, "--model", "magenta-mobile", "--artifact", "keras"]) == 2
    assert "--isolated has no effect" in capfd.readouterr().err


@pytest.mark.slow
def test_what_is_wrong_with_the_file_or_the_call_is_told_as_without(isolated, tmp_path):
    broken = tmp_path / "broken.tflite"
    broken.write_bytes(b"\x1c\0\0\0TFL3" + bytes(100))
    for arguments, options in (((broken,), {}), ((tmp_path / "missing.tflite",), {}), ((broken,), {"threads": 0})):
        told = []
        for is_isolated in (True, False):
            with pytest.raises(InputError) as caught:
                open_network(*arguments, **options, isolated=is_isolated)
            told.append(str(caught.value))
        assert told[0] == told[1]
    with pytest.raises(InputError, match="takes content_image"):
        isolated(content_image=inputs()["content_image"])


def test_a_child_that_dies_is_told_in_one_line_and_the_next_call_has_another(isolated):
    before = isolated(**inputs())
    os.kill(isolated._child.pid, signal.SIGSEGV)
    with pytest.raises(WorkError) as caught:
        isolated(**inputs())
    assert "the process that ran it has died (SIGSEGV)" in str(caught.value)
    assert "\n" not in str(caught.value)
    np.testing.assert_array_equal(isolated(**inputs()), before)


def test_a_child_that_hangs_is_given_up_and_ended(transformer):
    network = IsolatedNetwork(transformer, seconds=3)
    pid = network._child.pid
    os.kill(pid, signal.SIGSTOP)
    with pytest.raises(WorkError, match="no answer after 3 seconds"):
        network(**inputs())
    assert not is_running(pid)
    network.close()


def is_running(pid):
    # One that has ended may stay in the table until somebody asks how; the first process of a container never does.
    shown = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], stdout=subprocess.PIPE, check=False).stdout
    return bool(shown.strip()) and not shown.lstrip().startswith(b"Z")


def test_it_ends_with_the_process_that_is_killed(transformer):
    code = """
        import sys, time
        from toolkit.runtimes.isolated import IsolatedNetwork
        network = IsolatedNetwork(sys.argv[1])
        print(network._child.pid, flush=True)
        time.sleep(600)
    """
    command = [sys.executable, "-c", textwrap.dedent(code), str(transformer)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as parent:
        try:
            child = int(parent.stdout.readline())
            assert is_running(child)
        finally:
            parent.kill()
    until = time.monotonic() + 60
    while is_running(child) and time.monotonic() < until:
        time.sleep(0.05)
    assert not is_running(child)


def test_threads_share_one(isolated):
    from concurrent.futures import ThreadPoolExecutor

    expected = [isolated(**inputs(seed)) for seed in range(8)]
    with ThreadPoolExecutor(4) as threads:
        painted = list(threads.map(lambda seed: isolated(**inputs(seed)), range(8)))
    np.testing.assert_array_equal(painted, expected)


# What the child says, which may be in somebody else's hands


def sent(words, arrays=None):
    stream = io.BytesIO()
    pipe_frames.write(stream, words, arrays)
    return stream.getvalue()


@pytest.mark.parametrize("dtype", ["float32", "uint8", "int8"])
def test_messages_arrive_as_they_were_sent(dtype):
    arrays = {"a": np.arange(12).reshape(3, 4).astype(dtype), "b": np.zeros((0, 2), dtype)}
    words, received = pipe_frames.read(io.BytesIO(sent({"word": [1, None]}, arrays)))
    assert words == {"word": [1, None]}
    for name, array in arrays.items():
        assert received[name].dtype == array.dtype
        np.testing.assert_array_equal(received[name], array)


def message(head):
    text = json.dumps(head).encode()
    return len(text).to_bytes(8, "big") + text


@pytest.mark.parametrize(
    "content",
    [
        bytes([255] * 8),
        message([1]),
        message({"words": 1, "arrays": {}}),
        message({"words": {}, "arrays": {"a": ["object", [1]]}}) + bytes(8),
        message({"words": {}, "arrays": {"a": ["float32", [1 << 40, 1 << 40]]}}),
        message({"words": {}, "arrays": {"a": ["float32", [-1]]}}),
        message({"words": {}, "arrays": {"a": ["float32", [True, 1.5, "x"]]}}),
        message({"words": {}, "arrays": {"a": "float32"}}),
        message({"words": {}, "arrays": {str(n): ["bool", [1]] for n in range(99)}}),
        (1 << 19).to_bytes(8, "big") + b"[" * (1 << 19),
    ],
)
def test_what_is_no_message_is_refused_before_memory_is_taken_for_it(content):
    with pytest.raises(ValueError, match=r".+"):
        pipe_frames.read(io.BytesIO(content))


@light
@given(st.binary(max_size=60), st.integers(0, 60))
def test_no_bytes_do_more_than_be_refused(content, cut):
    genuine = sent({"a": 1}, {"b": np.zeros(3, np.float32)})
    for damaged in (content, genuine[:cut], genuine[:cut] + content):
        try:
            words, arrays = pipe_frames.read(io.BytesIO(damaged))
        except (EOFError, ValueError):
            continue
        assert isinstance(words, dict)
        assert all(isinstance(array, np.ndarray) for array in arrays.values())


# Files that somebody has changed


@pytest.mark.slow
def test_no_mutated_file_does_more_than_fail_in_one_line(tmp_path):
    folder = tiny_pairs.write_convolution(tmp_path)
    content, mutator = folder.read_bytes(), Mutator(SEED)
    endings = {}
    for index in range(MUTATIONS):
        path = tmp_path / f"{index}.tflite"
        path.write_bytes(mutator.bytes(content))
        try:
            network = IsolatedNetwork(path, seconds=20)
            shapes = {name: network.input_shape(name) for name in network.inputs}
            painted = network(**{name: np.zeros([abs(side) for side in s], np.float32) for name, s in shapes.items()})
            network.close()
        except StyleportError as error:
            assert "\n" not in str(error)
            ending = "died" if "has died" in str(error) else "refused"
        else:
            assert isinstance(painted, np.ndarray)
            ending = "ran"
        endings[ending] = endings.get(ending, 0) + 1
        path.unlink()
    # What is fuzzed must reach the runtime, or nothing is proved.
    assert endings.get("ran", 0) >= MUTATIONS // 10, endings
    assert endings.get("refused", 0) >= MUTATIONS // 10, endings
