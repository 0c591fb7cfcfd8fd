"use strict";
(() => {
  const at = (id) => document.getElementById(id);
  const make = (tag, text, name) => {
    const element = document.createElement(tag);
    if (text !== undefined && text !== null) element.textContent = text;
    if (name) element.className = name;
    return element;
  };
  const number = new Intl.NumberFormat("en-US");

  // colours ---------------------------------------------------------------------------------------------------------
  const THEMES = ["", "light", "dark"];
  const root = document.documentElement;
  const remember = (value) => { try { localStorage.setItem("theme", value); } catch { /* a file opened locally may have no storage */ } };
  const remembered = () => { try { return localStorage.getItem("theme") || ""; } catch { return ""; } };
  const paint = (theme) => {
    if (theme) root.dataset.theme = theme; else delete root.dataset.theme;
    at("theme").setAttribute("aria-label", `Colours: ${theme || "as the system"}`);
    at("theme").title = `Colours: ${theme || "as the system"}`;
    at("theme").textContent = { "": "◐", light: "☀", dark: "☾" }[theme];
  };
  paint(remembered());
  at("theme").addEventListener("click", () => {
    const next = THEMES[(THEMES.indexOf(root.dataset.theme || "") + 1) % THEMES.length];
    remember(next);
    paint(next);
  });
  at("print").addEventListener("click", () => window.print());

  if (!at("table")) return;

  // records ---------------------------------------------------------------------------------------------------------
  const { words, rows, more } = JSON.parse(at("data").textContent);
  const word = (place) => (place < 0 ? "" : words[place]);
  const KINDS = { create: "Create", update: "Update", complete: "Complete", add_tags: "Add tags", remove_tags: "Remove tags", archive: "Archive",
    delete: "Delete", adopt: "Link", forget: "Unlink" };
  const STATUS = { exists: "existed", value_dropped: "not stored", in_doubt: "in doubt", skipped: "not sent" };
  const plain = (text) => text.replaceAll("_", " ");
  const shown = (value) => (value === null || value === undefined ? "blank" : value);
  const SIDES = { app: "app", ghl: "GHL" };

  const records = rows.map((row) => {
    const [type, kind, entity, side, because, status, code] = row.slice(0, 7).map(word);
    const [label, under, app, ghl, detail, trace, values] = row.slice(7);
    return { type, kind, entity, side, because, status, code, label, under: under || "", app: app || "", ghl: ghl || "", detail: detail || "", trace: trace || "", values };
  });
  const fields = (record) => {
    const parts = [];
    for (let i = 0; i < record.values.length; i += 4) {
      const [name, before, after, stored] = record.values.slice(i, i + 4);
      parts.push({ name: word(name), before, after, stored: stored === 0 ? undefined : stored });
    }
    return parts;
  };
  const summary = (record) => {
    if (record.summary === undefined) {
      const parts = fields(record);
      record.summary = parts.map(({ name, before, after }) =>
        record.kind === "create" || before === null ? `${name}: ${shown(after)}` : `${name}: ${shown(before)} → ${shown(after)}`).join("; ");
    }
    return record.summary;
  };
  // Zoe finds Zoë, and Lodz finds Łódź: what is sought and what is searched are folded alike.
  const LETTERS = { "ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i" };
  const fold = (text) => text.toLowerCase().normalize("NFD").replace(/\p{M}/gu, "").replace(/[ßæœøłđðþı]/g, (letter) => LETTERS[letter]);
  const haystack = (record) => {
    if (record.hay === undefined) {
      record.hay = fold([record.label, record.under, record.app, record.ghl, record.kind, record.because, record.code, record.detail, record.trace, summary(record)].join("\n"));
    }
    return record.hay;
  };
  const what = (record) => (record.type === "change" ? `${KINDS[record.kind] || plain(record.kind)} ${record.entity === "tag" ? "" : record.entity}` : `${record.type === "question" ? "Asked" : "Left out"}: ${plain(record.kind)}`);

  // what is chosen --------------------------------------------------------------------------------------------------
  const form = at("filters");
  // What the page does not carry is known by kind alone: it counts, and nothing in it can be found here.
  // Counted as the figures are: completing is updating, archiving deletes, and what turned out to exist was linked.
  const SAME = { complete: "update", archive: "delete" };
  const kindOrType = (record) => {
    if (record.type !== "change") return record.type;
    return record.status === "exists" ? "kind:adopt" : `kind:${SAME[record.kind] || record.kind}`;
  };
  const absent = more.map((row) => {
    const [type, kind, entity, side, status, code] = row.slice(0, 6).map(word);
    return { type, kind, entity, side, status, code, kindOrType: kindOrType({ type, kind, status }), count: row[6] };
  });
  const choices = (name, label) => {
    const counts = new Map();
    for (const record of records) counts.set(record[name], (counts.get(record[name]) || 0) + 1);
    for (const kind of absent) counts.set(kind[name], (counts.get(kind[name]) || 0) + kind.count);
    for (const [value, count] of [...counts].filter(([key]) => key).sort()) {
      const option = make("option", `${label(value)} (${number.format(count)})`);
      option.value = value;
      form.elements[name === "kindOrType" ? "type" : name].append(option);
    }
  };
  for (const record of records) record.kindOrType = kindOrType(record);
  choices("kindOrType", (value) => (value.startsWith("kind:") ? KINDS[value.slice(5)] || value : value === "question" ? "Questions" : "Left out"));
  choices("entity", (value) => value);
  choices("side", (value) => SIDES[value] || value);
  choices("status", (value) => STATUS[value] || plain(value));
  // What was written: also what a side took and stores otherwise.
  const WRITTEN = "done,value_dropped";
  const written = [...records, ...absent].filter((each) => WRITTEN.split(",").includes(each.status));
  const some = make("option", `written (${number.format(written.reduce((sum, each) => sum + (each.count || 1), 0))})`);
  some.value = WRITTEN;
  form.elements.status.append(some);

  let chosen = records;
  let order = { by: "", down: false };
  const VALUES = { kind: what, label: (r) => r.label, side: (r) => r.side, summary, because: (r) => r.because, status: (r) => r.status };
  const collator = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

  const choose = () => {
    const { q, type, entity, side, status, code } = Object.fromEntries(new FormData(form));
    const terms = fold(q).split(/\s+/).filter(Boolean);
    const fits = (record) =>
      (!type || record.kindOrType === type) && (!entity || record.entity === entity) && (!side || record.side === side) &&
      (!status || status.split(",").includes(record.status)) && (!code || record.code === code);
    chosen = records.filter((record) => fits(record) && terms.every((term) => haystack(record).includes(term)));
    const unseen = absent.filter(fits).reduce((sum, kind) => sum + kind.count, 0);
    if (order.by) {
      const value = VALUES[order.by];
      const keyed = chosen.map((record) => [value(record), record]).sort((a, b) => collator.compare(a[0], b[0]));
      chosen = (order.down ? keyed.reverse() : keyed).map((pair) => pair[1]);
    }
    const found = chosen.length === records.length ? `${number.format(records.length)} records` : `${number.format(chosen.length)} of ${number.format(records.length)} records`;
    at("found").textContent = unseen ? `${found} in this page; ${number.format(unseen)} more ${terms.length ? "were not searched" : "of these are not in it"}: see report.json` : found;
    viewport.scrollTop = 0;
    remember_choice();
    draw(true);
  };

  // The address says what is chosen, so that it can be sent to somebody, and stays when the page is loaded again.
  const remember_choice = () => {
    const chosenNow = new URLSearchParams([...new FormData(form)].filter(([, value]) => value));
    const hash = chosenNow.size ? `#records?${chosenNow}` : location.hash.startsWith("#records?") ? "#records" : location.hash;
    if (hash !== location.hash) history.replaceState(null, "", hash);
  };
  const recall = () => {
    if (!location.hash.startsWith("#records?")) return false;
    form.reset();
    for (const [name, value] of new URLSearchParams(location.hash.slice("#records?".length))) {
      const field = form.elements[name];
      if (field) field.value = value;
    }
    at("records").scrollIntoView();
    return true;
  };
  window.addEventListener("hashchange", () => { if (recall()) choose(); });

  // the part of the list that is in view ------------------------------------------------------------------------------
  const HEIGHT = 45;
  const MARGIN = 12;
  const viewport = at("viewport");
  const table = at("table");
  const body = table.tBodies[0];
  let drawn = "";

  const gap = (count) => {
    const row = make("tr", null, "gap");
    row.setAttribute("aria-hidden", "true");
    const cell = make("td");
    cell.colSpan = 6;
    cell.style.height = `${count * HEIGHT}px`;
    row.append(cell);
    return row;
  };
  const nothing = () => {
    const row = make("tr", null, "none");
    const said = make("td", "No record fits what is chosen above.");
    said.colSpan = 6;
    const clear = make("button", "Show all");
    clear.type = "button";
    clear.addEventListener("click", () => { form.reset(); form.elements.q.focus(); });
    said.append(clear);
    row.append(said);
    return row;
  };
  const cell = (text, name) => { const made = make("td", text, name); if (text) made.title = text; return made; };
  const line = (record, place) => {
    const row = make("tr", null, "row");
    row.setAttribute("aria-rowindex", place + 2);
    const head = make("th", null, "c-record");
    head.scope = "row";
    const button = make("button", record.label, "open");
    button.type = "button";
    button.dataset.place = place;
    head.append(button);
    if (record.under) head.append(make("span", ` · ${record.under}`, "under"));
    const status = make("td", null, "c-status");
    status.append(make("span", STATUS[record.status] || plain(record.status), `pill ${record.status.replace(" ", "-")}`));
    const kind = cell(null, "c-what");
    kind.title = what(record);
    const [name, ...rest] = what(record).split(/(?= contact| task| note)/);
    kind.append(name, make("span", rest.join(""), "of"));
    row.append(kind, head, cell(SIDES[record.side] || "", "c-side"), cell(summary(record), "c-fields"), cell(record.because, "c-why"), status);
    row.dataset.place = place;
    return row;
  };
  const draw = (anew) => {
    const first = Math.max(0, Math.floor(viewport.scrollTop / HEIGHT) - MARGIN);
    const last = Math.min(chosen.length, Math.ceil((viewport.scrollTop + viewport.clientHeight) / HEIGHT) + MARGIN);
    const now = `${first}-${last}`;
    if (now === drawn && !anew) return;
    drawn = now;
    const focused = document.activeElement?.dataset?.place;
    table.setAttribute("aria-rowcount", chosen.length + 1);
    if (!chosen.length) {
      body.replaceChildren(nothing());
      return;
    }
    body.replaceChildren(gap(first), ...chosen.slice(first, last).map((record, i) => line(record, first + i)), gap(chosen.length - last));
    if (focused !== undefined) body.querySelector(`button[data-place="${focused}"]`)?.focus({ preventScroll: true });
  };
  viewport.addEventListener("scroll", () => requestAnimationFrame(() => draw(false)), { passive: true });
  window.addEventListener("resize", () => draw(true));

  const show = (place) => {
    viewport.scrollTop = Math.max(0, place * HEIGHT - viewport.clientHeight / 2);
    draw(true);
    body.querySelector(`button[data-place="${place}"]`)?.focus({ preventScroll: true });
  };
  body.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10, Home: -Infinity, End: Infinity }[event.key];
    if (step === undefined || event.target.dataset.place === undefined) return;
    event.preventDefault();
    show(Math.min(chosen.length - 1, Math.max(0, Number(event.target.dataset.place) + step)));
  });
  body.addEventListener("click", (event) => {
    const row = event.target.closest("tr.row");
    if (row) open(Number(row.dataset.place));
  });

  // one record --------------------------------------------------------------------------------------------------------
  const dialog = at("detail");
  let opened = 0;
  const term = (list, name, value) => {
    if (!value) return;
    const pair = make("div");
    pair.append(make("dt", name), make("dd", value));
    list.append(pair);
  };
  const values = (record) => {
    const parts = fields(record);
    if (!parts.length) return make("p", "No values are concerned.", "quiet");
    const stored = parts.some((part) => part.stored !== undefined);
    const made = make("table");
    const head = make("tr");
    for (const text of ["Field", "Before", record.status === "planned" || record.type === "question" ? "Proposed" : "After", ...(stored ? ["Stored instead"] : [])]) {
      const column = make("th", text);
      column.scope = "col";
      head.append(column);
    }
    made.append(make("thead"), make("tbody"));
    made.tHead.append(head);
    for (const part of parts) {
      const row = make("tr");
      const name = make("th", part.name);
      name.scope = "row";
      const [before, after] = [make("td"), make("td")];
      before.append(make(part.before === null ? "span" : "del", shown(part.before), part.before === null ? "quiet" : ""));
      after.append(make(part.after === null ? "span" : "ins", shown(part.after), part.after === null ? "quiet" : ""));
      row.append(name, before, after, ...(stored ? [make("td", part.stored === undefined ? "" : shown(part.stored))] : []));
      made.tBodies[0].append(row);
    }
    return made;
  };
  const open = (place) => {
    opened = Math.min(chosen.length - 1, Math.max(0, place));
    const record = chosen[opened];
    at("detail-title").textContent = record.label;
    const list = make("dl");
    term(list, "What", what(record) + (record.side && record.type === "change" ? ` in ${record.side === "ghl" ? "GHL" : "the app"}` : ""));
    term(list, "Contact", record.under);
    term(list, "Key in the app", record.app);
    term(list, "Key in GHL", record.ghl);
    term(list, "Outcome", STATUS[record.status] || plain(record.status));
    term(list, record.type === "question" ? "Question" : "Code", record.code);
    term(list, "Detail", record.detail);
    term(list, "Trace id", record.trace);
    at("detail-body").replaceChildren(make("p", record.because), values(record), list);
    at("before").disabled = opened === 0;
    at("after").disabled = opened === chosen.length - 1;
    if (!dialog.open) dialog.showModal();
  };
  at("close").addEventListener("click", () => dialog.close());
  at("before").addEventListener("click", () => open(opened - 1));
  at("after").addEventListener("click", () => open(opened + 1));
  dialog.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
    if (step === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    open(opened + step);
  });
  dialog.addEventListener("close", () => show(opened));
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });

  // controls ----------------------------------------------------------------------------------------------------------
  let waiting = 0;
  form.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(choose, 90); });
  form.addEventListener("submit", (event) => { event.preventDefault(); choose(); });
  form.addEventListener("reset", () => { form.elements.code.value = ""; setTimeout(choose); });
  table.tHead.addEventListener("click", (event) => {
    const head = event.target.closest("th");
    if (!head) return;
    const down = order.by === head.dataset.sort && !order.down;
    order = order.by === head.dataset.sort && order.down ? { by: "", down: false } : { by: head.dataset.sort, down };
    for (const other of table.tHead.querySelectorAll("th")) other.removeAttribute("aria-sort");
    if (order.by) head.setAttribute("aria-sort", order.down ? "descending" : "ascending");
    choose();
  });
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-filter]");
    if (!link) return;
    form.reset();
    for (const [name, value] of new URLSearchParams(link.dataset.filter)) {
      if (name === "kind") form.elements.type.value = `kind:${value}`; else form.elements[name].value = value;
    }
    setTimeout(choose, 1);
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && !/^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName) && !dialog.open) {
      event.preventDefault();
      form.elements.q.focus();
    }
  });

  // on paper: what is open, and the first records of the list ----------------------------------------------
  const PRINTED = 40, SENTENCE = 160;
  window.addEventListener("beforeprint", () => {
    body.replaceChildren(...chosen.slice(0, PRINTED).map(line));
    // A question has all fields of all its records: on paper they would take pages that a screen does not.
    for (const each of body.querySelectorAll(".c-fields")) {
      if (each.textContent.length > SENTENCE) each.textContent = `${each.textContent.slice(0, SENTENCE)}…`;
    }
    at("found").textContent = chosen.length > PRINTED ? `The first ${PRINTED} of ${number.format(chosen.length)} records; all are in report.xlsx` : `${number.format(chosen.length)} records`;
  });
  window.addEventListener("afterprint", choose);

  recall();
  choose();
})();
