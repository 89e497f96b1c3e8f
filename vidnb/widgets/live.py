"""What all live parts have in common: one ES module each, messages by name, and an output that a notebook can save.

A part's code is `static/common.js` followed by `static/<name>.js` and what that imports (see `code`), its looks
`static/vidnb.css` followed by `static/<name>.css`: plain files, nothing fetched when shown. Bytes go as messages, never
as synced traits, because those are saved into notebooks.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from concurrent.futures import Future
from importlib import import_module
from typing import Any, ClassVar

import anywidget
import ipywidgets
import traitlets

from vidnb.client import loop
from vidnb.display.host import host
from vidnb.errors import VidnbError
from vidnb.widgets.code import code, looks

PIECE_BYTES = 512 * 1024
WINDOW_BYTES, WINDOW_S = 2_400_000, 3.0
"""A Jupyter server drops messages beyond 3 MB in 3 seconds; the rest is for all that is not sent in pieces."""


class Live(anywidget.AnyWidget, ipywidgets.ValueWidget):
    """A part of the page with code of its own.

    A subclass names itself (`class Player(Live, part="player")`) and gets `static/player.js` and `static/player.css`.
    The page sends `{kind: "rate", ...}` with `send(model, "rate", {...}, buffers)`; it arrives at `heard_rate(content,
    buffers)`. The other way it is `self.say("bytes", {...}, [data])`, heard with `hear(model, "bytes", handler)`. An
    exception in a handler is shown in the part itself, as nobody reads a log.

    Attributes:
        value: the trait that the part is about (`class Player(Live, part="player", main="clip")`), under the name that
            `ipywidgets.interactive` and other tools for widgets look for.
        problem: what went wrong last, shown in the part; "" for nothing.
    """

    part: ClassVar[str] = ""
    main: ClassVar[str] = ""
    problem = traitlets.Unicode("").tag(sync=True)
    _instead = traitlets.Unicode("").tag(sync=True)
    """Id of the saved output that stands for the part where it is not alive; hidden while it is."""
    _written = traitlets.Int(0).tag(sync=True)
    """How often that output was written: a page that shows an older one was loaded anew and no longer receives it."""

    def __init_subclass__(cls, part: str = "", main: str = "", **options: Any) -> None:
        if part:
            cls.part, cls.main = part, main
            cls._esm = code(part)
            cls._css = looks(part)
        super().__init_subclass__(**options)

    def __init__(self, **traits: Any) -> None:
        super().__init__(**traits)
        self._own_layout = self.layout
        self._in_turn = asyncio.Lock()  # what a person says of clips is kept and shown in the order of its saying
        self._saved = SavedOutput(self)
        self.on_msg(self._received)
        if self.main:
            self.value = getattr(self, self.main)
            self.observe(self._tell_value, self.main)
            self.observe(self._take_value, "value")

    def __repr__(self) -> str:
        """What `print` shows: a part has no text of its own, and all that ipywidgets would say is the class."""
        told = self._in_a_line()
        return f"<{type(self).__name__}: {told}>" if told else f"<{type(self).__name__}>"

    def _in_a_line(self) -> str:
        """What the part shows, in a few words; "" where there is nothing to say."""
        return ""

    # Compared by identity: values may be arrays, and the part may have made another value of what it was given.
    def _tell_value(self, change: Any) -> None:
        if self.value is not change["new"]:
            self.value = change["new"]

    def _take_value(self, change: Any) -> None:
        if getattr(self, self.main) is not change["new"]:
            setattr(self, self.main, change["new"])

    def say(self, kind: str, content: Mapping[str, Any] | None = None, buffers: Sequence[bytes] = ()) -> None:
        """Send a message to the page; from any thread, also while a cell runs."""
        self.send({"kind": kind, **(content or {})}, list(buffers))

    async def say_in_pieces(
        self, kind: str, content: Mapping[str, Any], data: bytes, is_wanted: Callable[[], bool] = lambda: True
    ) -> None:
        """Send bytes of any size in messages that every server lets through, as long as they are wanted.

        The page puts them together with `gatherer()`; each message names its `part` and how many `parts` there are.
        """
        pieces = [data[start : start + PIECE_BYTES] for start in range(0, len(data), PIECE_BYTES)] or [b""]
        for index, piece in enumerate(pieces):
            if not await PACE.wait_for(len(piece), lambda: self.is_open and is_wanted()):
                return
            self.say(kind, {**content, "part": index, "parts": len(pieces)}, [piece])

    def _received(self, _: Any, content: Any, buffers: Sequence[Any]) -> None:
        heard = getattr(self, f"heard_{content.get('kind')}", None) if isinstance(content, Mapping) else None
        if heard is None:
            return
        self.problem = ""
        try:
            heard(content, [bytes(buffer) for buffer in buffers])
        except Exception as error:  # noqa: BLE001  the page must say what happened, as nobody reads the kernel's log
            self.problem = in_words(error)

    def _spawn(self, work: Coroutine[Any, Any, Any]) -> Future[None]:
        """The coroutine as a future on vidnb's own loop; what goes wrong is shown in the part, as nobody awaits it."""

        async def shown() -> None:
            try:
                await work
            except Exception as error:  # noqa: BLE001  as above
                self.problem = in_words(error)

        return loop.spawn(shown())

    @property
    def is_open(self) -> bool:
        """Whether a page can still reach the part."""
        return self.comm is not None

    def close(self) -> None:
        """Take the part off every page and free what it holds there; what it began at a service goes on."""
        if self.is_open:
            super().close()
            self._own_layout.close()  # a widget of its own, which ipywidgets leaves behind

    # -- what a notebook saves ---------------------------------------------------------------------------------------

    def saved_html(self) -> str:
        """What stands for the part in a saved notebook, as HTML; "" for nothing."""
        return ""

    def save_output(self) -> None:
        """Bring the saved output up to date; does nothing before the part was shown."""
        if self._saved.is_shown:
            self._saved.update(self.saved_html())

    def _ipython_display_(self) -> None:
        show(self, f"{type(self).__name__}: run the cell again to use it.")
        self._saved.show(self.saved_html())


def kept_equal(one: traitlets.HasTraits, other: traitlets.HasTraits, name: str) -> None:
    """Keep a trait of two objects the same from now on, whichever is set, and from whichever thread; `one` begins.

    The link of traitlets passes nothing on while another thread is inside it, and the two would stay different.
    """

    def follow(source: traitlets.HasTraits, target: traitlets.HasTraits) -> None:
        while getattr(target, name) != (now := getattr(source, name)):  # read anew: it may have changed since
            setattr(target, name, now)

    one.observe(lambda _: follow(one, other), name)
    other.observe(lambda _: follow(other, one), name)
    follow(one, other)


class Pace:
    """Room for so many bytes in any stretch of time; all parts share it, as they share the way to the page.

    Only for coroutines of one loop. What is sent elsewhere than through a Jupyter server waits for nothing.
    """

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], Awaitable[Any]] = asyncio.sleep
    ) -> None:
        self._clock, self._sleep = clock, sleep
        self._sent: deque[tuple[float, int]] = deque()

    async def wait_for(self, size: int, is_wanted: Callable[[], bool] = lambda: True) -> bool:
        """Whether the bytes are still wanted once there is room for so many; if so, they count as sent."""
        await self._sleep(0)
        while host() == "jupyter" and self._held() and self._held() + size > WINDOW_BYTES:
            await self._sleep(max(0.0, self._sent[0][0] + WINDOW_S - self._clock()))
        if not is_wanted():
            return False
        self._sent.append((self._clock(), size))
        return True

    def _held(self) -> int:
        """How many bytes were sent within the last stretch."""
        while self._sent and self._sent[0][0] + WINDOW_S <= self._clock():
            self._sent.popleft()
        return sum(size for _, size in self._sent)


PACE = Pace()
AGAIN = "Run this cell again to go on. This is what was here when the notebook was saved:"
"""What is read first where there is no kernel any more."""


def in_words(error: BaseException) -> str:
    """An error as a person reads it: a foreseen one says all by its message, another one by its name, too."""
    return str(error) if isinstance(error, VidnbError) else f"{type(error).__name__}: {error}"


def show(widget: Any, plain: str) -> None:
    """Show a widget in the cell, with a text for where there is no kernel."""
    ipython: Any = import_module("IPython.display")  # carries no types
    bundle = widget._repr_mimebundle_() or {}
    data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
    ipython.display({**data, "text/plain": plain}, raw=True, metadata=metadata)


class SavedOutput:
    """Plain HTML below a widget, behind a display handle: what the notebook saves and shows without a kernel.

    Where the widget is alive, the code of `part` hides every element with this `id` in `data-vidnb-saved`.
    """

    def __init__(self, part: Live) -> None:
        self.id = uuid.uuid4().hex
        self._part = part

    @property
    def is_shown(self) -> bool:
        """Whether there is an output to bring up to date."""
        return bool(self._part._instead)

    def show(self, html: str) -> None:
        """Open the output, below what the cell showed so far."""
        if html:
            self._part._instead = self.id
            ipython: Any = import_module("IPython.display")
            ipython.display(ipython.HTML(self._marked(html)), display_id=self.id)

    def update(self, html: str) -> None:
        """Replace what is shown; does nothing before `show`."""
        if self.is_shown:
            self._part._written += 1
            ipython: Any = import_module("IPython.display")
            ipython.update_display(ipython.HTML(self._marked(html)), display_id=self.id)

    def _marked(self, html: str) -> str:
        again = f'<div style="font-size:14px;margin:0 0 10px">{AGAIN}</div>'
        return f'<div data-vidnb-saved="{self.id}" data-vidnb-written="{self._part._written}">{again}{html}</div>'
