"""serving.pipelines.tfx: The page's commands on the pipeline, after its first one; and what it pushed answers a
request."""

import os
import re
import subprocess

import yaml

from tests.contract import servers
from toolkit.imaging import images


def test_versions_and_lineage_tell_of_what_was_pushed(place):
    (version,) = place.versions()
    assert "magenta-mobile" in place.shell("styleport versions build/models/stylizer")
    (command,) = (line for line in place.commands if line.startswith("styleport lineage"))
    told = place.shell(re.sub(r"VERSION|\d{6,}", version, command))
    for expected in (
        "magenta-mobile",
        "pipeline stylizer",
        "WarmupWriter/warmed_model/",
        "tensorflow 2.",
        "as recorded",
    ):
        assert expected in told, told


def test_the_pushed_version_is_served_and_answers(place, pictures):
    (version,) = place.versions()
    log = place.folder / "server.log"
    flags = ["--model_name", "stylizer", "--model_base_path", str(place.base_path), "--rest_api_port", "0"]
    process = servers.ServerProcess(log, *flags)
    try:
        process.client.wait({int(version): "AVAILABLE"}, "stylizer")
        address = process.ready["rest"]
        names = f"{pictures}/contents/cat.png {pictures}/styles/starry_night.png"
        place.shell(f"styleport request {names} -o painted.png --server {address}")
    finally:
        process.stop()
    assert images.load_image(place.folder / "painted.png").shape == (90, 133, 3)


def test_it_compiles_for_kubeflow(place, tmp_path):
    from google.protobuf import json_format
    from kfp.pipeline_spec import pipeline_spec_pb2

    (command,) = (line for line in place.commands if "--compile" in line)
    place.shell(command)
    text = (place.folder / "pipeline.yaml").read_text(encoding="utf-8")
    spec = json_format.ParseDict(yaml.safe_load(text), pipeline_spec_pb2.PipelineSpec())
    assert set(spec.root.dag.tasks) == {
        *("StylizerSource", "BundleExporter", "WarmupWriter", "ParityEvaluator", "Pusher")
    }
    assert spec.root.dag.tasks["Pusher"].dependent_tasks == ["ParityEvaluator", "WarmupWriter"]
    executors = json_format.MessageToDict(spec.deployment_spec)["executors"]
    assert {executor["container"]["image"] for executor in executors.values()} == {"registry.example/styleport:tfx"}
    assert str(place.folder) not in text, "paths of this machine are of no use on a cluster"


def test_a_run_that_is_not_blessed_ends_in_one_line_and_1(place, pictures):
    gates = place.folder / "gates.json"
    gates.write_text('{"tflite/float16": {"psnr": 99}}')
    command = f"{place.commands[0]} --pictures {pictures} --gates {gates}"
    done = subprocess.run(
        ["bash", "-c", command.replace("styleport", servers.STYLEPORT, 1)],
        cwd=place.folder,
        env=os.environ,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("styleport: not blessed and not pushed: tflite/float16_384: cat + starry_night")
    assert done.stderr.count("\n") == 1
