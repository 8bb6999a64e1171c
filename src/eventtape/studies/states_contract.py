"""The states as plain data: JSON, one table of rungs and one of snapshots.

The contract is stable: keys are added, never renamed or removed. Numbers or null, never NaN; times
ISO 8601 UTC; gaps log(m1 / m0), state 1 that the outcome happens; means in the price's unit,
volatility per sqrt(year), densities per unit of strike.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import polars as pl

from eventtape.clock import format_ns
from eventtape.estimators.states.identification import Verdict
from eventtape.estimators.states.joint_result import JointFit
from eventtape.studies.states_findings import findings, verdict_words
from eventtape.studies.states_rows import (
    Estimate,
    Hedge,
    Rung,
    Score,
    Snapshot,
    StateGrid,
    StatesResult,
    StatesRow,
)

__all__ = ["CONTRACT_VERSION", "contract", "tables"]

CONTRACT_VERSION = 1
_MOST_POINTS = 400
_TIME = pl.Datetime("ns", "UTC")
_ESTIMATES = ("gap", "mean_1", "mean_0", "vol_1", "vol_0")
_SHAPES = ("log_vol_ratio", "skewness", "excess_kurtosis", "wedge")


def contract(result: StatesResult) -> dict[str, Any]:
    """The result as JSON-ready data."""
    config = dataclasses.asdict(result.config)
    if math.isinf(result.config.max_age_s):
        config["max_age_s"] = None
    p = result.probability
    return {
        "contract": CONTRACT_VERSION,
        "study": "states",
        "simulated": result.simulated,
        "data": result.data,
        "event": result.event,
        "notes": list(result.notes),
        "config": config,
        "probability": {
            "label": p.label,
            "moves": p.moves,
            "value": None if p.moves else _number(float(p.values[0])),
            "low": _number(p.low),
            "high": _number(p.high),
        },
        "findings": [{"text": f.text, "status": str(f.status)} for f in findings(result)],
        "rows": [_row(row, result) for row in result.rows],
    }


def tables(result: StatesResult) -> dict[str, pl.DataFrame]:
    """``rungs``, a row a rung; ``snapshots``, a row a time and expiry."""
    rungs, snapshots = [], []
    for row in result.rows:
        about = {"underlying": row.underlying, "expiry": row.expiry_ns}
        for rung in row.rungs:
            flat = {
                f"{name}{end}": _number(getattr(getattr(rung, name), part))
                for name in _ESTIMATES
                for end, part in (("", "value"), ("_lower", "lower"), ("_upper", "upper"))
            }
            said = {"rung": rung.name, "assumption": rung.assumption, **flat}
            fate = {"status": str(rung.status), "reason": rung.reason}
            rungs.append({**about, **said, **fate, "simulated": result.simulated})
        for one in row.snapshots:
            snap = _snapshot(one)
            kept = {k: v for k, v in snap.items() if k not in {"bounds", "two_lognormal"}}
            ends = snap["bounds"] or dict.fromkeys(_ESTIMATES)
            for name in ("gap", "mean_1", "mean_0"):
                low, high = ends[name] or (None, None)
                kept |= {f"{name}_lower": low, f"{name}_upper": high}
            snapshots.append({**about, **kept, "at": one.at_ns, "simulated": result.simulated})
    return {
        "rungs": _frame(rungs, "expiry"),
        "snapshots": _frame(snapshots, "expiry", "at"),
    }


def _frame(rows: list[dict[str, Any]], *times: str) -> pl.DataFrame:
    texts = {"underlying", "rung", "assumption", "status", "reason"}
    flags = {"simulated", "decided"}
    schema = {
        name: pl.Int64
        if name in times
        else pl.String
        if name in texts
        else pl.Boolean
        if name in flags
        else pl.Float64
        for name in rows[0]
    }
    return pl.DataFrame(rows, schema=schema).with_columns(pl.col(*times).cast(_TIME))


def _row(row: StatesRow, result: StatesResult) -> dict[str, Any]:
    verdict = verdict_words(row, result)
    return {
        "underlying": row.underlying,
        "expiry": format_ns(row.expiry_ns),
        "settlement": row.settlement,
        "american": row.american,
        "at": None if row.at is None else format_ns(row.at.at_ns),
        "forward": None if row.at is None else _number(row.at.forward),
        "p": None if row.at is None else _number(row.at.p),
        "status": str(row.status),
        "reason": row.reason,
        "verdict": {"text": verdict.text, "status": str(verdict.status)},
        "rungs": [_rung(rung) for rung in row.rungs],
        "snapshots": [_snapshot(one) for one in row.snapshots],
        "gaps": [
            {
                "rung": series.rung,
                "at": [format_ns(int(ns)) for ns in series.times_ns],
                "gap": _numbers(series.gap),
                "lower": _numbers(series.lower),
                "upper": _numbers(series.upper),
                "status": [str(status) for status in series.status],
            }
            for series in row.gaps
        ],
        "joint": _joint(row),
        "exposure": _exposure(row),
        "density": _grid(row.grid),
        "hedge": _hedge(row.hedge),
        "realised": None
        if row.realised is None
        else {
            "happened": row.realised.happened,
            "price": _number(row.realised.price),
            "at": format_ns(row.realised.at_ns),
            "source": row.realised.source,
        },
        "scorecard": [_score(score) for score in row.scores],
        "truth": _truth(row),
    }


def _rung(rung: Rung) -> dict[str, Any]:
    return {
        "rung": rung.name,
        "assumption": rung.assumption,
        **{name: _estimate(getattr(rung, name)) for name in _ESTIMATES},
        "status": str(rung.status),
        "reason": rung.reason,
        "verdict": _verdict(rung.verdict),
    }


def _verdict(v: Verdict | None) -> dict[str, Any] | None:
    if v is None:
        return None
    asked = ("contraction", "concentration", "prior_shift", "over_identification", "placebo")
    return {name: _number(getattr(v, name)) for name in asked}


def _estimate(e: Estimate) -> dict[str, float | None]:
    return {name: _number(getattr(e, name)) for name in Estimate._fields}


def _snapshot(one: Snapshot) -> dict[str, Any]:
    b, pair = one.bounds, one.two_lognormal
    names = ("p", "p_low", "p_high", "forward", "forward_error", "atm_vol", "atm_vol_error")
    bounds = None
    if b is not None:
        ends = {
            "gap": b.gap,
            "mean_1": b.state1.mean,
            "mean_0": b.state0.mean,
            "vol_1": b.state1.vol,
            "vol_0": b.state0.vol,
        }
        bounds = {
            name: [_number(float(x.interval_lower)), _number(float(x.interval_upper))]
            for name, x in ends.items()
        }
    return {
        "at": format_ns(one.at_ns),
        **{name: _number(getattr(one, name)) for name in names},
        "decided": one.decided,
        "status": str(one.status),
        "reason": one.reason,
        "bounds": bounds,
        "two_lognormal": None
        if pair is None
        else {
            "gap": _number(pair.delta),
            "lower": _number(pair.lower),
            "upper": _number(pair.upper),
            "status": str(pair.verdict.status),
            "reason": pair.verdict.reason,
        },
    }


def _joint(row: StatesRow) -> dict[str, Any] | None:
    fit = row.joint
    if fit is None:
        return None
    return {
        "interval": _numbers(fit.interval),
        "zero_fall": _number(fit.zero_fall),
        "zero_p_value": _number(fit.zero_p_value),
        **{name: _number(getattr(fit, name)) for name in _SHAPES},
        **{f"{name}_error": _number(getattr(fit, f"{name}_error")) for name in _SHAPES},
        "spot_sd": _number(fit.spot_sd),
        "misfit": _number(fit.misfit),
        "quotes_used": fit.quotes_used,
        "noise": {name: _number(getattr(fit.noise, name)) for name in fit.noise._fields},
        "profile": _profile(fit),
        "probability": _numbers(fit.probability),
        "probability_error": _numbers(fit.probability_error),
    }


def _profile(fit: JointFit) -> dict[str, Any]:
    """At most ``_MOST_POINTS`` of it: evenly chosen, and its ends, its top, the interval's ends."""
    deltas, falls, _ = fit.profile
    n = deltas.size
    kept = np.arange(n)
    if n > _MOST_POINTS:
        inside = np.flatnonzero((deltas >= fit.interval[0]) & (deltas <= fit.interval[1]))
        marks = [int(np.argmin(falls)), *inside[[0, -1]].tolist()]
        even = np.linspace(0, n - 1, _MOST_POINTS - len(marks)).round().astype(int)
        kept = np.union1d(even, marks)
    return {name: _numbers(getattr(fit.profile, name)[kept]) for name in fit.profile._fields}


def _exposure(row: StatesRow) -> dict[str, Any] | None:
    e, calls = row.exposure, row.calls
    if e is None:
        return None
    out: dict[str, Any] = {
        name: _numbers(getattr(e, name)) for name in ("strikes", "slope", "lower", "upper")
    }
    out["status"] = [str(status) for status in e.status]
    out["bound_lower"], out["bound_upper"] = _numbers(e.bound_lower), _numbers(e.bound_upper)
    for i, state in ((0, "calls_0"), (1, "calls_1")):
        out[state] = None if calls is None else _numbers(calls.calls[i])
    repair = None if calls is None or calls.repair is None else calls.repair
    out["repair_distance"] = None if repair is None else _number(repair.distance)
    return out


def _grid(grid: StateGrid | None) -> dict[str, Any] | None:
    if grid is None:
        return None
    curves = ("pdf_1", "pdf_1_lower", "pdf_1_upper", "pdf_0", "pdf_0_lower", "pdf_0_upper")
    names = ("strikes", "pdf", "pdf_error", "envelope_1", "envelope_0", "truth_1", "truth_0")
    return {
        **{name: _numbers(getattr(grid, name)) for name in names},
        "states": [
            {
                "rung": curve.rung,
                **{name: _numbers(getattr(curve, name)) for name in curves},
                "status": str(curve.status),
                "reason": curve.reason,
            }
            for curve in grid.curves
        ],
    }


def _hedge(hedge: Hedge | None) -> dict[str, Any] | None:
    if hedge is None:
        return None
    names = ("wanted", "wanted_lower", "wanted_upper", "residual", "residual_lower",
             "residual_upper", "variance_before", "variance_after", "explained", "cost",
             "fees")  # fmt: skip
    h = hedge.hedge
    return {
        "rung": hedge.rung,
        "p": _number(hedge.p),
        "bid": _number(hedge.bid),
        "ask": _number(hedge.ask),
        "contracts": _number(float(h.contracts[0])),
        **{name: _number(getattr(h, name)) for name in names},
        "pnl_before": _numbers(h.pnl_before),
        "pnl_after": _numbers(h.pnl_after),
        "status": str(h.status),
    }


def _score(score: Score) -> dict[str, Any]:
    return {
        "rung": score.rung,
        "from": format_ns(score.from_ns),
        "to": format_ns(score.to_ns),
        **{name: _number(getattr(score, name)) for name in ("predicted", "lower", "upper")},
        "realised": _number(score.realised),
        "inside": score.inside,
        "status": str(score.status),
        "reason": score.reason,
    }


def _truth(row: StatesRow) -> dict[str, Any] | None:
    truth = row.truth
    if truth is None:
        return None
    names = ("gap", "p", "mean_1", "mean_0", "vol_1", "vol_0")
    return {"words": truth.words, **{name: _numbers(getattr(truth, name)) for name in names}}


def _numbers(values: Iterable[float]) -> list[float | None]:
    return [_number(float(value)) for value in values]


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
