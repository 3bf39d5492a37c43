"""export.bundle: The report shows every artifact's worst pair, and is a web page that stands on its own."""

import math
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from export import gates
from export.artifact import Artifact
from export.bundle import report
from export.gates import Metrics
from export.parity import evaluation
from toolkit import manifest as manifests

VOID = {"meta", "link", "img", "br", "hr", "input"}
ARTIFACT = Artifact("tflite/int8_16", "tflite", "int8", 16)


class Page(HTMLParser):
    """Reads a page strictly: every element that is opened is closed, in order."""

    def __init__(self, text):
        super().__init__()
        self.open, self.elements, self.text = [], [], ""
        self.feed(text)
        self.close()
        assert self.open == [], f"never closed: {self.open}"

    def handle_starttag(self, tag, attributes):
        names = [name for name, _ in attributes]
        assert len(names) == len(set(names)), f"<{tag}> has an attribute twice: {names}"
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag, f"</{tag}> closes another element"

    def handle_data(self, data):
        self.text += data

    def all(self, tag, attribute):
        return [attributes[attribute] for name, attributes in self.elements if name == tag and attribute in attributes]


@pytest.fixture(scope="module")
def manifest(bundle):
    return manifests.read(bundle)


@pytest.fixture(scope="module")
def page(bundle):
    return Page((bundle / "report" / "index.html").read_text(encoding="utf-8"))


def test_the_page_is_well_formed(page):
    tags = [tag for tag, _ in page.elements]
    assert tags[0] == "html"
    assert tags.count("title") == tags.count("h1") == tags.count("table") == 1
    identifiers = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(identifiers) == len(set(identifiers))


def test_every_artifact_is_in_the_table_and_has_a_section(page, manifest):
    paths = [record["path"] for record in manifest["artifacts"]]
    assert page.all("section", "id") == paths
    assert page.all("a", "href") == [f"#{path}" for path in paths]


def test_every_section_names_the_worst_pair(page, manifest):
    for record in manifest["artifacts"]:
        assert f"{record['path']}: {record['parity']['worst_pair']}" in page.text


def test_the_table_has_the_metrics_of_the_manifest(page, manifest):
    for record in manifest["artifacts"]:
        for name in Metrics.__annotations__.keys() & record["parity"]:
            assert report.number(record["parity"][name]) in page.text
        assert report.megabytes(record["bytes"]) in page.text


def test_every_picture_named_is_there_with_a_text_and_none_is_left_over(page, bundle, manifest):
    sources = page.all("img", "src")
    folder = bundle / "report"
    assert {path.name for path in folder.iterdir()} == {*sources, "index.html"}
    identical = sum(not record["parity"]["max_abs"] for record in manifest["artifacts"])
    assert len(sources) == len(page.all("img", "alt")) == 5 * len(page.all("section", "id")) - identical
    for source in sources:
        with Image.open(folder / source) as image:
            image.load()
            assert min(image.size) >= 16


def test_the_page_loads_nothing_from_elsewhere(page):
    for _, attributes in page.elements:
        for name in ("src", "href"):
            assert not re.match(r"[a-z]+:|/", attributes.get(name) or ""), attributes
    assert not [tag for tag, _ in page.elements if tag in ("script", "iframe", "link")]


def test_the_model_card_lists_every_artifact_with_its_metrics(bundle, manifest):
    card = (bundle / "MODEL_CARD.md").read_text(encoding="utf-8")
    rows = {line.split("`")[1]: line for line in card.splitlines() if line.startswith("| `")}
    assert list(rows) == [record["path"] for record in manifest["artifacts"]]
    for record in manifest["artifacts"]:
        cells = [cell.strip() for cell in rows[record["path"]].split("|")[1:-1]]
        metrics = [report.number(record["parity"][name]) for name in ("max_abs", "mean_abs", "psnr", "ssim")]
        assert cells == [f"`{record['path']}`", report.megabytes(record["bytes"]), *metrics, "pass"]
    assert manifest["source"]["license"] in card
    assert manifest["source"]["sha256"] in card


# What a report shows of artifacts that fail


def write_report(folder, reference, picture, name="a pair"):
    case = gates.EvalCase(name, (16, 16), reference[None], reference[None])
    measurement = gates.Measurement(case, evaluation.compare(reference, picture), reference, picture)
    parity = gates.check_gate([measurement], evaluation.GATES["tflite/int8"])
    source = {"method": "feed-forward", "kind": "preset", "name": name}
    records = [{"path": ARTIFACT.path, "bytes": 1_500_000}]
    manifest = {"source": source, "toolchain": {"styleport": "1.0"}, "artifacts": records}
    report.write(folder, manifest, {ARTIFACT: parity})
    return Page((folder / "report" / "index.html").read_text(encoding="utf-8")), parity


def shown(folder, role):
    with Image.open(folder / "report" / f"tflite-int8_16-{role}.webp") as image:
        return np.asarray(image.convert("RGB")).astype(int)


def test_every_failure_is_told(tmp_path):
    reference = np.full((16, 16, 3), 0.25, np.float32)
    page, parity = write_report(tmp_path, reference, reference + np.float32(0.5))
    assert len(parity.failures) == 3
    assert all(failure in page.text for failure in parity.failures)
    assert "fail" in page.all("td", "class")


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_picture_that_is_not_finite_is_shown_as_far_as_it_goes(tmp_path, bad):
    reference = np.full((16, 16, 3), 0.25, np.float32)
    broken = reference.copy()
    broken[:8] = bad
    page, parity = write_report(tmp_path, reference, broken)
    assert parity.verdict == "fail"
    assert all(failure in page.text for failure in parity.failures)
    difference = shown(tmp_path, "difference")
    assert difference[:7].min() > 200, "what is missing must stand out"
    assert difference[9:].max() < 50


def test_a_picture_of_another_size_is_shown(tmp_path):
    write_report(tmp_path, np.zeros((16, 16, 3), np.float32), np.ones((20, 18, 3), np.float32))
    assert shown(tmp_path, "artifact").shape == (20, 18, 3)
    assert shown(tmp_path, "difference").min() > 200


def test_two_equal_pictures_are_called_identical_and_have_no_picture_of_a_difference(tmp_path):
    reference = np.random.default_rng(0).random((16, 16, 3), np.float32)
    page, _ = write_report(tmp_path, reference, reference.copy())
    assert "identical: no sample differs" in page.text
    assert "difference" not in page.text
    assert not list((tmp_path / "report").glob("*-difference.webp"))


def test_the_least_difference_is_shown(tmp_path):
    reference = np.full((16, 16, 3), 0.5, np.float32)
    picture = reference.copy()
    picture[0, 0, 0] = np.nextafter(np.float32(0.5), np.float32(1))
    page, _ = write_report(tmp_path, reference, picture)
    assert "no sample differs" not in page.text
    assert re.search("difference, . 65536", page.text)


def test_names_cannot_bring_markup_into_the_page(tmp_path):
    name = "<script>alert('&')</script>\"><img src=x>"
    black = np.zeros((16, 16, 3), np.float32)
    page, _ = write_report(tmp_path, black, black, name)
    assert "script" not in [tag for tag, _ in page.elements]
    assert name in page.text
    assert "x" not in page.all("img", "src")


# Numbers


@given(hnp.arrays(np.float32, (4, 4, 3), elements=st.floats(0, 1, width=32)))
def test_a_difference_is_amplified_by_a_power_of_two_and_not_beyond_white(difference):
    factor = report.amplification(difference)
    assert math.log2(factor).is_integer()
    peak = float(np.percentile(difference, 99.9))
    assert peak * factor <= 1
    assert factor == 2**16 or peak * factor > 0.5


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        (0.0, "0"),
        (0.00123456, "0.00123"),
        (0.99987, "0.9999"),
        (1.0, "1"),
        (46.1355, "46.1"),
        (200, "200"),
    ],
)
def test_a_metric_is_written_with_the_digits_that_matter(value, text):
    assert report.number(value) == text


def test_a_size_is_written_in_millions_of_bytes():
    assert report.megabytes(12_606_825) == "12.61 MB"
