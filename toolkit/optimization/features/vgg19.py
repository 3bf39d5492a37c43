"""The feature extractor of style transfer by optimization."""

import operator
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from toolkit.errors import InputError, as_input_error
from toolkit.framework import keras_file
from toolkit.framework.backend import DTYPE, PINNED, PINNED_2D, dtype_of, keras, layers, ops
from toolkit.framework.tensors import as_tensor
from toolkit.optimization.features import vgg19_weights

STYLE_LAYERS = ("block1_conv1", "block2_conv1", "block3_conv1", "block4_conv1", "block5_conv1")
CONTENT_LAYERS = ("block5_conv2",)

# (filters, convolutions) of each block; a pool that halves both sides ends it.
BLOCKS = ((64, 2), (128, 2), (256, 4), (512, 4), (512, 4))

LAYER_NAMES = tuple(
    f"block{block}_{layer}"
    for block, (_, convolutions) in enumerate(BLOCKS, start=1)
    for layer in (*(f"conv{index}" for index in range(1, convolutions + 1)), "pool")
)

POOLINGS = {"max": layers.MaxPooling2D, "average": layers.AveragePooling2D}

DTYPES = ("float32", "float64")

# The largest seed that both Keras and NumPy accept.
MAX_SEED = 2**32 - 1

# Four halvings must leave at least two pixels for block 5.
MIN_SIDE = 32

# The means of ImageNet's blue, green and red, in 8-bit steps, which the weights expect to be subtracted.
_MEANS = (103.939, 116.779, 123.68)


@keras.saving.register_keras_serializable(package="styleport")
class VGGPreprocessing(layers.Layer):
    """Turns RGB in [0, 1] into the zero-mean BGR of 8-bit range that VGG was trained on."""

    def call(self, inputs: Any) -> Any:
        """Returns [B, H, W, 3] for an input of [B, H, W, 3]."""
        return inputs[..., ::-1] * 255.0 - ops.convert_to_tensor(_MEANS, dtype=inputs.dtype)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Returns the input's shape."""
        return input_shape


def check_seed(seed: Any) -> int:
    """Returns a seed as a Python integer; refuses anything but a whole number from 0 to 2^32 - 1."""
    try:
        number = operator.index(seed)
    except TypeError:
        number = -1
    if not 0 <= number <= MAX_SEED:
        raise InputError(f"the seed is {seed}: give a whole number from 0 to {MAX_SEED}")
    return number


def check_layers(names: Sequence[str]) -> tuple[str, ...]:
    """Returns the names of layers without repetitions, shallow ones first; refuses unknown ones, and none."""
    for name in names:
        if name not in LAYER_NAMES:
            raise InputError(f"VGG19 has no layer {name!r}: choose from {', '.join(LAYER_NAMES)}")
    if not names:
        raise InputError(f"no layer of VGG19 is named: choose from {', '.join(LAYER_NAMES)}")
    return tuple(name for name in LAYER_NAMES if name in names)


@keras.saving.register_keras_serializable(package="styleport")
class VGG19Features(keras.Model):
    """VGG19 up to the deepest layer asked for, returning the activations of named layers.

    Follows Simonyan and Zisserman 2014 (arXiv 1409.1556) with the layer names of `keras.applications`, as
    used by Gatys et al. 2015 (arXiv 1508.06576). The weights are frozen.

    Args:
        layer_names: the layers to return, any of `LAYER_NAMES`.
        weights: `vgg19-8bit` (the preset that ships with styleport, up to `block5_conv2`), `imagenet` (downloaded and
            cached by Keras), the path of a `.h5` or `.weights.h5` file of `keras.applications.VGG19` with or without
            its top, or `random`.
        pooling: `max`, as trained, or `average`, which Gatys et al. found to give smoother pictures.
        seed: seed of the random weights, from 0 to 2^32 - 1.
        dtype: float32, the default whatever Keras's settings are, or float64. In 16 bits, the squares of the features
            would overflow.

    Raises:
        InputError: a layer, pooling, seed or dtype is unknown, a layer is deeper than the weights, or the
            file does not contain VGG19 weights.
        WorkError: the download failed.

    Example:
        ```python
        features = VGG19Features(["block1_conv1", "block5_conv2"])
        features(picture)  # [B, H, W, 3] in [0, 1], in any form -> {"block1_conv1": [B, H, W, 64], …}
        ```
    """

    def __init__(
        self,
        layer_names: Sequence[str] = STYLE_LAYERS + CONTENT_LAYERS,
        weights: str | Path = "vgg19-8bit",
        pooling: str = "max",
        seed: int = 0,
        dtype: Any = None,
        **kwargs: Any,
    ) -> None:
        names = check_layers(layer_names)
        vgg19_weights.check(weights, names)
        if pooling not in POOLINGS:
            raise InputError(f"unknown pooling {pooling!r}: choose from {', '.join(POOLINGS)}")
        seed, dtype = check_seed(seed), dtype_of(type(self).__name__, dtype, DTYPES)
        # === Functional Model ===
        picture = keras.Input((None, None, 3), dtype=dtype, name="picture")
        x = VGGPreprocessing(dtype=dtype, name="preprocessing")(picture)
        outputs = {}
        for index, name in enumerate(LAYER_NAMES[: LAYER_NAMES.index(names[-1]) + 1]):
            # He et al.'s scale keeps random features from vanishing over sixteen layers.
            kernel = keras.initializers.HeNormal((seed + index) % (MAX_SEED + 1))
            x = _layer(name, pooling, kernel, dtype)(x)
            if name in names:
                outputs[name] = x
        super().__init__(inputs=picture, outputs=outputs, **kwargs)
        self.dtype_policy = dtype
        self.trainable = False
        if str(weights) != "random":
            read = vgg19_weights.read(weights, _published)
            with as_input_error(f"the weights {weights} are damaged"):
                for layer in self.layers:
                    if layer.weights:
                        layer.set_weights(read[layer.name])

        # === Config ===
        self.layer_names = names
        self.pooling = pooling
        self.seed = seed

    @classmethod
    def from_file(cls, path: str | Path) -> "VGG19Features":
        """Loads an extractor that was saved with `save`, its weights included.

        Raises:
            InputError: the file is missing or is not an extractor.
        """
        return keras_file.load(path, cls)

    def __call__(self, pictures: Any, *args: Any, **kwargs: Any) -> Any:
        """Extracts the features of pictures.

        Args:
            pictures: [B, H, W, 3] in [0, 1], in any form that `toolkit.imaging.validation` takes.
            args: passed on to Keras.
            kwargs: passed on to Keras.

        Returns:
            The activations of the layers, by their names.

        Raises:
            InputError: the shape, dtype or range is wrong.
        """
        return super().__call__(as_tensor(pictures, "the picture", min_side=1), *args, **kwargs)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments of the constructor; the weights are saved separately."""
        return {
            "name": self.name,
            "layer_names": list(self.layer_names),
            "weights": "random",
            "pooling": self.pooling,
            "seed": self.seed,
            "dtype": self.dtype_policy.name,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> "VGG19Features":
        """Builds an extractor from a config; an external config can neither open nor fetch weights."""
        return cls(**{**config, "weights": "random"})


def _layer(name: str, pooling: str, kernel: Any, dtype: str) -> Any:
    options = {**PINNED_2D, "dtype": dtype, "name": name}
    if name.endswith("pool"):
        return POOLINGS[pooling](2, strides=2, **options)
    filters, _ = BLOCKS[int(name[len("block")]) - 1]
    return layers.Conv2D(filters, 3, padding="same", activation="relu", kernel_initializer=kernel, **options)


def _published(include_top: bool) -> Any:
    """Returns the network of `keras.applications.VGG19` with zero weights, whatever Keras's settings are."""
    x = picture = keras.Input((224, 224, 3) if include_top else (None, None, 3), **PINNED)
    for name in LAYER_NAMES:
        x = _layer(name, "max", "zeros", DTYPE)(x)
    if include_top:
        x = layers.Flatten(**PINNED_2D)(x)
        for units in (4096, 4096, 1000):
            x = layers.Dense(units, kernel_initializer="zeros", **PINNED)(x)
    return keras.Model(picture, x)
