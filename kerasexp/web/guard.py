"""Each request is answered to who may ask, and refused to everybody else."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Container
from dataclasses import dataclass

from fastapi import Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse, RedirectResponse

from kerasexp.web.access import POLICY, Access, is_same_site

BEARER = "bearer "
OF_ANOTHER_SITE = "refused: the request is of a page of another site"


@dataclass(frozen=True)
class Guard:
    """A middleware for FastAPI.

    Attributes:
        access: who may ask.
        command: whose output has the address with the token.
        open_paths: what anybody may ask for, such as a container's health check.
        as_json: whether refusals are `{"detail": "why"}`, for programs, and not plain text.
    """

    access: Access
    command: str
    open_paths: Container[str] = ()
    as_json: bool = False

    async def __call__(self, request: Request, follow: Callable[[Request], Awaitable[Response]]) -> Response:
        """Answer a request, or refuse it."""
        answer = self._instead(request) or await follow(request)
        answer.headers.setdefault("Content-Security-Policy", POLICY)
        answer.headers["X-Content-Type-Options"] = "nosniff"
        # Not `no-referrer`, with which browsers hide where a form comes from, also from this server.
        answer.headers["Referrer-Policy"] = "same-origin"
        answer.headers["Cross-Origin-Resource-Policy"] = "same-origin"
        return answer

    def _instead(self, request: Request) -> Response | None:
        """Return what a request gets in place of its answer; None if it may have the answer."""
        # Not of `request.url`, which earlier versions of Starlette make from the Host header.
        if request.scope["path"] in self.open_paths:
            return None
        host, cookie = request.headers.get("host", ""), f"kerasexp_{self.command}_token"
        if not self.access.admits_host(host):
            return self._refusal(f"this server answers to localhost, not to {host!r}", 403)
        header = request.headers.get("authorization", "")
        if self.access.token is not None and header.lower().startswith(BEARER):
            # A browser adds this header to no request by itself, so that the request is not made by another site.
            admitted = self.access.admits_token(header[len(BEARER) :].strip())
            return None if admitted else self._refusal("the token is wrong", 401)
        given = request.query_params.get("token")
        if given is not None and self.access.token is not None and self.access.admits_token(given):
            return self._with_cookie(request, cookie, given)
        if not self.access.admits_token(request.cookies.get(cookie)):
            shown = f"open the address that `{self.command}` has printed: it has the token"
            return self._refusal(f"{shown}; programs send it as the header `Authorization: Bearer TOKEN`", 401)
        if request.method != "GET" and not is_same_site(request.headers.get("origin"), host):
            return self._refusal(OF_ANOTHER_SITE, 403)
        # A page of another site may link here, but not embed a plot or let the server work. Only browsers send these headers.
        is_own = request.headers.get("sec-fetch-site", "none") in ("same-origin", "none")
        if not is_own and request.headers.get("sec-fetch-dest") != "document":
            return self._refusal(OF_ANOTHER_SITE, 403)
        return None

    def _refusal(self, words: str, status: int) -> Response:
        return JSONResponse({"detail": words}, status) if self.as_json else PlainTextResponse(words, status)

    @staticmethod
    def _with_cookie(request: Request, cookie: str, token: str) -> Response:
        answer = RedirectResponse(request.scope["path"], status_code=303)
        # Not `strict`: the reports of studies and searches are sandboxed, so that a browser takes them for another site's, and
        # their links would lead to no page. What another site must not do is refused above, whatever the cookie.
        answer.set_cookie(cookie, token, httponly=True, samesite="lax")
        return answer
