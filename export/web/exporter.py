"""Exports a stylizer as a static web page: LiteRT.js and float16 networks, which run in the visitor's browser."""

import base64
import dataclasses
import hashlib
import json
import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from export.artifact import PAGE_SIZES, Artifact
from export.exporter import Exporter
from export.formats.feed_forward_tflite import SplitTFLiteExporter
from export.formats.signatures import of_network
from export.web import litert_js
from toolkit import manifest
from toolkit.imaging import images, samples
from toolkit.interface.bottleneck import interpolate
from toolkit.interface.detail import paint_at_detail
from toolkit.runtimes.litert import PREDICTOR_FILE, TRANSFORMER_FILE, DeviceStylizer
from toolkit.runtimes.tflite_network import TFLiteNetwork

# Hand-written, and served unchanged.
SOURCES = Path(__file__).parent / "page"
SERVICE_WORKER = "service-worker.js"
# A line of the service worker, that receives the version.
_NO_VERSION = 'const VERSION = "";'
PHOTO_TITLES = {
    "chelsea": "A ginger cat, resting",
    "astronaut": "An astronaut in an orange suit",
    "coffee": "A cup of coffee on a wooden table",
    "rocket": "A rocket at launch, at night",
}
STYLE_TITLES = {
    "starry_night": "The Starry Night, Vincent van Gogh, 1889",
    "composition_vii": "Composition VII, Wassily Kandinsky, 1913",
    "stained_tissue": "Stained tissue under a microscope",
}


def transformer_file(side: int) -> str:
    """Returns the name of the transformer for one side of content pictures in pixels."""
    return TRANSFORMER_FILE if side == PAGE_SIZES[0] else f"transformer_{side}.tflite"


class PageStylizer:
    """The page's networks on LiteRT in Python: the same files and the same steps as in the browser.

    `side` chooses a transformer, in pixels; by default the smallest that holds the content, else the largest.
    """

    def __init__(self, folder: Path, side: int | None = None) -> None:
        sides = (side,) if side else PAGE_SIZES
        predictor = folder / PREDICTOR_FILE
        self._stylizers = {side: DeviceStylizer((predictor, folder / transformer_file(side))) for side in sides}

    def __call__(self, content: np.ndarray, style: np.ndarray, strength: float | None = None) -> np.ndarray:
        """Repaints pictures in the style of other pictures; see `toolkit.runtimes.litert.DeviceStylizer`.

        A content that is larger than the transformer is painted smaller, and enlarged along its edges.
        """
        longest = max(content.shape[1:3])
        side = next((side for side in self._stylizers if side >= longest), max(self._stylizers))
        stylizer = self._stylizers[side]
        bottleneck = stylizer.bottleneck(style)
        if strength is not None:
            bottleneck = interpolate(stylizer.bottleneck(content), bottleneck, strength)
        bottlenecks = np.broadcast_to(bottleneck, (len(content), *bottleneck.shape[1:]))

        def painted(picture: np.ndarray, bottleneck: np.ndarray) -> np.ndarray:
            def paint(small: np.ndarray) -> np.ndarray:
                return stylizer.transform(small[None], bottleneck[None])

            return paint_at_detail(picture, paint, side, (side, side))

        return np.stack(
            [painted(picture, bottleneck) for picture, bottleneck in zip(content, bottlenecks, strict=True)]
        )


class PageExporter(Exporter):
    """Exports the page; needs npm, and LiteRT.js with the pinned hash, which npm fetches."""

    format = "web"
    split_exporter: type[Exporter] = SplitTFLiteExporter

    def write(self, artifact: Artifact, folder: Path) -> None:
        """Writes the page; see `export.exporter.Exporter`."""
        # First the steps that may fail externally, then the slow ones.
        litert_js.write(folder / "litert")
        for source in sorted(SOURCES.iterdir()):
            if source.suffix == ".js":
                # Comments are for those who read the source, not for everybody who opens the page.
                code = re.sub(r"^\s*//.*\n", "", source.read_text(encoding="utf-8"), flags=re.MULTILINE)
                (folder / source.name).write_text(code, encoding="utf-8")
            elif source.is_file():
                shutil.copyfile(source, folder / source.name)
        self._write_networks(folder)
        pictures = _write_samples(folder / "samples")
        _write_settings(folder, pictures)
        _write_release(folder)

    def _write_networks(self, folder: Path) -> None:
        """Writes one predictor, which reads styles of one size, and a transformer for each size of contents."""
        options = dataclasses.replace(
            self.options, formats=("tflite",), quantizations=("float16",), sizes=PAGE_SIZES, bakes=()
        )
        with tempfile.TemporaryDirectory(prefix=".networks-", dir=folder) as scratch:
            for pair in self.split_exporter(self.model, options).export(Path(scratch), lambda step: None):
                made = Path(scratch, pair.path)
                (made / PREDICTOR_FILE).replace(folder / PREDICTOR_FILE)
                (made / TRANSFORMER_FILE).replace(folder / transformer_file(pair.size or PAGE_SIZES[0]))

    @staticmethod
    def load(folder: Path) -> PageStylizer:
        """Opens the page's networks, to be called as a stylizer."""
        return PageStylizer(folder)

    @staticmethod
    def signatures(folder: Path) -> dict[str, Any]:
        """Reads the signatures of the page's networks, that of a transformer with its side."""
        files = {PREDICTOR_FILE: "", **{transformer_file(side): f"_{side}" for side in PAGE_SIZES}}
        opened = {file: TFLiteNetwork(folder / file) for file in files}
        return {network.signature + files[file]: of_network(file, network) for file, network in opened.items()}


def _write_samples(folder: Path) -> dict[str, list[dict[str, str]]]:
    folder.mkdir()
    photos, styles = samples.photos(), samples.styles()
    for name, picture in {**photos, **styles}.items():
        images.save_image(picture, folder / f"{name}.webp", quality=88)
    titles = {"photos": PHOTO_TITLES, "styles": STYLE_TITLES}
    return {
        group: [{"name": name, "file": f"samples/{name}.webp", "shows": shows} for name, shows in shown.items()]
        for group, shown in titles.items()
    }


def _write_settings(folder: Path, pictures: dict[str, list[dict[str, str]]]) -> None:
    """Writes the settings of the page's code."""
    credited = [f"LiteRT.js ({litert_js.CORE}), Google; Apache License 2.0, see LICENSE.txt."]
    credited += [
        f"samples/{name}.webp: {source}" for name, source in {**samples.PHOTO_SOURCES, **samples.STYLE_SOURCES}.items()
    ]
    (folder / "CREDITS.txt").write_text("\n".join(credited) + "\n", encoding="utf-8")
    settings = {
        "sizes": [{"side": side, "file": transformer_file(side)} for side in PAGE_SIZES],
        "predictor": PREDICTOR_FILE,
        **pictures,
    }
    (folder / "page.json").write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")


def _write_release(folder: Path) -> None:
    """Writes the hash of every file, and the version derived from them, which names the service worker's cache."""
    worker = folder / SERVICE_WORKER
    written = sorted(path for path in folder.rglob("*") if path.is_file() and path != worker)
    files = {path.relative_to(folder).as_posix(): _integrity(path) for path in written}
    version = hashlib.sha256(json.dumps(files).encode()).hexdigest()
    release = json.dumps({"version": version, "files": files}, indent=2)
    (folder / "files.js").write_text(f"// Written by the export.\nself.release = {release};\n", encoding="utf-8")
    code = worker.read_text(encoding="utf-8")
    worker.write_text(code.replace(_NO_VERSION, f'const VERSION = "{version}";'), encoding="utf-8")


def _integrity(path: Path) -> str:
    """The SHA-256 of a file in the Subresource Integrity format."""
    return "sha256-" + base64.b64encode(bytes.fromhex(manifest.sha256(path))).decode()
