/* The control for pictures, videos and sounds. */

import { KIND_WORDS, fileProblem, newKey } from "./values.js";

export const PIECE_BYTES = 4 << 20; // a Jupyter server takes messages of up to 10 MB

/** Send a file to the kernel, piece by piece; the kernel knows it by the key. */
export async function sendFile(model, file, key, signal) {
  const count = Math.ceil(file.size / PIECE_BYTES);
  for (let index = 0; index < count; index += 1) {
    const piece = await file.slice(index * PIECE_BYTES, (index + 1) * PIECE_BYTES).arrayBuffer();
    if (signal.aborted) throw new Error("the form was taken away meanwhile");
    send(model, "file", { key, name: file.name, index, count }, [piece]);
  }
}

export function mediaControl(part, field) {
  let now = field;
  const { model, desk, looks } = part.view;
  const word = KIND_WORDS[field.what];
  const held = () => {
    const json = part.value();
    return Array.isArray(json) ? json : [];
  };
  const isFull = () => now.max !== null && held().length >= now.max;
  const tiles = h("div", { class: "vidnb-tiles", role: "list" });
  const file = h("input", {
    type: "file",
    hidden: true,
    tabindex: "-1",
    "aria-hidden": "true",
    onchange: () => {
      take([...file.files]);
      file.value = "";
    },
  });
  const choose = h(
    "button",
    { type: "button", class: "vidnb-small", id: part.id, onclick: () => file.click() },
    icon("image", 14),
    `Choose a ${word}`,
  );
  const place = h("input", {
    type: "text",
    "aria-label": "Path or URL",
    placeholder: "path or URL, then Enter",
    autocomplete: "off",
    spellcheck: "false",
    class: "vidnb-grow",
  });
  const frames = h(
    "button",
    { type: "button", class: "vidnb-small", "aria-expanded": "false", "aria-controls": `${part.id}-frames` },
    "Frame of a clip",
  );
  const menu = h("div", {
    class: "vidnb-frames",
    id: `${part.id}-frames`,
    role: "group",
    "aria-label": "Frame of a clip",
    hidden: true,
  });
  const busy = h("span", { class: "vidnb-muted", role: "status" });
  const zone = h(
    "div",
    { class: "vidnb-zone" },
    h(
      "div",
      { class: "vidnb-row" },
      choose,
      h("span", { class: "vidnb-muted vidnb-fine" }, "or drop or paste it here"),
      busy,
    ),
    h("div", { class: "vidnb-row" }, place, frames),
  );
  const el = h(
    "div",
    { class: "vidnb-media", role: "group", "aria-labelledby": `${part.id}-label` },
    tiles,
    zone,
    menu,
    file,
  );

  const write = (items) => part.put(items.length ? items : null);
  /** Add one item; in a field for one picture it takes the place of the old one.
   * @returns {boolean} false where there is no place for it */
  function add(item) {
    const hasPlace = now.max === 1 || !isFull();
    if (hasPlace) write(now.max === 1 ? [item] : [...held(), item]);
    else part.refuse(`At most ${now.max}: remove one first.`);
    return hasPlace;
  }
  async function read(one) {
    const key = newKey();
    looks.keep(key, { url: URL.createObjectURL(one), type: one.type, text: sizeOfBytes(one.size), isLocal: true });
    await sendFile(model, one, key, part.view.signal);
    if (!add({ key, name: one.name })) throw Object.assign(new Error("no place"), { isTold: true });
  }
  /** Take files over, one after the other. */
  function take(files) {
    const problems = files.map((one) => fileProblem(now, one));
    const good = files.filter((_, at) => !problems[at]).slice(0, now.max === 1 ? 1 : undefined);
    part.refuse(problems.filter(Boolean).join(" "));
    if (!good.length) return;
    busy.textContent = "reading …";
    const reading = good.reduce((before, one) => before.then(() => read(one)), Promise.resolve());
    desk.reading.add(reading);
    reading
      .catch((error) => error.isTold || part.refuse(`It cannot be read: ${error.message}`))
      .finally(() => {
        desk.reading.delete(reading);
        busy.textContent = "";
      });
  }
  function takePlace(text) {
    const clean = text.trim().replace(/^["']|["']$/g, "");
    if (clean) add({ key: newKey(), name: clean, place: clean });
    place.value = "";
  }
  place.addEventListener("keydown", (event) => {
    if (event.key === "Enter") {
      if (!event.ctrlKey && !event.metaKey) event.preventDefault();
      takePlace(place.value);
    }
  });
  place.addEventListener("change", () => takePlace(place.value));

  const openMenu = (isOpen) => {
    menu.hidden = !isOpen;
    frames.setAttribute("aria-expanded", String(isOpen));
    if (isOpen) drawMenu();
  };
  frames.addEventListener("click", () => openMenu(menu.hidden));
  menu.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      event.stopPropagation();
      openMenu(false);
      frames.focus();
    }
  });
  function drawMenu() {
    menu.replaceChildren(
      ...model.get("_clips").map((clip) => {
        const use = (at) => () => {
          openMenu(false);
          add({ key: newKey(), name: `${at} frame of: ${clip.text}`, frame: { clip: clip.id, at } });
        };
        const button = (at, text) =>
          h(
            "button",
            { type: "button", class: "vidnb-small", "aria-label": `${text} frame of ${clip.text}`, onclick: use(at) },
            text,
          );
        const picture = h("img", { alt: "", class: "vidnb-poster" });
        looks.poster(clip.id, picture);
        return h(
          "div",
          { class: "vidnb-frame" },
          picture,
          h("span", { class: "vidnb-clip-text", dir: "auto" }, clip.text),
          button("first", "First"),
          button("last", "Last"),
        );
      }),
    );
  }
  function tile(item) {
    const picture = h("span", { class: "vidnb-look" });
    const facts = h("span", { class: "vidnb-muted vidnb-fine vidnb-number" });
    looks.show(now, item, picture, facts);
    const name = h("span", { class: "vidnb-name", dir: "auto", title: item.name }, item.name);
    const gone = () => {
      write(held().filter((each) => each.key !== item.key));
      choose.focus();
      part.announce("Removed");
    };
    return h(
      "div",
      { class: "vidnb-tile", role: "listitem" },
      picture,
      h("span", { class: "vidnb-what" }, name, facts),
      iconButton("close", `Remove ${item.name}`, gone),
    );
  }
  let drawn = "";
  return {
    el,
    inputs: [choose],
    focus: () => choose.focus(),
    group: true,
    take,
    zone,
    takes: ({ type }) => !type || type.startsWith(`${now.what}/`),
    takePlace,
    set(next) {
      now = next;
      file.accept = next.opens.join(",");
      file.multiple = next.max !== 1;
    },
    show() {
      const items = held();
      // The same picture may be drawn anew for the sake of its facts only.
      if (drawn !== JSON.stringify(items)) tiles.replaceChildren(...items.map(tile));
      drawn = JSON.stringify(items);
      tiles.hidden = !items.length;
      zone.dataset.filled = String(items.length > 0);
      const full = isFull();
      zone.hidden = full && now.max !== 1;
      frames.hidden = now.what !== "image" || !model.get("_clips").length;
      choose.lastChild.textContent = items.length && now.max === 1 ? "Replace it" : `Choose a ${word}`;
      if (frames.hidden && !menu.hidden) openMenu(false);
    },
  };
}
