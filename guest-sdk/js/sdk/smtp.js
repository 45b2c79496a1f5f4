// Mail submission through the host. A module of its own, outside index.js: a connector that imports it asks
// for the host's `smtp` interface, and no other connector does.

import { submit as submitToHost } from "sendbox:connector/smtp@0.1.0";

import { Failure } from "./failure.js";
import { address, recipient } from "./mail.js";

const ENCODER = new TextEncoder();

/**
 * Submits one mail to all recipients of the envelope or to none, and returns the server's reply. Throws a
 * `Failure` where it is not taken.
 */
export function submit(server, { mailFrom, rcptTo }, data) {
  const envelope = { mailFrom: reversePath(mailFrom), rcptTo: rcptTo.map(recipient) };
  const bytes = typeof data === "string" ? ENCODER.encode(data) : data;
  try {
    return submitToHost({ ...server, auth: authOf(server.auth) }, envelope, bytes);
  } catch (error) {
    throw error.payload?.tag ? failureOf(error.payload) : error;
  }
}

/** The sender's address; empty for the null path. */
function reversePath(mailFrom) {
  const from = mailFrom === "" ? "" : address(mailFrom);
  if (from === undefined) throw Failure.invalidSettings("mailFrom", "is no mail address");
  return from;
}

/** Credentials in the contract's form. */
function authOf(auth) {
  if (!auth) return { tag: "none" };
  const { user, password, mechanism, token } = auth;
  if (token !== undefined) return { tag: "oauth2", val: [user, token] };
  return { tag: "login", val: { user, password, mechanism } };
}

/** Why a mail was not taken. */
function failureOf({ tag, val }) {
  if (tag === "deferred") {
    return refusal(val.code === 452 || limited(val) ? "throttled" : "unavailable", val);
  }
  if (tag === "rejected" && limited(val)) return refusal("throttled", val);
  if (tag === "rejected" && ofSender(val)) return refusal("invalid-settings", val);
  if (tag === "unauthorized" || tag === "rejected") return refusal(tag, val);
  const [kind, words] = SMTP_ERRORS[tag] ?? ["unknown", "the submission failed"];
  return new Failure(kind, [words, val].filter(Boolean).join(": "), { code: tag });
}

/** Whether a reply is about the account's rate or quota (RFC 3463, and large servers' words). */
function limited({ enhanced, text }) {
  const codes = ["5.4.5", "5.1.90", "5.7.232", "5.7.233", "4.7.28"];
  return codes.includes(enhanced) || /rate limit|sending limit/i.test(text);
}

/** Whether it is about the sender: a reply to `MAIL FROM`, or a code of RFC 5248 or Exchange. */
function ofSender({ enhanced, text }) {
  const codes = ["5.1.7", "5.1.8", "5.2.252", "5.7.23", "5.7.26", "5.7.27", "5.7.60"];
  return codes.includes(enhanced) || text.startsWith("MAIL FROM: ");
}

/** What each error of the host's `smtp` without a reply says: the kind, and words before its own. */
const SMTP_ERRORS = {
  "not-supported": ["invalid-settings", "this host does not offer SMTP"],
  denied: ["invalid-settings", "the egress policy does not allow this server, port or plain text"],
  "invalid-request": ["invalid-settings"],
  dns: ["unavailable", "the host name could not be resolved"],
  connect: ["unavailable", "no session with the server"],
  tls: ["unavailable", "no trusted TLS session"],
  timeout: ["unavailable", "no reply in time"],
  interrupted: ["unknown", "the session ended after the message and before its answer"],
};

function refusal(kind, { code, enhanced, text }) {
  return new Failure(kind, `${code} ${text}`.trimEnd(), { code: enhanced ?? code });
}
