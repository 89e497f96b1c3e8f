/* A sweep as a grid of cells on one canvas: what is done, running, waiting and failed, and why. */

import { budgetOf } from "./board/budget.js";
import { between, compareWords, insideOf } from "./board/comparing.js";
import {
  HEAD_HIGH,
  NAME_HIGH,
  SIZES,
  cellAt,
  firstSize,
  leftOf,
  measured,
  moved,
  rowsInView,
  topOf,
} from "./board/layout.js";

const WAITING = 0,
  RUNNING = 1,
  DONE = 2,
  FAILED = 3,
  UNCLEAR = 4,
  NOT = 5,
  REFUSED = 6,
  NONE = 255;
const KEYS_OF_STATES = { [WAITING]: "wait", [RUNNING]: "run", [DONE]: "done", [FAILED]: "bad", [UNCLEAR]: "odd" };
const STATES = [DONE, RUNNING, WAITING, FAILED, UNCLEAR, NOT, REFUSED];
const NAMES = ["waiting", "running", "done", "failed", "not clear", "not sent", "refused", "the same clip as another"];
const TALLEST = 640;
const POSTERS_KEPT = 800;
const POSTERS_AT_ONCE = 24;
const REST_MS = 80;
const PREVIEWS_AT_ONCE = 4;
const PREVIEWS_MS = 1000,
  PREVIEWS_LATE_MS = 10_000;
const HOVER_MS = 150;
const PATIENCE_MS = 1500;
const NOTHING_CHOSEN = "Arrows or pointer: what is in a cell.";
const BUSY = "The kernel is busy with a cell; this comes when that has ended.";
const DEAF = `The kernel is busy with a cell and hears no click until that has ended. Interrupt it to send no more: what
was sent is kept, and running the cell again goes on. After s.run(wait=False) these buttons work at once.`;
const KEYS = [
  ["Arrows", "choose a cell"],
  ["Enter", "see it large"],
  ["X", "mark it, or click with Ctrl; Shift marks all between"],
  ["C", "compare those that are marked, or all that are done"],
  ["Esc", "take all marks away"],
  ["N", "next that failed"],
  ["B", "change the budget"],
  ["+ -", "size of the cells"],
  ["P", "pause, go on"],
  ["1-5, 0", "rate, take the rating away"],
  ["?", "these keys"],
];

function render({ model, el }) {
  const part = begin({ model, el }, "board");
  const { root, signal, hear, watch, announce, end } = part;
  const plan = model.get("_plan");
  const grid = plan.grid;
  const count = grid.rows * grid.cols;
  let states = new Uint8Array(count).fill(NONE);
  let ratings = new Uint8Array(count);
  const posters = new Map(); // cell -> ImageBitmap, the oldest first
  const wanted = new Set();
  const previews = new Map(); // running cell -> { bitmap, words }
  const blind = new Set(); // running cells whose service shows nothing
  const shownStates = new Set(); // filter: empty for all
  /** @type {Set<number>} */
  const marked = new Set(); // to be compared
  let size = firstSize(grid, plan.cells, 800);
  let isSizeChosen = false;
  let by = measured(grid, size, 800);
  let chosen = -1,
    over = -1,
    frame = 0,
    restTimer = 0,
    hover = 0,
    patience = 0,
    isComparing = false,
    askedAt = 0, // for previews; 0 once they came
    facts = /** @type {any} */ (null),
    asking = "";
  /** @type {?HTMLVideoElement} */
  let video = null;

  // -- parts

  const word = h("span", { class: "b-word" });
  const now = h("span", { class: "b-now", role: "status" }, word);
  const steps = h("div", { class: "vidnb-row b-steps" });
  const head = h(
    "div",
    { class: "b-top" },
    h(
      "header",
      {},
      h("h3", { class: "b-title", dir: "auto" }, plan.title),
      h("p", { class: "vidnb-muted vidnb-fine" }, plan.size, ...badges(plan)),
    ),
    h("div", { class: "vidnb-row" }, now, steps),
  );
  const why = h("p", { class: "b-why", hidden: true });
  const note = h("p", { class: "b-note", hidden: true });
  const sums = h("div", { class: "b-sums" });
  const change = h("button", { type: "button", class: "b-change", onclick: () => act("caps") }, "change the budget");
  const legend = h("div", { class: "b-states", role: "group", "aria-label": "Show only" });
  const sizes = h("fieldset", { class: "b-sizes", "aria-label": "Size of the cells" });
  const radios = SIZES.map((name) => {
    const radio = h("input", { type: "radio", name: `size-${plan.id}-${Math.random()}`, value: name });
    radio.checked = name === size;
    radio.addEventListener("change", () => resize(name), { signal });
    sizes.append(h("label", {}, radio, name[0].toUpperCase() + name.slice(1)));
    return radio;
  });
  radios.forEach((radio) => (radio.name = radios[0].name));
  const keys = h("div", { class: "vidnb-keys", hidden: true }, keyList(/** @type {any} */ (KEYS)));
  const help = iconButton("help", "Keys", () => showKeys(), { "aria-expanded": "false" });
  const canvas = h("canvas", {
    tabindex: "0",
    role: "application",
    "aria-label": `${plan.cells.toLocaleString("en")} cells; arrows choose one`,
  });
  const spacer = h("div", { class: "b-spacer" }, canvas);
  const box = h("div", { class: "b-box" }, spacer);
  const line = h("div", { class: "b-line" }, h("strong", {}, ""), h("span", { class: "vidnb-muted" }, NOTHING_CHOSEN));
  const stars = h("div", { class: "vidnb-row b-stars", role: "group", "aria-label": "Rating", hidden: true });
  const starButtons = [1, 2, 3, 4, 5].map((number) => {
    const label = `${number} star${number > 1 ? "s" : ""}`;
    const button = iconButton("star", label, () => rate(number), { "aria-pressed": "false" });
    stars.append(button);
    return button;
  });
  const markButton = h(
    "button",
    { type: "button", class: "vidnb-small", hidden: true, "aria-pressed": "false", onclick: () => mark(chosen) },
    "Mark",
  );
  const read = h("div", { class: "b-read" }, line, stars, markButton);
  const bar = h("div", { class: "vidnb-row b-bar" }, legend, sizes, help);
  const compared = h("div", { class: "b-compared", hidden: true });
  const budget = budgetOf(part, model, {
    asked: () => beginWaiting(),
    closed: () => change.focus(),
    capped: (words) => tell(words),
  });
  const causes = h("div", { class: "b-causes", role: "group", "aria-label": "Not done, by cause", hidden: true });
  const swatches = new Map(
    STATES.map((state) => [state, h("span", { class: "b-key", dataset: { s: KEYS_OF_STATES[state] ?? "not" } })]),
  );
  root.append(head, why, sums, budget.form, note, bar, keys, box, read, compared, causes);

  // -- the kernel's news

  hear("all", (_, [first, second]) => {
    states = bytesOf(first);
    ratings = bytesOf(second);
    root.dataset.state = model.get("_now").word ?? "plan";
    drawLegend();
    drawSteps(model.get("_now"));
    redraw();
  });
  hear("cells", (_, [places, values]) => {
    const cells = new Uint32Array(bytesOf(places).slice().buffer);
    const pairs = bytesOf(values);
    cells.forEach((cell, n) => {
      states[cell] = pairs[2 * n];
      if (states[cell] !== RUNNING) dropPreview(cell);
      ratings[cell] = pairs[2 * n + 1];
      if (cell === chosen) ask(cell);
    });
    drawLegend();
    redraw();
  });
  hear("posters", async ({ cells }, buffers) => {
    await Promise.all(
      cells.map(async (cell, n) => {
        const bytes = bytesOf(buffers[n]);
        if (!bytes.length) return;
        wanted.add(cell); // it may come unasked
        try {
          posters.set(cell, await createImageBitmap(new Blob([bytes], { type: "image/webp" })));
        } catch {
          return; // a poster that cannot be read leaves its cell green
        }
      }),
    );
    for (const [cell, bitmap] of posters) {
      if (posters.size <= POSTERS_KEPT) break;
      bitmap.close();
      posters.delete(cell);
      wanted.delete(cell);
    }
    redraw();
  });
  hear("previews", async ({ cells }, buffers) => {
    askedAt = 0;
    await Promise.all(
      cells.map(async ({ cell, gives, words }, n) => {
        if (!gives) blind.add(cell);
        const bytes = bytesOf(buffers[n]);
        const bitmap = bytes.length ? await createImageBitmap(new Blob([bytes])).catch(() => null) : null;
        if (states[cell] !== RUNNING) {
          bitmap?.close();
          return;
        }
        const before = previews.get(cell);
        if (bitmap) before?.bitmap?.close();
        previews.set(cell, { bitmap: bitmap ?? before?.bitmap, words });
        if (cell === chosen && before?.words !== words) ask(cell);
      }),
    );
    root.dataset.previews = String([...previews.values()].filter(({ bitmap }) => bitmap).length);
    redraw();
  });
  hear("facts", (content) => {
    if (content.cell !== chosen) return;
    facts = content;
    line.replaceChildren(
      h("strong", { dir: "auto" }, content.title),
      h("span", { class: "vidnb-muted" }, content.words),
    );
    stars.hidden = markButton.hidden = states[chosen] !== DONE;
    drawMark();
    starButtons.forEach((button, n) => {
      button.setAttribute("aria-pressed", String(n < content.rating));
      button.firstChild.setAttribute("fill", n < content.rating ? "currentColor" : "none");
    });
    announce(`${content.title}. ${content.words}`);
  });
  hear("video", ({ cell, path, flashes }) => cell === over && play(path, flashes));
  watch("_now", () => drawNow());
  hear("caps", () => tell(""));
  hear("capped", ({ refused }) => refused && tell(""));
  hear("compared", ({ code }) => tell(inside.canShow ? "" : `To see them side by side, run in a cell: ${code}`));
  watch("problem", () => tell(""));

  // -- what stands around the grid

  function drawNow() {
    const told = model.get("_now");
    if (told.word !== root.dataset.state) tell(""); // "It goes on." is true no more, a click was heard
    root.dataset.state = told.word ?? "plan";
    word.textContent = told.heading ?? "";
    now.dataset.moving = String(told.word === "running");
    why.textContent = told.why ?? "";
    why.hidden = !told.why;
    const isAtBudget = focused() === change;
    sums.replaceChildren(
      ...(told.sums ?? []).map(([name, rows]) =>
        h(
          "div",
          {},
          h("h4", {}, name, name === "Money" && change),
          h(
            "dl",
            {},
            rows.map(([label, value, bold]) => [
              h("dt", { class: bold ? "b-sum" : "" }, label),
              h("dd", { class: bold ? "b-sum" : "" }, value),
            ]),
          ),
        ),
      ),
    );
    if (isAtBudget) change.focus();
    drawSteps(told);
    drawCauses(told.causes ?? []);
  }

  /** What has the keyboard, also inside a shadow root, as marimo has. */
  function focused() {
    return /** @type {Document} */ (root.getRootNode()).activeElement;
  }

  function drawSteps(told) {
    const active = focused();
    const kept = active?.closest(".b-steps") && active.textContent;
    const made = [];
    if (asking === "stop") {
      made.push(h("span", {}, told.stop ?? "Stop?"));
      made.push(step("Stop", "stop", "vidnb-primary"), step("Go on", null));
    } else {
      for (const { kind, text, price } of told.steps ?? []) {
        const first = made.length === 0 ? "vidnb-primary" : "";
        const button = step(text, kind, first);
        if (price) button.append(h("span", { class: "vidnb-price" }, ` ${price}`));
        made.push(button);
      }
      made.push(...comparingSteps(made.length === 0));
    }
    steps.replaceChildren(...made);
    if (kept) [...steps.querySelectorAll("button")].find((one) => one.textContent === kept)?.focus();
  }

  /** The buttons that lead into a comparison, or out of it. */
  function comparingSteps(isFirst) {
    if (isComparing)
      return [h("button", { type: "button", onclick: () => send(model, "uncompare") }, "Back to the grid")];
    const count = marked.size ? marked.size : states.reduce((sum, state) => sum + Number(state === DONE), 0);
    if (count < 2 && !marked.size) return [];
    const text = count < 2 ? "1 marked" : compareWords(count, plan.most ?? 64);
    const made = [
      h(
        "button",
        { type: "button", class: isFirst ? "vidnb-primary" : null, disabled: count < 2, onclick: () => compare() },
        text,
      ),
    ];
    if (marked.size) made.push(iconButton("close", "Take all marks away", () => unmark()));
    return made;
  }

  function compare() {
    const cells = [...marked].sort((one, other) => one - other);
    if (send(model, "compare", { cells })) beginWaiting();
  }

  function drawMark() {
    const isMarked = marked.has(chosen);
    markButton.setAttribute("aria-pressed", String(isMarked));
    markButton.textContent = isMarked ? "Marked" : "Mark";
    drawSteps(model.get("_now"));
    redraw();
  }

  /** Mark cells whose clips are done, or take the mark of one away. */
  function mark(...cells) {
    const [only] = cells;
    if (cells.length === 1 && marked.delete(only)) announce("mark taken away");
    else {
      for (const cell of cells) if (states[cell] === DONE) marked.add(cell);
      announce(`${marked.size} marked`);
    }
    drawMark();
  }

  function unmark() {
    marked.clear();
    drawMark();
    canvas.focus();
  }

  /** Say something below the sums; "" for nothing. */
  function tell(words) {
    clearTimeout(patience);
    note.textContent = words;
    note.hidden = !words;
  }

  /** Say so where the kernel takes its time: while a cell runs, most kernels hear nothing. */
  function beginWaiting(words = BUSY) {
    tell("");
    patience = setTimeout(() => tell(words), PATIENCE_MS);
  }

  function showComparison(isOpen) {
    if (isOpen === isComparing) return;
    isComparing = isOpen;
    stopVideo();
    for (const element of [bar, box, read]) element.hidden = isOpen;
    keys.hidden = true;
    compared.hidden = !isOpen;
    drawSteps(model.get("_now"));
    if (isOpen) enter(40);
    else {
      measure();
      canvas.focus();
    }
  }

  /** Give the keyboard to the comparison once it is drawn. */
  function enter(tries) {
    const first = /** @type {?HTMLElement} */ (compared.querySelector(".vidnb-cell[tabindex='0']"));
    if (first) first.focus();
    else if (tries && isComparing) setTimeout(() => enter(tries - 1), 50);
  }

  function step(text, kind, style = "") {
    return h("button", { type: "button", class: style || null, onclick: () => act(kind) }, text);
  }

  function act(kind) {
    if (kind === "ask_stop") asking = "stop";
    else if (kind === "caps") budget.ask();
    else {
      asking = "";
      if (kind && send(model, kind)) beginWaiting(DEAF);
    }
    drawNow();
  }

  function drawCauses(list) {
    causes.hidden = !list.length;
    causes.replaceChildren(
      ...list.map((cause) =>
        h(
          "div",
          { class: "b-cause" },
          h("b", {}, cause.count.toLocaleString("en")),
          h("p", {}, cause.words, h("span", { class: "vidnb-muted vidnb-fine" }, cause.where)),
          cause.retry &&
            h(
              "button",
              { type: "button", class: "vidnb-small", onclick: () => send(model, "retry", { cause: cause.name }) },
              `Retry ${cause.count.toLocaleString("en")}`,
              h("span", { class: "vidnb-price" }, ` ${cause.price}`),
            ),
        ),
      ),
    );
  }

  function drawLegend() {
    const counts = new Map();
    for (const state of states) counts.set(state, (counts.get(state) ?? 0) + 1);
    const there = STATES.filter((state) => counts.get(state) || shownStates.has(state));
    if (
      legend.children.length !== there.length ||
      [...legend.children].some((one, n) => Number(one.dataset.s) !== there[n])
    ) {
      legend.replaceChildren(
        ...there.map((state) =>
          h(
            "button",
            {
              type: "button",
              dataset: { s: state },
              "aria-pressed": String(shownStates.has(state)),
              onclick: (event) => {
                if (!shownStates.delete(state)) shownStates.add(state);
                event.currentTarget.setAttribute("aria-pressed", String(shownStates.has(state)));
                redraw();
              },
            },
            swatches.get(state),
            h("b", { class: "vidnb-number" }),
            ` ${NAMES[state]}`,
          ),
        ),
      );
    }
    there.forEach((state, n) => {
      legend.children[n].querySelector("b").textContent = (counts.get(state) ?? 0).toLocaleString("en");
    });
  }

  function showKeys() {
    keys.hidden = !keys.hidden;
    help.setAttribute("aria-expanded", String(!keys.hidden));
  }

  // -- the grid

  function resize(name) {
    isSizeChosen = true;
    setSize(name);
    stopVideo();
    measure();
    if (chosen >= 0) bringIntoView(chosen);
  }

  function setSize(name) {
    size = name;
    radios.forEach((radio) => (radio.checked = radio.value === name));
  }

  function measure() {
    const width = box.clientWidth || 800;
    if (!isSizeChosen) setSize(firstSize(grid, plan.cells, width));
    by = measured(grid, size, width, 27 + nameWide(0) + nameWide(1));
    spacer.style.width = `${by.total.width}px`;
    spacer.style.height = `${by.total.height}px`;
    box.style.height = `${Math.min(TALLEST, by.total.height + 14)}px`;
    redraw();
  }

  /** How wide the first parts of all names of rows are, or what follows them. */
  function nameWide(part_) {
    const pen = canvas.getContext("2d");
    pen.font = `${part_ ? 400 : 600} 12px ${colours().font}`;
    const texts = new Set(plan.rows.map((names) => (part_ ? names.slice(1).join(" · ") : (names[0] ?? ""))));
    return [...texts].reduce((widest, text) => Math.max(widest, pen.measureText(text).width), 0);
  }

  function redraw() {
    frame ||= requestAnimationFrame(() => {
      frame = 0;
      draw();
    });
  }

  function colours() {
    const style = getComputedStyle(root);
    const ink = style.color;
    const of = (name) => style.getPropertyValue(name).trim();
    return {
      ink,
      font: style.fontFamily,
      done: of("--b-done"),
      bad: of("--b-bad"),
      run: of("--b-run"),
      soft: of("--b-soft"),
      odd: of("--b-odd"),
      focus: of("--b-run"),
      mark: of("--vidnb-accent"),
    };
  }

  function draw() {
    const scale = devicePixelRatio || 1;
    const wide = Math.min(box.clientWidth, by.total.width),
      high = Math.min(box.clientHeight, by.total.height);
    if (canvas.width !== Math.round(wide * scale) || canvas.height !== Math.round(high * scale)) {
      canvas.width = Math.round(wide * scale);
      canvas.height = Math.round(high * scale);
      canvas.style.width = `${wide}px`;
      canvas.style.height = `${high}px`;
    }
    const pen = canvas.getContext("2d");
    const paint = colours();
    const [left, top] = [box.scrollLeft, box.scrollTop];
    pen.setTransform(scale, 0, 0, scale, 0, 0);
    pen.clearRect(0, 0, wide, high);
    const [first, last] = rowsInView(grid, by, top, high);
    pen.save();
    pen.beginPath();
    pen.rect(by.heads - 3, HEAD_HIGH - 4, wide, high);
    pen.clip();
    for (let row = first; row < last; row += 1) {
      const y = topOf(grid, by, row) - top;
      for (let col = 0; col < grid.cols; col += 1) {
        const x = leftOf(grid, by, col) - left;
        if (x + by.wide < by.heads || x > wide) continue;
        drawCell(pen, paint, row * grid.cols + col, x, y);
      }
    }
    if (chosen >= 0) drawFrame(pen, paint, left, top);
    pen.restore();
    drawHeads(pen, paint, first, last, left, top, wide);
    clearTimeout(restTimer);
    restTimer = setTimeout(askPosters, REST_MS);
  }

  function drawCell(pen, paint, cell, x, y) {
    const state = states[cell];
    if (state === NONE) return;
    const { wide, high } = by;
    const faded = shownStates.size > 0 && !shownStates.has(state);
    pen.globalAlpha = faded ? 0.12 : 1;
    const poster = size === "pixels" ? null : posters.get(cell);
    if (state === DONE && poster && !faded) {
      pen.fillStyle = paint.soft;
      pen.fillRect(x, y, wide, high);
      fitted(pen, poster, x, y, wide, high);
    } else if (state === DONE || state === FAILED || state === UNCLEAR) {
      pen.fillStyle = state === DONE ? paint.done : state === FAILED ? paint.bad : paint.odd;
      pen.fillRect(x, y, wide, high);
      if (state !== DONE) cross(pen, x + wide / 2, y + high / 2, Math.min(high / 4, wide / 2.5, 6), state === UNCLEAR);
    } else if (state === RUNNING) {
      pen.strokeStyle = paint.run;
      pen.lineWidth = size === "pixels" ? 1 : 1.5;
      pen.strokeRect(x + 0.75, y + 0.75, wide - 1.5, high - 1.5);
      const shown = size === "pixels" ? null : previews.get(cell);
      if (shown?.bitmap) fitted(pen, shown.bitmap, x + 2, y + 2, wide - 4, high - 4);
      else if (size !== "pixels") ring(pen, x + wide / 2, y + high / 2, Math.min(high / 4, 7));
      if (shown?.words && wide > 34) caption(pen, paint, shown.words, x, y);
    } else if (state === WAITING) {
      if (size !== "pixels") {
        pen.fillStyle = paint.soft;
        pen.fillRect(x, y, wide, high);
      }
      pen.globalAlpha *= 0.5;
      pen.fillStyle = paint.ink;
      const dot = size === "pixels" ? 1 : 2.5;
      pen.fillRect(x + wide / 2 - dot / 2, y + high / 2 - dot / 2, dot, dot);
    } else {
      pen.globalAlpha *= 0.6;
      pen.strokeStyle = paint.ink;
      pen.lineWidth = 1;
      pen.setLineDash([3, 3]);
      pen.strokeRect(x + 0.5, y + 0.5, wide - 1, high - 1);
      pen.setLineDash([]);
    }
    if (ratings[cell] && size !== "pixels" && wide > 34) star(pen, paint, cell, x, y);
    pen.globalAlpha = 1;
    if (marked.has(cell)) drawTick(pen, paint, x, y);
  }

  /** Draw a picture as large as it fits, in the middle. */
  function fitted(pen, picture, x, y, wide, high) {
    const fit = Math.min(wide / picture.width, high / picture.height);
    const [w, tall] = [picture.width * fit, picture.height * fit];
    pen.drawImage(picture, x + (wide - w) / 2, y + (high - tall) / 2, w, tall);
  }

  /** The step of a running cell, white on dark in its lower corner. */
  function caption(pen, paint, words, x, y) {
    pen.font = `600 10px ${paint.font}`;
    pen.textAlign = "left";
    pen.textBaseline = "middle";
    const long = Math.min(pen.measureText(words).width + 6, by.wide - 3);
    pen.fillStyle = "rgb(0 0 0 / .7)";
    pen.fillRect(x + 1.5, y + by.high - 15.5, long, 14);
    pen.fillStyle = "#fff";
    pen.fillText(words, x + 4.5, y + by.high - 8, by.wide - 8);
  }

  /** A mark is a frame inside the cell, and a tick where there is room. */
  function drawTick(pen, paint, x, y) {
    const { wide, high } = by;
    if (size === "pixels") {
      pen.fillStyle = paint.ink;
      pen.fillRect(x, y, wide, high);
      return;
    }
    pen.strokeStyle = paint.mark;
    pen.lineWidth = 3;
    pen.strokeRect(x + 1.5, y + 1.5, wide - 3, high - 3);
    const edge = Math.min(18, high / 2);
    pen.fillStyle = paint.mark;
    pen.fillRect(x + wide - edge, y, edge, edge);
    pen.strokeStyle = "#fff";
    pen.lineWidth = Math.max(1.5, edge / 9);
    pen.beginPath();
    pen.moveTo(x + wide - edge * 0.76, y + edge * 0.52);
    pen.lineTo(x + wide - edge * 0.56, y + edge * 0.72);
    pen.lineTo(x + wide - edge * 0.24, y + edge * 0.3);
    pen.stroke();
  }

  function cross(pen, x, y, half, isOdd) {
    pen.strokeStyle = "#fff";
    pen.lineWidth = Math.max(1, half / 3);
    pen.beginPath();
    pen.moveTo(x - half, y - (isOdd ? 0 : half));
    pen.lineTo(x + half, y + (isOdd ? 0 : half));
    if (!isOdd) {
      pen.moveTo(x - half, y + half);
      pen.lineTo(x + half, y - half);
    }
    pen.stroke();
  }

  function ring(pen, x, y, half) {
    pen.beginPath();
    pen.arc(x, y, half, -1, 3.6);
    pen.stroke();
  }

  function star(pen, paint, cell, x, y) {
    const text = by.wide < 140 ? `${ratings[cell]}★` : "★".repeat(ratings[cell]);
    pen.font = `600 12px ${paint.font}`;
    const wide = pen.measureText(text).width + 8;
    pen.fillStyle = "rgba(0, 0, 0, .68)";
    pen.fillRect(x + 2, y + by.high - 18, wide, 16);
    pen.fillStyle = "#ffd24d";
    pen.fillText(text, x + 6, y + by.high - 6);
  }

  function drawFrame(pen, paint, left, top) {
    const x = leftOf(grid, by, chosen % grid.cols) - left,
      y = topOf(grid, by, Math.floor(chosen / grid.cols)) - top;
    const out = size === "pixels" ? 3 : 2;
    pen.strokeStyle = paint.focus;
    pen.lineWidth = 2;
    pen.strokeRect(x - out, y - out, by.wide + 2 * out, by.high + 2 * out);
  }

  function drawHeads(pen, paint, first, last, left, top, wide) {
    const firstWide = by.above ? 0 : nameWide(0);
    pen.fillStyle = paint.ink;
    pen.textBaseline = "middle";
    let before = null,
      free = -Infinity;
    for (let row = first; row < last; row += 1) {
      const names = plan.rows[row] ?? [];
      const y = topOf(grid, by, row) - top + by.high / 2;
      if (y < HEAD_HIGH) continue;
      if (y - free < NAME_HIGH) continue; // the next name that has room
      const again = before !== null && names[0] === before[0] && names.length > 1;
      pen.font = `${again ? 400 : 600} 12px ${paint.font}`;
      if (by.above) pen.fillText(cut(pen, names.join(" · "), wide - 4), 1, y - by.high / 2 - by.above / 2 + 1);
      else if (by.heads > 100) {
        const half = Math.min(firstWide, by.heads / 2 - 12);
        if (!again) pen.fillText(cut(pen, names[0] ?? "", names.length > 1 ? half : by.heads - 16), 5, y);
        pen.font = `400 12px ${paint.font}`;
        pen.globalAlpha = 0.75;
        const rest = names.slice(1).join(" · ");
        const text = cut(pen, rest, by.heads - half - 25);
        pen.fillText(text, by.heads - 10 - pen.measureText(text).width, y);
        pen.globalAlpha = 1;
      } else pen.fillText(cut(pen, (again ? names.slice(1) : names).join(" · "), by.heads - 12), 5, y);
      before = names;
      free = y;
    }
    pen.font = `400 12px ${paint.font}`;
    pen.globalAlpha = 0.75;
    for (let block = 0; block * grid.block < grid.cols; block += 1) {
      const x = Math.max(leftOf(grid, by, block * grid.block) - left, by.heads);
      const until = leftOf(grid, by, Math.min(grid.cols, (block + 1) * grid.block)) - left;
      if (until < by.heads || x > wide) continue;
      pen.fillText(cut(pen, plan.blocks[block] ?? "", until - x - 6), x, HEAD_HIGH / 2);
    }
    pen.globalAlpha = 1;
  }

  function cut(pen, text, room) {
    if (pen.measureText(text).width <= room) return text;
    let end = text.length;
    while (end > 1 && pen.measureText(`${text.slice(0, end)}…`).width > room) end -= 1;
    return `${text.slice(0, end)}…`;
  }

  function askPosters() {
    if (size === "pixels") return;
    const [first, last] = rowsInView(grid, by, box.scrollTop, box.clientHeight);
    const cells = [];
    for (let cell = first * grid.cols; cell < last * grid.cols && cells.length < POSTERS_AT_ONCE; cell += 1)
      if (states[cell] === DONE && !wanted.has(cell)) cells.push(cell);
    if (!cells.length) return;
    cells.forEach((cell) => wanted.add(cell));
    if (send(model, "posters", { cells })) restTimer = setTimeout(askPosters, REST_MS);
  }

  /** Ask how far the running cells in view are, one question at a time. */
  function askPreviews() {
    if (size === "pixels" || isComparing || document.hidden) return;
    if (askedAt && performance.now() - askedAt < PREVIEWS_LATE_MS) return;
    const [first, last] = rowsInView(grid, by, box.scrollTop, box.clientHeight);
    const cells = [];
    for (let cell = first * grid.cols; cell < last * grid.cols && cells.length < PREVIEWS_AT_ONCE; cell += 1)
      if (states[cell] === RUNNING && !blind.has(cell)) cells.push(cell);
    if (cells.length && send(model, "previews", { cells })) askedAt = performance.now();
  }

  function dropPreview(cell) {
    blind.delete(cell);
    previews.get(cell)?.bitmap?.close();
    previews.delete(cell);
  }

  // -- a hand and keys

  const exists = (cell) => states[cell] !== NONE;

  function choose(cell, follow = true) {
    if (cell === null || cell < 0 || !exists(cell)) return;
    if (cell !== chosen) ask(cell);
    chosen = cell;
    if (follow) bringIntoView(cell);
    redraw();
  }

  function ask(cell) {
    send(model, "facts", { cell });
  }

  function bringIntoView(cell) {
    const y = topOf(grid, by, Math.floor(cell / grid.cols)),
      x = leftOf(grid, by, cell % grid.cols);
    if (y - HEAD_HIGH - by.above < box.scrollTop) box.scrollTop = y - HEAD_HIGH - by.above;
    else if (y + by.step > box.scrollTop + box.clientHeight) box.scrollTop = y + by.step - box.clientHeight;
    if (x - by.heads < box.scrollLeft) box.scrollLeft = x - by.heads;
    else if (x + by.wide > box.scrollLeft + box.clientWidth) box.scrollLeft = x + by.wide - box.clientWidth + 8;
  }

  function rate(number) {
    if (chosen < 0 || states[chosen] !== DONE) return;
    send(model, "rate", { cell: chosen, rating: number === facts?.rating ? 0 : number });
  }

  function pressed(event) {
    const { key } = event;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const others = ["n", "p", "x", "c", "b", "+", "-", "?", "enter", "escape"];
    if (key.startsWith("Arrow") && key.length > 6) {
      const before = chosen;
      choose(chosen < 0 ? states.findIndex((state) => state !== NONE) : moved(grid, exists, chosen, key));
      if (event.shiftKey && before >= 0 && chosen !== before) mark(before, chosen);
    } else if (/^[0-5]$/.test(key)) rate(Number(key));
    else if (others.includes(key.toLowerCase())) act2(key.toLowerCase());
    else return;
    event.preventDefault();
  }

  function act2(key) {
    if (key === "n") {
      const after = [...states.keys()].filter((cell) => states[cell] === FAILED || states[cell] === UNCLEAR);
      choose(after.find((cell) => cell > chosen) ?? after[0] ?? chosen);
    } else if (key === "p") {
      const step_ = (model.get("_now").steps ?? []).find(({ kind }) => kind === "pause" || kind === "go_on");
      if (step_) act(step_.kind);
    } else if (key === "x") {
      if (chosen >= 0) mark(chosen);
    } else if (key === "c") compare();
    else if (key === "b") act("caps");
    else if (key === "escape") unmark();
    else if (key === "?") showKeys();
    else if (key === "enter") resize("large");
    else {
      const at = SIZES.indexOf(size) + (key === "+" ? -1 : 1);
      if (SIZES[at]) resize(SIZES[at]);
    }
  }

  const placeOf = (event) => {
    const edge = canvas.getBoundingClientRect();
    return cellAt(grid, by, event.clientX - edge.left + box.scrollLeft, event.clientY - edge.top + box.scrollTop);
  };

  function clicked(event) {
    const cell = placeOf(event);
    if (cell === null || !exists(cell)) return;
    if (event.shiftKey && chosen >= 0 && chosen !== cell) mark(...between(grid, chosen, cell));
    else if (event.ctrlKey || event.metaKey) mark(cell);
    choose(cell, false);
  }

  canvas.addEventListener("keydown", pressed, { signal });
  canvas.addEventListener("click", clicked, { signal });
  canvas.addEventListener(
    "pointermove",
    (event) => {
      const cell = placeOf(event) ?? -1;
      if (cell === over || event.pointerType === "touch") return;
      over = cell;
      clearTimeout(hover);
      stopVideo();
      if (cell >= 0 && states[cell] === DONE && size !== "pixels" && !stillPlease())
        hover = setTimeout(() => send(model, "video", { cell }), HOVER_MS);
    },
    { signal },
  );
  canvas.addEventListener(
    "pointerleave",
    () => {
      over = -1;
      clearTimeout(hover);
      stopVideo();
    },
    { signal },
  );
  box.addEventListener("scroll", () => (stopVideo(), redraw()), { signal });

  function play(path, flashes) {
    const url = servedUrl(path);
    if (!url || flashes || over < 0) return;
    stopVideo();
    const fresh = h("video", { class: "b-video", src: url, loop: true, playsinline: true });
    fresh.muted = true;
    fresh.style.left = `${leftOf(grid, by, over % grid.cols)}px`;
    fresh.style.top = `${topOf(grid, by, Math.floor(over / grid.cols))}px`;
    fresh.style.width = `${by.wide}px`;
    fresh.style.height = `${by.high}px`;
    spacer.append(fresh);
    fresh.play().catch(() => {});
    video = fresh;
  }

  function stopVideo() {
    if (!video) return;
    video.pause();
    video.removeAttribute("src");
    video.remove();
    video = null;
  }

  let measuring = 0; // in a frame of its own: what it sets changes the height of the box that is watched
  const watching = new ResizeObserver(() => {
    cancelAnimationFrame(measuring);
    measuring = requestAnimationFrame(measure);
  });
  watching.observe(box);
  const dark = new MutationObserver(redraw);
  dark.observe(document.body, { attributes: true });
  const inside = insideOf(part, model, compared, showComparison);
  drawNow();
  measure();
  send(model, "ready");
  const looking = setInterval(askPreviews, PREVIEWS_MS);

  return () => {
    watching.disconnect();
    dark.disconnect();
    cancelAnimationFrame(frame);
    cancelAnimationFrame(measuring);
    clearTimeout(restTimer);
    clearTimeout(hover);
    clearTimeout(patience);
    clearInterval(looking);
    inside.end();
    stopVideo();
    for (const bitmap of posters.values()) bitmap.close();
    for (const { bitmap } of previews.values()) bitmap?.close();
    end();
  };
}

/** The bytes of a message's buffer. */
function bytesOf(buffer) {
  return ArrayBuffer.isView(buffer)
    ? new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength)
    : new Uint8Array(buffer);
}

export default { render };
