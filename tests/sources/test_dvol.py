"""The volatility index: two layouts, percent into decimals, and what is refused."""

from __future__ import annotations

import gzip
import json

import pytest

from eventtape.clock import parse_ns
from eventtape.errors import InputError
from eventtape.sources.dvol import read_dvol
from eventtape.tape import times_ns

MS = 1_700_000_000_000


def test_pairs_become_decimals_in_order(write):
    rows = [[MS + 86_400_000, 62.5], [MS, 50]]
    frame = read_dvol(write("dvol.json", rows))
    assert frame["iv"].to_list() == [0.5, 0.625]
    assert times_ns(frame).tolist() == [MS * 10**6, (MS + 86_400_000) * 10**6]
    assert times_ns(frame)[0] == parse_ns("2023-11-14T22:13:20Z")
    packed = write("dvol.json.gz", gzip.compress(json.dumps(rows).encode()))
    assert read_dvol(packed).equals(frame)


def test_the_exchange_s_answer_gives_its_close(write):
    answer = {"jsonrpc": "2.0", "result": {"data": [[MS, 51.0, 53.0, 50.0, 52.0]]}}
    assert read_dvol(write("dvol.json", answer))["iv"].to_list() == [0.52]


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        ([[MS, 50.0], [MS, 51.0]], "row 2, column 'ts': met 1700000000000, wanted one value a"),
        ([[MS, 50.0], [MS // 1000, 51.0]], "row 2, column 'ts': met 1700000000"),
        ([[MS, 0.55]], "row 1, column 'iv': met 0.55, wanted an index in percent"),
        ([[MS, None]], "row 1, column 'iv': wanted an index"),
        ([[MS, True]], "row 1, column 'iv': met True"),
        ([[float(MS), 50.0]], "row 1, column 'ts'"),
        ([[MS, 50.0, 51.0]], "row 1: met [1700000000000, 50.0, 51.0]"),
        ([], "wanted a list of [milliseconds, index]"),
        ({"result": None}, "wanted a list of [milliseconds, index]"),
    ],
    ids=["twice", "seconds", "decimal", "none", "bool", "float", "three", "empty", "answer"],
)
def test_what_cannot_be_read_is_named(write, payload, said):
    with pytest.raises(InputError) as caught:
        read_dvol(write("dvol.json", payload))
    assert said in str(caught.value)
