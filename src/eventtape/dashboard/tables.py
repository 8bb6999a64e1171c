"""The tables of the page: numbers in words, verdicts and the state of feeds, as plain text.

A cell is text, or text and a kind from :data:`KINDS`, which the page colours. The page puts text
into cells as text, so a feed may call itself what it likes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import polars as pl

from eventtape.clock import SECOND, format_ns
from eventtape.figures.live_leadership import LeadershipRow
from eventtape.stream.board import Metrics, News
from eventtape.tape.health import FeedHealth, FeedState

__all__ = [
    "COLUMNS",
    "KINDS",
    "Rows",
    "engine_facts",
    "feed_rows",
    "leadership_rows",
    "live_score_rows",
    "market_rows",
    "score_rows",
    "stamp_words",
    "state_rows",
    "text",
]

Cell = str | list[str]
Rows = list[list[Cell]]
KINDS = ("good", "warn", "bad", "quiet")
_NONE = "—"
_LONGEST = 200
_THOUSAND = 1_000.0
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "feeds": (
        "Feed", "State", "Last seen", "Rows", "Reconnects", "Gaps", "Filled", "Unfilled", "Late",
        "Malformed", "Repeated", "Skew", "Last trouble",
    ),
    "engine": ("Measure", "Now"),
    "markets": ("Market", "Gap", "95% interval, for one look", "Verdict"),
    "states": (
        "Method", "Probability", "Mean if it happens", "Mean if not", "Gap", "Interval", "Verdict",
    ),
    "leadership": (
        "First", "Second", "Leader", "Share of first", "Information share", "Component share",
        "p of no relation", "Verdict", "At",
    ),
    "live_scores": (
        "Forecasts known", "Brier", "Brier of base rate", "Log loss", "Log loss of base rate", "At",
        "Verdict",
    ),
    "scores": ("Symbol", "Up-move", "Base rate", "At", "Verdict"),
}  # fmt: skip
"""Headings of each table; the first column heads its rows."""
# A shape beside the colour: not every eye tells green from red.
_STATES: Mapping[FeedState, tuple[str, str]] = {
    "live": ("● live", "good"),
    "connecting": ("○ connecting", "quiet"),
    "history": ("▷ history", "quiet"),
    "stale": ("◆ stale", "warn"),
    "down": ("■ down", "bad"),
    "ended": ("□ ended", "quiet"),
}


def stamp_words(ns: int) -> str:
    """``2024-11-06 02:14:05 UTC``, or a dash of no time."""
    if ns < 0:
        return _NONE
    return f"{format_ns(ns).replace('T', ' ').removesuffix('Z')} UTC"


def feed_rows(feeds: Mapping[str, FeedHealth], now_ns: int) -> Rows:
    """A row a feed: state in words and a shape, when it was last seen, what was lost."""
    return [
        [
            text(feed.feed),
            list(_STATES[feed.state]),
            _ago(feed.last_received_ns, now_ns),
            f"{feed.rows:,}",
            f"{feed.reconnects:,}",
            f"{feed.gaps:,}",
            f"{feed.backfilled:,}",
            _bad(feed.unfilled),
            f"{feed.late:,}",
            _bad(feed.malformed),
            f"{feed.duplicates:,}",
            _NONE if math.isnan(feed.skew_ms) else f"{feed.skew_ms:+,.0f} ms",
            text(feed.message) or _NONE,
        ]
        for feed in sorted(feeds.values(), key=lambda feed: feed.feed)
    ]


def engine_facts(news: News, skipped: int, screen_ms: float) -> Rows:
    """How the engine and this screen keep up; ``screen_ms`` from the board to the browser."""
    lag = news.lag
    facts: Rows = [
        ["Lag, receipt to answer, median", _milliseconds(lag.p50_ms)],
        ["Lag, 99th percentile", _milliseconds(lag.p99_ms)],
        ["Lag, worst", _milliseconds(lag.worst_ms)],
        ["Board to this browser and back", _milliseconds(screen_ms)],
        ["Rows skipped on this screen", f"{skipped:,} (the tape has them)" if skipped else "0"],
    ]
    facts += _run_facts(news.metrics)
    facts += [
        [f"Node {text(failure.node)}", [f"■ stopped: {text(failure.message)}", "bad"]]
        for failure in news.failures
    ]
    return facts


def market_rows(latest: pl.DataFrame | None) -> Rows:
    """A row a market: the log return per unit of probability, its interval and verdict."""
    return [
        [
            text(row["market"]),
            _percent(row["gap"]),
            _span(_percent(row["gap_lower"]), _percent(row["gap_upper"])),
            _verdict(row["status"]),
        ]
        for row in _rows(latest)
    ]


def state_rows(latest: pl.DataFrame | None, chain: str) -> Rows:
    """A row a method for one chain: mean prices under either outcome, the gap and the verdict."""
    return [
        [
            text(row["method"]),
            _percent(row["probability"], signed=False),
            _span(_price(row["up_low"]), _price(row["up_high"])),
            _span(_price(row["down_low"]), _price(row["down_high"])),
            _percent(row["gap"]),
            _span(_percent(row["gap_lower"]), _percent(row["gap_upper"])),
            _verdict(row["status"], row["reason"]),
        ]
        for row in _rows(latest)
        if row["chain"] == chain
    ]


def leadership_rows(pairs: Iterable[LeadershipRow]) -> Rows:
    """A row a pair, as the figure words it, leaders first."""
    return [
        [
            *(text(words) for words in pair[:7]),
            _verdict(pair.status),
            text(pair.at),
        ]
        for pair in pairs
    ]


def score_rows(latest: pl.DataFrame | None) -> Rows:
    """A row a symbol: the model's probability of an up-move and its base rate."""
    return [
        [
            text(row["ticker"]),
            _percent(row["probability"], signed=False),
            _percent(row["base_rate"], signed=False),
            f"{row['ts']:%H:%M:%S}",
            _verdict(row["status"]),
        ]
        for row in _rows(latest)
    ]


def live_score_rows(rows: pl.DataFrame | None) -> Rows:
    """How the model has done so far beside its base rate; less is better."""
    last = None if rows is None else rows.tail(1)
    names = ("brier", "brier_base", "log_loss", "log_loss_base")
    return [
        [
            f"{row['n']:,}",
            *(_score(row[name]) for name in names),
            f"{row['ts']:%H:%M:%S}",
            _verdict(row["status"]),
        ]
        for row in _rows(last)
    ]


def _run_facts(run: Metrics) -> Rows:
    """Queue, journal, snapshot and memory of the run behind the board."""
    if run == Metrics():
        return []  # the board is fed by something that keeps none of them
    full = run.waiting_most > 0 and run.waiting >= run.waiting_most
    queue = f"{run.waiting:,} of {run.waiting_most:,} batches"
    age = run.snapshot_age_s
    facts: Rows = [
        ["Queue before the journal", [f"◆ full: {queue}", "warn"] if full else queue],
        ["Queue before the graph", f"{run.behind:,} batches"],
        ["Throughput", f"{_rate(run.batches_per_s)} batches/s, {_rate(run.rows_per_s)} rows/s"],
        ["Journal", f"{run.batches:,} batches, {_bytes(run.journal_bytes)}"],
        ["Slowest append lately", _milliseconds(run.append_ms)],
        ["Newest snapshot", f"{age:,.0f} s old" if math.isfinite(age) else "none yet"],
        [
            "Snapshot's size and time",
            f"{_bytes(run.snapshot_bytes)}, {_milliseconds(run.snapshot_ms)}",
        ],
        ["Memory", _bytes(run.memory_bytes)],
    ]
    if run.message:
        facts.append(["The run says", [text(run.message), "warn"]])
    return facts


def _rows(latest: pl.DataFrame | None) -> Iterable[dict[str, Any]]:
    return () if latest is None else latest.iter_rows(named=True)


def text(words: object) -> str:
    """On one line, printable, of bounded length."""
    clean = "".join(c if c.isprintable() else " " for c in str(words or ""))
    clean = " ".join(clean.split())
    return clean if len(clean) <= _LONGEST else f"{clean[: _LONGEST - 1]}…"


def _verdict(status: object, reason: object = "") -> Cell:
    words = text(status)
    said = f"{words}: {text(reason)}" if reason else words
    return ["✓ ok" if said == "ok" else f"○ {said}", "good" if words == "ok" else "quiet"]


def _known(value: object) -> float:
    return float(value) if isinstance(value, int | float) else math.nan


def _percent(value: object, *, signed: bool = True) -> str:
    number = 100.0 * _known(value)
    if not math.isfinite(number):
        return _NONE
    return f"{number:+.2f}%" if signed else f"{number:.1f}%"


def _score(value: object) -> str:
    number = _known(value)
    return f"{number:.4f}" if math.isfinite(number) else _NONE


def _price(value: object) -> str:
    number = _known(value)
    if not math.isfinite(number):
        return _NONE
    return f"{number:,.0f}" if abs(number) >= _THOUSAND else f"{number:.6g}"


def _span(low: str, high: str) -> str:
    return _NONE if _NONE in (low, high) else f"{low} to {high}"


def _milliseconds(value: float) -> str:
    if not math.isfinite(value):
        return _NONE
    return f"{value:,.1f} ms" if value < _THOUSAND else f"{value / _THOUSAND:,.1f} s"


def _rate(value: float) -> str:
    return f"{value:,.0f}" if math.isfinite(value) else _NONE


def _bytes(count: int) -> str:
    return _NONE if count < 0 else f"{count / 2**20:,.1f} MB"


def _bad(count: int) -> Cell:
    return [f"{count:,}", "warn"] if count else "0"


def _ago(ns: int, now_ns: int) -> str:
    if ns < 0:
        return "never"
    seconds = max(0, (now_ns - ns) // SECOND)
    for size, name in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {name} ago"
    return f"{seconds} s ago"
