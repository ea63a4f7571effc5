// Owns the two lists of the page: what did not pass, and every test, by file, searched and filtered.
function drawFailures() {
  const box = document.getElementById("failures-list");
  box.replaceChildren();
  const rows = [...allRows()].filter((row) => row.worst !== "passed");
  rows.sort((a, b) => RANK.indexOf(b.worst) - RANK.indexOf(a.worst));
  const broken = DATA.sessions.filter((one) => one.error || (one.crashed || []).length);
  if (!rows.length && !broken.length) box.append(h("p", { class: "calm" }, "Every test that ran passed at its first try."));
  for (const one of broken)
    box.append(h("div", { class: "item bad" }, h("h3", null, mark("bad"), " ", h("a", { href: link("session", one.name) }, one.name)), ...[one.error, ...one.crashed].filter(Boolean).map((text) => h("p", { class: "notice" }, text))));
  let first = true;
  portions(box, rows, (row) => {
    const results = resultsOf(row);
    const tone = TONES[row.worst];
    const item = h("article", { class: "item " + tone }, h("h3", null, mark(tone), " ", h("a", { href: link("test", testName(row.test)) }, testName(row.test)), " ", h("span", { class: "tag" }, row.layer)), chips(results), ...evidence(results, first && tone === "bad"));
    first = false;
    return item;
  }, 25);
}

function strip(results) {
  const box = h("span", { class: "strip", "aria-hidden": "true" });
  for (const one of results) box.append(h("i", { class: TONES[one.outcome], title: (one.session.cell || one.session.name) + " " + one.outcome }, one.outcome === "passed" ? "" : SIGNS[TONES[one.outcome]]));
  return box;
}

// `passed on 4 cells`, or `failed on pg15-psycopg, passed on 3 cells`: what the strip shows, in words.
function spoken(results) {
  const groups = new Map();
  for (const one of results) groups.set(one.outcome, [...(groups.get(one.outcome) || []), one.session.cell || one.session.name]);
  const worst = [...groups].sort((a, b) => RANK.indexOf(b[0]) - RANK.indexOf(a[0]));
  return worst.map(([outcome, cells]) => outcome + " on " + (outcome === "passed" || cells.length > 6 ? counted(cells.length, "cell") : cells.join(", "))).join(", ");
}

function drawRow(row) {
  const results = resultsOf(row);
  const [file, name] = DATA.tests[row.test];
  return h("a", { class: "row", href: link("test", testName(row.test)) }, h("span", { class: "name" }, name || DATA.files[file]), h("span", { class: "visually-hidden" }, ": " + spoken(results) + ", at most "), strip(results), h("span", { class: "took" }, time(row.ms)));
}

function drawGroup(file, layer, rows, open) {
  const bad = rows.filter((row) => TONES[row.worst] === "bad").length;
  const body = h("div", { class: "rows" });
  const box = h("details", { class: "group", open }, h("summary", null, h("span", { class: "name" }, file), h("span", { class: "faint" }, layer + " · " + counted(rows.length, "test"), bad ? h("span", { class: "bad-text" }, " · ✗ " + bad) : "")), body);
  const fill = () => body.childElementCount || portions(body, rows, drawRow, 200);
  box.addEventListener("toggle", () => box.open && fill());
  if (open) fill();
  return box;
}

function filteredGroups(words, outcome, layer) {
  const wanted = words.toLowerCase().split(/\s+/).filter(Boolean);
  const groups = new Map();
  for (const row of allRows()) {
    if (layer && row.layer !== layer) continue;
    if (outcome && !resultsOf(row).some((one) => one.outcome === outcome)) continue;
    if (wanted.length) {
      const name = testName(row.test).toLowerCase();
      if (!wanted.every((word) => name.includes(word))) continue;
    }
    const key = row.layer + "\n" + DATA.tests[row.test][0];
    if (!groups.has(key)) groups.set(key, []);
    groups.get(key).push(row);
  }
  return [...groups.values()];
}

function drawTests() {
  const box = document.getElementById("tests-list");
  const search = h("input", { type: "search", placeholder: "Search tests, such as rls insert", "aria-label": "Search tests" });
  const choice = (label, all, values) => h("select", { "aria-label": label }, h("option", { value: "" }, all), values.map((value) => h("option", { value }, value)));
  const seen = new Set(DATA.sessions.flatMap((one) => [...new Set(one.outcomes || "")]).map((letter) => DATA.letters[letter]));
  const outcome = choice("Outcome", "any outcome", RANK.filter((one) => seen.has(one)).reverse());
  const layer = choice("Layer", "every layer", LAYERS.filter(Boolean));
  const said = h("p", { class: "calm", role: "status" });
  const groups = h("div");
  function draw() {
    const found = filteredGroups(search.value, outcome.value, layer.value);
    const total = found.reduce((sum, rows) => sum + rows.length, 0);
    const narrowed = search.value || outcome.value || layer.value;
    said.textContent = narrowed ? (total ? counted(total, "test") + " found" : "No test is like that.") : "";
    groups.replaceChildren();
    portions(groups, found, (rows) => drawGroup(DATA.files[DATA.tests[rows[0].test][0]], rows[0].layer, rows, Boolean(narrowed) && total <= 300), 100);
  }
  let waiting = 0;
  search.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(draw, 120); });
  outcome.addEventListener("change", draw);
  layer.addEventListener("change", draw);
  box.replaceChildren(h("div", { class: "tools", role: "search" }, search, outcome, layer), said, groups);
  draw();
}
