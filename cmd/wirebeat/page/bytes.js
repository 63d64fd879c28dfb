// Bytes as people write and read them.

/** Reads hex digits; blanks, commas, colons and 0x between bytes are fine. */
export function fromHex(text) {
  const digits = text.replace(/0x/gi, " ").replace(/[\s,:]+/g, "");
  if (/[^0-9a-f]/i.test(digits)) throw new Error("Only the digits 0–9 and a–f make bytes.");
  if (digits.length % 2) throw new Error("A byte has two hex digits; one is missing.");
  return Uint8Array.from(digits.match(/../g) ?? [], pair => parseInt(pair, 16));
}

export function toHex(bytes, between = " ") {
  return Array.from(bytes, b => b.toString(16).padStart(2, "0")).join(between);
}

export function randomBytes(n) {
  const bytes = new Uint8Array(n);
  const most = 65536; // that getRandomValues fills at once
  for (let i = 0; i < n; i += most) crypto.getRandomValues(bytes.subarray(i, i + most));
  return bytes;
}

export function bytesIn(n) {
  if (n < 10_000) return `${n} B`;
  return n < 1_024_000 ? `${(n / 1024).toFixed(1)} KiB` : `${(n / 1_048_576).toFixed(1)} MiB`;
}

/** A time that was measured in milliseconds. */
export function millis(ms) {
  return `${ms < 10 ? ms.toFixed(2) : ms < 100 ? ms.toFixed(1) : Math.round(ms)} ms`;
}

export function micros(us) {
  return us < 1000 ? `${us} µs` : millis(us / 1000);
}

/** A time of some seconds or more, in milliseconds. */
export function seconds(ms) {
  if (ms < 9950) return `${(ms / 1000).toFixed(1)} s`;
  if (ms < 119_500) return `${Math.round(ms / 1000)} s`;
  return ms < 7_170_000 ? `${Math.round(ms / 60_000)} min` : `${Math.round(ms / 3_600_000)} h`;
}
