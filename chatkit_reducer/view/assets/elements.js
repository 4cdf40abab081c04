"use strict";
// Trees of the data to DOM nodes. Only whitelisted tags, attributes and styles exist; text becomes DOM text, never markup.

const TAGS = new Set((
  "a b blockquote code del div em h1 h2 h3 h4 h5 h6 hr i img label li mark ol p pre small span strong sup table td th tr ul " +
  "svg:svg svg:g svg:rect svg:line svg:path svg:circle svg:polyline svg:polygon svg:text svg:title"
).split(" "));
const ATTRIBUTES = new Set((
  "alt aria-hidden aria-label cx cy d fill fill-opacity height opacity points r role rx start stroke stroke-width title " +
  "viewBox width x x1 x2 y y1 y2 preserveAspectRatio"
).split(" "));
const STYLES = new Set((
  "align-items align-self aspect-ratio background border border-bottom border-color border-left border-radius border-right " +
  "border-style border-top border-width color display fill flex flex-direction flex-wrap font-size font-style font-weight gap height " +
  "justify-content margin max-height max-width min-height min-width object-fit object-position overflow padding text-align " +
  "text-decoration text-overflow white-space width -webkit-box-orient -webkit-line-clamp"
).split(" "));
const SAFE_VALUE = /^(?!.*(?:url|image|expression|attr|env)\s*\()[\w\s#%.,()/+-]{1,160}$/i;
const SAFE_LINK = /^(?:https?|mailto):/i;
const SAFE_IMAGE = /^data:image\/(?:png|jpeg|gif|webp|avif);base64,/;
const MANY = 40;
const SVG = "http://www.w3.org/2000/svg";

const append = (node, children) => {
  for (const child of children) if (child !== null && child !== undefined && child !== false) node.append(child);
  return node;
};

const create = (name) => {
  const [tag, ...classes] = name.split(".");
  const node = tag.startsWith("svg:") ? document.createElementNS(SVG, tag.slice(4)) : document.createElement(tag);
  if (classes.length) node.setAttribute("class", classes.join(" "));
  return node;
};

// An element of the page itself: `on...` are listeners, `style` is an object, the rest are attributes.
const h = (name, attributes, ...children) => {
  const node = create(name);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (key === "style") for (const [property, each] of Object.entries(value)) node.style.setProperty(property, each);
    else node.setAttribute(key, value === true ? "" : value);
  }
  return append(node, children);
};

const setText = (node, text) => {
  if (node.textContent !== text) node.textContent = text;
};

const setAttributes = (node, tag, given) => {
  for (const [name, value] of Object.entries(given)) {
    if (name === "css") setStyles(node, value);
    else if (ATTRIBUTES.has(name)) node.setAttribute(name, value);
  }
  if (tag === "a" && SAFE_LINK.test(given.href || "")) {
    node.setAttribute("href", given.href);
    node.setAttribute("rel", "noopener noreferrer");
    node.setAttribute("target", "_blank");
  }
  if (tag === "img" && SAFE_IMAGE.test(given.src || "")) node.setAttribute("src", given.src);
};

const setStyles = (node, styles) => {
  for (const [property, value] of Object.entries(styles)) {
    if (STYLES.has(property) && SAFE_VALUE.test(value)) node.style.setProperty(property, value);
  }
};

// Builds the trees of one thread.
class Builder {
  constructor(trees) {
    this.trees = trees;
    this.flat = new WeakMap();
  }

  resolved(child) {
    return typeof child === "object" && child.r !== undefined ? this.trees[child.r] : child;
  }

  // The children of a tree, with the chunks of a long list put together.
  childrenOf(tree) {
    let children = this.flat.get(tree);
    if (children === undefined) {
      children = [];
      const waiting = tree.slice(2).reverse();
      while (waiting.length) {
        const child = waiting.pop(), inner = this.resolved(child);
        if (Array.isArray(inner) && inner[0] === "") waiting.push(...inner.slice(2).reverse());
        else children.push(child);
      }
      this.flat.set(tree, children);
    }
    return children;
  }

  // A node for a tree. Leaves that grow are added to `growing`; a text is not put into them yet.
  build(child, growing) {
    const tree = this.resolved(child);
    if (typeof tree === "string") return document.createTextNode(tree);
    if (!Array.isArray(tree)) return this.leaf(h("span"), { track: tree.t, isMarkdown: false, cites: [] }, growing);
    if (tree[0] === "md") return this.markdown(tree, growing);
    const tag = tree[0].split(".")[0];
    if (!TAGS.has(tag)) return document.createTextNode("");
    const node = create(tree[0]);
    if (tree[1]) setAttributes(node, tag, tree[1]);
    node.tree = tree;
    for (const each of this.childrenOf(tree)) node.append(this.build(each, growing));
    markMany(node);
    return node;
  }

  markdown(tree, growing) {
    const source = tree[1], cites = this.citesIn(tree[2] || []), node = h("div.md");
    if (typeof source === "string") showMarkdown(node, source, cites, -1);
    else this.leaf(node, { track: source.t, isMarkdown: true, cites }, growing);
    return node;
  }

  // The places of citations, with those of fragments in place of references to these.
  citesIn(cites) {
    return cites.flatMap((each) => (Array.isArray(each) ? [each] : this.citesIn(this.resolved(each).slice(2))));
  }

  leaf(node, leaf, growing) {
    growing.push({ ...leaf, node, shown: null });
    return node;
  }

  // Make a node show another tree by changing only what differs; false if that is everything.
  patch(node, child, growing) {
    const tree = this.resolved(child), old = node.tree;
    if (!old || !Array.isArray(tree) || tree[0] !== old[0] || !isEqual(tree[1], old[1])) return false;
    const wanted = this.childrenOf(tree), there = this.childrenOf(old);
    const most = Math.min(wanted.length, there.length);
    let front = 0, back = 0;
    while (front < most && isSame(wanted[front], there[front])) front++;
    while (back < most - front && isSame(wanted.at(-1 - back), there.at(-1 - back))) back++;
    for (let i = front; i < wanted.length - back; i++) {
      const before = node.childNodes[i] ?? null;
      if (i >= there.length - back) node.insertBefore(this.build(wanted[i], growing), before);
      else if (!isSame(wanted[i], there[i]) && !this.patch(before, wanted[i], growing)) before.replaceWith(this.build(wanted[i], growing));
    }
    for (let surplus = there.length - wanted.length; surplus > 0; surplus--) node.childNodes[wanted.length - back].remove();
    node.tree = tree;
    markMany(node);
    return true;
  }
}

// Of an element with very many children only those in view are laid out: see `.many`.
const markMany = (node) => {
  if (node.childElementCount >= MANY || node.classList.contains("many")) node.classList.toggle("many", node.childElementCount >= MANY);
};

const isEqual = (one, other) => one === other || JSON.stringify(one) === JSON.stringify(other);

// Whether two children look alike: the same number, the same text, the same track.
const isSame = (one, other) => one === other || (typeof one === "object" && typeof other === "object" && isEqual(one, other));
