"""How likely is each ticker's next move to be up, and what have such forecasts been worth today?

Two folds behind the node of the features. :class:`ScoresFold` gives every closed bucket to a stored
model (:mod:`~eventtape.frames.up_move_model`); a live model learns nothing. A row with a feature
missing has no probability, and its status names the feature. A model whose own forecasts out of
sample were no better than the base rate scores all the same, and every answer of either says so.

:class:`LiveScoresFold` keeps the score of those scores, beside the base rate's, as the answers come
in: one row for each bucket's end at which some became known. As in training, a price that stood
still one horizon on is no answer and counts for nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import compress
from typing import NamedTuple

import numpy as np
import polars as pl

from eventtape.arrays import BoolArray, FloatArray, IntArray, Status
from eventtape.errors import InputError
from eventtape.estimators.factors import logistic, running_scores
from eventtape.estimators.factors.running_scores import RunningState
from eventtape.frames.up_move_model import ScoredModel
from eventtape.stream.answers import SCORES
from eventtape.stream.features import FEATURES
from eventtape.stream.fold import Slice

__all__ = ["LIVE_SCORES", "LiveScoresFold", "LiveScoresState", "ScoresFold"]

TIME = pl.Datetime("ns", "UTC")
LIVE_SCORES = {
    "ts": TIME,  # the end of the bucket at which the last of them was known
    "n": pl.Int64(),  # forecasts whose answer is known
    "brier": pl.Float64(),  # mean so far
    "brier_base": pl.Float64(),  # of the base rate
    "log_loss": pl.Float64(),
    "log_loss_base": pl.Float64(),
    "status": pl.String(),  # "ok", and what the model's own training says against it
}
"""Columns of the answer "live_scores"."""
_NO_EDGE = "; out of sample the model was no better than its base rate"


def _with_verdict(words: str, model: ScoredModel) -> str:
    """The words, and after them what the model's own training says against it."""
    return words if model.beats_base_rate else f"{words}{_NO_EDGE}"


@dataclass(frozen=True, eq=False)
class ScoresFold:
    """The probability of an up-move for every row of the features; it has no state."""

    model: ScoredModel
    features: str = FEATURES  # the node it reads
    name: str = "scores"  # of the node, and so of its answer

    def start(self) -> tuple[()]:
        """Nothing to remember."""
        return ()

    def step(self, state: tuple[()], new: Slice) -> tuple[tuple[()], Slice | None]:
        """The scores of the buckets that closed."""
        rows = new.frames.get(self.features)
        if rows is None or not rows.height:
            return state, None
        missing = [name for name in self.model.features if name not in rows.columns]
        if missing:
            wanted = f"the features the model was trained on ({', '.join(self.model.features)})"
            raise InputError(wanted, met=f"none called {missing[0]}", column=missing[0])
        columns = pl.col(self.model.features).cast(pl.Float64).fill_null(np.nan)
        x = rows.select(columns).to_numpy()
        x = np.where(np.isfinite(x), x, np.nan)
        scored = pl.DataFrame(
            {
                "ticker": rows["ticker"].cast(pl.String),
                "ts": rows["bucket"],
                "probability": logistic.probability(self.model.model, x),
                "base_rate": np.full(rows.height, self.model.model.base_rate),
                "status": self._statuses(np.isnan(x)),
            },
            schema=SCORES,
        )
        return state, Slice(new.upto_ns, {self.name: scored}, new.now_ns)

    def finish(self, state: tuple[()]) -> Slice | None:  # noqa: ARG002 - the protocol's
        """Nothing waits."""
        return None

    def _statuses(self, gone: BoolArray) -> list[str]:
        """What became of each row, the same text for the same features missing."""
        said: dict[bytes, str] = {}
        out = []
        for row in gone:
            key = row.tobytes()
            if key not in said:
                names = ", ".join(compress(self.model.features, row))
                words = f"{Status.TOO_FEW}: no {names}" if names else str(Status.OK)
                said[key] = _with_verdict(words, self.model)
            out.append(said[key])
        return out


class LiveScoresState(NamedTuple):
    """The sums so far, and the scored rows whose answer is not known yet."""

    scores: RunningState
    waiting: pl.DataFrame  # ticker, ts (ns), price, probability, base_rate


@dataclass(frozen=True, eq=False)
class LiveScoresFold:
    """The running score of a node of scores; it reads that of the features first, and then it."""

    model: ScoredModel
    features: str = FEATURES
    scores: str = "scores"
    name: str = "live_scores"

    @cached_property
    def _blank(self) -> pl.DataFrame:
        numbers = dict.fromkeys(("price", "probability", "base_rate"), pl.Float64)
        return pl.DataFrame(schema={"ticker": pl.String, "ts": pl.Int64, **numbers})

    def start(self) -> LiveScoresState:
        """Before any bucket."""
        return LiveScoresState(running_scores.start(), self._blank)

    def step(self, state: LiveScoresState, new: Slice) -> tuple[LiveScoresState, Slice | None]:
        """The means after each bucket's end at which answers became known."""
        if self.features not in new.frames or self.scores not in new.frames:
            return state, None
        now = self._prices(new.frames[self.features], new.frames[self.scores])
        if not now.height:
            return state, None
        horizon = self.model.horizon_ns
        known = pl.concat([state.waiting, now])
        asked = known.with_columns(pl.col("ts") + horizon).drop_nulls("probability")
        later = now.select("ticker", "ts", pl.col("price").alias("later"))
        answered = later.join(asked, on=["ticker", "ts"], how="inner", maintain_order="left")
        answered = answered.filter(pl.col("later") != pl.col("price"))
        scores, answer = self._scored(state.scores, answered)
        last = int(now["ts"][-1])
        waiting = known.filter(pl.col("ts") > last - horizon).drop_nulls("probability")
        after = LiveScoresState(scores, waiting)
        return after, None if answer is None else Slice(new.upto_ns, answer, new.now_ns)

    def finish(self, state: LiveScoresState) -> Slice | None:  # noqa: ARG002 - the protocol's
        """What is not known by the end stays unknown."""
        return None

    def _prices(self, features: pl.DataFrame, scores: pl.DataFrame) -> pl.DataFrame:
        """Rows with a price, by bucket and then as the tickers stand; null where no probability."""
        return features.select(
            pl.col("ticker").cast(pl.String),
            pl.col("bucket").to_physical().alias("ts"),
            pl.col(self.model.price).cast(pl.Float64).fill_nan(None).alias("price"),
            scores["probability"].fill_nan(None),
            scores["base_rate"],
        ).drop_nulls("price")

    def _scored(
        self, state: RunningState, rows: pl.DataFrame
    ) -> tuple[RunningState, dict[str, pl.DataFrame] | None]:
        if not rows.height:
            return state, None
        ts: IntArray = rows["ts"].to_numpy()
        price: FloatArray = rows["price"].to_numpy()
        up = rows["later"].to_numpy() > price
        after, found = running_scores.step(
            state, up, rows["probability"].to_numpy(), rows["base_rate"].to_numpy()
        )
        ends = np.flatnonzero(np.diff(ts, append=ts[-1] + 1))  # the last row of each bucket
        columns = {name: values[ends] for name, values in found._asdict().items()}
        columns["n"] = columns["n"].astype(np.int64)
        told = pl.Series(ts[ends]).cast(TIME)
        status = [_with_verdict(str(Status.OK), self.model)] * ends.size
        rows_out = {"ts": told, **columns, "status": status}
        return after, {self.name: pl.DataFrame(rows_out, schema=LIVE_SCORES)}
