/* The blind vote: two clips in step, three answers, and what all votes say. Nothing here knows which clip is which. */

/** A second press of a key must not vote on the pair that has only just come. */
const DEAF_MS = 400;
/** As far as this the second clip may be from the first one before it is set right. */
const ADRIFT_S = 0.06;
/** @type {[string, string][]} */
const KEYS = [
  ["1", "Clip 1"],
  ["2", "Clip 2"],
  ["0", "No difference"],
  ["Space", "Play or pause"],
  [", .", "One frame back, one on"],
  ["Backspace", "Take the last vote back"],
  ["S", "Skip this pair"],
  ["F", "Full screen"],
  ["?", "These keys"],
];

/** "17 votes by 2 people, about 13 to go": all share what is to be done. */
export function progressWords(votes, people, wanted, enough) {
  const said = `${votes === 1 ? "1 vote" : `${votes} votes`}${people > 1 ? ` by ${people} people` : ""}`;
  if (enough) return `${said}. Enough: more votes would hardly change the order.`;
  return `${said}, about ${Math.max(wanted - votes, 1)} to go`;
}

/** Where the numbers of a chart lie, in percent of its width, with some room at both ends. */
export function chartPlaces(rows) {
  const all = rows.flatMap(({ low, high, strength }) => [low, high, strength, 0]);
  const [left, right] = [Math.min(...all), Math.max(...all)];
  const span = right - left || 1;
  return (value) => `${(4 + (92 * (value - left)) / span).toFixed(1)}%`;
}

/** What a key does: an answer, or the name of an action; null for keys that are not ours. */
export function voteKey({ key, ctrlKey, metaKey, altKey }) {
  if (ctrlKey || metaKey || altKey) return null;
  if (["0", "1", "2"].includes(key)) return { answer: key };
  const actions = {
    " ": "play",
    ",": "back",
    ".": "on",
    Backspace: "undo",
    s: "skip",
    S: "skip",
    f: "full",
    F: "full",
    "?": "keys",
  };
  return actions[key] ? { action: actions[key] } : null;
}

/** The size at which a clip is drawn, its head cut off, in a box of this width and at most this height. */
export function screenSize({ width, height, cut }, boxWidth, most) {
  const seen = height * (1 - cut);
  const scale = Math.min(boxWidth / width, most / seen);
  return { width: width * scale, full: height * scale, seen: seen * scale, hidden: height * cut * scale };
}

function render({ model, el }) {
  const part = begin({ model, el }, "vote");
  const { root, signal, hear, watch, announce } = part;
  const head = model.get("_head");
  root.setAttribute("aria-label", "Blind vote");
  /** @type {any} */
  let pair = null;
  let since = 0;
  let enough = false;
  let toGo = null;
  let raf = 0;
  let blobs = [];
  const pieces = gatherer();

  const videos = [0, 1].map(() => {
    const video = h("video", {
      muted: true,
      playsinline: true,
      preload: "auto",
      tabindex: "-1",
      "aria-hidden": "true",
    });
    video.muted = true;
    return video;
  });
  const screens = videos.map((video, at) =>
    h("div", { class: "vidnb-vote-screen", role: "img", "aria-label": `Clip ${at + 1}` }, video),
  );
  const stage = h(
    "div",
    { class: "vidnb-vote-pair" },
    screens.map((screen, at) =>
      h("div", { class: "vidnb-vote-clip" }, h("b", { "aria-hidden": "true" }, at + 1), screen),
    ),
  );
  const answer = (value, words) =>
    h(
      "button",
      {
        type: "button",
        "data-answer": value,
        "aria-label": words,
        "aria-keyshortcuts": value,
        onclick: () => choose(value),
      },
      h("kbd", { "aria-hidden": "true" }, value),
      h("span", {}, words),
    );
  const answers = h(
    "div",
    { class: "vidnb-vote-answers", role: "group", "aria-label": "Your answer" },
    answer("1", "Clip 1"),
    answer("0", "No difference"),
    answer("2", "Clip 2"),
  );
  const track = h("input", { type: "range", min: "0", max: "1", step: "any", value: "0", "aria-label": "Time" });
  const playButton = iconButton("play", "Play both", () => toggle());
  const time = h("span", {});
  const keys = h("div", { class: "vidnb-keys", hidden: true }, keyList(KEYS));
  const transport = h(
    "div",
    { class: "vidnb-vote-transport" },
    iconButton("back", "One frame back", () => step(-1)),
    playButton,
    iconButton("forward", "One frame on", () => step(1)),
    time,
    h("span", { class: "vidnb-vote-grow" }),
    iconButton("full", "Full screen", () => full()),
    iconButton("help", "Keys", () => toggleKeys()),
  );
  const bar = h("i", {});
  const number = h("span", { class: "vidnb-vote-number" });
  const said = h("span", { class: "vidnb-muted", role: "status" });
  const showButton = h("button", { type: "button", onclick: () => send(model, "result") }, "Show result");
  const under = h(
    "div",
    { class: "vidnb-vote-under" },
    h("span", { class: "vidnb-vote-bar", "aria-hidden": "true" }, bar),
    number,
    said,
    h("span", { class: "vidnb-vote-grow" }),
    h("button", { type: "button", onclick: () => send(model, "undo") }, "Undo last"),
    h("button", { type: "button", onclick: () => send(model, "skip") }, "Skip pair"),
    showButton,
    h("span", { class: "vidnb-muted" }, `Voting as ${head.voter}`),
  );
  const counted = h("p", {});
  const booth = h(
    "div",
    { class: "vidnb-vote-booth", style: { display: "contents" } },
    stage,
    answers,
    track,
    transport,
    keys,
    under,
  );
  const result = h("div", { class: "vidnb-vote-result", hidden: true });
  root.append(
    h(
      "header",
      { class: "vidnb-vote-head" },
      h("h3", { dir: "auto" }, head.question),
      h("p", { dir: "auto" }, head.prompt),
      counted,
      badges(head),
    ),
    booth,
    result,
  );

  const longest = () => (videos[0].duration >= videos[1].duration ? 0 : 1);
  const lead = () => videos[longest()];
  const other = () => videos[1 - longest()];
  const isPlaying = () => root.dataset.state === "ready" && !lead().paused;

  function draw() {
    const votes = model.get("votes");
    const wanted = toGo === null ? head.wanted : votes + toGo;
    number.textContent = progressWords(votes, model.get("_people"), wanted, enough);
    bar.style.width = `${Math.min(100, (100 * votes) / Math.max(wanted, 1))}%`;
    showButton.className = enough ? "vidnb-primary" : "";
  }

  function fit() {
    if (!pair?.clips) return;
    const most = Math.max(160, Math.min(520, innerHeight * 0.6));
    const wide = (at) => screens[at].clientWidth || 320;
    // As high as the lower one of the two can be: the sizes that services have must not tell which clip is whose.
    const high = Math.min(...pair.clips.map((clip, at) => screenSize(clip, wide(at), most).seen));
    pair.clips.forEach((clip, at) => {
      const size = screenSize(clip, wide(at), high);
      Object.assign(videos[at].style, {
        width: `${size.width}px`,
        height: `${size.full}px`,
        marginTop: `${-size.hidden}px`,
      });
      screens[at].style.height = `${size.seen}px`;
    });
  }

  function drop() {
    for (const video of videos) {
      video.pause();
      video.removeAttribute("src");
      video.load();
    }
    blobs.forEach((blob) => URL.revokeObjectURL(blob));
    blobs = [];
  }

  hear("pair", (content) => {
    drop();
    pair = content;
    said.textContent = content.said;
    announce(content.said);
    enough = false;
    toGo = null;
    draw();
    root.dataset.state = content.number ? "loading" : "over";
    for (const button of answers.querySelectorAll("button")) button.disabled = !content.number;
    if (!content.number) return;
    fit();
    const urls = content.clips.map(({ path }) => servedUrl(path));
    if (urls.every(Boolean)) urls.forEach((url, at) => load(at, url));
    else send(model, "bytes", { number: content.number });
  });

  hear("bytes", ({ id, place, ...content }, [piece]) => {
    if (!id.startsWith(`${pair?.number}-`)) return;
    const all = pieces.take(id, content, piece);
    if (!all) return;
    const url = URL.createObjectURL(new Blob(/** @type {any} */ (all), { type: "video/mp4" }));
    blobs.push(url);
    load(place, url);
  });

  hear("enough", (content) => {
    enough = content.enough;
    toGo = content.to_go;
    draw();
  });

  function load(at, url) {
    const { number: mine } = pair;
    const video = videos[at];
    video.onerror = () => pair?.number === mine && video.getAttribute("src") && send(model, "broken", { number: mine });
    // Both appear at once: which one came first would tell where it came from.
    video.onloadeddata = () => {
      if (pair?.number !== mine || videos.some(({ readyState }) => readyState < 2)) return;
      root.dataset.state = "ready";
      since = performance.now();
      fit();
      const waits = pair.clips.some((clip) => clip.waits);
      if (waits) said.textContent = "A clip of this pair flashes: Space plays it.";
      if (!waits && !stillPlease()) start();
      drawTime();
    };
    video.src = url;
    video.load();
  }

  function start() {
    for (const video of videos) video.currentTime = 0;
    play();
  }
  function play() {
    if (lead().ended) for (const video of videos) video.currentTime = 0;
    for (const video of videos) if (video.currentTime < video.duration) video.play().catch(() => {});
  }
  function pause() {
    for (const video of videos) video.pause();
    // Each comes to rest a little later than it was told; both are put on one moment.
    const at = lead().currentTime;
    for (const video of videos) video.currentTime = Math.min(at, video.duration || 0);
  }
  const toggle = () => (isPlaying() ? pause() : play());

  function step(frames) {
    pause();
    const fps = pair?.clips?.[longest()].fps || 24;
    const at = Math.min(Math.max(0, lead().currentTime + frames / fps), Math.max(0, lead().duration - 1 / fps));
    for (const video of videos) video.currentTime = Math.min(at, video.duration || 0);
  }
  function full() {
    if (document.fullscreenElement) document.exitFullscreen();
    else root.requestFullscreen?.().catch(() => {});
  }
  function toggleKeys() {
    keys.hidden = !keys.hidden;
  }

  function drawTime() {
    const { currentTime, duration } = lead();
    const playing = isPlaying();
    const label = playing ? "Pause both" : "Play both";
    if (playButton.getAttribute("aria-label") !== label) {
      playButton.replaceChildren(icon(playing ? "pause" : "play"));
      playButton.setAttribute("aria-label", label);
      playButton.title = label;
    }
    const seconds = duration || 0;
    const words = `${currentTime.toFixed(2)} / ${seconds.toFixed(2)} s`;
    if (time.textContent === words) return;
    time.textContent = words;
    track.value = String(seconds ? currentTime / seconds : 0);
    track.style.setProperty("--at", track.value);
    track.setAttribute("aria-valuetext", `${currentTime.toFixed(2)} of ${seconds.toFixed(2)} seconds`);
  }

  function tick() {
    raf = requestAnimationFrame(tick);
    if (root.dataset.state !== "ready") return;
    if (lead().ended) start();
    else if (!lead().paused) {
      const at = lead().currentTime;
      const late = at - other().currentTime;
      if (other().duration > at && Math.abs(late) > ADRIFT_S && !other().seeking) other().currentTime = at;
    }
    drawTime();
  }

  track.addEventListener(
    "input",
    () => {
      for (const video of videos) video.pause();
      const at = Number(track.value) * (lead().duration || 0);
      for (const video of videos) video.currentTime = Math.min(at, video.duration || 0);
    },
    { signal },
  );

  function choose(value) {
    if (root.dataset.state !== "ready" || performance.now() - since < DEAF_MS) return;
    const { number: mine } = pair;
    root.dataset.state = "loading";
    if (!send(model, "answer", { number: mine, answer: value })) {
      root.dataset.state = "over";
      said.textContent = "No kernel is running, so votes are not kept. Run this cell again; your votes are there.";
      for (const button of answers.querySelectorAll("button")) button.disabled = true;
    }
  }

  root.tabIndex = -1;
  root.addEventListener(
    "keydown",
    (event) => {
      const target = /** @type {HTMLElement} */ (event.target);
      const found = voteKey(event);
      if (!found || result.contains(target) || !result.hidden) return;
      if (target === track && found.action) return;
      if (found.action === "play" && target.closest("button")) return;
      event.preventDefault();
      if (event.repeat) return;
      if (found.answer) return choose(found.answer);
      const actions = {
        play: toggle,
        back: () => step(-1),
        on: () => step(1),
        undo: () => send(model, "undo"),
        skip: () => send(model, "skip"),
        full,
        keys: toggleKeys,
      };
      actions[found.action]();
    },
    { signal },
  );

  hear("result", (content) => {
    pause();
    if (content.error) {
      said.textContent = content.error;
      return;
    }
    const { first, rest, side, rows, by } = content;
    const place = chartPlaces(rows);
    counted.textContent = content.counted;
    const range = (row) =>
      h(
        "span",
        {
          class: "vidnb-vote-range",
          role: "img",
          "aria-label": `strength ${row.strength.toFixed(1)}, between ${row.low.toFixed(1)} and ${row.high.toFixed(1)}`,
        },
        h("i", {}),
      );
    const line = (row) => {
      const chart = range(row);
      for (const [name, value] of Object.entries({ zero: 0, low: row.low, high: row.high, mean: row.strength }))
        chart.style.setProperty(`--${name}`, place(value));
      return h(
        "tr",
        {},
        h("th", { scope: "row", dir: "auto" }, row.item),
        [row.won, row.even, row.lost].map((count) => h("td", {}, count)),
        h("td", { class: "vidnb-vote-chart" }, chart),
      );
    };
    const sentence = [first, rest].filter(Boolean).join(" ");
    const copy = h(
      "button",
      {
        type: "button",
        onclick: async () => {
          await navigator.clipboard?.writeText(sentence).catch(() => {});
          copy.textContent = "Copied";
        },
      },
      "Copy sentence",
    );
    const back = h("button", { type: "button", class: "vidnb-primary", onclick: () => leaveResult() }, "Vote on");
    const scale = h("span", { class: "vidnb-vote-scale" }, h("span", {}, "weaker"), h("span", {}, "stronger"));
    result.replaceChildren(
      h("p", {}, h("strong", {}, first), " ", rest),
      h(
        "table",
        {},
        h(
          "thead",
          {},
          h(
            "tr",
            {},
            [by, "won", "even", "lost"].map((word) => h("th", { scope: "col" }, word)),
            h("td", { class: "vidnb-vote-chart" }, scale),
          ),
        ),
        h("tbody", {}, rows.map(line)),
      ),
      h(
        "p",
        { class: "vidnb-vote-fine" },
        `Dot: strength, the line at 0 is the average; bar: 95 % interval. ${side}`,
        content.circle ? "" : " No circle (A over B, B over C, C over A).",
        " The clips were shown as ordinary videos, which may be one frame apart.",
      ),
      h("div", { class: "vidnb-vote-under" }, back, copy),
    );
    result.hidden = false;
    booth.style.display = "none";
    announce(sentence);
    back.focus();
  });

  function leaveResult() {
    result.hidden = true;
    counted.textContent = "";
    booth.style.display = "contents";
    fit();
    if (root.dataset.state === "ready" && !stillPlease()) play();
    /** @type {HTMLElement} */ (answers.querySelector("button"))?.focus();
  }

  watch("votes", draw);
  watch("_people", draw);
  const sizes = new ResizeObserver(fit);
  sizes.observe(stage);
  draw();
  tick();
  root.dataset.state = "loading";
  send(model, "begin");
  return () => {
    cancelAnimationFrame(raf);
    sizes.disconnect();
    for (const video of videos) video.onerror = video.onloadeddata = null;
    drop();
    part.end();
  };
}

export default { render };
