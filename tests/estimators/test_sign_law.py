"""Random signs of a pair's own rows against the same done by hand, and the law's size."""

from __future__ import annotations

import numpy as np
import pytest
from statsmodels.tsa.vector_ar.vecm import coint_johansen

from eventtape.estimators.discovery.pair_rows import pair_rows
from eventtape.estimators.discovery.rank_law import rank_law, tail
from eventtape.estimators.discovery.sign_law import DRAWS, sign_p_values

FIRST, SECOND = np.array([0]), np.array([1])


def loud(seed, n_rows=390, factor=10.0):
    rng = np.random.default_rng(seed)
    size = np.ones(n_rows)
    size[n_rows // 2 : n_rows // 2 + n_rows // 10] = factor
    return np.cumsum(size[:, None] * rng.standard_normal((n_rows, 2)), axis=0)


def johansen(x, lags):
    """Trace statistic of no relation, an unrestricted constant, by statsmodels."""
    return float(coint_johansen(x, 0, lags).lr1[0])


def by_hand(e):
    """The same without lags, by numpy: differences ``e``, levels their sums before them."""
    level = np.vstack([np.zeros(2), np.cumsum(e, axis=0)[:-1]])
    d, level = e - e.mean(axis=0), level - level.mean(axis=0)
    cross = np.linalg.solve(d.T @ d, d.T @ level)
    roots = np.linalg.eigvals(np.linalg.solve(level.T @ level, level.T @ d @ cross)).real
    return -e.shape[0] * np.log1p(-roots).sum()


@pytest.mark.parametrize("lags", [0, 1, 3])
def test_draws_are_those_made_by_hand(lags):
    x = loud(1)
    panel = pair_rows(x, lags, None, 10.0)
    trace = np.array([30.0])
    got = sign_p_values(panel, FIRST, SECOND, trace, 5)[0]
    d = np.diff(x, axis=0)
    past = [d[lags - j : d.shape[0] - j] for j in range(1, lags + 1)]
    e = np.empty((d.shape[0] - lags, 2))
    for c in (0, 1):
        design = np.column_stack([np.ones(e.shape[0]), *(v[:, c] for v in past)])
        e[:, c] = d[lags:, c] - design @ np.linalg.lstsq(design, d[lags:, c], rcond=None)[0]
    rng = np.random.default_rng(5)
    rows = e.shape[0]
    drawn = [by_hand(e * rng.choice((-1.0, 1.0), (rows, 1))) for _ in range(DRAWS)]
    law = np.sort(drawn) * rows / (rows - 2 * lags)
    assert got == pytest.approx(tail(law, trace, 10)[0], rel=1e-6)


def test_size_where_steps_are_loud_together():
    """300 pairs of walks, one loud hour: 5% within 3.3 standard errors; the first law, over 40%."""
    signed, plain = [], []
    for seed in range(300):
        x = loud([seed, 3])
        panel = pair_rows(x, 1, None, 10.0)
        trace = np.array([johansen(x, 1)])
        signed.append(sign_p_values(panel, FIRST, SECOND, trace, seed)[0])
        plain.append(tail(rank_law(int(panel.rows), 1).none, trace)[0])
    share = np.mean(np.array(signed) <= 0.05)
    assert abs(share - 0.05) < 3.3 * np.sqrt(0.05 * 0.95 / 300)
    assert np.mean(np.array(plain) <= 0.05) > 0.4


def test_no_pair_no_law():
    panel = pair_rows(loud(2), 1, None, 10.0)
    none = np.empty(0, np.int64)
    assert sign_p_values(panel, none, none, np.empty(0), 0).size == 0
