"""American options against published and independently computed numbers."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.special import ndtr

from eventtape.estimators.pricing.american import american
from eventtape.estimators.pricing.exercise_boundary_start import qd_plus
from eventtape.estimators.pricing.status import PriceStatus

# Longstaff and Schwartz (2001): K = 40, r = 6%, q = 0. Columns S, vol, T, then price, delta, gamma,
# vega, rho, theta: QuantLib 1.44 QdFp at high precision, Greeks by fourth-order differences of it,
# theta by the Black-Scholes equation. Eight prices agree with a tree of 20,000 steps to 3e-6.
LONGSTAFF_SCHWARTZ = """
36 0.2 1 4.48667442 -0.696806 0.086725 10.93570 -10.33268 -0.47361
36 0.2 2 4.84830403 -0.616580 0.073279 16.11475 -17.63518 -0.27668
36 0.4 1 7.10898029 -0.508754 0.032586 13.90695 -15.47270 -1.85303
36 0.4 2 8.51418491 -0.443351 0.024644 19.03560 -27.23102 -1.08663
38 0.2 1 3.25719653 -0.537273 0.072915 13.93750 -11.80627 -0.68537
38 0.2 2 3.75138079 -0.485219 0.058636 18.86036 -19.36675 -0.36202
38 0.4 1 6.15458978 -0.446660 0.029517 14.65842 -15.15932 -2.02212
38 0.4 2 7.67490571 -0.396832 0.021932 19.79534 -27.04231 -1.16826
40 0.2 1 2.31957426 -0.404747 0.059726 14.75228 -11.24281 -0.80066
40 0.2 2 2.88995125 -0.380130 0.046867 19.66232 -18.96923 -0.41404
40 0.4 1 5.31829384 -0.390632 0.026529 15.05874 -14.54332 -2.13915
40 0.4 2 6.92345764 -0.355415 0.019534 20.27296 -26.51186 -1.23194
42 0.2 1 1.62115529 -0.297769 0.047443 14.08771 -9.71068 -0.82613
42 0.2 2 2.21672390 -0.296280 0.037310 19.19068 -17.42833 -0.43668
42 0.4 1 4.58816012 -0.340453 0.023675 15.15849 -13.73149 -2.20781
42 0.4 2 6.25023617 -0.318514 0.017409 20.51291 -25.73883 -1.27913
44 0.2 1 1.11296213 -0.214068 0.036517 12.54037 -7.86676 -0.78203
44 0.2 2 1.69333042 -0.229703 0.029535 17.93092 -15.36520 -0.43559
44 0.4 1 3.95278487 -0.295816 0.020994 15.00809 -12.80409 -2.23337
44 0.4 2 5.64673134 -0.285619 0.015524 20.55412 -24.79887 -1.31145
"""
LS = np.array([[float(x) for x in row.split()] for row in LONGSTAFF_SCHWARTZ.split("\n") if row]).T


@pytest.mark.parametrize(
    ("accuracy", "price_error", "greek_error"),
    [("standard", 1e-6, 4e-5), ("high", 3e-7, 4e-5)],
)
def test_longstaff_schwartz_puts(accuracy, price_error, greek_error):
    """Greeks 4e-5 of their size: the printed gamma has five digits, half its last is 3.2e-5."""
    S, vol, T, *wanted = LS
    got = american(S, 40.0, T, 0.06, 0.0, vol, is_call=False, accuracy=accuracy)
    assert not got.status.any()
    np.testing.assert_allclose(got.price, wanted[0], rtol=0, atol=price_error)
    for name, row in zip(("delta", "gamma", "vega", "rho", "theta"), wanted[1:], strict=True):
        np.testing.assert_allclose(getattr(got, name), row, rtol=greek_error, err_msg=name)


def european_put(*case):
    S, K, T, r, q, vol = case
    up = (np.log(S / K) + (r - q + vol**2 / 2) * T) / (vol * np.sqrt(T))
    return K * np.exp(-r * T) * ndtr(vol * np.sqrt(T) - up) - S * np.exp(-q * T) * ndtr(-up)


@pytest.mark.parametrize(
    ("strike", "r", "by_a", "by_b", "apart"),
    [
        (100.0, 0.05, 0.1069527028247546, 0.1069526779971959, 3e-9),
        (100.0, 0.075, 0.3671112309062572, 0.3671111267813689, 1e-7),
        (95.0, 0.075, 0.2386475283369327, 0.2386596962737606, 3e-6),
    ],
    ids=["r 5%", "r 7.5%", "in 95"],
)
def test_premia_of_andersen_lake_offengenden(strike, r, by_a, by_b, apart):
    """American less European put, S = 100, q = 5%, vol 25%, a year (SSRN 2547027, as QuantLib's
    test suite quotes them): their two forms differ by 2.5e-8, 1.0e-7 and 1.2e-5, from (l, m, n) =
    (65, 8, 32) and (32, 2, 15). The converged value is nearer to theirs the finer theirs is.
    """
    case = (100.0, strike, 1.0, r, 0.05, 0.25)
    got = american(*case, is_call=False, accuracy="high").price - european_put(*case)
    assert abs(got - by_a) <= apart
    assert abs(got - by_b) <= abs(by_a - by_b) + apart
    standard = american(*case, is_call=False).price - european_put(*case)
    assert standard == pytest.approx(got, abs=2e-6)


def test_premium_converges():
    """To 0.106952702747: more points move the eleventh digit only."""
    from eventtape.estimators.pricing.early_exercise import price_all
    from eventtape.estimators.pricing.exercise_boundary_nodes import nodes_of

    case = [np.array([x]) for x in (100.0, 100.0, 1.0, 0.05, 0.05, 0.25)]
    errors = []
    for sizes in ((6, 16, 24), (12, 24, 48), (24, 48, 96), (48, 96, 192)):
        out, status = np.empty((6, 1)), np.empty(1, np.int8)
        price_all(nodes_of(*sizes), *case, np.array([False]), out, status)
        errors.append(abs(out[0, 0] - european_put(*case)[0] - 0.106952702747))
    assert errors[0] < 1e-5
    assert errors[1] < 1e-8
    assert errors[2] < 2e-10
    assert errors[3] < 1e-11


def test_qd_plus_boundary():
    """The five of QuantLib's test suite (americanoption.cpp): K 120, r 10%, q 3%, vol 25%."""
    times = np.array([4.9, 4.0, 2.5, 1.0, 0.1])
    wanted = [
        87.76960949965387, 88.39053003614612, 90.14327315762256, 94.49793803095984,
        106.2588964442338,
    ]  # fmt: skip
    got = np.empty(5)
    qd_plus(times, 0.1, 0.03, 0.25, 12, got)
    np.testing.assert_allclose(120.0 * np.exp(got), wanted, rtol=0, atol=1e-12)


# days, r, q, S, vol, price: 24 drawn (seed 5) of the 6,000 puts of Andersen, Lake and Offengenden
# (K = 100, actual/365) that are neither worthless nor at exercise, priced here with QuantLib 1.44,
# QdFpAmericanEngine at highPrecisionScheme. Over all 6,000 the largest difference is 4.3e-6
# (standard) and 1.0e-6 (high: most of it QuantLib's own).
GRID = np.array(
    [
        (30, 0.02, 0.12, 80, 0.6, 21.2516757),
        (30, 0.04, 0.08, 100, 0.3, 3.5793360),
        (30, 0.08, 0.12, 100, 0.6, 6.9621883),
        (91, 0.02, 0.04, 150, 0.3, 0.0209936),
        (91, 0.06, 0.12, 50, 0.1, 50.0109998),
        (91, 0.06, 0.12, 110, 0.3, 2.8653458),
        (182, 0.02, 0.08, 110, 0.4, 8.4544147),
        (182, 0.02, 0.12, 110, 0.4, 9.2222807),
        (182, 0.08, 0.00, 110, 0.6, 11.4638158),
        (182, 0.10, 0.12, 100, 0.2, 5.8237945),
        (273, 0.04, 0.12, 90, 0.1, 14.8615830),
        (273, 0.06, 0.04, 120, 0.5, 9.6646509),
        (273, 0.06, 0.04, 200, 0.4, 0.3505987),
        (273, 0.08, 0.04, 110, 0.6, 15.2019624),
        (273, 0.10, 0.08, 100, 0.2, 6.0080847),
        (273, 0.10, 0.08, 110, 0.4, 8.9535738),
        (365, 0.02, 0.04, 110, 0.4, 12.5956898),
        (365, 0.02, 0.12, 25, 0.1, 75.8468620),
        (365, 0.04, 0.08, 150, 0.4, 4.4637928),
        (365, 0.04, 0.08, 175, 0.3, 0.6265508),
        (365, 0.08, 0.00, 80, 0.3, 20.5856625),
        (365, 0.08, 0.08, 80, 0.6, 30.9338942),
        (365, 0.08, 0.12, 200, 0.4, 1.0850025),
        (365, 0.10, 0.00, 50, 0.6, 50.0006818),
    ]
).T


def test_grid_of_andersen_lake_offengenden():
    days, r, q, S, vol, wanted = GRID
    for accuracy, apart in (("standard", 5e-6), ("high", 1.1e-6)):
        got = american(S, 100.0, days / 365, r, q, vol, is_call=False, accuracy=accuracy)
        np.testing.assert_allclose(got.price, wanted, rtol=0, atol=apart)


@pytest.mark.slow
def test_standard_against_high_on_the_whole_grid():
    """All 6,000, and their calls: price to 6e-6 (K = 100), Greeks to 3e-5 of the largest.

    The two meet the boundary at 1e-7 of each other, where a spot can fall between.
    """
    days, r, q, S, vol = np.array(
        list(
            itertools.product(
                (30, 91, 182, 273, 365),
                (0.02, 0.04, 0.06, 0.08, 0.10),
                (0.0, 0.04, 0.08, 0.12),
                (25, 50, 80, 90, 100, 110, 120, 150, 175, 200),
                (0.1, 0.2, 0.3, 0.4, 0.5, 0.6),
            )
        )
    ).T
    for call in (False, True):
        fast, fine = (
            american(S, 100.0, days / 365, r, q, vol, is_call=call, accuracy=accuracy)
            for accuracy in ("standard", "high")
        )
        assert np.mean(fast.status == fine.status) > 0.999
        assert set(np.unique(fast.status)) <= {PriceStatus.OK, PriceStatus.AT_EXERCISE}
        np.testing.assert_allclose(fast.price, fine.price, rtol=0, atol=6e-6)
        same = (fast.status == PriceStatus.OK) & (fine.status == PriceStatus.OK)
        for name in ("delta", "gamma", "theta", "vega", "rho"):
            one, two = (getattr(x, name)[same] for x in (fast, fine))
            scale = np.abs(two).max()
            np.testing.assert_allclose(one, two, rtol=0, atol=3e-5 * scale, err_msg=name)


def test_long_put_of_quantlibs_edges():
    """Ten years. The 22.97383256 of QuantLib's table is the QD+ approximation; the price is 23.0003
    (QdFp at high precision 23.00029; a tree of 20,000 steps, extrapolated, 23.0009, to 1e-3).
    """
    got = american(100, 120, 10.0, 0.10, 0.03, 0.25, is_call=False, accuracy="high")
    assert got.price == pytest.approx(23.00029, abs=1e-4)
    zero_rate = american(100, 100, 1.0, 0.0, 0.025, 0.25, is_call=True)
    assert zero_rate.price == pytest.approx(8.865365, abs=2e-6)


@pytest.mark.parametrize(
    ("case", "call", "wanted", "status"),
    [
        ((100, 120, 1.0, 0.0, 0.05, 0.0), False, 24.8770575499286, PriceStatus.ZERO_VEGA),
        ((100, 50, 1.0, 0.05, 0.01, 0.0), True, 51.4435121498811, PriceStatus.ZERO_VEGA),
        ((100, 120, 1 / 365, 0.10, 0.03, 0.25), False, 20.0, PriceStatus.AT_EXERCISE),
        ((100, 0, 1.0, 0.05, 0.01, 0.25), False, 0.0, PriceStatus.ZERO_VEGA),
        ((0, 120, 1.0, -0.075, 0.01, 0.25), False, 129.346098106156, PriceStatus.ZERO_VEGA),
    ],
    ids=["put without vol", "call without vol", "deep put of a day", "no strike", "no spot"],
)
def test_edges_without_a_model(case, call, wanted, status):
    """QuantLib's edge cases that need no approximation."""
    got = american(*case, is_call=call)
    assert got.price == pytest.approx(wanted, abs=1e-12)
    assert got.status == status
