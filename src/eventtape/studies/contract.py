"""The study as plain data: the ``--json`` contract, and tables for the lake.

The contract is stable: keys are added, never renamed or removed. Numbers or null, never NaN; times
are ISO 8601 UTC; gaps, moves and returns are log returns; lags and horizons are seconds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from eventtape.arrays import Status
from eventtape.clock import format_ns
from eventtape.studies.diffusion_rows import DiffusionResult, LeadLagRow, Score
from eventtape.studies.findings import findings
from eventtape.studies.leadership_contract import leadership_records, leadership_tables

__all__ = ["CONTRACT_VERSION", "contract", "tables"]

CONTRACT_VERSION = 1


def contract(result: DiffusionResult) -> dict[str, Any]:
    """The result as JSON-ready data (see docs: the JSON contract)."""
    flat = tables(result)
    return {
        "contract": CONTRACT_VERSION,
        "study": "diffusion",
        "simulated": result.simulated,
        "event": {
            "key": result.event.key,
            "title": result.event.title,
            "outcome": result.event.outcome,
            "from": format_ns(result.event.start_ns),
            "to": format_ns(result.event.end_ns),
            "note": result.event.note,
        },
        "config": _plain(result.config.__dict__),
        "inputs": [
            {
                "source": row.source,
                "rows": row.rows,
                "first": format_ns(row.first),
                "last": format_ns(row.last),
                "label": row.label,
                "stamp_uncertainty_s": row.stamp_uncertainty_s,
                "note": row.note,
            }
            for row in result.inputs
        ],
        "probability": [
            {
                "source": series.label,
                "first": _number(series.frame["probability"][0]),
                "last": _number(series.frame["probability"][-1]),
                "q_per_s": _number(series.q),
                "r": _number(series.r),
                "shocks": int((series.frame["regime"] == "shock").sum())
                if series.status is Status.OK
                else None,
                "quotes": series.frame.height,
                "overround": _number(series.overround),
                "status": str(series.status),
            }
            for series in result.probabilities
        ],
        "gaps": _records(flat["gaps"]),
        "comparisons": _records(flat["comparisons"]),
        "responses": [
            {
                "market": row.market,
                "lag_s": _numbers(row.curve.lags_s),
                "cumulative": _numbers(row.curve.cumulative),
                "lower": _numbers(row.curve.lower),
                "upper": _numbers(row.curve.upper),
                "status": str(row.curve.status),
            }
            for row in result.responses
        ],
        "lead_lag": [_lead_lag(row) for row in result.lead_lags],
        "scorecard": [_score(row) for row in result.scores if row.sample == "out"],
        "in_sample": [_score(row) for row in result.scores if row.sample == "in"],
        "findings": [{"text": f.text, "status": str(f.status)} for f in findings(result)],
        "leadership": leadership_records(result.leadership),
    }


def tables(result: DiffusionResult) -> dict[str, pl.DataFrame]:
    """The result as flat tables, by name; null where a status forbids a number."""
    notes = {row.label: row.note for row in result.inputs}
    gaps = [
        {
            "market": row.market,
            "horizon_s": row.horizon_s,
            "gap": row.estimate.gap,
            "lower": row.estimate.lower,
            "upper": row.estimate.upper,
            "status": str(row.status),
            "se": row.estimate.se,
            "n_rows": row.estimate.n_rows,
            "n_regressors": row.estimate.n_regressors,
            "identifying_share": row.estimate.identifying_share,
            "effective_rows": row.estimate.effective_rows,
            "note": notes[row.market],
        }
        for row in result.gaps
    ]
    comparisons = [{**row._asdict(), "status": str(row.status)} for row in result.comparisons]
    responses = pl.concat(
        [
            pl.DataFrame(
                {
                    "market": [row.market] * row.curve.lags_s.size,
                    "lag_s": row.curve.lags_s,
                    "cumulative": row.curve.cumulative,
                    "lower": row.curve.lower,
                    "upper": row.curve.upper,
                }
            )
            for row in result.responses
        ]
    )
    probability = pl.concat(
        [
            series.frame.select(
                pl.lit(series.label).alias("source"),
                "ts",
                "probability",
                "mean",
                "sd",
                "z",
                "regime",
            )
            for series in result.probabilities
        ]
    )
    return {
        "gaps": _nulls(pl.DataFrame(gaps)),
        "comparisons": _nulls(pl.DataFrame(comparisons)),
        "responses": _nulls(responses),
        "lead_lag": pl.DataFrame(
            [{**_lead_lag(row), "series": None} for row in result.lead_lags],
            schema_overrides={
                "leader": pl.String,
                "follower": pl.String,
                **dict.fromkeys(("lag_s", "ratio", "lower", "upper", "p_value"), pl.Float64),
            },
        )
        .with_columns(
            pl.Series("first", [row.first for row in result.lead_lags]),
            pl.Series("second", [row.second for row in result.lead_lags]),
        )
        .drop("series"),
        "scorecard": _nulls(
            pl.DataFrame([{**row._asdict(), "status": str(row.status)} for row in result.scores])
        ),
        "probability": _nulls(probability),
        "findings": pl.DataFrame(
            [{"text": f.text, "status": str(f.status)} for f in findings(result)]
        ),
        **leadership_tables(result.leadership),
    }


def _lead_lag(row: LeadLagRow) -> dict[str, Any]:
    return {
        "leader": row.leader,
        "follower": row.follower,
        "lag_s": _number(row.lag_s),
        "ratio": _number(row.ratio),
        "lower": _number(row.lower),
        "upper": _number(row.upper),
        "status": str(row.status),
        "series": [row.first, row.second],
        "p_value": _number(row.p_value),
        "resolution_s": row.resolution_s,
    }


def _score(row: Score) -> dict[str, Any]:
    return {
        "market": row.market,
        "predicted": _number(row.predicted),
        "lower": _number(row.lower),
        "upper": _number(row.upper),
        "realised": _number(row.realised),
        "status": str(row.status),
        "probability_move": _number(row.probability_move),
        "from": format_ns(row.from_ns),
        "to": format_ns(row.to_ns),
    }


def _nulls(frame: pl.DataFrame) -> pl.DataFrame:
    floats = [name for name, dtype in frame.schema.items() if dtype.is_float()]
    return frame.with_columns(pl.col(floats).fill_nan(None))


def _records(frame: pl.DataFrame) -> list[dict[str, Any]]:
    return [_plain(row) for row in frame.to_dicts()]


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    return {k: _number(v) if isinstance(v, float) else v for k, v in row.items()}


def _number(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)


def _numbers(values: np.ndarray[Any, np.dtype[np.float64]]) -> list[float | None]:
    return [_number(float(v)) for v in values]
