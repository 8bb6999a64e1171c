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
from eventtape.sources.conditions import POLICIES, Policy, Trait
from eventtape.sources.deribit_rest import fetch_deribit_book, fetch_deribit_trades
from eventtape.sources.fetch import Endpoints, Outcome, fetch_election_2024
from eventtape.sources.http import Client, NotFoundError, Progress
from eventtape.sources.kalshi import (
    parse_candlesticks,
    parse_trades,
    read_candlesticks,
    read_trade_dump,
    read_trades_csv,
)
from eventtape.sources.lean_ticks import (
    read_lean_quotes,
    read_lean_trades,
    scan_lean_quotes,
    scan_lean_trades,
)
from eventtape.sources.nyse_taq import (
    read_taq_quotes,
    read_taq_trades,
    scan_taq_quotes,
    scan_taq_trades,
)
from eventtape.sources.option_files import (
    OPTION_FORMATS,
    read_option_quotes,
    read_option_trades,
)
from eventtape.sources.option_files_rows import OptionRows, ReadReport
from eventtape.sources.polygon_flat import (
    read_polygon_quotes,
    read_polygon_trades,
    scan_polygon_quotes,
    scan_polygon_trades,
)
from eventtape.sources.polymarket import parse_history, read_history, read_markets_csv
from eventtape.sources.results_timeline import read_results
from eventtape.sources.tick_health import TickHealth, TickMeter, tick_health
from eventtape.sources.tick_parquet import read_tick_parquet, scan_tick_parquet

__all__ = [
    "ELECTION_2024",
    "ELECTION_2024_TRADES",
    "OPTION_FORMATS",
    "POLICIES",
    "Client",
    "Endpoints",
    "FeedSpec",
    "Loaded",
    "NotFoundError",
    "OptionRows",
    "Outcome",
    "Policy",
    "Progress",
    "ReadReport",
    "TickHealth",
    "TickMeter",
    "Trait",
    "as_feed",
    "fetch_deribit_book",
    "fetch_deribit_trades",
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
    "read_lean_quotes",
    "read_lean_trades",
    "read_markets_csv",
    "read_option_quotes",
    "read_option_trades",
    "read_polygon_quotes",
    "read_polygon_trades",
    "read_results",
    "read_taq_quotes",
    "read_taq_trades",
    "read_tick_parquet",
    "read_trade_dump",
    "read_trades_csv",
    "scan_lean_quotes",
    "scan_lean_trades",
    "scan_polygon_quotes",
    "scan_polygon_trades",
    "scan_taq_quotes",
    "scan_taq_trades",
    "scan_tick_parquet",
    "tick_health",
]
