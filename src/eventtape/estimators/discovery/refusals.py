"""Why a statement about who moves first is not made: one short reason a row.

A refusal is an answer. Each estimator of this room that withholds a number gives NaN, a
:class:`~eventtape.arrays.Status` for programs and one of these for people.
"""

from __future__ import annotations

from enum import StrEnum

from eventtape.arrays import Status

__all__ = ["Reason", "status_of"]


class Reason(StrEnum):
    """What stands between these data and a leader; ``NONE`` where nothing does."""

    NONE = ""
    FEW_ROWS = "fewer than ten rows a regressor"
    STALE = "prices stand still too often"
    SINGULAR = "residual covariance below full rank"
    SERIAL = "residuals serially correlated"
    RANK_0 = "no common trend found"
    RANK_FULL = "each looks stationary by itself"
    ONE_ALONE = "one series alone may be stationary"
    NO_RESPONSE = "no long-run response"
    WIDE = "information share bounds wider than one half"
    EQUAL = "interval holds equality"
    APART = "apart, but not beyond chance, stale prices or a bounce"
    NO_CONVERGENCE = "the search did not converge"


_STATUS = {
    Reason.NONE: Status.OK,
    Reason.FEW_ROWS: Status.TOO_FEW,
    Reason.STALE: Status.NOT_RESOLVED,
    Reason.WIDE: Status.NOT_RESOLVED,
    Reason.EQUAL: Status.NOT_RESOLVED,
    Reason.APART: Status.NOT_RESOLVED,
    Reason.NO_CONVERGENCE: Status.NO_CONVERGENCE,
}


def status_of(reason: Reason) -> Status:
    """The status that goes with a reason: what is not listed cannot be identified.

    >>> status_of(Reason.RANK_0)
    <Status.NOT_IDENTIFIED: 'not identified'>
    """
    return _STATUS.get(reason, Status.NOT_IDENTIFIED)
