"""Make a browser available for tests/browser: `python tests/browser/install_browser.py`.

Uses the one that is there; else the distribution's Chromium where apt-get may be used; else Playwright's own build.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))  # run as a script
from labharness import find_browser

HELP = """No browser could be installed. Do one of these and run this again:
  - install chromium or google-chrome with your system's package manager
  - python -m playwright install --with-deps chromium
  - set CHROMIUM to the path of a Chromium or Chrome that you have"""


def root_prefix() -> list[str] | None:
    """What to put before a command that needs root: nothing as root, sudo where it asks no password, else None."""
    if os.geteuid() == 0:
        return []
    sudo = shutil.which("sudo")
    if sudo and subprocess.run([sudo, "-n", "true"], capture_output=True).returncode == 0:
        return [sudo, "-n"]
    return None


def attempts() -> Iterator[list[list[str]]]:
    """The ways to get a browser, best first, each a list of commands to run in order."""
    prefix = root_prefix()
    if prefix is not None and shutil.which("apt-get"):
        apt = [*prefix, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get"]
        for package in ("chromium", "chromium-browser"):
            yield [[*apt, "update"], [*apt, "install", "-y", "--no-install-recommends", package]]
    with_deps = ["--with-deps"] if prefix is not None else []
    yield [[sys.executable, "-m", "playwright", "install", *with_deps, "chromium"]]


def succeeds(command: list[str]) -> bool:
    """Whether the command, shown first, exits with 0."""
    print("+", *command, flush=True)
    return subprocess.run(command, stdin=subprocess.DEVNULL).returncode == 0


def install() -> str | None:
    """The browser that the first successful attempt brought, or None."""
    for commands in attempts():
        if all(map(succeeds, commands)) and (executable := find_browser()):
            return executable
    return None


def main() -> int:
    """The exit code: 0 when a browser launches, 1 when none could be had."""
    found = find_browser()
    executable = found or install()
    if executable is None:
        print(HELP, file=sys.stderr)
        return 1
    version = subprocess.run([executable, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    print(f"{'found' if found else 'installed'}: {version} at {executable}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
