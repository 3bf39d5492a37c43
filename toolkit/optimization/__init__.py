"""Method 1: neural style transfer by optimization (Gatys et al. 2015); the picture is the trained weight.

`StyleTransfer` is the Keras model, `VGG19Features` its feature extractor, L-BFGS its optimizer. It uses the other
method only for the start `stylized` (`init_image`). `toolkit.inference`, the commands and `export` import it.
"""

from toolkit.public_names import on_first_use

_PUBLIC = {
    "Checkpoints": "toolkit.optimization.checkpoint",
    "LBFGS": "toolkit.optimization.lbfgs",
    "Objective": "toolkit.optimization.objective",
    "Refiner": "toolkit.optimization.refinement",
    "StyleTransfer": "toolkit.optimization.style_transfer",
    "VGG19Features": "toolkit.optimization.features.vgg19",
    "content_loss": "toolkit.optimization.losses",
    "gram_matrix": "toolkit.optimization.losses",
    "style_loss": "toolkit.optimization.losses",
    "total_variation": "toolkit.optimization.losses",
}

__all__, __getattr__, __dir__ = on_first_use(__name__, _PUBLIC)
