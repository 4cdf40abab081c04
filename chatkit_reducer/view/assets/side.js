"use strict";
// The list of events, and below it what is known of one: its JSON, the rows that decided, the findings.

const ROW = 28, SPARE_ROWS = 6;
const rows = new Map(); // the rows that exist: those in view, by number
const listBox = { top: 0, shown: 0, height: 400 }; // read when it changes, and not when a row is drawn

const shortName = (type) => type
  .replace(/^thread\.item\./, "item ").replace(/^thread\./, "thread ").replace(/^assistant_message\.content_part\./, "")
  .replace(/^widget\.(streaming_text\.)?/, "").replace(/^workflow\./, "").replace(/^generated_image\./, "image ").replace(/[._]/g, " ");

const dotOf = (type) => {
  if (type === "error") return "error";
  if (type.endsWith("delta")) return "text";
  return /^(thread\.item|assistant_message|widget|workflow|generated_image)\b/.test(type) ? "item" : "other";
};

const itemName = (event) => {
  const item = page.thread.itemOf(event);
  return item ? `${labelOf(item.type)} ${idText(item.id)}` : "";
};

const countFaults = ([first, count]) => {
  let faults = 0;
  for (const [step, each] of page.thread.faults) if (step >= first && step < first + count) faults += each;
  return faults;
};

const rowNode = (number) => {
  const { events } = page.thread.data, event = events[number], [first, count] = event, type = page.thread.typeOf(event), faults = countFaults(event);
  const times = count > 1 ? `\u00d7${figure(count)}` : "", attributes = {
    role: "option", id: `event-${number}`, "aria-posinset": number + 1, "aria-setsize": events.length, title: `${type} ${itemName(event)}`,
    style: { top: `${number * ROW}px` }, onclick: () => go(first + count - 1),
  };
  const node = h(`div.event${count > 1 ? ".run" : ""}`, attributes, h("span.number", null, figure(first)), h(`span.dot.${dotOf(type)}`),
    h("span.name", null, shortName(type), " ", h("small", null, itemName(event))), h(`span.times${faults ? ".bad" : ""}`, null, faults ? `${times} \u26a0` : times));
  return node;
};

const showRow = (number, current) => {
  if (!rows.has(number)) {
    rows.set(number, rowNode(number));
    $("rows").append(rows.get(number));
  }
  const node = rows.get(number), [first, count] = page.thread.data.events[number], isCurrent = number === current;
  node.classList.toggle("current", isCurrent);
  node.classList.toggle("later", number > current);
  node.setAttribute("aria-selected", isCurrent);
  if (isCurrent && count > 1) node.style.setProperty("--done", `${((page.step - first + 1) / count) * 100}%`);
};

const showRows = (isFollowing) => {
  const total = page.thread.data.events.length, current = page.thread.rowAt(page.step);
  if (isFollowing) followRow(current, total);
  const first = Math.max(0, Math.floor(listBox.top / ROW) - SPARE_ROWS), end = Math.min(total, first + Math.ceil(listBox.height / ROW) + 2 * SPARE_ROWS);
  for (const [number, node] of rows) {
    if (number >= first && number < end) continue;
    node.remove();
    rows.delete(number);
  }
  for (let number = first; number < end; number++) showRow(number, current);
  if (current >= first && current < end) $("events").setAttribute("aria-activedescendant", `event-${current}`);
  else $("events").removeAttribute("aria-activedescendant");
};

const followRow = (current, total) => {
  const y = Math.max(0, current) * ROW, isNear = y >= listBox.top + ROW && y <= listBox.top + listBox.height - 2 * ROW;
  if (!isNear) listBox.top = clamp(y - listBox.height / 2, 0, Math.max(0, total * ROW - listBox.height));
};

const scrollRows = () => {
  if (listBox.shown !== listBox.top) $("events").scrollTop = listBox.shown = listBox.top;
};

const resetRows = () => {
  for (const node of rows.values()) node.remove();
  rows.clear();
  $("events").style.setProperty("--number", `${14 + 7 * figure(page.thread.last).length}px`);
  $("rows").style.setProperty("height", `${page.thread.data.events.length * ROW}px`);
};

// --- the JSON of an event ----------------------------------------------------------------------------------------

const LONGEST_STRING = 4000, SHORT_DATA = 60;
const INVISIBLE = /[\x7f-\x9f\xad\u034f\u061c\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff\ufff9-\ufffb\u{e0000}-\u{e01ff}]/gu;
const asUnits = (text) => text.split("").map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`).join("");
const quote = (text) => JSON.stringify(text).replace(INVISIBLE, asUnits);

const stringNode = (text) => {
  const most = text.startsWith("data:") ? SHORT_DATA : LONGEST_STRING;
  return h("span.string", null, text.length > most * 1.5 ? `${quote(text.slice(0, most))} \u2026 ${plural(text.length, "character")}` : quote(text));
};

// The nodes of a JSON value, indented; a String object is what the event brought.
const jsonNodes = (value, margin = "") => {
  if (value instanceof String) return [h("mark.fresh", null, quote(String(value)))];
  if (typeof value === "string") return [stringNode(value)];
  if (value === null || typeof value !== "object") return [h("span.number", null, JSON.stringify(value))];
  const isList = Array.isArray(value), fields = Object.entries(value), [open, close] = isList ? "[]" : "{}";
  if (!fields.length) return [open + close];
  const nodes = [open], inner = `${margin}  `;
  fields.forEach(([name, each], i) => {
    nodes.push(`\n${inner}`, ...(isList ? [] : [h("span.key", null, quote(name)), ": "]), ...jsonNodes(each, inner), i + 1 < fields.length ? "," : "");
  });
  nodes.push(`\n${margin}${close}`);
  return nodes;
};

const eventPane = (step) => {
  if (step === 0) return [h("p", null, "Before the first event: what was stored before, if anything was.")];
  const time = page.thread.data.times?.[step - 1], raw = page.thread.rawAt(step);
  const when = time === null || time === undefined ? null : h("p", null, `recorded at ${typeof time === "number" ? new Date(time * 1000).toISOString() : time}`);
  return [when, h("pre", null, ...(typeof raw === "string" ? [raw] : jsonNodes(raw)))].filter(Boolean);
};

// --- the table ---------------------------------------------------------------------------------------------------

const CELLS = ["item", "origin", "content", "cause"];

const tableRow = ([item, origin, content, cause, decision, reason, id], ids) => {
  const cells = [item, origin, content, cause].map((cell, i) => h(`span${cell === "*" ? ".any" : ""}`, { title: CELLS[i] }, cell));
  if (id !== "*") cells.push(h("span", { title: "id" }, id));
  const fate = FATES[FATE_OF_DECISION[decision]];
  return h(`li${ids ? ".hit" : ""}`, ids ? { "aria-current": "true" } : null, h("div.cells", null, ...cells, h(`b.${fate}`, null, `\u2192 ${decision}`)),
    h("div.why", null, reason), ids ? h("div.id", null, ids.map(idText).join(", ")) : null);
};

const policyTable = (side, step) => {
  const policy = policyOf(side), hits = new Map();
  for (const { item, version } of page.thread.inFlightAt(step)) {
    const { row } = page.thread.verdictOn(policy, version, page.cause);
    hits.set(row, [...(hits.get(row) ?? []), item.id]);
  }
  const letter = page.a === page.b ? "" : `${side.toUpperCase()}: `;
  const head = h("h2", null, `${letter}${policy.name} `, h("small", null, "the first row that matches decides"));
  const unchanged = hits.has(-1) ? h("p", null, h("b", null, hits.get(-1).map(idText).join(", ")), ` \u00b7 ${page.thread.data.no_news.reason}`) : null;
  return [head, h("p", null, policy.about), unchanged, h("ol.table", null, ...policy.rows.map((row, i) => tableRow(row, hits.get(i))))].filter(Boolean);
};

const tablePane = (step) => {
  const sides = page.a === page.b ? ["a"] : page.tableOf === "b" ? ["b", "a"] : ["a", "b"];
  return sides.flatMap((side) => policyTable(side, step));
};

// --- the findings ------------------------------------------------------------------------------------------------

// The place of a step: among the events of a thread, and of a log that has others as well.
const placeText = (step) => `at ${figure(step)}${page.thread.isAlone ? "" : `, ${figure(page.thread.positionOf(step))} in the log`}`;

const findingNode = (finding) => {
  const where = finding.line ? `line ${finding.line}` : placeText(finding.step), onclick = () => go(finding.step);
  const words = [h("b", null, finding.kind.replaceAll("_", " ")), ` \u00b7 ${where}`, finding.event ? h("span.id", null, ` ${finding.event}`) : null, finding.item_id ? h("span.id", null, ` ${idText(finding.item_id)}`) : null];
  const more = finding.path === undefined ? [] : [
    h("span.more-of-it.id", null, finding.path), h("span.more-of-it.minus", null, `\u2212 updates: ${valueText(finding.updates)}`),
    h("span.more-of-it.plus", null, `+ done: ${valueText(finding.done)}`),
  ];
  const remedy = finding.instead ? ` \u2192 ${finding.instead}` : "";
  return h("button.finding", { type: "button", onclick }, ...words, h("span.more-of-it", null, finding.problem, remedy), ...more);
};

const valueText = (value) => {
  const text = quote(value ?? null);
  return text.length > LONGEST_STRING ? `${text.slice(0, LONGEST_STRING)} \u2026` : text;
};

const findingsPane = () => {
  const { findings } = page.thread.data;
  return findings.length ? findings.map(findingNode) : [h("p", null, "None: every event fits, and every item is what its updates add up to.")];
};

const PANES = { event: eventPane, table: tablePane, findings: findingsPane };

const showPane = (step) => {
  for (const tab of $("tabs").children) {
    const isOn = tab.dataset.tab === page.tab;
    tab.setAttribute("aria-selected", isOn);
    tab.tabIndex = isOn ? 0 : -1;
  }
  $("pane").setAttribute("aria-labelledby", `tab-${page.tab}`);
  $("pane").replaceChildren(...PANES[page.tab](step));
};

const showTab = (tab, side = page.tableOf) => {
  page.tab = tab;
  page.tableOf = side;
  if (isNarrow()) showView("side");
  render();
  $("pane").querySelector(".hit")?.scrollIntoView({ block: "nearest" });
};
