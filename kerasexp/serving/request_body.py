"""The body of a request, which may be as long as the limits allow, and may come from anyone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from fastapi import HTTPException, Request
from starlette.requests import ClientDisconnect

from kerasexp.serving.request_limits import Budget, RequestLimits

# A client that sends before it listens gets the refusal only after it has sent: so long is what it sends thrown away.
DRAIN_SECONDS = 1.0


class BodyReader:
    """Reads bodies.

    Args:
        limits: the most that is accepted.
    """

    def __init__(self, limits: RequestLimits):
        self._limits = limits
        self._held = Budget(limits.held_bytes, "the server holds as much of other requests as it may; try again")

    @asynccontextmanager
    async def read(self, request: Request) -> AsyncIterator[bytes]:
        """Give the body of a request for as long as it is needed.

        Raises:
            HTTPException: 413 for one that is too long, also if it only announces so; 408 for one that takes too long; 503
                if the server holds too much already.
        """
        chunks, taken = [], 0
        try:
            try:
                async with asyncio.timeout(self._limits.upload_seconds):
                    async for chunk in self._chunks(request):
                        self._held.take(len(chunk))
                        taken += len(chunk)
                        chunks.append(chunk)
            except TimeoutError:
                raise HTTPException(408, f"the body took more than {self._limits.upload_seconds:g} s") from None
            except HTTPException:
                await self._drain(request)
                raise
            body = b"".join(chunks)
            chunks.clear()
            yield body
        finally:
            self._held.give_back(taken)

    async def _chunks(self, request: Request) -> AsyncIterator[bytes]:
        """Yield a body until it is longer than allowed."""
        announced = request.headers.get("content-length", "")
        # Longer numbers are no lengths, and slow to convert.
        if announced.isdecimal() and (len(announced) > 18 or int(announced) > self._limits.body_bytes):
            raise self._too_long()
        length = 0
        async for chunk in request.stream():
            length += len(chunk)
            if length > self._limits.body_bytes:
                raise self._too_long()
            yield chunk

    def _too_long(self) -> HTTPException:
        return HTTPException(413, f"the body is too long; at most {self._limits.body_bytes:,} bytes")

    async def _drain(self, request: Request) -> None:
        if "expect" in request.headers:  # this client waits to be asked for its body
            return
        seen = 0
        with suppress(TimeoutError, ClientDisconnect, RuntimeError):  # RuntimeError: all of it was read
            async with asyncio.timeout(DRAIN_SECONDS):
                async for chunk in request.stream():
                    seen += len(chunk)
                    if seen > self._limits.body_bytes:
                        return
