"""A real JupyterLab, Notebook 7 or Voila, a headless Chromium and one page, for tests of what a person sees.

    with Lab(root) as server, Browser(find_browser()) as browser:
        notebook = NotebookPage.start(browser, server)
        notebook.open("demo.ipynb")
        notebook.run_all()                                  # raises if a cell raised
        notebook.page.get_by_role("button", name="Generate").click()

One server, one browser and one page serve the whole session: a cold start costs ten seconds, a further notebook in the
same page one. `Notebook7` goes with a `SingleNotebookPage`; a page of `Voila` is a plain page of the browser.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import nbformat
import psutil
from playwright.sync_api import Error, Locator, Page, Route, ViewportSize, expect, sync_playwright

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

# Chromium phones home and waits for answers where it gets none; these keep it still on a closed network.
CHROMIUM_ARGS = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
    "--autoplay-policy=no-user-gesture-required",
)

LIGHT, DARK = "JupyterLab Light", "JupyterLab Dark"
DESKTOP: ViewportSize = {"width": 1400, "height": 1000}
NARROW: ViewportSize = {"width": 420, "height": 900}

# Without these a toast asks about news, outputs out of view leave the DOM, and autosave races with save().
SETTINGS: dict[str, dict[str, object]] = {
    "@jupyterlab/apputils-extension/notification": {
        "fetchNews": "false",
        "checkForUpdates": False,
        "doNotDisturbMode": True,
    },
    "@jupyterlab/completer-extension/manager": {"autoCompletion": False},
    "@jupyterlab/docmanager-extension/plugin": {"autosave": False},
    "@jupyterlab/extensionmanager-extension/plugin": {"enabled": False},
    "@jupyterlab/notebook-extension/tracker": {"windowingMode": "none", "autoStartDefaultKernel": True},
}

SERVER_EXTENSIONS = {
    "jupyter_lsp": False,
    "jupyter_server_terminals": False,
    "notebook_shim": False,
    "jupyterlab": True,
}

# What a developer's shell may hold and no test may see: keys, data folders, Jupyter's own configuration.
HIDDEN_PREFIXES = ("VIDNB_", "LEONARDO_", "ONEMIN_", "JUPYTER", "IPYTHON")

# On a busy machine a clip may take long; what waits goes on at once when it is there.
PATIENCE_MS = 60_000
CELL_MS = 150_000
"""Longer than any cell takes that a test runs by itself."""

CURRENT = "window.jupyterapp.shell.currentWidget"


def launches(executable: str) -> bool:
    """Whether `executable --version` works: on Ubuntu, chromium-browser may be a stub that only asks for a snap."""
    try:
        return subprocess.run([executable, "--version"], capture_output=True, timeout=60).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def playwright_build() -> str:
    """The path where Playwright keeps its own Chromium, whether it is installed or not."""
    with sync_playwright() as playwright:
        return playwright.chromium.executable_path


def candidates() -> Iterator[str]:
    """Every Chromium that may be on this machine, the one the environment names first."""
    if named := os.environ.get("CHROMIUM"):
        yield named
    yield from filter(None, map(shutil.which, CHROMIUM_NAMES))
    if Path(build := playwright_build()).exists():
        yield build


def find_browser() -> str | None:
    """The first Chromium that launches, or None."""
    return next(filter(launches, candidates()), None)


def browser_processes() -> list[psutil.Process]:
    """The processes of every Chromium that this process has started."""
    found = []
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            if "chrom" in process.name():
                found.append(process)
    return found


def browser_mb() -> float:
    """The memory that these processes have for themselves, in MB."""
    total = 0
    for process in browser_processes():
        with suppress(psutil.Error):
            total += process.memory_full_info().uss
    return total / 1e6


def free_port() -> int:
    """A loopback port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def write_notebook(path: Path, *cells: str, kernel: str = "python3") -> None:
    """Write a notebook of these code cells; its folder is made if it is missing."""
    # Without a kernelspec JupyterLab opens a "Select Kernel" dialog.
    spec = {"name": kernel, "display_name": kernel, "language": "python"}
    code_cells = [nbformat.v4.new_code_cell(cell) for cell in cells]
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(nbformat.v4.new_notebook(cells=code_cells, metadata={"kernelspec": spec}), path)


class Server:
    """A server over `root`, with a home, settings, kernels and a configuration of its own.

    It runs with this interpreter, so that `import vidnb` in a cell is the package under test. A subclass says what is
    started and at which address it shows a notebook.

    Args:
        root: the folder it serves.
        env: variables that the server and its kernels see besides the cleaned environment.
        base_url: the path below which it answers; a JupyterHub puts "/user/<name>/" before everything.
    """

    start_page = ""
    notebook_page = ""

    def __init__(self, root: Path, env: Mapping[str, str] | None = None, *, base_url: str = "/") -> None:
        self.root = root
        self.env = dict(env or {})
        self.base_url = base_url
        self.token = secrets.token_hex(8)
        self.url = ""

    def command(self, port: int) -> list[str]:
        """The command line that starts it at this port."""
        raise NotImplementedError

    def address(self, path: str) -> str:
        """Where it shows the notebook at `path`, relative to its root; without a path, where one begins."""
        return f"{self.notebook_page}/{quote(path)}" if path else self.start_page

    def __enter__(self) -> Self:
        self.home = Path(tempfile.mkdtemp(prefix="vidnb-lab-"))
        self.log_path = self.home / "server.log"
        self.settings(SETTINGS)
        port = free_port()
        self.url = f"http://127.0.0.1:{port}{self.base_url}".rstrip("/")
        with self.log_path.open("wb") as log:
            self.process = subprocess.Popen(
                self.command(port),
                cwd=self.root,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            self._wait_until_it_answers()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def settings(self, values: Mapping[str, Mapping[str, object]]) -> None:
        """Write JupyterLab's settings of these plug-ins; pages see them when they are loaded."""
        for plugin, chosen in values.items():
            path = self.home / "settings" / f"{plugin}.jupyterlab-settings"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(chosen), encoding="utf-8")

    def add_kernel(self, name: str, env: Mapping[str, str]) -> None:
        """Offer one more kernel: this interpreter with these variables."""
        folder = self.home / "data/kernels" / name
        folder.mkdir(parents=True)
        argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        spec = {"argv": argv, "display_name": name, "language": "python", "env": dict(env)}
        (folder / "kernel.json").write_text(json.dumps(spec), encoding="utf-8")

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(HIDDEN_PREFIXES)}
        folders = {
            "HOME": "",
            "IPYTHONDIR": "ipython",
            "JUPYTER_CONFIG_DIR": "config",
            "JUPYTER_DATA_DIR": "data",
            "JUPYTER_RUNTIME_DIR": "runtime",
            "JUPYTERLAB_SETTINGS_DIR": "settings",
            "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
        }
        redirected = {name: str(self.home / folder) for name, folder in folders.items()}
        return {**kept, **redirected, "JUPYTER_PLATFORM_DIRS": "1", "PYTHONUNBUFFERED": "1", **self.env}

    def _wait_until_it_answers(self, timeout_s: float = 90) -> None:
        deadline = time.monotonic() + timeout_s
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the server did not start:\n{self.log_path.read_text(errors='replace')}")
            time.sleep(0.05)

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/api?token={self.token}", timeout=2):
                return True
        except urllib.error.HTTPError:  # Voila has no such page, but something did answer
            return True
        except OSError:
            return False

    def _stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(10)
        shutil.rmtree(self.home, ignore_errors=True)

    def _jupyter_command(self, module: str, port: int, extensions: Mapping[str, bool]) -> list[str]:
        return [
            *(sys.executable, "-m", module, "--no-browser", "--allow-root", "--ip=127.0.0.1"),
            f"--ServerApp.port={port}",
            "--ServerApp.port_retries=0",
            f"--ServerApp.base_url={self.base_url}",
            f"--IdentityProvider.token={self.token}",
            f"--ServerApp.root_dir={self.root}",
            f"--ServerApp.jpserver_extensions={dict(extensions)}",
        ]


class Lab(Server):
    """JupyterLab."""

    start_page, notebook_page = "lab", "lab/tree"

    def command(self, port: int) -> list[str]:
        """The command line that starts it at this port."""
        return [
            *self._jupyter_command("jupyterlab", port, SERVER_EXTENSIONS),
            "--LabApp.expose_app_in_browser=True",
            "--LabApp.news_url=",
            "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
            "--LabApp.extension_manager=readonly",
        ]


class Notebook7(Server):
    """Jupyter Notebook 7."""

    start_page, notebook_page = "tree", "notebooks"

    def command(self, port: int) -> list[str]:
        """The command line that starts it at this port."""
        extensions = {**SERVER_EXTENSIONS, "jupyterlab": False, "notebook": True}
        return [
            *self._jupyter_command("notebook", port, extensions),
            "--JupyterNotebookApp.expose_app_in_browser=True",
        ]


class Voila(Server):
    """Voila: the outputs of a notebook as a page, without its code."""

    notebook_page = "voila/render"

    def command(self, port: int) -> list[str]:
        """The command line that starts it at this port."""
        return [
            *(sys.executable, "-m", "voila", str(self.root), "--no-browser", f"--port={port}", "--Voila.ip=127.0.0.1"),
            f"--Voila.token={self.token}",
            f"--Voila.base_url={self.base_url}",
        ]


class Browser:
    """A headless Chromium that can reach this machine only; what it asked for elsewhere is listed in `refused`."""

    def __init__(self, executable: str) -> None:
        self.executable = executable
        self.refused: list[str] = []

    def __enter__(self) -> Self:
        self._playwright = sync_playwright().start()
        try:
            # No sandbox: as root it cannot run, and newer Ubuntus refuse it to an unpackaged build.
            self._browser = self._playwright.chromium.launch(
                executable_path=self.executable, headless=True, args=list(CHROMIUM_ARGS), chromium_sandbox=False
            )
        except BaseException:
            self._playwright.stop()
            raise
        self.context = self._browser.new_context(viewport=DESKTOP)
        self.context.route(lambda url: not url.startswith(("http://127.0.0.1:", "data:", "blob:")), self._refuse)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._browser.close()
        self._playwright.stop()

    def _refuse(self, route: Route) -> None:
        self.refused.append(route.request.url)
        route.abort()


class NotebookPage:
    """The JupyterLab page, with one notebook in front: run it, look at it, save it, take its kernel away.

    `page` is Playwright's own page for everything that is not here. Locate below `panel()`: other notebooks stay in the
    document.
    """

    def __init__(self, page: Page, server: Server) -> None:
        self.page = page
        self.server = server
        self.path = ""
        self.console: list[str] = []
        page.set_default_timeout(PATIENCE_MS)
        expect.set_options(timeout=PATIENCE_MS)
        page.on("console", lambda message: self.console.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: self.console.append(f"pageerror: {error}"))

    @classmethod
    def start(cls, browser: Browser, server: Server) -> Self:
        """A page with the server's first page loaded and no notebook open yet."""
        self = cls(browser.context.new_page(), server)
        self._load(server.address(""))
        return self

    def _load(self, address: str) -> None:
        self.page.goto(f"{self.server.url}/{address}?token={self.server.token}&reset", wait_until="domcontentloaded")
        self.page.wait_for_function("() => window.jupyterapp")
        self.page.evaluate("() => window.jupyterapp.restored.then(() => null)")
        self._wait_for_splash()

    def _wait_for_splash(self) -> None:
        # It covers the page for half a second after loading and after a change of theme, and would be in screenshots.
        self.page.wait_for_selector("#jupyterlab-splash", state="detached")

    @property
    def folder(self) -> Path:
        """The notebook's own folder on disk, where relative addresses and the kernel start from."""
        return (self.server.root / self.path).parent

    def page_errors(self) -> list[str]:
        """What scripts in the page threw, without JupyterLab's own complaint about kernels that it has shut down."""
        thrown = (line for line in self.console if line.startswith("pageerror"))
        return [line for line in thrown if "Canceled future for create_subshell_request" not in line]

    def panel(self) -> Locator:
        """The part of the page that shows the current notebook."""
        return self.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")

    def command(self, name: str, args: Mapping[str, object] | None = None) -> None:
        """Run a JupyterLab command and wait for its promise."""
        script = "([name, args]) => window.jupyterapp.commands.execute(name, args).then(() => null)"
        self.page.evaluate(script, [name, dict(args or {})])

    def open(self, path: str) -> None:
        """Bring the notebook at `path`, relative to the server's root, to the front and wait for its kernel."""
        self.path = path
        self.command("docmanager:open", {"path": path})
        self._wait_for_kernel()

    def reload(self) -> None:
        """Load the whole page again, as a person does with F5: what was not saved is gone, the kernel lives on."""
        self._load(self.server.address(self.path))
        self._wait_for_kernel()

    def _wait_for_kernel(self) -> None:
        script = f"""path => {{
            const widget = {CURRENT}, session = widget?.sessionContext;
            return widget?.context?.path === path && widget.context.isReady && session?.isReady
                && session.session?.kernel?.status === 'idle';
        }}"""
        self.page.wait_for_function(script, arg=self.path)

    def run_all(self, *, allow_errors: bool = False) -> None:
        """Run every cell and wait until the last has finished.

        Raises:
            AssertionError: a cell raised, with its traceback, unless `allow_errors`.
        """
        # The command's promise ends with the cells; the kernel's status flickers to idle before that.
        self.command("notebook:run-all-cells")
        if not allow_errors and (errors := self.errors()):
            raise AssertionError("a cell raised:\n" + "\n".join(errors))

    def run_cell(self, index: int, *, wait: bool = True) -> None:
        """Run one cell by position; with `wait=False` return as soon as it is sent.

        Raises:
            playwright.sync_api.Error: the cell has not ended after `CELL_MS`.
        """
        # Clicks in outputs move the active cell, so it is set first. A page's promise has no limit of its own.
        script = f"""([index, wait]) => {{
            const notebook = {CURRENT}.content;
            notebook.activeCellIndex = index;
            notebook.deselectAll();
            const done = window.jupyterapp.commands.execute('notebook:run-cell').then(() => null);
            if (!wait) return null;
            let limit = 0;
            const late = new Promise((_, fail) => {{
                limit = setTimeout(() => fail(new Error("the cell goes on")), {CELL_MS});
            }});
            return Promise.race([done, late]).finally(() => clearTimeout(limit));
        }}"""
        self.page.evaluate(script, [index, wait])

    def cells(self) -> list[dict[str, Any]]:
        """The notebook's cells as nbformat JSON, as they are in the page now."""
        cells: list[dict[str, Any]] = self.page.evaluate(f"() => {CURRENT}.content.model.toJSON().cells")
        return cells

    def outputs(self) -> list[str]:
        """The visible text of each cell's outputs."""
        script = "cells => cells.map(cell => cell.querySelector('.jp-OutputArea')?.innerText ?? '')"
        texts: list[str] = self.panel().locator(".jp-CodeCell").evaluate_all(script)
        return texts

    def errors(self) -> list[str]:
        """The tracebacks of the cells that raised."""
        outputs = [output for cell in self.cells() for output in cell.get("outputs", [])]
        return ["\n".join(output["traceback"]) for output in outputs if output["output_type"] == "error"]

    def save(self) -> None:
        """Write the notebook to disk."""
        self.command("docmanager:save")

    def kernel_status(self) -> str:
        """The kernel's status word: idle, busy, restarting ..."""
        return str(self.page.evaluate(f"() => {CURRENT}.sessionContext.session.kernel.status"))

    def wait_for_status(self, status: str) -> None:
        """Wait until the kernel's status is `status`."""
        script = f"status => {CURRENT}.sessionContext.session?.kernel?.status === status"
        self.page.wait_for_function(script, arg=status)

    def interrupt(self) -> None:
        """Interrupt the kernel, as the stop button does."""
        self.page.evaluate(f"() => {CURRENT}.sessionContext.session.kernel.interrupt()")

    def restart_kernel(self) -> None:
        """Restart the kernel and wait until the new one is ready; outputs stay, as they do for a person."""
        # The menu's command would ask in a dialog first.
        self.page.evaluate(f"() => {CURRENT}.sessionContext.session.kernel.restart()")
        self.wait_for_status("idle")

    def shut_down_kernel(self) -> None:
        """Take the notebook's kernel away; what is shown from now on comes from the file."""
        self.page.evaluate(f"() => {CURRENT}.sessionContext.shutdown()")
        self.page.wait_for_function(f"() => !{CURRENT}.sessionContext.session?.kernel")

    def theme(self, name: str) -> None:
        """Switch the whole page to `LIGHT` or `DARK` and wait until it is seen."""
        if self.page.evaluate("() => document.body.dataset.jpThemeName") == name:
            return
        self.command("apputils:change-theme", {"theme": name})
        self.page.wait_for_function("name => document.body.dataset.jpThemeName === name", arg=name)
        self._wait_for_splash()

    def viewport(self, size: ViewportSize) -> None:
        """Resize the page; the side bar is folded away where there is no room for it, as a person would do."""
        self.page.set_viewport_size(size)
        fold = "collapseLeft" if size["width"] < DESKTOP["width"] else "expandLeft"
        self.page.evaluate(f"() => window.jupyterapp.shell.{fold}()")

    def close_all(self) -> None:
        """Shut down the kernels of all open notebooks and take these out of the page, without the "Save?" dialog."""
        script = """async () => {
            const open = Array.from(window.jupyterapp.shell.widgets('main')).filter(widget => widget.sessionContext);
            for (const widget of open) { await widget.sessionContext.shutdown(); widget.dispose(); }
        }"""
        self.page.evaluate(script)

    def keep_evidence(self, folder: Path) -> None:
        """Write into `folder` what shows why a test failed: screenshot, server log, browser console, cells."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "server.log").write_bytes(self.server.log_path.read_bytes())
        (folder / "console.log").write_text("\n".join(self.console), encoding="utf-8")
        self.page.screenshot(path=folder / "page.png")
        with suppress(Error):  # the page may show no notebook any more
            (folder / "cells.json").write_text(json.dumps(self.cells(), indent=1), encoding="utf-8")


class SingleNotebookPage(NotebookPage):
    """The page of Notebook 7, which shows one notebook and is loaded anew for another."""

    def open(self, path: str) -> None:
        """Show the notebook at `path`, relative to the server's root, and wait for its kernel."""
        self.path = path
        self.reload()
