"""serving.pipelines: The command on whole collections: what it paints, what it survives, and what it refuses."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import ExifTags, Image, ImageCms

from tests.docs.pages import ROOT
from tests.export import forging
from tests.serving.pipelines import conftest
from toolkit import manifest as manifests
from toolkit.imaging import images

PATIENCE_SECONDS = 240
STYLEPORT = [sys.executable, "-c", "from toolkit.cli import main; main()"]


@pytest.fixture(scope="module")
def painted(collection, bundle, tmp_path_factory):
    """The collection in two styles by two worker processes, and what the command said."""
    output = tmp_path_factory.mktemp("painted") / "out"
    words = [f"{collection}/photos/**/*.jpg", *styles(collection), "-o", str(output), "--model", str(bundle)]
    told = subprocess.run([*STYLEPORT, "batch", *words, "--workers", "2", "--json"], capture_output=True, text=True)
    return output, told


def styles(place):
    return [str(place / f"{name}.png") for name in ("starry_night", "composition_vii")]


def files(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.jpg")}


def readable(place):
    return [path for path in sorted((place / "photos").rglob("*.jpg")) if path.stem not in ("cut", "text")]


def wait_for(condition):
    until = time.monotonic() + PATIENCE_SECONDS
    while not (met := condition()):
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.05)
    return met


@pytest.mark.slow
def test_every_picture_is_the_one_that_stylize_paints_to_the_last_bit(painted, collection, bundle, tmp_path, run):
    output, _ = painted
    for photo in readable(collection):
        os.link(photo, tmp_path / photo.name)
    for style in styles(collection):
        code, _, error = run(
            "stylize",
            tmp_path,
            style,
            "-o",
            tmp_path / Path(style).stem,
            "--model",
            bundle,
            "--artifact",
            "saved_model",
        )
        assert code == 0, error
    expected = {
        f"{style}/{name}": data
        for style in ("starry_night", "composition_vii")
        for name, data in files(tmp_path / style).items()
    }
    actual = files(output)
    assert set(actual) == set(expected)
    assert [name for name, data in expected.items() if actual[name] != data] == []


@pytest.mark.slow
def test_the_counters_and_the_failures_are_told(painted, collection):
    output, told = painted
    pixels = 2 * sum(images.load_image(path)[..., 0].size for path in readable(collection))
    counters = json.loads(told.stdout)
    latency = counters.pop("latency_ms")
    assert counters == {"output": str(output), "read": 8, "done": 16, "skipped": 0, "failed": 4, "pixels": pixels}
    assert 0 < latency["min"] <= latency["mean"] <= latency["max"]
    lines = [json.loads(line) for line in (output / "_failed.jsonl").read_text().splitlines()]
    assert [(Path(line["picture"]).name, line["styles"]) for line in lines] == [
        ("cut.jpg", ["composition_vii", "starry_night"]),
        ("text.jpg", ["composition_vii", "starry_night"]),
    ]
    assert "broken or cut short" in lines[0]["reason"]
    assert told.returncode == 1
    assert f"4 of 20 results failed: {output}/_failed.jsonl has the reasons" in told.stderr
    assert "read 8, done 16, skipped 0, failed 4" in told.stderr


@pytest.mark.slow
def test_a_second_run_paints_only_what_is_missing(painted, place, bundle, tmp_path, run):
    output = shutil.copytree(painted[0], tmp_path / "out")
    before = files(output)
    for name in ("cut", "text"):
        images.save_image(images.load_image(readable(place)[0]), place / "photos" / f"{name}.jpg")
    (output / "starry_night" / ".styleport-0000.tmp").write_bytes(b"left by a killed worker")
    words = ["photos/**/*.jpg", *styles(place), "-o", output, "--model", bundle, "--json"]
    code, said, error = run("batch", *words)
    assert code == 0, error
    assert {name: json.loads(said)[name] for name in ("read", "done", "skipped", "failed")} == {
        "read": 2,
        "done": 4,
        "skipped": 16,
        "failed": 0,
    }
    after = files(output)
    assert before.items() <= after.items()
    assert len(after) == 20
    assert not (output / "_failed.jsonl").exists()
    assert not list(output.rglob("*.tmp"))
    code, said, error = run("batch", *words)
    assert (code, json.loads(said)["done"], json.loads(said)["skipped"]) == (0, 0, 20), error


@pytest.mark.slow
def test_a_killed_run_is_finished_by_running_it_again(painted, place, bundle, tmp_path):
    output = tmp_path / "out"
    words = ["batch", "photos/**/*.jpg", *styles(place), "-o", str(output), "--model", str(bundle)]
    process = subprocess.Popen([*STYLEPORT, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for(lambda: list(output.rglob("*.jpg")))
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    half = files(output)
    again = subprocess.run([*STYLEPORT, *words, "--json"], capture_output=True, text=True)
    assert json.loads(again.stdout)["failed"] == 4, again.stderr
    assert half.items() <= files(output).items()
    assert files(output) == files(painted[0])


@pytest.fixture
def cluster(tmp_path):
    """A Dask scheduler and two workers on the loopback interface, each a process of its own."""
    file = tmp_path / "scheduler.json"
    common = ["--scheduler-file", str(file), "--host", "127.0.0.1", "--no-dashboard"]
    started = []

    def start(name, *options):
        command = [sys.executable, "-m", f"distributed.cli.dask_{name}", *common, *options]
        with (tmp_path / f"{name}{len(started)}.log").open("wb") as log:
            started.append(subprocess.Popen(command, stdout=log, stderr=log, cwd=tmp_path))
        return started[-1]

    start("scheduler", "--port", "0")
    wait_for(lambda: file.exists() and file.read_text())
    workers = [start("worker", "--nthreads", "1", "--no-nanny", "--local-directory", str(tmp_path)) for _ in range(2)]
    yield file, workers
    for process in started:
        process.kill()
        process.wait()


@pytest.mark.slow
def test_two_machines_share_the_work_and_one_that_dies_loses_nothing(cluster, painted, place, bundle, tmp_path):
    scheduler, workers = cluster
    output = tmp_path / "out"
    options = ["--runner", "DaskRunner", "--dask_scheduler_file", str(scheduler), "--dask_partition_size=1", "--json"]
    words = ["batch", "photos/**/*.jpg", *styles(place), "-o", str(output), "--model", str(bundle), *options]
    process = subprocess.Popen([*STYLEPORT, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_for(lambda: list(output.rglob("*.jpg")) or process.poll() is not None)
    workers[1].kill()
    said, error = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 1, error
    counters = json.loads(said)
    assert (counters["done"], counters["failed"], counters["read"]) == (16, 4, 8), error
    assert files(output) == files(painted[0])


@pytest.mark.slow
def test_pictures_bundle_and_results_may_lie_on_another_file_system(painted, place, bundle, run):
    from apache_beam.options.pipeline_options import PipelineOptions
    from rich.console import Console

    from serving.pipelines.beam import bundle_copy, plan, runners, running
    from toolkit.interface.stylize_options import StylizeOptions

    far = f"shelf://{place}"
    remote = f"shelf://{bundle}"
    bundle_copy.check(remote)
    planned = plan.make(f"{far}/photos/**/*.jpg", [f"{far}/starry_night.png"], f"{far}/out")
    # In this process, where the file system of the tests is known.
    runner = runners.open_runner("FnApiRunner")
    summary = running.run(planned, remote, StylizeOptions(), runner, PipelineOptions([]), Console(quiet=True))
    assert (summary.done, summary.failed) == (8, 2)
    expected = {name: data for name, data in files(painted[0]).items() if name.startswith("starry_night/")}
    assert conftest.ShelfFileSystem and files(place / "out") == expected


@pytest.mark.parametrize(("options", "suffix"), [([], ".jpg"), (["--suffix", "webp"], ".webp")])
def test_a_result_keeps_the_format_the_date_the_camera_and_the_profile_of_its_photo(
    place, bundle, run, options, suffix
):
    photo = readable(place)[0]
    exif = Image.Exif()
    exif[ExifTags.Base.Model] = "Pinhole 3"
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = "2026:01:02 03:04:05"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    with Image.open(photo) as image:
        image.save(place / "tagged.jpg", exif=exif, icc_profile=profile)
    arguments = ["tagged.jpg", place / "starry_night.png", "-o", "out", "--model", bundle, *options]
    code, _, error = run("batch", *arguments)
    assert code == 0, error
    with Image.open(place / "out" / "starry_night" / f"tagged{suffix}") as painted:
        assert painted.format == {".jpg": "JPEG", ".webp": "WEBP"}[suffix]
        found = painted.getexif()
        assert found[ExifTags.Base.Model] == "Pinhole 3"
        assert found.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] == "2026:01:02 03:04:05"
        assert painted.info["icc_profile"]


# What is refused


def not_begun(run, place, bundle, **changed):
    words = {
        "pattern": "photos/**/*.jpg",
        "style": place / "starry_night.png",
        "-o": "out",
        "--model": bundle,
    } | changed
    options = [word for name, value in words.items() if name.startswith("-") for word in (name, value)]
    code, _, error = run("batch", words["pattern"], words["style"], *options)
    assert not (place / "out").exists()
    return code, error


def test_what_cannot_be_done_is_refused_before_anything_is_written(place, bundle, run):
    assert not_begun(run, place, bundle, pattern="none/*.jpg") == (
        2,
        f"no file matches {place}/none/*.jpg: quote a pattern such as 'photos/**/*.jpg'",
    )
    assert not_begun(run, place, bundle, style=place / "photos" / "text.jpg")[0] == 2
    code, error = not_begun(run, place, bundle, **{"--runner": "StormRunner"})
    assert code == 2
    assert "unknown runner 'StormRunner': choose from DaskRunner, DataflowRunner" in error
    code, error = not_begun(run, place, bundle, **{"--nonsense": "1"})
    assert (code, error) == (2, "no such option: --nonsense; unknown to both styleport batch and Apache Beam")
    code, error = not_begun(run, place, place / "photos")
    assert code == 2
    assert "not a bundle" in error
    code, error = not_begun(run, place, bundle, **{"--strength": "2"})
    assert code == 2
    assert "strength is 2" in error


def test_a_bundle_whose_verdict_is_not_pass_is_refused(place, bundle, tmp_path, run):
    copy = shutil.copytree(bundle, tmp_path / "bundle")
    forging.write(copy, manifests.read(copy) | {"verdict": "fail"})
    code, error = not_begun(run, place, copy)
    assert code == 1
    assert f"{copy}: its verdict is 'fail', not 'pass'" in error


def test_a_bundle_of_one_style_is_refused(place, bundle, tmp_path, run):
    copy = shutil.copytree(bundle, tmp_path / "copy")
    source = {**manifests.read(copy)["source"], "method": "single-style"}
    forging.write(copy, manifests.read(copy) | {"source": source})
    code, error = not_begun(run, place, copy)
    assert code == 2
    assert f"{copy}: has a built-in style and paints in no other" in error


def test_a_full_disk_ends_the_run_and_keeps_what_is_written(place, bundle, tmp_path, run, monkeypatch):
    from apache_beam.io.filesystem import BeamIOError
    from apache_beam.io.filesystems import FileSystems
    from apache_beam.options.pipeline_options import PipelineOptions
    from rich.console import Console

    from serving.pipelines.beam import plan, runners, running
    from toolkit.errors import WorkError
    from toolkit.interface.stylize_options import StylizeOptions

    real, renamed = FileSystems.rename, []

    def filling(sources, destinations):
        if len(renamed) == 3:
            raise BeamIOError("full", {sources[0]: OSError(28, "No space left on device")})
        renamed.append(destinations[0])
        real(sources, destinations)

    monkeypatch.setattr(FileSystems, "rename", filling)
    planned = plan.make("photos/**/*.jpg", ["starry_night.png"], "out")
    runner = runners.open_runner("FnApiRunner")
    with pytest.raises(WorkError, match=r"cannot write .*: No space left on device; fix this and run again"):
        running.run(planned, str(bundle), StylizeOptions(), runner, PipelineOptions([]), Console(quiet=True))
    assert sorted(str(path) for path in (place / "out").rglob("*") if path.is_file()) == sorted(renamed)


@pytest.mark.slow
def test_the_command_of_the_readme_runs(place, bundle, run):
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (command,) = re.findall(r"^styleport (batch .*)$", text, re.MULTILINE)
    (place / "build").mkdir()
    (place / "build" / "bundle").symlink_to(bundle)
    images.save_image(images.load_image("starry_night.png"), "painting.jpg")
    for photo in (place / "photos").rglob("*.jpg"):
        if photo.stem not in ("rocket0", "coffee0"):
            photo.unlink()
    code, _, error = run(*shlex.split(command))
    assert code == 0, error
    names = sorted(files(place / "gallery"))
    assert names == [
        f"{style}/{name}.jpg" for style in ("composition_vii", "painting") for name in ("coffee0", "rocket0")
    ]
