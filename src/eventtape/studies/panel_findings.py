"""What the panel study found: sentences with a status, and the whole as plain data.

The contract is stable: keys are added, never renamed or removed. Numbers or null, never NaN and
never infinity: an interval without end has null for that end. Times are ISO 8601 UTC.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import polars as pl

from eventtape.arrays import Status
from eventtape.clock import format_ns
from eventtape.frames.price_steps import MOST_OFF_STEP
from eventtape.studies.findings import Finding
from eventtape.studies.panel_leadership_rows import PanelLeadership
from eventtape.tape.records import HALF_TICK

__all__ = [
    "CONTRACT_VERSION",
    "contract",
    "findings",
    "p_words",
    "placebo_sentence",
    "reasons",
    "sessions_words",
]

CONTRACT_VERSION = 1
RANK_FLOOR = 1.0 / 200.0  # rank_table counts 199 draws
_MOST = 6


def findings(result: PanelLeadership) -> tuple[Finding, ...]:
    """The study's sentences: pairs, identities, speeds, groups, the panel, and the placebo."""
    out = [*_input(result), *_pairs(result), *_identities(result), *_speeds(result)]
    out += [*_groups(result), *_rank(result), *_links(result)]
    if result.placebo.height:
        asked = bool((result.placebo["asked"] > 0).all())
        out.append(Finding(placebo_sentence(result), Status.OK if asked else Status.TOO_FEW))
    return tuple(out)


def p_words(value: float, floor: float = 0.0) -> str:
    """A p-value or q-value in words a reader can trust: no further than three decimals.

    ``floor`` is the least that a count of draws can show.

    >>> p_words(0.0312), p_words(1e-76), p_words(0.005, floor=0.005)
    ('0.031', '< 0.001', '<= 0.005')
    """
    if 0.0 < value <= floor * (1.0 + 1e-9):
        return f"<= {floor:.3g}"
    return "< 0.001" if value < 0.001 else f"{value:.3f}"  # noqa: PLR2004


def reasons(table: pl.DataFrame) -> list[tuple[str, int]]:
    """Why rows of a table are refused and how many each, most frequent first."""
    refused = table.filter(pl.col("reason") != "")
    if refused.is_empty():
        return []
    counted = refused.group_by("reason").len().sort("len", "reason", descending=[True, False])
    return [(str(why), int(n)) for why, n in counted.iter_rows()]


def placebo_sentence(result: PanelLeadership, methods: tuple[str, ...] = ()) -> str:
    """How often the same rules, or some, name anybody on columns shuffled in time by themselves.

    Of the runs in which a rule could answer at all; where it never could, that is said.
    """
    parts = [
        f"{row['method']} in {row['named']} of {row['asked']} runs "
        f"({row['rate_low']:.0%} to {row['rate_high']:.0%})"
        if row["asked"]
        else f"{row['method']} not asked (the rule could answer in none of {row['runs']} runs)"
        for row in result.placebo.iter_rows(named=True)
        if row["method"] in methods or not methods
    ]
    return (
        "Placebo: on the same columns, each shuffled in time in blocks by itself so that nobody "
        f"can lead, the same rules named a leader by {'; '.join(parts)}."
    )


def sessions_words(result: PanelLeadership) -> str:
    """``1 session``, ``6 sessions``."""
    return f"{result.sessions} session{'' if result.sessions == 1 else 's'}"


def contract(result: PanelLeadership) -> dict[str, Any]:
    """The result as JSON-ready data (see docs: leadership)."""
    empty = [name for name, value in vars(result).items() if isinstance(value, pl.DataFrame)]
    return {
        "contract": CONTRACT_VERSION,
        "study": "leadership",
        "simulated": result.simulated,
        "data": result.data,
        "truth": result.truth or None,
        "left_out": list(result.left_out),
        "sparse": list(result.sparse),
        "missing_rows": result.missing_rows,
        "off_step": result.off_step,
        "at_ends": dict(result.at_ends),
        "from": format_ns(result.from_ns),
        "to": format_ns(result.to_ns),
        "step_s": result.step_s,
        "sessions": result.sessions,
        "config": _plain(dataclasses.asdict(result.config)),
        **{name: [] for name in empty},
        **{name: [_plain(row) for row in t.to_dicts()] for name, t in result.tables().items()},
        "findings": [{"text": f.text, "status": str(f.status)} for f in findings(result)],
    }


def _input(result: PanelLeadership) -> list[Finding]:
    """What the columns themselves give cause to ask."""
    out = []
    unit = result.series.filter((pl.col("kind") == "price") & (pl.col("highest") < 1.0))
    if unit.height:
        text = (
            f"Taken as prices though wholly between 0 and 1: {', '.join(unit['name'])}. If these "
            "are probabilities, say so (probability or contract): they share no trend with prices."
        )
        out.append(Finding(text, Status.NOT_RESOLVED))
    if result.left_out:
        text = (
            f"{', '.join(result.left_out)} never moves: left out of the tests of the whole panel."
        )
        out.append(Finding(text, Status.TOO_FEW))
    if result.sparse:
        text = (
            f"{', '.join(result.sparse)}: too many holes; left out of the pairs and the tests of "
            "the whole panel, where a row with any hole is lost to all. Ask again without the "
            "others, or at a longer step."
        )
        out.append(Finding(text, Status.TOO_FEW))
    if result.pairs.height and result.granger.is_empty():
        text = "Tests of the whole panel are not asked: too few prices that move in rows all have."
        out.append(Finding(text, Status.TOO_FEW))
    if result.missing_rows:
        text = (
            f"{result.missing_rows:,} rows of the usual step of {result.step_s:g} s are missing "
            "inside sessions: read as holes."
        )
        out.append(Finding(text, Status.OK))
    if result.off_step > 0.0:
        text = f"{result.off_step:.1%} of the rows are off the usual step"
        if result.off_step > MOST_OFF_STEP:
            text += ": rows count as they came, and coarser sampling is not asked (resolution)"
        status = Status.NOT_IDENTIFIED if result.off_step > MOST_OFF_STEP else Status.OK
        out.append(Finding(f"{text}.", status))
    for name, count in result.at_ends:
        text = f"{name} is within {HALF_TICK} of 0 or 1 in {count:,} rows: read as holes, since a "
        out.append(Finding(f"{text}probit does not exist there.", Status.OK))
    return out


def _pairs(result: PanelLeadership) -> list[Finding]:
    if result.pairs.is_empty():
        return []
    named = result.pairs.filter(pl.col("leader").is_not_null())
    n = result.pairs.height
    if named.is_empty():
        text = f"No leader in any of {n} pairs of prices: {_why(result.pairs)}."
        counted = result.pairs.group_by("status").len()
        usual = counted.sort("len", "status", descending=[True, False])["status"][0]
        return [Finding(text, Status(usual))]
    told = []
    for row in named.head(_MOST).iter_rows(named=True):
        first = row["leader"] == row["first"]
        pils = (row["pils"], row["pils_lower"], row["pils_upper"])
        share, low, high = pils if first else (1 - pils[0], 1 - pils[2], 1 - pils[1])
        other = row["second"] if first else row["first"]
        told.append(f"{row['leader']} leads {other} (PILS {share:.2f}, {low:.2f} to {high:.2f})")
    more = f" and {named.height - _MOST} more" if named.height > _MOST else ""
    rest = f"; the other pairs: {_why(result.pairs)}" if named.height < n else ""
    return [Finding(f"Of {n} pairs: {'; '.join(told)}{more}{rest}.", Status.OK)]


def _identities(result: PanelLeadership) -> list[Finding]:
    out = []
    for row in result.identities.iter_rows(named=True):
        pair = f"{row['kind'].capitalize()}, {row['first']} and {row['second']}"
        if row["difference"] is None:
            text = f"{pair}: no leader, {row['reason']}."
        else:
            who = f"{row['leader']} leads" if row["leader"] else "no leader"
            text = (
                f"{pair}: {who}; speeds {row['speed_first']:.2f} and {row['speed_second']:.2f}, "
                f"second less first {row['difference']:+.2f} ({_span(row['lower'], row['upper'])})."
            )
        out.append(Finding(text, Status(row["status"])))
    return out


def _speeds(result: PanelLeadership) -> list[Finding]:
    out = []
    for factor in dict.fromkeys(result.speeds["factor"] if result.speeds.height else []):
        rows = result.speeds.filter(factor=factor)
        ahead = rows.filter(pl.col("leader").is_not_null() & (pl.col("leader") != factor))
        behind = rows.filter(leader=factor)
        parts = []
        for table, word in ((ahead, "before"), (behind, "after")):
            if table.height:
                named = [
                    f"{r['name']} {r['lead']:+.2f} ({_span(r['lead_lower'], r['lead_upper'])})"
                    for r in table.head(_MOST).iter_rows(named=True)
                ]
                more = f" and {table.height - _MOST} more" if table.height > _MOST else ""
                parts.append(f"{word} it move {', '.join(named)}{more}")
        n = rows.height
        answered = rows.filter(pl.col("speed").is_not_null()).height
        text = f"Permanent shocks of {factor}: {answered} of {n} respond; "
        text += ("; ".join(parts) if parts else "none can be told to move before or after it") + "."
        status = Status.OK if parts else Status.NOT_RESOLVED
        out.append(Finding(text, status if answered else Status.NOT_IDENTIFIED))
    return out


def _groups(result: PanelLeadership) -> list[Finding]:
    out = []
    tables = (("regime", result.group_differences), ("group", result.regime_differences))
    for held, table in tables:
        if table.is_empty():
            continue
        found = table.filter("found")
        told = [
            f"{r['first']} less {r['second']} ({r[held]}, {r['factor']}) {r['difference']:+.2f} "
            f"({_span(r['lower'], r['upper'])})"
            for r in found.head(_MOST).iter_rows(named=True)
        ]
        what = "groups" if held == "regime" else "regimes"
        made = table.filter(pl.col("p_value").is_not_null()).height
        text = f"Speeds of {what}: {found.height} of {made} differences told apart"
        text += f": {'; '.join(told)}." if told else "."
        status = Status.OK if told else Status.NOT_RESOLVED
        out.append(Finding(text, status if made else Status.NOT_IDENTIFIED))
    return out


def _rank(result: PanelLeadership) -> list[Finding]:
    if result.rank.is_empty():
        return []
    row = result.rank.row(0, named=True)
    n = row["series"]
    if row["p_value"] is None:
        text = f"Whether the {n} prices share any stationary combination: {row['reason']}."
    else:
        verdict = "some" if row["cointegrated"] else "no"
        text = f"The {n} prices share {verdict} stationary combination that a test of all at once "
        words = p_words(row["p_value"], floor=RANK_FLOOR)
        text += f"can find (p {words if words.startswith('<') else f'= {words}'})."
    return [Finding(text, Status(row["status"]))]


def _links(result: PanelLeadership) -> list[Finding]:
    out = []
    if result.granger.height:
        made = result.granger.filter(pl.col("p_value").is_not_null()).height
        found = result.granger.filter("found").height
        why = "" if made else f" ({result.granger['reason'][0]})"
        text = f"Past returns of one help to forecast another in {found} of {made} ordered pairs"
        status = Status.OK if made else Status(result.granger["status"][0])
        out.append(Finding(f"{text}{why}.", status))
    if result.spillovers.height:
        row = result.spillovers.row(0, named=True)
        if row["total_corrected"] is None:
            text = f"Spillovers: {row['reason']}."
        else:
            text = (
                f"Of each series' forecast variance {row['total_corrected']:.0%} comes from the "
                f"others on average ({row['total_lower']:.0%} to {row['total_upper']:.0%}); moving "
                "together at one instant counts, so this is no lead."
            )
        out.append(Finding(text, Status(row["status"])))
    return out


def _why(table: pl.DataFrame) -> str:
    return ", ".join(f"{n} {why}" for why, n in reasons(table)) or "none refused"


def _span(lower: float, upper: float) -> str:
    return f"{lower:+.2f} to {upper:+.2f}"


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    return {k: _number(v) if isinstance(v, float) else v for k, v in row.items()}


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
