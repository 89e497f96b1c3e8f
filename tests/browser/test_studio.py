"""The studio in a real JupyterLab: typed into, saved, reopened, on a busy kernel, in light, dark and narrow."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import PIL.Image
import pytest
from labharness import DARK, DESKTOP, NARROW, NotebookPage
from playwright.sync_api import Locator, expect

OpenNotebook = Callable[..., NotebookPage]

STUDIO = "import vidnb\nstudio = vidnb.Studio()\nstudio"
SLOW = "import os\nos.environ['VIDNB_EMULATOR_SPEED'] = '9'"
HOSTILE = "<img src=x onerror=\"document.title='owned'\"> a koala"
ADVANCED_S = 0.3


def studio_of(notebook: NotebookPage) -> Locator:
    return notebook.panel().locator(".vidnb-studio")


def fill(notebook: NotebookPage, prompt: str, seed: str = "7") -> None:
    """Type a prompt and a seed, as a person does."""
    studio_of(notebook).get_by_label("Prompt *").fill(prompt)
    studio_of(notebook).get_by_label("Seed").fill(seed)


def generate(notebook: NotebookPage) -> None:
    studio_of(notebook).get_by_role("button", name="Generate").click()


def videos(notebook: NotebookPage) -> Locator:
    return notebook.panel().locator(".jp-OutputArea video")


def assert_plays(video: Locator) -> None:
    """The video's own clock advances."""
    video.scroll_into_view_if_needed()
    script = """async (video, until) => {
        video.muted = true;
        await video.play();
        while (video.currentTime < until) await new Promise(requestAnimationFrame);
        return [video.videoWidth, video.videoHeight];
    }"""
    assert video.evaluate(script, ADVANCED_S) == [832, 480]


def test_a_typed_prompt_becomes_a_clip_that_plays_below_and_after_reload(lab: OpenNotebook) -> None:
    notebook = lab(STUDIO)
    fill(notebook, "a koala and a cat in a meadow")
    generate(notebook)
    expect(studio_of(notebook).locator(".vidnb-job [data-state]")).to_be_visible()
    expect(videos(notebook)).to_have_count(1)
    expect(studio_of(notebook).locator(".vidnb-job")).to_have_count(0)
    assert_plays(videos(notebook).first)

    generate(notebook)
    expect(studio_of(notebook)).to_contain_text("This recipe was made before")
    studio_of(notebook).get_by_role("button", name="New take").click()
    expect(videos(notebook)).to_have_count(2)
    assert notebook.kernel_status() == "idle"

    notebook.save()
    saved = (notebook.folder / notebook.path.rsplit("/", 1)[-1]).read_text(encoding="utf-8")
    assert "application/vnd.jupyter.widget-state+json" not in saved
    notebook.restart_kernel()
    notebook.reload()
    expect(videos(notebook)).to_have_count(2)
    assert_plays(videos(notebook).first)


def test_a_bad_value_is_said_below_its_field(lab: OpenNotebook) -> None:
    notebook = lab(STUDIO)
    fill(notebook, "a koala", seed="<b>seven</b>")
    generate(notebook)
    problem = studio_of(notebook).locator(".vidnb-field-seed [role=alert]")
    expect(problem).to_contain_text("'<b>seven</b>' given; allowed: a whole number, 0 to 2147483637")
    assert problem.locator("b").count() == 0
    studio_of(notebook).get_by_label("Seed").fill("7")
    expect(problem).to_have_count(0)


def test_a_hostile_prompt_is_shown_as_text(lab: OpenNotebook) -> None:
    notebook = lab(STUDIO)
    title = notebook.page.title()
    fill(notebook, HOSTILE)
    generate(notebook)
    expect(videos(notebook)).to_have_count(1)
    expect(notebook.panel().locator(".jp-OutputArea").first).to_contain_text("<img src=x")
    assert notebook.panel().locator("img[src=x]").count() == 0
    assert notebook.page.title() == title


def test_a_job_begun_before_a_busy_cell_is_shown_while_it_runs(lab: OpenNotebook) -> None:
    notebook = lab(SLOW, STUDIO, "import time; time.sleep(600)", run=False)
    notebook.run_cell(0)
    notebook.run_cell(1)
    fill(notebook, "a koala")
    generate(notebook)
    expect(studio_of(notebook).locator(".vidnb-job")).to_be_visible()
    notebook.run_cell(2, wait=False)
    notebook.wait_for_status("busy")
    assert videos(notebook).count() == 0
    expect(studio_of(notebook).locator(".vidnb-time")).to_contain_text(re.compile("[2-9] s"))
    expect(videos(notebook)).to_have_count(1)
    assert notebook.kernel_status() == "busy"
    assert_plays(videos(notebook).first)
    notebook.interrupt()
    notebook.wait_for_status("idle")


def test_a_picture_from_this_machine_is_shown_and_used(
    lab: OpenNotebook, lab_folder: Path, request: pytest.FixtureRequest
) -> None:
    PIL.Image.new("RGB", (640, 480), "teal").save(lab_folder / "koala.png")
    notebook = lab("import vidnb\nvidnb.Studio('1min/leonardo-motion')")
    studio = studio_of(notebook)
    generate(notebook)
    expect(studio.locator(".vidnb-field-start_image [role=alert]")).to_contain_text("needs it")
    with notebook.page.expect_file_chooser() as chooser:
        studio.get_by_role("button", name="Upload").click()
    chooser.value.set_files(lab_folder / "koala.png")
    expect(studio.locator("img.vidnb-thumbnail")).to_be_visible()
    folder = request.config.rootpath / "test-artifacts"
    folder.mkdir(exist_ok=True)
    notebook.page.screenshot(path=folder / "studio-picture.png")
    generate(notebook)
    expect(videos(notebook)).to_have_count(1)
    studio.get_by_role("button", name="Remove").click()
    expect(studio.get_by_label("Start image *")).to_be_visible()


def test_choosing_another_model_changes_the_form_and_keeps_the_prompt(lab: OpenNotebook) -> None:
    notebook = lab(STUDIO)
    studio = studio_of(notebook)
    fill(notebook, "a koala")
    studio.get_by_label("Provider").select_option("1min.ai")
    studio.get_by_label("Model", exact=True).select_option(label="Luma AI (Dream Machine) · luma")
    expect(studio.get_by_label("Seed")).to_have_count(0)
    expect(studio.get_by_label("Prompt *")).to_have_value("a koala")
    expect(studio.get_by_label("Duration (s) *")).to_be_visible()


@pytest.mark.parametrize("look", ["light", "dark", "narrow", "320px"])
def test_every_control_is_named_and_fits_the_page(lab: OpenNotebook, look: str, request: pytest.FixtureRequest) -> None:
    notebook = lab(STUDIO)
    notebook.theme(DARK) if look in ("dark", "narrow") else None
    notebook.viewport({"narrow": NARROW, "320px": {"width": 320, "height": 900}}.get(look, DESKTOP))
    studio = studio_of(notebook)
    studio.get_by_text("More", exact=True).click()
    fill(notebook, "", seed="seven")
    generate(notebook)
    expect(studio.locator("[role=alert]").first).to_be_visible()
    unnamed = """studio => [...studio.querySelectorAll('input, select, textarea, button, [role=slider]')]
        .filter(control => control.offsetParent && control.type !== 'file')
        .filter(control => !(control.labels?.length || control.ariaLabel || control.title))
        .filter(control => !control.textContent.trim() && !control.closest('.widget-slider')?.querySelector('label'))
        .map(control => control.outerHTML.slice(0, 200))"""
    assert studio.evaluate(unnamed) == []
    too_wide = "studio => [studio.scrollWidth - studio.clientWidth, studio.getBoundingClientRect().width]"
    beyond, width = studio.evaluate(too_wide)
    assert beyond <= 1
    assert width <= 720
    folder = request.config.rootpath / "test-artifacts"
    folder.mkdir(exist_ok=True)
    notebook.page.screenshot(path=folder / f"studio-{look}.png")
