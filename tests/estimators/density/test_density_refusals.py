"""Bad chains: each a status, a fate or an error that names the place, never a likely density."""

from __future__ import annotations

import math

import numpy as np
import pytest

from estimators.density.density_worlds import NAMES, TRUTHS, chain_of, fitted, quotes_of
from eventtape.arrays import Status
from eventtape.errors import InputError
from eventtape.estimators.density.density_quantities import density_at
from eventtape.estimators.density.fit import fit_density
from eventtape.estimators.density.smile_observations import QuoteFate

CHAIN = chain_of("mixture", 0)
GOOD = fitted(CHAIN)
PEAK = GOOD.pdf.max()
TWO_SEEDS = [0, 1]


def refused(density, *statuses):
    """Everything is NaN and the status is one of those."""
    assert density.status in statuses, density.status
    parts = ("pdf", "cdf", "vol", "pdf_error", "cdf_error", "vol_error")
    assert all(np.isnan(getattr(density, part)).all() for part in parts)
    assert math.isnan(density.negative_mass)
    assert np.isnan(density.tails).all()
    assert density.smile.coefficients.size == 0
    return True


def with_quotes(quotes, **options):
    bids, asks, bid_sizes, ask_sizes = quotes
    known = {"forward": 100.0} | options
    return fit_density(
        CHAIN.strikes, CHAIN.is_call, bids, asks, bid_sizes, ask_sizes, tau=CHAIN.tau, **known
    )


def changed(row, column, value):
    quotes = quotes_of(CHAIN)
    quotes[row, column] = value
    return quotes


AT = int(np.flatnonzero((CHAIN.strikes > 104.0) & CHAIN.is_call)[0])  # a call out of the money


def crossed():
    quotes = quotes_of(CHAIN)
    quotes[:2, AT] = quotes[[1, 0], AT]
    return quotes


@pytest.mark.parametrize(
    ("quotes", "fate"),
    [
        (crossed(), QuoteFate.CROSSED),
        (changed(0, AT, 0.0), QuoteFate.ZERO_BID),
        (changed(0, AT, math.nan), QuoteFate.ONE_SIDED),
        (changed(1, AT, math.nan), QuoteFate.ONE_SIDED),
        (changed(1, AT, math.inf), QuoteFate.ONE_SIDED),
        (changed(0, AT, -0.5), QuoteFate.NEGATIVE),
        (changed(slice(0, 2), AT, math.nan), QuoteFate.MISSING),
        (changed(slice(0, 2), AT, 0.0), QuoteFate.ZERO_BID),
        (changed(slice(0, 2), AT, 150.0), QuoteFate.NO_VOLATILITY),
        (changed(slice(0, 2), AT, [9.0, 9.1]), QuoteFate.OUTLIER),
    ],
    ids=[
        "crossed", "zero bid", "no bid", "no ask", "infinite ask", "negative", "missing",
        "all zero", "above the forward", "absurd",
    ],
)  # fmt: skip
def test_one_bad_quote_is_left_out_by_name(quotes, fate):
    """The others give the density they give without it."""
    density = with_quotes(quotes)
    assert density.status is Status.OK
    assert density.report.fates[AT] == fate
    rest = np.arange(CHAIN.strikes.size) != AT
    assert np.array_equal(density.report.fates[rest], GOOD.report.fates[rest])
    without = with_quotes(changed(slice(0, 2), AT, math.nan))
    # An outlier was there when the noise was first measured
    allowed = 0.02 if fate == QuoteFate.OUTLIER else 1e-12
    assert np.abs(density.pdf - without.pdf).max() < allowed * PEAK


@pytest.mark.parametrize(
    "bad", [0.0, -1.0, math.nan, math.inf], ids=["zero", "minus", "nan", "inf"]
)
def test_a_size_that_is_none_is_read_as_one_draw(bad):
    """The price still counts, with the whole spread as its noise: as where sizes are not told."""
    density = with_quotes(changed(2, AT, bad) if bad != 0.0 else changed(slice(2, 4), AT, 0.0))
    assert density.report.fates[AT] == QuoteFate.USED
    untold = with_quotes(changed(slice(2, 4), AT, math.nan))
    assert density.pdf == pytest.approx(untold.pdf, rel=1e-12, abs=1e-14)
    assert np.abs(density.pdf - GOOD.pdf).max() < 0.02 * PEAK


@pytest.mark.parametrize("parity", [False, True], ids=["forward given", "parity"])
@pytest.mark.parametrize(
    "quotes",
    [
        np.vstack([quotes_of(CHAIN)[1] + 0.01, quotes_of(CHAIN)[0], quotes_of(CHAIN)[2:]]),
        changed(0, slice(None), 0.0),
        changed(slice(0, 2), slice(None), math.nan),
        changed(slice(0, 2), slice(None), 0.0),
        changed(0, slice(None), math.nan),
        -quotes_of(CHAIN),
        changed(slice(0, 2), slice(4, None), math.nan),
    ],
    ids=["crossed", "zero bids", "nothing", "all zero", "one-sided", "negative", "two pairs"],
)
def test_a_chain_of_bad_quotes_has_no_density(quotes, parity):
    wanted = (Status.NOT_IDENTIFIED, Status.TOO_FEW) if parity else (Status.TOO_FEW,)
    density = with_quotes(quotes, **({"forward": None} if parity else {}))
    assert refused(density, *wanted)


@pytest.mark.parametrize("keep", [1, 2, 3, 4])
def test_a_handful_of_quotes_has_no_density(keep):
    """With the forward known: three quotes fit any smile."""
    out = np.flatnonzero((CHAIN.strikes > 100.0) & CHAIN.is_call)[:keep]
    columns = [x[out] for x in (CHAIN.strikes, CHAIN.is_call, *quotes_of(CHAIN))]
    density = fit_density(*columns, tau=CHAIN.tau, forward=100.0)
    assert refused(density, Status.TOO_FEW)
    assert density.report.quotes_used == keep
    assert refused(fit_density(*columns, tau=CHAIN.tau), Status.NOT_IDENTIFIED, Status.TOO_FEW)


@pytest.mark.parametrize("parity", [False, True], ids=["forward given", "parity"])
@pytest.mark.parametrize("price", [0.05, 1.0, 30.0])
def test_one_price_at_all_strikes_has_no_density(price, parity):
    quotes = quotes_of(CHAIN)
    quotes[0], quotes[1] = price - 0.01, price + 0.01
    density = with_quotes(quotes, **({"forward": None} if parity else {}))
    assert refused(density, Status.NOT_IDENTIFIED, Status.TOO_FEW)


def test_the_same_option_twice_names_strike_and_row():
    strikes = CHAIN.strikes.copy()
    strikes[37] = strikes[35]  # both puts or both calls
    with pytest.raises(InputError, match="once") as raised:
        fit_density(strikes, CHAIN.is_call, CHAIN.bids, CHAIN.asks, tau=CHAIN.tau, forward=100.0)
    assert raised.value.column == "strikes"
    assert raised.value.met == strikes[35]
    assert raised.value.row in {36, 38}  # counted from 1


@pytest.mark.parametrize("parity", [False, True], ids=["forward given", "parity"])
@pytest.mark.parametrize("bad", [0.0, -90.0, math.inf, math.nan], ids=["0", "-90", "inf", "nan"])
def test_a_strike_that_is_none_names_its_row(bad, parity):
    strikes = CHAIN.strikes.copy()
    strikes[41] = bad
    known = {} if parity else {"forward": 100.0}
    with pytest.raises(InputError, match="positive") as raised:
        fit_density(strikes, CHAIN.is_call, CHAIN.bids, CHAIN.asks, tau=CHAIN.tau, **known)
    assert raised.value.row == 42  # counted from 1
    assert raised.value.column == "strikes"


@pytest.mark.parametrize("tau", [0.0, -0.1, math.nan, math.inf])
def test_an_expiry_that_is_past_or_none_is_an_error(tau):
    with pytest.raises(InputError, match="years to expiry") as raised:
        fit_density(CHAIN.strikes, CHAIN.is_call, CHAIN.bids, CHAIN.asks, tau=tau, forward=100.0)
    assert raised.value.column == "tau"


@pytest.mark.parametrize(
    ("part", "column"),
    [(0, "strikes"), (1, "is_call"), (2, "bids"), (3, "asks"), (4, "bid_sizes"), (5, "ask_sizes")],
)
def test_columns_of_different_lengths_are_named(part, column):
    columns = [CHAIN.strikes, CHAIN.is_call, *quotes_of(CHAIN)]
    columns[part] = columns[part][:-1]
    with pytest.raises(InputError, match="as many as strikes") as raised:
        fit_density(*columns, tau=CHAIN.tau, forward=100.0)
    assert raised.value.column == ("bids" if column == "strikes" else column)


def test_rights_are_boolean_and_columns_are_columns():
    with pytest.raises(InputError, match="call or put"):
        fit_density(CHAIN.strikes, CHAIN.is_call.astype(int), CHAIN.bids, CHAIN.asks, tau=0.1)
    with pytest.raises(InputError, match="a column of strikes"):
        fit_density([], [], [], [], tau=0.1)
    with pytest.raises(InputError, match="a column of strikes"):
        fit_density([[100.0]], [[True]], [[1.0]], [[1.1]], tau=0.1)


@pytest.mark.parametrize("seed", TWO_SEEDS)
@pytest.mark.parametrize("name", NAMES)
def test_calls_that_do_not_belong_to_the_puts_have_no_density(name, seed):
    """Half the calls are lifted by two: no line holds the pairs within their spreads."""
    chain = chain_of(name, seed)
    lift = np.where(chain.is_call & (np.arange(chain.strikes.size) % 4 == 0), 2.0, 0.0)
    broken = chain._replace(bids=chain.bids + lift, asks=chain.asks + lift)
    assert refused(fitted(broken, forward=None, discount=None), Status.NOT_IDENTIFIED)


@pytest.mark.parametrize("gap", [-3.0, -1.0, 1.0, 3.0])
def test_a_given_forward_that_the_pairs_deny_has_no_density(gap):
    """Calls and puts of one strike, each at its side's volatility, say two things of one law."""
    density = fitted(CHAIN, forward=100.0 + gap)
    assert np.isnan(density.pdf).all()
    assert refused(density, Status.NOT_IDENTIFIED)


def test_calls_lifted_off_the_puts_have_no_density_at_a_given_forward():
    lift = np.where(CHAIN.is_call, 2.0, 0.0)
    broken = CHAIN._replace(bids=CHAIN.bids + lift, asks=CHAIN.asks + lift)
    assert refused(fitted(broken), Status.NOT_IDENTIFIED)


@pytest.mark.parametrize("forward", [1.0, 5.0, 30.0, 60.0, 120.0, 140.0, 200.0, 1e4, 1e9])
def test_a_forward_far_outside_the_strikes_has_no_density(forward):
    assert refused(
        fitted(CHAIN, forward=forward), Status.NOT_IDENTIFIED, Status.TOO_FEW, Status.NO_CONVERGENCE
    )


def test_deep_quotes_alone_have_no_density():
    """In the money by more than a standard deviation: they tell the forward, not the smile."""
    x = np.log(CHAIN.strikes / 100.0) / GOOD.hyper.reference
    deep = np.where(CHAIN.is_call, x < -1.0, x > 1.0)
    columns = [c[deep] for c in (CHAIN.strikes, CHAIN.is_call, *quotes_of(CHAIN))]
    assert refused(fit_density(*columns, tau=CHAIN.tau, forward=100.0), Status.TOO_FEW)


@pytest.mark.parametrize("seed", range(5))
def test_random_prices_have_no_narrow_density(seed):
    """Nothing in them: no density, or one whose bands hold next to anything."""
    rng = np.random.default_rng(seed)
    mid = rng.uniform(0.5, 20.0, CHAIN.strikes.size)
    quotes = np.vstack([mid - 0.05, mid + 0.05, quotes_of(CHAIN)[2:]])
    assert refused(with_quotes(quotes, forward=None), Status.NOT_IDENTIFIED)
    density = with_quotes(quotes)
    if density.status is Status.OK:
        near = np.abs(np.log(density.strikes / 100.0)) < 0.3
        assert np.median(density.pdf_error[near] / np.abs(density.pdf[near])) > 0.3
        assert density.report.noise_scale > 20.0
    else:
        refused(density, Status.NOT_IDENTIFIED, Status.TOO_FEW)


@pytest.mark.parametrize(
    ("factor", "narrowed", "least"),
    [
        (0.1, False, 59),
        (0.1, True, 59),
        (0.5, False, 53),
        (0.5, True, 56),
        (0.8, False, 49),
        (0.8, True, 47),
        (1.5, False, 55),
        (1.5, True, 50),
        (3.0, False, 59),
        (3.0, True, 57),
    ],
)
def test_any_one_absurd_quote_moves_nothing(factor, narrowed, least):
    """Each of the 59 quotes used in turn times a factor, its spread kept or times the factor too.

    A quote of a few cents may stay within its errors (the most such a one moved: 0.0105 of the
    peak); whatever is left out is left out wholly, and takes no good quote with it.
    """
    moved, named = [], 0
    for i in np.flatnonzero(GOOD.report.fates == QuoteFate.USED):
        quotes = quotes_of(CHAIN)
        mid, half = 0.5 * quotes[:2, i].sum(), 0.5 * (quotes[1, i] - quotes[0, i])
        half *= factor if narrowed else 1.0
        quotes[:2, i] = np.round([max(mid * factor - half, 0.01), mid * factor + half], 2)
        density = with_quotes(quotes, at=GOOD.strikes)
        quotes[:2, i] = math.nan
        without = with_quotes(quotes, at=GOOD.strikes)
        named += density.report.fates[i] != QuoteFate.USED
        outliers = np.flatnonzero(density.report.fates == QuoteFate.OUTLIER)
        assert np.isin(outliers, i).all()
        moved.append(np.abs(density.pdf - without.pdf).max() / PEAK)
    assert len(moved) == 59
    assert max(moved) < 0.012
    assert named >= least


def test_a_refusal_still_says_what_became_of_the_quotes():
    density = with_quotes(changed(0, slice(None), 0.0))
    assert (density.report.fates == QuoteFate.ZERO_BID).all()
    assert density.report.quotes_used == 0
    assert density.forward == 100.0
    none = density_at(density.smile, [90.0, 100.0])
    assert np.isnan(none.pdf).all()
    assert TRUTHS["mixture"].pdf(100.0) > 0.0
