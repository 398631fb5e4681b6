// <cardume-vnc>: a VM's screen. Each connection costs a ticket, which the console gives once to whoever may look.
class Screen extends HTMLElement {
  connectedCallback() {
    this.tries = 0;
    this.innerHTML = `<p class="note" role="status"></p><div class="clipboard" hidden><textarea rows="3" spellcheck="false"></textarea><button type="button" class="btn"></button></div><div class="vnc-frame"></div>`;
    this.clipboard = this.querySelector(".clipboard");
    this.text = this.querySelector("textarea");
    this.text.setAttribute("aria-label", this.getAttribute("clipboard"));
    this.text.placeholder = this.getAttribute("clipboard");
    const give = this.querySelector("button");
    give.textContent = this.getAttribute("give");
    give.addEventListener("click", () => { this.rfb?.clipboardPasteFrom(this.text.value); this.rfb?.focus(); });
    this.text.addEventListener("keydown", (event) => event.stopPropagation());
    this.status = this.querySelector(".note");
    this.frame = this.querySelector(".vnc-frame");
    this.frame.setAttribute("role", "application");
    this.frame.setAttribute("aria-label", this.getAttribute("label"));
    this.pressed = (event) => this.tool(event.target.closest?.("[data-vnc]")?.dataset.vnc);
    document.addEventListener("click", this.pressed);
    this.frame.addEventListener("keydown", (event) => { if (event.ctrlKey && event.altKey && event.shiftKey) { this.rfb?.blur(); document.getElementById("content")?.focus(); } }, true);
    this.open();
  }
  disconnectedCallback() {
    this.gone = true;
    clearTimeout(this.timer);
    document.removeEventListener("click", this.pressed);
    this.rfb?.disconnect();
  }
  async open() {
    this.status.textContent = this.getAttribute("connecting");
    this.status.hidden = false;
    try {
      const { default: RFB } = await import("/static/novnc/core/rfb.js");
      const answer = await fetch(this.getAttribute("ticket"));
      if (!answer.ok) throw new Error(String(answer.status));
      const { ticket } = await answer.json();
      if (this.gone) return;
      const rfb = new RFB(this.frame, `wss://${location.host}/view/screen?ticket=${ticket}`, { shared: true, wsProtocols: ["binary"] });
      rfb.scaleViewport = true;
      rfb.addEventListener("connect", () => { this.tries = 0; this.status.hidden = true; this.setAttribute("connected", ""); });
      rfb.addEventListener("clipboard", (event) => { this.text.value = event.detail.text; });
      rfb.addEventListener("disconnect", () => { this.removeAttribute("connected"); this.later(); });
      this.rfb = rfb;
    } catch { this.later(); }
  }
  later() {
    if (this.gone) return;
    this.rfb = null;
    this.frame.replaceChildren();
    this.status.textContent = this.getAttribute("lost");
    this.status.hidden = false;
    this.tries += 1;
    this.timer = setTimeout(() => this.open(), Math.min(1000 * this.tries, 10000));
  }
  tool(key) {
    if (key === "ctrlaltdel") this.rfb?.sendCtrlAltDel();
    if (key === "clipboard") { this.clipboard.hidden = !this.clipboard.hidden; if (!this.clipboard.hidden) this.text.focus(); }
    if (key === "fullscreen") this.frame.requestFullscreen?.();
  }
}
customElements.define("cardume-vnc", Screen);
