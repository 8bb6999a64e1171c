"""Figures of the premium: percent and points, gaps as gaps, refusals in words, ridges as lines."""

from __future__ import annotations

import math

import numpy as np
import pytest
from bokeh.models.annotations import BoxAnnotation, Label, Span

from eventtape.arrays import Status
from eventtape.estimators.premium.named import strip_table
from eventtape.figures.premium import STEP, bucket_figure, strip_figure, term_figure
from eventtape.figures.premium_markets import cuts_figure, market_figure, ridge_figure
from eventtape.figures.premium_parts import expiry_names, places
from eventtape.figures.premium_slider import slider_figure, slider_of, stripped
from eventtape.figures.premium_time import (
    changes_figure,
    history_figure,
    odds_figure,
    spread_figure,
)
from figures import premium_results as made


@pytest.fixture(scope="module")
def good():
    return made.result(made.row())


@pytest.fixture(scope="module")
def bad():
    return made.result(made.row(identified=False), simulated=False)


@pytest.fixture(scope="module")
def ridge():
    return made.result(made.row(ridge=True, history=False))


def names(fig):
    return {r.data_source.name for r in fig.renderers}


def ends(fig, side):
    at = getattr(fig, f"{side}_range")
    return at.start, at.end


def placed(fig, kind):
    return [m for m in (*fig.center, *fig.above, *fig.below) if isinstance(m, kind)]


def test_the_term_structure_is_in_percent_with_its_errors(good, data):
    row = good.rows[0]
    fig = term_figure(row, good)
    market = data(fig, "market")
    assert np.allclose(market["y"], 100.0 * row.term.iv)
    assert np.allclose(np.subtract(market["high"], market["y"]), 0.35 * 1.959964, atol=1e-6)
    assert np.allclose(data(fig, "without events")["y"], 100.0 * row.premium.base_iv)
    assert np.allclose(data(fig, "fitted")["y"], 100.0 * row.premium.fitted_iv)
    band = data(fig, "base band 0")
    assert np.allclose(np.subtract(band["high"], band["low"]), 1.2)
    low, high = ends(fig, "y")
    assert low < min(band["low"]) < max(market["high"]) < high
    assert fig.xaxis[0].major_label_overrides[made.NEAR] == "8 Nov"
    assert fig.xaxis[0].major_label_overrides[10] == "31 Jan 25"
    assert any(label.text == "SIMULATED" for label in placed(fig, Label))


def test_events_stand_between_the_expiries_around_them(good):
    row = good.rows[0]
    where = places(row.term, [e.at_ns for e in row.events])
    assert np.all((where[:2] > made.NEAR - 1) & (where[:2] < made.NEAR))
    assert where[0] < where[1] < where[2]
    assert places(row.term, [row.term.at_ns, int(row.term.expiries_ns[3])]).tolist() == [-1.0, 3.0]
    lines = [s for s in placed(term_figure(row, good), Span) if s.name.startswith("event")]
    assert [line.location for line in lines] == pytest.approx(where)


def test_two_expiries_of_one_day_are_told_apart_by_their_hours():
    term = made.row().term
    late = term.expiries_ns.copy()
    late[1] = late[0] + 8 * 3_600 * 10**9
    assert expiry_names(term._replace(expiries_ns=late))[:3] == [
        "6 Oct 08:00",
        "6 Oct 16:00",
        "8 Oct",
    ]


def test_the_strip_is_the_table_at_three_sizes(good, data):
    row = good.rows[0]
    fig = strip_figure(row, good)
    after = row.term.expiries_ns > made.ELECTION.at_ns
    for k in (-1, 0, 1):
        size = row.strips[0].size + k * STEP
        drawn = data(fig, f"less {100.0 * size:.2f}%")["y"]
        assert np.allclose(drawn, 100.0 * strip_table(row.term, after, size).stripped_iv)
    assert np.allclose(data(fig, "market")["y"], 100.0 * row.term.iv)


def test_a_size_that_takes_all_leaves_a_hole(good, data):
    row = good.rows[0]
    strip = row.strips[0]._replace(size=0.3)
    fig = strip_figure(row._replace(strips=(strip,)), good)
    left = np.asarray(data(fig, "less 30.00%")["y"])
    assert np.isnan(left[made.NEAR])
    assert np.isfinite(left[: made.NEAR]).all()


def test_buckets_add_up_to_total_variance(good, data):
    row = good.rows[0]
    drawn = data(bucket_figure(row, good), "buckets")
    days = np.asarray(drawn["days"])
    assert np.dot(drawn["market"], days) == pytest.approx(1e4 * row.term.variance[-1])
    share = np.asarray(drawn["share"]) * days
    assert share[made.NEAR] == pytest.approx(64.0 + 4.0)
    assert share[9] == pytest.approx(4.0)  # the second rate decision
    assert np.delete(share, [made.NEAR, 9]) == pytest.approx(0.0, abs=1e-9)
    assert np.allclose(np.add(drawn["base"], drawn["share"]), drawn["both"])


def test_a_base_that_falls_is_a_bar_below_zero(good, data):
    row = good.rows[0]
    base = row.premium.base_iv.copy()
    base[8] *= 0.5
    fig = bucket_figure(row._replace(premium=row.premium._replace(base_iv=base)), good)
    lowest = min(data(fig, "buckets")["base"])
    assert ends(fig, "y")[0] < lowest < 0.0


@pytest.mark.parametrize("draw", [term_figure, bucket_figure, strip_figure])
def test_one_expiry_has_its_quote_and_a_reason(draw, data):
    row = made.one_expiry()
    fig = draw(row, made.result(row, simulated=False))
    assert data(fig, "refused")["text"][0].startswith("— 3 expiries at least")
    source = "buckets" if draw is bucket_figure else "market"
    drawn = data(fig, source)["market" if draw is bucket_figure else "y"]
    assert np.isfinite(drawn).all()


def test_the_history_has_both_bases_and_breaks_at_the_gap(good, data):
    row = good.rows[0]
    series = row.series
    fig = history_figure(row, series, good)
    for name, history in (("fixed base", series.fixed), ("moving base", series.dynamic)):
        drawn = data(fig, name)
        size = np.asarray(drawn["y"])
        hole = np.flatnonzero(np.isnan(size))
        assert hole.tolist() == [12]
        assert np.allclose(np.delete(size, hole), 100.0 * history.size)
        assert {f"{name} band 0", f"{name} band 1"} <= names(fig)
    grounds = [g for g in placed(fig, BoxAnnotation) if g.name == "gap"]
    assert [(g.left, g.right) for g in grounds] == [
        (series.gaps.start_ns[0] / 1e6, series.gaps.end_ns[0] / 1e6)
    ]
    assert len(data(fig, "fitted size")["x"]) == series.dynamic.ts_ns.size
    assert data(fig, "true size")["y"] == pytest.approx([8.0])


def test_a_history_without_a_size_says_why(good, data):
    row = good.rows[0]
    h = row.series.dynamic
    nothing = np.full(h.size.size, math.nan)
    h = h._replace(
        size=nothing, lower=nothing, upper=nothing, status=Status.NOT_RESOLVED, reason="base asks"
    )
    fig = history_figure(row, row.series._replace(fixed=h, dynamic=h), good)
    assert data(fig, "refused")["text"] == ["— base asks"]


def test_odds_stand_on_their_own_axis_with_what_is_said_of_them(good, data):
    row = good.rows[0]
    fig = odds_figure(row, row.odds, good)
    assert np.allclose(data(fig, "odds")["y"], row.odds.odds)
    assert np.allclose(data(fig, "premium")["y"], 100.0 * row.odds.premium, equal_nan=True)
    right = fig.extra_y_ranges["odds"]
    assert right.start < row.odds.odds.min() < row.odds.odds.max() < right.end
    assert fig.title.text.splitlines()[1].startswith("levels: r ")
    found = row.odds.apart.found
    assert len([g for g in placed(fig, BoxAnnotation) if g.name == "apart"]) == len(found)


def test_changes_leave_out_what_was_not_seen(good, data):
    row = good.rows[0]
    drawn = data(changes_figure(row, row.odds, good), "changes")
    seen = np.isfinite(row.odds.premium)
    assert len(drawn["x"]) == int((seen[1:] & seen[:-1]).sum()) < row.odds.ts_ns.size - 1
    k = 3
    assert drawn["x"][k] == pytest.approx(100.0 * (row.odds.odds[k + 1] - row.odds.odds[k]))


def test_no_common_rows_is_said(good, data):
    row = good.rows[0]
    nothing = np.full(row.odds.ts_ns.size, math.nan)
    odds = row.odds._replace(premium=nothing, link=None, reason="nothing seen")
    fig = changes_figure(row, odds, good)
    assert data(fig, "refused")["text"] == ["— nothing seen"]
    drawn = odds_figure(row, odds, good)
    assert [item.label.value for item in drawn.legend[0].items] == ["T-WIN, right"]


def test_the_spread_says_where_it_is_in_its_history(good, data):
    row = good.rows[0]
    spread = row.spreads[0]
    fig = spread_figure(row, spread, good)
    assert np.allclose(data(fig, "spread")["y"], 100.0 * spread.spread)
    assert data(fig, "mean")["y"][0] == pytest.approx(100.0 * spread.history.mean)
    assert data(fig, "now")["y"] == pytest.approx([100.0 * spread.history.now])
    assert f"now above {spread.history.quantile:.0%}" in fig.title.text
    assert fig.title.text.startswith("BTC 29 Nov 24 less 8 Nov 24")


def test_markets_by_ratio_and_a_refused_one_with_its_reason(data):
    small = made.row("SPY", history=False, scale=0.4)
    whole = made.result(made.row(), small, made.row("BAD", identified=False, history=False))
    fig = market_figure(whole.market, whole)
    drawn = data(fig, "markets")
    order = list(fig.yaxis[0].major_label_overrides.values())
    assert sorted(order[:2]) == ["BTC", "SPY"]
    assert order[2] == "BAD"
    assert drawn["size"][order.index("BTC")] == pytest.approx(8.0)
    assert drawn["daily"][order.index("SPY")] == pytest.approx(100.0 * small.premium.daily)
    assert math.isnan(drawn["size"][2])
    assert data(fig, "refused")["text"][0].replace("\n", " ") == f"— {made.WHY}"


def test_cuts_by_quarter_may_be_rises(good, data):
    fig = cuts_figure(good.cuts, good)
    assert list(data(fig, "cuts")["top"]) == [1.7, 1.1, 0.6, -0.2]
    assert ends(fig, "y")[0] < -0.2
    assert fig.xaxis[0].major_label_overrides[0] == "2025Q1"


def test_a_ridge_is_a_line_of_one_sum(ridge, data):
    row = ridge.rows[0]
    one = row.premium.ridges[0]
    fig = ridge_figure(row, one, ridge)
    line = data(fig, "ridge")
    assert np.allclose(np.hypot(line["x"], line["y"]), 100.0 * one.size)
    band = np.hypot(data(fig, "ridge band")["x"], data(fig, "ridge band")["y"])
    assert band.min() == pytest.approx(100.0 * one.lower)
    assert band.max() == pytest.approx(100.0 * one.upper)
    assert line["y"][0] == pytest.approx(0.0, abs=1e-12)
    assert line["x"][-1] == pytest.approx(0.0, abs=1e-12)


def test_a_ridge_counts_the_events_of_each_kind(ridge, data):
    row = ridge.rows[0]
    two = row._replace(premium=row.premium._replace(counts=np.array([1, 2])))
    one = row.premium.ridges[0]
    fig = ridge_figure(two, one, ridge)
    line = data(fig, "ridge")
    sums = np.square(line["x"]) + 2.0 * np.square(line["y"])
    assert np.allclose(sums, (100.0 * one.size) ** 2)
    assert fig.yaxis[0].axis_label == "fomc, each of 2, one sd, %"
    unknown = one._replace(size=math.nan, lower=math.nan, upper=math.nan)
    assert names(ridge_figure(row, unknown, ridge)) == set()


def test_the_slider_at_the_estimate_is_the_fit_without_events(good, data):
    row = good.rows[0]
    slider = slider_of(row)
    assert slider.kinds == ("election",)
    assert slider.column.tolist() == [0.0] * made.NEAR + [1.0] * 6
    assert np.allclose(1e4 * slider.others, [0.0] * 7 + [4.0] * 2 + [8.0] * 4)
    _, base, noise = made.term("BTC", row.events)
    left = stripped(slider, slider.size)
    assert np.allclose(left, base, atol=2.0 * np.abs(noise).max())
    fig = slider_figure(row, good, slider, name="stripped 4")
    assert np.allclose(data(fig, "stripped 4")["y"], 100.0 * left)
    assert fig.x_range.start < 0


def test_the_slider_of_one_event_is_the_table(good):
    row = good.rows[0]
    slider = slider_of(row)
    after = row.term.expiries_ns > made.ELECTION.at_ns
    for size in (0.0, 0.05, 0.08, 0.16, 0.3):
        table = strip_table(row.term, after, size)
        assert np.allclose(stripped(slider, size, others=False), table.stripped_iv, equal_nan=True)
    assert np.isnan(stripped(slider, slider.most)[made.NEAR])


def test_the_slider_of_a_ridge_moves_the_sum(ridge):
    slider = slider_of(ridge.rows[0])
    assert slider.kinds == ("election", "fomc")
    assert slider.column[-1] == 1.0
    assert not slider.others.any()
    assert slider.size == pytest.approx(math.hypot(0.08, 0.02))


def test_a_refused_size_still_has_a_slider_and_no_event_has_none(bad):
    row = bad.rows[0]
    slider = slider_of(row)
    assert math.isnan(slider.size)
    assert slider.start == 0.0
    assert slider_of(row._replace(focus=None)) is None
    assert slider_of(row._replace(near=-1)) is None
    assert slider_of(made.one_expiry()) is not None


def test_names_are_kept_from_tex(good):
    whole = made.hostile(good)
    row = whole.rows[0]
    for fig in (term_figure(row, whole), cuts_figure(whole.cuts, whole)):
        texts = [fig.title.text, *fig.xaxis[0].major_label_overrides.values()]
        assert not [text for text in texts if "$$" in text or r"\(" in text]


def test_the_slider_of_the_only_kind_has_no_others(good):
    row = good.rows[0]
    loose = row.premium._replace(fitted_iv=row.premium.fitted_iv + 0.002)
    alone = row._replace(premium=loose, events=row.events[:1])
    assert not slider_of(alone).others.any()
    assert slider_of(row).others.any()
