"""Compile what a program calls before rows of now come: each node once over made-up rows.

On a cold cache the first fit of a density or a gap compiles its kernels, seconds long, while live
rows wait. Here the same folds run over made-up rows of the program's own feeds, enough to fill
their windows, from states of their own, which are thrown away: no state, answer or file of the run
is touched. (The joint fit's window alone is made shorter: it would take hours of tape to fill.)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl

from eventtape.arrays import FloatArray, IntArray
from eventtape.clock import SECOND
from eventtape.errors import EventTapeError
from eventtape.stream.fold import Node, Program, Slice, advanced, entering, joined
from eventtape.stream.leadership import LeadershipFold
from eventtape.stream.markets import MarketsFold
from eventtape.stream.states import StatesFold
from eventtape.tape.batch import HISTORY, Batch
from eventtape.tape.feed import Feed
from eventtape.tape.records import Record

__all__ = ["warm"]

_STEP_NS, _LEAST_ROWS = 30 * SECOND, 150
_SNAPSHOTS = 12
_EXPIRY_NS = 400 * 86_400 * SECOND
_STRIKES = np.linspace(70.0, 130.0, 13)
_SPREAD, _LEVEL = 0.05, 100.0

Progress = Callable[[int, int], None]


def warm(
    nodes: Program, feeds: Sequence[Feed], *, start_ns: int, progress: Progress | None = None
) -> tuple[str, ...]:
    """Names of the nodes that gave no row to made-up ones, and so may still be cold; none is best.

    ``feeds`` are those the program was made for, ``start_ns`` the start of its grid (UTC ns).
    ``progress`` is called with how many of the made-up batches are through, and of how many. A
    node that fails on made-up rows is left cold: nothing is raised for it. Takes a few seconds
    where kernels are in the cache, minutes where all must be compiled.
    """
    step_ns, rows = _grid(nodes)
    nodes = tuple(_shorter(node, step_ns * rows) for node in nodes)
    batches = _batches(feeds, start_ns + step_ns * np.arange(1, rows + 1))
    states: dict[str, Any] = {node.name: node.fold.start() for node in nodes}
    cold = {node.name for node in nodes}
    dead: set[str] = set()
    for done, batch in enumerate(batches):
        if progress is not None:
            progress(done, len(batches))
        said: dict[str, Slice] = {}
        for node in nodes:
            if node.name in dead:
                continue
            if node.feeds:
                new = entering(batch, node.inputs)
            else:
                new = joined(said[name] for name in node.inputs if name in said)
            try:
                states[node.name], answer = advanced(node, states[node.name], new, end=False)
            except (EventTapeError, ValueError, ArithmeticError):
                dead.add(node.name)
                continue
            if answer is not None:
                said[node.name] = answer
                if any(frame.height for frame in answer.frames.values()):
                    cold.discard(node.name)
    if progress is not None:
        progress(len(batches), len(batches))
    return tuple(node.name for node in nodes if node.name in cold | dead)


def _grid(nodes: Program) -> tuple[int, int]:
    """The step of the slowest grid, ns, and how many fill every window of gaps and leaders."""
    folds = [node.fold for node in nodes if isinstance(node.fold, MarketsFold | LeadershipFold)]
    step_ns = max((fold.step_ns for fold in folds), default=_STEP_NS)
    rows = _LEAST_ROWS
    for fold in folds:
        if isinstance(fold, MarketsFold):
            lags = (fold.horizon_s + fold.lead_s) * SECOND / fold.step_ns
            rows = max(rows, 10 + math.ceil(3.0 * (lags + 2.0)))
        else:
            rows = max(rows, 10 + fold.window + fold.every)
    return step_ns, rows


def _shorter(node: Node, span_ns: int) -> Node:
    """The node, its joint fit due once within the span."""
    if not isinstance(node.fold, StatesFold):
        return node
    every_ns = max(span_ns // _SNAPSHOTS, 1)
    fold = replace(node.fold, snapshot_ns=every_ns, joint_rows=_SNAPSHOTS // 2, joint_every=99)
    return node._replace(fold=fold)


def _batches(feeds: Sequence[Feed], times: IntArray) -> list[Batch]:
    """The made-up tape in time: at each stamp a batch of each feed, for a later one is late."""
    rng = np.random.default_rng(1)
    probability = 0.5 + 0.3 * np.sin(np.linspace(0.0, 9.0, times.size)).round(3)
    whole = []
    for feed in feeds:
        noise = np.cumsum(rng.normal(0.0, 2e-4, times.size))
        level = _LEVEL * np.exp(0.05 * (probability - 0.5) + noise)
        frame = _rows(feed.record, times, probability, level).with_columns(
            pl.lit(feed.instrument.code or "made up").alias("symbol")
            if "strike" not in feed.record.columns
            else pl.col("symbol")
        )
        if frame.height:
            whole.append((feed, frame, frame["ts"].to_physical().to_numpy()))
    out = []
    for now in times:
        for feed, frame, at in whole:
            a, b = (int(np.searchsorted(at, now, side)) for side in ("left", "right"))
            if a < b:
                rows, keys = frame[a:b], np.arange(a, b)
                out.append(Batch(feed.label, feed.record.name, rows, keys, HISTORY))
    return out


def _rows(record: Record, times: IntArray, p: FloatArray, level: FloatArray) -> pl.DataFrame:
    """Made-up rows of a record; columns that may be missing are, where nothing here fills them."""
    if "strike" in record.columns:
        columns = _options(times, p, level)
    else:
        signs = np.where(np.arange(times.size) % 3, 1, -1)
        side, size = 0.5 * _SPREAD, np.full(times.size, 100.0)
        columns = {
            "ts": times, "probability": p.round(3), "price": level + side * signs, "size": size,
            "side": signs, "open": level, "high": level, "low": level, "close": level,
            "bid": level - side, "ask": level + side, "bid_size": size, "ask_size": size,
            "iso": signs < 0, "eligible": signs != 0,
        }  # fmt: skip
        if "probability" in record.columns:
            columns |= {"bid": p - 0.005, "ask": p + 0.005}
    made = {
        name: pl.Series(name, columns[name]).cast(column.dtype)
        if name in columns
        else pl.Series(name, [None] * len(columns["ts"]), dtype=column.dtype)
        for name, column in record.columns.items()
    }
    return pl.DataFrame(made)


def _options(times: IntArray, p: FloatArray, level: FloatArray) -> dict[str, Any]:
    """Quotes of one chain now and then: two laws, one of each outcome, mixed."""
    seen = slice(0, None, max(times.size // (2 * _SNAPSHOTS), 1))
    n, k = times[seen].size, _STRIKES.size
    strikes, rights = np.tile(np.repeat(_STRIKES, 2), n), np.tile([True, False], n * k)
    at = np.repeat(times[seen], 2 * k)
    forward, odds = (np.repeat(x[seen], 2 * k) for x in (level, p))
    up, down = forward + 6.0 * (1.0 - odds), forward - 6.0 * odds
    call = odds * _call(up - strikes, 8.0) + (1.0 - odds) * _call(down - strikes, 8.0)
    price = np.where(rights, call, call - (forward - strikes)) + 0.2
    mid = price.round(2)
    names = [f"{'C' if c else 'P'}{x:g}" for x, c in zip(strikes, rights, strict=True)]
    same = {"underlying": "made up", "style": "european", "settlement": "cash"}
    return {
        **{name: [text] * at.size for name, text in same.items()},
        "symbol": names, "ts": at, "expiry": np.full(at.size, times[0] + _EXPIRY_NS),
        "strike": strikes, "is_call": rights, "bid": mid - 0.05, "ask": mid + 0.05,
        "bid_size": np.full(at.size, 10.0), "ask_size": np.full(at.size, 10.0),
        "underlying_price": forward,
    }  # fmt: skip


def _call(gain: FloatArray, sd: float) -> FloatArray:
    """A call's worth where the mean price is this far above its strike."""
    z = gain / sd
    # Logistic for normal: within a hundredth, and no special function is needed here.
    return np.asarray(sd * np.log1p(np.exp(1.702 * z)) / 1.702)
