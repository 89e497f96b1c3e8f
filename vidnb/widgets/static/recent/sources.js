/* Where videos come from, and whether a clip flashes. */

/** Where videos come from: the address of a file that the server serves, else the kernel; and which flash. */
export function makeSources(model, hear) {
  const known = new Map(); // id -> {flashes}
  const asked = new Map(); // id -> [{done, bytes}]
  const pieces = gatherer();
  const waitsForBytes = (id) => (asked.get(id) ?? []).some((one) => one.bytes);

  hear("video", (content, [piece]) => {
    const { id, error, flashes } = content;
    if (!error) known.set(id, flashes);
    const bytes = piece && waitsForBytes(id) ? pieces.take(id, content, piece) : null;
    const waiting = asked.get(id) ?? [];
    const served = waiting.filter((one) => error || !one.bytes || bytes);
    keepWaiting(
      id,
      waiting.filter((one) => !served.includes(one)),
    );
    for (const one of served) one.done({ error, flashes, bytes });
  });

  function keepWaiting(id, waiting) {
    if (waiting.length) asked.set(id, waiting);
    else asked.delete(id);
    if (!waitsForBytes(id)) pieces.drop(id);
  }

  /** @param {?AbortSignal} over when the bytes are no longer wanted */
  const ask = (id, bytes, over = null) =>
    new Promise((done) => {
      const waiting = asked.get(id) ?? [];
      const mine = { done, bytes };
      asked.set(id, [...waiting, mine]);
      if (!waiting.some((one) => one.bytes || !bytes)) send(model, "video", { id, bytes });
      over?.addEventListener("abort", () => leave(id, mine), { once: true });
    });

  /** Wait no longer; bytes that nobody waits for would keep others from coming. */
  function leave(id, one) {
    const waiting = asked.get(id) ?? [];
    if (!waiting.includes(one)) return;
    keepWaiting(
      id,
      waiting.filter((other) => other !== one),
    );
    if (!waitsForBytes(id)) send(model, "enough", { id });
    one.done({ error: "no longer wanted" });
  }

  return {
    flashes: async (id) => known.get(id) ?? (await ask(id, false)).flashes,
    /** Whether the clip flashes as far as it is known here: true, false or undefined. */
    known: (id) => known.get(id),
    /** Let a video element have its clip; resolves to a function that gives everything back.
     * @param {AbortSignal} over when it is no longer wanted */
    async load(video, facts, over, byKernel = false) {
      const url = byKernel ? null : servedUrl(facts.path);
      if (url) {
        video.src = url;
        return () => {};
      }
      const answer = await ask(facts.id, true, over);
      if (!answer.bytes) throw new Error(answer.error ?? "the clip's bytes did not come");
      const blob = URL.createObjectURL(new Blob(answer.bytes, { type: "video/mp4" }));
      video.src = blob;
      return () => URL.revokeObjectURL(blob);
    },
  };
}

export function unload(video) {
  video.pause();
  video.removeAttribute("src");
  video.load();
  video.remove();
}
