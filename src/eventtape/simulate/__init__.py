"""Markets with known truth, for tests, benchmarks and the demo that needs no data."""

from eventtape.simulate.event_night import MARKETS, MarketTruth, Night, NightTruth, event_night

__all__ = ["MARKETS", "MarketTruth", "Night", "NightTruth", "event_night"]
