"""The study as a whole: it finds what is there, and refuses where it must."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from eventtape.arrays import Status
from eventtape.clock import SECOND
from eventtape.errors import InputError
from eventtape.simulate import MarketTruth, event_night
from eventtape.studies import SIMULATED, Config, diffusion
from eventtape.studies.calibration import Check, checks_of_night, summarise
from eventtape.studies.contract import contract, tables
from eventtape.studies.findings import findings, minutes
from eventtape.tape import Tape

QUICK = Config(placebo_runs=0, rolling_s=1e6)  # the leadership section has its own tests


def with_feed(tape, label, **changes):
    feeds = tuple(f._replace(**changes) if f.label == label else f for f in tape.feeds)
    return Tape(feeds, tape.simulated)


def rows(result, market):
    return {row.horizon_s: row for row in result.gaps if row.market == market}


def test_known_gaps_and_lags_are_found(simulated_result):
    """Seed 3: gaps .12, -.03, .03, 0 and lags 90, 0, 180 s; the interval must hold each."""
    truth = {"coin": 0.12, "currency": -0.03, "index": 0.03, "oil": 0.0}
    for market, gap in truth.items():
        headline = rows(simulated_result, market)[1800.0].estimate
        assert headline.lower <= gap <= headline.upper
    pairs = {(r.first, r.second): r for r in simulated_result.lead_lags}
    assert pairs["event", "coin"].leader == "event"
    assert abs(pairs["event", "coin"].lag_s - 90.0) < 10.0
    assert abs(pairs["event", "index"].lag_s - 180.0) < 10.0
    assert pairs["event", "currency"].leader is None  # at once: nobody leads
    assert pairs["event", "currency"].status is Status.NOT_RESOLVED


def test_no_horizon_and_no_lag_inside_the_clocks_doubt():
    tape = with_feed(event_night(3).tape, "event", stamp_uncertainty_ns=300 * SECOND)
    result = diffusion(tape, SIMULATED, QUICK)
    for row in result.gaps:
        assert (row.status is Status.NOT_RESOLVED) == (row.horizon_s <= 300.0)
        assert math.isnan(row.estimate.gap) == (row.status is not Status.OK)
    assert all(r.leader is None for r in result.lead_lags if r.first == "event")


def test_a_coarse_market_is_studied_on_its_own_grid():
    tape = event_night(3).tape
    bars = tape.feed("coin").frame.group_by_dynamic("ts", every="5m", label="right").agg(
        pl.col("symbol").first(), pl.col("price").last(), pl.col("size").sum(),
        pl.col("side").last(), pl.col("trade_id").last(),
    )  # fmt: skip
    coarse = with_feed(tape, "coin", frame=bars, stamp_uncertainty_ns=300 * SECOND)
    result = diffusion(coarse, SIMULATED, QUICK)
    found = rows(result, "coin")[1800.0].estimate
    assert found.n_rows < 100
    assert found.lower <= 0.12 <= found.upper


def test_the_first_minute_is_seen_from_what_was_known_before_it():
    """A quote stamped just before the window is what the window opens with."""
    tape = event_night(3).tape
    early = tape.feed("event").frame.with_columns(
        pl.when(pl.int_range(pl.len()) == 0)
        .then(pl.lit(SIMULATED.start_ns - SECOND, pl.Int64).cast(pl.Datetime("ns", "UTC")))
        .otherwise(pl.col("ts"))
        .alias("ts")
    )
    result = diffusion(with_feed(tape, "event", frame=early), SIMULATED, QUICK)
    assert np.isfinite(result.paths[0].implied[1])
    assert result.inputs[0].rows == early.height - 1


def test_a_probability_that_stands_still_identifies_nothing():
    tape = event_night(3).tape
    still = tape.feed("event").frame.with_columns(pl.lit(0.5).alias("probability"))
    result = diffusion(with_feed(tape, "event", frame=still), SIMULATED, QUICK)
    assert {row.status for row in result.gaps} == {Status.NOT_IDENTIFIED}
    assert {score.status for score in result.scores} == {Status.NOT_IDENTIFIED}
    linked = [r for r in result.lead_lags if r.first == "event"]
    assert {r.status for r in linked} == {Status.NOT_IDENTIFIED}
    assert "NaN" not in json.dumps(contract(result), allow_nan=False)


def test_control_that_is_the_market_leaves_no_gap():
    """Holding a twin of the market fixed, nothing is left to explain."""
    markets = (
        MarketTruth("coin", 0.12, 0.0, bounce=0.0, tick_s=2.0),
        MarketTruth("twin", 0.12, 0.0, volatility=0.0002, bounce=0.0, tick_s=2.0),
    )
    tape = event_night(11, markets=markets).tape
    free = rows(diffusion(tape, SIMULATED, QUICK), "twin")[1800.0].estimate
    held = rows(diffusion(tape, SIMULATED, replace(QUICK, controls=("coin",))), "twin")[
        1800.0
    ].estimate
    assert free.lower <= 0.12 <= free.upper
    assert abs(held.gap) < abs(free.gap)
    assert held.identifying_share < free.identifying_share


@pytest.mark.parametrize("label", ["event", "coarse"])
def test_a_control_is_a_market_as_fine_as_the_grid(label):
    tape = event_night(3).tape
    coarse = tape.feed("oil")._replace(label="coarse", stamp_uncertainty_ns=300 * SECOND)
    tape = Tape((*tape.feeds, coarse), simulated=True)
    with pytest.raises(InputError, match="control"):
        diffusion(tape, SIMULATED, replace(QUICK, controls=(label,)))


def test_controls_leave_the_scorecard_alone():
    """The move that happened is the whole move, so the gap that predicts it is the whole gap."""
    tape = event_night(3).tape
    free, held = (diffusion(tape, SIMULATED, replace(QUICK, controls=c)) for c in ((), ("oil",)))
    assert free.scores == held.scores
    np.testing.assert_array_equal(free.paths[0].implied, held.paths[0].implied)


def test_a_lags_interval_holds_what_late_stamps_may_hide():
    """Quotes stamped up to 60 s late: the interval, widened by that, still holds the true lag."""
    markets = (MarketTruth("coin", 0.12, 90.0), MarketTruth("index", 0.03, -150.0))
    for seed in range(6):
        night = event_night(seed, markets=markets, quote_delay_s=60.0)
        assert night.tape.feed("event").stamp_uncertainty_ns == 60 * SECOND
        for row in diffusion(night.tape, SIMULATED, QUICK).lead_lags[:2]:
            truth = next(m.lag_s for m in markets if m.label == row.second)
            lower, upper = row.lower, row.upper
            if row.leader == row.second:
                lower, upper = -upper, -lower
            assert lower <= truth <= upper
            assert row.leader is None or row.lower > 0.0


def test_a_feed_that_stops_early_is_not_scored():
    tape = event_night(3).tape
    split = pl.lit((SIMULATED.start_ns + SIMULATED.end_ns) // 2, pl.Int64)
    short = tape.feed("coin").frame.filter(pl.col("ts") <= split.cast(pl.Datetime("ns", "UTC")))
    result = diffusion(with_feed(tape, "coin", frame=short), SIMULATED, QUICK)
    score = next(s for s in result.scores if s.market == "coin" and s.sample == "out")
    assert score.status is Status.TOO_FEW
    assert math.isnan(score.realised)
    assert math.isnan(score.predicted)


def test_measured_coverage_is_quoted_only_where_it_was_measured(simulated_result):
    assert all(0.5 < c.measured_coverage <= 1.0 for c in simulated_result.comparisons)
    for other in (
        replace(QUICK, lead_s=0.0),
        replace(QUICK, level=0.9),
        replace(QUICK, headline_s=600.0),
    ):
        result = diffusion(event_night(3).tape, SIMULATED, other)
        assert all(math.isnan(c.measured_coverage) for c in result.comparisons)


def test_what_is_refused_is_refused_in_every_table():
    tape = with_feed(event_night(3).tape, "event", stamp_uncertainty_ns=1800 * SECOND)
    result = diffusion(tape, SIMULATED, QUICK)
    assert {row.status for row in result.comparisons} == {Status.NOT_RESOLVED}
    assert {row.curve.status for row in result.responses} == {Status.NOT_RESOLVED}
    assert {score.status for score in result.scores} == {Status.NOT_RESOLVED}
    refused = next(g for g in result.gaps if g.horizon_s == 600.0)
    assert (refused.estimate.n_rows, math.isnan(refused.estimate.effective_rows)) == (0, True)


def test_the_score_knows_nothing_of_the_scored_window():
    """Whatever the market does after the split, the out-of-sample prediction is the same."""
    tape = event_night(3).tape
    split = pl.lit((SIMULATED.start_ns + SIMULATED.end_ns) // 2, pl.Int64)
    after = pl.col("ts") > split.cast(pl.Datetime("ns", "UTC"))
    wild = tape.feed("coin").frame.with_columns(
        pl.when(after).then(pl.col("price") * 1.5).otherwise(pl.col("price")).alias("price")
    )
    one = diffusion(tape, SIMULATED, QUICK)
    two = diffusion(with_feed(tape, "coin", frame=wild), SIMULATED, QUICK)
    a, b = (
        next(s for s in r.scores if s.market == "coin" and s.sample == "out") for r in (one, two)
    )
    assert (a.predicted, a.lower, a.upper) == (b.predicted, b.lower, b.upper)
    assert b.realised == pytest.approx(a.realised + math.log(1.5))


def test_scored_moves_are_the_markets_own(simulated_result):
    night = event_night(3)
    split = (SIMULATED.start_ns + SIMULATED.end_ns) // 2
    for score in simulated_result.scores:
        frame = night.tape.feed(score.market).frame
        times, price = frame["ts"].dt.epoch("ns").to_numpy(), frame["price"].to_numpy()
        last = [price[times <= t][-1] for t in (split, SIMULATED.end_ns)]
        assert score.realised == pytest.approx(math.log(last[1] / last[0]), abs=1e-12)


def test_missing_primary_or_markets_is_an_error():
    tape = event_night(3).tape
    with pytest.raises(InputError, match="wanted one of"):
        diffusion(Tape(tape.feeds[1:], simulated=True), SIMULATED, QUICK)
    with pytest.raises(InputError, match="at least one market"):
        diffusion(Tape(tape.feeds[:1], simulated=True), SIMULATED, QUICK)
    later = replace_window(SIMULATED, 10**18)
    with pytest.raises(InputError, match="inside the event's window"):
        diffusion(tape, later)


def replace_window(event, shift):
    return event._replace(start_ns=event.start_ns + shift, end_ns=event.end_ns + shift)


def test_every_finding_has_its_number(simulated_result):
    said = findings(simulated_result)
    for market in ("coin", "currency", "index", "oil"):
        headline = rows(simulated_result, market)[1800.0].estimate
        text = next(f.text for f in said if f.text.startswith(f"{market}: "))
        assert f"{headline.gap * 100:+.2f}%" in text
        assert f"{headline.lower * 100:+.2f}% to {headline.upper * 100:+.2f}%" in text
        assert ("includes zero" in text) == (headline.lower <= 0.0 <= headline.upper)
    assert all("nan" not in f.text.lower() for f in said)


def test_tables_say_what_the_contract_says(simulated_result):
    said, flat = contract(simulated_result), tables(simulated_result)
    assert flat["gaps"]["gap"].to_list() == [row["gap"] for row in said["gaps"]]
    assert flat["lead_lag"]["leader"].to_list() == [row["leader"] for row in said["lead_lag"]]
    assert all(not frame.is_empty() for frame in flat.values())


def test_config_refuses_what_makes_no_sense():
    with pytest.raises(InputError, match="headline horizon"):
        Config(headline_s=7.0)
    with pytest.raises(InputError, match="between 0 and 1"):
        replace(Config(), level=95.0)
    for wrong, words in (
        ({"step_s": 0.0}, "step_s above 0"),
        ({"n_draws": 0}, "n_draws above 0"),
        ({"n_draws": 10}, "more draws"),
        ({"level": 0.9999}, "more draws"),
        ({"lag_step_s": 0.0}, "lag_step_s above 0"),
        ({"lag_step_s": 900.0}, "within the reach"),
        ({"horizons_s": (1800.0, 61.0)}, "whole steps"),
        ({"lead_s": -1.0}, "lead_s"),
    ):
        with pytest.raises(InputError, match=words):
            Config(**wrong)


@pytest.mark.parametrize(("seconds", "words"), [(60.0, "60 s"), (90.0, "90 s"), (300.0, "5 min")])
def test_horizons_in_words(seconds, words):
    assert minutes(seconds) == words


def test_summary_of_checks_is_arithmetic():
    checks = [Check("a", "b", 0.95, answered=True, held=k < 9) for k in range(10)]
    checks.append(Check("a", "b", 0.95, answered=False, held=True))
    row = summarise(checks).to_dicts()[0]
    assert (row["rate"], row["answered"], row["asked"]) == (0.9, 10, 11)
    # Wilson: 0.9 of 10 at 95%, by hand
    assert row["rate_low"] == pytest.approx(0.5958, abs=1e-4)
    assert row["rate_high"] == pytest.approx(0.9821, abs=1e-4)


def test_a_night_is_checked_whole():
    checks = checks_of_night(1)
    asked = {check.quantity for check in checks}
    assert asked == {
        "gap covered",
        "lag covered",
        "named leader right",
        "move covered",
        "placebo: gap shown",
        "placebo: link found",
        "placebo: leader named",
    }
    assert checks == checks_of_night(1)
