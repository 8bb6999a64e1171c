r"""What is asked of a joint fit before it is believed: the diagnostics of its verdict."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from scipy.special import ndtri
from scipy.stats import chi2

from eventtape.arrays import FloatArray
from eventtape.estimators.states.identification import block_permutations
from eventtape.estimators.states.joint_kernel import COMMON, rows, solve
from eventtape.estimators.states.joint_problem import PRIOR_SDS, Problem, with_data
from eventtape.estimators.states.joint_profile import likelihood_of_gaps
from eventtape.estimators.states.joint_result import Profile
from eventtape.estimators.states.joint_search import Found, best_of_starts

__all__ = ["bootstrap_zero", "concentration", "halves_agree", "placebo_share", "prior_shift"]

_LEAST_HALF = 3
_HALF_POINTS = 17


def concentration(whole: Problem, found: Found, prior_sd: float) -> float:
    """Smallest eigenvalue of the information on gap, vol ratio and shape, in units of priors."""
    H = np.tril(found.normal)
    H = H + np.tril(H, -1).T
    H[:COMMON, :COMMON] -= np.diag(whole.data[9])
    rest = np.r_[4 : H.shape[0]]
    inner = H[np.ix_(rest, rest)].copy()
    inner[0, 0] += whole.data[9][4]
    inner[np.diag_indices_from(inner)] += 1e-9
    cross = H[np.ix_(rest, np.arange(4))]
    told = H[:4, :4] - cross.T @ np.linalg.solve(inner, cross)
    scale = np.array([prior_sd, *PRIOR_SDS[1:]])
    return max(float(np.linalg.eigvalsh(scale[:, None] * told * scale)[0]), 0.0)


def prior_shift(whole: Problem, found: Found, sd: float) -> float:
    """Largest move of the gap, in its own sd, with the priors' sds doubled and halved."""
    free = np.ones(whole.start.size, np.bool_)
    moved = 0.0
    for factor in (0.25, 4.0):
        other = with_data(whole, prior=whole.data[9] * factor)
        x = solve(
            other.data, found.noise.inverse, found.spot_weight, whole.drift_weight,
            found.unknown, free, 60, 1e-4,
        )[0]  # fmt: skip
        moved = max(moved, abs(float(x[0] - found.unknown[0])))
    return moved / sd if sd > 0.0 else math.nan


def halves_agree(whole: Problem, found: Found, profile: Profile) -> float:
    """p-value that the first half of the times and the second have one gap.

    NaN under six times, and where the gap may drift: then the halves are not asked to agree.
    """
    T = whole.times.size
    half = T // 2
    if half < _LEAST_HALF or whole.drift_weight > 0.0:
        return math.nan
    covariance = np.linalg.inv(found.noise.inverse)
    near = profile.deltas[profile.falls <= 4.0 * profile.critical]
    grid = np.linspace(near[0], near[-1], _HALF_POINTS)
    total, least = np.zeros(grid.size), 0.0
    for part in (slice(0, half), slice(half, T)):
        data = list(whole.data)
        for i in (2, 3, 4, 5, 6, 7, 8):
            data[i] = np.ascontiguousarray(whole.data[i][part])
        kinds = (found.unknown.size - COMMON) // T
        at = np.r_[
            np.arange(COMMON),
            np.concatenate([COMMON + k * T + np.arange(T)[part] for k in range(kinds)]),
        ]
        weight = found.spot_weight[part].copy()
        weight[0] = 0.0
        inverse = np.linalg.inv(covariance[:, part, part])
        values, unknowns = np.empty(grid.size), np.empty((grid.size, at.size))
        likelihood_of_gaps(
            tuple(data), inverse, weight, whole.drift_weight, found.unknown[at], grid, values,
            unknowns,
        )  # fmt: skip
        total += values
        least += float(values.min())
    return float(chi2.sf(max(float(total.min()) - least, 0.0), 1))


def placebo_share(
    whole: Problem,
    found: Found,
    probability: FloatArray,
    count: int,
    *,
    seed: int,
    done: Callable[[float], None],
) -> float:
    """Share of paths of p, permuted in blocks, whose gap fits as much better than none as p's."""
    least = _gain(whole, found)
    block = max(whole.times.size // 8, 1)
    as_good = 0
    for k, path in enumerate(block_permutations(probability, block, count, seed=seed)):
        moved = with_data(whole, probit=np.asarray(ndtri(np.clip(path, 1e-3, 1.0 - 1e-3))))
        T = whole.times.size
        start = whole.start.copy()
        start[COMMON + T : COMMON + 2 * T] = moved.data[7]
        as_good += _gain(moved._replace(start=start), found) >= least
        done((k + 1) / count)
    return (1 + as_good) / (1 + count)


def bootstrap_zero(
    whole: Problem,
    found: Found,
    zero_fall: float,
    count: int,
    *,
    seed: int,
    done: Callable[[float], None],
) -> float:
    """p-value of no gap: share of panels drawn without one whose gap gains as much."""
    rng = np.random.default_rng(seed)
    x = _without_gap(whole, found)[0]
    T, M = found.misses.shape
    y, J, h = np.empty((T, M)), np.empty((T, 6, M)), np.empty((3, T))
    d = whole.data
    rows(d[0], d[1], d[2], d[3], d[4], d[5], x, whole.drift_weight > 0.0, y, J, h)
    roots = np.linalg.cholesky(np.linalg.inv(found.noise.inverse))
    safe = np.where(d[3] > 0.0, d[3], 1.0)
    start = whole.start.copy()
    as_good = 0
    for k in range(count):
        noise = np.einsum("mts,sm->tm", roots, rng.standard_normal((T, M)))
        # Prices whose misses in the directions are the noise drawn and nothing else
        prices = d[2] + np.einsum("tmi,tm->ti", d[4], noise - y) / safe * (d[3] > 0.0)
        probit = x[COMMON + T : COMMON + 2 * T] - x[4] + rng.standard_normal(T) / np.sqrt(d[8])
        moves = h[0] - np.r_[0.0, h[0][:-1]]
        moves = moves + np.sqrt(found.spot_variance * whole.gaps) * rng.standard_normal(T)
        start[COMMON + T : COMMON + 2 * T] = probit
        drawn = with_data(whole, prices=prices, probit=probit, moves=moves)
        as_good += _gain(drawn._replace(start=start), found) >= zero_fall
        done((k + 1) / count)
    return (1 + as_good) / (1 + count)


def _without_gap(whole: Problem, found: Found) -> tuple[FloatArray, float]:
    """Unknowns and objective at delta = 0, the better of three log vol ratios."""
    free = np.ones(whole.start.size, np.bool_)
    free[0] = False
    best, value = whole.start, math.inf
    for ratio in (-0.2, 0.0, 0.2):
        x = whole.start.copy()
        x[0], x[1] = 0.0, ratio
        tried = solve(
            whole.data, found.noise.inverse, found.spot_weight, whole.drift_weight, x, free, 40,
            1e-3,
        )  # fmt: skip
        if tried[1] < value:
            best, value = tried[0], tried[1]
    return best, value


def _gain(whole: Problem, found: Found) -> float:
    """What a gap gains over none, twice the log likelihood, under the noise found."""
    _, value = best_of_starts(whole, found.noise.inverse, found.spot_weight, 1e-3)
    return _without_gap(whole, found)[1] - value
