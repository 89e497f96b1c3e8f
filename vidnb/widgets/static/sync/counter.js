/* How well clips keep in step, counted and not guessed. */

/** Counts, from the browser's own frame callbacks, how often all clips showed the same moment and how many were shown. */
export function stepCounter() {
  let samples = [];
  let begun = 0;
  return {
    clear(now) {
      samples = [];
      begun = now;
    },
    /** @param {number} now of the animation frame @param {number[]} shown the moment that each playing clip shows */
    note(now, shown) {
      if (!begun) begun = now;
      samples.push([now, shown]);
      if (samples.length > 6000) samples.splice(0, 1000);
    },
    /** @returns {{samples: number, clips: number, same: number, within: number, fps: number, freeze_ms: number}} `same` and `within`
     *   (one moment) in percent, `fps` of the clip that showed fewest */
    sums(count = Infinity) {
      const rows = samples.filter(([, shown]) => shown.length > 0);
      if (rows.length < 2)
        return { samples: rows.length, clips: rows[0]?.[1].length ?? 0, same: 100, within: 100, fps: 0, freeze_ms: 0 };
      const apart = rows.map(([, shown]) => spreadOf(shown, count));
      const seconds = (rows.at(-1)[0] - rows[0][0]) / 1000;
      let freeze = 0;
      let since = rows[0][0];
      const changes = rows[0][1].map(() => 0);
      for (let at = 1; at < rows.length; at += 1) {
        const [now, shown] = rows[at];
        const before = rows[at - 1][1];
        shown.forEach((moment, clip) => {
          if (moment !== before[clip]) changes[clip] = (changes[clip] ?? 0) + 1;
        });
        if (shown[0] !== before[0]) {
          freeze = Math.max(freeze, now - since);
          since = now;
        }
      }
      const percent = (most) => Math.round((10_000 * apart.filter((one) => one <= most).length) / apart.length) / 100;
      return {
        samples: rows.length,
        clips: rows.at(-1)[1].length,
        same: percent(0),
        within: percent(1),
        fps: Math.round((10 * Math.min(...changes)) / seconds) / 10,
        freeze_ms: Math.round(freeze),
      };
    },
  };
}

/** How many moments lie between those that are furthest apart, on a circle of `count` moments. */
export function spreadOf(moments, count = Infinity) {
  const sorted = [...new Set(moments)].sort((one, other) => one - other);
  if (sorted.length < 2) return 0;
  if (!Number.isFinite(count)) return sorted.at(-1) - sorted[0];
  const gaps = sorted.map((moment, at) =>
    at + 1 < sorted.length ? sorted[at + 1] - moment : sorted[0] + count - moment,
  );
  return count - Math.max(...gaps);
}
