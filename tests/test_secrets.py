"""A canary key, and the signatures of links, searched for wherever vidnb writes, prints or sends."""

from __future__ import annotations

import logging
import traceback
from pathlib import Path
from traceback import walk_tb
from typing import Any

import nbformat
import pytest
from fakes import CANARY, LiveNames, Recorder, Scripted, picture, short_rest
from httpx import Response
from nbclient import NotebookClient

from vidnb import providers
from vidnb.client.asynchronous import AsyncClient
from vidnb.client.verbs import Client
from vidnb.emulator import Emulator, StreamingASGITransport
from vidnb.errors import JobFailedError, TransportError, VidnbError
from vidnb.net.target import target
from vidnb.net.wire import check_link

SIGNATURE = "X-Amz-Signature"


def written_below(folder: Path) -> bytes:
    """All bytes that lie in a folder, names included."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return b"".join(str(path).encode() + path.read_bytes() for path in files)


@pytest.mark.anyio
@pytest.mark.parametrize(
    "fault",
    [None, "bad_key", "inactive_key", "no_credits", "moderation", "500", "lost_reply", "busy", "no_id", "reset"],
)
async def test_no_key_and_no_signature_is_written_logged_shown_or_sent_elsewhere(
    tmp_path: Path, fault: str | None, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    emulator = Emulator(tmp_path / "service", latency_s=0.05, faults=[f"{fault}:submit:2"] if fault else [])
    recorder = Recorder(LiveNames(StreamingASGITransport(emulator.app)))
    home, shown = tmp_path / "data", []
    jobs = [
        ({"prompt": "x", "model": "leonardo/MOTION2", "start_image": picture()}),
        ({"model": "1min/leonardo-motion", "start_image": picture(), "motion_strength": 3}),
    ]
    with caplog.at_level(logging.DEBUG):
        async with AsyncClient(
            home, keys={"leonardo": CANARY, "1min": CANARY}, transport=recorder, sleep=short_rest
        ) as client:
            for values in jobs:
                try:
                    clip = await client.generate(**values)
                    shown += [repr(clip), str(clip._repr_mimebundle_())]
                except VidnbError as error:
                    shown += ["".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())]
            shown += [repr(client), repr(vars(client)), client.jobs()._repr_html_(), repr(client.jobs())]
            shown += [client.history()._repr_html_(), client.history().df.to_csv()]
    assert recorder.requests, "nothing was sent at all"
    printed = capfd.readouterr()
    for text in (*shown, caplog.text, printed.out, printed.err, written_below(home).decode("latin-1")):
        assert CANARY not in text
        assert SIGNATURE not in text
    elsewhere = [r for r in recorder.requests if r.url.host not in ("cloud.leonardo.ai", "api.1min.ai")]
    for request in elsewhere:
        assert CANARY.encode() not in request.headers.get("authorization", "").encode() + request.url.query
        assert CANARY not in str(request.headers.raw)


def test_a_notebook_that_was_run_with_a_key_holds_no_trace_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The key is in the environment, and an address refuses it: even the verbose traceback must not show it."""
    monkeypatch.setenv("LEONARDO_API_KEY", CANARY)
    monkeypatch.setenv("LEONARDO_BASE_URL", "http://127.0.0.1:9/api/rest")
    cells = [
        "%xmode Verbose\nimport vidnb, logging; logging.basicConfig(level=logging.DEBUG)",
        "vidnb.generate('x', seed=1)",
        "client = vidnb.Client(); client, client.asynchronous, vars(client.asynchronous)",
        "vidnb.jobs()",
        "vidnb.history()",
        "vidnb.Studio()",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    NotebookClient(
        notebook, kernel_name="python3", allow_errors=True, resources={"metadata": {"path": tmp_path}}
    ).execute()
    text = nbformat.writes(notebook)
    assert "nothing was sent" in text
    assert CANARY not in text


@pytest.mark.parametrize(
    "url", ["postgresql://me:{}@127.0.0.1:1/db", "mysql://me:{}@h/db", "postgresql://me:{}@h:port/db"]
)
def test_a_database_that_cannot_be_opened_shows_its_password_nowhere(url: str, tmp_path: Path) -> None:
    """Not in the client, not in the error, and not among the locals of a traceback."""
    client = Client(tmp_path, database_url=url.format(CANARY), files_url=f"s3://me:{CANARY}@bucket/clips")
    assert CANARY not in f"{client!r} {vars(client)!r} {vars(client.asynchronous)!r}"
    with pytest.raises(VidnbError) as caught:
        client.jobs()
    error: BaseException | None = caught.value
    shown = [str(error), repr(error)]
    trace = error.__traceback__ if error is not None else None
    while trace is not None:
        if trace.tb_frame.f_code.co_filename != __file__:
            shown += [repr(value) for value in trace.tb_frame.f_locals.values()]
        trace = trace.tb_next
    while error is not None:
        shown += [repr(vars(error)), repr(getattr(getattr(error, "pgconn", None), "info", ""))]
        error = error.__cause__ or error.__context__
        assert error is None or error.__traceback__ is None or "psycopg" not in type(error).__module__
    assert CANARY not in "\n".join(shown)
    client.close()


@pytest.mark.anyio
async def test_a_service_that_repeats_the_key_tells_it_to_nobody(tmp_path: Path) -> None:
    answer = {"error": f"invalid key {CANARY}", CANARY: [CANARY]}
    refusing = Scripted(lambda request: Response(401, json=answer))
    settings: dict[str, Any] = {"keys": {"leonardo": CANARY}, "transport": refusing}
    async with AsyncClient(tmp_path, **settings) as client:
        with pytest.raises(JobFailedError, match=r"the key was refused"):
            await client.generate("a koala")
        assert CANARY not in repr(client.jobs()[0])


def test_an_address_that_is_refused_is_not_among_the_locals_of_a_traceback() -> None:
    where = target(providers.get("leonardo"), key=CANARY)
    with pytest.raises(TransportError, match="no address") as caught:
        check_link(f"http://[bad?X-Amz-Signature={CANARY}", where)
    frames = [frame for frame, _ in walk_tb(caught.value.__traceback__) if frame.f_code.co_filename != __file__]
    assert frames
    assert CANARY not in repr([frame.f_locals for frame in frames]) + repr(caught.value.__context__)
