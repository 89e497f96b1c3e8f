/* The choice of a model. */

const STATUS = { active: "In service", unconfirmed: "Unconfirmed", retired: "Out of service" };
const KEYS = [
  ["In the form", [["Ctrl Enter", "generate"], ["Tab", "next control"]]],
  ["In the player", [["Space", "play, pause"], [", and .", "one frame back, forward"], ["J and L", "one second back, forward"], ["M", "sound on, off"], ["F", "full screen"], ["A and B", "loop between two marks"], ["Home, End", "first, last frame"]]],
  ["Among the recent clips", [["Arrow keys", "walk"], ["Enter", "show in the player"], ["Space", "select several"], ["Home, End", "newest, oldest"]]],
];

/** The models of a provider by status; those out of service only where they are asked for or chosen.
 * @param {{provider: string, status: string, id: string}[]} models */
export function grouped(models, provider, withRetired, chosen) {
  const shown = models.filter((model) => model.provider === provider && (model.status !== "retired" || withRetired || model.id === chosen));
  return Object.keys(STATUS).map((status) => [status, shown.filter((model) => model.status === status)]).filter(([, found]) => found.length);
}

function keyTable() {
  return h("div", { class: "vidnb-card vidnb-keys", hidden: true }, KEYS.map(([where, keys]) => h("section", {},
    h("h4", {}, where),
    keyList(keys))));
}

function render({ model, el }) {
  const { root, signal, watch, end } = begin({ model, el }, "picker");
  let withRetired = false;
  const provider = h("select", { "aria-label": "Provider", class: "vidnb-provider" });
  const choice = h("select", { "aria-label": "Model", class: "vidnb-model" });
  const retired = h("button", { type: "button", class: "vidnb-small", "aria-pressed": "false" });
  const keys = keyTable();
  const help = h("button", { type: "button", class: "vidnb-icon", "aria-label": "Keys", title: "Keys", "aria-expanded": "false" }, "?");
  const about = h("div", { class: "vidnb-about" });
  root.append(h("div", { class: "vidnb-row vidnb-choice" }, provider, choice, help, retired), keys, about);

  const entry = (id) => model.get("_models").find((each) => each.id === id);
  const shown = () => [model.get("_form"), model.get("model")];
  const pick = (id) => { model.set("model", id); model.save_changes(); };

  function draw() {
    const models = model.get("_models");
    const chosen = entry(model.get("model"));
    if (!chosen) return;
    const names = model.get("_providers");
    provider.replaceChildren(...Object.keys(names).map((name) => h("option", { value: name }, names[name])));
    provider.value = chosen.provider;
    choice.replaceChildren(...grouped(models, chosen.provider, withRetired, chosen.id).map(([status, found]) => {
      const options = found.map((each) => h("option", { value: each.id }, `${each.title} · ${each.name}`));
      return h("optgroup", { label: STATUS[status] }, options);
    }));
    choice.value = chosen.id;
    const out = models.filter((each) => each.provider === chosen.provider && each.status === "retired").length;
    retired.textContent = withRetired ? "hide retired" : `+ ${out} retired`;
    retired.hidden = !out;
    retired.setAttribute("aria-pressed", String(withRetired));
    retired.title = "Models that the vendor took out of service; only the emulator still plays them";
    root.dataset.state = "ready";
  }

  function drawAbout() {
    about.replaceChildren(...model.get("about").map(({ text, tone }) => h("div", { class: "vidnb-hint", "data-tone": tone }, tone === "warn" ? icon("warn", 14) : null, h("span", {}, text))));
  }

  provider.addEventListener("change", () => pick(grouped(model.get("_models"), provider.value, false)[0][1][0].id), { signal });
  choice.addEventListener("change", () => pick(choice.value), { signal });
  retired.addEventListener("click", () => { withRetired = !withRetired; draw(); }, { signal });
  help.addEventListener("click", () => { keys.hidden = !keys.hidden; help.setAttribute("aria-expanded", String(!keys.hidden)); }, { signal });
  root.addEventListener("keydown", (event) => { if (event.key === "Escape" && !keys.hidden) { help.click(); help.focus(); } }, { signal });
  FORMS.pickers.add(shown);
  signal.addEventListener("abort", () => FORMS.pickers.delete(shown));
  watch("model _models _providers", draw);
  watch("about", drawAbout);
  draw();
  drawAbout();
  return end;
}

export default { render };
