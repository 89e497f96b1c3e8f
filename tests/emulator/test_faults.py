"""Every fault does what its name says, where it is asked for and as often."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from lab import LEONARDO, ONEMIN, V1, Lab, lab

from vidnb.emulator import Fault, parse_fault
from vidnb.emulator.faults import KINDS
from vidnb.errors import ConfigError

pytestmark = pytest.mark.anyio


# Scripting


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("429", Fault("429", on="any")),
        ("429:0.1", Fault("429", on="any", probability=0.1)),
        ("lost_reply:submit:1", Fault("lost_reply", on="submit", times=1)),
        ("lost_reply", Fault("lost_reply", on="submit")),
        ("slow:1min:2.5s", Fault("slow", on="any", provider="1min", seconds=2.5)),
        ("502:poll:after3:2", Fault("502", on="poll", after=3, times=2)),
    ],
)
def test_a_short_text_says_a_fault(text: str, fault: Fault) -> None:
    assert parse_fault(text) == fault


@pytest.mark.parametrize("text", ["418", "429:sometimes", "429:1.5", ""])
def test_a_text_that_says_none_is_an_error(text: str) -> None:
    with pytest.raises(ConfigError):
        parse_fault(text)


async def statuses(it: Lab, times: int) -> list[int]:
    return [(await it.get(f"{V1}/me")).status_code for _ in range(times)]


async def test_a_count_and_a_start_are_kept() -> None:
    async with lab(faults=[Fault("503", on="account", times=2, after=1)]) as it:
        assert await statuses(it, 5) == [200, 503, 503, 200, 200]


async def test_a_chance_repeats_with_its_seed() -> None:
    runs = []
    for seed in (1, 1, 2):
        async with lab(faults=["503:0.5"], seed=seed) as it:
            runs.append(await statuses(it, 40))
    assert runs[0] == runs[1] != runs[2]
    assert 5 < runs[0].count(503) < 35


async def test_a_fault_is_for_one_operation_or_provider() -> None:
    async with lab(faults=["500:poll", "503:1min"]) as it:
        assert (await statuses(it, 1)) == [200]
        job_id = await it.job()
        assert (await it.get(f"{V1}/generations/{job_id}")).status_code == 500
        assert (await it.feature()).status_code == 503


# What each does


@pytest.mark.parametrize("status", ["429", "500", "502", "503", "504", "520", "522", "524"])
async def test_a_status_is_answered_and_nothing_is_done(status: str) -> None:
    async with lab() as it:
        for reply in (await it.v2(fault=status), await it.feature(fault=status)):
            assert reply.status_code == int(status)
            assert ("html" in reply.headers["content-type"]) == (int(status) in (502, 503, 504, 520, 522, 524))
        assert it.emulator.stats()["jobs"] == 0


async def test_retry_after_is_sent_where_it_is_asked_for() -> None:
    async with lab() as it:
        assert "retry-after" not in (await it.v2(fault="429")).headers
        assert (await it.v2(fault="429:7s")).headers["retry-after"] == "7"


@pytest.mark.parametrize(
    ("fault", "error", "jobs"),
    [
        ("reset", httpx.RemoteProtocolError, 0),
        ("connect_error", httpx.ConnectError, 0),
        ("lost_reply", httpx.RemoteProtocolError, 1),
        ("lost_reply_midway", httpx.RemoteProtocolError, 1),
    ],
)
async def test_a_connection_breaks_before_or_after_the_job_was_made(
    fault: str, error: type[Exception], jobs: int
) -> None:
    async with lab() as it:
        with pytest.raises(error):
            await it.v2(fault=fault)
        with pytest.raises(error):
            await it.feature(fault=fault)
        assert it.emulator.stats()["jobs"] == 2 * jobs
        assert it.emulator.stats()["operations"] == {"leonardo submit": 1, "1min submit": 1}


async def test_a_lost_reply_of_a_refusal_is_not_lost() -> None:
    async with lab(faults=["lost_reply:1"]) as it:
        reply = await it.feature("nonsense")
        assert reply.status_code == 400


async def test_a_slow_answer_meets_the_read_timeout() -> None:
    async with lab(faults=["slow:1:60s"]) as it:
        it.client.timeout = httpx.Timeout(0.02)
        with pytest.raises(httpx.ReadTimeout):
            await it.v2()
        it.client.timeout = httpx.Timeout(5)
        assert (await it.v2()).status_code == 200


@pytest.mark.parametrize(("fault", "text"), [("1010", "error code: 1010"), ("1015", "error code: 1015")])
async def test_the_edge_refuses_in_plain_text(fault: str, text: str) -> None:
    async with lab() as it:
        reply = await it.feature(fault=fault)
        assert (reply.status_code, reply.text) == (403, text)


async def test_a_good_key_can_be_refused() -> None:
    async with lab() as it:
        assert (await it.v2(fault="bad_key")).json()["error"] == "Invalid response from authorization hook"
        assert (await it.v2(fault="inactive_key")).status_code == 401
        assert (await it.feature(fault="bad_key")).json()["message"] == "API Key has been deleted"
        assert (await it.feature(fault="inactive_key")).json()["message"].startswith("API Key is not active")


async def test_leonardo_answers_in_shapes_of_its_own() -> None:
    async with lab() as it:
        assert "generationId" in (await it.v2(fault="no_wrapper")).json()
        assert "generationId" not in (await it.v2(fault="no_id")).json()["generate"]
        assert (await it.v2(fault="errors_200")).json()["errors"][0]["message"] == "Service Error"
        limited = await it.v2(fault="429_in_200")
        assert (limited.status_code, limited.json()[0]["extensions"]["statusCode"]) == (200, 429)
        for fault, text in (("moderation", "content moderation filter"), ("no_credits", "not enough api tokens")):
            assert text in (await it.v2(fault=fault)).text
        assert "is not supported within the Production API" in (await it.v2(fault="retired")).text


async def test_onemin_answers_in_shapes_of_its_own() -> None:
    async with lab() as it:
        uuid = (await it.feature()).json()["aiRecord"]["uuid"]
        it.wait()

        async def poll(fault: str) -> Any:
            reply = await it.get(f"/api/results/{uuid}", {**ONEMIN, "X-Vidnb-Fault": fault})
            assert reply.status_code == 200
            return reply.json()

        assert "temporaryUrl" not in (await poll("no_temporary_url"))["aiRecord"]
        moved = await poll("root_url")
        assert "temporaryUrl" in moved
        assert "temporaryUrl" not in moved["aiRecord"]
        odd = (await poll("error_object_in_200"))["aiRecord"]["aiRecordDetail"]["resultObject"]
        assert odd["code"] == "INSUFFICIENT_CREDITS"
        assert await poll("null_record") == {"aiRecord": None}
        assert (await poll("unknown_status_word"))["aiRecord"]["status"] == "UPSCALING"
        assert (await it.feature(fault="no_credits")).status_code == 406
        assert (await it.feature(fault="retired")).json()["errorCode"] == "UNSUPPORTED_MODEL"
        assert '"status":429' in (await it.feature(fault="busy")).json()["details"]


async def test_a_poll_can_find_no_record_or_an_unknown_word_for_a_while() -> None:
    async with lab(faults=["null_record:2", "unknown_status_word:after2:1"]) as it:
        job_id = await it.job()
        it.wait()
        seen = [(await it.get(f"{V1}/generations/{job_id}")).json()["generations_by_pk"] for _ in range(4)]
        assert [one and one["status"] for one in seen] == [None, None, "PROCESSING_STAGE_2", "COMPLETE"]


async def test_a_jobs_end_can_be_chosen() -> None:
    async with lab() as it:
        jobs = {fault: await it.job(fault=fault) for fault in ("failed", "no_output", "nsfw", "never_ending")}
        it.wait(1e9)
        ends = {fault: await it.generation(job_id) for fault, job_id in jobs.items()}
        assert ends["failed"]["status"] == "FAILED"
        assert (ends["no_output"]["status"], ends["no_output"]["generated_images"]) == ("COMPLETE", [])
        assert ends["nsfw"]["generated_images"][0]["nsfw"] is True
        assert ends["never_ending"]["status"] == "PENDING"


async def clip_url(it: Lab) -> str:
    return str((await it.finished(await it.job(width=832, height=480)))["motionMP4URL"])


@pytest.mark.parametrize(
    ("fault", "status"),
    [("expired_link", 403), ("not_found_first", 404), ("empty_download", 200), ("503:download", 503)],
)
async def test_a_download_can_be_refused_once(fault: str, status: int) -> None:
    async with lab(faults=[fault if ":" in fault else f"{fault}:1"]) as it:
        url = await clip_url(it)
        assert (await it.client.get(url)).status_code == status
        if status != 503:
            assert (await it.client.get(url)).content[4:8] == b"ftyp"


async def test_a_cut_download_breaks_within_the_body() -> None:
    async with lab(faults=["cut_download:1"]) as it:
        url = await clip_url(it)
        received: list[bytes] = []

        async def read(reply: httpx.Response) -> None:
            async for chunk in reply.aiter_raw():
                received.append(chunk)

        async with it.client.stream("GET", url) as reply:
            with pytest.raises(httpx.RemoteProtocolError):
                await read(reply)
        assert 0 < len(b"".join(received)) < int(reply.headers["content-length"])


async def test_a_slow_download_comes_whole() -> None:
    async with lab(faults=["slow_download:1:0.01s"]) as it:
        url = await clip_url(it)
        slow, plain = await it.client.get(url), await it.client.get(url)
        assert slow.content == plain.content


async def test_the_published_rate_limit_can_be_switched_on() -> None:
    async with lab(requests_per_minute={"leonardo": 3}) as it:
        assert await statuses(it, 4) == [200, 200, 200, 429]
        it.wait(60)
        reply = await it.client.get(f"{V1}/me", headers=LEONARDO)
        assert reply.status_code == 200


def test_every_kind_is_covered_by_a_test() -> None:
    from pathlib import Path

    text = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    assert [kind for kind in KINDS if f'"{kind}' not in text] == []
