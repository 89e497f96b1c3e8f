/* The form of a model. Everything a person moves happens here, so that it works while the kernel is busy. */

const SEND_AFTER_MS = 200;
const PIECE_BYTES = 4 << 20; // a Jupyter server takes messages of up to 10 MB
const HIGHEST_SEED = 2147483647;
const TALLEST_PX = 320;
const CUSTOM = "own";
const KIND_WORDS = { image: "picture", video: "video", audio: "sound" };

/* -- values ----------------------------------------------------------------------------------------------------------- */

/** "1,500": a count as people read it. */
const counted = (number) => number.toLocaleString("en-US");
const sameJson = (one, other) => JSON.stringify(one ?? null) === JSON.stringify(other ?? null);
const isOdd = (wire) => wire !== null && typeof wire === "object" && "odd" in wire;
const upper = (text) => text.slice(0, 1).toUpperCase() + text.slice(1);
const newKey = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");

/** Characters as Python counts them: an emoji of one code point is one. */
export function lengthOf(text) {
  let count = 0;
  for (const _ of text) count += 1;
  return count;
}

/** What is wrong with a typed number; "" for nothing. Whole numbers are compared exactly, however long they are.
 * @param {{whole: boolean, min: ?string, max: ?string, bounds: string}} field */
export function numberProblem(field, text) {
  if (text === null || text === undefined || text === "") return "";
  const allowed = `Allowed: ${/^(a |one )/.test(field.bounds) ? field.bounds : `${field.whole ? "a whole number, " : ""}${field.bounds}`}.`;
  const trimmed = String(text).trim();
  if (field.whole && /^[+-]?\d+$/.test(trimmed)) {
    const value = BigInt(trimmed.replace("+", ""));
    const out = (field.min !== null && value < BigInt(field.min)) || (field.max !== null && value > BigInt(field.max));
    return out ? allowed : "";
  }
  if (field.whole || !/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(trimmed)) return allowed;
  const value = Number(trimmed);
  return (field.min !== null && value < Number(field.min)) || (field.max !== null && value > Number(field.max)) ? allowed : "";
}

/** The number one step up or down, inside the bounds. */
export function stepped(field, text, direction) {
  const start = text || field.rest || field.min || "0";
  if (field.whole) {
    if (!/^[+-]?\d+$/.test(start)) return text;
    const value = BigInt(start) + BigInt(direction);
    if (field.min !== null && value < BigInt(field.min)) return field.min;
    return field.max !== null && value > BigInt(field.max) ? field.max : String(value);
  }
  const value = Math.round((Number(start) + direction * field.step) * 1000) / 1000;
  if (Number.isNaN(value)) return text;
  return String(Math.min(Math.max(value, Number(field.min ?? -Infinity)), Number(field.max ?? Infinity)));
}

/** A seed that the model takes; never a negative one, which would mean "random" to some. */
export function randomSeed(field) {
  const low = Math.max(Number(field.min ?? 0), 0);
  const high = Math.min(Number(field.max ?? HIGHEST_SEED), HIGHEST_SEED);
  return String(low + (crypto.getRandomValues(new Uint32Array(1))[0] % (high - low + 1)));
}

/* A size is {resolution, aspect_ratio} where the model lists it, {width_px, height_px} where it takes any, null for unset. */

const linesOf = (resolution) => Number.parseFloat(resolution) || null;
const ratioOf = (label) => { const [across, down] = label.split(":").map(Number); return across / down || 1; };
const away = (one, other) => Math.abs(Math.log(one / other));
const nearest = (choices, distance) => choices.reduce((best, choice) => (distance(choice) < distance(best) ? choice : best));

/** What a size field shows. */
export function readSize(field, wire) {
  const given = isOdd(wire) ? null : wire;
  const now = field.sizes.length ? given ?? field.default : { ...field.default, ...given };
  const resolution = now?.resolution ?? null;
  const custom = now?.width_px !== undefined || now?.height_px !== undefined;
  if (custom) return { ratio: CUSTOM, resolution, sides: [now.width_px ?? "", now.height_px ?? ""] };
  const ratio = now?.aspect_ratio ?? null;
  const found = field.sizes.find((size) => size[2] === resolution && size[3] === ratio);
  return { ratio, resolution, sides: found ? [String(found[0]), String(found[1])] : null };
}

/** The wire value after a person picked an aspect ratio, and what to say of a resolution that had to move. */
export function pickRatio(field, wire, ratio) {
  const now = readSize(field, wire);
  if (!field.sizes.length && ratio !== CUSTOM) return { wire: withPart(wire, "aspect_ratio", ratio), said: "" };
  if (ratio === null) return { wire: null, said: "" };
  if (ratio === "auto") return { wire: { aspect_ratio: ratio, ...(field.auto_resolution && now.resolution ? { resolution: now.resolution } : {}) }, said: "" };
  if (ratio === CUSTOM) {
    const [width, height] = now.sides ?? field.sizes[0]?.slice(0, 2) ?? [1024, 1024];
    return { wire: { width_px: String(width), height_px: String(height) }, said: "" };
  }
  const legal = field.sizes.filter((size) => size[3] === ratio);
  const wanted = linesOf(now.resolution ?? field.default?.resolution) ?? linesOf(legal[0][2]);
  const best = legal.find((size) => size[2] === now.resolution) ?? nearest(legal, (size) => away(linesOf(size[2]) ?? size[1], wanted));
  const moved = now.resolution && now.ratio !== CUSTOM && best[2] !== now.resolution;
  return { wire: { resolution: best[2], aspect_ratio: ratio }, said: moved ? `${now.resolution} → ${best[2]}: ${ratio} comes in no ${now.resolution}` : "" };
}

/** The wire value after a person picked a resolution, and what to say of an aspect ratio that had to move. */
export function pickResolution(field, wire, resolution) {
  const now = readSize(field, wire);
  if (!field.sizes.length) return { wire: withPart(wire, "resolution", resolution), said: "" };
  if (now.ratio === "auto" && field.auto_resolution) return { wire: withPart(wire, "resolution", resolution), said: "" };
  const legal = field.sizes.filter((size) => size[2] === resolution);
  const [width, height] = now.sides?.map(Number) ?? [];
  const wanted = width > 0 && height > 0 ? width / height : ratioOf(field.default?.aspect_ratio ?? "16:9");
  const best = legal.find((size) => size[3] === now.ratio) ?? nearest(legal, (size) => away(size[0] / size[1], wanted));
  const moved = now.sides && now.ratio !== CUSTOM && best[3] !== now.ratio;
  return { wire: { resolution, aspect_ratio: best[3] }, said: moved ? `${now.ratio} → ${best[3]}: ${resolution} comes in no ${now.ratio}` : "" };
}

function withPart(wire, name, value) {
  const { [name]: _, ...rest } = isOdd(wire) ? {} : wire ?? {};
  const made = value === null ? rest : { ...rest, [name]: value };
  return Object.keys(made).length ? made : null;
}

/** What is wrong with width and height typed by hand; "" for nothing. */
export function sidesProblem(field, sides) {
  const [low, high] = field.range;
  const good = sides.every((side) => /^\d+$/.test(side) && Number(side) >= low && Number(side) <= high && Number(side) % 2 === 0);
  const listed = field.sizes.some((size) => String(size[0]) === sides[0] && String(size[1]) === sides[1]);
  return good || listed ? "" : `Allowed: even numbers, ${low} to ${high}.`;
}

/** Why a file cannot be taken, as far as a page can tell; "" for nothing. */
export function fileProblem(field, file) {
  const name = file.name.length > 60 ? `${file.name.slice(0, 40)}…` : file.name;
  if (!file.size) return `${name} is empty.`;
  if (file.type && !field.opens.includes(file.type)) return `${name} is no ${KIND_WORDS[field.what]} that can be opened (${file.type}).`;
  if (field.refused.includes(file.type)) return `${name}: this model takes no ${file.type.replace("image/", "")}. Convert it first.`;
  if (field.max_bytes && file.size > field.max_bytes) return `${name} has ${sizeOfBytes(file.size)}, this model takes at most ${sizeOfBytes(field.max_bytes)}. Make it smaller.`;
  return "";
}

/** The mode that the values ask for, as `Model.mode_of` says it. */
export function modeOf(modes, hasStart) {
  const wanted = hasStart ? "image" : "text";
  return modes.includes(wanted) ? wanted : modes[0];
}

/* -- edits on their way ---------------------------------------------------------------------------------------------- */

/** @typedef {{number: number, wire: any, edit: ?number}} Edit an edit, the number of the value it began from, and as what it was sent */

function deskOf(model) {
  const id = model.get("_id");
  if (!FORMS.desks.has(id)) FORMS.desks.set(id, new Desk());
  const desk = FORMS.desks.get(id);
  desk.model = model;
  return desk;
}

/** What a form has in this page that its kernel has not confirmed yet; all its views share it. */
class Desk {
  page = newKey().slice(0, 12);
  edit = 0;
  /** @type {Map<string, Edit>} */
  edits = new Map();
  views = new Set();
  reading = new Set();
  timer = 0;

  /** The value of a field: the newest edit made in this page, unless code set another one since. */
  value(field) {
    const [number, wire] = this.model.get("_given")[field] ?? [0, null];
    const mine = this.edits.get(field);
    return mine && mine.number === number ? mine.wire : wire;
  }

  isEdited(field) {
    return this.edits.get(field)?.number === this.model.get("_given")[field]?.[0];
  }

  /** Take an edit over and send it, at once or when the typing rests. */
  put(field, wire, soon = false) {
    const [number] = this.model.get("_given")[field] ?? [];
    if (number === undefined || (sameJson(this.value(field), wire) && this.isEdited(field))) return;
    this.edits.set(field, { number, wire, edit: null });
    clearTimeout(this.timer);
    if (soon) this.timer = setTimeout(() => this.flush(), SEND_AFTER_MS);
    else this.flush();
    this.views.forEach((draw) => draw());
  }

  /** Send what was not sent yet. */
  flush() {
    clearTimeout(this.timer);
    const fresh = [...this.edits].filter(([, edit]) => edit.edit === null);
    if (fresh.length) send(this.model, "edit", this.#number(fresh));
  }

  /** What a click is about, for a message that must not depend on the ones before it: all that the kernel has not
   * confirmed, sent or not, and what a person sees of the form and of the model in this page. */
  async take() {
    const read = await Promise.allSettled([...this.reading]);
    clearTimeout(this.timer);
    this.confirm();
    const models = [...FORMS.pickers].map((shown) => shown()).filter(([id]) => id === this.model.get("_id")).map(([, picked]) => picked);
    const seen = { ...this.#number([...this.edits]), models };
    if (read.some(({ status }) => status === "rejected")) seen.unread = true;
    if (!this.views.size) return seen;
    const { model, fields } = this.model.get("_spec");
    models.push(model);
    seen.shown = Object.fromEntries(fields.map(({ name }) => [name, [this.model.get("_given")[name]?.[0] ?? 0, this.value(name)]]));
    return seen;
  }

  #number(some) {
    this.edit += 1;
    const edits = {};
    for (const [field, edit] of some) { edits[field] = [edit.number, edit.wire]; edit.edit = this.edit; }
    return { edits, edit: `${this.page}:${this.edit}` };
  }

  /** Ctrl-Enter; a file that is still being read goes along. */
  async submit() {
    send(this.model, "submit", await this.take());
  }

  /** Go with the last view, unless something here is still on its way. */
  leave() {
    if (!this.views.size && !this.edits.size && !this.reading.size) FORMS.desks.delete(this.model.get("_id"));
  }

  /** Forget the edits that the kernel confirmed, or that came too late, be it for a field that is gone with its model. */
  confirm() {
    const given = this.model.get("_given");
    for (const [field, mine] of this.edits) {
      const [number, , edit] = given[field] ?? [];
      const [page, seen] = String(edit).split(":");
      if (number !== mine.number || (page === this.page && mine.edit !== null && Number(seen) >= mine.edit)) this.edits.delete(field);
    }
  }
}

/* -- controls: each is {el, set(field), show(wire), focus(), inputs, labels?, aside?, problem?} ----------------------- */

/** @typedef {{id: string, put: Function, value: Function, said: Function, view: object}} Part what a control may use */

function textControl(part, field) {
  const input = field.lines === "one" ? h("input", { type: "text" }) : h("textarea", { rows: field.lines === "many" ? 3 : 2 });
  Object.assign(input, { id: part.id, dir: "auto", autocomplete: "off", spellcheck: field.lines !== "one" });
  const count = h("span", { class: "vidnb-count vidnb-number", id: `${part.id}-count` });
  let now = field;
  const length = () => (now.limit ? `${counted(lengthOf(input.value))} / ${counted(now.limit)}` : input.value ? counted(lengthOf(input.value)) : "");
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
  input.addEventListener("input", () => { tell(); part.put(input.value || (now.default === null ? null : ""), true); });
  return {
    el: input, inputs: [input], aside: count, focus: () => input.focus(), grow,
    set(next) { now = next; input.placeholder = next.lines === "one" ? next.unset : next.help; tell(); },
    show(wire) {
      const text = isOdd(wire) ? "" : String(wire ?? now.default ?? "");
      if (input.value !== text.replace(/\r\n?/g, "\n")) input.value = text;
      tell();
    },
    problem() {
      const over = now.limit ? lengthOf(input.value) - now.limit : 0;
      return over > 0 ? `${over === 1 ? "1 character" : `${counted(over)} characters`} too many: at most ${counted(now.limit)}.` : "";
    },
  };
}

/** A box for a number; the arrow keys step. */
function numberBox(part, current) {
  const box = h("input", { type: "text", id: part.id, inputmode: "decimal", autocomplete: "off", class: "vidnb-number" });
  box.addEventListener("input", () => part.put(box.value.trim() || null, true));
  box.addEventListener("keydown", (event) => {
    const direction = { ArrowUp: 1, ArrowDown: -1 }[event.key];
    if (!direction || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    part.put(stepped(current(), box.value.trim(), direction), true);
  });
  return box;
}

function numberControl(part, field) {
  let now = field;
  const box = numberBox(part, () => now);
  const range = h("input", { type: "range", class: "vidnb-grow" });
  range.addEventListener("input", () => part.put(range.value, true));
  range.addEventListener("change", () => part.view.desk.flush());
  const unit = h("span", { class: "vidnb-muted" });
  const el = h("div", { class: "vidnb-row vidnb-slide" }, range, box, unit);
  return {
    el, inputs: [range, box], focus: () => box.focus(), canReset: true,
    set(next) {
      now = next;
      range.hidden = !next.slider;
      el.dataset.slider = String(next.slider);
      if (next.slider) Object.assign(range, { min: next.min, max: next.max, step: next.step });
      range.setAttribute("aria-label", `${next.label}, slider`);
      unit.textContent = next.unit;
      box.placeholder = next.default ?? next.unset.replace(/^default: /, "");
    },
    show(wire) {
      const text = isOdd(wire) ? "" : String(wire ?? now.default ?? "");
      if (box.value.trim() !== text) box.value = text;
      if (!now.slider) return;
      const known = text !== "" && Number.isFinite(Number(text));
      const rest = now.rest ?? (Number(now.min) + Number(now.max)) / 2;
      range.value = known ? text : rest;
      range.dataset.unset = String(!known);
      range.style.setProperty("--at", `${((Number(range.value) - Number(now.min)) / (Number(now.max) - Number(now.min) || 1)) * 100}%`);
      range.setAttribute("aria-valuetext", known ? `${text} ${now.unit}`.trim() : now.unset);
    },
    problem: () => numberProblem(now, box.value.trim()),
  };
}

function seedControl(part, field) {
  let now = field;
  const { model } = part.view;
  const box = numberBox(part, () => now);
  const dice = iconButton("dice", "Pick a seed by chance", () => part.put(randomSeed(now)));
  const lock = iconButton("unlock", "Keep this seed when a clip's recipe is taken up", () => { model.set("seed_locked", !model.get("seed_locked")); model.save_changes(); });
  const same = h("select", { "aria-label": "Same seed as a clip" });
  same.addEventListener("change", () => { if (same.value) part.put(same.value); same.value = ""; });
  const el = h("div", { class: "vidnb-row vidnb-seed" }, box, dice, lock, same);
  let listed = "";
  return {
    el, inputs: [box], focus: () => box.focus(), canReset: true,
    set(next) { now = next; box.placeholder = next.unset; },
    show(wire) {
      const text = isOdd(wire) ? "" : String(wire ?? now.default ?? "");
      if (box.value.trim() !== text) box.value = text;
      const locked = model.get("seed_locked");
      lock.replaceChildren(icon(locked ? "lock" : "unlock"));
      lock.setAttribute("aria-pressed", String(locked));
      const clips = model.get("_clips").filter((clip) => clip.seed !== null);
      same.hidden = !clips.length;
      if (listed === JSON.stringify(clips)) return;
      listed = JSON.stringify(clips);
      same.replaceChildren(h("option", { value: "" }, "same as clip …"), ...clips.map((clip) => h("option", { value: clip.seed }, `${clip.seed} · ${clip.text}`)));
    },
    problem: () => numberProblem(now, box.value.trim()),
  };
}

function switchControl(part, field) {
  let now = field;
  const input = h("input", { type: "checkbox", role: "switch", id: part.id });
  const words = h("span", { id: `${part.id}-words` });
  input.addEventListener("change", () => part.put(input.checked === now.default ? null : input.checked));
  return {
    el: h("label", { class: "vidnb-switch" }, input, words), inputs: [input], focus: () => input.focus(), group: true,
    set(next) { now = next; input.setAttribute("aria-labelledby", `${part.id}-label ${part.id}-words`); },
    show(wire) {
      input.checked = isOdd(wire) ? false : wire ?? now.default;
      words.textContent = input.checked ? now.on : now.off;
    },
  };
}

/** Radio buttons side by side. `options` are {value, label, shape?}; picked(value) hears of a choice. */
function segments(part, name, picked) {
  const el = h("div", { class: "vidnb-segments", role: "radiogroup" });
  let made = "";
  const radios = () => [...el.querySelectorAll("input")];
  return {
    el, radios,
    set(options) {
      if (made === JSON.stringify(options)) return;
      const focused = radios().findIndex((radio) => radio === document.activeElement);
      made = JSON.stringify(options);
      el.replaceChildren(...options.map((option) => {
        const radio = h("input", { type: "radio", name: `${part.id}-${name}`, value: JSON.stringify(option.value), onchange: () => picked(option.value) });
        return h("label", { title: option.title }, radio, option.shape ? shapeOf(option.shape) : null, h("span", {}, option.label));
      }));
      if (focused >= 0) radios()[Math.min(focused, options.length - 1)]?.focus();
    },
    show(value) { radios().forEach((radio) => { radio.checked = radio.value === JSON.stringify(value); }); },
    focus: () => (radios().find((radio) => radio.checked) ?? radios()[0])?.focus(),
  };
}

/** What stands for "nothing given" among the choices of a field; none where there is a default or a duty. */
const unsetOption = (field) => (field.default === null && !field.required ? [{ value: null, label: upper(field.unset) }] : []);

function segmentsControl(part, field) {
  let now = field;
  const group = segments(part, "choice", (value) => part.put(sameJson(value, now.default) ? null : value));
  return {
    el: group.el, inputs: [group.el], focus: group.focus, group: true,
    set(next) { now = next; group.set([...unsetOption(next), ...next.options]); group.el.setAttribute("aria-labelledby", `${part.id}-label`); },
    show: (wire) => group.show(wire ?? now.default),
    strange: (wire) => wire !== null && !now.options.some((option) => option.value === wire),
  };
}

function selectControl(part, field) {
  let now = field;
  const select = h("select", { id: part.id });
  select.addEventListener("change", () => { const value = JSON.parse(select.value); part.put(sameJson(value, now.default) ? null : value); });
  let made = "";
  const strange = (wire) => wire !== null && !now.options.some((option) => option.value === wire);
  return {
    el: select, inputs: [select], focus: () => select.focus(), strange,
    set(next) { now = next; },
    show(wire) {
      const value = isOdd(wire) ? null : wire ?? now.default;
      const odd = strange(value) ? [{ value, label: String(value) }] : [];
      const empty = now.default === null && now.required ? [{ value: null, label: "choose one" }] : unsetOption(now);
      const options = [...empty, ...now.options, ...odd];
      if (made !== JSON.stringify(options)) select.replaceChildren(...options.map((option) => h("option", { value: JSON.stringify(option.value) }, option.label)));
      made = JSON.stringify(options);
      select.value = JSON.stringify(value);
    },
  };
}

/** Names out of a long list: type to find, pick, see them as chips. */
function namesControl(part, field) {
  let now = field;
  let active = -1;
  let found = [];
  const chips = h("div", { class: "vidnb-chips", role: "list" });
  const list = h("ul", { role: "listbox", id: `${part.id}-list`, hidden: true });
  const input = h("input", { type: "text", role: "combobox", id: part.id, autocomplete: "off", "aria-expanded": "false", "aria-controls": list.id, "aria-autocomplete": "list" });
  const chosen = () => { const wire = part.value(); return isOdd(wire) || wire === null ? [] : [].concat(wire); };
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
    found = now.options.map((option) => option.value).filter((name) => name.toLowerCase().includes(typed) && !(now.many && taken.has(name)));
    active = Math.min(active, found.length - 1);
    list.setAttribute("aria-label", now.label);
    list.replaceChildren(...found.map((name, at) => h("li", {
      role: "option", id: `${part.id}-option-${at}`, "aria-selected": String(at === active), onmousedown: (event) => event.preventDefault(), onclick: () => pick(name),
    }, taken.has(name) ? icon("check", 14) : null, name)));
    if (!found.length) list.replaceChildren(h("li", { class: "vidnb-muted", role: "option", "aria-disabled": "true", "aria-selected": "false" }, "nothing of that name"));
    if (active >= 0) {
      input.setAttribute("aria-activedescendant", `${part.id}-option-${active}`);
      list.children[active].scrollIntoView({ block: "nearest" });
    } else input.removeAttribute("aria-activedescendant");
  }
  function pick(name) {
    input.value = "";
    write(now.many ? [...chosen().filter((each) => each !== name), name] : [name]);
    open(false);
    part.announce(`${name} added`);
  }
  function remove(name) {
    write(chosen().filter((each) => each !== name));
    input.focus();
    open(false);
    part.announce(`${name} removed`);
  }
  input.addEventListener("focus", () => { if (!isFull()) open(true); });
  input.addEventListener("click", () => { if (list.hidden && !isFull()) open(true); });
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
      const exact = active >= 0 ? found[active] : found.length === 1 && typed ? found[0] : /^[0-9a-f-]{36}$/i.test(typed) ? typed : null;
      if (exact) pick(exact);
    } else if (event.key === "Escape" && !list.hidden) { event.stopPropagation(); open(false); }
    else if (event.key === "Backspace" && !input.value && chosen().length) remove(chosen().at(-1));
  });
  return {
    el: h("div", { class: "vidnb-names" }, chips, input, list), inputs: [input], focus: () => input.focus(),
    set(next) { now = next; },
    show() {
      const names = chosen();
      chips.replaceChildren(...names.map((name) => h("span", { class: "vidnb-chip", role: "listitem" }, h("span", { dir: "auto" }, name), iconButton("close", `Remove ${name}`, () => remove(name)))));
      chips.hidden = !names.length;
      input.disabled = isFull();
      const what = names.length ? (now.many ? "add another" : "change it") : "none";
      input.placeholder = isFull() ? `at most ${now.max}` : `${what} · type to find one of ${now.options.length}`;
      if (!list.hidden) draw();
    },
  };
}

function elementsControl(part) {
  let rows = [];
  const full = () => rows.filter((row) => row.id.trim());
  const list = h("div", { class: "vidnb-elements" });
  const add = h("button", { type: "button", class: "vidnb-small", onclick: () => { rows = [...rows, { id: "", weight: "1" }]; draw(); list.lastElementChild.querySelector("input").focus(); } }, "Add an element");
  const write = (soon) => part.put(full().length ? full().map((row) => ({ id: row.id.trim(), weight: row.weight.trim() })) : null, soon);
  function draw() {
    list.replaceChildren(...rows.map((row, at) => {
      const box = (name, label, width) => {
        const input = h("input", { type: "text", value: row[name], "aria-label": `${label} of element ${at + 1}`, placeholder: label, autocomplete: "off", class: width });
        input.addEventListener("input", () => { row[name] = input.value; write(true); });
        return input;
      };
      return h("div", { class: "vidnb-row" }, box("id", "Id", "vidnb-grow vidnb-mono"), box("weight", "Weight", "vidnb-weight vidnb-number"),
        iconButton("close", `Remove element ${at + 1}`, () => { rows = rows.filter((each) => each !== row); draw(); write(false); add.focus(); }));
    }));
  }
  return {
    el: h("div", { role: "group", "aria-labelledby": `${part.id}-label` }, list, add), inputs: [add], focus: () => (list.querySelector("input") ?? add).focus(), group: true,
    set() {},
    show(wire) {
      const given = isOdd(wire) ? [] : wire ?? [];
      if (sameJson(given, full().map((row) => ({ id: row.id.trim(), weight: row.weight.trim() })))) return;
      rows = given.map((row) => ({ ...row }));
      draw();
    },
    problem: () => (full().some((row) => !/^-?\d*\.?\d+$/.test(row.weight.trim()) || Math.abs(Number(row.weight)) > 2) ? "The weight of an element lies between -2 and 2." : ""),
  };
}

/** A small rectangle of true proportions. */
function shapeOf(label) {
  const drawing = { auto: "image", own: "full" }[label];
  if (drawing) return h("span", { class: "vidnb-shape" }, icon(drawing, 18));
  const box = 20;
  const ratio = /^\d+:\d+$/.test(label) ? ratioOf(label) : 1.4;
  const wide = ratio >= 1;
  const style = { width: `${Math.round(wide ? box : box * ratio)}px`, height: `${Math.round(wide ? box / ratio : box)}px` };
  return h("span", { class: "vidnb-shape", "aria-hidden": "true", dataset: { shape: /^\d/.test(label) ? "ratio" : "open" } }, h("i", { style }));
}

function sizeControl(part, field) {
  let now = field;
  const pick = (made) => { part.put(made.wire); part.said(made.said); };
  const ratios = segments(part, "ratio", (ratio) => pick(pickRatio(now, part.value(), ratio)));
  const resolutions = segments(part, "resolution", (resolution) => pick(pickResolution(now, part.value(), resolution)));
  ratios.el.classList.add("vidnb-ratios");
  const side = (name, label) => {
    const input = h("input", { type: "text", inputmode: "numeric", "aria-label": label, autocomplete: "off", class: "vidnb-number" });
    input.addEventListener("input", () => part.put({ width_px: width.value.trim(), height_px: height.value.trim() }, true));
    return input;
  };
  const width = side("width_px", "Width in pixels");
  const height = side("height_px", "Height in pixels");
  const own = h("div", { class: "vidnb-row vidnb-sides" }, width, "×", height, h("span", { class: "vidnb-muted" }, "pixels"));
  const pixels = h("div", { class: "vidnb-hint vidnb-number", "data-pixels": true });
  const el = h("div", { class: "vidnb-size", role: "group", "aria-labelledby": `${part.id}-label` }, ratios.el, resolutions.el, own, pixels);

  function optionsOf(name) {
    const listed = (now.parts[name]?.choices ?? []).filter((choice) => choice !== "auto").map((value) => ({ value, label: value, ...(name === "aspect_ratio" ? { shape: value } : {}) }));
    const auto = now.parts[name]?.choices.includes("auto") ? [{ value: "auto", label: "image", title: "The shape of the start image", shape: "auto" }] : [];
    const isUnset = now.sizes.length ? name === "aspect_ratio" && now.default === null : now.parts[name] && now.parts[name].default === null;
    const unset = isUnset && !now.required ? [{ value: null, label: "default", title: upper(now.unset), ...(name === "aspect_ratio" ? { shape: "default" } : {}) }] : [];
    const custom = name === "aspect_ratio" && now.any ? [{ value: CUSTOM, label: "own", title: "Any width and height", shape: CUSTOM }] : [];
    return [...unset, ...listed, ...auto, ...custom];
  }
  /** True for a part that this mode does not take and nobody moved. */
  const isUseless = (name, value) => now.parts[name] && !useful(now.parts[name], part.view.mode()) && value === now.parts[name].default;
  function pixelsOf(shown) {
    const soleOne = now.parts.resolution?.choices.length === 1 ? `${now.parts.resolution.choices[0]} · ` : "";
    if (shown.ratio === "auto") return `the shape of the start image${shown.resolution ? `, ${shown.resolution}` : ""}`;
    if (shown.ratio === CUSTOM) return "";
    if (shown.sides) return `${soleOne}${shown.sides[0]} × ${shown.sides[1]}`;
    return shown.ratio === null && shown.resolution === null ? now.unset : "";
  }
  return {
    el, inputs: [el], focus: () => (ratios.radios().length ? ratios : resolutions).focus(), group: true,
    set(next) {
      now = next;
      ratios.set(optionsOf("aspect_ratio"));
      resolutions.set(optionsOf("resolution"));
      ratios.el.setAttribute("aria-label", "Aspect ratio");
      resolutions.el.setAttribute("aria-label", "Resolution");
    },
    show(wire) {
      const shown = readSize(now, wire);
      ratios.show(shown.ratio);
      resolutions.show(shown.resolution);
      ratios.el.hidden = !ratios.radios().length || isUseless("aspect_ratio", shown.ratio);
      resolutions.el.hidden = resolutions.radios().length < (now.sizes.length ? 2 : 1) || isUseless("resolution", shown.resolution) || shown.ratio === CUSTOM || (shown.ratio === "auto" && !now.auto_resolution);
      own.hidden = shown.ratio !== CUSTOM;
      if (shown.ratio === CUSTOM) [width, height].forEach((input, at) => { if (input.value.trim() !== shown.sides[at]) input.value = shown.sides[at]; });
      pixels.textContent = isOdd(wire) ? "" : pixelsOf(shown);
      pixels.hidden = !pixels.textContent;
    },
    problem() {
      const shown = readSize(now, part.value());
      return shown.ratio === CUSTOM ? sidesProblem(now, shown.sides) : "";
    },
    strange: (wire) => Object.entries(wire ?? {}).some(([name, text]) => now.parts[name] && !now.parts[name].choices.includes(text)),
  };
}

/* -- pictures, videos, sounds ----------------------------------------------------------------------------------------- */

function mediaControl(part, field) {
  let now = field;
  const { model, desk, looks } = part.view;
  const word = KIND_WORDS[field.what];
  const held = () => { const wire = part.value(); return Array.isArray(wire) ? wire : []; };
  const isFull = () => now.max !== null && held().length >= now.max;
  const tiles = h("div", { class: "vidnb-tiles", role: "list" });
  const file = h("input", { type: "file", hidden: true, tabindex: "-1", "aria-hidden": "true", onchange: () => { take([...file.files]); file.value = ""; } });
  const choose = h("button", { type: "button", class: "vidnb-small", id: part.id, onclick: () => file.click() }, icon("image", 14), `Choose a ${word}`);
  const place = h("input", { type: "text", "aria-label": "Path or URL", placeholder: "path or URL, then Enter", autocomplete: "off", spellcheck: "false", class: "vidnb-grow" });
  const frames = h("button", { type: "button", class: "vidnb-small", "aria-expanded": "false", "aria-controls": `${part.id}-frames` }, "Frame of a clip");
  const menu = h("div", { class: "vidnb-frames", id: `${part.id}-frames`, role: "group", "aria-label": "Frame of a clip", hidden: true });
  const busy = h("span", { class: "vidnb-muted", role: "status" });
  const zone = h("div", { class: "vidnb-zone" }, h("div", { class: "vidnb-row" }, choose, h("span", { class: "vidnb-muted vidnb-fine" }, "or drop or paste it here"), busy), h("div", { class: "vidnb-row" }, place, frames));
  const el = h("div", { class: "vidnb-media", role: "group", "aria-labelledby": `${part.id}-label` }, tiles, zone, menu, file);

  const write = (items) => part.put(items.length ? items : null);
  /** Add one item; in a field for one picture it takes the place of the old one.
   * @returns {boolean} false where there is no place for it */
  function add(item) {
    const hasPlace = now.max === 1 || !isFull();
    if (hasPlace) write(now.max === 1 ? [item] : [...held(), item]);
    else part.refuse(`At most ${now.max}: remove one first.`);
    return hasPlace;
  }
  async function read(one) {
    const key = newKey();
    looks.keep(key, { url: URL.createObjectURL(one), type: one.type, text: sizeOfBytes(one.size), isLocal: true });
    const count = Math.ceil(one.size / PIECE_BYTES);
    for (let index = 0; index < count; index += 1) {
      const piece = await one.slice(index * PIECE_BYTES, (index + 1) * PIECE_BYTES).arrayBuffer();
      if (part.view.signal.aborted) throw new Error("the form was taken away meanwhile");
      send(model, "file", { key, name: one.name, index, count }, [piece]);
    }
    if (!add({ key, name: one.name })) throw Object.assign(new Error("no place"), { isTold: true });
  }
  /** Take files over, one after the other. */
  function take(files) {
    const problems = files.map((one) => fileProblem(now, one));
    const good = files.filter((_, at) => !problems[at]).slice(0, now.max === 1 ? 1 : undefined);
    part.refuse(problems.filter(Boolean).join(" "));
    if (!good.length) return;
    busy.textContent = "reading …";
    const reading = good.reduce((before, one) => before.then(() => read(one)), Promise.resolve());
    desk.reading.add(reading);
    reading.catch((error) => error.isTold || part.refuse(`It cannot be read: ${error.message}`)).finally(() => { desk.reading.delete(reading); busy.textContent = ""; });
  }
  function takePlace(text) {
    const clean = text.trim().replace(/^["']|["']$/g, "");
    if (clean) add({ key: newKey(), name: clean, place: clean });
    place.value = "";
  }
  place.addEventListener("keydown", (event) => { if (event.key === "Enter") { if (!event.ctrlKey && !event.metaKey) event.preventDefault(); takePlace(place.value); } });
  place.addEventListener("change", () => takePlace(place.value));

  const openMenu = (isOpen) => { menu.hidden = !isOpen; frames.setAttribute("aria-expanded", String(isOpen)); if (isOpen) drawMenu(); };
  frames.addEventListener("click", () => openMenu(menu.hidden));
  menu.addEventListener("keydown", (event) => { if (event.key === "Escape") { event.stopPropagation(); openMenu(false); frames.focus(); } });
  function drawMenu() {
    menu.replaceChildren(...model.get("_clips").map((clip) => {
      const use = (at) => () => { openMenu(false); add({ key: newKey(), name: `${at} frame of: ${clip.text}`, frame: { clip: clip.id, at } }); };
      const button = (at, text) => h("button", { type: "button", class: "vidnb-small", "aria-label": `${text} frame of ${clip.text}`, onclick: use(at) }, text);
      const picture = h("img", { alt: "", class: "vidnb-poster" });
      looks.poster(clip.id, picture);
      return h("div", { class: "vidnb-frame" }, picture, h("span", { class: "vidnb-clip-text", dir: "auto" }, clip.text), button("first", "First"), button("last", "Last"));
    }));
  }
  function tile(item) {
    const picture = h("span", { class: "vidnb-look" });
    const facts = h("span", { class: "vidnb-muted vidnb-fine vidnb-number" });
    looks.show(now, item, picture, facts);
    const name = h("span", { class: "vidnb-name", dir: "auto", title: item.name }, item.name);
    const gone = () => { write(held().filter((each) => each.key !== item.key)); choose.focus(); part.announce("Removed"); };
    return h("div", { class: "vidnb-tile", role: "listitem" }, picture, h("span", { class: "vidnb-what" }, name, facts), iconButton("close", `Remove ${item.name}`, gone));
  }
  let drawn = "";
  return {
    el, inputs: [choose], focus: () => choose.focus(), group: true, take, zone,
    takes: ({ type }) => !type || type.startsWith(`${now.what}/`),
    takePlace,
    set(next) { now = next; file.accept = next.opens.join(","); file.multiple = next.max !== 1; },
    show() {
      const items = held();
      // The same picture may be drawn anew for the sake of its facts only.
      if (drawn !== JSON.stringify(items)) tiles.replaceChildren(...items.map(tile));
      drawn = JSON.stringify(items);
      tiles.hidden = !items.length;
      zone.dataset.filled = String(items.length > 0);
      const full = isFull();
      zone.hidden = full && now.max !== 1;
      frames.hidden = now.what !== "image" || !model.get("_clips").length;
      choose.lastChild.textContent = items.length && now.max === 1 ? "Replace it" : `Choose a ${word}`;
      if (frames.hidden && !menu.hidden) openMenu(false);
    },
  };
}

/** The small pictures of inputs and clips that a view shows; what this page has not seen itself, the kernel is asked for. */
class Looks {
  constructor(model) {
    this.model = model;
    this.known = new Map();
    this.asked = new Set();
    this.waiting = new Map();
  }
  /** Remember the look of a key; an older one is let go. */
  keep(key, look) {
    const old = this.known.get(key);
    if (old?.url && old.url !== look.url) URL.revokeObjectURL(old.url);
    this.known.set(key, look);
    (this.waiting.get(key) ?? []).forEach((draw) => draw(look));
    this.waiting.delete(key);
  }
  want(key, draw, ask) {
    const look = this.known.get(key);
    if (look) { draw(look); return; }
    this.waiting.set(key, [...(this.waiting.get(key) ?? []), draw]);
    if (this.asked.has(key)) return;
    this.asked.add(key);
    ask();
  }
  show(field, item, picture, facts) {
    const draw = (look) => {
      const video = look.url && look.type?.startsWith("video/");
      const image = look.url && !look.type?.startsWith("audio/");
      const shown = video ? h("video", { src: look.url, preload: "metadata", "aria-hidden": "true" }) : image ? h("img", { src: look.url, alt: "" }) : icon(field.what === "audio" ? "sound" : "image", 20);
      if (video) shown.muted = true;
      const plain = () => picture.replaceChildren(icon("image", 20));
      shown.addEventListener("error", plain, { once: true });
      shown.addEventListener("load", () => { if (look.isLocal) facts.textContent = `${shown.naturalWidth} × ${shown.naturalHeight}, ${look.text}`; }, { once: true });
      picture.replaceChildren(shown);
      facts.textContent = look.text;
    };
    picture.replaceChildren(icon(field.what === "audio" ? "sound" : "image", 20));
    this.want(item.key, draw, () => send(this.model, "look", { field: field.name, key: item.key }));
  }
  poster(clip, picture) {
    this.want(`clip ${clip}`, (look) => { if (look.url) picture.src = look.url; }, () => send(this.model, "poster", { clip }));
  }
  /** What the kernel sent. */
  arrived(key, text, buffer) {
    const size = buffer?.byteLength ?? 0;
    const url = size ? URL.createObjectURL(new Blob([buffer], { type: "image/webp" })) : this.known.get(key)?.url ?? "";
    const type = size ? "image/webp" : this.known.get(key)?.type ?? "";
    this.keep(key, { url, type, text });
  }
  /** Let go of what is shown no more. */
  forget(keys) {
    for (const [key, { url }] of this.known) {
      if (key.startsWith("clip ") || keys.has(key)) continue;
      if (url) URL.revokeObjectURL(url);
      this.known.delete(key);
      this.asked.delete(key);
    }
  }
  end() {
    for (const { url } of this.known.values()) if (url) URL.revokeObjectURL(url);
    this.known.clear();
  }
}

const CONTROLS = {
  text: textControl, number: numberControl, seed: seedControl, switch: switchControl, segments: segmentsControl, select: selectControl,
  names: namesControl, elements: elementsControl, size: sizeControl, media: mediaControl,
};

/** Which control a field needs; a text area and a line of text are two. */
const controlOf = (field) => (field.control === "text" && field.lines === "one" ? "text one" : field.control === "media" ? `media ${field.what}` : field.control);

/* -- a field: its label, its control, what is to say of it ------------------------------------------------------------ */

let fieldsMade = 0;

function makeField(field, view) {
  const { desk } = view;
  const id = `vidnb-${desk.page}-${(fieldsMade += 1)}`;
  let now = field;
  let said = "";
  let refused = "";
  const part = {
    id, view,
    announce: view.announce,
    value: () => desk.value(field.name),
    put(wire, soon) { said = refused = ""; desk.put(field.name, wire, soon); },
    said(text) { said = text; if (text) view.announce(text); show(); },
    refuse(text) { refused = text; show(); },
  };
  const control = CONTROLS[field.control](part, field);
  const label = h(control.group ? "span" : "label", { id: `${id}-label`, class: "vidnb-label", for: control.group ? null : id });
  const star = h("span", { class: "vidnb-star", title: "required", "aria-hidden": "true" }, "*");
  const about = h("p", { class: "vidnb-about vidnb-hint", id: `${id}-about`, hidden: true });
  const why = h("button", { type: "button", class: "vidnb-icon vidnb-why", "aria-expanded": "false", "aria-controls": about.id }, "?");
  why.addEventListener("click", () => { about.hidden = !about.hidden; why.setAttribute("aria-expanded", String(!about.hidden)); });
  const reset = h("button", { type: "button", class: "vidnb-reset", hidden: true, onclick: () => { part.put(null); control.focus(); } });
  const change = h("div", { class: "vidnb-change", hidden: true });
  const odd = h("div", { class: "vidnb-hint", hidden: true });
  const problem = h("div", { class: "vidnb-problem", id: `${id}-problem`, hidden: true });
  const head = h("div", { class: "vidnb-head" }, label, star, why, h("span", { class: "vidnb-grow" }), control.aside ?? null, reset);
  const el = h("div", { class: "vidnb-field", dataset: { field: field.name, control: field.control } }, head, control.el, about, change, odd, problem);

  function set(next) {
    now = next;
    label.textContent = next.label;
    star.hidden = !next.required;
    about.textContent = next.about;
    why.title = next.about;
    why.setAttribute("aria-label", `About: ${next.label}`);
    why.hidden = !next.about;
    el.dataset.wide = String(next.control === "media" || next.control === "size" || (next.control === "text" && next.lines !== "one"));
    reset.textContent = next.default === null ? `back to ${next.unset.replace(/^default.*/, "the default")}` : "back to the default";
    reset.setAttribute("aria-label", `${next.label}: ${reset.textContent}`);
    control.inputs.forEach((input) => {
      input.setAttribute("aria-describedby", `${about.id} ${problem.id}`);
      if (next.required && /^(INPUT|TEXTAREA|SELECT)$/.test(input.tagName) && !/^(range|checkbox)$/.test(input.type)) input.setAttribute("aria-required", "true");
      else input.removeAttribute("aria-required");
    });
    control.set(next);
  }

  function show() {
    const wire = desk.value(now.name);
    control.show(wire);
    const mark = desk.isEdited(now.name) ? null : view.model.get("_marks")[now.name];
    const changed = said || (mark?.tone === "change" ? mark.text : "");
    const useless = useful(now, view.mode()) ? "" : `This model takes it only ${now.modes.includes("image") ? "with" : "without"} a start image.`;
    const wrong = (mark?.tone === "problem" ? mark.text : "") || refused || control.problem?.() || useless;
    tell(change, changed, "loop");
    tell(problem, wrong);
    const strange = !isOdd(wire) && control.strange?.(wire);
    tell(odd, isOdd(wire) ? `Set by code: ${wire.odd}` : strange ? `Set by code: ${typeof wire === "object" ? Object.values(wire).join(", ") : wire}` : "");
    reset.hidden = !((control.canReset || isOdd(wire) || strange || useless) && wire !== null && !(now.required && now.default === null));
    control.inputs.forEach((input) => {
      if (input.getAttribute("role") === "group" || input.tagName === "BUTTON") return;
      input.setAttribute("aria-invalid", String(Boolean(wrong)));
    });
    el.dataset.wrong = String(Boolean(wrong));
  }

  set(field);
  return { el, set, show, control, kind: controlOf(field), get field() { return now; } };
}

/** Show a line of text, or hide it where there is none. */
function tell(line, text, mark) {
  if (line.dataset.text === text) return;
  line.dataset.text = text;
  line.hidden = !text;
  line.replaceChildren(...(text && mark ? [icon(mark, 12), " "] : []), text);
}

/** What to say of values that the model has no field for. @param {string[]} labels */
export function keptWords(labels) {
  if (!labels.length) return "";
  // A label begins a line elsewhere; an abbreviation stays as it is.
  const inLine = labels.map((label) => (/^[A-Z](?![A-Z])/.test(label) ? label[0].toLowerCase() + label.slice(1) : label));
  return `Kept for models that take ${labels.length === 1 ? "it" : "them"}: ${inLine.join(", ")}`;
}

/** True where the mode has a use for a field. */
const useful = (field, mode) => !field.modes.length || field.modes.includes(mode);

/** Put elements into a parent in this order, moving as few as can be, for a moved one loses the focus. */
function arrange(parent, elements) {
  const wanted = new Set(elements);
  [...parent.children].forEach((child) => { if (!wanted.has(child)) child.remove(); });
  elements.forEach((element, at) => { if (parent.children[at] !== element) parent.insertBefore(element, parent.children[at] ?? null); });
}

/* -- the form ---------------------------------------------------------------------------------------------------------- */

function render({ model, el }) {
  const { root, signal, hear, watch, announce, end } = begin({ model, el }, "form");
  const desk = deskOf(model);
  const looks = new Looks(model);
  const fields = new Map();
  const basics = h("div", { class: "vidnb-fields" });
  const rest = h("div", { class: "vidnb-fields", id: `vidnb-${desk.page}-${(fieldsMade += 1)}`, hidden: true });
  const count = h("span", {});
  const more = h("button", { type: "button", class: "vidnb-more", "aria-expanded": "false", "aria-controls": rest.id }, icon("more", 14), count);
  const general = h("div", { class: "vidnb-general", role: "alert" });
  const kept = h("div", { class: "vidnb-hint vidnb-kept", hidden: true });
  root.append(basics, more, rest, kept, general);
  const spec = () => model.get("_spec");
  const mode = () => modeOf(spec().modes, (desk.value("start_image") ?? []).length > 0);
  const view = { model, desk, looks, signal, announce, mode };

  const openMore = (isOpen) => { rest.hidden = !isOpen; more.setAttribute("aria-expanded", String(isOpen)); if (isOpen) fields.forEach((field) => field.control.grow?.()); };
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
      arrange(basics, own.filter(({ field }) => field.basic).map((field) => field.el));
      arrange(rest, own.filter(({ field }) => !field.basic).map((field) => field.el));
    });
    const isNew = root.dataset.model !== undefined && root.dataset.model !== spec().model;
    root.dataset.model = spec().model;
    const words = keptWords(spec().kept ?? []);
    tell(kept, words);
    if (isNew && words) announce(words);
  }

  /** Run this, and put the focus back to where it was: the same element, or the new one of the same param. */
  function keepingFocus(before, work) {
    const focused = document.activeElement;
    const name = [...before].find(([, field]) => field.el.contains(focused))?.[0];
    const caret = name && "selectionStart" in focused ? [focused.selectionStart, focused.selectionEnd] : null;
    work();
    if (!name || document.activeElement === focused) return;
    if (!focused.isConnected) { fields.get(name)?.control.focus(); return; }
    focused.focus({ preventScroll: true });
    if (caret?.[0] !== null && caret !== null) focused.setSelectionRange(...caret);
  }

  /** The keys of all pictures, videos and sounds in the form. */
  function heldKeys() {
    const wires = [...fields.values()].filter(({ field }) => field.control === "media").map(({ field }) => desk.value(field.name));
    return new Set(wires.filter(Array.isArray).flat().map((item) => item.key));
  }

  function drawValues() {
    const now = mode();
    for (const { el: box, field, show } of fields.values()) {
      const wire = desk.value(field.name);
      box.hidden = !useful(field, now) && (wire === null || sameJson(wire, field.default));
      show();
    }
    const folded = [...fields.values()].filter(({ el: box, field }) => !field.basic && !box.hidden);
    const set = folded.filter(({ field }) => desk.value(field.name) !== null).length;
    more.hidden = !folded.length;
    count.textContent = `More (${folded.length})${set ? ` · ${set} set` : ""}`;
    if (folded.some(({ field }) => model.get("_marks")[field.name]?.tone === "problem") && rest.hidden) openMore(true);
    general.replaceChildren(...[...model.get("_general"), refused].filter(Boolean).map((text) => h("div", { class: "vidnb-problem" }, text)));
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

  watch("_spec", () => { hasNewSpec = true; draw(); });
  watch("_given", () => { desk.confirm(); draw(); });
  watch("_marks _general _clips seed_locked", draw);
  hear("look", ({ key, text }, [buffer]) => looks.arrived(key, text, buffer));
  hear("poster", ({ clip }, [buffer]) => looks.arrived(`clip ${clip}`, "", buffer));
  hear("refused", ({ text }) => { refused = text; draw(); });
  hear("focus", ({ field }) => queueMicrotask(() => focusOn(field)));

  /** Go to a field that is wrong, unless the person is at work elsewhere, in a cell's code for instance. */
  function focusOn(name) {
    const active = document.activeElement;
    const found = fields.get(name);
    if (!found || !root.isConnected || (active && active !== document.body && !active.closest?.(".vidnb-root, .vidnb"))) return;
    if (!found.field.basic) openMore(true);
    found.control.focus();
  }

  // Who leaves a box may be on the way to a button that acts on what is in it.
  root.addEventListener("focusout", () => desk.flush(), { signal });

  /* Keys, paste and drop, anywhere in the form. */

  root.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || event.isComposing) return;
    event.preventDefault();
    refused = "";
    draw();
    desk.submit();
  }, { signal });

  const mediaFields = () => [...fields.values()].filter(({ el: box, field }) => field.control === "media" && !box.hidden);
  /** The field that a file is meant for: the one at this place, else the first that takes such files. */
  function fieldFor(target, file) {
    const here = mediaFields().find(({ el: box }) => box.contains(target));
    return here ?? mediaFields().find(({ control }) => control.takes(file));
  }
  function takeFiles(target, files) {
    const found = fieldFor(target, files[0]);
    if (!found) { announce("This model takes no such file."); return; }
    if (!found.field.basic) openMore(true);
    found.control.take(files);
  }
  root.addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    const isText = /^(INPUT|TEXTAREA)$/.test(event.target.tagName) && [...event.clipboardData.types].includes("text/plain");
    if (!files.length || isText) return;
    event.preventDefault();
    takeFiles(event.target, files);
  }, { signal });

  let over = null;
  const mark = (box) => { if (over !== box) { over?.removeAttribute("data-over"); box?.setAttribute("data-over", "true"); over = box; } };
  const isDropped = (event) => ["Files", "text/uri-list"].some((type) => event.dataTransfer?.types.includes(type));
  root.addEventListener("dragover", (event) => {
    if (!isDropped(event)) return;
    event.preventDefault(); // else the browser would open the file in place of the notebook
    event.stopPropagation();
    const { kind, type } = event.dataTransfer.items?.[0] ?? {};
    mark((fieldFor(event.target, { type: kind === "file" ? type : "image/png" }))?.el ?? null);
    event.dataTransfer.dropEffect = over ? "copy" : "none";
  }, { signal });
  root.addEventListener("dragleave", (event) => { if (!root.contains(event.relatedTarget)) mark(null); }, { signal });
  root.addEventListener("drop", (event) => {
    if (!isDropped(event)) return;
    event.preventDefault();
    event.stopPropagation();
    mark(null);
    const files = [...event.dataTransfer.files];
    const address = event.dataTransfer.getData("text/uri-list").split("\n").find((line) => /^https?:/.test(line));
    if (files.length) takeFiles(event.target, files);
    else if (address) fieldFor(event.target, { type: "image/png" })?.control.takePlace(address);
  }, { signal });

  desk.views.add(draw);
  desk.confirm();
  drawFields();
  drawValues();
  hasNewSpec = false;
  return () => { desk.flush(); desk.views.delete(draw); desk.leave(); looks.end(); end(); };
}

export default { render };
