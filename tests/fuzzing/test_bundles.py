"""export.bundle: Whatever a manifest, a provenance or a models.config says, commands print it or refuse it in one
line."""

import json

import pytest

from export.exporting import verify_bundle
from export.sources import loader
from serving.config import text_files
from serving.versions.lineage import lineage
from serving.versions.models_config import ModelsFile, default_config
from serving.versions.publishing import PROVENANCE_FILE, find_versions
from tests.export import forging
from tests.fuzzing.mutations import Mutator, endings
from tests.serving import small_bundles
from toolkit import cli
from toolkit import manifest as manifests
from toolkit.errors import WorkError
from toolkit.inference import model_loader
from toolkit.inference.artifact_choice import default_artifact

pytestmark = pytest.mark.slow

SEED = 43


class ReachedError(WorkError):
    """A bundle has passed all checks before its model would be loaded."""


@pytest.fixture
def whole(tmp_path):
    """A bundle whose manifest follows its schema, and whose files are as recorded; its model cannot be loaded."""
    folder = small_bundles.make(tmp_path / "bundle")
    (folder / "source").mkdir()
    (folder / "source" / "stylizer.keras").write_bytes(b"model")
    manifest = manifests.read(folder)
    manifest |= {"options": {"max_size": 1024, "integer_io": False}}
    manifest["source"] |= {"method": "feed-forward", "sha256": 64 * "0", "license": "none", "description": "none"}
    manifest["artifacts"][0] |= {"format": "saved_model", "quantization": "float32", "size": None}
    manifest["artifacts"][0]["parity"] |= {"pairs": 12, "worst_pair": "a"}
    forging.write(folder, manifest)
    forging.rehash(folder)
    return folder


def clean(text):
    return all(letter.isprintable() or letter == "\n" for letter in text)


def in_one_line(capfd, *arguments):
    """Runs a command, and raises what it printed as an error of its own."""
    code = cli.run([str(argument) for argument in arguments])
    output, error = capfd.readouterr()
    assert clean(output), repr(output)
    assert clean(error), repr(error)
    assert (error.count("\n"), "STYLEPORT_LOGS" in error) == (int(code != 0), False), error
    if code:
        raise WorkError(error)
    return output


@pytest.mark.parametrize("form", ["json", "bytes"])
def test_mutated_manifests(whole, capfd, monkeypatch, form):
    def reached(bundle, manifest):
        raise ReachedError("it would be loaded")

    monkeypatch.setattr(loader, "reopen", reached)
    with pytest.raises(ReachedError):
        verify_bundle(whole)
    mutator, text = Mutator(SEED), (whole / manifests.MANIFEST_FILE).read_bytes()

    def read(number):
        if form == "json":
            forging.write(whole, mutator.value(json.loads(text), 1))
        else:
            (whole / manifests.MANIFEST_FILE).write_bytes(mutator.bytes(text))
        for call in (
            lambda: verify_bundle(whole),
            lambda: model_loader.open_model(whole),
            lambda: default_artifact(whole),
        ):
            endings(1, lambda number, call=call: call())
        json.loads(in_one_line(capfd, "inspect", whole, "--json"))

    found = endings(80, read)
    assert found["taken"] > 1, found
    assert found["refused"] > 20, found


def test_mutated_manifests_are_told_without_a_schema_too(whole, capfd, monkeypatch):
    monkeypatch.setattr("export.bundle.folder.validate", lambda manifest: None)
    mutator, manifest = Mutator(SEED + 1), manifests.read(whole)

    def read(number):
        forging.write(whole, mutator.value(manifest, 2))
        in_one_line(capfd, "inspect", whole)

    assert endings(200, read)["refused"] > 20


def test_mutated_provenances(whole, tmp_path, capfd):
    base = tmp_path / "models" / "stylizer"
    version = small_bundles.publish(whole, base)
    mutator, text = Mutator(SEED), (version.folder / PROVENANCE_FILE).read_bytes()

    def read(number):
        changed = json.dumps(mutator.value(json.loads(text))).encode() if number % 4 else mutator.bytes(text)
        (version.folder / PROVENANCE_FILE).write_bytes(changed)
        assert [one.number for one in find_versions(base)] == [1]
        json.loads(in_one_line(capfd, "versions", base, "--json"))
        in_one_line(capfd, "versions", base)
        json.loads(in_one_line(capfd, "lineage", base, 1, "--json"))
        in_one_line(capfd, "lineage", base, 1)
        lineage(base, 1)

    found = endings(150, read)
    assert found["taken"] > 1, found
    assert found["refused"] > 1, found


def test_mutated_configurations(whole, tmp_path, capfd):
    base = tmp_path / "models" / "stylizer"
    small_bundles.publish(whole, base)
    file = ModelsFile(default_config(base), base)
    assert file.write_first(1)
    text = file.path.read_bytes()
    mutator, changed = Mutator(SEED), tmp_path / "changed"
    batching = b"max_batch_size { value: 8 }\nallowed_batch_sizes: [2, 8]\nthread_pool_name { value: 'a' }"
    tls = b"server_key: '-----BEGIN KEY'\nserver_cert: '-----BEGIN CERT'\nclient_verify: false"
    others = {
        text_files.read_batching: batching,
        text_files.read_monitoring: b"prometheus_config { enable: true, path: '/metrics' }",
        text_files.read_ssl: tls,
    }

    def read(number):
        changed.write_bytes(mutator.bytes(text))
        for reader, given in others.items():
            changed_too = tmp_path / "other"
            changed_too.write_bytes(mutator.bytes(given))
            endings(1, lambda number, reader=reader, path=changed_too: reader(path))
        ModelsFile(changed, base).read()
        in_one_line(capfd, "versions", base, "--model-config", changed)

    found = endings(600, read)
    assert min(found["taken"], found["refused"]) > 20, found
