"""The figures on the event's own clock carry the result's numbers at the result's times."""

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

from eventtape.arrays import Status
from eventtape.figures import market_figures, news_clock_figure, probability_figure, time_range
from eventtape.studies.findings import minutes
from figures import edge_results


def labels(fig):
    return [item.label.value for legend in fig.legend for item in legend.items]


def test_quotes_and_filter(night, data):
    fig, series = probability_figure(night), night.probabilities[0]
    quotes, filtered = data(fig, "quotes"), data(fig, "filtered")
    assert_array_equal(quotes["probability"], series.frame["probability"])
    assert_array_equal(quotes["ts"], series.frame["ts"].to_physical().to_numpy() / 1e6)
    mean, sd = series.frame["mean"].to_numpy(), series.frame["sd"].to_numpy()
    assert_array_equal(filtered["mean"], mean)
    assert_allclose(filtered["upper"] - filtered["lower"], 4.0 * sd)
    assert_allclose(0.5 * (filtered["upper"] + filtered["lower"]), mean)


def test_regimes_are_marked(night, data):
    fig, frame = probability_figure(night), night.probabilities[0].frame
    for regime in ("moderate", "shock"):
        marked = data(fig, regime)
        assert len(marked["ts"]) == (frame["regime"] == regime).sum() > 0
        assert set(marked["regime"]) == {regime}


def test_other_venue_shows_its_book(night, data):
    fig, frame = probability_figure(night), night.probabilities[1].frame
    venue = data(fig, "venue Hourly")
    assert_array_equal(venue["bid"], frame["bid"].to_numpy())
    assert np.isnan(venue["ask"][2])
    assert venue["book"][2] == "—"
    assert "Hourly, bid to ask" in labels(fig)
    assert "Hourly, vig removed" in labels(fig)


def test_probability_without_filter_says_so(night):
    fig = probability_figure(edge_results.refused(night))
    assert str(Status.NO_CONVERGENCE) in fig.title.text
    assert not any("filtered" in label or "shock" in label for label in labels(fig))


def test_news_clock(night, data):
    counted = data(news_clock_figure(night), "news clock")
    assert_allclose(counted["counted"], 100.0 * night.news_clock["counted"].to_numpy())
    assert_array_equal(counted["ts"], night.news_clock["ts"].to_physical().to_numpy() / 1e6)
    assert news_clock_figure(night._replace(news_clock=None)) is None
    assert news_clock_figure(edge_results.bare(night)) is None


def test_one_time_axis_for_all(night):
    shared = time_range(night.event)
    drawn = [
        probability_figure(night, x_range=shared),
        news_clock_figure(night, x_range=shared),
        *market_figures(night, x_range=shared),
    ]
    assert all(fig.x_range is shared for fig in drawn)
    assert (shared.start, shared.end) == (night.event.start_ns / 1e6, night.event.end_ns / 1e6)
    assert {fig.xaxis.axis_label for fig in drawn} == {"UTC"}


def test_market_paths(night, data):
    figs = market_figures(night)
    assert len(figs) == len(night.paths)
    for fig, path in zip(figs, night.paths, strict=True):
        columns = data(fig, f"path {path.market}")
        assert_allclose(columns["actual"], 100.0 * path.actual)
        assert_allclose(columns["implied"], 100.0 * path.implied)
        assert_array_equal(columns["ts"], path.ts / 1e6)
        horizon = minutes(night.config.headline_s)
        assert f"event-implied, in-sample ({horizon} gap)" in labels(fig)


def test_market_without_implied_path_names_its_status(night):
    result = edge_results.refused(night)
    headline = {g.market: g.status for g in result.gaps if g.horizon_s == result.config.headline_s}
    for fig, path in zip(market_figures(result), result.paths, strict=True):
        assert f"event-implied: {headline[path.market]}" in labels(fig)
    assert market_figures(result)[0].select_one({"name": "refusal"}).text == "no price seen"
