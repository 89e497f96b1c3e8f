/* Several clips side by side. */

import { differenceWords, differing, nameOf } from "./places.js";
import { unload } from "./sources.js";

export const COMPARED = 9;
export const DRIFT_S = 0.06;
export const FAR_S = 0.5;
export const COMING = "is on its way";

/** What to do with a video that is so many seconds ahead of the first: nothing, a little slower or quicker, or a jump.
 * @returns {{rate: number, jump: boolean}} */
export function nudge(ahead) {
  if (Math.abs(ahead) > FAR_S) return { rate: 1, jump: true };
  if (Math.abs(ahead) <= DRIFT_S) return { rate: 1, jump: false };
  return { rate: ahead > 0 ? 0.9 : 1.1, jump: false };
}

/** Videos in a row with one play button and one scrubber; the longest leads, the others are nudged along.
 * @returns {{element: HTMLElement, focus: Function, end: Function}} */
export function compareRow({ told, left, sources, close, announce }) {
  const control = new AbortController();
  const { signal } = control;
  const undo = [];
  let wanted = false; // whether they are to play
  let frame = 0;
  let held = false; // the scrubber is in a hand

  const play = iconButton("play", "Play all", () => {
    if (wanted) pause();
    else start();
  });
  const scrub = h("input", {
    type: "range",
    min: "0",
    max: "1",
    step: "0.01",
    value: "0",
    class: "vidnb-grow",
    "aria-label": "Position in all clips",
  });
  const time = h("span", { class: "vidnb-number vidnb-fine vidnb-muted" });
  const more =
    left > 0 ? h("span", { class: "vidnb-hint" }, `The first ${told.length}; ${left} more are selected.`) : "";
  const differences = differing(told).map((pairs) => pairs.map(differenceWords));
  const labels = differences.map((found, at) => (found.length ? found : [told[at].model]));
  const cells = told.map((facts, at) => {
    const shape = {
      aspectRatio: facts.width_px > 0 && facts.height_px > 0 ? `${facts.width_px} / ${facts.height_px}` : "16 / 9",
    };
    const video = h("video", {
      muted: true,
      playsinline: true,
      preload: "auto",
      "aria-label": nameOf(facts),
      style: shape,
    });
    video.muted = true;
    const words = h("span", { class: "vidnb-hint" });
    return {
      facts,
      video,
      words,
      broken: false,
      figure: h(
        "figure",
        {},
        video,
        h(
          "figcaption",
          { class: "vidnb-fine" },
          labels[at].map((label) => h("div", { class: "vidnb-label", dir: "auto", title: label }, label)),
          badges(facts),
          words,
        ),
      ),
    };
  });
  const element = h(
    "section",
    { class: "vidnb-card", "aria-label": "Comparison" },
    h("div", { class: "vidnb-row" }, play, scrub, time, iconButton("close", "Close the comparison", close)),
    h(
      "div",
      { class: "vidnb-videos" },
      cells.map((cell) => cell.figure),
    ),
    more,
  );

  const whole = () => cells.filter((cell) => !cell.broken);
  const length = () => Math.max(0, ...whole().map((cell) => cell.video.duration || 0));
  const leader = () =>
    whole().reduce((best, cell) => ((cell.video.duration || 0) > (best?.video.duration || 0) ? cell : best), null);
  const seekAll = (at) =>
    whole().forEach(({ video }) => {
      video.playbackRate = 1;
      video.currentTime = Math.min(at, Math.max(0, (video.duration || 0) - 0.001));
    });

  /** A promise for the moment at which a video can play, or is known never to. */
  const ready = ({ video }) =>
    new Promise((/** @type {(value?: any) => void} */ done) => {
      if (video.readyState >= 3) done();
      for (const event of ["canplay", "error"]) video.addEventListener(event, done, { signal, once: true });
      signal.addEventListener("abort", done, { once: true });
    });

  async function load(cell, byKernel = false) {
    try {
      if (byKernel || !servedUrl(cell.facts.path)) cell.words.textContent = COMING;
      const free = await sources.load(cell.video, cell.facts, signal, byKernel);
      if (signal.aborted) {
        free();
        return;
      }
      undo.push(free);
      if (cell.words.textContent === COMING) cell.words.textContent = "";
      await ready(cell);
      if (cell.video.error && !byKernel && servedUrl(cell.facts.path)) {
        await load(cell, true);
        return;
      }
      cell.broken = Boolean(cell.video.error);
    } catch {
      cell.broken = true;
    }
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
    if (lead.video.ended) {
      seekAll(0);
      whole().forEach(({ video }) => video.play().catch(() => {}));
    }
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
    if (play.getAttribute("aria-label") !== label) {
      play.setAttribute("aria-label", label);
      play.title = label;
      play.replaceChildren(icon(wanted ? "pause" : "play"));
    }
    scrub.max = String(end || 1);
    if (!held) scrub.value = String(at);
    scrub.setAttribute("aria-valuetext", `${at.toFixed(1)} of ${end.toFixed(1)} seconds`);
    time.textContent = `${at.toFixed(1)} / ${end.toFixed(1)} s`;
  }

  scrub.addEventListener(
    "input",
    () => {
      held = true;
      if (wanted) pause();
      seekAll(Number(scrub.value));
    },
    { signal },
  );
  scrub.addEventListener(
    "change",
    () => {
      held = false;
      drawBar();
    },
    { signal },
  );
  element.addEventListener(
    "keydown",
    (event) => {
      if (event.key === "Escape") {
        event.stopPropagation();
        close();
      }
    },
    { signal },
  );

  async function open() {
    drawBar();
    const flashes = Promise.all(
      cells.map(async (cell) => {
        const harmful = await sources.flashes(cell.facts.id);
        if (harmful) cell.words.textContent = " flashes";
        return harmful;
      }),
    );
    await Promise.all(cells.map((cell) => load(cell)));
    if (signal.aborted) return;
    drawBar();
    element.dataset.state = "ready";
    announce(`${whole().length} clips side by side`);
    if ((await flashes).every((harmful) => harmful === false) && !stillPlease() && !signal.aborted && !held && !wanted)
      start();
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
