r"""Where do the densities and their errors stop being good? Ten chains a case, set against the truth.

Each case breaks something the fit takes for granted: that sizes are alike, that a smile of the
chain's scale is smooth, that quotes err each for itself, that the forward is right, that both sides
are of one moment, that the quotes reach far. The numbers asserted are those met, not those wished
for: a case that gets much worse fails, and so does one that gets much better, because docs/density.md
then warns of too much. Fair values are displaced by up to 0.4 half-spreads throughout, so quotes err
each for itself as well.

L1 is the median over the chains of int \|f - g\|. Coverage is of bands at 95%: the share of strikes
of an even grid, between the 1% and the 99% point of the truth, where the band holds it; every strike
counts the same. ``pytest -s`` prints the table.
"""

import math
from collections import Counter

import numpy as np
import pytest
from density_worlds import report

from eventtape.arrays import Status
from eventtape.estimators.density.density_quantities import density_at
from eventtape.estimators.density.fit import fit_density
from eventtape.estimators.pricing.forward import forward_from_parity
from eventtape.simulate.option_chain import chain_truths, option_chain, two_states

Z = 1.96
SEEDS = range(10)
TRUTHS = chain_truths()
MIXTURE, SKEWED, KOU = (TRUTHS[name] for name in ("mixture", "skewed", "kou"))
PARITY = {"forward": None, "discount": None}
OUT = {"sides": "out of the money"}


def as_quoted(chain, seed):
    return chain


def large_sizes(size):
    """One quote in ten shows this many contracts on both sides, and is worth no more for it."""

    def of(chain, seed):
        large = np.random.default_rng(seed).random(chain.strikes.size) < 0.1
        return chain._replace(
            bid_sizes=np.where(large, size, chain.bid_sizes),
            ask_sizes=np.where(large, size, chain.ask_sizes),
        )

    return of


def lifted_block(chain, seed):
    """Strikes 104 to 109 quoted 3 cents too high, all of them."""
    lift = np.where((chain.strikes > 104.0) & (chain.strikes < 109.0), 0.03, 0.0)
    return moved(chain, lift)


def maker_skew(chain, seed):
    """Mids off by up to 0.8 half-spreads, smoothly in the strike."""
    half = 0.01 + 0.01 * chain.values
    return moved(chain, 0.8 * half * np.sin((chain.strikes - 100.0) / 3.0))


def forward_off(by):
    def of(chain, seed):
        return chain._replace(forward=chain.forward + by)

    return of


def stale_puts(by):
    """Puts still quoted at a forward that was ``by`` higher."""

    def of(chain, seed):
        scale = (chain.forward + by) / chain.forward
        old = scale * chain.truth.put(chain.strikes / scale)
        return moved(chain, np.where(chain.is_call, 0.0, np.round(old - chain.values, 2)))

    return of


def moved(chain, by):
    bids = np.maximum(np.round(chain.bids + by, 2), 0.0)
    return chain._replace(bids=bids, asks=np.round(chain.asks + by, 2))


def fitted(truth, change, options, told):
    """Chains of every seed with their densities."""
    for seed in SEEDS:
        chain = change(option_chain(truth, seed=seed, **{"displacement": 0.4} | options), seed)
        known = {"forward": chain.forward, "discount": chain.discount} | told
        quotes = (chain.bids, chain.asks, chain.bid_sizes, chain.ask_sizes)
        yield chain, fit_density(chain.strikes, chain.is_call, *quotes, tau=chain.tau, **known)


def measured(truth, change, options, told):
    """Statuses; median L1 and mean coverage of pdf and cdf over the chains with numbers."""
    statuses, rows = Counter(), []
    for _, density in fitted(truth, change, options, told):
        statuses[density.status] += 1
        if math.isnan(density.negative_mass):
            continue
        grid = np.linspace(density.strikes[0], density.strikes[-1], 4001)
        at, f, Q = density_at(density.smile, grid), truth.pdf(grid), truth.cdf(grid)
        inside = (Q > 0.01) & (Q < 0.99)
        held = [
            (np.abs(met - wanted) < Z * error)[inside].mean()
            for met, wanted, error in ((at.pdf, f, at.pdf_error), (at.cdf, Q, at.cdf_error))
        ]
        rows.append((np.trapezoid(np.abs(at.pdf - f), grid), *held))
    if not rows:
        return statuses, math.nan, math.nan, math.nan
    l1, pdf, cdf = np.array(rows).T
    return statuses, float(np.median(l1)), float(pdf.mean()), float(cdf.mean())


def late_calls(late, shift, seed, **priors):
    """The forward (100) from 40 pairs; the calls of the ``late`` highest strikes ``shift`` high."""
    rng = np.random.default_rng(seed)
    K = np.linspace(80.0, 120.0, 40)
    calls = np.maximum(100.0 - K, 0.0) + 3.0 * np.exp(-np.abs(100.0 - K) / 6.0)
    puts = calls - (100.0 - K)
    calls = calls + np.where(np.arange(40) >= 40 - late, shift, 0.0)
    calls, puts = np.round(np.array([calls, puts]) + rng.uniform(-0.01, 0.01, (2, 40)), 2)
    sides = (calls - 0.02, calls + 0.02, puts - 0.02, puts + 0.02)
    return forward_from_parity(K, *sides, tau=10 / 365, **priors)


@pytest.fixture(scope="module")
def table():
    rows = []
    yield rows
    report("\n".join(rows))
