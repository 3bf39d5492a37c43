"""Imports the packages of the extra `video` for all other modules, and reports a missing one in one line."""

from toolkit.errors import MissingExtraError
from toolkit.extras import install

try:
    import av as av
    import cv2 as cv2
    from av.video.reformatter import ColorPrimaries as ColorPrimaries
    from av.video.reformatter import ColorRange as ColorRange
    from av.video.reformatter import Colorspace as Colorspace
    from av.video.reformatter import ColorTrc as ColorTrc
except ModuleNotFoundError as error:
    if error.name not in ("av", "cv2"):
        raise
    raise MissingExtraError(f"this needs {error.name}: {install('video')}") from error
