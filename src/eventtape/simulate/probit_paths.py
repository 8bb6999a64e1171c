r"""Paths of a probability that is a martingale in the probit gauge, by exact steps.

Between two times with information L the gauge U = Phi^-1(B) moves by its exact law,

    U' = e^{L/2} U + sqrt(e^L - 1) N(0, 1),

whatever the distance: no step size, no error. Where the clock reveals (L infinite) B' is 1 with
probability Phi(U), else 0, and stays.

Jumps. A stretch of length dt is cut in parts of h = dt / n with total intensity times h at most
``jump_step``. In each part U diffuses as above, then jumps with probability q = 1 - e^{-lambda h}
from V, where

    (1 - q) Phi(V) + q E Phi(V + z) = Phi(U),

the compensating drift over the part, solved exactly: E B' = B holds to rounding at every step,
for every step size. What the step size costs is of order lambda h in the law (a second jump in the
same part is left out, and drift and diffusion are taken in turn), not in the mean.

Quotes on top of a path: seen late, with noise, and rounded to a tick inside (0, 1).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import ArrayLike
from scipy.special import ndtri

from eventtape.arrays import FloatArray, IntArray
from eventtape.errors import InputError
from eventtape.estimators.probability.clocks import Clock
from eventtape.estimators.probability.jump_compensator import Jumps

__all__ = ["ProbitPaths", "noisy_quotes", "probit_paths"]

_ROOT_HALF = math.sqrt(0.5)
_PHI0 = 1.0 / math.sqrt(2.0 * math.pi)
_FAR = 37.0  # Phi(-37) is the last probability that is a normal double: beyond it B is 0 or 1


class ProbitPaths(NamedTuple):
    """B at ``times (n_times,)``, ``(n_paths, n_times)``, and how often each path jumped.

    Within 1e-16 of certainty B is 0 or 1 to the last digit, though the gauge goes on.
    """

    times: FloatArray
    probability: FloatArray
    n_jumps: IntArray  # (n_paths,)


@njit(cache=True)
def _cdf(x: float) -> float:
    return 0.5 * math.erfc(-x * _ROOT_HALF)


@njit(cache=True, error_model="numpy")
def _before_jump(
    u: float, q: float, share: FloatArray, mean: FloatArray, wide: FloatArray
) -> float:
    """V of the module's equation, by Halley's steps kept in a bracket; ``wide`` = sqrt(1 + s^2)."""
    sign = -1.0 if u > 0.0 else 1.0  # in the lower tail, where probabilities have their digits
    v = sign * u
    goal = _cdf(v)
    low, high = -_FAR - 1.0, _FAR
    for _ in range(60):
        f = (1.0 - q) * _cdf(v) - goal
        slope = (1.0 - q) * _PHI0 * math.exp(-0.5 * v * v)
        bend = -v * slope
        for k in range(share.shape[0]):
            x = (v + sign * mean[k]) / wide[k]
            rise = q * share[k] * _PHI0 * math.exp(-0.5 * x * x) / wide[k]
            f += q * share[k] * _cdf(x)
            slope += rise
            bend -= x * rise / wide[k]
        if f > 0.0:
            high = v
        else:
            low = v
        to = v - 2.0 * f * slope / (2.0 * slope * slope - f * bend)
        if abs(to - v) < 3e-6:  # the error is of the order of the step cubed
            return sign * to
        v = to if low < to < high else 0.5 * (low + high)
    return sign * v


@njit(cache=True)
def _jump(rng: np.random.Generator, share: FloatArray, mean: FloatArray, sd: FloatArray) -> float:
    kind, left = 0, rng.random() - share[0]
    while left >= 0.0 and kind < share.shape[0] - 1:
        kind += 1
        left -= share[kind]
    size: float = mean[kind]
    if sd[kind] > 0.0:
        size += sd[kind] * rng.standard_normal()
    return size


@njit(cache=True)
def _run(
    rng: np.random.Generator,
    u0: float,
    ends: IntArray,
    information: FloatArray,
    q: FloatArray,
    share: FloatArray,
    mean: FloatArray,
    sd: FloatArray,
    out: FloatArray,
    jumped: IntArray,
) -> None:
    """Fill ``out[:, 1:]``: column j + 1 is B after part ``ends[j]``; L and q by part."""
    L = np.minimum(information, 700.0)
    grow, spread, wide = np.exp(0.5 * L), np.sqrt(np.expm1(L)), np.sqrt(1.0 + sd * sd)
    for i in range(out.shape[0]):
        u, part = u0, 0
        for j in range(ends.shape[0]):
            while part <= ends[j]:
                if information[part] == math.inf:
                    u = math.inf if rng.random() < _cdf(u) else -math.inf
                elif abs(u) > _FAR:
                    u = math.inf if u > 0.0 else -math.inf
                else:
                    if L[part] > 0.0:
                        u = grow[part] * u + spread[part] * rng.standard_normal()
                    if q[part] > 0.0 and abs(u) <= _FAR:
                        u = _before_jump(u, q[part], share, mean, wide)
                        if rng.random() < q[part]:
                            u += _jump(rng, share, mean, sd)
                            jumped[i] += 1
                part += 1
            out[i, j + 1] = _cdf(u)


def probit_paths(
    times: ArrayLike,
    probability: float,
    clock: Clock,
    *,
    n_paths: int = 1,
    jumps: Jumps | None = None,
    jump_step: float = 0.02,
    seed: int,
) -> ProbitPaths:
    """Paths ``(n_paths, n_times)`` of B from ``probability`` at ``times[0]``, drawn from ``seed``.

    ``times`` rise, in the clock's unit, up to its end if it has one. ``jumps`` come at their
    intensities a unit of time, over parts in which at most ``jump_step`` are expected.
    """
    t = np.asarray(times, np.float64)
    if t.ndim != 1 or t.size < 1 or not np.all(np.diff(t) > 0.0) or not np.all(np.isfinite(t)):
        raise InputError("finite rising times (n_times,)", met=t.shape)
    if not 0.0 < probability < 1.0:
        raise InputError("a starting probability inside (0, 1)", met=probability)
    if n_paths < 1:
        raise InputError("1 path or more", met=n_paths)
    if not 0.0 < jump_step <= 1.0:
        raise InputError("a jump_step above 0, up to 1", met=jump_step)
    if not isinstance(seed, int) or seed < 0:
        raise InputError("a seed >= 0", met=seed)
    rate = 0.0 if jumps is None else float(jumps.intensity.sum())
    parts = np.maximum(np.ceil(rate * np.diff(t) / jump_step), 1.0).astype(np.int64)
    ends = np.cumsum(parts) - 1
    grid = np.interp(np.arange(ends[-1] + 2 if ends.size else 1), np.r_[0, ends + 1], t)
    if jumps is None or rate == 0.0:
        share, mean, sd = np.ones(1), np.zeros(1), np.zeros(1)
    else:
        share, mean, sd = jumps.intensity / rate, np.array(jumps.mean), np.array(jumps.sd)
    out, jumped = np.empty((n_paths, t.size)), np.zeros(n_paths, np.int64)
    out[:, 0] = probability
    _run(
        np.random.default_rng(seed),
        float(ndtri(probability)),
        ends,
        np.ascontiguousarray(clock.information(grid[:-1], grid[1:]), np.float64),
        -np.expm1(-rate * np.diff(grid)),
        share,
        mean,
        sd,
        out,
        jumped,
    )
    return ProbitPaths(t, out, jumped)


def noisy_quotes(
    times: ArrayLike,
    probability: ArrayLike,
    *,
    seed: int,
    noise_sd: float = 0.0,
    tick: float = 0.0,
    delay: float = 0.0,
) -> FloatArray:
    """Quotes of paths ``(..., n_times)`` at ``times``: B a ``delay`` ago plus noise, on a tick.

    The last B known ``delay`` before each time (the first, where none is), plus N(0, noise_sd^2)
    that is independent from quote to quote, rounded to a multiple of ``tick`` from one tick to
    1 - tick. Without a tick quotes are kept in [0, 1] only.
    """
    t, p = np.asarray(times, np.float64), np.asarray(probability, np.float64)
    if t.ndim != 1 or t.size < 1 or p.shape[-1:] != t.shape or not np.all(np.diff(t) > 0.0):
        raise InputError("rising times and paths (..., n_times)", met=(t.shape, p.shape))
    if not (noise_sd >= 0.0 and 0.0 <= tick < 0.5 and delay >= 0.0):
        raise InputError(
            "noise_sd >= 0, a tick in [0, 0.5) and delay >= 0", met=(noise_sd, tick, delay)
        )
    known = np.maximum(np.searchsorted(t, t - delay, side="right") - 1, 0)
    seen = p[..., known] + noise_sd * np.random.default_rng(seed).standard_normal(p.shape)
    if tick == 0.0:
        return np.asarray(np.clip(seen, 0.0, 1.0))
    return np.asarray(np.clip(np.round(seen / tick) * tick, tick, 1.0 - tick))
