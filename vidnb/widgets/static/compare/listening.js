/* What is listened to: keys, clicks, controls and dragging. */

import { keyAction } from "./keys.js";
import { MODES, SPEEDS, ZOOMS } from "./parts.js";
import { neighbour } from "./places.js";

/** Listen to the view, until its signal is aborted. @param {CompareView} it */
export function listen(it) {
  const {
    align,
    gain,
    table,
    lineGrip,
    stage,
    pickLeft,
    pickRight,
    map,
    scrub,
    back,
    forward,
    play,
    markA,
    markB,
    unmark,
    speed,
    zoom,
    loop,
    full,
    help,
    starInputs,
    win,
    setLeft,
    sound,
    copy,
    undo,
    modes,
  } = it.el;
  const on = (element, name, handler, options) =>
    element.addEventListener(name, handler, { signal: it.signal, ...options });

  const stepIn = (list, value, by) => list[Math.max(0, Math.min(list.length - 1, list.indexOf(value) + by))];
  const second = () => Math.max(1, Math.round(it.line().rate));
  const does = {
    play: () => it.conduct.toggle(),
    back: () => it.conduct.step(-1),
    forward: () => it.conduct.step(1),
    "second-back": () => it.conduct.go(it.conduct.state.beat - second()),
    "second-forward": () => it.conduct.go(it.conduct.state.beat + second()),
    first: () => it.conduct.go(0),
    last: () => {
      it.conduct.pause();
      it.conduct.go(Infinity);
    },
    a: () => it.setMark("a"),
    b: () => it.setMark("b"),
    slower: () => it.conduct.setSpeed(stepIn(SPEEDS, it.conduct.state.speed, -1)),
    faster: () => it.conduct.setSpeed(stepIn(SPEEDS, it.conduct.state.speed, 1)),
    sound: it.hearChosen,
    left: () => it.setAsLeft(),
    closer: () => it.setZoom(stepIn(ZOOMS, it.view.zoom, 1)),
    further: () => it.setZoom(stepIn(ZOOMS, it.view.zoom, -1)),
    full: it.toggleFull,
    win: () => it.setWinner(it.cells[it.view.chosen]?.told.winner ? null : it.view.chosen),
    run: () => it.runOne(it.view.chosen),
    copy: it.copyRecipe,
    keys: () => it.toggleKeys(),
    escape: () => it.toggleKeys(false),
    move: (way) =>
      it.choose(
        neighbour(
          it.cells.map(({ told }) => told),
          it.view.chosen,
          way,
        ),
      ),
    line: it.moveLine,
    rate: it.rate,
  };
  for (const [mode] of MODES) does[mode] = () => it.setMode(mode);

  function keyed(event) {
    const action = keyAction(event);
    const { target } = event;
    if (!action || target.matches("textarea, input[type=text]")) return;
    const press = event.key === " " || event.key === "Enter";
    if (target.matches("select") && (action.does === "move" || press || /^[a-z0-9]$/i.test(event.key))) return;
    if (target.matches("button") && press) return;
    if (
      target.matches("input") &&
      (action.does === "move" || event.key === "Home" || event.key === "End" || (press && target.type !== "range"))
    )
      return;
    if (target === lineGrip && action.does === "move" && action.value[0]) {
      event.preventDefault();
      it.moveLine(action.value[0]);
      return;
    }
    event.preventDefault();
    does[action.does](action.value);
  }

  // -- listening
  on(it.root, "keydown", keyed);
  on(table, "keydown", (event) => {
    if (event.key === "Enter" && event.target.closest(".vidnb-cell") === event.target) {
      event.preventDefault();
      it.clipAt(it.view.chosen) ? it.conduct.toggle() : it.runOne(it.view.chosen);
    }
  });
  on(it.root, "click", (event) => {
    const run = event.target.closest("[data-run]");
    if (run) {
      if (event.detail < 2) it.runOne(Number(run.dataset.run));
      return;
    }
    const mapped = event.target.closest("[data-map]");
    if (mapped) {
      event.shiftKey
        ? ((it.view.left = -1), it.setAsLeft(Number(mapped.dataset.map)))
        : it.choose(Number(mapped.dataset.map));
      map.querySelector(`[data-map="${mapped.dataset.map}"]`)?.focus();
      return;
    }
    const cell = event.target.closest(".vidnb-cell");
    if (cell && !moved) it.choose(Number(cell.dataset.at));
  });
  on(table, "focusin", ({ target }) => {
    const at = Number(target.closest?.(".vidnb-cell")?.dataset.at ?? -1);
    if (at >= 0 && at !== it.view.chosen && target.matches(".vidnb-cell")) it.choose(at, false);
  });
  on(table, "dblclick", ({ target }) => {
    const cell = target.closest(".vidnb-cell");
    if (cell && it.clipAt(Number(cell.dataset.at)) && !target.closest("button")) it.conduct.toggle();
  });
  for (const [element, action] of [
    [play, "play"],
    [back, "back"],
    [forward, "forward"],
    [markA, "a"],
    [markB, "b"],
    [full, "full"],
    [help, "keys"],
    [sound, "sound"],
    [setLeft, "left"],
    [win, "win"],
    [copy, "copy"],
  ])
    on(element, "click", () => does[action]());
  on(unmark, "click", () => {
    it.setMark(null);
    markA.focus();
  });
  on(undo, "click", () => {
    it.undoWinner();
    win.focus();
  });
  on(loop, "click", () => it.conduct.setLoop(!it.conduct.state.loop));
  on(scrub, "input", () => it.conduct.go(Number(scrub.value)));
  on(speed, "change", () => it.conduct.setSpeed(Number(speed.value)));
  on(zoom, "change", () => it.setZoom(Number(zoom.value)));
  on(align, "change", () => it.conduct.set({ how: align.value }));
  on(gain, "change", () => {
    it.view.gain = Number(gain.value);
    it.composite();
    it.drawTwo();
  });
  on(modes, "change", ({ target }) => it.setMode(target.value));
  on(pickLeft, "change", () => {
    it.view.left = -1;
    it.setAsLeft(Number(pickLeft.value));
  });
  on(pickRight, "change", () => it.choose(Number(pickRight.value)));
  starInputs.forEach((input) => on(input, "change", () => it.rate(Number(input.value))));

  // Dragging: the line of the wipe, and the part that is seen.
  let moved = false;
  function dragged(element, begin_, move) {
    on(element, "pointerdown", (event) => {
      if (event.button !== 0 || event.target.closest("button")) return;
      const from = begin_(event);
      if (!from) return;
      moved = false;
      element.setPointerCapture(event.pointerId);
      const step = (next) => {
        if (Math.hypot(next.clientX - event.clientX, next.clientY - event.clientY) > 3) moved = true;
        move(next, event, from);
      };
      element.addEventListener("pointermove", step, { signal: it.signal });
      const stop = () => {
        element.removeEventListener("pointermove", step);
        setTimeout(() => {
          moved = false;
        });
      };
      element.addEventListener("pointerup", stop, { once: true });
      element.addEventListener("pointercancel", stop, { once: true });
      move(event, event, from);
    });
  }
  dragged(
    stage,
    (event) =>
      it.view.mode === "wipe" && (it.view.zoom === 1 || event.target.closest(".vidnb-line"))
        ? { line: true }
        : it.view.zoom > 1
          ? { x: it.view.x, y: it.view.y }
          : null,
    (event, start, from) => {
      const { left, width, height } = stage.getBoundingClientRect();
      if (from.line) {
        it.view.line = Math.round(Math.max(0, Math.min(100, ((event.clientX - left) / width) * 100)));
        it.composite();
        it.drawTwo();
      } else
        it.setZoom(
          it.view.zoom,
          from.x - (event.clientX - start.clientX) / width / it.view.zoom,
          from.y - (event.clientY - start.clientY) / height / it.view.zoom,
        );
    },
  );
  dragged(
    table,
    (event) =>
      it.view.zoom > 1 && event.target.closest(".vidnb-pic")
        ? { x: it.view.x, y: it.view.y, box: event.target.closest(".vidnb-pic").getBoundingClientRect() }
        : null,
    (event, start, from) => {
      it.setZoom(
        it.view.zoom,
        from.x - (event.clientX - start.clientX) / from.box.width / it.view.zoom,
        from.y - (event.clientY - start.clientY) / from.box.height / it.view.zoom,
      );
    },
  );
}
