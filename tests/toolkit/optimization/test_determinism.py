"""toolkit.optimization: A step's results are the same to the bit each time: no sum depends on which of its terms
came first."""

import gc
import weakref

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from toolkit.imaging import images, samples
from toolkit.optimization.determinism import fan_out, ordered_sum
from toolkit.optimization.features.winograd import WinogradConvolution
from toolkit.optimization.style_transfer import StyleTransfer


@pytest.fixture(scope="module")
def pictures():
    return images.load_image(samples.photos()["chelsea"], 144), images.load_image(samples.styles()["starry_night"], 128)


def test_terms_are_added_the_first_first():
    # In float32 a 1 is lost beside 1e8: only this order keeps the last.
    assert float(ordered_sum([tf.constant(value) for value in (1e8, -1e8, 1.0)])) == 1.0


@pytest.mark.parametrize("count", [1, 2, 4])
def test_a_gradient_through_copies_is_the_sum_of_theirs(count):
    x = tf.constant([1.0, 2.0], tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(x)
        total = ordered_sum([(index + 1) * copy**2 for index, copy in enumerate(fan_out(x, count))])
    factor = 2 * sum(range(1, count + 1))
    np.testing.assert_array_equal(tape.gradient(total, x), factor * x)


def test_a_graph_is_forgotten_once_nobody_needs_it():
    def graph_of_a_gradient():
        @tf.function
        def gradient(x):
            with tf.GradientTape() as tape:
                tape.watch(x)
                copies = fan_out(winograd(x), 2)
                total = tf.reduce_sum(copies[0] * copies[1])
            return tape.gradient(total, x)

        winograd = WinogradConvolution(np.ones((3, 3, 2, 2), np.float32))
        return weakref.ref(gradient.get_concrete_function(tf.ones((1, 8, 8, 2))).graph)

    graphs = [graph_of_a_gradient() for _ in range(2)]
    gc.collect()
    assert [graph() for graph in graphs] == [None, None]


def noise_like(content):
    return np.random.default_rng(0).random((1, *content.shape), np.float32)


def step_of(transfer, content, style):
    """A function of losses and gradient at a picture, checked against three styles."""
    transfer.prepare(content, [style, style[::-1], style[:, ::-1]])

    @tf.function(input_signature=[tf.TensorSpec((1, *content.shape))])
    def step(picture):
        losses, gradient = transfer.objective.gradient(picture, transfer._seen, *transfer._targets)
        return [*losses.values(), gradient]

    return step


@pytest.mark.slow
def test_the_losses_and_the_gradient_are_repeated_to_the_bit(pictures):
    step, picture = step_of(StyleTransfer(vgg_weights="random"), *pictures), noise_like(pictures[0])
    results = {b"".join(tensor.numpy().tobytes() for tensor in step(picture)) for _ in range(30)}
    assert len(results) == 1, f"{len(results)} different results of 30 steps from one picture"


def executed_nodes(function, value):
    """The nodes TensorFlow executes for a function of one tensor, after its own optimization of the graph."""
    frozen = convert_variables_to_constants_v2(function.get_concrete_function())
    with tf.Graph().as_default() as graph, tf.compat.v1.Session(graph=graph) as session:
        tf.import_graph_def(frozen.graph.as_graph_def(), name="")
        record, options = tf.compat.v1.RunMetadata(), tf.compat.v1.RunOptions(output_partition_graphs=True)
        fetches, feeds = [output.name for output in frozen.outputs], {frozen.inputs[0].name: value}
        session.run(fetches, feeds, options=options, run_metadata=record)
    return [
        node
        for graph in record.partition_graphs
        for nodes in (graph.node, *(function.node_def for function in graph.library.function))
        for node in nodes
    ]


def test_no_sum_of_three_and_more_is_left_to_chance(pictures):
    # A layer of both terms is the next one's input too, and three styles are checked against one Gram matrix.
    shared = {"style_layers": ["block1_conv1", "block2_conv1"], "content_layers": ["block2_conv1", "block3_conv1"]}
    step = step_of(StyleTransfer(vgg_weights="random", winograd=False, **shared), *pictures)
    nodes = executed_nodes(step, noise_like(pictures[0]))
    assert any(node.op.endswith("MaxPoolGrad") for node in nodes), "the gradient is not among the nodes"
    # Of AddN, TensorFlow also makes additions to a variable, in the order in which the terms arrive.
    wild = {
        node.name
        for node in nodes
        if node.op in ("TemporaryVariable", "AccumulateNV2") or (node.op == "AddN" and len(node.input) > 2)
    }
    assert not wild
