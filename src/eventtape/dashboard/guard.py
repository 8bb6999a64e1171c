"""Who may ask the dashboard for anything, and what may be asked for at all.

Every request, websockets included, passes :meth:`Guard.refusal` before any handler is chosen:

* only the paths the page needs exist;
* ``Host`` must name this server, so that a name of somebody else's that was pointed at the
  loopback (DNS rebinding) reaches nothing;
* ``Origin``, which browsers send with every websocket, must be the host asked;
* what a page of another site loads without going there (``Sec-Fetch-Site``) is refused: pictures
  and scripts come without an ``Origin``;
* where there is a token, its cookie must come along. ``/?token=...`` trades the token for the
  cookie once and is redirected away, so that it does not stay in the address bar.

The cookie holds an HMAC of a fixed text under the token: it survives a restart of the server with
the same token and does not give the token away.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
import socket
from http import HTTPStatus
from urllib.parse import urlsplit

from tornado.httputil import HTTPServerRequest

from eventtape.errors import InputError

__all__ = ["SHORTEST_TOKEN", "Guard", "Refusal", "check_bind", "is_loopback"]

SHORTEST_TOKEN = 16
_PATHS = re.compile(r"/|/ws|/healthz|/favicon\.ico|/export/[^/]*|/static/.+")
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_REDUCED = b"eventtape dashboard"
Refusal = tuple[HTTPStatus, str]


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a server bound to ``host``."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_bind(host: str, port: int, token: str | None) -> None:
    """Refuse an address that others can reach without a token, and a token that can be guessed."""
    if not host or not 0 <= port <= 65_535:  # noqa: PLR2004 - ports are 16 bits
        raise InputError("a host to bind to and a port from 0 to 65535", met=(host, port))
    if token is None and not is_loopback(host):
        raise InputError("a token to serve beyond this machine, or host 127.0.0.1", met=host)
    if token is not None and len(token) < SHORTEST_TOKEN:
        # The token itself is a secret: the error gives its length.
        raise InputError(f"a token of {SHORTEST_TOKEN} characters or more", met=len(token))


class Guard:
    """The rules of one server; ``names`` are further host names that lead to it."""

    def __init__(self, host: str, port: int, token: str | None, names: tuple[str, ...]) -> None:
        check_bind(host, port, token)
        self.token = None if token is None else token.encode()
        self._any_address = not is_loopback(host) and ipaddress_or_none(host) in _WILDCARDS
        given = (host, *names, *(_LOOPBACK if is_loopback(host) or self._any_address else ()))
        own = (socket.gethostname(),) if self._any_address else ()
        self._names = {name.lower() for name in (*given, *own)}
        self.cookie = f"eventtape-{port}"  # cookies do not know ports: two servers, two names
        self.pass_ = (
            "" if token is None else hmac.new(token.encode(), _REDUCED, hashlib.sha256).hexdigest()
        )

    def refusal(self, request: HTTPServerRequest) -> Refusal | None:
        """Why the request goes no further, None where it may."""
        if not self._known_host(request.headers.get("Host", "")):
            return HTTPStatus.FORBIDDEN, "This server does not go by that name."
        given = (request.headers.get(name) for name in ("Origin", "Sec-Websocket-Origin"))
        foreign = any(one is not None and not _same(one, request.headers["Host"]) for one in given)
        if foreign or _loaded_elsewhere(request):
            return HTTPStatus.FORBIDDEN, "Pages of other sites may not ask here."
        if self.token is not None and not self._has_pass(request):
            return HTTPStatus.FORBIDDEN, "Open the address with ?token=... once."
        if not _PATHS.fullmatch(request.path):
            return HTTPStatus.NOT_FOUND, "There is no such page."
        if request.method not in ("GET", "HEAD"):
            return HTTPStatus.METHOD_NOT_ALLOWED, "Only GET is served."
        return None

    def brings_token(self, request: HTTPServerRequest) -> bool:
        """Whether the request is the page's own address with the right token."""
        given = request.query_arguments.get("token", [])
        return (
            self.token is not None
            and request.path == "/"
            and len(given) == 1
            and hmac.compare_digest(given[0], self.token)
            and self._known_host(request.headers.get("Host", ""))
        )

    def _has_pass(self, request: HTTPServerRequest) -> bool:
        met = request.cookies.get(self.cookie)
        return met is not None and hmac.compare_digest(met.value.encode(), self.pass_.encode())

    def _known_host(self, host: str) -> bool:
        name = _name(host)
        if name is None:
            return False
        return name in self._names or (self._any_address and ipaddress_or_none(name) is not None)


_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_WILDCARDS = (ipaddress.IPv4Address(0), ipaddress.IPv6Address(0))


def ipaddress_or_none(text: str) -> _Address | None:
    """The address that a text is, None where it is a name."""
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _name(host: str) -> str | None:
    """The host of a ``Host`` header without its port, lower case; None of what is not one."""
    try:
        parts = urlsplit(f"//{host}")
        _ = parts.port
    except ValueError:
        return None
    clean = parts.netloc == host and "@" not in host
    return parts.hostname if clean else None


def _loaded_elsewhere(request: HTTPServerRequest) -> bool:
    """Whether a page of another origin loads this, rather than a reader following its link."""
    site = request.headers.get("Sec-Fetch-Site", "").lower()
    mode = request.headers.get("Sec-Fetch-Mode", "").lower()
    return site in ("cross-site", "same-site") and mode != "navigate"


def _same(origin: str, host: str) -> bool:
    parts = urlsplit(origin)
    return parts.scheme in ("http", "https") and parts.netloc.lower() == host.lower()
