"""A small program that keeps every rule, and batches for it: what durability is tried on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from eventtape.clock import SECOND
from eventtape.stream.fold import Node, Slice, program
from eventtape.stream.order import InOrder, Merged
from eventtape.tape import TRADE, Feed, Instrument, empty
from eventtape.tape.batch import HISTORY, Batch, beat

START = 1_730_800_000 * SECOND
FEEDS = tuple(
    Feed(Instrument("sim", label, "crypto"), label, TRADE, empty(TRADE), 0, "drawn", "not a market")
    for label in ("a", "b")
)


@dataclass(frozen=True)
class RunningSums:
    """A row for each row: how many came, and a sum whose bits depend on the order."""

    name: str
    weight: float = 0.9

    def start(self):
        return {"rows": 0, "sum": 0.0, "last": np.zeros(2)}

    def step(self, state, new):
        parts = [rows.with_columns(feed=pl.lit(feed)) for feed, rows in new.frames.items()]
        if not parts:
            return state, Slice(new.upto_ns, {}, new.now_ns)
        rows = pl.concat(parts).sort("ts", "feed", maintain_order=True)
        total, counted, sums = state["sum"], state["rows"], []
        last = state["last"].copy()
        for feed, price in zip(rows["feed"], rows["price"], strict=True):
            total = self.weight * total + price
            last["ab".index(feed)] = price
            sums.append(total)
        after = {"rows": counted + rows.height, "sum": total, "last": last}
        count = pl.int_range(counted + 1, counted + rows.height + 1, eager=True)
        answer = rows.select("ts", "feed", "trade_id").with_columns(
            pl.Series("sum", sums), count.alias("count")
        )
        return after, Slice(new.upto_ns, {self.name: answer}, new.now_ns)

    def finish(self, state):
        return None


SMALL = program(
    [
        Node("ordered", ("a", "b"), InOrder(), feeds=True),
        Node("merged", ("a", "b"), Merged(), feeds=True),
        Node("sums", ("merged",), RunningSums("sums")),
    ]
)


def trades(feed: str, numbers: np.ndarray, at: np.ndarray) -> pl.DataFrame:
    """Rows whose numbers tell them apart."""
    return pl.DataFrame(
        {
            "symbol": [feed] * len(numbers),
            "ts": pl.Series(at.astype(np.int64)).cast(pl.Datetime("ns", "UTC")),
            "price": 100.0 + np.sin(numbers.astype(float)),
            "size": np.ones(len(numbers)),
            "side": np.zeros(len(numbers), np.int8),
            "trade_id": [f"{feed}{n}" for n in numbers],
        },
        schema={name: column.dtype for name, column in TRADE.columns.items()},
    )


def small_batches(rows: int, seed: int, *, live: bool = False) -> list[Batch]:
    """Two feeds by turns, about a row each 20 ms and a feed, a few of them a little late."""
    rng = np.random.default_rng(seed)
    at = {feed: START + np.cumsum(rng.integers(1, SECOND // 25, rows)) for feed in "ab"}
    out, taken = [], {"a": 0, "b": 0}
    while left := [one for one in "ab" if taken[one] < rows]:
        feed = min(left, key=lambda one: at[one][taken[one]])
        first = taken[feed]
        last = min(rows, first + int(rng.integers(1, 9)))
        numbers = np.arange(first, last)
        if rng.random() < 0.2:
            numbers = rng.permutation(numbers)
        when = at[feed][numbers]
        received = int(when.max()) + SECOND // 100 if live else HISTORY
        out.append(Batch(feed, TRADE.name, trades(feed, numbers, when), numbers, received))
        if live and rng.random() < 0.1:
            out.append(beat(received + SECOND // 50))
        taken[feed] = last
    return out
