"""Somebody else's package: from `pip install` to a clip without a key, and an old history once it is gone."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ACME = Path(__file__).with_name("support") / "acme"
MAKE = """
import vidnb
clip = vidnb.generate("a koala", model="acme/koala", seed=7)
assert clip.emulated and clip.info.width_px == 320, clip
assert "acme/koala" in set(vidnb.models().id)
vidnb.budget("lesson", usd=0.03)
vidnb.generate("a cat", model="acme/koala", purse="lesson")
try:
    vidnb.submit("a bird", model="acme/koala", purse="lesson")
except vidnb.BudgetError as error:
    print(error)
form = vidnb.widgets.ModelPicker("acme/koala")
assert form._providers["acme"] == "Acme Video"
"""
OPEN = """
import vidnb
assert "acme/koala" not in set(vidnb.models().id)
history = vidnb.history()
assert [item.prompt for item in history] == ["a cat", "a koala"]
clip = history[1]
assert clip.path.read_bytes()[4:8] == b"ftyp"
assert "koala" in clip._repr_mimebundle_()["text/html"]
assert list(history.df.model) == ["acme/koala"] * 2
assert vidnb.resume() == []
try:
    vidnb.generate("a koala", model="acme/koala", seed=8)
except vidnb.ConfigError as error:
    print(error)
"""


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment that sees this one's packages and can have more."""
    folder = tmp_path_factory.mktemp("third party")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "venv"], check=True)
    (packages,) = (folder / "venv").glob("lib/python*/site-packages")
    here = [path for path in sys.path if path.endswith("site-packages")]
    (packages / "here.pth").write_text("\n".join([str(Path(__file__).parents[1]), *here]), encoding="utf-8")
    return folder / "venv/bin/python"


def pip(python: Path, *arguments: object) -> None:
    """Run pip in that environment."""
    command = [sys.executable, "-m", "pip", "--python", python, "--quiet", "--disable-pip-version-check", *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def run(python: Path, home: Path, code: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the code in that environment, on this data folder."""
    told = os.environ | {"VIDNB_HOME": str(home), "VIDNB_EMULATOR_SPEED": "1000"} | variables
    return subprocess.run([python, "-c", textwrap.dedent(code)], env=told, capture_output=True, text=True, cwd=home)


def test_a_third_service_is_taught_offline_and_its_history_outlives_it(environment: Path, tmp_path: Path) -> None:
    wheels = tmp_path / "wheels"
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-build-isolation", "--no-deps", "-w", wheels, ACME]
    built = subprocess.run(command, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    home = tmp_path / "data"
    home.mkdir()
    pip(environment, "install", "--no-deps", "--no-index", *wheels.glob("*.whl"))
    made = run(environment, home, MAKE)
    assert made.returncode == 0, made.stderr
    assert "would pass the cap of $0.03 of the purse 'lesson'" in made.stdout
    pip(environment, "uninstall", "--yes", "vidnb-acme")
    opened = run(environment, home, OPEN)
    assert opened.returncode == 0, opened.stderr
    assert "there is no model 'acme/koala'" in opened.stdout


MAKES = "from vidnb.emulator import Service\nclass Bad(Service):\n    def __new__(cls, *_): "
BAD = {
    "raises": ("raise RuntimeError('no good')", "importing it raised RuntimeError: no good"),
    "exits": ("import sys\nsys.exit(3)", "importing it raised SystemExit: 3"),
    "hangs": ("import time\ntime.sleep(600)", "importing it did not end within 0.3 s"),
    "stops all of Python": ("sum(range(10**12))", "importing it did not end within 0.3 s"),
    "crashes": ("import ctypes\nctypes.string_at(0)", "importing it ended the process (SIGSEGV)"),
    "becomes another": ("import os\nos.execv('/bin/true', ['true'])", "SystemExit: it puts another program in"),
    "lacks": ("", "importing it raised AttributeError"),
    "closes the output": ("import sys\nsys.stdout.close()", "importing it raised AttributeError"),
    "cannot be made": (f"{MAKES}raise SystemExit(3)", "making its object raised SystemExit: 3"),
    "makes for ever": (f"{MAKES}__import__('time').sleep(600)", "making its object did not end within 0.3 s"),
    "goes elsewhere": ("import os\nos.chdir('/')", "importing it raised AttributeError"),
}


@pytest.mark.parametrize("how", BAD)
def test_a_plug_in_that_cannot_be_imported_is_named_and_all_else_works(how: str, tmp_path: Path) -> None:
    code, said = BAD[how]
    paths, home = installed(tmp_path, code)
    program = """
    import os, vidnb, vidnb.plugins
    vidnb.plugins.IMPORT_S, here = 0.3, os.getcwd()
    print(vidnb.generate("a koala", model="1min/damo", num_frames=16, fps=8, steps=10))
    assert "leonardo/motion_2.0" in set(vidnb.models().id)
    assert os.getcwd() == here
    """
    done = run(Path(sys.executable), home, program, PYTHONPATH=paths)
    assert done.returncode == 0, done.stderr
    assert "<Clip EMULATED 1min/damo" in done.stdout
    assert done.stderr.count(said) == 1, done.stderr
    assert "everything else works" in done.stderr
    assert said in doctors_report(paths, home)


def test_doctor_names_a_plug_in_that_can_be_imported_and_is_no_provider(tmp_path: Path) -> None:
    assert "the plug-in 'bad' is not a vidnb Provider: 3" in doctors_report(*installed(tmp_path, "Bad = 3"))


def installed(tmp_path: Path, code: str) -> tuple[str, Path]:
    """Where Python finds a plug-in with this code, and an empty data folder."""
    site, home = tmp_path / "site", tmp_path / "data"
    (site / "bad-1.0.dist-info").mkdir(parents=True)
    home.mkdir()
    (site / "bad_plugin.py").write_text(code, encoding="utf-8")
    groups = "\n".join(f"[{group}]\nbad = bad_plugin:Bad\n" for group in ("vidnb.providers", "vidnb.emulated"))
    (site / "bad-1.0.dist-info/entry_points.txt").write_text(groups, encoding="utf-8")
    (site / "bad-1.0.dist-info/METADATA").write_text("Metadata-Version: 2.1\nName: bad\nVersion: 1.0\n", "utf-8")
    return os.pathsep.join([str(site), str(Path(__file__).parents[1])]), home


def doctors_report(paths: str, home: Path) -> str:
    """What `vidnb doctor` prints, on one line."""
    doctor = "from vidnb import plugins; plugins.IMPORT_S = 0.3; from vidnb.cli import main; main()"
    command = [sys.executable, "-c", doctor, "doctor"]
    told = os.environ | {"VIDNB_HOME": str(home), "PYTHONPATH": paths, "COLUMNS": "300"}
    report = subprocess.run(command, env=told, capture_output=True, text=True, cwd=home)
    return " ".join(report.stdout.split())


@pytest.mark.parametrize("output", ["", "sys.stderr = None"])
def test_a_plug_in_finds_an_output_with_all_that_a_stream_has(output: str, tmp_path: Path) -> None:
    (tmp_path / "curious.py").write_text(
        "import os, sys\nassert sys.stdout.encoding.lower() == 'utf-8' and sys.stdout.writable()\n"
        "sys.stdout.reconfigure(line_buffering=True)\nos.fstat(sys.stdout.fileno())\nprint('heard')\n"
        "sys.stdout.close()\nclass Curious: pass\n",
        encoding="utf-8",
    )
    program = f"""
    import sys
    from importlib.metadata import EntryPoint
    {output}
    from vidnb.plugins import _Attempt
    attempt = _Attempt("curious", EntryPoint("curious", "curious:Curious", "vidnb.providers").load)
    attempt.wait()
    print(attempt.error, attempt.found)
    """
    paths = os.pathsep.join([str(tmp_path), str(Path(__file__).parents[1])])
    done = run(Path(sys.executable), tmp_path, program, PYTHONPATH=paths, PYTHONIOENCODING="utf-8")
    assert done.stdout.strip() == "<class 'curious.Curious'>", done.stderr
    assert done.stderr.count("heard") == (0 if output else 1)


BREAKS_STREAMS = {
    "closes a file number": "import os\nos.close(1)\nos.close(2)",
    "closes them all": "import os\nos.closerange(0, 20)",
    "puts another file there": "import os\nos.dup2(os.open(os.devnull, os.O_WRONLY), 1)",
    "closes what was there first": "import sys\nsys.__stdout__.close()\nsys.stderr.close()\nsys.__stderr__ = None",
    "has none any more": "import sys\nsys.stdin = sys.stdout = sys.stderr = None",
    "wraps one": "import io, sys\nsys.stdout = io.TextIOWrapper(sys.stdout.buffer, encoding='utf-8')",
    "kills": "import os, signal\nos.kill(os.getpid(), signal.SIGTERM)",
    "is shallow": "import sys\nsys.setrecursionlimit(80)",
}


@pytest.mark.parametrize("how", BREAKS_STREAMS)
def test_streams_and_process_outlive_whatever_a_plug_in_does_to_them(how: str, tmp_path: Path) -> None:
    (tmp_path / "harmful.py").write_text(f"{BREAKS_STREAMS[how]}\nclass Harmful: pass\n", encoding="utf-8")
    program = """
    import gc, os, sys
    from importlib.metadata import EntryPoint
    from vidnb.plugins import _Attempt
    watched = lambda: [getattr(os, name) for name in ("_exit", "abort", "kill", "close", "closerange", "dup2")] + [
        sys.stdin, sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__, sys.getrecursionlimit(), os.fstat(1).st_ino]
    before = watched()
    attempt = _Attempt("harmful", EntryPoint("harmful", "harmful:Harmful", "vidnb.providers").load)
    attempt.wait()
    gc.collect()
    assert watched() == before
    print("heard", attempt.is_over, flush=True)
    print("said", file=sys.stderr, flush=True)
    """
    paths = os.pathsep.join([str(tmp_path), str(Path(__file__).parents[1])])
    done = run(Path(sys.executable), tmp_path, program, PYTHONPATH=paths)
    assert (done.returncode, done.stdout, done.stderr) == (0, "heard True\n", "said\n")


def test_threads_that_ask_for_plug_ins_at_once_all_get_them_and_the_output_is_put_back(tmp_path: Path) -> None:
    site, home = tmp_path / "site", tmp_path / "data"
    (site / "slow-1.0.dist-info").mkdir(parents=True)
    home.mkdir()
    for name in ("one", "two"):
        slow = "import time\nprint('to nobody')\ntime.sleep(0.3)\nclass Slow: pass\n"
        (site / f"slow_{name}.py").write_text(slow, encoding="utf-8")
    entries = "[vidnb.emulated]\none = slow_one:Slow\ntwo = slow_two:Slow\n"
    (site / "slow-1.0.dist-info/entry_points.txt").write_text(entries, encoding="utf-8")
    (site / "slow-1.0.dist-info/METADATA").write_text("Metadata-Version: 2.1\nName: slow\nVersion: 1.0\n", "utf-8")
    program = """
    import os, sys, threading
    from vidnb import plugins
    before, found = (sys.stdout, os._exit, os.abort), []
    ask = lambda name: found.append(plugins.load("vidnb.emulated", name).__module__)
    threads = [threading.Thread(target=ask, args=(name,)) for name in ("one", "two") * 3]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    assert (sys.stdout, os._exit, os.abort) == before
    print(sorted(found))
    """
    paths = os.pathsep.join([str(site), str(Path(__file__).parents[1])])
    done = run(Path(sys.executable), home, program, PYTHONPATH=paths)
    assert done.stdout.strip() == str(["slow_one"] * 3 + ["slow_two"] * 3), done.stderr
