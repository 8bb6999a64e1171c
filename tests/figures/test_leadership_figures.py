"""Arrows are the identified leaders and no others; windows without a lag are gaps with a mark."""

import math

import numpy as np
import pytest
from bokeh.models.annotations import Arrow

from eventtape.arrays import Status
from eventtape.figures import leadership_network, rolling_figures
from eventtape.figures.leadership_network import NO_LEADER
from eventtape.studies.leadership_rows import METHODS
from figures import edge_results


def arrows(fig):
    return [item for item in fig.center if isinstance(item, Arrow)]


def test_arrows_are_the_identified_edges(night, data):
    fig = leadership_network(night)
    drawn = 0
    for method in METHODS:
        led = {
            (e.leader, e.follower)
            for e in night.leadership.edges
            if e.method == method and e.leader is not None
        }
        if not led:
            continue
        columns = data(fig, f"edges {method}")
        pairs = list(zip(columns["leader"], columns["follower"], strict=True))
        assert set(pairs) == led
        assert len(pairs) == len(led)
        assert all(q <= 0.05 for q in columns["q"])
        drawn += 1
    assert len(arrows(fig)) == drawn >= 3
    lag = next(e for e in night.leadership.edges if (e.leader, e.follower) == ("event", "coin"))
    assert f"{lag.value:.0f} s" in data(fig, "edges lead-lag")["text"]
    assert fig.select_one({"name": "refusal"}) is None


def test_an_arrow_starts_at_its_leader(night, data):
    fig = leadership_network(night)
    nodes, edges = data(fig, "feeds"), data(fig, "edges lead-lag")
    at = {
        n: np.array([x, y]) for n, x, y in zip(nodes["feed"], nodes["x"], nodes["y"], strict=True)
    }
    for k, (leader, follower) in enumerate(zip(edges["leader"], edges["follower"], strict=True)):
        tail = np.array([edges["x0"][k], edges["y0"][k]])
        head = np.array([edges["x1"][k], edges["y1"][k]])
        assert np.linalg.norm(tail - at[leader]) < 0.3 < np.linalg.norm(tail - at[follower])
        assert np.linalg.norm(head - at[follower]) < 0.3 < np.linalg.norm(head - at[leader])
    for arrow in arrows(fig):
        assert (arrow.x_start, arrow.x_end) == ("x0", "x1")
        assert arrow.start is None
        assert arrow.end is not None


def test_steps_of_one_method_are_one_arrow(night, data):
    edge = next(e for e in night.leadership.edges if e.method == "speed" and e.leader)
    found = night.leadership._replace(edges=(edge, edge._replace(step_s=300.0)))
    columns = data(leadership_network(night._replace(leadership=found)), "edges speed")
    assert columns["steps"] == ["60 s, 5 min"]


@pytest.mark.parametrize("edge", ["refused", "bare", "one refused"])
def test_nobody_leads_is_drawn(edge):
    fig = leadership_network(edge_results.EDGES[edge]())
    assert arrows(fig) == []
    assert fig.select_one({"name": "refusal"}).text == NO_LEADER


def test_every_feed_asked_is_a_node(night, data):
    names = data(leadership_network(night), "feeds")["feed"]
    assert names == ["event", "coin", "currency", "index", "oil"]


def test_windows_show_lag_and_interval(night, data):
    markets = list(dict.fromkeys(r.second for r in night.leadership.rolling))
    for fig, market in zip(rolling_figures(night), markets, strict=True):
        rows = [r for r in night.leadership.rolling if r.second == market]
        given = [r for r in rows if r.status is Status.OK]
        columns = data(fig, f"rolling event {market}")
        assert columns["lag"] == [r.lag_s for r in given]
        assert columns["lower"] == [r.lower for r in given]
        assert columns["ts"] == [0.5 * (r.from_ns + r.to_ns) / 1e6 for r in given]
        line = data(fig, f"rolling line event {market}")
        assert sum(math.isnan(v) for v in line["lag"]) == len(rows) - len(given)
        for status in {r.status for r in rows} - {Status.OK}:
            marks = data(fig, f"no lag: {status}")
            assert len(marks["ts"]) == sum(r.status is status for r in rows)
            assert all(marks["reason"])
            assert fig.y_range.start < marks["y"][0] < fig.y_range.end
        assert (fig.select_one({"name": "refusal"}) is None) == bool(given)


def test_the_word_simulated_is_clear_of_the_zero_line(night):
    """12 pixels of letters, 6 above the bottom, in a frame of at least 150."""
    for fig in rolling_figures(night):
        assert -fig.y_range.start >= 0.12 * (fig.y_range.end - fig.y_range.start)


def test_no_window_no_figure():
    assert rolling_figures(edge_results.bare(edge_results.whole_night())) == ()
