"""A small collection, and a file system of Beam's kind that is not this machine's."""

import shutil

import pytest
from apache_beam.io.localfilesystem import LocalFileSystem

from toolkit.imaging import images, samples

SIZES = [(64, 80), (80, 64), (64, 64)]


@pytest.fixture(scope="session")
def collection(tmp_path_factory):
    """Eight readable pictures in two folders and of three sizes, two broken ones, and two styles."""
    place = tmp_path_factory.mktemp("collection")
    (place / "photos" / "2024").mkdir(parents=True)
    for index in range(2):
        for number, (name, photo) in enumerate(samples.photos().items()):
            folder = place / "photos" / ("2024" if number % 2 else "")
            images.save_image(images.resize(photo, *SIZES[(number + index) % 3]), folder / f"{name}{index}.jpg")
    first = sorted((place / "photos").glob("*.jpg"))[0]
    (place / "photos" / "cut.jpg").write_bytes(first.read_bytes()[:900])
    (place / "photos" / "text.jpg").write_text("no picture")
    for name in ("starry_night", "composition_vii"):
        images.save_image(images.center_crop_resize(samples.styles()[name], 96), place / f"{name}.png")
    return place


@pytest.fixture
def place(collection, tmp_path, monkeypatch):
    """A copy of it, as the folder to work in."""
    monkeypatch.chdir(shutil.copytree(collection, tmp_path / "place"))
    return tmp_path / "place"


class ShelfFileSystem(LocalFileSystem):
    """`shelf://` followed by a local path: remote as far as anyone can tell, with no directories."""

    @classmethod
    def scheme(cls):
        return "shelf"

    def join(self, basepath, *paths):
        return "/".join([basepath.rstrip("/"), *paths])

    def split(self, path):
        head, _, tail = path.rpartition("/")
        return head, tail

    def _url_dirname(self, url_or_path):
        return url_or_path.rpartition("/")[0]

    def _list(self, dir_or_prefix):
        for metadata in super()._list(local(dir_or_prefix)):
            metadata.path = f"shelf://{metadata.path}"
            yield metadata

    def mkdirs(self, path):
        super().mkdirs(local(path))

    def exists(self, path):
        return super().exists(local(path))

    def metadata(self, path):
        metadata = super().metadata(local(path))
        metadata.path = path
        return metadata

    def _path_open(self, path, *arguments):
        return super()._path_open(local(path), *arguments)

    def create(self, path, *arguments, **options):
        return super().create(local(path), *arguments, **options)

    def rename(self, sources, destinations):
        super().rename([local(path) for path in sources], [local(path) for path in destinations])

    def delete(self, paths):
        super().delete([local(path) for path in paths])


def local(path):
    return path.removeprefix("shelf://")
