"""Method 2: arbitrary style transfer in one pass (Ghiasi et al. 2017), with a style predictor and a style transformer.

`KerasStylizer` is the Keras model of both networks; its weights are a preset of `toolkit.presets`. It is independent of
the other method. `toolkit.inference`, the commands and `export` import it.
"""

from toolkit.public_names import on_first_use

_PUBLIC = {
    "ConditionalInstanceNormalization": "toolkit.feed_forward.layers",
    "NearestUpsampling2D": "toolkit.feed_forward.layers",
    "ReflectionPadding2D": "toolkit.feed_forward.layers",
    "StylePredictor": "toolkit.feed_forward.predictor",
    "StyleTransformer": "toolkit.feed_forward.transformer",
    "KerasStylizer": "toolkit.feed_forward.stylizer",
}

__all__, __getattr__, __dir__ = on_first_use(__name__, _PUBLIC)
