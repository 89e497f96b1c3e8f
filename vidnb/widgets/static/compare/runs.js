/* The gaps that can be run: their buttons, prices and questions. */

/** A question with two answers. @param {(yes: boolean) => void} answer */
function question(words, yes, answer) {
  const button = (label, isYes) =>
    h("button", { type: "button", class: "vidnb-small", onclick: () => answer(isYes) }, label);
  return [h("span", { class: "vidnb-fine" }, words), button(yes, true), " ", button("No", false)];
}

/** @param {CompareView} it the view that the functions belong to */
export function runsOf(it) {
  const { runOthers } = it.el;

  function runButton(at, told, focusable = false) {
    return h(
      "button",
      {
        type: "button",
        class: "vidnb-small",
        tabindex: focusable ? "0" : "-1",
        "aria-label": `${told.run} ${told.name}, ${told.price}`,
        dataset: { run: at },
      },
      told.run,
      " ",
      h("span", { class: "vidnb-price" }, told.price),
    );
  }

  let asking = false;

  const unheard = new Set();

  function drawRuns() {
    const missing = it.grid.missing;
    runOthers.hidden = !missing;
    if (!missing) {
      runOthers.replaceChildren();
      return;
    }
    if (asking) {
      const count = missing.ats.length;
      const words = missing.unknown ? `Run ${count}? The price is unknown. ` : `Run ${count} for ${missing.price}? `;
      const answer = (yes) => {
        asking = false;
        if (yes) runCells(missing.ats, missing.unknown);
        else drawRuns();
      };
      runOthers.replaceChildren(...question(words, "Run", answer));
      return;
    }
    const label = missing.ats.length === 1 ? "Run the other one" : `Run the other ${missing.ats.length}`;
    runOthers.replaceChildren(
      h(
        "button",
        {
          type: "button",
          class: "vidnb-small",
          onclick: ({ detail }) => {
            if (detail > 1) return;
            if (missing.ask) {
              asking = true;
              drawRuns();
              runOthers.querySelector("button")?.focus();
            } else runCells(missing.ats, false);
          },
        },
        label,
        " ",
        h("span", { class: "vidnb-price" }, missing.price),
      ),
    );
  }

  /** One press is one message; the next one waits until the kernel has heard it. */
  function runCells(ats, accepted) {
    const fresh = ats.filter((at) => !unheard.has(at));
    if (!fresh.length) {
      it.announce("The kernel is busy with a cell; the first click is kept.");
      return;
    }
    fresh.forEach((at) => unheard.add(at));
    send(it.model, "run", { ats: fresh, accepted });
    drawRuns();
  }

  function runOne(at) {
    const told = it.cells[at]?.told;
    if (!told?.run) return;
    if (told.ask) {
      it.view.asked = at;
      it.drawChosen();
      it.choose(at, false);
      it.announce(`${told.run} for ${told.price}? Press the button below.`);
      return;
    }
    runCells([at], false);
  }

  function confirmRun(told) {
    const at = it.view.chosen;
    const answer = (yes) => {
      it.view.asked = -1;
      if (yes) runCells([at], Boolean(told.unknown));
      it.drawChosen();
    };
    return h("span", {}, question(told.unknown ? "The price is unknown. " : `${told.price}? `, told.run, answer));
  }

  it.hear("ran", ({ ats }) => {
    ats.forEach((at) => unheard.delete(at));
  });

  return { runButton, drawRuns, runCells, runOne, confirmRun };
}
