"""What `vidnb doctor` looks at: each check yields findings, and none of them can show a key or a password."""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from vidnb.cli.folder import is_unused
from vidnb.display.host import Host, host, shortcomings
from vidnb.errors import ConfigError, StoreError, VidnbError
from vidnb.records import TERMINAL, State

if TYPE_CHECKING:
    from vidnb.providers import Provider

Level = Literal["ok", "note", "problem"]
LOW_BYTES = 500 * 2**20
CODECS: dict[str, tuple[str, Literal["r", "w"], Level]] = {
    "encode H.264": ("libx264", "w", "problem"),
    "decode H.264": ("h264", "r", "problem"),
    "decode VP9": ("vp9", "r", "note"),
    "decode AV1": ("libdav1d", "r", "note"),  # FFmpeg's own "av1" only hands over to a graphics card
    "decode AAC": ("aac", "r", "note"),
}
OWN_SETTINGS = ("VIDNB_CATALOG", "VIDNB_LIVE", "VIDNB_FILES_URL", "VIDNB_EMULATOR_SPEED")


@dataclass(frozen=True)
class Finding:
    """One line of the report."""

    what: str
    level: Level
    value: str
    advice: str = ""


def _versions() -> Iterator[Finding]:
    yield Finding("Python", "ok" if sys.version_info >= (3, 11) else "problem", platform.python_version())
    yield Finding("system", "ok", f"{platform.system()} {platform.release()} {platform.machine()}")
    for package in ("vidnb", "httpx", "ipywidgets", "anywidget"):
        yield _version(package, "problem", f"pip install {package}")
    for package in ("jupyterlab", "ipykernel"):
        yield _version(package, "note", "pip install 'vidnb[lab]'")


def _version(package: str, without: Level, advice: str) -> Finding:
    try:
        return Finding(package, "ok", version(package))
    except PackageNotFoundError:
        return Finding(package, without, "not installed", advice)


AROUND: tuple[tuple[str, str, Host], ...] = (
    ("VOILA_PREHEAT", "inside Voila", "voila"),
    ("COLAB_RELEASE_TAG", "Colab", "colab"),
    ("JPY_PARENT_PID", "inside Jupyter", "jupyter"),
    ("VSCODE_PID", "inside VS Code", "vscode"),
    ("JUPYTERHUB_USER", "JupyterHub", "none"),
    ("BINDER_SERVICE_HOST", "Binder", "none"),
    ("CODESPACES", "Codespaces", "none"),
)
"""Variable, what it tells people, and whose pages show the notebooks there."""


def host_findings() -> Iterator[Finding]:
    told = host()
    found = [(words, around) for variable, words, around in AROUND if os.environ.get(variable)]
    if os.environ.get("TERM_PROGRAM") == "vscode" and ("inside VS Code", "vscode") not in found:
        found.append(("inside VS Code", "vscode"))
    yield Finding("host", "ok", ", ".join(["terminal" if told == "none" else told, *(words for words, _ in found)]))
    # `!vidnb doctor` in a cell is a process of its own: what it inherits tells whose page shows the notebook.
    page = told if told != "none" else next((around for _, around in found if around != "none"), told)
    for limit in shortcomings(page):
        yield Finding("host", "note", limit)


def _services() -> Iterator[Finding]:
    from vidnb import plugins, providers
    from vidnb.net.target import environment_key, target

    broken = plugins.broken()
    for why in broken:
        yield Finding("plug-in", "problem", "is left out", why)
    for name in providers.names():
        try:
            provider = providers.get(name)
        except ConfigError as error:
            if str(error) not in broken:  # it can be imported, and yet it is no provider
                yield Finding("plug-in", "problem", "is left out", str(error))
            continue
        own_url = os.environ.get(provider.base_url_env, "").strip()
        key = "key not set"
        try:
            key = _own_server(provider) if provider.start else "key set" if environment_key(provider) else key
            where = target(provider)
        except ConfigError as error:
            said = str(error).replace(repr(own_url), repr(_shown_url(own_url)))
            yield Finding(provider.title, "problem", f"{provider.key_env}: {key}", said)
            continue
        answers = "the built-in emulator answers" if where.in_process else _shown_url(where.base_url)
        yield Finding(provider.title, "ok", f"{provider.key_env}: {key}; {answers}")


def _own_server(provider: Provider) -> str:
    """Return whether a server of the user's own left a token, in place of a key."""
    from vidnb.net.target import given_key

    return "token found" if given_key(provider) else f"no token ({provider.start} starts a server of your own)"


def _has_key(name: str) -> bool:
    """Return whether there is a key for a provider; not where its plug-in is broken."""
    from vidnb import providers
    from vidnb.net.target import given_key

    try:
        provider = providers.get(name)
        return bool(given_key(provider))
    except ConfigError:
        return False


def _shown_url(url: str) -> str:
    """The address without user, password, query and fragment."""
    try:
        parts = urlsplit(url)
        host = f"{parts.hostname}:{parts.port}" if parts.port else parts.hostname
        if parts.password is not None and "@" in parts.path:  # a part of the password stands there
            raise ValueError
    except ValueError:
        return "an address that cannot be read; in a password write @ as %40, / as %2F and : as %3A"
    return f"{parts.scheme}://{host or ''}{parts.path}" if parts.scheme else "an address without http(s)://"


def _settings() -> Iterator[Finding]:
    from vidnb import catalog

    for name in OWN_SETTINGS:
        if value := os.environ.get(name):
            yield Finding(name, "ok", _shown_url(value) if "://" in value else value)
    try:
        yield Finding("catalogue", "ok", f"{len(catalog.load())} models")
    except ConfigError as error:
        yield Finding("catalogue", "problem", "cannot be read", str(error))


def _data_folder() -> Iterator[Finding]:
    from vidnb.files import FREE_BYTES, data_home

    home = data_home()
    there = next(folder for folder in (home, *home.parents) if folder.exists())
    if not there.is_dir() or not _is_writable(there):
        advice = "set VIDNB_HOME to a folder that you may write to"
        yield Finding("data folder", "problem", f"{home} cannot be written", advice)
    else:
        size = _size(_bytes_in(home))
        yield Finding("data folder", "ok", f"{home}, {size if home.exists() else 'made with the first job'}")
    free = shutil.disk_usage(there).free
    level: Level = "problem" if free < FREE_BYTES else "note" if free < LOW_BYTES else "ok"
    yield Finding("free space", level, _size(free), "" if level == "ok" else "free some space")
    if not is_unused():
        yield from _database()


def _bytes_in(folder: Path) -> int:
    """The size of all files; one that another process removes meanwhile counts nothing."""
    total = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(FileNotFoundError):
            total += path.stat().st_size if path.is_file() else 0
    return total


def _is_writable(folder: Path) -> bool:
    """Whether a file can really be made there: permission bits do not tell on every system."""
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def _database() -> Iterator[Finding]:
    shown = "SQLite in the data folder"
    if told := os.environ.get("VIDNB_DATABASE_URL"):
        shown = f"VIDNB_DATABASE_URL={_shown_url(told)}"
    from vidnb.store import Store
    from vidnb.store.shared_time import AHEAD_S, ahead_words

    try:
        store = Store()
        try:
            store.check_sent()
            states, ahead_s = store.states(), store.shared_time.clock_ahead_s
        finally:
            store.close()
    except (StoreError, ConfigError) as error:
        # A driver may quote the address, password included: only our own first words are shown.
        yield Finding("database", "problem", shown, str(error).split(" (")[0])
        return
    yield Finding("database", "ok", shown)
    if abs(ahead_s) > AHEAD_S:
        advice = "set it: the times of this machine's jobs are wrong in the history (leases go by the server's clock)"
        yield Finding("clock", "note", ahead_words(ahead_s), advice)
    unfinished = sum(count for state, count in states.items() if state not in TERMINAL)
    value = f"{sum(states.values())}, {states.get(State.DONE, 0)} with a clip, {unfinished} unfinished"
    yield Finding("jobs", "note" if unfinished else "ok", value, "vidnb resume takes them up" if unfinished else "")


def _codecs() -> Iterator[Finding]:
    import av

    ffmpeg = getattr(av, "ffmpeg_version_info", "") or str(av.library_versions.get("libavcodec"))
    yield Finding("PyAV", "ok", f"{av.__version__}, FFmpeg {ffmpeg}")
    for what, (codec, mode, without) in CODECS.items():
        try:
            av.Codec(codec, mode)
        except ValueError:
            yield Finding(what, without, "missing", "pip install --force-reinstall av")
        else:
            yield Finding(what, "ok", codec)


def _emulator() -> Iterator[Finding]:
    from vidnb.emulator.clips import Scene, render
    from vidnb.media import video

    scene = Scene(model="leonardo/motion_2.0", prompt="koala", width_px=256, height_px=144, duration_s=0.2, fps=10)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.mp4"
        path.write_bytes(render(scene))
        try:
            info = video.verify_video(path)
        except VidnbError as error:
            yield Finding("emulator", "problem", "its clip cannot be read", str(error))
            return
    yield Finding("emulator", "ok", f"rendered {info.duration_s:g} s at {info.width_px}x{info.height_px}, {info.codec}")


CHECKS: tuple[Callable[[], Iterator[Finding]], ...] = (
    _versions, host_findings, _services, _settings, _data_folder, _codecs, _emulator,
)  # fmt: skip


async def live_findings() -> list[Finding]:
    """What each service with a key says of the key."""
    from vidnb import providers

    asked = [name for name in providers.names() if _has_key(name)]
    if not asked:
        return [Finding("services", "note", "no key is set, so none was asked")]
    return [await _live_finding(name) for name in asked]


async def _live_finding(name: str) -> Finding:
    from vidnb import providers
    from vidnb.net.target import target
    from vidnb.net.wire import Wire

    provider = providers.get(name)
    what = f"{provider.title}, live"
    try:
        wire = Wire(target(provider))
        try:
            return Finding(what, "ok", provider.checked(await wire.call(provider.check())))
        finally:
            await wire.aclose()
    except VidnbError as error:
        return Finding(what, "problem", type(error).__name__.removesuffix("Error"), str(error))


def _size(count: int) -> str:
    """A number of bytes for people."""
    amount = float(count)
    for unit in ("B", "kB", "MB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}"
        amount /= 1000
    return f"{amount:.1f} GB"
