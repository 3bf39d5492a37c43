"""toolkit.commands: What is painted under which name: folders told from pictures, and no two results of one name."""

import os

import pytest

from toolkit.commands.jobs import Output, unread
from toolkit.errors import InputError


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a/cat.png", "a/dog.jpg", "b/cat.png", "b/below/cat.png", "styles/red.png", "styles/red.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def outputs(here, output, contents, styles=("styles/red.png",), **options):
    paths, looks = ([here / name for name in names] for names in (contents, styles))
    return [job.output.as_posix() for job in Output.read(output, ".png", **options).jobs(paths, looks)]


@pytest.mark.parametrize("output", ["new/", "new", "there.png", "dotted.png/", ".", f"new{os.sep}"])
def test_a_folder_is_one_that_is_there_or_ends_in_a_slash_or_has_no_suffix(here, output):
    (here / "there.png").mkdir()
    assert outputs(here, output, ["a/cat.png"]) == [os.path.normpath(f"{output}/cat.png")]


def test_a_suffix_makes_a_picture(here):
    assert outputs(here, "out.webp", ["a/cat.png"]) == ["out.webp"]


@pytest.mark.parametrize(
    ("contents", "styles"), [(["a/cat.png", "a/dog.jpg"], ["styles/red.png"]), (["a/cat.png"], ["styles/red.png"] * 2)]
)
def test_several_results_do_not_go_into_one_picture(here, contents, styles):
    with pytest.raises(
        InputError, match=r"--output out\.png is one picture, but there are 2 .* give a folder, such as out/"
    ):
        outputs(here, "out.png", contents, styles)


def test_results_of_styles_that_share_a_stem_keep_their_whole_names(here):
    styles = ("styles/red.jpg", "styles/red.png")
    assert outputs(here, "out", ["a/cat.png"], styles) == ["out/red.jpg/cat.png", "out/red.png/cat.png"]


def test_kept_folders_begin_below_the_one_that_all_pictures_are_in(here):
    contents = ["a/cat.png", "b/cat.png", "b/below/cat.png"]
    expected = ["out/a/cat.png", "out/b/cat.png", "out/b/below/cat.png"]
    assert outputs(here, "out", contents, keep_folders=True) == expected
    assert outputs(here, "out", contents[1:], keep_folders=True) == ["out/cat.png", "out/below/cat.png"]
    assert outputs(here, "out", contents[:1], keep_folders=True) == ["out/cat.png"]


@pytest.mark.parametrize(("second", "hint"), [("a/cat.png", False), ("b/cat.png", True)])
def test_two_results_of_one_name_are_refused_with_what_helps(here, second, hint):
    with pytest.raises(InputError, match=r"^'cat\.png' occurs twice") as caught:
        outputs(here, "out", ["a/cat.png", second])
    assert str(caught.value).endswith("; give --keep-folders") == hint


def test_keeping_folders_is_no_help_to_one_picture_that_is_given_twice(here):
    for second, options in (("a/../a/cat.png", {}), ("b/../a/cat.png", {"keep_folders": True})):
        with pytest.raises(InputError, match=r"overwrite each other$"):
            outputs(here, "out", ["a/cat.png", second], **options)


@pytest.mark.parametrize(("output", "said"), [("", "--output is empty"), ("-", "not written to standard output")])
def test_no_folder_is_made_of_an_output_that_names_none(here, output, said):
    with pytest.raises(InputError, match=said):
        outputs(here, output, ["a/cat.png"])


def test_files_of_other_kinds_in_a_folder_are_found_and_hidden_ones_and_folders_are_not(here):
    for name in ("clip.mov", ".DS_Store"):
        (here / "b" / name).touch()
    assert unread(here / "b", [here / "b" / "cat.png"]) == [here / "b" / "clip.mov"]
    assert unread(here / "b" / "clip.mov", [here / "b" / "clip.mov"]) == []
