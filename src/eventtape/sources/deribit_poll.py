"""Deribit's whole option chain live: asked for over REST every few seconds.

A book summary has every listed contract at once, without sizes. Only quotes that have changed
since the last asking are passed on; the websocket follows chosen contracts more closely
(:mod:`eventtape.sources.deribit_live`), and those can be left out here. The past is not served:
what held between two askings is lost.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping

import polars as pl

from eventtape.errors import FetchError, InputError
from eventtape.sources.deribit_rest import DERIBIT, fetch_deribit_book
from eventtape.sources.http import Client
from eventtape.sources.live_rows import newest_ns, not_ahead, row_keys
from eventtape.tape import OPTION_QUOTE, Feed, Instrument, empty, times_ns
from eventtape.tape.batch import Batch
from eventtape.tape.health import FeedHealth

__all__ = ["DeribitChain"]

_MILLISECOND = 1_000_000
_RIGHT = {"expired", "exact repeat"}  # rows left out that are no fault
_QUOTE = [name for name in OPTION_QUOTE.columns if name != "ts"]


class DeribitChain:
    """The live source of a currency's option quotes under the label ``<currency> chain``.

    ``without`` names contracts to leave out. A service that does not answer makes the feed ``down``
    until it does; a row that cannot be used is left out and counted as malformed.
    """

    def __init__(
        self,
        currency: str = "BTC",
        *,
        every_s: float = 5.0,
        without: Collection[str] = (),
        base: str = DERIBIT,
        client: Callable[[], Client] = Client,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        if not every_s > 0:
            raise InputError("seconds between two askings, above 0", met=every_s)
        self._currency, self._base, self._every_s = currency, base, every_s
        self._without, self._client, self._sleep = list(without), client, sleep
        self._health = FeedHealth(f"{currency} chain")

    @property
    def feeds(self) -> tuple[Feed, ...]:
        """The chain."""
        return (
            Feed(
                Instrument("deribit", self._currency, "option"),
                self._health.feed,
                OPTION_QUOTE,
                empty(OPTION_QUOTE),
                _MILLISECOND,
                self._base,
                f"asked for every {self._every_s:g} s; no sizes",
            ),
        )

    def health(self) -> tuple[FeedHealth, ...]:
        """How the feed is doing; safe to call from another thread."""
        return (self._health,)

    async def batches(self, since: Mapping[str, int]) -> AsyncIterator[Batch]:
        """Changed quotes from now on; ``since`` is of no use here, the past is not served."""
        del since
        shown = empty(OPTION_QUOTE)
        client = self._client()
        try:
            while True:
                try:
                    batch = await asyncio.to_thread(self._asked, client, shown)
                except (FetchError, InputError) as error:
                    self._health = self._health._replace(state="down", message=str(error))
                else:
                    if batch.rows.height:
                        shown = pl.concat([shown, batch.rows]).unique("symbol", keep="last")
                        yield batch
                await self._sleep(self._every_s)
        finally:
            self._health = self._health._replace(state="down")
            client.close()

    def _asked(self, client: Client, shown: pl.DataFrame) -> Batch:
        """Quotes that differ from those shown; called in a worker thread."""
        book = fetch_deribit_book(client, self._currency, base=self._base, bad="drop")
        received_ns = time.time_ns()
        rows = book.frame.filter(~pl.col("symbol").is_in(self._without))
        rows = rows.join(shown, on=_QUOTE, how="anti", nulls_equal=True, maintain_order="left")
        said = pl.format("{} {}", "symbol", pl.Series(times_ns(rows)))
        keys = row_keys(rows.select(said).to_series().to_list())
        bad = sum(n for reason, n in book.report.dropped.items() if reason not in _RIGHT)
        health = self._health
        came = Batch(health.feed, OPTION_QUOTE.name, rows, keys, received_ns)
        batch, ahead = not_ahead(came)
        bad += rows.height - batch.rows.height
        rows, message = batch.rows, ahead or health.message
        health = health._replace(state="live", malformed=health.malformed + bad, message=message)
        if rows.height:
            newest = newest_ns(rows)
            health = health._replace(
                last_received_ns=received_ns,
                last_stamp_ns=newest,
                rows=health.rows + rows.height,
                batches=health.batches + 1,
                skew_ms=(received_ns - newest) / _MILLISECOND,
            )
        self._health = health
        return batch
