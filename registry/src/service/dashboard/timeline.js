// What was read over time, thinned to a bound. Times are the service's: seconds since its start.

/** Readings closer than this are the same one, told twice. */
const SAME_SECONDS = 0.02;

/**
 * At most `bound` points in order of time. Where there are too many, neighbours among the older
 * three quarters are merged: the one where `height` is higher is kept, so that no peak is lost.
 */
class Timeline {
    constructor(bound, height) {
        this.bound = bound;
        this.height = height;
        this.points = [];
    }

    clear() {
        this.points = [];
    }

    last() {
        return this.points[this.points.length - 1];
    }

    /** Takes points in any order. */
    add(points) {
        const isSorted = points.length === 1 && !(this.last()?.t > points[0].t);
        this.points.push(...points);
        if (!isSorted) this.points.sort((a, b) => a.t - b.t);
        this.points = this.points.filter(
            (point, index, all) => index === 0 || point.t - all[index - 1].t > SAME_SECONDS
        );
        while (this.points.length > this.bound) this.thin();
    }

    thin() {
        const older = this.points.length - Math.floor(this.points.length / 4);
        const kept = [];
        for (let index = 0; index < older; index += 2) {
            const [first, second] = [this.points[index], this.points[index + 1]];
            const isPair = index + 1 < older;
            const higher = isPair && this.height(second) >= this.height(first) ? second : first;
            kept.push(isPair && (first.gap || second.gap) ? { ...higher, gap: true } : higher);
        }
        this.points = kept.concat(this.points.slice(older));
    }

    /** The points from `from` on, and the one before, from which the line comes in. */
    since(from) {
        let index = this.points.findIndex((point) => point.t >= from);
        if (index < 0) index = this.points.length;
        return this.points.slice(Math.max(index - 1, 0));
    }
}

/** Everything that the charts show. */
const past = {
    memory: new Timeline(4000, (point) => point.ratio),
    tags: new Timeline(1200, (point) => point.total),
    /** Names of tags by their place in a point's `live`; grows by what is seen, up to a bound. */
    tagNames: new Map(),
    changes: [],
    cleanups: new Map(),
    /** The time of the latest sample of the history that was taken in. */
    ingested: -1,
    /** What makes seconds since 1970 of the service's. */
    epoch: 0
};

const TAG_NAMES = 1024;
const CLEANUPS = 256;

function forget() {
    past.memory.clear();
    past.tags.clear();
    past.tagNames.clear();
    past.changes = [];
    past.cleanups.clear();
    past.ingested = -1;
}

const memoryPoint = (t, sample, ratio, live) => ({
    t,
    ratio,
    live,
    active: sample.active_bytes,
    resident: sample.resident_bytes,
    workingSet: sample.working_set_bytes
});

/** Takes a reading in; `gap` if those before it were missed. */
function takeStats(stats, gap) {
    const t = seconds(stats.uptime);
    const last = past.memory.last();
    // It was started anew.
    if (last && t < last.t - 1) forget();
    const epoch = Date.now() / 1000 - t;
    if (Math.abs(epoch - past.epoch) > 2) past.epoch = epoch;
    past.memory.add([memoryPoint(t, stats.sample, stats.usage_ratio, stats.live_bytes)]);

    if (past.tagNames.size > TAG_NAMES) {
        past.tagNames.clear();
        past.tags.clear();
    }
    for (const tag of stats.tags) {
        if (!past.tagNames.has(tag.name)) past.tagNames.set(tag.name, past.tagNames.size);
    }
    const live = new Float64Array(past.tagNames.size);
    let total = 0;
    for (const tag of stats.tags) {
        live[past.tagNames.get(tag.name)] = tag.live_bytes;
        total += tag.live_bytes;
    }
    past.tags.add([{ t, live, total, gap }]);
    if (stats.last_cleanup) takeCleanup(stats.last_cleanup);
    const before = past.changes[past.changes.length - 1]?.to;
    if (before && before !== stats.level) past.changes.push({ t, from: before, to: stats.level });
}

/** Takes in what the service remembers and this page may have missed. */
function takeHistory(history) {
    const fresh = [...history.samples.points, ...history.recent_samples]
        .map((point) =>
            memoryPoint(seconds(point.at), point.sample, point.usage_ratio, point.sample.live_bytes)
        )
        .filter((point) => point.t > past.ingested);
    if (fresh.length > 0)
        past.ingested = fresh.reduce((latest, point) => Math.max(latest, point.t), 0);
    past.memory.add(fresh);
    const changes = history.level_changes.map((change) => ({
        t: seconds(change.at),
        from: change.from,
        to: change.to
    }));
    past.changes =
        changes.length > 0 ? changes : [{ t: 0, from: history.level, to: history.level }];
    history.cleanups.forEach(takeCleanup);
}

function takeCleanup(report) {
    past.cleanups.set(seconds(report.started_at), report);
    while (past.cleanups.size > CLEANUPS) past.cleanups.delete(past.cleanups.keys().next().value);
}
