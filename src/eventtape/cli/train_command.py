"""The command ``train``: an up-move classifier from features, kept in the lake as data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from eventtape.errors import InputError

if TYPE_CHECKING:
    import polars as pl

    from eventtape.frames.up_move_model import ScoredModel

MODELS = "models"
"""Folder of the lake that holds models, one JSON file each."""


def train(
    name: Annotated[str, typer.Argument(help="Name of the model in the lake.")],
    features: Annotated[
        Path | None,
        typer.Option(help="Parquet or CSV of features, as the command features writes."),
    ] = None,
    simulate: Annotated[
        int | None, typer.Option(help="Train on the stocks of a simulated night.", min=0)
    ] = None,
    every: Annotated[str, typer.Option(help="Bucket, with --simulate.")] = "10s",
    horizon: Annotated[str, typer.Option(help="How far ahead the move lies.")] = "1m",
    folds: Annotated[int, typer.Option(help="Stretches of the walk-forward.", min=1)] = 5,
    lake: Annotated[Path, typer.Option(help="Folder of the lake.")] = Path("lake"),
    as_json: Annotated[bool, typer.Option("--json", help="Print the model's own JSON.")] = False,
) -> None:
    """Train a classifier of the next move of a mid; print what it was worth out of sample."""
    from eventtape.frames.up_move import train_up_move
    from eventtape.frames.up_move_model import as_json as model_text
    from eventtape.frames.up_move_model import scored_model
    from eventtape.store.models import save_model

    table, made_by = _features(features, simulate, every)
    trained = train_up_move(table, horizon=horizon, folds=folds)
    model = scored_model(trained, made_by=made_by)
    file = save_model(lake / MODELS, name, model_text(model))
    if as_json:
        print(json.dumps(json.loads(model_text(model)), indent=1))
    else:
        _show(model, file)


def _features(features: Path | None, simulate: int | None, every: str) -> tuple[pl.DataFrame, str]:
    import polars as pl

    if (features is None) == (simulate is None):
        raise InputError("either --features or --simulate", met="both" if features else "neither")
    if features is not None:
        try:
            parquet = features.suffix == ".parquet"
            table = pl.read_parquet(features) if parquet else pl.read_csv(features)
        except (OSError, pl.exceptions.PolarsError) as error:
            wanted = "a Parquet or CSV file of features"
            raise InputError(wanted, met=str(error), file=features) from error
        return table, f"features of {features.name}"
    from eventtape.frames.ticks import microstructure_features
    from eventtape.simulate.live_night import STOCK_QUOTES, STOCK_TRADES, live_night

    assert simulate is not None
    tape = live_night(simulate).tape
    trades, quotes = (tape.feed(label).frame for label in (STOCK_TRADES, STOCK_QUOTES))
    made_by = f"simulated night {simulate}, buckets of {every}"
    return microstructure_features(trades, quotes, every=every), made_by


def _show(model: ScoredModel, file: Path) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from eventtape.clock import format_ns

    console = Console()
    console.print(f"[bold]Up-move model[/bold] ({escape(model.made_by)}), status {model.status}")
    console.print(
        f"trained on {model.model.n_rows:,} rows of {len(model.tickers)} tickers, "
        f"{format_ns(model.first_ns)} to {format_ns(model.last_ns)}; "
        f"{model.unchanged:.0%} of rows stood still and are in neither side"
    )
    worth = Table("feature", "coefficient, per sd", title="", show_edge=False)
    for feature, weight in zip(model.features, model.model.coefficients, strict=True):
        worth.add_row(feature, f"{weight:+.3f}")
    console.print(worth)
    gain = model.scores.log
    beats = "better than" if model.beats_base_rate else "not shown to be better than"
    console.print(
        f"Out of sample, log score over the base rate: {gain.gain:+.4f} "
        f"({gain.lower:+.4f} to {gain.upper:+.4f}): {beats} the base rate"
    )
    console.print(f"Model: {file}")
