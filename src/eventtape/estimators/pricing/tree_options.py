"""What a user hands to a tree, made flat float arrays of one length or refused by name."""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from eventtape.arrays import BoolArray, FloatArray
from eventtape.errors import InputError

__all__ = [
    "DividendModel", "Dividends", "Exercise", "Greeks", "Options", "Tree", "chosen", "options_of",
    "steps_of",
]  # fmt: skip

Exercise = Literal["american", "european"]
Tree = Literal["crr", "leisen-reimer", "smoothed"]
DividendModel = Literal["piecewise-lognormal", "escrowed"]
Greeks = Literal["tree", "muroi-suda"]
Dividends = tuple[ArrayLike, ArrayLike] | None


class Options(NamedTuple):
    """Contracts and their market, each ``(n,)``, dividends ``(n, n_dividends)``.

    - ``sign``: +1 for a call, -1 for a put; ``sound``: whether every number can be meant.
    - ``shape``: that of the broadcast input.
    """

    spot: FloatArray
    strike: FloatArray
    tau: FloatArray
    rate: FloatArray
    dividend_yield: FloatArray
    sign: FloatArray
    third: FloatArray
    times: FloatArray
    amounts: FloatArray
    american: bool
    sound: BoolArray
    shape: tuple[int, ...]

    def rows(self, at: NDArray[np.int64]) -> Options:
        """Some of these options."""
        S, K, T, r, q, sign, third, times, amounts = (field[at] for field in self[:9])
        some = (S, K, T, r, q, sign, third, times, amounts)
        return Options(*some, self.american, self.sound[at], (at.size,))


def options_of(
    spot: ArrayLike,
    strike: ArrayLike,
    tau: ArrayLike,
    rate: ArrayLike,
    dividend_yield: ArrayLike,
    third: ArrayLike,
    *,
    is_call: ArrayLike,
    dividends: Dividends,
    exercise: Exercise,
    column: str,
) -> Options:
    """The options broadcast and flattened; ``third`` is their volatility or their price."""
    named = {
        "spot": spot, "strike": strike, "tau": tau, "rate": rate,
        "dividend_yield": dividend_yield, column: third,
    }  # fmt: skip
    numbers = [_numbers(value, name) for name, value in named.items()]
    call = np.asarray(is_call)
    if call.dtype != np.bool_:
        raise InputError("booleans, True for calls", met=str(call.dtype), column="is_call")
    times, amounts = _dividends(dividends)
    try:
        shape = np.broadcast_shapes(
            *(x.shape for x in numbers), call.shape, times.shape[:-1], amounts.shape[:-1]
        )
        paid = np.broadcast_shapes(times.shape, amounts.shape, (*shape, 1))
    except ValueError:
        met = [x.shape for x in (*numbers, call, times, amounts)]
        raise InputError("shapes that broadcast", met=met) from None
    flat = [np.broadcast_to(x, shape).reshape(-1).copy() for x in numbers]
    sign = np.where(np.broadcast_to(call, shape).reshape(-1), 1.0, -1.0)
    n = sign.size
    when, much = (np.broadcast_to(x, paid).reshape(n, paid[-1]).copy() for x in (times, amounts))
    S, K, T, r, q, v = flat
    sound = np.isfinite(S) & np.isfinite(K) & np.isfinite(T) & np.isfinite(r) & np.isfinite(q)
    sound &= np.isfinite(v) & (S >= 0.0) & (K >= 0.0) & (T >= 0.0) & (v >= 0.0)
    sound &= np.isfinite(when).all(axis=1) & (np.isfinite(much) & (much >= 0.0)).all(axis=1)
    american = chosen(exercise, Exercise, "exercise") == "american"
    return Options(S, K, T, r, q, sign, v, when, much, american, sound, shape)


def chosen(value: str, wanted: object, column: str) -> str:
    """The value, once it is one of a Literal's."""
    if value not in get_args(wanted):
        raise InputError(f"one of {', '.join(get_args(wanted))}", met=value, column=column)
    return value


def steps_of(tree: str, steps: int | None) -> int:
    """The number of steps, of the parity that the tree needs."""
    chosen(tree, Tree, "tree")
    if steps is None:
        return 501 if tree == "leisen-reimer" else 500
    if isinstance(steps, bool) or not isinstance(steps, int | np.integer) or steps < 4:
        raise InputError("a whole number of at least 4 steps", met=steps, column="steps")
    if tree == "leisen-reimer" and steps % 2 == 0:
        raise InputError("an odd number of steps for a Leisen-Reimer tree", met=int(steps))
    if tree == "smoothed" and steps % 2:
        raise InputError("an even number of steps for a smoothed tree", met=int(steps))
    return int(steps)


def _numbers(value: ArrayLike, column: str) -> FloatArray:
    try:
        x = np.asarray(value)
    except ValueError:
        raise InputError("numbers", met="rows of unequal length", column=column) from None
    if x.dtype.kind not in "iuf":
        raise InputError("numbers", met=str(x.dtype), column=column)
    return np.asarray(x, np.float64)


def _dividends(dividends: Dividends) -> tuple[FloatArray, FloatArray]:
    if dividends is None:
        return np.zeros(1), np.zeros(1)
    if not isinstance(dividends, tuple) or len(dividends) != 2:
        raise InputError("(times, amounts)", met=type(dividends).__name__, column="dividends")
    times = np.atleast_1d(_numbers(dividends[0], "dividend times"))
    return times, np.atleast_1d(_numbers(dividends[1], "dividend amounts"))
