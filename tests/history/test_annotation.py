"""What a person says of a clip is kept beside it, changes nothing else, and is text wherever it shows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fakes import QUICK, picture
from hypothesis import given
from hypothesis import strategies as st

from vidnb import catalog, params
from vidnb.client.asynchronous import AsyncClient
from vidnb.client.verbs import Client
from vidnb.clip import Clip
from vidnb.emulator import Emulator
from vidnb.errors import ConfigError, JobFailedError, ParamsError, StoreError
from vidnb.files import Files
from vidnb.history import annotation
from vidnb.history.filters import terms
from vidnb.media import video
from vidnb.records import KEEP, ClipInfo, Job, MediaFile, RemoteMedia, State
from vidnb.store import Store, utcnow

HOSTILE = "<script>alert(1)</script>\0\ud800 =HYPERLINK('x') \x1b[2J"
SAFE = HOSTILE.replace("\0", "?").replace("\ud800", "?")


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    home = tmp_path_factory.mktemp("data")
    with Client(home, emulator=Emulator(home / "emulator", latency_s=0.05)) as client:
        yield client


@pytest.fixture(scope="module")
def made(client: Client) -> Clip:
    return client.generate("a koala", **QUICK)


@pytest.fixture
def clip(client: Client, made: Clip) -> Clip:
    """A clip of which nobody has said anything."""
    client.annotate(made, rating=None, tags=(), note="")
    return client.clip(made)


def test_what_is_given_is_set_and_what_is_not_given_stays(client: Client, clip: Clip) -> None:
    assert (clip.rating, clip.tags, clip.note) == (None, (), "")
    told = client.annotate(clip, rating=5, tags=["keeper", "koala"], note="the light!")
    assert (told.rating, told.tags, told.note) == (5, ("keeper", "koala"), "the light!")
    assert client.annotate(clip.job.id[:10], rating=None).tags == ("keeper", "koala")
    again = client.clip(client.annotate(told, note=""))
    assert (again.rating, again.tags, again.note) == (None, ("keeper", "koala"), "")
    assert client.annotate(clip, tags=None).tags == ()


def test_the_job_stays_what_it_is(client: Client, clip: Clip) -> None:
    before = client.job(clip)
    events = client.asynchronous.store.events(before.id)
    after = client.annotate(clip, rating=1, tags="x", note="y")
    said = {"rating", "tags", "note"}
    assert {k: v for k, v in vars(after).items() if k not in said} == {
        k: v for k, v in vars(before).items() if k not in said
    }
    assert client.asynchronous.store.events(before.id) == events
    assert client.generate("a koala", **QUICK).job == after


def test_a_job_on_its_way_keeps_what_was_said_of_it(tmp_path: Path) -> None:
    with Client(tmp_path, emulator=Emulator(tmp_path / "emulator", latency_s=0.5)) as client:
        job = client.submit("a koala", **QUICK)
        client.annotate(job, rating=3, note="meanwhile")
        done = client.wait(job)
    assert (done.job.state, done.rating, done.note) == (State.DONE, 3, "meanwhile")


@pytest.mark.anyio
async def test_who_watches_a_job_sees_what_is_said_of_it(tmp_path: Path) -> None:
    async with AsyncClient(tmp_path, emulator=Emulator(tmp_path / "emulator", latency_s=0.3)) as client:
        job = await client.submit("a koala", **QUICK)
        ratings: list[int | None] = []
        async for row in client.watch(job):
            if not ratings:
                await client.annotate(job, rating=2)
            ratings.append(row.rating)
    assert ratings[0] is None
    assert ratings[-1] == 2


def test_a_comma_parts_tags_and_each_counts_once(client: Client, clip: Clip) -> None:
    tags = client.annotate(clip, tags=["  a  b ", "c, d,", "c", ""]).tags
    assert tags == client.annotate(clip, tags="a b, c, d").tags == ("a b", "c", "d")


@pytest.mark.parametrize(
    ("said", "named"),
    [
        ({"rating": 0}, "rating"),
        ({"rating": 6}, "rating"),
        ({"rating": True}, "rating"),
        ({"rating": 4.5}, "rating"),
        ({"rating": "5"}, "rating"),
        ({"rating": 10**400}, "rating"),
        ({"rating": float("nan")}, "rating"),
        ({"tags": ["x" * 61]}, "tags"),
        ({"tags": [f"t{i}" for i in range(51)]}, "tags"),
        ({"tags": [1]}, "tags"),
        ({"tags": 7}, "tags"),
        ({"tags": b"bytes"}, "tags"),
        ({"tags": "x" * 10_000_000}, "tags"),
        ({"note": "x" * 10_001}, "note"),
        ({"note": "\0" * 10_000_000}, "note"),
        ({"note": b"x"}, "note"),
    ],
)
def test_what_is_out_of_bounds_is_refused_and_nothing_changes(
    client: Client, clip: Clip, said: dict[str, Any], named: str
) -> None:
    values: dict[str, Any] = {"rating": 2, "tags": "y", "note": "z"} | said
    with pytest.raises(ParamsError) as caught:
        client.annotate(clip, **values)
    assert {problem.field for problem in caught.value.problems} == {named}
    assert len(str(caught.value)) < 500
    assert client.job(clip) == clip.job


def test_the_bounds_themselves_are_fine(client: Client, clip: Clip) -> None:
    told = client.annotate(
        clip, rating=np.int64(5), tags=[f"{i:060}" for i in range(50)], note="ü" * 10_000  # type: ignore[arg-type]
    )  # fmt: skip
    assert (told.rating, len(told.tags), len(told.note)) == (5, 50, 10_000)


def test_hostile_text_is_stored_shown_and_exported_as_text(client: Client, clip: Clip) -> None:
    told = client.annotate(clip, tags=[HOSTILE], note=HOSTILE)
    assert (told.tags, told.note) == ((" ".join(SAFE.split()),), SAFE)
    assert "<script>alert" not in client.history()._repr_html_()
    row = client.history().df.set_index("job_id").loc[clip.job.id]
    assert (row["tags"], row["note"]) == (" ".join(SAFE.split()), SAFE)
    assert client.job(clip) == told
    assert [job.id for job in client.jobs(tag=told.tags[0])] == [clip.job.id]


@given(st.text(st.characters(exclude_categories=()), max_size=80))
def test_any_text_becomes_text_that_every_database_and_page_takes(text: str) -> None:
    note = annotation.checked("m", KEEP, KEEP, text)["note"]
    assert len(note) == len(text)
    assert "\0" not in note
    note.encode()


def test_an_unknown_job_is_an_error(client: Client) -> None:
    with pytest.raises(StoreError, match="no job"):
        client.annotate("ffff", rating=1)


# history


@pytest.fixture
def tagged(tmp_path: Path) -> Client:
    """A data folder with jobs of these tags and ratings."""
    client = Client(tmp_path / "tagged")
    store = client.asynchronous.store
    for index, (tags, rating) in enumerate(TAGGED):
        job = Job(
            id=f"{index:032x}", provider="leonardo", model="leonardo/motion_2.0", recipe_hash=f"{index:064x}", take=0,
            state=State.INTENDED, params={}, images={}, emulated=True, base_url="http://x", created_at=utcnow(),
            tags=tags, rating=rating,
        )  # fmt: skip
        store.intend(job)
    return client


TAGGED: list[tuple[tuple[str, ...], int | None]] = [
    (("cat",), 5),
    (("Cat", "dog"), 3),
    (('a"cat', "catfish"), None),
    (("[", "]", '"', "\\"), 1),
    (("ö_%", "über cat"), 4),
    ((), None),
]


def test_a_tag_is_found_as_a_whole_and_nothing_else_is(tagged: Client) -> None:
    with tagged:
        for tag in {*(tag for tags, _ in TAGGED for tag in tags), "%", "_", ",", '","', ""}:
            expected = [tags for tags, _ in TAGGED if tag in tags]
            found = [job.tags for job in reversed(tagged.jobs(tag=tag))]
            assert found == expected, tag
        for misspelt in ("ca", "fish", "ö__"):
            with pytest.raises(ConfigError, match="did you mean"):
                tagged.jobs(tag=misspelt)
        assert len(tagged.jobs(tag=["cat", "dog"])) == 2
        assert tagged.jobs(tag=[]) == []


def among(store: Store, **filters: Any) -> list[Job]:
    """The jobs that pass, newest first."""
    return store.jobs(*terms(store, filters))


@given(st.lists(st.text(max_size=6), max_size=3), st.text(max_size=6))
def test_any_tag_is_found_where_it_is(shared: Store, tags: list[str], wanted: str) -> None:
    kept = annotation.checked("m", KEEP, tags, KEEP)["tags"]
    shared.update("0", tags=kept)
    for tag in {*kept, *annotation.checked("m", KEEP, wanted, KEEP)["tags"]}:
        assert bool(among(shared, tag=tag)) is (tag in kept), (tag, kept)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Store:
    store = Store(tmp_path_factory.mktemp("shared"))
    job = Job(
        id="0", provider="p", model="p/m", recipe_hash="0", take=0, state=State.INTENDED, params={}, images={},
        emulated=True, base_url="http://x", created_at=utcnow(),
    )  # fmt: skip
    store.intend(job)
    return store


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("cat", 4), ("CAT", 4), ("fish", 0), ("dog", 1), ("über", 1), ("ÜBER", 1), ("ö_", 1), ("[", 1), ("]", 1),
        (",", 0), ('","', 0), ("\\", 1), ("u00fc", 0), ("00", 0), ("%", 0), ("_", 0),
    ],
)  # fmt: skip
def test_words_find_the_beginnings_of_tags_and_never_what_stands_between_them(
    tagged: Client, words: str, expected: int
) -> None:
    with tagged:
        assert len(tagged.jobs(words=words)) == expected


LETTERS = st.text(st.sampled_from('aAüÜ %_/\\"[],u0'), min_size=1, max_size=5)


@given(LETTERS, LETTERS, LETTERS)
def test_words_are_found_in_notes_and_tags_where_they_are_and_nowhere_else(
    shared: Store, tag: str, note: str, words: str
) -> None:
    kept = annotation.checked("m", KEEP, [tag], note)
    shared.update("0", **kept)
    is_found = bool(among(shared, words=words))
    here = words in kept["note"] or any(one.startswith(words) for one in kept["tags"])
    texts = [text.casefold() for text in (kept["note"], *kept["tags"])]
    anywhere = all(any(word.casefold() in text for text in texts) for word in words.split())
    assert here <= is_found <= anywhere, (kept, words)


def test_a_rating_filter_is_a_lower_bound(tagged: Client) -> None:
    with tagged:
        assert [len(tagged.jobs(rating=rating)) for rating in (1, 3, 4, 5)] == [4, 3, 2, 1]
        assert len(tagged.history(rating=3, tag="dog").df) == 1


def test_the_data_frame_has_what_a_person_said(tagged: Client) -> None:
    with tagged:
        frame = tagged.history().df.iloc[::-1]
    assert list(frame["tags"]) == [", ".join(tags) for tags, _ in TAGGED]
    assert list(frame["rating"].fillna(0)) == [rating or 0 for _, rating in TAGGED]
    assert set(frame["note"]) == {""}
    assert [str(frame.dtypes[name]) for name in ("rating", "tags", "note")] == ["Int64", "string", "string"]


# a clip's recipe, to be taken up again

INFO = ClipInfo("ab" * 32, 1, 848, 480, 24.0, 5.0, 120, "h264", False)


def done(recipe: params.Recipe, files: Files) -> Clip:
    """A clip made of this recipe."""
    job = Job(
        id="1" * 32, provider="p", model=recipe.model, recipe_hash=recipe.recipe_hash, take=3, state=State.DONE,
        params=json.loads(json.dumps(dict(recipe.params))), images=json.loads(json.dumps(dict(recipe.images))),
        emulated=True, base_url="http://x", created_at=utcnow(), clip=INFO,
    )  # fmt: skip
    return Clip(job, files)


@pytest.mark.parametrize("model", sorted(catalog.load()))
def test_a_request_gives_the_same_recipe_for_every_model(model: str, tmp_path: Path) -> None:
    files, entry = Files(tmp_path), catalog.find(model)
    kinds = {name: param.kind for name, param in entry.params.items() if param.kind in ("image", "images")}
    for name, kind in kinds.items():
        count = 1 if kind == "image" else 2
        pictures = [picture(640, 480, colour=colour) for colour in ("teal", "navy")[:count]]
        values = {"prompt": "a koala", "seed": 7, name: pictures}
        request, problems = params.draft(entry, values, unsupported="drop")
        if {problem.field for problem in problems} & {name}:
            continue  # the model takes fewer
        for items in request.media.values():
            for item in items:
                assert isinstance(item, MediaFile)
                files.put(item.content, f".{item.extension}")
        clip = done(request.recipe, files)
        again, still = params.draft(entry, clip.request)
        assert again.recipe == request.recipe
        assert [problem.field for problem in still if problem.field not in {p.field for p in problems}] == []
        assert isinstance(clip.request[name], Path) is (kind == "image")
        assert "take" not in clip.request


def test_an_input_at_the_provider_stays_there_and_a_lost_one_is_named(tmp_path: Path) -> None:
    remote = RemoteMedia("leonardo", "5f2d", "GENERATED")
    entry = catalog.find("leonardo/motion_2.0")
    recipe = params.validate(entry, {"prompt": "x", "start_image": remote}).recipe
    assert done(recipe, Files(tmp_path)).request["start_image"] == remote
    local = params.validate(entry, {"prompt": "x", "start_image": picture()}).recipe
    with pytest.raises(StoreError, match="file of start_image of job 11111111 is no longer"):
        _ = done(local, Files(tmp_path)).request


def test_a_request_of_a_model_that_left_the_catalogue_is_there_all_the_same(tmp_path: Path) -> None:
    recipe = params.Recipe("x/gone", {"prompt": "x"}, {"start_image": [{"provider": "x", "id": "a", "kind": "k"}]})
    assert done(recipe, Files(tmp_path)).request == {"prompt": "x", "start_image": [RemoteMedia("x", "a", "k")]}


def test_generating_from_a_request_finds_the_clip(client: Client, clip: Clip) -> None:
    again = client.generate(model=clip.model, **clip.request)
    assert again.job.id == clip.job.id
    second = client.generate("it runs", **QUICK, start_image=clip.last_frame)
    assert client.quote(model=second.model, **second.request).why == "made before"


def test_a_failed_job_with_an_input_is_sent_again_from_its_request(tmp_path: Path) -> None:
    with Client(tmp_path, emulator=Emulator(tmp_path / "emulator", latency_s=0.05, faults=["failed:1"])) as client:
        with pytest.raises(JobFailedError) as caught:
            client.generate("a koala", **QUICK, start_image=picture())
        failed = caught.value.job
        clip = client.generate(model=failed.model, **client.request(failed.id))
        assert (clip.job.recipe_hash, clip.job.take) == (failed.recipe_hash, failed.take)


# flashes


def test_a_clip_is_looked_through_for_flashes_once(client: Client, clip: Clip, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[Path] = []

    def look(path: Path) -> bool:
        looks.append(path)
        return True

    monkeypatch.setattr(video, "flashes", look)
    assert clip.flashes is True
    assert client.clip(clip).flashes is True
    assert looks == [clip.path]
