/* Which cells of a board are marked to be compared, and the comparison that stands in the place of its grid. */

/** All cells between two, as a rectangle of the grid.
 * @param {{cols: number}} grid
 * @param {number} from
 * @param {number} to
 * @returns {number[]} */
export function between(grid, from, to) {
  const [rows, cols] = [
    [from, to].map((cell) => Math.floor(cell / grid.cols)),
    [from, to].map((cell) => cell % grid.cols),
  ];
  const found = [];
  for (let row = Math.min(...rows); row <= Math.max(...rows); row += 1)
    for (let col = Math.min(...cols); col <= Math.max(...cols); col += 1) found.push(row * grid.cols + col);
  return found;
}

/** What the button says: how many clips it would show, of so many that are done.
 * @param {number} count
 * @param {number} most */
export function compareWords(count, most) {
  return count > most ? `Compare first ${most}` : `Compare ${count}`;
}

/** Show the widget that a trait names inside this part, for as long as the trait names it.
 * @param {Part} part
 * @param {Model} model
 * @param {HTMLElement} place where it stands
 * @param {(open: boolean) => void} changed called when it came or went
 * @returns {{end: () => void, canShow: boolean}} */
export function insideOf({ watch }, model, place, changed) {
  const manager = model.widget_manager;
  let shown = /** @type {?{el: HTMLElement, remove(): void}} */ (null);
  let turn = 0;

  async function show() {
    const name = model.get("_comparison");
    const mine = (turn += 1);
    shown?.remove();
    shown = null;
    place.replaceChildren();
    if (!name || !manager) {
      changed(false);
      return;
    }
    const child = await manager.get_model(name.slice("IPY_MODEL_".length));
    const view = await manager.create_view(child);
    if (mine !== turn) {
      view.remove();
      return;
    }
    shown = view;
    place.replaceChildren(view.el);
    changed(true);
  }

  watch("_comparison", show);
  if (model.get("_comparison")) show();
  return {
    canShow: Boolean(manager),
    end() {
      turn += 1;
      shown?.remove();
    },
  };
}
