"""A clip as HTML: the video by the best way that the page can reach it, the poster, and the recipe below.

What is written here is saved in notebooks, so it has a budget: a poster of at most 10 kB always, the video itself only
where it is small or asked for, never an absolute path and never an address on this machine.
"""

from __future__ import annotations

import base64
import keyword
import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import unquote

from vidnb import catalog, shown
from vidnb.catalog import words
from vidnb.display import labels
from vidnb.display.host import (
    KERNEL_HOSTS,
    RELATIVE_HOSTS,
    Host,
    host,
    linked_path,
    marimo_url,
    notebook_folder,
    relative_path,
    relative_url,
)
from vidnb.display.page import (
    MONO,
    MUTED,
    RED,
    ROW,
    SMALL,
    Content,
    Html,
    badge,
    block,
    chip,
    data_uri,
    details,
    dotted,
    join,
    line,
    mono,
    origin,
    seconds,
    shortened,
    size,
    tag,
)
from vidnb.errors import ConfigError, VidnbError
from vidnb.records import Job

if TYPE_CHECKING:
    from vidnb.clip import Clip

DOT = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
"""A picture of one transparent pixel."""
WIDGET = "application/vnd.jupyter.widget-view+json"
POSTER_BYTES = 10_000
THUMB_BYTES, THUMB_PX = 4_000, 96
EMBED_BYTES = 300_000
"""A clip up to this size may be saved in the notebook unasked ..."""
EMBED_ALL_BYTES = 450_000
"""... as long as all of those of one session stay below this: 24 clips are to add less than 1 MB."""
LARGE_BYTES = 3_000_000
WIDE_PX, HIGH_PX = 640, 480
PROMPT_SHOWN, PROMPT_SAVED, CODE_SAVED = 160, 2_000, 1_500


@dataclass(frozen=True)
class Route:
    """How the page gets the video.

    Providers' own links are no route: they are signed and expire, and the store keeps none.
    """

    kind: Literal["file", "embed", "kernel", "poster"]
    """`kernel`: a widget gets the bytes from the kernel, and where there is none the poster stands alone."""
    src: str = ""
    note: str = ""
    dot: str = ""
    """Address of a tiny picture beside the file; where the page cannot load it, the clips were not copied along."""


def route(clip: Clip, host: Host, budget: int, *, embed: bool | None = None) -> Route:
    """The way to the video, wherever its file lies: the one rule for all hosts.

    A file that the page reaches is played from there; a page of Jupyter gets a link beside the notebook to one that it
    does not reach, a page of marimo an address of marimo's own server. Else few bytes are embedded, and more come from
    the kernel, where the host has a way for that.

    Args:
        clip: what to show.
        host: where it will be looked at.
        budget: how many bytes may be saved in the notebook unasked.
        embed: True to save the bytes whatever their number, False never to.
    """
    served = clip.served_path
    beside = relative_path(served) if served is not None else None
    count = clip.info.size_bytes
    if embed or (embed is None and count <= budget and (beside is None or host not in RELATIVE_HOSTS)):
        note = f"{size(count)} of video are saved in this notebook" if count > LARGE_BYTES else ""
        return Route("embed", data_uri(clip.read(), "video/mp4"), note)
    if beside is None:
        beside = link_of(clip, host)
    if beside is not None and host in RELATIVE_HOSTS:
        return Route("file", relative_url(beside), dot=dot_beside(notebook_folder(), beside))
    if host == "marimo" and (url := marimo_url(clip.read())):
        return Route("file", url)
    if host in KERNEL_HOSTS:
        return Route("kernel", note="The kernel sends the video; run this cell again to play it")
    where = beside.as_posix() if beside is not None else f'vidnb.clip("{clip.job.id[:8]}").path'
    return Route("poster", note=f"The video ({size(count)}) is not saved in this notebook. The file: {where}")


def link_of(clip: Clip, host: Host) -> Path | None:
    """The way to a link beside a page of Jupyter, for a file that the page does not reach; None where there is none."""
    served = clip.served_path
    return linked_path(served, f"{clip.info.sha256[:20]}.mp4") if host == "jupyter" and served is not None else None


class _Embedded:
    """What this session saved in notebooks unasked; a clip that is shown again is not counted again."""

    def __init__(self) -> None:
        self._sizes: dict[str, int] = {}
        self._lock = threading.Lock()

    def budget(self, clip: Clip) -> int:
        """How many bytes the clip may take."""
        with self._lock:
            if clip.info.sha256 in self._sizes:
                return EMBED_BYTES
            return min(EMBED_BYTES, EMBED_ALL_BYTES - sum(self._sizes.values()))

    def add(self, clip: Clip) -> None:
        """Count the clip."""
        with self._lock:
            self._sizes[clip.info.sha256] = clip.info.size_bytes


_embedded = _Embedded()


def clip_html(clip: Clip, *, embed: bool | None = None, preload: Literal["metadata", "none"] = "metadata") -> str:
    """The clip as HTML: the video with its poster, the prompt, the params and what came of them.

    Args:
        clip: a finished job's clip.
        embed: True to save the video in the notebook, False never to; None decides by its size.
        preload: `none` to have the page read nothing of the file before somebody plays it.
    """
    try:
        way = route(clip, host(), _embedded.budget(clip), embed=embed)
        if way.kind == "embed" and embed is None:
            _embedded.add(clip)
    except (VidnbError, OSError):
        # The message of the error names a folder of this machine, which nobody wants in a shared notebook.
        way = Route("poster", note="The video cannot be read: its file is not in the data folder")
    notes = (_note(clip.info.note), _note(way.note))
    caption = (_prompt(clip.job), _chips(clip.job), _outcome(clip), *notes, _used_prompt(clip.job), _code(clip))
    return block(_picture(clip, way, preload), *caption, style=f"max-width:{WIDE_PX}px;margin:2px 0 10px")


def _shown_width(clip: Clip) -> int:
    """The width at which the video fits a notebook, upright ones too."""
    wide, high = clip.info.width_px or WIDE_PX, clip.info.height_px or WIDE_PX * 9 // 16
    return max(240, min(WIDE_PX, wide, round(HIGH_PX * wide / high)))


def _picture(clip: Clip, way: Route, preload: str) -> Html | None:
    poster = poster_of(clip)
    image = data_uri(poster, "image/webp") if poster else None
    # Width and height together keep the place free before anything is loaded.
    width = clip.info.width_px or WIDE_PX
    box: dict[str, Any] = {"width": width, "height": clip.info.height_px or WIDE_PX * 9 // 16}
    look = f"display:block;width:{_shown_width(clip)}px;max-width:100%;height:auto;border-radius:4px"
    if way.kind in ("file", "embed"):
        flags = {"controls": True, "loop": True, "muted": True, "playsinline": True}
        video = tag("video", **flags, preload=preload, **box, poster=image, src=way.src, style=look)
        folder = unquote(way.src).rpartition("/")[0].removeprefix("./")
        said = f"The video does not play: its file was not sent along with this page. It lies in {folder}."
        return join([video, left_behind(way.dot, said)])
    return (
        tag("img", **box, alt=shortened(clip.prompt, 80) or labels.model_title(clip.model), src=image, style=look)
        if image
        else None
    )


def dot_beside(page: Path, clip: Path) -> str:
    """The address of the invisible picture in the folder of a clip; "" where it cannot be put there.

    Args:
        page: the folder of the page.
        clip: the way from there to the clip.
    """
    dot = clip.with_name("here.gif")
    try:
        if not (page / dot).exists():
            (page / dot).write_bytes(DOT)
    except OSError:  # a folder that may only be read
        return ""
    return relative_url(dot)


def left_behind(dot: str, said: str) -> Html | None:
    """An invisible picture from the folder of a video; a page that was moved without that folder shows words instead.

    A page sent without its folder has no script and no server to say why nothing plays: the words of a picture that is
    not there are all that any browser shows by itself.

    Args:
        dot: address of the dot; without one there is nothing to say.
        said: the words.
    """
    return tag("img", alt=said, src=dot, style=f"display:block;max-width:100%;{SMALL}") if dot else None


def clips_left_behind(page: Path, ways: Iterable[Path | None]) -> Html | None:
    """What a page says that was sent away without the files of its clips; None where it links to none.

    Args:
        page: the folder of the page.
        ways: from there to each clip; None where the page does not link to it.
    """
    counts = Counter(way.parent for way in dict.fromkeys(filter(None, ways)))
    dots = [(folder.as_posix(), count, dot_beside(page, folder / "clip")) for folder, count in counts.items()]
    # One after the other they are a paragraph of what is missing; `static/left_behind.js` makes one sentence of it.
    looks = [
        tag("img", src=dot, alt=f"Not sent along: {labels.many(count, 'video')} in {folder}. ", **{"data-n": count})
        for folder, count, dot in dots
        if dot
    ]
    return tag("div", *looks, style=SMALL, **{"data-vidnb-gone": counts.total()}) if looks else None


def clip_view(clip: Clip) -> dict[str, Any]:
    """The clip as a widget, where only the kernel can bring its video to the page; {} elsewhere."""
    try:
        way = route(clip, host(), _embedded.budget(clip))
    except (VidnbError, OSError):
        return {}
    if way.kind != "kernel":
        return {}
    bundle = shown.view("Player")(clip)._repr_mimebundle_()
    data = bundle[0] if isinstance(bundle, tuple) else bundle or {}
    return {mime: content for mime, content in data.items() if mime == WIDGET}


def poster_of(clip: Clip) -> bytes | None:
    """The clip's poster in at most 10 kB, or None where its file cannot be read."""
    try:
        poster = clip.poster
        return poster if len(poster) <= POSTER_BYTES else smaller(poster, 320, POSTER_BYTES)
    except (VidnbError, OSError):
        return None


def thumbnail_html(clip: Clip) -> Html | None:
    """The poster as a small picture, for lists; None where the clip's file cannot be read."""
    poster = poster_of(clip)
    if poster is None:
        return None
    thumb = smaller(poster, THUMB_PX * 3 // 2, THUMB_BYTES)
    look = f"display:block;max-width:{THUMB_PX}px;max-height:{THUMB_PX}px;width:auto;height:auto;border-radius:3px"
    return tag(
        "img",
        alt=shortened(clip.prompt, 60) or labels.model_title(clip.model),
        src=data_uri(thumb, "image/webp"),
        style=look,
    )


def smaller(picture: bytes, width_px: int, limit: int) -> bytes:
    """The picture as WebP, at most so wide and in at most so many bytes."""
    import io

    from PIL import Image

    image = Image.open(io.BytesIO(picture)).convert("RGB")
    image.thumbnail((width_px, width_px))
    while True:
        for quality in (60, 40, 20):
            sink = io.BytesIO()
            image.save(sink, "WEBP", quality=quality)
            if sink.tell() <= limit:
                return sink.getvalue()
        image.thumbnail((image.width * 2 // 3, image.height * 2 // 3))


# -- the caption -------------------------------------------------------------------------------------------------------


def _prompt(job: Job) -> Html | None:
    """The prompt in a few lines, and all of it where that is longer."""
    short = shortened(job.prompt, PROMPT_SHOWN)
    if not short:
        return None
    # Its own direction, so that no right-to-left mark turns what stands beside it.
    shown = tag("div", short, dir="auto", style="margin:6px 0 0;font-size:14px")
    if short == " ".join(job.prompt.split()):
        return shown
    text = job.prompt[:PROMPT_SAVED] + ("…" if len(job.prompt) > PROMPT_SAVED else "")
    count = f"whole prompt, {len(job.prompt):,} characters"
    return join([shown, _folded(count, text)])


def _folded(summary: str, text: str) -> Html:
    return details(summary, tag("div", text, dir="auto", style="white-space:pre-wrap;margin:2px 0 4px"))


def _used_prompt(job: Job) -> Html | None:
    """The prompt that the service says it used, where that is another one."""
    used = (job.used_prompt or "")[:PROMPT_SAVED]
    if not used or " ".join(used.split()) == " ".join(job.prompt.split()):
        return None
    return _folded("prompt as the service rewrote it", used)


def _chips(job: Job) -> Html:
    marks = [origin(job.marks)]
    marks += [badge("NSFW", RED, title="the service flagged this clip")] if job.nsfw else []
    return tag(
        "div",
        *marks,
        labels.model_html(job.model),
        *(chip(name, value) for name, value in shown_params(job)),
        style=f"{ROW};margin:4px 0 0",
    )


def shown_params(job: Job) -> list[tuple[str, str]]:
    """The recipe's params besides the prompt and the model's own defaults as short texts; width and height are one."""
    params = {name: value for name, value in job.params.items() if value is not None and name != "prompt"}
    if params.get("public") is False:
        del params["public"]
    if params.get("width_px") and params.get("height_px"):
        params["size"] = f"{params.pop('width_px')}×{params.pop('height_px')}"
        params.pop("aspect_ratio", None)
    first = [name for name in ("motion_strength", "seed", "size", "resolution", "duration_s") if name in params]
    more = [name for name in params if name not in first and not _is_usual(job, name)]
    pairs = [(labels.param(name), _value(params[name])) for name in [*first, *more]]
    pairs += [(labels.param(name), labels.inputs(name, items)) for name, items in job.images.items()]
    return pairs + ([("take", str(job.shown_take))] if job.shown_take else [])


def _is_usual(job: Job, name: str) -> bool:
    """Whether the param has the value that the model has without it."""
    try:
        model = catalog.load().get(job.model)
    except ConfigError:  # a broken file in VIDNB_CATALOG must not hide the history
        return False
    param = model.params.get(name) if model else None
    return param is not None and job.params[name] in (param.default, param.service_default)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, list | tuple):
        return shortened(", ".join(map(_value, value)), 60)
    if isinstance(value, Mapping):
        return " ".join(shortened(str(item), 12) for item in value.values())
    return shortened(f"{value:g}" if isinstance(value, float) else words.choice(value), 60)


def _outcome(clip: Clip) -> Html | None:
    """What the clip cost, how long it took and what was measured."""
    look = f"{SMALL};{MUTED};margin:4px 0 0"
    return dotted(*outcome_words(clip), join(["job ", mono(clip.job.id[:8])]), style=look)


def outcome_words(clip: Clip) -> list[str]:
    """What the clip cost, how long it took and what was measured, each in a few words."""
    info, job = clip.info, clip.job
    asked = (job.params.get("width_px"), job.params.get("height_px"))
    differs = all(asked) and asked != (info.width_px, info.height_px)
    words = [
        cost_words(job),
        f"took {seconds((job.done_at - job.created_at).total_seconds())}" if job.done_at else None,
        f"{info.width_px}×{info.height_px} px" + (f" (asked for {asked[0]}×{asked[1]})" if differs else "")
        if info.width_px
        else None,
        f"{info.duration_s:.4g} s" if info.duration_s else None,
        f"{info.fps:.4g} fps" if info.fps else None,
        "sound" if info.has_audio else None,
        size(info.size_bytes),
        f"the service used seed {job.used_seed}" if job.used_seed not in (None, job.params.get("seed")) else None,
        f"{len(job.outputs)} more of the same job: clip.outputs" if job.outputs else None,
    ]
    return [word for word in words if word]


def cost_words(job: Job) -> str | None:
    """The cost as the service said it, or None where it says nothing."""
    if job.cost is None:
        return None
    return f"{job.cost} (emulated, not charged)" if job.emulated else str(job.cost)


def _note(note: Content) -> Html | None:
    return line(note, style=f"{SMALL};font-style:italic;margin:2px 0 0") if note else None


def _code(clip: Clip) -> Html | None:
    code = recipe_code(clip)
    if len(code) > CODE_SAVED:
        return None
    look = f"{MONO};white-space:pre-wrap;margin:2px 0 4px;padding:0;background:transparent"
    return details("recipe as Python", tag("pre", code, style=look))


def recipe_code(clip: Clip) -> str:
    """The Python call that makes the clip again: the same recipe, so the same job, at no cost.

    An input that does not lie where the notebook can reach it is named by its hash, and the name is to be replaced.

    Example:
        >>> print(recipe_code(clip))
        vidnb.generate('a koala in a meadow', model='leonardo/motion_2.0', seed=7)
    """
    job = clip.job
    values = {"model": repr(job.model)}
    values |= {name: _literal(value) for name, value in job.params.items() if value is not None and name != "prompt"}
    values |= {name: _inputs(items, clip) for name, items in job.images.items()}
    values |= {"take": repr(job.shown_take)} if job.shown_take else {}
    arguments = [repr(job.prompt)] if job.prompt else []
    arguments += [_argument(name, code) for name, code in values.items()]
    single = f"vidnb.generate({', '.join(arguments)})"
    return single if len(single) <= 100 else "vidnb.generate(\n" + "".join(f"    {one},\n" for one in arguments) + ")"


def _argument(name: str, code: str) -> str:
    # A catalogue of one's own may have any name in it, and Python folds other alphabets' letters in keywords.
    return (
        f"{name}={code}"
        if name.isascii() and name.isidentifier() and not keyword.iskeyword(name)
        else f"**{{{name!r}: {code}}}"
    )


def _literal(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key!r}: {_literal(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_literal, value)) + "]"
    return repr(value)


def _inputs(items: Any, clip: Clip) -> str:
    sources = [_source(item, clip) for item in items]
    return sources[0] if len(sources) == 1 else "[" + ", ".join(sources) + "]"


def _source(item: Mapping[str, Any], clip: Clip) -> str:
    """An expression for one input: the provider's own, or the stored file."""
    if "sha256" not in item:
        return f"vidnb.RemoteMedia({item['provider']!r}, {item['id']!r}, {item['kind']!r})"
    path = clip._files.local_path(item["sha256"], f".{item['extension']}")
    beside = relative_path(path) if path is not None else None
    return repr(beside.as_posix() if beside is not None else f"{item['sha256'][:16]}.{item['extension']}")
