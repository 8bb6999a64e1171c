"""A writer killed, starved of disk or raced at any point leaves the old lake or the new, whole."""

import errno
import fcntl
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import polars as pl
import pytest

from eventtape.errors import LakeError
from eventtape.store import Lake, Write


def version(v: int) -> pl.DataFrame:
    return pl.DataFrame({"v": [v] * (10 + v)})


def python(script: str, *arguments: object) -> str:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


# Forks a child for each step k of an operation; the child kills itself just before the k-th call
# that changes the disk (which is just after the one before it). Where that call would sync a file,
# the file is torn in half first.
KILLER = """
    import json, os, shutil, signal, stat, sys
    import polars as pl
    from eventtape.store import Lake, Write
    base, work, what = sys.argv[1:]
    steps = ("replace", "fsync", "mkdir", "unlink", "rmdir")
    real = {name: getattr(os, name) for name in steps}

    def version(v):
        return pl.DataFrame({"v": [v] * (10 + v)})

    def act(lake):
        if what == "write":
            lake.write_all([
                Write("trade", version(2), {"day": "1"}),
                Write("trade", version(2), {"day": "3"}),
                Write("study", version(2), {}),
            ])
        elif what == "drop":
            lake.drop("trade")
        else:
            lake.vacuum()

    def child(root, k):
        count = 0
        def watched(name):
            def call(target, *args, **kwargs):
                nonlocal count
                count += 1
                if count == k:
                    if name == "fsync" and stat.S_ISREG(os.fstat(target).st_mode):
                        with open(f"/proc/self/fd/{target}", "r+b") as file:
                            file.truncate(os.fstat(target).st_size // 2)
                    os.kill(os.getpid(), signal.SIGKILL)
                return real[name](target, *args, **kwargs)
            return call
        for name in steps:
            setattr(os, name, watched(name))
        act(Lake(root))
        os._exit(0)

    killed = 0
    for k in range(1, 200):
        root = f"{work}/{k}"
        if base:
            shutil.copytree(base, root)
        pid = os.fork()
        if not pid:
            child(root, k)
        _, status = os.waitpid(pid, 0)
        if os.WIFEXITED(status):
            assert os.WEXITSTATUS(status) == 0, status
            break
        assert os.WTERMSIG(status) == signal.SIGKILL
        killed += 1
    print(json.dumps(killed))
"""


def state(lake: Lake) -> dict[tuple[str, str], int]:
    """The version each partition holds, read in full; every row must be of that version."""
    found = {}
    for name in lake.tables()["table"]:
        rows = lake.read(name)
        for day in rows["day"].unique() if "day" in rows.columns else [""]:
            part = rows.filter(pl.col("day") == day) if day else rows
            (v,) = part["v"].unique()
            assert part.height == 10 + v
            found[name, day] = v
    return found


OLD = {("trade", "1"): 1, ("trade", "2"): 1}
NEW = {("trade", "1"): 2, ("trade", "2"): 1, ("trade", "3"): 2, ("study", ""): 2}


@pytest.mark.parametrize(
    ("what", "fresh", "allowed"),
    [
        ("write", False, [OLD, NEW]),
        ("write", True, [{}, {k: v for k, v in NEW.items() if v == 2}]),
        ("drop", False, [OLD, {}]),
        ("vacuum", False, [OLD]),
    ],
)
def test_a_kill_at_any_step_leaves_old_or_new(tmp_path, what, fresh, allowed):
    base, work = tmp_path / "base", tmp_path / "work"
    work.mkdir()
    if not fresh:
        lake = Lake(base)
        for v in (0, 1):  # version 0 becomes an orphan for vacuum
            lake.write_all([Write("trade", version(v), {"day": d}) for d in "12"])
    killed = int(python(KILLER, "" if fresh else base, work, what))
    assert killed >= {"write": 15, "drop": 3, "vacuum": 2}[what]
    seen = []
    for k in range(1, killed + 1):
        lake = Lake(work / str(k))
        seen.append(state(lake))
        assert seen[-1] in allowed, k
        assert lake.verify() == ()
        lake.write("trade", version(7), partition={"day": "1"})  # the next write is fine
        assert state(lake) == seen[-1] | {("trade", "1"): 7}
        lake.vacuum()
        on_disk = {str(p) for p in lake.root.rglob("*") if p.is_file()}
        assert len([p for p in on_disk if p.endswith(".parquet")]) == len(state(lake))
        assert not [p for p in on_disk if p.endswith(".tmp")]
        assert lake.verify() == ()
    assert seen[0] == allowed[0]
    switches = sum(a != b for a, b in itertools.pairwise(seen))
    assert switches <= 1  # one commit point, never back


@pytest.mark.parametrize("call", ["fsync", "replace", "mkdir"])
def test_a_full_disk_at_any_step_leaves_the_old_lake_and_no_litter(tmp_path, monkeypatch, call):
    base = tmp_path / "base"
    Lake(base).write_all([Write("trade", version(1), {"day": d}) for d in "12"])
    real, outcomes, reached = getattr(os, call), [], True
    while reached:
        lake = Lake(tmp_path / f"{call}{len(outcomes)}")
        shutil.copytree(base, lake.root)
        before, left, reached = everything(lake), itertools.count(-len(outcomes)), False

        def starved(*args, _left=left, **kwargs):
            nonlocal reached
            if next(_left) == 0:
                reached = True
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return real(*args, **kwargs)

        with monkeypatch.context() as patch:
            patch.setattr(os, call, starved)
            outcomes.append(refusal(lambda lake=lake: write_all(lake, 2)))
        if "committed, but" in outcomes[-1] or not outcomes[-1]:
            assert state(lake) == NEW
        else:
            assert "No space left" in outcomes[-1]
            assert re.search("nothing changed|cannot be opened", outcomes[-1])
            assert everything(lake) == before
            assert state(lake) == OLD
            write_all(lake, 2)
            assert state(lake) == NEW
    assert sum(map(bool, outcomes)) >= 2
    assert not outcomes[-1]
    assert any("committed, but" in said for said in outcomes) == (call == "fsync")


def refusal(act) -> str:
    """What the LakeError said, or nothing where all went well."""
    try:
        act()
    except LakeError as error:
        return str(error)
    return ""


def test_a_device_that_is_full_leaves_the_old_lake_and_no_litter(tmp_path, monkeypatch):
    lake = Lake(tmp_path)
    lake.write_all([Write("trade", version(1), {"day": d}) for d in "12"])
    before, opened = everything(lake), Path.open
    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", lambda path, *_: opened(Path("/dev/full"), "wb"))
        said = refusal(lambda: write_all(lake, 2))
    assert "writing trade(day=1) failed, nothing changed: No space left" in said
    assert everything(lake) == before


def write_all(lake: Lake, v: int) -> None:
    lake.write_all(
        [
            Write("trade", version(v), {"day": "1"}),
            Write("trade", version(v), {"day": "3"}),
            Write("study", version(v), {}),
        ]
    )


def everything(lake: Lake) -> dict[str, bytes]:
    return {str(p): p.read_bytes() for p in lake.root.rglob("*") if p.is_file()}


def test_a_real_file_size_limit_is_a_lake_error(tmp_path):
    lake = Lake(tmp_path)
    lake.write("trade", version(1), partition={"day": "1"})
    before = everything(lake)
    said = python(
        """
        import resource, sys
        import polars as pl
        from eventtape.errors import LakeError
        from eventtape.store import Lake
        resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))
        frame = pl.DataFrame({"v": pl.int_range(100_000, eager=True).shuffle(1)})
        try:
            Lake(sys.argv[1]).write("trade", frame, partition={"day": "2"})
        except LakeError as error:
            print(error, "|", type(error.__cause__).__name__)
        """,
        tmp_path,
    )
    assert "writing trade(day=2) failed, nothing changed: File too large" in said
    assert "OSError" in said
    assert everything(lake) == before


def test_an_interrupt_just_after_the_commit_keeps_the_new_lake(tmp_path, monkeypatch):
    lake, real = Lake(tmp_path), os.replace
    lake.write("trade", version(1), partition={"day": "1"})

    def interrupted(source, target, **kwargs):
        real(source, target, **kwargs)
        if str(target).endswith("lake.json"):
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", interrupted)
        with pytest.raises(KeyboardInterrupt):
            lake.write("trade", version(2), partition={"day": "1"})
    assert state(lake) == {("trade", "1"): 2}
    assert lake.verify() == ()


def test_a_folder_that_cannot_be_written_is_a_lake_error(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(LakeError, match="cannot be opened"):
        Lake(tmp_path / "file").write("t", version(1), partition={})
    with pytest.raises(LakeError, match="cannot be opened"):
        Lake(tmp_path / "file" / "below").write("t", version(1), partition={})


def test_writers_side_by_side_lose_nothing(tmp_path):
    script = """
        import sys
        import polars as pl
        from eventtape.store import Lake
        root, me = sys.argv[1:]
        for k in range(6):
            lake = Lake(root)
            lake.write("trade", pl.DataFrame({"v": [k]}), partition={"day": f"{me}-{k}"})
            lake.write("shared", pl.DataFrame({"v": [k]}), partition={"day": str(k)})
            if k == 3:
                lake.vacuum()
    """
    running = [
        subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(script), str(tmp_path), str(me)],
            stderr=subprocess.PIPE,
            text=True,
        )
        for me in range(3)
    ]
    for process in running:
        _, said = process.communicate(timeout=100)
        assert process.returncode == 0, said
    lake = Lake(tmp_path)
    assert lake.partitions("trade").height == 18
    assert sorted(lake.read("trade")["v"]) == sorted([*range(6)] * 3)
    assert sorted(lake.read("shared")["v"]) == [*range(6)]
    assert lake.verify() == ()


def test_a_reader_during_writes_sees_one_version(tmp_path):
    lake = Lake(tmp_path)
    tables = ("a", "b")
    lake.write_all(Write(t, version(0), {"day": d}) for t in tables for d in "123")
    script = """
        import sys
        import polars as pl
        from eventtape.store import Lake, Write
        lake = Lake(sys.argv[1])
        for v in range(1, 16):
            frame = pl.DataFrame({"v": [v] * (10 + v)})
            lake.write_all(Write(t, frame, {"day": d}) for t in "ab" for d in "123")
            if v % 7 == 0:
                lake.vacuum()
    """
    seen = set()
    with subprocess.Popen([sys.executable, "-c", textwrap.dedent(script), str(tmp_path)]) as writer:
        while writer.poll() is None:
            rows = lake.read("a")
            (v,) = rows["v"].unique()
            assert rows.height == 3 * (10 + v)
            both = lake.sql("select distinct v from (from a union all from b)")
            seen |= {v, both.item()}
    assert writer.returncode == 0
    assert lake.read("b")["v"].unique().to_list() == [15]
    assert len(seen) > 3


@pytest.mark.parametrize(("lock", "call"), [("commit.lock", "write"), ("use.lock", "vacuum")])
def test_a_lock_held_by_another_is_an_error_after_the_timeout(tmp_path, lock, call):
    lake = Lake(tmp_path, lock_timeout_s=0.05)
    lake.write("t", version(1), partition={})
    with (tmp_path / lock).open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(LakeError, match=rf"{lock}: still locked .* after 0.05 s"):
            lake.vacuum() if call == "vacuum" else lake.write("t", version(2), partition={})
        if lock == "commit.lock":
            assert state(lake) == {("t", ""): 1}  # readers do not wait for a writer
    lake.write("t", version(2), partition={})
    assert lake.vacuum().files == 1


def test_a_killed_holder_of_the_locks_blocks_nobody(tmp_path):
    lake = Lake(tmp_path, lock_timeout_s=5)
    lake.write("t", version(1), partition={})
    script = """
        import fcntl, os, signal, sys
        held = [open(f"{sys.argv[1]}/{name}.lock") for name in ("use", "commit")]
        for file in held:
            fcntl.flock(file, fcntl.LOCK_EX)
        os.kill(os.getpid(), signal.SIGKILL)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), str(tmp_path)], check=False
    )
    assert done.returncode == -signal.SIGKILL
    lake.write("t", version(2), partition={})
    assert state(lake) == {("t", ""): 2}
    assert json.loads((tmp_path / "lake.json").read_text())["version"] == 1
