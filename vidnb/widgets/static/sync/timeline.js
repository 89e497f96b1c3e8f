/* The moments that clips of other length and frame rate share. */

/** The moments that clips of other length and frame rate share, and which frame of each clip belongs to one.
 *
 * A moment ("beat") is a whole number, so no error adds up however long one watches.
 * @param {{fps: number, duration_s: number, times: number[]}[]} films `times`: when each frame begins, in seconds
 * @param {Alignment} how the same second, the same share of the length, or the same number of the frame
 * @returns {{count: number, rate: number, seconds: number, frame: (film: object, beat: number) => number, beat: (film: object, frame: number) => number}} */
export function timeline(films, how = "time") {
  const rate = Math.max(1, ...films.map((film) => film.fps));
  const seconds = Math.max(1 / rate, ...films.map((film) => film.duration_s));
  const longest = Math.max(1, ...films.map((film) => film.times.length));
  const count = how === "frame" ? longest : Math.max(1, Math.round(seconds * rate));
  const at = (film, beat) => {
    if (how === "frame") return Math.min(beat, film.times.length - 1);
    // The middle of the moment: no rounding leads to a neighbour from there.
    const time = how === "share" ? ((beat + 0.5) / count) * film.duration_s : (beat + 0.5) / rate;
    return lastBefore(film.times, time);
  };
  const back = (film, frame) => {
    if (how === "frame") return Math.min(frame, count - 1);
    const time = film.times[Math.min(frame, film.times.length - 1)] + 1e-6;
    return Math.min(
      count - 1,
      Math.max(0, Math.floor(how === "share" ? (time / film.duration_s) * count : time * rate)),
    );
  };
  return { count, rate, seconds: count / rate, frame: at, beat: back };
}

/** The index of the last number of an ascending list that is not above a value; 0 where all are. */
export function lastBefore(numbers, value) {
  let low = 0;
  let high = numbers.length;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (numbers[middle] <= value + 1e-6) low = middle;
    else high = middle;
  }
  return low;
}

/** The whole numbers from one to another, both included; none where the second is the smaller one. */
export const range = (from, to) => Array.from({ length: Math.max(0, to - from + 1) }, (_, at) => from + at);
