"""A whole night's graph: slices through csp against csp with one Python object a tick.

Target: at least 20 times its events a second. It is not met: csp's array curve and plain Python
take a third to half a microsecond a tick, a batch costs ours some 200 microseconds before its first
row, and so the roads meet at thousands of rows a batch.

Both run the same graph over the same simulated night, in memory, in one process: probabilities,
markets, leadership, features, factor returns, densities and states. The peer (``csp_ticks.py``) is
a competent user's: tuples from csp's own array curve, plain Python state, and the same estimators
at grid times. It neither orders feeds nor checks values, and makes fourteen features where ours
makes all 31. Ours is the whole road from a batch to its answers, with the merge of feeds by time
and every check at the door; each feed has one batch a ``window`` of market time.

``shared`` is what the peer spends in the estimators that both roads call at grid times, as a part
of the whole: no road can save it. The busy minute is the same ticks within one minute of the night.
Compared are all rows of every node: the probability to 1e-12, the rest to 1e-9 (of the largest
value where it is a flow or no feature). Lists of densities too; words and statuses are not.

Parts, each by name alone: night; pushed (both engines live, events or batches pushed into csp by
another thread); symbols (8,000 against 40, tick nodes only, each case in a process of its own);
latency (the live engine at 20,000 events a second, to the board and to a screen that looks ten
times a second).
"""

from __future__ import annotations

import gc
import math
import multiprocessing
import os
import resource
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

import csp_ticks
from eventtape.clock import SECOND
from eventtape.frames.ticks import FOURTEEN
from eventtape.simulate.live_night import (
    OPTIONS,
    STOCK_QUOTES,
    STOCK_TRADES,
    VENUES,
    LiveNight,
    live_night,
)
from eventtape.stream.board import Board
from eventtape.stream.election_night import NightConfig, election_night, tick_nodes
from eventtape.stream.fold import Program, Slice
from eventtape.stream.graph import Live, replay
from eventtape.stream.paced import tape_batches
from eventtape.tape import Feed, Tape
from eventtape.tape.batch import Batch
from table import show

QUOTES, TRADES, MINUTES = 850_000, 150_000, 30.0
STOCKS = (STOCK_TRADES, STOCK_QUOTES)
ROWS = (64, 512, 4_096, 65_536)
TIME = pl.Datetime("ns", "UTC")
MOST = 1_000_000  # rows of a batch: a window's rows of a feed are never cut
Frames = dict[str, pl.DataFrame]


def config(night: LiveNight, lateness_s: float, **options: Any) -> NightConfig:
    """Options of the night; a grid on which the windows of gaps and leaders fill within it."""
    start = int(night.truth.ts[0])
    held = {"step_s": 10.0, "horizon_s": 240.0, "lead_s": 60.0} | options
    return NightConfig(
        primary=VENUES[0], start_ns=start, weights=night.weights, quiet_s=None,
        lateness_s=lateness_s, **held,
    )  # fmt: skip


def timed(run: Callable[[], Any], repeats: int) -> tuple[float, float, Any]:
    """Processor and wall seconds, the least of several, and what came of the last."""
    cpu = wall = math.inf
    for _ in range(repeats):
        gc.collect()
        begin = time.process_time(), time.perf_counter()
        found = run()
        cpu = min(cpu, time.process_time() - begin[0])
        wall = min(wall, time.perf_counter() - begin[1])
    return cpu, wall, found


def ours(nodes: Program, batches: list[Batch]) -> tuple[Frames, dict[str, Any]]:
    """All rows of every node, and the states at the end."""
    told: dict[str, list[pl.DataFrame]] = defaultdict(list)

    def keep(name: str, answer: Slice, _batch: Batch | None) -> None:
        if name in answer.frames:
            told[name].append(answer.frames[name])

    states = replay(nodes, batches, keep)
    late = [sum(states[n.name].late.values()) for n in nodes if n.feeds]
    assert not any(late), late
    return {name: pl.concat(frames) for name, frames in told.items()}, states


def peer_events(tape: Tape) -> csp_ticks.Events:
    """Every event as a tuple, and its place among all: by time, of one time trades first."""
    columns = {
        STOCK_QUOTES: ("symbol", "bid", "ask"),
        STOCK_TRADES: ("symbol", "price", "size", "iso", "eligible"),
    }
    contract = ("symbol", "underlying", "expiry", "style", "settlement")
    quoted = ("strike", "is_call", "bid", "ask", "bid_size", "ask_size", "underlying_price")
    edges: dict[str, list[tuple[np.ndarray, list[Any]]]] = defaultdict(list)
    for feed in tape.feeds:
        frame = feed.frame.with_columns(pl.col(TIME).to_physical())
        lists = {name: frame[name].to_list() for name in frame.columns}
        ts = lists["ts"]
        if feed.label in columns:
            edge = "quotes" if feed.label == STOCK_QUOTES else "trades"
            ticks = zip(ts, *(lists[name] for name in columns[feed.label]), strict=True)
        elif feed.label == OPTIONS:
            edge = "options"
            numbers = {n: frame[n].fill_null(math.nan).to_list() for n in quoted[2:]}
            values = zip(ts, *((lists | numbers)[name] for name in quoted), strict=True)
            ticks = zip(zip(*(lists[name] for name in contract), strict=True), values, strict=True)
        else:
            edge = "venues" if feed.label in VENUES else "markets"
            value = "probability" if edge == "venues" else "price"
            ticks = zip([feed.label] * len(ts), ts, lists[value], strict=True)
        edges[edge].append((np.array(ts), list(ticks)))
    newest = {feed.label: int(feed.frame["ts"].to_physical().max()) for feed in tape.feeds}
    order = [name for name in ("venues", "markets", "trades", "quotes", "options") if name in edges]
    stamps = {name: np.concatenate([at for at, _ in edges[name]]) for name in order}
    rank = np.repeat(np.arange(len(order)), [stamps[name].size for name in order])
    every = np.concatenate([stamps[name] for name in order])
    place = np.empty(every.size, np.int64)
    place[np.lexsort((rank, every))] = np.arange(every.size)
    events, done = {}, 0
    for name in order:
        ticks = [tick for _, many in edges[name] for tick in many]
        values = np.empty(len(ticks), object)
        values[:] = ticks
        mine = place[done : done + len(ticks)]
        by_place = np.argsort(mine)
        events[name] = (mine[by_place], values[by_place])
        done += len(ticks)
    last = np.empty(1, object)
    last[0] = {
        name: 1 + max((at for label, at in newest.items() if label in own), default=0)
        for name, own in (
            ("prices", newest.keys() - {VENUES[1], OPTIONS, *STOCKS}),
            ("chains", {VENUES[0], OPTIONS}),
        )
    }
    return {**events, "end": (np.array([every.size]), last)}


def equal(mine: Frames, peer: csp_ticks.Peer) -> dict[str, int]:
    """Compare every row of every answer; how many rows were equal."""
    told = peer.answers
    counts = {}

    def same(name: str, theirs: pl.DataFrame, keys: list[str], rtol: float) -> None:
        if name not in mine:
            return
        rows = mine[name].select(theirs.columns).with_columns(pl.col(TIME).to_physical())
        rows, theirs = rows.sort(keys), theirs.sort(keys)
        assert rows.select(keys).equals(theirs.select(keys)), name
        for column in theirs.columns:
            if column not in keys:
                a, b = (one[column].cast(pl.Float64).fill_null(math.nan) for one in (rows, theirs))
                scale = 1e-9 * float(np.nanmax(np.abs(b.to_numpy()), initial=0.0))
                scale *= rtol / 1e-9 if "flow" in column or name != "features" else 0.0
                np.testing.assert_allclose(a, b, rtol, scale, err_msg=f"{name} {column}")
        counts[name] = rows.height

    def table(name: str, columns: tuple[str, ...]) -> pl.DataFrame:
        return pl.DataFrame(told.get(name, []), schema=columns, orient="row")

    same("probability", table("probability", ("feed", "ts", "mean", "sd", "z")), ["feed", "ts"],
         1e-12)  # fmt: skip
    columns = ("market", "ts", "level", "probability", "gap", "gap_lower", "gap_upper", "implied")
    same("markets", table("markets", columns), ["market", "ts"], 1e-9)
    if "leadership" in mine:
        _same_leaders(mine["leadership"], told["leadership"], same)
    same("features", table("features", FOURTEEN), ["ticker", "bucket"], 1e-9)
    same("factors", table("factors", ("factor", "ts", "simple_return")), ["factor", "ts"], 1e-9)
    for name, keys in (("density", ["ts"]), ("states", ["ts", "method"])):
        if name in mine:
            rows = pl.concat(told[name]).with_columns(pl.col(TIME).to_physical())
            numbers = [c for c, kind in rows.schema.items() if kind == pl.Float64]
            same(name, rows.select(*keys, *numbers), keys, 1e-9)
            many = [c for c, kind in rows.schema.items() if kind == pl.List(pl.Float64)]
            for column in many:
                a, b = (one.sort(keys)[column].explode() for one in (mine[name], rows))
                np.testing.assert_allclose(a, b, 1e-9, 1e-9 * float(b.abs().max() or 0.0))
    return counts


def _same_leaders(mine: pl.DataFrame, told: list[Any], same: Callable[..., None]) -> None:
    """Pairs that the peer has no measures of have none in ours."""
    keys = ["ts", "first", "second"]
    columns = (*keys, "pils", "is_first", "is_last", "component", "p_none")
    kinds = dict.fromkeys(columns, pl.Float64) | {"ts": pl.Int64, "first": str, "second": str}
    theirs = pl.DataFrame(told, schema=kinds, orient="row")
    asked = mine.select(columns).with_columns(pl.col(TIME).to_physical())
    silent = asked.join(theirs, on=keys, how="anti")
    assert silent.select(columns[3:]).fill_nan(None).null_count().row(0) == (silent.height,) * 5
    same("leadership", pl.concat([theirs, silent]), keys, 1e-9)


def part_night(repeats: int) -> None:
    night = live_night(1, minutes=MINUTES, stock_quotes=QUOTES, stock_trades=TRADES)
    rows = []
    feeds = night.tape.feeds
    for what, tape, minutes in (
        ("full", night.tape, MINUTES),
        ("without options", _only(feeds, lambda name: name != OPTIONS), MINUTES),
        ("ticks alone", _only(feeds, lambda name: name in STOCKS), MINUTES),
        ("full, a busy minute", dense(night, 60.0), 1.0),
    ):
        n = sum(feed.frame.height for feed in tape.feeds)
        events = peer_events(tape)
        held = config(night, 1.0)
        graph = tick_nodes if what == "ticks alone" else election_night
        nodes = graph(tape.feeds, held)
        csp_ticks.run(nodes, events)  # kernels, before the clock
        cpu, wall, peer = timed(lambda: csp_ticks.run(nodes, events), repeats)  # noqa: B023
        shared = sum(peer.spent.values())
        print(what, {name: round(seconds, 2) for name, seconds in peer.spent.items()})
        said = f"{n / cpu / 1e3:,.0f} k/s", f"{n / wall / 1e3:,.0f} k/s", "", f"{shared / cpu:.0%}"
        rows.append((what, "peer: a tick", f"{n:,}", "1", f"{cpu / n * 1e6:.2f}", *said))
        for size in ROWS:
            span = round(size / (n / (minutes * 60.0)) * SECOND)
            cut = list(tape_batches(tape, rows=MOST, span_ns=span))
            nodes = graph(tape.feeds, replace(held, lateness_s=max(0.1, span / SECOND)))
            spent, took, (found, _) = timed(lambda: ours(nodes, cut), repeats)  # noqa: B023
            counts = ", ".join(f"{name} {k:,}" for name, k in equal(found, peer).items())
            rows.append(
                (what, f"{span / SECOND:.3g} s, {size:,}", f"{len(cut):,}", f"{n / len(cut):,.0f}",
                 f"{spent / len(cut) * 1e6:,.0f}", f"{n / spent / 1e3:,.0f} k/s",
                 f"{n / took / 1e3:,.0f} k/s", f"{cpu / spent:.2f}x", f"{shared / spent:.0%}")
            )  # fmt: skip
        print(f"{what}: rows equal at every window: {counts}")
    header = (
        "graph", "window, its rows", "batches", "rows a batch", "us a batch", "processor", "wall",
        "ratio", "shared",
    )  # fmt: skip
    show(f"A night of {MINUTES:.0f} minutes against one tick at a time", rows, header)


def part_pushed(repeats: int) -> None:
    """Both engines live: ours takes batches, the peer's one event at a time."""
    night = live_night(1, minutes=MINUTES, stock_quotes=QUOTES, stock_trades=TRADES)
    tape = dense(night, 60.0)
    n = sum(feed.frame.height for feed in tape.feeds)
    events = csp_ticks.in_order(peer_events(tape))
    nodes = election_night(tape.feeds, config(night, 0.1))
    cpu, wall, peer = timed(lambda: csp_ticks.pushed(nodes, events), repeats)
    rows = [
        ("peer: a tick", f"{n:,}", f"{n / cpu / 1e3:,.0f} k/s", f"{n / wall / 1e3:,.0f} k/s", "")
    ]
    for size in ROWS:
        span = round(size / (n / 60.0) * SECOND)
        cut = list(tape_batches(tape, rows=MOST, span_ns=span))
        nodes = election_night(tape.feeds, config(night, max(0.1, span / SECOND)))
        spent, took, found = timed(lambda: pushed(nodes, cut), repeats)  # noqa: B023
        counts = equal(found, peer)
        rates = f"{n / spent / 1e3:,.0f} k/s", f"{n / took / 1e3:,.0f} k/s"
        rows.append((f"{size:,} rows", f"{len(cut):,}", *rates, f"{cpu / spent:.2f}x"))
    header = ("window", "pushed", "processor", "wall", "ratio")
    show(f"A busy minute, pushed into a live engine; rows equal {counts}", rows, header)


def pushed(nodes: Program, batches: list[Batch]) -> Frames:
    """All rows of every node of a live engine."""
    told: dict[str, list[pl.DataFrame]] = defaultdict(list)

    def keep(name: str, answer: Slice, _batch: Batch | None) -> None:
        if name in answer.frames:
            told[name].append(answer.frames[name])

    engine = Live(nodes, keep)
    engine.start()
    for batch in batches:
        engine.push(batch)
    engine.stop(finish=True)
    return {name: pl.concat(frames) for name, frames in told.items()}


def _only(feeds: Sequence[Feed], kept: Callable[[str], bool]) -> Tape:
    return Tape(tuple(feed for feed in feeds if kept(feed.label)), simulated=True)


def spread(tape: Tape, parts: int, seconds: float) -> Tape:
    """The stocks' ticks within some seconds, each symbol's dealt out to ``parts`` symbols."""
    feeds = []
    for label in (STOCK_TRADES, STOCK_QUOTES):
        feed = tape.feed(label)
        first = feed.frame["ts"].to_physical()[0]
        at = (pl.col("ts").to_physical() - first) * (seconds / (MINUTES * 60.0))
        number = (pl.int_range(pl.len()) % parts).cast(pl.String)
        frame = feed.frame.with_columns(
            (at.cast(pl.Int64) + first).cast(TIME).alias("ts"),
            pl.col("symbol") if parts == 1 else pl.col("symbol") + "." + number,
        )
        feeds.append(feed._replace(frame=frame))
    return Tape(tuple(feeds), simulated=True)


def one_width(case: tuple[int, float, int]) -> tuple[str, ...]:
    """Tick nodes over so many parts of forty symbols, and so wide a window."""
    parts, window_s, repeats = case
    night = live_night(2, minutes=MINUTES, stock_quotes=QUOTES, stock_trades=TRADES)
    seconds = 120.0
    tape = spread(night.tape, parts, seconds)
    n = sum(feed.frame.height for feed in tape.feeds)
    cut = list(tape_batches(tape, rows=MOST, span_ns=round(window_s * SECOND)))
    held = NightConfig(primary="", start_ns=0, quiet_s=None, lateness_s=max(0.1, window_s))
    nodes = tick_nodes(tape.feeds, held)
    replay(nodes, cut[: len(cut) // 8], lambda *_: None)
    before = resident_mb()
    cpu, _, states = timed(lambda: replay(nodes, cut, lambda *_: None), repeats)
    grown = resident_mb() - before
    names = len(states["features"].ticks.names)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return (
        f"{names:,}", f"{window_s:g} s", f"{len(cut):,}", f"{n / len(cut):,.0f}",
        f"{cpu / n * 1e6:.2f}", f"{cpu / len(cut) * 1e6:,.0f}", f"{grown:+.0f} MB",
        f"{peak:,.0f} MB",
    )  # fmt: skip


def resident_mb() -> float:
    """Of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def part_symbols(repeats: int) -> None:
    cases = [(parts, window, repeats) for window in (0.02, 1.0) for parts in (1, 200)]
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        rows = pool.map(one_width, cases, chunksize=1)
    header = (
        "symbols", "window", "slices", "events a slice", "us an event", "us a slice",
        "memory of the run", "peak, tape and all",
    )  # fmt: skip
    show(f"Tick nodes, {QUOTES + TRADES:,} events in 120 s of market", rows, header)


def dense(night: LiveNight, seconds: float) -> Tape:
    """The first seconds of the night, with a whole night's stock ticks in them."""
    start = int(night.truth.ts[0])
    first = pl.col("ts").to_physical() < start + round(seconds * SECOND)
    others = tuple(
        feed._replace(frame=feed.frame.filter(first))
        for feed in night.tape.feeds
        if feed.label not in (STOCK_TRADES, STOCK_QUOTES)
    )
    return Tape((*others, *spread(night.tape, 1, seconds).feeds), simulated=True)


def windows(batches: list[Batch], span_ns: int) -> Iterator[list[Batch]]:
    """The batches of each window of market time."""
    held: dict[int, list[Batch]] = defaultdict(list)
    for batch in batches:
        held[int(batch.rows["ts"].to_physical()[0]) // span_ns].append(batch)
    for key in sorted(held):
        yield held[key]


def part_latency() -> None:
    seconds, rate = 20.0, 20_000
    night = live_night(
        3, minutes=MINUTES, stock_quotes=round(rate * seconds * 5 / 6),
        stock_trades=round(rate * seconds / 6), quote_s=0.5, chain_s=1.0,
    )  # fmt: skip
    tape = dense(night, seconds)
    options = {"every": "1s", "step_s": 1.0, "horizon_s": 4.0, "lead_s": 1.0, "chain_s": 5.0}
    nodes = election_night(tape.feeds, config(night, 0.1, **options))
    span = SECOND // 50
    cut = list(windows(list(tape_batches(tape, rows=MOST, span_ns=span)), span))
    replay(nodes, [batch for many in cut for batch in many], lambda *_: None)
    published, looks, late = fed(nodes, cut, span)
    begins, ends = (np.array(column) for column in zip(*looks, strict=True))
    at, received, has = (np.array(column) for column in zip(*published, strict=True))
    seen = ends[np.searchsorted(begins, at[has])] - received[has]
    rows = [quantiles("to the board, every node", at - received)]
    rows.append(quantiles("to the board, with rows", (at - received)[has]))
    rows.append(quantiles("to a screen, every 100 ms", seen))
    n = sum(batch.rows.height for many in cut for batch in many)
    load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    title = f"Latency, {n:,} rows in {seconds:.0f} s, {len(cut):,} windows of 20 ms"
    header = ("from receipt", "answers", "p50 ms", "p90", "p99", "p99.9", "max")
    show(f"{title}; feeder late by {late * 1e3:.0f} ms at most; load {load}", rows, header)
    histogram("to the board", at - received)
    histogram("to a screen", seen)


def fed(
    nodes: Program, cut: list[list[Batch]], span_ns: int
) -> tuple[list[tuple[int, int, bool]], list[tuple[int, int]], float]:
    """Answers (when on the board, receipt, any rows), looks (begin, end), how late the feeder."""
    board, published, looks, over = Board(), [], [], threading.Event()

    def sink(name: str, answer: Slice, batch: Batch | None) -> None:
        board.publish(name, answer, batch)
        has = name in answer.frames and answer.frames[name].height > 0
        if batch is not None:
            published.append((time.time_ns(), batch.received_ns, has))

    def look() -> None:
        reader = board.reader()
        while not over.wait(0.1):
            begin = time.time_ns()
            reader.take()
            looks.append((begin, time.time_ns()))

    live = Live(nodes, sink)
    live.start()
    screen = threading.Thread(target=look)
    screen.start()
    late, begin = 0.0, time.perf_counter()
    for k, many in enumerate(cut):
        wait = begin + k * span_ns * 1e-9 - time.perf_counter()
        late = max(late, -wait)
        if wait > 0.0:
            time.sleep(wait)
        now = time.time_ns()
        for batch in many:
            live.push(batch._replace(received_ns=now))
    live.stop()
    time.sleep(0.5)  # the screen looks once more
    over.set()
    screen.join()
    return published, looks, late


def quantiles(what: str, ns: np.ndarray) -> tuple[str, ...]:
    marks = np.quantile(ns / 1e6, (0.5, 0.9, 0.99, 0.999, 1.0))
    return what, f"{ns.size:,}", *(f"{mark:.2f}" for mark in marks)


def histogram(what: str, ns: np.ndarray) -> None:
    """Bars of the share in each doubling of milliseconds."""
    edges = np.r_[0.0, 2.0 ** np.arange(-1, 10), np.inf]
    counts = np.histogram(ns / 1e6, edges)[0]
    print(f"{what}, ms")
    for low, high, count in zip(edges, edges[1:], counts, strict=False):
        bar = "#" * math.ceil(50 * count / counts.max())
        print(f"  {low:6g} to {high:6g} {count:8,} {bar}")


def main() -> None:
    asked = [one for one in sys.argv[1:] if not one.isdigit()]
    repeats = next((int(one) for one in sys.argv[1:] if one.isdigit()), 2)
    if not asked or "night" in asked:
        part_night(repeats)
    if not asked or "pushed" in asked:
        part_pushed(repeats)
    if not asked or "symbols" in asked:
        part_symbols(repeats)
    if not asked or "latency" in asked:
        part_latency()


if __name__ == "__main__":
    main()
