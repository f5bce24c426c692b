"""How large requests may be, and how much of them the server holds at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from fastapi import HTTPException

MIB, MEGAPIXEL = 2**20, 10**6
# Seconds after which a client may try again.
RETRY_SECONDS = 1


@dataclass(frozen=True)
class RequestLimits:
    """The most that is accepted.

    Attributes:
        body_bytes: of one request.
        images: of one request.
        pixels: of one image, as its header announces them.
        explained: images of one request that get a heat map.
        held_bytes: of the bodies of all requests together.
        waiting_images: of all requests together that wait for one model.
        upload_seconds: that a body may take to arrive.
        connections: at a time.
    """

    body_bytes: int = 32 * MIB
    images: int = 64
    pixels: int = 50 * MEGAPIXEL
    explained: int = 8
    held_bytes: int = 256 * MIB
    waiting_images: int = 512
    upload_seconds: float = 60
    connections: int = 200

    @classmethod
    def of(cls, mib: int, images: int, megapixels: int) -> RequestLimits:
        """Return the limits for requests of so many MiB and images, and images of so many megapixels.

        What is held of all requests together suffices for at least two of them.
        """
        return cls(
            mib * MIB,
            images,
            megapixels * MEGAPIXEL,
            held_bytes=max(cls.held_bytes, 2 * mib * MIB),
            waiting_images=max(cls.waiting_images, 2 * images),
        )


class Budget:
    """An amount that the requests of a server share. It is used by the event loop alone, and so needs no lock.

    Args:
        most: the amount.
        refusal: what a request is told that finds nothing left.
    """

    def __init__(self, most: int, refusal: str):
        self._most, self._refusal = most, refusal
        self.taken = 0

    def take(self, amount: int) -> None:
        """Take some of it; raise HTTPException 503 if so much is not left. A first request always gets what it asks for."""
        if self.taken and self.taken + amount > self._most:
            raise HTTPException(503, self._refusal, {"Retry-After": str(RETRY_SECONDS)})
        self.taken += amount

    def give_back(self, amount: int) -> None:
        """Return what was taken."""
        self.taken -= amount

    @contextmanager
    def held(self, amount: int) -> Iterator[None]:
        """Take some of it for a while."""
        self.take(amount)
        try:
            yield
        finally:
            self.give_back(amount)
