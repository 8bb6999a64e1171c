"""Was this key among the newest so many? A set of fixed size that forgets the oldest first.

A ring holds the keys in the order they were met, and a table of twice as many slots or more finds
them (open addressing, linear probing). Nothing grows: a dictionary with keys coming in and going
out is built anew now and then, and at half a million of them everything waits for that.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from eventtape.arrays import BoolArray, IntArray
from eventtape.errors import InputError

__all__ = ["KeyMemory"]

_MIX = np.uint64(0x9E3779B97F4A7C15)  # 2^64 over the golden ratio: spreads keys that are counts
_MET, _BITS = 0, 1  # places in the numbers: how many keys were ever met, log2 of the slots


class KeyMemory:
    """The newest ``memory`` keys (int64) met."""

    def __init__(self, memory: int) -> None:
        if memory < 1:
            raise InputError("at least 1 key to remember", met=memory)
        bits = (2 * memory - 1).bit_length()
        self._ring = np.zeros(memory, np.int64)
        self._slots = np.zeros(2**bits, np.int32)  # place in the ring + 1; 0: free
        self._numbers = np.array([0, bits])

    def meet(self, keys: IntArray) -> BoolArray:
        """Whether each key is new, the ones before it in ``keys`` included; it is not any more."""
        new = np.empty(keys.size, np.bool_)
        _meet(np.ascontiguousarray(keys, np.int64), self._ring, self._slots, self._numbers, new)
        return new

    def newest(self, count: int) -> IntArray:
        """The last ``count`` keys met, or as many as there are, in the order they were met."""
        met, size = int(self._numbers[_MET]), self._ring.size
        found: IntArray = self._ring[np.arange(max(met - min(count, size), 0), met) % size]
        return found


@njit(cache=True)
def _slot(key: int, bits: int) -> Any:
    return np.int64((np.uint64(key) * _MIX) >> np.uint64(64 - bits))


@njit(cache=True)
def _find(key: int, ring: IntArray, slots: Any, bits: int) -> int:
    """The slot of the key, or the free one where it would stand."""
    last = slots.size - 1
    at: int = _slot(key, bits)
    while slots[at] and ring[slots[at] - 1] != key:
        at = (at + 1) & last
    return at


@njit(cache=True)
def _forget(key: int, ring: IntArray, slots: Any, bits: int) -> None:
    """Free the slot of a key; those behind it that would no longer be found move up."""
    last = slots.size - 1
    hole = _find(key, ring, slots, bits)
    slots[hole] = 0
    at = (hole + 1) & last
    while slots[at]:
        home = _slot(ring[slots[at] - 1], bits)
        if (at - home) & last >= (at - hole) & last:
            slots[hole] = slots[at]
            slots[at] = 0
            hole = at
        at = (at + 1) & last


@njit(cache=True)
def _meet(keys: IntArray, ring: IntArray, slots: Any, numbers: IntArray, new: BoolArray) -> None:
    bits = numbers[_BITS]
    for i in range(keys.size):
        at = _find(keys[i], ring, slots, bits)
        new[i] = slots[at] == 0
        if not new[i]:
            continue
        place = numbers[_MET] % ring.size
        if numbers[_MET] >= ring.size:
            _forget(ring[place], ring, slots, bits)
            at = _find(keys[i], ring, slots, bits)
        ring[place] = keys[i]
        slots[at] = place + 1
        numbers[_MET] += 1
