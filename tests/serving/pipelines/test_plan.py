"""serving.pipelines: A batch is planned before any work, and impossible jobs are reported."""

from pathlib import Path

import pytest

from serving.pipelines.beam import plan
from toolkit.errors import InputError

STYLES = ["starry_night.png", "composition_vii.png"]


def names(planned):
    outputs = [output for picture in planned.pictures for _, output in picture.outputs]
    return [Path(output).relative_to(planned.output).as_posix() for output in outputs]


def refused(*arguments, **options):
    with pytest.raises(InputError) as told:
        plan.make(*arguments, **options)
    return str(told.value)


def test_two_stars_stand_for_any_number_of_folders_or_none(place):
    planned = plan.make("photos/**/*.jpg", STYLES[:1], "out")
    found = sorted(Path(picture.path).relative_to(place).as_posix() for picture in planned.pictures)
    assert found == sorted(path.relative_to(place).as_posix() for path in (place / "photos").rglob("*.jpg"))
    assert len(found) == 10


def test_each_style_has_a_folder_and_each_picture_its_name(place):
    assert names(plan.make("photos/2024/chelsea*.jpg", STYLES, "out")) == [
        "starry_night/chelsea0.jpg",
        "composition_vii/chelsea0.jpg",
        "starry_night/chelsea1.jpg",
        "composition_vii/chelsea1.jpg",
    ]


def test_what_is_there_is_skipped_and_nothing_else(place):
    (place / "out" / "starry_night").mkdir(parents=True)
    (place / "out" / "starry_night" / "text.jpg").write_bytes(b"")
    planned = plan.make("photos/*.jpg", STYLES, "out")
    assert planned.skipped == 1
    assert "starry_night/text.jpg" not in names(planned)
    assert "composition_vii/text.jpg" in names(planned)


def test_a_plan_does_not_depend_on_the_folder_it_was_made_in(place):
    planned = plan.make("photos/*.jpg", STYLES, "out")
    paths = [planned.output, *planned.styles.values(), *(picture.path for picture in planned.pictures)]
    assert all(Path(path).is_absolute() for path in paths)


def test_two_pictures_of_one_name_are_told_apart_by_their_folders_or_refused(place):
    (place / "photos" / "2024" / "text.jpg").write_text("another")
    said = refused("photos/**/*.jpg", STYLES, "out")
    assert f"{place}/photos/2024/text.jpg and {place}/photos/text.jpg would both be written to text.jpg" in said
    kept = names(plan.make("photos/**/*.jpg", STYLES[:1], "out", keep_folders=True))
    assert {"starry_night/text.jpg", "starry_night/2024/text.jpg"} <= set(kept)


@pytest.mark.parametrize(("name", "suffix"), [("TEXT.JPG", None), ("TEXT.png", ".webp")])
def test_names_that_differ_by_case_or_by_a_suffix_that_is_replaced_are_refused(place, name, suffix):
    (place / "photos" / name).write_text("another")
    assert "would both be written to" in refused("photos/*.*", STYLES, "out", suffix=suffix)


def test_a_result_is_of_its_pictures_format_or_of_the_one_that_is_asked_for(place):
    (place / "photos" / "text.png").write_text("another")
    (place / "photos" / "moving.GIF").write_text("of 256 colors")
    own = names(plan.make("photos/*.*", STYLES[:1], "out"))
    assert {"starry_night/text.jpg", "starry_night/text.png", "starry_night/moving.png"} <= set(own)
    chosen = names(plan.make("photos/*.jpg", STYLES[:1], "out", suffix=".avif"))
    assert {Path(name).suffix for name in chosen} == {".avif"}


@pytest.mark.parametrize(
    ("pattern", "styles", "output", "said"),
    [
        ("nothing/*.jpg", STYLES, "out", "no file matches"),
        ("photos/*.jpg", ["photos/text.jpg"], "out", "is not a picture"),
        ("photos/*.jpg", ["missing.png"], "out", "No such file"),
        (
            "photos/*.jpg",
            ["starry_night.png", "photos/../starry_night.png"],
            "out",
            "would both be the style 'starry_night'",
        ),
        ("photos/**/*.jpg", STYLES, "photos/painted", "is inside"),
        ("photos/*/*.jpg", STYLES, "photos", "is inside"),
        ("photos/*.jpg", STYLES, "out[1]", "makes a pattern"),
        ("nowhere://photos/*.jpg", STYLES, "out", "no file system for nowhere://"),
    ],
)
def test_what_cannot_be_done_is_told(place, pattern, styles, output, said):
    assert said in refused(pattern, styles, output)


def test_a_folder_beside_the_pictures_is_none_of_them(place):
    assert plan.make("photos/*.jpg", STYLES, "photos/painted").missing
