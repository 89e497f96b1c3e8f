"""The text of a part's code and looks, put together from the files in `static/`.

A widget's code reaches the page as one text, in which an import finds nothing. So what a part imports from files beside
it is put before it and the import left out; that works because no import here renames what it takes.
"""

from __future__ import annotations

import re
from pathlib import Path

STATIC = Path(__file__).with_name("static")
_IMPORT = re.compile(r"""^import\s*\{[^}]*\}\s*from\s*"(\.{1,2}/[\w./-]+\.js)";\n""", re.MULTILINE)


def code(part: str) -> str:
    """The ES module of a part: `common.js`, what the part imports, each file once, and the part itself."""
    return _read("common.js") + _joined((STATIC / f"{part}.js").resolve(), set())


def looks(part: str) -> str:
    """The style sheet of a part: the common one, and its own where it has one."""
    own = f"{part}.css"
    return _read("vidnb.css") + (_read(own) if (STATIC / own).exists() else "")


def _joined(file: Path, seen: set[Path]) -> str:
    """The text of a module after that of all modules that it imports and that were not `seen` before."""
    seen.add(file)
    text = file.read_text(encoding="utf-8")
    imported = [(file.parent / name).resolve() for name in _IMPORT.findall(text)]
    before = [_joined(other, seen) for other in imported if other not in seen]
    return "".join(before) + _IMPORT.sub("", text)


def _read(name: str) -> str:
    return (STATIC / name).read_text(encoding="utf-8")
