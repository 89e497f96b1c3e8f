"""How effects and spreads look in a cell: what they say, and one small picture of the numbers behind it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from vidnb import shown
from vidnb.display.charts import bar, dots
from vidnb.display.page import MUTED, SMALL, Html, block, dotted, join, line, tag
from vidnb.history.statistics import sentences
from vidnb.history.statistics.effect import Effect, Effects
from vidnb.history.statistics.spread import Spread
from vidnb.media.measures import MEASURES

MOST_DOTS = 400
WIDE = "max-width:720px;margin:2px 0 10px"


def effect_html(effect: Effect) -> str:
    """The sentence, and the difference of each pair as a dot with the interval below."""
    return str(block(_effect(effect), _about([effect]), style=WIDE))


def effects_html(effects: Sequence[Effect]) -> str:
    """Each effect, one below the other; what holds for all of them once, at the end."""
    return str(block(*map(_effect, effects), _about(effects), style=WIDE))


def spread_html(spread: Spread) -> str:
    """The sentence, and the shares as parts of one bar."""
    parts = [(spread.word(name), share) for name, share in spread.shares.items()]
    return str(block(tag("div", str(spread), style="margin:0 0 6px"), bar(parts), style=WIDE))


def _effect(effect: Effect) -> Html:
    first, *rest = sentences.parts(effect)
    values = effect.differences["difference"].tolist()[:MOST_DOTS]
    name = f"{sentences.name_of(effect.measure)}{f', {effect.unit}' if effect.unit else ''}"
    picture = dots(values, (effect.low, effect.mean, effect.high), f"Difference of {name}") if values else None
    levels = effect.levels
    each = [line(" ".join(sentences.parts(step))) for step in levels or ()]
    steps = tag("div", *each, style=f"{SMALL};margin:4px 0 0") if each else None
    said = [tag("div", first, style="font-weight:600"), line(" ".join(rest)), picture, _method(effect), steps]
    return tag("div", *said, style="margin:0 0 16px;break-inside:avoid")


def _about(effects: Iterable[Effect]) -> Html:
    """What the measures say, in words, and whether the emulator made it all."""
    asked = list(effects)
    measures = (MEASURES.get(name) for name in dict.fromkeys(effect.measure for effect in asked))
    said = [
        line(f"{sentences.name_of(one.name).capitalize()}: {one.means}", f" In {one.unit}." if one.unit else "")
        for one in measures
        if one is not None
    ]
    made = sentences.EMULATED if any(effect.emulated for effect in asked) else ""
    return tag("div", *said, line(made), style=f"{SMALL};{MUTED}")


def _method(effect: Effect) -> Html | None:
    ranks = effect.rank_interval
    second = None
    if ranks is not None:
        second = f"Hodges-Lehmann {ranks.mean:+.3g} ({ranks.low:+.3g} to {ranks.high:+.3g})"
    tests = "Welch, and takes dealt out anew" if effect.by_takes else "Student's t of the differences, signs flipped"
    enough = effect.units >= sentences.FEWEST_FOR_INTERVAL
    words = [tests if enough else None, second, sentences.p_words(effect.p) if enough else None]
    return dotted(*words, style=f"{SMALL};{MUTED};margin:2px 0 0") if join(words) else None


shown.register(Effect, effect_html)
shown.register(Effects, effects_html)
shown.register(Spread, spread_html)
