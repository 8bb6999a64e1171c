"""``eventtape states`` as a user meets it: options and a probability in; a page and tables out."""

from __future__ import annotations

import json

import polars as pl
import pytest
from typer.testing import CliRunner

from eventtape.cli import app
from eventtape.errors import InputError
from eventtape.simulate import states_frame as simulation
from eventtape.simulate.two_states import DAY
from eventtape.studies.states_rows import RUNGS

SPAN = DAY._replace(n_times=5, step_days=0.3 / 4)


def small(seed):
    return WHOLE(seed, span=SPAN, n_strikes=16)


WHOLE = simulation.states_frame


def run(folder, *arguments):
    """The command in this process; an error of ours is raised, as it would be said by ``main``."""
    done = CliRunner().invoke(app, ["states", *map(str, arguments), "--out", str(folder / "out")])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("states")
    made = small(1)
    made.frame.write_parquet(folder / "quotes.parquet")
    made.probability.write_csv(folder / "p.csv", datetime_format="%Y-%m-%dT%H:%M:%S%.9fZ")
    return folder, made


def test_simulated_says_so_and_shows_every_rung(tmp_path, monkeypatch):
    monkeypatch.setattr(simulation, "states_frame", small)
    monkeypatch.setenv("COLUMNS", "160")
    said = " ".join(run(tmp_path, "--simulate", 1, "--placebos", 0).stdout.split())
    assert "SIMULATED" in said.split("What the market would look like")[0]
    assert "Truth: log(m1/m0) = 0.08" in said
    for rung in RUNGS:
        assert f" {rung} " in said
    assert "the truth is +8.00%" in said
    assert "After the event" in said
    told = json.loads((tmp_path / "out" / "states.json").read_text(encoding="utf-8"))
    assert told["simulated"] is True
    rungs = pl.read_parquet(tmp_path / "out" / "states_rungs.parquet")
    assert rungs["simulated"].all()
    assert rungs["gap_lower"].to_list() == [r["gap"]["lower"] for r in told["rows"][0]["rungs"]]
    assert pl.read_parquet(tmp_path / "out" / "states_snapshots.parquet").height == 5
    page = (tmp_path / "out" / "states.html").read_text(encoding="utf-8")
    assert "SIMULATED DATA" in page
    assert "default-src 'none'" in page


def test_files_give_json_alone_and_the_page_by_its_name(files, tmp_path):
    folder, made = files
    price = f"{'yes' if made.happened else 'no'}:{made.price}:2024-11-05T22:00Z"
    asked = (folder / "quotes.parquet", "--probability", folder / "p.csv", "--placebos", 0)
    more = ("--event", "the vote", "--realised", price, "--json")
    arguments = ["states", *map(str, (*asked, *more)), "--out", str(tmp_path / "report.html")]
    done = CliRunner().invoke(app, arguments, catch_exceptions=False)
    told = json.loads(done.stdout)
    assert told == json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert (tmp_path / "report.html").is_file()
    assert told["simulated"] is False
    assert told["event"] == "the vote"
    assert told["data"] == "as given (quotes.parquet, p.csv)"
    (row,) = told["rows"]
    assert len(row["snapshots"]) == 5
    assert [s["p"] for s in row["snapshots"]] == pytest.approx(made.made.probability)
    assert row["realised"]["price"] == made.price
    assert len(row["scorecard"]) == 4
    assert row["truth"] is None


def test_a_range_has_bounds_alone(files, tmp_path):
    quotes = files[0] / "quotes.parquet"
    asked = ("--probability", ".4..0.6", "--at", "2024-11-05T14:00Z", "--json")
    told = json.loads(run(tmp_path, quotes, *asked).stdout)
    assert told["probability"] == {
        "label": "given, 0.4 to 0.6", "moves": False, "value": 0.5, "low": 0.4, "high": 0.6,
    }  # fmt: skip
    rungs = told["rows"][0]["rungs"]
    assert [r["status"] for r in rungs] == ["ok", *["not identified"] * 3]
    assert {r["reason"] for r in rungs[1:]} == {
        "a range of probabilities, which only the bounds can use"
    }
    assert len(told["rows"][0]["snapshots"]) == 2


def test_quotes_that_stand_unchanged_are_no_second_snapshot(files, tmp_path):
    quotes = files[0] / "quotes.parquet"
    asked = (quotes, "--probability", 0.5, "--every", "10m", "--json")
    told = json.loads(run(tmp_path, *asked).stdout)
    assert len(told["rows"][0]["snapshots"]) == 5


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "a file of option quotes"),
        (("quotes.parquet",), "--probability FILE, NUMBER or LOW..HIGH"),
        (("nothing.parquet", "--probability", 0.5), "no such file"),
        (("quotes.parquet", "--probability", "nothing.csv"), "a file of probabilities"),
        (("quotes.parquet", "--probability", 1.5), "a probability inside"),
        (("quotes.parquet", "--probability", 0.5, "--expiry", "2024-11-16"), "an expiry among"),
        (("quotes.parquet", "--probability", 0.5, "--underlying", "SPY"), "an underlying among"),
        (("quotes.parquet", "--probability", 0.5, "--every", "1s"), "at most 500 snapshots"),
        (
            ("quotes.parquet", "--probability", 0.5, "--at", "2024-11-05T00:00Z"),
            "at or after the first quote",
        ),
        (("--simulate", 1, "--probability", 0.5), "--simulate alone"),
        (("--simulate", -1), "a seed >= 0"),
        (("--simulate", 1, "--level", 95), "a level between 0 and 1"),
        (("--simulate", 1, "--drift", -1), "from 0 to under 1"),
        (("quotes.parquet", "--realised", "maybe:3:2024-11-06T00:00Z"), "yes|no:PRICE:TIME"),
    ],
    ids=[
        "nothing",
        "no probability",
        "no file",
        "no probabilities",
        "above one",
        "expiry",
        "underlying",
        "too many",
        "before",
        "both",
        "seed",
        "level",
        "drift",
        "realised",
    ],
)
def test_bad_inputs_say_what_was_met_and_wanted(files, tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(files[0])
    with pytest.raises(InputError) as caught:
        run(tmp_path, *arguments)
    assert words in str(caught.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("table", "asked", "found"),
    [
        ({"timestamp": ["1730808000", "1730811600"], "p": ["0.4", "0.5"]}, None, [0.4, 0.5]),
        (
            {"time": ["2024-11-05T12:00Z", "2024-11-05T12:00Z"], "price": ["0.4", "0.6"]},
            None,
            [0.6],
        ),
        (
            {
                "market": ["a", "b", "b"],
                "timestamp": ["1730808000", "1730808000", "1730811600"],
                "probability": ["0.1", "0.2", "0.3"],
            },
            "b",
            [0.2, 0.3],
        ),
    ],
    ids=["epoch", "last of a time", "markets"],
)
def test_probability_tables_of_several_kinds(tmp_path, table, asked, found):
    from eventtape.sources.probability_files import read_probability

    path = tmp_path / "p.csv"
    pl.DataFrame(table).write_csv(path)
    assert read_probability(path, symbol=asked)["probability"].to_list() == found


def test_probability_tables_that_cannot_be_used(tmp_path):
    from eventtape.sources.probability_files import read_probability

    path = tmp_path / "p.csv"
    path.write_text(
        "market,timestamp,probability\na,1730808000,0.1\nb,1730808000,0.2\n", encoding="utf-8"
    )
    with pytest.raises(InputError, match="one symbol among a, b"):
        read_probability(path)
    with pytest.raises(InputError, match="a symbol among a, b"):
        read_probability(path, symbol="c")
    path.write_text("when,p\n1730808000,0.1\n", encoding="utf-8")
    with pytest.raises(InputError, match="a column among ts, timestamp"):
        read_probability(path)
    path.write_text("ts,p\n1730808000,1.1\n", encoding="utf-8")
    with pytest.raises(InputError, match="<= 1"):
        read_probability(path)
