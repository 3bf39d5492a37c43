"""Limits the total size of all requests' bodies: many clients may each send a body just below the limit."""

from serving.server.status import ServingError


class HeldBytes:
    """Counts the bytes of all requests, at most `most`, or those of a single one; only in the event loop's thread."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._held = self._shares = self._ended = 0

    def ended(self) -> int:
        """Returns the number of requests that have released their share."""
        return self._ended

    def is_empty(self) -> bool:
        """Returns whether no request has a share."""
        return not self._shares

    def share(self) -> "Share":
        """Returns the share of a request, for a `with` block, which releases it."""
        self._shares += 1
        return Share(self)

    def end(self, own: int) -> None:
        """Releases the share of a request."""
        self._held -= own
        self._shares, self._ended = self._shares - 1, self._ended + 1

    def take(self, size: int, own: int) -> None:
        """Adds bytes to those that the request has already; raises RESOURCE_EXHAUSTED above the limit."""
        if self._held > own and self._held + size > self._most:
            raise ServingError(
                "RESOURCE_EXHAUSTED",
                f"All requests together have more than {self._most} bytes (--max_held_bytes); send this one later",
            )
        self._held += size


class Share:
    """The bytes that one request holds of a total."""

    def __init__(self, total: HeldBytes) -> None:
        self._total, self._own = total, 0

    def __enter__(self) -> "Share":
        return self

    def __exit__(self, *_: object) -> None:
        self._total.end(self._own)

    def take(self, size: int) -> None:
        """Adds bytes until the end of the block; see `HeldBytes.take`."""
        self._total.take(size, self._own)
        self._own += size
