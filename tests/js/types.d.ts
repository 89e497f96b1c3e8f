/* Words of the widgets' code that JSDoc names; nothing here exists at run time. */

/** anywidget's model: traits and messages. */
interface Model {
  get(name: string): any;
  set(name: string, value: unknown): void;
  save_changes(): void;
  on(event: string, handler: (...given: any[]) => void): void;
  off(event: string, handler: (...given: any[]) => void): void;
  send(content: object, callbacks?: object, buffers?: (ArrayBuffer | DataView)[]): void;
  /** Of hosts that can show one widget inside another, as Jupyter's. */
  widget_manager?: {
    get_model(id: string): Promise<object>;
    create_view(model: object): Promise<{ el: HTMLElement; remove(): void }>;
  };
}

/** What every part gets from `begin`. */
interface Part {
  root: HTMLElement;
  signal: AbortSignal;
  /** Listen to the kernel. */
  hear(kind: string, handler: (content: any, buffers: DataView[]) => void): void;
  /** Listen to traits, their names parted by blanks. */
  watch(names: string, handler: () => void): void;
  /** Have a text read politely by screen readers. */
  announce(text: string): void;
  end(): void;
}

type ModelPart = Part & { model: Model };

/** What the player knows of a clip (`player.shown` in Python). */
interface ShownClip {
  id: string;
  video: string | null;
  name: string;
  measures: { width_px: number; height_px: number; fps: number; frames: number; duration_s: number };
  codec: string;
  has_audio: boolean;
  host: string;
  prompt: string;
  whole: string;
  model: string;
  title: string;
  marks: string[];
  nsfw: boolean;
  params: [string, string][];
  outcome: string[];
  code: string;
  rating: number | null;
  tags: string[];
  note: string;
}

interface Marks {
  a: number | null;
  b: number | null;
}

declare var vidnbForms: any;
/** itables' widget, which stands before the table's own code. */
declare const ITABLES: { render(given: { model: object; el: HTMLElement }): unknown };

/** When the frames of a clip are shown. */
interface Film {
  fps: number;
  duration_s: number;
  /** When each frame begins, in seconds. */
  times: number[];
}

/** The coded pictures of a clip: what a decoder is given (`sync/film.js`). */
/** Where the right and the lower edge of a picture go, as signs of the file's display matrix; null as it is. */
type Turn = [number, number, number, number] | null;

interface FilmTable {
  turn: Turn;
  codec: string;
  description: string;
  /** Of each picture, as it is decoded: its place and size in bytes, when it is shown (µs), 1 where it stands alone. */
  rows: [number, number, number, number][];
  /** Which frame each picture is; -1 for one that is never shown. */
  order: number[];
  times: number[];
  /** For each frame the picture from which decoding it begins. */
  key: number[];
  /** For each frame how many pictures must be decoded for it. */
  until: number[];
}

/** A clip that is led by the conductor. */
interface SyncClip {
  film: Film;
  reel: any;
  visible: boolean;
  /** The moment that it shows. */
  shown?: number;
  drawnAt?: number;
  late?: boolean;
  cell?: any;
  failed?: (error: Error) => void;
}

/** The clip that is heard. */
interface Sound {
  element: HTMLMediaElement;
  film: Film;
}

type Alignment = "time" | "share" | "frame";

interface ConductorState extends Marks {
  clips: SyncClip[];
  how: Alignment;
  line: any;
  beat: number;
  playing: boolean;
  speed: number;
  loop: boolean;
  sound: Sound | null;
}

interface HeadTold {
  /** `picture`: an input's, as a data URI, in place of its name. */
  words: { label: string; value: string; picture?: string }[];
  more: string[];
}

/** What the compare view is told (`compare_cells.head` and `told` in Python). */
interface GridTold {
  rows: HeadTold[];
  columns: HeadTold[];
  cells: any[];
  prompt?: string;
  label?: string;
  common?: string[];
  emulated?: boolean;
  nsfw?: boolean;
  ratio?: number;
  uneven?: boolean;
  wrapped?: boolean;
  left_out?: number;
  missing?: { ats: number[]; price: string; unknown: boolean; ask: boolean } | null;
}

/** One compare view: what its files share. Each file adds its functions to it, and calls those of the others by it. */
interface CompareView {
  model: any;
  root: HTMLElement;
  signal: AbortSignal;
  hear: any;
  announce: (words: string) => void;
  debugging: boolean;
  standalone: boolean;
  /** The elements, by the names that `compare/parts.js` gives them. */
  el: any;
  /** What is looked at and how; the clips and the clock are the conductor's. */
  view: any;
  cells: any[];
  grid: GridTold;
  /** Why the clips play as ordinary videos; "" while they are decoded here. */
  why: string;
  [name: string]: any;
}
