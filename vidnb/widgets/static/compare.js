/* Clips side by side on the same frame, in rows and columns that say what tells them apart; judged by keys. */
import { aroundOf } from "./compare/around.js";
import { arrivalsOf } from "./compare/arrivals.js";
import { cellsOf } from "./compare/cells.js";
import { doingOf } from "./compare/doing.js";
import { listen } from "./compare/listening.js";
import { paintingOf } from "./compare/painting.js";
import { pairOf } from "./compare/pair.js";
import { compareParts } from "./compare/parts.js";
import { partner } from "./compare/places.js";
import { runsOf } from "./compare/runs.js";
import { seeingOf } from "./compare/seeing.js";
import { supplies } from "./compare/supplies.js";
import { wordsOf } from "./compare/words.js";
import { conductor } from "./sync/conductor.js";

let count = 0;

export function render({ model, el }) {
  const part = begin({ model, el }, "compare");
  const { root, signal, hear, watch, announce } = part;
  const debugging = Boolean(model.get("debug")) || new URLSearchParams(location.search).has("debug");

  const standalone = Boolean(model.get("_standalone"));

  /** @type {CompareView} */
  const it = {
    model,
    root,
    signal,
    hear,
    announce,
    debugging,
    standalone,
    el: compareParts({
      root,
      id: `vidnb-compare-${(count += 1)}`,
      closed: () => send(model, "close"),
      debugging,
      standalone,
    }),
    view: {
      mode: "grid",
      chosen: 0,
      left: -1,
      line: 50,
      balance: 50,
      gain: 4,
      zoom: 1,
      x: 0.5,
      y: 0.5,
      blink: "right",
      heard: -1,
      allMeasured: false,
      keys: false,
      asked: -1,
    },
    cells: [],
    grid: { rows: [], columns: [], cells: [] },
    why: "",
    line: () => it.conduct.state.line,
    isTwo: () => it.view.mode !== "grid",
    clipAt: (at) => (it.cells[at]?.clip ? it.cells[at] : null),
    leftAt: () => {
      const { left, chosen } = it.view;
      if (it.clipAt(left) && left !== chosen) return left;
      const places = it.cells.map(({ told, clip }) => ({ row: told.row, column: told.column, clip: Boolean(clip) }));
      return partner(places, chosen);
    },
    // What has the keyboard, also inside a shadow root, as marimo has.
    focusOf: () => /** @type {Document} */ (root.getRootNode()).activeElement,
  };
  for (const of of [wordsOf, cellsOf, arrivalsOf, seeingOf, paintingOf, runsOf, aroundOf, pairOf, doingOf])
    Object.assign(it, of(it));
  const { poster, strip, film, gone, drawTransport: changed, drawn, small, presented, rested } = it;
  it.conduct = conductor({ changed, drawn, small, presented, rested });
  it.supply = supplies({ model, hear, signal }, () => it.cells, { poster, strip, film, gone });
  listen(it);

  const { full, speed, gain, close } = it.el;
  full.hidden = !document.fullscreenEnabled;
  speed.value = "1";
  gain.value = String(it.view.gain);
  const drawClose = () => {
    close.hidden = !model.get("_closable");
  };
  watch("_closable", drawClose);
  drawClose();
  watch("_grid", it.takeGrid);
  it.takeGrid();
  if (!it.standalone) hear("noted", ({ problem }) => problem && announce(problem));

  return () => {
    it.endBlinking();
    it.endSeeing();
    it.conduct.end();
    for (const cell of it.cells) {
      cell.clip?.reel?.end();
      if (cell.url) URL.revokeObjectURL(cell.url);
      cell.poster?.close();
      cell.strip?.picture.close();
      cell.audio?.pause();
    }
    it.supply.end();
    part.end();
  };
}

export default { render };
