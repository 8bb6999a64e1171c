"""The strike of a delta: the seed's, there and back, and the two strikes of a net call delta."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventtape.errors import InputError
from eventtape.estimators.positions.strikes import strike_of_delta
from eventtape.estimators.pricing.black import black_greeks

quickly = settings(max_examples=30, derandomize=True, deadline=None)
BOTH = np.array([False, True])
taus, vols, forwards = st.floats(0.003, 2.0), st.floats(0.1, 2.0), st.floats(1.0, 2e5)


def net_delta(forward, strike, tau, vol, call):
    g = black_greeks(forward, strike, tau, vol, is_call=call)
    return g.delta - g.price / forward


def test_deltas_of_the_seed():
    """The near strikes are a fifth of a delta; of the far ones the seed's are not 25 but 47, 39."""
    near = black_greeks(62e3, [55e3, 72e3], 34 / 365, 0.5523, is_call=BOTH)
    np.testing.assert_allclose(near.delta, [-0.21, 0.21], atol=0.005)
    far = black_greeks(62e3, [65e3, 75e3], 174 / 365, 0.5778, is_call=BOTH)
    np.testing.assert_allclose(far.delta, [-0.47, 0.39], atol=0.005)
    strikes = strike_of_delta([-0.25, 0.25], 62e3, 174 / 365, 0.5778, BOTH)
    np.testing.assert_allclose(strikes, [51.3e3, 87.9e3], atol=50.0)
    assert strikes == pytest.approx([51_296.908, 87_863.991], abs=1e-3)


@quickly
@given(st.floats(0.001, 0.999), forwards, taus, vols, st.booleans())
def test_there_and_back(size, forward, tau, vol, call):
    delta = size if call else -size
    strike = strike_of_delta(delta, forward, tau, vol, call)
    assert black_greeks(forward, strike, tau, vol, is_call=call).delta == pytest.approx(
        delta, abs=1e-12
    )


@quickly
@given(st.floats(0.001, 0.999), forwards, taus, vols)
def test_there_and_back_net_of_the_premium(share, forward, tau, vol):
    grid = forward * np.exp(np.linspace(-8.0, 4.0, 4_001) * vol * np.sqrt(tau))
    curve = net_delta(forward, grid, tau, vol, True)
    top = int(np.argmax(curve))
    delta = share * curve[top]
    strike = strike_of_delta(delta, forward, tau, vol, True, premium_adjusted=True)
    assert net_delta(forward, strike, tau, vol, True) == pytest.approx(delta, abs=1e-12)
    assert grid[top - 1] < strike  # the higher of the two
    put = strike_of_delta(-share, forward, tau, vol, False, premium_adjusted=True)
    assert net_delta(forward, put, tau, vol, False) == pytest.approx(-share, abs=1e-12)


def test_a_net_call_delta_has_two_strikes():
    """Above the top of the net delta there is no strike, below it another, deep in the money."""
    forward, tau, vol = 62e3, 174 / 365, 0.5778
    grid = np.linspace(1e3, 150e3, 150_000)
    curve = net_delta(forward, grid, tau, vol, True)
    crossings = grid[:-1][np.diff(np.sign(curve - 0.25)) != 0.0]
    given_back = strike_of_delta(0.25, forward, tau, vol, True, premium_adjusted=True)
    assert crossings.size == 2
    assert crossings[0] < 25e3
    assert given_back == pytest.approx(crossings[1], abs=1.0)
    top = curve.max()
    assert 0.529 < top < 0.530
    close = strike_of_delta(top - 1e-9, forward, tau, vol, True, premium_adjusted=True)
    assert close == pytest.approx(grid[np.argmax(curve)], rel=1e-3)
    with pytest.raises(InputError, match=rf"row 2, .*delta of at most {top:.4f}"):
        strike_of_delta([0.25, top + 1e-4], forward, tau, vol, True, premium_adjusted=True)


@pytest.mark.parametrize("s", [1e-6, 1e-3, 0.05, 0.4, 2.0, 6.0])
def test_up_to_the_very_top(s):
    """At the top the root is double: what is left there is half the digits of the strike."""
    grid = np.exp(np.linspace(-7.0, 3.0, 400_001) * s)
    curve = net_delta(1.0, grid, s * s, 1.0, True)
    top = float(curve.max())
    for short in (1e-3, 1e-8, 1e-12):
        delta = top * (1.0 - short)
        strike = strike_of_delta(delta, 1.0, s * s, 1.0, True, premium_adjusted=True)
        assert net_delta(1.0, strike, s * s, 1.0, True) == pytest.approx(delta, rel=1e-13)
        assert np.log(strike) >= np.log(grid[np.argmax(curve)]) - 2e-4 * s
    tiny = strike_of_delta(1e-12, 1.0, s * s, 1.0, True, premium_adjusted=True)
    assert net_delta(1.0, tiny, s * s, 1.0, True) == pytest.approx(1e-12, rel=1e-9)


def test_a_net_put_delta_may_pass_1():
    strike = strike_of_delta(-1.5, 100.0, 0.5, 0.6, False, premium_adjusted=True)
    assert net_delta(100.0, strike, 0.5, 0.6, False) == pytest.approx(-1.5, abs=1e-12)


def test_shapes_and_nan():
    assert np.shape(strike_of_delta(0.25, 100.0, 1.0, 0.2, True)) == ()
    many = strike_of_delta([[0.1], [0.25]], 100.0, [0.5, 1.0, 2.0], 0.2, True)
    assert many.shape == (2, 3)
    assert many[1, 1] == strike_of_delta(0.25, 100.0, 1.0, 0.2, True)
    assert np.isnan(strike_of_delta([0.25, 0.25], [np.nan, 100.0], 1.0, 0.2, True))[0]
    netted = strike_of_delta([0.2, 0.2], [np.nan, 9.0], 1.0, 0.2, True, premium_adjusted=True)
    assert np.isnan(netted).tolist() == [True, False]


@pytest.mark.parametrize(
    ("delta", "call", "change", "wanted"),
    [
        (25.0, True, {}, "column 'delta': met 25.0, wanted a delta between -1 and 1: .25, not 25"),
        (-0.25, True, {}, "met -0.25, wanted a delta above 0 for a call, below 0 for a put"),
        (0.25, False, {}, "met 0.25, wanted a delta above 0 for a call, below 0 for a put"),
        (0.0, True, {}, "met 0.0, wanted a delta above 0 for a call, below 0 for a put"),
        (0.25, True, {"tau": 0.0}, "column 'tau': met 0.0, wanted a number above 0"),
        (0.25, True, {"vol": -0.1}, "column 'vol': met -0.1, wanted a number above 0"),
        (0.25, True, {"forward": 0.0}, "column 'forward': met 0.0"),
    ],
    ids=["percent", "sign", "sign-put", "none", "tau", "vol", "forward"],
)
def test_refused(delta, call, change, wanted):
    with pytest.raises(InputError) as raised:
        strike_of_delta(
            delta, is_call=call, **({"forward": 100.0, "tau": 0.5, "vol": 0.5} | change)
        )
    assert wanted in str(raised.value)
