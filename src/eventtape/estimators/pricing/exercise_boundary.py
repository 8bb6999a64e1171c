r"""Below which spot is an American put worth exercising, at each time to expiry?

Spot follows dS / S = (r - q) dt + sigma dW and K = 1. Early exercise earns r dt and gives up q S dt
while S is below the boundary B, so (Kim, RFS 3, 1990)::

    P(S, tau) = p(S, tau) + int_0^tau [ r e^{-rv} Phi(-d-) - q S e^{-qv} Phi(-d+) ] dv,
    d+- = [ log(S / B(tau - v)) + (r - q) v ] / (sigma sqrt v) +- sigma sqrt(v) / 2,

p European. P = 1 - S at S = B(tau) is an equation for B alone (Andersen, Lake and Offengenden,
J. Comp. Finance 20(1), 2016, FP-B, v = tau - u)::

    A(tau) = B(tau) C(tau),    A = e^{-r tau} Phi(D-) + r int e^{-rv} Phi(d-) dv,
                               C = e^{-q tau} Phi(D+) + q int e^{-qv} Phi(d+) dv,

D+- with 1 in place of B(tau - v). As they do, we hold b = log(B / X) <= 0 at n Chebyshev points of
sqrt(u), X = B(0+) = min(1, r / q), and interpolate b^2, which is smooth. Two steps differ.

- v = tau sin^2(theta) and Gauss-Legendre points in theta: sqrt(v) and sqrt(u) = sqrt(tau)
  cos(theta) are both smooth, so neither end is singular, and the interpolation becomes one matrix
  for all options.
- Newton on all n equations instead of a fixed point. With f = e^{-rv} phi(d-) / (sigma sqrt v) dv
  and e^{-qv} phi(d+) B(tau) = e^{-rv} phi(d-) B(u), the Jacobian needs nothing new::

      d(A - BC) = (sum g - BC) dlogB(tau) - sum g dlogB(u),    g = f (r - q B(u)).

  Its factors then give the exact change of B with sigma, r and q, by one more solve each.

Newton starts at QD+ (Li, Rev. Derivatives Research 13, 2010). One boundary needs r > 0, or r = 0
and q < 0.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from eventtape.arrays import FloatArray, watches
from eventtape.estimators.pricing import exercise_boundary_nodes, normal
from eventtape.estimators.pricing.exercise_boundary_nodes import (
    Nodes,
    cdf,
    dot,
    factor,
    interpolate,
    substitute,
)
from eventtape.estimators.pricing.normal import exp_, mills_ratio

__all__ = ["newton", "tangents"]

_PHI0 = 0.3989422804014327  # 1 / sqrt(2 pi)
_FLAT = 1e-15  # near u = 0 the polynomial of b^2 can dip below 0: B is X there
_STEPS = 24


@watches(exercise_boundary_nodes, normal)
@njit(cache=True, error_model="numpy", fastmath={"reassoc", "contract"})
def _equation(
    sine: FloatArray,
    weight: FloatArray,
    R: FloatArray,
    Q: FloatArray,
    b: FloatArray,
    log_b: float,
    log_x: float,
    tau: float,
    r: float,
    q: float,
    vol: float,
    g_over_b: FloatArray,
) -> tuple[float, float, float]:
    """The integrals of A and C at one time, and the sum of g; writes g / b at its angles."""
    a, c, total = 0.0, 0.0, 0.0
    deviation, apart = vol * math.sqrt(tau), log_b - log_x
    drift = (r - q) * tau
    for j in range(sine.size):
        s = sine[j]
        inverse = 1.0 / (deviation * s)
        down = (apart - b[j] + drift * s * s) * inverse - 0.5 * deviation * s
        up = down + deviation * s
        w = weight[j] * tau
        ratio = exp_(b[j] - apart)  # B(u) / B(tau)
        bell = _PHI0 * exp_(-0.5 * down * down) * R[j]
        size_down = -down if down < 0.0 else down
        size_up = -up if up < 0.0 else up
        tail_down = bell * mills_ratio(size_down)
        tail_up = bell * ratio * mills_ratio(size_up)
        a += w * (R[j] - tail_down if down > 0.0 else tail_down)
        c += w * (Q[j] - tail_up if up > 0.0 else tail_up)
        g = bell * inverse * w * (r - q * ratio * math.exp(log_b))
        total += g
        g_over_b[j] = g / b[j] if b[j] < -_FLAT else 0.0
    return a, c, total


@watches(exercise_boundary_nodes, normal)
@njit(cache=True, error_model="numpy")
def newton(
    nodes: Nodes,
    tau: float,
    rate: float,
    dividend_yield: float,
    vol: float,
    tolerance: float,
    b: FloatArray,
    angles: FloatArray,
    jacobian: FloatArray,
) -> bool:
    """Solve for b ``(n,)`` in place from a start in it; whether the last step was within tolerance.

    ``angles`` ``(4, n, l)`` is left with e^{-rv}, e^{-qv}, b and g / b, and ``jacobian`` ``(n, n)``
    with the factors of the last Newton matrix, for :func:`tangents`. The tolerance is a share of b;
    the error after a step within it is of its square.
    """
    root, sine, weight, at = nodes.root, nodes.sine, nodes.weight, nodes.at
    r, q = rate, dividend_yield
    n, l = root.size, sine.size
    log_x = math.log(r / q) if q > r and q > 0.0 else 0.0
    R, Q, b_at, g_over_b = angles[0], angles[1], angles[2], angles[3]
    step = np.empty(n)
    for i in range(n):
        t = tau * root[i] * root[i]
        for j in range(l):
            v = t * sine[j] * sine[j]
            R[i, j] = exp_(-r * v)
            Q[i, j] = exp_(-q * v)
    for _ in range(_STEPS):
        for i in range(n):
            interpolate(at[i], b, b_at[i])
            t = tau * root[i] * root[i]
            log_b = log_x + b[i]
            deviation = vol * math.sqrt(t)
            down = (log_b + (r - q) * t) / deviation - 0.5 * deviation
            a, c, total = _equation(
                sine, weight, R[i], Q[i], b_at[i], log_b, log_x, t, r, q, vol, g_over_b[i]
            )
            A = math.exp(-r * t) * cdf(down) + r * a
            BC = math.exp(log_b) * (math.exp(-q * t) * cdf(down + deviation) + q * c)
            for k in range(n):
                jacobian[i, k] = -b[k] * dot(g_over_b[i], at[i, k]) / A
            jacobian[i, i] += (total - BC) / A
            step[i] = math.log(BC / A)
        factor(jacobian)
        substitute(jacobian, step)
        largest = 0.0
        for k in range(n):
            new = b[k] + step[k]
            new = min(max(new, 2.5 * b[k]), 0.3 * b[k])
            largest = max(largest, abs(new / b[k] - 1.0))
            b[k] = new
        if not largest > tolerance:
            break
    return largest <= tolerance


@watches(exercise_boundary_nodes, normal)
@njit(cache=True, error_model="numpy")
def tangents(
    nodes: Nodes,
    tau: float,
    rate: float,
    dividend_yield: float,
    vol: float,
    b: FloatArray,
    angles: FloatArray,
    jacobian: FloatArray,
    out: FloatArray,
) -> None:
    """Write the change of b with vol, rate and dividend yield, ``(3, n)``, after :func:`newton`."""
    root, sine, weight = nodes.root, nodes.sine, nodes.weight
    r, q = rate, dividend_yield
    n = root.size
    moves = q > r and q > 0.0
    log_x = math.log(r / q) if moves else 0.0
    x_r, x_q = (1.0 / r, -1.0 / q) if moves else (0.0, 0.0)
    for i in range(n):
        t = tau * root[i] * root[i]
        log_b = log_x + b[i]
        deviation, root_t = vol * math.sqrt(t), math.sqrt(t)
        down = (log_b + (r - q) * t) / deviation - 0.5 * deviation
        a, c, by_vol, by_r, by_q, g_time = _change(
            sine, weight, angles[0, i], angles[1, i], angles[2, i], log_b, log_x, t, r, q, vol
        )
        B, growth, payout = math.exp(log_b), math.exp(-r * t), math.exp(-q * t)
        e_down, e_up = growth * cdf(down), payout * cdf(down + deviation)
        A, BC = e_down + r * a, B * (e_up + q * c)
        bell = _PHI0 * math.exp(-0.5 * down * down) * growth
        out[0, i] = (root_t * bell + by_vol) / A
        out[1, i] = (t * e_down - by_r - g_time + BC * x_r) / A
        out[2, i] = (B * (by_q - t * e_up) + g_time + BC * x_q) / A
    for k in range(3):
        substitute(jacobian, out[k])


@watches(exercise_boundary_nodes, normal)
@njit(cache=True, error_model="numpy", fastmath={"reassoc", "contract"})
def _change(
    sine: FloatArray,
    weight: FloatArray,
    R: FloatArray,
    Q: FloatArray,
    b: FloatArray,
    log_b: float,
    log_x: float,
    tau: float,
    r: float,
    q: float,
    vol: float,
) -> tuple[float, float, float, float, float, float]:
    """The integrals of A and C again, and of what vol, rate and yield change in them, B held."""
    a, c, by_vol, by_r, by_q, g_time = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    deviation, apart = vol * math.sqrt(tau), log_b - log_x
    drift, B = (r - q) * tau, math.exp(log_b)
    for j in range(sine.size):
        s = sine[j]
        inverse = 1.0 / (deviation * s)
        down = (apart - b[j] + drift * s * s) * inverse - 0.5 * deviation * s
        up = down + deviation * s
        v = tau * s * s
        w = weight[j] * tau
        ratio = exp_(b[j] - apart)
        bell = _PHI0 * exp_(-0.5 * down * down) * R[j]
        size_down = -down if down < 0.0 else down
        size_up = -up if up < 0.0 else up
        tail_down = bell * mills_ratio(size_down)
        tail_up = bell * ratio * mills_ratio(size_up)
        in_down = w * (R[j] - tail_down if down > 0.0 else tail_down)
        in_up = w * (Q[j] - tail_up if up > 0.0 else tail_up)
        gives_up = q * ratio * B
        a += in_down
        c += in_up
        by_r += (1.0 - r * v) * in_down
        by_q += (1.0 - q * v) * in_up
        by_vol += bell * w * (r * up - gives_up * down)
        g_time += bell * inverse * w * (r - gives_up) * v
    return a, c, by_vol / vol, by_r, by_q, g_time
