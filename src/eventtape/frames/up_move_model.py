"""A trained up-move classifier as data: all that a live stream needs to score, and to be judged by.

A model is text (JSON), never a pickled object: numbers that come back to the last bit, what it was
trained on and when, what its forecasts were worth out of sample, and a checksum over all of it.
Reading is strict. A field that is missing, unknown, of another type or not finite is an
:class:`~eventtape.errors.InputError` that names the field; so is text that was changed by hand.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from eventtape.arrays import FloatArray, Status
from eventtape.errors import InputError
from eventtape.estimators.factors import logistic
from eventtape.estimators.factors.forecast_scores import Gain, Reliability, Scores
from eventtape.estimators.factors.logistic import Logistic
from eventtape.frames.up_move import UpMove

__all__ = ["VERSION", "ScoredModel", "as_json", "from_json", "scored_model"]

VERSION = 1
_KIND = "eventtape up-move model"


class ScoredModel(NamedTuple):
    """A classifier of "``price`` is higher one horizon on, given that it moves", and its worth."""

    model: Logistic
    features: tuple[str, ...]  # names of its features, in the order of the coefficients
    price: str  # the column whose move it forecasts
    horizon_ns: int
    every_ns: int  # length of the buckets it was trained on
    first_ns: int  # end of the first bucket it was trained on
    last_ns: int  # and of the last
    tickers: tuple[str, ...]
    unchanged: float  # share of rows whose price stood still, which it was not trained on
    scores: Scores  # of its forecasts out of sample (walk-forward), against the base rate
    status: Status  # ok where the model and every fold's are
    made_by: str

    @property
    def beats_base_rate(self) -> bool:
        """Whether its log score out of sample was better than the base rate's, interval and all."""
        return self.scores.status is Status.OK and self.scores.log.lower > 0.0


def scored_model(trained: UpMove, *, made_by: str = "") -> ScoredModel:
    """What :func:`~eventtape.frames.train_up_move` found, ready to be kept.

    A model that was not fitted (its status says why) has nothing to score with and is an
    :class:`~eventtape.errors.InputError`.
    """
    if trained.model.status is not Status.OK:
        raise InputError("a model that could be fitted", met=str(trained.model.status))
    at = trained.forecasts["bucket"].to_physical()
    every = np.gcd.reduce(np.diff(np.unique(at.to_numpy())))
    return ScoredModel(
        trained.model,
        trained.features,
        trained.price,
        trained.horizon_ns,
        int(every),
        int(at[0]),
        int(at[-1]),
        tuple(sorted(trained.forecasts["symbol"].unique().to_list())),
        trained.unchanged,
        trained.scores,
        trained.status,
        made_by,
    )


def as_json(model: ScoredModel) -> str:
    """The model as text, to the last bit; :func:`from_json` reads it back."""
    plain: dict[str, Any] = {"kind": _KIND, "version": VERSION, **model._asdict()}
    plain["model"] = logistic.as_dict(model.model)
    plain["scores"] = _plain_scores(model.scores)
    plain["status"] = str(model.status)
    plain["checksum"] = _checksum(plain)
    return json.dumps(plain, indent=1, allow_nan=False) + "\n"


def from_json(text: str, file: str | Path | None = None) -> ScoredModel:
    """The model that :func:`as_json` wrote; ``file`` is named in errors."""
    try:
        plain = json.loads(text, object_pairs_hook=_once, parse_constant=_refuse)
        return _read(plain)
    except InputError as error:
        raise (error if file is None else error.at(file)) from None
    except (ValueError, RecursionError) as error:
        raise InputError("a model as JSON", met=text[:60], file=file) from error


def _read(plain: Any) -> ScoredModel:
    if not isinstance(plain, dict) or plain.get("kind") != _KIND:
        raise InputError(f"a model of kind '{_KIND}'", met=str(plain)[:60], column="kind")
    if plain.get("version") != VERSION:
        raise InputError(f"version {VERSION}", met=plain.get("version"), column="version")
    _fields(plain, ("kind", "version", *ScoredModel._fields, "checksum"), "")
    if plain["checksum"] != _checksum({k: v for k, v in plain.items() if k != "checksum"}):
        wanted = "the checksum of what it says (it was changed since it was written)"
        raise InputError(wanted, met=plain["checksum"], column="checksum")
    features = _texts(plain["features"], "features")
    model = _model(plain["model"], len(features))
    first, last = (_whole(plain[name], name) for name in ("first_ns", "last_ns"))
    if last < first:
        raise InputError(f"a last_ns from {first} on", met=last, column="last_ns")
    return ScoredModel(
        model,
        features,
        _text(plain["price"], "price"),
        _whole(plain["horizon_ns"], "horizon_ns", 1),
        _whole(plain["every_ns"], "every_ns", 1),
        first,
        last,
        _texts(plain["tickers"], "tickers"),
        _number(plain["unchanged"], "unchanged", 0.0, 1.0),
        _scores(plain["scores"]),
        _status(plain["status"], "status"),
        _text(plain["made_by"], "made_by", empty=True),
    )


def _model(plain: Any, n: int) -> Logistic:
    _fields(plain, Logistic._fields, "model.")
    arrays = {}
    for name in ("coefficients", "mean", "scale"):
        arrays[name] = _numbers(plain[name], f"model.{name}")
        if arrays[name].size != n:
            wanted = f"{n} numbers, one a feature"
            raise InputError(wanted, met=arrays[name].size, column=f"model.{name}")
    if not (arrays["scale"] > 0.0).all():
        raise InputError("scales above 0", met=plain["scale"], column="model.scale")
    status = _status(plain["status"], "model.status")
    if status is not Status.OK:
        raise InputError("a model that could be fitted", met=str(status), column="model.status")
    return Logistic(
        _number(plain["intercept"], "model.intercept"),
        arrays["coefficients"],
        arrays["mean"],
        arrays["scale"],
        _number(plain["base_rate"], "model.base_rate", 0.0, 1.0),
        _number(plain["ridge"], "model.ridge", 0.0),
        _whole(plain["n_rows"], "model.n_rows", 1),
        status,
    )


def _plain_scores(scores: Scores) -> dict[str, Any]:
    """Scores as JSON has them: a number that is not there is null, an infinite one is text."""
    plain: dict[str, Any] = scores._asdict()
    for name in ("brier", "log"):
        plain[name] = {k: _shown(v) for k, v in plain[name]._asdict().items()}
    for name in _INTERVALS:
        plain[name] = [_shown(end) for end in plain[name]]
    for name in _SINGLES:
        plain[name] = _shown(plain[name])
    plain["reliability"] = {k: v.tolist() for k, v in scores.reliability._asdict().items()}
    plain["status"] = str(scores.status)
    return plain


_SINGLES = ("auc", "calibration_intercept", "calibration_slope")
_INTERVALS = tuple(f"{name}_interval" for name in _SINGLES)


def _shown(value: float) -> float | str | None:
    return float(value) if math.isfinite(value) else None if math.isnan(value) else repr(value)


def _scores(plain: Any) -> Scores:
    _fields(plain, Scores._fields, "scores.")
    known = dict(plain)
    for name in ("brier", "log"):
        at = f"scores.{name}"
        _fields(plain[name], Gain._fields, f"{at}.")
        known[name] = Gain(**{k: _told(v, f"{at}.{k}") for k, v in plain[name].items()})
    for name in _INTERVALS:
        ends = plain[name]
        if not isinstance(ends, list) or len(ends) != 2:  # noqa: PLR2004 - two ends
            raise InputError("two ends of an interval", met=ends, column=f"scores.{name}")
        known[name] = tuple(_told(end, f"scores.{name}") for end in ends)
    for name in _SINGLES:
        known[name] = _told(plain[name], f"scores.{name}")
    for name in ("n_rows", "n_times"):
        known[name] = _whole(plain[name], f"scores.{name}")
    bins = plain["reliability"]
    _fields(bins, Reliability._fields, "scores.reliability.")
    parts = {k: _numbers(v, f"scores.reliability.{k}") for k, v in bins.items()}
    if len({part.size for part in parts.values()}) != 1:
        sizes = {k: part.size for k, part in parts.items()}
        raise InputError("lists of one length", met=sizes, column="scores.reliability")
    counts = [_whole(count, "scores.reliability.n_rows") for count in bins["n_rows"]]
    known["reliability"] = Reliability(
        parts["forecast"], parts["outcome"], np.array(counts, np.int64)
    )
    known["status"] = _status(plain["status"], "scores.status")
    return Scores(**known)


def _told(value: Any, name: str) -> float:
    """A number, one that is not there (null), or an infinite one."""
    if value is None:
        return math.nan
    return float(value) if value in ("inf", "-inf") else _number(value, name)


def _checksum(plain: Mapping[str, Any]) -> str:
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _fields(plain: Any, wanted: tuple[str, ...], within: str) -> None:
    if not isinstance(plain, dict):
        raise InputError("fields by name", met=str(plain)[:60], column=within.rstrip("."))
    for name in (*(n for n in wanted if n not in plain), *(n for n in plain if n not in wanted)):
        what = "this field" if name in wanted else f"no field but {', '.join(wanted)}"
        met = "none" if name in wanted else name
        raise InputError(what, met=met, column=f"{within}{name}")


def _text(value: Any, name: str, *, empty: bool = False) -> str:
    if not isinstance(value, str) or not (value or empty):
        raise InputError("text", met=value, column=name)
    return value


def _texts(value: Any, name: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or len(set(map(str, value))) < len(value):
        raise InputError("names, at least one and each once", met=value, column=name)
    return tuple(_text(one, name) for one in value)


def _whole(value: Any, name: str, low: int = 0) -> int:
    if type(value) is not int or not low <= value < 2**63:
        raise InputError(f"a whole number from {low} on", met=value, column=name)
    return value


def _number(value: Any, name: str, low: float = -math.inf, high: float = math.inf) -> float:
    fine = isinstance(value, int | float) and not isinstance(value, bool)
    if not fine or not math.isfinite(value) or not low <= value <= high:
        bounds = "" if math.isinf(low) else f" >= {low:g}" + f" and <= {high:g}" * (high < math.inf)
        raise InputError(f"a finite number{bounds}", met=value, column=name)
    return float(value)


def _numbers(value: Any, name: str) -> FloatArray:
    if not isinstance(value, list):
        raise InputError("a list of numbers", met=value, column=name)
    return np.array([_number(one, name) for one in value], np.float64)


def _status(value: Any, name: str) -> Status:
    if value not in list(Status):
        raise InputError(f"one of {', '.join(Status)}", met=value, column=name)
    return Status(value)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    plain = dict(pairs)
    if len(plain) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError("each field once", met="several", column=twice)
    return plain


def _refuse(constant: str) -> None:
    raise InputError("finite numbers", met=constant)
