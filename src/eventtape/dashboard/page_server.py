"""A finished page on this machine: a report, served behind the guard of the live dashboard.

The page is whole in itself, so there is no session and no websocket: what moves in it moves in the
browser. Beyond the loopback it wants a token, as the live page does.
"""

from __future__ import annotations

from collections.abc import Sequence

from tornado.web import RequestHandler

from eventtape.dashboard.guard import Guard
from eventtape.dashboard.routes import Guarded, health_route
from eventtape.dashboard.server import Door
from eventtape.errors import InputError

__all__ = ["PageServer", "serve_page"]


class PageServer(Door):
    """One page at ``/`` and ``/healthz``; :func:`serve_page` makes one."""

    def __init__(
        self,
        html: str,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        token: str | None = None,
        names: Sequence[str] = (),
    ) -> None:
        super().__init__(host=host, port=port, token=token, names=names)
        if not html.lstrip()[:9].lower() == "<!doctype":
            raise InputError("a whole page of HTML, with its doctype", met=html[:40])
        self.html = html

    def _app(self, guard: Guard) -> Guarded:
        page = (r"/", _Page, {"html": self.html.encode()})
        return Guarded({}, guard=guard, extra_patterns=[page, health_route()])


class _Page(RequestHandler):
    """The page itself."""

    def initialize(self, html: bytes) -> None:
        self.html = html

    def get(self) -> None:
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.set_header("Cache-Control", "no-store")
        self.finish(self.html)


def serve_page(
    html: str,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    token: str | None = None,
    names: Sequence[str] = (),
) -> PageServer:
    """A started server of one finished page; its address is ``url``, ``stop`` it when done.

    Beyond the loopback a ``token`` of 16 characters or more is asked for (:class:`InputError`); a
    browser shows it once as ``url?token=...``.
    """
    server = PageServer(html, host=host, port=port, token=token, names=names)
    server.start()
    return server
