// What is asked for when, and everything above the charts.

const POLL_MS = 1000;
const HIDDEN_POLL_MS = 10000;
const LONGEST_WAIT_MS = 30000;
const HISTORY_MS = 10000;
const ANSWER_MS = 5000;
const FORMAT = "1";

const state = { paused: false, failures: 0, since: null, historyAt: -Infinity, timer: 0, isAsking: false, stats: null };

/** `stats` and `history` are right below the page, with a slash at its end or without. */
const base = `${location.origin}${location.pathname.replace(/\/*$/, "/")}`;

async function ask(what) {
  const response = await fetch(base + what, { cache: "no-store", signal: AbortSignal.timeout(ANSWER_MS) });
  const format = response.headers.get("X-Bursar-Format");
  if (format && format !== FORMAT) throw new Error("the service is of another version: reload the page");
  let answer;
  try {
    answer = await response.json();
  } catch {
    throw new Error(`${what} answered ${response.status}, and not with JSON`);
  }
  if (!response.ok || answer.success !== true) throw new Error(answer.message || `${what} answered ${response.status}`);
  return answer.data;
}

async function poll() {
  if (state.isAsking) return;
  state.isAsking = true;
  clearTimeout(state.timer);
  try {
    const stats = await ask("stats");
    const gap = state.failures > 0 || !state.stats || seconds(stats.uptime) - seconds(state.stats.uptime) > 30;
    const isAnew = state.stats && seconds(stats.uptime) < seconds(state.stats.uptime);
    takeStats(stats, gap);
    if (isAnew || performance.now() - state.historyAt >= HISTORY_MS) {
      takeHistory(await ask("history"));
      state.historyAt = performance.now();
    }
    Object.assign(state, { stats, failures: 0, since: null });
    draw();
  } catch (error) {
    state.failures += 1;
    state.since ??= Date.now() / 1000;
    state.reason = error instanceof Error ? error.message : String(error);
  }
  state.isAsking = false;
  schedule();
}

function schedule() {
  clearTimeout(state.timer);
  const usual = document.hidden ? HIDDEN_POLL_MS : POLL_MS;
  const wait = Math.max(Math.min(POLL_MS * 2 ** state.failures, LONGEST_WAIT_MS), usual);
  if (!state.paused) state.timer = setTimeout(poll, state.failures > 0 ? wait : usual);
  drawConnection();
}

function drawConnection() {
  const element = byId("connection");
  const isLost = state.failures > 0;
  element.classList.toggle("bad", isLost);
  if (isLost) setText(element, `not reachable since ${clock(state.since)}: ${state.reason}${state.stats ? "; what is shown is older" : ""}`);
  else if (state.paused) setText(element, "paused");
  else setText(element, "live");
  document.documentElement.dataset.state = isLost ? "lost" : state.paused ? "paused" : "live";
}

function draw() {
  const { stats } = state;
  const level = byId("level");
  level.dataset.level = stats.level;
  setText(level, levelText(stats.level));
  setText(document.querySelector("title"), `${ICONS[stats.level] ?? ""} ${percent(stats.usage_ratio)} \u2013 Bursar`);
  if (document.hidden) return;
  Object.assign(view, {
    latest: seconds(stats.uptime), budget: stats.soft_limit_bytes, watermarks: stats.watermarks, level: stats.level,
  });
  drawUsage(stats);
  drawFigures(stats);
  drawWarnings(stats);
  drawTables(stats);
  drawCharts();
}

const footprint = (stats) => Math.max(stats.sample.active_bytes ?? 0, stats.sample.live_bytes) + stats.sample.charged_bytes;
const CAUSES = {
  live: "live blocks take more than the budget gives them",
  dirty: "the allocator holds free pages that it could give back",
  outside: "the container fills up with what is not the heap",
};

function drawUsage(stats) {
  const share = Math.min(Math.max(100 * stats.usage_ratio, 0), 100);
  const fill = byId("fill");
  fill.style.width = `${share}%`;
  fill.dataset.level = stats.level;
  const bar = byId("bar");
  bar.setAttribute("aria-valuenow", share.toFixed(0));
  bar.setAttribute("aria-valuetext", `${percent(stats.usage_ratio)}, ${stats.level}`);
  for (const mark of bar.querySelectorAll("[data-mark]")) {
    const at = 100 * stats.watermarks[mark.dataset.mark];
    mark.style.left = `${Math.min(at, 100)}%`;
    if (mark.tagName === "SPAN" && mark.dataset.at !== String(at)) {
      mark.dataset.at = String(at);
      mark.replaceChildren(make("b", { textContent: `${mark.dataset.mark} ` }), `${at.toFixed(0)} %`);
    }
  }
  const by = stats.diagnosis ? ` Pressure: ${CAUSES[stats.diagnosis] ?? stats.diagnosis}.` : "";
  const { limit_bytes: limit, from } = stats.limits;
  const limited = limit == null ? "No limit is known." : `The limit is ${size(limit)} (${String(from).replaceAll("_", " ")}).`;
  setText(byId("usage"), `${percent(stats.usage_ratio)}. Footprint ${size(footprint(stats))} of the budget of ${size(stats.soft_limit_bytes)}. ${limited}${by}`);
  setTitle(byId("usage"), `footprint ${exact(footprint(stats))} of ${exact(stats.soft_limit_bytes)}`);
}

const bytesFigure = (name, key, read, hint) => ({ name, key, text: (stats) => size(read(stats)), title: (stats) => (read(stats) == null ? (stats.unavailable[key] ?? hint) : `${exact(read(stats))}: ${hint}`) });
const plainFigure = (name, text, hint) => ({ name, text, title: () => hint });
const fragmentation = (stats) => (stats.sample.active_bytes == null ? null : Math.max(stats.sample.active_bytes - stats.sample.live_bytes, 0));

const FIGURES = [
  bytesFigure("live", "live_bytes", (stats) => stats.live_bytes, "requested and not yet freed"),
  bytesFigure("resident", "resident_bytes", (stats) => stats.sample.resident_bytes, "of the process in memory, by the kernel"),
  bytesFigure("working set", "working_set_bytes", (stats) => stats.sample.working_set_bytes, "the container's usage less inactive file pages"),
  bytesFigure("dirty", "dirty_bytes", (stats) => stats.sample.dirty_bytes, "freed pages that the allocator still holds"),
  bytesFigure("fragmentation", "active_bytes", fragmentation, "pages that hold live blocks, less the blocks"),
  bytesFigure("charged", "charged_bytes", (stats) => stats.charged_bytes, "declared outside the heap"),
  bytesFigure("peak", "peak_bytes", (stats) => stats.peak_bytes, "the most live bytes that a reading saw"),
  bytesFigure("freed by cleanups", "freed_bytes_total", (stats) => stats.freed_bytes_total, "as measured"),
  plainFigure("cleanups", (stats) => count(stats.cleanups_total) + (stats.futile_cleanups_total > 0 ? ` (${count(stats.futile_cleanups_total)} futile)` : ""), "made since the start; futile ones freed next to nothing"),
  plainFigure("requests now", (stats) => count(stats.requests_in_flight), "requests that are being answered"),
  plainFigure("allocator", (stats) => stats.backend ?? "unknown", "behind the accounting"),
  plainFigure("version", (stats) => stats.version, "of Bursar in the service"),
  plainFigure("uptime", (stats) => span(Math.floor(seconds(stats.uptime))), "since Bursar was started"),
];

function drawFigures(stats) {
  const list = byId("figures");
  if (list.children.length === 0) {
    list.append(...FIGURES.map((figure) => make("div", {}, make("dt", { textContent: figure.name }), make("dd"))));
  }
  FIGURES.forEach((figure, index) => {
    const value = list.children[index].lastChild;
    const text = figure.text(stats);
    setText(value, text);
    value.classList.toggle("unknown", text === "unknown");
    setTitle(list.children[index], figure.title(stats));
  });
}

/** What is wrong, and what is worth a look. Said once: no figure in it moves with the time. */
function drawWarnings(stats) {
  const now = seconds(stats.uptime);
  const at = (moment) => clock(moment + past.epoch);
  const alerts = [];
  if (stats.level === "emergency") alerts.push("Emergency: everything purgeable goes, and new work should be refused.");
  if (stats.stall) alerts.push(`The callback of ${stats.stall.name} has not returned since ${at(now - seconds(stats.stall.running_for))}: no cleanup can go on.`);
  if (stats.last_report_error) alerts.push(`The last report could not be written: ${stats.last_report_error}`);
  const notes = [];
  const { cooldown } = stats;
  if (cooldown && seconds(cooldown.until) > now) notes.push(`No cleanup at ${cooldown.level} or below before ${at(seconds(cooldown.until))}, since ${cooldown.reason}`);
  const over = stats.tags.filter((tag) => tag.budget_bytes != null && subtreeBytes(tag) > tag.budget_bytes);
  if (over.length > 0) notes.push(`Over a budget of their own: ${over.map((tag) => tag.name).join(", ")}`);
  if (stats.bounds_unused.length > 0) notes.push(`Bounded, but not registered: ${stats.bounds_unused.join(", ")}`);
  const panicked = stats.purgeables.filter((row) => row.panics_total > 0);
  if (panicked.length > 0) notes.push(`Callbacks that have panicked: ${panicked.map((row) => row.name).join(", ")}`);
  fillList(byId("alerts"), "p", alerts);
  fillList(byId("notes"), "li", notes);
}

function fillList(list, name, texts) {
  while (list.children.length > texts.length) list.lastChild.remove();
  while (list.children.length < texts.length) list.append(make(name));
  texts.forEach((text, index) => setText(list.children[index], text));
}

// Controls.

const THEMES = ["auto", "light", "dark"];
const THEME_KEY = "bursar-theme";
const darkWanted = matchMedia("(prefers-color-scheme: dark)");
let theme = "auto";
try {
  const kept = localStorage.getItem(THEME_KEY);
  if (THEMES.includes(kept)) theme = kept;
} catch {
  // Storage may be forbidden: the choice then lasts as long as the page.
}

function applyTheme() {
  const isDark = theme === "dark" || (theme === "auto" && darkWanted.matches);
  document.documentElement.dataset.theme = isDark ? "dark" : "light";
  setText(byId("theme"), `Theme: ${theme}`);
  recolorCharts();
}

byId("theme").addEventListener("click", () => {
  theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
  try {
    localStorage.setItem(THEME_KEY, theme);
  } catch {
    // As above.
  }
  applyTheme();
});
darkWanted.addEventListener("change", applyTheme);

byId("pause").addEventListener("click", () => {
  state.paused = !state.paused;
  byId("pause").setAttribute("aria-pressed", String(state.paused));
  if (state.paused) schedule();
  else poll();
});

for (const button of byId("ranges").children) {
  button.addEventListener("click", () => {
    view.range = Number(button.dataset.seconds) || null;
    for (const each of byId("ranges").children) each.setAttribute("aria-pressed", String(each === button));
    drawCharts();
  });
}

document.addEventListener("visibilitychange", () => {
  if (!document.hidden && !state.paused) poll();
});

memoryLegend();
applyTheme();
poll();
