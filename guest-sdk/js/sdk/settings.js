// Reads an integration's settings, and names the field that does not fit.
//
// A reader takes a value and its path and returns the value as the connector wants it. The value itself
// is never repeated in a failure: it may be a secret in the wrong place.

import { Failure } from "./failure.js";

/** Reads settings from their JSON text. */
export function parseSettings(reader, text) {
  let value;
  try {
    value = JSON.parse(text);
  } catch {
    throw Failure.invalidSettings("settings", "expected JSON");
  }
  return reader(value, "");
}

/** A text. */
export function text() {
  return (value, path) => {
    if (typeof value !== "string") throw Failure.invalidSettings(path, "expected a string");
    return value;
  };
}

/** A text of at least one character. */
export function nonEmpty() {
  return also(text(), (value) => (value === "" ? "must not be empty" : undefined));
}

/** One of these texts. */
export function choice(...allowed) {
  return also(text(), (value) =>
    allowed.includes(value) ? undefined : `expected one of ${allowed.join(", ")}`,
  );
}

/** True or false. */
export function flag() {
  return typed("boolean", "true or false");
}

/** A number. */
export function number() {
  return typed("number", "a number");
}

/** An absolute `https` or `http` URL, in canonical form and without its fragment. */
export function url() {
  return (value, path) => {
    const typed = text()(value, path);
    const [words, href] = webAddress(typed);
    if (words) throw Failure.invalidSettings(path, words);
    return href;
  };
}

/** A value that may be absent. */
export function optional(reader) {
  const read = (value, path) => (value === undefined ? undefined : reader(value, path));
  read.optional = true;
  return read;
}

/** A list of values of one kind. */
export function list(reader) {
  return (value, path) => {
    if (!Array.isArray(value)) throw Failure.invalidSettings(path, "expected a list");
    return value.map((item, index) => reader(item, `${path}[${index}]`));
  };
}

/** An object with these fields; others are ignored. */
export function object(fields) {
  const entries = Object.entries(fields);
  return (value, path) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      throw Failure.invalidSettings(path, "expected an object");
    }
    const read = {};
    for (const [name, reader] of entries) {
      const given = Object.hasOwn(value, name) ? value[name] : undefined;
      if (given === undefined && !reader.optional) {
        throw Failure.invalidSettings(path, `missing field \`${name}\``);
      }
      read[name] = reader(given, path ? `${path}.${name}` : name);
    }
    return read;
  };
}

/** The reader, and a check that says in words what is wrong. */
export function also(reader, check) {
  return (value, path) => {
    const read = reader(value, path);
    const words = check(read);
    if (words) throw Failure.invalidSettings(path, words);
    return read;
  };
}

function typed(type, words) {
  return (value, path) => {
    if (typeof value !== type) throw Failure.invalidSettings(path, `expected ${words}`);
    return value;
  };
}

/** What is wrong with an address, or nothing and its canonical form. */
function webAddress(typed) {
  let url;
  try {
    url = new URL(typed);
  } catch {
    return ["is not an absolute URL"];
  }
  if (url.protocol !== "https:" && url.protocol !== "http:") {
    return ["must begin with https:// or http://"];
  }
  if (url.username || url.password) return ["must not contain a user or password"];
  if (url.hostname === "unix") return ["must not name a Unix socket"];
  // A number that the URL standard would read as an address is more likely a slip, or a trick.
  if (/^[\d.]+$/.test(url.hostname) && !typed.includes(url.hostname)) {
    return ["has an invalid host"];
  }
  url.hash = "";
  return [undefined, url.href];
}
