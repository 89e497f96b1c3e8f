/* One clip to look at closely. The playhead lives here; only what settles goes to the kernel. */

const SPEEDS = [0.25, 0.5, 1, 1.5, 2];
const SETTLE_MS = 150;
const TYPED_MS = 800;
const RATED_MS = 400;
/** After this long without an answer the page says that it waits for the kernel, and asks again. */
const BUSY_MS = 2500;
/** After this long without a further piece of a video the page asks for it again; longer than the pauses between them. */
const STALLED_MS = 10_000;
/** So long a clip must have been shown before a press counts for it: who presses sooner aimed at the one before. */
const SETTLED_MS = 500;
/** So long somebody counts as busy at the buttons after the last move of pointer or key there. */
const LINGER_MS = 10_000;
const TIP_MS = 6000;
const MISSED = "Another clip came in just then, so nothing was done. Press again if you mean this one.";
const KEPT = "Another clip came in; what you wrote is kept with the one before.";
const KEYS = [["Space or K", "play, pause"], [", . or ← →", "one frame back, forward"], ["J and L", "one second back, forward"], ["Home, End", "first, last frame"],
  ["A and B", "loop between two marks"], ["M", "sound on, off"], ["F", "full screen"], ["?", "these keys"]];
const ACTIONS = [["remix", "remix", "Remix", "Take the recipe up in the form"], ["vary", "dice", "Vary seed", "The same recipe with another seed"],
  ["take", "plus", "Next take", "The same recipe once more"], ["start_frame", "image", "Frame as start", "Use the frame at the playhead as start image"],
  ["end_frame", "image", "Frame as end", "Use the frame at the playhead as end image"]];
/** Those that send a job, and so carry its price. */
const PAID = new Set(["vary", "take"]);
const CODECS = { h264: "H.264", hevc: "H.265", av1: "AV1", vp9: "VP9", prores: "ProRes" };
let count = 0;

/** The number of the frame shown at a time, from 0. Times of frames are rounded, so a hair more counts as the next. */
export function frameAt(time, { fps, frames }) {
  return Math.max(0, Math.min(Math.floor(time * fps + 1e-3), frames - 1));
}

/** When a frame begins. */
export function timeOf(frame, { fps }) {
  return Math.round((frame / fps) * 1e6) / 1e6;
}

/** "frame 13 of 120, 0.50 s": frames as people count them. */
export function frameWords(frame, measures) {
  return `frame ${frame + 1} of ${measures.frames}, ${timeOf(frame, measures).toFixed(2)} s`;
}

/** The marks of a loop after setting one: the other goes where the two would not make a span.
 * @param {{a: ?number, b: ?number}} marks */
export function marked({ a, b }, name, frame) {
  if (name === "a") return { a: frame, b: b !== null && b > frame ? b : null };
  return { a: a !== null && a < frame ? a : null, b: frame };
}

/** The tags after typing more: parted by commas, each once. */
export function withTags(tags, typed) {
  const more = typed.split(",").map((tag) => tag.trim().replace(/\s+/g, " ")).filter(Boolean);
  return [...new Set([...tags, ...more])];
}

/** What a key does in the player; null for keys that are not its own. */
export function keyAction({ key, ctrlKey, metaKey, altKey }) {
  if (ctrlKey || metaKey || altKey) return null;
  const table = { " ": "play", k: "play", ",": "back", ArrowLeft: "back", ".": "forward", ArrowRight: "forward", j: "second-back", l: "second-forward",
    m: "mute", f: "full", a: "a", b: "b", Home: "first", End: "last", "?": "help" };
  return table[key.length === 1 ? key.toLowerCase() : key] ?? null;
}

/** Why the video does not play, and what to do. */
export function cannotWords({ codec }, bytesCame) {
  if (!bytesCame) return "The video's file is no longer in the data folder. vidnb.wait(job) fetches it again while the service has it.";
  const name = CODECS[codec] ?? (codec || "this format");
  return `This page cannot play ${name}. Download the file and open it in a video player.`;
}

/** A labelled range input. */
function slider(label, attributes) {
  return h("input", { type: "range", "aria-label": label, ...attributes });
}

function keyCard() {
  return h("div", { class: "vidnb-card vidnb-keys", hidden: true }, keyList(KEYS));
}

/** The poster and the video of a clip: by the Jupyter server's address, else as bytes from the kernel.
 *
 * @param {HTMLVideoElement} video
 * @param {HTMLImageElement} poster
 * @param {(state: "loading" | "ready" | "unplayable", words: string) => void} told */
function source({ model, signal, hear }, video, poster, told) {
  const urls = { poster: null, video: null };
  let clip = null;
  let way = "";
  let timer = 0;
  const pieces = gatherer();

  function drop(name) {
    if (urls[name]) URL.revokeObjectURL(urls[name]);
    urls[name] = null;
  }

  function keep(name, bytes, type) {
    drop(name);
    urls[name] = URL.createObjectURL(new Blob(bytes, { type }));
    return urls[name];
  }

  function clear() {
    clearTimeout(timer);
    video.removeAttribute("src");
    video.load();
    poster.removeAttribute("src");
    poster.hidden = true;
    drop("poster");
    drop("video");
    pieces.drop(clip?.id);
    [clip, way] = [null, ""];
  }

  /** Ask the kernel for what has not come yet; it may have sent it by itself already. */
  function ask() {
    clearTimeout(timer);
    if (!urls.poster) send(model, "want", { what: "poster", id: clip.id });
    if (way !== "asked") return;
    send(model, "want", { what: "video", id: clip.id });
    timer = setTimeout(() => way === "asked" && !pieces.has(clip.id) && told("loading", "Waiting for the kernel to send the video."), BUSY_MS);
  }

  /** @param {boolean} first whether the view is new; later the kernel sends by itself what is needed */
  function show(next, first) {
    clear();
    clip = next;
    if (!clip) return;
    const url = servedUrl(clip.video);
    way = url ? "served" : "asked";
    told("loading", "");
    if (url) video.src = url;
    if (first) ask();
    else timer = setTimeout(ask, BUSY_MS);
  }

  function failed() {
    if (!clip || !video.getAttribute("src")) return;
    if (way === "served") {
      way = "asked";
      told("loading", "");
      ask();
    } else {
      told("unplayable", cannotWords(clip, true));
    }
  }

  hear("poster", ({ id }, [bytes]) => {
    if (id !== clip?.id || urls.poster || !bytes) return;
    poster.src = keep("poster", [bytes], "image/webp");
    poster.hidden = false;
  });
  hear("video", (content, [piece]) => {
    if (content.id !== clip?.id || way !== "asked") return;
    const whole = pieces.take(clip.id, content, piece);
    if (!whole) {
      clearTimeout(timer);
      timer = setTimeout(ask, STALLED_MS);
      told("loading", "");
      return;
    }
    way = "bytes";
    video.src = keep("video", whole, "video/mp4");
  });
  hear("gone", ({ id }) => id === clip?.id && way === "asked" && told("unplayable", cannotWords(clip, false)));
  video.addEventListener("error", failed, { signal });
  video.addEventListener("loadeddata", () => told("ready", ""), { signal });
  return { show, clear, address: () => video.getAttribute("src") };
}

/** The playhead: frames, marks and loops on a video element, and what is told to the kernel when it settles.
 * @param {() => void} draw called at every change */
function playhead({ model, signal }, video, draw) {
  const state = { clip: null, frame: 0, marks: { a: null, b: null }, loop: true, touched: false };
  let wanted = null;
  let callback = 0;
  let timer = 0;
  let last = "";
  const precise = "requestVideoFrameCallback" in video;
  const measures = () => state.clip.measures;

  /** Tell the kernel where the playhead is, once it rests. */
  function tell(delay = SETTLE_MS) {
    clearTimeout(timer);
    if (state.clip) timer = setTimeout(tellNow, delay);
  }

  function position() {
    return { id: state.clip.id, time_s: timeOf(state.frame, measures()), playing: !video.paused && !video.ended };
  }

  function tellNow() {
    clearTimeout(timer);
    const now = position();
    if (JSON.stringify(now) === last) return;
    last = JSON.stringify(now);
    send(model, "at", now);
  }

  function go(frame) {
    if (!state.clip) return;
    state.frame = Math.max(0, Math.min(frame, measures().frames - 1));
    wanted = state.frame;
    if (video.readyState > 0 && !video.seeking) jump();
    draw();
    if (video.paused) tell();
  }

  function jump() {
    // The middle of the frame's time: no rounding leads to a neighbour from there.
    video.currentTime = Math.min((wanted + 0.5) / measures().fps, Math.max(video.duration - 1e-3, 0) || Infinity);
    wanted = null;
  }

  /** Take the frame that is on the screen, and turn back at the end of a marked span. */
  function seen(frame) {
    if (!state.clip || wanted !== null || video.seeking) return;
    state.frame = Math.max(0, Math.min(frame, measures().frames - 1));
    const { a, b } = state.marks;
    if (!video.paused && b !== null && state.frame >= b) go(a ?? 0);
    draw();
  }

  function watchFrames() {
    stopWatching();
    const again = () => { callback = precise ? video.requestVideoFrameCallback(onFrame) : requestAnimationFrame(onFrame); };
    const onFrame = (_, metadata) => {
      if (state.clip) seen(metadata ? Math.round(metadata.mediaTime * measures().fps) : frameAt(video.currentTime, measures()));
      if (precise || !video.paused) again();
    };
    again();
  }

  function stopWatching() {
    if (callback) precise ? video.cancelVideoFrameCallback(callback) : cancelAnimationFrame(callback);
    callback = 0;
  }

  async function play() {
    if (!state.clip) return;
    const { a, b } = state.marks;
    if ((a !== null && state.frame < a) || (b !== null && state.frame >= b)) go(a ?? 0);
    try {
      await video.play();
    } catch (error) {
      if (error.name !== "NotAllowedError" || video.muted) return;
      video.muted = true;
      await video.play().catch(() => {});
    }
  }

  function toggle() {
    state.touched = true;
    video.paused || video.ended ? play() : video.pause();
  }

  function step(by) {
    state.touched = true;
    video.pause();
    go((wanted ?? state.frame) + by);
  }

  function mark(name) {
    if (!state.clip) return;
    state.marks = name ? marked(state.marks, name, state.frame) : { a: null, b: null };
    setLoop();
    draw();
  }

  function setLoop(value = state.loop) {
    state.loop = value;
    video.loop = value && state.marks.a === null && state.marks.b === null;
    draw();
  }

  /** @param {number} time where to begin */
  function show(clip, time) {
    if (state.clip && !video.paused) send(model, "at", { ...position(), playing: false });
    clearTimeout(timer);
    Object.assign(state, { clip, frame: clip ? frameAt(time, clip.measures) : 0, marks: { a: null, b: null }, touched: false });
    wanted = state.frame || null;
    last = clip ? JSON.stringify({ id: clip.id, time_s: timeOf(state.frame, clip.measures), playing: false }) : "";
    video.loop = state.loop;
  }

  const on = (name, handler) => video.addEventListener(name, handler, { signal });
  on("loadedmetadata", () => wanted !== null && jump());
  on("seeked", () => {
    if (!state.clip) return;
    if (wanted !== null) return jump();
    seen(frameAt(video.currentTime, measures()));
    if (video.paused) tell();
  });
  on("play", () => { watchFrames(); draw(); tell(0); });
  on("pause", () => { if (!precise) stopWatching(); draw(); tell(); });
  on("timeupdate", () => state.clip && !precise && seen(frameAt(video.currentTime, measures())));
  on("ended", () => {
    const { a, b } = state.marks;
    if (a === null && b === null) { draw(); tell(0); return; }
    go(a ?? 0);
    play();
  });

  /** Go on from this frame when the video comes by another way. */
  function hold() {
    wanted = state.frame || null;
  }

  /** Leave nothing running; the kernel hears that nothing plays any more. */
  function end() {
    stopWatching();
    clearTimeout(timer);
    if (state.clip && !video.paused) send(model, "at", { ...position(), playing: false });
    video.pause();
  }

  return { state, go, step, toggle, play, mark, setLoop, show, hold, end, position, goToTime: (time) => state.clip && go(frameAt(time, measures())) };
}

/** A line that floats above the control it is about, so that nothing moves under the pointer; it goes by itself. */
function tips({ announce }) {
  const line = h("div", { class: "vidnb-tip", "aria-hidden": "true" });
  let timer = 0;
  const clear = () => { clearTimeout(timer); line.remove(); };
  /** @param {Element} control in one of the rows that can hold a line */
  function say(control, words) {
    clear();
    const row = control.closest(".vidnb-acts, .vidnb-mine, .vidnb-transport");
    line.textContent = words;
    line.style.left = "0";
    row.append(line);
    line.style.left = `${Math.max(0, Math.min(control.offsetLeft, row.clientWidth - line.offsetWidth))}px`;
    announce(words);
    timer = setTimeout(clear, TIP_MS);
  }
  return { say, clear };
}

/** Lets a press pass only where it is meant for the clip that is shown: one that began when another clip stood there, or when
 * this one had just come, was aimed at what stood there before.
 * @param {Element[]} places what holds the controls
 * @param {(control: Element) => void} missed told of a press that did not count
 * @returns {{shows: (id: ?string) => void, end: () => void}} `shows` is to be told of each clip that comes */
function aimed({ root, signal }, places, missed) {
  let now = { id: null, since: -Infinity };
  let begun = null; // the press that is under way
  let timer = 0;
  const look = ({ timeStamp }) => ({ id: now.id, tooSoon: timeStamp - now.since < SETTLED_MS });
  const listen = (target, kinds, handler) => kinds.forEach((kind) => target.addEventListener(kind, handler, { capture: true, signal }));

  function check(event) {
    const control = event.target.closest("button, a, label, input[type=radio]");
    if (!control) return;
    const { id, tooSoon } = begun ?? look(event);
    if (id === now.id && !tooSoon) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    missed(control);
  }

  for (const place of places) {
    listen(place, ["pointerdown", "keydown"], (event) => { if (!event.repeat) begun = look(event); });
    listen(place, ["click"], check);
  }
  // After the click that the release may make.
  listen(window, ["pointerup", "pointercancel", "keyup"], () => setTimeout(() => { begun = null; }));
  return {
    shows(id) {
      const after = Boolean(now.id); // where no clip stood, nobody aimed at one
      now = { id, since: after ? performance.now() : -Infinity };
      clearTimeout(timer);
      root.dataset.settled = String(!after);
      timer = setTimeout(() => { root.dataset.settled = "true"; }, SETTLED_MS + 10);
    },
    end: () => clearTimeout(timer),
  };
}

/** Tells the kernel while somebody is busy with the clip, so that another one does not take its place under their hand.
 * @param {Element[]} places where moves of pointer and keys count, for a while
 * @param {Element[]} boxes where the focus counts, as long as it stays */
function engagement({ model, signal, watch }, places, boxes) {
  let writes = false;
  let isNear = false;
  let isDone = false; // what one came for was done: the pointer may rest there
  let timer = 0;
  const isBusy = () => writes || isNear;

  function say() {
    if (Boolean(model.get("engaged")) !== isBusy()) assign(model, "engaged", isBusy());
  }

  function near(yes) {
    clearTimeout(timer);
    isNear = yes;
    if (yes) timer = setTimeout(() => near(false), LINGER_MS);
    say();
  }

  const listen = (target, kinds, handler) => kinds.split(" ").forEach((kind) => target.addEventListener(kind, handler, { signal }));
  for (const place of places) {
    listen(place, "pointermove", () => isDone || near(true));
    listen(place, "pointerdown keydown", () => { isDone = false; near(true); });
    listen(place, "pointerleave", () => { isDone = false; near(false); });
    listen(place, "focusout", ({ relatedTarget }) => { if (!place.contains(relatedTarget) && !place.matches(":hover")) near(false); });
  }
  for (const box of boxes) {
    listen(box, "focus", () => { writes = true; say(); });
    listen(box, "blur", () => { writes = false; say(); });
  }
  watch("engaged", () => isBusy() && say()); // another view, where nobody is busy, may have said so
  say(); // where the page was loaded anew in the middle of a word, nobody is busy any more
  return {
    /** What was pressed is on its way: its clip may come, though the pointer still rests on the button. */
    done: () => { isDone = true; near(false); },
    end: () => { writes = false; near(false); },
  };
}

/** Rating, tags and note of the person, kept by the kernel. */
function annotations({ model, signal, hear, announce }) {
  const name = `vidnb-rating-${++count}`;
  const radios = [1, 2, 3, 4, 5].map((stars) => h("input", { type: "radio", name, value: String(stars), class: "vidnb-unseen", "aria-label": stars === 1 ? "1 star" : `${stars} stars` }));
  const none = h("button", { type: "button", class: "vidnb-small", "aria-label": "Clear the rating", title: "Clear the rating" }, "clear");
  const stars = h("fieldset", { class: "vidnb-stars" }, h("legend", { class: "vidnb-unseen" }, "Rating"), radios.map((radio) => h("label", {}, radio, icon("star", 20))));
  const tags = h("ul", { class: "vidnb-tags", "aria-label": "Tags" });
  const more = h("input", { type: "text", "aria-label": "Add a tag", placeholder: "add a tag", maxlength: "60", autocomplete: "off" });
  const note = h("textarea", { rows: "1", "aria-label": "Note", placeholder: "note", maxlength: "10000", dir: "auto" });
  const saved = h("span", { class: "vidnb-fine vidnb-muted" });
  const again = h("button", { type: "button", class: "vidnb-small", hidden: true }, "Try again");
  const el = h("div", { class: "vidnb-mine", tabindex: "-1" }, h("div", { class: "vidnb-row" }, stars, none, h("span", { class: "vidnb-grow" }), saved, again),
    h("div", { class: "vidnb-row vidnb-tagging" }, tags, more), note);
  let id = null;
  let now = { rating: null, tags: [], note: "" };
  let pending = {};
  let sending = {};
  let timer = 0;
  let slow = 0;

  function say(words, tone = "") {
    saved.textContent = words;
    saved.dataset.tone = tone;
    again.hidden = tone !== "bad";
  }

  function change(values, delay) {
    if (!id) return;
    Object.assign(now, values);
    Object.assign(pending, values);
    say("");
    clearTimeout(timer);
    timer = setTimeout(flush, delay);
    draw();
  }

  function flush() {
    clearTimeout(timer);
    if (!id || !Object.keys(pending).length) return;
    sending = { ...sending, ...pending };
    send(model, "annotate", { id, ...pending });
    pending = {};
    clearTimeout(slow);
    slow = setTimeout(() => say("saved when the kernel is free"), BUSY_MS);
  }

  function draw() {
    for (const radio of radios) {
      radio.checked = Number(radio.value) === now.rating;
      radio.parentElement.dataset.on = String(Number(radio.value) <= (now.rating ?? 0));
    }
    none.hidden = now.rating === null;
    tags.replaceChildren(...now.tags.map((tag) => h("li", { class: "vidnb-chip" }, h("bdi", {}, tag), h("button", { type: "button", "aria-label": `Remove tag ${tag}`, title: "Remove" }, icon("close", 12)))));
    tags.hidden = !now.tags.length;
    if (document.activeElement !== note && !("note" in pending)) note.value = now.note;
  }

  function removeTag({ target }) {
    const index = [...tags.children].indexOf(target.closest("button")?.parentElement);
    if (index < 0) return;
    change({ tags: now.tags.filter((_, at) => at !== index) }, 0);
    more.focus();
  }

  function addTyped() {
    const tags = withTags(now.tags, more.value);
    more.value = "";
    if (tags.length > now.tags.length) change({ tags }, 0);
  }

  function show(clip) {
    if (clip?.id !== id) {
      const wrote = [more, note].includes(document.activeElement);
      addTyped();
      flush();
      [id, pending, sending] = [clip?.id ?? null, {}, {}];
      clearTimeout(slow);
      say(wrote ? KEPT : "");
      if (wrote) { announce(KEPT); el.focus({ preventScroll: true }); } // what is typed on is for no clip
    }
    el.hidden = !clip;
    if (clip) now = { rating: clip.rating, tags: clip.tags, note: clip.note, ...sending, ...pending };
    draw();
  }

  const on = (element, kind, handler) => element.addEventListener(kind, handler, { signal });
  radios.forEach((radio) => on(radio, "change", () => change({ rating: Number(radio.value) }, RATED_MS)));
  on(none, "click", () => { change({ rating: null }, 0); radios[0].focus(); });
  on(more, "keydown", (event) => {
    if ((event.key !== "Enter" && event.key !== ",") || event.isComposing) return;
    event.preventDefault();
    addTyped();
  });
  on(more, "blur", addTyped);
  on(tags, "click", removeTag);
  on(note, "input", () => change({ note: note.value }, TYPED_MS));
  on(note, "blur", flush);
  on(again, "click", () => { pending = { ...sending, ...pending }; say("saving"); flush(); });
  hear("annotated", ({ id: which, names, problem }) => {
    if (which !== id) { if (problem) say(`Not saved for job ${which.slice(0, 8)}: ${problem}`, "bad"); return; }
    clearTimeout(slow);
    if (!problem) names.forEach((one) => { delete sending[one]; });
    say(problem ? `Not saved: ${problem}` : "saved", problem ? "bad" : "");
    announce(problem ? `Not saved: ${problem}` : "saved");
  });
  return { el, show, boxes: [more, note], end: () => { flush(); clearTimeout(slow); } };
}

/** Prompt, params and what came of them, in the words of the saved notebook. */
function caption(clip) {
  const params = clip.params.map(([name, value]) => h("span", { class: "vidnb-chip" }, h("span", { class: "vidnb-muted" }, name), " ", h("bdi", { class: "vidnb-mono" }, value)));
  return [
    clip.prompt && h("p", { class: "vidnb-prompt", dir: "auto" }, clip.prompt),
    clip.whole && h("details", { class: "vidnb-fine" }, h("summary", {}, "whole prompt"), h("div", { class: "vidnb-whole", dir: "auto" }, clip.whole)),
    h("div", { class: "vidnb-row vidnb-recipe" }, badges(clip), h("span", { class: "vidnb-mono" }, clip.model), params),
    h("div", { class: "vidnb-fine vidnb-muted" }, clip.outcome.map((words) => `${words} · `), "job ", h("span", { class: "vidnb-mono" }, clip.id.slice(0, 8))),
  ].filter(Boolean);
}

/** Copy a text; where the page may not, show it selected instead. */
async function copyText(text, box, announce) {
  try {
    await navigator.clipboard.writeText(text);
    box.hidden = true;
    announce("Recipe copied");
    return true;
  } catch {
    box.hidden = false;
    box.value = text;
    box.focus();
    box.select();
    announce("The page may not copy: press Ctrl C");
    return false;
  }
}

function render({ model, el }) {
  const part = { model, ...begin({ model, el }, "player") };
  const { root, signal, hear, watch, announce } = part;

  // -- elements
  const video = h("video", { playsinline: true, preload: "auto" });
  const poster = h("img", { alt: "", hidden: true });
  const start = h("div", { class: "vidnb-start", "aria-hidden": "true" }, icon("play", 28));
  const cannot = h("div", { class: "vidnb-cannot", role: "status" });
  const anyway = h("button", { type: "button", class: "vidnb-small" }, "Play anyway");
  const warning = h("div", { class: "vidnb-warning", hidden: true }, h("span", { class: "vidnb-flashes", title: "More than three flashes in a second: it can harm people with photosensitive epilepsy" }, icon("warn", 14), "flashes"), anyway);
  const stage = h("div", { class: "vidnb-stage" }, poster, video, start, warning, cannot);
  const scrub = slider("Position", { class: "vidnb-scrub", min: "0", step: "1", value: "0" });
  const span = h("div", { class: "vidnb-span", "aria-hidden": "true" });
  const button = (drawing, label) => iconButton(drawing, label, null);
  const play = button("play", "Play");
  const [back, forward] = [button("back", "One frame back"), button("forward", "One frame forward")];
  const time = h("span", { class: "vidnb-time vidnb-number" });
  const numbered = h("span", { class: "vidnb-frame vidnb-number vidnb-fine vidnb-muted" });
  const letter = (text, label) => h("button", { type: "button", class: "vidnb-icon vidnb-letter", "aria-label": label, title: label, "aria-pressed": "false" }, text);
  const [setA, setB] = [letter("A", "Loop from here (A)"), letter("B", "Loop up to here (B)")];
  const unmark = button("close", "Clear the marks A and B");
  const speed = h("select", { "aria-label": "Speed", title: "Speed" }, SPEEDS.map((rate) => h("option", { value: String(rate) }, `${rate}×`)));
  const loop = button("loop", "Loop");
  const mute = button("sound", "Mute");
  const volume = slider("Volume", { class: "vidnb-volume", min: "0", max: "1", step: "0.05", value: "1" });
  const full = button("full", "Full screen");
  const download = h("a", { class: "vidnb-icon", "aria-label": "Download", title: "Download" }, icon("download"));
  const help = h("button", { type: "button", class: "vidnb-icon vidnb-letter", "aria-label": "Keys", title: "Keys", "aria-expanded": "false" }, "?");
  const keys = keyCard();
  const transport = h("div", { class: "vidnb-transport" },
    h("div", { class: "vidnb-cluster" }, back, play, forward, time, numbered),
    h("div", { class: "vidnb-cluster vidnb-tools" }, setA, setB, unmark, speed, loop, mute, volume, download, full, help));
  const screen = h("div", { class: "vidnb-screen", role: "group", tabindex: "0" }, stage, h("div", { class: "vidnb-track" }, span, scrub), transport, keys);
  const quiet = h("div", { class: "vidnb-fine vidnb-muted" });
  const copy = h("button", { type: "button", class: "vidnb-small", title: "Copy the recipe as Python code" }, icon("copy", 14), "Copy recipe");
  const acts = ACTIONS.map(([name, drawing, words, title]) => h("button", { type: "button", class: "vidnb-small", title, dataset: { action: name } }, icon(drawing, 14), words));
  const code = h("textarea", { class: "vidnb-mono", readonly: true, rows: "4", hidden: true, "aria-label": "Recipe as Python code, press Ctrl C to copy" });
  const about = h("div", { class: "vidnb-about" });
  const mine = annotations(part);
  const actions = h("div", { class: "vidnb-row vidnb-acts" }, acts, copy);
  const shownPart = h("div", { class: "vidnb-shown" }, screen, quiet, actions, code, about, mine.el);
  const empty = h("div", { class: "vidnb-empty" }, icon("play", 24), h("div", {}, "No clip yet"), h("div", { class: "vidnb-fine" }, "The next clip, or one that you pick, is shown here."));
  root.append(empty, shownPart);

  // -- state
  const head = playhead(part, video, draw);
  const film = source(part, video, poster, (state, words) => {
    root.dataset.state = state;
    if (state === "loading") head.hold();
    cannot.textContent = words;
    cannot.hidden = !words;
    for (const control of [scrub, back, play, forward, setA, setB]) control.disabled = state === "unplayable";
    if (state !== "loading") { draw(); tryAutoplay(); }
  });
  const tip = tips(part);
  const aim = aimed(part, [actions, mine.el, download], (control) => tip.say(control, MISSED));
  const engaged = engagement(part, [actions, mine.el], mine.boxes);
  const unheard = new Set(); // actions that the kernel has not heard yet
  let clip = null;
  let wantsPlay = false;

  // -- drawing
  function draw() {
    if (!clip) return;
    const { frame, marks } = head.state;
    const { measures } = clip;
    const going = !video.paused && !video.ended;
    if (play.dataset.going !== String(going)) {
      play.replaceChildren(icon(going ? "pause" : "play"));
      play.ariaLabel = play.title = going ? "Pause" : "Play";
      play.dataset.going = String(going);
    }
    scrub.value = String(frame);
    scrub.style.setProperty("--at", String(frame / (measures.frames - 1 || 1)));
    scrub.setAttribute("aria-valuetext", frameWords(frame, measures));
    time.textContent = `${timeOf(frame, measures).toFixed(2)} / ${measures.duration_s.toFixed(2)} s`;
    numbered.textContent = `frame ${frame + 1} of ${measures.frames}`;
    drawMarks(marks, measures.frames - 1 || 1);
    loop.setAttribute("aria-pressed", String(head.state.loop));
    start.hidden = going || root.dataset.state !== "ready" || head.state.touched || frame > 0;
    const address = film.address();
    download.hidden = !address;
    if (address && download.getAttribute("href") !== address) download.href = address;
    drawSound();
  }

  function drawMarks({ a, b }, last) {
    setA.setAttribute("aria-pressed", String(a !== null));
    setB.setAttribute("aria-pressed", String(b !== null));
    const some = a !== null || b !== null;
    unmark.hidden = span.hidden = !some;
    span.style.setProperty("--from", String((a ?? 0) / last));
    span.style.setProperty("--to", String((b ?? last) / last));
    span.dataset.a = String(a !== null);
    span.dataset.b = String(b !== null);
  }

  function drawSound() {
    const silent = video.muted || !video.volume;
    if (mute.dataset.silent !== String(silent)) {
      mute.replaceChildren(icon(silent ? "mute" : "sound"));
      mute.ariaLabel = mute.title = silent ? "Sound on" : "Mute";
      mute.dataset.silent = String(silent);
    }
    volume.value = String(video.muted ? 0 : video.volume);
    volume.style.setProperty("--at", volume.value);
  }

  /** @param {boolean} first whether the view is new */
  function drawClip(first) {
    const next = model.get("_shown")?.id ? model.get("_shown") : null;
    const changed = next?.id !== clip?.id || first;
    clip = next;
    empty.hidden = Boolean(clip);
    shownPart.hidden = !clip;
    mine.show(clip);
    if (changed) changeClip(first);
    if (!clip) return;
    about.replaceChildren(...caption(clip));
    drawActions();
    drawWarning();
    draw();
  }

  function changeClip(first) {
    head.show(clip, first ? model.get("time_s") ?? 0 : 0);
    aim.shows(clip?.id ?? null);
    tip.clear();
    code.hidden = true;
    wantsPlay = false;
    film.show(clip, first);
    if (!clip) { root.dataset.state = "empty"; return; }
    const { width_px: wide, height_px: high, frames } = clip.measures;
    screen.ariaLabel = `Player: ${clip.model}${clip.prompt ? `, ${clip.prompt}` : ""}`;
    poster.alt = clip.prompt || clip.model;
    stage.style.setProperty("--ratio", String(wide / high || 16 / 9));
    scrub.max = String(frames - 1);
    download.download = clip.name;
    mute.hidden = volume.hidden = !clip.has_audio;
    const noSound = clip.has_audio && clip.host === "vscode";
    quiet.textContent = noSound ? "VS Code plays no AAC sound: the clip is silent here, the downloaded file is not." : "";
    quiet.hidden = !noSound;
    video.playbackRate = Number(speed.value);
  }

  function drawActions() {
    const offered = model.get("_actions") ?? [];
    const price = model.get("price") ?? "";
    acts.forEach((act, at) => {
      const { action } = act.dataset;
      act.hidden = !offered.includes(action);
      act.title = why(action) || ACTIONS[at][3];
      if (why(action) || unheard.has(action)) act.setAttribute("aria-disabled", "true");
      else act.removeAttribute("aria-disabled");
      act.querySelector(".vidnb-cost")?.remove();
      if (price && PAID.has(action)) act.append(h("span", { class: "vidnb-cost vidnb-muted" }, price));
    });
    copy.disabled = !clip?.code;
    copy.title = clip?.code ? "Copy the recipe as Python code" : "The recipe is too long to copy from here: vidnb.display.recipe_code(clip)";
  }

  /** Why an action does nothing for now; "" where it does. */
  function why(action) {
    return model.get("unavailable")?.[action] ?? "";
  }

  function flashes() {
    const told = model.get("_flashes");
    return told?.id === clip?.id ? told?.flashes : undefined;
  }

  function drawWarning() {
    warning.hidden = flashes() !== true;
    anyway.hidden = !video.paused || head.state.touched;
  }

  // -- doing
  function tryAutoplay() {
    if (!clip || root.dataset.state !== "ready" || head.state.touched) return;
    if (wantsPlay) { wantsPlay = false; head.toggle(); return; }
    if (!model.get("autoplay") || flashes() !== false || stillPlease() || !video.paused) return;
    video.muted = true;
    head.state.touched = true;
    head.play();
  }

  /** Play or pause, or play as soon as there is something to play. */
  function toggle() {
    if (root.dataset.state === "loading" && !film.address()) wantsPlay = !wantsPlay;
    else if (root.dataset.state !== "unplayable") head.toggle();
    drawWarning();
  }

  function setMuted(value) {
    video.muted = value;
    if (!value && !video.volume) video.volume = 1;
    draw();
  }

  function toggleFull() {
    if (document.fullscreenElement) document.exitFullscreen();
    else if (screen.requestFullscreen) screen.requestFullscreen().catch((error) => announce(error.message));
    else video.webkitEnterFullscreen?.();
  }

  function toggleKeys() {
    keys.hidden = !keys.hidden;
    help.setAttribute("aria-expanded", String(!keys.hidden));
  }

  function setMark(name) {
    head.mark(name);
    const { a, b } = head.state.marks;
    const words = [a !== null && `A at ${frameWords(a, clip.measures)}`, b !== null && `B at ${frameWords(b, clip.measures)}`].filter(Boolean);
    announce(words.length ? `Loop: ${words.join("; ")}` : "No marks");
  }

  const second = () => Math.max(1, Math.round(clip.measures.fps));
  const does = {
    play: toggle, back: () => head.step(-1), forward: () => head.step(1), "second-back": () => head.go(head.state.frame - second()),
    "second-forward": () => head.go(head.state.frame + second()), mute: () => clip.has_audio && setMuted(!video.muted), full: toggleFull, a: () => setMark("a"),
    b: () => setMark("b"), first: () => head.go(0), last: () => { video.pause(); head.go(Infinity); }, help: toggleKeys,
  };

  function keyed(event) {
    const name = event.key === "Escape" && !keys.hidden ? "help" : keyAction(event);
    const { target } = event;
    if (!clip || !name || target.matches("select") || (target.matches("button, a") && event.key === " ")) return;
    if (target.matches("input[type=range]") && /^(Arrow|Home|End)/.test(event.key)) return;
    event.preventDefault();
    does[name]();
  }

  async function copyRecipe() {
    const copied = await copyText(clip.code, code, announce);
    if (signal.aborted || !copied) return;
    copy.replaceChildren(icon("check", 14), "Copied");
    setTimeout(() => copy.replaceChildren(icon("copy", 14), "Copy recipe"), 1600);
  }

  /** One click is one message: until the kernel has heard it, another would be paid for, too; the second click of a
   * double click always would, however quickly the kernel heard the first. */
  function press(act, { detail }) {
    const { action } = act.dataset;
    if (detail > 1 && PAID.has(action)) return;
    if (unheard.has(action)) { announce("The kernel is busy with a cell; the first click is kept."); return; }
    if (why(action)) { tip.say(act, why(action)); return; }
    unheard.add(action);
    drawActions();
    send(model, "action", { name: action, ...head.position() });
  }

  // -- listening
  const on = (element, name, handler) => element.addEventListener(name, handler, { signal });
  for (const [element, name] of [[play, "play"], [back, "back"], [forward, "forward"], [setA, "a"], [setB, "b"], [full, "full"], [help, "help"], [anyway, "play"]]) on(element, "click", () => does[name]());
  on(unmark, "click", () => { setMark(null); setA.focus(); });
  on(stage, "click", (event) => { if (!event.target.closest("button")) { screen.focus({ preventScroll: true }); toggle(); } });
  on(screen, "keydown", keyed);
  on(scrub, "input", () => { head.state.touched = true; head.go(Number(scrub.value)); });
  on(speed, "change", () => { video.playbackRate = video.defaultPlaybackRate = Number(speed.value); });
  on(loop, "click", () => head.setLoop(!head.state.loop));
  on(mute, "click", () => setMuted(!video.muted));
  on(volume, "input", () => { video.volume = Number(volume.value); video.muted = !video.volume; draw(); });
  on(copy, "click", copyRecipe);
  acts.forEach((act) => on(act, "click", (event) => press(act, event)));
  hear("heard", ({ name }) => { if (unheard.delete(name)) { drawActions(); engaged.done(); } });
  for (const name of ["play", "pause", "volumechange"]) on(video, name, () => { draw(); drawWarning(); });
  hear("seek", ({ time_s }) => { head.state.touched = true; head.goToTime(time_s); });
  watch("_shown", () => drawClip(false));
  watch("_actions price unavailable", drawActions);
  watch("_flashes autoplay", () => { drawWarning(); tryAutoplay(); });
  speed.value = "1";
  full.hidden = !(document.fullscreenEnabled || video.webkitEnterFullscreen);
  head.setLoop(true);
  drawClip(true);

  return () => { engaged.end(); aim.end(); tip.clear(); mine.end(); head.end(); film.clear(); part.end(); };
}

export default { render };
