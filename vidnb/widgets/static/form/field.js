/* A field: its label, its control, and what is to say of it. */

import { numberControl, seedControl, segmentsControl, selectControl, switchControl, textControl } from "./controls.js";
import { mediaControl } from "./media.js";
import { elementsControl, namesControl } from "./names.js";
import { sizeControl } from "./size.js";
import { isOdd, useful } from "./values.js";

export const CONTROLS = {
  text: textControl,
  number: numberControl,
  seed: seedControl,
  switch: switchControl,
  segments: segmentsControl,
  select: selectControl,
  names: namesControl,
  elements: elementsControl,
  size: sizeControl,
  media: mediaControl,
};

/** Which control a field needs; a text area and a line of text are two. */
export const controlOf = (field) =>
  field.control === "text" && field.lines === "one"
    ? "text one"
    : field.control === "media"
      ? `media ${field.what}`
      : field.control;

/* a field: its label, its control, what is to say of it */

let fieldsMade = 0;

/** An id for an element of the form that no other one in this page has. */
export const newId = (desk) => `vidnb-${desk.page}-${(fieldsMade += 1)}`;

export function makeField(field, view) {
  const { desk } = view;
  const id = newId(desk);
  let now = field;
  let said = "";
  let refused = "";
  const part = {
    id,
    view,
    announce: view.announce,
    value: () => desk.value(field.name),
    put(json, soon) {
      said = refused = "";
      desk.put(field.name, json, soon);
    },
    said(text) {
      said = text;
      if (text) view.announce(text);
      show();
    },
    refuse(text) {
      refused = text;
      show();
    },
  };
  const control = CONTROLS[field.control](part, field);
  const label = h(control.group ? "span" : "label", {
    id: `${id}-label`,
    class: "vidnb-label",
    for: control.group ? null : id,
  });
  const star = h("span", { class: "vidnb-star", title: "required", "aria-hidden": "true" }, "*");
  const about = h("p", { class: "vidnb-about vidnb-hint", id: `${id}-about`, hidden: true });
  // No stop of Tab, which goes from field to field: F1 in the field does the same.
  const why = h(
    "button",
    {
      type: "button",
      class: "vidnb-icon vidnb-why",
      tabindex: "-1",
      "aria-expanded": "false",
      "aria-controls": about.id,
    },
    "?",
  );
  why.addEventListener("click", () => {
    about.hidden = !about.hidden;
    why.setAttribute("aria-expanded", String(!about.hidden));
  });
  const reset = h("button", {
    type: "button",
    class: "vidnb-reset",
    hidden: true,
    onclick: () => {
      part.put(null);
      control.focus();
    },
  });
  const change = h("div", { class: "vidnb-change", hidden: true });
  const odd = h("div", { class: "vidnb-hint", hidden: true });
  const problem = h("div", { class: "vidnb-problem", id: `${id}-problem`, hidden: true });
  const head = h(
    "div",
    { class: "vidnb-head" },
    label,
    star,
    why,
    h("span", { class: "vidnb-grow" }),
    control.aside ?? null,
    reset,
  );
  const el = h(
    "div",
    { class: "vidnb-field", dataset: { field: field.name, control: field.control } },
    head,
    control.el,
    about,
    change,
    odd,
    problem,
  );

  el.addEventListener("keydown", (event) => {
    if (event.key !== "F1" || why.hidden) return;
    event.preventDefault();
    why.click();
  });

  function set(next) {
    now = next;
    label.textContent = next.label;
    star.hidden = !next.required;
    about.textContent = next.about;
    why.title = next.about;
    why.setAttribute("aria-label", `About: ${next.label}`);
    why.hidden = !next.about;
    el.dataset.wide = String(
      next.control === "media" || next.control === "size" || (next.control === "text" && next.lines !== "one"),
    );
    reset.textContent =
      next.default === null ? `back to ${next.unset.replace(/^default.*/, "the default")}` : "back to the default";
    reset.setAttribute("aria-label", `${next.label}: ${reset.textContent}`);
    control.inputs.forEach((input) => {
      input.setAttribute("aria-describedby", `${about.id} ${problem.id}`);
      if (next.required && /^(INPUT|TEXTAREA|SELECT)$/.test(input.tagName) && !/^(range|checkbox)$/.test(input.type))
        input.setAttribute("aria-required", "true");
      else input.removeAttribute("aria-required");
    });
    control.set(next);
  }

  function show() {
    const json = desk.value(now.name);
    control.show(json);
    const mark = desk.isEdited(now.name) ? null : view.model.get("_marks")[now.name];
    const changed = said || (mark?.tone === "change" ? mark.text : "");
    const useless = useful(now, view.mode())
      ? ""
      : `This model takes it only ${now.modes.includes("image") ? "with" : "without"} a start image.`;
    const wrong = (mark?.tone === "problem" ? mark.text : "") || refused || control.problem?.() || useless;
    tell(change, changed, "loop");
    tell(problem, wrong);
    const strange = !isOdd(json) && control.strange?.(json);
    tell(
      odd,
      isOdd(json)
        ? `Set by code: ${json.odd}`
        : strange
          ? `Set by code: ${typeof json === "object" ? Object.values(json).join(", ") : json}`
          : "",
    );
    reset.hidden = !(
      (control.canReset || isOdd(json) || strange || useless) &&
      json !== null &&
      !(now.required && now.default === null)
    );
    control.inputs.forEach((input) => {
      if (input.getAttribute("role") === "group" || input.tagName === "BUTTON") return;
      input.setAttribute("aria-invalid", String(Boolean(wrong)));
    });
    el.dataset.wrong = String(Boolean(wrong));
  }

  set(field);
  return {
    el,
    set,
    show,
    control,
    kind: controlOf(field),
    get field() {
      return now;
    },
  };
}

/** Show a line of text, or hide it where there is none. */
export function tell(line, text, mark) {
  if (line.dataset.text === text) return;
  line.dataset.text = text;
  line.hidden = !text;
  line.replaceChildren(...(text && mark ? [icon(mark, 12), " "] : []), text);
}

/** What to say of values that the model has no field for. @param {string[]} labels */
export function keptWords(labels) {
  if (!labels.length) return "";
  // A label begins a line elsewhere; an abbreviation stays as it is.
  const inLine = labels.map((label) =>
    /^[A-Z](?![A-Z])/.test(label) ? label[0].toLowerCase() + label.slice(1) : label,
  );
  return `Kept for models that take ${labels.length === 1 ? "it" : "them"}: ${inLine.join(", ")}`;
}

/** What to say of what this model lacks. @param {string[]} lacks each with the models that take it */
export const lacksWords = (lacks) => (lacks.length ? `Not in this model: ${lacks.join("; ")}.` : "");

/** Put elements into a parent in this order, moving as few as can be, for a moved one loses the focus. */
export function arrange(parent, elements) {
  const wanted = new Set(elements);
  [...parent.children].forEach((child) => {
    if (!wanted.has(child)) child.remove();
  });
  elements.forEach((element, at) => {
    if (parent.children[at] !== element) parent.insertBefore(element, parent.children[at] ?? null);
  });
}
