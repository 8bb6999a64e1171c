"""Batches through a real client and librdkafka's own mock broker: all of them, once, in order."""

from __future__ import annotations

import asyncio
import threading

import numpy as np
import polars as pl
import pytest
from confluent_kafka import Producer

from eventtape.cli.live_command import live
from eventtape.errors import InputError
from eventtape.stream import kafka
from eventtape.stream.kafka import (
    KafkaSource,
    KafkaTopic,
    Publisher,
    feeds_of,
    publish_feeds,
    topic_named,
)
from eventtape.tape import PROBABILITY, TRADE, Feed, Instrument, empty
from eventtape.tape.batch import Batch, beat
from eventtape.tape.feed_json import feed_row
from eventtape.tape.wire import encode

TIME = pl.Datetime("ns", "UTC")
PATIENCE_S = 90.0


@pytest.fixture
def broker():
    """``host:port`` of a broker inside this process; it keeps a few megabytes."""
    quiet = {"log_level": 0, "bootstrap.servers": "none", "test.mock.num.brokers": 1}
    mock = Producer(quiet)
    place = next(iter(mock.list_topics(timeout=10).brokers.values()))
    yield f"{place.host}:{place.port}"
    mock.flush(1)


def feed(label):
    return Feed(
        Instrument("sim", label, "event contract"), label, PROBABILITY, empty(PROBABILITY), 0, "sim"
    )


def batch(i, label="a"):
    blank = pl.Series([None] * 3, dtype=pl.Float64)
    rows = pl.DataFrame(
        {
            "symbol": [label] * 3,
            "ts": pl.Series(np.arange(3) + 3 * i).cast(TIME),
            "probability": [0.1, 0.2, 0.3],
            "bid": blank,
            "ask": blank,
            "size": blank,
        }
    )
    return Batch(label, "probability", rows, np.arange(3) + 3 * i, i, i)


async def read(source, n, since=None):
    got = []
    stream = source.batches(since or {})
    async for one in stream:
        got.append(one)
        if len(got) == n:
            break
    await stream.aclose()
    return got


def test_what_is_published_is_read_from_the_beginning_and_then_as_it_comes(broker):
    where = KafkaTopic(broker, "night")
    first = Publisher(where)
    first.start()
    for i in range(50):
        first.send(batch(i))
        first.send(batch(i, "other"))
    first.send(beat(5))
    first.stop()  # what waits is sent first
    second = Publisher(where)
    second.start()
    source = KafkaSource(where, (feed("a"),))

    async def both():
        reading = asyncio.create_task(read(source, 70))
        await asyncio.sleep(0)
        for i in range(50, 70):
            second.send(batch(i))
        return await asyncio.wait_for(reading, PATIENCE_S)

    got = asyncio.run(both())
    second.stop()
    assert [one.number for one in got] == list(range(70))
    assert got[3].rows.equals(batch(3).rows)
    (health,) = source.health()
    assert (health.rows, health.state, health.last_stamp_ns) == (210, "live", 209)


def test_a_batch_too_long_for_a_message_goes_in_parts(broker):
    """Numbers that nothing shortens: three messages' worth, none refused, none out of order."""
    n = 40_000
    rng = np.random.default_rng(1)
    rows = pl.DataFrame(
        {
            "symbol": ["a"] * n,
            "ts": pl.Series(np.arange(n)).cast(TIME),
            "probability": rng.random(n),
            "bid": rng.random(n),
            "ask": rng.random(n),
            "size": rng.random(n),
        }
    )
    whole = Batch("a", "probability", rows, np.arange(n), 5, 0)
    where = KafkaTopic(broker, "long")
    publisher = Publisher(where)
    publisher.start()
    publisher.send(whole)
    publisher.send(batch(1))
    publisher.stop()
    source = KafkaSource(where, (feed("a"),))
    *parts, last = asyncio.run(asyncio.wait_for(read(source, 5), PATIENCE_S))
    assert last.rows.equals(batch(1).rows)
    assert len(encode(whole)) > 2 * kafka._MOST_BYTES
    assert pl.concat([one.rows for one in parts]).equals(rows)
    assert np.concatenate([one.keys for one in parts]).tolist() == list(range(n))


class PlainThread:
    """In place of the engine: what is built runs in a thread of its own."""

    def __init__(self, build, name):
        self._thread = threading.Thread(target=build, args=(None,), name=name)
        self.start = self._thread.start
        self.stop = self._thread.join


@pytest.fixture
def bring(monkeypatch):
    """A function that names the messages of a topic; it returns those handed on so far."""
    handed = []

    def bring(messages):
        def subscribe(where, trouble, put):
            for message in messages:
                put(message)
                handed.append(message)

        monkeypatch.setattr(kafka, "CspThread", PlainThread)
        monkeypatch.setattr(kafka, "_subscribe", subscribe)
        return handed

    return bring


def test_rows_older_than_the_newest_known_are_read_too(bring):
    bring([encode(batch(i)) for i in range(3)])
    source = KafkaSource(KafkaTopic("h:1", "night"), (feed("a"),))
    got = asyncio.run(asyncio.wait_for(read(source, 3, {"a": 180}), PATIENCE_S))
    assert [one.number for one in got] == [0, 1, 2]  # a late row may have an old stamp


def test_what_cannot_be_read_is_counted_and_passed_over(bring):
    other = Batch("a", "trade", empty(TRADE), np.empty(0, np.int64), 1)
    key = b"secret"
    unkeyed = encode(batch(0))
    bring([b"noise", unkeyed, encode(batch(0), key=b"another"), encode(other, key=key),
           encode(batch(1), key=key)])  # fmt: skip
    source = KafkaSource(KafkaTopic("h:1", "night", key), (feed("a"),))
    (got,) = asyncio.run(asyncio.wait_for(read(source, 1), PATIENCE_S))
    assert got.number == 1
    (health,) = source.health()
    assert (health.malformed, health.batches) == (4, 1)


def test_no_more_than_a_few_messages_wait_for_a_slow_reader(bring, monkeypatch):
    monkeypatch.setattr(kafka, "_WAITING", 4)
    handed = bring([encode(batch(i)) for i in range(50)])

    async def slow():
        stream = KafkaSource(KafkaTopic("h:1", "night"), (feed("a"),)).batches({})
        await anext(stream)
        await asyncio.sleep(0.3)
        waiting = len(handed) - 1
        rest = [(await anext(stream)).number for _ in range(30)]
        await stream.aclose()  # while the engine waits for room
        return waiting, rest

    waiting, rest = asyncio.run(asyncio.wait_for(slow(), PATIENCE_S))
    assert waiting <= 4
    assert rest == list(range(1, 31))


def test_the_feeds_of_a_topic_are_those_its_publishers_named(broker):
    where = KafkaTopic(broker, "night", b"secret")
    publish_feeds(where, (feed("a")._replace(note="old"),))
    publish_feeds(where._replace(key=None), (feed("forged"),))
    publish_feeds(where, (feed("a"), feed("b")))
    found = feeds_of(where, PATIENCE_S)
    assert [feed_row(one) for one in found] == [feed_row(feed("a")), feed_row(feed("b"))]


def test_the_command_reads_from_one_topic_and_publishes_to_another(tmp_path, monkeypatch):
    key = b"se/cr@et"
    monkeypatch.setenv("EVENTTAPE_KAFKA_KEY", key.decode())
    seen = {}

    def named(where, patience_s=30.0):
        seen["from"] = where
        return (feed("a"),)

    def stand_in(journal, program, sources, about, face, *, publish):
        seen.update(feeds=[one.label for one in sources[0].feeds], to=publish)

    monkeypatch.setattr(kafka, "feeds_of", named)
    monkeypatch.setattr("eventtape.cli.live_run.keep_running", stand_in)
    live(
        run="r", from_topic="kafka://h:1/one", publish="kafka://h:1/two",
        lake=tmp_path, screen="none", seal=False,
    )  # fmt: skip
    one, two = (KafkaTopic("h:1", name, key) for name in ("one", "two"))
    assert seen == {"from": one, "feeds": ["a"], "to": two}
    with pytest.raises(InputError, match="a feed, or a topic"):
        live(run="r", lake=tmp_path, screen="none")


@pytest.mark.parametrize(
    "text", ["127.0.0.1:9092/t", "kafka://host/t", "kafka://h:1/", "kafka://h:1/a/b"]
)
def test_an_address_that_names_no_topic_is_refused(text):
    with pytest.raises(InputError, match="an address like kafka"):
        topic_named(text)
    assert topic_named("kafka://h:1/a") == KafkaTopic("h:1", "a")


def test_an_address_holds_no_secret_and_shows_none():
    with pytest.raises(InputError, match="an address with a secret") as refused:
        topic_named("kafka://:hush@h:1/a")
    assert "hush" not in str(refused.value)
