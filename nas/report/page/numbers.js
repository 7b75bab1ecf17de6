// Numbers for people: full in tables, short on axes; and ticks at round numbers.

const SUFFIXES = [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"]];

function short(value) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  for (const [unit, suffix] of SUFFIXES) {
    if (size >= unit && (unit > 1e3 || size >= 1e4)) return `${Number((value / unit).toPrecision(3))}${suffix}`;
  }
  return String(Number(value.toPrecision(4)));
}

function full(value) {
  if (value === null || value === undefined) return "–";
  if (typeof value !== "number") return String(value);
  if (Number.isInteger(value) && Math.abs(value) >= 1e4) return value.toLocaleString("en");
  if (Number.isInteger(value)) return String(value);
  const size = Math.abs(value);
  if (size >= 1e4) return Math.round(value).toLocaleString("en");
  return size >= 100 ? value.toFixed(1) : size >= 10 ? value.toFixed(2) : size >= 0.001 ? value.toFixed(4) : value.toPrecision(3);
}

// Labels of ticks, all with as many decimals as the finest needs.
function tickNames(values) {
  if (values.some((v) => Math.abs(v) >= 1e4)) return values.map(short);
  const decimals = Math.max(0, ...values.map((v) => (String(v).split(".")[1] || "").length));
  return values.map((v) => (decimals > 6 ? short(v) : v.toFixed(decimals)));
}

function extent(values) {
  let low = Infinity, high = -Infinity;
  for (const v of values) {
    if (v === null || v === undefined) continue;
    if (v < low) low = v;
    if (v > high) high = v;
  }
  return low > high ? [0, 1] : [low, high];
}

// A domain with some room around its values.
function padded([low, high], share = 0.06) {
  const room = (high - low) * share || Math.abs(high) * share || 1;
  return [low - room, high + room];
}

function paddedLog([low, high]) {
  const room = Math.pow(high / low, 0.06) || 1.1;
  return [low / Math.max(room, 1.02), high * Math.max(room, 1.02)];
}

function ticks([low, high], count, whole) {
  const rough = (high - low) / Math.max(1, count);
  const power = Math.pow(10, Math.floor(Math.log10(rough)));
  const fine = power * ([1, 2, 5, 10].find((m) => m * power >= rough) || 10);
  const step = whole ? Math.max(1, Math.round(fine)) : fine;
  const found = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i++) {
    found.push(Number((i * step).toPrecision(12)));
  }
  return found;
}

function logTicks([low, high], count) {
  const decades = Math.log10(high / low);
  const steps = decades < 0.8 ? null : decades < 2 ? [1, 2, 5] : [1];
  if (!steps) return ticks([low, high], count);
  const found = [];
  for (let p = Math.floor(Math.log10(low)); p <= Math.ceil(Math.log10(high)); p++) {
    for (const s of steps) {
      const tick = Number((s * Math.pow(10, p)).toPrecision(6));
      if (tick >= low && tick <= high) found.push(tick);
    }
  }
  const every = Math.ceil(found.length / Math.max(2, count + 2));
  return found.filter((_, i) => i % every === 0);
}
