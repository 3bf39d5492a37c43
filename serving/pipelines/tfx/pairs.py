"""Reads evaluation pairs of pictures from a folder or from tf.Examples."""

import io
from collections.abc import Iterable, Iterator
from pathlib import Path

from PIL import Image

from export.gates import EvalPairs
from toolkit.errors import InputError
from toolkit.imaging import images
from toolkit.manifest import sha256

CONTENTS, STYLES = "contents", "styles"
# A tf.Example has the inputs of the signature `image_bytes` under their own names.
CONTENT_FEATURE, STYLE_FEATURE = "content_image_bytes", "style_image_bytes"
# The reference keeps a picture of each pair and size in memory.
MAX_PAIRS = 256


def find_pairs(folder: Path) -> tuple[list[Path], list[Path]]:
    """Returns the contents and the styles of a folder of pairs, sorted; refuses none, and more than are measured."""
    contents, styles = images.find_images(folder / CONTENTS), images.find_images(folder / STYLES)
    _check_count(len(contents) * len(styles), folder)
    return contents, styles


def _check_count(count: int, where: object) -> None:
    if count > MAX_PAIRS:
        raise InputError(f"{where}: {count} pairs are more than the {MAX_PAIRS} that are measured: give fewer")


def fingerprint(folder: Path) -> str:
    """Returns the names and SHA-256 of a folder's pictures as one text, which changes with any of them."""
    contents, styles = find_pairs(folder)
    return "\n".join(f"{sha256(path)}  {path.relative_to(folder)}" for path in (*contents, *styles))


def from_folder(folder: Path) -> EvalPairs:
    """Pairs each picture in `contents/` of a folder with each in `styles/`; refuses none, and too many."""
    contents, styles = ([(path.stem, images.load_image(path)) for path in paths] for paths in find_pairs(folder))
    return [(*content, *style) for content in contents for style in styles]


def from_examples(files: Iterable[Path]) -> EvalPairs:
    """Reads pairs, named by their places, from the tf.Examples of gzipped TFRecords, one pair each."""
    found = []
    for number, (content, style) in enumerate(_encoded([str(path) for path in files]), start=1):
        _check_count(number, "the examples")
        names = f"content {number}", f"style {number}"
        found.append((names[0], _decoded(content, names[0]), names[1], _decoded(style, names[1])))
    if not found:
        raise InputError("the examples: none found")
    return found


def _encoded(names: list[str]) -> Iterator[tuple[bytes, bytes]]:
    import tensorflow as tf
    from google.protobuf.message import DecodeError

    try:
        for record in tf.data.TFRecordDataset(names, compression_type="GZIP").as_numpy_iterator():
            features = tf.train.Example.FromString(record).features.feature
            yield features[CONTENT_FEATURE].bytes_list.value[0], features[STYLE_FEATURE].bytes_list.value[0]
    except tf.errors.OpError as error:
        raise InputError(f"the examples: cannot be read: {error.message[:200]}") from error
    except (IndexError, DecodeError) as error:
        raise InputError(f"the examples: each needs one {CONTENT_FEATURE} and one {STYLE_FEATURE}") from error


def _decoded(encoded: bytes, name: str) -> images.Picture:
    try:
        with Image.open(io.BytesIO(encoded), formats=("PNG", "JPEG")) as image:
            return images.load_image(image)
    except (InputError, OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise InputError(f"the examples: {name} is not a JPEG or PNG picture: {str(error)[:200]}") from error
