"""The premiums as plain data: JSON, and tables of expiries, kinds, snapshots, spreads, markets.

The contract is stable: keys are added, never renamed or removed. Numbers or null, never NaN; times
ISO 8601 UTC; sizes one standard deviation of log return; volatility per sqrt(year of 365 days).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable
from typing import Any

import polars as pl

from eventtape.clock import format_ns
from eventtape.estimators.premium.odds_link import Correlation
from eventtape.estimators.premium.premium_history import Change
from eventtape.studies.premium_findings import answer, findings
from eventtape.studies.premium_rows import PremiumResult, PremiumRow

__all__ = ["CONTRACT_VERSION", "contract", "tables"]

CONTRACT_VERSION = 1
_TIME = pl.Datetime("ns", "UTC")
_SIZES = ("size", "lower", "upper")
_STRIP = ("iv", "daily", "days", "variance", "stripped_variance", "stripped_daily", "stripped_iv")
_SPREAD = (
    "low", "high", "mean", "sd", "now", "quantile", "away", "half_life", "half_life_lower",
    "half_life_upper",
)  # fmt: skip
_MARKET = (
    "size", "lower", "upper", "daily_365", "daily_252", "ratio_365", "ratio_365_lower",
    "ratio_365_upper", "ratio_252", "ratio_252_lower", "ratio_252_upper", "event_day", "mean_move",
)  # fmt: skip


def contract(result: PremiumResult) -> dict[str, Any]:
    """The result as JSON-ready data."""
    return {
        "contract": CONTRACT_VERSION,
        "study": "premium",
        "simulated": result.simulated,
        "data": result.data,
        "notes": list(result.notes),
        "config": dataclasses.asdict(result.config) | {"kinds": list(result.config.kinds)},
        "findings": [{"text": f.text, "status": str(f.status)} for f in findings(result)],
        "cuts": [
            {
                "quarter": c.quarter,
                "start": format_ns(c.start_ns),
                "end": format_ns(c.end_ns),
                "cuts": _number(c.cuts),
            }
            for c in result.cuts
        ],
        "rows": [_row(row) for row in result.rows],
        "markets": _markets(result),
    }


def tables(result: PremiumResult) -> dict[str, pl.DataFrame]:
    """``terms`` a row an expiry, ``kinds``, ``history`` a snapshot, ``spreads``, ``markets``.

    A table without rows is left out.
    """
    terms, kinds, history, spreads = [], [], [], []
    for row in result.rows:
        about = {"label": row.label, "at": row.term.at_ns, "simulated": result.simulated}
        terms += [about | one for one in _terms(row)]
        kinds += [about | one for one in _kinds(row)]
        history += [about | one for one in _history_rows(row)]
        spreads += [
            about | {"near": s.near_ns, "far": s.far_ns}
            | {name: _number(getattr(s.history, name)) for name in _SPREAD}
            | {"status": str(s.history.status), "reason": s.history.reason}
            for s in row.spreads
        ]  # fmt: skip
    markets = [{"simulated": result.simulated} | one for one in _markets(result) or ()]
    made = {
        "terms": _frame(terms, "at", "expiry"),
        "kinds": _frame(kinds, "at"),
        "history": _frame(history, "at", "ts"),
        "spreads": _frame(spreads, "at", "near", "far"),
        "markets": _frame(markets),
    }
    return {name: frame for name, frame in made.items() if not frame.is_empty()}


def _frame(rows: list[dict[str, Any]], *times: str) -> pl.DataFrame:
    if not rows:
        return pl.DataFrame()
    texts = {"label", "kind", "market", "status", "reason"}
    whole = {*times, "count"}
    schema = {
        name: pl.Int64 if name in whole
        else pl.String if name in texts
        else pl.Boolean if name in {"simulated", "after"}
        else pl.Float64
        for name in rows[0]
    }  # fmt: skip
    return pl.DataFrame(rows, schema=schema).with_columns(
        pl.col(*times).cast(_TIME) if times else []
    )


def _terms(row: PremiumRow) -> list[dict[str, Any]]:
    """Columns A to G at the first strip's size, beside the fit."""
    p, term = row.premium, row.term
    strip = row.strips[0].table if row.strips else None
    out = []
    for i, expiry in enumerate(term.expiries_ns.tolist()):
        one: dict[str, Any] = {
            "expiry": expiry,
            "days": float(term.days[i]),
            "iv": float(term.iv[i]),
            "error": float(term.error[i]),
            "forward_vol": _number(float(row.forward.vol[i])),
            "forward_variance": float(row.forward.variance[i]),
            "fitted_iv": _number(float(p.fitted_iv[i])),
            "base_iv": _number(float(p.base_iv[i])),
            "base_lower": _number(float(p.base_lower[i])),
            "base_upper": _number(float(p.base_upper[i])),
            "after": row.near >= 0 and i >= row.near,
        }
        for name in _STRIP[1:]:
            value = math.nan if strip is None else float(getattr(strip, name)[i])
            one[f"table_{name}"] = _number(value)
        out.append(one)
    return out


def _kinds(row: PremiumRow) -> list[dict[str, Any]]:
    p = row.premium
    return [
        {
            "kind": kind,
            "count": int(p.counts[k]),
            **{name: _number(float(getattr(p, name)[k])) for name in _SIZES},
            "variance": _number(float(p.variance[k])),
            "variance_error": _number(float(p.variance_error[k])),
            "status": str(p.statuses[k]),
            "reason": p.reasons[k],
        }
        for k, kind in enumerate(p.kinds)
    ]


def _history_rows(row: PremiumRow) -> list[dict[str, Any]]:
    s = row.series
    if s is None:
        return []
    out = []
    for i, ts in enumerate(s.dynamic.ts_ns.tolist()):
        one: dict[str, Any] = {
            "ts": ts,
            "days": float(s.dynamic.days[i]),
            "iv": _number(float(s.iv[i])),
            "base_iv": _number(float(s.base_iv[i])),
        }
        for name in ("dynamic", "fixed", "fitted"):
            part = getattr(s, name)
            one |= {f"{name}_{x}": _number(float(getattr(part, x)[i])) for x in _SIZES}
        one["status"] = str(s.dynamic.statuses[i])
        out.append(one)
    return out


def _row(row: PremiumRow) -> dict[str, Any]:
    p = row.premium
    said = answer(row)
    daily = row.daily
    return {
        "label": row.label,
        "at": format_ns(row.term.at_ns),
        "status": str(row.status),
        "reason": row.reason,
        "answer": {"text": said.text, "status": str(said.status)},
        "event": None
        if row.focus is None
        else {"kind": row.focus.kind, "name": row.focus.name, "at": format_ns(row.focus.at_ns)},
        "found": {
            "kinds": list(row.found.kinds),
            **{name: _number(getattr(row.found, name)) for name in _SIZES},
            "status": str(row.found.status),
            "reason": row.found.reason,
        },
        "daily": dict(zip(("value", "lower", "upper"), _numbers(daily), strict=True)),
        "events": [
            {"kind": e.kind, "name": e.name, "at": format_ns(e.at_ns), "note": e.note}
            for e in row.events
        ],
        "kinds": _kinds(row),
        "ridges": [
            {
                "kinds": list(ridge.kinds),
                **{name: _number(getattr(ridge, name)) for name in _SIZES},
                "parted_after": format_ns(ridge.after_ns),
                "parted_until": format_ns(ridge.before_ns),
            }
            for ridge in p.ridges
        ],
        "fit": {
            **{
                name: _number(getattr(p, name))
                for name in ("weekend", "weekend_lower", "weekend_upper", "roughness", "misfit")
            },
            "status": str(p.status),
            "reason": p.reason,
        },
        "terms": [one | {"expiry": format_ns(one["expiry"])} for one in _terms(row)],
        "strips": [
            {
                "name": strip.name,
                "size": strip.size,
                **{name: _numbers(getattr(strip.table, name)) for name in _STRIP},
                "status": [str(status) for status in strip.table.status],
            }
            for strip in row.strips
        ],
        "named": [
            {
                "name": n.name,
                "size": _number(n.size),
                "assumption": n.assumption,
                "reason": n.reason,
            }
            for n in row.named
        ],
        "history": _series(row),
        "odds": _odds(row),
        "spreads": [
            {
                "near": format_ns(s.near_ns),
                "far": format_ns(s.far_ns),
                **{name: _number(getattr(s.history, name)) for name in _SPREAD},
                "ts": [format_ns(ns) for ns in s.ts_ns.tolist()],
                "spread": _numbers(s.spread),
                "status": str(s.history.status),
                "reason": s.history.reason,
            }
            for s in row.spreads
        ],
        "far": _far(row),
        "refused": [
            {"expiry": format_ns(r.expiry_ns), "status": str(r.status), "reason": r.reason}
            for r in row.refused
        ],
        "truth": None
        if row.truth is None
        else {
            "kind": row.truth.kind,
            "at": [format_ns(ns) for ns in row.truth.times_ns.tolist()],
            "size": _numbers(row.truth.size),
            "others": dict(row.truth.others),
            "words": row.truth.words,
        },
    }


def _series(row: PremiumRow) -> dict[str, Any] | None:
    s = row.series
    if s is None:
        return None
    rows = [one | {"ts": format_ns(one["ts"])} for one in _history_rows(row)]
    ends = zip(s.gaps.start_ns.tolist(), s.gaps.end_ns.tolist(), strict=True)
    return {
        "expiry": format_ns(s.expiry_ns),
        "kinds": list(s.kinds),
        "rows": rows,
        "change": _change(s.change),
        "fixed_change": _change(s.fixed_change),
        "gaps": [[format_ns(start), format_ns(end)] for start, end in ends],
    }


def _change(c: Change) -> dict[str, Any]:
    return {
        "from": format_ns(c.start_ns),
        "to": format_ns(c.end_ns),
        **{
            name: _number(getattr(c, name)) for name in ("start", "end", "change", "lower", "upper")
        },
        "status": str(c.status),
        "reason": c.reason,
    }


def _odds(row: PremiumRow) -> dict[str, Any] | None:
    o = row.odds
    if o is None:
        return None
    apart = o.apart
    return {
        "label": o.label,
        "ts": [format_ns(ns) for ns in o.ts_ns.tolist()],
        "premium": _numbers(o.premium),
        "odds": _numbers(o.odds),
        "levels": None if o.link is None else _correlation(o.link.levels),
        "changes": None if o.link is None else _correlation(o.link.changes),
        "divergences": None
        if apart is None
        else {
            **{name: _number(getattr(apart, name)) for name in
               ("slope", "slope_p_value", "bound", "false_alarms")},
            "n_windows": apart.n_windows,
            "found": [
                {
                    "from": format_ns(one.start_ns),
                    "to": format_ns(one.end_ns),
                    **{name: _number(getattr(one, name)) for name in
                       ("premium_change", "odds_change", "predicted", "score", "p_value")},
                    "opposed": one.opposed,
                }
                for one in apart.found
            ],
            "status": str(apart.status),
            "reason": apart.reason,
        },
        "status": str(o.status),
        "reason": o.reason,
    }  # fmt: skip


def _correlation(c: Correlation) -> dict[str, Any]:
    return {
        **{name: _number(getattr(c, name)) for name in
           ("correlation", "lower", "upper", "effective", "naive_lower", "naive_upper")},
        "n_rows": c.n_rows,
        "status": str(c.status),
        "reason": c.reason,
    }  # fmt: skip


def _far(row: PremiumRow) -> dict[str, Any] | None:
    far = row.far
    if far is None:
        return None
    columns = (
        "richness", "spread_quantile", "cuts", "premium_rank", "spread_rank", "cuts_rank",
        "mean_rank",
    )  # fmt: skip
    return {
        "expiries": [format_ns(ns) for ns in far.expiries_ns.tolist()],
        **{name: _numbers(getattr(far, name)) for name in columns},
        "spread_returns": far.spread_returns.tolist(),
        "status": str(far.status),
        "reason": far.reason,
    }


def _markets(result: PremiumResult) -> list[dict[str, Any]] | None:
    m = result.market
    if m is None:
        return None
    return [
        {
            "market": name,
            **{column: _number(float(getattr(m, column)[i])) for column in _MARKET},
            "status": str(m.statuses[i]),
            "reason": m.reasons[i],
        }
        for i, name in enumerate(m.markets)
    ]


def _numbers(values: Iterable[float]) -> list[float | None]:
    return [_number(float(value)) for value in values]


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
