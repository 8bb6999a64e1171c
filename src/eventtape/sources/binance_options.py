"""Binance end-of-hour summaries of European options on BTC and ETH, settled in USDT.

One row a contract and hour, with the best bid and ask, their sizes, the mark and its volatility and
Greeks. ``hour`` is the hour that ended: the row is the book one second before the next hour, which
its own Greeks confirm (vega and delta give back a time to expiry that ends at HH:59:59 to the
second). The contract is read from ``symbol``; ``strike`` is written "YYMMDD-K". Contracts are still
listed in the hour after they expired and are left out there.

``best_buy_iv`` is empty in the archive and ``best_sell_iv`` is 10 (9.9999994) or 0 where it is not
known; an ask a hundred times the mark at no known volatility is a placeholder and becomes null.
"""

from __future__ import annotations

import polars as pl

from eventtape.clock import SECOND
from eventtape.sources.option_files_contracts import binance_contracts, dates_of
from eventtape.sources.option_files_rows import Given, Ledger, OptionRows, finished

__all__ = ["load_binance_options"]

_NO_IV = 9.99
_FAR = 100.0
_HOUR_END = 3_599 * SECOND
_HOURS = 24


def load_binance_options(table: pl.DataFrame, given: Given, ledger: Ledger) -> OptionRows:
    """Option quotes of an end-of-hour summary, stamped HH:59:59 of the hour it names."""
    del given
    contracts = binance_contracts(table["symbol"], ledger)
    hour = ledger.number(table, "hour", needed=True)
    ledger.reject(table["hour"], (hour < 0) | (hour >= _HOURS), "an hour from 0 to 23", "no hour")
    day = dates_of(table["date"], ledger).cast(pl.Datetime("ns")).dt.replace_time_zone("UTC")
    past = (hour * 3_600 * SECOND).cast(pl.Int64) + _HOUR_END
    iv = {
        ours: ledger.maybe(table, theirs)
        for ours, theirs in (
            ("vendor_iv", "mark_iv"),
            ("vendor_bid_iv", "best_buy_iv"),
            ("vendor_ask_iv", "best_sell_iv"),
        )
    }
    mark, ask = ledger.maybe(table, "mark_price"), ledger.number(table, "best_ask_price")
    placeholder = ((ask > _FAR * mark) & (iv["vendor_ask_iv"] >= _NO_IV)).fill_null(value=False)
    ledger.note(placeholder, "placeholder ask")
    prices = pl.DataFrame({"ask": ask, "size": ledger.maybe(table, "best_ask_qty")})
    prices = prices.select(pl.when(~placeholder).then(pl.col("ask", "size")))
    rows = contracts.with_columns(
        (day + past.cast(pl.Duration("ns"))).alias("ts"),
        ledger.number(table, "best_bid_price").alias("bid"),
        prices["ask"],
        ledger.maybe(table, "best_bid_qty").alias("bid_size"),
        prices["size"].alias("ask_size"),
        mark.alias("mark"),
        *(pl.when(values < _NO_IV).then(values).alias(name) for name, values in iv.items()),
        *(
            ledger.maybe(table, name).alias(f"vendor_{name}")
            for name in ("delta", "gamma", "vega", "theta")
        ),
        ledger.maybe(table, "openinterest_contracts").alias("open_interest"),
    )
    return finished(rows, ledger, day_vega=True)
