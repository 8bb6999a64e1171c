r"""Do funds move before single names, and is that so when the odds are high as when they are low?

A group's speed for a factor is the slope through the origin of its members' impact on their
long-run response,

    speed_G = sum_i B_i D0_i / sum_i B_i^2        (i in G),

so that a member without response weighs nothing and no member's own ratio is taken. Both sums hold
estimation error times itself, which leans the slope towards that of the errors; the bootstrap's
covariances are taken out,

    N = sum_i (B_i D0_i - cov(B_i, D0_i)),    M = sum_i (B_i^2 - var B_i),    speed_G = N / M.

The lead of a group over the factor replaces D0_i by D0_i - D0_kk B_i; its p-value asks also that
who is behind be late by itself, as a factor that bounces is not led (:mod:`.panel_speeds`).

A regime is a set of rows: a row counts for the regime of its own time, whatever the regime of its
lags. Weights are common to members, groups and regimes, so differences between any two have Fieller
intervals and p-values (:mod:`.ratio_interval`), the latter adjusted over all differences made
(Benjamini and Hochberg 1995). Intervals of groups that respond weakly hold the truth more often
than they say (B of .3 of its own walk: 97 to 99% of runs at 195 rows a regime, 96 to 97% at 585):
in them a product of two errors counts, and draws put twice its variance in.

Refused: a regime with too few rows or under 20 blocks; a group whose sum of B_i^2 is not above what
errors alone reach (the draws' sum (B*_i - B_i)^2: what a single B of two standard errors exceeds,
and at 5% among all groups and regimes); single members for what :mod:`.panel_speeds` refuses them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from eventtape.arrays import FloatArray, IntArray
from eventtape.errors import InputError
from eventtape.estimators.discovery.factor_system import (
    PanelDraws,
    block_weights,
    default_block,
    panel_draws,
)
from eventtape.estimators.discovery.false_discovery import adjusted
from eventtape.estimators.discovery.panel_speeds import RESPONSE_RATE, check_panel, joint_p
from eventtape.estimators.discovery.ratio_interval import (
    Differences,
    differences,
    effective_freedom,
    ratio_interval,
)
from eventtape.estimators.discovery.refusals import Reason, status_of

__all__ = ["GroupSpeeds", "group_speeds"]

_TWO_SE = 0.04550026389635839  # of a normal beyond two standard deviations


class GroupSpeeds(NamedTuple):
    """Speeds by group, regime and factor, ``(n_groups, n_regimes, K)`` unless said."""

    groups: tuple[object, ...]
    regimes: tuple[object, ...]
    speed: FloatArray
    lower: FloatArray
    upper: FloatArray
    lead: FloatArray  # over the factor's own speed: positive, the group leads
    lead_lower: FloatArray
    lead_upper: FloatArray
    lead_p: FloatArray  # no lead, or who is behind not late by itself
    n_members: IntArray  # (n_groups, n_regimes) not refused
    n_rows: IntArray  # (n_groups, n_regimes), least over the members kept
    between_groups: Differences  # (n_groups, n_groups, n_regimes, K), first less second
    between_regimes: Differences  # (n_regimes, n_regimes, n_groups, K)
    reasons: NDArray[np.object_]
    statuses: NDArray[np.object_]


class _Sums(NamedTuple):
    over: FloatArray  # (1 + n_draws, K) N
    under: FloatArray  # M
    ahead: FloatArray  # N of the lead
    moves: FloatArray  # (n_blocks, K) of the speed without each block
    lead_moves: FloatArray
    freedom: float  # at most
    silent: FloatArray  # p-value of no response, (K,)
    n_members: int
    reason: Reason


def group_speeds(
    log_prices: FloatArray,
    factors: FloatArray,
    groups: ArrayLike,
    regimes: ArrayLike | None = None,
    lags: int = 1,
    *,
    level: float = 0.95,
    n_draws: int = 999,
    block: int | None = None,
    seed: int = 0,
    rows_per_regressor: float = 10.0,
) -> GroupSpeeds:
    """Speed of each group of assets in each regime, its lead, and all differences.

    ``groups`` ``(n,)`` and ``regimes`` ``(T,)`` are labels that sort; None (or NaN, or an empty
    text) leaves an asset or a row out. Other arguments as in :func:`.panel_speeds.panel_speeds`.
    """
    y, g = check_panel(log_prices, factors, lags, level, n_draws)
    T, K = y.shape[0], g.shape[1]
    names, member = _labels(groups, y.shape[1], "groups")
    eras, era = _labels(np.full(T, "all") if regimes is None else regimes, T, "regimes")
    block = default_block(T) if block is None else block
    if block < 1:
        raise InputError("a block of at least 1 row", met=block)
    weights = block_weights(T, block, n_draws, seed)
    beta = np.zeros((y.shape[1], K + 1, 0))
    shape = (len(names), len(eras), K)
    N, M, ahead = (np.full((1 + n_draws, *shape), np.nan) for _ in range(3))
    moves, lead_moves = (np.full((weights.shape[1], *shape), np.nan) for _ in range(2))
    most = np.ones((*shape[:2], 1))
    n_members, n_rows = np.zeros(shape[:2], np.int64), np.zeros(shape[:2], np.int64)
    reasons, silent = np.empty(shape, np.object_), np.full(shape, np.nan)
    for r in range(len(eras)):
        draws, systems = panel_draws(y, g, lags, beta, era == r, weights, block, rows_per_regressor)
        counts = np.array([s.n_rows for s in systems], np.int64)
        for a in range(len(names)):
            kept = np.flatnonzero(member == a)
            sums = _group(draws, kept)
            N[:, a, r], M[:, a, r], ahead[:, a, r] = sums.over, sums.under, sums.ahead
            moves[:, a, r], lead_moves[:, a, r] = sums.moves, sums.lead_moves
            most[a, r], n_members[a, r], silent[a, r] = sums.freedom, sums.n_members, sums.silent
            reasons[a, r] = [sums.reason] * K
            good = [i for i in kept if draws.reasons[i] is Reason.NONE]
            n_rows[a, r] = counts[good or kept].min()
    still = ~((silent <= _TWO_SE) & (adjusted(silent) <= RESPONSE_RATE))
    reasons[still & (reasons == Reason.NONE)] = Reason.NO_RESPONSE
    M = np.where(still, np.nan, M)
    freedom, lead_freedom = (effective_freedom(u, most, n_draws) for u in (moves, lead_moves))
    speed = ratio_interval(N[0], M[0], N[1:], M[1:], freedom, level)
    lead = ratio_interval(ahead[0], M[0], ahead[1:], M[1:], lead_freedom, level)
    late_N, own_N = N - M, N - ahead - M
    late = ratio_interval(late_N[0], M[0], late_N[1:], M[1:], freedom, level)
    own_freedom = effective_freedom(moves - lead_moves, most, n_draws)
    factor_late = ratio_interval(own_N[0], M[0], own_N[1:], M[1:], own_freedom, level)
    eras_N, eras_M, eras_moves = (np.swapaxes(x, 1, 2) for x in (N, M, moves))
    return GroupSpeeds(
        names,
        eras,
        speed.ratio,
        speed.lower,
        speed.upper,
        lead.ratio,
        lead.lower,
        lead.upper,
        joint_p(lead, late, factor_late),
        n_members,
        n_rows,
        differences(N, M, moves, most, level),
        differences(eras_N, eras_M, eras_moves, np.swapaxes(most, 0, 1), level),
        reasons,
        np.vectorize(status_of, otypes=[object])(reasons),
    )


def _group(draws: PanelDraws, members: IntArray) -> _Sums:
    """N and M of one group in one regime; NaN where no member is left."""
    n_all, K = draws.impact.shape[0], draws.impact.shape[2]
    kept = [int(i) for i in members if draws.reasons[i] is Reason.NONE]
    if not kept:
        blank, reason = np.full((n_all, K), np.nan), draws.reasons[int(members[0])]
        still = np.full((draws.without.impact.shape[0], K), np.nan)
        return _Sums(blank, blank, blank, still, still, 1.0, np.full(K, np.nan), 0, reason)
    D, B, own = (x[:, kept] for x in (draws.impact, draws.long_run, draws.own))
    errors = np.sum((B[1:] - B[0]) ** 2, axis=1)
    reached = np.sum(errors >= np.sum(B[0] ** 2, axis=0), axis=0)
    over, under, ahead = _products(B, D), _products(B, B), _products(B, D - own * B)
    d, b, o = (x[:, kept] for x in draws.without)
    moves, lead_moves = (
        np.sum(b * x - B[0] * X[0] - N[0] / under[0] * (b**2 - B[0] ** 2), axis=1) / under[0]
        for N, x, X in ((over, d, D), (ahead, d - o * b, D - own * B))
    )
    return _Sums(
        over,
        under,
        ahead,
        moves,
        lead_moves,
        float(draws.freedom[kept].min()),
        (1 + reached) / n_all,
        len(kept),
        Reason.NONE,
    )


def _products(B: FloatArray, D: FloatArray) -> FloatArray:
    """Sum over members of B D less the errors' part of it, ``(1 + n_draws, K)``.

    Draws depart from it to first order: times each other, their departures are an error's square
    once more, which the estimate's own B and D already hold.
    """
    b, d = B[1:] - B[1:].mean(axis=0), D[1:] - D[1:].mean(axis=0)
    estimate = np.sum(B[0] * D[0], axis=0) - np.sum(b * d, axis=(0, 1)) / (b.shape[0] - 1)
    first = np.sum(B[0] * (D - D[0]) + D[0] * (B - B[0]), axis=1)
    total: FloatArray = estimate + first
    return total


def _labels(labels: ArrayLike, n: int, name: str) -> tuple[tuple[object, ...], IntArray]:
    """The labels that occur, sorted, and each row's place among them; -1 for none."""
    given = np.asarray(labels, dtype=object)
    if given.shape != (n,):
        raise InputError(f"labels ({n},)", met=given.shape, column=name)
    kept = [x is not None and x != "" and x == x for x in given]  # noqa: PLR0124  NaN is not itself
    found = tuple(sorted({x for x, keep in zip(given, kept, strict=True) if keep}))
    if not found:
        raise InputError("at least one label", column=name)
    place = {x: i for i, x in enumerate(found)}
    at = [place[x] if keep else -1 for x, keep in zip(given, kept, strict=True)]
    return found, np.array(at, np.int64)
