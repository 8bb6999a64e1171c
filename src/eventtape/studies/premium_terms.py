"""From what a user has to term structures: a table of volatilities, or chains of options.

A table's rows of one label and time are a term structure. A chain gives the volatility of its
fitted smile at the forward (:mod:`.densities`), with that fit's error; a chain without one, or a
second chain that expires at the same moment, is left out with its reason.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import polars as pl

from eventtape.arrays import Status
from eventtape.errors import InputError
from eventtape.estimators.premium.term_structure import IV_ERROR, TermStructure, term_structure
from eventtape.studies.densities import run as densities
from eventtape.studies.densities_rows import ChainDensity, DensitiesConfig
from eventtape.studies.premium_rows import MarketTerms, RefusedExpiry
from eventtape.tape.chains import Chain

__all__ = ["chosen", "terms_of_chains", "terms_of_table"]

Progress = Callable[[str, int, int | None], None]
_TIME = pl.Datetime("ns", "UTC")
_SECOND_CHAIN = "another chain of this market expires then, and its error is smaller"


def terms_of_table(frame: pl.DataFrame) -> tuple[MarketTerms, ...]:
    """Markets in order of label, from a frame of ``ts, label, expiry, iv, error``.

    As :func:`eventtape.sources.term_tables.read_term_table` gives it, in any order; an error that
    is null counts as :data:`~eventtape.estimators.premium.term_structure.IV_ERROR`. A second row
    of an expiry, or a volatility in percent, is refused with the label and time named.
    """
    for name in ("ts", "label", "expiry", "iv", "error"):
        if name not in frame.columns:
            met = ", ".join(frame.columns)
            raise InputError("a column ts, label, expiry, iv and error", met=met, column=name)
    if frame.is_empty():
        raise InputError("at least one volatility", met="no rows")
    ordered = frame.select("ts", "label", "expiry", "iv", "error").sort("label", "ts", "expiry")
    out = []
    for (label,), rows in ordered.group_by("label", maintain_order=True):
        terms = [
            _term(str(label), snapshot) for _, snapshot in rows.group_by("ts", maintain_order=True)
        ]
        out.append(MarketTerms(str(label), tuple(terms)))
    return tuple(out)


def terms_of_chains(
    snapshots: Iterable[Sequence[Chain]],
    config: DensitiesConfig | None = None,
    *,
    progress: Progress | None = None,
) -> tuple[MarketTerms, ...]:
    """Markets in order of name, from the chains of each moment, moments rising.

    ``config`` is of the densities: rate, exercise.
    """
    terms: dict[str, list[TermStructure]] = {}
    refused: dict[str, list[RefusedExpiry]] = {}
    several = list(snapshots)
    for done, chains in enumerate(several):
        if progress is not None:
            progress("volatilities", done, len(several))
        found = densities(chains, config)
        for name in sorted({row.underlying for row in found.chains}):
            rows = [row for row in found.chains if row.underlying == name]
            kept, left = chosen(rows)
            refused.setdefault(name, []).extend(left)
            if kept:
                terms.setdefault(name, []).append(_term_of(name, kept))
    return tuple(
        MarketTerms(name, tuple(terms.get(name, ())), tuple(refused[name]))
        for name in sorted(refused)
    )


def chosen(rows: Sequence[ChainDensity]) -> tuple[list[ChainDensity], list[RefusedExpiry]]:
    """Of the chains of one market and moment one an expiry, rising, and those left out."""
    kept: dict[int, ChainDensity] = {}
    left = []
    for row in rows:
        if not (row.atm_vol > 0.0 and math.isfinite(row.atm_vol_error)):
            status = Status.NOT_RESOLVED if row.status is Status.OK else row.status
            reason = row.reason or "no volatility at the forward"
            left.append(RefusedExpiry(row.at_ns, row.expiry_ns, status, reason))
            continue
        other = kept.get(row.expiry_ns)
        if other is None or row.atm_vol_error < other.atm_vol_error:
            kept[row.expiry_ns] = row
        if other is not None:
            status = Status.NOT_IDENTIFIED
            left.append(RefusedExpiry(row.at_ns, row.expiry_ns, status, _SECOND_CHAIN))
    return [kept[expiry] for expiry in sorted(kept)], left


def _term_of(name: str, rows: Sequence[ChainDensity]) -> TermStructure:
    return term_structure(
        rows[0].at_ns,
        np.array([row.expiry_ns for row in rows], np.int64),
        np.array([row.atm_vol for row in rows]),
        np.array([row.atm_vol_error for row in rows]),
        label=name,
    )


def _term(label: str, rows: pl.DataFrame) -> TermStructure:
    at_ns = int(rows["ts"].cast(_TIME).to_physical()[0])
    try:
        return term_structure(
            at_ns,
            rows["expiry"].cast(_TIME).to_physical().to_numpy(),
            rows["iv"].to_numpy(),
            rows["error"].cast(pl.Float64).fill_null(IV_ERROR).to_numpy(),
            label=label,
        )
    except InputError as error:
        error.add_note(f"Market {label or 'without a label'}, {rows['ts'][0]}")
        raise
