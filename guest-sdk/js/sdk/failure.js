// What went wrong, in the contract's seven kinds; the one place that reads status codes.
// A connector classifies and never retries: the host decides.

/** The kinds of failure that the host knows how to treat. */
export const FAILURE_KINDS = [
  "invalid-settings",
  "template-not-found",
  "rejected",
  "unauthorized",
  "throttled",
  "unavailable",
  "unknown",
];

/** Characters of a response's body that a failure quotes. */
const EXCERPT_CHARACTERS = 200;

/** A value of a `Retry-After` header that is a count of seconds (RFC 9110, 10.2.3). */
const SECONDS = /^\d{1,12}$/;

/** The one form of a date that servers must send today (RFC 9110, 5.6.7). */
const HTTP_DATE = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/;

/** Why a message was not accepted. */
export class Failure extends Error {
  constructor(kind, message, { code, retryAfter, cause } = {}) {
    super(message, { cause });
    if (!FAILURE_KINDS.includes(kind)) throw new TypeError(`no kind of failure: ${kind}`);
    this.name = "Failure";
    this.kind = kind;
    this.code = code === undefined ? undefined : String(code);
    this.retryAfter = retryAfter;
  }

  /** The settings' field cannot work, and why. */
  static invalidSettings(field, words) {
    return new Failure("invalid-settings", `${field || "settings"}: ${words}`);
  }

  /** Neither the usage type nor `Generic` has a template. */
  static templateNotFound(usageType) {
    return new Failure("template-not-found", `no template for the usage type ${usageType}`);
  }

  /** What a response outside 2xx says by its status code, its `Retry-After` and the start of its body. */
  static ofResponse(response) {
    const { status } = response;
    let message = `HTTP status ${status}`;
    if (status >= 300 && status < 400) {
      message += ": redirects are not followed, the address must be the final one";
    } else {
      const quoted = excerpt(response);
      if (quoted) message += `: ${quoted}`;
    }
    const kind = kindOfStatus(status);
    // A page of a proxy or a web server says nothing of the message.
    const page = kind === "rejected" && isMarkup(response.text());
    return new Failure(page ? "invalid-settings" : kind, message, {
      code: status,
      retryAfter: retryAfter(response),
    });
  }

  /** A 2xx without the answer that the provider's documents promise: it may have accepted. */
  static unreadable(response) {
    const words = `HTTP status ${response.status} without the provider's answer`;
    return new Failure("unknown", words, { code: response.status });
  }

  /** What the provider's own code and words stand for; the response's `Retry-After` is kept. */
  static ofProvider(response, kind, code, words) {
    const { message, retryAfter } = Failure.ofResponse(response);
    return new Failure(kind, words || message, { code, retryAfter });
  }

  /** Why there was no response. */
  static ofHttpError({ tag, val }) {
    const [kind, words] = HTTP_ERRORS[tag] ?? ["unknown", "the exchange failed"];
    return new Failure(kind, words ?? val, { code: tag });
  }

  /** Whatever the connector's code threw. The host's own record says whether a request left before. */
  static ofException(error) {
    if (error instanceof Failure) return error;
    const words = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    return new Failure("unknown", words, { code: "exception", cause: error });
  }
}

/** What each error of the host's `http` says: the kind, and words where the error brings none. */
const HTTP_ERRORS = {
  denied: ["invalid-settings", "the egress policy does not allow this address"],
  "invalid-request": ["invalid-settings"],
  dns: ["unavailable", "the host name could not be resolved"],
  connect: ["unavailable", "no connection"],
  tls: ["unavailable", "no trusted TLS session"],
  timeout: ["unknown", "no whole response in time"],
  interrupted: ["unknown", "the connection ended before a whole response"],
  "response-too-large": ["unknown", "the response is over the limit"],
};

/**
 * What an HTTP status code outside 2xx says (RFC 9110, 15; 425 of RFC 8470, 429 of RFC 6585).
 *
 * Of the 5xx only 503 says that the request was not processed; after any other one the provider may
 * have accepted.
 */
export function kindOfStatus(status) {
  if ([401, 403, 407].includes(status)) return "unauthorized";
  if ([402, 408, 425, 429].includes(status)) return "throttled";
  if (status === 400 || status === 422) return "rejected";
  if (status === 503) return "unavailable";
  // The host follows no redirect, so the address is wrong. 303 is the exception: the request was
  // processed, and its outcome lies elsewhere. Every other 4xx speaks of address, method or form.
  if (status >= 300 && status < 500 && status !== 303) return "invalid-settings";
  return "unknown";
}

/**
 * The text with every run of control characters and spaces around it as one space, so that it fits a
 * header, a subject or a line of a log.
 */
export function oneLine(text) {
  const words = text.split(/[\u0000-\u001f\u007f]/);
  if (words.length === 1) return text;
  return words
    .map((word) => word.trim())
    .filter((word) => word)
    .join(" ");
}

/** Milliseconds of a `Retry-After` header: seconds, or a date that counts from the response's own. */
export function retryAfter(response) {
  const value = response.header("retry-after")?.trim() ?? "";
  if (SECONDS.test(value)) return Number(value) * 1000;
  const until = httpDate(value);
  if (until === undefined) return undefined;
  const now = httpDate(response.header("date") ?? "") ?? response.receivedAt;
  return Math.max(0, until - now);
}

function httpDate(text) {
  const time = HTTP_DATE.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(time) ? undefined : time;
}

function isMarkup(text) {
  return text.trim().startsWith("<");
}

/** The first words of a plain or JSON body, on one line. A page of markup explains nothing. */
function excerpt(response) {
  const text = response.text().trim();
  if (isMarkup(text)) return "";
  return [...oneLine(text).slice(0, 2 * EXCERPT_CHARACTERS)].slice(0, EXCERPT_CHARACTERS).join("");
}
