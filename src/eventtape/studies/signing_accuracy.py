"""How often is a trade's sign right, by rule, by the age of the quote, away from and at the mid?

The tape must know the truth: a trades frame with a column ``side``, +1 where the buyer started the
trade and -1 where the seller did. Each rule signs every trade against the last quote strictly
before the trade's stamp less a latency, and the share of right signs among the signs given is set
beside its Clopper-Pearson interval. What a rule leaves unsigned is counted, not guessed.

The interval is that of independent trades. Wrong tick tests come in runs (a zero tick repeats the
mistake before it), so where ticks decide it is somewhat too narrow.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import polars as pl
from scipy.stats import beta

from eventtape.arrays import BoolArray, FloatArray, Status, check_level
from eventtape.errors import InputError
from eventtape.estimators.microstructure.signing import RULES, SignArray, batch
from eventtape.tape.asof import Book, match
from eventtape.tape.ticks import quote_ticks, spans_of, trade_ticks

__all__ = ["PLACES", "AccuracyRow", "accuracy_by_rule", "binomial_interval"]

PLACES = ("all", "away from mid", "at mid", "no quote")
"""Where a trade was, judged by the quote it is matched with: crossed or one-sided is no quote."""


class AccuracyRow(NamedTuple):
    """One rule at one latency on the trades of one place."""

    rule: str
    latency_ms: float
    place: str
    trades: int
    signed: int  # trades the rule gave a sign
    right: int
    accuracy: float  # right / signed
    lower: float
    upper: float
    status: Status


def accuracy_by_rule(
    trades: pl.DataFrame,
    quotes: pl.DataFrame,
    *,
    rules: Sequence[str] = tuple(RULES),
    latencies_ns: Sequence[int] = (0,),
    level: float = 0.95,
) -> pl.DataFrame:
    """Share of right signs by rule, latency and place, one :class:`AccuracyRow` a line.

    ``trades`` and ``quotes`` as in :data:`~eventtape.tape.EQUITY_TRADE` and
    :data:`~eventtape.tape.QUOTE`, and ``side`` in ``trades``. A latency is how late trades are
    stamped: the trade stamped t meets the last quote before t less that.
    """
    check_level(level)
    if "side" not in trades.columns:
        raise InputError("the true side of each trade", met=trades.columns, column="side")
    wrong = (~trades["side"].is_in([-1, 1])).fill_null(value=True).arg_true()
    if len(wrong):
        row = int(wrong[0])
        raise InputError("-1 or +1", met=trades["side"][row], row=row + 1, column="side")
    trades = trades.filter("eligible")  # the others are no part of what a rule signs
    trades = trades.sort("symbol", maintain_order=True)  # so the ticks keep the order of ``side``
    prints, book = trade_ticks(trades), quote_ticks(quotes)
    side = trades["side"].cast(pl.Int8).to_numpy()
    quoted = spans_of(book.names, book.start, prints.names)
    spans = (quoted, prints.ts, spans_of(prints.names, prints.start, prints.names))
    rows = []
    for latency in latencies_ns:
        met = match(Book(book.ts, book.bid, book.ask), *spans, latency_ns=latency)
        bid, ask = met.bid, met.ask
        places = _places(prints.price, bid, ask)
        for rule in rules:
            sign = batch(prints.price, bid, ask, prints.start, rule=rule).sign
            for place, here in zip(PLACES, places, strict=True):
                rows.append(_row(rule, latency, place, sign[here], side[here], level))
    return pl.DataFrame(rows, schema=AccuracyRow._fields, orient="row")


def _places(price: FloatArray, bid: FloatArray, ask: FloatArray) -> tuple[BoolArray, ...]:
    quoted = (bid > 0.0) & (ask >= bid)
    away = batch(price, bid, ask, rule="quote").sign != 0
    return np.ones(price.size, np.bool_), away, quoted & ~away, ~quoted


def _row(
    rule: str, latency_ns: int, place: str, sign: SignArray, side: SignArray, level: float
) -> AccuracyRow:
    signed = int(np.count_nonzero(sign))
    right = int(np.count_nonzero(sign == side))
    lower, upper = binomial_interval(right, signed, level=level)
    accuracy, status = (right / signed, Status.OK) if signed else (np.nan, Status.TOO_FEW)
    return AccuracyRow(
        rule, latency_ns * 1e-6, place, sign.size, signed, right, accuracy, lower, upper, status
    )


def binomial_interval(right: int, n: int, *, level: float = 0.95) -> tuple[float, float]:
    """Clopper and Pearson's interval of a share, which covers it at least at that level.

    >>> [round(bound, 4) for bound in binomial_interval(9, 10)]
    [0.555, 0.9975]
    """
    if n == 0:
        return np.nan, np.nan
    tail = 0.5 * (1.0 - check_level(level))
    lower = beta.ppf(tail, right, n - right + 1) if right > 0 else 0.0
    upper = beta.ppf(1.0 - tail, right + 1, n - right) if right < n else 1.0
    return float(lower), float(upper)
