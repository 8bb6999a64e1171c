"""Markets with known truth, for tests, benchmarks and the demo that needs no data."""

from eventtape.simulate.event_night import MARKETS, MarketTruth, Night, NightTruth, event_night
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

__all__ = [
    "FACTORS",
    "MARKETS",
    "Blemishes",
    "MarketTruth",
    "Night",
    "NightTruth",
    "StreamBatch",
    "StreamTruth",
    "TaqBatch",
    "TaqConfig",
    "TaqDay",
    "TaqMarket",
    "TaqTruth",
    "event_night",
    "stream_batches",
    "stream_frame",
    "stream_truth",
    "stream_weights",
    "taq_batches",
    "taq_day",
    "taq_market",
]
