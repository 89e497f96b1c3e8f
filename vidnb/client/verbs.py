"""The sync face: `Client`, and the module-level verbs on the data folder in force.

Every verb is written once, as a method of `AsyncClient`; `faces` makes the others from it when this module is imported.
Type checkers read `verbs.pyi`, which `tests/support/stubs.py` writes.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import weakref
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from vidnb import catalog, display
from vidnb.client import faces, loop
from vidnb.client.asynchronous import AsyncClient
from vidnb.client.home import home_in_force
from vidnb.client.interrupt import let_the_next_end_all
from vidnb.errors import VidnbError
from vidnb.history.measuring import measures_frame

if TYPE_CHECKING:
    import pandas as pd

_clients: weakref.WeakSet[Client] = weakref.WeakSet()
_senders: weakref.WeakSet[AsyncClient] = weakref.WeakSet()
"""What sends the jobs of all clients; it lives on while it has jobs, though nobody may hold its client any more."""


class Client:
    """The verbs for cells, scripts, threads and callbacks: each waits for its async twin on vidnb's own loop.

    Ctrl-C or "interrupt kernel" stops the waiting, not the job.

    Args:
        home: the data folder; default `VIDNB_HOME`, else `vidnb-data` in the working directory.
        **options: as for `AsyncClient`.

    Example:
        >>> client = vidnb.Client("my-data")
        >>> clip = client.generate("a koala in a meadow", seed=7)
    """

    asynchronous: AsyncClient

    def __init__(self, home: str | Path | None = None, **options: Any) -> None:
        self.asynchronous = AsyncClient(home, **options)
        _clients.add(self)
        _senders.add(self.asynchronous)
        with contextlib.suppress(VidnbError):  # other threads may begin their first verb when this one has ended
            loop.loop()
        # What was registered last is called first: before a temporary data folder that is older is removed.
        atexit.unregister(_leave)
        atexit.register(_leave)

    def __repr__(self) -> str:
        return f"<Client {self.asynchronous.home}>"

    def close(self) -> None:
        """Stop polling (the jobs go on), close connections and the database."""
        loop.run_sync(self.asynchronous.aclose())

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _leave() -> None:
    """Wait for the replies to paid requests before the process ends, as after a script whose last line is `submit`."""
    let_the_next_end_all()
    loop.begin_to_end()
    for sender in list(_senders):
        if sender.is_busy:
            with contextlib.suppress(Exception):
                loop.run_sync(sender.leave())


@functools.cache
def _client_of(home: Path) -> Client:
    return Client(home)


def default_client() -> Client:
    """Return the client behind the module-level verbs: one for each data folder that was in force."""
    return _client_of(home_in_force())


def client_of(shown: object) -> Client | None:
    """Return the client that opened the data folder of this clip or history; None where none did."""
    files = getattr(shown, "_files", None)
    opened = ((client, client.asynchronous.__dict__.get("files")) for client in list(_clients))
    return next((client for client, own in opened if own is not None and own is files), None)


for _name, _method in faces.verbs().items():
    setattr(Client, _name, faces.of_client(_method))
    globals()[_name] = faces.of_module(getattr(Client, _name), default_client)


def model(model_id: str) -> catalog.Model:
    """One model of the catalogue; in a cell it shows its params, bounds, defaults, price and status.

    Args:
        model_id: as in `leonardo/SVD`, or the bare name where only one provider has it.

    Raises:
        ConfigError: there is none; the message names the closest ones.

    Example:
        >>> vidnb.model("leonardo/SVD").params["motion_strength"].bounds
    """
    return catalog.find(model_id)


def models(provider: str | None = None, *, retired: bool = False) -> pd.DataFrame:
    """The catalogue as a DataFrame, one row a model.

    Args:
        provider: only this provider's.
        retired: the retired ones too.

    Example:
        >>> vidnb.models("replicate")[["title", "modes", "durations"]]
    """
    return display.models_frame(catalog.load(), provider=provider, retired=retired)


def measures() -> pd.DataFrame:
    """What `vidnb.measure` can measure, as a DataFrame: what each measure means, its unit, range and source.

    Example:
        >>> vidnb.measures()[["means", "unit", "better"]]
    """
    return measures_frame()
