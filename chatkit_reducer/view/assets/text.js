"use strict";
// Ids, and growing texts on the screen.

// --- ids: two of them look alike only if they are equal, as in a terminal (core/visible.py) -------------------

const PLAIN_ID = /^[!-[\]-~]*$/, ODD_SPACES = /^ +| +$| {2,}/g;
const SHAPED = /^[\p{L}\p{N}\p{P}\p{S}]$/u, BLANK = /[\u115f\u1160\u2800\u{1d159}]/u, JOINING = /[\u1100-\u11ff\ua960-\ua97f\ud7b0-\ud7ff]/;

const hasShape = (character) => {
  if (character < "\x80") return character >= " " && character !== "\x7f";
  return SHAPED.test(character) && !BLANK.test(character) && !JOINING.test(character) && character.normalize("NFKC") === character;
};

const escaped = (character) => {
  const code = character.codePointAt(0), [mark, digits] = code < 0x100 ? ["x", 2] : code < 0x10000 ? ["u", 4] : ["U", 8];
  return `\\${mark}${code.toString(16).padStart(digits, "0")}`;
};

const idText = (id) => {
  if (PLAIN_ID.test(id)) return id;
  const shown = [...id.replaceAll("\\", "\\\\")].map((each) => (hasShape(each) ? each : escaped(each))).join("");
  return shown.replace(ODD_SPACES, (spaces) => "\\x20".repeat(spaces.length));
};

// --- growing texts: of a long one its end is shown, from a place that moves seldom --------------------------------

const LONGEST = 2000, STRIDE = 1024, LOOK_AHEAD = 900;

const startOf = (text, length) => {
  const strides = Math.floor((length - LONGEST) / STRIDE);
  if (strides < 1) return 0;
  const place = strides * STRIDE, end = text.indexOf("\n\n", place);
  if (end >= 0 && end < place + LOOK_AHEAD) return end + 2;
  const code = text.charCodeAt(place);
  return code >= 0xdc00 && code < 0xe000 ? place + 1 : place;
};

// Draws again only those segments whose source has changed: a delta costs its own paragraph.
const showMarkdown = (node, source, cites, fresh) => {
  const wanted = segmentsOf(withSigns(source, cites, fresh)), there = [...node.children].filter((each) => each.classList.contains("segment"));
  const gone = there.findIndex((each) => each.source === wanted[0]);
  for (const each of there.splice(0, Math.max(0, gone))) each.remove(); // the start has moved on
  let isLit = false;
  wanted.forEach((segment, i) => {
    const old = there[i];
    if (!old || old.source !== segment || old.isLit !== isLit) {
      const drawn = segmentNode(segment, isLit);
      if (old) old.replaceWith(drawn);
      else node.append(drawn);
    }
    isLit = isLitBehind(segment, isLit);
  });
  for (const each of there.slice(wanted.length)) each.remove();
};

const segmentNode = (segment, isLit) => {
  const node = h("div.segment");
  for (const tree of segmentTrees(segment, isLit)) node.append(page.builder.build(tree, []));
  return Object.assign(node, { source: segment, isLit });
};

const showPlain = (node, text, fresh) => {
  if (fresh < 0) node.replaceChildren(text);
  else node.replaceChildren(text.slice(0, fresh), h("mark.fresh", null, text.slice(fresh)));
};

// Shows what a track has after a step; `isLit` marks what the last event brought.
const showGrowing = (leaf, step, isLit) => {
  const track = page.thread.tracks[leaf.track], isWhole = page.wholeTexts.has(leaf.track);
  const length = track.unitsAt(step), before = isLit ? track.unitsAt(step - 1) : length;
  const shown = `${length} ${before} ${isWhole}`;
  if (leaf.shown === shown) return;
  leaf.shown = shown;
  const start = isWhole ? 0 : startOf(track.text, length), text = track.text.slice(start, length);
  const fresh = before < length && before >= start ? before - start : -1, skipped = track.pointsIn(start);
  const above = leaf.above;
  if (leaf.isMarkdown) showMarkdown(leaf.node, text, citesFrom(leaf.cites, skipped), fresh);
  else showPlain(leaf.node, text, fresh);
  if (above) above.remove();
  leaf.above = start ? moreButton(`${figure(skipped)} characters above`, () => page.wholeTexts.add(leaf.track)) : null;
  if (leaf.above) leaf.node.prepend(leaf.above);
};

const citesFrom = (cites, skipped) => cites.map(([point, number]) => [point - skipped, number]).filter(([point]) => point >= 0);

const moreButton = (text, act) => {
  const onclick = () => {
    act();
    render();
  };
  return h("button.more", { type: "button", onclick }, `\u22ef ${text}`);
};
