"use strict";
// What the tests ask of a page; they evaluate this file in it.

const textWithout = (node, selector) => {
  const copy = node.cloneNode(true);
  for (const each of copy.querySelectorAll(selector)) each.remove();
  return copy.textContent;
};

// The elements that draw an item, by their tags and classes; those of Markdown and of growing texts are the script's.
const elementsOf = (it) =>
  [it, ...it.querySelectorAll("*")]
    .filter((node) => node.tree && !node.parentNode.closest(".md"))
    .map((node) => [node.tagName.toLowerCase(), ...node.classList].filter((name) => name !== "many").join("."))
    .join(" ");

// The text of a slot, of its Markdown the letters, since its marks are not shown, and the elements.
const textsOfSlot = (slot) => {
  const it = slot.querySelector(".it");
  if (!it) return ["", "", ""];
  const markdown = [...it.querySelectorAll(".md")].map((node) => textWithout(node, ".cite"));
  const letters = [...markdown.join("")].filter((character) => /\p{L}/u.test(character));
  return [textWithout(it, ".md"), letters.join(""), elementsOf(it)];
};

const column = (side) =>
  [...document.querySelectorAll(`#${side}-chat > .slot`)].map((slot) => [
    slot.querySelector(".who .id").textContent,
    ...textsOfSlot(slot),
  ]);

// For each of these steps the columns, and the JSON of the event.
globalThis.readSteps = (steps) => {
  const { page, show } = chatkitView;
  for (const track of page.thread.tracks.keys()) page.wholeTexts.add(track);
  return steps.map((step) => {
    show(step);
    const raw = JSON.parse(JSON.stringify(page.thread.rawAt(step)));
    return { seen: column("seen"), a: column("a"), b: column("b"), raw };
  });
};

// For each cause and policy what the strips say.
globalThis.readFigures = () => {
  const { page, figuresOf } = chatkitView;
  const { causes, policies } = page.thread.data;
  return causes.map((_, cause) => {
    page.cause = cause;
    return policies.map((_, policy) => {
      const { worst, worstAmount, meanShare, losing, stale } = figuresOf(policy);
      return [worst, worstAmount, meanShare, losing, stale];
    });
  });
};

const LOADING = ["IFRAME", "OBJECT", "EMBED", "LINK", "BASE", "VIDEO", "AUDIO", "MATH"];
const IMAGE = /^data:image\/(png|jpeg|gif|webp|avif);base64,/;

const injectedAt = (node) => {
  const names = node.getAttributeNames();
  const link = node.getAttribute("href"), style = node.getAttribute("style") ?? "";
  const found = names.filter((name) => name.startsWith("on"));
  if (LOADING.includes(node.tagName)) found.push(node.tagName);
  if (node.tagName === "FORM" && !node.closest("dialog")) found.push(node.tagName);
  if (node.tagName === "SCRIPT" && node.parentNode !== document.body) found.push(node.tagName);
  if (node.tagName === "IMG" && !IMAGE.test(node.getAttribute("src"))) found.push(node.tagName);
  if (link !== null && !/^(https?|mailto):/i.test(link)) found.push(link);
  if (/url\(|expression|image-set/i.test(style)) found.push(style);
  return found;
};

// All that only markup in a log could have made.
globalThis.findInjected = () => {
  const found = [...document.querySelectorAll("*")].flatMap(injectedAt);
  return document.querySelectorAll("script").length === 3 ? found : [...found, "a script"];
};

const INVISIBLE_IN_JSON = /[\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/;

globalThis.findMarkupOfAllSteps = () => {
  const found = [];
  for (const tab of ["event", "table", "findings"]) {
    chatkitView.page.tab = tab;
    for (let step = 0; step <= chatkitView.page.thread.last; step++) {
      chatkitView.show(step);
      found.push(...findInjected().map((each) => `${tab} ${step}: ${each}`));
      const json = document.querySelector("#pane pre")?.textContent ?? "";
      if (INVISIBLE_IN_JSON.test(json)) found.push(`${tab} ${step}: an invisible character`);
    }
  }
  return found;
};

// The directives of the policy that forbid what is tried here.
globalThis.tryToInject = () =>
  new Promise((done) => {
    const blocked = [];
    document.addEventListener("securitypolicyviolation", (event) =>
      blocked.push(event.effectiveDirective),
    );
    const script = document.createElement("script");
    script.textContent = "window.pwned = 1";
    const style = document.createElement("style");
    style.textContent = "body { display: none }";
    const image = new Image();
    image.src = "http://127.0.0.1:9/x.png";
    document.body.append(script, style, image);
    fetch("http://127.0.0.1:9/").catch(() => {});
    setTimeout(() => done(blocked.sort()), 300);
  });

// The items at the top of the columns, after the first one was scrolled to its middle.
globalThis.scrollFirst = () =>
  new Promise((done) => {
    const boxes = [...document.querySelectorAll(".scroll")];
    for (const box of boxes) box.scrollTop = 0;
    boxes[0].focus();
    boxes[0].scrollTop = boxes[0].scrollHeight / 2;
    const isBelow = (slot, box) =>
      slot.getBoundingClientRect().bottom > box.getBoundingClientRect().top + 8;
    const topItem = (box) =>
      [...box.querySelectorAll(".slot")].find((slot) => isBelow(slot, box)).ariaLabel;
    setTimeout(() => done(boxes.map(topItem)), 300);
  });

// The texts of elements, where they stand, and whether an end of them is cut off.
globalThis.placesOf = (selector) =>
  [...document.querySelectorAll(selector)].map((node) => {
    const { left, right } = node.getBoundingClientRect();
    return { text: node.textContent, left, right, isCut: node.scrollWidth > node.clientWidth };
  });

// From now on, `labels` has each name that an element gets, in order.
globalThis.noteLabels = (id) => {
  const node = document.getElementById(id);
  globalThis.labels = [];
  new MutationObserver(() => labels.push(node.ariaLabel)).observe(node, {
    attributeFilter: ["aria-label"],
  });
};
