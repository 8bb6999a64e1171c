"""Every example in a docstring is true."""

from __future__ import annotations

import doctest
import pkgutil
from importlib import import_module
from itertools import accumulate

import pytest

import eventtape

MODULES = sorted(
    {"eventtape"} | {m.name for m in pkgutil.walk_packages(eventtape.__path__, "eventtape.")}
)


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings(name):
    assert doctest.testmod(import_module(name)).failed == 0


def test_there_are_examples():
    """Else the test above says nothing."""
    finder = doctest.DocTestFinder()
    found = (len(t.examples) for name in MODULES for t in finder.find(import_module(name)))
    assert any(total >= 10 for total in accumulate(found))
