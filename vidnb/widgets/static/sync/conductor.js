/* Clips in step: one clock says which moment it is, and every canvas draws the frame of that moment in the same animation
 * frame. */
import { stepCounter } from "./counter.js";
import { lastBefore, range, timeline } from "./timeline.js";

/** So many clips play at once; the others follow by their small frames. */
export const MOST_PLAYING = 16;
/** A clip that has nothing to show for so long no longer holds the others. */
const LATE_MS = 1000;
/** The clock stands still while the page is hidden or the machine sleeps. */
const ASLEEP_MS = 500;
/** As far as this an ordinary video may be from the one that leads before it is set right. */
const ADRIFT_S = 0.1;

/** Leads all clips: one clock, one loop of animation frames, and what is drawn when.
 *
 * @param {{changed: () => void, drawn: (clip: SyncClip, picture: any, frame: number) => void,
 *   small: (clip: SyncClip, frame: number) => void, presented: () => void, rested: () => void}} view `drawn` paints a
 *   clip's full frame, `small` its small one; `presented` is called after all of one moment, `rested` once all that is
 *   in view is at rest */
export function conductor(view) {
  /** @type {ConductorState} */
  const state = {
    clips: [],
    how: "time",
    line: timeline([], "time"),
    beat: 0,
    playing: false,
    speed: 1,
    loop: true,
    a: null,
    b: null,
    sound: null,
  };
  const counter = stepCounter();
  let anchor = { now: 0, beat: 0 };
  let turn = 0;
  let last = 0;
  let frame = 0;
  let restless = true;
  let waited = 0;

  const first = () => (state.a !== null ? state.a : 0);
  const final = () => (state.b !== null ? state.b : state.line.count - 1);
  const span = (film) => ({
    first: state.line.frame(film, first()),
    last: state.line.frame(film, final()),
    turns: state.loop,
  });
  const place = (clip, beat = state.beat, round = turn) => ({ turn: round, frame: state.line.frame(clip.film, beat) });
  const ready = () => state.clips.filter((clip) => clip.visible && clip.reel);
  const active = () => ready().slice(0, MOST_PLAYING);

  const spanBeats = () => final() - first() + 1;

  /** The clock goes on from a moment; half of it is over, so that no rounding leads to a neighbour. */
  function anchored(now = performance.now(), beat = state.beat) {
    [anchor, last] = [{ now, beat: beat + 0.5 }, now];
  }

  /** Where the clock stands: a moment, in this turn or the next. */
  function position(now) {
    const at = Math.floor(soundBeat() ?? anchor.beat + (state.speed * state.line.rate * (now - anchor.now)) / 1000);
    if (at <= final()) return { beat: Math.max(first(), at), round: turn, over: false };
    if (!state.loop) return { beat: final(), round: turn, over: true };
    return { beat: Math.min(final(), Math.max(first(), at - spanBeats())), round: turn + 1, over: true };
  }

  /** The moment at which the sound is, or null where none is heard. */
  function soundBeat() {
    const { sound } = state;
    if (!sound || sound.element.paused || sound.element.ended || sound.element.readyState < 3) return null;
    const time = sound.element.currentTime;
    if (state.how === "time") return time * state.line.rate;
    return state.how === "share" ? (time / sound.film.duration_s) * state.line.count : time * sound.film.fps;
  }

  function soundTime(beat) {
    if (!state.sound) return 0;
    const { film } = state.sound;
    return film.times[state.line.frame(film, beat)] + 1e-3;
  }

  function follow() {
    const { sound } = state;
    if (!sound) return;
    sound.element.playbackRate = state.speed;
    if (state.playing) {
      if (Math.abs(sound.element.currentTime - soundTime(state.beat)) > 0.08)
        sound.element.currentTime = soundTime(state.beat);
      sound.element.play().catch(() => {});
    } else sound.element.pause();
  }

  function tick(now) {
    frame = requestAnimationFrame(tick);
    if (now - last > ASLEEP_MS) anchored(now);
    last = now;
    if (state.playing) advance(now);
    else if (restless) rest();
  }

  /** Draw the newest moment that all have and whose time has come; no clip runs ahead of another. */
  function advance(now) {
    const playing = active();
    if (playing.some(({ reel }) => !reel.exact)) {
      lead(now, playing);
      return;
    }
    const want = position(now);
    const held = playing.filter((clip) => !clip.late);
    const take = moments(want).find(({ beat, round }) => held.every((clip) => clip.reel.has(place(clip, beat, round))));
    if (take) show(now, take, playing);
    else counterNote(now, playing);
    const behind = (want.round - turn) * spanBeats() + want.beat - state.beat;
    if (!behind) waited = 0;
    else waited ||= now;
    if (soundIsOn()) {
      if (behind > state.line.rate / 2) {
        state.sound?.element.pause();
        anchored(now);
      }
    } else if (behind > 3) anchored(now);
    if (state.sound?.element.paused && take) follow();
    if (waited && now - waited > LATE_MS) {
      for (const clip of held) if (!clip.reel.has(nextPlace(clip))) setLate(clip, true);
      waited = 0;
    }
    for (const clip of playing) clip.reel.seek(place(clip), span(clip.film));
    if (want.over && !state.loop && state.beat >= final()) pause();
  }

  /** What may be shown now, the newest first: from the moment that the clock says back to the one after what is shown. */
  function moments({ beat, round }) {
    const here = (from, to, which) =>
      range(from, to)
        .reverse()
        .map((one) => ({ beat: one, round: which }));
    return round === turn
      ? here(state.beat + 1, beat, turn)
      : [...here(first(), beat, round), ...here(state.beat + 1, final(), turn)];
  }

  const soundIsOn = () => state.sound !== null && !state.sound.element.paused;

  function nextPlace(clip) {
    return state.beat < final() ? place(clip, state.beat + 1) : place(clip, first(), turn + 1);
  }

  function show(now, { beat, round }, playing) {
    const heard = soundIsOn();
    if (round !== turn) {
      [turn, anchor] = [round, { now: anchor.now, beat: anchor.beat - spanBeats() }];
      if (state.sound) {
        state.sound.element.currentTime = soundTime(first());
        follow();
      }
    }
    state.beat = beat;
    if (heard) anchored(now);
    waited = 0;
    for (const clip of playing) {
      const picture = clip.reel.at(place(clip));
      if (!picture) continue;
      if (clip.late) setLate(clip, false);
      clip.shown = beat;
      view.drawn(clip, picture, place(clip).frame);
    }
    for (const clip of state.clips)
      if (clip.visible && !playing.includes(clip)) view.small(clip, state.line.frame(clip.film, beat));
    counterNote(now, playing);
    view.presented();
  }

  function counterNote(now, playing) {
    counter.note(
      now,
      playing.filter((clip) => clip.shown !== undefined).map((clip) => clip.shown),
    );
  }

  function setLate(clip, late) {
    if (Boolean(clip.late) === late) return;
    clip.late = late;
    view.changed();
  }

  /** Ordinary videos: the first one leads, the others are set right where they are far from it. */
  function lead(now, playing) {
    const [master, ...others] = playing;
    const time = master.reel.video.currentTime;
    const beat = Math.max(
      first(),
      Math.min(state.line.beat(master.film, lastBefore(master.film.times, time)), final()),
    );
    const over = master.reel.video.ended || time >= (master.film.times[place(master, final()).frame + 1] ?? Infinity);
    if (over) {
      if (!state.loop) {
        pause();
        go(final());
        return;
      }
      state.beat = first();
      for (const { reel, film } of playing) {
        reel.video.currentTime = reel.timeOf(state.line.frame(film, first()));
        reel.video.play().catch(() => {});
      }
      return;
    }
    state.beat = beat;
    for (const { reel } of playing) {
      reel.video.playbackRate = state.speed;
      if (reel.video.paused && !reel.video.ended) reel.video.play().catch(() => {});
    }
    for (const { reel, film } of others) {
      const aim = film.times[state.line.frame(film, beat)];
      if (Math.abs(reel.video.currentTime - aim) > ADRIFT_S && !reel.video.seeking && !reel.video.ended)
        reel.video.currentTime = aim + (time - master.film.times[place(master).frame]);
    }
    for (const clip of playing) {
      if (clip.reel.seen < 0 || clip.reel.video.readyState < 2) continue;
      clip.shown = state.line.beat(clip.film, clip.reel.seen);
      view.drawn(clip, clip.reel.video, clip.reel.seen);
    }
    for (const clip of state.clips)
      if (clip.visible && !playing.includes(clip)) view.small(clip, state.line.frame(clip.film, beat));
    counterNote(now, playing);
    view.presented();
  }

  /** While nothing plays: each clip's frame as soon as it is there. */
  function rest() {
    let open = false;
    let drew = false;
    for (const clip of active()) {
      if (!clip.reel.exact) {
        if (!clip.reel.video.paused) clip.reel.video.pause();
      }
      const here = place(clip);
      clip.reel.seek(here, span(clip.film), true);
      if (clip.drawnAt === state.beat) continue;
      const picture = clip.reel.at(here);
      if (!picture) {
        open = true;
        continue;
      }
      clip.shown = clip.drawnAt = state.beat;
      view.drawn(clip, picture, here.frame);
      drew = true;
    }
    if (drew) view.presented();
    if (!open) {
      restless = false;
      view.rested();
    }
  }

  function stir() {
    restless = true;
    for (const clip of state.clips) clip.drawnAt = undefined;
  }

  function play() {
    if (state.playing || !state.clips.length) return;
    if (state.beat >= final() || state.beat < first()) go(first());
    state.playing = true;
    anchored();
    counter.clear(performance.now());
    follow();
    view.changed();
  }

  function pause() {
    if (!state.playing) return;
    state.playing = false;
    for (const { reel } of state.clips) reel?.video?.pause();
    follow();
    stir();
    view.changed();
  }

  /** Go to a moment; small frames follow at once, full ones as soon as they are decoded. */
  function go(beat) {
    const { line } = state;
    const aim = Math.max(0, Math.min(Math.round(beat), line.count - 1));
    if (aim !== state.beat) {
      if (aim < state.beat) turn += 1; // places only ever go forward
      state.beat = aim;
      for (const clip of state.clips)
        if (clip.visible && !clip.reel?.has(place(clip))) view.small(clip, line.frame(clip.film, aim));
    }
    anchored();
    if (state.playing)
      for (const clip of active())
        if (clip.reel.video) clip.reel.video.currentTime = clip.reel.timeOf(line.frame(clip.film, aim));
    stir();
    follow();
    view.changed();
  }

  /** The clips that are there, or another way to line them up; keeps the second at which one was. */
  function set(changes) {
    const second = state.beat / state.line.rate;
    Object.assign(state, changes);
    state.line = timeline(
      state.clips.map(({ film }) => film),
      state.how,
    );
    if (state.b !== null) state.b = Math.min(state.b, state.line.count - 1);
    if (state.a !== null && state.a >= (state.b ?? state.line.count)) state.a = null;
    turn += 1;
    state.beat = Math.max(0, Math.min(Math.floor(second * state.line.rate + 1e-6), state.line.count - 1));
    anchored();
    stir();
    view.changed();
  }

  function setSpeed(speed) {
    state.speed = speed;
    anchored();
    follow();
    view.changed();
  }
  function setLoop(loop) {
    state.loop = loop;
    anchored();
    view.changed();
  }

  /** Mark where a loop begins or ends; without a name both marks go. */
  function mark(name) {
    if (!name) [state.a, state.b] = [null, null];
    else if (name === "a") {
      state.a = state.beat;
      if (state.b !== null && state.b <= state.a) state.b = null;
    } else {
      state.b = state.beat;
      if (state.a !== null && state.a >= state.b) state.a = null;
    }
    turn += 1;
    anchored();
    view.changed();
  }

  /** Hear one clip; its sound is the clock. @param {?Sound} sound */
  function hear(sound) {
    state.sound?.element.pause();
    state.sound = sound;
    anchored();
    follow();
    view.changed();
  }

  frame = requestAnimationFrame(tick);
  return {
    state,
    counter,
    play,
    pause,
    go,
    set,
    setSpeed,
    setLoop,
    mark,
    hear,
    stir,
    active,
    toggle() {
      state.playing ? pause() : play();
    },
    step(by) {
      pause();
      go(state.beat + by);
    },
    end() {
      cancelAnimationFrame(frame);
      state.sound?.element.pause();
      for (const { reel } of state.clips) reel?.end();
    },
  };
}
