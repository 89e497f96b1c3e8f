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
      video.dataset.vidnbBroken = "";
      if (playing === video) playing = null;
    });
  };

  /** @param {HTMLElement} tag @param {string} text @param {string} look */
  const made = (tag, text, look) => {
    tag.textContent = text;
    tag.style.cssText = look;
    return tag;
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
    const count = made(document.createElement("span"), "", "font-weight:600");
    const copy = made(document.createElement("button"), "Copy code", button);
    const none = made(document.createElement("button"), "×", button);
    none.setAttribute("aria-label", "Choose none");
    const bar = made(document.createElement("span"), "", "display:none;gap:8px;align-items:center;margin-left:auto");
    count.setAttribute("aria-live", "polite");
    bar.append(count, copy, none);
    head.append(bar);

    const draw = () => {
      bar.style.display = chosen.size ? "inline-flex" : "none";
      count.textContent = chosen.size ? `${chosen.size} chosen` : "";
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
    copy.addEventListener("click", async () => {
      const ids = tiles.filter((tile) => chosen.has(tile)).map((tile) => JSON.stringify(tile.dataset.vidnbId));
      const code = `vidnb.compare([${ids.join(", ")}])`;
      try {
        await navigator.clipboard.writeText(code);
        copy.textContent = "Copied";
      } catch {
        copy.textContent = code;
      }
    });
    none.addEventListener("click", () => {
      chosen.clear();
      draw();
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
        else if (event.key === "Escape") {
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
