"""A text file is written whole or not at all."""

from __future__ import annotations

import os

import pytest

from eventtape.wholefile import write_whole


def test_written_and_replaced(tmp_path):
    path = write_whole(tmp_path / "new" / "a.txt", "one")
    assert path.read_text() == "one"
    write_whole(path, "two")
    assert [p.name for p in path.parent.iterdir()] == ["a.txt"]
    assert path.read_text() == "two"


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_disk_that_fills_leaves_what_was_there(tmp_path, monkeypatch, step):
    path = write_whole(tmp_path / "a.txt", "one")

    def full(*_args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, step, full)
    with pytest.raises(OSError, match="No space left"):
        write_whole(path, "two")
    assert path.read_text() == "one"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]
