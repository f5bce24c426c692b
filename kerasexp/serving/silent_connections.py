"""Connections that do not finish a request's headers are closed, so that they do not keep others out: uvicorn counts them."""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.auto import AutoHTTPProtocol

# A request's first line and headers arrive in one packet.
HEADER_SECONDS = 20


class ImpatientProtocol(AutoHTTPProtocol):
    """Uvicorn's protocol, with a limit on the time until the headers of a request are there.

    It is looked at each `HEADER_SECONDS`: a connection that has no new request since then, and no answer to give, is closed.
    Uvicorn's `timeout_keep_alive` is shorter, but ends with the first byte of a next request. For bodies
    `RequestLimits.upload_seconds` holds.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        self._watch(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self._timer.cancel()
        super().connection_lost(exc)

    def _watch(self, cycle: object) -> None:
        """Look again; `cycle` is the request and its answer that are there now, None before the first."""
        self._timer = self.loop.call_later(HEADER_SECONDS, self._close_if_silent, cycle)

    def _close_if_silent(self, seen: object) -> None:
        if self.cycle is seen and (seen is None or self.cycle.response_complete):
            self.transport.abort()
        else:
            self._watch(self.cycle)
