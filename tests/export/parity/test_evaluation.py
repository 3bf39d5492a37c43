"""export.parity: Metrics are those a reader computes by hand, and the worst pair decides against the gates."""

import dataclasses
import functools
import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.metrics import structural_similarity

from export import gates
from export.artifact import Artifact, ExportOptions
from export.gates import EvalCase, Gate, Measurement, Metrics
from export.parity import evaluation
from tests.examples import examples
from toolkit.errors import InputError
from toolkit.imaging import samples

OPEN = Gate(max_abs=None, mean_abs=1.0, psnr=0.0, ssim=-1.0)
PERFECT = Metrics(0.0, 0.0, 0.0, evaluation.MAX_PSNR, 1.0)
NOTHING = Metrics(*[math.nan] * 5)


@pytest.fixture(scope="module")
def photo():
    return samples.photos()["coffee"][100:148, 100:164].copy()


def measurement(name, metrics):
    picture = np.zeros((16, 16, 3), np.float32)
    return Measurement(EvalCase(name, (16, 16), picture[None], picture[None]), metrics, picture, picture)


# Metrics


def test_equal_pictures_have_no_difference(photo):
    assert evaluation.compare(photo, photo.copy()) == PERFECT


def test_a_constant_difference_of_a_tenth_is_20_dB():
    black = np.zeros((16, 16, 3), np.float32)
    metrics = evaluation.compare(black, black + np.float32(0.1))
    assert (metrics.max_abs, metrics.mean_abs, metrics.p999) == pytest.approx((0.1, 0.1, 0.1), rel=1e-6)
    assert metrics.psnr == pytest.approx(20.0, abs=1e-5)


def test_one_wrong_sample_of_768_is_seen_by_the_maximum():
    gray = np.full((16, 16, 3), 0.5, np.float32)
    spoiled = gray.copy()
    spoiled[3, 4, 1] = 1.0
    metrics = evaluation.compare(gray, spoiled)
    assert metrics.max_abs == 0.5
    assert metrics.mean_abs == pytest.approx(0.5 / 768)
    # 10 log10(768 / 0.25)
    assert metrics.psnr == pytest.approx(34.874, abs=1e-3)
    assert metrics.ssim < 1


def test_the_sign_of_a_difference_does_not_matter(photo):
    offset = np.float32(0.02)
    darker, lighter = evaluation.compare(photo, photo - offset), evaluation.compare(photo, photo + offset)
    assert darker.mean_abs == pytest.approx(lighter.mean_abs, rel=1e-6) == pytest.approx(0.02, rel=1e-5)


def test_the_999th_permille_leaves_out_the_worst_thousandth():
    black = np.zeros((100, 100, 3), np.float32)
    speckled = black.copy()
    speckled.reshape(-1)[:20] = 1.0  # 20 of 30000 samples: less than a thousandth
    assert evaluation.compare(black, speckled).p999 == 0.0
    speckled.reshape(-1)[:60] = 1.0
    assert evaluation.compare(black, speckled).p999 == 1.0


def test_structural_similarity_is_that_of_scikit_image(photo):
    blurred = (photo + np.roll(photo, 1, axis=0)) / 2
    expected = structural_similarity(photo, blurred, channel_axis=2, data_range=1.0)
    assert evaluation.compare(photo, blurred).ssim == pytest.approx(expected, abs=1e-12)
    assert expected < 0.999


def test_the_psnr_of_nearly_equal_pictures_is_finite():
    black = np.zeros((16, 16, 3), np.float32)
    assert evaluation.compare(black, black + np.float32(1e-20)).psnr == evaluation.MAX_PSNR


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("side", ["reference", "picture"])
def test_one_sample_that_is_not_finite_makes_every_metric_nan(photo, bad, side):
    pictures = {"reference": photo.copy(), "picture": photo.copy()}
    pictures[side][2, 3, 1] = bad
    metrics = evaluation.compare(**pictures)
    assert all(math.isnan(value) for value in metrics.measured().values()), metrics


def test_another_shape_makes_every_metric_nan(photo):
    for other in (photo[:-1], photo[..., :1], photo[None]):
        assert all(math.isnan(value) for value in evaluation.compare(photo, other).measured().values())


# Gates


def test_the_gates_are_those_of_the_design():
    expected = {
        "saved_model": Gate(1e-5, 1e-6, 100, 0.9999),
        "tflite/float32": Gate(1e-3, 1e-4, 70, 0.999),
        "tflite/float16": Gate(None, 5e-3, 42, 0.99),
        "tflite/dynamic": Gate(None, 1.5e-2, 32, 0.95),
        "tflite/int8": Gate(None, 3e-2, 28, 0.90),
    }
    expected |= {kind.replace("tflite", "baked"): gate for kind, gate in expected.items() if kind != "saved_model"}
    expected["web/float16"] = expected["tflite/float16"]  # the same networks, in a page
    expected |= {f"onnx/{precision}": expected[f"tflite/{precision}"] for precision in ("float32", "float16")}
    assert expected == evaluation.GATES


def test_every_artifact_has_the_gate_of_its_format_and_quantization():
    for artifact in ExportOptions().artifacts():
        key = artifact.path.rpartition("_")[0] if artifact.format == "tflite" else artifact.path
        assert evaluation.gate_of(artifact) is evaluation.GATES[key]


def test_a_metric_on_its_bound_passes_and_one_beyond_it_fails():
    gate = Gate(max_abs=0.5, mean_abs=0.25, psnr=30.0, ssim=0.75)
    on_bound = Metrics(max_abs=0.5, mean_abs=0.25, p999=1.0, psnr=30.0, ssim=0.75)
    assert gate.failures(on_bound) == []
    for name, beyond in (("max_abs", 0.51), ("mean_abs", 0.26), ("psnr", 29.9), ("ssim", 0.74)):
        (failure,) = gate.failures(dataclasses.replace(on_bound, **{name: beyond}))
        assert failure.startswith(f"{name} {beyond:g}"), failure
        assert failure.endswith(f"{getattr(gate, name):g}"), failure


@given(
    st.builds(Metrics, *[st.floats(0, 1)] * 3, st.floats(0, 200), st.floats(-1, 1)), st.sampled_from(["psnr", "ssim"])
)
def test_worse_metrics_never_pass_where_better_ones_fail(metrics, name):
    gate = Gate(max_abs=0.5, mean_abs=0.5, psnr=100, ssim=0.5)
    worse = dataclasses.replace(metrics, max_abs=metrics.max_abs * 2, **{name: getattr(metrics, name) - 0.1})
    assert len(gate.failures(worse)) >= len(gate.failures(metrics))


def test_a_bound_of_none_does_not_apply_and_nan_is_out_of_every_bound():
    assert OPEN.failures(dataclasses.replace(PERFECT, max_abs=9.0)) == []
    assert [line.split()[0] for line in OPEN.failures(NOTHING)] == ["mean_abs", "psnr", "ssim"]
    assert len(Gate(1.0, 1.0, 0.0, -1.0).failures(NOTHING)) == 4


# Verdicts


def test_the_worst_pair_decides():
    good, bad = dataclasses.replace(PERFECT, psnr=50.0), dataclasses.replace(PERFECT, psnr=20.0)
    pairs = [measurement(f"pair {i}", good) for i in range(11)]
    gate = dataclasses.replace(OPEN, psnr=42.0)
    assert gates.check_gate(pairs, gate).verdict == "pass"
    parity = gates.check_gate([*pairs[:5], measurement("the odd one", bad), *pairs[5:]], gate)
    assert parity.verdict == "fail"
    assert parity.worst.case.name == "the odd one"
    assert parity.failures == ["the odd one: psnr 20 < 42"]
    assert parity.extremes().psnr == 20.0


@given(st.permutations(range(5)))
def test_a_pair_without_metrics_is_the_worst_wherever_it_stands(order):
    pairs = [measurement(f"pair {i}", dataclasses.replace(PERFECT, psnr=30.0 + i)) for i in range(4)]
    pairs.append(measurement("broken", NOTHING))
    parity = gates.check_gate([pairs[i] for i in order], OPEN)
    assert parity.worst.case.name == "broken"
    assert parity.verdict == "fail"
    assert math.isnan(parity.extremes().psnr)


@given(
    st.lists(st.builds(Metrics, *[st.floats(0, 1)] * 3, st.floats(0, 200), st.floats(-1, 1)), min_size=1, max_size=6)
)
def test_extremes_are_the_worst_of_each_metric(metrics):
    parity = gates.check_gate([measurement(str(i), one) for i, one in enumerate(metrics)], OPEN)
    worst = parity.extremes()
    assert worst.max_abs == max(one.max_abs for one in metrics)
    assert worst.mean_abs == max(one.mean_abs for one in metrics)
    assert worst.p999 == max(one.p999 for one in metrics)
    assert worst.psnr == min(one.psnr for one in metrics) == parity.worst.metrics.psnr
    assert worst.ssim == min(one.ssim for one in metrics)


def test_the_record_is_json_even_where_metrics_are_missing():
    record = gates.check_gate([measurement("broken", NOTHING)], OPEN).to_json()
    kept = json.loads(json.dumps(record, allow_nan=False))
    assert kept["verdict"] == "fail"
    assert kept["parity"] == {"pairs": 1, "worst_pair": "broken"} | dict.fromkeys(NOTHING.measured())


# Cases


@pytest.mark.parametrize("size", [(128, 128), evaluation.SECOND_SIZE])
def test_a_size_has_twelve_real_pairs_of_8_bit_samples(size):
    found = evaluation.cases(size)
    assert len({case.name for case in found}) == 12
    for case in found:
        assert case.content.shape == (1, *size, 3)
        assert case.content.std() > 0.05, f"{case.name}: the content is flat"
        for picture in (case.content, case.style):
            levels = picture.astype(np.float64) * 255
            assert np.abs(levels - np.rint(levels)).max() < 1e-4, f"{case.name}: not 8-bit samples"


def test_a_fixed_artifact_is_measured_at_its_size_and_any_other_at_two():
    assert evaluation.sizes_of(Artifact("tflite/int8_128", "tflite", "int8", 128)) == [(128, 128)]
    first, second = evaluation.sizes_of(Artifact("tflite/int8_any", "tflite", "int8", None))
    assert first == (384, 384)
    assert second[0] != second[1]
    assert all(side % 4 for side in second), "the second size must need padding"


def test_the_reference_paints_each_picture_once_and_measures_the_artifact_on_every_one():
    painted = []

    def reference(content, style):
        painted.append(content.shape)
        return content / 2

    sizes = [(16, 16), (16, 20)]
    pictures = evaluation.ReferenceOutputs(reference)
    for _ in range(2):
        found = list(evaluation.measure(lambda content, style: content / 2, pictures, sizes))
        assert [one.metrics for one in found] == [PERFECT] * 24
    assert len(painted) == 24


@settings(max_examples=examples(20), deadline=None)
@given(st.integers(16, 200), st.integers(16, 200))
def test_cases_have_the_size_asked_for(height, width):
    picture = samples.photos()["chelsea"]
    assert evaluation._fill(picture, height, width).shape == (height, width, 3)


# Gates that a caller narrows, and pairs that a caller brings


def test_a_gate_may_be_narrowed_and_keeps_its_other_bounds():
    assert gates.Gate(psnr=42, ssim=0.99).narrowed({"psnr": 45}) == gates.Gate(psnr=45, ssim=0.99)
    assert gates.Gate(mean_abs=0.1).narrowed({"max_abs": 0.2}) == gates.Gate(mean_abs=0.1, max_abs=0.2)


@pytest.mark.parametrize(
    ("bounds", "message"),
    [
        ({"psnr": 41}, "must not be wider than 42"),
        ({"mean_abs": 0.006}, "must not be wider than 0.005"),
        ({"sharpness": 1}, "there is no gate for 'sharpness'"),
        ({"psnr": "45"}, "give a number"),
        ({"psnr": math.nan}, "give a number"),
        ({"psnr": True}, "give a number"),
    ],
)
def test_a_gate_is_never_widened(bounds, message):
    with pytest.raises(InputError, match=message):
        evaluation.GATES["tflite/float16"].narrowed(bounds)


def test_every_kind_of_artifact_has_its_gate_and_one_of_them_is_narrower():
    bounds = evaluation.narrowed_gates({"tflite/int8": {"psnr": 30}})
    assert set(bounds) == set(evaluation.GATES)
    assert bounds["tflite/int8"] == {"mean_abs": 3e-2, "psnr": 30, "ssim": 0.90}
    assert bounds["saved_model"] == evaluation.GATES["saved_model"].bounds()


@pytest.mark.parametrize("narrower", [7, [[]], {"saved_model": 7}, {"saved_model": [["psnr", 1]]}])
def test_what_are_no_gates_is_refused(narrower):
    with pytest.raises(InputError, match="gates are bounds by metric, by kind of artifact"):
        evaluation.narrowed_gates(narrower)


def test_the_reference_paints_the_pairs_that_it_is_given():
    pairs = [("cat", np.full((20, 30, 3), 0.5, np.float32), "plain", np.full((16, 16, 3), 0.25, np.float32))]
    reference = evaluation.ReferenceOutputs(
        lambda content, style: content, functools.partial(evaluation.cases, pairs=pairs)
    )
    ((case, picture),) = reference.pictures((24, 24))
    assert case.name == "cat + plain, 24x24"
    assert picture.shape == (24, 24, 3)
