"""The sync face: `Client`, and the module-level verbs on the data folder in force.

Every verb is written once, as a coroutine of `AsyncClient`; here it is run on the one background loop, or called
directly where it only reads. Names, signatures and docstrings are the coroutines' own.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import inspect
import threading
import weakref
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar, cast

from vidnb import _bridge, catalog, display
from vidnb.client import AsyncClient
from vidnb.files import data_home

if TYPE_CHECKING:
    import pandas as pd

_clients: weakref.WeakSet[Client] = weakref.WeakSet()
P = ParamSpec("P")
T = TypeVar("T")


def _sync(method: Callable[Concatenate[AsyncClient, P], Coroutine[Any, Any, T]]) -> Callable[Concatenate[Client, P], T]:
    """The verb that runs its async twin on the background loop; name, signature and docstring are the twin's."""

    @functools.wraps(method)
    def call(self: Client, *args: P.args, **kwargs: P.kwargs) -> T:
        return _bridge.run_sync(method(self.asynchronous, *args, **kwargs))

    return cast(Any, call)


def _same(method: Callable[Concatenate[AsyncClient, P], T]) -> Callable[Concatenate[Client, P], T]:
    """The verb that only reads and never waits, called directly."""

    @functools.wraps(method)
    def call(self: Client, *args: P.args, **kwargs: P.kwargs) -> T:
        return method(self.asynchronous, *args, **kwargs)

    return cast(Any, call)


def _stream(
    method: Callable[Concatenate[AsyncClient, P], AsyncIterator[T]],
) -> Callable[Concatenate[Client, P], Iterator[T]]:
    """The verb that takes each row of its async twin as it comes; leaving the loop early ends the twin too."""

    @functools.wraps(method)
    def call(self: Client, *args: P.args, **kwargs: P.kwargs) -> Iterator[T]:
        rows = method(self.asynchronous, *args, **kwargs)
        try:
            while True:
                try:
                    yield _bridge.run_sync(_next(rows))
                except StopAsyncIteration:
                    return
        finally:
            _bridge.run_sync(rows.aclose())  # type: ignore[attr-defined]  # an async generator, typed as its interface

    return cast(Any, call)


async def _next(rows: AsyncIterator[T]) -> T:
    return await anext(rows)


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

    def __init__(self, home: str | Path | None = None, **options: Any) -> None:
        self.asynchronous = AsyncClient(home, **options)
        _clients.add(self)

    def __repr__(self) -> str:
        return f"<Client {self.asynchronous.home}>"

    generate = _sync(AsyncClient.generate)
    submit = _sync(AsyncClient.submit)
    wait = _sync(AsyncClient.wait)
    stop_waiting = _sync(AsyncClient.stop_waiting)
    cancel = _sync(AsyncClient.cancel)
    resume = _sync(AsyncClient.resume)
    reconcile = _sync(AsyncClient.reconcile)
    settle = _sync(AsyncClient.settle)
    annotate = _sync(AsyncClient.annotate)
    quote = _same(AsyncClient.quote)
    expect = _same(AsyncClient.expect)
    spent = _same(AsyncClient.spent)
    job = _same(AsyncClient.job)
    clip = _same(AsyncClient.clip)
    request = _same(AsyncClient.request)
    jobs = _same(AsyncClient.jobs)
    history = _same(AsyncClient.history)

    watch = _stream(AsyncClient.watch)

    def close(self) -> None:
        """Stop polling (the jobs go on), close connections and the database."""
        _bridge.run_sync(self.asynchronous.aclose())

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _leave() -> None:
    """A script that ends right after `submit` must not tear the paid request off: wait for its reply."""
    for client in list(_clients):
        if client.asynchronous.is_busy:
            with contextlib.suppress(Exception):
                _bridge.run_sync(client.asynchronous.leave())


# Before the executors are shut down, without which nothing can be sent any more; `atexit` itself comes too late.
getattr(threading, "_register_atexit", atexit.register)(_leave)


@functools.cache
def _client_of(home: Path) -> Client:
    return Client(home)


def default_client() -> Client:
    """The client behind the module-level verbs: one for each data folder that was in force."""
    return _client_of(data_home())


def _verb(method: Callable[Concatenate[Client, P], T]) -> Callable[P, T]:
    @functools.wraps(method)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        return method(default_client(), *args, **kwargs)

    signature = inspect.signature(method)
    call.__signature__ = signature.replace(  # type: ignore[attr-defined]  # read by inspect and Jupyter's tooltips
        parameters=[p for name, p in signature.parameters.items() if name != "self"]
    )
    return call


generate = _verb(Client.generate)
submit = _verb(Client.submit)
wait = _verb(Client.wait)
watch = _verb(Client.watch)
stop_waiting = _verb(Client.stop_waiting)
cancel = _verb(Client.cancel)
resume = _verb(Client.resume)
reconcile = _verb(Client.reconcile)
settle = _verb(Client.settle)
annotate = _verb(Client.annotate)
quote = _verb(Client.quote)
expect = _verb(Client.expect)
spent = _verb(Client.spent)
job = _verb(Client.job)
clip = _verb(Client.clip)
request = _verb(Client.request)
jobs = _verb(Client.jobs)
history = _verb(Client.history)


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


def models(*, provider: str | None = None, retired: bool = False) -> pd.DataFrame:
    """The catalogue as a DataFrame, one row a model.

    Args:
        provider: only this provider's.
        retired: the retired ones too.

    Example:
        >>> vidnb.models(provider="1min")[["title", "modes", "durations"]]
    """
    return display.models_frame(catalog.load(), provider=provider, retired=retired)
