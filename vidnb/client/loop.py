"""The one background loop on which every sync verb runs its async twin.

A notebook's own loop is always running, so nothing here touches it: a daemon thread has a loop of its own, and the
caller waits for the result in short steps, so that Ctrl-C and "interrupt kernel" reach both sides. It works the same
in a script, a cell, a widget callback on whatever thread the kernel chose, and under a running loop.
"""

from __future__ import annotations

import asyncio
import atexit
import concurrent.futures
import contextvars
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

from vidnb.client.interrupt import quieted, unheard
from vidnb.errors import VidnbError
from vidnb.forking import call_in_child
from vidnb.threads import StandingPool

T = TypeVar("T")

THREAD_NAME = "vidnb-loop"
THREADS = 6
"""For what would block the loop: names of servers, files, verbs that a widget asks for."""
_lock = threading.Lock()
_loop: asyncio.AbstractEventLoop | None = None
_thread: threading.Thread | None = None
_is_ending = False
_running: set[concurrent.futures.Future[Any]] = set()
"""The tasks that still run. The loop keeps only weak references, so they are held here."""


def loop() -> asyncio.AbstractEventLoop:
    """The background loop, started on first use and again after a fork."""
    global _loop, _thread
    with _lock:
        if _loop is None or _loop.is_closed():
            pool = _pool()
            _loop = asyncio.new_event_loop()
            _loop.set_default_executor(pool)
            _thread = threading.Thread(target=_loop.run_forever, name=THREAD_NAME, daemon=True)
            _thread.start()
    return _loop


def _pool() -> StandingPool:
    try:
        return StandingPool(THREADS, "vidnb-aside")
    except RuntimeError:
        raise VidnbError(
            "the main program has ended, and from then on Python starts no thread, which vidnb needs; let the main "
            "program wait for this one (thread.join()), or make the first call of vidnb before it ends"
        ) from None


def _end_silently() -> None:
    if _is_ending and threading.current_thread().daemon:
        threading.Event().wait()  # it ends with the process


def begin_to_end() -> None:
    """Let no daemon thread complain that its client is closed while the process ends."""
    global _is_ending
    _is_ending = True


@atexit.register
def _park() -> None:
    """Let nothing happen on the loop any more: the databases are closed next, and a job that goes on would complain."""
    if _loop is not None and _thread is not None and _thread.is_alive():
        parked = threading.Event()

        def stay() -> None:
            parked.set()
            threading.Event().wait()

        _loop.call_soon_threadsafe(stay)
        parked.wait(1)


@call_in_child
def _begin_anew() -> object:
    """Forget the parent's loop in a child: its thread is not there, and its sockets are the parent's."""
    global _loop, _thread, _lock, _running
    left = _loop, _thread, _running
    _loop, _thread, _lock, _running = None, None, threading.Lock(), set()
    return left


def spawn(
    coroutine: Coroutine[Any, Any, T], on: asyncio.AbstractEventLoop | None = None
) -> concurrent.futures.Future[T]:
    """A future for the coroutine, which runs on the background loop or another; cancelling the future cancels it.

    The caller's context goes along, so that output written by the coroutine lands in the caller's cell.
    """
    result: concurrent.futures.Future[T] = concurrent.futures.Future()
    try:
        running, context = on or loop(), contextvars.copy_context()
    except VidnbError:
        coroutine.close()
        raise
    _running.add(result)
    result.add_done_callback(_running.discard)

    def start() -> None:
        task = context.run(running.create_task, coroutine)
        result.add_done_callback(lambda done: done.cancelled() and running.call_soon_threadsafe(task.cancel))
        task.add_done_callback(lambda done: _hand_over(done, result))

    running.call_soon_threadsafe(start)
    return result


def _hand_over(task: asyncio.Task[T], result: concurrent.futures.Future[T]) -> None:
    """Copy the outcome of the task to the future that another thread waits for."""
    if task.cancelled():
        result.cancel()
        return
    error = task.exception()
    if not result.set_running_or_notify_cancel():
        return
    if error is not None:
        result.set_exception(error)
    else:
        result.set_result(task.result())


def run_sync(coroutine: Coroutine[Any, Any, T]) -> T:
    """The coroutine's result; an interrupt while waiting cancels it.

    Raises:
        RuntimeError: called on the background loop itself, where waiting would be a deadlock.
    """
    if threading.current_thread() is _thread:
        coroutine.close()
        raise RuntimeError(
            "a verb of vidnb that waits was called from code on vidnb's own event loop, such as a callback; await the "
            "verb of the same name of an AsyncClient there"
        )
    future = spawn(coroutine)
    try:
        while True:
            try:
                # A short wait returns to the interpreter, so that a signal is seen on every platform.
                return future.result(0.25)
            except concurrent.futures.TimeoutError:
                if future.done():
                    raise
    except VidnbError as error:
        _end_silently()
        # Foreseen, and told in full by its message: the frames of two threads below would only bury it in a cell.
        raise error.with_traceback(None)  # noqa: B904
    except KeyboardInterrupt as interrupt:
        with unheard():
            future.cancel()
        raise quieted(interrupt) from None
    except BaseException:
        _end_silently()
        future.cancel()
        raise
