// <cardume-graphs>: the time that all graphs of a page show, moved by buttons and by dragging.
// <cardume-graph>: lines over time, fetched from the console; a table of the same numbers for who does not see lines.
const HUES = ["#2f6fd0", "#d1660a", "#1b8a5a", "#b3458c", "#7a6a00", "#5b56c9", "#0b8793", "#a23b3b"];
const DASHES = [[], [6, 3], [2, 2], [8, 3, 2, 3]];
const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];
const LEFT = 76, RIGHT = 8, TOP = 16, BOTTOM = 22, HEIGHT = 188;
const YEAR = 31622400;

class Graphs extends HTMLElement {
  connectedCallback() {
    this.seconds = 600; // the newest ones, while there is no window
    this.window = null;
    this.addEventListener("change", (event) => {
      if (event.target.dataset.graph !== "span") return;
      this.seconds = Number(event.target.value);
      this.show(null);
    });
    this.addEventListener("click", (event) => { const move = event.target.closest("[data-graph]")?.dataset.graph; if (move && move !== "span") this.move(move); });
    this.addEventListener("toggle", () => this.each((graph) => graph.load()), true);
  }
  each(work) { this.querySelectorAll("cardume-graph").forEach(work); }
  range(last) { return this.window ?? [last - this.seconds, last]; }
  get now() { return this.last ?? Date.now() / 1000; }
  move(how) {
    const [from, to] = this.range(this.now), length = to - from;
    if (how === "now") this.show(null);
    if (how === "earlier") this.show([from - length / 2, to - length / 2]);
    if (how === "later") this.show([from + length / 2, to + length / 2]);
    if (how === "zoom_in") this.zoom(0.5, (from + to) / 2);
    if (how === "zoom_out") this.zoom(2, (from + to) / 2);
  }
  zoom(factor, around) {
    const [from, to] = this.range(this.now);
    this.show([around - (around - from) * factor, around + (to - around) * factor]);
  }
  show(window, isMoving = false) {
    if (window) {
      const length = Math.min(window[1] - window[0], YEAR), to = Math.min(window[1], this.now);
      window = [to - length, to];
    }
    this.window = window;
    this.say();
    this.each((graph) => (isMoving ? graph.draw() : graph.load()));
  }
  adopt(from, to) { // as wide as the rows of that age allow
    if (!this.window || (this.window[0] === from && this.window[1] === to)) return;
    this.window = [from, to];
    this.say();
  }
  say() {
    const text = (moment) => new Date(moment * 1000).toLocaleString(this.getAttribute("locale"));
    this.querySelector(".range").textContent = this.window ? `${text(this.window[0])} – ${text(this.window[1])}` : this.getAttribute("live");
    this.querySelector("[data-graph=now]").disabled = !this.window;
  }
}

class Graph extends HTMLElement {
  connectedCallback() {
    this.group = this.closest("cardume-graphs");
    this.asked = 0;
    const label = this.getAttribute("label");
    this.innerHTML = `<h2></h2><div class="plot"><canvas role="img"></canvas><p class="empty" hidden></p></div><ul class="legend"></ul><details><summary></summary><table></table><p class="note" hidden></p><ul class="marks"></ul></details>`;
    this.querySelector("h2").textContent = label;
    this.querySelector("summary").textContent = this.getAttribute("as-table");
    this.querySelector("details .note").textContent = this.getAttribute("marks");
    this.canvas = this.querySelector("canvas");
    this.canvas.setAttribute("aria-label", label);
    this.list = this.querySelector(".legend");
    this.list.setAttribute("aria-label", `${label}: ${this.getAttribute("lines")}`);
    this.list.addEventListener("change", () => this.choose());
    this.querySelector(".empty").textContent = this.getAttribute("nothing");
    this.canvas.addEventListener("pointerdown", (event) => this.drag(event));
    this.canvas.addEventListener("dblclick", (event) => this.group.zoom(0.5, this.moment(event)));
    this.canvas.addEventListener("wheel", (event) => {
      if (!event.shiftKey) return; // the wheel alone scrolls the page
      event.preventDefault();
      this.group.zoom(event.deltaY + event.deltaX < 0 ? 0.7 : 1.4, this.moment(event));
    }, { passive: false });
    this.resized = new ResizeObserver(() => this.draw());
    this.resized.observe(this);
    this.load();
  }
  disconnectedCallback() { clearTimeout(this.timer); this.resized.disconnect(); this.gone = true; }
  get store() { return `cardume-lines:${this.group.getAttribute("source")}:${this.getAttribute("kind")}`; }
  moment(event) {
    const [from, to] = this.group.range(this.group.now), box = this.canvas.getBoundingClientRect();
    return from + ((event.clientX - box.left - LEFT) / (box.width - LEFT - RIGHT)) * (to - from);
  }
  drag(event) {
    if (event.button !== 0) return;
    const [from, to] = this.group.range(this.group.now), perPixel = (to - from) / (this.clientWidth - LEFT - RIGHT), start = event.clientX;
    let hasMoved = false;
    const move = (next) => {
      const by = (start - next.clientX) * perPixel;
      if (!hasMoved && Math.abs(next.clientX - start) < 4) return; // a click
      hasMoved = true;
      this.group.show([from + by, to + by], true);
    };
    const end = () => {
      this.canvas.removeEventListener("pointermove", move);
      if (hasMoved) this.group.show(this.group.window);
    };
    this.canvas.setPointerCapture(event.pointerId);
    this.canvas.addEventListener("pointermove", move);
    this.canvas.addEventListener("lostpointercapture", end, { once: true });
  }
  async load() {
    clearTimeout(this.timer);
    const mine = (this.asked += 1), { window, seconds } = this.group, show = localStorage.getItem(this.store);
    if (this.checkVisibility()) {
      const query = new URLSearchParams({ kind: this.getAttribute("kind"), span: seconds });
      if (window) { query.set("from", window[0]); query.set("to", window[1]); }
      if (show !== null) query.set("show", show);
      try {
        const answer = await fetch(`${this.group.getAttribute("source")}?${query}`);
        const data = answer.ok ? await answer.json() : null;
        if (mine !== this.asked || this.gone) return; // overtaken
        if (data) {
          this.data = data;
          if (data.to) this.group.adopt(data.from, data.to);
          else if (data.moments.length) this.group.last = data.moments.at(-1);
          this.draw();
        }
      } catch { /* the console is away: asked again below */ }
    }
    if (!this.gone && mine === this.asked) this.timer = setTimeout(() => this.load(), window || seconds > 7200 ? 60000 : 5000);
  }
  text(value) {
    const number = (digits) => value.toLocaleString(this.group.getAttribute("locale"), { maximumFractionDigits: digits });
    switch (this.data.unit) {
      case "share": value *= 100; return `${number(1)}%`;
      case "count": return `${number(1)}/s`;
      case "number": return number(2);
      case "time": {
        const unit = value < 1000 ? ["µs", 1] : value < 1e6 ? ["ms", 1e3] : ["s", 1e6];
        value /= unit[1];
        return `${number(1)} ${unit[0]}`;
      }
    }
    let unit = 0;
    while (value >= 1024 && unit < UNITS.length - 1) { value /= 1024; unit += 1; }
    return `${number(1)} ${UNITS[unit]}${this.data.unit === "rate" ? "/s" : ""}`;
  }
  draw() {
    if (!this.data) return;
    const { moments, series, marks } = this.data;
    const canvas = this.canvas, width = this.querySelector(".plot").clientWidth, scale = devicePixelRatio || 1;
    const [first, last] = this.group.range(moments.at(-1) ?? this.group.now);
    const isEmpty = !marks.length && !series.some((one) => one.values.some((value) => value !== null));
    this.querySelector(".empty").hidden = !isEmpty;
    canvas.hidden = isEmpty && this.group.window === null; // in a window one may still move on
    this.legend(series);
    if (canvas.hidden || !width) return;
    canvas.width = width * scale; canvas.height = HEIGHT * scale;
    canvas.style.height = `${HEIGHT}px`;
    const pen = canvas.getContext("2d"), style = getComputedStyle(this);
    pen.scale(scale, scale);
    const muted = style.getPropertyValue("--muted"), line = style.getPropertyValue("--border");
    const least = { share: 0.1, count: 1, number: 1, time: 100 }[this.data.unit] ?? 1024;
    const most = this.data.most ?? series.flatMap((one) => one.values).reduce((a, b) => Math.max(a, b ?? 0), least);
    const x = (moment) => LEFT + ((moment - first) / (last - first)) * (width - LEFT - RIGHT);
    const y = (value) => TOP + (1 - value / most) * (HEIGHT - TOP - BOTTOM);
    pen.font = "11px system-ui, sans-serif"; pen.fillStyle = muted; pen.strokeStyle = line; pen.lineWidth = 1;
    for (let step = 0; step <= 4; step += 1) {
      const at = Math.round(y((most * step) / 4)) + 0.5;
      pen.beginPath(); pen.moveTo(LEFT, at); pen.lineTo(width - RIGHT, at); pen.stroke();
      if (step % 2 === 0) { pen.textAlign = "right"; pen.fillText(this.text((most * step) / 4), LEFT - 6, at + 4); }
    }
    this.times(pen, first, last, width, x);
    this.lines(pen, series, moments, width, x, y);
    this.happened(pen, marks.filter((mark) => mark.at >= first && mark.at <= last), width, x, style.getPropertyValue("--text"));
  }
  times(pen, first, last, width, x) {
    const length = last - first, steps = width > 500 ? 4 : 2, locale = this.group.getAttribute("locale");
    const shown = length > 8 * 86400 ? { day: "2-digit", month: "2-digit" } : length > 86400 ? { day: "2-digit", month: "2-digit", hour: "2-digit", minute: "2-digit" } : length > 600 ? { hour: "2-digit", minute: "2-digit" } : { hour: "2-digit", minute: "2-digit", second: "2-digit" };
    for (let step = 0; step <= steps; step += 1) {
      const moment = first + (length * step) / steps;
      pen.textAlign = step === 0 ? "left" : step === steps ? "right" : "center";
      pen.fillText(new Date(moment * 1000).toLocaleString(locale, shown), x(moment), HEIGHT - 6);
    }
  }
  lines(pen, series, moments, width, x, y) {
    pen.save();
    pen.beginPath(); pen.rect(LEFT, 0, width - LEFT - RIGHT, HEIGHT - BOTTOM + 1); pen.clip();
    series.forEach((one, number) => {
      pen.strokeStyle = HUES[number % HUES.length]; pen.lineWidth = 1.75; pen.setLineDash(DASHES[Math.floor(number / HUES.length) % DASHES.length]);
      pen.beginPath();
      let drawing = false;
      one.values.forEach((value, at) => {
        if (value === null) { drawing = false; return; }
        if (drawing) pen.lineTo(x(moments[at]), y(value)); else pen.moveTo(x(moments[at]), y(value));
        drawing = true;
      });
      pen.stroke();
    });
    pen.restore();
  }
  happened(pen, marks, width, x, color) {
    pen.strokeStyle = pen.fillStyle = color; pen.lineWidth = 1;
    let free = -Infinity; // where the next word has room
    for (const mark of marks) {
      const at = Math.round(x(mark.at)) + 0.5, length = pen.measureText(mark.text).width, left = at + 6 + length < width ? at + 6 : at - 6 - length;
      pen.setLineDash([3, 3]);
      pen.beginPath(); pen.moveTo(at, 2); pen.lineTo(at, HEIGHT - BOTTOM); pen.stroke();
      pen.setLineDash([]);
      pen.beginPath(); pen.moveTo(at - 4, 2); pen.lineTo(at + 4, 2); pen.lineTo(at, 8); pen.fill();
      if (left > free) { pen.textAlign = "left"; pen.fillText(mark.text, left, 11); free = left + length + 6; }
    }
    this.querySelector("details .note").hidden = !marks.length;
    this.querySelector(".marks").replaceChildren(...marks.map((mark) => { const item = document.createElement("li"); item.textContent = `${mark.when} ${mark.text}`; return item; }));
  }
  legend(series) {
    const at = new Map(series.map((one, number) => [one.source, number]));
    const numbers = series.map((one) => one.values.filter((value) => value !== null)).map((known) => known.length ? [known.at(-1), Math.min(...known), known.reduce((a, b) => a + b, 0) / known.length, Math.max(...known)] : []);
    const names = JSON.stringify(this.data.choices.map((one) => one.source));
    if (this.names !== names) { // not at every update: who is about to tick a box would lose it
      this.names = names;
      this.list.replaceChildren(...this.data.choices.map((one) => {
        const item = document.createElement("li"), label = document.createElement("label"), box = document.createElement("input"), key = document.createElement("span"), text = document.createElement("span");
        box.type = "checkbox"; box.value = one.source; key.className = "key";
        label.append(box, key, text); item.append(label);
        return item;
      }));
    }
    this.list.querySelectorAll("label").forEach((label, place) => {
      const [box, key, text] = label.children, number = at.get(box.value);
      box.checked = number !== undefined;
      key.style.display = box.checked ? "" : "none";
      if (box.checked) key.style.background = HUES[number % HUES.length];
      text.textContent = box.checked ? `${this.data.choices[place].name} ${numbers[number].length ? this.text(numbers[number][0]) : "–"}` : this.data.choices[place].name;
    });
    const table = this.querySelector("table");
    const row = (cells, tag) => { const tr = document.createElement("tr"); cells.forEach((text, place) => { const cell = document.createElement(tag === "th" || place === 0 ? "th" : "td"); cell.scope = tag === "th" ? "col" : place === 0 ? "row" : ""; if (!cell.scope) cell.removeAttribute("scope"); cell.textContent = text; tr.append(cell); }); return tr; };
    table.replaceChildren(row(this.getAttribute("columns").split("|"), "th"), ...series.map((one, number) => row([one.name, ...[0, 1, 2, 3].map((at) => (numbers[number].length ? this.text(numbers[number][at]) : "–"))], "td")));
  }
  choose() {
    const chosen = [...this.list.querySelectorAll("input:checked")].map((box) => box.value);
    const usual = this.data.choices.filter((one) => one.usual).map((one) => one.source);
    if (String(chosen) === String(usual)) localStorage.removeItem(this.store);
    else localStorage.setItem(this.store, chosen.join(","));
    this.load();
  }
}
customElements.define("cardume-graphs", Graphs);
customElements.define("cardume-graph", Graph);
