// The page's own behaviour around the toolkit: links without reloads, keys, focus that survives updates.
import "/static/tree.js";
import "/static/graph.js";
import "/static/search.js";
import "/static/vnc.js";
import { files } from "/static/files.js";

const send = (name, args) => window.emitEvent?.(name, args);

const go = (path, pop = false) => {
  document.body.classList.remove("tree-open");
  send("go", { path, pop });
};

const isOurs = (link) => link.origin === location.origin && !link.pathname.startsWith("/login") && !link.hasAttribute("download");

document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a[href]");
  if (link && isOurs(link) && link.getAttribute("href").startsWith("/") && !event.ctrlKey && !event.metaKey && !event.shiftKey && event.button === 0) {
    event.preventDefault();
    go(link.getAttribute("href"));
    return;
  }
  const button = event.target.closest?.("[data-act], [data-local]");
  if (!button || event.detail > 1) return; // the second click of a double one would send the same again
  if (button.dataset.local === "menu") document.body.classList.toggle("tree-open");
  else if (button.dataset.local === "search") document.querySelector("cardume-search")?.show();
  else if (button.dataset.local === "language") {
    document.cookie = `cardume_language=${button.dataset.language}; path=/; max-age=31536000; secure; samesite=strict`;
    location.reload();
  } else if (button.getAttribute("aria-disabled") === "true") send("act", { act: "why", why: button.dataset.why });
  else send("act", { ...button.dataset, dark: document.body.classList.contains("body--dark") });
});

document.addEventListener("change", (event) => {
  const field = event.target.closest?.("[data-change]");
  if (field) send("act", { ...field.dataset, act: field.dataset.change, value: field.type === "checkbox" ? field.checked : field.value });
  if (event.target.id === "tree-view") tree()?.show(event.target.value);
});

document.addEventListener("input", (event) => {
  if (event.target.id === "tree-filter") tree()?.filter(event.target.value);
});

// What was typed is the person's who logs out now; at an end of the session it stays for who logs in again.
document.addEventListener("submit", (event) => { if (event.target.action.endsWith("/logout")) sessionStorage.removeItem("cardume-draft"); });

// After a restart of the console nobody is logged in, and the toolkit's socket would ask for ever.
setInterval(async () => {
  if (document.getElementById("popup")?.ariaHidden !== "false") return;
  try { if ((await fetch("/view/search")).status === 401) location.reload(); } catch { /* not back yet */ }
}, 3000);

window.addEventListener("popstate", () => go(location.pathname, true));

const tree = () => document.querySelector("cardume-tree");

// An update replaces the element that had the focus: give the focus to its successor.
let focused = null;
document.addEventListener("focusin", (event) => (focused = event.target.closest?.("[data-key]")?.dataset.key ?? null));
new MutationObserver(() => {
  if (focused && document.activeElement === document.body) document.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
}).observe(document.documentElement, { childList: true, subtree: true });

const isTyping = (target) => target.closest?.("input, textarea, select, [contenteditable], cardume-vnc, dialog, .q-dialog");

document.addEventListener("keydown", (event) => {
  if (event.target.closest?.("cardume-vnc")) return;
  if (event.altKey && !event.ctrlKey && /^[1-9]$/.test(event.key)) {
    const tab = document.querySelectorAll(".tabs a")[Number(event.key) - 1];
    if (tab) { event.preventDefault(); tab.click(); }
  } else if (event.key === "F6") {
    event.preventDefault();
    const places = [tree()?.row(), document.getElementById("content"), document.querySelector(".strip")].filter(Boolean);
    const at = places.findIndex((place) => place.contains(document.activeElement));
    places[(at + 1) % places.length]?.focus();
  } else if (event.ctrlKey && event.key === "k") {
    event.preventDefault();
    if (!document.querySelector(".q-dialog")) document.querySelector("cardume-search")?.show();
  } else if (!isTyping(event.target) && !event.ctrlKey && !event.metaKey && !event.altKey) {
    if (event.key === "/") { event.preventDefault(); document.getElementById("tree-filter")?.focus(); }
    if (event.key === "e") send("act", { act: "drawer" });
    if (event.key === "a") go("/alerts");
  }
});

window.cardume = {
  files,
  changed: () => tree()?.refresh(),
  arrived: () => { tree()?.mark(); document.getElementById("content")?.scrollTo(0, 0); },
  download: (name, text) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
    link.download = name;
    link.click();
    URL.revokeObjectURL(link.href);
  },
};
