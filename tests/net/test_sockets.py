"""Proxies, hosts without one, and certificates: what the environment says holds for every connection alike."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import certifi
import httpx
import pytest
from clocks import TestClock
from fakes import CANARY
from pydantic import SecretStr
from stranger import KEYS

from vidnb import catalog, providers
from vidnb.client import addresses
from vidnb.client.asynchronous import AsyncClient
from vidnb.emulator import Emulator, running
from vidnb.errors import ConfigError, ParamsError, TransportError
from vidnb.net import handshake, sockets
from vidnb.net import wire as wires
from vidnb.net.sockets import Sockets
from vidnb.net.target import Target, target
from vidnb.net.wire import Wire
from vidnb.records import Call, FilePart

pytestmark = pytest.mark.anyio

PASSWORD = "pa55w0rd"
LEONARDO = providers.get("leonardo")


@dataclass
class Proxy:
    """What a proxy was asked."""

    url: str = ""
    lines: list[str] = field(default_factory=list)
    hello: bytes = b'{"hello": "stranger"}'


@contextmanager
def proxying(status: int = 200, tunnel: int = 403) -> Iterator[Proxy]:
    """A proxy on this machine that answers everything itself and refuses tunnels, or with 0 hangs up on them."""
    proxy = Proxy()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def reply(self) -> None:
            self.rfile.read(int(self.headers.get("content-length") or 0))
            proxy.lines.append(f"{self.command} {self.path}")
            if self.command == "CONNECT" and not tunnel:
                self.close_connection = True
                return
            self.send_response(status if self.command != "CONNECT" else tunnel)
            self.send_header("content-length", str(len(proxy.hello)))
            self.end_headers()
            self.wfile.write(proxy.hello)

        do_GET = do_POST = do_CONNECT = do_PUT = reply

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    proxy.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


async def test_every_connection_takes_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    with proxying() as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("LEONARDO_BASE_URL", "http://127.0.0.1:9/api/rest")
        wire = Wire(target(LEONARDO, key=CANARY))
        await wire.call(Call("GET", "/v1/me"))
        await wire.call(Call("POST", "/v2/generations", json={}), submit=True)
        await wire.call(Call("POST", "http://127.0.0.1:9/bucket", form={"a": "b"}, file=FilePart("file", "a", b"")))
        async with wire.download("http://127.0.0.1:9/clip.mp4") as body:
            assert b"".join([chunk async for chunk in body]) == proxy.hello
        picture = {"start_image": "http://127.0.0.1:9/picture.png"}
        assert (await addresses.fetched(catalog.find("leonardo/motion_2.0"), picture))["start_image"] == proxy.hello
        await wire.aclose()
        base = "http://127.0.0.1:9"
        assert proxy.lines == [
            f"GET {base}/api/rest/v1/me", f"POST {base}/api/rest/v2/generations", f"POST {base}/bucket",
            f"GET {base}/clip.mp4", f"GET {base}/picture.png",
        ]  # fmt: skip


@pytest.mark.parametrize(
    ("tunnel", "says"),
    [
        (403, r"the proxy http://127\.0\.0\.1:\d+ \(HTTPS_PROXY\) refused it"),
        (407, r"\(HTTPS_PROXY\) does not take the user name and password in it: HTTPS_PROXY=http://name:password@host"),
        (0, r"it goes over the proxy http://127\.0\.0\.1:\d+ \(HTTPS_PROXY\): is that one right\?"),
    ],
)
async def test_https_goes_through_a_tunnel_and_a_proxy_that_makes_none_costs_nothing(
    tunnel: int, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def pass_at_once() -> None:
        asked.append(None)

    asked: list[None] = []
    no_rest(monkeypatch)
    with proxying(tunnel=tunnel) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url.replace("http://", f"http://me:{PASSWORD}@"))
        wire = Wire(target(LEONARDO, key=CANARY))
        with pytest.raises(TransportError, match=says) as caught:
            await wire.call(Call("POST", "/v2/generations", json={}), submit=True, gate=pass_at_once)
        await wire.aclose()
    assert not caught.value.sent, "no byte of the POST left, so it may be sent again"
    assert "nothing was sent" in str(caught.value)
    assert PASSWORD not in str(caught.value)
    assert (set(proxy.lines) - {""}, asked) == ({"CONNECT cloud.leonardo.ai:443"}, [])


def no_rest(patch: pytest.MonkeyPatch) -> None:
    async def at_once(seconds: float) -> None:
        return None

    patch.setattr("httpx_retries.retry.asyncio.sleep", at_once)


@pytest.mark.parametrize("address", ["http://me:pa55w0rd@127.0.0.1:9", "127.0.0.1:9"])
async def test_a_proxy_that_nobody_answers_at_is_named(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    no_rest(monkeypatch)
    monkeypatch.setenv("https_proxy", address)
    says = r"over the proxy http://127\.0\.0\.1:9 \(https_proxy\)"
    wire = Wire(target(LEONARDO, key=CANARY))
    with pytest.raises(TransportError, match=says) as caught:
        await wire.call(Call("POST", "/v2/generations", json={}), submit=True)
    await wire.aclose()
    assert not caught.value.sent
    with pytest.raises(ParamsError, match=says) as other:
        await addresses.fetched(catalog.find("leonardo/motion_2.0"), {"start_image": "https://h.example/a.png"})
    assert PASSWORD not in f"{caught.value}{other.value}"


@pytest.mark.parametrize(
    ("rule", "goes"),
    [
        ("", True), ("example.com", False), (".example.com", False), ("*", False), ("api.example.com:443", False),
        ("other.com", True), ("example.co", True), ("10.0.0.0/8", True),
    ],
)  # fmt: skip
def test_no_proxy_names_hosts_and_domains(rule: str, goes: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", rule)
    proxy = Sockets(1).proxy_of(httpx.URL("https://api.example.com:443/x"))
    assert bool(proxy) is goes


def test_no_proxy_names_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "10.0.0.0/8, fd00::/8")
    found = Sockets(1)
    assert not found.proxy_of(httpx.URL("http://10.1.2.3/"))
    assert not found.proxy_of(httpx.URL("http://[fd00::1]/"))
    assert found.proxy_of(httpx.URL("http://11.1.2.3/")) == "http://127.0.0.1:9"


async def test_the_emulator_is_asked_without_a_proxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with proxying() as proxy, Emulator(tmp_path / "e") as emulator, running(emulator) as base:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("LEONARDO_BASE_URL", f"{base}/api/rest")
        where = target(LEONARDO)
        assert where.emulated
        wire = Wire(where)
        assert "the key is good" in LEONARDO.checked(await wire.call(LEONARDO.check()))
        await wire.check_emulator()
        await wire.aclose()
    assert proxy.lines == []


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"])
@pytest.mark.parametrize("content", [None, "no certificates", "a name that is too long"])
def test_certificates_that_cannot_be_used_are_named(
    name: str, content: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / ("x" * 300 if content == "a name that is too long" else "ca.pem")
    if content == "no certificates":
        path.write_text(content)
    monkeypatch.setenv(name, str(path))
    with pytest.raises(ConfigError, match=name):
        Wire(target(LEONARDO, key=CANARY))


def test_a_log_of_keys_that_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "no" / "keys"))
    monkeypatch.setenv("SSL_CERT_FILE", certifi.where())
    with pytest.raises(ConfigError, match=r"SSLKEYLOGFILE.*unset it"):
        Wire(target(LEONARDO, key=CANARY))


@pytest.mark.parametrize(
    "value", [f"socks5://me:{PASSWORD}@127.0.0.1:9", f"ftp://me:{PASSWORD}@h:1", "http://[::1", "http://:x", f"http://me:1#{PASSWORD}@h:1"]
)
def test_a_proxy_that_cannot_be_used_is_named_without_its_password(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", value)
    monkeypatch.setattr(sockets, "httpx", NoSocks)
    with pytest.raises(ConfigError, match="ALL_PROXY") as caught:
        Wire(target(LEONARDO, key=CANARY))
    assert PASSWORD not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


class NoSocks:
    """httpx without the package that a SOCKS proxy needs."""

    AsyncBaseTransport, InvalidURL, Limits, Proxy = (
        httpx.AsyncBaseTransport,
        httpx.InvalidURL,
        httpx.Limits,
        httpx.Proxy,
    )

    @staticmethod
    def AsyncHTTPTransport(**options: object) -> object:  # its name there
        if str(getattr(options.get("proxy"), "url", "")).startswith("socks"):
            raise ImportError("socksio")
        return httpx.AsyncHTTPTransport()


async def test_a_setting_that_cannot_be_used_is_refused_before_there_is_a_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere/ca.pem")
    async with AsyncClient(tmp_path, keys={"leonardo": CANARY}) as client:
        with pytest.raises(ConfigError, match="SSL_CERT_FILE"):
            await client.generate("a koala", model="leonardo/motion_2.0")
        assert client.jobs() == []


# The handshake


def test_a_server_that_is_no_emulator_proves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    for hello in (b"{}", b'{"vidnb emulator": true}', b'{"vidnb emulator": "x"}', b"[]", b"no json", b"x" * 10**6):
        with proxying() as server:
            server.hello = hello
            assert not handshake.is_emulator(f"{server.url}/api/rest")
            monkeypatch.setenv("LEONARDO_BASE_URL", f"{server.url}/api/rest")
            handshake.forget()
            found = target(LEONARDO, key=CANARY)
            assert (found.emulated, found.in_process) == (False, False)


def test_a_server_is_asked_again_once_its_answer_is_old() -> None:
    clock = TestClock()
    with proxying() as server:
        address = f"{server.url}/api/rest"
        for later_s in (0.0, 0.9 * handshake.BELIEVED_S, 0.2 * handshake.BELIEVED_S):
            clock.forward(later_s)
            assert not handshake.is_emulator(address, clock)
    assert len(server.lines) == 2


async def test_an_emulated_job_is_not_sent_to_a_server_that_took_the_emulators_place(tmp_path: Path) -> None:
    with Emulator(tmp_path / "e") as emulator, running(emulator) as base:
        where = target_at(base)
        assert where.emulated
        port = int(base.rsplit(":", 1)[1])
    wire = Wire(where)
    with pytest.raises(TransportError, match="nothing was sent") as caught:
        await wire.check_emulator()
    await wire.aclose()
    assert not caught.value.sent
    assert port


async def test_a_job_asks_once_more_whether_an_emulator_stands_there_before_it_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def another_service(base_url: str, client: httpx.AsyncClient) -> bool:
        return False

    monkeypatch.setattr(wires, "PROVED_S", 0.0)
    monkeypatch.setattr(wires, "proves_itself", another_service)
    with Emulator(tmp_path / "e") as emulator, running(emulator) as base:
        monkeypatch.setenv("LEONARDO_BASE_URL", f"{base}/api/rest")
        async with AsyncClient(tmp_path) as client:
            with pytest.raises(TransportError, match="which may cost money; nothing was sent"):
                await client.generate("a koala", model="leonardo/motion_2.0", resolution="480p")
            assert [(job.emulated, job.state) for job in client.jobs()] == [(True, "intended")]
        assert not [made for made in emulator.stats()["requests"] if made.startswith("POST")]


def test_no_key_of_a_person_goes_to_what_proves_to_be_an_emulator(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEONARDO_API_KEY", KEYS["leonardo"])
    with Emulator(tmp_path / "e") as emulator, running(emulator) as base:
        where = target_at(base)
    # A router may answer the handshake by the emulator, and send the submits to the service, where this key would pay.
    assert where.emulated
    assert where.key.get_secret_value() != KEYS["leonardo"]


@pytest.mark.parametrize(("held_s", "asked"), [(0.0, 2), (1000.0, 1)])
async def test_submits_at_the_same_moment_share_one_question(
    held_s: float, asked: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wires, "PROVED_S", held_s)
    with Emulator(tmp_path / "e") as emulator, running(emulator) as base:
        wire, questions = Wire(target_at(base)), counted_questions(monkeypatch)
        await asyncio.gather(*(wire.check_emulator() for _ in range(30)))
        await wire.check_emulator()
    assert len(questions) == asked
    monkeypatch.setattr(wires, "PROVED_S", 0.0)
    for _ in range(2):  # what failed once is asked again
        with pytest.raises(TransportError, match="nothing was sent"):
            await wire.check_emulator()
    assert len(questions) == asked + 2
    await wire.aclose()


@pytest.mark.parametrize(("proof", "asked"), [("its own", 0), ("none", 1), ("of another question", 1)])
async def test_each_answer_of_an_emulator_proves_what_it_is(
    proof: str, asked: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wires, "PROVED_S", 1000.0)
    if proof != "its own":
        monkeypatch.setattr(wires, "is_proof", lambda given, nonce: handshake.is_proof(given, f"{nonce} of another"))
    if proof == "none":
        monkeypatch.setattr(wires, "NONCE", "x-nobody-asks")
    with Emulator(tmp_path / "e") as emulator, running(emulator) as base:
        wire, questions = Wire(target_at(base)), counted_questions(monkeypatch)
        await wire.call(LEONARDO.check())
        await wire.check_emulator()
        await wire.aclose()
    assert len(questions) == asked


async def test_a_service_is_never_asked_for_an_emulators_proof() -> None:
    headers: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        headers.extend(request.headers)
        return httpx.Response(200, json={})

    where = Target(LEONARDO, LEONARDO.base_url, SecretStr(KEYS["leonardo"]), emulated=False)
    wire = Wire(where, httpx.MockTransport(answer))
    await wire.call(LEONARDO.check())
    await wire.aclose()
    assert "authorization" in headers
    assert not any("vidnb" in name for name in headers)


async def test_a_delete_is_sent_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """At Runway a second one would delete the clip of a task that ended meanwhile."""
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.method)
        return httpx.Response(502)

    wire = Wire(target(LEONARDO), httpx.MockTransport(answer))
    assert (await wire.call(Call("DELETE", "/v1/generations/x"))).status_code == 502
    await wire.aclose()
    assert asked == ["DELETE"]


def counted_questions(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses at which a server is asked from now on whether it is the emulator."""
    asked: list[str] = []
    ask = wires.proves_itself

    async def counted(base_url: str, client: httpx.AsyncClient) -> bool:
        asked.append(base_url)
        return await ask(base_url, client)

    monkeypatch.setattr(wires, "proves_itself", counted)
    return asked


def target_at(base: str):  # type: ignore[no-untyped-def]  # a Target
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LEONARDO_BASE_URL", f"{base}/api/rest")
        return target(LEONARDO)
