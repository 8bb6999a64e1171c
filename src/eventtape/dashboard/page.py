"""The page of one screen: figures, controls and tables around a :class:`~.screen.Screen`.

Twenty times a second the screen looks at the board and what changed goes to the browser, which
answers each beat when it has drawn it. While two beats are unanswered nothing more is sent, so a
slow browser or line gets the newest less often and never a backlog. A page that nobody looks at,
hidden or closed, is sent nothing.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable
from functools import cache
from importlib import resources
from typing import Any
from urllib.parse import quote

import panel as pn
import polars as pl

from eventtape.clock import SECOND, format_ns
from eventtape.dashboard import tables
from eventtape.dashboard.about import About
from eventtape.dashboard.parts import absent, parts_of
from eventtape.dashboard.screen import SILENT, Screen
from eventtape.dashboard.wire import Wire
from eventtape.figures.live_health import LiveHealth, lag_row
from eventtape.figures.live_leadership import LiveLeadership
from eventtape.figures.themes import theme
from eventtape.stream.board import Board
from eventtape.stream.fold import NEVER

__all__ = ["Page", "page_maker"]

_TICK_MS = 100
_SLOWLY = 4  # tables and clocks every so many ticks
_UNANSWERED = 2
_LAGS = 2_000
_FORGOTTEN_S = 30.0  # an answer that has not come by then will not
_DARK = "eventtape-dark"
ICON = "data:image/svg+xml," + quote(
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16">'
    '<rect width="16" height="16" rx="3" fill="#0072B2"/>'
    '<path d="M2 11h4l2-6 2 4h4" fill="none" stroke="#fff" stroke-width="1.6"/></svg>'
)
_MODES = {
    "waiting": "○ Waiting for the first answer",
    "live": "● Live",
    "paused": "❚❚ Paused",
    "back": "◀ Looking back",
    "ended": "□ The run has ended",
}


class Page:
    """One screen in a document: what the browser asks for, and what it is sent."""

    def __init__(self, board: Board, about: About) -> None:
        self.about = about
        self.parts = parts_of(about)
        self.screen = Screen(board, about, self.parts)
        self.lags = LiveHealth(simulated=about.simulated)
        self.wire = Wire(name="wire")
        self._sent: dict[int, float] = {}
        self._trips: deque[float] = deque(maxlen=64)
        self._lags: deque[pl.DataFrame] = deque(maxlen=_LAGS)  # until they can be seen
        self._ticks = 0
        _on(self.wire, "paused", self._choose)
        _on(self.wire, "at_s", self._choose)
        _on(self.wire, "chain", lambda: self.screen.pick(self.wire.chain))
        _on(self.wire, "hidden", self.screen.refresh)
        _on(self.wire, "in_view", self._look)
        _on(self.wire, "seen", self._seen)

    def roots(self) -> dict[str, Any]:
        """What the page shows, by the names that its HTML has for them."""
        figures = {part.key: part.figure.figure for part in self.parts}
        return {**figures, "lags": self.lags.figure, "wire": self.wire}

    def tick(self) -> None:
        """One look at the board, and what it changes on the page."""
        now = time.monotonic()
        self._sent = {b: at for b, at in self._sent.items() if now - at < _FORGOTTEN_S}
        if self.wire.hidden or len(self._sent) >= _UNANSWERED:
            return
        screen = self.screen
        afresh = screen.afresh
        changed = screen.tick()
        if afresh or self._ticks % _SLOWLY == 0:
            self._say()
            changed = True
        self._ticks += 1
        if changed:
            self.wire.drawn_ns = str(screen.drawn_ns) if screen.drawn_ns > NEVER else ""
            self._sent[self.wire.beat + 1] = now
            self.wire.beat += 1

    def _choose(self) -> None:
        if self.wire.at_s >= 0.0:
            self.screen.look_back(round(self.wire.at_s * SECOND))
        elif self.wire.paused:
            self.screen.pause()
        else:
            self.screen.follow()

    def _look(self) -> None:
        keys = frozenset(self.wire.in_view)
        self.screen.in_view = None if "*" in keys else keys

    def _seen(self) -> None:
        """The browser has drawn this beat, and so all before it."""
        sent = self._sent.get(self.wire.seen)
        if sent is not None:
            self._trips.append(1_000.0 * (time.monotonic() - sent))
        self._sent = {beat: at for beat, at in self._sent.items() if beat > self.wire.seen}

    def _say(self) -> None:
        """Clocks, the words of the controls, and the tables; what has not changed is not sent."""
        screen, now = self.screen, self.screen.clock()
        self._lags.append(lag_row(now, screen.news.lag))
        if screen.in_view is None or "engine" in screen.in_view:
            self.lags.append(pl.concat(self._lags))
            self._lags.clear()
        trips = sorted(self._trips)
        trip_ms = trips[int(0.99 * (len(trips) - 1))] if trips else math.nan
        leaders = [p.figure for p in self.parts if isinstance(p.figure, LiveLeadership)]
        said = {
            "feeds": tables.feed_rows(screen.news.feeds, now),
            "engine": tables.engine_facts(screen.news, screen.skipped, trip_ms),
            "markets": tables.market_rows(screen.latest.get("markets")),
            "states": tables.state_rows(screen.latest.get("states"), screen.chain),
            "leadership": tables.leadership_rows(pair for fig in leaders for pair in fig.table()),
            "live_scores": tables.live_score_rows(screen.latest.get("live_scores")),
            "scores": tables.score_rows(screen.latest.get("scores")),
        }
        self.wire.tables = {**self.wire.tables, **said}
        self.wire.chains = list(screen.chains)
        if screen.chain and not self.wire.chain:
            self.wire.chain = screen.chain
        self.wire.said = self._words(now)

    def _words(self, now: int) -> dict[str, Any]:
        screen = self.screen
        held = screen.held_ns is not None
        behind = f", {screen.behind_s:,.0f} s of market time behind the engine" if held else ""
        troubled = sorted(f.feed for f in screen.news.feeds.values() if f.state in SILENT)
        stopped = [failure.node for failure in screen.news.failures]
        amiss = [f"{tables.text(name)} is silent" for name in troubled]
        amiss += [f"{tables.text(name)} has stopped" for name in stopped]
        return {
            "mode": screen.mode,
            "words": f"{_MODES[screen.mode]}{behind}",
            "amiss": "; ".join(amiss),
            "event": tables.stamp_words(screen.shown_ns),
            "wall": tables.stamp_words(now),
            "first_s": max(screen.first_ns, 0) // SECOND,
            "last_s": max(-(-screen.last_ns // SECOND), 0),
            "shown_s": max(screen.shown_ns, 0) // SECOND,
            "until_ns": str(screen.shown_ns) if held and screen.shown_ns > NEVER else "",
        }


def _on(wire: Wire, name: str, call: Callable[[], None]) -> None:
    """Make the call when the browser, or we, change the property."""

    def changed(attr: str, old: object, new: object) -> None:  # noqa: ARG001 - names Bokeh asks for
        call()

    wire.on_change(name, changed)


def page_maker(board: Board, about: About) -> Callable[[], pn.Template]:
    """What makes a page for each browser that opens one."""
    html = _file("page.html")

    def made() -> pn.Template:
        document: Any = pn.state.curdoc
        dark = pn.state.cookies.get(_DARK) == "1"
        page = Page(board, about)
        document.theme = theme(dark=dark)
        template = pn.Template(html)
        for name, value in _variables(about, page, dark=dark).items():
            template.add_variable(name, value)
        with document.models.freeze():  # else each figure added walks through all before it
            for key, model in page.roots().items():
                model.name = key
                document.add_root(model)
            page.tick()
        document.add_periodic_callback(page.tick, _TICK_MS)
        return template

    return made


def _variables(about: About, page: Page, *, dark: bool) -> dict[str, Any]:
    """What the page's HTML is filled with; it escapes each that is text."""
    window = ""
    if min(about.start_ns, about.end_ns) >= 0:
        ends = (format_ns(ns, seconds=False) for ns in (about.start_ns, about.end_ns))
        window = " to ".join(end.replace("T", " ").removesuffix("Z") for end in ends) + " UTC"
    return {
        "about": about,
        "absent": ", ".join(absent(about)),
        "columns": tables.COLUMNS,
        "dark": dark,
        "heading": f"{'SIMULATED DATA: ' if about.simulated else ''}{about.title} · eventtape",
        "icon": ICON,
        "parts": page.parts,
        "script": _file("page.js"),
        "style": _file("page.css"),
        "watch": _file("watch.js"),
        "window": window,
    }


@cache
def _file(name: str) -> str:
    return (resources.files("eventtape.dashboard") / name).read_text(encoding="utf-8")
