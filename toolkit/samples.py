"""The sample pictures: four photos from scikit-image, and three style pictures painted here.

The styles are drawn by the functions below, the same bits on every run of one set of library
versions. They belong to the project and are licensed with it.
"""

import functools
import importlib.util
import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from toolkit.errors import MissingExtraError
from toolkit.images import Picture, from_uint8, load_image

PHOTO_SOURCES = {
    "astronaut": "Eileen Collins, from NASA's Great Images; no known copyright restrictions, public domain.",
    "chelsea": "Chelsea the cat, by Stefan van der Walt; CC0.",
    "coffee": "A cup of coffee, by Rachel Michetti, courtesy of Pikolo Espresso Bar; CC0.",
    "rocket": "The launch of DSCOVR on a Falcon 9, by SpaceX; released into the public domain.",
}
"""Where each photo is from and its licence, as scikit-image's documentation states them."""

STYLE_DESCRIPTIONS = {
    "swirls": "Thousands of curved oil strokes in night blues and yellows, turning around seven stars.",
    "mosaic": "A stained-glass sun of warm and blue cells in dark leading, finer towards its centre.",
    "woodcut": "Ink-lined waves of Prussian blue and foam below a red sun, printed on grained paper.",
}
"""What each style picture shows."""

CALIBRATION_SOURCES = {
    "camera": "The photographer, by Lav Varshney; CC0.",
    "hubble_deep_field": "The Hubble eXtreme Deep Field, by NASA; public domain.",
    "ihc": "Stained tissue, by the Center for Microscopy and Molecular Imaging; no known copyright restrictions.",
    "retina": "A retina, by Mikael Häggström; CC0.",
}
"""Where each calibration picture is from and its licence, as scikit-image's documentation states them."""

_FILES = {
    "astronaut": "astronaut.png",
    "chelsea": "chelsea.png",
    "coffee": "coffee.png",
    "rocket": "rocket.jpg",
    "camera": "camera.png",
    "hubble_deep_field": "hubble_deep_field.jpg",
    "ihc": "ihc.png",
    "retina": "retina.jpg",
}
_SIDE = 512
_CANVAS = 2 * _SIDE  # painted at twice the size, for smooth edges

Color = tuple[int, int, int]


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
    """Loads four pictures of other kinds than the photos and styles: what a quantised network is calibrated on.

    Returns:
        Each float32 RGB in [0, 1], shape [H, W, 3].

    Raises:
        MissingExtraError: scikit-image is not installed.
    """
    return [_from_scikit_image(name) for name in CALIBRATION_SOURCES]


def _from_scikit_image(name: str) -> Picture:
    package = importlib.util.find_spec("skimage")  # found, not imported: the files are all that is wanted
    if package is None or not package.submodule_search_locations:
        raise MissingExtraError(
            "the sample photos are part of scikit-image, which is not installed; run: pip install 'styleport[export]'"
        )
    return load_image(Path(package.submodule_search_locations[0]) / "data" / _FILES[name])


def styles() -> dict[str, Picture]:
    """Paints the three sample styles, the same on every run.

    Returns:
        swirls, mosaic and woodcut (see `STYLE_DESCRIPTIONS`), each float32 RGB in [0, 1],
        shape [512, 512, 3].
    """
    return {name: from_uint8(_painted(name)) for name in STYLE_DESCRIPTIONS}


def sample_pairs() -> list[tuple[str, Picture, str, Picture]]:
    """Pairs every sample photo with every sample style.

    Returns:
        Twelve tuples of the photo's name, the photo, the style's name and the style.

    Raises:
        MissingExtraError: scikit-image is not installed.
    """
    painted = styles()
    return [
        (photo_name, photo, style_name, style)
        for photo_name, photo in photos().items()
        for style_name, style in painted.items()
    ]


@functools.cache
def _painted(name: str) -> np.ndarray:
    painters: dict[str, Callable[[], np.ndarray]] = {
        "swirls": _paint_swirls,
        "mosaic": _paint_mosaic,
        "woodcut": _paint_woodcut,
    }
    canvas = Image.fromarray(np.clip(painters[name](), 0, 255).astype(np.uint8))
    return np.asarray(canvas.resize((_SIDE, _SIDE), Image.Resampling.LANCZOS))


def _grid(size: int) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates x and y in [0, 1], each [size, size]."""
    line = np.linspace(0, 1, size, dtype=np.float32)
    x, y = np.meshgrid(line, line)
    return x, y


def _noise(rng: np.random.Generator, size: int, cells: int) -> np.ndarray:
    """Smooth noise around 0.5, [size, size], with about `cells` bumps a side."""
    coarse = Image.fromarray(rng.random((cells, cells), np.float32))
    return np.asarray(coarse.resize((size, size), Image.Resampling.BICUBIC))


def _ramp(position: np.ndarray, stops: Sequence[tuple[float, Color]]) -> np.ndarray:
    """Colours along a gradient: `position` of any shape gives that shape and 3 channels."""
    at = [stop for stop, _ in stops]
    channels = [np.interp(position, at, [color[channel] for _, color in stops]) for channel in range(3)]
    return np.stack(channels, axis=-1).astype(np.float32)


def _ink(color: np.ndarray) -> Color:
    red, green, blue = (min(255, int(value)) for value in color)
    return red, green, blue


# The stars of "swirls": x, y, radius, and the direction the sky turns around each.
_STARS = [
    (0.30, 0.33, 0.17, 1),
    (0.72, 0.24, 0.13, -1),
    (0.60, 0.52, 0.12, 1),
    (0.10, 0.60, 0.09, -1),
    (0.92, 0.55, 0.09, 1),
    (0.08, 0.10, 0.08, 1),
    (0.48, 0.08, 0.07, -1),
]


def _paint_swirls() -> np.ndarray:
    rng = np.random.default_rng(1889)
    size = _CANVAS // 4  # neither directions nor colours need more detail than a stroke is wide
    x, y = _grid(size)
    hill = y > 0.80 + 0.05 * np.sin(5 * x + 1) + 0.03 * np.sin(13 * x)
    half_width = np.clip((y - 0.36) * 0.16, 0, 0.085) * (0.85 + 0.25 * np.sin(30 * y))
    tree = np.abs(x - 0.86 - 0.02 * np.sin(14 * y)) < half_width
    flow = _night_flow(x, y, hill, tree)
    colors = _night_colors(x, y, hill, tree, _noise(rng, size, 24))
    return _stroked(rng, flow, colors, count=4600)


def _night_flow(x: np.ndarray, y: np.ndarray, hill: np.ndarray, tree: np.ndarray) -> np.ndarray:
    """Unit vectors [2, size, size]: a breeze, bent around the stars, over the hill, up the tree."""
    u, v = np.full_like(x, 0.35), 0.25 * np.cos(7 * x + 3 * y)
    for star_x, star_y, radius, turn in _STARS:
        dx, dy = x - star_x, y - star_y
        distance = np.hypot(dx, dy)
        pull = 3 * turn * np.exp(-((distance / radius) ** 2)) / (distance + 0.01)
        u, v = u - dy * pull, v + dx * pull
    u, v = np.where(hill, 1.0, u), np.where(hill, 0.5 * np.cos(9 * x + 14 * y), v)
    u, v = np.where(tree, 0.5 * np.sin(25 * y + 8 * x), u), np.where(tree, -1.0, v)
    return np.stack([u, v]) / (np.hypot(u, v) + 1e-6)


def _night_colors(x: np.ndarray, y: np.ndarray, hill: np.ndarray, tree: np.ndarray, noise: np.ndarray) -> np.ndarray:
    glow = np.zeros_like(x)
    for star_x, star_y, radius, _ in _STARS:
        distance = np.hypot(x - star_x, y - star_y) / radius
        rings = 0.86 + 0.14 * np.cos(16 * distance)
        glow = np.maximum(glow, np.exp(-((distance / 0.85) ** 2)) * rings)
    night = [(0.0, (16, 28, 92)), (0.35, (30, 66, 150)), (0.65, (58, 120, 186)), (1.0, (128, 182, 190))]
    fire = [(0.0, (40, 84, 168)), (0.3, (96, 158, 196)), (0.55, (214, 214, 140)), (0.8, (250, 204, 60))]
    grass = [(0.0, (46, 92, 110)), (0.3, (40, 84, 70)), (0.6, (96, 120, 50)), (1.0, (24, 44, 52))]
    cypress = [(0.0, (10, 22, 28)), (0.6, (24, 48, 36)), (1.0, (70, 76, 30))]
    sky = _ramp(0.15 + 0.94 * y + 0.35 * (noise - 0.5), night)
    light = np.clip(1.9 * glow - 0.25, 0, 1)[..., None]
    colors = sky * (1 - light) + _ramp(glow, [*fire, (1.0, (255, 238, 150))]) * light
    colors = np.where(hill[..., None], _ramp(5 * (y - 0.8) + 0.5 * (noise - 0.5), grass), colors)
    return np.where(tree[..., None], _ramp(noise, cypress), colors)


def _stroked(rng: np.random.Generator, flow: np.ndarray, colors: np.ndarray, count: int) -> np.ndarray:
    """Lays brush strokes along the flow, and lights the relief the paint leaves."""
    size = len(colors)
    paint = Image.fromarray(colors.astype(np.uint8)).resize((_CANVAS, _CANVAS))
    relief = Image.new("L", paint.size, 90)
    brush, ridge = ImageDraw.Draw(paint), ImageDraw.Draw(relief)
    paths = _paths(rng, flow, count)
    column, row = np.clip((paths[len(paths) // 2] * size).astype(int), 0, size - 1)
    shades = _mixed(rng, colors[row, column])
    widths, heights = rng.integers(7, 15, count), rng.integers(60, 215, count)
    for path, shade, width, height in zip(
        paths.transpose(2, 0, 1) * _CANVAS, shades, widths.tolist(), heights.tolist(), strict=True
    ):
        along = path[-1] - path[0]
        across = np.array([-along[1], along[0]]) / (np.hypot(*along) + 1e-6) * width
        brush.line(path.ravel().tolist(), _ink(0.8 * shade), width, joint="curve")
        for end_x, end_y in path[[0, -1]].tolist():
            brush.circle((end_x, end_y), width / 2, _ink(0.8 * shade))
        for offset, gain in ((-0.22, 1.0), (0.18, 1.14)):  # two bristles: body and highlight
            brush.line((path + offset * across).ravel().tolist(), _ink(gain * shade), width // 3)
        ridge.line(path.ravel().tolist(), height, width)
        ridge.line(path.ravel().tolist(), height + 40, width // 3)
    slope_y, slope_x = np.gradient(np.asarray(relief, np.float32))
    light = np.clip(-0.35 * (slope_x + slope_y), -34, 40)
    return np.asarray(paint, np.float32) + light[..., None]


def _paths(rng: np.random.Generator, flow: np.ndarray, count: int, points: int = 9) -> np.ndarray:
    """Follows the flow from random places: [points, 2, count], in [0, 1]."""
    size = flow.shape[-1]
    place = rng.random((2, count))
    pace = rng.uniform(0.0032, 0.0062, count)
    paths = []
    for _ in range(points):
        paths.append(place)
        column, row = np.clip((place * size).astype(int), 0, size - 1)
        place = place + flow[:, row, column] * pace
    return np.stack(paths)


def _mixed(rng: np.random.Generator, colors: np.ndarray) -> np.ndarray:
    """Colours as a brush picks them up: never twice the same, now and then dark or nearly white."""
    count = len(colors)
    shades = colors + rng.normal(0, 20, (count, 1)) + rng.normal(0, 9, (count, 3))
    chance = rng.random((count, 1))
    shades = np.where(chance < 0.05, 0.55 * colors, shades)
    shades = np.where(chance > 0.93, 0.6 * colors + 0.4 * np.array([235, 235, 190]), shades)
    return np.clip(shades, 0, 255)


_WARM = [(255, 214, 92), (250, 168, 36), (236, 112, 24), (206, 52, 28), (158, 20, 40), (112, 14, 52)]
_ROSE = [(228, 84, 60), (255, 236, 170)]
_COOL = [(18, 96, 120), (12, 60, 104), (38, 140, 132), (60, 30, 90)]
_TURN = 50  # cells around the centre of the mosaic


def _paint_mosaic() -> np.ndarray:
    rng = np.random.default_rng(1220)
    x, y = _grid(_CANVAS)
    radius = np.hypot(x - 0.5, y - 0.56)
    # In the logarithm of the radius a cell is as wide as it is tall wherever it lies.
    ring = np.log(1 + radius / 0.05) * (_TURN / (2 * np.pi))
    spoke = (np.arctan2(y - 0.56, x - 0.5) / (2 * np.pi) + 0.5) * _TURN
    rings = int(ring.max()) + 4
    cell, nearest, second = _voronoi(rng.uniform(0.12, 0.88, (rings, _TURN, 2)), ring, spoke)
    to_lead = (second - nearest) * (radius + 0.05) * (np.pi * _CANVAS / _TURN)
    hub = np.abs(radius - 0.075) * _CANVAS
    to_lead = np.where(radius < 0.075, hub, np.minimum(to_lead, hub))
    colors = np.where(radius[..., None] < 0.075, np.array(_WARM[0], np.float32), _glass_colors(rng, rings)[cell])
    return _leaded(rng, colors, nearest, to_lead)


def _voronoi(jitter: np.ndarray, ring: np.ndarray, spoke: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The cell of each point, and its distances to the nearest and the second nearest cell's seed.

    Each square of a lattice holds one seed, so only a point's own square and the eight around it are
    searched; spokes go around and meet.
    """
    turn = jitter.shape[1]
    jitter = jitter.astype(np.float32)
    nearest, second = np.full_like(ring, 9), np.full_like(ring, 9)
    cell = np.zeros(ring.shape, np.int32)
    row, column = ring.astype(np.int32), spoke.astype(np.int32)
    ring, spoke = ring - row.astype(np.float32), spoke - column.astype(np.float32)
    for down in (-1, 0, 1):
        for right in (-1, 0, 1):
            candidate = (row + down + 1) * turn + (column + right) % turn
            seed = jitter.reshape(-1, 2)[candidate]
            distance = np.hypot(seed[..., 0] + (down - ring), seed[..., 1] + (right - spoke))
            closer = distance < nearest
            second = np.where(closer, nearest, np.minimum(second, distance))
            nearest = np.where(closer, distance, nearest)
            cell = np.where(closer, candidate, cell)
    return cell, nearest, second


def _glass_colors(rng: np.random.Generator, rings: int) -> np.ndarray:
    """One colour a cell: gold at the centre, darker outwards, with blue between eight rays."""
    count = rings * _TURN
    ring, spoke = np.divmod(np.arange(count), _TURN)
    ray = np.cos(spoke / _TURN * 2 * np.pi * 8)
    warmth = np.clip(5.5 * (ring - 7) / (rings - 10) - ray + rng.normal(0, 0.8, count), 0, 5).astype(int)
    chance = rng.random(count)
    colors = np.where((chance < 0.08)[:, None], rng.choice(_ROSE, count), np.array(_WARM)[warmth])
    blue = ((ray < -0.35) & (ring > 11) & (rng.random(count) < 0.75)) | (chance > 0.95)
    colors = np.where(blue[:, None], rng.choice(_COOL, count), colors)
    return (colors * rng.uniform(0.78, 1.12, (count, 1))).astype(np.float32)


def _leaded(rng: np.random.Generator, colors: np.ndarray, nearest: np.ndarray, to_lead: np.ndarray) -> np.ndarray:
    """Uneven glass, darker towards the lead that holds it."""
    cloudy = sum(weight * _noise(rng, _CANVAS, cells) for weight, cells in ((0.3, 30), (0.5, 90), (0.4, 240)))
    rise = np.clip(to_lead / 9, 0, 1)
    gleam = 46 * np.clip(1.2 * rise - 1.5 * nearest, 0, 1) ** 2
    glass = colors * ((0.62 + 0.52 * cloudy) * (0.62 + 0.38 * rise))[..., None] + gleam[..., None]
    lead = (
        np.array([26, 20, 24], np.float32)
        + (24 * _noise(rng, _CANVAS, 300) * np.clip(1 - to_lead / 1.6, 0, 1))[..., None]
    )
    shown = np.clip((to_lead - 2.6) / 1.6, 0, 1)[..., None]
    return lead + (glass - lead) * shown


_INK = (20, 28, 58)
_FOAM = (246, 238, 216)
_BLUES = [(28, 62, 120), (44, 98, 150), (88, 150, 178), (150, 196, 200), (24, 44, 92)]
_PAPER = (243, 230, 200)


def _paint_woodcut() -> np.ndarray:
    rng = np.random.default_rng(1831)
    x, y = _grid(_CANVAS)
    dusk = [(0.0, (214, 92, 64)), (0.16, (232, 150, 98)), (0.34, (240, 206, 156)), (0.55, _PAPER)]
    block = Image.fromarray(_ramp(y + 0.03 * np.sin(6 * x), dusk).astype(np.uint8))
    knife = ImageDraw.Draw(block)
    _cut_sun(rng, knife)
    for row in range(9):
        _cut_waves(rng, knife, row, nearness=row / 8)
    return _printed(rng, _hand_cut(rng, np.asarray(block)))


def _cut_sun(rng: np.random.Generator, knife: ImageDraw.ImageDraw) -> None:
    knife.circle((730, 220), 130, fill=(198, 44, 40), outline=_INK, width=7)
    for bar in range(5):
        top, left = 140 + 44 * bar + int(rng.integers(-8, 8)), int(rng.integers(430, 640))
        right = left + int(rng.integers(260, 420))
        knife.rounded_rectangle((left, top, right, top + 13), 6, fill=_PAPER, outline=_INK, width=3)


def _cut_waves(rng: np.random.Generator, knife: ImageDraw.ImageDraw, row: int, nearness: float) -> None:
    """One row of waves, from one edge to the other; the rows before it lie behind it."""
    radius = 95 + 85 * nearness
    step = 1.22 * radius
    for place in range(int(_CANVAS / step) + 3):
        center_x = (place - 0.8 + row % 2 / 2) * step + rng.normal(0, 0.07 * step)
        swell = 160 * math.exp(-(((center_x - 260) / 220) ** 2)) * (1 - nearness)
        center_y = 430 + 150 * nearness + 380 * nearness**2 + 0.55 * radius - swell
        center = (center_x, center_y + rng.normal(0, 0.1 * radius))
        _cut_wave(rng, knife, center, radius * rng.uniform(0.9, 1.18), line=3 + int(3 * nearness))


def _cut_wave(
    rng: np.random.Generator,
    knife: ImageDraw.ImageDraw,
    center: tuple[float, float],
    radius: float,
    line: int,
) -> None:
    """A wave of rings, its crest hatched and topped with spray."""

    def on_ray(degrees: float, reach: float) -> tuple[float, float]:
        angle = math.radians(degrees)
        return center[0] + reach * radius * math.cos(angle), center[1] + reach * radius * math.sin(angle)

    rings, first = int(rng.integers(6, 9)), int(rng.integers(len(_BLUES)))
    for ring in range(rings):
        fill = _FOAM if ring % 3 == 0 else _BLUES[(first + ring) % len(_BLUES)]
        knife.circle(center, radius * (1 - ring / rings), fill=fill, outline=_INK, width=line)
    for degrees in np.linspace(200, 340, rng.integers(18, 28)):
        cut = degrees + rng.normal(0, 1.5)
        knife.line((on_ray(cut, rng.uniform(0.66, 0.78)), on_ray(cut, rng.uniform(0.86, 0.97))), _INK, 3)
    for _ in range(rng.integers(5, 10)):
        drop = on_ray(rng.uniform(205, 335), rng.uniform(1.0, 1.16))
        knife.circle(drop, rng.uniform(3, 9), fill=_FOAM, outline=_INK, width=2)


def _hand_cut(rng: np.random.Generator, block: np.ndarray) -> np.ndarray:
    """The picture with every line a little off, the sea more than the sun."""
    line = np.arange(_CANVAS)
    unsteady = np.clip(2.4 * line / _CANVAS - 0.4, 0.15, 1)[:, None]
    shift_x, shift_y = (
        unsteady * (46 * (_noise(rng, _CANVAS, 9) - 0.5) + 12 * (_noise(rng, _CANVAS, 34) - 0.5)) for _ in range(2)
    )
    column = np.clip(line + shift_x, 0, _CANVAS - 1).astype(int)
    row = np.clip(line[:, None] + shift_y, 0, _CANVAS - 1).astype(int)
    return block[row, column]


def _printed(rng: np.random.Generator, block: np.ndarray) -> np.ndarray:
    """The block on paper: the grain of the wood shows, and here and there the ink did not take."""
    _, y = _grid(_CANVAS)
    grain = 0.5 + 0.5 * np.sin(150 * y + 26 * _noise(rng, _CANVAS, 7) + 20 * _noise(rng, _CANVAS, 3))
    fibres = Image.fromarray(rng.random((_CANVAS, 64), np.float32))
    fibre = np.asarray(fibres.resize((_CANVAS, _CANVAS), Image.Resampling.BICUBIC))
    speck = _noise(rng, _CANVAS, 400)
    inked = block * (0.87 + 0.08 * grain + 0.08 * fibre + 0.06 * speck)[..., None]
    bare = (0.6 * speck + 0.5 * fibre > 0.93)[..., None]
    return np.where(bare, 0.55 * inked + 0.45 * np.array(_PAPER, np.float32), inked)
