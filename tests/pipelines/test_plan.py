"""What a batch has to do is laid down before anything is done, and what cannot be done is told."""

from pathlib import Path

import pytest

from serving.pipelines import plan
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
        "starry_night/chelsea0.png",
        "composition_vii/chelsea0.png",
        "starry_night/chelsea1.png",
        "composition_vii/chelsea1.png",
    ]


def test_what_is_there_is_skipped_and_nothing_else(place):
    (place / "out" / "starry_night").mkdir(parents=True)
    (place / "out" / "starry_night" / "text.png").write_bytes(b"")
    planned = plan.make("photos/*.jpg", STYLES, "out")
    assert planned.skipped == 1
    assert "starry_night/text.png" not in names(planned)
    assert "composition_vii/text.png" in names(planned)


def test_a_plan_does_not_depend_on_the_folder_it_was_made_in(place):
    planned = plan.make("photos/*.jpg", STYLES, "out")
    paths = [planned.output, *planned.styles.values(), *(picture.path for picture in planned.pictures)]
    assert all(Path(path).is_absolute() for path in paths)


def test_two_pictures_of_one_name_are_told_apart_by_their_folders_or_refused(place):
    (place / "photos" / "2024" / "text.jpg").write_text("another")
    said = refused("photos/**/*.jpg", STYLES, "out")
    assert f"{place}/photos/2024/text.jpg and {place}/photos/text.jpg would both be written to text.png" in said
    kept = names(plan.make("photos/**/*.jpg", STYLES[:1], "out", keep_folders=True))
    assert {"starry_night/text.png", "starry_night/2024/text.png"} <= set(kept)


def test_names_that_differ_by_case_or_suffix_alone_are_refused(place):
    (place / "photos" / "TEXT.png").write_text("another")
    assert "would both be written to" in refused("photos/*.*", STYLES, "out")


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
