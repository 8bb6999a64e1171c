"""An environment of its own for a peer that cannot live in ours, made when it is missing.

``benchmarks/peers/NAME.txt`` pins what it holds; it is built under ``.peers/NAME`` by the uv of the
Makefile and made again when the list is newer. A peer whose build does not say what it needs has
that in ``NAME.build.txt``: installed first, and the peer then built with it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent


def peer_python(name: str) -> Path:
    """The interpreter of the peer's environment."""
    wanted, before = (HERE / "peers" / f"{name}{end}" for end in (".txt", ".build.txt"))
    home = ROOT / ".peers" / name
    python, ready = home / "bin" / "python", home / ".ready"
    lists = [path for path in (before, wanted) if path.exists()]
    newest = max(path.stat().st_mtime for path in lists)
    if ready.exists() and ready.stat().st_mtime >= newest:
        return python
    uv = shutil.which("uv") or str(ROOT / ".tools" / "bin" / "uv")
    asked = {"UV_SYSTEM_CERTS": "true", "UV_PYTHON_DOWNLOADS": "never", "UV_LINK_MODE": "copy"}
    settings = {**asked, **os.environ}
    venv = [uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(home)]
    install = [uv, "pip", "install", "--quiet", "--python", str(python)]
    isolation = ["--no-build-isolation"] if before in lists else []
    installs = [[*install, *isolation, "-r", str(path)] for path in lists]
    for command in (venv, *installs):
        subprocess.run(command, check=True, env=settings)
    ready.touch()
    return python
