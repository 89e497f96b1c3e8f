/* Which clips are in view: only those are decoded. */

import { MOST_PLAYING } from "../sync/conductor.js";

const STRIPS_AFTER_MS = 200;

/** @param {CompareView} it the view that the functions belong to */
export function seeingOf(it) {
  const watcher = new IntersectionObserver(
    (entries) => {
      for (const { target, isIntersecting } of entries) {
        const cell = it.cells[Number(/** @type {HTMLElement} */ (target).dataset.at)];
        if (cell?.el === target) cell.inView = isIntersecting;
      }
      it.cells.forEach((cell) => cell.clip && see(cell));
      it.conduct.stir();
      want();
      it.drawHead();
    },
    { rootMargin: "40px" },
  );

  const resizer = new ResizeObserver(() => {
    for (const cell of it.cells) if (cell.clip) it.repaint(cell);
    if (it.isTwo()) it.composite();
  });

  /** Only what is seen is decoded; what left the view gives its frames back. */
  function see(cell) {
    const visible = it.isTwo() ? cell.at === it.view.chosen || cell.at === it.leftAt() : Boolean(cell.inView);
    if (cell.clip.visible && !visible) {
      cell.clip.reel?.rest();
      cell.clip.late = false;
    }
    cell.clip.visible = visible;
  }

  let stripTimer = 0;

  function want() {
    const wanted = it.cells.filter((cell) => cell.clip && (cell.clip.visible || cell.inView)).map(({ at }) => at);
    it.supply.ask("film", wanted.slice(0, MOST_PLAYING));
    clearTimeout(stripTimer);
    stripTimer = setTimeout(() => it.supply.ask("strip", wanted), STRIPS_AFTER_MS);
  }

  function seeAll() {
    for (const cell of it.cells) if (cell.clip) see(cell);
    it.conduct.stir();
    want();
  }

  function endSeeing() {
    clearTimeout(stripTimer);
    watcher.disconnect();
    resizer.disconnect();
  }

  return { endSeeing, see, want, seeAll, watcher, resizer };
}
