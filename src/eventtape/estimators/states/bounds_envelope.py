r"""Between what must the distribution of a state lie? Bounds strike by strike, from f and r alone.

A state of probability r holds a part of f: r F1(x) is at most F(x), and at most 1 - F(x) of the
state lies above, so::

    max(0, 1 - (1 - F(x)) / r) <= F1(x) <= min(1, F(x) / r),      0 <= f1(x) <= f(x) / r.

Each bound is reached at each x, but not at all x by one law.

Reference: Horowitz and Manski (1995), Econometrica 63, 281-302.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from eventtape.arrays import FloatArray
from eventtape.errors import InputError
from eventtape.estimators.density.density_quantities import density_at
from eventtape.estimators.density.fit import Density
from eventtape.estimators.pricing.terminal_law import TerminalLaw, check_strikes

__all__ = ["Envelope", "state_envelope"]


class Envelope(NamedTuple):
    """At strikes ``(n,)``: bounds of the state's distribution, the most its density can be.

    ``pdf_upper`` is per unit of strike. Errors are standard errors from the density's, 0 where a
    bound is 0 or 1 whatever the density, or the law is known.
    """

    strikes: FloatArray
    cdf_lower: FloatArray
    cdf_upper: FloatArray
    pdf_upper: FloatArray
    cdf_lower_error: FloatArray
    cdf_upper_error: FloatArray
    pdf_upper_error: FloatArray


def state_envelope(
    density: Density | TerminalLaw, probability: float, strikes: ArrayLike
) -> Envelope:
    """What the state with this ``probability`` can be: cdf between two bounds, pdf below one.

    For the state where the outcome does not happen it is 1 - p. NaN where the density has none.

    Raises
    ------
    InputError
        A probability that is not above 0 and at most 1, a strike that is not positive.
    """
    r = float(probability)
    if not 0.0 < r <= 1.0:
        raise InputError("a probability above 0, at most 1", met=r)
    K = np.atleast_1d(check_strikes(strikes))
    if isinstance(density, Density):
        at = density_at(density.smile, K)
        f, F, f_error, F_error = at.pdf, at.cdf, at.pdf_error, at.cdf_error
    else:
        f, F = density.pdf(K), density.cdf(K)
        f_error = F_error = np.zeros(K.size)
    low, high = 1.0 - (1.0 - F) / r, F / r
    known = np.where(np.isnan(F), math.nan, 0.0)
    return Envelope(
        K,
        np.maximum(low, 0.0),
        np.minimum(high, 1.0),
        np.maximum(f, 0.0) / r,
        np.where(low > 0.0, F_error / r, known),
        np.where(high < 1.0, F_error / r, known),
        f_error / r,
    )
