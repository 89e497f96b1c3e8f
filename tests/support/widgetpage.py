"""A page with one live part of vidnb and a fake kernel behind it, which records what it is sent.

    part = widget_page(Player, {"_title": "a clip"}, width=420)     # the fixture of conftest.py
    part.root.get_by_role("button", name="Play").click()
    assert part.sent("rate") == [{"kind": "rate", "rating": 3}]
    part.set(problem="it broke")                                    # as the kernel changes a trait
    part.say("bytes", {"what": "video"}, [video])                   # as the kernel sends a message

`part.page` is Playwright's own page for everything that is not here.
"""

from __future__ import annotations

import base64
import json
import re
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

from playwright.sync_api import BrowserContext, CDPSession, Locator, Page, Route

Theme = Literal["light", "dark"]

ORIGIN = "http://127.0.0.1:1"
"""Nothing listens there: every request is answered by the test itself."""
BASE_URL = "/user/ada/"
"""As under a JupyterHub, so that an address which forgets it is found out."""
SHOTS = Path(tempfile.gettempdir(), "shots")
THEMES = Path(sys.prefix, "share/jupyter/lab/themes/@jupyterlab")
SERIOUS = ("serious", "critical")
NOT_SYNCED = ("_esm", "_css", "_anywidget_id", "layout", "tabbable", "tooltip")

PAGE = f"""<!doctype html><html lang="en"><head><meta charset="utf-8"><title>vidnb</title>
<script id="jupyter-config-data" type="application/json">{json.dumps({"baseUrl": BASE_URL})}</script>
<style>
  body {{ margin: 0; padding: 8px; background: var(--jp-layout-color0); color: var(--jp-ui-font-color1);
          font-family: var(--jp-ui-font-family); font-size: 13px; }}
</style></head><body><main id="place"></main></body></html>"""

FAKE = """
window.fake = (() => {
  const bytes = (text) => new DataView(Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer);
  const text = (buffer) => {
    const { buffer: whole, byteOffset, byteLength } = ArrayBuffer.isView(buffer) ? buffer : new DataView(buffer);
    const view = new Uint8Array(whole, byteOffset, byteLength);
    let letters = "";
    for (let at = 0; at < view.length; at += 32768) letters += String.fromCharCode(...view.subarray(at, at + 32768));
    return btoa(letters);
  };
  const state = {}, pending = {}, sent = [], saved = [], handlers = [], views = [], blobs = new Set(), problems = [];
  const made = URL.createObjectURL.bind(URL), revoked = URL.revokeObjectURL.bind(URL);
  URL.createObjectURL = (blob) => { const url = made(blob); blobs.add(url); return url; };
  URL.revokeObjectURL = (url) => { blobs.delete(url); revoked(url); };
  addEventListener("error", (event) => problems.push(String(event.message)));
  addEventListener("unhandledrejection", (event) => problems.push(String(event.reason)));
  const fire = (event, ...given) => {
    for (const one of handlers.filter((each) => each.event === event)) one.handler(...given);
  };
  const model = {
    get: (name) => state[name],
    set: (name, value) => {
      for (const [key, one] of Object.entries(typeof name === "object" ? name : { [name]: value })) {
        if (JSON.stringify(state[key]) === JSON.stringify(one)) continue;
        state[key] = pending[key] = one;
        fire(`change:${key}`, model, one);
      }
    },
    save_changes: () => {
      if (Object.keys(pending).length) saved.push(structuredClone(pending));
      for (const key in pending) delete pending[key];
    },
    on: (event, handler) => handlers.push({ event, handler }),
    off: (event, handler) => {
      const stays = (one) => (event && one.event !== event) || (handler && one.handler !== handler);
      handlers.splice(0, handlers.length, ...handlers.filter(stays));
    },
    send: (content, callbacks, buffers) => {
      sent.push({ content: structuredClone(content), buffers: (buffers ?? []).map(text) });
    },
  };
  return {
    model, state, sent, saved, blobs, problems, handlers,
    async start(esm, css, first) {
      Object.assign(state, first);
      document.head.append(Object.assign(document.createElement("style"), { textContent: css }));
      const url = made(new Blob([esm], { type: "text/javascript" }));
      window.part = (await import(url));
      revoked(url);
      await this.render();
    },
    async render() {
      const el = document.createElement("div");
      document.getElementById("place").append(el);
      views.push({ el, end: await window.part.default.render({ model, el, experimental: {} }) });
    },
    async end() {
      const { el, end } = views.pop();
      await end?.();
      const left = el.childNodes.length;
      el.remove();
      return left;
    },
    change(traits) {
      Object.assign(state, traits);
      for (const key of Object.keys(traits)) fire(`change:${key}`, model, traits[key]);
    },
    say(content, buffers) { fire("msg:custom", content, buffers.map(bytes)); },
  };
})();
"""


class WidgetPage:
    """One live part in a page of its own, with a fake model behind it.

    Attributes:
        page: Playwright's page.
        served: what the fake Jupyter server serves, by path below its folder; add to it before it is asked for.
        asked: the paths that were asked for, with the Range header ("" for none).
    """

    def __init__(self, context: BrowserContext) -> None:
        self.page: Page = context.new_page()
        self.page.set_default_timeout(20_000)
        self.served: dict[str, bytes] = {}
        self.asked: list[tuple[str, str]] = []
        self.page.route(f"{ORIGIN}/**", self._answer)
        self._devtools: CDPSession | None = None

    # -- the page ----------------------------------------------------------------------------------------------------

    def start(self, part: Any, state: Mapping[str, Any] | None, *, width: int, theme: Theme) -> None:
        """Show the part: a class with the traits in `state`, or an instance with its own ones and those on top."""
        own = {} if isinstance(part, type) else _synced(part)
        self.page.goto(f"{ORIGIN}/")
        self.theme(theme)
        self.width(width)
        self.page.evaluate(FAKE)
        first = {"problem": "", "_instead": "", **own, **(state or {})}
        self.page.evaluate("([esm, css, state]) => fake.start(esm, css, state)", [part._esm, part._css, first])

    @property
    def root(self) -> Locator:
        """The part's root element (of the first view)."""
        return self.page.locator(".vidnb-root").first

    def width(self, width: int) -> None:
        """Make the cell so many CSS pixels wide."""
        self.page.set_viewport_size({"width": width + 16, "height": 900})

    def theme(self, name: Theme) -> None:
        """Set JupyterLab's own variables of this theme."""
        css = (THEMES / f"theme-{name}-extension" / "index.css").read_text(encoding="utf-8")
        variables = "".join(re.findall(r":root\s*\{[^}]*\}", css))
        script = """css => {
            document.getElementById("theme")?.remove();
            document.head.append(Object.assign(document.createElement("style"), { id: "theme", textContent: css }));
        }"""
        self.page.evaluate(script, variables)

    def render_again(self) -> None:
        """Show the part a second time, as a further view of the same model."""
        self.page.evaluate("() => fake.render()")

    def end(self) -> int:
        """Take the newest view away; the number of nodes that its clean-up left in its element."""
        return int(self.page.evaluate("() => fake.end()"))

    # -- the fake kernel ---------------------------------------------------------------------------------------------

    def sent(self, kind: str | None = None) -> list[dict[str, Any]]:
        """The messages that the page sent so far, of one kind or all; buffers are left out."""
        messages: list[dict[str, Any]] = self.page.evaluate("() => fake.sent.map(({ content }) => content)")
        return [message for message in messages if kind is None or message.get("kind") == kind]

    def sent_buffers(self, kind: str) -> list[list[bytes]]:
        """The buffers of the messages of one kind."""
        messages = self.page.evaluate("() => fake.sent")
        found = [message["buffers"] for message in messages if message["content"].get("kind") == kind]
        return [[base64.b64decode(buffer) for buffer in buffers] for buffers in found]

    def wait_for_sent(self, kind: str, count: int = 1) -> list[dict[str, Any]]:
        """The messages of one kind, once there are so many."""
        script = "([kind, count]) => fake.sent.filter(({ content }) => content.kind === kind).length >= count"
        self.page.wait_for_function(script, arg=[kind, count])
        return self.sent(kind)

    def saved(self) -> list[dict[str, Any]]:
        """What each `save_changes` handed to the kernel."""
        changes: list[dict[str, Any]] = self.page.evaluate("() => fake.saved")
        return changes

    def trait(self, name: str) -> Any:
        """A trait's value as the page has it."""
        return self.page.evaluate("name => fake.state[name] ?? null", name)

    def wait_for_trait(self, name: str, value: Any) -> None:
        """Wait until the page set a trait to this value and saved it."""
        script = "([name, value]) => fake.saved.some((one) => JSON.stringify(one[name]) === JSON.stringify(value))"
        self.page.wait_for_function(script, arg=[name, value])

    def set(self, **traits: Any) -> None:
        """Change traits as the kernel does; `change:` handlers hear it."""
        self.page.evaluate("traits => fake.change(traits)", traits)

    def say(self, kind: str, content: Mapping[str, Any] | None = None, buffers: Sequence[bytes] = ()) -> None:
        """Send a message as `Live.say` does."""
        encoded = [base64.b64encode(buffer).decode() for buffer in buffers]
        message = {"kind": kind, **(content or {})}
        self.page.evaluate("([content, buffers]) => fake.say(content, buffers)", [message, encoded])

    # -- what is left of it ------------------------------------------------------------------------------------------

    def problems(self) -> list[str]:
        """Exceptions that nothing caught."""
        found: list[str] = self.page.evaluate("() => fake.problems")
        return found

    def counts(self) -> dict[str, int]:
        """What the page holds after a garbage collection: object URLs, ears on the model, DOM listeners and nodes."""
        if self._devtools is None:
            self._devtools = self.page.context.new_cdp_session(self.page)
            self._devtools.send("Performance.enable")
        self._devtools.send("HeapProfiler.collectGarbage")
        told = self._devtools.send("Performance.getMetrics")["metrics"]
        metrics = {metric["name"]: int(metric["value"]) for metric in told}
        own = self.page.evaluate("() => ({ blobs: fake.blobs.size, ears: fake.handlers.length })")
        return {**own, "listeners": metrics["JSEventListeners"], "nodes": metrics["Nodes"]}

    def audit(self) -> list[str]:
        """What axe-core finds serious or critical in the page, one line each; [] for nothing."""
        from axe_playwright_python.sync_playwright import Axe

        result = Axe().run(self.page, options={"rules": {"page-has-heading-one": {"enabled": False}}})
        found = [one for one in result.response["violations"] if one["impact"] in SERIOUS]
        return [f"{one['id']}: {_places(one['nodes'])} ({one['help']})" for one in found]

    def shot(self, name: str) -> Path:
        """The path of a picture of the part, as it is now."""
        SHOTS.mkdir(exist_ok=True)
        path = SHOTS / f"{name}.png"
        self.page.locator("body").screenshot(path=path, animations="disabled")
        return path

    # -- the fake Jupyter server -------------------------------------------------------------------------------------

    def _answer(self, route: Route) -> None:
        path = unquote(urlsplit(route.request.url).path)
        if path == "/":
            route.fulfill(body=PAGE, content_type="text/html")
            return
        name = path.removeprefix(f"{BASE_URL}files/")
        content = self.served.get(name)
        wanted = route.request.headers.get("range", "")
        self.asked.append((name, wanted))
        if content is None:
            route.fulfill(status=404, body="")
        else:
            _fulfill_part(route, content, wanted)


def _synced(part: Any) -> dict[str, Any]:
    return {name: value for name, value in part.get_state().items() if name not in NOT_SYNCED}


def _places(nodes: Iterable[Mapping[str, Any]]) -> str:
    return ", ".join(str(node["html"])[:160] for node in nodes)


def _fulfill_part(route: Route, content: bytes, wanted: str) -> None:
    """Answer with the bytes that a Range header asks for, as Jupyter's server does."""
    headers = {"accept-ranges": "bytes", "content-type": "video/mp4"}
    found = re.fullmatch(r"bytes=(\d+)-(\d*)", wanted)
    if found is None:
        route.fulfill(status=200, body=content, headers=headers)
        return
    first, last = int(found[1]), min(int(found[2] or len(content) - 1), len(content) - 1)
    headers["content-range"] = f"bytes {first}-{last}/{len(content)}"
    route.fulfill(status=206, body=content[first : last + 1], headers=headers)
