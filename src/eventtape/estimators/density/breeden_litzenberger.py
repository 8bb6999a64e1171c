r"""The law of the price at expiry, read from a smile: density, distribution and their errors.

Undiscounted puts are P(K) = Black(F, K, v(k)) with total volatility v(k), k = log(K / F). Their
first and second derivatives in the strike are the distribution and the density (Breeden and
Litzenberger 1978); with v' and v'' known in closed form nothing is differenced::

    d2 = -k / v - v / 2
    Q(K) = Phi(-d2) + phi(d2) v'
    q(K) = phi(d2) g / (K v),    g = (1 - k v' / v)^2 - (v v')^2 / 4 + v v''

q is per unit of strike and integrates to 1 with mean F by construction, wherever the wings lead.
Nothing is clipped: a smile with arbitrage shows g < 0.

Errors. v, v', v'' are linear in the smile's coefficients, whose posterior covariance is H' H, so
each point has a 3 by 3 covariance and q, Q follow by their derivatives (delta method). The error of
the forward is added: with the smile a function of k, dQ/dF = -q K / F at fixed K, and so on. The
bands take hyper-parameters as known.

Reference: Breeden and Litzenberger (1978), Journal of Business 51; Gatheral and Jacquier (2014),
Quantitative Finance 14, for g.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit

from eventtape.arrays import FloatArray, watches
from eventtape.estimators.density import smile_columns as columns
from eventtape.estimators.density.smile_columns import (
    PLACES,
    smile_columns,
    smile_places,
    smile_sum,
)
from eventtape.estimators.pricing import normal
from eventtape.estimators.pricing.normal import mills_ratio, norm_pdf

__all__ = ["Smile", "law_of_smile", "law_with_errors", "smile_at"]


class Smile(NamedTuple):
    """A fitted smile: all that is needed to evaluate it, its density and their errors anywhere.

    - ``forward``, ``forward_error``: the price at which k = 0, and its standard error.
    - ``tau``: years; ``reference``: v_0, a total volatility.
    - ``centre``, ``half``: the stretch of the cosines in u (:mod:`.smile_columns`).
    - ``coefficients`` ``(p,)``; ``factor`` ``(m, p)``: H, lower triangular, whose H' H is their
      covariance.
    """

    forward: float
    forward_error: float
    tau: float
    reference: float
    centre: float
    half: float
    coefficients: FloatArray
    factor: FloatArray


def smile_at(smile: Smile, strikes: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Total volatility v and its first two derivatives in log-strike, at ``strikes`` ``(n,)``."""
    x = np.log(strikes / smile.forward) / smile.reference
    place, out = np.empty((PLACES, x.size)), np.empty((3, x.size))
    smile_places(x, smile.centre, smile.half, place)
    smile_sum(place, smile.half, smile.coefficients, out)
    return out[0] * smile.reference, out[1], out[2] / smile.reference


@watches(normal)
@njit(cache=True, error_model="numpy", fastmath={"contract", "nsz"})
def law_of_smile(
    strikes: FloatArray, x: FloatArray, v0: float, sums: FloatArray, law: FloatArray
) -> None:
    """Fill ``law`` ``(3, n)``: total volatility, density, distribution; NaN where v <= 0.

    ``sums`` ``(3, n)`` is what :func:`~.smile_columns.smile_sum` gives at x = log(K / F) / v_0.
    """
    for i in range(x.size):
        k = x[i] * v0
        v, v1, v2 = sums[0, i] * v0, sums[1, i], sums[2, i] / v0
        d2 = -k / v - 0.5 * v
        size = min(abs(d2), 38.0)
        phi = norm_pdf(size)
        tail = phi * mills_ratio(size)
        skew = 1.0 - k * v1 / v
        g = skew * skew - 0.25 * v * v * v1 * v1 + v * v2
        below = tail if d2 > 0.0 else 1.0 - tail
        ok = v > 0.0
        law[0, i] = v if ok else np.nan
        law[1, i] = phi * g / (strikes[i] * v) if ok else np.nan
        law[2, i] = below + phi * v1 if ok else np.nan


@watches(columns, normal)
@njit(cache=True, error_model="numpy", fastmath={"contract", "reassoc", "nsz"})
def law_with_errors(
    strikes: FloatArray,
    forward: float,
    forward_error: float,
    v0: float,
    centre: float,
    half: float,
    coefficients: FloatArray,
    factor: FloatArray,
    law: FloatArray,
) -> None:
    """Fill ``law`` ``(6, n)``: total volatility, density, distribution, then their errors."""
    n, p = strikes.size, coefficients.size
    x = np.empty(n)
    for i in range(n):
        x[i] = math.log(strikes[i] / forward) / v0
    place, sums = np.empty((PLACES, n)), np.empty((3, n))
    smile_places(x, centre, half, place)
    smile_sum(place, half, coefficients, sums)
    law_of_smile(strikes, x, v0, sums, law)
    moved = np.zeros((2, n))
    if forward_error > 0.0:
        _density_per_forward(strikes, x, v0, centre, half, coefficients, moved)
    V = np.empty((3, p, n))
    smile_columns(place, half, 2, V)
    spread = np.empty((6, n))
    _smile_covariances(factor, V, spread)
    e = forward_error / forward
    for i in range(n):
        k, v, K = x[i] * v0, law[0, i], strikes[i]
        v1, v2 = sums[1, i], sums[2, i] / v0
        d2 = -k / v - 0.5 * v
        phi = norm_pdf(min(abs(d2), 38.0))
        turn = k / (v * v) - 0.5  # of d2 in v
        skew = 1.0 - k * v1 / v
        g = skew * skew - 0.25 * v * v * v1 * v1 + v * v2
        g_v = 2.0 * skew * k * v1 / (v * v) - 0.5 * v * v1 * v1 + v2
        head = phi / (K * v)
        # Of v, v', v'' in units of the coefficients: v0, 1 and 1 / v0
        q0 = head * (g_v - g * d2 * turn - g / v) * v0
        q1 = head * (-2.0 * skew * k / v - 0.5 * v * v * v1)
        q2 = phi / (K * v0)
        Q0 = -phi * turn * (1.0 + d2 * v1) * v0
        s00, s11, s22 = spread[0, i], spread[1, i], spread[2, i]
        s01, s02, s12 = spread[3, i], spread[4, i], spread[5, i]
        q_var = q0 * q0 * s00 + q1 * q1 * s11 + q2 * q2 * s22
        q_var += 2.0 * (q0 * q1 * s01 + q0 * q2 * s02 + q1 * q2 * s12)
        Q_var = Q0 * Q0 * s00 + phi * phi * s11 + 2.0 * Q0 * phi * s01
        law[3, i] = math.sqrt(v0 * v0 * s00 + (e * v1) ** 2)
        law[4, i] = math.sqrt(max(q_var, 0.0) + (e * moved[0, i]) ** 2)
        law[5, i] = math.sqrt(max(Q_var, 0.0) + (e * law[1, i] * K) ** 2)


@njit(cache=True, error_model="numpy", fastmath={"contract", "reassoc", "nsz"})
def _smile_covariances(factor: FloatArray, V: FloatArray, spread: FloatArray) -> None:
    """Fill ``spread`` ``(6, n)``: of (v, v', v'') at each point 00, 11, 22, 01, 02, 12."""
    m, p = factor.shape
    n = V.shape[2]
    spread[:] = 0.0
    row = np.empty((3, n))
    for j in range(m):
        last = min(j + 1, p)  # the factor is lower triangular
        for order in range(3):
            for i in range(n):
                row[order, i] = factor[j, 0] * V[order, 0, i]
            q = 1
            while q + 3 < last:  # four columns at once: the row is read and written less often
                h0, h1 = factor[j, q], factor[j, q + 1]
                h2, h3 = factor[j, q + 2], factor[j, q + 3]
                for i in range(n):
                    row[order, i] += (h0 * V[order, q, i] + h1 * V[order, q + 1, i]) + (
                        h2 * V[order, q + 2, i] + h3 * V[order, q + 3, i]
                    )
                q += 4
            while q < last:
                h0 = factor[j, q]
                for i in range(n):
                    row[order, i] += h0 * V[order, q, i]
                q += 1
        for i in range(n):
            a, b, c = row[0, i], row[1, i], row[2, i]
            spread[0, i] += a * a
            spread[1, i] += b * b
            spread[2, i] += c * c
            spread[3, i] += a * b
            spread[4, i] += a * c
            spread[5, i] += b * c


@watches(columns, normal)
@njit(cache=True, error_model="numpy")
def _density_per_forward(
    strikes: FloatArray,
    x: FloatArray,
    v0: float,
    centre: float,
    half: float,
    coefficients: FloatArray,
    moved: FloatArray,
) -> None:
    """Fill ``moved[0]``: F dq/dF at fixed strikes, -(q + dq/dk), by a difference in k.

    Only an error is made of it, so its own 1e-6 does not show.
    """
    n, h = x.size, 1e-4
    place, sums, law = np.empty((PLACES, n)), np.empty((3, n)), np.empty((3, n))
    shifted, scaled = np.empty(n), np.empty(n)
    for side in range(2):
        sign = 1.0 - 2.0 * side
        for i in range(n):
            shifted[i] = x[i] + sign * h
            scaled[i] = strikes[i] * (1.0 + sign * h * v0)
        smile_places(shifted, centre, half, place)
        smile_sum(place, half, coefficients, sums)
        law_of_smile(scaled, shifted, v0, sums, law)
        for i in range(n):
            moved[0, i] += sign * law[1, i] / (2.0 * h * v0)
            moved[1, i] += 0.5 * law[1, i]
    for i in range(n):
        moved[0, i] = -(moved[1, i] + moved[0, i])
