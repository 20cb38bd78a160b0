"use strict";

// Elements are made with textContent only: labels and titles are other people's input.

function make(tag, options = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(options)) {
    if (name === "class") element.className = value;
    else element.setAttribute(name, value);
  }
  for (const child of children.flat()) {
    if (child !== null && child !== undefined) element.append(child);
  }
  return element;
}

function svg(tag, attributes) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

const known = (value) => value !== null && value !== undefined;
const percent = (value) => (known(value) ? `${Math.round(value * 100)} %` : "–");

function duration(seconds) {
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  if (seconds < 129600) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86400)} days`;
}

// Running accuracy by version: the vertical axis is always 0 to 1, so that cards compare.
function sparkline(history) {
  if (history.length < 2) return null;
  const [width, height, margin] = [136, 40, 3];
  const points = history.map((point, index) => [
    margin + (index * (width - 2 * margin)) / (history.length - 1),
    margin + (1 - point.accuracy) * (height - 2 * margin),
  ]);
  const line = points.map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`).join(" ");
  const [first, last] = [points[0], points[points.length - 1]];
  const [from, to] = [history[0], history[history.length - 1]];
  const label = `Running accuracy from ${percent(from.accuracy)} (${from.version}) to ${percent(to.accuracy)} (${to.version})`;
  const image = svg("svg", { class: "spark", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label });
  const title = svg("title", {});
  title.textContent = label;
  image.append(
    title,
    svg("polygon", { points: `${first[0]},${height} ${line} ${last[0]},${height}` }),
    svg("polyline", { points: line }),
    svg("circle", { cx: last[0], cy: last[1], r: 3 }),
  );
  return image;
}

function figure(value, caption) {
  return make("div", { class: "figure" }, make("b", {}, value), make("span", {}, caption));
}

function bar(fraction) {
  const fill = make("i");
  if (!known(fraction)) return make("div", { class: "bar unknown" }, fill);
  fill.style.width = `${Math.round(Math.min(Math.max(fraction, 0), 1) * 100)}%`;
  return make("div", { class: "bar" }, fill);
}

const kinds = { train: "Training", refresh: "Writing predictions" };

function figures(view) {
  const epoch = known(view.epoch) ? [`epoch ${view.epoch} of ${view.epochs}`] : [];
  return [...epoch, ...Object.entries(view.metrics).map(([name, value]) => `${name} ${Number(value.toPrecision(3))}`)].join(" · ");
}

// Whose log is open: a job's element is made anew at each step, and must not close it.
const opened = new Set();

function logOf(view) {
  const lines = make("pre", {});
  const details = make("details", opened.has(view.id) ? { open: "" } : {}, make("summary", {}, "Log"), lines);
  const read = async () => {
    const answer = await fetch(`api/jobs/${encodeURIComponent(view.id)}`, { cache: "no-store" });
    lines.textContent = answer.ok ? (await answer.json()).log.slice(-12).join("\n") || "Nothing yet." : "It is gone.";
  };
  if (details.open) read();
  details.addEventListener("toggle", () => {
    if (!details.open) return opened.delete(view.id);
    opened.add(view.id);
    return read();
  });
  return details;
}

function stopButton(view) {
  const button = make("button", { type: "button", title: "What it has published stays" }, "Stop");
  button.addEventListener("click", async () => {
    button.disabled = true;
    await fetch(`api/jobs/${encodeURIComponent(view.id)}/cancel`, { method: "POST" });
    await refresh();
  });
  return button;
}

function job(view) {
  const stage = view.stage || view.state;
  const left = known(view.eta) ? `about ${duration(view.eta)} left` : "";
  const sub = figures(view);
  return make(
    "div", { class: "job" },
    make("div", { class: "row" }, make("span", {}, make("strong", {}, kinds[view.kind] || view.kind), stage ? `: ${stage}` : ""), make("span", {}, left)),
    bar(view.fraction),
    sub ? make("div", { class: "sub" }, sub) : null,
    make("div", { class: "row" }, logOf(view), stopButton(view)),
  );
}

// The part of a family's name after the kind of task, which the tag says already.
const shortName = (family) => family && family.split("/").pop();

function controls(list) {
  const row = (control) => make(
    "tr", {},
    make("td", {}, control.name, make("small", control.family ? { title: control.family } : {}, [control.tag, shortName(control.family)].filter(Boolean).join(" · ")), control.words.map((words) => make("small", {}, words))),
    make("td", { class: "number" }, control.labels.toLocaleString("en")),
    make("td", { class: "number" }, percent(control.accuracy)),
  );
  const head = make("tr", {}, make("th", {}, "Control"), make("th", { class: "number" }, "Labels"), make("th", { class: "number" }, "Accepted"));
  return make("table", {}, make("thead", {}, head), make("tbody", {}, list.map(row)));
}

function problems(errors) {
  const now = Date.now() / 1000;
  const moment = (at) => (at ? make("time", { datetime: new Date(at * 1000).toISOString() }, `${duration(now - at)} ago`) : null);
  const item = (error) => make("li", {}, moment(error.at), error.message);
  return errors.length ? make("ul", { class: "problems" }, errors.map(item)) : null;
}

function heading(project) {
  const title = project.title || `Project ${project.id}`;
  const safe = known(project.url) && /^https?:\/\//.test(project.url);
  return make("h2", {}, safe ? make("a", { href: project.url, rel: "noreferrer" }, title) : title);
}

function card(project) {
  const labelled = known(project.total) ? `of ${project.total.toLocaleString("en")} labelled` : project.labelled === 1 ? "task labelled" : "tasks labelled";
  return make(
    "article", { class: "card" },
    make("div", { class: "top" }, make("div", {}, heading(project), make("div", { class: "sub" }, `project ${project.id}`)), make("span", { class: "version", title: "The version that predictions come from" }, project.version, project.pinned ? " · pinned" : "")),
    make("div", { class: "figures" }, figure(project.labelled.toLocaleString("en"), labelled), figure(percent(project.accuracy), "accepted as is"), sparkline(project.history)),
    project.controls.length ? controls(project.controls) : null,
    project.words.length ? make("ul", { class: "words" }, project.words.map((words) => make("li", {}, words))) : null,
    project.job ? job(project.job) : null,
    project.notes.length ? make("ul", { class: "notes" }, project.notes.map((note) => make("li", {}, note))) : null,
    problems(project.errors),
  );
}

function nothingYet() {
  return make("p", { class: "empty" }, "No project is connected yet. Run ", make("code", {}, "prelabel connect --project ID"), ", or add this server's address under Settings, Model in Label Studio.");
}

// A card is replaced only when its content changed, so that selected text stays selected.
const shown = new Map();

function showProjects(projects) {
  const place = document.getElementById("projects");
  const wanted = projects.map((project) => {
    const age = project.errors.length ? Math.floor(Date.now() / 60000) : 0;
    const content = JSON.stringify([project, age]);
    const held = shown.get(project.uid);
    if (held && held.content === content) return held.element;
    const element = card(project);
    shown.set(project.uid, { content, element });
    return element;
  });
  if (wanted.length === 0) wanted.push(place.querySelector(".empty") || nothingYet());
  const same = wanted.length === place.children.length && wanted.every((element, index) => element === place.children[index]);
  if (!same) place.replaceChildren(...wanted);
}

function show(status) {
  showProjects(status.projects);
  const errors = document.getElementById("errors");
  const list = problems(status.errors);
  errors.hidden = list === null;
  errors.replaceChildren(...(list ? [make("h3", {}, "Last errors"), list] : []));
  const where = status.label_studio ? `Label Studio at ${status.label_studio}` : "No Label Studio is pinned yet: run prelabel connect";
  document.getElementById("footer").textContent = where;
  pulse(status.queue ? "" : "warn", status.queue ? "live" : "Redis is away");
}

function pulse(kind, text) {
  const element = document.getElementById("pulse");
  if (element.textContent === text) return;
  element.className = `pulse ${kind}`;
  element.textContent = text;
}

async function refresh() {
  try {
    const answer = await fetch("./", { headers: { Accept: "application/json" }, cache: "no-store" });
    if (!answer.ok) throw new Error(String(answer.status));
    latest = await answer.json();
    show(latest);
  } catch {
    pulse("bad", "no answer");
  }
}

const first = document.getElementById("first");
let latest = JSON.parse(first.textContent);
show(latest);

const jobFields = ["id", "kind", "state", "stage", "epoch", "epochs", "metrics", "fraction", "eta"];

// Jobs come as they change; all else is asked for now and then, and at once when a job has ended.
function followJobs() {
  const events = new EventSource("api/jobs/events");
  let before = new Set();
  events.addEventListener("jobs", (event) => {
    const { queue, jobs } = JSON.parse(event.data);
    if (!queue) return;
    const started = (view) => view.state === "started";
    const shownFirst = (a, b) => started(b) - started(a) || (b.kind === "train") - (a.kind === "train");
    const chosen = (project) => jobs.filter((view) => view.uid === project.uid).sort(shownFirst)[0];
    const facts = (view) => (view ? Object.fromEntries(jobFields.map((name) => [name, view[name]])) : null);
    latest = { ...latest, projects: latest.projects.map((project) => ({ ...project, job: facts(chosen(project)) })) };
    show(latest);
    const now = new Set(jobs.map((view) => view.id));
    if ([...before].some((id) => !now.has(id))) refresh();
    before = now;
  });
}

followJobs();

async function forever() {
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, Number(first.dataset.refresh)));
    if (!document.hidden) await refresh();
  }
}

forever();
