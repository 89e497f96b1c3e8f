/* Names out of a long list, and elements with a weight each. */

import { isOdd, sameJson } from "./values.js";

/** Names out of a long list: type to find, pick, see them as chips. */
export function namesControl(part, field) {
  let now = field;
  let active = -1;
  /** @type {string[]} */
  let found = [];
  const chips = h("div", { class: "vidnb-chips", role: "list" });
  const list = h("ul", { role: "listbox", id: `${part.id}-list`, hidden: true, tabindex: "-1" });
  const input = h("input", {
    type: "text",
    role: "combobox",
    id: part.id,
    autocomplete: "off",
    "aria-expanded": "false",
    "aria-controls": list.id,
    "aria-autocomplete": "list",
  });
  /** @returns {string[]} */
  const chosen = () => {
    const json = part.value();
    return isOdd(json) || json === null ? [] : [].concat(json);
  };
  const labelOf = (/** @type {string} */ name) => now.options.find(({ value }) => value === name)?.label ?? name;
  const isFull = () => now.many && now.max !== null && chosen().length >= now.max;
  const write = (names) => part.put(!names.length ? null : now.many ? names : names[0]);

  function open(isOpen) {
    list.hidden = !isOpen;
    input.setAttribute("aria-expanded", String(isOpen));
    active = -1;
    if (isOpen) draw();
    else input.removeAttribute("aria-activedescendant");
  }
  function draw() {
    const typed = input.value.trim().toLowerCase();
    const taken = new Set(chosen());
    found = now.options
      .filter(({ value, label }) => [value, label].some((text) => text.toLowerCase().includes(typed)))
      .map(({ value }) => value)
      .filter((name) => !(now.many && taken.has(name)));
    active = Math.min(active, found.length - 1);
    list.setAttribute("aria-label", now.label);
    list.replaceChildren(
      ...found.map((name, at) =>
        h(
          "li",
          {
            role: "option",
            id: `${part.id}-option-${at}`,
            "aria-selected": String(at === active),
            onmousedown: (event) => event.preventDefault(),
            onclick: () => pick(name),
          },
          taken.has(name) ? icon("check", 14) : null,
          labelOf(name),
        ),
      ),
    );
    if (!found.length)
      list.replaceChildren(
        h(
          "li",
          { class: "vidnb-muted", role: "option", "aria-disabled": "true", "aria-selected": "false" },
          "nothing of that name",
        ),
      );
    if (active >= 0) {
      input.setAttribute("aria-activedescendant", `${part.id}-option-${active}`);
      list.children[active].scrollIntoView({ block: "nearest" });
    } else input.removeAttribute("aria-activedescendant");
  }
  function pick(name) {
    input.value = "";
    write(now.many ? [...chosen().filter((each) => each !== name), name] : [name]);
    open(false);
    part.announce(`${labelOf(name)} added`);
  }
  function remove(name) {
    write(chosen().filter((each) => each !== name));
    input.focus();
    open(false);
    part.announce(`${labelOf(name)} removed`);
  }
  input.addEventListener("focus", () => {
    if (!isFull()) open(true);
  });
  input.addEventListener("click", () => {
    if (list.hidden && !isFull()) open(true);
  });
  input.addEventListener("blur", () => open(false));
  input.addEventListener("input", () => open(true));
  input.addEventListener("keydown", (event) => {
    const move = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (move) {
      event.preventDefault();
      if (list.hidden) open(true);
      active = found.length ? (active + move + found.length + (active < 0 && move < 0 ? 1 : 0)) % found.length : -1;
      draw();
    } else if (event.key === "Enter" && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      const typed = input.value.trim();
      const exact =
        active >= 0
          ? found[active]
          : found.length === 1 && typed
            ? found[0]
            : /^[0-9a-f-]{36}$/i.test(typed)
              ? typed
              : null;
      if (exact) pick(exact);
    } else if (event.key === "Escape" && !list.hidden) {
      event.stopPropagation();
      open(false);
    } else if (event.key === "Backspace" && !input.value && chosen().length) remove(chosen().at(-1));
  });
  return {
    el: h("div", { class: "vidnb-names" }, chips, input, list),
    inputs: [input],
    focus: () => input.focus(),
    set(next) {
      now = next;
    },
    show() {
      const names = chosen();
      chips.replaceChildren(
        ...names.map((name) =>
          h(
            "span",
            { class: "vidnb-chip", role: "listitem" },
            h("span", { dir: "auto" }, labelOf(name)),
            iconButton("close", `Remove ${labelOf(name)}`, () => remove(name)),
          ),
        ),
      );
      chips.hidden = !names.length;
      input.disabled = isFull();
      const what = names.length ? (now.many ? "add another" : "change it") : "none";
      input.placeholder = isFull() ? `at most ${now.max}` : `${what} · type to find one of ${now.options.length}`;
      if (!list.hidden) draw();
    },
  };
}

export function elementsControl(part) {
  let rows = [];
  const full = () => rows.filter((row) => row.id.trim());
  const list = h("div", { class: "vidnb-elements" });
  const add = h(
    "button",
    {
      type: "button",
      class: "vidnb-small",
      onclick: () => {
        rows = [...rows, { id: "", weight: "1" }];
        draw();
        list.lastElementChild.querySelector("input").focus();
      },
    },
    "Add an element",
  );
  const write = (soon) =>
    part.put(full().length ? full().map((row) => ({ id: row.id.trim(), weight: row.weight.trim() })) : null, soon);
  function draw() {
    list.replaceChildren(
      ...rows.map((row, at) => {
        const box = (name, label, width) => {
          const input = h("input", {
            type: "text",
            value: row[name],
            "aria-label": `${label} of element ${at + 1}`,
            placeholder: label,
            autocomplete: "off",
            class: width,
          });
          input.addEventListener("input", () => {
            row[name] = input.value;
            write(true);
          });
          return input;
        };
        return h(
          "div",
          { class: "vidnb-row" },
          box("id", "Id", "vidnb-grow vidnb-mono"),
          box("weight", "Weight", "vidnb-weight vidnb-number"),
          iconButton("close", `Remove element ${at + 1}`, () => {
            rows = rows.filter((each) => each !== row);
            draw();
            write(false);
            add.focus();
          }),
        );
      }),
    );
  }
  return {
    el: h("div", { role: "group", "aria-labelledby": `${part.id}-label` }, list, add),
    inputs: [add],
    focus: () => (list.querySelector("input") ?? add).focus(),
    group: true,
    set() {},
    show(json) {
      const given = isOdd(json) ? [] : (json ?? []);
      if (
        sameJson(
          given,
          full().map((row) => ({ id: row.id.trim(), weight: row.weight.trim() })),
        )
      )
        return;
      rows = given.map((row) => ({ ...row }));
      draw();
    },
    problem: () =>
      full().some((row) => !/^-?\d*\.?\d+$/.test(row.weight.trim()) || Math.abs(Number(row.weight)) > 2)
        ? "The weight of an element lies between -2 and 2."
        : "",
  };
}
