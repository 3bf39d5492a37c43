"""toolkit.imaging: The one rule by which samples of any type become a picture."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tests.toolkit.made_pictures import light, noise
from toolkit.errors import InputError, WorkError
from toolkit.imaging import images
from toolkit.imaging.picture import SLACK, rgb, rgb_batch, to_unit_range

FLOATS = (np.float16, np.float32, np.float64)
OTHER_TYPES = ("int8", "int16", "int32", "int64", "uint32", "uint64", "complex64", "datetime64[s]", "<U3", "object")


@light
@given(
    samples=st.sampled_from([np.bool_, np.uint8, np.uint16]).flatmap(lambda dtype: hnp.arrays(dtype, (3, 4, 3))),
)
def test_integers_are_divided_by_the_largest_number_of_their_type(samples):
    unit = to_unit_range(samples, "it")
    largest = 1 if samples.dtype == np.bool_ else np.iinfo(samples.dtype).max
    assert unit.dtype == np.float32
    np.testing.assert_allclose(unit, samples / largest, rtol=1e-6)


@pytest.mark.parametrize(
    ("dtype", "white"), [(">u2", 65535), ("<u2", 65535), (">f4", 1), (">f8", 1), ("longdouble", 1)]
)
def test_the_byte_order_and_the_length_of_a_type_change_no_sample(dtype, white):
    np.testing.assert_array_equal(to_unit_range(np.array([0, white], dtype), "it"), np.float32([0, 1]))


@pytest.mark.parametrize("take", [images.load_image, images.as_picture, images.to_pillow, images.to_uint8])
def test_samples_that_a_mask_hides_are_not_painted(take):
    masked = np.ma.masked_array(noise(), mask=False)
    masked[3, 4] = np.ma.masked
    with pytest.raises(InputError, match=r"has masked samples, .* as x\.filled\(1\.0\) does"):
        take(masked)
    take(masked.filled(1.0))
    take(np.ma.masked_array(noise(), mask=False))


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (b"photo.jpg", "is of the type bytes"),
        (None, "is of the type NoneType"),
        ([["a"]], "is of the type list"),
        (np.zeros((20, 20, 3), object), "has the dtype object"),
        (np.zeros((20, 20), "f4,f4,f4"), "has the dtype "),
        ([[1.0], [1.0, 2.0]], "is a list that cannot be read as an array"),
    ],
    ids=str,
)
@pytest.mark.parametrize("take", [images.load_image, images.as_picture, images.to_pillow, images.to_uint8])
def test_what_holds_no_numbers_is_told_by_its_type(take, given, told):
    with pytest.raises(InputError, match=f"^the (array|picture) {told}"):
        take(given)


@light
@given(
    samples=st.sampled_from(FLOATS).flatmap(
        lambda dtype: hnp.arrays(dtype, (3, 4, 3), elements={"min_value": 0, "max_value": 1})
    )
)
def test_floats_in_range_stay_as_they_are(samples):
    np.testing.assert_array_equal(to_unit_range(samples, "it"), samples.astype(np.float32))


def test_a_picture_is_not_copied():
    picture = noise()
    assert to_unit_range(picture, "it") is rgb(picture, "it") is picture
    assert np.shares_memory(rgb_batch(picture, "it"), picture)


@light
@given(low=st.floats(-SLACK, 0), high=st.floats(1, 1 + SLACK))
def test_one_8_bit_step_outside_is_clipped(low, high):
    unit = to_unit_range(np.array([low, 0.5, high]), "it")
    np.testing.assert_array_equal(unit, np.float32([0, 0.5, 1]))


@light
@given(
    samples=st.sampled_from(FLOATS).flatmap(
        lambda dtype: hnp.arrays(
            dtype, (3, 4), elements=st.one_of(st.floats(-1000, -0.5, width=16), st.floats(1.5, 1000, width=16))
        )
    )
)
def test_floats_clearly_outside_are_refused_with_their_range(samples):
    with pytest.raises(InputError) as caught:
        to_unit_range(samples, "the cat")
    message = str(caught.value)
    assert message.startswith(f"the cat has samples from {float(samples.min()):g} to {float(samples.max()):g}, ")
    assert "\n" not in message


@pytest.mark.parametrize(
    ("low", "high", "mend"),
    [
        (0, 255, "divide 0 to 255 by 255"),
        (-1, 1, r"\(x \+ 1\) / 2"),
        (-124, 151, "scale them"),
        (0, 65535, "scale them"),
    ],
)
def test_the_refusal_of_a_common_range_says_what_mends_it(low, high, mend):
    with pytest.raises(InputError, match=mend):
        to_unit_range(np.array([low, high], np.float32), "it")


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_samples_that_are_not_finite_are_no_picture(bad):
    with pytest.raises(InputError, match="not finite"):
        to_unit_range(np.array([0.5, bad], np.float32), "it")
    with pytest.raises(WorkError, match="not finite"):
        images.to_uint8(np.array([0.5, bad], np.float32))


@pytest.mark.parametrize("dtype", OTHER_TYPES)
def test_types_that_tell_no_range_are_refused_by_name(dtype):
    with pytest.raises(InputError, match=f"has the dtype {dtype.replace('[', '.')[:4]}"):
        to_unit_range(np.zeros((2, 2), dtype), "it")


@pytest.mark.parametrize(
    ("shape", "hint"),
    [
        ((20, 20), "; load_image converts gray to RGB, and composites alpha on white"),
        ((20, 20, 4), "; load_image converts gray to RGB, and composites alpha on white"),
        ((20, 0), ""),
        ((3, 20, 30), r"; if the channels come first, np.moveaxis\(x, 0, -1\) puts them last"),
        ((1, 3, 20, 30), r"; if the channels come first, np.moveaxis\(x, 1, -1\) puts them last"),
        ((2, 20, 30, 3), "; this is a batch of 2"),
        ((0, 20, 3), ""),
        ((), ""),
    ],
)
def test_what_has_the_shape_of_no_picture_is_refused_with_what_may_be_meant(shape, hint):
    with pytest.raises(InputError, match=rf"it has shape \[.*\]: give \[height, width, 3\]{hint}$"):
        rgb(np.zeros(shape, np.float32), "it")


@pytest.mark.parametrize("shape", [(20, 20), (3, 20, 30), (2, 3, 20, 30), (0, 20, 20, 3), (1, 20, 20, 4)])
def test_what_has_the_shape_of_no_batch_is_refused(shape):
    with pytest.raises(InputError, match=r"it has shape \[.*\]: give \[batch, height, width, 3\]"):
        rgb_batch(np.zeros(shape, np.float32), "it")


def test_one_picture_is_a_batch_of_one_and_the_other_way_round():
    picture = noise()
    assert rgb_batch(picture, "it").shape == (1, 24, 32, 3)
    np.testing.assert_array_equal(rgb(picture[None], "it"), picture)


@light
@given(samples=hnp.arrays(np.uint8, (4, 5, 3)))
def test_8_bit_samples_survive_the_way_through_floats(samples):
    np.testing.assert_array_equal(images.to_uint8(images.from_uint8(samples)), samples)
    np.testing.assert_array_equal(images.to_uint8(samples), samples)


@light
@given(samples=hnp.arrays(np.uint16, (4, 5, 3)))
def test_16_bit_samples_are_rounded_to_8_bits(samples):
    np.testing.assert_array_equal(images.to_uint8(samples), np.rint(samples / 257).astype(np.uint8))


def test_only_8_bit_samples_are_taken_for_such():
    with pytest.raises(InputError, match="uint16: give uint8"):
        images.from_uint8(np.zeros(3, np.uint16))


def test_pictures_never_load_tensorflow():
    code = "import sys, toolkit.imaging.images; sys.exit('tensorflow' in sys.modules or 'keras' in sys.modules)"
    root = Path(images.__file__).parents[2]
    subprocess.run([sys.executable, "-c", code], cwd=root, check=True, timeout=60)
