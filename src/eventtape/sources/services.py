"""What to ask each public service for, page by page or day by day, and how the answers join up.

Every answer goes to the cache folder first and is parsed from there, so a run that was cut off
asks only for what it lacks. Spans end at UTC midnights, so that no request asks for more than a
day and a later window finds the same answers kept. Errors name the URL.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import polars as pl

from eventtape.errors import FetchError
from eventtape.sources import binance, kalshi, polymarket
from eventtape.sources.catalog import BinanceKlines, KalshiMarket, PolymarketToken
from eventtape.sources.files import load_json, rows_under
from eventtape.sources.http import Client, NotFoundError
from eventtape.sources.parts import write_atomic
from eventtape.tape import PROBABILITY, check

__all__ = ["Desk", "candles", "history", "klines", "trades"]

_DAY = 86_400
_API = "trade-api/v2"
_PAGE = 1_000  # trades a page, the most Kalshi gives
_Params = dict[str, str | int]
Tell = Callable[[int, int | None], None]


class Desk:
    """Where one feed's questions are asked: client, cache folder, window and progress."""

    def __init__(
        self,
        client: Client,
        cache: Path,
        window_s: tuple[int, int],
        tell: Tell,
    ) -> None:
        self.client, self.cache, self.tell = client, cache, tell
        self.days = list(_days(*window_s))
        self._kept: list[Path] = []

    def saved(self, url: str, params: _Params | None, name: str) -> Path:
        """The file ``name`` of the cache, asked for unless it is there."""
        path = self.keep(name)
        if not path.exists():
            write_atomic(path, self.client.get_bytes(url, params))
        return path

    def rows(self, url: str, params: _Params, key: str, name: str) -> tuple[Mapping[str, Any], str]:
        """An answer that lists objects under ``key``, and the URL that names it in errors."""
        asked = f"{url}?{urlencode(params)}"
        payload = load_json(self.saved(url, params, name).read_bytes(), file=asked)
        rows_under(payload, key, file=asked)
        return payload, asked

    def keep(self, name: str) -> Path:
        """The path of ``name`` in the cache, noted as this feed's."""
        self._kept.append(self.cache / name)
        return self._kept[-1]

    def forget(self) -> None:
        """Delete what this feed kept, so that the next run asks for it anew."""
        for path in self._kept:
            path.unlink(missing_ok=True)


def history(desk: Desk, base: str, token: PolymarketToken, *, symbol: str) -> pl.DataFrame:
    """Probability (0 to 1) of a Polymarket token, sampled each minute."""
    url = f"{base}/prices-history"
    frames = []
    for done, (start, end) in enumerate(desk.days, 1):
        params: _Params = {"market": token.token_id, "startTs": start, "endTs": end, "fidelity": 1}
        name = f"polymarket-{token.token_id[:16]}-{start}-{end}.json"
        payload, asked = desk.rows(url, params, "history", name)
        if payload["history"]:
            frames.append(polymarket.parse_history(payload, symbol=symbol, file=asked))
        desk.tell(done, len(desk.days))
    if not frames:
        raise FetchError(f"{url}: an empty history; the service may keep this token coarser")
    return _joined(frames, url)


def candles(desk: Desk, base: str, market: KalshiMarket) -> tuple[pl.DataFrame, int]:
    """Probability (bid/ask mid) of a Kalshi contract, and the minutes a candle spans.

    Minute candles are asked for first and hourly ones where there are none; each of the live tier
    first and, where that knows nothing of the contract, of the historical tier.
    """
    tiers = {
        "live": f"{base}/{_API}/series/{market.series}/markets/{market.ticker}/candlesticks",
        "historical": f"{base}/{_API}/historical/markets/{market.ticker}/candlesticks",
    }
    unknown: NotFoundError | None = None
    for minutes in (1, 60):
        for tier, url in tiers.items():
            try:
                frames = _candle_days(desk, url, market.ticker, tier, minutes)
            except NotFoundError as error:
                unknown = error
                continue
            if frames:
                return _joined(frames, url), minutes
    raise unknown or FetchError(f"{url}: no candles in the window, in minutes or hours")


def _candle_days(desk: Desk, url: str, ticker: str, tier: str, minutes: int) -> list[pl.DataFrame]:
    frames = []
    for done, (start, end) in enumerate(desk.days, 1):
        params: _Params = {"start_ts": start, "end_ts": end, "period_interval": minutes}
        name = f"kalshi-{ticker}-candles-{minutes}m-{tier}-{start}-{end}.json"
        payload, asked = desk.rows(url, params, "candlesticks", name)
        if payload["candlesticks"]:
            frames.append(kalshi.parse_candlesticks(payload, ticker=ticker, file=asked))
        desk.tell(done, len(desk.days))
    return frames


def trades(desk: Desk, base: str, market: KalshiMarket) -> pl.DataFrame:
    """Trades of a Kalshi contract, of both tiers: the live one has the newer, both newest first."""
    pages: list[Mapping[str, Any]] = []
    unknown: NotFoundError | None = None
    for tier, path in (("live", "markets/trades"), ("historical", "historical/trades")):
        url = f"{base}/{_API}/{path}"
        try:
            for page in _trade_pages(desk, url, market.ticker, tier):
                pages.append(page)
                desk.tell(len(pages), None)
        except NotFoundError as error:
            unknown = error
    if not any(page["trades"] for page in pages):
        raise unknown or FetchError(f"{url}: no trades of {market.ticker} in the window")
    return kalshi.parse_trades(pages, ticker=market.ticker, file=f"{url}?ticker={market.ticker}")


def _trade_pages(desk: Desk, url: str, ticker: str, tier: str) -> Iterator[Mapping[str, Any]]:
    start, end = desk.days[0][0], desk.days[-1][1]
    params: _Params = {"ticker": ticker, "min_ts": start, "max_ts": end, "limit": _PAGE}
    cursors: list[str] = []
    while True:
        name = f"kalshi-{ticker}-trades-{tier}-{start}-{end}-{len(cursors):05d}.json"
        page, asked = desk.rows(url, params, "trades", name)
        yield page
        cursor = page.get("cursor")
        if not cursor:
            return
        if cursor in cursors:
            raise FetchError(f"{asked}: the cursor {cursor!r} came twice, pages would never end")
        cursors.append(cursor)
        params = {**params, "cursor": cursor}


def klines(desk: Desk, base: str, pair: BinanceKlines, *, symbol: str) -> pl.DataFrame:
    """Bars of a Binance pair from its daily archives, each verified by its published SHA-256."""
    folder = f"{base}/data/spot/daily/klines/{pair.symbol}/{pair.interval}"
    paths = []
    for done, (start, _) in enumerate(desk.days, 1):
        day = datetime.fromtimestamp(start, tz=UTC).date()
        name = f"{pair.symbol}-{pair.interval}-{day}.zip"
        archive, published = desk.keep(name), desk.keep(f"{name}.CHECKSUM")
        if not archive.exists():
            published.unlink(missing_ok=True)  # an archive asked for anew is held to today's sum
        desk.saved(f"{folder}/{name}.CHECKSUM", None, published.name)
        text = published.read_text(encoding="utf-8", errors="replace")
        checksum = binance.parse_checksum(text, name=name)
        paths.append(desk.client.download(f"{folder}/{name}", archive, checksum=checksum))
        desk.tell(done, len(desk.days))
    return binance.read_klines_many(paths, symbol=symbol, interval_s=pair.interval_s)


def _joined(frames: list[pl.DataFrame], url: str) -> pl.DataFrame:
    """Days one after another; a record that closes one day and opens the next counts once."""
    frame = pl.concat(frames).unique(keep="first", maintain_order=True)
    return check(frame, PROBABILITY, file=url)


def _days(start: int, end: int) -> Iterator[tuple[int, int]]:
    """The window in epoch seconds, cut at UTC midnights."""
    while start < end:
        midnight = (start // _DAY + 1) * _DAY
        yield start, min(end, midnight)
        start = midnight
