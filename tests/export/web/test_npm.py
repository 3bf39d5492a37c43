"""export.web: Packages come from npm, are what they are pinned to be, and are fetched once."""

import dataclasses

import pytest

from export.web import npm
from tests.export.fake_npm import FakeNpm
from toolkit.errors import InputError, WorkError


@pytest.fixture
def fake(tmp_path, monkeypatch):
    fake = FakeNpm(tmp_path / "npm")
    monkeypatch.setenv("PATH", str(fake.path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return fake


def kept() -> list[str]:
    return sorted(path.name for path in npm.cache_folder().iterdir())


def test_a_package_is_fetched_once(fake):
    package = fake.packs("@scope/name", {"a.js": b"1"})
    first = npm.fetch(package)
    assert npm.fetch(package) == first
    assert fake.asked() == ["pack @scope/name@1.0.0"]
    assert kept() == ["scope-name-1.0.0.tgz"]


def test_a_kept_package_needs_no_npm(fake, monkeypatch):
    package = fake.packs("name", {"a.js": b"1"})
    npm.fetch(package)
    monkeypatch.setenv("PATH", "")
    assert npm.fetch(package).is_file()


def test_a_damaged_package_is_fetched_again(fake):
    package = fake.packs("name", {"a.js": b"1"})
    path = npm.fetch(package)
    sound = path.read_bytes()
    path.write_bytes(sound[:-1])
    assert npm.fetch(package).read_bytes() == sound
    assert len(fake.asked()) == 2


def test_a_package_of_another_hash_is_refused_and_not_kept(fake):
    package = dataclasses.replace(fake.packs("name", {"a.js": b"1"}), integrity="sha512-" + "A" * 86 + "==")
    with pytest.raises(WorkError, match=r"name@1\.0\.0: npm fetched another file: its hash is sha512-"):
        npm.fetch(package)
    assert kept() == []


def test_a_package_that_is_too_large_is_refused_unread(fake, monkeypatch):
    package = fake.packs("name", {"a.js": b"1"})
    monkeypatch.setattr(npm, "MAX_PACKED_BYTES", 10)
    with pytest.raises(WorkError, match="npm fetched another file"):
        npm.fetch(package)


def test_a_missing_npm_is_told(fake, monkeypatch):
    package = fake.packs("name", {"a.js": b"1"})
    monkeypatch.setenv("PATH", "")
    with pytest.raises(InputError, match=r"fetched by npm, which is not installed: install Node\.js"):
        npm.fetch(package)


def test_what_npm_says_is_told(fake):
    package = dataclasses.replace(fake.packs("name", {"a.js": b"1"}), version="2.0.0")
    with pytest.raises(WorkError, match=r"name@2\.0\.0: npm could not fetch it: npm error code E404"):
        npm.fetch(package)
    assert kept() == []


def test_a_cache_that_cannot_be_written_is_told(fake, tmp_path, monkeypatch):
    package = fake.packs("name", {"a.js": b"1"})
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(InputError, match="cannot be written: Not a directory; set XDG_CACHE_HOME"):
        npm.fetch(package)


def test_a_relative_cache_is_ignored_as_xdg_has_it(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", "here")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert npm.cache_folder() == tmp_path / ".cache" / "styleport" / "npm"


def test_files_are_taken_out_by_name(fake, tmp_path):
    package = fake.packs("name", {"dist/a.js": b"1", "dist/b.js": b"2"})
    npm.unpack(package, {"dist/b.js": tmp_path / "c.js"})
    assert (tmp_path / "c.js").read_bytes() == b"2"


@pytest.mark.parametrize(
    ("member", "told"),
    [("other", "has no file other"), ("link", "link is not a regular file"), ("long", "long is not a regular")],
)
def test_nothing_but_plain_files_is_taken_out(fake, tmp_path, monkeypatch, member, told):
    monkeypatch.setattr(npm, "MAX_FILE_BYTES", 4)
    package = fake.packs("name", {"long": b"12345"}, links={"link": "/etc/passwd"})
    with pytest.raises(WorkError, match=told):
        npm.unpack(package, {member: tmp_path / "taken"})
    assert not (tmp_path / "taken").exists()
