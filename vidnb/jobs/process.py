"""Names processes so that another one on the same machine can tell whether they still live."""

from __future__ import annotations

import os
import re
import socket
import uuid
from dataclasses import dataclass
from functools import cache
from pathlib import Path

UNKNOWN = "-"
"""Stands for what this system does not tell."""
PROC = Path("/proc")
PLAIN_NUMBER, LARGEST_NUMBER = re.compile(r"[1-9][0-9]{0,9}"), 2**31 - 1
"""Of a process: 0 would mean all of a group, and no system has larger ones."""


@dataclass(frozen=True)
class Process:
    """What identifies a process: a number alone does not, as numbers are used again, and containers share them."""

    host: str
    boot: str
    """Of the running system: another one after a restart."""
    namespace: str
    """The namespace of the process number: each container numbers its own."""
    pid: int
    started: str
    """When it began, in ticks since the system did."""

    @property
    def place(self) -> tuple[str, str, str]:
        """Where its number means this process."""
        return self.host, self.boot, self.namespace


def process_name(proc: Path = PROC) -> str:
    """Return a name for a worker in this process; each call gives another one.

    Args:
        proc: where the system tells of its processes.
    """
    this = _this(os.getpid(), proc)
    return "/".join((*this.place, str(this.pid), this.started, uuid.uuid4().hex[:8]))


def is_dead(name: str, proc: Path = PROC) -> bool:
    """Return whether the process of that name has certainly ended.

    For a process on another machine or in another container, or a name in an older form, this cannot be known: its
    lease runs out.
    """
    return _is_alive(name, proc) is False


def is_alive(name: str, proc: Path = PROC) -> bool:
    """Return whether the process of that name certainly exists, running or suspended."""
    return _is_alive(name, proc) is True


def _is_alive(name: str, proc: Path) -> bool | None:
    process = _parsed(name)
    # Without /proc a number may be another container's; and on Windows to ask after a process would end it.
    if process is None or process.place != _this(os.getpid(), proc).place or os.name != "posix":
        return None
    try:
        os.kill(process.pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it lives and belongs to somebody else
        pass
    state, started = _state_and_start(process.pid, proc)
    if started != UNKNOWN and process.started not in (started, UNKNOWN):
        return False  # its number was given to another process
    return state != "Z"  # one that has ended, and that its parent did not look after


def _parsed(name: str) -> Process | None:
    parts = name.rsplit("/", 5)
    if len(parts) != 6 or not PLAIN_NUMBER.fullmatch(parts[3]) or int(parts[3]) > LARGEST_NUMBER:
        return None
    return Process(parts[0], parts[1], parts[2], int(parts[3]), parts[4])


@cache
def _this(pid: int, proc: Path) -> Process:
    """Return what identifies this process; by its number, as a fork makes another one of it."""
    try:
        boot = (proc / "sys/kernel/random/boot_id").read_text().strip()
        namespace = (proc / "self/ns/pid").readlink().name.strip("pid:[]")
    except OSError:
        boot = namespace = UNKNOWN
    return Process(socket.gethostname(), boot, namespace, pid, _state_and_start(pid, proc)[1])


def _state_and_start(pid: int, proc: Path) -> tuple[str, str]:
    """Return the state of a process and when it began, as far as this system tells."""
    try:
        # The second field is the program's name in brackets, which may hold anything.
        fields = (proc / str(pid) / "stat").read_text().rpartition(")")[2].split()
        return fields[0], fields[19]
    except (OSError, IndexError):
        return UNKNOWN, UNKNOWN
