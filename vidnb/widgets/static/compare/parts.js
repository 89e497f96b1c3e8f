/* The elements of the compare view, and where each stands. */

import { keyCard } from "./keys.js";

export const MODES = [
  ["grid", "Grid", "G"],
  ["wipe", "Wipe", "P"],
  ["blink", "Blink", "N"],
  ["difference", "Difference", "D"],
  ["overlay", "Overlay", "O"],
];
export const SPEEDS = [0.1, 0.25, 0.5, 1, 1.5, 2];
export const ZOOMS = [1, 1.5, 2, 3, 4, 8];
const ALIGNMENTS = [
  ["time", "by time"],
  ["share", "by share of length"],
  ["frame", "by frame"],
];
const GAINS = [1, 2, 4, 8];

/** A row of choices of which one holds. */
function segments(name, label, options, chosen) {
  const inputs = options.map(([value]) => h("input", { type: "radio", name, value, checked: value === chosen }));
  const field = h(
    "fieldset",
    { class: "vidnb-segments", "aria-label": label },
    options.map(([, word], at) => h("label", {}, inputs[at], word)),
  );
  return { field, inputs };
}

/** Make the elements and put them into the root.
 * @param {{root: HTMLElement, id: string, closed: () => void, debugging: boolean, standalone: boolean}} how `closed` is
 *     called when a person closes the view */
export function compareParts({ root, id, closed, debugging, standalone }) {
  const title = h("h3", { class: "vidnb-prompt", dir: "auto" });
  const common = h("p", { class: "vidnb-common" });
  const close = iconButton("close", "Close the comparison", closed, { hidden: true });
  const notices = h("div", { class: "vidnb-notices" });
  const { field: modes, inputs: modeInputs } = segments(`${id}-mode`, "How to compare", MODES, "grid");
  const align = h(
    "select",
    { class: "vidnb-plain", "aria-label": "Line up", title: "How clips of other length or frame rate are lined up" },
    ALIGNMENTS.map(([value, words]) => h("option", { value }, `Line up ${words}`)),
  );
  const gain = h(
    "select",
    { class: "vidnb-plain", "aria-label": "How much stronger the difference is shown" },
    GAINS.map((by) => h("option", { value: by }, by === 1 ? "Shown as it is" : `Shown ${by} times stronger`)),
  );
  const status = h("span", { class: "vidnb-muted vidnb-fine", role: "status" });
  const runOthers = h("span", { class: "vidnb-runs" });
  const bar = h(
    "div",
    { class: "vidnb-bar" },
    modes,
    align,
    gain,
    h("span", { class: "vidnb-grow vidnb-wide" }),
    status,
    runOthers,
  );
  const table = h("div", { class: "vidnb-grid", role: "grid" });
  const box = h("div", { class: "vidnb-box" }, table);
  const stageCanvas = h("canvas", { class: "vidnb-stage-picture", role: "img" });
  const lineGrip = h(
    "div",
    {
      class: "vidnb-line",
      role: "slider",
      tabindex: "0",
      "aria-label": "Line between the clips",
      "aria-valuemin": 0,
      "aria-valuemax": 100,
    },
    h("i", {}, icon("swap", 16)),
  );
  const sideLeft = h("span", { class: "vidnb-on vidnb-side", dataset: { side: "left" } });
  const sideRight = h("span", { class: "vidnb-on vidnb-side", dataset: { side: "right" } });
  const stage = h(
    "div",
    { class: "vidnb-stage", role: "group", tabindex: "0", "aria-label": "Two clips" },
    stageCanvas,
    sideLeft,
    sideRight,
    lineGrip,
  );
  const pickLeft = h("select", { "aria-label": "Left clip" });
  const pickRight = h("select", { "aria-label": "Right clip" });
  const map = h("div", {
    class: "vidnb-map",
    role: "group",
    "aria-label": "Take the right clip; with Shift the left one",
  });
  const differs = h("table", { class: "vidnb-differs" });
  const picks = h(
    "div",
    { class: "vidnb-pick" },
    h("div", { class: "vidnb-sides" }, h("span", {}, "Left"), pickLeft, h("span", {}, "Right"), pickRight),
    h("div", { class: "vidnb-mapped" }, h("h4", {}, "Clips"), map),
    differs,
  );
  const two = h("div", { class: "vidnb-two", hidden: true }, stage, picks);
  const scrub = h("input", { type: "range", min: 0, max: 0, step: 1, value: 0, "aria-label": "Time" });
  const marks = h("div", { class: "vidnb-span", hidden: true });
  const track = h("div", { class: "vidnb-track" }, marks, scrub);
  const back = iconButton("back", "One frame back");
  const forward = iconButton("forward", "One frame forward");
  const play = h(
    "button",
    { type: "button", class: "vidnb-primary vidnb-play", "aria-label": "Play all", title: "Play all" },
    icon("play"),
  );
  const time = h("span", { class: "vidnb-time vidnb-number" });
  const frameCount = h("span", { class: "vidnb-time vidnb-muted vidnb-number vidnb-wide" });
  const letter = (text, label) =>
    h("button", { type: "button", class: "vidnb-icon vidnb-letter", "aria-label": label, title: label }, text);
  const markA = letter("A", "Loop from here");
  const markB = letter("B", "Loop to here");
  const unmark = iconButton("close", "Remove the marks", null, { hidden: true });
  const speed = h(
    "select",
    { class: "vidnb-plain", "aria-label": "Speed" },
    SPEEDS.map((by) => h("option", { value: by }, `${by}×`)),
  );
  const zoom = h(
    "select",
    { class: "vidnb-plain", "aria-label": "Zoom" },
    ZOOMS.map((by) => h("option", { value: by }, by === 1 ? "Fit" : `${by}×`)),
  );
  const loop = iconButton("loop", "Loop", null, { "aria-pressed": "true" });
  const full = iconButton("full", "Full screen");
  const help = h(
    "button",
    { type: "button", class: "vidnb-icon vidnb-letter", "aria-label": "Keys", title: "Keys", "aria-expanded": "false" },
    "?",
  );
  const transport = h(
    "div",
    { class: "vidnb-transport" },
    h("div", { class: "vidnb-cluster" }, back, play, forward, time, frameCount),
    h("div", { class: "vidnb-cluster" }, markA, markB, unmark, speed, zoom, loop, full, help),
  );
  const name = h("span", { class: "vidnb-name" });
  const stars = h("span", { class: "vidnb-stars", role: "radiogroup", "aria-label": "Rating" });
  const starInputs = [1, 2, 3, 4, 5].map((value) =>
    h("input", { type: "radio", name: `${id}-rating`, value, "aria-label": `${value} of 5` }),
  );
  stars.append(...starInputs.map((input) => h("label", {}, input, icon("star", 16))));
  const win = h("button", { type: "button", "aria-pressed": "false" }, "Winner");
  const setLeft = h("button", { type: "button", "aria-pressed": "false" }, "Set as left");
  const sound = iconButton("mute", "Only the sound of this clip", null, { "aria-pressed": "false", hidden: true });
  const copy = iconButton("copy", "Copy recipe");
  const facts = h("span", { class: "vidnb-facts vidnb-number" });
  const reason = h("span", { class: "vidnb-reason" });
  const undo = h("button", { type: "button", class: "vidnb-small", hidden: true }, "Undo");
  const chosenLine = h(
    "div",
    { class: "vidnb-chosen", role: "group", "aria-label": "The chosen clip" },
    name,
    stars,
    win,
    undo,
    setLeft,
    sound,
    copy,
    reason,
    h("span", { class: "vidnb-grow vidnb-wide" }),
    facts,
  );
  const keys = keyCard(standalone);
  const debug = h("output", { class: "vidnb-debug vidnb-mono", hidden: !debugging });
  const quiet = h("div", { class: "vidnb-hidden", "aria-hidden": "true" });
  root.setAttribute("role", "region");
  root.append(
    h("header", { class: "vidnb-head" }, title, close, common),
    notices,
    bar,
    box,
    two,
    track,
    transport,
    chosenLine,
    keys,
    debug,
    quiet,
  );
  return {
    title,
    common,
    close,
    notices,
    align,
    gain,
    status,
    runOthers,
    table,
    box,
    stageCanvas,
    lineGrip,
    sideLeft,
    sideRight,
    stage,
    pickLeft,
    pickRight,
    map,
    differs,
    two,
    scrub,
    marks,
    back,
    forward,
    play,
    time,
    frameCount,
    markA,
    markB,
    unmark,
    speed,
    zoom,
    loop,
    full,
    help,
    name,
    stars,
    starInputs,
    win,
    setLeft,
    sound,
    copy,
    facts,
    reason,
    undo,
    keys,
    debug,
    quiet,
    modes,
    modeInputs,
  };
}
