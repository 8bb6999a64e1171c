"""Serve a finished page on this machine until Ctrl-C."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

__all__ = ["serve_until_stopped"]


def serve_until_stopped(
    page: Path, *, host: str = "127.0.0.1", port: int = 0, token: str | None = None
) -> None:
    """Serve the page of this file and say where; returns after Ctrl-C.

    Beyond the loopback it wants a token (:class:`~eventtape.errors.InputError`).
    """
    from eventtape.dashboard.page_server import serve_page

    with serve_page(page.read_text("utf-8"), host=host, port=port, token=token) as server:
        secret = "" if token is None else " (with ?token=… the first time)"
        print(f"eventtape: {page.name}: {server.url}{secret}; Ctrl-C stops it", file=sys.stderr)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            print("eventtape: stopping", file=sys.stderr)
