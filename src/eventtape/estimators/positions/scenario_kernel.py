"""The profit of a position in every cell of spot, volatility and term structure, in one kernel.

What hangs on the price alone (log(F / K), sqrt(F K), the intrinsic value) is computed once a leg
and spot; what hangs on the volatility alone is a constant of the innermost loop, which runs over
spots and is straight arithmetic that the compiler vectorises.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from eventtape.arrays import BoolArray, FloatArray, watches
from eventtape.estimators.pricing import black, normal
from eventtape.estimators.pricing.black import normalised_price
from eventtape.estimators.pricing.normal import log_of_ratio

__all__ = ["add_legs"]


@watches(black, normal)
@njit(cache=True, error_model="numpy")
def add_legs(
    forward: FloatArray,
    quantity: FloatArray,
    strike: FloatArray,
    is_call: BoolArray,
    root_tau: FloatArray,
    vol: FloatArray,
    vol_moves: FloatArray,
    term_shift: FloatArray,
    inverse: bool,
    out: FloatArray,
) -> None:
    """Add what the legs are worth to ``out (n_terms, n_vols, n_spots)``.

    ``forward (n_legs, n_spots)``, ``term_shift (n_terms, n_legs)``; a volatility moved below 0
    counts as 0.
    """
    n = forward.shape[1]
    x, scale, sure = np.empty(n), np.empty(n), np.empty(n)
    for leg in range(quantity.size):
        q, K, sign = quantity[leg], strike[leg], 1.0 if is_call[leg] else -1.0
        for i in range(n):
            F = forward[leg, i]
            unit = q / F if inverse else q
            x[i] = log_of_ratio(F, K)
            scale[i] = unit * (math.sqrt(F) * math.sqrt(K))
            sure[i] = unit * max(sign * (F - K), 0.0)
        for k in range(term_shift.shape[0]):
            for m in range(vol_moves.size):
                s = max(vol[leg] + vol_moves[m] + term_shift[k, leg], 0.0) * root_tau[leg]
                row = out[k, m]
                for i in range(n):
                    row[i] += sure[i] + scale[i] * normalised_price(x[i], s)
