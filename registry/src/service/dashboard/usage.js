// Usage, key figures and warnings.

const footprint = (stats) =>
    Math.max(stats.sample.active_bytes ?? 0, stats.sample.live_bytes) + stats.sample.charged_bytes;
const CAUSES = {
    live: "live blocks take more than the budget gives them",
    dirty: "the allocator holds free pages that it could give back",
    outside: "the container fills up with what is not the heap"
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
            mark.replaceChildren(
                make("b", { textContent: `${mark.dataset.mark} ` }),
                `${at.toFixed(0)} %`
            );
        }
    }
    const by = stats.diagnosis ? ` Pressure: ${CAUSES[stats.diagnosis] ?? stats.diagnosis}.` : "";
    const { limit_bytes: limit, from } = stats.limits;
    const limited =
        limit == null
            ? "No limit is known."
            : `The limit is ${size(limit)} (${String(from).replaceAll("_", " ")}).`;
    const used = `Footprint ${size(footprint(stats))} of the budget of`;
    const text = `${percent(stats.usage_ratio)}. ${used} ${size(stats.soft_limit_bytes)}.`;
    setText(byId("usage"), `${text} ${limited}${by}`);
    setTitle(
        byId("usage"),
        `footprint ${exact(footprint(stats))} of ${exact(stats.soft_limit_bytes)}`
    );
}

/** The name of each, the field of the statistics or of their sample, and what it is. */
const SIZES = [
    ["live", "live_bytes", "requested and not yet freed"],
    ["resident", "resident_bytes", "of the process in memory, by the kernel"],
    ["working set", "working_set_bytes", "the container's usage less inactive file pages"],
    ["dirty", "dirty_bytes", "freed pages that the allocator still holds"],
    ["fragmentation", "active_bytes", "pages that hold live blocks, less the blocks"],
    ["charged", "charged_bytes", "declared outside the heap"],
    ["reserved", "reserved_bytes", "held free, and not allocated yet"],
    ["peak", "peak_bytes", "the most live bytes that a reading saw"],
    ["freed by cleanups", "freed_bytes_total", "as measured"]
];

function sizeFigure(stats, [name, key, hint]) {
    let bytes = stats[key] ?? stats.sample[key];
    if (key === "active_bytes" && bytes != null)
        bytes = Math.max(bytes - stats.sample.live_bytes, 0);
    const title = bytes == null ? (stats.unavailable[key] ?? "") : exact(bytes);
    return [name, size(bytes), `${hint}\n${title}`];
}

function figures(stats) {
    const futile = stats.futile_cleanups_total;
    return [
        ...SIZES.map((figure) => sizeFigure(stats, figure)),
        [
            "cleanups",
            count(stats.cleanups_total) + (futile > 0 ? ` (${count(futile)} futile)` : "")
        ],
        ["requests now", count(stats.requests_in_flight)],
        ["allocator", stats.backend ?? "unknown"],
        ["version", stats.version],
        ["uptime", span(Math.floor(seconds(stats.uptime)))]
    ];
}

function drawFigures(stats) {
    const list = byId("figures");
    figures(stats).forEach(([name, text, title], index) => {
        if (index === list.children.length) {
            list.append(make("div", {}, make("dt", { textContent: name }), make("dd")));
        }
        setText(list.children[index].lastChild, text);
        setTitle(list.children[index], title ?? "");
    });
}

/** What is wrong, and what is worth a look. Said once: no figure in it moves with the time. */
function drawWarnings(stats) {
    const now = seconds(stats.uptime);
    const at = (moment) => clock(moment + past.epoch);
    const alerts = [];
    if (stats.level === "emergency")
        alerts.push("Emergency: everything purgeable goes, and new work should be refused.");
    if (stats.stall) {
        const since = at(now - seconds(stats.stall.running_for));
        const what = `The callback of ${stats.stall.name} has not returned since ${since}`;
        alerts.push(`${what}: no cleanup can go on.`);
    }
    if (stats.last_report_error)
        alerts.push(`The last report could not be written: ${stats.last_report_error}`);
    const notes = [];
    const { cooldown } = stats;
    if (cooldown && seconds(cooldown.until) > now)
        notes.push(
            `No cleanup at ${cooldown.level} or below before ${at(seconds(cooldown.until))}, ` +
                `since ${cooldown.reason}`
        );
    const over = stats.tags.filter(
        (tag) => tag.budget_bytes != null && subtreeBytes(tag) > tag.budget_bytes
    );
    if (over.length > 0)
        notes.push(`Over a budget of their own: ${over.map((tag) => tag.name).join(", ")}`);
    if (stats.bounds_unused.length > 0)
        notes.push(`Bounded, but not registered: ${stats.bounds_unused.join(", ")}`);
    const panicked = stats.purgeables.filter((row) => row.panics_total > 0);
    if (panicked.length > 0)
        notes.push(`Callbacks that have panicked: ${panicked.map((row) => row.name).join(", ")}`);
    fillList(byId("alerts"), "p", alerts);
    fillList(byId("notes"), "li", notes);
}

function fillList(list, name, texts) {
    while (list.children.length > texts.length) list.lastChild.remove();
    while (list.children.length < texts.length) list.append(make(name));
    texts.forEach((text, index) => setText(list.children[index], text));
}
