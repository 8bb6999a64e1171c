"""The least change that meets linear conditions: min |x| with G x >= h.

By non-negative least squares on the dual (Lawson and Hanson 1974, ch. 23): exact, no step sizes.
Shared by the repairs of smiles and of call curves.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import nnls

from eventtape.arrays import FloatArray

__all__ = ["least_distance"]

_INFEASIBLE = 1e-12


def least_distance(G: FloatArray, h: FloatArray, *, slack: float = 1e-9) -> FloatArray | None:
    """The shortest x with G x >= h; None where there is none, or where the search does not end.

    ``slack``: how far, over the largest h of rows of unit length, a condition may be missed.
    """
    size = np.linalg.norm(G, axis=1)
    use = size > 0.0
    if (h[~use] > 0.0).any():
        return None
    G, h = G[use] / size[use, None], h[use] / size[use]
    unit = float(h.max(initial=0.0))
    if unit <= 0.0:
        return np.zeros(G.shape[1])
    E = np.vstack([G.T, h / unit])
    f = np.zeros(E.shape[0])
    f[-1] = 1.0
    try:
        u, _ = nnls(E, f, maxiter=30 * E.shape[1])
    except RuntimeError:
        return None
    r = E @ u - f
    if not -r[-1] > _INFEASIBLE:
        return None
    x = -r[:-1] / r[-1]
    if (G @ x - h / unit).min() < -slack:
        return None
    return np.asarray(x * unit)
