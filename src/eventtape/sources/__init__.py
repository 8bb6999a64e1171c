"""One file a vendor: bytes in, checked tape frames out; the only room that asks the network."""

from eventtape.sources.bars import read_bars
from eventtape.sources.binance import read_klines, read_klines_many
from eventtape.sources.catalog import (
    ELECTION_2024,
    ELECTION_2024_TRADES,
    FeedSpec,
    Loaded,
    as_feed,
    load_folder,
)
from eventtape.sources.fetch import Endpoints, Outcome, fetch_election_2024
from eventtape.sources.http import Client, NotFoundError, Progress
from eventtape.sources.kalshi import (
    parse_candlesticks,
    parse_trades,
    read_candlesticks,
    read_trade_dump,
    read_trades_csv,
)
from eventtape.sources.polymarket import parse_history, read_history, read_markets_csv
from eventtape.sources.results_timeline import read_results

__all__ = [
    "ELECTION_2024",
    "ELECTION_2024_TRADES",
    "Client",
    "Endpoints",
    "FeedSpec",
    "Loaded",
    "NotFoundError",
    "Outcome",
    "Progress",
    "as_feed",
    "fetch_election_2024",
    "load_folder",
    "parse_candlesticks",
    "parse_history",
    "parse_trades",
    "read_bars",
    "read_candlesticks",
    "read_history",
    "read_klines",
    "read_klines_many",
    "read_markets_csv",
    "read_results",
    "read_trade_dump",
    "read_trades_csv",
]
