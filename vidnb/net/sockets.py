"""Connections as the environment wants them: proxies, the hosts without one, and certificates; one rule for all.

    HTTP_PROXY, HTTPS_PROXY, ALL_PROXY     by which proxy; NO_PROXY names hosts, domains and networks without one
    SSL_CERT_FILE, SSL_CERT_DIR            whose certificates are trusted; else REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE

Each name may be written in lower case. The emulator is asked without a proxy.
"""

from __future__ import annotations

import functools
import ipaddress
import os
import ssl
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from urllib.parse import SplitResult, urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx

from vidnb.errors import ConfigError

SCHEMES = ("http", "https", "socks5", "socks5h")
FILES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
FOLDER = "SSL_CERT_DIR"
KEY_LOG = "SSLKEYLOGFILE"
ESCAPES = "; in a password write %23 for #, %2F for /, %3F for ? and %40 for @"


class Sockets(httpx.AsyncBaseTransport):
    """A transport that takes each request over the proxy that the environment names for it, or over none.

    Args:
        connections: so many at once.
        direct: ask no proxy, as for the emulator.
        kept: so many stay open for the next request.

    Raises:
        ConfigError: a proxy or a file of certificates cannot be used; the message names the variable.
    """

    def __init__(self, connections: int, *, direct: bool = False, kept: int = 4) -> None:
        self._context = trusted()
        self._limits = httpx.Limits(max_connections=connections, max_keepalive_connections=kept)
        self._proxies = {} if direct else proxies()
        self._transports: dict[str, httpx.AsyncHTTPTransport] = {}
        for proxy in {"", *self._proxies.values()}:
            self._transports[proxy] = self._transport(proxy)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request on its way; an error on the way over a proxy says so in a note, see `notes`."""
        proxy = self.proxy_of(request.url)
        try:
            return await self._transports[proxy].handle_async_request(request)
        except httpx.TransportError as error:
            if proxy:
                error.add_note(_on_the_way(proxy, error))
            raise

    async def aclose(self) -> None:
        """Close all connections."""
        for transport in self._transports.values():
            await transport.aclose()

    def proxy_of(self, url: httpx.URL) -> str:
        """Return the proxy for an address, or "" for none."""
        if not self._proxies:
            return ""
        proxy = self._proxies.get(url.scheme) or self._proxies.get("all") or ""
        port = url.port or (443 if url.scheme == "https" else 80)
        return "" if not proxy or _goes_without(url.host, port) else proxy

    def _transport(self, proxy: str) -> httpx.AsyncHTTPTransport:
        if not proxy:
            return httpx.AsyncHTTPTransport(verify=self._context, limits=self._limits)
        problem = ""
        try:
            return httpx.AsyncHTTPTransport(verify=self._context, limits=self._limits, proxy=httpx.Proxy(proxy))
        except ImportError:
            problem = "a SOCKS proxy needs one more package: pip install 'httpx[socks]'"
        except (ValueError, httpx.InvalidURL):
            problem = f"it is no address of a proxy; write {SCHEMES[0]}://host:port"
        # Raised out here: the library's own error repeats the address, password included.
        raise ConfigError(f"{_variable_of(proxy)}={without_login(proxy)}: {problem}")


def notes(error: BaseException) -> str:
    """Return what is to be said of the proxy that a request took before it failed, to put behind a message; else ""."""
    return "".join(f"; {note}" for note in getattr(error, "__notes__", ()))


def _on_the_way(proxy: str, error: httpx.TransportError) -> str:
    name = _variable_of(proxy)
    named = f"the proxy {without_login(proxy)} ({name})"
    if not isinstance(error, httpx.ProxyError):
        return f"it goes over {named}: is that one right?"
    if not str(error).startswith(str(int(HTTPStatus.PROXY_AUTHENTICATION_REQUIRED))):
        return f"{named} refused it"
    was_given = _parts(proxy) is not None and "@" in proxy
    wants = "does not take the user name and password in it" if was_given else "wants a user name and a password"
    return f"{named} {wants}: {name}=http://name:password@host:port"


def proxies() -> dict[str, str]:
    """Return the proxies of the environment by scheme (`http`, `https`, `all`); on some systems, of their settings.

    Raises:
        ConfigError: one of them is no address of a proxy.
    """
    found = {}
    for scheme, given in getproxies().items():
        if scheme not in ("http", "https", "all") or not given.strip():
            continue
        proxy = given.strip() if "://" in given else f"http://{given.strip()}"
        parts = _parts(proxy)
        if parts is None or parts.scheme.lower() not in SCHEMES:
            raise ConfigError(
                f"{_variable_of(given)}={without_login(proxy)}: it is no address of a proxy that can be used; write "
                f"{SCHEMES[0]}://host:port ({', '.join(SCHEMES)}){ESCAPES if '@' in proxy else ''}"
            )
        found[scheme] = proxy
    return found


def trusted() -> ssl.SSLContext:
    """Return whose certificates are trusted, as the environment says.

    Raises:
        ConfigError: the file or folder that it names cannot be used.
    """
    name = next((name for name in FILES if os.environ.get(name, "").strip()), "")
    folder = os.environ.get(FOLDER, "").strip()
    return _context(name, os.environ.get(name, "").strip() if name else "", folder)


@functools.lru_cache(maxsize=8)
def _context(name: str, file: str, folder: str) -> ssl.SSLContext:
    advice = "give it the path of a PEM file with certificates, or unset it"
    if file and not _is_there(file, Path.is_file):
        if not _is_there(file, Path.is_dir) or name == "SSL_CERT_FILE":
            is_folder = _is_there(file, Path.is_dir)
            what = f"that is a folder, whose place is {FOLDER}" if is_folder else "there is no such file"
            raise ConfigError(f"{name}={file!r}: {what}; {advice}")
        file, folder = "", file  # `requests` takes a folder here, too
    if folder and not file and not any(_is_there(part, Path.is_dir) for part in folder.split(os.pathsep)):
        raise ConfigError(f"{FOLDER}={folder!r}: there is no such folder; give it one with certificates, or unset it")
    try:
        if not file and not folder:
            import certifi

            return ssl.create_default_context(cafile=certifi.where())
        return ssl.create_default_context(cafile=file or None, capath=folder or None)
    except (ssl.SSLError, OSError) as error:
        log = os.environ.get(KEY_LOG, "").strip()
        if log and error.filename == log:
            raise ConfigError(f"{KEY_LOG}={log!r} cannot be written ({error.strerror}); unset it") from None
        raise ConfigError(
            f"{name or FOLDER}={file or folder!r} cannot be read as certificates ({error}); {advice}"
        ) from None


def _is_there(path: str, what: Callable[[Path], bool]) -> bool:
    """Whether the path is a file, or a folder; what no system takes for a path is neither."""
    try:
        return what(Path(path))
    except (OSError, ValueError):
        return False


def without_login(proxy: str) -> str:
    """Return a proxy's address without user and password."""
    parts = _parts(proxy)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}" if parts is not None else "(an address)"


def _parts(address: str) -> SplitResult | None:
    try:
        parts = urlsplit(address)
        # A password with a # or / in it ends the host too early, and what is left of it would be shown as the host.
        is_whole = "@" not in f"{parts.path}{parts.query}{parts.fragment}"
        return parts if parts.hostname and parts.port != 0 and is_whole else None
    except ValueError:
        return None


def _variable_of(proxy: str) -> str:
    """Return the name of the variable that holds a proxy's address."""
    bare = proxy.removeprefix("http://")
    names = (name for name, value in os.environ.items() if name.lower().endswith("_proxy"))
    return next((name for name in names if os.environ[name].strip() in (proxy.strip(), bare.strip())), "the proxy")


def _goes_without(host: str, port: int) -> bool:
    """Return whether NO_PROXY, or the system's setting, names the host, its domain or its network."""
    if proxy_bypass(f"{host}:{port}") or proxy_bypass(host):
        return True
    try:
        number = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return any(_holds(part.strip(), number) for part in getproxies().get("no", "").split(","))


def _holds(network: str, number: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    try:
        return number in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False
