/* What a page needs to decode a clip frame by frame, and whether it can. */

/** The table of a film's pictures, made handy.
 * @param {{codec: string, description: string, rows: [number, number, number, number][], turn: Turn}} told as Python's
 *   `Samples.as_json`
 * @returns {FilmTable} */
export function filmTable({ codec, description, rows, turn }) {
  const shown = rows
    .map((row, at) => ({ at, us: row[2] }))
    .filter(({ us }) => us >= 0)
    .sort((one, other) => one.us - other.us);
  const order = new Array(rows.length).fill(-1);
  shown.forEach(({ at }, frame) => {
    order[at] = frame;
  });
  const times = shown.map(({ us }) => us / 1e6);
  const key = shown.map(({ at }) => {
    let from = at;
    while (from > 0 && !rows[from][3]) from -= 1;
    return from;
  });
  return { codec, description, rows, turn: turn ?? null, order, times, key, until: shown.map(({ at }) => at + 1) };
}

/** A decoded frame as its file wants it seen; a decoder knows nothing of that. The frame itself is closed.
 * @param {VideoFrame} frame @param {Turn} turn */
export function upright(frame, turn) {
  if (!turn) return frame;
  const [a, b, c, d] = turn;
  const { displayWidth: wide, displayHeight: high } = frame;
  const canvas = new OffscreenCanvas(a ? wide : high, a ? high : wide);
  const pen = canvas.getContext("2d", { alpha: false });
  pen?.setTransform(a, b, c, d, a + c < 0 ? canvas.width : 0, b + d < 0 ? canvas.height : 0);
  pen?.drawImage(frame, 0, 0, wide, high);
  frame.close();
  return canvas.transferToImageBitmap();
}

export const bytesOf = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));

/** How a film is set up for a decoder. */
export function decoderConfig(table, { width_px, height_px }) {
  const config = { codec: table.codec, codedWidth: width_px, codedHeight: height_px, optimizeForLatency: true };
  if (table.description) config.description = bytesOf(table.description);
  return config;
}

/** Whether this page can decode a film frame by frame, and why not.
 * @returns {Promise<"" | "https" | "browser">} */
export async function cannotDecode(table, size) {
  if (!isSecureContext) return "https";
  if (!("VideoDecoder" in globalThis)) return "browser";
  try {
    return (await VideoDecoder.isConfigSupported(decoderConfig(table, size))).supported ? "" : "browser";
  } catch {
    return "browser";
  }
}
