/* Paints frames into the cells, and two clips onto the stage. */

import { fitted, seenPart } from "./places.js";

const sizeOf = (picture) => [
  picture.displayWidth ?? picture.videoWidth ?? picture.width,
  picture.displayHeight ?? picture.videoHeight ?? picture.height,
];

/** @param {CompareView} it the view that the functions belong to */
export function paintingOf(it) {
  const { stageCanvas } = it.el;

  /** Paint a picture, or a part of it, where the zoom says. */
  function paintInto(canvas, picture, [sx, sy, sw, sh], width, height) {
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    const seen = seenPart(it.view);
    canvas
      .getContext("2d", { alpha: false })
      .drawImage(picture, sx + seen.x * sw, sy + seen.y * sh, sw * seen.size, sh * seen.size, 0, 0, width, height);
  }

  function paint(cell, picture, source) {
    const [width, height] = sizeOf(picture);
    const part_ = source ?? [0, 0, width, height];
    const shown = cell.el.clientWidth * Math.min(devicePixelRatio || 1, 2);
    const { width_px, height_px } = cell.told.measures;
    const across = Math.max(2, Math.round(Math.min(width_px, Math.max(shown, 64))));
    paintInto(cell.canvas, picture, part_, across, Math.max(2, Math.round((across * height_px) / width_px)));
  }

  function tileOf({ tiles, columns, width, height }, frame, frames) {
    const tile = frames > 1 ? Math.round((frame * (tiles - 1)) / (frames - 1)) : 0;
    return [(tile % columns) * width, Math.floor(tile / columns) * height, width, height];
  }

  /** A full frame has come: into its cell, or onto its side of the stage. */
  function drawn(clip, picture, frame) {
    const { cell } = clip;
    cell.drawnFrame = frame;
    cell.full = true;
    if (it.isTwo()) keep(cell, picture);
    else paint(cell, picture);
  }

  /** The small frame stands for the full one until that has come. */
  function small(clip, frame) {
    const { cell } = clip;
    if (!cell.strip) return;
    cell.drawnFrame = frame;
    cell.full = false;
    const source = tileOf(cell.strip, frame, clip.film.times.length);
    if (it.isTwo()) {
      keep(cell, cell.strip.picture, source);
      composite();
    } else paint(cell, cell.strip.picture, source);
  }

  /** Paint a cell anew after its size or the zoom changed. */
  function repaint(cell) {
    if (cell.clip.shown === undefined && !cell.strip && cell.poster) paint(cell, cell.poster);
    cell.clip.drawnAt = undefined;
    it.conduct.stir();
  }

  function keep(cell, picture, source) {
    const { width_px: width, height_px: height } = cell.told.measures;
    cell.kept ??= new OffscreenCanvas(width, height);
    const [w, h_] = sizeOf(picture);
    cell.kept.getContext("2d", { alpha: false }).drawImage(picture, ...(source ?? [0, 0, w, h_]), 0, 0, width, height);
  }

  function presented() {
    if (it.isTwo()) composite();
    it.drawTime();
  }

  function rested() {
    it.root.dataset.rested = String(it.conduct.state.beat);
  }

  /** Put the two clips on the stage, pixel by pixel of the same two frames. */
  function composite() {
    const [left, right] = [it.cells[it.leftAt()], it.clipAt(it.view.chosen)];
    if (!left?.kept || !right?.kept) return;
    const { width_px: width, height_px: height } = left.told.measures;
    if (stageCanvas.width !== width || stageCanvas.height !== height) Object.assign(stageCanvas, { width, height });
    const context = stageCanvas.getContext("2d", { alpha: false });
    const seen = seenPart(it.view);
    const put = (cell) => {
      const { width: w, height: h_ } = cell.kept;
      const at = fitted(w, h_, width, height);
      context.drawImage(
        cell.kept,
        seen.x * w,
        seen.y * h_,
        w * seen.size,
        h_ * seen.size,
        at.x,
        at.y,
        at.width,
        at.height,
      );
    };
    context.globalCompositeOperation = "source-over";
    context.globalAlpha = 1;
    context.fillStyle = "#000";
    context.fillRect(0, 0, width, height);
    if (it.view.mode === "blink") {
      put(it.view.blink === "left" ? left : right);
      return;
    }
    if (it.view.mode === "wipe") {
      put(right);
      context.save();
      context.beginPath();
      context.rect(0, 0, Math.round((width * it.view.line) / 100), height);
      context.clip();
      context.fillRect(0, 0, width, height);
      put(left);
      context.restore();
      return;
    }
    put(left);
    if (it.view.mode === "overlay") {
      context.globalAlpha = 1 - it.view.balance / 100;
      put(right);
      context.globalAlpha = 1;
      return;
    }
    context.globalCompositeOperation = "difference";
    put(right);
    context.globalCompositeOperation = "lighter"; // each time the picture is added to itself it is twice as strong
    for (let by = 1; by < it.view.gain; by *= 2) context.drawImage(stageCanvas, 0, 0);
    context.globalCompositeOperation = "source-over";
  }

  return { paintInto, paint, tileOf, drawn, small, repaint, keep, presented, rested, composite };
}
