/* Frames and times of a clip, and what keys do. */

export const CODECS = { h264: "H.264", hevc: "H.265", av1: "AV1", vp9: "VP9", prores: "ProRes" };

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

/** What a key does in the player; null for keys that are not its own. */
export function keyAction({ key, ctrlKey, metaKey, altKey }) {
  if (ctrlKey || metaKey || altKey) return null;
  const table = {
    " ": "play",
    k: "play",
    ",": "back",
    ArrowLeft: "back",
    ".": "forward",
    ArrowRight: "forward",
    j: "second-back",
    l: "second-forward",
    m: "mute",
    f: "full",
    a: "a",
    b: "b",
    Home: "first",
    End: "last",
    "?": "help",
  };
  return table[key.length === 1 ? key.toLowerCase() : key] ?? null;
}

/** Why the video does not play, and what to do. */
export function cannotWords({ codec }, bytesCame) {
  if (!bytesCame)
    return "The video's file is no longer in the data folder. vidnb.wait(job) fetches it again, if it is still there.";
  const name = CODECS[codec] ?? (codec || "this format");
  return `This page cannot play ${name}. Download the file and open it in a video player.`;
}
