"""A journal keeps what it acknowledged, and says where it is hurt."""

from __future__ import annotations

import errno
import os

import numpy as np
import polars as pl
import pytest

from eventtape.errors import InputError, LakeError
from eventtape.store import Lake, read_tape
from eventtape.store.journal import Journal
from eventtape.store.journal_files import journal_batches
from eventtape.tape import PROBABILITY, Feed, Instrument, empty
from eventtape.tape.batch import HISTORY, Batch, beat
from eventtape.tape.wire import encode
from stream.small_program import FEEDS, small_batches, trades

MARKET = Feed(
    Instrument("sim", "yes", "event contract"), "p", PROBABILITY, empty(PROBABILITY), 7, ""
)


def written(folder, groups, **options):
    """The numbered batches, a group an append."""
    with Journal(folder, **options) as journal:
        return [one for group in groups for one in journal.append(group)]


def same(found, wanted):
    return [encode(one) for one in found] == [encode(one) for one in wanted]


def groups_of(batches):
    rng, out = np.random.default_rng(1), []
    while batches:
        n = int(rng.integers(1, 5))
        out.append(batches[:n])
        batches = batches[n:]
    return out


def test_what_was_acknowledged_is_read_again_over_many_segments(tmp_path):
    batches = [*small_batches(60, 1, live=True), beat(5)]
    acknowledged = written(tmp_path, groups_of(batches), segment_bytes=8_000)
    assert [one.number for one in acknowledged] == list(range(len(batches)))
    assert same([one._replace(number=-1) for one in acknowledged], batches)
    assert len(list(tmp_path.glob("*.log"))) > 3
    with Journal(tmp_path) as journal:
        assert journal.next_number == len(batches)
        assert journal.torn is None
        assert journal.disk_bytes == sum(one.stat().st_size for one in tmp_path.glob("*.log"))
        assert same(journal.read(), acknowledged)
        for first in (1, 7, len(batches) - 1, len(batches)):
            assert same(journal.read(first), acknowledged[first:])
        assert journal.append([]) == []
        more = journal.append([beat(6)])
        assert more[0].number == len(batches)
    assert same(journal_batches(tmp_path, 3), [*acknowledged, *more][3:])


def test_a_torn_end_is_put_aside_wherever_it_was_cut(tmp_path):
    groups = [small_batches(6, 2), [beat(1)], [beat(2), beat(3)]]
    acknowledged = written(tmp_path, groups)
    (segment,) = tmp_path.glob("*.log")
    whole = segment.read_bytes()
    with Journal(tmp_path / "shorter") as other:
        for group in groups[:2]:
            other.append(group)
        kept = other.disk_bytes
    for cut in range(kept, len(whole)):
        for old in tmp_path.glob("*.torn"):
            old.unlink()
        segment.write_bytes(whole[:cut])
        with Journal(tmp_path) as journal:
            assert journal.next_number == len(acknowledged) - 2
            assert same(journal.read(), acknowledged[:-2])
            if cut == kept:
                assert journal.torn is None
                continue
            assert journal.torn is not None
            assert journal.torn.disk_bytes == cut - kept
            assert journal.torn.file.read_bytes() == whole[kept:cut]
        assert segment.read_bytes() == whole[:kept]
    with Journal(tmp_path) as journal:
        assert same(journal.append(groups[2]), acknowledged[-2:])
    assert segment.read_bytes() == whole


@pytest.mark.parametrize("tail", [b"\0" * 100, b"etJ\x01", b"x"], ids=["zeros", "marker", "byte"])
def test_a_torn_end_of_any_bytes_is_put_aside(tmp_path, tail):
    acknowledged = written(tmp_path, [[one] for one in small_batches(6, 2)])
    (segment,) = tmp_path.glob("*.log")
    with segment.open("ab") as file:
        file.write(tail)
    with Journal(tmp_path) as journal:
        assert same(journal.read(), acknowledged)
        assert journal.torn.file.read_bytes() == tail


def test_a_flipped_byte_before_the_last_frame_is_damage_and_nothing_is_changed(tmp_path):
    written(tmp_path, [[one] for one in small_batches(4, 3)][:3])
    (segment,) = tmp_path.glob("*.log")
    whole = segment.read_bytes()
    with Journal(tmp_path / "one") as one:
        one.append([small_batches(4, 3)[0]])
        size = one.disk_bytes
    for at in (*range(30), *range(30, 2 * size, 37)):
        hurt = bytearray(whole)
        hurt[at] ^= 1 << (at % 8)
        segment.write_bytes(hurt)
        with pytest.raises(LakeError, match=r"000000000000\.log, offset \d+: "):
            Journal(tmp_path)
        with pytest.raises(LakeError, match=r"offset \d+: "):
            list(journal_batches(tmp_path))
        assert segment.read_bytes() == bytes(hurt)
        assert not list(tmp_path.glob("*.torn"))


def test_damage_in_an_older_segment_is_found_on_reading(tmp_path):
    written(tmp_path, [[one] for one in small_batches(40, 3)], segment_bytes=8_000)
    first, second, *_ = sorted(tmp_path.glob("*.log"))
    whole = first.read_bytes()
    first.write_bytes(whole[:-1])  # a torn end, but not of the last segment
    with pytest.raises(LakeError, match=f"{first.name}, offset"):
        list(journal_batches(tmp_path))
    first.write_bytes(whole)
    second.unlink()
    with pytest.raises(LakeError, match="wanted a segment that begins with batch"):
        list(journal_batches(tmp_path))
    first.unlink()
    with pytest.raises(LakeError, match="the journal begins here, asked for 0"):
        list(journal_batches(tmp_path))


@pytest.mark.parametrize("short", [0, 1, 100], ids=["nothing", "a-byte", "a-hundred"])
def test_a_full_disk_leaves_the_journal_as_it_was(tmp_path, monkeypatch, short):
    batches, real = small_batches(20, 4), os.write
    with Journal(tmp_path) as journal:
        kept = journal.append(batches[:3])
        before = next(tmp_path.glob("*.log")).read_bytes()
        calls = []

        def full(descriptor, data):
            calls.append(len(data))
            if len(calls) == 1 and short:
                return real(descriptor, data[:short])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        with monkeypatch.context() as patch:
            patch.setattr(os, "write", full)
            with pytest.raises(LakeError, match="nothing was added: No space left"):
                journal.append(batches[3:])
        assert calls
        assert next(tmp_path.glob("*.log")).read_bytes() == before
        assert journal.next_number == 3
        kept += journal.append(batches[3:])
        assert same(journal.read(), kept)


def test_after_a_failed_sync_the_journal_must_be_opened_again(tmp_path, monkeypatch):
    batches = small_batches(20, 4)
    with Journal(tmp_path) as journal:
        kept = journal.append(batches[:3])

        def failing(descriptor):
            raise OSError(errno.EIO, os.strerror(errno.EIO))

        with monkeypatch.context() as patch:
            patch.setattr(os, "fdatasync", failing)
            with pytest.raises(LakeError, match="open the journal again to go on: Input/output"):
                journal.append(batches[3:])
        with pytest.raises(LakeError, match="not to be written to after a failed sync"):
            journal.append(batches[3:])
    with pytest.raises(LakeError, match="the journal is closed"):
        journal.append(batches[3:])
    with Journal(tmp_path) as journal:
        assert same(journal.read(), kept)


def test_a_second_writer_is_refused_in_words(tmp_path):
    with Journal(tmp_path) as journal:
        journal.append([beat(1)])
        with pytest.raises(LakeError, match="another run is writing to this journal"):
            Journal(tmp_path)
        assert len(list(journal_batches(tmp_path))) == 1  # a reader is not
    Journal(tmp_path).close()
    (tmp_path / "file").write_text("")
    with pytest.raises(LakeError, match="cannot be opened"):
        Journal(tmp_path / "file")


def test_the_roster_keeps_all_feeds_and_refuses_another_under_a_known_label(tmp_path):
    with Journal(tmp_path) as journal:
        assert journal.feeds() == ()
        journal.write_feeds(FEEDS)
        journal.write_feeds([MARKET])
        held = journal.feeds()
        assert [one._replace(frame=None) for one in held] == [
            one._replace(frame=None) for one in (*FEEDS, MARKET)
        ]
        with pytest.raises(InputError, match="'a' to go on as trade of sim:a"):
            journal.write_feeds([MARKET._replace(label="a")])
        with pytest.raises(InputError, match="a label for each feed"):
            journal.write_feeds([MARKET._replace(label="")])
        (tmp_path / "feeds.json").write_text("{")
        with pytest.raises(LakeError, match=r"feeds\.json: cannot be read"):
            journal.feeds()


def test_a_sealed_journal_is_a_tape_of_the_lake(tmp_path):
    batches = small_batches(50, 5)
    whole = {one.label: [b.rows for b in batches if b.feed == one.label] for one in FEEDS}
    last = {name: pl.concat(parts).sort("ts", maintain_order=True) for name, parts in whole.items()}
    at = last["a"]["ts"][:3]
    quotes = pl.DataFrame(
        {
            "symbol": ["yes"] * 4,
            "ts": [at[0], at[2], at[1], at[2]],
            "probability": [0.1, 0.2, 0.3, 0.4],
        }
    )
    quotes = quotes.cast({"ts": pl.Datetime("ns", "UTC")})
    quotes = pl.concat([empty(PROBABILITY), quotes], how="diagonal")
    numbers = np.arange(4)
    with Journal(tmp_path / "journal", segment_bytes=8_000) as journal:
        silent = MARKET._replace(
            label="silent", instrument=Instrument("sim", "no", "event contract")
        )
        journal.write_feeds([*FEEDS, MARKET, silent])
        journal.append(batches[:9])
        journal.append([beat(1), Batch("p", "probability", quotes, numbers, HISTORY)])
        journal.append(batches[9:])
        lake = Lake(tmp_path / "lake")
        assert journal.seal(lake, "night") == 3
    tape = read_tape(lake, "night")
    assert [feed.label for feed in tape.feeds] == ["a", "b", "p"]
    for name, rows in last.items():
        assert tape.feed(name).frame.equals(rows)
    assert tape.feed("p").frame["probability"].to_list() == [0.1, 0.3, 0.4]  # the last of a time
    assert tape.feed("p").stamp_uncertainty_ns == 7


def test_rows_that_no_tape_may_hold_are_refused_on_sealing(tmp_path):
    rows = trades("a", np.arange(2), np.array([1, 2])).with_columns(price=pl.lit(-1.0))
    with Journal(tmp_path / "journal") as journal:
        journal.write_feeds(FEEDS)
        journal.append([Batch("a", "trade", rows, np.arange(2), HISTORY)])
        with pytest.raises(InputError, match="journal journal, feed 'a', row 1, column 'price'"):
            journal.seal(Lake(tmp_path / "lake"), "night")


def test_what_is_missing_is_kept_until_nothing_is(tmp_path):
    with Journal(tmp_path) as journal:
        assert journal.behind() == {}
        journal.write_behind({"a": 5, "b": 1_700_000_000_000_000_007})
        journal.append([beat(1)])
    with Journal(tmp_path) as journal:
        assert journal.behind() == {"a": 5, "b": 1_700_000_000_000_000_007}
        journal.write_behind({"b": 6})
        assert journal.behind() == {"b": 6}
        journal.write_behind({})
        journal.write_behind({})
        assert journal.behind() == {}
        assert sorted(one.name for one in tmp_path.iterdir()) == ["000000000000.log", "lock"]
        for text in ("{", "[1]", '{"a": "5"}', '{"a": true}'):
            (tmp_path / "behind.json").write_text(text)
            with pytest.raises(LakeError, match=r"behind\.json: "):
                journal.behind()


def test_a_full_disk_leaves_what_was_said_to_be_missing(tmp_path, monkeypatch):
    with Journal(tmp_path) as journal:
        journal.write_behind({"a": 5})

        def full(_descriptor):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", full)
            with pytest.raises(LakeError, match="what is missing was not written: No space left"):
                journal.write_behind({"a": 4})
        assert journal.behind() == {"a": 5}
