"""A blind vote is fair in what it shows, keeps every answer, and says no more than the votes do."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from databases import database, postgres_server
from hypothesis import given, settings
from hypothesis import strategies as st
from rows import add_done

from vidnb.errors import ConfigError
from vidnb.files import Files
from vidnb.history import ballot, need
from vidnb.history.ballot import Candidate, Decision
from vidnb.history.history import History
from vidnb.store import Store

__all__ = ["database", "postgres_server"]  # fixtures

MODELS = ("leonardo/motion_2.0", "leonardo/MOTION2FAST", "leonardo/VEO3")


def fill(store: Store, *, seeds: int = 4, prompts: tuple[str, ...] = ("a fox",), emulated: bool = True) -> None:
    for place, (prompt, model, seed) in enumerate((p, m, s) for p in prompts for m in MODELS for s in range(seeds)):
        add_done(store, {"prompt": prompt, "seed": seed}, model=model, minute=place, emulated=emulated)


@pytest.fixture
def history(tmp_path: Path) -> History:
    store = Store(tmp_path / "data")
    fill(store)
    return History(store, Files(tmp_path / "data" / "files"))


def candidates(items: int, seeds: int) -> list[Candidate]:
    return [Candidate(f"{item}-{seed}", f"m{item}", "p", str(seed)) for item in range(items) for seed in range(seeds)]


def simulated(strengths: dict[str, float], votes: int, seed: int = 0, ties: float = 0.2) -> list[Decision]:
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(votes):
        first, second = rng.choice(list(strengths), 2, replace=False)
        wins = rng.random() < 1 / (1 + np.exp(strengths[second] - strengths[first]))
        answer = "0" if rng.random() < ties else "1" if wins else "2"
        found.append(Decision(str(first), str(second), answer))
    return found


# -- which pair --------------------------------------------------------------------------------------------------------


@settings(max_examples=40)
@given(st.integers(2, 5), st.integers(1, 4), st.integers(0, 60), st.integers(0, 1000))
def test_items_meet_equally_often_and_on_both_sides(items: int, seeds: int, votes: int, lot: int) -> None:
    possible = ballot.pairs(candidates(items, seeds))
    assert all(a.item != b.item and a.rest == b.rest for a, b in possible)
    chance, shown = random.Random(lot), []
    for _ in range(votes):
        pair = ballot.next_pair(possible, shown, chance)
        assert pair is not None
        shown.append((pair[0].id, pair[1].id))
    item = {each.id: each.item for pair in possible for each in pair}
    meetings = Counter(frozenset((item[a], item[b])) for a, b in shown)
    all_pairs = items * (items - 1) // 2
    counts = [*meetings.values(), *[0] * (all_pairs - len(meetings))]
    assert max(counts, default=0) - min(counts, default=0) <= 1
    sides = Counter(item[a] for a, _ in shown)
    sides.subtract(item[b] for _, b in shown)
    assert all(abs(lean) <= items for lean in sides.values())


def test_pairs_differ_in_the_item_alone_where_that_can_be() -> None:
    loose = [Candidate("1", "a", "p", "seed 1"), Candidate("2", "b", "p", "seed 2"), Candidate("3", "b", "p", "seed 1")]
    assert [{a.id, b.id} for a, b in ballot.pairs(loose)] == [{"1", "3"}]
    assert len(ballot.pairs(loose[:2])) == 1
    with pytest.raises(ConfigError, match="two clips or more with the same prompt"):
        ballot.pairs([Candidate("1", "a", "p"), Candidate("2", "b", "another")])


def test_a_skipped_pair_does_not_come_again() -> None:
    possible = ballot.pairs(candidates(2, 2))
    first = frozenset(each.id for each in possible[0])
    for lot in range(10):
        pair = ballot.next_pair(possible, [], random.Random(lot), [first])
        assert pair is not None
        assert frozenset((pair[0].id, pair[1].id)) != first
    every = [frozenset((a.id, b.id)) for a, b in possible]
    assert ballot.next_pair(possible, [], random.Random(1), every) is None


# -- what the votes say ------------------------------------------------------------------------------------------------


def test_the_strongest_wins_and_intervals_hold_the_truth() -> None:
    truth = {"a": 1.2, "b": 0.0, "c": -1.2}
    results = [ballot.count(simulated(truth, 200, seed), list(truth), rounds=80) for seed in range(8)]
    assert all([row.item for row in result.standings] == ["a", "b", "c"] for result in results)
    rows = [row for result in results for row in result.standings]
    assert sum(row.low <= truth[row.item] <= row.high for row in rows) >= 0.8 * len(rows)
    result = results[0]
    assert result.is_clear
    assert result.is_enough
    assert str(result).startswith("a wins.")


def test_what_cannot_be_told_apart_is_said() -> None:
    result = ballot.count(simulated({"a": 0.1, "b": 0.0, "c": -2.0}, 40, seed=3), ["a", "b", "c"])
    assert not result.is_clear
    assert "cannot be told apart by these votes" in str(result)
    few = ballot.count(simulated({"a": 2.0, "b": -2.0}, 3), ["a", "b"])
    assert "Only 3 votes: this may still turn." in str(few)
    assert few.to_go == 17
    assert not few.is_enough


def test_an_item_that_never_lost_is_not_infinitely_strong() -> None:
    result = ballot.count([Decision("a", "b", "1")] * 10, ["a", "b"])
    assert all(np.isfinite([row.strength, row.low, row.high]).all() for row in result.standings)
    assert result.standings[0].strength < 6


def test_circles_are_said() -> None:
    votes = [Decision("a", "b", "1"), Decision("b", "c", "1"), Decision("c", "a", "1")] * 4
    result = ballot.count(votes, ["a", "b", "c"])
    assert result.circle is not None
    assert "These votes go in circles" in str(result)


def test_a_habit_for_a_side_is_seen_and_chance_is_not() -> None:
    habit = ballot.count([Decision("a", "b", "1"), Decision("b", "a", "1")] * 8, ["a", "b"])
    assert "Clip 1 was taken 16 times of 16: a habit for a side" in habit.side
    assert not habit.is_clear
    fair = ballot.count([Decision("a", "b", "1"), Decision("a", "b", "2")] * 8, ["a", "b"])
    assert fair.side == "Clip 1 was taken 8 times of 16, so no habit for a side."


def test_nobody_voted() -> None:
    assert str(ballot.count([], ["a", "b"])).startswith("Nobody has voted yet.")
    assert [ballot.votes_wanted(items) for items in (2, 3, 64)] == [20, 30, 192]


# -- in a folder -------------------------------------------------------------------------------------------------------


def test_answers_are_rows_by_voter_and_can_be_taken_back(history: History) -> None:
    anna, ben = history.ballot(voter="Anna"), history.ballot(voter="Ben <b>")
    shown = []
    for mine, answer in ((anna, "1"), (ben, "2"), (anna, "0")):
        assert mine.pair is not None
        shown.append(mine.pair)
        assert mine.answer(mine.pair.number, answer)
        assert not mine.answer(shown[-1].number, answer)  # a second press
    votes = history.votes
    assert list(votes["voter"]) == ["Anna", "Ben <b>", "Anna"]
    assert list(votes["answer"]) == ["1", "2", "0"]
    assert list(votes["first"]) == [pair.first.job.id for pair in shown]
    assert votes["taken"].tolist()[:2] == [shown[0].first.job.id, shown[1].second.job.id]
    assert votes["taken"].isna().tolist() == [False, False, True]
    assert str(votes["at"].dt.tz) == "UTC"
    assert anna.undo()
    assert anna.pair is not None
    assert anna.pair.first.job.id == shown[2].first.job.id
    assert list(history.votes["answer"]) == ["1", "2"]
    assert anna.counted == (2, 2)
    with pytest.raises(ConfigError, match="allowed: 1, 2, or 0"):
        anna.answer(anna.pair.number, "3")


def test_everybodys_votes_count_together_and_other_questions_do_not(history: History) -> None:
    for name in ("Anna", "Ben", "Cleo"):
        mine = history.ballot("Which one moves more?", voter=name)
        for _ in range(10):
            assert mine.pair is not None
            best = "1" if mine.pair.first.model == MODELS[1] else "2" if mine.pair.second.model == MODELS[1] else "0"
            mine.answer(mine.pair.number, best)
    other = history.ballot("Which one is prettier?", voter="Anna")
    assert other.pair is not None
    other.answer(other.pair.number, "1")
    result = history.ballot("Which one moves more?").result()
    assert result.votes == 30
    assert result.standings[0].item == "Motion 2.0 Fast"
    assert str(result).startswith("Motion 2.0 Fast wins.")
    assert len(history.votes) == 31


def test_items_are_what_is_asked_for(history: History) -> None:
    assert history.ballot().items == ["Motion 2.0", "Motion 2.0 Fast", "Veo 3"]
    assert history.ballot(by="seed").items == ["seed 0", "seed 1", "seed 2", "seed 3"]
    with pytest.raises(ConfigError, match="do not differ in that; they differ in model, seed"):
        history.ballot(by="motion_strength")


def test_emulated_and_real_clips_are_not_voted_on_together(tmp_path: Path) -> None:
    store = Store(tmp_path / "data")
    fill(store, seeds=1)
    fill(store, seeds=1, emulated=False)
    history = History(store, Files(tmp_path / "data" / "files"))
    with pytest.raises(ConfigError, match="some of these clips are emulated"):
        history.ballot()
    assert history.where(emulated=False).ballot().marks == ()


def test_votes_are_kept_in_every_database(database: str) -> None:
    store = Store(database)
    fill(store, seeds=1)
    jobs = store.jobs()
    kept = [store.add_vote("Anna", "Which?", jobs[0].id, jobs[1].id, answer) for answer in "120"]
    assert [vote.answer for vote in store.votes()] == ["1", "2", "0"]
    assert store.drop_vote(kept[1])
    assert not store.drop_vote(kept[1])
    assert [vote.id for vote in store.votes([jobs[0].id, jobs[1].id])] == [kept[0], kept[2]]
    assert store.votes([jobs[0].id]) == []
    store.close()


def test_without_evalica_votes_are_kept_and_the_result_says_what_to_install(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = history.ballot()
    assert mine.pair is not None
    mine.answer(mine.pair.number, "1")

    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(need, "import_module", missing)
    with pytest.raises(ConfigError, match=r"Votes need evalica: pip install 'vidnb\[stats\]'"):
        mine.result()
    assert len(history.votes) == 1
