"""Connections that send no request are closed, so that they do not keep others out: uvicorn counts them."""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.auto import AutoHTTPProtocol

# A request's first line and headers arrive in one packet.
HEADER_SECONDS = 20


class ImpatientProtocol(AutoHTTPProtocol):
    """Uvicorn's protocol, with a limit on the time until the headers of the first request are there.

    Between requests uvicorn's own `timeout_keep_alive` holds, and for bodies `RequestLimits.upload_seconds`.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        self.loop.call_later(HEADER_SECONDS, self._close_if_silent)

    def _close_if_silent(self) -> None:
        if self.cycle is None:  # of a request and its answer
            self.transport.abort()
