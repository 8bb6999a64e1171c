"""A journal read beside its writer: each batch once, no frame in the making taken for damage."""

from __future__ import annotations

import asyncio
import os

import pytest

from eventtape.errors import InputError, LakeError
from eventtape.store.journal import Journal
from eventtape.store.journal_files import Place, frame_bytes, frames_from, journal_batches
from eventtape.store.journal_tail import JournalTail
from eventtape.tape.batch import beat
from eventtape.tape.wire import encode
from store.test_journal import groups_of, same
from stream.small_program import FEEDS, small_batches


async def first_of(tail: JournalTail, count: int) -> list:
    """So many batches, for as long as they take."""
    out, stream = [], tail.batches({})
    async with asyncio.timeout(60.0):
        async for batch in stream:
            out.append(batch)
            if len(out) == count:
                break
    await stream.aclose()
    return out


def test_batches_of_now_and_later_come_once_each_over_segments(tmp_path):
    groups = groups_of(small_batches(60, 1, live=True))
    count = sum(map(len, groups))

    async def followed():
        with Journal(tmp_path, segment_bytes=2_000) as journal:
            journal.write_feeds(FEEDS)
            written = journal.append(groups[0])
            tail = JournalTail(tmp_path, poll_s=0.001)
            reading = asyncio.create_task(first_of(tail, count))
            for group in groups[1:]:
                await asyncio.sleep(0.002)
                written += journal.append(group)
            return written, await reading, tail

    written, read, tail = asyncio.run(followed())
    assert len(list(tmp_path.glob("*.log"))) > 3
    assert all(one.number == -1 for one in read)
    assert same([one._replace(number=k) for k, one in enumerate(read)], written)
    assert sum(one.batches for one in tail.health()) == count


def test_without_following_it_ends_where_the_journal_ends(tmp_path):
    async def whole():
        return [one async for one in JournalTail(tmp_path, follow=False).batches({})]

    with Journal(tmp_path, segment_bytes=2_000) as journal:
        journal.write_feeds(FEEDS)
        written = journal.append(small_batches(60, 9))
    assert same([one._replace(number=k) for k, one in enumerate(asyncio.run(whole()))], written)


def test_what_was_read_is_not_looked_at_again(tmp_path):
    """Damage before the place goes unnoticed, damage after it does not."""
    batches = small_batches(60, 2)
    groups = [batches[:2], batches[2:4], batches[4:6]]
    with Journal(tmp_path) as journal:
        for group in groups:
            journal.append(group)
    (segment,) = tmp_path.glob("*.log")
    frames = list(frames_from(tmp_path, Place()))
    assert [place.number for _, place in frames] == [2, 4, 6]
    whole = bytearray(segment.read_bytes())
    whole[40] ^= 1
    segment.write_bytes(whole)
    with pytest.raises(LakeError, match="offset 0: damaged"):
        list(frames_from(tmp_path, Place()))
    assert [place for _, place in frames_from(tmp_path, frames[0][1])] == [
        place for _, place in frames[1:]
    ]
    assert list(frames_from(tmp_path, frames[2][1])) == []


@pytest.mark.parametrize("look", [1, 2], ids=["before it is looked at", "after the last look"])
def test_a_frame_that_is_ended_while_it_is_looked_at_is_no_damage(tmp_path, monkeypatch, look):
    """The writer ends one frame and adds another right after the reader has asked for the size."""
    with Journal(tmp_path) as journal:
        journal.append([beat(5)])
    (segment,) = tmp_path.glob("*.log")
    later = [frame_bytes(n, [encode(beat(5 + n)._replace(number=n))]) for n in (1, 2)]
    with segment.open("ab") as file:
        file.write(later[0][:30])
    sizes, asked = os.fstat, []

    def grows(number):
        found = sizes(number)
        asked.append(found.st_size)
        if len(asked) == look:
            with segment.open("ab") as file:
                file.write(later[0][30:] + later[1])
        return found

    monkeypatch.setattr(os, "fstat", grows)
    assert [one.number for one in journal_batches(tmp_path)] == [[0, 1, 2], [0]][look - 1]
    monkeypatch.undo()
    assert len(asked) >= look
    assert [one.number for one in journal_batches(tmp_path)] == [0, 1, 2]


def test_a_folder_without_a_journal_is_refused(tmp_path):
    with pytest.raises(InputError, match="the journal of a run"):
        JournalTail(tmp_path)
