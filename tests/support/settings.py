"""Seeded runs of settings that no library can use: whatever a person typed, each verb answers, or says why.

Each run is a process of its own with one or two wrong settings, in which every verb is called. What comes out is
written down: an error of another library, or a message that shows a password, is a fault.
"""

from __future__ import annotations

import io
import os
import random
import sqlite3
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from counting import KEY, VALUES, CountingService
from hardships import ended, no_rest
from stranger import film

import vidnb
from vidnb.errors import VidnbError

SECRET = "hunter2"
DATABASES = (
    "postgresql://me:hunter2@127.0.0.1:1/x", "postgres://me:hunter2@127.0.0.1:1/x", "mysql://me:hunter2@127.0.0.1/x",
    "sqlite:///", "sqlite://", "sqlite:////nowhere/deep/vidnb.db", "oracle://me:hunter2@h/x", "not a url",
    "http://h/x",
    "postgresql://me:hunter2@[::1/x", "postgresql://me:hunter2@h:port/x", "postgresql://", "redis://h", ":",
    "://", " ",
    "sqlite+aiosqlite:///x.db", "postgresql+asyncpg://me:hunter2@h/x", "sqlite:///{home}", "sqlite:///{home}/\0",
    "sqlite:////dev/null", "sqlite:////dev/full", "sqlite:///{home}/x.db?mode=ro&uri=true", "sqlite:///{long}",
    "postgresql://me:hunter2@127.0.0.1:1/x?sslmode=nonsense", "postgresql://me:hunter2@127.0.0.1:99999/x", "sqlite",
    "postgresql://me:hunter2@no.such.host.invalid/x", "postgresql+psycopg2://me:hunter2@h/x", "{home}/vidnb.db",
)  # fmt: skip
FILES = (
    "s3://bucket/x", "s3://me:hunter2@bucket/x", "gs://bucket", "az://x", "http://127.0.0.1:1/x", "nonsense://x",
    "ftp://me:hunter2@127.0.0.1:1/x", "sftp://me:hunter2@127.0.0.1:1/x", "zip://nothing.zip", "file:///dev/null/x",
    "://", "/dev/null/x", "file://", "local:///dev/null/x", "local:///proc/x", "{long}", "/proc/x", "\0",
    "github://a:b@c",
    "memory://x", "simplecache::memory://x", "dir::file:///nowhere", "reference://", "data:,x",
    "hdfs://me:hunter2@h/x",
)  # fmt: skip
FOLDERS = (
    "/dev/null", "/dev/null/x", "/proc/x", "/sys/x", "/nowhere/{long}", "{long}", "{deep}", "{home}/file",
    "{home}/file/x",
    "{home}/loop", "{home}/dangling", "~nobody-knows/x", "{home}/a\nb", "{home}/%2e%2e", "{home}/\udcff",
    "{home}/é漢😀",
    "{home}/no db", "{home}/garbage", "{home}/other", "{home}/cut", "{home}/files is a file", "{home}/ ",
    "\0", "{home}/a'b\"c",
    "{home}/a?b#c", "{home}/a;b", "/",
)  # fmt: skip
NETWORK: dict[str, tuple[str, ...]] = {
    "SSL_CERT_FILE": ("/nowhere.pem", "/dev/null", "{home}", "{home}/file", "", "\udcff", "{long}"),
    "SSL_CERT_DIR": ("/nowhere", "{home}/file", "{home}"),
    "HTTPS_PROXY": (
        "socks5://127.0.0.1:1", "socks4://127.0.0.1:1", "http://[", "nonsense", "http://h:99999", "http://127.0.0.1:1",
        "ftp://127.0.0.1:1", "://", "http://me:hunter2@127.0.0.1:1", "http://me:hunter2@[::1",
        "http://\udcff", "http://",
        "http://h:port", "http://a b", "https://127.0.0.1:1", "socks5h://me:hunter2@127.0.0.1:1",
    ),
    "ALL_PROXY": ("socks5://127.0.0.1:1", "nonsense", "http://h:port", "http://["),
    "HTTP_PROXY": ("socks5://127.0.0.1:1", "nonsense", "http://h:port", "http://["),
    "NO_PROXY": ("[::1", "*", "://", "a b,,", "\udcff", "127.0.0.1:port"),
    "LEONARDO_BASE_URL": (
        "", "nonsense", "http://", "http://[", "ftp://h", "http://h:99999/x", "http://127.0.0.1:1",
        "https://127.0.0.1:1",
        "http://\udcff", "http://h:port", "https://no.such.host.invalid", "http://a b/",
        "http://me:hunter2@127.0.0.1:1/x",
        "https://" + "a" * 70 + ".invalid", "http://127.0.0.1:1/?key=hunter2", "//h", "http://.",
        "http://xn--", "https://é漢😀.invalid",
    ),
    "LEONARDO_API_KEY": ("", " ", "a b", "a\nb", "ключ", "\udcff", "x" * 9999, "\tx"),
    "VIDNB_BUDGET_USD": ("abc", "-1", "nan", "inf", "1e999", "", "1,5", "\udcff"),
    "VIDNB_LIVE": ("maybe", "1", "", "yes", "\udcff"),
    "VIDNB_EMULATOR_SPEED": ("abc", "0", "-3", "nan", "inf", ""),
    "VIDNB_CATALOG": ("/nowhere.toml", "{home}", "{home}/file", "\udcff", "/dev/null", "{long}"),
    "HOME": ("", "/nowhere", "{home}/file", "\udcff"),
    "TMPDIR": ("/nowhere", "{home}/file"),
}  # fmt: skip
ENCODINGS = ("ascii", "cp1252", "cp437", "cp932", "latin-1", "utf-16", "koi8-r", "utf-8")
ODD_PROMPT = 'a koala – "é" 漢字 😀 \u200f\u0007'


def wrong_settings(seed: int) -> Counter[str]:
    """B18: database addresses, folders, certificates, proxies and consoles that no library can use."""
    dice, found, service = random.Random(seed), Counter[str](runs=1), CountingService(film(40))
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as parent, service.serving():
        home = Path(parent)
        _prepare(home)
        child = _child(service, home, dice)
        found["hangs"] += int(not ended(child))
        told = (home / "told").read_text("utf-8", "replace").splitlines() if (home / "told").exists() else []
    found["processes that ended"] += int(told[-1:] != ["END"])
    found["raw errors"] += sum(line.startswith("RAW ") for line in told)
    found["secrets told"] += sum(SECRET in line for line in told if not line.startswith("WITH "))
    found["second payments"] += len(service.prompts) - len(set(service.prompts))
    if len(+found) > 1:
        print(*told, sep="\n", file=sys.stderr)
    return +found


def _prepare(home: Path) -> None:
    """Make the folders that the settings name."""
    (home / "file").write_text("a file", encoding="utf-8")
    (home / "loop").symlink_to(home / "loop")
    (home / "dangling").symlink_to(home / "nothing")
    for name in ("no db", "garbage", "other", "cut", "files is a file"):
        (home / name).mkdir()
    (home / "no db/vidnb.db").mkdir()
    (home / "garbage/vidnb.db").write_bytes(b"not a database" * 99)
    with sqlite3.connect(home / "other/vidnb.db") as other:
        other.execute("CREATE TABLE jobs (x)")
    other.close()
    (home / "cut/vidnb.db").write_bytes((home / "other/vidnb.db").read_bytes()[:5000])
    (home / "files is a file/files").write_text("a file", encoding="utf-8")


def _child(service: CountingService, home: Path, dice: random.Random) -> int:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 warns of each fork with threads
        pid = os.fork()
    if pid:
        return pid
    told = (home / "told").open("w", buffering=1, encoding="utf-8", errors="backslashreplace")
    try:
        for stream in ("stdout", "stderr"):
            setattr(sys, stream, io.TextIOWrapper(io.BytesIO(), dice.choice(ENCODINGS), write_through=True))
        sys.stdin = io.StringIO("")
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "VIDNB_FILES_URL", "VIDNB_DATABASE_URL"):
            os.environ.pop(name, None)
        os.environ |= {**service.environment, "LEONARDO_API_KEY": KEY, "VIDNB_HOME": str(home / "data")}
        os.chdir(home)
        for _ in range(dice.choice([1, 1, 2])):
            _set(home, dice, told)
        _call_all(home, dice, told)
        for stream in (sys.stdout, sys.stderr):
            if SECRET.encode() in stream.buffer.getvalue():  # type: ignore[attr-defined]  # of the two above
                told.write(f"PRINTED {SECRET}\n")
        told.write("END\n")
    except BaseException as error:  # noqa: BLE001  # the parent reads it
        told.write(f"RAW outside of verbs: {error!r}\n")
    finally:
        told.close()
        os._exit(0)


def _set(home: Path, dice: random.Random, told: Any) -> None:
    name = dice.choice(["VIDNB_DATABASE_URL", "VIDNB_FILES_URL", "VIDNB_HOME", *NETWORK])
    values = {"VIDNB_DATABASE_URL": DATABASES, "VIDNB_FILES_URL": FILES, "VIDNB_HOME": FOLDERS} | NETWORK
    given = dice.choice(values[name])
    for word, text in (("{home}", str(home)), ("{long}", "x" * 300), ("{deep}", "/".join(["y" * 100] * 60))):
        given = given.replace(word, text)
    told.write(f"WITH {name}={given[:99]!r}\n")
    with suppress(ValueError):  # no system takes a zero byte there
        os.environ[name] = given


def _call_all(home: Path, dice: random.Random, told: Any) -> None:
    """Call the verbs in some order, and write down what each says."""
    https = dice.random() < 0.3
    if https and os.environ["LEONARDO_BASE_URL"].startswith("http://127.0.0.1:"):
        os.environ["LEONARDO_BASE_URL"] = "https://127.0.0.1:1/x"  # so that certificates and proxies are asked for

    def tell(name: str, call: Callable[[], Any]) -> Any:
        try:
            value = call()
        except VidnbError as error:
            told.write(f"SAID {name}: {type(error).__name__}: {str(error)!r}\n")
        except SystemExit as error:
            told.write(f"EXIT {name}: {error.code}\n")
        except BaseException as error:  # noqa: BLE001  # that there is none is what is tried here
            told.write(f"RAW {name}: {type(error).__module__}.{type(error).__name__}: {str(error)!r}\n")
        else:
            return value
        return None

    client = tell("Client", lambda: vidnb.Client(sleep=no_rest))
    if client is None:
        return
    verbs: dict[str, Callable[[], Any]] = {
        "generate": lambda: client.generate(ODD_PROMPT, timeout_s=5, **VALUES)._repr_mimebundle_(),
        "emulated": lambda: client.submit("a koala", model="1min/damo", num_frames=16, fps=8, steps=10),
        "with a picture": lambda: client.submit("b", start_image="https://127.0.0.1:1/a.png", **VALUES),
        "jobs": lambda: client.jobs()._repr_html_(),
        "history": lambda: client.history().df,
        "shown": lambda: client.history()._repr_html_(),
        "budget": lambda: client.budget(),
        "cap": lambda: client.budget(jobs=99),
        "spent": lambda: client.spent(),
        "resume": lambda: client.resume(timeout_s=5),
        "reconcile": lambda: client.reconcile(),
        "models": lambda: vidnb.models()._repr_html_(),
        "quote": lambda: client.quote("a koala", **VALUES),
        "job": lambda: client.job("nothing"),
        "clip": lambda: client.clip("nothing"),
        "cancel": lambda: client.cancel("nothing"),
        "settle": lambda: client.settle("nothing", "give_up"),
        "annotate": lambda: client.annotate("nothing", rating=3),
        "request": lambda: client.request(home / "file"),
        "open_bundle": lambda: client.open_bundle(home / "file"),
        "wait": lambda: client.wait("nothing"),
    }  # fmt: skip
    verbs |= {f"vidnb {words}": lambda words=words: _command(words) for words in COMMANDS}
    for name in dice.sample(list(verbs), len(verbs)):
        tell(name, verbs[name])
    tell("close", client.close)


COMMANDS = (
    "history", "models", "budget", "doctor", "resume --timeout 3", "settle nothing --give-up",
    "generate koala --model leonardo/motion_2.0 --timeout 5",
)  # fmt: skip


def _command(words: str) -> None:
    """Run a command of the command line in this process."""
    from vidnb import cli

    sys.argv = ["vidnb", *words.split()]
    cli.main()


SET = {"B18 wrong settings": wrong_settings}
