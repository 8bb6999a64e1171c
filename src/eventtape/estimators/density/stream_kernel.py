r"""One quote in, one density out: what a new quote changes in a fitted smile.

With the hyper-parameters held, a smile is the solution of its normal equations, and a quote is one
row of them: taking the old row out and putting the new one in moves A and b by two rank-one terms.
Then the coefficients are solved anew from A, of size p = 20 to 62 whatever the number of quotes, so
that no error of an earlier solution is carried on; A itself is summed again from the rows after
``_AGAIN`` changes, which keeps the rounding of taking out below 1e-9.

When the forward or the time changes every row changes: the chain is summed again, nothing is
solved for anew but the coefficients. The reference v_0 goes with sqrt(tau), so that the smile is
held in volatility; the grid is held in x, so its strikes move with the forward.

Rows are contracts over all chains, in any order; ``chain`` ``(m,)`` says whose they are. All
arrays are changed in place.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from eventtape.arrays import BoolArray, FloatArray, IntArray, watches
from eventtape.estimators.density import (
    breeden_litzenberger,
    smile_columns,
    smile_evidence,
    smile_observations,
)
from eventtape.estimators.density.breeden_litzenberger import law_of_smile
from eventtape.estimators.density.smile_columns import (
    PLACES,
    smile_places,
    smile_sum,
)
from eventtape.estimators.density.smile_columns import smile_columns as fill_columns
from eventtape.estimators.density.smile_evidence import posterior
from eventtape.estimators.density.smile_observations import (
    LEAST_QUOTES,
    QuoteFate,
    judged,
    observe,
    observe_all,
)

__all__ = [
    "CENTRE",
    "COLUMNS",
    "DISCOUNT",
    "FORWARD",
    "FORWARD_ERROR",
    "HALF",
    "LEAN",
    "LOG_KAPPA",
    "NUMBERS",
    "RATE",
    "RESOLVED",
    "SCALE",
    "SINCE",
    "TAU",
    "TICK",
    "USED",
    "V0",
    "StreamState",
    "fill_row",
    "solve_chain",
    "sum_chain",
    "take_quotes",
]

NUMBERS = 16  # a chain, at these places
FORWARD, DISCOUNT, TAU, TICK, V0, CENTRE, HALF, LOG_KAPPA, SCALE, LEAN = range(10)
COLUMNS, SINCE, RATE, USED, FORWARD_ERROR, RESOLVED = range(10, NUMBERS)
_AGAIN = 1000
_OUTLIER = int(QuoteFate.OUTLIER)


class StreamState(NamedTuple):
    """All chains of a stream, as arrays; a snapshot is a copy of these.

    Contracts: ``chain``, ``strikes``, ``is_call``, ``fates`` ``(m,)``; ``quotes`` ``(4, m)``;
    ``rows`` ``(m, P)``, their columns and last z; ``seen`` ``(2, m)``, y and 1 / R.
    Chains: ``numbers`` ``(c, 16)`` (forward, discount, tau, tick, v_0, centre, half, log kappa,
    c^2, prior mean of lambda, columns p, changes since the last sum, rate, quotes used, forward's
    error, 1 if resolved; ``discount`` is exp(-rate tau) where the rate is a number), ``lam``
    ``(c, P)``, ``A`` ``(c, P, P)``, ``b`` and ``coefficients`` ``(c, P)``, ``x`` and ``grid``
    ``(c, G)``, ``places`` ``(c, 11, G)``,
    ``law`` ``(c, 3, G)``: total volatility, density, distribution.
    """

    chain: IntArray
    strikes: FloatArray
    is_call: BoolArray
    fates: NDArray[np.int8]
    quotes: FloatArray
    rows: FloatArray
    seen: FloatArray
    numbers: FloatArray
    lam: FloatArray
    A: FloatArray
    b: FloatArray
    coefficients: FloatArray
    x: FloatArray
    grid: FloatArray
    places: FloatArray
    law: FloatArray


@njit(cache=True, error_model="numpy", fastmath={"contract", "nsz"})
def _weigh(
    sign: float, row: FloatArray, y: float, weight: float, A: FloatArray, b: FloatArray
) -> None:
    """Add one row to the lower half of A and to b, or take it out."""
    for j in range(b.size):
        part = sign * weight * row[j]
        b[j] += part * y
        for k in range(j + 1):
            A[j, k] += part * row[k]


@watches(smile_observations)
@njit(cache=True, error_model="numpy")
def _see(state: StreamState, i: int, at: FloatArray) -> None:
    """Observe contract i: its fate, y, 1 / R and z, from its quote and its chain's numbers."""
    fate, _, v, z, wide, fine = observe(
        state.strikes[i], state.is_call[i], state.quotes[0, i], state.quotes[1, i],
        state.quotes[2, i], state.quotes[3, i], at[FORWARD], at[DISCOUNT], at[TICK],
    )  # fmt: skip
    v0 = at[V0]
    state.fates[i] = judged(fate, state.is_call[i], state.strikes[i], at[FORWARD], v0)
    if state.fates[i] == 0:
        state.seen[0, i] = v / v0 - 1.0
        state.seen[1, i] = v0 * v0 / (at[SCALE] * wide + fine)
        state.rows[i, int(at[COLUMNS]) - 1] = z / v0


@watches(smile_evidence, smile_columns, breeden_litzenberger)
@njit(cache=True, error_model="numpy")
def solve_chain(state: StreamState, c: int, work: FloatArray) -> None:
    """Coefficients from the normal equations, and the law on the chain's grid."""
    at = state.numbers[c]
    if at[USED] < LEAST_QUOTES:
        state.law[c] = math.nan
        return
    p = int(at[COLUMNS])
    q = state.coefficients[c, :p]
    posterior(
        state.A[c, :p, :p], state.b[c, :p], at[LEAN], state.lam[c, :p], at[LOG_KAPPA],
        work[:, :p, :p], q,
    )  # fmt: skip
    sums = np.empty((3, state.x.shape[1]))
    smile_sum(state.places[c], at[HALF], q[: p - 1], sums)
    law_of_smile(state.grid[c], state.x[c], at[V0], sums, state.law[c])


@watches(smile_columns)
@njit(cache=True, error_model="numpy")
def fill_row(state: StreamState, i: int) -> None:
    """The columns of contract i at its chain's forward."""
    at = state.numbers[state.chain[i]]
    p = int(at[COLUMNS])
    x, place, column = np.empty(1), np.empty((PLACES, 1)), np.empty((1, p - 1, 1))
    x[0] = math.log(state.strikes[i] / at[FORWARD]) / at[V0]
    smile_places(x, at[CENTRE], at[HALF], place)
    fill_columns(place, at[HALF], 0, column)
    state.rows[i, : p - 1] = column[0, :, 0]


@watches(smile_columns, smile_observations)
@njit(cache=True, error_model="numpy")
def sum_chain(state: StreamState, c: int, look: bool) -> None:
    """A, b and the grid of a chain from all its contracts; with ``look`` they are observed anew."""
    at = state.numbers[c]
    p = int(at[COLUMNS])
    A, b = state.A[c, :p, :p], state.b[c, :p]
    A[:] = 0.0
    b[:] = 0.0
    mine = np.flatnonzero(state.chain == c)
    if look:
        _look_again(state, c, mine)
    at[USED] = 0.0
    for i in mine:
        if state.fates[i] == 0:
            at[USED] += 1.0
            _weigh(1.0, state.rows[i, :p], state.seen[0, i], state.seen[1, i], A, b)
    _mirror(A)
    at[SINCE] = 0.0


@watches(smile_columns, smile_observations)
@njit(cache=True, error_model="numpy")
def _look_again(state: StreamState, c: int, mine: IntArray) -> None:
    """Observe the contracts of a chain anew, as ``_see`` does one by one, and place its grid."""
    at = state.numbers[c]
    p, v0 = int(at[COLUMNS]), at[V0]
    n = mine.size
    K, call, sides = state.strikes[mine], state.is_call[mine], np.empty((4, n))
    for side in range(4):
        sides[side] = state.quotes[side][mine]
    fates, seen = np.empty(n, np.int8), np.empty((5, n))
    observe_all(K, call, sides, at[FORWARD], at[DISCOUNT], at[TICK], fates, seen)
    place, columns = np.empty((PLACES, n)), np.empty((1, p - 1, n))
    smile_places(seen[0] / v0, at[CENTRE], at[HALF], place)
    fill_columns(place, at[HALF], 0, columns)
    for j in range(n):
        i = mine[j]
        fate = judged(fates[j], call[j], K[j], at[FORWARD], v0)
        state.fates[i] = _OUTLIER if state.fates[i] == _OUTLIER and fate == 0 else fate
        state.rows[i, : p - 1] = columns[0, :, j]
        if state.fates[i] == 0:
            state.seen[0, i] = seen[1, j] / v0 - 1.0
            state.seen[1, i] = v0 * v0 / (at[SCALE] * seen[3, j] + seen[4, j])
            state.rows[i, p - 1] = seen[2, j] / v0
    for g in range(state.x.shape[1]):
        state.grid[c, g] = at[FORWARD] * math.exp(state.x[c, g] * v0)


@njit(cache=True, error_model="numpy")
def _mirror(A: FloatArray) -> None:
    """The last column from the last row: what ``posterior`` reads beyond the lower half."""
    p = A.shape[0]
    for j in range(p):
        A[j, p - 1] = A[p - 1, j]


@watches(smile_columns, smile_observations)
@njit(cache=True, error_model="numpy")
def _take(state: StreamState, i: int, quotes: FloatArray, row: int) -> None:
    """One quote's old row out of its chain's sums, and its new one in."""
    c = state.chain[i]
    at = state.numbers[c]
    p = int(at[COLUMNS])
    A, b, columns = state.A[c, :p, :p], state.b[c, :p], state.rows[i, :p]
    if state.fates[i] == 0:
        at[USED] -= 1.0
        _weigh(-1.0, columns, state.seen[0, i], state.seen[1, i], A, b)
    for j in range(4):
        state.quotes[j, i] = quotes[j, row]
    _see(state, i, at)
    if state.fates[i] == 0:
        at[USED] += 1.0
        _weigh(1.0, columns, state.seen[0, i], state.seen[1, i], A, b)
    _mirror(A)
    at[SINCE] += 1.0
    if at[SINCE] >= _AGAIN:
        sum_chain(state, c, False)


@watches(smile_columns, smile_evidence, smile_observations, breeden_litzenberger)
@njit(cache=True, error_model="numpy")
def take_quotes(state: StreamState, contracts: IntArray, quotes: FloatArray, each: bool) -> None:
    """Take quotes ``(4, k)`` of listed contracts ``(k,)``; densities after each, or at the end."""
    work = np.empty((2, state.rows.shape[1], state.rows.shape[1]))
    touched = np.zeros(state.numbers.shape[0], np.bool_)
    for row in range(contracts.size):
        i = contracts[row]
        _take(state, i, quotes, row)
        c = state.chain[i]
        touched[c] = True
        if each:
            solve_chain(state, c, work)
    if not each:
        for c in range(touched.size):
            if touched[c]:
                solve_chain(state, c, work)
