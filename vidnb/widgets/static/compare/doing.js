/* What a press or a key does. */

import { MODES } from "./parts.js";
import { seenPart } from "./places.js";

const BLINK_MS = 1000;
const BLINK_LEAST_MS = 500;
const STEP_PERCENT = 2;

/** @param {CompareView} it the view that the functions belong to */
export function doingOf(it) {
  const { box, stage, two, help, copy, reason, undo, keys, quiet } = it.el;

  /** Choose a cell; in the modes for two it becomes the right one. */
  function choose(at, focus = true) {
    if (!it.cells[at]) return;
    const before = it.view.chosen;
    if (it.isTwo() && !it.cells[at].clip) {
      it.announce(it.cellName(at));
      return;
    }
    it.view.chosen = at;
    undo.hidden = true;
    if (before !== at) {
      it.drawCell(it.cells[before]);
      it.view.asked = -1;
    }
    it.drawCell(it.cells[at]);
    it.drawChosen();
    if (it.isTwo()) {
      it.seeAll();
      it.drawTwo();
      it.drawHead();
    } else if (focus) it.cells[at].el.focus({ preventScroll: false });
    if (before !== at && it.isTwo()) it.announce(it.cellName(at));
  }

  let blinking = 0;

  function setMode(mode) {
    if (mode !== "grid" && it.cells.filter(({ clip }) => clip).length < 2) {
      it.announce("That takes two clips.");
      it.drawMode();
      return;
    }
    if (mode !== "grid" && !it.isTwo()) pair();
    if (mode === "blink" && it.view.mode === "blink") {
      blinkNow();
      return;
    }
    const held = it.root.contains(it.focusOf()) && (box.contains(it.focusOf()) || two.contains(it.focusOf()));
    it.view.mode = mode;
    for (const cell of it.cells) cell.kept = null;
    if (it.why && it.isTwo() && it.conduct.state.playing) {
      it.conduct.pause();
      it.announce("Paused for an exact look.");
    }
    clearInterval(blinking);
    if (mode === "blink" && !stillPlease()) blinking = setInterval(blinkNow, BLINK_MS);
    it.drawAll();
    it.seeAll();
    it.cells.forEach((cell) => {
      if (cell.clip) cell.clip.drawnAt = undefined;
    });
    // What had the keyboard is gone now: without this no key would work any more.
    if (held) (it.isTwo() ? stage : it.cells[it.view.chosen]?.el)?.focus({ preventScroll: true });
    it.announce(MODES.find(([value]) => value === mode)?.[1] ?? mode);
  }

  /** Two clips for the stage: the chosen one on the right; the first of a row makes room for the next. */
  function pair() {
    if (!it.clipAt(it.view.chosen)) it.view.chosen = it.cells.findIndex(({ clip }) => clip);
    const left = it.leftAt();
    if (it.view.left < 0 && left > it.view.chosen) [it.view.left, it.view.chosen] = [it.view.chosen, left];
  }

  let blinked = 0;

  /** Show the other clip; never more than twice a second, for it may be a bright change of the whole picture. */
  function blinkNow() {
    const now = performance.now();
    if (now - blinked < BLINK_LEAST_MS) return;
    blinked = now;
    it.view.blink = it.view.blink === "left" ? "right" : "left";
    it.composite();
    it.drawTwo();
  }

  function setAsLeft(at = it.view.chosen) {
    if (!it.clipAt(at)) return;
    const before = it.view.left;
    it.view.left = it.view.left === at ? -1 : at;
    if (it.cells[before]) it.drawCell(it.cells[before]);
    it.drawCell(it.cells[at]);
    it.drawChosen();
    if (it.isTwo()) {
      it.seeAll();
      it.drawTwo();
      it.drawHead();
    }
    it.announce(it.view.left === at ? `Left: ${it.cells[at].told.name}` : "No left clip set");
  }

  function moveLine(by) {
    if (it.view.mode === "wipe") it.view.line = Math.max(0, Math.min(100, it.view.line + by * STEP_PERCENT));
    else if (it.view.mode === "overlay")
      it.view.balance = Math.max(0, Math.min(100, it.view.balance - by * STEP_PERCENT));
    else return;
    it.composite();
    it.drawTwo();
  }

  function setZoom(value, x = it.view.x, y = it.view.y) {
    const part_ = seenPart({ zoom: value, x, y });
    Object.assign(it.view, { zoom: value, x: part_.x + part_.size / 2, y: part_.y + part_.size / 2 });
    for (const cell of it.cells) if (cell.clip) it.repaint(cell);
    it.composite();
    it.root.dataset.zoomed = String(value > 1);
    it.drawTransport();
  }

  function setMark(which) {
    it.conduct.mark(which);
    const { a, b } = it.conduct.state;
    const at = (beat) => `${(beat / it.line().rate).toFixed(2)} s`;
    const words = [a !== null && `from ${at(a)}`, b !== null && `to ${at(b)}`].filter(Boolean);
    it.announce(words.length ? `Loop ${words.join(" ")}` : "No marks");
  }

  function rate(value) {
    const cell = it.clipAt(it.view.chosen);
    if (!cell || it.standalone) return;
    const rating = value || null;
    cell.told = { ...cell.told, rating };
    it.drawCell(cell);
    it.drawChosen();
    send(it.model, "rate", { at: cell.at, id: cell.told.id, rating });
    it.announce(rating ? `${cell.told.name}: rated ${rating} of 5` : `${cell.told.name}: no rating`);
  }

  let beforeWinner = null;

  function setWinner(at) {
    if (it.standalone || (at !== null && !it.clipAt(at))) return;
    beforeWinner = it.cells.find(({ told }) => told.winner)?.at ?? null;
    for (const cell of it.cells) {
      const winner = cell.at === at;
      if (Boolean(cell.told.winner) !== winner && cell.clip) {
        cell.told = { ...cell.told, winner };
        it.drawCell(cell);
      }
    }
    undo.hidden = false;
    it.drawChosen();
    send(it.model, "winner", { at, id: at === null ? null : it.cells[at].told.id });
    it.announce(at === null ? "No winner" : `Winner: ${it.cells[at].told.name}`);
  }

  function undoWinner() {
    setWinner(beforeWinner);
    undo.hidden = true;
  }

  function hearChosen() {
    const cell = it.clipAt(it.view.chosen);
    if (!cell?.told.has_audio) {
      it.announce("This clip has no sound.");
      return;
    }
    const before = it.view.heard;
    it.view.heard = before === cell.at ? -1 : cell.at;
    if (it.view.heard < 0) it.conduct.hear(null);
    else if (cell.bytes) {
      cell.url ??= URL.createObjectURL(new Blob([cell.bytes], { type: "video/mp4" }));
      cell.audio ??= h("audio", { src: cell.url, preload: "auto" });
      quiet.append(cell.audio);
      it.conduct.hear({ element: cell.audio, film: cell.clip.film });
    }
    for (const one of [before, it.view.heard]) if (it.cells[one]) it.drawCell(it.cells[one]);
    it.drawChosen();
    it.announce(it.view.heard < 0 ? "No sound" : `Only the sound of ${cell.told.name}`);
  }

  async function copyRecipe() {
    const code = it.cells[it.view.chosen]?.told.code;
    if (!code) return;
    try {
      await navigator.clipboard.writeText(code);
      it.announce("Recipe copied");
      copy.replaceChildren(icon("check"));
      setTimeout(() => copy.replaceChildren(icon("copy")), 1600);
    } catch {
      reason.replaceChildren(h("textarea", { readonly: true, rows: 3, "aria-label": "Recipe as Python", value: code }));
      reason.querySelector("textarea").select();
    }
  }

  function toggleFull() {
    if (document.fullscreenElement) document.exitFullscreen();
    else it.root.requestFullscreen?.().catch((error) => it.announce(error.message));
  }

  function toggleKeys(open = keys.hidden) {
    keys.hidden = !open;
    help.setAttribute("aria-expanded", String(open));
  }

  const endBlinking = () => clearInterval(blinking);

  return {
    endBlinking,
    choose,
    setMode,
    pair,
    blinkNow,
    setAsLeft,
    moveLine,
    setZoom,
    setMark,
    rate,
    setWinner,
    undoWinner,
    hearChosen,
    copyRecipe,
    toggleFull,
    toggleKeys,
  };
}
