"""Snapshots on disk: the newest whole one of the right program, or the one before."""

from __future__ import annotations

import errno
import os

import pytest

from eventtape.errors import InputError, LakeError
from eventtape.store.snapshots import Snapshots

MINE, OTHER = "a" * 32, "b" * 32


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_the_newest_few_are_kept_and_the_newest_is_given(tmp_path):
    held = Snapshots(tmp_path / "snapshots", keep=2)
    assert held.latest(MINE) is None
    for number in (3, 10, 200):
        held.save(number, MINE, b"states after %d" % number)
    assert names(held.folder) == [f"{MINE}-000000000010.snapshot", f"{MINE}-000000000200.snapshot"]
    assert held.latest(MINE) == (200, b"states after 200")
    held.save(200, MINE, b"again")
    assert Snapshots(held.folder).latest(MINE) == (200, b"again")
    assert held.passed_over == ()


def test_another_programs_snapshot_is_not_given(tmp_path):
    held = Snapshots(tmp_path)
    held.save(1, MINE, b"mine")
    held.save(2, OTHER, b"other")
    assert held.latest(MINE) == (1, b"mine")
    assert held.latest("c" * 32) is None


def test_another_programs_snapshots_do_not_push_out_mine(tmp_path):
    """A run gone on with under other options begins at low numbers, beside old high ones."""
    held = Snapshots(tmp_path, keep=2)
    for number in (900, 1_000, 1_100):
        held.save(number, OTHER, b"before")
    for number in (5, 10):
        held.save(number, MINE, b"after")
    assert held.latest(MINE) == (10, b"after")
    assert held.latest(OTHER) == (1_100, b"before")


def test_any_damage_is_passed_over_for_the_one_before_and_said(tmp_path):
    held = Snapshots(tmp_path)
    held.save(1, MINE, b"old")
    held.save(2, MINE, b"new states")
    newest = tmp_path / f"{MINE}-000000000002.snapshot"
    whole = newest.read_bytes()
    for at in range(len(whole)):
        hurt = bytearray(whole)
        hurt[at] ^= 1 << (at % 8)
        for bad in (bytes(hurt), whole[:at]):
            newest.write_bytes(bad)
            assert held.latest(MINE) == (1, b"old")
            assert held.passed_over == (
                f"{MINE}-000000000002.snapshot is damaged and was passed over",
            )
    newest.unlink()
    newest.mkdir()
    assert held.latest(MINE) == (1, b"old")
    assert "cannot be read and was passed over" in held.passed_over[0]


@pytest.mark.parametrize("call", ["fsync", "replace", "mkdir"])
def test_a_full_disk_leaves_the_one_before(tmp_path, monkeypatch, call):
    held = Snapshots(tmp_path / "snapshots")
    if call != "mkdir":
        held.save(1, MINE, b"old")

    def full(*_args, **_kwargs):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, call, full)
        with pytest.raises(LakeError, match="snapshot was not written: No space left"):
            held.save(2, MINE, b"new")
    assert held.latest(MINE) == (None if call == "mkdir" else (1, b"old"))
    held.save(3, MINE, b"newer")
    assert held.latest(MINE) == (3, b"newer")
    assert not list(held.folder.glob("*.tmp"))


def test_what_cannot_be_a_snapshot_is_refused_at_the_door(tmp_path):
    with pytest.raises(InputError, match="at least 1 snapshot"):
        Snapshots(tmp_path, keep=0)
    with pytest.raises(InputError, match="a number >= 0 and a fingerprint"):
        Snapshots(tmp_path).save(-1, MINE, b"")
    with pytest.raises(InputError, match="a fingerprint of 32 digits"):
        Snapshots(tmp_path).save(1, "short", b"")
