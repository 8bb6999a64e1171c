"""Legs: what the builders build, and what the door refuses by name."""

from __future__ import annotations

import numpy as np
import pytest

from eventtape.errors import InputError
from eventtape.estimators.positions.legs import (
    calendar_strangle,
    combine,
    leg_of,
    legs,
    long_option,
    strangle,
    times,
)

NEAR, FAR = 1_731_052_800_000_000_000, 1_743_148_800_000_000_000


def same(one, other):
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_one_value_holds_for_all_legs():
    held = legs([1, -2], 60e3, np.array([True, False]), NEAR, [0.5, 0.6])
    assert held.quantity.tolist() == [1.0, -2.0]
    assert held.strike.tolist() == [60e3, 60e3]
    assert held.expiry_ns.tolist() == [NEAR, NEAR]
    assert not held.inverse
    assert legs(1, 60e3, True, NEAR, 0.5).strike.shape == (1,)


def test_legs_are_copies():
    strikes = np.array([55e3, 72e3])
    held = legs(1.0, strikes, True, NEAR, 0.5)
    strikes[0] = 1.0
    assert held.strike[0] == 55e3


def test_builders():
    near = strangle(55e3, 72e3, NEAR, (0.56, 0.55), inverse=True)
    assert near.is_call.tolist() == [False, True]
    assert near.vol.tolist() == [0.56, 0.55]
    far = strangle(65e3, 75e3, FAR, 0.5778, inverse=True)
    both = calendar_strangle(near, far, (-3.0, 1.0))
    assert both.quantity.tolist() == [-3.0, -3.0, 1.0, 1.0]
    assert both.inverse
    assert same(both, combine(times(near, -3.0), far))
    assert same(calendar_strangle(near, far), combine(times(near, -1.0), far))
    assert same(combine(*(leg_of(both, i) for i in range(4))), both)
    put = long_option(55e3, NEAR, 0.56, is_call=False, inverse=True)
    assert same(put, leg_of(near, 0))


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        ({"vol": [0.5, 55.23]}, "row 2, column 'vol': met 55.23, wanted a decimal: .55 for 55%"),
        ({"vol": 0.0}, "column 'vol': met 0.0"),
        ({"vol": np.nan}, "column 'vol': met nan"),
        ({"strike": [60e3, -1.0]}, "row 2, column 'strike': met -1.0, wanted a strike above 0"),
        ({"strike": np.inf}, "column 'strike': met inf"),
        ({"quantity": np.nan}, "column 'quantity': met nan, wanted a number of options"),
        ({"is_call": [1, 0]}, "column 'is_call': met 'int64', wanted True for a call"),
        ({"expiry_ns": "2024-11-08"}, "column 'expiry_ns'"),
        ({"expiry_ns": NEAR + 0.5j}, "column 'expiry_ns'"),
        ({"strike": [1.0, 2.0], "vol": [0.5, 0.5, 0.5]}, "wanted one value a leg"),
        ({"strike": [[1.0, 2.0]]}, "wanted one value a leg"),
    ],
    ids=lambda x: x if isinstance(x, str) else "-".join(x),
)
def test_what_is_refused(change, wanted):
    given = {"quantity": 1.0, "strike": 6e4, "is_call": True, "expiry_ns": NEAR, "vol": 0.5}
    with pytest.raises(InputError) as raised:
        legs(**(given | change))
    assert wanted in str(raised.value)


def test_structures_refused():
    near, far = strangle(55e3, 72e3, NEAR, 0.5), strangle(65e3, 75e3, FAR, 0.5)
    with pytest.raises(InputError, match="a put struck no higher than the call"):
        strangle(72e3, 55e3, NEAR, 0.5)
    with pytest.raises(InputError, match="near legs that expire before the far ones"):
        calendar_strangle(far, near)
    with pytest.raises(InputError, match="all settled in coins, or all in dollars"):
        combine(near, far._replace(inverse=True))
    with pytest.raises(InputError, match="a position at least"):
        combine()
    with pytest.raises(InputError, match="a number of structures"):
        times(near, np.nan)
