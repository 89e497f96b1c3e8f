"""Make a browser available for tests/browser: `python tests/browser/install_browser.py [--engines]`.

Uses the one that is there; else the distribution's Chromium where apt-get may be used; else Playwright's own build.
With `--engines` Firefox and WebKitGTK are brought instead, for the long tests; what cannot be had is named, and its
tests are skipped.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))  # run as a script
from engines import find_firefox, find_webkit
from labharness import find_browser

HELP = """No browser could be installed. Do one of these and run this again:
  - install chromium or google-chrome with your system's package manager
  - python -m playwright install --with-deps chromium
  - set CHROMIUM to the path of a Chromium or Chrome that you have"""

ENGINES = {
    "Firefox": (find_firefox, [["firefox-esr"], ["firefox"]]),
    # Its H.264 comes from GStreamer; it draws on a display, which Xvfb is.
    "WebKitGTK": (
        find_webkit,
        [["webkit2gtk-driver", "gstreamer1.0-libav", "gstreamer1.0-plugins-good", "xvfb"]],
    ),
}
"""How each engine is found, and the packages of Debian and Ubuntu that bring it, best first."""


def root_prefix() -> list[str] | None:
    """What to put before a command that needs root: nothing as root, sudo where it asks no password, else None."""
    if os.geteuid() == 0:
        return []
    sudo = shutil.which("sudo")
    if sudo and subprocess.run([sudo, "-n", "true"], capture_output=True).returncode == 0:
        return [sudo, "-n"]
    return None


def from_the_distribution(choices: list[list[str]]) -> Iterator[list[list[str]]]:
    """The commands that install one of these sets of packages, where apt-get may be used."""
    prefix = root_prefix()
    if prefix is not None and shutil.which("apt-get"):
        apt = [*prefix, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get"]
        for packages in choices:
            yield [[*apt, "update"], [*apt, "install", "-y", "--no-install-recommends", *packages]]


def attempts() -> Iterator[list[list[str]]]:
    """The ways to get a browser, best first, each a list of commands to run in order."""
    yield from from_the_distribution([["chromium"], ["chromium-browser"]])
    with_deps = ["--with-deps"] if root_prefix() is not None else []
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


def install_engines() -> None:
    """Bring the other engines, and say which are here."""
    for name, (find, choices) in ENGINES.items():
        found = find()
        for commands in from_the_distribution(choices):
            if found or (all(map(succeeds, commands)) and (found := find())):
                break
        print(f"{name}: {found or 'could not be had; its tests will be skipped'}")


def main() -> int:
    """The exit code: 0 when a browser launches, 1 when none could be had."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--engines", action="store_true", help="bring Firefox and WebKitGTK")
    if parser.parse_args().engines:
        install_engines()
        return 0
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
