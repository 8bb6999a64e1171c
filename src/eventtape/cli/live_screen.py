"""The live run in a terminal, for machines without a browser: what the board says, twice a second.

The newest row of everything the night's graph answers, the health of each feed and of the engine.
Texts of feeds are shown as they are, never as markup.
"""

from __future__ import annotations

import math
import time
from typing import Any

import polars as pl
from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from eventtape.arrays import Status
from eventtape.cli.terminal import NONE
from eventtape.clock import SECOND, format_ns
from eventtape.stream.answers import KEYS
from eventtape.stream.board import Board, News

__all__ = ["LiveScreen"]

_STATE_STYLE = {"live": "green", "history": "cyan", "stale": "yellow", "down": "bold red"}
_MOST = 12


class LiveScreen:
    """The newest rows of a board as tables; :meth:`draw` looks at the board once."""

    def __init__(self, board: Board, title: str, *, simulated: bool) -> None:
        self._reader = board.reader()
        self._title, self._simulated = title, simulated
        self._newest: dict[str, dict[tuple[Any, ...], dict[str, Any]]] = {}

    def draw(self) -> RenderableType:
        """The screen as it should look now."""
        news = self._reader.take()
        for name, rows in news.rows.items():
            self._keep(name, rows)
        parts: list[RenderableType] = [self._head(news)]
        if self._simulated:
            parts.append(
                Panel("SIMULATED DATA: no number below is a market's", style="bold white on red")
            )
        parts += [
            Text(f"stopped: {failure.node}: {failure.message}", style="bold red")
            for failure in news.failures
        ]
        makers = (_probability, _markets, _chains, _leaders, _factors, _scores, _so_far)
        parts += [part for part in (make(self._newest) for make in makers) if part is not None]
        if not self._newest:
            parts.append(Text("Nothing has come yet.", style="dim"))
        parts.append(_health(news))
        return Group(*parts)

    def _keep(self, name: str, rows: pl.DataFrame) -> None:
        keys = KEYS.get(name)
        if keys is None:
            return
        held = self._newest.setdefault(name, {})
        last = rows.unique(keys, keep="last", maintain_order=True) if keys else rows.tail(1)
        for row in last.to_dicts():
            held[tuple(row[key] for key in keys)] = row

    def _head(self, news: News) -> Text:
        at = max(news.upto_ns.values(), default=0)
        line = Text(self._title, style="bold")
        if at > 0:
            line.append(f"   market time {format_ns(at)}", style="not bold cyan")
        return line.append(f"   now {format_ns(time.time_ns() // SECOND * SECOND)}", style="dim")


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, box=SIMPLE_HEAD, padding=(0, 1, 0, 0), title_justify="left")
    for i, column in enumerate(columns):
        table.add_column(column, justify="right" if i else "left")
    return table


def _probability(newest: dict[str, Any]) -> Table | None:
    rows = newest.get("probability")
    if not rows:
        return None
    table = _table("Probability", "feed", "quote", "filtered", "± 95%", "z", "regime", "at")
    for row in rows.values():
        table.add_row(
            Text(row["feed"]), _number(row["quote"], ".3f"), _number(row["mean"], ".3f"),
            _number(_times(1.96, row["sd"]), ".3f"), _number(row["z"], "+.1f"),
            Text(row["regime"]), _clock(row),
        )  # fmt: skip
    return table


def _markets(newest: dict[str, Any]) -> Table | None:
    rows = newest.get("markets")
    if not rows:
        return None
    table = _table(
        "Markets: log return per unit of probability, intervals for one look",
        "market", "gap", "95% interval",
        "price", "implied", "at", "status",
    )  # fmt: skip
    for row in rows.values():
        table.add_row(
            Text(row["market"]), _number(row["gap"], "+.3f"),
            _span(row["gap_lower"], row["gap_upper"]), _price(row["level"]),
            _price(row["implied"]), _clock(row), _status(row["status"]),
        )  # fmt: skip
    return table


def _chains(newest: dict[str, Any]) -> Table | None:
    rows = newest.get("density")
    if not rows:
        return None
    table = _table(
        "Options", "chain", "forward", "vol", "method", "mean if it happens", "if not",
        "gap, 95%", "status",
    )  # fmt: skip
    states = newest.get("states", {})
    for (chain,), row in rows.items():
        mine = [one for (name, _), one in states.items() if name == chain]
        table.add_row(
            Text(chain), _number(row["forward"], ".2f"), _number(row["vol"], ".1%"),
            "density", "", "", "", _status(row["status"]),
        )  # fmt: skip
        for one in mine:
            table.add_row(
                "", "", "", Text(one["method"]), _span(one["up_low"], one["up_high"], ".2f"),
                _span(one["down_low"], one["down_high"], ".2f"),
                _span(one["gap_lower"], one["gap_upper"]), _status(one["status"]),
            )  # fmt: skip
    return table


def _leaders(newest: dict[str, Any]) -> Table | None:
    rows = [row for row in newest.get("leadership", {}).values() if row["identified"]]
    if "leadership" not in newest:
        return None
    table = _table(
        "Leadership: share of the first in the pair's news", "first", "second", "share", "at"
    )
    for row in rows[:_MOST]:
        table.add_row(
            Text(row["first"]), Text(row["second"]), _number(row["pils"], ".2f"), _clock(row)
        )
    if not rows:
        table.add_row(Text("no pair is identified", style="dim"), "", "", "")
    return table


def _factors(newest: dict[str, Any]) -> Table | None:
    rows = newest.get("factors")
    if not rows:
        return None
    table = _table("Factors, last step", "factor", "return, bp", "seen long", "seen short", "at")
    for row in rows.values():
        table.add_row(
            Text(row["factor"]), _number(_times(1e4, row["simple_return"]), "+.2f"),
            _number(row["coverage_long"], ".0%"), _number(row["coverage_short"], ".0%"),
            _clock(row),
        )  # fmt: skip
    return table


def _scores(newest: dict[str, Any]) -> Table | None:
    rows = [
        row for row in newest.get("scores", {}).values() if _number(row["probability"], "") != NONE
    ]
    if not rows:
        return None
    rows.sort(key=lambda row: -abs(row["probability"] - row["base_rate"]))
    table = _table("Up-move, furthest from the base rate", "ticker", "P(up)", "base", "at")
    for row in rows[:_MOST]:
        table.add_row(
            Text(row["ticker"]), _number(row["probability"], ".1%"),
            _number(row["base_rate"], ".1%"), _clock(row),
        )  # fmt: skip
    return table


def _so_far(newest: dict[str, Any]) -> Table | None:
    rows = newest.get("live_scores")
    if not rows:
        return None
    table = _table(
        "The model so far, less is better", "forecasts known", "Brier", "of base rate", "log loss",
        "of base rate", "at", "status",
    )  # fmt: skip
    for row in rows.values():
        names = ("brier", "brier_base", "log_loss", "log_loss_base")
        numbers = (_number(row[name], ".4f") for name in names)
        table.add_row(f"{row['n']:,}", *numbers, _clock(row), _status(row["status"]))
    return table


def _health(news: News) -> Table:
    lag = news.lag
    title = f"Feeds; to the board {_number(lag.p50_ms, '.0f')} ms, p99 {_number(lag.p99_ms, '.0f')}"
    table = _table(
        title, "feed", "state", "rows", "last stamp", "reconnects", "holes", "late", "malformed",
        "said",
    )  # fmt: skip
    for one in news.feeds.values():
        table.add_row(
            Text(one.feed), Text(one.state, style=_STATE_STYLE.get(one.state, "")),
            f"{one.rows:,}", NONE if one.last_stamp_ns < 0 else format_ns(one.last_stamp_ns),
            str(one.reconnects), f"{one.gaps} ({one.unfilled} open)", str(one.late),
            str(one.malformed), Text(one.message),
        )  # fmt: skip
    return table


def _clock(row: dict[str, Any]) -> str:
    return f"{row['ts']:%H:%M:%S}"


def _times(factor: float, value: float | None) -> float:
    return math.nan if value is None else factor * value


def _number(value: float | None, form: str) -> str:
    return NONE if value is None or math.isnan(value) else format(value, form)


def _price(log_price: float | None) -> str:
    return NONE if log_price is None or math.isnan(log_price) else f"{math.exp(log_price):,.6g}"


def _span(low: float | None, high: float | None, form: str = "+.3f") -> str:
    ends = _number(low, form), _number(high, form)
    return NONE if NONE in ends else f"{ends[0]} to {ends[1]}"


def _status(status: str) -> Text:
    return Text("" if status == Status.OK else status, style="yellow")
