"""What did each factor portfolio earn over the last bucket? Returns from the features' last mids.

Reads the node of the features. A bucket is one row of mids once time has passed it: a ticker that
is not in it is missing, and is not waited for. A mid is seen in a bucket that had quotes; where
none came it is the one before, in force for ``max_age_s`` as in
:mod:`~eventtape.estimators.factors.factor_returns`, which makes the numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import polars as pl

from eventtape.arrays import Status
from eventtape.errors import InputError
from eventtape.estimators.factors import factor_returns
from eventtape.estimators.factors.factor_returns import FactorState, Portfolios
from eventtape.stream.answers import FACTORS
from eventtape.stream.features import FEATURES
from eventtape.stream.fold import Slice

__all__ = ["FactorsFold", "FactorsState"]

TIME = pl.Datetime("ns", "UTC")


class FactorsState(NamedTuple):
    """Where the mids stand, and the rows of buckets that are not complete."""

    mids: FactorState
    waiting: pl.DataFrame  # name (its place), ts (ns), mid


@dataclass(frozen=True, eq=False)
class FactorsFold:
    """Factor returns by fixed ``weights``: factor to ticker to weight, a row a factor and bucket.

    The sides of each factor sum to 1 and 0 or to 0, as :func:`~.factor_returns.portfolios` asks. A
    ticker of the weights that is never met lowers the coverage; one without weight is not read.
    """

    weights: Mapping[str, Mapping[str, float]]
    max_age_s: float = 60.0
    min_coverage: float = 0.8
    features: str = FEATURES  # the node it reads
    name: str = "factors"  # of the node, and so of its answer

    def __post_init__(self) -> None:
        """Refuse weights and bounds that the estimator would refuse."""
        if not self.weights or not all(self.weights.values()):
            raise InputError("a weight for each factor, and at least one factor", met=self.weights)
        nothing = np.empty(0, np.int64), np.empty((0, len(self._places)))
        self._step(factor_returns.start(len(self._places)), *nothing)

    @cached_property
    def _places(self) -> dict[str, int]:
        """Column of the mids by ticker."""
        names = dict.fromkeys(name for held in self.weights.values() for name in held)
        return {name: i for i, name in enumerate(names)}

    @cached_property
    def _book(self) -> Portfolios:
        matrix = np.zeros((len(self._places), len(self.weights)))
        for k, held in enumerate(self.weights.values()):
            for name, weight in held.items():
                matrix[self._places[name], k] = weight
        return factor_returns.portfolios(matrix)

    def start(self) -> FactorsState:
        """Before any bucket."""
        nothing = {"name": pl.Int64, "ts": pl.Int64, "mid": pl.Float64}
        return FactorsState(factor_returns.start(len(self._places)), pl.DataFrame(schema=nothing))

    def step(self, state: FactorsState, new: Slice) -> tuple[FactorsState, Slice | None]:
        """The factors' returns over the buckets that are complete now."""
        rows = state.waiting
        if self.features in new.frames:
            rows = pl.concat([rows, self._mids(new.frames[self.features])])
        due = rows.filter(pl.col("ts") < new.upto_ns)
        if not due.height:
            return state._replace(waiting=rows), None
        mids, answer = self._returns(state.mids, due)
        after = FactorsState(mids, rows.filter(pl.col("ts") >= new.upto_ns))
        return after, Slice(new.upto_ns, {self.name: answer}, new.now_ns)

    def finish(self, state: FactorsState) -> Slice | None:
        """The buckets that still wait: the last of the tape."""
        if not state.waiting.height:
            return None
        answer = self._returns(state.mids, state.waiting)[1]
        return Slice(int(state.waiting["ts"].max()) + 1, {self.name: answer})  # type: ignore[arg-type]

    def _mids(self, rows: pl.DataFrame) -> pl.DataFrame:
        """The features' rows as a place, a time and a mid; NaN where none was seen.

        A row of a ticker without weight stays, at no place: its bucket is a time all the same.
        """
        seen = pl.when(pl.col("num_quotes") > 0).then(pl.col("last_mid"))
        place = pl.col("ticker").cast(pl.String)
        return rows.select(
            place.replace_strict(self._places, default=-1, return_dtype=pl.Int64).alias("name"),
            pl.col("bucket").to_physical().alias("ts"),
            seen.fill_null(np.nan).alias("mid"),
        )

    def _returns(self, state: FactorState, rows: pl.DataFrame) -> tuple[FactorState, pl.DataFrame]:
        ts, row = np.unique(rows["ts"].to_numpy(), return_inverse=True)
        name = rows["name"].to_numpy()
        mids = np.full((ts.size, len(self._places)), np.nan)
        ours = name >= 0
        mids[row[ours], name[ours]] = rows["mid"].to_numpy()[ours]
        after, found = self._step(state, ts, mids)
        n, factors = ts.size, list(self.weights)
        returns = found.returns.ravel()
        words = pl.Series([str(Status.OK), str(Status.TOO_FEW)])
        answer = pl.DataFrame(
            {
                "factor": pl.Series(factors).gather(np.tile(np.arange(len(factors)), n)),
                "ts": pl.Series(np.repeat(ts, len(factors))).cast(TIME),
                "simple_return": returns,
                "coverage_long": np.ascontiguousarray(found.coverage[:, :, 0]).ravel(),
                "coverage_short": np.ascontiguousarray(found.coverage[:, :, 1]).ravel(),
                "status": words.gather(np.isnan(returns).astype(np.int64)),
            },
            schema=FACTORS,
        )
        return after, answer

    def _step(
        self, state: FactorState, ts: np.ndarray, mids: np.ndarray
    ) -> tuple[FactorState, factor_returns.FactorReturns]:
        return factor_returns.step(
            state,
            ts,
            mids,
            self._book,
            max_age_s=self.max_age_s,
            min_coverage=self.min_coverage,
        )
