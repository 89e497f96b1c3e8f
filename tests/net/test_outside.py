"""An address that an agent gives leads to the internet alone, however its name's answers change meanwhile."""

from __future__ import annotations

import asyncio
import datetime
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from fakes import picture

from vidnb import catalog
from vidnb.client import addresses
from vidnb.errors import ParamsError
from vidnb.net.outside import Outside

pytestmark = pytest.mark.anyio

MODEL = "leonardo/motion_2.0"
PUBLIC, ALSO_PUBLIC, PRIVATE = "93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c", "127.0.0.1"


@dataclass
class Site:
    """A server with a certificate for one name, and what it was asked."""

    names: list[str | None] = field(default_factory=list)
    """The TLS server names, in order."""
    heads: list[str] = field(default_factory=list)
    dialled: list[str] = field(default_factory=list)
    """The hosts to which connections were opened."""
    unreachable: tuple[str, ...] = ()
    answer: bytes = b""


@asynccontextmanager
async def site(folder: Path, patch: pytest.MonkeyPatch, name: str) -> AsyncIterator[Site]:
    """The internet in one server: whatever address is dialled, it answers, as the holder of this name."""
    here = Site()
    _certify(folder, name)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    context.sni_callback = lambda _, asked, __: here.names.append(asked)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        here.heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
        writer.write(here.answer)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, PRIVATE, 0, ssl=context)
    port, dial = server.sockets[0].getsockname()[1], anyio.connect_tcp

    async def dialled(remote_host: str, remote_port: int, **more: Any) -> Any:
        here.dialled.append(remote_host)
        if remote_host in here.unreachable:
            raise OSError(101, "Network is unreachable")
        return await dial(PRIVATE, port, **more)

    patch.setattr(anyio, "connect_tcp", dialled)
    patch.setenv("SSL_CERT_FILE", str(folder / "cert.pem"))
    async with server:
        yield here


def _certify(folder: Path, name: str) -> None:
    """Write a certificate for a name that vouches for itself, and its key."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(datetime.UTC)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    form = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (folder / "key.pem").write_bytes(key.private_bytes(serialization.Encoding.PEM, *form))


def resolving(patch: pytest.MonkeyPatch, *answers: list[str] | None) -> list[str]:
    """Let names stand for these addresses, one answer after the other, the last one for ever; returns what is asked."""
    asked: list[str] = []

    async def resolve(host: str, port: int, **_: Any) -> Any:
        asked.append(host)
        found = answers[min(len(asked), len(answers)) - 1]
        if found is None:
            raise socket.gaierror(8, "no such name")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]

    patch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolve)
    return asked


def page(content: bytes, status: str = "200 OK", more: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(content)}\r\n{more}\r\n".encode() + content


async def fetched(url: str) -> Any:
    found = await addresses.fetched(catalog.find(MODEL), {"start_image": url}, public_only=True)
    return found["start_image"]


async def test_a_name_that_changes_its_answer_is_still_asked_at_the_address_that_was_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = resolving(monkeypatch, [PUBLIC], [PRIVATE])
    async with site(tmp_path, monkeypatch, "me.example") as here:
        here.answer = page(picture())
        assert await fetched("https://me.example/a.png") == picture()
    assert (asked, here.dialled, here.names) == (["me.example"], [PUBLIC], ["me.example"])
    assert "GET /a.png HTTP/1.1\r\nHost: me.example\r\n" in here.heads[0]


async def test_the_next_request_for_a_name_is_checked_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    resolving(monkeypatch, [PUBLIC], [PRIVATE])
    async with site(tmp_path, monkeypatch, "me.example") as here:
        here.answer = page(b"", "302 Found", "Location: /b.png\r\n")
        with pytest.raises(ParamsError, match="private network"):
            await fetched("https://me.example/a.png")
    assert here.dialled == [PUBLIC]


async def test_the_certificate_must_be_the_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    resolving(monkeypatch, [PUBLIC])
    async with site(tmp_path, monkeypatch, "another.example") as here:
        with pytest.raises(ParamsError, match="CERTIFICATE_VERIFY_FAILED"):
            await fetched("https://me.example/a.png")
    assert here.heads == []


async def test_an_address_that_takes_no_connection_leaves_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolving(monkeypatch, [ALSO_PUBLIC, PUBLIC])
    async with site(tmp_path, monkeypatch, "me.example") as here:
        here.answer, here.unreachable = page(picture()), (ALSO_PUBLIC,)
        assert await fetched("https://me.example/a.png") == picture()
    assert here.dialled == [ALSO_PUBLIC, PUBLIC]


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (["10.0.0.7"], "private network"),
        ([PUBLIC, PRIVATE], "private network"),
        (["::ffff:127.0.0.1"], "private network"),
        (["64:ff9b::7f00:1"], "private network"),
        (["2002:a00:7::1"], "private network"),
        (["224.0.0.1"], "private network"),
        (None, "not known here"),
    ],
)
async def test_a_name_that_stands_for_a_private_address_or_none_is_not_asked(
    monkeypatch: pytest.MonkeyPatch, found: list[str] | None, said: str
) -> None:
    resolving(monkeypatch, found)
    with pytest.raises(ParamsError, match=said):
        await fetched("https://me.example/a.png")


async def test_behind_a_proxy_the_name_is_the_proxys_business(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = resolving(monkeypatch, None)
    with socket.socket() as closed:  # bound, so that nobody else takes it, and not listening
        closed.bind(("127.0.0.1", 0))
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{closed.getsockname()[1]}")
        async with httpx.AsyncClient(transport=Outside()) as http:
            with pytest.raises(httpx.ConnectError):
                await http.get("https://me.example/a.png")
    assert "me.example" not in asked
