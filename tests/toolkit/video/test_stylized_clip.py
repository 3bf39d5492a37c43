"""toolkit.video: Painted clips keep the times, the sound and the way up of theirs; what cannot be right is refused."""

import subprocess
import sys

import av
import numpy as np
import pytest
from av.video.reformatter import ColorRange, ColorTrc
from PIL import Image

from tests.conftest import ROOT, refusal
from tests.toolkit.video import made_files
from tests.toolkit.video.made_files import pictures, sound_of, write_video
from toolkit.errors import WorkError
from toolkit.imaging import images
from toolkit.interface.stylizer import SingleStyleStylizer
from toolkit.video.clip_frames import Span
from toolkit.video.stylized_clip import open_source, stylize_clip

COUNT = 6
UNEVEN = [0, 40, 80, 240, 500, 540]


class Same(SingleStyleStylizer):
    """Paints each content as it is, so that frames can be told from one another."""

    def __call__(self, content):
        return content


def copied(clip, output, **options):
    """The frames of a clip after it was painted as it is."""
    made = stylize_clip(clip, output, model=Same(), smooth=0, **options)
    frames = read(output)
    assert len(frames) == made.count
    return frames


def read(clip):
    with open_source(clip, Span()) as reader:
        return list(reader.frames())


def difference(frame, expected):
    return np.abs(frame.samples.astype(int) - expected).mean()


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".webm", ".gif", ".webp"])
def test_every_format_holds_the_frames_and_their_times(suffix, tmp_path):
    shown = pictures(COUNT)
    clip = write_video(tmp_path / "clip.mkv", shown, "ffv1", "bgr0", UNEVEN)
    frames = copied(clip, tmp_path / f"painted{suffix}")
    assert [1000 * one for one in map(float, (frame.time for frame in frames))] == pytest.approx(UNEVEN, abs=11)
    for frame, expected in zip(frames, shown, strict=True):
        assert difference(frame, expected) < 8


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".webm", ".gif", ".webp"])
def test_colors_stay_as_they_are(suffix, tmp_path):
    colors = np.repeat(np.array([[255, 0, 0], [0, 160, 0], [0, 0, 255], [128, 64, 200]], np.uint8), 16, axis=0)
    shown = np.repeat(colors[None], 48, axis=0)
    clip = write_video(tmp_path / "clip.mkv", [shown, shown[:, ::-1].copy()], "ffv1", "bgr0")
    middle = copied(clip, tmp_path / f"painted{suffix}")[0].samples[24, 8::16].astype(int)
    assert np.abs(middle - colors[8::16]).max() <= 6


@pytest.mark.parametrize("size", [(720, 48), (64, 48)], ids=["high", "low"])
@pytest.mark.parametrize("pixels", ["yuv420p", "yuv420p10le", "yuv444p"])
@pytest.mark.parametrize("colors", [ColorRange.MPEG, ColorRange.JPEG], ids=["limited", "full"])
def test_colors_of_a_video_that_does_not_name_its_matrix_are_read_as_players_do(colors, pixels, size, tmp_path):
    frame = av.VideoFrame.from_ndarray(np.full((*size, 3), (200, 30, 60), np.uint8), format="rgb24")
    matrix = "ITU709" if size[0] >= 720 else "ITU601"
    coded = frame.reformat(format=pixels, dst_colorspace=matrix, dst_color_range=colors)
    with av.open(str(tmp_path / "clip.mkv"), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.height, stream.width, stream.pix_fmt = *size, pixels
        stream.codec_context.color_range = colors
        container.mux(stream.encode(coded))
        container.mux(stream.encode(None))
    (frame,) = read(tmp_path / "clip.mkv")
    assert np.abs(frame.samples.astype(int) - (200, 30, 60)).max() <= 4


@pytest.mark.parametrize(
    ("codec", "suffix"), [("aac", ".mp4"), ("libopus", ".webm"), ("aac", ".mov"), ("libopus", ".mkv")]
)
def test_sound_is_copied_as_it_is(codec, suffix, tmp_path):
    video = "libvpx-vp9" if suffix == ".webm" else "libx264"
    clip = write_video(tmp_path / f"clip{suffix}", pictures(12), video, sound=codec)
    copied(clip, tmp_path / f"painted{suffix}")
    assert sound_of(tmp_path / f"painted{suffix}") == sound_of(clip)
    assert len(sound_of(clip)) > 20


def test_sound_that_the_format_cannot_hold_is_refused_or_told(tmp_path):
    clip = write_video(tmp_path / "clip.mp4", pictures(12), sound="aac")
    message = refusal(stylize_clip, clip, tmp_path / "painted.webm", model=Same())
    assert "holds no sound of the kind aac; choose .mkv" in message
    assert not (tmp_path / "painted.webm").exists()
    assert stylize_clip(clip, tmp_path / "painted.gif", model=Same()).lost_sound
    assert not stylize_clip(clip, tmp_path / "painted.mp4", model=Same()).lost_sound


def test_a_part_has_its_own_frames_and_sound(tmp_path):
    shown = pictures(12)
    clip = write_video(tmp_path / "clip.mkv", shown, "ffv1", "bgr0", sound="aac")
    frames = copied(clip, tmp_path / "painted.mkv", span=Span(start=0.2, end=0.4))
    assert [float(frame.time) for frame in frames] == pytest.approx([0, 0.04, 0.08, 0.12, 0.16], abs=0.002)
    assert np.argmin([difference(frames[0], one) for one in shown]) == 5
    whole, part = sound_of(clip), sound_of(tmp_path / "painted.mkv")
    assert 8 <= len(part) <= 11
    assert all(packet in whole for packet in part)


def test_fewer_frames_a_second_leave_others_out(tmp_path):
    clip = write_video(tmp_path / "clip.mp4", pictures(12))
    frames = copied(clip, tmp_path / "painted.mkv", span=Span(fps=12.5))
    assert [float(frame.time) for frame in frames] == pytest.approx([0.08 * index for index in range(6)], abs=0.002)


@pytest.mark.parametrize("rotation", [-90, 90, 180])
def test_a_turned_video_is_painted_upright(rotation, tmp_path):
    upright = pictures(2)
    stored = [np.ascontiguousarray(np.rot90(one, -rotation // 90)) for one in upright]
    clip = write_video(tmp_path / "clip.mp4", stored, rotation=rotation)
    frames = copied(clip, tmp_path / "painted.mp4")
    assert difference(frames[0], upright[0]) < 8


def test_pixels_that_are_not_square_become_square(tmp_path):
    clip = write_video(tmp_path / "clip.mp4", pictures(2), sample_aspect_ratio=2)
    assert copied(clip, tmp_path / "painted.mp4")[0].samples.shape == (48, 128, 3)


def test_odd_sides_gain_a_row_and_a_column_where_chroma_needs_them(tmp_path):
    shown = pictures(2, (49, 65))
    clip = write_video(tmp_path / "clip.mkv", shown, "ffv1", "bgr0")
    painted = copied(clip, tmp_path / "painted.mp4")[0].samples
    assert painted.shape == (50, 66, 3)
    assert np.abs(painted[:49, :65].astype(int) - shown[0]).mean() < 8
    assert copied(clip, tmp_path / "painted.webp")[0].samples.shape == (49, 65, 3)


def test_deep_colors_are_read_and_hdr_is_refused(tmp_path):
    shown = pictures(2)
    clip = write_video(tmp_path / "deep.mp4", shown, pixels="yuv420p10le")
    assert difference(copied(clip, tmp_path / "painted.mp4")[0], shown[0]) < 8
    for transfer in (ColorTrc.SMPTE2084, ColorTrc.ARIB_STD_B67):
        clip = write_video(tmp_path / "hdr.mp4", shown, pixels="yuv420p10le", color_trc=transfer)
        assert "HDR" in refusal(stylize_clip, clip, tmp_path / "hdr-painted.mp4", model=Same())
    assert not (tmp_path / "hdr-painted.mp4").exists()


@pytest.mark.parametrize("family", ["GIF", "WEBP", "PNG"])
def test_an_animation_keeps_its_times_and_how_often_it_is_shown(family, tmp_path):
    shown = [Image.fromarray(one) for one in pictures(3)]
    clip = tmp_path / f"clip.{family.lower()}"
    options = {"lossless": True} if family == "WEBP" else {}
    shown[0].save(clip, save_all=True, append_images=shown[1:], duration=[50, 200, 120], loop=3, **options)
    for suffix in (".gif", ".webp"):
        frames = copied(clip, tmp_path / f"painted{suffix}")
        assert [float(frame.time) for frame in frames] == pytest.approx([0, 0.05, 0.25], abs=0.011)
        with Image.open(tmp_path / f"painted{suffix}") as painted:
            assert painted.info["loop"] == 3


def test_what_is_transparent_in_an_animation_is_put_on_white(tmp_path):
    clear = Image.new("RGBA", (32, 32), (200, 0, 0, 0))
    half = Image.new("RGBA", (32, 32), (0, 0, 255, 255))
    clear.save(tmp_path / "clip.webp", save_all=True, append_images=[half], duration=100, lossless=True)
    first, second = read(tmp_path / "clip.webp")
    assert (first.samples == 255).all()
    assert (second.samples == (0, 0, 255)).all()


@pytest.mark.parametrize(
    ("suffix", "codec", "pixels"),
    [(".mp4", "libx264", "yuv420p"), (".mkv", "libx264", "yuv420p"), (".webm", "libvpx-vp9", "yuv420p"),
     (".mov", "mjpeg", "yuvj420p"), (".mp4", "mpeg4", "yuv420p")],
)  # fmt: skip
def test_of_a_clip_that_is_broken_in_the_middle_the_frames_before_are_kept(suffix, codec, pixels, tmp_path):
    shown = pictures(40)
    clip = write_video(tmp_path / f"clip{suffix}", shown, codec, pixels, gop_size=4, bit_rate=2_000_000)
    content = bytearray(clip.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 400] = np.random.default_rng(1).bytes(400)
    clip.write_bytes(content)
    made = stylize_clip(clip, tmp_path / "painted.mkv", model=Same(), smooth=0)
    assert made.broken
    assert 0 < made.count < 40
    frames = read(tmp_path / "painted.mkv")
    assert len(frames) == made.count
    assert np.argmin([difference(frames[-1], one) for one in shown]) == made.count - 1


def test_a_file_that_ends_early_is_broken(tmp_path):
    clip = write_video(tmp_path / "clip.mkv", pictures(60))
    clip.write_bytes(clip.read_bytes()[: clip.stat().st_size * 2 // 3])
    made = stylize_clip(clip, tmp_path / "painted.mkv", model=Same(), smooth=0)
    assert "it ends at" in made.broken
    assert len(read(tmp_path / "painted.mkv")) == made.count > 0


def _sound_alone(path):
    with av.open(str(path), "w") as container:
        made_files._write_tone(container, container.add_stream("aac", rate=48_000, layout="mono"))


def _playlist(path):
    path.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n")


BAD = {
    "nothing": (lambda path: path.write_bytes(b""), "the file is empty"),
    "text": (lambda path: path.write_text("a film\n" * 9), "not a picture in a known format"),
    "playlist": (_playlist, "not a picture in a known format"),
    "sound": (_sound_alone, "there is no video in it"),
    "picture": (lambda path: Image.new("RGB", (32, 32)).save(path, "PNG"), "it is a picture"),
    "header": (lambda path: path.write_bytes(b"\0\0\0\x18ftypisom\0\0\2\0isomiso2"), "broken or cut short"),
    "small": (lambda path: write_video(path, pictures(2, (8, 64))), "both sides must be at least 16"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_clip_is_refused_in_one_line_and_leaves_nothing(name, tmp_path):
    write, message = BAD[name]
    write(tmp_path / "clip.mp4")
    assert message in refusal(stylize_clip, tmp_path / "clip.mp4", tmp_path / "painted.mp4", model=Same())
    assert [path.name for path in tmp_path.iterdir()] == ["clip.mp4"]


def test_a_part_without_a_frame_is_refused(tmp_path):
    clip = write_video(tmp_path / "clip.mp4", pictures(2))
    message = refusal(stylize_clip, clip, tmp_path / "painted.mp4", model=Same(), span=Span(start=9))
    assert "there is no frame in this part" in message
    assert not (tmp_path / "painted.mp4").exists()


@pytest.mark.parametrize(("span", "message"), [((-1,), "--start"), ((2, 1), "--end"), ((0, None, 0), "--fps")])
def test_parts_that_cannot_be_are_refused(span, message):
    assert message in refusal(Span, *span)


def test_frames_of_more_pixels_than_pictures_may_have_are_refused(tmp_path, monkeypatch):
    clip = write_video(tmp_path / "clip.mp4", pictures(2))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    assert "megapixels" in refusal(stylize_clip, clip, tmp_path / "painted.mp4", model=Same())


def test_a_clip_stops_where_it_is_told_to(tmp_path):
    clip = write_video(tmp_path / "clip.mp4", pictures(20))
    done = []
    made = stylize_clip(
        clip, tmp_path / "painted.mp4", model=Same(), progress=lambda *count: done.append(count),
        is_stopped=lambda: len(done) == 5,
    )  # fmt: skip
    assert (made.count, made.stopped, done[-1]) == (5, True, (5, 20))
    assert len(read(tmp_path / "painted.mp4")) == 5


def test_a_full_disk_is_told_in_one_line_and_leaves_nothing(tmp_path):
    rng = np.random.default_rng(0)
    noise = [rng.integers(0, 255, (240, 320, 3), np.uint8) for _ in range(8)]
    clip = write_video(tmp_path / "clip.mkv", noise, "ffv1", "bgr0")
    images.save_image(pictures(1)[0], tmp_path / "painting.png")
    for suffix in (".mp4", ".gif", ".webp"):
        code = (
            "import resource, signal, sys\nsignal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
            "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))\n"
            "from toolkit import cli\nsys.exit(cli.run(sys.argv[1:]))"
        )
        words = ["video", clip, tmp_path / "painting.png", "-o", tmp_path / f"painted{suffix}", "--smooth", "0"]
        result = subprocess.run([sys.executable, "-c", code, *map(str, words)], capture_output=True, text=True)
        assert result.returncode == 1, result.stderr
        assert "make room or choose another disk" in result.stderr
        assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.mkv", "painting.png"]


def test_a_failure_of_the_model_is_its_own_error(tmp_path):
    class Failing(SingleStyleStylizer):
        def __call__(self, content):
            raise WorkError("the model failed")

    clip = write_video(tmp_path / "clip.mp4", pictures(2))
    assert refusal(stylize_clip, clip, tmp_path / "painted.mp4", model=Failing(), error=WorkError) == "the model failed"


PEAK = """
import resource, sys
from tests.toolkit.video.test_stylized_clip import Same
from toolkit.video.stylized_clip import stylize_clip
made = stylize_clip(sys.argv[1], sys.argv[2], model=Same(), smooth=0.5)
print(made.count, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".mp4", ".gif"])
def test_memory_does_not_grow_with_the_length_of_a_clip(suffix, tmp_path):
    shown = pictures(20, (240, 320))
    peaks = []
    for count in (100, 600):
        clip = write_video(tmp_path / f"{count}.mp4", [shown[index % 20] for index in range(count)], sound="aac")
        words = [sys.executable, "-c", PEAK, clip, tmp_path / f"painted-{count}{suffix}"]
        result = subprocess.run(words, capture_output=True, text=True, cwd=ROOT, check=True)
        made, peak = map(int, result.stdout.split())
        assert made == count
        peaks.append(peak / 1024)
    # The frames between would take 115 MB.
    assert peaks[1] - peaks[0] < 25
