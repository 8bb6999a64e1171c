"""Lead-lag and scorecard: sign, band, interval and refusal are the result's own."""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from eventtape.arrays import Status
from eventtape.figures import lead_lag_figures, lead_lag_map, score_figure
from figures import edge_results


def test_pairs_with_the_event_come_one_a_figure(night, data):
    rows = [r for r in night.lead_lags if night.event.primary in (r.first, r.second)]
    figs = lead_lag_figures(night)
    assert len(figs) == len(rows) == 4
    for fig, row in zip(figs, rows, strict=True):
        curve = data(fig, f"pair {row.first} {row.second}")
        assert_array_equal(curve["lag"], row.lags_s)
        assert_array_equal(curve["correlation"], row.correlation)
        assert set(data(fig, f"null {row.first} {row.second}")["upper"]) == {row.null_band}
        doubt = fig.select_one({"name": "stamp uncertainty"})
        assert doubt is None  # simulated stamps are exact
        if row.leader is None:
            assert str(row.status) in fig.title.text
        else:
            assert f"{row.leader} leads {row.follower}" in fig.title.text


@pytest.mark.parametrize("turned", [False, True])
def test_the_interval_is_drawn_on_the_second_feeds_side(night, data, turned):
    row = next(r for r in night.lead_lags if (r.leader, r.follower) == ("event", "coin"))
    if turned:  # coin first: the same lag is now to the right, since event is behind coin
        row = row._replace(leader="coin", follower="event")
    (fig,) = lead_lag_figures(night._replace(lead_lags=(row,)))
    drawn = data(fig, "lag event coin")
    sign = -1.0 if turned else 1.0
    assert drawn["lag"] == [sign * row.lag_s]
    assert sorted(drawn["lower"] + drawn["upper"]) == sorted([sign * row.lower, sign * row.upper])
    assert drawn["lower"] < drawn["upper"]


def test_an_interval_without_a_leader_has_no_lag(night, data):
    row = night.lead_lags[0]._replace(
        leader=None, follower=None, lag_s=math.nan, status=Status.NOT_RESOLVED
    )
    (fig,) = lead_lag_figures(night._replace(lead_lags=(row,)))
    drawn = data(fig, "lag event coin")
    assert np.isnan(drawn["lag"]).all()
    assert drawn["lower"] == [row.lower]
    assert "not resolved" in fig.title.text


def test_the_other_pairs_share_a_map(night, data):
    rows = [r for r in night.lead_lags if night.event.primary not in (r.first, r.second)]
    fig = lead_lag_map(night)
    cells, words = data(fig, "map"), data(fig, "verdicts")
    assert_array_equal(cells["correlation"], np.concatenate([r.correlation for r in rows]))
    assert_array_equal(cells["lag"], np.concatenate([r.lags_s for r in rows]))
    assert words["status"] == [str(r.status) for r in rows]
    assert all(
        str(r.status) in text or r.leader in text
        for r, text in zip(rows, words["text"], strict=True)
    )
    beyond = sum(int(np.sum(np.abs(r.correlation) > r.null_band)) for r in rows)
    assert len(data(fig, "beyond no link")["lag"]) == beyond > 0
    marks = data(fig, "map lags")
    for row, lag in zip(rows, marks["lag"], strict=True):
        assert math.isnan(lag) == (row.leader is None)
        if row.leader is not None:
            assert lag == (row.lag_s if row.leader == row.first else -row.lag_s)


def test_no_other_pair_no_map():
    assert lead_lag_map(edge_results.one_market()) is None


def test_scorecard(night, data):
    fig = score_figure(night)
    markets = ["coin", "currency", "index", "oil"]
    for sample, name, side in (("out", "out of sample", -1.0), ("in", "in sample", 1.0)):
        rows = [s for s in night.scores if s.sample == sample]
        columns = data(fig, name)
        assert columns["market"] == markets
        assert_allclose(np.sign(np.subtract(columns["y"], range(4))), side)
        for field in ("predicted", "lower", "upper", "realised"):
            assert_allclose(columns[field], [100.0 * getattr(s, field) for s in rows])
    filled = {
        r.data_source.name: r.glyph.fill_color
        for r in fig.renderers
        if type(r.glyph).__name__ == "Scatter"
    }
    assert filled["out of sample"] is not None
    assert filled["in sample"] is None
    labels = [item.label.value for item in fig.legend[0].items]
    assert "in-sample fit, not a prediction" in labels


def test_refused_scores_are_words(night, data):
    result = edge_results.refused(night)
    fig = score_figure(result)
    for sample, name in (("out", "out of sample"), ("in", "in sample")):
        fates = [s.status for s in result.scores if s.sample == sample]
        assert data(fig, f"refused {name}")["text"] == [f"{sample}: {fate}" for fate in fates]
        assert np.isfinite(data(fig, f"refused {name}")["x"]).all()
