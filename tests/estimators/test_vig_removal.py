from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import brentq

from eventtape.errors import InputError
from eventtape.estimators.probability.vig import joint_book, remove_vig

COMMON = {"derandomize": True, "deadline": None}
METHODS = ("proportional", "additive", "power")
inside = st.floats(0.01, 0.98)
rows = st.integers(2, 6).flatmap(lambda k: arrays(float, (3, k), elements=inside))


def one(prices, method):
    return remove_vig(np.array([prices]), method=method).probability[0]


@pytest.mark.parametrize("method", METHODS)
@settings(max_examples=150, **COMMON)
@given(rows)
def test_probabilities_sum_to_one(method, prices):
    out = remove_vig(prices, method=method)
    # 1e-9: the power method's own bound; the two closed forms keep 1e-14.
    tolerance = 1e-9 if method == "power" else 1e-14
    np.testing.assert_allclose(out.probability.sum(axis=1), 1.0, atol=tolerance)
    np.testing.assert_allclose(out.overround, prices.sum(axis=1) - 1.0, atol=1e-15)


@pytest.mark.parametrize("method", METHODS)
@settings(max_examples=100, **COMMON)
@given(rows)
def test_a_dearer_contract_is_likelier(method, prices):
    """Order is kept, and equal prices give equal probabilities."""
    p = remove_vig(prices, method=method).probability
    for a, b in zip(prices, p, strict=True):
        assert (np.diff(b[np.argsort(a)]) >= -1e-15).all()


@pytest.mark.parametrize("method", METHODS)
@settings(max_examples=100, **COMMON)
@given(rows, st.randoms(use_true_random=False))
def test_the_names_of_outcomes_do_not_matter(method, prices, random):
    order = list(range(prices.shape[1]))
    random.shuffle(order)
    one, two = (remove_vig(a, method=method).probability for a in (prices, prices[:, order]))
    np.testing.assert_allclose(two, one[:, order], rtol=1e-12)


@settings(max_examples=150, **COMMON)
@given(rows)
def test_closed_forms(prices):
    for a, p, q in zip(
        prices,
        remove_vig(prices).probability,
        remove_vig(prices, method="additive").probability,
        strict=True,
    ):
        total = math.fsum(a)
        np.testing.assert_allclose(p, [v / total for v in a], rtol=1e-14)
        np.testing.assert_allclose(q, [v - (total - 1.0) / len(a) for v in a], atol=1e-15)


@settings(max_examples=100, **COMMON)
@given(rows)
def test_power_is_the_one_exponent(prices):
    """Against brentq on c itself; probabilities stay inside (0, 1) whatever the overround."""
    for a, p in zip(prices, remove_vig(prices, method="power").probability, strict=True):
        c = brentq(lambda c, a=a: np.sum(a**c) - 1.0, 1e-3, 2e3, xtol=1e-14, rtol=1e-14)
        np.testing.assert_allclose(p, a**c, atol=1e-9)
        assert ((p > 0.0) & (p < 1.0)).all()


@pytest.mark.parametrize("method", METHODS)
def test_prices_that_sum_to_one_are_the_answer(method):
    np.testing.assert_allclose(one([0.2, 0.3, 0.5], method), [0.2, 0.3, 0.5], atol=1e-12)


def test_known_two_way_market():
    """.60 and .45: overround .05; power exponent solved by hand with c = 1.0768 (brentq)."""
    prices = [0.60, 0.45]
    np.testing.assert_allclose(one(prices, "proportional"), [12 / 21, 9 / 21], rtol=1e-14)
    np.testing.assert_allclose(one(prices, "additive"), [0.575, 0.425], atol=1e-15)
    c = brentq(lambda c: 0.6**c + 0.45**c - 1.0, 0.5, 2.0)
    np.testing.assert_allclose(one(prices, "power"), [0.6**c, 0.45**c], atol=1e-9)


def test_proportional_keeps_odds_and_additive_keeps_differences():
    a = np.array([0.5, 0.4, 0.25])
    p, q = one(a, "proportional"), one(a, "additive")
    np.testing.assert_allclose(p / p[0], a / a[0], rtol=1e-14)
    np.testing.assert_allclose(q - q[0], a - a[0], atol=1e-15)


def test_additive_can_leave_the_unit_interval():
    assert one([0.9, 0.3, 0.02], "additive")[2] < 0.0


def test_overround_has_the_sign_of_the_house():
    out = remove_vig(np.array([[0.6, 0.45], [0.5, 0.5], [0.5, 0.4]]))
    np.testing.assert_allclose(out.overround, [0.05, 0.0, -0.1], atol=1e-15)


@pytest.mark.parametrize("method", METHODS)
def test_a_certain_outcome(method):
    np.testing.assert_allclose(one([1.0, 0.0], method), [1.0, 0.0], atol=1e-15)


def test_a_price_of_one_beside_another_has_no_exponent():
    for other in (0.3, 0.99, 0.999):
        assert np.isnan(one([1.0, other], "power")).all()


def test_power_of_two_nearly_certain_prices():
    np.testing.assert_allclose(one([0.9999, 0.9999], "power"), [0.5, 0.5], atol=1e-9)


@pytest.mark.parametrize("method", METHODS)
def test_rows_without_an_answer_are_nan_and_leave_the_others_alone(method):
    prices = np.array([[0.6, 0.45], [math.nan, 0.4], [0.0, 0.0], [0.5, 0.5]])
    out = remove_vig(prices, method=method)
    assert np.isnan(out.probability[1:3]).all()
    assert np.isnan(out.overround[1:3]).all()
    alone = remove_vig(prices[[0, 3]], method=method)
    np.testing.assert_array_equal(out.probability[[0, 3]], alone.probability)


@pytest.mark.parametrize("price", [-0.01, 1.01, math.inf])
def test_a_price_outside_the_unit_interval_is_named(price):
    with pytest.raises(InputError, match=r"a price in \[0, 1\]") as caught:
        remove_vig(np.array([[0.5, 0.5], [0.5, price]]))
    assert (caught.value.row, caught.value.column, caught.value.met) == (2, "1", price)


@pytest.mark.parametrize("shape", [(3,), (3, 1), (2, 2, 2)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(InputError, match="k >= 2"):
        remove_vig(np.full(shape, 0.5))


def test_an_unknown_method_is_refused():
    with pytest.raises(InputError, match="proportional, additive or power"):
        remove_vig(np.array([[0.5, 0.5]]), method="shin")  # type: ignore[arg-type]


def test_no_rows_give_no_rows():
    assert remove_vig(np.empty((0, 3))).probability.shape == (0, 3)


maybe = st.one_of(st.just(math.nan), st.floats(0.0, 1.0))


@settings(max_examples=300, **COMMON)
@given(st.lists(st.tuples(maybe, maybe, maybe, maybe), min_size=1, max_size=8))
def test_joint_book_takes_the_best_of_every_offer(quotes):
    """All ways to sell and to buy YES listed by hand, those not quoted left out."""
    book = joint_book(*np.array(quotes).T)
    for i, (bid, ask, no_bid, no_ask) in enumerate(quotes):
        sell = [v for v in (bid, 1.0 - no_ask) if not math.isnan(v)]
        buy = [v for v in (ask, 1.0 - no_bid) if not math.isnan(v)]
        want_bid, want_ask = max(sell, default=math.nan), min(buy, default=math.nan)
        np.testing.assert_array_equal([book.bid[i], book.ask[i]], [want_bid, want_ask])
        assert book.crossed[i] == float(want_bid > want_ask)


@settings(max_examples=100, **COMMON)
@given(st.tuples(*[st.floats(0.0, 1.0)] * 4))
def test_joint_book_of_the_complement_is_the_mirror(quote):
    bid, ask, no_bid, no_ask = (np.array([v]) for v in quote)
    yes, no = joint_book(bid, ask, no_bid, no_ask), joint_book(no_bid, no_ask, bid, ask)
    np.testing.assert_allclose([yes.bid, yes.ask], [1.0 - no.ask, 1.0 - no.bid], atol=1e-15)


def test_a_crossed_book_pays():
    """YES offered at .55 and NO at .40: both cost .95 and pay 1."""
    book = joint_book(*(np.array([v]) for v in (0.53, 0.55, 0.38, 0.40)))
    assert book.crossed[0] == 1.0
    assert book.bid[0] - book.ask[0] == pytest.approx(0.05)
