"""The newest clips of a history as a gallery: posters in a grid by prompt, which play on hover and on focus.

It is one piece of HTML that a notebook saves, alive again when the notebook is opened, with or without a kernel. Where
the notebook is not trusted, its script is gone and each tile is a plain video with its poster.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidnb.display.clips import clip_html, clips_left_behind, link_of, smaller
from vidnb.display.grid.inputs import input_pictures, shown_words
from vidnb.display.grid.words import Words, differing, facts, implied, titles_of, words
from vidnb.display.history import job_line
from vidnb.display.host import RELATIVE_HOSTS, host, notebook_folder, relative_path, relative_url
from vidnb.display.labels import WINNER
from vidnb.display.page import (
    GREY,
    LINE,
    MUTED,
    ORIGINS,
    SMALL,
    Html,
    badge,
    block,
    data_uri,
    details,
    join,
    mono,
    origin,
    script_of,
    shortened,
    tag,
)
from vidnb.errors import VidnbError
from vidnb.records import Job

if TYPE_CHECKING:
    from vidnb.clip import Clip

CLIPS_SHOWN = 24
JOBS_READ = 60
"""So many of the newest jobs are looked at for the first clips; a folder of any size costs as much."""
OPEN_TILES = 12
"""So many of one prompt, two full rows on a wide page; the others are one press away."""
OTHERS_SHOWN = 10
POSTER_PX, POSTER_BYTES = 240, 2_200
WORDS_SHOWN = 4
LETTERS_BESIDE = 22
"""How many letters fit on one line of the narrowest tile; if one caption of a prompt is longer, all take two lines."""
USUAL_FPS = 24
"""What the script takes for a clip that says nothing else."""
FOUND_BY = 300
"""So much of a prompt, or of tags and note, the filter of the page knows."""
NEARLY = 0.06
"""So far from 16:9 a shape may be, as a share, for tiles to take it: services round sizes to 16 pixels."""
ON_PICTURE = (
    "position:absolute;top:5px;right:5px;padding:0 6px;border-radius:4px;background:rgba(0,0,0,.7);color:#fff;"
    f"pointer-events:none;{SMALL}"
)
FRAME = f"background:{GREY};border-radius:4px"
SIZES = frozenset({"resolution", "aspect_ratio", "size", "width_px", "height_px"})
QUIET = frozenset({"prompt", "public", "prompt_enhance"})
AT_ONCE, PATIENCE_S = 4, 3.0


def gallery_html(items: Sequence[Clip | Job], count: int, *, hint: str = "") -> str:
    """The clips among the items as a gallery, and the other jobs as a line that opens.

    Args:
        items: clips and jobs, newest first: the first JOBS_READ of the history, or all.
        count: how many the history holds.
        hint: what to say where there are none: "Did you mean ...".
    """
    if not items:
        said = hint or "No clips yet. vidnb.Studio() makes one; without a key it costs nothing."
        return block(_title("no clips"), tag("div", said), style="margin:2px 0 10px")
    clips = [item for item in items if not isinstance(item, Job)]
    if count == 1 and clips:
        return clip_html(clips[0])
    shown = clips[:CLIPS_SHOWN]
    flashes = _look_at(shown)
    groups: dict[str, list[Clip]] = {}
    for clip in shown:
        groups.setdefault(" ".join(clip.prompt.split()), []).append(clip)
    whole = len(items) == count
    others = [item for item in items if isinstance(item, Job)]
    emulated = {clip.emulated for clip in shown}
    titles = titles_of([clip.model for clip in shown])
    parts = [_group(prompt, some, titles, flashes, mixed=len(emulated) > 1) for prompt, some in groups.items()]
    jobs = [clip.job for clip in shown]
    marks = origin(mark for mark in ORIGINS if jobs and all(mark in job.marks for job in jobs))
    prompts = len({" ".join(clip.prompt.split()) for clip in clips})
    head = _title(_counted(len(clips), prompts) if whole else f"{count:,} jobs", marks)
    foot = [_others(others, whole), _left(len(shown), len(clips) if whole else count, whole), _reach(shown)]
    end = tag("div", *foot, style=f"border-top:{LINE};padding:8px 0 0") if any(foot) else None
    body = [head, clips_left_behind(notebook_folder(), map(_way, shown)), *parts, end]
    script = tag("script", script_of("left_behind"), script_of("gallery")) if shown else None
    inner = tag("div", *body, **{"data-vidnb-gallery": True})
    return block(inner, script, style="max-width:1200px;margin:2px 0 10px;padding:0 4px")


def _title(said: str, mark: Html | None = None) -> Html:
    look = "display:flex;flex-wrap:wrap;align-items:center;gap:4px 10px;min-height:32px;margin:0 0 4px"
    name = tag("span", "History", style="font-weight:600;font-size:14px")
    # What can be done with chosen clips is put here by the script; the line keeps its height.
    return tag("div", name, tag("span", said), mark, style=look, **{"data-vidnb-head": True})


def _counted(clips: int, prompts: int) -> str:
    clip_words = "1 clip" if clips == 1 else f"{clips:,} clips"
    return f"{clip_words}, {prompts} prompts" if prompts > 1 else clip_words


def _group(prompt: str, clips: list[Clip], titles: dict[str, str], flashes: dict[str, bool], *, mixed: bool) -> Html:
    """The clips of one prompt: what they share is said once, and under each only what it alone has."""
    told = _facts(clips)
    differs = [name for name in differing(told) if name != "prompt"]
    apart = [name for at, name in enumerate(differs) if not implied(name, differs[:at], told)][:WORDS_SHOWN]
    same = [name for name in told[0] if name not in differs and name not in QUIET and name != "take"]
    pictures = input_pictures(clips)
    lengths = [str(words("duration_s", round(clip.info.duration_s, 1))) for clip in clips]
    alike = len(set(lengths)) == 1
    common = [shown_words(words(name, told[0][name], titles), pictures) for name in same]
    common += lengths[:1] if alike else []
    mark = badge("EMULATED") if mixed and clips[0].emulated and all(clip.emulated for clip in clips) else None
    title = tag("span", shortened(prompt, 120) or "no prompt", dir="auto", style="font-weight:600;font-size:14px")
    line = tag("span", join([*_several(clips), *common], " · "), style=f"{SMALL};{MUTED}")
    head = tag("div", title, line, mark, style="display:flex;flex-wrap:wrap;gap:0 10px;align-items:baseline")
    said = [[words(name, one.get(name), titles) for name in apart] for one in told]
    real_too = mixed and len({clip.emulated for clip in clips}) > 1
    shape = _shape(clips)
    if real_too:
        made = [Words("", "emulated" if clip.emulated else "real") for clip in clips]
        said = [[*own, one] for own, one in zip(said, made, strict=True)]
    flow = "row wrap" if all(len(" · ".join(map(str, own))) <= LETTERS_BESIDE for own in said) else "column"
    tiles = [
        _tile(clip, own, pictures, flashes.get(clip.job.id), shape, "" if alike else length, flow)
        for clip, own, length in zip(clips, said, lengths, strict=True)
    ]
    more = tiles[OPEN_TILES:]
    rest = details(f"Show {len(more)} more", _tiles(more)) if more else None
    look = f"border-top:{LINE};padding:8px 0 12px"
    named = {"data-vidnb-prompt": shortened(prompt, FOUND_BY)}
    return tag("div", head, _tiles(tiles[:OPEN_TILES]), rest, style=look, **named)


def _facts(clips: list[Clip]) -> list[dict[str, Any]]:
    """What the recipes say but the length, which is the clip's own; so is the size where a recipe leaves it open."""
    told = [facts(clip.job) for clip in clips]
    asked = {name for one in told for name in one} & SIZES
    measured = not asked or any(not asked <= one.keys() for one in told)
    for clip, one in zip(clips, told, strict=True):
        for name in ("duration_s", *(asked if measured else ())):
            one.pop(name, None)
        if measured:
            one["size"] = [clip.info.width_px, clip.info.height_px]
    return told


def _several(clips: list[Clip]) -> list[str]:
    return [f"{len(clips)} clips"] if len(clips) > 1 else []


def _tiles(tiles: list[Html]) -> Html:
    # Six in a row on a wide page, two on a phone, however narrow the notebook leaves it.
    columns = "repeat(auto-fill,minmax(min(140px,46%),1fr))"
    look = f"display:grid;grid-template-columns:{columns};gap:10px 12px;margin:6px 0 0"
    return tag("div", *tiles, style=look)


def _shape(clips: list[Clip]) -> str:
    """The shape of a group's tiles: that of its commonest picture where this is nearly 16:9, so that it fills them."""
    sizes = Counter((clip.info.width_px, clip.info.height_px) for clip in clips)
    (width, height), _ = sizes.most_common(1)[0]
    return f"{width}/{height}" if abs(width * 9 - height * 16) < NEARLY * height * 16 else "16/9"


def _tile(
    clip: Clip, told: list[Words], pictures: dict[str, str], flashes: bool | None, shape: str, length: str, flow: str
) -> Html:
    name = ", ".join(filter(None, [*map(str, told), length])) or shortened(clip.prompt, 80) or clip.model
    marks = [f"{'★' * clip.rating}" if clip.rating else "", "Winner" if WINNER in clip.tags else ""]
    marks += ["flashes" if flashes else ""]
    said = [shown_words(one, pictures) for one in told]
    first = tag("span", said[0] if said else "", dir="auto", style="max-width:100%")
    rest = tag("span", join(said[1:], " · "), dir="auto", style=MUTED)
    look = f"display:flex;flex-flow:{flow};justify-content:space-between;gap:0 8px"
    line = tag("div", first, rest, style=look) if said else None
    marked = tag("div", " · ".join(filter(None, marks))) if any(marks) else None
    caption = tag("figcaption", line, marked, style=f"margin:3px 0 0;{SMALL}") if line or marked else None
    look = "margin:0;position:relative"
    said_of_it = shortened(" ".join([*clip.tags, clip.job.note]), FOUND_BY) or None
    about = {"data-vidnb-id": clip.job.id[:8], "data-vidnb-said": said_of_it, "style": look}
    about["data-vidnb-fps"] = f"{clip.info.fps:g}" if clip.info.fps != USUAL_FPS else None
    waits = flashes is not False
    on_picture = tag("div", length, style=ON_PICTURE) if length else None
    return tag("figure", _picture(clip, name, shape), on_picture, caption, **about, **{"data-vidnb-waits": waits})


def _picture(clip: Clip, name: str, shape: str) -> Html:
    poster = poster_of_tile(clip)
    image = data_uri(poster, "image/webp") if poster else None
    look = f"display:block;width:100%;height:auto;aspect-ratio:{shape};object-fit:contain;margin:0;{FRAME}"
    box = {"width": clip.info.width_px, "height": clip.info.height_px}
    way = _way(clip)
    if way is not None:
        flags = {"controls": True, "loop": True, "muted": True, "playsinline": True}
        named = {"aria-label": name}
        address = relative_url(way)
        return tag("video", **flags, preload="none", **box, poster=image, src=address, style=look, **named)
    if image is None:
        return tag("div", "no picture", style=f"{look};{MUTED};text-align:center;padding:20% 0 0")
    return tag("img", **box, alt=name, src=image, style=look)


def _way(clip: Clip) -> Path | None:
    """The way from the notebook to the clip's file, or to a link to it; None where the page finds neither."""
    if host() not in RELATIVE_HOSTS:
        return None
    served = clip.served_path
    beside = relative_path(served) if served is not None else None
    return beside if beside is not None else link_of(clip, host())


def poster_of_tile(clip: Clip) -> bytes | None:
    """The poster in at most 2.2 kB, made once and kept beside the clip; None where its file cannot be read."""
    with contextlib.suppress(VidnbError, OSError):
        return clip.derived("small.webp", lambda: smaller(clip.poster, POSTER_PX, POSTER_BYTES))
    return None


def _look_at(clips: Sequence[Clip]) -> dict[str, bool]:
    """Which clips flash, by job; one that was not decoded in time, or cannot be, is missing.

    Small posters are made, too. Several clips are looked at at once, as decoding lets other threads run, and a clip is
    looked at only once: what is late is there the next time.
    """
    pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="vidnb-gallery")
    try:
        list(pool.map(poster_of_tile, clips))
        looks = {clip.job.id: pool.submit(lambda clip: clip.flashes, clip) for clip in clips}
        wait(looks.values(), timeout=PATIENCE_S)
        done = {job: look for job, look in looks.items() if look.done()}
        return {job: look.result() for job, look in done.items() if look.exception() is None}
    finally:
        pool.shutdown(wait=False)


def _others(jobs: Sequence[Job], whole: bool) -> Html | None:
    """What is no clip, in one line that opens: "2 failed, 1 still running"."""
    if not jobs:
        return None
    moving = sum(job.is_moving for job in jobs)
    by_state: dict[str, int] = {}
    for job in jobs:
        if not job.is_moving:
            by_state[job.state.value] = by_state.get(job.state.value, 0) + 1
    said = [f"{number} {state}" for state, number in by_state.items()]
    said += [f"{moving} still running"] if moving else []
    among = "" if whole else " among the newest"
    return details(", ".join(said) + among, *map(job_line, jobs[:OTHERS_SHOWN]))


def _left(shown: int, count: int, whole: bool) -> Html | None:
    if shown >= count:
        return None
    thing = "clips" if whole else "jobs"
    said = [f"The newest {shown} clips of {count:,} {thing}. ", mono("h.table()"), " lists all."]
    return tag("div", *said, style=f"{SMALL};{MUTED};margin:4px 0 0")


def _reach(clips: Sequence[Clip]) -> Html | None:
    """Why there are only pictures, where the page cannot reach the files."""
    if not clips or any(_way(clip) is not None for clip in clips):
        return None
    said = ["These are pictures: this page cannot reach the videos. ", mono("h[0]"), " plays one."]
    return tag("div", *said, style=f"{SMALL};{MUTED};margin:4px 0 0")
