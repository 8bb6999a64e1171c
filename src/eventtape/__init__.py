"""eventtape: how news about a scheduled event travels through markets, and what it is worth.

Frames in, frames out (Polars); times are UTC nanoseconds; returns are log returns; every estimate
carries an interval and a status, and is NaN or null where the data cannot identify it.

>>> import eventtape
>>> night = eventtape.event_night(seed=1)
>>> result = eventtape.diffusion(night.tape, eventtape.SIMULATED)
>>> result.gaps[0].status
<Status.OK: 'ok'>

The rooms below this face (``eventtape.estimators``, ``eventtape.tape``, ...) are public too; see
the documentation for which does what.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from eventtape.errors import EventTapeError, FetchError, InputError, LakeError, StreamError

if TYPE_CHECKING:
    from eventtape.arrays import Status
    from eventtape.dashboard.about import About
    from eventtape.dashboard.server import serve
    from eventtape.estimators.density.fit import fit_density
    from eventtape.estimators.density.stream import DensityStream
    from eventtape.estimators.discovery.connectedness import connectedness
    from eventtape.estimators.discovery.cross_correlation import cross_correlation
    from eventtape.estimators.discovery.granger import granger
    from eventtape.estimators.discovery.information_share import shares
    from eventtape.estimators.discovery.lead_lag import lead_lag
    from eventtape.estimators.discovery.pairs import pair_discovery
    from eventtape.estimators.discovery.panel_rank import panel_rank
    from eventtape.estimators.discovery.panel_speeds import panel_speeds
    from eventtape.estimators.discovery.vecm import vecm
    from eventtape.estimators.pricing.american import american
    from eventtape.estimators.pricing.american_implied_vol import american_implied_vol
    from eventtape.estimators.pricing.binomial import binomial
    from eventtape.estimators.pricing.black import black_greeks, black_price
    from eventtape.estimators.pricing.deamericanise import deamericanise
    from eventtape.estimators.pricing.forward import forward_from_parity
    from eventtape.estimators.pricing.implied_vol import implied_vol
    from eventtape.estimators.probability.clock_fit import fit_clock
    from eventtape.estimators.probability.probit_filter import probit_filter
    from eventtape.estimators.probability.probit_martingale import probit_law
    from eventtape.estimators.probability.venues import join_venues
    from eventtape.estimators.states.bounds import outcome_bounds
    from eventtape.estimators.states.conditional_calls import conditional_calls
    from eventtape.estimators.states.event_hedge import event_hedge
    from eventtape.estimators.states.exposure import exposure
    from eventtape.estimators.states.inventory import asset_quotes, event_quotes
    from eventtape.estimators.states.joint_fit import joint_fit
    from eventtape.estimators.states.option_panel import option_panel
    from eventtape.estimators.states.two_lognormal import two_lognormal
    from eventtape.frames import (
        connectedness_table,
        daily_volume,
        factor_returns,
        feature_stream,
        filter_probability,
        gap_table,
        granger_table,
        group_table,
        idiosyncratic_amplification,
        join_complementary,
        lead_lag_table,
        microstructure_features,
        nbbo_seconds,
        nbbo_stream,
        pair_table,
        rank_table,
        replicate,
        resolution_table,
        rolling_beta,
        sign_trades,
        speed_table,
        train_up_move,
        universe,
    )
    from eventtape.report import write_report
    from eventtape.simulate.event_night import MarketTruth, event_night
    from eventtape.simulate.live_night import live_night
    from eventtape.simulate.option_chain import chain_truths, option_chain
    from eventtape.simulate.taq_day import taq_day
    from eventtape.simulate.two_states import two_states
    from eventtape.sources import load_folder, read_option_quotes
    from eventtape.sources.probability_files import read_probability
    from eventtape.store import Lake, read_tape, write_tape
    from eventtape.store.journal import Journal
    from eventtape.store.snapshots import Snapshots
    from eventtape.stream.board import Board
    from eventtape.stream.election_night import NightConfig, election_night
    from eventtape.stream.graph import replay
    from eventtape.stream.live import LiveRun
    from eventtape.stream.paced import PacedSource, tape_batches
    from eventtape.studies import EVENTS, SIMULATED, Config, Event, diffusion
    from eventtape.studies.contract import contract
    from eventtape.studies.panel_leadership import leadership
    from eventtape.studies.panel_leadership_rows import LeadershipConfig
    from eventtape.studies.states import states
    from eventtape.tape import Feed, Instrument, Tape, chains
    from eventtape.tape.bars import bars

__all__ = [
    "EVENTS",
    "SIMULATED",
    "About",
    "Board",
    "Config",
    "DensityStream",
    "Event",
    "EventTapeError",
    "Feed",
    "FetchError",
    "InputError",
    "Instrument",
    "Journal",
    "Lake",
    "LakeError",
    "LeadershipConfig",
    "LiveRun",
    "MarketTruth",
    "NightConfig",
    "PacedSource",
    "Snapshots",
    "Status",
    "StreamError",
    "Tape",
    "american",
    "american_implied_vol",
    "asset_quotes",
    "bars",
    "binomial",
    "black_greeks",
    "black_price",
    "chain_truths",
    "chains",
    "conditional_calls",
    "connectedness",
    "connectedness_table",
    "contract",
    "cross_correlation",
    "daily_volume",
    "deamericanise",
    "diffusion",
    "election_night",
    "event_hedge",
    "event_night",
    "event_quotes",
    "exposure",
    "factor_returns",
    "feature_stream",
    "filter_probability",
    "fit_clock",
    "fit_density",
    "forward_from_parity",
    "gap_table",
    "granger",
    "granger_table",
    "group_table",
    "idiosyncratic_amplification",
    "implied_vol",
    "join_complementary",
    "join_venues",
    "joint_fit",
    "lead_lag",
    "lead_lag_table",
    "leadership",
    "live_night",
    "load_folder",
    "microstructure_features",
    "nbbo_seconds",
    "nbbo_stream",
    "option_chain",
    "option_panel",
    "outcome_bounds",
    "pair_discovery",
    "pair_table",
    "panel_rank",
    "panel_speeds",
    "probit_filter",
    "probit_law",
    "rank_table",
    "read_option_quotes",
    "read_probability",
    "read_tape",
    "replay",
    "replicate",
    "resolution_table",
    "rolling_beta",
    "serve",
    "shares",
    "sign_trades",
    "speed_table",
    "states",
    "tape_batches",
    "taq_day",
    "train_up_move",
    "two_lognormal",
    "two_states",
    "universe",
    "vecm",
    "write_report",
    "write_tape",
]

# Loaded when first asked for: `import eventtape` and `eventtape --help` stay fast.
_ROOMS = {
    "arrays": ("Status",),
    "estimators.density.fit": ("fit_density",),
    "estimators.density.stream": ("DensityStream",),
    "estimators.discovery.connectedness": ("connectedness",),
    "estimators.discovery.cross_correlation": ("cross_correlation",),
    "estimators.discovery.granger": ("granger",),
    "estimators.discovery.information_share": ("shares",),
    "estimators.discovery.lead_lag": ("lead_lag",),
    "estimators.discovery.pairs": ("pair_discovery",),
    "estimators.discovery.panel_rank": ("panel_rank",),
    "estimators.discovery.panel_speeds": ("panel_speeds",),
    "estimators.discovery.vecm": ("vecm",),
    "estimators.pricing.american": ("american",),
    "estimators.pricing.american_implied_vol": ("american_implied_vol",),
    "estimators.pricing.binomial": ("binomial",),
    "estimators.pricing.black": ("black_greeks", "black_price"),
    "estimators.pricing.deamericanise": ("deamericanise",),
    "estimators.pricing.forward": ("forward_from_parity",),
    "estimators.pricing.implied_vol": ("implied_vol",),
    "frames": (
        "connectedness_table",
        "daily_volume",
        "factor_returns",
        "feature_stream",
        "filter_probability",
        "gap_table",
        "granger_table",
        "group_table",
        "idiosyncratic_amplification",
        "join_complementary",
        "lead_lag_table",
        "microstructure_features",
        "nbbo_seconds",
        "nbbo_stream",
        "pair_table",
        "rank_table",
        "replicate",
        "resolution_table",
        "rolling_beta",
        "sign_trades",
        "speed_table",
        "train_up_move",
        "universe",
    ),
    "report": ("write_report",),
    "simulate": ("MarketTruth", "chain_truths", "event_night", "option_chain", "taq_day"),
    "sources": ("load_folder", "read_option_quotes"),
    "store": ("Lake", "read_tape", "write_tape"),
    "studies": ("EVENTS", "SIMULATED", "Config", "Event", "diffusion"),
    "studies.contract": ("contract",),
    "studies.panel_leadership": ("leadership",),
    "studies.panel_leadership_rows": ("LeadershipConfig",),
    "tape": ("Feed", "Instrument", "Tape", "chains"),
    "tape.bars": ("bars",),
    "estimators.probability.clock_fit": ("fit_clock",),
    "estimators.probability.probit_filter": ("probit_filter",),
    "estimators.probability.probit_martingale": ("probit_law",),
    "estimators.probability.venues": ("join_venues",),
    "estimators.states.bounds": ("outcome_bounds",),
    "estimators.states.conditional_calls": ("conditional_calls",),
    "estimators.states.event_hedge": ("event_hedge",),
    "estimators.states.exposure": ("exposure",),
    "estimators.states.inventory": ("asset_quotes", "event_quotes"),
    "estimators.states.joint_fit": ("joint_fit",),
    "estimators.states.option_panel": ("option_panel",),
    "estimators.states.two_lognormal": ("two_lognormal",),
    "simulate.two_states": ("two_states",),
    "sources.probability_files": ("read_probability",),
    "studies.states": ("states",),
    "simulate.live_night": ("live_night",),
    "stream.board": ("Board",),
    "stream.election_night": (
        "NightConfig",
        "election_night",
    ),
    "stream.graph": ("replay",),
    "stream.live": ("LiveRun",),
    "stream.paced": (
        "PacedSource",
        "tape_batches",
    ),
    "store.journal": ("Journal",),
    "store.snapshots": ("Snapshots",),
    "dashboard.server": ("serve",),
    "dashboard.about": ("About",),
}
_HOME = {name: room for room, names in _ROOMS.items() for name in names}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'eventtape' has no attribute {name!r}")
    return getattr(import_module(f"eventtape.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
