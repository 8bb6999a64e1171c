"""Polynomials of degree 11 on panels, by their Legendre coefficients: values, integrals, quantiles.

With P_l the Legendre polynomials, sum a_l P_l(s) has the integral from -1 to s of the sum of
a_l (P_(l+1)(s) - P_(l-1)(s)) / (2 l + 1). A panel from e_j to e_(j+1) has s from -1 to 1.
"""

from __future__ import annotations

from numba import njit

from eventtape.arrays import FloatArray

__all__ = ["add_weights", "clear", "integral", "panel_of", "point_of", "quantile_place", "value_of"]

_STEPS = 60


@njit(cache=True, error_model="numpy")
def value_of(a: FloatArray, s: float) -> float:
    """The polynomial at s."""
    before, here = 1.0, s
    total = a[0] + a[1] * s
    for l in range(2, a.size):
        before, here = here, ((2.0 * l - 1.0) * s * here - (l - 1.0) * before) / l
        total += a[l] * here
    return float(total)


@njit(cache=True, error_model="numpy")
def integral(a: FloatArray, s: float) -> float:
    """Its integral from -1 to s."""
    before, here = 1.0, s
    total = a[0] * (s + 1.0)
    for l in range(1, a.size):
        after = ((2.0 * l + 1.0) * s * here - l * before) / (l + 1.0)
        total += a[l] * (after - before) / (2.0 * l + 1.0)
        before, here = here, after
    return float(total)


@njit(cache=True, error_model="numpy")
def add_weights(waves_of: FloatArray, s: float, sign: float, out: FloatArray) -> None:
    """Add to ``out`` the weight of each node in an integral from -1 to s, over its whole weight.

    ``waves_of`` ``(12, 12)`` turns values at the nodes into coefficients.
    """
    before, here = 1.0, s
    term = s + 1.0
    for l in range(out.size):
        if l > 0:
            after = ((2.0 * l + 1.0) * s * here - l * before) / (l + 1.0)
            term = (after - before) / (2.0 * l + 1.0)
            before, here = here, after
        for j in range(out.size):
            # Row 0 is half the weights: the coefficients over them stay in reach of rounding
            out[j] += sign * term * waves_of[l, j] / (2.0 * waves_of[0, j])


@njit(cache=True, error_model="numpy")
def _last_below(rising: FloatArray, x: float) -> int:
    """The last panel whose left edge is below x, else the first."""
    low, high = 0, rising.size - 1
    while high - low > 1:
        middle = (low + high) // 2
        if rising[middle] < x:
            low = middle
        else:
            high = middle
    return low


@njit(cache=True, error_model="numpy")
def panel_of(edges: FloatArray, t: float) -> tuple[int, float]:
    """Panel and s of a point, which is brought to the ends where it lies beyond."""
    j = _last_below(edges, t)
    s = (2.0 * t - edges[j] - edges[j + 1]) / (edges[j + 1] - edges[j])
    return j, min(max(s, -1.0), 1.0)


@njit(cache=True, error_model="numpy")
def quantile_place(
    edges: FloatArray, density: FloatArray, total: FloatArray, level: float
) -> tuple[int, float]:
    """Panel and s below which ``level`` of the mass lies; ``total`` is the mass up to each edge."""
    j = _last_below(total, level)
    half = 0.5 * (edges[j + 1] - edges[j])
    wanted = (level - total[j]) / half
    low, high = -1.0, 1.0
    mass = (total[j + 1] - total[j]) / half
    s = min(max(2.0 * wanted / mass - 1.0, -1.0), 1.0) if mass > 0.0 else 0.0
    for _ in range(_STEPS):
        miss = integral(density[j], s) - wanted
        if miss > 0.0:
            high = s
        else:
            low = s
        f = value_of(density[j], s)
        new = s - miss / f if f > 0.0 else 2.0
        if not low <= new <= high:
            new = 0.5 * (low + high)
        if abs(new - s) < 1e-15:
            break
        s = new
    return j, s


@njit(cache=True, error_model="numpy")
def point_of(edges: FloatArray, j: int, s: float) -> float:
    """The point at s of panel j."""
    return float(0.5 * (edges[j] + edges[j + 1]) + 0.5 * s * (edges[j + 1] - edges[j]))


@njit(cache=True, error_model="numpy")
def clear(x: FloatArray) -> None:
    """Nothing: ``x`` is set to 0."""
    for i in range(x.size):
        x[i] = 0.0
