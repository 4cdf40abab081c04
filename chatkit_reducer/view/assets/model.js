"use strict";
// The data of one thread, and what holds after each of its events. Nothing in this file knows the DOM.

const PENDING = 0, PENDING_OVER_BASE = 1, STORED = 2, REMOVED = 3;
const KINDS = ["character", "task", "widget", "image"];
const FATES = ["kept", "stale", "lost"];
const FATE_OF_DECISION = { persist: 0, stale: 1, discard: 2 };

const clamp = (value, least, most) => Math.max(least, Math.min(most, value));
const numberFormat = new Intl.NumberFormat("en-US");
const figure = (number) => numberFormat.format(number);
const plural = (number, word) => `${figure(number)} ${word}${number === 1 ? "" : "s"}`;
const isPending = (version) => version.phase < STORED;
// Whether there is something to see in a pending version, of which nothing is counted: a call, an unknown item.
const isUncounted = (version, amount) => version.content && !amount.some(Boolean);
const amountText = (amount) => KINDS.map((kind, i) => amount[i] && plural(amount[i], kind)).filter(Boolean).join(", ");

// How many values of a sorted list are at most this value.
const countUpTo = (sorted, value) => {
  let low = 0, high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] <= value) low = middle + 1;
    else high = middle;
  }
  return low;
};

// Characters as Python counts them: a surrogate pair is one.
const codePoints = (text, from, to) => {
  let count = 0;
  for (let i = from; i < to; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0xdc00 || unit > 0xdfff) count++;
  }
  return count;
};

// Where the code point with this number begins; the end of the text if there are fewer.
const unitOf = (text, point) => {
  let unit = 0;
  for (; point > 0 && unit < text.length; point--) {
    const code = text.charCodeAt(unit);
    unit += code >= 0xd800 && code < 0xdc00 ? 2 : 1;
  }
  return unit;
};

// A text that grows: a step sees a prefix of it.
class Track {
  constructor() {
    this.text = "";
    this.steps = [];
    this.units = [];
    this.points = [];
  }

  grow(more) {
    const isPlain = !/[\ud800-\udfff]/.test(more.t);
    let units = this.units.at(-1) ?? 0, points = this.points.at(-1) ?? 0, place = 0, number = 0;
    for (const [first, count] of more.s) {
      for (let step = first; step < first + count; step++) {
        const gained = more.m[number++];
        units += gained;
        points += isPlain ? gained : codePoints(more.t, place, place + gained);
        place += gained;
        this.steps.push(step);
        this.units.push(units);
        this.points.push(points);
      }
    }
    this.text += more.t;
    this.isPlain = this.isPlain !== false && isPlain;
  }

  unitsAt(step) {
    const grown = countUpTo(this.steps, step);
    return grown ? this.units[grown - 1] : 0;
  }

  pointsAt(step) {
    const grown = countUpTo(this.steps, step);
    return grown ? this.points[grown - 1] : 0;
  }

  pointsIn(units) {
    return this.isPlain ? units : codePoints(this.text, 0, units);
  }
}

// The numbers in runs: the first and the count of each.
const numbersIn = (runs) => runs.flatMap(([first, count]) => Array.from({ length: count }, (_, i) => first + i));

const asVersion = ([from, phase, tree, sealed, base, content, number, seen, counted, order]) => ({
  from, phase, tree, sealed, base, content, case: number, seen, counted: numbersIn(counted || []), order,
});

const asItem = (item) => {
  const versions = item.v.map(asVersion);
  return { id: item.id, type: item.type, hidden: item.hidden, versions, starts: versions.map((each) => each.from) };
};

class Thread {
  constructor(data) {
    this.data = data;
    this.last = data.n;
    this.tracks = data.tracks.map((each) => {
      const track = new Track();
      track.grow(each);
      return track;
    });
    this.items = data.items.map(asItem);
    this.eventStarts = data.events.map((each) => each[0]);
    this.stageStarts = data.stage.map((each) => each[0]);
    this.turns = [...new Set(this.items.flatMap((item) => item.starts))].sort((a, b) => a - b);
    this.lastTurn = null;
    this.clock = new Clock();
    this.clock.take(data.times);
    this.faults = new Map(); // how many findings there are at each step that has one
    countFaultsIn(data.findings, this.faults);
  }

  get times() {
    return this.clock.times;
  }

  // The items that exist after a step, in the order of the thread. Between two turns they are the same.
  aliveAt(step) {
    const turn = countUpTo(this.turns, step);
    if (this.lastTurn !== turn) {
      this.lastTurn = turn;
      this.alive = this.items
        .map((item) => ({ item, version: this.versionAt(item, step) }))
        .filter((each) => each.version !== null)
        .sort((a, b) => a.version.order - b.version.order);
      this.inFlight = this.alive.filter((each) => isPending(each.version));
    }
    return this.alive;
  }

  inFlightAt(step) {
    this.aliveAt(step);
    return this.inFlight;
  }

  versionAt(item, step) {
    const count = countUpTo(item.starts, step);
    const version = count ? item.versions[count - 1] : null;
    return version && version.phase === REMOVED ? null : version;
  }

  // The visible content of a pending version: characters, tasks, widgets, images.
  amountOf(version, step) {
    const amount = [...version.seen];
    for (const number of version.counted) {
      const track = this.tracks[number];
      amount[0] += track.pointsAt(step) - track.pointsAt(version.from);
    }
    return amount;
  }

  totalAt(step) {
    const total = [0, 0, 0, 0];
    for (const { version } of this.inFlightAt(step)) this.amountOf(version, step).forEach((x, i) => (total[i] += x));
    return total;
  }

  uncountedAt(step) {
    return this.inFlightAt(step).filter(({ version }) => isUncounted(version, this.amountOf(version, step)));
  }

  // The number of the row of the list of events that led to a step; -1 before the first.
  rowAt(step) {
    return countUpTo(this.eventStarts, step) - 1;
  }

  eventAt(step) {
    return this.data.events[this.rowAt(step)] ?? null;
  }

  typeOf(event) {
    return this.data.types[event[2]];
  }

  itemOf(event) {
    return event[3] >= 0 ? this.items[event[3]] : null;
  }

  stageAt(step) {
    return this.data.stage[countUpTo(this.stageStarts, step) - 1]?.[1] ?? {};
  }

  // What becomes of a pending version. Row -1 decides where the stored copy has all of it, whatever the policy.
  verdictOn(policy, version, cause) {
    const row = policy.d[version.case][cause];
    if (row < 0) return { row, ...this.data.no_news, fate: 0 };
    const [, , , , decision, reason] = policy.rows[row];
    return { row, decision, reason, fate: FATE_OF_DECISION[decision] };
  }

  // Whether a stop leaves no marker, although the policy has one for this cause.
  holdsMarker(policy, cause, step) {
    return policy.held[cause].some(([from, to]) => from <= step && (to === null || step < to));
  }

  // The step after the first events of the log, as many as this.
  stepAtPosition(events) {
    let step = 0;
    for (const [position, count] of this.data.positions) step += clamp(events - position + 1, 0, count);
    return step;
  }

  // Whether the log has no events of other threads.
  get isAlone() {
    const { positions } = this.data;
    return !positions.length || (positions.length === 1 && positions[0][0] === 1);
  }

  // Whether the client had left at a step, as a journal says it.
  hasLeft(step) {
    if (!this.data.types.includes("journal.left")) return false;
    for (let row = this.rowAt(step); row >= 0; row--) {
      const type = this.typeOf(this.data.events[row]);
      if (type === "journal.left") return true;
      if (type === "journal.returned" || type === "journal.opened") return false;
    }
    return false;
  }

  // Where a step stands in the log: that is what commands count.
  positionOf(step) {
    let before = 0;
    for (const [position, count] of this.data.positions) {
      if (step <= before + count) return step === 0 ? position - 1 : position + step - before - 1;
      before += count;
    }
    return step;
  }

  // The JSON of the event that led to a step. Text that it brought is a String object, not a primitive.
  rawAt(step) {
    const event = this.eventAt(step);
    return event && this.filledIn(this.data.raws[event[4]], step);
  }

  filledIn(value, step) {
    if (Array.isArray(value)) return value.map((each) => this.filledIn(each, step));
    if (value === null || typeof value !== "object") return value;
    const names = Object.keys(value), mark = names.length === 1 ? names[0] : null;
    if (mark === "'") return this.fieldsFilledIn(value[mark], step);
    const track = mark === "+" || mark === "=" ? this.tracks[value[mark]] : null;
    if (!track) return this.fieldsFilledIn(value, step);
    const from = mark === "+" ? track.unitsAt(step - 1) : 0, text = track.text.slice(from, track.unitsAt(step));
    return mark === "+" ? new String(text) : text;
  }

  fieldsFilledIn(object, step) {
    return Object.fromEntries(Object.entries(object).map(([name, each]) => [name, this.filledIn(each, step)]));
  }
}

// The time of each step in milliseconds after the first event, if the log has them in order.
class Clock {
  constructor() {
    this.steps = [0];
    this.first = null;
    this.isInOrder = true;
  }

  // Takes the times that came since; `times` is null as long as the log has none.
  take(times) {
    for (let i = this.steps.length - 1; times && this.isInOrder && i < times.length; i++) {
      const time = typeof times[i] === "number" ? times[i] * 1000 : Date.parse(times[i]);
      this.first ??= time;
      this.isInOrder = time - this.first >= this.steps.at(-1);
      this.steps.push(time - this.first);
    }
  }

  // Null where there is nothing to tell steps apart.
  get times() {
    return this.isInOrder && this.steps.at(-1) > 0 ? this.steps : null;
  }
}

// Counts findings by their steps.
const countFaultsIn = (findings, faults) => {
  for (const { step } of findings) faults.set(step, (faults.get(step) || 0) + 1);
};
