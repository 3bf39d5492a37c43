"""Docs: Every command and every Python block of the pages runs as it stands there, on small pictures.

An export is run up to the exporter with the options of the page: what the exporter makes of them is held by
tests/export, and takes minutes. In its place the bundle that all tests share is put at the target. The commands of
the pages on external models, on serving and on TFX are run by tests/hub, tests/serving and tests/tfx, those on
runtimes and on the browser by tests/runtimes and tests/browser.
"""

import functools
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from serving.server.options import Limits
from tests.docs import pages
from tests.docs.pages import DOCS, ROOT
from tests.export import golden_outputs, measuring
from tests.toolkit.video.made_files import pictures, write_video
from toolkit import cli
from toolkit import manifest as manifests
from toolkit.imaging import images, samples

PAGES = ["index", "install", "stylize", "optimize", "export", "bundle", "device", "on-device", "batch", "video"]
PROJECT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
# Signing, of security, is tested by tests/export/bundle/test_signing.py, with keys of its own.
ELSEWHERE = ["own-model", "serve", "tfx", "web", "runtimes", "security"]
# What makes a command of optimization take seconds; of two options of a name the last one counts.
FEW_STEPS = ["--steps", "1", "--vgg-weights", "random", "--size", "64"]


@pytest.fixture(scope="module")
def files(bundle, tmp_path_factory):
    """The pictures and the bundle that the pages speak of."""
    place = tmp_path_factory.mktemp("place")
    shutil.copytree(bundle, place / "build" / "bundle")
    for folder in ("holiday", "styles", "2024", "2025", "albums/spring"):
        (place / folder).mkdir(parents=True)
    photos = {name: images.load_image(photo, 96) for name, photo in samples.photos().items()}
    for name, photo in (("photo", "chelsea"), ("holiday/beach", "rocket"), ("holiday/town", "coffee")):
        images.save_image(photos[photo], place / f"{name}.jpg")
    for year in ("2024", "2025", "albums/spring"):
        images.save_image(photos["rocket"], place / year / "beach.jpg")
    for name, style in (
        ("painting.jpg", "starry_night"),
        ("styles/mosaic.png", "composition_vii"),
        ("styles/woodcut.png", "stained_tissue"),
    ):
        images.save_image(images.center_crop_resize(samples.styles()[style], 96), place / name)
    write_video(place / "clip.mp4", pictures(12), sound="aac")
    first, *others = map(images.to_pillow, pictures(3))
    first.save(place / "cat.gif", save_all=True, append_images=others, duration=100)
    write_outputs(place / "outputs.bin", place / "build" / "bundle" / "tflite" / "float32_384")
    return place


def write_outputs(path, artifact):
    """Writes what a device without any error would write for an artifact's golden vectors."""
    from export.parity.golden_vectors import GoldenVectors

    vectors = GoldenVectors.read(artifact)
    golden_outputs.write_raw(path, vectors.header()["id"], vectors.outputs)


@pytest.fixture
def place(files, tmp_path, monkeypatch):
    """A copy of these files, as the folder to work in."""
    monkeypatch.chdir(shutil.copytree(files, tmp_path / "place", symlinks=True, copy_function=os.link))
    return Path.cwd()


@pytest.fixture(scope="module")
def verify(saved_model_bundle):
    """Verifies the SavedModel of the shared bundle, once."""
    from export.exporting import verify_bundle

    return functools.cache(lambda: verify_bundle(saved_model_bundle, sizes=measuring.small))


@pytest.fixture
def quick(monkeypatch, bundle, verify):
    """Puts the shared bundle where an export would, exports for one size of picture, and verifies one SavedModel."""
    from export import exporting

    in_full = exporting.export_bundle

    def exported(exportable, target, options, force=False, progress=None, signer=None):
        if options.formats == ("baked",):
            return in_full(exportable, target, options, force, sizes=measuring.small)
        if exportable.source["method"] == "feed-forward" and not Path(target).exists():
            shutil.copytree(bundle, target)
        return manifests.read(bundle)

    def verified(bundle, progress, **arguments):
        return verify()

    monkeypatch.setattr(exporting, "export_bundle", exported)
    monkeypatch.setattr(exporting, "verify_bundle", verified)


def run_styleport(words):
    if words[0] in ("optimize", "compare"):
        words = [*words, *FEW_STEPS]
    if "--refine" in words:
        words = [*words, "--refine", "1", "--max-size", "64"]
    if "--scales" in words:
        words = [*words, "--steps", "2", "--size", "96"]
    if words[0] == "export":
        words = [*words, "--force"]
    assert cli.run(words) == 0, shlex.join(words)


def check_pip(words):
    assert words[0] == "install"
    named = re.fullmatch(r"\.(?:\[([\w,]+)\])?", words[1])
    assert named, f"{words[1]} is not installed from a checkout"
    for extra in filter(None, (named[1] or "").split(",")):
        assert re.search(rf"^{extra} = \[", PROJECT, re.MULTILINE), f"no extra {extra}"


def check_checkout(words):
    """Checks the address against the one that the project states, since cloning needs a network."""
    assert words[1] == "clone"
    assert f'Homepage = "{words[2]}"' in PROJECT


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("page", PAGES)
def test_every_command_of_a_page_runs(page, place, quick):
    found = pages.commands(DOCS / f"{page}.md")
    assert found
    for line in found:
        words = shlex.split(line)
        if words[0] == "styleport":
            run_styleport(words[1:])
        elif words[0] == "pip":
            check_pip(words[1:])
        elif words[0] == "git":
            check_checkout(words)
        elif words == ["cd", "styleport"]:
            continue  # into the checkout
        else:
            subprocess.run(["bash", "-c", line], check=True, capture_output=True)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("page", [page for page in PAGES if pages.python_blocks(DOCS / f"{page}.md")])
def test_every_python_block_of_a_page_runs(page, place, quick):
    for block in pages.python_blocks(DOCS / f"{page}.md"):
        exec(block, {})  # noqa: S102 the page's own


@pytest.mark.slow
def test_the_commands_leave_what_the_pages_say(place):
    assert cli.run(shlex.split("stylize holiday/ styles/ -o gallery/ --suffix .jpg")) == 0
    written = {str(path) for path in Path("gallery").rglob("*.jpg")}
    assert written == {f"gallery/{style}/{name}.jpg" for style in ("mosaic", "woodcut") for name in ("beach", "town")}


def test_every_page_with_commands_is_run_here_or_elsewhere():
    with_commands = {path.stem for path in DOCS.glob("*.md") if pages.commands(path)}
    assert with_commands <= {*PAGES, *ELSEWHERE}


def test_every_option_that_the_text_speaks_of_is_one_that_a_command_has(capsys):
    told = set()
    for name in cli.COMMANDS:
        cli.run([name, "--help"])
        told |= set(re.findall(r"--[a-z][\w-]*", capsys.readouterr().out))
    for path in DOCS.glob("*.md"):
        spoken = set(re.findall(r"`(--[a-z][\w-]*)[^`]*`", path.read_text(encoding="utf-8")))
        assert spoken <= told | {"--help"}, f"{path.name}: {spoken - told}"


def test_the_limits_of_the_local_server_are_told_with_their_defaults(capsys):
    cli.run(["serve", "--help"])
    limits = {name for name in re.findall(r"--max_\w+", capsys.readouterr().out) if name != "--max_num_load_retries"}
    rows = re.findall(r"\| `(--\w+)` \| ([\d,]+)( MiB| s)? \|", (DOCS / "security.md").read_text(encoding="utf-8"))
    scale = {"": 1, " MiB": 1 << 20, " s": 1}
    told = {name: int(number.replace(",", "")) * scale[unit] for name, number, unit in rows}
    assert set(told) >= limits - {"--max_running_requests"}
    seconds = {
        "--receive_timeout_in_ms": "receive_timeout_seconds",
        "--rest_api_timeout_in_ms": "rest_timeout_seconds",
    }
    for name, value in told.items():
        assert getattr(Limits(), seconds.get(name, name.removeprefix("--"))) == value, name


def test_every_page_is_in_the_table_of_the_first():
    linked = set(pages.links(DOCS / "index.md"))
    assert linked >= {path.name for path in DOCS.glob("*.md")} - {"index.md"}


@pytest.mark.parametrize("path", sorted(DOCS.rglob("*.md")), ids=lambda path: path.relative_to(DOCS).as_posix())
def test_every_relative_link_is_alive(path):
    assert pages.dead_links(path) == []


def test_every_name_of_the_house_that_the_text_speaks_of_exists():
    text = (DOCS / "how-it-works.md").read_text(encoding="utf-8")
    for name in re.findall(r"`((?:toolkit|export|serving)/[\w/.-]*)`", text):
        assert (ROOT / name).exists(), name
    for name in re.findall(r"`((?:toolkit|export|serving)(?:\.\w+)+)`", text):
        module, _, attribute = name.rpartition(".")
        if (ROOT / name.replace(".", "/")).with_suffix(".py").exists():
            continue
        source = (ROOT / module.replace(".", "/")).with_suffix(".py").read_text(encoding="utf-8")
        assert re.search(rf"^(?:class|def) {attribute}\b|^{attribute}\b", source, re.MULTILINE), name
    for name, path in re.findall(r"`([A-Z_]+)`\s+(?:of|in)\s+`([\w/]+\.py)`", text):
        assert re.search(rf"^{name}\b", (ROOT / path).read_text(encoding="utf-8"), re.MULTILINE), f"{name} in {path}"
