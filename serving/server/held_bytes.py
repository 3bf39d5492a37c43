"""The bodies that all requests hold together, bounded: many clients may each send one that is just not too large."""

from serving.server.status import ServingError


class HeldBytes:
    """Counts what is held; used by the event loop's thread alone.

    Args:
        most: bytes of all requests together. A single request may have more, for it has a limit of its own.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._held = self._shares = self._ended = 0

    def ended(self) -> int:
        """Returns how many requests have given their share back."""
        return self._ended

    def is_empty(self) -> bool:
        """Returns whether no request has a share."""
        return not self._shares

    def share(self) -> "Share":
        """Returns the share of a request, to be used in a `with` block, which gives it back."""
        self._shares += 1
        return Share(self)

    def end(self, own: int) -> None:
        """Takes back the share of a request."""
        self._held -= own
        self._shares, self._ended = self._shares - 1, self._ended + 1

    def take(self, size: int, own: int) -> None:
        """Takes bytes.

        Args:
            size: bytes more.
            own: those that the request has already.

        Raises:
            ServingError: RESOURCE_EXHAUSTED, there are not so many.
        """
        if self._held > own and self._held + size > self._most:
            raise ServingError(
                "RESOURCE_EXHAUSTED",
                f"All requests together have more than {self._most} bytes (--max_held_bytes); send this one later",
            )
        self._held += size


class Share:
    """What one request holds.

    Args:
        total: what all of them hold.
    """

    def __init__(self, total: HeldBytes) -> None:
        self._total, self._own = total, 0

    def __enter__(self) -> "Share":
        return self

    def __exit__(self, *_: object) -> None:
        self._total.end(self._own)

    def take(self, size: int) -> None:
        """Takes bytes for the length of the block; see `HeldBytes.take`."""
        self._total.take(size, self._own)
        self._own += size
