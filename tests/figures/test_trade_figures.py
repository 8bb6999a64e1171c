"""Figures of a trade: the study's numbers, its strikes, its corners, and a refusal in words."""

from __future__ import annotations

import numpy as np
import pytest
from bokeh.models.annotations import Label, Span

from eventtape.figures.trade_profiles import (
    coin_profile,
    dollar_profile,
    gamma_profile,
    payoff_figure,
    vega_profile,
)
from eventtape.figures.trade_scenarios import (
    colour_limit,
    gap_figure,
    rule_figure,
    scenario_figure,
)
from eventtape.studies.trade_rows import EVE, EXPIRY, HELD, ONSET
from figures import trade_results


@pytest.fixture(scope="module")
def good():
    return trade_results.good()


@pytest.fixture(scope="module")
def bought():
    return trade_results.bought()


def names(fig):
    return {r.data_source.name for r in fig.renderers}


@pytest.mark.parametrize(
    ("draw", "column", "scale"),
    [
        (coin_profile, "coins", 1.0),
        (dollar_profile, "dollars", 1.0),
        (vega_profile, "vega", 1.0),
        (gamma_profile, "gamma", 1000.0),
    ],
    ids=["coins", "dollars", "vega", "gamma"],
)
def test_dates_are_overlaid(good, data, draw, column, scale):
    fig = draw(good)
    shown = {ONSET, EVE, HELD} | ({EXPIRY} if column in {"coins", "dollars"} else set())
    assert names(fig) == shown
    for label in shown:
        drawn = data(fig, label)
        np.testing.assert_array_equal(drawn["x"], good.profile(label).prices)
        np.testing.assert_array_equal(drawn["y"], scale * getattr(good.profile(label), column))
    upright = [s.location for s in fig.select(Span) if s.name == "sold strike"]
    assert sorted(upright) == [55e3, 72e3]
    assert [s.location for s in fig.select(Span) if s.name == "price now"] == [62e3]


def test_each_expiry_by_itself(good, data):
    """What is sold keeps at most its premium, what is bought loses at most its own."""
    fig = payoff_figure(good)
    near, far = (np.asarray(data(fig, day)["y"]) for day in ("2024-11-08", "2025-03-28"))
    cost = [leg.price * leg.quantity * 62e3 for leg in good.legs]
    assert near.max() == pytest.approx(-sum(cost[:2]))
    assert far.min() == pytest.approx(-sum(cost[2:]))
    assert near[0] < 0.0 > near[-1]
    assert far[0] > 0.0 < far[-1]


def test_nothing_sold_has_no_strike_marked(bought):
    fig = coin_profile(bought)
    assert not [s for s in fig.select(Span) if s.name == "sold strike"]


def test_cells_are_the_grid_s_and_corners_marked_where_they_are(good, data):
    grid = good.grids[1]
    marked = []
    for term in range(len(grid.steepenings)):
        fig = scenario_figure(grid, term, good)
        cells = data(fig, "cells")
        assert list(cells["pnl"]) == grid.pnl[term].ravel().tolist()
        at = int(np.argmin(cells["pnl"]))
        m, n = np.unravel_index(at, grid.pnl[term].shape)
        assert cells["x"][at] == pytest.approx(100 * good.config.spot_moves[n])
        assert cells["y"][at] == pytest.approx(100 * good.config.vol_moves[m])
        marked += sorted(names(fig) & {"worst", "best"})
    assert sorted(marked) == ["best", "worst"]
    assert colour_limit(grid) >= grid.extremes.best.pnl > 0.0


def test_a_jump_and_no_jump(good, bought, data):
    fig = gap_figure(good)
    assert list(data(fig, "volatilities held")["y"]) == good.gap.pnl.tolist()
    assert "the event's variance gone" in names(fig)
    empty = gap_figure(bought)
    said = [label.text for label in empty.select(Label) if label.name == "refusal"]
    assert said == ["— no event was named"]


def test_rules_have_a_row_each(good, data):
    fig = rule_figure(good)
    drawn = data(fig, "rules")
    assert list(drawn["mean"]) == [rule.law.mean for rule in good.rules]
    assert (np.asarray(drawn["p5"]) <= drawn["p50"]).all()
    assert list(fig.yaxis[0].major_label_overrides.values()) == [r.name for r in good.rules]
