"use strict";
// The three columns: what people see, and what a reload shows under two policies.

const NEWEST = 60; // of very many items the newest are drawn, and all in flight

const LABELS = {
  assistant_message: "assistant", user_message: "user", client_tool_call: "client tool call", end_of_turn: "end of turn",
  generated_image: "image", hidden_context_item: "hidden context", sdk_hidden_context: "hidden context of the SDK", structured_input: "questions",
};
const labelOf = (type) => LABELS[type] ?? (idText(type.replaceAll("_", " ")) || "item");

const OLDER_IS_STALE = "The store keeps this older copy. The newer one stays on the screen until a reload.";
const OLDER_IS_BACK = "The store keeps this older copy; clients are sent back to it.";
const NOTHING_LOST = "There was nothing to see in it.";
const NOTHING_STORED = "The store has nothing of it; it stays on the screen until a reload.";

// How a column shows an item: its tree (-1 for none), the words around it, and the classes.
const sceneOf = (side, item, version) => {
  if (side === "seen") return item.hidden ? null : sceneOnScreen(version);
  if (!isPending(version)) return { tree: version.tree, classes: "", badge: item.hidden ? "never shown" : "" };
  const verdict = page.thread.verdictOn(policyOf(side), version, page.cause);
  const scene = { verdict, badge: item.hidden ? "never shown" : "", classes: `decided ${FATES[verdict.fate]}` };
  return { ...scene, ...OUTCOMES[verdict.row < 0 ? "no news" : verdict.decision](version) };
};

const sceneOnScreen = (version) => {
  const badge = ["pending", "pending over a stored copy", ""][version.phase];
  return { tree: version.tree, badge, classes: isPending(version) ? "pending" : "" };
};

const OUTCOMES = {
  "no news": (version) => ({ said: "kept", tree: version.base < 0 ? version.tree : version.base }),
  persist: (version) => ({ said: "kept", tree: version.sealed < 0 ? version.tree : version.sealed }),
  stale: (version) => ({ said: "stale", tree: version.base, note: version.base < 0 ? NOTHING_STORED : OLDER_IS_STALE }),
  discard: (version) => {
    if (version.base >= 0) return { said: "lost", tree: version.base, note: OLDER_IS_BACK };
    return version.content ? { said: "lost", tree: version.tree, isGhost: true } : { said: "dropped", tree: -1, note: NOTHING_LOST, classes: "decided" };
  },
};

const verdictButton = (side, scene) => {
  const { row, reason } = scene.verdict, onclick = () => showTab("table", side);
  const place = row < 0 ? "" : ` (row ${row + 1})`;
  return h("button.verdict", { type: "button", title: "show the row in the table", onclick }, h("b", null, scene.said), " \u00b7 ", h("span.why", null, reason), place);
};

class Column {
  constructor(side) {
    this.side = side;
    this.root = $(`${side}-chat`);
    this.slots = new Map();
  }

  clear() {
    this.slots.clear();
    this.root.replaceChildren();
  }

  show(step) {
    const alive = page.thread.aliveAt(step), hiddenAbove = page.hasAllItems ? 0 : Math.max(0, alive.length - NEWEST);
    const shown = hiddenAbove ? alive.filter(({ version }, i) => i >= hiddenAbove || isPending(version)) : alive;
    const nodes = hiddenAbove ? [this.above(hiddenAbove)] : [];
    for (const each of shown) {
      const node = this.slot(each.item, each.version, step);
      if (node) nodes.push(node);
    }
    this.arrange(nodes);
  }

  // One button for any number of items: another one in its place would move all that stand below it.
  above(count) {
    this.aboveNode ??= moreButton("", () => (page.hasAllItems = true));
    setText(this.aboveNode, `\u22ef ${plural(count, "item")} above`);
    return this.aboveNode;
  }

  arrange(nodes) {
    const kept = new Set(nodes);
    for (const [item, slot] of this.slots) {
      if (kept.has(slot.node)) continue;
      slot.node.remove();
      this.slots.delete(item);
    }
    nodes.forEach((node, i) => {
      if (this.root.children[i] !== node) this.root.insertBefore(node, this.root.children[i] ?? null);
    });
    while (this.root.children.length > nodes.length) this.root.lastChild.remove();
    markMany(this.root);
  }

  slot(item, version, step) {
    const scene = sceneOf(this.side, item, version);
    if (!scene) return null;
    const slot = this.sameSlot(item, scene) ?? this.newSlot(item, scene);
    for (const leaf of slot.growing) showGrowing(leaf, step, this.side === "seen" && step > 0);
    return slot.node;
  }

  // The slot of the item, if at most the inside of its tree has to change.
  sameSlot(item, scene) {
    const slot = this.slots.get(item);
    if (!slot || slot.key !== keyOf(scene)) return null;
    if (slot.tree !== scene.tree) {
      if (!page.builder.patch(slot.drawn, { r: scene.tree }, slot.growing)) return null;
      slot.tree = scene.tree;
      slot.growing = slot.growing.filter((leaf) => slot.node.contains(leaf.node));
    }
    return slot;
  }

  newSlot(item, scene) {
    const growing = [], drawn = scene.tree < 0 ? null : page.builder.build({ r: scene.tree }, growing);
    const node = h("article.slot", { "aria-label": `${labelOf(item.type)} ${idText(item.id)}` }, this.head(item, scene), this.body(scene, drawn));
    node.className = `slot ${scene.classes}`;
    const old = this.slots.get(item), slot = { node, drawn, growing, tree: scene.tree, key: keyOf(scene) };
    if (old) old.node.replaceWith(node);
    this.slots.set(item, slot);
    return slot;
  }

  head(item, scene) {
    const badge = scene.badge && h("span.badge", null, scene.badge);
    return h("div.who", null, h("b", null, labelOf(item.type)), h("span.id", null, idText(item.id)), badge || null);
  }

  body(scene, drawn) {
    const said = scene.verdict ? verdictButton(this.side, scene) : null;
    const shown = scene.isGhost ? h("div.ghost", null, drawn) : drawn;
    return h("div.body", null, said, shown, scene.note ? h("p.note", null, scene.note) : null);
  }
}

const keyOf = (scene) => [scene.classes, scene.badge, scene.said, scene.note, scene.isGhost, scene.tree < 0, scene.verdict?.row, scene.verdict?.reason].join("|");

// --- the heads of the columns, and what is below the items -------------------------------------------------------

const showSeenHead = (step) => {
  const count = page.thread.inFlightAt(step).length, more = page.thread.uncountedAt(step).length;
  const total = amountText(page.thread.totalAt(step)) || (more ? "nothing in it is counted" : "nothing to see of it yet");
  const nothing = page.thread.alive.length ? "all of it is stored" : "an empty thread";
  setText($("seen-sum"), count ? `${plural(count, "item")} in flight: ${total}` : nothing);
  $("empty").hidden = page.thread.alive.some(({ item }) => !item.hidden);
};

const HAS_LEFT = "The client had left: people have not seen what came since.";

const showStage = (step) => {
  const { progress, error } = page.thread.stageAt(step), event = page.thread.eventAt(step), notes = [];
  if (page.thread.hasLeft(step)) notes.push(h("div.toast.warning", null, HAS_LEFT));
  if (progress) notes.push(h("div.progress", null, progressText(progress)));
  if (event && page.thread.typeOf(event) === "notice") notes.push(noticeNode(page.thread.rawAt(step)));
  if (event && page.thread.typeOf(event) === "client_effect") notes.push(h("div.toast", null, "client effect ", h("code", null, String(page.thread.rawAt(step).name))));
  if (error) notes.push(h("div.toast.error", null, h("b", null, "error "), h("code", null, String(error.code ?? "")), error.message ? ` ${error.message}` : "", error.allow_retry ? " \u00b7 may be retried" : ""));
  $("stage").replaceChildren(...notes);
};

const progressText = ({ text, item_id: item, fraction }) => (text === undefined || text === null ? `${idText(item ?? "")}: ${Math.round(fraction * 100)}%` : text);

const noticeNode = ({ level, title, message }) => {
  const kind = /^(info|warning|danger)$/.test(level) ? level : "info";
  return h(`div.toast.${kind}`, null, title ? h("b", null, `${title} `) : null, String(message));
};

// For each fate how much has it; nothing where nothing has.
const fateTexts = (policy, inFlight, step) => {
  const sums = FATES.map(() => [0, 0, 0, 0]), uncounted = FATES.map(() => 0);
  for (const { version } of inFlight) {
    const { fate } = page.thread.verdictOn(policy, version, page.cause), amount = page.thread.amountOf(version, step);
    amount.forEach((each, kind) => (sums[fate][kind] += each));
    uncounted[fate] += isUncounted(version, amount);
  }
  return FATES.map((_, fate) => [amountText(sums[fate]), uncounted[fate] && plural(uncounted[fate], "item")].filter(Boolean).join(", "));
};

const showStoreHead = (side, step) => {
  const policy = policyOf(side), inFlight = page.thread.inFlightAt(step);
  const said = fateTexts(policy, inFlight, step).map((text, i) => text && h(`span.fate.${FATES[i]}`, null, h("i", { "aria-hidden": "true" }), `${FATES[i]} ${text}`)).filter(Boolean);
  if (!said.length) said.push(h("span", null, inFlight.length ? "nothing to see was in flight" : "nothing is in flight"));
  $(`${side}-sum`).replaceChildren(...said);
  setText($(`${side}-name`), policy.name);
  const command = commandOf(policy, step);
  $(`${side}-command`).replaceChildren(...command);
  $(`${side}-command`).parentNode.hidden = !command.length;
  $(`${side}-marker`).replaceChildren(...markerWords(policy, step));
};

const quoted = (word) => (/^[\w.@%+=:,/-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);

// The words of a command for the same stop; none if there is no such command.
const commandOf = (policy, step) => {
  const { log, policies, stored } = LOG.start.command ?? { policies: {} };
  if (!Object.hasOwn(policies, policy.name)) return [];
  const at = page.thread.positionOf(step), cause = page.thread.data.causes[page.cause];
  const options = [`--at ${at}`, `--policy ${quoted(policies[policy.name])}`, `--cause ${cause}`];
  if (stored !== null) options.push(`--stored ${quoted(stored)}`);
  const spans = options.map((option) => h("span.option", null, option));
  return ["chatkit-reducer cancel ", quoted(log), ...spans.flatMap((option) => [" ", option])];
};

const markerWords = (policy, step) => {
  const { marker } = policy;
  if (!marker || !marker.causes.includes(page.cause)) return ["The model is told nothing."];
  if (page.thread.holdsMarker(policy, page.cause, step)) {
    return [h("b", null, "The model is told nothing: "), "a client tool call waits for its output, and a marker behind it would stop the thread."];
  }
  return [h("b", null, "The model is told "), marker.content === null ? "what the application makes of it." : `\u201c${marker.content}\u201d`];
};
