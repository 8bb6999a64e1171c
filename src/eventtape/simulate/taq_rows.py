"""The rows of a simulated day, stretch by stretch: what is drawn together, and in which order.

A stretch is some whole seconds of one or more symbols, cut so that no stretch is too large. Each
symbol carries its own book and its own random numbers from stretch to stretch, so neither the cuts
nor the company of other symbols changes a row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from eventtape.arrays import FloatArray, IntArray
from eventtape.clock import SECOND
from eventtape.simulate.taq_blemishes import FAULTS, Faults, plant, spoil_quotes, spoil_trades
from eventtape.simulate.taq_kernel import BOOK, LAST_SIDE, Chances, QuoteRows, TradeRows, run_cells
from eventtape.simulate.taq_market import (
    CLASSES,
    FACTOR_VOLATILITY,
    SESSION,
    TaqConfig,
    TaqMarket,
    dealt,
    latent,
)

__all__ = ["Stretch", "stretches"]

_TICKS, _QUOTE_FAULTS, _TRADE_FAULTS = 10, 11, 12  # purposes of generators, beside taq_market's

_Rows = TypeVar("_Rows", QuoteRows, TradeRows)


class Stretch(NamedTuple, Generic[_Rows]):
    """Quotes or trades of a stretch, symbol after symbol or merged by time."""

    rows: _Rows
    key: IntArray  # the stamp the rows are merged by: that before a fault
    fault: NDArray[np.uint8]  # index into FAULTS
    spans: list[tuple[int, int]]  # symbol and its number of rows, before they were merged
    order: IntArray | None  # where each merged row stood before; None where nothing was merged


class _Symbol(NamedTuple):
    """One symbol on its way through the day; ``book`` and ``random`` are advanced in place."""

    g: int
    price: FloatArray
    noise: FloatArray
    counts: tuple[IntArray, IntArray]  # quotes and trades of each second
    ends: tuple[IntArray, IntArray]  # rows up to and with each second
    book: IntArray
    random: NDArray[np.uint64]
    faults: tuple[Faults, Faults]


_Piece = tuple[_Symbol, int, int]  # and its seconds, first to last


def stretches(
    market: TaqMarket, chosen: list[int], batch_rows: int, *, by_time: bool
) -> Iterator[tuple[Stretch[QuoteRows], Stretch[TradeRows]]]:
    """Quotes and trades of the chosen symbols, at most ``batch_rows`` together or one second."""
    held: dict[int, TradeRows] = {}
    for pieces in _plan(_symbols(market, chosen), market.config.seconds, batch_rows, by_time):
        quotes, trades = _draw(market, pieces, held)
        yield (_merged(quotes), _merged(trades)) if by_time else (quotes, trades)


def _symbols(market: TaqMarket, chosen: list[int]) -> list[_Symbol]:
    config = market.config
    faulty = any(getattr(config.blemishes, kind) for kind in FAULTS[1:])
    # Faults are dealt over all symbols, so that a symbol has its own whoever else is asked for.
    counts = {g: dealt(market, g) for g in (range(config.symbols) if faulty else chosen)}
    faults = [
        plant(
            config.blemishes,
            [count[k] for count in counts.values()],
            np.random.default_rng([config.seed, purpose]),
            trades=k == 1,
        )
        for k, purpose in enumerate((_QUOTE_FAULTS, _TRADE_FAULTS))
    ]
    of_symbol = dict(zip(counts, zip(*faults, strict=True), strict=True))
    scale = np.square(FACTOR_VOLATILITY) / SESSION
    made = []
    for g in chosen:
        own = np.square(market.amplification * market.volatility[g])
        seed = np.random.SeedSequence([config.seed, _TICKS, g]).generate_state(2, np.uint64)
        book = np.zeros(BOOK, np.int64)
        book[LAST_SIDE] = 1 if seed[1] % 2 else -1
        noise = np.sqrt(np.square(market.beta[g]) @ scale + own)
        random = seed[:1].astype(np.uint64)
        ends = np.cumsum(counts[g][0]), np.cumsum(counts[g][1])
        made.append(
            _Symbol(g, latent(market, g), noise, counts[g], ends, book, random, of_symbol[g])
        )
    return made


def _plan(
    symbols: list[_Symbol], seconds: int, batch_rows: int, by_time: bool
) -> Iterator[list[_Piece]]:
    """Whole seconds of symbols, cut where a stretch would be too large."""
    rows = [symbol.counts[0] + symbol.counts[1] for symbol in symbols]
    if by_time:
        for first, last in _cuts(np.sum(rows, axis=0), batch_rows):
            yield [(symbol, first, last) for symbol in symbols]
        return
    for first, last in _cuts(np.concatenate(rows), batch_rows):
        yield [
            (symbols[k], max(first - k * seconds, 0), min(last - k * seconds, seconds))
            for k in range(first // seconds, (last - 1) // seconds + 1)
        ]


def _cuts(rows: IntArray, batch_rows: int) -> Iterator[tuple[int, int]]:
    ends = np.cumsum(rows)
    first = 0
    while first < rows.size:
        met = int(ends[first - 1]) if first else 0
        last = max(int(np.searchsorted(ends, met + batch_rows, side="right")), first + 1)
        yield first, last
        first = last


def _draw(
    market: TaqMarket, pieces: list[_Piece], held: dict[int, TradeRows]
) -> tuple[Stretch[QuoteRows], Stretch[TradeRows]]:
    """Quotes and trades of the pieces, one after the other; ``held`` are late trades to come."""
    config = market.config
    chance = _chances(config)
    met = [[_met(symbol.ends[k], first) for symbol, first, _ in pieces] for k in (0, 1)]
    size = [
        [
            _met(symbol.ends[k], last) - before
            for (symbol, _, last), before in zip(pieces, met[k], strict=True)
        ]
        for k in (0, 1)
    ]
    quotes, trades = _room(QuoteRows, sum(size[0])), _room(TradeRows, sum(size[1]))
    at = [np.r_[0, np.cumsum(size[k])] for k in (0, 1)]
    for i, (symbol, first, last) in enumerate(pieces):
        of = CLASSES[market.kind[symbol.g]]
        where = (first, last, config.start_ns, *symbol.counts, symbol.price, symbol.noise)
        what = (of.spread, of.depth, chance, symbol.book, symbol.random)
        run_cells(*where, *what, quotes, int(at[0][i]), trades, int(at[1][i]))
    quoted = [_part(quotes, at[0], i) for i in range(len(pieces))]
    traded = [_part(trades, at[1], i) for i in range(len(pieces))]
    if config.late_ns:
        trades.ts[trades.late] += config.late_ns
    if config.late_ns and 0.0 < config.late_share < 1.0:
        for i, (symbol, _, last) in enumerate(pieces):
            until = config.start_ns + last * SECOND if last < config.seconds else None
            traded[i], held[symbol.g] = _settled(traded[i], held.get(symbol.g), until)
        trades = _stacked(traded)
        at[1] = np.r_[0, np.cumsum([rows.ts.size for rows in traded])]
        traded = [_part(trades, at[1], i) for i in range(len(pieces))]
    return (
        _spoilt(quotes, quoted, pieces, met[0], spoil_quotes, 0),
        _spoilt(trades, traded, pieces, met[1], spoil_trades, 1),
    )


def _chances(config: TaqConfig) -> Chances:
    s, c = config.iso_share, config.sweep_continues
    rest = max(1.0 - s, 1e-300)  # all ISO: no other print is drawn
    return Chances(
        s,
        s * (1.0 - c) / (1.0 - s * c),
        c,
        config.midpoint_share / rest,
        config.improved_share / rest,
        config.ineligible_share / rest,
        config.trade_moves,
        config.persistence,
        config.same_ns_share,
        config.late_share if config.late_ns else 0.0,
    )


def _met(ends: IntArray, second: int) -> int:
    return int(ends[second - 1]) if second else 0


_TYPES = {
    "ts": np.int64,
    "trade_driven": np.bool_,
    "iso": np.bool_,
    "eligible": np.bool_,
    "side": np.int8,
    "place": np.uint8,
    "sweep": np.int64,
    "informed": np.bool_,
    "late": np.bool_,
}


def _room(rows: type[_Rows], n: int) -> _Rows:
    return rows(*(np.empty(n, _TYPES.get(name, np.float64)) for name in rows._fields))


def _part(rows: _Rows, at: IntArray, i: int) -> _Rows:
    return _some(rows, slice(int(at[i]), int(at[i + 1])))


def _some(rows: _Rows, which: slice | IntArray) -> _Rows:
    columns: tuple[Any, ...] = tuple(rows)
    return type(rows)(*(column[which] for column in columns))


def _stacked(parts: list[TradeRows]) -> TradeRows:
    columns: Any = zip(*parts, strict=True)
    return TradeRows(*(np.concatenate(column) for column in columns))


def _settled(
    rows: TradeRows, held: TradeRows | None, until: int | None
) -> tuple[TradeRows, TradeRows]:
    """Trades in the order of their stamps as far as ``until``, and those to be held back."""
    if held is not None:
        rows = _stacked([held, rows])
    rows = _some(rows, np.argsort(rows.ts, kind="stable"))
    cut = rows.ts.size if until is None else int(np.searchsorted(rows.ts, until))
    return _some(rows, slice(cut)), _some(rows, slice(cut, None))


def _spoilt(
    whole: _Rows,
    parts: list[_Rows],
    pieces: list[_Piece],
    met: list[int],
    spoil: Callable[[_Rows, Faults, int, IntArray], NDArray[np.uint8]],
    k: int,
) -> Stretch[_Rows]:
    """The rows of all pieces, with their faults: the parts are views of the whole."""
    key = whole.ts.copy()
    fault = np.zeros(key.size, np.uint8)
    spans, begin = [], 0
    for rows, (symbol, _, _), before in zip(parts, pieces, met, strict=True):
        here = slice(begin, begin + rows.ts.size)
        if symbol.faults[k].rows.size:
            fault[here] = spoil(rows, symbol.faults[k], before, key[here])
        spans.append((symbol.g, rows.ts.size))
        begin = here.stop
    return Stretch(whole, key, fault, spans, None)


def _merged(one: Stretch[_Rows]) -> Stretch[_Rows]:
    order = np.argsort(one.key, kind="stable")  # merges the symbols' runs
    return Stretch(_some(one.rows, order), one.key[order], one.fault[order], one.spans, order)
