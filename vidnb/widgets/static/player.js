/* One clip to look at closely. The playhead lives here; only what comes to rest goes to the kernel. */

import { caption, copyText } from "./player/caption.js";
import { aimed, engagement, roving, tips } from "./player/hand.js";
import { annotations } from "./player/mine.js";
import { ACTIONS, playerParts } from "./player/parts.js";
import { playhead } from "./player/playhead.js";
import { source } from "./player/source.js";
import { frameWords, keyAction, timeOf } from "./player/time.js";

const MISSED = "Another clip came in just then, so nothing was done. Press again if you mean this one.";

/** Those that send a job, and so carry its price. */
const PAID = new Set(["vary", "take"]);

function render({ model, el }) {
  const part = { model, ...begin({ model, el }, "player") };
  const { root, signal, hear, watch, announce } = part;

  const mine = annotations(part);
  const ui = playerParts(mine.el);
  root.append(ui.empty, ui.shownPart);
  const tools = /** @type {HTMLElement} */ (ui.transport.querySelector(".vidnb-tools"));
  const stops = [roving(tools, signal), roving(ui.actions, signal)];

  // -- state
  const head = playhead(part, ui.video, draw);
  const film = source(part, ui.video, ui.poster, (state, words) => {
    root.dataset.state = state;
    if (state === "loading") head.hold();
    ui.cannot.textContent = words;
    ui.cannot.hidden = !words;
    for (const control of [ui.scrub, ui.back, ui.play, ui.forward, ui.setA, ui.setB])
      control.disabled = state === "unplayable";
    if (state !== "loading") {
      draw();
      tryAutoplay();
    }
  });
  const tip = tips(part);
  const aim = aimed(part, [ui.actions, mine.el, ui.download], (control) => tip.say(control, MISSED));
  const engaged = engagement(part, [ui.actions, mine.el], mine.boxes);
  const unheard = new Set(); // actions that the kernel has not heard yet
  /** @type {?ShownClip} */
  let clip = null;
  let wantsPlay = false;

  // -- drawing
  function draw() {
    if (!clip) return;
    const { frame, marks } = head.state;
    const { measures } = clip;
    const going = !ui.video.paused && !ui.video.ended;
    if (ui.play.dataset.going !== String(going)) {
      ui.play.replaceChildren(icon(going ? "pause" : "play"));
      ui.play.ariaLabel = ui.play.title = going ? "Pause" : "Play";
      ui.play.dataset.going = String(going);
    }
    ui.scrub.value = String(frame);
    ui.scrub.style.setProperty("--at", String(frame / (measures.frames - 1 || 1)));
    ui.scrub.setAttribute("aria-valuetext", frameWords(frame, measures));
    ui.time.textContent = `${timeOf(frame, measures).toFixed(2)} / ${measures.duration_s.toFixed(2)} s`;
    ui.numbered.textContent = `frame ${frame + 1} of ${measures.frames}`;
    drawMarks(marks, measures.frames - 1 || 1);
    ui.loop.setAttribute("aria-pressed", String(head.state.loop));
    ui.start.hidden = going || root.dataset.state !== "ready" || head.state.touched || frame > 0;
    const address = film.address();
    ui.download.hidden = !address;
    if (address && ui.download.getAttribute("href") !== address) ui.download.href = address;
    drawSound();
  }

  function drawMarks({ a, b }, last) {
    ui.setA.setAttribute("aria-pressed", String(a !== null));
    ui.setB.setAttribute("aria-pressed", String(b !== null));
    const some = a !== null || b !== null;
    ui.unmark.hidden = ui.span.hidden = !some;
    ui.span.style.setProperty("--from", String((a ?? 0) / last));
    ui.span.style.setProperty("--to", String((b ?? last) / last));
    ui.span.dataset.a = String(a !== null);
    ui.span.dataset.b = String(b !== null);
  }

  function drawSound() {
    const silent = ui.video.muted || !ui.video.volume;
    if (ui.mute.dataset.silent !== String(silent)) {
      ui.mute.replaceChildren(icon(silent ? "mute" : "sound"));
      ui.mute.ariaLabel = ui.mute.title = silent ? "Sound on" : "Mute";
      ui.mute.dataset.silent = String(silent);
    }
    ui.volume.value = String(ui.video.muted ? 0 : ui.video.volume);
    ui.volume.style.setProperty("--at", ui.volume.value);
  }

  /** @param {boolean} first whether the view is new */
  function drawClip(first) {
    const next = model.get("_shown")?.id ? model.get("_shown") : null;
    const changed = next?.id !== clip?.id || first;
    clip = next;
    ui.empty.hidden = Boolean(clip);
    ui.shownPart.hidden = !clip;
    mine.show(clip);
    if (changed) changeClip(first);
    if (!clip) return;
    ui.about.replaceChildren(...caption(clip));
    drawActions();
    drawWarning();
    draw();
  }

  function changeClip(first) {
    head.show(clip, first ? (model.get("time_s") ?? 0) : 0);
    aim.shows(clip?.id ?? null);
    tip.clear();
    ui.code.hidden = true;
    wantsPlay = false;
    film.show(clip, first);
    if (!clip) {
      root.dataset.state = "empty";
      return;
    }
    const { width_px: wide, height_px: high, frames } = clip.measures;
    ui.screen.ariaLabel = `Player: ${clip.model}${clip.prompt ? `, ${clip.prompt}` : ""}`;
    ui.poster.alt = clip.prompt || clip.model;
    ui.stage.style.setProperty("--ratio", String(wide / high || 16 / 9));
    ui.scrub.max = String(frames - 1);
    ui.download.download = clip.name;
    ui.mute.hidden = ui.volume.hidden = !clip.has_audio;
    const noSound = clip.has_audio && clip.host === "vscode";
    ui.quiet.textContent = noSound
      ? "VS Code plays no AAC sound: the clip is silent here, the downloaded file is not."
      : "";
    ui.quiet.hidden = !noSound;
    ui.video.playbackRate = Number(ui.speed.value);
  }

  function drawActions() {
    const offered = model.get("_actions") ?? [];
    const price = model.get("price") ?? "";
    ui.acts.forEach((act, at) => {
      const { action } = act.dataset;
      act.hidden = !offered.includes(action);
      act.title = why(action) || ACTIONS[at][3];
      if (why(action) || unheard.has(action)) act.setAttribute("aria-disabled", "true");
      else act.removeAttribute("aria-disabled");
      act.querySelector(".vidnb-cost")?.remove();
      if (price && PAID.has(action)) act.append(h("span", { class: "vidnb-cost vidnb-muted" }, price));
    });
    ui.copy.disabled = !clip?.code;
    stops.forEach((check) => check());
    ui.copy.title = clip?.code
      ? "Copy the recipe as Python code"
      : "The recipe is too long to copy from here: vidnb.display.recipe_code(clip)";
  }

  /** Why an action does nothing for now; "" where it does. */
  function why(action) {
    return model.get("unavailable")?.[action] ?? "";
  }

  function flashes() {
    const told = model.get("_flashes");
    return told?.id === clip?.id ? told?.flashes : undefined;
  }

  function drawWarning() {
    ui.warning.hidden = flashes() !== true;
    ui.anyway.hidden = !ui.video.paused || head.state.touched;
  }

  // -- doing
  function tryAutoplay() {
    if (!clip || root.dataset.state !== "ready" || head.state.touched) return;
    if (wantsPlay) {
      wantsPlay = false;
      head.toggle();
      return;
    }
    if (!model.get("autoplay") || flashes() !== false || stillPlease() || !ui.video.paused) return;
    ui.video.muted = true;
    head.state.touched = true;
    head.play();
  }

  /** Play or pause, or play as soon as there is something to play. */
  function toggle() {
    if (root.dataset.state === "loading" && !film.address()) wantsPlay = !wantsPlay;
    else if (root.dataset.state !== "unplayable") head.toggle();
    drawWarning();
  }

  function setMuted(value) {
    ui.video.muted = value;
    if (!value && !ui.video.volume) ui.video.volume = 1;
    draw();
  }

  function toggleFull() {
    if (document.fullscreenElement) document.exitFullscreen();
    else if (ui.screen.requestFullscreen) ui.screen.requestFullscreen().catch((error) => announce(error.message));
    else ui.video.webkitEnterFullscreen?.();
  }

  function toggleKeys() {
    ui.keys.hidden = !ui.keys.hidden;
    ui.help.setAttribute("aria-expanded", String(!ui.keys.hidden));
  }

  function setMark(name) {
    head.mark(name);
    const { a, b } = head.state.marks;
    if (!clip) return;
    const words = [
      a !== null && `A at ${frameWords(a, clip.measures)}`,
      b !== null && `B at ${frameWords(b, clip.measures)}`,
    ].filter(Boolean);
    announce(words.length ? `Loop: ${words.join("; ")}` : "No marks");
  }

  const second = () => Math.max(1, Math.round(clip?.measures.fps ?? 1));
  const does = {
    play: toggle,
    back: () => head.step(-1),
    forward: () => head.step(1),
    "second-back": () => head.go(head.state.frame - second()),
    "second-forward": () => head.go(head.state.frame + second()),
    mute: () => clip?.has_audio && setMuted(!ui.video.muted),
    full: toggleFull,
    a: () => setMark("a"),
    b: () => setMark("b"),
    first: () => head.go(0),
    last: () => {
      ui.video.pause();
      head.go(Infinity);
    },
    help: toggleKeys,
  };

  function keyed(event) {
    const name = event.key === "Escape" && !ui.keys.hidden ? "help" : keyAction(event);
    const { target } = event;
    if (!clip || !name || target.matches("select") || (target.matches("button, a") && event.key === " ")) return;
    if (target.matches("input[type=range]") && /^(Arrow|Home|End)/.test(event.key)) return;
    event.preventDefault();
    does[name]();
  }

  async function copyRecipe() {
    const copied = await copyText(clip?.code ?? "", ui.code, announce);
    if (signal.aborted || !copied) return;
    ui.copy.replaceChildren(icon("check", 14), "Copied");
    setTimeout(() => ui.copy.replaceChildren(icon("copy", 14), "Copy recipe"), 1600);
  }

  /** One click is one message: until the kernel has heard it, another would be paid for, too; the second click of a
   * double click always would, however quickly the kernel heard the first. */
  function press(act, { detail }) {
    const { action } = act.dataset;
    if (detail > 1 && PAID.has(action)) return;
    if (unheard.has(action)) {
      announce("The kernel is busy with a cell; the first click is kept.");
      return;
    }
    if (why(action)) {
      tip.say(act, why(action));
      return;
    }
    unheard.add(action);
    drawActions();
    send(model, "action", { name: action, ...head.position() });
  }

  // -- listening
  const on = (element, name, handler) => element.addEventListener(name, handler, { signal });
  for (const [element, name] of [
    [ui.play, "play"],
    [ui.back, "back"],
    [ui.forward, "forward"],
    [ui.setA, "a"],
    [ui.setB, "b"],
    [ui.full, "full"],
    [ui.help, "help"],
    [ui.anyway, "play"],
  ])
    on(element, "click", () => does[name]());
  on(ui.unmark, "click", () => {
    setMark(null);
    ui.setA.focus();
  });
  on(ui.stage, "click", (event) => {
    if (!event.target.closest("button")) {
      ui.screen.focus({ preventScroll: true });
      toggle();
    }
  });
  on(ui.screen, "keydown", keyed);
  on(ui.scrub, "input", () => {
    head.state.touched = true;
    head.go(Number(ui.scrub.value));
  });
  on(ui.speed, "change", () => {
    ui.video.playbackRate = ui.video.defaultPlaybackRate = Number(ui.speed.value);
  });
  on(ui.loop, "click", () => head.setLoop(!head.state.loop));
  on(ui.mute, "click", () => setMuted(!ui.video.muted));
  on(ui.volume, "input", () => {
    ui.video.volume = Number(ui.volume.value);
    ui.video.muted = !ui.video.volume;
    draw();
  });
  on(ui.copy, "click", copyRecipe);
  ui.acts.forEach((act) => on(act, "click", (event) => press(act, event)));
  hear("heard", ({ name }) => {
    if (unheard.delete(name)) {
      drawActions();
      engaged.done();
    }
  });
  for (const name of ["play", "pause", "volumechange"])
    on(ui.video, name, () => {
      draw();
      drawWarning();
    });
  hear("seek", ({ time_s }) => {
    head.state.touched = true;
    head.goToTime(time_s);
  });
  watch("_shown", () => drawClip(false));
  watch("_actions price unavailable", drawActions);
  watch("_flashes autoplay", () => {
    drawWarning();
    tryAutoplay();
  });
  ui.speed.value = "1";
  ui.full.hidden = !(document.fullscreenEnabled || ui.video.webkitEnterFullscreen);
  head.setLoop(true);
  drawClip(true);

  return () => {
    engaged.end();
    aim.end();
    tip.clear();
    mine.end();
    head.end();
    film.clear();
    part.end();
  };
}

export default { render };
