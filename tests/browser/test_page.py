"""export.web: The page, used as a person uses it."""

import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from export.parity import evaluation
from export.web.exporter import PageStylizer
from tests.browser.chromium import PAINTED, wait_for, wait_until_painted
from tests.browser.in_browser import PATIENCE
from toolkit.imaging import images, samples

RESULT = """() => {
  const { width, height } = document.getElementById("result");
  const { data } = document.getElementById("result").getContext("2d").getImageData(0, 0, width, height);
  return { width, height, data: Array.from(data) };
}"""


def result_of(page) -> np.ndarray:
    """What the page shows, [H, W, 3] uint8."""
    shown = page.evaluate(RESULT)
    return np.array(shown["data"], np.uint8).reshape(shown["height"], shown["width"], 4)[..., :3]


@pytest.fixture
def painted(page, served):
    """The page, having painted its first sample photo."""
    page.goto(served.url)
    wait_until_painted(page)
    return page


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A photo, a style, and what is neither: PNG files by name."""
    folder = tmp_path_factory.mktemp("pictures")
    images.save_image(images.resize(samples.photos()["coffee"], 200, 301), folder / "photo.png")
    images.save_image(images.resize(samples.photos()["coffee"], 1234, 1851), folder / "large.png")
    images.save_image(samples.styles()["stained_tissue"], folder / "style.png")
    images.save_image(np.full((12, 40, 3), 0.5, np.float32), folder / "tiny.png")
    Image.new("1", (9000, 8000)).save(folder / "vast.png")
    (folder / "notes.png").write_text("no picture")
    with (folder / "heavy.jpg").open("wb") as stream:
        stream.truncate(65_000_000)
    return {path.stem: path for path in folder.iterdir()}


def load(path: Path) -> np.ndarray:
    return images.load_image(path)[None]


def give(page, role: str, path: Path) -> None:
    """Chooses a file, and waits until it is what the page is at work on."""
    page.evaluate("document.getElementById('status').textContent = ''")
    page.locator(f"#{role}-file").set_input_files(path)


def differences(page, expected: np.ndarray) -> np.ndarray:
    return np.abs(result_of(page).astype(int) - images.to_uint8(expected[0]))


def test_it_paints_a_given_photo_in_a_given_style(painted, files, page_folder):
    for role in ("photo", "style"):
        give(painted, role, files[role])
        wait_until_painted(painted)
    expected = PageStylizer(page_folder, 384)(load(files["photo"]), load(files["style"]))
    assert differences(painted, expected).max() <= 1, "8-bit samples beside each other"
    label = painted.locator("#result").get_attribute("aria-label")
    assert label == "photo.png, painted in the style of: style.png"
    own = painted.locator("#photo .samples button[aria-pressed=true]")
    assert own.get_attribute("aria-label") == "photo.png"


def test_strength_and_detail_are_the_stylizers(painted, files, page_folder):
    give(painted, "photo", files["photo"])
    wait_until_painted(painted)
    painted.locator("#strength").focus()
    for _ in range(10):
        painted.keyboard.press("ArrowLeft")
    assert painted.locator("#strength-shown").text_content() == "50 %"
    painted.get_by_label("Fine, 768 px").check()
    wait_for(painted, "document.getElementById('status').textContent.includes('768 px')")
    style = load(page_folder / "samples" / "starry_night.webp")
    expected = PageStylizer(page_folder, 768)(load(files["photo"]), style, 0.5)
    # Browsers and Pillow may decode the sample's WebP a little differently.
    assert differences(painted, expected).mean() < 1


def test_what_is_saved_is_what_is_shown(painted):
    shown = result_of(painted)
    painted.get_by_role("button", name="Show the photo").click()
    assert not np.array_equal(result_of(painted), shown)
    with painted.expect_download() as download:
        painted.get_by_role("button", name="Save").click()
    assert download.value.suggested_filename == "chelsea-starry_night.png"
    saved = Image.open(io.BytesIO(Path(download.value.path()).read_bytes()))
    assert saved.format == "PNG"
    assert np.array_equal(np.asarray(saved.convert("RGB")), shown)


def test_a_large_photo_is_saved_at_its_own_size_and_as_python_paints_it(painted, files, page_folder):
    give(painted, "photo", files["large"])
    wait_until_painted(painted)
    with painted.expect_download() as download:
        painted.get_by_role("button", name="Save").click()
    saved = load(Path(download.value.path()))
    content, style = load(files["large"]), load(page_folder / "samples" / "starry_night.webp")
    assert saved.shape == content.shape == (1, 1234, 1851, 3)
    # The style is a WebP, which browsers and Pillow may decode a little differently.
    assert evaluation.compare(PageStylizer(page_folder, 384)(content, style)[0], saved[0]).psnr >= 40


def test_a_dropped_picture_is_taken(painted, files):
    data = painted.evaluate_handle(
        """(bytes) => { const given = new DataTransfer();
          given.items.add(new File([new Uint8Array(bytes)], "dropped.png", { type: "image/png" }));
          document.getElementById("status").textContent = "";
          return given; }""",
        list(files["photo"].read_bytes()),
    )
    painted.dispatch_event("#style", "drop", {"dataTransfer": data})
    wait_until_painted(painted)
    assert painted.locator("#result").get_attribute("aria-label").endswith("in the style of: dropped.png")


def test_the_camera_gives_a_photo(painted):
    painted.get_by_role("button", name="Camera").click()
    take = painted.get_by_role("button", name="Take the photo")
    take.wait_for()
    painted.evaluate("document.getElementById('status').textContent = ''")
    take.click()
    wait_until_painted(painted)
    assert painted.locator("#result").get_attribute("aria-label").startswith("A photo from the camera")
    assert painted.locator("#camera-dialog").is_hidden()
    assert painted.evaluate("document.querySelector('video').srcObject") is None, "the camera is still on"


def test_the_camera_is_painted_live(painted):
    painted.get_by_role("button", name="Camera").click()
    painted.get_by_role("button", name="Paint live").click()
    wait_for(painted, "document.querySelector('#camera-dialog canvas').width === 384")
    taken = """() => { const canvas = document.querySelector("#camera-dialog canvas");
      return Array.from(canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data); }"""
    first = painted.evaluate(taken)
    painted.evaluate("first => { window.first = first.join(); window.taken = " + taken + "; }", first)
    wait_for(painted, "window.taken().join() !== window.first")  # Chromium's camera shows something that moves
    painted.get_by_role("button", name="Paint live").click()
    assert painted.locator("#camera-dialog canvas").is_hidden()
    painted.get_by_role("button", name="Cancel").click()
    assert painted.evaluate("document.querySelector('video').srcObject") is None, "the camera is still on"


def test_live_painting_is_damped_where_the_camera_hardly_changed_and_nowhere_else(painted):
    still, flicker, moved = painted.evaluate(
        """async () => {
          const { Smoother } = await import(new URL("smoothing.js", location.href));
          const filled = (value) => ({ data: new Uint8ClampedArray(4 * 32 * 32).fill(value), width: 32, height: 32 });
          const half = filled(100); // its right half changes
          const other = filled(100);
          for (let at = 0; at < other.data.length; at += 4) if ((at / 4) % 32 >= 16) other.data.fill(200, at, at + 3);
          const smoother = new Smoother();
          smoother.smoothed(half, filled(50));
          const { data } = smoother.smoothed(other, filled(150));
          const noisy = new Smoother();
          noisy.smoothed(half, filled(50));
          return [data[4 * (16 * 32 + 4)], noisy.smoothed(filled(104), filled(150)).data[0], data[4 * (16 * 32 + 28)]];
        }"""
    )
    assert still == flicker == 65
    assert moved == 150


def test_a_camera_that_is_not_there_is_told(page, served):
    page.add_init_script("delete MediaDevices.prototype.getUserMedia")
    page.goto(served.url)
    wait_until_painted(page)
    page.get_by_role("button", name="Camera").click()
    assert "Choose a photo instead" in page.get_by_role("alert").text_content()


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("notes", "“notes.png” is not a picture that this browser can read"),
        ("vast", "too large: 72 megapixels"),
        ("heavy", "too large: 65 MB"),
        ("tiny", "too small: 40 \N{MULTIPLICATION SIGN} 12 pixels"),
    ],
)
def test_what_cannot_be_painted_is_told_in_plain_words(painted, files, name, told):
    before = result_of(painted)
    painted.locator("#photo-file").set_input_files(files[name])
    alert = painted.get_by_role("alert")
    alert.wait_for()
    assert told in alert.text_content()
    assert np.array_equal(result_of(painted), before)
    # The next good picture is painted, and the complaint is gone.
    give(painted, "photo", files["photo"])
    wait_for(painted, PAINTED)
    assert alert.is_hidden()


def test_a_browser_without_webassembly_is_told(page, served):
    page.add_init_script("delete globalThis.WebAssembly")
    page.goto(served.url)
    alert = page.get_by_role("alert")
    alert.wait_for()
    assert "WebAssembly" in alert.text_content()


def test_a_part_that_is_missing_is_told(page, served):
    page.route("**/predictor.tflite*", lambda route: route.fulfill(status=404))
    page.goto(served.url)
    alert = page.get_by_role("alert")
    alert.wait_for()
    assert "could not be loaded" in alert.text_content()
    assert "predictor.tflite" in alert.text_content()


def test_a_page_opened_as_a_file_says_how_to_serve_it(page, page_folder):
    page.goto((page_folder / "index.html").as_uri())
    assert "python -m http.server --bind 127.0.0.1 8000" in page.get_by_role("alert").text_content()


def test_nothing_is_asked_of_any_other_host(page, served, files):
    asked = []
    page.context.on("request", lambda request: asked.append((request.method, request.url)))
    page.goto(served.url)
    wait_until_painted(page)
    give(page, "photo", files["photo"])
    wait_until_painted(page)
    assert any("predictor.tflite" in url for _, url in asked), "the worker's requests are seen"
    others = [url for _, url in asked if not url.startswith((served.url, "blob:"))]
    assert not others
    assert {method for method, _ in asked} == {"GET"}, "nothing is sent"


REACH = "fetch('http://127.0.0.1:9/').then(() => 'sent', (error) => 'refused')"


def test_the_policy_keeps_page_and_worker_from_other_hosts(painted):
    painted.evaluate(
        """() => { window.violated = [];
          document.onsecuritypolicyviolation = (event) => window.violated.push(event.effectiveDirective); }"""
    )
    assert painted.evaluate(REACH) == "refused"
    assert painted.evaluate("violated") == ["connect-src"]
    (worker,) = painted.workers
    told = worker.evaluate(
        f"""async () => {{
          const broken = new Promise((resolve) => self.addEventListener("securitypolicyviolation", resolve));
          return [await {REACH}, (await broken).effectiveDirective];
        }}"""
    )
    assert told == ["refused", "connect-src"]


def test_every_control_has_a_name_and_is_reached_by_keyboard(painted):
    session = painted.context.new_cdp_session(painted)
    nodes = session.send("Accessibility.getFullAXTree")["nodes"]
    roles = {"button", "slider", "radio", "image", "textbox", "link", "group"}
    of_interest = [node for node in nodes if not node.get("ignored") and node["role"].get("value") in roles]
    nameless = [node["role"]["value"] for node in of_interest if not node.get("name", {}).get("value")]
    assert len(of_interest) > 15
    assert not nameless
    painted.evaluate("document.activeElement.blur()")
    reached = []
    for _ in range(30):
        painted.keyboard.press("Tab")
        reached.append(
            painted.evaluate("document.activeElement.id || document.activeElement.getAttribute('aria-label')")
        )
    wanted = {"save", "original", "photo-file", "camera", "style-file", "strength", "side-384"}
    assert wanted <= set(reached)
    assert {"A ginger cat, resting"} <= set(reached)


@pytest.mark.parametrize(("locale", "language"), [("es-MX", "es"), ("fr-FR", "en"), ("en-GB", "en")])
def test_it_speaks_the_language_of_the_browser_or_english(browser, served, locale, language):
    context = browser.new_context(locale=locale)
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(served.url)
    began = {"en": "Painted in ", "es": "Pintado en "}[language]
    wait_for(page, f"document.getElementById('status').textContent.startsWith('{began}')")
    assert page.evaluate("document.documentElement.lang") == language
    title, label = {
        "en": ("Paint a photo in any style", "Choose a photo from this device"),
        "es": ("Pinte una foto en cualquier estilo", "Elegir una foto de este dispositivo"),
    }[language]
    assert page.title() == page.get_by_role("heading", level=1).text_content() == title
    assert page.locator("#photo-file").get_attribute("aria-label") == label
    context.close()


IS_IN_SIGHT = """() => {
  const { top, bottom } = document.getElementById("problem").getBoundingClientRect();
  return top >= 0 && bottom <= innerHeight;
}"""


@pytest.mark.parametrize(("width", "height"), [(320, 640), (390, 844), (844, 390)])
def test_it_fits_a_phone(browser, served, files, width, height):
    context = browser.new_context(
        viewport={"width": width, "height": height}, device_scale_factor=2, is_mobile=True, has_touch=True
    )
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(served.url)
    wait_until_painted(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width, "scrolls sideways"
    assert not page.get_by_text("drop one here").first.is_visible(), "a finger drops nothing"
    small = page.evaluate(
        """() => [...document.querySelectorAll("button, .button, input[type=range]")]
          .filter((element) => element.offsetParent)
          .filter((element) => element.getBoundingClientRect().height < (element.type === "range" ? 32 : 44))
          .map((element) => element.outerHTML)"""
    )
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    page.locator("#photo-file").set_input_files(files["notes"])
    page.get_by_role("alert").wait_for()
    wait_for(page, IS_IN_SIGHT)
    context.close()
    assert not small, "too small for a finger"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_background(painted, scheme):
    painted.emulate_media(color_scheme=scheme)
    pairs = painted.evaluate(
        """() => ["h1", "header p", "#status", "legend", "output", "#save", "#camera", "footer p", "footer a"].map(
          (selector) => {
            const element = document.querySelector(selector);
            let ground = element;
            while (getComputedStyle(ground).backgroundColor === "rgba(0, 0, 0, 0)") ground = ground.parentElement;
            return [selector, getComputedStyle(element).color, getComputedStyle(ground).backgroundColor];
          })"""
    )
    for selector, *colors in pairs:
        light, dark = sorted((_luminance(color) for color in colors), reverse=True)
        # WCAG 2.2, level AA.
        assert (light + 0.05) / (dark + 0.05) >= 4.5, f"{selector} is hard to read: {colors}"


def _luminance(color: str) -> float:
    """Relative luminance of a CSS color, as WCAG 2.2 defines it."""
    channels = np.array([float(value) / 255 for value in re.findall(r"[\d.]+", color)[:3]])
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])
