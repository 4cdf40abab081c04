"use strict";
// What a stop after each event would keep, leave stale and lose, under one policy and one cause.

class Figures {
  constructor(policy, cause) {
    this.policy = policy;
    this.cause = cause;
    this.size = 0; // how many steps are summed up
    this.sums = FATES.map(() => KINDS.map(() => null)); // of each fate and kind: a number for each step
    this.worstFate = new Int8Array(0);
    this.most = [0, 0, 0, 0];
    this.stops = [0, 0, 0];
    this.worstOf = FATES.map(() => ({ step: null, amount: [0, 0, 0, 0] }));
    this.shares = this.atStake = 0;
    this.uncounted = FATES.map(() => ({ items: new Set(), step: null })); // items of which nothing is counted, and the first stop
  }

  // Sums up the steps that the thread has had since; what is known of those before stays.
  extend(thread) {
    const first = this.size, size = thread.last + 1;
    if (first === size) return;
    this.size = size;
    this.worstFate = roomIn(this.worstFate, size).fill(-1, first);
    this.sums = this.sums.map((kinds) => kinds.map((sums) => sums && roomIn(sums, size)));
    for (const item of thread.items) this.addItem(thread, item, first);
    for (let step = first; step < size; step++) this.addStop(step);
    this.sumUp();
  }

  addItem(thread, item, first) {
    for (let i = Math.max(0, countUpTo(item.starts, first) - 1); i < item.versions.length; i++) {
      const version = item.versions[i], end = i + 1 < item.versions.length ? item.versions[i + 1].from : this.size;
      if (!isPending(version)) continue;
      const { fate } = thread.verdictOn(this.policy, version, this.cause);
      if (isUncounted(version, version.seen) && !version.counted.length) this.noteUncounted(item, version.from, { first, end, fate });
      this.addVersion(thread, version, { first: Math.max(first, version.from), end, fate });
    }
  }

  noteUncounted(item, from, { first, end, fate }) {
    const found = this.uncounted[fate];
    found.items.add(item);
    found.step = Math.min(from, found.step ?? from);
    for (let step = Math.max(first, from); step < end; step++) this.noteFate(step, fate);
  }

  noteFate(step, fate) {
    this.worstFate[step] = Math.max(this.worstFate[step], fate);
  }

  addVersion(thread, version, { first, end, fate }) {
    version.seen.forEach((amount, kind) => {
      if (!amount) return;
      const sums = this.of(fate, kind);
      for (let step = first; step < end; step++) sums[step] += amount;
    });
    for (const number of version.counted) {
      const track = thread.tracks[number];
      this.addGrowth(track, track.pointsAt(version.from), { first, end, sums: this.of(fate, 0) });
    }
  }

  addGrowth(track, before, { first, end, sums }) {
    let grown = countUpTo(track.steps, first), gained = grown ? track.points[grown - 1] - before : 0;
    for (let step = first; step < end; step++) {
      while (grown < track.steps.length && track.steps[grown] <= step) gained = track.points[grown++] - before;
      sums[step] += gained;
    }
  }

  of(fate, kind) {
    return (this.sums[fate][kind] ||= new Int32Array(this.size));
  }

  amount(fate, kind, step) {
    const sums = this.sums[fate][kind];
    return sums ? sums[step] : 0;
  }

  amounts(fate, step) {
    return KINDS.map((_, kind) => this.amount(fate, kind, step));
  }

  addStop(step) {
    const share = this.shareLost(step);
    if (share === null) return;
    this.shares += share;
    this.atStake++;
    for (let fate = 0; fate < 3; fate++) {
      const amount = this.amounts(fate, step);
      if (!amount.some(Boolean)) continue;
      this.stops[fate]++;
      this.noteFate(step, fate);
      if (isMore(amount, this.worstOf[fate].amount)) this.worstOf[fate] = { step, amount };
    }
  }

  sumUp() {
    [, this.stale, this.losing] = this.stops;
    this.meanShare = this.atStake ? this.shares / this.atStake : 0;
    this.fate = this.losing ? 2 : this.stale ? 1 : null;
    const worst = this.fate === null ? { step: null, amount: [0, 0, 0, 0] } : this.worstOf[this.fate];
    this.worst = worst.step;
    this.worstAmount = worst.amount;
    this.present = this.stops.map(Boolean);
  }

  // The share that is lost: of each kind that there is, and then the mean of those; null where nothing is at stake.
  shareLost(step) {
    let sum = 0, kinds = 0;
    for (let kind = 0; kind < 4; kind++) {
      const lost = this.amount(2, kind, step), all = this.amount(0, kind, step) + this.amount(1, kind, step) + lost;
      if (!all) continue;
      this.most[kind] = Math.max(this.most[kind], all);
      sum += lost / all;
      kinds++;
    }
    return kinds ? sum / kinds : null;
  }

  // The kind that gives the strip its height: characters, or where there are none, tasks, and so on.
  kindAt(step) {
    for (let kind = 0; kind < 4; kind++) if (FATES.some((_, fate) => this.amount(fate, kind, step))) return kind;
    return -1;
  }

  get verdict() {
    if (this.losing) return `${shareText(this.meanShare)} lost`;
    if (this.uncounted[2].items.size) return `${this.uncountedText(2)} lost`;
    if (this.stale) return `stale at ${plural(this.stale, "stop")}`;
    return this.uncounted[1].items.size ? `${this.uncountedText(1)} stale` : "nothing lost";
  }

  uncountedText(fate) {
    return plural(this.uncounted[fate].items.size, "item");
  }

  // The worst stop with its fate, and words for what it costs; null if all is kept at any stop.
  get lesson() {
    const fate = [2, 1].find((each) => this.stops[each] || this.uncounted[each].items.size);
    if (fate === undefined) return null;
    const isCounted = this.stops[fate] > 0;
    return {
      fate,
      step: isCounted ? this.worst : this.uncounted[fate].step,
      text: isCounted ? amountText(this.worstAmount) : this.uncountedText(fate),
    };
  }
}

// An array for so many numbers with those of another; that one if it is large enough, else one with room for more.
const roomIn = (array, size) => {
  if (array.length >= size) return array;
  const larger = new array.constructor(Math.max(size, 2 * array.length));
  larger.set(array);
  return larger;
};

const isMore = (amount, other) => {
  for (let kind = 0; kind < 4; kind++) if (amount[kind] !== other[kind]) return amount[kind] > other[kind];
  return false;
};

// 0% means nothing, and 100% all.
const shareText = (share) => {
  if (share > 0 && share < 0.005) return "under 1%";
  return share >= 0.995 && share < 1 ? "over 99%" : `${Math.round(share * 100)}%`;
};
