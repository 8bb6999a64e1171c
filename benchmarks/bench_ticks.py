"""Ticks against Polars: the book of every second, and the features of every minute.

Targets: the one-second book at least 8 times Polars and 55% of the machine's read bandwidth; the
minute features at least 20 times Polars with a strict as-of join. All on the same frames, in one
process, both with all the cores there are (`POLARS_MAX_THREADS=1 taskset -c 0` for one). Ours
makes all its features at once; Polars is asked for the fourteen, and for all but the three that
weigh by time. Ours checks every value at the door, which the peer is not asked to; the kernel of
the books without that check is timed beside it.

Then the cost of an event in a stream of chunks, from 2 to 200 million rows. Name a part to run it
alone: seconds, features, growth.
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable, Iterator

import numpy as np
import polars as pl
from numba import njit

from eventtape.frames.ticks import (
    FOURTEEN,
    feature_stream,
    microstructure_features,
    nbbo_seconds,
    nbbo_stream,
)
from eventtape.tape import seconds
from eventtape.tape.ticks import quote_ticks
from table import best_of, show

N_QUOTES, N_TRADES, SYMBOLS = 20_000_000, 4_000_000, 40
DAY, OPEN = 23_400 * 10**9, 946_823_400 * 10**9
HEADER = ("what", "Polars", "eventtape", "ratio", "equal")


def day(
    rng: np.random.Generator, n_quotes: int = N_QUOTES, n_trades: int = N_TRADES
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Trades and quotes of a simulated day on a cent grid, ordered by symbol and time."""
    names = [f"SIM{i:02d}" for i in range(SYMBOLS)]

    def rows(n: int) -> tuple[pl.Series, pl.Series]:
        symbol = np.repeat(np.arange(SYMBOLS, dtype=np.uint8), n // SYMBOLS)
        ts = np.sort(rng.integers(0, DAY, (SYMBOLS, n // SYMBOLS)), axis=1).ravel() + OPEN
        coded = pl.Series("symbol", names, dtype=pl.Enum(names)).gather(symbol)
        return coded, pl.Series("ts", ts).cast(pl.Datetime("ns", "UTC"))

    cents = 10_000 + np.cumsum(rng.choice([-1, 0, 0, 0, 1], n_quotes)) % 5_000
    wide = rng.integers(1, 4, n_quotes)
    symbol, ts = rows(n_quotes)
    quotes = pl.DataFrame([symbol, ts]).with_columns(
        pl.Series("bid", cents / 100.0),
        pl.Series("bid_size", rng.integers(1, 20, n_quotes) * 100.0),
        pl.Series("ask", (cents + wide) / 100.0),
        pl.Series("ask_size", rng.integers(1, 20, n_quotes) * 100.0),
    )
    symbol, ts = rows(n_trades)
    near = quotes["bid"].to_numpy()[:: n_quotes // n_trades]
    trades = pl.DataFrame([symbol, ts]).with_columns(
        pl.Series("price", np.round(near + rng.integers(-1, 4, n_trades) / 100.0, 2)),
        pl.Series("size", rng.integers(1, 10, n_trades) * 100.0),
        pl.Series("iso", rng.random(n_trades) < 0.4),
        pl.Series("eligible", np.ones(n_trades, np.bool_)),
    )
    return trades, quotes


def polars_seconds(quotes: pl.DataFrame) -> pl.DataFrame:
    """Last quote of each second that has one, by group_by."""
    second = (pl.col("ts").dt.truncate("1s") + pl.duration(seconds=1)).alias("second")
    return quotes.group_by("symbol", second).agg(
        pl.col("bid", "bid_size", "ask", "ask_size").last()
    )


def polars_seconds_dynamic(quotes: pl.DataFrame) -> pl.DataFrame:
    """The same by group_by_dynamic, on what is sorted already."""
    return quotes.group_by_dynamic(
        "ts", every="1s", group_by="symbol", label="right", closed="left"
    ).agg(pl.col("bid", "bid_size", "ask", "ask_size").last())


def _trade_further() -> dict[str, pl.Expr]:
    p, v, bid, ask = (pl.col(name) for name in ("price", "size", "bid", "ask"))
    iso, sign = pl.col("iso"), pl.col("sign")
    met = (bid > 0.0) & (bid <= ask)
    touches = (p == bid) | (p == ask)
    mid, half = 0.5 * (bid + ask), 0.5 * (ask - bid)
    signed = met & (sign != 0.0)
    cost = v * sign * (p - mid)
    wide = signed & (half > 0.0)
    return {
        "iso_flow_share": (sign * p * v).filter(iso).sum() / (p * v).sum(),
        "slippage": cost.filter(signed).sum() / v.filter(signed).sum(),
        "slippage_half_spreads": (cost / half).filter(wide).sum() / v.filter(wide).sum(),
        "pct_at_quote": touches.filter(met).mean(),
        "pct_at_quote_iso": touches.filter(met & iso).mean(),
        "pct_at_mid": ((p - mid).abs() <= 1e-9 * mid).filter(met).mean(),
        "pct_outside_quote": ((p < bid) | (p > ask)).filter(met).mean(),
        "num_unsigned": (sign == 0.0).sum(),
    }


def _quote_further() -> dict[str, pl.Expr]:
    bid, ask = pl.col("bid"), pl.col("ask")
    two = (bid > 0.0) & (ask > 0.0)
    led = pl.col("traded").is_not_null()
    return {
        "num_quotes": pl.len(),
        "num_locked": (two & (bid == ask)).sum(),
        "num_crossed": (two & (bid > ask)).sum(),
        "num_one_sided": (~two).sum(),
        "var_mid_trade": pl.col("square").filter(led).sum(),
        "var_mid_quote": pl.col("square").filter(~led).sum(),
    }


TRADE_FURTHER, QUOTE_FURTHER = _trade_further(), _quote_further()


def polars_features(
    trades: pl.DataFrame, quotes: pl.DataFrame, *, further: bool = False
) -> pl.DataFrame:
    """The fourteen features with Lee-Ready signs and a strict as-of join; the further ones too."""
    bucket = (pl.col("ts").dt.truncate("1m") + pl.duration(minutes=1)).alias("bucket")
    met = trades.join_asof(
        quotes.select("symbol", "ts", "bid", "ask"),
        on="ts",
        by="symbol",
        strategy="backward",
        allow_exact_matches=False,
        check_sortedness=False,
    )
    above = (2.0 * pl.col("price") - pl.col("bid") - pl.col("ask")).round(6).sign()
    tick = pl.col("price").diff().sign()
    last_tick = pl.when(tick != 0.0).then(tick).forward_fill().over("symbol")
    sign = pl.when(above != 0.0).then(above).otherwise(last_tick).fill_null(0.0)
    flow = pl.col("sign") * pl.col("price") * pl.col("size")
    iso = pl.col("iso")
    by_trade = (
        met.with_columns(sign.alias("sign"))
        .group_by("symbol", bucket)
        .agg(
            pct_trades_iso=iso.mean(),
            volume_iso=pl.col("size").filter(iso).sum(),
            total_flow_non_iso=flow.filter(~iso).sum(),
            total_flow_iso=flow.filter(iso).sum(),
            num_trades=pl.len(),
            num_trades_iso=iso.sum(),
            total_volume=pl.col("size").sum(),
            **(TRADE_FURTHER if further else {}),
        )
        .with_columns(
            pct_volume_iso=pl.col("volume_iso") / pl.col("total_volume"),
            total_flow=pl.col("total_flow_iso") + pl.col("total_flow_non_iso"),
            iso_flow_intensity=pl.col("total_flow_iso") / pl.col("total_volume"),
        )
    )
    mid = 0.5 * (pl.col("bid") + pl.col("ask"))
    changed = (pl.col("bid") != pl.col("bid").shift()) | (pl.col("ask") != pl.col("ask").shift())
    seen = quotes.with_columns(changed.over("symbol").alias("changed"))
    if further:
        last = trades.select("symbol", "ts", traded=pl.lit(value=True))
        seen = seen.join_asof(
            last,
            on="ts",
            by="symbol",
            strategy="backward",
            tolerance="1ms",
            check_sortedness=False,
        ).with_columns((mid.pct_change() ** 2).over("symbol").fill_null(0.0).alias("square"))
    by_quote = seen.group_by("symbol", bucket).agg(
        log_mid=mid.mean().log(),
        quote_updates=pl.col("changed").sum(),
        avg_rsprd=((pl.col("ask") - pl.col("bid")) / mid).mean(),
        **(QUOTE_FURTHER if further else {}),
    )
    joined = by_quote.join(by_trade, on=["symbol", "bucket"], how="full", coalesce=True)
    names = (*FOURTEEN, *TRADE_FURTHER, *QUOTE_FURTHER) if further else FOURTEEN
    return joined.rename({"symbol": "ticker"}).select(names)


@njit(nogil=True, fastmath=True)
def _read(a, b, c, d, e):
    total = 0.0
    for i in range(a.size):
        total += a[i] + b[i] + c[i] + d[i] + e[i]
    return total


def main() -> None:
    only = sys.argv[1:]
    trades, quotes = (
        day(np.random.default_rng(0)) if only != ["growth"] else (pl.DataFrame(), pl.DataFrame())
    )
    if not only or "seconds" in only:
        books(quotes)
    if not only or "features" in only:
        minutes(trades, quotes)
    if not only or "growth" in only:
        growth()


def books(quotes: pl.DataFrame) -> None:
    ticks = quote_ticks(quotes)
    columns = (ticks.ts, ticks.bid, ticks.bid_size, ticks.ask, ticks.ask_size)
    ours = nbbo_seconds(quotes)
    theirs = polars_seconds(quotes).sort("symbol", "second")
    fresh = ours.filter(pl.col("age_s") <= 1.0).sort("symbol", "ts")
    for name in ("bid", "bid_size", "ask", "ask_size"):
        np.testing.assert_array_equal(fresh[name].to_numpy(), theirs[name].to_numpy())
    equal = f"{fresh.height:,} books equal; {ours.height - fresh.height:,} carried further rows"
    grouped = best_of(lambda: polars_seconds(quotes), 5)
    dynamic = best_of(lambda: polars_seconds_dynamic(quotes), 5)
    whole = best_of(lambda: nbbo_seconds(quotes), 9)
    kernel = best_of(lambda: seconds.batch(ticks.start, *columns), 9)
    read = best_of(lambda: _read(ticks.ts.view(np.float64), *columns[1:]), 9)
    size = sum(column.nbytes for column in columns)
    rows = [
        _row("group_by", grouped, whole, N_QUOTES, equal),
        _row("group_by_dynamic", dynamic, whole, N_QUOTES, "the same"),
        _row("group_by, kernel alone", grouped, kernel, N_QUOTES, ""),
        _row("group_by_dynamic, kernel alone", dynamic, kernel, N_QUOTES, ""),
    ]
    for what, spent in (("with checks", whole), ("kernel alone", kernel)):
        words = f"{size / spent / 1e9:.1f} GB/s", f"{read / spent:.0%}"
        rows.append((f"of the read bandwidth, {what}", f"{size / read / 1e9:.1f} GB/s", *words, ""))
    show(f"Top of book each second, {N_QUOTES:,} quotes of {SYMBOLS} symbols", rows, HEADER)


def minutes(trades: pl.DataFrame, quotes: pl.DataFrame) -> None:
    n, rows = N_TRADES + N_QUOTES, []
    own = best_of(lambda: microstructure_features(trades, quotes), 9)
    alone = best_of(lambda: microstructure_features(trades, quotes, threads=1), 9)
    ours = microstructure_features(trades, quotes)
    for further in (False, True):
        theirs = polars_features(trades, quotes, further=further)
        worst = apart(ours, theirs)
        what = f"{theirs.width} features"
        equal = f"{ours.height:,} buckets within {worst:.0e}"
        peer = best_of(lambda: polars_features(trades, quotes, further=further), 3)  # noqa: B023
        rows.append(_row(what, peer, own, n, equal))
        rows.append(_row(f"{what}, ours on one thread", peer, alone, n, ""))
    title = f"Features each minute, {N_QUOTES:,} quotes, {N_TRADES:,} trades, "
    show(f"{title}Polars on {pl.thread_pool_size()} threads", rows, HEADER)


def apart(ours: pl.DataFrame, theirs: pl.DataFrame) -> float:
    """The largest difference, relative to the value or to 1; integers must be equal."""
    theirs = theirs.with_columns(pl.col("ticker").cast(pl.String)).sort("ticker", "bucket")
    worst = 0.0
    for name in theirs.columns:
        a, b = ours[name], theirs[name]
        if not a.dtype.is_float():
            assert a.cast(b.dtype).equals(b), name
            continue
        x, y = a.to_numpy(), b.to_numpy()
        np.testing.assert_array_equal(np.isnan(x), np.isnan(y), name)
        scale = np.maximum(np.abs(y), 1e-6 if name.startswith("var") else 1.0)
        worst = max(worst, float(np.nanmax(np.abs(x - y) / scale)))
    assert worst < 1e-9, worst
    return worst


def growth() -> None:
    """Two million rows, then the same again and again a day later: what an event costs."""
    trades, quotes = day(np.random.default_rng(1), 1_600_000, 400_000)
    rows = []
    for times in (1, 10, 100):
        spent = {"features": 0.0, "books": 0.0}
        spent["features"] = timed(lambda: feature_stream(days(trades, quotes, times)))  # noqa: B023
        spent["books"] = timed(lambda: nbbo_stream(q for _, q in days(trades, quotes, times)))  # noqa: B023
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        n = times * trades.height, times * quotes.height
        costs = spent["features"] / sum(n), spent["books"] / n[1]
        rows.append((f"{sum(n):,}", *(f"{cost * 1e9:.1f} ns" for cost in costs), f"{peak:.0f} MB"))
    header = ("rows", "features, each event", "books, each quote", "peak memory so far")
    show("Cost of an event in chunks of 2,000,000 rows", rows, header)


def days(
    trades: pl.DataFrame, quotes: pl.DataFrame, times: int
) -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
    """The same chunk, each time a day later."""
    for k in range(times):
        later = pl.col("ts") + pl.duration(nanoseconds=k * DAY)
        yield trades.with_columns(later), quotes.with_columns(later)


def timed(stream: Callable[[], Iterator[pl.DataFrame]]) -> float:
    """Seconds to draw a stream to its end, keeping nothing; the second of two goes."""
    for _ in range(2):
        begin = time.perf_counter()
        for _ in stream():
            pass
        seconds = time.perf_counter() - begin
    return seconds


def _row(what: str, peer: float, own: float, n: int, equal: str) -> tuple[str, ...]:
    speeds = (f"{seconds:.3f} s ({n / seconds / 1e6:.0f} M/s)" for seconds in (peer, own))
    return what, *speeds, f"{peer / own:.1f}x", equal


if __name__ == "__main__":
    main()
