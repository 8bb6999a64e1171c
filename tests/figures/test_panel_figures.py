"""The figures of a panel at their edges: each reason its grey, ends in the frame, names as text."""

from __future__ import annotations

import dataclasses
import itertools
import math

import polars as pl
import pytest

from eventtape.estimators.discovery.refusals import Reason
from eventtape.figures.panel_leadership import group_figures, pair_map, speed_figures
from eventtape.report.panel_page import render_panel
from eventtape.simulate.leader_frame import leader_frame
from eventtape.studies.panel_leadership import run
from eventtape.studies.panel_leadership_rows import LeadershipConfig


@pytest.fixture(scope="module")
def result():
    made = leader_frame(1)
    config = LeadershipConfig(
        market=made.market,
        probability=made.probability,
        groups=tuple(made.groups.items()),
        n_draws=99,
        placebo_runs=0,
        resolution=(1,),
    )
    return run(made.prices, config, simulated=True)


def sources(fig):
    return {r.data_source.name: r.data_source.data for r in fig.renderers if r.data_source.name}


def test_each_pair_is_two_cells_and_the_leader_is_the_rows(result):
    found = sources(pair_map(result))
    assert sum(len(data["x"]) for data in found.values()) == 2 * result.pairs.height
    leads, led = found["row leads column"], found["column leads row"]
    assert (leads["pair"], led["pair"]) == (["VENUE1 · VENUE2"], ["VENUE2 · VENUE1"])
    assert float(leads["share"][0]) + float(led["share"][0]) == pytest.approx(1.0, abs=0.011)
    assert (leads["x"], leads["y"]) == (led["y"], led["x"])


def test_reasons_have_their_own_greys(result):
    why = [Reason.RANK_0, Reason.EQUAL, Reason.WIDE, Reason.SERIAL, Reason.FEW_ROWS]
    rows = result.pairs.head(5).with_columns(
        pl.Series("reason", [str(w) for w in why]), pl.lit(None, pl.String).alias("leader")
    )
    found = sources(pair_map(dataclasses.replace(result, pairs=rows)))
    assert {name: data["why"] for name, data in found.items()} == {
        "no common trend": [str(Reason.RANK_0)] * 2,
        "equality not excluded": [str(Reason.EQUAL)] * 2,
        "too coarse a step": [str(Reason.WIDE)] * 2,
        "other reason": [str(Reason.SERIAL)] * 2,
        "too few rows": [str(Reason.FEW_ROWS)] * 2,
    }


def test_many_series_and_nobody_named_are_words(result):
    """Thirty series named by nobody would be a screen of one grey."""
    many = [f"N{i:02}" for i in range(30)]
    pairs = pl.concat(
        [
            result.pairs.head(1).with_columns(
                pl.lit(a).alias("first"),
                pl.lit(b).alias("second"),
                pl.lit(None, pl.String).alias("leader"),
                pl.lit(str(Reason.RANK_0)).alias("reason"),
            )
            for a, b in itertools.combinations(many, 2)
        ]
    )
    series = pl.concat([result.series.head(1).with_columns(pl.lit(n).alias("name")) for n in many])
    wide = dataclasses.replace(result, pairs=pairs, series=series, spillovers=pl.DataFrame())
    assert pair_map(wide) is None
    assert "Nobody is named in 435 pairs" in render_panel(wide)
    named = pairs.with_columns(pl.lit("N00").alias("leader"))
    assert pair_map(dataclasses.replace(wide, pairs=named)) is not None


def test_an_interval_without_end_ends_at_the_frame(result):
    speeds = result.speeds.with_columns(
        pl.when(pl.col("name") == "SLOW1").then(-math.inf).otherwise("lower").alias("lower")
    )
    fig = speed_figures(dataclasses.replace(result, speeds=speeds))[0]
    data = sources(fig)["speed"]
    assert min(data["lower"]) == fig.x_range.start
    assert "-inf to" in data["interval"][2]
    assert sources(fig)["refused speed"]["text"] == ["— no long-run response"] * 3


def test_what_was_not_asked_is_not_drawn(result):
    nothing = dict.fromkeys(("pairs", "speeds", "groups"), pl.DataFrame())
    bare = dataclasses.replace(result, **nothing)
    assert pair_map(bare) is None
    assert speed_figures(bare) == group_figures(bare) == ()
    assert "Pairs of prices" not in render_panel(bare)


def test_every_figure_of_a_simulated_panel_says_so(result):
    figs = [pair_map(result), *speed_figures(result), *group_figures(result)]
    assert len(figs) == 5
    real = dataclasses.replace(result, simulated=False)
    for fig, other in zip(
        figs, [pair_map(real), *speed_figures(real), *group_figures(real)], strict=True
    ):
        assert fig.select_one({"name": "simulated"}) is not None
        assert other.select_one({"name": "simulated"}) is None
    assert "SIMULATED" not in render_panel(real).rpartition("<body>")[2].split("<script")[0]


def test_a_hostile_name_is_text(result):
    bad = "<img src=x>$$"
    columns = {
        "series": ("name",),
        "pairs": ("first", "second"),
        "speeds": ("name",),
        "spillovers": ("name",),
    }
    tables = {
        key: getattr(result, key).with_columns(pl.col(names).replace("SLOW1", bad))
        for key, names in columns.items()
    }
    named = dataclasses.replace(result, **tables)
    body = render_panel(named).rpartition("<body>")[2].split("<script")[0]
    assert "<img" not in body
    assert "&lt;img" in body
    labels = speed_figures(named)[0].yaxis[0].major_label_overrides
    assert "$$" not in "".join(labels.values())
