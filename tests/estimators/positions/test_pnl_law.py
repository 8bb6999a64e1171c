"""A distribution over paths: its intervals hold the truth as often as they say."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest, norm

from eventtape.arrays import Status
from eventtape.errors import InputError
from eventtape.estimators.positions.pnl_law import pnl_law, share


def test_quantile_intervals_cover():
    """Of 400 samples of 500 normals at least .93 and at most .99 hold each quantile."""
    rng = np.random.default_rng(5)
    p = np.array([0.05, 0.5, 0.9])
    truth = norm.ppf(p)
    found = [pnl_law(rng.standard_normal(500), probabilities=p) for _ in range(400)]
    inside = np.array([(f.lower <= truth) & (truth <= f.upper) for f in found]).mean(axis=0)
    assert (inside >= 0.93).all()
    assert (inside <= 0.99).all()
    spread = np.std([f.quantiles for f in found], axis=0)
    np.testing.assert_allclose(np.mean([f.errors for f in found], axis=0), spread, rtol=0.15)
    tails = np.array([f.shortfall for f in found])
    error = np.mean([f.shortfall_error for f in found])
    assert error == pytest.approx(tails.std(), rel=0.15)
    assert tails.mean() == pytest.approx(-norm.pdf(truth[0]) / 0.05, abs=0.05)


def test_moments_and_order():
    x = np.array([3.0, -1.0, 2.0, 0.0])
    found = pnl_law(x, probabilities=[0.5])
    assert (found.mean, found.sd) == pytest.approx((1.0, x.std(ddof=1)))
    assert found.mean_error == found.sd / 2
    assert (found.loss.happened, found.loss.share) == (1, 0.25)
    assert found.quantiles[0] == 1.0


def test_too_few_paths_for_a_far_quantile():
    found = pnl_law(np.arange(20.0), probabilities=[0.01, 0.5])
    assert found.status is Status.TOO_FEW
    np.testing.assert_array_equal(np.isnan(found.lower), [True, False])
    np.testing.assert_array_equal(np.isnan(found.errors), [True, False])
    assert pnl_law(np.arange(20.0), probabilities=[0.5]).status is Status.OK


@pytest.mark.parametrize(("k", "n"), [(0, 30), (7, 30), (30, 30)])
def test_shares_have_the_exact_interval(k, n):
    found = share(np.arange(n) < k)
    peer = binomtest(k, n).proportion_ci(method="exact")
    assert (found.happened, found.share) == (k, k / n)
    np.testing.assert_allclose([found.lower, found.upper], [peer.low, peer.high], atol=1e-12)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: pnl_law([1.0]), "two paths"),
        (lambda: pnl_law([1.0, np.inf]), "finite profits"),
        (lambda: pnl_law([1.0, 2.0], probabilities=[1.0]), "inside"),
        (lambda: pnl_law([1.0, 2.0], level=95.0), "a level between 0 and 1"),
        (lambda: share(np.array([0.5])), "True or False"),
        (lambda: share(np.zeros(0, bool)), "True or False"),
    ],
    ids=["one path", "infinite", "certain", "level", "numbers", "none"],
)
def test_what_a_distribution_refuses(call, message):
    with pytest.raises(InputError, match=message):
        call()
