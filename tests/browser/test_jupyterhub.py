"""A clip under a real JupyterHub: a proxy in front, a login, a server of one's own below a prefix."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from labharness import HIDDEN_PREFIXES, PATIENCE_MS, Browser, free_port, write_notebook
from studiopage import FAST, PLAYS

pytestmark = pytest.mark.long
pytest.importorskip("jupyterhub")

PROXY = os.environ.get("CONFIGURABLE_HTTP_PROXY") or shutil.which("configurable-http-proxy")
RUN_ALL = """async () => {
    while (!window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel) {
        await new Promise(done => setTimeout(done, 200));
    }
    await window.jupyterapp.commands.execute("notebook:run-all-cells");
}"""
CONFIG = """
c.JupyterHub.authenticator_class = "dummy"
c.DummyAuthenticator.password = "koala"
c.Authenticator.allow_all = True
c.JupyterHub.spawner_class = "simple"
c.JupyterHub.bind_url = "http://127.0.0.1:{port}/class/"
c.JupyterHub.hub_bind_url = "http://127.0.0.1:{hub}"
c.ConfigurableHTTPProxy.command = [{proxy!r}]
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:{api}"
c.ConfigurableHTTPProxy.auth_token = "of-this-test"
c.SimpleLocalProcessSpawner.home_dir_template = {home!r}
c.Spawner.notebook_dir = {home!r}
c.Spawner.args = ["--allow-root", "--LabApp.expose_app_in_browser=True", "--LabApp.news_url="]
c.Spawner.cmd = [{python!r}, "-m", "jupyterhub.singleuser"]
"""


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[str]:
    """The address of a JupyterHub below a prefix, whose one person works in `tmp_path/ann`."""
    if PROXY is None:
        pytest.skip("no configurable-http-proxy here (npm install configurable-http-proxy)")
    (tmp_path / "ann").mkdir()
    port = free_port()
    config = CONFIG.format(
        port=port, hub=free_port(), api=free_port(), proxy=PROXY, home=str(tmp_path / "ann"), python=sys.executable
    )
    (tmp_path / "config.py").write_text(config, encoding="utf-8")
    env = {name: value for name, value in os.environ.items() if not name.startswith(HIDDEN_PREFIXES)}
    with (tmp_path / "hub.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "jupyterhub", "-f", str(tmp_path / "config.py")],
            cwd=tmp_path, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip
    url = f"http://127.0.0.1:{port}/class"
    try:
        while not answers(f"{url}/hub/api/"):
            if process.poll() is not None:
                pytest.fail((tmp_path / "hub.log").read_text(errors="replace"))
            time.sleep(0.2)
        yield url
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(20)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def answers(url: str) -> bool:
    """Whether the hub is there."""
    try:
        with urllib.request.urlopen(url, timeout=2):
            return True
    except urllib.error.HTTPError:
        return False
    except OSError:
        return False


def test_a_clip_plays_below_a_hubs_prefix_wherever_its_file_lies(browser: Browser, hub: str, tmp_path: Path) -> None:
    far = tmp_path / "far away"
    cells = (
        FAST + "import vidnb\nvidnb.generate('a koala', seed=7)",
        f"vidnb.Client({str(far)!r}).generate('a cat', seed=8)",
    )
    write_notebook(tmp_path / "ann" / "note.ipynb", *cells)
    page = browser.context.new_page()
    page.set_default_timeout(2 * PATIENCE_MS)
    try:
        page.goto(
            f"{hub}/hub/login?next=%2Fclass%2Fhub%2Fspawn%2Fann%3Fnext%3D%252Fclass%252Fuser%252Fann%252Flab%252Ftree%252Fnote.ipynb"
        )
        page.fill("input[name=username]", "ann")
        page.fill("input[name=password]", "koala")
        page.click("input[type=submit], button[type=submit]")
        page.wait_for_url("**/user/ann/lab/**")
        page.evaluate(RUN_ALL)
        videos = page.locator(".jp-OutputArea video")
        videos.nth(1).wait_for()
        beside, linked = (str(videos.nth(at).evaluate(PLAYS)) for at in (0, 1))
        assert "/class/user/ann/files/vidnb-data/files/" in beside
        assert "/class/user/ann/files/vidnb-clips/" in linked
    finally:
        page.close()
