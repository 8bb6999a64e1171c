"""Factors on data frames: returns from weights, rolling betas, replication, amplification.

Wide frames have ``ts`` and one column a name; long ones ``symbol, ts`` and a value. Null and NaN
are both "not seen"; what comes out is null where there is no number, and a ``status`` says why.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

import numpy as np
import polars as pl

from eventtape.arrays import FloatArray, IntArray
from eventtape.clock import SECOND
from eventtape.errors import InputError
from eventtape.estimators.factors import amplification as louder
from eventtape.estimators.factors import factor_returns as portfolio
from eventtape.estimators.factors import replication
from eventtape.estimators.factors import rolling_beta as rolling
from eventtape.estimators.factors.replication import Replication
from eventtape.estimators.probability.local_level import REGIMES
from eventtape.tape import times_ns

__all__ = ["factor_returns", "idiosyncratic_amplification", "replicate", "rolling_beta"]

_CELLS = 4_000_000  # mids held at a time: 32 MB, whatever the day's length
_NEVER = -(2**62)

Weights = pl.DataFrame | Mapping[str, Mapping[str, float]]


def factor_returns(
    mids: pl.DataFrame,
    weights: Weights,
    *,
    max_age_s: float = 60.0,
    min_coverage: float = 0.8,
) -> pl.DataFrame:
    """``ts``, the simple return of each factor since the row before, and each side's coverage.

    ``mids``: long with ``symbol, ts`` and either ``mid`` or ``bid, ask``, or wide. A book that is
    one-sided or crossed has no mid; a locked one has. Where there is an ``age_s``, a row older than
    the time since the same symbol's row before was carried, and shows nothing new: how long the mid
    before it stays in force is for ``max_age_s`` alone. ``weights``:
    long with ``symbol, factor, weight``, or a mapping of factor to name to weight. A name of the
    weights that the mids never show lowers the coverage; a name without weight is not read.

    A frame ordered by time is read a slice at a time; one ordered by symbol is turned round first.
    """
    names, factors, matrix = _weights(weights)
    book = portfolio.portfolios(matrix)
    state = portfolio.start(len(names))
    parts = []
    for ts, values in _mids(mids, names, round(max_age_s * SECOND)):
        state, answer = portfolio.step(
            state, ts, values, book, max_age_s=max_age_s, min_coverage=min_coverage
        )
        columns = {"ts": pl.Series(ts).cast(pl.Datetime("ns", "UTC"))}
        columns |= {f: pl.Series(answer.returns[:, k]) for k, f in enumerate(factors)}
        for k, f in enumerate(factors):
            for side, word in enumerate(("long", "short")):
                columns[f"{f}_{word}_coverage"] = pl.Series(answer.coverage[:, k, side])
        parts.append(pl.DataFrame(columns))
    if not parts:
        raise InputError("at least one row of mids", met="no rows")
    return pl.concat(parts).with_columns(pl.col(factors).fill_nan(None))


def rolling_beta(
    returns: pl.DataFrame, factors: pl.DataFrame, window: int, *, in_sample: bool = False
) -> pl.DataFrame:
    """``ts, symbol, alpha``, a beta for each factor, ``systematic, idiosyncratic``, two statuses.

    ``returns`` and ``factors`` are wide, of the same rising times; extra columns of ``factors``
    ending in ``_coverage`` are not factors. The betas of a row are of the ``window`` rows that end
    there, and ``status`` says what became of them; the two parts of its return use the betas of the
    row before, unless ``in_sample``, and ``parts_status`` says what became of those.
    """
    assets = [name for name in returns.columns if name != "ts"]
    names = [n for n in factors.columns if n != "ts" and not n.endswith("_coverage")]
    if returns.height != factors.height or not (returns["ts"] == factors["ts"]).all():
        raise InputError("returns and factors of the same times", met=factors.height, column="ts")
    _check_rising(returns)
    y, x = _matrix(returns, assets), _matrix(factors, names)
    found = rolling.batch(y, x, window=window)
    parts = rolling.decompose(y, x, window=window, in_sample=in_sample)
    n = returns.height
    columns = {"alpha": found.alpha}
    columns |= {name: found.beta[:, k] for k, name in enumerate(names)}
    columns |= {"systematic": parts.systematic, "idiosyncratic": parts.idiosyncratic}
    words = pl.Enum([str(status) for status in rolling.STATUSES])
    told = pl.Series(words.categories, dtype=words)
    return pl.DataFrame(
        {
            "ts": returns["ts"].gather(np.repeat(np.arange(n), len(assets))),
            "symbol": pl.Series(assets, dtype=pl.Enum(assets)).gather(
                np.tile(np.arange(len(assets)), n)
            ),
            **{name: np.ascontiguousarray(part).ravel() for name, part in columns.items()},
            "status": told.gather(found.status.ravel()),
            "parts_status": told.gather(parts.status.ravel()),
        }
    ).with_columns(pl.col(list(columns)).fill_nan(None))


def replicate(
    beta_target: Mapping[str, float],
    loadings: pl.DataFrame,
    cov: pl.DataFrame,
    *,
    full_investment: bool = False,
    method: Literal["minimum-variance", "minimum-norm"] = "minimum-variance",
) -> tuple[pl.DataFrame, Replication]:
    """``symbol, weight`` of the least-variance portfolio with these betas, and what it risks.

    ``loadings`` has ``symbol`` and a column for each factor of ``beta_target``; ``cov`` has
    ``symbol`` and a column for each symbol. Weights are null where the status is not ``ok``.
    """
    names = loadings["symbol"].to_list()
    betas = _matrix(loadings, list(beta_target)).T
    missing = sorted({*names} - {*cov.columns} | {*names} - {*cov["symbol"].to_list()})
    if missing or len(set(names)) != len(names):
        raise InputError("a covariance of every symbol, each once", met=missing or names)
    order = loadings.select("symbol").join(cov, on="symbol", how="left", maintain_order="left")
    found = replication.replicate(
        np.array(list(beta_target.values()), np.float64),
        betas,
        _matrix(order, names),
        full_investment=full_investment,
        method=method,
    )
    frame = pl.DataFrame({"symbol": loadings["symbol"], "weight": found.weights})
    return frame.with_columns(pl.col("weight").fill_nan(None)), found


def idiosyncratic_amplification(
    idiosyncratic: pl.DataFrame,
    regimes: pl.DataFrame,
    *,
    base: str = "baseline",
    max_age_s: float = 300.0,
    level: float = 0.95,
) -> pl.DataFrame:
    """How much louder idiosyncratic returns are in each regime than in ``base``, with intervals.

    ``idiosyncratic`` is wide with rising times, or long with ``symbol, ts, idiosyncratic`` in any
    order (what :func:`rolling_beta` gives); ``regimes`` has ``ts, regime`` (what
    :func:`~eventtape.frames.filter_probability` gives). A row's regime is the last one stamped at
    or before it, none where that is older than ``max_age_s``. One row a regime: ``regime, base,
    ratio, lower, upper, rows, base_rows, runs, base_runs, names, status``.
    """
    if base not in REGIMES[1:]:
        raise InputError(f"one of {', '.join(REGIMES[1:])}", met=base)
    if "symbol" in idiosyncratic.columns:
        twice = np.flatnonzero(idiosyncratic.select("symbol", "ts").is_duplicated())
        if twice.size:
            met = str(idiosyncratic.row(int(twice[0]), named=True))
            raise InputError(
                "one row a symbol and time", met=met, row=int(twice[0]) + 1, column="ts"
            )
        idiosyncratic = idiosyncratic.pivot(
            "symbol", index="ts", values="idiosyncratic", maintain_order=True
        ).sort("ts")
    _check_rising(idiosyncratic)
    e = _matrix(idiosyncratic, [name for name in idiosyncratic.columns if name != "ts"])
    code = _regime_codes(times_ns(idiosyncratic), regimes, round(max_age_s * SECOND))
    rows = []
    b = REGIMES.index(base)
    for a, name in enumerate(REGIMES):
        if a not in (0, b):
            found = louder.amplification(e, code, a=a, b=b, level=level)
            rows.append((name, base, *found[:-1], str(found.status)))
    schema = ["regime", "base", "ratio", "lower", "upper"]
    schema += ["rows", "base_rows", "runs", "base_runs", "names", "status"]
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    return frame.with_columns(pl.col("ratio", "lower", "upper").fill_nan(None))


def _check_rising(frame: pl.DataFrame) -> None:
    stamps = times_ns(frame)
    late = np.flatnonzero(np.diff(stamps) <= 0)
    if late.size:
        met, row = str(frame["ts"][int(late[0]) + 1]), int(late[0]) + 2
        raise InputError("times that rise, each once", met=met, row=row, column="ts")


def _regime_codes(ts: IntArray, regimes: pl.DataFrame, max_age: int) -> IntArray:
    unknown = sorted({*regimes["regime"].unique().to_list()} - {*REGIMES})
    if unknown:
        raise InputError(f"regimes of {', '.join(REGIMES)}", met=unknown, column="regime")
    stamps = times_ns(regimes)
    late = np.flatnonzero(np.diff(stamps) < 0)
    if late.size:
        raise InputError("times that do not fall", row=int(late[0]) + 2, column="ts")
    code = np.array([REGIMES.index(word) for word in regimes["regime"].to_list()], np.int64)
    at = np.searchsorted(stamps, ts, side="right") - 1
    known = (at >= 0) & (ts - stamps[at] <= max_age)
    return np.where(known, code[at], 0)


def _weights(weights: Weights) -> tuple[list[str], list[str], FloatArray]:
    """Names, factors and the matrix ``(n_names, n_factors)``, nought where a name has none."""
    if not isinstance(weights, pl.DataFrame):
        rows = [(n, f, float(w)) for f, held in weights.items() for n, w in held.items()]
        weights = pl.DataFrame(rows, schema=["symbol", "factor", "weight"], orient="row")
    for name in ("symbol", "factor", "weight"):
        if name not in weights.columns:
            raise InputError(f"a column '{name}'", met=weights.columns, column=name)
    if weights.is_empty() or weights.select("symbol", "factor").is_duplicated().any():
        raise InputError("one weight a symbol and factor, and at least one", met=weights.height)
    names = weights["symbol"].unique(maintain_order=True).cast(pl.String).to_list()
    factors = weights["factor"].unique(maintain_order=True).cast(pl.String).to_list()
    rows_at = {name: i for i, name in enumerate(names)}
    columns_at = {name: k for k, name in enumerate(factors)}
    matrix = np.zeros((len(names), len(factors)))
    for name, factor, weight in weights.select("symbol", "factor", "weight").iter_rows():
        matrix[rows_at[name], columns_at[factor]] = np.nan if weight is None else weight
    return names, factors, matrix


def _mids(
    mids: pl.DataFrame, names: list[str], max_age: int
) -> Iterator[tuple[IntArray, FloatArray]]:
    """Times and mids ``(n, n_names)``, some rows at a time; NaN where carried."""
    rows = max(_CELLS // len(names), 1)
    if "symbol" not in mids.columns:
        wide = mids.select("ts", *(name for name in names if name in mids.columns))
        wide = wide.with_columns(
            pl.lit(None, pl.Float64).alias(name) for name in names if name not in mids.columns
        )
        for begin in range(0, wide.height, rows):
            part = wide.slice(begin, rows)
            yield times_ns(part), _matrix(part, names)
        return
    times = mids["ts"].unique().sort()
    stamps = times_ns(times.to_frame())
    mid, aged = _mid(mids.columns), "age_s" in mids.columns
    age = pl.col("age_s").cast(pl.Float64) if aged else pl.lit(0.0)
    last = np.full(len(names), _NEVER)
    code = pl.DataFrame({"symbol": names, "_name": np.arange(len(names))})
    ordered = mids if mids["ts"].is_sorted() else mids.sort("ts", maintain_order=True)
    first = ordered["ts"].search_sorted(times, side="left").to_numpy()
    first = np.r_[first, ordered.height]
    for begin in range(0, stamps.size, rows):
        end = min(begin + rows, stamps.size)
        part = ordered.slice(first[begin], first[end] - first[begin])
        part = part.select(
            pl.col("symbol").cast(pl.String), "ts", mid.alias("_mid"), age.alias("_age")
        )
        part = part.join(code, on="symbol", how="inner")
        values = np.full((end - begin) * len(names), np.nan)
        at = np.searchsorted(stamps[begin:end], times_ns(part)) * len(names)
        at += part["_name"].to_numpy()
        if np.bincount(at, minlength=1).max() > 1:
            row = int(np.flatnonzero(np.bincount(at) > 1)[0])
            met = f"several of {names[row % len(names)]} at {times[begin + row // len(names)]}"
            raise InputError("one mid a symbol and time", met=met, column="ts")
        values[at] = part["_mid"].fill_null(np.nan).to_numpy()
        grid = values.reshape(-1, len(names))
        if aged:
            last = _drop_carried(stamps[begin:end], at, part["_age"], max_age, last, grid)
        yield stamps[begin:end], grid


def _drop_carried(
    stamps: IntArray,
    at: IntArray,
    age_s: pl.Series,
    max_age: int,
    last: IntArray,
    values: FloatArray,
) -> IntArray:
    """NaN for mids older than the row before of the same name; the time of each name's last row.

    A name's first row has none before it: there, as everywhere, ``max_age`` is the oldest.
    """
    rows = np.full(values.shape, _NEVER)
    rows.ravel()[at] = stamps[at // values.shape[1]]
    upto = np.maximum.accumulate(np.vstack([last, rows]), axis=0)
    since = np.minimum(stamps[:, None] - upto[:-1], max_age).ravel()[at]
    carried = ~(np.round(age_s.fill_null(np.nan).to_numpy() * SECOND) <= since)
    values.ravel()[at[carried]] = np.nan
    return np.ascontiguousarray(upto[-1])


def _mid(columns: list[str]) -> pl.Expr:
    if "mid" in columns:
        return pl.col("mid").cast(pl.Float64)
    if {"bid", "ask"} <= set(columns):
        whole = (pl.col("bid") > 0.0) & (pl.col("bid") <= pl.col("ask"))
        return pl.when(whole).then(0.5 * (pl.col("bid") + pl.col("ask")))
    raise InputError("a column 'mid', or 'bid' and 'ask'", met=columns, column="mid")


def _matrix(frame: pl.DataFrame, names: list[str]) -> FloatArray:
    missing = [name for name in names if name not in frame.columns]
    if missing or not names:
        raise InputError(f"columns {', '.join(missing)}", met=frame.columns, column=str(missing))
    for name in names:
        if not frame[name].dtype.is_numeric():
            raise InputError("values of a number type", met=str(frame[name].dtype), column=name)
    values = frame.select(pl.col(names).cast(pl.Float64).fill_null(np.nan)).to_numpy()
    return np.ascontiguousarray(values, np.float64)
