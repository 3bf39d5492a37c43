"""toolkit.cli: What others wrote reaches no terminal but as text: titles, colors, text from right to left, ends of
lines."""

import http.server
import json
import threading
from contextlib import contextmanager

import flatbuffers
import pytest
from ai_edge_litert import schema_py_generated as schema

from serving.versions.models_config import ModelsFile, default_config
from serving.versions.publishing import PROVENANCE_FILE
from tests.export import forging
from tests.serving import small_bundles
from tests.toolkit import tiny_pairs
from toolkit import cli
from toolkit import manifest as manifests

# As UTF-8 has them: ESC, BEL, the C1 that begins a sequence by itself, DEL, an override of the direction.
ACTED_UPON = ("\x1b]", "\x07", "\x9b", "\x7f", "\u202e", "\nforged")
HOSTILE = "owned" + "".join(ACTED_UPON)


def spoiled(value):
    """A copy of a value of JSON with every text in it spoiled, but for hashes and words that are read."""
    if isinstance(value, dict):
        return {name: spoiled(one) for name, one in value.items()}
    if isinstance(value, list):
        return [spoiled(one) for one in value]
    return value + HOSTILE if isinstance(value, str) else value


def assert_clean(text):
    assert not [one for one in text if not one.isprintable() and one != "\n"], repr(text)
    assert not [line for line in text.splitlines() if line.startswith("forged")], "a line was made of a name"


@pytest.fixture
def clean(capfd):
    """Runs a command, holds what it prints to be clean, and returns its code and its output."""

    def call(*arguments):
        capfd.readouterr()
        code = cli.run([str(argument) for argument in arguments])
        output, error = capfd.readouterr()
        assert_clean(output)
        assert_clean(error)
        assert error.count("\n") == bool(code), error
        return code, output

    return call


@pytest.fixture
def bundle(tmp_path):
    """A bundle with every text of its manifest spoiled."""
    folder = small_bundles.make(tmp_path / "bundle")
    manifest = manifests.read(folder)
    manifest["artifacts"][0] |= {"format": "saved_model", "quantization": "float32", "size": None}
    manifest["artifacts"][0]["parity"] |= {"pairs": 1, "worst_pair": "a"}
    forging.write(folder, spoiled(manifest))
    return folder


def test_a_manifest(clean, bundle, monkeypatch):
    assert clean("inspect", bundle)[0] == 2
    assert clean("verify", bundle)[0] == 2
    for name in ("nothing", "saved_model" + HOSTILE):
        assert clean("stylize", "a.png", "b.png", "-o", "c.png", "--model", bundle, "--artifact", name)[0] == 2
    assert clean("export", bundle.with_name("other"), "--model", bundle)[0] == 2
    assert clean("publish", bundle, bundle.parent / "models")[0] == 2
    # The small install has no schema to hold it to, and prints it.
    monkeypatch.setattr("export.bundle.folder.validate", lambda manifest: None)
    code, output = clean("inspect", bundle)
    assert code == 0
    assert output.count("owned") > 8
    code, output = clean("inspect", bundle, "--json")
    assert json.loads(output) == manifests.read(bundle)


@pytest.fixture
def network(tmp_path):
    """A .tflite file with every text spoiled."""
    path = tiny_pairs.write_convolution(tmp_path)
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(path.read_bytes()))
    model.description = HOSTILE
    told = dict.fromkeys(("name", "description", "license", "style"), HOSTILE)
    buffer, entry = schema.BufferT(), schema.MetadataT()
    buffer.data = json.dumps({**told, "input_range": [0, 1]}).encode()
    entry.name, entry.buffer = "styleport", len(model.buffers)
    model.buffers.append(buffer)
    model.metadata = [entry]
    for graph in model.subgraphs:
        graph.name = HOSTILE
        for tensor in graph.tensors:
            tensor.name = spoiled(tensor.name.decode())
    for signature in model.signatureDefs:
        signature.signatureKey = HOSTILE
        for end in (*signature.inputs, *signature.outputs):
            end.name = spoiled(end.name.decode())
    custom = schema.OperatorCodeT()
    custom.builtinCode, custom.customCode = schema.BuiltinOperator.CUSTOM, HOSTILE
    model.operatorCodes.append(custom)
    operation = schema.OperatorT()
    operation.opcodeIndex, operation.inputs, operation.outputs = len(model.operatorCodes) - 1, [0], [0]
    model.subgraphs[0].operators.append(operation)
    builder = flatbuffers.Builder(1 << 16)
    builder.Finish(model.Pack(builder), b"TFL3")
    path.write_bytes(bytes(builder.Output()))
    return path


def test_a_tflite_file(clean, network):
    code, output = clean("inspect", network)
    assert code == 0
    assert output.count("owned") >= 8
    code, output = clean("inspect", network, "--json")
    assert code == 0
    assert json.loads(output)["metadata"]["name"] == HOSTILE
    assert "\\u007f" in output


def test_a_tflite_file_that_is_painted_with(clean, network, pictures_of_two, tmp_path):
    folder = tmp_path / "bundle" / "tflite" / "float32_any"
    folder.mkdir(parents=True)
    files = []
    for name in ("predictor.tflite", "transformer.tflite"):
        (folder / name).write_bytes(network.read_bytes())
        files.append({"path": f"tflite/float32_any/{name}", "bytes": network.stat().st_size})
        files[-1]["sha256"] = manifests.sha256(network)
    artifact = {"path": "tflite/float32_any", "files": files}
    forging.write(tmp_path / "bundle", {"schema_version": 1, "artifacts": [artifact]})
    options = ("-o", tmp_path / "out.png", "--model", tmp_path / "bundle", "--artifact", "tflite/float32_any")
    assert clean("stylize", *pictures_of_two, *options)[0] == 2


@pytest.fixture
def pictures_of_two(photos, painting):
    return photos / "one.png", painting


def test_a_provenance_and_a_configuration(clean, tmp_path):
    base = tmp_path / "models" / "stylizer"
    version = small_bundles.publish(small_bundles.make(tmp_path / "bundle"), base)
    file = ModelsFile(default_config(base), base)
    assert file.write_first(1)
    path = version.folder / PROVENANCE_FILE
    path.write_text(json.dumps(spoiled(json.loads(path.read_text()))))
    for command in (("versions", base), ("lineage", base, 1)):
        code, output = clean(*command)
        assert code == 0
        assert "owned" in output
        json.loads(clean(*command, "--json")[1])
    text = "".join(f"\\{one:03o}" for one in HOSTILE.encode())
    file.path.write_text(file.path.read_text().replace('"stable"', f'"{text}"'))
    assert clean("versions", base)[0] == 0
    assert clean("label", base, f"{HOSTILE}=1")[0] == 2
    file.path.write_text(f'model_config_list {{ config {{ name: "{text}" base_path: "/{text}" }} }}')
    assert clean("label", base, "stable=1", "--model", HOSTILE + "x")[0] == 2


def test_what_a_server_answers(clean, tmp_path):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(404, HOSTILE.replace("\n", "").encode().decode("latin-1"))
            self.end_headers()
            self.wfile.write(json.dumps({"error": HOSTILE}).encode())

        def log_message(self, *arguments):
            pass

    with serving(Handler) as address:
        (tmp_path / "a.png").write_bytes(b"")
        assert clean("fetch", f"{address}/{HOSTILE}/m.tar.gz", tmp_path / "module")[0] in (1, 2)
        assert clean("fetch", f"{address}/module.tar.gz", tmp_path / "module")[0] == 1


@contextmanager
def serving(handler):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def test_names_of_files_on_a_terminal(styleport, tmp_path, photos, painting):
    odd = photos.parent / f"odd{HOSTILE}"
    photos.rename(odd)
    (odd / f"no picture{HOSTILE}").write_text("")
    session = styleport("stylize", odd, painting, "-o", f"{odd}/out/")
    assert session.code == 0, session.text
    told = session.written.decode(errors="surrogateescape")
    assert "owned" in told
    assert not [one for one in ACTED_UPON if one in told.replace("\r\n", "\n")]


def test_a_keras_model(clean, tmp_path):
    import zipfile

    path = tmp_path / f"model{HOSTILE}.keras"
    layer = {"class_name": HOSTILE, "module": HOSTILE, "registered_name": HOSTILE, "config": {"name": HOSTILE}}
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", json.dumps(layer))
        archive.writestr("metadata.json", json.dumps({"keras_version": HOSTILE, "date_saved": HOSTILE}))
        archive.writestr("model.weights.h5", b"")
    assert clean("export", tmp_path / "bundle", "--model", path)[0] == 2
    assert clean("stylize", "a.png", "b.png", "-o", "c.png", "--model", path)[0] == 2
