"""A process is known by more than its number, which containers share and systems use again."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from vidnb.jobs.process import is_alive, is_dead, process_name

linux_only = pytest.mark.skipif(not Path("/proc/self/ns/pid").exists(), reason="needs /proc")


def other(name: str, **changes: str) -> str:
    """The name with some of its parts changed."""
    parts = dict(zip(("host", "boot", "namespace", "pid", "started", "worker"), name.split("/"), strict=True))
    return "/".join((parts | changes).values())


def name_of_a_child(then: str) -> tuple[subprocess.Popen[str], str]:
    code = f"import sys; from vidnb.jobs.process import process_name; print(process_name(), flush=True); {then}"
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True)
    assert child.stdout is not None
    return child, child.stdout.readline().strip()


def test_this_process_lives() -> None:
    assert is_alive(process_name())
    assert not is_dead(process_name())


@linux_only
def test_another_process_is_dead_once_it_has_ended_even_if_nobody_looked_after_it() -> None:
    child, name = name_of_a_child("sys.stdin.read()")
    assert is_alive(name)
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # it stays a zombie
    assert is_dead(name)
    child.communicate()
    assert is_dead(name)


@linux_only
@pytest.mark.parametrize("part", ["host", "boot", "namespace"])
def test_nobody_can_tell_of_a_process_in_another_place(part: str) -> None:
    gone = other(process_name(), pid="999999999")
    assert is_dead(gone)
    elsewhere = other(gone, **{part: "elsewhere"})
    assert not is_dead(elsewhere)
    assert not is_alive(elsewhere)


@linux_only
def test_a_number_that_was_given_to_another_process_is_no_life() -> None:
    assert is_dead(other(process_name(), started="1"))


@pytest.mark.parametrize("name", ["host/12/abcdef12", "", "me", "a/b/c/d/e/f"])
def test_nobody_can_tell_by_a_name_in_another_form(name: str) -> None:
    assert not is_dead(name)
    assert not is_alive(name)


@pytest.mark.parametrize("number", ["0", "00001", str(2**31), "9" * 5000, "٣", "-1", "1\0"])
def test_what_is_no_number_of_a_process_tells_nothing(number: str) -> None:
    host, boot, namespace, _, started, unique = process_name().rsplit("/", 5)
    name = "/".join([host, boot, namespace, number, started, unique])
    assert (is_dead(name), is_alive(name)) == (False, False)


def test_on_windows_a_process_is_not_asked_after_as_that_would_end_it(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr(os, "kill", lambda pid, signal: asked.append(pid))
    name = process_name()
    monkeypatch.setattr(os, "name", "nt")
    assert not is_dead(name)
    assert not asked


def test_where_the_system_tells_nothing_host_and_number_decide(tmp_path: Path) -> None:
    name = process_name(tmp_path)
    assert name.split("/")[1:3] == ["-", "-"]
    assert is_alive(name, tmp_path)
    assert is_dead(other(name, pid="999999999"), tmp_path)
