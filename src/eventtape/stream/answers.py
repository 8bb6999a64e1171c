"""What each node of the night's graph says, column by column: the contract with the faces.

Times ``ts`` are UTC ns; a row stamped T speaks of what was stamped before or at T. Where a number
is NaN or null, ``status`` says why. The features are those of ``frames.microstructure_features``,
by ``ticker`` and ``bucket`` (the end of the interval).
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

__all__ = [
    "ANSWERS",
    "DENSITY",
    "FACTORS",
    "KEYS",
    "LEADERSHIP",
    "MARKETS",
    "PROBABILITY",
    "SCORES",
    "STATES",
    "time_column",
]

Schema = Mapping[str, pl.DataType]
_TS, _TEXT, _NUMBER, _MANY = (
    pl.Datetime("ns", "UTC"),
    pl.String(),
    pl.Float64(),
    pl.List(pl.Float64),
)

PROBABILITY: Schema = {
    "feed": _TEXT,
    "ts": _TS,
    "quote": _NUMBER,  # as it came, 0 to 1
    "mean": _NUMBER,  # filtered probability
    "sd": _NUMBER,  # its standard deviation
    "z": _NUMBER,  # innovation over its own standard deviation
    "regime": _TEXT,  # unknown, baseline, moderate or shock
    "status": _TEXT,
}
MARKETS: Schema = {
    "market": _TEXT,
    "ts": _TS,
    "level": _NUMBER,  # log price
    "probability": _NUMBER,  # of the primary feed, at ts
    "gap": _NUMBER,  # log return per unit of probability
    "gap_lower": _NUMBER,
    "gap_upper": _NUMBER,
    "implied": _NUMBER,  # log price that the probability alone would have given since the start
    "implied_lower": _NUMBER,
    "implied_upper": _NUMBER,
    "status": _TEXT,
}
FACTORS: Schema = {
    "factor": _TEXT,
    "ts": _TS,
    "simple_return": _NUMBER,  # over the last step
    "coverage_long": _NUMBER,  # share of the side's weight that was seen
    "coverage_short": _NUMBER,
    "status": _TEXT,
}
SCORES: Schema = {
    "ticker": _TEXT,
    "ts": _TS,  # end of the bucket whose features were scored
    "probability": _NUMBER,  # of an up-move over the model's horizon, given that there is a move
    "base_rate": _NUMBER,  # share of up-moves in the model's training rows
    "status": _TEXT,
}
DENSITY: Schema = {
    "chain": _TEXT,  # underlying and expiry
    "ts": _TS,
    "tau": _NUMBER,  # years to expiry
    "forward": _NUMBER,  # price units
    "forward_error": _NUMBER,
    "quotes": pl.Int64(),  # in use
    "mean": _NUMBER,
    "sd": _NUMBER,
    "vol": _NUMBER,  # at the forward, per sqrt(year)
    "vol_error": _NUMBER,
    "strikes": _MANY,
    "pdf": _MANY,  # per unit of price
    "pdf_lower": _MANY,
    "pdf_upper": _MANY,
    "status": _TEXT,
}
STATES: Schema = {
    "chain": _TEXT,
    "ts": _TS,
    "method": _TEXT,  # bounds (of one density) or joint fit (of a window of chains)
    "probability": _NUMBER,
    "up_low": _NUMBER,  # mean price if the outcome happens, lower end
    "up_high": _NUMBER,
    "down_low": _NUMBER,  # mean price if it does not
    "down_high": _NUMBER,
    "gap": _NUMBER,  # log of the ratio of the two means
    "gap_lower": _NUMBER,
    "gap_upper": _NUMBER,
    "strikes": _MANY,  # of the two densities below; empty where the method gives none
    "pdf_up": _MANY,
    "pdf_down": _MANY,
    "status": _TEXT,
    "reason": _TEXT,
}
LEADERSHIP: Schema = {
    "ts": _TS,
    "first": _TEXT,
    "second": _TEXT,
    "pils": _NUMBER,  # price information leadership share of the first
    "is_first": _NUMBER,  # Hasbrouck's information share, first in the order
    "is_last": _NUMBER,
    "component": _NUMBER,
    "p_none": _NUMBER,  # of no relation
    "identified": pl.Boolean(),
    "status": _TEXT,
}
ANSWERS: Mapping[str, Schema] = {
    "probability": PROBABILITY,
    "markets": MARKETS,
    "factors": FACTORS,
    "scores": SCORES,
    "density": DENSITY,
    "states": STATES,
    "leadership": LEADERSHIP,
}


KEYS: Mapping[str, tuple[str, ...]] = {
    "probability": ("feed",),
    "markets": ("market",),
    "features": ("ticker",),
    "factors": ("factor",),
    "scores": ("ticker",),
    "density": ("chain",),
    "states": ("chain", "method"),
    "leadership": ("first", "second"),
    "live_scores": (),
}
"""What a row of each answer is about; its newest row is what holds now; () is the whole."""


def time_column(frame: pl.DataFrame) -> str:
    """The column that says when: ``bucket`` of features, ``ts`` of all else."""
    return "bucket" if "bucket" in frame.columns else "ts"
