"""``eventtape premium`` as a user meets it: volatilities or quotes in; a page and tables out."""

from __future__ import annotations

import json

import polars as pl
import pytest
from typer.testing import CliRunner

from eventtape.cli import app
from eventtape.errors import InputError
from eventtape.simulate import premium_frame as simulation

WHOLE = simulation.simulated_premium
TERM = """date,label,expiry,iv
2024-10-05,BTC,2024-10-11,48.0
2024-10-05,BTC,2024-10-18,48.2
2024-10-05,BTC,2024-10-25,48.6
2024-10-05,BTC,2024-11-08,55.23
2024-10-05,BTC,2024-11-29,53.4
2024-10-05,BTC,2024-12-27,53.0
2024-10-05,BTC,2025-03-28,57.78
"""


def small(seed):
    return WHOLE(seed, before=26, after=2, quotes_before=5)


def run(folder, *arguments):
    """The command in this process; an error of ours is raised, as it would be said by ``main``."""
    done = CliRunner().invoke(app, ["premium", *map(str, arguments), "--out", str(folder / "out")])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("premium")
    made = small(1)
    (folder / "term.csv").write_text(TERM, encoding="utf-8")
    made.terms.filter(pl.col("ts") >= made.terms["ts"].unique().sort()[20]).write_parquet(
        folder / "history.parquet"
    )
    soon = made.quotes["expiry"].unique().sort()[2:6]
    made.quotes.filter(pl.col("expiry").is_in(soon.implode())).write_parquet(
        folder / "quotes.parquet"
    )
    made.odds.write_csv(folder / "odds.csv", datetime_format="%Y-%m-%dT%H:%M:%S%.9fZ")
    (folder / "events.csv").write_text(
        "kind,name,local_time,zone,note\nvote,A vote,2001-02-06T18:00,America/New_York,\n",
        encoding="utf-8",
    )
    (folder / "cuts.csv").write_text("quarter,cuts\n2025Q1,1.7\n2024Q4,0.9\n", encoding="utf-8")
    return folder


def test_simulated_says_so_and_shows_the_truth(tmp_path, monkeypatch):
    monkeypatch.setattr(simulation, "simulated_premium", small)
    monkeypatch.setenv("COLUMNS", "200")
    said = " ".join(run(tmp_path, "--simulate", 1).stdout.split())
    assert "SIMULATED" in said.split("What dated events are worth")[0]
    assert "Truth: a vote of size 8.0% at first" in said
    assert "(simulated)" in said
    assert "options pay for a move of" in said
    assert "the named ways beside the fit" in said
    told = json.loads((tmp_path / "out" / "premium.json").read_text(encoding="utf-8"))
    assert told["simulated"] is True
    assert told["config"]["history"] is True
    history = pl.read_parquet(tmp_path / "out" / "premium_history.parquet")
    assert history.height == 28
    assert history["simulated"].all()
    page = (tmp_path / "out" / "premium.html").read_text(encoding="utf-8")
    assert "SIMULATED DATA" in page
    assert "default-src 'none'" in page


@pytest.mark.usefixtures("no_page")
def test_a_table_in_percent_gives_json_alone_and_the_page_by_its_name(files, tmp_path):
    more = ("--kinds", "election, FOMC", "--size", 0.08, "--whole-days", "--cuts")
    asked = ["premium", files / "term.csv", *more, files / "cuts.csv", "--json"]
    arguments = [*map(str, asked), "--out", str(tmp_path / "report.html")]
    done = CliRunner().invoke(app, arguments, catch_exceptions=False)
    told = json.loads(done.stdout)
    assert told == json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert (tmp_path / "report.html").is_file()
    assert told["data"] == "as given (term.csv)"
    assert "volatilities in percent" in told["notes"][0]
    (row,) = told["rows"]
    assert row["event"] == {
        "kind": "election", "name": "US presidential election", "at": "2024-11-05T23:00:00Z",
    }  # fmt: skip
    table = row["strips"][0]
    assert table["name"] == "given"
    assert table["days"][3] == 34.0
    assert 1e4 * table["stripped_variance"][3] == pytest.approx(220.142, abs=5e-4)
    assert row["far"]["cuts"].count(1.7) == 1
    assert row["history"] is None


@pytest.mark.usefixtures("no_page")
def test_snapshots_with_odds_and_events_of_ones_own(files, tmp_path):
    given = ("history.parquet", "--events", "events.csv", "--kinds", "vote", "--odds", "odds.csv")
    asked = [files / one if one.endswith(("et", "sv")) else one for one in given]
    told = json.loads(run(tmp_path, *asked, "--history", "--json").stdout)
    (row,) = told["rows"]
    assert row["at"] == "2001-02-06T12:00:00Z"
    assert row["event"]["name"] == "A vote"
    assert len(row["history"]["rows"]) == 8
    assert row["odds"]["status"] == "too few observations"
    assert "of 20 needed" in row["odds"]["reason"]
    assert told["data"] == "as given (history.parquet, events.csv, odds.csv)"


@pytest.mark.usefixtures("no_page")
def test_quotes_are_fitted_first(files, tmp_path):
    asked = (files / "quotes.parquet", "--events", files / "events.csv", "--label", "simulated")
    known = pl.read_parquet(files / "quotes.parquet")["underlying"][0]
    told = json.loads(run(tmp_path, *asked[:3], "--label", known.lower(), "--json").stdout)
    (row,) = told["rows"]
    assert row["label"] == known
    assert len(row["terms"]) == 4
    assert "quotes kept" in told["notes"][0]
    assert all(0.3 < one["iv"] < 0.9 for one in row["terms"])
    assert row["event"]["kind"] == "vote"


@pytest.fixture
def no_page(monkeypatch):
    """A page in one line, where the page is not what is looked at: drawing takes a second."""

    def write(_result, path, *, command):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(command, encoding="utf-8")
        return path

    monkeypatch.setattr("eventtape.report.premium_page.write_premium", write)


def rewritten(files, tmp_path, *swaps):
    text = TERM
    for old, new in swaps:
        assert old in text
        text = text.replace(old, new)
    path = tmp_path / "bad.csv"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("swaps", "words"),
    [
        (
            (("2024-10-18,48.2", "2024-10-11,48.2"),),
            ("row 2", "second row of an expiry", "one row"),
        ),
        ((("55.23", ".5523"),), ("row 4, column 'iv'", "percent as most of the column", "")),
        ((("48.2", "none"),), ("row 2, column 'iv'", "", "")),
        ((("48.2", "-48.2"),), ("row 2, column 'iv'", "above 0", "")),
        ((("2024-10-18,", "someday,"),), ("row 2, column 'expiry'", "an expiry such as", "")),
        ((("date,", "day,"),), ("column 'ts'", "a time of the table", "")),
    ],
    ids=["twice", "mixed", "no number", "negative", "no expiry", "no time"],
)
def test_a_bad_table_names_file_row_and_column(files, tmp_path, swaps, words):
    path = rewritten(files, tmp_path, *swaps)
    with pytest.raises(InputError) as caught:
        run(tmp_path, path)
    said = str(caught.value)
    assert "bad.csv" in said
    assert words[0] in said
    assert words[1] in said or (words[2] and words[2] in said)
    if "ts" in words[0]:
        assert caught.value.__notes__ == ["On the command line: --at"]


@pytest.mark.usefixtures("no_page")
def test_the_page_is_served_where_asked(files, tmp_path, monkeypatch):
    met = []
    monkeypatch.setattr(
        "eventtape.cli.page_serve.serve_until_stopped",
        lambda page, *, port: met.append((page, port)),
    )
    run(tmp_path, files / "term.csv", "--serve", "--port", 8123)
    assert met == [(tmp_path / "out" / "premium.html", 8123)]


@pytest.mark.usefixtures("no_page")
def test_rows_out_of_order_are_put_in_order_and_said(files, tmp_path):
    lines = TERM.splitlines()
    path = tmp_path / "order.csv"
    path.write_text("\n".join([lines[0], *reversed(lines[1:])]) + "\n", encoding="utf-8")
    one, two = (
        json.loads(run(tmp_path, file, "--kinds", "election", "--json").stdout)
        for file in (files / "term.csv", path)
    )
    assert "put in order" in two["notes"][0]
    assert one["rows"] == two["rows"]


@pytest.mark.usefixtures("no_page")
def test_one_expiry_and_an_event_past_the_last_are_answers(tmp_path):
    lines = TERM.splitlines()
    path = tmp_path / "one.csv"
    path.write_text("\n".join([lines[0], lines[4]]) + "\n", encoding="utf-8")
    (row,) = json.loads(run(tmp_path, path, "--kinds", "election", "--json").stdout)["rows"]
    assert row["status"] == "too few observations"
    path.write_text("\n".join(lines[:4]) + "\n", encoding="utf-8")
    (row,) = json.loads(run(tmp_path, path, "--kinds", "election", "--json").stdout)["rows"]
    assert row["status"] == "not identified"
    assert "after the last expiry" in row["reason"]
    assert (tmp_path / "out" / "premium.html").is_file()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "a file of volatilities or option quotes"),
        (("nothing.csv",), "no such file"),
        (("term.csv", "--label", "SPY"), "a label among BTC"),
        (("quotes.parquet", "--label", "SPY"), "a label among"),
        (("term.csv", "--kinds", "vote"), "a kind among"),
        (("term.csv", "--at", "2024-10-04T00:00Z"), "a time at or after the first volatility"),
        (("quotes.parquet", "--at", "2000-10-04T00:00Z"), "a time at or after the first quote"),
        (("term.csv", "--at", "2024-10-06"), "a time zone"),
        (("term.csv", "--size", 8), "a decimal: .08 for 8%"),
        (("term.csv", "--level", 95), "a level between 0 and 1"),
        (("term.csv", "--unit", "points"), "a unit 'percent' or 'decimal'"),
        (("term.csv", "--odds", "nothing.csv"), "a file of probabilities"),
        (("term.csv", "--cuts", "term.csv"), "quarter"),
        (("term.csv", "--events", "term.csv"), "one column 'kind'"),
        (("--simulate", 1, "--odds", "odds.csv"), "--simulate alone"),
        (("--simulate", -1), "a seed >= 0"),
    ],
    ids=[
        "nothing", "no file", "label", "underlying", "kind", "before", "before quotes", "zone",
        "percent", "level", "unit", "odds", "cuts", "events", "both", "seed",
    ],
)  # fmt: skip
def test_bad_inputs_say_what_was_met_and_wanted(files, tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(files)
    with pytest.raises(InputError) as caught:
        run(tmp_path, *arguments)
    assert words in str(caught.value)
    assert not (tmp_path / "out").exists()
