/* A clip whose frames the page decodes itself (WebCodecs), from the bytes of its file. */
import { decoderConfig, upright } from "./film.js";

/** So many frames are decoded ahead of the one that is shown; fewer for large pictures. */
const AHEAD = 10;
const AHEAD_LARGE = 6;
/** So many while nothing plays: a decoder that shows frames in another order than they come needs a few. */
const AHEAD_STILL = 4;
/** After so many looks without the frame a decoder is given as many as if it played. */
const PATIENCE = 12;
const LARGE_PX = 1_500_000;

/** A clip whose frames are decoded one by one. A place in it is `turn` (how often it began anew) and `frame`; places asked
 * for only ever go forward, and the reel decodes on from one to the next, over the end of the loop too.
 *
 * @param {{table: FilmTable, size: {width_px: number, height_px: number}, bytes: Uint8Array, failed: (error: Error) => void}} film */
export function decodedReel({ table, size, bytes, failed }) {
  const frames = table.times.length;
  const ahead = size.width_px * size.height_px > LARGE_PX ? AHEAD_LARGE : AHEAD;
  const length = Math.ceil(table.times[frames - 1] * 1e6) + 1_000_000;
  const ring = new Map();
  /** By timestamp, the frames that the decoder was given and has not brought yet. */
  const coming = new Map();
  let span = { first: 0, last: frames - 1, turns: true };
  let aim = { turn: 0, frame: 0 };
  /** @type {VideoDecoder | null} */
  let decoder = null;
  /** The picture to be decoded next; null after the last one. @type {{turn: number, at: number} | null} */
  let next = null;
  let flushed = false;
  let stale = true;
  let ended = false;
  let reach = ahead;
  let looks = 0;

  const numberOf = ({ turn, frame }) => turn * frames + frame;
  let afterLast = frames;

  function clear() {
    for (const frame of ring.values()) frame.close();
    ring.clear();
    coming.clear();
  }

  function output(frame) {
    const number = coming.get(frame.timestamp);
    coming.delete(frame.timestamp);
    if (ended || number === undefined || number < numberOf(aim) || ring.has(number)) frame.close();
    else ring.set(number, upright(frame, table.turn));
  }

  function open() {
    decoder = new VideoDecoder({
      output,
      error: (error) => {
        if (!ended) {
          rest();
          failed(error);
        }
      },
    });
    decoder.addEventListener("dequeue", feed);
    return decoder;
  }

  /** Decode anew, from the picture before a frame that stands alone. */
  function restart({ turn, frame }) {
    clear();
    const made = decoder && decoder.state !== "closed" ? decoder : open();
    if (made.state === "configured") made.reset();
    made.configure(decoderConfig(table, size));
    next = { turn, at: table.key[frame] };
    [flushed, stale] = [false, false];
  }

  /** The picture after this one; at the end of what is played the first one again, a turn later. */
  function following({ turn, at }) {
    if (at + 1 < afterLast) return { turn, at: at + 1 };
    return span.turns ? { turn: turn + 1, at: table.key[span.first] } : null;
  }

  /** How many frames after the one to be shown a picture will be. */
  function distance({ turn, at }) {
    const frame = table.order[at] < 0 ? aim.frame : table.order[at];
    return (turn - aim.turn) * (span.last - span.first + 1) + frame - aim.frame;
  }

  function decode({ turn, at }) {
    const [offset, count, us, alone] = table.rows[at];
    const timestamp = turn * length + Math.max(0, us);
    if (table.order[at] >= 0) coming.set(timestamp, numberOf({ turn, frame: table.order[at] }));
    decoder?.decode(
      new EncodedVideoChunk({ type: alone ? "key" : "delta", timestamp, data: bytes.subarray(offset, offset + count) }),
    );
  }

  /** Hand the decoder what is needed for the frames to come. */
  function feed() {
    if (ended || stale || decoder?.state !== "configured") return;
    while (next && decoder.decodeQueueSize < ahead && ring.size < 2 * ahead && distance(next) <= reach) {
      decode(next);
      next = following(next);
    }
    if (!next && !flushed) {
      // without this the last frames would stay inside
      flushed = true;
      decoder.flush().catch(() => {});
    }
  }

  /** Whether decoding on leads to a place, and no picture that stands alone is nearer to it. */
  function leadsTo({ turn, frame }) {
    if (!next || stale) return false;
    if (next.turn === turn) return next.at < table.until[frame] && table.key[frame] <= next.at + 2 * ahead;
    return (
      span.turns &&
      next.turn === turn - 1 &&
      afterLast - next.at <= 2 * ahead &&
      table.key[frame] === table.key[span.first]
    );
  }

  function rest() {
    clear();
    if (decoder && decoder.state !== "closed") decoder.close();
    [decoder, next, stale] = [null, null, true];
  }

  return {
    exact: true,
    frames,
    /** Be ready for a place. @returns {boolean} whether its frame is there */
    seek(place, wanted = span, still = false) {
      if (ended) return false;
      looks = numberOf(place) === numberOf(aim) ? looks + 1 : 0;
      reach = still && looks < PATIENCE ? AHEAD_STILL : ahead;
      if (wanted.first !== span.first || wanted.last !== span.last || wanted.turns !== span.turns) {
        [span, stale] = [wanted, true];
        afterLast = Math.max(...table.until.slice(span.first, span.last + 1));
      }
      aim = place;
      const here = numberOf(place);
      for (const [number, frame] of ring)
        if (number < here) {
          frame.close();
          ring.delete(number);
        }
      if (!ring.has(here)) {
        const isComing = !stale && [...coming.values()].includes(here);
        if (!isComing && !leadsTo(place)) restart(place);
      }
      if (!still || !ring.has(here)) feed();
      return ring.has(here);
    },
    /** The decoded frame of a place, or undefined. It stays the reel's own. */
    at: (place) => ring.get(numberOf(place)),
    has: (place) => ring.has(numberOf(place)),
    /** Give back what was decoded; `seek` begins anew. */
    rest,
    end() {
      ended = true;
      rest();
    },
  };
}
