"""Installs LiteRT.js, which runs .tflite files in a browser, from two pinned npm packages into a page's folder."""

from pathlib import Path

from export.web import npm
from toolkit.errors import WorkError

CORE = npm.Package(
    "@litertjs/core",
    "2.5.3",
    "sha512-PlGmbMOq9WitX7FO0jhbdJw9GthatsyuCQXjTt/wJZo0FLaw48q4tz8IwqgqCIkviYGr9OFDL1kCnN4nzWoyJQ==",
)
LOADER = npm.Package(
    "@litertjs/wasm-utils",
    "2.5.3",
    "sha512-4fJiw6tBQnIs+0jH/OQ16nYOiSl8/+zZnn5h2ul8aTKHi05sVqZW580Tmk78pC2kT39A9OYBVdFawteZ/sI1kQ==",
)
# Builds of LiteRT: with relaxed SIMD, for browsers without it, and with threads. The fourth, with JavaScript promise
# integration, would run parts of a graph on WebGPU; these networks run on it completely.
WASM_BUILDS = ("litert_wasm_internal", "litert_wasm_compat_internal", "litert_wasm_threaded_internal")
# Import maps do not apply to workers, so the import of a package is changed to a file.
PACKAGE_IMPORT = f'from "{LOADER.name}";'
FILE_IMPORT = 'from "./wasm-utils.js";'
CHANGED = f"// Changed by styleport from {CORE}: {LOADER.name} is imported by file.\n"


def fetch() -> None:
    """Fetches both packages into the cache, before anything slow, because it may fail externally.

    Raises:
        InputError: npm is not installed, or the cache cannot be written.
        WorkError: npm failed, or the file does not match the pinned hash.
    """
    for package in (CORE, LOADER):
        npm.fetch(package)


def write(folder: Path) -> None:
    """Writes LiteRT.js into a folder, created with its parents, in a form for a page without a build step."""
    folder.mkdir(parents=True)
    builds = [f"{build}.{suffix}" for build in WASM_BUILDS for suffix in ("js", "wasm")]
    library = folder / "index.js"
    npm.unpack(CORE, {"dist/index.js": library, **{f"wasm/{file}": folder / file for file in builds}})
    npm.unpack(LOADER, {"dist/index.js": folder / "wasm-utils.js"})
    text = library.read_text(encoding="utf-8")
    if text.count(PACKAGE_IMPORT) != 1:
        raise WorkError(f"{CORE}: does not import {LOADER.name} once, as it did when it was pinned")
    library.write_text(CHANGED + text.replace(PACKAGE_IMPORT, FILE_IMPORT), encoding="utf-8")
