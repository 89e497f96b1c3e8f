"""A blind vote between clips: which pair comes next, and what the votes say.

A ballot has items: what is compared, as models or motion strengths; each clip belongs to one. A pair is two clips of
one prompt that belong to two items. The votes are counted by Bradley and Terry's model with ties (evalica, which comes
with `vidnb[stats]`).
"""

from __future__ import annotations

import itertools
import math
import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vidnb.errors import ConfigError
from vidnb.history.need import needed, scipy

VOTES_AN_ITEM = 20
MANY_ITEMS, VOTES_AN_ITEM_OF_MANY = 8, 6
ROUNDS = 200
"""So many times the votes are drawn anew for the intervals."""
PRIOR = 0.5
"""Each pair of items starts with half a vote for "no difference", so that an item that never lost stays finite."""
HABIT_P = 0.05
FEWEST_DECIDED = 10
MOST_MORE = 400
"""A difference that would take more votes than this is not worth a number."""


@dataclass(frozen=True)
class Decision:
    """One vote: the items of the two clips in the order in which they were shown, and the answer `1`, `2` or `0`."""

    first: str
    second: str
    answer: str


@dataclass(frozen=True)
class Standing:
    """How one item stands.

    Attributes:
        strength: on the scale of the model, 0 for the average item; 1 more wins 73 times of 100.
        low: lower end of the 95 % interval.
        high: its upper end.
    """

    item: str
    won: int
    even: int
    lost: int
    strength: float
    low: float
    high: float


@dataclass(frozen=True)
class Result:
    """What the votes say so far; `str()` says it in sentences."""

    standings: tuple[Standing, ...]
    """The strongest first."""
    votes: int
    wanted: int
    """About how many votes are needed."""
    is_clear: bool
    """Whether the strongest is stronger than the second, beyond chance."""
    more: int | None
    """About how many more would tell the first two apart; None for very many, 0 where they are apart."""
    circle: tuple[str, str, str] | None
    """Three items in a circle: the first beats the second, the second the third, and the third the first."""
    first_taken: int
    """How often Clip 1 was taken ..."""
    decided: int
    """... of so many votes that saw a difference."""
    has_habit: bool
    """Whether one side was taken more often than chance allows."""

    @property
    def to_go(self) -> int:
        """About how many votes are still needed; 0 for enough."""
        return 0 if self.is_enough else max(self.wanted - self.votes, 1)

    @property
    def is_enough(self) -> bool:
        """Whether more votes would hardly change the order."""
        return self.votes >= self.wanted and (self.is_clear or self.more is None or self.votes >= 2 * self.wanted)

    def __str__(self) -> str:
        return " ".join([*self.sentences, self.side])

    @property
    def sentences(self) -> tuple[str, ...]:
        """Who wins, and who cannot be told apart; the most important first."""
        if not self.votes:
            return ("Nobody has voted yet.",)
        first, second = self.standings[:2]
        if self.circle:
            a, b, c = self.circle
            said = [f"These votes go in circles ({a} over {b}, {b} over {c}, {c} over {a}): there is no one order."]
        elif self.is_clear:
            said = [f"{first.item} wins."]
        else:
            more = f"; about {self.more} more votes should tell" if self.more else ""
            said = [f"{first.item} and {second.item} cannot be told apart by these votes{more}."]
        if self.votes < self.wanted:
            said.append(f"Only {self.votes} {'vote' if self.votes == 1 else 'votes'}: this may still turn.")
        return tuple(said)

    @property
    def side(self) -> str:
        """Whether there was a habit for a side."""
        taken = f"Clip 1 was taken {self.first_taken} times of {self.decided}"
        if not self.decided:
            return "Nobody took a clip yet."
        if self.has_habit:
            return f"{taken}: a habit for a side; sides were drawn by lot, so the strengths allow for it."
        return f"{taken}, so no habit for a side."


def votes_wanted(items: int) -> int:
    """About how many votes a ballot of so many items needs: 20 an item, fewer an item where there are many."""
    each = VOTES_AN_ITEM if items <= MANY_ITEMS else VOTES_AN_ITEM_OF_MANY
    return max(items * each // 2, MANY_ITEMS * VOTES_AN_ITEM // 2 if items > MANY_ITEMS else 0)


def count(votes: Sequence[Decision], items: Sequence[str], *, rounds: int = ROUNDS) -> Result:
    """What the votes say of these items.

    Raises:
        ConfigError: evalica is not installed.
    """
    import numpy as np

    known = [vote for vote in votes if vote.first in items and vote.second in items]
    outcomes = _outcomes(known, items)
    strengths = _strengths(outcomes, items)
    # Votes drawn anew, with replacement, are counts drawn anew of the outcomes.
    shares = np.array([*outcomes.values()]) / max(len(known), 1)
    draws: Any = np.random.default_rng(0).multinomial(len(known), shares, rounds) if known else []
    drawn = [_strengths(dict(zip(outcomes, map(float, counts), strict=True)), items) for counts in draws]
    samples = np.array(drawn) if drawn else np.zeros((1, len(items)))
    low, high = np.percentile(samples, [2.5, 97.5], axis=0)
    won = Counter(_winner(vote) for vote in known if vote.answer != "0")
    lost = Counter(_loser(vote) for vote in known if vote.answer != "0")
    even = Counter(item for vote in known if vote.answer == "0" for item in (vote.first, vote.second))
    standings = [
        Standing(item, won[item], even[item], lost[item], *map(float, (strengths[at], low[at], high[at])))
        for at, item in enumerate(items)
    ]
    order = sorted(range(len(items)), key=lambda at: -strengths[at])
    is_clear, more = _apart(samples[:, order[0]] - samples[:, order[1]], len(known)) if known else (False, None)
    decided = [vote for vote in known if vote.answer != "0"]
    first_taken = sum(vote.answer == "1" for vote in decided)
    has_habit = len(decided) >= FEWEST_DECIDED and bool(
        scipy("stats").binomtest(first_taken, len(decided)).pvalue < HABIT_P
    )
    return Result(
        tuple(standings[at] for at in order), len(known), votes_wanted(len(items)), is_clear, more,
        _circle(known, items), first_taken, len(decided), has_habit,
    )  # fmt: skip


def _outcomes(votes: Iterable[Decision], items: Sequence[str]) -> dict[tuple[str, str, str], float]:
    """How often each outcome of two items came, whichever was shown first: (one, other, `1`, `2` or `0`) -> votes."""
    turned = {"1": "2", "2": "1", "0": "0"}
    found = dict.fromkeys(((a, b, "0") for a, b in itertools.combinations(items, 2)), 0.0)
    for vote in votes:
        here, there = (vote.first, vote.second, vote.answer), (vote.second, vote.first, turned[vote.answer])
        key = here if items.index(vote.first) < items.index(vote.second) else there
        found[key] = found.get(key, 0.0) + 1
    return found


def _strengths(outcomes: Mapping[tuple[str, str, str], float], items: Sequence[str]) -> Any:
    """The strength of each item, 0 on average."""
    import numpy as np

    evalica = needed("evalica", "Votes need evalica", "stats")
    answers = {"1": evalica.Winner.X, "2": evalica.Winner.Y, "0": evalica.Winner.Draw}
    found = evalica.newman(
        [one for one, _, _ in outcomes],
        [other for _, other, _ in outcomes],
        [answers[answer] for _, _, answer in outcomes],
        weights=[votes + (PRIOR if answer == "0" else 0.0) for (_, _, answer), votes in outcomes.items()],
        limit=1_000,
    )
    logs = np.log(np.maximum(found.scores.reindex(list(items)).to_numpy(dtype=float), 1e-6))
    return logs - logs.mean()


def _apart(differences: Any, votes: int) -> tuple[bool, int | None]:
    """Whether the first two are apart, and about how many more votes would tell: intervals shrink with the root."""
    import numpy as np

    low, high = np.percentile(differences, [2.5, 97.5])
    if low > 0:
        return True, 0
    middle = float(np.mean(differences))
    if middle <= 0:
        return False, None
    needed_votes = votes * ((high - low) / 2 / middle) ** 2
    more = math.ceil((needed_votes - votes) / 10) * 10
    return False, more if 0 < more <= MOST_MORE else None


def _winner(vote: Decision) -> str:
    return vote.first if vote.answer == "1" else vote.second


def _loser(vote: Decision) -> str:
    return vote.second if vote.answer == "1" else vote.first


def _circle(votes: Iterable[Decision], items: Sequence[str]) -> tuple[str, str, str] | None:
    """Three items that beat each other in a circle, each at least twice more often than it lost to the next."""
    lead: Counter[tuple[str, str]] = Counter()
    for vote in votes:
        if vote.answer != "0":
            lead[_winner(vote), _loser(vote)] += 1
            lead[_loser(vote), _winner(vote)] -= 1
    for a, b, c in itertools.permutations(items, 3):
        if min(lead[a, b], lead[b, c], lead[c, a]) >= 2:
            return a, b, c
    return None


@dataclass(frozen=True)
class Candidate:
    """A clip that may be shown: its place among the clips, its item, and what must be equal in a pair."""

    id: str
    item: str
    prompt: str
    rest: str = ""
    """All else of the recipe: pairs that share it come first, as they differ in the item alone."""


def pairs(candidates: Sequence[Candidate]) -> list[tuple[Candidate, Candidate]]:
    """All pairs of clips with one prompt and different items; if some pairs are equal in all else, only those.

    Raises:
        ConfigError: there are none.
    """
    found: dict[tuple[str, str, str], list[tuple[Candidate, Candidate]]] = {}
    for one, other in itertools.combinations(candidates, 2):
        if one.prompt == other.prompt and one.item != other.item:
            a, b = sorted((one, other), key=lambda each: each.item)
            found.setdefault((one.prompt, a.item, b.item), []).append((a, b))
    if not found:
        raise ConfigError("A vote needs two clips or more with the same prompt, of two models (or by='...')")
    alike = [[(a, b) for a, b in some if a.rest == b.rest] or some for some in found.values()]
    return [pair for some in alike for pair in some]


def next_pair(
    possible: Sequence[tuple[Candidate, Candidate]],
    shown: Sequence[tuple[str, str]],
    chance: random.Random,
    skip: Iterable[frozenset[str]] = (),
) -> tuple[Candidate, Candidate] | None:
    """The pair to show, Clip 1 first; None where all were skipped.

    It is of the two items that were compared least, then of the clips that were shown least; each item comes as Clip 1
    as often as it comes as Clip 2, and lots decide where nothing else does.

    Args:
        possible: as `pairs` gives them.
        shown: ids of the clips of all votes so far, in the order in which they were shown.
        chance: draws the lots.
        skip: pairs of ids that are not to come.
    """
    left_out = set(skip)
    open_pairs = [pair for pair in possible if frozenset((pair[0].id, pair[1].id)) not in left_out]
    if not open_pairs:
        return None
    item_of: Mapping[str, str] = {each.id: each.item for pair in possible for each in pair}
    voted = [(a, b) for a, b in shown if a in item_of and b in item_of]
    by_items = Counter(frozenset((item_of[a], item_of[b])) for a, b in voted)
    by_clips = Counter(frozenset(pair) for pair in voted)
    first = Counter(item_of[a] for a, _ in voted)
    second = Counter(item_of[b] for _, b in voted)

    def rank(pair: tuple[Candidate, Candidate]) -> tuple[float, ...]:
        a, b = pair
        return by_items[frozenset((a.item, b.item))], by_clips[frozenset((a.id, b.id))], chance.random()

    one, other = min(open_pairs, key=rank)
    lean = (first[one.item] - second[one.item]) - (first[other.item] - second[other.item])
    if lean > 0 or (lean == 0 and chance.random() < 0.5):
        one, other = other, one
    return one, other
