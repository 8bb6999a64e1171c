"""Models in a folder, one text file each, written whole or not at all.

What is in a file is the business of whoever made it (``frames.up_move_model`` for the up-move
classifier); here it is text under a name that is safe as a file's.
"""

from __future__ import annotations

import re
from pathlib import Path

from eventtape.errors import InputError
from eventtape.wholefile import write_whole

__all__ = ["model_names", "read_model", "save_model"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_+-]{0,79}")
_END = ".model.json"
_MOST_BYTES = 16 * 2**20  # far above any model; a file beyond it is something else


def save_model(folder: str | Path, name: str, text: str) -> Path:
    """The file that now holds the model, instead of an older one of that name."""
    return write_whole(_file(folder, name), text)


def read_model(folder: str | Path, name: str) -> str:
    """The text saved under a name; a name without a file is an :class:`InputError`."""
    file = _file(folder, name)
    try:
        if file.stat().st_size > _MOST_BYTES:
            raise InputError(f"a model of at most {_MOST_BYTES} bytes", file=file)
        return file.read_text(encoding="utf-8")
    except FileNotFoundError:
        known = ", ".join(model_names(folder)) or "none"
        raise InputError(f"a model among those saved ({known})", met=name, file=file) from None
    except UnicodeDecodeError as error:
        raise InputError("a model as UTF-8 text", file=file) from error


def model_names(folder: str | Path) -> tuple[str, ...]:
    """Names of the models in a folder, sorted; none where there is no folder."""
    files = Path(folder).glob(f"*{_END}")
    names = (file.name.removesuffix(_END) for file in files)
    return tuple(sorted(name for name in names if _NAME.fullmatch(name)))


def _file(folder: str | Path, name: str) -> Path:
    if not _NAME.fullmatch(name):
        wanted = "a name of 1 to 80 letters, digits, _ + or -, a letter or digit first"
        raise InputError(wanted, met=name)
    return Path(folder) / f"{name}{_END}"
