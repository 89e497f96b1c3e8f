/* Edits on their way to the kernel. */

import { newKey, sameJson } from "./values.js";

export const SEND_AFTER_MS = 200;

/** @typedef {{number: number, json: any, edit: ?number}} Edit `number` is that of the value from which it began */

export function deskOf(model) {
  const id = model.get("_id");
  if (!FORMS.desks.has(id)) FORMS.desks.set(id, new Desk(model));
  const desk = FORMS.desks.get(id);
  desk.model = model;
  return desk;
}

/** What a form has in this page that its kernel has not confirmed yet; all its views share it. */
export class Desk {
  /** @param {Model} model */
  constructor(model) {
    this.model = model;
  }

  page = newKey().slice(0, 12);
  edit = 0;
  /** @type {Map<string, Edit>} */
  edits = new Map();
  views = new Set();
  reading = new Set();
  timer = 0;

  /** The value of a field: the newest edit made in this page, unless code set another one since. */
  value(field) {
    const [number, json] = this.model.get("_given")[field] ?? [0, null];
    const mine = this.edits.get(field);
    return mine && mine.number === number ? mine.json : json;
  }

  isEdited(field) {
    return this.edits.get(field)?.number === this.model.get("_given")[field]?.[0];
  }

  /** Take an edit over and send it, at once or when the typing rests. */
  put(field, json, soon = false) {
    const [number] = this.model.get("_given")[field] ?? [];
    if (number === undefined || (sameJson(this.value(field), json) && this.isEdited(field))) return;
    this.edits.set(field, { number, json, edit: null });
    clearTimeout(this.timer);
    if (soon) this.timer = setTimeout(() => this.flush(), SEND_AFTER_MS);
    else this.flush();
    this.views.forEach((draw) => draw());
  }

  /** Send what was not sent yet. */
  flush() {
    clearTimeout(this.timer);
    const fresh = [...this.edits].filter(([, edit]) => edit.edit === null);
    if (fresh.length) send(this.model, "edit", this.#number(fresh));
  }

  /** What a click is about, for a message that must not depend on the ones before it: all that the kernel has not
   * confirmed, sent or not, and what a person sees of the form and of the model in this page. */
  async take() {
    const read = await Promise.allSettled([...this.reading]);
    clearTimeout(this.timer);
    this.confirm();
    const models = [...FORMS.pickers]
      .map((shown) => shown())
      .filter(([id]) => id === this.model.get("_id"))
      .map(([, picked]) => picked);
    /** @type {{edits: object, edit: string, models: string[], unread?: boolean, shown?: object}} */
    const seen = { ...this.#number([...this.edits]), models };
    if (read.some(({ status }) => status === "rejected")) seen.unread = true;
    if (!this.views.size) return seen;
    const { model, fields } = this.model.get("_spec");
    models.push(model);
    seen.shown = Object.fromEntries(
      fields.map(({ name }) => [name, [this.model.get("_given")[name]?.[0] ?? 0, this.value(name)]]),
    );
    return seen;
  }

  #number(some) {
    this.edit += 1;
    const edits = {};
    for (const [field, edit] of some) {
      edits[field] = [edit.number, edit.json];
      edit.edit = this.edit;
    }
    return { edits, edit: `${this.page}:${this.edit}` };
  }

  /** Ctrl-Enter; a file that is still being read goes along. */
  async submit() {
    send(this.model, "submit", await this.take());
  }

  /** Go with the last view, unless something here is still on its way. */
  leave() {
    if (!this.views.size && !this.edits.size && !this.reading.size) FORMS.desks.delete(this.model.get("_id"));
  }

  /** Forget the edits that the kernel confirmed or that came too late, for a field that is gone with its model, say. */
  confirm() {
    const given = this.model.get("_given");
    for (const [field, mine] of this.edits) {
      const [number, , edit] = given[field] ?? [];
      const [page, seen] = String(edit).split(":");
      if (number !== mine.number || (page === this.page && mine.edit !== null && Number(seen) >= mine.edit))
        this.edits.delete(field);
    }
  }
}
