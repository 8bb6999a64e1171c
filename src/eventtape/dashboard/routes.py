"""What the dashboard's server answers, once the guard has let a request through."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any

import panel.io.server  # noqa: F401 - puts Panel's handlers in the place of Bokeh's
from bokeh.server.tornado import BokehTornado
from tornado.httputil import HTTPHeaders, HTTPServerRequest
from tornado.web import OutputTransform, RequestHandler

from eventtape.dashboard.about import About
from eventtape.dashboard.export import ExportHandler
from eventtape.dashboard.guard import Guard
from eventtape.stream.board import Board

__all__ = ["MOST_SCREENS", "Guarded", "extra_routes", "health_route"]

MOST_SCREENS = 32
# A second lock on the promise that nothing leaves the machine: the browser refuses, whatever a
# script asks for. Panel's own script needs eval and modules made of blobs.
_POLICY = (
    "default-src 'none'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; "
    "style-src 'self' 'unsafe-inline' blob:; img-src 'self' data: blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_YEAR_S = 31_536_000
_GOING_AWAY, _CLOSE_S = 1001, 2.0


class Guarded(BokehTornado):
    """Bokeh's application, each request of which passes the guard before a handler is found."""

    def __init__(self, applications: Any, *, guard: Guard, **options: Any) -> None:
        self.guard = guard
        super().__init__(
            applications,
            extra_websocket_origins=["*"],  # the guard has compared origin and host by then
            transforms=[_Headers],
            use_index=False,
            log_function=_say_nothing,  # a log line would hold the token
            **options,
        )

    def find_handler(self, request: HTTPServerRequest, **options: Any) -> Any:
        """The handler of a request that may pass, or one that refuses it."""
        if self.guard.brings_token(request):
            return self.get_handler_delegate(request, _Enter, {"guard": self.guard})
        refusal = self.guard.refusal(request)
        if refusal is None and self._crowded(request.path):
            refusal = HTTPStatus.SERVICE_UNAVAILABLE, "Too many screens are open: close one."
        if refusal is not None:
            return self.get_handler_delegate(request, _Refused, {"refusal": refusal})
        return super().find_handler(request, **options)

    def _crowded(self, path: str) -> bool:
        return path in self.app_paths and len(self.get_sessions(path)) >= MOST_SCREENS

    async def close_screens(self) -> None:
        """End every session and its websocket, so that their documents can go."""
        sessions = [(c, one) for c in self._applications.values() for one in c.sessions]
        for _, session in sessions:
            for callback in session.document.session_callbacks:
                session.document.callbacks.remove_session_callback(callback)
        for connection in list(self._clients):
            connection._socket.close(_GOING_AWAY)  # noqa: SLF001 - Bokeh has no other way
        waited = 0.0
        while self._clients and waited < _CLOSE_S:
            await asyncio.sleep(_CLOSE_S / 100)
            waited += _CLOSE_S / 100
        for context, session in sessions:
            if not session.connection_count:
                await context._discard_session(session, lambda _: True)  # noqa: SLF001 - as above


class _Enter(RequestHandler):
    """Trade the token in the address for the cookie, and go to the address without it."""

    def initialize(self, guard: Guard) -> None:
        self.guard = guard

    def get(self) -> None:
        self.set_cookie(
            self.guard.cookie,
            self.guard.pass_,
            max_age=_YEAR_S,
            httponly=True,
            samesite="Lax",  # strict would refuse who follows a link from another page
            secure=self.request.protocol == "https",
        )
        self.set_header("Cache-Control", "no-store")
        self.redirect("/", status=HTTPStatus.SEE_OTHER)


class _Refused(RequestHandler):
    """The refusal in words, plain text."""

    def initialize(self, refusal: tuple[HTTPStatus, str]) -> None:
        self.refusal = refusal

    def prepare(self) -> None:
        status, words = self.refusal
        self.set_status(status)
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.set_header("Cache-Control", "no-store")
        self.finish(f"{words}\n")


class _Health(RequestHandler):
    """That the server is there, plain text."""

    def get(self) -> None:
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.set_header("Cache-Control", "no-store")
        self.finish("ok\n")


class _Headers(OutputTransform):
    """The headers every answer carries."""

    def transform_first_chunk(
        self,
        status_code: int,
        headers: HTTPHeaders,
        chunk: bytes,
        finishing: bool,  # noqa: ARG002 - Tornado's name
    ) -> tuple[int, HTTPHeaders, bytes]:
        for name, text in _HEADERS.items():
            headers[name] = text
        for name in [name for name in headers if name.startswith("Access-Control-")]:
            del headers[name]
        return status_code, headers, chunk


def _say_nothing(_: RequestHandler) -> None:
    """No line a request."""


def health_route() -> tuple[str, type[RequestHandler]]:
    """The path that says the server is there."""
    return r"/healthz", _Health


def extra_routes(board: Board, about: About) -> list[Any]:
    """The paths beside the page's own."""
    busy = asyncio.Semaphore(1)  # an export holds all rows in memory: one at a time
    return [
        health_route(),
        (r"/export/([^/]*)", ExportHandler, {"board": board, "about": about, "busy": busy}),
    ]
