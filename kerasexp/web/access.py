"""Who is served: this machine alone, or who has the token. A page of another site can neither read nor change anything."""

from __future__ import annotations

import ipaddress
import os
import secrets
from dataclasses import dataclass
from urllib.parse import urlsplit

from kerasexp.errors import Problem, UserError

LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")
# The variable with a token in place of a random one, and the fewest characters that cannot be guessed.
TOKEN_VARIABLE, SHORTEST_TOKEN = "KERASEXP_TOKEN", 16
# Nothing from elsewhere; scripts and styles are files of this server, never part of a page.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
# Of files of run directories, which may be a stranger's: their scripts run, but as those of no site at all.
FILE_POLICY = "sandbox allow-scripts allow-popups"


@dataclass(frozen=True)
class Access:
    """Who is served.

    Attributes:
        host: the address that the server listens at.
        token: what a browser must show once and a program with each request; None if the address is this machine alone.
    """

    host: str
    token: str | None

    @classmethod
    def of(cls, host: str, with_token: bool = False) -> Access:
        """Return the access of an address: for this machine alone without a token unless asked for, for any other with one.

        The token is that of $KERASEXP_TOKEN, which asks for one, or a random one.

        Raises:
            UserError: the variable's token can be guessed, or does not fit into a header.
        """
        given = os.environ.get(TOKEN_VARIABLE)
        if given:
            if len(given) < SHORTEST_TOKEN or not given.isascii() or not given.isprintable() or " " in given:
                needed = f"{SHORTEST_TOKEN} or more ASCII characters without spaces are needed"
                raise UserError(Problem(f"has a token of {len(given)} characters; {needed}", TOKEN_VARIABLE))
            return cls(host, given)
        return cls(host, secrets.token_urlsafe(24) if with_token or not is_loopback(host) else None)

    def admits_host(self, header: str) -> bool:
        """Return whether a request names this machine; a name that was made to lead here (DNS rebinding) does not.

        With a token any name will do: whoever made it does not know the token.
        """
        return self.token is not None or _host_of(f"//{header}") in LOCAL_NAMES or is_loopback(_host_of(f"//{header}"))

    def admits_token(self, given: str | None) -> bool:
        """Return whether a token is the right one, or none is needed."""
        return self.token is None or (given is not None and secrets.compare_digest(given.encode(), self.token.encode()))


def is_same_site(origin: str | None, host: str) -> bool:
    """Return whether a request that changes something comes from a page of this server, or from no browser at all."""
    return origin is None or urlsplit(origin).netloc == host


def is_loopback(host: str) -> bool:
    """Return whether an address can only be reached from this machine."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _host_of(address: str) -> str:
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""
