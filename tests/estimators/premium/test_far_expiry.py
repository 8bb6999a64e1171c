"""The choice of the far expiry: ranks, what is not known, order."""

from __future__ import annotations

import math

import numpy as np
import pytest

from eventtape.arrays import Status
from eventtape.errors import InputError
from eventtape.estimators.premium.far_expiry import far_expiries
from eventtape.estimators.premium.spread_history import SpreadHistory

EXPIRIES = np.array([10, 20, 30])
FITTED = np.array([0.57, 0.58, 0.59])
ONE_OF_ONE = "1 of 1 far expiries with a reading, 2 needed"


def seen(quantile, status=Status.OK):
    return SpreadHistory(0.0, 0.1, 0.0356, 0.01, 0.0255, quantile, -1.0, 90, 1.0, status, "")


def test_cheap_low_and_eventful_comes_first():
    out = far_expiries(
        EXPIRIES,
        FITTED + np.array([0.004, -0.004, 0.0]),
        FITTED,
        np.full(3, 0.002),
        [seen(0.5), seen(0.1), seen(0.9)],
        cuts=np.array([1.0, 1.7, 0.3]),
    )
    assert out.expiries_ns.tolist() == [20, 10, 30]
    assert out.order.tolist() == [1, 0, 2]
    np.testing.assert_allclose(out.richness, [-2.0, 2.0, 0.0])
    assert out.premium_rank.tolist() == [1.0, 3.0, 2.0]
    assert out.spread_rank.tolist() == [1.0, 2.0, 3.0]
    assert out.cuts_rank.tolist() == [1.0, 2.0, 3.0]
    np.testing.assert_allclose(out.mean_rank, [1.0, 7 / 3, 8 / 3])
    assert out.spread_returns.all()
    assert out.status is Status.OK


def test_ranks_are_of_what_is_known():
    out = far_expiries(
        EXPIRIES,
        np.array([0.57, math.nan, 0.59]),
        FITTED,
        np.full(3, 0.002),
        [seen(0.2, Status.NOT_IDENTIFIED), None, seen(0.2)],
    )
    assert out.expiries_ns.tolist() == [10, 30, 20]
    assert out.premium_rank[:2].tolist() == out.spread_rank[:2].tolist() == [1.5, 1.5]
    assert np.isnan([out.premium_rank[2], out.spread_rank[2], out.mean_rank[2]]).all()
    assert np.isnan(out.cuts_rank).all()
    assert out.spread_returns.tolist() == [False, True, False]


def test_one_expiry_is_no_choice():
    out = far_expiries(EXPIRIES[:1], FITTED[:1], FITTED[:1], np.ones(1), [None])
    assert (out.status, out.reason) == (Status.TOO_FEW, ONE_OF_ONE)
    none = far_expiries(EXPIRIES[:0], FITTED[:0], FITTED[:0], np.ones(0), [])
    assert (none.status, none.mean_rank.shape) == (Status.TOO_FEW, (0,))


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"iv": FITTED[:2]}, r"met \['iv'\], wanted one value for each expiry"),
        ({"spreads": [None]}, "met 1, wanted one value for each expiry"),
        ({"error": np.array([0.1, 0.0, 0.1])}, "row 2: met 0.0, wanted an error above 0"),
    ],
    ids=["iv", "spreads", "error"],
)
def test_bad_input_is_named(given, wanted):
    call = {
        "expiries_ns": EXPIRIES, "iv": FITTED, "fitted_iv": FITTED,
        "error": np.full(3, 0.002), "spreads": [None] * 3,
    }  # fmt: skip
    with pytest.raises(InputError, match=wanted):
        far_expiries(**(call | given))
