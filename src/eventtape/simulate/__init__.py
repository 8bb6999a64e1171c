"""Markets with known truth, for tests, benchmarks and the demo that needs no data."""

from eventtape.simulate.event_night import MARKETS, MarketTruth, Night, NightTruth, event_night
from eventtape.simulate.factor_arrivals import FactorMarket, FactorTruth, factor_panel
from eventtape.simulate.option_chain import (
    OptionChain,
    chain_truths,
    option_chain,
    option_surface,
    two_lognormal_law,
)
from eventtape.simulate.price_leaders import (
    LeaderMarket,
    LeaderTruth,
    common_trend_panel,
    delayed_noise,
    equicorrelated,
    roll,
    yan_zivot,
)
from eventtape.simulate.price_placebos import independent_walks, walk_and_stationary
from eventtape.simulate.price_ticks import TickMarket, TickTruth, asynchronous_ticks, on_grid
from eventtape.simulate.taq_day import TaqBatch, TaqDay, TaqTruth, taq_batches, taq_day
from eventtape.simulate.taq_market import FACTORS, Blemishes, TaqConfig, TaqMarket, taq_market
from eventtape.simulate.taq_streams import (
    StreamBatch,
    StreamTruth,
    stream_batches,
    stream_frame,
    stream_truth,
    stream_weights,
)
from eventtape.simulate.two_states import DAY, WEEKS, StatesTruth, TwoStates, two_states

__all__ = [
    "DAY",
    "FACTORS",
    "MARKETS",
    "WEEKS",
    "Blemishes",
    "FactorMarket",
    "FactorTruth",
    "LeaderMarket",
    "LeaderTruth",
    "MarketTruth",
    "Night",
    "NightTruth",
    "OptionChain",
    "StatesTruth",
    "StreamBatch",
    "StreamTruth",
    "TaqBatch",
    "TaqConfig",
    "TaqDay",
    "TaqMarket",
    "TaqTruth",
    "TickMarket",
    "TickTruth",
    "TwoStates",
    "asynchronous_ticks",
    "chain_truths",
    "common_trend_panel",
    "delayed_noise",
    "equicorrelated",
    "event_night",
    "factor_panel",
    "independent_walks",
    "on_grid",
    "option_chain",
    "option_surface",
    "roll",
    "stream_batches",
    "stream_frame",
    "stream_truth",
    "stream_weights",
    "taq_batches",
    "taq_day",
    "taq_market",
    "two_lognormal_law",
    "two_states",
    "walk_and_stationary",
    "yan_zivot",
]
