"""What law does each chain of options give the price at its expiry, and may it be believed?

The hub of the study. For each chain: European quotes and a forward (:mod:`.densities_european`),
the fit (:func:`~eventtape.estimators.density.fit.fit_density`), what is read off it
(:mod:`.densities_reading`). For each underlying: one rate and one spot where nobody gave them, from
the chains that know; and the checks of all its expiries together, calendar included. A chain that
has no density is a row all the same, with its reason.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from typing import NamedTuple

import numpy as np

from eventtape.arrays import Status
from eventtape.errors import InputError
from eventtape.estimators.density.fit import Density, fit_density
from eventtape.estimators.density.no_arbitrage import ArbitrageReport, arbitrage_report
from eventtape.estimators.density.quote_noise import infer_tick
from eventtape.estimators.pricing.terminal_law import TerminalLaw
from eventtape.studies.densities_european import (
    EuropeanChain,
    Known,
    asks_for_dividend,
    european_chain,
    surface_rate,
)
from eventtape.studies.densities_reading import WITH_NUMBERS, as_row
from eventtape.studies.densities_rows import (
    ChainDensity,
    DensitiesConfig,
    DensitiesResult,
    Surface,
)
from eventtape.tape.chains import Chain

__all__ = ["densities", "run"]

Progress = Callable[[str, int, int | None], None]
_SEVERAL = 2
_MANY_DIVIDENDS = 0.5  # years
_LEAST = 3  # quotes with both sides: below, nothing can be said of a forward or a smile


class _Prepared(NamedTuple):
    """A chain made European, where its rate is from, and why it has none."""

    chain: Chain
    american: bool
    european: EuropeanChain | None
    rate_source: str
    status: Status
    reason: str


def run(
    chains: Sequence[Chain],
    config: DensitiesConfig | None = None,
    *,
    truths: Mapping[int, TerminalLaw] | None = None,
    simulated: bool = False,
    sources: Sequence[str] = (),
    notes: Sequence[str] = (),
    progress: Progress | None = None,
) -> DensitiesResult:
    """A density, or a reason, for each chain; checks across the expiries of each underlying.

    ``chains`` as :func:`eventtape.tape.chains.chains` gives them. ``truths``: the law of each
    expiry (ns) where the quotes are simulated, drawn beside the estimate. ``progress`` is called
    with a label, how many chains are done and of how many.
    """
    config = config or DensitiesConfig()
    if not chains:
        raise InputError("at least one chain", met="none")
    tell = progress or _silent
    laws = truths or {}
    ordered = sorted(chains, key=lambda c: (c.underlying, c.expiry_ns, c.style, c.settlement))
    rows: list[ChainDensity] = []
    surfaces: list[Surface] = []
    for underlying, group in groupby(ordered, key=lambda c: c.underlying):
        each = list(group)
        prepared = _prepared(each, config, tell, len(rows), len(ordered))
        fitted: list[Density | None] = []
        for one in prepared:
            tell(f"{underlying} density", len(rows) + len(fitted), len(ordered))
            fitted.append(_fit(one, config))
        surface = _surface(underlying, prepared, fitted)
        surfaces.append(surface)
        for one, law in zip(prepared, fitted, strict=True):
            tell(f"{underlying} reading", len(rows), len(ordered))
            rows.append(
                as_row(
                    one.chain,
                    one.american,
                    one.european,
                    one.rate_source,
                    law,
                    (one.status, one.reason),
                    surface,
                    config,
                    laws.get(one.chain.expiry_ns),
                )
            )
    tell("done", len(rows), len(ordered))
    return DensitiesResult(
        config, simulated, tuple(rows), tuple(surfaces), tuple(sources), tuple(notes)
    )


def _silent(_label: str, _done: int, _total: int | None) -> None:
    """Nobody listens."""


densities = run  # its name at the face of the package


def _prepared(
    chains: Sequence[Chain], config: DensitiesConfig, tell: Progress, done: int, total: int
) -> list[_Prepared]:
    """Each chain made European; American ones again at the spot and rate their surface shows."""
    given = Known(
        rate=config.rate,
        spot=config.spot,
        dividend_yield=config.dividend_yield,
        dividends=config.dividends,
    )
    source = "parity" if config.rate is None else "given"
    nearest = _spotless(chains, config)
    known, out = given, []
    if nearest is not None:
        known = _with_spot(_european(nearest, given, config, source), given)
    for i, chain in enumerate(chains):
        tell(f"{chain.underlying} forward", done + i, total)
        out.append(
            _european(chain, known if _is_american(chain, config) else given, config, source)
        )
    shared = _shared_rate(out) if config.rate is None else None
    if shared is None:
        return _paying(out, given)
    known = given._replace(rate=shared[0], rate_error=shared[1])
    if nearest is not None:
        known = _with_spot(_european(nearest, known, config, source), known)
        # The spot so far rested on a rate that nobody knew: once more, for every chain
        free = given._replace(spot=known.spot)
        out = [
            _european(c, free if _is_american(c, config) else given, config, source) for c in chains
        ]
        rate, error = _shared_rate(out) or shared
        known = known._replace(rate=rate, rate_error=error)
    return _paying([_at_rate(one, known, config) for one in out], given)


def _paying(prepared: list[_Prepared], given: Known) -> list[_Prepared]:
    """Refuse chains whose parity asks for a cash dividend that nobody named.

    Where several ask, so do those after them whose residuals are too few or too wide to show it;
    over half a year dividends are many, and a yield will do.
    """
    cash = [
        asks_for_dividend(p.chain, given, p.european) if p.american and p.european else 0.0
        for p in prepared
    ]
    asking = [p.chain.expiry_ns for p, paid in zip(prepared, cash, strict=True) if paid > 0.0]
    out = []
    for one, paid in zip(prepared, cash, strict=True):
        follows = (
            one.american
            and one.status is Status.OK
            and len(asking) >= _SEVERAL
            and one.chain.expiry_ns > min(asking)
            and one.chain.tau < _MANY_DIVIDENDS
        )
        if paid > 0.0:
            sum_ = f"a cash dividend of about {paid:.2g} before expiry"
        else:
            sum_ = "the cash dividend that nearer expiries ask for"
        reason = f"parity asks for {sum_} (--dividend), which no yield stands in for"
        refused = one._replace(status=Status.NOT_RESOLVED, reason=reason)
        out.append(refused if paid > 0.0 or follows else one)
    return out


def _shared_rate(prepared: Sequence[_Prepared]) -> tuple[float, float] | None:
    return surface_rate([p.european.forward for p in prepared if p.american and p.european])


def _at_rate(one: _Prepared, known: Known, config: DensitiesConfig) -> _Prepared:
    """The chain at the surface's rate, where that is better known than its own."""
    if not one.american or one.european is None:
        return one
    if one.european.forward.rate_error <= known.rate_error:
        return one
    return _european(one.chain, known, config, "parity, with the surface's rate")


def _spotless(chains: Sequence[Chain], config: DensitiesConfig) -> Chain | None:
    """The nearest of several American chains of which no spot is known."""
    american = [c for c in chains if _is_american(c, config)]
    told = config.spot is not None or any(math.isfinite(c.underlying_price) for c in american)
    return None if told or len(american) < 2 else min(american, key=lambda c: c.tau)  # noqa: PLR2004


def _with_spot(nearest: _Prepared, known: Known) -> Known:
    """What is known, and the spot: the nearest forward carried back."""
    made = nearest.european
    if made is None or nearest.status is not Status.OK:
        return known
    rate = made.forward.rate if known.rate is None else known.rate
    gone = ((known.dividend_yield or 0.0) - rate) * nearest.chain.tau
    return known._replace(spot=made.forward.forward * math.exp(gone))


def _is_american(chain: Chain, config: DensitiesConfig) -> bool:
    return config.exercise == "american" or (
        config.exercise == "as given" and chain.style == "american"
    )


def _european(chain: Chain, known: Known, config: DensitiesConfig, rate_source: str) -> _Prepared:
    american = _is_american(chain, config)
    both = np.isfinite(chain.bids) & np.isfinite(chain.asks)
    if np.count_nonzero(both) < _LEAST:
        n = int(np.count_nonzero(both))
        reason = f"{n} quotes with both sides" if n != 1 else "one quote with both sides"
        return _Prepared(chain, american, None, "", Status.TOO_FEW, reason)
    if (twice := _twice(chain)) is not None:
        return _Prepared(chain, american, None, "", Status.NOT_IDENTIFIED, twice)
    made = european_chain(chain, known, american=american)
    return _Prepared(chain, american, made, rate_source, made.status, made.reason)


def _twice(chain: Chain) -> str | None:
    """Why a chain that lists one option twice, under two symbols, is refused."""
    options = np.stack([chain.strikes, chain.is_call], axis=1)
    met, counts = np.unique(options, axis=0, return_counts=True)
    if (counts == 1).all():
        return None
    strike, call = met[np.argmax(counts > 1)]
    return f"the {'call' if call else 'put'} at {strike:g} is listed twice"


def _fit(one: _Prepared, config: DensitiesConfig) -> Density | None:
    if one.european is None or one.status is not Status.OK:
        return None
    chain, made = one.chain, one.european
    return fit_density(
        chain.strikes,
        chain.is_call,
        # Worth exercising at once: no volatility is in it, so its ask alone is no quote either
        np.where(made.at_exercise, math.nan, made.bids),
        np.where(made.at_exercise, math.nan, made.asks),
        chain.bid_sizes,
        chain.ask_sizes,
        tau=chain.tau,
        forward=made.forward.forward,
        forward_error=made.forward.forward_error,
        discount=made.forward.discount,
        # Off the listed prices: a premium taken off leaves no whole ticks
        tick=infer_tick(np.append(chain.bids, chain.asks)),
        size_weight=config.size_weight,
    )


def _surface(
    underlying: str, prepared: Sequence[_Prepared], fitted: Sequence[Density | None]
) -> Surface:
    """The checks of every expiry that has a law; of two chains that expire together the first."""
    laws: dict[int, Density] = {}
    for one, law in zip(prepared, fitted, strict=True):
        if law is not None and law.status in WITH_NUMBERS:
            laws.setdefault(one.chain.expiry_ns, law)
    report: ArbitrageReport | None = None
    if laws:
        report = arbitrage_report(
            [law.smile for law in laws.values()],
            quoted=[(law.tails.low_strike, law.tails.high_strike) for law in laws.values()],
        )
    return Surface(underlying, tuple(laws), report)
