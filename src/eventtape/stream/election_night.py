"""The graphs of one event: its probability, its markets, its ticks, its options, and all of them.

Each group of nodes stands behind one ordering node and works by itself. A night without ticks or
without options has no such nodes: what is not there is not computed, and screens say so.

==============  =======================================================  ==================
nodes           what they read                                           ordered
==============  =======================================================  ==================
probability     every venue, each by itself                              as it comes
markets,        the primary venue and all markets on one grid            by stamp
leadership
features,       trades and quotes of the stocks                          by stamp
factors,
scores
density,        option quotes and the primary venue on one grid          by stamp
states
==============  =======================================================  ==================
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from eventtape.clock import SECOND, duration_ns
from eventtape.errors import InputError
from eventtape.frames.up_move_model import ScoredModel
from eventtape.stream.density import DensityFold
from eventtape.stream.factors import FactorsFold
from eventtape.stream.features import FeaturesFold
from eventtape.stream.fold import NEVER, Node, Program, program
from eventtape.stream.leadership import LeadershipFold
from eventtape.stream.markets import MarketsFold
from eventtape.stream.order import InOrder, Merged
from eventtape.stream.probability import ProbabilityFold
from eventtape.stream.scores import LiveScoresFold, ScoresFold
from eventtape.stream.states import StatesFold
from eventtape.tape import (
    BAR,
    EQUITY_TRADE,
    OPTION_QUOTE,
    PROBABILITY,
    QUOTE,
    TRADE,
    Feed,
    Record,
)

__all__ = [
    "NightConfig",
    "election_night",
    "market_nodes",
    "option_nodes",
    "probability_nodes",
    "tick_nodes",
]


@dataclass(frozen=True, kw_only=True)
class NightConfig:
    """Options of a night's graph; lengths of time in seconds.

    ``lateness_s`` and ``quiet_s`` are those of :class:`~.order.Merged`: how late a row may be by
    other feeds' stamps, and by the wall clock (None where rows are of another time than now).
    ``step_s`` is the grid of markets and leadership, ``chain_s`` that of densities and states.
    ``after_ns``: chains that expire at or before it settle before the event.
    """

    primary: str
    start_ns: int
    after_ns: int = NEVER
    tick: float = 0.001  # of the probability's quotes
    step_s: float = 60.0
    horizon_s: float = 1800.0  # of the gaps
    lead_s: float = 600.0  # by how much the probability may be later than the price
    gap_every: int = 5
    leader_window: int = 120
    leader_every: int = 5
    max_age_s: float = 300.0
    every: str = "1m"  # bucket of the features
    chain_s: float = 60.0
    snapshot_s: float = 300.0  # of chains, for the joint fit
    p_error: float = 0.01
    lateness_s: float = 0.1
    quiet_s: float | None = 2.0
    weights: pl.DataFrame | None = None  # symbol, factor, weight: factor returns of the stocks
    model: ScoredModel | None = None  # scores every bucket of every stock

    @property
    def merged(self) -> Merged:
        """The node that puts several feeds on one clock."""
        quiet = 2**62 if self.quiet_s is None else round(self.quiet_s * SECOND)
        return Merged(round(self.lateness_s * SECOND), quiet)


def election_night(feeds: Sequence[Feed], config: NightConfig) -> Program:
    """The nodes of every group whose feeds are there; ``feeds`` may have empty frames."""
    return program(
        [
            *probability_nodes(feeds, config),
            *market_nodes(feeds, config),
            *tick_nodes(feeds, config),
            *option_nodes(feeds, config),
        ]
    )


def probability_nodes(feeds: Sequence[Feed], config: NightConfig) -> tuple[Node, ...]:
    """The filtered probability of every venue."""
    venues = _labels(feeds, PROBABILITY)
    if config.primary not in venues:
        raise InputError(f"a primary among {', '.join(venues) or 'no feeds'}", met=config.primary)
    return (
        Node("venues", venues, InOrder(), feeds=True),
        Node("probability", ("venues",), ProbabilityFold(config.tick)),
    )


def market_nodes(feeds: Sequence[Feed], config: NightConfig) -> tuple[Node, ...]:
    """Gaps and implied paths of the markets, and who leads among them and the event."""
    markets = _labels(feeds, TRADE, BAR)
    if not markets:
        return ()
    step_ns, age_ns = round(config.step_s * SECOND), round(config.max_age_s * SECOND)
    both = (config.primary, *markets)
    doubt = {feed.label: feed.stamp_uncertainty_ns / SECOND for feed in feeds}
    uncertain = tuple(max(doubt[config.primary], doubt[name]) for name in markets)
    gaps = MarketsFold(
        config.primary, markets, step_ns, config.horizon_s, config.start_ns,
        lead_s=config.lead_s, every=config.gap_every, max_age_ns=age_ns,
        uncertain_s=uncertain,
    )  # fmt: skip
    leaders = LeadershipFold(
        both, step_ns, config.leader_window, every=config.leader_every,
        start_ns=config.start_ns, max_age_ns=age_ns,
    )  # fmt: skip
    return (
        Node("prices", both, config.merged, feeds=True),
        Node("markets", ("prices",), gaps),
        Node("leadership", ("prices",), leaders),
    )


def tick_nodes(feeds: Sequence[Feed], config: NightConfig) -> tuple[Node, ...]:
    """Features of the stocks; factor returns where there are weights, scores where a model."""
    trades, quotes = _labels(feeds, EQUITY_TRADE), _labels(feeds, QUOTE)
    if not (trades and quotes):
        return ()
    nodes = [
        Node("ticks", (trades[0], quotes[0]), config.merged, feeds=True),
        Node("features", ("ticks",), FeaturesFold(trades[0], quotes[0], every=config.every)),
    ]
    if config.weights is not None:
        by_factor = config.weights.partition_by("factor", as_dict=True, maintain_order=True)
        weights = {
            str(factor): dict(zip(held["symbol"], held["weight"], strict=True))
            for (factor,), held in by_factor.items()
        }
        nodes.append(Node("factors", ("features",), FactorsFold(weights)))
    if config.model is not None:
        if duration_ns(config.every) != config.model.every_ns:
            wanted = f"buckets of {config.model.every_ns / SECOND:g}s, as the model was trained on"
            raise InputError(wanted, met=config.every, column="every")
        nodes.append(Node("scores", ("features",), ScoresFold(config.model)))
        live = LiveScoresFold(config.model)
        nodes.append(Node("live_scores", ("features", "scores"), live))
    return tuple(nodes)


def option_nodes(feeds: Sequence[Feed], config: NightConfig) -> tuple[Node, ...]:
    """Densities of every chain, and what they say of either outcome."""
    options = _labels(feeds, OPTION_QUOTE)
    if not options:
        return ()
    states = StatesFold(
        config.primary, p_error=config.p_error, after_ns=config.after_ns,
        snapshot_ns=round(config.snapshot_s * SECOND),
    )  # fmt: skip
    return (
        Node("chains", (*options, config.primary), config.merged, feeds=True),
        Node("density", ("chains",), DensityFold(options, every_ns=round(config.chain_s * SECOND))),
        Node("states", ("chains", "density"), states),
    )


def _labels(feeds: Sequence[Feed], *records: Record) -> tuple[str, ...]:
    return tuple(feed.label for feed in feeds if any(feed.record is one for one in records))
