"""serving.versions: The models.config: found, read, and changed under a lock, so that it is one that servers can
take at any moment."""

import threading

import pytest

from serving.config import text_files
from serving.versions import models_config
from serving.versions.label_notes import Moving
from serving.versions.models_config import ModelsFile
from tests.serving.polling_server import PollingServer, move, policy
from toolkit.errors import InputError, WorkError


def test_the_first_file_serves_the_first_version_as_stable_and_canary(file, base):
    model = file.read()
    assert model.labels == {"stable": 1, "canary": 1}
    assert (model.config.name, model.config.base_path, policy(file)) == ("stylizer", str(base), [1])


def test_a_file_that_is_there_is_left_alone(file):
    before = file.path.read_text()
    assert not file.write_first(2)
    assert file.path.read_text() == before


def test_the_base_path_stays_as_it_is_spelled(base, tmp_path):
    """A container knows the folder by the name that it is mounted under."""
    (tmp_path / "link").symlink_to(tmp_path / "models")
    spelled = tmp_path / "link" / "stylizer"
    file = ModelsFile(models_config.default_config(spelled), spelled)
    assert file.write_first(1)
    assert file.read().config.base_path == str(spelled)
    assert ModelsFile(file.path, base).read().config.base_path == str(spelled), "found by either name"


def test_a_base_path_that_is_a_link_has_the_link_s_name_and_its_neighbor_for_a_models_config(base, tmp_path):
    (tmp_path / "served").mkdir()
    (tmp_path / "served" / "painter").symlink_to(base)
    path = models_config.default_config(tmp_path / "served" / "painter")
    assert path == tmp_path / "served" / "models.config"
    file = ModelsFile(path, tmp_path / "served" / "painter")
    assert file.write_first(1, mode=0o640)
    assert file.read().config.name == "painter"
    assert path.stat().st_mode & 0o777 == 0o640


def test_everything_else_in_the_file_is_kept(tmp_path, base):
    path = tmp_path / "hand written"
    path.write_text(
        "# Ours.\n\n# Ask before you touch it.\n"
        "model_config_list {\n"
        "  config { name: 'other' base_path: '/models/other' model_platform: 'tensorflow' }\n"
        f"  config {{ name: 'painter' base_path: '{base}' model_platform: 'tensorflow'\n"
        "    model_version_policy { specific { versions: 1 } } version_labels { key: 'stable' value: 1 }\n"
        "    logging_config { sampling_config { sampling_rate: 0.5 } } }\n}\n"
    )
    file = ModelsFile(path, base)
    move(file, PollingServer(file), "stable", 2)
    text = path.read_text()
    assert text.startswith("# Ours.\n\n# Ask before you touch it.\n# history: painter stable 1\n")
    other, painter = text_files.read_models(path).model_config_list.config
    assert (other.name, other.base_path) == ("other", "/models/other")
    assert painter.logging_config.sampling_config.sampling_rate == 0.5
    assert dict(painter.version_labels) == {"stable": 2}


def test_names_with_spaces_keep_their_history(tmp_path, base):
    path = tmp_path / "models.config"
    path.write_text(
        f"model_config_list {{ config {{ name: 'a b #c' base_path: '{base}' model_platform: 'tensorflow' }} }}"
    )
    file = ModelsFile(path, base)
    with file.changing() as model:
        model.history["stable"] = [3, 4]
    assert file.read().history == {"stable": [3, 4]}


def test_the_model_is_found_by_its_folders_name_where_a_container_sees_another_path(tmp_path, base):
    path = tmp_path / "models.config"
    path.write_text(models_config.TEMPLATE.read_text())
    assert ModelsFile(path, base).read().config.base_path == "/models/stylizer"


def test_a_file_that_does_not_tell_which_model_is_meant_is_refused(tmp_path, base):
    path = tmp_path / "models.config"
    path.write_text("model_config_list { config { name: 'x' base_path: '/y/z' model_platform: 'tensorflow' } }")
    with pytest.raises(InputError, match=r"no models with the base path .*: give --model, one of 'x'"):
        ModelsFile(path, base).read()
    assert ModelsFile(path, base, "x").read().config.name == "x"
    with pytest.raises(InputError, match="no models of the name 'y'"):
        ModelsFile(path, base, "y").read()


@pytest.mark.parametrize("text", ["", "# none\n", "model_config_list {}"])
def test_a_file_without_a_model_is_told_from_one_with_others(tmp_path, base, text):
    path = tmp_path / "models.config"
    path.write_text(text)
    with pytest.raises(InputError, match=r"models\.config: has no model; remove it, and "):
        ModelsFile(path, base).read()


def test_a_failed_write_leaves_the_file_as_it_was(file, monkeypatch):
    before = file.path.read_text()

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(WorkError, match="No space left on device"), file.changing() as model:
        model.history["stable"] = [1]
    assert file.path.read_text() == before


def test_writers_at_once_lose_nothing(file):
    def count(label):
        for number in range(20):
            with file.changing() as model:
                model.history.setdefault(label, []).append(number)

    threads = [threading.Thread(target=count, args=(f"label{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert file.read().history == {f"label{number}": list(range(20)) for number in range(4)}


@pytest.mark.parametrize(
    "text",
    ["specific { versions: 1 versions: 9 }", "specific { versions: 2 }", "latest {}", "specific { versions: 3 }"],
)
def test_no_write_leaves_a_label_on_what_is_not_loaded(file, text):
    from google.protobuf import text_format

    before = file.path.read_text()
    with pytest.raises(WorkError, match="would stand for version"), file.changing() as model:
        model.config.ClearField("model_version_policy")
        text_format.Parse(text, model.config.model_version_policy)
        if "9" in text:
            model.config.version_labels["canary"] = 9
    assert file.path.read_text() == before


def test_what_was_wrong_before_can_be_mended_step_by_step(file):
    config = text_files.read_models(file.path)
    config.model_config_list.config[0].version_labels["beta"] = 9
    text_files.write_models(file.path, config)
    with file.changing() as model:
        model.config.version_labels["stable"] = 1
        model.history["stable"] = [1]
    with file.changing() as model:
        del model.config.version_labels["beta"]
    assert file.read().labels == {"stable": 1, "canary": 1}


def test_a_move_that_is_noted_keeps_its_version_loaded_and_on_disk(file, base):
    with file.changing() as model:
        model.load(2, [1, 2, 3, 4])
        model.moving["a label"] = Moving(2, "run 1")
    with file.changing() as model:
        assert model.moving == {"a label": Moving(2, "run 1")}
        model.drop(2)
        assert model.in_use([1, 2, 3, 4]) == {1, 2}
    assert policy(file) == [1, 2]


def test_a_folder_that_cannot_be_written_is_told(tmp_path, base):
    with pytest.raises(InputError, match=r"cannot be locked: .*No such file or directory"):
        ModelsFile(tmp_path / "missing" / "models.config", base).write_first(1)
