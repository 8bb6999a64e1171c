"""The trade as plain data: JSON, and tables of legs, profiles and scenarios.

The contract is stable: keys are added, never renamed or removed. Numbers or null, never NaN; times
ISO 8601 UTC; prices in dollars, money in the unit named (coins or dollars), volatilities and moves
as decimals, vega per point, theta per day.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import polars as pl

from eventtape.clock import format_ns
from eventtape.estimators.positions.pnl_law import PnlLaw, Share
from eventtape.estimators.positions.scenarios import BreakEvens, Cell
from eventtape.studies.trade_findings import findings
from eventtape.studies.trade_rows import (
    Grid,
    LegRow,
    MarginAt,
    Profile,
    RuleRow,
    TradeResult,
)

__all__ = ["CONTRACT_VERSION", "contract", "tables"]

CONTRACT_VERSION = 1
_TIME = pl.Datetime("ns", "UTC")
_GREEKS = ("value", "delta", "gamma", "vega", "theta")


def contract(result: TradeResult) -> dict[str, Any]:
    """The result as JSON-ready data."""
    trade, law = result.trade, result.law
    return {
        "contract": CONTRACT_VERSION,
        "study": "trade",
        "simulated": result.simulated,
        "name": trade.name,
        "kind": result.kind,
        "unit": result.unit,
        "inverse": trade.legs.inverse,
        "spot": trade.spot,
        "at": format_ns(trade.at_ns),
        "near_expiry": format_ns(result.near_ns),
        "eve": format_ns(result.eve_ns),
        "sources": list(result.sources),
        "notes": list(result.notes),
        "config": dataclasses.asdict(result.config),
        "events": [
            {"name": e.name, "at": format_ns(e.at_ns), "size": e.size} for e in trade.events
        ],
        "premium": _number(result.premium),
        "law": {
            "base": law.base,
            "level": law.level,
            "half_life_days": None if law.reversion == 0.0 else result.config.half_life_days,
            "status": str(result.law_status),
            "reason": result.law_reason,
        },
        "findings": [{"text": f.text, "status": str(f.status)} for f in findings(result)],
        "legs": [_leg(leg) for leg in result.legs],
        "whole": {name: _number(float(getattr(result.whole, name))) for name in _GREEKS},
        "ratios": [
            {
                "by": r.by,
                "quantity": _number(r.quantity),
                "near": _number(r.near),
                "far": _number(r.far),
                "status": str(r.status),
                "reason": r.reason,
            }
            for r in result.ratios
        ],
        "profiles": [_profile(p) for p in result.profiles],
        "payoffs": [
            {
                "expiry": format_ns(p.expiry_ns),
                "prices": _numbers(p.prices),
                "dollars": _numbers(p.dollars),
            }
            for p in result.payoffs
        ],
        "scenarios": [_grid(grid, result) for grid in result.grids],
        "risks": _risks(result),
        "gap": _gap(result),
        "pins": [
            {name: _number(float(x)) for name, x in zip(result.pin._fields, row, strict=True)}
            for row in zip(*result.pin, strict=True)
        ],
        "margin": _margin(result),
        "fees": _fees(result),
        "rules": [_rule(rule) for rule in result.rules],
        "suits": list(result.suits),
        "mends": list(result.mends),
    }


def tables(result: TradeResult) -> dict[str, pl.DataFrame]:
    """``legs``, ``profiles`` (a row a look and price), ``scenarios`` (a row a cell)."""
    legs = [
        {
            "quantity": leg.quantity,
            "strike": leg.strike,
            "is_call": leg.is_call,
            "expiry": leg.expiry_ns,
            "vol": leg.vol,
            "forward": leg.forward,
            "price": leg.price,
            **{name: float(getattr(leg.held, name)) for name in _GREEKS},
        }
        for leg in result.legs
    ]
    names = ("prices", "coins", "dollars", "delta", "gamma", "vega", "theta")
    profiles = pl.concat(
        pl.DataFrame(
            {
                "look": [p.label] * p.prices.size,
                "at": np.full(p.prices.size, p.at_ns),
                **{name.replace("prices", "price"): getattr(p, name) for name in names},
            }
        )
        for p in result.profiles
    )
    cells = pl.concat(_cells(grid, result) for grid in result.grids)
    about = pl.lit(result.simulated).alias("simulated")
    return {
        "legs": pl.DataFrame(legs).with_columns(pl.col("expiry").cast(_TIME), about),
        "profiles": profiles.with_columns(pl.col("at").cast(_TIME), about),
        "scenarios": cells.with_columns(pl.col("at").cast(_TIME), about),
    }


def _cells(grid: Grid, result: TradeResult) -> pl.DataFrame:
    config = result.config
    axes = np.meshgrid(grid.steepenings, config.vol_moves, config.spot_moves, indexing="ij")
    steeper, vol, spot = (axis.ravel() for axis in axes)
    columns = {"steepening": steeper, "vol_move": vol, "spot_move": spot, "pnl": grid.pnl.ravel()}
    n = steeper.size
    return pl.DataFrame({"look": [grid.label] * n, "at": np.full(n, grid.at_ns), **columns})


def _leg(leg: LegRow) -> dict[str, Any]:
    return {
        "quantity": leg.quantity,
        "strike": leg.strike,
        "right": "call" if leg.is_call else "put",
        "expiry": format_ns(leg.expiry_ns),
        "vol": leg.vol,
        "forward": leg.forward,
        "price": _number(leg.price),
        **{name: _number(float(getattr(leg.held, name))) for name in _GREEKS},
    }


def _profile(profile: Profile) -> dict[str, Any]:
    names = ("vols", "prices", "coins", "dollars", "delta", "gamma", "vega", "theta")
    return {
        "look": profile.label,
        "at": format_ns(profile.at_ns),
        **{name: _numbers(getattr(profile, name)) for name in names},
        "break_evens": _evens(profile.evens),
    }


def _evens(evens: BreakEvens) -> dict[str, Any]:
    return {
        "prices": _numbers(evens.prices),
        "gains_above": [bool(way > 0) for way in evens.direction],
        **{
            name: _number(getattr(evens, name))
            for name in ("lowest", "lowest_at", "highest", "highest_at")
        },
        "status": str(evens.status),
    }


def _grid(grid: Grid, result: TradeResult) -> dict[str, Any]:
    return {
        "look": grid.label,
        "at": format_ns(grid.at_ns),
        "steepenings": list(grid.steepenings),
        "vol_moves": list(result.config.vol_moves),
        "spot_moves": list(result.config.spot_moves),
        "pnl": [[_numbers(row) for row in term] for term in grid.pnl],
        "worst": _cell(grid.extremes.worst, grid),
        "best": _cell(grid.extremes.best, grid),
    }


def _cell(cell: Cell, grid: Grid) -> dict[str, float | None]:
    return {
        "spot_move": cell.spot_move,
        "vol_move": cell.vol_move,
        "steepening": grid.steepenings[cell.term_move],
        "pnl": _number(cell.pnl),
    }


def _risks(result: TradeResult) -> dict[str, Any]:
    r = result.risks
    names = ("delta", "dollar_gamma", "vega", "weighted_vega", "steepener", "theta")
    return {
        **{name: _number(getattr(r, name)) for name in names},
        "by_expiry": [
            {"expiry": format_ns(int(t)), "vega": _number(float(v))}
            for t, v in zip(r.expiries_ns, r.expiry_vega, strict=True)
        ],
    }


def _gap(result: TradeResult) -> dict[str, Any]:
    gap = result.gap
    if gap is None:
        return {"reason": result.gap_reason}
    names = ("log_moves", "prices", "pnl", "pnl_after")
    return {**{n: _numbers(getattr(gap, n)) for n in names}, "status": str(gap.status)}


def _margin(result: TradeResult) -> dict[str, Any]:
    m = result.margin
    return {
        "rows": [_margin_row(row) for row in m.rows],
        "deposit": _number(m.deposit),
        "called_the_day_before": None
        if m.eve is None
        else {
            "lower": _numbers(m.eve.lower),
            "upper": _numbers(m.eve.upper),
            "probability": _number(m.eve.probability),
            "excess_now": _number(m.eve.excess),
        },
        "called_on_paths": None if m.paths is None else _share(m.paths.share),
        "status": str(m.status),
        "reason": m.reason,
    }


def _margin_row(row: MarginAt) -> dict[str, Any]:
    return {
        "look": row.label,
        "at": format_ns(row.at_ns),
        "initial": _number(row.initial),
        "maintenance": _number(row.maintenance),
    }


def _fees(result: TradeResult) -> dict[str, Any]:
    f = result.fees
    return {
        "opening": _numbers(f.opening),
        "delivery_now": _number(f.delivery_now),
        "delivery_most": _number(f.delivery_most),
        "from": format_ns(f.from_ns),
        "source": f.source,
        "status": str(f.status),
        "reason": f.reason,
    }


def _rule(rule: RuleRow) -> dict[str, Any]:
    return {
        "rule": rule.name,
        "words": rule.words,
        "until": format_ns(rule.until_ns),
        "pnl": _law(rule.law),
        "dollars": _number(rule.dollars),
        "dollars_error": _number(rule.dollars_error),
        "costs": _number(rule.costs),
        "stopped": _share(rule.stopped),
        "hedges": _number(rule.hedges),
    }


def _law(law: PnlLaw) -> dict[str, Any]:
    lists = ("probabilities", "quantiles", "lower", "upper", "errors")
    return {
        **{n: _number(getattr(law, n)) for n in ("mean", "mean_error", "sd")},
        "loss": _share(law.loss),
        **{n: _numbers(getattr(law, n)) for n in lists},
        "shortfall": _number(law.shortfall),
        "shortfall_error": _number(law.shortfall_error),
        "status": str(law.status),
    }


def _share(share: Share) -> dict[str, float]:
    return {n: float(getattr(share, n)) for n in ("share", "lower", "upper")}


def _numbers(values: Iterable[float]) -> list[float | None]:
    return [_number(float(value)) for value in values]


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
