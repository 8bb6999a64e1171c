"""Bokeh figures from a study's result, drawn once for the report and the live dashboard.

Each function takes a result and returns one figure, or a tuple of small ones for the face to lay
out in its own grid. No formula lives here: units are changed and marks placed, nothing else.
"""

from eventtape.figures.gaps import gap_figures
from eventtape.figures.lead_lag import lead_lag_figures
from eventtape.figures.lead_lag_map import lead_lag_map
from eventtape.figures.leadership_network import leadership_network
from eventtape.figures.leadership_rolling import rolling_figures
from eventtape.figures.markets import market_figures
from eventtape.figures.probability import news_clock_figure, probability_figure
from eventtape.figures.responses import response_figures
from eventtape.figures.scorecard import score_figure
from eventtape.figures.style import time_range
from eventtape.figures.themes import theme

__all__ = [
    "gap_figures",
    "lead_lag_figures",
    "lead_lag_map",
    "leadership_network",
    "market_figures",
    "news_clock_figure",
    "probability_figure",
    "response_figures",
    "rolling_figures",
    "score_figure",
    "theme",
    "time_range",
]
