"""A batch as bytes: back bit for bit, and anything else refused before Arrow reads it."""

from __future__ import annotations

import io
import json
import random

import numpy as np
import polars as pl
import pytest

from eventtape.errors import InputError
from eventtape.tape import TRADE
from eventtape.tape import wire as wire_module
from eventtape.tape.batch import HISTORY, Batch, beat
from eventtape.tape.wire import decode, encode, voucher

N = 5
ROWS = pl.DataFrame(
    {
        "symbol": ["X"] * N,
        "ts": np.arange(N) + 10**18,
        "price": np.arange(N) + 1.0,
        "size": [1.0] * N,
        "side": [1] * N,
        "trade_id": [str(i) for i in range(N)],
    }
).select(pl.col(name).cast(column.dtype) for name, column in TRADE.columns.items())
TRADES = Batch("f", "trade", ROWS, np.arange(N) - 2, 10**18, 7)


def forged(head, body=None, key=None):
    """Bytes with a sum that holds, whatever they say."""
    body = encode(TRADES).partition(b"\n")[2] if body is None else body
    text = json.dumps(head, separators=(",", ":")).encode()
    line = json.dumps([*head, voucher(text + b"\n" + body, key)], separators=(",", ":"))
    return line.encode() + b"\n" + body


def arrow(rows):
    out = io.BytesIO()
    rows.write_ipc_stream(out)
    return out.getvalue()


def same(got, wanted):
    assert got[:2] + got[4:] == wanted[:2] + wanted[4:]
    assert got.rows.equals(wanted.rows)
    assert got.rows.schema == wanted.rows.schema
    np.testing.assert_array_equal(got.keys, wanted.keys)


@pytest.mark.parametrize("key", [None, b"secret"])
def test_a_batch_comes_back_and_only_with_its_key(key):
    for one in (TRADES, beat(5), TRADES._replace(received_ns=HISTORY, feed="Ω\n")):
        same(decode(encode(one, key=key), key=key), one)
    for other in {None, b"secret", b"another"} - {key}:
        with pytest.raises(InputError, match="the bytes of a batch"):
            decode(encode(TRADES, key=key), key=other)
    same(decode(forged(["f", "trade", 10**18, 7], key=key), key=key), TRADES)


def test_any_damaged_byte_and_any_lost_end_is_refused_before_arrow_reads(monkeypatch):
    whole, draw = encode(TRADES), random.Random(1)

    def never(_):
        raise AssertionError("Arrow has read it")

    monkeypatch.setattr(wire_module.pl, "read_ipc_stream", never)
    for at in range(len(whole)):
        hurt = bytearray(whole)
        hurt[at] ^= draw.randrange(1, 256)
        with pytest.raises(InputError):
            decode(bytes(hurt))
        with pytest.raises(InputError):
            decode(whole[:at])
    with pytest.raises(InputError):
        decode(whole + b"\0")


@pytest.mark.parametrize(
    "head",
    [
        b'["f","trade",Infinity,0,"00000000"]',
        b'["f","trade",1e400,0,"00000000"]',
        b'["f","trade",1,0]',
        b'["f","trade",1,0,"\xc3\xa9"]',
        b'["f","trade",1,0,0]',
        b'{"a":1,"b":2,"c":3,"d":4,"e":5}',
        b"[" * 4000,
        b"[" * 100_000,
        b'["f","trade",' + b"9" * 4080 + b",0]",
        b"",
    ],
    ids=["infinite", "huge", "short", "accent", "number", "object", "deep", "long", "digits", "no"],
)
def test_a_header_that_is_none_is_refused(head):
    for data in (head, head + b"\n" + encode(TRADES).partition(b"\n")[2]):
        with pytest.raises(InputError, match="the bytes of a batch"):
            decode(data)


@pytest.mark.parametrize(
    "head",
    [
        ["f", "nope", 1, 0],
        ["f", ["trade"], 1, 0],
        ["f", "quote", 1, 0],
        ["", "trade", 1, 0],
        ["", "", 1, 0],
        ["f", "trade", -2, 0],
        ["f", "trade", 2**62, 0],
        ["f", "trade", True, 0],
        ["f", "trade", 1.0, 0],
        ["f", "trade", 1, -2],
        ["f", "trade", 1, 2**63],
    ],
    ids=str,
)
def test_a_header_with_a_good_sum_is_still_checked(head):
    with pytest.raises(InputError):
        decode(forged(head))


KEYS = pl.Series("__key", np.arange(N))


@pytest.mark.parametrize(
    "rows",
    [
        ROWS,
        ROWS.with_columns(KEYS.cast(pl.String)),
        ROWS.with_columns(pl.Series("__key", [None, 1, 2, 3, 4])),
        ROWS.with_columns(pl.col("ts").cast(pl.String), KEYS),
        ROWS.with_columns(pl.col("ts").dt.cast_time_unit("us"), KEYS),
        ROWS.with_columns(KEYS).select(pl.all().reverse()).select("price", pl.exclude("price")),
    ],
    ids=["no-keys", "text-keys", "null-key", "text-ts", "us-ts", "order"],
)
def test_other_columns_or_types_are_refused(rows):
    with pytest.raises(InputError):
        decode(forged(["f", "trade", 1, 0], arrow(rows)))


def test_what_could_not_be_read_again_is_not_written(monkeypatch):
    for wrong in (
        TRADES._replace(rows=ROWS.with_columns(pl.col("ts").cast(pl.String))),
        TRADES._replace(received_ns=-2),
        TRADES._replace(record="nope"),
        TRADES._replace(feed="f" * 5000),
        TRADES._replace(keys=np.arange(N + 1)),
    ):
        with pytest.raises(InputError):
            encode(wrong)
    whole = encode(TRADES)
    monkeypatch.setattr(wire_module, "MAX_BYTES", len(whole) - 1)
    for refused in (lambda: encode(TRADES), lambda: decode(whole)):
        with pytest.raises(InputError, match="at most"):
            refused()


def test_a_panic_of_the_reader_is_an_input_error(monkeypatch):
    def panic(_):
        raise pl.exceptions.PanicException("out-of-spec")

    monkeypatch.setattr(wire_module.pl, "read_ipc_stream", panic)
    with pytest.raises(InputError, match="the bytes of a batch"):
        decode(encode(TRADES))
