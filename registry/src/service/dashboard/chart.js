// What both charts have in common.

const view = { range: 600, latest: 0, budget: 0, watermarks: null, level: "normal", charts: [] };

/** Powers of two, so that the scale's figures are whole KiB, MiB and GiB. */
const BYTE_STEPS = Array.from({ length: 53 }, (_, power) => 2 ** power);

const ratioPx = () => window.devicePixelRatio || 1;
/** No earlier than there is something to show. */
const fromTime = () =>
    Math.max(past.memory.points[0]?.t ?? 0, view.range ? view.latest - view.range : 0);

/** The x axis in the time of day. */
function xRange() {
    const from = fromTime() + past.epoch;
    const to = view.latest + past.epoch;
    return [from, Math.max(to, from + 1)];
}

/** From zero to what is seen; to the budget too where that is not far above. */
function yRange(seen) {
    const top = seen * 1.1 >= view.budget * 0.4 ? Math.max(seen, view.budget * 1.03) : seen;
    return [0, Math.max(top * 1.05, 1024)];
}

function options(host, ySeen, series, hooks, more = {}) {
    const axis = {
        stroke: () => cssColor("muted"),
        grid: { stroke: () => cssColor("grid"), width: 1 },
        ticks: { stroke: () => cssColor("grid"), width: 1, size: 4 },
        font: "12px system-ui, sans-serif"
    };
    const withSeconds = () => !view.range || view.range <= 600;
    return {
        width: Math.max(host.clientWidth, 200),
        height: host.dataset.height ? Number(host.dataset.height) : 300,
        legend: { show: false },
        cursor: { drag: { x: false, y: false }, y: false, points: { size: 7 } },
        scales: { x: { time: true, range: xRange }, y: { range: () => yRange(ySeen()) } },
        axes: [
            {
                ...axis,
                space: 90,
                size: 30,
                values: (_, splits) => splits.map((at) => clock(at, withSeconds()))
            },
            {
                ...axis,
                size: 74,
                incrs: BYTE_STEPS,
                values: (_, splits) => splits.map((value) => (value === 0 ? "0" : size(value)))
            }
        ],
        series: [{}, ...series],
        hooks,
        ...more
    };
}

/** A chart in its host: follows the width, has a tooltip, and arrow keys that move through it. */
class Chart {
    constructor(id, label, describe) {
        this.host = byId(id);
        this.describe = describe;
        this.plot = null;
        this.canvasHost = make("div");
        this.canvasHost.setAttribute("role", "img");
        this.canvasHost.setAttribute("aria-label", label);
        this.tip = make("div", { className: "tip", hidden: true });
        this.host.append(this.canvasHost, this.tip);
        this.host.tabIndex = 0;
        this.host.setAttribute("role", "group");
        this.host.setAttribute(
            "aria-label",
            `${label}; the left and right arrow keys move through the readings`
        );
        this.host.addEventListener("keydown", (event) => this.onKey(event));
        // Read out where the keys have moved to, and not wherever a mouse passes.
        this.host.addEventListener("focus", () => this.tip.setAttribute("aria-live", "polite"));
        this.host.addEventListener("blur", () => {
            this.tip.removeAttribute("aria-live");
            this.tip.hidden = true;
        });
        new ResizeObserver(() => this.resize()).observe(this.host);
        view.charts.push(this);
    }

    /** Draws anew from options, where the lines themselves have changed. */
    build(opts, data) {
        this.plot?.destroy();
        opts.hooks = { ...opts.hooks, setCursor: [() => this.showTip()] };
        this.plot = new uPlot(opts, data, this.canvasHost);
    }

    resize() {
        const width = Math.max(this.host.clientWidth, 200);
        if (this.plot && this.plot.width !== width)
            this.plot.setSize({ width, height: this.plot.height });
    }

    onKey(event) {
        const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
        const times = this.plot?.data[0];
        if (!step || !times?.length) return;
        event.preventDefault();
        const index = Math.min(
            Math.max((this.plot.cursor.idx ?? times.length - 1) + step, 0),
            times.length - 1
        );
        this.plot.setCursor({ left: this.plot.valToPos(times[index], "x"), top: 10 });
    }

    showTip() {
        const { left, idx } = this.plot.cursor;
        const rows = left >= 0 && idx != null ? this.describe(this.plot, idx, left) : [];
        this.tip.hidden = rows.length === 0;
        if (this.tip.hidden) return;
        this.tip.replaceChildren(...rows);
        const over = this.plot.over;
        const x = over.offsetLeft + left;
        const room = this.host.clientWidth - this.tip.offsetWidth;
        const beside = x + 14 <= room ? x + 14 : x - this.tip.offsetWidth - 14;
        this.tip.style.left = `${Math.max(Math.min(beside, room), 0)}px`;
        this.tip.style.top = `${over.offsetTop + 8}px`;
    }
}

function swatch(color, line) {
    const element = make("span", { className: line ? "swatch line" : "swatch" });
    if (line) {
        element.style.borderTopColor = `var(--${color})`;
        element.style.borderTopStyle = line;
    } else {
        element.style.background = `var(--${color})`;
    }
    return element;
}

const tipRow = (text, color, line) =>
    make("div", {}, ...(color ? [swatch(color, line)] : []), text);
