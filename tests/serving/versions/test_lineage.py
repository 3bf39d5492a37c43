"""serving.versions: A version's folder records its source, and its files are checked against the recorded hashes."""

import json

import pytest

from serving.versions.lineage import lineage
from serving.versions.publishing import PROVENANCE_FILE, write_provenance
from tests.serving import small_bundles
from toolkit import manifest as manifests
from toolkit.errors import InputError
from toolkit.extras import install


@pytest.fixture
def small(tmp_path):
    return small_bundles.make(tmp_path / "bundle")


@pytest.fixture
def base(small, tmp_path):
    base_path = tmp_path / "models" / "stylizer"
    small_bundles.publish(small, base_path)
    return base_path


def test_a_published_version_tells_source_bundle_figures_toolchain_and_run(small, base, run):
    code, output, _ = run("lineage", base, 1, "--json")
    told = json.loads(output)
    assert code == 0
    assert told["version"] == 1
    assert told["source"] == {"kind": "preset", "name": "weights", "reference": "source/stylizer.keras"}
    assert told["bundle"]["manifest_sha256"] == manifests.sha256(small / "manifest.json")
    assert told["artifact"]["parity"] == {"max_abs": 0.0}
    assert told["artifact"]["verdict"] == "pass"
    assert told["toolchain"] == {"tensorflow": "2"}
    assert told["run"] == {"by": "styleport publish"}
    assert told["changed"] == []


def test_people_read_the_same(small, base, run):
    code, output, _ = run("lineage", base, 1)
    assert code == 0
    expected = ("preset", "weights", manifests.sha256(small / "manifest.json"), "max_abs 1e-05", "styleport publish")
    for text in (*expected, "tensorflow 2", "as recorded"):
        assert text in output, output


def test_the_run_of_a_pipeline_is_told(small, base):
    manifest = manifests.read(small)
    made = {"by": "pipeline stylizer", "execution": "WarmupWriter/warmed_model/3"}
    write_provenance(base / "1", small, manifest, manifest["artifacts"][0], 3, made)
    assert lineage(base, 1)["run"] == made


def test_a_file_that_is_not_as_recorded_is_named(base, run):
    path = base / "1" / "saved_model.pb"
    path.write_text(path.read_text().replace("weights", "weight$"))
    (changed,) = lineage(base, 1)["changed"]
    assert changed.startswith(f"{path}: changed: its sha256 is ")
    assert "saved_model.pb: changed" in run("lineage", base, 1)[1]


def test_a_version_that_is_not_there_is_told_with_those_that_are(base, run):
    assert run("lineage", base, 7)[::2] == (2, f"{base}: there is no version 7: choose from 1")


@pytest.mark.parametrize("content", [None, "{}", '{"source": "text"}', "[]"])
def test_a_version_of_others_has_no_lineage(base, content):
    (base / "2").mkdir()
    if content is not None:
        path = base / "2" / PROVENANCE_FILE
        path.parent.mkdir()
        path.write_text(content)
    with pytest.raises(InputError, match="2: no record of where it comes from"):
        lineage(base, 2)


@pytest.mark.parametrize("files", [None, 7, [7], [{}], [{"path": 7}], [{"path": "../../secret", "bytes": 0}]])
def test_a_damaged_list_of_files_is_refused_or_told(base, files):
    path = base / "1" / PROVENANCE_FILE
    told = json.loads(path.read_text())
    told["artifact"]["files"] = files
    path.write_text(json.dumps(told))
    try:
        (changed,) = lineage(base, 1)["changed"]
    except InputError as error:
        assert "its list of files is damaged" in str(error)
    else:
        assert "not a path inside" in changed


def test_the_pipeline_names_the_extra_that_it_needs(run):
    pytest.importorskip("tensorflow")
    import importlib.util

    if importlib.util.find_spec("tfx"):
        pytest.skip("tfx is installed here: nothing is missing")
    assert run("pipeline", "root", "models/stylizer")[::2] == (2, f"this needs tfx: {install('tfx')}")
