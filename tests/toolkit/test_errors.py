"""toolkit.errors: What a library raises is told in one line: the reason, without the pages around it."""

import pytest
import tensorflow as tf

from toolkit.errors import InputError, WorkError, in_one_line, reason


def raised(call, *arguments):
    with pytest.raises(Exception, match=r"\S") as caught:
        call(*arguments)
    return caught.value


def test_the_reason_of_a_keras_layer_is_its_own_line_and_names_the_layer():
    import keras

    error = raised(keras.layers.Reshape((7,)), tf.ones((2, 3)))
    assert str(error).startswith("Exception encountered when calling Reshape.call().")
    assert "\x1b" in str(error)
    told = reason(error)
    assert told.endswith("(in Reshape.call())")
    assert "\x1b" not in told
    assert "Exception encountered" not in told


def test_the_reason_of_a_traced_function_is_the_error_at_its_end():
    @tf.function
    def twice(x):
        if x > 0:
            raise KeyError("the reason")
        return x

    error = raised(twice.get_concrete_function, tf.TensorSpec(()))
    assert str(error).startswith("in user code")
    assert "the reason" in reason(error)
    assert "\n" not in reason(error)


def test_an_error_that_says_nothing_is_told_by_its_kind():
    assert reason(RuntimeError()) == "RuntimeError"


def test_what_is_told_in_one_line_already_is_told_as_it_is():
    with pytest.raises(InputError, match=r"^as it is$"), in_one_line("it could not be done"):
        raise InputError("as it is")
    with pytest.raises(WorkError, match=r"^it could not be done: broken$"), in_one_line("it could not be done"):
        raise RuntimeError("broken\n  File x")
    with pytest.raises(MemoryError), in_one_line("it could not be done"):
        raise MemoryError
