/* What a person moves. Each control is {el, set(field), show(json), focus(), inputs, aside?, problem?}. */

import { segments } from "./segments.js";
import { counted, isOdd, lengthOf, numberProblem, randomSeed, sameJson, stepped, upper } from "./values.js";

export const TALLEST_PX = 320;

/** @typedef {{id: string, put: Function, value: Function, said: Function, view: object}} Part what a control may use */

export function textControl(part, field) {
  const input =
    field.lines === "one" ? h("input", { type: "text" }) : h("textarea", { rows: field.lines === "many" ? 3 : 2 });
  Object.assign(input, { id: part.id, dir: "auto", autocomplete: "off", spellcheck: field.lines !== "one" });
  const count = h("span", { class: "vidnb-count vidnb-number", id: `${part.id}-count` });
  let now = field;
  const length = () =>
    now.limit
      ? `${counted(lengthOf(input.value))} / ${counted(now.limit)}`
      : input.value
        ? counted(lengthOf(input.value))
        : "";
  function grow() {
    if (input.tagName !== "TEXTAREA") return;
    input.style.height = "auto";
    if (input.scrollHeight) input.style.height = `${Math.min(input.scrollHeight + 2, TALLEST_PX)}px`;
  }
  function tell() {
    count.textContent = length();
    count.hidden = now.lines === "one" && !now.limit;
    count.dataset.over = String(Boolean(now.limit) && lengthOf(input.value) > now.limit);
    grow();
  }
  input.addEventListener("input", () => {
    tell();
    part.put(input.value || (now.default === null ? null : ""), true);
  });
  return {
    el: input,
    inputs: [input],
    aside: count,
    focus: () => input.focus(),
    grow,
    set(next) {
      now = next;
      input.placeholder = next.lines === "one" ? next.unset : next.help;
      tell();
    },
    show(json) {
      const text = isOdd(json) ? "" : String(json ?? now.default ?? "");
      if (input.value !== text.replace(/\r\n?/g, "\n")) input.value = text;
      tell();
    },
    problem() {
      const over = now.limit ? lengthOf(input.value) - now.limit : 0;
      return over > 0
        ? `${over === 1 ? "1 character" : `${counted(over)} characters`} too many: at most ${counted(now.limit)}.`
        : "";
    },
  };
}

/** A box for a number; the arrow keys step. */
export function numberBox(part, current) {
  const box = h("input", {
    type: "text",
    id: part.id,
    inputmode: "decimal",
    autocomplete: "off",
    class: "vidnb-number",
  });
  box.addEventListener("input", () => part.put(box.value.trim() || null, true));
  box.addEventListener("keydown", (event) => {
    const direction = { ArrowUp: 1, ArrowDown: -1 }[event.key];
    if (!direction || box.readOnly || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    part.put(stepped(current(), box.value.trim(), direction), true);
  });
  return box;
}

export function numberControl(part, field) {
  let now = field;
  const box = numberBox(part, () => now);
  const range = h("input", { type: "range", class: "vidnb-grow", tabindex: "-1" }); // the box has the keys
  range.addEventListener("input", () => part.put(range.value, true));
  range.addEventListener("change", () => part.view.desk.flush());
  const unit = h("span", { class: "vidnb-muted" });
  const el = h("div", { class: "vidnb-row vidnb-slide" }, range, box, unit);
  return {
    el,
    inputs: [range, box],
    focus: () => box.focus(),
    canReset: true,
    set(next) {
      now = next;
      range.hidden = !next.slider;
      el.dataset.slider = String(next.slider);
      if (next.slider) Object.assign(range, { min: next.min, max: next.max, step: next.step });
      range.setAttribute("aria-label", `${next.label}, slider`);
      unit.textContent = next.unit;
      box.placeholder = next.default ?? next.unset.replace(/^default: /, "");
    },
    show(json) {
      const text = isOdd(json) ? "" : String(json ?? now.default ?? "");
      if (box.value.trim() !== text) box.value = text;
      if (!now.slider) return;
      const known = text !== "" && Number.isFinite(Number(text));
      const rest = now.rest ?? (Number(now.min) + Number(now.max)) / 2;
      range.value = known ? text : rest;
      range.dataset.unset = String(!known);
      range.style.setProperty(
        "--at",
        `${((Number(range.value) - Number(now.min)) / (Number(now.max) - Number(now.min) || 1)) * 100}%`,
      );
      range.setAttribute("aria-valuetext", known ? `${text} ${now.unit}`.trim() : now.unset);
    },
    problem: () => numberProblem(now, box.value.trim()),
  };
}

export function seedControl(part, field) {
  let now = field;
  const { model } = part.view;
  const box = numberBox(part, () => now);
  const isLocked = () => Boolean(model.get("seed_locked"));
  const roll = () => isLocked() || part.put(randomSeed(now));
  const dice = iconButton("dice", "Pick a seed by chance (R)", roll, { tabindex: "-1" });
  /** Lock the seed, one that is open by drawing it first; or let it go. */
  const turnLock = () => {
    if (!isLocked() && part.value() === null) part.put(randomSeed(now));
    assign(model, "seed_locked", !isLocked());
  };
  const lock = iconButton("unlock", "", turnLock, { tabindex: "-1" });
  const letters = { r: roll, l: turnLock };
  box.addEventListener("keydown", (event) => {
    const act = event.ctrlKey || event.metaKey || event.altKey ? null : letters[event.key.toLowerCase()];
    if (!act) return;
    event.preventDefault();
    act();
  });
  const same = h("select", { "aria-label": "Same seed as a clip", tabindex: "-1" });
  same.addEventListener("change", () => {
    if (same.value) part.put(same.value);
    same.value = "";
  });
  const el = h("div", { class: "vidnb-row vidnb-seed" }, box, dice, lock, same);
  let listed = "";
  return {
    el,
    inputs: [box],
    focus: () => box.focus(),
    get canReset() {
      return !isLocked();
    },
    set(next) {
      now = next;
      box.placeholder = next.unset;
    },
    show(json) {
      const text = isOdd(json) ? "" : String(json ?? now.default ?? "");
      if (box.value.trim() !== text) box.value = text;
      const locked = isLocked();
      lock.title = lock.ariaLabel = locked
        ? "Let the seed change again (L)"
        : "Keep this seed whatever else changes (L)";
      box.readOnly = locked;
      dice.disabled = same.disabled = locked;
      lock.replaceChildren(icon(locked ? "lock" : "unlock"));
      lock.setAttribute("aria-pressed", String(locked));
      const clips = model.get("_clips").filter((clip) => clip.seed !== null);
      same.hidden = !clips.length;
      if (listed === JSON.stringify(clips)) return;
      listed = JSON.stringify(clips);
      same.replaceChildren(
        h("option", { value: "" }, "same as clip …"),
        ...clips.map((clip) => h("option", { value: clip.seed }, `${clip.seed} · ${clip.text}`)),
      );
    },
    problem: () => numberProblem(now, box.value.trim()),
  };
}

export function switchControl(part, field) {
  let now = field;
  const input = h("input", { type: "checkbox", role: "switch", id: part.id });
  const words = h("span", { id: `${part.id}-words` });
  input.addEventListener("change", () => part.put(input.checked === now.default ? null : input.checked));
  return {
    el: h("label", { class: "vidnb-switch" }, input, words),
    inputs: [input],
    focus: () => input.focus(),
    group: true,
    set(next) {
      now = next;
      input.setAttribute("aria-labelledby", `${part.id}-label ${part.id}-words`);
    },
    show(json) {
      input.checked = isOdd(json) ? false : (json ?? now.default);
      words.textContent = input.checked ? now.on : now.off;
    },
  };
}

/** What stands for "nothing given" among the choices of a field; none where there is a default or a duty. */
export const unsetOption = (field) =>
  field.default === null && !field.required ? [{ value: null, label: upper(field.unset) }] : [];

export function segmentsControl(part, field) {
  let now = field;
  const group = segments(part, "choice", (value) => part.put(sameJson(value, now.default) ? null : value));
  return {
    el: group.el,
    inputs: [group.el],
    focus: group.focus,
    group: true,
    set(next) {
      now = next;
      group.set([...unsetOption(next), ...next.options]);
      group.el.setAttribute("aria-labelledby", `${part.id}-label`);
    },
    show: (json) => group.show(json ?? now.default),
    strange: (json) => json !== null && !now.options.some((option) => option.value === json),
  };
}

export function selectControl(part, field) {
  let now = field;
  const select = h("select", { id: part.id });
  select.addEventListener("change", () => {
    const value = JSON.parse(select.value);
    part.put(sameJson(value, now.default) ? null : value);
  });
  let made = "";
  const strange = (json) => json !== null && !now.options.some((option) => option.value === json);
  return {
    el: select,
    inputs: [select],
    focus: () => select.focus(),
    strange,
    set(next) {
      now = next;
    },
    show(json) {
      const value = isOdd(json) ? null : (json ?? now.default);
      const odd = strange(value) ? [{ value, label: String(value) }] : [];
      const empty = now.default === null && now.required ? [{ value: null, label: "choose one" }] : unsetOption(now);
      const options = [...empty, ...now.options, ...odd];
      if (made !== JSON.stringify(options))
        select.replaceChildren(
          ...options.map((option) => h("option", { value: JSON.stringify(option.value) }, option.label)),
        );
      made = JSON.stringify(options);
      select.value = JSON.stringify(value);
    },
  };
}
