"""What a device writes for golden vectors, as docs/on-device.md says."""

import json


def write_raw(path, identity, outputs):
    """Writes a line of JSON with the vectors' id and the names, and the outputs as little-endian float32."""
    first = json.dumps({"golden": identity, "outputs": list(outputs)}) + "\n"
    path.write_bytes(first.encode() + b"".join(array.astype("<f4").tobytes() for array in outputs.values()))
    return path
