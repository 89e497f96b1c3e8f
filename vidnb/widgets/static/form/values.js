/* What a person types, as the kernel takes it: numbers as text, files that a model takes. */

export const KIND_WORDS = { image: "picture", video: "video", audio: "sound" };

/** "1,500": a count as people read it. */
export const counted = (number) => number.toLocaleString("en-US");
export const sameJson = (one, other) => JSON.stringify(one ?? null) === JSON.stringify(other ?? null);
export const isOdd = (json) => json !== null && typeof json === "object" && "odd" in json;
export const upper = (text) => text.slice(0, 1).toUpperCase() + text.slice(1);
export const newKey = () =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");

/** Characters as Python counts them: an emoji of one code point is one. */
export function lengthOf(text) {
  let count = 0;
  for (const _ of text) count += 1;
  return count;
}

/** What is wrong with a typed number; "" for nothing. Whole numbers are compared exactly, however long they are.
 * @param {{whole: boolean, min: ?string, max: ?string, step: number, bounds: string}} field */
export function numberProblem(field, text) {
  if (text === null || text === undefined || text === "") return "";
  const kind = field.whole && !/^(a |one )/.test(field.bounds) ? "a whole number, " : "";
  const allowed = `Allowed: ${kind}${field.bounds}.`;
  const trimmed = String(text).trim();
  if (field.whole && /^[+-]?\d+$/.test(trimmed)) {
    const value = BigInt(trimmed.replace("+", ""));
    const out = (field.min !== null && value < BigInt(field.min)) || (field.max !== null && value > BigInt(field.max));
    const off = field.step > 1 && (value - BigInt(field.min ?? 0)) % BigInt(field.step) !== 0n;
    return out || off ? allowed : "";
  }
  if (field.whole || !/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(trimmed)) return allowed;
  const value = Number(trimmed);
  return (field.min !== null && value < Number(field.min)) || (field.max !== null && value > Number(field.max))
    ? allowed
    : "";
}

/** The number one step up or down, inside the bounds. */
export function stepped(field, text, direction) {
  const start = text || field.rest || field.min || "0";
  if (field.whole) {
    if (!/^[+-]?\d+$/.test(start)) return text;
    const value = BigInt(start) + BigInt(direction * (field.step ?? 1));
    if (field.min !== null && value < BigInt(field.min)) return field.min;
    return field.max !== null && value > BigInt(field.max) ? field.max : String(value);
  }
  const value = Math.round((Number(start) + direction * field.step) * 1000) / 1000;
  if (Number.isNaN(value)) return text;
  return String(Math.min(Math.max(value, Number(field.min ?? -Infinity)), Number(field.max ?? Infinity)));
}

/** A seed between the bounds in which the kernel draws, too. @param {{drawn: number[]}} field */
export function randomSeed({ drawn: [low, high] }) {
  return String(low + (crypto.getRandomValues(new Uint32Array(1))[0] % (high - low + 1)));
}

/** Why a file cannot be taken, as far as a page can tell; "" for nothing. */
export function fileProblem(field, file) {
  const name = file.name.length > 60 ? `${file.name.slice(0, 40)}…` : file.name;
  if (!file.size) return `${name} is empty.`;
  if (file.type && !field.opens.includes(file.type))
    return `${name} is no ${KIND_WORDS[field.what]} that can be opened (${file.type}).`;
  if (field.refused.includes(file.type))
    return `${name}: this model takes no ${file.type.replace("image/", "")}. Convert it first.`;
  if (field.max_bytes && file.size > field.max_bytes)
    return `${name} has ${sizeOfBytes(file.size)}, at most ${sizeOfBytes(field.max_bytes)} are taken. Make it smaller.`;
  return "";
}

/** The mode that the values ask for, as `Model.mode_of` says it. */
export function modeOf(modes, hasStart) {
  const wanted = hasStart ? "image" : "text";
  return modes.includes(wanted) ? wanted : modes[0];
}

export const useful = (field, mode) => !field.modes.length || field.modes.includes(mode);
