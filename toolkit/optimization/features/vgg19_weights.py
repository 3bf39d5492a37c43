"""The sources of VGG19's weights: the preset that ships with styleport, Keras's download, or a file."""

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from toolkit.errors import InputError, WorkError, one_line
from toolkit.framework.backend import keras
from toolkit.presets import vgg19 as preset

URL = (
    "https://storage.googleapis.com/tensorflow/keras-applications/vgg19/"
    "vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5"
)
MD5 = "253f8cb515780f3b799900260a226db6"

Weights = dict[str, list[Any]]
"""A float32 kernel [3, 3, input, output] and bias [output] by the layer's name."""

Published = Callable[[bool], Any]
"""Builds the network of `keras.applications.VGG19`, with its top (True) or without."""


def check(weights: str | Path, layer_names: Sequence[str]) -> None:
    """Refuses weights that end before the deepest of `layer_names`, which are ordered."""
    last = preset.LAST_LAYER
    # The names sort in the order of the layers.
    if str(weights) == preset.NAME and layer_names[-1] > last:
        raise InputError(
            f"the weights {preset.NAME} end at {last}, before {layer_names[-1]}: choose another layer, or give "
            "imagenet or a file of VGG19 as the weights (--vgg-weights FILE)"
        )


def read(weights: str | Path, published: Published) -> Weights:
    """Reads the weights of the convolutions: `vgg19-8bit`, `imagenet` or a file.

    Raises:
        InputError: the file is missing, does not contain VGG19 weights, or is damaged.
        WorkError: the download failed.
    """
    if str(weights) == preset.NAME:
        return {layer: [kernel, bias] for layer, kernel, bias in preset.weights()}
    network = _fetched(published) if str(weights) == "imagenet" else _from_file(Path(weights), published)
    return {layer.name: layer.get_weights() for layer in network.layers if layer.weights}


def _fetched(published: Published) -> Any:
    try:
        fetched = keras.utils.get_file(URL.rpartition("/")[-1], URL, cache_subdir="models", file_hash=MD5)
        network = published(False)
        network.load_weights(fetched)
        return network
    except Exception as error:  # Keras raises a bare Exception for a failed download
        raise WorkError(
            f"cannot fetch the VGG19 weights ({one_line(error, most=200)}): take {preset.NAME}, which needs no "
            f"network, or download {URL} on another machine and name the file as the weights (--vgg-weights FILE)"
        ) from error


def _from_file(path: Path, published: Published) -> Any:
    if not path.is_file():
        raise InputError(f"{path}: no such weights file; give {preset.NAME}, imagenet, random or a .h5 file of VGG19")
    if path.suffix != ".h5":
        raise InputError(f"{path}: unknown suffix {path.suffix!r}; give a .h5 or .weights.h5 file of VGG19")
    failures = []
    for include_top in (False, True):
        network = published(include_top)
        try:
            with warnings.catch_warnings():
                # Keras only warns about missing weights, and leaves them random.
                warnings.filterwarnings("error", message="Skipping")
                network.load_weights(path)
        except Exception as error:  # h5py and Keras raise almost any exception on damaged or other files
            failures.append(one_line(error, most=200))
        else:
            return network
    raise InputError(f"{path}: not a complete file of VGG19 weights ({failures[0]}); fetch {URL}")
