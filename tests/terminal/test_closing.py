"""toolkit.cli: Every command ends with what was made, its size and its seconds, and with what follows; JSON stands
alone."""

import json
import re
import shlex

import pytest

from tests.serving import small_bundles
from tests.terminal.screen import COLUMNS
from toolkit import cli
from toolkit.imaging import images

DONE = re.compile(r"^(made .+: [\d.]+ (GB|MB|kB|bytes)|done) in [\d.]+ s$")


SOURCE = "a-source-with-a-long-name-of-its-own/version-12"


def followed(session):
    """The commands that a session names as the next, after the line of what was made."""
    lines = session.unbroken
    start = next(index for index, line in enumerate(lines) if DONE.match(line))
    assert lines[start + 1].startswith("next: ")
    return [line.removeprefix("next:").strip() for line in lines[start + 1 :]]


@pytest.fixture
def base(tmp_path):
    """Three versions in a base path with a long source, of which the first is stable and canary."""
    from serving.versions.models_config import ModelsFile, default_config

    bundle = small_bundles.make(tmp_path / "bundle", text=SOURCE)
    base_path = tmp_path / "models" / "stylizer"
    for _ in range(3):
        small_bundles.publish(bundle, base_path)
    assert ModelsFile(default_config(base_path), base_path).write_first(1)
    return "models/stylizer"


@pytest.mark.usefixtures("base")
@pytest.mark.parametrize(
    ("arguments", "follows"),
    [
        (["versions", "models/stylizer"], "styleport lineage models/stylizer 3"),
        (["lineage", "models/stylizer", "1"], "styleport versions models/stylizer"),
        (["label", "models/stylizer", "canary=none"], "styleport versions models/stylizer"),
        (["prune", "models/stylizer", "--keep", "1"], "styleport versions models/stylizer"),
        (
            ["deploy", "compose", "new/live", "--base-path", "models/stylizer"],
            "docker compose --file new/live/compose.yaml up --detach --wait",
        ),
        (
            ["deploy", "config", "new/config", "--base-path", "models/stylizer"],
            "styleport serve --rest_api_port=8501 --model_config_file=new/config/models.config",
        ),
    ],
)
def test_a_command_on_versions_ends_with_its_seconds_and_what_follows(styleport, arguments, follows):
    session = styleport(*arguments)
    assert session.code == 0, session.text
    assert followed(session)[0] == follows, session.text


def test_a_dry_run_is_followed_by_the_real_one(styleport, base):
    session = styleport("prune", base, "--keep", "1", "--dry-run", "--model-config", "models/models.config")
    assert session.code == 0, session.text
    assert session.lines[0] == "would be removed: 2; kept: 1, 3"
    config = "--model-config models/models.config"
    assert followed(session) == [
        f"styleport prune models/stylizer --keep 1 {config}",
        f"styleport versions models/stylizer {config}",
    ]


@pytest.mark.parametrize("columns", [COLUMNS, 60])
def test_versions_and_lineage_cut_no_name(styleport, base, columns):
    session = styleport("versions", base, columns=columns)
    assert session.code == 0, session.text
    assert "…" not in session.text
    assert "canary, stable" in session.text
    assert SOURCE in session.text or re.search(r"left out at this width: .*source", " ".join(session.text.split()))
    session = styleport("lineage", base, "1", columns=columns)
    assert session.code == 0, session.text
    assert "…" not in session.text
    for word in (SOURCE, "source/stylizer.keras", "2026-01-01T00:00:00+00:00"):
        assert word in session.text, session.text


def test_a_partial_run_ends_with_what_was_made_and_then_the_error(styleport, photos, painting):
    (photos / "broken.png").write_bytes(b"no picture")
    session = styleport("stylize", photos.name, painting.name, "-o", "out/")
    assert session.code == 1, session.text
    assert session.lines[:2] == ["out/one.png", "out/two.png"]
    assert re.match(r"made 2 files: [\d.]+ kB in ", session.lines[2])
    assert session.lines[3].startswith("styleport: 1 of 3 pictures failed: cannot read photos/broken.png: ")


def test_what_follows_a_painting_names_the_model_that_painted_it(styleport, photos, painting):
    session = styleport("stylize", "photos/one.png", painting.name, "-o", "out.png", "--artifact", "keras")
    assert session.code == 0, session.text
    (follows,) = followed(session)
    assert follows.endswith(" -o weaker.png --strength 0.6 --artifact keras")
    assert styleport(*shlex.split(follows)[1:]).code == 0


def test_broader_strokes_follow_at_half_of_what_was_painted(styleport, photos, painting):
    session = styleport("stylize", "photos/one.png", painting.name, "-o", "out.png", "--strength", "0.5")
    assert session.code == 0, session.text
    (follows,) = followed(session)
    assert follows.endswith(" -o broader.png --detail 35"), "the photo's longer side is 70"


def test_a_single_picture_that_fails_is_told_as_json(photos, painting, capfd):
    (photos / "broken.png").write_bytes(b"no picture")
    arguments = [str(photos / "broken.png"), str(painting), "-o", str(photos.parent / "out.png"), "--json"]
    assert cli.run(["stylize", *arguments]) == 2
    printed = capfd.readouterr()
    told = json.loads(printed.out)
    assert (told["done"], told["skipped"]) == ([], [])
    (failed,) = told["failed"]
    assert failed["content"] == str(photos / "broken.png")
    assert failed["error"] in printed.err


@pytest.mark.parametrize("command", ["stylize", "optimize", "compare"])
def test_a_missing_folder_is_created_and_an_unwritable_one_refused_before_the_work(
    photos, painting, capfd, monkeypatch, command
):
    few = [] if command == "stylize" else ["--vgg-weights", "random", "--steps", "1"]
    place = photos.parent / "new" / "deep" / "out.png"
    arguments = [command, str(photos / "one.png"), str(painting), *few]
    assert cli.run([*arguments, "-o", str(place)]) == 0
    assert images.load_image(place).ndim == 3
    capfd.readouterr()
    monkeypatch.setattr(
        "toolkit.inference.model_loader.ModelChoice.open", lambda *_: pytest.fail("the model was opened")
    )
    assert cli.run([*arguments, "-o", str(painting / "out.png")]) == 2
    assert "painting.png is not a folder; choose another path" in capfd.readouterr().err
