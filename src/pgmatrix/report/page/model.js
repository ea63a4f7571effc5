// Owns the page's data: what the page carries, and the answers drawn from it. Touches no element but the one it reads.
"use strict";
const DATA = JSON.parse(document.getElementById("data").textContent);
const TONES = { passed: "good", failed: "bad", error: "bad", flaky: "warn", xpassed: "warn", skipped: "idle", xfailed: "idle", absent: "absent" };
const SIGNS = { good: "✓", bad: "✗", warn: "!", idle: "–", absent: "" };
const RANK = ["absent", "passed", "xfailed", "skipped", "xpassed", "flaky", "failed", "error"];
const byName = new Map(DATA.sessions.map((one) => [one.name, one]));

function testName(number) {
  const [file, name] = DATA.tests[number];
  return name ? DATA.files[file] + "::" + name : DATA.files[file];
}

function outcomeAt(session, place) {
  return DATA.letters[session.outcomes[place]];
}

// A session's tests, as {test, place, outcome, ms}, the worst first and then the slowest.
function testsOf(session) {
  const found = DATA.lists[session.list].map((test, place) => ({ test, place, outcome: outcomeAt(session, place), ms: session.ms[place] }));
  return found.sort((a, b) => RANK.indexOf(b.outcome) - RANK.indexOf(a.outcome) || b.ms - a.ms);
}

// What one result has beside its outcome: {detail, sections: [[title, text]], tries}.
function moreOf(session, place) {
  const [detail, sections, tries] = session.more[place] || [-1, [], 1];
  return { detail: detail < 0 ? "" : DATA.texts[detail], sections: sections.map(([title, text]) => [title, DATA.texts[text]]), tries };
}

// Where each test of a layer stands in each of the layer's sessions. Made once for a layer, when it is first wanted.
const layerIndex = new Map();
function rowsOf(layer) {
  if (!layerIndex.has(layer)) {
    const sessions = DATA.sessions.filter((one) => one.layer === layer);
    const rows = new Map();
    sessions.forEach((session, column) => {
      if (session.list === undefined) return;
      DATA.lists[session.list].forEach((test, place) => {
        let row = rows.get(test);
        if (!row) rows.set(test, (row = { test, layer, places: new Array(sessions.length).fill(-1), worst: "absent", ms: 0 }));
        row.places[column] = place;
        row.ms = Math.max(row.ms, session.ms[place]);
        const outcome = outcomeAt(session, place);
        if (RANK.indexOf(outcome) > RANK.indexOf(row.worst)) row.worst = outcome;
      });
    });
    layerIndex.set(layer, { sessions, rows });
  }
  return layerIndex.get(layer);
}

// A test's results over the sessions of its layer that have a record: [{session, place, outcome, ms}].
function resultsOf(row) {
  const { sessions } = rowsOf(row.layer);
  return sessions
    .map((session, column) => ({ session, place: row.places[column] }))
    .filter(({ session }) => session.list !== undefined)
    .map(({ session, place }) => ({ session, place, outcome: place < 0 ? "absent" : outcomeAt(session, place), ms: place < 0 ? 0 : session.ms[place] }));
}

const LAYERS = [...new Set(DATA.sessions.map((one) => one.layer))];
function* allRows() {
  for (const layer of LAYERS) yield* rowsOf(layer).rows.values();
}

function findRow(name) {
  for (const row of allRows()) if (testName(row.test) === name) return row;
  return null;
}

function time(ms) {
  if (ms < 99.5) return ms + " ms";
  if (ms < 999.5) return (ms / 1000).toFixed(2) + " s";
  if (ms < 59950) return (ms / 1000).toFixed(1) + " s";
  const whole = Math.round(ms / 1000);
  return Math.floor(whole / 60) + " min " + (whole % 60) + " s";
}

function counted(number, thing) {
  return number.toLocaleString("en") + " " + thing + (number === 1 ? "" : "s");
}
