"""The leadership section as plain data: a part of the JSON contract, and tables for the lake."""

from __future__ import annotations

import math
from typing import Any

import polars as pl

from eventtape.clock import format_ns
from eventtape.studies.leadership_rows import Leadership

__all__ = ["leadership_records", "leadership_tables"]

EDGE = {
    "method": pl.String,
    "step_s": pl.Float64,
    "first": pl.String,
    "second": pl.String,
    "leader": pl.String,
    "follower": pl.String,
    "value": pl.Float64,
    "lower": pl.Float64,
    "upper": pl.Float64,
    "p_value": pl.Float64,
    "q_value": pl.Float64,
    "n_rows": pl.Int64,
    "status": pl.String,
    "reason": pl.String,
}
ROLLING = {
    "first": pl.String,
    "second": pl.String,
    "from": pl.String,
    "to": pl.String,
    "lag_s": pl.Float64,
    "lower": pl.Float64,
    "upper": pl.Float64,
    "p_value": pl.Float64,
    "status": pl.String,
    "reason": pl.String,
}
SPILLOVER = {
    "step_s": pl.Float64,
    "series": pl.String,
    "from_series": pl.String,
    "share": pl.Float64,
    "total": pl.Float64,
    "total_lower": pl.Float64,
    "total_upper": pl.Float64,
    "n_rows": pl.Int64,
    "status": pl.String,
    "reason": pl.String,
}
MARTINGALE = {
    "source": pl.String,
    "step_s": pl.Float64,
    "horizon": pl.Int64,
    "ratio": pl.Float64,
    "null_lower": pl.Float64,
    "null_upper": pl.Float64,
    "p_value": pl.Float64,
    "drift": pl.Float64,
    "drift_p": pl.Float64,
    "n_rows": pl.Int64,
    "status": pl.String,
}
PLACEBO = {
    "method": pl.String,
    "runs": pl.Int64,
    "named": pl.Int64,
    "rate_low": pl.Float64,
    "rate_high": pl.Float64,
    "n_draws": pl.Int64,
}  # not ``asked``: a lake refuses a new column beside older partitions


def leadership_records(found: Leadership) -> dict[str, Any]:
    """Edges, windows, spillovers, fair-game tests and placebos as JSON-ready rows."""
    return {
        "edges": [_plain({**row._asdict(), "status": str(row.status)}) for row in found.edges],
        "rolling": _rolling(found),
        "spillovers": [
            _plain(
                {
                    **row._asdict(),
                    "labels": list(row.labels),
                    "table": [[_number(v) for v in line] for line in row.table.tolist()],
                    "status": str(row.status),
                }
            )
            for row in found.spillovers
        ],
        "martingales": [
            _plain(
                {
                    **row._asdict(),
                    "horizons": list(row.horizons),
                    "ratios": [_number(v) for v in row.ratios],
                    "null_lower": [_number(v) for v in row.null_lower],
                    "null_upper": [_number(v) for v in row.null_upper],
                    "status": str(row.status),
                }
            )
            for row in found.martingales
        ],
        "placebos": [_plain(row._asdict()) for row in found.placebos],
    }


def leadership_tables(found: Leadership) -> dict[str, pl.DataFrame]:
    """The same rows as flat tables, by name; a table without rows keeps its columns."""
    spillovers = [
        {
            "step_s": row.step_s,
            "series": series,
            "from_series": source,
            "share": _number(float(row.table[i, j])),
            "total": _number(row.total),
            "total_lower": _number(row.total_lower),
            "total_upper": _number(row.total_upper),
            "n_rows": row.n_rows,
            "status": str(row.status),
            "reason": row.reason,
        }
        for row in found.spillovers
        for i, series in enumerate(row.labels)
        for j, source in enumerate(row.labels)
    ]
    martingales = [
        _plain(
            {
                "source": row.source,
                "step_s": row.step_s,
                "horizon": horizon,
                "ratio": row.ratios[k],
                "null_lower": row.null_lower[k],
                "null_upper": row.null_upper[k],
                "p_value": row.p_value,
                "drift": row.drift,
                "drift_p": row.drift_p,
                "n_rows": row.n_rows,
                "status": str(row.status),
            }
        )
        for row in found.martingales
        for k, horizon in enumerate(row.horizons)
    ]
    records = leadership_records(found)
    placebos = [{key: row[key] for key in PLACEBO} for row in records["placebos"]]
    return {
        "leadership_edges": pl.DataFrame(records["edges"], schema=EDGE, orient="row"),
        "leadership_rolling": pl.DataFrame(records["rolling"], schema=ROLLING, orient="row"),
        "leadership_spillovers": pl.DataFrame(spillovers, schema=SPILLOVER, orient="row"),
        "leadership_martingales": pl.DataFrame(martingales, schema=MARTINGALE, orient="row"),
        "leadership_placebos": pl.DataFrame(placebos, schema=PLACEBO, orient="row"),
    }


def _rolling(found: Leadership) -> list[dict[str, Any]]:
    return [
        _plain(
            {
                "first": row.first,
                "second": row.second,
                "from": format_ns(row.from_ns),
                "to": format_ns(row.to_ns),
                "lag_s": row.lag_s,
                "lower": row.lower,
                "upper": row.upper,
                "p_value": row.p_value,
                "status": str(row.status),
                "reason": row.reason,
            }
        )
        for row in found.rolling
    ]


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {key: _number(v) if isinstance(v, float) else v for key, v in row.items()}


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
