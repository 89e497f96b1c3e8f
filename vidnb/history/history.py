"""The jobs of a data folder as rows: a DataFrame, a list of clips, and a table with small posters.

What passes through: rows of the store in one query -> columns under the names that were typed -> pandas.
"""

from __future__ import annotations

import copy
import functools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, overload

from vidnb import display, shown
from vidnb.arguments import in_short
from vidnb.clip import Clip
from vidnb.display.gallery import JOBS_READ, gallery_html
from vidnb.display.labels import many
from vidnb.display.page import shortened
from vidnb.errors import ConfigError
from vidnb.files import Files
from vidnb.history import export
from vidnb.history import filters as filters_
from vidnb.history.frame import Columns, frame, shown_folder
from vidnb.history.meant import meant
from vidnb.history.measuring import measure, with_measures
from vidnb.history.questions import Questions, recipe_columns
from vidnb.history.voting import MOST_CLIPS, QUESTION, Ballot, votes_frame
from vidnb.records import Job, State
from vidnb.store import Store
from vidnb.store.search import Field, Search, Term
from vidnb.store.tables import job_in

if TYPE_CHECKING:
    from concurrent.futures import Executor

    import pandas as pd
    import pyarrow as pa

    from vidnb.history.bundle import Bundled

Row = Mapping[str, Any]

CODING = 2.0
"""How much two encodings of the same picture differ on average, in levels of 255."""
PROMPTS_READ = 300
"""The newest prompts, among which a misspelt one is looked for."""
PAGE = 60
"""So many rows are read at once."""
PAGES_KEPT = 50
MOST_ROWS = 2**63 - 1
"""The largest limit that a database takes."""
HINT_ROWS = 50_000
"""From so many rows on it is worth a word that they can be read faster."""


class History(Questions, Sequence[Clip | Job]):
    """Jobs of a data folder: clips where they are done, else jobs. The newest come first, unless they are sorted.

    Rows are read a page at a time, when they are needed; `len` counts them without reading any. Once it was read, a
    history keeps its jobs: call `vidnb.history()` again for newer ones. Ratings, tags and notes that this process
    writes are in it at once, unless it was found or sorted by them.

    Example:
        >>> history = vidnb.history(prompt="koala")
        >>> history.df.groupby("model").wait_s.median()
        >>> history.where(motion_strength=(3, 7), seed=[1, 2]).sort("-rating").newest(50)
        >>> history[0].last_frame
    """

    def __init__(
        self, store: Store, files: Files, *, limit: int | None = None, params: Mapping[str, Any] | None = None,
        **filters: Any,
    ) -> None:  # fmt: skip
        """Read the names and kinds of the params, and no rows yet.

        Args:
            store: the rows.
            files: the clips.
            limit: at most so many of the newest jobs, applied last; None for all.
            params: filters on params whose name is that of a column, too.
            **filters: see `vidnb.history`.

        Raises:
            ConfigError: a name or a value is not understood.
        """
        self._store = store
        self._files = files
        trashed = filters_.flag("trashed", filters.pop("trashed", None))
        terms = filters_.terms(store, {**filters, "params": params})
        self._search = Search(terms, limit=_checked_limit(limit), trashed=trashed)
        self._pages: dict[int, list[dict[str, Any]]] = {}
        self._frame: pd.DataFrame | None = None
        self._annotated = Store.annotated

    @classmethod
    def of(cls, store: Store, files: Files, ids: Sequence[str]) -> History:
        """Return the history of these jobs only."""
        history = cls(store, files)
        return history._with(history._search.where(Term(Field("id"), "any", tuple(ids))))

    # -- narrow it down ----------------------------------------------------------------------------------------------

    def where(self, *, params: Mapping[str, Any] | None = None, **filters: Any) -> History:
        """Return those of the jobs that pass these filters, too; a limit applies after them.

        Args:
            params: filters on params whose name is that of a column, too.
            **filters: see `vidnb.history`.

        Raises:
            ConfigError: a name or a value is not understood.
        """
        return self._with(self._search.where(*filters_.terms(self._store, {**filters, "params": params})))

    def sort(self, *names: str) -> History:
        """Return the same jobs in another order: by these columns or params; `-name` puts the largest first.

        Jobs without a value come last; equal ones, newest first. Without a name the newest come first again.

        Raises:
            ConfigError: there is no such column.
        """
        order = [(filters_.field(self._store, name.removeprefix("-")), name[:1] == "-") for name in map(str, names)]
        return self._with(replace(self._search, order=tuple(order)))

    def newest(self, count: int) -> History:
        """Return the newest of the jobs, at most so many; filters that are added later still count first."""
        limit = _checked_limit(count)
        return self._with(replace(self._search, order=(), limit=limit))

    def first(self, count: int) -> History:
        """Return the jobs that come first in this order, at most so many."""
        limit, own = _checked_limit(count), self._search.limit
        return self._with(replace(self._search, limit=limit if own is None or limit is None else min(limit, own)))

    def _with(self, search: Search) -> History:
        if "_looked_at" in self.__dict__:  # a part of what was looked at holds nothing newer than the whole
            search = replace(search, until=self._looked_at.until)
        other = copy.copy(self)
        for name in ("ids", "_count", "_looked_at"):
            other.__dict__.pop(name, None)
        other._search, other._pages, other._frame = search, {}, None
        return other

    def _forget_old(self) -> None:
        """Forget the rows that were read before a person rated a clip, or said something else of it.

        Not where that decides which jobs these are, or in which order: a loop that rates them would lose its place.
        """
        if self._annotated != Store.annotated and not self._search.is_by_annotation:
            self._annotated, self._pages, self._frame = Store.annotated, {}, None

    # -- look at it --------------------------------------------------------------------------------------------------

    @functools.cached_property
    def _looked_at(self) -> Search:
        """The search as it stood when somebody first looked: jobs that were made since are no part of it."""
        return self._search if self._search.until else replace(self._search, until=self._store.newest_at())

    @functools.cached_property
    def ids(self) -> list[str]:
        """The ids of the jobs in order, read without their rows: ten thousand take a few milliseconds."""
        return self._store.search(self._looked_at)

    @functools.cached_property
    def _count(self) -> int:
        return self._store.count(self._looked_at)

    @property
    def jobs(self) -> list[Job]:
        """The rows as jobs, the done ones too."""
        return [job_in(row) for row in self._rows()]

    @property
    def df(self) -> pd.DataFrame:
        """All jobs as a DataFrame, one row each, a column for every param that any of them has.

        What tells the rows apart comes first: short id, model, seed, the params that vary, rating, cost; then what
        was measured. An empty place (`<NA>`) means that it was not given, or is not known.

        Prompts are in it as they were written: for a spreadsheet take `to_csv` or `to_excel` of the history and not of
        the frame, as one that begins with "=" would run there as a formula.
        """
        self._forget_old()
        if self._frame is None:
            self._frame = self._read_frame()
        return self._frame

    def _read_frame(self) -> pd.DataFrame:
        scanned, read = self._store.scan(self._looked_at, shown_folder(self._files.folder))
        slowly = isinstance(read, list)
        columns = Columns(scanned, read)
        del read  # from here on the columns alone hold what was read, and give it back one by one
        found = frame(columns)
        if found.empty and (why := self.why_empty):
            display.say(why, warn=True)
        if slowly and len(found) >= HINT_ROWS:
            _hint()
        return with_measures(found, self._store)

    def arrow(self) -> pa.Table:
        """The rows of `df` as an Arrow table (`vidnb[fast]`), from which polars and others read without a copy.

        Example:
            >>> polars.from_arrow(vidnb.history().arrow())
        """
        try:
            import pyarrow as pa
        except ImportError as error:
            raise ConfigError("Arrow tables need pyarrow: pip install 'vidnb[fast]'") from error
        return pa.Table.from_pandas(self.df, preserve_index=False)

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self.arrow().__arrow_c_stream__(requested_schema)

    def to_csv(self, path: str | Path | None = None, **options: Any) -> str | None:
        """Write all columns as CSV that is safe to open in a spreadsheet.

        Text that begins with = + - or @ gets a leading apostrophe, and control characters are left out. `df.to_csv()`
        writes it as it is.

        Args:
            path: where to; without it the text comes back. A file that is there is replaced.
            **options: as for `pandas.DataFrame.to_csv`.

        Example:
            >>> vidnb.history(rating=4).to_csv("keepers.csv")
        """
        return export.to_csv(self.df, path, **options)

    def to_excel(self, path: str | Path, **options: Any) -> None:
        """Write all columns as an Excel file that holds no formula; times are UTC (`vidnb[excel]`).

        Args:
            path: where to; a file that is there is replaced.
            **options: as for `pandas.DataFrame.to_excel`.

        Example:
            >>> vidnb.history(rating=4).to_excel("keepers.xlsx")
        """
        export.to_excel(self.df, path, **options)

    def bundle(self, path: str | Path) -> Bundled:
        """Write the finished jobs with their recipes, clips, inputs, measures and ratings into one file, to share.

        No key, account, purse or link travels. `vidnb.open_bundle` merges it into another data folder.

        Args:
            path: where to, as "lighthouse.vidnb"; a file that is there is not replaced.

        Returns:
            What was written, and how many jobs were left out: those on their way, and those whose file is gone.

        Raises:
            ConfigError: the file exists.
            StoreError: it cannot be written.

        Example:
            >>> vidnb.history(prompt="lighthouse").bundle("lighthouse.vidnb")
        """
        from vidnb.history import bundle  # its models take longer to make than a history to open

        return bundle.write(self._store, self._files, map(job_in, self._rows()), path)

    # -- the trash ---------------------------------------------------------------------------------------------------

    def trash(self) -> int:
        """Put these jobs into the trash: only `vidnb.history(trashed=True)` shows them from now on.

        They still stand for their recipes, so that none is paid twice, and their files stay.

        Returns:
            How many they are.

        Example:
            >>> vidnb.history(rating=(1, 2)).trash()
        """
        return self._store.trash(self.ids)

    def restore(self) -> int:
        """Take these jobs out of the trash; return how many.

        Example:
            >>> vidnb.history(trashed=True, prompt="koala").restore()
        """
        return self._store.trash(self.ids, restore=True)

    def purge(self) -> int:
        """Delete the files of those of these jobs that are in the trash, for good; return how many bytes that freed.

        A file that another job uses, as its clip or an input, stays. The rows stay in the trash, as what they cost
        stays in the books; the same recipe may then be made and paid anew.

        Example:
            >>> vidnb.history(trashed=True).purge()
        """
        return sum(self._files.delete(sha256, suffix) for sha256, suffix in self._store.purge(self.ids))

    def measure(
        self,
        *,
        measures: Sequence[Any] | None = None,
        workers: int | None = None,
        executor: Executor | None = None,
    ) -> pd.DataFrame:
        """What these clips measure; see `vidnb.measure`. Afterwards the measures are columns of `df`."""
        found = measure(self, self._store, measures=measures, workers=workers, executor=executor)
        self._frame = None
        return found

    @overload
    def __getitem__(self, index: int) -> Clip | Job: ...
    @overload
    def __getitem__(self, index: slice) -> list[Clip | Job]: ...
    def __getitem__(self, index: int | slice) -> Clip | Job | list[Clip | Job]:
        if not isinstance(index, slice) and not hasattr(index, "__index__"):
            raise TypeError(f"history[{in_short(index)}]: give a place or a slice; vidnb.job(id) finds a job by its id")
        if isinstance(index, slice):
            places = range(len(self))[index]
            return [self._item(row) for row in self._some(places)]
        try:
            place = range(len(self))[index]
        except IndexError:
            raise IndexError(f"there is no job {index}: the history has {len(self):,}") from None
        return self._item(self._some(range(place, place + 1))[0])

    def compare(self, rows: Any = None, cols: Any = None, **options: Any) -> Any:
        """The clips side by side on the same frame, as a widget: `vidnb.compare(history, rows, cols)`.

        Args:
            rows: what stands down, as `"seed"`; None chooses by what differs.
            cols: what stands across, as `"model"`.
            **options: as for `vidnb.compare`.

        Example:
            >>> vidnb.history(prompt="lighthouse").compare(rows="seed", cols="model")
        """
        return shown.view("compare")(self, rows, cols, **options)

    def to_html(self, path: str | Path, *, rows: Any = None, cols: Any = None, **options: Any) -> Path:
        """Write one HTML file in which the clips play side by side, and return its path.

        It is for somebody who has nothing installed. Its size is said before it is written.

        Args:
            path: of the file, ending in .html.
            rows: what stands down, as for `compare`.
            cols: what stands across.
            **options: `posters_only=True` for pictures instead of clips, `overwrite=True` to replace a file.

        Raises:
            ConfigError: there is no clip, or the path does not end in .html.
            FileExistsError: there is a file already.

        Example:
            >>> vidnb.history(prompt="lighthouse").to_html("lighthouse.html")
        """
        written: Path = self.compare(rows, cols).to_html(path, **options)
        return written

    def table(self, columns: Sequence[str] | None = None) -> Any:
        """The newest 10,000 rows as a table with posters, as a widget: sort, filter, choose columns, select rows.

        Args:
            columns: the columns to show first; default those that tell the rows apart.

        Raises:
            ConfigError: there is no such column, or itables is missing (`vidnb[table]`).

        Example:
            >>> table = vidnb.history(prompt="lighthouse").table()
            >>> table.selected
        """
        return shown.view("Table")(self, columns)

    def vote(self, question: str = QUESTION, *, by: str | None = None, voter: str | None = None) -> Any:
        """A blind vote, as a widget: two clips of one prompt in step, without their names; keys 1, 2 and 0 answer.

        Several people can vote on one database; all votes of one question count together.

        Args:
            question: what is asked.
            by: what is judged: "model", a param, or "take"; default what tells the clips apart.
            voter: who votes; default the name of this user.

        Raises:
            ConfigError: no two clips make a pair, or emulated and real ones are mixed.

        Example:
            >>> vote = vidnb.history(prompt="lighthouse").vote("Which one moves more naturally?")
            >>> print(vote.result)
        """
        return shown.view("Vote")(self.ballot(question, by=by, voter=voter))

    def ballot(self, question: str = QUESTION, *, by: str | None = None, voter: str | None = None) -> Ballot:
        """The same without a widget: draws pairs, takes answers, counts."""
        clips = [item for item in self.first(MOST_CLIPS) if isinstance(item, Clip) and item.info.frames]
        return Ballot(self._store, clips, question, by, voter)

    @property
    def param_names(self) -> list[str]:
        """The names of all params and inputs that any job of the folder has, also those of a plug-in that is gone."""
        return sorted(self._store.param_kinds())

    def seeds(self) -> pd.DataFrame:
        """Whether each model honours its seed: whether the same recipe and seed gave the same pixels twice.

        Returns:
            One row a model: `repeats`, `same` (so many of them have the same pixels), and `says`, a sentence.

        Example:
            >>> vidnb.generate("a koala in a meadow", seed=7, fresh=True)
            >>> vidnb.history().seeds()
        """
        from vidnb.history.statistics.seeds import seeds

        files = self._files

        def are_same(one: str, other: str) -> bool:
            return same_pixels(*(Clip(self._store.get(job), files) for job in (one, other)))

        return seeds(self.df, recipe_columns(self.df, self.param_names), are_same)

    @property
    def votes(self) -> pd.DataFrame:
        """All votes between clips of this history: at, voter, question, first, second, answer, taken."""
        return votes_frame(self._store, self.ids)

    def __copy__(self) -> History:
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__)
        return other

    def __reduce__(self) -> NoReturn:
        raise TypeError("a history holds an open database and cannot be pickled: pickle list(history) or history.df")

    def __len__(self) -> int:
        return len(self.ids) if "ids" in self.__dict__ else self._count

    def __iter__(self) -> Iterator[Clip | Job]:
        return map(self._item, self._rows())

    def _rows(self) -> Iterator[dict[str, Any]]:
        ids = self.ids
        for number in range(math.ceil(len(ids) / PAGE)):
            yield from self._page(number)

    def _some(self, places: Sequence[int]) -> list[dict[str, Any]]:
        return [self._page(place // PAGE)[place % PAGE] for place in places]

    def _page(self, number: int) -> list[dict[str, Any]]:
        """So many rows; the last pages that were read are kept."""
        self._forget_old()
        if number not in self._pages:
            start = number * PAGE
            # Where ratings decide, all ids are read first: a loop that rates would move the later pages.
            whole = self.ids if self._search.is_by_annotation else self.__dict__.get("ids")
            ids = whole[start : start + PAGE] if whole is not None else self._store.search(self._looked_at, start, PAGE)
            while len(self._pages) >= PAGES_KEPT:
                self._pages.pop(next(iter(self._pages)), None)
            self._pages[number] = self._store.rows_of(ids)
        return self._pages[number]

    def _item(self, row: Row) -> Clip | Job:
        job = job_in(row)
        return Clip(job, self._files) if job.state is State.DONE and job.clip is not None else job

    def __repr__(self) -> str:
        order = "newest first" if not self._search.order else "sorted"
        if why := self.why_empty:
            return f"<History: 0 jobs. {why}>"
        return f"<History: {len(self):,} job{'s' if len(self) != 1 else ''}, {order}; .df is a DataFrame>"

    def _repr_html_(self) -> str:
        return str(gallery_html(self[:JOBS_READ], len(self), hint=self.why_empty))  # marimo takes no subclass of str

    @property
    def why_empty(self) -> str:
        """Why no job passes these filters, in words: what none has, or what was probably meant; "" where some do."""
        terms = self._search.terms
        is_on_purpose = any(not term.values and not term.or_missing for term in terms)  # seed=[]
        if len(self) or not terms or self._search.limit == 0 or is_on_purpose:
            return ""
        if all(term.field == Field("sweep") for term in terms):
            return "This sweep has no job yet."
        asked = [term for term in terms if term.field.name == "prompt" and term.test == "part"]
        if len(asked) == 1 and len(asked[0].values) == 1 and (near := self._near(asked[0])):
            return near
        trashed = self._store.count(replace(self._search, trashed=not self._search.trashed))
        if trashed:
            do = "that are not in it do" if self._search.trashed else "in the trash do (trashed=True)"
            return f"No clip{' in the trash' * self._search.trashed} passes these filters, {many(trashed, 'job')} {do}."
        alone = [term for term in terms if not self._store.count(Search((term,)))]
        none_has = " and ".join(filters_.in_words(term) for term in alone)
        return f"No clip passes these filters{f': none has {none_has}' if none_has else ''}. vidnb.history() has all."

    def _near(self, asked: Term) -> str:
        """Say which prompt was probably meant by the one that no clip has; "" where none is like it."""
        wanted = str(asked.values[0])
        words = meant(wanted, (item.prompt for item in History(self._store, self._files, limit=PROMPTS_READ)))
        near = [replace(term, values=(words,)) if term is asked else term for term in self._search.terms]
        count = len(self._with(replace(self._search, terms=tuple(near)))) if words else 0
        if not count:
            return ""
        return f"No clip has “{shortened(wanted, 80)}” in its prompt. Did you mean “{words}” ({many(count, 'job')})?"


def same_pixels(one: Clip, other: Clip) -> bool:
    """Whether two clips show the same, by their first, middle and last frames; coding makes small changes."""
    import numpy as np

    if (one.info.width_px, one.info.height_px) != (other.info.width_px, other.info.height_px):
        return False
    for at in ("first", one.info.duration_s / 2, "last"):
        first, second = (np.asarray(clip.frame(at).convert("RGB"), dtype=float) for clip in (one, other))
        if np.abs(first - second).mean() > CODING:
            return False
    return True


def _checked_limit(limit: Any) -> int | None:
    if limit is None or (isinstance(limit, Integral) and not isinstance(limit, bool) and int(limit) >= 0):
        return None if limit is None else min(int(limit), MOST_ROWS)
    raise ConfigError(f"limit={limit!r}: give a whole number of jobs, or None for all")


@functools.cache
def _hint() -> None:
    """Say once how a large history is read in less time."""
    display.say(f"A history of over {HINT_ROWS:,} jobs is read faster after: pip install 'vidnb[fast]'")
