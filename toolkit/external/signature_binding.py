"""Binds the roles of an external stylizer (content, style if any, picture) to its signature."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from toolkit.errors import InputError

# Magenta's Hub module was traced from arguments without names (`export_hub.py` in the magenta repository): the first
# placeholder is the content.
KNOWN_INPUTS = {"content": "placeholder", "style": "placeholder_1"}
# Preferred among several signatures: TF2's default, then TF1's Hub format.
DEFAULT_SIGNATURES = ("serving_default", "default")
ROLES = ("content", "style", "output", "signature")
EXAMPLE = "--inputs content=NAME,style=NAME"
# Supported sample types.
DTYPES = ("float32", "float16", "bfloat16", "float64", "uint8")
_CHANNELS = {1: "gray with one channel", 4: "four channels"}


@dataclass(frozen=True)
class Tensor:
    """An input or output; None for a variable dimension, and as the shape for an unknown rank."""

    shape: tuple[int | None, ...] | None
    dtype: str

    def __str__(self) -> str:
        if self.shape is None:
            return f"{self.dtype} of any shape"
        return f"{self.dtype} [{','.join('?' if side is None else str(side) for side in self.shape)}]"

    @property
    def is_channels_first(self) -> bool:
        """Whether it is laid out as [B, 3, H, W]."""
        return self.shape is not None and len(self.shape) == 4 and self.shape[1] == 3 and self.shape[3] != 3

    @property
    def picture_shape(self) -> tuple[int | None, ...]:
        """The shape of the same pictures as [B, H, W, 3], None for variable dimensions."""
        if self.shape is None:
            return None, None, None, 3
        batch, *sides = self.shape
        return (batch, *(sides[1:] if self.is_channels_first else sides[:2]), 3)

    def why_no_pictures(self) -> str | None:
        """Returns why it cannot hold RGB pictures, [B, H, W, 3] or [B, 3, H, W]; None if it can."""
        if self.dtype not in DTYPES:
            return f"their samples are {self.dtype}, not one of {', '.join(DTYPES)}"
        if self.shape is None or self.is_channels_first:
            return None
        if len(self.shape) != 4:
            return f"they have {len(self.shape)} dimensions, but pictures have four, [B,H,W,3]"
        if self.shape[3] == 3 or (self.shape[3] is None and self.shape[1] not in _CHANNELS):
            return None
        channels = next((_CHANNELS[side] for side in (self.shape[3], self.shape[1]) if side in _CHANNELS), None)
        return f"they are {channels or f'of {self.shape[3]} channels'}, but pictures are RGB, [B,H,W,3]"


@dataclass(frozen=True)
class Signature:
    """A way of calling a model."""

    inputs: dict[str, Tensor]
    outputs: dict[str, Tensor]

    def __str__(self) -> str:
        inputs = ", ".join(f"{name} {tensor}" for name, tensor in self.inputs.items())
        return f"({inputs}) -> {', '.join(f'{name} {tensor}' for name, tensor in self.outputs.items())}"


@dataclass(frozen=True)
class SignatureBinding:
    """The binding of a stylizer's roles to a signature.

    Attributes:
        signature: its name.
        content: the input for content pictures.
        style: the input for style pictures; None if the style is built in.
        output: the output that is the stylized picture.
    """

    signature: str
    content: str
    style: str | None
    output: str

    @property
    def inputs(self) -> dict[str, str]:
        """The names of the inputs by role, the content first."""
        return {"content": self.content} if self.style is None else {"content": self.content, "style": self.style}

    def to_json(self) -> dict[str, str]:
        """Returns the form that a manifest stores, and that `find` accepts."""
        return {role: name for role, name in asdict(self).items() if name is not None}


def parse(text: str) -> dict[str, str]:
    """Reads the option `--inputs`, such as `content=photo,style=painting`, as names by role."""
    given: dict[str, str] = {}
    for part in text.split(","):
        role, separator, name = (piece.strip() for piece in part.partition("="))
        if role not in ROLES or not separator or not name or role in given:
            raise InputError(f"--inputs {text!r}: give {EXAMPLE}, and signature=NAME or output=NAME where needed")
        given[role] = name
    if "content" in given and given["content"] == given.get("style"):
        raise InputError(f"--inputs {text!r}: content and style are the same input; give {EXAMPLE}")
    return given


def find(source: str, signatures: Mapping[str, Signature], given: Mapping[str, str]) -> SignatureBinding:
    """Determines how a model is called, from names by role; raises an InputError that lists the signatures."""
    if not signatures:
        raise InputError(f"{source}: has no signatures; save it with a signature for a content and a style picture")
    search = _Search(source, signatures, given)
    signature = search.signature()
    content, style = search.inputs(signature)
    return SignatureBinding(signature, content, style, search.output(signature))


class _Search:
    def __init__(self, source: str, signatures: Mapping[str, Signature], given: Mapping[str, str]) -> None:
        self._source, self._signatures, self._given = source, signatures, given

    def _unclear(self, why: str, example: str = EXAMPLE) -> InputError:
        listed = "; ".join(f"{name}{signature}" for name, signature in self._signatures.items())
        return InputError(f"{self._source}: {why}; give {example}; its signatures: {listed}")

    def signature(self) -> str:
        if given := self._given.get("signature"):
            if given not in self._signatures:
                raise self._unclear(f"has no signature {given!r}", "--inputs signature=NAME")
            return given
        if len(self._signatures) == 1:
            return next(iter(self._signatures))
        for name in DEFAULT_SIGNATURES:
            if name in self._signatures:
                return name
        raise self._unclear("several signatures, none of them the default one", "--inputs signature=NAME")

    def _unusable(self, why: str) -> InputError:
        """An error that no input name can fix."""
        others = [name for name in self._signatures if name != self._given.get("signature")]
        hint = f"; its signatures are {', '.join(self._signatures)}: --inputs signature=NAME" if len(others) > 1 else ""
        return InputError(f"{self._source}: {why}{hint}")

    def inputs(self, signature: str) -> tuple[str, str | None]:
        inputs = self._signatures[signature].inputs
        if not inputs:
            raise self._unusable(
                f"{signature!r} takes no input: a stylizer takes a content picture, and optionally a style picture"
            )
        if len(inputs) > len(KNOWN_INPUTS):
            further = [name for name in inputs if name not in (self._named(role, inputs) for role in KNOWN_INPUTS)]
            raise self._unusable(
                f"{signature!r} takes {len(inputs)} inputs, with unknown {further[0]!r}, {inputs[further[0]]}: "
                "save a model that takes a content and optionally a style picture"
            )
        content, style = self._only(signature, inputs) if len(inputs) == 1 else self._both(signature, inputs)
        for name in filter(None, (content, style)):
            if why := inputs[name].why_no_pictures():
                raise self._unusable(f"input {name!r} of {signature!r} does not take pictures, {inputs[name]}: {why}")
        return content, style

    def _only(self, signature: str, inputs: Mapping[str, Tensor]) -> tuple[str, None]:
        (name,) = inputs
        if unknown := [given for role, given in self._given.items() if role in KNOWN_INPUTS and given != name]:
            raise self._unclear(f"has no input {unknown[0]!r}")
        if "content" not in self._given and "style" in name.lower() and "content" not in name.lower():
            raise self._unclear(f"{name!r} is the only input of {signature!r}, and its name is not that of a content")
        if "style" in self._given:
            raise self._unusable(
                f"{signature!r} takes only {name!r}, the content; a model with a built-in style takes no style picture"
            )
        return name, None

    def _both(self, signature: str, inputs: Mapping[str, Tensor]) -> tuple[str, str]:
        content, style = (self._named(role, inputs) for role in KNOWN_INPUTS)
        if content is None or style is None:
            raise self._unclear(f"which input of {signature!r} is the content and which the style cannot be determined")
        if content == style:
            raise self._unclear(f"input {content!r} of {signature!r} cannot be both content and style")
        return content, style

    def _named(self, role: str, inputs: Mapping[str, Tensor]) -> str | None:
        """Finds an input by the given name, else by its own name, else as the Hub module's, else by exclusion."""
        if role in self._given:
            if self._given[role] not in inputs:
                raise self._unclear(f"has no input {self._given[role]!r}")
            return self._given[role]
        other = self._given.get(next(other for other in KNOWN_INPUTS if other != role))
        by_name = [name for name in inputs if role in name.lower() and name != other]
        if len(by_name) == 1:
            return by_name[0]
        if other is not None and len(inputs) == 2:
            return next((name for name in inputs if name != other), None)
        lowered = {name.lower(): name for name in inputs}
        return lowered.get(KNOWN_INPUTS[role]) if set(lowered) == set(KNOWN_INPUTS.values()) else None

    def output(self, signature: str) -> str:
        outputs = self._signatures[signature].outputs
        name = self._given.get("output")
        if name is None and len(outputs) == 1:
            name = next(iter(outputs))
        if name is None:
            pictures = [name for name, tensor in outputs.items() if tensor.why_no_pictures() is None]
            by_name = [name for name in pictures if "styl" in name.lower()]
            (name,) = pictures if len(pictures) == 1 else by_name if len(by_name) == 1 else (None,)
        if name not in outputs:
            unknown = "which output is the picture cannot be determined" if name is None else f"has no output {name!r}"
            raise self._unclear(unknown, "--inputs output=NAME")
        if (why := outputs[name].why_no_pictures()) is not None:
            raise self._unusable(f"output {name!r} of {signature!r} is not pictures, {outputs[name]}: {why}")
        return name


def tensor_of(spec: Any) -> Tensor:
    """Describes a TensorFlow tensor or spec."""
    shape = None if spec.shape.rank is None else tuple(spec.shape.as_list())
    return Tensor(shape, spec.dtype.name)
