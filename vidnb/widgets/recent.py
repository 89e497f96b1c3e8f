"""The clips of a data folder as a strip of posters: look, play on hover, pick one, compare several.

The page asks for what is near its view and no more: facts of a page of clips, small posters, a video to play. All of it
is read and made off the kernel's main thread, and bytes go as message buffers.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import traitlets

from vidnb.clip import Clip
from vidnb.display import labels
from vidnb.display.clips import poster_of, shown_params, smaller
from vidnb.display.history import history_html
from vidnb.display.host import server_path
from vidnb.display.page import shortened
from vidnb.errors import VidnbError
from vidnb.widgets.clients import AnyClient, core
from vidnb.widgets.live import Live
from vidnb.widgets.news import news_of

PAGE_CLIPS = 60
FIRST_CLIPS = 24
"""So many clips' facts go along with the part itself, so that they are there before anything is asked."""
POSTERS_AT_ONCE = 12
POSTER_PX, POSTER_BYTES = 240, 4_000
PROMPT_SHOWN = 200
CLIPS_SAVED, SAVED_BYTES = 6, 40_000

Compare = Callable[[tuple[Clip, ...]], Any]


class Recent(Live, part="recent", main="clip"):
    """A strip of the data folder's clips, newest first; ten thousand are as quick as ten.

    Args:
        client: whose data folder; default the one behind `vidnb.generate`.
        **filters: as for `vidnb.history`: `model`, `provider`, `seed`, `tag` (one or several), `prompt` (a part of it),
            `since`, `emulated`, `rating` (that one or better), and `words`, which stand in the filter box.

    Attributes:
        clip: the clip that was picked last; observe it. Picking the same one again is news too.
        selected: the clips that are marked to be compared, in the order in which they were.
        words: the text in the filter box, which finds prompts, tags and notes; assign another.
        count: how many clips pass the filters.

    Example:
        >>> recent = vidnb.Recent(model="leonardo/motion_2.0")
        >>> player = vidnb.Player()
        >>> recent.observe(lambda change: setattr(player, "clip", change["new"]), "clip")
    """

    clip = traitlets.Instance(Clip, allow_none=True)
    selected = traitlets.Tuple()
    words = traitlets.Unicode("").tag(sync=True)
    count = traitlets.Int(0).tag(sync=True)
    _list = traitlets.Int(0).tag(sync=True)
    """Number of the list of clips that is in force; what the page knows of the places in an older one is void."""
    _first: Any = traitlets.List().tag(sync=True)
    _chosen = traitlets.Unicode("").tag(sync=True)
    _marked: Any = traitlets.List().tag(sync=True)
    _can_compare = traitlets.Bool(False).tag(sync=True)

    def __init__(self, client: AnyClient | None = None, **filters: Any) -> None:
        self._client = core(client)
        words = str(filters.pop("words", None) or "")
        self._filters = filters
        self._lock = threading.RLock()
        self._ids: list[str] = []
        self._asked = 0
        self._adding = asyncio.Lock()
        self._wants: dict[str, list[object]] = {}
        self._on_compare: list[Compare] = []
        self._query(words)  # a filter that does not exist is refused here, not in the background
        super().__init__(words=words)
        self.refresh()
        news_of(self._client).listen(self.add)
        news_of(self._client).listen_to_trash(self._trash_changed)

    # -- the list ----------------------------------------------------------------------------------------------------

    def _in_a_line(self) -> str:
        return labels.many(self.count, "clip")

    def refresh(self) -> None:
        """Read the list anew, as after another kernel made clips; returns at once."""
        self._asked += 1
        self._spawn(self._refresh(self._asked))

    def add(self, clip: Clip) -> None:
        """Put a new clip first, or bring the tile of a known one up to date (a new rating, say); returns at once."""
        self._spawn(self._add(clip))

    def close(self) -> None:
        """Take the strip off every page, and look for new clips no more."""
        news_of(self._client).leave(self.add, self._trash_changed)
        super().close()

    def on_compare(self, callback: Compare) -> None:
        """Call `callback(clips)` when Compare is pressed, instead of playing the marked clips in a row."""
        self._on_compare.append(callback)
        self._can_compare = True

    def point_at(self, clip: Clip | None) -> None:
        """Mark the tile of the clip that is looked at elsewhere; `clip` stays the one that was picked here."""
        self._chosen = clip.job.id if clip is not None else ""

    def saved_html(self) -> str:
        """The newest clips as small posters with prompt and recipe, in at most 40 kB."""
        ids = self._query(self.words).ids
        clips = self._clips(ids[:CLIPS_SAVED])
        for count in range(len(clips), 0, -1):
            html = history_html(clips[:count], len(ids))
            if len(html) <= SAVED_BYTES:
                return html
        return history_html([], 0)

    def _query(self, words: str) -> Any:
        return self._client.history(limit=None, state="done", words=words.strip() or None, **self._filters)

    async def _refresh(self, asked: int) -> None:
        async with self._adding:  # a clip that came while the list was read would be missing in it
            await self._read_anew(asked)

    async def _read_anew(self, asked: int) -> None:
        if asked != self._asked:
            return
        ids = await asyncio.to_thread(lambda: self._query(self.words).ids)
        first = await asyncio.to_thread(self._facts, ids[:FIRST_CLIPS])
        with self._lock:
            if asked != self._asked:  # another list was asked for meanwhile
                return
            self._ids = ids
            with self.hold_sync():
                self.count, self._first, self._list = len(ids), first, self._list + 1

    def _trash_changed(self, trash: frozenset[str]) -> None:
        """Clips were put into the trash, or taken out of it, by somebody else or in another cell."""
        if not self._filters.get("trashed"):
            self.selected = tuple(clip for clip in self.selected if clip.job.id not in trash)
        self.refresh()

    async def _add(self, clip: Clip) -> None:
        async with self._adding:  # one after the other, each with the newest row: no older one is the last word
            await self._add_newest(await asyncio.to_thread(self._client.clip, clip))

    async def _add_newest(self, clip: Clip) -> None:
        if (self.words or self._filters) and clip.job.id not in await asyncio.to_thread(
            lambda: self._query(self.words).ids
        ):
            if clip.job.id in self._ids:  # it no longer has the tag, say
                self.refresh()
            return
        facts = await asyncio.to_thread(self._fact, clip)
        poster = await asyncio.to_thread(poster_bytes, clip)
        with self._lock:
            known = clip.job.id in self._ids
            if not known:
                self._ids.insert(0, clip.job.id)
            others = [one for one in self._first if one["id"] != clip.job.id]
            where = next((at for at, one in enumerate(self._first) if one["id"] == clip.job.id), None)
            number = self._list + (not known)
            self.say("changed" if known else "added", {"list": number, "facts": facts})
            if poster:
                self.say("posters", {"ids": [clip.job.id]}, [poster])
            with self.hold_sync():
                if not known:
                    self._first = [facts, *others][:FIRST_CLIPS]
                elif where is not None:
                    self._first = [*others[:where], facts, *others[where:]]
                self.count, self._list = len(self._ids), number
        await asyncio.to_thread(self.save_output)

    @traitlets.observe("words")
    def _words_changed(self, _: Any) -> None:
        if self._asked:  # not while it is being made
            self.refresh()

    # -- picking -----------------------------------------------------------------------------------------------------

    @traitlets.observe("clip")
    def _clip_changed(self, _: Any) -> None:
        self._chosen = self.clip.job.id if self.clip is not None else ""

    @traitlets.observe("selected")
    def _selection_changed(self, _: Any) -> None:
        self._marked = [clip.job.id for clip in self.selected]

    def heard_choose(self, content: Mapping[str, Any], _: list[bytes]) -> None:
        """A tile was clicked."""
        self.clip = self._client.clip(str(content["id"]))

    def heard_select(self, content: Mapping[str, Any], _: list[bytes]) -> None:
        """Tiles were marked, or their marks taken away."""
        known = {clip.job.id: clip for clip in self.selected}
        ids = [str(one) for one in content["ids"]]
        self.selected = tuple(known.get(one) or self._client.clip(one) for one in ids)

    def heard_compare(self, _: Mapping[str, Any], __: list[bytes]) -> None:
        """Compare was pressed."""
        for callback in self._on_compare:
            callback(self.selected)

    # -- what the page asks for --------------------------------------------------------------------------------------

    def heard_page(self, content: Mapping[str, Any], _: list[bytes]) -> None:
        """The page asks for the facts of the clips from one place on."""
        self._spawn(self._send_page(int(content["start"])))

    def heard_posters(self, content: Mapping[str, Any], _: list[bytes]) -> None:
        """The page asks for the posters of some clips."""
        self._spawn(self._send_posters([str(one) for one in content["ids"]][:PAGE_CLIPS]))

    def heard_video(self, content: Mapping[str, Any], _: list[bytes]) -> None:
        """The page asks whether a clip flashes, and perhaps for its bytes."""
        job_id = str(content["id"])
        if not content.get("bytes"):
            self._spawn(self._send_flashes(job_id))
            return
        want = object()
        with self._lock:
            self._wants.setdefault(job_id, []).append(want)
        self._spawn(self._send_video(job_id, want))

    def heard_enough(self, content: Mapping[str, Any], _: list[bytes]) -> None:
        """A view no longer waits for the bytes of a clip; another one may, and gets them all."""
        self._drop_want(str(content["id"]))

    def _drop_want(self, job_id: str, want: object | None = None) -> None:
        """Forget that a clip's bytes are wanted, by this want or else by the oldest."""
        with self._lock:
            left = self._wants.pop(job_id, [])
            left = left[1:] if want is None else [one for one in left if one is not want]
            if left:
                self._wants[job_id] = left

    def _is_wanted(self, job_id: str, want: object) -> bool:
        with self._lock:
            return any(one is want for one in self._wants.get(job_id, ()))

    async def _send_page(self, start: int) -> None:
        with self._lock:
            number, ids = self._list, self._ids[start : start + PAGE_CLIPS]
        self.say("page", {"list": number, "start": start, "facts": await asyncio.to_thread(self._facts, ids)})

    async def _send_posters(self, ids: Sequence[str]) -> None:
        for start in range(0, len(ids), POSTERS_AT_ONCE):
            some = await asyncio.to_thread(self._clips, ids[start : start + POSTERS_AT_ONCE])
            made = [(clip.job.id, await asyncio.to_thread(poster_bytes, clip)) for clip in some]
            self.say("posters", {"ids": [one for one, _ in made]}, [poster or b"" for _, poster in made])

    async def _send_flashes(self, job_id: str) -> None:
        try:
            self.say("video", await asyncio.to_thread(self._flash_facts, job_id))
        except VidnbError as error:
            self.say("video", {"id": job_id, "error": str(error)})

    async def _send_video(self, job_id: str, want: object) -> None:
        try:
            told = await asyncio.to_thread(self._flash_facts, job_id)
            video = await asyncio.to_thread(self._client.clip(job_id).read)
            await self.say_in_pieces("video", told, video, lambda: self._is_wanted(job_id, want))
        except VidnbError as error:
            self.say("video", {"id": job_id, "error": str(error)})
        finally:
            self._drop_want(job_id, want)

    def _flash_facts(self, job_id: str) -> dict[str, Any]:
        return {"id": job_id, "flashes": self._client.clip(job_id).flashes}

    def _clips(self, ids: Sequence[str]) -> list[Clip]:
        """The clips of these jobs; a job that was deleted meanwhile is left out."""
        found = []
        for one in ids:
            try:
                found.append(self._client.clip(one))
            except VidnbError:
                continue
        return found

    def _facts(self, ids: Sequence[str]) -> list[dict[str, Any]]:
        found = {clip.job.id: self._fact(clip) for clip in self._clips(ids)}
        return [found.get(one) or {"id": one} for one in ids]

    def _fact(self, clip: Clip) -> dict[str, Any]:
        """What a tile says of its clip, text and numbers only."""
        served = clip.served_path
        return {
            "id": clip.job.id,
            "model": labels.model_title(clip.model),
            "params": [list(pair) for pair in shown_params(clip.job)],
            "prompt": shortened(clip.prompt, PROMPT_SHOWN),
            "seed": "" if clip.seed is None else str(clip.seed),
            "take": clip.job.shown_take,
            "duration_s": clip.info.duration_s,
            "width_px": clip.info.width_px,
            "height_px": clip.info.height_px,
            "marks": list(clip.job.marks),
            "nsfw": bool(clip.job.nsfw),
            "rating": clip.rating or 0,
            "path": server_path(served) if served is not None else None,
        }


def poster_bytes(clip: Clip) -> bytes | None:
    """The clip's poster as WebP of at most 4 kB, or None where its file cannot be read."""
    poster = poster_of(clip)
    if poster is None:
        return None
    return clip._files.derived(clip.info.sha256, "tile.webp", lambda: smaller(poster, POSTER_PX, POSTER_BYTES))
