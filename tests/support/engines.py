"""Firefox and WebKitGTK (the nearest to Safari), driven alike: what tests in Chromium hold is checked there in short.

    with Firefox(find_firefox()) as engine:
        engine.open(path.as_uri())
        engine.until("() => document.querySelector('.vidnb-compare')?.dataset.films === '9'")
        engine.click("button[aria-label='Play all']")

Playwright brings neither as a distribution builds it. Firefox speaks WebDriver BiDi by itself, over one WebSocket;
WebKitGTK has a WebDriver of its own, and needs a display, which Xvfb gives.
"""

from __future__ import annotations

import base64
import io
import json
import os
import re
import shutil
import subprocess
import tempfile
import time
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from labharness import launches
from PIL import ImageGrab

FIREFOX_NAMES = ("firefox-esr", "firefox")
MINI_BROWSERS = "lib*/**/webkit2gtk-4.*/MiniBrowser"
PATIENCE_S = 90.0
QUIET_PREFERENCES = {
    "app.normandy.enabled": False,
    "app.update.disabledForTesting": True,
    "browser.shell.checkDefaultBrowser": False,
    "browser.startup.homepage": "about:blank",
    "browser.startup.homepage_override.mstone": "ignore",
    "datareporting.policy.dataSubmissionEnabled": False,
    "extensions.update.enabled": False,
    "focusmanager.testmode": True,
    "media.autoplay.default": 0,
    "media.gmp-manager.updateEnabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "remote.active-protocols": 1,
    "security.sandbox.content.level": 0,
    "toolkit.telemetry.enabled": False,
}
"""Firefox asks many hosts for news otherwise, its sandbox cannot be set up in every container, and without the focus's
test mode nothing in a window that nobody sees ever gets it."""
KEYS = {
    "Enter": "\ue007", "Escape": "\ue00c", "Tab": "\ue004", "ArrowLeft": "\ue012", "ArrowUp": "\ue013",
    "ArrowRight": "\ue014", "ArrowDown": "\ue015", "Home": "\ue011", "End": "\ue010", "Control": "\ue009",
    "Shift": "\ue008", "Space": " ",
}  # fmt: skip
PLACE = """(selector) => {
    const found = [...document.querySelectorAll(selector)].find((one) => one.getClientRects().length);
    if (!found) return null;
    found.scrollIntoView({ block: "center" });
    const { left, top, width, height } = found.getBoundingClientRect();
    return [Math.round(left + width / 2), Math.round(top + height / 2)];
}"""


class EngineError(AssertionError):
    """A script failed in the page, or what was waited for never came."""


class Engine(ABC):
    """One browser with one page, as far as the tests of all engines need it."""

    name = ""

    @abstractmethod
    def open(self, address: str) -> None:
        """Load a page and wait until it is there."""

    @abstractmethod
    def _call(self, script: str, given: str) -> str:
        """What `script`, which takes and gives JSON as text, comes to."""

    @abstractmethod
    def press(self, *keys: str) -> None:
        """Press keys together, as in `press("Control", "Enter")`, and let go of them."""

    @abstractmethod
    def point(self, x: int, y: int, *, click: bool = False) -> None:
        """Move the pointer to a place of the view, and press there."""

    @abstractmethod
    def size(self, width: int, height: int) -> None:
        """Make the page about so large."""

    @abstractmethod
    def _picture(self) -> bytes:
        """The page as a PNG."""

    @abstractmethod
    def close(self) -> None:
        """End the browser."""

    def run(self, script: str, *given: Any) -> Any:
        """What a function of JavaScript gives; it may be an async one.

        Raises:
            EngineError: it threw.
        """
        whole = f"""async (given) => {{
            try {{ return JSON.stringify({{ value: await ({script})(...JSON.parse(given)) }}); }}
            catch (error) {{ return JSON.stringify({{ error: String(error?.stack ?? error) }}); }}
        }}"""
        answer = json.loads(self._call(whole, json.dumps(given)))
        if "error" in answer:
            raise EngineError(f"{self.name}: {answer['error']}\nin {script}")
        return answer.get("value")

    def until(self, script: str, *given: Any, patience_s: float = PATIENCE_S) -> Any:
        """Wait until a function of JavaScript gives something, and return that."""
        end = time.monotonic() + patience_s
        while not (found := self.run(script, *given)):
            if time.monotonic() > end:
                raise EngineError(f"{self.name}: it never came to {script} with {given}")
            time.sleep(0.05)
        return found

    def _place_of(self, selector: str) -> tuple[int, int]:
        x, y = self.until(PLACE, selector)
        return x, y

    def click(self, selector: str) -> None:
        """Press the first element in view that fits."""
        self.point(*self._place_of(selector), click=True)

    def hover(self, selector: str) -> None:
        """Move the pointer onto the first element in view that fits."""
        self.point(*self._place_of(selector))

    def text(self, selector: str) -> str:
        """The text that a person sees in an element."""
        return str(self.until("(selector) => document.querySelector(selector)?.innerText", selector))

    def write(self, words: str) -> None:
        """Type into what has the focus."""
        for letter in words:
            self.press(letter)

    def shot(self, path: Path) -> Path:
        """Write a picture of the page."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(self._picture())
        return path

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Firefox(Engine):
    """Firefox, over WebDriver BiDi."""

    name = "Firefox"

    def __init__(self, executable: str) -> None:
        from websocket import create_connection

        self._profile = tempfile.mkdtemp(prefix="vidnb-firefox-")
        prefs = "".join(f"user_pref({json.dumps(name)}, {json.dumps(v)});\n" for name, v in QUIET_PREFERENCES.items())
        Path(self._profile, "user.js").write_text(prefs, encoding="utf-8")
        log = Path(self._profile, "log.txt")
        command = [executable, "--headless", "--no-remote", "--profile", self._profile, "--remote-debugging-port", "0"]
        with log.open("wb") as sink:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink, env=os.environ | {"HOME": self._profile}
            )
        try:
            # Firefox refuses a connection that comes with the origin of a page.
            self._socket = create_connection(f"{self._address(log)}/session", timeout=PATIENCE_S, suppress_origin=True)
            self._number = 0
            self._ask("session.new", {"capabilities": {"alwaysMatch": {"acceptInsecureCerts": False}}})
            # The window that Firefox begins with never gets the focus.
            self._page = self._ask("browsingContext.create", {"type": "window"})["context"]
            self._ask("browsingContext.activate", {"context": self._page})
        except BaseException:
            self.close()
            raise

    def _address(self, log: Path) -> str:
        end = time.monotonic() + PATIENCE_S
        while not (found := re.search(r"listening on (ws://\S+)", text := log.read_text(errors="replace"))):
            if self._process.poll() is not None or time.monotonic() > end:
                raise EngineError(f"Firefox did not start:\n{text}")
            time.sleep(0.05)
        return found[1]

    def _ask(self, method: str, params: dict[str, Any]) -> Any:
        self._number += 1
        self._socket.send(json.dumps({"id": self._number, "method": method, "params": params}))
        while True:
            answer = json.loads(self._socket.recv())
            if answer.get("id") == self._number:  # all else are events
                break
        if answer["type"] == "error":
            raise EngineError(f"Firefox: {method}: {answer['error']}: {answer['message']}")
        return answer["result"]

    def open(self, address: str) -> None:
        """Load a page and wait until it is there."""
        self._ask("browsingContext.navigate", {"context": self._page, "url": address, "wait": "complete"})

    def _call(self, script: str, given: str) -> str:
        asked = {
            "functionDeclaration": script,
            "arguments": [{"type": "string", "value": given}],
            "awaitPromise": True,
            "target": {"context": self._page},
            "userActivation": True,
        }
        answer = self._ask("script.callFunction", asked)
        if answer["type"] == "exception":
            raise EngineError(f"Firefox: {answer['exceptionDetails']['text']}\nin {script}")
        return str(answer["result"]["value"])

    def _act(self, kind: str, actions: list[dict[str, Any]], **more: Any) -> None:
        source = {"type": kind, "id": kind, "actions": actions, **more}
        self._ask("input.performActions", {"context": self._page, "actions": [source]})

    def press(self, *keys: str) -> None:
        """Press keys together, as in `press("Control", "Enter")`, and let go of them."""
        values = [KEYS.get(key, key) for key in keys]
        downs = [{"type": "keyDown", "value": value} for value in values]
        self._act("key", [*downs, *({"type": "keyUp", "value": value} for value in reversed(values))])

    def point(self, x: int, y: int, *, click: bool = False) -> None:
        """Move the pointer to a place of the view, and press there."""
        moves: list[dict[str, Any]] = [{"type": "pointerMove", "x": x, "y": y}]
        presses = [{"type": "pointerDown", "button": 0}, {"type": "pointerUp", "button": 0}]
        self._act("pointer", moves + (presses if click else []), parameters={"pointerType": "mouse"})

    def size(self, width: int, height: int) -> None:
        """Make the page about so large."""
        viewport = {"width": width, "height": height}
        self._ask("browsingContext.setViewport", {"context": self._page, "viewport": viewport})

    def _picture(self) -> bytes:
        return base64.b64decode(self._ask("browsingContext.captureScreenshot", {"context": self._page})["data"])

    def close(self) -> None:
        """End the browser."""
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(20)
        if hasattr(self, "_socket"):
            self._socket.close()
        shutil.rmtree(self._profile, ignore_errors=True)


class WebKitGTK(Engine):
    """WebKitGTK's own small browser, over its WebDriver, on a display that nobody sees."""

    name = "WebKitGTK"

    def __init__(self, executable: str) -> None:
        from selenium.webdriver import WebKitGTK as Driver
        from selenium.webdriver.common.actions.action_builder import ActionBuilder
        from selenium.webdriver.webkitgtk.options import Options
        from selenium.webdriver.webkitgtk.service import Service

        self._actions = ActionBuilder
        self._display, self._number = self._begin_display()
        options = Options()
        options.binary_location = executable
        options.add_argument("--automation")
        # The sandbox of its processes needs rights that a container seldom gives; without a graphics card the pages are
        # drawn by the processor, and then handed on quicker as plain memory: 23 frames a second instead of 4.
        quiet = {
            "DISPLAY": f":{self._number}",
            "WEBKIT_DISABLE_DMABUF_RENDERER": "1",
            "WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS": "1",
        }
        try:
            service = Service(shutil.which("WebKitWebDriver"), env=os.environ | quiet)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # selenium warns of what its own class does
                self._driver = Driver(options=options, service=service)
            self._driver.set_script_timeout(PATIENCE_S)
        except BaseException:
            self._end_display()
            raise

    def _begin_display(self) -> tuple[subprocess.Popen[bytes], int]:
        read, written = os.pipe()
        command = ["Xvfb", "-displayfd", str(written), "-screen", "0", "1600x1300x24", "-nolisten", "tcp"]
        process = subprocess.Popen(
            command, pass_fds=[written], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        os.close(written)
        with os.fdopen(read) as source:
            number = source.readline().strip()  # it is written once the display is there
        if not number:
            process.wait(20)
            raise EngineError("Xvfb did not start")
        return process, int(number)

    def _end_display(self) -> None:
        self._display.terminate()
        self._display.wait(20)

    def open(self, address: str) -> None:
        """Load a page and wait until it is there."""
        self._driver.get(address)

    def _call(self, script: str, given: str) -> str:
        # A page that is just gone has no script; it answers once the next one is there.
        return str(self._driver.execute_async_script(f"({script})(arguments[0]).then(arguments[1]);", given))

    def press(self, *keys: str) -> None:
        """Press keys together, as in `press("Control", "Enter")`, and let go of them."""
        actions = self._actions(self._driver, duration=0)
        for key in keys:
            actions.key_action.key_down(KEYS.get(key, key))
        for key in reversed(keys):
            actions.key_action.key_up(KEYS.get(key, key))
        actions.perform()

    def point(self, x: int, y: int, *, click: bool = False) -> None:
        """Move the pointer to a place of the view, and press there."""
        actions = self._actions(self._driver, duration=0)
        actions.pointer_action.move_to_location(x, y)
        if click:
            actions.pointer_action.pointer_down()
            actions.pointer_action.pointer_up()
        actions.perform()

    def size(self, width: int, height: int) -> None:
        """Make the page about so large."""
        self._driver.set_window_size(width, height)

    def _picture(self) -> bytes:
        # The driver's own picture never comes while a page keeps drawing; this is what stands on the display.
        sink = io.BytesIO()
        ImageGrab.grab(xdisplay=f":{self._number}").save(sink, "png")
        return sink.getvalue()

    def close(self) -> None:
        """End the browser."""
        self._driver.quit()
        self._end_display()


def find_firefox() -> str | None:
    """A Firefox that launches, the one the environment names first, or None."""
    named = [os.environ.get("FIREFOX"), *map(shutil.which, FIREFOX_NAMES)]
    return next((one for one in named if one and launches(one)), None)


def find_webkit() -> str | None:
    """The MiniBrowser of a WebKitGTK that can be driven here, or None."""
    if not (shutil.which("WebKitWebDriver") and shutil.which("Xvfb")):
        return None
    return next((str(path) for path in _mini_browsers() if os.access(path, os.X_OK)), None)


def _mini_browsers() -> Iterator[Path]:
    yield from sorted(Path("/usr").glob(MINI_BROWSERS), reverse=True)
