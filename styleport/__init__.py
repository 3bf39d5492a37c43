"""The public names of styleport, collected from its three packages: toolkit, export and serving.

`from styleport import KerasStylizer` equals `from toolkit import KerasStylizer`. Names load on first use:
`import styleport` alone loads neither TensorFlow nor NumPy.
"""

import importlib
import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from export.artifact import ExportOptions as ExportOptions
    from export.baked_style import Style as Style
    from export.bundle.signing import BundleSigner as BundleSigner
    from export.bundle.signing import check_signature as check_signature
    from export.bundle.table import parity_table as parity_table
    from export.exporting import export_bundle as export_bundle
    from export.exporting import verify_bundle as verify_bundle
    from export.sources.loader import open_optimization as open_optimization
    from export.sources.loader import open_source as open_source
    from serving.client.stylizer_client import StylizerClient as StylizerClient
    from serving.versions.labels import rollback as rollback
    from serving.versions.publishing import Version as Version
    from serving.versions.publishing import find_versions as find_versions
    from serving.versions.publishing import publish as publish
    from toolkit.errors import InputError as InputError
    from toolkit.errors import StyleportError as StyleportError
    from toolkit.errors import WorkError as WorkError
    from toolkit.external.source_options import SourceOptions as SourceOptions
    from toolkit.feed_forward.stylizer import KerasStylizer as KerasStylizer
    from toolkit.imaging.images import center_crop_resize as center_crop_resize
    from toolkit.imaging.images import load_image as load_image
    from toolkit.imaging.images import save_image as save_image
    from toolkit.imaging.images import to_pillow as to_pillow
    from toolkit.imaging.montage import feature_maps as feature_maps
    from toolkit.imaging.montage import side_by_side as side_by_side
    from toolkit.inference.image_stylizer import ImageStylizer as ImageStylizer
    from toolkit.inference.model_loader import open_model as open_model
    from toolkit.interface.detail import paint_at_detail as paint_at_detail
    from toolkit.interface.stylize_options import StylizeOptions as StylizeOptions
    from toolkit.optimization.features.vgg19 import VGG19Features as VGG19Features
    from toolkit.optimization.losses import gram_matrix as gram_matrix
    from toolkit.optimization.style_transfer import StyleTransfer as StyleTransfer
    from toolkit.runtimes.baked import BakedStylizer as BakedStylizer
    from toolkit.runtimes.litert import DeviceStylizer as DeviceStylizer
    from toolkit.runtimes.network_metadata import read_metadata as read_metadata
    from toolkit.runtimes.saved_model import SavedModelStylizer as SavedModelStylizer
    from toolkit.safe_loading.saved_model_check import trusted as trusted
    from toolkit.video.stylized_clip import stylize_clip as stylize_clip
    from toolkit.video.stylized_frames import stylize_frames as stylize_frames

    __version__: str

_PACKAGES = ("toolkit", "export", "serving")
_ROOT = Path(__file__).resolve().parent.parent


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return _version()
    if name == "__all__":
        return sorted({"__version__", *(public for package in _packages() for public in package.__all__)})
    if not name.startswith("__"):
        for package in _packages():
            if name in package.__all__:
                return getattr(package, name)
    raise AttributeError(f"module 'styleport' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__getattr__("__all__")})


def hidden_package() -> str | None:
    """Reports in one line which file or folder hides a styleport package; None if none is hidden."""
    for name in _PACKAGES:
        spec = importlib.util.find_spec(name)
        expected = _ROOT / name / "__init__.py"
        if spec is None:
            return f"{expected.parent} is missing: install styleport again"
        if spec.origin is None or Path(spec.origin).resolve() != expected:
            found = Path(spec.origin or next(iter(spec.submodule_search_locations or ()), name))
            found = found.parent if found.name == "__init__.py" else found
            return f"{found} hides styleport's own package {name!r}: rename it, or run Python from another folder"
    return None


def _packages() -> list[Any]:
    if hidden := hidden_package():
        raise ImportError(hidden)
    return [importlib.import_module(name) for name in _PACKAGES]


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("styleport")
    except PackageNotFoundError:  # a checkout that was never installed
        return "0+unknown"
