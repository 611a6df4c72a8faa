// Runs in the page after it has polled for a while: uses it, and writes down what it sees.

const all = (selector) => [...document.querySelectorAll(selector)];
const texts = (selector) => all(selector).map((element) => element.textContent);
const pause = () => new Promise((resolve) => setTimeout(resolve, 500));

/** How many pixels have about the colour of a variable of the page's style. */
function painted(canvas, variable) {
    const probe = document.createElement("i");
    probe.style.color = `var(--${variable})`;
    document.body.append(probe);
    const wanted = getComputedStyle(probe).color.match(/\d+/g).map(Number);
    probe.remove();
    const copy = new OffscreenCanvas(canvas.width, canvas.height);
    const context = copy.getContext("2d", { willReadFrequently: true });
    context.drawImage(canvas, 0, 0);
    const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
    let count = 0;
    for (let at = 0; at < data.length; at += 4) {
        const near = wanted.every((part, index) => Math.abs(part - data[at + index]) < 12);
        if (near && data[at + 3] > 200) count += 1;
    }
    return count;
}

async function use() {
    const seen = {};
    document.querySelector("#ranges button:last-child").click();
    await pause();
    const [memory, tags] = all("canvas");
    seen.painted = {
        live: painted(memory, "live"),
        resident: painted(memory, "resident"),
        cleanups: painted(memory, "text"),
        tags: painted(tags, "tag-0"),
    };

    const chart = document.getElementById("memory-chart");
    chart.focus();
    chart.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowLeft", bubbles: true }));
    await pause();
    seen.tip = texts("#memory-chart .tip div");

    const names = () => texts("#tags tbody td:first-child");
    const head = document.querySelector("#tags th");
    head.querySelector("button").click();
    seen.sorted = { order: head.getAttribute("aria-sort"), names: names() };
    head.querySelector("button").click();
    seen.turned = { order: head.getAttribute("aria-sort"), names: names() };

    const theme = document.getElementById("theme");
    seen.themes = [0, 1, 2].map(() => (theme.click(), document.documentElement.dataset.theme));
    document.getElementById("pause").click();
    seen.paused = document.getElementById("connection").textContent;

    const ownPages = texts("#tags th").findIndex((name) => name.startsWith("own pages"));
    seen.ownPages = all(`#tags tbody td:nth-child(${ownPages + 1})`).map(
        (cell) => `${cell.textContent}: ${cell.title}`,
    );

    seen.level = document.getElementById("level").textContent;
    seen.figures = texts("#figures div");
    seen.usage = document.getElementById("usage").textContent;
    seen.alerts = texts("#alerts p");
    seen.notes = texts("#notes li");
    seen.tables = Object.fromEntries(
        all("#tables section").map(({ id }) => [id, texts(`#${id} tbody td:first-child`)]));
    seen.unreached = all("button, a").filter((element) => element.tabIndex < 0).length;
    seen.images = all("img").length;
    seen.hacked = Boolean(window.hacked);
    seen.width = { window: innerWidth, page: document.documentElement.scrollWidth };
    return seen;
}

setTimeout(async () => {
    let seen;
    try {
        seen = await use();
    } catch (error) {
        seen = { failed: String(error) };
    }
    const script = document.createElement("script");
    script.type = "application/json";
    script.id = "seen";
    script.textContent = JSON.stringify({ ...noted, ...seen }).replaceAll("<", "\\u003c");
    // In a frame, what is written down is read from the page around it.
    top.document.body.append(script);
}, 12_000);
