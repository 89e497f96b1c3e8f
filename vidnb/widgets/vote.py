"""A blind vote: two clips in step without their names, three answers, and what all votes say.

The page receives the clips' bytes and nothing else that could tell them apart: no model, seed, price or id. What was
answered goes to the data folder at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import traitlets

from vidnb.clip import Clip
from vidnb.display.labels import many
from vidnb.display.page import MUTED, SMALL, block, shortened, table, tag
from vidnb.errors import ConfigError, VidnbError
from vidnb.history.ballot import Result, votes_wanted
from vidnb.history.voting import Ballot
from vidnb.widgets.live import Live, in_words
from vidnb.widgets.player import served

PROMPT_SHOWN = 120
WIDE = 1.45
"""The emulator's strip has one line on frames wider than this, and two on others."""
STRIP, TALL_STRIP = 0.088, 0.148
"""How much of the shorter side the strip takes: it names the model and the seed, so it is cut off."""


class Vote(Live, part="vote"):
    """A blind vote; `h.vote()` makes one.

    Attributes:
        votes: how many votes there are, everybody's.
        result: what they say; `str()` of it are sentences.

    Example:
        >>> vote = vidnb.history(prompt="lighthouse").vote("Which one moves more naturally?")
        >>> vote
        >>> print(vote.result)
    """

    votes = traitlets.Int(0).tag(sync=True)
    _people = traitlets.Int(0).tag(sync=True)
    """How many people they are of."""
    _head = traitlets.Dict().tag(sync=True)

    def __init__(self, ballot: Ballot) -> None:
        self._ballot = ballot
        super().__init__()
        self._head = {
            "question": ballot.question,
            "prompt": shortened(ballot.prompt, PROMPT_SHOWN),
            "marks": list(ballot.marks),
            "voter": ballot.voter,
            "wanted": votes_wanted(len(ballot.items)),
        }
        self._count()

    def _in_a_line(self) -> str:
        return f"{self._ballot.question} {many(self.votes, 'vote')} so far; .result says what they tell"

    @property
    def result(self) -> Result:
        """What the votes say so far.

        Raises:
            ConfigError: evalica is missing (`vidnb[stats]`).
        """
        return self._ballot.result()

    # -- what the page says ------------------------------------------------------------------------------------------

    def heard_begin(self, _: Mapping[str, Any], __: list[bytes]) -> None:
        """A view began."""
        self._spawn(self._send_pair())

    def heard_answer(self, content: Mapping[str, Any], _: list[bytes]) -> None:
        """A person chose."""
        if self._ballot.answer(int(content["number"]), str(content["answer"])):
            self._after("Noted.")

    def heard_undo(self, _: Mapping[str, Any], __: list[bytes]) -> None:
        """The last vote was a mistake."""
        self._after("Taken back." if self._ballot.undo() else "There is no vote of yours to take back.")

    def heard_skip(self, _: Mapping[str, Any], __: list[bytes]) -> None:
        """The person cannot choose between these two clips."""
        self._ballot.skip()
        self._after("Skipped.")

    def heard_broken(self, content: Mapping[str, Any], _: list[bytes]) -> None:
        """One of the two does not play."""
        pair = self._ballot.pair
        if pair is not None and pair.number == content.get("number"):
            self._ballot.skip()
            self._after("Skipped a clip that does not play.")

    def heard_result(self, _: Mapping[str, Any], __: list[bytes]) -> None:
        """What the votes say is wanted."""
        self._spawn(self._send_result())

    def heard_bytes(self, content: Mapping[str, Any], _: list[bytes]) -> None:
        """The page cannot reach the files."""
        pair = self._ballot.pair
        if pair is not None and pair.number == content.get("number"):
            for place, clip in enumerate((pair.first, pair.second)):
                self._spawn(self._send_bytes(pair.number, place, clip))

    def _count(self) -> None:
        self.votes, self._people = self._ballot.counted

    def _after(self, said: str) -> None:
        self._count()
        self.save_output()
        self._spawn(self._send_pair(said))

    async def _send_pair(self, said: str = "") -> None:
        pair = self._ballot.pair
        if pair is None:
            self.say("pair", {"number": 0, "said": "No pair is left: all were skipped."})
            return
        facts = [await asyncio.to_thread(_facts, clip) for clip in (pair.first, pair.second)]
        self.say("pair", {"number": pair.number, "clips": facts, "said": said})
        votes, goal = self._ballot.counted[0], self._head["wanted"]
        if votes >= goal:
            result = await asyncio.to_thread(self._ballot.result)
            self.say("enough", {"enough": result.is_enough, "to_go": result.to_go})

    async def _send_bytes(self, number: int, place: int, clip: Clip) -> None:
        try:
            data = await asyncio.to_thread(clip.read)
        except (VidnbError, OSError):
            self.heard_broken({"number": number}, [])
            return

        def is_wanted() -> bool:
            return self._ballot.pair is not None and self._ballot.pair.number == number

        await self.say_in_pieces("bytes", {"id": f"{number}-{place}", "place": place}, data, is_wanted)

    async def _send_result(self) -> None:
        try:
            result = await asyncio.to_thread(self._ballot.result)
        except ConfigError as error:
            self.say("result", {"error": in_words(error)})
            return
        first, *rest = result.sentences
        count, people = self._ballot.counted
        rows = [
            {
                "item": row.item, "won": row.won, "even": row.even, "lost": row.lost,
                "strength": row.strength, "low": row.low, "high": row.high,
            }
            for row in result.standings
        ]  # fmt: skip
        counted = f"{count} {'vote' if count == 1 else 'votes'} by {people} {'person' if people == 1 else 'people'}"
        told = {"first": first, "rest": " ".join(rest), "side": result.side, "rows": rows, "counted": counted}
        self.say("result", {**told, "by": self._ballot.by_words, "circle": bool(result.circle)})

    # -- what a notebook saves ---------------------------------------------------------------------------------------

    def saved_html(self) -> str:
        """The question and how many voted; the names of the clips stay unsaid, as the vote may go on."""
        votes, people = self._ballot.counted
        head = tag("div", self._ballot.question, style="font-weight:600;font-size:14px")
        line = tag("div", shortened(self._ballot.prompt, PROMPT_SHOWN), dir="auto", style=f"{SMALL};{MUTED}")
        counts = table(["votes", "people"], [[votes, people]])
        return str(block(head, line, counts, tag("div", "Run this cell again to vote."), style="margin:2px 0 10px"))


def _facts(clip: Clip) -> dict[str, Any]:
    """What the page must know to show a clip, and nothing that tells which one it is."""
    info = clip.info
    short, strip = min(info.width_px, info.height_px), STRIP if info.width_px >= WIDE * info.height_px else TALL_STRIP
    try:
        flashes = clip.flashes
    except (VidnbError, OSError):
        flashes = True
    return {
        "path": served(clip),
        "width": info.width_px,
        "height": info.height_px,
        "seconds": info.duration_s,
        "fps": info.fps,
        "cut": strip * short / info.height_px if clip.emulated else 0.0,
        "waits": flashes,
    }
