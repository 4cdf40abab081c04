"use strict";
// As much of Markdown as chat answers use, to trees of elements; nothing in this file knows the DOM.
//
// Where a citation stands and where the newest delta begins is marked inside of the text by low halves of surrogate
// pairs that stand alone. No decoded text of a log can hold one.

const FRESH = "\udc00", FIRST_CITE = 0xdc01, MOST_CITES = 1000, DEEPEST_BLOCK = 6;
const SIGNS = /(?<![\ud800-\udbff])[\udc00-\udfff]/g;
const FENCE = /^ {0,3}(```+|~~~+)/, RULE = /^ {0,3}([-*_])(?:\s*\1){2,}\s*$/, QUOTE = /^( {0,3})>\s?/;
const HEADING = /^ {0,3}(#{1,6})\s+(.*)$/, ITEM = /^(\s*)([-*+]|\d{1,9}[.)])\s+(.*)$/;
const LINE_MARKS = /(?:[ \t]*(?:[-*+>]|#{1,6}|\d{1,9}[.)]))*[ \t]*/y;
const TABLE_RULE = /^\s*\|?\s*:?-+:?\s*(?:\|\s*:?-+:?\s*)*\|?\s*$/;

const unsigned = (text) => text.replace(SIGNS, "");
const isMarkup = (character) => character !== undefined && "*_`~#[]()!>|\\-+\n".includes(character);

// The text with its signs: `cites` are pairs of a place in code points and a number, `fresh` a place in UTF-16 units.
const withSigns = (text, cites, fresh) => {
  const signs = cites.filter(([, number]) => number < MOST_CITES).map(([point, number]) => [placeOfCite(text, point), String.fromCharCode(FIRST_CITE + number)]);
  const place = fresh < 0 ? text.length : placeOfFresh(text, fresh);
  if (place < text.length) signs.push([place, FRESH]);
  signs.sort((a, b) => a[0] - b[0]);
  let signed = "", last = 0;
  for (const [at, sign] of signs) {
    signed += text.slice(last, at) + sign;
    last = at;
  }
  return signed + text.slice(last);
};

// Not between the two asterisks of a `**`.
const placeOfCite = (text, point) => {
  let place = unitOf(text, point);
  while (place < text.length && place > 0 && text[place - 1] === text[place] && "*_`~".includes(text[place])) place++;
  return place;
};

// Behind the marks that the newest delta begins with: a sign in the midst of them would make them plain text.
const placeOfFresh = (text, fresh) => {
  let place = fresh;
  for (;;) {
    place = Math.max(place, endOfLineMarks(text, place));
    if (place >= text.length || !isMarkup(text[place])) return place;
    place++;
  }
};

// The place behind the bullets, numbers and the like with which the line begins that a place is in.
const endOfLineMarks = (text, place) => {
  LINE_MARKS.lastIndex = place ? text.lastIndexOf("\n", place - 1) + 1 : 0;
  LINE_MARKS.exec(text);
  return LINE_MARKS.lastIndex;
};

// --- inside of a block -------------------------------------------------------------------------------------------

// A piece of text with its signs as elements. `state.lit` is whether the newest delta has begun.
const pieces = (text, state) => {
  const found = [];
  let plain = "";
  const flush = () => {
    if (plain) found.push(state.lit ? ["mark.fresh", 0, plain] : plain);
    plain = "";
  };
  for (const character of text) {
    const code = character.charCodeAt(0);
    if (character.length > 1 || code < 0xdc00 || code > 0xdfff) plain += character;
    else {
      flush();
      if (character === FRESH) state.lit = true;
      else found.push(["sup.cite", 0, String(code - FIRST_CITE)]);
    }
  }
  flush();
  return found;
};

const linkTree = (address, label, isImage, state) => {
  const url = unsigned(address), text = inline(label || url, state);
  const link = LINK_START.test(url) ? ["a", { href: url, title: url }, ...text] : ["span.nolink", { title: `not a link: ${url}` }, ...text];
  return isImage ? ["span.noimg", 0, ["span.noimg-i", { "aria-hidden": "true" }, "\u25a8"], link] : link;
};
const LINK_START = /^(?:https?|mailto):/i;

const wrapped = (tag) => (match, state) => [tag, 0, ...inline(match[1] ?? match[2], state)];

// Each is tried where its first character stands: the expression, and the tree that a match becomes.
const INLINE = [
  [/(`+)(?!`)([^]*?[^`])\1(?!`)/y, (match, state) => ["code", 0, ...pieces(match[2], state)]],
  [/(!?)\[([^\]\n]*)\]\(([^()\s]*(?:\([^()\s]*\)[^()\s]*)*)(?:\s+"[^"\n]*")?\)/y, (match, state) => linkTree(match[3], match[2], match[1] === "!", state)],
  [/\*\*(?=\S)([^]*?\S)\*\*|__(?=\S)([^]*?\S)__(?!\w)/y, wrapped("strong")],
  [/~~(?=\S)([^]*?\S)~~/y, wrapped("del")],
  [/\*(?=[^\s*])([^*]*?[^\s*])\*(?!\*)|(?<!\w)_(?=[^\s_])([^_]*?[^\s_])_(?!\w)/y, wrapped("em")],
  [/(?<!\w)https?:\/\/[^\s<>()\udc00-\udfff]*[^\s<>().,;:!?'"\udc00-\udfff]/y, (match, state) => ["a", { href: match[0] }, ...pieces(match[0], state)]],
  [/\\([\\`*_{}[\]()#+\-.!|~>])/y, (match, state) => ["", 0, ...pieces(match[1], state)]],
];
const SPECIAL = /[`!\[*_~\\]|https?:/g;

const matchAt = (text, place) => {
  for (const [expression, tree] of INLINE) {
    expression.lastIndex = place;
    const match = expression.exec(text);
    if (match) return { match, tree };
  }
  return null;
};

const inline = (text, state) => {
  const found = [];
  let plain = 0, place = 0;
  for (;;) {
    SPECIAL.lastIndex = place;
    const special = SPECIAL.exec(text);
    if (!special) break;
    place = special.index;
    const hit = matchAt(text, place);
    if (!hit) {
      place++;
      continue;
    }
    found.push(...pieces(text.slice(plain, place), state));
    const tree = hit.tree(hit.match, state);
    found.push(...(tree[0] === "" ? tree.slice(2) : [tree]));
    plain = place += hit.match[0].length;
  }
  found.push(...pieces(text.slice(plain), state));
  return found;
};

// --- blocks ------------------------------------------------------------------------------------------------------

// Each parses the lines from a place on, and gives a tree and the place behind it.
const fenced = (lines, place, state) => {
  const fence = FENCE.exec(unsigned(lines[place]))[1];
  let end = place + 1;
  while (end < lines.length && !unsigned(lines[end]).trim().startsWith(fence)) end++;
  return [["pre", 0, ["code", 0, ...pieces(lines.slice(place + 1, end).join("\n"), state)]], end + 1];
};

const heading = (lines, place, state) => {
  const [, marks, text] = HEADING.exec(lines[place]);
  return [[`h${marks.length}`, 0, ...inline(text, state)], place + 1];
};

const quotation = (lines, place, state, depth) => {
  const inner = [];
  let end = place;
  while (end < lines.length && QUOTE.test(unsigned(lines[end]))) inner.push(lines[end++].replace(QUOTE, ""));
  const trees = depth < DEEPEST_BLOCK ? blocks(inner, state, depth + 1) : inline(inner.join("\n"), state);
  return [["blockquote", 0, ...trees], end];
};

const list = (lines, place, state, depth) => {
  const [, margin, mark] = ITEM.exec(lines[place]), indent = margin.length, isOrdered = /\d/.test(mark);
  const items = [];
  let end = place;
  while (end < lines.length) {
    const found = ITEM.exec(lines[end]);
    if (!found || found[1].length < indent || found[1].length > indent + 1 || /\d/.test(found[2]) !== isOrdered) break;
    const body = [found[3]];
    for (end++; end < lines.length && isInside(lines, end, indent); end++) body.push(lines[end].slice(Math.min(indent + 2, lines[end].search(/\S|$/))));
    items.push(["li", 0, ...itemTrees(body, state, depth)]);
    if (end + 1 < lines.length && !lines[end].trim() && ITEM.test(lines[end + 1])) end++;
  }
  const start = parseInt(mark, 10);
  return [[isOrdered ? "ol" : "ul", isOrdered && start !== 1 ? { start: String(start) } : 0, ...items], end];
};

const isInside = (lines, place, indent) => {
  const line = lines[place].trim() ? lines[place] : (lines[place + 1] ?? "");
  return /\S/.test(line) && line.search(/\S/) > indent + 1;
};

// A line alone, and the first paragraph before an inner list, are no paragraphs.
const itemTrees = (body, state, depth) => {
  if (body.length === 1 || depth >= DEEPEST_BLOCK) return inline(body.join("\n"), state);
  const [first, ...rest] = blocks(body, state, depth + 1);
  return first && first[0] === "p" ? [...first.slice(2), ...rest] : [first, ...rest].filter(Boolean);
};

const table = (lines, place, state) => {
  const row = (line, tag) => ["tr", 0, ...cellsOf(line).map((cell) => [tag, 0, ...inline(cell.trim(), state)])];
  const rows = [row(lines[place], "th")];
  let end = place + 2;
  while (end < lines.length && lines[end].includes("|")) rows.push(row(lines[end++], "td"));
  return [["table", 0, ...rows], end];
};

const cellsOf = (line) => line.trim().replace(/^\||\|$/g, "").split("|");

const isTable = (lines, place) => lines[place].includes("|") && place + 1 < lines.length && TABLE_RULE.test(unsigned(lines[place + 1]));

const isList = (lines, place) => {
  const found = ITEM.exec(lines[place]);
  return found !== null && found[1].length < 24;
};

// Whether a block of a kind begins at a place, and how it is parsed; the first that begins is taken.
const BLOCKS = [
  [(lines, place) => FENCE.test(unsigned(lines[place])), fenced],
  [(lines, place) => HEADING.test(lines[place]), heading],
  [(lines, place) => RULE.test(unsigned(lines[place])), (_, place) => [["hr", 0], place + 1]],
  [(lines, place) => QUOTE.test(unsigned(lines[place])), quotation],
  [isList, list],
  [isTable, table],
];

const blocks = (lines, state, depth) => {
  const trees = [];
  let paragraph = [], signs = "", place = 0; // `signs` stood in a blank line
  const flush = () => {
    const text = inline(paragraph.join("\n"), state);
    if (text.length) trees.push(["p", 0, ...text]);
    paragraph = [];
  };
  while (place < lines.length) {
    const block = BLOCKS.find(([begins]) => begins(lines, place));
    if (block) {
      flush();
      const [tree, end] = block[1](lines, place, state, depth);
      trees.push(tree);
      place = end;
    } else if (unsigned(lines[place]).trim()) {
      paragraph.push(signs + lines[place++]);
      signs = "";
    } else {
      flush();
      signs += lines[place++].trim();
    }
  }
  if (signs) paragraph.push(signs);
  flush();
  return trees;
};

// The source in parts that can be drawn one by one: blank lines divide them, though not inside of a fence or a list.
const segmentsOf = (source) => {
  const segments = [], lines = source.split("\n");
  let begin = 0, fence = "";
  for (let i = 0; i < lines.length; i++) {
    const bare = unsigned(lines[i]), mark = FENCE.exec(bare);
    if (fence) fence = bare.trim().startsWith(fence) ? "" : fence;
    else if (mark) fence = mark[1];
    else if (!bare.trim() && !isListGoingOn(lines, begin, i)) {
      if (i > begin) segments.push(lines.slice(begin, i).join("\n"));
      begin = i + 1;
    }
  }
  if (begin < lines.length) segments.push(lines.slice(begin).join("\n"));
  return segments;
};

const isListGoingOn = (lines, begin, blank) =>
  begin < blank && isList(lines, begin) && blank + 1 < lines.length && (isList(lines, blank + 1) || /^\s{2,}\S/.test(lines[blank + 1]));

const isLitBehind = (segment, isLit) => isLit || segment.includes(FRESH);

// The trees of one segment; `isLit` is whether the newest delta began before it.
const segmentTrees = (segment, isLit) => blocks(segment.split("\n"), { lit: isLit }, 0);
