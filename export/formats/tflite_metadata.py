"""Adds metadata to a .tflite file, without changing the bytes of its graph and weights.

A flatbuffer is written from its end: the file stays at the end of a new one, preceded by a new root table, the entry
and a list of buffers with one more. Unpacking and repacking would move every weight.
"""

import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import flatbuffers
from ai_edge_litert import schema_py_generated as schema

from export.artifact import Artifact, ExportOptions
from toolkit.runtimes.network_metadata import ENTRY, NetworkMetadata
from toolkit.runtimes.tflite_file import IDENTIFIER

# What the schema asks of the bytes of buffers (`force_align`); as much is added in front of them, or a multiple.
_ALIGNMENT = 16
# Fields of the root table, by the schema; those that are carried over are operator codes, graphs, `metadata_buffer`,
# signatures and external buffers.
_VERSION, _DESCRIPTION, _BUFFERS, _METADATA, _FIELDS = 0, 3, 4, 6, 10
_CARRIED = (1, 2, 5, 7, 8, 9)

DESCRIPTIONS = {
    "predictor": "Reads the style of style_image into style_bottleneck, which the transformer takes: once a style.",
    "transformer": "Paints content_image in the style of style_bottleneck, which the predictor gives.",
    "stylizer": "Paints content_image in the style of style_image.",
    "baked": "Paints content_image in the style that is inside.",
    "features": "Gives the Gram matrices and the activations of image that style transfer by optimization compares.",
}


def write(path: Path, model: bytes, network: str, artifact: Artifact, options: ExportOptions) -> None:
    """Writes a .tflite file with metadata.

    Args:
        path: the file to write.
        model: the .tflite file, converted and quantized.
        network: one of `DESCRIPTIONS`.
        artifact: the artifact of the file.
        options: what to export.
    """
    path.write_bytes(with_metadata(model, metadata_of(network, artifact, options)))


def metadata_of(network: str, artifact: Artifact, options: ExportOptions) -> NetworkMetadata:
    """Returns the metadata of a network; see `write`."""
    is_integer = options.integer_io and artifact.quantization == "int8"
    return NetworkMetadata(
        name=f"{options.origin.name} {network}, {artifact.quantization}",
        description=DESCRIPTIONS[network],
        license=options.origin.license,
        input_range=(0, 255) if is_integer else (0, 1),
        style=str(artifact.style) if artifact.style else None,
    )


def with_metadata(model: bytes, metadata: NetworkMetadata) -> bytes:
    """Adds metadata to a network's file; it loads as before, at the same speed.

    Returns:
        The file with the entry `styleport` in its `metadata`, and the description in its own `description`.
    """
    tail = model + bytes(-len(model) % _ALIGNMENT)
    old = schema.Model.GetRootAs(tail)
    builder = flatbuffers.Builder(2 * len(tail))
    builder.head -= len(tail)
    builder.Bytes[builder.head :] = tail
    root = _write_root(builder, old, len(tail), metadata)
    # Makes the length a multiple of the alignment, so that aligned data stays aligned.
    builder.minalign = _ALIGNMENT
    builder.Finish(root, IDENTIFIER)
    described = builder.Output()
    _move_outer_buffers(described, len(described) - len(tail))
    return bytes(described)


def _write_root(builder: Any, old: Any, length: int, metadata: NetworkMetadata) -> int:
    """Writes a root table with the contents of the old one; `length` is counted from the file's end."""

    def targets(field: int) -> list[int]:
        """The tables in a vector of the old root."""
        slot = old._tab.Offset(4 + 2 * field)
        first = old._tab.Vector(slot) if slot else 0
        places = range(first, first + 4 * old._tab.VectorLen(slot), 4) if slot else ()
        return [length - old._tab.Indirect(place) for place in places]

    entry = builder.CreateByteVector(metadata.to_json())
    schema.BufferStart(builder)
    schema.BufferAddData(builder, entry)
    buffers = [*targets(_BUFFERS), schema.BufferEnd(builder)]
    name, description = builder.CreateString(ENTRY), builder.CreateString(metadata.description)
    schema.MetadataStart(builder)
    schema.MetadataAddName(builder, name)
    schema.MetadataAddBuffer(builder, len(buffers) - 1)
    entries = [*targets(_METADATA), schema.MetadataEnd(builder)]
    buffers_vector, entries_vector = _vector(builder, buffers), _vector(builder, entries)
    builder.StartObject(_FIELDS)
    builder.PrependUint32Slot(_VERSION, old.Version(), 0)
    for field in _CARRIED:
        if slot := old._tab.Offset(4 + 2 * field):
            builder.PrependUOffsetTRelativeSlot(field, length - old._tab.Indirect(old._tab.Pos + slot), 0)
    for field, written in ((_DESCRIPTION, description), (_BUFFERS, buffers_vector), (_METADATA, entries_vector)):
        builder.PrependUOffsetTRelativeSlot(field, written, 0)
    return builder.EndObject()


def _vector(builder: Any, tables: Iterable[int]) -> int:
    tables = list(tables)
    builder.StartVector(4, len(tables), 4)
    for table in reversed(tables):
        builder.PrependUOffsetTRelative(table)
    return builder.EndVector()


def _move_outer_buffers(model: bytearray, shift: int) -> None:
    """Adjusts the offsets of weights that the quantizer stores after all tables: they count from the file's start."""
    root = schema.Model.GetRootAs(model)
    for index in range(root.BuffersLength()):
        buffer = root.Buffers(index)
        # With an offset of 1 or 0, the bytes are in the table.
        if buffer.Offset() > 1:
            place = buffer._tab.Pos + buffer._tab.Offset(6)
            struct.pack_into("<Q", model, place, buffer.Offset() + shift)
