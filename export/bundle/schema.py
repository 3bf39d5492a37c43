"""Generates the JSON schema of manifests from `toolkit.manifest_types`: `python -m export.bundle.schema`."""

import types
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints, is_typeddict

from toolkit.manifest_types import ArtifactRecord, BundleSourceRecord, Manifest
from toolkit.printing import print_json

Schema = dict[str, Any]
_NAMES = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null"}


def _where(name: str, value: str, then: Schema, otherwise: Schema) -> Schema:
    """A schema that depends on whether a property has a value."""
    given = {"properties": {name: {"const": value}}, "required": [name]}
    return {"if": given, "then": then, "else": otherwise}


# Constraints between properties, which types cannot express.
_BETWEEN: dict[Any, Schema] = {
    ArtifactRecord: _where("format", "baked", {"required": ["style"]}, {"properties": {"style": False}}),
    BundleSourceRecord: {
        # The record of the origin may grow.
        "additionalProperties": True,
        "allOf": [
            _where(
                "method",
                "single-style",
                {"required": ["inputs"], "properties": {"inputs": {"properties": {"style": False}}}},
                {"properties": {"inputs": {"required": ["style"]}}},
            ),
            _where("method", "optimization", {"required": ["settings", "fingerprint"]}, {}),
        ],
    },
}


def _of(hint: Any) -> Schema:
    """Returns the schema of a type."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        inner, *keywords = arguments
        return {key: value for keyword_schema in (_of(inner), *keywords) for key, value in keyword_schema.items()}
    if origin is Literal:
        return {"enum": [*arguments]} if len(arguments) > 1 else {"const": arguments[0]}
    if origin is types.UnionType:
        return {"type": [_NAMES[argument] for argument in arguments]}
    if origin is list:
        return {"type": "array", "items": _of(arguments[0])}
    if origin is dict:
        return {"type": "object", "additionalProperties": _of(arguments[1])}
    if is_typeddict(hint):
        hints = get_type_hints(hint, include_extras=True)
        return {
            "type": "object",
            "description": hint.__doc__,
            "additionalProperties": False,
            "required": [name for name in hints if name in hint.__required_keys__],
            "properties": {name: _of(hint) for name, hint in hints.items()},
            **_BETWEEN.get(hint, {}),
        }
    return {"type": _NAMES[hint]}


def schema() -> Schema:
    """Returns the JSON schema of manifests."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **_of(Manifest)}


if __name__ == "__main__":
    print_json(schema())
