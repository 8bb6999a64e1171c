"""One expiry over many times: densities, the probability at each, and what needs no other time.

Each time's chains go through the study of densities (:mod:`.densities`), so forwards, premia and
refusals are those of ``eventtape density``. The probability of a time is the last quoted at or
before it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import reduce
from itertools import groupby
from typing import NamedTuple

import numpy as np

from eventtape.arrays import FloatArray, Status
from eventtape.clock import SECOND
from eventtape.estimators.density.quote_noise import infer_tick
from eventtape.estimators.states.bounds import outcome_bounds
from eventtape.estimators.states.option_panel import OptionPanel, option_panel
from eventtape.estimators.states.two_lognormal import two_lognormal
from eventtape.studies import densities
from eventtape.studies.densities_rows import ChainDensity, DensitiesConfig
from eventtape.studies.states_rows import EventProbability, Snapshot, StatesConfig
from eventtape.tape.chains import Chain

__all__ = ["Series", "panel_of", "probability_at", "series_of"]

Progress = Callable[[str, int, int | None], None]
_LEAST_STRIKES = 5


class Series(NamedTuple):
    """The snapshots of one underlying and expiry, and the chains they were read from."""

    underlying: str
    expiry_ns: int
    settlement: str
    american: bool
    chains: tuple[Chain, ...]
    laws: tuple[ChainDensity, ...]
    snapshots: tuple[Snapshot, ...]


def series_of(
    chains: Sequence[Chain],
    probability: EventProbability,
    config: StatesConfig,
    tell: Progress,
) -> list[Series]:
    """The snapshots of every underlying and expiry, in order."""
    asked = DensitiesConfig(rate=config.rate, exercise=config.exercise, level=config.level)
    whole = sorted(chains, key=lambda c: (c.at_ns, *_key(c)))
    read: list[tuple[Chain, ChainDensity]] = []
    for _, group in groupby(whole, key=lambda c: c.at_ns):
        each = list(group)
        tell("densities", len(read), len(whole))
        # The study keeps this order: of one moment the chains are sorted as it sorts them
        read += zip(each, densities.run(each, asked).chains, strict=True)
    read.sort(key=lambda one: _key(one[0]))
    out: list[Series] = []
    for key, rows in groupby(read, key=lambda one: _key(one[0])):
        pairs = list(rows)
        tell(f"{key[0]} bounds", len(out), None)
        out.append(
            Series(
                key[0],
                key[1],
                key[3],
                pairs[0][1].american,
                tuple(chain for chain, _ in pairs),
                tuple(law for _, law in pairs),
                tuple(_snapshot(law, probability, config) for _, law in pairs),
            )
        )
    return out


def _key(chain: Chain) -> tuple[str, int, str, str]:
    return chain.underlying, chain.expiry_ns, chain.style, chain.settlement


def probability_at(
    probability: EventProbability, at_ns: int, max_age_s: float
) -> tuple[float, float, float]:
    """The last probability at or before a time, its bid and its ask; NaN where none is seen."""
    none = (math.nan, math.nan, math.nan)
    if not probability.moves:
        return float(probability.values[0]), math.nan, math.nan
    i = int(np.searchsorted(probability.times_ns, at_ns, side="right")) - 1
    if i < 0 or (at_ns - int(probability.times_ns[i])) / SECOND > max_age_s:
        return none
    return tuple(float(x[i]) for x in (probability.values, probability.bid, probability.ask))  # type: ignore[return-value]


def _snapshot(law: ChainDensity, probability: EventProbability, config: StatesConfig) -> Snapshot:
    """The density of one time and, before the event is decided, bounds and two lognormals."""
    p, _, _ = probability_at(probability, law.at_ns, config.max_age_s)
    low, high = probability.low, probability.high
    decided = not config.decided < p < 1.0 - config.decided and math.isfinite(p)
    found = law.density if law.found else None
    bounds = lognormals = None
    status, reason = law.status, law.reason
    if math.isnan(p):
        status, reason = Status.TOO_FEW, "no probability quoted by then"
    elif found is not None and not decided:
        error = (low, high) if probability.ranges else config.p_error
        bounds = outcome_bounds(found, p, p_error=error, level=config.level)
        if not probability.ranges:
            lognormals = two_lognormal(found, p, p_error=config.p_error, level=config.level)
    forward = law.european.forward if law.european is not None else None
    return Snapshot(
        law.at_ns,
        law.tau,
        p,
        low,
        high,
        math.nan if forward is None else forward.forward,
        math.nan if forward is None else forward.forward_error,
        law.atm_vol,
        law.atm_vol_error,
        found,
        bounds,
        lognormals,
        decided,
        status,
        reason,
    )


def panel_of(series: Series, rows: Sequence[int]) -> OptionPanel | None:
    """The quotes of these snapshots at strikes that all of them list; None with under five.

    Of each strike and time the European quote of the option out of the money.
    """
    strikes = reduce(np.intersect1d, [series.chains[i].strikes for i in rows])
    if strikes.size < _LEAST_STRIKES:
        return None
    n = len(rows)
    bids, asks = np.full((n, strikes.size), math.nan), np.full((n, strikes.size), math.nan)
    forwards, discounts = np.empty(n), np.empty(n)
    listed: list[FloatArray] = []
    for t, i in enumerate(rows):
        chain, made = series.chains[i], series.laws[i].european
        assert made is not None
        forwards[t], discounts[t] = made.forward.forward, made.forward.discount
        out = chain.is_call == (chain.strikes >= made.forward.forward)
        sound = out & ~made.at_exercise & ~(made.bids > made.asks) & np.isin(chain.strikes, strikes)
        at = np.searchsorted(strikes, chain.strikes[sound])
        bids[t, at], asks[t, at] = made.bids[sound], made.asks[sound]
        listed += [chain.bids, chain.asks]
    times = np.array([series.snapshots[i].at_ns for i in rows], np.int64)
    return option_panel(
        (times - times[0]) / SECOND,
        np.array([series.snapshots[i].tau for i in rows]),
        forwards,
        strikes,
        forwards[:, None] <= strikes,
        bids,
        asks,
        tick=infer_tick(np.concatenate(listed)),
        discounts=discounts,
    )
