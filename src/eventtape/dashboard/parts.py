"""What the page is made of, from top to bottom: each part draws the answers of one node."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import polars as pl

from eventtape.dashboard.about import About
from eventtape.figures.live_density import LiveDensity
from eventtape.figures.live_factors import LiveFactors
from eventtape.figures.live_features import LiveFeatures
from eventtape.figures.live_leadership import LiveLeadership
from eventtape.figures.live_markets import LiveMarkets
from eventtape.figures.live_parts import LiveFigure
from eventtape.figures.live_probability import LiveProbability
from eventtape.figures.live_scores import LiveScores
from eventtape.figures.live_states import LiveStates

__all__ = ["Part", "absent", "draw", "parts_of"]

ROWS = 20_000
_POINTS = 1_600  # of the probability: about what a screen is wide, and drawn ten times a second
_NEEDS = {
    "markets": "market prices",
    "density": "option chains",
    "features": "stock ticks",
    "factors": "factor weights",
    "scores": "a trained model",
}


class Part(NamedTuple):
    """A section of the page."""

    key: str  # the node it draws, and its anchor on the page
    title: str
    words: str  # what a reader sees there, and in which units
    empty: str  # what is said before the first row
    figure: LiveFigure
    behind: tuple[str, ...]  # the node and those it reads: where one stops, this stops
    most: int = ROWS  # rows drawn at once
    chained: bool = False  # one underlying at a time
    anew: int = 0  # rows after which it is drawn anew, thinned, from all the board has; 0: never


def parts_of(about: About) -> tuple[Part, ...]:
    """The parts of a page about this event, with figures that nothing is drawn in yet."""
    makers = _makers(about)
    return tuple(make() for key, make in makers.items() if not about.nodes or key in about.nodes)


def absent(about: About) -> tuple[str, ...]:
    """What the run would need for the sections that its page leaves out, in words."""
    if not about.nodes:
        return ()
    said = {key: words for key, words in _NEEDS.items() if key not in about.nodes}
    if "features" in said:
        said.pop("factors", None)  # weights alone would give none
    return tuple(said.values())


def _makers(about: About) -> dict[str, Callable[[], Part]]:
    """What makes each part, from the top of the page; making a figure takes time."""
    simulated = about.simulated
    return {
        "probability": lambda: Part(
            "probability",
            "Probability",
            f"The probability that {about.outcome}: quotes as they come, the filtered mean with "
            "two standard deviations either side, and the moves that are more than noise.",
            "no ticks for this event yet",
            LiveProbability(
                primary=about.primary, outcome=about.outcome, simulated=simulated, most=_POINTS
            ),
            ("probability", "venues"),
            anew=_POINTS // 2,
        ),
        "markets": lambda: Part(
            "markets",
            "Markets against the event",
            f"Each market's log return in percent beside the one that {about.primary} alone would "
            "have given, with its 95% interval for one look: read again and again it will "
            "exclude the truth more often than one time in twenty.",
            "no market has been held against the probability yet",
            LiveMarkets(simulated=simulated),
            ("markets", "prices"),
        ),
        "density": lambda: Part(
            "density",
            "Density",
            "What options say of the price at expiry: the risk-neutral density with its 95% band, "
            "and the volatility at the forward.",
            "no chain of options has given a density yet",
            LiveDensity(simulated=simulated),
            ("density", "chains"),
            most=5_000,
            chained=True,
        ),
        "states": lambda: Part(
            "states",
            "Under either outcome",
            "The mean price if the outcome happens and if it does not: what every law would allow, "
            "and the joint fit where the data identify it.",
            "no chain of options has been split by outcome yet",
            LiveStates(simulated=simulated),
            ("states", "density", "chains"),
            most=5_000,
            chained=True,
        ),
        "leadership": lambda: Part(
            "leadership",
            "Who leads",
            "An arrow from leader to follower for each pair that the latest window identifies.",
            "no window is full yet",
            LiveLeadership(simulated=simulated),
            ("leadership", "prices"),
        ),
        "features": lambda: Part(
            "features",
            "Features",
            "A row a symbol: the mid lately, and each feature in standard deviations from its own "
            "past.",
            "no interval has closed yet",
            LiveFeatures(simulated=simulated),
            ("features", "ticks"),
        ),
        "factors": lambda: Part(
            "factors",
            "Factor returns",
            "Returns of the long-short factors, added up, in percent.",
            "no step of the factors is complete yet",
            LiveFactors(simulated=simulated),
            ("factors", "features", "ticks"),
        ),
        "scores": lambda: Part(
            "scores",
            "Model scores",
            "The probability of an up-move by the trained model, given that there is a move, "
            "beside the share of up-moves it was trained on.",
            "no interval has been scored yet",
            LiveScores(simulated=simulated),
            ("scores", "features", "ticks"),
        ),
    }


def draw(part: Part, rows: pl.DataFrame, chain: str) -> None:
    """Draw these rows and no others, of the chain where the part shows one at a time."""
    if isinstance(part.figure, LiveDensity | LiveStates):
        part.figure.show(rows, chain=chain)
    else:
        part.figure.show(rows)
