"""export.web: The web page as an artifact: complete, self-contained, verified. `make test-browser` opens it in a
browser."""

import base64
import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from export.artifact import Artifact, ExportOptions
from export.baked_style import Style, StylePicture
from export.parity import evaluation
from export.sources import external
from export.web import exporter as web
from export.web import litert_js
from tests.export.fake_npm import FakeNpm
from toolkit import cli, manifest
from toolkit.errors import InputError, WorkError
from toolkit.imaging import images, samples
from toolkit.inference.model_loader import open_model
from toolkit.runtimes.network_metadata import read_metadata

# Large enough for the networks, small enough to be quick.
SIDES = (64, 96)
INDEX = f'import {{ createWasmLib }} from "{litert_js.LOADER.name}";\nexport const answer = 42;\n'


def pack_runtime(fake: FakeNpm, patch: pytest.MonkeyPatch, index: str = INDEX) -> None:
    """Has npm bring a LiteRT.js of the right names and nothing in it."""
    builds = {f"wasm/{build}.{suffix}": b"\0asm" for build in litert_js.WASM_BUILDS for suffix in ("js", "wasm")}
    patch.setattr(litert_js, "CORE", fake.packs("@litertjs/core", {"dist/index.js": index.encode(), **builds}))
    patch.setattr(litert_js, "LOADER", fake.packs("@litertjs/wasm-utils", {"dist/index.js": b"export {};"}))


@pytest.fixture
def fake(tmp_path, monkeypatch):
    fake = FakeNpm(tmp_path / "npm")
    monkeypatch.setenv("PATH", str(fake.path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    pack_runtime(fake, monkeypatch)
    return fake


@pytest.fixture(scope="module", autouse=True)
def small_pages():
    """The pages of these tests paint small pictures."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(web, "PAGE_SIZES", SIDES)
        patch.setattr(evaluation, "PAGE_SIZES", SIDES)
        yield


@pytest.fixture(scope="module")
def page_bundle(tmp_path_factory):
    """`styleport export --formats web`, with a runtime that does nothing."""
    home = tmp_path_factory.mktemp("page")
    fake = FakeNpm(home / "npm")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(home / "cache"))
        patch.setenv("PATH", str(fake.path))
        pack_runtime(fake, patch)
        assert cli.run(["export", str(home / "bundle"), "--formats", "web"]) == 0
    return home / "bundle"


@pytest.fixture(scope="module")
def record(page_bundle):
    return manifest.artifact(manifest.read(page_bundle), "web")


def former_networks(exporter: type[web.PageExporter], folder: Path) -> type[web.PageExporter]:
    """Makes an exporter of pages that takes the networks out of a bundle."""

    class Former(exporter.split_exporter):
        def __init__(self, model, options):
            self.artifacts = options.artifacts("tflite")

        def write(self, artifact, target):
            shutil.copytree(folder, target, dirs_exist_ok=True)

    class Page(exporter):
        split_exporter = Former

    return Page


@pytest.mark.slow
def test_the_page_is_complete_and_every_file_is_recorded(page_bundle, record):
    names = {file["path"].removeprefix("web/") for file in record["files"]}
    sources = {path.name for path in web.SOURCES.iterdir()}
    runtime = {f"litert/{build}.{suffix}" for build in litert_js.WASM_BUILDS for suffix in ("js", "wasm")}
    pictures = {f"samples/{name}.webp" for name in ("chelsea", "astronaut", "coffee", "rocket")}
    pictures |= {f"samples/{name}.webp" for name in ("starry_night", "composition_vii", "stained_tissue")}
    networks = {"predictor.tflite", "transformer.tflite", "transformer_96.tflite"}
    others = {"litert/index.js", "litert/wasm-utils.js", "page.json", "files.js", "CREDITS.txt"}
    assert names == sources | runtime | pictures | networks | others
    on_disk = {path.relative_to(page_bundle).as_posix() for path in (page_bundle / "web").rglob("*") if path.is_file()}
    assert on_disk == {file["path"] for file in record["files"]}


@pytest.mark.slow
def test_it_is_held_against_the_model_at_every_size_it_offers(record):
    assert (record["format"], record["quantization"], record["size"]) == ("web", "float16", None)
    assert record["parity"]["pairs"] == 12 * len(SIDES)
    assert record["gate"] == evaluation.GATES["tflite/float16"].bounds()
    assert record["verdict"] == "pass"


@pytest.mark.slow
def test_each_of_its_networks_says_what_it_is(page_bundle):
    told = {path.stem: read_metadata(path).name for path in (page_bundle / "web").glob("*.tflite")}
    assert told == {
        "predictor": "magenta-mobile predictor, float16",
        "transformer": "magenta-mobile transformer, float16",
        "transformer_96": "magenta-mobile transformer, float16",
    }


@pytest.mark.slow
def test_its_signatures_are_those_of_its_networks(record):
    assert set(record["signatures"]) == {"bottleneck", "transform_64", "transform_96"}
    transform = record["signatures"]["transform_96"]
    assert transform["file"] == "transformer_96.tflite"
    assert transform["inputs"]["content_image"] == {"shape": [1, 96, 96, 3], "dtype": "float32"}


@pytest.mark.slow
def test_verify_recomputes_its_metrics(page_bundle, capsys):
    assert cli.run(["verify", str(page_bundle)]) == 0
    assert "web" in capsys.readouterr().out


@pytest.mark.slow
def test_verify_finds_a_changed_page(page_bundle, tmp_path, capsys):
    copy = Path(shutil.copytree(page_bundle, tmp_path / "copy"))
    with (copy / "web" / "app.js").open("a") as stream:
        stream.write("fetch('https://example.org');")
    assert cli.run(["verify", str(copy)]) == 2
    assert "app.js: changed" in capsys.readouterr().err


@pytest.mark.slow
def test_the_command_line_paints_with_its_networks(page_bundle, content, style):
    model = open_model(page_bundle, "web")
    painted = model.transform(content, model.bottleneck(style))
    assert painted.shape == content.shape


@pytest.mark.slow
@pytest.mark.parametrize(("side", "expected"), [(40, 64), (64, 64), (65, 96), (200, 96)])
def test_a_content_is_painted_by_the_least_network_that_holds_it(page_bundle, style, side, expected):
    content = np.tile(np.linspace(0, 1, side, dtype=np.float32)[None, None, :, None], (1, 30, 1, 3))
    folder = page_bundle / "web"
    chosen = web.PageStylizer(folder)(content, style)
    assert np.array_equal(chosen, web.PageStylizer(folder, expected)(content, style))


@pytest.mark.slow
def test_every_file_is_listed_with_its_hash_and_the_service_worker_is_of_that_list(page_bundle, record):
    folder = page_bundle / "web"
    release = json.loads((folder / "files.js").read_text().split("self.release = ")[1].rstrip(";\n"))
    digests = {file["path"].removeprefix("web/"): bytes.fromhex(file["sha256"]) for file in record["files"]}
    # The browser looks after the service worker by itself, and no list can hold its own hash.
    for name in ("service-worker.js", "files.js"):
        digests.pop(name)
    assert release["files"] == {name: "sha256-" + base64.b64encode(digest).decode() for name, digest in digests.items()}
    assert f'const VERSION = "{release["version"]}";' in (folder / "service-worker.js").read_text()
    assert len(release["version"]) == 64


@pytest.mark.slow
def test_the_page_offers_the_sizes_that_it_was_made_for(page_bundle):
    settings = json.loads((page_bundle / "web" / "page.json").read_text())
    assert [size["side"] for size in settings["sizes"]] == list(SIDES)


@pytest.mark.slow
def test_a_larger_content_keeps_its_edges(page_bundle):
    """A step of the photo is a step of the painting; Lanczos makes a ramp of it."""
    content = np.full((1, 200, 300, 3), 0.1, np.float32)
    content[:, :, 151:] = 0.9
    stylizer = web.PageStylizer(page_bundle / "web", SIDES[0])
    painted = stylizer(content, samples.styles()["starry_night"][None])[0]
    small = images.resize(painted, 43, 64)

    def step(picture):
        luma = images.luminance(picture)[..., 0]
        return np.abs(luma[:, 151] - luma[:, 150]).mean()

    assert painted.shape == (200, 300, 3)
    assert step(painted) > 2 * step(images.resize(small, 200, 300))


@pytest.mark.slow
def test_the_pages_own_part_is_small(page_bundle):
    folder = page_bundle / "web"
    own = sum((folder / path.name).stat().st_size for path in web.SOURCES.iterdir())
    pictures = sum(path.stat().st_size for path in (folder / "samples").iterdir())
    assert own < 75_000
    assert pictures < 600_000


@pytest.mark.slow
def test_every_import_is_of_a_file_of_the_page(page_bundle):
    folder = page_bundle / "web"
    assert (folder / "litert" / "index.js").read_text().startswith("// Changed by styleport")
    modules = [*folder.glob("*.js"), folder / "litert" / "index.js"]
    pattern = re.compile(r'^(?:import|export)\b.*from "(.+)";', re.MULTILINE)
    imported = [(path, name) for path in modules for name in pattern.findall(path.read_text())]
    assert len(imported) > 5
    missing = [(path.name, name) for path, name in imported if not (path.parent / name).is_file()]
    assert not missing


def test_the_license_of_what_it_carries_is_with_it():
    root = Path(__file__).parents[3]
    assert (web.SOURCES / "LICENSE.txt").read_bytes() == (root / "LICENSE").read_bytes()


def test_no_source_names_a_host():
    for path in web.SOURCES.iterdir():
        if path.name == "LICENSE.txt":
            continue
        named = re.findall(r"(?:\w+:)?//[\w.-]+\.\w+", re.sub(r"^\s*//.*$", "", path.read_text(), flags=re.M))
        # SVG's name space, and where the page says that it can be opened.
        assert set(named) <= {"http://www.w3.org", "http://127.0.0.1"}, f"{path.name} names {named}"


def test_the_policy_allows_nothing_but_the_page_itself():
    text = (web.SOURCES / "index.html").read_text()
    policy = re.search(r'Content-Security-Policy" content="(.+?)"', text).group(1)
    rules = {rule.split()[0]: rule.split()[1:] for rule in policy.split(";")}
    assert rules["default-src"] == rules["form-action"] == rules["base-uri"] == ["'none'"]
    assert rules["connect-src"] == rules["style-src"] == ["'self'"]
    assert rules["script-src"] == ["'self'", "'wasm-unsafe-eval'"]
    sources = {source for name in rules for source in rules[name]}
    assert sources == {"'none'", "'self'", "'wasm-unsafe-eval'", "blob:"}


class Elements(HTMLParser):
    """The elements of a page: tag and attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


@pytest.fixture(scope="module")
def elements():
    parser = Elements()
    parser.feed((web.SOURCES / "index.html").read_text())
    return parser.found


def test_what_the_code_and_the_labels_refer_to_exists(elements):
    ids = [attributes["id"] for _, attributes in elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    code = "".join(path.read_text() for path in web.SOURCES.glob("*.js"))
    wanted = set(re.findall(r'(?:element|getElementById)\("([\w-]+)"\)', code))
    wanted |= {attributes["for"] for _, attributes in elements if "for" in attributes}
    wanted |= {attributes["aria-labelledby"] for _, attributes in elements if "aria-labelledby" in attributes}
    assert len(wanted) > 10
    assert wanted <= set(ids)


def test_every_control_has_a_label_and_nothing_runs_inline(elements):
    labeled = {attributes["for"] for tag, attributes in elements if tag == "label"}
    for tag, attributes in elements:
        if tag in ("input", "canvas", "video", "dialog"):
            assert attributes.get("aria-label") or attributes.get("id") in labeled, (tag, attributes)
        assert not any(name.startswith("on") or name == "style" for name in attributes), (tag, attributes)
    assert ("html", {"lang": "en"}) in elements


def test_without_npm_nothing_is_written(fake, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PATH", "")
    assert cli.run(["export", str(tmp_path / "bundle"), "--formats", "web"]) == 2
    assert "is fetched by npm, which is not installed" in capsys.readouterr().err
    assert not (tmp_path / "bundle").exists()


def test_a_missing_npm_is_told_before_anything_is_exported(fake, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("export.exporting.export_bundle", None)  # whoever calls it fails
    assert cli.run(["export", str(tmp_path / "bundle"), "--formats", "saved_model,tflite,web"]) == 2
    assert "leave web out" in capsys.readouterr().err


WEB = ExportOptions(formats=("web",))


def test_an_external_stylizer_gets_a_page_of_its_own_networks(fake, bundle, tmp_path):
    former, exporter = bundle / "tflite" / "float16_384", external.EXPORTERS["feed-forward"]["web"]
    assert issubclass(exporter.split_exporter, external.ExternalSplitTFLiteExporter)
    (artifact,) = former_networks(exporter, former)(None, WEB).export(tmp_path, print)
    made = tmp_path / artifact.path / "predictor.tflite"
    assert made.read_bytes() == (former / "predictor.tflite").read_bytes()


def test_another_litert_than_the_pinned_one_is_refused(fake, bundle, tmp_path, monkeypatch):
    pack_runtime(fake, monkeypatch, index='import { createWasmLib } from "elsewhere";')
    exporter = former_networks(web.PageExporter, bundle / "tflite" / "float16_384")
    with pytest.raises(WorkError, match="does not import @litertjs/wasm-utils once"):
        list(exporter(None, WEB).export(tmp_path, print))


def test_networks_of_another_exporter_make_a_page_too(fake, bundle, tmp_path):
    exporter = former_networks(web.PageExporter, bundle / "tflite" / "float16_384")
    assert list(exporter(None, WEB).export(tmp_path, print)) == [Artifact("web", "web", "float16", None)]
    assert (tmp_path / "web" / "transformer_96.tflite").is_file()
    assert not [path for path in (tmp_path / "web").iterdir() if path.name.startswith(".")]


def test_a_page_may_be_asked_for_beside_a_style_to_bake(fake, bundle, tmp_path):
    style = Style("swirls", (StylePicture("swirls.png", "0" * 64, 1.0),))
    exporter = former_networks(web.PageExporter, bundle / "tflite" / "float16_384")
    assert list(exporter(None, ExportOptions(("web", "baked"), bakes=(style,))).export(tmp_path, print))


def test_the_optimization_has_no_page():
    with pytest.raises(InputError, match="unknown format 'web': choose from saved_model, tflite"):
        ExportOptions(formats=("web",), method="optimization")


def test_a_page_is_made_only_where_it_is_asked_for():
    assert "web" not in ExportOptions().formats
    assert ExportOptions(formats=("web",)).artifacts() == [Artifact("web", "web", "float16", None)]


# The page's texts


def translated(language="es"):
    source = (web.SOURCES / "texts.js").read_text(encoding="utf-8")
    table = source.split(f"    {language}: {{\n", 1)[1].split("\n    },\n", 1)[0]
    return dict(re.findall(r'^ +"(.*)": "(.*)",$', table, re.MULTILINE))


def spoken_by_the_page():
    """Every text of the page: in its HTML, in calls of `text`, in the worker's steps and beside its samples."""

    class Texts(HTMLParser):
        def __init__(self):
            super().__init__()
            self.found, self.silent = [], 0

        def handle_starttag(self, tag, attributes):
            self.silent += tag == "noscript"
            self.found += [value for name, value in attributes if name == "aria-label"]

        def handle_endtag(self, tag):
            self.silent -= tag == "noscript"

        def handle_data(self, data):
            if re.search("[A-Za-z]{2}", data) and not self.silent:
                self.found.append(data.strip())

    html = Texts()
    html.feed((web.SOURCES / "index.html").read_text(encoding="utf-8"))
    code = {path.name: path.read_text(encoding="utf-8") for path in web.SOURCES.glob("*.js")}
    called = re.findall(r'\btext\(\s*"([^"]+)"', "".join(code.values()))
    steps = re.findall(r'progress\("([^"]+)"\)', code["worker.js"])
    return [*html.found, *called, *steps, *web.PHOTO_TITLES.values(), *web.STYLE_TITLES.values()]


def test_every_text_of_the_page_is_there_in_spanish_and_no_other():
    spoken, table = spoken_by_the_page(), translated()
    assert len(spoken) > 50
    assert {one for one in spoken if one != "100 %"} == set(table)


def test_a_translation_has_the_same_gaps_as_its_text():
    for english, spanish in translated().items():
        assert sorted(re.findall(r"\{\w+\}", english)) == sorted(re.findall(r"\{\w+\}", spanish)), english


def test_no_problem_is_told_past_the_table():
    for path in web.SOURCES.glob("*.js"):
        code = path.read_text(encoding="utf-8")
        assert not re.findall(r"new Problem\((?!text\(|REFUSED)", code), path.name
