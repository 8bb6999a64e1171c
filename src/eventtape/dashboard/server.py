"""The dashboard's server: one thread of its own, on the loopback unless told otherwise.

It serves the page, its websocket, the scripts of Bokeh and Panel that lie on this machine, exports
and ``/healthz``, and nothing else; :mod:`~eventtape.dashboard.guard` stands before all of them.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import suppress
from typing import Self

from bokeh.server.server import BaseServer
from panel.io.application import build_applications
from tornado.httpserver import HTTPServer
from tornado.ioloop import IOLoop

from eventtape.dashboard.about import About, checked
from eventtape.dashboard.guard import Guard, check_bind
from eventtape.dashboard.page import page_maker
from eventtape.dashboard.routes import Guarded, extra_routes
from eventtape.errors import InputError, StreamError
from eventtape.stream.board import Board

__all__ = ["Door", "Server", "serve"]

_START_S, _REST_S = 30.0, 1.0
_CHECK_MS, _UNWATCHED_MS = 2_000, 10_000  # a screen without a browser goes after so long


class Door(ABC):
    """A guarded server in a thread of its own; as a context manager it stops at the end.

    ``names`` are further host names under which browsers may ask for it.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        token: str | None = None,
        names: Sequence[str] = (),
    ) -> None:
        check_bind(host, port, token)
        self.host, self.port = host, port
        self._token, self._names = token, tuple(names)
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._over: asyncio.Event | None = None
        self._error: BaseException | None = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """The page's address, without the token."""
        return f"http://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}/"

    @property
    def alive(self) -> bool:
        """Whether it answers."""
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> Self:
        """Serve from now on; an address that cannot be bound is an :class:`InputError`.

        Port 0 takes a free one and keeps it over :meth:`stop` and a second start.
        """
        if self.alive:
            return self
        door = _bound(self.host, self.port)
        self.port, self._error = door.getsockname()[1], None
        ready = threading.Event()
        self._thread = threading.Thread(
            target=self._work, args=(door, ready), name="eventtape-dashboard", daemon=True
        )
        self._thread.start()
        if not ready.wait(_START_S) or self._error is not None:
            raise StreamError(f"the dashboard did not start: {self._error}") from self._error
        return self

    def stop(self) -> None:
        """Close the port and every screen."""
        if self._thread is None or self._loop is None or self._over is None:
            return
        with suppress(RuntimeError):  # its loop has closed by itself
            self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join()
        self._thread = self._loop = self._over = None

    def _work(self, door: socket.socket, ready: threading.Event) -> None:
        try:
            asyncio.run(self._serve(door, ready))
        except BaseException as error:  # noqa: BLE001 - carried to whoever starts it
            self._error = error
        finally:
            ready.set()

    async def _serve(self, door: socket.socket, ready: threading.Event) -> None:
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        app = self._app(Guard(self.host, self.port, self._token, self._names))
        http = HTTPServer(app)
        http.add_socket(door)
        running = BaseServer(IOLoop.current(), app, http)
        running.start()
        ready.set()
        try:
            await self._over.wait()
        finally:
            http.stop()
            await app.close_screens()
            running.stop()
            await http.close_all_connections()
            rest = asyncio.all_tasks() - {asyncio.current_task()}
            if rest:  # what is still being said to browsers that have gone
                await asyncio.wait(rest, timeout=_REST_S)

    @abstractmethod
    def _app(self, guard: Guard) -> Guarded:
        """What answers, behind the guard."""


class Server(Door):
    """A dashboard over a board; :func:`serve` makes one."""

    def __init__(
        self,
        board: Board,
        about: About,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        token: str | None = None,
        names: Sequence[str] = (),
    ) -> None:
        super().__init__(host=host, port=port, token=token, names=names)
        self.board, self.about = board, checked(about)

    def _app(self, guard: Guard) -> Guarded:
        return Guarded(
            build_applications({"/": page_maker(self.board, self.about)}, title=self.about.title),
            guard=guard,
            extra_patterns=extra_routes(self.board, self.about),
            check_unused_sessions_milliseconds=_CHECK_MS,
            unused_session_lifetime_milliseconds=_UNWATCHED_MS,
        )


def _bound(host: str, port: int) -> socket.socket:
    """A listening socket; an address that cannot be bound is an :class:`InputError`."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        door = socket.create_server((host, port), family=family)
    except OSError as error:
        met = f"{host}:{port}: {error.strerror}"
        raise InputError("a host and a port that can be bound", met=met) from error
    door.setblocking(False)
    return door


def serve(
    board: Board,
    about: About,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    token: str | None = None,
    names: Sequence[str] = (),
) -> Server:
    """A started dashboard over ``board``; ``stop`` it when done.

    Beyond the loopback a ``token`` of 16 characters or more is asked for (:class:`InputError`); it
    guards every path and the websocket, and a browser shows it once as ``url?token=...``.
    """
    return Server(board, about, host=host, port=port, token=token, names=names).start()
