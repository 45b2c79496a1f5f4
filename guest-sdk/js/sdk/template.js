// Variables in texts: `{{ name.of.a.value }}`, with the semantics of Logto's connector kit.
// Inherited properties (`{{constructor}}`), which the kit resolves, count as missing here.

const VARIABLE = /{{\s*([\w.]+)\s*}}/g;

/** Half a surrogate pair, as `JSON.stringify` writes it: escaped, where a whole pair never is. */
const HALF_PAIR = /(?<!\\)((?:\\\\)*)\\ud[89a-f][0-9a-f]{2}/g;

/**
 * Replaces each variable of `text`, plain text, by its value, once and without any escaping; `write` has a value
 * for another place.
 *
 * A variable whose first name is not in the payload stays as it is written; one that is not found
 * further down, or is null, becomes empty.
 */
export function render(text, payload, write = (value) => value) {
  return text.replace(VARIABLE, (variable, path) => {
    const [root, ...names] = path.split(".");
    if (!root || !Object.hasOwn(payload, root)) return variable;
    let value = payload[root];
    for (const name of names) {
      const inside = typeof value === "object" && value !== null && Object.hasOwn(value, name);
      value = inside ? value[name] : undefined;
    }
    return write(toText(value));
  });
}

const ENTITIES = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

/** A value as it stands in an element or a quoted attribute, so that nothing in it is markup. */
export function escapeHtml(value) {
  return value.replace(/[&<>"']/g, (mark) => ENTITIES[mark]);
}

/** `String(value)`, with an empty text for null and without calling what the payload named `toString`. */
function toText(value) {
  if (value === undefined || value === null) return "";
  if (Array.isArray(value)) return value.map(toText).join(",");
  return typeof value === "object" ? "[object Object]" : String(value);
}

/**
 * Reads the text of a payload: a JSON object. Half a surrogate pair, which UTF-8 cannot hold, becomes
 * U+FFFD. Undefined where it is no object.
 */
export function parsePayload(text) {
  let payload;
  try {
    payload = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof payload !== "object" || payload === null || Array.isArray(payload)) return undefined;
  if (!/\\u[dD][89a-fA-F]/.test(text)) return payload;
  return JSON.parse(JSON.stringify(payload).replace(HALF_PAIR, "$1\\ufffd"));
}
