"""serving.pipelines: The steps of the pipeline, one by one."""

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.pipelines.beam import outcomes, pipeline
from serving.pipelines.beam.inference import Painted, Task
from serving.pipelines.beam.outcomes import AddUp, BatchOutcome
from serving.pipelines.beam.plan import Picture
from toolkit.imaging import images


def task(pixels, number=0):
    return Task(f"{number}.jpg", "starry_night", f"out/starry_night/{number}.png", True, pixels)


@given(st.lists(st.integers(256, 3 * pipeline.MAX_BATCH_PIXELS // 2), min_size=1, max_size=20))
def test_batches_keep_every_task_in_order_and_within_the_bound(pixels):
    tasks = [task(count, number) for number, count in enumerate(pixels)]
    made = list(pipeline.batches(((1, 1, 0), iter(tasks))))
    assert [one for part in made for one in part] == tasks
    for part in made:
        assert len(part) == 1 or sum(one.pixels for one in part) <= pipeline.MAX_BATCH_PIXELS


def test_a_picture_is_a_task_for_each_missing_style_with_one_key_of_size(place):
    (path,) = place.rglob("rocket0.jpg")
    found = list(pipeline.Inspect(40).process(Picture(str(path), 1, 17, (("a", "out/a"), ("b", "out/b")))))
    keys, tasks = zip(*found, strict=True)
    height, width = images.load_image(path, 40).shape[:2]
    assert set(keys) == {(width, height, 17 // pipeline.GROUP_PICTURES)}
    assert [(one.style, one.first, one.pixels) for one in tasks] == [
        ("a", True, width * height),
        ("b", False, width * height),
    ]


@pytest.mark.parametrize(("name", "size", "said"), [("text.jpg", 1, "not a picture"), ("cut.jpg", 1 << 40, "bytes")])
def test_what_is_no_picture_or_too_long_is_one_outcome_for_all_styles(place, name, size, said):
    path = str(place / "photos" / name)
    (outcome,) = pipeline.Inspect(1024).process(Picture(path, size, 0, (("a", "out/a"), ("b", "out/b"))))
    assert (outcome.picture, outcome.styles) == (path, ("a", "b"))
    assert said in outcome.reason


def test_what_was_not_painted_is_not_written(tmp_path):
    (outcome,) = pipeline.Write(str(tmp_path)).process(Painted(task(100), None, 5, "broken"))
    assert (outcome.reason, outcome.pixels) == ("broken", 0)
    assert list(tmp_path.iterdir()) == []


OUTCOMES = st.lists(
    st.builds(
        BatchOutcome,
        picture=st.sampled_from(["a.jpg", "b.jpg"]),
        styles=st.just(("starry_night",)),
        first=st.booleans(),
        pixels=st.integers(0, 1000),
        milliseconds=st.integers(0, 1000),
        reason=st.sampled_from([None, None, "broken"]),
    ),
    max_size=12,
)


@given(OUTCOMES, st.integers(0, 12))
def test_outcomes_add_up_to_the_same_wherever_they_are_cut(found, cut):
    def added(part):
        tally = AddUp().create_accumulator()
        for one in part:
            tally = AddUp().add_input(tally, one)
        return tally

    assert AddUp().merge_accumulators([added(found[:cut]), added(found[cut:])]) == added(found)


def test_the_summary_and_the_failures_are_written_and_a_whole_run_clears_the_failures(tmp_path):
    tally = AddUp().create_accumulator()
    for one in (
        BatchOutcome("a.jpg", ("starry_night",), True, 100, 8),
        BatchOutcome("a.jpg", ("composition_vii",), False, 100, 4),
        BatchOutcome("b.jpg", ("starry_night",), True, reason="broken"),
        BatchOutcome("b.jpg", ("composition_vii",), False, reason="broken"),
    ):
        AddUp().add_input(tally, one)
    written = outcomes.write(str(tmp_path), tally, skipped=3)
    assert dataclasses.asdict(written) == {
        "read": 1,
        "done": 2,
        "skipped": 3,
        "failed": 2,
        "pixels": 200,
        "latency_ms": {"mean": 6.0, "min": 4, "max": 8},
    }
    assert outcomes.read(str(tmp_path)) == written
    lines = [json.loads(line) for line in (tmp_path / "_failed.jsonl").read_text().splitlines()]
    assert lines == [{"picture": "b.jpg", "styles": ["composition_vii", "starry_night"], "reason": "broken"}]
    outcomes.write(str(tmp_path), AddUp().create_accumulator(), skipped=5)
    assert not (tmp_path / "_failed.jsonl").exists()
