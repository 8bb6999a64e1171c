"""The VECM against plain regressions, its limits, and what it refuses."""

from __future__ import annotations

import itertools
import math
from decimal import Decimal, localcontext
from fractions import Fraction

import numpy as np
import pytest
import scipy.linalg

from eventtape.arrays import Status
from eventtape.errors import InputError
from eventtape.estimators.discovery.refusals import Reason
from eventtape.estimators.discovery.vecm import permanent_impact, vecm, vecm_from_moments
from eventtape.estimators.discovery.vecm_moments import blank_moments, moments, select


def panel(seed, n, r, *, rows=300, level=4.6, step=1e-3):
    """n log prices with n - r walks between them, and a stationary part of each."""
    rng = np.random.default_rng(seed)
    walks = np.cumsum(rng.standard_normal((rows, n - r)), axis=0)
    own = rng.standard_normal((rows, n))
    for t in range(1, rows):
        own[t] += 0.6 * own[t - 1]
    return level + step * (walks @ rng.standard_normal((n - r, n)) + own)


def plainly(x, lags, rank, deterministic, seasons, first_season=0, beta=None):
    """The model by least squares on rows written out one by one, and Johansen by projections.

    Canonical correlations are the singular values of Q0' Q1, Q orthonormal bases of the residuals:
    no product of moments, no Cholesky factor, no origin.
    """
    T, n = x.shape
    dx, levels, rest = [], [], []
    for t in range(lags + 1, T):
        dx.append(x[t] - x[t - 1])
        levels.append(np.append(x[t - 1], 1.0) if deterministic == "ci" else x[t - 1])
        row = [x[t - j] - x[t - j - 1] for j in range(1, lags + 1)]
        row.append([1.0] if deterministic == "co" else [])
        season = (first_season + t) % seasons if seasons else 0
        row.append([(season == s) - 1.0 / seasons for s in range(seasons - 1)])
        rest.append(np.concatenate(row))
    dx, levels, rest = np.array(dx), np.array(levels), np.array(rest).reshape(len(dx), -1)

    def residual(y):
        return y - rest @ np.linalg.lstsq(rest, y, rcond=None)[0] if rest.size else y

    q0 = np.linalg.qr(residual(dx))[0]
    q1, r1 = np.linalg.qr(residual(levels))
    _, cosines, right = np.linalg.svd(q0.T @ q1)
    if beta is None:
        beta = scipy.linalg.solve_triangular(r1, right[:rank].T)
        beta = beta @ np.linalg.inv(beta[:rank])
    design = np.column_stack([levels @ beta, rest])
    coefficients = np.linalg.lstsq(design, dx, rcond=None)[0]
    e = dx - design @ coefficients
    omega = e.T @ e / len(e)
    quadratic = np.einsum("ti,ij,tj->", e, np.linalg.inv(omega), e)
    gauss = len(e) * (n * math.log(2 * math.pi) + np.linalg.slogdet(omega)[1]) + quadratic
    return beta, coefficients, omega, cosines**2, -0.5 * gauss


def together(out, deterministic):
    """All coefficients of an equation, in the columns of :func:`plainly`."""
    parts = [out.alpha, *out.gamma, *([out.const] if deterministic == "co" else []), out.seasonal]
    return np.column_stack(parts).T


@pytest.mark.parametrize(("lags", "seasons"), [(0, 0), (0, 3), (1, 0), (3, 2), (2, 5)])
@pytest.mark.parametrize("deterministic", ["n", "co", "ci"])
@pytest.mark.parametrize("n", [1, 2, 4])
def test_equals_rows_written_out(n, deterministic, lags, seasons):
    """Every rank from none to all, at a level of .3: at 4.6 the twin itself loses digits."""
    for rank in range(n + 1):
        x = panel([n, rank, lags], n, rank, level=0.3)
        out = vecm(x, lags, rank=rank, deterministic=deterministic, seasons=seasons, first_season=1)
        beta, coefficients, omega, lam, llf = plainly(x, lags, rank, deterministic, seasons, 1)
        mine = together(out, deterministic)
        # In units of the coefficient's own equation: loadings are small beside constants
        np.testing.assert_allclose(out.beta, beta, rtol=1e-8, atol=1e-9)
        np.testing.assert_allclose(mine, coefficients, rtol=1e-8, atol=1e-9)
        np.testing.assert_allclose(out.omega, omega, rtol=1e-9, atol=1e-16)
        np.testing.assert_allclose(out.eigenvalues, lam, atol=1e-11)
        assert out.log_likelihood == pytest.approx(llf, rel=1e-11)
        assert out.n_regressors == mine.shape[0]
        assert out.reason is (Reason.RANK_FULL if rank == n else Reason.NONE)


@pytest.mark.parametrize("deterministic", ["n", "co", "ci"])
def test_a_given_beta_is_kept_and_the_rest_is_least_squares(deterministic):
    x = panel(1, 3, 2, level=0.3)
    beta = np.array([[1.0, 0.0], [-1.0, 2.0], [0.0, -2.0]])
    if deterministic == "ci":
        beta = np.vstack([beta, [0.001, -0.7]])
    out = vecm(x, 2, beta=beta, deterministic=deterministic)
    _, coefficients, omega, lam, llf = plainly(x, 2, 2, deterministic, 0, beta=beta)
    np.testing.assert_array_equal(out.beta, beta)
    np.testing.assert_allclose(together(out, deterministic), coefficients, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(out.omega, omega, rtol=1e-9, atol=1e-16)
    np.testing.assert_allclose(out.eigenvalues, lam, atol=1e-11)
    assert out.log_likelihood == pytest.approx(llf, rel=1e-11)
    free = vecm(x, 2, rank=2, deterministic=deterministic)
    assert free.log_likelihood > out.log_likelihood
    again = vecm(x, 2, beta=free.beta, deterministic=deterministic)
    np.testing.assert_allclose(again.psi, free.psi, rtol=1e-8)
    np.testing.assert_allclose(again.alpha, free.alpha, rtol=1e-8, atol=1e-12)


def test_statistics_are_sums_of_the_eigenvalues():
    out = vecm(panel(2, 4, 2), 1, rank=2)
    lam = out.eigenvalues
    assert (np.diff(lam) < 0.0).all()
    for r in range(4):
        assert out.trace[r] == pytest.approx(-out.n_rows * np.log(1 - lam[r:]).sum(), rel=1e-12)
        assert out.max_eigen[r] == pytest.approx(-out.n_rows * math.log(1 - lam[r]), rel=1e-10)
    # One more relation is worth half its statistic
    more = vecm(panel(2, 4, 2), 1, rank=3)
    assert 2 * (more.log_likelihood - out.log_likelihood) == pytest.approx(out.max_eigen[2])


def iterated(out, steps=5_000):
    """What a unit shock to each series leaves after ``steps`` rows of the VAR in levels."""
    k, n, _ = out.gamma.shape
    pi = out.alpha @ out.beta[:n].T
    coefficients = [np.zeros((n, n)) for _ in range(k + 1)]
    coefficients[0] += np.eye(n) + pi
    for j in range(k):
        coefficients[j] += out.gamma[j]
        coefficients[j + 1] -= out.gamma[j]
    past = [np.eye(n)] + [np.zeros((n, n))] * k
    for _ in range(steps):
        past = [sum(a @ y for a, y in zip(coefficients, past, strict=True)), *past[:-1]]
    return past[0]


@pytest.mark.parametrize("lags", [0, 1, 3])
@pytest.mark.parametrize(("n", "rank"), [(2, 0), (2, 1), (3, 1), (3, 2), (5, 4), (2, 2)])
def test_permanent_impact_is_the_limit_of_the_responses(n, rank, lags):
    out = vecm(panel([3, n, rank], n, rank, rows=1_000), lags, rank=rank)
    np.testing.assert_allclose(out.psi, iterated(out), rtol=1e-9, atol=1e-10)
    np.testing.assert_allclose(
        permanent_impact(out.alpha, out.beta, out.gamma), out.psi, rtol=1e-9, atol=1e-12
    )
    np.testing.assert_allclose(out.beta.T @ out.psi, 0.0, atol=1e-9)
    np.testing.assert_allclose(out.psi @ out.alpha, 0.0, atol=1e-9)
    assert np.linalg.matrix_rank(out.psi, tol=1e-8) == n - rank
    assert out.trend.shape == (n, n - rank)
    np.testing.assert_allclose(out.trend.T @ out.trend, np.eye(n - rank), atol=1e-13)
    np.testing.assert_allclose(out.beta.T @ out.trend, 0.0, atol=1e-10)
    assert (out.trend.sum(axis=0) >= 0.0).all()


def test_permanent_impact_of_known_parameters():
    """Baillie, Booth, Tse and Zabotina: loadings (-.2, .3) weigh .6 and .4, (-.05, .45) .9 and .1.

    One series that carries half of each step on ends at twice the shock. With loadings (-a, 0) the
    second is the trend whatever the first's own dynamics; with Gamma = g I all is over 1 - g.
    """
    one = np.array([[1.0], [-1.0]])
    for a, row in (([-0.2, 0.3], [0.6, 0.4]), ([-0.05, 0.45], [0.9, 0.1])):
        psi = permanent_impact(np.array(a)[:, None], one, np.zeros((0, 2, 2)))
        np.testing.assert_allclose(psi, [row, row], rtol=1e-14)
        slow = permanent_impact(np.array(a)[:, None], one, np.array([0.2 * np.eye(2)] * 2))
        np.testing.assert_allclose(slow, np.array([row, row]) / 0.6, rtol=1e-14)
    none = np.zeros((1, 0))
    np.testing.assert_allclose(permanent_impact(none, none, np.full((1, 1, 1), 0.5)), [[2.0]])
    gamma = np.array([[[0.3, -0.2], [0.0, 0.0]]])
    np.testing.assert_allclose(
        permanent_impact(np.array([[-0.1], [0.0]]), one, gamma), [[0, 1], [0, 1]], atol=1e-15
    )


def test_permanent_impact_without_a_limit_is_nan():
    """Integrated twice: a step that repeats itself for ever; a_p' G b_p = 0."""
    none = np.zeros((2, 0))
    assert np.isnan(permanent_impact(none, none, np.eye(2)[None])).all()
    # The same in turned axes, where rounding leaves the core a determinant
    turn = np.linalg.qr(np.random.default_rng(20).standard_normal((3, 3)))[0]
    none, twice = np.zeros((3, 0)), turn @ np.diag([1.0, 0.5, 0.2]) @ turn.T
    assert np.isnan(permanent_impact(none, none, twice[None])).all()
    near = turn @ np.diag([1.0 - 1e-8, 0.5, 0.2]) @ turn.T
    impact = permanent_impact(none, none, near[None])
    np.testing.assert_allclose(impact, 1e8 * np.outer(turn[:, 0], turn[:, 0]), rtol=1e-6)
    # Roots at one hidden in the pair: a_p' G b_p = (.4, .6) (I - Gamma) (1, 1)' = 0
    alpha, beta = np.array([[-0.6], [0.4]]), np.array([[1.0], [-1.0]])
    assert np.isnan(permanent_impact(alpha, beta, np.array([[[1.0, 0.0], [0.0, 1.0]]]))).all()


@pytest.mark.parametrize(
    ("alpha", "beta", "gamma", "wanted"),
    [
        (np.ones((2, 1)), np.ones((3, 1)), np.zeros((0, 2, 2)), "one shape"),
        (np.ones(2), np.ones(2), np.zeros((0, 2, 2)), "one shape"),
        (np.ones((2, 3)), np.ones((2, 3)), np.zeros((0, 2, 2)), "one shape"),
        (np.ones((2, 1)), np.ones((2, 1)), np.zeros((2, 2)), "lags, 2, 2"),
        (np.ones((2, 1)), np.ones((2, 1)), np.zeros((1, 3, 3)), "lags, 2, 2"),
        (np.ones((2, 1)), np.full((2, 1), np.nan), np.zeros((0, 2, 2)), "finite"),
        (np.zeros((2, 1)), np.ones((2, 1)), np.zeros((0, 2, 2)), "of rank 1"),
        (np.eye(3)[:, :2], np.ones((3, 2)), np.zeros((0, 3, 3)), "of rank 2"),
    ],
)
def test_wrong_parameters_are_named(alpha, beta, gamma, wanted):
    with pytest.raises(InputError, match=wanted):
        permanent_impact(alpha, beta, gamma)


@pytest.mark.parametrize("deterministic", ["n", "co", "ci"])
@pytest.mark.parametrize("rank", [1, 2])
def test_units_of_the_prices(deterministic, rank):
    """X to D X: Psi to D Psi / D, Omega to D Omega D, the tests as they were. Powers of ten too."""
    x, d = panel([4, rank], 3, rank), np.array([1e3, -1.0, 0.02])
    one = vecm(x, 1, rank=rank, deterministic=deterministic)
    two = vecm(x * d, 1, rank=rank, deterministic=deterministic)
    np.testing.assert_allclose(two.psi, one.psi * d[:, None] / d, rtol=1e-7)
    np.testing.assert_allclose(two.omega, one.omega * np.outer(d, d), rtol=1e-9)
    np.testing.assert_allclose(two.gamma[0], one.gamma[0] * d[:, None] / d, rtol=1e-7)
    np.testing.assert_allclose(two.eigenvalues, one.eigenvalues, rtol=1e-9)
    shift = one.n_rows * np.log(np.abs(d)).sum()
    assert two.log_likelihood == pytest.approx(one.log_likelihood - shift, rel=1e-11)


@pytest.mark.parametrize("deterministic", ["n", "co", "ci"])
@pytest.mark.parametrize("rank", [0, 1, 3])
def test_order_of_the_columns(deterministic, rank):
    x, p = panel([5, rank], 4, rank), np.array([2, 0, 3, 1])
    one = vecm(x, 1, rank=rank, deterministic=deterministic)
    two = vecm(x[:, p], 1, rank=rank, deterministic=deterministic)
    np.testing.assert_allclose(two.psi, one.psi[np.ix_(p, p)], rtol=1e-7, atol=1e-10)
    np.testing.assert_allclose(two.omega, one.omega[np.ix_(p, p)], rtol=1e-9, atol=1e-16)
    np.testing.assert_allclose(
        two.alpha @ two.beta[:4].T, (one.alpha @ one.beta[:4].T)[np.ix_(p, p)], atol=1e-9
    )
    np.testing.assert_allclose(two.const, one.const[p], rtol=1e-7, atol=1e-12)
    np.testing.assert_allclose(two.trace, one.trace, rtol=1e-9)


@pytest.mark.parametrize("deterministic", ["co", "ci"])
def test_a_constant_takes_the_level_away(deterministic):
    """Currency of quotation: log prices moved by any constants have the same impact and tests."""
    x, level = panel(6, 3, 2, level=0.0), np.array([4.6, -3.0, 11.0])
    one = vecm(x, 1, rank=2, deterministic=deterministic)
    two = vecm(x + level, 1, rank=2, deterministic=deterministic)
    for field in ("alpha", "psi", "omega", "gamma", "trace"):
        mine, theirs = getattr(two, field), getattr(one, field)
        np.testing.assert_allclose(mine, theirs, rtol=1e-8, atol=1e-12)
    inside = two.beta[3] if deterministic == "ci" else two.const
    before = one.beta[3] if deterministic == "ci" else one.const
    moved = two.beta[:3].T @ level
    moved = -moved if deterministic == "ci" else -two.alpha @ moved
    np.testing.assert_allclose(inside, before + moved, rtol=1e-8, atol=1e-12)


def test_steps_of_a_hundred_thousandth_keep_their_digits():
    """The same walk at the level of 4.6 in steps of 1e-5 and at 0 in steps of 1: 1e-5 of a price
    has 11 digits to begin with, and the answer 9 of them.
    """
    near = np.round(1e5 * panel(7, 3, 2, level=0.0, step=1e-5) * 2.0**20) / 2.0**20
    far = 4.6 + 1e-5 * near
    for deterministic in ("co", "ci"):
        one = vecm(near, 1, rank=2, deterministic=deterministic)
        two = vecm(far, 1, rank=2, deterministic=deterministic)
        np.testing.assert_allclose(two.psi, one.psi, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(two.alpha, one.alpha, rtol=1e-8, atol=1e-9)


def test_no_constant_at_a_high_level():
    """Without a constant the level itself is a regressor, 1e4 times its moves: by exact sums."""
    x = panel(8, 2, 1, rows=60, level=4.6, step=1e-4)
    out = vecm(x, 0, rank=1, deterministic="n")
    exact = [[Fraction(v) for v in row] for row in x]
    L = exact[:-1]
    d = [[b - a for a, b in zip(*rows, strict=True)] for rows in itertools.pairwise(exact)]

    def product(a, b):
        return [
            [sum(p[i] * q[j] for p, q in zip(a, b, strict=True)) for j in (0, 1)] for i in (0, 1)
        ]

    def solve(a, b):
        det = a[0][0] * a[1][1] - a[0][1] * a[1][0]
        return [
            [(a[1 - i][1 - i] * b[i][j] - a[i][1 - i] * b[1 - i][j]) / det for j in (0, 1)]
            for i in (0, 1)
        ]

    s01 = product(d, L)
    right = solve(product(d, d), s01)
    s10 = [[s01[j][i] for j in (0, 1)] for i in (0, 1)]
    both = [[sum(s10[i][k] * right[k][j] for k in (0, 1)) for j in (0, 1)] for i in (0, 1)]
    m = solve(product(L, L), both)
    half = (m[0][0] + m[1][1]) / 2
    under = half * half - (m[0][0] * m[1][1] - m[0][1] * m[1][0])
    with localcontext(prec=60):
        root = (Decimal(under.numerator) / Decimal(under.denominator)).sqrt()
        lam = half + Fraction(root)
    assert out.eigenvalues[0] == pytest.approx(float(lam), rel=1e-11)
    assert out.beta[1, 0] == pytest.approx(float((lam - m[0][0]) / m[0][1]), rel=1e-12)


def test_rank_left_out_asks_for_the_tests_only():
    x = panel(9, 3, 1)
    out, full = vecm(x, 1), vecm(x, 1, rank=1)
    np.testing.assert_array_equal(out.trace, full.trace)
    np.testing.assert_array_equal(out.eigenvalues, full.eigenvalues)
    assert out.status is Status.OK
    assert out.n_regressors == 3 + 3 + 1
    for field in ("psi", "omega", "const", "gamma", "log_likelihood"):
        assert np.isnan(getattr(out, field)).all()
    assert out.alpha.shape == out.beta.shape == (3, 0)


def test_full_rank_has_no_permanent_impact():
    rng = np.random.default_rng(10)
    out = vecm(rng.standard_normal((200, 2)), 1, rank=2)
    np.testing.assert_array_equal(out.psi, np.zeros((2, 2)))
    assert out.reason is Reason.RANK_FULL
    assert out.status is Status.NOT_IDENTIFIED
    assert out.trend.shape == (2, 0)
    np.testing.assert_allclose(out.beta, np.eye(2))


def all_nan(out):
    fields = ("alpha", "beta", "const", "gamma", "psi", "trend", "omega", "eigenvalues", "trace")
    return all(np.isnan(getattr(out, f)).all() for f in (*fields, "max_eigen", "log_likelihood"))


@pytest.mark.parametrize("lags", [0, 2])
def test_too_few_rows(lags):
    """Ten a regressor: one relation, the lags, the constant; one row less is refused."""
    k = 1 + 2 * lags + 1
    x = panel(11, 2, 1)[: 10 * k + lags + 1]
    enough, short = vecm(x, lags, rank=1), vecm(x[1:], lags, rank=1)
    assert (enough.n_rows, enough.n_regressors, enough.status) == (10 * k, k, Status.OK)
    assert (short.reason, short.status) == (Reason.FEW_ROWS, Status.TOO_FEW)
    assert all_nan(short)
    assert short.alpha.shape == (2, 1)
    assert vecm(x[1:], lags, rank=1, rows_per_regressor=5).status is Status.OK
    none = vecm(x[: lags + 1], lags, rank=1, rows_per_regressor=0)
    assert (none.n_rows, none.reason) == (0, Reason.FEW_ROWS)
    assert all_nan(none)


@pytest.mark.parametrize(("rows", "lags"), [(12, 1), (9, 0)])
def test_fewer_rows_than_coefficients_are_singular_when_let_through(rows, lags):
    """12: the levels are collinear; 9: they are not, but explain every step."""
    for rank in (4, None):
        out = vecm(panel(12, 5, 4)[:rows], lags, rank=rank, rows_per_regressor=0)
        assert out.reason is Reason.SINGULAR
        assert all_nan(out)


def test_levels_that_say_one_thing_have_one_eigenvalue():
    """S01 = a b': the others are zero, and rounding makes none of them negative."""
    rng = np.random.default_rng(21)
    for _ in range(20):
        state = blank_moments(4, 0, 0, np.zeros(4))
        cross = np.diag([100.0] * 9)
        cross[:4, 4:8] = 10.0 * np.outer(*rng.standard_normal((2, 4)))
        out = vecm_from_moments(state._replace(cross=cross))
        assert out.eigenvalues[0] > 1e-6
        assert ((out.eigenvalues[1:] >= 0.0) & (out.eigenvalues[1:] < 1e-15)).all()
        assert (out.trace >= 0.0).all()


@pytest.mark.parametrize("lags", [0, 1])
@pytest.mark.parametrize("deterministic", ["n", "co", "ci"])
@pytest.mark.parametrize("fault", ["constant", "twice", "sum", "scaled"])
def test_prices_that_are_not_of_full_rank(fault, deterministic, lags):
    x = panel(13, 3, 1)
    if fault == "constant":
        x[:, 1] = 4.0
    elif fault == "twice":
        x[:, 2] = x[:, 0]
    elif fault == "sum":
        x[:, 2] = 0.5 * (x[:, 0] + x[:, 1])
    else:
        x[:, 1] = -3.0 * x[:, 2] + 1.0
    for p in ([0, 1, 2], [2, 0, 1], [1, 2, 0]):
        out = vecm(x[:, p], lags, rank=1, deterministic=deterministic)
        assert out.reason is Reason.SINGULAR
        assert out.status is Status.NOT_IDENTIFIED
        assert all_nan(out)
        tests_only = vecm(x[:, p], lags, deterministic=deterministic)
        assert tests_only.reason is Reason.SINGULAR


def test_a_price_twice_with_its_relation_given():
    """With (1, -1) given and no lags, one relation is always zero: singular. With another relation
    the loadings are least squares, but the shocks are one: no impact.
    """
    x = panel(14, 2, 1)
    x = np.column_stack([x, x[:, 0]])
    none = vecm(x, 0, beta=np.array([[1.0], [0.0], [-1.0]]))
    assert none.reason is Reason.SINGULAR
    assert all_nan(none)
    some = vecm(x, 0, beta=np.array([[1.0], [-1.0], [0.0]]))
    assert some.reason is Reason.SINGULAR
    assert np.isnan(some.psi).all()
    assert math.isnan(some.log_likelihood)
    alone = vecm(x[:, :2], 0, beta=np.array([[1.0], [-1.0]]))
    np.testing.assert_allclose(some.alpha[:2], alone.alpha, rtol=1e-10)
    np.testing.assert_allclose(some.omega[:2, :2], alone.omega, rtol=1e-10)


def test_nearly_the_same_price_is_not_the_same():
    """A spread of 1e-3 of a step is not refused, and the limit holds; of 1e-4 it is lost."""
    rng = np.random.default_rng(15)
    walk = np.cumsum(rng.standard_normal(2_000))
    spread = rng.standard_normal((2_000, 2))
    for t in range(1, 2_000):
        spread[t] += 0.5 * spread[t - 1]
    out = vecm(4.6 + 1e-4 * (walk[:, None] + 1e-3 * spread), 1, rank=1)
    assert out.status is Status.OK
    np.testing.assert_allclose(out.beta, [[1.0], [-1.0]], atol=1e-4)
    np.testing.assert_allclose(out.psi, iterated(out), rtol=1e-6)
    same = vecm(4.6 + 1e-4 * (walk[:, None] + 1e-4 * spread), 1, rank=1)
    assert same.reason is Reason.SINGULAR  # 1e-11 of the second level's square is left


def test_relations_without_the_first_series_keep_a_basis():
    """Moments by hand: series 0 has nothing to do with anything, so no relation holds it."""
    state = blank_moments(2, 0, 0, np.zeros(2))
    cross = state.cross.copy()
    np.fill_diagonal(cross, [1.0, 1.0, 1.0, 1.0, 100.0])
    cross[1, 3] = -0.5
    out = vecm_from_moments(state._replace(cross=cross), rank=1)
    assert out.beta[0, 0] == 0.0
    np.testing.assert_allclose(out.alpha @ out.beta.T, [[0.0, 0.0], [0.0, -0.5]], atol=1e-15)
    np.testing.assert_allclose(out.psi, [[1.0, 0.0], [0.0, 0.0]], atol=1e-15)


def test_steps_that_repeat_for_ever_have_no_response():
    """Moments by hand: dX_t = dX_{t-1} + e, an estimate all there and no limit."""
    state = blank_moments(1, 1, 0, np.zeros(1))
    cross = np.diag([2.0, 1.0, 1.0, 100.0])
    cross[0, 2] = 1.0
    out = vecm_from_moments(state._replace(cross=cross), rank=0)
    assert (out.reason, out.status) == (Reason.NO_RESPONSE, Status.NOT_IDENTIFIED)
    assert np.isnan(out.psi).all()
    np.testing.assert_allclose(out.gamma, [[[1.0]]], rtol=1e-14)
    np.testing.assert_allclose(out.omega, [[0.01]], rtol=1e-14)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_missing_price_is_named(value):
    x = panel(16, 3, 1)
    x[6, 2] = value
    with pytest.raises(InputError, match="a finite log price") as caught:
        vecm(x, 1, rank=1)
    assert (caught.value.row, caught.value.column) == (7, "2")


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({"rank": 4}, "a rank from 0 to 3"),
        ({"rank": -1}, "a rank from 0 to 3"),
        ({"beta": np.ones((2, 1))}, r"relations of shape \(3, rank\)"),
        ({"beta": np.ones((3, 1)), "deterministic": "ci"}, r"relations of shape \(4, rank\)"),
        ({"beta": np.ones((3, 4))}, r"relations of shape"),
        ({"beta": np.ones((3, 2))}, "independent relations"),
        ({"beta": np.array([1.0, np.nan, 0.0])}, "finite, independent relations"),
        ({"beta": np.array([1.0, -1.0, 0.0]), "rank": 2}, "rank 1 of the given beta"),
        ({"lags": -1}, "lags >= 0"),
        ({"seasons": 1}, "0 seasons or at least 2"),
        ({"deterministic": "li"}, "deterministic terms"),
        ({"rows_per_regressor": -1.0}, "rows a regressor"),
        ({"rows_per_regressor": math.nan}, "rows a regressor"),
    ],
)
def test_wrong_options_are_named(options, wanted):
    with pytest.raises(InputError, match=wanted):
        vecm(panel(17, 3, 1), **options)


@pytest.mark.parametrize("shape", [(300,), (0, 2), (300, 0), (3, 3, 3)])
def test_wrong_shapes_are_named(shape):
    with pytest.raises(InputError, match="log prices of shape"):
        vecm(np.zeros(shape), 1, rank=1)


def test_the_prices_handed_in_are_left_alone():
    x = panel(18, 2, 1)
    kept = x.copy()
    vecm(x, 1, rank=1)
    np.testing.assert_array_equal(x, kept)
    fortran = vecm(np.asfortranarray(x), 1, rank=1)
    np.testing.assert_array_equal(fortran.psi, vecm(x, 1, rank=1).psi)


def test_a_pair_from_the_moments_of_its_panel():
    x = panel(19, 5, 3)
    state = moments(x, 2, seasons=3)
    for pair in ([0, 1], [4, 2], [3, 0, 1]):
        mine = vecm_from_moments(select(state, pair), rank=1)
        alone = vecm(x[:, pair], 2, rank=1, seasons=3)
        np.testing.assert_allclose(mine.psi, alone.psi, rtol=1e-9)
        np.testing.assert_allclose(mine.omega, alone.omega, rtol=1e-10)
        np.testing.assert_allclose(mine.seasonal, alone.seasonal, rtol=1e-7, atol=1e-12)
