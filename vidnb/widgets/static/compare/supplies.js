/* What a clip needs to be shown, from the server or else from the kernel. */

/** After this long without a further piece of a video the page asks for it again. */
const STALLED_MS = 10_000;

/** Brings what a cell needs: poster, table of pictures, small frames, and the bytes, from the server or else the kernel. */
export function supplies({ model, hear, signal }, cells, came) {
  const pieces = gatherer();
  const asked = { poster: new Set(), film: new Set(), strip: new Set() };
  let timer = 0;

  function ask(what, wanted) {
    const ats = wanted.filter((at) => !asked[what].has(at));
    if (!ats.length) return;
    ats.forEach((at) => asked[what].add(at));
    send(model, "want", { what, ats });
  }

  async function bitmap(bytes) {
    try {
      return await createImageBitmap(new Blob([bytes], { type: "image/webp" }));
    } catch {
      return null;
    }
  }

  async function fetched(url) {
    try {
      const reply = await fetch(url, { signal });
      return reply.ok ? new Uint8Array(await reply.arrayBuffer()) : null;
    } catch {
      return null;
    }
  }

  hear("posters", async ({ ats }, buffers) => {
    for (const [index, at] of ats.entries()) {
      const picture = buffers[index]?.byteLength ? await bitmap(buffers[index]) : null;
      if (picture && cells()[at]) came.poster(at, picture);
    }
  });
  hear("strip", async ({ at, tiles, columns, width, height }, [bytes]) => {
    const picture = await bitmap(bytes);
    if (picture && cells()[at]) came.strip(at, { picture, tiles, columns, width, height });
  });
  hear("film", async ({ at, id, table, video }) => {
    const cell = cells()[at];
    if (!cell || cell.told.id !== id) return;
    const url = servedUrl(video);
    const bytes = url ? await fetched(url) : null;
    if (signal.aborted) return;
    cell.table = table;
    if (bytes) came.film(at, table, bytes);
    else bytesFromKernel(at, id);
  });
  function bytesFromKernel(at, id) {
    send(model, "want", { what: "bytes", ats: [at] });
    const again = () => {
      if (!signal.aborted && cells()[at]?.told.id === id && !cells()[at].bytes && !pieces.has(id))
        send(model, "want", { what: "bytes", ats: [at] });
    };
    timer = setTimeout(again, STALLED_MS);
  }
  hear("video", (content, [piece]) => {
    const cell = cells()[content.at];
    if (!cell || cell.told.id !== content.id || cell.bytes) return;
    const whole = pieces.take(content.id, content, piece);
    if (!whole) return;
    const all = new Uint8Array(whole.reduce((sum, one) => sum + one.byteLength, 0));
    let offset = 0;
    for (const one of whole) {
      all.set(new Uint8Array(one.buffer, one.byteOffset, one.byteLength), offset);
      offset += one.byteLength;
    }
    came.film(content.at, cell.table, all);
  });
  hear("gone", ({ at, id }) => cells()[at]?.told.id === id && came.gone(at));
  return { ask, forget: (at) => Object.values(asked).forEach((set) => set.delete(at)), end: () => clearTimeout(timer) };
}
