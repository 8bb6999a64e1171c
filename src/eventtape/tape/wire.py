"""A batch as bytes and back, bit for bit: a JSON line for the header, then Arrow's own stream.

The journal on disk and Kafka carry these bytes. Nothing is pickled: what comes back is a batch or
an :class:`~eventtape.errors.InputError`, never code.
"""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np
import polars as pl

from eventtape.errors import InputError
from eventtape.tape.batch import RECORDS, Batch

__all__ = ["decode", "encode"]

_KEY = "__key"


def encode(batch: Batch) -> bytes:
    """The bytes of a batch; those of a beat are its header alone."""
    head = [batch.feed, batch.record, batch.received_ns, batch.number]
    line = json.dumps(head, separators=(",", ":")).encode() + b"\n"
    if not batch.feed:
        return line
    if batch.keys.shape != (batch.rows.height,):
        raise InputError("a key for each row", met=(batch.keys.shape, batch.rows.height))
    out = io.BytesIO()
    rows = batch.rows.with_columns(pl.Series(_KEY, np.asarray(batch.keys, np.int64)))
    rows.write_ipc_stream(out)
    return line + out.getvalue()


def decode(data: bytes) -> Batch:
    """The batch of :func:`encode`; anything else is an :class:`InputError`."""
    line, _, rest = data.partition(b"\n")
    try:
        feed, record, received_ns, number = _head(json.loads(line))
        if not feed:
            return Batch("", "", pl.DataFrame(), np.empty(0, np.int64), received_ns, number)
        rows = pl.read_ipc_stream(io.BytesIO(rest))
        keys = rows[_KEY].to_numpy()
    except (ValueError, TypeError, OSError, pl.exceptions.PolarsError) as error:
        raise InputError("the bytes of a batch", met=data[:60]) from error
    if record not in RECORDS or list(RECORDS[record].columns) != rows.columns[:-1]:
        raise InputError(f"the columns of a {record}", met=rows.columns)
    return Batch(feed, record, rows.drop(_KEY), keys, received_ns, number)


def _head(head: Any) -> tuple[str, str, int, int]:
    feed, record, received_ns, number = head
    if not (isinstance(feed, str) and isinstance(record, str)):
        raise TypeError("a feed and a record by name")
    return feed, record, int(received_ns), int(number)
