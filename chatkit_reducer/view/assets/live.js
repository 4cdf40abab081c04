"use strict";
// A live page: increments extend the lists at their ends, and the line stays at the end unless it was moved.

const live = { source: null, said: null, isWaiting: false, pause: 0, last: 0 };
const REST = 4; // behind each drawing the page rests so many times as long: of a very long log the strips take their time

// --- the data ----------------------------------------------------------------------------------------------------

const appendAll = (list, more) => {
  for (const each of more) list.push(each);
};

// The first of the new runs takes the place of the last one if both begin at the same step.
const extendRuns = (runs, more) => {
  if (more.length && runs.at(-1)?.[0] === more[0][0]) runs.pop();
  appendAll(runs, more);
};

const extendTrack = (track, more) => {
  for (const [first, count] of more.s) {
    const last = track.s.at(-1);
    if (last && last[0] + last[1] === first) last[1] += count;
    else track.s.push([first, count]);
  }
  track.t += more.t;
  appendAll(track.m, more.m);
};

const extendTimes = (block, times) => {
  if (times === null) return;
  block.times ??= Array(block.n).fill(null);
  appendAll(block.times, times);
};

const extendBlock = (block, more) => {
  for (const name of ["types", "trees", "raws", "cases", "stage", "findings"]) appendAll(block[name], more[name]);
  for (const name of ["positions", "events"]) extendRuns(block[name], more[name]);
  for (const [number, gained] of more.tracks) extendTrack((block.tracks[number] ??= { t: "", s: [], m: [] }), gained);
  for (const [number, head, versions] of more.items) appendAll((block.items[number] ??= { ...head, v: [] }).v, versions);
  more.policies.forEach(({ d, held }, i) => {
    appendAll(block.policies[i].d, d);
    block.policies[i].held = held;
  });
  extendTimes(block, more.times);
  for (const name of ["n", "cursor", "thread"]) block[name] = more[name];
};

// What is known of a thread, after its block was extended.
const extendThread = (thread, more) => {
  const turns = new Set();
  for (const [number, gained] of more.tracks) (thread.tracks[number] ??= new Track()).grow(gained);
  for (const [number, head, versions] of more.items) {
    const item = (thread.items[number] ??= asItem({ ...head, v: [] }));
    for (const version of versions.map(asVersion)) {
      item.versions.push(version);
      item.starts.push(version.from);
      turns.add(version.from);
    }
  }
  appendAll(thread.turns, [...turns].sort((a, b) => a - b));
  appendAll(thread.eventStarts, thread.data.events.slice(thread.eventStarts.length).map((each) => each[0]));
  appendAll(thread.stageStarts, more.stage.map((each) => each[0]));
  thread.clock.take(thread.data.times);
  countFaultsIn(more.findings, thread.faults);
  thread.last = more.n;
};

// --- what is to be seen ------------------------------------------------------------------------------------------

const nameOfThread = (block) => (block.thread === null ? "(no thread)" : idText(block.thread));

const newThreadSelect = () => {
  const onchange = (event) => {
    openThread(Number(event.target.value));
    drawThread();
  };
  $("meta").before(h("select", { id: "thread", "aria-label": "thread", onchange }));
};

const showThreads = () => {
  if (!$("thread") && LOG.threads.length < 2) return;
  if (!$("thread")) newThreadSelect();
  const select = $("thread");
  LOG.threads.forEach((block, i) => setText(select.options[i] ?? select.appendChild(h("option", { value: String(i) })), nameOfThread(block)));
  while (select.options.length > LOG.threads.length) select.lastElementChild.remove();
  select.value = String(page.number);
};

const drawGrowth = () => {
  const isAtEnd = page.step >= live.last;
  if (isAtEnd) page.step = page.thread.last;
  resetRows();
  pickLanes();
  drawNames();
  $("range").max = page.thread.last;
  $("axis-kind").hidden = page.thread.times === null;
  showThreads();
  showFindingsCount();
  if (isAtEnd) return drawAll();
  drawTimeline();
  drawSums();
  movePlayhead(page.step);
  showWhere(page.step);
  showChoices();
  showRows(false);
};

const showGrowth = () => {
  if (!live.isWaiting) return;
  live.isWaiting = false;
  const begun = performance.now();
  drawGrowth();
  live.pause = REST * (performance.now() - begun);
};

const showGrowthSoon = () => {
  if (live.isWaiting) return;
  live.isWaiting = true;
  live.last = page.thread.last;
  setTimeout(() => requestAnimationFrame(showGrowth), live.pause);
};

const say = (text) => setText(live.said, text);

// --- the server --------------------------------------------------------------------------------------------------

const takeMore = ({ threads }) => {
  showGrowthSoon();
  threads.forEach((more, i) => {
    if (!LOG.threads[i]) return LOG.threads.push(more);
    extendBlock(LOG.threads[i], more);
    if (i === page.number) extendThread(page.thread, more);
  });
};

const takeAll = ({ threads }) => {
  live.isWaiting = false;
  LOG.threads.length = 0;
  appendAll(LOG.threads, threads);
  openThread(page.number < threads.length ? page.number : 0);
  showThreads();
  drawThread();
};

const stopLive = (text) => {
  live.source.close();
  say(text);
};

const listen = (name, act) => {
  live.source.addEventListener(name, (event) => {
    const data = JSON.parse(event.data);
    if (data.v !== LOG.v) stopLive("not live: the server is of another version; reload the page");
    else act(data);
  });
};

const goLive = ({ after }) => {
  live.said = h("span.meta", { id: "live", role: "status" });
  $("meta").after(live.said);
  live.source = new EventSource(`events?after=${encodeURIComponent(after)}`);
  live.source.onopen = () => say("live");
  live.source.onerror = () => say(live.source.readyState === EventSource.CLOSED ? "not live: reload the page" : "not live: waiting for the server");
  listen("more", takeMore);
  listen("all", takeAll);
  listen("end", () => stopLive("the stream has ended"));
};

if (LOG.live) goLive(LOG.live);
