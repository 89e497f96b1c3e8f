/* The cells of the grid: made from what the kernel tells, and kept up to date. */

import { range } from "../sync/timeline.js";
import { headWords } from "./words.js";

/** @param {CompareView} it the view that the functions belong to */
export function cellsOf(it) {
  const { table } = it.el;

  /** Take the grid as the kernel tells it; what has not changed stays as it is. */
  function takeGrid() {
    const next = it.model.get("_grid") ?? { rows: [], columns: [], cells: [] };
    const same =
      it.cells.length === next.cells.length &&
      JSON.stringify([it.grid.rows, it.grid.columns]) === JSON.stringify([next.rows, next.columns]);
    it.grid = next;
    if (!same) build();
    else next.cells.forEach((told, at) => update(it.cells[at], told));
    it.drawHead();
    it.drawAll();
    it.root.dataset.state = "ready";
  }

  function build() {
    it.cells.forEach(drop);
    it.cells = it.grid.cells.map((told, at) => ({
      at,
      told: {},
      el: h("div", { class: "vidnb-cell", role: "gridcell", tabindex: "-1", dataset: { at } }),
    }));
    table.style.setProperty("--columns", String(it.grid.columns.length));
    table.style.setProperty("--rows", String(it.grid.rows.length));
    table.style.setProperty("--ratio", String(it.grid.ratio ?? 16 / 9));
    const heads = it.grid.columns.some(({ words }) => words.length);
    const rowed = it.grid.rows.some(({ words }) => words.length);
    table.dataset.rowed = rowed;
    const rows = heads
      ? [
          h(
            "div",
            { role: "row" },
            rowed &&
              h("div", {
                class: "vidnb-corner",
                role: "columnheader",
                "aria-label": it.grid.rows[0].words.map(({ label }) => label).join(" ") || "rows",
              }),
            it.grid.columns.map(({ words, more }) =>
              h(
                "div",
                { class: "vidnb-col", role: "columnheader", dir: "auto" },
                headWords(words),
                more.length > 0 && h("small", {}, more.join(" · ")),
              ),
            ),
          ),
        ]
      : [];
    it.grid.rows.forEach(({ words }, row) =>
      rows.push(
        h(
          "div",
          { role: "row" },
          rowed && h("div", { class: "vidnb-rowhead", role: "rowheader", dir: "auto" }, headWords(words)),
          it.cells.filter(({ at }) => it.grid.cells[at].row === row).map(({ el: cell }) => cell),
        ),
      ),
    );
    table.replaceChildren(...rows);
    table.setAttribute("aria-label", it.grid.label ?? "Clips");
    it.grid.cells.forEach((told, at) => update(it.cells[at], told, true));
    it.view.chosen = Math.min(it.view.chosen, Math.max(0, it.cells.length - 1));
    if (!it.cells[it.view.chosen]?.clip)
      it.view.chosen = Math.max(
        0,
        it.cells.findIndex((cell) => cell.clip),
      );
    it.cells.forEach(({ el: cell }) => it.watcher.observe(cell));
    lead();
  }

  function drop(cell) {
    cell.clip?.reel?.end();
    it.watcher.unobserve(cell.el);
  }

  /** Bring one cell up to date: its picture, or why it has none. */
  function update(cell, told, building = false) {
    if (JSON.stringify(cell.told) === JSON.stringify(told)) return;
    const other = cell.told.id !== told.id || cell.told.state !== told.state;
    cell.told = told;
    if (told.state === "clip") {
      if (other) {
        cell.clip?.reel?.end();
        it.supply.forget(cell.at);
        const { fps, frames, duration_s } = told.measures;
        cell.canvas = h("canvas", { width: 16, height: 9, "aria-hidden": "true" });
        Object.assign(cell, { bytes: null, table: null, strip: null, poster: null, drawnFrame: -1 });
        cell.clip = {
          cell,
          reel: null,
          visible: false,
          film: { fps, duration_s, times: range(0, Math.max(0, frames - 1)).map((frame) => frame / fps) },
        };
        cell.chips = h("span", { class: "vidnb-chips" });
        cell.stars = h("span", { class: "vidnb-on vidnb-rated", hidden: true });
        cell.el.replaceChildren(
          h(
            "div",
            { class: "vidnb-pic" },
            cell.canvas,
            cell.stars,
            cell.chips,
            it.grid.wrapped && h("span", { class: "vidnb-on vidnb-caption", dir: "auto" }, told.name),
          ),
        );
        cell.el.style.setProperty("--ratio", it.grid.ratio ?? 16 / 9);
        it.resizer.observe(cell.el);
        if (!building) lead();
      }
    } else {
      cell.clip?.reel?.end();
      cell.clip = null;
      cell.el.style.setProperty("--ratio", it.grid.ratio ?? 16 / 9);
      cell.el.replaceChildren(gap(cell));
    }
    drawCell(cell);
  }

  /** Why there is no clip, and what can be done. */
  function gap({ at, told }) {
    return h(
      "div",
      { class: "vidnb-gap", dataset: { tone: told.tone ?? "" } },
      h("strong", {}, told.tone === "bad" && icon("warn", 16), told.word),
      told.why && h("p", { dir: "auto" }, told.why),
      told.run && it.runButton(at, told),
    );
  }

  /** Stars, words and name of a cell; its picture is the conductor's affair. */
  function drawCell(cell) {
    const { told, at } = cell;
    if (cell.clip) {
      cell.stars.hidden = !told.rating;
      cell.stars.replaceChildren(
        h("span", { class: "vidnb-long" }, "★".repeat(told.rating ?? 0)),
        h("span", { class: "vidnb-short" }, `${told.rating ?? ""}★`),
      );
      const chip = (words) => h("span", { class: "vidnb-on" }, words);
      cell.chips.replaceChildren(
        ...[
          cell.clip.late && chip("late"),
          cell.gone && chip("no file"),
          it.view.left === at && chip("Left"),
          it.view.heard === at && chip("Sound"),
          told.winner && chip("Winner"),
        ].filter(Boolean),
      );
    }
    cell.el.setAttribute("aria-label", it.cellName(at));
    cell.el.setAttribute("aria-selected", String(at === it.view.chosen));
    cell.el.tabIndex = at === it.view.chosen ? 0 : -1;
  }

  /** Tell the conductor which clips there are. */
  function lead() {
    const clips = it.cells.filter((cell) => cell.clip).map((cell) => cell.clip);
    it.conduct.set({ clips });
    for (const cell of it.cells) if (cell.clip) it.see(cell);
    it.supply.ask(
      "poster",
      clips.map(({ cell }) => cell.at),
    );
    it.want();
  }

  return { takeGrid, build, drop, update, gap, drawCell, lead };
}
