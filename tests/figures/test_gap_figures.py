"""Gaps and responses: every horizon has its place, also the refused ones."""

import numpy as np
from bokeh.models import LabelSet
from numpy.testing import assert_allclose

from eventtape.arrays import Status
from eventtape.figures import gap_figures, response_figures
from eventtape.studies.findings import minutes, percent, span
from figures import edge_results


def refuse_one(result, market, horizon_s, status):
    gaps = tuple(
        g._replace(status=status) if (g.market, g.horizon_s) == (market, horizon_s) else g
        for g in result.gaps
    )
    return result._replace(gaps=gaps)


def test_gaps_by_horizon(night, data):
    markets = list(dict.fromkeys(g.market for g in night.gaps))
    for fig, market in zip(gap_figures(night), markets, strict=True):
        rows = [g for g in night.gaps if g.market == market]
        columns = data(fig, f"gaps {market}")
        assert columns["horizon"] == [minutes(g.horizon_s) for g in rows]
        for name in ("gap", "lower", "upper"):
            assert_allclose(columns[name], [100.0 * getattr(g.estimate, name) for g in rows])
        assert columns["gap_text"] == [percent(g.estimate.gap) for g in rows]
        assert columns["interval"] == [span(g.estimate.lower, g.estimate.upper) for g in rows]


def test_a_refused_gap_is_a_word_and_never_a_point(night, data):
    horizon = night.config.horizons_s[1]
    result = refuse_one(night, "coin", horizon, Status.NOT_IDENTIFIED)
    fig = gap_figures(result)[0]
    columns, words = data(fig, "gaps coin"), data(fig, "refused coin")
    assert np.isnan([columns[name][1] for name in ("gap", "lower", "upper")]).all()
    assert np.isfinite(np.delete(columns["gap"], 1)).all()
    assert (words["x"], words["text"]) == ([1], ["not identified"])
    assert fig.select_one({"type": LabelSet}).source.data is words


def test_all_refused_keeps_every_place(night, data):
    result = edge_results.refused(night)
    for fig, market in zip(gap_figures(result), ["coin", "currency", "index", "oil"], strict=True):
        words = data(fig, f"refused {market}")
        assert words["x"] == list(range(len(night.config.horizons_s)))
        assert words["text"] == [str(g.status) for g in result.gaps if g.market == market]
        assert np.isnan(data(fig, f"gaps {market}")["gap"]).all()


def test_comparisons_stand_beside_the_headline(night, data):
    fig = gap_figures(night)[0]
    headline = night.config.horizons_s.index(night.config.headline_s)
    rows = [c for c in night.comparisons if c.market == "coin"]
    assert len(rows) == 3
    for row in rows:
        columns = data(fig, f"{row.method} coin")
        assert_allclose(columns["gap"], [100.0 * row.gap])
        assert_allclose(
            [columns["lower"][0], columns["upper"][0]], [100 * row.lower, 100 * row.upper]
        )
        assert headline < columns["x"][0] < headline + 1
    labels = [item.label.value for item in fig.legend[0].items]
    assert labels == ["gap, 95% interval", *(row.method for row in rows)]


def test_every_interval_is_inside_the_frame(night):
    for fig in gap_figures(night):
        low, high = fig.y_range.start, fig.y_range.end
        drawn = [r.data_source.data for r in fig.renderers if "gap" in r.data_source.data]
        ends = np.concatenate([d[name] for d in drawn for name in ("lower", "upper")])
        assert low < np.nanmin(ends)
        assert np.nanmax(ends) < high
        assert low < 0.0 < high


def test_response_curves(night, data):
    for fig, row in zip(response_figures(night), night.responses, strict=True):
        columns = data(fig, f"response {row.market}")
        assert_allclose(columns["lag"], row.curve.lags_s / 60.0)
        assert fig.xaxis.axis_label.startswith("min ")
        for name in ("cumulative", "lower", "upper"):
            assert_allclose(columns[name], 100.0 * getattr(row.curve, name))


def test_short_responses_are_in_seconds(night, data):
    row = night.responses[0]
    short = row._replace(curve=row.curve._replace(lags_s=row.curve.lags_s / 60.0))
    (fig,) = response_figures(night._replace(responses=(short,)))
    assert fig.xaxis.axis_label.startswith("s ")
    assert_allclose(data(fig, "response coin")["lag"], short.curve.lags_s)


def test_refused_response_says_so(night, data):
    for fig, market in zip(
        response_figures(edge_results.refused(night)),
        ["coin", "currency", "index", "oil"],
        strict=True,
    ):
        assert fig.select_one({"name": "refusal"}).text == "no curve: not identified"
        assert data(fig, f"response {market}")["lag"].size == 0
