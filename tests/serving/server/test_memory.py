"""serving.server: A server that loads and unloads models again and again keeps its memory."""

import resource
import shutil
import time
from pathlib import Path

import numpy as np
import pytest

from tests.contract import servers

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

TIMES = 8
MORE_BYTES = 100_000_000
PICTURES = {"content_image": np.zeros((1, 40, 48, 3)), "style_image": np.zeros((1, 32, 36, 3))}


@pytest.fixture(scope="module")
def optimization(tmp_path_factory):
    """A version as `styleport export --method optimization` makes it, and a request."""
    from export.formats import optimization_saved_model
    from export.sources.optimization import Optimization

    base_path = tmp_path_factory.mktemp("optimization")
    optimization_saved_model.save(Optimization.open("vgg19-8bit").model, base_path / "1")
    return base_path, "optimize", {**PICTURES, "steps": np.int32(1)}


@pytest.fixture(scope="module")
def feed_forward(bundle, tmp_path_factory):
    """The version of a stylizer, and a request."""
    base_path = tmp_path_factory.mktemp("stylizer")
    shutil.copytree(bundle / "saved_model", base_path / "1")
    return base_path, "serving_default", PICTURES


def resident(process: servers.ServerProcess) -> int:
    return int(Path(f"/proc/{process.process.pid}/statm").read_text().split()[1]) * resource.getpagesize()


@pytest.mark.parametrize("kind", ["optimization", "feed_forward"])
def test_loading_and_unloading_again_and_again_keeps_memory(kind, tmp_path, request) -> None:
    base_path, signature, inputs = request.getfixturevalue(kind)
    empty = tmp_path / "models.config"
    empty.write_text("model_config_list {}", encoding="utf-8")
    flags = [f"--model_config_file={empty}", "--allow_reload_config"]
    process = servers.ServerProcess(tmp_path / "log", *flags)
    client, left = process.client, []
    for _ in range(TIMES):
        client.reload(servers.config(base_path, name="model"))
        client.predict(client.request(signature, "model", **inputs), timeout=120)
        client.reload("model_config_list {}")
        client.wait({1: "END"}, "model")
        time.sleep(6)  # until the server has looked what there is to give back
        left.append(resident(process))
    assert process.stop() == 0
    assert max(left[2:]) <= left[1] + MORE_BYTES, [size >> 20 for size in left]
