// Files of this machine: which were picked, those that are being sent to the console, and those that it gives.
const picked = new Map();
const sending = new Map();

const base64 = async (blob) => btoa(String.fromCharCode(...new Uint8Array(await blob.arrayBuffer())));

export const files = {
  // Tells what a file is by its first and last sector: the console chooses a disk's format and size by them.
  pick: async (key, file, emit) => {
    picked.delete(key);
    try {
      if (!file) return emit({});
      const told = { name: file.name, size: file.size, head: await base64(file.slice(0, 512)), tail: await base64(file.slice(-512)) };
      picked.set(key, file);
      emit(told);
    } catch {
      emit({}); // it cannot be read
    }
  },
  fetch: (url, name) => Object.assign(document.createElement("a"), { href: url, download: name }).click(),
  send: async (key, url) => {
    const stop = new AbortController();
    sending.set(key, stop);
    try {
      await fetch(url, { method: "PUT", body: picked.get(key), signal: stop.signal });
    } catch { /* the console tells how it went */ } finally {
      sending.delete(key);
    }
  },
  stop: (key) => { sending.get(key)?.abort(); picked.delete(key); },
};

window.addEventListener("beforeunload", (event) => { if (sending.size) event.preventDefault(); });
