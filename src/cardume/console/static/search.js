// <cardume-search>: the search over everything, as a combobox in a dialog: what is typed is asked of the console.
class Search extends HTMLElement {
  connectedCallback() {
    if (this.dialog) return;
    const label = this.getAttribute("label");
    this.innerHTML = `<dialog><input type="search" role="combobox" aria-expanded="true" aria-controls="search-found" aria-autocomplete="list" autocomplete="off" spellcheck="false">
      <p class="note" role="status"></p><ul id="search-found" role="listbox"></ul></dialog>`;
    this.dialog = this.querySelector("dialog");
    this.field = this.querySelector("input");
    this.list = this.querySelector("ul");
    this.told = this.querySelector("p");
    for (const one of [this.dialog, this.field, this.list]) one.setAttribute("aria-label", label);
    this.field.placeholder = this.getAttribute("hint");
    this.field.addEventListener("input", () => this.later());
    this.field.addEventListener("keydown", (event) => this.pressed(event));
    this.list.addEventListener("click", (event) => this.open(event.target.closest("li")));
    this.dialog.addEventListener("click", (event) => { if (event.target === this.dialog) this.dialog.close(); });
  }
  show() {
    if (this.dialog.open) return;
    this.dialog.showModal();
    this.field.select();
    this.ask();
  }
  later() { clearTimeout(this.timer); this.timer = setTimeout(() => this.ask(), 120); }
  async ask() {
    const asked = this.field.value;
    try {
      const answer = await fetch(`/view/search?q=${encodeURIComponent(asked)}`);
      if (answer.status === 401) location.assign("/login");
      if (answer.ok && asked === this.field.value) this.tell(await answer.json());
    } catch { this.timer = setTimeout(() => this.ask(), 2000); /* the console or the network is away */ }
  }
  tell({ told, found }) {
    this.told.textContent = this.field.value.trim() ? told : this.getAttribute("hint");
    this.list.hidden = !found.length;
    this.list.replaceChildren(...found.map((one, at) => this.row(one, at)));
    this.choose(0);
  }
  row(one, at) {
    const row = document.createElement("li");
    row.id = `search-${at}`;
    row.setAttribute("role", "option");
    row.dataset.path = one.path;
    const icon = document.createElementNS("http://www.w3.org/2000/svg", "svg"), use = document.createElementNS("http://www.w3.org/2000/svg", "use");
    icon.setAttribute("class", "icon"); icon.setAttribute("aria-hidden", "true");
    use.setAttribute("href", `/static/icons.svg#${one.icon}`);
    icon.append(use);
    const name = document.createElement("span"), note = document.createElement("span");
    name.className = "name"; name.textContent = one.name;
    note.className = "note"; note.textContent = [one.kind, one.where, one.state].filter(Boolean).join(" · ");
    row.append(icon, name, note);
    return row;
  }
  choose(at) {
    const rows = [...this.list.children];
    this.at = Math.min(Math.max(at, 0), rows.length - 1);
    rows.forEach((row, number) => row.setAttribute("aria-selected", String(number === this.at)));
    const chosen = rows[this.at];
    if (chosen) { this.field.setAttribute("aria-activedescendant", chosen.id); chosen.scrollIntoView({ block: "nearest" }); }
    else this.field.removeAttribute("aria-activedescendant");
  }
  pressed(event) {
    const does = { ArrowDown: () => this.choose(this.at + 1), ArrowUp: () => this.choose(this.at - 1), Enter: () => this.open(this.list.children[this.at]) }[event.key];
    if (does) { event.preventDefault(); does(); }
  }
  open(row) {
    if (!row) return;
    this.dialog.close();
    window.emitEvent("go", { path: row.dataset.path });
  }
}
customElements.define("cardume-search", Search);
