"""Parity on real chains, where one forward must come out of several: that is the second road.

- S&P 500 options and the minis on a tenth of it, one minute: the same forward, the same rate.
- Deribit: coin-settled, so D = index / F and every expiry must give the index, F D.
- American chains: within the American bounds of that minute, or named.
"""

from __future__ import annotations

import datetime as dt
import math
from collections import Counter

import numpy as np
import polars as pl
import pytest

from eventtape.arrays import Status
from eventtape.estimators.pricing.forward import PairFate, forward_from_parity
from eventtape.estimators.pricing.forward_bounds import (
    american_parity_bounds,
    bound_violations,
    parity_violations,
)

pytestmark = pytest.mark.real

YEAR = 365 * 86_400.0
MINUTE = dt.datetime(2023, 9, 14, 16, 31)  # noqa: DTZ001  as the file: New York


@pytest.fixture(scope="module")
def options(data_folder):
    """Read a file of the folder; skips the test where it is absent."""

    def options(name):
        path = data_folder / "options" / name
        if not path.exists():
            pytest.skip(f"no options/{name} in the data folder (set EVENTTAPE_DATA)")
        if name.endswith(".parquet"):
            return pl.read_parquet(path)
        return pl.read_csv(path, infer_schema_length=None)

    return options


def paired(table, *, cp, call, put, bid, ask, strike="strike"):
    """Strikes, call bids and asks, put bids and asks of one expiry."""
    table = table.unique([cp, strike])
    sides = [
        table.filter(pl.col(cp) == value).select(strike, pl.col(bid, ask).name.suffix(str(k)))
        for k, value in enumerate((call, put))
    ]
    both = sides[0].join(sides[1], on=strike, how="full", coalesce=True).sort(strike)
    both = both.select(strike, f"{bid}0", f"{ask}0", f"{bid}1", f"{ask}1").cast(pl.Float64)
    return [column.to_numpy() for column in both]


@pytest.fixture(scope="module")
def cboe(options):
    """(root, expiry) -> tau and quotes; SPX settles at the open of its day, the others at 16:00."""
    table = options("cboe_spx_spy_xsp_20230914T1631ET.parquet")
    table = table.with_columns(root=pl.col("symbol").str.extract(r"^([A-Z]+)\d"))
    chains = {}
    for (root, day), chain in table.group_by("root", "expiration", maintain_order=True):
        tau = (day + dt.timedelta(hours=9.5 if root == "SPX" else 16) - MINUTE).total_seconds()
        if tau > 0.0:
            quotes = paired(chain, cp="cp", call="C", put="P", bid="bid", ask="ask")
            chains[root, day] = tau / YEAR, quotes
    return chains


def test_index_options_and_minis_give_one_forward(cboe):
    """Gaps of SPXW and ten XSP: the numbers that the file of the forward states."""
    fits = {
        key: forward_from_parity(*quotes, tau=tau)
        for key, (tau, quotes) in cboe.items()
        if key[0] != "SPY"
    }
    assert len(fits) == 108
    assert {fit.status for fit in fits.values()} == {Status.OK}
    pairs = [
        (fit, fits["SPXW", day])
        for (root, day), fit in fits.items()
        if root == "XSP" and ("SPXW", day) in fits
    ]
    gaps = np.array([abs(10.0 * mini.forward - full.forward) for mini, full in pairs])
    errors = [math.hypot(10.0 * mini.forward_error, full.forward_error) for mini, full in pairs]
    assert gaps.size == 40
    assert np.median(gaps) == pytest.approx(0.2, abs=0.05)
    assert gaps.max() < 0.5
    assert np.median(errors) == pytest.approx(0.02, abs=0.01)


def test_rates_of_index_options_are_those_of_the_day(cboe):
    """Treasury bills paid 5.5% (3 to 12 months, 14 September 2023); box rates were a little above.

    From three months on: weekly expiries of a few weeks leave the rate open by a percent.
    """
    rates = []
    for (root, _), (tau, quotes) in cboe.items():
        if root in {"SPX", "SPXW"} and 0.25 <= tau <= 1.1:
            rates.append(forward_from_parity(*quotes, tau=tau).rate)
    assert len(rates) > 15
    assert np.median(rates) == pytest.approx(0.0565, abs=0.0015)
    assert max(abs(rate - 0.0565) for rate in rates) < 0.004


def test_parity_violations_of_the_index_are_a_few_cents(cboe):
    """At most 30 pairs of 108 chains, and none by as much as ten cents."""
    total, largest = 0, 0.0
    for (root, _), (tau, quotes) in cboe.items():
        if root != "SPY":
            fit = forward_from_parity(*quotes, tau=tau)
            found = parity_violations(*quotes, fit=fit)
            total, largest = total + found.n_violations, max(largest, found.largest)
    assert 0 < total <= 30
    assert largest < 0.10


def test_american_chain_stays_within_american_bounds_and_fails_parity(cboe):
    """SPY at 450.81, $1.60 a quarter from the next morning on: no bound broken, parity broken."""
    excluded = 0
    for (root, day), (tau, quotes) in cboe.items():
        if root != "SPY":
            continue
        quarters = (day.year - 2023) * 4 + (day.month - 9) // 3
        paid = 1.6 * (quarters + 1)
        bounds = american_parity_bounds(quotes[0], spot=450.81, tau=tau, rate=0.055, dividends=paid)
        assert bound_violations(*quotes, lower=bounds[0], upper=bounds[1]).n_violations == 0
        fit = forward_from_parity(*quotes, tau=tau)
        excluded += int(np.count_nonzero(fit.fates == PairFate.EXCLUDES))
    assert excluded > 300


def test_every_deribit_expiry_gives_the_index(options):
    """540 chains of 49 snapshots: F D against the snapshot's median, in the errors of both."""
    table = options("deribit_btc_chains_20250330_20250613_49snaps.parquet")
    statuses, off, gaps, scales, dropped = Counter(), [], [], [], []
    for _, snapshot in table.group_by("commit", maintain_order=True):
        now = snapshot["commit_time"][0].replace(tzinfo=None)
        found = []
        for (day,), chain in snapshot.group_by("expiration_date", maintain_order=True):
            expiry = dt.datetime.fromisoformat(day) + dt.timedelta(hours=8)
            tau = (expiry - now).total_seconds() / YEAR
            if tau <= 0.0:
                continue
            quotes = paired(
                chain, cp="option_type", call="call", put="put", bid="bid_price_usd",
                ask="ask_price_usd", strike="strike_price",
            )  # fmt: skip
            fit = forward_from_parity(*quotes, tau=tau)
            statuses[fit.status] += 1
            if fit.status is Status.OK:
                scales.append(fit.scale)
                dropped.append(np.count_nonzero(fit.fates == PairFate.OUTLIER) / fit.pairs_used)
                error = fit.discount * fit.forward_error + fit.forward * fit.discount_error
                found.append((fit.forward * fit.discount, error))
        if not found:  # only dailies about to settle
            continue
        index, errors = np.array(found).T
        gap = index - np.median(index)
        off.extend(np.abs(gap) / errors)
        gaps.extend(np.abs(gap) / np.median(index))
    assert statuses.total() == 540
    assert statuses[Status.OK] > 490  # eight imply a rate surely above 30% a year
    assert min(scales) > 0.05  # coin ticks: without their rounding seven chains fit "exactly"
    assert max(dropped) < 0.5
    assert np.median(gaps) < 5e-4
    assert np.mean(np.array(off) < 2.5) > 0.9


def test_index_chain_of_2013(options):
    """1555.25 at the close, some 7 points of dividends to 21 June, bills at 0.1%: about 1548."""
    table = options("rnd_sp500_2013_04_19.csv.gz").sort("strike")
    names = ("strike", "bid.c", "ask.c", "bid.p", "ask.p")
    quotes = [table[name].cast(pl.Float64).to_numpy() for name in names]
    out = forward_from_parity(*quotes, tau=63 / 365)
    assert out.status is Status.OK
    assert out.forward == pytest.approx(1548.0, abs=1.0)
    assert out.discount == pytest.approx(1.0, abs=0.0015)
    assert parity_violations(*quotes, fit=out).n_violations == 0


def test_stock_chain_of_21_expiries(options):
    """AAPL, American, vendor quotes with stale rows: near the money, rate 4%, carry near it.

    Stale deep rows break parity by tens of dollars and are named as violations.
    """
    table = options("oipd_aapl_chain_20251006.csv.gz")
    largest, n = 0.0, 0
    for (day,), chain in table.group_by("expiration", maintain_order=True):
        tau = (dt.date.fromisoformat(day) - dt.date(2025, 10, 6)).days / 365
        quotes = paired(chain, cp="type", call="C", put="P", bid="bid", ask="ask")
        fit = forward_from_parity(
            *quotes, tau=tau, rate=0.04, near_money=0.05, spot=256.69, spot_error=5.0
        )
        n += 1
        assert fit.status in {Status.OK, Status.TOO_FEW}
        assert 0.025 < fit.carry < 0.06
        largest = max(largest, parity_violations(*quotes, fit=fit).largest)
    assert n == 21
    assert largest > 10.0
