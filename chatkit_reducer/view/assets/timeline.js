"use strict";
// The line: a lane for each item, a strip for each policy, one axis of steps or of time below them.

const LANE = 18, STRIP = 32, MARGIN = 8, MOST_LANES = 9, WIDEST_HALF = 40;

class Axis {
  constructor(thread, width, isTime) {
    this.last = thread.last;
    this.times = isTime ? thread.times : null;
    this.left = MARGIN;
    this.right = Math.max(width - MARGIN, MARGIN + 1);
    this.half = this.times ? 0 : Math.min((this.right - this.left) / Math.max(1, this.last) / 2, WIDEST_HALF);
  }

  get total() {
    return this.times ? this.times[this.last] : Math.max(1, this.last);
  }

  at(step) {
    const value = this.times ? this.times[step] : step;
    return this.left + (value / this.total) * (this.right - this.left);
  }

  // Where the cell of a step begins; it ends where the next one does.
  begin(step) {
    return step > this.last ? this.right : clamp(this.at(step) - this.half, this.left, this.right);
  }

  valueAt(x) {
    return (clamp(x - this.left, 0, this.right - this.left) / (this.right - this.left)) * this.total;
  }

  nearest(x) {
    const value = this.valueAt(x);
    if (!this.times) return Math.round(value);
    const step = clamp(countUpTo(this.times, value) - 1, 0, this.last);
    return step < this.last && this.times[step + 1] - value < value - this.times[step] ? step + 1 : step;
  }

  // The step whose cell is at a place.
  cellAt(x) {
    if (!this.times) return clamp(Math.floor(((x + this.half - this.left) / (this.right - this.left)) * this.total), 0, this.last);
    return clamp(countUpTo(this.times, this.valueAt(x)) - 1, 0, this.last);
  }
}

const timeline = { axis: null, width: 0, lanes: [], unseenLanes: 0 };

const pickLanes = () => {
  const seen = page.thread.items.filter((item) => !item.hidden);
  const moving = seen.length > MOST_LANES ? seen.filter((item) => item.versions.some(isPending)) : seen;
  timeline.lanes = moving.slice(-MOST_LANES);
  timeline.unseenLanes = seen.length - timeline.lanes.length;
};

// --- colours, as the style sheet has them ------------------------------------------------------------------------

const colour = (name) => {
  $("probe").style.setProperty("color", `var(--${name})`);
  return getComputedStyle($("probe")).color;
};

const colours = () => Object.fromEntries(["fg", "fg2", "line", "card", "track", "track-2", "bad", "hatch", ...FATES].map((name) => [name, colour(name)]));

const hatched = (context, paint, scale) => {
  const tile = document.createElement("canvas"), size = 6;
  tile.width = tile.height = size * scale;
  const inner = tile.getContext("2d");
  inner.scale(scale, scale);
  inner.fillStyle = paint.lost;
  inner.fillRect(0, 0, size, size);
  inner.strokeStyle = paint.hatch;
  inner.lineWidth = 1.6;
  inner.beginPath();
  for (const x of [-size, 0, size]) {
    inner.moveTo(x, size);
    inner.lineTo(x + size, 0);
  }
  inner.stroke();
  const pattern = context.createPattern(tile, "repeat");
  pattern.setTransform(new DOMMatrix().scale(1 / scale));
  return pattern;
};

// --- lanes -------------------------------------------------------------------------------------------------------

const drawLane = (context, paint, item, top) => {
  const { axis } = timeline, middle = top + LANE / 2, most = mostTextOf(item);
  item.versions.forEach((version, i) => {
    const end = i + 1 < item.versions.length ? item.versions[i + 1].from : axis.last + 1;
    const left = axis.begin(version.from), right = axis.begin(end);
    if (version.phase === REMOVED) drawCross(context, paint.fg2, left, middle);
    else if (version.phase === STORED) drawStored(context, paint, left, right, middle, i === 0 ? version.from > 0 : isPending(item.versions[i - 1]));
    else drawPending(context, paint, version, { left, right, top, end, most });
  });
};

const mostTextOf = (item) => {
  const numbers = new Set(item.versions.flatMap((version) => (isPending(version) ? version.counted : [])));
  let total = 0;
  for (const number of numbers) total += page.thread.tracks[number].text.length;
  return Math.max(1, total);
};

const drawCross = (context, style, x, y) => {
  context.strokeStyle = style;
  context.lineWidth = 1.5;
  context.beginPath();
  for (const turn of [-1, 1]) {
    context.moveTo(x - 3, y - 3 * turn);
    context.lineTo(x + 3, y + 3 * turn);
  }
  context.stroke();
};

const drawStored = (context, paint, left, right, middle, isNew) => {
  context.fillStyle = paint["track-2"];
  context.fillRect(left, middle - 1, Math.max(1, right - left), 2);
  if (!isNew) return;
  context.fillStyle = paint.fg2;
  context.beginPath();
  context.arc(left, middle, 3.2, 0, 2 * Math.PI);
  context.fill();
};

const drawPending = (context, paint, version, { left, right, top, end, most }) => {
  const full = LANE - 6, bottom = top + LANE - 3;
  context.fillStyle = paint.track;
  context.globalAlpha = 0.5;
  context.fillRect(left, top + 3, Math.max(1.5, right - left), full);
  context.globalAlpha = 1;
  context.fillStyle = paint["track-2"];
  if (!version.counted.length) return context.fillRect(left, bottom - 3, Math.max(1.5, right - left), 3);
  for (let x = Math.floor(left); x < right; x++) {
    const step = clamp(timeline.axis.cellAt(x + 0.5), version.from, end - 1);
    let length = 0;
    for (const number of version.counted) length += page.thread.tracks[number].unitsAt(step);
    const height = Math.max(1.5, full * Math.min(1, length / most));
    context.fillRect(x, bottom - height, 1.02, height);
  }
};

// --- strips ------------------------------------------------------------------------------------------------------

const drawStrip = (context, paint, policy, top) => {
  const { axis } = timeline, figures = figuresOf(policy), base = top + STRIP - 9, full = STRIP - 15;
  context.fillStyle = paint.line;
  context.fillRect(axis.left, base, axis.right - axis.left, 1);
  for (let x = axis.left; x < axis.right; x++) drawStop(context, paint, figures, tallestIn(figures, x), { x, base, full });
  if (isEmbedded() || isNarrow()) drawName(context, paint, page.thread.data.policies[policy].name, top);
  const { lesson } = figures;
  if (lesson) drawWorst(context, paint, axis.at(lesson.step), base - heightOf(figures, lesson.step, full));
};

// Of the steps in one column of pixels that with the most at stake.
const tallestIn = (figures, x) => {
  const first = timeline.axis.cellAt(x + 0.5), next = timeline.axis.cellAt(x + 1.5);
  let best = first, most = -1;
  for (let step = first; step < Math.max(next, first + 1); step++) {
    const height = heightOf(figures, step, 1);
    if (height > most) [best, most] = [step, height];
  }
  return best;
};

// Where there are no characters, tasks and the like give the strip a lower height.
const heightOf = (figures, step, full) => {
  const kind = figures.kindAt(step);
  if (kind < 0) return 0;
  let amount = 0;
  for (let fate = 0; fate < 3; fate++) amount += figures.amount(fate, kind, step);
  return (full * (kind && figures.most[0] ? 0.55 : 1) * amount) / Math.max(1, figures.most[kind]);
};

const drawStop = (context, paint, figures, step, { x, base, full }) => {
  const worst = figures.worstFate[step];
  if (worst < 0) return;
  const kind = figures.kindAt(step), height = heightOf(figures, step, full), amounts = FATES.map((_, fate) => figures.amount(fate, kind, step));
  const total = amounts.reduce((sum, each) => sum + each, 0);
  let y = base;
  amounts.forEach((amount, fate) => {
    if (!amount) return;
    const part = Math.max(1, (height * amount) / total);
    context.fillStyle = paint.fills[fate];
    context.fillRect(x, y - part, 1.02, part);
    y -= part;
  });
  context.fillStyle = paint.fills[worst];
  context.fillRect(x, base + 1, 1.02, 4);
};

const drawName = (context, paint, name, top) => {
  context.font = "600 11px system-ui, sans-serif";
  context.fillStyle = paint.card;
  context.globalAlpha = 0.82;
  context.fillRect(MARGIN - 2, top + 1, context.measureText(name).width + 8, 14);
  context.globalAlpha = 1;
  context.fillStyle = paint.fg;
  context.fillText(name, MARGIN + 2, top + 12);
};

const drawWorst = (context, paint, x, y) => {
  context.fillStyle = paint.fg;
  context.beginPath();
  context.moveTo(x, y - 1);
  context.lineTo(x - 4, y - 7);
  context.lineTo(x + 4, y - 7);
  context.fill();
};

const drawFault = (context, paint, x) => {
  context.fillStyle = paint.bad;
  context.beginPath();
  context.moveTo(x, 0);
  context.lineTo(x + 4, 4);
  context.lineTo(x, 8);
  context.lineTo(x - 4, 4);
  context.fill();
};

// --- all of it ---------------------------------------------------------------------------------------------------

const laneCount = () => timeline.lanes.length + (timeline.unseenLanes > 0);

const drawTimeline = () => {
  const canvas = $("canvas"), width = (timeline.width = canvas.parentNode.clientWidth), policies = page.thread.data.policies.length;
  if (!width) return;
  const height = laneCount() * LANE + policies * STRIP + 4, scale = Math.min(3, devicePixelRatio || 1);
  timeline.axis = new Axis(page.thread, width, page.isTime);
  canvas.width = width * scale;
  canvas.height = height * scale;
  canvas.style.setProperty("height", `${height}px`);
  const context = canvas.getContext("2d"), paint = colours();
  context.scale(scale, scale);
  paint.fills = [paint.kept, paint.stale, hatched(context, paint, scale)];
  const first = timeline.unseenLanes > 0 ? 1 : 0;
  timeline.lanes.forEach((item, i) => drawLane(context, paint, item, (i + first) * LANE));
  for (let policy = 0; policy < policies; policy++) drawStrip(context, paint, policy, laneCount() * LANE + policy * STRIP);
  for (const step of page.thread.faults.keys()) drawFault(context, paint, timeline.axis.at(step));
  drawTicks();
};

const drawTicks = () => {
  const { axis } = timeline, wide = (axis.right - axis.left) / 64, unit = niceAbove(axis.total / wide, page.isTime ? 1e-3 : 1), ticks = [];
  for (let i = 0; i * unit <= axis.total; i++) {
    const value = i * unit, x = axis.left + (value / axis.total) * (axis.right - axis.left);
    ticks.push(h("span", { style: { left: `${x}px` } }, page.isTime ? durationText(value) : figure(value)));
  }
  $("ticks").replaceChildren(...ticks);
};

const niceAbove = (value, least) => {
  for (let unit = least; ; unit *= 10) for (const factor of [1, 2, 5]) if (unit * factor >= value) return unit * factor;
};

const durationText = (milliseconds) => {
  const seconds = milliseconds / 1000, rest = Number((seconds % 60).toFixed(3));
  return seconds < 60 ? `${Number(seconds.toFixed(3))} s` : `${Math.floor(seconds / 60)}:${String(rest).padStart(2, "0")}`;
};

const movePlayhead = (step) => {
  const x = timeline.axis?.at(step) ?? 0;
  $("playhead").style.setProperty("transform", `translateX(${x}px)`);
  setText($("playhead").firstChild, figure(step));
};

const laneName = (item) => {
  const onclick = () => go(item.starts[0]);
  return h("button.lane-name", { type: "button", title: idText(item.id), onclick }, h("b", null, labelOf(item.type)), h("span.id", null, idText(item.id)));
};

const sideButton = (side, policy, name) => {
  const letter = side.toUpperCase(), onclick = () => pickPolicy(side, policy);
  const title = `show ${name} in column ${letter}`;
  return h("button", { type: "button", "data-side": side, "data-policy": policy, title, "aria-label": `${name} in column ${letter}`, onclick }, letter);
};

const policyName = ({ name, about }, number) => {
  const sides = h("span.sides", { role: "group", "aria-label": `columns that show ${name}` }, sideButton("a", number, name), sideButton("b", number, name));
  return h("div.policy-name", null, sides, h("span", { title: about }, name));
};

const drawNames = () => {
  const above = timeline.unseenLanes > 0 ? [h("div.lane-name", null, `and ${plural(timeline.unseenLanes, "more item")}`)] : [];
  $("names").replaceChildren(...above, ...timeline.lanes.map(laneName), ...page.thread.data.policies.map(policyName));
};

const sumNode = ({ verdict, lesson }) => {
  if (!lesson) return h("div.policy-sum", null, h("b", null, verdict), h("span", null, "at any stop"));
  const { fate, step, text } = lesson, onclick = () => go(step), title = `the worst stop: ${FATES[fate]} ${text}`;
  const worst = h("button", { type: "button", title, onclick }, `worst at ${figure(step)}`);
  return h(`div.policy-sum.worst-${FATES[fate]}`, null, h("b", null, verdict), worst);
};

const drawSums = () => {
  const space = h("div.lanes", { style: { height: `${laneCount() * LANE}px` } });
  $("sums").replaceChildren(space, ...page.thread.data.policies.map((_, policy) => sumNode(figuresOf(policy))));
};
