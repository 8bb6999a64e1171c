"""The leadership section's tables. A refused number is a dash and why, never a blank."""

from __future__ import annotations

import math

from eventtape.report.cells import DASH, number
from eventtape.report.html import Column, Html, badge, element, join, table
from eventtape.studies import DiffusionResult
from eventtape.studies.leadership_findings import between, measured_by, q_words, trend_caution
from eventtape.studies.leadership_rows import METHODS, Edge, Method, Placebo, Spillover
from eventtape.studies.words import chance, minutes

__all__ = ["frequency_tables", "martingale_table", "placebo_table", "spillover_table"]

TITLES: dict[Method, str] = {
    "lead-lag": "Lead and lag on the ticks as they came: seconds the follower is behind",
    "granger": "Prediction (Granger): whose past helps to forecast the other, and not back",
    "shared trend": "Shared trend, prices only: the leader's share",
    "speed": "Speed for the probability's lasting news: the market's less the probability's own",
}


def frequency_tables(result: DiffusionResult) -> Html:
    """One table a method: a row a pair, a column a step, the leader or why there is none."""
    return join(_by_step(result, method) for method in METHODS)


def _by_step(result: DiffusionResult, method: Method) -> Html:
    edges = [edge for edge in result.leadership.edges if edge.method == method]
    if not edges:
        return Html("")
    steps = list(dict.fromkeys(edge.step_s for edge in edges))
    cells: dict[tuple[str, str], dict[float, Edge]] = {}
    for edge in edges:
        first, second = edge.first, edge.second
        pair = (second, first) if (second, first) in cells else (first, second)
        row = cells.setdefault(pair, {})
        if edge.step_s not in row or edge.leader is not None:
            row[edge.step_s] = edge  # of the two orders of a pair, the one that names a leader
    columns = [Column("Pair", numeric=False)]
    columns += [Column(minutes(s) if s else "Ticks", numeric=False) for s in steps]
    columns += [Column("Least q", numeric=True)]
    rows = [
        (
            " · ".join(pair),
            *(_cell(row.get(step)) for step in steps),
            _least([e for e in edges if {e.first, e.second} == set(pair)], result),
        )
        for pair, row in cells.items()
    ]
    caution = trend_caution(result) if method == "shared trend" else ""
    made = table(TITLES[method], columns, rows)
    return join([made, element("p", caution, class_="warning")]) if caution else made


def _cell(edge: Edge | None) -> str:
    if edge is None:
        return element("span", f"{DASH} not asked", class_="why")
    if edge.leader is None:
        return element("span", f"{DASH} {edge.reason or edge.status}", class_="why")
    value, interval = measured_by(edge), between(edge)
    said = f" {value} ({interval})" if value and interval else ""
    return element("span", element("strong", edge.leader), said)


def _least(edges: list[Edge], result: DiffusionResult) -> str:
    known = [edge for edge in edges if math.isfinite(edge.q_value)]
    return q_words(min(known, key=lambda edge: edge.q_value), result) if known else DASH


def martingale_table(result: DiffusionResult) -> Html:
    """The contract as a fair game: variance ratios, their band, and the joint test."""
    columns = [
        Column("Contract", numeric=False),
        Column("Step"),
        Column("Over"),
        Column("Variance ratio"),
        Column(f"{result.config.level:.0%} band of a fair game"),
        Column("p value, joint"),
        Column("Drift a step"),
        Column("p value of no drift"),
        Column("Changes"),
        Column("Status", numeric=False),
    ]
    rows = [
        (
            row.source,
            minutes(row.step_s),
            minutes(horizon * row.step_s),
            number(row.ratios[k], ".2f", status=row.status),
            _band(row.null_lower[k], row.null_upper[k]),
            chance(row.p_value, result.config.n_draws),
            number(row.drift, "+.5f"),
            chance(row.drift_p, result.config.n_draws),
            f"{row.n_rows:,}",
            badge(row.status),
        )
        for row in result.leadership.martingales
        for k, horizon in enumerate(row.horizons)
    ]
    return table("Is the quoted probability a fair game?", columns, rows)


def _band(low: float, high: float) -> str:
    return f"{low:.2f} to {high:.2f}" if math.isfinite(low) and math.isfinite(high) else DASH


def spillover_table(result: DiffusionResult) -> Html:
    """Part of each feed's forecast variance that the others' shocks make, and their mean."""
    rows = [line for row in result.leadership.spillovers for line in _spillover(row)]
    columns = [
        Column("Feed", numeric=False),
        Column("Step"),
        Column("From the others"),
        Column("Most from", numeric=False),
        Column("Rows"),
        Column("Status", numeric=False),
    ]
    return table("Forecast variance that comes from the other feeds", columns, rows)


def _spillover(row: Spillover) -> list[tuple[str, ...]]:
    step, n_rows, mark = minutes(row.step_s), f"{row.n_rows:,}", badge(row.status)
    if not math.isfinite(row.total):
        why = element("span", f"{DASH} {row.reason or row.status}", class_="why")
        return [("All", step, why, DASH, n_rows, mark)]
    interval = _share_span(row.total_lower, row.total_upper)
    lines: list[tuple[str, ...]] = [
        ("All, mean", step, f"{row.total:.0%} {interval}", DASH, n_rows, mark)
    ]
    for i, label in enumerate(row.labels):
        others = [(float(row.table[i, j]), name) for j, name in enumerate(row.labels) if j != i]
        share, name = max(others)
        most = f"{name} {share:.0%}"
        taken = f"{sum(value for value, _ in others):.0%}"
        lines.append((label, step, taken, most, n_rows, mark))
    return lines


def _share_span(low: float, high: float) -> str:
    known = math.isfinite(low) and math.isfinite(high)
    return f"({low:.0%} to {high:.0%})" if known else "(no interval)"


def placebo_table(result: DiffusionResult) -> Html:
    """Runs on shuffled feeds in which each method named a leader."""
    if not result.leadership.placebos:
        return Html("")
    columns = [
        Column("Method", numeric=False),
        Column("Runs that named a leader"),
        Column("Runs"),
        Column("Asked in"),
        Column("Rate, 95% interval"),
        Column("Draws"),
    ]
    rows = [
        (
            row.method,
            f"{row.named}",
            f"{row.runs}",
            f"{row.asked}",
            _placebo_rate(row),
            f"{row.n_draws}",
        )
        for row in result.leadership.placebos
    ]
    return table("The same rules on shuffled feeds, where nobody leads", columns, rows)


def _placebo_rate(row: Placebo) -> str:
    if not row.asked:
        return element("span", f"{DASH} not asked", class_="why")
    return f"{row.named / row.asked:.1%} ({row.rate_low:.1%} to {row.rate_high:.1%})"
