"use strict";
// The keys of the page.

const pageful = () => Math.max(10, Math.round(page.thread.last / 20));
const KEYS = {
  ArrowRight: (event) => (event.shiftKey ? goByRow(1) : go(page.step + 1)),
  ArrowLeft: (event) => (event.shiftKey ? goByRow(-1) : go(page.step - 1)),
  PageDown: () => go(page.step + pageful()),
  PageUp: () => go(page.step - pageful()),
  Home: () => go(0),
  End: () => go(page.thread.last),
  j: () => goByRow(1),
  k: () => goByRow(-1),
  " ": () => play(!player.isOn),
  n: () => goToFinding(1),
  N: () => goToFinding(-1),
  w: goToWorst,
  a: () => nextPolicy("a"),
  b: () => nextPolicy("b"),
  c: () => pickCause(page.cause + 1),
  C: () => pickCause(page.cause - 1),
  e: () => showTab("event"),
  r: () => showTab("table"),
  f: () => showTab("findings"),
  l: changeLinked,
  t: () => setTheme(THEMES[page.theme][0]),
  x: changeAxis,
  "?": () => $("keys").showModal(),
};

const isForThePage = (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || $("keys").open) return false;
  const tag = event.target.tagName ?? "";
  return tag !== "SELECT" && !(/^(BUTTON|A)$/.test(tag) && event.key === " ");
};

const pressed = (event) => {
  if (!isForThePage(event) || !Object.hasOwn(KEYS, event.key)) return;
  event.preventDefault();
  KEYS[event.key](event);
};

// In a group of tabs or of radio buttons the arrows go from one to the next.
const moveByArrows = (group) => {
  group.addEventListener("keydown", (event) => {
    const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key], all = [...group.children].filter((each) => each.checkVisibility());
    const here = all.indexOf(document.activeElement);
    if (!by || here < 0) return;
    event.preventDefault();
    const next = all[(here + by + all.length) % all.length];
    next.click();
    next.focus();
  });
};
