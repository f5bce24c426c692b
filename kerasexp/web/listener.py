"""The socket of a server, and the address that leads to it."""

from __future__ import annotations

import socket

from kerasexp.errors import Problem, UserError
from kerasexp.web.access import Access


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens.

    Raises:
        UserError: the address cannot be used.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.create_server((host, port), family=family)
    except OSError as error:
        message = f"cannot be listened at: {error.strerror or error}; another --port may be free"
        raise UserError(Problem(message, f"{host}:{port}")) from None
    # Connections inherit it. asyncio leaves it to who made the socket, and without it each answer on a connection that is used
    # again waits 40 ms for an acknowledgement of its first packet.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def browser_address(access: Access, port: int) -> str:
    """Return the address of the first page, with the token where one is needed."""
    host = access.host
    shown = f"[{host}]" if ":" in host else socket.gethostname() if host in ("0.0.0.0", "::") else host
    return f"http://{shown}:{port}/" + (f"?token={access.token}" if access.token else "")
