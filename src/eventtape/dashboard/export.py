"""What is on the screen as files: the rows behind each figure, and how the feeds are doing, as CSV.

Names come from a fixed list and no file is read or written on the server, so there is no path for a
reader to bend. Text that a spreadsheet would take for a formula, spaces before it or
not, gets an apostrophe before it; all text is quoted, and numbers stay numbers.
"""

from __future__ import annotations

import asyncio
import io
import zipfile
from http import HTTPStatus
from typing import Any

import polars as pl
from tornado.web import RequestHandler

from eventtape.clock import format_ns
from eventtape.dashboard.about import About
from eventtape.stream.answers import ANSWERS
from eventtape.stream.board import Board
from eventtape.tape.health import FeedHealth

__all__ = ["EVERYTHING", "NAMES", "ExportHandler", "csv_of", "everything"]

EVERYTHING = "everything.zip"
FEEDS = "feeds.csv"
NODES = tuple(dict.fromkeys((*ANSWERS, "features", "live_scores")))
NAMES = (EVERYTHING, FEEDS, *(f"{node}.csv" for node in NODES))
_FORMULA = r"^(\s*[=+\-@]|[\t\r])"
_TEXTS = (pl.String, pl.Categorical, pl.Enum)


def csv_of(rows: pl.DataFrame | None) -> bytes:
    """The rows as UTF-8 CSV with a heading; times in ISO 8601 UTC.

    Lists of numbers are joined by spaces, NaN where there is none; lists of texts by line ends.
    """
    if rows is None:
        return b""
    columns = []
    for name, kind in rows.schema.items():
        column = pl.col(name)
        if isinstance(kind, pl.List):
            column = _joined(column, kind)
        elif isinstance(kind, pl.Datetime):
            column = column.dt.strftime("%Y-%m-%dT%H:%M:%S%.9fZ")
        elif kind in _TEXTS:
            column = _no_formula(column)
        columns.append(column.alias(name))
    return rows.select(columns).write_csv(quote_style="non_numeric").encode()


def _no_formula(column: pl.Expr) -> pl.Expr:
    text = column.cast(pl.String)
    return pl.when(text.str.contains(_FORMULA)).then("'" + text).otherwise(text)


def _joined(column: pl.Expr, kind: pl.List) -> pl.Expr:
    """One text a list, of as many parts as the list has elements; null where the list is."""
    if kind.inner not in _TEXTS:
        return column.list.eval(pl.element().cast(pl.String).fill_null("NaN")).list.join(" ")
    line = pl.element().cast(pl.String).str.replace_all(r"[\r\n]+", " ").fill_null("")
    return column.list.eval(_no_formula(line)).list.join("\n")


def everything(board: Board, about: About, until_ns: int | None) -> bytes:
    """A zip of every node's rows up to ``until_ns``, the feeds, and what they are of."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as whole:
        whole.writestr("about.txt", _about_text(about, until_ns))
        for name in NAMES[1:]:
            whole.writestr(name, _one(board, name, until_ns))
    return out.getvalue()


class ExportHandler(RequestHandler):
    """``/export/NAME?until_ns=...``: one of :data:`NAMES`, as a download."""

    def initialize(self, board: Board, about: About, busy: asyncio.Semaphore) -> None:
        """The board to read, and the turn to wait for."""
        self.board, self.about, self.busy = board, about, busy

    async def get(self, name: str) -> None:
        """The file, or in words why there is none."""
        until = self.get_query_argument("until_ns", "")
        if name not in NAMES:
            self._refuse(HTTPStatus.NOT_FOUND, f"Exports are {', '.join(NAMES)}.")
            return
        if until and not (until.isascii() and until.isdigit() and len(until) <= len(str(2**62))):
            self._refuse(HTTPStatus.BAD_REQUEST, "until_ns is UTC nanoseconds, a whole number.")
            return
        until_ns = int(until) if until else None
        make = everything if name == EVERYTHING else _named(name)
        async with self.busy:
            data = await asyncio.to_thread(make, self.board, self.about, until_ns)
        kind = "application/zip" if name == EVERYTHING else "text/csv; charset=utf-8"
        self.set_header("Content-Type", kind)
        self.set_header("Content-Disposition", f'attachment; filename="eventtape-{name}"')
        self.set_header("Cache-Control", "no-store")
        self.finish(data)

    def _refuse(self, status: HTTPStatus, words: str) -> None:
        self.set_status(status)
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish(f"{words}\n")


def _named(name: str) -> Any:
    return lambda board, _, until_ns: _one(board, name, until_ns)


def _one(board: Board, name: str, until_ns: int | None) -> bytes:
    if name == FEEDS:
        feeds = board.news({}).feeds
        return csv_of(pl.DataFrame(list(feeds.values()), schema=list(FeedHealth._fields)))
    return csv_of(board.rows(name.removesuffix(".csv"), until_ns=until_ns))


def _about_text(about: About, until_ns: int | None) -> str:
    kept = "all rows kept" if until_ns is None else f"rows stamped until {format_ns(until_ns)}"
    data = "SIMULATED DATA: no number here is a market's" if about.simulated else "real data"
    lines = (about.title, about.key, f"probability that {about.outcome}", data, kept, *about.notes)
    return "".join(f"{' '.join(line.split())}\n" for line in lines)
