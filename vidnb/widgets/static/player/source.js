/* Where the player gets the video from. */

import { cannotWords } from "./time.js";

/** After this long without an answer the page says that it waits for the kernel, and asks again. */
export const BUSY_MS = 2500;
/** After this long without a further piece of a video the page asks for it again; pauses between them are shorter. */
export const STALLED_MS = 10_000;

/** The poster and the video of a clip: by the Jupyter server's address, else as bytes from the kernel.
 *
 * @param {ModelPart} part
 * @param {HTMLVideoElement} video
 * @param {HTMLImageElement} poster
 * @param {(state: "loading" | "ready" | "unplayable", words: string) => void} told */
export function source({ model, signal, hear }, video, poster, told) {
  const urls = { poster: null, video: null };
  /** @type {any} */
  let clip = null;
  let way = "";
  let timer = 0;
  const pieces = gatherer();

  function drop(name) {
    if (urls[name]) URL.revokeObjectURL(urls[name]);
    urls[name] = null;
  }

  function keep(name, bytes, type) {
    drop(name);
    urls[name] = URL.createObjectURL(new Blob(bytes, { type }));
    return urls[name];
  }

  function clear() {
    clearTimeout(timer);
    video.removeAttribute("src");
    video.load();
    poster.removeAttribute("src");
    poster.hidden = true;
    drop("poster");
    drop("video");
    pieces.drop(clip?.id);
    [clip, way] = [null, ""];
  }

  /** Ask the kernel for what has not come yet; it may have sent it by itself already. */
  function ask() {
    clearTimeout(timer);
    if (!urls.poster) send(model, "want", { what: "poster", id: clip.id });
    if (way !== "asked") return;
    send(model, "want", { what: "video", id: clip.id });
    timer = setTimeout(
      () => way === "asked" && !pieces.has(clip.id) && told("loading", "Waiting for the kernel to send the video."),
      BUSY_MS,
    );
  }

  /** @param {boolean} first whether the view is new; later the kernel sends by itself what is needed */
  function show(next, first) {
    clear();
    clip = next;
    if (!clip) return;
    const url = servedUrl(clip.video);
    way = url ? "served" : "asked";
    told("loading", "");
    if (url) video.src = url;
    if (first) ask();
    else timer = setTimeout(ask, BUSY_MS);
  }

  function failed() {
    if (!clip || !video.getAttribute("src")) return;
    if (way === "served") {
      way = "asked";
      told("loading", "");
      ask();
    } else {
      told("unplayable", cannotWords(clip, true));
    }
  }

  hear("poster", ({ id }, [bytes]) => {
    if (id !== clip?.id || urls.poster || !bytes) return;
    poster.src = keep("poster", [bytes], "image/webp");
    poster.hidden = false;
  });
  hear("video", (content, [piece]) => {
    if (content.id !== clip?.id || way !== "asked") return;
    const whole = pieces.take(clip.id, content, piece);
    if (!whole) {
      clearTimeout(timer);
      timer = setTimeout(ask, STALLED_MS);
      told("loading", "");
      return;
    }
    way = "bytes";
    video.src = keep("video", whole, "video/mp4");
  });
  hear("gone", ({ id }) => id === clip?.id && way === "asked" && told("unplayable", cannotWords(clip, false)));
  video.addEventListener("error", failed, { signal });
  video.addEventListener("loadeddata", () => told("ready", ""), { signal });
  return { show, clear, address: () => video.getAttribute("src") };
}
