"""Batches through a real client and librdkafka's own mock broker: all of them, once, in order."""

from __future__ import annotations

import asyncio

import numpy as np
import polars as pl
import pytest
from confluent_kafka import Producer

from eventtape.errors import InputError
from eventtape.stream.kafka import KafkaSource, KafkaTopic, Publisher, topic_named
from eventtape.tape import PROBABILITY, Feed, Instrument, empty
from eventtape.tape.batch import Batch, beat
from eventtape.tape.wire import decode, encode

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
    late = asyncio.run(asyncio.wait_for(read(source, 10, {"a": 180}), PATIENCE_S))
    assert [one.number for one in late] == list(range(60, 70))


def test_bytes_that_are_no_batch_are_refused():
    whole = encode(batch(1))
    assert decode(whole).rows.equals(batch(1).rows)
    for broken in (b"", b"{}\n", whole[:40], whole[: len(whole) // 2], b"[1,2,3,4]\n" + whole):
        with pytest.raises(InputError, match="wanted the bytes of a batch"):
            decode(broken)


@pytest.mark.parametrize(
    "text", ["127.0.0.1:9092/t", "kafka://host/t", "kafka://h:1/", "kafka://h:1/a/b"]
)
def test_an_address_that_names_no_topic_is_refused(text):
    with pytest.raises(InputError, match="an address like kafka"):
        topic_named(text)
    assert topic_named("kafka://h:1/a") == KafkaTopic("h:1", "a")
