/* Rating, tags and note of the person. */

import { BUSY_MS } from "./source.js";

export const TYPED_MS = 800;
export const RATED_MS = 400;

export const KEPT = "Another clip came in; what you wrote is kept with the one before.";

export let count = 0;

/** The tags after typing more: parted by commas, each once. */
export function withTags(tags, typed) {
  const more = typed
    .split(",")
    .map((tag) => tag.trim().replace(/\s+/g, " "))
    .filter(Boolean);
  return [...new Set([...tags, ...more])];
}

/** Rating, tags and note of the person, kept by the kernel. */
export function annotations({ model, signal, hear, announce }) {
  const name = `vidnb-rating-${++count}`;
  const radios = [1, 2, 3, 4, 5].map((stars) =>
    h("input", {
      type: "radio",
      name,
      value: String(stars),
      class: "vidnb-unseen",
      "aria-label": stars === 1 ? "1 star" : `${stars} stars`,
    }),
  );
  const none = h(
    "button",
    { type: "button", class: "vidnb-small", "aria-label": "Clear the rating", title: "Clear the rating" },
    "clear",
  );
  const stars = h(
    "fieldset",
    { class: "vidnb-stars" },
    h("legend", { class: "vidnb-unseen" }, "Rating"),
    radios.map((radio) => h("label", {}, radio, icon("star", 20))),
  );
  const tags = h("ul", { class: "vidnb-tags", "aria-label": "Tags" });
  const more = h("input", {
    type: "text",
    "aria-label": "Add a tag",
    placeholder: "add a tag",
    maxlength: "60",
    autocomplete: "off",
  });
  const note = h("textarea", { rows: "1", "aria-label": "Note", placeholder: "note", maxlength: "10000", dir: "auto" });
  const saved = h("span", { class: "vidnb-fine vidnb-muted" });
  const again = h("button", { type: "button", class: "vidnb-small", hidden: true }, "Try again");
  const el = h(
    "div",
    { class: "vidnb-mine", tabindex: "-1" },
    h("div", { class: "vidnb-row" }, stars, none, h("span", { class: "vidnb-grow" }), saved, again),
    h("div", { class: "vidnb-row vidnb-tagging" }, tags, more),
    note,
  );
  let id = null;
  let now = { rating: null, tags: [], note: "" };
  let pending = {};
  let sending = {};
  let timer = 0;
  let slow = 0;

  function say(words, tone = "") {
    saved.textContent = words;
    saved.dataset.tone = tone;
    again.hidden = tone !== "bad";
  }

  function change(values, delay) {
    if (!id) return;
    Object.assign(now, values);
    Object.assign(pending, values);
    say("");
    clearTimeout(timer);
    timer = setTimeout(flush, delay);
    draw();
  }

  function flush() {
    clearTimeout(timer);
    if (!id || !Object.keys(pending).length) return;
    sending = { ...sending, ...pending };
    send(model, "annotate", { id, ...pending });
    pending = {};
    clearTimeout(slow);
    slow = setTimeout(() => say("saved when the kernel is free"), BUSY_MS);
  }

  function draw() {
    for (const radio of radios) {
      radio.checked = Number(radio.value) === now.rating;
      radio.parentElement.dataset.on = String(Number(radio.value) <= (now.rating ?? 0));
    }
    none.hidden = now.rating === null;
    tags.replaceChildren(
      ...now.tags.map((tag) =>
        h(
          "li",
          { class: "vidnb-chip" },
          h("bdi", {}, tag),
          h("button", { type: "button", "aria-label": `Remove tag ${tag}`, title: "Remove" }, icon("close", 12)),
        ),
      ),
    );
    tags.hidden = !now.tags.length;
    if (document.activeElement !== note && !("note" in pending)) note.value = now.note;
  }

  function removeTag({ target }) {
    const index = [...tags.children].indexOf(target.closest("button")?.parentElement);
    if (index < 0) return;
    change({ tags: now.tags.filter((_, at) => at !== index) }, 0);
    more.focus();
  }

  function addTyped() {
    const tags = withTags(now.tags, more.value);
    more.value = "";
    if (tags.length > now.tags.length) change({ tags }, 0);
  }

  function show(clip) {
    if (clip?.id !== id) {
      const wrote = [more, note].includes(document.activeElement);
      addTyped();
      flush();
      [id, pending, sending] = [clip?.id ?? null, {}, {}];
      clearTimeout(slow);
      say(wrote ? KEPT : "");
      if (wrote) {
        announce(KEPT);
        el.focus({ preventScroll: true });
      } // what is typed on is for no clip
    }
    el.hidden = !clip;
    if (clip) now = { rating: clip.rating, tags: clip.tags, note: clip.note, ...sending, ...pending };
    draw();
  }

  const on = (element, kind, handler) => element.addEventListener(kind, handler, { signal });
  radios.forEach((radio) => on(radio, "change", () => change({ rating: Number(radio.value) }, RATED_MS)));
  on(none, "click", () => {
    change({ rating: null }, 0);
    radios[0].focus();
  });
  on(more, "keydown", (event) => {
    if ((event.key !== "Enter" && event.key !== ",") || event.isComposing) return;
    event.preventDefault();
    addTyped();
  });
  on(more, "blur", addTyped);
  on(tags, "click", removeTag);
  on(note, "input", () => change({ note: note.value }, TYPED_MS));
  on(note, "blur", flush);
  on(again, "click", () => {
    pending = { ...sending, ...pending };
    say("saving");
    flush();
  });
  hear("annotated", ({ id: which, names, problem }) => {
    if (which !== id) {
      if (problem) say(`Not saved for job ${which.slice(0, 8)}: ${problem}`, "bad");
      return;
    }
    clearTimeout(slow);
    if (!problem)
      names.forEach((one) => {
        delete sending[one];
      });
    say(problem ? `Not saved: ${problem}` : "saved", problem ? "bad" : "");
    announce(problem ? `Not saved: ${problem}` : "saved");
  });
  return {
    el,
    show,
    boxes: [more, note],
    end: () => {
      flush();
      clearTimeout(slow);
    },
  };
}
