"""Term structures of known truth: what was put in comes out of them by plain arithmetic."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import polars as pl
import pytest

from eventtape.arrays import Status
from eventtape.clock import format_ns, parse_ns
from eventtape.errors import InputError
from eventtape.simulate.option_listing import listed_expiries
from eventtape.simulate.premium_frame import simulated_premium
from eventtape.studies.densities import run
from eventtape.tape import chains, times_ns

YEAR_NS = 365 * 86_400 * 10**9


@pytest.fixture(scope="module")
def made():
    return simulated_premium(3)


def snapshot(made, i):
    return made.terms.filter(pl.col("ts") == made.terms["ts"].unique().sort()[i])


def total_variance(rows, iv):
    return iv**2 * (rows["expiry"].to_physical().to_numpy() - times_ns(rows)) / YEAR_NS


def test_the_same_seed_the_same_numbers(made):
    again, other = simulated_premium(3), simulated_premium(4)
    for name in ("terms", "odds", "spot", "quotes"):
        assert getattr(made, name).equals(getattr(again, name))
        assert not getattr(made, name).equals(getattr(other, name))


def test_what_is_there(made):
    times = times_ns(made.spot)
    assert times.size == 45
    assert format_ns(int(times[0])) == "2000-12-29T12:00:00Z"
    assert format_ns(int(times[39])) == "2001-02-06T12:00:00Z"
    assert np.array_equal(times, made.made.times_ns)
    assert np.array_equal(times, times_ns(made.odds))
    assert made.terms.columns == ["ts", "label", "expiry", "iv", "error", "forward", "index"]
    assert made.terms.height == made.made.iv.size
    assert [event.kind for event in made.events[:4]] == ["fomc", "election", "fomc", "fomc"]
    assert all(a.at_ns < b.at_ns for a, b in pairwise(made.events))


def test_the_size_is_what_the_truth_without_noise_jumps_by(made):
    """The variance of one day more, before and after the vote alone, on its last mornings."""
    clean = made.terms.with_columns(pl.Series("iv", made.made.iv))
    rows = clean.filter(pl.col("ts") == clean["ts"].unique().sort()[39])
    w = total_variance(rows, rows["iv"].to_numpy())
    T = (rows["expiry"].to_physical().to_numpy() - times_ns(rows)) / YEAR_NS
    v, theta, kappa = made.made.base_variance[39], 0.25, 6.0
    base = theta * T + (v - theta) * (1.0 - np.exp(-kappa * T)) / kappa
    jumps = w - base
    size, fomc = made.made.size[39], made.made.fomc_size
    assert jumps[:2] == pytest.approx([size**2] * 2, abs=1e-12)  # 7 and 8 February
    assert jumps[2] == pytest.approx(size**2 + fomc**2, abs=1e-12)  # 9 February
    assert jumps[-1] == pytest.approx(size**2 + 8 * fomc**2, abs=1e-12)


def test_the_friday_after_the_vote_is_listed_all_along(made):
    held = made.terms.filter(pl.col("expiry").dt.strftime("%F %R") == "2001-02-09 08:00")
    assert held["ts"].to_list() == made.spot["ts"].to_list()[:42]


def test_after_the_vote_nothing_of_it_is_left(made):
    assert np.isnan(made.made.size[40:]).all()
    assert np.isfinite(made.made.size[:40]).all()
    before, after = snapshot(made, 39), snapshot(made, 40)
    assert before["iv"][0] > 1.0
    assert after["iv"].max() < 0.7
    assert set(made.odds["probability"][40:]) <= {0.0, 1.0}


def test_noise_is_of_the_size_it_says(made):
    noise = made.terms["iv"].to_numpy() - made.made.iv
    assert noise.std() == pytest.approx(0.0035, rel=0.1)
    assert abs(noise.mean()) < 0.0006
    assert made.terms["error"].unique().to_list() == [0.0035]
    assert np.array_equal(simulated_premium(3, noise=0.0).terms["iv"], made.made.iv)


def test_changes_of_size_and_odds_have_the_correlation_asked_for():
    """Of 2,000 days: the standard error is 0.015."""
    long = simulated_premium(5, before=250, correlation=0.6)
    parts = [long] + [simulated_premium(seed, before=250, correlation=0.6) for seed in range(6, 13)]
    changes = [
        (np.diff(one.made.size[:250]), np.diff(one.odds["probability"].to_numpy()[:250]))
        for one in parts
    ]
    size, odds = (np.concatenate(columns) for columns in zip(*changes, strict=True))
    assert np.corrcoef(size, odds)[0, 1] == pytest.approx(0.6, abs=0.06)
    assert size.std() == pytest.approx(0.003, rel=0.1)


def test_the_quotes_are_chains_of_that_day_s_expiries(made):
    found = chains(made.quotes)
    rows = made.terms.filter(pl.col("ts") == made.quotes["ts"][0])
    assert format_ns(found[0].at_ns) == "2001-01-27T12:00:00Z"
    assert [chain.expiry_ns for chain in found] == rows["expiry"].to_physical().to_list()
    for chain in found:
        assert chain.strikes.min() < rows["forward"][0] < chain.strikes.max()
    assert set(made.quotes["settlement"]) == {"cash"}


def test_the_density_of_the_quotes_has_the_volatility_at_the_money(made):
    """The expiry before the vote, the one after it and the month after that."""
    ts = made.quotes["ts"][0]
    true = made.terms.with_columns(pl.Series("iv", made.made.iv)).filter(pl.col("ts") == ts)
    chosen = [chain for chain in chains(made.quotes) if chain.tau < 60 / 365][3:6]
    fitted = run(chosen).chains
    assert [one.status for one in fitted] == [Status.OK] * 3
    iv = dict(zip(true["expiry"].to_physical(), true["iv"], strict=True))
    for one in fitted:
        assert one.atm_vol == pytest.approx(iv[one.expiry_ns], abs=0.002)
    assert fitted[1].atm_vol > fitted[0].atm_vol + 0.05


def test_the_price_starts_at_100_and_moves_by_the_vote(made):
    price = made.spot["price"].to_numpy()
    assert price[0] == 100.0
    assert abs(np.log(price[40] / price[39]) - made.made.move) < 5 * 0.5 / 365**0.5
    assert made.terms.group_by("ts", maintain_order=True).first()["index"].to_list() == list(price)


@pytest.mark.parametrize(
    "options",
    [{"before": 1}, {"after": -1}, {"quotes_before": 40}, {"size": 0.0}, {"correlation": 1.1}],
    ids=["before", "after", "quotes", "size", "correlation"],
)
def test_nonsense_is_refused(options):
    with pytest.raises(InputError):
        simulated_premium(1, **options)


def test_listing_of_the_seed_s_day():
    """5 October 2024: 8 and 29 November, 27 December, and the last Fridays of the quarters."""
    listed = [format_ns(int(ns))[:10] for ns in listed_expiries(parse_ns("2024-10-05T00:00Z"))]
    assert listed == [
        "2024-10-05",
        "2024-10-06",
        "2024-10-07",
        "2024-10-11",
        "2024-10-18",
        "2024-10-25",
        "2024-11-29",
        "2024-12-27",
        "2025-03-28",
        "2025-06-27",
        "2025-09-26",
    ]


@pytest.mark.parametrize("at", ["2024-12-27T07:59:59Z", "2024-12-27T08:00Z", "2024-12-31T23:00Z"])
def test_listings_rise_and_lie_ahead(at):
    listed = listed_expiries(parse_ns(at))
    assert (np.diff(listed) > 0).all()
    assert listed[0] > parse_ns(at)
    assert ("2024-12-27" in {format_ns(int(ns))[:10] for ns in listed}) == (at < "2024-12-27T08")
    months = {format_ns(int(ns))[:7] for ns in listed}
    assert {"2025-03", "2025-06", "2025-09"} <= months
    assert ("2025-12" in months) == (at >= "2024-12-27T08")
