"""The joint fit's answer put together: states, paths and errors, or NaN and the reason."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy.special import ndtr

from eventtape.arrays import BoolArray, FloatArray, Status
from eventtape.estimators.pricing.gram_charlier import GramCharlierStates
from eventtape.estimators.states.identification import Verdict
from eventtape.estimators.states.joint_kernel import COMMON
from eventtape.estimators.states.joint_problem import Problem
from eventtape.estimators.states.joint_result import JointFit, NoiseFound, Profile
from eventtape.estimators.states.joint_search import Found
from eventtape.estimators.states.option_panel import OptionPanel

__all__ = ["answer", "refusal"]

_YEAR_S = 365.0 * 86_400.0


def refusal(chains: OptionPanel, verdict: Verdict) -> JointFit:
    """NaN throughout, and why."""
    nan, T = math.nan, chains.times.size
    path, none = np.full(T, nan), np.empty(0)
    return JointFit(
        nan, nan, nan, (nan, nan), nan, nan, nan, nan, nan, nan, nan, nan, nan, nan,
        path, path, path, path, path, path, path, path, path, path, path, np.full((4, 4), nan),
        np.full((T, 6, 6), nan), (), nan, nan, 0, NoiseFound(nan, nan, nan),
        Profile(none, none, none), verdict,
    )  # fmt: skip


def answer(
    chains: OptionPanel,
    used: BoolArray,
    whole: Problem,
    found: Found,
    profile: Profile,
    verdict: Verdict,
    zero: tuple[float, float],
    level: float,
) -> JointFit:
    """The result: numbers of the gap and the states only where the verdict stands."""
    interval = profile.interval
    H = np.tril(found.normal)
    H = H + np.tril(H, -1).T
    H[np.diag_indices_from(H)] += 1e-9
    C = np.asarray(np.linalg.inv(H), np.float64)
    x = found.unknown
    drifts = whole.drift_weight > 0.0
    forwards: FloatArray = chains.forwards[used]
    # Near no gap the curvature at the top is no guide: the interval's own width then is the error
    wide_by = max(profile.sd(level) / math.sqrt(float(C[0, 0])), 1.0)
    C[0, :] *= wide_by
    C[:, 0] *= wide_by
    paths = _paths(x, C, forwards, chains.taus[used], drifts=drifts)
    misses = np.einsum("tm,mts,sm->", found.misses, found.noise.inverse, found.misses)
    step_s = float(np.median(np.diff(chains.times[used])))
    lasting = NoiseFound(found.noise.scale, found.noise.share, found.noise.memory * step_s)
    wide = [_spread(values, used) for values in paths.columns]
    covariance = np.full((used.size, 6, 6), math.nan)
    covariance[used] = paths.local
    (_, ratio, xi, kappa, wedge) = x[:COMMON].tolist()
    (_, ratio_e, xi_e, kappa_e, wedge_e) = np.sqrt(np.diag(C)[:COMMON]).tolist()
    delta, delta_e, p, p_e, vol_1, vol_0, vol_e, m1, m1_e, m0, m0_e = wide
    fit = JointFit(
        profile.best, interval[0], interval[1], interval, zero[0], zero[1],
        ratio, ratio_e, xi, xi_e, kappa, kappa_e, wedge, wedge_e, delta, delta_e, p, p_e,
        vol_1, vol_0, vol_e, m1, m1_e, m0, m0_e, np.asarray(C[:4, :4]), covariance, paths.laws,
        math.sqrt(found.spot_variance / (step_s / _YEAR_S)),
        math.sqrt(float(misses) / found.misses.size), int(np.count_nonzero(whole.data[3])),
        lasting, profile, verdict, _skewness_turn(x, paths),
    )  # fmt: skip
    if verdict.status is Status.OK:
        return fit
    blank = refusal(chains, verdict)
    return blank._replace(
        interval=interval, zero_fall=zero[0], zero_p_value=zero[1], spot_sd=fit.spot_sd,
        misfit=fit.misfit, quotes_used=fit.quotes_used, noise=lasting, profile=profile,
    )  # fmt: skip


class _Paths(NamedTuple):
    """What goes on in time: the columns of the result from ``delta_path`` to ``mean_0_error``."""

    columns: tuple[FloatArray, ...]
    local: FloatArray
    laws: tuple[GramCharlierStates, ...]


def _paths(x: FloatArray, C: FloatArray, F: FloatArray, tau: FloatArray, *, drifts: bool) -> _Paths:
    """The paths, with errors by the delta method."""
    T = F.size
    v, u = x[COMMON : COMMON + T], x[COMMON + T : COMMON + 2 * T]
    drift = x[COMMON + 2 * T :] if drifts else np.zeros(T)
    delta, p = x[0] + drift, ndtr(u)
    phi = np.exp(-0.5 * u * u) / math.sqrt(2.0 * math.pi)
    lift = np.exp(delta)
    whole = 1.0 - p + p * lift
    m0 = F / whole
    a, by_x = p * lift / whole, (lift - 1.0) / whole * phi
    local = np.empty((T, 6, 6))
    for t in range(T):
        at = np.array([0, 1, 2, 3, COMMON + t, COMMON + T + t])
        take = np.zeros((6, C.shape[0]))
        take[np.arange(6), at] = 1.0
        if drifts:
            take[0, COMMON + 2 * T + t] = 1.0
        local[t] = take @ C @ take.T
    g1, g0 = np.zeros((T, 6)), np.zeros((T, 6))
    g1[:, 0], g1[:, 5] = 1.0 - a, -by_x
    g0[:, 0], g0[:, 5] = -a, -by_x
    e1 = np.sqrt(np.einsum("ti,tij,tj->t", g1, local, g1))
    e0 = np.sqrt(np.einsum("ti,tij,tj->t", g0, local, g0))
    root = np.sqrt(tau)
    vol_1, vol_0 = np.exp(v + 0.5 * x[1]) / root, np.exp(v - 0.5 * x[1]) / root
    laws = tuple(
        GramCharlierStates(
            np.array([p[t], 1.0 - p[t]]), np.array([m0[t] * lift[t], m0[t]]),
            np.array([vol_1[t], vol_0[t]]), float(x[2]), float(x[3]), float(tau[t]),
        )
        for t in range(T)
    )  # fmt: skip
    columns = (
        delta, np.sqrt(local[:, 0, 0]), p, phi * np.sqrt(local[:, 5, 5]), vol_1, vol_0,
        np.sqrt(local[:, 4, 4]), m0 * lift, m0 * lift * e1, m0, m0 * e0,
    )  # fmt: skip
    return _Paths(columns, local, laws)


def _skewness_turn(x: FloatArray, paths: _Paths) -> float:
    """Of the mixture's log price, from the least p to the most, at the middle vol level."""
    T = len(paths.laws)
    delta, ratio, xi = x[0], x[1], x[2]
    w = math.exp(float(np.median(x[COMMON : COMMON + T])))
    s1, s0 = w * math.exp(0.5 * ratio), w * math.exp(-0.5 * ratio)
    found = []
    for p in (float(paths.columns[2].min()), float(paths.columns[2].max())):
        q = 1.0 - p
        variance = p * s1 * s1 + q * s0 * s0 + p * q * delta * delta
        third = xi * (p * s1**3 + q * s0**3) + 3.0 * p * q * delta * (s1 * s1 - s0 * s0)
        third += p * q * (q - p) * delta**3
        found.append(third / variance**1.5)
    return float(found[1] - found[0])


def _spread(values: FloatArray, used: BoolArray) -> FloatArray:
    out = np.full(used.size, math.nan)
    out[used] = values
    return out
