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

  /** @param {HTMLElement} gallery */
  const wake = (gallery) => {
    gallery.dataset.vidnbAwake = "";
    const head = /** @type {HTMLElement} */ (gallery.querySelector("[data-vidnb-head]"));
    const tiles = /** @type {HTMLElement[]} */ ([...gallery.querySelectorAll("figure[data-vidnb-id]")]);
    /** @type {Set<HTMLElement>} */
    const chosen = new Set();
    const button =
      "font:inherit;color:inherit;border:0;border-radius:6px;min-height:28px;padding:2px 12px;cursor:pointer;background:rgba(128,128,128,.2)";
    const filled = `${button};background:#1769c4;color:#fff;font-weight:600`;
    const count = made(document.createElement("span"), "", "");
    const side = made(document.createElement("button"), "Compare", filled);
    const copy = made(document.createElement("button"), "Copy code", button);
    const none = made(document.createElement("button"), "×", button);
    none.setAttribute("aria-label", "Choose none");
    const bar = made(document.createElement("span"), "", "display:none;flex-wrap:wrap;gap:8px;align-items:center");
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
        box.style.opacity = on || tile.matches(":hover, :focus-within") ? "1" : "0";
        const picture = /** @type {HTMLElement} */ (tile.firstElementChild);
        picture.style.boxShadow = on ? "0 0 0 3px #1769c4" : "";
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
    copy.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(code());
        copy.textContent = "Copied";
      } catch {
        copy.textContent = code();
      }
    });
    none.addEventListener("click", () => {
      chosen.clear();
      draw();
    });
    const close = () => stage.replaceChildren();
    // Side by side without a kernel: plain videos that begin each turn together. The kernel's view is exact to a frame.
    side.addEventListener("click", () => {
      stop(playing);
      const films = tiles.filter((tile) => chosen.has(tile)).flatMap((tile) => tile.querySelector("video") ?? []);
      const videos = films.map((film) => {
        const video = /** @type {HTMLVideoElement} */ (film.cloneNode());
        Object.assign(video, { controls: false, loop: false, muted: true, preload: "auto" });
        video.style.boxShadow = "";
        return video;
      });
      const begin = () => {
        for (const video of videos) {
          video.currentTime = 0;
          video.play().catch(() => {});
        }
      };
      const go = made(document.createElement("button"), still() ? "Play" : "Pause", filled);
      const end = made(document.createElement("button"), "Close", button);
      const exact = made(document.createElement("code"), code(), "overflow-wrap:anywhere");
      const line = made(
        document.createElement("div"),
        "",
        "display:flex;flex-wrap:wrap;gap:8px;align-items:center;margin:0 0 12px",
      );
      const note = made(
        document.createElement("span"),
        "Ordinary videos, perhaps a frame apart. Exact: ",
        "opacity:.8",
      );
      note.append(exact);
      line.append(go, end, note);
      const grid = made(
        document.createElement("div"),
        "",
        "display:grid;grid-template-columns:repeat(auto-fit,minmax(min(260px,100%),1fr));gap:10px 12px;margin:8px 0",
      );
      videos.forEach((video, at) => {
        const figure = made(document.createElement("figure"), "", "margin:0;min-width:0");
        const named = made(document.createElement("figcaption"), films[at].getAttribute("aria-label") ?? "", "");
        figure.append(video, named);
        grid.append(figure);
        video.addEventListener("ended", () => {
          if (videos.every((one) => one.ended)) begin();
        });
      });
      go.addEventListener("click", () => {
        const stopping = go.textContent === "Pause";
        for (const video of videos) stopping ? video.pause() : !video.ended && video.play().catch(() => {});
        go.textContent = stopping ? "Play" : "Pause";
      });
      end.addEventListener("click", close);
      stage.replaceChildren(grid, line);
      if (!still()) begin();
      go.focus();
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
      nothing.style.display = left ? "none" : "";
      nothing.textContent = left ? "" : `No clip here has “${filter.value.trim()}”.`;
    });
    filter.addEventListener("keydown", (event) => {
      event.stopPropagation();
      if (event.key !== "Escape") return;
      filter.value = "";
      filter.dispatchEvent(new Event("input"));
    });

    tiles.forEach((tile) => {
      const box = document.createElement("input");
      box.type = "checkbox";
      box.tabIndex = -1;
      box.setAttribute("aria-label", "Choose this clip");
      box.style.cssText =
        "position:absolute;top:6px;left:6px;width:18px;height:18px;margin:0;accent-color:#1769c4;cursor:pointer;opacity:0";
      box.addEventListener("change", () => choose(tile));
      tile.append(box);
      const video = tile.querySelector("video");
      const target = /** @type {HTMLElement} */ (tile.firstElementChild);
      target.tabIndex = 0;
      let timer = 0;
      const may = () => video && !still() && !("vidnbWaits" in tile.dataset);
      if (video) {
        video.controls = false;
        video.style.cursor = "pointer";
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
