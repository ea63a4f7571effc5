// Owns how elements are made: always as nodes and text, never as markup, for every word may come from a stranger's test.
function h(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === false || value === null || value === undefined) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((one) => one !== null && one !== undefined && one !== false));
  return element;
}

function link(kind, name) {
  return "#" + kind + "=" + encodeURIComponent(name);
}

function mark(tone) {
  return h("span", { class: "mark " + tone, "aria-hidden": "true" }, SIGNS[tone]);
}

// A traceback: pytest's lines that begin with E stand out.
function trace(text) {
  const pre = h("pre", { tabindex: "0" });
  for (const line of text.split("\n")) pre.append(/^E( |$)/.test(line) ? h("span", { class: "e" }, line) : line, "\n");
  return pre;
}

// A box that opens: filled by `fill` when it is opened first.
function fold(title, fill, open) {
  const box = h("details", { class: "trace", open });
  const filled = () => box.childElementCount === 1 && box.append(...fill());
  box.append(h("summary", null, title));
  box.addEventListener("toggle", filled);
  if (open) filled();
  return box;
}

// One chip for each result, `pg16-asyncpg failed`; with many cells those that passed are one chip.
function chips(results) {
  const list = h("ul", { class: "chips" });
  const passed = results.filter((one) => one.outcome === "passed");
  const shown = results.length > 12 ? results.filter((one) => one.outcome !== "passed") : results;
  for (const one of shown) {
    const tries = one.place >= 0 ? moreOf(one.session, one.place).tries : 1;
    const words = one.outcome + (tries > 1 ? ", tried " + tries + " times" : "");
    list.append(h("li", { class: TONES[one.outcome] }, h("span", null, one.session.cell || one.session.name), " " + words + (one.place >= 0 ? " · " + time(one.ms) : "")));
  }
  if (shown !== results && passed.length) list.append(h("li", { class: "good" }, counted(passed.length, "cell") + " passed"));
  return list;
}

function where(members) {
  return members.map((one) => one.session.cell || one.session.name).join(", ");
}

function grouped(items, key) {
  const groups = new Map();
  for (const one of items) groups.set(key(one), [...(groups.get(key(one)) || []), one]);
  return groups;
}

// Tracebacks of a test with what was printed and logged, equal ones once, with the cells that share them.
function evidence(results, open) {
  const found = results.filter((one) => one.place >= 0).map((one) => ({ ...one, more: moreOf(one.session, one.place) }));
  const telling = found.filter(({ more }) => more.detail || more.sections.length);
  return [...grouped(telling, (one) => one.outcome + "\n" + one.more.detail)].map(([, members], number) =>
    fold(members[0].outcome + " on " + where(members), () => [members[0].more.detail ? trace(members[0].more.detail) : "", ...sections(members)], open && !number));
}

function sections(members) {
  const all = members.flatMap((one) => one.more.sections.map(([title, text]) => ({ session: one.session, title, text })));
  return [...grouped(all, (one) => one.title + "\n" + one.text)].map(([, same]) =>
    fold(same[0].title + (same.length < members.length ? " · " + where(same) : ""), () => [trace(same[0].text)], false));
}

// `items` by portions: the first now, each further one at a press of a button.
function portions(container, items, draw, size) {
  let shown = 0;
  const button = h("button", { type: "button", onclick: () => more(true) });
  function more(pressed) {
    const next = items.slice(shown, shown + size).map(draw);
    button.remove();
    container.append(...next);
    shown += next.length;
    if (shown < items.length) {
      button.textContent = "Show " + Math.min(size, items.length - shown) + " more of " + (items.length - shown).toLocaleString("en");
      container.append(button);
    }
    if (pressed && next.length) (next[0].matches("a, button") ? next[0] : next[0].querySelector("a, summary, button") || button).focus();
  }
  more(false);
}
