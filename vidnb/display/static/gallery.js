// Lets the galleries of a page play on hover and on focus, and lets clips be chosen. It goes into the HTML as it is, so
// it asks for nothing but what stands there, runs more than once without harm, and leaves plain videos where it is not
// run.
(() => {
  const REST_MS = 150;
  const still = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
  /** @type {HTMLVideoElement | null} */
  let playing = null;

  /** Back to the poster. @param {HTMLVideoElement | null} video */
  const stop = (video) => {
    if (!video) return;
    video.pause();
    video.load();
    if (playing === video) playing = null;
  };

  /** @param {HTMLVideoElement} video */
  const play = (video) => {
    if (playing !== video) stop(playing);
    playing = video;
    video.muted = true;
    video.currentTime = 0;
    video.play().catch(() => {
      if (playing === video) playing = null;
      if (video.error) failed(video);
    });
  };

  /** @param {HTMLElement} tag @param {string} text @param {string} look */
  const made = (tag, text, look) => {
    tag.textContent = text;
    tag.style.cssText = look;
    return tag;
  };

  /** Say below a picture why it does not play, once. @param {HTMLVideoElement} video */
  const failed = (video) => {
    if ("vidnbBroken" in video.dataset) return;
    video.dataset.vidnbBroken = "";
    const said = "It does not play: its file was moved, or not sent along with this page.";
    const line = made(document.createElement("div"), said, "margin:3px 0 0;font-size:12px");
    line.setAttribute("role", "status");
    video.after(line);
  };

  const button =
    "font:inherit;color:inherit;border:0;border-radius:6px;min-height:28px;padding:2px 12px;cursor:pointer;background:rgba(128,128,128,.2)";
  const filled = `${button};background:#1769c4;color:#fff;font-weight:600`;
  const row = "display:flex;flex-wrap:wrap;gap:8px;align-items:center";

  /** A button that puts text on the clipboard; where a page may not, it shows the text. @param {() => string} text */
  const copier = (text) => {
    const copy = made(document.createElement("button"), "Copy code", button);
    copy.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(text());
        copy.textContent = "Copied";
      } catch {
        copy.textContent = text();
      }
    });
    return copy;
  };

  /** A moment in the middle of a frame, where all browsers show that frame. @param {number} at @param {number} fps */
  const midFrame = (at, fps) => (Math.floor(at * fps + 1e-3) + 0.5) / fps;

  /** How fast a clip must go on that is so many seconds ahead of the longest one. @param {number} ahead */
  const pace = (ahead) => (Math.abs(ahead) < 0.012 ? 1 : Math.min(1.1, Math.max(0.9, 1 - 2 * ahead)));

  /** Chosen clips side by side without a kernel: ordinary videos that follow the longest of them.
   * @param {HTMLElement[]} tiles @param {string} code @param {() => void} close */
  const beside = (tiles, code, close) => {
    const films = tiles.flatMap((tile) => tile.querySelector("video") ?? []);
    const fps = Math.max(...tiles.map((tile) => Number(tile.dataset.vidnbFps) || 24));
    const videos = films.map((film) => {
      const video = /** @type {HTMLVideoElement} */ (film.cloneNode());
      Object.assign(video, { controls: false, loop: false, muted: true, preload: "auto", tabIndex: -1 });
      return video;
    });
    const grid = made(
      document.createElement("div"),
      "",
      "display:grid;grid-template-columns:repeat(auto-fit,minmax(min(220px,100%),1fr));gap:10px 12px;margin:8px 0",
    );
    grid.append(
      ...videos.map((video, at) => {
        const figure = made(document.createElement("figure"), "", "margin:0;min-width:0");
        figure.append(
          video,
          made(document.createElement("figcaption"), films[at].getAttribute("aria-label") ?? "", ""),
        );
        return figure;
      }),
    );
    const go = made(document.createElement("button"), "Play", `${filled};min-width:72px`);
    const track = document.createElement("input");
    Object.assign(track, { type: "range", min: "0", max: "1", step: "any", value: "0" });
    track.style.cssText = "flex:1 1 160px;min-width:100px;margin:0";
    track.setAttribute("aria-label", "Time");
    const time = made(document.createElement("span"), "", "font-variant-numeric:tabular-nums");
    const end = made(document.createElement("button"), "Close", button);
    const line = made(document.createElement("div"), "", row);
    line.append(go, track, time, end);
    const note = made(
      document.createElement("div"),
      "These are ordinary videos: while they play, one may be a frame behind another. Paused, all show the same moment (the keys , and . go one frame back and on). For the exact view, with ratings, wipe and difference, run this in a cell:",
      `${row};font-size:12px;opacity:.8;margin:6px 0 12px`,
    );
    note.append(
      made(document.createElement("code"), code, "overflow-wrap:anywhere"),
      copier(() => code),
    );

    const lead = () => videos.reduce((one, other) => (other.duration > one.duration ? other : one));
    /** @param {number} at */
    const seek = (at) => {
      const last = (lead().duration || 0) - 0.5 / fps;
      for (const video of videos) video.currentTime = midFrame(Math.min(Math.max(at, 0), Math.max(last, 0)), fps);
    };
    const stand = () => {
      for (const video of videos) video.pause();
      seek(lead().currentTime);
    };
    const start = () => {
      if (lead().ended) for (const video of videos) video.currentTime = 0;
      for (const video of videos) if (!video.ended) video.play().catch(() => {});
    };
    const toggle = () => (lead().paused && !lead().ended ? start() : stand());
    const draw = () => {
      if (!grid.isConnected) return;
      requestAnimationFrame(draw);
      const first = lead();
      if (first.ended) start();
      for (const video of videos) {
        const ahead = video.currentTime - first.currentTime;
        if (video === first || video.paused) continue;
        if (Math.abs(ahead) > 0.3) video.currentTime = first.currentTime;
        video.playbackRate = pace(ahead);
      }
      go.textContent = first.paused ? "Play" : "Pause";
      time.textContent = `${first.currentTime.toFixed(2)} / ${(first.duration || 0).toFixed(2)} s`;
      if (document.activeElement !== track || !first.paused)
        track.value = String(first.currentTime / (first.duration || 1));
    };
    go.addEventListener("click", toggle);
    end.addEventListener("click", close);
    track.addEventListener("input", () => {
      for (const video of videos) video.pause();
      seek(Number(track.value) * (lead().duration || 0));
    });
    const whole = document.createElement("div");
    whole.append(grid, line, note);
    whole.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const step = { ",": -1, ".": 1 }[event.key];
      if (step) {
        stand();
        seek(lead().currentTime + step / fps);
      } else if (event.key === "k" || event.key === "K" || (event.key === " " && event.target === track)) toggle();
      else if (event.key === "Escape") close();
      else return;
      event.preventDefault();
      event.stopPropagation();
    });
    return { whole, go, start, draw };
  };

  /** @param {HTMLElement} gallery */
  const wake = (gallery) => {
    gallery.dataset.vidnbAwake = "";
    const head = /** @type {HTMLElement} */ (gallery.querySelector("[data-vidnb-head]"));
    const tiles = /** @type {HTMLElement[]} */ ([...gallery.querySelectorAll("figure[data-vidnb-id]")]);
    /** @type {Set<HTMLElement>} */
    const chosen = new Set();
    const touched = matchMedia("(hover: none)").matches;
    /** The picture at which the Tab key enters; the arrows move it. */
    let current = /** @type {HTMLElement} */ (tiles[0].firstElementChild);
    /** @param {HTMLElement} target */
    const enterAt = (target) => {
      current.tabIndex = -1;
      current = target;
      current.tabIndex = 0;
    };
    const count = made(document.createElement("span"), "", "");
    const side = made(document.createElement("button"), "Compare", filled);
    const copy = copier(() => code());
    const none = made(document.createElement("button"), "×", button);
    none.setAttribute("aria-label", "Choose none");
    const bar = made(document.createElement("span"), "", `${row};display:none`);
    count.setAttribute("aria-live", "polite");
    bar.append(count, side, copy, none);
    const whole = /** @type {HTMLElement} */ (head.children[1]);
    whole.after(bar);
    const filter = document.createElement("input");
    const words = "Filter: prompt, tag, note";
    Object.assign(filter, { type: "search", placeholder: words });
    filter.setAttribute("aria-label", "Filter by prompt, tag or note");
    filter.style.cssText =
      "font:inherit;color:inherit;background:transparent;border:1px solid rgba(128,128,128,.7);border-radius:6px;min-height:28px;padding:2px 8px;flex:0 1 220px;min-width:140px;box-sizing:border-box;margin-left:auto";
    head.append(filter);
    const nothing = made(document.createElement("div"), "", "display:none;padding:8px 0");
    nothing.setAttribute("role", "status");
    const stage = document.createElement("div");
    head.after(nothing, stage);

    const draw = () => {
      bar.style.display = chosen.size ? "inline-flex" : "none";
      whole.style.display = chosen.size ? "none" : "";
      count.textContent = chosen.size ? `${chosen.size} chosen` : "";
      const films = [...chosen].filter((tile) => tile.querySelector("video"));
      side.style.display = films.length > 1 ? "" : "none";
      side.textContent = `Compare ${films.length}`;
      copy.textContent = "Copy code";
      for (const tile of tiles) {
        const on = chosen.has(tile);
        const box = /** @type {HTMLInputElement} */ (tile.querySelector("input"));
        box.checked = on;
        box.style.opacity = on || touched || tile.matches(":hover, :focus-within") ? "1" : "0";
        const ring = /** @type {HTMLElement} */ (tile.querySelector("[data-vidnb-ring]"));
        ring.style.borderColor = on ? "#1769c4" : "transparent";
      }
    };
    /** @param {HTMLElement} tile */
    const choose = (tile) => {
      if (!chosen.delete(tile)) chosen.add(tile);
      draw();
    };
    const code = () => {
      const ids = tiles.filter((tile) => chosen.has(tile)).map((tile) => JSON.stringify(tile.dataset.vidnbId));
      return `vidnb.compare([${ids.join(", ")}])`;
    };
    none.addEventListener("click", () => {
      chosen.clear();
      draw();
    });
    const close = () => {
      const inside = stage.contains(document.activeElement);
      stage.replaceChildren();
      if (inside) current.focus();
    };
    side.addEventListener("click", () => {
      stop(playing);
      const films = tiles.filter((tile) => chosen.has(tile) && tile.querySelector("video"));
      const view = beside(films, code(), close);
      stage.replaceChildren(view.whole);
      view.draw();
      if (!still()) view.start();
      view.go.focus();
    });

    /** What a tile is found by. @param {HTMLElement} tile */
    const told = (tile) =>
      `${tile.closest("[data-vidnb-prompt]")?.getAttribute("data-vidnb-prompt")} ${tile.dataset.vidnbSaid ?? ""} ${tile.textContent}`.toLowerCase();
    filter.addEventListener("input", () => {
      const wanted = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
      let left = 0;
      for (const tile of tiles) {
        const fits = wanted.every((word) => told(tile).includes(word));
        tile.style.display = fits ? "" : "none";
        if (fits) left += 1;
      }
      for (const group of /** @type {NodeListOf<HTMLElement>} */ (gallery.querySelectorAll("[data-vidnb-prompt]"))) {
        const seen = [...group.querySelectorAll("figure")].some((tile) => tile.style.display !== "none");
        group.style.display = seen ? "" : "none";
        for (const rest of group.querySelectorAll("details")) rest.open = wanted.length > 0;
      }
      const seen = tiles.find((tile) => tile.offsetParent);
      if (seen && !current.offsetParent) enterAt(/** @type {HTMLElement} */ (seen.firstElementChild));
      nothing.style.display = left ? "none" : "";
      nothing.textContent = left ? "" : `No clip here has “${filter.value.trim()}”.`;
    });
    filter.addEventListener("keydown", (event) => {
      event.stopPropagation();
      if (event.key !== "Escape") return;
      filter.value = "";
      filter.dispatchEvent(new Event("input"));
    });

    const keys = "Keys: arrows move, Enter plays, X chooses, C compares, / filters, Esc chooses none.";
    gallery.append(made(document.createElement("div"), keys, "font-size:12px;opacity:.72;margin:4px 0 0"));
    tiles.forEach((tile) => {
      const box = document.createElement("input");
      box.type = "checkbox";
      box.tabIndex = -1;
      box.setAttribute("aria-label", "Choose this clip");
      box.style.cssText =
        "position:absolute;top:6px;left:6px;width:18px;height:18px;margin:0;accent-color:#1769c4;cursor:pointer;opacity:0";
      box.addEventListener("change", () => choose(tile));
      const video = tile.querySelector("video");
      const target = /** @type {HTMLElement} */ (tile.firstElementChild);
      target.tabIndex = target === current ? 0 : -1;
      // Over the picture: the ring of a chosen clip, and a line that grows while it plays.
      const ring = made(
        document.createElement("div"),
        "",
        `position:absolute;top:0;left:0;right:0;aspect-ratio:${target.style.aspectRatio};box-sizing:border-box;border:3px solid transparent;border-radius:4px;pointer-events:none`,
      );
      ring.dataset.vidnbRing = "";
      const played = made(
        document.createElement("div"),
        "",
        "position:absolute;left:0;bottom:0;height:3px;width:0;background:#fff;box-shadow:0 0 2px #000",
      );
      ring.append(played);
      tile.append(ring, box);
      let timer = 0;
      const may = () => video && !still() && !("vidnbWaits" in tile.dataset);
      if (video) {
        video.controls = false;
        video.style.cursor = "pointer";
        video.addEventListener("timeupdate", () => {
          played.style.width = `${(100 * video.currentTime) / (video.duration || 1)}%`;
        });
        video.addEventListener("emptied", () => {
          played.style.width = "0";
        });
        video.addEventListener("click", () => (playing === video ? stop(video) : play(video)));
      }
      tile.addEventListener("pointerenter", (event) => {
        draw();
        if (video && may() && event.pointerType !== "touch") timer = setTimeout(() => play(video), REST_MS);
      });
      tile.addEventListener("pointerleave", () => {
        clearTimeout(timer);
        if (playing === video) stop(video);
        draw();
      });
      target.addEventListener("focus", () => {
        enterAt(target);
        draw();
        if (video && may() && target.matches(":focus-visible")) play(video);
      });
      target.addEventListener("blur", () => {
        if (playing === video) stop(video);
        draw();
      });
      target.addEventListener("keydown", (event) => {
        if (event.ctrlKey || event.metaKey || event.altKey) return;
        const seen = tiles.filter((one) => one.offsetParent);
        const at = seen.indexOf(tile);
        const across = seen.filter((one) => Math.abs(one.offsetTop - tile.offsetTop) < 4).length;
        const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: across, ArrowUp: -across }[event.key];
        if (step) {
          const next = seen[at + step];
          if (next) /** @type {HTMLElement} */ (next.firstElementChild).focus();
        } else if (event.key === "Enter" || event.key === " ") {
          if (video) playing === video ? stop(video) : play(video);
        } else if (event.key === "x" || event.key === "X") choose(tile);
        else if (event.key === "c" || event.key === "C") side.style.display || side.click();
        else if (event.key === "/") filter.focus();
        else if (event.key === "Escape") {
          close();
          chosen.clear();
          draw();
        } else return;
        event.preventDefault();
        event.stopPropagation();
      });
    });
  };

  for (const gallery of document.querySelectorAll("[data-vidnb-gallery]:not([data-vidnb-awake])")) {
    wake(/** @type {HTMLElement} */ (gallery));
  }
})();
