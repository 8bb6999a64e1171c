"""``eventtape density``: the law that a chain of options, or a surface, gives the price."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from eventtape.cli import wiring
from eventtape.cli.option_input import cased, check_folder, of_expiry, read_options
from eventtape.errors import InputError

if TYPE_CHECKING:
    from eventtape.estimators.pricing.terminal_law import TerminalLaw
    from eventtape.studies.densities_rows import DensitiesConfig, DensitiesResult
    from eventtape.tape.chains import Chain


class _Asked(NamedTuple):
    """The chains of one run, and what is known of them beforehand."""

    chains: tuple[Chain, ...]
    truths: dict[int, TerminalLaw]
    simulated: bool
    sources: tuple[str, ...]
    notes: tuple[str, ...]


def density(
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="FILE…", help="Option quotes of any vendor the house reads."),
    ] = None,
    underlying: Annotated[
        str | None, typer.Option(help="Only this one; states it where the file does not.")
    ] = None,
    expiry: Annotated[
        str | None,
        typer.Option(help="Only this date or moment; states it where the file does not."),
    ] = None,
    at: Annotated[
        str | None,
        typer.Option(help="As of this moment (else the last); states it where the file does not."),
    ] = None,
    rate: Annotated[
        float | None, typer.Option(help="Per year, continuous (0.04); else parity says.")
    ] = None,
    spot: Annotated[
        float | None, typer.Option(help="Price of the underlying; else the file's, else parity's.")
    ] = None,
    dividend_yield: Annotated[
        float | None, typer.Option(help="Per year, continuous; else from spot and forward.")
    ] = None,
    dividend: Annotated[
        list[str] | None,
        typer.Option(
            metavar="DATE:AMOUNT", help="Ex-date and cash a share; may be given several times."
        ),
    ] = None,
    american: Annotated[
        bool | None,
        typer.Option(
            "--american/--european", help="How the options are exercised, if not as filed."
        ),
    ] = None,
    size_weight: Annotated[
        str, typer.Option(help="Value of a quote: fitted, mid or microprice.")
    ] = "fitted",
    max_age: Annotated[
        str | None, typer.Option(help="Leave out quotes older than this, such as 5m.")
    ] = None,
    level: Annotated[float, typer.Option(help="Level of every band.")] = 0.95,
    check: Annotated[
        bool, typer.Option("--check", help="Fit two lognormals, SVI and Kou's law beside.")
    ] = False,
    repair: Annotated[
        bool, typer.Option("--repair", help="Take arbitrage out, beside the density as fitted.")
    ] = False,
    simulate: Annotated[
        int | None, typer.Option(help="Study simulated quotes of this seed, truth beside.")
    ] = None,
    out: Annotated[
        Path, typer.Option(help="Where density.html, .json and the .parquet tables go.")
    ] = Path("out"),
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
) -> None:
    """Forward, smile and density of each expiry with errors, tails and arbitrage; or why none."""
    from eventtape.clock import SECOND, duration_ns
    from eventtape.studies.densities import run
    from eventtape.studies.densities_rows import DensitiesConfig

    check_folder(out)
    config = DensitiesConfig(
        rate=rate,
        spot=spot,
        dividend_yield=dividend_yield,
        dividends=tuple(_dividend(each) for each in dividend or []),
        exercise="as given" if american is None else "american" if american else "european",
        size_weight=size_weight,  # type: ignore[arg-type] # the config says which there are
        level=level,
        checks=check,
        repair=repair,
    )
    age_s = float("inf") if max_age is None else duration_ns(max_age) / SECOND
    with wiring.progress_bar(quiet=as_json) as bar:
        tell = wiring.one_line(bar, "density")
        tell("reading", 0, None)
        asked = _asked(files or [], simulate, underlying, expiry, at, american, age_s)
        one_underlying(config, asked.chains)
        result = run(
            asked.chains,
            config,
            truths=asked.truths,
            simulated=asked.simulated,
            sources=asked.sources,
            notes=asked.notes,
            progress=tell,
        )
    report = _save(result, out)
    if as_json:
        from eventtape.studies.densities_contract import contract

        print(json.dumps(contract(result), allow_nan=False))
    else:
        from eventtape.cli.density_screen import show_densities

        show_densities(result, report)


def _dividend(text: str) -> tuple[int, float]:
    """Ex-date in ns, its midnight UTC unless a time is given, and cash a share."""
    from eventtape.clock import parse_ns

    day, _, cash = text.rpartition(":")
    try:
        return parse_ns(day if "T" in day else f"{day}T00:00Z"), float(cash)
    except ValueError:
        wanted = "--dividend DATE:AMOUNT, such as 2023-09-15:1.58"
        raise InputError(wanted, met=text) from None


def _asked(
    files: list[Path],
    simulate: int | None,
    underlying: str | None,
    expiry: str | None,
    at: str | None,
    american: bool | None,
    age_s: float,
) -> _Asked:
    """The files' chains, or simulated ones that come with their truth."""
    import polars as pl

    from eventtape.tape.chains import chains

    truths: dict[int, TerminalLaw] = {}
    notes: list[str] = []
    if simulate is not None:
        if files:
            raise InputError("either files of quotes or --simulate", met="both")
        if simulate < 0:
            raise InputError("a seed >= 0", met=simulate)
        from eventtape.simulate.option_frame import option_frame

        made = option_frame(simulate)
        frame, truths = made.frame, made.truths
        notes.append(f"Truth: {made.truth}")
        sources: tuple[str, ...] = (f"seed {simulate}",)
    else:
        if not files:
            error = InputError("a file of option quotes", met="none")
            error.add_note("Or study simulated ones: eventtape density --simulate 1")
            raise error
        stated = {"underlying": underlying, "expiry": expiry, "at": at}
        if american is not None:
            stated["style"] = "american" if american else "european"
        read = [read_options(path, stated, notes) for path in files]
        frame = pl.concat(read) if len(read) > 1 else read[0]
        sources = tuple(path.name for path in files)
    name = underlying if underlying is None else cased(underlying, frame)
    frame = of_expiry(frame, expiry, name)
    found = chains(frame, at=at, underlying=name, max_age_s=age_s)
    return _Asked(found, truths, simulate is not None, sources, tuple(notes))


def one_underlying(config: DensitiesConfig, chains: tuple[Chain, ...]) -> None:
    """Refuse one spot or yield for several underlyings."""
    names = sorted({chain.underlying for chain in chains})
    given = [n for n in ("spot", "dividend_yield") if getattr(config, n) is not None]
    given += ["dividend"] if config.dividends else []
    if given and len(names) > 1:
        option = f"--{given[0].replace('_', '-')}"
        wanted = f"one underlying for {option} (choose it with --underlying)"
        raise InputError(wanted, met=", ".join(names))


def _save(result: DensitiesResult, out: Path) -> Path:
    """Write the page, the JSON and the three tables; the page's path."""
    from eventtape.cli.whole_parquet import whole_parquet
    from eventtape.report.density_page import write_density_report
    from eventtape.studies.densities_contract import contract, tables
    from eventtape.wholefile import write_whole

    command = " ".join(["eventtape", *sys.argv[1:]])
    report = write_density_report(result, out / "density.html", command=command)
    text = json.dumps(contract(result), indent=1, allow_nan=False) + "\n"
    write_whole(out / "density.json", text)
    about = {"study": "density", "data": "simulated" if result.simulated else "given"}
    for name, frame in tables(result).items():
        with whole_parquet(out / f"density_{name}.parquet", about) as append:
            append(frame)
    return report
