/* Where the cells of a board lie: a grid of rows and columns in three sizes, of which only what is in view is drawn. */

export const HEAD_HIGH = 22;
export const SIZES = ["large", "small", "pixels"];
const WISHES = { large: { wide: 150, gap: 6 }, small: { wide: 44, gap: 3 }, pixels: { wide: 7, gap: 1 } };
const LEAST = { large: 112, small: 14, pixels: 1 };
const GROUP_GAP = { large: 10, small: 7, pixels: 3 };
const BLOCK_GAP = 12;
const NARROW = 480;
const ABOVE_HIGH = 18;
export const NAME_HIGH = 13;
/** Up to this height rows stand as far apart as their names need. */
const NAMED_HIGH = 420;
const SHAPE = 9 / 16;

/** The size of a board until a person chooses one: large where all columns of few cells are seen at once. */
export function firstSize(grid, cells, width) {
  if (cells > 600) return "pixels";
  return cells <= 32 && measured(grid, "large", width).total.width <= width ? "large" : "small";
}

/** The measures of a grid, in CSS pixels.
 * @param {{rows: number, cols: number, block: number, groups: number}} grid `block` columns belong together, `groups`
 *   rows, too
 * @param {string} size one of SIZES
 * @param {number} width of the place, heads included
 * @param {number} names how wide the names of the rows are; they stand beside the cells, or above them where
 *   it is narrow */
export function measured(grid, size, width, names = 0) {
  const isAbove = width < NARROW && size !== "pixels";
  const above = isAbove ? ABOVE_HIGH : 0;
  const heads = isAbove ? 0 : width < NARROW ? 84 : Math.max(176, Math.min(names, width * 0.36));
  const { gap } = WISHES[size];
  const blocks = Math.ceil(grid.cols / grid.block);
  const room = width - heads - (blocks - 1) * BLOCK_GAP - grid.cols * gap;
  const even = room / grid.cols;
  const wide = Math.max(LEAST[size], size === "pixels" ? even : Math.min(even, WISHES[size].wide * 1.6));
  const apart = size === "pixels" ? 1 : gap + 1;
  const hasRoom = !isAbove && (size !== "pixels" || grid.rows * NAME_HIGH <= NAMED_HIGH);
  const least = hasRoom ? NAME_HIGH - apart : 2;
  const high = Math.max(least, size === "pixels" ? Math.min(wide * SHAPE, 6) : wide * SHAPE);
  const step = above + high + apart;
  const groups = Math.ceil(grid.rows / grid.groups);
  return {
    heads,
    above,
    wide,
    high,
    gap,
    step,
    group: GROUP_GAP[size],
    blockGap: BLOCK_GAP,
    total: {
      width: heads + grid.cols * (wide + gap) + (blocks - 1) * BLOCK_GAP,
      height: HEAD_HIGH + grid.rows * step + (groups - 1) * GROUP_GAP[size] + 4,
    },
  };
}

export function leftOf(grid, by, col) {
  return by.heads + col * (by.wide + by.gap) + Math.floor(col / grid.block) * by.blockGap;
}

export function topOf(grid, by, row) {
  return HEAD_HIGH + by.above + row * by.step + Math.floor(row / grid.groups) * by.group;
}

/** The cell at a place, or null between cells. */
export function cellAt(grid, by, x, y) {
  const row = nearest(grid.rows, (one) => topOf(grid, by, one), y);
  const col = nearest(grid.cols, (one) => leftOf(grid, by, one), x);
  if (row < 0 || col < 0) return null;
  const inside = x < leftOf(grid, by, col) + by.wide + by.gap && y < topOf(grid, by, row) + by.step - by.above;
  return inside ? row * grid.cols + col : null;
}

/** The rows that are in view, from the first to the one after the last. */
export function rowsInView(grid, by, top, height) {
  const first = Math.max(
    0,
    nearest(grid.rows, (row) => topOf(grid, by, row), top + HEAD_HIGH),
  );
  const last = nearest(grid.rows, (row) => topOf(grid, by, row), top + height);
  return [first, Math.min(grid.rows, last + 1)];
}

/** The last of `count` places that begins at or before `at`; -1 for none. */
function nearest(count, startOf, at) {
  let low = 0,
    high = count;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (startOf(middle) <= at) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** The cell where a key leads to: the next one that exists in that direction, else the same. */
export function moved(grid, exists, from, key) {
  const [dx, dy] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[key];
  let row = Math.floor(from / grid.cols) + dy,
    col = (from % grid.cols) + dx;
  while (row >= 0 && row < grid.rows && col >= 0 && col < grid.cols) {
    const cell = row * grid.cols + col;
    if (exists(cell)) return cell;
    row += dy;
    col += dx;
  }
  return from;
}
