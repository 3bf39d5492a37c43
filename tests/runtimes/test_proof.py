"""toolkit.runtimes: Every runtime is measured in the same way, and one table and one page show the results."""

import contextlib
import io
import json
import re
import shutil
import sys
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from tests.browser import chromium
from tests.runtimes import __main__ as command
from tests.runtimes import arm64, proof
from tests.runtimes.browser import Browser
from tests.runtimes.litert import LiteRT
from tests.runtimes.other_python import painting
from tests.runtimes.runtime import MissingRuntimeError, keep
from toolkit.errors import InputError, WorkError

SMALL = (48, 64)


class SmallLiteRT(LiteRT):
    """LiteRT on one pair and at one small size."""

    name = "small"

    def runs(self, artifact):
        return artifact.path == "tflite/float16_any"

    def sizes(self, artifact):
        return [SMALL]

    @contextlib.contextmanager
    def open(self, folder):
        with LiteRT().open(folder) as opened:
            yield opened


class Spoiled(SmallLiteRT):
    """The same, a sixteenth too bright."""

    name = "spoiled"

    @contextlib.contextmanager
    def open(self, folder):
        with super().open(folder) as opened:
            yield replace(opened, paint=lambda content, style: opened.paint(content, style) + np.float32(1 / 16))


@pytest.fixture(scope="module")
def evaluated(bundle):
    return proof.evaluate(bundle, [SmallLiteRT(), Spoiled()], lambda step: None)


def test_a_runtime_passes_or_fails_by_the_artifacts_own_gate(evaluated):
    good, spoiled = evaluated
    assert good.parity.verdict == "pass"
    assert spoiled.parity.verdict == "fail"
    assert good.parity.gate == spoiled.parity.gate == proof.evaluation.GATES["tflite/float16"]
    assert [len(one.parity.metrics) for one in evaluated] == [12, 12]
    assert any("psnr" in line and "< 42" in line for line in spoiled.parity.failures)


def test_pairs_have_the_same_names_at_every_size(evaluated, bundle):
    names = {name.rsplit(",", 1)[0] for name in evaluated[0].parity.metrics}
    assert names == {case.name.rsplit(",", 1)[0] for case in proof.evaluation.cases((384, 384))}


def test_the_tables_say_which_runtime_failed(evaluated, bundle):
    stream = io.StringIO()
    proof.show(bundle, evaluated, Console(file=stream, width=200))
    text = stream.getvalue()
    for name, verdict in (("small", "pass"), ("spoiled", "fail")):
        assert re.search(rf"{name}/tflite/float16_any.*{verdict}", text), text
        assert re.search(rf"{name} .*ai-edge-litert.*64x48.*{verdict}", text), text


def test_the_page_shows_the_worst_pair_of_each_runtime(evaluated, bundle, tmp_path):
    for _ in range(2):  # the second replaces the first
        proof.write(bundle, evaluated, tmp_path / "report")
    assert [path.name for path in tmp_path.iterdir()] == ["report"]
    page = (tmp_path / "report" / "index.html").read_text(encoding="utf-8")
    pictures = re.findall(r'<img src="([^"]+)"', page)
    assert len(pictures) == 10
    assert all((tmp_path / "report" / name).is_file() for name in pictures)
    assert "spoiled/tflite/float16_any" in page
    told = json.loads((tmp_path / "report" / "runtimes.json").read_text(encoding="utf-8"))
    assert told["verdict"] == "fail"
    assert [one["verdict"] for one in told["artifacts"]] == ["pass", "fail"]
    assert told["artifacts"][0]["sizes"] == [list(SMALL)]


@pytest.mark.parametrize("count", [1, 2])
def test_the_command_exits_with_1_when_a_gate_is_missed(count, evaluated, bundle, monkeypatch, capfd):
    monkeypatch.setattr(proof, "evaluate", lambda *arguments: evaluated[:count])
    monkeypatch.setattr(sys, "argv", ["runtimes", str(bundle), "litert"])
    failures = [line for one in evaluated[:count] for line in one.parity.failures]
    assert command.main() == (1 if failures else 0)
    output, error = capfd.readouterr()
    assert evaluated[0].name in output
    assert re.findall("gate missed: spoiled/tflite/float16_any: (.*)", error) == failures


def test_a_bundle_without_anything_for_a_runtime_is_refused(bundle):
    with pytest.raises(InputError, match="has nothing for browser: export it as make runtimes does"):
        proof.artifacts_of(bundle, proof.RUNTIMES["browser"]())


def test_another_process_paints_the_same_picture(bundle, content, style):
    folder = bundle / "tflite" / "float16_any"
    with LiteRT().open(folder) as here, painting([sys.executable], folder, "litert") as there:
        assert there.version == here.version
        assert np.array_equal(there.paint(content, style), here.paint(content, style))


def test_what_breaks_down_in_another_process_is_told_here(bundle, content, style):
    there = painting([sys.executable], bundle / "tflite" / "float16_any", "litert")
    said = "broke down with exit code 1: .*content is 133x8 pixels: both sides must be at least 16"
    with there as opened, pytest.raises(WorkError, match=said):
        opened.paint(content[:, :8], style)


def test_what_cannot_be_opened_in_another_process_is_told_here(bundle):
    said = r"broke down with exit code 1: .*predictor\.tflite: no such file"
    with pytest.raises(WorkError, match=said), painting([sys.executable], bundle / "nowhere", "litert"):
        pass


def test_a_folder_is_made_once_and_again_when_its_recipe_changes(tmp_path):
    def make(folder):
        made.append(folder.name)
        (folder / f"file {len(made)}").touch()

    made, folder = [], tmp_path / "kept"
    for recipe in ("first", "first", "second"):
        keep(folder, recipe, make)
    assert made == ["kept", "kept"]
    assert sorted(path.name for path in folder.iterdir()) == ["RECIPE", "file 2"]


def test_a_folder_that_was_not_finished_is_made_again(tmp_path):
    def fail(folder):
        (folder / "half").touch()
        raise WorkError("the network is down")

    with pytest.raises(WorkError, match="the network is down"):
        keep(tmp_path / "kept", "recipe", fail)
    keep(tmp_path / "kept", "recipe", lambda folder: (folder / "whole").touch())
    assert not (tmp_path / "kept" / "half").exists()
    shutil.rmtree(tmp_path / "kept")


def test_what_is_missing_is_told_before_anything_is_held(bundle, monkeypatch):
    monkeypatch.setattr(arm64.shutil, "which", lambda name: None if name == "apt-get" else f"/usr/bin/{name}")
    told = []
    with pytest.raises(MissingRuntimeError, match="fetched by apt: there is no apt-get"):
        proof.evaluate(bundle, [SmallLiteRT(), arm64.ARM64()], told.append)
    assert told == ["small: making ready", "arm64: making ready"]


def test_a_missing_browser_is_told(monkeypatch, tmp_path):
    monkeypatch.setattr(chromium, "EXECUTABLE", tmp_path / "chromium")
    with pytest.raises(MissingRuntimeError, match=r"the page takes Chromium: there is none at .*chromium; install it"):
        Browser().ready()
