/* What the cells and the two clips of a pair are called. */

/** The words of some rows and columns, one text each. @param {HeadTold[]} heads */
const plainWords = (heads) => heads.flatMap(({ words }) => words.map(({ label, value }) => `${label} ${value}`.trim()));

/** Words with a quiet name before them, as at a row: "seed" and a bold "7". */
export const headWords = (parts) =>
  parts.map(({ label, value, picture }, at) => [
    at > 0 && " · ",
    label && [h("span", {}, label), " "],
    picture ? h("img", { src: picture, alt: value, height: 24 }) : h("b", {}, value),
  ]);

/** @param {CompareView} it the view that the functions belong to */
export function wordsOf(it) {
  function cellName(at) {
    const { told } = it.cells[at];
    const words = [told.name || `clip ${at + 1}`];
    if (told.state !== "clip") words.push(told.word, told.why);
    if (told.rating) words.push(`rated ${told.rating} of 5`);
    if (told.winner) words.push("winner");
    if (at === it.leftAt() && (it.isTwo() || it.view.left === at)) words.push("the left one of two");
    if (it.cells[at].late) words.push("late");
    return words.filter(Boolean).join(", ");
  }

  /** What both clips of a pair say of themselves alike; the rest stands on the stage. */
  function sharedWords() {
    const [left, right] = [it.cells[it.leftAt()]?.told, it.cells[it.view.chosen]?.told];
    if (!left || !right || it.grid.wrapped) return [];
    const heads = [];
    if (left.row === right.row) heads.push(it.grid.rows[left.row]);
    if (left.column === right.column) heads.push(it.grid.columns[left.column]);
    return plainWords(heads);
  }

  function sideName(at) {
    const { told } = it.cells[at];
    const other = it.cells[at === it.view.chosen ? it.leftAt() : it.view.chosen]?.told;
    if (it.grid.wrapped || !other) return told.name;
    const heads = [];
    if (told.row !== other.row) heads.push(it.grid.rows[told.row]);
    if (told.column !== other.column) heads.push(it.grid.columns[told.column]);
    return plainWords(heads).join(" · ") || told.name;
  }

  return { cellName, sharedWords, sideName };
}
