"""Check that the installed vidnb has every file of the checkout: `python check_wheel.py CHECKOUT`, run elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

# Each must be there at least once: a folder that vanished from checkout and wheel alike would go unnoticed otherwise.
REQUIRED = (
    "py.typed", "catalog/*.toml", "widgets/static/*", "**/migrations/**/*.py", "_notebooks/*.ipynb",
    "serve/naftiko.yaml", "serve/skill/SKILL.md", "serve/skill/references/*.md", "serve/skill/scripts/*.py",
)  # fmt: skip


def package_files(folder: Path) -> Iterator[str]:
    """The files below `folder` that belong into a package, relative to it."""
    for path in folder.rglob("*"):
        relative = path.relative_to(folder)
        hidden = any(part.startswith(".") or part in ("__pycache__", "vidnb-data") for part in relative.parts)
        if path.is_file() and not hidden:
            yield relative.as_posix()


def missing(checkout: Path, installed: Path) -> list[str]:
    """What the checkout has, or a working package needs, and the installed package has not."""
    expected = {*package_files(checkout / "vidnb")}
    expected |= {f"_notebooks/{name}" for name in package_files(checkout / "notebooks")}
    lost = sorted(expected - {*package_files(installed)})
    return lost + [pattern for pattern in REQUIRED if not any(installed.glob(pattern))]


def main() -> int:
    """The exit code: 0 when nothing is missing."""
    spec = find_spec("vidnb")
    if spec is None or spec.origin is None:
        sys.exit("vidnb is not installed here")
    checkout, installed = Path(sys.argv[1]).resolve(), Path(spec.origin).resolve().parent
    if installed.is_relative_to(checkout):
        sys.exit(f"this is the checkout, not an installed wheel: {installed}")
    lost = missing(checkout, installed)
    print("\n".join(f"missing from the wheel: {name}" for name in lost) or f"nothing is missing from {installed.name}")
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
