r"""The characteristic function E[exp(iu log(S / F))] of a smile's law, with errors.

A sum of the closed-form density of y = log(S / F) over the nodes of
:mod:`.density_quantities_nodes`, whose panels shorten as u grows; what lies beyond them is under
1e-10 by far. It is that of the whole law: beyond the quotes' stretch the volatility goes flat, so
each tail is lognormal, and phi(-i) = 1 as the mean is the forward. y has no forward in it, so the
forward's error does not enter.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from eventtape.arrays import FloatArray, Status
from eventtape.errors import InputError
from eventtape.estimators.density.breeden_litzenberger import Smile
from eventtape.estimators.density.density_quantities_nodes import error_of, law_nodes

__all__ = ["CharacteristicFunction", "characteristic_function"]

_MOST_WAVES = 2000.0  # in units of 1 / v_0: beyond, the panels would be too many


class CharacteristicFunction(NamedTuple):
    """phi(u) ``(n,)`` and the standard errors of its real and imaginary parts."""

    values: NDArray[np.complex128]
    real_errors: FloatArray
    imaginary_errors: FloatArray
    status: Status


def characteristic_function(smile: Smile, frequencies: ArrayLike) -> CharacteristicFunction:
    """E[exp(iu log(S / F))] at real frequencies u ``(n,)``.

    Raises
    ------
    InputError
        A frequency that is not finite, or of more than 2,000 / v_0, v_0 the total volatility at
        the forward: there phi is nothing but rounding.
    """
    u = np.atleast_1d(np.asarray(frequencies, np.float64))
    bad = np.flatnonzero(~(np.abs(u) * np.nan_to_num(smile.reference) <= _MOST_WAVES))
    if bad.size:
        row, met = int(bad[0]) + 1, float(u[bad[0]])
        raise InputError("a frequency within 2,000 / v_0", met=met, row=row, column="frequencies")
    nodes = law_nodes(smile, wave=float(np.abs(u).max(initial=0.0)))
    if nodes is None:
        nothing = np.full(u.size, math.nan)
        return CharacteristicFunction(nothing + 0j, nothing, nothing.copy(), Status.NOT_IDENTIFIED)
    turn = u[:, None] * nodes.y
    real, real_slope = nodes.expect(np.cos(turn))
    imaginary, imaginary_slope = nodes.expect(np.sin(turn))
    return CharacteristicFunction(
        real + 1j * imaginary,
        error_of(smile, real_slope),
        error_of(smile, imaginary_slope),
        Status.OK,
    )
