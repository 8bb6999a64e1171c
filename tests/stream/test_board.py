"""A reader sees every row once and in order; one that is too slow is told how many it missed."""

from __future__ import annotations

import threading

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from eventtape.stream import board as room
from eventtape.stream.board import Board
from eventtape.stream.fold import Slice
from eventtape.tape.batch import beat

TIME = pl.Datetime("ns", "UTC")


def rows(first, n):
    at = np.arange(first, first + n)
    return pl.DataFrame({"ts": pl.Series(at).cast(TIME), "n": at})


def put(board, name, first, n):
    board.publish(name, Slice(first + n, {name: rows(first, n)}), None)


@settings(derandomize=True, deadline=None, max_examples=40)
@given(sizes=st.lists(st.tuples(st.integers(0, 9), st.booleans()), max_size=60))
def test_a_reader_sees_each_row_once_in_order_or_is_told_it_was_skipped(sizes):
    board, reader, seen, told, first = Board(most_rows=20), None, [], 0, 0
    reader = board.reader()
    for n, look in sizes:
        put(board, "a", first, n)
        first += n
        if look:
            news = reader.take()
            told += news.skipped
            seen += news.rows["a"]["n"].to_list() if "a" in news.rows else []
    news = reader.take()
    told += news.skipped
    seen += news.rows["a"]["n"].to_list() if "a" in news.rows else []
    assert seen == sorted(set(seen))
    assert len(seen) + told == first
    assert not first or seen[-1] == first - 1


def test_many_small_pieces_are_laid_out_as_one_and_read_the_same(monkeypatch):
    monkeypatch.setattr(room, "_MOST_PIECES", 8)
    board = Board(most_rows=1_000)
    reader = board.reader()
    got = []
    for k in range(100):
        put(board, "a", k, 1)
        if k % 7 == 3:
            got += reader.take().rows["a"]["n"].to_list()
    got += reader.take().rows["a"]["n"].to_list()
    assert got == list(range(100))
    assert board.rows("a")["n"].to_list() == list(range(100))
    assert board.rows("a", until_ns=41)["n"].to_list() == list(range(42))
    assert len(board._kept["a"]) <= 9


def test_time_moves_on_without_rows_and_rows_of_other_names_are_not_kept():
    board = Board()
    board.publish("a", Slice(5, {"b": rows(0, 2)}), beat(1))
    board.publish("a", Slice(3, {}), None)
    news = board.reader().take()
    assert news.upto_ns == {"a": 5}
    assert news.rows == {}
    assert news.lag.batches == 1


def test_writer_and_readers_of_several_threads_lose_nothing():
    board = Board(most_rows=10**6)
    readers = [board.reader() for _ in range(3)]
    over, found = threading.Event(), [[] for _ in readers]

    def read(k):
        last = False
        while not last:
            last = over.is_set()
            news = readers[k].take()
            found[k] += news.rows["a"]["n"].to_list() if "a" in news.rows else []

    threads = [threading.Thread(target=read, args=(k,)) for k in range(3)]
    for thread in threads:
        thread.start()
    for k in range(3_000):
        put(board, "a", 2 * k, 2)
    over.set()
    for thread in threads:
        thread.join()
    assert found == [list(range(6_000))] * 3
