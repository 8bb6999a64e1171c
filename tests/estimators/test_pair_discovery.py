"""Pairs against regressions done one at a time, against statsmodels, and as a contract."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats
from scipy.linalg import solve_toeplitz
from statsmodels.tsa.vector_ar.vecm import VECM

from eventtape.errors import InputError
from eventtape.estimators.discovery.false_discovery import adjusted
from eventtape.estimators.discovery.information_share import shares
from eventtape.estimators.discovery.pair_kernel import COLUMNS, solve_pairs
from eventtape.estimators.discovery.pair_rows import (
    innovation_sizes,
    least_order,
    pair_rows,
    standing,
)
from eventtape.estimators.discovery.pairs import pair_discovery
from eventtape.estimators.discovery.rank_law import rank_law, tail
from eventtape.estimators.discovery.refusals import Reason
from eventtape.estimators.discovery.vecm import vecm
from eventtape.simulate.price_leaders import common_trend_panel, yan_zivot
from eventtape.simulate.price_placebos import independent_walks
from twins import plain_pairs as plain

NUMBERS = (
    "pils",
    "pils_lower",
    "pils_upper",
    "is_first",
    "is_last",
    "is_lower",
    "is_upper",
    "component",
    "component_lower",
    "component_upper",
    "pds",
    "pds_lower",
    "pds_upper",
    "beta",
    "correlation",
    "p_none",
    "p_stationary",
    "p_alone",
    "q_relation",
    "p_equal",
    "q_equal",
)


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


def test_far_tail_of_the_rank_law():
    """Against 400,000 draws by Johansen's formula: never too small, at one in 10^4 twice too large.

    In short samples the tail is thinner than exponential, which errs to the safe side.
    """
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
    for level, most in ((0.05, 1.1), (0.01, 1.15), (1e-3, 1.6), (1e-4, 2.5)):
        at = np.quantile(statistic, 1.0 - level)
        # 8% for our 400 draws beyond 98%, and 1/sqrt(40) for the last quantile of the fresh ones
        assert 0.85 < tail(law, np.array([at]))[0] / level < most


def test_any_order_of_columns_gives_the_permuted_answer():
    x = np.column_stack([market(11, 390), told_apart(12, 390)])
    order = np.random.default_rng(0).permutation(9)
    plainly, turned = pair_discovery(x), pair_discovery(x[:, order])
    assert (plainly.leader >= 0).any()
    back = {(order[i], order[j]): p for p, (i, j) in enumerate(zip(*turned[:2], strict=True))}
    for p, (i, j) in enumerate(zip(*plainly[:2], strict=True)):
        flip = (i, j) not in back
        at = back[(j, i) if flip else (i, j)]
        assert plainly.reason[p] is turned.reason[at]
        leader = turned.leader[at]
        assert plainly.leader[p] == (order[leader] if leader >= 0 else -1)
        for name in ("p_none", "p_stationary", "p_alone", "q_relation", "p_equal", "q_equal"):
            a, b = getattr(plainly, name)[p], getattr(turned, name)[at]
            assert a == pytest.approx(b, rel=1e-9, abs=1e-9, nan_ok=True), name
        assert plainly.width[p] == pytest.approx(turned.width[at], abs=1e-9)
        for name in ("pils", "component", "pds"):
            low, high = getattr(turned, f"{name}_lower")[at], getattr(turned, f"{name}_upper")[at]
            mine = [getattr(plainly, name)[p]]
            mine += [getattr(plainly, f"{name}_lower")[p], getattr(plainly, f"{name}_upper")[p]]
            other = [getattr(turned, name)[at], low, high]
            want = [1.0 - other[0], 1.0 - high, 1.0 - low] if flip else other
            assert mine == pytest.approx(want, abs=1e-9, nan_ok=True), name


def test_unit_and_origin_of_a_series_do_not_matter():
    """Beta carries the unit; everything else is as it was."""
    x = told_apart(4, 390)
    unit, origin = np.array([1.0, -3.0, 250.0, 1e-3]), np.array([0.0, 7.0, -4.0, 100.0])
    a, b = pair_discovery(x, 1), pair_discovery(x * unit + origin, 1)
    assert (a.leader >= 0).any()
    assert a.leader.tolist() == b.leader.tolist()
    assert a.reason == b.reason
    # rounding 100 to its last digit loses 1e-14 / 5e-7 of the smallest steps
    for name in set(NUMBERS) - {"beta", "correlation"}:
        # The component share has a pole where responses cancel: draws close to it lose digits
        rtol = 1e-4 if name.startswith("component_") else 1e-6
        np.testing.assert_allclose(getattr(a, name), getattr(b, name), rtol=rtol, atol=1e-6)
    scale = unit[b.first] / unit[b.second]
    np.testing.assert_allclose(b.beta, a.beta * scale, rtol=1e-6)
    sign = np.sign(scale)
    np.testing.assert_allclose(b.correlation, a.correlation * sign, rtol=1e-6)


def test_nights_and_holes_are_rows_dropped_by_hand():
    """Two sessions and holes in single series: every row with a break in any series is left out."""
    x = told_apart(6, 500)
    x[[40, 41, 200, 333], [0, 0, 2, 3]] = np.nan
    day = np.repeat([20241105, 20241106], [260, 240])
    lags = 2
    out = pair_discovery(x, lags, sessions=day, n_draws=99)
    first, second, table, panel = statistics(x, lags, sessions=day)
    for p, (i, j) in enumerate(zip(first, second, strict=True)):
        rows = plain.gather(x[:, [i, j]], lags, day, x)
        found = plain.model(rows)
        assert out.n_rows == panel.rows == len(rows.d)
        assert table["root_first"][p] == pytest.approx(found.roots[0], rel=1e-9)
        assert out.beta[p] == pytest.approx(found.beta, rel=1e-9)
        width = abs(found.is_first - found.is_last)
        assert out.width[p] == pytest.approx(width, rel=1e-8)
    # 3 rows at the start, 3 after the night; a hole breaks lags + 2 rows, two in a row one more
    assert out.n_rows == 500 - 3 - 3 - 5 - 4 - 4


def test_named_pairs_in_any_order_are_those_of_all():
    x = told_apart(8, 390)
    every = pair_discovery(x, 1)
    some = pair_discovery(x, 1, pairs=np.array([[3, 1], [0, 2]]))
    at = [4, 1]
    assert list(zip(some.first.tolist(), some.second.tolist(), strict=True)) == [(1, 3), (0, 2)]
    for name in ("beta", "p_none", "p_alone", "width"):
        np.testing.assert_array_equal(getattr(some, name), getattr(every, name)[at])


def reasons(x, *args, **options):
    out = pair_discovery(x, *args, n_draws=99, **options)
    for p, why in enumerate(out.reason):
        numbers = [out.pils[p], out.is_first[p], out.is_last[p], out.component[p], out.pds[p]]
        assert (why is Reason.NONE) == (out.leader[p] >= 0)
        assert np.isfinite(numbers).all() == (why is Reason.NONE)
        kept = why in {Reason.NONE, Reason.EQUAL}
        ends = [getattr(out, n)[p] for n in NUMBERS if n.endswith(("_lower", "_upper"))]
        assert np.isfinite(ends).all() == kept
    return out.reason


def test_what_cannot_be_fitted():
    x = told_apart(1, 390)
    twice = np.column_stack([x[:, 0], x[:, 0]])
    assert reasons(twice, 1) == [Reason.SINGULAR]
    flat = np.column_stack([x[:, 0], np.full(390, 4.6)])
    assert reasons(flat, 1) == [Reason.STALE]
    one_flat = reasons(np.column_stack([flat, x[:, 1]]), 1)
    assert one_flat[0] is one_flat[2] is Reason.STALE
    assert one_flat[1] is not Reason.STALE
    behind = np.column_stack([x[1:, 0], x[:-1, 0]])  # known from the row before: one lag too many
    assert reasons(behind, 1) == [Reason.SINGULAR]
    assert reasons(behind, 0) == [Reason.SINGULAR]


@pytest.mark.parametrize("n_rows", [3, 4, 5, 8, 20, 41])
def test_few_rows(n_rows):
    x = told_apart(2, n_rows)
    assert set(reasons(x)) == {Reason.FEW_ROWS}
    assert set(reasons(x, 1)) == {Reason.FEW_ROWS}
    assert set(reasons(x, 5)) == {Reason.FEW_ROWS}


def test_rows_per_regressor_moves_the_limit():
    x = told_apart(2, 42)  # 40 rows for 4 regressors
    assert Reason.FEW_ROWS not in reasons(x, 1)
    assert set(reasons(x[1:], 1)) == {Reason.FEW_ROWS}
    assert Reason.FEW_ROWS not in reasons(x[1:], 1, rows_per_regressor=9.0)
    assert pair_discovery(x).lags == 1


def test_prices_that_stand_still():
    x = told_apart(3, 600)
    held = x.copy()
    for t in range(1, 600):
        if t % 5 > 1:  # moves in two of five rows
            held[t, 0] = held[t - 1, 0]
    why = reasons(held, 1)
    assert why[:3] == [Reason.STALE] * 3
    assert Reason.STALE not in why[3:]


def test_ratio_of_speeds_that_standing_makes():
    """Poisson trades of one and three a unit: the mean age of the last, by simulation."""
    rng = np.random.default_rng(3)
    steps = 40_000
    fresh, columns = [], []
    for rate in (3.0, 1.0):
        times = np.sort(rng.uniform(0, steps, rng.poisson(rate * steps)))
        grid = np.arange(steps + 1)
        seen = np.searchsorted(times, grid)
        columns.append(np.cumsum(np.diff(seen, prepend=0) > 0))
        last = times[np.maximum(seen - 1, 0)]
        fresh.append(1.0 - np.minimum(grid - last, 1.0)[10:].mean())
    panel = pair_rows(np.column_stack(columns).astype(float), 1, None, 1.0)
    np.testing.assert_allclose(panel.still, [math.exp(-3.0), math.exp(-1.0)], rtol=0.05)
    band = standing(panel, np.array([0, 1, 0]), np.array([1, 0, 0]))
    np.testing.assert_allclose(band, [fresh[0] / fresh[1], fresh[1] / fresh[0], 1.0], rtol=0.01)
    moving = panel._replace(still=np.array([0.0, 0.0]))
    assert standing(moving, np.array([0]), np.array([1]))[0] == 1.0


def test_lags_too_short_for_the_prices():
    """Moving averages of two steps each way: one lag is not enough, and is said not to be."""
    x = common_trend_panel(1, 390, np.array([0.8, 0.4]), noise_sd=2e-3).log_prices
    assert reasons(x, 1) == [Reason.SERIAL]
    assert pair_discovery(x).lags > 1
    assert reasons(x) != [Reason.SERIAL]
    # 60 rows afford no more than one lag, and these prices ask for more
    assert reasons(x[:60]) == [Reason.SERIAL]


def test_order_of_a_series_is_that_of_yule_and_walker():
    """Against scipy's Toeplitz solve at each order."""
    rng = np.random.default_rng(2)
    for true in (0, 1, 3):
        e = rng.standard_normal(900)
        for t in range(3, 900):
            e[t] += -0.5 * e[t - true] if true else 0.0
        d = e - e.mean()
        r = np.array([d[j:] @ d[: d.size - j] for j in range(9)]) / d.size
        left = [
            r[0],
            *(r[0] - r[1 : k + 1] @ solve_toeplitz(r[:k], r[1 : k + 1]) for k in range(1, 9)),
        ]
        sizes = innovation_sizes(e, 8)
        np.testing.assert_allclose(sizes, 900 * np.log(left), rtol=1e-12)
        assert least_order(sizes, 2.0) == int(np.argmin(sizes + 2.0 * np.arange(9)))
        assert least_order(sizes, 7.4) == true


def test_one_block_or_as_many_as_rows():
    x = told_apart(5, 390)
    one = pair_discovery(x, 1, block=389, n_draws=99)
    assert one.n_blocks == 1
    assert set(one.reason) == {Reason.FEW_ROWS}  # nothing to redraw
    assert set(reasons(x, 1, block=97)) == {Reason.FEW_ROWS}  # 4 blocks for 4 regressors
    assert Reason.FEW_ROWS not in reasons(x, 1, block=77)
    assert pair_discovery(x, 1, block=1, n_draws=99).n_blocks == 388
    assert pair_discovery(told_apart(5, 2_000), 1, block=1, n_draws=99).n_blocks == 400


def test_errors_at_the_door():
    x = told_apart(1, 100)
    for wrong, said in (
        (x[:, :1], "n >= 2"),
        (x[:2], "T >= 3"),
        (x[0], "n >= 2"),
        (np.where(np.arange(4) == 2, np.nan, x), "series with prices"),
    ):
        with pytest.raises(InputError, match=said):
            pair_discovery(wrong)
    bad = x.copy()
    bad[7, 3] = np.inf
    with pytest.raises(InputError, match=r"row 8, column '3'.*met inf"):
        pair_discovery(bad)
    for options, said in (
        ({"lags": -1}, "at least 0 lags"),
        ({"level": 95.0}, "level between"),
        ({"false_discovery": 0.0}, "false-discovery rate"),
        ({"n_draws": 10}, "at least 99 draws"),
        ({"block": 0}, "at least 1 row"),
        ({"sessions": np.zeros(5)}, "session labels"),
        ({"pairs": np.array([[0, 4]])}, "columns of 0 to 3"),
        ({"pairs": np.array([[0, 1], [2, 2]])}, "row 2"),
        ({"pairs": np.array([0, 1])}, "pairs"),
        ({"pairs": np.empty((0, 2), int)}, "pairs"),
    ):
        with pytest.raises(InputError, match=said):
            pair_discovery(x, **options)
