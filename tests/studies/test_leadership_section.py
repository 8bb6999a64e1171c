"""Who moves first: right where it is known, silent where nobody does, refused where it must be."""

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
from eventtape.estimators.discovery.false_discovery import adjusted
from eventtape.estimators.discovery.refusals import Reason
from eventtape.simulate import MarketTruth, event_night
from eventtape.studies import SIMULATED, Config, diffusion
from eventtape.studies.contract import contract, tables
from eventtape.studies.diffusion_answers import lead_lag_row
from eventtape.studies.findings import findings
from eventtape.studies.leadership import enough_draws, leadership
from eventtape.studies.leadership_columns import HIDDEN, Column, column, longest_run
from eventtape.studies.leadership_edges import lead_lag_edges
from eventtape.studies.leadership_findings import q_words, trend_caution
from eventtape.studies.leadership_placebo import shuffled, wilson
from eventtape.studies.leadership_responses import trend_edges
from eventtape.studies.leadership_rows import METHODS
from eventtape.tape import Tape
from eventtape.tape.sampling import as_of, grid, levels

QUICK = Config(placebo_runs=0, rolling_s=1e6, n_draws=199)
LAGS = {"event": 0.0, "coin": 90.0, "currency": 0.0, "index": 180.0}


@pytest.fixture(scope="module")
def found(simulated_result):
    return simulated_result.leadership


def of(found, method, step=None):
    return [e for e in found.edges if e.method == method and step in (None, e.step_s)]


def moved_stamps(tape, label, seconds):
    feeds = tuple(
        f._replace(stamp_uncertainty_ns=seconds * SECOND) if f.label == label else f
        for f in tape.feeds
    )
    return Tape(feeds, tape.simulated)


def test_a_linked_night_names_the_right_leaders(found):
    """Lags 0, 90, 0, 180 s and a market without a link: whoever is named has the shorter lag."""
    named = [edge for edge in found.edges if edge.leader is not None]
    assert all(LAGS[edge.leader] < LAGS[edge.follower] for edge in named)
    by = {
        method: {(e.leader, e.follower) for e in named if e.method == method} for method in METHODS
    }
    truth = {(a, b) for a in LAGS for b in LAGS if LAGS[a] < LAGS[b]}
    assert by["lead-lag"] == truth
    assert by["granger"] == truth
    assert by["speed"] == {("event", "coin"), ("event", "index")}
    assert by["shared trend"] == set()
    for edge in named:
        if edge.method == "lead-lag":
            assert edge.lower <= LAGS[edge.follower] - LAGS[edge.leader] + 5.0
            assert edge.value == pytest.approx(LAGS[edge.follower] - LAGS[edge.leader], abs=10.0)


def test_a_placebo_night_names_none():
    """Markets of another probability: hardly a pair with it has a leader, by any method and step.

    Each night is a false alarm 5% of the time at most: two of five or more come once in 45.
    """
    alarms = 0
    for seed in range(5):
        tape = event_night(seed, independent=True).tape
        edges = diffusion(tape, SIMULATED, QUICK).leadership.edges
        alarms += any(e.leader is not None and "event" in (e.first, e.second) for e in edges)
    assert alarms <= 1


def test_a_probability_never_shares_a_trend(found):
    assert of(found, "shared trend")
    assert all("event" not in (e.first, e.second) for e in of(found, "shared trend"))


def test_prices_that_share_a_trend_have_a_leader():
    """One walk and its own value five rows late with noise: the first has the larger share.

    trend_edges with columns made by hand: what is read late is what was read, moved by no row.
    """
    rng = np.random.default_rng(5)
    walk = np.cumsum(rng.standard_normal(600))
    follower = np.r_[np.zeros(1), walk[:-1]] + 0.05 * rng.standard_normal(600)

    def price(label, x):
        return Column(label, False, x, x, Status.OK, "")

    fast, slow = price("fast", walk), price("slow", follower)
    for pair in ((fast, slow), (slow, fast)):
        (edge,) = trend_edges(pair, 60.0, QUICK, 199)
        assert (edge.leader, edge.follower) == ("fast", "slow")
        assert 0.5 < edge.lower <= edge.value <= edge.upper
    hidden = slow._replace(late=np.r_[follower[2:], [np.nan] * 2])  # late by more than its lag
    (edge,) = trend_edges((fast, hidden), 60.0, QUICK, 199)
    assert edge.leader is None
    assert edge.status is not Status.OK


def test_what_is_read_late_happened_after():
    """Every value of ``late`` is stamped at least the stamp's uncertainty after its row's time.

    But for the 5% of rows on which the feed is older than the age it is read later by.
    """
    feed = event_night(3).tape.feed("coin")._replace(stamp_uncertainty_ns=7 * SECOND)
    at = grid(SIMULATED.start_ns, SIMULATED.end_ns, 60 * SECOND)
    seen = column(feed, at, 60.0, QUICK)
    ts, price = levels(feed.frame)
    np.testing.assert_array_equal(seen.plain, np.log(as_of(ts, price, at, max_age_ns=300 * SECOND)))
    stamp = {value: t for t, value in zip(ts.tolist(), np.log(price).tolist(), strict=True)}
    there = np.flatnonzero(np.isfinite(seen.late))
    ahead = np.array([stamp[seen.late[i]] - at[i] for i in there])
    assert there.size > 0.95 * at.size
    assert 0.93 <= np.mean(ahead >= 7 * SECOND) <= 1.0
    assert math.isnan(seen.late[-1])


@pytest.mark.parametrize(("seconds", "steps"), [(60, {60.0}), (300, {60.0, 300.0})])
def test_a_step_inside_the_stamps_is_not_resolved(seconds, steps):
    tape = moved_stamps(event_night(3).tape, "coin", seconds)
    edges = diffusion(tape, SIMULATED, QUICK).leadership.edges
    for edge in edges:
        if edge.method != "lead-lag" and "coin" in (edge.first, edge.second):
            stamped = edge.reason == f"coin stamped within {seconds} s only"
            assert stamped == (edge.step_s in steps)
            if stamped:
                assert edge.status is Status.NOT_RESOLVED
                assert edge.leader is None
                assert math.isnan(edge.p_value)


def test_late_stamps_take_a_lead_of_that_size_away():
    """Quotes stamped up to 45 s late: a market that moves at once is ahead of them by stamps alone.

    At two minutes, as stamped, its past helps to forecast them on some of these nights.
    """
    market = (MarketTruth("coin", 0.12, 0.0, volatility=0.0002),)
    config, reasons = replace(QUICK, leadership_steps_s=(120.0,)), set()
    for seed in range(3):
        tape = event_night(seed, markets=market, quote_delay_s=45.0).tape
        edges = diffusion(tape, SIMULATED, config).leadership.edges
        assert [e for e in edges if e.leader is not None] == []
        reasons |= {e.reason for e in edges}
    assert "within what the stamps may hide" in reasons


def test_a_feed_quoted_too_seldom_or_not_seen_is_said():
    tape = event_night(3).tape
    sparse = tape.feed("coin").frame.gather_every(60)  # about one in five minutes
    split = pl.lit((SIMULATED.start_ns * 2 + SIMULATED.end_ns) // 3, pl.Int64)
    early = tape.feed("index").frame.filter(pl.col("ts") < split.cast(pl.Datetime("ns", "UTC")))
    frames = {"coin": sparse, "index": early}
    feeds = tuple(f._replace(frame=frames.get(f.label, f.frame)) for f in tape.feeds)
    found = diffusion(Tape(feeds, True), SIMULATED, QUICK).leadership
    at_minute = {e.reason for e in of(found, "speed", 60.0) if e.second in frames}
    assert at_minute == {"coin quoted too seldom", "index not seen in half of the rows"}


def test_few_rows_are_refused_at_the_coarse_steps(found):
    coarse = [e for e in found.edges if e.step_s == 1800.0]
    assert coarse
    assert {e.status for e in coarse} == {Status.TOO_FEW}
    assert {s.status for s in found.spillovers if s.step_s >= 600.0} == {Status.TOO_FEW}


def test_links_are_controlled_over_all_pairs(simulated_result):
    """One link at 3% among nine at 60% would come by chance: no leader, but its own row stands."""
    led = next(row for row in simulated_result.lead_lags if row.leader == "currency")
    rows = [led._replace(p_value=0.03)] + [
        row._replace(p_value=0.6, leader=None, follower=None, status=Status.NOT_IDENTIFIED)
        for row in simulated_result.lead_lags[1:]
    ]
    first, *_ = lead_lag_edges(rows, Config())
    assert first.q_value == pytest.approx(0.3)
    assert first.leader is None
    assert first.reason == "a link that chance alone would find among so many"
    assert math.isnan(first.value)
    assert math.isnan(first.lower)
    assert math.isnan(first.upper)
    alone, *_ = lead_lag_edges(rows[:1], Config())
    assert (alone.leader, alone.value, alone.q_value) == ("currency", led.lag_s, 0.03)


def test_a_refused_number_has_no_interval(found):
    """But where the interval holds equality, or the stamps alone stand against the leader."""
    kept = {str(Reason.EQUAL), HIDDEN, "interval holds zero, or the lag is within the stamps"}
    for edge in found.edges:
        if edge.leader is None and edge.reason not in kept:
            assert math.isnan(edge.value)
            assert math.isnan(edge.lower)
            assert math.isnan(edge.upper)
            assert edge.method in ("lead-lag", "granger") or math.isnan(edge.q_value)
    assert any(e.leader is None and math.isfinite(e.lower) for e in found.edges)


def test_two_walks_have_no_share_to_bound():
    """Untied prices: pair_discovery still counts shares of the trend it did not find."""
    rng = np.random.default_rng(8)
    walks = [np.cumsum(rng.standard_normal(400)) for _ in range(2)]
    pair = [Column(name, False, x, x, Status.OK, "") for name, x in zip("ab", walks, strict=True)]
    (edge,) = trend_edges(pair, 60.0, QUICK, 199)
    assert edge.reason == Reason.RANK_0
    assert np.isnan([edge.value, edge.lower, edge.upper, edge.p_value, edge.q_value]).all()


def test_a_q_made_of_draws_is_at_most_that(simulated_result):
    """Ten pairs and 499 draws: p ends at 1/500; Granger's p is no count and has no such end."""
    edge = next(e for e in simulated_result.leadership.edges if e.p_value == 1.0 / 500.0)
    assert edge.method == "lead-lag"
    assert q_words(edge, simulated_result) == f"≤ {edge.q_value:.3f}"
    assert q_words(edge._replace(p_value=2.0 / 500.0, q_value=0.02), simulated_result) == "0.020"
    granger = edge._replace(method="granger", q_value=0.0041)
    assert q_words(granger, simulated_result) == "0.004"
    assert q_words(granger._replace(q_value=1e-46), simulated_result) == "< 0.001"


def test_q_values_are_those_of_the_p_values(found):
    for method in ("lead-lag", "granger", "speed"):
        for step in {e.step_s for e in of(found, method)}:
            edges = of(found, method, step)
            expected = adjusted(np.array([e.p_value for e in edges]))
            np.testing.assert_allclose([e.q_value for e in edges], expected)


def test_draws_reach_the_rate():
    """With 66 pairs one link alone must be able to be found: 66 / (draws + 1) <= 5%."""
    assert enough_draws(10, Config(), 499) == 499
    assert enough_draws(66, Config(), 499) == 1319
    assert 66 / (1319 + 1) <= 0.05 < 66 / 1319


def test_windows_slide_and_refuse(found):
    config = Config()
    rows = [row for row in found.rolling if row.second == "coin"]
    assert len(rows) == 1 + (8 * 3600 - 7200) // 1800
    assert {row.to_ns - row.from_ns for row in rows} == {7200 * SECOND}
    given = [row for row in rows if row.status is Status.OK]
    assert len(given) >= 10
    assert all(row.lower <= row.lag_s <= row.upper and not row.reason for row in given)
    assert abs(np.median([row.lag_s for row in given]) - 90.0) < 10.0
    silent = [row for row in found.rolling if row.status is not Status.OK]
    assert all(math.isnan(row.lag_s) and row.reason for row in silent)
    tape = event_night(3).tape
    start, end = rows[3].from_ns, rows[3].to_ns
    time = pl.Datetime("ns", "UTC")
    inside = pl.col("ts").is_between(*(pl.lit(t, pl.Int64).cast(time) for t in (start, end)))
    a, b = (
        tape.feed(n)._replace(frame=tape.feed(n).frame.filter(inside)) for n in ("event", "coin")
    )
    again = lead_lag_row(a, b, config)
    assert (again.lag_s, again.p_value) == (rows[3].lag_s, rows[3].p_value)


def test_spillovers_and_the_fair_game(found):
    for row in found.spillovers:
        if row.status is Status.OK:
            np.testing.assert_allclose(row.table.sum(axis=1), 1.0)
            plain = np.mean(1.0 - np.diag(row.table))
            assert row.total_lower <= row.total <= row.total_upper
            assert plain - 0.1 < row.total < plain  # its upward lean is off
    minute, five = found.martingales
    assert (minute.step_s, minute.horizons, five.horizons) == (60.0, (2, 5, 10, 30), (2, 5, 10))
    assert minute.n_rows > 470
    for row in found.martingales:
        assert row.p_value > 0.05  # the simulated probability is one
        assert all(a < 1.0 < b for a, b in zip(row.null_lower, row.null_upper, strict=True))


def test_shuffled_feeds_keep_their_law_and_lose_their_links():
    """Increments are the same ones, an hour apart at least; a copy of a feed is no longer one."""
    tape = event_night(3).tape
    twin = tape.feed("coin")._replace(label="twin")
    feeds = [tape.feed("event"), tape.feed("coin"), twin]
    out = shuffled(feeds, SIMULATED, seed=1)
    for before, after in zip(feeds, out, strict=True):
        (_, a), (ts, b) = levels(before.frame), levels(after.frame)
        assert np.all(np.diff(ts) > 0)
        assert ts.min() >= SIMULATED.start_ns
        assert ts.max() <= SIMULATED.end_ns
        assert after.stamp_uncertainty_ns == before.stamp_uncertainty_ns
        if before.label != "event":
            moved = np.sort(np.diff(np.log(b)))
            kept = np.sort(np.diff(np.log(a)))
            assert np.isin(np.round(moved, 12), np.round(kept, 12)).mean() > 0.99
        else:
            assert b.min() > 0.0
            assert b.max() < 1.0
    linked = lead_lag_row(feeds[1], feeds[2], QUICK)
    assert linked.p_value == 1.0 / 200.0
    assert lead_lag_row(out[1], out[2], QUICK).correlation[60] < 0.1 < linked.correlation[60]
    again = shuffled(feeds, SIMULATED, seed=1)
    assert again[1].frame.equals(out[1].frame)
    assert not shuffled(feeds, SIMULATED, seed=2)[1].frame.equals(out[1].frame)


def test_placebos_are_counted(found):
    rates = {row.method: row for row in found.placebos}
    assert set(rates) == {*METHODS, "any"}
    assert all(row.runs == 4 and row.n_draws == 199 for row in rates.values())
    assert rates["any"].named <= 1
    assert rates["any"].named >= max(rates[m].named for m in METHODS)
    assert (rates["speed"].rate_low, rates["speed"].rate_high) == wilson(rates["speed"].named, 4)
    assert all(row.asked == 4 for row in rates.values())
    assert diffusion(event_night(3).tape, SIMULATED, QUICK).leadership.placebos == ()


def test_a_placebo_that_could_not_be_asked_is_not_ok():
    """At half an hour only lead-lag has rows enough; without it nothing was tried."""
    config = replace(QUICK, placebo_runs=2, leadership_steps_s=(1800.0,))
    result = diffusion(event_night(3).tape, SIMULATED, config)
    rows = {row.method: row for row in result.leadership.placebos}
    assert {method: rows[method].asked for method in METHODS} == {
        "lead-lag": 2, "granger": 0, "shared trend": 0, "speed": 0,
    }  # fmt: skip
    assert rows["any"].asked == 2
    assert math.isnan(rows["speed"].rate_high)
    said = findings(result)[-1 - sum(s.sample == "out" for s in result.scores)]
    assert said.text.endswith("Not asked there, so not tried: granger, shared trend, speed.")
    mute = tuple(row._replace(asked=0) for row in result.leadership.placebos)
    silent = result._replace(leadership=result.leadership._replace(placebos=mute))
    said = findings(silent)[-1 - sum(s.sample == "out" for s in result.scores)]
    assert "no rule could be asked" in said.text
    assert said.status is Status.TOO_FEW


def test_a_shared_trend_is_qualified(simulated_result):
    """The rate at which a relation is claimed that does not last stands beside each claim."""
    assert trend_caution(simulated_result) == ""
    claimed = next(e for e in simulated_result.leadership.edges if e.method == "shared trend")
    claimed = claimed._replace(leader="coin", follower="index", reason="", status=Status.OK)
    who = simulated_result.leadership._replace(edges=(claimed,))
    caution = trend_caution(simulated_result._replace(leadership=who))
    assert "was named for 14% of pairs (it did move first in 99% of those)" in caution
    (said,) = (
        f.text for f in findings(simulated_result._replace(leadership=who)) if "Shared" in f.text
    )
    assert said.endswith(caution)


def test_wilson_against_its_published_form():
    """Wilson (1927): the roots of (p - k/n)^2 = z^2 p (1 - p) / n."""
    for k, n in ((1, 40), (0, 40), (40, 40), (7, 19)):
        for p in wilson(k, n):
            assert (p - k / n) ** 2 == pytest.approx(1.959963984540054**2 * p * (1 - p) / n)


def test_another_venue_is_asked_and_refused():
    """The same contract, quoted hourly: too few quotes for a lag, too coarse for every step."""
    tape = event_night(3).tape
    hourly = tape.feed("event")._replace(
        label="Hourly",
        frame=tape.feed("event")
        .frame.gather_every(60)
        .with_columns(bid=pl.col("probability") - 0.005, ask=pl.col("probability") + 0.005),
        stamp_uncertainty_ns=3600 * SECOND,
    )
    event = SIMULATED._replace(complements=(("Hourly", "absent"),))
    whole = Tape((*tape.feeds, hourly), True)
    markets = [tape.feed("coin")]
    found = leadership(whole, event, QUICK, markets, [])
    venue = [e for e in found.edges if "Hourly" in (e.first, e.second)]
    assert {e.method for e in venue} == {"lead-lag", "granger"}
    assert {e.status for e in venue} == {Status.TOO_FEW, Status.NOT_RESOLVED}
    assert all(e.leader is None and e.reason for e in venue)


def test_json_and_tables_hold_every_row(simulated_result):
    said = json.loads(json.dumps(contract(simulated_result), allow_nan=False))["leadership"]
    flat, found = tables(simulated_result), simulated_result.leadership
    assert len(said["edges"]) == len(found.edges) == flat["leadership_edges"].height
    for row, edge in zip(said["edges"], found.edges, strict=True):
        assert (row["method"], row["leader"], row["status"]) == (
            edge.method, edge.leader, str(edge.status),
        )  # fmt: skip
        assert (row["value"] is None) == math.isnan(edge.value)
        assert row["reason"] == edge.reason
        assert bool(edge.reason) == (edge.leader is None)
    assert len(said["rolling"]) == flat["leadership_rolling"].height == len(found.rolling)
    shares = [np.array(row["table"], float) for row in said["spillovers"]]
    for got, row in zip(shares, found.spillovers, strict=True):
        np.testing.assert_array_equal(got, row.table)
    assert flat["leadership_martingales"]["ratio"].to_list() == [
        r for row in said["martingales"] for r in row["ratios"]
    ]
    assert [row["asked"] for row in said["placebos"]] == [row.asked for row in found.placebos]
    assert flat["leadership_placebos"]["named"].to_list() == [r.named for r in found.placebos]
    nothing = simulated_result._replace(leadership=type(found)((), (), (), (), ()))
    assert all(frame.is_empty() for name, frame in tables(nothing).items() if "leadership_" in name)


def test_findings_name_a_leader_only_after_the_control(simulated_result):
    said = " ".join(f.text for f in findings(simulated_result))
    assert "event moved before coin by " in said
    assert "Benjamini and Hochberg" in said
    assert "was tested at 5%" not in said
    assert "runs on shuffled feeds, where nobody leads" in said
    assert "event's quotes do not depart from a fair game" in said
    quiet = tuple(
        e._replace(leader=None, follower=None, status=Status.NOT_IDENTIFIED, reason="by chance")
        for e in simulated_result.leadership.edges
    )
    without = simulated_result.leadership._replace(edges=quiet)
    silent = [f.text for f in findings(simulated_result._replace(leadership=without))]
    assert not any("moved before" in text for text in silent)  # though the pair's own row leads
    assert any("10 pairs without a leader, by chance" in text for text in silent)


def test_longest_run():
    seen = np.array([[1, 1], [0, 1], [1, 1], [1, 1], [1, 0]], bool)
    assert longest_run(seen) == slice(2, 4)
    assert longest_run(np.zeros((3, 2), bool)) == slice(0, 0)
    assert longest_run(np.ones((3, 2), bool)) == slice(0, 3)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"placebo_runs": -1}, "placebo_runs"),
        ({"rolling_s": 0.0}, "rolling_s above 0"),
        ({"rolling_every_s": math.nan}, "finite rolling_every_s"),
        ({"leadership_steps_s": (60.0, 0.5)}, "leadership steps"),
        ({"leadership_steps_s": (math.inf,)}, "leadership steps"),
    ],
)
def test_config_refuses_what_makes_no_sense_here(wrong, words):
    with pytest.raises(InputError, match=words):
        replace(Config(), **wrong)
