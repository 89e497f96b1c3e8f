"""The sync face of the verbs. Written by `tests/support/stubs.py`; do not change it by hand."""

import pandas as pd
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, overload
from vidnb import catalog
from vidnb.catalog import DEFAULT_MODEL
from vidnb.client.asynchronous import AsyncClient, Jobs, Unsupported
from vidnb.client.budget import Budget
from vidnb.client.several import JobOrId, Several
from vidnb.clip import Clip
from vidnb.display.differences import Difference
from vidnb.history.history import History
from vidnb.records import Expectation, Job, KEEP, Keep, Quote, Spent
class Client:
    asynchronous: AsyncClient

    def __init__(self, home: str | Path | None = None, **options: Any) -> None: ...
    def __repr__(self) -> str: ...
    def close(self) -> None: ...
    def __enter__(self) -> Client: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...
    def annotate(
        self,
        job: Job | Clip | str,
        *,
        rating: int | Keep | None = KEEP,
        tags: str | Iterable[str] | Keep | None = KEEP,
        note: str | Keep | None = KEEP,
    ) -> Job: ...
    def budget(
        self,
        purse: str = '',
        *,
        usd: float | Keep | None = KEEP,
        credits: Mapping[str, float | None] | Keep | None = KEEP,
        jobs: int | Keep | None = KEEP,
        reset: bool = False,
    ) -> Budget: ...
    @overload
    def cancel(self, job: JobOrId) -> Job: ...
    @overload
    def cancel(self, job: Several) -> Jobs: ...
    def clip(self, job: Job | Clip | str) -> Clip: ...
    def diff(self, one: Job | Clip | str, other: Job | Clip | str) -> Difference: ...
    def expect(self, job: Job | Clip | str) -> Expectation | None: ...
    def generate(
        self,
        /,
        prompt: str | None = None,
        *,
        model: str = DEFAULT_MODEL,
        take: int | None = None,
        fresh: bool = False,
        timeout_s: float | None = 1800.0,
        unsupported: Unsupported = 'error',
        purse: str | None = None,
        accept_unknown_price: bool = False,
        **values: Any,
    ) -> Clip: ...
    def history(
        self,
        /,
        *,
        limit: int | None = None,
        params: Mapping[str, Any] | None = None,
        **filters: Any,
    ) -> History: ...
    def job(self, job: Job | Clip | str) -> Job: ...
    def jobs(self, /, *, limit: int | None = 20, params: Mapping[str, Any] | None = None, **filters: Any) -> Jobs: ...
    def measure(
        self,
        clips: History | Clip | Job | str | Iterable[Clip | Job | str],
        *,
        measures: Sequence[Any] | None = None,
        workers: int | None = None,
        executor: Executor | None = None,
    ) -> pd.DataFrame: ...
    def open_bundle(self, path: str | Path, replay: bool = False) -> History: ...
    def quote(
        self,
        /,
        prompt: str | None = None,
        *,
        model: str = DEFAULT_MODEL,
        take: int | None = None,
        fresh: bool = False,
        unsupported: Unsupported = 'error',
        **values: Any,
    ) -> Quote: ...
    def reconcile(self, job: Job | str | None = None) -> Jobs: ...
    def request(self, job: Job | Clip | str | Path) -> dict[str, Any]: ...
    def resume(self, *, wait: bool = True, timeout_s: float | None = None) -> Jobs: ...
    def settle(
        self,
        job: Job | str,
        how: Literal['send_again', 'give_up'] | None = None,
        *,
        remote_id: str | None = None,
        accept_unknown_price: bool = False,
    ) -> Job: ...
    def spent(self, since: datetime | str | None = None) -> Spent: ...
    def stop_waiting(self, job: Job | str) -> Job: ...
    def submit(
        self,
        /,
        prompt: str | None = None,
        *,
        model: str = DEFAULT_MODEL,
        take: int | None = None,
        fresh: bool = False,
        unsupported: Unsupported = 'error',
        purse: str | None = None,
        accept_unknown_price: bool = False,
        **values: Any,
    ) -> Job: ...
    @overload
    def wait(self, job: JobOrId, timeout_s: float | None = 1800.0, *, quiet: bool = False) -> Clip: ...
    @overload
    def wait(self, job: Several, timeout_s: float | None = 1800.0, *, quiet: bool = False) -> list[Clip]: ...
    def watch(self, job: Job | str) -> Iterator[Job]: ...

def default_client() -> Client: ...
def client_of(shown: object) -> Client | None: ...
def model(model_id: str) -> catalog.Model: ...
def models(provider: str | None = None, *, retired: bool = False) -> pd.DataFrame: ...
def measures() -> pd.DataFrame: ...
def annotate(
    job: Job | Clip | str,
    *,
    rating: int | Keep | None = KEEP,
    tags: str | Iterable[str] | Keep | None = KEEP,
    note: str | Keep | None = KEEP,
) -> Job: ...
def budget(
    purse: str = '',
    *,
    usd: float | Keep | None = KEEP,
    credits: Mapping[str, float | None] | Keep | None = KEEP,
    jobs: int | Keep | None = KEEP,
    reset: bool = False,
) -> Budget: ...
@overload
def cancel(job: JobOrId) -> Job: ...
@overload
def cancel(job: Several) -> Jobs: ...
def clip(job: Job | Clip | str) -> Clip: ...
def diff(one: Job | Clip | str, other: Job | Clip | str) -> Difference: ...
def expect(job: Job | Clip | str) -> Expectation | None: ...
def generate(
    prompt: str | None = None,
    *,
    model: str = DEFAULT_MODEL,
    take: int | None = None,
    fresh: bool = False,
    timeout_s: float | None = 1800.0,
    unsupported: Unsupported = 'error',
    purse: str | None = None,
    accept_unknown_price: bool = False,
    **values: Any,
) -> Clip: ...
def history(*, limit: int | None = None, params: Mapping[str, Any] | None = None, **filters: Any) -> History: ...
def job(job: Job | Clip | str) -> Job: ...
def jobs(*, limit: int | None = 20, params: Mapping[str, Any] | None = None, **filters: Any) -> Jobs: ...
def measure(
    clips: History | Clip | Job | str | Iterable[Clip | Job | str],
    *,
    measures: Sequence[Any] | None = None,
    workers: int | None = None,
    executor: Executor | None = None,
) -> pd.DataFrame: ...
def open_bundle(path: str | Path, replay: bool = False) -> History: ...
def quote(
    prompt: str | None = None,
    *,
    model: str = DEFAULT_MODEL,
    take: int | None = None,
    fresh: bool = False,
    unsupported: Unsupported = 'error',
    **values: Any,
) -> Quote: ...
def reconcile(job: Job | str | None = None) -> Jobs: ...
def request(job: Job | Clip | str | Path) -> dict[str, Any]: ...
def resume(*, wait: bool = True, timeout_s: float | None = None) -> Jobs: ...
def settle(
    job: Job | str,
    how: Literal['send_again', 'give_up'] | None = None,
    *,
    remote_id: str | None = None,
    accept_unknown_price: bool = False,
) -> Job: ...
def spent(since: datetime | str | None = None) -> Spent: ...
def stop_waiting(job: Job | str) -> Job: ...
def submit(
    prompt: str | None = None,
    *,
    model: str = DEFAULT_MODEL,
    take: int | None = None,
    fresh: bool = False,
    unsupported: Unsupported = 'error',
    purse: str | None = None,
    accept_unknown_price: bool = False,
    **values: Any,
) -> Job: ...
@overload
def wait(job: JobOrId, timeout_s: float | None = 1800.0, *, quiet: bool = False) -> Clip: ...
@overload
def wait(job: Several, timeout_s: float | None = 1800.0, *, quiet: bool = False) -> list[Clip]: ...
def watch(job: Job | str) -> Iterator[Job]: ...
