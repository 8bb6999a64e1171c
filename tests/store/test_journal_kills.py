"""Real writers that are killed, or meet a full disk: what they acknowledged is there, once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest

from eventtape.store.journal import Journal
from stream.small_program import small_batches

# Imports are dear and each kill needs a fresh writer: a parent that only imports forks one a line.
FORKS = """
    import os, resource, signal, sys
    from stream.small_program import small_batches
    from eventtape.errors import LakeError
    from eventtape.store.journal import Journal

    def write(folder, limit):
        if limit:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        with Journal(folder, segment_bytes=30_000) as journal:
            batches = small_batches(20, 6)
            while True:
                group = [batches[(journal.next_number + k) % len(batches)] for k in range(3)]
                try:
                    print(journal.append(group)[-1].number, flush=True)
                except LakeError as error:
                    print("full", journal.next_number, journal.disk_bytes, error, flush=True)
                    os._exit(0)

    for line in sys.stdin:
        folder, limit = line.split()
        child = os.fork()
        if child == 0:
            write(folder, int(limit))
        print("writer", child, flush=True)
        os.waitpid(child, 0)
        print("gone", flush=True)
"""


@pytest.fixture(scope="module")
def forks():
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(FORKS)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": "tests"},
    ) as process:
        yield process
        process.stdin.close()


def killed_writer(forks, folder, appends: int, wait_s: float) -> int:
    """The last number that the next writer acknowledged before it was killed in its stride."""
    print(folder, 0, file=forks.stdin, flush=True)
    writer, said = 0, []
    while len(said) < appends or not writer:
        word = forks.stdout.readline().split()
        if word[0] == "writer":
            writer = int(word[1])
        else:
            said.append(int(word[0]))
    time.sleep(wait_s)
    os.kill(writer, signal.SIGKILL)
    while (line := forks.stdout.readline().strip()) != "gone":
        said.append(int(line))
    return max(said)


def test_kill_after_kill_nothing_acknowledged_is_lost_or_doubled(tmp_path, forks):
    rng, batches, before = np.random.default_rng(8), small_batches(20, 6), -1
    for appends in rng.integers(1, 40, 4).tolist():
        acknowledged = killed_writer(forks, tmp_path, appends, rng.uniform(0.0, 0.02))
        assert acknowledged > before
        with Journal(tmp_path) as journal:
            found = list(journal.read())
        assert [one.number for one in found] == list(range(len(found)))
        assert len(found) > acknowledged
        assert len(found) % 3 == 0  # an append is whole or not there
        for one in found:
            assert one.rows.equals(batches[one.number % len(batches)].rows)
        before = acknowledged
    assert len(list(tmp_path.glob("*.log"))) > 1


def test_a_real_file_size_limit_leaves_the_journal_as_it_was(tmp_path, forks):
    print(tmp_path, 20_000, file=forks.stdin, flush=True)
    lines = []
    while (line := forks.stdout.readline().strip()) != "gone":
        lines.append(line)
    (full,) = [line for line in lines if line.startswith("full")]
    _, count, size, said = full.split(" ", 3)
    assert "nothing was added: File too large" in said
    with Journal(tmp_path) as journal:
        assert journal.torn is None
        assert journal.disk_bytes == int(size)
        assert [one.number for one in journal.read()] == list(range(int(count)))
