"""Pairs against regressions done one at a time, against statsmodels, and as a contract."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats
from statsmodels.tsa.vector_ar.vecm import VECM
from twins import plain_pairs as plain

from eventtape.errors import InputError
from eventtape.estimators.discovery.false_discovery import adjusted
from eventtape.estimators.discovery.information_share import shares
from eventtape.estimators.discovery.pair_kernel import COLUMNS, solve_pairs
from eventtape.estimators.discovery.pair_rows import pair_rows, series_order, standing
from eventtape.estimators.discovery.pairs import pair_discovery
from eventtape.estimators.discovery.rank_law import rank_law, tail
from eventtape.estimators.discovery.refusals import Reason
from eventtape.estimators.discovery.vecm import vecm
from eventtape.simulate.price_leaders import common_trend_panel, yan_zivot
from eventtape.simulate.price_placebos import independent_walks

NUMBERS = (
    "pils pils_lower pils_upper is_first is_last is_lower is_upper component component_lower "
    "component_upper pds pds_lower pds_upper beta correlation p_none p_stationary p_alone "
    "q_relation p_equal q_equal"
).split()
OF_THE_FIRST = (("pils", "pils"), ("component", "component"), ("pds", "pds"))


def market(seed, n_rows=300, *, betas=(1.0, 0.4, -1.5, 2.0)):
    """Four prices of one trend in different units, a clear leader, and one walk of its own."""
    speeds = np.array([0.9, 0.5, 0.4, 0.3])
    x = common_trend_panel(
        seed, n_rows, speeds, np.array(betas), correlation=0.2, noise_sd=2.5e-4
    ).log_prices
    return np.column_stack([x, independent_walks(seed, n_rows, 1).log_prices])


def told_apart(seed, n_rows=300):
    """Four prices of one trend in different units whose noises differ: bounds are narrow."""
    speeds, b = np.array([0.9, 0.5, 0.4, 0.3]), np.array([0.6, -0.9, 0.0, 1.2])
    return yan_zivot(seed, n_rows, speeds, b, betas=np.array([1.0, 0.4, -1.5, 2.0])).log_prices


def statistics(x, lags, **options):
    """Columns of the kernel's table for all pairs of ``x``."""
    panel = pair_rows(x, lags, options.get("sessions"), 1.0)
    i, j = (c.astype(np.int64) for c in np.triu_indices(panel.n, 1))
    out = np.empty((i.size, len(COLUMNS)))
    solve_pairs(panel.cross, panel.n, lags, panel.rows, i, j, out)
    return i, j, dict(zip(COLUMNS, out.T, strict=True)), panel


def same(mine, theirs, *, but=()):
    for name in NUMBERS:
        if name not in but:
            a, b = getattr(mine, name), getattr(theirs, name)
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9, err_msg=name)


@pytest.mark.parametrize("lags", [0, 1, 2, 5])
@pytest.mark.parametrize("seed", range(3))
def test_statistics_are_those_of_regressions(lags, seed):
    x = market(seed)
    first, second, table, _ = statistics(x, lags)
    for p, (i, j) in enumerate(zip(first, second, strict=True)):
        found = plain.model(plain.gather(x[:, [i, j]], lags))
        mine = {name: column[p] for name, column in table.items()}
        common = (found.is_first, found.is_last, found.component, found.pds, found.is_middle)
        theirs = {
            "root_first": found.roots[0],
            "root_second": found.roots[1],
            "alone_first": found.alone[0],
            "alone_second": found.alone[1],
            "beta": found.beta,
            "alpha_first": found.alpha[0],
            "alpha_second": found.alpha[1],
            "omega_first": found.omega[0, 0],
            "omega_cross": found.omega[0, 1],
            "omega_second": found.omega[1, 1],
            "angle": found.angle,
            **dict(zip(("is_first", "is_last", "component", "pds", "is_middle"), common, strict=1)),
        }
        for name, value in theirs.items():
            if name == "angle":  # the trend has no sign: half a turn is the same
                assert abs(math.sin(mine[name] - value)) < 1e-9
            elif name.startswith("omega"):  # of 1e-7: no absolute bound would see it
                assert mine[name] == pytest.approx(value, rel=1e-9), name
            else:
                assert mine[name] == pytest.approx(value, rel=1e-9, abs=1e-11), name
        # Psi(1) = scale (b, 1)' (a_2, -a_1)
        a_perp = np.array([mine["alpha_second"], -mine["alpha_first"]])
        psi = mine["scale"] * np.outer([mine["beta"], 1.0], a_perp)
        np.testing.assert_allclose(psi, found.psi, rtol=1e-8, atol=1e-9)
        assert math.sin(mine["angle"]) ** 2 == pytest.approx(found.pils, abs=1e-9)


@pytest.mark.parametrize("lags", [0, 1, 3])
def test_statistics_are_those_of_statsmodels_and_of_the_rooms_own_vecm(lags):
    x = market(7)
    first, second, table, _ = statistics(x, lags)
    for p, (i, j) in enumerate(zip(first, second, strict=True)):
        pair = x[:, [i, j]]
        theirs = VECM(pair, k_ar_diff=lags, coint_rank=1, deterministic="co").fit()
        assert table["beta"][p] == pytest.approx(-theirs.beta[1, 0], rel=1e-9)
        alpha = [table["alpha_first"][p], table["alpha_second"][p]]
        np.testing.assert_allclose(alpha, theirs.alpha[:, 0], rtol=1e-8, atol=1e-10)
        cross = table["omega_cross"][p]
        omega = [[table["omega_first"][p], cross], [cross, table["omega_second"][p]]]
        np.testing.assert_allclose(omega, theirs.sigma_u, rtol=1e-9)
        ours = vecm(pair, lags, rank=1)
        part = shares(ours.psi[1], ours.omega, ours.beta, named=1)
        for name in ("is_first", "is_last", "component", "pds"):
            assert table[name][p] == pytest.approx(getattr(part, name)[0], rel=1e-8, abs=1e-9)
        assert math.sin(table["angle"][p]) ** 2 == pytest.approx(part.pils[0], abs=1e-9)


@pytest.mark.parametrize("lags", [1, 2, 3])
def test_intervals_and_tests_are_those_of_a_loop(lags):
    """The same weights, one weighted regression a draw; then the algebra of the ends."""
    x = told_apart(3, 260)
    out = pair_discovery(x, lags, n_draws=99, seed=5, level=0.9, rows_per_regressor=1.0)
    n_rows, regressors = 260 - 1 - lags, 2 + 2 * lags
    assert out.n_rows == n_rows
    assert out.n_blocks == n_rows // 4  # the fourth root of 260 rounded
    freedom = out.n_blocks - regressors
    checked = 0
    for p, (i, j) in enumerate(zip(out.first, out.second, strict=True)):
        rows = plain.gather(x[:, [i, j]], lags)
        found = plain.model(rows)
        assert out.p_alone[p] == pytest.approx(plain.p_alone(found, n_rows, regressors), rel=1e-8)
        if out.reason[p] not in {Reason.NONE, Reason.EQUAL}:
            assert math.isnan(out.pils_lower[p])
            continue
        checked += 1
        spread = plain.bootstrap(rows, found, out.n_blocks, 99, 5)
        for name, (low, high) in plain.intervals(found, spread, 0.9, freedom).items():
            mine = getattr(out, f"{name}_lower")[p], getattr(out, f"{name}_upper")[p]
            np.testing.assert_allclose(mine, (low, high), rtol=1e-9, atol=1e-9, err_msg=name)
        want = plain.p_equal(found, spread[0], freedom)
        assert out.p_equal[p] == pytest.approx(want, rel=1e-7, abs=1e-12)
    assert checked >= 3
    made = np.isfinite(out.p_equal)
    by_scipy = stats.false_discovery_control(out.p_equal[made])
    np.testing.assert_allclose(out.q_equal[made], by_scipy, rtol=1e-12)
    worst = np.maximum(out.p_none, out.p_alone)
    np.testing.assert_allclose(out.q_relation, stats.false_discovery_control(worst), rtol=1e-12)
    np.testing.assert_allclose(adjusted(out.p_none), stats.false_discovery_control(out.p_none))


@pytest.mark.parametrize(
    ("free", "published"),
    [("none", (15.66, 17.95, 23.52)), ("one", (6.50, 8.18, 11.65))],
)
def test_rank_law_tends_to_the_published_table(free, published):
    """Osterwald-Lenum (1992), table 1.1*: trace at 10, 5 and 1%, constant, no drift in the data.

    4%: his 6,000 draws of 400 steps against our 20,000 of 1,000.
    """
    law = getattr(rank_law(23_400, 1), free)
    found = np.quantile(law, [0.90, 0.95, 0.99])
    np.testing.assert_allclose(found, published, rtol=0.04)
    p = tail(law, np.array(published))
    np.testing.assert_allclose(p, [0.10, 0.05, 0.01], rtol=0.2)


def test_far_tail_of_the_rank_law():
    """One p-value in 10^4 is beyond the draws: against 400,000 fresh draws by Johansen's formula."""
    rows, rng = 59, np.random.default_rng(1)
    large = []
    for _ in range(80):
        steps = rng.standard_normal((5_000, rows, 2))
        level = np.cumsum(steps, axis=1) - steps
        d, x = (v - v.mean(axis=1, keepdims=True) for v in (steps, level))
        s00, s01, s11 = d.mT @ d, d.mT @ x, x.mT @ x
        left = np.linalg.det(s00 - s01 @ np.linalg.solve(s11, s01.mT)) / np.linalg.det(s00)
        large.append(-rows * np.log(left))
    statistic = np.concatenate(large)
    law = rank_law(rows, 0).none
    for level in (0.05, 0.01, 1e-3, 1e-4):
        at = np.quantile(statistic, 1.0 - level)
        # 40 draws are beyond the last: 16% of noise; twice the p-value is the claim
        assert 0.6 * level < tail(law, np.array([at]))[0] < 1.8 * level
