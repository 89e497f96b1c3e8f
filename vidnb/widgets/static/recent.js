/* A strip of posters of which only those near the view exist; play on hover, pick, mark, compare. */

import {
  AROUND,
  STEP,
  clipCount,
  differenceWords,
  differing,
  nameOf,
  pagesFor,
  shortSpan,
  tilesInView,
} from "./recent/places.js";
import { COMPARED, compareRow } from "./recent/row.js";
import { previews } from "./recent/preview.js";
import { makeSources } from "./recent/sources.js";

const POSTERS_KEPT = 240;
const NEAR = 12; // so many neighbours to each side are looked at for what differs
const REST_MS = 80;
const TYPING_MS = 250;

/** What is left of the motion of a pointer over a tile. */
const hovers = (event) => event.pointerType === "mouse" || event.pointerType === "pen";

function render({ model, el }) {
  const { root, signal, hear, watch, announce, end } = begin({ model, el }, "recent");
  const sources = makeSources(model, hear);
  const facts = new Map(); // id -> what a tile says
  const posters = new Map(); // id -> blob URL, the oldest first
  const tiles = new Map(); // place -> element
  const inFlight = { pages: new Set(), posters: new Set() };
  let ids = []; // place -> id, with holes where nothing is known yet
  let list = model.get("_list");
  let count = model.get("count");
  let active = 0; // the place that Tab goes to
  let anchor = 0; // where a range begins
  let marked = model.get("_marked");
  let chosen = model.get("_chosen");
  let arrived = 0; // clips that came in while the view was elsewhere
  let restTimer = 0,
    typing = 0,
    frame = 0;
  const preview = previews(
    signal,
    sources,
    (place) => facts.get(ids[place]),
    (place) => tiles.get(place),
  );
  /** @type {?{element: HTMLElement, focus: Function, end: Function}} */
  let comparison = null;

  // -- what stands around the strip

  const total = h("span", { class: "vidnb-muted vidnb-fine vidnb-number", role: "status" });
  const filter = h("input", {
    type: "search",
    "aria-label": "Filter by prompt, tag or note",
    title: "Filter by prompt, tag or note",
    placeholder: "Filter: prompt, tag, note",
    class: "vidnb-filter",
  });
  const compare = h("button", { type: "button", class: "vidnb-primary vidnb-small vidnb-compare" });
  const clear = h("button", { type: "button", class: "vidnb-small" }, "Clear");
  const choice = h("span", { class: "vidnb-row vidnb-choice", hidden: true }, compare, clear);
  const news = h("button", { type: "button", class: "vidnb-primary vidnb-small vidnb-news", hidden: true });
  const spacer = h("div", { class: "vidnb-spacer", role: "presentation" });
  const strip = h(
    "div",
    {
      class: "vidnb-strip",
      role: "listbox",
      "aria-label": "Recent clips",
      "aria-multiselectable": "true",
      "aria-orientation": "horizontal",
    },
    spacer,
  );
  const empty = h("div", { class: "vidnb-empty vidnb-muted", hidden: true });
  const row = h("div", { class: "vidnb-row-of-videos", hidden: true });
  root.append(
    h(
      "div",
      { class: "vidnb-row vidnb-head" },
      h("strong", {}, "Recent clips"),
      total,
      choice,
      h("span", { class: "vidnb-grow" }),
      filter,
    ),
    h("div", { class: "vidnb-frame" }, strip, news),
    empty,
    row,
  );
  filter.value = model.get("words");

  // -- the tiles

  function makeTile(place) {
    const tile = h(
      "div",
      { class: "vidnb-tile", role: "option", tabindex: "-1" },
      h(
        "div",
        { class: "vidnb-picture" },
        h("img", { alt: "", hidden: true, draggable: "false" }),
        h("span", { class: "vidnb-mark", "aria-hidden": "true" }, icon("check", 14)),
        h("span", { class: "vidnb-badges", "aria-hidden": "true" }),
        h("span", { class: "vidnb-stars", "aria-hidden": "true" }),
        h("span", { class: "vidnb-length", "aria-hidden": "true" }),
      ),
      h("div", { class: "vidnb-line vidnb-fine", "aria-hidden": "true" }),
    );
    const later = Math.min(...[...tiles.keys()].filter((other) => other > place)); // the document has the strip's order
    spacer.insertBefore(tile, tiles.get(later) ?? null);
    tiles.set(place, tile);
    return tile;
  }

  /** What a tile says besides its model: what tells the clip from its neighbours of the same prompt and model, first of
   * all what is not the seed; else its seed. */
  function labelOf(place, told) {
    const near = ids.slice(Math.max(0, place - NEAR), place + NEAR + 1).map((id) => facts.get(id));
    const same = near.filter((one) => one?.model === told.model && one.prompt === told.prompt && one !== told);
    const found = differing([told, ...same])[0];
    const [first] = [...found.filter(([name]) => name !== "seed"), ...found];
    if (first) return differenceWords(first);
    return told.seed === "" ? "" : `seed ${told.seed}`;
  }

  /** Bring one tile in line with what is known of its clip. */
  function fill(place, tile) {
    const id = ids[place];
    const told = facts.get(id);
    tile.style.insetInlineStart = `${place * STEP}px`;
    tile.dataset.place = place;
    tile.setAttribute("aria-posinset", place + 1);
    tile.setAttribute("aria-setsize", count);
    tile.setAttribute("aria-selected", String(marked.includes(id)));
    tile.setAttribute("aria-current", String(Boolean(id) && id === chosen));
    const label = told?.model ? labelOf(place, told) : "";
    const now = JSON.stringify([told ?? id ?? null, label]);
    const picture = tile.querySelector("img");
    const url = posters.get(id);
    if (picture.getAttribute("src") !== (url ?? null)) {
      if (url) picture.src = url;
      else picture.removeAttribute("src");
      picture.hidden = !url;
    }
    if (tile.dataset.told === now) return;
    tile.dataset.told = now;
    tile.setAttribute("aria-label", nameOf(told));
    tile.title = told?.prompt ?? "";
    tile.dataset.known = told ? (told.model ? "yes" : "gone") : "no";
    const [line, marks, stars, length] = [".vidnb-line", ".vidnb-badges", ".vidnb-stars", ".vidnb-length"].map((name) =>
      tile.querySelector(name),
    );
    line.replaceChildren(
      ...(told?.model
        ? [
            h("span", { class: "vidnb-name" }, told.model),
            label && h("span", { class: "vidnb-seed vidnb-number" }, label),
          ]
        : [told ? "no longer there" : ""]),
    );
    marks.replaceChildren(...badges(told ?? {}));
    stars.textContent = told?.rating ? "★".repeat(told.rating) : "";
    length.textContent = told?.duration_s ? shortSpan(told.duration_s) : "";
  }

  /** Have exactly the tiles near the view, and ask for what is not known of them once the scrolling rests. */
  function draw() {
    frame = 0;
    const [first, last] = tilesInView(strip.scrollLeft, strip.clientWidth, count);
    spacer.style.inlineSize = `${Math.max(0, count * STEP - 8)}px`;
    for (const [place, tile] of tiles) {
      if ((place >= first && place < last) || (tile === document.activeElement && place < count)) continue;
      preview.stopAt(place);
      tiles.delete(place);
      tile.remove();
    }
    for (let place = first; place < last; place += 1) if (!tiles.has(place)) makeTile(place);
    active = Math.min(active, Math.max(0, count - 1));
    const stop = tiles.has(active) ? active : Math.min(last - 1, first + AROUND);
    for (const [place, tile] of tiles) {
      fill(place, tile);
      tile.tabIndex = place === stop ? 0 : -1;
    }
    const there = count > 0;
    strip.hidden = !there;
    empty.hidden = there || list === 0;
    empty.textContent = model.get("words")
      ? "No clip has these words in its prompt, tags or note."
      : "No clips yet. They appear here as they are made.";
    const text = list === 0 ? "looking …" : clipCount(count);
    if (total.textContent !== text) total.textContent = text;
    news.hidden = !arrived;
    news.textContent = `${arrived} new`;
    news.setAttribute("aria-label", `${clipCount(arrived)} new: go to the newest`);
    root.dataset.state = list === 0 ? "starting" : "ready";
    clearTimeout(restTimer);
    restTimer = setTimeout(askForView, tiles.size && !facts.size ? 0 : REST_MS);
  }

  const drawSoon = () => {
    frame ||= requestAnimationFrame(draw);
  };

  function askForView() {
    const [first, last] = tilesInView(strip.scrollLeft, strip.clientWidth, count);
    for (const start of pagesFor(first, last, (place) => ids[place] !== undefined)) {
      if (inFlight.pages.has(start)) continue;
      inFlight.pages.add(start);
      send(model, "page", { start });
    }
    const wanted = ids
      .slice(first, last)
      .filter((id) => facts.get(id)?.model && !posters.has(id) && !inFlight.posters.has(id));
    if (!wanted.length) return;
    wanted.forEach((id) => inFlight.posters.add(id));
    send(model, "posters", { ids: wanted });
  }

  function keepPoster(id, buffer) {
    if (posters.has(id)) {
      URL.revokeObjectURL(posters.get(id));
      posters.delete(id);
    }
    if (!buffer.byteLength) {
      posters.set(id, "");
      return;
    }
    posters.set(id, URL.createObjectURL(new Blob([buffer], { type: "image/webp" })));
    const inView = new Set([...tiles.keys()].map((place) => ids[place]));
    for (const [old, url] of posters) {
      if (posters.size <= POSTERS_KEPT) break;
      if (inView.has(old)) continue;
      URL.revokeObjectURL(url);
      posters.delete(old);
    }
  }

  /** Forget the order, not the clips: what was told of a clip stays true. */
  function startOver() {
    list = model.get("_list");
    count = model.get("count");
    ids = [];
    inFlight.pages.clear();
    learn(0, model.get("_first"));
    arrived = 0;
    draw();
  }

  function learn(start, told) {
    told.forEach((one, at) => {
      ids[start + at] = one.id;
      facts.set(one.id, one);
    });
  }

  hear("page", (content) => {
    inFlight.pages.delete(content.start);
    if (content.list === list) learn(content.start, content.facts);
    draw();
  });
  hear("posters", (content, buffers) => {
    content.ids.forEach((id, at) => {
      inFlight.posters.delete(id);
      keepPoster(id, buffers[at]);
    });
    drawSoon();
  });
  hear("changed", ({ facts: told }) => {
    facts.set(told.id, told);
    drawSoon();
  });
  hear("added", ({ list: number, facts: told }) => {
    if (number <= list) return;
    preview.stop();
    const was = strip.scrollLeft; // read before anything moves: some browsers follow the tile that they snapped to
    const away = was > STEP / 2;
    list = number;
    count += 1;
    ids.unshift(told.id);
    facts.set(told.id, told);
    inFlight.pages.clear(); // their places were others; answers to an older list are not taken
    const moved = [...tiles].map(([place, tile]) => [place + 1, tile]);
    tiles.clear();
    moved.forEach(([place, tile]) => tiles.set(place, tile));
    if (active > 0 || root.contains(document.activeElement)) active += 1;
    anchor += 1;
    spacer.style.inlineSize = `${count * STEP - 8}px`;
    for (const [place, tile] of tiles) tile.style.insetInlineStart = `${place * STEP}px`;
    if (away) {
      strip.scrollTo({ left: was + STEP, behavior: "instant" });
      arrived += 1;
    }
    draw();
    if (!away) {
      strip.scrollTo({ left: 0, behavior: "instant" }); // the browser would follow the tile that it had snapped to
      tiles.get(0)?.classList.add("vidnb-new");
    }
  });
  watch("_list", () => {
    if (model.get("_list") > list) startOver();
  });
  watch("_marked", () => {
    marked = model.get("_marked");
    drawChoice();
  });
  watch("_chosen", () => {
    chosen = model.get("_chosen");
    draw();
  });
  watch("words", () => {
    if (document.activeElement !== filter) filter.value = model.get("words");
  });
  watch("_can_compare", () => drawChoice());

  // -- picking and marking

  function choose(place) {
    const id = ids[place];
    if (!facts.get(id)?.model) return;
    chosen = id;
    send(model, "choose", { id });
    draw();
  }

  function mark(next) {
    marked = [...new Set(next)].filter(Boolean);
    send(model, "select", { ids: marked });
    announce(marked.length ? `${clipCount(marked.length)} selected` : "none selected");
    drawChoice();
  }

  const toggle = (place) =>
    mark(marked.includes(ids[place]) ? marked.filter((id) => id !== ids[place]) : [...marked, ids[place]]);

  function markRange(place) {
    const [from, to] = [Math.min(anchor, place), Math.max(anchor, place)];
    mark([...marked, ...ids.slice(from, to + 1)]);
  }

  function drawChoice() {
    choice.hidden = !marked.length;
    compare.textContent = marked.length > 1 ? `Compare ${marked.length}` : "1 selected";
    compare.disabled = marked.length < 2;
    compare.title = marked.length > 1 ? "Play the selected clips side by side" : "Select one more to compare";
    root.dataset.marking = String(marked.length > 0);
    draw();
  }

  const placeOf = (event) => {
    const tile = event.target.closest?.(".vidnb-tile");
    return tile ? Number(tile.dataset.place) : null;
  };

  strip.addEventListener(
    "click",
    (event) => {
      const place = placeOf(event);
      if (place === null) return;
      focusOn(place, false);
      if (event.shiftKey) markRange(place);
      else if (event.ctrlKey || event.metaKey || event.target.closest(".vidnb-mark")) {
        toggle(place);
        anchor = place;
      } else {
        anchor = place;
        choose(place);
      }
    },
    { signal },
  );

  clear.addEventListener(
    "click",
    () => {
      mark([]);
      strip.querySelector("[tabindex='0']")?.focus();
    },
    { signal },
  );
  compare.addEventListener("click", () => (model.get("_can_compare") ? send(model, "compare") : openComparison()), {
    signal,
  });
  news.addEventListener("click", () => focusOn(0), { signal });

  // -- walking

  function focusOn(place, scroll = true) {
    active = Math.max(0, Math.min(count - 1, place));
    const [left, width] = [active * STEP, strip.clientWidth];
    if (scroll && (left < strip.scrollLeft || left + STEP - 8 > strip.scrollLeft + width)) {
      strip.scrollTo({ left: left < strip.scrollLeft ? left : left + STEP - 8 - width, behavior: "instant" });
    }
    draw();
    tiles.get(active)?.focus({ preventScroll: true });
  }

  strip.addEventListener(
    "keydown",
    (event) => {
      const place = placeOf(event);
      if (place === null || event.altKey) return;
      const far = Math.max(1, Math.floor(strip.clientWidth / STEP));
      const to = {
        ArrowLeft: place - 1,
        ArrowRight: place + 1,
        PageUp: place - far,
        PageDown: place + far,
        Home: 0,
        End: count - 1,
      }[event.key];
      if (to !== undefined) {
        focusOn(to);
        if (event.shiftKey) markRange(active);
        else if (!event.ctrlKey) anchor = active;
      } else if (event.key === "Enter") choose(place);
      else if (event.key === " ") {
        toggle(place);
        anchor = place;
      } else if (event.key === "Escape" && marked.length) mark([]);
      else return;
      event.preventDefault();
    },
    { signal },
  );

  strip.addEventListener(
    "scroll",
    () => {
      if (strip.scrollLeft < STEP / 2) arrived = 0;
      drawSoon();
    },
    { signal, passive: true },
  );
  const resized = new ResizeObserver(drawSoon);
  resized.observe(strip);
  resized.observe(root);

  filter.addEventListener(
    "input",
    () => {
      clearTimeout(typing);
      typing = setTimeout(() => {
        strip.scrollTo({ left: 0, behavior: "instant" });
        active = 0;
        model.set("words", filter.value);
        model.save_changes();
      }, TYPING_MS);
    },
    { signal },
  );

  // -- play on hover

  strip.addEventListener(
    "pointerover",
    (event) => {
      const place = placeOf(event);
      if (place !== null && hovers(event)) preview.start(place);
    },
    { signal },
  );
  strip.addEventListener("pointerleave", preview.stop, { signal });
  strip.addEventListener(
    "focusin",
    (event) => {
      const place = placeOf(event);
      if (place !== null && event.target.matches(":focus-visible")) preview.start(place);
    },
    { signal },
  );
  strip.addEventListener("focusout", preview.stop, { signal });

  // -- several side by side

  function openComparison() {
    closeComparison();
    const told = marked.map((id) => facts.get(id)).filter((one) => one?.model);
    comparison = compareRow({
      told: told.slice(0, COMPARED),
      left: told.length - COMPARED,
      sources,
      close: () => {
        closeComparison();
        compare.focus();
      },
      announce,
    });
    row.replaceChildren(comparison.element);
    row.hidden = false;
    row.scrollIntoView({ block: "nearest" });
    comparison.focus();
  }

  function closeComparison() {
    comparison?.end();
    comparison = null;
    row.replaceChildren();
    row.hidden = true;
  }

  signal.addEventListener("abort", () => {
    [restTimer, typing].forEach(clearTimeout);
    cancelAnimationFrame(frame);
    resized.disconnect();
    preview.stop();
    closeComparison();
    for (const url of posters.values()) if (url) URL.revokeObjectURL(url);
  });
  startOver();
  drawChoice();
  return end;
}

export default { render };
