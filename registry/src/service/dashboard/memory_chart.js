// Memory over time, with budget, levels and cleanups.

const STRIP_PX = 6;
const MARK_REACH_PX = 8;

const LINES = [
    { key: "live", label: "live", color: "live", width: 2.5 },
    { key: "active", label: "active", color: "active", width: 1.5, dash: [8, 3] },
    { key: "resident", label: "resident", color: "resident", width: 1.5 },
    { key: "workingSet", label: "working set", color: "working-set", width: 1.5, dash: [2, 3] }
];
const lineStyle = (line) => (!line.dash ? "solid" : line.dash[0] > 4 ? "dashed" : "dotted");

const shown = new Set(LINES.map((line) => line.key));
let memoryChart = null;
let memorySeen = 0;

function memoryData() {
    const points = past.memory.since(fromTime());
    memorySeen = 0;
    const lines = LINES.map((line) =>
        points.map((point) => {
            const value = point[line.key] ?? null;
            if (value > memorySeen && shown.has(line.key)) memorySeen = value;
            return value;
        })
    );
    return [points.map((point) => point.t + past.epoch), ...lines];
}

/** Shades what each level begins at, and draws the budget. */
function drawLevels(plot) {
    if (!view.watermarks) return;
    const { ctx, bbox } = plot;
    const px = ratioPx();
    const place = (bytes) =>
        Math.min(Math.max(plot.valToPos(bytes, "y", true), bbox.top), bbox.top + bbox.height);
    ctx.save();
    const starts = LEVELS.slice(1).map((level) => view.watermarks[level] * view.budget);
    LEVELS.slice(1).forEach((level, index) => {
        const bottom = place(starts[index]);
        const top = index < 2 ? place(starts[index + 1]) : bbox.top;
        if (bottom - top < 1) return;
        ctx.globalAlpha = 0.1 + 0.05 * index;
        ctx.fillStyle = cssColor(level);
        ctx.fillRect(bbox.left, top, bbox.width, bottom - top);
        if (bottom - top < 12 * px) return;
        ctx.globalAlpha = 1;
        ctx.font = `${11 * px}px system-ui, sans-serif`;
        ctx.textAlign = "left";
        ctx.textBaseline = "bottom";
        // The highest band holds the budget's line: its name is above that.
        const textBottom = index < 2 ? bottom : Math.min(bottom, place(view.budget));
        ctx.fillText(`${ICONS[level]} ${level}`, bbox.left + 4 * px, textBottom - px);
    });
    ctx.restore();
}

function drawBudget(plot) {
    if (!view.budget) return;
    const { ctx, bbox } = plot;
    const px = ratioPx();
    const y = plot.valToPos(view.budget, "y", true);
    const isAbove = y < bbox.top;
    ctx.save();
    ctx.strokeStyle = ctx.fillStyle = cssColor("budget");
    ctx.font = `${11 * px}px system-ui, sans-serif`;
    ctx.textAlign = "right";
    ctx.textBaseline = isAbove ? "top" : "bottom";
    const text = `${isAbove ? "\u2191 " : ""}budget ${size(view.budget)}`;
    ctx.fillText(text, bbox.left + bbox.width - 4 * px, isAbove ? bbox.top + 2 * px : y - 2 * px);
    if (!isAbove) {
        ctx.lineWidth = 1.5 * px;
        ctx.setLineDash([10 * px, 4 * px]);
        ctx.beginPath();
        ctx.moveTo(bbox.left, y);
        ctx.lineTo(bbox.left + bbox.width, y);
        ctx.stroke();
    }
    ctx.restore();
}

/** The level in force over time, as a strip along the bottom. */
function drawStrip(plot) {
    if (past.changes.length === 0) return;
    const { ctx, bbox } = plot;
    const px = ratioPx();
    const place = (t) =>
        Math.min(
            Math.max(plot.valToPos(t + past.epoch, "x", true), bbox.left),
            bbox.left + bbox.width
        );
    const first = past.memory.points[0]?.t ?? 0;
    const segments = [{ t: first, to: past.changes[0].from }, ...past.changes];
    ctx.save();
    segments.forEach((segment, index) => {
        const from = place(Math.max(segment.t, first));
        const to = place(segments[index + 1]?.t ?? view.latest);
        ctx.fillStyle = cssColor(segment.to);
        if (to > from)
            ctx.fillRect(
                from,
                bbox.top + bbox.height - STRIP_PX * px,
                Math.max(to - from, px),
                STRIP_PX * px
            );
    });
    ctx.restore();
}

function drawCleanups(plot) {
    const { ctx, bbox } = plot;
    const px = ratioPx();
    ctx.save();
    ctx.fillStyle = cssColor("text");
    ctx.strokeStyle = cssColor("text");
    for (const t of past.cleanups.keys()) {
        const x = plot.valToPos(t + past.epoch, "x", true);
        if (x < bbox.left || x > bbox.left + bbox.width) continue;
        ctx.globalAlpha = 0.18;
        ctx.lineWidth = px;
        ctx.beginPath();
        ctx.moveTo(x, bbox.top);
        ctx.lineTo(x, bbox.top + bbox.height);
        ctx.stroke();
        ctx.globalAlpha = 0.85;
        ctx.beginPath();
        ctx.moveTo(x - 4 * px, bbox.top);
        ctx.lineTo(x + 4 * px, bbox.top);
        ctx.lineTo(x, bbox.top + 7 * px);
        ctx.fill();
    }
    ctx.restore();
}

/** What a cleanup did, in a line. */
function cleanupText(report) {
    const what = report.observed_only ? "cleanup only observed" : "cleanup";
    const [freed, took] = [size(report.freed_bytes), span(seconds(report.elapsed))];
    return `\u25bc ${what}: ${levelText(report.level)}, freed ${freed}, took ${took}`;
}

function levelAt(t) {
    let level = past.changes[0]?.from ?? view.level;
    for (const change of past.changes) if (change.t <= t) level = change.to;
    return level;
}

function describeMemory(plot, index, left) {
    const at = plot.data[0][index];
    const rows = [tipRow(`${clock(at)}, ${levelText(levelAt(at - past.epoch))}`)];
    LINES.forEach((line, place) => {
        const value = plot.data[place + 1][index];
        if (value != null && shown.has(line.key))
            rows.push(tipRow(`${line.label} ${size(value)}`, line.color, lineStyle(line)));
    });
    const near = (t) => Math.abs(plot.valToPos(t + past.epoch, "x") - left) <= MARK_REACH_PX;
    const marks = [...past.cleanups.entries()].filter(([t]) => near(t)).slice(-3);
    return rows.concat(
        marks.map(([t, report]) => tipRow(`${clock(t + past.epoch)} ${cleanupText(report)}`))
    );
}

function buildMemory() {
    memoryChart ??= new Chart("memory-chart", "Memory over time", describeMemory);
    const series = LINES.map((line) => ({
        label: line.label,
        width: line.width,
        dash: line.dash,
        show: shown.has(line.key),
        stroke: () => cssColor(line.color),
        points: { show: false }
    }));
    const draw = [drawStrip, drawBudget, drawCleanups];
    memoryChart.build(
        options(memoryChart.host, () => memorySeen, series, { drawClear: [drawLevels], draw }),
        memoryData()
    );
}

/** At first all but the container's usage where it has no limit: it would dwarf the others. */
function chooseLines(stats) {
    if (stats.sample.limit_bytes == null) shown.delete("workingSet");
    memoryLegend();
}

function memoryLegend() {
    byId("memory-legend").replaceChildren(
        ...LINES.map((line) => {
            const button = make(
                "button",
                { type: "button" },
                swatch(line.color, lineStyle(line)),
                line.label
            );
            button.setAttribute("aria-pressed", String(shown.has(line.key)));
            button.addEventListener("click", () => {
                const on = !shown.has(line.key);
                if (on) shown.add(line.key);
                else shown.delete(line.key);
                button.setAttribute("aria-pressed", String(on));
                if (!memoryChart) return;
                memoryChart.plot.setSeries(LINES.indexOf(line) + 1, { show: on });
                drawCharts();
            });
            return button;
        })
    );
}
