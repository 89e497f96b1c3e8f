"""The tasks that drive a client's jobs: one task a job, however many callers wait; and a queue for each watcher."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Container, Iterator

from vidnb import display
from vidnb.errors import ConfigError, StoreError
from vidnb.jobs.engine import Engine
from vidnb.records import Job


class Runners:
    """The jobs that a client drives.

    Args:
        engine: returns what drives the jobs, once the first one is started.
    """

    def __init__(self, engine: Callable[[], Engine]) -> None:
        self._engine = engine
        self._tasks: dict[str, asyncio.Task[Job]] = {}
        self._rows: dict[str, Job] = {}
        """The newest row of each job that has a task."""
        self._watchers: dict[str, list[asyncio.Queue[Job]]] = {}
        self._decisions: dict[str, asyncio.Event] = {}
        self.is_closed = False
        """Whether the client was closed: no job is started any more."""
        self._store_told: set[str] = set()
        """What was logged of database and files since a job last went on."""

    def __contains__(self, job_id: str) -> bool:
        return job_id in self._tasks

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._tasks))

    def __len__(self) -> int:
        return len(self._tasks)

    def start(self, job: Job) -> asyncio.Task[Job]:
        """Return the task that drives the job, started if nobody drives it yet.

        Raises:
            ConfigError: the client was closed.
        """
        self.check_open()
        task = self._tasks.get(job.id)
        if task is None or (task.done() and not job.is_terminal):
            name = f"vidnb job {job.id[:8]}"
            task = self._tasks[job.id] = asyncio.create_task(self._engine().run(job), name=name)
            self._rows[job.id] = job
            task.add_done_callback(lambda done: self._ended(job.id, done))
        return task

    def check_open(self) -> None:
        """Refuse to begin anything once the client was closed: its connections are gone, and its database is let go."""
        if self.is_closed:
            raise ConfigError("this client was closed, so it sends and follows no job; go on with a new one")

    def row(self, job_id: str) -> Job | None:
        """Return the newest row of a job that is driven here; None of any other."""
        task = self._tasks.get(job_id)
        return None if task is None or task.done() else self._rows.get(job_id)

    async def stop(self, job: Job) -> None:
        """End the task that drives the job, if there is one; the job itself goes on."""
        task = self._tasks.pop(job.id, None)
        if task is not None:
            await asyncio.sleep(0)  # one that has not begun could not give its lease back
            task.cancel()
            await asyncio.wait([task])

    @contextlib.asynccontextmanager
    async def deciding(self, job_id: str) -> AsyncIterator[None]:
        """Make those who wait in `decided` wait until the block, in which a person's decision is written, has ended."""
        decision = self._decisions[job_id] = asyncio.Event()
        try:
            yield
        finally:
            decision.set()
            if self._decisions.get(job_id) is decision:
                del self._decisions[job_id]

    async def decided(self, job_id: str) -> None:
        """Wait until every decision about the job that is under way has been written."""
        while (decision := self._decisions.get(job_id)) is not None:
            await decision.wait()

    async def stop_all(self, job_ids: Container[str] | None = None) -> None:
        """End all tasks, or those of these jobs; the jobs go on."""
        await asyncio.sleep(0)  # those that have not begun could not give their leases back
        tasks = [task for job_id, task in self._tasks.items() if job_ids is None or job_id in job_ids]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def changed(self, job: Job) -> None:
        """Tell those who watch the job."""
        if job.id in self._tasks:
            self._rows[job.id] = job
        for queue in self._watchers.get(job.id, ()):
            queue.put_nowait(job)

    @contextlib.contextmanager
    def watching(self, job_id: str) -> Iterator[asyncio.Queue[Job]]:
        """Give a queue that gets the job's row after every change, for as long as the block runs."""
        queue: asyncio.Queue[Job] = asyncio.Queue()
        queues = self._watchers.setdefault(job_id, [])
        queues.append(queue)
        try:
            yield queue
        finally:
            queues.remove(queue)
            if not queues and self._watchers.get(job_id) is queues:
                del self._watchers[job_id]

    def _ended(self, job_id: str, task: asyncio.Task[Job]) -> None:
        # A task nobody waits for must not complain of its error at exit; the row and the log have it.
        if not task.cancelled() and (error := task.exception()) is not None:
            self._tell(job_id, error)
        elif not task.cancelled():
            self._store_told.clear()
        if self._tasks.get(job_id, task) is task:
            self._tasks.pop(job_id, None)
            self._rows.pop(job_id, None)

    def _tell(self, job_id: str, error: BaseException) -> None:
        """Log why a job's task ended early; trouble with the database is logged once, not once for each job."""
        if not isinstance(error, StoreError):
            display.log.warning("job %s: %s", job_id[:8], error)
        elif (what := str(error).partition(" (")[0]) not in self._store_told:  # the driver's words follow, and vary
            self._store_told.add(what)
            display.log.warning("job %s, and others that wait for the same: %s", job_id[:8], error)


async def forward(queue: asyncio.Queue[Job], on_change: Callable[[Job], None]) -> None:
    """Call `on_change` with every row that comes, until cancelled."""
    while True:
        on_change(await queue.get())
