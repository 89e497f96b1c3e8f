/* The playhead: frames, marks and loops. */

import { frameAt, marked, timeOf } from "./time.js";

export const REST_MS = 150;

/** The playhead: frames, marks and loops on a video element, and what is told to the kernel when it comes to rest.
 * @param {ModelPart} part
 * @param {HTMLVideoElement} video
 * @param {() => void} draw called at every change */
export function playhead({ model, signal }, video, draw) {
  /** @type {{clip: any, frame: number, marks: Marks, loop: boolean, touched: boolean}} */
  const state = { clip: null, frame: 0, marks: { a: null, b: null }, loop: true, touched: false };
  /** @type {any} the frame to go to, or null */
  let wanted = null;
  let callback = 0;
  let timer = 0;
  let last = "";
  const precise = Boolean(video.requestVideoFrameCallback); // not in every browser
  const measures = () => state.clip.measures;

  /** Tell the kernel where the playhead is, once it rests. */
  function tell(delay = REST_MS) {
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
    const again = () => {
      callback = precise ? video.requestVideoFrameCallback(onFrame) : requestAnimationFrame(onFrame);
    };
    const onFrame = (_, metadata) => {
      if (state.clip)
        seen(metadata ? Math.round(metadata.mediaTime * measures().fps) : frameAt(video.currentTime, measures()));
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
    } catch (/** @type {any} */ error) {
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
    Object.assign(state, {
      clip,
      frame: clip ? frameAt(time, clip.measures) : 0,
      marks: { a: null, b: null },
      touched: false,
    });
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
  on("play", () => {
    watchFrames();
    draw();
    tell(0);
  });
  on("pause", () => {
    if (!precise) stopWatching();
    draw();
    tell();
  });
  on("timeupdate", () => state.clip && !precise && seen(frameAt(video.currentTime, measures())));
  on("ended", () => {
    const { a, b } = state.marks;
    if (a === null && b === null) {
      draw();
      tell(0);
      return;
    }
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

  return {
    state,
    go,
    step,
    toggle,
    play,
    mark,
    setLoop,
    show,
    hold,
    end,
    position,
    goToTime: (time) => state.clip && go(frameAt(time, measures())),
  };
}
