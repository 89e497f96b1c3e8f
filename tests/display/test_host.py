"""Which files of this machine a page reaches, and what is said where it reaches none."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from vidnb.cli import checks
from vidnb.cli.checks import Finding, host_findings

hosts: Any = import_module("vidnb.display.host")  # `vidnb.display.host` is the function

Serve = Callable[[Path], None]
ODD = "Käse & #1 (50%)?"


@pytest.fixture
def serve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Serve:
    """A function after which this process looks like a kernel of a Jupyter server over a folder."""
    monkeypatch.setattr(hosts, "host", lambda: "jupyter")
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))

    def run(root: Path) -> None:
        import_module("jupyter_core.paths")
        (tmp_path / "runtime").mkdir()
        told = json.dumps({"root_dir": str(root), "base_url": "/user/ann/"})
        (tmp_path / f"runtime/jpserver-{os.getpid()}.json").write_text(told, encoding="utf-8")
        monkeypatch.setenv("JPY_PARENT_PID", str(os.getpid()))

    return run


def test_a_file_is_named_by_its_way_from_the_servers_folder(tmp_path: Path, serve: Serve) -> None:
    serve(tmp_path / "home")
    assert hosts.server_path(tmp_path / f"home/{ODD}/vidnb-data/files/a.mp4") == f"{ODD}/vidnb-data/files/a.mp4"


@pytest.mark.parametrize("where", ["elsewhere/a.mp4", "home/.hidden/a.mp4", "home/../a.mp4", "homeless/a.mp4"])
def test_a_file_that_the_server_does_not_give_out_has_no_way(tmp_path: Path, serve: Serve, where: str) -> None:
    serve(tmp_path / "home")
    assert hosts.server_path(tmp_path / where) is None


def test_a_folder_reached_through_a_link_is_served(tmp_path: Path, serve: Serve) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    serve(tmp_path / "link")
    assert hosts.server_path(tmp_path / "real/a.mp4") == "a.mp4"


@pytest.mark.parametrize("told", ["", "not JSON", "[]", '{"root_dir": null}'])
def test_a_server_that_does_not_tell_its_folder_serves_nothing(tmp_path: Path, serve: Serve, told: str) -> None:
    serve(tmp_path)
    (tmp_path / f"runtime/jpserver-{os.getpid()}.json").write_text(told, encoding="utf-8")
    assert hosts.server_path(tmp_path / "a.mp4") is None


def test_nothing_is_said_where_all_works(tmp_path: Path, serve: Serve) -> None:
    serve(tmp_path)
    assert hosts.shortcomings() == []


def test_it_is_said_that_the_kernel_sends_the_videos(
    tmp_path: Path, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve(tmp_path / "home")
    (outside,) = hosts.shortcomings()
    assert "does not serve the data folder" in outside
    assert hosts.shortcomings(data_folder=tmp_path / "home/vidnb-data") == []
    monkeypatch.delenv("JPY_PARENT_PID")
    (unknown,) = hosts.shortcomings()
    assert "cannot be told" in unknown
    assert all("the kernel sends each video" in said for said in (outside, unknown))


@pytest.mark.parametrize(
    ("where", "said"),
    [("voila", "no videos"), ("vscode", "no AAC"), ("colab", "the kernel sends"), ("marimo", "boxes")],
)
def test_each_hosts_limit_is_said_and_doctor_says_it_too(
    monkeypatch: pytest.MonkeyPatch, where: str, said: str
) -> None:
    monkeypatch.setattr(hosts, "host", lambda: where)
    monkeypatch.setattr(checks, "host", lambda: where)
    limits = hosts.shortcomings()
    assert said in limits[0]
    assert [finding for finding in host_findings() if finding.level != "ok"] == [
        Finding("host", "note", limit) for limit in limits
    ]


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("VOILA_PREHEAT", "False", "Voila serves no videos"),
        ("TERM_PROGRAM", "vscode", "VS Code plays no AAC"),
        ("JPY_PARENT_PID", "1", "the kernel sends each video"),
    ],
)
def test_doctor_as_a_cells_own_process_knows_whose_page_it_is(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, said: str
) -> None:
    for name, _, _ in checks.AROUND:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, value)
    assert said in next(finding.value for finding in host_findings() if finding.level == "note")


@pytest.mark.parametrize("where", ["none", "ipython"])
def test_a_terminal_has_no_limits_to_name(monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    monkeypatch.setattr(hosts, "host", lambda: where)
    assert hosts.shortcomings() == []


def test_a_kernel_of_voila_is_told_by_its_mark(monkeypatch: pytest.MonkeyPatch) -> None:
    import IPython

    class Shell:
        kernel = "yes"

    monkeypatch.setattr(IPython, "get_ipython", Shell)
    monkeypatch.setenv("VOILA_PREHEAT", "False")
    assert hosts.host() == "voila"


@pytest.mark.parametrize(
    ("parent", "found"),
    [
        ({"metadata": {"cellId": "c1"}, "header": {"msg_id": "m1"}}, ("c1", "m1")),
        ({"metadata": {}, "header": {"msg_id": "m1"}}, None),
        ({"metadata": {"cellId": 7}, "header": {"msg_id": "m1"}}, None),
        ({}, None),
    ],
)
def test_the_running_cell_is_told_by_the_message_that_runs_it(
    monkeypatch: pytest.MonkeyPatch, parent: dict[str, Any], found: tuple[str, str] | None
) -> None:
    ipython = import_module("IPython")
    assert hosts.running_cell() is None  # no kernel here
    kernel = SimpleNamespace(get_parent=lambda: parent)
    monkeypatch.setattr(ipython, "get_ipython", lambda: SimpleNamespace(kernel=kernel))
    assert hosts.running_cell() == found
