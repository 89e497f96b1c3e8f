/* Radio buttons side by side. */

import { ratioOf } from "./sizes.js";

/** Radio buttons side by side. `options` are {value, label, shape?}; picked(value) hears of a choice. */
export function segments(part, name, picked) {
  const el = h("div", { class: "vidnb-segments", role: "radiogroup" });
  let made = "";
  const radios = () => [...el.querySelectorAll("input")];
  return {
    el,
    radios,
    set(options) {
      if (made === JSON.stringify(options)) return;
      const focused = radios().findIndex((radio) => radio === document.activeElement);
      made = JSON.stringify(options);
      el.replaceChildren(
        ...options.map((option) => {
          const radio = h("input", {
            type: "radio",
            name: `${part.id}-${name}`,
            value: JSON.stringify(option.value),
            onchange: () => picked(option.value),
          });
          return h(
            "label",
            { title: option.title },
            radio,
            option.shape ? shapeOf(option.shape) : null,
            h("span", {}, option.label),
          );
        }),
      );
      if (focused >= 0) radios()[Math.min(focused, options.length - 1)]?.focus();
    },
    show(value) {
      radios().forEach((radio) => {
        radio.checked = radio.value === JSON.stringify(value);
      });
    },
    focus: () => (radios().find((radio) => radio.checked) ?? radios()[0])?.focus(),
  };
}

/** A small rectangle of true proportions. */
export function shapeOf(label) {
  const drawing = { auto: "image", own: "full" }[label];
  if (drawing) return h("span", { class: "vidnb-shape" }, icon(drawing, 18));
  const box = 20;
  const ratio = /^\d+:\d+$/.test(label) ? ratioOf(label) : 1.4;
  const wide = ratio >= 1;
  const style = {
    width: `${Math.round(wide ? box : box * ratio)}px`,
    height: `${Math.round(wide ? box / ratio : box)}px`,
  };
  return h(
    "span",
    { class: "vidnb-shape", "aria-hidden": "true", dataset: { shape: /^\d/.test(label) ? "ratio" : "open" } },
    h("i", { style }),
  );
}
