/* What every part of vidnb uses. This text stands before each module's own; there is nothing to import. */

/** An element with attributes and children; text becomes text nodes, so that no prompt is ever read as HTML.
 * A key `onclick` adds a listener, `dataset` and `style` take objects, true is an attribute without a value. */
function h(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key === "dataset" || key === "style") Object.assign(element[key], value);
    else if (key === "value" || key === "checked" || key === "disabled") element[key] = value;
    else element.setAttribute(key, value === true ? "" : String(value));
  }
  element.append(
    ...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false),
  );
  return element;
}

/** Line drawings on a 24 by 24 grid. */
const ICONS = {
  play: "M8 5v14l11-7z",
  pause: "M6 5h3.5v14H6zM14.5 5H18v14h-3.5z",
  back: "M18 6l-8 6 8 6zM6 6h2v12H6z",
  forward: "M6 6l8 6-8 6zM16 6h2v12h-2z",
  close: "M6 6l12 12M18 6L6 18",
  plus: "M12 5v14M5 12h14",
  dice: "M5 5h14v14H5zM9 9h.01M15 15h.01M15 9h.01M9 15h.01M12 12h.01",
  lock: "M6 11h12v9H6zM9 11V8a3 3 0 0 1 6 0v3",
  unlock: "M6 11h12v9H6zM9 11V8a3 3 0 0 1 5.6-1.5",
  star: "M12 3.5l2.6 5.4 5.9.8-4.3 4.1 1 5.9-5.2-2.8-5.2 2.8 1-5.9L3.5 9.7l5.9-.8z",
  download: "M12 4v11M7 10l5 5 5-5M5 20h14",
  copy: "M9 9h11v11H9zM5 15H4V4h11v1",
  loop: "M4 12a7 7 0 0 1 12-5l2 2M18 4v5h-5M20 12a7 7 0 0 1-12 5l-2-2M6 20v-5h5",
  sound: "M4 10v4h4l5 4V6l-5 4zM16 9a4 4 0 0 1 0 6M18.5 6.5a8 8 0 0 1 0 11",
  mute: "M4 10v4h4l5 4V6l-5 4zM17 10l4 4M21 10l-4 4",
  full: "M4 9V4h5M20 9V4h-5M4 15v5h5M20 15v5h-5",
  image: "M4 5h16v14H4zM4 16l5-5 4 4 3-3 4 4M15.5 9.5h.01",
  more: "M6 9l6 6 6-6",
  help: "M9 9a3 3 0 1 1 4.5 2.6c-1 .6-1.5 1.2-1.5 2.4M12 17.5h.01",
  check: "M5 12l5 5 9-10",
  clock: "M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16zM12 8v4.5l3 1.8",
  send: "M12 19V6M6 12l6-6 6 6",
  stop: "M7 7h10v10H7z",
  remix: "M4 7h9a5 5 0 0 1 0 10H8M11 4l-3 3M8 20l-3-3 3-3",
  warn: "M12 4l9 16H3zM12 10v4M12 17h.01",
  swap: "M4 8h14M14 4l4 4-4 4M20 16H6M10 12l-4 4 4 4",
};
const FILLED = new Set(["play", "pause", "back", "forward"]);

/** A drawing of ICONS in the text's colour, silent for screen readers. */
function icon(name, size = 16) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const shape = {
    viewBox: "0 0 24 24",
    width: size,
    height: size,
    fill: FILLED.has(name) ? "currentColor" : "none",
    stroke: "currentColor",
    "stroke-width": 1.8,
    "stroke-linecap": "round",
    "stroke-linejoin": "round",
    "aria-hidden": "true",
  };
  for (const [key, value] of Object.entries(shape)) svg.setAttribute(key, String(value));
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", ICONS[name] ?? "");
  svg.append(path);
  return svg;
}

/** A button with a drawing; its label is the name that screen readers say and the tooltip. */
function iconButton(name, label, onclick, attributes = {}) {
  return h(
    "button",
    { type: "button", class: "vidnb-icon", "aria-label": label, title: label, onclick, ...attributes },
    icon(name),
  );
}

/** What the marks of a clip mean, and the style of their badges; `display/page.py` has the same words. */
const MARKS = {
  EMULATED: ["", "made by the built-in emulator, by no real service"],
  REPLAYED: ["vidnb-brought", "made elsewhere, answered from a bundle: nothing was charged here"],
  IMPORTED: ["vidnb-brought", "made elsewhere, it came with a bundle"],
  NSFW: ["vidnb-nsfw", "the service flagged this clip"],
};

/** Badges for where a clip or job is from, and whether the service flagged it. Nothing for neither. */
function badges({ marks = [], nsfw = false }) {
  return [...marks, ...(nsfw ? ["NSFW"] : [])].map((mark) =>
    h("span", { class: `vidnb-badge ${MARKS[mark][0]}`, title: MARKS[mark][1] }, mark),
  );
}

/** Keys and what they do. @param {[string, string][]} keys */
function keyList(keys) {
  return h(
    "dl",
    {},
    keys.map(([key, what]) => [h("dt", {}, h("kbd", {}, key)), h("dd", {}, what)]),
  );
}

/** "0.8 s", "41 s", "3 min 20 s". */
function spanOfTime(seconds) {
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  const [minutes, rest] = [Math.floor(whole / 60), whole % 60];
  if (minutes < 60) return rest ? `${minutes} min ${rest} s` : `${minutes} min`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** "812 kB", "3.1 MB". */
function sizeOfBytes(count) {
  return count < 1e6 ? `${Math.max(1, Math.round(count / 1000))} kB` : `${(count / 1e6).toFixed(1)} MB`;
}

const GONE =
  "The kernel of this form or clip has ended, so nothing was sent. " +
  "Run the cell again: what was on its way is taken up there.";
/** By model, how its view says that there is no kernel any more. */
const orphaned = new WeakMap();

/** What a part must know of a form before it acts for it: by the form's id its desk (edits on their way), and for each
 * view of a picker a function that gives the form's id and the model that it shows for it.
 * A kernel may hear messages of two parts, and early ones even of one, in another order than they were sent. */
const FORMS = (globalThis.vidnbForms ??= { desks: new Map(), pickers: new Set() });

/** Send a message to the kernel; it arrives at the Python method `heard_<kind>`.
 * @returns {boolean} false where the kernel has ended or restarted, which the part then says */
function send(model, kind, content = {}, buffers = []) {
  try {
    model.send({ kind, ...content }, undefined, buffers);
    return true;
  } catch (error) {
    console.error(error);
    orphaned.get(model)?.();
    return false;
  }
}

/** Change a trait, and let the kernel know as far as there is one. */
function assign(model, name, value) {
  try {
    model.set(name, value);
    model.save_changes();
  } catch (error) {
    console.error(error);
    orphaned.get(model)?.();
  }
}

/** Make a part's root: its class, its line for problems, its ears and its end.
 *
 * @param {{model: Model, el: HTMLElement}} given what anywidget gives to `render`
 * @param {string} name
 * @returns {Part} `signal` ends every listener; render returns `end` */
function begin({ model, el }, name) {
  const control = new AbortController();
  const undo = [];
  const root = h("div", { class: `vidnb-root vidnb-${name}`, "data-state": "starting" });
  const polite = h("div", { class: "vidnb-unseen", role: "status", "aria-live": "polite" });
  const problem = h("div", { class: "vidnb-problem", role: "alert" });
  // The notebook's own shortcuts (a, b, dd, Ctrl-Enter ...) must not hear keys that are pressed in here.
  // JupyterLab listens after us, so stopping the event is enough; Notebook 7 listens before us and looks for this mark,
  // on the focused element first of all.
  el.addEventListener(
    "focusin",
    ({ target }) => /** @type {Element} */ (target).setAttribute("data-lm-suppress-shortcuts", "true"),
    { signal: control.signal },
  );
  for (const kind of ["keydown", "keyup", "keypress", "paste", "copy", "cut"])
    el.addEventListener(kind, (event) => isSave(event) || event.stopPropagation(), { signal: control.signal });
  // A key that is held down on a button is one press of it, not one for each time that it repeats.
  el.addEventListener(
    "keydown",
    (event) => {
      if (event.repeat && event.key === "Enter" && /** @type {Element} */ (event.target).closest("button"))
        event.preventDefault();
    },
    { capture: true, signal: control.signal },
  );
  // All but one: without it Ctrl-S would open the browser's own dialog.
  addEventListener(
    "keydown",
    (event) => {
      if (!isSave(event) || !el.contains(/** @type {Node} */ (event.target))) return;
      const target = /** @type {Element} */ (event.target);
      target.removeAttribute("data-lm-suppress-shortcuts");
      setTimeout(() => target.setAttribute("data-lm-suppress-shortcuts", "true"));
    },
    { capture: true, signal: control.signal },
  );
  const on = (event, handler) => {
    model.on(event, handler);
    undo.push(() => model.off(event, handler));
  };
  const watch = (names, handler) => names.split(" ").forEach((trait) => on(`change:${trait}`, handler));
  const hear = (kind, handler) =>
    on("msg:custom", (content, buffers) => content?.kind === kind && handler(content, buffers ?? []));
  const showProblem = () => {
    problem.textContent = model.get("problem") ?? "";
    problem.hidden = !problem.textContent;
  };
  watch("problem", showProblem);
  showProblem();
  const stale = h("div", { class: "vidnb-hint", role: "status" });
  orphaned.set(model, () => {
    stale.textContent = GONE;
  });
  el.replaceChildren(root, problem, stale, polite);
  const hidden = hideSaved(undo);
  const findSaved = () => {
    hidden(model.get("_instead"));
  };
  let looking;
  watch("_instead", findSaved);
  findSaved();
  watch("_written", () => {
    clearTimeout(looking);
    looking = setTimeout(() => {
      stale.textContent = isStale(model) ? STALE : "";
    }, 2000);
  });
  undo.push(() => clearTimeout(looking));
  const announce = (text) => {
    polite.textContent = text;
  };
  const end = () => {
    control.abort();
    undo.forEach((step) => step());
    el.replaceChildren();
  };
  return { root, signal: control.signal, hear, watch, announce, end };
}

/** Ctrl-S or Cmd-S: the one shortcut of the notebook that holds everywhere in it. */
const isSave = (event) =>
  event.type === "keydown" && (event.ctrlKey || event.metaKey) && !event.altKey && event.key?.toLowerCase() === "s";

/** Hide the saved output that stands for a part while the part itself is alive.
 * @returns {(id: string) => void} hides the output of this id */
function hideSaved(undo) {
  const style = h("style");
  document.head.append(style);
  undo.push(() => style.remove());
  return (id) => {
    const place = `[data-vidnb-saved="${id}"]`;
    style.textContent = /^[0-9a-f]{8,64}$/.test(id ?? "")
      ? `${place}, .jp-OutputArea-child:has(${place}) { display: none !important; }`
      : "";
  };
}

const STALE =
  "This page was loaded anew, so the notebook no longer takes in what happens here. " +
  "Run the cell again before you save it.";

/** Whether the saved output is older than the part: after a reload a page no longer knows whose it is. */
function isStale(model) {
  /** @type {HTMLElement | null} */
  const saved = document.querySelector(`[data-vidnb-saved="${model.get("_instead")}"]`);
  return saved !== null && Number(saved.dataset.vidnbWritten) < model.get("_written");
}

/** Puts together the bytes that Python's `say_in_pieces` sends, which may come in any order, by a name for each lot. */
function gatherer() {
  const begun = new Map();
  return {
    has: (name) => begun.has(name),
    drop: (name) => begun.delete(name),
    /** @returns {?DataView[]} all pieces once the last one is there */
    take(name, { part, parts }, piece) {
      const pieces = begun.get(name) ?? new Array(parts).fill(null);
      pieces[part] = piece;
      if (pieces.every(Boolean)) {
        begun.delete(name);
        return pieces;
      }
      begun.set(name, pieces);
      return null;
    },
  };
}

/** The address at which the Jupyter server serves a file, from its path below the server's folder; null elsewhere. */
function servedUrl(path) {
  if (!path) return null;
  try {
    const { baseUrl } = JSON.parse(document.getElementById("jupyter-config-data")?.textContent ?? "{}");
    return baseUrl ? `${baseUrl}files/${path.split("/").map(encodeURIComponent).join("/")}` : null;
  } catch {
    return null;
  }
}

/** True where the person asked their system for less motion. */
const stillPlease = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
