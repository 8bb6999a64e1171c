"""The tables of the panel study's page: one function a section, dashes where nothing was said."""

from __future__ import annotations

import math
from collections.abc import Container
from typing import Any

import polars as pl

from eventtape.estimators.discovery.refusals import Reason
from eventtape.report.cells import DASH
from eventtape.report.html import Column, Html, element, join, table
from eventtape.studies.findings import minutes
from eventtape.studies.panel_findings import p_words, reasons
from eventtape.studies.panel_leadership_rows import PanelLeadership

__all__ = [
    "columns",
    "group_tables",
    "identity_table",
    "pair_table",
    "resolution_table",
    "speed_table",
    "whole_panel",
]

_SHARED = (Reason.NONE, Reason.EQUAL, Reason.WIDE)  # one relation was found


def pair_table(result: PanelLeadership) -> Html:
    """Pairs that share one trend; the refused ones folded away, with the reasons counted above."""
    shares = pl.col("leader").is_not_null() | pl.col("pils_lower").is_not_null()
    known, refused = result.pairs.filter(shares), result.pairs.filter(~shares)
    parts = [_pair_rows(known, "Pairs that share one trend")] if known.height else []
    if refused.height:
        counted = ", ".join(f"{n} {why}" for why, n in reasons(refused))
        parts.append(
            element(
                "details",
                element("summary", f"{refused.height} pairs refused: {counted}"),
                _pair_rows(refused, "Pairs refused"),
            )
        )
    return join(parts)


def _pair_rows(pairs: pl.DataFrame, caption: str) -> Html:
    names = ["Pair", "Leader", "PILS of the first", "Interval", "Information share"]
    names += ["Component share", "p of no relation", "Rows", "Why not"]
    rows = [
        (
            f"{r['first']} · {r['second']}",
            r["leader"] or DASH,
            _number(r["pils"]),
            _span(r["pils_lower"], r["pils_upper"]),
            _span(r["is_last"], r["is_first"]),
            _number(r["component"]),
            _p(r["p_none"]),
            f"{r['n_rows']:,}",
            r["reason"] or DASH,
        )
        for r in pairs.sort("leader", nulls_last=True).iter_rows(named=True)
    ]
    return table(caption, columns(names, text=(0, 1, 8)), rows)


def identity_table(result: PanelLeadership) -> Html:
    """Quotes of one security: their speeds, and whether the relation stands."""
    names = [
        "Pair",
        "Kind",
        "Leader",
        "Speeds",
        "Second less first",
        "Interval",
        "PILS of the first",
    ]
    names += ["p of (1, -1)", "Why not"]
    rows = [
        (
            f"{r['first']} · {r['second']}",
            r["kind"],
            r["leader"] or DASH,
            f"{_number(r['speed_first'])}, {_number(r['speed_second'])}",
            _number(r["difference"], "+.2f"),
            _span(r["lower"], r["upper"]),
            _number(r["pils"]),
            _p(r["p_relation"]),
            r["reason"] or DASH,
        )
        for r in result.identities.iter_rows(named=True)
    ]
    return table("Pairs whose relation is known", columns(names, text=(0, 1, 2, 8)), rows)


def speed_table(result: PanelLeadership) -> Html:
    """Speed of each asset for each factor, and who is named."""
    names = ["Asset", "Factor", "Speed", "Interval", "Less the factor's", "Its interval"]
    names += ["q", "Leader", "Rows", "Why not"]
    rows = [
        (
            r["name"],
            r["factor"],
            _number(r["speed"]),
            _span(r["lower"], r["upper"]),
            _number(r["lead"], "+.2f"),
            _span(r["lead_lower"], r["lead_upper"]),
            _p(r["lead_q"]),
            r["leader"] or DASH,
            f"{r['n_rows']:,}",
            r["reason"] or DASH,
        )
        for r in result.speeds.iter_rows(named=True)
    ]
    return table("Speed of each asset for each factor", columns(names, text=(0, 1, 7, 9)), rows)


def group_tables(result: PanelLeadership) -> Html:
    """Speed of each group by regime, and the differences."""
    names = ["Group", "Regime", "Factor", "Speed", "Interval", "Members", "Rows", "Why not"]
    rows = [
        (
            r["group"],
            r["regime"],
            r["factor"],
            _number(r["speed"]),
            _span(r["lower"], r["upper"]),
            f"{r['n_members']}",
            f"{r['n_rows']:,}",
            r["reason"] or DASH,
        )
        for r in result.groups.iter_rows(named=True)
    ]
    made = [table("Speed of each group", columns(names, text=(0, 1, 2, 7)), rows)]
    for held, frame, caption in (
        ("regime", result.group_differences, "Differences between groups"),
        ("group", result.regime_differences, "Differences between regimes"),
    ):
        if frame.height:
            made.append(_difference_table(frame, held, caption))
    return join(made)


def _difference_table(frame: pl.DataFrame, held: str, caption: str) -> Html:
    names = ["First less second", held.capitalize(), "Factor", "Difference", "Interval", "q"]
    rows = [
        (
            f"{r['first']} less {r['second']}",
            r[held],
            r["factor"],
            _number(r["difference"], "+.2f"),
            _span(r["lower"], r["upper"]),
            _p(r["q_value"]),
        )
        for r in frame.iter_rows(named=True)
    ]
    return table(caption, columns(names, text=(0, 1, 2)), rows)


def resolution_table(result: PanelLeadership) -> Html:
    """A row a pair that any step names or finds too coarse, a column a step."""
    frame = result.resolution
    steps = list(dict.fromkeys(frame["step_s"]))
    told = frame.filter(pl.col("leader").is_not_null() | pl.col("reason").is_in(_SHARED))
    pairs = list(dict.fromkeys(told.select("first", "second").iter_rows()))
    cells = {(r["first"], r["second"], r["step_s"]): r for r in frame.iter_rows(named=True)}
    rows = [
        (f"{a} · {b}", *(_resolution_cell(cells.get((a, b, step))) for step in steps))
        for a, b in pairs
    ]
    n = frame.select("first", "second").unique().height
    said = f"{len(pairs)} of {n} pairs share a trend at one step or more; the others are refused "
    said += "at every step."
    names = ["Pair", *(minutes(step) for step in steps)]
    made = table("Leader, PILS and width by step", columns(names, text=range(len(names))), rows)
    return join([element("p", said), made if rows else Html("")])


def _resolution_cell(row: dict[str, Any] | None) -> str:
    if row is None:
        return DASH
    width = f", width {_number(row['width'])}" if row["reason"] in _SHARED else ""
    if row["leader"]:
        first = row["leader"] == row["first"]
        share = row["pils"] if first else 1.0 - row["pils"]
        return f"{row['leader']} {share:.2f}{width}: {row['verdict']}"
    return f"{row['reason']}{width}: {row['verdict']}"


def whole_panel(result: PanelLeadership) -> Html:
    """What each series gives and takes, and the forecasts found."""
    names = ["Series", "Gives", "Takes", "Net", "Interval", "Stands still", "Rows"]
    still = dict(result.series.select("name", "standing_still").iter_rows())
    rows = [
        (
            r["name"],
            _number(r["to"]),
            _number(r["from"]),
            _number(r["net"], "+.2f"),
            _span(r["net_lower"], r["net_upper"]),
            _number(still[r["name"]]),
            f"{r['n_rows']:,}",
        )
        for r in result.spillovers.iter_rows(named=True)
    ]
    made = [table("Shares of forecast variance", columns(names, text=(0,)), rows)]
    found = result.granger.filter("found")
    links = [
        (
            f"{r['cause']} helps to forecast {r['effect']}",
            _number(r["statistic"], ".1f"),
            _p(r["q_value"]),
        )
        for r in found.iter_rows(named=True)
    ]
    if links:
        made.append(table("Forecasts", columns(["Edge", "F", "q"], text=(0,)), links))
    return join(made)


def columns(names: list[str], *, text: Container[int]) -> list[Column]:
    """Heads of a table, numeric but for the places in ``text``."""
    return [Column(name, numeric=i not in text) for i, name in enumerate(names)]


def _number(value: float | None, form: str = ".2f") -> str:
    return DASH if value is None or not math.isfinite(value) else f"{value:{form}}"


def _p(value: float | None) -> str:
    return DASH if value is None or not math.isfinite(value) else p_words(value)


def _span(lower: float | None, upper: float | None) -> str:
    if lower is None or upper is None:
        return DASH
    return "no end" if math.isinf(lower) and math.isinf(upper) else f"{lower:.2f} to {upper:.2f}"
