"""Rebuilds the sample paintings from the reproductions in FOLDER: `python -m toolkit.imaging.paintings.build FOLDER`.

They are scaled to 512 px on their longer side, in sRGB, and saved without metadata.
"""

import argparse
import hashlib
import sys
from pathlib import Path

from PIL import Image

from toolkit.errors import InputError, StyleportError
from toolkit.imaging import images, paintings
from toolkit.printing import print_remark

SIDE = 512
QUALITY = 90


def build(source: Path, target: Path = paintings.FOLDER) -> None:
    """Writes the paintings from reproductions `NAME.jpg` in a folder; refuses missing and other ones."""
    pictures = {name: _reproduction(source / f"{name}.jpg", painting) for name, painting in paintings.PAINTINGS.items()}
    for name, picture in pictures.items():
        Image.fromarray(images.to_uint8(picture)).save(target / f"{name}.jpg", quality=QUALITY, optimize=True)


def _reproduction(path: Path, painting: paintings.Painting) -> images.Picture:
    picture = images.load_image(path, SIDE)
    if (digest := hashlib.sha256(path.read_bytes()).hexdigest()) != painting.source_sha256:
        raise InputError(f"{path}: its sha256 is {digest}; the recorded reproduction has {painting.source_sha256}")
    return picture


def main() -> int:
    """Builds the paintings from the folder on the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="the folder of the reproductions")
    try:
        build(parser.parse_args().folder)
    except StyleportError as error:
        print_remark(str(error))
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
