// Figures in words.

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
/** What is asked for where all is: the largest of 64 bits, which no double holds exactly. */
const ALL_BYTES = 2 ** 63;

const isKnown = (value) => typeof value === "number" && Number.isFinite(value);

/** `52.4 MiB`; `unknown` for what is not a number. */
function size(bytes) {
    if (!isKnown(bytes)) return "unknown";
    let unit = 0;
    let value = Math.abs(bytes);
    while (value >= 1024 && unit < UNITS.length - 1) {
        value /= 1024;
        unit += 1;
    }
    const digits = unit === 0 || value >= 100 ? 0 : 1;
    return `${bytes < 0 ? "\u2212" : ""}${value.toFixed(digits)} ${UNITS[unit]}`;
}

/** `54,945,382 bytes`, for a tooltip. */
const exact = (bytes) => (isKnown(bytes) ? `${bytes.toLocaleString("en")} bytes` : "not known");

const asked = (bytes) => (bytes >= ALL_BYTES ? "all" : size(bytes));
const count = (value) => (isKnown(value) ? value.toLocaleString("en") : "\u2013");
const percent = (ratio) => (isKnown(ratio) ? `${(100 * ratio).toFixed(1)} %` : "\u2013");

/** Seconds of a duration as it comes in JSON. */
const seconds = (duration) => (duration ? duration.secs + duration.nanos / 1e9 : NaN);

/** `340 ms`, `12.3 s`, `4 min 10 s`, `2 h 5 min`, `3 d 4 h`. */
function span(value) {
    if (!isKnown(value)) return "\u2013";
    if (value < 0.001) return `${Math.round(value * 1e6)} \u00b5s`;
    if (value < 0.0995) return `${(value * 1000).toFixed(1)} ms`;
    if (value < 1) return `${Math.round(value * 1000)} ms`;
    if (value < 60) return `${value.toFixed(1)} s`;
    const whole = Math.floor(value);
    const [d, h, m, s] = [
        Math.floor(whole / 86400),
        Math.floor(whole / 3600) % 24,
        Math.floor(whole / 60) % 60,
        whole % 60
    ];
    if (d > 0) return `${d} d ${h} h`;
    return h > 0 ? `${h} h ${m} min` : `${m} min ${s} s`;
}

const two = (value) => String(value).padStart(2, "0");

/** The time of day of a moment in seconds since 1970, with the date if it is not of today. */
function clock(at, withSeconds = true) {
    const date = new Date(at * 1000);
    const parts = [date.getHours(), date.getMinutes(), date.getSeconds()];
    const time = parts.slice(0, withSeconds ? 3 : 2).map(two).join(":");
    if (date.toDateString() === new Date().toDateString()) return time;
    return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${time}`;
}

const ICONS = { normal: "\u2713", warning: "\u25b2", critical: "\u25c6", emergency: "\u25a0" };
const LEVELS = Object.keys(ICONS);
/** The level by sign and word. */
const levelText = (level) => `${ICONS[level] ?? "?"} ${level}`;

// Elements. Whatever comes from the service goes in as text, never as markup.

const byId = (id) => document.getElementById(id);

/** An element with these properties and children. */
function make(name, properties = {}, ...children) {
    const element = Object.assign(document.createElement(name), properties);
    element.append(...children);
    return element;
}

/** Sets a text, and touches nothing if it is there already. */
function setText(element, text) {
    if (element.textContent !== text) element.textContent = text;
}

function setTitle(element, title) {
    if (element.title !== title) element.title = title;
}

const cssColor = (name) =>
    getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
