"""One clip to look at closely: step through its frames, loop a part, rate it, and go on from it.

The page plays the file that the Jupyter server serves; where it cannot reach that, the kernel sends the bytes. The
playhead lives in the page; what comes to rest (a pause, a step, a seek) comes here.
"""

from __future__ import annotations

import asyncio
import math
import re
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import traitlets

from vidnb import catalog
from vidnb.clip import Clip
from vidnb.display import labels
from vidnb.display.clips import (
    PROMPT_SAVED,
    PROMPT_SHOWN,
    clip_html,
    outcome_words,
    poster_of,
    recipe_code,
    shown_params,
)
from vidnb.display.host import host, server_path
from vidnb.display.page import line, shortened
from vidnb.errors import ConfigError, VidnbError
from vidnb.records import ClipInfo
from vidnb.widgets.clients import AnyClient, core
from vidnb.widgets.live import Live, in_words

if TYPE_CHECKING:
    from PIL.Image import Image

ACTIONS = ("remix", "vary", "take", "start_frame", "end_frame")
CODE_SHOWN = 20_000
UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True)
class Pressed:
    """One press of a button below a clip. It keeps the clip and the time of the press, whatever the player shows later.

    Attributes:
        name: "remix", "vary", "take", "start_frame" or "end_frame".
        clip: the clip that was shown.
        time_s: where its playhead was.
    """

    name: str
    clip: Clip
    time_s: float

    @property
    def frame(self) -> Image:
        """The frame that was shown, at its full size."""
        return frame_at(self.clip, self.time_s)


Callback = Callable[[Pressed], Any]


class Player(Live, part="player", main="clip"):
    """Plays a clip, frame by frame if you like, and shows its recipe and your own rating, tags and note.

    Args:
        clip: the clip to show; None shows that there is none yet.
        client: in whose data folder ratings, tags and notes are kept; default the one behind `vidnb.generate`.
        autoplay: True to play a clip at once and without sound. Clips that flash never play by themselves, and nothing
            does for a person who asked their system for less motion.

    Attributes:
        clip: the clip; assign another one to show it.
        time_s: where the playhead came to rest; assign a time to go there.
        playing: True while the clip plays in the page.
        engaged: True while a person writes a tag or a note, or uses the buttons below the clip. A clip that is assigned
            then would take this one's place while they do.
        price: what one more clip of this recipe costs, in words; it stands on the buttons that make one.
        annotated: the clip whose rating, tags or note were kept last, as it is now; it may have left the player since.
        unavailable: the buttons that are greyed out for now, by their names in `on_action`, each with the reason that
            it shows.

    Example:
        >>> player = vidnb.Player(vidnb.generate("a koala in a meadow", seed=7))
        >>> player.time_s = 1.5
        >>> player.frame.save("koala.png")
    """

    clip = traitlets.Instance(Clip, allow_none=True)
    time_s = traitlets.Float(0.0).tag(sync=True)
    annotated = traitlets.Instance(Clip, allow_none=True)
    playing = traitlets.Bool(False).tag(sync=True)
    engaged = traitlets.Bool(False).tag(sync=True)
    autoplay = traitlets.Bool(False).tag(sync=True)
    price = traitlets.Unicode("").tag(sync=True)
    unavailable: traitlets.Dict[str, str] = traitlets.Dict().tag(sync=True)
    _shown = traitlets.Dict().tag(sync=True)
    """What stands around the video, as plain words; {} for no clip."""
    _flashes = traitlets.Dict().tag(sync=True)
    """The job whose clip was looked at, and whether it flashes."""
    _actions = traitlets.List(traitlets.Unicode()).tag(sync=True)

    def __init__(self, clip: Clip | None = None, client: AnyClient | None = None, *, autoplay: bool = False) -> None:
        self._client = core(client)
        self._callbacks: list[Callback] = []
        self._lock = threading.Lock()
        self._told_s = 0.0
        super().__init__(autoplay=autoplay)
        self.clip = clip

    # -- what a program does -----------------------------------------------------------------------------------------

    def _in_a_line(self) -> str:
        return repr(self.clip).strip("<>") if self.clip is not None else "no clip"

    @property
    def frame_index(self) -> int:
        """The number of the frame at the playhead, from 0."""
        clip = self.clip
        return 0 if clip is None else index_at(clip, self.time_s)

    @property
    def frame(self) -> Image | None:
        """The frame at the playhead as a PIL image at its full size; None without a clip."""
        clip = self.clip
        return None if clip is None else frame_at(clip, self.time_s)

    def seek(self, time_s: float) -> None:
        """Go to this time, also where `time_s` is already equal to it because the clip has played on since."""
        self._told_s = self.time_s = self._valid_time({"value": time_s})
        self.say("seek", {"time_s": self.time_s})

    def on_action(self, callback: Callback, remove: bool = False) -> None:
        """Call `callback(pressed)` when a button below the clip is pressed; without one there are no such buttons.

        The names: "remix" (take the recipe up in a form), "vary" (the same with another seed), "take" (once more the
        same), "start_frame" and "end_frame" (`pressed.frame` is to be the next clip's first or last).

        Example:
            >>> player.on_action(lambda pressed: print(pressed.name, pressed.clip.prompt))
        """
        with self._lock:
            if remove:
                self._callbacks = [one for one in self._callbacks if one != callback]
            else:
                self._callbacks = [*self._callbacks, callback]
        self._offer()

    def saved_html(self) -> str:
        """The clip as the cell of a saved notebook shows it."""
        clip = self.clip
        return clip_html(clip) if clip is not None else line("No clip was in the player.") or ""

    # -- the clip ----------------------------------------------------------------------------------------------------

    @traitlets.validate("time_s")
    def _valid_time(self, proposal: Any) -> float:
        return within(self.clip, proposal["value"])

    @traitlets.observe("time_s")
    def _time_changed(self, change: Any) -> None:
        if change["new"] != self._told_s:
            self.say("seek", {"time_s": change["new"]})

    @traitlets.observe("clip")
    def _clip_changed(self, change: Any) -> None:
        clip, before = change["new"], change["old"]
        known = isinstance(before, Clip) and clip is not None and before.job.id == clip.job.id
        if not known:
            self._told_s = 0.0
            self.time_s, self.playing, self.problem = 0.0, False, ""
        with self._lock:  # of several threads the last to come here sees the clip that stays
            self._shown = {} if self.clip is None else clip_facts(self.clip)
        self._offer()
        if clip is not None and not known:
            self._spawn(self._bring(clip))
        if self._instead:
            self._spawn(asyncio.to_thread(self.save_output))

    def _offer(self) -> None:
        """Say which actions have somebody who listens."""
        seedless = self.clip is None or not has_seed(self.clip)
        self._actions = [name for name in ACTIONS if self._callbacks and not (name == "vary" and seedless)]

    async def _bring(self, clip: Clip) -> None:
        """Send what the page needs at once, also while a cell runs: the poster, and the bytes that no server has."""
        await self._send_poster(clip)
        if served(clip) is None:
            await self._send_video(clip)
        flashes = await asyncio.to_thread(self._looked_at, clip)
        if self._has(clip) and flashes is not None:
            self._flashes = {"id": clip.job.id, "flashes": flashes}

    def _shows(self, clip: Clip) -> bool:
        """Whether this clip is in the player, be it with another rating."""
        now = self.clip  # read once: another clip may come in while this runs
        return now is not None and now.job.id == clip.job.id

    def _has(self, clip: Clip) -> bool:
        """Whether a page still shows this clip."""
        return self.is_open and self._shows(clip)

    def _looked_at(self, clip: Clip) -> bool | None:
        """Whether the clip flashes; None where it cannot be told, and then it does not play by itself."""
        with suppress(VidnbError, OSError):
            return clip.flashes if self._has(clip) else None
        return None

    async def _send_poster(self, clip: Clip) -> None:
        poster = await asyncio.to_thread(poster_of, clip)
        if poster is not None and self._has(clip):
            self.say("poster", {"id": clip.job.id}, [poster])

    async def _send_video(self, clip: Clip) -> None:
        try:
            video = await asyncio.to_thread(clip.read)
        except (VidnbError, OSError):
            self.say("gone", {"id": clip.job.id})
            return
        await self.say_in_pieces("video", {"id": clip.job.id}, video, lambda: self._has(clip))

    # -- what the page says ------------------------------------------------------------------------------------------

    def heard_want(self, content: Mapping[str, Any], _: list[bytes]) -> None:
        """A view was made, or its address did not work."""
        clip = self.clip
        if clip is not None and content.get("id") == clip.job.id:
            self._spawn(self._send_video(clip) if content.get("what") == "video" else self._send_poster(clip))

    def heard_at(self, content: Mapping[str, Any], _: list[bytes]) -> None:
        """The playhead came to rest, or playing began or ended."""
        clip = self.clip
        if clip is not None and content.get("id") == clip.job.id:
            self._told_s = within(clip, float(content["time_s"]))
            self.time_s, self.playing = self._told_s, bool(content.get("playing"))

    def heard_action(self, content: Mapping[str, Any], buffers: list[bytes]) -> None:
        """A button below the clip was pressed; the page holds its next press back until it knows that this arrived."""
        clip, name = self.clip, str(content.get("name"))  # read once: another clip may come in while this runs
        self.say("heard", {"name": name})
        if clip is None or content.get("id") != clip.job.id:
            self.problem = "Another clip had come into the player before the kernel heard that; press it again."
            return
        self.heard_at(content, buffers)
        with self._lock:
            callbacks = list(self._callbacks)
        if name in self.unavailable:
            self.problem = self.unavailable[name]
        elif name in self._actions:
            pressed = Pressed(name, clip, within(clip, float(content["time_s"])))
            for callback in callbacks:
                callback(pressed)

    def heard_annotate(self, content: Mapping[str, Any], _: list[bytes]) -> None:
        """A rating, the tags or a note were given."""
        given = {name: content[name] for name in ("rating", "tags", "note") if name in content}
        self._spawn(self._annotate(str(content.get("id")), given))

    async def _annotate(self, job_id: str, given: Mapping[str, Any]) -> None:
        """Keep what was said of a clip, and tell the page whether that worked."""
        told = {"id": job_id, "names": list(given)}
        async with self._in_turn:
            try:
                clip = self._client.clip(await self._client.annotate(job_id, **given))
            except Exception as error:  # noqa: BLE001  the page must say what happened to the words
                self.say("annotated", {**told, "problem": in_words(error)})
                return
            try:
                if self._shows(clip):  # asked last, as another one may have come meanwhile
                    self.clip = clip
                self.annotated = clip
            finally:  # who listens may fail, but the words are kept
                self.say("annotated", {**told, "problem": ""})


def within(clip: Clip | None, time_s: float) -> float:
    """The time, or the nearest that the clip has."""
    end_s = clip.info.duration_s if clip is not None else math.inf
    return min(max(0.0, time_s), end_s) if math.isfinite(time_s) else 0.0


def index_at(clip: Clip, time_s: float) -> int:
    """The number of the frame at a time, from 0."""
    # A hair more, as the page's times are fractions of a frame that were rounded.
    return max(0, min(math.floor(time_s * clip.info.fps + 1e-3), clip.info.frames - 1))


def frame_at(clip: Clip, time_s: float) -> Image:
    """The frame at a time, at its full size."""
    index = index_at(clip, time_s)
    if not clip.info.fps:
        return clip.frame("first")
    # The middle of its time: no rounding leads to a neighbour from there.
    return clip.frame("last" if index == clip.info.frames - 1 else (index + 0.5) / clip.info.fps)


def file_measures(info: ClipInfo) -> dict[str, Any]:
    """What the page must know of a clip's file to step through it."""
    return {name: getattr(info, name) for name in ("width_px", "height_px", "fps", "frames", "duration_s")}


def clip_facts(clip: Clip) -> dict[str, Any]:
    """All that the page writes around the video, from the row alone; the caption is that of a saved notebook."""
    job, info = clip.job, clip.info
    short = shortened(job.prompt, PROMPT_SHOWN)
    whole = "" if short == " ".join(job.prompt.split()) else job.prompt[:PROMPT_SAVED]
    code = recipe_code(clip)
    return {
        "id": job.id,
        "video": served(clip),
        "name": file_name(clip),
        "measures": file_measures(info),
        "codec": info.codec,
        "has_audio": info.has_audio,
        "host": host(),
        "prompt": sendable(short),
        "whole": sendable(whole),
        "model": sendable(labels.model_title(job.model)),
        "marks": list(job.marks),
        "nsfw": bool(job.nsfw),
        "params": [[sendable(name), sendable(value)] for name, value in shown_params(job)],
        "outcome": [sendable(words) for words in outcome_words(clip)],
        "code": sendable(code) if len(code) <= CODE_SHOWN else "",
        "rating": job.rating,
        "tags": list(map(sendable, job.tags)),
        "note": sendable(job.note),
    }


def served(clip: Clip) -> str | None:
    """The file's path below the Jupyter server's folder, or None where the server does not reach it."""
    path = clip.served_path
    return server_path(path) if path is not None else None


def has_seed(clip: Clip) -> bool:
    """Whether the clip's model takes a seed, so that another one makes a difference."""
    try:
        model = catalog.load().get(clip.model)
    except ConfigError:  # a broken file in VIDNB_CATALOG must not hide the clip
        return False
    return model is not None and "seed" in model.params


def file_name(clip: Clip) -> str:
    """A name for the downloaded file, in letters that every file system takes."""
    seed = f"seed{clip.seed}" if clip.seed is not None else ""
    words: Iterable[str] = (clip.model, seed, clip.job.id[:8])
    return "-".join(UNSAFE.sub("-", word)[:60].strip("-.") for word in words if word) + ".mp4"


def sendable(text: str) -> str:
    """The text without the halves of letters that no message can carry."""
    return text.encode("utf-8", "replace").decode("utf-8")
