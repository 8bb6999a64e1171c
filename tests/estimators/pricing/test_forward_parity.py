"""Forward and discount: simulated chains of known truth, and the fit done again by other means."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import ndtr

from eventtape.arrays import Status
from eventtape.errors import InputError
from eventtape.estimators.pricing.forward import (
    ForwardSource,
    PairFate,
    forward_from_european,
    forward_from_parity,
)

F, TAU, RATE = 100.0, 10 / 365, 0.05
DISCOUNT = math.exp(-RATE * TAU)
TUKEY = 3.44


def fair(strikes):
    """Black prices of calls and puts, 60% and a skew."""
    K = strikes
    w = 0.6 * math.sqrt(TAU) * (1.0 - 0.3 * np.log(K / F))
    d = np.log(F / K) / w + 0.5 * w
    calls = DISCOUNT * (F * ndtr(d) - K * ndtr(d - w))
    puts = DISCOUNT * (K * ndtr(w - d) - F * ndtr(-d))
    return calls, puts


def chain(rng, n=60, *, stale=0.2, tick=0.01, shown=1.0, normal=False):
    """Strikes and bids and asks: half spreads 1c + 1%, rounded outward; some strikes stale.

    A mid lies anywhere within its spread (times ``shown``), or is normal of that deviation. A stale
    strike's call or put is 5 to 30 of its own spreads too dear.
    """
    K = np.round(F * np.exp(np.linspace(-3.5, 3.5, n) * 0.6 * math.sqrt(TAU)), 2)
    prices = fair(K)
    halves = [0.01 + 0.01 * price for price in prices]
    old = rng.permutation(n)[: round(stale * n)]
    dear = rng.integers(0, 2, n)
    late = rng.uniform(5.0, 30.0, n) * np.hypot(*halves)
    sides = []
    for k, (price, half) in enumerate(zip(prices, halves, strict=True)):
        u = rng.standard_normal(n) / math.sqrt(3.0) if normal else rng.uniform(-1.0, 1.0, n)
        mid = price + shown * half * u
        mid[old] += np.where(dear == k, late, 0.0)[old]
        sides.append(np.maximum(np.floor((mid - half) / tick + 1e-9) * tick, 0.0))
        sides.append(np.ceil((mid + half) / tick - 1e-9) * tick)
    return K, *sides


def clean(n=21, *, half=0.05, away=0.0):
    """Exact parity with equal spreads, strikes 80 to 120."""
    K = np.linspace(80.0, 120.0, n)
    calls, puts = (price + 1.0 for price in fair(K))
    return K, calls + away - half, calls + away + half, puts - half, puts + half


@pytest.mark.parametrize("half", [0.0, 0.05])
def test_exact_prices_give_the_truth(half):
    out = forward_from_parity(*clean(half=half), tau=TAU, spot=99.0, spot_error=99.0)
    assert out.status is Status.OK
    assert out.forward == pytest.approx(F, abs=1e-9)
    assert out.discount == pytest.approx(DISCOUNT, abs=1e-10)
    assert out.rate == pytest.approx(RATE, abs=1e-8)
    assert out.carry == pytest.approx(math.log(F / 99.0) / TAU, abs=1e-8)
    assert out.dividend_yield == pytest.approx(RATE - math.log(F / 99.0) / TAU, abs=1e-8)
    assert out.forward_error < 5e-4  # with a spread, what the least step between prices leaves
    assert out.forward_error < 1e-6 or half > 0.0
    assert out.pairs_used == 21
    assert math.isnan(out.scale) == (half == 0.0)


def tukey_again(quotes, fit):
    """Root of the same loss by a general minimiser, errors from matrices: F, D and their errors."""
    K, cb, ca, pb, pa = quotes
    usable = np.isin(fit.fates, (PairFate.USED, PairFate.OUTLIER, PairFate.EXCLUDES))
    y = 0.5 * (cb + ca - pb - pa)[usable]
    e = np.sqrt(((ca - cb) ** 2 + (pa - pb) ** 2) / 12.0)[usable]
    X = np.column_stack([np.ones(y.size), F - K[usable]]) / e[:, None] / fit.scale

    def loss(theta):
        t = np.maximum(1.0 - ((y / e / fit.scale - X @ theta) / TUKEY) ** 2, 0.0)
        return np.sum(1.0 - t**3)

    start = np.array([fit.discount * (fit.forward - F), fit.discount])
    options = {"xatol": 1e-11, "fatol": 1e-15, "maxiter": 4000}
    found = minimize(loss, start + 1e-3, method="Nelder-Mead", options=options).x
    v = ((y / e / fit.scale - X @ found) / TUKEY) ** 2
    t = np.maximum(1.0 - v, 0.0)
    H = X.T @ ((t * (1.0 - 5.0 * v))[:, None] * X)
    W = X * t[:, None]
    leverage = np.einsum("ij,jk,ik->i", W, np.linalg.inv(W.T @ W), W)
    psi = TUKEY * np.sqrt(v) * t**2 / (1.0 - leverage)
    V = np.linalg.inv(H) @ (X.T @ (psi[:, None] ** 2 * X)) @ np.linalg.inv(H)
    f = found[0] / found[1]
    gradient = np.array([1.0, -f]) / found[1]
    return F + f, found[1], math.sqrt(gradient @ V @ gradient), math.sqrt(V[1, 1])


@pytest.mark.parametrize("seed", range(5))
def test_fit_and_errors_done_again_by_a_general_minimiser(seed):
    quotes = chain(np.random.default_rng([1, seed]))
    fit = forward_from_parity(*quotes, tau=TAU)
    forward, discount, forward_error, discount_error = tukey_again(quotes, fit)
    assert fit.forward == pytest.approx(forward, abs=1e-6)
    assert fit.discount == pytest.approx(discount, abs=1e-6)
    assert fit.forward_error == pytest.approx(forward_error, rel=1e-4)
    assert fit.discount_error == pytest.approx(discount_error, rel=1e-4)
    assert fit.upper - fit.lower > 2 * 1.96 * fit.forward_error
    assert fit.rate_error == pytest.approx(fit.discount_error / fit.discount / TAU)


def coverage(n_chains, seed, **law):
    """Shares of 95% intervals that hold F and D."""
    rng = np.random.default_rng(seed)
    held = np.zeros(2)
    for _ in range(n_chains):
        fit = forward_from_parity(*chain(rng, **law), tau=TAU)
        t = (fit.upper - fit.forward) / fit.forward_error
        held += fit.lower <= F <= fit.upper, abs(fit.discount - DISCOUNT) <= t * fit.discount_error
    return held / n_chains


LAWS = {
    "as-stated": {},
    "none-stale": {"stale": 0.0},
    "three-tenths-stale": {"stale": 0.3},
    "n12": {"n": 12},
    "n20": {"n": 20},
    "n200": {"n": 200},
    "normal": {"normal": True},
    "mids-better-than-spreads": {"shown": 0.3},
    "five-cent-ticks": {"tick": 0.05},
}


@pytest.mark.parametrize(
    "n_chains", [1500, pytest.param(20_000, marks=pytest.mark.slow)], ids=["quick", "many"]
)
@pytest.mark.parametrize("law", LAWS.values(), ids=LAWS.keys())
def test_intervals_cover(law, n_chains):
    """95% intervals of F and D hold them 93 to 97% of the time (20,000: standard error .15%)."""
    held = coverage(n_chains, 3, **law)
    assert np.all((held >= 0.93) & (held <= 0.97)), held


def coarse(rng, forward, *, n, shown, tick=0.1):
    """Strikes one apart, a tick as large as the half spreads: mids on few values, as of coins."""
    K = F + np.arange(n) - n // 2
    gap = DISCOUNT * (forward - K)
    puts = 6.0 - 0.5 * gap + 0.02 * (K - F) ** 2
    sides = []
    for price in (puts + gap, puts):
        half = tick * rng.uniform(0.3, 1.5, n)
        mid = price + shown * half * rng.uniform(-1.0, 1.0, n)
        sides.append(np.floor((mid - half) / tick) * tick)
        sides.append(np.ceil((mid + half) / tick) * tick)
    return K, *sides


@pytest.mark.parametrize("n", [9, 13, 30])
@pytest.mark.parametrize(
    ("shown", "least"), [(0.5, 0.93), (0.0, 0.90)], ids=["mids-vary", "mids-of-rounding"]
)
def test_intervals_cover_where_ticks_are_coarse(n, shown, least):
    """Half of the mids on one line by accident is no certainty: without the tick 31 to 89% held.

    Where rounding is all there is, it is no noise but a pattern: between 90 and 99%.
    """
    rng = np.random.default_rng(9)
    held, fitted = np.zeros(2), 0
    for _ in range(600):
        forward = F + rng.uniform(-0.5, 0.5)
        fit = forward_from_parity(*coarse(rng, forward, n=n, shown=shown), tau=TAU)
        if fit.status is not Status.OK:
            continue
        fitted += 1
        assert fit.scale > 0.05
        t = (fit.upper - fit.forward) / fit.forward_error
        held += (
            fit.lower <= forward <= fit.upper,
            abs(fit.discount - DISCOUNT) <= t * fit.discount_error,
        )
    assert fitted > 580
    assert np.all((held >= least * fitted) & (held <= 0.99 * fitted)), held / fitted


@pytest.mark.parametrize("far", [1.0, 10.0, 1e6])
def test_stale_strikes_do_not_move_it(far):
    """18 of 60 strikes, the same quotes but for them: moved by less than the interval's half."""
    rng = np.random.default_rng(4)
    K, *sides = chain(rng, stale=0.0)
    base = forward_from_parity(K, *sides, tau=TAU)
    usable = np.flatnonzero(base.fates == PairFate.USED)
    old = rng.permutation(usable)[: round(0.3 * usable.size)]
    dear = far * (1.0 + sides[1] - sides[0])[old]
    for side in sides[:2]:
        side[old] += dear
    moved = forward_from_parity(K, *sides, tau=TAU)
    assert moved.status is Status.OK
    assert np.all(moved.fates[old] == PairFate.EXCLUDES)
    assert abs(moved.forward - base.forward) < base.upper - base.forward
    assert abs(moved.discount - base.discount) < 2.0 * base.discount_error


@pytest.mark.parametrize("first", [0, 6, 12])
def test_breakdown_is_just_under_one_half(first):
    """9 of 21 strikes in a row on a line of their own, with another forward: the 12 are found."""
    K, cb, ca, pb, pa = clean()
    other = slice(first, first + 9)
    cb[other] += 7.0
    ca[other] += 7.0
    out = forward_from_parity(K, cb, ca, pb, pa, tau=TAU)
    assert out.forward == pytest.approx(F, abs=1e-9)
    assert np.flatnonzero(out.fates == PairFate.EXCLUDES).tolist() == list(range(first, first + 9))
    assert out.status is Status.NOT_RESOLVED  # 43% of the quotes say otherwise


def test_many_wide_quotes_do_not_outvote_few_narrow_ones():
    """30 of 41 calls are 40 wide, mids 12 off, as in some index minis: they hold any line."""
    K, cb, ca, pb, pa = clean(41)
    cb, ca = cb + 20.0, ca + 20.0
    pb, pa = pb + 20.0, pa + 20.0
    wide = np.arange(41) < 30
    cb[wide] -= 8.0 - np.arange(30) / 60
    ca[wide] += 32.0 + np.arange(30) / 60
    out = forward_from_parity(K, cb, ca, pb, pa, tau=TAU, rate=RATE)
    assert out.status is Status.OK
    assert out.forward == pytest.approx(F, abs=0.01)
    assert not np.any(out.fates == PairFate.EXCLUDES)


def test_every_unusable_pair_has_its_name():
    K, cb, ca, pb, pa = clean()
    cb[0] = math.nan
    pb[1], pa[1] = pa[1], pb[1] - 0.2
    cb[2] = 0.0
    pb[3] = -0.01
    cb[4], ca[4] = cb[4] + 3.0, ca[4] + 3.0
    out = forward_from_parity(K, cb, ca, pb, pa, tau=TAU)
    named = [PairFate.MISSING, PairFate.CROSSED, PairFate.ZERO_BID, PairFate.NEGATIVE]
    assert out.fates[:5].tolist() == [*named, PairFate.EXCLUDES]
    assert np.all(out.fates[5:] == PairFate.USED)
    assert out.pairs_used == 16
    assert np.all((out.weights > 0.0) == (out.fates == PairFate.USED))
    assert out.forward == pytest.approx(F, abs=1e-9)


def test_money_units_and_shifted_strikes():
    """Prices in another currency scale F and leave D; K + c with the same prices moves F by c."""
    quotes = chain(np.random.default_rng(5))
    base = forward_from_parity(*quotes, tau=TAU)
    cents = forward_from_parity(*(100.0 * side for side in quotes), tau=TAU)
    assert cents.forward == pytest.approx(100.0 * base.forward, rel=1e-10)
    assert cents.forward_error == pytest.approx(100.0 * base.forward_error, rel=1e-6)
    assert cents.discount == pytest.approx(base.discount, rel=1e-10)
    moved = forward_from_parity(quotes[0] + 30.0, *quotes[1:], tau=TAU)
    assert moved.forward == pytest.approx(base.forward + 30.0, rel=1e-10)


def test_one_pair_and_a_rate():
    """F = K + (C - P) / D; its error from the spreads and from the discount, by hand."""
    K, cb, ca, pb, pa = (side[8:9] for side in clean())
    out = forward_from_parity(K, cb, ca, pb, pa, tau=TAU, rate=RATE, rate_error=0.01)
    assert out.status is Status.TOO_FEW
    assert out.source is ForwardSource.PARITY_AND_PRIORS
    assert out.forward == pytest.approx(F, abs=1e-9)
    assert out.rate == pytest.approx(RATE, abs=1e-9)
    assert out.rate_error == pytest.approx(0.01, rel=1e-9)
    assert out.rate_share == pytest.approx(1.0)
    quotes = math.hypot(0.05, 0.05) / math.sqrt(3.0) / DISCOUNT
    bond = (F - K[0]) * 0.01 * TAU
    assert out.forward_error == pytest.approx(math.hypot(quotes, bond), rel=1e-9)


def test_one_pair_and_a_spot():
    """D = (a - y) / K from the prepaid forward a = S e^{-q tau} - dividends, F = a / D."""
    K, cb, ca, pb, pa = (side[8:9] for side in clean())
    spot = (DISCOUNT * F + 0.4) * math.exp(0.02 * TAU)
    out = forward_from_parity(
        K, cb, ca, pb, pa, tau=TAU, spot=spot, dividend_yield=0.02,
        dividends=0.4 * math.exp(0.0), spot_error=0.01,
    )  # fmt: skip
    assert out.forward == pytest.approx(F, abs=1e-6)
    assert out.discount == pytest.approx(DISCOUNT, abs=1e-8)


@pytest.mark.parametrize("side", ["puts", "calls"])
def test_one_side_missing_leaves_the_carry(side):
    K, cb, ca, pb, pa = clean()
    nan = np.full(K.size, math.nan)
    quotes = (K, nan, nan, pb, pa) if side == "puts" else (K, cb, ca, nan, nan)
    out = forward_from_parity(
        *quotes, tau=0.5, spot=100.0, spot_error=0.1, rate=0.04, rate_error=0.002,
        dividend_yield=0.01, dividend_yield_error=0.003,
    )  # fmt: skip
    assert (out.status, out.source) == (Status.TOO_FEW, ForwardSource.CARRY)
    assert out.forward == pytest.approx(100.0 * math.exp(0.03 * 0.5), rel=1e-12)
    want = math.hypot(0.1 / (100.0 * math.exp(-0.005)), 0.5 * 0.002)
    want = math.hypot(want, 0.5 * 0.003 / math.exp(-0.005))
    assert out.forward_error / out.forward == pytest.approx(want, rel=1e-9)
    assert out.pairs_used == 0
    assert np.all(out.fates == PairFate.MISSING)


def test_nothing_to_go_by_is_not_identified():
    K, cb, ca, pb, pa = clean()
    nan = np.full(K.size, math.nan)
    empty = np.empty(0)
    refused = [
        forward_from_parity(K, cb, ca, nan, nan, tau=TAU),
        forward_from_parity(K, cb, ca, nan, nan, tau=TAU, rate=RATE),
        forward_from_parity(K, cb, ca, nan, nan, tau=TAU, spot=100.0),
        forward_from_parity(K[:1], cb[:1], ca[:1], pb[:1], pa[:1], tau=TAU),
        forward_from_parity(empty, empty, empty, empty, empty, tau=TAU),
        forward_from_parity(K, ca, cb, pa, pb, tau=TAU),  # all crossed
        forward_from_parity(K, pb, pa, cb, ca, tau=TAU),  # calls and puts exchanged
        forward_from_parity(K, cb * 0 + 3, cb * 0 + 4, cb * 0 + 3, cb * 0 + 4, tau=TAU),  # constant
    ]
    for out in refused:
        assert out.status is Status.NOT_IDENTIFIED
        assert out.source is ForwardSource.NONE
        numbers = (out.forward, out.lower, out.upper, out.forward_error, out.discount, out.rate)
        assert all(math.isnan(number) for number in numbers)


def test_no_parity_is_said():
    """Prices drawn at random, and a discount of a rate surely under -5%, keep a reservation."""
    rng = np.random.default_rng(6)
    K = np.linspace(80.0, 120.0, 41)
    mid = rng.uniform(5.0, 60.0, (2, 41)) + np.array([-K, K])
    mid -= mid.min() - 1.0
    noise = forward_from_parity(K, mid[0] - 0.1, mid[0] + 0.1, mid[1] - 0.1, mid[1] + 0.1, tau=TAU)
    assert noise.status in {Status.NOT_RESOLVED, Status.NOT_IDENTIFIED}
    calls, puts = 60.0 + 1.02 * (F - K), np.full(41, 60.0)
    steep = forward_from_parity(K, calls - 0.1, calls + 0.1, puts - 0.1, puts + 0.1, tau=TAU)
    assert steep.status is Status.NOT_RESOLVED
    assert steep.discount == pytest.approx(1.02)


def test_few_pairs_take_their_error_from_the_spreads():
    K, cb, ca, pb, pa = (side[8:13] for side in clean())
    out = forward_from_parity(K, cb, ca, pb, pa, tau=TAU)
    assert (out.status, out.pairs_used, out.scale) == (Status.TOO_FEW, 5, 1.0)
    e = math.hypot(0.05, 0.05) / math.sqrt(3.0)
    X = np.column_stack([np.ones(5), F - K]) / e
    V = np.linalg.inv(X.T @ X)
    assert out.forward_error == pytest.approx(math.sqrt(V[0, 0]) / DISCOUNT, rel=1e-9)
    assert out.discount_error == pytest.approx(math.sqrt(V[1, 1]), rel=1e-9)
    two_points = forward_from_parity(K[:2], ca[:2], ca[:2], pa[:2], pa[:2], tau=TAU)
    assert two_points.forward == pytest.approx(F, abs=1e-9)
    assert math.isnan(two_points.forward_error)


def test_a_rate_is_all_a_short_chain_knows_of_its_discount():
    """Five strikes a dollar apart, ten days: D alone is worth +-80% a year, F is not hurt."""
    K = np.arange(98.0, 103.0)
    calls, puts = fair(K)
    quotes = (K, calls - 0.05, calls + 0.05, puts - 0.05, puts + 0.05)
    alone = forward_from_parity(*quotes, tau=TAU)
    given = forward_from_parity(*quotes, tau=TAU, rate=0.04)
    assert alone.rate_error > 0.3
    assert alone.rate_share == 0.0
    assert given.rate_share > 0.99
    assert given.rate == pytest.approx(0.04, abs=1e-3)
    assert given.forward == pytest.approx(alone.forward, abs=0.1 * alone.forward_error)


def test_european_prices_are_quotes_of_their_errors():
    K, cb, ca, pb, pa = chain(np.random.default_rng(7), stale=0.0)
    keep = (cb > 0.0) & (pb > 0.0)
    K, cb, ca, pb, pa = (side[keep] for side in (K, cb, ca, pb, pa))
    sd = 1.0 / math.sqrt(12.0)
    quoted = forward_from_parity(K, cb, ca, pb, pa, tau=TAU)
    priced = forward_from_european(
        K, (cb + ca) / 2, (pb + pa) / 2, call_errors=(ca - cb) * sd, put_errors=(pa - pb) * sd,
        tau=TAU,
    )  # fmt: skip
    for name in ("forward", "forward_error", "discount", "discount_error", "scale"):
        assert getattr(priced, name) == pytest.approx(getattr(quoted, name), rel=1e-7), name


def test_bad_input_is_named():
    K, cb, ca, pb, pa = clean()
    twice = K.copy()
    twice[4] = twice[3]
    for strikes, said in ((twice, "row 5"), (K[::-1], "row 2"), (K - 80.0, "row 1")):
        with pytest.raises(InputError, match=said):
            forward_from_parity(strikes, cb, ca, pb, pa, tau=TAU)
    with pytest.raises(InputError, match="shape"):
        forward_from_parity(K, cb[1:], ca, pb, pa, tau=TAU)
    with pytest.raises(InputError, match="array of numbers"):
        forward_from_parity(K, ["a"] * K.size, ca, pb, pa, tau=TAU)
    for wrong in (
        {"tau": 0.0},
        {"tau": -1.0},
        {"tau": math.nan},
        {"tau": 1.0, "spot": 0.0},
        {"tau": 1.0, "spot": 1.0, "dividends": 2.0},
        {"tau": 1.0, "rate": 0.1, "rate_error": 0.0},
        {"tau": 1.0, "near_money": 0.0},
        {"tau": 1.0, "level": 95.0},
    ):
        with pytest.raises(InputError):
            forward_from_parity(K, cb, ca, pb, pa, **wrong)
