"""States as bytes and back, bit for bit: what a restart starts from.

A JSON tree says what is what, raw buffers hold the numbers, and in front stand a version, a length
and a checksum of both. Nothing is pickled: a class is named by module and name, must be an enum, a
NamedTuple or a frozen dataclass of eventtape with the fields it had, and no code runs but its own
definition. What a state may hold is said in :mod:`~eventtape.stream.fold`.

Arrays keep type, shape, bits and the order they lie in; they come back aligned and writable.
"""

from __future__ import annotations

import dataclasses
import enum
import hashlib
import importlib
import json
import struct
from collections.abc import Mapping
from importlib.metadata import version
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl

from eventtape.errors import InputError
from eventtape.stream.fold import Program
from eventtape.stream.frame_bytes import frame_from, frame_tree

__all__ = ["fingerprint", "pack", "unpack"]

_MAGIC = b"eventtape state\x01"  # the last byte is the version
_HEAD = struct.Struct("<16sQ16s")
_TREE = struct.Struct("<Q")
_HOUSE = "eventtape"
_SCALARS = "biufcmM"  # kinds of NumPy types that are nothing but their bytes
_ARRAYS = _SCALARS + "US"
_TAGS = frozenset(
    ("float", "bytes", "enum", "scalar", "array", "frame", "tuple", "list", "dict", "fields")
)


def pack(states: Mapping[str, Any]) -> bytes:
    """The bytes of states by node; equal states give equal bytes.

    Raises :class:`InputError`, naming the place, on what a state may not hold.
    """
    return _bytes_of(dict(states), house_only=True)


def unpack(data: bytes) -> dict[str, Any]:
    """The states of :func:`pack`; damaged or foreign bytes are an :class:`InputError`."""
    if len(data) < _HEAD.size or not data.startswith(_MAGIC[:-1]):
        raise InputError("a snapshot of states", met=data[:20])
    magic, length, digest = _HEAD.unpack_from(data)
    if magic != _MAGIC:
        raise InputError(f"a snapshot of version {_MAGIC[-1]}", met=magic[-1])
    body = memoryview(data)[_HEAD.size :]
    if len(body) != length or _digest(body) != digest:
        raise InputError("a whole snapshot, its checksum as it was written", met=len(data))
    try:
        (size,) = _TREE.unpack_from(body)
        lengths, tree = json.loads(bytes(body[_TREE.size : _TREE.size + size]))
        rest = body[_TREE.size + size :]
        ends = np.cumsum([0, *lengths])
        buffers = [bytes(rest[a:b]) for a, b in pairwise(ends)]
        states = _Reader(buffers).value(tree)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, struct.error) as error:
        if isinstance(error, InputError):
            raise
        raise InputError("a snapshot that this version wrote", met=str(error)) from error
    if not isinstance(states, dict):
        raise InputError("states by node", met=type(states).__name__)
    return states


def fingerprint(program: Program) -> str:
    """A hash of the nodes' names, inputs, folds and options, and of our version; 32 hex digits.

    A snapshot belongs to the program of its fingerprint: states of other options are not used, nor
    those of another version, whose formulas may differ.
    """
    about: list[Any] = [(node.name, node.inputs, node.feeds, node.fold) for node in program]
    about.append(version("eventtape"))
    return hashlib.blake2b(_bytes_of(about, house_only=False), digest_size=16).hexdigest()


def _bytes_of(value: Any, *, house_only: bool) -> bytes:
    writer = _Writer(house_only)
    tree = writer.value(value, "states")
    lengths = [len(one) for one in writer.buffers]
    text = json.dumps([lengths, tree], separators=(",", ":"), allow_nan=False).encode()
    body = b"".join([_TREE.pack(len(text)), text, *writer.buffers])
    return _HEAD.pack(_MAGIC, len(body), _digest(body)) + body


def _digest(body: bytes | memoryview) -> bytes:
    return hashlib.blake2b(body, digest_size=16).digest()


def _is_named(kind: type) -> bool:
    return issubclass(kind, tuple) and isinstance(getattr(kind, "_fields", None), tuple)


def _is_frozen(kind: type) -> bool:
    return dataclasses.is_dataclass(kind) and bool(
        kind.__dataclass_params__.frozen  # type: ignore[attr-defined]  # where dataclass keeps it
    )


class _Writer:
    """Values to trees: JSON's own for text, whole numbers, truth and None, else a tagged list."""

    def __init__(self, house_only: bool) -> None:
        self.buffers: list[bytes] = []
        self.house_only = house_only

    def put(self, data: bytes) -> int:
        self.buffers.append(data)
        return len(self.buffers) - 1

    def value(self, value: Any, place: str) -> Any:
        kind = type(value)
        if value is None or kind in (bool, int, str):
            return value
        if kind is float:
            return ["float", struct.pack("<d", value).hex()]
        if isinstance(value, np.ndarray | np.generic):
            return self._array(value, place)
        if kind is pl.DataFrame:
            try:
                return ["frame", frame_tree(value, self.put)]
            except InputError as error:
                error.add_note(f"in {place}")
                raise
        return self._holder(kind, value, place)

    def _holder(self, kind: type, value: Any, place: str) -> Any:
        if kind is bytes:
            return ["bytes", self.put(value)]
        if isinstance(value, enum.Enum):
            return ["enum", *self._named(kind, place), value.name]
        if kind in (tuple, list):
            parts = [self.value(one, f"{place}[{i}]") for i, one in enumerate(value)]
            return [kind.__name__, parts]
        if kind is dict:
            if any(type(key) not in (str, int) for key in value):
                raise InputError(f"text or whole numbers as keys of {place}", met=list(value)[:3])
            return ["dict", [[k, self.value(v, f"{place}[{k!r}]")] for k, v in value.items()]]
        if _is_named(kind):
            fields = list(value._fields)
            return self._fields(kind, fields, list(value), place)
        if _is_frozen(kind):
            fields = [field.name for field in dataclasses.fields(value)]
            return self._fields(kind, fields, [getattr(value, name) for name in fields], place)
        raise InputError(f"what a state may hold at {place}", met=f"{kind.__module__}.{kind}")

    def _fields(self, kind: type, fields: list[str], values: list[Any], place: str) -> Any:
        named = self._named(kind, place)
        pairs = zip(fields, values, strict=True)
        return ["fields", *named, fields, [self.value(v, f"{place}.{f}") for f, v in pairs]]

    def _named(self, kind: type, place: str) -> list[str]:
        if self.house_only and _found(kind.__module__, kind.__qualname__) is not kind:
            raise InputError(f"a class of {_HOUSE} at {place}", met=kind.__qualname__)
        return [kind.__module__, kind.__qualname__]

    def _array(self, value: Any, place: str) -> Any:
        alone = isinstance(value, np.generic)
        if (
            value.dtype.kind not in (_SCALARS if alone else _ARRAYS)
            or not (alone or type(value) is np.ndarray)
            or value.dtype.itemsize == 0
        ):
            raise InputError(f"arrays of plain numbers or text at {place}", met=repr(value)[:80])
        if alone:
            return ["scalar", value.dtype.str, self.put(value.tobytes())]
        across = value.flags.f_contiguous and not value.flags.c_contiguous
        order = "F" if across else "C"
        data = self.put(value.tobytes(order))
        return ["array", value.dtype.str, list(value.shape), order, data]


class _Reader:
    """Trees back to values."""

    def __init__(self, buffers: list[bytes]) -> None:
        self.buffers = buffers

    def value(self, tree: Any) -> Any:
        if not isinstance(tree, list):
            return tree
        tag, *rest = tree
        if tag not in _TAGS:
            raise InputError(f"one of {', '.join(sorted(_TAGS))}", met=tag)
        return getattr(self, f"_{tag}")(*rest)

    def _float(self, digits: str) -> float:
        return float(struct.unpack("<d", bytes.fromhex(digits))[0])

    def _bytes(self, buffer: int) -> bytes:
        return self.buffers[buffer]

    def _enum(self, module: str, name: str, member: str) -> Any:
        kind = _found(module, name)
        if kind is None or not issubclass(kind, enum.Enum):
            raise InputError(f"an enum of {_HOUSE}", met=f"{module}.{name}")
        return kind[member]

    def _scalar(self, dtype: str, buffer: int) -> Any:
        return np.frombuffer(self.buffers[buffer], np.dtype(dtype))[0]

    def _array(self, dtype: str, shape: list[int], order: str, buffer: int) -> Any:
        flat = np.frombuffer(self.buffers[buffer], np.dtype(dtype))
        return flat.reshape(shape, order="F" if order == "F" else "C").copy(order="K")

    def _frame(self, tree: list[Any]) -> pl.DataFrame:
        return frame_from(tree, self.buffers.__getitem__)

    def _tuple(self, parts: list[Any]) -> tuple[Any, ...]:
        return tuple(self.value(part) for part in parts)

    def _list(self, parts: list[Any]) -> list[Any]:
        return [self.value(part) for part in parts]

    def _dict(self, pairs: list[Any]) -> dict[Any, Any]:
        return {key: self.value(part) for key, part in pairs}

    def _fields(self, module: str, name: str, fields: list[str], parts: list[Any]) -> Any:
        kind = _found(module, name)
        values = [self.value(part) for part in parts]
        if kind is not None and _is_named(kind) and list(kind._fields) == fields:  # type: ignore[attr-defined]
            return kind(*values)
        if (
            kind is not None
            and _is_frozen(kind)
            and [field.name for field in dataclasses.fields(kind)] == fields
        ):
            made: Any = object.__new__(kind)
            for field, value in zip(fields, values, strict=True):
                object.__setattr__(made, field, value)
            return made
        raise InputError(f"a class of {_HOUSE} with the fields {fields}", met=f"{module}.{name}")


def _found(module: str, name: str) -> type | None:
    """The class of that name if it stands in eventtape, else None."""
    if module != _HOUSE and not module.startswith(f"{_HOUSE}."):
        return None
    try:
        found: Any = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError):
        return None
    return found if isinstance(found, type) and found.__module__ == module else None
