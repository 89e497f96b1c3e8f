"""`allow_nested_loops`: `asyncio.run` in a cell, without losing the cells that wait behind it."""

from __future__ import annotations

import queue
import time

import pytest
from jupyter_client.manager import start_new_kernel

RUN = "import asyncio\nasync def slow():\n    await asyncio.sleep(0.5)\n    return 7\n"


def replies(*cells: str, within_s: float = 40.0) -> list[str]:
    """The reply status of each cell, all of them sent at once."""
    manager, client = start_new_kernel(kernel_name="python3")
    try:
        sent = [client.execute(cell) for cell in cells]
        found: dict[str, str] = {}
        end = time.monotonic() + within_s
        while len(found) < len(sent) and time.monotonic() < end:
            try:
                message = client.get_shell_msg(timeout=1)
            except queue.Empty:
                continue
            if (asked := message["parent_header"].get("msg_id")) in sent:  # starting the kernel leaves replies, too
                found[asked] = message["content"]["status"]
        return [found.get(one, "lost") for one in sent]
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


@pytest.mark.parametrize(
    "first",
    [
        "import vidnb; assert vidnb.allow_nested_loops() == 'nest_asyncio2'",
        "import sys; sys.modules['nest_asyncio2'] = None\n"
        "import vidnb; assert vidnb.allow_nested_loops() == 'nest_asyncio'",
        "import nest_asyncio; nest_asyncio.apply()\nimport vidnb; vidnb.allow_nested_loops()",
    ],
    ids=["nest_asyncio2", "nest_asyncio made safe", "already patched by somebody else"],
)
def test_five_queued_cells_get_five_replies(first: str) -> None:
    assert replies(first, f"{RUN}assert asyncio.run(slow()) == 7", "x = 1", "y = 2", "assert x + y == 3") == ["ok"] * 5


def test_without_it_asyncio_run_is_refused_in_a_cell() -> None:
    assert replies(f"{RUN}asyncio.run(slow())") == ["error"]


def test_vidnbs_own_verbs_patch_nothing() -> None:
    cells = [
        "import asyncio, vidnb",
        "vidnb.generate('x', model='leonardo/alibaba/wan-3.0', duration_s=2, width_px=640, height_px=640)",
        "assert not hasattr(asyncio, '_nest_patched')",
        "y = 2",
        "assert y == 2",
    ]
    assert replies(*cells) == ["ok"] * 5
