"""Whatever the result, every figure is drawn, valid to Bokeh, and its labels are plain text."""

import logging
import re

import numpy as np
from bokeh.document import Document
from bokeh.models import Range1d

from eventtape import figures
from eventtape.figures.words import interval_text, percent_text, plain
from figures import edge_results


def draw_all(result):
    single = (
        figures.probability_figure(result),
        figures.news_clock_figure(result),
        figures.lead_lag_map(result),
        figures.leadership_network(result),
        figures.score_figure(result),
    )
    many = (
        figures.market_figures,
        figures.gap_figures,
        figures.response_figures,
        figures.lead_lag_figures,
        figures.rolling_figures,
    )
    return [fig for fig in single if fig is not None] + [f for draw in many for f in draw(result)]


def test_every_result_can_be_drawn(edge, caplog):
    drawn = draw_all(edge)
    assert len(drawn) >= 2 + 3 * len(edge.paths)
    document = Document(theme=figures.theme())
    with caplog.at_level(logging.INFO, logger="bokeh"):
        with document.models.freeze():
            for fig in drawn:
                document.add_root(fig)
        document.validate()
        document.to_json()
    assert not [r.getMessage() for r in caplog.records if r.name.startswith("bokeh")]
    for fig in drawn:
        assert isinstance(fig.y_range, Range1d)
        assert np.isfinite([fig.y_range.start, fig.y_range.end]).all()
        assert fig.toolbar.active_drag is None
        assert bool(fig.select({"name": "simulated"})) == edge.simulated


def test_both_themes_are_accepted():
    for dark in (False, True):
        document = Document(theme=figures.theme(dark=dark))
        document.add_root(figures.score_figure(edge_results.one_market()))
        document.to_json()


def test_no_label_is_read_as_tex(night):
    for fig in draw_all(edge_results.renamed(night)):
        words = [fig.title.text, fig.xaxis.axis_label, fig.yaxis.axis_label]
        words += [item.label.value for legend in fig.legend for item in legend.items]
        words += list(fig.yaxis.major_label_overrides.values())
        assert not any(re.search(r"\$\$|\\\(|\\\[", word or "") for word in words)


def test_words():
    assert plain("a\n  b") == "a b"
    assert plain("x" * 40, 10) == "x" * 9 + "…"
    assert plain("a\u202eb\x07\u2066c\ud800") == "a b c"
    assert percent_text(0.0753) == "+7.53%"
    assert percent_text(np.nan, edge_results.Status.NOT_RESOLVED) == "— not resolved"
    assert interval_text(np.nan, 0.1) == "—"
