/** Numbers as people read them. Whatever is not finite becomes an en dash. */

const NOTHING = "–";

/** 146.4 B, 2.1 M, 950: three significant digits and a short-scale letter. */
export function formatCount(value: number): string {
  if (!Number.isFinite(value)) return NOTHING;
  for (const [unit, size] of [
    ["T", 1e12],
    ["B", 1e9],
    ["M", 1e6],
    ["k", 1e3],
  ] as const) {
    // 999,950 would round to "1000 k".
    if (Math.abs(value) >= size * 0.9995) return `${significant(value / size, 3)} ${unit}`;
  }
  return significant(value, 3);
}

/** 2.10 GFLOP: three significant digits and an SI prefix. */
export function formatFlops(value: number): string {
  if (!Number.isFinite(value)) return NOTHING;
  const prefixes = ["", "k", "M", "G", "T", "P", "E"];
  let prefix = 0;
  let size = value;
  while (size >= 999.5 && prefix < prefixes.length - 1) {
    size /= 1000;
    prefix += 1;
  }
  return `${significant(size, 3)} ${prefixes[prefix]}FLOP`;
}

/** A whole number with its thousands set apart: 9,876. */
export function formatWhole(value: number): string {
  return Number.isFinite(value) ? Math.round(value).toLocaleString("en-US") : NOTHING;
}

/** A share 0..1 as per cent: 1.7 %, 0.04 %. */
export function formatPercent(share: number, digits = 2): string {
  return Number.isFinite(share) ? `${(share * 100).toFixed(digits)} %` : NOTHING;
}

/** Fixed digits after the point, for losses. */
export function formatFixed(value: number, digits: number): string {
  return Number.isFinite(value) ? value.toFixed(digits) : NOTHING;
}

/** 850 ms, 12.3 s, 4 min 05 s, 3 h 02 min, 5 d 01 h. */
export function formatDuration(ms: number): string {
  if (!Number.isFinite(ms)) return NOTHING;
  if (ms < 1000) return `${significant(ms, 3)} ms`;
  const seconds = ms / 1000;
  if (seconds < 59.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  const pad = (value: number) => String(value).padStart(2, "0");
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${pad(whole % 60)} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 1440) return `${Math.floor(minutes / 60)} h ${pad(minutes % 60)} min`;
  const hours = Math.floor(minutes / 60);
  return `${Math.floor(hours / 24)} d ${pad(hours % 24)} h`;
}

/** Bytes in binary units: 512 MiB, 1.25 GiB. */
export function formatBytes(bytes: number): string {
  if (!Number.isFinite(bytes)) return NOTHING;
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  let value = bytes;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${significant(value, 3)} ${units[unit]}`;
}

/** Coefficients: 0.00341, 1.2e-5. */
export function formatSmall(value: number): string {
  if (!Number.isFinite(value)) return NOTHING;
  if (value === 0) return "0";
  return Math.abs(value) < 1e-4 ? value.toExponential(1) : significant(value, 3);
}

/** The value with this many significant digits, never in exponent form. */
export function significant(value: number, digits: number): string {
  if (value === 0) return "0";
  // Rounding first: 0.9996 has the magnitude of the 1.00 it becomes.
  const magnitude = Math.floor(Math.log10(Math.abs(Number(value.toPrecision(digits)))));
  const decimals = Math.max(0, Math.min(20, digits - 1 - magnitude));
  return value.toFixed(decimals);
}
