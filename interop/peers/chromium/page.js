// Works the page of wirebeat serve as its user would.

globalThis.hand = {
  set(id, value) {
    const input = document.getElementById(id);
    input.value = value;
    input.dispatchEvent(new Event("input", { bubbles: true }));
  },

  click(id) { document.getElementById(id).click(); },

  submit(id) { document.getElementById(id).requestSubmit(); },

  choose(name, value) { document.querySelector(`[name=${name}][value=${value}]`).click(); },

  /** The rows of the log, oldest first, without their times. */
  log() {
    const rows = Array.from(document.getElementById("log").rows, row => Array.from(row.cells, cell => cell.textContent));
    return rows.reverse().map(cells => cells.slice(1).join(" | "));
  },

  /** Waits for a row that was not there before and matches. */
  async row(pattern, act) {
    const before = this.log().length;
    await act();
    for (const end = Date.now() + 10_000; Date.now() < end;) {
      const found = this.log().slice(before).find(row => pattern.test(row));
      if (found !== undefined) return found;
      await new Promise(resolve => setTimeout(resolve, 20));
    }
    throw new Error(`no row ${pattern} but ${JSON.stringify(this.log().slice(before))}`);
  },

  async state(wanted) {
    for (const end = Date.now() + 10_000; Date.now() < end;) {
      if (document.getElementById("status").textContent === wanted) return;
      await new Promise(resolve => setTimeout(resolve, 20));
    }
    throw new Error(`not ${wanted}`);
  },
};
