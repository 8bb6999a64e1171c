"""Reading a live source in a test: until there is enough, and the rows that came, each once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import aclosing

import numpy as np
import polars as pl

from eventtape.sources.http import Client
from eventtape.sources.live_socket import Limits
from eventtape.tape.batch import Batch
from eventtape.tape.live_source import LiveSource

PATIENCE_S = 60.0
QUICK = Limits(
    flush_s=0.005, settle_s=0.05, wait_first_s=0.01, wait_most_s=0.05, hold_s=20.0, close_s=0.1
)
"""Limits for the loopback: no wait for its own sake, and holds that outlast a slow machine."""


def quick_rest() -> Client:
    """A client that does not dawdle."""
    return Client(timeout=5.0, attempts=2, wait_initial=0.0, wait_max=0.0, wait_jitter=0.0)


def read_until(
    source: LiveSource,
    enough: Callable[[list[Batch]], bool],
    since: Mapping[str, int] | None = None,
) -> list[Batch]:
    """The batches that came until ``enough(batches)`` held, asked again and again."""
    got: list[Batch] = []

    async def read() -> None:
        async with aclosing(source.batches(since or {})) as batches:
            async for batch in batches:
                got.append(batch)  # noqa: PERF401 - read meanwhile

    async def run() -> None:
        async with asyncio.timeout(PATIENCE_S):
            reading = asyncio.create_task(read())
            while not enough(got) and not reading.done():  # noqa: ASYNC110 - the tests' own
                await asyncio.sleep(0.002)
            if not reading.done():
                reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
            if not reading.cancelled():
                reading.result()

    asyncio.run(run())
    return got


def once(batches: list[Batch], feed: str) -> pl.DataFrame:
    """The rows of a feed as they came, each key's first row, with the keys."""
    parts = [b.rows.with_columns(pl.Series("key", b.keys)) for b in batches if b.feed == feed]
    if not parts:
        return pl.DataFrame({"key": []}, schema={"key": pl.Int64})
    return pl.concat(parts).unique("key", keep="first", maintain_order=True)


def has_keys(feed: str, keys: object) -> Callable[[list[Batch]], bool]:
    """Whether all these keys of a feed have come."""
    missing = set(np.asarray(keys).tolist())
    read = 0

    def enough(batches: list[Batch]) -> bool:
        nonlocal read
        for batch in batches[read:]:
            if batch.feed == feed:
                missing.difference_update(batch.keys.tolist())
        read = len(batches)
        return not missing

    return enough
