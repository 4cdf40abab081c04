"use strict";
// The beginning: it listens to its controls, and draws all of it.

const watchPlot = () => {
  const plot = $("plot"), range = $("range");
  const place = (event) => event.clientX - plot.getBoundingClientRect().left;
  let isDragging = false;
  plot.addEventListener("pointerdown", (event) => {
    if (event.target === range || event.button) return;
    isDragging = true;
    plot.setPointerCapture(event.pointerId);
    go(timeline.axis.nearest(place(event)));
    range.focus({ preventScroll: true });
    event.preventDefault();
  });
  plot.addEventListener("pointermove", (event) => {
    $("hover").hidden = isDragging;
    $("hover").style.setProperty("transform", `translateX(${clamp(place(event), MARGIN, timeline.width - MARGIN)}px)`);
    if (isDragging) dragTo(timeline.axis.nearest(place(event)));
  });
  for (const name of ["pointerup", "pointercancel"]) plot.addEventListener(name, () => (isDragging = false));
  plot.addEventListener("pointerleave", () => ($("hover").hidden = true));
  range.addEventListener("input", () => dragTo(Number(range.value)));
};

const watchSizes = () => {
  $("events").addEventListener("scroll", () => {
    listBox.top = listBox.shown = $("events").scrollTop;
    showRows(false);
  }, { passive: true });
  new ResizeObserver(([entry]) => {
    listBox.height = entry.contentRect.height;
    showRows(true);
    scrollRows();
  }).observe($("events"));
  new ResizeObserver(() => {
    if ($("plot").clientWidth === timeline.width) return;
    drawTimeline();
    movePlayhead(page.step);
  }).observe($("plot"));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawTimeline);
};

const watchScrolling = () => {
  for (const side of SIDES) {
    const box = $(`${side}-chat`).parentNode;
    box.addEventListener("scroll", () => page.isLinked && box.matches(":hover, :focus-within") && scrollOthers(side), { passive: true });
  }
};

const CLICKS = {
  first: () => go(0), back: () => go(page.step - 1), play: () => play(!player.isOn), next: () => go(page.step + 1), last: () => go(page.thread.last),
  speed: changeSpeed, theme: () => setTheme(THEMES[page.theme][0]), help: () => $("keys").showModal(), "axis-kind": changeAxis, linked: changeLinked,
  found: () => showTab("findings"), "a-copy": () => copyCommand("a"), "b-copy": () => copyCommand("b"),
};

const watchButtons = () => {
  for (const [id, act] of Object.entries(CLICKS)) $(id).addEventListener("click", act);
  for (const tab of $("tabs").children) tab.addEventListener("click", () => showTab(tab.dataset.tab));
  for (const tab of $("views").children) {
    tab.addEventListener("click", () => {
      showView(tab.dataset.view);
      render();
    });
  }
  for (const group of [$("tabs"), $("views"), $("causes")]) moveByArrows(group);
  $("events").addEventListener("keydown", (event) => {
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!by) return;
    event.preventDefault();
    goByRow(by);
  });
  $("thread")?.addEventListener("change", (event) => {
    openThread(Number(event.target.value));
    drawThread();
  });
  addEventListener("keydown", pressed);
  addEventListener("hashchange", () => {
    readAddress();
    drawThread();
  });
};

const drawCauses = () => {
  $("causes").replaceChildren(...page.thread.data.causes.map((cause, i) => h("button", { type: "button", role: "radio", onclick: () => pickCause(i) }, cause.replaceAll("_", " "))));
};

const begin = () => {
  $("static").remove();
  $("app").hidden = false;
  readStart();
  readAddress();
  drawCauses();
  showView("seen");
  watchPlot();
  watchSizes();
  watchScrolling();
  watchButtons();
  root.classList.toggle("by-time", page.isTime);
  drawThread();
  root.dataset.ready = "";
};

begin();

// For tests and benchmarks: the state, and a way to draw a step at once.
globalThis.chatkitView = {
  page,
  figuresOf,
  drag: dragTo,
  idText,
  showMarkdown,
  show: (step) => {
    page.step = step;
    render();
  },
};
