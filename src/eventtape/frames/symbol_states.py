"""Symbols numbered as they come, and states of arrays that grow with them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

import numpy as np

from eventtape.arrays import IntArray
from eventtape.estimators.microstructure.features import FeatureState
from eventtape.estimators.microstructure.signing import Memory
from eventtape.tape.seconds import SecondsState
from eventtape.tape.stream_clock import Reached

__all__ = ["grown", "numbered"]

_State = TypeVar("_State", Memory, FeatureState, SecondsState, Reached)


def grown(state: _State, more: _State) -> _State:
    """The state with further symbols below it."""
    pairs: Iterable[Any] = zip(state, more, strict=True)
    return type(state)(*(np.concatenate(pair) for pair in pairs))


def numbered(numbers: dict[str, int], names: Iterable[str]) -> IntArray:
    """The number of each name; a new one gets the next, and is entered in ``numbers``."""
    return np.array([numbers.setdefault(name, len(numbers)) for name in names], np.int64)
