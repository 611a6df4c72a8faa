// What is asked for when, and the controls.

const POLL_MS = 1000;
const HIDDEN_POLL_MS = 10000;
const LONGEST_WAIT_MS = 30000;
const HISTORY_MS = 10000;
const ANSWER_MS = 5000;
const FORMAT = "1";

const state = {
    paused: false,
    failures: 0,
    since: null,
    historyAt: -Infinity,
    timer: 0,
    isAsking: false,
    stats: null
};

/** `stats` and `history` are right below the page, with a slash at its end or without. */
const base = `${location.origin}${location.pathname.replace(/\/*$/, "/")}`;

async function ask(what) {
    const response = await fetch(base + what, {
        cache: "no-store",
        signal: AbortSignal.timeout(ANSWER_MS)
    });
    const format = response.headers.get("X-Bursar-Format");
    if (format && format !== FORMAT)
        throw new Error("the service is of another version: reload the page");
    let answer;
    try {
        answer = await response.json();
    } catch {
        throw new Error(`${what} answered ${response.status}, and not with JSON`);
    }
    if (!response.ok || answer.success !== true)
        throw new Error(answer.message || `${what} answered ${response.status}`);
    return answer.data;
}

async function poll() {
    if (state.isAsking) return;
    state.isAsking = true;
    clearTimeout(state.timer);
    try {
        const stats = await ask("stats");
        const gap =
            state.failures > 0 ||
            !state.stats ||
            seconds(stats.uptime) - seconds(state.stats.uptime) > 30;
        const isAnew = state.stats && seconds(stats.uptime) < seconds(state.stats.uptime);
        takeStats(stats, gap);
        if (isAnew || performance.now() - state.historyAt >= HISTORY_MS) {
            takeHistory(await ask("history"));
            state.historyAt = performance.now();
        }
        if (!state.stats) chooseLines(stats);
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
    const older = state.stats ? "; what is shown is older" : "";
    const lost = `not reachable since ${clock(state.since)}: ${state.reason}${older}`;
    if (isLost) setText(element, lost);
    else if (state.paused) setText(element, "paused");
    else setText(element, "live");
    document.documentElement.dataset.state = isLost ? "lost" : state.paused ? "paused" : "live";
}

function draw() {
    const { stats } = state;
    const level = byId("level");
    level.dataset.level = stats.level;
    setText(level, levelText(stats.level));
    setText(
        document.querySelector("title"),
        `${ICONS[stats.level] ?? ""} ${percent(stats.usage_ratio)} \u2013 Bursar`
    );
    if (document.hidden) return;
    Object.assign(view, {
        latest: seconds(stats.uptime),
        budget: stats.soft_limit_bytes,
        watermarks: stats.watermarks,
        level: stats.level
    });
    drawUsage(stats);
    drawFigures(stats);
    drawWarnings(stats);
    drawTables(stats);
    drawCharts();
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
        for (const each of byId("ranges").children)
            each.setAttribute("aria-pressed", String(each === button));
        drawCharts();
    });
}

document.addEventListener("visibilitychange", () => {
    if (!document.hidden && !state.paused) poll();
});

applyTheme();
poll();
