"""What an exposure is asked of: arrays that fit together, or an error that says which do not."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from eventtape.arrays import FloatArray
from eventtape.errors import InputError

__all__ = ["checked", "instruments", "others_held"]


def checked(
    times: ArrayLike, prices: ArrayLike, p: ArrayLike, p_other: ArrayLike | None
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray | None]:
    """Times from the first, prices ``(n, m)``, p and the second p, as arrays that fit together."""
    stamps = np.asarray(times)
    y, q = np.asarray(prices, np.float64), np.asarray(p, np.float64)
    y = y[:, None] if y.ndim == 1 else y
    other = None if p_other is None else np.asarray(p_other, np.float64)
    shapes = (stamps.shape, y.shape, q.shape)
    if stamps.ndim != 1 or y.ndim != 2 or not stamps.size or y.shape[1] == 0:
        raise InputError("times (n,), prices (n, m) or (n,), p (n,)", met=shapes)
    if y.shape[0] != stamps.size or q.shape != stamps.shape:
        raise InputError("times, prices and p of one length n", met=shapes)
    if other is not None and other.shape != q.shape:
        raise InputError("a second p of the shape of p", met=other.shape)
    t = np.asarray(stamps - stamps[0], np.float64)
    if not np.all(np.diff(t) > 0.0):
        raise InputError("times that rise", row=int(np.argmin(np.diff(t) > 0.0)) + 1)
    for name, x in (("p", q), ("p_other", other)):
        if x is not None and np.any((x <= 0.0) | (x >= 1.0)):
            row = int(np.argmax((x <= 0.0) | (x >= 1.0)))
            raise InputError("probabilities inside (0, 1)", met=float(x[row]), row=row, column=name)
    if np.any(np.isinf(y)):
        raise InputError("finite prices, NaN where not seen", column="prices")
    return t, y, q, other


def instruments(
    t: FloatArray,
    y: FloatArray,
    strikes: ArrayLike | None,
    forward: ArrayLike | None,
    *,
    hold_forward: bool,
) -> tuple[FloatArray, FloatArray, list[FloatArray]]:
    """Strikes as given (none: empty), prices with the forward in front, and what it adds to hold.

    Held is half the square about the mean, and the forward itself.
    """
    K = np.empty(0) if strikes is None else np.asarray(strikes, np.float64)
    if strikes is not None and not (
        K.shape == (y.shape[1],) and np.all(K > 0.0) and np.all(np.diff(K) > 0.0)
    ):
        raise InputError(f"{y.shape[1]} positive strikes that rise", met=K.tolist())
    if forward is None:
        if hold_forward:
            raise InputError("a forward to hold fixed")
        return K, y, []
    F = np.asarray(forward, np.float64)
    if F.shape != t.shape or np.any(F <= 0.0):
        raise InputError("positive forwards (n,)", met=F.shape)
    if hold_forward:
        away = F - np.nanmean(F)
        return K, y, [away, 0.5 * away**2]
    if not K.size:
        raise InputError("strikes beside a forward: without, the forward is itself the price")
    return K, np.column_stack([F, y]), []


def others_held(
    t: FloatArray, held: list[FloatArray], controls: ArrayLike | None, *, trend: bool
) -> FloatArray:
    """What is held fixed beside p: ``(n, k)``."""
    columns = list(held)
    if trend:
        columns.append(t / t[-1])
    if controls is not None:
        z = np.asarray(controls, np.float64)
        z = z[:, None] if z.ndim == 1 else z
        if z.ndim != 2 or z.shape[0] != t.size:
            raise InputError("controls of shape (n, k)", met=z.shape)
        columns += list(z.T)
    return np.column_stack(columns) if columns else np.empty((t.size, 0))
