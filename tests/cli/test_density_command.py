"""``eventtape density`` as a user meets it: quotes in; a page, JSON and tables out."""

from __future__ import annotations

import json
import subprocess
import sys

import polars as pl
import pytest
from typer.testing import CliRunner

from eventtape.cli import app, density_command
from eventtape.errors import InputError
from eventtape.simulate.option_frame import DAYS, option_frame
from eventtape.studies.densities_rows import DensitiesConfig
from eventtape.tape.chains import chains


def run(folder, *arguments):
    """The command in this process; an error of ours is raised, as it would be said by ``main``."""
    done = CliRunner().invoke(app, ["density", *map(str, arguments), "--out", str(folder / "out")])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    folder = tmp_path_factory.mktemp("density")
    return folder, run(folder, "--simulate", 1)


@pytest.fixture(scope="module")
def quotes():
    """The simulated quotes as a table of no vendor."""
    kept = ("ts", "expiry", "strike", "is_call", "bid", "ask", "bid_size", "ask_size")
    right = pl.when("is_call").then(pl.lit("C")).otherwise(pl.lit("P"))
    return (
        option_frame(1).frame.select(kept).with_columns(is_call=right).rename({"is_call": "type"})
    )


def test_the_terminal_has_a_row_an_expiry_and_says_simulated(simulated):
    said = " ".join(simulated[1].stdout.split())
    assert "SIMULATED" in said.split("The law that options give")[0]
    assert "Truth: Heston's model" in said
    assert "4 of 4 chains of SIM have a density" in said
    for date in ("2000-01-10", "2000-02-02", "2000-04-03", "2000-07-03"):
        assert f" {date} " in said
    assert "clean" in said
    assert "in the money" in said


def test_page_json_and_tables_are_written_and_agree(simulated):
    out = simulated[0] / "out"
    told = json.loads((out / "density.json").read_text(encoding="utf-8"))
    assert told["study"] == "density"
    assert told["simulated"] is True
    assert [round(chain["days"]) for chain in told["chains"]] == list(DAYS)
    rows = pl.read_parquet(out / "density_chains.parquet")
    grid = pl.read_parquet(out / "density_grid.parquet")
    assert rows["quantile_50"].to_list() == [c["quantiles"][1]["price"] for c in told["chains"]]
    assert rows["simulated"].all()
    assert grid["simulated"].all()
    one = grid.filter(expiry=rows["expiry"][2])
    assert one["pdf"].to_list() == told["chains"][2]["grid"]["pdf"]
    assert pl.read_parquet(out / "density_quotes.parquet").height == 480
    page = (out / "density.html").read_text(encoding="utf-8")
    assert "SIMULATED DATA" in page
    assert "default-src 'none'" in page


def test_json_alone_is_what_the_file_holds(tmp_path):
    asked = ("--simulate", 1, "--expiry", "2000-02-02", "--check", "--repair", "--level", 0.9)
    done = run(tmp_path, *asked, "--json")
    told = json.loads(done.stdout)
    assert told == json.loads((tmp_path / "out" / "density.json").read_text(encoding="utf-8"))
    (chain,) = told["chains"]
    assert chain["expiry"].startswith("2000-02-02")
    assert told["config"]["level"] == 0.9
    assert [check["name"] for check in chain["cross_checks"]] == [
        "two lognormals",
        "SVI",
        "Kou jump diffusion",
    ]
    assert chain["repair"]["changed"] is False
    assert "repaired_pdf" in chain["grid"]


def test_a_file_and_what_it_does_not_say(tmp_path, quotes):
    path = tmp_path / "quotes.parquet"
    quotes.write_parquet(path)
    with pytest.raises(InputError, match="an underlying") as caught:
        run(tmp_path, path)
    assert "On the command line: --underlying" in caught.value.__notes__
    told = json.loads(run(tmp_path, path, "--underlying", "SPX", "--european", "--json").stdout)
    assert told["simulated"] is False
    assert told["data"] == "as given (quotes.parquet)"
    assert {chain["status"] for chain in told["chains"]} == {"ok"}
    assert {chain["underlying"] for chain in told["chains"]} == {"SPX"}
    assert told["notes"] == ["quotes.parquet: 480 of 480 quotes kept (table)."]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "a file of option quotes"),
        (("--simulate", 1, "quotes.csv"), "either files of quotes or --simulate"),
        (("--simulate", -1), "a seed >= 0"),
        (("nothing.parquet",), "no such file"),
        (("--simulate", 1, "--expiry", "2000-01-11"), "an expiry among 2000-01-10"),
        (("--simulate", 1, "--underlying", "SPY"), "an underlying among SIM"),
        (("--simulate", 1, "--rate", 4), "0.05 is 5%"),
        (("--simulate", 1, "--at", "1999-01-01T00:00Z"), "at or after the first quote"),
        (("--simulate", 1, "--size-weight", "half"), "fitted, mid, microprice"),
        (("--simulate", 1, "--level", 95), "a level between 0 and 1"),
    ],
    ids=[
        "nothing",
        "both",
        "seed",
        "missing",
        "expiry",
        "underlying",
        "rate",
        "early",
        "weight",
        "level",
    ],
)
def test_what_cannot_be_used_is_said(tmp_path, arguments, words):
    with pytest.raises(InputError, match=words):
        run(tmp_path, *arguments)
    assert not (tmp_path / "out").exists()


def test_one_spot_is_not_for_two_underlyings(tmp_path):
    frame = option_frame(1).frame
    symbols = pl.col("symbol").str.replace("SIM", "OTHER")
    two = [frame, frame.with_columns(symbol=symbols, underlying=pl.lit("OTHER"))]
    asked = tuple(chain for one in two for chain in chains(one))
    with pytest.raises(InputError, match=r"one underlying for --spot .* --underlying"):
        density_command.one_underlying(DensitiesConfig(spot=100.0), asked)
    density_command.one_underlying(DensitiesConfig(rate=0.04), asked)


def test_an_out_that_is_a_file_is_refused_before_any_work(tmp_path):
    (tmp_path / "out").write_text("")
    with pytest.raises(InputError, match="a folder for --out"):
        run(tmp_path, "--simulate", 1)


def test_help_loads_nothing_heavy():
    code = (
        "import sys; from eventtape.cli import app\n"
        "heavy = {'numpy', 'polars', 'bokeh', 'numba', 'scipy'} & set(sys.modules)\n"
        "sys.exit(', '.join(sorted(heavy)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_dividends_are_dates_and_cash(tmp_path):
    asked = ("--dividend", "2000-01-20:0.5", "--dividend", "2000-02-01T12:00Z:1")
    done = run(tmp_path, "--simulate", 1, "--json", *asked)
    assert json.loads(done.stdout)["config"]["dividends"] == [
        {"ex_date": "2000-01-20T00:00:00Z", "cash": 0.5},
        {"ex_date": "2000-02-01T12:00:00Z", "cash": 1.0},
    ]
    for wrong in ("2000-01-20", "2000-01-20:much", "soon:1", "2000-01-20:-1"):
        with pytest.raises(InputError):
            run(tmp_path, "--simulate", 1, "--dividend", wrong)
