"""States come back bit for bit, and damaged or foreign bytes are refused."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

import hypothesis.extra.numpy as arrays
import hypothesis.strategies as some
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings

from eventtape.arrays import Status
from eventtape.errors import InputError
from eventtape.stream.fold import Node, Slice
from eventtape.stream.order import InOrder, InOrderState, Merged, MergedState
from eventtape.stream.snapshot import fingerprint, pack, unpack

EXAMPLES = settings(derandomize=True, deadline=None, max_examples=30)


def bits(value):  # noqa: PLR0911 - one a kind
    """A value as something ``==`` compares by type and bits."""
    if isinstance(value, np.ndarray):
        return "array", value.dtype.str, value.shape, value.tobytes()
    if isinstance(value, np.generic):
        return type(value), value.tobytes()
    if isinstance(value, float):
        return "float", struct.pack("<d", value)
    if isinstance(value, pl.DataFrame):
        return value.schema, [bits_of_column(one) for one in value]
    if isinstance(value, dict):
        return dict, [(type(k), k, bits(v)) for k, v in value.items()]
    if isinstance(value, tuple | list):
        return type(value), [bits(one) for one in value]
    return type(value), value


def bits_of_column(series):
    missing = series.is_null().to_list()
    if series.dtype in (pl.Float32, pl.Float64):
        return missing, series.fill_null(0.0).to_numpy().tobytes()
    return missing, series.to_list()


plain_values = some.one_of(
    some.none(),
    some.booleans(),
    some.integers(),
    some.floats(),
    some.text(),
    some.binary(),
    some.sampled_from(list(Status)),
    some.builds(np.float64, some.floats()),
    some.builds(np.int64, some.integers(-(2**63), 2**63 - 1)),
    some.builds(np.bool_, some.booleans()),
)
array_values = arrays.arrays(
    some.one_of(
        arrays.floating_dtypes(),
        arrays.integer_dtypes(),
        arrays.boolean_dtypes(),
        arrays.datetime64_dtypes(),
        arrays.unicode_string_dtypes(min_len=1, max_len=5),
    ),
    arrays.array_shapes(min_dims=0, max_dims=3, min_side=0),
)
states = some.recursive(
    some.one_of(plain_values, array_values),
    lambda inner: some.one_of(
        some.lists(inner, max_size=4),
        some.tuples(inner, inner),
        some.dictionaries(some.one_of(some.text(), some.integers()), inner, max_size=4),
        some.builds(InOrderState, inner, inner),
        some.builds(MergedState, inner, inner, inner, inner),
        some.builds(Merged, some.integers(0, 9), some.integers(0, 9)),
    ),
    max_leaves=12,
)


@EXAMPLES
@given(some.dictionaries(some.text(), states, max_size=4))
def test_states_come_back_bit_for_bit(held):
    data = pack(held)
    back = unpack(data)
    assert bits(back) == bits(held)
    assert pack(back) == data


def frame(seed, n):
    rng = np.random.default_rng(seed)
    odd = np.array([np.nan, -0.0, np.inf, 0.1]).view(np.int64)
    odd[0] += 7  # a NaN with a payload
    pool = ["", "a", "né", "longer than twelve bytes", None]
    words = pl.Series([pool[k] for k in rng.integers(0, 5, n)], dtype=pl.String)
    base = pl.DataFrame(
        {
            "f": rng.choice(odd, n).view(np.float64),
            "i": rng.integers(-9, 9, n).astype(np.int8),
            "b": rng.random(n) < 0.5,
            "s": words,
            "ts": pl.Series(rng.integers(0, 2**61, n)).cast(pl.Datetime("ns", "UTC")),
            "d": pl.Series(rng.integers(0, 2**41, n)).cast(pl.Duration("us")),
            "day": pl.Series(rng.integers(0, 9_999, n).astype(np.int32)).cast(pl.Date),
        }
    )
    lists = [None if k == 0 else rng.random(k - 1).tolist() for k in rng.integers(0, 4, n)]
    held = pl.Series(rng.random(n) < 0.8)
    masked = base.with_columns(
        pl.when(held).then(pl.all()), pl.Series("l", lists, pl.List(pl.Float64))
    )
    return pl.concat([masked, base.with_columns(l=pl.lit([], pl.List(pl.Float64)))])


@pytest.mark.parametrize("n", [0, 1, 7, 40])
def test_frames_come_back_bit_for_bit(n):
    held = frame(n, n)
    back = unpack(pack({"x": held}))["x"]
    assert bits(back) == bits(held)
    assert back.equals(held)


def test_equal_frames_give_equal_bytes_however_they_were_made():
    whole = frame(3, 40)
    pieces = pl.concat([whole[:13], whole[13:13], whole[13:41], whole[41:]])
    sliced = pl.concat([whole[50:], whole])[30:]
    wanted = pack({"x": whole})
    assert pieces.n_chunks() > whole.n_chunks()
    assert pack({"x": pieces}) == wanted
    assert pack({"x": sliced}) == wanted
    assert pack({"x": whole.filter(pl.repeat(True, 80, eager=True))}) == wanted
    assert pack({"x": pl.DataFrame()}) != wanted
    assert unpack(pack({"x": pl.DataFrame()}))["x"].shape == (0, 0)


def test_arrays_lie_as_they_lay():
    across = np.arange(6.0).reshape(2, 3).T
    back = unpack(pack({"f": across, "strided": np.arange(9.0)[::2]}))
    assert back["f"].flags.f_contiguous
    assert not back["f"].flags.c_contiguous
    assert back["f"].flags.writeable
    assert back["f"].flags.aligned
    np.testing.assert_array_equal(back["f"], across)
    np.testing.assert_array_equal(back["strided"], np.arange(9.0)[::2])


def test_any_flipped_byte_and_any_cut_is_refused():
    data = pack({"node": MergedState({"a": frame(1, 3)}, 5, 4, {"a": 1}), "x": np.arange(3)})
    for at in range(len(data)):
        hurt = bytearray(data)
        hurt[at] ^= 1 << (at % 8)
        with pytest.raises(InputError):
            unpack(bytes(hurt))
        with pytest.raises(InputError):
            unpack(data[:at])
    with pytest.raises(InputError):
        unpack(data + b"\0")


def test_another_version_is_named():
    data = bytearray(pack({}))
    data[15] = 9
    with pytest.raises(InputError, match="met 9, wanted a snapshot of version 1"):
        unpack(bytes(data))


class Foreign(NamedTuple):
    x: int


@dataclass(frozen=True)
class Counting:
    """A fold of a test, with options of every kind."""

    level: float = 0.5
    table: object = None

    def start(self):
        return {"rows": 0}

    def step(self, state, new):
        return state, None

    def finish(self, state):
        return Slice(0, {})


@pytest.mark.parametrize(
    ("held", "where"),
    [
        (Foreign(1), r"a class of eventtape at states\['n'\]"),
        ({"deep": [object()]}, r"may hold at states\['n'\]\['deep'\]\[0\]"),
        (np.array([None]), r"arrays of plain numbers or text"),
        ({1.5: 2}, r"text or whole numbers as keys of states\['n'\]"),
        ({True: 2}, r"text or whole numbers as keys"),
        ({1, 2}, "may hold"),
        (datetime(2026, 1, 1, tzinfo=UTC), "may hold"),
        (pl.DataFrame({"o": [object()]}), "column 'o'"),
        (np.ma.array([1.0]), "arrays of plain numbers"),
    ],
    ids=["class", "object", "objects", "float-key", "bool-key", "set", "time", "frame", "masked"],
)
def test_what_a_state_may_not_hold_is_refused_with_its_place(held, where):
    with pytest.raises(InputError, match=where):
        pack({"n": held})


def test_a_class_that_has_changed_is_refused():
    data = pack({"n": InOrderState({}, {})})
    other = data.replace(b'"newest"', b'"latest"')
    from eventtape.stream import snapshot

    body = other[40:]
    forged = other[:24] + snapshot._digest(body) + body
    with pytest.raises(InputError, match="with the fields"):
        unpack(forged)


def test_a_fingerprint_knows_names_inputs_and_options():
    table = np.arange(4.0)
    base = Node("a", ("x",), Counting(0.5, table), feeds=True)
    of = fingerprint((base,))
    assert of == fingerprint((Node("a", ("x",), Counting(0.5, table.copy()), feeds=True),))
    assert len(of) == 32
    others = [
        base._replace(name="b"),
        base._replace(inputs=("x", "y")),
        base._replace(feeds=False),
        base._replace(fold=Counting(0.6, table)),
        base._replace(fold=Counting(0.5, table + 1.0)),
        base._replace(fold=Counting(0.5, frame(1, 3))),
        base._replace(fold=Counting(0.5, Foreign(2))),
        base._replace(fold=Counting(math.nan, table)),
        base._replace(fold=InOrder()),
    ]
    assert len({of, *(fingerprint((one,)) for one in others)}) == 10
    assert of != fingerprint((base, base._replace(name="b")))
