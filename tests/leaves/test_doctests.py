"""Every example in a docstring is true."""

from __future__ import annotations

import doctest
import pkgutil
from importlib import import_module

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
    tried = sum(doctest.testmod(import_module(name)).attempted for name in MODULES)
    assert tried >= 10
