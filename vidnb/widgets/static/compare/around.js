/* Draws what stands around the clips: head, transport, and the line of the chosen clip. */

import { MOST_PLAYING } from "../sync/conductor.js";
import { timeWords } from "./places.js";

const NO_FILE = "This clip's file is not in the data folder any more.";

/** @param {CompareView} it the view that the functions belong to */
export function aroundOf(it) {
  const {
    title,
    common,
    align,
    gain,
    status,
    box,
    two,
    scrub,
    marks,
    play,
    time,
    frameCount,
    unmark,
    speed,
    zoom,
    loop,
    name,
    stars,
    starInputs,
    win,
    setLeft,
    sound,
    copy,
    facts,
    reason,
    debug,
    modeInputs,
  } = it.el;

  function drawHead() {
    title.textContent = it.grid.prompt || it.grid.label || "Clips";
    const same = [...(it.isTwo() ? it.sharedWords() : []), ...(it.grid.common ?? [])];
    common.replaceChildren(...(same.length ? [h("span", {}, same.join(" · "))] : []), ...badges(it.grid));
    it.root.setAttribute(
      "aria-label",
      `Compare ${it.cells.filter(({ clip }) => clip).length} clips: ${it.grid.prompt || it.grid.label || ""}`,
    );
    align.hidden = !it.grid.uneven;
    gain.hidden = it.view.mode !== "difference";
    const there = it.cells.filter(({ clip }) => clip).length;
    const playing = it.cells.filter(({ clip, inView }) => clip && inView).length;
    const words = [];
    if (there < it.cells.length) words.push(`${there} of ${it.cells.length} clips are here.`);
    if (!it.isTwo() && playing > MOST_PLAYING)
      words.push(`${MOST_PLAYING} of ${there} play in full; the others follow in small frames.`);
    if (it.grid.left_out)
      words.push(`The first ${it.cells.length} of ${it.cells.length + it.grid.left_out}; choose rows or columns.`);
    if (status.textContent !== words.join(" ")) status.textContent = words.join(" ");
    it.drawRuns();
  }

  function drawTransport() {
    const { state } = it.conduct;
    const { count: beats } = state.line;
    scrub.max = beats - 1;
    play.replaceChildren(icon(state.playing ? "pause" : "play"));
    const words = state.playing ? "Pause" : it.isTwo() ? "Play both" : "Play all";
    play.setAttribute("aria-label", words);
    play.title = words;
    loop.setAttribute("aria-pressed", String(state.loop));
    speed.value = String(state.speed);
    zoom.value = String(it.view.zoom);
    align.value = state.how;
    const { a, b } = state;
    marks.hidden = unmark.hidden = a === null && b === null;
    marks.style.setProperty("--from", (a ?? 0) / Math.max(1, beats - 1));
    marks.style.setProperty("--to", (b ?? beats - 1) / Math.max(1, beats - 1));
    it.root.dataset.playing = String(state.playing);
    for (const cell of it.cells)
      if (cell.clip && cell.wasLate !== cell.clip.late) {
        cell.wasLate = cell.clip.late;
        it.drawCell(cell);
      }
    drawTime();
  }

  let toldSums = 0;

  function drawTime() {
    const { state } = it.conduct;
    scrub.value = state.beat;
    scrub.style.setProperty("--at", state.beat / Math.max(1, state.line.count - 1));
    const words = timeWords(state.beat, state.line);
    time.textContent = words;
    frameCount.textContent = `frame ${state.beat + 1} of ${state.line.count}`;
    scrub.setAttribute(
      "aria-valuetext",
      `${words.replace(" / ", " of ")}, frame ${state.beat + 1} of ${state.line.count}`,
    );
    it.root.dataset.beat = String(state.beat);
    const now = performance.now();
    if (now - toldSums < 500) return;
    toldSums = now;
    const sums = { ...it.conduct.counter.sums(state.loop ? state.line.count : Infinity), way: it.why || "frames" };
    it.root.dataset.sums = JSON.stringify(sums);
    if (it.debugging)
      debug.textContent =
        `${sums.clips} clips, ${it.why ? "ordinary videos" : "decoded here"}: the same frame in ${sums.same} %, ` +
        `within one in ${sums.within} % of ${sums.samples} looks; ` +
        `${sums.fps} frames a second shown, longest pause ${sums.freeze_ms} ms`;
  }

  function drawChosen() {
    const cell = it.cells[it.view.chosen];
    const told = cell?.told ?? {};
    const isClip = Boolean(cell?.clip);
    name.textContent = told.name ?? "";
    for (const one of [stars, win]) one.hidden = !isClip || it.standalone;
    for (const one of [setLeft, copy]) one.hidden = !isClip;
    starInputs.forEach((input) => {
      input.checked = Number(input.value) === told.rating;
      input.parentElement.toggleAttribute("data-on", Number(input.value) <= (told.rating ?? 0));
    });
    win.setAttribute("aria-pressed", String(Boolean(told.winner)));
    setLeft.setAttribute("aria-pressed", String(it.view.left === it.view.chosen));
    sound.hidden = !(isClip && told.has_audio);
    sound.setAttribute("aria-pressed", String(it.view.heard === it.view.chosen));
    sound.replaceChildren(icon(it.view.heard === it.view.chosen ? "sound" : "mute"));
    copy.disabled = !told.code;
    const words = isClip ? (cell.gone ? [NO_FILE] : []) : [told.word, told.why];
    reason.replaceChildren(
      words.filter(Boolean).join(": "),
      " ",
      !isClip && told.run
        ? it.view.asked === it.view.chosen
          ? it.confirmRun(told)
          : it.runButton(it.view.chosen, told, true)
        : "",
    );
    facts.textContent = (told.facts ?? []).join(" · ");
  }

  function drawMode() {
    modeInputs.forEach((input) => {
      input.checked = input.value === it.view.mode;
    });
    box.hidden = it.isTwo();
    two.hidden = !it.isTwo();
    it.root.dataset.mode = it.view.mode;
    if (it.isTwo()) it.drawTwo();
    drawHead();
    drawTransport();
  }

  function drawAll() {
    it.cells.forEach(it.drawCell);
    drawChosen();
    drawMode();
  }

  return { drawHead, drawTransport, drawTime, drawChosen, drawMode, drawAll };
}
