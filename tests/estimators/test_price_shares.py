"""Shares against every order factored one by one, against each other, and against their units."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import sqrtm

from eventtape.arrays import Status
from eventtape.errors import InputError
from eventtape.estimators.discovery.information_share import factor_shares, shares
from eventtape.estimators.discovery.refusals import Reason
from eventtape.estimators.discovery.share_orders import order_shares

COMMON = {"derandomize": True, "deadline": None}
NUMBERS = (
    "is_first",
    "is_last",
    "is_min",
    "is_max",
    "shapley",
    "component",
    "pds",
    "speed",
    "pils",
    "ils",
    "mis",
    "spectral",
    "width",
)
SUM_TO_ONE = ("shapley", "component", "pds", "pils", "ils", "mis", "spectral")
NEED_ORDERS = ("is_min", "is_max", "shapley", "ils")


def draw(n, seed, spread=1.0):
    """Any row of Psi(1), signs included, and a covariance with strong correlations."""
    rng = np.random.default_rng([n, seed])
    loads = rng.standard_normal((n, n + 1)) + rng.standard_normal((n, 1))
    sd = np.exp(spread * rng.standard_normal(n))
    return rng.standard_normal(n) + 0.5, loads @ loads.T * np.outer(sd, sd) / n


def every_order(psi, omega):
    """Hasbrouck's shares, one Cholesky factor an order: shape ``(n!, n)``."""
    n = psi.size
    total = psi @ omega @ psi
    out = np.empty((math.factorial(n), n))
    for k, order in enumerate(itertools.permutations(range(n))):
        p = np.array(order)
        factor = np.linalg.cholesky(omega[np.ix_(p, p)])
        out[k, p] = (psi[p] @ factor) ** 2 / total
    return out


@settings(max_examples=60, **COMMON)
@given(st.integers(2, 6), st.integers(0, 10**6))
def test_extremes_and_mean_are_those_of_all_orders(n, seed):
    psi, omega = draw(n, seed)
    out, plain = shares(psi, omega), every_order(psi, omega)
    np.testing.assert_allclose(out.is_min, plain.min(axis=0), rtol=1e-7, atol=1e-12)
    np.testing.assert_allclose(out.is_max, plain.max(axis=0), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(out.shapley, plain.mean(axis=0), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(out.width, np.ptp(plain, axis=0), rtol=1e-8, atol=1e-12)


@settings(max_examples=60, **COMMON)
@given(st.integers(2, 6), st.integers(0, 10**6))
def test_first_and_last_are_the_ends_of_a_cholesky_factor(n, seed):
    psi, omega = draw(n, seed)
    out, plain = shares(psi, omega), every_order(psi, omega)
    orders = np.array(list(itertools.permutations(range(n))))
    for i in range(n):
        np.testing.assert_allclose(plain[orders[:, 0] == i, i], out.is_first[i], rtol=1e-9)
        np.testing.assert_allclose(plain[orders[:, -1] == i, i], out.is_last[i], rtol=1e-7)


def test_the_walk_of_eleven_markets_against_regressions():
    """Each set by itself: R^2 of eta on the set and i, less R^2 of eta on the set."""
    n = 11
    psi, omega = draw(n, 3)
    total = psi @ omega @ psi
    c = omega @ psi
    explained = np.zeros(2**n)
    for code in range(1, 2**n):
        s = np.flatnonzero([code >> i & 1 for i in range(n)])
        explained[code] = c[s] @ np.linalg.solve(omega[np.ix_(s, s)], c[s]) / total
    out = shares(psi, omega)
    for i in (0, 5, 10):
        gains, mean = [], 0.0
        for code in range(2**n):
            if not code >> i & 1:
                size = code.bit_count()
                gain = explained[code | 1 << i] - explained[code]
                gains.append(gain)
                mean += gain / (n * math.comb(n - 1, size))
        assert out.is_min[i] == pytest.approx(min(gains), abs=1e-11)
        assert out.is_max[i] == pytest.approx(max(gains), abs=1e-11)
        assert out.shapley[i] == pytest.approx(mean, abs=1e-11)


def test_first_and_last_need_not_be_the_extremes():
    """Market 2 is noise alone. It says nothing first, and last it cleans what market 0 said."""
    psi = np.array([1.0, 0.2, -0.8])
    omega = np.array([[2.0, 0.3, 1.2], [0.3, 1.0, 0.1], [1.2, 0.1, 1.5]])
    out, plain = shares(psi, omega), every_order(psi, omega)
    assert (out.is_max > np.maximum(out.is_first, out.is_last) + 1e-3).any()
    np.testing.assert_allclose(out.is_max, plain.max(axis=0), rtol=1e-12)


@settings(max_examples=100, **COMMON)
@given(st.integers(2, 8), st.integers(0, 10**6))
def test_sums_and_bounds(n, seed):
    psi, omega = draw(n, seed)
    out = shares(psi, omega)
    assert (out.reason, out.status) == (Reason.NONE, Status.OK)
    for field in SUM_TO_ONE:
        assert getattr(out, field).sum() == pytest.approx(1.0, abs=1e-9), field
    slack = 1e-10
    for inner in (out.is_first, out.is_last, out.shapley):
        assert (out.is_min <= inner + slack).all()
        assert (inner <= out.is_max + slack).all()
    assert (out.is_min >= 0.0).all()
    assert (out.is_max <= 1.0 + slack).all()
    np.testing.assert_allclose(out.component, psi / psi.sum(), rtol=1e-10)
    np.testing.assert_allclose(out.pds, psi * (omega @ psi) / (psi @ omega @ psi), rtol=1e-7)
    np.testing.assert_allclose(out.speed, omega @ psi / (psi @ omega @ psi), rtol=1e-9)


def test_two_markets_by_hand():
    """Shen, Zhang and Zivot: PIL is (PDS1 / CS1) / (PDS2 / CS2), and it is the ratio of speeds."""
    psi, omega = np.array([0.7, 0.5]), np.array([[2.0, 0.4], [0.4, 0.5]])
    out = shares(psi, omega)
    assert set(np.round(out.is_min, 14)) == set(np.round(np.minimum(out.is_first, out.is_last), 14))
    ratio = (out.pds[0] / out.component[0]) / (out.pds[1] / out.component[1])
    assert ratio == pytest.approx(out.speed[0] / out.speed[1], rel=1e-13)
    assert out.pils[0] == pytest.approx(ratio**2 / (1.0 + ratio**2), rel=1e-13)
    r = (out.is_first + out.is_last) / (psi / psi.sum())
    np.testing.assert_allclose(out.ils, r**2 / (r**2).sum(), rtol=1e-12)


def test_square_roots_against_schur():
    psi, omega = draw(5, 1)
    out = shares(psi, omega)
    total = psi @ omega @ psi
    sd = np.sqrt(np.diag(omega))
    modified = np.diag(sd) @ sqrtm(omega / np.outer(sd, sd))
    np.testing.assert_allclose(out.mis, (psi @ modified) ** 2 / total, rtol=1e-8)
    np.testing.assert_allclose(out.spectral, (psi @ sqrtm(omega)) ** 2 / total, rtol=1e-8)


def test_without_correlation_every_information_share_is_one_number():
    psi, variances = np.array([0.5, -0.2, 0.9]), np.array([1.0, 4.0, 0.25])
    out = shares(psi, np.diag(variances))
    wanted = psi**2 * variances / (psi**2 @ variances)
    for field in ("is_first", "is_last", "is_min", "is_max", "shapley", "pds", "mis", "spectral"):
        np.testing.assert_allclose(getattr(out, field), wanted, rtol=1e-13, err_msg=field)
    np.testing.assert_allclose(out.width, 0.0, atol=1e-15)


@pytest.mark.parametrize(("n", "with_beta"), [(2, False), (4, True), (7, True), (18, False)])
def test_permuted_markets_have_the_permuted_answer(n, with_beta):
    psi, omega = draw(n, 8)
    order = np.random.default_rng(1).permutation(n)
    beta, turned = None, None
    if with_beta:
        beta = np.vstack([-np.ones(n - 1), np.diag(np.arange(1.0, n))])
        turned = beta[order]
    one = shares(psi, omega, beta)
    two = shares(
        psi[order], omega[np.ix_(order, order)], turned, named=int(np.flatnonzero(order == 0)[0])
    )
    for field in NUMBERS:
        np.testing.assert_allclose(
            getattr(two, field), getattr(one, field)[order], rtol=1e-7, atol=1e-11, err_msg=field
        )


@settings(max_examples=60, **COMMON)
@given(st.integers(2, 6), st.integers(0, 10**6))
def test_no_share_depends_on_the_unit_of_a_series(n, seed):
    """Series i times s_i (signs too): residuals times s, psi of row 0 times s_0 / s, beta over s.

    Cointegrating vectors are turned and rescaled besides: they are only a basis.
    """
    psi, omega = draw(n, seed)
    rng = np.random.default_rng([seed, 5])
    long_run = np.concatenate(
        [[1.0], rng.choice([-1.0, 1.0], n - 1) * rng.uniform(0.3, 3.0, n - 1)]
    )
    beta = np.vstack([-long_run[1:], np.eye(n - 1)])
    scale = rng.choice([-1.0, 1.0], n) * np.exp(3.0 * rng.standard_normal(n))
    turn = rng.standard_normal((n - 1, n - 1)) + 3.0 * np.eye(n - 1)
    one = shares(psi, omega, beta)
    two = shares(
        psi * scale[0] / scale, omega * np.outer(scale, scale), (beta / scale[:, None]) @ turn
    )
    assert one.status is two.status is Status.OK
    for field in NUMBERS:
        np.testing.assert_allclose(
            getattr(two, field), getattr(one, field), rtol=1e-6, atol=1e-9, err_msg=field
        )


@pytest.mark.parametrize("named", [0, 1, 2])
def test_the_series_that_names_the_trend_does_not_matter(named):
    """Rows of Psi(1) are in proportion to B: each, with its own name, gives the same shares."""
    psi, omega = draw(3, 11)
    long_run = np.array([1.0, 2.0, -0.5])
    beta = np.vstack([-long_run[1:], np.eye(2)])
    one, two = shares(psi, omega, beta), shares(psi * long_run[named], omega, beta, named=named)
    for field in NUMBERS:
        np.testing.assert_allclose(getattr(two, field), getattr(one, field), rtol=1e-9)


def test_speed_is_the_part_of_the_long_run_made_at_once():
    """Regress each residual on the permanent innovation and divide by B: 400,000 draws."""
    speeds, long_run = np.array([0.9, 0.5]), np.array([1.0, 3.0])
    rng = np.random.default_rng(4)
    eta, z = rng.standard_normal((2, 400_000))
    e = np.outer(eta, speeds * long_run) + np.outer(z, [0.3, -0.8])
    psi = np.linalg.solve(np.array([speeds * long_run, [0.3, -0.8]]), [1.0, 0.0])
    out = shares(psi, np.cov(e.T), np.array([[-3.0], [1.0]]))
    news = e @ psi
    slope = np.array([news @ e[:, i] for i in range(2)]) / (news @ news)
    np.testing.assert_allclose(out.speed, slope / long_run, rtol=1e-4)
    np.testing.assert_allclose(out.speed, speeds, rtol=1e-9 + 4.0 / math.sqrt(400_000))


def test_one_security_is_beta_of_differences():
    psi, omega = draw(4, 2)
    one = shares(psi, omega)
    two = shares(psi, omega, np.vstack([np.ones(3), -np.eye(3)]))
    for field in NUMBERS:
        np.testing.assert_allclose(getattr(two, field), getattr(one, field), rtol=1e-9)


def blank(out, fields=NUMBERS):
    return all(np.isnan(getattr(out, field)).all() for field in fields)


@pytest.mark.parametrize("n", [2, 5, 20])
def test_covariance_below_full_rank_is_refused(n):
    psi, omega = draw(n, 6)
    loads = np.random.default_rng(0).standard_normal((n, n - 1))
    flat = omega.copy()
    flat[-1], flat[:, -1] = 0.0, 0.0
    twin = omega.copy()
    twin[-1], twin[:, -1] = twin[0], twin[:, 0]
    twin[-1, -1] = twin[0, 0]
    for singular in (loads @ loads.T, flat, twin, -np.eye(n) + 2.0 * np.ones((n, n))):
        out = shares(psi, singular)
        assert (out.reason, out.status) == (Reason.SINGULAR, Status.NOT_IDENTIFIED)
        assert blank(out)
        assert out.pils.shape == (n,)


def test_a_trend_that_nothing_moves_is_refused():
    out = shares(np.zeros(3), np.eye(3))
    assert (out.reason, out.status) == (Reason.NO_RESPONSE, Status.NOT_IDENTIFIED)
    assert blank(out)


def test_a_series_that_does_not_hold_the_trend_is_refused():
    """beta = (0, 1): the second series is stationary by itself."""
    psi, omega = draw(2, 3)
    out = shares(psi, omega, np.array([[0.0], [1.0]]))
    assert (out.reason, out.status) == (Reason.NO_RESPONSE, Status.NOT_IDENTIFIED)
    assert blank(out)


def test_component_shares_that_do_not_add_up():
    """psi = (1, -1): Hasbrouck's shares stand, a share of nothing does not."""
    out = shares(np.array([1.0, -1.0]), np.array([[1.0, 0.2], [0.2, 2.0]]))
    assert (out.reason, out.status) == (Reason.NO_RESPONSE, Status.NOT_IDENTIFIED)
    assert blank(out, ("component", "ils"))
    assert out.pds.sum() == pytest.approx(1.0)
    assert np.isfinite(out.is_max).all()


def test_a_market_without_permanent_part():
    """psi = (1, 0): a satellite has CS 0, PDS 0, and no ILS, which would divide by it."""
    out = shares(np.array([1.0, 0.0]), np.array([[1.0, 0.5], [0.5, 1.0]]))
    assert out.status is Status.OK
    np.testing.assert_allclose(out.component, [1.0, 0.0])
    np.testing.assert_allclose(out.pds, [1.0, 0.0])
    np.testing.assert_allclose(out.is_last, [0.75, 0.0])
    np.testing.assert_allclose(out.pils, [0.8, 0.2])
    assert np.isnan(out.ils).all()


def test_above_fifteen_markets_orders_are_not_walked():
    psi, omega = draw(16, 1)
    out = shares(psi, omega)
    assert out.status is Status.OK
    assert blank(out, NEED_ORDERS)
    assert not any(np.isnan(getattr(out, f)).any() for f in NUMBERS if f not in NEED_ORDERS)
    np.testing.assert_allclose(out.width, np.abs(out.is_first - out.is_last))
    assert not blank(shares(psi[:15], omega[:15, :15]), NEED_ORDERS[:1])


def test_kernel_leaves_its_input_alone():
    psi, omega = draw(4, 9)
    sd = np.sqrt(np.diag(omega))
    corr = omega / np.outer(sd, sd)
    a = corr @ (psi * sd)
    a /= math.sqrt(psi @ omega @ psi)
    before = (a.copy(), corr.copy())
    for part in (a, corr):
        part.flags.writeable = False
    out = order_shares(a, corr)
    np.testing.assert_array_equal(a, before[0])
    np.testing.assert_array_equal(corr, before[1])
    np.testing.assert_allclose(out.mean, shares(psi, omega).shapley, rtol=1e-9)


def test_factor_shares_are_shares_trend_by_trend():
    """Two trends of five series; a third row of zeros is no trend."""
    psi, omega = draw(5, 21)
    rows = np.array([psi, psi[::-1], np.zeros(5)])
    out = factor_shares(rows, omega)
    for k in range(2):
        one = shares(rows[k], omega)
        for field in ("is_first", "is_last", "is_min", "is_max", "shapley", "pds", "width"):
            np.testing.assert_array_equal(getattr(out, field)[:, k], getattr(one, field))
    assert out.reasons == (Reason.NONE, Reason.NONE, Reason.NO_RESPONSE)
    assert out.statuses == (Status.OK, Status.OK, Status.NOT_IDENTIFIED)
    assert np.isnan(out.shapley[:, 2]).all()
    np.testing.assert_allclose(out.shapley[:, :2].sum(axis=0), 1.0, rtol=1e-12)
    singular = factor_shares(rows[:1], np.ones((5, 5)))
    assert singular.reasons == (Reason.SINGULAR,)
    assert np.isnan(singular.is_first).all()
    assert singular.is_first.shape == (5, 1)


TWO = np.array([[1.0, 0.2], [0.2, 1.0]])


@pytest.mark.parametrize(
    ("psi", "omega", "wanted"),
    [
        ([1.0, np.nan], TWO, "a finite value"),
        ([1.0, np.inf], TWO, "a finite value"),
        ([1.0, 1.0], [[1.0, np.nan], [0.2, 1.0]], "a finite value"),
        ([1.0, 1.0], [[1.0, 0.2], [0.3, 1.0]], "a symmetric omega"),
        ([1.0, 1.0], [[-1.0, 0.0], [0.0, 1.0]], "variances >= 0"),
        ([1.0, 1.0, 1.0], TWO, "n >= 2"),
        ([1.0], [[1.0]], "n >= 2"),
        ([1.0, 1.0], [1.0, 1.0], "n >= 2"),
        (1.0, 1.0, "n >= 2"),
    ],
)
def test_bad_parameters_are_named(psi, omega, wanted):
    for call in (shares, factor_shares):
        with pytest.raises(InputError, match=wanted):
            call(np.array(psi), np.array(omega))


def test_where_a_bad_parameter_stands():
    with pytest.raises(InputError) as caught:
        shares(np.array([1.0, np.nan]), TWO)
    assert (caught.value.row, caught.value.column) == (2, "psi")
    with pytest.raises(InputError, match="one row"):
        shares(np.ones((2, 2)), TWO)
    with pytest.raises(InputError, match="from 0 to 1"):
        shares(np.ones(2), TWO, named=2)


@pytest.mark.parametrize(
    ("beta", "wanted"),
    [
        ([[1.0], [-1.0]], "cointegrating vectors \\(3, 2\\)"),
        ([[1.0, 2.0], [-1.0, -2.0], [0.0, 0.0]], "independent"),
        ([[1.0, 0.0], [-1.0, 0.0], [0.0, 0.0]], "not zero"),
        ([[1.0, np.nan], [-1.0, 0.0], [0.0, 0.0]], "finite"),
    ],
)
def test_bad_vectors_are_named(beta, wanted):
    with pytest.raises(InputError, match=wanted):
        shares(np.ones(3), np.eye(3), np.array(beta))
