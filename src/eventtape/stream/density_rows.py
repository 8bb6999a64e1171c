"""Readings of chains as rows: what the screen draws, and what the states of the event go on from.

A density is drawn at every second strike of the fit's grid, even in log-strike. Its exact form, the
smile's coefficients with their covariance, and the quotes go beside it in a frame of their own:
``LAWS`` has the same rows in the same order.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from eventtape.arrays import BoolArray, FloatArray, Status
from eventtape.estimators.density.breeden_litzenberger import Smile
from eventtape.estimators.density.density_quantities import density_at
from eventtape.estimators.density.density_quantities_moments import expectation
from eventtape.estimators.density.fit import Density, SmileReport, Tails
from eventtape.estimators.density.smile_fit import Hyper
from eventtape.stream.answers import DENSITY
from eventtape.stream.density_chain import ChainReading

__all__ = ["LAWS", "Law", "density_rows", "laws_of", "worded"]

_BAND = 1.959963984540054  # 97.5% of a normal
_NUMBER, _MANY, _TEXT = pl.Float64(), pl.List(pl.Float64), pl.String()
_TIME = pl.Datetime("ns", "UTC")

LAWS = {
    "chain": _TEXT,
    "underlying": _TEXT,
    "expiry": _TIME,
    "ts": _TIME,
    "tau": _NUMBER,
    "forward": _NUMBER,
    "forward_error": _NUMBER,
    "discount": _NUMBER,
    "tick": _NUMBER,
    "low_strike": _NUMBER,  # first and last in use
    "high_strike": _NUMBER,
    "reference": _NUMBER,  # of the smile, with the next four
    "centre": _NUMBER,
    "half": _NUMBER,
    "coefficients": _MANY,
    "factor": _MANY,  # row by row
    "grid": _MANY,
    "strikes": _MANY,  # of the quotes, with the next three
    "is_call": pl.List(pl.Boolean),
    "bids": _MANY,
    "asks": _MANY,
    "status": _TEXT,
    "reason": _TEXT,
}
_MEAN_GAP = 1e-8  # of the forward, as the moments have it
_NO_LAW = "the smile is no law throughout: no variance, or not the forward's mean"


class Law(NamedTuple):
    """One row of ``LAWS``: the chain, its quotes, and its density where it has one."""

    chain: str
    underlying: str
    expiry_ns: int
    at_ns: int
    discount: float
    tick: float
    grid: FloatArray
    strikes: FloatArray
    is_call: BoolArray
    bids: FloatArray
    asks: FloatArray
    density: Density  # all NaN but for status, where there is none
    reason: str


def worded(status: Status, reason: str) -> str:
    """The status, and after a colon the reason if there is one."""
    return f"{status}: {reason}" if reason else str(status)


def density_rows(readings: Sequence[tuple[str, ChainReading]]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The rows of ``DENSITY`` and of ``LAWS``, one each a reading."""
    drawn, laws = [], []
    for label, reading in readings:
        row, law = _rows(label, reading)
        drawn.append(row)
        laws.append(law)
    return (
        pl.DataFrame(drawn, schema=dict(DENSITY), orient="row"),
        pl.DataFrame(laws, schema=LAWS, orient="row"),
    )


def _rows(label: str, r: ChainReading) -> tuple[dict[str, Any], dict[str, Any]]:
    chain, smile, nan = r.chain, r.smile, math.nan
    status, reason = r.status, r.reason
    mean = sd = vol = vol_error = nan
    grid = pdf = low = high = np.empty(0)
    parts: tuple[float, ...] = (nan, nan, nan)
    coefficients, factor = np.empty(0), np.empty(0)
    if smile is not None:
        at = density_at(smile, r.grid)
        grid, pdf, half = r.grid[::2], at.pdf[::2], _BAND * at.pdf_error[::2]
        low, high = pdf - half, pdf + half
        middle = density_at(smile, np.array([r.forward]))
        vol, vol_error = float(middle.vol[0]), float(middle.vol_error[0])
        mean, sd = _mean_and_sd(smile)
        told = np.array([mean, sd, vol, vol_error, *low, *high])
        if status is Status.OK and not np.isfinite(told).all():
            status, reason = Status.NOT_RESOLVED, _NO_LAW
        parts = (smile.reference, smile.centre, smile.half)
        coefficients, factor = smile.coefficients, smile.factor.ravel()
    drawn = {
        "chain": label,
        "ts": chain.at_ns,
        "tau": chain.tau,
        "forward": r.forward,
        "forward_error": r.forward_error,
        "quotes": r.quotes,
        "mean": mean,
        "sd": sd,
        "vol": vol,
        "vol_error": vol_error,
        "strikes": grid.tolist(),
        "pdf": pdf.tolist(),
        "pdf_lower": low.tolist(),
        "pdf_upper": high.tolist(),
        "status": worded(status, reason),
    }
    law = {
        "chain": label,
        "underlying": chain.underlying,
        "expiry": chain.expiry_ns,
        "ts": chain.at_ns,
        "tau": chain.tau,
        "forward": r.forward,
        "forward_error": r.forward_error,
        "discount": r.discount,
        "tick": r.tick,
        "low_strike": r.low_strike,
        "high_strike": r.high_strike,
        **dict(zip(("reference", "centre", "half"), parts, strict=True)),
        "coefficients": coefficients.tolist(),
        "factor": factor.tolist(),
        "grid": grid.tolist(),
        "strikes": chain.strikes.tolist(),
        "is_call": chain.is_call.tolist(),
        "bids": chain.bids.tolist(),
        "asks": chain.asks.tolist(),
        "status": str(status),
        "reason": reason,
    }
    return drawn, law


def _mean_and_sd(smile: Smile) -> tuple[float, float]:
    """Of the price at expiry; NaN where the mean is not the forward or a variance not positive."""
    mean = expectation(smile, lambda price: price).value
    if not abs(mean / smile.forward - 1.0) < _MEAN_GAP:
        return math.nan, math.nan
    variance = expectation(smile, lambda price: (price - mean) ** 2, power=2.0).value
    return mean, math.sqrt(variance) if variance > 0.0 else math.nan


def laws_of(frame: pl.DataFrame) -> list[Law]:
    """The rows of ``LAWS`` taken apart, each density as the estimators take it, bit for bit."""
    many = {
        name: [one.to_numpy() for one in frame[name]]
        for name, dtype in LAWS.items()
        if isinstance(dtype, pl.List)
    }
    flat = frame.select(pl.exclude(list(many))).with_columns(pl.col("expiry", "ts").to_physical())
    out = []
    for i, row in enumerate(flat.iter_rows(named=True)):
        lists = {name: values[i] for name, values in many.items()}
        out.append(
            Law(
                row["chain"], row["underlying"], row["expiry"], row["ts"], row["discount"],
                row["tick"], lists["grid"], lists["strikes"], lists["is_call"], lists["bids"],
                lists["asks"], _density(row, lists), row["reason"],
            )
        )  # fmt: skip
    return out


def _density(row: dict[str, Any], lists: dict[str, Any]) -> Density:
    """The density of a row; what only a cold fit knows (evidence, fates) is NaN."""
    nan = math.nan
    q = np.array(lists["coefficients"], np.float64)
    factor = np.array(lists["factor"], np.float64).reshape(-1, max(q.size, 1))[:, : q.size]
    smile = Smile(
        row["forward"], row["forward_error"], row["tau"], row["reference"], row["centre"],
        row["half"], q, np.ascontiguousarray(factor),
    )  # fmt: skip
    grid = np.array(lists["grid"], np.float64)
    at = density_at(smile, grid) if grid.size else None
    law = (np.empty(0),) * 6 if at is None else (
        at.pdf, at.cdf, at.vol, at.pdf_error, at.cdf_error, at.vol_error,
    )  # fmt: skip
    return Density(
        grid, *law, row["forward"], row["forward_error"], row["discount"], row["tau"], nan,
        Tails(row["low_strike"], row["high_strike"], nan, nan, nan, nan),
        SmileReport(nan, nan, nan, nan, nan, nan, nan, 0, np.empty(0, np.int8)),
        smile, Hyper(row["reference"], row["centre"], row["half"], np.full(3, nan), nan, nan, nan),
        Status(row["status"]),
    )  # fmt: skip
