"""Makes the sample paintings again: `python -m toolkit.paintings.build FOLDER`, where FOLDER has the reproductions.

They are scaled to 512 px on their longer side, in sRGB, and saved without metadata.
"""

import argparse
import hashlib
import sys
from pathlib import Path

from PIL import Image

from toolkit import images, paintings
from toolkit.errors import InputError, StyleportError

SIDE = 512
QUALITY = 90


def build(folder: Path) -> None:
    """Writes the paintings beside this module.

    Args:
        folder: has `NAME.jpg` for each name in `paintings.PAINTINGS`.

    Raises:
        InputError: a reproduction is missing, or is not the recorded one.
    """
    for name, painting in paintings.PAINTINGS.items():
        source = folder / f"{name}.jpg"
        picture = images.load_image(source, SIDE)
        if (digest := hashlib.sha256(source.read_bytes()).hexdigest()) != painting.source_sha256:
            raise InputError(f"{source}: its sha256 is {digest}, {painting.source_sha256} is recorded")
        Image.fromarray(images.to_uint8(picture)).save(paintings.path(name), quality=QUALITY, optimize=True)


def main() -> int:
    """Builds the paintings from the folder on the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="the folder of the reproductions")
    try:
        build(parser.parse_args().folder)
    except StyleportError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
