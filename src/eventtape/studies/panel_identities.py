r"""Pairs whose relation is known beforehand: one security at two venues, one contract and its like.

Quotes of one security (funds on one index, listings of one share) keep log x_i - log x_j within a
band by identity; so do p of a contract and 1 - q of its complement. The relation (1, -1) is then
imposed, not estimated, with a constant for a price ratio. A wrong identity would make a leader of
two prices that have nothing in common, so it is checked: refused where Johansen's test finds no
relation or the likelihood ratio rejects (1, -1), both at the false-discovery rate. Two share
classes have no identity: there (1, -1) must not be rejected at one minus the level either.

With the relation imposed there is one permanent shock, each price's long-run response is 1, and
speed is the response at once (:mod:`eventtape.estimators.discovery.panel_speeds`). The leader is
the faster, where the interval of the difference leaves 0, false-discovery adjusted over the pairs
asked, by more than prices standing still would make. Shares are for comparison; bounds wider than
one half refuse the pair.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from scipy.special import ndtr

from eventtape.arrays import Status
from eventtape.estimators.discovery.false_discovery import adjusted
from eventtape.estimators.discovery.information_share import shares
from eventtape.estimators.discovery.panel_speeds import panel_speeds
from eventtape.estimators.discovery.refusals import Reason, status_of
from eventtape.estimators.discovery.relation_tests import beta_test
from eventtape.estimators.discovery.vecm import vecm_from_moments
from eventtape.frames.discovery import pair_table
from eventtape.frames.price_panel import PricePanel, tidy
from eventtape.studies.panel_leadership_rows import COMPLEMENT, LeadershipConfig

__all__ = ["APART", "REJECTED", "identity_table"]

APART = "the two drift apart: is it one security?"
REJECTED = "relation (1, -1) rejected"
_ONE = np.array([[1.0], [-1.0]])
_WIDEST = 0.5
_NUMBERS = (
    "speed_first",
    "speed_second",
    "difference",
    "lower",
    "upper",
    "p_value",
    "q_value",
    "pils",
    "is_first",
    "is_last",
    "component",
    "pds",
)


class _Pair(NamedTuple):
    kind: str
    panel: PricePanel  # of two series, in levels in which the relation is (1, -1)


def identity_table(panel: PricePanel, config: LeadershipConfig) -> pl.DataFrame:
    """One row a pair of one security: who is faster, by how much, with interval or reason.

    ``kind, first, second, leader, speed_first, speed_second, difference`` (second less first) with
    ``lower, upper, p_value, q_value``; ``pils, is_first, is_last, component, pds`` of the first;
    ``p_none`` of no relation and ``p_relation`` of (1, -1) where there is one; ``n_rows, status,
    reason``. Empty where no identity was named.
    """
    rows = [_row(pair, config) for pair in _pairs(panel, config)]
    if not rows:
        return pl.DataFrame()
    made = np.array([np.nan if row["reason"] else row["p_value"] for row in rows])
    for row, q in zip(rows, adjusted(made), strict=True):
        row["q_value"] = q
        band = row.pop("band")
        if row["reason"]:
            row.update(dict.fromkeys(_NUMBERS, np.nan))
        elif q <= 1.0 - config.level and row["lower"] > max(band, 0.0):
            row["leader"] = row["second"]
        elif q <= 1.0 - config.level and row["upper"] < min(band, 0.0):
            row["leader"] = row["first"]
        else:
            row.update(reason=str(Reason.EQUAL), status=str(status_of(Reason.EQUAL)))
    return tidy({name: [row[name] for row in rows] for name in rows[0]})


def _pairs(panel: PricePanel, config: LeadershipConfig) -> Iterator[_Pair]:
    for kind, groups in (("same security", config.same), ("share classes", config.classes)):
        for group in groups:
            for pair in itertools.combinations(group, 2):
                yield _Pair(kind, panel.take(pair))
    for group in config.contracts:
        for pair in itertools.combinations(group, 2):
            p = [_contract(panel, name) for name in pair]
            yield _Pair(
                "one contract", panel._replace(names=tuple(pair), levels=np.column_stack(p))
            )


def _contract(panel: PricePanel, name: str) -> Any:
    """The contract's price, or one minus it for a complement."""
    p = ndtr(panel.column(name.removeprefix(COMPLEMENT)))
    return 1.0 - p if name.startswith(COMPLEMENT) else p


def _row(pair: _Pair, config: LeadershipConfig) -> dict[str, Any]:
    panel = pair.panel
    state = panel.moments(config.lags)
    fit = vecm_from_moments(state, beta=_ONE)
    part = shares(fit.psi[0], fit.omega) if np.isfinite(fit.psi).all() else None
    x, _ = panel.broken()
    found = panel_speeds(
        x[:, 1:],
        x[:, :1],
        config.lags,
        beta=np.array([-1.0, 1.0]),
        level=config.level,
        n_draws=config.n_draws,
        seed=config.seed,
    )
    tests = pair_table(
        panel, lags=config.pair_lags, n_draws=config.n_draws, level=config.level, seed=config.seed
    )
    p_none = tests["p_none"][0]
    p_relation = beta_test(state, _ONE).p_value
    reason = str(found.reasons[0, 0])
    if not reason and part is None:
        reason = str(fit.reason or Reason.NO_RESPONSE)
    classes = pair.kind == "share classes"
    if not reason and p_none is None:
        reason = str(tests["reason"][0] or Reason.RANK_0)
    elif not reason and not p_none <= config.false_discovery:
        reason = str(Reason.RANK_0) if classes else APART
    elif not reason:
        least = 1.0 - config.level if classes else config.false_discovery
        reason = "" if p_relation > least else REJECTED
    if not reason and part is not None and not part.width.max() <= _WIDEST:
        reason = str(Reason.WIDE)
    moving = 1.0 - np.nanmean(np.where(np.isnan(d := np.diff(x, axis=0)), np.nan, d == 0.0), axis=0)
    own = float(found.factor_speed[0, 0])
    status = Status.OK
    if reason:
        named = reason not in {APART, REJECTED}
        status = status_of(Reason(reason)) if named else Status.NOT_IDENTIFIED
    first, second = panel.names
    return {
        "kind": pair.kind,
        "first": first,
        "second": second,
        "leader": None,
        "speed_first": own,
        "speed_second": float(found.speed[0, 0]),
        "difference": float(found.lead[0, 0]),
        "lower": float(found.lead_lower[0, 0]),
        "upper": float(found.lead_upper[0, 0]),
        "p_value": float(found.lead_p[0, 0]),
        "q_value": np.nan,
        "pils": np.nan if part is None else float(part.pils[0]),
        "is_first": np.nan if part is None else float(part.is_first[0]),
        "is_last": np.nan if part is None else float(part.is_last[0]),
        "component": np.nan if part is None else float(part.component[0]),
        "pds": np.nan if part is None else float(part.pds[0]),
        "p_none": p_none,
        "p_relation": p_relation,
        "n_rows": int(found.n_rows[0]),
        "status": str(status),
        "reason": reason,
        "band": (moving[1] / moving[0] - 1.0) * own if moving[0] > 0.0 else 0.0,
    }
