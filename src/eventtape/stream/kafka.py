"""Batches between processes: a Kafka topic, through csp's own adapter.

One process gathers the feeds and publishes what its journal has taken; any number of others read
the topic from its beginning, each from where it likes, with graphs of their own. One key keeps the
batches of a topic in one partition and so in order. What a reader has met before (its own journal
remembers the keys of rows) it leaves out, so a topic read again from its beginning adds nothing.

Which feeds they are stands on a second topic, ``<topic>.feeds``. With a secret key at both ends
nobody else's messages are read; without one, whoever may write to the topic is trusted.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import json
import queue
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from datetime import timedelta
from typing import NamedTuple

import csp
from csp.adapters.kafka import KafkaAdapterManager, KafkaStartOffset, RawBytesMessageMapper

from eventtape.errors import InputError
from eventtape.stream.csp_thread import STOP, CspThread
from eventtape.tape.batch import Batch
from eventtape.tape.feed import Feed, times_ns
from eventtape.tape.feed_json import feed_from_row, feed_row
from eventtape.tape.health import FeedHealth
from eventtape.tape.wire import decode, encode, voucher

__all__ = [
    "KafkaSource",
    "KafkaTopic",
    "Publisher",
    "feeds_of",
    "publish_feeds",
    "topic_named",
]

_KEY = "batches"
_MOST_BYTES = 900_000  # of a message: brokers and librdkafka take a million unless told otherwise
_WAITING = 256  # messages between the engine's thread and the loop
_QUIET_S = 1.0


class KafkaTopic(NamedTuple):
    """Where batches go: ``host:port`` of a broker, a topic, and the secret both ends share."""

    broker: str
    topic: str
    key: bytes | None = None


def topic_named(address: str) -> KafkaTopic:
    """The topic of ``kafka://host:port/topic``; anything else is an :class:`InputError`."""
    place = address.removeprefix("kafka://")
    broker, _, topic = place.partition("/")
    host, _, port = broker.partition(":")
    bad = not (host and port.isdigit() and topic) or "/" in topic or "@" in broker
    if place == address or bad:
        met = "an address with a secret" if "@" in broker else address
        raise InputError("an address like kafka://127.0.0.1:9092/topic", met=met)
    return KafkaTopic(broker, topic)


def publish_feeds(where: KafkaTopic, feeds: Iterable[Feed]) -> None:
    """Say on ``<topic>.feeds`` which feeds the topic carries; returns once that is sent."""
    data = json.dumps([feed_row(feed) for feed in feeds]).encode()
    publisher = Publisher(_feeds_topic(where))
    publisher.start()
    publisher.send_bytes(voucher(data, where.key).encode() + b"\n" + data)
    publisher.stop()


def feeds_of(where: KafkaTopic, patience_s: float = 30.0) -> tuple[Feed, ...]:
    """The feeds that publishers have named for a topic, with empty frames; a newer one counts.

    None within ``patience_s`` is an :class:`InputError`. What cannot be read is passed over.
    """
    came: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    trouble = [""]
    engine = CspThread(
        lambda _pushed: _subscribe(_feeds_topic(where), trouble, came.put), "eventtape-feeds"
    )
    engine.start()
    known: dict[str, Feed] = {}
    until = time.monotonic() + patience_s
    try:
        while (left := until - time.monotonic()) > 0:
            message = came.get(timeout=min(left, _QUIET_S) if known else left)
            known.update({feed.label: feed for feed in _feeds_in(message, where.key)})
    except queue.Empty:
        pass
    finally:
        engine.stop()
    if not known:
        wanted = f"a publisher's feeds on {where.broker}/{where.topic}.feeds"
        raise InputError(wanted, met=trouble[0] or f"none in {patience_s:g} s")
    return tuple(known.values())


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
        """Hand over a batch; returns at once. One too long for a message goes in parts."""
        message = encode(batch, key=self._where.key)
        if len(message) <= _MOST_BYTES or batch.rows.height < 2:  # noqa: PLR2004 - none to halve
            self.send_bytes(message)
            return
        half = batch.rows.height // 2
        self.send(batch._replace(rows=batch.rows[:half], keys=batch.keys[:half]))
        self.send(batch._replace(rows=batch.rows[half:], keys=batch.keys[half:]))

    def send_bytes(self, message: bytes) -> None:
        """Hand over a message; returns at once."""
        self._engine.push(message)

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
        """All batches of the topic from its beginning; ``since`` is not needed.

        What was met before is told by the keys of its rows: a late row may well have an old stamp.
        """
        del since
        loop = asyncio.get_running_loop()
        came: asyncio.Queue[bytes] = asyncio.Queue()
        room = threading.BoundedSemaphore(_WAITING)
        over = threading.Event()

        def put(message: bytes) -> None:
            while not room.acquire(timeout=0.1):
                if over.is_set():
                    return
            with contextlib.suppress(RuntimeError):  # the loop has closed: nobody listens
                loop.call_soon_threadsafe(came.put_nowait, message)

        trouble = [""]
        engine = CspThread(
            lambda _pushed: _subscribe(self._where, trouble, put), "eventtape-subscriber"
        )
        await asyncio.to_thread(engine.start)
        try:
            while True:
                message = await came.get()
                room.release()
                batch = self._read(message, trouble[0])
                if batch is not None:
                    yield batch
        finally:
            over.set()
            await asyncio.to_thread(engine.stop)

    def _read(self, message: bytes, trouble: str) -> Batch | None:
        try:
            batch = decode(message, key=self._where.key)
        except InputError as error:
            self._malformed(str(error))
            return None
        feed = next((one for one in self._feeds if one.label == batch.feed), None)
        if feed is None:
            return None
        if feed.record.name != batch.record:
            self._malformed(f"met {batch.record}, wanted {feed.record.name}", batch.feed)
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
        return batch

    def _malformed(self, words: str, label: str | None = None) -> None:
        """Count what cannot be read: for its feed, or for all where nobody knows whose it was."""
        for name in self._health if label is None else (label,):
            seen = self._health[name]
            self._health[name] = seen._replace(malformed=seen.malformed + 1, message=words)


def _feeds_topic(where: KafkaTopic) -> KafkaTopic:
    return where._replace(topic=f"{where.topic}.feeds")


def _feeds_in(message: bytes, key: bytes | None) -> tuple[Feed, ...]:
    said, _, data = message.partition(b"\n")
    if not hmac.compare_digest(said, voucher(data, key).encode()):
        return ()
    try:
        return tuple(feed_from_row(row) for row in json.loads(data))
    except (ValueError, TypeError, KeyError, RecursionError):
        return ()


def _subscribe(where: KafkaTopic, trouble: list[str], put: Callable[[bytes], None]) -> None:
    manager = _manager(where, KafkaStartOffset.EARLIEST)
    messages = manager.subscribe(
        csp.ts[bytes].typ,
        RawBytesMessageMapper(),
        where.topic,
        key=_KEY,
        push_mode=csp.PushMode.NON_COLLAPSING,
    )
    _hand_on(put, messages)
    _watch(trouble, manager.status())


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
