"""What every test stands on: no network outside this machine, no home folder, no keys, a data folder of its own."""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

# A machine that is shared is sometimes slow: a deadline would fail the test and say nothing of the code.
settings.register_profile("vidnb", deadline=None, derandomize=os.environ.get("CI") == "true")
settings.load_profile("vidnb")

SERVICE_PREFIXES = ("VIDNB_", "LEONARDO_", "ONEMIN_", "REPLICATE_", "FAL_", "OPENROUTER_", "RUNWAYML_", "XDG_")
NETWORK = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE",
           "CURL_CA_BUNDLE")  # fmt: skip


# Many tests start Python anew. Without bytecode each of those would first compile all of vidnb, for a second or more.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


class OutsideNetworkError(RuntimeError):
    """A test tried to leave this machine. Not an OSError, so that no code under test takes it for a network fault."""


def pytest_itemcollected(item: pytest.Item) -> None:
    """Whatever asks for a browser carries the mark, before `-m` chooses.

    A page, a server and a kernel on a shared machine can stumble over each other, so such a test gets a second try, as
    is usual for browser tests; the summary names each test that needed it (RERUN).
    """
    if {"browser", "engine"} & set(getattr(item, "fixturenames", ())):
        item.add_marker(pytest.mark.browser)
        item.add_marker(pytest.mark.flaky(reruns=1))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Browser tests run last: Playwright's loop stays in the main thread, and no async test could run beside it."""
    items.sort(key=lambda item: item.get_closest_marker("browser") is not None)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """The event loop of all async tests."""
    return "asyncio"


@pytest.fixture(autouse=True)
def _own_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable of the developer's shell reaches a test: no key, no service address, no home, no data folder."""
    for name in [name for name in os.environ if name.startswith(SERVICE_PREFIXES) or name.upper() in NETWORK]:
        monkeypatch.delenv(name)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("VIDNB_HOME", str(tmp_path / "vidnb-data"))


def is_local(host: str | bytes | None) -> bool:
    """Whether a host name or address stays on this machine; None and the empty name do."""
    name = host.decode() if isinstance(host, bytes) else host
    if not name or name == "localhost":
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


@pytest.fixture(autouse=True)
def _no_outside_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connecting or resolving outside the loopback raises OutsideNetworkError."""

    def guarded(original: Callable[..., Any]) -> Callable[..., Any]:
        def connect(self: socket.socket, address: Any) -> Any:
            if self.family in (socket.AF_INET, socket.AF_INET6) and not is_local(address[0]):
                raise OutsideNetworkError(f"a test tried to connect to {address!r}")
            return original(self, address)

        return connect

    def resolve(host: str | bytes | None, *args: Any, **kwargs: Any) -> Any:
        if not is_local(host):
            raise OutsideNetworkError(f"a test tried to resolve {host!r}")
        return getaddrinfo(host, *args, **kwargs)

    getaddrinfo = socket.getaddrinfo
    monkeypatch.setattr(socket.socket, "connect", guarded(socket.socket.connect))
    monkeypatch.setattr(socket.socket, "connect_ex", guarded(socket.socket.connect_ex))
    monkeypatch.setattr(socket, "getaddrinfo", resolve)


def pytest_addoption(parser: pytest.Parser) -> None:
    """How hard to try; CI runs the defaults."""
    parser.addoption("--kills", type=int, default=51, help="processes to kill in tests/test_kill.py")
