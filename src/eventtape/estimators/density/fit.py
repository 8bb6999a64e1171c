r"""What law does one chain of options give the price at expiry, and how sure is it?

The hub: it checks the quotes, finds the forward where none is given, fits the smile
(:mod:`.smile_fit`) and reads the density off it (:mod:`.breeden_litzenberger`), with standard
errors. Options are European; American chains are made so first
(:func:`~eventtape.estimators.pricing.deamericanise.deamericanise`).

Beyond the last strike used nothing is quoted. There the smile goes flat within a standard
deviation, which is an assumption, and its errors grow with the distance, by a slope of .15 of the
volatility at the forward a standard deviation; :class:`Tails` says how much probability lies there.
The density is not clipped: ``negative_mass`` is what arbitrage is left in it, and
:func:`~.repair.repair` takes it out as a step of its own.

A chain that does not identify a density gets none: every number is NaN and ``status`` says why.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from eventtape.arrays import BoolArray, FloatArray, Status
from eventtape.errors import InputError
from eventtape.estimators.density.breeden_litzenberger import Smile
from eventtape.estimators.density.fit_kernel import fit_on_grid
from eventtape.estimators.density.quote_noise import infer_tick
from eventtape.estimators.density.smile_columns import MEAN_COLUMNS, MOST_WAVES
from eventtape.estimators.density.smile_evidence import PRIORS
from eventtape.estimators.density.smile_fit import Hyper
from eventtape.estimators.density.smile_observations import (
    LAMBDA_MEAN,
    LAMBDA_VARIANCE,
    QuoteFate,
)
from eventtape.estimators.pricing.forward import ForwardSource, forward_from_parity

__all__ = ["Density", "SizeWeight", "SmileReport", "Tails", "fit_density"]

_COLUMNS = MEAN_COLUMNS + MOST_WAVES + 1
_POINTS = 201
_FATES = {
    0: Status.OK,
    1: Status.TOO_FEW,
    2: Status.NOT_IDENTIFIED,
    3: Status.NO_CONVERGENCE,
    4: Status.NOT_RESOLVED,
}
_TWICE = -2
_WITH_NUMBERS = (0, 4)

SizeWeight = Literal["fitted", "mid", "microprice"]
_LEANS = {"fitted": (LAMBDA_MEAN, LAMBDA_VARIANCE), "mid": (0.0, 1e-12), "microprice": (1.0, 1e-12)}


class Tails(NamedTuple):
    """What lies beyond the quotes: an assumption, said.

    - ``low_strike``, ``high_strike``: first and last strike used.
    - ``mass_below``, ``mass_above``: probability beyond each; their standard errors.
    """

    low_strike: float
    high_strike: float
    mass_below: float
    mass_below_error: float
    mass_above: float
    mass_above_error: float


class SmileReport(NamedTuple):
    """How the smile was fitted.

    - ``length``, ``size``: of the process, in standard deviations and in parts of the volatility at
      the forward.
    - ``noise_scale``: what sigma_P had to be multiplied by (c kappa); ``rounding_share``: part of
      the quotes' error variance that is the rounding to ticks (median).
    - ``size_weight``, ``size_weight_error``: lambda, 0 where the mid is the value, 1 where the
      microprice is; NaN where no sizes differ.
    - ``misfit``: root mean square of the quotes' misses over their errors.
    - ``quotes_used``; ``fates`` ``(n,)`` of :class:`QuoteFate`, in the order given.
    """

    length: float
    size: float
    noise_scale: float
    rounding_share: float
    size_weight: float
    size_weight_error: float
    misfit: float
    quotes_used: int
    fates: NDArray[np.int8]


class Density(NamedTuple):
    """The risk-neutral law at expiry on a grid of strikes, ``(n,)`` each, and what it rests on.

    - ``strikes``; ``pdf`` per unit of strike; ``cdf``; ``vol`` per sqrt(year); a standard error of
      each. A band at 95% is 1.96 of them either way.
    - ``forward``, ``forward_error``, ``discount``, ``tau``.
    - ``negative_mass``: integral of the negative part of ``pdf``, 0 where there is none.
    - ``tails``; ``report``; ``smile`` and ``hyper``: to evaluate it elsewhere and to go on with.
    - ``status``: ``OK``; ``NOT_RESOLVED``, with numbers: the smile has more detail than the most
      cosines carry, so errors are too small; else everything is NaN: ``TOO_FEW`` (under five quotes
      with a volatility), ``NOT_IDENTIFIED`` (no forward, parity broken, one price at all strikes,
      a volatility that is not positive), ``NO_CONVERGENCE``.
    """

    strikes: FloatArray
    pdf: FloatArray
    cdf: FloatArray
    vol: FloatArray
    pdf_error: FloatArray
    cdf_error: FloatArray
    vol_error: FloatArray
    forward: float
    forward_error: float
    discount: float
    tau: float
    negative_mass: float
    tails: Tails
    report: SmileReport
    smile: Smile
    hyper: Hyper
    status: Status


def fit_density(
    strikes: ArrayLike,
    is_call: ArrayLike,
    bids: ArrayLike,
    asks: ArrayLike,
    bid_sizes: ArrayLike | None = None,
    ask_sizes: ArrayLike | None = None,
    *,
    tau: float,
    forward: float | None = None,
    forward_error: float = 0.0,
    discount: float | None = None,
    spot: float | None = None,
    rate: float | None = None,
    tick: float | None = None,
    size_weight: SizeWeight = "fitted",
    at: ArrayLike | None = None,
) -> Density:
    """The density of the price at expiry, per unit of strike, with errors and a status.

    Parameters
    ----------
    strikes, is_call, bids, asks, bid_sizes, ask_sizes
        One quote each, ``(n,)``, in any order; prices of European options today, NaN or 0 where
        nobody quotes; sizes in contracts, or None.
    tau
        Years to expiry, above 0.
    forward, forward_error, discount
        Where known. A forward alone takes ``discount`` from ``rate``, else 1. Without a forward
        both come from put-call parity, with ``spot`` and ``rate`` as priors.
    tick
        Of the prices; inferred from them when None.
    size_weight
        ``"fitted"``, or a value fixed at the ``"mid"`` or the ``"microprice"``.
    at
        Strikes to evaluate at, positive and rising; by default 201, even in log-strike, beyond the
        quotes by more than six standard deviations.

    Raises
    ------
    InputError
        Arrays of different lengths, a strike that is not positive, the same option twice, a time or
        forward that is not positive.
    """
    K, call, quotes = _columns(strikes, is_call, bids, asks, bid_sizes, ask_sizes)
    if not (0.0 < tau < math.inf):
        raise InputError("a positive number of years to expiry", met=tau, column="tau")
    lean = _LEANS.get(size_weight)
    if lean is None:
        raise InputError(f"one of {', '.join(_LEANS)}", met=size_weight, column="size_weight")
    if tick is None:
        tick = infer_tick(quotes[:2].ravel())
    elif not 0.0 <= tick < math.inf:
        raise InputError("a tick of 0 or more", met=tick, column="tick")
    fates = np.full(K.size, QuoteFate.MISSING, np.int8)
    known = _known_forward(K, call, quotes, tau, forward, forward_error, discount, spot, rate)
    grid = np.empty(_POINTS) if at is None else _rising(at)
    law, numbers = np.empty((6, grid.size)), np.full(18, math.nan)
    coefficients, factor = np.empty(_COLUMNS), np.empty((_COLUMNS, _COLUMNS))
    F, e, D = known
    code, p = fit_on_grid(
        K, call, quotes, F, e, D, tick, *lean, PRIORS, at is None, grid, fates, numbers,
        coefficients, factor, law,
    )  # fmt: skip
    if code < 0:
        wanted = "each strike once a right" if code == _TWICE else "a positive strike"
        raise InputError(wanted, met=float(K[p]), row=p + 1, column="strikes")
    return _density(code, p, known, tau, grid, law, numbers, coefficients, factor, fates, lean)


def _columns(
    strikes: ArrayLike,
    is_call: ArrayLike,
    bids: ArrayLike,
    asks: ArrayLike,
    bid_sizes: ArrayLike | None,
    ask_sizes: ArrayLike | None,
) -> tuple[FloatArray, BoolArray, FloatArray]:
    """Strikes, rights and the four columns of quotes, of one length."""
    K = _numbers("strikes", strikes)
    if K.ndim != 1 or K.size == 0:
        raise InputError("a column of strikes", met=K.shape, column="strikes")
    call = np.asarray(is_call)
    if call.dtype != np.bool_:
        raise InputError("true or false, call or put", met=str(call.dtype), column="is_call")
    if call.ndim == 0:
        call = np.full(K.size, call)
    quotes = np.empty((4, K.size))
    named = {"bids": bids, "asks": asks, "bid_sizes": bid_sizes, "ask_sizes": ask_sizes}
    for row, (name, values) in enumerate(named.items()):
        if values is None:
            quotes[row] = math.nan
            continue
        column = _numbers(name, values)
        if column.shape != K.shape:
            raise InputError(f"as many as strikes, {K.size}", met=column.shape, column=name)
        quotes[row] = column
    if call.shape != K.shape:
        raise InputError(f"as many as strikes, {K.size}", met=call.shape, column="is_call")
    return K, call, quotes


def _numbers(name: str, values: ArrayLike) -> FloatArray:
    try:
        return np.asarray(values, np.float64)
    except (TypeError, ValueError):
        raise InputError("numbers", met=type(values).__name__, column=name) from None


def _rising(at: ArrayLike) -> FloatArray:
    grid = _numbers("at", at).copy()
    rising = grid.ndim == 1 and grid.size > 0 and bool((np.diff(grid) > 0.0).all())
    if not (rising and grid[0] > 0.0 and grid[-1] < math.inf):
        raise InputError("positive, rising strikes", met=grid.shape, column="at")
    return grid


def _known_forward(
    K: FloatArray,
    call: BoolArray,
    quotes: FloatArray,
    tau: float,
    forward: float | None,
    forward_error: float,
    discount: float | None,
    spot: float | None,
    rate: float | None,
) -> tuple[float, float, float]:
    """Forward, its error and the discount; a forward of NaN where nothing gives one."""
    for name, value in (("forward", forward), ("discount", discount), ("spot", spot)):
        if value is not None and not 0.0 < value < math.inf:
            raise InputError("a positive price", met=value, column=name)
    if rate is not None and not math.isfinite(rate):
        raise InputError("a rate a year", met=rate, column="rate")
    if not 0.0 <= forward_error < math.inf:
        raise InputError("an error of 0 or more", met=forward_error, column="forward_error")
    if discount is None and rate is not None:
        discount = math.exp(-rate * tau)
    if forward is not None:
        return forward, forward_error, 1.0 if discount is None else discount
    return _parity(K, call, quotes, tau, discount, spot, rate)


def _parity(
    K: FloatArray,
    call: BoolArray,
    quotes: FloatArray,
    tau: float,
    discount: float | None,
    spot: float | None,
    rate: float | None,
) -> tuple[float, float, float]:
    """Forward, error and discount from put-call parity."""
    if rate is None and discount is not None:
        rate = -math.log(discount) / tau
    bad = np.flatnonzero(~((K > 0.0) & (np.inf > K)))
    if bad.size:
        wanted = "a positive strike"
        raise InputError(wanted, met=float(K[bad[0]]), row=int(bad[0]) + 1, column="strikes")
    strikes = np.unique(K)
    paired = np.full((4, strikes.size), math.nan)
    for right, row in ((True, 0), (False, 2)):
        where = np.searchsorted(strikes, K[call == right])
        paired[row, where] = quotes[0, call == right]
        paired[row + 1, where] = quotes[1, call == right]
    found = forward_from_parity(strikes, *paired, tau=tau, spot=spot, rate=rate)
    usable = found.status is Status.OK or (
        found.status is Status.TOO_FEW and found.source is not ForwardSource.NONE
    )
    if not usable:
        return math.nan, math.nan, math.nan
    return found.forward, found.forward_error, found.discount if discount is None else discount


def _density(
    code: int,
    p: int,
    known: tuple[float, float, float],
    tau: float,
    grid: FloatArray,
    law: FloatArray,
    numbers: FloatArray,
    coefficients: FloatArray,
    factor: FloatArray,
    fates: NDArray[np.int8],
    lean: tuple[float, float],
) -> Density:
    """The answer put together, NaN throughout where there is none."""
    F, e, D = known
    v0, centre, half, ell, size, kappa, scale, used, misses, rounding = numbers[:10].tolist()
    nan = math.nan
    if code not in _WITH_NUMBERS:
        grid, law, p = np.full(grid.size, nan), np.full((6, grid.size), nan), 1
        v0 = centre = half = ell = size = kappa = scale = misses = rounding = nan
        numbers[10:] = nan
        used = int((fates == 0).sum())
        q, H = np.full(0, nan), np.empty((0, 0))
        weight = weight_error = negative = nan
    else:
        q, H = coefficients[: p - 1].copy(), factor[:p, : p - 1].copy()
        told = numbers[17] > 0.0
        weight = float(coefficients[p - 1]) if told else nan
        weight_error = float(abs(factor[p - 1, p - 1])) if told else nan
        negative = float(numbers[16])
    tails = Tails(*numbers[14:16].tolist(), *numbers[10:14].tolist())
    report = SmileReport(
        math.exp(ell), math.exp(size), math.sqrt(scale) * math.exp(kappa), rounding, weight,
        weight_error, math.sqrt(misses / used) if used else nan, int(used), fates,
    )  # fmt: skip
    smile = Smile(F, e, tau, v0, centre, half, q, H)
    hyper = Hyper(v0, centre, half, numbers[3:6].copy(), scale, *lean)
    root = math.sqrt(tau)
    return Density(
        grid, law[1], law[2], law[0] / root, law[4], law[5], law[3] / root,
        F, e, D, tau, negative, tails, report, smile, hyper, _FATES[code],
    )  # fmt: skip
