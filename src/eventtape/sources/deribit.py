"""Deribit options in files: chain snapshots, screen copies, mark volatilities, trades.

Contracts settle at 08:00 UTC. Those on BTC and ETH are inverse: they are quoted and paid in the
coin. A coin price times the index is a price in dollars today, so that put-call parity reads
C - P = (S/F)(F - K): the discount a parity fit finds is index over forward.

Chain snapshots are in dollars already, without index, sizes or time of quote: a row is stamped at
``commit_time``, when the snapshot was published: minutes after the quotes, an hour at the worst
that was measured. The index and the coin's own prices come back from the dollar prices, exactly
(:mod:`eventtape.sources.deribit_index`). A price of 0 is a side nobody quotes and a volatility of
0.8 percent is one that is missing. A snapshot that still lists a contract expired at its stamp was
taken before that expiry: its stamp is wrong by an unknown time and all of it is left out.

The screen copy has prices in the coin; its dollar columns hold ask times index, which gives the
index back (``Bid_USD`` is size times index: not a price). Mark volatilities have no prices; their
time to expiration gives the time of the snapshot.
"""

from __future__ import annotations

import polars as pl

from eventtape.sources.deribit_index import snapshot_indices
from eventtape.sources.option_files_contracts import deribit_contracts, is_call_of
from eventtape.sources.option_files_rows import Given, Ledger, OptionRows, finished, percent
from eventtape.tape import OPTION_TRADE

__all__ = [
    "load_deribit_chains",
    "load_deribit_marks",
    "load_deribit_screen",
    "load_deribit_trades",
]

_UTC = pl.Datetime("ns", "UTC")
_MISSING_IV = 0.8
_COIN_DECIMALS = 4
_QUOTED = ("bid", "ask")
_MILLISECOND = 1_000_000
_SIDES = {"buy": 1, "sell": -1}


def load_deribit_chains(table: pl.DataFrame, given: Given, ledger: Ledger) -> OptionRows:
    """Option quotes of chain snapshots in dollars, stamped when each was committed."""
    rows = deribit_contracts(table["instrument"], ledger).with_columns(
        table["commit_time"].cast(_UTC).alias("ts")
    )
    strike = ledger.number(table, "strike_price", needed=True)
    ledger.reject(
        table["strike_price"], strike != rows["strike"], "the strike of its name", "not its strike"
    )
    gone = rows.select(
        (pl.col("expiry") <= pl.col("ts")).any().over("ts").alias("stale")
    ).to_series()
    ledger.drop(gone, "snapshot older than its stamp")
    rows = rows.with_columns(
        *(ledger.number(table, f"{side}_price_usd").alias(side) for side in ("bid", "ask")),
        *(
            pl.when(values != _MISSING_IV)
            .then(percent(values))
            .otherwise(0.0)
            .alias(f"vendor_{side}_iv")
            for side in ("bid", "ask")
            for values in [ledger.number(table, f"{side}_iv")]
        ),
        *(
            ledger.maybe(table, name).alias(f"vendor_{name}")
            for name in ("delta", "gamma", "vega", "theta")
        ),
        ledger.maybe(table, "open_interest").alias("open_interest"),
    )
    index = snapshot_indices(rows)
    if given.underlying_price is not None:
        index = pl.Series([given.underlying_price]).new_from_index(0, rows.height)
    rows = rows.with_columns(
        index.alias("underlying_price"),
        *((pl.col(side) / index).round(_COIN_DECIMALS).alias(f"coin_{side}") for side in _QUOTED),
    )
    return finished(rows, ledger, day_vega=True)


def load_deribit_screen(table: pl.DataFrame, given: Given, ledger: Ledger) -> OptionRows:
    """Option quotes of one expiry copied from the screen; the caller states time and expiry."""
    at = pl.lit(ledger.at(given)).cast(_UTC)
    contracts = _screen_contracts(table, given, ledger)
    coins = pl.DataFrame({side: ledger.number(table, side) for side in ("bid", "ask", "mark")})
    index = given.underlying_price or _screen_index(coins["ask"], table, ledger)
    rows = contracts.with_columns(
        at.alias("ts"),
        *((coins[side] * index).alias(side) for side in ("bid", "ask", "mark")),
        *(coins[side].alias(f"coin_{side}") for side in ("bid", "ask")),
        ledger.number(table, "size").alias("bid_size"),
        ledger.number(table, "size_duplicated_0").alias("ask_size"),
        pl.lit(index).alias("underlying_price"),
        percent(ledger.number(table, "iv bid")).alias("vendor_bid_iv"),
        percent(ledger.number(table, "iv ask")).alias("vendor_ask_iv"),
        *(
            ledger.maybe(table, theirs).alias(f"vendor_{ours}")
            for ours, theirs in (
                ("delta", "δ|delta"),
                ("gamma", "gamma"),
                ("vega", "vega"),
                ("theta", "theta"),
                ("rho", "rho"),
            )
        ),
        ledger.maybe(table, "open").alias("open_interest"),
    )
    return finished(rows, ledger, day_vega=True)


def load_deribit_marks(table: pl.DataFrame, given: Given, ledger: Ledger) -> OptionRows:
    """Mark volatilities without prices, stamped at expiry less ``time_to_expiration`` (ms)."""
    del given
    rows = deribit_contracts(table["instrument_name"], ledger)
    left = ledger.number(table, "time_to_expiration", needed=True) * _MILLISECOND
    iv = percent(ledger.number(table, "implied_volatility"))
    rows = rows.with_columns(
        (rows["expiry"] - left.cast(pl.Int64).cast(pl.Duration("ns"))).alias("ts"),
        iv.alias("vendor_iv"),
    )
    return finished(rows, ledger)


def load_deribit_trades(table: pl.DataFrame, given: Given, ledger: Ledger) -> OptionRows:
    """Option trades in dollars; the file rounds times down to the minute: ``ts`` is its end."""
    del given
    coin = ledger.number(table, "price_btc", needed=True)
    ledger.reject(table["price_btc"], coin <= 0, "a price > 0", "no price")
    size = ledger.number(table, "size", needed=True)
    ledger.reject(table["size"], size <= 0, "a size > 0", "no size")
    side = (
        table["side"].str.to_lowercase().replace_strict(_SIDES, default=None, return_dtype=pl.Int8)
    )
    ledger.reject(table["side"], side.is_null(), "BUY or SELL", "no side")
    minute = table["ts_utc_minute"].cast(pl.Datetime("ns")).dt.replace_time_zone("UTC")
    index = ledger.number(table, "index_price", needed=True)
    rows = deribit_contracts(table["instrument"], ledger).with_columns(
        minute.dt.offset_by("1m").alias("ts"),
        (coin * index).alias("price"),
        size.alias("size"),
        side.alias("side"),
        (ledger.number(table, "mark_price_btc") * index).alias("mark"),
        index.alias("underlying_price"),
        coin.alias("coin_price"),
        percent(ledger.number(table, "iv_pct")).alias("vendor_iv"),
    )
    return finished(rows, ledger, OPTION_TRADE)


def _screen_contracts(table: pl.DataFrame, given: Given, ledger: Ledger) -> pl.DataFrame:
    coin = given.underlying
    if coin is None or given.expiry is None:
        missing = "underlying" if coin is None else "expiry"
        raise ledger.fault(f"an {missing} (the file has none: give {missing}=)", column=missing)
    day = pl.Series([given.expiry]).str.to_date("%Y-%m-%d", strict=False)
    if day[0] is None:
        raise ledger.fault("an expiry such as 2025-12-26", met=given.expiry, column="expiry")
    text = day.dt.strftime("%-d%b%y").str.to_uppercase()[0]
    strike = ledger.number(table, "strike", needed=True).round().cast(pl.Int64).cast(pl.String)
    side = is_call_of(table["optiontype"], ledger).cast(pl.Int8).cast(pl.String)
    right = side.replace_strict({"1": "C", "0": "P"}, default=None)
    return deribit_contracts((f"{coin}-{text}-" + strike + "-" + right).alias("strike"), ledger)


def _screen_index(ask: pl.Series, table: pl.DataFrame, ledger: Ledger) -> float:
    """The index in the dollar column of the asks, whose rounding to a dollar averages out."""
    if "ask_usd" not in table.columns:
        wanted = "the index (the file has none: give underlying_price=)"
        raise ledger.fault(wanted, column="ask_usd")
    dollars = ledger.number(table, "ask_usd")
    both = ask.is_not_null() & dollars.is_not_null()
    coins = float(ask.filter(both).sum())
    if not coins > 0:
        wanted = "asks in coin and dollars that give the index (or give underlying_price=)"
        raise ledger.fault(wanted, column="ask_usd")
    return float(dollars.filter(both).sum()) / coins
