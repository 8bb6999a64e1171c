"""The simulated night against the law it claims: martingale, clock, lags, bounce, ticks."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.special import ndtr, ndtri

from eventtape.errors import InputError
from eventtape.simulate import MARKETS, MarketTruth, event_night
from eventtape.simulate.event_night import _path, information_clock
from eventtape.tape import RESULT, check, times_ns
from eventtape.tape.sampling import levels

S = 10**9
STILL = {"volatility": 0.0, "common": 0.0, "bounce": 0.0}


def test_same_seed_same_tape():
    one, two, other = event_night(5), event_night(5), event_night(6)
    for a, b, c in zip(one.tape.feeds, two.tape.feeds, other.tape.feeds, strict=True):
        assert a.frame.equals(b.frame)
        assert a.label == "results" or not a.frame.equals(c.frame)
    for a, b in zip(one.truth, two.truth, strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(one.truth.probability, other.truth.probability)


def test_every_frame_passes_the_door():
    night = event_night(
        1, reveal=True, markets=(*MARKETS, MarketTruth("late", 0.5, 13.7, news_share=1))
    )
    assert [feed.label for feed in night.tape.feeds] == [
        "event",
        "coin",
        "currency",
        "index",
        "oil",
        "late",
        "results",
    ]
    assert night.tape.simulated
    for feed in night.tape.feeds:
        assert check(feed.frame, feed.record).equals(feed.frame)
        ts = times_ns(feed.frame)
        assert night.truth.ts[0] <= ts[0]
        assert ts[-1] <= night.truth.ts[-1]


@pytest.mark.parametrize(("jump_share", "n_jumps"), [(0.0, 0), (0.4, 8), (1.0, 3), (0.5, 0)])
def test_the_clock_sums_to_its_total(jump_share, n_jumps):
    rng = np.random.default_rng(2)
    clock, jumps = information_clock(
        5_000, total=1.5, jump_share=jump_share, n_jumps=n_jumps, rng=rng
    )
    assert clock.sum() == pytest.approx(1.5, rel=1e-12)
    assert (clock >= 0.0).all()
    assert jumps.size == np.unique(jumps).size == n_jumps
    if n_jumps:
        creep, _ = information_clock(
            5_000, total=1.5 * (1 - jump_share), jump_share=0.0, n_jumps=0, rng=rng
        )
        assert (clock - creep)[jumps].sum() == pytest.approx(1.5 * jump_share, rel=1e-9)


@pytest.mark.parametrize(("total", "jump_share"), [(-1.0, 0.2), (1.0, -0.1), (1.0, 1.1)])
def test_a_clock_that_cannot_be_is_refused(total, jump_share):
    with pytest.raises(InputError, match="total >= 0"):
        information_clock(10, total=total, jump_share=jump_share, n_jumps=1, rng=None)


@pytest.mark.parametrize("probability", [0.0, 1.0, -0.2, math.nan])
def test_a_start_that_is_decided_is_refused(probability):
    with pytest.raises(InputError, match="inside"):
        event_night(1, probability=probability)


@pytest.mark.parametrize(("jump_share", "n_jumps"), [(0.0, 0), (0.6, 12)])
@pytest.mark.parametrize("reveal", [False, True])
def test_each_second_is_a_step_of_the_probit_martingale(jump_share, n_jumps, reveal):
    """From the truth alone: (U' - e^{l/2} U) / sqrt(e^l - 1) is N(0, 1) at every second.

    28,800 seconds; 4 standard errors of mean, variance and one-step memory. Near 0 and 1 the
    probability has lost U's digits, so those seconds are left out.
    """
    truth = event_night(3, jump_share=jump_share, n_jumps=n_jumps, reveal=reveal).truth
    B, step = truth.probability, np.diff(truth.clock)
    ok = (np.minimum(B, 1 - B)[:-1] > 1e-7) & (np.minimum(B, 1 - B)[1:] > 1e-7)
    U = ndtri(np.clip(B, 1e-8, 1.0 - 1e-8))
    shock = ((U[1:] - np.exp(step / 2) * U[:-1]) / np.sqrt(np.expm1(step)))[ok]
    n = shock.size
    assert n > (10_000 if reveal else 28_000)
    assert abs(shock.mean()) < 4.0 / math.sqrt(n)
    assert abs(shock.var() - 1.0) < 4.0 * math.sqrt(2.0 / n)
    assert abs(np.mean(shock[1:] * shock[:-1])) < 4.0 / math.sqrt(n)
    jumps = truth.jumps[(truth.jumps >= 1) & (truth.jumps < truth.ts.size)]
    assert jumps.size <= n_jumps
    if n_jumps and not reveal:
        # The jump seconds carry the clock's largest increments: index k is the step into second k.
        assert set(jumps) <= set(1 + np.argsort(step)[-n_jumps:])


def ends(n_draws, *, probability, information, jump_share=0.0, n_jumps=0, n=50):
    """B at the end of the whole clock, drawn from the path the nights are made of."""
    rng = np.random.default_rng(4)
    return np.array(
        [
            _path(n, probability, information, jump_share, n_jumps, rng, reveal=False)[0][-1]
            for _ in range(n_draws)
        ]
    )


@pytest.mark.parametrize(("jump_share", "n_jumps"), [(0.0, 0), (0.8, 5)])
@pytest.mark.parametrize(
    ("start", "information", "second_moment"),
    [
        (0.5, 1.0, 0.3589076316),
        (0.58, 0.25, 0.58**2 + 0.03421573),
        (0.9, 1.0, 0.81 + 0.03136698),
    ],
)
def test_moments_of_references_case_8(start, information, second_moment, jump_share, n_jumps):
    """E B = B_0 and E B^2 in closed form, however the clock runs; 20,000 draws, 4 se."""
    B = ends(
        20_000, probability=start, information=information, jump_share=jump_share, n_jumps=n_jumps
    )
    for met, wanted in ((B, start), (B**2, second_moment)):
        assert abs(met.mean() - wanted) < 4.0 * met.std() / math.sqrt(B.size)


def test_variance_of_u_of_references_case_8():
    """B_0 = .5, L = 1: var U = e - 1 = 1.7182818; B_0 = .58, L = .25: mean U .2287752836."""
    U = ndtri(ends(20_000, probability=0.5, information=1.0))
    assert abs(U.var() - 1.7182818285) < 4.0 * 1.7182818285 * math.sqrt(2.0 / U.size)
    U = ndtri(ends(20_000, probability=0.58, information=0.25))
    assert abs(U.mean() - 0.2287752836) < 4.0 * math.sqrt(0.2840254167 / U.size)
    assert abs(U.var() - 0.2840254167) < 4.0 * 0.2840254167 * math.sqrt(2.0 / U.size)


def short(seed, **more):
    """A night of three minutes with nothing but its probability: quick to draw many."""
    return event_night(seed, markets=(), hours=0.05, quote_s=30.0, **more).truth


def test_whole_nights_keep_the_martingale_with_jumps():
    """600 nights from .3: the end and the middle both average .3, within 4 standard errors."""
    nights = [short([7, k], probability=0.3, jump_share=0.9, n_jumps=3) for k in range(600)]
    for at in (60, -1):
        B = np.array([truth.probability[at] for truth in nights])
        assert abs(B.mean() - 0.3) < 4.0 * B.std() / math.sqrt(B.size)
    assert all(truth.outcome is None for truth in nights)


def test_a_revealed_night_ends_and_ends_fairly():
    """P(outcome = 1) = B_0 = .8 within 4 binomial se of 600 nights; ends within 1e-2 in 99%."""
    n = 600
    nights = [short([8, k], probability=0.8, reveal=True) for k in range(n)]
    outcomes = np.array([truth.outcome for truth in nights])
    last = np.array([truth.probability[-1] for truth in nights])
    assert set(outcomes) == {0, 1}
    assert abs(outcomes.mean() - 0.8) < 4.0 * math.sqrt(0.8 * 0.2 / n)
    assert np.mean(np.abs(last - outcomes) < 1e-2) > 0.99
    np.testing.assert_array_equal(outcomes, (last > 0.5).astype(int))


@pytest.mark.parametrize("lag_s", [0.0, 90.0, -120.0, 33.25])
@pytest.mark.parametrize("gap", [0.12, -0.03])
def test_a_market_without_noise_is_the_lagged_probability(lag_s, gap):
    """log X(t) = log 100 + gap (B(t - lag) - B(-lag)); between seconds B is a straight line.

    One market carries a longer lag, so that the night reaches further than this one needs.
    """
    markets = (MarketTruth("m", gap, lag_s, **STILL), MarketTruth("far", 0.0, 300.0, **STILL))
    truth = event_night(9, markets=markets, hours=2.0).truth
    B, seconds = truth.probability, np.arange(truth.ts.size)
    inside = (seconds - lag_s >= 0) & (seconds - lag_s <= seconds[-1])
    shifted = np.interp(seconds - lag_s, seconds, B)
    moved = truth.log_price[:, 0] - gap * shifted
    np.testing.assert_allclose(moved[inside], moved[inside][0], atol=1e-12)
    assert truth.log_price[0, 0] == pytest.approx(math.log(100.0))
    if lag_s == 0.0:
        np.testing.assert_allclose(moved, math.log(100.0) - gap * B[0], atol=1e-12)


def test_a_market_without_gap_or_noise_stands_still():
    night = event_night(10, markets=(MarketTruth("m", 0.0, 60.0, **STILL),), hours=1.0)
    np.testing.assert_allclose(night.truth.log_price, math.log(100.0), rtol=1e-15)
    np.testing.assert_allclose(night.tape.feed("m").frame["price"].to_numpy(), 100.0, rtol=1e-14)


def test_a_market_without_a_gap_does_not_move_with_the_probability():
    """Each night's moves of p times the market's, over their own size, are N(0, 1): 100 nights."""
    markets = (MarketTruth("m", 0.0, 0.0, volatility=1e-3, news_share=0.5),)
    scores = [score(event_night([11, k], markets=markets, hours=1.0).truth) for k in range(100)]
    assert abs(np.mean(scores)) < 4.0 / 10.0
    assert 0.5 < np.mean(np.square(scores)) < 1.6  # chi-square of 100: 4 sd are .57


def score(truth, k=0):
    dB, dx = np.diff(truth.probability), np.diff(truth.log_price[:, k])
    return np.sum(dB * dx) / math.sqrt(np.sum(dB**2 * dx**2))


def test_independent_markets_know_nothing_of_the_probability_shown():
    """Noise-free markets of gap 1: linked they ARE the probability, independent they are not."""
    markets = (MarketTruth("m", 1.0, 0.0, **STILL),)
    linked = event_night(12, markets=markets, hours=1.0).truth
    assert (
        np.corrcoef(np.diff(linked.probability), np.diff(linked.log_price[:, 0]))[0, 1] > 1 - 1e-9
    )
    apart = [
        event_night([12, k], markets=markets, hours=1.0, independent=True).truth for k in range(100)
    ]
    scores = [score(truth) for truth in apart]
    assert abs(np.mean(scores)) < 4.0 / 10.0
    assert 0.5 < np.mean(np.square(scores)) < 1.6
    # And of the same law: the market's own walk has the information the probability has.
    own = np.mean([np.ptp(truth.log_price[:, 0]) for truth in apart])
    shown = np.mean([np.ptp(truth.probability) for truth in apart])
    assert own == pytest.approx(
        shown, rel=0.2
    )  # sd of a range is 40% of it: 4 se of the difference


def test_the_probability_does_not_depend_on_independence():
    """The placebo shows the same night: only the markets are another's."""
    one, two = event_night(13, hours=1.0), event_night(13, hours=1.0, independent=True)
    np.testing.assert_array_equal(one.truth.probability, two.truth.probability)


def test_noise_has_the_size_it_says():
    """Sd a square root of a minute, own and common; 28,800 seconds, 4 standard errors (1.7%)."""
    markets = (
        MarketTruth("own", 0.0, 0.0, volatility=8e-4, common=0.0),
        MarketTruth("c1", 0.0, 0.0, volatility=0.0, common=1e-4),
        MarketTruth("c2", 0.0, 0.0, volatility=0.0, common=-3e-4),
        MarketTruth("news", 0.0, 0.0, volatility=8e-4, common=0.0, news_share=0.7),
    )
    truth = event_night(14, markets=markets).truth
    moves = np.diff(truth.log_price, axis=0)
    n = moves.shape[0]
    for k, size in ((0, 8e-4), (1, 1e-4), (2, 3e-4)):
        assert moves[:, k].std() * math.sqrt(60) == pytest.approx(size, rel=4 / math.sqrt(2 * n))
    np.testing.assert_allclose(moves[:, 2], -3.0 * moves[:, 1], atol=1e-13)
    assert abs(np.corrcoef(moves[:, 0], moves[:, 1])[0, 1]) < 4.0 / math.sqrt(n)
    clock = np.diff(truth.clock)
    variance = (8e-4) ** 2 * (0.3 + 0.7 * clock * n / clock.sum()) / 60.0
    z = moves[:, 3] / np.sqrt(variance)
    assert z.var() == pytest.approx(1.0, rel=4.0 * math.sqrt(2.0 / n))
    assert np.mean(z[clock > np.quantile(clock, 0.9)] ** 2) == pytest.approx(1.0, rel=0.11)


def test_ticks_come_as_a_poisson_crowd_and_bounce():
    """Counts over 20 nights within 4 sd of n / tick; every price one bounce from the truth."""
    markets = (
        MarketTruth("fast", 0.1, 0.0, tick_s=2.0, bounce=3e-4),
        MarketTruth("slow", 0.1, 0.0, tick_s=45.0, bounce=0.0),
    )
    nights = [event_night([15, k], markets=markets, hours=1.0) for k in range(20)]
    for label, tick_s in (("fast", 2.0), ("slow", 45.0)):
        count = sum(night.tape.feed(label).frame.height for night in nights)
        assert abs(count - 20 * 3600 / tick_s) < 4.0 * math.sqrt(20 * 3600 / tick_s)
    for k, bounce in ((0, 3e-4), (1, 0.0)):
        frame = nights[0].tape.feed(markets[k].label).frame
        truth = np.interp(
            times_ns(frame) - nights[0].truth.ts[0],
            nights[0].truth.ts - nights[0].truth.ts[0],
            nights[0].truth.log_price[:, k],
        )
        off = np.log(frame["price"].to_numpy()) - truth
        # 1e-9: the stamp is cut to whole nanoseconds after the price is read.
        np.testing.assert_allclose(off, bounce * frame["side"].to_numpy(), atol=1e-9)
    side = nights[0].tape.feed("fast").frame["side"].to_numpy().astype(float)
    assert set(side) == {-1.0, 1.0}
    assert abs(side.mean()) < 4.0 / math.sqrt(side.size)
    assert abs(np.mean(side[1:] * side[:-1])) < 4.0 / math.sqrt(side.size)


def test_a_tick_shows_the_second_it_is_stamped_in():
    """Between the truth at the second below and the one above, and equal to neither by rule."""
    markets = (MarketTruth("m", 1.0, 0.0, tick_s=1.0, **STILL),)
    night = event_night(16, markets=markets, hours=0.5)
    ts, price = levels(night.tape.feed("m").frame)
    second = (ts - night.truth.ts[0]) // S
    ends = np.sort(night.truth.log_price[[second, second + 1], 0], axis=0)
    assert (np.log(price) >= ends[0] - 1e-12).all()
    assert (np.log(price) <= ends[1] + 1e-12).all()


def test_quotes_are_regular_noisy_and_on_the_tick():
    """Gaps within 5% of a minute; error sd is noise and rounding together, 4 se of 8 nights."""
    errors = []
    for k in range(8):
        night = event_night([17, k], quote_noise=0.004, tick=0.01, information=0.2)
        frame = night.tape.feed("event").frame
        ts, p = levels(frame)
        gaps = np.diff(ts) / S
        assert gaps.min() >= 57.0
        assert gaps.max() <= 63.0
        assert ts[0] - night.truth.ts[0] < 60 * S
        assert night.truth.ts[-1] - ts[-1] < 64 * S
        np.testing.assert_allclose(p / 0.01, np.round(p / 0.01), atol=1e-9)
        since = ts - night.truth.ts[0]
        errors.append(
            p - np.interp(since, night.truth.ts - night.truth.ts[0], night.truth.probability)
        )
    error = np.concatenate(errors)
    want = math.sqrt(0.004**2 + 0.01**2 / 12)
    assert error.std() == pytest.approx(want, rel=4.0 / math.sqrt(2 * error.size))
    assert abs(error.mean()) < 4.0 * want / math.sqrt(error.size)


def test_quotes_stay_inside_the_unit_interval():
    night = event_night(18, reveal=True, quote_noise=0.05, tick=0.01)
    p = night.tape.feed("event").frame["probability"].to_numpy()
    assert p.min() >= 0.01
    assert p.max() <= 0.99 + 1e-12


def test_results_follow_the_clock():
    night = event_night(19)
    frame = night.tape.feed("results").frame
    check(frame, RESULT)
    share = frame["share_counted"].to_numpy()
    at = (times_ns(frame) - night.truth.ts[0]) // S
    np.testing.assert_array_equal(np.diff(at), 180)
    np.testing.assert_allclose(share, night.truth.clock[at] / night.truth.clock[-1], rtol=1e-12)
    assert (np.diff(share) >= 0.0).all()


def test_default_truths_travel_with_the_tape():
    night = event_night(20)
    truth = night.truth
    assert truth.markets == MARKETS
    assert truth.ts.size == 8 * 3600 + 1 == truth.probability.size == truth.clock.size
    assert truth.log_price.shape == (truth.ts.size, len(MARKETS))
    assert (np.diff(truth.ts) == S).all()
    assert ((truth.probability > 0.0) & (truth.probability < 1.0)).all()
    assert truth.outcome is None


def test_the_first_second_is_the_probability_asked_for():
    assert event_night(21).truth.probability[0] == pytest.approx(0.58, abs=0.03)


def test_the_night_starts_where_it_says_and_uses_its_whole_clock():
    markets = (MarketTruth("m", 0.1, 600.0),)
    truth = event_night(22, markets=markets, hours=1.0, jump_share=0.0, n_jumps=0).truth
    assert truth.probability[0] == pytest.approx(0.58, abs=1e-12)
    assert truth.clock[-1] - truth.clock[0] == pytest.approx(1.5, rel=0.01)


def test_the_clock_starts_at_nothing():
    assert event_night(23).truth.clock[0] == 0.0


def test_cdf_of_the_end_is_the_closed_form():
    """Kolmogorov distance of 5,000 ends to Phi((U - e^{L/2} U_0) / sqrt(e^L - 1)), .1% critical."""
    B = np.sort(ends(5_000, probability=0.7, information=2.0, jump_share=0.5, n_jumps=4))
    cdf = ndtr((ndtri(B) - math.e * ndtri(0.7)) / math.sqrt(math.expm1(2.0)))
    steps = np.arange(1, B.size + 1) / B.size
    distance = max(np.max(steps - cdf), np.max(cdf - steps + 1.0 / B.size))
    assert distance < 1.95 / math.sqrt(B.size)
