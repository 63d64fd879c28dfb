// Sees the connections on the page of wirebeat serve as its user would.

globalThis.eye = {
  rows() { return Array.from(document.getElementById("peers").rows); },

  row(remote) { return this.rows().find(row => row.querySelector(".remote").textContent === remote); },

  /** What a row says, by the classes of its parts; undefined without a row. */
  read(remote) {
    const row = this.row(remote);
    if (!row) return undefined;
    const text = part => row.querySelector(part).textContent;
    const [missed, coalesced, heard] = Array.from(row.querySelectorAll(".number"), cell => cell.textContent);
    const points = row.querySelector(".spark .last").getAttribute("points").split(" ").length;
    const strip = Array.from(row.querySelectorAll(".spark rect"), rect => rect.dataset.state);
    const buttons = Array.from(row.querySelectorAll("button")).filter(button => button.checkVisibility()).map(button => button.textContent);
    return {
      state: text(".pill"), why: text(".why"), about: text(".peer .about"), rtt: text(".rtt .rtt"), smoothed: text(".rtt .about"),
      missed, coalesced, heard, points, strip, buttons,
    };
  },

  /** The transitions of a peer, oldest first. */
  transitions(remote) {
    const items = Array.from(document.querySelectorAll("#transitions li")).reverse();
    return items.filter(li => li.querySelector(".remote").textContent === remote)
      .map(li => `${li.querySelector(".pill").textContent}: ${li.querySelector(".detail").textContent}`);
  },

  /** Waits until see() returns something true, and returns that. */
  async until(see) {
    for (const end = Date.now() + 20_000; Date.now() < end;) {
      const seen = see();
      if (seen) return seen;
      await new Promise(resolve => setTimeout(resolve, 10));
    }
    throw new Error(`not seen: ${see}; but ${JSON.stringify(this.rows().map(row => row.innerText))}`);
  },

  /** Waits for a state. The page knows of an end for a moment before it knows why. */
  state(remote, wanted) {
    return this.until(() => {
      const row = this.read(remote);
      return row?.state === wanted && (row.why || !/dead|closed/.test(wanted)) && row;
    });
  },

  /** What would have to be scrolled sideways. */
  tooWide() {
    const places = [document.documentElement, ...document.querySelectorAll(".live .scroll")];
    return places.filter(el => el.scrollWidth > el.clientWidth).map(el => `${el.parentNode.className} ${el.scrollWidth} > ${el.clientWidth}`);
  },

  press(remote, button) {
    const buttons = Array.from(this.row(remote).querySelectorAll("button"));
    const wanted = buttons.find(b => b.textContent === button && b.checkVisibility());
    wanted.focus();
    wanted.click();
  },

  /** Adds a demo peer, and returns its address. */
  async demo() {
    const before = new Set(this.rows());
    document.getElementById("demo").click();
    const row = await this.until(() => this.rows().find(r => !before.has(r) && /demo/.test(r.textContent)));
    return row.querySelector(".remote").textContent;
  },
};
