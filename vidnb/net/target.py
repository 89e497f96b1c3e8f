"""Where a provider's requests go and with which key: the live service, the emulator, or an address of one's own."""

from __future__ import annotations

import functools
import ipaddress
import os
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, urlsplit

from pydantic import SecretStr

from vidnb import plugins
from vidnb.errors import ConfigError
from vidnb.net.handshake import is_emulator
from vidnb.net.nearby import left_by
from vidnb.providers import Provider

EMULATOR_HOST = "emulator.vidnb.invalid"
EMULATOR_KEY = "00000000-0000-4000-8000-000000000000"

LIVE = {
    "": False, "0": False, "no": False, "false": False, "off": False,
    "1": True, "yes": True, "true": True, "on": True,
}  # fmt: skip
_VERSION = re.compile(r"/v\d+$")
_NAME = re.compile(r"\.(?!0x)(?=[^.]*[^\d.])[^.]+$")
"""The end of a host name; resolvers take `127.1` and `10.0x1` for addresses."""
_KEY = re.compile(r"[!#-&(-~]+")


@dataclass(frozen=True)
class Target:
    """Where a provider's requests go and with which key; `emulated` where no real service is behind it."""

    provider: Provider
    base_url: str
    key: SecretStr
    emulated: bool

    @property
    def in_process(self) -> bool:
        """True where the built-in emulator answers without a socket."""
        return urlsplit(self.base_url).hostname == EMULATOR_HOST

    @property
    def is_plain(self) -> bool:
        """True where the service itself is reached over plain http, as on this machine."""
        return urlsplit(self.base_url).scheme == "http"

    def __reduce__(self) -> Any:
        raise TypeError("a target holds a key, which must not be written anywhere")

    def base_of(self, host: str) -> str:
        """Return where the paths of one of the provider's hosts begin: "" for the main one, else a name of its own."""
        if not host:
            return self.base_url
        if self.base_url == self.provider.base_url:
            return self.provider.other_hosts[host]
        return f"{self.base_url.partition('#')[0].rstrip('/')}/{host}"

    @property
    def webhook_url(self) -> str:
        """The address that the service is to call once a job is over, or "" where none is set.

        Raises:
            ConfigError: it is no https address.
        """
        name = self.provider.webhook_url_env
        url = os.environ.get(name, "").strip() if name else ""
        parts = _parts(url.partition("?")[0]) if url else None
        if url and (parts is None or (parts.scheme != "https" and not _is_this_machine(parts.hostname or ""))):
            raise ConfigError(f"{name} is not an https address like https://me.example/webhook")
        return url

    @functools.cached_property
    def account(self) -> str:
        """A fingerprint of the key: tells accounts apart, and cannot be turned back into the key."""
        import hashlib

        return hashlib.sha256(b"vidnb account\0" + self.key.get_secret_value().encode()).hexdigest()[:12]

    @functools.cached_property
    def lane(self) -> str:
        """Where calls go, and for which account: what shares a connection and a pace.

        An account alone does not tell, as the emulator answers for all services with one key.
        """
        return f"{self.provider.name} {self.base_url} {self.account}"


def target(provider: Provider, *, live: bool | None = None, key: str | None = None) -> Target:
    """Where to send this provider's requests, from the arguments and the environment.

    A server at an address of one's own is an emulator where it proves that (see `handshake`).

    Without a key the provider is emulated, unless `live` (or `VIDNB_LIVE=1`) forbids that. An explicit `live=False`
    emulates whatever keys and addresses there are, so that nothing can be paid.

    Raises:
        ConfigError: live was asked for and there is no key, or the base URL is not one.
    """
    if live is False and has_emulator(provider.name):
        return Target(provider, emulator_base_url(provider), SecretStr(EMULATOR_KEY), emulated=True)
    live = _live_is_set() if live is None else live
    key = given_key(provider, key)
    own_url = os.environ.get(provider.base_url_env, "").strip() or (left_by(provider)[0] if key else "")
    if not key and live:
        raise ConfigError(
            f"{_no_key(provider)}; without live=True (or VIDNB_LIVE) the built-in emulator answers instead"
        )
    if not key and not own_url and not has_emulator(provider.name):
        raise ConfigError(f"{_no_key(provider)}; no emulated service of that name is installed")
    base_url = (own_url or (provider.base_url if key else emulator_base_url(provider))).rstrip("/")
    parts = _parts(base_url)
    versioned = parts is not None and (not parts.fragment or _VERSION.fullmatch(f"/{parts.fragment}"))
    if parts is None or parts.hostname is None or not versioned:
        raise ConfigError(f"{provider.base_url_env} is not a plain http(s) address like {provider.base_url}")
    if parts.scheme == "http" and not _is_this_machine(parts.hostname):
        raise ConfigError(f"{provider.base_url_env}={own_url!r}: a key is sent over https only")
    in_process = parts.hostname == EMULATOR_HOST
    # Never because of its name: what is on this machine may be a proxy in front of a service that is paid.
    emulated = in_process or (base_url != provider.base_url and is_emulator(base_url))
    if not key and not emulated:
        raise ConfigError(
            f"no key for {provider.title}: {provider.base_url_env} names a server that does not answer as vidnb's "
            f"emulator; start that (vidnb emulate), or set {provider.key_env} if it is another service"
        )
    # What proved itself may still be a router that sends other paths to the service: there no key of a person pays.
    return Target(provider, base_url, SecretStr(EMULATOR_KEY if emulated else key), emulated)


def _no_key(provider: Provider) -> str:
    """Return that there is no key, and what to do about it."""
    if provider.start:
        return f"no {provider.title} is running for you on this machine: start it in a terminal ({provider.start})"
    return f"no key for {provider.title}: set {provider.key_env}" + (
        f" ({provider.key_page})" if provider.key_page else ""
    )


def _live_is_set() -> bool:
    told = os.environ.get("VIDNB_LIVE", "").strip().lower()
    if told not in LIVE:
        raise ConfigError(f"VIDNB_LIVE={told!r}: write 1 to forbid the emulator, or 0 to allow it")
    return LIVE[told]


def has_emulator(provider: str) -> bool:
    """Return whether an emulated service of this provider is installed, vidnb's own or a plug-in's."""
    return provider in plugins.names(plugins.EMULATED)


def _parts(base_url: str) -> SplitResult | None:
    """The parts of a service's address, or None where it is none or has a user, a password or a query in it."""
    try:
        parts = urlsplit(base_url)
        plain = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        return None
    return parts if plain and "@" not in parts.netloc and not parts.query else None


def given_key(provider: Provider, key: str | None = None) -> str:
    """The key of the arguments, the environment or a server on this machine, or "" where there is none.

    Raises:
        ConfigError: it holds what no key has; sent as it is, it would end up in the messages of other libraries. Or
            half of it is missing.
    """
    key = (key or environment_key(provider) or left_by(provider)[1]).strip()
    if key and not _KEY.fullmatch(key):
        raise ConfigError(
            f"{provider.key_env}: the key holds a space, a quote, a line break or a character that is not ASCII; "
            "copy it again, without quotes"
        )
    return key


def environment_key(provider: Provider) -> str:
    """Return the key of the environment, in one variable or in two, or "" where there is none.

    Raises:
        ConfigError: one of two variables is set without the other.
    """
    key = os.environ.get(provider.key_env, "").strip()
    if key or provider.key_pair_env is None:
        return key
    halves = {name: os.environ.get(name, "").strip() for name in provider.key_pair_env}
    missing = [name for name, half in halves.items() if not half]
    if len(missing) == 1:
        [there] = halves.keys() - {*missing}
        raise ConfigError(f"{there} is set and {missing[0]} is not: a key for {provider.title} needs both")
    return "" if missing else ":".join(halves.values())


def emulator_base_url(provider: Provider) -> str:
    """Where the in-process emulator answers for this provider: the live path on the emulator's host."""
    return f"http://{EMULATOR_HOST}{urlsplit(provider.base_url).path}"


def address(base_url: str, path: str) -> str:
    """The URL of a call's path below a base URL.

    OpenAPI documents put the version into the server's address and leave it out of the paths, so two more forms of a
    base URL are taken: one that ends in a version (`https://host/api/rest/v1`) is not given it twice, and one that
    names a version after a `#` (`http://127.0.0.1:4010#v1`) stands for that version itself, as a mock of such a
    document does.
    """
    base, _, version = base_url.partition("#")
    if version and path.startswith(f"/{version}/"):
        return base.rstrip("/") + path[len(version) + 1 :]
    versioned = re.match(r"/v\d+/", path) is not None
    return (_VERSION.sub("", base) if versioned else base.rstrip("/")) + path


def _is_this_machine(host: str) -> bool:
    """True for the emulator's host and loopback addresses: what goes there stays on this machine."""
    if host == EMULATOR_HOST or host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def is_public(host: str) -> bool:
    """False for the names and addresses of this machine and of private networks, however they are written."""
    host = host.rstrip(".")
    if "." not in host and ":" not in host:  # a name that only the local network knows, or an address as one number
        return False
    if host.endswith((".localhost", ".invalid", ".local", ".internal", ".lan", ".home.arpa")):
        return False
    try:
        return ipaddress.ip_address(host.strip("[]")).is_global
    except ValueError:
        return _NAME.search(host) is not None
