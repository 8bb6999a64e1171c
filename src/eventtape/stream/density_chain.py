"""What does one chain say now, and from what does its smile go on?

Cold, a chain is read as the study of densities reads it: parity gives the forward, ``fit_density``
the smile and its hyper-parameters. In between they are held: the quotes that changed go in, then
time and forward (:class:`~eventtape.estimators.density.stream.DensityStream`). A chain is fitted
cold when it has no smile that stands, when a contract is listed, and by the rule of
:class:`~eventtape.stream.density.DensityFold`. A quote that is gone leaves the held smile.

American chains get no density here: the study takes their early-exercise premia off first, in
rounds over all expiries of an underlying, which no single moment of one chain can do.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import polars as pl

from eventtape.arrays import FloatArray, Status
from eventtape.clock import SECOND
from eventtape.estimators.density.breeden_litzenberger import Smile
from eventtape.estimators.density.fit import fit_density
from eventtape.estimators.density.quote_noise import infer_tick
from eventtape.estimators.density.stream import DensityStream
from eventtape.estimators.density.stream_kernel import USED, StreamState
from eventtape.estimators.pricing.forward import (
    ParityForward,
    forward_from_parity,
    parity_verdict,
)
from eventtape.tape.chains import YEAR_NS, Chain

__all__ = ["ChainReading", "HeldSmile", "Refit", "gone_silent", "read_chain"]

_RATE, _RATE_ERROR = 0.03, 0.05  # a year, where nobody gave one: as the study of densities
_GIVEN_ERROR = 0.005
_LEAST = 3  # quotes with both sides
_WITH_NUMBERS = (Status.OK, Status.NOT_RESOLVED)
_FITS = {
    Status.OK: "",
    Status.TOO_FEW: "under five quotes with a volatility",
    Status.NOT_IDENTIFIED: (
        "the quotes have no smile: one price at all strikes, no volatility, or another forward"
    ),
    Status.NOT_RESOLVED: "more detail than the fit carries: the errors are too small",
    Status.NO_CONVERGENCE: "the fit does not come to rest",
}
_AMERICAN = "american exercise: its premia come off in the study of densities, not live"


class Refit(NamedTuple):
    """When a held smile is fitted cold: after ``after_ns``, or ``moved`` sds of the forward."""

    after_ns: int
    moved: float


class HeldSmile(NamedTuple):
    """A chain between its times: who it is, and the smile it goes on with.

    ``stream`` is None where no smile stands; ``fitted_ns``, ``fitted_forward`` and ``fitted_width``
    (total volatility at the money) are of the last cold fit.
    """

    underlying: str
    expiry_ns: int
    style: str
    settlement: str
    stream: StreamState | None
    fitted_ns: int
    fitted_forward: float
    fitted_width: float


class ChainReading(NamedTuple):
    """A chain at one time: its forward, its smile or why it has none.

    ``grid`` ``(n,)`` are strikes to draw at; ``low_strike`` and ``high_strike`` the first and last
    quote in use; ``tick`` of the prices quoted now.
    """

    chain: Chain
    forward: float
    forward_error: float
    discount: float
    tick: float
    quotes: int
    smile: Smile | None
    grid: FloatArray
    low_strike: float
    high_strike: float
    status: Status
    reason: str


def read_chain(
    chain: Chain, held: HeldSmile | None, refit: Refit, rate: float | None
) -> tuple[HeldSmile, ChainReading]:
    """The chain at its time, and the smile it goes on with; ``rate`` a year, or None."""
    names = chain.underlying, chain.expiry_ns, chain.style, chain.settlement
    nothing = HeldSmile(*names, None, 0, math.nan, math.nan)
    refused = _refused(chain)
    if refused is not None:
        return nothing, _none(chain, None, *refused)
    parity = _parity(chain, rate)
    status, reason = parity_verdict(parity)
    if status is not Status.OK:
        return nothing, _none(chain, parity, status, reason)
    if held is not None and held.stream is not None and not _due(chain, held, parity, refit):
        going = _gone_on(chain, held.stream, parity)
        if going is not None:
            return held._replace(stream=going[0]), going[1]
    return _cold(chain, parity, nothing)


def gone_silent(held: HeldSmile, at_ns: int, max_age_ns: int) -> ChainReading:
    """The last word of a chain none of whose quotes is young enough to stand."""
    none = np.empty(0)
    chain = Chain(
        held.underlying, held.expiry_ns, at_ns, held.style, held.settlement,
        (held.expiry_ns - at_ns) / YEAR_NS, math.nan, none, np.empty(0, np.bool_), none, none,
        none, none, none, 0, pl.DataFrame(),
    )  # fmt: skip
    reason = f"no quote in the last {max_age_ns / SECOND:g} s"
    return _none(chain, None, Status.TOO_FEW, reason)


def _refused(chain: Chain) -> tuple[Status, str] | None:
    """Why a chain is not even asked for a forward."""
    if chain.style == "american":
        return Status.NOT_RESOLVED, _AMERICAN
    both = int(np.count_nonzero(np.isfinite(chain.bids) & np.isfinite(chain.asks)))
    if both < _LEAST:
        words = f"{both} quotes with both sides" if both != 1 else "one quote with both sides"
        return Status.TOO_FEW, words
    same = (np.diff(chain.strikes) == 0.0) & (chain.is_call[1:] == chain.is_call[:-1])
    if same.any():  # a chain comes by strike, calls first
        i = int(np.argmax(same))
        right = "call" if chain.is_call[i] else "put"
        return Status.NOT_IDENTIFIED, f"the {right} at {chain.strikes[i]:g} is listed twice"
    return None


def _parity(chain: Chain, rate: float | None) -> ParityForward:
    """Forward and discount; the spot carries it where no strike has both rights."""
    r, error = (_RATE, _RATE_ERROR) if rate is None else (rate, _GIVEN_ERROR)
    strikes = np.unique(chain.strikes)
    sides = np.full((4, strikes.size), math.nan)
    for right, row in ((True, 0), (False, 2)):
        mine = chain.is_call == right
        at = np.searchsorted(strikes, chain.strikes[mine])
        sides[row, at], sides[row + 1, at] = chain.bids[mine], chain.asks[mine]
    found = forward_from_parity(strikes, *sides, tau=chain.tau, rate=r, rate_error=error)
    spot = chain.underlying_price
    if found.pairs_used == 0 and math.isfinite(spot):
        found = forward_from_parity(
            strikes, *sides, tau=chain.tau, spot=spot, rate=r, rate_error=error
        )
    return found


def _due(chain: Chain, held: HeldSmile, parity: ParityForward, refit: Refit) -> bool:
    """Whether the rule asks for a cold fit."""
    moved = abs(math.log(parity.forward / held.fitted_forward)) / held.fitted_width
    return chain.at_ns - held.fitted_ns >= refit.after_ns or moved > refit.moved


def _cold(
    chain: Chain, parity: ParityForward, nothing: HeldSmile
) -> tuple[HeldSmile, ChainReading]:
    tick = infer_tick(np.append(chain.bids, chain.asks))
    law = fit_density(
        chain.strikes, chain.is_call, chain.bids, chain.asks, chain.bid_sizes, chain.ask_sizes,
        tau=chain.tau, forward=parity.forward, forward_error=parity.forward_error,
        discount=parity.discount, tick=tick,
    )  # fmt: skip
    if law.status not in _WITH_NUMBERS:
        return nothing, _none(chain, parity, law.status, _FITS[law.status])
    stream = DensityStream.start(
        [law], [chain.strikes], [chain.is_call], [_quotes(chain)], tick=tick
    )
    held = nothing._replace(
        stream=stream.state,
        fitted_ns=chain.at_ns,
        fitted_forward=law.forward,
        fitted_width=law.hyper.reference,
    )
    ends = law.tails.low_strike, law.tails.high_strike
    reading = ChainReading(
        chain, law.forward, law.forward_error, law.discount, tick, law.report.quotes_used,
        law.smile, law.strikes, *ends, law.status, _FITS[law.status],
    )  # fmt: skip
    return held, reading


def _gone_on(
    chain: Chain, before: StreamState, parity: ParityForward
) -> tuple[StreamState, ChainReading] | None:
    """The held smile with the quotes, time and forward of now; None where it does not stand."""
    places = _places(chain, before)
    if places is None:
        return None
    quotes = np.full_like(before.quotes, math.nan)
    quotes[:, places] = _quotes(chain)
    kept = (quotes == before.quotes) | (np.isnan(quotes) & np.isnan(before.quotes))
    changed = np.flatnonzero(~kept.all(axis=0))
    stream = DensityStream.restored(before)
    if changed.size:
        stream.step(changed, quotes[:, changed], each=False)
    stream.move(
        0, forward=parity.forward, forward_error=parity.forward_error, tau=chain.tau,
        discount=parity.discount,
    )  # fmt: skip
    status = stream.status(0)
    if status not in _WITH_NUMBERS:
        return None
    state = stream.state
    used = state.strikes[state.fates == 0]
    reading = ChainReading(
        chain, parity.forward, parity.forward_error, parity.discount,
        infer_tick(np.append(chain.bids, chain.asks)), int(state.numbers[0, USED]),
        stream.smile(0), state.grid[0], float(used.min()), float(used.max()), status,
        _FITS[status],
    )  # fmt: skip
    return state, reading


def _places(chain: Chain, before: StreamState) -> list[int] | None:
    """Where each contract stands in the stream; None where one is new."""
    rights = zip(before.strikes.tolist(), before.is_call.tolist(), strict=True)
    numbers = {option: i for i, option in enumerate(rights)}
    now = zip(chain.strikes.tolist(), chain.is_call.tolist(), strict=True)
    places = [numbers.get(option, -1) for option in now]
    return None if -1 in places else places


def _quotes(chain: Chain) -> FloatArray:
    return np.stack([chain.bids, chain.asks, chain.bid_sizes, chain.ask_sizes])


def _none(chain: Chain, parity: ParityForward | None, status: Status, reason: str) -> ChainReading:
    nan = math.nan
    known = (nan, nan, nan) if parity is None else (
        parity.forward, parity.forward_error, parity.discount,
    )  # fmt: skip
    return ChainReading(chain, *known, nan, 0, None, np.empty(0), nan, nan, status, reason)
