/* Generate, with its price. */

/** After so long without an answer of the kernel, the page says why nothing happens. */
const SLOW_MS = 500;
const WAITING = "The kernel is busy with a cell. This click is kept and sent as soon as the kernel is free.";

const AT_ONCE = [1, 2, 3, 4, 6, 8];
const NO_CAP = "A cap is a number, as 5 or 2.50, or empty for none. The cap before this one holds.";

/** A cap as typed: null for none, undefined for what is no number. */
export function capOf(text) {
  if (!text.trim()) return null;
  const value = Number(text);
  return Number.isFinite(value) && value >= 0 ? value : undefined;
}

function render({ model, el }) {
  const { root, signal, hear, watch, announce, end } = begin({ model, el }, "generate");
  const price = h("span", { class: "vidnb-price" });
  const makes = h("span", { class: "vidnb-makes" });
  const go = h("button", { type: "button", class: "vidnb-primary" }, h("span", {}, "Generate"), makes, price);
  const take = h(
    "button",
    { type: "button", title: "The same recipe once more: another job, paid for again" },
    "Next take",
  );
  const many = h(
    "select",
    { class: "vidnb-many", "aria-label": "Clips at once", title: "How many clips one press makes" },
    AT_ONCE.map((count) => h("option", { value: String(count) }, count === 1 ? "1 clip" : `${count} clips`)),
  );
  const spent = h("span", { class: "vidnb-muted vidnb-fine vidnb-number" });
  const cap = h("button", { type: "button", class: "vidnb-small", "aria-expanded": "false" });
  const usd = h("input", {
    type: "text",
    inputmode: "decimal",
    "aria-label": "Cap in US dollars",
    placeholder: "none",
  });
  const credits = h("input", {
    type: "text",
    inputmode: "decimal",
    "aria-label": "Cap in credits",
    placeholder: "none",
  });
  const wrong = h("span", { class: "vidnb-problem", role: "alert" });
  const caps = h(
    "div",
    { class: "vidnb-row vidnb-caps", hidden: true },
    h("span", { class: "vidnb-fine" }, "This studio may spend at most"),
    h("label", { class: "vidnb-row" }, usd, "US dollars"),
    h("label", { class: "vidnb-row" }, credits, "credits"),
    wrong,
  );
  const anyway = h("button", { type: "button", class: "vidnb-small" }, "Generate anyway");
  const asking = h("div", { class: "vidnb-card vidnb-row", "data-tone": "warn", role: "alert", hidden: true });
  const note = h("div", { class: "vidnb-hint" });
  const typed = {}; // caps that the kernel is not known to have
  /** @type {any} null, "reading", a timer, or "told" */
  let waiting = null;
  let refused = ""; // stays until the next click: what comes in late takes the kernel's own notes away
  root.append(
    h("div", { class: "vidnb-row vidnb-actions" }, go, many, take),
    h("div", { class: "vidnb-row vidnb-sums" }, spent, cap),
    caps,
    asking,
    note,
  );

  function drawCount() {
    const count = String(model.get("count") ?? 1);
    if (![...many.options].some(({ value }) => value === count))
      many.append(h("option", { value: count }, `${count} clips`));
    many.value = count;
  }

  function drawMakes() {
    const words = model.get("makes");
    makes.textContent = words;
    makes.hidden = !words;
    // Where Generate makes another clip each time, a second button for that would only be in the way.
    take.hidden = Boolean(words) && !/seeds?(,| \d)/.test(words);
  }

  function drawPrice() {
    const told = model.get("_price");
    price.textContent = told.text;
    price.hidden = !told.text;
    const sure = { exact: "Exact price", estimate: "Estimated price", unknown: "Unknown price" }[told.certainty];
    go.title = sure ? `${sure}: ${told.why}` : "Make the clip";
    go.dataset.certainty = told.certainty;
    root.dataset.state = "ready";
  }

  function drawSpent() {
    const { session, folder, cap: most } = model.get("_spent");
    spent.textContent = `Spent: ${session} in this studio, ${folder} in this folder`;
    const [dollars, units] = [model.get("budget_usd"), model.get("budget_credits")];
    cap.textContent = most ? `Cap ${most}` : "No cap";
    cap.title = "The most that this studio may spend";
    if (document.activeElement !== usd) usd.value = dollars ?? "";
    if (document.activeElement !== credits) credits.value = units ?? "";
  }

  function drawNote() {
    const ask = model.get("ask");
    asking.hidden = !ask;
    asking.replaceChildren(h("span", { class: "vidnb-grow" }, ask), anyway);
    note.textContent = waiting === "told" ? WAITING : model.get("note") || refused;
    note.hidden = !note.textContent;
    if (note.textContent) announce(note.textContent);
  }

  /** One click is one message: until the kernel has heard it, another would be paid for, too. */
  async function press(content) {
    if (waiting) return;
    waiting = "reading";
    refused = "";
    // What is seen goes along: it may have come later, or never.
    const form = await FORMS.desks.get(model.get("_form"))?.take();
    waiting = null;
    const budget = Object.keys(typed).length ? { ...typed } : null;
    if (
      !send(model, "generate", {
        ...content,
        count: Number(many.value),
        ...(budget && { budget }),
        ...(form && { form }),
      })
    )
      return;
    [go, take, anyway].forEach((button) => button.setAttribute("aria-disabled", "true"));
    waiting = setTimeout(() => {
      waiting = "told";
      drawNote();
    }, SLOW_MS);
  }

  function heard(content) {
    clearTimeout(waiting);
    waiting = null;
    refused = content.refused ?? "";
    [go, take, anyway].forEach((button) => button.removeAttribute("aria-disabled"));
    drawNote();
  }

  for (const [input, name] of [
    [usd, "budget_usd"],
    [credits, "budget_credits"],
  ]) {
    input.addEventListener(
      "change",
      () => {
        const value = capOf(input.value);
        input.setAttribute("aria-invalid", String(value === undefined));
        wrong.textContent = [usd, credits].some((one) => capOf(one.value) === undefined) ? NO_CAP : "";
        if (value === undefined) return;
        typed[name] = value;
        send(model, "budget", { [name]: value });
      },
      { signal },
    );
  }
  // A double click is one press: with an open seed its second click would be paid for, too.
  go.addEventListener("click", (event) => event.detail > 1 || press({ fresh: false }), { signal });
  // The second click of a double click is no wish for a second take, however quickly the kernel heard the first.
  take.addEventListener("click", (event) => event.detail > 1 || press({ fresh: true }), { signal });
  anyway.addEventListener("click", (event) => event.detail > 1 || press({ fresh: false, anyway: true }), { signal });
  hear("heard", heard);
  hear("budget", (caps) => {
    for (const name of Object.keys(typed)) if (typed[name] === caps[name]) delete typed[name];
  });
  signal.addEventListener("abort", () => clearTimeout(waiting));
  cap.addEventListener(
    "click",
    () => {
      caps.hidden = !caps.hidden;
      cap.setAttribute("aria-expanded", String(!caps.hidden));
      if (!caps.hidden) usd.focus();
    },
    { signal },
  );
  hear("focus", () => {
    go.scrollIntoView({ block: "nearest" });
    go.focus();
  });
  watch("_price", drawPrice);
  watch("_spent budget_usd budget_credits", drawSpent);
  watch("note ask", drawNote);
  many.addEventListener(
    "change",
    () => {
      price.hidden = true; // it was that of another number; the kernel says the new one
      assign(model, "count", Number(many.value));
    },
    { signal },
  );
  watch("count", drawCount);
  drawCount();
  watch("makes", drawMakes);
  drawMakes();
  drawPrice();
  drawSpent();
  drawNote();
  return end;
}

export default { render };
