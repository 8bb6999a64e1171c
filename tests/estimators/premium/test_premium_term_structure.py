"""A term structure is checked where it comes in."""

from __future__ import annotations

import numpy as np
import pytest

from eventtape.arrays import Status
from eventtape.clock import parse_ns
from eventtape.errors import InputError
from eventtape.estimators.premium.day_weights import DAY_NS
from eventtape.estimators.premium.term_structure import (
    IV_ERROR,
    forward_vols,
    term_structure,
)

AT = parse_ns("2024-10-05T00:00Z")
EXPIRIES = AT + np.array([7, 34, 174]) * DAY_NS
IV = np.array([0.50, 0.5523, 0.5778])


def test_a_good_one_is_copied_and_knows_its_days_and_variance():
    iv = IV.copy()
    term = term_structure(AT, EXPIRIES, iv, label="btc")
    iv[:] = 9.0
    np.testing.assert_array_equal(term.iv, IV)
    np.testing.assert_array_equal(term.error, IV_ERROR)
    np.testing.assert_allclose(term.days, [7, 34, 174])
    assert 1e4 * term.variance[1] == pytest.approx(284.142, abs=5e-4)  # the seed's D, in percent^2
    assert term.label == "btc"


@pytest.mark.parametrize(
    ("change", "words", "row"),
    [
        ({"iv": 100 * IV}, "a decimal", 1),
        ({"iv": np.array([0.5, 55.23, 0.6])}, "a decimal", 2),
        ({"iv": np.array([0.5, 0.55, np.nan])}, "a decimal", 3),
        ({"iv": np.array([0.5, 0.0, 0.6])}, "a decimal", 2),
        ({"error": np.array([0.01, -0.1, 0.0])}, "error of the vol", 2),
        ({"error": np.array([0.01, 0.1, np.nan])}, "error of the vol", 3),
        ({"expiries_ns": EXPIRIES[[1, 0, 2]]}, "rising order", 2),
        ({"expiries_ns": EXPIRIES[[0, 1, 1]]}, "each expiry once", 3),
        ({"expiries_ns": EXPIRIES - 10 * DAY_NS}, "after the moment", 1),
        ({"at_ns": EXPIRIES[0]}, "after the moment", 1),
    ],
    ids=["percent", "one in percent", "nan", "zero", "error below 0", "error nan", "unsorted",
         "twice", "expired", "at its expiry"],
)  # fmt: skip
def test_bad_rows_are_named(change, words, row):
    given = {"at_ns": AT, "expiries_ns": EXPIRIES, "iv": IV, **change}
    with pytest.raises(InputError, match=words) as caught:
        term_structure(**given)
    assert caught.value.row == row


def test_percent_is_told_what_was_met():
    with pytest.raises(InputError, match=r"met 55\.23.*\.55 for 55%"):
        term_structure(AT, EXPIRIES[:1], np.array([55.23]))


def test_lengths_that_differ_and_nothing_at_all_are_refused():
    with pytest.raises(InputError, match="one length"):
        term_structure(AT, EXPIRIES, IV[:2])
    with pytest.raises(InputError, match="one length"):
        term_structure(AT, EXPIRIES, IV, np.array([0.01]))
    with pytest.raises(InputError, match="at least one expiry"):
        term_structure(AT, EXPIRIES[:0], IV[:0])


def test_forward_vols_give_total_variance_back():
    forward = forward_vols(term_structure(AT, EXPIRIES, IV))
    years = np.array([7, 27, 140]) / 365
    np.testing.assert_allclose(
        np.cumsum(forward.vol**2 * years), IV**2 * np.array([7, 34, 174]) / 365
    )
    assert forward.status == (Status.OK,) * 3


def test_a_negative_forward_variance_is_shown_and_has_no_vol():
    forward = forward_vols(term_structure(AT, EXPIRIES, np.array([0.9, 0.3, 0.5])))
    assert forward.status == (Status.OK, Status.NOT_RESOLVED, Status.OK)
    assert np.isnan(forward.vol).tolist() == [False, True, False]
    assert forward.variance[1] == pytest.approx((0.09 * 34 - 0.81 * 7) / 365)
