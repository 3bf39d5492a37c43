"""serving.config: The files that TensorFlow Serving reads: the project's own, the messages behind them, and hostile
ones."""

import subprocess
import sys
from pathlib import Path

import pytest
from google.protobuf import descriptor_pb2
from hypothesis import given
from hypothesis import strategies as st

from serving.config import text_files
from toolkit.errors import InputError

ROOT = Path(text_files.__file__).parent
MODEL = "model_config_list { config { name: 'm' base_path: '/m' model_platform: 'tensorflow' } }"


def relabeled(models, version):
    models.model_config_list.config[0].version_labels["stable"] = version
    return models


@pytest.mark.parametrize("name", text_files.MESSAGES)
def test_the_messages_made_at_run_time_are_what_the_compiler_makes_of_the_proto_files(tmp_path, name) -> None:
    command = [sys.executable, "-m", "grpc_tools.protoc", f"--proto_path={ROOT / 'protos'}"]
    subprocess.run([*command, f"--descriptor_set_out={tmp_path / 'set'}", name], check=True, timeout=60)
    (compiled,) = descriptor_pb2.FileDescriptorSet.FromString((tmp_path / "set").read_bytes()).file
    for message in compiled.message_type:
        for field in message.field:
            field.ClearField("json_name")  # the compiler's own addition
    assert text_files.file_descriptor(name) == compiled


def test_every_proto_file_has_its_messages() -> None:
    assert {path.name for path in (ROOT / "protos").iterdir()} == set(text_files.MESSAGES)


def test_the_files_that_are_shipped_are_read() -> None:
    assert text_files.read_models(ROOT / "models.config").model_config_list.config
    assert text_files.read_batching(ROOT / "batching.pbtxt").HasField("max_batch_size")
    assert text_files.read_monitoring(ROOT / "monitoring.pbtxt").prometheus_config.enable


def test_the_models_are_the_real_message() -> None:
    from tensorflow_serving.config import model_server_config_pb2

    assert isinstance(text_files.parse_models(MODEL), model_server_config_pb2.ModelServerConfig)


READERS = [text_files.read_models, text_files.read_batching, text_files.read_monitoring]


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"x: 1", "text form"),
        (b"{" * 100_000, "text form"),
        (b"\xff\xfe", "UTF-8"),
        (b"#" * (text_files.MAX_CONFIG_BYTES + 1), "larger than"),
    ],
)
def test_what_is_no_configuration_is_told_in_one_error(tmp_path, read, content, problem) -> None:
    file = tmp_path / "file"
    file.write_bytes(content)
    with pytest.raises(InputError, match=problem) as caught:
        read(file)
    assert str(file) in str(caught.value)


@pytest.mark.parametrize("read", READERS)
def test_a_file_that_is_missing_is_told(tmp_path, read) -> None:
    with pytest.raises(InputError, match="No such file"):
        read(tmp_path / "missing")


@given(st.text())
def test_no_text_makes_a_parser_fail_in_another_way(text) -> None:
    for parse in (text_files.parse_models, text_files.parse_batching, text_files.parse_monitoring):
        try:
            parse(text)
        except InputError as error:
            assert str(error)


@given(st.dictionaries(st.text(min_size=1), st.integers(0, 2**63 - 1), max_size=3), st.text(min_size=1))
def test_what_is_written_is_read_again(tmp_path_factory, labels, name) -> None:
    file = tmp_path_factory.mktemp("written") / "models.config"
    config = text_files.parse_models(MODEL)
    model = config.model_config_list.config[0]
    model.name = name
    for label, version in labels.items():
        model.version_labels[label] = version
    text_files.write_models(file, config)
    assert text_files.read_models(file) == config


def test_writing_keeps_the_comment_at_the_head_and_the_permissions(tmp_path) -> None:
    file = tmp_path / "models.config"
    file.write_text(f"# Ours.\n\n# Edit with care.\n{MODEL}\n", encoding="utf-8")
    file.chmod(0o640)
    text_files.write_models(file, relabeled(text_files.read_models(file), 7))
    assert file.read_text(encoding="utf-8").startswith("# Ours.\n\n# Edit with care.\nmodel_config_list {")
    assert text_files.read_models(file).model_config_list.config[0].version_labels["stable"] == 7
    assert file.stat().st_mode & 0o777 == 0o640
    assert [path.name for path in tmp_path.iterdir()] == ["models.config"]


def test_what_the_server_would_refuse_is_not_written(tmp_path) -> None:
    file = tmp_path / "models.config"
    file.write_text(MODEL, encoding="utf-8")
    config = text_files.read_models(file)
    config.model_config_list.config[0].base_path = "relative"
    with pytest.raises(InputError, match="absolute path"):
        text_files.write_models(file, config)
    assert file.read_text(encoding="utf-8") == MODEL


def test_a_write_that_breaks_leaves_the_old_file(tmp_path, monkeypatch) -> None:
    file = tmp_path / "models.config"
    file.write_text(MODEL, encoding="utf-8")
    config = relabeled(text_files.read_models(file), 7)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(text_files.WorkError, match="No space left"):
        text_files.write_models(file, config)
    assert file.read_text(encoding="utf-8") == MODEL
    assert [path.name for path in tmp_path.iterdir()] == ["models.config"]
