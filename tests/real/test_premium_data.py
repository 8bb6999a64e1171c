"""The volatility panel, the index history, the calendar: what the study of premiums stands on."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from eventtape.clock import format_ns, parse_ns
from eventtape.clock.event_calendar import event_calendar, events_between
from eventtape.simulate.option_listing import listed_expiries
from eventtape.sources.dvol import read_dvol
from eventtape.sources.term_tables import read_term_rows
from eventtape.tape import times_ns

pytestmark = pytest.mark.real

DAY_NS = 86_400 * 10**9


@pytest.fixture(scope="module")
def real(data_folder):
    def real(name):
        path = data_folder / "options" / name
        if not path.exists():
            pytest.skip(f"no options/{name} in the data folder (set EVENTTAPE_DATA)")
        return path

    return real


@pytest.fixture(scope="module")
def panel(real):
    return read_term_rows(real("deribit_atm_term_panel_20251230_20260822.parquet"))


def test_the_panel_has_931_snapshots_of_two_coins(panel):
    frame, report = panel
    counts = frame.group_by("label").agg(pl.len(), pl.col("ts").n_unique().alias("n")).sort("label")
    assert counts.rows() == [("BTC", 9571, 931), ("ETH", 9532, 931)]
    assert (report.rows, report.kept, report.dropped, report.noted) == (19_103, 19_103, {}, {})
    assert frame["iv"].is_between(0.09, 1.8).all()
    assert frame["error"].null_count() == frame.height
    assert frame["forward"].null_count() == 91
    assert frame["index"].null_count() == 0


def test_every_expiry_of_the_panel_is_at_eight(panel):
    assert (panel.frame["expiry"].dt.strftime("%H:%M:%S.%f") == "08:00:00.000000000").all()


def test_the_statements_of_2026_in_the_panel_s_span(panel):
    start, end = (int(times_ns(panel.frame)[i]) for i in (0, -1))
    inside = events_between(event_calendar(), start, end, ["fomc"])
    assert [format_ns(event.at_ns, seconds=False) for event in inside] == [
        "2026-01-28T19:00Z",
        "2026-03-18T18:00Z",
        "2026-04-29T18:00Z",
        "2026-06-17T18:00Z",
        "2026-07-29T18:00Z",
    ]


def test_the_listing_rule_is_the_exchange_s(panel):
    """Past the dailies, every expiry the rule lists is in every snapshot of BTC."""
    frame = panel.frame.filter(pl.col("label") == "BTC")
    absent, listed = 0, 0
    for (at,), rows in frame.group_by("ts"):
        ns = parse_ns(at.isoformat())
        known = rows["expiry"].to_physical().to_numpy()
        rule = listed_expiries(ns)
        later = rule[rule > ns + 5 * DAY_NS]
        absent += int((~np.isin(later, known)).sum())
        listed += later.size
    assert listed > 7 * 931
    assert absent == 0


def test_the_index_fell_by_fifteen_points_over_the_election(real):
    """64.97 on 4 November 2024 and 49.85 on the 8th, as the data folder's notes say."""
    frame = read_dvol(real("deribit_dvol_btc_daily.json.gz"))
    assert frame["ts"].is_sorted()
    assert frame["ts"].n_unique() == frame.height > 1000
    by_day = dict(zip(frame["ts"].dt.strftime("%Y-%m-%d"), frame["iv"], strict=True))
    assert by_day["2024-11-04"] == pytest.approx(0.6497, abs=1e-12)
    assert by_day["2024-11-08"] == pytest.approx(0.4985, abs=1e-12)
