/* The compare view as a page of its own, with all it needs inside: no kernel, no server, no network. */
import { render } from "./compare.js";

/** The bytes of an element that holds them as base64; it is asked for once and emptied. */
function taken(id) {
  const element = document.getElementById(id);
  const text = element?.textContent?.trim() ?? "";
  element?.remove();
  return text ? Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)) : null;
}

/** A model whose kernel is this page.
 * @param {{traits: object, films: {id: string, table: ?object, strip: ?object}[]}} told */
export function standIn({ traits, films }) {
  const handlers = [];
  const say = (content, buffers = []) => {
    const views = buffers.map((bytes) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength));
    for (const { event, handler } of [...handlers]) if (event === "msg:custom") handler(content, views);
  };
  const answers = {
    poster: (at) => {
      const bytes = taken(`vidnb-poster-${at}`);
      if (bytes) say({ kind: "posters", ats: [at] }, [bytes]);
    },
    film: (at) => say({ kind: "film", at, id: films[at].id, table: films[at].table, video: null }),
    strip: (at) => {
      const bytes = films[at].strip ? taken(`vidnb-strip-${at}`) : null;
      if (bytes) say({ kind: "strip", at, ...films[at].strip }, [bytes]);
    },
    bytes: (at) => {
      const bytes = taken(`vidnb-video-${at}`);
      if (bytes) say({ kind: "video", at, id: films[at].id, part: 0, parts: 1 }, [bytes]);
      else say({ kind: "gone", at, id: films[at].id });
    },
  };
  return {
    get: (name) => traits[name],
    set() {},
    save_changes() {},
    on: (event, handler) => handlers.push({ event, handler }),
    off() {},
    send({ kind, what, ats }) {
      if (kind === "want") for (const at of ats) if (films[at]) setTimeout(() => answers[what]?.(at));
    },
  };
}

const told = document.getElementById("vidnb-told");
if (told) render({ model: standIn(JSON.parse(told.textContent ?? "{}")), el: document.getElementById("vidnb-place") });
