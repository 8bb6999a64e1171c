"""How far three models with a form are from six truths: the table of docs/density.md, remade."""

import math

import numpy as np
import pytest

from eventtape.arrays import Status
from eventtape.estimators.density.kou_fit import fit_kou
from eventtape.estimators.density.svi_fit import fit_svi
from eventtape.estimators.density.two_lognormal import fit_two_lognormal
from eventtape.estimators.pricing.implied_vol import implied_vol
from eventtape.simulate.option_chain import chain_truths, option_chain

PRINTED = {
    "lognormal": (0.0, 0.0, 0.0025),
    "mixture": (0.0008, 0.0076, 0.0076),
    "bimodal": (0.0014, 0.163, 0.167),
    "skewed": (0.0013, 0.038, 0.058),
    "heston": (0.048, 0.0023, 0.0036),
    "kou": (0.021, 0.0009, 0.035),
}


def distance(law, truth):
    grid = np.exp(np.linspace(math.log(5.0), math.log(400.0), 6001))
    return float(np.trapezoid(np.abs(law.pdf(grid) - truth.pdf(grid)), grid))


@pytest.mark.slow
@pytest.mark.parametrize("name", list(PRINTED))
def test_models_of_one_kind_miss_the_others(name):
    truth = chain_truths()[name]
    chain = option_chain(truth, seed=0, sides="out of the money")
    ok = chain.bids > 0.0
    K, call = chain.strikes[ok], chain.is_call[ok]
    mid = 0.5 * (chain.bids + chain.asks)[ok]
    error = np.full(K.size, 0.01 / math.sqrt(24.0))
    at = {"forward": chain.forward, "tau": chain.tau}
    vols = implied_vol(mid, chain.forward, K, chain.tau, is_call=call)
    up = implied_vol(mid + error, chain.forward, K, chain.tau, is_call=call)
    smile = fit_svi(K, vols.vol, up.vol - vols.vol, **at)
    laws = (fit_two_lognormal(K, call, mid, error, **at), fit_kou(K, call, mid, error, **at), smile)
    found = [distance(fit.law, truth) for fit in laws]
    assert all(fit.status is not Status.NO_CONVERGENCE for fit in laws)
    for mine, printed in zip(found, PRINTED[name], strict=True):
        assert mine == pytest.approx(printed, rel=0.1, abs=1e-4)
