"""toolkit.files: What is written is checked against what is read, by what paths lead to, and must be possible, before
any work."""

import dataclasses
import os

import pytest

from toolkit.errors import InputError
from toolkit.files import output_paths


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The working directory, with two sources and a model's folder."""
    monkeypatch.chdir(tmp_path)
    for name in ("photo.png", "style.jpg", "model/saved_model.pb"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"source")
    return tmp_path


def check(here, *written, reads=("photo.png", "style.jpg", "model")):
    output_paths.check([here / name for name in reads], written)


def file(path, option="--output"):
    return output_paths.File(option, path)


def spellings(here):
    (here / "hard.png").hardlink_to(here / "photo.png")
    (here / "soft.png").symlink_to(here / "photo.png")
    (here / "elsewhere").symlink_to(here)
    return [
        *(here / name for name in ("photo.png", "hard.png", "soft.png", "elsewhere/photo.png", "model/../photo.png")),
        (here / "photo.png").relative_to(here),
    ]


def test_no_spelling_of_a_source_is_written(here):
    for path in spellings(here):
        with pytest.raises(InputError, match=r"photo\.png is read and would be replaced"):
            check(here, file(path))


def test_a_file_beside_the_sources_is_written(here):
    check(
        here, file(here / "painted.png"), output_paths.Folder("--checkpoint", here), file(here / "run.json", "--trace")
    )


def test_nothing_is_written_into_a_folder_that_is_read(here):
    for target in (file(here / "model" / "out.png"), output_paths.Folder("-o", here / "model" / "new" / "deep")):
        with pytest.raises(InputError, match=r"lies in .*model, which is read"):
            check(here, target)


def test_a_whole_folder_does_not_replace_what_is_read_in_it(here):
    with pytest.raises(InputError, match=r"saved_model\.pb, which is read, lies in it"):
        check(here, output_paths.ReplacedFolder("BUNDLE", here / "model"), reads=["model/saved_model.pb"])
    with pytest.raises(InputError, match="model is read and would be replaced"):
        check(here, output_paths.ReplacedFolder("BUNDLE", here / "model"))


@pytest.mark.parametrize(
    ("first", "second"), [("a.png", "a.png"), ("a.png", "A.PNG"), ("é.png", "e\N{COMBINING ACUTE ACCENT}.png")]
)
def test_no_two_options_write_one_file(here, first, second):
    with pytest.raises(InputError, match="--output and --trace would both write"):
        check(here, file(here / first), file(here / second, "--trace"))


def test_a_folder_and_a_file_of_one_name_are_refused(here):
    for folder in ("run", "run/below"):
        with pytest.raises(InputError, match=r"--(output|checkpoint) and --(output|checkpoint) would both write"):
            check(here, file(here / "run"), output_paths.Folder("--checkpoint", here / folder))


def test_two_options_may_share_a_folder(here):
    check(here, output_paths.Folder("--checkpoint", here / "run"), output_paths.Folder("--tensorboard", here / "run"))


def test_a_file_known_to_be_written_into_a_folder_counts(here):
    with pytest.raises(InputError, match="--trace and --checkpoint"):
        state = here / "run.json"
        check(here, file(state, "--trace"), output_paths.Folder("--checkpoint", here, [state]))


@pytest.mark.parametrize(
    ("name", "is_written"),
    [("out-00002.png", True), ("out-00004.png", True), ("out-00003.png", False), ("out-00006.png", False)],
)
def test_numbered_files_are_told_from_those_of_other_numbers(here, name, is_written):
    (here / name).touch()
    numbered = output_paths.NumberedFiles("--save-every", here / "out.png", every=2, last=5)
    for reads, others in (([name], []), ([], [file(here / name, "--trace")])):
        if is_written:
            with pytest.raises(InputError, match=name):
                check(here, numbered, *others, reads=reads)
        else:
            check(here, numbered, *others, reads=reads)


def test_a_folder_of_a_numbered_name_is_refused(here):
    (here / "out-00002.png").mkdir()
    with pytest.raises(InputError, match=r"out-00002\.png: it is a folder"):
        check(here, output_paths.NumberedFiles("--save-every", here / "out.png", every=1, last=2))
    check(here, output_paths.NumberedFiles("--save-every", here / "out.png", every=1, last=1))


def test_a_hard_link_to_a_numbered_file_counts(here):
    (here / "out-00001.png").hardlink_to(here / "photo.png")
    with pytest.raises(InputError, match=r"--save-every .*out-00001\.png: .*photo\.png is read"):
        check(here, output_paths.NumberedFiles("--save-every", here / "out.png", every=1, last=1))


def test_a_number_is_read_back_from_its_name(tmp_path):
    path = tmp_path / "out.v2.png"
    for number in (1, 99999, 123456):
        assert output_paths.number_of(output_paths.numbered(path, number), path) == number
    assert output_paths.number_of(tmp_path / "out-00001.png", path) is None


def test_what_is_not_there_is_not_read(here):
    check(here, file(here / "new.png"), reads=["new.png", "x" * 300])


# What cannot be written


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: path.mkdir(), "is a folder; give the name of a file"),
        (os.mkfifo, "is a device or a pipe"),
        (lambda path: path.symlink_to("/dev/null"), "is a device or a pipe"),
    ],
)
def test_what_is_no_file_is_not_replaced(here, make, said):
    make(here / "out.png")
    with pytest.raises(InputError, match=said):
        check(here, file(here / "out.png"))


@pytest.mark.parametrize("path", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "/dev/out.png"])
def test_names_of_open_files_are_refused_whatever_they_lead_to(here, path):
    with pytest.raises(InputError, match=r"cannot write .*: (it is a device or a pipe|.*No such device)"):
        check(here, output_paths.File("--output", here.__class__(path)))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("photo.png/out.png", "photo.png is not a folder; choose another path"),
        ("x" * 300, "File name too long"),
        ("", "is a folder"),
        ("out\0.png", "null"),
    ],
)
def test_a_place_where_no_file_can_be_is_refused(here, name, said):
    with pytest.raises(InputError, match=said):
        check(here, file(here / name))


def test_a_name_of_another_kind_is_refused_with_the_kinds(here):
    with pytest.raises(InputError, match=r"end its name in one of \.gif \.webp"):
        check(here, output_paths.File("--animation", here / "way.mp4", {".webp", ".gif"}))


@pytest.mark.parametrize("target", [output_paths.File("-o", "out"), output_paths.Folder("-o", "new/deep")])
def test_a_folder_without_permission_is_refused(here, monkeypatch, target):
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(InputError, match="no permission; choose a folder that can be written"):
        check(here, type(target)("-o", here / target.path))


@pytest.mark.parametrize(
    "target",
    [output_paths.File("-o", "new/deep/out.png"), output_paths.NumberedFiles("-o", "new/out.png", every=1, last=2)],
)
def test_the_folder_of_a_file_is_made_wherever_it_can_be(here, target):
    check(here, dataclasses.replace(target, path=here / target.path))
    with pytest.raises(InputError, match=r"photo\.png is not a folder; choose another path"):
        check(here, dataclasses.replace(target, path=here / "photo.png" / target.path))


def test_a_folder_is_made_wherever_it_can_be(here):
    check(here, output_paths.Folder("-o", here / "new" / "deep"))
    with pytest.raises(InputError, match=r"photo\.png is not a folder"):
        check(here, output_paths.Folder("-o", here / "photo.png" / "deep"))
    with pytest.raises(InputError, match=r"photo\.png is not a folder"):
        check(here, output_paths.Folder("-o", here / "photo.png"))
