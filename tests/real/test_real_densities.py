"""A density of every real chain at hand, or the reason there is none: docs/option-data.md.

Each family: how many chains have a density, which refusals are left and why, quotes used of given,
and the arbitrage report. Bounds are those of the document's table; better passes.
"""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

import numpy as np
import polars as pl
import pytest

from eventtape.arrays import Status
from eventtape.estimators.density.fit import Density, fit_density
from eventtape.estimators.density.no_arbitrage import CheckName, arbitrage_report
from eventtape.estimators.density.smile_observations import QuoteFate
from eventtape.estimators.pricing.deamericanise import deamericanise
from eventtape.estimators.pricing.forward import forward_from_parity
from eventtape.sources import read_option_quotes
from eventtape.studies.densities_european import Known, european_chain
from eventtape.tape import chains

pytestmark = pytest.mark.real

SHAPE = {
    CheckName.BUTTERFLY,
    CheckName.NEGATIVE_MASS,
    CheckName.MONOTONE,
    CheckName.BOUNDS,
    CheckName.CALL_SPREAD,
}


class Family(NamedTuple):
    """What became of a list of chains.

    - ``densities``: with a density; ``reasons``: counts of those without;
    - ``clean``: with nothing in the arbitrage report; ``failed``: counts of checks by name, and
      ``beyond``: of those by more than two of their errors;
    - ``negative`` ``(n,)``: negative masses; ``misfit`` ``(n,)``; ``used`` of ``given`` quotes.
    """

    densities: list[Density]
    reasons: Counter
    clean: int
    failed: Counter
    beyond: Counter
    negative: np.ndarray
    misfit: np.ndarray
    used: int
    given: int


@pytest.fixture(scope="module")
def read(data_folder):
    def read(name, **stated):
        path = data_folder / "options" / name
        if not path.exists():
            pytest.skip(f"no options/{name} in the data folder (set EVENTTAPE_DATA)")
        if "underlying_quotes" in stated:
            stated["underlying_quotes"] = data_folder / "options" / stated["underlying_quotes"]
        return read_option_quotes(path, **stated).frame

    return read


def family(several, known=Known()):  # noqa: B008 - a constant
    found, reasons, failed, beyond = [], Counter(), Counter(), Counter()
    clean = used = given = 0
    for chain in several:
        made = european_chain(chain, known, american=chain.style == "american")
        if made.status is not Status.OK:
            reasons[made.reason] += 1
            continue
        forward = made.forward
        density = fit_density(
            chain.strikes, chain.is_call, made.bids, made.asks, chain.bid_sizes, chain.ask_sizes,
            tau=chain.tau, forward=forward.forward, forward_error=forward.forward_error,
            discount=forward.discount,
        )  # fmt: skip
        if density.status not in {Status.OK, Status.NOT_RESOLVED}:
            assert np.isnan(density.pdf).all()
            reasons[density.status] += 1
            continue
        report = arbitrage_report(density.smile)
        clean += report.free
        failed.update(check.name for check in report.failed())
        beyond.update(check.name for check in report.failed() if check.over_error < -2.0)
        used += density.report.quotes_used
        given += chain.strikes.size
        found.append(density)
    negative = np.array([density.negative_mass for density in found])
    misfit = np.array([density.report.misfit for density in found])
    return Family(found, reasons, clean, failed, beyond, negative, misfit, used, given)


def check_laws(found):
    """What holds of any density with numbers, whatever chain it came from."""
    for density in found.densities:
        K, q = density.strikes, density.pdf
        assert np.trapezoid(q, K) == pytest.approx(1.0, abs=2e-3)
        assert np.trapezoid(K * q, K) / density.forward == pytest.approx(1.0, abs=2e-3)
        assert (density.pdf_error >= 0.0).all()
        assert density.report.fates.size >= density.report.quotes_used >= 5
    assert set(found.failed) <= SHAPE
    assert (found.misfit < 1.1).all()


def at_all_times(frame):
    """The chains of every moment of a frame, of that moment's own quotes alone."""
    for ns in frame["ts"].unique().sort().to_physical():
        yield from chains(frame, at=int(ns), max_age_s=0)


def test_aapl_twenty_one_expiries(read):
    """No sizes, American: every expiry has a density; eleven are clean, one is a surely not."""
    found = family(chains(read("oipd_aapl_chain_20251006.csv.gz")), Known(spot=256.69))
    check_laws(found)
    assert len(found.densities) == 21
    assert found.clean >= 11
    assert found.beyond[CheckName.BUTTERFLY] <= 1
    assert found.negative.max() < 2e-3
    assert np.median(found.negative) == 0.0
    assert (found.used, found.given) == (pytest.approx(1257, abs=30), 2099)


def test_index_of_2013_with_sizes(read):
    """128 in the money, 20 one-sided, 20 bids of a tick, 8 of no volatility: 166 of 342.

    The noise is not the sizes'.

    sigma_P is to be multiplied by 3.5: hundreds of contracts do not make a quote that sure.
    """
    stated = {"underlying": "SPX", "at": "2013-04-19T20:15Z", "expiry": "2013-06-21"}
    found = family(chains(read("rnd_sp500_2013_04_19.csv.gz", **stated)))
    check_laws(found)
    (density,) = found.densities
    fates = Counter(QuoteFate(int(fate)).name for fate in density.report.fates)
    assert fates == {
        "USED": 166, "IN_THE_MONEY": 128, "ONE_SIDED": 20, "ONE_TICK": 20, "NO_VOLATILITY": 8
    }  # fmt: skip
    assert density.forward == pytest.approx(1548.0, abs=1.0)
    assert 2.0 < density.report.noise_scale < 6.0
    # Without bids of a tick its wings are held by less; no check fails by two errors
    assert density.negative_mass < 7e-4
    assert sum(found.beyond.values()) == 0


def test_calls_alone_need_a_spot(read):
    """Without one there is no forward and no density; with it the lower tail is an assumption."""
    stated = {
        "underlying": "SPY", "at": "2025-01-28T21:00Z", "expiry": "2025-02-28", "is_call": True
    }  # fmt: skip
    several = chains(read("oipd_spy_20250128_exp20250228.csv.gz", **stated))
    refused = family(several)
    assert refused.reasons == {"no strike has both a call and a put, and no spot is known": 1}
    found = family(several, Known(spot=604.52, rate=0.0435))
    check_laws(found)
    (density,) = found.densities
    assert density.forward_error > 0.4  # a yield that nobody gave
    assert density.tails.mass_below > 0.1
    assert density.vol[np.searchsorted(density.strikes, density.forward)] == pytest.approx(
        0.125, abs=0.01
    )


def test_coin_settled_screen_copy(read):
    stated = {"underlying": "BTC", "at": "2025-08-30T12:00Z", "expiry": "2025-12-26"}
    found = family(chains(read("oipd_btc_deribit_20250830_exp20251226.csv.gz", **stated)))
    check_laws(found)
    assert (len(found.densities), found.clean) == (1, 1)


def test_settlements_of_oil_are_quotes_without_a_spread(read):
    """American options on a future: parity of settlements, premia off at yield = rate.

    No bid or ask is in the file, so the reader's chain has no density; its settlements, each as bid
    and ask at once, have one.
    """
    stated = {
        "underlying": "CL", "at": "2012-10-01T18:30Z", "expiry": "2012-11-14T14:30-05:00",
        "settlement": "cash", "strike_scale": 0.01,
    }  # fmt: skip
    frame = read("rnd_oil_2012_10_01.csv.gz", **stated)
    (chain,) = chains(frame)
    assert sum(family((chain,)).reasons.values()) == 1
    marks = chain.frame["mark"].to_numpy()
    strikes = np.unique(chain.strikes)
    rate, forward = 0.002, 92.0
    for _ in range(3):
        made = deamericanise(
            marks, marks, forward, chain.strikes, chain.tau, rate, rate, is_call=chain.is_call
        )
        sides = np.full((4, strikes.size), np.nan)
        for right, row in ((True, 0), (False, 2)):
            mine = chain.is_call == right
            sides[row : row + 2, np.searchsorted(strikes, chain.strikes[mine])] = made.mid[mine]
        fitted = forward_from_parity(strikes, *sides, tau=chain.tau, rate=rate)
        forward = fitted.forward
    density = fit_density(
        chain.strikes, chain.is_call, made.mid, made.mid, tau=chain.tau, forward=forward,
        discount=fitted.discount, tick=0.01,
    )  # fmt: skip
    assert density.status is Status.OK
    assert forward == pytest.approx(92.8, abs=0.2)
    assert density.report.quotes_used > 100
    assert density.negative_mass < 2e-2


@pytest.mark.slow
def test_index_and_mini_of_one_minute(read):
    """All 108 expiries."""
    frame = read("cboe_spx_spy_xsp_20230914T1631ET.parquet", at="2023-09-14T16:31-04:00")
    several = [chain for chain in chains(frame) if chain.underlying != "SPY"]
    found = family(several)
    check_laws(found)
    assert len(several) == 108
    assert len(found.densities) == 108
    assert np.median(found.negative) < 1e-3
    assert (found.negative > 0.01).mean() < 0.08


@pytest.mark.slow
def test_minutes_of_goog(read):
    """Sizes; half-dollar quotes on five-cent bids: six of fifteen bend beyond their errors."""
    frame = read(
        "lean_goog_options_1m_quotes_20151224.parquet",
        underlying="GOOG",
        underlying_quotes="lean_aapl_goog_equity_1m_quotes.parquet",
    )
    times = ("15:30", "16:00", "16:30", "17:00", "17:45")
    found = family(
        chain for time in times for chain in chains(frame, at=f"2015-12-24T{time}Z", max_age_s=600)
    )
    check_laws(found)
    assert len(found.densities) == 15
    assert found.clean >= 8
    # A wing goes flat within one standard deviation of the last quote: surer, and so more bent
    assert found.beyond[CheckName.BUTTERFLY] <= 6
    assert found.negative.max() < 0.04


@pytest.mark.slow
def test_deribit_snapshots(read):
    """531 chains of 48 snapshots: 23 without prices, 1 with four quotes."""
    frame = read("deribit_btc_chains_20250330_20250613_49snaps.parquet")
    found = family(at_all_times(frame))
    check_laws(found)
    assert len(found.densities) + sum(found.reasons.values()) == 531
    assert len(found.densities) >= 507
    assert found.reasons[Status.TOO_FEW] == 1
    assert found.reasons["no strike has both a call and a put, and no spot is known"] == 23
    assert found.clean >= 275
    # As GOOG's wings: surer beyond the last quote, and so more bent in their own errors
    assert found.beyond[CheckName.BUTTERFLY] <= 34
    assert found.negative.max() < 0.0125


@pytest.mark.slow
def test_deribit_volatility_jumps_with_the_tariffs(read):
    """2 April 2025, 20:00 UTC, and the two days after it: near expiries stand above far ones."""
    frame = read("deribit_btc_chains_20250330_20250613_49snaps.parquet")
    week = frame.filter(pl.col("ts").dt.date().is_between(pl.date(2025, 4, 2), pl.date(2025, 4, 4)))
    found = family(at_all_times(week))
    check_laws(found)
    near = [d for d in found.densities if d.tau * 365.0 < 8.0]
    far = [d for d in found.densities if d.tau * 365.0 > 150.0]
    vol = [np.median([np.interp(d.forward, d.strikes, d.vol) for d in ds]) for ds in (near, far)]
    assert vol[0] > vol[1] + 0.02


@pytest.mark.slow
def test_binance_hours(read):
    """680 chains: 11 have no pairs, 7 under five quotes; a rate left free refuses 53 more."""
    frame = read("binance_btc_options_eoh_20231020_20231023.parquet")
    several = list(at_all_times(frame))
    found = family(several)
    check_laws(found)
    assert len(several) == 680
    assert len(found.densities) >= 662
    assert found.clean >= 435
    assert (found.negative > 0.01).mean() < 0.05
    told = family(several, Known(rate=0.03, rate_error=10.0))
    assert sum(told.reasons.values()) > 2 * sum(found.reasons.values())
