"""The program as a user meets it, in its own process or here: standard output and exit codes."""

from __future__ import annotations

import inspect
import json
import math
import os
import subprocess
import sys
from dataclasses import fields

import pytest

import eventtape
from cli.program_here import program
from eventtape.cli import wiring
from eventtape.cli.diffusion_command import diffusion
from eventtape.studies import Config
from sources.loopback_server import Loopback
from sources.world import END, START, furnish

NIGHT = ("diffusion", "--simulate", 5, "--placebo-runs", 2)
PROGRAM = [sys.executable, "-c", "from eventtape.cli import main; main()"]


def process(*arguments, cwd, **env):
    """Run eventtape in a process of its own; as ``program`` otherwise."""
    return subprocess.run(
        [*PROGRAM, *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    where = tmp_path_factory.mktemp("simulated")
    return where, process(*NIGHT, "--json", cwd=where)


def no_nan(value):
    if isinstance(value, dict):
        return all(no_nan(v) for v in value.values())
    if isinstance(value, list):
        return all(no_nan(v) for v in value)
    return not (isinstance(value, float) and not math.isfinite(value))


def test_json_is_one_object_and_nothing_else(simulated):
    where, done = simulated
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said == json.loads((where / "out" / "result.json").read_text())
    assert no_nan(said)
    assert said["simulated"] is True
    assert (where / "out" / "report.html").stat().st_size > 100_000


@pytest.mark.parametrize(
    ("key", "columns"),
    [
        ("gaps", "market horizon_s gap lower upper status"),
        ("lead_lag", "leader follower lag_s ratio lower upper status"),
        ("responses", "market lag_s cumulative lower upper status"),
        ("scorecard", "market predicted lower upper realised"),
        ("findings", "text status"),
        ("inputs", "source rows first last"),
    ],
)
def test_the_contract_has_its_columns(simulated, key, columns):
    rows = json.loads(simulated[1].stdout)[key]
    assert rows
    assert all(set(columns.split()) <= set(row) for row in rows)


def test_a_number_and_its_status_agree(simulated):
    said = json.loads(simulated[1].stdout)
    for row in said["gaps"] + said["scorecard"]:
        number = row.get("gap", row.get("predicted"))
        assert (row["status"] == "ok") == (number is not None)
    for row in said["lead_lag"]:
        assert (row["leader"] is None) == (row["lag_s"] is None)
        assert row["leader"] is None or row["lag_s"] > row["resolution_s"]


def test_same_seed_same_bytes(simulated, tmp_path):
    """In two processes: one of its own, and this one."""
    again = program(*NIGHT, "--json", cwd=tmp_path)
    assert again.stdout == simulated[1].stdout


def test_results_are_in_the_lake(simulated):
    where, _ = simulated
    query = "select market, gap from diffusion_gaps where horizon_s = 1800 order by market"
    done = program("lake", "sql", query, "--json", cwd=where)
    rows = {row["market"]: row["gap"] for row in json.loads(done.stdout)}
    said = json.loads(simulated[1].stdout)["gaps"]
    assert rows == {row["market"]: row["gap"] for row in said if row["horizon_s"] == 1800.0}
    listed = program("lake", "ls", "--json", cwd=where)
    tables = {row["table"] for row in json.loads(listed.stdout)}
    assert {"diffusion_scorecard", "diffusion_leadership_edges"} <= tables
    shown = program("lake", "show", "diffusion_findings", "-n", 2, "--json", cwd=where)
    assert len(json.loads(shown.stdout)) == 2


def test_a_query_cannot_write(simulated):
    where, _ = simulated
    done = program("lake", "sql", "drop table diffusion_gaps", cwd=where)
    assert done.returncode == 1
    assert "eventtape:" in done.stderr
    assert program("lake", "show", "diffusion_gaps", cwd=where).returncode == 0


def test_terminal_summary_says_simulated_first(tmp_path):
    done = program(*NIGHT, cwd=tmp_path)
    assert done.returncode == 0
    assert "SIMULATED" in "".join(done.stdout.splitlines()[:3])
    assert "report.html" in done.stdout
    assert "Who moved first" in done.stdout
    assert "named a leader in 0 of 2 runs on shuffled feeds" in " ".join(done.stdout.split())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--event", "no-such-event"), "wanted one of us-election-2024"),
        (("--data", "no-such-folder"), "no such folder"),
        (("--data", ".", "--simulate", "1"), "either --data or --simulate"),
        (("--simulate", "1", "--headline-s", "77"), "whole steps"),
        (("--simulate", "1", "--step-s", "0"), "step_s above 0"),
        (("--simulate", "1", "--n-draws", "10"), "more draws"),
        (("--simulate", "1", "--lag-step-s", "0.0001"), "lag steps"),
        (("--simulate", "1", "--lead-s", "inf"), "a finite lead_s"),
        (("--simulate", "-1"), "a seed"),
        (("--simulate", "1", "--controls", "gold"), "controls among"),
        (("--simulate", "1", "--score-from", "2024-11-06"), "a time zone"),
        (("--simulate", "1", "--score-from", "2030-01-01T00:00Z"), "inside the event's window"),
        (("--simulate", "1", "--level", "95"), "between 0 and 1"),
        (("--simulate", "1", "--placebo-runs", "-1"), "placebo_runs >= 0"),
        (("--simulate", "1", "--rolling-s", "0"), "rolling_s above 0"),
        (("--simulate", "1", "--leadership-steps-s", "0"), "leadership steps"),
    ],
)
def test_what_cannot_be_used_is_said_and_nothing_is_written(tmp_path, arguments, words):
    done = program("diffusion", *arguments, "--json", cwd=tmp_path)
    assert done.returncode == 2
    assert words in done.stderr
    assert done.stdout == ""
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_made_is_said(tmp_path):
    (tmp_path / "file").write_text("in the way")
    done = program(*NIGHT, "--out", "file/out", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("eventtape: ")
    assert "Traceback" not in done.stderr


def test_a_broken_file_is_named(tmp_path):
    data = tmp_path / "data" / "polymarket"
    data.mkdir(parents=True)
    (data / "winner_trump_1m.json").write_text('{"history": [{"t": 1730844000, "p": 1.3}]}')
    run = {"cwd": tmp_path, "EVENTTAPE_DATA": str(tmp_path / "data")}
    done, here = process("diffusion", **run), program("diffusion", **run)
    assert done.returncode == here.returncode == 2
    assert "winner_trump_1m.json, row 1, column 'p" in done.stderr
    assert "1.3" in done.stderr
    assert done.stderr == here.stderr
    assert done.stdout == here.stdout == ""


def test_flags_are_the_config():
    """Every field of Config is a flag of the same name and default."""
    flags = inspect.signature(diffusion).parameters
    for field in fields(Config):
        name = {"score_from_ns": "score_from"}.get(field.name, field.name)
        default = flags[name].default
        assert (default or None) == (field.default or None) or default is None


def test_fetch_then_study_without_a_data_folder(tmp_path, monkeypatch):
    loopback = furnish(Loopback())
    base = {f"EVENTTAPE_{name}_URL": loopback.base for name in ("POLYMARKET", "KALSHI", "BINANCE")}
    try:
        done = program(
            "fetch", "election-2024", "--start", START, "--end", END, cwd=tmp_path, **base
        )
    finally:
        loopback.close()
    assert done.returncode == 0, done.stderr
    assert "Polymarket: 24 rows" in done.stdout
    from eventtape.store import Lake, read_tape

    tape = read_tape(Lake(tmp_path / "lake"), "election-2024")
    assert {"Polymarket", "Kalshi", "BTC", "Kalshi trades"} <= {f.label for f in tape.feeds}
    assert tape.feed("Kalshi").stamp_uncertainty_ns == 60 * 10**9
    monkeypatch.setattr(wiring, "data_folder", lambda _given: None)
    again = wiring.tape_of(
        eventtape.EVENTS["us-election-2024"], data=None, lake=Lake(tmp_path / "lake")
    )
    assert again is not None
    assert again.feed("BTC").frame.equals(tape.feed("BTC").frame)


def test_a_service_that_is_down_leaves_the_others(tmp_path):
    loopback = furnish(Loopback())
    nobody = "http://127.0.0.1:9"  # the discard port: nothing listens there
    base = {
        "EVENTTAPE_POLYMARKET_URL": nobody,
        "EVENTTAPE_KALSHI_URL": loopback.base,
        "EVENTTAPE_BINANCE_URL": loopback.base,
    }
    try:
        done = program(
            *("fetch", "election-2024", "--start", START, "--end", END, "--attempts", 1),
            cwd=tmp_path,
            **base,
        )
    finally:
        loopback.close()
    assert done.returncode == 1
    assert "Polymarket: failed" in done.stderr
    assert "BTC: 240 rows" in done.stdout


def test_the_demo_falls_back_to_a_simulated_night(tmp_path, monkeypatch, capsys):
    """No data, and no service that answers: the night is simulated, and every output says so."""
    from eventtape.cli import diffusion_command
    from eventtape.errors import FetchError

    monkeypatch.setattr(wiring, "data_folder", lambda _given: None)
    down = [("Polymarket", FetchError("no route"))]
    monkeypatch.setattr(wiring, "fetch_into", lambda *_a, **_k: ([], down))
    diffusion_command.demo(None, tmp_path / "out", tmp_path / "lake")
    said = capsys.readouterr()
    assert "SIMULATED" in said.out
    assert "could not be fetched" in said.err
    assert json.loads((tmp_path / "out" / "result.json").read_text())["simulated"] is True
    assert "SIMULATED" in (tmp_path / "out" / "report.html").read_text()


def test_data_folder_order(tmp_path, monkeypatch):
    named, given = tmp_path / "named", tmp_path / "given"
    named.mkdir()
    given.mkdir()
    monkeypatch.setenv("EVENTTAPE_DATA", str(named))
    assert wiring.data_folder(given) == given
    assert wiring.data_folder(None) == named
    monkeypatch.setenv("EVENTTAPE_DATA", str(tmp_path / "absent"))
    with pytest.raises(eventtape.InputError, match="EVENTTAPE_DATA"):
        wiring.data_folder(None)


def test_help_and_version_import_nothing_heavy():
    code = "import sys, eventtape.cli; print([m for m in ('numpy', 'polars') if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_the_public_face_is_whole():
    for name in eventtape.__all__:
        assert getattr(eventtape, name) is not None
    assert dir(eventtape) == sorted(eventtape.__all__)
    with pytest.raises(AttributeError, match="no_such"):
        eventtape.no_such  # noqa: B018
