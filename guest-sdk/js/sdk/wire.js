// What a request looks like on the wire: how golden cases record it. Part of the test kit.

/** Headers that every client sets for itself. */
const CLIENTS_OWN = [
  "accept",
  "accept-encoding",
  "connection",
  "content-length",
  "host",
  "user-agent",
];

const DECODER = new TextDecoder();

/** The headers of a request as the host would send them, the credential encoded. */
export function wireHeaders({ headers, credential: { tag, val } }) {
  switch (tag) {
    case "basic":
      return sortedHeaders([...headers, ["authorization", `Basic ${base64(val.join(":"))}`]]);
    case "bearer":
      return sortedHeaders([...headers, ["authorization", `Bearer ${val}`]]);
    case "header":
      return sortedHeaders([...headers, val]);
    default:
      return sortedHeaders(headers);
  }
}

/** Headers without case, in one order, without those that belong to a client. */
export function sortedHeaders(headers) {
  return headers
    .map(([name, value]) => [name.toLowerCase(), value.trim()])
    .filter(([name]) => !CLIENTS_OWN.includes(name))
    .sort(([one], [other]) => (one < other ? -1 : 1));
}

/** A body in the shape of the recorded one, with its text where that was recorded. */
export function bodyLike({ kind, raw }, body) {
  const text = typeof body === "string" ? body : DECODER.decode(body);
  const seen = { kind };
  if (kind === "json") seen.value = parsed(text);
  if (kind === "form") seen.pairs = [...new URLSearchParams(text)];
  if (raw !== undefined) seen.raw = text;
  return seen;
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function base64(text) {
  return Buffer.from(text, "utf8").toString("base64");
}
