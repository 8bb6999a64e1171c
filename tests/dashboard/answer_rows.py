"""Answers as the night's graph gives them, made by hand: enough to draw every part of the page."""

import math
import time

import numpy as np
import polars as pl

from eventtape.clock import SECOND, parse_ns
from eventtape.dashboard.about import About
from eventtape.stream.answers import ANSWERS
from eventtape.stream.board import Board
from eventtape.stream.fold import Slice
from eventtape.tape.batch import HISTORY, Batch
from eventtape.tape.health import FeedHealth

START = parse_ns("2024-11-05T23:00Z")
HOSTILE = "<img src=x onerror=document.title='owned'>"
ABOUT = About(
    "night", "A simulated election", "A wins", "odds", True, START, START + 3_600 * SECOND
)
CHAINS = ["BTC 8 Nov", "BTC 29 Nov"]
STRIKES = np.linspace(60.0, 140.0, 21)
PDF = np.exp(-0.5 * ((STRIKES - 100.0) / 12.0) ** 2) / (12.0 * math.sqrt(2.0 * math.pi))


def frame(node, **columns):
    """Rows of a node; a single value stands in every row, a column not given is null."""
    height = max(len(v) for v in columns.values() if isinstance(v, list))
    whole = {
        name: columns[name] if isinstance(columns.get(name), list) else [columns.get(name)] * height
        for name in ANSWERS[node]
    }
    return pl.DataFrame(whole, schema=dict(ANSWERS[node]), strict=False)


def publish(board, node, rows, at_ns):
    batch = Batch("odds", "trade", pl.DataFrame(), np.empty(0, np.int64), HISTORY)
    board.publish(node, Slice(at_ns, {node: rows}), batch)


def feed_board(board, first, last, *, primary="odds", symbols=4):
    """Seconds ``first`` to ``last`` of a night: every node says something each ten seconds."""
    for second in range(first, last):
        ts = START + second * SECOND
        p = 0.6 + 0.1 * math.sin(second / 30.0)
        odds = frame("probability", feed=[primary], ts=ts, quote=p, mean=p, sd=0.01, z=0.3,
                     regime="baseline", status="ok")  # fmt: skip
        publish(board, "probability", odds, ts)
        if second % 10 == 0:
            _the_rest(board, ts, p, symbols)


def _the_rest(board, ts, p, symbols):
    publish(board, "markets", frame(
        "markets", market=["ES", "DXY"], ts=ts, level=[8.6 + 0.1 * p, 4.6], probability=p,
        gap=[0.1, None], gap_lower=[0.05, None], gap_upper=[0.15, None],
        implied=[8.6 + 0.1 * p, None], implied_lower=[8.6 + 0.05 * p, None],
        implied_upper=[8.6 + 0.15 * p, None], status=["ok", "not identified"],
    ), ts)  # fmt: skip
    publish(board, "density", frame(
        "density", chain=CHAINS, ts=ts, tau=0.01, forward=100.0, forward_error=0.1, quotes=40,
        mean=100.0, sd=12.0, vol=0.6, vol_error=0.01, strikes=[STRIKES.tolist()] * 2,
        pdf=[PDF.tolist()] * 2, pdf_lower=[(0.9 * PDF).tolist()] * 2,
        pdf_upper=[(1.1 * PDF).tolist()] * 2, status="ok",
    ), ts)  # fmt: skip
    publish(board, "states", frame(
        "states", chain=CHAINS, ts=ts, method="bounds", probability=p, up_low=98.0, up_high=110.0,
        down_low=85.0, down_high=101.0, gap_lower=-0.02, gap_upper=0.2, strikes=[[], []],
        pdf_up=[[], []], pdf_down=[[], []], status="not identified", reason="the bounds hold 0",
    ), ts)  # fmt: skip
    publish(board, "leadership", frame(
        "leadership", ts=ts, first=["odds"], second="ES", pils=0.7, is_first=0.8, is_last=0.6,
        component=0.7, p_none=0.01, identified=True, status="ok",
    ), ts)  # fmt: skip
    names = [f"S{k:02d}" for k in range(symbols)]
    stamps = pl.Series([ts] * symbols).cast(pl.Datetime("ns", "UTC"))
    publish(board, "features", pl.DataFrame({
        "ticker": names, "bucket": stamps,
        "quote_updates": 50, "avg_rsprd": 0.1, "num_trades": 20, "num_trades_iso": 4,
        "pct_trades_iso": 20.0, "pct_volume_iso": 20.0, "total_volume": 500, "total_flow": 10.0,
        "total_flow_iso": 4.0, "total_flow_non_iso": 6.0, "iso_flow_intensity": 0.1,
        "last_mid": 100.0 + p, "mid": 100.0 + p,
    }), ts)  # fmt: skip
    publish(board, "factors", frame(
        "factors", factor=["event"], ts=ts, simple_return=0.001, coverage_long=1.0,
        coverage_short=1.0, status="ok",
    ), ts)  # fmt: skip
    publish(board, "scores", frame(
        "scores", ticker=names, ts=ts, probability=0.55, base_rate=0.5, status="ok",
    ), ts)  # fmt: skip


def set_feeds(board, state="live", *, primary="odds", message=""):
    now = time.time_ns()
    board.set_health(
        FeedHealth(primary, state, now, START, 100, message=message),
        FeedHealth("chains", "live", now, START, 50, reconnects=2, unfilled=1),
    )


def fed_board(seconds=60, **options):
    board = Board()
    feed_board(board, 0, seconds, **options)
    set_feeds(board, primary=options.get("primary", "odds"))
    return board
