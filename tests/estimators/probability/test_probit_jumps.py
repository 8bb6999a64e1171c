"""The compensator: case 8's number, quadrature, and what leaving it out does to E B."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import ndtr
from scipy.stats import norm

from eventtape.errors import InputError
from eventtape.estimators.probability.jump_compensator import (
    Jumps,
    compensator,
    jump_drift,
    jump_law,
    jumped_mean,
)

LAWS = {
    "one size": jump_law(1.0, 1.0),
    "two sizes": jump_law([0.7, 0.4], [0.5, -0.8]),
    "normal": jump_law(2.0, 0.1, 0.4),
    "mixture": jump_law([0.5, 1.0, 0.0], [0.3, -0.2, 9.0], [0.0, 0.5, 1.0]),
}


def mean_after(u, jumps):
    """Sum over kinds of intensity times E Phi(u + z), by quadrature."""
    total = 0.0
    for rate, m, s in zip(*jumps, strict=True):
        if s == 0.0:
            total += rate * norm.cdf(u + m)
        else:
            total += rate * quad(lambda z: norm.cdf(u + z) * norm.pdf(z, m, s), -20.0, 20.0)[0]  # noqa: B023
    return total


def test_case_8_the_drift_of_b_without_the_compensator():
    """Printed: -.0575975343 per unit intensity at U = 0 for jumps of one probit."""
    left_out = -float(compensator(0.0, LAWS["one size"])) * norm.pdf(0.0)
    assert left_out == pytest.approx(-0.0575975343, abs=5e-11)


@pytest.mark.parametrize("name", LAWS)
@pytest.mark.parametrize("u", [-2.5, -0.3, 0.0, 1.7])
def test_drift_takes_back_what_jumps_give(name, u):
    jumps = LAWS[name]
    rate = jumps.intensity.sum()
    gives = mean_after(u, jumps) - rate * norm.cdf(u)
    assert float(jump_drift(u, jumps)) == pytest.approx(-gives / norm.pdf(u), rel=1e-8)
    raw = float(np.sum(jumps.intensity * jumps.mean))
    assert float(compensator(u, jumps)) == pytest.approx(
        -(gives / norm.pdf(u) - raw), rel=1e-8, abs=1e-9
    )
    assert float(jumped_mean(u, jumps)) == pytest.approx(mean_after(u, jumps) / rate, rel=1e-9)


def test_both_tails_keep_their_digits():
    """The mirror of a law at -u is minus the law at u; 1 - Phi would have lost it by u = 9."""
    u = np.array([-9.0, -4.0, 0.5, 9.0])
    jumps = LAWS["two sizes"]
    mirror = Jumps(jumps.intensity, -jumps.mean, jumps.sd)
    np.testing.assert_allclose(jump_drift(u, jumps), -jump_drift(-u, mirror), rtol=1e-14)
    want = -(norm.cdf(-8.0) - norm.cdf(-9.0)) / norm.pdf(9.0)
    assert float(jump_drift(-9.0, LAWS["one size"])) == pytest.approx(want, rel=1e-12)


def test_small_jumps_need_a_second_order_drift():
    """Phi(u + z) - Phi(u) = phi(u) (z - u z^2 / 2): the diffusion's own 1/2 nu^2 U, nu^2 = z^2."""
    z, u = 1e-3, 1.3
    both = jump_law([0.5 / z**2, 0.5 / z**2], [z, -z])
    assert float(jump_drift(u, both)) == pytest.approx(0.5 * u, rel=1e-6)


def euler(*, compensated, n=20_000, steps=20, end=0.2, seed=0):
    """B by small steps from 1/2, jumps of one probit at intensity 1, their mean taken off U."""
    rng, jumps = np.random.default_rng(seed), LAWS["one size"]
    u, h = np.zeros(n), end / steps
    for _ in range(steps):
        extra = compensator(u, jumps) if compensated else 0.0
        jump = rng.random(n) < h
        u = u + h * (0.5 * 0.25 * u - 1.0 + extra) + 0.5 * math.sqrt(h) * rng.standard_normal(n)
        u = u + jump
    return ndtr(u)


def test_without_the_compensator_b_drifts_and_with_it_not():
    without, right = euler(compensated=False) - 0.5, euler(compensated=True) - 0.5
    se = float(right.std()) / math.sqrt(right.size)
    assert abs(right.mean()) < 3.3 * se + 1e-3  # a step of .01 leaves an error of its order
    assert without.mean() < -6.0 * se
    assert without.mean() == pytest.approx(-0.0576 * 0.2, abs=4.0 * se)


@pytest.mark.parametrize(
    ("args", "column"),
    [
        ((-1.0, 0.1, 0.1), "intensity"),
        ((1.0, math.nan, 0.1), "mean"),
        ((1.0, 0.1, -0.1), "sd"),
        (([1.0, math.inf], 0.1, 0.1), "intensity"),
    ],
)
def test_laws_that_are_none_are_errors(args, column):
    with pytest.raises(InputError) as caught:
        jump_law(*args)
    assert caught.value.column == column


def test_no_jumps_have_no_drift():
    none = jump_law(0.0, 1.0)
    assert float(jump_drift(0.4, none)) == 0.0
    assert float(jumped_mean(0.4, none)) == pytest.approx(norm.cdf(0.4))
