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


def test_the_reason_of_a_graph_is_what_its_operation_said():
    @tf.function
    def checked(x):
        tf.raw_ops.Assert(condition=x > 1, data=["the reason"])
        return x

    error = raised(checked, tf.constant(0.0))
    assert str(error).startswith("Graph execution error:")
    assert reason(error) == "assertion failed: [the reason]"


def test_an_error_that_says_nothing_is_told_by_its_kind():
    assert reason(RuntimeError()) == "RuntimeError"


def test_what_is_told_in_one_line_already_is_told_as_it_is():
    with pytest.raises(InputError, match=r"^as it is$"), in_one_line("it could not be done"):
        raise InputError("as it is")
    with pytest.raises(WorkError, match=r"^it could not be done: broken$"), in_one_line("it could not be done"):
        raise RuntimeError("broken\n  File x")


@pytest.mark.parametrize("lack", [MemoryError(), tf.errors.ResourceExhaustedError(None, None, "OOM")])
def test_a_lack_of_memory_is_passed_on_as_it_is(lack):
    with pytest.raises(type(lack)), in_one_line("it could not be done"):
        raise lack
