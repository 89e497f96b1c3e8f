"""What one should know of a model before pressing Generate, in lines with a tone each."""

from __future__ import annotations

from vidnb.catalog import Model, words
from vidnb.client.asynchronous import AsyncClient
from vidnb.errors import VidnbError

EMULATED = "Its clips cost nothing and say EMULATED."
GUESSED = "Seen in a list of the vendor only: its params are a guess."


def service_line(client: AsyncClient, model: Model) -> tuple[str, str] | None:
    """Return a line and its tone where the emulator answers for the model or no service can be asked; else None."""
    try:
        where = client.target(model.provider)
    except VidnbError as error:
        return str(error), "warn"
    if where.in_process:
        return f"No {where.provider.key_env}: the built-in emulator answers. {EMULATED}", "note"
    return (f"An emulator on this machine answers. {EMULATED}", "note") if where.emulated else None


def model_lines(model: Model) -> list[tuple[str, str]]:
    """Return what the catalogue warns of: out of service, or not confirmed."""
    lines = []
    if model.is_retired:
        lines.append((f"{words.retirement(model)} Only the emulator still plays it.", "warn"))
    if model.status == "unconfirmed":
        lines.append((GUESSED, "warn"))
    return lines
