"""A data folder that may only be read: its history opens and plays, and what would write says so."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from vidnb.client.verbs import Client
from vidnb.errors import ConfigError
from vidnb.store.database import database_url

SMALL = {"model": "1min/damo", "num_frames": 16, "fps": 8, "steps": 10}
READ = """
import sys, vidnb
with vidnb.Client(sys.argv[1]) as client:
    (job,) = client.jobs()
    assert client.history().df.shape[0] == 1
    clip = client.clip(job)
    assert clip.path.read_bytes()[4:8] == b"ftyp"
    assert "<video" in clip._repr_mimebundle_()["text/html"]
    new = lambda: client.generate("new", model="1min/damo", num_frames=16)
    for make in (new, lambda: client.annotate(job, rating=5)):
        try:
            make()
        except vidnb.VidnbError as error:
            assert "VIDNB_HOME" in str(error), error
        else:
            raise AssertionError("it was written")
    print("read", client.job(job).rating)
"""
POWERS = "-dac_override,-dac_read_search,-fowner"


def powerless() -> list[str]:
    """The beginning of a command that a superuser gives up its powers with; a test is skipped where that cannot be."""
    if os.name != "posix":
        pytest.skip("a folder that cannot be written to is made with POSIX rights")
    if os.geteuid() != 0:
        return []
    if not shutil.which("setpriv"):
        pytest.skip("a superuser may write anywhere")
    return ["setpriv", f"--bounding-set={POWERS}", f"--inh-caps={POWERS}"]


@pytest.mark.parametrize("with_log", [False, True])
def test_a_folder_that_may_only_be_read_opens_and_plays(tmp_path: Path, with_log: bool) -> None:
    home, begin = tmp_path / "data", powerless()
    with Client(home) as client:
        client.generate("a koala", **SMALL)
        if with_log:  # a copy of a folder in use: a part of the history is in the log only
            copy = tmp_path / "copy"
            shutil.copytree(home, copy)
    home = copy if with_log else home
    assert (home / "vidnb.db-wal").exists() is with_log
    for path in [home, *home.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        command = [*begin, sys.executable, "-c", READ, str(home)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    finally:
        for path in [home, *home.rglob("*")]:
            path.chmod(0o755)
    assert (done.stdout.strip(), done.returncode) == ("read None", 0), done.stderr


NOBODY = 65534
AS_NOBODY = f"""
import os, sys
read = {READ!r}
def make(home):
    with vidnb.Client(home) as client:
        clip = client.generate("a koala", model="1min/damo", num_frames=16, fps=8, steps=10)
        assert client.history().df.shape[0] == 1 and "<video" in clip._repr_mimebundle_()["text/html"]
import vidnb
roots, own = sys.argv[1:]
make(own + "/warm")  # what is imported late may lie where only the superuser reads
os.setgroups([]), os.setgid({NOBODY}), os.setuid({NOBODY})
make(own + "/mine")
sys.argv[1] = roots
exec(read)
"""


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only a superuser can become somebody else")
def test_somebody_else_makes_clips_of_their_own_and_plays_those_of_a_folder_that_is_the_superusers() -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        roots, own = Path(folder, "roots"), Path(folder, "own")
        Path(folder).chmod(0o755)
        with Client(roots) as client:
            client.generate("a koala", **SMALL)
        own.mkdir()
        own.chmod(0o777)
        command = [sys.executable, "-c", AS_NOBODY, str(roots), str(own)]
        environment = os.environ | {"HOME": str(own), "TMPDIR": str(own)}
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=own, env=environment)
    assert (done.stdout.strip(), done.returncode) == ("read None", 0), done.stderr


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:pa55@host:port/db", "postgresql://[::1", "x", "sqlite://", "a://b://c",
        "postgresql://me:a@pa55/x@host/db", "postgresql://me:a@pa55@host/db",
    ],
)  # fmt: skip
def test_an_address_of_a_database_that_is_none_is_told_without_its_password(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        database_url(url)
    assert "pa55" not in str(caught.value)
