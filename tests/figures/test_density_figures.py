"""Figures of the densities: every quote once, arbitrage in red, crossings marked, refusals said."""

from __future__ import annotations

import numpy as np
import pytest

from eventtape.figures.density import cdf_figure, density_figure
from eventtape.figures.density_surface import ridge_figure, term_figure, variance_figure
from eventtape.figures.smile import smile_figure, strikes_shown
from eventtape.figures.words import plain
from eventtape.simulate.option_frame import option_frame
from eventtape.studies.densities import run
from eventtape.tape.chains import chains
from studies.density_chains import as_chain, lognormal_chain, some, vogt_chain


@pytest.fixture(scope="module")
def result():
    made = option_frame(1)
    return run(chains(made.frame), truths=made.truths, simulated=True)


def sources(fig):
    return {r.data_source.name: r.data_source.data for r in fig.renderers if r.data_source.name}


def words(fig):
    return [mark.text for mark in fig.center if getattr(mark, "text", None)]


def test_every_used_quote_is_one_bar_from_bid_to_ask(result):
    chain = result.chains[1]
    found = sources(smile_figure(chain, result))
    span = strikes_shown(chain)
    assert span.low < chain.density.tails.low_strike < chain.density.tails.high_strike < span.high
    bars = sum(len(found[f"{name} used"]["x"]) for name in ("calls", "puts"))
    assert bars == chain.fates["used"]
    calls = chain.quotes.filter(fate="used", is_call=True)
    assert np.allclose(found["calls used"]["low"], 100.0 * calls["bid_vol"])
    assert np.allclose(found["calls used"]["high"], 100.0 * calls["ask_vol"])
    assert set(found["puts left out"]["fate"]) <= {
        f"left out: {plain(fate)}" for fate in chain.quotes["fate"].unique()
    }
    assert "true smile" in found


def test_density_is_in_percent_per_percent_of_the_forward(result):
    chain = result.chains[0]
    data = sources(density_figure(chain, result))["density"]
    forward = chain.density.forward
    # Percent per 1% of F, over K in units of F / 100: all of it is 100, less what is not shown
    total = np.trapezoid(data["pdf"], np.asarray(data["x"]) * 100.0 / forward)
    assert total == pytest.approx(100.0, abs=0.3)
    said = words(density_figure(chain, result))
    assert f"{chain.tails.mass_below:.2%} below" in said
    assert f"{chain.tails.mass_above:.2%} above" in said
    assert "SIMULATED" in said
    assert "simulated truth" in sources(density_figure(chain, result))
    cdf = sources(cdf_figure(chain, result))["distribution"]["cdf"]
    assert (np.diff(np.asarray(cdf)) > -1e-9).all()


def test_a_density_below_zero_is_filled_where_it_is(result):
    assert "negative" not in sources(density_figure(result.chains[0], result))
    bad = run([vogt_chain()])
    data = sources(density_figure(bad.chains[0], bad))["negative"]
    below = np.asarray(data["y"])
    assert (below <= 0.0).all()
    assert below.min() < 0.0
    k = np.log(np.asarray(data["x"])[below < 0.0] / 10_000.0)
    # Where Vogt's density is below 0; beyond the last strike it is the wing's matter
    assert 0.64 < k.min() < 0.75
    assert ((k > 0.75) & (k < 1.15)).sum() > 5


def test_a_crossing_of_total_variance_is_marked():
    near, far = lognormal_chain(days=30, vol=0.4), lognormal_chain(days=60, vol=0.2, seed=2)
    bad = run([as_chain(near), as_chain(far)])
    data = sources(variance_figure(bad.of("TEST"), bad))["crossing, two errors or more"]
    assert data["y"][0] == pytest.approx(0.04 * 60 / 365, rel=0.1)
    clean = run([as_chain(near), as_chain(lognormal_chain(days=60, vol=0.4))])
    assert not [n for n in sources(variance_figure(clean.of("TEST"), clean)) if "crossing" in n]


def test_lines_and_dots_of_a_surface_are_the_study_s(result):
    mine = result.of("SIM")
    found = sources(variance_figure(mine, result))
    for chain in mine:
        data = found[chain.expiry]
        at = int(np.argmin(np.abs(np.asarray(data["x"]))))
        assert data["y"][at] == pytest.approx(chain.atm_vol**2 * chain.tau, rel=0.02)
    term = sources(term_figure(mine, result))["term"]
    assert np.allclose(term["vol"], [100.0 * chain.atm_vol for chain in mine])
    assert np.allclose(
        term["high"] - term["vol"], [196.0 * c.atm_vol_error for c in mine], rtol=1e-3
    )
    ridges = sources(ridge_figure(mine, result))
    assert np.asarray(ridges[mine[2].expiry]["y"]).min() >= 2.0


def test_a_refused_chain_shows_its_reason_and_no_curve():
    whole = as_chain(lognormal_chain())
    bad = run([some(whole, whole.is_call)])
    for fig in (smile_figure, density_figure, cdf_figure):
        drawn = fig(bad.chains[0], bad)
        assert any("no strike has both a call and a put" in text for text in words(drawn))
        assert not {"smile", "density", "distribution"} & set(sources(drawn))
