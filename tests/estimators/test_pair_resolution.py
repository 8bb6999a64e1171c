"""A lead of half a second looked at every 1 to 60 s, against what the population holds."""

from __future__ import annotations

import math

import numpy as np
import pytest

from eventtape.errors import InputError
from eventtape.estimators.discovery.information_share import shares
from eventtape.estimators.discovery.pairs import pair_discovery
from eventtape.estimators.discovery.refusals import Reason
from eventtape.estimators.discovery.resolution import Verdict, resolution
from eventtape.simulate.price_leaders import common_trend_panel, delayed_noise, yan_zivot
from eventtape.simulate.price_leaders_exact import delayed_market, innovations_form
from eventtape.simulate.price_placebos import independent_walks

EXACT = {  # step in seconds: IS of the first, last and first in order, and its PILS
    1: (0.5000, 0.9000, 0.6923),
    2: (0.3158, 0.9110, 0.6079),
    5: (0.1527, 0.9448, 0.5469),
    10: (0.0825, 0.9671, 0.5242),
    30: (0.0291, 0.9875, 0.5082),
    60: (0.0148, 0.9936, 0.5041),
}


@pytest.mark.parametrize("step_s", EXACT)
def test_table_of_the_limit(step_s):
    """The numbers the docstring speaks of are the population's."""
    form = innovations_form(delayed_market(0.5, step_s, variance_s=1.0, noise_sd=np.ones(2)))
    part = shares(form.psi[0], form.omega)
    low, high, pils = EXACT[step_s]
    assert part.is_last[0] == pytest.approx(low, abs=5e-5)
    assert part.is_first[0] == pytest.approx(high, abs=5e-5)
    assert part.pils[0] == pytest.approx(pils, abs=5e-5)


def test_day_of_seconds_goes_to_the_table():
    """117,000 s: widths at each step within 0.05 of the population's, PILS at 1 s in its interval.

    Every step is the same market sampled less often, so only the first names the leader.
    """
    x = delayed_noise(3, 117_000, 0.5, 1.0).log_prices
    out = resolution(x, 1.0, tuple(EXACT), n_draws=199)
    exact = np.array(list(EXACT.values()))
    np.testing.assert_allclose(out.width[:, 0], exact[:, 1] - exact[:, 0], atol=0.05)
    assert (np.diff(out.correlation[:, 0]) > 0.0).all()
    assert out.pils_lower[0, 0] < 0.6923 < out.pils_upper[0, 0]
    assert out.leader[:, 0].tolist() == [0, -1, -1, -1, -1, -1]
    assert [row[0] for row in out.verdict] == [Verdict.NAMED, *[Verdict.TOO_COARSE] * 5]
    assert [row[0] for row in out.reason] == [Reason.NONE, *[Reason.WIDE] * 5]
    assert np.isnan(out.pils[1:, 0]).all()
    assert out.holds_to_s[0] == 1.0


def test_each_step_is_the_pairs_of_every_so_many_rows():
    x = yan_zivot(1, 4_000, np.array([0.5, 0.1, 0.2]), np.array([0.5, -0.5, 1.5])).log_prices
    out = resolution(x, 2.0, (1, 3), 2, n_draws=99, seed=4)
    assert out.step_s.tolist() == [2.0, 6.0]
    for s, multiple in enumerate((1, 3)):
        one = pair_discovery(x[::multiple], 2, n_draws=99, seed=4)
        assert out.reason[s] == one.reason
        assert out.n_rows[s] == one.n_rows
        for name in ("width", "correlation", "pils", "pils_lower", "pils_upper", "leader"):
            np.testing.assert_array_equal(getattr(out, name)[s], getattr(one, name))


def test_sessions_begin_their_own_steps():
    """Two days of 1,001 and 998 rows: every fifth row of each, and no difference across."""
    x = yan_zivot(2, 1_999, np.array([0.8, 0.4]), np.array([0.5, -0.5])).log_prices
    day = np.repeat([1, 2], [1_001, 998])
    out = resolution(x, 1.0, (5,), 1, sessions=day, n_draws=99)
    kept = np.r_[np.arange(0, 1_001, 5), np.arange(1_001, 1_999, 5)]
    by_hand = pair_discovery(x[kept], 1, sessions=day[kept], n_draws=99)
    assert out.n_rows[0] == by_hand.n_rows == (201 - 2) + (200 - 2)
    np.testing.assert_array_equal(out.width[0], by_hand.width)


def test_verdicts_where_nobody_or_somebody_else_leads():
    nobody = resolution(independent_walks(1, 3_000, 2).log_prices, 1.0, (1, 5), n_draws=99)
    assert {v for row in nobody.verdict for v in row} == {Verdict.NO_CLAIM}
    assert math.isnan(nobody.holds_to_s[0])
    # Slow prices with large noise: five steps see the lead as well as one does
    x = common_trend_panel(2, 40_000, np.array([0.3, 0.03]), noise_sd=5e-4).log_prices
    slow = resolution(x, 1.0, (1, 5, 9_000), n_draws=99)
    assert [row[0] for row in slow.verdict] == [Verdict.NAMED, Verdict.NAMED, Verdict.REFUSED]
    assert slow.reason[2][0] is Reason.FEW_ROWS
    assert slow.holds_to_s[0] == 5.0


def test_verdict_where_steps_name_different_leaders(monkeypatch):
    """A market of one speed a price does not turn its leader round: the coarse answer is forged."""
    module = "eventtape.estimators.discovery.resolution"
    x = yan_zivot(1, 4_000, np.array([0.8, 0.3]), np.array([0.5, -0.5])).log_prices

    def forged(log_prices, *args, **options):
        out = pair_discovery(log_prices, *args, **options)
        return out if len(log_prices) == 4_000 else out._replace(leader=np.array([1]))

    monkeypatch.setattr(f"{module}.pair_discovery", forged)
    out = resolution(x, 1.0, (1, 2), 1, n_draws=99)
    assert [row[0] for row in out.verdict] == [Verdict.NAMED, Verdict.DISAGREES]
    assert out.holds_to_s[0] == 1.0


def test_errors_at_the_door():
    x = independent_walks(1, 300, 2).log_prices
    with pytest.raises(InputError, match="more than 0 seconds"):
        resolution(x, 0.0)
    with pytest.raises(InputError, match="multiples that rise"):
        resolution(x, 1.0, (5, 1))
    with pytest.raises(InputError, match="whole multiples"):
        resolution(x, 1.0, (0, 1))
    with pytest.raises(InputError, match="T >= 3"):
        resolution(x, 1.0, (1, 200))
