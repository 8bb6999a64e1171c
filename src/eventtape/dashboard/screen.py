"""One screen: what its reader chose, what it has drawn, and how far behind the engine it is.

A screen looks at the board when :meth:`Screen.tick` is called and never keeps the engine waiting.
Following, it draws what is new. Held (paused, or looking back) it draws nothing new and the engine
goes on; to follow again it draws afresh from the board. Choices are only noted when made and are
carried out by the next tick, so that a slider being dragged costs one drawing a tick.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Literal

import polars as pl

from eventtape.clock import SECOND, format_ns
from eventtape.dashboard.about import About
from eventtape.dashboard.parts import Part, draw
from eventtape.stream.answers import KEYS, time_column
from eventtape.stream.board import Board, News
from eventtape.stream.fold import NEVER

__all__ = ["SILENT", "Mode", "Screen"]

Mode = Literal["waiting", "live", "paused", "back", "ended"]
SILENT = ("stale", "down")
_REST = 4.0  # times the work of drawing a part: none takes more than a fifth of the thread
_PIECES = 64


class Screen:
    """A reader's place on the board, and the figures drawn from there."""

    def __init__(
        self,
        board: Board,
        about: About,
        parts: Iterable[Part],
        *,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self.board, self.about, self.parts, self.clock = board, about, tuple(parts), clock
        self.chain = ""
        self.chains: list[str] = []
        self.held_ns: int | None = None
        self.looking_back = False
        self.skipped = 0
        self.in_view: frozenset[str] | None = None  # the others wait until scrolled to; None: all
        self.first_ns = NEVER
        self.drawn_ns = NEVER  # stamp of the newest row drawn
        self.latest: dict[str, pl.DataFrame] = {}
        self._reader = board.reader()
        self.news: News = board.news({})._replace(rows={})
        self.afresh = True
        self._drawn: set[str] = set()
        self._warned: dict[str, str] = {}
        self._waiting: dict[str, pl.DataFrame] = {}
        self._appended: dict[str, int] = {}  # rows since a part was drawn as a whole
        self._rested: dict[str, float] = {}  # when each part may be drawn again, perf_counter

    @property
    def last_ns(self) -> int:
        """How far the engine has come in market time, UTC ns; NEVER before the first answer."""
        return max(self.news.upto_ns.values(), default=NEVER)

    @property
    def shown_ns(self) -> int:
        """How far this screen has come in market time, UTC ns."""
        return self.last_ns if self.held_ns is None else min(self.held_ns, self.last_ns)

    @property
    def behind_s(self) -> float:
        """Seconds of market time between the engine and this screen."""
        return max(0.0, (self.last_ns - self.shown_ns) / SECOND)

    @property
    def mode(self) -> Mode:
        """What the screen is doing."""
        if self.held_ns is not None:
            return "back" if self.looking_back else "paused"
        if self.last_ns == NEVER:
            return "waiting"
        states = {feed.state for feed in self.news.feeds.values()}
        return "ended" if states == {"ended"} else "live"

    def pause(self) -> None:
        """Hold what is drawn; the engine goes on."""
        if self.held_ns is None:
            self.held_ns, self.looking_back = self.last_ns, False

    def look_back(self, at_ns: int) -> None:
        """Hold, and show what was known at ``at_ns``."""
        self.held_ns, self.looking_back, self.afresh = at_ns, True, True

    def follow(self) -> None:
        """Draw what comes, from now on."""
        if self.held_ns is not None:
            self.held_ns, self.looking_back, self.afresh = None, False, True

    def pick(self, chain: str) -> None:
        """Show this underlying; one that is not on the board is passed over."""
        if chain in self.chains and chain != self.chain:
            self.chain, self.afresh = chain, True

    def refresh(self) -> None:
        """Draw afresh at the next tick, such as after the screen was not watched."""
        self.afresh = True

    def tick(self) -> bool:
        """Draw what is new; whether anything was."""
        if self.afresh:
            self.afresh = False
            self._reader = self.board.reader()
            self.news = self._reader.take()
            self._draw_afresh()
            changed = True
        else:
            self.news = self._reader.take()
            changed = False
            if self.held_ns is None:
                self.skipped += self.news.skipped
                changed = self._draw_on()
        self._say_why()
        self.news = self.news._replace(rows={})  # held no longer than it takes to draw them
        return changed

    def _draw_afresh(self) -> None:
        rows = self.news.rows
        starts = [int(r[time_column(r)].to_physical()[0]) for r in rows.values() if r.height]
        self.first_ns = min(starts, default=NEVER)
        if self.held_ns is not None:
            rows = {name: _until(frame, self.held_ns) for name, frame in rows.items()}
        self.latest, self._drawn, self._waiting, self.drawn_ns = {}, set(), {}, NEVER
        self._appended = {}
        for name, frame in rows.items():
            self._note(name, frame)
        for part in self.parts:
            mine = rows.get(part.key)
            if mine is not None and mine.height:
                draw(part, mine.tail(part.most), self.chain)
                self._has_drawn(part, mine)

    def _draw_on(self) -> bool:
        """Draw what waits, where it can be seen; a part that was dear to draw waits longer."""
        for name, frame in self.news.rows.items():
            self._note(name, frame)
        drawn = False
        for part in self.parts:
            self._wait(part, self.news.rows.get(part.key))
            resting = time.perf_counter() < self._rested.get(part.key, 0.0)
            if part.key not in self._waiting or resting:
                continue
            if self.in_view is not None and part.key not in self.in_view:
                continue
            began, rows = time.thread_time(), self._waiting.pop(part.key)
            if part.key in self._drawn and not self._grown(part, rows.height):
                part.figure.append(rows)
            else:
                draw(part, self._whole(part, rows), self.chain)
            self._has_drawn(part, rows)
            self._rested[part.key] = time.perf_counter() + _REST * (time.thread_time() - began)
            drawn = True
        return drawn

    def _grown(self, part: Part, n: int) -> bool:
        """Whether a part has grown by so many rows that a browser would be slow to draw it."""
        grown = self._appended.get(part.key, 0) + n
        whole = 0 < part.anew <= grown
        self._appended[part.key] = 0 if whole else grown
        return whole

    def _whole(self, part: Part, rows: pl.DataFrame) -> pl.DataFrame:
        """All rows of the board up to the newest of these; these alone before the first drawing."""
        if part.key not in self._drawn:
            return rows
        newest = rows[time_column(rows)].to_physical()[-1]
        kept = self.board.rows(part.key, until_ns=newest)
        return rows if kept is None else kept

    def _has_drawn(self, part: Part, rows: pl.DataFrame) -> None:
        self._drawn.add(part.key)
        newest = rows[time_column(rows)].to_physical()[-1]
        self.drawn_ns = max(self.drawn_ns, NEVER if newest is None else int(newest))

    def _wait(self, part: Part, rows: pl.DataFrame | None) -> None:
        """Put the rows behind those that wait; the oldest beyond the most are skipped."""
        if rows is None:
            return
        if part.key in self._waiting:
            rows = pl.concat([self._waiting[part.key], rows])
        self.skipped += max(0, rows.height - part.most)
        rows = rows.tail(part.most)
        self._waiting[part.key] = rows.rechunk() if rows.n_chunks() > _PIECES else rows

    def _note(self, name: str, rows: pl.DataFrame) -> None:
        """Keep the last row of each name, and choose the first chain met."""
        by = KEYS.get(name)
        if by is None or rows.is_empty():
            return
        if not by:
            self.latest[name] = rows.tail(1)
            return
        known = [self.latest[name]] if name in self.latest else []
        whole = pl.concat([*known, rows.unique(by, keep="last", maintain_order=True)])
        self.latest[name] = whole.unique(by, keep="last", maintain_order=True).sort(by)
        if name == "density":
            self.chains = list(
                dict.fromkeys([*self.chains, *rows["chain"].unique(maintain_order=True)])
            )
            self.chain = self.chain or self.chains[0]

    def _say_why(self) -> None:
        """In each figure, why it is empty or what is amiss."""
        stopped = {failure.node: failure.message for failure in self.news.failures}
        for part in self.parts:
            why = next((f"stopped: {stopped[n]}" for n in part.behind if n in stopped), "")
            if part.key in self._drawn:
                words = why or self._silence(part)
            else:
                words = why or self._nothing(part)
            said = f"{part.key in self._drawn}{words}"
            if self._warned.get(part.key) == said:
                continue
            self._warned[part.key] = said
            if part.key in self._drawn:
                part.figure.warn(words)
            else:
                part.figure.clear(words)

    def _nothing(self, part: Part) -> str:
        if self.held_ns is not None and self.last_ns > NEVER:
            return f"nothing kept from before {format_ns(self.held_ns)}"
        return part.empty

    def _silence(self, part: Part) -> str:
        """The primary feed's silence, over what hangs on it."""
        feed = self.news.feeds.get(self.about.primary)
        if part.key not in ("probability", "markets") or feed is None or feed.state not in SILENT:
            return ""
        return f"{feed.feed} is {feed.state}: {_since(feed.last_received_ns, self.clock())}"


def _until(rows: pl.DataFrame, until_ns: int) -> pl.DataFrame:
    return rows.filter(pl.col(time_column(rows)).to_physical() <= until_ns)


def _since(last_ns: int, now_ns: int) -> str:
    """For how long it has been silent, in steps that do not change at every look."""
    if last_ns < 0:
        return "nothing heard from it yet"
    seconds = max(0, now_ns - last_ns) // SECOND
    for step, unit, name in ((3_600, 3_600, "h"), (60, 60, "min"), (10, 1, "s")):
        if seconds >= step:
            return f"silent for {seconds // step * step // unit} {name}"
    return "silent"
