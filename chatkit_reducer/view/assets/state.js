"use strict";
// What the page shows right now, and its address.

const $ = (id) => document.getElementById(id);
const root = document.documentElement;
const LOG = JSON.parse($("data").textContent);
const SIDES = ["seen", "a", "b"];

const page = {
  thread: null, // what is known of the thread that is shown
  builder: null,
  number: 0, // of that thread in the log
  step: 0,
  a: 0, // the numbers of two policies, and of a cause
  b: 1,
  cause: 0,
  tab: "event",
  tableOf: "a",
  view: "seen", // the column of a narrow page
  theme: "",
  isTime: false, // whether the axis is of time
  isLinked: false, // whether the columns scroll together
  wholeTexts: new Set(), // the tracks of which more is shown than the end
  hasAllItems: false,
  figures: new Map(),
};

const policyOf = (side) => page.thread.data.policies[page[side]];

const figuresOf = (policy) => {
  const key = `${policy} ${page.cause}`;
  if (!page.figures.has(key)) page.figures.set(key, new Figures(page.thread.data.policies[policy], page.cause));
  const figures = page.figures.get(key);
  figures.extend(page.thread);
  return figures;
};

const openThread = (number) => {
  page.number = number;
  page.thread = new Thread(LOG.threads[number]);
  page.builder = new Builder(page.thread.data.trees);
  page.isTime &&= page.thread.times !== null;
  page.step = page.thread.last;
  page.figures.clear();
  page.wholeTexts.clear();
  page.hasAllItems = false;
};

// --- the address: #at=147&a=sdk&b=keep&cause=cancelled -----------------------------------------------------------

const indexIn = (names, name, otherwise) => (names.includes(name) ? names.indexOf(name) : otherwise);

const readStart = () => {
  const start = LOG.start ?? {}, at = start.at ?? null;
  const number = LOG.threads.findIndex((each) => each.thread === start.thread);
  openThread(Math.max(0, number));
  page.b = Math.min(1, page.thread.data.policies.length - 1);
  page.cause = indexIn(page.thread.data.causes, start.cause ?? "cancelled", 0);
  if (at !== null) page.step = page.thread.stepAtPosition(at);
};

const readAddress = () => {
  const given = new URLSearchParams(location.hash.slice(1));
  const thread = Number(given.get("thread") ?? page.number + 1) - 1;
  if (thread !== page.number && LOG.threads[thread]) openThread(thread);
  const { policies, causes } = page.thread.data, names = policies.map((each) => each.name);
  if (given.has("at")) page.step = page.thread.stepAtPosition(Math.trunc(Number(given.get("at"))) || 0);
  page.a = indexIn(names, given.get("a"), page.a);
  page.b = indexIn(names, given.get("b"), page.b);
  page.cause = indexIn(causes, given.get("cause"), page.cause);
  page.isTime = given.get("axis") === "time" ? page.thread.times !== null : page.isTime;
  if (given.has("embed")) root.dataset.embed = "";
  if (/^(light|dark)$/.test(given.get("theme") ?? "")) root.dataset.theme = page.theme = given.get("theme");
};

const isEmbedded = () => root.dataset.embed === "";
const isNarrow = () => matchMedia("(max-width: 780px)").matches;

const addressNow = () => {
  const { policies, causes } = page.thread.data;
  const parts = { at: page.thread.positionOf(page.step), a: policies[page.a].name, b: policies[page.b].name, cause: causes[page.cause] };
  if (LOG.live && page.step === page.thread.last) delete parts.at; // the end moves on
  if (page.number) parts.thread = page.number + 1;
  if (page.isTime) parts.axis = "time";
  if (isEmbedded()) parts.embed = 1;
  if (page.theme) parts.theme = page.theme;
  return `#${new URLSearchParams(parts)}`;
};

let addressTimer = 0;
const writeAddress = () => {
  clearTimeout(addressTimer);
  addressTimer = setTimeout(() => {
    try {
      history.replaceState(null, "", addressNow());
    } catch {
      // The frame of a notebook has no address.
    }
  }, 250);
};
