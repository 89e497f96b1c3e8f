/* A clip as an ordinary video, for pages that may not decode. */
import { lastBefore } from "./timeline.js";

/** A clip as an ordinary video, drawn as it is: for pages that may not decode. It follows, it does not obey.
 * @param {{table: {times: number[]}, url: string, place: HTMLElement, failed: (error: Error) => void}} film */
export function videoReel({ table, url, place: home, failed }) {
  const video = h("video", { muted: true, playsinline: true, preload: "auto", "aria-hidden": "true", tabindex: "-1" });
  video.muted = true;
  const frames = table.times.length;
  let seen = -1;
  let wanted = null;
  let callback = 0;
  const middle = (frame) => (table.times[frame] + (table.times[frame + 1] ?? table.times[frame] + 0.04)) / 2;
  const told = (_, { mediaTime }) => {
    seen = lastBefore(table.times, mediaTime + 1e-4);
    watch();
  };
  const watch = () => {
    callback = video.requestVideoFrameCallback?.(told) ?? 0;
  };
  video.onerror = () => failed(new Error(video.error?.message ?? "it does not play"));
  video.onseeked = () => {
    if (!video.requestVideoFrameCallback) seen = lastBefore(table.times, video.currentTime);
    if (wanted !== null) jump();
  };
  function jump() {
    const frame = wanted;
    wanted = null;
    video.currentTime = middle(frame);
  }
  home.append(video);
  video.src = url;
  watch();
  return {
    exact: false,
    video,
    seek({ frame }) {
      if (seen !== frame || video.seeking) {
        wanted = frame;
        if (!video.seeking && video.readyState > 0) jump();
        else video.addEventListener("loadedmetadata", () => wanted !== null && jump(), { once: true });
      }
      return seen === frame && !video.seeking;
    },
    at: ({ frame }) => (seen === frame && !video.seeking && video.readyState > 1 ? video : undefined),
    has: ({ frame }) => seen === frame && !video.seeking && video.readyState > 1,
    get frames() {
      return frames;
    },
    get seen() {
      return seen;
    },
    timeOf: middle,
    rest() {
      video.pause();
    },
    end() {
      if (callback) video.cancelVideoFrameCallback(callback);
      video.onerror = video.onseeked = null;
      video.pause();
      video.removeAttribute("src");
      video.load();
      video.remove();
    },
  };
}
