/* What comes for a cell: its poster, its small frames, and its film, decoded here or played as a video. */

import { decodedReel } from "../sync/decoded.js";
import { cannotDecode, filmTable } from "../sync/film.js";
import { videoReel } from "../sync/video.js";

const WHY_VIDEO = {
  https:
    "This page is not on https, so the clips play as ordinary videos and may be one frame apart. Pause for an exact look.",
  browser:
    "This browser cannot decode these frames, so the clips play as ordinary videos and may be one frame apart. Pause for an exact look.",
};

/** @param {CompareView} it the view that the functions belong to */
export function arrivalsOf(it) {
  const { notices, quiet } = it.el;

  function poster(at, picture) {
    const cell = it.cells[at];
    if (!cell.clip) {
      picture.close();
      return;
    }
    cell.poster = picture;
    if (cell.clip.shown === undefined && !(cell.strip && it.line() && it.conduct.state.beat > 0))
      it.paint(cell, picture);
    it.drawMap();
  }

  function strip(at, told) {
    const cell = it.cells[at];
    if (!cell.clip) {
      told.picture.close();
      return;
    }
    cell.strip = told;
    if (cell.clip.shown === undefined && it.conduct.state.beat > 0)
      it.small(cell.clip, it.line().frame(cell.clip.film, it.conduct.state.beat));
  }

  async function film(at, told, bytes) {
    const cell = it.cells[at];
    if (!cell?.clip || cell.bytes) return;
    cell.bytes = bytes;
    const { clip } = cell;
    const size = cell.told.measures;
    const failed = () => {
      if (clip.reel?.exact) {
        clip.reel = null;
        asVideo(cell, "browser");
      } else {
        clip.reel = null;
        cell.gone = true;
        notice(`${cell.told.name}: this browser cannot play it. Copy recipe and download still work.`);
        it.drawCell(cell);
      }
    };
    const problem = told ? await cannotDecode(filmTable(told), size) : "browser";
    if (it.signal.aborted || it.cells[at]?.clip !== clip) return;
    clip.failed = failed;
    if (told) {
      cell.ready = filmTable(told);
      clip.film = {
        ...clip.film,
        times: cell.ready.times,
        duration_s: Math.max(cell.ready.times.at(-1) ?? 0, size.duration_s),
      };
    } else cell.ready = { times: clip.film.times };
    // One ordinary video among decoded clips would hold them all to its pace: then all are ordinary ones.
    if (problem || it.why) asVideo(cell, problem || it.why);
    else clip.reel = decodedReel({ table: cell.ready, size, bytes, failed });
    it.conduct.set({ clips: it.conduct.state.clips });
    it.see(cell);
    it.drawTransport();
    it.root.dataset.films = String(it.cells.filter((one) => one.clip?.reel).length);
  }

  function asVideo(cell, problem) {
    if (!it.why) {
      it.why = problem;
      notice(WHY_VIDEO[problem]);
      for (const other of it.cells)
        if (other.clip?.reel?.exact) {
          other.clip.reel.end();
          other.clip.reel = null;
          asVideo(other, problem);
        }
    }
    cell.url ??= URL.createObjectURL(new Blob([cell.bytes], { type: "video/mp4" }));
    cell.clip.reel = videoReel({ table: cell.ready, url: cell.url, place: quiet, failed: cell.clip.failed });
    it.conduct.stir();
  }

  function gone(at) {
    it.cells[at].gone = true;
    it.drawCell(it.cells[at]);
    if (at === it.view.chosen) it.drawChosen();
  }

  function notice(words) {
    if (![...notices.children].some(({ textContent }) => textContent === words))
      notices.append(h("p", { class: "vidnb-notice" }, icon("warn", 16), h("span", {}, words)));
  }

  return { poster, strip, film, asVideo, gone, notice };
}
