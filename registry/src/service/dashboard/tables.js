// What each table shows.

const textColumn = (name, text, more) => ({ name, isText: true, text, value: text, ...more });
const countColumn = (name, value, more) => ({
    name,
    value,
    text: (row) => count(value(row)),
    ...more
});
const sizeColumn = (name, value, more) => ({
    name,
    value,
    text: (row) => (value(row) == null ? "\u2013" : size(value(row))),
    title: (row) => exact(value(row)),
    ...more
});
const spanColumn = (name, value, more) => ({
    name,
    value: (row) => seconds(value(row)),
    text: (row) => span(seconds(value(row))),
    ...more
});

const subtreeBytes = (tag) => tag.subtree_live_bytes + tag.subtree_charged_bytes;
const tagUsage = (tag) => subtreeBytes(tag) / tag.budget_bytes;

const tagsTable = new Table({
    id: "tags",
    title: "Tags",
    empty: "No tag is in use.",
    key: (tag) => tag.name,
    sort: 1,
    columns: [
        textColumn("tag", (tag) => tag.name, {
            title: (tag) => (tag.parent ? `part of ${tag.parent}` : "")
        }),
        sizeColumn("live", (tag) => tag.live_bytes),
        { name: "share", value: (tag) => tag.share, text: (tag) => percent(tag.share) },
        countColumn("blocks", (tag) => tag.live_blocks),
        sizeColumn("peak", (tag) => tag.peak_bytes),
        sizeColumn("charged", (tag) => tag.charged_bytes, { hint: "outside the heap" }),
        sizeColumn("own pages", (tag) => tag.active_bytes, {
            hint: "of isolated tags",
            title: (tag) => `isolation ${tag.isolation}, dirty ${exact(tag.dirty_bytes)}`
        }),
        {
            ...sizeColumn("allocated", (tag) => tag.rate),
            text: (tag) => (tag.rate == null ? "\u2013" : `${size(tag.rate)}/s`),
            hint: "allocated since the reading before, each second"
        },
        {
            ...sizeColumn("budget", (tag) => tag.budget_bytes),
            hint: "what the tag and its parts may hold",
            text: (tag) =>
                tag.budget_bytes == null
                    ? "\u2013"
                    : `${percent(tagUsage(tag))} of ${size(tag.budget_bytes)}`,
            isOver: (tag) => tag.budget_bytes != null && subtreeBytes(tag) > tag.budget_bytes
        }
    ]
});

const lookups = (row) => row.hits_total + row.misses_total;
const hitRatio = (row) =>
    row.hits_total == null || row.misses_total == null || lookups(row) === 0
        ? null
        : row.hits_total / lookups(row);

const purgeablesTable = new Table({
    id: "purgeables",
    title: "Purgeables",
    empty: "Nothing that could be purged is registered.",
    key: (row) => row.name,
    sort: 2,
    columns: [
        textColumn("name", (row) => row.name, {
            title: (row) => (row.tag ? `tag ${row.tag}` : "no tag: what it frees is not measured")
        }),
        textColumn("stage", (row) => row.stage),
        sizeColumn("could free", (row) => row.purgeable_bytes),
        countColumn("entries", (row) => row.entries),
        {
            name: "hits",
            value: hitRatio,
            text: (row) => percent(hitRatio(row)),
            title: (row) =>
                hitRatio(row) == null
                    ? "not counted"
                    : `${count(row.hits_total)} of ${count(lookups(row))} look-ups`
        },
        countColumn("purges", (row) => row.purges_total),
        sizeColumn("claimed", (row) => row.claimed_bytes_total, {
            hint: "bytes that it says it freed"
        }),
        sizeColumn("measured", (row) => row.freed_bytes_total, { hint: "bytes that it freed" }),
        countColumn("busy", (row) => row.busy_total),
        countColumn("panics", (row) => row.panics_total, { isOver: (row) => row.panics_total > 0 }),
        textColumn("waits since", (row) => row.waits ?? "\u2013")
    ]
});

const meanPeak = (row) =>
    row.requests_total > 0 ? row.peak_bytes_total / row.requests_total : null;

const routesTable = new Table({
    id: "routes",
    title: "Routes",
    empty: "No requests are logged.",
    key: (row) => row.route,
    sort: 4,
    columns: [
        textColumn("route", (row) => row.route),
        countColumn("requests", (row) => row.requests_total),
        countColumn("failed", (row) => row.failed_total),
        countColumn("shed", (row) => row.shed_total, { hint: "refused since memory was short" }),
        sizeColumn("mean peak", meanPeak),
        sizeColumn("highest peak", (row) => row.peak_bytes),
        sizeColumn("allocated", (row) => row.allocated_bytes_total),
        sizeColumn("kept", (row) => row.net_bytes_total, { hint: "allocated less freed" })
    ]
});

const heaviestTable = new Table({
    id: "heaviest",
    title: "Heaviest requests of the last hour",
    empty: "None was heavy enough to be kept.",
    key: (row) => `${seconds(row.at)} ${row.route} ${row.usage.allocated_bytes}`,
    sort: 2,
    columns: [
        textColumn("route", (row) => row.route),
        countColumn("status", (row) => row.status, {
            text: (row) => (row.status == null ? "none" : String(row.status))
        }),
        sizeColumn("peak", (row) => row.usage.peak_bytes),
        sizeColumn("allocated", (row) => row.usage.allocated_bytes),
        sizeColumn("kept", (row) => row.usage.net_bytes),
        spanColumn("took", (row) => row.elapsed),
        {
            name: "ended",
            value: (row) => seconds(row.at),
            text: (row) => clock(seconds(row.at) + past.epoch)
        }
    ]
});

const purgesOf = (report) => report.stages.flatMap((stage) => stage.purges);
/** How callbacks went, as `3 freed, 1 busy`. */
function outcomes(report) {
    const counts = new Map();
    for (const purge of purgesOf(report))
        counts.set(purge.status, (counts.get(purge.status) ?? 0) + 1);
    return [...counts].map(([status, times]) => `${times} ${status}`).join(", ") || "none asked";
}

const cleanupsTable = new Table({
    id: "cleanups",
    title: "Recent cleanups",
    empty: "None was needed so far.",
    key: (report) => seconds(report.started_at),
    sort: 0,
    columns: [
        {
            name: "began",
            value: (report) => seconds(report.started_at),
            text: (report) => clock(seconds(report.started_at) + past.epoch)
        },
        {
            ...textColumn(
                "level",
                (report) =>
                    levelText(report.level) + (report.observed_only ? " (observed only)" : "")
            ),
            value: (report) => LEVELS.indexOf(report.level)
        },
        textColumn("pressure", (report) => (report.tag ? `tag ${report.tag}` : report.diagnosis)),
        {
            name: "asked",
            value: (report) => report.target_bytes,
            text: (report) => asked(report.target_bytes)
        },
        sizeColumn("freed", (report) => report.freed_bytes),
        sizeColumn("pages back", (report) => report.collected_bytes, {
            hint: "freed pages that went back to the system"
        }),
        sizeColumn("held before", (report) => report.held_bytes_before),
        sizeColumn("held after", (report) => report.held_bytes_after),
        spanColumn("took", (report) => report.elapsed),
        textColumn("callbacks", outcomes, {
            title: (report) =>
                purgesOf(report)
                    .map((purge) => `${purge.name}: ${purge.status}`)
                    .join("\n")
        })
    ]
});

byId("tables").append(
    ...[tagsTable, purgeablesTable, routesTable, heaviestTable, cleanupsTable].map(
        (table) => table.section
    )
);

/** Bytes each tag has allocated up to the reading before. */
let before = { at: NaN, totals: new Map() };

function drawTables(stats) {
    const at = seconds(stats.uptime);
    const elapsed = at - before.at;
    const live = Math.max(stats.live_bytes, 1);
    const rate = (tag) => {
        const total = before.totals.get(tag.name);
        return elapsed > 0 && total <= tag.allocated_bytes_total
            ? (tag.allocated_bytes_total - total) / elapsed
            : null;
    };
    tagsTable.update(
        stats.tags.map((tag) => ({ ...tag, share: tag.live_bytes / live, rate: rate(tag) }))
    );
    before = {
        at,
        totals: new Map(stats.tags.map((tag) => [tag.name, tag.allocated_bytes_total]))
    };
    const waits = (row) =>
        row.cooldown && seconds(row.cooldown.until) > at ? row.cooldown.reason : null;
    purgeablesTable.update(stats.purgeables.map((row) => ({ ...row, waits: waits(row) })));
    routesTable.update(stats.routes);
    heaviestTable.update(stats.heaviest_requests);
    cleanupsTable.update([...past.cleanups.values()].slice(-32));
}
