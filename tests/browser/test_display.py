"""What a cell shows: hostile text stays text, a job outlives its kernel, and it reads well in dark and narrow pages."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from labharness import DARK, DESKTOP, LIGHT, NARROW, Browser, NotebookPage
from playwright.sync_api import Locator, expect

from vidnb.client.verbs import Client
from vidnb.emulator import Emulator
from vidnb.records import Job

OpenNotebook = Callable[..., NotebookPage]

SMALL = {"model": "leonardo/google/gemini-omni-1.1-flash-preview", "width_px": 640, "height_px": 360, "duration_s": 3}
HOSTILE = {
    "script": "<script>window.pwned = 1</script>",
    "image": "<img src=hostile-picture onerror='window.pwned = 2'>",
    "attribute": "\"><svg onload=window.pwned=3>'><iframe src=//hostile.example.org></iframe>",
    "closing": "</div></div></div><style>* {display: none}</style><b>bold</b>",
    "markdown": "[a link](javascript:window.pwned=4) **bold** ![picture](http://hostile.example.org/a.png)",
    "latex": r"costs $5 or $6, $\href{javascript:window.pwned=5}{x}$ and \(x^2\)",
    "entity": "&lt;b&gt; stays &amp; as it is",
    "control": "escape \x1b[31m bell \x07",
    "direction": "before \u202egnp.exe\u202c after \u2066and on",
}
BAIT = ("hostile-picture", "hostile-note", "hostile.example.org")
HARMFUL = ("script", "style", "iframe", "[onload]", "[onerror]", "a[href^=javascript]")
LONG = "<i>" + "a koala and a cat " * 130
ERRORS = ("[fail]", "forbidden-test-word")

CATALOG = """
provider = "leonardo"
[models."motion_2.0"]
title = "<script>window.pwned = 6</script>"
notes = ["<img src=hostile-note onerror='window.pwned = 7'>"]
"""

SETUP = f"""import json, os
os.environ["VIDNB_EMULATOR_SPEED"] = "1000"
os.environ["VIDNB_CATALOG"] = "hostile.toml"
import vidnb
from IPython.display import display
SMALL = {SMALL!r}
PROMPTS = json.loads({json.dumps(json.dumps([*HOSTILE.values(), LONG]))})"""
CLIPS = """for prompt in PROMPTS:
    vidnb.submit(prompt, **SMALL)
for prompt in PROMPTS:
    display(vidnb.generate(prompt, **SMALL))"""
CARDS = f"""for word in {ERRORS!r}:
    for prompt in PROMPTS[:-1]:
        try:
            vidnb.generate(prompt + word, **SMALL)
        except vidnb.VidnbError:
            pass"""
LISTS = ["vidnb.jobs()", "vidnb.history()", 'vidnb.model("leonardo/motion_2.0")', "vidnb.history().df"]

SLOW = "import os; os.environ['VIDNB_EMULATOR_SPEED'] = '12'\nimport vidnb"
GENERATE = f"vidnb.generate('a koala', **{SMALL!r})"
SUBMIT = f"""import os
job = vidnb.submit('a koala', **{SMALL!r})
while vidnb.job(job.id).remote_id is None:
    pass
os.getpid()"""


@pytest.fixture
def dialogs(page: NotebookPage) -> Iterator[list[str]]:
    """The messages of `alert` and the like."""
    seen: list[str] = []

    def refuse(dialog: Any) -> None:
        seen.append(dialog.message)
        dialog.dismiss()

    page.page.on("dialog", refuse)
    yield seen
    page.page.remove_listener("dialog", refuse)


@pytest.fixture
def requests(page: NotebookPage) -> Iterator[list[str]]:
    """The addresses that the page asked for."""
    seen: list[str] = []

    def note(request: Any) -> None:
        seen.append(request.url)

    page.page.on("request", note)
    yield seen
    page.page.remove_listener("request", note)


def output(notebook: NotebookPage, index: int) -> Locator:
    return notebook.panel().locator(".jp-CodeCell").nth(index).locator(".jp-OutputArea")


def made(folder: Path) -> dict[str, int]:
    """How often each prompt was paid for, by the emulated service's own count."""
    emulator = Emulator(folder / "vidnb-data/emulator")
    try:
        return emulator.stats()["jobs_by_prompt"]
    finally:
        emulator.close()


def jobs(folder: Path) -> list[Job]:
    """The rows, read from this process."""
    with Client(folder / "vidnb-data") as client:
        return client.jobs()


def wait_until_done(folder: Path, timeout_s: float = 60) -> Job:
    """The only job, once it is over; nothing here drives it."""
    deadline = time.monotonic() + timeout_s
    while not (job := jobs(folder)[0]).is_terminal:
        assert time.monotonic() < deadline, f"the job is still {job.state}"
        time.sleep(0.1)
    return job


def shown(text: str) -> str:
    """The text as a page shows it: spaces made one, question marks for what no notebook file can hold."""
    return " ".join(re.sub("[\x00-\x08\x0e-\x1f]", "\ufffd", text).split())


def test_hostile_text_is_shown_as_text_wherever_it_comes(
    lab: OpenNotebook, lab_folder: Path, browser: Browser, dialogs: list[str], requests: list[str]
) -> None:
    (lab_folder / "hostile.toml").write_text(CATALOG, encoding="utf-8")
    refused = list(browser.refused)
    notebook = lab(SETUP, CLIPS, CARDS, *LISTS)

    clips, cards, table, history, model, _ = (output(notebook, index) for index in range(1, 7))
    expect(clips.locator("video")).to_have_count(len(HOSTILE) + 1)
    for place in (clips, cards, table, history):
        assert place.locator("mjx-container").count() == 0
        text = shown(place.inner_text())
        for name, prompt in HOSTILE.items():
            assert shown(prompt)[:40] in text, name
    expect(clips).to_contain_text("whole prompt, 2,343 characters")
    expect(cards).to_contain_text("At fault")
    expect(model).to_contain_text("<script>window.pwned = 6</script>")
    expect(model).to_contain_text("<img src=hostile-note")

    for place, element in product((clips, cards, table, history, model), HARMFUL):
        own = int(place is history and element == "script")  # the gallery's, which plays on hover
        assert place.locator(element).count() == own, element
    assert notebook.page.evaluate("() => window.pwned") is None
    assert dialogs == []
    assert browser.refused == refused
    ours = (notebook.server.url, "data:", "blob:")
    assert [url for url in requests if not url.startswith(ours) or any(word in url for word in BAIT)] == []


def test_a_job_outlives_a_killed_kernel_and_is_paid_once(lab: OpenNotebook, lab_folder: Path) -> None:
    notebook = lab(SLOW, SUBMIT, "import vidnb\nvidnb.resume()", run=False)
    notebook.run_cell(0)
    notebook.run_cell(1)
    os.kill(int(notebook.outputs()[1].split()[-1]), signal.SIGKILL)
    notebook.page.get_by_role("button", name="Ok", exact=True).click()  # "Kernel Restarting"
    notebook.wait_for_status("idle")
    assert not jobs(lab_folder)[0].is_terminal

    notebook.run_cell(2)
    expect(output(notebook, 2)).to_contain_text("done")
    (job,) = jobs(lab_folder)
    assert job.state == "done"
    assert made(lab_folder) == {"a koala": 1}


def test_an_interrupt_stops_the_waiting_and_not_the_job(lab: OpenNotebook, lab_folder: Path) -> None:
    notebook = lab(SLOW, GENERATE, GENERATE, run=False)
    notebook.run_cell(0)
    notebook.run_cell(1, wait=False)
    expect(output(notebook, 1).locator("progress")).to_be_visible()
    notebook.interrupt()
    expect(output(notebook, 1)).to_contain_text("KeyboardInterrupt")
    notebook.wait_for_status("idle")
    assert output(notebook, 1).locator("progress").count() == 0
    assert not jobs(lab_folder)[0].is_terminal

    assert wait_until_done(lab_folder).state == "done"
    notebook.run_cell(2)
    expect(output(notebook, 2).locator("video")).to_be_visible()
    assert made(lab_folder) == {"a koala": 1}


def test_progress_is_seen_while_a_job_runs_and_gone_after(lab: OpenNotebook) -> None:
    notebook = lab(SLOW, GENERATE, run=False)
    notebook.run_cell(0)
    notebook.run_cell(1, wait=False)
    cell = output(notebook, 1)
    expect(cell.locator("progress")).to_be_visible()
    expect(cell).to_contain_text("running")
    expect(cell).to_contain_text("a koala")
    expect(cell).to_contain_text("No LEONARDO_API_KEY")
    expect(cell.locator("video")).to_be_visible()
    expect(cell.locator("progress")).to_have_count(0)
    assert "running" not in cell.inner_text()


LOOKS = {
    "light": (LIGHT, DESKTOP),
    "dark": (DARK, DESKTOP),
    "narrow": (LIGHT, NARROW),
    "narrow-dark": (DARK, NARROW),
}
TALL_PX = 2400
"""So that a whole output is on its picture."""
GALLERY = [
    "import os; os.environ['VIDNB_EMULATOR_SPEED'] = '1000'\nimport vidnb",
    "clip = vidnb.generate('A koala and a cat playing together in a sunlit meadow', seed=7)\nclip",
    "vidnb.submit('forbidden-test-word', seed=8)\nvidnb.generate('A lighthouse [fail]', seed=9)",
    "vidnb.jobs()",
    "vidnb.history()",
    "vidnb.model('leonardo/motion_2.0')",
]


def test_every_output_fits_light_dark_and_narrow_pages(lab: OpenNotebook, request: pytest.FixtureRequest) -> None:
    notebook = lab(*GALLERY, run=False)
    notebook.run_all(allow_errors=True)
    for index in range(3, len(GALLERY)):
        notebook.run_cell(index)  # an error ends "Run all"
    artifacts = request.config.rootpath / "test-artifacts"
    artifacts.mkdir(exist_ok=True)
    for name, (theme, size) in LOOKS.items():
        notebook.theme(theme)
        notebook.viewport({**size, "height": TALL_PX})
        for index in range(1, len(GALLERY)):
            cell = output(notebook, index)
            cell.scroll_into_view_if_needed()
            cell.screenshot(path=artifacts / f"display-{name}-{index}.png")
            if index != 2:  # a traceback scrolls in itself
                assert cell.evaluate("cell => cell.scrollWidth - cell.clientWidth") <= 1, (name, GALLERY[index])
