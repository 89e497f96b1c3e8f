/* Draws what stands beside two clips: their names, what was measured, and the map to choose from. */

const ROWS_SHOWN = 6;

/** @param {CompareView} it the view that the functions belong to */
export function pairOf(it) {
  const { stageCanvas, lineGrip, sideLeft, sideRight, stage, pickLeft, pickRight, map, differs } = it.el;

  function drawTwo() {
    const left = it.leftAt();
    if (!it.cells[left] || !it.clipAt(it.view.chosen)) return;
    const { width_px, height_px } = it.cells[left].told.measures;
    stage.style.setProperty("--ratio", width_px / height_px);
    sideLeft.textContent = it.sideName(left);
    sideRight.textContent = it.sideName(it.view.chosen);
    sideLeft.hidden = it.view.mode === "blink" && it.view.blink !== "left";
    sideRight.hidden = it.view.mode === "blink" && it.view.blink !== "right";
    sideRight.dataset.side = it.view.mode === "blink" ? "left" : "right";
    lineGrip.hidden = it.view.mode !== "wipe";
    stage.style.setProperty("--line", `${it.view.line}%`);
    lineGrip.setAttribute("aria-valuenow", it.view.line);
    lineGrip.setAttribute(
      "aria-valuetext",
      `${it.view.line} % ${it.sideName(left)}, the rest ${it.sideName(it.view.chosen)}`,
    );
    const doing = {
      wipe: "Wipe",
      blink: "Blink",
      difference: `Difference, ${it.view.gain} times stronger`,
      overlay: `Overlay, ${it.view.balance} % left`,
    }[it.view.mode];
    stageCanvas.setAttribute("aria-label", `${doing}: ${it.sideName(left)} and ${it.sideName(it.view.chosen)}`);
    for (const [select, at] of [
      [pickLeft, left],
      [pickRight, it.view.chosen],
    ]) {
      select.replaceChildren(
        ...it.cells.filter(({ clip }) => clip).map(({ at: one, told }) => h("option", { value: one }, told.name)),
      );
      select.value = String(at);
    }
    differs.replaceChildren(...measuredRows(it.cells[left].told, it.cells[it.view.chosen].told));
    drawMap();
  }

  /** What was measured and is not the same of both; the first few, as the transport stands below. */
  function measuredRows(left, right) {
    const names = [...new Set([...(left.measured ?? []), ...(right.measured ?? [])].map(([one]) => one))];
    const of = (told, one) => (told.measured ?? []).find(([key]) => key === one)?.[1] ?? "–";
    const rows = names.filter((one) => of(left, one) !== of(right, one));
    if (!rows.length) return [];
    const shown = it.view.allMeasured ? rows : rows.slice(0, ROWS_SHOWN);
    const more = rows.length > ROWS_SHOWN && (it.view.allMeasured ? "Fewer" : `${rows.length - ROWS_SHOWN} more`);
    const line = (one) =>
      h("tr", {}, h("th", { scope: "row" }, one), h("td", {}, of(left, one)), h("td", {}, of(right, one)));
    const heads = ["What differs", "left", "right"].map((words) => h("th", { scope: "col" }, words));
    const toggle = () => {
      it.view.allMeasured = !it.view.allMeasured;
      drawTwo();
      differs.querySelector("button")?.focus();
    };
    return [
      h("thead", {}, h("tr", {}, heads)),
      h("tbody", {}, shown.map(line)),
      more &&
        h("tfoot", {}, h("tr", {}, h("td", { colspan: 3 }, h("button", { type: "button", onclick: toggle }, more)))),
    ].filter(Boolean);
  }

  /** The little grid beside the stage, to take the two clips from. */
  function drawMap() {
    if (!it.isTwo()) return;
    map.style.setProperty("--columns", it.grid.columns.length);
    const left = it.leftAt();
    const buttons = it.cells.map((cell) => {
      const side = cell.at === it.view.chosen ? "right" : cell.at === left ? "left" : null;
      const words = [cell.told.name, side && `on the ${side}`, !cell.clip && cell.told.word].filter(Boolean).join(", ");
      const button = h("button", {
        type: "button",
        disabled: !cell.clip,
        "aria-label": words,
        title: cell.told.name,
        dataset: { map: cell.at, ...(side ? { side } : {}) },
        style: { gridColumn: cell.told.column + 1 },
      });
      if (cell.clip && cell.poster) {
        const small_ = h("canvas", { width: 64, height: Math.round((64 * cell.poster.height) / cell.poster.width) });
        small_.getContext("2d").drawImage(cell.poster, 0, 0, small_.width, small_.height);
        button.append(small_);
      }
      if (side) button.append(h("span", { class: "vidnb-on" }, side === "left" ? "L" : "R"));
      if (!cell.clip) button.append("–");
      return button;
    });
    map.replaceChildren(...buttons);
  }

  return { drawTwo, measuredRows, drawMap };
}
