// Values as text for `console` and for errors that nobody caught.

/** An error with its stack and cause, or any other value. */
export function describe(value) {
  if (!(value instanceof Error)) return inspect(value);
  const head = `${value.name}: ${value.message}`;
  const stack = value.stack ? `\n${value.stack}` : "";
  const cause = value.cause === undefined ? "" : `\n  [cause]: ${describe(value.cause)}`;
  return head + stack + cause;
}

/** A value as `console.log` would show it, on one line. */
export function inspect(value, depth = 0, seen = new Set()) {
  if (typeof value === "string") return depth === 0 ? value : `'${value}'`;
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "function") return `[Function: ${value.name || "(anonymous)"}]`;
  if (typeof value !== "object" || value === null) return String(value);
  if (value instanceof Error) return describe(value);
  if (value instanceof Date) return value.toISOString();
  if (value instanceof RegExp) return String(value);
  if (seen.has(value)) return "[Circular]";
  if (depth > 2) return Array.isArray(value) ? "[Array]" : "[Object]";
  seen.add(value);
  const show = (item) => inspect(item, depth + 1, seen);
  const text = container(value, show);
  seen.delete(value);
  return text;
}

function container(value, show) {
  const list = (items) => (items.length > 100 ? [...items.slice(0, 100), "..."] : items).join(", ");
  if (Array.isArray(value)) return value.length === 0 ? "[]" : `[ ${list(value.map(show))} ]`;
  if (value instanceof Map) return `Map(${value.size}) {${list([...value].map(([k, v]) => ` ${show(k)} => ${show(v)}`))} }`;
  if (value instanceof Set) return `Set(${value.size}) { ${list([...value].map(show))} }`;
  const key = (name) => (/^[A-Za-z_$][\w$]*$/.test(name) ? name : `'${name}'`);
  const fields = Object.entries(value).map(([name, item]) => `${key(name)}: ${show(item)}`);
  const type = value.constructor?.name;
  const prefix = type && type !== "Object" ? `${type} ` : "";
  return fields.length === 0 ? `${prefix}{}` : `${prefix}{ ${list(fields)} }`;
}

/** The arguments of `console.log`, with its `%s %d %i %f %j %o %O %c %%`. */
export function format(args) {
  if (typeof args[0] !== "string") return args.map((arg) => inspect(arg)).join(" ");
  const rest = args.slice(1);
  const convert = {
    s: String,
    d: Number,
    i: (v) => Number.parseInt(v, 10),
    f: Number.parseFloat,
    j: JSON.stringify,
    o: (v) => inspect(v, 1),
    O: (v) => inspect(v, 1),
    c: () => "",
  };
  const text = args[0].replace(/%([sdifjoOc%])/g, (all, kind) => {
    if (kind === "%") return "%";
    return rest.length === 0 ? all : String(convert[kind](rest.shift()));
  });
  return [text, ...rest.map((arg) => inspect(arg))].join(" ");
}
