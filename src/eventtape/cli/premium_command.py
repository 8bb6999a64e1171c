"""``eventtape premium``: what dated events are worth in option volatility, market by market."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from eventtape.cli import wiring
from eventtape.cli.option_input import check_folder
from eventtape.errors import InputError

if TYPE_CHECKING:
    from eventtape.clock.event_calendar import DatedEvent
    from eventtape.studies.premium_rows import (
        MarketTerms,
        OddsSeries,
        PremiumResult,
        QuarterCuts,
        TrueSizes,
    )


class _Asked(NamedTuple):
    """The markets of one run, the calendar, and what is drawn beside."""

    markets: tuple[MarketTerms, ...]
    events: tuple[DatedEvent, ...]
    odds: OddsSeries | None
    truth: TrueSizes | None
    sources: tuple[str, ...]
    notes: tuple[str, ...]


def premium(
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="FILE…",
            help="Tables of volatilities by expiry, or option quotes of any vendor.",
        ),
    ] = None,
    at: Annotated[
        str | None,
        typer.Option(help="As of this moment (else the last); states it where the file does not."),
    ] = None,
    kinds: Annotated[
        str | None,
        typer.Option(
            metavar="KIND,…", help="Events taken out, the first looked at: election,fomc."
        ),
    ] = None,
    events: Annotated[
        Path | None, typer.Option(help="CSV of more events: kind, name, local_time, zone.")
    ] = None,
    label: Annotated[
        list[str] | None,
        typer.Option(help="Only this market, several times; states it where the file does not."),
    ] = None,
    size: Annotated[
        float | None, typer.Option(help="Of the table made by hand: .08 for 8%. Else estimated.")
    ] = None,
    whole_days: Annotated[
        bool, typer.Option("--whole-days", help="The table counts dates, not hours.")
    ] = False,
    sessions: Annotated[
        bool, typer.Option("--sessions", help="Days of the New York exchange alone, 252 a year.")
    ] = False,
    unit: Annotated[
        str | None, typer.Option(help="percent or decimal, where the values do not decide it.")
    ] = None,
    history: Annotated[
        bool, typer.Option("--history", help="Every snapshot until then, not the last alone.")
    ] = False,
    every: Annotated[
        str | None,
        typer.Option(help="A snapshot of the quotes every so long, such as 6h (else each time)."),
    ] = None,
    max_age: Annotated[
        str | None, typer.Option(help="Leave out quotes older than this, such as 5m.")
    ] = None,
    odds: Annotated[
        Path | None, typer.Option(help="File of an outcome's probability, to compare with.")
    ] = None,
    symbol: Annotated[
        str | None, typer.Option(help="Of the odds, where their file has several.")
    ] = None,
    cuts: Annotated[
        Path | None, typer.Option(help="CSV of rate cuts priced: quarter, cuts.")
    ] = None,
    step: Annotated[
        str | None, typer.Option(help="Of the grid of odds and spreads (else the snapshots').")
    ] = None,
    window: Annotated[int, typer.Option(help="Steps over which premium and odds may part.")] = 4,
    rate: Annotated[
        float | None, typer.Option(help="Per year, continuous (0.04); else parity says.")
    ] = None,
    american: Annotated[
        bool | None,
        typer.Option(
            "--american/--european", help="How the options are exercised, if not as filed."
        ),
    ] = None,
    level: Annotated[float, typer.Option(help="Level of every interval.")] = 0.95,
    seed: Annotated[int, typer.Option(help="Seed of placebos and of half-lives.")] = 0,
    simulate: Annotated[
        int | None, typer.Option(help="Study a simulated vote of this seed, truth beside.")
    ] = None,
    out: Annotated[
        Path,
        typer.Option(help="Folder of premium.html, .json and the .parquet tables; or an .html."),
    ] = Path("out"),
    serve: Annotated[
        bool, typer.Option("--serve", help="Serve the page on this machine until Ctrl-C.")
    ] = False,
    port: Annotated[int, typer.Option(help="Of --serve; 0 takes a free one.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
) -> None:
    """Size of each dated event with its interval, volatility without it, and both through time."""
    from eventtape.cli.premium_input import read_markets
    from eventtape.clock import SECOND, duration_ns, parse_ns
    from eventtape.studies.premium import run
    from eventtape.studies.premium_rows import PremiumConfig

    page = out if out.suffix == ".html" else out / "premium.html"
    check_folder(page.parent)
    wanted = tuple(kind.strip().lower() for kind in (kinds or "").split(",") if kind.strip())
    config = PremiumConfig(
        level=level,
        kinds=wanted or (("election", "fomc") if simulate is not None else ()),
        size=size,
        whole_days=whole_days,
        calendar="XNYS" if sessions else "weekends",
        history=history or simulate is not None,
        step_s=None if step is None else duration_ns(step) / SECOND,
        window=window,
        seed=seed,
    )
    at_ns = None if at is None else parse_ns(at)
    priced = () if cuts is None else _cuts(cuts)
    with wiring.progress_bar(quiet=as_json) as bar:
        tell = wiring.one_line(bar, "premium")
        tell("reading", 0, None)
        if simulate is not None:
            if files or odds is not None or events is not None:
                wanted_words = "--simulate alone, without files, --odds or --events"
                raise InputError(wanted_words, met="both")
            asked = _simulated(simulate)
        else:
            notes: list[str] = []
            markets = read_markets(
                files or [],
                at=at,
                labels=tuple(label or ()),
                unit=unit,
                every=every if history else None,
                history=history,
                max_age=max_age,
                rate=rate,
                american=american,
                notes=notes,
                tell=tell,
            )
            asked = _given(markets, files or [], events, odds, symbol, notes)
        result = run(
            asked.markets,
            asked.events,
            config,
            at_ns=at_ns,
            odds=asked.odds,
            cuts=priced,
            truth=asked.truth,
            simulated=simulate is not None,
            sources=asked.sources,
            notes=asked.notes,
            progress=tell,
        )
    report = _save(result, page)
    if as_json:
        from eventtape.studies.premium_contract import contract

        print(json.dumps(contract(result), allow_nan=False))
    else:
        from eventtape.cli.premium_screen import show_premium

        show_premium(result, report)
    if serve:
        from eventtape.cli.page_serve import serve_until_stopped

        serve_until_stopped(report, port=port)


def _simulated(seed: int) -> _Asked:
    from eventtape.simulate.premium_frame import simulated_premium
    from eventtape.studies.premium import odds_series
    from eventtape.studies.premium_rows import TrueSizes
    from eventtape.studies.premium_terms import terms_of_table
    from eventtape.tape import times_ns

    if seed < 0:
        raise InputError("a seed >= 0", met=seed)
    made = simulated_premium(seed)
    true = made.made
    return _Asked(
        terms_of_table(made.terms),
        made.events,
        odds_series("simulated odds", times_ns(made.odds), made.odds["probability"].to_numpy()),
        TrueSizes("election", true.times_ns, true.size, (("fomc", true.fomc_size),), made.truth),
        (f"seed {seed}",),
        (f"Truth: {made.truth}.",),
    )


def _given(
    markets: tuple[MarketTerms, ...],
    files: list[Path],
    events: Path | None,
    odds: Path | None,
    symbol: str | None,
    notes: list[str],
) -> _Asked:
    from eventtape.clock.event_calendar import event_calendar

    sources = tuple(path.name for path in (*files, events, odds) if path is not None)
    read = None if odds is None else _odds(odds, symbol)
    return _Asked(markets, event_calendar(events), read, None, sources, tuple(notes))


def _odds(path: Path, symbol: str | None) -> OddsSeries:
    from eventtape.sources.probability_files import read_probability
    from eventtape.studies.premium import odds_series
    from eventtape.tape import times_ns

    frame = read_probability(path, symbol=symbol)
    label = path.name if symbol is None else f"{path.name}, {symbol}"
    return odds_series(label, times_ns(frame), frame["probability"].to_numpy())


def _cuts(path: Path) -> tuple[QuarterCuts, ...]:
    from eventtape.sources.rate_cuts import read_rate_cuts
    from eventtape.studies.premium_rows import QuarterCuts

    frame = read_rate_cuts(path)
    starts, ends = (frame[name].to_physical().to_list() for name in ("start", "end"))
    rows = zip(frame["quarter"], starts, ends, frame["cuts"], strict=True)
    return tuple(QuarterCuts(*row) for row in rows)


def _save(result: PremiumResult, page: Path) -> Path:
    """Write the page, the JSON and the tables beside it; the page's path."""
    from eventtape.cli.whole_parquet import whole_parquet
    from eventtape.report.premium_page import write_premium
    from eventtape.studies.premium_contract import contract, tables
    from eventtape.wholefile import write_whole

    report = write_premium(result, page, command=" ".join(["eventtape", *sys.argv[1:]]))
    text = json.dumps(contract(result), indent=1, allow_nan=False) + "\n"
    write_whole(page.with_suffix(".json"), text)
    about = {"study": "premium", "data": "simulated" if result.simulated else "given"}
    for name, frame in tables(result).items():
        with whole_parquet(page.with_name(f"{page.stem}_{name}.parquet"), about) as append:
            append(frame)
    return report
