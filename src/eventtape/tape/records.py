"""The market record: one column layout per kind of event, and the one check at the door.

Every loader ends in :func:`check`. After it, the rest of the house may trust that columns, types,
order and ranges are right; a frame that is not right is an error that names the row.

Times are ``Datetime("ns", "UTC")``; a bar or candle carries the time of its END, so that a value
stamped T was known at T and not before.
"""

from __future__ import annotations

from typing import NamedTuple

import polars as pl

from eventtape.errors import InputError

__all__ = [
    "BAR",
    "EQUITY_TRADE",
    "HALF_TICK",
    "OPTION_QUOTE",
    "OPTION_TRADE",
    "PROBABILITY",
    "QUOTE",
    "RESULT",
    "TRADE",
    "Column",
    "Record",
    "check",
    "empty",
]

TIME = pl.Datetime("ns", "UTC")


class Column(NamedTuple):
    """One column: its type, whether it may be missing, and the range its values must lie in."""

    dtype: pl.DataType
    nullable: bool = False
    low: float | None = None
    high: float | None = None
    above_low: bool = False  # True: the value must exceed ``low``, not equal it


class Record(NamedTuple):
    """A kind of market event: its columns and how its rows must be ordered."""

    name: str
    columns: dict[str, Column]
    key: tuple[str, ...]  # rows are ordered by ``ts`` within each value of these columns
    unique_times: bool  # one row a time and key, or several (trades may share a time)


_TEXT = pl.String()
_NUMBER = pl.Float64()
_PRICE = Column(_NUMBER, low=0.0, above_low=True)

PROBABILITY = Record(
    "probability",
    {
        "symbol": Column(_TEXT),
        "ts": Column(TIME),
        "probability": Column(_NUMBER, low=0.0, high=1.0),
        "bid": Column(_NUMBER, nullable=True, low=0.0, high=1.0),
        "ask": Column(_NUMBER, nullable=True, low=0.0, high=1.0),
        "size": Column(_NUMBER, nullable=True, low=0.0),
    },
    key=("symbol",),
    unique_times=True,
)
"""A price history of an event contract, in probability (0 to 1): one value a time."""
HALF_TICK = 0.0005
"""Of contracts quoted in tenths of a cent: a probability this near 0 or 1 says no log odds."""

TRADE = Record(
    "trade",
    {
        "symbol": Column(_TEXT),
        "ts": Column(TIME),
        "price": _PRICE,
        "size": Column(_NUMBER, low=0.0, above_low=True),
        "side": Column(pl.Int8(), low=-1, high=1),
        "trade_id": Column(_TEXT, nullable=True),
    },
    key=("symbol",),
    unique_times=False,
)
"""One trade; ``side`` is +1 where the taker bought, -1 where it sold, 0 where nobody says."""

EQUITY_TRADE = Record(
    "equity trade",
    {
        "symbol": Column(_TEXT),
        "ts": Column(TIME),
        "price": _PRICE,
        "size": Column(_NUMBER, low=0.0, above_low=True),
        "iso": Column(pl.Boolean()),
        "eligible": Column(pl.Boolean()),
    },
    key=("symbol",),
    unique_times=False,
)
"""One print of the consolidated tape: dollars, shares; ``iso`` for an intermarket sweep order,
``eligible`` where the eligibility policy of its loader lets it into prices and flows."""

QUOTE = Record(
    "quote",
    {
        "symbol": Column(_TEXT),
        "ts": Column(TIME),
        "bid": Column(_NUMBER, low=0.0),
        "bid_size": Column(_NUMBER, low=0.0),
        "ask": Column(_NUMBER, low=0.0),
        "ask_size": Column(_NUMBER, low=0.0),
    },
    key=("symbol",),
    unique_times=False,
)
"""The best bid and ask in force from ``ts`` on, dollars and shares. A side nobody quotes has price
0 and size 0. A book is two-sided where both prices are positive, locked where they are equal and
crossed where the bid is above the ask; such rows are kept and every consumer says what it does."""

BAR = Record(
    "bar",
    {
        "symbol": Column(_TEXT),
        "ts": Column(TIME),
        "open": _PRICE,
        "high": _PRICE,
        "low": _PRICE,
        "close": _PRICE,
        "volume": Column(_NUMBER, nullable=True, low=0.0),
    },
    key=("symbol",),
    unique_times=True,
)
"""Open, high, low, close of an interval; ``ts`` is the END of the interval."""

_CONTRACT = {
    "symbol": Column(_TEXT),
    "underlying": Column(_TEXT),
    "ts": Column(TIME),
    "expiry": Column(TIME),
    "strike": _PRICE,
    "is_call": Column(pl.Boolean()),
    "style": Column(_TEXT),
    "settlement": Column(_TEXT),
}
_MAYBE = Column(_NUMBER, nullable=True)
_MAYBE_FROM_ZERO = Column(_NUMBER, nullable=True, low=0.0)
_MAYBE_PRICE = Column(_NUMBER, nullable=True, low=0.0, above_low=True)

OPTION_QUOTE = Record(
    "option quote",
    {
        **_CONTRACT,
        "bid": _MAYBE_PRICE,
        "ask": _MAYBE_PRICE,
        "bid_size": _MAYBE_FROM_ZERO,
        "ask_size": _MAYBE_FROM_ZERO,
        "mark": _MAYBE_FROM_ZERO,
        "underlying_price": _MAYBE_PRICE,
        "forward_price": _MAYBE_PRICE,
        "coin_bid": _MAYBE_PRICE,
        "coin_ask": _MAYBE_PRICE,
        "vendor_iv": _MAYBE_PRICE,
        "vendor_quote_iv": _MAYBE_PRICE,
        "vendor_bid_iv": _MAYBE_PRICE,
        "vendor_ask_iv": _MAYBE_PRICE,
        "vendor_delta": _MAYBE,
        "vendor_gamma": _MAYBE,
        "vendor_vega": _MAYBE,
        "vendor_theta": _MAYBE,
        "vendor_rho": _MAYBE,
        "open_interest": _MAYBE_FROM_ZERO,
    },
    key=("symbol",),
    unique_times=True,
)
"""The quote of one contract in force from ``ts`` on; ``expiry`` is the moment it settles.

Prices are in the unit of the strike. A side nobody quotes is null (vendors write 0). A coin-settled
price is multiplied by ``underlying_price`` (the index) and stands as it came in ``coin_bid`` and
``coin_ask``. ``mark`` is the vendor's model or settlement price, ``forward_price`` its forward of
that expiry. ``vendor_quote_iv`` is its volatility of the quote itself where ``vendor_iv`` is filled
in from other strikes. ``style`` is european or american; ``settlement`` is cash (in the strike's
currency), physical or inverse (in the coin). Volatilities are per square root of a year (0.2 =
20%), vega and rho per 1.00, theta per year. Locked and crossed quotes are kept: every consumer says
what it does.
"""

OPTION_TRADE = Record(
    "option trade",
    {
        **_CONTRACT,
        "price": _PRICE,
        "size": Column(_NUMBER, low=0.0, above_low=True),
        "side": Column(pl.Int8(), low=-1, high=1),
        "mark": _MAYBE_FROM_ZERO,
        "underlying_price": _MAYBE_PRICE,
        "coin_price": _MAYBE_PRICE,
        "vendor_iv": _MAYBE_PRICE,
        "trade_id": Column(_TEXT, nullable=True),
    },
    key=("symbol",),
    unique_times=False,
)
"""One trade of a contract, in the units of :data:`OPTION_QUOTE`; ``side`` as in :data:`TRADE`."""

RESULT = Record(
    "result",
    {
        "region": Column(_TEXT),
        "ts": Column(TIME),
        "party": Column(_TEXT),
        "votes": Column(_NUMBER, low=0.0),
        "share_counted": Column(_NUMBER, nullable=True, low=0.0, high=1.0),
        "win_probability": Column(_NUMBER, nullable=True, low=0.0, high=1.0),
    },
    key=("region", "party"),
    unique_times=True,
)
"""One line of a results timeline: what the counters had reported for a region at a time."""


def empty(record: Record) -> pl.DataFrame:
    """A frame of that record with no rows."""
    return pl.DataFrame(schema={name: column.dtype for name, column in record.columns.items()})


def check(frame: pl.DataFrame, record: Record, *, file: str | None = None) -> pl.DataFrame:
    """The frame in the record's column order, once every rule holds.

    Raises :class:`InputError` naming file, row (1-based, the header not counted), column, the
    value met and the value wanted. No row is dropped, moved or mended here.
    """
    missing = [name for name in record.columns if name not in frame.columns]
    if missing:
        raise InputError(
            f"the column(s) {', '.join(missing)} of a {record.name}",
            met=frame.columns,
            file=file,
            column=missing[0],
        )
    frame = frame.select(list(record.columns))
    if frame.is_empty():
        raise InputError(f"at least one {record.name}", met="no rows", file=file)
    for name, column in record.columns.items():
        _check_column(frame[name], column, file)
    _check_order(frame, record, file)
    if record is BAR:
        _check_bar(frame, file)
    return frame


def _check_column(values: pl.Series, column: Column, file: str | None) -> None:
    if values.dtype != column.dtype:
        raise InputError(
            f"values of type {column.dtype}", met=str(values.dtype), file=file, column=values.name
        )
    if not column.nullable:
        _refuse(values, values.is_null(), "a value", file)
    if column.dtype.is_float():
        _refuse(values, values.is_nan() | values.is_infinite(), "a finite number", file)
    if column.low is not None:
        bad = values <= column.low if column.above_low else values < column.low
        sign = ">" if column.above_low else ">="
        _refuse(values, bad, f"a value {sign} {column.low:g}", file)
    if column.high is not None:
        _refuse(values, values > column.high, f"a value <= {column.high:g}", file)


def _refuse(values: pl.Series, bad: pl.Series, wanted: str, file: str | None) -> None:
    rows = bad.fill_null(value=False).arg_true()
    if len(rows):
        row = int(rows[0])
        raise InputError(wanted, met=values[row], file=file, row=row + 1, column=values.name)


def _check_order(frame: pl.DataFrame, record: Record, file: str | None) -> None:
    step = frame.select(
        pl.col("ts").diff().over(record.key).dt.total_nanoseconds().alias("step")
    ).to_series()
    bad = step <= 0 if record.unique_times else step < 0
    rows = bad.fill_null(value=False).arg_true()
    if len(rows):
        row = int(rows[0])
        what = "a repeated time" if step[row] == 0 else "a time before the one above it"
        wanted = "times that rise" if record.unique_times else "times that do not fall"
        raise InputError(
            f"{wanted} within each {' and '.join(record.key)}",
            met=f"{frame['ts'][row]} ({what})",
            file=file,
            row=row + 1,
            column="ts",
        )


def _check_bar(frame: pl.DataFrame, file: str | None) -> None:
    top = frame.select(pl.max_horizontal("open", "close", "low")).to_series()
    bottom = frame.select(pl.min_horizontal("open", "close", "high")).to_series()
    _refuse(frame["high"], frame["high"] < top, "a high at or above open, low and close", file)
    _refuse(frame["low"], frame["low"] > bottom, "a low at or below open, high and close", file)
