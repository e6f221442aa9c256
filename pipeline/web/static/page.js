// Keeps the meeting's page up to date from its stream (see pipeline/web/stream.py). The server sends
// ready values; this only places them, by textContent and never as markup. Without it the page is
// complete as of its loading.

const body = document.body;
const byId = (id) => document.getElementById(id);
const lines = byId("lines");
const scroll = byId("scroll");
let seq = body.dataset.seq;

/** Put the values of a view into the elements that name them. */
function fill(root, view) {
  for (const node of root.querySelectorAll("[data-s]")) {
    const value = view[node.dataset.s];
    if (value !== undefined && node.textContent !== value) node.textContent = value;
  }
  for (const node of root.querySelectorAll("[data-if]")) {
    const value = view[node.dataset.if];
    if (value !== undefined) node.hidden = value === "";
  }
}

/** Replace the children of a list, unless they already say the same. */
function refill(list, values, make) {
  const said = JSON.stringify(values);
  if (list.dataset.said === said) return;
  list.dataset.said = said;
  list.replaceChildren(...values.map(make));
}

function entry(text) {
  const node = document.createElement("li");
  node.textContent = text;
  node.dir = "auto";
  return node;
}

function link(ref) {
  const node = document.createElement(ref.to ? "a" : "span");
  if (ref.to) node.setAttribute("href", "#" + ref.to);
  else node.className = "dead";
  node.title = ref.title;
  node.textContent = ref.label;
  return node;
}

function loss(gap) {
  const node = document.createElement("li");
  node.append(link({ to: gap.to, label: "Missing " + gap.label, title: "" }), " " + gap.title);
  return node;
}

/** The element of a view: the one that is there, or a new one from its template. */
function element(view, template) {
  const known = byId(view.id);
  if (known) return known;
  const made = byId(template).content.firstElementChild.cloneNode(true);
  made.id = view.id;
  return made;
}

/** Put an element where its sort key belongs; most come last, so look from the end. */
function place(list, node, sort) {
  if (node.parentElement === list && node.dataset.sort === sort) return;
  node.dataset.sort = sort;
  let before = list.lastElementChild;
  while (before && (before === node || before.dataset.sort > sort)) {
    before = before.previousElementSibling;
  }
  if (before) before.after(node);
  else list.prepend(node);
}

/** Nodes of a text, its corrected words marked with what was heard. */
function textNodes(view) {
  return (view.pieces.length ? view.pieces : [{ text: view.text, heard: "" }]).map((piece) => {
    if (!piece.heard) return document.createTextNode(piece.text);
    const node = document.createElement("span");
    node.className = "fixed";
    node.title = "heard: " + piece.heard;
    const heard = document.createElement("span");
    heard.className = "unseen";
    heard.textContent = " (heard: " + piece.heard + ")";
    node.append(piece.text, heard);
    return node;
  });
}

function putSpeaker(node, view) {
  node.classList.toggle("goes-on", view.goes_on);
  node.dataset.voice = view.voice;
  node.querySelector(".speaker").title = view.sure;
}

function putLine(view) {
  const own = { gap: "t-gap", event: "t-event", picture: "t-picture" }[view.kind];
  const node = element(view, own ?? "t-line");
  fill(node, view);
  if (view.kind !== "gap") {
    node.querySelector(".time").setAttribute("href", "#" + view.id);
    node.querySelector("time").setAttribute("datetime", view.iso);
  }
  if (view.kind === "picture") {
    node.querySelector(".shot").setAttribute("href", view.image);
    const image = node.querySelector("img");
    image.alt = view.text;
    if (image.getAttribute("src") !== view.thumb) image.setAttribute("src", view.thumb);
  }
  if (!own) {
    node.className = "line " + view.kind;
    putSpeaker(node, view);
    const text = node.querySelector(".text");
    const said = JSON.stringify([view.text, view.pieces]);
    if (node.dataset.said !== said) text.replaceChildren(...textNodes(view));
    node.dataset.said = said;
    if (view.lang) text.lang = view.lang;
    refill(node.querySelector("[data-refs]"), view.refs, link);
  }
  place(lines, node, view.sort);
}

const partials = new Map(); // elements of words that are being said, by file
const settled = new Set(); // files whose words are in the log

/** Words into a paragraph, one element each: those that stay the same are not touched, so that
 * committed words never flicker and a selection in them holds. */
function putWords(text, committed, tentative) {
  const split = (words, sure) => words.split(" ").filter(Boolean).map((word) => ({ word, sure }));
  const words = [...split(committed, true), ...split(tentative, false)];
  words.forEach(({ word, sure }, place) => {
    let node = text.children[place];
    if (!node) {
      if (place) text.append(" ");
      node = document.createElement("span");
      text.append(node);
    }
    if (node.textContent !== word) node.textContent = word;
    if (node.classList.contains("tentative") === sure) node.classList.toggle("tentative", !sure);
  });
  while (text.children.length > words.length) text.lastElementChild.remove();
  while (text.lastChild && text.lastChild !== text.lastElementChild) text.lastChild.remove();
}

function putPartial(view) {
  if (settled.has(view.file)) return;
  let node = partials.get(view.file);
  if (!node) {
    node = byId("t-partial").content.firstElementChild.cloneNode(true);
    partials.set(view.file, node);
  }
  fill(node, view);
  node.querySelector("time").setAttribute("datetime", view.iso);
  putSpeaker(node, view);
  putWords(node.querySelector(".text"), view.committed, view.tentative);
  place(lines, node, view.sort);
}

function dropPartial(file) {
  partials.get(file)?.remove();
  partials.delete(file);
}

function putItem(view) {
  const group = document.querySelector(`[data-section="${CSS.escape(view.section)}"]`);
  if (!group) return;
  const known = byId(view.id);
  const node = element(view, "t-item");
  fill(node, view);
  node.className = "item " + view.look;
  node.querySelector(".owner").dataset.known = view.owner_known ? "yes" : "no";
  node.querySelector(".unverified").title = view.unverified;
  refill(node.querySelector("[data-refs]"), view.refs, link);
  place(group.querySelector(".items"), node, view.sort);
  if (!known) node.classList.add("new");
  group.hidden = false;
}

function takeAway(id) {
  const node = byId(id);
  if (!node || !node.matches(".line, .item")) return;
  const group = node.closest(".group");
  node.remove();
  if (group) group.hidden = group.querySelector(".item") === null;
}

function putHead(head) {
  fill(document.querySelector(".top"), head);
  fill(byId("notes"), { label: head.label, coverage: head.coverage });
  document.title = head.title + " · rtms-notes";
  body.dataset.state = head.state;
  refill(byId("people"), head.people, entry);
  refill(byId("gaps"), head.gaps, loss);
  refill(byId("troubles"), head.troubles, entry);
  refill(byId("notices"), head.notices, entry);
  refill(byId("faults"), head.faults, entry);
  refill(byId("clips"), head.clips, entry);
  byId("faults-h").hidden = head.faults.length === 0;
  byId("more").hidden = head.faults.length + head.clips.length === 0;
  byId("alert").hidden = head.gaps.length + head.troubles.length === 0;
}

function atEnd() {
  return scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < 80;
}

function toEnd() {
  scroll.scrollTo({ top: scroll.scrollHeight, behavior: "instant" });
}

function apply(change) {
  const follow = atEnd();
  if (change.head) putHead(change.head);
  for (const file of change.settled ?? []) {
    settled.add(file);
    dropPartial(file); // in the same paint as its final line
  }
  (change.lines ?? []).forEach(putLine);
  (change.items ?? []).forEach(putItem);
  (change.gone ?? []).forEach(takeAway);
  if (change.news) byId("news").textContent = change.news.join(". ");
  byId("empty").hidden = document.querySelector(".item") !== null;
  sayNothing();
  seq = change.seq;
  body.dataset.seq = seq;
  if (follow) toEnd();
}

function sayNothing() {
  byId("silent").hidden = lines.firstElementChild !== null;
}

/** Words before they are final. They are in no log: the number of the page does not change. */
function hear(said) {
  const follow = atEnd();
  (said.lines ?? []).forEach(putPartial);
  (said.gone ?? []).forEach(dropPartial);
  sayNothing();
  if (follow) toEnd();
}

function sayLost(text) {
  byId("lost").textContent = text;
  byId("lost").hidden = text === "";
}

function listen() {
  const stream = new EventSource(`/m/${body.dataset.meeting}/events?after=${seq}`);
  stream.addEventListener("open", () => {
    [...partials.keys()].forEach(dropPartial); // those of now follow
    sayLost("");
  });
  stream.addEventListener("change", (event) => apply(JSON.parse(event.data)));
  stream.addEventListener("partial", (event) => hear(JSON.parse(event.data)));
  stream.addEventListener("reload", () => location.reload());
  stream.addEventListener("end", () => stream.close());
  stream.addEventListener("error", () => {
    if (body.dataset.state === "finished") return stream.close();
    sayLost("The connection to rtms-notes is lost. Trying again …");
    if (stream.readyState === EventSource.CLOSED) setTimeout(listen, 3000); // refused: not by itself
  });
  addEventListener("pagehide", () => stream.close(), { once: true });
  // A page that comes back from the history has no stream any more.
  addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); }, { once: true });
}

if (body.dataset.state !== "finished") {
  if (!location.hash) toEnd();
  listen();
}
