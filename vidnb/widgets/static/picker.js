/* The choice of a model. */

const STATUS = { active: "In service", unconfirmed: "Unconfirmed", retired: "Out of service" };
/** @type {[string, [string, string][]][]} */
const KEYS = [
  [
    "In the form",
    [
      ["Ctrl Enter", "generate"],
      ["Tab", "next control"],
      ["F1", "what a field means"],
      ["R, L", "in the seed: pick one by chance, lock it"],
      ["R and L", "in the seed: pick one by chance, lock it"],
    ],
  ],
  [
    "In the player",
    [
      ["Space", "play, pause"],
      [", and .", "one frame back, forward"],
      ["J and L", "one second back, forward"],
      ["M", "sound on, off"],
      ["F", "full screen"],
      ["A and B", "loop between two marks"],
      ["Home, End", "first, last frame"],
    ],
  ],
  [
    "Among the recent clips",
    [
      ["Arrow keys", "walk"],
      ["Enter", "show in the player"],
      ["Space", "select several"],
      ["Home, End", "newest, oldest"],
    ],
  ],
];

/** @typedef {{provider: string, status: string, id: string, title: string, takes?: string[]}} Entry */

/** The models to choose from, in groups: those of a provider by status, or those of all providers that take a param by
 * provider. Those out of service come only where they are asked for or chosen.
 * @param {Entry[]} entries
 * @param {{provider: string, takes?: string, withRetired?: boolean, chosen?: string, names?: object}} wish
 * @returns {[string, Entry[]][]} */
export function grouped(entries, { provider, takes = "", withRetired = false, chosen = "", names = {} }) {
  /** @param {Entry} entry */
  const fits = (entry) => (takes ? entry.takes?.includes(takes) : entry.provider === provider);
  const shown = entries.filter(
    (entry) => (fits(entry) && (entry.status !== "retired" || withRetired)) || entry.id === chosen,
  );
  const inService = shown.filter(({ status }) => status === "active");
  const others = Object.keys(STATUS).filter((status) => status !== "active");
  /** @type {[string, Entry[]][]} */
  const groups = takes
    ? Object.keys(names).map((name) => [names[name], inService.filter((entry) => entry.provider === name)])
    : [[STATUS.active, inService]];
  groups.push(
    ...others.map(
      (status) => /** @type {[string, Entry[]]} */ ([STATUS[status], shown.filter((one) => one.status === status)]),
    ),
  );
  return groups.filter(([, found]) => found.length);
}

function keyTable() {
  return h(
    "div",
    { class: "vidnb-card vidnb-keys", hidden: true },
    KEYS.map(([where, keys]) => h("section", {}, h("h4", {}, where), keyList(keys))),
  );
}

function render({ model, el }) {
  const { root, signal, watch, end } = begin({ model, el }, "picker");
  let withRetired = false;
  const provider = h("select", { "aria-label": "Provider", class: "vidnb-provider" });
  const choice = h("select", { "aria-label": "Model", class: "vidnb-model" });
  const takes = h("select", { "aria-label": "Show only those that take", class: "vidnb-takes" });
  const retired = h("button", { type: "button", class: "vidnb-small", "aria-pressed": "false" });
  const keys = keyTable();
  const help = h(
    "button",
    { type: "button", class: "vidnb-icon", "aria-label": "Keys", title: "Keys", "aria-expanded": "false" },
    "?",
  );
  const about = h("div", { class: "vidnb-about" });
  root.append(h("div", { class: "vidnb-row vidnb-choice" }, provider, choice, help, takes, retired), keys, about);

  const entry = (id) => model.get("_models").find((each) => each.id === id);
  const shown = () => [model.get("_form"), model.get("model")];
  const pick = (id) => {
    model.set("model", id);
    model.save_changes();
  };

  function draw() {
    const models = model.get("_models");
    const chosen = entry(model.get("model"));
    if (!chosen) return;
    const names = model.get("_providers");
    provider.replaceChildren(...Object.keys(names).map((name) => h("option", { value: name }, names[name])));
    provider.value = chosen.provider;
    provider.hidden = Boolean(takes.value);
    const wish = { provider: chosen.provider, takes: takes.value, withRetired, chosen: chosen.id, names };
    choice.replaceChildren(
      ...grouped(models, wish).map(([label, found]) => {
        const options = found.map((each) => h("option", { value: each.id }, each.title));
        return h("optgroup", { label }, options);
      }),
    );
    choice.value = chosen.id;
    const among = models.filter((one) =>
      takes.value ? one.takes?.includes(takes.value) : one.provider === chosen.provider,
    );
    const out = among.filter(({ status }) => status === "retired").length;
    retired.textContent = withRetired ? "hide retired" : `+ ${out} retired`;
    retired.hidden = !out;
    retired.setAttribute("aria-pressed", String(withRetired));
    retired.title = "Models that the vendor took out of service; only the emulator still plays them";
    root.dataset.state = "ready";
  }

  function drawTakes() {
    const models = model.get("_models").filter(({ status }) => status !== "retired");
    const before = takes.value;
    const options = (model.get("_takes") ?? []).map(({ name, words }) => {
      const count = models.filter((one) => one.takes?.includes(name)).length;
      return h("option", { value: name }, `${words} (${count})`);
    });
    takes.replaceChildren(
      h("option", { value: "" }, "all models"),
      h("optgroup", { label: "Models that take" }, options),
    );
    takes.value = before;
    takes.title = "Show only models that take a param, of all services";
  }

  function drawAbout() {
    about.replaceChildren(
      ...model
        .get("about")
        .map(({ text, tone }) =>
          h(
            "div",
            { class: "vidnb-hint", "data-tone": tone },
            tone === "warn" ? icon("warn", 14) : null,
            h("span", {}, text),
          ),
        ),
    );
  }

  provider.addEventListener(
    "change",
    () => pick(grouped(model.get("_models"), { provider: provider.value })[0][1][0].id),
    { signal },
  );
  choice.addEventListener("change", () => pick(choice.value), { signal });
  takes.addEventListener("change", draw, { signal });
  retired.addEventListener(
    "click",
    () => {
      withRetired = !withRetired;
      draw();
    },
    { signal },
  );
  help.addEventListener(
    "click",
    () => {
      keys.hidden = !keys.hidden;
      help.setAttribute("aria-expanded", String(!keys.hidden));
    },
    { signal },
  );
  root.addEventListener(
    "keydown",
    (event) => {
      if (event.key === "Escape" && !keys.hidden) {
        help.click();
        help.focus();
      }
    },
    { signal },
  );
  FORMS.pickers.add(shown);
  signal.addEventListener("abort", () => FORMS.pickers.delete(shown));
  watch("model _models _providers", draw);
  watch("_models _takes", drawTakes);
  drawTakes();
  watch("about", drawAbout);
  draw();
  drawAbout();
  return end;
}

export default { render };
