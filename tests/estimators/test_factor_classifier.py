"""The up-move classifier: its optimum by other roads, no look ahead, scores, placebo, real edge."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.signal import lfilter
from scipy.stats import rankdata

from eventtape.arrays import Status
from eventtape.errors import InputError
from eventtape.estimators.factors import logistic
from eventtape.estimators.factors.classifier import step, walk_forward
from eventtape.estimators.factors.forecast_scores import scores

M = 60 * 10**9
N, P = 800, 4


def rows(seed=0, edge=1.0, n=N, p=P, per_time=2):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, p)) * np.array([1.0, 50.0, 1e-3, 7.0])[:p] + 3.0
    odds = edge * (x[:, 0] - 3.0) - 0.5 * edge * (x[:, 2] - 3.0) / 1e-3 - 0.3
    y = rng.uniform(size=n) < 1.0 / (1.0 + np.exp(-odds))
    return np.arange(n) // per_time * M, x, y


def objective(b, z, y, ridge):
    at = b[0] + z @ b[1:]
    return np.logaddexp(0.0, -(2.0 * y - 1.0) * at).sum() + 0.5 * ridge * b[1:] @ b[1:]


@pytest.mark.parametrize("ridge", [0.0, 1e-3, 1.0, 100.0])
def test_a_general_minimiser_finds_the_same_optimum(ridge):
    _, x, y = rows()
    model = logistic.fit(x, y, ridge=ridge)
    z = (x - x.mean(axis=0)) / x.std(axis=0)
    peer = minimize(
        objective, np.zeros(P + 1), (z, y, ridge), method="BFGS", options={"gtol": 1e-9}
    )
    ours = np.r_[model.intercept, model.coefficients]
    assert objective(ours, z, y, ridge) <= peer.fun + 1e-12 * abs(peer.fun)
    np.testing.assert_allclose(ours, peer.x, atol=1e-5)
    q = 1.0 / (1.0 + np.exp(-(ours[0] + z @ ours[1:])))
    slope = z.T @ (q - y) + ridge * ours[1:]
    np.testing.assert_allclose(slope, 0.0, atol=1e-9)
    assert abs((q - y).sum()) < 1e-9
    assert model.status is Status.OK


@pytest.mark.parametrize("ridge", [1e-3, 1.0, 100.0])
def test_scikit_learn_agrees(ridge):
    linear_model = pytest.importorskip("sklearn.linear_model", reason="a peer, not a dependency")
    _, x, y = rows(1)
    model = logistic.fit(x, y, ridge=ridge)
    z = (x - x.mean(axis=0)) / x.std(axis=0)
    settings = {"C": 1.0 / ridge, "tol": 1e-12, "solver": "newton-cholesky"}
    peer = linear_model.LogisticRegression(**settings).fit(z, y)
    np.testing.assert_allclose(model.coefficients, peer.coef_[0], atol=1e-6)
    assert model.intercept == pytest.approx(peer.intercept_[0], abs=1e-6)


def test_statsmodels_agrees_without_a_ridge():
    import statsmodels.api as sm

    _, x, y = rows(2)
    model = logistic.fit(x, y, ridge=0.0)
    z = (x - x.mean(axis=0)) / x.std(axis=0)
    peer = sm.Logit(y.astype(float), sm.add_constant(z)).fit(disp=False, tol=1e-12)
    np.testing.assert_allclose(np.r_[model.intercept, model.coefficients], peer.params, rtol=1e-8)


def test_separated_and_empty_classes_get_no_model():
    _, x, y = rows()
    apart = logistic.fit(x, x[:, 1] > 3.0, ridge=0.0)
    assert apart.status is Status.NO_CONVERGENCE
    assert np.isnan(apart.coefficients).all()
    assert logistic.fit(x, x[:, 1] > 3.0, ridge=1.0).status is Status.OK
    assert logistic.fit(x, np.ones(N, bool)).status is Status.TOO_FEW
    assert logistic.fit(x[:9], y[:9]).status is Status.TOO_FEW
    still = x.copy()
    still[:, 3] = 2.5
    model = logistic.fit(still, y, ridge=0.0)
    assert model.status is Status.OK
    assert model.coefficients[3] == 0.0


def test_a_model_is_data_and_comes_back_bit_for_bit():
    _, x, y = rows()
    model = logistic.fit(x, y)
    back = logistic.from_dict(json.loads(json.dumps(logistic.as_dict(model))))
    for one, two in zip(model, back, strict=True):
        np.testing.assert_array_equal(one, two)
    whole = logistic.probability(model, x)
    live = [step(back, row)[1] for row in x]
    np.testing.assert_array_equal(live, whole)
    with pytest.raises(InputError, match="coefficients"):
        logistic.from_dict({"intercept": 0.0})


def test_forecasts_do_not_see_what_came_later():
    """Purge and embargo: changing every label not yet known changes no forecast."""
    ts, x, y = rows(3)
    options = {"horizon_ns": 5 * M, "embargo_ns": 3 * M, "folds": 4}
    walk = walk_forward(ts, x, y, **options)
    assert walk.status is Status.OK
    assert np.isnan(walk.probability[walk.fold == 0]).all()
    for j in range(1, 5):
        begin = ts[walk.fold == j][0]
        known = ts + 8 * M <= begin
        again = walk_forward(ts, x, np.where(known, y, ~y), **options)
        mine = walk.fold == j
        np.testing.assert_array_equal(again.probability[mine], walk.probability[mine])
        edge = ts + 8 * M == begin  # the last time that may be learnt from does matter
        if edge.any():
            moved = walk_forward(ts, x, np.where(edge, ~y, y), **options)
            assert (moved.probability[mine] != walk.probability[mine]).any()
        model = walk.models[j - 1]
        assert model.n_rows == known.sum()
        np.testing.assert_allclose(model.mean, x[known].mean(axis=0), rtol=1e-12)
        assert model.base_rate == y[known].mean()


def test_scores_by_hand():
    ts, x, y = rows(4)
    walk = walk_forward(ts, x, y, horizon_ns=M)
    found = scores(ts, y, walk.probability, walk.base_rate)
    made = np.isfinite(walk.probability)
    q, c, won = walk.probability[made], walk.base_rate[made], y[made]
    assert found.brier.score == pytest.approx(np.mean((q - won) ** 2), rel=1e-12)
    assert found.brier.base_score == pytest.approx(np.mean((c - won) ** 2), rel=1e-12)
    log = -np.log(np.where(won, q, 1.0 - q)).mean()
    assert found.log.score == pytest.approx(log, rel=1e-12)
    assert found.log.gain == pytest.approx(found.log.base_score - log, rel=1e-9)
    ranks = rankdata(q)
    pairs = (q[won][:, None] > q[~won]).mean() + 0.5 * (q[won][:, None] == q[~won]).mean()
    assert found.auc == pytest.approx(pairs, rel=1e-12)
    assert ranks.size == found.n_rows == found.reliability.n_rows.sum()
    np.testing.assert_allclose(
        found.reliability.outcome @ found.reliability.n_rows, won.sum(), rtol=1e-12
    )
    # A planted edge is found, and forecasts mean what they say
    assert found.brier.lower > 0.0
    assert found.log.lower > 0.0
    assert 0.7 < found.calibration_slope < 1.3
    assert found.auc > 0.7


def test_a_forecast_that_is_too_sure_has_a_small_slope():
    rng = np.random.default_rng(5)
    odds = rng.standard_normal(4000)
    y = rng.uniform(size=4000) < 1.0 / (1.0 + np.exp(-odds))
    sure = 1.0 / (1.0 + np.exp(-(2.0 * odds + 0.5)))
    found = scores(np.arange(4000), y, sure, np.full(4000, 0.5))
    assert found.calibration_slope == pytest.approx(0.5, abs=0.08)
    assert found.calibration_intercept == pytest.approx(-0.25, abs=0.1)


def spells_of_forecasts(seed, times):
    """Forecasts too sure by 2 (slope .5, intercept -.25), three a time, in spells of times."""
    rng = np.random.default_rng(seed)
    common = lfilter([0.6], [1.0, -0.8], rng.standard_normal(times + 50))[50:]
    odds = np.repeat(common, 3) + 0.7 * rng.standard_normal(3 * times)
    y = rng.uniform(size=3 * times) < 1.0 / (1.0 + np.exp(-0.5 * odds + 0.25))
    return np.repeat(np.arange(times), 3), y, 1.0 / (1.0 + np.exp(-odds))


def test_intervals_of_auc_and_calibration_hold_the_truth():
    """400 runs of 300 times: 95, 94 and 96%, standard error 1.1 points. The AUC's truth is that of
    600,000 times (error below .001 against a half width of .04)."""
    _, y, q = spells_of_forecasts(0, 600_000)
    up = int(y.sum())
    auc = (rankdata(q)[y].sum() - 0.5 * up * (up + 1)) / (up * (y.size - up))
    held = []
    for seed in range(1, 401):
        ts, y, q = spells_of_forecasts(seed, 300)
        found = scores(ts, y, q, np.full(y.size, 0.45))
        ends = (
            (found.auc_interval, auc),
            (found.calibration_intercept_interval, -0.25),
            (found.calibration_slope_interval, 0.5),
        )
        held.append([low <= true <= high for (low, high), true in ends])
    share = np.mean(held, axis=0)
    np.testing.assert_allclose(share, [0.95, 0.9425, 0.96], atol=0.0051)


def test_perfect_order_has_no_interval():
    rng = np.random.default_rng(6)
    y = rng.uniform(size=200) < 0.5
    q = np.where(y, 0.6, 0.4) + 0.05 * rng.uniform(size=200)
    found = scores(np.arange(200), y, q, np.full(200, 0.5))
    assert found.auc == 1.0
    assert np.isnan(found.auc_interval).all()
    assert np.isnan(found.calibration_slope_interval).all()  # the fit has no maximum


def placebo(runs, spells):
    """The share of runs in which labels that know nothing of the features show an edge at 97.5%."""
    found = []
    for seed in range(runs):
        ts, x, _ = rows(seed, n=600)
        rng = np.random.default_rng(10_000 + seed)
        draw = rng.standard_normal(300)
        for t in range(1, 300):
            draw[t] = spells * draw[t - 1] + np.sqrt(1.0 - spells**2) * draw[t]
        y = np.repeat(draw, 2) + rng.standard_normal(600) > 0.0  # both rows of a time move alike
        walk = walk_forward(ts, x, y, horizon_ns=M)
        out = scores(ts, y, walk.probability, walk.base_rate)
        found.append((out.brier.lower > 0.0, out.log.lower > 0.0))
    return np.mean(found, axis=0)


@pytest.mark.parametrize("spells", [0.0, 0.8])
def test_labels_that_know_nothing_show_no_edge(spells):
    """200 runs each, with and without spells of up-moves; seen: none. A fitted model pays for its
    noise, so fewer than the nominal 2.5% show an edge."""
    brier, log = placebo(200, spells)
    assert brier <= 0.01
    assert log <= 0.01


@pytest.mark.parametrize(("edge", "power"), [(0.4, 0.85), (0.8, 0.97)])
def test_a_planted_edge_is_found(edge, power):
    """100 runs of 1,600 rows each, a weak effect (seen: 91) and a plain one (100): edge, signs."""
    found = []
    for seed in range(100):
        ts, x, y = rows(seed, edge=edge, n=1600)
        walk = walk_forward(ts, x, y, horizon_ns=M)
        out = scores(ts, y, walk.probability, walk.base_rate)
        last = walk.models[-1].coefficients
        found.append(out.brier.lower > 0.0 and last[0] > 0.0 > last[2])
    assert np.mean(found) >= power


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda ts, x, y: walk_forward(ts[::-1], x, y, horizon_ns=M), "do not fall"),
        (lambda ts, x, y: walk_forward(ts, x, y * 1.0, horizon_ns=M), "type bool"),
        (lambda ts, x, y: walk_forward(ts, x, y, horizon_ns=0), "horizon above 0"),
        (lambda ts, x, y: walk_forward(ts[1:], x, y, horizon_ns=M), "a time for each row"),
        (lambda ts, x, y: logistic.fit(np.where(x == x[3, 1], np.nan, x), y), "row 4, column"),
        (lambda ts, x, y: logistic.fit(x, y, ridge=-1.0), "ridge >= 0"),
        (lambda ts, x, y: scores(ts, y, 2.0 * y, 0.5 + 0.0 * y), "from 0 to 1"),
    ],
)
def test_what_cannot_be_used_is_named(change, words):
    with pytest.raises(InputError, match=words):
        change(*rows())
