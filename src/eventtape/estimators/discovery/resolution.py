r"""Is the clock fine enough for the claim? The same pairs at one step, five and sixty.

A lead shorter than the step is not gone but hidden in the residuals: they grow correlated, the
information share first and last in order part, and PILS goes to one half. With a lead of half a
second and noise as large as the trend's second, the bounds are .50 to .90 at 1 s and .01 to .99 at
60 s, and PILS .69 and .50. A leader that a fine step names and a coarse one cannot is therefore not
refuted by the coarse one; and where only a coarse one was looked at, nothing was learned.

Each step takes every ``multiple``-th row of each session, and is judged by
:func:`~.pairs.pair_discovery` on its own. The steps share their data: they are not independent
evidence.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

import numpy as np

from eventtape.arrays import FloatArray, IntArray
from eventtape.errors import InputError
from eventtape.estimators.discovery.pair_rows import checked_panel
from eventtape.estimators.discovery.pairs import Pairs, pair_discovery
from eventtape.estimators.discovery.refusals import Reason

__all__ = ["Resolution", "Verdict", "resolution"]


class Verdict(StrEnum):
    """What one step says of a pair's leader, beside the finest step that names one."""

    NAMED = "leader named"
    TOO_COARSE = "too coarse for the claim"
    DISAGREES = "another leader than at a finer step"
    REFUSED = "refused for another reason"
    NO_CLAIM = "no leader named at this or a finer step"


class Resolution(NamedTuple):
    """Each pair i < j at each step, ``(n_steps, m)``, shares being those of the first.

    ``pils`` and its interval are NaN where the step's ``reason`` withholds them.
    """

    step_s: FloatArray  # (n_steps,) rising
    n_rows: IntArray  # (n_steps,) rows of the model
    first: IntArray  # (m,) column
    second: IntArray  # (m,)
    width: FloatArray  # of the information share bounds
    correlation: FloatArray  # of the residuals
    pils: FloatArray
    pils_lower: FloatArray
    pils_upper: FloatArray
    leader: IntArray  # column, -1 where none is named
    reason: list[list[Reason]]
    verdict: list[list[Verdict]]
    holds_to_s: FloatArray  # (m,) coarsest step up to which each step names the same; NaN: none


def resolution(
    log_prices: FloatArray,
    step_s: float,
    multiples: Sequence[int] = (1, 5, 60),
    lags: int | None = None,
    *,
    sessions: IntArray | None = None,
    pairs: IntArray | None = None,
    level: float = 0.95,
    false_discovery: float = 0.01,
    n_draws: int = 999,
    seed: int = 0,
    rows_per_regressor: float = 10.0,
) -> Resolution:
    """Every pair of log prices ``(T, n)`` at each multiple of ``step_s`` seconds, with a verdict.

    ``multiples`` rise. The rest is as in :func:`~.pairs.pair_discovery`; lags that are not given
    are chosen at each step. A step with fewer than three rows left is an error.
    """
    if not 0.0 < step_s < np.inf:
        raise InputError("a step of more than 0 seconds", met=step_s)
    steps = np.asarray(multiples)
    if steps.ndim != 1 or not steps.size or steps.dtype.kind not in "iu" or steps[0] < 1:
        raise InputError("whole multiples of at least 1", met=list(multiples))
    if np.any(np.diff(steps) <= 0):
        raise InputError("multiples that rise", met=list(multiples))
    x, _ = checked_panel(log_prices, sessions)
    label = np.zeros(x.shape[0], np.int64) if sessions is None else np.asarray(sessions)
    within = _since_start(label)
    found = []
    for multiple in steps.tolist():
        kept = within % multiple == 0
        one = pair_discovery(
            x[kept],
            lags,
            sessions=label[kept],
            pairs=pairs,
            level=level,
            false_discovery=false_discovery,
            n_draws=n_draws,
            seed=seed,
            rows_per_regressor=rows_per_regressor,
        )
        found.append(one)
    return _report(step_s * steps.astype(np.float64), found)


def _since_start(label: IntArray) -> IntArray:
    """Rows since the session began."""
    at = np.arange(label.size)
    begins = np.concatenate([[True], label[1:] != label[:-1]])
    return at - np.maximum.accumulate(np.where(begins, at, 0))


def _report(step_s: FloatArray, found: list[Pairs]) -> Resolution:
    leader = np.stack([one.leader for one in found])
    reason = [one.reason for one in found]
    m = leader.shape[1]
    verdict = [[Verdict.NO_CLAIM] * m for _ in found]
    holds = np.full(m, np.nan)
    for p in range(m):
        claim, holding = -1, True
        for s in range(len(found)):
            said = _verdict(int(leader[s, p]), claim, reason[s][p])
            verdict[s][p] = said
            claim = int(leader[s, p]) if claim < 0 else claim
            holding = holding and (said is Verdict.NAMED or claim < 0)
            if holding and claim >= 0:
                holds[p] = step_s[s]
    return Resolution(
        step_s,
        np.array([one.n_rows for one in found]),
        found[0].first,
        found[0].second,
        np.stack([one.width for one in found]),
        np.stack([one.correlation for one in found]),
        np.stack([one.pils for one in found]),
        np.stack([one.pils_lower for one in found]),
        np.stack([one.pils_upper for one in found]),
        leader,
        reason,
        verdict,
        holds,
    )


def _verdict(leader: int, claim: int, reason: Reason) -> Verdict:
    """``claim`` is the leader of the finest step that named one, -1 before there is one."""
    if leader >= 0:
        return Verdict.NAMED if claim in {-1, leader} else Verdict.DISAGREES
    if claim < 0:
        return Verdict.NO_CLAIM
    return Verdict.TOO_COARSE if reason in {Reason.WIDE, Reason.EQUAL} else Verdict.REFUSED
