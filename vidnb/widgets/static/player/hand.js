/* What a person's hand is at: which clip a press is meant for, who is busy, and a line above a control. */

/** So long a clip must have been shown before a press counts for it: who presses sooner aimed at the one before. */
export const RESTED_MS = 500;
/** So long somebody counts as busy at the buttons after the last move of pointer or key there. */
export const LINGER_MS = 10_000;
export const TIP_MS = 6000;

/** A line that floats above the control it is about, so that nothing moves under the pointer; it goes by itself. */
export function tips({ announce }) {
  const line = h("div", { class: "vidnb-tip", "aria-hidden": "true" });
  let timer = 0;
  const clear = () => {
    clearTimeout(timer);
    line.remove();
  };
  /** @param {HTMLElement} control in one of the rows that can hold a line */
  function say(control, words) {
    clear();
    const row = /** @type {HTMLElement} */ (control.closest(".vidnb-acts, .vidnb-mine, .vidnb-transport"));
    line.textContent = words;
    line.style.left = "0";
    row.append(line);
    line.style.left = `${Math.max(0, Math.min(control.offsetLeft, row.clientWidth - line.offsetWidth))}px`;
    announce(words);
    timer = setTimeout(clear, TIP_MS);
  }
  return { say, clear };
}

/** Lets a press pass only where it is meant for the clip that is shown: one that began when another clip stood there,
 * or when this one had just come, was aimed at what stood there before.
 * @param {ModelPart} part
 * @param {Element[]} places what holds the controls
 * @param {(control: HTMLElement) => void} missed told of a press that did not count
 * @returns {{shows: (id: ?string) => void, end: () => void}} `shows` is to be told of each clip that comes */
export function aimed({ root, signal }, places, missed) {
  /** @type {{id: ?string, since: number}} */
  let now = { id: null, since: -Infinity };
  /** @type {any} */
  let begun = null; // the press that is under way
  let timer = 0;
  const look = ({ timeStamp }) => ({ id: now.id, tooSoon: timeStamp - now.since < RESTED_MS });
  const listen = (target, kinds, handler) =>
    kinds.forEach((kind) => target.addEventListener(kind, handler, { capture: true, signal }));

  function check(event) {
    const control = event.target.closest("button, a, label, input[type=radio]");
    if (!control) return;
    const { id, tooSoon } = begun ?? look(event);
    if (id === now.id && !tooSoon) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    missed(control);
  }

  for (const place of places) {
    listen(place, ["pointerdown", "keydown"], (event) => {
      if (!event.repeat) begun = look(event);
    });
    listen(place, ["click"], check);
  }
  // After the click that the release may make.
  listen(window, ["pointerup", "pointercancel", "keyup"], () =>
    setTimeout(() => {
      begun = null;
    }),
  );
  return {
    shows(id) {
      const after = Boolean(now.id); // where no clip stood, nobody aimed at one
      now = { id, since: after ? performance.now() : -Infinity };
      clearTimeout(timer);
      root.dataset.rested = String(!after);
      timer = setTimeout(() => {
        root.dataset.rested = "true";
      }, RESTED_MS + 10);
    },
    end: () => clearTimeout(timer),
  };
}

/** Tells the kernel while somebody is busy with the clip, so that another one does not take its place under their hand.
 * @param {ModelPart} part
 * @param {Element[]} places where moves of pointer and keys count, for a while
 * @param {Element[]} boxes where the focus counts, as long as it stays */
export function engagement({ model, signal, watch }, places, boxes) {
  let writes = false;
  let isNear = false;
  let isDone = false; // what one came for was done: the pointer may rest there
  let timer = 0;
  const isBusy = () => writes || isNear;

  function say() {
    if (Boolean(model.get("engaged")) !== isBusy()) assign(model, "engaged", isBusy());
  }

  function near(yes) {
    clearTimeout(timer);
    isNear = yes;
    if (yes) timer = setTimeout(() => near(false), LINGER_MS);
    say();
  }

  const listen = (target, kinds, handler) =>
    kinds.split(" ").forEach((kind) => target.addEventListener(kind, handler, { signal }));
  for (const place of places) {
    listen(place, "pointermove", () => isDone || near(true));
    listen(place, "pointerdown keydown", () => {
      isDone = false;
      near(true);
    });
    listen(place, "pointerleave", () => {
      isDone = false;
      near(false);
    });
    listen(place, "focusout", ({ relatedTarget }) => {
      if (!place.contains(relatedTarget) && !place.matches(":hover")) near(false);
    });
  }
  for (const box of boxes) {
    listen(box, "focus", () => {
      writes = true;
      say();
    });
    listen(box, "blur", () => {
      writes = false;
      say();
    });
  }
  watch("engaged", () => isBusy() && say()); // another view, where nobody is busy, may have said so
  say(); // where the page was loaded anew in the middle of a word, nobody is busy any more
  return {
    /** What was pressed is on its way: its clip may come, though the pointer still rests on the button. */
    done: () => {
      isDone = true;
      near(false);
    },
    end: () => {
      writes = false;
      near(false);
    },
  };
}

/** Make a row of controls one stop of Tab: the arrow keys walk in it, and it remembers where one was.
 * @param {HTMLElement} bar
 * @param {AbortSignal} signal */
export function roving(bar, signal) {
  const all = () => /** @type {HTMLElement[]} */ ([...bar.querySelectorAll("button, select, a")]);
  const there = () => all().filter((one) => !one.hidden && !(/** @type {any} */ (one).disabled));
  /** @param {?HTMLElement} stop */
  function setStop(stop) {
    for (const one of all()) one.tabIndex = one === stop ? 0 : -1;
  }
  bar.addEventListener("focusin", ({ target }) => setStop(/** @type {HTMLElement} */ (target)), { signal });
  bar.addEventListener(
    "keydown",
    (event) => {
      const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      const at = there().indexOf(/** @type {HTMLElement} */ (event.target));
      if (!by || at < 0) return;
      event.preventDefault();
      event.stopPropagation(); // in the player these keys step through frames
      there()[(at + by + there().length) % there().length].focus();
    },
    { signal },
  );
  /** Let the first one that is there be the stop, where the old one is gone. */
  return () => {
    const shown = there();
    if (!shown.some((one) => one.tabIndex === 0)) setStop(shown[0] ?? null);
  };
}
