"""A history as a table with posters: sort, filter, choose columns, select rows, play on hover.

The table itself is itables' widget (DataTables), which shows text as text. Its rows go to the page as a message and not
as synced state, so no notebook saves them; posters and videos are fetched for the rows in view.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import traitlets

from vidnb import shown
from vidnb.arguments import names
from vidnb.clip import Clip
from vidnb.display.gallery import gallery_html
from vidnb.display.labels import many
from vidnb.errors import ConfigError, VidnbError
from vidnb.records import Job
from vidnb.widgets.code import code, looks
from vidnb.widgets.live import Live, in_words
from vidnb.widgets.player import served
from vidnb.widgets.recent import poster_bytes

try:
    import itables.widget
    from itables.widget import ITable
except ImportError as error:
    raise ConfigError("The table needs itables: pip install 'vidnb[table]'") from error

if TYPE_CHECKING:
    import pandas as pd

    from vidnb.history.history import History

MOST_ROWS = 10_000
"""So many rows are sent to the page at most; above that, filters belong to the database."""
ROWS_A_PAGE = 10
COLUMNS_SHOWN = 10
TEXT_LENGTH = 200
CLIPS_SAVED = 6
ALWAYS = ("id", "model", "prompt")
WORDS = {
    "search": "Search",
    "info": "Rows _START_ to _END_ of _TOTAL_",
    "infoEmpty": "No rows",
    "infoFiltered": "(of _MAX_)",
    "zeroRecords": "No row has that.",
    "select": {"rows": ""},
    "searchBuilder": {"button": {"0": "Filter", "_": "Filter (%d)"}},
}
POSTERS_AT_ONCE = 12
POSTER = "poster"
LEFT_OUT = ("job_id", "recipe_hash", "clip_sha256", "path", "remote_id")
"""Columns that nobody reads in a table; `.df` has them."""

BY_CHANCE = ("wait_s", "download_s", "total_s", "size_bytes")
"""Numbers that differ from job to job and tell nothing of the clip; the table shows them when it is asked to."""

USED = {"used_seed": "seed", "used_prompt": "prompt"}
"""What a service says it used, and what was sent."""

_BUNDLE = Path(itables.widget.__file__).parent / "static"
_EXPORT = re.compile(r"export\s*\{\s*([\w$]+) as default\s*\};?")


def _code() -> str:
    """The module of the part, with itables' own in it: nothing can be imported from a widget's code."""
    source = (_BUNDLE / "widget.js").read_text(encoding="utf-8")
    found = _EXPORT.search(source)
    if found is None:
        raise ConfigError("This itables has another form than vidnb knows: pip install 'itables>=2.9,<3'")
    # In a function of its own, as both sides have names of one letter.
    return f"const ITABLES = (() => {{\n{_EXPORT.sub('', source)}\nreturn {found[1]};\n}})();\n{code('table')}"


class Table(Live, ITable, part="table", main="selected_rows"):
    """The newest 10,000 rows of a history as a table; `h.table()` makes one.

    Args:
        history: what to show.
        columns: the columns to show first, by name; all others can be chosen in the table. Default those that tell the
            rows apart.

    Attributes:
        selected: the clips and jobs of the selected rows, in the order in which they were selected.
        selected_rows: the same as places in the history.

    Example:
        >>> table = vidnb.history(prompt="lighthouse").table()
        >>> table.selected
        >>> table.compare(rows="seed")
    """

    _dt_args = traitlets.Dict()  # not synced: what is synced is saved into notebooks
    _words = traitlets.Unicode("").tag(sync=True)

    def __init__(self, history: History, columns: Sequence[str] | None = None) -> None:
        self._history = history.first(MOST_ROWS)
        self._whole = len(history)
        frame = self._history.df
        grid = _grid(frame)
        wanted = [] if columns is None else names("columns", columns, '"seed"')
        _check(wanted, grid)
        states = frame["state"].tolist()
        grid.insert(0, POSTER, [f"clip:{place}" if state == "done" else state for place, state in enumerate(states)])
        visible = {POSTER, *(wanted or _telling(grid))}
        hidden = [place for place, name in enumerate(grid.columns) if name not in visible]
        super().__init__(
            df=grid, select=True, maxBytes=0, showIndex=False, pageLength=ROWS_A_PAGE, order=[],
            classes="display compact", style="width:100%;margin:0",
            columnDefs=[{"targets": hidden, "visible": False}, {"targets": 0, "orderable": False, "searchable": False}],
            buttons=[{"extend": "colvis", "text": "Columns", "background": False, "fade": 0}, "searchBuilder"],
            language=WORDS,
        )  # fmt: skip
        self._words = self._counted(len(grid))

    def _in_a_line(self) -> str:
        rows = self._counted(len(self._history)) or many(len(self._history), "row")
        chosen = len(self.selected_rows)
        return f"{rows}, {chosen} selected; .selected has them" if chosen else rows

    # -- what is selected --------------------------------------------------------------------------------------------

    @property
    def selected(self) -> tuple[Clip | Job, ...]:
        """The clips (jobs, where there is no clip) of the selected rows."""
        return tuple(self._history[place] for place in self.selected_rows if place < len(self._history))

    def compare(self, rows: Any = None, cols: Any = None, **options: Any) -> Any:
        """Return the selected clips side by side: `vidnb.compare(table.selected, rows, cols)`.

        Raises:
            ConfigError: no clip is selected.
        """
        clips = [item for item in self.selected if isinstance(item, Clip)]
        if not clips:
            raise ConfigError("no clip is selected; click rows of the table first")
        return shown.view("compare")(clips, rows, cols, **options)

    def _counted(self, rows: int) -> str:
        if self._whole <= rows:
            return ""
        return f"newest {rows:,} of {self._whole:,}; h.where(...) finds others"

    # -- what the page asks for --------------------------------------------------------------------------------------

    def heard_rows(self, _: Mapping[str, Any], __: list[bytes]) -> None:
        """A view began."""
        self._spawn(self.say_in_pieces("rows", {"id": "rows"}, json.dumps(self._dt_args).encode()))

    def heard_posters(self, content: Mapping[str, Any], _: list[bytes]) -> None:
        """Posters of the rows in view are wanted."""
        self._spawn(self._send_posters([place for place in content.get("rows", []) if isinstance(place, int)][:500]))

    def heard_video(self, content: Mapping[str, Any], _: list[bytes]) -> None:
        """Whether a clip flashes is wanted, and perhaps its bytes."""
        self._spawn(self._send_video(content.get("id"), bool(content.get("bytes"))))

    def heard_enough(self, content: Mapping[str, Any], _: list[bytes]) -> None:
        """A view no longer waits for a clip's bytes; those that are on their way are few."""

    def heard_compare(self, _: Mapping[str, Any], __: list[bytes]) -> None:
        """The button was pressed: what is selected is told as code, as a widget cannot open an output of its own."""
        self.say("code", {"code": f"vidnb.compare({[item_id(item) for item in self.selected]!r})"})

    async def _send_posters(self, places: Sequence[int]) -> None:
        for start in range(0, len(places), POSTERS_AT_ONCE):
            some = [(place, self._clip(place)) for place in places[start : start + POSTERS_AT_ONCE]]
            clips = [(place, clip) for place, clip in some if clip is not None]
            made = [await asyncio.to_thread(poster_bytes, clip) for _, clip in clips]
            facts = [{"row": place, "path": served(clip)} for place, clip in clips]
            self.say("posters", {"facts": facts}, [poster or b"" for poster in made])

    async def _send_video(self, place: Any, with_bytes: bool) -> None:
        clip = self._clip(place)
        if clip is None:
            self.say("video", {"id": place, "error": "there is no clip in this row"})
            return
        try:
            told = {"id": place, "flashes": await asyncio.to_thread(lambda: clip.flashes)}
            if with_bytes:
                await self.say_in_pieces("video", told, await asyncio.to_thread(clip.read))
            else:
                self.say("video", told)
        except (VidnbError, OSError) as error:
            self.say("video", {"id": place, "error": in_words(error)})

    def _clip(self, place: Any) -> Clip | None:
        if not isinstance(place, int) or not 0 <= place < len(self._history):
            return None
        item = self._history[place]
        return item if isinstance(item, Clip) else None

    def saved_html(self) -> str:
        """The newest clips as a gallery, in a notebook without its kernel."""
        return gallery_html(self._history[:CLIPS_SAVED], self._whole)


setattr(Table, "_esm", _code())  # noqa: B010  itables' annotation says that it is a path
_STYLE = (_BUNDLE / "widget.css").read_text(encoding="utf-8")
setattr(Table, "_css", looks("table").replace("/* itables */", _STYLE))  # noqa: B010  as above


def item_id(item: Clip | Job) -> str:
    """The start of the job's id, which every verb takes."""
    return (item.job if isinstance(item, Clip) else item).id[:8]


def _telling(grid: pd.DataFrame) -> list[str]:
    """The columns to show first: the first ones that tell rows apart, and what a service used where that is news."""
    news = [name for name in grid.columns if not (name in USED and _says_the_same(grid, name, USED[name]))]
    apart = [
        name for name in news if name in ALWAYS or (name not in BY_CHANCE and grid[name].astype(str).nunique() > 1)
    ]
    return apart[: COLUMNS_SHOWN + 1]


def _says_the_same(grid: pd.DataFrame, name: str, other: str) -> bool:
    said = grid[name] != ""
    return other in grid.columns and bool((grid[name] == grid[other])[said].all())


def _check(columns: Sequence[str], grid: pd.DataFrame) -> None:
    for name in columns:
        if name not in grid.columns:
            raise ConfigError(f"the table has no column {name!r}; there are {', '.join(map(str, grid.columns))}")


def _grid(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows as the page shows them: text and numbers, "" for what is not given; empty columns are left out.

    Numbers are rounded here, as itables would do it by functions of the page, which marimo and a second view lose.
    """
    import pandas as pd

    kept = [name for name in frame.columns if name not in LEFT_OUT and bool(frame[name].notna().any())]
    return pd.DataFrame({str(name): _texts(frame[name]) for name in kept})


def _texts(values: pd.Series) -> list[Any]:
    return ["" if _missing(value) else _text(value) for value in values.tolist()]


def _missing(value: Any) -> bool:
    import pandas as pd

    return value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and value != value)


def _text(value: Any) -> str | int:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int) and abs(value) < 2**53:
        return value
    if isinstance(value, float):
        return f"{value:.6g}"
    if hasattr(value, "strftime"):
        return str(value.strftime("%Y-%m-%d %H:%M:%S"))
    text = " ".join(str(value).split())
    return text if len(text) <= TEXT_LENGTH else f"{text[: TEXT_LENGTH - 1]}…"
