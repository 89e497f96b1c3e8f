/* The small pictures of inputs and clips. */

/** The small pictures of inputs and clips that a view shows; the kernel is asked for what this page has not seen. */
export class Looks {
  constructor(model) {
    this.model = model;
    this.known = new Map();
    this.asked = new Set();
    this.waiting = new Map();
  }
  /** Remember the look of a key; an older one is let go. */
  keep(key, look) {
    const old = this.known.get(key);
    if (old?.url && old.url !== look.url) URL.revokeObjectURL(old.url);
    this.known.set(key, look);
    (this.waiting.get(key) ?? []).forEach((draw) => draw(look));
    this.waiting.delete(key);
  }
  want(key, draw, ask) {
    const look = this.known.get(key);
    if (look) {
      draw(look);
      return;
    }
    this.waiting.set(key, [...(this.waiting.get(key) ?? []), draw]);
    if (this.asked.has(key)) return;
    this.asked.add(key);
    ask();
  }
  show(field, item, picture, facts) {
    const draw = (look) => {
      const video = look.url && look.type?.startsWith("video/");
      const image = look.url && !look.type?.startsWith("audio/");
      const shown = video
        ? h("video", { src: look.url, preload: "metadata", "aria-hidden": "true" })
        : image
          ? h("img", { src: look.url, alt: "" })
          : icon(field.what === "audio" ? "sound" : "image", 20);
      if (video) shown.muted = true;
      const plain = () => picture.replaceChildren(icon("image", 20));
      shown.addEventListener("error", plain, { once: true });
      shown.addEventListener(
        "load",
        () => {
          if (look.isLocal) facts.textContent = `${shown.naturalWidth} × ${shown.naturalHeight}, ${look.text}`;
        },
        { once: true },
      );
      picture.replaceChildren(shown);
      facts.textContent = look.text;
    };
    picture.replaceChildren(icon(field.what === "audio" ? "sound" : "image", 20));
    this.want(item.key, draw, () => send(this.model, "look", { field: field.name, key: item.key }));
  }
  poster(clip, picture) {
    this.want(
      `clip ${clip}`,
      (look) => {
        if (look.url) picture.src = look.url;
      },
      () => send(this.model, "poster", { clip }),
    );
  }
  /** What the kernel sent. */
  arrived(key, text, buffer) {
    const size = buffer?.byteLength ?? 0;
    const url = size
      ? URL.createObjectURL(new Blob([buffer], { type: "image/webp" }))
      : (this.known.get(key)?.url ?? "");
    const type = size ? "image/webp" : (this.known.get(key)?.type ?? "");
    this.keep(key, { url, type, text });
  }
  /** Let go of what is shown no more. */
  forget(keys) {
    for (const [key, { url }] of this.known) {
      if (key.startsWith("clip ") || keys.has(key)) continue;
      if (url) URL.revokeObjectURL(url);
      this.known.delete(key);
      this.asked.delete(key);
    }
  }
  end() {
    for (const { url } of this.known.values()) if (url) URL.revokeObjectURL(url);
    this.known.clear();
  }
}
