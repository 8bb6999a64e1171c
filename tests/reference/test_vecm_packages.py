"""The VECM against statsmodels on simulated panels, and against the published examples.

Numbers of R's urca 1.3 (ca.jo) for Johansen and Juselius (1990), "Maximum likelihood estimation and
inference on cointegration", Oxford Bulletin of Economics and Statistics 52; of Luetkepohl (2005),
"New Introduction to Multiple Time Series Analysis", section 7.2.3, through statsmodels. The data of
both come with statsmodels. Johansen and Juselius's Finnish data do not, and are not tested here.
"""

from __future__ import annotations

import numpy as np
import pytest
from statsmodels.datasets import danish_data, interest_inflation
from statsmodels.tsa.vector_ar.vecm import VECM, coint_johansen

from eventtape.arrays import Status
from eventtape.estimators.discovery.vecm import vecm


def panel(seed, n, r, *, rows=300, level=0.1, step=1e-3):
    """n log prices with n - r walks between them, and a stationary part of each."""
    rng = np.random.default_rng(seed)
    walks = np.cumsum(rng.standard_normal((rows, n - r)), axis=0)
    own = rng.standard_normal((rows, n))
    for t in range(1, rows):
        own[t] += 0.6 * own[t - 1]
    return level + step * (walks @ rng.standard_normal((n - r, n)) + own)


def agree(mine, theirs, rtol=1e-9):
    """Equal to ``rtol`` of the largest entry: a coefficient near zero has no digits of its own."""
    assert mine.shape == theirs.shape
    size = np.abs(theirs).max() if theirs.size else 1.0
    np.testing.assert_allclose(mine, theirs, rtol=0.0, atol=rtol * size)


@pytest.mark.parametrize("seasons", [0, 4])
@pytest.mark.parametrize("deterministic", ["n", "co", "ci"])
@pytest.mark.parametrize("lags", [0, 1, 2, 3])
@pytest.mark.parametrize("n", [2, 3, 4, 5, 6])
def test_statsmodels_vecm(n, lags, deterministic, seasons):
    for rank in range(1, n):
        x = panel([n, lags, rank], n, rank)
        season = {"seasons": seasons, "first_season": 3 if seasons else 0}
        out = vecm(x, lags, rank=rank, deterministic=deterministic, rows_per_regressor=1, **season)
        theirs = VECM(
            x, k_ar_diff=lags, coint_rank=rank, deterministic=deterministic, **season
        ).fit()
        assert out.status is Status.OK
        beta = np.vstack([theirs.beta, theirs.det_coef_coint])
        # The first r series may hardly enter the relations: beta of 100 and digits lost in both
        agree(out.beta, beta, rtol=1e-8)
        agree(out.alpha, theirs.alpha, rtol=1e-8)
        agree(out.alpha @ out.beta.T, theirs.alpha @ beta.T)
        agree(np.hstack([*out.gamma, np.empty((n, 0))]), theirs.gamma.reshape(n, -1))
        outside = np.column_stack([out.const, out.seasonal])
        agree(outside if deterministic == "co" else outside[:, 1:], theirs.det_coef.reshape(n, -1))
        agree(out.omega, theirs.sigma_u)
        assert out.log_likelihood == pytest.approx(theirs.llf, rel=1e-12)
        assert out.n_rows == theirs.nobs


@pytest.mark.parametrize("lags", [1, 2, 3])
@pytest.mark.parametrize("n", [2, 4, 6, 12])
@pytest.mark.parametrize(("deterministic", "det_order"), [("co", 0), ("n", -1)])
def test_statsmodels_johansen(n, lags, deterministic, det_order):
    """Their eigenvalues and both statistics; that they lag the level by k changes neither.

    Not at lag 0, where they take the level itself. The error of a statistic is T times that of an
    eigenvalue, however small: 1e-9 is 3e-12 of an eigenvalue.
    """
    x = panel([n, lags], n, 1)
    out = vecm(x, lags, deterministic=deterministic, rows_per_regressor=1)
    theirs = coint_johansen(x, det_order, lags)
    agree(out.eigenvalues, theirs.eig)
    np.testing.assert_allclose(out.trace, theirs.trace_stat, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(out.max_eigen, theirs.max_eig_stat, rtol=1e-9, atol=1e-9)


def test_danish_money_demand():
    """urca: ca.jo of LRM, LRY, IBO, IDE with type "trace", ecdet "const", K = 2, season = 4."""
    x = danish_data.load_pandas().data[["lrm", "lry", "ibo", "ide"]].to_numpy(float)
    out = vecm(x, 1, rank=1, deterministic="ci", seasons=4, rows_per_regressor=0)
    lam = [0.4331654195, 0.1775836394, 0.1127905215, 0.04341129967]
    trace = [49.144365183, 19.056913746, 8.694963736, 2.352233287]
    beta = [1.0, -1.032948826, 5.206918662, -4.215879390, -6.059931700]
    alpha = [-0.21295494371, 0.11502204182, 0.02317724022, 0.02941108836]
    np.testing.assert_allclose(out.eigenvalues, lam, rtol=5e-10)  # ten digits printed
    np.testing.assert_allclose(out.trace, trace, rtol=5e-10)
    np.testing.assert_allclose(out.beta[:, 0], beta, rtol=5e-10)
    np.testing.assert_allclose(out.alpha[:, 0], alpha, rtol=5e-10)
    assert out.n_rows == 53
    assert out.status is Status.OK


LUETKEPOHL = [  # deterministic, seasons, alpha, beta of R, log likelihood, trace
    (
        "co",
        0,
        [-0.6403196077, 0.4226636177],
        -0.2731268599,
        777.27372972,
        [17.172875033, 3.032319296],
    ),
    ("co", 4, [-0.6247994211, 0.4075714125], -0.2524017777, 801.86522126, None),
    ("n", 0, [-0.5460070317, 0.1057422426], -0.1105636161, None, None),
]


@pytest.mark.parametrize(("deterministic", "seasons", "alpha", "beta", "llf", "trace"), LUETKEPOHL)
def test_german_interest_and_inflation(deterministic, seasons, alpha, beta, llf, trace):
    """Luetkepohl's (7.2.26): R and Dp with relation (1, -3.96), 1 / .2524 here."""
    x = interest_inflation.load_pandas().data[["Dp", "R"]].to_numpy(float)
    out = vecm(x, 3, rank=1, deterministic=deterministic, seasons=seasons, rows_per_regressor=0)
    np.testing.assert_allclose(out.alpha[:, 0], alpha, rtol=5e-10)
    np.testing.assert_allclose(out.beta[:, 0], [1.0, beta], rtol=5e-10)
    if llf is not None:
        assert out.log_likelihood == pytest.approx(llf, abs=5e-9)
    if trace is not None:
        np.testing.assert_allclose(out.trace, trace, rtol=5e-10)
        np.testing.assert_allclose(out.eigenvalues, [0.1282799489, 0.0290108581], rtol=2e-9)


def test_prices_far_above_their_steps():
    """Log prices of 4.6 with steps of 1e-5: statsmodels is handed them less their first row.

    At the level itself its S11 holds the square of a level 2,000 times the moves and loses six
    digits; ours is anchored, so both columns of the table are the same model.
    """
    for deterministic in ("co", "ci"):
        x = panel([7, 1], 4, 3, level=0.0, step=1e-5)
        high = 4.6 + x
        out = vecm(high, 1, rank=3, deterministic=deterministic)
        low = high - high[0]
        theirs = VECM(low, k_ar_diff=1, coint_rank=3, deterministic=deterministic).fit()
        agree(out.alpha, theirs.alpha)
        agree(out.beta[:4], theirs.beta)
        agree(out.omega, theirs.sigma_u)
        agree(out.gamma[0], theirs.gamma)
