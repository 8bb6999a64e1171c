r"""Densities of many chains, kept current with every quote.

A stream begins with one :class:`~.fit.Density` a chain, whose hyper-parameters it holds, and then
takes what happens: a quote moved or its size changed, a strike added or gone, the forward moved,
time passed. Every quote is taken as it comes, an absurd one too: a cold fit judges outliers.
After each the density is what a refit of all quotes at the same hyper-parameters gives
(tests hold it to 1e-9); :meth:`DensityStream.refit` finds them anew, which is a cold fit.

Quotes come in batches of arrays, contracts by number. A quote that a cold fit had put down as an
outlier comes in again when it changes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from eventtape.arrays import FloatArray, IntArray, Status
from eventtape.errors import InputError
from eventtape.estimators.density.breeden_litzenberger import Smile
from eventtape.estimators.density.fit import Density
from eventtape.estimators.density.smile_columns import (
    MEAN_COLUMNS,
    MOST_WAVES,
    PLACES,
    smile_places,
)
from eventtape.estimators.density.smile_evidence import posterior, prior_variances
from eventtape.estimators.density.smile_fit import one_price, parity_denied, smile_factor
from eventtape.estimators.density.smile_observations import LEAST_QUOTES, QuoteFate
from eventtape.estimators.density.stream_kernel import (
    CENTRE,
    COLUMNS,
    DISCOUNT,
    FORWARD,
    FORWARD_ERROR,
    HALF,
    LEAN,
    LOG_KAPPA,
    NUMBERS,
    RATE,
    RESOLVED,
    TAU,
    TICK,
    USED,
    V0,
    StreamState,
    fill_row,
    solve_chain,
    sum_chain,
    take_quotes,
)

__all__ = ["DensityStream"]

_OUTLIER, _GONE = int(QuoteFate.OUTLIER), int(QuoteFate.MISSING)
_NO_CHAIN = -1
_FITTED = (Status.OK, Status.NOT_RESOLVED)


class DensityStream:
    """Current densities of several chains; built from their quotes and cold fits.

    ``state`` (:class:`~.stream_kernel.StreamState`) is all there is: :meth:`snapshot` copies it,
    :meth:`restored` goes on from a copy. Chains and contracts are numbers, in the order they were
    added.
    """

    def __init__(self, state: StreamState) -> None:
        self.state = state

    @classmethod
    def start(
        cls,
        densities: Sequence[Density],
        strikes: Sequence[ArrayLike],
        is_call: Sequence[ArrayLike],
        quotes: Sequence[ArrayLike],
        *,
        tick: float,
        rate: float = math.nan,
    ) -> DensityStream:
        """A stream that goes on from cold fits of the same contracts, one of each a chain.

        ``quotes`` are ``(4, n)`` a chain (bids, asks, bid sizes, ask sizes). Contracts are numbered
        through, the first chain's first. ``rate`` makes the discount follow the time.
        """
        if not densities:
            raise InputError("at least one chain", met=0)
        for c, density in enumerate(densities):
            if density.status not in _FITTED:
                raise InputError("a density that was fitted", met=density.status.value, row=c + 1)
        if not (len(strikes) == len(is_call) == len(quotes) == len(densities)):
            met = (len(densities), len(strikes), len(is_call), len(quotes))
            raise InputError("strikes, rights and quotes of each density", met=met)
        if not 0.0 <= tick < math.inf:
            raise InputError("a tick of 0 or more", met=tick, column="tick")
        sizes = [density.report.fates.size for density in densities]
        for c, n in enumerate(sizes):
            shapes = (np.shape(strikes[c]), np.shape(is_call[c]), np.shape(quotes[c]))
            if shapes != ((n,), (n,), (4, n)):
                raise InputError(
                    f"{n} contracts, as its density was fitted to", met=shapes, row=c + 1
                )
        points = {density.strikes.size for density in densities}
        if len(points) > 1:
            raise InputError("grids of one size", met=sorted(points))
        state = _empty(sum(sizes), len(densities), MEAN_COLUMNS + MOST_WAVES + 1, points.pop())
        stream = cls(state)
        first = 0
        for c, density in enumerate(densities):
            last = first + sizes[c]
            state.chain[first:last] = c
            state.strikes[first:last] = strikes[c]
            state.is_call[first:last] = is_call[c]
            state.quotes[:, first:last] = quotes[c]
            stream._hold(c, density, tick, rate, density.report.fates)
            first = last
        return stream

    @classmethod
    def restored(cls, state: StreamState) -> DensityStream:
        """A stream from a snapshot."""
        return cls(_copy(state))

    def snapshot(self) -> StreamState:
        """A copy of the arrays that the stream is."""
        return _copy(self.state)

    def step(self, contracts: ArrayLike, quotes: ArrayLike, *, each: bool = True) -> None:
        """Take new quotes ``(4, k)`` of contracts ``(k,)``, in order.

        ``each`` keeps the densities current after every quote; without it they are once at the end
        (the same numbers, less work). A side nobody quotes is NaN or 0.
        """
        given = np.asarray(contracts)
        if given.dtype.kind not in "iu":
            raise InputError("contracts by number", met=str(given.dtype), column="contracts")
        rows = np.ascontiguousarray(given, np.int64)
        news = np.ascontiguousarray(quotes, np.float64)
        if news.shape != (4, rows.size):
            raise InputError(f"quotes of shape (4, {rows.size})", met=news.shape)
        known = (rows >= 0) & (rows < self.state.chain.size)
        known[known] = self.state.chain[rows[known]] >= 0
        if not known.all():
            bad = int(np.argmin(known))
            raise InputError("a contract of this stream", met=int(rows[bad]), row=bad + 1)
        take_quotes(self.state, rows, news, each)

    def add(self, chain: int, strike: float, is_call: bool, quote: ArrayLike) -> int:
        """List one more contract; its number."""
        self._check_chain(chain)
        if not 0.0 < strike < math.inf:
            raise InputError("a positive strike", met=strike)
        state = self.state
        same = (state.chain == chain) & (state.strikes == strike) & (state.is_call == is_call)
        if same.any():
            raise InputError("a contract not yet listed", met=strike, row=int(np.argmax(same)))
        news = np.asarray(quote, np.float64)
        if news.size != 4:
            raise InputError("bid, ask and their sizes", met=news.shape, column="quote")
        news = news.reshape(4, 1)
        width = state.rows.shape[1]
        self.state = state._replace(
            chain=np.append(state.chain, chain),
            strikes=np.append(state.strikes, strike),
            is_call=np.append(state.is_call, is_call),
            fates=np.append(state.fates, np.int8(_GONE)),
            quotes=np.ascontiguousarray(np.hstack([state.quotes, np.full((4, 1), math.nan)])),
            rows=np.vstack([state.rows, np.zeros((1, width))]),
            seen=np.ascontiguousarray(np.hstack([state.seen, np.zeros((2, 1))])),
        )
        contract = state.chain.size
        fill_row(self.state, contract)
        self.step([contract], news)
        return contract

    def remove(self, contract: int) -> None:
        """Take a contract off the list: its quote goes, and its number is not used again."""
        self.step([contract], np.full((4, 1), math.nan))
        self.state.chain[contract] = _NO_CHAIN

    def move(
        self,
        chain: int,
        *,
        forward: float | None = None,
        forward_error: float | None = None,
        tau: float | None = None,
        discount: float | None = None,
    ) -> None:
        """A new forward, time or discount of a chain, its quotes as they are.

        The smile is held in volatility against log-moneyness in standard deviations: with the time
        v_0 goes as its root, and the discount follows where the stream has a rate.
        """
        self._check_chain(chain)
        at = self.state.numbers[chain]
        for name, value in (("forward", forward), ("tau", tau), ("discount", discount)):
            if value is not None and not 0.0 < value < math.inf:
                raise InputError("a positive number", met=value, column=name)
        if forward is not None:
            at[FORWARD] = forward
        if forward_error is not None:
            if not 0.0 <= forward_error < math.inf:
                raise InputError("an error of 0 or more", met=forward_error, column="forward_error")
            at[FORWARD_ERROR] = forward_error
        if tau is not None:
            at[V0] *= math.sqrt(tau / at[TAU])
            at[TAU] = tau
            if math.isfinite(at[RATE]):
                at[DISCOUNT] = math.exp(-at[RATE] * tau)
        if discount is not None:
            at[DISCOUNT] = discount
        sum_chain(self.state, chain, True)
        self._solve(chain)

    def refit(self, chain: int, density: Density) -> None:
        """Go on from another cold fit of this chain's contracts, hyper-parameters and all.

        ``density`` is of the contracts in the order of their numbers (:meth:`contracts`).
        """
        self._check_chain(chain)
        at = self.state.numbers[chain]
        mine = self.contracts(chain)
        if density.status not in _FITTED or density.report.fates.size != mine.size:
            raise InputError(f"a fit of {mine.size} contracts", met=density.report.fates.size)
        if density.strikes.size != self.state.x.shape[1]:
            raise InputError(f"a grid of {self.state.x.shape[1]}", met=density.strikes.size)
        self._hold(chain, density, at[TICK], at[RATE], density.report.fates)

    def contracts(self, chain: int) -> IntArray:
        """Numbers of the contracts of a chain."""
        return np.flatnonzero(self.state.chain == chain)

    def status(self, chain: int) -> Status:
        """What a cold fit would say of the quotes now, hyper-parameters held.

        ``TOO_FEW``: under five quotes, the law is NaN. ``NOT_IDENTIFIED``: one price at all
        strikes, most pairs deny the forward, or a volatility that is not positive.
        ``NOT_RESOLVED`` stays.
        """
        self._check_chain(chain)
        state, at = self.state, self.state.numbers[chain]
        if at[USED] < LEAST_QUOTES:
            return Status.TOO_FEW
        mine = self.contracts(chain)
        mine = mine[np.argsort(state.strikes[mine], kind="stable")]
        columns = (state.strikes[mine], state.is_call[mine], state.quotes[:, mine].copy())
        fates, forward = state.fates[mine], float(at[FORWARD])
        bounds = (forward, float(at[FORWARD_ERROR]), float(at[DISCOUNT]), float(at[TICK]))
        if (
            one_price(*columns, forward, fates)
            or parity_denied(*columns, *bounds, fates)
            or not np.isfinite(state.law[chain]).all()
        ):
            return Status.NOT_IDENTIFIED
        return Status.OK if at[RESOLVED] > 0.0 else Status.NOT_RESOLVED

    def law(self, chain: int) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """Strikes, density per unit of strike, distribution and volatility per sqrt(year), now."""
        self._check_chain(chain)
        state = self.state
        vol = state.law[chain, 0] / math.sqrt(state.numbers[chain, TAU])
        return state.grid[chain], state.law[chain, 1], state.law[chain, 2], vol

    def smile(self, chain: int) -> Smile:
        """The current smile with its covariance, for errors and everything read off a smile."""
        self._check_chain(chain)
        state, at = self.state, self.state.numbers[chain]
        p = int(at[COLUMNS])
        lam, work = state.lam[chain, :p].copy(), np.empty((2, p, p))
        A, b = np.ascontiguousarray(state.A[chain, :p, :p]), state.b[chain, :p].copy()
        coefficients, factor = np.empty(p), np.empty((p, p))
        posterior(A, b, float(at[LEAN]), lam, float(at[LOG_KAPPA]), work, coefficients)
        smile_factor(work[0], lam, factor)
        return Smile(
            float(at[FORWARD]), float(at[FORWARD_ERROR]), float(at[TAU]), float(at[V0]),
            float(at[CENTRE]), float(at[HALF]), coefficients[: p - 1].copy(),
            factor[:, : p - 1].copy(),
        )  # fmt: skip

    def _hold(
        self,
        chain: int,
        density: Density,
        tick: float,
        rate: float,
        fates: NDArray[np.int8],
    ) -> None:
        state, hyper = self.state, density.hyper
        p = density.smile.coefficients.size + 1
        at = state.numbers[chain]
        at[:] = (
            density.forward, density.discount, density.tau, tick, hyper.reference, hyper.centre,
            hyper.half, hyper.theta[2], hyper.spread_scale, hyper.lean, p, 0.0, rate, 0.0,
            density.forward_error, float(density.status is Status.OK),
        )  # fmt: skip
        prior_variances(
            hyper.theta, hyper.half, hyper.lean_variance, state.lam[chain, :p], np.empty(p)
        )
        state.fates[self.contracts(chain)] = 0
        state.x[chain] = np.log(density.strikes / density.forward) / hyper.reference
        smile_places(state.x[chain], hyper.centre, hyper.half, state.places[chain])
        sum_chain(state, chain, True)
        mine = self.contracts(chain)
        outliers = mine[fates == _OUTLIER]
        if outliers.size:
            state.fates[outliers] = _OUTLIER
            sum_chain(state, chain, False)
        self._solve(chain)

    def _solve(self, chain: int) -> None:
        width = self.state.rows.shape[1]
        solve_chain(self.state, chain, np.empty((2, width, width)))

    def _check_chain(self, chain: int) -> None:
        if not 0 <= chain < self.state.numbers.shape[0]:
            raise InputError(f"a chain from 0 to {self.state.numbers.shape[0] - 1}", met=chain)


def _copy(state: StreamState) -> StreamState:
    parts: Iterable[Any] = (part.copy() for part in state)
    return StreamState(*parts)


def _empty(m: int, c: int, p: int, points: int) -> StreamState:
    return StreamState(
        np.full(m, _NO_CHAIN), np.ones(m), np.zeros(m, np.bool_), np.zeros(m, np.int8),
        np.empty((4, m)), np.zeros((m, p)), np.zeros((2, m)), np.zeros((c, NUMBERS)),
        np.ones((c, p)), np.zeros((c, p, p)), np.zeros((c, p)), np.zeros((c, p)),
        np.empty((c, points)), np.empty((c, points)), np.empty((c, PLACES, points)),
        np.empty((c, 3, points)),
    )  # fmt: skip
