"""serving.versions: Style transfer by optimization goes live like the stylizer: published, warmed up, and stepped
over the wire."""

import numpy as np
import pytest

from export import exporting
from export.artifact import ExportOptions
from export.parity import optimization
from export.sources.optimization import Optimization
from serving.versions import publishing, warmup
from tests.contract import servers
from tests.serving import small_bundles
from toolkit import manifest as manifests
from toolkit.imaging import images, samples

pytestmark = pytest.mark.slow

FEW = {"style_layers": ("block1_conv1",), "content_layers": ("block1_conv2",), "content_weight": 1.0}


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """A server of the optimization, published from its bundle."""
    folder = tmp_path_factory.mktemp("optimization")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            optimization, "STEPS", optimization.LOOP_STEPS
        )  # all twenty are taken in the exporter's own tests
        exportable = Optimization.open("vgg19-8bit", **FEW)
        options = ExportOptions(formats=("saved_model",), method="optimization")
        exporting.export_bundle(exportable, folder / "bundle", options)
        base_path, sizes = folder / "models" / "optimization", [(40, 48)]
        publishing.publish(folder / "bundle", base_path, warmup_sizes=sizes, verify=small_bundles.verified)
    with servers.in_thread(servers.config(base_path, name="optimization")) as client:
        client.wait({1: "AVAILABLE"}, "optimization")
        yield client, folder


@pytest.fixture(scope="module")
def pictures():
    content = images.resize(samples.photos()["chelsea"], 40, 48)[None]
    return {"content_image": content, "style_image": images.resize(samples.styles()["starry_night"], 36, 44)[None]}


def test_a_server_runs_the_whole_loop(served, pictures):
    client, _ = served
    request = client.request("optimize", "optimization", **pictures, steps=np.int32(3))
    painted = client.predict(request)
    assert painted["stylized_image"].shape == (1, 40, 48, 3)
    unchanged = client.predict(client.request("optimize", "optimization", **pictures, steps=np.int32(1)))
    assert painted["loss"] < unchanged["loss"]


def test_a_client_takes_the_steps_itself(served, pictures):
    client, _ = served

    def run(signature, **inputs):
        return client.predict(client.request(signature, "optimization", **inputs))

    content = run("features", image=pictures["content_image"])
    targets = {**content, "block1_conv1_gram": run("features", image=pictures["style_image"])["block1_conv1_gram"]}
    image, losses = pictures["content_image"], []
    state = run("initial_state", image=image)
    for _ in range(4):
        outputs = run("train_step", image=image, **targets, **state)
        image, state = outputs["image"], {name: outputs[name] for name in state}
        losses.append(float(outputs["loss"]))
    assert min(losses[1:]) < losses[0], losses


def test_what_a_step_takes_from_another_signature_is_not_warmed_up(served):
    _, folder = served
    assert (folder / "models" / "optimization" / "1" / warmup.FILE).is_file()
    signatures = manifests.artifact(manifests.read(folder / "bundle"), "saved_model")["signatures"]
    logs = warmup.requests(signatures, [(40, 48)], "optimization")
    named = [log.predict_log.request.model_spec.signature_name for log in logs]
    assert named == ["features", "initial_state", "optimize"]
    assert list(logs[2].predict_log.request.inputs["steps"].int_val) == [1]
