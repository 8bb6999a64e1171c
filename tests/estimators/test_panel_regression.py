"""Two-way fixed effects with clustered errors against dummies in statsmodels, and by simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
import statsmodels.api as sm
from scipy.stats import t as student
from statsmodels.stats.sandwich_covariance import cov_cluster_2groups

from eventtape.arrays import Status
from eventtape.errors import InputError
from eventtape.estimators.discovery.panel_effects import not_single, within
from eventtape.estimators.discovery.panel_regression import PanelReason, panel_regression


def panel(seed, *, entities=14, times=12, k=2, ar=0.6, kept=1.0, effect=0.0):
    """Effects of both kinds, x and errors serially correlated in entities, rows missing at random.

    Both are related within times too, by a factor with loadings of its own.
    """
    rng = np.random.default_rng(seed)

    def related():
        z = rng.standard_normal((entities, times))
        z[:, 1:] *= math.sqrt(1.0 - ar**2)
        for t in range(1, times):
            z[:, t] += ar * z[:, t - 1]
        return z + rng.uniform(0.0, 1.0, (entities, 1)) * rng.standard_normal((1, times))

    x = np.stack([related().ravel() for _ in range(k)], axis=1)
    e, t = np.repeat(np.arange(entities), times), np.tile(np.arange(times), entities)
    y = (
        3.0 * rng.standard_normal(entities)[e]
        + 2.0 * rng.standard_normal(times)[t]
        + related().ravel()
    )
    stays = rng.random(e.size) < kept
    return (y + effect * x[:, 0])[stays], x[stays], e[stays], t[stays]


def dummies(code):
    return (code[:, None] == np.unique(code)[None, :]).astype(float)


def by_dummies(y, x, entity, time, effects=(True, True)):
    """Ordinary least squares with a column an effect, full rank if the panel is connected."""
    columns = [x]
    if effects[0]:
        columns.append(dummies(entity))
    if effects[1]:
        columns.append(dummies(time)[:, int(effects[0]) :])
    if not any(effects):
        columns.append(np.ones((y.size, 1)))
    return sm.OLS(y, np.hstack(columns))


def integers(*codes):
    return np.stack([np.unique(code, return_inverse=True)[1] for code in codes], axis=1)


@pytest.mark.parametrize("kept", [1.0, 0.6])
@pytest.mark.parametrize("cluster", ["entity", "time"])
@pytest.mark.parametrize("effects", [(True, True), (True, False), (False, True), (False, False)])
def test_one_way_clusters_are_those_of_statsmodels(kept, cluster, effects):
    data = panel(1, kept=kept)
    got = panel_regression(
        *data, entity_effects=effects[0], time_effects=effects[1], cluster=cluster
    )
    code = data[2] if cluster == "entity" else data[3]
    want = by_dummies(*data, effects).fit(
        cov_type="cluster", cov_kwds={"groups": integers(code)[:, 0]}, use_t=True
    )
    assert (got.status, got.n_rows) == (Status.OK, data[0].size)
    assert got.n_clusters == np.unique(code).size
    np.testing.assert_allclose(got.coefficient, want.params[:2], rtol=1e-9)
    np.testing.assert_allclose(got.se, want.bse[:2], rtol=1e-8)
    np.testing.assert_allclose(got.t, want.tvalues[:2], rtol=1e-8)
    # statsmodels takes G - 1 degrees of freedom, ours the effective number less one: never more
    assert (got.effective_clusters <= got.n_clusters).all()
    freedom = got.effective_clusters - 1.0
    np.testing.assert_allclose(got.p_value, 2.0 * student.sf(abs(got.t), freedom), rtol=1e-8)
    half = student.ppf(0.975, freedom) * want.bse[:2]
    np.testing.assert_allclose(got.upper - got.coefficient, half, rtol=1e-8)
    np.testing.assert_allclose(got.coefficient - got.lower, half, rtol=1e-8)


@pytest.mark.parametrize("kept", [1.0, 0.6])
@pytest.mark.parametrize("repeats", [1, 2])
def test_two_way_clusters_are_those_of_statsmodels(kept, repeats):
    """Also with several rows of one entity at one time, where the crossing has clusters of two."""
    y, x, e, t = panel(2, entities=15, times=20, kept=kept)
    rng = np.random.default_rng(3)
    y, x, e, t = (np.concatenate([v] * repeats) for v in (y, x, e, t))
    y = y + 0.3 * rng.standard_normal(y.size)
    got = panel_regression(y, x, e, t, cluster="both")
    fit = by_dummies(y, x, e, t).fit()
    want = cov_cluster_2groups(fit, integers(e, t))[0]
    np.testing.assert_allclose(got.coefficient, fit.params[:2], rtol=1e-9)
    np.testing.assert_allclose(got.se, np.sqrt(np.diag(want)[:2]), rtol=1e-8)
    assert got.n_clusters == 15


def test_coefficients_of_a_panel_in_two_parts():
    """No entity links the halves: one more effect is free, and one dummy fewer spans them all."""
    y, x, e, t = panel(4, entities=24, times=24)
    linked = (e < 12) == (t < 12)
    y, x, e, t = (v[linked] for v in (y, x, e, t))
    got = panel_regression(y, x, e, t, cluster="entity")
    want = sm.OLS(y, by_dummies(y, x, e, t).exog[:, :-1]).fit(
        cov_type="cluster", cov_kwds={"groups": e}
    )
    np.testing.assert_allclose(got.coefficient, want.params[:2], rtol=1e-9)
    np.testing.assert_allclose(got.se, want.bse[:2], rtol=1e-8)


def test_within_is_the_projection_off_all_dummies():
    y, x, e, t = panel(5, kept=0.4)
    e, t = integers(e, t).T
    D = np.hstack([dummies(e), dummies(t)])
    values = np.column_stack([y, x]) + 1e6
    want = values - D @ np.linalg.lstsq(D, values, rcond=None)[0]
    got = within(values, e, t)
    np.testing.assert_allclose(got.values, want, atol=1e-8)
    assert got.n_absorbed == np.linalg.matrix_rank(D)
    for code in (e, t):
        assert np.abs(np.stack([np.bincount(code, v) for v in got.values.T])).max() < 1e-8


def test_rows_alone_are_left_out_until_none_is():
    """A chain: dropping the entity seen once leaves its time with one row, and so on."""
    e, t = np.array([0, 1, 1, 2, 2, 3, 3]), np.array([0, 0, 1, 1, 2, 2, 2])
    assert not not_single(e, t, 7)[:5].any()
    assert not_single(e, None, 7).tolist() == [False] + [True] * 6
    y, x, e, t = panel(6)
    rng = np.random.default_rng(7)
    more = np.r_[y, rng.standard_normal(3)], np.r_[x, rng.standard_normal((3, 2))]
    got = panel_regression(*more, np.r_[e, 90, 91, 92], np.r_[t, 0, 1, 2])
    base = panel_regression(y, x, e, t)
    assert got.n_single == 3
    for name in ("coefficient", "se", "p_value"):
        np.testing.assert_allclose(getattr(got, name), getattr(base, name), rtol=1e-12)


def test_missing_numbers_are_left_out_and_counted():
    y, x, e, t = panel(8)
    holed_y, holed_x = y.copy(), x.copy()
    holed_y[5], holed_x[9, 1], holed_x[5, 0] = np.nan, np.nan, np.nan
    got = panel_regression(holed_y, holed_x, e, t)
    rest = np.ones(y.size, np.bool_)
    rest[[5, 9]] = False
    want = panel_regression(y[rest], x[rest], e[rest], t[rest])
    assert (got.n_missing, want.n_missing, got.n_rows) == (2, 0, y.size - 2)
    np.testing.assert_array_equal(got.se, want.se)


def test_units_order_and_names_leave_the_judgement_alone():
    y, x, e, t = panel(9, kept=0.8)
    one = panel_regression(y, x, e, t)
    order = np.random.default_rng(10).permutation(y.size)
    names = np.array([f"S{i:02d}" for i in range(14)])
    scale = np.array([1e-6, 1e4])
    two = panel_regression(
        1e3 * y[order] + 7.0, scale * x[order], names[e[order]], t[order] * 60_000_000_000
    )
    np.testing.assert_allclose(two.coefficient * scale / 1e3, one.coefficient, rtol=1e-9)
    np.testing.assert_allclose(two.p_value, one.p_value, rtol=1e-7)
    swapped = panel_regression(y, x, t, e)
    np.testing.assert_allclose(swapped.se, one.se, rtol=1e-9)


def test_what_cannot_be_told_has_a_reason():
    y, x, e, t = panel(11)

    def fate(*data, **options):
        out = panel_regression(*data, **options)
        assert np.isnan([*out.coefficient, *out.se, *out.p_value]).all()
        return out.status, out.reason

    few = e < 9
    small = y[few], x[few], e[few], t[few]
    assert fate(*small) == (Status.TOO_FEW, PanelReason.FEW_CLUSTERS)
    assert panel_regression(*small, cluster="time").status is Status.OK
    assert fate(y[:15], x[:15], e[:15], t[:15]) == (Status.TOO_FEW, PanelReason.FEW_ROWS)
    nothing = np.full(y.size, np.nan)
    assert fate(nothing, x, e, t) == (Status.TOO_FEW, PanelReason.FEW_ROWS)
    explained = np.column_stack([x[:, 0], np.sin(e) + np.cos(t)])
    collinear = (Status.NOT_IDENTIFIED, PanelReason.COLLINEAR)
    assert fate(y, explained, e, t) == collinear
    assert fate(y, np.column_stack([x[:, 0], 2.0 * x[:, 0] + np.sin(e)]), e, t) == collinear
    assert fate(np.sin(e) + np.cos(t), x, e, t)[1] is PanelReason.NO_VARIATION


def test_one_entity_that_moves_is_no_sample():
    """A regressor that varies in one of 14 entities: its value is told, its interval is not."""
    y, x, e, t = panel(12)
    alone = np.column_stack([np.where(e == 3, x[:, 0], 0.0), x[:, 1]])
    got = panel_regression(y, alone, e, t, cluster="entity")
    assert (got.status, got.reason) == (Status.NOT_RESOLVED, PanelReason.CONCENTRATED)
    assert got.effective_clusters[0] < 2.0
    assert np.isnan([got.se[0], got.lower[0], got.p_value[0]]).all()
    assert np.isfinite([got.coefficient[0], got.se[1], got.p_value[1]]).all()


def test_a_variance_that_is_not_positive_gives_no_interval():
    """Errors that cancel within rows and within columns: V_e + V_t is less than their crossing."""
    i, j = np.divmod(np.arange(400), 20)
    sign = (-1.0) ** (i + j)
    x = np.random.default_rng(13).choice([0.9, 1.1], 400) * sign
    y = np.where(i < 10, 1.0, -1.0) * np.where(j < 10, 1.0, -1.0) * np.abs(x)
    got = panel_regression(y, x[:, None], i, j, cluster="both")
    assert (got.status, got.reason) == (Status.NOT_RESOLVED, PanelReason.NO_VARIANCE)
    assert np.isnan(got.se[0])


def rejected(runs, entities, cluster, number, **options):
    """Share of runs that reject the true null at 5%."""
    fits = (
        panel_regression(*panel([number, seed], entities=entities, k=1, **options), cluster=cluster)
        for seed in range(runs)
    )
    return sum(fit.p_value[0] < 0.05 for fit in fits) / runs


@pytest.mark.parametrize("entities", [10, 40])
def test_size_with_related_errors(entities):
    """5% within 3.3 binomial standard errors of 600 runs."""
    share = rejected(600, entities, "entity", 14, times=30)
    assert abs(share - 0.05) < 3.3 * math.sqrt(0.05 * 0.95 / 600)


def test_errors_taken_for_independent_reject_too_often():
    """The same panels, each row a cluster: what the clusters are for."""
    wrong = 0
    for seed in range(300):
        y, x, e, t = panel([15, seed], entities=20, times=30, k=1, ar=0.9)
        fit = by_dummies(y, x, e, t).fit(cov_type="HC1")
        wrong += fit.pvalues[0] < 0.05
    assert wrong / 300 > 0.15
    assert rejected(300, 20, "entity", 15, times=30, ar=0.9) < 0.10


@pytest.mark.slow
@pytest.mark.parametrize("entities", [10, 40])
@pytest.mark.parametrize("cluster", ["entity", "both"])
def test_size_is_four_to_six_percent(entities, cluster):
    """4,000 runs: one binomial standard error is a third of a point."""
    assert 0.04 < rejected(4000, entities, cluster, 16, times=40) < 0.06


@pytest.mark.slow
@pytest.mark.parametrize("entities", [10, 40])
def test_a_true_effect_is_covered(entities):
    fits = [
        panel_regression(
            *panel([17, seed], entities=entities, times=40, k=1, effect=0.2), cluster="both"
        )
        for seed in range(3000)
    ]
    held = [one.lower[0] <= 0.2 <= one.upper[0] for one in fits if one.status is Status.OK]
    assert len(held) > 2700
    assert 0.93 < np.mean(held) < 0.97


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        ({"y": np.zeros((5, 1))}, r"y \(n,\)"),
        ({"x": np.zeros(168)}, "x "),
        ({"entity": np.zeros(3)}, "a label for every row"),
        ({"cluster": "row"}, "one of entity, time, both"),
        ({"level": 95}, "level"),
        ({"y": np.r_[np.inf, np.zeros(167)]}, "row 1, column 'y'"),
    ],
)
def test_bad_panels_are_named(change, wanted):
    y, x, e, t = panel(18)
    with pytest.raises(InputError, match=wanted):
        panel_regression(**{"y": y, "x": x, "entity": e, "time": t, **change})
