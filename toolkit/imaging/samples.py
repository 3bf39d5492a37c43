"""The sample pictures: four photos and a micrograph from scikit-image, and two paintings in the public domain."""

import importlib.util
from pathlib import Path

from toolkit.errors import MissingExtraError
from toolkit.extras import install
from toolkit.imaging import paintings
from toolkit.imaging.images import Picture, load_image
from toolkit.imaging.paintings import PAINTINGS

PHOTO_SOURCES = {
    "astronaut": "Eileen Collins, from NASA's Great Images; no known copyright restrictions, public domain.",
    "chelsea": "Chelsea the cat, by Stefan van der Walt; CC0.",
    "coffee": "A cup of coffee, by Rachel Michetti, courtesy of Pikolo Espresso Bar; CC0.",
    "rocket": "The launch of DSCOVR on a Falcon 9, by SpaceX; released into the public domain.",
}
"""Where each photo is from and its license, as scikit-image's documentation states them."""

STYLE_SOURCES = {
    **{name: str(painting) for name, painting in PAINTINGS.items()},
    "stained_tissue": "Colonic glands, stained; by the Center for Microscopy and Molecular Imaging; no known copyright "
    "restrictions.",
}
"""Where each style is from and its license; scikit-image's documentation states that of the last."""

CALIBRATION_SOURCES = {
    "camera": "The photographer, by Lav Varshney; CC0.",
    "hubble_deep_field": "The Hubble eXtreme Deep Field, by NASA; public domain.",
    "grass": "Grass, by linolafett; CC0.",
    "retina": "A retina, by Mikael Häggström; CC0.",
}
"""Where each calibration picture is from and its license, as scikit-image's documentation states them."""

_FILES = {
    "astronaut": "astronaut.png",
    "chelsea": "chelsea.png",
    "coffee": "coffee.png",
    "rocket": "rocket.jpg",
    "camera": "camera.png",
    "hubble_deep_field": "hubble_deep_field.jpg",
    "grass": "grass.png",
    "stained_tissue": "ihc.png",
    "retina": "retina.jpg",
}


def photos() -> dict[str, Picture]:
    """Loads the four sample photos from the installed scikit-image, without the network.

    Returns:
        astronaut (512x512 px), chelsea (451x300), coffee (600x400) and rocket (640x427), each
        float32 RGB in [0, 1], shape [H, W, 3].

    Raises:
        MissingExtraError: scikit-image is not installed.
    """
    return {name: _from_scikit_image(name) for name in PHOTO_SOURCES}


def calibration_pictures() -> list[Picture]:
    """Loads the four calibration pictures for quantization, of other kinds than the photos and styles.

    Returns:
        Each float32 RGB in [0, 1], shape [H, W, 3].

    Raises:
        MissingExtraError: scikit-image is not installed.
    """
    return [_from_scikit_image(name) for name in CALIBRATION_SOURCES]


def _from_scikit_image(name: str) -> Picture:
    package = importlib.util.find_spec("skimage")  # not imported: only the files are needed
    if package is None or not package.submodule_search_locations:
        raise MissingExtraError(
            f"the sample photos are part of scikit-image, which is not installed; run: {install('export')}"
        )
    return load_image(Path(package.submodule_search_locations[0]) / "data" / _FILES[name])


def styles() -> dict[str, Picture]:
    """Loads the three sample styles, without the network.

    Returns:
        starry_night (512x320 px), composition_vii (512x340) and stained_tissue (512x512), each float32 RGB in
        [0, 1], shape [H, W, 3].

    Raises:
        MissingExtraError: scikit-image is not installed.
    """
    painted = {name: load_image(paintings.path(name)) for name in PAINTINGS}
    return {**painted, "stained_tissue": _from_scikit_image("stained_tissue")}


def sample_pairs() -> list[tuple[str, Picture, str, Picture]]:
    """Pairs every sample photo with every sample style.

    Returns:
        Twelve tuples of the photo's name, the photo, the style's name and the style.

    Raises:
        MissingExtraError: scikit-image is not installed.
    """
    loaded = styles()
    return [
        (photo_name, photo, style_name, style)
        for photo_name, photo in photos().items()
        for style_name, style in loaded.items()
    ]
