/* A strip of posters of which only those near the view exist; play on hover, pick, mark, compare. */

const STEP = 172; // a tile and the gap after it
const AROUND = 4; // tiles kept on each side of the view
const PAGE = 60;
const POSTERS_KEPT = 240;
const HOVER_MS = 150;
const SETTLE_MS = 80;
const TYPING_MS = 250;
const COMPARED = 9;
const DRIFT_S = 0.06;
const FAR_S = 0.5;
const COMING = "is on its way";

/** First and one past the last tile to have in the document. */
export function tilesInView(scroll, width, count, around = AROUND) {
  const first = Math.max(0, Math.floor(scroll / STEP) - around);
  return [Math.min(first, count), Math.min(count, Math.ceil((scroll + width) / STEP) + around)];
}

/** Starts of the pages that hold a place in [first, last) of which nothing is known. */
export function pagesFor(first, last, isKnown) {
  const starts = new Set();
  for (let at = first; at < last; at += 1) if (!isKnown(at)) starts.add(Math.floor(at / PAGE) * PAGE);
  return [...starts];
}

/** The name of a clip's tile: "clip of motion_2.0, seed 7: a koala". */
export function nameOf(facts) {
  if (!facts?.model) return "clip that is being looked up";
  const marks = [facts.emulated && "emulated", facts.nsfw && "flagged NSFW", facts.rating && `rated ${facts.rating} of 5`].filter(Boolean);
  const seed = facts.seed === "" ? "" : `, seed ${facts.seed}`;
  return `clip of ${shortModel(facts.model)}${seed}: ${facts.prompt || "no prompt"}${marks.length ? ` (${marks.join(", ")})` : ""}`;
}

export const shortModel = (model) => model.split("/").slice(1).join("/") || model;

/** What to do with a video that is so many seconds ahead of the first: nothing, a little slower or quicker, or a jump.
 * @returns {{rate: number, jump: boolean}} */
export function nudge(ahead) {
  if (Math.abs(ahead) > FAR_S) return { rate: 1, jump: true };
  if (Math.abs(ahead) <= DRIFT_S) return { rate: 1, jump: false };
  return { rate: ahead > 0 ? 0.9 : 1.1, jump: false };
}

const clipCount = (count) => `${count.toLocaleString("en")} ${count === 1 ? "clip" : "clips"}`;
const shortSpan = (seconds) => `${Number(seconds.toFixed(1))} s`;

/** What is left of the motion of a pointer over a tile. */
const hovers = (event) => event.pointerType === "mouse" || event.pointerType === "pen";

/** Sources of videos: the server's address where it serves the file, else the bytes from the kernel; and whether a clip flashes. */
function makeSources(model, hear) {
  const known = new Map(); // id -> {flashes}
  const asked = new Map(); // id -> [{done, bytes}]
  const pieces = gatherer();
  const waitsForBytes = (id) => (asked.get(id) ?? []).some((one) => one.bytes);

  hear("video", (content, [piece]) => {
    const { id, error, flashes } = content;
    if (!error) known.set(id, flashes);
    const bytes = piece && waitsForBytes(id) ? pieces.take(id, content, piece) : null;
    const waiting = asked.get(id) ?? [];
    const served = waiting.filter((one) => error || !one.bytes || bytes);
    keepWaiting(id, waiting.filter((one) => !served.includes(one)));
    for (const one of served) one.done({ error, flashes, bytes });
  });

  function keepWaiting(id, waiting) {
    if (waiting.length) asked.set(id, waiting);
    else asked.delete(id);
    if (!waitsForBytes(id)) pieces.drop(id);
  }

  /** @param {?AbortSignal} over when the bytes are no longer wanted */
  const ask = (id, bytes, over = null) => new Promise((done) => {
    const waiting = asked.get(id) ?? [];
    const mine = { done, bytes };
    asked.set(id, [...waiting, mine]);
    if (!waiting.some((one) => one.bytes || !bytes)) send(model, "video", { id, bytes });
    over?.addEventListener("abort", () => leave(id, mine), { once: true });
  });

  /** Wait no longer; bytes that nobody waits for would keep others from coming. */
  function leave(id, one) {
    const waiting = asked.get(id) ?? [];
    if (!waiting.includes(one)) return;
    keepWaiting(id, waiting.filter((other) => other !== one));
    if (!waitsForBytes(id)) send(model, "enough", { id });
    one.done({ error: "no longer wanted" });
  }

  return {
    flashes: async (id) => known.get(id) ?? (await ask(id, false)).flashes,
    /** Whether the clip flashes as far as it is known here: true, false or undefined. */
    known: (id) => known.get(id),
    /** Let a video element have its clip; resolves to a function that gives everything back.
     * @param {AbortSignal} over when it is no longer wanted */
    async load(video, facts, over, byKernel = false) {
      const url = byKernel ? null : servedUrl(facts.path);
      if (url) { video.src = url; return () => {}; }
      const answer = await ask(facts.id, true, over);
      if (!answer.bytes) throw new Error(answer.error ?? "the clip's bytes did not come");
      const blob = URL.createObjectURL(new Blob(answer.bytes, { type: "video/mp4" }));
      video.src = blob;
      return () => URL.revokeObjectURL(blob);
    },
  };
}

function unload(video) {
  video.pause();
  video.removeAttribute("src");
  video.load();
  video.remove();
}

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
  let settle = 0, typing = 0, frame = 0;
  let playing = null; // the one preview: {place, timer, control, video, free}
  let comparison = null;

  // -- what stands around the strip ------------------------------------------------------------------------------------

  const total = h("span", { class: "vidnb-muted vidnb-fine vidnb-number", role: "status" });
  const filter = h("input", { type: "search", "aria-label": "Filter by prompt, tag or note", title: "Filter by prompt, tag or note", placeholder: "Filter: prompt, tag, note", class: "vidnb-filter" });
  const compare = h("button", { type: "button", class: "vidnb-primary vidnb-small vidnb-compare" });
  const clear = h("button", { type: "button", class: "vidnb-small" }, "Clear");
  const choice = h("span", { class: "vidnb-row vidnb-choice", hidden: true }, compare, clear);
  const news = h("button", { type: "button", class: "vidnb-primary vidnb-small vidnb-news", hidden: true });
  const spacer = h("div", { class: "vidnb-spacer", role: "presentation" });
  const strip = h("div", { class: "vidnb-strip", role: "listbox", "aria-label": "Recent clips", "aria-multiselectable": "true", "aria-orientation": "horizontal" }, spacer);
  const empty = h("div", { class: "vidnb-empty vidnb-muted", hidden: true });
  const row = h("div", { class: "vidnb-row-of-videos", hidden: true });
  root.append(
    h("div", { class: "vidnb-row vidnb-head" }, h("strong", {}, "Recent clips"), total, choice, h("span", { class: "vidnb-grow" }), filter),
    h("div", { class: "vidnb-frame" }, strip, news), empty, row);
  filter.value = model.get("words");

  // -- the tiles -------------------------------------------------------------------------------------------------------

  function makeTile(place) {
    const tile = h("div", { class: "vidnb-tile", role: "option", tabindex: "-1" },
      h("div", { class: "vidnb-picture" }, h("img", { alt: "", hidden: true, draggable: "false" }), h("span", { class: "vidnb-mark", "aria-hidden": "true" }, icon("check", 14)), h("span", { class: "vidnb-badges", "aria-hidden": "true" }), h("span", { class: "vidnb-stars", "aria-hidden": "true" }), h("span", { class: "vidnb-length", "aria-hidden": "true" })),
      h("div", { class: "vidnb-line vidnb-fine", "aria-hidden": "true" }));
    const later = Math.min(...[...tiles.keys()].filter((other) => other > place)); // the document has the strip's order
    spacer.insertBefore(tile, tiles.get(later) ?? null);
    tiles.set(place, tile);
    return tile;
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
    const now = JSON.stringify(told ?? id ?? null);
    const picture = tile.querySelector("img");
    const url = posters.get(id);
    if (picture.getAttribute("src") !== (url ?? null)) { if (url) picture.src = url; else picture.removeAttribute("src"); picture.hidden = !url; }
    if (tile.dataset.told === now) return;
    tile.dataset.told = now;
    tile.setAttribute("aria-label", nameOf(told));
    tile.title = told?.prompt ?? "";
    tile.dataset.known = told ? (told.model ? "yes" : "gone") : "no";
    const [line, marks, stars, length] = [".vidnb-line", ".vidnb-badges", ".vidnb-stars", ".vidnb-length"].map((name) => tile.querySelector(name));
    line.replaceChildren(...(told?.model ? [h("span", { class: "vidnb-name" }, shortModel(told.model)), told.seed === "" ? "" : h("span", { class: "vidnb-seed vidnb-number" }, `seed ${told.seed}`)] : [told ? "no longer there" : ""]));
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
      if (playing?.place === place) stopPreview();
      tiles.delete(place);
      tile.remove();
    }
    for (let place = first; place < last; place += 1) if (!tiles.has(place)) makeTile(place);
    active = Math.min(active, Math.max(0, count - 1));
    const stop = tiles.has(active) ? active : Math.min(last - 1, first + AROUND);
    for (const [place, tile] of tiles) { fill(place, tile); tile.tabIndex = place === stop ? 0 : -1; }
    const there = count > 0;
    strip.hidden = !there;
    empty.hidden = there || list === 0;
    empty.textContent = model.get("words") ? "No clip has these words in its prompt, tags or note." : "No clips yet. They appear here as they are made.";
    const text = list === 0 ? "looking …" : clipCount(count);
    if (total.textContent !== text) total.textContent = text;
    news.hidden = !arrived;
    news.textContent = `${arrived} new`;
    news.setAttribute("aria-label", `${clipCount(arrived)} new: go to the newest`);
    root.dataset.state = list === 0 ? "starting" : "ready";
    clearTimeout(settle);
    settle = setTimeout(askForView, tiles.size && !facts.size ? 0 : SETTLE_MS);
  }

  const drawSoon = () => { frame ||= requestAnimationFrame(draw); };

  function askForView() {
    const [first, last] = tilesInView(strip.scrollLeft, strip.clientWidth, count);
    for (const start of pagesFor(first, last, (place) => ids[place] !== undefined)) {
      if (inFlight.pages.has(start)) continue;
      inFlight.pages.add(start);
      send(model, "page", { start });
    }
    const wanted = ids.slice(first, last).filter((id) => facts.get(id)?.model && !posters.has(id) && !inFlight.posters.has(id));
    if (!wanted.length) return;
    wanted.forEach((id) => inFlight.posters.add(id));
    send(model, "posters", { ids: wanted });
  }

  function keepPoster(id, buffer) {
    if (posters.has(id)) { URL.revokeObjectURL(posters.get(id)); posters.delete(id); }
    if (!buffer.byteLength) { posters.set(id, ""); return; }
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
    told.forEach((one, at) => { ids[start + at] = one.id; facts.set(one.id, one); });
  }

  hear("page", (content) => {
    inFlight.pages.delete(content.start);
    if (content.list === list) learn(content.start, content.facts);
    draw();
  });
  hear("posters", (content, buffers) => {
    content.ids.forEach((id, at) => { inFlight.posters.delete(id); keepPoster(id, buffers[at]); });
    drawSoon();
  });
  hear("changed", ({ facts: told }) => { facts.set(told.id, told); drawSoon(); });
  hear("added", ({ list: number, facts: told }) => {
    if (number <= list) return;
    stopPreview();
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
    if (away) { strip.scrollTo({ left: was + STEP, behavior: "instant" }); arrived += 1; }
    draw();
    if (!away) {
      strip.scrollTo({ left: 0, behavior: "instant" }); // the browser would follow the tile that it had snapped to
      tiles.get(0)?.classList.add("vidnb-new");
    }
  });
  watch("_list", () => { if (model.get("_list") > list) startOver(); });
  watch("_marked", () => { marked = model.get("_marked"); drawChoice(); });
  watch("_chosen", () => { chosen = model.get("_chosen"); draw(); });
  watch("words", () => { if (document.activeElement !== filter) filter.value = model.get("words"); });
  watch("_can_compare", () => drawChoice());

  // -- picking and marking ---------------------------------------------------------------------------------------------

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

  const toggle = (place) => mark(marked.includes(ids[place]) ? marked.filter((id) => id !== ids[place]) : [...marked, ids[place]]);

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

  const placeOf = (event) => { const tile = event.target.closest?.(".vidnb-tile"); return tile ? Number(tile.dataset.place) : null; };

  strip.addEventListener("click", (event) => {
    const place = placeOf(event);
    if (place === null) return;
    focusOn(place, false);
    if (event.shiftKey) markRange(place);
    else if (event.ctrlKey || event.metaKey || event.target.closest(".vidnb-mark")) { toggle(place); anchor = place; }
    else { anchor = place; choose(place); }
  }, { signal });

  clear.addEventListener("click", () => { mark([]); strip.querySelector("[tabindex='0']")?.focus(); }, { signal });
  compare.addEventListener("click", () => (model.get("_can_compare") ? send(model, "compare") : openComparison()), { signal });
  news.addEventListener("click", () => focusOn(0), { signal });

  // -- walking ---------------------------------------------------------------------------------------------------------

  function focusOn(place, scroll = true) {
    active = Math.max(0, Math.min(count - 1, place));
    const [left, width] = [active * STEP, strip.clientWidth];
    if (scroll && (left < strip.scrollLeft || left + STEP - 8 > strip.scrollLeft + width)) {
      strip.scrollTo({ left: left < strip.scrollLeft ? left : left + STEP - 8 - width, behavior: "instant" });
    }
    draw();
    tiles.get(active)?.focus({ preventScroll: true });
  }

  strip.addEventListener("keydown", (event) => {
    const place = placeOf(event);
    if (place === null || event.altKey) return;
    const far = Math.max(1, Math.floor(strip.clientWidth / STEP));
    const to = { ArrowLeft: place - 1, ArrowRight: place + 1, PageUp: place - far, PageDown: place + far, Home: 0, End: count - 1 }[event.key];
    if (to !== undefined) { focusOn(to); if (event.shiftKey) markRange(active); else if (!event.ctrlKey) anchor = active; }
    else if (event.key === "Enter") choose(place);
    else if (event.key === " ") { toggle(place); anchor = place; }
    else if (event.key === "Escape" && marked.length) mark([]);
    else return;
    event.preventDefault();
  }, { signal });

  strip.addEventListener("scroll", () => { if (strip.scrollLeft < STEP / 2) arrived = 0; drawSoon(); }, { signal, passive: true });
  const resized = new ResizeObserver(drawSoon);
  resized.observe(strip);
  resized.observe(root);

  filter.addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(() => { strip.scrollTo({ left: 0, behavior: "instant" }); active = 0; model.set("words", filter.value); model.save_changes(); }, TYPING_MS);
  }, { signal });

  // -- play on hover ---------------------------------------------------------------------------------------------------

  function startPreview(place) {
    if (playing?.place === place) return;
    stopPreview();
    const told = facts.get(ids[place]);
    if (!told?.model || stillPlease()) return;
    const mine = playing = { place, video: null, free: null, control: new AbortController(), timer: setTimeout(() => preview(mine, told), HOVER_MS) };
  }

  async function preview(mine, told) {
    const over = () => playing !== mine || signal.aborted;
    if ((await sources.flashes(told.id)) !== false || over()) return; // none that flashes, none of which that is not known
    for (const byKernel of servedUrl(told.path) ? [false, true] : [true]) {
      const video = h("video", { class: "vidnb-preview", muted: true, loop: true, playsinline: true, tabindex: "-1", "aria-hidden": "true", disablepictureinpicture: true });
      video.muted = true;
      try {
        const free = await sources.load(video, told, mine.control.signal, byKernel);
        if (over()) { unload(video); free(); return; }
        Object.assign(mine, { video, free });
        tiles.get(mine.place)?.querySelector(".vidnb-picture").append(video);
        await video.play();
        return;
      } catch {
        if (over()) return;
        release(mine); // the poster stays; the kernel's own bytes are the second try
      }
    }
  }

  function release(mine) {
    if (mine.video) unload(mine.video);
    mine.free?.();
    mine.video = mine.free = null;
  }

  function stopPreview() {
    if (!playing) return;
    const mine = playing;
    playing = null;
    clearTimeout(mine.timer);
    mine.control.abort();
    release(mine);
  }

  strip.addEventListener("pointerover", (event) => { const place = placeOf(event); if (place !== null && hovers(event)) startPreview(place); }, { signal });
  strip.addEventListener("pointerleave", stopPreview, { signal });
  strip.addEventListener("focusin", (event) => { const place = placeOf(event); if (place !== null && event.target.matches(":focus-visible")) startPreview(place); }, { signal });
  strip.addEventListener("focusout", stopPreview, { signal });

  // -- several side by side --------------------------------------------------------------------------------------------

  function openComparison() {
    closeComparison();
    const told = marked.map((id) => facts.get(id)).filter((one) => one?.model);
    comparison = compareRow({ told: told.slice(0, COMPARED), left: told.length - COMPARED, sources, close: () => { closeComparison(); compare.focus(); }, announce });
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
    [settle, typing].forEach(clearTimeout);
    cancelAnimationFrame(frame);
    resized.disconnect();
    stopPreview();
    closeComparison();
    for (const url of posters.values()) if (url) URL.revokeObjectURL(url);
  });
  startOver();
  drawChoice();
  return end;
}

/** Videos in a row with one play button and one scrubber; the longest leads, the others are nudged along.
 * @returns {{element: HTMLElement, focus: Function, end: Function}} */
function compareRow({ told, left, sources, close, announce }) {
  const control = new AbortController();
  const { signal } = control;
  const undo = [];
  let wanted = false; // whether they are to play
  let frame = 0;
  let held = false; // the scrubber is in a hand

  const play = iconButton("play", "Play all", () => { if (wanted) pause(); else start(); });
  const scrub = h("input", { type: "range", min: "0", max: "1", step: "0.01", value: "0", class: "vidnb-grow", "aria-label": "Position in all clips" });
  const time = h("span", { class: "vidnb-number vidnb-fine vidnb-muted" });
  const more = left > 0 ? h("span", { class: "vidnb-hint" }, `The first ${told.length}; ${left} more are selected.`) : "";
  const cells = told.map((facts) => {
    const shape = { aspectRatio: facts.width_px > 0 && facts.height_px > 0 ? `${facts.width_px} / ${facts.height_px}` : "16 / 9" };
    const video = h("video", { muted: true, playsinline: true, preload: "auto", "aria-label": nameOf(facts), style: shape });
    video.muted = true;
    const words = h("span", { class: "vidnb-hint" });
    return { facts, video, words, broken: false, figure: h("figure", {}, video, h("figcaption", { class: "vidnb-fine" },
      h("span", { class: "vidnb-mono" }, shortModel(facts.model)), facts.seed === "" ? "" : h("span", {}, ` seed ${facts.seed} `),
      badges(facts), words)) };
  });
  const element = h("section", { class: "vidnb-card", "aria-label": "Comparison" },
    h("div", { class: "vidnb-row" }, play, scrub, time, iconButton("close", "Close the comparison", close)), h("div", { class: "vidnb-videos" }, cells.map((cell) => cell.figure)), more);

  const whole = () => cells.filter((cell) => !cell.broken);
  const length = () => Math.max(0, ...whole().map((cell) => cell.video.duration || 0));
  const leader = () => whole().reduce((best, cell) => ((cell.video.duration || 0) > (best?.video.duration || 0) ? cell : best), null);
  const seekAll = (at) => whole().forEach(({ video }) => { video.playbackRate = 1; video.currentTime = Math.min(at, Math.max(0, (video.duration || 0) - 0.001)); });

  /** A promise for the moment at which a video can play, or is known never to. */
  const ready = ({ video }) => new Promise((done) => {
    if (video.readyState >= 3) done();
    for (const event of ["canplay", "error"]) video.addEventListener(event, done, { signal, once: true });
    signal.addEventListener("abort", done, { once: true });
  });

  async function load(cell, byKernel = false) {
    try {
      if (byKernel || !servedUrl(cell.facts.path)) cell.words.textContent = COMING;
      const free = await sources.load(cell.video, cell.facts, signal, byKernel);
      if (signal.aborted) { free(); return; }
      undo.push(free);
      if (cell.words.textContent === COMING) cell.words.textContent = "";
      await ready(cell);
      if (cell.video.error && !byKernel && servedUrl(cell.facts.path)) { await load(cell, true); return; }
      cell.broken = Boolean(cell.video.error);
    } catch { cell.broken = true; }
    if (cell.broken) cell.words.textContent = "cannot be played here";
  }

  function start() {
    const lead = leader();
    if (!lead) return;
    wanted = true;
    seekAll(lead.video.currentTime >= length() - 0.05 ? 0 : lead.video.currentTime);
    whole().forEach(({ video }) => video.play().catch(() => {}));
    drawBar();
    frame ||= requestAnimationFrame(follow);
  }

  function pause() {
    wanted = false;
    whole().forEach(({ video }) => video.pause());
    const lead = leader();
    if (lead) seekAll(lead.video.currentTime);
    drawBar();
  }

  /** Keep the others at the leader's time; those that are shorter wait at their end. */
  function follow() {
    frame = 0;
    const lead = leader();
    if (!wanted || !lead || signal.aborted) return;
    if (lead.video.ended) { seekAll(0); whole().forEach(({ video }) => video.play().catch(() => {})); }
    for (const { video } of whole()) {
      if (video === lead.video || video.ended || video.seeking) continue;
      const { rate, jump } = nudge(video.currentTime - lead.video.currentTime);
      if (jump && lead.video.currentTime < video.duration) video.currentTime = lead.video.currentTime;
      if (video.playbackRate !== rate) video.playbackRate = rate;
    }
    drawBar();
    frame = requestAnimationFrame(follow);
  }

  function drawBar() {
    const [at, end] = [leader()?.video.currentTime ?? 0, length()];
    const label = wanted ? "Pause all" : "Play all";
    if (play.getAttribute("aria-label") !== label) { play.setAttribute("aria-label", label); play.title = label; play.replaceChildren(icon(wanted ? "pause" : "play")); }
    scrub.max = String(end || 1);
    if (!held) scrub.value = String(at);
    scrub.setAttribute("aria-valuetext", `${at.toFixed(1)} of ${end.toFixed(1)} seconds`);
    time.textContent = `${at.toFixed(1)} / ${end.toFixed(1)} s`;
  }

  scrub.addEventListener("input", () => { held = true; if (wanted) pause(); seekAll(Number(scrub.value)); }, { signal });
  scrub.addEventListener("change", () => { held = false; drawBar(); }, { signal });
  element.addEventListener("keydown", (event) => { if (event.key === "Escape") { event.stopPropagation(); close(); } }, { signal });

  async function open() {
    drawBar();
    const flashes = Promise.all(cells.map(async (cell) => {
      const harmful = await sources.flashes(cell.facts.id);
      if (harmful) cell.words.textContent = " flashes";
      return harmful;
    }));
    await Promise.all(cells.map((cell) => load(cell)));
    if (signal.aborted) return;
    drawBar();
    element.dataset.state = "ready";
    announce(`${whole().length} clips side by side`);
    if ((await flashes).every((harmful) => harmful === false) && !stillPlease() && !signal.aborted && !held && !wanted) start();
  }

  open();
  return {
    element,
    focus: () => play.focus({ preventScroll: true }),
    end() {
      control.abort();
      cancelAnimationFrame(frame);
      wanted = false;
      cells.forEach(({ video }) => unload(video));
      undo.forEach((step) => step());
    },
  };
}

export default { render };
