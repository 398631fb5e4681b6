// <cardume-graph>: lines over time, fetched from the console; a table of the same numbers for who does not see lines.
const HUES = ["#2f6fd0", "#d1660a", "#1b8a5a", "#b3458c", "#7a6a00", "#5b56c9", "#0b8793", "#a23b3b"];
const DASHES = [[], [6, 3], [2, 2], [8, 3, 2, 3]];
const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

class Graph extends HTMLElement {
  connectedCallback() {
    this.seconds = 600;
    const label = this.getAttribute("label");
    this.innerHTML = `<h2></h2><div class="plot"><canvas role="img"></canvas><p class="empty" hidden></p></div><ul class="legend"></ul><details><summary></summary><table></table></details>`;
    this.querySelector("h2").textContent = label;
    this.querySelector("summary").textContent = this.getAttribute("as-table");
    this.querySelector("canvas").setAttribute("aria-label", label);
    this.querySelector(".empty").textContent = this.getAttribute("nothing");
    this.resized = new ResizeObserver(() => this.draw());
    this.resized.observe(this);
    this.load();
  }
  disconnectedCallback() { clearTimeout(this.timer); this.resized.disconnect(); this.gone = true; }
  span(seconds) { this.seconds = Number(seconds); this.load(); }
  async load() {
    clearTimeout(this.timer);
    try {
      const answer = await fetch(`${this.getAttribute("source")}?kind=${this.getAttribute("kind")}&span=${this.seconds}`);
      if (answer.ok) { this.data = await answer.json(); this.draw(); }
    } catch { /* the console is away: asked again below */ }
    if (!this.gone) this.timer = setTimeout(() => this.load(), this.seconds > 7200 ? 60000 : 5000);
  }
  text(value) {
    const number = (digits) => value.toLocaleString(this.getAttribute("locale"), { maximumFractionDigits: digits });
    if (this.data.unit === "share") { value *= 100; return `${number(1)}%`; }
    let unit = 0;
    while (value >= 1024 && unit < UNITS.length - 1) { value /= 1024; unit += 1; }
    return `${number(1)} ${UNITS[unit]}${this.data.unit === "rate" ? "/s" : ""}`;
  }
  draw() {
    if (!this.data) return;
    const { moments, series } = this.data;
    const canvas = this.querySelector("canvas"), width = this.clientWidth, height = 180, scale = devicePixelRatio || 1;
    const isEmpty = !series.some((one) => one.values.some((value) => value !== null));
    this.querySelector(".empty").hidden = !isEmpty;
    canvas.hidden = isEmpty;
    if (isEmpty || !width) { this.querySelector(".legend").replaceChildren(); return; }
    canvas.width = width * scale; canvas.height = height * scale;
    canvas.style.height = `${height}px`;
    const pen = canvas.getContext("2d"), style = getComputedStyle(this);
    pen.scale(scale, scale);
    const muted = style.getPropertyValue("--muted"), line = style.getPropertyValue("--border");
    const most = this.data.most ?? Math.max(...series.flatMap((one) => one.values.map((value) => value ?? 0)), this.data.unit === "share" ? 0.1 : 1024);
    const left = 76, right = 8, top = 8, bottom = 22, last = moments.at(-1), first = last - this.seconds;
    const x = (moment) => left + ((moment - first) / this.seconds) * (width - left - right);
    const y = (value) => top + (1 - value / most) * (height - top - bottom);
    pen.font = "11px system-ui, sans-serif"; pen.fillStyle = muted; pen.strokeStyle = line; pen.lineWidth = 1;
    for (let step = 0; step <= 4; step += 1) {
      const at = Math.round(y((most * step) / 4)) + 0.5;
      pen.beginPath(); pen.moveTo(left, at); pen.lineTo(width - right, at); pen.stroke();
      if (step % 2 === 0) { pen.textAlign = "right"; pen.fillText(this.text((most * step) / 4), left - 6, at + 4); }
    }
    const long = this.seconds > 86400, shown = long ? { day: "2-digit", month: "2-digit" } : { hour: "2-digit", minute: "2-digit" };
    const steps = width > 500 ? 4 : 2;
    for (let step = 0; step <= steps; step += 1) {
      const moment = first + (this.seconds * step) / steps;
      pen.textAlign = step === 0 ? "left" : step === steps ? "right" : "center";
      pen.fillText(new Date(moment * 1000).toLocaleString(this.getAttribute("locale"), shown), x(moment), height - 6);
    }
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
    pen.setLineDash([]);
    this.legend(series);
  }
  legend(series) {
    const numbers = series.map((one) => one.values.filter((value) => value !== null)).map((known) => known.length ? [known.at(-1), Math.min(...known), known.reduce((a, b) => a + b, 0) / known.length, Math.max(...known)] : []);
    this.querySelector(".legend").replaceChildren(...series.map((one, number) => {
      const item = document.createElement("li"), key = document.createElement("span");
      key.className = "key"; key.style.background = HUES[number % HUES.length];
      item.append(key, `${one.name} ${numbers[number].length ? this.text(numbers[number][0]) : "–"}`);
      return item;
    }));
    const table = this.querySelector("table");
    const row = (cells, tag) => { const tr = document.createElement("tr"); cells.forEach((text, at) => { const cell = document.createElement(tag === "th" || at === 0 ? "th" : "td"); cell.scope = tag === "th" ? "col" : at === 0 ? "row" : ""; if (!cell.scope) cell.removeAttribute("scope"); cell.textContent = text; tr.append(cell); }); return tr; };
    table.replaceChildren(row(this.getAttribute("columns").split("|"), "th"), ...series.map((one, number) => row([one.name, ...numbers[number].map((value) => this.text(value))], "td")));
  }
}
customElements.define("cardume-graph", Graph);
