"""Writes SavedModels in the shape of Magenta's Hub module, from the embedded networks' weights.

The graph is built as Magenta's own code builds it (`export_hub.py`, `nza_model.py` and
`arbitrary_image_stylization_build_mobilenet_model.py` of the magenta repository): TF1 variables under the same
scopes, two placeholders of unknown size without names, no split, no padding to a multiple of four, so that a
picture of another size comes back a little larger.

`python -m tests.hub.modules KIND FOLDER` writes one: a kind of `WRITERS`.
"""

import sys
from pathlib import Path

import tensorflow as tf

from toolkit import presets
from toolkit.feed_forward.predictor import INVERTED_RESIDUALS
from toolkit.feed_forward.transformer import CONTRACT, EXPAND, RESIDUAL_BLOCKS
from toolkit.framework.custom_objects import import_modules

v1 = tf.compat.v1
PRESET = "magenta-mobile"
PICTURES = (None, None, None, 3)
INPUTS = ("placeholder", "placeholder_1")
# What the real module's graph calls its bottleneck.
BOTTLENECK = "mobilenet_conv/Conv/BiasAdd"
# The proto `ModuleDef` of TF1's `hub.Module`: its format is 3.
MODULE_PROTO = b"\x08\x03"


class Network:
    """Builds the graph of both networks with v1 variables.

    Args:
        use_resource: variables are resources, as in TF2, instead of references.
    """

    def __init__(self, use_resource: bool = True) -> None:
        self._weights = {path: (kernel, bias) for path, kernel, bias in presets.weights(PRESET)}
        self._use_resource = use_resource
        self.values = {}

    def _variable(self, name, value):
        # Its value comes later: as an initial value it would be a constant of the graph, beside variables/.
        variable = v1.get_variable(
            name, value.shape, initializer=v1.zeros_initializer(), use_resource=self._use_resource
        )
        self.values[variable.name.removesuffix(":0")] = value
        return variable

    def _conv(self, x, scope, path, stride=1, padding="VALID"):
        kernel, bias = self._weights[path]
        with v1.variable_scope(scope):
            if "depthwise" in path:
                weights = self._variable("depthwise_weights", kernel.transpose(0, 1, 3, 2))
                y = v1.nn.depthwise_conv2d(x, weights, (1, stride, stride, 1), padding, name="depthwise")
            else:
                weights = self._variable("weights", kernel)
                y = v1.nn.conv2d(x, weights, (1, stride, stride, 1), padding, name="Conv2D")
            return v1.nn.bias_add(y, self._variable("biases", bias), name="BiasAdd")

    def bottleneck(self, style):
        """[B, h, w, 3] -> [B, 1, 1, 100], by MobileNetV2."""
        with v1.variable_scope("MobilenetV2"):
            x = v1.nn.relu6(self._conv(style, "Conv", "predictor/conv", 2, "SAME"))
            block = 0
            for expansion, channels, repetitions, first_stride in INVERTED_RESIDUALS:
                for repetition in range(repetitions):
                    stride = 1 if repetition else first_stride
                    x = self._inverted_residual(
                        x, f"expanded_conv_{block}".removesuffix("_0"), expansion, channels, stride
                    )
                    block += 1
            x = v1.nn.relu6(self._conv(x, "Conv_1", "predictor/conv_1"))
        x = v1.reduce_mean(x, axis=[1, 2], keepdims=True)
        with v1.variable_scope("mobilenet_conv"):
            return self._conv(x, "Conv", "predictor/style_bottleneck")

    def _inverted_residual(self, x, name, expansion, channels, stride):
        shortcut, path = x, f"predictor/{name}"
        with v1.variable_scope(name):
            if expansion > 1:
                x = v1.nn.relu6(self._conv(x, "expand", f"{path}_expand"))
            x = v1.nn.relu6(self._conv(x, "depthwise", f"{path}_depthwise", stride, "SAME"))
            x = self._conv(x, "project", f"{path}_project")
            return x + shortcut if stride == 1 and shortcut.shape[-1] == channels else x

    def _norm(self, x, bottleneck, path, scope):
        with v1.variable_scope(f"style_params/{scope}", reuse=v1.AUTO_REUSE):
            scale, shift = (
                v1.squeeze(self._conv(bottleneck, part, f"transformer/{path}_norm/{part}"), [1, 2])[:, None, None, :]
                for part in ("gamma", "beta")
            )
        mean, variance = v1.nn.moments(x, [1, 2], keep_dims=True)
        return v1.nn.batch_normalization(x, mean, variance, shift, scale, 1e-5)

    def _reflect_conv(self, x, scope, path, kernel, stride=1):
        margin = (kernel // 2, kernel // 2)
        return self._conv(v1.pad(x, [(0, 0), margin, margin, (0, 0)], "REFLECT"), scope, f"transformer/{path}", stride)

    def picture(self, content, bottleneck):
        """[B, H, W, 3], [B or 1, 1, 1, 100] -> [B, H', W', 3], H' and W' being rounded up to multiples of four."""
        x = content
        with v1.variable_scope("transformer/contract"):
            for index, (_, kernel, stride) in enumerate(CONTRACT, 1):
                x = v1.nn.relu(self._reflect_conv(x, f"conv{index}", f"contract_conv{index}", kernel, stride))
        for index in range(1, RESIDUAL_BLOCKS + 1):
            shortcut = x
            for part, activation in (("conv1", v1.nn.relu), ("conv2", v1.identity)):
                path, scope = f"residual{index}_{part}", f"transformer/residual/residual{index}/{part}"
                x = self._reflect_conv(x, scope, path, 3)
                x = activation(self._norm(x, bottleneck, path, scope))
            x = x + shortcut
        for index, (_, kernel, upsampling) in enumerate(EXPAND, 1):
            path, scope = f"expand_conv{index}", f"transformer/expand/conv{index}"
            if upsampling > 1:
                x = v1.image.resize_nearest_neighbor(x, upsampling * v1.shape(x)[1:3])
            x = self._norm(self._reflect_conv(x, scope, path, kernel), bottleneck, path, scope)
            x = v1.nn.relu(x) if index < len(EXPAND) else v1.nn.sigmoid(x, name=f"{scope}/Sigmoid")
        return x

    def __call__(self, content, style):
        """[B, H, W, 3], [B or 1, h, w, 3] -> [B, H', W', 3]."""
        return self.picture(content, self.bottleneck(style))


def write_tf2(folder: Path) -> Path:
    """A TF2 SavedModel, callable, as Magenta's `export_hub.py` saves it."""
    network, ends = Network(), []

    def umbrella(content, style):
        ends.extend([[content, style], [network(content, style)]])
        return ends[1][0]

    wrapped = v1.wrap_function(umbrella, [tf.TensorSpec(PICTURES, name=name) for name in INPUTS])
    module = tf.train.Checkpoint()
    module.__call__ = wrapped.prune(*ends)
    module.variables = list(wrapped.graph.variables)
    for variable in module.variables:
        variable.assign(network.values[variable.name.removesuffix(":0")])
    tf.saved_model.save(module, str(folder), signatures=module.__call__)
    return folder


def _in_session(use_resource=False):
    graph, network = v1.Graph(), Network(use_resource)
    with graph.as_default():
        content, style = (v1.placeholder(tf.float32, PICTURES) for _ in range(2))
        picture = network(content, style)
        session = v1.Session()
        for variable in v1.global_variables():
            variable.load(network.values[variable.name.removesuffix(":0")], session)
    inputs = dict(zip(INPUTS, (content, style), strict=True))
    return graph, session, inputs, {"output_0": picture}


def write_tf1(folder: Path) -> Path:
    """A TF1 SavedModel with reference variables, as `simple_save` writes it."""
    graph, session, inputs, outputs = _in_session()
    with graph.as_default(), session:
        v1.saved_model.simple_save(session, str(folder), inputs, outputs)
    return folder


def write_tf1_negative(folder: Path) -> Path:
    """A TF1 SavedModel of one input, without a variable: it paints `1 - content`."""
    with v1.Graph().as_default(), v1.Session() as session:
        content = v1.placeholder(tf.float32, PICTURES)
        v1.saved_model.simple_save(session, str(folder), {"inputs": content}, {"outputs": 1 - content})
    return folder


def write_tf1_hub(folder: Path) -> Path:
    """TF1's own Hub format: no tags, the signature `default`, and `tfhub_module.pb` beside the graph."""
    graph, session, inputs, outputs = _in_session(use_resource=True)
    with graph.as_default(), session:
        signature = v1.saved_model.predict_signature_def(inputs, {"default": outputs["output_0"]})
        builder = v1.saved_model.Builder(str(folder))
        builder.add_meta_graph_and_variables(session, [], {"default": signature})
        builder.save()
    (folder / "tfhub_module.pb").write_bytes(MODULE_PROTO)
    return folder


def write_keras(path: Path, names: tuple[str, str] = ("content", "style"), seed: int = 0) -> Path:
    """A `.keras` file of Keras' own layers: a style's mean features scale and shift those of the content."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(seed)
    content, style = (keras.Input((None, None, 3), name=name) for name in names)
    features = layers.Conv2D(16, 3, padding="same", activation="relu", name="look")(content)
    mean = layers.GlobalAveragePooling2D(keepdims=True, name="mean")(layers.Conv2D(8, 3, 2, name="read")(style))
    code = layers.Conv2D(6, 1, name="code")(mean)
    scaled = layers.Multiply()([features, layers.Conv2D(16, 1, name="scale")(code)])
    shifted = layers.Add()([scaled, layers.Conv2D(16, 1, name="shift")(code)])
    painted = layers.Conv2D(3, 3, padding="same", activation="sigmoid", name="paint")(shifted)
    picture = layers.Add(name="picture")([layers.Rescaling(0.5)(content), layers.Rescaling(0.5)(painted)])
    keras.Model([content, style], picture).save(path)
    return path


def write_fast(path: Path) -> Path:
    """A `.keras` file in the shape of fast style transfer (Johnson et al. 2016): one input, 8-bit samples."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(0)
    content = keras.Input((None, None, 3), name="image")
    x = layers.Rescaling(1 / 127.5, -1)(content)
    x = layers.Conv2D(8, 3, padding="same", activation="relu")(x)
    x = layers.LayerNormalization(axis=(-1,))(x)
    x = layers.Conv2D(8, 3, padding="same", activation="relu")(x)
    x = layers.Rescaling(127.5, 127.5)(layers.Conv2D(3, 3, padding="same", activation="tanh")(x))
    keras.Model(content, x).save(path)
    return path


MY_LAYERS = """\
import keras


@keras.saving.register_keras_serializable("mine")
class Halved(keras.layers.Layer):
    def call(self, x):
        return x / 2


@keras.saving.register_keras_serializable("mine")
def shifted(x):
    return x + 0.25
"""


def write_custom(folder: Path) -> Path:
    """A `.keras` file of a class and a function of its own, which a module `my_layers` beside it brings."""
    import keras

    (folder / "my_layers.py").write_text(MY_LAYERS, encoding="utf-8")
    import_modules(["my_layers"])
    mine = sys.modules["my_layers"]
    content, style = (keras.Input((None, None, 3), name=name) for name in ("content", "style"))
    mean = keras.layers.GlobalAveragePooling2D(keepdims=True)(style)
    mixed = keras.layers.Average()([content, mean])
    keras.Model([content, style], keras.layers.Activation(mine.shifted)(mine.Halved()(mixed))).save(
        folder / "custom.keras"
    )
    forget_custom()
    return folder / "custom.keras"


def forget_custom() -> None:
    """Forgets what `my_layers` brought, as a process that never imported it."""
    import keras

    known = keras.saving.get_custom_objects()
    for name in [name for name in known if name.startswith("mine>") or name == "Halved"]:
        del known[name]
    sys.modules.pop("my_layers", None)


WRITERS = {"keras": write_keras, "tf1": write_tf1, "tf1_hub": write_tf1_hub, "tf2": write_tf2}

if __name__ == "__main__":
    sys.stdout.write(f"{WRITERS[sys.argv[1]](Path(sys.argv[2]))}\n")
