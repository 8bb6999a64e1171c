"""A window that moves on against the same window fitted afresh, in chunks of every size."""

from __future__ import annotations

import math

import numpy as np
import pytest

from eventtape.arrays import Status
from eventtape.errors import InputError
from eventtape.estimators.discovery.pairs import pair_discovery
from eventtape.estimators.discovery.refusals import Reason
from eventtape.estimators.discovery.rolling_pairs import batch, start, step
from eventtape.simulate.price_leaders import yan_zivot
from eventtape.simulate.price_placebos import independent_walks

MEASURES = ("pils", "is_first", "is_last", "component", "pds")


def prices(n_rows, seed=0):
    """Three prices of one trend, their noises apart, and a walk of its own."""
    speeds, noise = np.array([0.8, 0.4, 0.6]), np.array([0.5, -0.5, -1.5])
    linked = yan_zivot(seed, n_rows, speeds, noise).log_prices
    return np.column_stack([linked, independent_walks(seed, n_rows, 1).log_prices])


def test_windows_over_a_day_of_seconds_are_those_fitted_afresh():
    """23,400 rows of running sums. The reasons that need no rows give the identified flag."""
    x, window = prices(23_400), 390
    out = batch(x, window, 1, every=97)
    assert out.end[0] == window - 1
    assert out.end[-1] == window - 1 + 97 * ((23_400 - window) // 97)
    named = 0
    for row in [*range(0, out.end.size, 20), out.end.size - 1]:
        end = int(out.end[row])
        fresh = pair_discovery(x[end - window + 1 : end + 1], 1, n_draws=99)
        # A window fitted afresh also meets the law of signs, which needs the rows
        louder = fresh.p_none > out.p_none[row] * (1.0 + 1e-9) + 1e-12
        one_size = np.where(louder, out.p_none[row], fresh.p_none)
        np.testing.assert_allclose(out.p_none[row], one_size, rtol=1e-9, atol=1e-12)
        for p in range(6):
            if fresh.reason[p] is Reason.SERIAL:  # not asked of a moving window
                continue
            if louder[p] and fresh.reason[p] is Reason.RANK_0:
                continue
            assert out.identified[row, p] == math.isfinite(fresh.pils_lower[p])
            if fresh.reason[p] is Reason.NONE:
                named += 1
                for name in MEASURES:
                    mine, theirs = getattr(out, name)[row, p], getattr(fresh, name)[p]
                    assert mine == pytest.approx(theirs, abs=1e-9), name
    assert named > 15
    assert np.isnan(out.pils[~out.identified]).all()
    assert np.isfinite(out.pils[out.identified]).all()
    walk = out.identified[:, [2, 4, 5]].mean()
    assert walk < 0.02
    assert out.identified[:, 0].mean() > 0.9


@pytest.mark.parametrize("chunks", [[1] * 700, [7] * 100, [333, 1, 366], [700]])
def test_any_chunks_give_the_same_bits(chunks):
    x, window = prices(700, 5), 200
    whole = batch(x, window, 2)
    state, at = start(4, window, 2), 0
    for size in chunks:
        state, now = step(state, x[at] if size == 1 else x[at : at + size])
        at += size
        assert int(now.end) == at - 1
        if at < window:
            assert now.status is Status.TOO_FEW
            assert np.isnan(now.p_none).all()
            assert not now.identified.any()
            continue
        row = at - window
        assert whole.end[row] == at - 1
        assert now.status is Status.OK
        for name in (*MEASURES, "p_none", "identified"):
            np.testing.assert_array_equal(getattr(now, name), getattr(whole, name)[row])


def test_step_leaves_the_state_it_was_handed():
    x = prices(300, 2)
    state, _ = step(start(4, 200), x[:250])
    once, again = step(state, x[250:])[1], step(state, x[250:])[1]
    np.testing.assert_array_equal(once.pils, again.pils)
    assert int(once.end) == int(again.end) == 299


def test_some_pairs_in_either_order_and_no_window():
    x = prices(400, 3)
    some = batch(x, 300, 1, np.array([[3, 0], [1, 0]]))
    every = batch(x, 300, 1)
    np.testing.assert_array_equal(some.p_none, every.p_none[:, [2, 0]])
    short = batch(x[:50], 300)
    assert short.status is Status.TOO_FEW
    assert short.pils.shape == (0, 6)
    few = batch(x[:50], 40, 1)  # 38 rows for 4 regressors
    assert few.status is Status.TOO_FEW
    assert np.isnan(few.p_none).all()


def test_errors_at_the_door():
    with pytest.raises(InputError, match="two or more series"):
        start(1, 100)
    with pytest.raises(InputError, match="false-discovery rate"):
        start(2, 100, false_discovery=1.0)
    with pytest.raises(InputError, match="window of at least 3"):
        start(2, 2)
    with pytest.raises(InputError, match="series as before"):
        step(start(3, 100), np.zeros(2))
    with pytest.raises(InputError, match="different columns"):
        start(3, 100, pairs=np.array([[0, 0]]))
