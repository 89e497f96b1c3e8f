/* What a page needs to decode a clip frame by frame, and whether it can. */

/** The table of a film's pictures, made handy.
 * @param {{codec: string, description: string, rows: [number, number, number, number][]}} told as Python's `Samples.told`
 * @returns {FilmTable} */
export function filmTable({ codec, description, rows }) {
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
  return { codec, description, rows, order, times, key, until: shown.map(({ at }) => at + 1) };
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
