"""A US equity day of which everything is known: quotes, trades, and the truth behind every row.

Full-tick symbols ``SIM000`` (the busiest), ``SIM001`` ... on a date of the simulation's own; how a
row comes about is told in ``taq_market`` (prices and numbers of rows) and ``taq_kernel`` (the
book). Small days are frames (:func:`taq_day`); days of any size are an iterator of bounded batches
(:func:`taq_batches`) whose memory does not grow with the day. The same seed gives the same rows
whatever the size of the batches and whichever symbols are asked for.

The truth lies beside the rows, row by row. Quotes: ``trade_driven`` (the quote answers a trade),
``mid_move`` (dollars), ``efficient`` (the price behind the book, dollars), ``fault``. Trades:
``side`` (+1 the buyer started it), ``place`` (where in the book), ``sweep`` (the number of its
sweep within the symbol, -1 for a print by itself), ``informed``, ``happened`` (when; ``ts`` is
later where the stamp is late), ``fault``. A trade meets the last quote strictly before it happened.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from eventtape.arrays import IntArray
from eventtape.clock import SECOND
from eventtape.errors import InputError
from eventtape.simulate.taq_blemishes import FAULTS
from eventtape.simulate.taq_kernel import PLACES, QuoteRows, TradeRows
from eventtape.simulate.taq_market import CLASSES, FACTORS, TaqConfig, TaqMarket, taq_market
from eventtape.simulate.taq_rows import Stretch, stretches

__all__ = ["TaqBatch", "TaqDay", "TaqTruth", "taq_batches", "taq_day"]

_TIME = pl.Datetime("ns", "UTC")
_ORDERS = ("symbol", "time")
_SIDES = ("bid", "bid_size", "ask", "ask_size")
_PRINTS = ("price", "size", "iso", "eligible")
_QUOTE_TRUTH = ("trade_driven", "mid_move", "efficient")


class TaqBatch(NamedTuple):
    """Rows of the day, quotes and trades of the same stretch, and their truth row by row."""

    quotes: pl.DataFrame  # record QUOTE, symbol as Enum
    trades: pl.DataFrame  # record EQUITY_TRADE, symbol as Enum
    quote_truth: pl.DataFrame | None  # None where no truth was asked for
    trade_truth: pl.DataFrame | None


class TaqTruth(NamedTuple):
    """What is true of a day."""

    quotes: pl.DataFrame  # row by row beside the quotes
    trades: pl.DataFrame  # row by row beside the trades
    symbols: pl.DataFrame  # class, level, spread, betas, volatility, rows, and the variance split
    seconds: pl.DataFrame  # factor returns and amplification of the second that ends at ts
    halts: pl.DataFrame  # symbol, from, to


class TaqDay(NamedTuple):
    """A simulated day in memory."""

    quotes: pl.DataFrame
    trades: pl.DataFrame
    truth: TaqTruth


def taq_day(seed: int, *, order: str = "symbol", **options: Any) -> TaqDay:
    """A whole simulated day as frames; ``options`` are those of :class:`TaqConfig`.

    In ``truth.symbols`` the columns ``trade_driven`` and ``quote_driven`` split each symbol's sum
    of squared moves of the mid (dollars squared) by what caused the quote; they add up to ``all``.
    """
    config = TaqConfig(seed=seed, **options)
    market = taq_market(config)
    batches = list(_batches(market, 2**62, order, None, truth=True))
    columns = (
        pl.concat([part for part in parts if part is not None])
        for parts in zip(*batches, strict=True)
    )
    quotes, trades, quote_truth, trade_truth = columns
    seconds = pl.DataFrame(
        {
            "ts": config.start_ns + SECOND * np.arange(1, config.seconds + 1),
            **dict(zip(FACTORS, market.factors.T, strict=True)),
            "amplification": market.amplification,
        }
    ).with_columns(pl.col("ts").cast(_TIME))
    symbols = _symbol_truth(market, quotes, quote_truth)
    truth = TaqTruth(quote_truth, trade_truth, symbols, seconds, _halt_truth(market))
    return TaqDay(quotes, trades, truth)


def taq_batches(
    seed: int,
    *,
    batch_rows: int = 1_000_000,
    order: str = "symbol",
    only: Sequence[str] | None = None,
    truth: bool = True,
    **options: Any,
) -> Iterator[TaqBatch]:
    """The rows of the same day in batches of about ``batch_rows`` quotes and trades together.

    A batch holds whole seconds and no more than ``batch_rows``, unless one second alone does.
    ``order="symbol"`` gives all of SIM000, then SIM001 ... as a vendor's flat file;
    ``order="time"`` merges the symbols by stamp, ties in the order of symbols. ``only`` keeps some
    symbols, with the very rows they have in the whole day. ``options`` as in :class:`TaqConfig`.
    """
    if batch_rows < 1:
        raise InputError("at least one row a batch", met=batch_rows, column="batch_rows")
    return _batches(
        taq_market(TaqConfig(seed=seed, **options)), batch_rows, order, only, truth=truth
    )


def _batches(
    market: TaqMarket, batch_rows: int, order: str, only: Sequence[str] | None, *, truth: bool
) -> Iterator[TaqBatch]:
    config = market.config
    if order not in _ORDERS:
        raise InputError(f"one of {', '.join(_ORDERS)}", met=order, column="order")
    unknown = sorted(set(only or ()) - set(config.names))
    if unknown:
        raise InputError(f"symbols SIM000 to {config.names[-1]}", met=unknown, column="only")
    chosen = [g for g, name in enumerate(config.names) if only is None or name in only]
    if not chosen:
        raise InputError("at least one symbol", met=only, column="only")
    drawn = stretches(market, chosen, batch_rows, by_time=order == "time")
    return (
        TaqBatch(
            _quote_frame(quotes, config.names),
            _trade_frame(trades, config.names),
            _quote_truth(quotes) if truth else None,
            _trade_truth(trades, config.late_ns) if truth else None,
        )
        for quotes, trades in drawn
    )


def _symbol(one: Stretch[QuoteRows] | Stretch[TradeRows], names: tuple[str, ...]) -> pl.Series:
    of = pl.Series("symbol", names, dtype=pl.Enum(names))
    column = pl.concat([of.slice(g, 1).new_from_index(0, n) for g, n in one.spans])
    return column if one.order is None else column.gather(one.order)


def _time(name: str, ts: IntArray) -> pl.Series:
    return pl.Series(name, ts).cast(_TIME)


def _words(name: str, words: tuple[str, ...], index: np.ndarray[Any, Any]) -> pl.Series:
    return pl.Series(name, index.astype(np.uint8, copy=False)).cat.to(pl.Enum(words))


def _quote_frame(one: Stretch[QuoteRows], names: tuple[str, ...]) -> pl.DataFrame:
    rows = one.rows
    sides = [pl.Series(name, getattr(rows, name)) for name in _SIDES]
    return pl.DataFrame([_symbol(one, names), _time("ts", rows.ts), *sides])


def _trade_frame(one: Stretch[TradeRows], names: tuple[str, ...]) -> pl.DataFrame:
    rows = one.rows
    prints = [pl.Series(name, getattr(rows, name)) for name in _PRINTS]
    return pl.DataFrame([_symbol(one, names), _time("ts", rows.ts), *prints])


def _quote_truth(one: Stretch[QuoteRows]) -> pl.DataFrame:
    known = [pl.Series(name, getattr(one.rows, name)) for name in _QUOTE_TRUTH]
    return pl.DataFrame([*known, _words("fault", FAULTS, one.fault)])


def _trade_truth(one: Stretch[TradeRows], late_ns: int) -> pl.DataFrame:
    rows = one.rows
    return pl.DataFrame(
        [
            pl.Series("side", rows.side),
            _words("place", PLACES, rows.place),
            pl.Series("sweep", rows.sweep),
            pl.Series("informed", rows.informed),
            _time("happened", one.key - late_ns * rows.late),
            _words("fault", FAULTS, one.fault),
        ]
    )


def _symbol_truth(
    market: TaqMarket, quotes: pl.DataFrame, quote_truth: pl.DataFrame
) -> pl.DataFrame:
    names = market.config.names
    kinds = [CLASSES[k] for k in market.kind]
    table = pl.DataFrame(
        {
            "symbol": pl.Series(names, dtype=pl.Enum(names)),
            "class": [kind.name for kind in kinds],
            "level": market.level,
            "spread": [kind.spread / 100.0 for kind in kinds],
            **{f"beta_{name}": market.beta[:, k] for k, name in enumerate(FACTORS)},
            "volatility": market.volatility,
            "n_quotes": market.quotes,
            "n_trades": market.trades,
        }
    )
    square = pl.col("mid_move") ** 2
    split = (
        pl.DataFrame([quotes["symbol"], *quote_truth.select("mid_move", "trade_driven")])
        .group_by("symbol", maintain_order=True)
        .agg(
            square.filter("trade_driven").sum().alias("trade_driven"),
            square.filter(~pl.col("trade_driven")).sum().alias("quote_driven"),
            square.sum().alias("all"),
        )
    )
    return table.join(split, on="symbol", how="left", maintain_order="left")


def _halt_truth(market: TaqMarket) -> pl.DataFrame:
    names, start = market.config.names, market.config.start_ns
    symbol, first, last = market.halts.T
    return pl.DataFrame(
        [
            pl.Series("symbol", [names[g] for g in symbol], dtype=pl.Enum(names)),
            _time("from", start + SECOND * first),
            _time("to", start + SECOND * last),
        ]
    )
