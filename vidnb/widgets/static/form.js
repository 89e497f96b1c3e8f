/* The form of a model. Everything a person moves happens here, so that it works while the kernel is busy. */

import { deskOf } from "./form/desk.js";
import { arrange, controlOf, keptWords, lacksWords, makeField, newId, tell } from "./form/field.js";
import { Looks } from "./form/looks.js";
import { sendFile } from "./form/media.js";
import { fileProblem, modeOf, newKey, sameJson, useful } from "./form/values.js";

const LARGEST_RECIPE = 500 * 2 ** 20; // as the kernel takes of any file

function render({ model, el }) {
  const { root, signal, hear, watch, announce, end } = begin({ model, el }, "form");
  const desk = deskOf(model);
  const looks = new Looks(model);
  const fields = new Map();
  const basics = h("div", { class: "vidnb-fields" });
  const rest = h("div", { class: "vidnb-fields", id: newId(desk), hidden: true });
  const count = h("span", {});
  const more = h(
    "button",
    { type: "button", class: "vidnb-more", "aria-expanded": "false", "aria-controls": rest.id },
    icon("more", 14),
    count,
  );
  const general = h("div", { class: "vidnb-general", role: "alert" });
  const kept = h("div", { class: "vidnb-hint vidnb-kept", hidden: true });
  const lacks = h("div", { class: "vidnb-hint vidnb-lacks", hidden: true });
  const note = h("div", { class: "vidnb-hint", role: "status", hidden: true });
  root.append(basics, lacks, more, rest, kept, note, general);
  const spec = () => model.get("_spec");
  const mode = () => modeOf(spec().modes, (desk.value("start_image") ?? []).length > 0);
  const view = { model, desk, looks, signal, announce, mode };

  const openMore = (isOpen) => {
    rest.hidden = !isOpen;
    more.setAttribute("aria-expanded", String(isOpen));
    if (isOpen) fields.forEach((field) => field.control.grow?.());
  };
  more.addEventListener("click", () => openMore(rest.hidden), { signal });

  /** Make the fields of the model; those that stay keep their elements, and with them caret and focus. */
  function drawFields() {
    const before = new Map(fields);
    fields.clear();
    for (const field of spec().fields) {
      const old = before.get(field.name);
      const kept = old?.kind === controlOf(field) ? old : makeField(field, view);
      if (kept === old) kept.set(field);
      fields.set(field.name, kept);
    }
    const own = [...fields.values()];
    keepingFocus(before, () => {
      arrange(
        basics,
        own.filter(({ field }) => field.basic).map((field) => field.el),
      );
      arrange(
        rest,
        own.filter(({ field }) => !field.basic).map((field) => field.el),
      );
    });
    const isNew = root.dataset.model !== undefined && root.dataset.model !== spec().model;
    root.dataset.model = spec().model;
    const words = keptWords(spec().kept ?? []);
    tell(kept, words);
    tell(lacks, lacksWords(spec().lacks ?? []));
    if (isNew && words) announce(words);
  }

  /** Run this, and put the focus back to where it was: the same element, or the new one of the same param. */
  function keepingFocus(before, work) {
    const focused = /** @type {any} */ (document.activeElement);
    const name = [...before].find(([, field]) => field.el.contains(focused))?.[0];
    const caret = name && "selectionStart" in focused ? [focused.selectionStart, focused.selectionEnd] : null;
    work();
    if (!name || document.activeElement === focused) return;
    if (!focused.isConnected) {
      fields.get(name)?.control.focus();
      return;
    }
    focused.focus({ preventScroll: true });
    if (caret?.[0] !== null && caret !== null) focused.setSelectionRange(...caret);
  }

  /** The keys of all pictures, videos and sounds in the form. */
  function heldKeys() {
    const jsons = [...fields.values()]
      .filter(({ field }) => field.control === "media")
      .map(({ field }) => desk.value(field.name));
    return new Set(
      jsons
        .filter(Array.isArray)
        .flat()
        .map((item) => item.key),
    );
  }

  function drawValues() {
    const now = mode();
    for (const { el: box, field, show } of fields.values()) {
      const json = desk.value(field.name);
      box.hidden = !useful(field, now) && (json === null || sameJson(json, field.default));
      show();
    }
    const folded = [...fields.values()].filter(({ el: box, field }) => !field.basic && !box.hidden);
    const set = folded.filter(({ field }) => desk.value(field.name) !== null).length;
    more.hidden = !folded.length;
    count.textContent = `More (${folded.length})${set ? ` · ${set} set` : ""}`;
    if (folded.some(({ field }) => model.get("_marks")[field.name]?.tone === "problem") && rest.hidden) openMore(true);
    general.replaceChildren(
      ...[...model.get("_general"), refused].filter(Boolean).map((text) => h("div", { class: "vidnb-problem" }, text)),
    );
    if (!desk.reading.size) looks.forget(heldKeys());
    root.dataset.state = "ready";
  }

  let refused = ""; // stays until the next Ctrl-Enter: what comes in late takes the kernel's own words away
  let hasNewSpec = true;
  let isQueued = false;
  /** Draw once for all that changes at the same time. */
  function draw() {
    if (isQueued || signal.aborted) return;
    isQueued = true;
    queueMicrotask(() => {
      isQueued = false;
      if (signal.aborted) return;
      if (hasNewSpec) drawFields();
      hasNewSpec = false;
      drawValues();
    });
  }

  watch("_spec", () => {
    hasNewSpec = true;
    draw();
  });
  watch("_given", () => {
    desk.confirm();
    draw();
  });
  watch("_marks _general _clips seed_locked", draw);
  hear("look", ({ key, text }, [buffer]) => looks.arrived(key, text, buffer));
  hear("poster", ({ clip }, [buffer]) => looks.arrived(`clip ${clip}`, "", buffer));
  hear("refused", ({ text }) => {
    refused = text;
    tell(note, "");
    draw();
  });
  hear("told", ({ text }) => tell(note, text));
  hear("focus", ({ field }) => queueMicrotask(() => focusOn(field)));

  /** Go to a field that is wrong, unless the person is at work elsewhere, in a cell's code for instance. */
  function focusOn(name) {
    const active = document.activeElement;
    const found = fields.get(name);
    if (!found || !root.isConnected || (active && active !== document.body && !active.closest?.(".vidnb-root, .vidnb")))
      return;
    if (!found.field.basic) openMore(true);
    found.control.focus();
  }

  // Who leaves a box may be on the way to a button that acts on what is in it.
  root.addEventListener("focusout", () => desk.flush(), { signal });

  /* Keys, paste and drop, anywhere in the form. */

  root.addEventListener(
    "keydown",
    (event) => {
      if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || event.isComposing) return;
      event.preventDefault();
      if (event.repeat) return; // a key that is held down is one press
      refused = "";
      tell(note, "");
      draw();
      desk.submit();
    },
    { signal },
  );

  const mediaFields = () =>
    [...fields.values()].filter(({ el: box, field }) => field.control === "media" && !box.hidden);
  /** The field that a file is meant for: the one at this place, else the first that takes such files. */
  function fieldFor(target, file) {
    const here = mediaFields().find(({ el: box }) => box.contains(target));
    return here ?? mediaFields().find(({ control }) => control.takes(file));
  }
  /** Whether a file is dropped for the recipe in it: a video, anywhere but in a field for videos. */
  function isForRecipe(target, { type }) {
    const here = mediaFields().find(({ el: box }) => box.contains(target));
    return type?.startsWith("video/") && here?.field.what !== "video";
  }
  async function readRecipe(file) {
    refused = fileProblem({ what: "video", opens: [file.type], refused: [], max_bytes: LARGEST_RECIPE }, file);
    tell(note, refused ? "" : `Reading ${file.name} …`);
    draw();
    if (refused) return;
    const key = newKey();
    try {
      await sendFile(model, file, key, signal);
      send(model, "recipe", { key });
    } catch (/** @type {any} */ error) {
      refused = `It cannot be read: ${error.message}`;
      tell(note, "");
      draw();
    }
  }
  function takeFiles(target, files) {
    if (isForRecipe(target, files[0])) {
      readRecipe(files[0]);
      return;
    }
    const found = fieldFor(target, files[0]);
    if (!found) {
      announce("This model takes no such file.");
      return;
    }
    if (!found.field.basic) openMore(true);
    found.control.take(files);
  }
  root.addEventListener(
    "paste",
    (/** @type {any} */ event) => {
      const files = [...(event.clipboardData?.files ?? [])];
      const isText =
        /^(INPUT|TEXTAREA)$/.test(event.target.tagName) && event.clipboardData.types.includes("text/plain");
      if (!files.length || isText) return;
      event.preventDefault();
      takeFiles(event.target, files);
    },
    { signal },
  );

  /** @type {?HTMLElement} */
  let over = null;
  const mark = (box) => {
    if (over !== box) {
      over?.removeAttribute("data-over");
      box?.setAttribute("data-over", "true");
      over = box;
    }
  };
  const isDropped = (event) => ["Files", "text/uri-list"].some((type) => event.dataTransfer?.types.includes(type));
  const dragged = (/** @type {any} */ event) => {
    if (!isDropped(event)) return;
    event.preventDefault(); // else the browser would open the file in place of the notebook
    event.stopPropagation();
    const { kind, type } = event.dataTransfer.items?.[0] ?? {};
    const file = { type: kind === "file" ? type : "image/png" };
    mark(isForRecipe(event.target, file) ? root : (fieldFor(event.target, file)?.el ?? null));
    event.dataTransfer.dropEffect = over ? "copy" : "none";
  };
  root.addEventListener("dragover", dragged, { signal });
  root.addEventListener(
    "dragleave",
    (/** @type {any} */ event) => {
      if (!root.contains(event.relatedTarget)) mark(null);
    },
    { signal },
  );
  const dropped = (/** @type {any} */ event) => {
    if (!isDropped(event)) return;
    event.preventDefault();
    event.stopPropagation();
    mark(null);
    const files = [...event.dataTransfer.files];
    const address = event.dataTransfer
      .getData("text/uri-list")
      .split("\n")
      .find((line) => /^https?:/.test(line));
    if (files.length) takeFiles(event.target, files);
    else if (address) fieldFor(event.target, { type: "image/png" })?.control.takePlace(address);
  };
  root.addEventListener("drop", dropped, { signal });
  // A file for the form may be dropped anywhere on its Studio.
  const onStudio = (take) => (event) => {
    const studio = root.closest(".vidnb-studio");
    if (studio?.contains(event.target) && !root.contains(event.target)) take(event);
  };
  document.addEventListener("dragover", onStudio(dragged), { signal, capture: true });
  document.addEventListener("drop", onStudio(dropped), { signal, capture: true });
  document.addEventListener(
    "dragleave",
    onStudio((event) => event.relatedTarget?.closest?.(".vidnb-studio") || mark(null)),
    { signal },
  );

  desk.views.add(draw);
  desk.confirm();
  drawFields();
  drawValues();
  hasNewSpec = false;
  return () => {
    desk.flush();
    desk.views.delete(draw);
    desk.leave();
    looks.end();
    end();
  };
}

export default { render };
