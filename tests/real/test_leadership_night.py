"""Who moved first on the real night: what may be said, and that nothing sits within the stamps."""

from __future__ import annotations

import math

import pytest

from eventtape.arrays import Status

pytestmark = pytest.mark.real

FINE = ("Polymarket", "BTC", "EURUSD", "NQ")  # stamped within a minute
STEPS = (60.0, 300.0, 600.0, 1800.0)


@pytest.fixture(scope="module")
def edges(real_result):
    return real_result.leadership.edges


def test_every_pair_is_asked_at_every_step(edges):
    for method, pairs in (("granger", 12), ("shared trend", 3), ("speed", 3)):
        for step in STEPS:
            asked = [
                e
                for e in edges
                if e.method == method and e.step_s == step and {e.first, e.second} <= set(FINE)
            ]
            assert len(asked) == pairs, (method, step)


def test_one_minute_lies_within_the_stamps(edges):
    minute = [e for e in edges if e.step_s == 60.0]
    assert minute
    assert {e.status for e in minute} == {Status.NOT_RESOLVED}
    assert all("stamped within" in e.reason and e.leader is None for e in minute)


def test_five_minutes_are_resolved_for_minute_feeds_alone(edges):
    for edge in edges:
        if edge.step_s == 300.0:
            coarse = {edge.first, edge.second} & {"CL", "Kalshi"}
            assert bool(coarse) == ("stamped within" in edge.reason)
            assert coarse or edge.n_rows > 70


def test_half_an_hour_has_too_few_rows(edges):
    for edge in edges:
        if edge.step_s == 1800.0:
            hourly = "Kalshi" in (edge.first, edge.second)
            assert edge.status is (Status.NOT_RESOLVED if hourly else Status.TOO_FEW)


def test_no_leader_is_named_within_the_stamps(edges, real_result):
    doubt = {i.label: i.stamp_uncertainty_s for i in real_result.inputs}
    for edge in edges:
        if edge.leader is None:
            assert edge.reason
            continue
        within = max(doubt[edge.first], doubt[edge.second])
        if edge.method == "lead-lag":
            assert edge.value > within
            assert edge.lower > 0.0
        else:
            assert edge.step_s > within


def test_a_probability_and_a_price_share_no_trend(edges):
    trends = [e for e in edges if e.method == "shared trend"]
    assert trends
    assert not {"Polymarket", "Kalshi"} & {n for e in trends for n in (e.first, e.second)}


def test_polymarket_against_kalshi_cannot_be_said(edges):
    """Nine hourly quotes: too few for a lag, and no step here is longer than their doubt."""
    asked = [e for e in edges if {e.first, e.second} == {"Polymarket", "Kalshi"}]
    assert {(e.method, e.status) for e in asked} == {
        ("lead-lag", Status.TOO_FEW),
        ("granger", Status.NOT_RESOLVED),
    }
    assert all(e.leader is None and math.isnan(e.p_value) for e in asked)


def test_windows_are_two_hours_and_never_within_the_stamps(real_result):
    rows = real_result.leadership.rolling
    assert {r.second for r in rows} == {"BTC", "EURUSD", "NQ", "CL"}
    assert all(r.to_ns - r.from_ns == 7200 * 10**9 for r in rows)
    for row in rows:
        assert (row.status is Status.OK) == math.isfinite(row.lag_s)
        assert row.status is not Status.OK or abs(row.lag_s) > 60.0
    assert {r.status for r in rows if r.second == "CL"} == {Status.TOO_FEW}


def test_the_placebo_of_the_night_is_quiet(real_result):
    rates = {row.method: row for row in real_result.leadership.placebos}
    assert rates["any"].runs == 40
    assert rates["any"].rate_low <= 0.05  # 5% of runs at most is not excluded
    assert rates["any"].named <= 5
