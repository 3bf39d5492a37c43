"""The names of TensorFlow Lite's operations; a .tflite file has only their codes."""

from toolkit.errors import MissingExtraError


def named(operations: dict[int | str, int]) -> dict[str, int]:
    """Replaces the codes of TensorFlow Lite's own operations by their names, such as `CONV_2D`, in the same order.

    Raises:
        MissingExtraError: LiteRT, whose schema has the names, is not installed.
    """
    try:
        from ai_edge_litert.schema_py_generated import BuiltinOperator
    except ModuleNotFoundError as error:
        raise MissingExtraError("naming operations needs LiteRT: pip install ai-edge-litert") from error
    names = {code: name for name, code in vars(BuiltinOperator).items() if not name.startswith("_")}
    return {
        operation if isinstance(operation, str) else names.get(operation, f"operation {operation}"): n
        for operation, n in operations.items()
    }
