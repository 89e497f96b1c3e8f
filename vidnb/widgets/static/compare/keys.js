/* The keys of the compare view. */

/** @type {[string, [string, string][]][]} */
const KEYS = [
  [
    "Play",
    [
      ["Space K", "play, pause"],
      [", .", "one frame back, forward"],
      ["J L", "one second back, forward"],
      ["Home End", "first, last frame"],
      ["A B", "loop between two marks"],
      ["< >", "slower, faster"],
      ["M", "sound of the chosen clip only"],
    ],
  ],
  [
    "Look",
    [
      ["← ↑ → ↓", "choose another clip"],
      ["S", "set it as the left one of two"],
      ["G", "grid"],
      ["P", "wipe"],
      ["Shift ← →", "move the line of the wipe"],
      ["N", "blink; again: the other clip"],
      ["D O", "difference, overlay"],
      ["+ −", "zoom all; drag to move"],
      ["F", "full screen"],
    ],
  ],
  [
    "Judge",
    [
      ["1 … 5", "rate the chosen clip"],
      ["0", "take its rating away"],
      ["W", "it wins; again: it does not"],
      ["R", "run it, where it is missing"],
      ["C", "copy its recipe"],
      ["? Esc", "close this list"],
    ],
  ],
];

/** What a key does here; null for keys that are not ours.
 * @returns {?{does: string, value?: any}} */
export function keyAction({ key, shiftKey, ctrlKey, metaKey, altKey }) {
  if (ctrlKey || metaKey || altKey) return null;
  const arrow = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[key];
  if (arrow && shiftKey) return arrow[0] ? { does: "line", value: arrow[0] } : null;
  if (arrow) return { does: "move", value: arrow };
  if (/^[0-5]$/.test(key)) return { does: "rate", value: Number(key) };
  const table = {
    " ": "play",
    k: "play",
    ",": "back",
    ".": "forward",
    j: "second-back",
    l: "second-forward",
    Home: "first",
    End: "last",
    a: "a",
    b: "b",
    "<": "slower",
    ">": "faster",
    m: "sound",
    s: "left",
    g: "grid",
    p: "wipe",
    n: "blink",
    d: "difference",
    o: "overlay",
    "+": "closer",
    "=": "closer",
    "-": "further",
    "−": "further",
    f: "full",
    w: "win",
    r: "run",
    c: "copy",
    "?": "keys",
    Escape: "escape",
  };
  const does = table[key?.length === 1 ? key.toLowerCase() : key];
  return does ? { does } : null;
}

/** What needs somebody who keeps it: a kernel. */
const KEPT = ["1 … 5", "0", "W", "R"];

/** @param {boolean} standalone in a page of its own nothing is kept, so no key for it is listed */
export function keyCard(standalone) {
  const here = (keys) => keys.filter(([names]) => !standalone || !KEPT.includes(names));
  const group = ([title, keys]) =>
    h(
      "div",
      {},
      h("h4", {}, standalone && title === "Judge" ? "More" : title),
      h(
        "dl",
        {},
        here(keys).map(([names, what]) => [
          h(
            "dt",
            {},
            names.split(" ").map((name) => [name === "…" ? name : h("kbd", {}, name), " "]),
          ),
          h("dd", {}, what),
        ]),
      ),
    );
  return h("div", { class: "vidnb-keys", role: "group", "aria-label": "Keys", hidden: true }, KEYS.map(group));
}
