/* The control for a size. */

import { segments } from "./segments.js";
import { CUSTOM, pickRatio, pickResolution, readSize, sidesProblem } from "./sizes.js";
import { isOdd, upper, useful } from "./values.js";

export function sizeControl(part, field) {
  let now = field;
  const pick = (made) => {
    part.put(made.json);
    part.said(made.said);
  };
  const ratios = segments(part, "ratio", (ratio) => pick(pickRatio(now, part.value(), ratio)));
  const resolutions = segments(part, "resolution", (resolution) => pick(pickResolution(now, part.value(), resolution)));
  ratios.el.classList.add("vidnb-ratios");
  const side = (name, label) => {
    const input = h("input", {
      type: "text",
      inputmode: "numeric",
      "aria-label": label,
      autocomplete: "off",
      class: "vidnb-number",
    });
    input.addEventListener("input", () =>
      part.put({ width_px: width.value.trim(), height_px: height.value.trim() }, true),
    );
    return input;
  };
  const width = side("width_px", "Width in pixels");
  const height = side("height_px", "Height in pixels");
  const own = h(
    "div",
    { class: "vidnb-row vidnb-sides" },
    width,
    "×",
    height,
    h("span", { class: "vidnb-muted" }, "pixels"),
  );
  const pixels = h("div", { class: "vidnb-hint vidnb-number", "data-pixels": true });
  const el = h(
    "div",
    { class: "vidnb-size", role: "group", "aria-labelledby": `${part.id}-label` },
    ratios.el,
    resolutions.el,
    own,
    pixels,
  );

  function optionsOf(name) {
    const listed = (now.parts[name]?.choices ?? [])
      .filter((choice) => choice !== "auto")
      .map((value) => ({ value, label: value, ...(name === "aspect_ratio" ? { shape: value } : {}) }));
    const auto = now.parts[name]?.choices.includes("auto")
      ? [{ value: "auto", label: "image", title: "The shape of the start image", shape: "auto" }]
      : [];
    const isUnset = now.sizes.length
      ? name === "aspect_ratio" && now.default === null
      : now.parts[name] && now.parts[name].default === null;
    const unset =
      isUnset && !now.required
        ? [
            {
              value: null,
              label: "default",
              title: upper(now.unset),
              ...(name === "aspect_ratio" ? { shape: "default" } : {}),
            },
          ]
        : [];
    const custom =
      name === "aspect_ratio" && now.any
        ? [{ value: CUSTOM, label: "own", title: "Any width and height", shape: CUSTOM }]
        : [];
    return [...unset, ...listed, ...auto, ...custom];
  }
  /** True for a part that this mode does not take and nobody moved. */
  const isUseless = (name, value) =>
    now.parts[name] && !useful(now.parts[name], part.view.mode()) && value === now.parts[name].default;
  function pixelsOf(shown) {
    const soleOne = now.parts.resolution?.choices.length === 1 ? `${now.parts.resolution.choices[0]} · ` : "";
    if (shown.ratio === "auto") return `the shape of the start image${shown.resolution ? `, ${shown.resolution}` : ""}`;
    if (shown.ratio === CUSTOM) return "";
    if (shown.sides) return `${soleOne}${shown.sides[0]} × ${shown.sides[1]}`;
    return shown.ratio === null && shown.resolution === null ? now.unset : "";
  }
  return {
    el,
    inputs: [el],
    focus: () => (ratios.radios().length ? ratios : resolutions).focus(),
    group: true,
    set(next) {
      now = next;
      ratios.set(optionsOf("aspect_ratio"));
      resolutions.set(optionsOf("resolution"));
      ratios.el.setAttribute("aria-label", "Aspect ratio");
      resolutions.el.setAttribute("aria-label", "Resolution");
    },
    show(json) {
      const shown = readSize(now, json);
      ratios.show(shown.ratio);
      resolutions.show(shown.resolution);
      ratios.el.hidden = !ratios.radios().length || isUseless("aspect_ratio", shown.ratio);
      resolutions.el.hidden =
        resolutions.radios().length < (now.sizes.length ? 2 : 1) ||
        isUseless("resolution", shown.resolution) ||
        shown.ratio === CUSTOM ||
        (shown.ratio === "auto" && !now.auto_resolution);
      own.hidden = shown.ratio !== CUSTOM;
      if (shown.ratio === CUSTOM)
        [width, height].forEach((input, at) => {
          if (input.value.trim() !== shown.sides?.[at]) input.value = shown.sides?.[at] ?? "";
        });
      pixels.textContent = isOdd(json) ? "" : pixelsOf(shown);
      pixels.hidden = !pixels.textContent;
    },
    problem() {
      const shown = readSize(now, part.value());
      return shown.ratio === CUSTOM ? sidesProblem(now, shown.sides) : "";
    },
    strange: (json) =>
      Object.entries(json ?? {}).some(([name, text]) => now.parts[name] && !now.parts[name].choices.includes(text)),
  };
}
