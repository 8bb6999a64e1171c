"""What is each contract's probability now, and is its last move news? The filter, quote by quote.

The filter is :mod:`~eventtape.estimators.probability.local_level`. Its Q and R are fitted on the
quotes met so far: first on ``first_fit`` of them, then again each time their number has doubled, or
after ``first_fit`` more where no motion was found, for a filter that takes the level to stand still
would be long in believing a move. These are rules of counts, so answers do not depend on how the
quotes were cut. A quote is judged by variances fitted on quotes before it, never by its own.

Quotes before the first fit have no filtered value: ``too few observations``. Quotes that moved no
more than their own tick explains do not identify Q: the status says so, and the quote stands alone.
A later fit that finds nothing leaves the variances of the last that did. A quote that is no number
is shown as it came, and the filter goes on without it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import polars as pl

from eventtape.arrays import FloatArray, IntArray, Status
from eventtape.errors import InputError
from eventtape.estimators.probability import local_level
from eventtape.estimators.probability.local_level import LevelState
from eventtape.stream.answers import PROBABILITY
from eventtape.stream.fold import Slice
from eventtape.stream.grid_rows import one_symbol
from eventtape.tape.feed import times_ns

__all__ = ["FeedLevel", "ProbabilityFold"]


class FeedLevel(NamedTuple):
    """One feed: its symbol, quotes met, when to fit next, the quotes to fit on, and the filter."""

    symbol: str
    seen: int  # quotes that were numbers
    fit_at: int  # how many have been seen when the next fit is due
    ts: IntArray  # (n,) ns
    quotes: FloatArray  # (n,)
    level: LevelState | None  # None before the first fit that found something
    status: Status  # of the last fit


@dataclass(frozen=True)
class ProbabilityFold:
    """Filtered probability of each feed of an ``InOrder`` node, each by itself, a row a quote.

    ``tick`` is the price grid in probability; ``history`` bounds the quotes a fit looks back on.
    """

    tick: float = 0.001
    first_fit: int = 60
    history: int = 20_000
    name: str = "probability"  # of the node, and so of its answer

    def __post_init__(self) -> None:
        """Refuse counts and a tick that fit nothing."""
        if not 0.0 <= self.tick < 1.0:
            raise InputError("a tick in [0, 1)", met=self.tick)
        if not 10 <= self.first_fit <= self.history:  # noqa: PLR2004 - what the fit asks for
            met = (self.first_fit, self.history)
            raise InputError("a first fit of 10 quotes or more, within the history", met=met)

    def start(self) -> dict[str, FeedLevel]:
        """Before any quote of any feed."""
        return {}

    def step(
        self, state: Mapping[str, FeedLevel], new: Slice
    ) -> tuple[dict[str, FeedLevel], Slice | None]:
        """What the filter says of each new quote."""
        after, answers = dict(state), []
        for feed, rows in new.frames.items():
            if rows.height:
                after[feed], answer = self._quotes(feed, after.get(feed), rows)
                answers.append(answer)
        if not answers:
            return after, None
        return after, Slice(new.upto_ns, {self.name: pl.concat(answers)}, new.now_ns)

    def finish(self, state: Mapping[str, FeedLevel]) -> Slice | None:  # noqa: ARG002
        """Every quote was answered as it came."""
        return None

    def _quotes(
        self, feed: str, one: FeedLevel | None, rows: pl.DataFrame
    ) -> tuple[FeedLevel, pl.DataFrame]:
        if one is None:
            nothing = np.empty(0, np.int64), np.empty(0)
            one = FeedLevel("", 0, self.first_fit, *nothing, None, Status.TOO_FEW)
        one = one._replace(symbol=one_symbol(feed, rows, one.symbol))
        quote = rows["probability"].to_numpy()  # a null is NaN
        known = np.isfinite(quote)
        ts, y = times_ns(rows)[known], quote[known]
        said = np.full((3, quote.size), math.nan)
        status = np.full(quote.size, Status.TOO_FEW.value, dtype=object)
        row, done = np.flatnonzero(known), 0
        while done < y.size:
            end = min(y.size, done + one.fit_at - one.seen)
            if one.level is None:
                status[row[done:end]] = one.status.value
            else:
                level, found = local_level.advance(one.level, ts[done:end], y[done:end])
                said[:, row[done:end]] = found.mean, found.sd, found.z
                status[row[done:end]] = Status.OK.value
                one = one._replace(level=level)
            one = self._met(one, ts[done:end], y[done:end])
            done = end
        regime = np.array(local_level.REGIMES)[local_level.regimes(said[2])].tolist()
        columns = ([feed] * quote.size, rows["ts"], quote, *said, regime, status.tolist())
        named = zip(PROBABILITY, columns, strict=True)
        return one, pl.DataFrame([pl.Series(name, values) for name, values in named])

    def _met(self, one: FeedLevel, ts: IntArray, y: FloatArray) -> FeedLevel:
        """The feed after more quotes, none beyond its next fit, which is made when it is due."""
        one = one._replace(
            seen=one.seen + y.size,
            ts=np.concatenate([one.ts, ts])[-self.history :],
            quotes=np.concatenate([one.quotes, y])[-self.history :],
        )
        if one.seen < one.fit_at:
            return one
        found = local_level.fit(one.ts, one.quotes, tick=self.tick)
        still = found.q == 0.0
        one = one._replace(
            fit_at=2 * one.seen
            if found.status is Status.OK and not still
            else one.seen + self.first_fit
        )
        status = Status.NOT_IDENTIFIED if still and found.at_floor else found.status
        if status is not Status.OK:
            return one._replace(status=status)
        if one.level is not None:
            return one._replace(level=one.level._replace(q=found.q, r=found.r), status=status)
        level, _ = local_level.start(int(one.ts[0]), float(one.quotes[0]), q=found.q, r=found.r)
        level, _ = local_level.advance(level, one.ts[1:], one.quotes[1:])
        return one._replace(level=level, status=status)
