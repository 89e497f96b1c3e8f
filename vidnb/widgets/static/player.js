/* One clip to look at closely. The playhead lives here; only what settles goes to the kernel. */

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
  const {
    video,
    poster,
    start,
    cannot,
    anyway,
    warning,
    stage,
    scrub,
    span,
    play,
    back,
    forward,
    time,
    numbered,
    setA,
    setB,
    unmark,
    speed,
    loop,
    mute,
    volume,
    full,
    download,
    help,
    keys,
    transport,
    screen,
    quiet,
    copy,
    acts,
    code,
    about,
    actions,
    shownPart,
    empty,
  } = playerParts(mine.el);
  root.append(empty, shownPart);
  const tools = /** @type {HTMLElement} */ (transport.querySelector(".vidnb-tools"));
  const stops = [roving(tools, signal), roving(actions, signal)];

  // -- state
  const head = playhead(part, video, draw);
  const film = source(part, video, poster, (state, words) => {
    root.dataset.state = state;
    if (state === "loading") head.hold();
    cannot.textContent = words;
    cannot.hidden = !words;
    for (const control of [scrub, back, play, forward, setA, setB]) control.disabled = state === "unplayable";
    if (state !== "loading") {
      draw();
      tryAutoplay();
    }
  });
  const tip = tips(part);
  const aim = aimed(part, [actions, mine.el, download], (control) => tip.say(control, MISSED));
  const engaged = engagement(part, [actions, mine.el], mine.boxes);
  const unheard = new Set(); // actions that the kernel has not heard yet
  /** @type {?ShownClip} */
  let clip = null;
  let wantsPlay = false;

  // -- drawing
  function draw() {
    if (!clip) return;
    const { frame, marks } = head.state;
    const { measures } = clip;
    const going = !video.paused && !video.ended;
    if (play.dataset.going !== String(going)) {
      play.replaceChildren(icon(going ? "pause" : "play"));
      play.ariaLabel = play.title = going ? "Pause" : "Play";
      play.dataset.going = String(going);
    }
    scrub.value = String(frame);
    scrub.style.setProperty("--at", String(frame / (measures.frames - 1 || 1)));
    scrub.setAttribute("aria-valuetext", frameWords(frame, measures));
    time.textContent = `${timeOf(frame, measures).toFixed(2)} / ${measures.duration_s.toFixed(2)} s`;
    numbered.textContent = `frame ${frame + 1} of ${measures.frames}`;
    drawMarks(marks, measures.frames - 1 || 1);
    loop.setAttribute("aria-pressed", String(head.state.loop));
    start.hidden = going || root.dataset.state !== "ready" || head.state.touched || frame > 0;
    const address = film.address();
    download.hidden = !address;
    if (address && download.getAttribute("href") !== address) download.href = address;
    drawSound();
  }

  function drawMarks({ a, b }, last) {
    setA.setAttribute("aria-pressed", String(a !== null));
    setB.setAttribute("aria-pressed", String(b !== null));
    const some = a !== null || b !== null;
    unmark.hidden = span.hidden = !some;
    span.style.setProperty("--from", String((a ?? 0) / last));
    span.style.setProperty("--to", String((b ?? last) / last));
    span.dataset.a = String(a !== null);
    span.dataset.b = String(b !== null);
  }

  function drawSound() {
    const silent = video.muted || !video.volume;
    if (mute.dataset.silent !== String(silent)) {
      mute.replaceChildren(icon(silent ? "mute" : "sound"));
      mute.ariaLabel = mute.title = silent ? "Sound on" : "Mute";
      mute.dataset.silent = String(silent);
    }
    volume.value = String(video.muted ? 0 : video.volume);
    volume.style.setProperty("--at", volume.value);
  }

  /** @param {boolean} first whether the view is new */
  function drawClip(first) {
    const next = model.get("_shown")?.id ? model.get("_shown") : null;
    const changed = next?.id !== clip?.id || first;
    clip = next;
    empty.hidden = Boolean(clip);
    shownPart.hidden = !clip;
    mine.show(clip);
    if (changed) changeClip(first);
    if (!clip) return;
    about.replaceChildren(...caption(clip));
    drawActions();
    drawWarning();
    draw();
  }

  function changeClip(first) {
    head.show(clip, first ? (model.get("time_s") ?? 0) : 0);
    aim.shows(clip?.id ?? null);
    tip.clear();
    code.hidden = true;
    wantsPlay = false;
    film.show(clip, first);
    if (!clip) {
      root.dataset.state = "empty";
      return;
    }
    const { width_px: wide, height_px: high, frames } = clip.measures;
    screen.ariaLabel = `Player: ${clip.model}${clip.prompt ? `, ${clip.prompt}` : ""}`;
    poster.alt = clip.prompt || clip.model;
    stage.style.setProperty("--ratio", String(wide / high || 16 / 9));
    scrub.max = String(frames - 1);
    download.download = clip.name;
    mute.hidden = volume.hidden = !clip.has_audio;
    const noSound = clip.has_audio && clip.host === "vscode";
    quiet.textContent = noSound
      ? "VS Code plays no AAC sound: the clip is silent here, the downloaded file is not."
      : "";
    quiet.hidden = !noSound;
    video.playbackRate = Number(speed.value);
  }

  function drawActions() {
    const offered = model.get("_actions") ?? [];
    const price = model.get("price") ?? "";
    acts.forEach((act, at) => {
      const { action } = act.dataset;
      act.hidden = !offered.includes(action);
      act.title = why(action) || ACTIONS[at][3];
      if (why(action) || unheard.has(action)) act.setAttribute("aria-disabled", "true");
      else act.removeAttribute("aria-disabled");
      act.querySelector(".vidnb-cost")?.remove();
      if (price && PAID.has(action)) act.append(h("span", { class: "vidnb-cost vidnb-muted" }, price));
    });
    copy.disabled = !clip?.code;
    stops.forEach((check) => check());
    copy.title = clip?.code
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
    warning.hidden = flashes() !== true;
    anyway.hidden = !video.paused || head.state.touched;
  }

  // -- doing
  function tryAutoplay() {
    if (!clip || root.dataset.state !== "ready" || head.state.touched) return;
    if (wantsPlay) {
      wantsPlay = false;
      head.toggle();
      return;
    }
    if (!model.get("autoplay") || flashes() !== false || stillPlease() || !video.paused) return;
    video.muted = true;
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
    video.muted = value;
    if (!value && !video.volume) video.volume = 1;
    draw();
  }

  function toggleFull() {
    if (document.fullscreenElement) document.exitFullscreen();
    else if (screen.requestFullscreen) screen.requestFullscreen().catch((error) => announce(error.message));
    else video.webkitEnterFullscreen?.();
  }

  function toggleKeys() {
    keys.hidden = !keys.hidden;
    help.setAttribute("aria-expanded", String(!keys.hidden));
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
    mute: () => clip?.has_audio && setMuted(!video.muted),
    full: toggleFull,
    a: () => setMark("a"),
    b: () => setMark("b"),
    first: () => head.go(0),
    last: () => {
      video.pause();
      head.go(Infinity);
    },
    help: toggleKeys,
  };

  function keyed(event) {
    const name = event.key === "Escape" && !keys.hidden ? "help" : keyAction(event);
    const { target } = event;
    if (!clip || !name || target.matches("select") || (target.matches("button, a") && event.key === " ")) return;
    if (target.matches("input[type=range]") && /^(Arrow|Home|End)/.test(event.key)) return;
    event.preventDefault();
    does[name]();
  }

  async function copyRecipe() {
    const copied = await copyText(clip?.code ?? "", code, announce);
    if (signal.aborted || !copied) return;
    copy.replaceChildren(icon("check", 14), "Copied");
    setTimeout(() => copy.replaceChildren(icon("copy", 14), "Copy recipe"), 1600);
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
    [play, "play"],
    [back, "back"],
    [forward, "forward"],
    [setA, "a"],
    [setB, "b"],
    [full, "full"],
    [help, "help"],
    [anyway, "play"],
  ])
    on(element, "click", () => does[name]());
  on(unmark, "click", () => {
    setMark(null);
    setA.focus();
  });
  on(stage, "click", (event) => {
    if (!event.target.closest("button")) {
      screen.focus({ preventScroll: true });
      toggle();
    }
  });
  on(screen, "keydown", keyed);
  on(scrub, "input", () => {
    head.state.touched = true;
    head.go(Number(scrub.value));
  });
  on(speed, "change", () => {
    video.playbackRate = video.defaultPlaybackRate = Number(speed.value);
  });
  on(loop, "click", () => head.setLoop(!head.state.loop));
  on(mute, "click", () => setMuted(!video.muted));
  on(volume, "input", () => {
    video.volume = Number(volume.value);
    video.muted = !video.volume;
    draw();
  });
  on(copy, "click", copyRecipe);
  acts.forEach((act) => on(act, "click", (event) => press(act, event)));
  hear("heard", ({ name }) => {
    if (unheard.delete(name)) {
      drawActions();
      engaged.done();
    }
  });
  for (const name of ["play", "pause", "volumechange"])
    on(video, name, () => {
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
  speed.value = "1";
  full.hidden = !(document.fullscreenEnabled || video.webkitEnterFullscreen);
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
