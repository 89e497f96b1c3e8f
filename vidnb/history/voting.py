"""A ballot over the clips of a history: it draws pairs, keeps the answers in the folder, and counts them."""

from __future__ import annotations

import getpass
import os
import random
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vidnb.arguments import in_short
from vidnb.clip import Clip
from vidnb.display.grid.words import differing, facts, key, label_of, titles_of, words
from vidnb.errors import ConfigError
from vidnb.history import ballot
from vidnb.records import marks_of
from vidnb.store import Store
from vidnb.store.votes import Vote

if TYPE_CHECKING:
    import pandas as pd

QUESTION = "Which one is better?"
MOST_CLIPS = 200
QUESTION_LENGTH, NAME_LENGTH = 200, 60
NOT_ITEMS = ("prompt", "seed", "take")


@dataclass(frozen=True)
class Pair:
    """Two clips to choose from."""

    number: int
    """Counts the pairs of this ballot, so that an answer to an older one is known as such."""
    first: Clip
    second: Clip


class Ballot:
    """The votes on one question about some clips, to which one person adds.

    Args:
        store: keeps the votes.
        clips: what is voted on; only pairs of one prompt are shown.
        question: what is asked; votes of another question do not count.
        by: what is judged: "model", a param, or "take"; default what tells the clips apart.
        voter: who votes; default the name of this user.

    Raises:
        ConfigError: no two clips make a pair, or emulated and real ones are mixed.
    """

    def __init__(
        self, store: Store, clips: Sequence[Clip], question: str = QUESTION, by: str | None = None,
        voter: str | None = None,
    ) -> None:  # fmt: skip
        emulated = {clip.emulated for clip in clips}
        if len(emulated) > 1:
            raise ConfigError(
                "some of these clips are emulated and some are real; people would vote on the emulator. "
                "Choose with h.where(emulated=False) or h.where(emulated=True)"
            )
        self.question = _text("question", question, QUESTION)[:QUESTION_LENGTH]
        self.voter = _text("voter", voter, _user())[:NAME_LENGTH]
        self.marks = marks_of(clip.job for clip in clips)
        self._store = store
        self._clips = {clip.job.id: clip for clip in clips[:MOST_CLIPS]}
        told = {job: facts(clip.job) for job, clip in self._clips.items()}
        self.by = _checked_by(by, [*told.values()])
        titles = titles_of(one["model"] for one in told.values())
        candidates = [
            ballot.Candidate(
                job, str(words(self.by, one.get(self.by), titles)), " ".join(str(one.get("prompt", "")).split()),
                key({name: value for name, value in one.items() if name not in (self.by, "take")}),
            )
            for job, one in told.items()
        ]  # fmt: skip
        self._pairs = ballot.pairs(candidates)
        self._item = {each.id: each.item for pair in self._pairs for each in pair}
        self._prompts = {each.prompt for pair in self._pairs for each in pair}
        self._chance = random.Random()
        self._lock = threading.RLock()
        self._skipped: list[frozenset[str]] = []
        self._given: list[tuple[int, Pair]] = []
        self._number = 0
        self.pair: Pair | None = None
        self.draw()

    @property
    def items(self) -> list[str]:
        """What is judged, in words."""
        return sorted(set(self._item.values()))

    @property
    def by_words(self) -> str:
        """What the items are: "Model", "Strength"."""
        return (label_of(self.by) or self.by.replace("_", " ").removesuffix(" s")).capitalize()

    @property
    def prompt(self) -> str:
        """The prompt that all pairs share, or ""."""
        return next(iter(self._prompts)) if len(self._prompts) == 1 else ""

    def draw(self) -> Pair | None:
        """Choose the next pair, keep it as `pair`, and return it; None where every pair was skipped."""
        with self._lock:
            shown = [(vote.first, vote.second) for vote in self._votes()]
            found = ballot.next_pair(self._pairs, shown, self._chance, self._skipped)
            self._number += 1
            first, second = found or (None, None)
            self.pair = (
                None if first is None or second is None
                else Pair(self._number, self._clips[first.id], self._clips[second.id])
            )  # fmt: skip
            return self.pair

    def answer(self, number: int, answer: str) -> bool:
        """Keep an answer to the pair with this number; return False if that pair is no longer shown.

        Raises:
            ConfigError: there is no such answer.
        """
        if answer not in ("0", "1", "2"):
            raise ConfigError(f"answer {answer!r}: allowed: 1, 2, or 0 for no difference")
        with self._lock:
            pair = self.pair
            if pair is None or pair.number != number:
                return False
            kept = self._store.add_vote(self.voter, self.question, pair.first.job.id, pair.second.job.id, answer)
            self._given.append((kept, pair))
            self.draw()
            return True

    def undo(self) -> bool:
        """Take back the last vote of this ballot and show its pair again; return whether there was one."""
        with self._lock:
            if not self._given:
                return False
            kept, pair = self._given.pop()
            self._store.drop_vote(kept)
            self._number += 1
            self.pair = Pair(self._number, pair.first, pair.second)
            return True

    def skip(self) -> None:
        """Show another pair; this one comes no more."""
        with self._lock:
            if self.pair is not None:
                self._skipped.append(frozenset((self.pair.first.job.id, self.pair.second.job.id)))
            self.draw()

    def result(self) -> ballot.Result:
        """What all votes say, everybody's.

        Raises:
            ConfigError: evalica is missing (`vidnb[stats]`).
        """
        item = self._item
        said = [ballot.Decision(item[vote.first], item[vote.second], vote.answer) for vote in self._votes()]
        return ballot.count([vote for vote in said if vote.first != vote.second], self.items)

    @property
    def counted(self) -> tuple[int, int]:
        """How many votes there are, and by how many people."""
        votes = self._votes()
        return len(votes), len({vote.voter for vote in votes})

    def _votes(self) -> list[Vote]:
        votes = self._store.votes(self._item)
        return [vote for vote in votes if vote.question == self.question]


def votes_frame(store: Store, jobs: Sequence[str]) -> pd.DataFrame:
    """All votes between clips of these jobs, one row each, oldest first.

    Returns:
        `at`, `voter`, `question`, `first` and `second` (ids of the jobs, as they were shown), `answer` (`1`, `2`, `0`),
        and `taken`, the id of the job whose clip was taken, empty for no difference.
    """
    import pandas as pd

    votes = store.votes(jobs)
    taken = {"1": lambda vote: vote.first, "2": lambda vote: vote.second}
    columns = {
        name: pd.array([getattr(vote, name) for vote in votes], dtype="string")
        for name in ("voter", "question", "first", "second", "answer")
    }
    won = [taken[vote.answer](vote) if vote.answer in taken else None for vote in votes]
    at = pd.array([vote.at for vote in votes], dtype="datetime64[us, UTC]")
    return pd.DataFrame({"at": at, **columns, "taken": pd.array(won, dtype="string")})


def _checked_by(by: str | None, told: list[dict[str, object]]) -> str:
    differs = differing(told)
    if by is not None:
        if not isinstance(by, str) or by not in differs:
            among = f"they differ in {', '.join(differs)}" if differs else "they differ in nothing"
            raise ConfigError(f"by={in_short(by)}: these clips do not differ in that; {among}")
        return by
    usual = [name for name in differs if name not in NOT_ITEMS]
    return next(iter([*(name for name in usual if name == "model"), *usual, "seed"]))


def _text(name: str, given: Any, usual: str) -> str:
    """A text in one line; the usual one where none was given."""
    if given is not None and not isinstance(given, str):
        raise ConfigError(f"{name}={in_short(given)}: give a text")
    return " ".join((given or "").split()) or usual


def _user() -> str:
    """The name of whoever sits here, as far as it is known."""
    try:
        return os.environ.get("JUPYTERHUB_USER") or getpass.getuser()
    except (OSError, KeyError, ImportError):  # no name in this container
        return "someone"
