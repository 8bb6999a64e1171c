"""The densities as plain data: one table of chains, one of strikes, one of quotes, and JSON.

The contract is stable: keys are added, never renamed or removed. Numbers or null, never NaN; times
ISO 8601 UTC; days of 24 hours, volatility per sqrt(year), densities per unit of strike.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import polars as pl

from eventtape.clock import format_ns
from eventtape.estimators.density.no_arbitrage import Check
from eventtape.studies.densities_findings import arbitrage_words, findings
from eventtape.studies.densities_rows import ChainDensity, CrossCheck, DensitiesResult

__all__ = ["CONTRACT_VERSION", "contract", "tables"]

CONTRACT_VERSION = 1
_TIME = pl.Datetime("ns", "UTC")


def contract(result: DensitiesResult) -> dict[str, Any]:
    """The result as JSON-ready data."""
    return {
        "contract": CONTRACT_VERSION,
        "study": "density",
        "simulated": result.simulated,
        "data": result.data,
        "notes": list(result.notes),
        "config": {
            **{
                name: list(value) if isinstance(value, tuple) else value
                for name, value in dataclasses.asdict(result.config).items()
            },
            "dividends": [
                {"ex_date": format_ns(ns), "cash": cash} for ns, cash in result.config.dividends
            ],
        },
        "findings": [{"text": f.text, "status": str(f.status)} for f in findings(result)],
        "chains": [_chain(chain, result) for chain in result.chains],
        "surfaces": [
            {
                "underlying": surface.underlying,
                "expiries": [format_ns(ns) for ns in surface.expiries],
                "free": None if surface.report is None else surface.report.free,
                "violations": []
                if surface.report is None
                else [
                    {"expiry": format_ns(surface.expiries[c.expiry]), **_check(c)}
                    for c in surface.report.failed()
                ],
            }
            for surface in result.surfaces
        ],
    }


def tables(result: DensitiesResult) -> dict[str, pl.DataFrame]:
    """``chains``, a row a chain; ``grid``, a row a strike; ``quotes``, a row a quote."""
    chains = pl.DataFrame(
        [_flat(chain, result) for chain in result.chains], infer_schema_length=None
    )
    chains = chains.with_columns(pl.col("expiry", "at").cast(_TIME))
    out = {"chains": chains}
    for name in ("grid", "quotes"):
        parts = [
            getattr(chain, name).with_columns(
                pl.lit(chain.underlying).alias("underlying"),
                pl.lit(chain.expiry_ns).cast(_TIME).alias("expiry"),
                pl.lit(result.simulated).alias("simulated"),
            )
            for chain in result.chains
        ]
        whole = pl.concat(parts, how="diagonal")
        first = ["underlying", "expiry"]
        out[name] = whole.select(*first, pl.exclude(*first))
    return out


def _flat(chain: ChainDensity, result: DensitiesResult) -> dict[str, Any]:
    """The numbers of one chain in one row."""
    whole = _chain(chain, result)
    row = {
        "underlying": chain.underlying,
        "expiry": chain.expiry_ns,
        "at": chain.at_ns,
        **{k: whole[k] for k in ("days", "american", "settlement", "status", "reason")},
        **{k: whole["forward"][k] for k in ("forward", "forward_error", "discount", "rate")},
        **{k: whole[k] for k in ("atm_vol", "atm_vol_error", "skew", "negative_mass")},
        "skewness": whole["moments"]["log_return"]["skewness"],
        "excess_kurtosis": whole["moments"]["log_return"]["excess_kurtosis"],
        "mass_below": whole["tails"]["mass_below"],
        "mass_above": whole["tails"]["mass_above"],
        "arbitrage": arbitrage_words(chain),
        "quotes_given": whole["quotes"]["given"],
        "quotes_used": whole["quotes"]["used"],
        "simulated": result.simulated,
    }
    for p, found in zip(result.config.probabilities, whole["quantiles"], strict=True):
        row[f"quantile_{100 * p:g}"] = found["price"]
    return row


def _chain(chain: ChainDensity, result: DensitiesResult) -> dict[str, Any]:
    law = chain.density if chain.found else None
    report = None if law is None else law.report
    return {
        "underlying": chain.underlying,
        "expiry": format_ns(chain.expiry_ns),
        "at": format_ns(chain.at_ns),
        "days": chain.days,
        "american": chain.american,
        "settlement": chain.settlement,
        "status": str(chain.status),
        "reason": chain.reason,
        "forward": _forward(chain),
        "atm_vol": _number(chain.atm_vol),
        "atm_vol_error": _number(chain.atm_vol_error),
        "skew": _number(chain.skew),
        "quantiles": _quantiles(chain, result),
        "moments": _moments(chain),
        "tails": _tails(chain),
        "negative_mass": None if law is None else _number(law.negative_mass),
        "arbitrage": {
            "clean": None if law is None else not chain.violations,
            "violations": [_check(check) for check in chain.violations],
            "quotes": [
                {
                    "kind": found.kind,
                    "count": found.times,
                    "gain": _number(found.gain),
                    "strikes": list(found.strikes),
                }
                for found in chain.quote_arbitrage
            ],
        },
        "quotes": {
            "given": chain.quotes.height,
            "used": chain.fates["used"],
            "fates": chain.fates,
            "too_old": chain.too_old,
            "median_age_s": _number(chain.median_age_s),
        },
        "smile": {
            name: None if report is None else _number(getattr(report, name))
            for name in (
                "length", "size", "noise_scale", "rounding_share", "size_weight",
                "size_weight_error", "misfit",
            )
        },
        "cross_checks": [_cross(check) for check in chain.cross_checks],
        "repair": _repair(chain),
        "truth_distance": _number(chain.truth_distance),
        "grid": {
            name: [x if isinstance(x, bool) else _number(x) for x in chain.grid[name]]
            for name in chain.grid.columns
        },
    }  # fmt: skip


def _forward(chain: ChainDensity) -> dict[str, Any]:
    made = chain.european
    names = ("forward", "forward_error", "discount", "rate", "rate_error", "dividend_yield")
    if made is None:
        return {**dict.fromkeys(names), "source": "", "rate_source": "", "pairs": 0, "rounds": 0}
    found = made.forward
    return {
        **{name: _number(getattr(found, name)) for name in names},
        "source": str(found.source),
        "rate_source": chain.rate_source,
        "pairs": found.pairs_used,
        "rounds": made.rounds,
    }


def _quantiles(chain: ChainDensity, result: DensitiesResult) -> list[dict[str, Any]]:
    found = chain.quantiles
    return [
        {
            "probability": p,
            "price": None if found is None else _number(float(found.prices[i])),
            "error": None if found is None else _number(float(found.errors[i])),
        }
        for i, p in enumerate(result.config.probabilities)
    ]


def _moments(chain: ChainDensity) -> dict[str, Any]:
    names = ("mean", "sd", "skewness", "excess_kurtosis")
    fields = (
        "price", "price_errors", "price_beyond",
        "log_return", "log_return_errors", "log_return_beyond",
    )  # fmt: skip
    found = chain.moments
    return {
        field: {
            name: None if found is None else _number(getattr(getattr(found, field), name))
            for name in names
        }
        for field in fields
    }


def _tails(chain: ChainDensity) -> dict[str, Any]:
    law = chain.density if chain.found else None
    ends = ("low_strike", "high_strike")
    out = {name: None if law is None else _number(getattr(law.tails, name)) for name in ends}
    names = (
        "mass_below", "mass_below_error", "mass_above", "mass_above_error",
        "variance_below", "variance_above", "wing_vol_below", "wing_vol_below_error",
        "wing_vol_above", "wing_vol_above_error",
    )  # fmt: skip
    found = chain.tails
    return out | {n: None if found is None else _number(getattr(found, n)) for n in names}


def _check(check: Check) -> dict[str, Any]:
    return {
        "name": str(check.name),
        "worst": _number(check.worst),
        "strike": _number(check.strike),
        "over_error": _number(check.over_error),
    }


def _cross(check: CrossCheck) -> dict[str, Any]:
    return {
        "name": check.name,
        "distance": _number(check.distance),
        "status": str(check.status),
        "note": check.note,
        "parameters": {name: _number(value) for name, value in check.parameters.items()},
        "errors": {name: _number(value) for name, value in check.errors.items()},
    }


def _repair(chain: ChainDensity) -> dict[str, Any] | None:
    done = chain.repaired
    if done is None:
        return None
    names = ("mass_removed", "moved", "price_change", "at_strike", "price_change_in_errors")
    return {
        "status": str(done.status),
        "changed": done.changed,
        **{name: _number(getattr(done, name)) for name in (*names, "distance")},
    }


def _number(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)
