"""The statistical claims: a thousand nights with known truth, and as many placebos.

The bands are the project's own targets. A rate of 0.95 over 3,000 numbers has a standard error of
0.4%, so a method at its nominal level fails them about once in ten thousand runs.
"""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor

import pytest

from eventtape.clock import SECOND
from eventtape.simulate import event_night
from eventtape.studies import SIMULATED, Config
from eventtape.studies.calibration import checks_of_night, summarise
from eventtape.studies.leadership_columns import column
from eventtape.studies.leadership_responses import trend_edges
from eventtape.studies.measured import measured
from eventtape.tape.sampling import grid

NIGHTS, FIRST = 1000, 1000  # the seeds before these were used to choose the methods

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def checks():
    """The checks of each night, in the order of the seeds."""
    with ProcessPoolExecutor(2) as pool:
        return list(pool.map(checks_of_night, range(FIRST, FIRST + NIGHTS), chunksize=10))


def by_name(nights):
    table = summarise(check for night in nights for check in night)
    return {(row["quantity"], row["detail"]): row for row in table.to_dicts()}


@pytest.fixture(scope="module")
def rates(checks):
    return by_name(checks)


@pytest.mark.parametrize(
    ("quantity", "detail", "most"),
    [
        ("gap covered", "300 s", 0.97),
        ("gap covered", "600 s", 0.97),
        ("gap covered", "1800 s", 0.98),
        ("gap covered", "3600 s", 0.98),
        ("lag covered", "probability, market", 0.97),
        ("move covered", "gap from the first half, 1800 s", 0.97),
    ],
)
def test_intervals_cover_the_truth(rates, quantity, detail, most):
    """Half an hour and an hour lie over the band (97.1 and 97.6%): docs/validation.md says why."""
    row = rates[quantity, detail]
    assert row["asked"] == 3 * NIGHTS
    assert row["answered"] >= 0.99 * row["asked"]  # refusing is not covering
    assert 0.93 <= row["rate"] <= most


@pytest.mark.parametrize(
    ("quantity", "detail"),
    [
        *(("placebo: gap shown", f"{horizon} s") for horizon in (300, 600, 1800, 3600)),
        ("placebo: link found", "probability, market"),
    ],
)
def test_the_placebo_is_at_its_nominal_rate(rates, quantity, detail):
    row = rates[quantity, detail]
    assert row["asked"] == 3 * NIGHTS
    assert 0.03 <= row["rate"] <= 0.07


def test_leaders_are_named_rightly_and_never_on_the_placebo(rates):
    assert rates["named leader right", "probability, market"]["rate"] >= 0.99
    assert rates["named leader right", "probability, market"]["answered"] >= 0.9 * 3 * NIGHTS
    assert rates["placebo: leader named", "probability, market"]["rate"] <= 0.05


def test_the_usual_shortcuts_cover_less(rates):
    for method in ("hac", "bootstrap"):
        assert rates["gap covered", f"1800 s, overlapping, {method}"]["rate"] < 0.85


def test_leaders_by_every_method_are_right_and_rare_on_placebos(rates):
    """Ticks and one minute have power; a method that only refuses would not get here."""
    for detail, least in (("lead-lag, ticks", 0.9), ("granger, 60 s", 0.2), ("speed, 60 s", 0.3)):
        row = rates["named leader right", detail]
        assert row["rate"] >= 0.97
        assert row["answered"] >= least * row["asked"]
    for name, row in rates.items():
        if name[0] == "placebo: leader named" and "any method" in name[1]:
            assert row["rate_low"] <= 0.05


def test_the_shipped_table_is_this_one(rates, checks):
    """What the report quotes: equal but for nights that another machine rounds the other way.

    A row that was measured on fewer nights says so, and is compared with as many.
    """
    shipped = {(row["quantity"], row["detail"]): row for row in measured()["rates"]}
    assert (measured()["nights"], measured()["first_seed"]) == (NIGHTS, FIRST)
    assert shipped.keys() == rates.keys()
    fewer = {row.get("nights", NIGHTS) for row in shipped.values()}
    again = {n: rates if n == NIGHTS else by_name(checks[:n]) for n in fewer}
    for key, row in shipped.items():
        now = again[row.get("nights", NIGHTS)][key]["rate"]
        if row["rate"] is None:
            assert now is None
        else:
            assert row["rate"] == pytest.approx(now, abs=0.005)


def test_loud_common_news_feigns_shared_trends():
    """No two of these markets are tied for good; on three nights in ten some pair looks so.

    The leader it names did move first. Documented in docs/validation.md from these seeds.
    """
    lags = {"coin": 90.0, "currency": 0.0, "index": 180.0}
    at, config = grid(SIMULATED.start_ns, SIMULATED.end_ns, 60 * SECOND), Config()
    led, nights = [], 0
    for seed in range(1000, 1610):
        tape = event_night(seed).tape
        prices = [column(tape.feed(label), at, 60.0, config) for label in lags]
        named = [e for e in trend_edges(prices, 60.0, config, 499) if e.leader is not None]
        led += named
        nights += bool(named)
    assert len(led) / (3 * 610) == pytest.approx(0.121, abs=0.005)
    assert nights / 610 == pytest.approx(0.303, abs=0.01)
    assert all(lags[e.leader] < lags[e.follower] for e in led)
