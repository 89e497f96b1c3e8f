/* Which tiles are near the view, and what a tile says. */

export const STEP = 172; // a tile and the gap after it
export const AROUND = 4; // tiles kept on each side of the view
export const PAGE = 60;

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

/** The name of a clip's tile: "clip of Motion 2.0, seed 7: a koala". */
export function nameOf(facts) {
  if (!facts?.model) return "clip that is being looked up";
  const marks = [
    ...(facts.marks ?? []).map((mark) => mark.toLowerCase()),
    facts.nsfw && "flagged NSFW",
    facts.rating && `rated ${facts.rating} of 5`,
  ].filter(Boolean);
  const seed = facts.seed === "" ? "" : `, seed ${facts.seed}`;
  const also = marks.length ? ` (${marks.join(", ")})` : "";
  return `clip of ${facts.model}${seed}: ${facts.prompt || "no prompt"}${also}`;
}

/** @typedef {{model: string, prompt?: string, params?: [string, string][]}} Told */

/** What differs between clips: for each clip the params, in words, that they do not all share; model and prompt too.
 * @param {Told[]} clips
 * @returns {[string, string][][]} names and values, a list for each clip */
export function differing(clips) {
  const tables = clips.map(
    (clip) => new Map([["model", clip.model], ["prompt", clip.prompt ?? ""], ...(clip.params ?? [])]),
  );
  const names = [...new Set(tables.flatMap((table) => [...table.keys()]))];
  const varied = names.filter((name) => new Set(tables.map((table) => table.get(name) ?? "")).size > 1);
  return tables.map((table) => varied.filter((name) => table.has(name)).map((name) => [name, table.get(name) ?? ""]));
}

/** A difference in few words: the value alone where it says what it is. @param {[string, string]} pair */
export const differenceWords = ([name, value]) =>
  name === "model" || name === "prompt" ? value || "no prompt" : `${name} ${value}`;

export const clipCount = (count) => `${count.toLocaleString("en")} ${count === 1 ? "clip" : "clips"}`;
export const shortSpan = (seconds) => `${Number(seconds.toFixed(1))} s`;
