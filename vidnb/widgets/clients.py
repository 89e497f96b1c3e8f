"""Whose data folder a part works in."""

from __future__ import annotations

from vidnb.client.asynchronous import AsyncClient
from vidnb.client.verbs import Client, default_client

AnyClient = Client | AsyncClient


def core(client: AnyClient | None) -> AsyncClient:
    """Return the `AsyncClient` behind a client; default the one behind `vidnb.generate`."""
    if isinstance(client, AsyncClient):
        return client
    return (client or default_client()).asynchronous
