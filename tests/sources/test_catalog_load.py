from __future__ import annotations

from functools import partial

import polars as pl
import pytest

from eventtape.errors import InputError
from eventtape.sources import (
    ELECTION_2024,
    ELECTION_2024_TRADES,
    as_feed,
    load_folder,
    read_history,
)
from eventtape.tape import PROBABILITY, TRADE

T0 = 1_930_132_800


def test_the_dataset_in_its_order_with_its_clocks():
    said = [
        (spec.label, str(spec.instrument), spec.instrument.kind, spec.stamp_uncertainty_ns // 10**9)
        for spec in ELECTION_2024
    ]
    assert said == [
        ("Polymarket", "polymarket:trump-2024", "event contract", 60),
        ("Kalshi", "kalshi:PRES-2024-DJT", "event contract", 3600),
        ("Kalshi KH", "kalshi:PRES-2024-KH", "event contract", 3600),
        ("BTC", "binance:BTCUSDT", "crypto", 60),
        ("EURUSD", "fx:EURUSD", "currency", 60),
        ("NQ", "cme:NQ", "future", 60),
        ("CL", "cme:CL", "future", 300),
        ("Results", "news:nyt-results", "news", 180),
    ]


def test_labels_are_unique_and_trades_are_only_fetched():
    specs = ELECTION_2024 + ELECTION_2024_TRADES
    assert len({spec.label for spec in specs}) == len(specs)
    assert all(spec.record is TRADE and spec.reader is None for spec in ELECTION_2024_TRADES)
    assert all(spec.reader is not None and spec.paths for spec in ELECTION_2024)


@pytest.fixture
def specs():
    """Three small feeds in the shape of the first."""

    def spec(label):
        read = partial(read_history, symbol=label)
        return ELECTION_2024[0]._replace(
            label=label, paths=(f"{label}.json",), reader=lambda paths: read(paths[0])
        )

    return tuple(spec(label) for label in ("rain", "snow", "hail"))


def put(write, *labels):
    for label in labels:
        write(f"{label}.json", {"history": [{"t": T0, "p": 0.5}]})


def test_a_folder_becomes_a_tape_with_progress(write, tmp_path, specs):
    put(write, "hail", "rain", "snow")
    seen = []
    loaded = load_folder(tmp_path, specs, progress=lambda *told: seen.append(told))
    assert [feed.label for feed in loaded.tape.feeds] == ["rain", "snow", "hail"]
    assert loaded.missing == ()
    assert not loaded.tape.simulated
    feed = loaded.tape.feed("snow")
    assert feed.source == "snow.json"
    assert feed.record is PROBABILITY
    assert feed.stamp_uncertainty_ns == 60 * 10**9
    assert seen == [("rain", 1, 3), ("snow", 2, 3), ("hail", 3, 3)]


def test_a_missing_file_is_an_error_that_names_it(write, tmp_path, specs):
    put(write, "rain")
    with pytest.raises(InputError, match=r"snow\.json: .*the file of feed snow"):
        load_folder(tmp_path, specs)


def test_missing_files_may_be_allowed_and_are_listed(write, tmp_path, specs):
    put(write, "snow")
    loaded = load_folder(tmp_path, specs, allow_missing=True)
    assert [feed.label for feed in loaded.tape.feeds] == ["snow"]
    assert loaded.missing == (("rain", tmp_path / "rain.json"), ("hail", tmp_path / "hail.json"))


def test_a_feed_with_some_of_its_files_is_left_out(write, tmp_path, specs):
    put(write, "rain", "snow")
    two = specs[0]._replace(paths=("rain.json", "more.json"))
    loaded = load_folder(tmp_path, [two, specs[1]], allow_missing=True)
    assert [feed.label for feed in loaded.tape.feeds] == ["snow"]
    assert loaded.missing == (("rain", tmp_path / "more.json"),)


def test_a_folder_with_nothing_in_it_is_an_error(tmp_path):
    with pytest.raises(InputError, match="at least one feed in the folder"):
        load_folder(tmp_path, allow_missing=True)


def test_a_file_that_is_there_but_broken_is_an_error_even_so(write, tmp_path, specs):
    put(write, "rain", "hail")
    write("snow.json", '{"history": [')
    with pytest.raises(InputError, match=r"snow\.json"):
        load_folder(tmp_path, specs, allow_missing=True)


def test_a_frame_becomes_the_feed_of_its_spec_once_checked(write, tmp_path, specs):
    put(write, "rain", "snow", "hail")
    old = load_folder(tmp_path, specs).tape.feeds[0]
    new = as_feed(specs[0], old.frame.select(sorted(old.frame.columns)), "elsewhere")
    assert new.frame.equals(old.frame)
    assert (new.label, new.instrument, new.source) == ("rain", old.instrument, "elsewhere")
    with pytest.raises(InputError, match=r"elsewhere.*the column\(s\) symbol"):
        as_feed(specs[0], pl.DataFrame(), "elsewhere")
