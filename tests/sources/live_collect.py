"""Read a venue through its socket until enough has come, and what a reader makes of it."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import numpy as np
import polars as pl

from eventtape.sources import Client
from eventtape.sources.live_socket import Limits, Socket

QUICK = Limits(
    flush_s=0.002,
    hold_s=20.0,
    settle_s=0.05,
    wait_first_s=0.001,
    wait_most_s=0.01,
    close_s=0.1,
)


def quick_client():
    return Client(timeout=5.0, attempts=1, wait_initial=0.0, wait_max=0.0, wait_jitter=0.0)


def collected(venue, enough, *, since=None, now_ns=None, patience_s=30.0):
    """Batches until ``enough(batches)``, and the health of each feed then."""
    clock = {} if now_ns is None else {"wall_ns": lambda: now_ns}
    socket = Socket(venue, client=quick_client, limits=QUICK, seed=1, **clock)
    batches = []

    async def read():
        async with asyncio.timeout(patience_s), aclosing(socket.batches(since or {})) as run:
            async for batch in run:
                batches.append(batch)
                if enough(batches):
                    return {health.feed: health for health in socket.health()}
        raise AssertionError("a source never ends")

    return batches, asyncio.run(read())


def tape_of(batches, feed):
    """Rows of a feed, each key once (the first time it came), in the order they came."""
    of = [batch for batch in batches if batch.feed == feed]
    if not of:
        return pl.DataFrame()
    rows = pl.concat([batch.rows for batch in of])
    keys = np.concatenate([batch.keys for batch in of])
    return rows.with_columns(key=keys).unique("key", keep="first", maintain_order=True).drop("key")


def keys_of(batches, feed):
    return {int(key) for batch in batches if batch.feed == feed for key in batch.keys}
