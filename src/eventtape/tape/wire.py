"""A batch as bytes and back, bit for bit: a JSON line for the header, then Arrow's own stream.

The journal on disk and Kafka carry these bytes. Nothing is pickled: what comes back is a batch or
an :class:`~eventtape.errors.InputError`, never code. The header's last element vouches for all the
rest, and is looked at before Arrow reads a byte: a CRC-32, which finds damage, or with a secret key
an HMAC-SHA256, which also finds what somebody else wrote.
"""

from __future__ import annotations

import hashlib
import hmac
import io
import json
import zlib
from typing import Any

import numpy as np
import polars as pl

from eventtape.arrays import IntArray
from eventtape.errors import InputError
from eventtape.tape.batch import HISTORY, RECORDS, UNNUMBERED, Batch, record_named

__all__ = ["MAX_BYTES", "decode", "encode", "voucher"]

MAX_BYTES = 64 * 2**20
"""The most bytes of one batch."""
_MAX_HEADER = 4096
_FAR_NS = 2**62
_KEY = "__key"
_UNREADABLE = (
    ValueError,
    TypeError,
    OSError,
    OverflowError,
    RecursionError,
    MemoryError,
    pl.exceptions.PolarsError,
    pl.exceptions.PanicException,  # a BaseException: nobody else would catch it
)


def encode(batch: Batch, *, key: bytes | None = None) -> bytes:
    """The bytes of a batch; those of a beat are its header alone.

    With a ``key`` only who holds it too can read them. What :func:`decode` would refuse is refused.
    """
    head = (batch.feed, batch.record, int(batch.received_ns), int(batch.number))
    _check_head(*head)
    body = _body(batch) if batch.feed else b""
    line = json.dumps([*head, _sum(head, body, key)], separators=(",", ":")).encode()
    _check_sizes(len(line), len(line) + 1 + len(body))
    return line + b"\n" + body


def decode(data: bytes, *, key: bytes | None = None) -> Batch:
    """The batch of :func:`encode` with the same ``key``; all else is an :class:`InputError`."""
    end = data.find(b"\n", 0, _MAX_HEADER + 1)
    _check_sizes(end if end >= 0 else _MAX_HEADER + 1, len(data), met=data[:60])
    try:
        feed, record, received_ns, number, said = json.loads(data[:end])
        head, body = (feed, record, received_ns, number), data[end + 1 :]
        if not hmac.compare_digest(said, _sum(head, body, key)):
            raise ValueError("its sum is another")
        _check_head(*head)
        rows, keys = _rows(body, record) if feed else _no_rows(body)
    except InputError:
        raise
    except _UNREADABLE as error:
        raise InputError("the bytes of a batch", met=data[:60]) from error
    return Batch(feed, record, rows, keys, received_ns, number)


def voucher(data: bytes, key: bytes | None) -> str:
    """The hex digits that vouch for bytes: their CRC-32, with a key their HMAC-SHA256."""
    if key is None:
        return f"{zlib.crc32(data):08x}"
    return hmac.new(key, data, hashlib.sha256).hexdigest()


def _sum(head: tuple[Any, ...], body: bytes, key: bytes | None) -> str:
    return voucher(json.dumps(head, separators=(",", ":")).encode() + b"\n" + body, key)


def _body(batch: Batch) -> bytes:
    if batch.keys.shape != (batch.rows.height,):
        raise InputError("a key for each row", met=(batch.keys.shape, batch.rows.height))
    rows = batch.rows.with_columns(pl.Series(_KEY, np.asarray(batch.keys, np.int64)))
    _check_columns(rows, batch.record)
    out = io.BytesIO()
    rows.write_ipc_stream(out)
    return out.getvalue()


def _rows(body: bytes, record: str) -> tuple[pl.DataFrame, IntArray]:
    rows = pl.read_ipc_stream(io.BytesIO(body))
    _check_columns(rows, record)
    if rows[_KEY].null_count():
        raise ValueError("a row without a key")
    return rows.drop(_KEY), rows[_KEY].to_numpy()


def _no_rows(body: bytes) -> tuple[pl.DataFrame, IntArray]:
    if body:
        raise ValueError("a beat with rows")
    return pl.DataFrame(), np.empty(0, np.int64)


def _check_columns(rows: pl.DataFrame, record: str) -> None:
    wanted = {name: column.dtype for name, column in record_named(record).columns.items()}
    met = list(rows.schema.items())
    if met != [*wanted.items(), (_KEY, pl.Int64())]:
        raise InputError(f"the columns of a {record} in their types", met=dict(met))


def _check_head(feed: Any, record: Any, received_ns: Any, number: Any) -> None:
    texts = isinstance(feed, str) and (record in RECORDS if feed else record == "")
    if not texts:
        raise InputError("a feed and its record by name", met=(feed, record))
    if type(received_ns) is not int or not (received_ns == HISTORY or 0 <= received_ns < _FAR_NS):
        raise InputError("a time of receipt in UTC ns, or HISTORY", met=received_ns)
    if type(number) is not int or not UNNUMBERED <= number < _FAR_NS:
        raise InputError("a number in the journal, or UNNUMBERED", met=number)


def _check_sizes(header: int, whole: int, *, met: object = None) -> None:
    if header > _MAX_HEADER:
        raise InputError("the bytes of a batch with a header of at most 4 kB", met=met)
    if whole > MAX_BYTES:
        raise InputError(f"the bytes of a batch, at most {MAX_BYTES}", met=whole)
