"""BTC options around 2 April 2025, 20:00 UTC, a dated event: the numbers of docs/real-states.md.

The premium is what the day of the announcement has over the day after it, in total variance at the
forward; how much days differ that hold no event says how sure that is. There is no contract on the
announcement, so there is no probability: states are bounded for given p and refused beyond.
"""

from __future__ import annotations

import math
from datetime import UTC, date, datetime
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import polars as pl
import pytest
from scipy.special import stdtrit

from eventtape.arrays import Status
from eventtape.clock import parse_ns
from eventtape.estimators.density.fit import Density, fit_density
from eventtape.estimators.states.bounds import outcome_bounds
from eventtape.estimators.states.exposure import exposure
from eventtape.estimators.states.joint_fit import joint_fit
from eventtape.estimators.states.option_panel import option_panel
from eventtape.estimators.states.two_lognormal import two_lognormal
from eventtape.sources import read_option_quotes, read_option_trades
from eventtape.studies.densities_european import Known, european_chain
from eventtape.tape import Chain, chains

pytestmark = pytest.mark.real

EVENT = date(2025, 4, 3)  # the expiry, at 08:00 UTC, of the day that holds the announcement
BEFORE = ("2025-03-31T18:33:10Z", "2025-04-01T12:00:50Z", "2025-04-02T14:28:53Z")
AFTER = "2025-04-03T11:56:30Z"
DAY_NS = 86_400_000_000_000


class Expiry(NamedTuple):
    """One density: total variance at the forward with its error, days left."""

    chain: Chain
    density: Density
    forward: float
    discount: float
    days: float
    w: float
    w_error: float


def fitted(chain):
    made = european_chain(chain, Known(), american=False)
    if made.status is not Status.OK:
        return None
    f = made.forward
    density = fit_density(
        chain.strikes, chain.is_call, made.bids, made.asks, tau=chain.tau, forward=f.forward,
        forward_error=f.forward_error, discount=f.discount,
    )  # fmt: skip
    if not np.isfinite(density.vol).any():
        return None
    vol, error = (
        float(np.interp(f.forward, density.strikes, x)) for x in (density.vol, density.vol_error)
    )
    w = vol * vol * chain.tau
    return Expiry(
        chain, density, f.forward, f.discount, chain.tau * 365.0, w, 2.0 * w * error / vol
    )


@pytest.fixture(scope="module")
def snapshots(data_folder):
    """The nearest five expiries of every snapshot: by its time, then by the day of expiry."""
    path = data_folder / "options/deribit_btc_chains_20250330_20250613_49snaps.parquet"
    if not path.exists():
        pytest.skip(f"no {path.name} in the data folder (set EVENTTAPE_DATA)")
    frame = read_option_quotes(path).frame
    out = {}
    for ns in frame["ts"].unique().sort().to_physical().to_list():
        found = [fitted(chain) for chain in chains(frame, at=ns, max_age_s=0)[:5]]
        out[ns] = {day_of(e.chain.expiry_ns): e for e in found if e is not None}
    return out


@pytest.fixture(scope="module")
def trades(data_folder):
    path = data_folder / "options/deribit_btc_option_trades_20250329_20250406.parquet"
    if not path.exists():
        pytest.skip(f"no {path.name} in the data folder (set EVENTTAPE_DATA)")
    return read_option_trades(path).frame


@pytest.fixture(scope="module")
def index(trades):
    """The index as known at a time, from the trades; ns and dollars."""
    rows = trades.group_by("ts").agg(pl.col("underlying_price").last()).sort("ts")
    return rows["ts"].to_physical().to_numpy(), rows["underlying_price"].to_numpy()


def day_of(ns):
    return datetime.fromtimestamp(ns / 1e9, UTC).date()


def daily(expiries):
    """Variance of each day between two expiries a day apart, by the later one, with its error."""
    rows = [expiries[day] for day in sorted(expiries)]
    return {
        day_of(b.chain.expiry_ns): (b.w - a.w, math.hypot(a.w_error, b.w_error))
        for a, b in pairwise(rows)
        if b.chain.expiry_ns - a.chain.expiry_ns == DAY_NS
    }


@pytest.fixture(scope="module")
def quiet(snapshots):
    """Log of a day's variance over the next one's, on working days without the event, a mean a day.

    Days end at 08:00 UTC of Tuesday to Friday.
    """
    seen = {}
    for expiries in snapshots.values():
        days = daily(expiries)
        for day, (w, _) in days.items():
            after = date.fromordinal(day.toordinal() + 1)
            if after in days and 1 <= day.weekday() <= 3 and EVENT not in (day, after):
                seen.setdefault(day, []).append(math.log(w / days[after][0]))
    return {day: float(np.mean(ratios)) for day, ratios in seen.items()}


def event_sd(snapshots, quiet, at):
    """The announcement's own sd with 95% interval: the day's variance less what such a day has."""
    expiries = snapshots[parse_ns(at)]
    after = date.fromordinal(EVENT.toordinal() + 1)
    normal, error = daily(expiries)[after]
    days = daily(expiries)
    if EVENT in days:
        w, length = days[EVENT][0], 1.0
    else:
        w, length = expiries[EVENT].w, expiries[EVENT].days
    x = np.array(list(quiet.values()))
    spread = math.hypot(x.std(ddof=1) * math.sqrt(1.0 + 1.0 / x.size), error / normal)
    half = float(stdtrit(x.size - 1, 0.975)) * spread
    left = [w - normal * length * math.exp(x.mean() + s * half) for s in (0.0, 1.0, -1.0)]
    return [100.0 * math.sqrt(max(v, 0.0)) for v in left]


def test_the_day_of_the_announcement_stands_out(snapshots, quiet):
    """Variance of the day in 1e-4 beside its neighbours, and of quiet days beside theirs."""
    for at, want in (
        (BEFORE[0], {2: 7.51, 3: 12.50, 4: 8.25}),
        (BEFORE[1], {3: 9.78, 4: 5.77}),
        (BEFORE[2], {4: 7.46, 5: 6.46}),
    ):
        found = daily(snapshots[parse_ns(at)])
        assert {day.day: 1e4 * w for day, (w, _) in found.items()} == pytest.approx(want, abs=0.02)
        assert max(error for _, error in found.values()) < 3e-5
    stub = snapshots[parse_ns(BEFORE[2])][EVENT]
    assert (1e4 * stub.w, stub.days) == pytest.approx((9.05, 0.730), abs=0.02)
    # By expiries: the nearest volatility is highest while the event is ahead of it
    ratios = [
        days[EVENT][0] / days[date(2025, 4, 4)][0]
        for days in (daily(snapshots[parse_ns(at)]) for at in BEFORE[:2])
    ]
    assert ratios == pytest.approx([1.52, 1.70], abs=0.01)
    assert len(quiet) == 12
    loudest = max(quiet, key=quiet.__getitem__)
    # The day of the Federal Reserve's decision of 7 May, another event
    assert (loudest, math.exp(quiet[loudest])) == (date(2025, 5, 8), pytest.approx(1.23, abs=0.01))


@pytest.mark.parametrize(
    ("at", "want"),
    [
        (BEFORE[0], (2.18, 1.04, 2.70)),
        (BEFORE[1], (2.09, 1.34, 2.47)),
        (BEFORE[2], (1.99, 1.22, 2.37)),
    ],
    ids=["31 March", "1 April", "2 April"],
)
def test_the_premium_is_two_percent(snapshots, quiet, at, want):
    found = event_sd(snapshots, quiet, at)
    assert [found[0], found[1], found[2]] == pytest.approx([want[0], want[1], want[2]], abs=0.02)


def two_expiries(vol_1, days_1, vol_2, days_2):
    """Event sd and the rest's volatility of two expiries after it: IV^2 = sigma^2 + sj^2 / T."""
    t1, t2 = days_1 / 365.0, days_2 / 365.0
    jump = (vol_1**2 - vol_2**2) / (1.0 / t1 - 1.0 / t2)
    return math.sqrt(max(jump, 0.0)), math.sqrt((vol_1**2 * t1 - vol_2**2 * t2) / (t1 - t2))


@pytest.mark.parametrize(
    ("quoted", "truth"),
    [
        ((0.440340777126, 10, 0.302820078595, 45), (0.06, 0.25)),
        ((1.070280337108, 3, 0.505342426224, 31), (0.09, 0.40)),
    ],
)
def test_two_expiries_by_the_published_formula(quoted, truth):
    """Dubinsky, Johannes, Kaeck and Seeger (2019), exact cases."""
    assert two_expiries(*quoted) == pytest.approx(truth, abs=1e-10)


def test_two_expiries_hang_on_which_two(snapshots):
    """One volatility for all the rest: 1.3 to 2.6%, even within one snapshot."""
    found = []
    for at in BEFORE:
        expiries = snapshots[parse_ns(at)]
        pairs = [(EVENT, date(2025, 4, 4)), (EVENT, date(2025, 4, 11))]
        for one, two in (*pairs, (date(2025, 4, 4), date(2025, 4, 11))):
            a, b = expiries[one], expiries[two]
            vols = (math.sqrt(x.w * 365.0 / x.days) for x in (a, b))
            found.append(100.0 * two_expiries(next(vols), a.days, next(vols), b.days)[0])
    assert found == pytest.approx([1.30, 2.21, 2.60, 2.05, 1.88, 1.74, 1.90, 2.11, 2.44], abs=0.02)


def test_no_hump_is_left_after_it(snapshots):
    """Sixteen hours later the next two days are alike, and both as loud as the day that is over."""
    expiries = snapshots[parse_ns(AFTER)]
    nearest = expiries[date(2025, 4, 4)]
    rate = 1e4 * nearest.w / nearest.days
    assert rate == pytest.approx(10.09, abs=0.02)
    assert 1e4 * daily(expiries)[date(2025, 4, 5)][0] == pytest.approx(10.21, abs=0.02)


def test_what_the_index_did(snapshots, quiet, index):
    t, s = index
    at = [parse_ns(f"2025-04-{when}Z") for when in
          ("02T20:00", "02T20:18", "02T21:00", "03T00:05", "03T08:00")]  # fmt: skip
    path = s[np.searchsorted(t, at, side="right") - 1]
    moves = 100.0 * np.log(path[1:] / path[0])
    assert moves == pytest.approx([1.7, -1.4, -5.5, -4.0], abs=0.05)
    inside = (t >= at[0]) & (t <= at[-1])
    assert (s[inside].max(), s[inside].min()) == (path[1], path[3])
    # Announcement and twelve of the day's hours: its move to 08:00 is one and a half of their sd
    normal = daily(snapshots[parse_ns(BEFORE[2])])[date(2025, 4, 4)][0]
    implied = math.hypot(event_sd(snapshots, quiet, BEFORE[2])[0], 100.0 * math.sqrt(normal / 2.0))
    assert implied == pytest.approx(2.8, abs=0.05)
    assert moves[-1] / implied == pytest.approx(-1.45, abs=0.05)


def test_a_snapshot_may_be_an_hour_older_than_its_stamp(snapshots, index):
    """Parity's index of 2 April, 14:28:53, was last the market's at 13:30."""
    t, s = index
    stamp = parse_ns(BEFORE[2])
    told = snapshots[stamp][EVENT].chain.underlying_price
    now = int(np.searchsorted(t, stamp, side="right"))
    assert s[now - 1] / told - 1.0 == pytest.approx(0.011, abs=0.001)
    last = int(t[:now][s[:now] <= told][-1])
    assert last == parse_ns("2025-04-02T13:30Z")


def test_traded_volatility_fell_for_an_hour_and_rose(trades):
    """Trades at the money in the expiry of 4 April, medians by the hour."""
    near = trades.filter(
        (pl.col("expiry").dt.date() == date(2025, 4, 4))
        & ((pl.col("strike") / pl.col("underlying_price")).log().abs() < 0.015)
    )
    found = near.group_by(pl.col("ts").dt.truncate("1h")).agg(pl.col("vendor_iv").median())
    by_hour = {f"{ts:%d %H}": iv for ts, iv in found.rows()}
    got = [by_hour[hour] for hour in ("02 19", "02 20", "02 21", "02 23", "03 08")]
    assert got == pytest.approx([0.580, 0.558, 0.534, 0.675, 0.589], abs=0.001)


BOUNDS = {  # expiry: gap at p = .25, .5, .75, and for p anywhere from .1 to .9, percent
    3: ((-5.6, 4.9), (-4.8, 4.8), (-4.9, 5.6), (-7.4, 7.4)),
    4: ((-7.7, 6.5), (-6.5, 6.5), (-6.5, 7.7), (-10.8, 10.8)),
    11: ((-14.2, 12.5), (-12.3, 12.3), (-12.5, 14.2), (-18.4, 18.4)),
}


@pytest.mark.parametrize("day", BOUNDS)
def test_bounds_for_any_probability(snapshots, day):
    """No contract quotes the announcement: a p is supposed, or a range of them."""
    density = snapshots[parse_ns(BEFORE[2])][date(2025, 4, day)].density
    out = outcome_bounds(density, [0.25, 0.5, 0.75])
    gaps = [*zip(out.gap.lower, out.gap.upper, strict=True)]
    free = outcome_bounds(density, 0.5, p_error=(0.1, 0.9)).gap
    gaps.append((free.lower, free.upper))
    for got, want in zip(gaps, BOUNDS[day], strict=True):
        assert [100.0 * float(x) for x in got] == pytest.approx(want, abs=0.06)
        assert got[0] < 0.0 < got[1]


def test_two_states_of_one_date_are_refused_at_any_probability(snapshots):
    for at in BEFORE[1:]:
        for day in BOUNDS:
            density = snapshots[parse_ns(at)][date(2025, 4, day)].density
            for p in (0.25, 0.5, 0.75):
                found = two_lognormal(density, p)
                assert found.verdict.status is Status.NOT_IDENTIFIED
                assert math.isnan(found.delta)
                assert found.verdict.reason in {
                    "two lognormals do not fit",
                    "a common shape moves it by more than half of itself",
                }


def test_the_premium_as_a_gap_of_unknown_sign(snapshots, quiet):
    """All of it between two states of equal volatility: |gap| = sd / root of p (1 - p), no sign."""
    sd = event_sd(snapshots, quiet, BEFORE[1])[0]
    sizes = [sd / math.sqrt(p * (1.0 - p)) for p in (0.5, 0.25, 0.1)]
    assert sizes == pytest.approx([4.2, 4.8, 7.0], abs=0.05)
    density = snapshots[parse_ns(BEFORE[1])][EVENT].density
    for p, size in zip((0.5, 0.25, 0.1), sizes, strict=True):
        gap = outcome_bounds(density, p).gap
        assert 100.0 * gap.lower < -size < size < 100.0 * gap.upper


@pytest.fixture(scope="module")
def april(snapshots):
    """Undiscounted calls of the expiry of 11 April, 78,000 to 96,000, 31 March to 6 April."""
    rows = [e[date(2025, 4, 11)] for e in snapshots.values() if date(2025, 4, 11) in e]
    rows = [e for e in rows if e.chain.at_ns < parse_ns("2025-04-07T00:00Z")]
    sides = [e.chain.is_call == right for e in rows for right in (True, False)]
    twice = [e for e in rows for _ in range(2)]
    listed = (set(e.chain.strikes[side]) for e, side in zip(twice, sides, strict=True))
    strikes = np.array(sorted(set.intersection(*listed)))
    strikes = strikes[(strikes >= 78_000.0) & (strikes <= 96_000.0)]
    calls = np.full((len(rows), strikes.size), math.nan)
    for i, e in enumerate(rows):
        for j, strike in enumerate(strikes):
            call = strike >= e.forward
            (at,) = np.flatnonzero((e.chain.strikes == strike) & (e.chain.is_call == call))
            mid = 0.5 * (e.chain.bids[at] + e.chain.asks[at]) / e.discount
            calls[i, j] = mid if call else mid + e.forward - strike
    return rows, strikes, calls


@pytest.mark.parametrize("supposed", ["one half throughout", "one half, then sure"])
def test_slopes_on_a_supposed_probability_are_refused(april, supposed):
    """A p that does not move identifies nothing; one that moves once is one observation."""
    rows, strikes, calls = april
    assert len(rows) == 8
    at = np.array([e.chain.at_ns / 1e9 for e in rows])
    after = at > parse_ns("2025-04-02T20:00Z") / 1e9
    p = np.where(after & (supposed != "one half throughout"), 0.99, 0.5)
    forward = np.array([e.forward for e in rows])
    found = exposure(at, calls, p, strikes=strikes, forward=forward, at=0, placebos=0)
    assert found.verdict.status is Status.NOT_IDENTIFIED
    assert found.verdict.reason == "p does not move, or once only, beside what is held fixed"
    assert np.isnan(found.slope).all()


@pytest.fixture(scope="module")
def panel(april):
    """The same expiry as a panel of quotes, out of the money; a tick is 1e-4 bitcoin."""
    rows, _, _ = april
    listed = (set(e.chain.strikes) for e in rows)
    strikes = np.array(sorted(set.intersection(*listed)))
    calls, bids, asks = np.zeros((3, len(rows), strikes.size))
    for i, e in enumerate(rows):
        for j, strike in enumerate(strikes):
            call = strike >= e.forward
            at = np.flatnonzero((e.chain.strikes == strike) & (e.chain.is_call == call))
            calls[i, j] = call
            bids[i, j], asks[i, j] = (
                x[at[0]] if at.size else math.nan for x in (e.chain.bids, e.chain.asks)
            )
    return option_panel(
        [e.chain.at_ns / 1e9 for e in rows],
        [e.chain.tau for e in rows],
        [e.forward for e in rows],
        strikes,
        calls > 0.0,
        bids,
        asks,
        tick=8.4,
        discounts=[e.discount for e in rows],
    )


@pytest.mark.parametrize(
    ("p", "reason"),
    [
        (math.nan, "0 times with a probability and a dozen quotes, 4 needed"),
        (0.5, "the probability does not move beyond its own error"),
    ],
    ids=["none", "one half throughout"],
)
def test_a_joint_fit_without_a_probability_is_refused(panel, p, reason):
    found = joint_fit(panel, np.full(panel.times.size, p))
    assert found.verdict.status is not Status.OK
    assert found.verdict.reason == reason
    assert math.isnan(found.delta)


@pytest.mark.parametrize("p", [0.3, 0.5, 0.7])
@pytest.mark.parametrize("stamp", ["2025-04-02T08:00Z", BEFORE[2]], ids=["early", "then"])
def test_a_supposed_step_is_no_probability(panel, stamp, p):
    """p jumps once, to .99, from a supposed level: one observation, and refused as such."""
    after = panel.times > parse_ns(stamp) / 1e9 + 1.0
    found = joint_fit(panel, np.where(after, 0.99, p))
    assert found.verdict.status is Status.NOT_IDENTIFIED
    assert "all at once" in found.verdict.reason
    assert math.isnan(found.delta)
