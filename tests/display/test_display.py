"""What is shown is safe, small, useful without a kernel, and says what a person needs."""

from __future__ import annotations

import ast
import io
import itertools
import json
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from vidnb import catalog, display, params
from vidnb.client.asynchronous import Jobs
from vidnb.clip import Clip
from vidnb.display import clips, live, page
from vidnb.display import host as hosts
from vidnb.display.history import history_html
from vidnb.emulator.clips import Scene, render
from vidnb.errors import JobFailedError, JobTimeoutError
from vidnb.files import Files
from vidnb.media import video as videos
from vidnb.records import Cost, Job, RemoteMedia, State

NOW = datetime(2026, 10, 8, 14, 3, tzinfo=UTC)
PAYLOADS = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</span></div><iframe src=javascript:alert(1)>",
    "<!-- ",
    "]]><style>*{display:none}</style>",
    "&lt;script&gt;",
    "&#x3c;b&#x3e;",
    "\u202ereversed",
    "\x00\x1b[31m\ud800\ufffe",
    "a\nb\r\nc\u2028d",
    "`${alert(1)}`",
    "{0.__class__} %s {{x}}",
    "x" * 5000,
    "</details></pre></video>",
)
HOSTILE = st.one_of(
    st.sampled_from(PAYLOADS),
    st.text(st.characters(), max_size=300),
    st.tuples(st.sampled_from(PAYLOADS), st.text(max_size=20)).map("".join),
)
quick = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(autouse=True)
def _plain_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working folder of one's own, no notebook around, nothing embedded yet."""
    monkeypatch.chdir(tmp_path)
    for name in ("JPY_SESSION_NAME", "JPY_PARENT_PID", "VSCODE_PID", "VSCODE_CWD"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(clips, "_embedded", clips._Embedded())
    monkeypatch.setattr(clips, "host", lambda: "jupyter")


@pytest.fixture(scope="session")
def video() -> bytes:
    return render(Scene("leonardo/motion_2.0", "a koala", seed=7, width_px=320, height_px=192, duration_s=1))


def a_job(**changes: Any) -> Job:
    given: dict[str, Any] = {
        "id": "0123456789abcdef0123456789abcdef",
        "provider": "leonardo",
        "model": "leonardo/motion_2.0",
        "recipe_hash": "ab" * 32,
        "take": 0,
        "state": State.RUNNING,
        "params": {"prompt": "a koala", "seed": 7, "width_px": 832, "height_px": 480, "public": False},
        "images": {},
        "emulated": True,
        "base_url": "http://emulator.vidnb.invalid/api/rest",
        "created_at": NOW,
    }
    return Job(**given | changes)


def done(info: Any, **changes: Any) -> Job:
    ended = {"state": State.DONE, "clip": info, "done_at": NOW + timedelta(seconds=41), "cost": Cost(0.12, "USD")}
    return a_job(**ended | changes)


@pytest.fixture
def make_clip(video: bytes) -> Callable[..., Clip]:
    """`make_clip(data=..., folder=..., **fields of the job)`: a clip in files of its own."""

    def make(data: bytes = video, folder: Path | None = None, **changes: Any) -> Clip:
        files = Files(folder)
        sha256 = files.put(data, ".mp4")
        path = files.path(sha256, ".mp4")
        assert path is not None
        return Clip(done(replace(videos.probe(path), sha256=sha256), **changes), files)

    return make


# -- hostile text ------------------------------------------------------------------------------------------------------

BLOCKS = ("div", "pre", "details", "summary", "table", "thead", "tbody", "tr", "th", "td")
TAGS = {
    "video": {"controls", "loop", "muted", "playsinline", "preload", "width", "height", "poster", "src", "style"},
    "img": {"alt", "width", "height", "src", "style"},
    "span": {"style", "dir", "title"},
    **{name: {"style", "dir"} for name in BLOCKS},
    "div": {"style", "dir", "class"},
    "progress": {"style"},
    "br": set(),
}
SOURCES = ("./", "../", "data:image/webp;base64,", "data:video/mp4;base64,")


class Strict(HTMLParser):
    """Reads HTML and refuses what vidnb does not write."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.texts: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.open: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in TAGS, tag
        for name, value in attrs:
            assert name in TAGS[tag], (tag, name)
            assert name != "class" or value == "mathjax_ignore tex2jax_ignore"
            assert name not in ("src", "poster") or (value or "").startswith(SOURCES)
            assert name != "style" or not {"url", "expression", "var", "@", "\\"} & set((value or "").split("("))
            self.attributes.append((tag, name, value or ""))
        if tag not in ("br", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def handle_comment(self, data: str) -> None:
        pytest.fail(f"a comment: {data!r}")

    handle_decl = handle_pi = unknown_decl = handle_comment

    @property
    def text(self) -> str:
        return "".join(self.texts)


def pages_of(job: Job) -> Iterator[str]:
    yield display.job_html(job)
    yield display.jobs_html([job])
    yield display.progress_html(job, 12.0)
    for state, kind in itertools.product(
        (State.FAILED, State.AMBIGUOUS, State.CANCELLED), ("refused", "service", None)
    ):
        yield display.error_html(replace(job, state=state, error={**(job.error or {}), "kind": kind}))


@quick
@given(text=HOSTILE, other=HOSTILE)
def test_no_text_of_a_job_becomes_markup(text: str, other: str) -> None:
    job = a_job(
        model=other,
        params={
            "prompt": text,
            "negative_prompt": other,
            other: text,
            "styles": [text, other],
            "elements": [{"id": text}],
        },
        images={"start_image": [{"provider": other, "id": text, "kind": other}], text: [{"sha256": other}]},
        wire_status=text,
        error={"message": other, "advice": text, "charged": text, "field": other},
        cost=Cost(1.5, text),
    )
    for html in pages_of(job):
        Strict(html)
        html.encode()  # a notebook file is UTF-8


@quick
@given(text=HOSTILE, other=HOSTILE)
def test_no_text_of_a_clip_becomes_markup(make_clip: Callable[..., Clip], text: str, other: str) -> None:
    clip = make_clip(
        model=other, params={"prompt": text, other: text, "seed": 1}, take=3, cost=Cost(2, other), nsfw=True
    )
    html = display.clip_html(clip)
    shown = Strict(html)
    assert unescape(page.escape(page.shortened(text, 160))) in shown.text
    Strict(display.thumbnail_html(clip) or "")
    html.encode()


@quick
@given(text=HOSTILE, other=HOSTILE)
def test_no_text_of_a_catalogue_or_notice_becomes_markup(text: str, other: str) -> None:
    param = replace(catalog.find("leonardo/MOTION2").params["seed"], help=text, note=other, name=other, default=text)
    model = replace(
        catalog.find("leonardo/MOTION2"), title=text, notes=(other,), sources=(text,), status="retired",
        params={other: param, "styles": replace(param, kind="choices", choices=(text,) * 20)},
        replacement=other, price={"amount": 1, "unit": other},
        rules=(catalog.Rule(when={text: (other,)}, forbid=(text,), why=other),), size_note=text,
    )  # fmt: skip
    Strict(display.model_html(model))
    assert text == "" or Strict(display.notice_html(text)).text != ""


def test_the_checker_of_these_tests_finds_what_it_looks_for() -> None:
    for html in ("<script>1</script>", "<div onclick=x></div>", "<img src='javascript:x'>", "<div>", "<!-- x -->"):
        with pytest.raises((AssertionError, pytest.fail.Exception)):
            Strict(html)


def test_looks_survive_a_notebook_that_is_not_trusted(make_clip: Callable[..., Clip]) -> None:
    # JupyterLab drops <style>, var(...), currentColor and aspect-ratio there.
    for html in (display.clip_html(make_clip()), *pages_of(a_job()), display.model_html(catalog.find("leonardo/VEO3"))):
        for lost in ("<style", "var(", "currentcolor", "inherit", "aspect-ratio", "anywhere", "object-fit"):
            assert lost not in html.lower()


# -- the way to the video ----------------------------------------------------------------------------------------------


def test_a_file_below_the_notebook_is_played_from_there_by_its_encoded_relative_path(
    make_clip: Callable[..., Clip], tmp_path: Path
) -> None:
    clip = make_clip(folder=tmp_path / "my clips #1 100% ü?")
    way = display.route(clip, "jupyter", 0)
    assert way.kind == "file"
    assert "#" not in way.src
    assert "?" not in way.src
    assert (tmp_path / unquote(way.src)).read_bytes() == clip.read()
    assert f'src="{way.src}"' in display.clip_html(clip)


def test_the_path_starts_at_the_notebook_even_after_the_kernel_changed_its_folder(
    make_clip: Callable[..., Clip], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = make_clip(folder=tmp_path / "files")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert is_linked(display.route(clip, "jupyter", 0))
    monkeypatch.setenv("JPY_SESSION_NAME", str(tmp_path / "note.ipynb"))
    assert display.route(clip, "jupyter", 0).src.startswith("./files/")


def test_a_file_beside_the_notebooks_folder_is_reached_if_the_server_serves_it(
    make_clip: Callable[..., Clip], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = make_clip(folder=tmp_path / "served" / "shared")
    (tmp_path / "served" / "course").mkdir()
    monkeypatch.chdir(tmp_path / "served" / "course")
    (tmp_path / "jpserver-4711.json").write_text(json.dumps({"root_dir": str(tmp_path / "served")}))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path))
    assert is_linked(display.route(clip, "jupyter", 0))
    pytest.importorskip("jupyter_core.paths")
    monkeypatch.setenv("JPY_PARENT_PID", "4711")
    assert display.route(clip, "jupyter", 0).src.startswith("../shared/")
    outside = make_clip(folder=tmp_path / "not served")
    assert is_linked(display.route(outside, "jupyter", 0))


def is_linked(way: display.Route) -> bool:
    """Whether the video is reached by a link beside the notebook."""
    return way.kind == "file" and way.src.startswith("./vidnb-clips/")


def test_a_file_where_no_server_reaches_is_linked_beside_the_notebook(
    make_clip: Callable[..., Clip], tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    for folder in (tmp_path / ".cache", tmp_path_factory.mktemp("far")):  # hidden ones are served by none
        clip = make_clip(folder=folder)
        way = display.route(clip, "jupyter", 0)
        assert is_linked(way)
        assert (tmp_path / way.src).read_bytes() == clip.read()
        assert display.route(clip, "jupyter", 0) == way
    assert str(tmp_path) not in display.clip_html(clip)


def test_where_nothing_can_be_written_beside_the_notebook_the_kernel_sends_the_video(
    make_clip: Callable[..., Clip], tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    (tmp_path / "vidnb-clips").write_text("a file in the way")
    clip = make_clip(folder=tmp_path_factory.mktemp("far"))
    assert display.route(clip, "jupyter", 0).kind == "kernel"


@pytest.mark.parametrize("host", ["vscode", "colab", "voila"])
def test_where_relative_paths_fail_small_clips_are_embedded_and_large_ones_sent_by_the_kernel(
    make_clip: Callable[..., Clip], monkeypatch: pytest.MonkeyPatch, host: hosts.Host
) -> None:
    clip = make_clip()
    assert display.route(clip, host, clip.info.size_bytes).kind == "embed"
    assert display.route(clip, host, clip.info.size_bytes - 1).kind == "kernel"
    monkeypatch.setattr(clips, "host", lambda: host)
    monkeypatch.setattr(clips, "EMBED_BYTES", 0)
    bundle = clip._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert "<img" in bundle["text/html"]  # what stays without a kernel


def test_marimo_plays_from_its_own_server(make_clip: Callable[..., Clip], monkeypatch: pytest.MonkeyPatch) -> None:
    clip = make_clip()
    shown = SimpleNamespace(text="<video src='./@file/1234-koala.mp4' controls></video>")
    monkeypatch.setitem(sys.modules, "marimo", SimpleNamespace(video=lambda source: shown))
    assert display.route(clip, "marimo", 0).src == "./@file/1234-koala.mp4"
    shown.text = "<video src='data:video/mp4;base64,AAAA'></video>"  # in a browser alone there is no server
    assert display.route(clip, "marimo", 0).kind == "poster"


def test_a_page_sent_without_its_folder_says_why_nothing_plays(make_clip: Callable[..., Clip], tmp_path: Path) -> None:
    html = Strict(display.clip_html(make_clip()))
    (dot,) = [value for _, name, value in html.attributes if name == "src" and (value or "").endswith(".gif")]
    (words,) = [value for _, name, value in html.attributes if name == "alt" and "not sent along" in (value or "")]
    assert (tmp_path / unquote(dot)).stat().st_size < 60
    assert "It lies in vidnb-data/files/" in words


def test_embedding_is_done_and_refused_on_request(make_clip: Callable[..., Clip]) -> None:
    clip = make_clip()
    assert display.route(clip, "jupyter", 0, embed=True).kind == "embed"
    assert display.route(clip, "vscode", 10**9, embed=False).kind == "kernel"
    assert "data:video/mp4" in display.clip_html(clip, embed=True)


def test_embedding_a_large_clip_says_so(make_clip: Callable[..., Clip], video: bytes) -> None:
    # A "free" box at the end: a larger file, the same video.
    padded = video + (3_100_000 - len(video)).to_bytes(4, "big") + b"free" + bytes(3_100_000 - len(video) - 8)
    assert "3.1 MB of video are saved in this notebook" in display.clip_html(make_clip(padded), embed=True)


def test_no_page_names_this_machine(
    make_clip: Callable[..., Clip], tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    far = tmp_path_factory.mktemp("far")
    picture = {"start_image": [{"sha256": "cd" * 32, "extension": "png"}]}
    shown = [
        display.clip_html(make_clip(folder=folder, images=picture), embed=embed)
        for folder, embed in itertools.product((None, far), (None, True, False))
    ]
    gone = make_clip(folder=far)
    gone.path.unlink()
    shown += [display.clip_html(gone), *pages_of(a_job())]
    for html in shown:
        assert str(tmp_path) not in html
        assert str(far) not in html
        assert "127.0.0.1" not in html
        assert "localhost" not in html
        assert "http" not in html


def test_a_clip_whose_file_is_gone_still_shows_its_recipe(make_clip: Callable[..., Clip]) -> None:
    clip = make_clip()
    clip.path.unlink()
    text = Strict(display.clip_html(clip)).text
    assert "a koala" in text
    assert "not in the data folder" in text
    assert display.thumbnail_html(clip) is None


# -- the budget --------------------------------------------------------------------------------------------------------


def noise() -> bytes:
    """A picture that compresses as badly as any."""
    sink = io.BytesIO()
    pixels = np.random.default_rng(7).integers(0, 255, (480, 832, 3), np.uint8)
    Image.fromarray(pixels).save(sink, "WEBP", quality=95)
    return sink.getvalue()


def test_the_hardest_poster_stays_below_ten_thousand_bytes(make_clip: Callable[..., Clip]) -> None:
    clip = make_clip()
    clip.__dict__["poster"] = noise()
    poster = clips.poster_of(clip)
    assert poster is not None
    assert len(poster) <= 10_000
    assert Image.open(io.BytesIO(poster)).format == "WEBP"
    thumb = display.thumbnail_html(clip)
    assert thumb is not None
    assert len(thumb) < 4_000 * 4 / 3 + 400


@pytest.mark.parametrize("host", ["jupyter", "vscode"])
def test_24_clips_add_less_than_one_megabyte_and_each_shows_poster_and_recipe(
    make_clip: Callable[..., Clip], video: bytes, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    monkeypatch.setattr(clips, "host", lambda: host)
    padding = 200_000 - len(video)
    heavy = noise()
    shown = []
    for number in range(24):
        box = padding.to_bytes(4, "big") + b"free" + bytes([number]) * (padding - 8)
        clip = make_clip(video + box, params={"prompt": f'"{number}" <' + "& 'words' " * 900, "seed": number})
        clip.__dict__["poster"] = heavy
        shown.append(display.clip_html(clip))
    saved = json.dumps([{"text/html": [*html.splitlines(True)]} for html in shown], ensure_ascii=False)
    assert len(saved.encode()) < 1_000_000
    for number, html in enumerate(shown):
        found = Strict(html)
        assert any(
            value.startswith("data:image/webp") for _, name, value in found.attributes if name in ("src", "poster")
        )
        assert f"seed {number}" in found.text
    kinds = [
        any(name == "src" and value.startswith("data:video") for _, name, value in Strict(html).attributes)
        for html in shown
    ]
    assert sum(kinds) == (2 if host == "vscode" else 0)


# -- the caption -------------------------------------------------------------------------------------------------------


def test_the_caption_says_what_was_asked_what_it_cost_and_what_came(make_clip: Callable[..., Clip]) -> None:
    text = Strict(display.clip_html(make_clip(take=2))).text
    for words in ("EMULATED", "leonardo/motion_2.0", "seed 7", "size 832×480", "take 2",
                  "$0.12 (emulated, not charged)",
                  "took 41 s", "320×192 px (asked for 832×480)", "1 s", "24 fps", "job 01234567"):  # fmt: skip
        assert words in text, words
    assert "public" not in text.split("recipe as Python")[0]


def test_a_param_at_the_models_own_default_is_no_chip() -> None:
    usual = {"prompt": "x", "prompt_enhance": "off", "motion_control_weight": 1, "resolution": "480p"}
    assert clips.shown_params(a_job(params=usual)) == [("resolution", "480p")]
    other = {"prompt": "x", "prompt_enhance": "on", "motion_control_weight": 2}
    assert clips.shown_params(a_job(params=other)) == [("prompt enhance", "on"), ("motion control weight", "2")]
    gone = a_job(params={"prompt": "x", "prompt_enhance": "off"}, model="gone/model")
    assert clips.shown_params(gone) == [("prompt enhance", "off")]


def test_only_emulated_clips_say_emulated(make_clip: Callable[..., Clip]) -> None:
    assert "EMULATED" not in display.clip_html(make_clip(emulated=False))


def test_a_long_prompt_is_cut_and_folded_and_a_short_one_is_not(make_clip: Callable[..., Clip]) -> None:
    long = " ".join(f"word{number}" for number in range(60))
    text = Strict(display.clip_html(make_clip(params={"prompt": long}))).text
    assert f"whole prompt, {len(long)} characters" in text
    assert long in text
    assert "whole prompt" not in display.clip_html(make_clip())
    assert "whole prompt" not in display.clip_html(make_clip(params={"prompt": "an ellipsis is no cut…"}))


# -- recipe as Python --------------------------------------------------------------------------------------------------


def called(code: str) -> tuple[list[Any], dict[str, Any]]:
    """The arguments of the one call in a piece of code."""
    call = ast.parse(code, mode="eval").body
    assert isinstance(call, ast.Call)
    assert ast.unparse(call.func) == "vidnb.generate"
    keywords: dict[str, Any] = {}
    for keyword in call.keywords:
        value = ast.literal_eval(keyword.value)
        keywords |= value if keyword.arg is None else {keyword.arg: value}
    return [ast.literal_eval(argument) for argument in call.args], keywords


@quick
@given(
    prompt=HOSTILE,
    name=HOSTILE,
    value=st.one_of(HOSTILE, st.lists(HOSTILE), st.integers(), st.floats(allow_nan=False, allow_infinity=False)),
)
def test_the_recipe_is_one_python_call_with_just_these_values(
    make_clip: Callable[..., Clip], prompt: str, name: str, value: Any
) -> None:
    clip = make_clip(
        params={"prompt": prompt, "seed": 7, f"x{name}": value, "elements": [{"id": prompt, "weight": 1.5}]}
    )
    arguments, keywords = called(display.recipe_code(clip))
    assert arguments == ([prompt] if prompt else [])
    assert keywords == {
        "model": clip.model, "seed": 7, f"x{name}": value, "elements": [{"id": prompt, "weight": 1.5}],
    }  # fmt: skip


@pytest.mark.parametrize("model_id", ["leonardo/motion_2.0", "leonardo/MOTION2", "leonardo/VEO3"])
def test_the_recipe_asks_for_the_same_recipe(make_clip: Callable[..., Clip], model_id: str) -> None:
    request = params.validate(catalog.find(model_id), {"prompt": "a 'koala'\n\"x\"", "resolution": "720p"})
    clip = make_clip(model=model_id, params=request.params, recipe_hash=request.recipe.recipe_hash)
    (prompt,), values = called(display.recipe_code(clip))
    assert values.pop("model") == model_id
    again = params.validate(catalog.find(model_id), {"prompt": prompt, **values})
    assert again.recipe.recipe_hash == request.recipe.recipe_hash


def test_the_recipe_names_inputs_that_python_can_read(make_clip: Callable[..., Clip]) -> None:
    clip = make_clip()
    sha256 = clip._files.put(b"picture", ".png")
    images = {
        "start_image": [{"sha256": sha256, "extension": "png"}],
        "end_image": [{"sha256": "ef" * 32, "extension": "jpg"}],
        "reference_images": [{"provider": "leonardo", "id": "x'y", "kind": "GENERATED"}] * 2,
    }
    code = display.recipe_code(Clip(replace(clip.job, images=images), clip._files))
    call = ast.parse(code, mode="eval").body
    assert isinstance(call, ast.Call)
    made = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
    assert Path(ast.literal_eval(made["start_image"])).read_bytes() == b"picture"
    assert made["end_image"] == f"'{'ef' * 8}.jpg'"
    remote = RemoteMedia("leonardo", "x'y", "GENERATED")
    assert eval(made["reference_images"], {"vidnb": type("m", (), {"RemoteMedia": RemoteMedia})}) == [remote, remote]


# -- cards -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ({"kind": "key", "message": "Invalid key", "charged": False, "advice": "check the key"},
         ["did not accept the key", "Invalid key", "check the key"]),
        ({"kind": "refused", "message": "blocked by moderation", "charged": False}, ["refused", "Input", "prompt"]),
        ({"kind": "refused", "message": "seed must be at most 5", "charged": False}, ["Input", "seed"]),
        ({"kind": "refused", "message": "no", "charged": False}, ["does not say which", "change the prompt"]),
        ({"kind": "service", "message": "internal", "charged": None}, ["The service failed", "not known"]),
        ({}, ["The service failed", "What to do", "run the cell again"]),
    ],
)  # fmt: skip
def test_the_card_of_a_failed_job_says_whose_fault_and_what_to_do(error: dict[str, Any], words: list[str]) -> None:
    text = Strict(display.error_html(a_job(state=State.FAILED, error=error, emulated=False))).text
    for word in [*words, "At fault", "Charged", "job 01234567"]:
        assert word in text, word


@pytest.mark.parametrize(
    ("charged", "emulated", "said"),
    [(True, False, "yes $0.12"), (False, False, "no"), (None, False, "not known"),
     (True, True, "no, it is emulated: the real service would have charged $0.12"),
     (False, True, "no, it is emulated: neither would the real service"), (None, True, "no, it is emulated")],
)  # fmt: skip
def test_the_card_says_whether_the_job_was_charged(charged: bool | None, emulated: bool, said: str) -> None:
    job = a_job(state=State.FAILED, error={"charged": charged}, cost=Cost(0.12, "USD"), emulated=emulated)
    text = Strict(display.error_html(job)).text
    assert f"Charged{said}" in text


def test_the_card_of_an_ambiguous_job_never_suggests_to_run_the_cell_again() -> None:
    text = Strict(display.error_html(a_job(state=State.AMBIGUOUS, emulated=False))).text
    assert "vidnb.reconcile('01234567')" in text
    assert "send_again" in text
    assert "not sent a second time" in text
    assert "run the cell again" not in text


def test_the_card_of_a_finished_job_without_a_clip_says_so_and_how_to_end_it() -> None:
    lost = a_job(
        state=State.AMBIGUOUS, remote_id="r-1", error={"message": "COMPLETE without a clip", "kind": "no clip"}
    )
    text = Strict(display.error_html(lost)).text
    assert "no clip can be found" in text
    assert "COMPLETE without a clip" in text
    assert "send_again" not in text
    assert """vidnb.settle('01234567', "give_up") ends the job""" in text


def test_an_emulated_ambiguous_job_may_simply_be_sent_again() -> None:
    text = Strict(display.error_html(a_job(state=State.AMBIGUOUS))).text
    assert """vidnb.settle('01234567', "send_again") costs nothing""" in text
    assert "web app" not in text


@pytest.mark.parametrize("show", [display.jobs_html, lambda jobs: history_html(jobs, len(jobs))])
def test_lists_tell_the_next_step_of_an_ambiguous_job_alone(show: Callable[[list[Job]], str]) -> None:
    text = Strict(show([a_job(state=State.AMBIGUOUS, emulated=False)])).text
    assert """look in the web app, and vidnb.settle('01234567', "send_again") or "give_up\"""" in text
    assert "settle" not in show([a_job(), a_job(state=State.FAILED)])


@pytest.mark.parametrize("show", [display.jobs_html, lambda jobs: history_html(jobs, len(jobs))])
def test_lists_never_show_an_emulated_cost_as_a_real_one(show: Callable[[list[Job]], str]) -> None:
    job = a_job(state=State.FAILED, cost=Cost(0.643, "USD"))
    assert "$0.643 (emulated" in Strict(show([job])).text
    real = Strict(show([replace(job, emulated=False)])).text
    assert "$0.643" in real
    assert "(emulated" not in real


def test_a_table_of_many_jobs_counts_states_and_says_how_many_are_left_out() -> None:
    jobs = [a_job(state=state) for state in [State.DONE] * 60 + [State.FAILED] * 2]
    text = Strict(display.jobs_html(jobs)).text
    assert "60 done · 2 failed" in text
    assert "and 12 more" in text
    assert "No jobs" in display.jobs_html([])


def test_a_status_word_that_vidnb_does_not_know_is_shown() -> None:
    assert "running (WARMING_UP)" in Strict(display.job_html(a_job(wire_status="WARMING_UP"))).text
    assert "running (" not in Strict(display.job_html(a_job(wire_status="PENDING"))).text


def test_every_model_of_the_catalogue_is_explained() -> None:
    for model in catalog.load().values():
        text = Strict(display.model_html(model)).text
        assert model.title in text
        assert all(name in text for name in model.params)
        if model.is_retired:
            assert "RETIRED" in text
            assert not model.retired_on or str(model.retired_on) in text
            assert not model.replacement or model.replacement in text


def test_rules_are_said_in_words() -> None:
    rule = catalog.Rule(when={"mode": ("image",)}, given=("end_image",), require=("start_image",), why="so the guide")
    assert catalog.words.rule(rule) == "with mode image and end_image: needs start_image (so the guide)"
    narrow = catalog.Rule(when={"resolution": ("1080p",)}, param="duration_s", choices=(8,), max=8)
    assert catalog.words.rule(narrow) == "with resolution 1080p: duration_s is one of 8, at most 8"
    assert catalog.words.rule(catalog.Rule(given=("a", "b"), refuse=True)) == "with a and b: not allowed"


def test_the_models_frame_has_a_row_for_each_model_and_hides_retired_ones() -> None:
    models = catalog.load()
    everything = display.models_frame(models, retired=True)
    assert list(everything["id"]) == list(models)
    active = display.models_frame(models, provider="leonardo")
    assert not (active.status == "retired").any()
    assert (everything.set_index("id").loc["leonardo/MOTION2", "prompt_max"] is None) is False
    row = everything.set_index("id").loc["leonardo/SVD"]
    assert (row["motion_strength"], row["start_image"], row["end_image"]) == ("1 to 10", "required", "")
    assert str(everything.dtypes["prompt_max"]) == "Int64"


@pytest.mark.parametrize(
    ("value", "said"), [(0.84, "0.8 s"), (9.96, "10 s"), (59.6, "1 min"), (200, "3 min 20 s"), (7260, "2 h 1 min")]
)
def test_spans_of_time_read_naturally(value: float, said: str) -> None:
    assert page.seconds(value) == said


# -- where it is shown -------------------------------------------------------------------------------------------------


class Shell:
    def __init__(self, kernel: object = None, **names: object) -> None:
        self.kernel = kernel
        self.user_ns = names


@pytest.mark.parametrize(
    ("shell", "environment", "expected"),
    [
        (None, {}, "none"),
        (Shell(), {}, "ipython"),
        (Shell(kernel="yes"), {}, "jupyter"),
        (Shell(kernel="yes"), {"VSCODE_PID": "1"}, "vscode"),
        (Shell(kernel="yes", __vsc_ipynb_file__="x.ipynb"), {}, "vscode"),
        (Shell(kernel="yes"), {"VSCODE_CWD": "/x", "JPY_SESSION_NAME": "/x/y.ipynb"}, "jupyter"),
    ],
)
def test_the_host_is_told_by_its_marks(
    monkeypatch: pytest.MonkeyPatch, shell: Shell | None, environment: dict[str, str], expected: str
) -> None:
    import IPython

    monkeypatch.setattr(IPython, "get_ipython", lambda: shell)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert display.host() == expected


def test_a_plain_process_is_left_alone(capfd: pytest.CaptureFixture[str]) -> None:
    display.say("a notice")
    with display.ProgressLine(a_job()) as progress:
        progress.update(a_job(state=State.DONE))
    assert capfd.readouterr() == ("", "")


class Screen:
    """A sink that remembers."""

    def __init__(self) -> None:
        self.shown: list[str] = []
        self.closed: list[str] = []

    def __call__(self, html: str, text: str) -> Screen:
        self.shown.append(html)
        return self

    def update(self, html: str, text: str) -> None:
        self.shown.append(html)

    def close(self, html: str) -> None:
        self.closed.append(html)


def test_the_line_is_written_only_when_it_would_show_something_new() -> None:
    screen, times = Screen(), iter((0.0, 0.0, 0.2, 0.9, 1.1, 1.2, 1.3))
    progress = display.ProgressLine(a_job(), sink=screen, clock=lambda: next(times))
    progress._shown, progress._sink = progress._render(), screen
    assert [progress.refresh() for _ in range(4)] == [False, False, True, False]
    progress.update(a_job(state=State.DOWNLOADING))
    assert progress.refresh()
    assert "downloading" in screen.shown[-1]


def test_the_line_goes_when_the_clip_is_there_and_becomes_a_card_when_there_is_none() -> None:
    screen = Screen()
    with display.ProgressLine(a_job(), sink=screen) as progress:
        progress.update(a_job(state=State.DONE))
    assert screen.closed == [""]
    failed = a_job(state=State.FAILED, error={"kind": "refused", "message": "too rude"})
    with pytest.raises(JobFailedError), display.ProgressLine(a_job(), sink=screen):
        raise JobFailedError("x", failed)
    assert "too rude" in screen.closed[-1]
    with pytest.raises(JobTimeoutError), display.ProgressLine(a_job(), sink=screen):
        raise JobTimeoutError("x", a_job())
    assert screen.closed[-1] == ""


def test_a_job_that_is_done_already_shows_no_line() -> None:
    screen = Screen()
    with display.ProgressLine(a_job(state=State.DONE), sink=screen):
        pass
    assert (screen.shown, screen.closed) == ([], [])


def test_the_line_takes_updates_from_any_thread_and_ends_its_own() -> None:
    screen = Screen()
    states = list(itertools.islice(itertools.cycle([State.QUEUED, State.RUNNING]), 200))
    with display.ProgressLine(a_job(), sink=screen) as progress:
        threads = [
            threading.Thread(target=lambda: [(progress.update(a_job(state=s)), progress.refresh()) for s in states])
            for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        progress.update(a_job(state=State.DOWNLOADING))
        progress.refresh()
        assert "downloading" in screen.shown[-1]
    written = len(screen.shown)
    assert progress.refresh() is False
    assert len(screen.shown) == written


def test_a_broken_page_does_not_end_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "TICK_S", 0.001)
    broke = threading.Event()

    class Broken(Screen):
        def update(self, html: str, text: str) -> None:
            broke.set()
            raise ConnectionError("the page is gone")

    with display.ProgressLine(a_job(), sink=Broken()) as progress:
        progress.update(a_job(state=State.DOWNLOADING))
        assert broke.wait(30)


CELL = """
import time
from datetime import datetime, UTC
from vidnb import display
from vidnb.errors import JobFailedError
from vidnb.records import Job, State
def job(state, **more):
    return Job("0123456789abcdef", "leonardo", "leonardo/motion_2.0", "h", 0, state, {"prompt": "a koala"}, {}, True,
               "http://x", datetime.now(UTC), **more)
"""
WAITING = "with display.ProgressLine(job(State.RUNNING)) as p:\n    p.update(job(State.DOWNLOADING))"
FAILING = (
    "with display.ProgressLine(job(State.RUNNING)) as p:\n"
    "    raise JobFailedError('x', job(State.FAILED, error={'kind': 'refused', 'message': 'too rude'}))"
)


def test_in_a_kernel_the_line_is_one_output_that_ends_empty_or_as_the_card() -> None:
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError

    cells = [CELL, WAITING, "print(display.host())\ndisplay.say('a <b>notice</b>')", FAILING]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    with pytest.raises(CellExecutionError, match="JobFailedError"):
        NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    outputs = [[out for out in cell.outputs if out.output_type == "display_data"] for cell in notebook.cells]
    assert [out.data["text/html"] for out in outputs[1]] == [""]
    assert notebook.cells[2].outputs[0].text == "jupyter\n"
    assert "a &lt;b&gt;notice&lt;/b&gt;" in outputs[2][0].data["text/html"]
    assert [("too rude" in out.data["text/html"]) for out in outputs[3]] == [True]


def test_every_name_that_other_modules_use_is_there() -> None:
    package = Path(display.__file__).parents[1]
    used = {
        node.attr
        for source in package.rglob("*.py")
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "display"
    }
    assert {"jobs_html", "models_frame", "ProgressLine"} <= used
    assert used <= set(display.__all__)
    assert sorted(display.__all__) == display.__all__


def test_what_a_cell_gets_is_plain_text(make_clip: Callable[..., Clip]) -> None:
    # marimo's encoder makes an object of a subclass of str, and its page refuses that.
    clip = make_clip()
    shown = [clip._repr_mimebundle_()["text/html"], clip.job._repr_html_(), Jobs([clip.job])._repr_html_()]
    shown.append(catalog.find("leonardo/motion_2.0")._repr_html_())
    assert {type(html) for html in shown} == {str}
