"use strict";
// What a stop after each event would keep, leave stale and lose, under one policy and one cause.

class Figures {
  constructor(thread, policy, cause) {
    this.sums = FATES.map(() => KINDS.map(() => null)); // of each fate and kind: a number for each step
    this.size = thread.last + 1;
    for (const item of thread.items) {
      item.versions.forEach((version, i) => {
        if (!isPending(version)) return;
        const end = i + 1 < item.versions.length ? item.versions[i + 1].from : this.size;
        this.addVersion(thread, version, end, thread.verdictOn(policy, version, cause).fate);
      });
    }
    this.sumUp();
  }

  addVersion(thread, version, end, fate) {
    version.seen.forEach((amount, kind) => {
      if (!amount) return;
      const sums = this.of(fate, kind);
      for (let step = version.from; step < end; step++) sums[step] += amount;
    });
    for (const number of version.counted) this.addGrowth(thread.tracks[number], version.from, end, this.of(fate, 0));
  }

  addGrowth(track, from, end, sums) {
    const before = track.pointsAt(from);
    let grown = countUpTo(track.steps, from), gained = 0;
    for (let step = from; step < end; step++) {
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

  sumUp() {
    this.worstFate = new Int8Array(this.size).fill(-1);
    this.most = [0, 0, 0, 0];
    const stops = [0, 0, 0], worst = FATES.map(() => ({ step: null, amount: [0, 0, 0, 0] }));
    let shares = 0, atStake = 0;
    for (let step = 0; step < this.size; step++) {
      const share = this.shareLost(step);
      if (share === null) continue;
      shares += share;
      atStake++;
      for (let fate = 0; fate < 3; fate++) {
        const amount = this.amounts(fate, step);
        if (!amount.some(Boolean)) continue;
        stops[fate]++;
        this.worstFate[step] = fate;
        if (isMore(amount, worst[fate].amount)) worst[fate] = { step, amount };
      }
    }
    this.losing = stops[2];
    this.stale = stops[1];
    this.meanShare = atStake ? shares / atStake : 0;
    this.fate = this.losing ? 2 : this.stale ? 1 : null;
    this.worst = this.fate === null ? null : worst[this.fate].step;
    this.worstAmount = this.fate === null ? [0, 0, 0, 0] : worst[this.fate].amount;
    this.present = FATES.map((_, fate) => stops[fate] > 0);
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
    return this.stale ? `stale at ${plural(this.stale, "stop")}` : "nothing lost";
  }
}

const isMore = (amount, other) => {
  for (let kind = 0; kind < 4; kind++) if (amount[kind] !== other[kind]) return amount[kind] > other[kind];
  return false;
};

// 0% means nothing, and 100% all.
const shareText = (share) => {
  if (share > 0 && share < 0.005) return "under 1%";
  return share >= 0.995 && share < 1 ? "over 99%" : `${Math.round(share * 100)}%`;
};
