"""The program run in this process: what it says, and its exit code, as a user would meet them.

A process of its own costs seconds of imports; test_program.py holds that one says the same.
"""

from __future__ import annotations

import io
from contextlib import chdir, redirect_stderr, redirect_stdout
from typing import NamedTuple

import pytest

from eventtape.cli import main


class Done(NamedTuple):
    returncode: int
    stdout: str
    stderr: str


def program(*arguments, cwd, **env):
    """Run ``main``, exit codes and all; an error that it lets through is raised here."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    with pytest.MonkeyPatch.context() as patch, chdir(cwd):
        patch.setattr("sys.argv", ["eventtape", *map(str, arguments)])
        for name, value in env.items():
            patch.setenv(name, value)
        with redirect_stdout(out), redirect_stderr(err):
            try:
                main()
            except SystemExit as left:
                code = left.code or 0
    return Done(code, out.getvalue(), err.getvalue())
