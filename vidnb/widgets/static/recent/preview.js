/* Play on hover: one clip at a time, only one that is known not to flash, and only while it is pointed at. */

import { unload } from "./sources.js";

const HOVER_MS = 150;

/** Previews in the tiles of the strip.
 * @param {AbortSignal} signal ends them all
 * @param {any} sources where the videos come from
 * @param {(place: number) => any} factsAt what the tile at a place says
 * @param {(place: number) => any} tileAt the tile at a place */
export function previews(signal, sources, factsAt, tileAt) {
  /** @type {any} */
  let playing = null; // the one preview: {place, timer, control, video, free}

  function start(place) {
    if (playing?.place === place) return;
    stop();
    const told = factsAt(place);
    if (!told?.model || stillPlease()) return;
    const mine = (playing = {
      place,
      video: null,
      free: null,
      control: new AbortController(),
      timer: setTimeout(() => preview(mine, told), HOVER_MS),
    });
  }

  async function preview(mine, told) {
    const over = () => playing !== mine || signal.aborted;
    if ((await sources.flashes(told.id)) !== false || over()) return; // only a clip that is known not to flash
    for (const byKernel of servedUrl(told.path) ? [false, true] : [true]) {
      const video = h("video", {
        class: "vidnb-preview",
        muted: true,
        loop: true,
        playsinline: true,
        tabindex: "-1",
        "aria-hidden": "true",
        disablepictureinpicture: true,
      });
      video.muted = true;
      try {
        const free = await sources.load(video, told, mine.control.signal, byKernel);
        if (over()) {
          unload(video);
          free();
          return;
        }
        Object.assign(mine, { video, free });
        tileAt(mine.place)?.querySelector(".vidnb-picture").append(video);
        await video.play();
        return;
      } catch {
        if (over()) return;
        release(mine); // the poster stays; the kernel's own bytes are the second try
      }
    }
  }

  function release(mine) {
    if (mine.video) unload(mine.video);
    mine.free?.();
    mine.video = mine.free = null;
  }

  function stop() {
    if (!playing) return;
    const mine = playing;
    playing = null;
    clearTimeout(mine.timer);
    mine.control.abort();
    release(mine);
  }

  /** Stop the preview of this place, if there is one. */
  const stopAt = (place) => {
    if (playing?.place === place) stop();
  };

  return { start, stop, stopAt };
}
