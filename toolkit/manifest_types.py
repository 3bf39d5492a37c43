"""The types of a bundle's manifest, from which `export.bundle.schema` generates the JSON schema.

A manifest is a plain dictionary, as in JSON. The annotations of a type are keywords of JSON Schema.
"""

from typing import Annotated, Literal, TypedDict

Method = Literal["feed-forward", "one-piece", "single-style", "optimization"]
Format = Literal["saved_model", "tflite", "onnx", "web", "baked"]
Quantization = Literal["float32", "float16", "dynamic", "int8"]
Vgg19Weights = Literal["vgg19-8bit", "imagenet", "random", "file"]
Sha256 = Annotated[str, {"pattern": "^[0-9a-f]{64}$"}]
RelativePath = Annotated[str, {"minLength": 1, "pattern": r"^(?!/)(?!.*(^|/)\.\.(/|$))[^\\\u0000-\u001f]+$"}]
ModuleName = Annotated[str, {"maxLength": 200, "pattern": r"^[^\W\d]\w*(\.[^\W\d]\w*)*$"}]
Share = Annotated[float, {"exclusiveMinimum": 0, "maximum": 1}]
Bounds = Annotated[list[float], {"minItems": 2, "maxItems": 2}]
LayerShares = Annotated[dict[str, Annotated[float, {"exclusiveMinimum": 0}]], {"minProperties": 1}]
NotNegative = Annotated[float, {"minimum": 0}]


class FileRecord(TypedDict):
    """A file of a bundle."""

    path: RelativePath
    bytes: Annotated[int, {"minimum": 0}]
    sha256: Sha256


class TensorRecord(TypedDict):
    """An input or output; a side of None may be any."""

    shape: list[Annotated[int | None, {"minimum": 0}]]
    dtype: str


class _Signature(TypedDict):
    inputs: dict[str, TensorRecord]
    outputs: dict[str, TensorRecord]


class SignatureRecord(_Signature, total=False):
    """How an artifact is called, and by which of its files."""

    file: str


class StylePictureRecord(TypedDict):
    """A picture of a style that is baked."""

    name: Annotated[str, {"minLength": 1, "description": "of the file, without the folder"}]
    sha256: Annotated[Sha256, {"description": "of the file, which the bundle does not keep"}]
    share: Share


class StyleRecord(TypedDict):
    """What is baked into an artifact, whose folder has the bottleneck in style.json."""

    slug: Annotated[str, {"pattern": "^[a-z0-9]+(-[a-z0-9]+)*$", "maxLength": 80}]
    strength: Share
    pictures: Annotated[list[StylePictureRecord], {"minItems": 1}]


class _Parity(TypedDict):
    pairs: Annotated[int, {"minimum": 12}]
    worst_pair: str


class ParityRecord(_Parity, total=False):
    """The worst metrics of all pairs; see `export.gates.Metrics`."""

    max_abs: float
    mean_abs: float
    p999: float
    psnr: float
    ssim: float
    cosine: float


class GateRecord(TypedDict, total=False):
    """The bounds of the metrics; see `export.gates.Gate`."""

    max_abs: Annotated[float | None, {"description": "null in the place of no bound"}]
    mean_abs: float
    psnr: float
    ssim: float
    cosine: float


class _Artifact(TypedDict):
    path: RelativePath
    format: Format
    quantization: Quantization
    size: Annotated[
        int | None,
        {"minimum": 16, "description": "side of the content picture in pixels; null for any height and width"},
    ]
    bytes: Annotated[int, {"minimum": 1, "description": "of its files without the golden vectors"}]
    sha256: Annotated[Sha256, {"description": "of the listing of its files, one line 'sha256  path' each"}]
    files: Annotated[list[FileRecord], {"minItems": 1}]
    signatures: Annotated[dict[str, SignatureRecord], {"minProperties": 1}]
    parity: Annotated[ParityRecord, {"minProperties": 3}]
    gate: Annotated[GateRecord, {"minProperties": 1}]
    verdict: Literal["pass"]


class ArtifactRecord(_Artifact, total=False):
    """An artifact of a bundle."""

    style: StyleRecord


class SettingsRecord(TypedDict):
    """How the optimization is set: layers with their shares, weights, rates."""

    style_layers: LayerShares
    content_layers: LayerShares
    content_weight: NotNegative
    style_weight: NotNegative
    total_variation_weight: NotNegative
    pooling: Literal["max", "average"]
    learning_rate: Share
    memory: Annotated[int, {"minimum": 1, "maximum": 100}]
    smoothing: NotNegative


class _Range(TypedDict):
    content: Bounds
    output: Bounds


class RangeRecord(_Range, total=False):
    """The samples of black and white that an external model takes and gives."""

    style: Bounds


class _Source(TypedDict):
    kind: Literal["preset", "keras", "saved_model", "hub", "vgg19"]
    name: str


class SourceRecord(_Source, total=False):
    """Where a model comes from."""

    method: Annotated[Method, {"description": "feed-forward where absent"}]
    handle: Annotated[str, {"description": "what a fetched model was asked for by, without secrets"}]
    url: Annotated[str, {"description": "the address that it came from, after all redirections"}]
    inputs: Annotated[
        dict[str, str],
        {
            "required": ["signature", "content", "output"],
            "description": "how an external model is called; without a style where its one style is inside",
        },
    ]
    range: RangeRecord
    split_at: Annotated[str, {"description": "the tensor of its graph that is the bottleneck"}]
    imports: Annotated[
        list[ModuleName],
        {
            "minItems": 1,
            "description": "Python modules that the model's own classes come from, which --import names; never "
            "imported because they stand here",
        },
    ]
    sha256: Sha256
    license: str
    description: str
    settings: SettingsRecord
    fingerprint: Annotated[str, {"pattern": "^[0-9a-f]{16}$", "description": "of the weights of VGG19"}]
    weights: Annotated[Vgg19Weights, {"description": "of VGG19: the preset, Keras's download, random ones, or a file"}]


class BundleSourceRecord(SourceRecord):
    """The model that a bundle was made from."""

    reference: Annotated[
        RelativePath,
        {
            "description": "the float32 model that every artifact is checked against: a .keras file, or the folder of "
            "a SavedModel"
        },
    ]


class OptionsRecord(TypedDict):
    """What a bundle was exported with."""

    max_size: Annotated[int, {"minimum": 16}]
    integer_io: bool


class Manifest(TypedDict):
    """The manifest of a styleport bundle."""

    schema_version: Literal[1]
    created: Annotated[str, {"description": "UTC, ISO 8601"}]
    source: BundleSourceRecord
    toolchain: dict[str, str]
    options: OptionsRecord
    artifacts: Annotated[list[ArtifactRecord], {"minItems": 1}]
    files: Annotated[
        list[FileRecord], {"description": "every other file of the bundle but the manifest and its digest"}
    ]
    verdict: Literal["pass"]
