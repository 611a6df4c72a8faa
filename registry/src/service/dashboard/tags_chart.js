// Live bytes by tag, on top of each other; and both charts together.

const TOP_TAGS = 8;
let tagsChart = null;
/** The tags with a layer of their own, by the colour they keep while they have one. */
let layers = [];
let tagSums = [];

/** The tags that held most within the range; those that stay keep their colours. */
function chooseLayers(points) {
    const most = new Map();
    for (const [name, place] of past.tagNames) {
        most.set(
            name,
            points.reduce((top, point) => Math.max(top, point.live[place] ?? 0), 0)
        );
    }
    const top = [...most]
        .filter(([, bytes]) => bytes > 0)
        .sort((a, b) => b[1] - a[1])
        .slice(0, TOP_TAGS)
        .map(([name]) => name);
    const next = new Array(TOP_TAGS).fill(null);
    layers.forEach((name, slot) => {
        if (top.includes(name)) next[slot] = name;
    });
    for (const name of top) if (!next.includes(name)) next[next.indexOf(null)] = name;
    const isSame =
        layers.length === next.length && next.every((name, slot) => name === layers[slot]);
    layers = next;
    return !isSame;
}

/** Sums from the bottom up, the highest first: each layer is painted over the one before. */
function tagsData(points) {
    const places = layers.map((name) => past.tagNames.get(name));
    const times = [];
    const sums = Array.from({ length: TOP_TAGS + 1 }, () => []);
    for (const point of points) {
        if (point.gap && times.length > 0) {
            times.push(point.t + past.epoch - 1e-3);
            sums.forEach((sum) => sum.push(null));
        }
        times.push(point.t + past.epoch);
        let sum = 0;
        places.forEach((place, slot) => {
            sum += point.live[place] ?? 0;
            sums[slot].push(sum);
        });
        sums[TOP_TAGS].push(point.total);
    }
    tagSums = sums;
    return [times, ...sums.slice().reverse()];
}

/** Layer `slot`'s own bytes at a reading. */
const layerBytes = (slot, index) =>
    tagSums[slot][index] - (slot > 0 ? tagSums[slot - 1][index] : 0);
/** No layer for the others where there are none. */
const layerName = (slot) =>
    slot < TOP_TAGS ? layers[slot] : past.tagNames.size > TOP_TAGS ? "other tags" : null;

function describeTags(plot, index) {
    if (tagSums[TOP_TAGS][index] == null) return [];
    const rows = [tipRow(`${clock(plot.data[0][index])}, ${size(tagSums[TOP_TAGS][index])}`)];
    for (let slot = TOP_TAGS; slot >= 0; slot -= 1) {
        if (layerName(slot))
            rows.push(tipRow(`${layerName(slot)} ${size(layerBytes(slot, index))}`, `tag-${slot}`));
    }
    return rows;
}

function buildTags(data) {
    tagsChart ??= new Chart("tags-chart", "Live bytes by tag over time", describeTags);
    const series = data.slice(1).map((_, index) => {
        const slot = TOP_TAGS - index;
        const color = () => cssColor(`tag-${slot}`);
        return {
            label: layerName(slot) ?? "",
            width: 1,
            stroke: color,
            fill: color,
            points: { show: false }
        };
    });
    const seen = () => tagSums[TOP_TAGS].reduce((top, value) => Math.max(top, value ?? 0), 0);
    const opts = options(tagsChart.host, seen, series, {}, { drawOrder: ["series", "axes"] });
    opts.height = 220;
    opts.scales.y.range = () => [0, Math.max(seen() * 1.08, 1024)];
    tagsChart.build(opts, data);
}

function tagsLegend() {
    const last = tagSums[TOP_TAGS].length - 1;
    const items = [];
    for (let slot = 0; slot <= TOP_TAGS; slot += 1) {
        if (layerName(slot))
            items.push(
                make(
                    "li",
                    {},
                    swatch(`tag-${slot}`),
                    `${layerName(slot)} ${size(layerBytes(slot, last))}`
                )
            );
    }
    byId("tags-legend").replaceChildren(...items);
}

/** Draws both from what is known. */
function drawCharts() {
    if (past.memory.points.length === 0) return;
    if (memoryChart) memoryChart.plot.setData(memoryData());
    else buildMemory();
    const points = past.tags.since(fromTime());
    if (points.length === 0) return;
    const isNew = chooseLayers(points) || !tagsChart;
    const data = tagsData(points);
    if (isNew) buildTags(data);
    else tagsChart.plot.setData(data);
    tagsLegend();
}

/** Takes the colours of another theme. */
function recolorCharts() {
    if (memoryChart) buildMemory();
    if (tagsChart) buildTags(tagsChart.plot.data);
}
