/* The elements of the player, and where each stands. */

const SPEEDS = [0.25, 0.5, 1, 1.5, 2];

/** @type {[string, string][]} */
const KEYS = [
  ["Space or K", "play, pause"],
  [", . or ← →", "one frame back, forward"],
  ["J and L", "one second back, forward"],
  ["Home, End", "first, last frame"],
  ["A and B", "loop between two marks"],
  ["M", "sound on, off"],
  ["F", "full screen"],
  ["?", "these keys"],
];
export const ACTIONS = [
  ["remix", "remix", "Remix", "Take the recipe up in the form"],
  ["vary", "dice", "Vary seed", "The same recipe with another seed"],
  ["take", "plus", "Next take", "The same recipe once more"],
  ["start_frame", "image", "Frame as start", "Use the frame at the playhead as start image"],
  ["end_frame", "image", "Frame as end", "Use the frame at the playhead as end image"],
];

/** A labelled range input. */
function slider(label, attributes) {
  return h("input", { type: "range", "aria-label": label, ...attributes });
}

function keyCard() {
  return h("div", { class: "vidnb-card vidnb-keys", hidden: true }, keyList(KEYS));
}

/** Make the elements. @param {HTMLElement} own what holds a person's rating, tags and note */
export function playerParts(own) {
  const video = h("video", { playsinline: true, preload: "auto" });
  const poster = h("img", { alt: "", hidden: true });
  const start = h("div", { class: "vidnb-start", "aria-hidden": "true" }, icon("play", 28));
  const cannot = h("div", { class: "vidnb-cannot", role: "status" });
  const anyway = h("button", { type: "button", class: "vidnb-small" }, "Play anyway");
  const warning = h(
    "div",
    { class: "vidnb-warning", hidden: true },
    h(
      "span",
      {
        class: "vidnb-flashes",
        title: "More than three flashes in a second: it can harm people with photosensitive epilepsy",
      },
      icon("warn", 14),
      "flashes",
    ),
    anyway,
  );
  const stage = h("div", { class: "vidnb-stage" }, poster, video, start, warning, cannot);
  const scrub = slider("Position", { class: "vidnb-scrub", min: "0", step: "1", value: "0" });
  const span = h("div", { class: "vidnb-span", "aria-hidden": "true" });
  const button = (drawing, label) => iconButton(drawing, label, null);
  const play = button("play", "Play");
  const [back, forward] = [button("back", "One frame back"), button("forward", "One frame forward")];
  back.tabIndex = forward.tabIndex = -1; // the player has keys for them
  const time = h("span", { class: "vidnb-time vidnb-number" });
  const numbered = h("span", { class: "vidnb-frame vidnb-number vidnb-fine vidnb-muted" });
  const letter = (text, label) =>
    h(
      "button",
      { type: "button", class: "vidnb-icon vidnb-letter", "aria-label": label, title: label, "aria-pressed": "false" },
      text,
    );
  const [setA, setB] = [letter("A", "Loop from here (A)"), letter("B", "Loop up to here (B)")];
  const unmark = button("close", "Clear the marks A and B");
  const speed = h(
    "select",
    { "aria-label": "Speed", title: "Speed" },
    SPEEDS.map((rate) => h("option", { value: String(rate) }, `${rate}×`)),
  );
  const loop = button("loop", "Loop");
  const mute = button("sound", "Mute");
  const volume = slider("Volume", { class: "vidnb-volume", min: "0", max: "1", step: "0.05", value: "1" });
  const full = button("full", "Full screen");
  const download = h("a", { class: "vidnb-icon", "aria-label": "Download", title: "Download" }, icon("download"));
  const help = h(
    "button",
    { type: "button", class: "vidnb-icon vidnb-letter", "aria-label": "Keys", title: "Keys", "aria-expanded": "false" },
    "?",
  );
  const keys = keyCard();
  const transport = h(
    "div",
    { class: "vidnb-transport" },
    h("div", { class: "vidnb-cluster" }, back, play, forward, time, numbered),
    h(
      "div",
      { class: "vidnb-cluster vidnb-tools", role: "toolbar", "aria-label": "Loop, speed, sound, file" },
      setA,
      setB,
      unmark,
      speed,
      loop,
      mute,
      volume,
      download,
      full,
      help,
    ),
  );
  const screen = h(
    "div",
    { class: "vidnb-screen", role: "group", tabindex: "0" },
    stage,
    h("div", { class: "vidnb-track" }, span, scrub),
    transport,
    keys,
  );
  const quiet = h("div", { class: "vidnb-fine vidnb-muted" });
  const copy = h(
    "button",
    { type: "button", class: "vidnb-small", title: "Copy the recipe as Python code" },
    icon("copy", 14),
    "Copy recipe",
  );
  const acts = ACTIONS.map(([name, drawing, words, title]) =>
    h("button", { type: "button", class: "vidnb-small", title, dataset: { action: name } }, icon(drawing, 14), words),
  );
  const code = h("textarea", {
    class: "vidnb-mono",
    readonly: true,
    rows: "4",
    hidden: true,
    "aria-label": "Recipe as Python code, press Ctrl C to copy",
  });
  const about = h("div", { class: "vidnb-about" });
  const actions = h(
    "div",
    { class: "vidnb-row vidnb-acts", role: "toolbar", "aria-label": "Go on from this clip" },
    acts,
    copy,
  );
  const shownPart = h("div", { class: "vidnb-shown" }, screen, quiet, actions, code, about, own);
  const empty = h(
    "div",
    { class: "vidnb-empty" },
    icon("play", 24),
    h("div", {}, "No clip yet"),
    h("div", { class: "vidnb-fine" }, "The next clip, or one that you pick, is shown here."),
  );
  return {
    video,
    poster,
    start,
    cannot,
    anyway,
    warning,
    stage,
    scrub,
    span,
    play,
    back,
    forward,
    time,
    numbered,
    setA,
    setB,
    unmark,
    speed,
    loop,
    mute,
    volume,
    full,
    download,
    help,
    keys,
    transport,
    screen,
    quiet,
    copy,
    acts,
    code,
    about,
    actions,
    shownPart,
    empty,
  };
}
