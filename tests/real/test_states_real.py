"""Election night 2024 and the surface after it, by rung: the numbers of docs/real-states.md."""

from __future__ import annotations

import gzip
import json
import math
from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest
from scipy.special import ndtr, ndtri

from eventtape.arrays import Status
from eventtape.clock import parse_ns
from eventtape.estimators.density.fit import fit_density
from eventtape.estimators.pricing.black import black_price
from eventtape.estimators.probability.clock_fit import compare_clocks, fit_clock
from eventtape.estimators.probability.clock_nonparametric import realised_clock
from eventtape.estimators.probability.jump_detection import find_jumps
from eventtape.estimators.probability.martingale_tests import increment_test, movement_test
from eventtape.estimators.probability.probit_filter import probit_filter
from eventtape.estimators.probability.probit_quotes import YEAR_NS
from eventtape.estimators.probability.venues import join_venues
from eventtape.estimators.states.bounds import outcome_bounds
from eventtape.estimators.states.event_contracts import event_contracts, kalshi_fee
from eventtape.estimators.states.event_hedge import event_hedge
from eventtape.estimators.states.exposure import exposure
from eventtape.estimators.states.outcome_gap import outcome_gap, predict_move
from eventtape.estimators.states.portfolio_gap import values_from_gaps
from eventtape.estimators.states.two_lognormal import two_lognormal
from eventtape.frames import join_complementary
from eventtape.simulate.option_chain import two_lognormal_law
from eventtape.sources import load_folder, read_option_quotes
from eventtape.studies import EVENTS
from eventtape.tape import chains, times_ns
from eventtape.tape.sampling import grid, on_grid

pytestmark = pytest.mark.real

NIGHT = EVENTS["us-election-2024"]
CALLED = parse_ns("2024-11-06T10:34Z")
HOURS = NIGHT.start_ns + np.arange(9) * 3_600_000_000_000
TICKS = (0.001, 0.01)  # of Polymarket's file, of Kalshi
LAST_BTC = 75_572.0  # at the end of 6 November: the newest price there is


@pytest.fixture(scope="module")
def tape(data_folder):
    return load_folder(data_folder).tape


@pytest.fixture(scope="module")
def kalshi(tape):
    return join_complementary(tape.feed("Kalshi").frame, tape.feed("Kalshi KH").frame)


@pytest.fixture(scope="module")
def between(tape, kalshi):
    """Quotes of a venue from one time to another: ns, probability."""

    def between(venue, start, end):
        frame = kalshi if venue == "Kalshi" else tape.feed(venue).frame
        t = times_ns(frame)
        inside = (t >= start) & (t <= end)
        return t[inside], frame["probability"].to_numpy()[inside]

    return between


@pytest.fixture(scope="module")
def night(between):
    """Polymarket's 474 quotes of the night."""
    return between("Polymarket", NIGHT.start_ns, NIGHT.end_ns)


@pytest.fixture(scope="module")
def on(tape):
    """A market's log prices and p on a grid of so many seconds."""

    def on(market, step_s):
        at = grid(NIGHT.start_ns, NIGHT.end_ns, step_s * 1_000_000_000)
        age = max(300, step_s) * 1_000_000_000
        x, p = (on_grid(tape.feed(f).frame, at, max_age_ns=age) for f in (market, "Polymarket"))
        return (at - at[0]) / 1e9, x, p

    return on


def by_the_hour(fit):
    """Information of each hour of the night, from rates a year."""
    return fit.parameters * 3_600e9 / YEAR_NS


def test_every_smooth_clock_loses_to_one_rate_an_hour(night):
    t, y = (x[::5] for x in night)
    smooth = compare_clocks(t, y, tick=TICKS[0], end=CALLED)
    assert [fit.clock for fit in smooth.fits] == ["inverse root", "constant", "taleb"]
    hourly = fit_clock(t, y, clock="piecewise", breaks=HOURS[1:-1], tick=TICKS[0])
    assert [fit.aic for fit in (*smooth.fits, hourly)] == pytest.approx(
        [-558.6, -548.1, -509.6, -625.6], abs=0.1
    )
    # A Taleb clock whose sigma reaches 0 is the inverse root with c2 = 1, which the night is not
    assert smooth.fits[2].status is Status.NOT_IDENTIFIED
    best = smooth.fits[0]
    assert (*best.parameters, *best.lower, *best.upper) == pytest.approx(
        (0.294, 0.224, 0.397), abs=0.001
    )
    constant = smooth.fits[1]
    assert (*constant.parameters, *constant.lower, *constant.upper) == pytest.approx(
        (350.0, 266.0, 472.0), abs=1.0
    )
    information = by_the_hour(hourly)
    assert information == pytest.approx(
        [0.0001, 0.0049, 0.024, 0.021, 0.048, 0.144, 0.056, 0.014], abs=6e-4
    )
    assert information.sum() == pytest.approx(0.313, abs=0.001)


@pytest.mark.slow
def test_the_hourly_clock_at_one_minute_with_noise_found(night):
    """The same order at one minute, whether noise is at the floor or estimated with the clock."""
    t, y = night
    for noise, want in (
        (None, [-3918.0, -3708.4, -3650.1, -3364.3]),
        ("estimate", [-3919.4, -3712.4, -3668.3, -3362.3]),
    ):
        quoted = {"noise": noise, "tick": TICKS[0]}
        found = [fit_clock(t, y, clock="piecewise", breaks=HOURS[1:-1], **quoted)]
        found += compare_clocks(t, y, end=CALLED, **quoted).fits
        assert [fit.aic for fit in found] == pytest.approx(want, abs=0.2)
    # Estimated: .05 cents beside the hourly clock, .12 beside the constant one, which needs it
    assert found[0].noise == pytest.approx(0.00053, abs=0.0001)
    assert found[2].noise == pytest.approx(0.00115, abs=0.0001)


def test_one_jump_of_the_night(night):
    t, y = night
    found = find_jumps(t, y, tick=TICKS[0])
    assert found.n_tested == 473
    # At 23:44 one quote stands at .5915 between .569 and .572: there and back is no jump
    assert found.size == pytest.approx([0.144], abs=0.001)
    assert (found.lower[0], found.upper[0]) == pytest.approx((0.098, 0.190), abs=0.001)
    before, after = found.probability_before[0], found.probability_after[0]
    assert (before, after) == pytest.approx((0.953, 0.9655), abs=1e-4)
    assert datetime.fromtimestamp(found.before[0] / 1e9, UTC).strftime("%H:%M") == "04:46"
    hourly = realised_clock(t, y, HOURS, tick=TICKS[0])
    assert all(status is Status.OK for status in hourly.statuses)
    # Jumps in three of eight hours, and the two of the quiet evening are a tick or two each
    assert list(np.flatnonzero(hourly.jump_p < 0.01)) == [0, 1, 6]
    assert hourly.jump_part[[0, 1, 6]] == pytest.approx([0.0003, 0.008, 0.030], abs=0.001)


def test_the_filter_has_nothing_to_take_out(night):
    """With noise of .05 cents and the hours' clock the filtered probability is the quote."""
    t, y = night
    rate = realised_clock(t, y, HOURS, tick=TICKS[0]).realised
    hour = np.clip(np.searchsorted(HOURS, t[1:]) - 1, 0, 7)
    out = probit_filter(t, y, clock=rate[hour] * np.diff(t) / YEAR_NS, noise=0.0005)
    assert np.abs(out.probability - y).max() < 0.001
    assert np.median(out.upper - out.lower) == pytest.approx(0.0019, abs=0.0002)


def test_moves_of_the_night_go_on(night):
    """Too little movement for what was resolved, at one and at five minutes; ten refuse."""
    _, y = night
    for step, movement, p_movement, p_increments in (
        (1, 0.012, 0.004, 0.002),
        (5, 0.017, 0.006, 0.012),
    ):
        found = movement_test(y[::step], tick=TICKS[0])
        assert found.movement == pytest.approx(movement, abs=0.001)
        assert found.reduction == pytest.approx(0.219 if step == 1 else 0.214, abs=0.001)
        assert found.p_value == pytest.approx(p_movement, abs=0.003)
        assert increment_test(y[::step], tick=TICKS[0]).p_value == pytest.approx(
            p_increments, abs=0.005
        )
    assert movement_test(y[::10], tick=TICKS[0]).status is Status.TOO_FEW


def test_kalshi_s_month_before_was_fair(between):
    """591 hourly quotes to the evening of the election; noise known, or looked past."""
    _, y = between("Kalshi", 0, NIGHT.start_ns)
    assert y.size == 591
    for noise in ({"noise_sd": 0.003}, {"noise_steps": 1}):
        assert movement_test(y, tick=TICKS[1], **noise).p_value > 0.8
        assert increment_test(y, tick=TICKS[1], **noise).p_value > 0.2


def test_kalshi_stood_below_polymarket(between):
    """A wedge on the day before; on the night itself nine quotes are too few to say one."""
    day = parse_ns("2024-11-05T05:00Z")
    windows = ((day, NIGHT.start_ns), (day, NIGHT.end_ns))
    for window, want in zip(
        windows, ((-0.092, -0.102, -0.082), (-0.088, -0.100, -0.076)), strict=True
    ):
        quotes = [between(venue, *window) for venue in ("Polymarket", "Kalshi")]
        found = join_venues(*zip(*quotes, strict=True), tick=TICKS, reference=0)
        assert found.status is Status.OK
        assert found.common_wedge is Status.NOT_IDENTIFIED
        got = (found.wedge[1], found.wedge_lower[1], found.wedge_upper[1])
        assert got == pytest.approx(want, abs=0.001)
    assert found.noise == pytest.approx([0.0013, 0.0110], abs=0.0003)
    t, y = quotes[0]
    hours, k = quotes[1]
    seen = hours >= t[0]
    apart = ndtri(k[seen]) - ndtri(y[np.searchsorted(t, hours[seen], side="right") - 1])
    # By hand, 17 hours of the day before and the nine of the night
    assert (apart[:-8].mean(), apart[:-8].std(ddof=1)) == pytest.approx((-0.096, 0.023), abs=0.001)
    assert (apart[-1], k[-1] - y[-1]) == pytest.approx((-0.308, -0.018), abs=0.001)
    inside = [between(venue, NIGHT.start_ns, NIGHT.end_ns) for venue in ("Polymarket", "Kalshi")]
    # The day's wedge in cents, at the evening's quotes
    (_, y), (_, k) = inside
    assert (y[0], k[0]) == pytest.approx((0.62, 0.585), abs=1e-9)
    assert ndtr(ndtri(y[0]) - 0.092) - y[0] == pytest.approx(-0.035, abs=0.001)
    few = join_venues(*zip(*inside, strict=True), tick=TICKS, reference=0)
    assert few.status is Status.TOO_FEW


LEVELS = {  # log return per unit of p: slope, lower, upper, in percent
    ("BTC", 60): (3.4, 0.0, 6.9),
    ("BTC", 300): (8.0, 1.9, 14.2),
    ("BTC", 600): (12.2, 1.9, 22.5),
    ("BTC", 1800): (17.4, 9.0, 25.7),
    ("EURUSD", 60): (-0.2, -1.0, 0.5),
    ("EURUSD", 300): (-1.6, -3.1, -0.1),
    ("EURUSD", 600): (-2.3, -4.5, 0.0),
    ("EURUSD", 1800): (-4.1, -7.0, -1.1),
    ("NQ", 60): (-0.3, -0.8, 0.3),
    ("NQ", 300): (-0.2, -1.8, 1.5),
    ("NQ", 600): (0.7, -0.6, 1.9),
    ("NQ", 1800): (3.2, -0.6, 7.0),
}


def test_slopes_of_levels_grow_with_the_step(on):
    """A second road to the gap: levels, errors that walk and fade; no leads and lags."""
    for (market, step_s), want in LEVELS.items():
        t, x, p = on(market, step_s)
        found = exposure(t, x, p, prior_sd=0.2, seed=1, placebos=0)
        assert found.verdict.status is Status.OK
        got = 100.0 * np.array([found.slope[0], found.lower[0], found.upper[0]])
        assert got == pytest.approx(want, abs=0.06), (market, step_s)


GAPS = {"BTC": (13.9, 2.2, 25.7), "EURUSD": (-2.8, -5.6, 0.1), "NQ": (1.7, -2.0, 5.3)}


@pytest.fixture(scope="module")
def gaps(on):
    """The distributed lag of half an hour, whole night and first half."""
    out = {}
    for market in GAPS:
        _, x, p = on(market, 60)
        whole, first = (
            outcome_gap(x[:n], p[:n], step_s=60.0, horizon_s=1800.0) for n in (481, 241)
        )
        out[market] = whole, first, x, p
    return out


def test_gaps_are_those_of_the_night_s_page(gaps):
    for market, want in GAPS.items():
        gap = gaps[market][0]
        assert (100.0 * gap.gap, 100.0 * gap.lower, 100.0 * gap.upper) == pytest.approx(
            want, abs=0.06
        )


@pytest.mark.parametrize(
    ("market", "predicted", "realised"),
    [
        ("BTC", (4.2, -2.3, 10.6), 5.0),
        ("EURUSD", (-1.3, -2.9, 0.3), -0.7),
        ("NQ", (0.7, -0.5, 1.9), 0.9),
    ],
)
def test_scorecard_of_the_second_half(gaps, market, predicted, realised):
    _, first, x, p = gaps[market]
    told = predict_move(first, p[480] - p[240], n_steps=240)
    assert [100.0 * v for v in (told.move, told.lower, told.upper)] == pytest.approx(
        predicted, abs=0.06
    )
    assert 100.0 * (x[480] - x[240]) == pytest.approx(realised, abs=0.06)
    if market == "BTC":
        assert 100.0 * (x[480] - x[0]) == pytest.approx(7.8, abs=0.05)


def test_one_bitcoin_in_contracts(gaps, tape):
    """Sold at Kalshi's own bid of 22:00 with its fee; the cost, and what no number removes."""
    gap, _, x, _ = gaps["BTC"]
    quote = tape.feed("Kalshi").frame.filter(
        pl.col("ts").dt.timestamp("ms") * 1_000_000 == NIGHT.start_ns
    )
    assert (quote["bid"][0], quote["ask"][0]) == (0.58, 0.59)
    price = math.exp(x[0])
    assert price == pytest.approx(69_160.0, abs=0.5)
    values = values_from_gaps([price], [gap.gap], [gap.se], probability=0.585)
    book = event_contracts([0.58], [0.59], fee=kalshi_fee)
    done = event_hedge([1.0], values, book, probability=0.585)
    exposed = done.exposure
    assert (exposed.gap, exposed.lower, exposed.upper) == pytest.approx(
        (9_512.0, 1_993.0, 17_031.0), abs=1.0
    )
    assert done.contracts[0] == -9_512.0
    assert (done.residual_lower, done.residual_upper) == pytest.approx((-7_519, 7_519), abs=1.0)
    assert done.cost == pytest.approx(209.76, abs=0.01)
    # By hand: half a cent a contract, and .07 C P (1 - P) rounded up to the cent
    fee = math.ceil(100.0 * 0.07 * 9_512 * 0.58 * 0.42) / 100.0
    assert done.cost == pytest.approx(0.005 * 9_512 + fee, abs=0.01)
    assert done.explained == pytest.approx(0.86, abs=0.005)
    careful = event_hedge([1.0], values, book, probability=0.585, aversion=1e-6)
    assert careful.contracts[0] == 0.0


def test_the_hedge_of_the_second_half(gaps, between):
    """The gap of 22:00 to 02:00, hedged at 02:00 and marked at 06:00: nothing of the later half."""
    _, first, x, _ = gaps["BTC"]
    _, k = between("Kalshi", NIGHT.start_ns, NIGHT.end_ns)
    price, p = math.exp(x[240]), float(k[4])
    assert (price, p, float(k[8])) == pytest.approx((71_129.0, 0.683, 0.965), abs=0.6)
    values = values_from_gaps([price], [first.gap], [first.se], probability=p)
    book = event_contracts([p], [p])
    done = event_hedge([1.0], values, book, probability=p)
    exposed = done.exposure
    assert (exposed.gap, exposed.lower, exposed.upper) == pytest.approx(
        (10_685.0, -1_681.0, 23_050.0), abs=1.0
    )
    spot = math.exp(x[480]) - price
    paid = float(done.contracts[0]) * (float(k[8]) - p)
    assert (spot, paid, spot + paid) == pytest.approx((3_640.0, -3_011.0, 628.0), abs=1.0)


@pytest.fixture(scope="module")
def dvol(data_folder):
    path = data_folder / "options/deribit_dvol_btc_daily.json.gz"
    rows = json.loads(gzip.decompress(path.read_bytes()))
    return {datetime.fromtimestamp(ms / 1e3, UTC).strftime("%m-%d"): v for ms, v in rows[-900:]
            if datetime.fromtimestamp(ms / 1e3, UTC).year == 2024}  # fmt: skip


def test_dvol_through_the_election(dvol):
    path = [dvol[f"11-0{day}"] for day in range(3, 9)]
    assert path == [62.49, 64.97, 63.71, 55.97, 53.55, 49.85]
    october = [v for day, v in dvol.items() if day.startswith("10-")]
    assert (min(october), max(october)) == (54.7, 59.83)
    # Thirty days' variance before less after, as the variance of one event: no less crude than said
    gone = {
        day: math.sqrt((dvol["11-05"] ** 2 - dvol[day] ** 2) * 30 / 365)
        for day in ("11-06", "11-08")
    }
    assert gone["11-06"] == pytest.approx(8.7, abs=0.05)
    assert gone["11-08"] == pytest.approx(11.4, abs=0.05)


def test_before_the_election_no_density_and_wide_bounds(dvol):
    """A lognormal law of DVOL's volatility, 30 days, stands in for the chains that are not here."""
    vol = dvol["11-05"] / 100.0
    law = two_lognormal_law(0.62, 1.0, (vol, vol), days=30)
    found = outcome_bounds(law, 0.62)
    assert (found.gap.lower, found.gap.upper) == pytest.approx((-0.293, 0.298), abs=0.001)


@pytest.fixture(scope="module")
def marks(data_folder):
    """Densities of mark volatilities, which have no bid or ask: prices given as both at once."""
    path = data_folder / "options/deribit_btc_markiv_20241108T0204Z.json.gz"
    if not path.exists():
        pytest.skip(f"no {path.name} in the data folder (set EVENTTAPE_DATA)")
    frame = read_option_quotes(path).frame
    assert frame["bid"].null_count() == frame["forward_price"].null_count() == frame.height

    def density(expiry, forward=LAST_BTC):
        (chain,) = chains(frame, expiry=f"{expiry}T08:00Z")
        vol = chain.frame["vendor_iv"].to_numpy()
        price = black_price(forward, chain.strikes, chain.tau, vol, is_call=chain.is_call)
        return fit_density(
            chain.strikes, chain.is_call, price, price, tau=chain.tau, forward=forward, tick=1.0
        )

    return density


SURFACE = {  # at p: excess of m1 (%), gap (%), vol of state 1 (%), each lower and upper
    ("2024-11-15", 0.25): (-8.6, 9.4, -11.8, 12.2, 8, 94),
    ("2024-11-15", 0.5): (-5.6, 5.5, -11.1, 11.1, 17, 73),
    ("2024-11-15", 0.75): (-3.2, 2.8, -12.2, 11.8, 28, 61),
    ("2024-11-29", 0.25): (-15.1, 17.2, -21.4, 21.8, 8, 102),
    ("2024-11-29", 0.5): (-9.9, 9.9, -19.9, 19.9, 18, 79),
    ("2024-11-29", 0.75): (-5.7, 5.1, -21.8, 21.4, 30, 66),
    ("2024-12-27", 0.25): (-23.4, 27.0, -34.1, 33.4, 9, 112),
    ("2024-12-27", 0.5): (-15.6, 15.4, -31.3, 31.3, 19, 86),
    ("2024-12-27", 0.75): (-9.1, 7.7, -33.4, 34.1, 30, 71),
}


def test_sharp_bounds_on_the_surface_after(marks):
    for expiry in ("2024-11-15", "2024-11-29", "2024-12-27"):
        density = marks(expiry)
        assert density.status is Status.OK
        assert density.negative_mass < 1.1e-3
        ps = [0.25, 0.5, 0.75]
        out = outcome_bounds(density, ps)
        assert out.status in {Status.OK, Status.NOT_RESOLVED}
        for i, p in enumerate(ps):
            bounds = (out.state1.excess, out.gap, out.state1.vol)
            got = [100.0 * float(x[i]) for b in bounds for x in (b.lower, b.upper)]
            want = SURFACE[expiry, p]
            assert got[:4] == pytest.approx(want[:4], abs=0.1), (expiry, p)
            assert got[4:] == pytest.approx(want[4:], abs=1.0), (expiry, p)
            assert out.gap.lower[i] < 0.0 < out.gap.upper[i]
            refused = two_lognormal(density, p).verdict
            assert refused.reason == "two lognormals do not fit"


def test_bounds_hardly_hang_on_the_forward_nobody_gave(marks):
    ends = []
    for forward in (74_500.0, LAST_BTC, 76_500.0):
        gap = outcome_bounds(marks("2024-11-15", forward), 0.6).gap
        ends.append((gap.lower, gap.upper))
    assert np.ptp(ends, axis=0).max() < 0.003
