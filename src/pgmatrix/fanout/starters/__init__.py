"""Owns the files pgmatrix writes into other projects: their texts, in this folder, and that nothing is overwritten."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path

_PLACEHOLDER = re.compile(r"@([a-z]+)@")


def starter(name: str, **values: str) -> str:
    """The text of the file `name` of this folder, each `@word@` in it replaced by the value of that name."""
    text = files(__name__).joinpath(f"{name}.txt").read_text(encoding="utf-8")
    return _PLACEHOLDER.sub(lambda match: values[match[1]], text)


def write_new(path: Path, text: str) -> bool:
    """Write a file that is not there yet, and say whether that was so."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        return False
    return True
