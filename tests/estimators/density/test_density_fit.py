"""One fit by second roads: dense algebra, differenced prices, drawn smiles; what must not matter.

Quotes are simulated; the fits' numbers are asked of the formulas again in numpy (density_worlds).
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.optimize import minimize

from estimators.density.density_worlds import (
    NAMES,
    TRUTHS,
    black,
    chain_of,
    fitted,
    plain_columns,
    plain_law,
    prior,
    quotes_of,
)
from eventtape.arrays import Status
from eventtape.errors import InputError
from eventtape.estimators.density.density_quantities import density_at
from eventtape.estimators.density.fit import fit_density
from eventtape.estimators.density.smile_evidence import PRIORS
from eventtape.estimators.density.smile_observations import QuoteFate
from eventtape.simulate.option_chain import option_chain


def plain_of(chain, density, **options):
    known = {"forward": chain.forward, "discount": chain.discount, "tick": 0.01} | options
    return plain_law(
        density.hyper, density.smile.coefficients.size + 1, chain.strikes, chain.is_call,
        quotes_of(chain),
        tau=chain.tau, at=density.strikes, **known,
    )  # fmt: skip


@pytest.mark.parametrize("weight", ["fitted", "mid", "microprice"])
@pytest.mark.parametrize("name", NAMES)
def test_law_is_the_regressions_own(name, weight):
    """QR, root finding and cosines against the kernels, at the hyper-parameters found: 1e-9."""
    chain = chain_of(name, 3)
    density = fitted(chain, size_weight=weight)
    plain = plain_of(chain, density)
    peak = density.pdf.max()
    assert np.abs(plain.pdf - density.pdf).max() < 1e-9 * peak
    assert np.abs(plain.cdf - density.cdf).max() < 1e-9
    assert np.abs(plain.vol - density.vol).max() < 1e-9
    assert np.abs(plain.vol_error - density.vol_error).max() < 1e-8 * density.vol_error.max()
    assert density.report.size_weight == pytest.approx(plain.coefficients[-1], abs=1e-8)
    misses = plain.y - plain.coefficients @ plain.columns
    scaled = misses / (np.sqrt(plain.R) * math.exp(density.hyper.theta[2]))
    assert density.report.misfit == pytest.approx(math.sqrt(np.mean(scaled**2)), rel=1e-7)
    assert density.report.quotes_used == plain.y.size


def dense_objective(theta, plain, hyper):
    """Minus log posterior of theta from the n by n covariance, as a textbook writes it."""
    lam = prior(theta, hyper.half, plain.columns.shape[0], hyper.lean_variance)
    cov = math.exp(2.0 * theta[2]) * np.diag(plain.R) + (plain.columns.T * lam) @ plain.columns
    sign, logs = np.linalg.slogdet(cov)
    assert sign > 0.0
    gap = plain.y - hyper.lean * plain.columns[-1]
    pull = (np.asarray(theta) - PRIORS[:, 0]) / PRIORS[:, 1]
    return 0.5 * gap @ np.linalg.solve(cov, gap) + 0.5 * logs + 0.5 * pull @ pull


@pytest.mark.parametrize("name", NAMES)
def test_hyper_parameters_are_at_the_maximum_of_the_dense_evidence(name):
    """A search without slopes, from two starts, gains no more than a thousandth of a nat."""
    chain = chain_of(name, 1)
    density = fitted(chain)
    plain, hyper = plain_of(chain, density), density.hyper
    found = dense_objective(hyper.theta, plain, hyper)
    for start in (PRIORS[:, 0], hyper.theta + np.array([0.1, -0.2, 0.1])):
        best = minimize(dense_objective, start, (plain, hyper), method="Nelder-Mead")
        assert best.success
        assert found - best.fun < 1e-3
    assert dense_objective(hyper.theta + np.array([0.1, 0.0, 0.0]), plain, hyper) > found + 1e-3


@pytest.mark.parametrize("name", NAMES)
def test_density_is_the_second_difference_of_prices(name):
    """Breeden and Litzenberger as they wrote it, on calls at the fitted volatilities."""
    density = fitted(chain_of(name, 2))
    F, h = density.forward, 1e-3
    K = np.linspace(75.0, 125.0, 41)
    calls = [
        black(F, K + s * h, density_at(density.smile, K + s * h).vol * math.sqrt(density.tau), True)
        for s in (-1, 0, 1)
    ]
    at = density_at(density.smile, K)
    # Rounding of 1e-14 in a price is 2e-8 in its second difference
    assert np.abs((calls[0] - 2.0 * calls[1] + calls[2]) / h**2 - at.pdf).max() < 1e-7
    assert np.abs(1.0 + (calls[2] - calls[0]) / (2.0 * h) - at.cdf).max() < 1e-9


@pytest.mark.parametrize("name", NAMES)
def test_density_is_a_law_with_the_forward_as_mean(name):
    density = fitted(chain_of(name, 4))
    K, f = density.strikes, density.pdf
    fine = np.exp(np.linspace(math.log(K[0]), math.log(K[-1]), 20_001))
    f = density_at(density.smile, fine).pdf
    assert np.trapezoid(f, fine) == pytest.approx(1.0, abs=1e-7)
    assert np.trapezoid(f * fine, fine) == pytest.approx(density.forward, abs=1e-5)
    built = np.concatenate([[0.0], np.cumsum(0.5 * (f[1:] + f[:-1]) * np.diff(fine))])
    assert np.abs(built - density_at(density.smile, fine).cdf).max() < 1e-7


def test_errors_are_the_spread_of_drawn_smiles():
    """20,000 smiles from the posterior: their spread is the error (delta method: first order)."""
    density = fitted(chain_of("skewed", 5))
    smile, rng = density.smile, np.random.default_rng(7)
    K = np.linspace(80.0, 115.0, 15)
    draws = smile.coefficients + rng.standard_normal((20_000, smile.factor.shape[0])) @ smile.factor
    k = np.log(K / smile.forward)
    f, f1, f2 = plain_columns(k / smile.reference, smile.centre, smile.half, draws.shape[1])
    v, v1, v2 = smile.reference * (1.0 + draws @ f), draws @ f1, draws @ f2 / smile.reference
    d2 = -k / v - 0.5 * v
    phi = np.exp(-0.5 * d2**2) / math.sqrt(2.0 * math.pi)
    pdf = phi * ((1.0 - k * v1 / v) ** 2 - 0.25 * (v * v1) ** 2 + v * v2) / (K * v)
    at = density_at(smile, K)
    # A spread of 20,000 draws is known to half a percent; the largest of 15 to 2%
    assert np.std(pdf, axis=0) == pytest.approx(at.pdf_error, rel=0.03)
    assert np.std(v, axis=0) / math.sqrt(density.tau) == pytest.approx(at.vol_error, rel=0.03)


@pytest.mark.parametrize("name", ["bimodal", "skewed"])
def test_forwards_error_enters_at_a_smile_of_log_moneyness(name):
    """The same smile at forwards a little up and down: what it moves adds in squares."""
    density = fitted(chain_of(name, 6))
    smile, e, h = density.smile, 0.05, 1e-3
    K = density.strikes[20:181]
    sure, unsure = density_at(smile, K), density_at(smile._replace(forward_error=e), K)
    up, down = (density_at(smile._replace(forward=smile.forward + s * h), K) for s in (1, -1))
    for part in ("pdf", "cdf", "vol"):
        slope = (getattr(up, part) - getattr(down, part)) / (2.0 * h)
        was, now = (getattr(x, f"{part}_error") for x in (sure, unsure))
        wanted = np.hypot(was, e * slope)
        assert np.abs(now - wanted).max() < 1e-4 * wanted.max()
    given = fitted(chain_of(name, 6), forward_error=e)
    assert np.array_equal(given.pdf, density.pdf)
    assert (given.cdf_error[60:140] > density.cdf_error[60:140]).all()


def test_default_grid_and_strikes_asked_for_are_one_law():
    chain = chain_of("kou", 0)
    density = fitted(chain)
    again = fitted(chain, at=density.strikes[40:160])
    for part in ("pdf", "cdf", "vol", "pdf_error", "cdf_error", "vol_error"):
        assert getattr(again, part) == pytest.approx(getattr(density, part)[40:160], rel=1e-12)
    elsewhere = density_at(density.smile, density.strikes)
    assert elsewhere.pdf == pytest.approx(density.pdf, rel=1e-12, abs=1e-300)


def test_order_of_quotes_does_not_matter():
    chain = chain_of("heston", 0)
    shuffled = np.random.default_rng(3).permutation(chain.strikes.size)
    mixed = chain._replace(**{
        part: getattr(chain, part)[shuffled]
        for part in ("strikes", "is_call", "bids", "asks", "bid_sizes", "ask_sizes")
    })  # fmt: skip
    for known in ({}, {"forward": None, "discount": None}):
        density, again = fitted(chain, **known), fitted(mixed, **known)
        # Sorted columns may run another compiled variant of a kernel: sums differ in rounding
        assert np.abs(again.pdf - density.pdf).max() < 1e-10 * density.pdf.max()
        assert again.cdf_error == pytest.approx(density.cdf_error, rel=1e-8, abs=1e-12)
        assert np.array_equal(again.report.fates, density.report.fates[shuffled])


@pytest.mark.parametrize("scale", [1e4, 1e-3])
@pytest.mark.parametrize("parity", [False, True])
def test_unit_of_price_does_not_matter(scale, parity):
    """Prices in other units: 1e-3 makes ticks of 1e-5, 1e4 an index in yen."""
    chain = chain_of("skewed", 2)
    big = chain._replace(
        strikes=chain.strikes * scale, bids=chain.bids * scale, asks=chain.asks * scale,
        forward=chain.forward * scale,
    )  # fmt: skip
    known = {"forward": None, "discount": None} if parity else {}
    density = fitted(chain, tick=0.01, **known)
    scaled = fitted(big, tick=0.01 * scale, **known)
    peak = density.pdf.max()
    assert scaled.forward == pytest.approx(density.forward * scale, rel=1e-12)
    assert scaled.strikes == pytest.approx(density.strikes * scale, rel=1e-9)
    assert np.abs(scaled.pdf * scale - density.pdf).max() < 1e-9 * peak
    assert scaled.pdf_error * scale == pytest.approx(density.pdf_error, rel=1e-6, abs=1e-9 * peak)
    assert scaled.vol == pytest.approx(density.vol, rel=1e-9)


def test_inferred_tick_is_scaled_too():
    chain = chain_of("skewed", 2)
    density = fitted(chain._replace(
        strikes=chain.strikes * 1e-3, bids=chain.bids * 1e-3, asks=chain.asks * 1e-3,
        forward=chain.forward * 1e-3,
    ))  # fmt: skip
    assert np.abs(density.pdf * 1e-3 - fitted(chain).pdf).max() < 1e-9 * density.pdf.max() * 1e-3


def test_discount_divides_prices_and_nothing_else():
    """Premiums times D at discount D; ticks and spreads too, so that nothing is rounded anew."""
    chain, D = chain_of("mixture", 0), 0.9
    paid = chain._replace(bids=chain.bids * D, asks=chain.asks * D, discount=D)
    density, discounted = fitted(chain, tick=0.01), fitted(paid, tick=0.01 * D)
    assert discounted.pdf == pytest.approx(density.pdf, rel=1e-8, abs=1e-11)
    assert discounted.discount == D
    by_rate = fitted(paid, tick=0.01 * D, discount=None, rate=-math.log(D) / chain.tau)
    assert by_rate.pdf == pytest.approx(discounted.pdf, rel=1e-8, abs=1e-11)


def test_parity_finds_forward_and_discount():
    chain = option_chain(TRUTHS["kou"], seed=1, displacement=0.4, discount=0.99)
    free = fitted(chain, forward=None, discount=None)
    assert abs(free.forward - 100.0) < 4.0 * free.forward_error
    assert free.forward_error < 0.02
    assert free.discount == pytest.approx(0.99, abs=2e-3)
    spoken = fitted(chain, forward=None, discount=0.99)
    assert spoken.discount == 0.99
    assert abs(spoken.forward - 100.0) < 4.0 * spoken.forward_error


@pytest.mark.parametrize("right", [True, False], ids=["calls", "puts"])
@pytest.mark.parametrize("name", NAMES)
def test_one_right_alone_will_do_with_a_forward(name, right):
    """In-the-money quotes a standard deviation out are not used, so one side's wing is unquoted."""
    chain = chain_of(name, 0)
    on = chain.is_call == right
    density = fit_density(
        chain.strikes[on], right, chain.bids[on], chain.asks[on], chain.bid_sizes[on],
        chain.ask_sizes[on], tau=chain.tau, forward=100.0,
    )  # fmt: skip
    assert density.status is Status.OK
    fates = density.report.fates
    sd = density.hyper.reference
    x = np.log(chain.strikes[on] / 100.0) / sd
    deep = (x < -1.0) if right else (x > 1.0)
    quoted = chain.bids[on] > 0.0
    left_out = (QuoteFate.IN_THE_MONEY, QuoteFate.NO_VOLATILITY)  # or a mid under F - K
    assert np.isin(fates[deep & quoted], left_out).all()
    assert np.count_nonzero(fates == QuoteFate.USED) == density.report.quotes_used
    K = np.linspace(100.0, 115.0, 16) if right else np.linspace(85.0, 100.0, 16)
    at = density_at(density.smile, K)
    truth = TRUTHS[name].pdf(K)
    assert np.abs(at.pdf - truth).max() < 0.06 * truth.max()
    lost = density.tails.mass_below_error if right else density.tails.mass_above_error
    assert lost > 5.0 * (
        density.tails.mass_above_error if right else density.tails.mass_below_error
    )


def test_without_a_forward_one_right_alone_will_not_do():
    chain = chain_of("mixture", 0)
    on = chain.is_call
    none = fit_density(chain.strikes[on], True, chain.bids[on], chain.asks[on], tau=chain.tau)
    assert none.status is Status.NOT_IDENTIFIED
    assert np.isnan(none.pdf).all()


def test_negative_mass_is_said_and_not_clipped():
    """Vogt's SVI smile (Gatheral and Jacquier 2014), g < 0 on (0.642, 1.257), quoted tight."""
    k = np.linspace(-1.0, 1.6, 105)
    gap = k - 0.3586
    w = -0.0410 + 0.1331 * (0.3060 * gap + np.hypot(gap, 0.4153))
    K, call = 100.0 * np.exp(k), k >= 0.0
    price = black(100.0, K, np.sqrt(w), call)
    density = fit_density(
        K, call, price * (1.0 - 1e-4), price * (1.0 + 1e-4), tau=1.0, forward=100.0, tick=1e-9
    )
    assert density.status is Status.OK
    assert (density_at(density.smile, 100.0 * np.exp([0.7, 0.88, 1.2])).pdf < 0.0).all()
    assert (density_at(density.smile, 100.0 * np.exp([0.2, 0.5, 0.6])).pdf > 0.0).all()
    fine = np.exp(np.linspace(*np.log(density.strikes[[0, -1]]), 200_001))
    f = density_at(density.smile, fine).pdf
    assert density.negative_mass == pytest.approx(-np.trapezoid(np.minimum(f, 0.0), fine), rel=0.1)


def test_tails_say_what_no_quote_covers():
    density = fitted(chain_of("kou", 0))
    used = chain_of("kou", 0).strikes[density.report.fates == QuoteFate.USED]
    assert density.tails.low_strike == used.min()
    assert density.tails.high_strike == used.max()
    at = density_at(density.smile, [used.min(), used.max()])
    assert density.tails.mass_below == pytest.approx(at.cdf[0], rel=1e-9)
    assert density.tails.mass_above == pytest.approx(1.0 - at.cdf[1], rel=1e-9)
    assert density.tails.mass_above_error == pytest.approx(at.cdf_error[1], rel=1e-9)


@pytest.mark.parametrize(
    ("options", "column"),
    [
        ({"size_weight": "last"}, "size_weight"),
        ({"forward": -1.0}, "forward"),
        ({"forward": math.nan}, "forward"),
        ({"forward_error": -0.1}, "forward_error"),
        ({"discount": 0.0}, "discount"),
        ({"spot": math.inf}, "spot"),
        ({"at": [3.0, 2.0]}, "at"),
        ({"at": [-1.0, 2.0]}, "at"),
        ({"at": []}, "at"),
    ],
    ids=lambda x: x if isinstance(x, str) else None,
)
def test_options_are_checked_at_the_door(options, column):
    with pytest.raises(InputError) as raised:
        fitted(chain_of(), **options)
    assert raised.value.column == column


@pytest.mark.parametrize(
    "options",
    [
        {"tick": -0.01},
        {"tick": math.nan},
        {"tick": math.inf},
        {"discount": None, "rate": math.nan},
        {"forward": None, "discount": None, "rate": math.inf},
        {"at": [90.0, math.inf]},
    ],
    ids=["tick -0.01", "tick nan", "tick inf", "rate nan", "rate inf", "at inf"],
)
def test_options_that_are_no_numbers_are_errors(options):
    with pytest.raises(InputError):
        fitted(chain_of(), **options)


def test_text_is_an_error_that_names_the_column():
    with pytest.raises(InputError, match="number"):
        fit_density(["a"], [True], [1.0], [1.1], tau=0.1)


def test_without_sizes_there_is_no_weight_of_sizes():
    chain = chain_of()
    density = fit_density(
        chain.strikes, chain.is_call, chain.bids, chain.asks, tau=chain.tau, forward=100.0
    )
    assert density.status is Status.OK
    assert math.isnan(density.report.size_weight)
