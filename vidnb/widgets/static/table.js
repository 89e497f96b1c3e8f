/* The table: itables' own widget, with posters in its first column that play while the pointer or the focus is there. */

import { makeSources, unload } from "./recent/sources.js";

const REST_MS = 120;
const CLIP = /^clip:(\d+)$/;

/** The number of rows that are said to be selected. */
export function selectedWords(count) {
  return count === 0 ? "Click a row to select it, Ctrl or Shift for more." : `${count} selected`;
}

/** The part of the model that itables' widget sees: the data come by message and are not its own. */
export function modelFor(model, data) {
  const own = (names) => !names.includes("_dt_args");
  return {
    get: (name) => (name === "_dt_args" ? data : model.get(name)),
    set: (name, value) => model.set(name, value),
    save_changes: () => model.save_changes(),
    on: (event, handler) => own(event) && model.on(event, handler),
    off: (event, handler) => own(event) && model.off(event, handler),
  };
}

function render({ model, el }) {
  const part = begin({ model, el }, "table");
  const { root, signal, hear, watch } = part;
  const count = h("span", { role: "status" });
  const compare = h("button", { type: "button", class: "vidnb-button", onclick: () => send(model, "compare") });
  const said = h("code", {});
  const whole = h("span", { class: "vidnb-muted" }, model.get("_words"));
  const place = h("div", { class: "vidnb-table-place" });
  root.append(h("div", { class: "vidnb-table-bar" }, count, compare, said, whole), place);

  const posters = new Map(); // row -> {url, path}
  const shown = new Map(); // row -> the elements that wait for its poster
  let wanted = new Set();
  let asking = 0;
  const sources = makeSources(model, hear);

  const drawBar = () => {
    const selected = model.get("selected_rows").length;
    count.textContent = selectedWords(selected);
    compare.hidden = selected < 2;
    compare.textContent = `Code to compare ${selected}`;
    said.textContent = "";
  };
  watch("selected_rows", drawBar);
  hear("code", async ({ code }) => {
    said.textContent = code;
    try {
      await navigator.clipboard.writeText(code);
      compare.textContent = "Copied";
    } catch {
      // The code stands there to be copied by hand.
    }
  });

  const ask = (row) => {
    wanted.add(row);
    clearTimeout(asking);
    asking = setTimeout(() => {
      send(model, "posters", { rows: [...wanted] });
      wanted = new Set();
    }, 30);
  };
  hear("posters", ({ facts }, buffers) => {
    facts.forEach(({ row, path }, index) => {
      const bytes = buffers[index];
      const url = bytes?.byteLength
        ? URL.createObjectURL(new Blob([/** @type {any} */ (bytes)], { type: "image/webp" }))
        : "";
      if (posters.has(row)) URL.revokeObjectURL(posters.get(row).url);
      posters.set(row, { url, path });
      for (const box of shown.get(row) ?? []) picture(box, row);
      shown.delete(row);
    });
  });

  const picture = (box, row) => {
    const { url } = posters.get(row);
    if (url) box.prepend(h("img", { src: url, alt: "" }));
    else box.textContent = "no file";
  };

  /** A cell that names a clip shows its poster from now on. */
  const furnish = (cell) => {
    const found = CLIP.exec(cell.textContent);
    if (!found || cell.firstElementChild) return;
    const row = Number(found[1]);
    const box = h("span", { class: "vidnb-poster", tabindex: "0", role: "img", "aria-label": "Clip, plays on focus" });
    cell.replaceChildren(box);
    if (posters.has(row)) picture(box, row);
    else {
      shown.set(row, [...(shown.get(row) ?? []), box]);
      ask(row);
    }
    /** @type {AbortController | null} */
    let over = null;
    const start = () => {
      if (over) return;
      const mine = (over = new AbortController());
      setTimeout(() => play(row, box, mine.signal), REST_MS);
    };
    const stop = () => {
      over?.abort();
      over = null;
    };
    for (const event of ["pointerenter", "focus"]) box.addEventListener(event, start, { signal });
    for (const event of ["pointerleave", "blur"]) box.addEventListener(event, stop, { signal });
    signal.addEventListener("abort", stop);
  };

  async function play(row, box, over) {
    if (over.aborted || stillPlease() || !box.isConnected) return;
    // A clip that flashes never starts by itself.
    if ((await sources.flashes(row)) !== false || over.aborted) return;
    const video = h("video", { muted: true, loop: true, playsinline: true });
    video.muted = true;
    let free = () => {};
    over.addEventListener("abort", () => {
      unload(video);
      free();
    });
    try {
      free = await sources.load(video, { id: row, path: posters.get(row)?.path }, over);
      if (over.aborted) return free();
      video.addEventListener("loadeddata", () => box.append(video), { once: true });
      await video.play();
    } catch {
      video.remove();
    }
  }

  const look = () => {
    for (const cell of place.querySelectorAll("tbody td")) if (CLIP.test(cell.textContent)) furnish(cell);
  };
  const observer = new MutationObserver(look);
  const pieces = gatherer();
  let begun = false;
  hear("rows", async (content, [piece]) => {
    const all = begun ? null : pieces.take("rows", content, piece);
    if (!all) return;
    begun = true;
    const data = JSON.parse(await new Blob(/** @type {any} */ (all)).text());
    if (signal.aborted) return;
    ITABLES.render({ model: modelFor(model, data), el: place });
    observer.observe(place, { childList: true, subtree: true });
    look();
    root.dataset.state = "ready";
  });
  drawBar();
  send(model, "rows");
  return () => {
    observer.disconnect();
    clearTimeout(asking);
    for (const { url } of posters.values()) URL.revokeObjectURL(url);
    part.end();
  };
}

export default { render };
