"""A server on 127.0.0.1 that answers in each service's own shape, and remembers what was asked."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple
from urllib.parse import parse_qsl, urlsplit


class Asked(NamedTuple):
    path: str
    query: dict[str, str]
    headers: dict[str, str]


@dataclass
class Reply:
    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut_at: int | None = None  # send so many bytes of the body, then hang up
    length: bool = True  # state Content-Length


def as_json(value, **more):
    return Reply(json.dumps(value).encode(), **more)


class Loopback:
    """Routes by path: a reply, a list of replies used up in turn, or a function of the request."""

    def __init__(self):
        self.routes: dict[str, Reply | list[Reply] | Callable[[Asked], Reply]] = {}
        self.asked: list[Asked] = []
        loopback = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self):
                loopback.answer(self)

            def log_message(self, *args):
                pass

        class Server(ThreadingHTTPServer):
            def handle_error(self, request, client_address):
                # A client that lost patience has hung up, which is what some tests are about.
                if not isinstance(sys.exception(), ConnectionError):
                    super().handle_error(request, client_address)

        self._server = Server(("127.0.0.1", 0), Handler)
        self.base = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        )
        self._thread.start()

    def answer(self, handler):
        url = urlsplit(handler.path)
        asked = Asked(url.path, dict(parse_qsl(url.query)), dict(handler.headers))
        self.asked.append(asked)
        route = self.routes.get(url.path, Reply(b'{"error": "not found"}', 404))
        if isinstance(route, list):
            route = route.pop(0)
        reply = route(asked) if callable(route) else route
        handler.send_response(reply.status)
        for name, value in reply.headers.items():
            handler.send_header(name, value)
        if reply.length:
            handler.send_header("Content-Length", str(len(reply.body)))
        if reply.cut_at is not None or not reply.length:
            handler.send_header("Connection", "close")
            handler.close_connection = True
        handler.end_headers()
        handler.wfile.write(reply.body[: reply.cut_at])

    def close(self):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def paths(self):
        return [asked.path for asked in self.asked]
