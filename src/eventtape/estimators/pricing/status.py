"""The fate of each price or volatility of an array: one small whole number an element.

An answer in the shape of its quotes cannot carry one :class:`~eventtape.arrays.Status`; each
element has a code of this enumeration instead, and is NaN unless the code says otherwise.

>>> PriceStatus(1).name
'BELOW_INTRINSIC'
"""

from __future__ import annotations

from enum import IntEnum

__all__ = ["PriceStatus"]


class PriceStatus(IntEnum):
    """What became of one option; ``OK`` is 0, so that ``status == 0`` or ``~status.any()`` asks.

    - ``BELOW_INTRINSIC``: the price is below what exercise at once, or the forward, secures.
    - ``ABOVE_BOUND``: the price is above its largest, the discounted forward of a call or strike of
      a put.
    - ``ZERO_VEGA``: the price does not determine a volatility. It is on one of its bounds to the
      rounding of a double, or so close that its last digit moves the volatility by 1 part in 1000.
    - ``EXPIRED``: no time is left, so no volatility is in the price.
    - ``BAD_INPUT``: a value that is no number, or not of the sign it must have.
    - ``NO_CONVERGENCE``: the search ended without an answer.
    - ``AT_EXERCISE``: an American price equal to its exercise value, which a range of volatilities
      gives.
    """

    OK = 0
    BELOW_INTRINSIC = 1
    ABOVE_BOUND = 2
    ZERO_VEGA = 3
    EXPIRED = 4
    BAD_INPUT = 5
    NO_CONVERGENCE = 6
    AT_EXERCISE = 7
