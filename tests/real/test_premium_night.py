"""Event premiums in real options: a tariff announcement, rate decisions of 2026, quiet days."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import polars as pl
import pytest
from scipy.stats import rankdata

from eventtape.arrays import Status
from eventtape.clock import parse_ns
from eventtape.clock.event_calendar import DatedEvent, event_calendar
from eventtape.estimators.premium.event_premium import event_premium, events_at
from eventtape.estimators.premium.local_median import local_median
from eventtape.estimators.premium.named import through_time
from eventtape.estimators.premium.premium_history import days_left, premium_history
from eventtape.sources import read_option_quotes, read_option_trades
from eventtape.sources.dvol import read_dvol
from eventtape.sources.term_tables import read_term_table
from eventtape.studies.premium import run
from eventtape.studies.premium_rows import PremiumConfig
from eventtape.studies.premium_terms import terms_of_chains, terms_of_table
from eventtape.tape import chains

pytestmark = pytest.mark.real

DAY_NS = 86_400 * 10**9
TARIFF = parse_ns("2025-04-02T20:00Z")


@pytest.fixture(scope="module")
def real(data_folder):
    def real(name):
        path = data_folder / "options" / name
        if not path.exists():
            pytest.skip(f"no options/{name} in the data folder (set EVENTTAPE_DATA)")
        return path

    return real


@pytest.fixture(scope="module")
def april(real):
    """BTC term structures of the snapshots around the announcement."""
    frame = read_option_quotes(real("deribit_btc_chains_20250330_20250613_49snaps.parquet")).frame
    moments = frame["ts"].unique().sort().to_physical().to_list()
    near = [ns for ns in moments if ns < parse_ns("2025-04-07T00:00Z")]
    return terms_of_chains([chains(frame, at=ns, max_age_s=0) for ns in near])


class Trades(NamedTuple):
    """Sizes by trades of one expiry."""

    history: object
    counts: np.ndarray


def by_trade(frame, expiry, base_daily, base_error):
    """The tariff's size after each trade near the money of one expiry: medians of 25."""
    near = frame.filter(
        (pl.col("expiry").cast(pl.Int64) == expiry)
        & ((pl.col("strike") / pl.col("underlying_price")).log().abs() < 0.015)
        & pl.col("vendor_iv").is_not_null()
    ).sort("ts")
    ts = near["ts"].to_physical().to_numpy()
    level = local_median(ts, near["vendor_iv"].to_numpy(), n_trades=25, max_age_ns=6 * 3600 * 10**9)
    history = premium_history(
        ts, level.value, days_left(ts, expiry), base_daily=base_daily, event_ns=TARIFF,
        iv_error=level.error, base_error=base_error,
    )  # fmt: skip
    return Trades(history, level.n_trades)


class Days(NamedTuple):
    """One row a day: what options said of the next one, and what it did; ``(n,)``."""

    at_ns: np.ndarray
    quoted: np.ndarray  # sd by the first expiry's quoted volatility
    base: np.ndarray  # sd without events
    total: np.ndarray  # and with them
    event: np.ndarray  # their size
    move: np.ndarray  # absolute log return of the index


def next_days(frame, events, level=0.95):
    """The first snapshot of each day from 08:00 on, and the index some 24 hours later."""
    (market,) = terms_of_table(frame)
    index = frame.group_by("ts").agg(pl.col("index").first()).sort("ts")
    ts, price = index["ts"].to_physical().to_numpy(), index["index"].to_numpy()
    among = events_at([e.at_ns for e in events], [e.kind for e in events])
    rows, last = [], 0
    for term in market.terms:
        day, hour = term.at_ns // DAY_NS, term.at_ns % DAY_NS // (3600 * 10**9)
        after = int(np.searchsorted(ts, term.at_ns + 20 * 3600 * 10**9))
        if day == last or hour < 8 or after == ts.size:
            continue
        until = int(ts[after])
        if until - term.at_ns > 30 * 3600 * 10**9:
            continue
        fit = event_premium(term, among, level=level)
        if fit.status is not Status.OK:
            continue
        last = day
        ahead = (until - term.at_ns) / DAY_NS
        days = np.concatenate([[0.0], term.days])
        base = np.interp(ahead, days, np.concatenate([[0.0], fit.base_iv**2 * term.days / 365.0]))
        inside = (among.times_ns >= term.at_ns) & (among.times_ns < until)
        size2 = sum(
            max(float(np.nan_to_num(fit.variance[fit.kinds.index(kind)])), 0.0)
            for kind, there in zip(among.kinds, inside, strict=True) if there
        )  # fmt: skip
        now = price[np.searchsorted(ts, term.at_ns)]
        quoted = float(term.iv[0]) * math.sqrt(ahead / 365.0)
        move = abs(math.log(price[after] / now))
        rows.append(
            (term.at_ns, quoted, math.sqrt(base), math.sqrt(base + size2), math.sqrt(size2), move)
        )
    return Days(*np.array(rows).T)


def rank_correlation(x, y):
    return float(np.corrcoef(rankdata(x), rankdata(y))[0, 1])


def blocks_of(n, block, draws, seed):
    """Rows of circular block draws ``(draws, n)``."""
    starts = np.random.default_rng(seed).integers(0, n, (draws, -(-n // block)))
    rows = starts[:, :, None] + np.arange(block)
    return (rows.reshape(draws, -1) % n)[:, :n]


def slope_of(x, y, lags=5):
    """OLS slope and its Newey-West error."""
    X = np.column_stack([np.ones(x.size), x])
    beta, *_ = np.linalg.lstsq(X, y, rcond=None)
    u = X * (y - X @ beta)[:, None]
    S = u.T @ u
    for lag in range(1, lags + 1):
        g = u[lag:].T @ u[:-lag]
        S += (1.0 - lag / (lags + 1)) * (g + g.T)
    bread = np.linalg.inv(X.T @ X)
    return float(beta[1]), float(np.sqrt((bread @ S @ bread)[1, 1]))


@pytest.mark.slow
def test_the_tariff_s_premium_and_its_end(april):
    """Three snapshots before the announcement, the last 5.5 hours before; percent."""
    (row,) = run(april, event_calendar(), PremiumConfig(kinds=("tariff",), history=True)).rows
    assert row.term.at_ns == parse_ns("2025-04-02T14:28:53Z")
    found = 100.0 * np.array(row.found[1:4])
    assert found == pytest.approx([1.84, 1.10, 2.43], abs=0.03)
    fitted = row.series.fitted
    before = fitted.ts_ns < TARIFF
    known = before & np.isfinite(fitted.size)
    assert 100.0 * fitted.size[known][-3:] == pytest.approx([2.07, 2.01, 1.84], abs=0.03)
    assert (fitted.lower[known][-3:] > 0.01).all()
    assert row.series.change.lower < 0.0 < row.series.change.upper  # no trend can be claimed
    assert not np.isfinite(fitted.size[~before]).any()
    assert all(s is Status.NOT_IDENTIFIED for s in row.series.dynamic.statuses[~before])
    assert fitted.ts_ns[~before].size >= 5


@pytest.mark.slow
def test_no_hump_is_left_in_the_day_after(april):
    """A supposed event in the first bucket: there before, less than nothing the day after.

    The day after holds the employment report in its second bucket, and the answers to the tariffs.
    """
    found = {}
    for term in april[0].terms:
        at = (term.at_ns + int(term.expiries_ns[0])) // 2
        fit = event_premium(term, events_at([at], ["supposed"]))
        found[term.at_ns] = fit
    before, after = (found[parse_ns(at)] for at in ("2025-04-02T14:28:53Z", "2025-04-03T11:56:30Z"))
    assert before.statuses[0] is Status.OK
    assert before.lower[0] > 0.01
    assert after.statuses[0] is Status.NOT_RESOLVED
    assert after.variance[0] / after.variance_error[0] < -4.0


@pytest.mark.slow
def test_the_tariff_s_premium_trade_by_trade(april, real):
    """Medians of 25 trades at the money in the expiry of 4 April, on the base of the last fit."""
    frame = read_option_trades(real("deribit_btc_option_trades_20250329_20250406.parquet")).frame
    (row,) = run(april, event_calendar(), PremiumConfig(kinds=("tariff",))).rows
    expiry = parse_ns("2025-04-04T08:00Z")
    (at,) = np.flatnonzero(row.term.expiries_ns == expiry)
    base, low, high = (
        float(x[at]) / math.sqrt(365.0)
        for x in (row.premium.base_iv, row.premium.base_lower, row.premium.base_upper)
    )
    told = by_trade(frame, expiry, base, (high - low) / 3.92)
    history = told.history
    assert 100.0 * base == pytest.approx(2.74, abs=0.03)
    sizes = []
    for moment in ("2025-04-01T00:00Z", "2025-04-02T00:00Z", "2025-04-02T12:00Z",
                   "2025-04-02T19:59Z"):  # fmt: skip
        i = int(np.searchsorted(history.ts_ns, parse_ns(moment), side="right")) - 1
        sizes += [100.0 * x[i] for x in (history.size, history.lower, history.upper)]
        assert told.counts[i] == 25
    want = [1.65, 0.0, 2.75, 0.67, 0.0, 1.94, 1.34, 0.0, 2.10, 1.53, 0.41, 2.13]
    assert sizes == pytest.approx(want, abs=0.05)
    after = history.ts_ns >= TARIFF
    assert np.isnan(history.size[after]).all()
    assert after.sum() > 100


@pytest.mark.slow
@pytest.mark.parametrize(
    ("label", "n", "rank", "slope"),
    [
        ("BTC", 233, (0.248, 0.096, 0.380), (0.790, 0.239)),
        ("ETH", 235, (0.366, 0.235, 0.477), (0.985, 0.273)),
    ],
    ids=["BTC", "ETH"],
)
def test_tomorrow_s_move_by_yesterday_s_fit(real, label, n, rank, slope):
    """Out of sample: sd of the next 24 hours, base and decisions, against what the index did.

    It ranks days, weakly; decisions are five, and add nothing that can be measured.
    """
    frame = read_term_table(real("deribit_atm_term_panel_20251230_20260822.parquet"))
    fomc = [e for e in event_calendar() if e.kind == "fomc"]
    days = next_days(frame.filter(pl.col("label") == label), fomc)
    assert days.move.size == n
    rows = blocks_of(n, 7, 999, 0)
    found = rank_correlation(days.total, days.move)
    ends = np.quantile(
        [rank_correlation(days.total[r], days.move[r]) for r in rows], [0.025, 0.975]
    )
    assert (found, *ends) == pytest.approx(rank, abs=0.01)
    assert ends[0] > 0.0
    mean = math.sqrt(2.0 / math.pi)
    assert slope_of(days.total * mean, days.move) == pytest.approx(slope, abs=0.01)
    assert abs(slope[0] - 1.0) < 1.96 * slope[1]
    assert np.count_nonzero(days.event) == 5
    assert abs(found - rank_correlation(days.base, days.move)) < 0.01


@pytest.mark.slow
def test_quiet_days_hold_no_event(real):
    """Binance, 20 to 23 October 2023, each eight hours: a supposed event on 30 October, 20:00."""
    path = real("binance_btc_options_eoh_20231020_20231023.parquet")
    frame = read_option_quotes(path, bad="drop").frame
    moments = frame["ts"].unique().sort().to_physical().to_list()[::8]
    (market,) = terms_of_chains([chains(frame, at=ns, max_age_s=0) for ns in moments])
    supposed = DatedEvent("supposed", "nothing", parse_ns("2023-10-30T20:00Z"), "")
    z, sizes, uppers = [], [], []
    for term in market.terms:
        fit = event_premium(term, events_at([supposed.at_ns], [supposed.kind]))
        assert fit.lower[0] == 0.0
        assert "not told from no event" in fit.reasons[0]
        z.append(fit.variance[0] / fit.variance_error[0])
        sizes.append(100.0 * fit.size[0])
        uppers.append(100.0 * fit.upper[0])
    assert len(z) == 12
    assert np.abs(z).max() < 1.0
    assert np.median(sizes) == pytest.approx(1.76, abs=0.1)
    assert max(uppers) < 5.0


def test_the_index_s_fall_over_the_election_is_no_more_than_a_bound(real):
    """DVOL looks 30 days ahead: its fall in one day is worth 8.7%, in two 9.9%, in four 11.9%.

    All of a fall is taken for the event, so the longer the window the more of it is the base's.
    """
    frame = read_dvol(real("deribit_dvol_btc_daily.json.gz"))
    by_day = dict(zip(frame["ts"].dt.strftime("%Y-%m-%d"), frame["iv"], strict=True))
    sizes = [
        100.0 * through_time(by_day[f"2024-11-{a}"], by_day[f"2024-11-{b}"], 30.0)
        for a, b in (("05", "06"), ("05", "07"), ("04", "08"))
    ]
    assert sizes == pytest.approx([8.73, 9.90, 11.95], abs=0.01)
