"""Decompresses gzip bodies in time proportional to their size, however many members they have."""

import time
import zlib

from serving.server.status import ServingError, invalid

# Blocked gzip has a member for each 64 KiB, so this is far more than any accepted body needs.
MAX_MEMBERS = 1 << 14
# zlib copies the data after a member, so the first piece is small: members may have only a few bytes.
_FIRST_PIECE, _LARGEST_PIECE, _LARGEST_OUTPUT = 1 << 9, 1 << 18, 1 << 22


class TooLargeError(ServingError):
    """A body is larger than the server takes."""

    def __init__(self, limit: int) -> None:
        super().__init__("INVALID_ARGUMENT", f"Request body is larger than {limit} bytes (--max_rest_body_bytes)")


def inflate(body: bytes | bytearray, limit: int, deadline: float | None = None) -> bytearray:
    """Decompresses a gzip body, and stops as soon as it exceeds the size limit or the deadline.

    It may have several members. `deadline` is a time of time.perf_counter, or None.
    """
    output, place, members = bytearray(), 0, 0
    with memoryview(body) as data:
        while place < len(data):
            members += 1
            if members > MAX_MEMBERS:
                raise invalid(f"Failed to decompress request body: it has more than {MAX_MEMBERS} gzip members")
            try:
                place = _add_member(output, data, place, limit, deadline)
            except zlib.error as error:
                raise invalid(f"Failed to decompress request body: {error}") from error
    return output


def _add_member(output: bytearray, data: memoryview, place: int, limit: int, deadline: float | None) -> int:
    """Appends a decompressed member, and returns the start of the next."""
    member, piece, has_more = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16), _FIRST_PIECE, False
    while not member.eof:
        if deadline is not None and time.perf_counter() > deadline:
            raise ServingError("DEADLINE_EXCEEDED", "The request's body was not decompressed within its deadline")
        given: bytes | memoryview = member.unconsumed_tail
        if not given and not has_more:
            if place == len(data):
                raise invalid("Failed to decompress request body: the gzip data ends too early")
            given = data[place : place + piece]
            place += len(given)
            piece = min(4 * piece, _LARGEST_PIECE)
        # Small enough to fit, and to check the deadline often.
        most = min(limit - len(output) + 1, _LARGEST_OUTPUT)
        inflated = member.decompress(given, most)
        has_more = len(inflated) == most
        output += inflated
        if len(output) > limit:
            raise TooLargeError(limit)
    return place - len(member.unused_data)
