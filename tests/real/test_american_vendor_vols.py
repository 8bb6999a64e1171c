"""A vendor's American volatilities of SPY, 10,240 rows of 32 days, made again: docs/option-data.md.

The second road is the vendor's own: its calls give rate and yield, its puts were not asked.
"""

from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl
import pytest

from eventtape.errors import InputError
from eventtape.sources import read_option_quotes
from eventtape.studies.vendor_vols import vendor_faults, vendor_vols

pytestmark = pytest.mark.real

FILE = "ivolatility_spy_eod_20241202_20250117.parquet"
SOME_DAYS = (dt.date(2024, 12, 10), dt.date(2024, 12, 24), dt.date(2025, 1, 10))
EX_DATES = (dt.date(2024, 12, 20), dt.date(2025, 3, 21))


@pytest.fixture(scope="module")
def quotes(data_folder):
    path = data_folder / "options" / FILE
    if not path.exists():
        pytest.skip(f"no options/{FILE} in the data folder (set EVENTTAPE_DATA)")
    return read_option_quotes(path).frame.with_columns(day=pl.col("ts").dt.date())


@pytest.fixture(scope="module")
def vols(quotes):
    return vendor_vols(quotes)


@pytest.fixture(scope="module")
def plain(vols):
    return own_volatility(vols.rows)


def own_volatility(rows):
    """Rows whose quote has a volatility, of expiries before the second dividend."""
    early = pl.col("expiry").dt.date() < EX_DATES[1]
    return rows.filter(pl.col("vendor_quote_iv").is_not_null(), early)


def quantiles(values):
    return np.quantile(values.to_numpy(), [0.05, 0.25, 0.5, 0.75, 0.95])


def test_three_days_in_short(quotes):
    """Calls to a hundredth of a percentage point of volatility, puts to a tenth, in 24 chains."""
    found = vendor_vols(quotes.filter(pl.col("day").is_in(SOME_DAYS)))
    early = found.chains.filter(pl.col("expiry").dt.date() < EX_DATES[1])
    assert early.height == 20
    assert early["miss"].max() < 5e-5
    rows = own_volatility(found.rows)
    for call, bound, least in ((True, 1e-4, 300), (False, 1e-3, 300)):
        error = rows.filter(pl.col("is_call") == call)["error"]
        assert error.len() > least
        assert (error.abs() < bound).mean() > 0.99


@pytest.mark.slow
def test_two_numbers_price_all_calls_of_a_chain(vols):
    """Calendar days over 365, unadjusted close, mid: 215 chains to two thousandths of a cent."""
    chains = vols.chains.filter(pl.col("expiry").dt.date() < EX_DATES[1])
    assert chains.height == 215
    assert chains["miss"].max() < 5e-5
    assert chains["largest_miss"].max() < 2e-4
    assert 0.043 < chains["rate"].min() < chains["rate"].max() < 0.046
    by_day = chains.group_by("ts").agg(pl.col("rate").max() - pl.col("rate").min())
    assert by_day["rate"].max() < 0.0007  # one curve a day, a rate a date


def test_other_clocks_do_not_price_the_calls(quotes):
    """A day more costs nearly a cent, where calendar days leave a thousandth of one."""
    early = quotes.filter(pl.col("expiry").dt.date() < EX_DATES[1], pl.col("day") == SOME_DAYS[2])
    shifted = early.with_columns(expiry=pl.col("expiry").dt.offset_by("1d"))
    wrong, right = (vendor_vols(frame).chains["miss"].median() for frame in (shifted, early))
    assert right < 2e-5
    assert wrong > 0.005


@pytest.mark.slow
def test_the_yield_is_what_parity_leaves_and_never_negative(vols):
    """After the December dividend parity is above carry and the yield stays at nought.

    Before, parity of the three strikes next to the spot gives the vendor's dividends to cents. That
    the yield is nought to a seventh of a cent in 96 chains says the spot is the unadjusted close.
    """
    gaps, given = [], []
    for row in vols.chains.filter(pl.col("expiry").dt.date() < EX_DATES[1]).to_dicts():
        tau, spot, rate = row["days"] / 365, row["spot"], row["rate"]
        chain = vols.rows.filter(pl.col("ts") == row["ts"], pl.col("expiry") == row["expiry"])
        calls, puts = (chain.filter(pl.col("is_call") == right) for right in (True, False))
        pairs = calls.join(puts, on="strike", suffix="_put").sort((pl.col("strike") - spot).abs())
        near = pairs.head(3)
        C, P, K = (near[name].to_numpy() for name in ("mid", "mid_put", "strike"))
        gaps.append(spot - np.median(K * np.exp(-rate * tau) + C - P))
        given.append(spot * (1.0 - np.exp(-row["dividend_yield"] * tau)))
    gap, paid = np.array(gaps), np.array(given)
    assert (gap < -0.02).sum() == 96
    assert np.abs(paid[gap < -0.02]).max() < 0.0015
    above = gap > 0.02
    assert above.sum() > 100
    assert np.median(np.abs(paid - gap)[above]) < 0.05
    assert np.corrcoef(paid[above], gap[above])[0, 1] > 0.97


@pytest.mark.slow
def test_calls_come_out_to_six_digits(plain):
    error = plain.filter("is_call")["error"]
    assert error.len() == 4143
    assert error.null_count() == 0
    assert error.abs().max() < 2e-6


@pytest.mark.slow
@pytest.mark.parametrize(
    ("low", "high"), [(-0.3, -0.04), (-0.04, 0.0), (0.0, 0.04)], ids=["far", "near", "in"]
)
def test_puts_come_out_to_three_digits(plain, low, high):
    """Not asked for rate and yield; the vendor's early exercise is rougher: up to two cents.

    ``low`` and ``high`` of log(K / S).
    """
    moneyness = (pl.col("strike") / pl.col("underlying_price")).log()
    puts = plain.filter(~pl.col("is_call"), moneyness.is_between(low, high))
    error = puts["error"]
    assert error.len() > 600
    assert error.null_count() == 0
    lowest, _, middle, _, highest = quantiles(error)
    assert abs(middle) < 1.5e-4
    assert max(-lowest, highest) < 6e-4
    assert (error.abs() < 1e-3).mean() > 0.985
    assert error.abs().max() < 0.005


@pytest.mark.slow
def test_greeks_of_the_calls_are_the_vendors(plain):
    """Relative to ours, 5 to 95%: five digits, and the units are those of the docs."""
    calls = plain.filter("is_call")
    for name, bound in (
        ("delta", 2e-5), ("gamma", 2e-4), ("theta", 3e-5), ("vega", 1e-5), ("rho", 5e-5)
    ):  # fmt: skip
        lowest, *_, highest = quantiles((calls[f"vendor_{name}"] / calls[name] - 1.0).drop_nulls())
        assert max(-lowest, highest) < bound, name


@pytest.mark.slow
def test_greeks_of_the_puts_are_near_in_delta_and_gamma_only(plain):
    """Vega and rho of the vendor's puts are a fortieth off, and more where exercise is near."""
    puts = plain.filter(~pl.col("is_call"))
    off = {
        name: (puts[f"vendor_{name}"] / puts[name] - 1.0).abs().median()
        for name in ("delta", "gamma", "theta", "vega", "rho")
    }
    assert off["delta"] < 1e-3
    assert off["gamma"] < 0.005
    assert off["theta"] < 0.005
    assert 0.02 < off["vega"] < 0.03
    assert 0.02 < off["rho"] < 0.03


@pytest.mark.slow
def test_the_expiry_on_an_ex_date_is_another_matter(vols):
    """2025-03-21 settles ex dividend: no rate and yield price its calls on eight days."""
    chains = vols.chains.filter(pl.col("expiry").dt.date() == EX_DATES[1])
    assert chains.height == 32
    off = chains.filter(pl.col("miss") > 0.001)
    days = off["ts"].dt.date().to_list()
    assert (min(days), max(days), len(days)) == (EX_DATES[0], dt.date(2025, 1, 2), 8)
    rest = chains.filter(pl.col("miss") <= 0.001)
    assert 1e-4 < rest["miss"].median() < 4e-4


@pytest.mark.slow
def test_the_vendors_own_faults(vols):
    """A tenth of the rows has a volatility not of its quote; half of these could have none."""
    assert vendor_faults(vols.rows) == {
        "no bid": 137,
        "filled in": 1008,
        "filled in, price below exercise": 542,
        "filled in, price at exercise": 9,
        "filled in, price has a volatility": 457,
        "of these more than 0.01 off": 410,
        "filled in with one value for several strikes": 569,
        "computed where the price has none": 0,
        "delta of the wrong sign or beyond 1": 0,
        "call and put of a strike more than 0.01 apart": 1667,
        "unmoved while the underlying moved 0.5%": 67,
    }


@pytest.mark.slow
def test_the_december_dividend_is_in_the_chains(vols):
    """Spot less prepaid forward falls by 1.8 dollars on the ex-date, of the noise of the marks."""
    before, after = (
        vols.rows.filter(
            pl.col("ts").dt.date() == day, pl.col("expiry").dt.date() < EX_DATES[1]
        ).filter((pl.col("strike") - pl.col("underlying_price")).abs() < 5.0)
        for day in (dt.date(2024, 12, 19), EX_DATES[0])
    )
    paid = []
    for rows in (before, after):
        both = rows.filter("is_call").join(
            rows.filter(~pl.col("is_call")), on=["expiry", "strike"], suffix="_put"
        )
        bond = (-pl.col("rate") * pl.col("days") / 365).exp()
        gap = (
            pl.col("underlying_price") - pl.col("strike") * bond - pl.col("mid") + pl.col("mid_put")
        )
        paid.append(both.select(gap.median()).item())
    assert paid[0] - paid[1] == pytest.approx(1.8, abs=0.2)


def test_a_file_without_the_quotes_own_volatility_is_refused(quotes):
    with pytest.raises(InputError, match="vendor_quote_iv"):
        vendor_vols(quotes.drop("vendor_quote_iv"))
