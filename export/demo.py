"""Demonstrates both methods end-to-end: `python -m export.demo FOLDER`, or `make demo`.

The embedded stylizer is exported, verified and run from every artifact; the same photo is painted by optimization, too.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from toolkit.cli import run
from toolkit.errors import StyleportError
from toolkit.imaging import images, samples
from toolkit.imaging.montage import side_by_side
from toolkit.inference.model_loader import in_given_styles, open_model
from toolkit.manifest_types import Manifest
from toolkit.printing import print_lines, print_path, print_remark

PRESET = "magenta-mobile"
# The size of the TFLite artifacts. Those of any size would double the duration.
SIZE = "384"
PHOTO, STYLE = "chelsea", "starry_night"
# A few small steps, to keep the demo short.
OPTIMIZED_SIZE, OPTIMIZED_STEPS = 256, 60


def _stylize_with_each(bundle: Path, manifest: Manifest, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    content, style = samples.photos()[PHOTO], images.center_crop_resize(samples.styles()[STYLE], 256)
    images.save_image(content, folder / "content.png")
    images.save_image(style, folder / "style.png")
    for record in manifest["artifacts"]:
        model = in_given_styles(open_model(bundle, record["path"]), record["path"])
        stylized = np.asarray(model(content[None], style[None]))[0]
        path = folder / f"{record['path'].replace('/', '-')}.png"
        images.save_image(stylized, path)
        print_path(path)


def _paint_by_optimization(folder: Path) -> int:
    """Paints the photo by optimization, and sets both methods side by side; returns the exit code."""
    content, style, painted = (folder / f"{name}.png" for name in ("content", "style", "optimized"))
    length = ["--size", str(OPTIMIZED_SIZE), "--steps", str(OPTIMIZED_STEPS)]
    if code := run(["optimize", str(content), str(style), "--output", str(painted), *length]):
        return code
    pictures = {
        "photo": content,
        "style": style,
        f"optimize, {OPTIMIZED_STEPS} steps": painted,
        "stylize, one pass": folder / "saved_model.png",
    }
    both = folder / "both.png"
    images.save_image(side_by_side({label: images.load_image(path) for label, path in pictures.items()}), both)
    print_path(both)
    return 0


def draw_row(folder: Path, path: Path, height: int = 300) -> None:
    """Draws photo, style and result side by side, from the pictures of the demo's folder."""
    parts = [images.load_image(folder / "pictures" / f"{name}.png") for name in ("content", "style", "saved_model")]
    parts = [images.resize(part, height, round(height * part.shape[1] / part.shape[0])) for part in parts]
    gap = np.ones((height, height // 30, 3), np.float32)
    path.parent.mkdir(parents=True, exist_ok=True)
    row = np.concatenate([parts[0], gap, parts[1], gap, parts[2]], axis=1)
    Image.fromarray(images.to_uint8(row)).save(path, quality=88, optimize=True)


def main() -> int:
    """Runs the demo and returns its exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where the bundle and the pictures go")
    parser.add_argument(
        "--row", type=Path, help="only draw photo, style and result, from an earlier demo, to this file"
    )
    arguments = parser.parse_args()
    bundle, folder = arguments.folder / "bundle", arguments.folder / "pictures"
    if arguments.row:
        draw_row(arguments.folder, arguments.row)
        return 0
    if code := run(["export", str(bundle), "--model", PRESET, "--size", SIZE, "--force"]):
        return code
    from toolkit import manifest as manifests
    from toolkit.console import quiet_libraries

    try:
        with quiet_libraries():
            _stylize_with_each(bundle, manifests.read(bundle), folder)
    except StyleportError as error:
        print_remark(f"demo: {error}")
        return error.exit_code
    if code := _paint_by_optimization(folder):
        return code
    print_lines(f"pictures: {folder}", f"report: {bundle / 'report' / 'index.html'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
