"""Who moved first among real prices: the numbers of ``docs/leadership.md``, and what they refuse.

Bars are stamped by their end here. Event days are 5 and 6 November 2024, ordinary days the twenty
sessions before them.
"""

from __future__ import annotations

from datetime import date

import polars as pl
import pytest

from eventtape.clock import sessions_before
from eventtape.frames import granger_table, group_table, lead_lag_table, resolution_table
from eventtape.frames import speed_table as speeds_of
from eventtape.frames.price_panel import price_panel
from eventtape.studies.panel_leadership import run
from eventtape.studies.panel_leadership_rows import LeadershipConfig

pytestmark = pytest.mark.real

TIME = pl.Datetime("ns", "UTC")
EVENT = [date(2024, 11, 5), date(2024, 11, 6)]
FUNDS = ("SPY", "QQQ", "XLK")
DAY = pl.col("ts").dt.convert_time_zone("America/New_York").dt.date()


@pytest.fixture(scope="module")
def names(data_folder):
    """Closes of the 13 names at 5 minutes on the 22 days, wide."""
    file = data_folder / "equities/polygon_5m_ext_utc_13names_2024-10_2024-11.parquet"
    if not file.is_file():
        pytest.skip(f"no file {file}")
    bars = pl.read_parquet(file).pivot("symbol", index="datetime", values="close")
    end = pl.col("datetime").cast(TIME) + pl.duration(minutes=5)
    wide = bars.sort("datetime").select(end.alias("ts"), pl.exclude("datetime"))
    ordinary = sessions_before("2024-11-05", 20).date.astype(object).tolist()
    return wide.filter(DAY.is_in([*ordinary, *EVENT]))


@pytest.fixture(scope="module")
def studies(names):
    """The study of the event days and of the ordinary ones."""
    singles = tuple(name for name in names.columns[1:] if name not in FUNDS)
    config = LeadershipConfig(
        market="SPY",
        groups=(("funds", FUNDS), ("single names", singles)),
        calendar="XNYS",
        resolution=(1, 2, 6),
    )
    event = names.filter(DAY.is_in(EVENT))
    return {
        "event": run(event, config),
        "ordinary": run(names.filter(~DAY.is_in(EVENT)), config),
    }


def test_no_two_companies_share_a_trend(studies):
    """Refusals only: on ordinary days every pair, the funds among them, for want of a trend."""
    assert studies["ordinary"].sessions == 20
    assert studies["event"].sessions == 2
    for study in studies.values():
        assert study.pairs.height == 78
        assert study.pairs["leader"].null_count() == 78
        assert study.resolution["leader"].null_count() == study.resolution.height
    assert set(studies["ordinary"].pairs["reason"]) == {"no common trend found"}


def test_nobody_can_be_told_to_move_before_or_after_spy(studies):
    ordinary, event = studies["ordinary"].speeds, studies["event"].speeds
    assert ordinary["leader"].null_count() == event["leader"].null_count() == 12
    assert ordinary["speed"].drop_nulls().len() == 11
    refused = ordinary.filter(pl.col("speed").is_null())
    assert refused["name"].to_list() == ["UNH"]
    assert refused["reason"].to_list() == ["no long-run response"]
    assert event["speed"].drop_nulls().len() == 2  # two days are too few for most
    qqq = ordinary.filter(name="QQQ").row(0, named=True)
    found = [qqq[k] for k in ("lead", "lead_lower", "lead_upper")]
    assert found == pytest.approx([-0.013, -0.061, 0.043], abs=0.01)
    costco = ordinary.filter(name="COST").row(0, named=True)
    found = [costco[k] for k in ("lead", "lead_lower", "lead_upper", "lead_q")]
    assert found == pytest.approx([-0.259, -0.410, -0.093, 0.320], abs=0.01)


def test_the_rest_of_the_panel_is_quiet_too(studies):
    for study in studies.values():
        assert not study.granger["found"].any()
        assert study.rank["cointegrated"][0] is False
        assert study.placebo.filter(method="pairs")["named"][0] == 0
        assert study.placebo["named"].max() <= 2
    total = studies["ordinary"].spillovers.row(0, named=True)
    found = [total[k] for k in ("total_corrected", "total_lower", "total_upper")]
    assert found == pytest.approx([0.58, 0.53, 0.615], abs=0.01)


def test_funds_and_single_names_are_as_fast_as_each_other(studies):
    row = studies["ordinary"].group_differences.row(0, named=True)
    assert (row["first"], row["second"], row["found"]) == ("funds", "single names", False)
    found = [row[k] for k in ("difference", "lower", "upper")]
    assert found == pytest.approx([0.042, -0.062, 0.133], abs=0.01)


def test_event_days_cannot_be_told_from_ordinary_ones(names):
    panel = price_panel(names, calendar="XNYS")
    days = pl.Series(panel.ts).cast(TIME).dt.convert_time_zone("America/New_York").dt.date()
    label = ["event" if day in EVENT else "ordinary" for day in days]
    groups = {"funds": ["QQQ", "XLK"]}
    for lags, want in ((1, (0.123, -0.083, 0.335)), (4, (0.272, -0.491, 1.267))):
        found = group_table(panel, ["SPY"], groups, regimes=label, lags=lags)
        row = found.between_regimes.row(0, named=True)
        assert (row["first"], row["second"], row["found"]) == ("event", "ordinary", False)
        got = [row[k] for k in ("difference", "lower", "upper")]
        assert got == pytest.approx(want, abs=0.02)


@pytest.fixture(scope="module")
def spy_and_nq(data_folder):
    """Closes of both at the end of each minute that both have, regular hours."""
    spy = data_folder / "equities/SPY_1m_rth_utc_2024-10_2024-11.parquet"
    nq = data_folder / "futures/NQ1_1m_24h_ratio_backadj.parquet"
    for file in (spy, nq):
        if not file.is_file():
            pytest.skip(f"no file {file}")
    end = pl.duration(minutes=1)
    one = pl.read_parquet(spy).select(ts=pl.col("timestamp").cast(TIME) + end, SPY="close")
    two = pl.read_parquet(nq).select(ts=pl.col("time").cast(TIME) + end, NQ="close")
    return one.join(two, on="ts").sort("ts")


def test_spy_and_nq_share_no_trend_at_any_step(spy_and_nq):
    """Two indices: they move together and still drift apart for good."""
    assert spy_and_nq.height == 5474
    table = resolution_table(spy_and_nq, (1, 5, 30), calendar="XNYS")
    assert table["step_s"].to_list() == [60.0, 300.0, 1800.0]
    assert set(table["reason"]) == {"no common trend found"}
    assert table["leader"].null_count() == 3
    assert table["correlation"].to_list() == pytest.approx([0.899, 0.929, 0.929], abs=0.005)


def test_spy_and_nq_move_in_the_same_minute(spy_and_nq):
    row = speeds_of(spy_and_nq, ["SPY"], calendar="XNYS").row(0, named=True)
    found = [row[k] for k in ("lead", "lead_lower", "lead_upper")]
    assert found == pytest.approx([0.008, -0.021, 0.037], abs=0.005)
    assert row["leader"] is None
    assert not granger_table(spy_and_nq, calendar="XNYS")["found"].any()


def test_no_day_names_a_leader_of_spy_and_nq_from_minute_stamps(spy_and_nq):
    """Day by day, so that no night is a tick: where there is a lag, it is within the stamp."""
    for _, day in spy_and_nq.group_by(DAY.alias("day"), maintain_order=True):
        ticks = day.unpivot(
            index="ts", on=["SPY", "NQ"], variable_name="symbol", value_name="price"
        )
        row = lead_lag_table(ticks, reach_s=600.0, step_s=20.0, n_draws=199).row(0, named=True)
        assert row["leader"] is None
        if row["lag_s"] is not None:
            assert -60.0 <= row["lower"] <= 0.0 <= row["upper"] <= 60.0
