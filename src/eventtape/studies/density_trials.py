r"""Are the densities right, and do their bands hold? Chains of a known law, fitted and counted.

For each seed a chain is drawn (:func:`~eventtape.simulate.option_chain.option_chain`), its density
fitted as any chain's would be, and set against the truth f with distribution Q:

- L1 = int \|f - g\| over the whole line: by the trapezoid on a grid to fourteen standard deviations
  either way, plus all that both laws have beyond it.
- Coverage of bands at a level, of the density, the distribution and the volatility: at each strike
  of the grid between the 1% and the 99% point of the truth, averaged with the weight f dK. Of the
  mean, the standard deviation, the skewness and the masses beyond the last strikes: the share of
  chains. A forward that was given makes the mean no estimate; its coverage is then NaN.
- The same for raw sigma_IV: the scales of the noise (c and kappa) set to 1, tick^2 / 24 kept, and
  length and size as fitted. It says what the bands would be worth without a fitted scale.

Without displaced fair values a chain's mids are off by the rounding to ticks alone, the same on
every seed: one draw. ``jitter`` draws the width of the strikes anew each time, and so the rounding.

A chain whose status is not OK is refused: counted, and in nothing else. Everything is simulated.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from scipy.special import ndtri

from eventtape.arrays import FloatArray, Status, check_level
from eventtape.errors import InputError
from eventtape.estimators.density.breeden_litzenberger import Smile
from eventtape.estimators.density.density_quantities import density_at
from eventtape.estimators.density.density_quantities_moments import moments
from eventtape.estimators.density.fit import Density, SizeWeight, fit_density
from eventtape.estimators.density.quote_noise import infer_tick
from eventtape.estimators.density.stream import DensityStream
from eventtape.estimators.pricing.implied_vol import implied_vol
from eventtape.estimators.pricing.terminal_law import TerminalLaw
from eventtape.estimators.pricing.terminal_law import moments as law_moments
from eventtape.simulate.option_chain import OptionChain, option_chain

__all__ = ["Coverage", "DensityTrials", "density_trials", "trial_table"]

_REACH, _POINTS = 14.0, 801
_LOW, _HIGH = 0.01, 0.99
_WIDTH = 3.5


class Coverage(NamedTuple):
    """Shares, 0 to 1, of what the bands at one level hold."""

    pdf: float
    cdf: float
    vol: float
    mean: float
    sd: float
    skewness: float
    mass_below: float
    mass_above: float


class DensityTrials(NamedTuple):
    """What became of the chains of one truth; arrays are ``(fitted,)``, a chain each.

    - ``chains``, ``refused``: drawn, and of a status that is not OK.
    - ``l1``; ``negative_mass`` on the default strikes.
    - ``noise_scale``: what sigma_P was multiplied by; ``size_weight``: lambda.
    - ``coverage`` of the bands; ``raw_coverage`` of those of raw sigma_IV.
    """

    chains: int
    refused: int
    l1: FloatArray
    negative_mass: FloatArray
    noise_scale: FloatArray
    size_weight: FloatArray
    coverage: Coverage
    raw_coverage: Coverage


class _Truth(NamedTuple):
    """A law on the grid: weight is f dK between the 1% and the 99% point, 0 elsewhere."""

    strikes: FloatArray
    pdf: FloatArray
    cdf: FloatArray
    vol: FloatArray
    weight: FloatArray
    law: TerminalLaw
    moments: FloatArray


def density_trials(
    truth: TerminalLaw,
    *,
    chains: int,
    seed: int = 0,
    forward_given: bool = True,
    rate: float | None = None,
    size_weight: SizeWeight = "fitted",
    sized: bool = True,
    level: float = 0.95,
    jitter: float = 0.0,
    **options: Any,
) -> DensityTrials:
    """Errors, coverage and noise found over chains of seeds ``seed`` to ``seed + chains - 1``.

    Parameters
    ----------
    truth
        Law of the price at expiry.
    chains, seed
        How many, and the first one's seed.
    forward_given, rate
        Whether the fit is told forward and discount; else both come from parity, with ``rate`` as a
        prior if given.
    size_weight, sized
        As :func:`~eventtape.estimators.density.fit.fit_density`; whether it is told the sizes.
    level
        Of the bands.
    jitter
        The width is drawn evenly this many standard deviations either way.
    options
        Of the chain: ``n_strikes``, ``width``, ``tick``, ``half_spread``, ``displacement``, ...

    Raises
    ------
    InputError
        No chains, a level not between 0 and 1, or options that the simulator refuses.
    """
    if chains < 1:
        raise InputError("1 or more chains", met=chains)
    z = float(ndtri(0.5 + 0.5 * check_level(level)))
    known = _truth(truth)
    rows: list[tuple[float, ...]] = []
    held: list[FloatArray] = []
    raw_held: list[FloatArray] = []
    for chain in _chains(truth, chains, seed, jitter, options):
        density = _fit(chain, forward_given, rate, size_weight, sized)
        if density.status is not Status.OK:
            continue
        raw = _raw_smile(density, chain, sized)
        report = density.report
        l1 = _l1(known, density.smile)
        rows.append((l1, density.negative_mass, report.noise_scale, report.size_weight))
        ends = np.array([density.tails.low_strike, density.tails.high_strike])
        held.append(_held(known, density.smile, ends, z))
        raw_held.append(_held(known, raw, ends, z))
    l1s, negative, scales, weights = np.array(rows).reshape(len(rows), 4).T
    return DensityTrials(
        chains, chains - len(rows), l1s, negative, scales, weights, _mean(held), _mean(raw_held)
    )


def trial_table(trials: Mapping[str, DensityTrials]) -> str:
    """The trials as lines of text, one a name: medians, the worst negative mass, coverage in %.

    Coverage of the mean is left blank where the forward was given. Raw is raw sigma_IV's, of the
    density.
    """
    names = ("pdf", "cdf", "vol", "mean", "sd", "skew", "below", "above", "raw pdf")
    head = "".join(f"{name:>8}" for name in names)
    lines = [
        f"{'':<28}{'chains':>7}{'refused':>8}{'L1':>8}{'neg':>8}{'scale':>7}{'size w':>7}{head}"
    ]
    for name, t in trials.items():
        shares = (*t.coverage, t.raw_coverage.pdf)
        covered = "".join(" " * 8 if math.isnan(s) else f"{100.0 * s:8.1f}" for s in shares)
        fitted = t.l1.size > 0
        l1, scale, weight = (
            float(np.median(x)) if fitted else math.nan
            for x in (t.l1, t.noise_scale, t.size_weight)
        )
        negative = float(t.negative_mass.max()) if fitted else math.nan
        lines.append(
            f"{name:<28}{t.chains:7d}{t.refused:8d}{l1:8.4f}{negative:8.1g}"
            f"{scale:7.2f}{weight:7.2f}{covered}"
        )
    return "\n".join(lines)


def _chains(
    truth: TerminalLaw, chains: int, seed: int, jitter: float, options: dict[str, Any]
) -> Iterator[OptionChain]:
    if jitter == 0.0:  # the strikes are those of every seed: the truth is priced once
        values = option_chain(truth, seed=seed, **options).values
        options = {"pricer": lambda *_: values} | options
    width = options.get("width", _WIDTH)
    for one in range(seed, seed + chains):
        drawn = width + jitter * np.random.default_rng([one, 1]).uniform(-1.0, 1.0)
        yield option_chain(truth, seed=one, **options | {"width": drawn})


def _truth(law: TerminalLaw) -> _Truth:
    forward, known = law.forward, law_moments(law)
    strikes = forward * np.exp(np.linspace(-_REACH, _REACH, _POINTS) * known.sd / forward)
    pdf, cdf = law.pdf(strikes), law.cdf(strikes)
    inside = (cdf >= _LOW) & (cdf <= _HIGH)
    weight = np.where(inside, pdf * np.gradient(strikes), 0.0)
    call, at = strikes[inside] >= forward, strikes[inside]
    price = np.where(call, law.call(at), law.put(at))
    vol = np.full(strikes.size, math.nan)
    vol[inside] = implied_vol(price, forward, at, law.tau, is_call=call).vol
    numbers = np.array([known.mean, known.sd, known.skewness])
    return _Truth(strikes, pdf, cdf, vol, weight / weight.sum(), law, numbers)


def _fit(
    chain: OptionChain,
    forward_given: bool,
    rate: float | None,
    size_weight: SizeWeight,
    sized: bool,
) -> Density:
    sizes = (chain.bid_sizes, chain.ask_sizes) if sized else (None, None)
    told = {"forward": chain.forward, "discount": chain.discount} if forward_given else {}
    return fit_density(
        chain.strikes, chain.is_call, chain.bids, chain.asks, *sizes,
        tau=chain.tau, rate=rate, size_weight=size_weight, **told,
    )  # fmt: skip


def _raw_smile(density: Density, chain: OptionChain, sized: bool) -> Smile:
    """The smile of the same length and size with the noise's scales at 1."""
    hyper = density.hyper
    theta = np.array([hyper.theta[0], hyper.theta[1], 0.0])
    plain = density._replace(hyper=hyper._replace(theta=theta, spread_scale=1.0))
    quotes = np.vstack([chain.bids, chain.asks, chain.bid_sizes, chain.ask_sizes])
    if not sized:
        quotes[2:] = math.nan
    tick = infer_tick(quotes[:2].ravel())
    stream = DensityStream.start([plain], [chain.strikes], [chain.is_call], [quotes], tick=tick)
    return stream.smile(0)._replace(forward_error=density.forward_error)


def _l1(truth: _Truth, smile: Smile) -> float:
    fitted = density_at(smile, truth.strikes)
    gap = np.abs(fitted.pdf - truth.pdf)
    beyond = fitted.cdf[0] + truth.cdf[0] + (1.0 - fitted.cdf[-1]) + (1.0 - truth.cdf[-1])
    return float(np.trapezoid(gap, truth.strikes) + max(beyond, 0.0))


def _held(truth: _Truth, smile: Smile, ends: FloatArray, z: float) -> FloatArray:
    """Shares of one chain that its bands hold, in the order of :class:`Coverage`."""
    on = truth.weight > 0.0
    w = truth.weight[on]
    at = density_at(smile, truth.strikes[on])
    shares = [
        w @ (np.abs(met - wanted[on]) <= z * error)
        for met, wanted, error in (
            (at.pdf, truth.pdf, at.pdf_error),
            (at.cdf, truth.cdf, at.cdf_error),
            (at.vol, truth.vol, at.vol_error),
        )
    ]
    found = moments(smile)
    met, error = np.array(found.price[:3]), np.array(found.price_errors[:3])
    of_moments = (np.abs(met - truth.moments) <= z * error).astype(np.float64)
    if smile.forward_error == 0.0:
        of_moments[0] = math.nan
    tails = density_at(smile, ends)
    of_tails = np.abs(tails.cdf - truth.law.cdf(ends)) <= z * tails.cdf_error
    return np.array([*shares, *of_moments, *of_tails])


def _mean(held: list[FloatArray]) -> Coverage:
    if not held:
        return Coverage(*(math.nan,) * 8)
    return Coverage(*np.mean(held, axis=0).tolist())
