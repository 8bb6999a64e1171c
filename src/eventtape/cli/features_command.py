"""``eventtape features``: the fourteen features of every ticker and bucket, from files of ticks."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from eventtape.cli import tick_options as ticks
from eventtape.errors import InputError

if TYPE_CHECKING:
    import polars as pl

    from eventtape.frames.tick_summary import TickSummary
    from eventtape.tape.days import Chunk, Day, Run


class _Options(NamedTuple):
    every: str
    rule: str
    latency: str
    window: str


def features(
    trades: ticks.Trades = None,
    quotes: ticks.Quotes = None,
    vendor: ticks.VendorName = None,
    every: Annotated[str, typer.Option(help="Width of a bucket, such as 1m or 10s.")] = "1m",
    rule: Annotated[
        str, typer.Option(help="How trades are signed: lee-ready, quote, tick, emo, clnv.")
    ] = ("lee-ready"),
    latency: Annotated[
        str, typer.Option(help="A trade sees quotes older than itself by more than this.")
    ] = "0ms",
    window: Annotated[
        str, typer.Option(help="A move of the mid so soon after a trade is that trade's.")
    ] = "1ms",
    policy: Annotated[
        str | None, typer.Option(help="Which trades are eligible: regular (else), extended or all.")
    ] = None,
    session: ticks.Session = "XNYS",
    symbols: ticks.Symbols = None,
    order: ticks.Ordered = "symbol",
    out: Annotated[Path, typer.Option(help="Parquet file to write, in a folder that exists.")] = (
        Path("features.parquet")
    ),
    signed_out: Annotated[
        Path | None, typer.Option(help="Also write every trade with its sign here (.parquet).")
    ] = None,
    lake: Annotated[
        Path | None, typer.Option(help="Also write the features into this lake.")
    ] = None,
    dataset: Annotated[
        str | None, typer.Option(help="Name of the data in the lake (else the vendor).")
    ] = None,
    simulate: ticks.Simulate = None,
    zone: ticks.Zone = None,
    sip: ticks.Sip = None,
    exchange: ticks.Exchanges = None,
    lot: ticks.Lot = None,
    duplicates: ticks.Repeats = None,
    column: ticks.Columns = None,
    codes: ticks.Codes = None,
    as_json: ticks.AsJson = False,
) -> None:
    """The fourteen features of every ticker and bucket, and a health table of the ticks."""
    from eventtape.cli import tick_screen
    from eventtape.cli.tick_pass import TickPass
    from eventtape.cli.tick_progress import tick_progress
    from eventtape.cli.whole_parquet import check_parquet
    from eventtape.clock import duration_ns
    from eventtape.estimators.microstructure.signing import RULES
    from eventtape.frames.tick_summary import TickSummary
    from eventtape.sources.conditions import as_policy
    from eventtape.store.names import check_partition

    paths = ticks.paths_or_seed({"trades": trades, "quotes": quotes}, vendor, simulate, "features")
    how = ticks.as_format(
        "parquet" if simulate is not None else vendor,
        order,
        policy=policy,
        zone=zone,
        sip=sip,
        exchanges=exchange,
        lot=lot,
        duplicates=duplicates,
        columns=column,
        codes=codes,
    )
    as_policy(policy or "regular")
    forward = [name for name in RULES if not name.startswith("reverse-")]
    if rule not in forward:
        wanted = f"a rule among {', '.join(forward)} (the reverse ones look ahead: sign_trades)"
        raise InputError(wanted, met=rule)
    lengths = [duration_ns(text) for text in (every, latency, window)]
    if lengths[0] == 0:
        raise InputError("an --every above 0", met=every)
    for path in (out, *((signed_out,) if signed_out else ())):
        check_parquet(path)
    simulated = simulate is not None or ticks.made_by_no_market(paths)
    data = {
        "dataset": dataset or (how.vendor if simulate is None else "simulated"),
        "data": "simulated" if simulated else "real",
    }
    check_partition(data)
    options = _Options(every, rule, latency, window)
    about = {**options._asdict(), "policy": policy or "regular", "session": session, **data}
    about |= {"vendor": how.vendor} if simulate is None else {"seed": str(simulate)}
    given = {"zone": zone, "sip": sip, "exchange": exchange, "lot": lot, "symbols": symbols}
    about |= {name: str(value) for name, value in given.items() if value}

    summary = TickSummary()
    with tick_progress((*paths["trades"], *paths["quotes"]), quiet=as_json) as progress:
        passed = TickPass(how, ticks.days_of(session), progress=progress, every_ns=lengths[0])
        runs = passed.runs(paths, symbols, simulate)
        made = _write(runs, options, summary, out, signed_out, about, simulated=simulated)
    told = {
        "simulated": simulated,
        "options": about,
        "rows": dict(passed.rows),
        "tickers": len(made.tickers),
        "buckets": made.buckets,
        "sessions": [str(day) for day in sorted(passed.days)],
        "not_traded": dict(passed.not_traded),
        "seconds": round(progress.seconds, 3),
        "rows_per_second": round(passed.rows.total() / progress.seconds),
        "health": passed.health(),
        "summary": summary.table().to_dicts(),
        "out": str(out),
    }
    if lake is not None:
        _into_lake(lake, out, list(passed.days.values()), {**data, "every": every})
    tick_screen.warn(told, symbols, made.tickers)
    if as_json:
        print(json.dumps(told, allow_nan=False))
    else:
        tick_screen.show(told, signed_out, lake)


class _Made(NamedTuple):
    tickers: set[str]
    buckets: int


def _write(
    runs: Iterator[Run],
    options: _Options,
    summary: TickSummary,
    out: Path,
    signed_out: Path | None,
    about: dict[str, Any],
    *,
    simulated: bool,
) -> _Made:
    """Every run's features into the file, sorted by day, ticker and bucket within each run."""
    import polars as pl

    from eventtape.cli.whole_parquet import whole_parquet
    from eventtape.frames.ticks import feature_stream

    tickers: set[str] = set()
    buckets = 0
    with ExitStack() as stack:
        append = stack.enter_context(whole_parquet(out, about))
        keep: Callable[[pl.DataFrame], None] | None = None
        if signed_out is not None:
            keep = stack.enter_context(whole_parquet(signed_out, about))
        for run in runs:
            chunks = _summed(run, options, summary, keep)
            found = list(feature_stream(chunks, session=run.day.hours, **options._asdict()))
            if found:
                table = pl.concat(found).sort("ticker", "bucket")
                append(table.with_columns(pl.lit(simulated).alias("simulated")))
                tickers.update(table["ticker"].unique())
                buckets += table.height
    return _Made(tickers, buckets)


def _summed(
    run: Run,
    options: _Options,
    summary: TickSummary,
    keep: Callable[[pl.DataFrame], None] | None,
) -> Iterator[Chunk]:
    """The run's chunks unchanged; on the way trades are signed, summed and perhaps kept."""
    import polars as pl

    from eventtape.clock import duration_ns
    from eventtape.frames.signs import sign_start, sign_step

    state, latency_ns = sign_start(), duration_ns(options.latency)
    for trades, quotes in run.chunks:
        state, signed = sign_step(state, trades, quotes, rule=options.rule, latency_ns=latency_ns)
        summary.add(signed, quotes, run.day.hours)
        if keep is not None and signed.height:
            keep(signed.with_columns(pl.col("symbol", "sign_source").cast(pl.String)))
        yield trades, quotes


def _into_lake(lake: Path, out: Path, days: list[Day], data: dict[str, str]) -> None:
    """Each day's features as one partition of the table ``features``, all at one stroke.

    Tickers of that partition that this run did not touch stay: files are often of one ticker.
    """
    import polars as pl

    from eventtape.store import Lake, Write

    store = Lake(lake)
    known = "features" in store.tables()["table"]

    def rows(day: Day, partition: dict[str, str]) -> pl.DataFrame:
        end = pl.col("bucket").cast(pl.Int64)
        inside = (end > day.start_ns) & (end <= day.end_ns)
        made = pl.scan_parquet(out, glob=False).filter(inside).collect()
        if not known:
            return made
        held = store.read("features", partition).drop(partition)
        others = held.filter(~pl.col("ticker").is_in(made["ticker"].unique().implode()))
        return pl.concat([others.select(made.columns), made]).sort("ticker", "bucket")

    partitions = [(day, {**data, "session": str(day.date)}) for day in days]
    store.write_all(Write("features", rows(day, part), part) for day, part in partitions)
