r"""At what price is a maker indifferent to one more contract, and what does he quote around it?

Avellaneda and Stoikov (2008): with exponential utility of aversion g, q held, variance V still to
come and fills at rate A e^{-k d} at distance d from the mid s,

    r = s - q g V,    half-spread = g V / 2 + (1/g) log(1 + g/k),

r halfway between the indifference prices of one more and one fewer. For them V = sigma^2 (T - t).

**The event.** What is left to come of a probability is V of :mod:`.event_value`, not phi(U)^2 L.
Near 0 and 1 the law is skewed and r = B - q g V can leave (0, 1). The default is therefore exact:
CE, the worth of an inventory held to the horizon, makes a bid indifferent at CE(q+1) - CE(q) and an
ask at CE(q) - CE(q-1), both inside (0, 1) always. Theirs is the expansion to first order in g. That
later fills may take inventory off is left out, as it is by them.

**An exposed asset** moves by G (B_T - B) + own noise of covariance C: with inventories q and q_B it
holds Q = q_B + G'q of the event, so r_i = s_i - g (Sigma q)_i with Sigma = G G' V + C, and exactly,
CE is that of Q less g q'C q / 2. A gap of standard error e adds e^2 V to the asset's own variance.

Reference: Avellaneda and Stoikov (2008), Quantitative Finance 8, eqs 29-30.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from eventtape.arrays import FloatArray, Status
from eventtape.errors import InputError
from eventtape.estimators.states.event_value import event_value, remaining_variance

__all__ = [
    "Quotes",
    "asset_quotes",
    "avellaneda_stoikov",
    "event_quotes",
]


class Quotes(NamedTuple):
    """What a maker shows; NaN where a side is not quoted. Prices in the asset's units."""

    bid: FloatArray
    ask: FloatArray
    reservation: FloatArray  # before ticks and bounds
    half_spread: FloatArray
    variance: FloatArray  # of what is still to come, per unit held
    status: Status


def avellaneda_stoikov(
    price: ArrayLike,
    inventory: ArrayLike,
    variance: ArrayLike,
    *,
    aversion: float,
    decay: ArrayLike,
) -> Quotes:
    """Bid and ask of eqs 29-30, in price units; arguments broadcast (``decay``: their k).

    ``variance`` is sigma^2 (T - t), or any variance still to come of one unit.
    """
    s, q, V, k = (np.asarray(v, np.float64) for v in (price, inventory, variance, decay))
    _check_quoting(aversion, k)
    if np.any(V < 0.0):
        raise InputError("a variance of 0 or more", met=float(V.min()))
    r = s - q * aversion * V
    half = np.broadcast_to(0.5 * aversion * V + np.log1p(aversion / k) / aversion, r.shape)
    status = Status.OK if np.isfinite(r + half).all() else Status.NOT_IDENTIFIED
    return Quotes(r - half, r + half, r, half, V, status)


def event_quotes(
    probability: ArrayLike,
    inventory: ArrayLike,
    *,
    aversion: float,
    decay: ArrayLike,
    information: ArrayLike = math.inf,
    filter_variance: ArrayLike = 0.0,
    tick: float = 0.01,
    bounds: tuple[float, float] = (0.0, 1.0),
    book: tuple[float, float] = (0.0, math.inf),
    most_held: float = math.inf,
    exact: bool = True,
) -> Quotes:
    """Bid and ask for a contract paying 1 on the event, on ticks inside (0, 1), arrays broadcast.

    Parameters
    ----------
    bounds
        what the contract is surely worth at least and at most; no bid above, no ask below.
    book
        the best bid and ask of others, which the quotes stay a tick away from crossing.
    most_held
        contracts either way beyond which the side that would add to them is not quoted.
    exact
        indifference prices of the binary law; else Avellaneda and Stoikov's expansion.

    Rounding is outward. A side with no tick left for it, a bid below one tick or an ask above
    1 - tick, is NaN.
    """
    k = np.asarray(decay, np.float64)
    _check_quoting(aversion, k)
    if not 0.0 < tick < 0.5:
        raise InputError("a tick between 0 and 1/2", met=tick)
    if not 0.0 <= bounds[0] <= bounds[1] <= 1.0:
        raise InputError("bounds in order within [0, 1]", met=bounds)
    if not 0.0 <= book[0] < book[1]:
        raise InputError("a best bid below the best ask", met=book)
    V = remaining_variance(probability, information, filter_variance=filter_variance)
    B, q = np.asarray(probability, np.float64), np.asarray(inventory, np.float64)
    if exact:
        lot = np.array([-1.0, 0.0, 1.0]).reshape(3, *(1,) * max(q.ndim, V.ndim))
        below, here, above = event_value(
            q + lot,
            B,
            aversion=aversion,
            information=information,
            filter_variance=filter_variance,
        )
        fill = np.log1p(aversion / k) / aversion
        bid, ask = above - here - fill, here - below + fill
    else:
        bid, ask = avellaneda_stoikov(B, q, V, aversion=aversion, decay=k)[:2]
    r, half = 0.5 * (bid + ask), 0.5 * (ask - bid)
    # 1e-9 of a tick: a price that is a tick but for rounding stays on it.
    bid = np.floor(np.minimum(bid, min(bounds[1], book[1] - tick)) / tick + 1e-9) * tick
    ask = np.ceil(np.maximum(ask, max(bounds[0], book[0] + tick)) / tick - 1e-9) * tick
    bid, ask = np.round(bid, 12), np.round(ask, 12)
    bid = np.where((bid > 0.5 * tick) & (q < most_held), np.minimum(bid, 1.0 - tick), math.nan)
    ask = np.where((ask < 1.0 - 0.5 * tick) & (q > -most_held), np.maximum(ask, tick), math.nan)
    status = Status.OK if np.isfinite(r).all() else Status.NOT_IDENTIFIED
    return Quotes(np.asarray(bid), np.asarray(ask), np.asarray(r), np.asarray(half), V, status)


def asset_quotes(
    prices: ArrayLike,
    gaps: ArrayLike,
    own_covariance: ArrayLike,
    inventory: ArrayLike,
    *,
    event_inventory: float,
    probability: float,
    aversion: float,
    decay: ArrayLike,
    information: float = math.inf,
    filter_variance: float = 0.0,
    gap_errors: ArrayLike = 0.0,
    exact: bool = True,
) -> Quotes:
    """Bid and ask for assets exposed to the event ``(n_assets,)``, skewed by all that is held.

    Parameters
    ----------
    gaps
        money per unit of probability ``(n_assets,)``; NaN where not identified: that asset is
        not quoted, and none is while it is held.
    own_covariance
        of what moves the assets besides the event, over the horizon ``(n, n)``.
    event_inventory
        event contracts held.
    gap_errors
        standard errors of the gaps ``(n_assets,)``.
    """
    s, G, q = (np.atleast_1d(np.asarray(v, np.float64)) for v in (prices, gaps, inventory))
    C = np.atleast_2d(np.asarray(own_covariance, np.float64))
    n = s.size
    if not s.shape == G.shape == q.shape == (n,) or C.shape != (n, n):
        raise InputError("a price, gap and inventory per asset", met=(s.shape, q.shape, C.shape))
    k = np.broadcast_to(np.asarray(decay, np.float64), (n,))
    _check_quoting(aversion, k)
    V = float(remaining_variance(probability, information, filter_variance=filter_variance))
    known = np.isfinite(G)
    g = np.where(known, G, 0.0)
    C = C + np.diag(np.where(known, np.broadcast_to(gap_errors, (n,)), 0.0) ** 2 * V)
    S = V * np.outer(g, g) + C
    if exact:
        Q = event_inventory + float(g @ q)
        below, here, above = event_value(
            Q + np.outer([-1.0, 0.0, 1.0], g),
            probability,
            aversion=aversion,
            information=information,
            filter_variance=filter_variance,
        )
        own, risk = C @ q, 0.5 * np.diag(C)
        bid = s - g * probability + (above - here) - aversion * (own + risk)
        ask = s - g * probability + (here - below) - aversion * (own - risk)
        fill = np.log1p(aversion / k) / aversion
        bid, ask = bid - fill, ask + fill
    else:
        r = s - aversion * (S @ q + V * g * event_inventory)
        half = 0.5 * aversion * np.diag(S) + np.log1p(aversion / k) / aversion
        bid, ask = r - half, r + half
    silent = ~known | bool(np.any(~known & (q != 0.0)))
    bid, ask = np.where(silent, math.nan, bid), np.where(silent, math.nan, ask)
    spread = np.where(known, np.diag(S), math.nan)
    status = Status.NOT_IDENTIFIED if silent.any() else Status.OK
    return Quotes(bid, ask, 0.5 * (bid + ask), 0.5 * (ask - bid), spread, status)


def _check_quoting(aversion: float, k: FloatArray) -> None:
    if not aversion > 0.0:
        raise InputError("an aversion above 0", met=aversion)
    if not np.all(k > 0.0):
        raise InputError("a decay of fills above 0", met=float(k.min()), column="decay")
