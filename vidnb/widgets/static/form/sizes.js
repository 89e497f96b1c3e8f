/* Sizes: {resolution, aspect_ratio} where the model lists them, {width_px, height_px} where it takes any. */

import { isOdd } from "./values.js";

export const CUSTOM = "own";

export const linesOf = (resolution) => Number.parseFloat(resolution) || null;
export const ratioOf = (label) => {
  const [across, down] = label.split(":").map(Number);
  return across / down || 1;
};
/** By which factor two numbers differ: 1 for the same one. */
export const away = (one, other) => Math.max(one / other, other / one);
export const nearest = (choices, distance) =>
  choices.reduce((best, choice) => (distance(choice) < distance(best) ? choice : best));

/** What a size field shows. */
export function readSize(field, json) {
  const given = isOdd(json) ? null : json;
  const now = field.sizes.length ? (given ?? field.default) : { ...field.default, ...given };
  const resolution = now?.resolution ?? null;
  const custom = now?.width_px !== undefined || now?.height_px !== undefined;
  if (custom) return { ratio: CUSTOM, resolution, sides: [now.width_px ?? "", now.height_px ?? ""] };
  const ratio = now?.aspect_ratio ?? null;
  const found = field.sizes.find((size) => size[2] === resolution && size[3] === ratio);
  return { ratio, resolution, sides: found ? [String(found[0]), String(found[1])] : null };
}

/** The JSON after a person picked an aspect ratio, and what to say of a resolution that had to move. */
export function pickRatio(field, json, ratio) {
  const now = readSize(field, json);
  if (!field.sizes.length && ratio !== CUSTOM) return { json: withPart(json, "aspect_ratio", ratio), said: "" };
  if (ratio === null) return { json: null, said: "" };
  if (ratio === "auto")
    return {
      json: { aspect_ratio: ratio, ...(field.auto_resolution && now.resolution ? { resolution: now.resolution } : {}) },
      said: "",
    };
  if (ratio === CUSTOM) {
    const [width, height] = now.sides ?? field.sizes[0]?.slice(0, 2) ?? [1024, 1024];
    return { json: { width_px: String(width), height_px: String(height) }, said: "" };
  }
  const legal = field.sizes.filter((size) => size[3] === ratio);
  const wanted = linesOf(now.resolution ?? field.default?.resolution) ?? linesOf(legal[0][2]);
  const best =
    legal.find((size) => size[2] === now.resolution) ??
    nearest(legal, (size) => away(linesOf(size[2]) ?? size[1], wanted));
  const moved = now.resolution && now.ratio !== CUSTOM && best[2] !== now.resolution;
  return {
    json: { resolution: best[2], aspect_ratio: ratio },
    said: moved ? `${now.resolution} → ${best[2]}: ${ratio} comes in no ${now.resolution}` : "",
  };
}

/** The JSON after a person picked a resolution, and what to say of an aspect ratio that had to move. */
export function pickResolution(field, json, resolution) {
  const now = readSize(field, json);
  if (!field.sizes.length) return { json: withPart(json, "resolution", resolution), said: "" };
  if (now.ratio === "auto" && field.auto_resolution)
    return { json: withPart(json, "resolution", resolution), said: "" };
  const legal = field.sizes.filter((size) => size[2] === resolution);
  const [width, height] = now.sides?.map(Number) ?? [];
  const wanted = width > 0 && height > 0 ? width / height : ratioOf(field.default?.aspect_ratio ?? "16:9");
  const best = legal.find((size) => size[3] === now.ratio) ?? nearest(legal, (size) => away(size[0] / size[1], wanted));
  const moved = now.sides && now.ratio !== CUSTOM && best[3] !== now.ratio;
  return {
    json: { resolution, aspect_ratio: best[3] },
    said: moved ? `${now.ratio} → ${best[3]}: ${resolution} comes in no ${now.ratio}` : "",
  };
}

export function withPart(json, name, value) {
  const { [name]: _, ...rest } = isOdd(json) ? {} : (json ?? {});
  const made = value === null ? rest : { ...rest, [name]: value };
  return Object.keys(made).length ? made : null;
}

/** What is wrong with width and height typed by hand; "" for nothing. */
export function sidesProblem(field, sides) {
  const [low, high] = field.range;
  const good = sides.every(
    (side) => /^\d+$/.test(side) && Number(side) >= low && Number(side) <= high && Number(side) % field.step === 0,
  );
  const listed = field.sizes.some((size) => String(size[0]) === sides[0] && String(size[1]) === sides[1]);
  const kind = field.step === 2 ? "even numbers" : `multiples of ${field.step}`;
  return good || listed ? "" : `Allowed: ${kind}, ${low} to ${high}.`;
}
