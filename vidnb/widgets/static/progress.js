/* One job on its way: what is known of it, ticking by itself, and what can be done about it. */

const TICK_MS = 500;
const CONFIRM_MS = 6000;
/** So long "Really send again?" takes no press: it stands where the button that asked was, and a press costs money. */
const SURE_MS = 600;
/** State -> its drawing (null: a turning ring), its tone. The kernel says what it is called. */
const STATES = {
  intended: ["clock", "wait"],
  submitting: ["send", "go"],
  queued: ["clock", "wait"],
  running: [null, "go"],
  downloading: ["download", "go"],
  done: ["check", "good"],
  failed: ["close", "bad"],
  cancelled: ["stop", "plain"],
  ambiguous: ["warn", "warn"],
};
const MOVING = new Set(["intended", "submitting", "queued", "running", "downloading"]);

/** A span in whole seconds, for what ticks: "7 s", "3 min 20 s". */
export const wholeSpan = (seconds) =>
  seconds < 10 ? `${Math.max(0, Math.floor(seconds))} s` : spanOfTime(Math.floor(seconds));

/** What earlier clips say of the time, in one line.
 * @param {{median_s: number, p90_s: number, count: number} | null} expected */
export function usualWords(expected) {
  if (!expected) return "no earlier clips to tell from";
  if (expected.count === 1) return `${spanOfTime(expected.median_s)} the last time (1 clip)`;
  const most = spanOfTime(expected.p90_s);
  return `usually ${spanOfTime(expected.median_s)}, 9 of 10 within ${most} (${expected.count} clips)`;
}

/** What is left, as far as earlier clips tell; "" where they do not. */
export function leftWords(elapsed, expected) {
  if (!expected) return "";
  if (elapsed > expected.p90_s) return "longer than usual";
  return elapsed > expected.median_s
    ? "should be ready soon"
    : `about ${wholeSpan(Math.ceil(expected.median_s - elapsed))} left`;
}

/** Where on the bar (0 to 1) the time and the marks of the median and of nine in ten stand; the bar ends later. */
export function barOf(elapsed, { median_s, p90_s }) {
  const end = Math.max(p90_s * 1.08, median_s * 1.2, 0.1);
  return { fill: Math.min(1, elapsed / end), median: median_s / end, p90: p90_s / end };
}

/** How many jobs stand in front of one that is not sent; the service's own queue is not known. */
export function aheadWords(ahead) {
  if (ahead === null || ahead === undefined) return "";
  return ahead === 0
    ? "the next to be sent"
    : `${ahead} older ${ahead === 1 ? "job waits" : "jobs wait"} before it here`;
}

/** Seconds from the submit (else from the wish) until the end or now, on the kernel's clock. */
export function elapsedOf(row, now) {
  const start = row.ended_ms ? row.made_ms : (row.sent_ms ?? row.made_ms);
  return Math.max(0, ((row.ended_ms ?? now) - start) / 1000);
}

const chip = (name, value) =>
  value === "" || value === 0
    ? null
    : h("span", { class: "vidnb-chip" }, `${name} `, h("span", { class: "vidnb-mono" }, value));

/** What the state is called, to begin a line with. */
const nameOf = ({ state, state_words: words }) => (words || state).replace(/^./, (letter) => letter.toUpperCase());

/** A coloured dot with a shape in it, so that colour alone says nothing. */
function dot(state) {
  const [drawing, tone] = STATES[state] ?? STATES.running;
  return h(
    "span",
    { class: "vidnb-dot", "data-tone": tone, "aria-hidden": "true" },
    drawing ? icon(drawing, 12) : h("i", { class: "vidnb-ring" }),
  );
}

/** The second click of a double click does nothing: it was meant for what stood there before. */
const button = (label, onclick, attributes = {}) =>
  h(
    "button",
    { type: "button", class: "vidnb-small", onclick: ({ detail }) => detail > 1 || onclick(), ...attributes },
    label,
  );

function render({ model, el }) {
  const { root, signal, hear, watch, announce, end } = begin({ model, el }, "progress");
  let row = model.get("_row");
  let clock_ms = 0; // how far the kernel's clock is ahead of this one
  let open = false;
  let busy = false;
  let armed = 0;
  let armedAt = 0;
  let shown = row.state,
    about = row.id;
  let drawn = "";
  let pasted = ""; // an id that is being typed while the card is drawn anew

  const line = h("div", { class: "vidnb-row vidnb-line" });
  const bar = h(
    "div",
    { class: "vidnb-bar", "aria-hidden": "true" },
    h("i", { class: "vidnb-fill" }),
    h("i", { class: "vidnb-mark" }),
    h("i", { class: "vidnb-mark" }),
  );
  const time = h("span", { class: "vidnb-number vidnb-time" });
  const hope = h("span", { class: "vidnb-grow" });
  const under = h("div", { class: "vidnb-row vidnb-fine vidnb-muted vidnb-under" }, hope);
  const preview = /** @type {HTMLImageElement} */ (h("img", { class: "vidnb-preview" })); // in the line while it shows something
  const more = h("div", { class: "vidnb-more", hidden: true });
  const card = h("div", { class: "vidnb-card", hidden: true });
  root.append(line, bar, under, more, card);

  const act = (kind, content = {}) => {
    busy = true;
    lock();
    send(model, kind, { ...content, id: row.id });
  };
  const lock = () =>
    root.querySelectorAll("[data-acts]").forEach((/** @type {any} */ one) => {
      one.disabled = busy;
    });
  const free = () => {
    busy = false;
    lock();
  };

  /** Draw all that depends on the row; what ticks is drawn by `tick`. */
  function draw() {
    root.hidden = model.get("dismissed");
    const traits = ["waiting", "_note", "_can_retry"].map((name) => model.get(name));
    const now = JSON.stringify([{ ...row, told_ms: 0, ahead: 0, expected: 0 }, ...traits, open, armed]);
    if (!row.state || now === drawn) {
      tick();
      lock();
      return;
    } // a button that is being pressed must stay the same one
    drawn = now;
    const active = /** @type {?HTMLElement} */ (document.activeElement);
    const focused = active && root.contains(active) ? active.dataset.key : undefined;
    root.dataset.state = row.state;
    root.dataset.waiting = String(model.get("waiting"));
    card.hidden = !row.card;
    if (row.state !== "running") dropPreview();
    line.hidden = under.hidden = Boolean(row.card);
    if (row.card) drawCard();
    else drawLine();
    tick();
    lock();
    if (focused) /** @type {?HTMLElement} */ (root.querySelector(`[data-key="${focused}"]`))?.focus();
  }

  /** Show how far the job is; a picture that comes after its end is shown no more. */
  function drawPreview(bytes) {
    dropPreview();
    if (row.state !== "running") return;
    preview.src = URL.createObjectURL(new Blob([bytes], { type: "image/jpeg" }));
    preview.alt = `How far it is: ${row.word || "running"}`;
    under.after(preview);
  }

  function dropPreview() {
    if (preview.src) URL.revokeObjectURL(preview.src);
    preview.removeAttribute("src");
    preview.remove();
  }

  const parked = () => MOVING.has(row.state) && !model.get("waiting");

  function drawLine() {
    const name = nameOf(row);
    const left = parked() && row.state !== "intended" ? ", not waited for" : "";
    const word = `${name}${row.word ? ` (${row.word})` : ""}${left}`;
    line.replaceChildren(
      h("span", { class: "vidnb-row vidnb-state" }, dot(row.state), h("span", { class: "vidnb-word" }, word), time),
      h("span", { class: "vidnb-grow vidnb-prompt", dir: "auto", title: row.prompt }, row.prompt || row.model),
      ...(MOVING.has(row.state) ? [] : badges(row)),
      h("span", { class: "vidnb-row vidnb-buttons" }, buttons()),
    );
    under.replaceChildren(hope, ...badges(row));
    under.hidden = !MOVING.has(row.state);
    more.hidden = !open;
    if (open) more.replaceChildren(...details());
  }

  function buttons() {
    const moving = MOVING.has(row.state);
    const stays =
      row.state === "intended" ? "it is not sent until somebody waits again" : `it goes on at ${row.service}`;
    const note = row.cancel_note ? `. ${row.cancel_note}` : "";
    return [
      moving && row.can_cancel
        ? button("Cancel", () => act("cancel"), {
            "data-acts": true,
            "data-key": "cancel",
            title:
              row.state === "intended"
                ? "Drop the job: it was not sent, nothing is charged"
                : `Cancel the job at ${row.service}`,
          })
        : null,
      moving && model.get("waiting")
        ? button("Stop waiting", () => act("stop"), {
            "data-acts": true,
            "data-key": "wait",
            title: `Stop polling for job ${row.id}; ${stays}${note}`,
          })
        : null,
      parked()
        ? button(row.state === "intended" ? "Send" : "Wait again", () => act("follow"), {
            "data-acts": true,
            "data-key": "wait",
            title:
              row.state === "intended" ? `Send job ${row.id} to ${row.service} now` : `Take job ${row.id} up again`,
          })
        : null,
      iconButton(
        "more",
        "Details",
        () => {
          open = !open;
          draw();
        },
        { "aria-expanded": String(open), "data-key": "more", class: "vidnb-icon vidnb-toggle" },
      ),
    ];
  }

  function details() {
    const facts = [
      ["Cancel", row.cancel_note],
      ["Queue", row.state === "queued" ? `${row.service} does not tell the place in its queue` : ""],
    ].filter(([, said]) => said);
    return [
      row.prompt.length > 60 ? h("div", { dir: "auto" }, row.prompt) : "",
      h(
        "div",
        { class: "vidnb-row" },
        h("span", { class: "vidnb-model" }, row.model),
        chip("seed", row.seed),
        chip("take", row.take),
        chip("job", row.id),
      ),
      facts.length ? factList(facts) : "",
    ];
  }

  const factList = (facts) =>
    h(
      "dl",
      { class: "vidnb-facts" },
      facts.map(([name, said]) => [h("dt", {}, name), h("dd", { dir: "auto" }, said)]),
    );

  // -- the card of a job without a clip

  function drawCard() {
    more.hidden = true;
    const { headline, tone, facts } = row.card;
    card.dataset.tone = tone;
    const took =
      row.state === "failed"
        ? h("span", { class: "vidnb-muted vidnb-fine" }, `after ${spanOfTime(elapsedOf(row, Date.now()))}`)
        : null;
    card.replaceChildren(
      h("div", { class: "vidnb-row vidnb-head" }, dot(row.state), h("strong", {}, headline), badges(row), took),
      factList(facts),
      row.prompt ? h("div", { class: "vidnb-muted vidnb-prompt", dir: "auto", title: row.prompt }, row.prompt) : "",
      h(
        "div",
        { class: "vidnb-row vidnb-fine" },
        h("span", { class: "vidnb-model" }, row.model),
        chip("seed", row.seed),
        chip("take", row.take),
        chip("job", row.id),
      ),
      model.get("_note") ? h("div", { class: "vidnb-hint", role: "status" }, model.get("_note")) : "",
      h("div", { class: "vidnb-row vidnb-choices" }, row.state === "ambiguous" ? decisions() : ending()),
      row.state === "ambiguous" && !row.emulated && !row.has_id ? pasteId() : "",
    );
  }

  const ending = () => [
    model.get("_can_retry") && row.again !== false
      ? button("Try again", () => act("retry"), { "data-acts": true, "data-key": "retry" })
      : null,
    button(
      "Dismiss",
      () => {
        announce("Dismissed");
        act("dismiss");
        moveOn();
      },
      { "data-acts": true, "data-key": "dismiss" },
    ),
  ];

  /** Focus what comes next before the card goes: without it the keyboard would be back at the start of the page. */
  function moveOn() {
    const box = root.closest(".vidnb");
    const next = [
      .../** @type {NodeListOf<HTMLButtonElement>} */ (box?.querySelectorAll(".vidnb-progress button") ?? []),
    ].find((one) => !root.contains(one) && !one.disabled && one.offsetParent);
    /** @type {?HTMLElement} */ (
      next ?? root.closest(".vidnb-studio")?.querySelector(".vidnb-generate .vidnb-primary")
    )?.focus({ preventScroll: true });
  }

  function decisions() {
    const risky = !row.emulated;
    const words = armed
      ? "Really send again? It may be paid twice"
      : risky
        ? "Send again (may be paid twice)"
        : "Send again (costs nothing: emulated)";
    const giveUp = button("Give up", () => act("settle", { how: "give_up" }), {
      "data-acts": true,
      "data-key": "give_up",
      title: "Take the job for lost; its take is free again",
    });
    if (row.has_id)
      // The service has the job: to send it again would pay for a second one.
      return [button("Ask the service again", () => act("follow"), { "data-acts": true, "data-key": "look" }), giveUp];
    return [
      row.has_list
        ? button("Look in the service's list", () => act("reconcile"), { "data-acts": true, "data-key": "look" })
        : h("span", { class: "vidnb-hint" }, `${row.service} has no list of jobs to look in.`),
      button(words, () => (risky && !armed ? arm() : sendAgain()), {
        "data-acts": true,
        "data-key": "again",
        "data-armed": armed ? "true" : null,
      }),
      giveUp,
    ];
  }

  /** The second click sends; the first only asks, and is forgotten after a moment. */
  function arm() {
    armedAt = performance.now();
    armed = setTimeout(() => {
      armed = 0;
      draw();
    }, CONFIRM_MS);
    announce("It may be paid twice. Press again to send it.");
    draw();
  }

  function sendAgain() {
    if (armed && performance.now() - armedAt < SURE_MS) return;
    disarm();
    act("settle", { how: "send_again" });
  }

  function disarm() {
    clearTimeout(armed);
    armed = 0;
  }

  function pasteId() {
    const id = h("input", {
      type: "text",
      "data-key": "id",
      placeholder: "its id, as the web app shows it",
      value: pasted,
      "aria-label": "The job's id in the service's web app",
      oninput: () => {
        pasted = id.value;
        attach.disabled = !pasted.trim();
      },
    });
    const attach = button("It is this one", () => act("settle", { remote_id: pasted.trim() }), {
      "data-key": "attach",
      disabled: !pasted.trim(),
    });
    id.addEventListener(
      "keydown",
      (event) => {
        if (event.key === "Enter" && pasted.trim()) attach.click();
      },
      { signal },
    );
    return h("div", { class: "vidnb-row vidnb-paste" }, id, attach);
  }

  // -- what ticks

  function tick() {
    if (!row.state || row.card) {
      bar.hidden = true;
      return;
    }
    const elapsed = elapsedOf(row, Date.now() + clock_ms);
    const moving = MOVING.has(row.state);
    const sent = moving && row.sent_ms && row.state !== "intended";
    say(time, moving ? wholeSpan(elapsed) : `took ${spanOfTime(elapsed)}`);
    time.title =
      row.made_ms && row.sent_ms && moving
        ? `Sent ${wholeSpan(elapsed)} ago, asked for ${wholeSpan((Date.now() + clock_ms - row.made_ms) / 1000)} ago`
        : "";
    if (parked())
      say(
        hope,
        row.state === "intended"
          ? "It was never sent, and nothing was charged."
          : `It goes on at ${row.service}; nobody waits for it here.`,
      );
    else if (sent) say(hope, [leftWords(elapsed, row.expected), usualWords(row.expected)].filter(Boolean).join(" · "));
    else if (moving)
      say(
        hope,
        [aheadWords(row.ahead), row.expected ? `${usualWords(row.expected)} once it is sent` : ""]
          .filter(Boolean)
          .join(" · "),
      );
    else say(hope, "");
    bar.hidden = !sent || parked();
    if (!bar.hidden) drawBar(elapsed);
  }

  const say = (element, text) => {
    if (element.textContent !== text) element.textContent = text;
  };

  function drawBar(elapsed) {
    const late = row.expected && elapsed > row.expected.p90_s;
    bar.dataset.kind = !row.expected ? "unknown" : late ? "late" : "expected";
    bar.title = row.expected
      ? `An expectation from ${row.expected.count} earlier ${row.expected.count === 1 ? "clip" : "clips"} like it`
      : "";
    if (!row.expected) return;
    const at = barOf(elapsed, row.expected);
    const [fill, usual, most] = bar.children;
    fill.style.inlineSize = `${at.fill * 100}%`;
    usual.style.insetInlineStart = `${at.median * 100}%`;
    most.style.insetInlineStart = `${at.p90 * 100}%`;
  }

  function rowChanged() {
    row = model.get("_row");
    if (row.told_ms) clock_ms = row.told_ms - Date.now();
    if (row.id !== about) {
      pasted = "";
      open = false;
    } // another job took the place of the one before
    if (row.state !== shown || row.id !== about) {
      [shown, about] = [row.state, row.id];
      disarm();
      const name = nameOf(row);
      announce(`${row.card?.headline ?? name}: ${row.prompt.slice(0, 80) || row.model}`);
    }
    free();
    draw();
  }

  // A page that was loaded anew has no fresh word of the kernel's clock: only an obvious difference is taken for one.
  if (row.told_ms > Date.now()) clock_ms = row.told_ms - Date.now();
  const timer = setInterval(tick, TICK_MS);
  signal.addEventListener("abort", () => {
    clearInterval(timer);
    disarm();
    dropPreview();
  });
  watch("_row", rowChanged);
  hear("preview", ({ id }, [bytes]) => id === row.id && drawPreview(bytes));
  watch("waiting _note _can_retry dismissed problem", () => {
    free();
    draw();
  });
  draw();
  if (MOVING.has(row.state)) send(model, "look", { id: row.id });
  return end;
}

export default { render };
