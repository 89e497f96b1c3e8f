"""The pieces of HTML that everything shown is made of: text is escaped on the way in, looks are inline.

A notebook that is not trusted keeps inline styles but loses `<style>`, scripts, `var(...)` and `currentColor` (measured
with JupyterLab 4.6). So colours are inherited from the page and only lightened with opacity: the same markup reads
well on light and dark, in JupyterLab, VS Code, nbviewer and an exported file.
"""

from __future__ import annotations

import base64
import functools
import html
import math
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path

_NO_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_VOID = frozenset({"br", "img"})

FONT = "font-size:13px;line-height:1.5;overflow-wrap:break-word"
MUTED = "opacity:.72"
SMALL = "font-size:12px"
MONO = "font-family:ui-monospace,Menlo,Consolas,monospace;font-size:12px"
ROW = "display:flex;flex-wrap:wrap;gap:4px 6px;align-items:baseline"
TEAL = "#0f766e"
GREY = "rgba(128,128,128,.14)"
LINE = "1px solid rgba(128,128,128,.3)"
RED, AMBER, GREEN, BLUE, PLAIN = "#c93a32", "#a86400", "#3a9d45", "#2f73bf", "#8a8a8a"


class Html(str):
    """Text that is HTML already; any other text is escaped when it becomes part of it."""

    __slots__ = ()


Content = str | int | float | None
"""What a tag may hold: HTML stays as it is, other text is escaped, None is nothing."""


def escape(content: Content) -> Html:
    """The content as HTML; characters that no notebook file can hold become question marks."""
    if isinstance(content, Html):
        return content
    text = "" if content is None else str(content)
    return Html(html.escape(_NO_TEXT.sub("\ufffd", text), quote=True))


def tag(name: str, *children: Content, **attributes: str | int | bool | None) -> Html:
    """Return one HTML element. An attribute that is None or False is left out; one that is True has no value."""
    said = "".join(
        f" {key}" if value is True else f' {key}="{escape(value)}"'
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    opening = f"<{name}{said}>"
    return Html(opening if name in _VOID else f"{opening}{join(children)}</{name}>")


def join(children: Iterable[Content], between: Content = "") -> Html:
    """The pieces one after the other, those that are None or empty left out."""
    return Html(escape(between).join(escape(child) for child in children if child not in (None, "")))


def line(*children: Content, style: str = "") -> Html | None:
    """The pieces as one line of its own, or None where there is nothing to say."""
    inner = join(children)
    return tag("div", inner, style=style or None) if inner else None


def dotted(*children: Content, style: str = f"{SMALL};{MUTED}") -> Html | None:
    """The pieces in one quiet line, with dots between them."""
    return line(join(children, " · "), style=style)


def mono(content: Content) -> Html:
    """A value, in the type that shows every character."""
    return tag("span", content, style=MONO)


def chip(key: str, value: Content) -> Html:
    """A small "key value" label."""
    name = tag("span", key, style=MUTED)
    return tag("span", name, " ", mono(value), style=f"padding:0 6px;border-radius:4px;background:{GREY};{SMALL}")


def block(*children: Content, style: str) -> Html:
    """A whole output in our type, in which text with dollar signs or backslashes is no mathematics."""
    # JupyterLab typesets LaTeX in every output: a prompt "$5 or $6" would come out as a formula. The second class is
    # for the older MathJax of HTML exports.
    return tag("div", *children, style=f"{FONT};{style}", **{"class": "mathjax_ignore tex2jax_ignore"})


def badge(word: str, colour: str = AMBER, title: str | None = None) -> Html:
    """A word that must not be overlooked, in white on a colour that holds on light and dark pages."""
    look = f"padding:1px 6px;border-radius:4px;background:{colour};color:#ffffff;{SMALL};line-height:1.3"
    return tag("span", word, style=f"{look};font-weight:600;letter-spacing:.02em", title=title)


ORIGINS: Mapping[str, tuple[str, str]] = {
    "EMULATED": (AMBER, "made by the built-in emulator, by no real service"),
    "REPLAYED": (TEAL, "made elsewhere, answered from a bundle: nothing was charged here"),
    "IMPORTED": (TEAL, "made elsewhere, it came with a bundle"),
}
"""Mark of a job -> colour of its badge, and what it means; `static/common.js` has the same words."""


def origin(marks: Iterable[str]) -> Html:
    """Badges for the marks of a job (see `Job.marks`): where a clip is from; nothing for none."""
    return join(badge(mark, *ORIGINS[mark]) for mark in marks)


def dot(colour: str) -> Html:
    """A dot in a colour that stands for a state."""
    return tag("span", "●", style=f"color:{colour}")


def details(summary: Content, *children: Content) -> Html:
    """A line that opens to more."""
    head = tag("summary", summary, style=f"cursor:pointer;{SMALL};{MUTED}")
    return tag("details", head, *children, style="margin:2px 0 0")


def card(colour: str, *children: Content, width_px: int = 720) -> Html:
    """A block with a coloured edge."""
    look = f"max-width:{width_px}px;margin:2px 0 8px;padding:6px 12px;border-left:3px solid {colour}"
    return block(*children, style=f"{look};background:{GREY};border-radius:0 4px 4px 0")


def facts(pairs: Iterable[tuple[Content, Content]]) -> Html:
    """Names and what is said of them, one below the other; on a narrow page the text goes under its name."""
    rows = (
        tag(
            "div",
            tag("span", name, style=f"flex:0 0 76px;{MUTED}"),
            tag("span", said, style="flex:1 1 150px;min-width:0"),
            style="display:flex;flex-wrap:wrap;gap:0 8px",
        )
        for name, said in pairs
        if said not in (None, "")
    )
    return join(rows)


def table(head: Iterable[Content], rows: Iterable[Iterable[Content]]) -> Html:
    """A plain table that scrolls sideways in itself where the page is narrow."""
    # JupyterLab centres tables, aligns cells to the right and shades every second row: said against here.
    cell = "padding:3px 14px 3px 0;text-align:left;vertical-align:top"
    first = (tag("th", name, style=f"{cell};font-weight:600;white-space:nowrap;{MUTED}") for name in head)
    body = (
        tag("tr", *(tag("td", item, style=cell) for item in row), style=f"border-top:{LINE};background:transparent")
        for row in rows
    )
    inner = tag(
        "table",
        tag("thead", tag("tr", *first)),
        tag("tbody", *body),
        style=f"{SMALL};margin:0;border-collapse:collapse",
    )
    return tag("div", inner, style="overflow-x:auto;max-width:100%")


def data_uri(content: bytes, mime: str) -> str:
    """The bytes as an address that carries them."""
    return f"data:{mime};base64,{base64.b64encode(content).decode()}"


def shortened(text: str, length: int) -> str:
    """The text in one line, at most so long, cut at a word where that is possible."""
    flat = " ".join(text.split())
    if len(flat) <= length:
        return flat
    cut = flat[: length - 1]
    head, _, _ = cut.rpartition(" ")
    return (head if len(head) > length // 2 else cut) + "…"


def size(count: int) -> str:
    """A number of bytes in the unit that people read: "812 kB", "3.1 MB"."""
    if count < 1_000_000:
        return f"{max(1, round(count / 1000))} kB" if count else "0 kB"
    return f"{count / 1_000_000:.1f} MB"


def digits(value: float) -> str:
    """A number in three digits, a tiny one in two, never as "6.3e-06": "23", "0.0412", "0.0000063"."""
    text = f"{value:.3g}"
    if "e" not in text:
        return text
    places = max(0, 1 - math.floor(math.log10(abs(value))))
    return f"{value:.{places}f}".rstrip("0") if places else f"{value:.0f}"


def seconds(value: float) -> str:
    """A span of time: "0.8 s", "41 s", "3 min 20 s"."""
    if value < 9.95:
        return f"{value:.1f} s"
    whole = round(value)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"


def minute(at: datetime) -> str:
    """A time as people write it, with its zone: "2026-10-08 14:03 UTC"."""
    return at.strftime("%Y-%m-%d %H:%M UTC")


@functools.cache
def script_of(name: str) -> Html:
    """A script of `static` as it goes into a page: comments, the types among them, are left out."""
    text = (Path(__file__).with_name("static") / f"{name}.js").read_text(encoding="utf-8")
    text = re.sub(r"/\*\*.*?\*/ ?", "", text, flags=re.DOTALL)
    lines = [line.strip() for line in text.splitlines()]
    return Html("\n".join(line for line in lines if line and not line.startswith("//")))
