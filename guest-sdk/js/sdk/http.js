// Requests that a connector describes, and the responses that it reads.

import { Failure } from "./failure.js";

/** What would end a header line. */
const CONTROLS = /[\u0000-\u0008\u000a-\u001f\u007f]/;

/** A POST without headers or body. */
export function post(url) {
  return new HttpRequest("POST", url);
}

/** A GET of `url` with the fields as its query. */
export function get(url, query) {
  return new HttpRequest("GET", query ? `${url}?${formText(query)}` : url);
}

/** One HTTP request. Each method changes it and returns it. */
export class HttpRequest {
  constructor(method, url) {
    this.method = method;
    this.url = String(url);
    this.headers = [];
    this.body = "";
    this.credential = { tag: "none" };
    this.timeout = undefined;
  }

  /** Adds a header, its name in lower case. */
  header(name, value) {
    this.headers.push([name, value]);
    return this;
  }

  /** Sends user and password in `authorization`; the host encodes them after it has filled in the secret. */
  basic(user, password) {
    return this.#with("basic", [user, password]);
  }

  /** Sends a token in `authorization`. */
  bearer(token) {
    return this.#with("bearer", token);
  }

  /** Sends a secret in a header of its own. */
  secretHeader(name, value) {
    return this.#with("header", [name, value]);
  }

  #with(tag, val) {
    this.credential = { tag, val };
    return this;
  }

  /** The value as JSON. */
  json(value) {
    this.body = JSON.stringify(value);
    return this.header("content-type", "application/json");
  }

  /** The fields as a form; one that is undefined is left out. */
  form(fields) {
    this.body = formText(fields);
    return this.header("content-type", "application/x-www-form-urlencoded");
  }

  /** A body of your own: text, or bytes. */
  raw(body, contentType) {
    this.body = body;
    return this.header("content-type", contentType);
  }

  /** Milliseconds for the whole exchange; the send's deadline by default. */
  within(milliseconds) {
    this.timeout = milliseconds;
    return this;
  }

  /** Refuses what would end a header line: the settings' field is wrong, not the message. */
  check() {
    const { tag, val } = this.credential;
    const lines = tag === "header" ? [...this.headers, val] : this.headers;
    for (const [name, value] of lines) {
      if (CONTROLS.test(value)) {
        throw Failure.invalidSettings(name, "a header value must not contain control characters");
      }
    }
  }
}

/** One buffered HTTP response. */
export class HttpResponse {
  constructor(status, headers, body, receivedAt = Date.now()) {
    /** Status code. */
    this.status = status;
    /** Names in lower case. */
    this.headers = headers;
    /** Bytes. */
    this.body = body;
    /** When it arrived, in milliseconds since the Unix epoch. */
    this.receivedAt = receivedAt;
  }

  /** Whether the status code is 2xx. */
  get ok() {
    return this.status >= 200 && this.status < 300;
  }

  /** The first header of that lower-case name. */
  header(name) {
    return this.headers.find(([known]) => known === name)?.[1];
  }

  /** The body as text, without a byte order mark; what is no UTF-8 becomes U+FFFD. */
  text() {
    return new TextDecoder().decode(this.body);
  }

  /** The body as JSON, or undefined where it is none. */
  json() {
    try {
      return JSON.parse(this.text());
    } catch {
      return undefined;
    }
  }
}

/** The whole of a response that `fetch` gave, in the SDK's form. */
export async function buffered(response) {
  const body = new Uint8Array(await response.arrayBuffer());
  return new HttpResponse(response.status, [...response.headers], body);
}

/** The fields as a browser encodes a form (WHATWG URL, `application/x-www-form-urlencoded`). */
function formText(fields) {
  const entries = Array.isArray(fields) ? fields : Object.entries(fields);
  const given = entries.filter(([, value]) => value !== undefined);
  return new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
}
