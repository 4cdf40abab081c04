"use strict";
// Drawing all of it, moving, and choosing.

const columns = SIDES.map((side) => new Column(side));
// A drag over so many steps, or of a page that takes so many milliseconds to draw, draws the stores only when the hand
// rests for a while.
const FAR = 40, SLOW = 6, RESTING = 90;

// --- drawing -----------------------------------------------------------------------------------------------------

const render = ({ isFollowing = true, isLight = false } = {}) => {
  const { step } = page;
  movePlayhead(step);
  showWhere(step);
  columns[0].show(step);
  showSeenHead(step);
  showStage(step);
  if (!isLight) {
    for (const column of columns.slice(1)) column.show(step);
    for (const side of ["a", "b"]) showStoreHead(side, step);
  }
  showChoices();
  showRows(isFollowing);
  showPane(step);
  if (isFollowing) scrollAll(isLight ? ["seen"] : SIDES, isLight ? 0 : 4);
  writeAddress();
};

const showWhere = (step) => {
  const event = page.thread.eventAt(step), last = page.thread.last;
  const said = event ? `${page.thread.typeOf(event)} ${itemName(event)}` : "before the first event";
  $("range").value = step;
  $("range").setAttribute("aria-valuetext", `after event ${step} of ${last}: ${said}`);
  setText($("step"), figure(step));
  setText($("of"), ` of ${plural(last, "event")}${page.thread.isAlone ? "" : `, ${figure(page.thread.positionOf(step))} in the log`}`);
  $("what").replaceChildren(...(event ? [h("b", null, page.thread.typeOf(event)), ` ${itemName(event)}`] : ["Nothing yet. Drag the line, or press \u2192."]));
};

const showChoices = () => {
  [...$("causes").children].forEach((button, i) => {
    button.setAttribute("aria-checked", i === page.cause);
    button.tabIndex = i === page.cause ? 0 : -1;
  });
  for (const button of $("names").querySelectorAll("[data-side]")) {
    button.setAttribute("aria-pressed", page[button.dataset.side] === Number(button.dataset.policy));
  }
  $("col-b").hidden = page.a === page.b;
  $("columns").classList.toggle("two", page.a === page.b);
};

// Scrolls the list to its row, and columns to what the last event changed. All is measured before anything is moved:
// so there is one layout. Of very many tasks or items only those in view have got their height: so it is done again.
let scrolling = 0;
const scrollAll = (sides, tries) => {
  const moves = sides.map(moveIntoView).filter(({ by }) => by);
  scrollRows();
  for (const { box, by } of moves) box.scrollTop += by;
  cancelAnimationFrame(scrolling);
  if (moves.length && tries && $("app").querySelector(".many")) scrolling = requestAnimationFrame(() => scrollAll(sides, tries - 1));
};

const moveIntoView = (side) => {
  const box = $(`${side}-chat`).parentNode, target = targetIn(side, box);
  if (!target) return { box, by: 0 };
  const there = target.getBoundingClientRect(), frame = box.getBoundingClientRect();
  if (there.bottom > frame.bottom - 16) return { box, by: Math.min(there.bottom - frame.bottom + 40, box.scrollHeight - box.clientHeight - box.scrollTop) };
  const isTall = there.height > frame.height - 60;
  return { box, by: there.top < frame.top && !isTall ? there.top - frame.top - 40 : 0 };
};

const lastOf = (node, name) => {
  const all = node.getElementsByClassName(name);
  return all.length ? all[all.length - 1] : null;
};

// What the newest delta brought, or the end of the last item in flight.
const targetIn = (side, box) => {
  const fresh = box.querySelector(".fresh");
  if (fresh) return fresh;
  const item = lastOf(box, side === "seen" ? "pending" : "decided");
  return item && (lastOf(item, "task") ?? lastOf(item, "md") ?? item);
};

const drawAll = () => {
  drawTimeline();
  drawSums();
  render();
};

// All that depends on the thread.
const drawThread = () => {
  for (const column of columns) column.clear();
  resetRows();
  pickLanes();
  drawNames();
  $("range").max = page.thread.last;
  $("axis-kind").hidden = page.thread.times === null;
  for (const select of [$("thread")].filter(Boolean)) select.value = String(page.number);
  showFindingsCount();
  drawAll();
};

const showFindingsCount = () => {
  const count = page.thread.data.findings.length, { title, thread } = page.thread.stageAt(page.thread.last);
  setText($("found"), count ? plural(count, "finding") : "no findings");
  $("found").className = `pill ${count ? "bad" : "good"}`;
  const facts = [title, LOG.threads.length > 1 ? null : idText(thread ?? page.thread.data.thread ?? ""), plural(page.thread.items.length, "item")];
  $("meta").replaceChildren(...facts.filter(Boolean).map((fact, i) => h("span", null, i ? "\u00a0\u00b7 " : "", h("bdi", null, fact))));
};

let waiting = null, fullTime = 0; // the milliseconds of the last drawing of all columns
const renderSoon = (options) => {
  if (waiting) {
    waiting.isLight &&= options.isLight;
    return;
  }
  waiting = { ...options };
  requestAnimationFrame(() => {
    const now = waiting, begun = performance.now();
    waiting = null;
    render(now);
    if (!now.isLight) fullTime = performance.now() - begun;
  });
};

// --- moving ------------------------------------------------------------------------------------------------------

const go = (step, options = {}) => {
  const next = clamp(step, 0, page.thread.last);
  if (next === page.step) return;
  page.step = next;
  renderSoon(options);
};

let resting = 0;
const dragTo = (step) => {
  const isLight = Math.abs(step - page.step) > FAR || fullTime > SLOW;
  go(step, { isLight });
  clearTimeout(resting);
  if (isLight) resting = setTimeout(() => renderSoon({}), RESTING);
};

const goByRow = (by) => {
  const { events } = page.thread.data, number = page.thread.rowAt(page.step);
  if (by > 0) {
    const next = events[number + 1], here = events[number];
    const end = here && page.step < here[0] + here[1] - 1 ? here : next;
    go(end ? end[0] + end[1] - 1 : page.thread.last);
  } else if (number >= 0) go(events[number][0] - 1);
};

const goToFinding = (by) => {
  const steps = [...page.thread.faults.keys()].sort((a, b) => (a - b) * by);
  const next = steps.find((step) => (step - page.step) * by > 0);
  if (next === undefined) return;
  page.tab = "findings";
  go(next);
};

const goToWorst = () => {
  const { lesson } = figuresOf(page.a);
  if (lesson) go(lesson.step);
};

const player = { isOn: false, frame: 0, speed: 1, last: 0, owed: 0 };

// All of it in 40 seconds, or 12 events a second.
const stepsIn = (milliseconds) => (milliseconds / 1000) * Math.max(12, page.thread.last / 40) * player.speed;

const playOn = (now) => {
  player.owed += stepsIn(now - player.last);
  player.last = now;
  const whole = Math.floor(player.owed);
  player.owed -= whole;
  if (whole) {
    page.step = Math.min(page.step + whole, page.thread.last);
    render();
  }
  if (page.step >= page.thread.last) play(false);
  else player.frame = requestAnimationFrame(playOn);
};

const play = (isOn) => {
  player.isOn = isOn;
  $("play").setAttribute("aria-label", isOn ? "pause" : "play");
  $("play").setAttribute("aria-pressed", isOn);
  setText($("play"), isOn ? "\u275a\u275a" : "\u25b6");
  cancelAnimationFrame(player.frame);
  if (!isOn) return;
  if (page.step >= page.thread.last) page.step = 0;
  Object.assign(player, { last: performance.now(), owed: 0, frame: requestAnimationFrame(playOn) });
  renderSoon({});
};

const SPEEDS = [1, 4, 16, 0.25];
const changeSpeed = () => {
  player.speed = SPEEDS[(SPEEDS.indexOf(player.speed) + 1) % SPEEDS.length];
  setText($("speed"), `${player.speed === 0.25 ? "\u00bc" : player.speed}\u00d7`);
  $("speed").setAttribute("aria-label", `speed: ${player.speed} times`);
};

// --- choosing ----------------------------------------------------------------------------------------------------

const pickPolicy = (side, policy) => {
  page[side] = policy;
  render({ isFollowing: false });
};

const pickCause = (cause) => {
  const { causes } = page.thread.data;
  page.cause = (cause + causes.length) % causes.length;
  drawAll();
};

const nextPolicy = (side) => pickPolicy(side, (page[side] + 1) % page.thread.data.policies.length);

const THEMES = { "": ["dark", "\u25d0", "as the system"], dark: ["light", "\u263e", "dark"], light: ["", "\u2600", "light"] };
const setTheme = (theme) => {
  page.theme = theme;
  if (theme) root.dataset.theme = theme;
  else delete root.dataset.theme;
  const [, sign, name] = THEMES[theme];
  $("theme").setAttribute("aria-label", `theme: ${name}`);
  setText($("theme"), sign);
  drawTimeline();
  writeAddress();
};

const changeAxis = () => {
  if (!page.thread.times) return;
  page.isTime = !page.isTime;
  setText($("axis-kind"), page.isTime ? "time" : "events");
  root.classList.toggle("by-time", page.isTime);
  drawTimeline();
  render({ isFollowing: false });
};

const changeLinked = () => {
  page.isLinked = !page.isLinked;
  $("linked").setAttribute("aria-pressed", page.isLinked);
};

// Scrolls the other columns so that they show the item that is at the top of this one.
const scrollOthers = (side) => {
  const box = $(`${side}-chat`).parentNode, top = box.getBoundingClientRect().top;
  const slots = [...box.querySelectorAll(".slot")], slot = slots.find((each) => each.getBoundingClientRect().bottom > top + 8);
  if (!slot) return;
  const offset = slot.getBoundingClientRect().top - top, name = slot.getAttribute("aria-label");
  for (const other of SIDES.filter((each) => each !== side)) {
    const frame = $(`${other}-chat`).parentNode, twin = [...frame.querySelectorAll(".slot")].find((each) => each.getAttribute("aria-label") === name);
    if (twin) frame.scrollTop += twin.getBoundingClientRect().top - frame.getBoundingClientRect().top - offset;
  }
};

const showView = (view) => {
  page.view = view;
  for (const tab of $("views").children) {
    tab.setAttribute("aria-selected", tab.dataset.view === view);
    tab.tabIndex = tab.dataset.view === view ? 0 : -1;
  }
  for (const side of SIDES) $(`col-${side}`).classList.toggle("shown", side === view);
  $("side").classList.toggle("shown", view === "side");
};

const copyCommand = async (side) => {
  const code = $(`${side}-command`), button = $(`${side}-copy`);
  const say = (word) => {
    setText(button, word);
    setTimeout(() => setText(button, "copy"), 1200);
  };
  try {
    await navigator.clipboard.writeText(code.textContent);
    say("copied");
  } catch {
    getSelection().selectAllChildren(code);
    say("selected");
  }
};
