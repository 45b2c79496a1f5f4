// Composing mail (RFC 5322, MIME), for connectors that submit it over SMTP. A header cannot be injected: no
// control character reaches one, and addresses are checked.

import { Failure, oneLine } from "./failure.js";
import { Mailbox } from "./mailbox.js";
import { field, nameWords, part, textWords } from "./mime.js";

const ENCODER = new TextEncoder();

/** Bytes of the part before the `@` (RFC 5321, 4.5.3.1.1). */
const LONGEST_LOCAL_PART = 64;

/** Letters of a domain: the 255 of RFC 1035, 2.3.4, as a text. */
const LONGEST_DOMAIN = 253;
/** Labels of at most 63 letters, not all of digits: that is an IP address without its brackets. */
const LABELS = /^(?=.*[a-z])[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*$/;

/** Without what ends or divides an address, and without halves of characters. */
const BARE_LOCAL_PART = /^[^\s\u0000-\u001f\u007f-\u009f\ud800-\udfff()<>[\]:;@\\,"]+$/u;
/** In quotes; some readers end an address at a bracket or begin a comment at one, in quotes or not. */
const QUOTED_LOCAL_PART = /^"[^\u0000-\u001f\u007f-\u009f\ud800-\udfff"\\()<>[\]]*"$/u;

/** Letters of a `Message-ID` before its `@`. */
const LONGEST_TOKEN = 64;

/**
 * The mail's text with CRLF at the ends of its lines. `date` is now unless it is given; `id` makes the
 * `Message-ID`, a fresh one where it is missing. Text and HTML become alternatives of one another.
 */
export function compose({ from, to, replyTo, subject, html, text, date, id = "" }) {
  const sender = mailbox(from);
  if (!sender) throw Failure.invalidSettings("from", "is no mail address");
  const head =
    mailboxField("From", sender) +
    field("To", [`<${recipient(to)}>`]) +
    replyField(replyTo) +
    field("Subject", textWords("Subject", subject)) +
    field("Message-ID", [`<${messageId(id, sender.address)}>`]) +
    field("Date", dateOf(date).split(" ")) +
    field("MIME-Version", ["1.0"]);
  if (html === undefined) return head + part("text/plain", text ?? "");
  if (text === undefined) return head + part("text/html", html);
  return head + alternatives(part("text/plain", text), part("text/html", html));
}

/**
 * One mail address with its domain in lower-case A-labels; undefined where the text is no address, more
 * than one, or could end an envelope command or a header.
 */
export function address(text) {
  const line = text.replace(/^ +| +$/g, "");
  const at = line.lastIndexOf("@");
  const [local, domain] = [line.slice(0, Math.max(at, 0)), domainOf(line.slice(at + 1))];
  const isLocal = BARE_LOCAL_PART.test(local) || QUOTED_LOCAL_PART.test(local);
  // Some readers decode encoded words wherever they stand (RFC 2047, 5 forbids them here).
  if (!isLocal || local.includes("=?") || domain === undefined) return undefined;
  if (ENCODER.encode(local).length > LONGEST_LOCAL_PART) return undefined;
  return `${local}@${domain}`;
}

/** The address of a message's recipient; throws `rejected` where it is none. */
export function recipient(text) {
  const to = address(text);
  if (to === undefined) throw new Failure("rejected", "the recipient is not one mail address");
  return to;
}

/** The later one is preferred (RFC 2046, 5.1.4). The boundary is part of no body: nobody knows it before. */
function alternatives(...parts) {
  const boundary = `=_${crypto.randomUUID()}`;
  const bodies = parts.map((body) => `--${boundary}\r\n${body}`);
  const type = field("Content-Type", ["multipart/alternative;", `boundary="${boundary}"`]);
  return `${type}\r\n${bodies.join("")}--${boundary}--\r\n`;
}

function replyField(replyTo) {
  if (!replyTo) return "";
  const box = mailbox(replyTo);
  if (!box) throw new Failure("rejected", "the reply address is no mail address");
  return mailboxField("Reply-To", box);
}

function mailboxField(name, box) {
  return field(name, [...nameWords(name, box.name), `<${box.address}>`]);
}

/** A mailbox, or its text, with an address that is one; a quoted name loses its quotes. */
function mailbox(given) {
  const { address: written, name } =
    typeof given === "string" ? Mailbox.parse(oneLine(given)) : given;
  const own = address(written);
  const quoted = /^"(.*)"$/.exec(name);
  const bare = quoted ? quoted[1].replace(/\\(["\\])/g, "$1") : name;
  return own === undefined ? undefined : { address: own, name: bare };
}

function domainOf(text) {
  // Punctuation is left to no URL parser's reading.
  if (/[\u0000-\u002c\u002f\u003a-\u0040\u005b-\u005e\u0060\u007b-\u00a0]/.test(text)) {
    return undefined;
  }
  try {
    const isAscii = /^[\u0000-\u007f]*$/.test(text);
    const name = isAscii ? text.toLowerCase() : new URL(`http://${text}`).hostname;
    return LABELS.test(name) && name.length <= LONGEST_DOMAIN ? name : undefined;
  } catch {
    return undefined;
  }
}

/** `msg-id` of RFC 5322, 3.6.4, without its brackets. */
function messageId(own, sender) {
  const token = own.replace(/[^0-9A-Za-z-]/g, "-").slice(0, LONGEST_TOKEN);
  return `${token || crypto.randomUUID()}@${sender.slice(sender.lastIndexOf("@") + 1)}`;
}

/** RFC 5322, 3.3: ECMAScript's text of a date but for the zone's name. */
function dateOf(date = Date.now()) {
  const time = new Date(date);
  if (Number.isNaN(time.getTime())) throw new TypeError("`date` is no date");
  return time.toUTCString().replace("GMT", "+0000");
}
