r"""Which volatility gives an American price?

Price rises with volatility from w, its value along the certain path (exercise now, or at the best
date), to K (K e^{-r tau} where waiting is free), so the price above w has one volatility, and a
price equal to w has none or a range of them. Newton's method on log(P - w) against log(vol), kept
inside a bracket: both ends of the scale are near straight lines there. It comes near on few nodes
and ends on those asked for. Vega and the move of the exercise boundary with volatility come with
each price, so a step begins at a boundary already shifted. K = 1, a call is a put with its numbers
exchanged.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from eventtape.arrays import BoolArray, FloatArray, watches
from eventtape.estimators.pricing import early_exercise, exercise_boundary_nodes, status
from eventtape.estimators.pricing.american import Accuracy, chosen_nodes, whole_columns
from eventtape.estimators.pricing.early_exercise import certain_value, european_put, put_value
from eventtape.estimators.pricing.exercise_boundary_nodes import Nodes, Work, nodes_of, workspace
from eventtape.estimators.pricing.implied_vol import ImpliedVol
from eventtape.estimators.pricing.status import PriceStatus

__all__ = ["ROUGH", "american_implied_vol", "vol_all"]

_OK, _BELOW, _ABOVE, _VAGUE, _EXPIRED, _BAD, _FAILED, _EXERCISE = (int(s) for s in PriceStatus)
ROUGH = (6, 8, 16)  # where the search runs until it is near
_ROUNDING = 2.3e-16
_STEPS = 80
_HIGHEST = 100.0
_NEAR, _DONE = 1e-3, 3e-6  # last relative steps: the error after one is of its square


def american_implied_vol(
    price: ArrayLike,
    spot: ArrayLike,
    strike: ArrayLike,
    tau: ArrayLike,
    rate: ArrayLike,
    dividend_yield: ArrayLike,
    *,
    is_call: ArrayLike,
    accuracy: Accuracy = "standard",
) -> ImpliedVol:
    """Volatility per sqrt(year) that gives each American price, and the status of each.

    Inputs broadcast against each other; units as in
    :func:`~eventtape.estimators.pricing.american.american`, whose price at the answer is the
    price given to 1e-10 of the strike. NaN unless ``OK``. ``AT_EXERCISE``: the price is that of
    exercise; ``BELOW_INTRINSIC``: less, or not above what the best date of a certain path pays;
    ``ABOVE_BOUND``: no volatility gives so much; ``ZERO_VEGA``: a rounding of the price moves the
    volatility by a hundredth; ``BAD_INPUT`` as for ``american``.

    >>> american_implied_vol(4.48667442, 36, 40, 1, 0.06, 0, is_call=False).vol.round(6)
    np.float64(0.2)
    """
    nodes = chosen_nodes(accuracy)
    shape, call, flat = whole_columns(
        is_call,
        price=price,
        spot=spot,
        strike=strike,
        tau=tau,
        rate=rate,
        dividend_yield=dividend_yield,
    )
    out, european, fate = np.empty(call.size), np.empty(call.size), np.empty(call.size, np.int8)
    vol_all(nodes_of(*ROUGH), nodes, *flat, call, out, european, fate)
    return ImpliedVol(out.reshape(shape)[()], fate.reshape(shape)[()])


@watches(early_exercise, exercise_boundary_nodes, status)
@njit(cache=True, error_model="numpy")
def vol_all(
    rough: Nodes,
    nodes: Nodes,
    price: FloatArray,
    spot: FloatArray,
    strike: FloatArray,
    tau: FloatArray,
    rate: FloatArray,
    dividend_yield: FloatArray,
    is_call: BoolArray,
    out: FloatArray,
    european: FloatArray,
    fate: NDArray[np.int8],
) -> None:
    """Write the vol of each price, the European price at that vol, and the status."""
    sketch, work = workspace(rough), workspace(nodes)
    for i in range(price.size):
        r, q, S, K = rate[i], dividend_yield[i], spot[i], strike[i]
        if is_call[i]:
            S, K, r, q = K, S, q, r
        out[i] = european[i] = math.nan
        good = 0.0 <= S < math.inf and 0.0 < K < math.inf and 0.0 <= price[i] < math.inf
        if not (good and 0.0 <= tau[i] < math.inf and abs(r) < math.inf and abs(q) < math.inf):
            fate[i] = _BAD
        else:
            out[i], fate[i] = _one_vol(
                rough, sketch, nodes, work, price[i] / K, S / K, tau[i], r, q
            )
            if fate[i] == _OK:
                european[i] = K * european_put(S / K, tau[i], r, q, out[i])[0]


@watches(early_exercise, exercise_boundary_nodes, status)
@njit(cache=True, error_model="numpy")
def _one_vol(  # noqa: C901, PLR0911, PLR0912 - one return a status
    rough: Nodes,
    sketch: Work,
    nodes: Nodes,
    work: Work,
    p: float,
    S: float,
    tau: float,
    r: float,
    q: float,
) -> tuple[float, int]:
    """The vol of a put worth p, K = 1, and its status."""
    nan = math.nan
    if q < r < 0.0:
        return nan, _BAD
    if tau == 0.0:
        return nan, _EXPIRED
    rounding = 4.0 * _ROUNDING * max(p, 1.0 - S)
    least, now = certain_value(S, tau, r, q)
    if p - least <= rounding:
        return nan, _EXERCISE if now and p - least >= -rounding else _BELOW
    if p >= (1.0 if r >= 0.0 else math.exp(-r * tau)):
        return nan, _ABOVE
    if S == 0.0:
        return nan, _BAD
    root_t, wanted = math.sqrt(tau), math.log(p - least)
    x = math.log(S) + (r - q) * tau
    vol = max(math.sqrt(2.0 * abs(x)), 2.5 * (p - least) / math.sqrt(S)) / root_t
    vol = min(max(vol, 1e-4), 4.0 / root_t)
    P, low, high, warm, fine = nan, 0.0, math.inf, False, False
    for _ in range(_STEPS):
        if fine:
            P, _, _, _, P_vol, _, _, code = put_value(nodes, work, S, tau, r, q, vol, warm)
        else:
            P, _, _, _, P_vol, _, _, code = put_value(rough, sketch, S, tau, r, q, vol, warm)
        if code == _FAILED:
            if not warm:
                return nan, _FAILED
            warm = False
            continue
        if P > p:  # noqa: SIM300 - both vary
            high = vol
        else:
            low = vol
        new = nan
        if code == _OK and P_vol > 0.0 and P > least:  # noqa: SIM300
            gain = P_vol * vol / (P - least)
            new = vol * math.exp(min(max((wanted - math.log(P - least)) / gain, -2.0), 2.0))
        done = abs(new - vol) <= (_DONE if fine else _NEAR) * vol
        if done or (high < math.inf and high - low <= 1e-14 * high):
            new = new if done else vol
            if fine:
                vague = rounding > 0.01 * vol * P_vol
                return (nan, _VAGUE) if vague else (new, _OK)
            low, high, warm, fine, vol = 0.0, math.inf, False, True, new
            continue
        if not low < new < high:
            new = 0.5 * (low + high) if high < math.inf else 1.6 * vol
        if new > _HIGHEST / root_t:
            return nan, _VAGUE
        warm = code == _OK and abs(new / vol - 1.0) < 0.3
        if warm:
            b, dlog = (work.b, work.changes) if fine else (sketch.b, sketch.changes)
            for k in range(b.size):
                b[k] = min(b[k] + dlog[0, k] * (new - vol), 0.5 * b[k])
        vol = new
    # Rounding of both prices can hide a root so shallow that no step settles
    return nan, _VAGUE if abs(P - p) <= 1e-12 * max(1.0, p) else _FAILED
