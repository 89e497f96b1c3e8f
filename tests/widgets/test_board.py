"""The board of a sweep: what the page is told, what a hand does, and what a notebook saves."""

from __future__ import annotations

import asyncio
import re
import struct
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from fakes import QUICK, emulated
from waiting import until

import vidnb
from vidnb.client.asynchronous import AsyncClient
from vidnb.client.verbs import Client
from vidnb.emulator import Emulator, VirtualClock
from vidnb.errors import StoreError
from vidnb.sweeps.grid import cell_words, laid_out
from vidnb.sweeps.outlook import Group
from vidnb.widgets import board as board_
from vidnb.widgets.board import DONE, SAME, WAITING, Board

pytestmark = pytest.mark.anyio


def heard(board: Board, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any, Any]]:
    said: list[tuple[str, Any, Any]] = []
    monkeypatch.setattr(board, "say", lambda kind, content=None, buffers=(): said.append((kind, content, buffers)))
    return said


def test_repeats_stand_across_and_the_other_axes_down() -> None:
    sweep = vidnb.sweep(
        "a {animal} in the {place}", animal=["koala", "heron"], place=["snow", "city"], motion_control="Dolly In",
        motion_control_weight=[0.3, 0.7], model=["leonardo/motion_2.0", "leonardo/motion_2.0-fast"], seeds=8,
    )  # fmt: skip
    grid = laid_out(sweep.plan)
    assert (len(grid.rows), grid.cols, grid.block, grid.groups) == (8, 16, 8, 4)
    assert grid.rows[1] == ("koala", "snow", "Motion 2.0 Fast")
    assert grid.blocks == ("weight 0.3, 8 seeds", "weight 0.7, 8 seeds")
    assert sorted(grid.places.values()) == list(range(128))
    assert cell_words(sweep.plan, 0).startswith("koala · snow · weight 0.3 · Motion 2.0 · seed 1756299776")


def test_columns_that_are_no_seeds_have_their_names_above_them() -> None:
    def heads(**values: Any) -> tuple[tuple[str, ...], int]:
        grid = laid_out(vidnb.sweep("a {animal}", **values).plan)
        return grid.blocks, grid.block

    assert heads(animal=["koala", "heron"]) == (("koala", "heron"), 1)
    assert heads(animal=[f"koala {n}" for n in range(13)]) == (("13 animals",), 13)
    assert heads(animal=["koala", "heron"], takes=3) == (("3 takes",), 3)


async def test_the_page_is_told_of_each_cell_as_it_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with emulated(tmp_path) as client:
        sweep = vidnb.sweep("a {animal}", animal=["koala", "heron", "koala"], **QUICK, client=client)
        board = Board(sweep)
        said = heard(board, monkeypatch)
        board.heard_ready({}, [])
        assert said[-1] == ("all", {}, (bytes([WAITING, WAITING, SAME]), bytes(3)))
        assert board._now["steps"] == [{"kind": "run", "text": "Run 2", "price": "free"}]
        await sweep.run_async(on_change=board.update)
        async with asyncio.timeout(30):
            while board._later is not None:  # noqa: ASYNC110  # there is nothing to be told by
                await asyncio.sleep(0.02)
        unasked = [(cell, picture[:4]) for kind, content, pictures in said if kind == "posters"
                   for cell, picture in zip(content["cells"], pictures, strict=True)]  # fmt: skip
        assert sorted(unasked) == [(0, b"RIFF"), (1, b"RIFF")]  # as a busy kernel hears no question
        board.heard_pause({}, [])  # which it heard when all was over
        assert sweep.rows.control(sweep.id) == "go"
        board.finish()
        board.heard_ready({}, [])
        assert said[-1] == ("all", {}, (bytes([DONE, DONE, SAME]), bytes(3)))
        assert (board._now["heading"], board._now["steps"]) == ("Done", [])
        await board._rate(0, 4)
        assert ("cells", {}, [struct.pack("<1I", 0), bytes([DONE, 4])]) in said
        assert sweep.history.where(rating=4).df.prompt.tolist() == ["a koala"]
        await board._say_posters([0, 2])
        kind, content, buffers = said[-1]
        assert (kind, content, buffers[0][:4]) == ("posters", {"cells": [0, 2]}, b"RIFF")
        assert buffers[1] == buffers[0]  # the same clip


async def test_every_board_of_a_sweep_shows_what_any_kernel_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(board_, "FOLLOW_S", 0.02)
    emulator = Emulator(tmp_path / "emulator", speed=1000.0)
    async with emulated(tmp_path, emulator) as client, emulated(tmp_path, emulator) as other:
        options = {**QUICK, "animal": ["koala", "heron"], "budget_jobs": 1}
        sweep = vidnb.sweep("a {animal}", **options, client=client)
        sweep.prepare()
        boards = [Board(sweep), Board(sweep), Board(vidnb.sweep("a {animal}", **options, client=other))]
        assert {board._now["heading"] for board in boards} == {"Nothing sent yet"}
        await sweep.run_async(on_change=boards[0].update)

        async def say(words: list[str], done: int) -> None:
            async with asyncio.timeout(30):
                while [board._now["word"] for board in boards] != words or any(  # noqa: ASYNC110  # nothing tells
                    board._progress.counts()[Group.DONE] != done or board._later is not None for board in boards
                ):
                    await asyncio.sleep(0.02)

        await say(["budget", "budget", "stopped"], 1)
        boards[0].heard_ready({}, [])  # the page was loaded anew: the run of this process is what counts
        boards[1].heard_budget({"caps": {"JOBS": "2"}}, [])
        await say(["done", "done", "done"], 2)
        assert Board(sweep)._now["heading"] == "Done"


async def test_running_cells_are_seen_where_their_service_shows_how_far_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = VirtualClock()
    emulator = Emulator(tmp_path / "emulator", latency_s=100, clock=clock)
    async with AsyncClient(tmp_path / "data", emulator=emulator) as client:
        models = ["local/ltx-video", QUICK["model"]]
        board = Board(vidnb.sweep("a koala", model=models, client=client))
        said = heard(board, monkeypatch)
        run = asyncio.create_task(board._sweep.run_async(on_change=board.update))

        async def told() -> list[Any]:
            await asyncio.sleep(0.05)
            await board._say_previews([0, 1, 99])
            return list(said[-1][1]["cells"])

        async with asyncio.timeout(60):
            while [cell["gives"] for cell in await told()] != [True, False]:
                pass
            clock.advance(50)
            while not (await told())[0]["words"] or not said[-1][2][0]:
                pass
        shown, blind = said[-1][1]["cells"]
        assert re.fullmatch(r"\d+/\d+", shown["words"])
        assert (said[-1][2][0][:2], said[-1][2][1], blind["words"]) == (b"\xff\xd8", b"", "")
        await board._say_facts(0)
        assert "Running (denoising, step " in said[-1][1]["words"]
        look, asked, both = client.preview, list[str](), asyncio.Event()

        async def together(job: Any) -> bytes | None:
            asked.append(job.model)
            if len(asked) == 2:
                both.set()
            await both.wait()
            if job.model == QUICK["model"]:
                raise StoreError("the database is away")
            return await look(job)

        with monkeypatch.context() as patch:
            patch.setattr(client, "has_preview", lambda row: True)
            patch.setattr(client, "preview", together)
            async with asyncio.timeout(60):
                assert [cell["cell"] for cell in await told()] == [0], "one that fails takes no other along"
        clock.advance(500)
        await run
        assert await told() == [], "what is done has a poster"


async def test_the_last_cells_that_change_are_told_although_nothing_follows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with emulated(tmp_path) as client:
        sweep = vidnb.sweep("a {animal}", animal=["koala", "heron", "fox"], **QUICK, client=client)
        board = Board(sweep)
        said = heard(board, monkeypatch)
        progress = board._progress
        for job in range(3):  # the later ones come while the page is being told of the first
            board.update(progress, [job])
            await asyncio.sleep(0.3)
        async with asyncio.timeout(30):
            while board._later is not None:  # noqa: ASYNC110  # there is nothing to be told by
                await asyncio.sleep(0.02)
        told = {cell for kind, _, buffers in said if kind == "cells" for cell in struct.unpack("<1I", buffers[0])}
        assert told == {0, 1, 2}


async def test_sums_that_were_begun_earlier_are_not_shown_over_later_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with emulated(tmp_path) as client:
        board = Board(vidnb.sweep("a {animal}", animal=["koala", "heron"], **QUICK, client=client))
        began, may_end = threading.Event(), threading.Event()

        def sums() -> dict[str, str]:
            if began.is_set():
                return {"word": "done"}
            began.set()
            may_end.wait(60)
            return {"word": "running"}

        monkeypatch.setattr(board, "_sums", sums)
        ends = [threading.Thread(target=board.finish) for _ in range(2)]
        ends[0].start()
        began.wait(60)
        ends[1].start()
        ends[1].join(0.2)
        may_end.set()
        for end in ends:
            end.join()
        assert board._now == {"word": "done"}


async def test_a_saved_notebook_has_the_grid_and_says_how_to_go_on(tmp_path: Path) -> None:
    async with emulated(tmp_path) as client:
        sweep = vidnb.sweep("<b>a</b> {animal}", animal=["koala", "heron"], **QUICK, client=client)
        await sweep.run_async()
        html = Board(sweep).saved_html()
        assert html.count("<img") == 2
        assert "Run this cell again: it goes on where it was" in html
        assert "2 of 2 were done at" in html
        assert "<b>a</b> " not in html


def test_run_and_retry_are_pressed_in_the_board(tmp_path: Path) -> None:
    emulator = Emulator(tmp_path / "emulator", speed=1000.0, faults=["failed:1"])
    with Client(tmp_path, emulator=emulator) as client:
        assert isinstance(client.asynchronous, AsyncClient)
        sweep = vidnb.sweep("a {animal}", animal=["koala", "heron"], **QUICK, client=client)
        board = Board(sweep)
        board.heard_run({}, [])
        assert board._run is not None
        board._run.result(60)
        (cause,) = board._now["causes"]
        assert (cause["count"], cause["retry"], cause["price"]) == (1, True, "free")
        board.heard_retry({"cause": cause["name"]}, [])
        board._run.result(60)
        assert (board._now["causes"], board.problem) == ([], "")


def test_a_sweep_that_was_stopped_is_begun_again_in_the_board_while_its_last_jobs_are_on_their_way(
    tmp_path: Path,
) -> None:
    clock = VirtualClock()  # jobs that are sent stand still until it is moved
    with Client(tmp_path, emulator=Emulator(tmp_path / "emulator", clock=clock), max_in_flight=1) as client:
        sweep = vidnb.sweep("a {animal}", animal=["koala", "heron", "fox", "owl", "cat"], **QUICK, client=client)
        board = Board(sweep)
        for _ in range(2):
            board.heard_run({}, [])
            until(lambda: board._now["word"] == "running" and sweep.outlook.counts.get(Group.UNFINISHED))
            board.heard_stop({}, [])
            until(lambda: board._now["word"] == "stopped")
        board.heard_run({}, [])
        until(lambda: board._now["word"] == "done", lambda: (clock.advance(60), time.sleep(0.02)))
        assert sweep.outlook.counts == {Group.DONE: 5}
        assert set(client.asynchronous.emulator.stats()["jobs_by_prompt"].values()) == {1}


def test_a_budget_that_is_used_up_is_raised_on_the_board_and_the_sweep_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    emulator = Emulator(tmp_path / "emulator", speed=1000.0)
    with Client(tmp_path, emulator=emulator) as client:
        sweep = vidnb.sweep("a {animal}", animal=["koala", "heron", "fox"], **QUICK, budget_jobs=1, client=client)
        board = Board(sweep)
        said = heard(board, monkeypatch)
        board.heard_run({}, [])
        assert board._run is not None
        board._run.result(60)
        assert [step["kind"] for step in board._now["steps"]] == ["caps", "run"]
        board.heard_caps({}, [])
        assert [(cap["unit"], cap["text"]) for cap in said[-1][1]["caps"]] == [("USD", ""), ("JOBS", "1")]
        for wrong, why in (
            ("0", "less than what is spent or held already: 1 job"),
            ("1,5", "'1,5' is no cap in jobs: write a number such as 30"),
            ("1.5", "is no cap in jobs"), ("nan", "is no cap in jobs"), ("", "without one, nothing would end"),
        ):  # fmt: skip
            board.heard_budget({"caps": {"USD": "", "JOBS": wrong}}, [])
            kind, told, _ = said[-1]
            assert (kind, told["refused"], why in told["words"]) == ("capped", True, True), told
        assert client.asynchronous.ledger.purse_caps(sweep.purse) == {"JOBS": 1.0}
        board.heard_budget({"caps": {"USD": "$5", "JOBS": "3"}}, [])
        (words,) = [told["words"] for kind, told, _ in said if kind == "capped" and not told["refused"]]
        assert client.asynchronous.ledger.purse_caps(sweep.purse) == {"JOBS": 3.0, "USD": 5.0}
        assert words.endswith(
            "At most 3 jobs now instead of 1 job; 2 jobs left. The code says budget_jobs, which sets 1 job when it "
            "is run again: change that, too. It goes on."
        )
        board._run.result(60)
        assert (board._now["heading"], len(sweep.history.where(state="done"))) == ("Done", 3)


async def test_clips_of_marked_cells_are_compared_in_the_board_and_their_stars_reach_its_cells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with emulated(tmp_path) as client:
        sweep = vidnb.sweep("a {animal}", animal=["koala", "heron", "fox"], **QUICK, client=client)
        await sweep.run_async()
        board = Board(sweep)
        said = heard(board, monkeypatch)
        board._received(None, {"kind": "compare", "cells": [0]}, [])
        assert board.problem == "Two clips that are done are needed to compare."
        board._received(None, {"kind": "compare", "cells": [0, 2]}, [])
        comparison = board._comparison
        assert [clip.prompt for clip in comparison.clips] == ["a koala", "a fox"]
        assert said[-1][1]["code"] == f"vidnb.compare({[clip.job.id[:8] for clip in comparison.clips]})"
        cells = comparison.grid.cells
        await comparison._rate(next(n for n, cell in enumerate(cells) if cell.clip is comparison.clips[1]), 5)
        assert comparison.annotated.job.rating == 5
        await board._renew(comparison.annotated.job.id)  # what its own task does, which nobody can wait for
        assert ("cells", {}, [struct.pack("<1I", 2), bytes([DONE, 5])]) in said
        comparison.heard_close({}, [])
        assert (board._comparison, comparison.is_open) == (None, False)
