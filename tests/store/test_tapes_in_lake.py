"""A tape that goes into the lake comes back as it was."""

from __future__ import annotations

import pytest

from eventtape.errors import InputError
from eventtape.simulate import event_night
from eventtape.store import Lake, datasets, read_tape, write_tape


def test_a_tape_comes_back_whole(tmp_path):
    lake, tape = Lake(tmp_path), event_night(1, hours=1.0).tape
    assert write_tape(lake, "night-1", tape.feeds) == len(tape.feeds)
    back = read_tape(lake, "night-1")
    assert back.simulated
    assert [feed._replace(frame=None) for feed in back.feeds] == [
        feed._replace(frame=None) for feed in tape.feeds
    ]
    assert all(a.frame.equals(b.frame) for a, b in zip(back.feeds, tape.feeds, strict=True))


def test_a_feed_written_again_replaces_itself_and_no_other(tmp_path):
    lake, tape = Lake(tmp_path), event_night(1, hours=1.0).tape
    write_tape(lake, "night", tape.feeds)
    coin = tape.feed("coin")
    write_tape(lake, "night", [coin._replace(frame=coin.frame.head(5), note="cut short")])
    back = read_tape(lake, "night")
    assert back.feed("coin").frame.height == 5
    assert back.feed("coin").note == "cut short"
    assert back.feed("index").frame.equals(tape.feed("index").frame)


def test_datasets_are_kept_apart(tmp_path):
    lake = Lake(tmp_path)
    assert datasets(lake) == ()
    for seed in (1, 2):
        write_tape(lake, f"night-{seed}", event_night(seed, hours=1.0).tape.feeds)
    assert datasets(lake) == ("night-1", "night-2")
    one, two = (read_tape(lake, f"night-{seed}").feed("coin").frame for seed in (1, 2))
    assert not one.equals(two)
    with pytest.raises(InputError, match="a dataset among night-1, night-2"):
        read_tape(lake, "night-3")
