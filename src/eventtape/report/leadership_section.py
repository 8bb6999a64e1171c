"""Who moved first: network, tables by step, windows, correlations, and the placebo beside them."""

from __future__ import annotations

from eventtape import figures
from eventtape.report import leadership_tables, tables
from eventtape.report.html import element, join
from eventtape.report.section import Section
from eventtape.studies import DiffusionResult
from eventtape.studies.leadership_findings import placebo_sentence
from eventtape.studies.words import minutes

__all__ = ["leadership_section"]

NO_PLACEBO = "The rules were not tried on shuffled feeds, so how often they err here is not known."
STEPS = "Leaders by step"
LEAST = (
    "q is adjusted over the pairs that one method asked at one step, and each step keeps its rate "
    "by itself; the least q of a row is the smallest over its steps, not adjusted for that choice."
)


def leadership_section(result: DiffusionResult) -> Section:
    """The section, its figures in the order network, windows, correlations."""
    config, rest = result.config, figures.lead_lag_map(result)
    reading = (
        "An arrow runs from leader to follower where a method identifies one and the share of "
        f"false finds among all pairs it asked is kept at {1.0 - config.level:.0%}. Lead-lag asks "
        "which ticks move first; Granger, whose past helps to forecast the other; a shared trend, "
        "which price first moves to a trend that both follow; speed, who takes in lasting news of "
        "the probability sooner. A probability and a price are never fitted with a shared trend. "
        "A step no longer than the stamps' uncertainty is not resolved."
    )
    windowed = (
        f"Windows are {minutes(config.rolling_s)} long, one every "
        f"{minutes(config.rolling_every_s)}; marks at the top are windows without a lag."
    )
    curved = (
        "In the curves a peak to the right of zero says that the first moved first. Inside the "
        "grey band there may be no link at all; inside the orange strip the stamps are too coarse "
        "to tell who was first. They test each pair by itself; the network and the tables by step "
        "test all together."
    )
    prose = [reading, windowed, curved]
    if rest is not None:
        prose.append(
            "Pairs of markets are strips: colour is correlation, a dark underline is beyond the "
            "band of no link, a diamond with its bar is a lag that was found and its interval, a "
            "bar alone an interval that names no leader."
        )
    windows, curves = figures.rolling_figures(result), figures.lead_lag_figures(result)
    placebo = element("p", placebo_sentence(result) or NO_PLACEBO, class_="warning")
    return Section(
        "lead-lag",
        "Who moved first",
        tuple(prose),
        "Leaders that are identified; lag behind the probability by window; correlation at each "
        "lag against the band of no link; pairs of markets as strips.",
        (figures.leadership_network(result),),
        (*windows, *curves),
        join(
            [
                element("h3", STEPS, id="leaders-by-step"),
                element("p", LEAST),
                leadership_tables.frequency_tables(result),
                leadership_tables.placebo_table(result),
                element("h3", "Each pair by itself"),
                tables.lead_lag_table(result),
                element("h3", "What each feed takes from the others"),
                element(
                    "p",
                    "Shares of forecast variance say who moves with whom, not who is first: two "
                    "feeds hit at one instant have large equal shares. Each feed's own shares lean "
                    "upward in a short sample; the mean of all has that taken off.",
                ),
                leadership_tables.spillover_table(result),
                element("h3", "The contract as a fair game"),
                element(
                    "p",
                    "Ratios above the band are moves that go on (slow or stale quotes), below it "
                    "moves that are taken back; neither says that a trade earns its costs.",
                ),
                leadership_tables.martingale_table(result),
            ]
        ),
        last=() if rest is None else (rest,),
        note=placebo,
        marks=(("leaders-by-step", STEPS),),
    )
