/* The caps of a sweep's purse, changed in the board: a field for each unit, and below it what is used already. */

/** The form for the caps; it is hidden until `ask` was called and the kernel has said what the caps are.
 * @param {Part} part
 * @param {Model} model
 * @param {{asked: () => void, closed: () => void, capped: (words: string) => void}} told `asked` when the kernel has
 *   something to answer, `closed` when the form is gone, `capped` with what is true now */
export function budgetOf({ signal, hear, announce }, model, { asked, closed, capped }) {
  const fields = h("div", { class: "b-fields" });
  const wrong = h("p", { class: "b-wrong", role: "alert", hidden: true });
  const set = h("button", { type: "submit", class: "vidnb-primary" }, "Set");
  const form = h(
    "form",
    { class: "b-budget", hidden: true, "aria-label": "Change the budget" },
    h("p", {}, "At most this is spent; all caps that are given hold, and an empty field is none."),
    fields,
    wrong,
    h("div", { class: "vidnb-row" }, set, h("button", { type: "button", onclick: () => close() }, "Leave it")),
  );

  function close() {
    form.hidden = true;
    closed();
  }

  function refuse(words) {
    wrong.textContent = words;
    wrong.hidden = !words;
    for (const input of fields.querySelectorAll("input"))
      input.setAttribute("aria-invalid", String(Boolean(words) && input.value !== input.dataset.was));
  }

  hear("caps", ({ caps }) => {
    fields.replaceChildren(
      ...caps.map(({ unit, name, text, used }) =>
        h(
          "label",
          {},
          h("span", {}, name[0].toUpperCase() + name.slice(1)),
          h("input", {
            type: "text",
            inputmode: "decimal",
            name: unit,
            value: text,
            dataset: { was: text },
            autocomplete: "off",
          }),
          h("span", { class: "vidnb-muted vidnb-fine" }, `${used} spent or held`),
        ),
      ),
    );
    refuse("");
    form.hidden = false;
    const first = [...fields.querySelectorAll("input")].find((one) => one.value) ?? fields.querySelector("input");
    first?.focus();
    first?.select();
  });
  hear("capped", ({ words, refused }) => {
    set.disabled = false;
    if (refused) {
      refuse(words);
      return;
    }
    close();
    capped(words);
    announce(words);
  });
  form.addEventListener(
    "submit",
    (event) => {
      event.preventDefault();
      const caps = Object.fromEntries([...fields.querySelectorAll("input")].map((one) => [one.name, one.value]));
      set.disabled = send(model, "budget", { caps });
      if (set.disabled) asked();
    },
    { signal },
  );
  form.addEventListener(
    "keydown",
    (event) => {
      if (event.key === "Escape") close();
    },
    { signal },
  );

  return {
    form,
    /** Open the form; the kernel says what the caps are. */
    ask() {
      if (!form.hidden) close();
      else if (send(model, "caps")) asked();
    },
  };
}
