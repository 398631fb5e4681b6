// <cardume-tree>: a tree of any length that draws only the rows in sight; one Tab stop, keys as WAI-ARIA says.
const ROW = 28;
const SHAPES = { ok: "●", warn: "▲", error: "■", info: "◆", off: "○" };

class Tree extends HTMLElement {
  connectedCallback() {
    this.rows = [];
    this.closed = new Set(JSON.parse(sessionStorage.getItem("tree-closed") ?? "[]"));
    this.wanted = "";
    this.view = "infrastructure";
    this.innerHTML = `<div class="tree-scroll"><div class="tree-rows" role="tree"></div></div><p class="empty" hidden></p>`;
    this.list = this.querySelector(".tree-rows");
    this.list.setAttribute("aria-label", this.getAttribute("label"));
    this.scroller = this.querySelector(".tree-scroll");
    this.scroller.addEventListener("scroll", () => this.draw(), { passive: true });
    this.list.addEventListener("click", (event) => this.clicked(event));
    this.list.addEventListener("keydown", (event) => this.pressed(event));
    new ResizeObserver(() => this.draw()).observe(this.scroller);
    this.refresh();
  }
  async refresh() {
    if (this.asking) { this.again = true; return; }
    this.asking = true;
    try {
      const answer = await fetch(`/view/tree?view=${this.view}`);
      if (answer.status === 401) location.assign("/login");
      if (answer.ok) {
        const text = await answer.text();
        if (text !== this.text) { this.text = text; this.rows = JSON.parse(text); this.arrange(); }
      }
    } catch { setTimeout(() => this.refresh(), 2000); /* the console or the network is away */ }
    this.asking = false;
    if (this.again) { this.again = false; this.refresh(); }
  }
  show(view) { this.view = view; this.refresh(); }
  filter(text) { this.wanted = text.trim().toLowerCase(); this.arrange(); }
  arrange() {
    const parents = [], keys = new Set();
    this.rows.forEach((row, at) => {
      row.key = row.path || `${row.kind}/${row.name}`;
      if (keys.has(row.key)) row.key = `${parents[row.level - 1]} ${row.key}`; // in the view by tag an object may stand twice
      keys.add(row.key);
      parents.length = row.level;
      row.parents = [...parents];
      parents[row.level] = row.key;
      row.opens = (this.rows[at + 1]?.level ?? 0) > row.level;
    });
    let kept = null;
    if (this.wanted) {
      kept = new Set();
      for (const row of this.rows)
        if (`${row.name} ${row.state} ${row.marks.join(" ")}`.toLowerCase().includes(this.wanted)) { kept.add(row.key); row.parents.forEach((one) => kept.add(one)); }
    }
    this.seen = this.rows.filter((row) => (kept ? kept.has(row.key) : !row.parents.some((one) => this.closed.has(one))));
    if (!this.seen.some((row) => row.key === this.current)) this.current = this.seen.find((row) => this.isHere(row))?.key ?? this.seen[0]?.key;
    const none = this.querySelector(".empty");
    none.hidden = this.seen.length > 0 || !this.wanted;
    none.textContent = this.getAttribute("nothing");
    this.draw();
  }
  isHere(row) { return row.path && (location.pathname === row.path || (row.path !== "/" && location.pathname.startsWith(`${row.path}/`) && !/\/(host|vm|sr)\//.test(location.pathname.slice(row.path.length)))); }
  mark() {
    const here = this.seen?.find((row) => this.isHere(row));
    if (here) { this.current = here.key; this.inSight(here); }
    this.draw();
  }
  draw() {
    if (!this.seen) return;
    const had = this.list.contains(document.activeElement);
    const first = Math.max(0, Math.floor(this.scroller.scrollTop / ROW) - 4);
    const last = Math.min(this.seen.length, first + Math.ceil((this.scroller.clientHeight || 600) / ROW) + 8);
    this.list.style.height = `${this.seen.length * ROW}px`;
    this.list.replaceChildren(...this.seen.slice(first, last).map((row, at) => this.element(row, first + at)));
    if (had) this.row()?.focus({ preventScroll: true });
  }
  element(row, at) {
    const node = document.createElement("div");
    node.className = "tree-row";
    node.style.top = `${at * ROW}px`;
    node.style.paddingLeft = `${4 + row.level * 16}px`;
    node.setAttribute("role", "treeitem");
    node.setAttribute("aria-level", row.level + 1);
    node.setAttribute("aria-posinset", at + 1);
    node.setAttribute("aria-setsize", this.seen.length);
    if (row.opens) node.setAttribute("aria-expanded", this.wanted ? true : !this.closed.has(row.key));
    node.setAttribute("aria-selected", this.isHere(row) ? "true" : "false");
    node.tabIndex = row.key === this.current ? 0 : -1;
    node.dataset.row = row.key;
    const words = [row.name, row.state, ...row.marks].filter(Boolean).join(", ");
    node.title = words;
    const part = (name, text, isDecoration) => { const span = document.createElement("span"); span.className = name; span.textContent = text; if (isDecoration) span.setAttribute("aria-hidden", "true"); node.append(span); };
    part("twist", row.opens ? (this.wanted || !this.closed.has(row.key) ? "▾" : "▸") : "", true);
    const icon = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    icon.setAttribute("class", "icon"); icon.setAttribute("aria-hidden", "true");
    const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
    use.setAttribute("href", `/static/icons.svg#${row.icon}`);
    icon.append(use); node.append(icon);
    if (row.tone) part(`tone ${row.tone}`, SHAPES[row.tone] ?? "", true);
    part("name", row.name);
    if (row.state) part("heard", `, ${row.state}`);
    for (const mark of row.marks) part("mark", mark);
    return node;
  }
  row() { return this.list.querySelector('[tabindex="0"]'); }
  clicked(event) {
    const node = event.target.closest("[data-row]");
    if (!node) return;
    const row = this.seen.find((one) => one.key === node.dataset.row);
    if (event.target.classList.contains("twist") && row.opens) this.toggle(row);
    else this.open(row);
  }
  open(row) {
    this.current = row.key;
    if (row.path) { document.body.classList.remove("tree-open"); window.emitEvent("go", { path: row.path }); }
    else if (row.opens) this.toggle(row);
    this.draw();
    this.row()?.focus({ preventScroll: true });
  }
  toggle(row, open = this.closed.has(row.key)) {
    if (open) this.closed.delete(row.key); else this.closed.add(row.key);
    sessionStorage.setItem("tree-closed", JSON.stringify([...this.closed]));
    this.current = row.key;
    this.arrange();
    this.row()?.focus({ preventScroll: true });
  }
  move(at) {
    const row = this.seen[Math.min(Math.max(at, 0), this.seen.length - 1)];
    if (!row) return;
    this.current = row.key;
    this.inSight(row);
    this.draw();
    this.row()?.focus({ preventScroll: true });
  }
  inSight(row) {
    const top = this.seen.indexOf(row) * ROW;
    if (top < this.scroller.scrollTop) this.scroller.scrollTop = top;
    else if (top + ROW > this.scroller.scrollTop + this.scroller.clientHeight) this.scroller.scrollTop = top + ROW - this.scroller.clientHeight;
  }
  pressed(event) {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const at = this.seen.findIndex((row) => row.key === this.current);
    const row = this.seen[at];
    if (!row) return;
    const isOpen = row.opens && !this.closed.has(row.key);
    const does = {
      ArrowDown: () => this.move(at + 1), ArrowUp: () => this.move(at - 1), Home: () => this.move(0), End: () => this.move(this.seen.length - 1),
      PageDown: () => this.move(at + 10), PageUp: () => this.move(at - 10),
      ArrowRight: () => (row.opens && !isOpen ? this.toggle(row, true) : this.move(at + 1)),
      ArrowLeft: () => (isOpen ? this.toggle(row, false) : this.move(this.seen.findIndex((one) => one.key === row.parents.at(-1)))),
      Enter: () => this.open(row), " ": () => this.open(row),
    }[event.key];
    if (does) { event.preventDefault(); event.stopPropagation(); does(); return; }
    if (event.key.length === 1 && event.key !== "/") {
      event.stopPropagation();
      clearTimeout(this.forget);
      this.typed = (this.typed ?? "") + event.key.toLowerCase();
      this.forget = setTimeout(() => (this.typed = ""), 700);
      const order = [...this.seen.slice(at + (this.typed.length > 1 ? 0 : 1)), ...this.seen.slice(0, at + 1)];
      const found = order.find((one) => one.name.toLowerCase().startsWith(this.typed));
      if (found) this.move(this.seen.indexOf(found));
    }
  }
}
customElements.define("cardume-tree", Tree);
