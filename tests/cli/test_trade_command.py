"""``eventtape trade`` as a user meets it: legs or a builder in; a page, JSON and tables out."""

from __future__ import annotations

import json

import polars as pl
import pytest
import typer
from typer.testing import CliRunner

from eventtape.cli import trade_command
from eventtape.cli.trade_input import event_of, expiry_ns, given_legs, moment, pairs, terms_of
from eventtape.clock import parse_ns
from eventtape.errors import InputError

app = typer.Typer(pretty_exceptions_enable=False)
app.command()(trade_command.trade)
LEGS = "-3 55000 P 2024-11-08, -3 72000 C 2024-11-08, +1 65000 P 2025-03-28, +1 75000 C 2025-03-28"
VOLS = "2024-11-08=.5523,2025-03-28=.5778"
EVENT = "2024-11-05T23:00Z=.08=election"
MARKET = ("--spot", 62000, "--vol", VOLS, "--at", "2024-10-05", "--event", EVENT, "--inverse")
QUICK = ("--paths", 64)


def run(folder, *arguments):
    """The command in this process; an error of ours is raised, as it would be said by ``main``."""
    asked = [*map(str, (*arguments, *QUICK)), "--out", str(folder / "out")]
    done = CliRunner().invoke(app, asked)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done


@pytest.fixture
def without_page(monkeypatch):
    """The page takes a second and is looked at in the first test."""
    monkeypatch.setattr(trade_command, "_save", lambda _result, page: page)


def test_the_trade_of_the_seed(tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")
    said = " ".join(run(tmp_path, "--legs", LEGS, *MARKET).stdout.split())
    for words in ("Near structures that one of the rest takes", "vega 3.03", "Scenarios",
                  "Gap at election", "Rule “stop”", "It suits a holder", "whole"):  # fmt: skip
        assert words in said
    told = json.loads((tmp_path / "out" / "trade.json").read_text(encoding="utf-8"))
    assert told["kind"] == "calendar"
    assert [leg["quantity"] for leg in told["legs"]] == [-3, -3, 1, 1]
    assert pl.read_parquet(tmp_path / "out" / "trade_legs.parquet").height == 4
    assert pl.read_parquet(tmp_path / "out" / "trade_scenarios.parquet")["pnl"].is_finite().all()
    page = (tmp_path / "out" / "trade.html").read_text(encoding="utf-8")
    assert "default-src 'none'" in page


def test_a_strangle_by_delta(tmp_path, without_page):
    asked = ("--strangle", "2024-11-08,2025-03-28", "--delta", ".21,.25", "--neutral", "vega")
    told = json.loads(run(tmp_path, *asked, "--strike-step", 1000, *MARKET, "--json").stdout)
    strikes = [leg["strike"] for leg in told["legs"]]
    assert strikes == [55e3, 72e3, 51e3, 88e3]
    assert abs(told["risks"]["vega"]) < 1e-12
    assert told["legs"][0]["quantity"] == pytest.approx(-2.45, abs=0.1)


def test_a_long_call_from_a_table(tmp_path, without_page):
    table = tmp_path / "terms.csv"
    table.write_text(
        "ts,label,expiry,iv,forward,index\n"
        "2024-10-04T00:00Z,BTC,2024-11-08,60.0,61500,61000\n"
        "2024-10-05T00:00Z,BTC,2024-11-08,55.23,62500,62000\n"
        "2024-10-05T00:00Z,BTC,2025-03-28,57.78,64000,62000\n",
        encoding="utf-8",
    )
    asked = ("--long-call", "8NOV24", "--delta", ".25", "--vol", table, "--inverse", "--json")
    told = json.loads(run(tmp_path, *asked).stdout)
    (leg,) = told["legs"]
    assert (leg["vol"], leg["forward"]) == pytest.approx((0.5523, 62500.0))
    assert told["at"] == "2024-10-05T00:00:00Z"
    assert told["spot"] == 62000.0
    assert told["whole"]["theta"] < 0.0 < min(told["whole"][g] for g in ("delta", "gamma", "vega"))
    before = terms_of(str(table), at_ns=parse_ns("2024-10-04T12:00Z"), label=None, inverse=True)
    assert before.vols == pytest.approx({parse_ns("2024-11-08T08:00Z"): 0.6})
    assert (before.spot, before.at_ns) == (61000.0, parse_ns("2024-10-04T00:00Z"))


def test_expiries_and_moments():
    assert expiry_ns("2024-11-08", inverse=True) == parse_ns("2024-11-08T08:00Z")
    assert expiry_ns("2024-11-08", inverse=False) == parse_ns("2024-11-08T21:00Z")
    assert expiry_ns("28mar25", inverse=True) == parse_ns("2025-03-28T08:00Z")
    assert expiry_ns("2024-11-08T10:00Z", inverse=True) == parse_ns("2024-11-08T10:00Z")
    assert moment("2024-10-05") == parse_ns("2024-10-05T00:00Z")
    assert event_of("2024-11-05T23:00Z=.08", 2)[1:] == (0.08, "event 2")
    assert pairs("8NOV24=.5", "vol", inverse=True) == {parse_ns("2024-11-08T08:00Z"): 0.5}
    (leg,) = given_legs("+.5 65000 p 28MAR25 @.6", inverse=True)
    assert leg[:3] == (0.5, 65000.0, False)
    assert leg.vol == 0.6


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (MARKET, "one of --legs, --strangle and --long-call"),
        (("--legs", LEGS, "--long-call", "2024-11-08", *MARKET), "one of --legs"),
        (("--legs", "3 apples", *MARKET), "row 1, column 'legs': met '3 apples'"),
        (("--legs", LEGS, "--spot", 62000, "--at", "2024-10-05"), "--vol EXPIRY=VOLATILITY"),
        (("--legs", LEGS, "--vol", VOLS, "--at", "2024-10-05"), "--spot and --at"),
        (("--legs", "+1 60000 C 2024-12-27", *MARKET), "an expiry that --vol has"),
        (("--legs", "+1 60000 C 2024-11-08 @55", *MARKET), "a decimal: .55 for 55%"),
        (("--strangle", "2024-11-08", *MARKET), "two expiries, NEAR,FAR"),
        (("--strangle", "2024-11-08,2025-03-28", "--neutral", "rho", *MARKET), "one of delta"),
        (("--strangle", "2024-11-08,2025-03-28", "--delta", "x", *MARKET), "a delta such as .25"),
        (("--long-call", "2024-11-08", "--delta", "25", *MARKET), ".25, not 25"),
        (("--legs", LEGS, *MARKET, "--event", "2024-11-06T00:00Z=8"), ".08 for 8%"),
        (("--legs", LEGS, *MARKET, "--event", "2024-11-06T00:00Z"), "TIME=SIZE"),
        (("--legs", LEGS, "--spot", 1, "--at", "2024-10-05", "--vol", "no.csv"), "no such file"),
        (("--legs", LEGS, "--spot", 1, "--at", "2024-10-05", "--vol", "8NOV24=x"), "a number"),
        (("--legs", LEGS, *MARKET, "--level", 95), "a level between 0 and 1"),
    ],
    ids=[
        "nothing", "two", "apples", "no vol", "no spot", "no expiry", "percent", "one expiry",
        "rho", "delta", "percent delta", "percent size", "no size", "no file", "no number", "level",
    ],
)  # fmt: skip
def test_bad_input_says_what_was_met_and_wanted(tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError) as raised:
        run(tmp_path, *arguments)
    assert words in str(raised.value)
