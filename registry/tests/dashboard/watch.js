// Runs before the page's own scripts: notes what goes wrong, and how the connection fares.
const noted = { errors: [], states: [] };
addEventListener("error", (event) => noted.errors.push(event.message));
addEventListener("unhandledrejection", (event) => noted.errors.push(String(event.reason)));
addEventListener("securitypolicyviolation", (event) =>
    noted.errors.push(`${event.violatedDirective} ${event.blockedURI}`));
new MutationObserver(() => {
    const { state } = document.documentElement.dataset;
    if (state && noted.states.at(-1) !== state) noted.states.push(state);
    if (state === "lost") noted.lost = document.getElementById("connection").textContent;
}).observe(document.documentElement, { attributes: true });
