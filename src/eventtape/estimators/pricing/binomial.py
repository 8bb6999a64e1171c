r"""Prices and Greeks of European and American options on binomial trees, cash dividends included.

The stock is lognormal, dS / S = (r - q) dt + sigma dW, and falls by D on an ex-date. Three trees:

- ``"crr"``: Cox, Ross and Rubinstein (1979), the textbook one. Error O(1/n), with a saw's teeth.
- ``"leisen-reimer"``: centred on the strike, odd n; O(n^-2) for Europeans, smooth O(1/n) else.
- ``"smoothed"``: binomial Black-Scholes with Richardson extrapolation, 2 V(n) - V(n/2) (Broadie and
  Detemple, 1996), on price and every Greek. The default, and the one for implied volatilities.

Cash dividends (``dividend_model``):

- ``"piecewise-lognormal"``: the stock itself is lognormal between ex-dates, the value is read at
  S - D on each (:mod:`eventtape.estimators.pricing.binomial_sweep`). One process for all expiries.
- ``"escrowed"``: the stock less the present value of its dividends is lognormal. Quick and usual,
  with a known fault: the process depends on the option's expiry, the dividend money does not
  move before it is paid, and calls on a stock with a late dividend come out too cheap at the same
  volatility (Haug, Haug and Lewis, 2003).

Greeks: ``"tree"`` takes delta, gamma and theta from the first two steps (Hull's way), vega and
rho as exact tangents of the sweep; ``"muroi-suda"`` takes all five by discrete Malliavin weights
(:mod:`eventtape.estimators.pricing.muroi_suda`). Units: years, volatility per sqrt(year), rates
continuous per year; vega per 1.00 of volatility, rho per 1.00 of rate, theta per year that passes.
"""

from __future__ import annotations

from typing import NamedTuple

from numpy.typing import ArrayLike

from eventtape.arrays import FloatArray, IntArray
from eventtape.estimators.pricing.tree_options import (
    DividendModel,
    Dividends,
    Exercise,
    Greeks,
    Tree,
    options_of,
    steps_of,
)
from eventtape.estimators.pricing.tree_prices import tree_prices

__all__ = ["TreePrice", "binomial"]


class TreePrice(NamedTuple):
    """Price and Greeks, each of the shape of the broadcast input, with a code for each option.

    - ``delta``, ``gamma``: per unit of spot; ``theta``: per year of time passing;
    - ``vega``: per 1.00 of volatility; ``rho``: per 1.00 of rate;
    - ``status``: :class:`~eventtape.estimators.pricing.status.PriceStatus` codes. ``AT_EXERCISE``:
      worth exactly its exercise value, with the Greeks of that. ``EXPIRED``: the exercise value at
      ``tau`` 0, no Greeks. ``ZERO_VEGA``: nothing is random (volatility, spot or strike 0); the
      price is that of the best date along the one path, no Greeks. ``NO_CONVERGENCE``: a step
      drifts further than it spreads; more steps, or nothing: all NaN. ``BAD_INPUT``: all NaN.
    """

    price: FloatArray
    delta: FloatArray
    gamma: FloatArray
    theta: FloatArray
    vega: FloatArray
    rho: FloatArray
    status: IntArray


def binomial(
    spot: ArrayLike,
    strike: ArrayLike,
    tau: ArrayLike,
    rate: ArrayLike,
    dividend_yield: ArrayLike,
    vol: ArrayLike,
    *,
    is_call: ArrayLike,
    exercise: Exercise = "american",
    tree: Tree = "smoothed",
    steps: int | None = None,
    dividends: Dividends = None,
    dividend_model: DividendModel = "piecewise-lognormal",
    greeks: Greeks = "tree",
) -> TreePrice:
    """Price, delta, gamma, theta, vega, rho and status of each option on a tree.

    Inputs broadcast against each other. ``steps`` (500; 501 for Leisen-Reimer) must be odd for
    Leisen-Reimer and even for the smoothed tree. ``dividends`` is ``(times, amounts)``: years from
    now to each ex-date and cash a share, dividends along the last axis, any leading axes those of
    the options; only dates strictly between now and expiry count. Time O(steps^2) an option,
    memory O(steps).

    >>> put = binomial(50, 50, 5 / 12, 0.1, 0, 0.4, is_call=False, tree="crr", steps=5)
    >>> round(float(put.price), 4)
    4.4885
    """
    n = steps_of(tree, steps)
    options = options_of(
        spot, strike, tau, rate, dividend_yield, vol,
        is_call=is_call, dividends=dividends, exercise=exercise, column="vol",
    )  # fmt: skip
    found, code = tree_prices(
        options, options.third, tree=tree, steps=n, dividend_model=dividend_model, greeks=greeks
    )
    price, delta, gamma, theta, vega, rho = (x.reshape(options.shape) for x in found.T)
    return TreePrice(price, delta, gamma, theta, vega, rho, code.reshape(options.shape))
