"""Makes .onnx pairs whose answer a reader can compute: a picture halfway between content and mean style color."""

import numpy as np
from onnx import TensorProto, helper, numpy_helper

ANY = ("batch", "height", "width", 3)
CODE = ("batch", 1, 1, 3)


def model(name, inputs, outputs, nodes, constants=(), opset=18, domain=""):
    """Returns a model of float32 tensors, whose shapes are given by name."""
    ends = [
        [helper.make_tensor_value_info(one, TensorProto.FLOAT, shape) for one, shape in ends.items()]
        for ends in (inputs, outputs)
    ]
    graph = helper.make_graph(nodes, name, *ends, list(constants))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid(domain, opset)], ir_version=8)


def predictor():
    mean = helper.make_node("ReduceMean", ["style_image", "axes"], ["style_bottleneck"], keepdims=1)
    axes = numpy_helper.from_array(np.array([1, 2]), "axes")
    return model("bottleneck", {"style_image": ANY}, {"style_bottleneck": CODE}, [mean], [axes])


def transformer(**options):
    nodes = [
        helper.make_node("Add", ["content_image", "style_bottleneck"], ["sum"]),
        helper.make_node("Mul", ["sum", "half"], ["stylized_image"]),
    ]
    half = numpy_helper.from_array(np.array(0.5, np.float32), "half")
    inputs = {"content_image": ANY, "style_bottleneck": CODE}
    return model("transform", inputs, {"stylized_image": ANY}, nodes, [half], **options)


def enlarging():
    """A transformer with a resize of which ONNX Runtime warns, since its attribute is deprecated."""
    scales = numpy_helper.from_array(np.array([1, 2, 2, 1], np.float32), "scales")
    resize = helper.make_node(
        "Resize",
        ["content_image", "", "scales"],
        ["stylized_image"],
        mode="nearest",
        coordinate_transformation_mode="tf_half_pixel_for_nn",
    )
    return model("transform", {"content_image": ANY}, {"stylized_image": ANY}, [resize], [scales])


def write_pair(folder):
    (folder / "predictor.onnx").write_bytes(predictor().SerializeToString())
    (folder / "transformer.onnx").write_bytes(transformer().SerializeToString())
    return folder
