// AWS Signature Version 4 in a header.
//
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html, read 2026-11-21.

import { Key } from "./signing.js";

const ENCODER = new TextEncoder();
const ALGORITHM = "AWS4-HMAC-SHA256";

/**
 * Signs the whole request, its headers and query included: adds `x-amz-date`, `x-amz-content-sha256` and
 * `authorization`, and puts the URL into the form that is signed.
 */
export async function sigv4(request, { id, secret }, { region, service }, now = Date.now()) {
  const time = new Date(now).toISOString().replace(/[-:]|\.\d+/g, "");
  const day = time.slice(0, 8);
  const body = await sha256(request.body);
  request.header("x-amz-date", time).header("x-amz-content-sha256", body);
  const { text, signed } = canonical(request, body);

  const scope = [day, region, service, "aws4_request"];
  const toSign = [ALGORITHM, time, scope.join("/"), await sha256(text)].join("\n");
  const root = Key.fromSecret(secret, { prefix: "AWS4" });
  const key = scope.reduce((derived, step) => derived.derive(step), root);
  const signature = hex(key.sign("hmac-sha256", toSign));
  const credential = `${id}/${scope.join("/")}`;
  return request.header(
    "authorization",
    `${ALGORITHM} Credential=${credential}, SignedHeaders=${signed}, Signature=${signature}`,
  );
}

/** The request as it is signed, and the names of its headers. The request's URL is rewritten. */
function canonical(request, body) {
  const url = new URL(request.url);
  const query = queryOf(url.searchParams);
  url.search = query;
  request.url = url.href;
  const headers = headersOf([["host", url.host], ...request.headers]);
  const lines = headers.map(([name, values]) => `${name}:${values.join()}\n`).join("");
  const signed = headers.map(([name]) => name).join(";");
  // Encoded as it is on the wire, and once more.
  const path = url.pathname.split("/").map(encoded).join("/");
  return { text: [request.method, path, query, lines, signed, body].join("\n"), signed };
}

/** The headers sorted by their names in lower case, each with its values. */
function headersOf(pairs) {
  const headers = new Map();
  for (const [name, value] of pairs) {
    const values = headers.get(name.toLowerCase()) ?? [];
    headers.set(name.toLowerCase(), [...values, value.trim().replace(/ +/g, " ")]);
  }
  return [...headers].sort(byText);
}

/** The query sorted and percent-encoded, without the plus signs of forms. */
function queryOf(parameters) {
  const pairs = [...parameters].map((pair) => pair.map(encoded));
  return pairs
    .sort(byText)
    .map((pair) => pair.join("="))
    .join("&");
}

/** All but RFC 3986's unreserved characters percent-encoded. */
function encoded(text) {
  const rest = (letter) => `%${letter.charCodeAt(0).toString(16).toUpperCase()}`;
  return encodeURIComponent(text).replace(/[!'()*]/g, rest);
}

/** By the first text, then by the second. */
function byText(one, other) {
  const at = one[0] === other[0] ? 1 : 0;
  return one[at] < other[at] ? -1 : 1;
}

async function sha256(data) {
  const bytes = typeof data === "string" ? ENCODER.encode(data) : data;
  return hex(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)));
}

function hex(bytes) {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
