"""toolkit.files: A pipe or a device under the name of a file is refused, whatever reads that name, and is never
waited for."""

import os
import socket
from pathlib import Path

import pytest

from export.bundle import folder as bundles
from export.formats.baked_tflite import STYLE_FILE, BakedStyle
from serving.client.stylizer_client import StylizerClient
from serving.config import text_files
from serving.pipelines.beam import files
from serving.server.models.loader import Servable
from serving.server.options import LoadOptions
from serving.server.status import ServingError
from serving.versions import publishing
from toolkit import manifest
from toolkit.errors import InputError
from toolkit.files.opening import open_file, read_bounded
from toolkit.framework import keras_file
from toolkit.imaging import images
from toolkit.optimization.checkpoint import STATE_FILE, Checkpoints
from toolkit.runtimes.network_metadata import read_metadata
from toolkit.sources import hub
from toolkit.sources.model_source import read_record, resolve_source


def piped(path: Path) -> Path:
    """A pipe that nobody ever writes to: to open it in the usual way is to wait for ever."""
    path.parent.mkdir(parents=True, exist_ok=True)
    os.mkfifo(path)
    return path


def batch_picture(folder):
    with files.reading(str(piped(folder / "cat.png"))):
        pass


def request_picture(folder):
    with StylizerClient("http://127.0.0.1:1") as client:
        client.stylize(piped(folder / "cat.png"), None)


READERS = {
    "picture": lambda folder: images.load_image(piped(folder / "cat.png")),
    "picture of a request": request_picture,
    "picture of a batch": batch_picture,
    "manifest": lambda folder: manifest.read(piped(folder / "manifest.json").parent),
    "file of a bundle": lambda folder: manifest.check_file(piped(folder / "a").parent, {"path": "a", "bytes": 0}),
    ".keras": lambda folder: keras_file.load(piped(folder / "a.keras"), object),
    ".tflite": lambda folder: read_metadata(piped(folder / "a.tflite")),
    "archive": lambda folder: resolve_source(piped(folder / "a.tar.gz")),
    "model": lambda folder: resolve_source(piped(folder / "saved_model.pb").parent),
    "variables": lambda folder: hub.load(piped(folder / "variables" / "variables.index").parent.parent),
    "record of a copy": lambda folder: read_record(piped(folder / "a.fetched.json")),
    "models.config": lambda folder: text_files.read_models(piped(folder / "models.config")),
    "checkpoint": lambda folder: Checkpoints(piped(folder / STATE_FILE).parent, {}).read(),
    "style": lambda folder: BakedStyle.from_file(piped(folder / STYLE_FILE), 100),
    "served version": lambda folder: Servable(piped(folder / "saved_model.pb").parent, LoadOptions()),
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("reader", READERS)
def test_no_reader_waits_for_a_pipe(tmp_path, reader):
    with pytest.raises((InputError, ServingError)) as caught:
        READERS[reader](tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.timeout(60)
def test_a_version_whose_provenance_is_a_pipe_is_listed_without_it(tmp_path):
    piped(tmp_path / "3" / publishing.PROVENANCE_FILE)
    assert [(found.number, found.provenance) for found in publishing.find_versions(tmp_path)] == [(3, None)]


@pytest.mark.timeout(60)
def test_a_staging_folder_that_is_a_pipe_or_a_link_or_another_user_s_is_passed_by(tmp_path, monkeypatch):
    piped(tmp_path / ".a.staging-pipe")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / ".a.staging-link").symlink_to(tmp_path / "elsewhere")
    for name in ("foreign", "dead"):
        (tmp_path / f".a.staging-{name}").mkdir()
    fstat, owned_by_another = os.fstat, (tmp_path / ".a.staging-foreign").stat().st_ino

    def owned(descriptor):
        status = fstat(descriptor)
        return os.stat_result([*status[:4], 12345, *status[5:10]]) if status.st_ino == owned_by_another else status

    monkeypatch.setattr(os, "fstat", owned)
    with bundles.work_folder(tmp_path, ".a.staging-") as folder:
        left = {path.name for path in tmp_path.iterdir()} - {folder.name}
    assert left == {".a.staging-pipe", ".a.staging-link", ".a.staging-foreign", "elsewhere"}


@pytest.mark.timeout(60)
def test_what_is_no_file_is_not_opened(tmp_path):
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(tmp_path / "socket"))
    for path in (piped(tmp_path / "pipe"), tmp_path / "socket", Path("/dev/zero"), Path("/dev/tty")):
        with pytest.raises(OSError, match="a pipe, a socket or a device, not a file"):
            open_file(path)
    with pytest.raises(IsADirectoryError):
        open_file(tmp_path)
    listening.close()


def test_a_link_to_a_file_is_opened_and_no_more_is_read_than_asked_for(tmp_path):
    (tmp_path / "file").write_bytes(b"12345")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    assert read_bounded(tmp_path / "link", 5, "a file") == b"12345"
    with pytest.raises(InputError, match="larger than 4 bytes, not a file"):
        read_bounded(tmp_path / "link", 4, "a file")
