"""The common interface of all forms of the stylizer: calls, bottleneck, strength, size and detail.

It needs only NumPy and Pillow. Both methods, `toolkit.runtimes`, `toolkit.inference` and the client of `serving` import
it.
"""

from toolkit.public_names import on_first_use

_PUBLIC = {
    "BottleneckCache": "toolkit.interface.bottleneck_cache",
    "BottleneckStylizer": "toolkit.interface.stylizer",
    "SingleStyleStylizer": "toolkit.interface.stylizer",
    "StylizeOptions": "toolkit.interface.stylize_options",
    "Stylizer": "toolkit.interface.stylizer",
    "interpolate": "toolkit.interface.bottleneck",
}

__all__, __getattr__, __dir__ = on_first_use(__name__, _PUBLIC)
