"""What an American put is worth and how that moves, once its exercise boundary is known.

K = 1 and the notation of :mod:`~eventtape.estimators.pricing.exercise_boundary`. One integral gives
the price (Kim, RFS 3, 1990); delta is its derivative, with f as there::

    dP/dS = dp/dS - int q e^{-qv} Phi(-d+) dv - (1 / S) int f (r - q B(u)).

Vol, rate and dividend yield move the price by themselves and through the boundary::

    dP = explicit + int f (r - q B(u)) dlogB(u),

dlogB from the same Newton matrix that found B. So these are exact derivatives of the computed
price, not differences. Time needs no integral of its own: the price is a function of r tau, q tau
and sigma^2 tau, which gives tau P_tau = r P_r + q P_q + sigma P_sigma / 2. Gamma follows from the
Black-Scholes equation; its own integral is singular for a spot next to the boundary.

Three cases have no such boundary. r <= 0 and r <= q: waiting is better, the put is European.
vol = 0 or S = 0: spot is certain, the put is worth its best e^{-rt} - S e^{-qt}. q < r < 0: the
exercise region has a lower end too (Andersen and Lake, 2021), and is refused.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from eventtape.arrays import BoolArray, FloatArray, watches
from eventtape.estimators.pricing import (
    exercise_boundary,
    exercise_boundary_nodes,
    exercise_boundary_start,
    normal,
    status,
)
from eventtape.estimators.pricing.exercise_boundary import newton, tangents
from eventtape.estimators.pricing.exercise_boundary_nodes import (
    Nodes,
    Work,
    cdf,
    dot,
    interpolate,
    workspace,
)
from eventtape.estimators.pricing.exercise_boundary_start import qd_plus
from eventtape.estimators.pricing.normal import exp_, mills_ratio
from eventtape.estimators.pricing.status import PriceStatus

__all__ = ["certain_value", "european_put", "price_all", "put_value"]

_PHI0 = 0.3989422804014327  # 1 / sqrt(2 pi)
_TOLERANCE = 1e-5  # of the last Newton step: the error is its square
_START_ROUNDS = 3
_NOTHING = 2e-6  # of the strike: what a premium left out is below; the boundary runs off to 0 there
_OK, _CERTAIN, _EXPIRED, _BAD, _FAILED, _EXERCISE = (
    int(PriceStatus.OK),
    int(PriceStatus.ZERO_VEGA),
    int(PriceStatus.EXPIRED),
    int(PriceStatus.BAD_INPUT),
    int(PriceStatus.NO_CONVERGENCE),
    int(PriceStatus.AT_EXERCISE),
)


@watches(normal)
@njit(cache=True, error_model="numpy", fastmath={"reassoc", "contract"})
def _premium(
    sine: FloatArray,
    weight: FloatArray,
    b: FloatArray,
    log_s: float,
    log_x: float,
    tau: float,
    r: float,
    q: float,
    vol: float,
    g_over_b: FloatArray,
) -> tuple[float, float, float, float, float, float, float]:
    """The integrals of the file's head at one spot; writes g / b at the angles."""
    down_sum, up_sum, total, by_vol = 0.0, 0.0, 0.0, 0.0
    by_r, by_q, g_time = 0.0, 0.0, 0.0
    deviation, apart = vol * math.sqrt(tau), log_s - log_x
    drift, S = (r - q) * tau, math.exp(log_s)
    for j in range(sine.size):
        s = sine[j]
        inverse = 1.0 / (deviation * s)
        down = (apart - b[j] + drift * s * s) * inverse - 0.5 * deviation * s
        up = down + deviation * s
        v = tau * s * s
        w = weight[j] * tau
        R, Q = exp_(-r * v), exp_(-q * v)
        ratio = exp_(b[j] - apart)
        bell = _PHI0 * exp_(-0.5 * down * down) * R
        size_down = -down if down < 0.0 else down
        size_up = -up if up < 0.0 else up
        tail_down = bell * mills_ratio(size_down)
        tail_up = bell * ratio * mills_ratio(size_up)
        in_down = w * (tail_down if down > 0.0 else R - tail_down)
        in_up = w * (tail_up if up > 0.0 else Q - tail_up)
        gives_up = q * ratio * S
        g = bell * inverse * w * (r - gives_up)
        down_sum += in_down
        up_sum += in_up
        total += g
        by_r += (1.0 - r * v) * in_down
        by_q += (1.0 - q * v) * in_up
        by_vol += bell * w * (r * up - gives_up * down)
        g_time += g * v
        g_over_b[j] = g / b[j] if b[j] < -1e-15 else 0.0
    return down_sum, up_sum, total, by_vol / vol, by_r, by_q, g_time


@njit(cache=True, error_model="numpy")
def certain_value(S: float, tau: float, r: float, q: float) -> tuple[float, bool]:
    """The put's value if spot's path is certain: the largest e^{-rt} - S e^{-qt} to tau, or 0.

    And whether that is to exercise now. It is also what no American price can be below.
    """
    best, now = max(1.0 - S, 0.0), S < 1.0
    if S > 0.0 and r not in (q, 0.0) and q * S / r > 0.0:
        t = math.log(q * S / r) / (q - r)
        if 0.0 < t < tau:
            between = math.exp(-r * t) - S * math.exp(-q * t)
            if between > best:
                best, now = between, False
    last = math.exp(-r * tau) - S * math.exp(-q * tau)
    if last > best:
        best, now = last, False
    return best, now


@watches(exercise_boundary_nodes)
@njit(cache=True, error_model="numpy")
def european_put(
    S: float, tau: float, r: float, q: float, vol: float
) -> tuple[float, float, float, float]:
    """A European put with K = 1: its value, e^{-r tau} Phi(-D-), S e^{-q tau} Phi(-D+), vega."""
    root_t = math.sqrt(tau)
    deviation, growth = vol * root_t, math.exp(-r * tau)
    down = (math.log(S) + (r - q) * tau) / deviation - 0.5 * deviation
    p_down, p_up = growth * cdf(-down), S * math.exp(-q * tau) * cdf(-down - deviation)
    return p_down - p_up, p_down, p_up, root_t * _PHI0 * math.exp(-0.5 * down * down) * growth


@watches(exercise_boundary, exercise_boundary_nodes, exercise_boundary_start, normal, status)
@njit(cache=True, error_model="numpy")
def put_value(  # noqa: C901, PLR0911 - one return a case of the head
    nodes: Nodes, work: Work, S: float, tau: float, r: float, q: float, vol: float, warm: bool
) -> tuple[float, float, float, float, float, float, float, int]:
    """P, P_S, P_SS, P_tau, P_vol, P_r, P_q and the status of an American put with K = 1.

    With ``warm`` the boundary search starts at what ``work.b`` holds, from a vol close by.
    """
    nan = math.nan
    if not (0.0 <= S < math.inf and 0.0 <= vol < math.inf and 0.0 <= tau < math.inf):
        return nan, nan, nan, nan, nan, nan, nan, _BAD
    if not (abs(r) < math.inf and abs(q) < math.inf):
        return nan, nan, nan, nan, nan, nan, nan, _BAD
    if tau == 0.0:
        return max(1.0 - S, 0.0), nan, nan, nan, nan, nan, nan, _EXPIRED
    if vol == 0.0 or S == 0.0:
        return certain_value(S, tau, r, q)[0], nan, nan, nan, nan, nan, nan, _CERTAIN
    if q < r < 0.0:
        return nan, nan, nan, nan, nan, nan, nan, _BAD
    P, p_down, p_up, P_vol = european_put(S, tau, r, q, vol)
    P_S, P_r, P_q = -p_up / S, -tau * p_down, tau * p_up
    # Never exercised early; or all that exercise can earn, 1 - e^{-r tau}, is nothing
    if r <= 0.0 <= q - r or (r * tau < _NOTHING and q >= 0.0):
        P = max(P, 1.0 - S) if r > 0.0 else P
        P_SS = P_vol / (S * S * vol * tau)
        P_tau = (r * P_r + q * P_q + 0.5 * vol * P_vol) / tau
        return P, P_S, P_SS, P_tau, P_vol, P_r, P_q, _OK
    b, dlog, g_over_b = work.b, work.changes, work.g_over_b
    if not warm:
        qd_plus(nodes.root * nodes.root * tau, r, q, vol, _START_ROUNDS, b)
    if not newton(nodes, tau, r, q, vol, _TOLERANCE, b, work.angles, work.jacobian):
        return nan, nan, nan, nan, nan, nan, nan, _FAILED
    moves, log_s = q > r and q > 0.0, math.log(S)
    log_x = math.log(r / q) if moves else 0.0
    if log_s <= log_x + b[b.size - 1]:
        return 1.0 - S, -1.0, 0.0, 0.0, 0.0, 0.0, 0.0, _EXERCISE
    tangents(nodes, tau, r, q, vol, b, work.angles, work.jacobian, dlog)
    interpolate(nodes.price_at, b, work.b_at)
    down_sum, up_sum, g, by_vol, by_r, by_q, g_time = _premium(
        nodes.price_sine, nodes.price_weight, work.b_at, log_s, log_x, tau, r, q, vol, g_over_b
    )
    P = max(P + r * down_sum - q * S * up_sum, 1.0 - S)
    P_S -= q * up_sum + g / S
    x_r, x_q = (1.0 / r, -1.0 / q) if moves else (0.0, 0.0)
    P_vol += by_vol
    P_r += by_r - g_time + g * x_r
    P_q += g_time - S * by_q + g * x_q
    for k in range(b.size):
        share = b[k] * dot(g_over_b, nodes.price_at[k])
        P_vol += share * dlog[0, k]
        P_r += share * dlog[1, k]
        P_q += share * dlog[2, k]
    P_tau = (r * P_r + q * P_q + 0.5 * vol * P_vol) / tau
    P_SS = 2.0 * (r * P - (r - q) * S * P_S + P_tau) / (vol * S) ** 2
    if not math.isfinite(P + P_S + P_SS + P_tau + P_vol + P_r + P_q):
        return nan, nan, nan, nan, nan, nan, nan, _FAILED
    return P, P_S, max(P_SS, 0.0), P_tau, P_vol, P_r, P_q, _OK


@watches(exercise_boundary, exercise_boundary_nodes, exercise_boundary_start, normal, status)
@njit(cache=True, error_model="numpy")
def price_all(
    nodes: Nodes,
    spot: FloatArray,
    strike: FloatArray,
    tau: FloatArray,
    rate: FloatArray,
    dividend_yield: FloatArray,
    vol: FloatArray,
    is_call: BoolArray,
    out: FloatArray,
    fate: NDArray[np.int8],
) -> None:
    """Write price, delta, gamma, theta, vega and rho, ``(6, n)``, and the status of each option.

    A call is a put with spot and strike, rate and dividend yield exchanged (McDonald and
    Schroder, J. Comp. Finance 1(3), 1998).
    """
    work = workspace(nodes)
    for i in range(spot.size):
        r, q = rate[i], dividend_yield[i]
        S, K = spot[i], strike[i]
        if is_call[i]:
            S, K, r, q = K, S, q, r
        if not (0.0 <= S < math.inf and 0.0 <= K < math.inf):
            out[:, i], fate[i] = math.nan, _BAD
            continue
        if K == 0.0:
            out[:, i], fate[i] = math.nan, _CERTAIN
            out[0, i] = 0.0
            continue
        m = S / K
        P, P_S, P_SS, P_tau, P_vol, P_r, P_q, fate[i] = put_value(
            nodes, work, m, tau[i], r, q, vol[i], False
        )
        out[0, i], out[3, i], out[4, i] = K * P, -K * P_tau, K * P_vol
        if is_call[i]:
            out[1, i], out[2, i], out[5, i] = P - m * P_S, m * m * P_SS / K, K * P_q
        else:
            out[1, i], out[2, i], out[5, i] = P_S, P_SS / K, K * P_r
