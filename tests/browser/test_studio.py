"""The studio in a real JupyterLab: typed into, driven by keys, saved, reopened, restarted, light, dark and narrow."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from pathlib import Path

import PIL.Image
import pytest
from axe_playwright_python.sync_playwright import Axe
from labharness import DARK, DESKTOP, NARROW, NotebookPage
from playwright.sync_api import Locator, expect

OpenNotebook = Callable[..., NotebookPage]

STUDIO = "import vidnb\nstudio = vidnb.Studio()\nstudio"
SLOW = "import os\nos.environ['VIDNB_EMULATOR_SPEED'] = '9'"
HOSTILE = "<img src=x onerror=\"document.title='owned'\"> a koala"
ADVANCED_S = 0.3
SERIOUS = ("serious", "critical")

PLAYS = """async (video, until) => {
    video.muted = true;
    await video.play();
    while (video.currentTime < until) await new Promise(requestAnimationFrame);
    return [video.videoWidth, video.videoHeight];
}"""
GIVE_FILE = """([target, how, name, bytes]) => {
    const file = new File([Uint8Array.from(atob(bytes), letter => letter.charCodeAt(0))], name, { type: 'image/png' });
    const transfer = new DataTransfer();
    transfer.items.add(file);
    const init = { bubbles: true, cancelable: true };
    if (how === 'paste') return target.dispatchEvent(new ClipboardEvent('paste', { ...init, clipboardData: transfer }));
    for (const kind of ['dragenter', 'dragover', 'drop'])
        target.dispatchEvent(new DragEvent(kind, { ...init, dataTransfer: transfer }));
}"""


def studio_of(notebook: NotebookPage) -> Locator:
    """The studio, once every part of it has drawn itself."""
    studio = notebook.panel().locator(".vidnb-studio")
    for part in ("picker", "form", "generate", "player", "recent"):
        expect(studio.locator(f".vidnb-{part}.vidnb-root")).not_to_have_attribute("data-state", "starting")
    return studio


def prompt_of(notebook: NotebookPage) -> Locator:
    return studio_of(notebook).get_by_role("textbox", name="Prompt", exact=True)


def fill(notebook: NotebookPage, prompt: str, seed: str = "7") -> None:
    """Type a prompt and a seed, as a person does."""
    prompt_of(notebook).fill(prompt)
    studio_of(notebook).get_by_role("textbox", name="Seed", exact=True).fill(seed)


def generate(notebook: NotebookPage) -> None:
    studio_of(notebook).locator(".vidnb-generate .vidnb-primary").click()


def shown(notebook: NotebookPage, prompt: str) -> Locator:
    """The player's video, once it shows the clip of this prompt."""
    player = studio_of(notebook).locator(".vidnb-player.vidnb-root")
    expect(player.locator(".vidnb-about")).to_contain_text(prompt)
    expect(player).to_have_attribute("data-state", "ready")
    expect(player).to_have_attribute("data-rested", "true")
    return player.locator("video")


def tiles(notebook: NotebookPage) -> Locator:
    return studio_of(notebook).locator(".vidnb-recent").get_by_role("option")


def assert_plays(video: Locator) -> None:
    """The video's own clock advances."""
    video.scroll_into_view_if_needed()
    assert video.evaluate(PLAYS, ADVANCED_S) == [832, 480]


def saved_videos(notebook: NotebookPage) -> Locator:
    return notebook.panel().locator("[data-vidnb-saved] video")


def test_a_typed_prompt_becomes_a_clip_and_stays_after_save_restart_and_reload(lab: OpenNotebook) -> None:
    notebook = lab(STUDIO)
    expect(notebook.panel().locator("[data-vidnb-saved]")).to_be_hidden()
    fill(notebook, "a koala and a cat in a meadow")
    expect(studio_of(notebook).get_by_role("button", name="Generate seed 7 free")).to_be_visible()
    generate(notebook)
    assert_plays(shown(notebook, "a koala and a cat"))
    expect(studio_of(notebook).locator(".vidnb-progress")).to_have_count(0)
    expect(tiles(notebook)).to_have_count(1)

    generate(notebook)
    expect(studio_of(notebook)).to_contain_text("This recipe was made before")
    studio_of(notebook).locator(".vidnb-generate").get_by_role("button", name="Next take").click()
    expect(tiles(notebook)).to_have_count(2)
    notebook.wait_for_status("idle")

    notebook.save()
    saved = (notebook.folder / notebook.path.rsplit("/", 1)[-1]).read_text(encoding="utf-8")
    assert "application/vnd.jupyter.widget-state+json" not in saved
    assert len(saved) < 120_000
    notebook.reload()  # the kernel lives: the studio is there again, with what was typed
    expect(prompt_of(notebook)).to_have_value("a koala and a cat in a meadow")
    notebook.restart_kernel()
    notebook.reload()  # no kernel knows it: the clips are there
    expect(saved_videos(notebook)).to_have_count(2)
    expect(notebook.panel().locator("[data-vidnb-saved]")).to_contain_text("a koala and a cat")
    assert_plays(saved_videos(notebook).first)


def test_it_can_be_worked_by_keys_alone_and_no_key_reaches_the_notebook(lab: OpenNotebook) -> None:
    notebook = lab(STUDIO)
    keys = notebook.page.keyboard
    cells = len(notebook.cells())
    prompt_of(notebook).focus()
    keys.type("abdd a koala at the beach")
    keys.press("Control+Enter")
    video = shown(notebook, "abdd a koala at the beach")
    studio_of(notebook).locator(".vidnb-player video, .vidnb-player [role=group]").first.focus()
    video.evaluate("video => { video.pause(); video.currentTime = 1; }")
    for key in ("a", "b", "x", "d", "d", "."):
        keys.press(key)
    generate_button = studio_of(notebook).locator(".vidnb-generate .vidnb-primary")
    generate_button.focus()
    for key in ("a", "b", "d", "d"):
        keys.press(key)
    keys.press("Enter")
    expect(tiles(notebook)).to_have_count(2)  # the seed is open: a press is a new clip
    assert len(notebook.cells()) == cells
    notebook.wait_for_status("idle")


def test_several_jobs_run_while_one_keeps_typing(lab: OpenNotebook) -> None:
    notebook = lab(SLOW, STUDIO)
    for number in range(3):
        fill(notebook, f"koala number {number}", seed=str(number))
        generate(notebook)
    prompt_of(notebook).focus()
    notebook.page.keyboard.press("End")
    notebook.page.keyboard.type(", and I go on writing")
    expect(studio_of(notebook).locator(".vidnb-progress")).to_have_count(3)
    expect(tiles(notebook)).to_have_count(3)
    expect(prompt_of(notebook)).to_have_value("koala number 2, and I go on writing")
    expect(prompt_of(notebook)).to_be_focused()


@pytest.mark.long
def test_a_renderer_of_ones_own_shows_how_far_it_is_in_the_studio_and_on_the_board(lab: OpenNotebook) -> None:
    local = "model='local/ltx-video', width_px=128, height_px=64, num_frames=9"
    board = f"s = vidnb.sweep('a fox', {local}, seeds=2)\nboard = vidnb.Board(s)\nboard"
    notebook = lab(SLOW.replace("'9'", "'6'"), f"{STUDIO[:-7]}\nstudio.model = 'local/ltx-video'\nstudio", board)
    generate_one = studio_of(notebook)
    fill(notebook, "a koala")
    generate(notebook)
    line = generate_one.locator(".vidnb-progress.vidnb-root")
    expect(line.locator("img.vidnb-preview")).to_be_visible(timeout=30_000)
    expect(line.locator(".vidnb-word")).to_contain_text(re.compile(r"denoising, step \d+ of \d+"))
    grid = notebook.panel().locator(".vidnb-board.vidnb-root")
    grid.get_by_role("button", name=re.compile("^Run 2")).click()
    expect(grid).to_have_attribute("data-previews", "1", timeout=60_000)


def test_a_frame_of_one_clip_starts_the_next(lab: OpenNotebook) -> None:
    notebook = lab(STUDIO)
    fill(notebook, "a koala")
    generate(notebook)
    video = shown(notebook, "a koala")
    video.evaluate("video => { video.pause(); video.currentTime = 2; }")
    studio = studio_of(notebook)
    studio.get_by_label("Model", exact=True).select_option("leonardo/grok-imagine-1.5")
    studio.get_by_role("button", name="Frame as start").click()
    image = studio.locator(".vidnb-form").get_by_role("group", name="Start image")
    expect(image.locator("img")).to_be_visible()
    prompt_of(notebook).fill("it runs off")
    generate(notebook)
    shown(notebook, "it runs off")
    expect(tiles(notebook)).to_have_count(2)


def test_an_earlier_clip_is_picked_and_its_recipe_taken_up(lab: OpenNotebook) -> None:
    notebook = lab(STUDIO)
    for seed in ("1", "2"):
        fill(notebook, f"koala {seed}", seed)
        generate(notebook)
        shown(notebook, f"koala {seed}")
    prompt_of(notebook).fill("something else")
    tiles(notebook).nth(1).click()
    shown(notebook, "koala 1")
    studio_of(notebook).get_by_role("button", name="Remix").click()
    expect(prompt_of(notebook)).to_have_value("koala 1")
    expect(studio_of(notebook).get_by_role("textbox", name="Seed", exact=True)).to_have_value("1")
    studio_of(notebook).get_by_role("button", name="Vary seed").click()
    expect(tiles(notebook)).to_have_count(3)


def test_ratings_tags_and_notes_stay_with_the_clip_and_hostile_ones_are_text(lab: OpenNotebook) -> None:
    notebook = lab(STUDIO, "vidnb.history(rating=4).df[['rating', 'tags', 'note']].to_dict('records')", run=False)
    notebook.run_cell(0)
    title = notebook.page.title()
    fill(notebook, HOSTILE)
    generate(notebook)
    shown(notebook, "<img src=x")
    player = studio_of(notebook).locator(".vidnb-player.vidnb-root")
    player.get_by_role("radio", name=re.compile("^4")).check(force=True)
    player.get_by_placeholder("add a tag").fill("<b>keep</b>")
    player.get_by_placeholder("add a tag").press("Enter")
    player.get_by_placeholder("note").fill("<script>document.title='owned'</script>")
    player.get_by_placeholder("note").blur()
    expect(player).to_contain_text("<b>keep</b>")
    expect(player).to_contain_text("saved")
    notebook.run_cell(1)
    expect(notebook.panel().locator(".jp-OutputArea").nth(1)).to_contain_text("<b>keep</b>")
    assert notebook.panel().locator("img[src=x]").count() == 0
    assert notebook.page.title() == title


def test_a_bad_value_is_said_below_its_field_and_a_failed_job_as_a_card(lab: OpenNotebook) -> None:
    notebook = lab(STUDIO)
    fill(notebook, "a koala", seed="<b>seven</b>")
    generate(notebook)
    field = studio_of(notebook).locator(".vidnb-form")
    expect(field).to_contain_text("allowed: a whole number, 0 to 2147483637")
    assert field.locator("b", has_text="seven").count() == 0
    fill(notebook, "a koala, naked and nsfw", seed="7")
    expect(field).not_to_contain_text("allowed: a whole number")


def test_a_job_outlives_its_kernel_and_the_next_studio_shows_it(lab: OpenNotebook) -> None:
    notebook = lab(SLOW, STUDIO)
    fill(notebook, "a koala that outlives its kernel")
    generate(notebook)
    expect(studio_of(notebook).locator(".vidnb-progress")).to_have_count(1)
    expect(studio_of(notebook).locator(".vidnb-progress")).to_contain_text(re.compile("Queued|Running"))
    notebook.restart_kernel()
    notebook.run_cell(1)
    shown(notebook, "a koala that outlives its kernel")


@pytest.mark.parametrize("how", ["choose", "drop", "paste", "path"])
def test_a_picture_comes_in_every_way_and_is_used(lab: OpenNotebook, lab_folder: Path, how: str) -> None:
    PIL.Image.new("RGB", (640, 480), "teal").save(lab_folder / "koala.png")
    notebook = lab("import vidnb\nstudio = vidnb.Studio('1min/leonardo-motion')\nstudio")
    studio = studio_of(notebook)
    generate(notebook)
    expect(studio.locator(".vidnb-form")).to_contain_text("needs it")
    image = studio.locator(".vidnb-form").get_by_role("group", name="Start image")
    if how == "choose":
        with notebook.page.expect_file_chooser() as chooser:
            image.get_by_role("button", name="Choose a picture").click()
        chooser.value.set_files(lab_folder / "koala.png")
    elif how == "path":
        image.get_by_role("textbox", name="Path or URL").fill("koala.png")
        image.get_by_role("textbox", name="Path or URL").press("Enter")
    else:
        content = base64.b64encode((lab_folder / "koala.png").read_bytes()).decode()
        target = image.element_handle() if how == "drop" else image.get_by_role("textbox").element_handle()
        notebook.page.evaluate(GIVE_FILE, [target, how, "koala.png", content])
    expect(image.locator("img")).to_be_visible()
    expect(image).to_contain_text("640 × 480")
    generate(notebook)
    expect(tiles(notebook)).to_have_count(1)


def test_another_model_keeps_what_was_written_and_says_what_it_moved(lab: OpenNotebook) -> None:
    given = "{'prompt': 'a koala', 'negative_prompt': 'rain'}"
    notebook = lab(f"import vidnb\nstudio = vidnb.Studio('leonardo/MOTION2', params={given})\nstudio")
    studio = studio_of(notebook)
    studio.get_by_label("Provider").select_option("1min")
    studio.get_by_label("Model", exact=True).select_option("1min/luma")
    expect(prompt_of(notebook)).to_have_value("a koala")
    expect(studio.get_by_role("textbox", name="Seed", exact=True)).to_have_count(0)
    studio.get_by_label("Provider").select_option("leonardo")
    studio.get_by_role("button", name="retired").click()
    studio.get_by_label("Model", exact=True).select_option("leonardo/MOTION2")
    expect(prompt_of(notebook)).to_have_value("a koala")
    studio.get_by_role("button", name=re.compile("^More")).click()
    expect(studio.get_by_role("textbox", name="Negative prompt")).to_have_value("rain")


@pytest.mark.parametrize("look", ["light", "dark", "narrow", "320px"])
def test_it_fits_the_page_and_the_audit_finds_nothing_serious(
    lab: OpenNotebook, look: str, request: pytest.FixtureRequest
) -> None:
    notebook = lab(STUDIO)
    notebook.theme(DARK) if look in ("dark", "narrow") else None
    notebook.viewport({"narrow": NARROW, "320px": {"width": 320, "height": 900}}.get(look, DESKTOP))
    fill(notebook, "a koala and a cat in a meadow")
    generate(notebook)
    shown(notebook, "a koala and a cat")
    studio = studio_of(notebook)
    studio.get_by_role("button", name=re.compile("^More")).click()
    beyond = "studio => studio.scrollWidth - studio.clientWidth"
    assert studio.evaluate(beyond) <= 1
    folder = request.config.rootpath / "test-artifacts"
    folder.mkdir(exist_ok=True)
    studio.evaluate("studio => studio.scrollIntoView()")
    notebook.page.screenshot(path=folder / f"studio-{look}.png")
    found = Axe().run(notebook.page, context=".vidnb-studio").response["violations"]
    assert [(one["id"], one["nodes"][0]["html"][:160]) for one in found if one["impact"] in SERIOUS] == []


def test_after_a_reload_it_says_that_the_notebook_no_longer_takes_clips_in(lab: OpenNotebook) -> None:
    notebook = lab(STUDIO)
    fill(notebook, "a koala before")
    generate(notebook)
    shown(notebook, "a koala before")
    expect(studio_of(notebook)).not_to_contain_text("loaded anew")
    notebook.save()
    notebook.reload()
    fill(notebook, "a koala after")
    generate(notebook)
    shown(notebook, "a koala after")
    expect(studio_of(notebook)).to_contain_text("loaded anew")


def test_a_closed_studio_leaves_the_page_and_its_clips_stay_in_the_notebook(lab: OpenNotebook) -> None:
    notebook = lab(STUDIO, "studio.close()", run=False)
    notebook.run_cell(0)
    fill(notebook, "a koala that stays")
    generate(notebook)
    shown(notebook, "a koala that stays")
    problems: list[str] = []
    notebook.page.on("pageerror", lambda error: problems.append(str(error)))
    notebook.run_cell(1)
    expect(notebook.panel().locator(".vidnb-root")).to_have_count(0)
    expect(saved_videos(notebook)).to_have_count(1)
    expect(saved_videos(notebook).first).to_be_visible()
    assert problems == []


def test_the_cell_run_again_closes_the_studio_of_the_run_before_and_shows_its_clips(lab: OpenNotebook) -> None:
    notebook = lab(STUDIO, "before = studio", "print(before.comm is None, studio.comm is None)", run=False)
    for index in (0, 1):
        notebook.run_cell(index)
    fill(notebook, "a koala of the run before")
    generate(notebook)
    notebook.run_cell(0)
    shown(notebook, "a koala of the run before")
    notebook.run_cell(2)
    assert "True False" in notebook.outputs()[2]


def test_ctrl_s_in_the_form_saves_the_notebook(lab: OpenNotebook) -> None:
    notebook = lab(STUDIO)
    prompt_of(notebook).fill("a koala")
    path = notebook.folder / notebook.path.rsplit("/", 1)[-1]
    assert "vnd.jupyter.widget-view" not in path.read_text(encoding="utf-8")
    prompt_of(notebook).press("Control+s")
    notebook.page.wait_for_function("() => !window.jupyterapp.shell.currentWidget.context.model.dirty")
    assert "vnd.jupyter.widget-view" in path.read_text(encoding="utf-8")
