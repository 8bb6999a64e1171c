"""Figures of the states: intervals in percent, bounds as bars, refusals with their reason."""

from __future__ import annotations

import math

import numpy as np
import pytest

from eventtape.figures.states import reason_lines, rung_figure, score_rows_figure
from eventtape.figures.states_density import exposure_curve, state_density_figure
from eventtape.figures.states_likelihood import profile_figure
from eventtape.figures.states_time import gap_path_figure, pricing_figure, snapshot_range
from eventtape.studies.states_rows import BOUNDS, EXPOSURE, JOINT, TWO_LOGNORMAL
from figures import states_results


@pytest.fixture(scope="module")
def good():
    return states_results.result(states_results.row())


@pytest.fixture(scope="module")
def bad():
    return states_results.result(states_results.row(identified=False), simulated=False)


def names(fig):
    return {r.data_source.name for r in fig.renderers}


def axis(fig, side):
    ends = getattr(fig, f"{side}_range")
    return ends.start, ends.end


def test_rungs_are_the_study_s_in_percent(good, data):
    row = good.rows[0]
    fig = rung_figure(row, good)
    for i, rung in enumerate(row.rungs[:3]):
        drawn = data(fig, rung.name)
        assert drawn["y"] == [i]
        assert drawn["lower"] == [100.0 * rung.gap.lower]
        assert drawn["upper"] == [100.0 * rung.gap.upper]
        assert drawn["value"] == pytest.approx([100.0 * rung.gap.value], nan_ok=True)
        low, high = axis(fig, "x")
        assert low < drawn["lower"][0] < drawn["upper"][0] < high
    kinds = {r.data_source.name: type(r.glyph).__name__ for r in fig.renderers}
    assert kinds[BOUNDS] == "Segment"  # a bar alone: no gap in it is better than another
    assert kinds[JOINT] == "Scatter"
    assert data(fig, "simulated truth")["x"][0] == pytest.approx(8.0)
    assert fig.yaxis[0].major_label_overrides[3] == TWO_LOGNORMAL


def test_a_refused_rung_has_its_row_its_reason_and_no_number(bad, data):
    row = bad.rows[0]
    fig = rung_figure(row, bad)
    said = data(fig, "refused")
    assert list(said["y"]) == [1, 2, 3]
    assert all(text.replace("\n", " ").startswith("— contraction 0.12") for text in said["text"])
    assert names(fig) & {EXPOSURE, JOINT, TWO_LOGNORMAL, "simulated truth"} == set()
    assert BOUNDS in names(fig)


def test_a_reason_is_broken_into_short_lines_and_cut():
    made = reason_lines("word " * 60)
    assert len(made.splitlines()) == 3
    assert max(len(line) for line in made.splitlines()) <= 36
    assert made.endswith("…")
    assert reason_lines("short") == "— short"
    assert "$$" not in reason_lines(states_results.TEX)


def test_predicted_and_realised(good, bad, data):
    fig = score_rows_figure(good.rows[0], good)
    score = good.rows[0].scores[2]
    assert data(fig, JOINT)["value"] == [100.0 * score.predicted]
    assert data(fig, "realised")["x"] == pytest.approx([3.7, 3.7])
    refused = score_rows_figure(bad.rows[0], bad)
    assert "realised" in names(refused)
    assert len(data(refused, "refused")["text"]) == 3


def test_state_densities_weigh_back_to_the_market_s(good, data):
    row = good.rows[0]
    fig = state_density_figure(row, good)
    f = np.asarray(data(fig, "density")["pdf"])
    f1, f0 = (
        np.asarray(data(fig, name)["y"]) for name in ("state 1: it happens", "state 0: it does not")
    )
    p = row.at.p  # of the simulated law itself, which has no wedge
    assert np.allclose(p * f1 + (1.0 - p) * f0, f, atol=1e-9)
    total = np.trapezoid(f, np.asarray(data(fig, "density")["x"]) * 100.0 / row.at.forward)
    assert total == pytest.approx(100.0, abs=0.3)  # percent, less what is not shown
    for name, state, weight in (("1", f1, p), ("0", f0, 1.0 - p)):
        top = np.asarray(data(fig, f"most state {name} can have")["y"])
        assert np.allclose(weight * top, f)
        assert (state <= top + 1e-9).all()
    assert data(fig, "mean 1")["x"][0] == row.rung(JOINT).mean_1.value
    assert data(fig, "forward")["x"][0] == row.at.forward
    assert "truth, state 1" in names(fig)
    assert fig.xaxis[0].formatter.format.startswith("0,0")  # 70,000 and not 7.000e+4
    band = data(fig, "state 1: it happens band")
    assert (np.asarray(band["low"]) <= np.asarray(band["high"])).all()


@pytest.mark.parametrize("rung", [JOINT, EXPOSURE, TWO_LOGNORMAL])
def test_no_state_and_no_band_is_drawn_where_refused(bad, data, rung):
    fig = state_density_figure(bad.rows[0], bad, rung)
    assert not [name for name in names(fig) if name.startswith(("state", "mean", "truth"))]
    assert {"density", "most state 1 can have", "forward"} <= names(fig)
    assert data(fig, "refused")["text"][0].startswith("— contraction")
    assert fig.title.text.endswith("refused")


def test_exposure_curves_end_with_their_strikes(good):
    row = good.rows[0]
    assert exposure_curve(row) is None
    K = row.grid.strikes
    at = np.r_[0.0, K[40:100:10]]
    curve = np.stack([np.full(6, 0.01), np.full(6, 0.02)])  # state 0, then state 1

    class Calls:
        strikes, status = at, row.status
        density, density_lower, density_upper = curve, 0.9 * curve, 1.1 * curve

    made = exposure_curve(row._replace(calls=Calls))
    assert np.isnan(made.pdf_1[:40]).all()
    assert np.isnan(made.pdf_1[91:]).all()
    assert np.allclose(made.pdf_1[40:91], 0.02)
    assert np.allclose(made.pdf_0_upper[40:91], 0.011)


def test_gap_over_time_is_the_series_and_crosses_are_refusals(good, bad, data):
    row = good.rows[0]
    fig = gap_path_figure(row, good)
    for series in row.gaps:
        known = np.isfinite(series.lower)
        drawn = data(fig, f"gap {series.rung}")
        assert np.allclose(drawn["lower"], 100.0 * series.lower[known])
        assert np.allclose(drawn["x"], series.times_ns[known] / 1e6)
    assert len(data(fig, f"refused {TWO_LOGNORMAL}")["x"]) == 5
    assert len(data(fig, f"refused {JOINT}")["x"]) == 0
    low, high = axis(fig, "y")
    assert low < 100.0 * row.gaps[0].lower.min() < 100.0 * row.gaps[0].upper.max() < high
    assert "true gap" in names(fig)
    refused = gap_path_figure(bad.rows[0], bad)
    assert len(data(refused, f"refused {JOINT}")["x"]) == len(bad.rows[0].snapshots)
    assert f"{JOINT} band 0" not in names(refused)


def test_a_band_does_not_bridge_a_hole(good, data):
    row = good.rows[0]
    bounds = row.gaps[0]
    hole = np.arange(bounds.lower.size) == 2
    ends = [np.where(hole, math.nan, x) for x in (bounds.lower, bounds.upper)]
    gaps = (bounds._replace(lower=ends[0], upper=ends[1]), *row.gaps[1:])
    fig = gap_path_figure(row._replace(gaps=gaps), good)
    assert len(data(fig, f"{BOUNDS} band 0")["x"]) == 2
    assert len(data(fig, f"{BOUNDS} band 1")["x"]) == bounds.lower.size - 3


def test_quoted_and_pricing_probability(good, data):
    row = good.rows[0]
    span = snapshot_range(row)
    fig = pricing_figure(row, good, x_range=span)
    assert fig.x_range is span
    assert span.start < row.snapshots[0].at_ns / 1e6 < row.snapshots[-1].at_ns / 1e6 < span.end
    assert np.allclose(data(fig, "quoted")["p"], good.probability.values)
    drawn = data(fig, "pricing")
    assert np.allclose(drawn["p"], row.joint.probability)
    assert np.allclose(drawn["high"] - drawn["p"], 1.959964 * row.joint.probability_error)
    found = row.joint
    later = {name: getattr(found, name)[1:] for name in ("probability", "probability_error")}
    part = row._replace(fitted=row.fitted[1:], joint=found._replace(**later))
    hollow = pricing_figure(part, good)
    assert len(data(hollow, "snapshots not in it")["x"]) == 1
    assert data(hollow, "pricing")["x"][0] == row.snapshots[1].at_ns / 1e6
    none = pricing_figure(row._replace(joint=None), good)
    assert len(data(none, "snapshots")["x"]) == len(row.snapshots)
    assert "pricing" not in names(none)


def test_a_range_of_probabilities_is_a_band(data):
    one = states_results.one_snapshot()
    drawn = data(pricing_figure(one.rows[0], one), "range")
    assert drawn["high"][0] - drawn["low"][0] == pytest.approx(0.2)


def test_profile_has_its_critical_line_and_interval(good, bad, data):
    row = good.rows[0]
    fig = profile_figure(row, good)
    drawn = data(fig, "profile")
    assert np.allclose(drawn["x"], 100.0 * row.joint.profile.deltas)
    assert np.allclose(data(fig, "critical")["y"], 3.84)
    low, high = data(fig, "interval")["x"]
    assert (low, high) == pytest.approx([100.0 * x for x in row.joint.interval])
    # The two roads to the interval: where the curve crosses the line
    for end in (low, high):
        assert np.interp(end, drawn["x"], drawn["y"]) == pytest.approx(3.84, abs=0.15)
    start, end = axis(fig, "x")
    assert start < low < high < end
    assert "truth" in names(fig)
    refused = profile_figure(bad.rows[0], bad)
    assert refused.title.text.endswith("refused")
    assert {"profile", "interval"} <= names(refused)
    none = profile_figure(bad.rows[0]._replace(joint=None), bad)
    assert "profile" not in names(none)
    assert data(none, "refused")["text"][0].startswith("— contraction")


def test_every_figure_of_simulated_data_says_so(good, bad):
    for whole, count in ((good, 1), (bad, 0)):
        row = whole.rows[0]
        drawn = (rung_figure, score_rows_figure, state_density_figure)
        drawn += (gap_path_figure, pricing_figure, profile_figure)
        for make in drawn:
            fig = make(row, whole)
            assert sum(m.name == "simulated" for m in fig.center) == count
            assert fig.yaxis[0].axis_label or fig.yaxis[0].major_label_overrides
            assert fig.xaxis[0].axis_label


def test_names_of_others_are_never_tex_nor_wider_than_a_phone(good):
    whole = states_results.hostile(good)
    for make in (rung_figure, state_density_figure, gap_path_figure, pricing_figure):
        title = make(whole.rows[0], whole).title.text
        assert not any(mark in title for mark in ("$$", r"\(", r"\["))
        assert max(len(line) for line in title.splitlines()) <= 40
