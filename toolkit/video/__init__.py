"""Moving pictures: clips read and written frame by frame, and painted without flicker.

It needs the extra `video`: PyAV, which brings FFmpeg, and OpenCV. Only the commands import this room.
"""

from toolkit.public_names import on_first_use

_PUBLIC = {
    "SMOOTH": "toolkit.video.stylized_frames",
    "Smoother": "toolkit.video.smoothing",
    "stylize_clip": "toolkit.video.stylized_clip",
    "stylize_frames": "toolkit.video.stylized_frames",
}

__all__, __getattr__, __dir__ = on_first_use(__name__, _PUBLIC)
