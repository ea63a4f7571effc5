// Owns the sheet at the side: one session or one test, named by the address (#session=..., #test=...), so that each can
// be linked to, and Back closes it.
const sheet = document.getElementById("sheet");
const sheetBody = document.getElementById("sheet-body");
const sheetTitle = document.getElementById("sheet-title");
const pageTitle = document.title;
let before = null;

function facts(pairs) {
  return h("dl", { class: "facts" }, pairs.filter(([, value]) => value !== "" && value !== undefined && value !== null).map(([name, value, long]) => h("div", { class: long ? "long" : null }, h("dt", null, name), h("dd", null, value))));
}

function pairs(values) {
  return Object.entries(values || {}).map(([name, value]) => name + " " + value).join(", ");
}

function sessionFacts(one) {
  const found = one.facts === undefined ? {} : DATA.facts[one.facts];
  return facts([
    ["state", one.state + (one.note && one.note !== one.state ? ": " + one.note : "")],
    ["wall time", one.seconds === undefined ? "" : time(one.seconds * 1000)],
    ["server ready in", one.ready ? time(one.ready * 1000) : ""],
    ["exit code", one.exit === undefined ? "" : String(one.exit)],
    ["server", found.server_version ? "PostgreSQL " + found.server_version : ""],
    ["driver", found.driver ? found.driver + " " + found.driver_version : ""],
    ["provider", found.provider || ""],
    ["workers", one.workers === undefined ? "" : (one.workers || "none") + (one.why ? " (" + one.why + ")" : "")],
    ["why this provider", found.reason || "", true],
    ["extensions", pairs(found.extensions), true],
    ["settings", pairs(found.settings), true],
  ]);
}

function drawSession(one) {
  const parts = [sessionFacts(one)];
  if (one.preview) parts.push(h("p", { class: "notice warn" }, "A preview cell: shown, never blocking."));
  for (const text of [one.error, ...(one.crashed || [])].filter(Boolean)) parts.push(h("p", { class: "notice" }, text));
  for (const text of one.narrowed || []) parts.push(h("p", { class: "notice warn" }, "Not the whole layer: " + text));
  if (one.list === undefined) return [...parts, h("p", null, "There is no record of this session to show.")];
  if (one.warnings.length) parts.push(fold(counted(one.warnings.length, "warning"), () => [trace(one.warnings.map((text) => DATA.texts[text]).join("\n"))], false));
  const rows = h("div", { class: "group rows" });
  const { rows: index } = rowsOf(one.layer);
  portions(rows, testsOf(one), (result) => {
    const tone = TONES[result.outcome];
    return h("a", { class: "row", href: link("test", testName(index.get(result.test).test)) }, h("span", { class: "name" }, mark(tone), " " + testName(result.test)), h("span", { class: tone === "bad" ? "bad-text" : "faint" }, result.outcome), h("span", { class: "took" }, time(result.ms)));
  }, 200);
  return [...parts, h("h3", null, counted(one.outcomes.length, "test")), rows];
}

function drawTest(row) {
  const results = resultsOf(row);
  const slowest = Math.max(1, ...results.map((one) => one.ms));
  const list = h("div", { class: "group rows" }, results.map((one) => {
    const tone = TONES[one.outcome];
    const bar = h("progress", { max: slowest, value: one.ms, "aria-hidden": "true" });
    return h("a", { class: "row cell-row", href: link("session", one.session.name) }, h("span", { class: "name" }, mark(tone), " " + (one.session.cell || one.session.name)), bar, h("span", { class: tone === "bad" ? "bad-text" : "faint" }, one.outcome + (one.place >= 0 && moreOf(one.session, one.place).tries > 1 ? ", tried " + moreOf(one.session, one.place).tries + " times" : "")), h("span", { class: "took" }, one.place < 0 ? "-" : time(one.ms)));
  }));
  const found = evidence(results, true);
  const again = row.layer ? h("p", { class: "faint again" }, "Run it again: ", h("code", null, 'nox -t ' + row.layer + " -- -k '" + shortName(row.test) + "'")) : "";
  return [h("p", null, h("span", { class: "tag" }, row.layer || "file"), " " + spoken(results)), list, h("h3", null, found.length ? "Tracebacks and logs" : "It left no traceback and no log."), ...found, again];
}

// The function's name, without file, class and parameters: what -k takes without a quote.
function shortName(test) {
  const name = DATA.tests[test][1] || "";
  const found = /(\w+)(\[[^]*)?$/.exec(name.split("[")[0]);
  return found ? found[1] : name.replace(/\W+/g, " ").trim();
}

function wanted() {
  const found = /^#(session|test)=(.*)$/.exec(location.hash);
  if (!found) return null;
  try {
    return { kind: found[1], name: decodeURIComponent(found[2]) };
  } catch {
    return { kind: found[1], name: found[2] };
  }
}

// The address whose sheet is open. The event "close" comes some time after the closing: by then another may be wanted.
let shown = "";

function show() {
  const target = wanted();
  shown = target ? location.hash : "";
  if (!target) {
    if (sheet.open) sheet.close();
    return;
  }
  const thing = target.kind === "session" ? byName.get(target.name) : findRow(target.name);
  const parts = !thing ? [h("p", null, "This run has no such " + target.kind + ".")] : target.kind === "session" ? drawSession(thing) : drawTest(thing);
  sheetTitle.textContent = target.name;
  sheetTitle.className = target.kind === "test" ? "long" : "";
  document.title = target.name + " · pgmatrix";
  sheetBody.replaceChildren(...parts);
  if (!sheet.open) {
    before = document.activeElement;
    sheet.showModal();
  }
  sheet.scrollTop = 0;
  sheetTitle.focus();
}

sheet.addEventListener("click", (event) => event.target === sheet && sheet.close());
sheet.addEventListener("close", () => {
  if (sheet.open) return;
  document.title = pageTitle;
  if (shown && location.hash === shown) history.pushState(null, "", location.pathname + location.search);
  if (before && before.isConnected) before.focus({ preventScroll: true });
});
// Back and Forward between addresses are such changes too. "popstate" comes beside it, and would draw all twice.
window.addEventListener("hashchange", show);

// The contents say which part is in view.
const places = [...document.querySelectorAll("nav a")].map((one) => [one, document.getElementById(one.hash.slice(1))]);
const watch = new IntersectionObserver((entries) => {
  for (const entry of entries)
    if (entry.isIntersecting) for (const [one, part] of places) one.classList.toggle("here", part === entry.target);
}, { rootMargin: "-20% 0px -70% 0px" });
for (const [, part] of places) watch.observe(part);

drawFailures();
drawTests();
show();
