"""Batches between processes: a Kafka topic, through csp's own adapter.

One process gathers the feeds and publishes what its journal has taken; any number of others read
the topic from its beginning, each from where it likes, with graphs of their own. One key keeps the
batches of a topic in one partition and so in order. What a reader has met before (its own journal
remembers the keys of rows) it leaves out, so a topic read again from its beginning adds nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import timedelta
from typing import NamedTuple

import csp
from csp.adapters.kafka import KafkaAdapterManager, KafkaStartOffset, RawBytesMessageMapper

from eventtape.errors import InputError
from eventtape.stream.csp_thread import STOP, CspThread
from eventtape.tape.batch import Batch
from eventtape.tape.feed import Feed, times_ns
from eventtape.tape.health import FeedHealth
from eventtape.tape.wire import decode, encode

__all__ = ["KafkaSource", "KafkaTopic", "Publisher", "topic_named"]

_KEY = "batches"


class KafkaTopic(NamedTuple):
    """Where batches go: ``host:port`` of a broker, and a topic."""

    broker: str
    topic: str


def topic_named(address: str) -> KafkaTopic:
    """The topic of ``kafka://host:port/topic``; anything else is an :class:`InputError`."""
    place = address.removeprefix("kafka://")
    broker, _, topic = place.partition("/")
    host, _, port = broker.partition(":")
    if place == address or not (host and port.isdigit() and topic) or "/" in topic:
        raise InputError("an address like kafka://127.0.0.1:9092/topic", met=address)
    return KafkaTopic(broker, topic)


class Publisher:
    """Sends batches to a topic, in order; a thread of its own runs the engine behind it.

    What the broker has not confirmed when :meth:`stop` is called is waited for. A broker that does
    not answer shows in :attr:`trouble`, and the batches wait: the journal has them meanwhile.
    """

    def __init__(self, where: KafkaTopic) -> None:
        self._where = where
        self._trouble = [""]
        self._engine = CspThread(self._graph, "eventtape-publisher")

    def start(self) -> None:
        """Start sending."""
        self._engine.start()

    def send(self, batch: Batch) -> None:
        """Hand over a batch; returns at once."""
        self._engine.push(encode(batch))

    def stop(self) -> None:
        """Send what waits and stop."""
        self._engine.stop()

    @property
    def trouble(self) -> str:
        """The last thing that went wrong, in words; empty when nothing has."""
        return self._trouble[0]

    def _graph(self, pushed: csp.ts[object]) -> None:
        manager = _manager(self._where)
        manager.publish(RawBytesMessageMapper(), self._where.topic, _KEY, _as_bytes(pushed))
        _watch(self._trouble, manager.status())


class KafkaSource:
    """A :class:`~eventtape.tape.live_source.LiveSource` that reads a topic from its beginning.

    ``feeds`` are those the publisher gathers; rows of others are left out.
    """

    def __init__(self, where: KafkaTopic, feeds: tuple[Feed, ...]) -> None:
        self._where, self._feeds = where, feeds
        self._health = {feed.label: FeedHealth(feed.label) for feed in feeds}

    @property
    def feeds(self) -> tuple[Feed, ...]:
        """What it brings, with empty frames."""
        return self._feeds

    def health(self) -> tuple[FeedHealth, ...]:
        """Counts of each feed of the topic."""
        return tuple(self._health.values())

    async def batches(self, since: Mapping[str, int]) -> AsyncIterator[Batch]:
        """Batches of the topic from its beginning, those that end before ``since`` left out."""
        loop = asyncio.get_running_loop()
        came: asyncio.Queue[bytes] = asyncio.Queue()

        def put(message: bytes) -> None:
            with contextlib.suppress(RuntimeError):  # the loop has closed: nobody listens
                loop.call_soon_threadsafe(came.put_nowait, message)

        trouble = [""]
        engine = CspThread(lambda _pushed: self._subscribe(trouble, put), "eventtape-subscriber")
        await asyncio.to_thread(engine.start)
        try:
            while True:
                batch = self._wanted(decode(await came.get()), since, trouble[0])
                if batch is not None:
                    yield batch
        finally:
            await asyncio.to_thread(engine.stop)

    def _subscribe(self, trouble: list[str], put: Callable[[bytes], None]) -> None:
        manager = _manager(self._where, KafkaStartOffset.EARLIEST)
        messages = manager.subscribe(
            csp.ts[bytes].typ,
            RawBytesMessageMapper(),
            self._where.topic,
            key=_KEY,
            push_mode=csp.PushMode.NON_COLLAPSING,
        )
        _hand_on(put, messages)
        _watch(trouble, manager.status())

    def _wanted(self, batch: Batch, since: Mapping[str, int], trouble: str) -> Batch | None:
        if batch.feed not in self._health:
            return None
        last = int(times_ns(batch.rows).max(initial=0))
        seen = self._health[batch.feed]
        self._health[batch.feed] = seen._replace(
            state="live",
            last_received_ns=batch.received_ns,
            last_stamp_ns=max(last, seen.last_stamp_ns),
            rows=seen.rows + batch.rows.height,
            batches=seen.batches + 1,
            message=trouble,
        )
        return batch if last >= since.get(batch.feed, 0) else None


def _manager(where: KafkaTopic, offset: KafkaStartOffset | None = None) -> KafkaAdapterManager:
    return KafkaAdapterManager(
        broker=where.broker, start_offset=offset, poll_timeout=timedelta(milliseconds=100)
    )


@csp.node(memoize=False)
def _as_bytes(pushed: csp.ts[object]) -> csp.ts[bytes]:
    if csp.ticked(pushed) and pushed is not STOP:
        return pushed


@csp.node(memoize=False)
def _hand_on(put: object, messages: csp.ts[bytes]) -> None:
    if csp.ticked(messages):
        put(messages)


@csp.node(memoize=False)
def _watch(trouble: object, status: csp.ts[object]) -> None:
    if csp.ticked(status):
        trouble[0] = str(status.msg)
