/* Where things stand: cells, pairs, and the part of a picture that is seen. */

/** The index of the cell to which an arrow leads; the same one at an edge.
 * @param {{row: number, column: number}[]} cells */
export function neighbour(cells, from, [across, down]) {
  const here = cells[from];
  if (!here) return 0;
  const found = cells.findIndex(({ row, column }) => row === here.row + down && column === here.column + across);
  return found < 0 ? from : found;
}

/** The other clip of a pair where none was set: the one before in its row, else the one after, else any other.
 * @param {{row: number, column: number, clip: boolean}[]} cells */
export function partner(cells, chosen) {
  const here = cells[chosen];
  const others = cells.map((cell, at) => ({ ...cell, at })).filter(({ clip, at }) => clip && at !== chosen);
  const inRow = others.filter(({ row }) => row === here?.row);
  const before = inRow.filter(({ column }) => column < here.column).at(-1);
  return (before ?? inRow[0] ?? others.filter(({ at }) => at < chosen).at(-1) ?? others[0])?.at ?? -1;
}

/** The part of a picture that is seen at a zoom around a point, in shares of its size. */
export function seenPart({ zoom, x, y }) {
  const size = 1 / zoom;
  const from = (at) => Math.max(0, Math.min(1 - size, at - size / 2));
  return { x: from(x), y: from(y), size };
}

/** Where a picture stands in a box without being cropped. */
export function fitted(width, height, boxWidth, boxHeight) {
  const scale = Math.min(boxWidth / width, boxHeight / height);
  const [w, h] = [width * scale, height * scale];
  return { x: (boxWidth - w) / 2, y: (boxHeight - h) / 2, width: w, height: h };
}

/** "1.92 / 5.00 s" */
export function timeWords(beat, { rate, seconds }) {
  return `${(beat / rate).toFixed(2)} / ${seconds.toFixed(2)} s`;
}
