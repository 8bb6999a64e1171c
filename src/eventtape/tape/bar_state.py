r"""What were the open, high, low, close, volume and average price of each interval of trades?

The bar stamped T is of the trades with T - every <= t < T (left-closed, stamped with the END), so
that what it says was known at T and not before. Intervals start at whole multiples of ``every``
since 1970-01-01T00:00Z. With prices p_i and sizes q_i of the interval's trades in their order::

    open = p_1,  high = max p,  low = min p,  close = p_n,  trades = n,
    volume = sum q_i,   dollar_volume = sum p_i q_i,   vwap = dollar_volume / volume.

An interval in which nothing traded has no bar. Sums run in the order of the trades and nothing else
is kept, so the bars are the same to the last bit however the trades are cut into chunks: one state,
:func:`step` for the next chunk, :func:`close` for what is still open. :func:`batch` is the same
walk over a whole history. Trades may come ordered by symbol or by time alone.

Dollar volume over volume can leave [low, high] by a rounding; vwap is held inside.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from eventtape.arrays import BoolArray, FloatArray, IntArray
from eventtape.clock import format_ns
from eventtape.errors import InputError

Codes = NDArray[np.int32] | IntArray

__all__ = ["BarState", "Bars", "batch", "close", "fill", "grow", "start", "step"]

_NEVER, _FOREVER = np.iinfo(np.int64).min, np.iinfo(np.int64).max
_ROWS = 1 << 17  # rows a chunk of `batch`: the closed bars of one chunk are set aside at a time
_LAST, _END, _TRADES = 0, 1, 2
_OPEN, _HIGH, _LOW, _CLOSE, _VOLUME, _DOLLARS = 0, 1, 2, 3, 4, 5


class BarState(NamedTuple):
    """The open interval of each symbol; one row a symbol, so that a trade touches one place."""

    times: IntArray  # (n_symbols, 3): last time seen (ns), END of the open interval, its trades
    numbers: FloatArray  # (n_symbols, 6): open, high, low, close, volume, dollar volume


class Bars(NamedTuple):
    """Bars, arrays of shape ``(n_bars,)``: dollars, shares; ``ts`` is the END of the interval."""

    symbol: IntArray  # the code the trades had
    ts: IntArray  # ns UTC
    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    volume: FloatArray
    vwap: FloatArray  # NaN where nothing traded (only after `fill`)
    trades: IntArray
    dollar_volume: FloatArray


def start(n_symbols: int) -> BarState:
    """The state before the first trade of ``n_symbols`` symbols."""
    return grow(BarState(np.empty((0, 3), np.int64), np.empty((0, 6))), n_symbols)


def grow(state: BarState, n_symbols: int) -> BarState:
    """The state with room for symbols up to ``n_symbols``; those it had keep their open bars."""
    had = state.times.shape[0]
    if n_symbols < had:
        raise InputError(f"at least the {had} symbols already there", met=n_symbols)
    times, numbers = np.zeros((n_symbols, 3), np.int64), np.zeros((n_symbols, 6))
    times[:, :2] = _NEVER
    times[:had], numbers[:had] = state.times, state.numbers
    return BarState(times, numbers)


def step(
    state: BarState,
    symbol: IntArray,
    ts: IntArray,
    price: FloatArray,
    size: FloatArray,
    eligible: BoolArray | None = None,
    *,
    every_ns: int,
) -> tuple[BarState, Bars]:
    """The state after a chunk of trades, and the bars they closed, in the order of their closing.

    Arrays of shape ``(n,)``: ``symbol`` codes below the state's number of symbols, ``ts`` ns UTC
    not falling within a symbol, ``price`` and ``size`` positive. Trades not ``eligible`` are
    checked and then passed over; None takes every trade.
    """
    symbol, ts, price, size = _check(symbol, ts, price, size, every_ns)
    if eligible is None:
        eligible = np.ones(ts.size, np.bool_)
    elif eligible.shape != ts.shape or eligible.dtype != np.bool_:
        raise InputError(f"booleans of shape {ts.shape}", met=f"{eligible.dtype} {eligible.shape}")
    state = BarState(state.times.copy(), state.numbers.copy())
    same = np.arange(state.times.shape[0])
    return state, advance(state, symbol, same, ts, price, size, eligible, every_ns)


def close(state: BarState, until_ns: int | None = None) -> tuple[BarState, Bars]:
    """The state and bars after closing the intervals that end by ``until_ns`` (None: all of them).

    Bars come in the order of their symbols. A later trade inside what was closed is an error.
    """
    times, numbers = state.times.copy(), state.numbers
    done = times[:, _TRADES] > 0
    if until_ns is not None:
        done &= times[:, _END] <= until_ns
        times[:, _LAST] = np.maximum(times[:, _LAST], until_ns)
    rows = np.flatnonzero(done)
    closed = _bars(rows, times[rows, _END], times[rows, _TRADES], numbers[rows])
    times[rows, _LAST] = np.maximum(times[rows, _LAST], times[rows, _END])
    times[rows, _TRADES] = 0
    return BarState(times, numbers.copy()), closed


def batch(
    symbol: IntArray,
    ts: IntArray,
    price: FloatArray,
    size: FloatArray,
    eligible: BoolArray | None = None,
    *,
    every_ns: int,
) -> Bars:
    """All bars of a history of trades, ordered by symbol code and then time; arrays as in `step`.

    >>> made = batch(np.zeros(3, np.int64), np.array([0, 59, 60]), np.array([5.0, 7.0, 6.0]),
    ...              np.array([1.0, 3.0, 2.0]), every_ns=60)
    >>> made.ts.tolist(), made.open.tolist(), made.close.tolist(), made.vwap.tolist()
    ([60, 120], [5.0, 6.0], [7.0, 6.0], [6.5, 6.0])
    """
    n_symbols = int(np.max(symbol, initial=-1)) + 1
    state, parts = start(n_symbols), []
    for low in range(0, max(ts.shape[0], 1), _ROWS):
        rows = slice(low, low + _ROWS)
        take = None if eligible is None else eligible[rows]
        try:
            state, closed = step(
                state, symbol[rows], ts[rows], price[rows], size[rows], take, every_ns=every_ns
            )
        except InputError as error:
            error.row = None if error.row is None else error.row + low
            raise
        parts.append(closed)
    return ordered([*parts, close(state)[1]])


def ordered(parts: list[Bars]) -> Bars:
    """Bars of many chunks as one, by symbol code and then time."""
    whole = Bars._make(np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.lexsort((whole.ts, whole.symbol))
    return Bars._make(values[order] for values in whole)


def fill(bars: Bars, *, every_ns: int) -> Bars:
    """Bars with the empty intervals between a symbol's first and last one put in, nights included.

    Such a bar has the last close as its four prices, no volume and no trade, and a vwap of NaN.
    ``bars`` are ordered by symbol and then time.
    """
    gap = np.ones(bars.ts.size, np.int64)  # intervals from this bar to the symbol's next one
    same = bars.symbol[1:] == bars.symbol[:-1]
    gap[:-1] = np.where(same, (bars.ts[1:] - bars.ts[:-1]) // every_ns, 1)
    source = np.repeat(np.arange(bars.ts.size), gap)
    after = np.arange(source.size) - np.repeat(np.cumsum(gap) - gap, gap)
    empty = after > 0
    kept = Bars._make(values[source] for values in bars)
    prices = {name: np.where(empty, kept.close, getattr(kept, name)) for name in _PRICES}
    return kept._replace(
        ts=kept.ts + after * every_ns,
        volume=np.where(empty, 0.0, kept.volume),
        vwap=np.where(empty, np.nan, kept.vwap),
        trades=np.where(empty, 0, kept.trades),
        dollar_volume=np.where(empty, 0.0, kept.dollar_volume),
        **prices,
    )


_PRICES = ("open", "high", "low")


def advance(
    state: BarState,
    code: Codes,
    symbol_of: IntArray,
    ts: IntArray,
    price: FloatArray,
    size: FloatArray,
    eligible: BoolArray,
    every_ns: int,
) -> Bars:
    """The bars a chunk closes, the state moved IN PLACE: :func:`step` without copies and types.

    Row i is of symbol ``symbol_of[code[i]]``: the codes of an Arrow dictionary go in as they are.
    Their range, and time, price and size of every row, are checked here.
    """
    if code.size and not 0 <= code.min() <= code.max() < symbol_of.size:
        row = int(np.flatnonzero((code < 0) | (code >= symbol_of.size))[0])
        wanted = f"a symbol code in 0 ... {symbol_of.size - 1}"
        raise InputError(wanted, met=int(code[row]), row=row + 1, column="symbol")
    if ts.size and ts.max() > _FOREVER - every_ns:
        row = int(ts.argmax())
        wanted = "a time whose interval ends before the year 2262"
        raise InputError(wanted, met=int(ts[row]), row=row + 1, column="ts")
    spans = np.empty((ts.size, 3), np.int64)  # pages never written are never paid for
    numbers = np.empty((ts.size, 6))
    made, row = _run(
        code,
        symbol_of,
        ts,
        price,
        size,
        eligible,
        every_ns,
        state.times,
        state.numbers,
        spans,
        numbers,
    )
    if row >= 0:
        raise _fault(int(row), int(symbol_of[code[row]]), ts, price, size)
    return _bars(spans[:made, 0], spans[:made, 1], spans[:made, 2], numbers[:made])


def _fault(row: int, symbol: int, ts: IntArray, price: FloatArray, size: FloatArray) -> InputError:
    """What is wrong with a row the kernel would not take."""
    met: float = int(ts[row])
    column, wanted = "ts", "a time not before the symbol's last one, nor in an interval closed"
    for name, values in (("price", price), ("size", size)):
        if not 0.0 < values[row] < np.inf:
            column, wanted, met = name, f"a finite {name} > 0", float(values[row])
    error = InputError(wanted, met=met, row=row + 1, column=column)
    error.add_note(f"symbol code {symbol} at {format_ns(int(ts[row]))}")
    return error


@njit(cache=True, nogil=True)
def _run(
    code: Codes,
    symbol_of: IntArray,
    ts: IntArray,
    price: FloatArray,
    size: FloatArray,
    eligible: BoolArray,
    every: int,
    times: IntArray,
    numbers: FloatArray,
    out_spans: IntArray,
    out_numbers: FloatArray,
) -> tuple[int, int]:
    """How many bars were closed, and the first row that cannot be one's trade, else -1."""
    made = 0
    for i in range(ts.shape[0]):
        s = np.uint64(symbol_of[code[i]])  # unsigned: numba need not look for indices from the end
        t, p, q = ts[i], price[i], size[i]
        fine = (t >= times[s, _LAST]) & (p > 0.0) & (p < np.inf) & (q > 0.0) & (q < np.inf)
        if not fine:
            return made, i
        times[s, _LAST] = t
        if not eligible[i]:
            continue
        if t < times[s, _END]:
            if p > numbers[s, _HIGH]:  # noqa: PLR1730  a rare store, where max() stores always
                numbers[s, _HIGH] = p
            if p < numbers[s, _LOW]:  # noqa: PLR1730
                numbers[s, _LOW] = p
            numbers[s, _CLOSE] = p
            numbers[s, _VOLUME] += q
            numbers[s, _DOLLARS] += p * q
            times[s, _TRADES] += 1
            continue
        if times[s, _TRADES] > 0:
            out_spans[made, 0] = s
            out_spans[made, 1] = times[s, _END]
            out_spans[made, 2] = times[s, _TRADES]
            out_numbers[made] = numbers[s]
            made += 1
        times[s, _END] = (t // every + 1) * every  # one division a bar, none a trade
        times[s, _TRADES] = 1
        numbers[s, :_VOLUME] = p
        numbers[s, _VOLUME] = q
        numbers[s, _DOLLARS] = p * q
    return made, -1


def _bars(symbol: IntArray, end: IntArray, trades: IntArray, numbers: FloatArray) -> Bars:
    prices = [np.ascontiguousarray(numbers[:, j]) for j in range(6)]
    low, high, volume, dollars = prices[_LOW], prices[_HIGH], prices[_VOLUME], prices[_DOLLARS]
    vwap = np.clip(dollars / volume, low, high)
    return Bars(
        symbol.astype(np.int64),
        end.copy(),
        prices[_OPEN],
        high,
        low,
        prices[_CLOSE],
        volume,
        vwap,
        trades.copy(),
        dollars,
    )


def _check(
    symbol: IntArray,
    ts: IntArray,
    price: FloatArray,
    size: FloatArray,
    every_ns: int,
) -> tuple[IntArray, IntArray, FloatArray, FloatArray]:
    if every_ns <= 0:
        raise InputError("an interval above 0 ns", met=every_ns)
    symbol, ts = np.ascontiguousarray(symbol, np.int64), np.ascontiguousarray(ts, np.int64)
    price, size = np.ascontiguousarray(price, np.float64), np.ascontiguousarray(size, np.float64)
    shapes = (symbol.shape, ts.shape, price.shape, size.shape)
    if ts.ndim != 1 or len(set(shapes)) > 1:
        raise InputError("symbol, ts, price and size of one shape (n,)", met=shapes)
    return symbol, ts, price, size
